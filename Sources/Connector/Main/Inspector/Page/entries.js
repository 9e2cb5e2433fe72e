// SPDX-License-Identifier: Apache-2.0
// A long list of messages or events inside a panel, and the chosen one in full beneath.

import {element} from './elements.js';
import {VirtualList} from './list.js';

const ROW_HEIGHT = 24;
let made = 0;

/**
 * `{element, set(entries)}`. `columns` are the heads; `cells(entry)` gives a text for each, or `{text, label, class}`;
 * `content(entry)` the nodes that show an entry in full.
 */
export function entryList({label, columns, cells, content, kind}) {
  made += 1;
  const prefix = `entry-${made}-`;
  let entries = [];
  const space = element('div', {class: 'space', role: 'rowgroup'});
  const head = element('div', {class: 'row head', role: 'row', 'aria-rowindex': 1},
    columns.map(column => element('span', {role: 'columnheader', text: column})));
  const grid = element('div', {class: `entries ${kind}`, role: 'grid', tabIndex: 0, 'aria-label': label}, head, space);
  const full = element('div', {class: 'entry', tabIndex: -1, 'aria-label': `Chosen of: ${label}`, role: 'region'});
  const list = new VirtualList({
    element: grid,
    space,
    rowHeight: ROW_HEIGHT,
    headHeight: ROW_HEIGHT,
    idPrefix: prefix,
    source: {
      get count() { return entries.length; },
      item: row => entries[row],
      key: entry => entry.index,
      rowOf: key => key < entries.length ? key : -1,
    },
    make: () => element('div', {class: 'row', role: 'row'}, columns.map(() => element('span', {role: 'gridcell'}))),
    fill: (row, entry) => cells(entry).forEach((cell, index) => {
      const place = row.children[index];
      place.textContent = cell?.text ?? cell ?? '';
      place.className = cell?.class ?? '';
      if (cell?.label) place.setAttribute('aria-label', cell.label);
      else place.removeAttribute('aria-label');
    }),
    choose: entry => full.replaceChildren(...content(entry)),
    open: () => full.focus(),
  });
  return {
    element: element('div', {}, grid, full),
    /** Shows `next`; a reader at the end of the list stays at the end. */
    set(next) {
      const isAtEnd = grid.scrollTop + grid.clientHeight >= entries.length * ROW_HEIGHT;
      next.forEach((entry, index) => {
        entry.index = index;
        entry.version = 1;
      });
      entries = next;
      list.refresh();
      grid.style.height = `${Math.min(16, next.length + 1) * ROW_HEIGHT + 2}px`;
      if (isAtEnd && list.chosen === null) grid.scrollTop = next.length * ROW_HEIGHT;
    },
  };
}
