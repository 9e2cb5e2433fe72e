// SPDX-License-Identifier: Apache-2.0
// Tables of names and values, with secrets covered until they are asked for.

import {element} from './elements.js';
import {fieldParts, isSecretMember, targetParts} from './secrets.js';

/** Parts as nodes: what is secret becomes a button that shows it. */
export function partNodes(parts, showsSecrets) {
  return parts.map(part => {
    if (part.secret === undefined) return part.text;
    if (showsSecrets || part.secret === '') return part.secret;
    const cover = element('button', {
      type: 'button',
      class: 'secret',
      text: '••••••••',
      title: 'Show this value',
      'aria-label': `Covered, ${part.secret.length} characters. Show`,
      on: {
        click: () => {
          const shown = element('span', {class: 'revealed', tabIndex: -1, text: part.secret});
          cover.replaceWith(shown);
          shown.focus();
        },
      },
    });
    return cover;
  });
}

export function fieldsTable(fields, label, showsSecrets) {
  return table(fields.map(([name, value]) => [name, partNodes(fieldParts(name, value), showsSecrets)]), label);
}

/** Members of a form or a query. */
export function membersTable(members, label, showsSecrets) {
  return table(members.map(([name, value]) => {
    const parts = [isSecretMember(name) ? {secret: value} : {text: value}];
    return [name, partNodes(parts, showsSecrets)];
  }), label);
}

/** Rows of a name and what belongs to it; `label` says what they are to those who hear the page. */
export function table(rows, label) {
  return element('table', {class: 'names', 'aria-label': label}, element('tbody', {}, rows.map(([name, ...values]) =>
    element('tr', {}, element('th', {scope: 'row', text: name}), values.map(value => element('td', {}, value))))));
}

/** A start line, its target's secrets covered. */
export function startLine(line, showsSecrets) {
  const first = line.indexOf(' ');
  const last = line.lastIndexOf(' ');
  const isRequest = !line.startsWith('HTTP/') && first > 0 && last > first;
  const content = isRequest
    ? [line.slice(0, first + 1), partNodes(targetParts(line.slice(first + 1, last)), showsSecrets), line.slice(last)]
    : [line];
  return element('p', {class: 'start-line'}, ...content);
}
