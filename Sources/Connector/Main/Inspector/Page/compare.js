// SPDX-License-Identifier: Apache-2.0
// Two exchanges side by side: only what differs.

import {getBody, getDetail} from './api.js';
import {button, byID, element, note, warning} from './elements.js';
import {decodedText, isJSON, looksLikeText} from './content.js';
import {fieldDifference, lineDifference} from './diff.js';
import {plainJSON} from './json.js';
import {covered, fieldParts, targetParts} from './secrets.js';
import {dateAndTime, size, span} from './units.js';

/** Lines around a difference that are shown with it. */
const AROUND = 3;
const SIGN_NAMES = {'-': 'Only in the first', '+': 'Only in the second', '~': 'Changed'};

/** Shows two exchanges in the pane of details, the older first; `back` leaves it. */
export async function compare(ids, {back, signal}) {
  const pane = byID('detail');
  try {
    const [first, second] = await Promise.all([...ids].sort().map(id => getDetail(id, signal)));
    const [request, response] = await Promise.all(['request', 'response'].map(side => sideView(side, first, second, signal)));
    if (signal.aborted) return;
    pane.replaceChildren(
      element('h2', {tabIndex: -1, text: 'Compared'}),
      element('div', {class: 'bar'}, button('Back', back)),
      overview(first, second), request, response);
    pane.scrollTop = 0;
    pane.querySelector('h2').focus();
  } catch (error) {
    if (error.name !== 'AbortError') pane.replaceChildren(warning(error.message));
  }
}

function overview(first, second) {
  const row = (name, of) => {
    const [one, other] = [of(first), of(second)];
    return element('tr', {class: one === other ? '' : 'differs'},
      element('th', {scope: 'row', text: name}), element('td', {text: one}), element('td', {text: other}));
  };
  return element('table', {class: 'names compared', 'aria-label': 'Both exchanges'},
    element('thead', {}, element('tr', {}, element('td'),
      element('th', {scope: 'col', text: 'First'}), element('th', {scope: 'col', text: 'Second'}))),
    element('tbody', {},
      row('Began', ({start_ms: start}) => dateAndTime(start)),
      row('Request', ({method, request}) => `${method} ${covered(targetParts(request?.uri ?? ''))}`),
      row('Status', ({status, error}) => String(status ?? error ?? 'none')),
      row('Duration', ({duration_ms: duration}) => duration === undefined || duration === null ? 'still open' : span(duration)),
      row('Response', ({response_size: bytes}) => size(bytes))));
}

async function sideView(side, first, second, signal) {
  const title = side === 'request' ? 'Request' : 'Response';
  const section = element('section', {'aria-label': title}, element('h3', {text: title}));
  if (!first[side] || !second[side]) {
    section.append(note(first[side] || second[side] ? 'Only one of them has one.' : 'Neither has one.'));
    return section;
  }
  const fields = fieldDifference(first[side].fields, second[side].fields);
  const value = (name, text) => text === null ? '' : covered(fieldParts(name, text));
  section.append(fields.length
    ? element('table', {class: 'names compared', 'aria-label': `Fields of the ${side} that differ`}, element('tbody', {},
      fields.map(([sign, name, before, after]) => element('tr', {class: 'differs'},
        element('th', {scope: 'row'},
          element('span', {text: sign, title: SIGN_NAMES[sign], role: 'img', 'aria-label': SIGN_NAMES[sign]}), ` ${name}`),
        element('td', {text: value(name, before)}), element('td', {text: value(name, after)})))))
    : note('The fields are equal.'));
  section.append(await bodyDifference(side, first, second, signal));
  return section;
}

async function bodyDifference(side, first, second, signal) {
  const details = [first, second];
  if (details.every(detail => detail[side].body.size === 0)) return note('Neither has a body.');
  const isCut = details.some(detail => !detail[side].body.is_whole);
  const bodies = await Promise.all(details.map(async detail => {
    const {body} = detail[side];
    if (body.kept === 0) return {bytes: new Uint8Array(), isDecoded: true, body};
    return {...await getBody(detail.id, side, body, signal), body};
  }));
  const [one, other] = bodies.map(({bytes}) => bytes);
  const about = isCut ? [note('Of one of them only the beginning was kept; that is what is compared.')] : [];
  if (one.length === other.length && one.every((byte, index) => byte === other[index])) {
    return element('div', {}, ...about, note('The bodies are equal.'));
  }
  if (!bodies.every(({bytes, body, isDecoded}) => isDecoded && looksLikeText(bytes, body.type))) {
    const at = one.findIndex((byte, index) => byte !== other[index]);
    const place = at < 0 ? one.length : at;
    return element('div', {}, ...about,
      note(`The bodies differ from byte ${place} on: ${size(one.length)} and ${size(other.length)}.`));
  }
  const [lines, otherLines] = bodies.map(({bytes, body}) => {
    const text = decodedText(bytes, body.content_type);
    return (isJSON(body.type) ? plainJSON(text) : text).split('\n');
  });
  return element('div', {}, ...about, differenceBlock(lineDifference(lines, otherLines), side));
}

/** The lines that differ with a few around them; between them a line says how many are equal. */
function differenceBlock(lines, side) {
  const near = new Uint8Array(lines.length);
  lines.forEach(([sign], index) => {
    if (sign !== ' ') near.fill(1, Math.max(0, index - AROUND), index + AROUND + 1);
  });
  const shown = [];
  let equal = 0;
  const skip = () => {
    if (equal) shown.push(element('span', {class: 'skipped', text: `… ${equal} equal lines\n`}));
    equal = 0;
  };
  lines.forEach(([sign, line], index) => {
    if (!near[index]) {
      equal += 1;
      return;
    }
    skip();
    const style = {'-': 'gone', '+': 'added'}[sign];
    shown.push(style ? element('span', {class: style, text: `${sign} ${line}\n`}) : `  ${line}\n`);
  });
  skip();
  const label = `Lines of the ${side}’s body that differ`;
  return element('pre', {class: 'difference', tabIndex: 0, role: 'region', 'aria-label': label}, ...shown);
}
