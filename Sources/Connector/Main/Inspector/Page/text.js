// SPDX-License-Identifier: Apache-2.0
// Text of any length: the beginning first, and more when somebody asks.

import {button, element, warning} from './elements.js';
import {setOutJSON} from './json.js';
import {hexDump} from './hex.js';
import {count} from './units.js';

const TEXT_STEP = 200_000;
const JSON_STEP = 100_000;
const HEX_STEP = 16_384;

const block = (label, ...content) => element('pre', {tabIndex: 0, 'aria-label': label, role: 'region'}, ...content);

/** A block that `show(limit)` fills with nodes, and a button for as much again while something is left. */
function growing(label, step, show) {
  const place = element('div');
  const draw = limit => {
    const {nodes, before = [], left} = show(limit);
    const more = left > 0 && button(`Show more (${count(left, 'more character')})`, () => {
      draw(limit * 4);
      place.querySelector('pre').focus();
    });
    place.replaceChildren(...before, block(label, ...nodes), ...(more ? [more] : []));
  };
  draw(step);
  return place;
}

export function plainText(text, label = 'Content') {
  return growing(label, TEXT_STEP, limit => ({nodes: [text.slice(0, limit)], left: text.length - limit}));
}

/** JSON on lines, coloured by kind. `isCut` says that what was kept ends early, so that its end is no mistake. */
export function jsonText(text, isCut) {
  return growing('JSON', JSON_STEP, limit => {
    const {pieces, error, isWhole} = setOutJSON(text, limit);
    const isAtEnd = error?.offset === text.length;
    const before = error && !(isCut && isAtEnd)
      ? [warning(isAtEnd
        ? 'This is not JSON: it ends too early.'
        : `This is not JSON: line ${error.line}, column ${error.column} of the body can’t stand there.`)]
      : [];
    return {nodes: coloured(pieces), before, left: error || isWhole ? 0 : text.length - limit};
  });
}

/** Pieces as nodes, an element only for what has a colour. */
function coloured(pieces) {
  const nodes = [];
  let plain = '';
  for (const [kind, text] of pieces) {
    if (kind === 'space' || kind === 'mark' || kind === 'rest') {
      plain += text;
      continue;
    }
    if (plain) nodes.push(plain);
    plain = '';
    nodes.push(element(kind === 'wrong' ? 'mark' : 'span', {class: kind, text}));
  }
  if (plain) nodes.push(plain);
  return nodes;
}

export function hexText(bytes) {
  return growing('Bytes', HEX_STEP, limit => ({nodes: [hexDump(bytes, 0, limit)], left: bytes.length - limit}));
}
