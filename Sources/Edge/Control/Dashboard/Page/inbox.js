// SPDX-License-Identifier: Apache-2.0
// The inbox of a tunnel: what waits, what was delivered, what nobody took; and what a person can do about it.

import {deliver, deliverDead, listMessages, removeMessage, skip} from './calls.js';
import {ask} from './dialogs.js';
import {button, element, notify} from './elements.js';
import {Table, cellButton} from './tables.js';
import {age, size} from './units.js';

const STATES = ['', 'waiting', 'delivered', 'dead'];

export class InboxView {
  #messages = [];
  #cursor = null;
  #seen = '';

  constructor(id, {failed}) {
    this.id = id;
    this.failed = failed;
    this.waiting = 0;
    this.summary = element('p', {class: 'note'});
    this.state = element('select', {'aria-label': 'State', on: {change: () => this.#load()}},
      STATES.map(value => element('option', {value, text: value || 'all'})));
    this.more = button('More', () => this.#load(this.#cursor), {hidden: true});
    this.table = new Table({
      label: `Inbox of ${id}`,
      key: message => message.id,
      columns: [
        {title: 'Came', show: message => `${age(Date.now() - new Date(message.received_at))} ago`},
        {title: 'State', show: message => message.state},
        {title: 'Method', class: 'spare', show: message => message.method},
        {title: 'Path', class: 'long', show: message => message.target},
        {title: 'Size', class: 'amount', show: message => size(message.size)},
        {title: 'Signature', class: 'spare', show: message => message.verified === undefined ? '' : message.verified ? 'right' : 'wrong'},
        {title: 'Tries', class: 'amount spare', show: message => message.attempts},
        {title: 'Last', show: message => message.last_status ?? message.last_error ?? ''},
        {title: '', show: message => this.#actions(message)},
      ],
    });
    this.element = element('div', {},
      element('h3', {text: 'Inbox'}), this.summary,
      element('div', {class: 'bar'}, this.state, button('Deliver the dead', () => this.#do(() => deliverDead(id)))),
      element('div', {class: 'wide'}, this.table.element), this.more);
  }

  /** Takes up how much there is, and what, if that is something else than before. */
  async update(status) {
    if (!status) return;
    this.waiting = status.waiting;
    this.summary.textContent = `${status.waiting} wait, ${status.delivered} were delivered, ${status.dead} are dead; ${size(status.bytes)}`
      + (status.oldest_waiting_at ? `; the oldest has waited for ${age(Date.now() - new Date(status.oldest_waiting_at))}` : '');
    const now = JSON.stringify([status.waiting, status.delivered, status.dead, status.bytes]);
    if (now === this.#seen) return;
    this.#seen = now;
    await this.#load();
  }

  async #load(cursor) {
    try {
      const page = await listMessages(this.id, {state: this.state.value, cursor});
      this.#messages = cursor ? [...this.#messages, ...page.messages] : page.messages;
      this.#cursor = page.next_cursor ?? null;
      this.table.show(this.#messages);
      this.more.hidden = this.#cursor === null;
    } catch (error) {
      this.failed(error);
    }
  }

  #actions({id, state}) {
    const act = (text, work) => cellButton(text, () => this.#do(work), undefined, {class: 'link', 'aria-label': `${text} ${id}`});
    return element('span', {data: {version: `${id} ${state}`}},
      act(state === 'waiting' ? 'Deliver now' : 'Deliver again', () => deliver(this.id, id)), ' ',
      state === 'waiting' && act('Skip', () => skip(this.id, id)), ' ',
      act('Delete', async () => {
        if (await ask('Delete message', 'Nobody can deliver it any more.', 'Delete')) await removeMessage(this.id, id);
      }));
  }

  async #do(work) {
    try {
      const answer = await work();
      if (answer?.changed !== undefined) notify(`${answer.changed} to be delivered`);
      await this.#load();
    } catch (error) {
      this.failed(error);
    }
  }
}
