// SPDX-License-Identifier: Apache-2.0
// One exchange: what can be done with it, and its parts in tabs.

import {getDetail, getRaw, remove} from './api.js';
import {bodySection} from './body.js';
import {element, byID, button, note, notify, warning} from './elements.js';
import {fieldsTable, startLine} from './fields.js';
import {messageList} from './messages.js';
import {moreMenu, copyCurl} from './actions.js';
import {coveredHead, covered, targetParts} from './secrets.js';
import {plainText} from './text.js';
import {timingView} from './timing.js';
import {age, size, span} from './units.js';

/** How long an exchange that goes on is left alone before it is asked for again. */
const REFRESH = 500;
/** Most libraries that check a signature with a time in it refuse one that is older. */
const SIGNATURE_AGE = 5 * 60_000;

export class DetailPane {
  #element = byID('detail');
  #panel = null;
  #buttons = [];
  #head = null;
  #parts = {};
  #detail = null;
  #summary = null;
  #abort = new AbortController();
  #timer = 0;
  #tab = 'Request';
  #showsSecrets = false;
  #isRaw = false;
  #owner;

  /** `owner` has `sendAgain(detail)`, `change(detail)`, `mark(id)`, `goTo(id)`, `tabChanged(tab)` and `isMarked(id)`. */
  constructor(owner) {
    this.#owner = owner;
  }

