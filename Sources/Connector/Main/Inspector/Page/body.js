// SPDX-License-Identifier: Apache-2.0
// A message's body: what it is, the views of it, and what is missing.

import {getBody, getStoredBody} from './api.js';
import {viewsOf, looksLikeText, decodedText} from './content.js';
import {button, copy, element, note, save, warning} from './elements.js';
import {size} from './units.js';

/** The view that was last chosen, by the media type, so that stepping through a list keeps it. */
const preferred = new Map();

/**
 * The body of one side, by `bodies` where it is not of an exchange. `{element, load(), update(body)}`; `load` fetches and shows, `update` takes what is known of a
 * body that still grows.
 */
export function bodySection({id, side, body, showsSecrets, signal, bodies = {getBody, getStoredBody}}) {
  const facts = note();
  const cut = element('div');
  const views = element('div', {class: 'switch', role: 'group', 'aria-label': `View of the ${side}’s body`});
  const tools = element('div', {class: 'tools'});
  const place = element('div', {class: 'content'});
  const section = element('section', {class: 'body', 'aria-label': `Body of the ${side}`},
    element('h3', {text: 'Body'}), facts, cut, element('div', {class: 'bar'}, views, tools), place);
  let content = null;
  let drawn = null;
  let loading = false;

  function describe() {
    const decoded = body.coding && content?.isDecoded && content.bytes.length !== body.size;
    facts.textContent = [
      body.content_type ?? 'no Content-Type',
      size(body.size) || '0 B',
      body.coding && (decoded ? `${body.coding}, ${size(content.bytes.length)} decoded` : body.coding),
      body.is_chunked && 'chunked',
      !body.is_complete && 'not complete',
    ].filter(Boolean).join(' · ');
    cut.replaceChildren(...(body.is_whole ? [] : [warning(
      body.kept === 0
        ? `None of ${size(body.size)} was kept.`
        : `Only the first ${size(body.kept)} of ${size(body.size)} was kept.`,
      ' ',
      element('span', {class: 'note', text: 'Start culvert with --inspect-body for more.'}),
    )]));
  }

  function show(view) {
    for (const one of views.children) one.setAttribute('aria-pressed', one.textContent === view.name);
    drawn = {view, node: view.draw()};
    place.replaceChildren(drawn.node);
  }

  function drawAll() {
    const type = body.type ?? '';
    const choices = viewsOf(content);
    views.replaceChildren(...choices.map(view => button(view.name, () => {
      preferred.set(type, view.name);
      show(view);
    }, {data: {name: `${side}-view-${view.name}`}})));
    const isText = content.isDecoded && looksLikeText(content.bytes, type);
    const name = `${side}-body-${id}`;
    tools.replaceChildren(
      ...(isText ? [button('Copy', () => copy(decodedText(content.bytes, body.content_type), 'Body'))] : []),
      button('Save', () => save(name, new Blob([content.bytes]))),
      ...(body.coding && content.isDecoded
        ? [button(`Save as ${body.coding}`, async () => save(`${name}.${body.coding}`, new Blob([await bodies.getStoredBody(id, side)])))]
        : []),
    );
    show(choices.find(view => view.name === preferred.get(type)) ?? choices[0]);
  }

  async function load() {
    if (loading) return;
    loading = true;
    try {
      describe();
      if (body.kept === 0) {
        place.replaceChildren(note(body.size ? 'Nothing to show.' : body.is_complete ? 'Empty.' : 'Nothing has come yet.'));
        return;
      }
      const kept = body.kept;
      const {bytes, isDecoded, coding} = await bodies.getBody(id, side, body, signal);
      content = {
        bytes, isDecoded, showsSecrets, contentType: body.content_type, type: body.type, kept,
        isCut: !body.is_whole || !body.is_complete,
        timeOf: offset => body.coding ? null : timeOf(body.arrivals ?? [], offset),
      };
      describe();
      if (drawn?.view.isLive && drawn.node.update) {
        drawn.node.update(content);
        return;
      }
      drawAll();
      if (!isDecoded) place.prepend(warning(`The browser can’t undo the coding ${coding}; these are the bytes as they passed.`));
    } catch (error) {
      if (error.name !== 'AbortError') place.replaceChildren(warning(error.message));
    } finally {
      loading = false;
    }
  }

  return {
    element: section,
    load,
    async update(next) {
      const isNew = next.size !== body.size || next.is_complete !== body.is_complete;
      body = next;
      if (!isNew) return;
      describe();
      // A stream of events is followed; of another body the end is waited for, so that nothing moves under the reader.
      if (drawn?.view.isLive || body.is_complete || content === null) await load();
      else if (!tools.querySelector('[data-name=more]')) {
        tools.append(button('Load what has come', () => load(), {data: {name: 'more'}}));
      }
    },
  };
}

/** When the byte at `offset` came: with the last arrival that begins at or before it. */
function timeOf(arrivals, offset) {
  let low = 0;
  let high = arrivals.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (arrivals[middle][0] <= offset) low = middle + 1;
    else high = middle;
  }
  return low ? arrivals[low - 1][1] : null;
}
