// SPDX-License-Identifier: Apache-2.0
// When what happened, from the first byte of the request.

import {element, note} from './elements.js';
import {table} from './fields.js';
import {dateAndTime, span} from './units.js';

export function timingView(detail) {
  const {timings} = detail;
  const end = timings.end_ms ?? Math.max(0, Date.now() - detail.start_ms);
  const answer = timings.response_head_ms ?? end;
  const sent = timings.request_end_ms ?? answer;
  const phases = [
    ['Request', timings.request_head_ms ?? 0, sent],
    ['Waiting', Math.min(sent, answer), answer],
    ...(isKnown(timings.response_head_ms) ? [['Response', answer, end]] : []),
  ];
  return element('div', {},
    table(phases.map(([name, from, to]) => [name, span(Math.max(0, to - from)), bar(from, to, end)]), 'Phases'),
    note('Request: until its last byte had passed. Waiting: until the response’s head. '
      + 'A response may begin before the request ends.'),
    table([
      ['Began', dateAndTime(detail.start_ms)],
      ...(detail.interim ?? []).map(({status, at_ms: time}) => [`Interim ${status}`, at(time)]),
      ['Response’s head', at(timings.response_head_ms, 'not yet')],
      ['End', at(timings.end_ms, 'still open')],
      ['Visitor', detail.remote_addr ?? 'unknown'],
      ...(detail.connection === undefined ? [] : [['Connection', `number ${detail.connection} to the local server`]]),
      ...(detail.url ? [['Public URL', detail.url]] : []),
    ], 'Times'));
}

const isKnown = time => time !== null && time !== undefined;
const at = (time, otherwise) => isKnown(time) ? `+${span(time)}` : otherwise;

/** A phase as a bar from left to right; the figure stands beside it for those who don't see it. */
function bar(from, to, end) {
  const fill = element('span', {class: 'fill'});
  const share = value => end > 0 ? 100 * Math.min(1, Math.max(0, value / end)) : 0;
  fill.style.marginLeft = `${share(from)}%`;
  fill.style.width = `${Math.max(0.5, share(to) - share(from))}%`;
  return element('span', {class: 'phase', 'aria-hidden': 'true'}, fill);
}