  get detail() { return this.#detail; }
  get shownID() { return this.#summary?.id ?? null; }

  focus() { (this.#element.querySelector('h2') ?? this.#element).focus(); }

  /** Leaves the pane to something else. */
  leave() {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#detail = this.#summary = null;
  }

  async show(summary, tab = this.#tab) {
    this.leave();
    this.#summary = summary;
    this.#tab = tab;
    this.#showsSecrets = false;
    this.#abort = new AbortController();
    const {signal} = this.#abort;
    try {
      const detail = await getDetail(summary.id, signal);
      if (signal.aborted) return;
      this.#detail = detail;
      this.#build();
    } catch (error) {
      if (error.name !== 'AbortError') this.#element.replaceChildren(warning(error.message));
    }
  }

  /** The chosen exchange has changed: while it goes on, it is asked for twice a second at most. */
  update(summary) {
    if (summary.id !== this.shownID || this.#timer || !this.#detail) return;
    const {signal} = this.#abort;
    this.#timer = setTimeout(async () => {
      this.#timer = 0;
      if (signal.aborted) return;
      try {
        const detail = await getDetail(summary.id, signal);
        if (!signal.aborted) this.#renew(detail);
      } catch (error) {
        if (error.name !== 'AbortError') notify(error.message);
      }
    }, REFRESH);
  }

  /** Presses a button of the pane by its name, if it is there. */
  press(name) {
    this.#element.querySelector(`[data-name="${name}"]`)?.click();
  }

  redraw() {
    if (this.#detail) this.#build();
  }

  #build() {
    this.#head = element('div', {class: 'summary'});
    this.#panel = element('div', {id: 'panel', role: 'tabpanel', tabIndex: 0});
    const tabs = ['Request', 'Response', ...(this.#detail.frames_uri ? ['Messages'] : []), 'Timing'];
    const tab = tabs.includes(this.#tab) ? this.#tab : 'Request';
    this.#buttons = tabs.map(name => element('button', {
      type: 'button', role: 'tab', id: `tab-${name}`, text: name, 'aria-controls': 'panel',
      on: {click: () => this.#pick(name), keydown: event => this.#step(event, tabs, name)},
    }));
    this.#fillHead();
    this.#element.replaceChildren(
      this.#head, element('div', {role: 'tablist', 'aria-label': 'Parts of the exchange'}, this.#buttons), this.#panel);
    this.#element.scrollTop = 0;
    this.#pick(tab);
  }

  #fillHead() {
    const detail = this.#detail;
    const {id, method, status, state, error} = detail;
    const focused = this.#head.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    const cannot = detail.is_replayable ? null : detail.not_replayable ?? 'This can’t be sent again.';
    const canChange = detail.is_replayable || detail.not_replayable_code === 'body_not_whole';
    this.#head.replaceChildren(
      element('h2', {tabIndex: -1, data: {name: 'title'}},
        `${method || 'Connection'} `, covered(targetParts(detail.request?.uri ?? ''))),
      element('p', {class: 'facts'},
        element('span', {class: statusClass(detail), text: status ?? (state === 'failed' ? 'failed' : 'no answer yet')}),
        ` · ${state === 'open' ? 'still open' : span(detail.duration_ms)} · ${size(detail.response_size)}`,
        detail.remote_addr && ` · from ${detail.remote_addr}`, ` · ${detail.tunnel_name}`),
      element('div', {class: 'bar'},
        button('Back', () => this.#owner.back(), {class: 'back'}),
        this.#action('Send again', 'again', 'r', cannot, () => this.#owner.sendAgain(detail), 'main'),
        this.#action('Change…', 'change', 'e', canChange ? null : cannot, () => this.#owner.change(detail)),
        button('Copy as curl', () => copyCurl(id), {data: {name: 'curl'}, 'aria-keyshortcuts': 'c'}),
        button(this.#owner.isMarked(id) ? 'Marked to compare' : 'Compare', () => {
          this.#owner.mark(id);
          this.#fillHead();
        }, {data: {name: 'mark'}, 'aria-pressed': String(this.#owner.isMarked(id)), 'aria-keyshortcuts': 'm'}),
        button(this.#showsSecrets ? 'Cover secrets' : 'Show secrets', () => {
          this.#showsSecrets = !this.#showsSecrets;
          this.#fillHead();
          this.#pick(this.#tab);
        }, {data: {name: 'secrets'}, 'aria-pressed': String(this.#showsSecrets)}),
        moreMenu(detail, () => remove(id).catch(failure => notify(failure.message)))),
      ...[
        error && warning(error),
        cannot && note(cannot),
        signatureNote(detail.signature),
        droppedNote(detail.request?.dropped_fields, detail.response?.dropped_fields),
        detail.replay_of && this.#links('Sent again from ', [detail.replay_of]),
        detail.replays?.length && this.#links('Sent again: ', detail.replays.slice(0, 20)),
      ].filter(Boolean));
    if (focused) this.#head.querySelector(`[data-name="${focused}"]`)?.focus();
  }

  /** A button with a key; one that can do nothing says why instead. */
  #action(text, name, key, cannot, action, style) {
    return button(text, () => cannot ? notify(cannot) : action(), {
      class: style, data: {name}, 'aria-keyshortcuts': key, 'aria-disabled': cannot ? 'true' : null, title: cannot ?? `Key: ${key}`,
    });
  }

  #links(text, ids) {
    return element('p', {class: 'note'}, text, ids.map((id, index) => [
      index ? ', ' : null, button(id, () => this.#owner.goTo(id), {class: 'link'})]));
  }

  /** Takes a newer state of the same exchange, and leaves what hasn't changed as it is. */
  #renew(detail) {
    const before = this.#detail;
    this.#detail = detail;
    if (Boolean(before.frames_uri) !== Boolean(detail.frames_uri)) {
      this.#build();
      return;
    }
    this.#fillHead();
    const side = {Request: 'request', Response: 'response'}[this.#tab];
    const shape = message => JSON.stringify([message?.line, message?.fields, message?.trailers]);
    if (this.#tab === 'Messages') {
      this.#parts.messages?.load();
    } else if (side && !this.#isRaw && shape(before[side]) === shape(detail[side])) {
      if (detail[side]) this.#parts.body?.update(detail[side].body);
      else if (before.state !== detail.state) this.#pick(this.#tab);
    } else if (!this.#isRaw) {
      this.#pick(this.#tab);
    }
  }

  #step(event, tabs, name) {
    const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    const to = by !== undefined
      ? (tabs.indexOf(name) + by + tabs.length) % tabs.length
      : {Home: 0, End: tabs.length - 1}[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#buttons[to].focus();
    this.#pick(tabs[to]);
  }

  #pick(tab) {
    // The tabs of the exchange before are still there while the next one is fetched.
    if (!this.#detail) return;
    if (tab !== this.#tab) this.#isRaw = false;
    this.#tab = tab;
    this.#owner.tabChanged(tab);
    for (const one of this.#buttons) {
      const isPicked = one.textContent === tab;
      one.setAttribute('aria-selected', isPicked);
      one.tabIndex = isPicked ? 0 : -1;
    }
    this.#panel.setAttribute('aria-labelledby', `tab-${tab}`);
    this.#parts = {};
    const detail = this.#detail;
    if (tab === 'Request') this.#message('request', detail.request);
    else if (tab === 'Response') this.#message('response', detail.response);
    else if (tab === 'Timing') this.#panel.replaceChildren(timingView(detail));
    else {
      this.#parts.messages = messageList(detail);
      this.#panel.replaceChildren(this.#parts.messages.element);
      this.#parts.messages.load().catch(error => notify(error.message));
    }
  }

  #message(side, message) {
    const {id} = this.#detail;
    if (!message?.line) {
      this.#panel.replaceChildren(note(side === 'response'
        ? this.#detail.state === 'open' ? 'No answer yet.' : 'There was no answer.'
        : 'What passed is not HTTP/1.1, so only its amount is known.'));
      return;
    }
    const toggle = element('div', {class: 'switch', role: 'group', 'aria-label': `View of the ${side}`},
      [['Readable', false], ['Raw', true]].map(([name, isRaw]) => button(name, () => {
        this.#isRaw = isRaw;
        this.#pick(this.#tab);
      }, {'aria-pressed': String(isRaw === this.#isRaw), data: {name: `${side}-${name}`}})));
    if (this.#isRaw) {
      const place = element('div');
      this.#panel.replaceChildren(toggle, place);
      this.#showRaw(place, side, this.#abort.signal);
      return;
    }
    const body = bodySection({id, side, body: message.body, showsSecrets: this.#showsSecrets, signal: this.#abort.signal});
    this.#parts.body = body;
    this.#panel.replaceChildren(toggle,
      ...(side === 'response' ? (this.#detail.interim ?? []).map(interim => element('section', {},
        startLine(interim.line, true), fieldsTable(interim.fields, `Fields of ${interim.status}`, this.#showsSecrets))) : []),
      startLine(message.line, this.#showsSecrets),
      fieldsTable(message.fields, `Fields of the ${side}`, this.#showsSecrets),
      body.element,
      ...(message.trailers?.length ? [element('h3', {text: 'Trailers'}),
        fieldsTable(message.trailers, `Trailers of the ${side}`, this.#showsSecrets)] : []));
    body.load();
  }

  async #showRaw(place, side, signal) {
    try {
      const bytes = await getRaw(this.#detail.id, side, signal);
      const text = new TextDecoder('utf-8').decode(bytes);
      const end = text.indexOf('\r\n\r\n');
      const head = end < 0 ? text : text.slice(0, end);
      place.replaceChildren(
        note('The head as it passed, then the content without its transfer coding.'),
        plainText((this.#showsSecrets ? head : coveredHead(head)) + (end < 0 ? '' : text.slice(end)), 'Raw message'));
    } catch (error) {
      if (error.name !== 'AbortError') place.replaceChildren(warning(error.message));
    }
  }
}

export function statusClass({status, state}) {
  if (status) return `status-${String(status)[0]}`;
  return state === 'failed' ? 'status-failed' : 'status-open';
}

function droppedNote(asked = [], answered = []) {
  if (!asked.length && !answered.length) return null;
  const without = asked.length ? ` What is sent again is without ${asked.join(', ')}.` : '';
  return note(`Not kept, as the settings say: ${[...new Set([...asked, ...answered])].join(', ')}.${without}`);
}

export function signatureNote(signature) {
  if (!signature) return null;
  const since = Date.now() - signature.at_ms;
  const text = `Signed ${age(since)} ago (${signature.field}); most libraries refuse a signature after 5 minutes.`;
  if (signature.is_renewed) return note(`Signed ${age(since)} ago (${signature.field}); what is sent again is signed anew.`);
  return since > SIGNATURE_AGE ? warning(text) : note(text);
}
