// SPDX-License-Identifier: Apache-2.0
// Tables that change while somebody reads them: a row keeps its element, and only text that differs is set.

import {element} from './elements.js';

/**
 * A table. Each of `columns` has `title`, `show(item)`, which gives text or a node, and `class`. `key(item)` tells rows
 * apart.
 */
export class Table {
  #rows = new Map();

  constructor({label, columns, key}) {
    this.columns = columns;
    this.key = key;
    this.body = element('tbody');
    this.element = element('table', {class: 'list', 'aria-label': label},
      element('thead', {}, element('tr', {}, columns.map(({title, class: name}) => element('th', {scope: 'col', class: name, text: title})))),
      this.body);
  }

  show(items, {chosen} = {}) {
    const kept = new Map();
    for (const item of items) {
      const key = this.key(item);
      const row = this.#rows.get(key) ?? this.#make();
      row.className = key === chosen ? 'chosen' : '';
      this.columns.forEach((column, index) => set(row.children[index], column.show(item)));
      kept.set(key, row);
    }
    for (const [key, row] of this.#rows) if (!kept.has(key)) row.remove();
    this.#rows = kept;
    let next = this.body.firstElementChild;
    for (const row of kept.values()) {
      if (row === next) next = row.nextElementSibling;
      else this.body.insertBefore(row, next);
    }
  }

  #make() {
    return element('tr', {}, this.columns.map(({class: name}) => element('td', {class: name})));
  }
}

function set(cell, content) {
  if (content instanceof Node) {
    // Who presses a button keeps it under the pointer.
    if (cell.shown !== content.dataset.version) cell.replaceChildren(content);
    cell.shown = content.dataset.version;
    return;
  }
  const text = String(content ?? '');
  if (cell.textContent !== text) cell.textContent = text;
}

/** A button that stays the same element in its cell as long as `version` does. */
export function cellButton(text, action, version, settings = {}) {
  return element('button', {type: 'button', text, data: {version}, on: {click: action}, ...settings});
}
