// SPDX-License-Identifier: Apache-2.0
// Who did what lately, for admins.

import {listAudit} from './calls.js';
import {element, note} from './elements.js';
import {Table} from './tables.js';
import {dateAndTime} from './units.js';

export class AuditView {
  constructor() {
    this.table = new Table({
      label: 'Audit',
      key: entry => entry.key,
      columns: [
        {title: 'Time', show: entry => dateAndTime(new Date(entry.at).getTime())},
        {title: 'Key', show: entry => entry.principal ?? 'nobody'},
        {title: 'Call', class: 'long', show: entry => `${entry.method} ${entry.path}`},
        {title: 'Answer', show: entry => entry.status},
        {title: 'From', class: 'spare', show: entry => entry.remote ?? ''},
      ],
    });
    this.element = element('div', {},
      note('The latest 500 calls of this edge that changed something or read a message. The log has all of them.'),
      element('div', {class: 'wide'}, this.table.element));
  }

  async refresh() {
    const entries = await listAudit();
    const times = new Map();
    this.table.show(entries.map(entry => {
      // Several calls may be of one moment.
      const name = JSON.stringify([entry.at, entry.principal, entry.method, entry.path, entry.status]);
      times.set(name, (times.get(name) ?? 0) + 1);
      return {...entry, key: `${name} ${times.get(name)}`};
    }));
  }
}
