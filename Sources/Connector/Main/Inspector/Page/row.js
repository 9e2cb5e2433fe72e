// SPDX-License-Identifier: Apache-2.0
// One line of the list of exchanges.

import {element} from './elements.js';
import {statusClass} from './detail.js';
import {covered, targetParts} from './secrets.js';
import {clock, size, span} from './units.js';

const KINDS = {websocket: 'WebSocket', events: 'events', upgrade: 'upgraded', opaque: 'not HTTP'};

/** An empty line. Its cells keep their text nodes, so that filling one changes text and nothing else. */
export function makeRow() {
  return element('div', {class: 'row', role: 'row'}, ['time', 'status', 'method', 'path', 'size', 'duration'].map(name => {
    const cell = element('span', {role: 'gridcell', class: name});
    cell.append('');
    return cell;
  }));
}

export function fillRow(row, item) {
  const [time, status, method, path, bytes, duration] = row.children;
  set(time, clock(item.start));
  set(status, item.status ?? (item.state === 'failed' ? '✕' : '…'));
  status.className = `status ${statusClass(item)}`;
  set(method, item.method ?? '');
  const marks = [
    item.replay_of && '↻', item.is_imported && '⇥', item.is_whole === false && '✂',
    KINDS[item.kind] && `[${KINDS[item.kind]}${item.messages ? ` ${item.messages}` : ''}]`,
  ].filter(Boolean).join(' ');
  const target = covered(targetParts(`${item.path ?? ''}${item.query === undefined || item.query === null ? '' : `?${item.query}`}`));
  set(path, marks ? `${marks} ${target}` : target);
  path.title = item.error ? `${target}\n${item.error}` : target;
  set(bytes, size(item.response_size));
  set(duration, item.state === 'open' ? `${span(Math.max(0, Date.now() - item.start))} …` : span(item.duration_ms));
  row.classList.toggle('replay', Boolean(item.replay_of));
  const label = [
    item.replay_of && 'sent again', item.is_imported && 'from a file', item.is_whole === false && 'not whole',
    item.state === 'open' && 'still open', item.error,
  ].filter(Boolean).join(', ');
  if (label) path.setAttribute('aria-label', `${target}, ${label}`);
  else path.removeAttribute('aria-label');
}

function set(cell, value) {
  const text = String(value);
  if (cell.firstChild.data !== text) cell.firstChild.data = text;
}
