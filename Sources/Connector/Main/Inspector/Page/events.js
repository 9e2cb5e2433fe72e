// SPDX-License-Identifier: Apache-2.0
// Server-sent events one by one, each with the time at which it came.

import {element, note} from './elements.js';
import {entryList} from './entries.js';
import {streamEvents} from './parts.js';
import {jsonText, plainText} from './text.js';
import {count, span} from './units.js';

/** A list of a stream's events; the element's `update(content)` shows a longer beginning of the same stream. */
export function eventList(content) {
  const list = entryList({
    label: 'Events',
    kind: 'events',
    columns: ['Time', 'Event', 'Data'],
    cells: entry => [
      entry.at === null ? '' : `+${span(entry.at)}`,
      entry.comment === undefined ? entry.event ?? 'message' : 'comment',
      (entry.comment ?? entry.data ?? '').slice(0, 300),
    ],
    content: entry => [
      element('p', {class: 'note'}, [
        entry.at !== null && `after ${span(entry.at)}`,
        entry.id !== undefined && `id ${entry.id}`,
        entry.retry !== undefined && `retry ${entry.retry}`,
      ].filter(Boolean).join(' · ')),
      /^\s*[[{]/.test(entry.data ?? '') ? jsonText(entry.data) : plainText(entry.comment ?? entry.data ?? ''),
    ],
  });
  const number = note('');
  const place = element('div', {}, number, list.element);
  place.update = ({bytes, timeOf}) => {
    const {events} = streamEvents(bytes);
    list.set(events.map(event => ({...event, at: timeOf?.(event.offset) ?? null})));
    number.textContent = count(events.length, 'event');
  };
  place.update(content);
  return place;
}
