// SPDX-License-Identifier: Apache-2.0
// One message of the inbox, in the place and by the pieces of an exchange.

import {ask} from './actions.js';
import {bodySection} from './body.js';
import {signatureNote} from './detail.js';
import {openEditor} from './editor.js';
import {button, byID, element, note, notify, warning} from './elements.js';
import {fieldsTable, partNodes, startLine} from './fields.js';
import {bodiesOf, deliver, getMessage, getRaw, removeMessage, send, skip} from './inboxcalls.js';
import {covered, coveredHead, targetParts} from './secrets.js';
import {plainText} from './text.js';
import {age, count, dateAndTime, size, span} from './units.js';

/** What the edge writes where no answer came. */
const REASONS = {
  unreadable: 'The edge can’t open it: the key that it was sealed with is gone.',
  expired: 'Nobody took it within the time that its inbox waits.',
  skipped: 'Somebody gave it up.',
};

export class MessagePane {
  #element = byID('detail');
  #detail = null;
  #tunnel = null;
  #abort = new AbortController();
  #showsSecrets = false;
  #isRaw = false;
  #owner;

  /** `owner` has `back()`, `changed()`, `removed(id)`, `sent(ids)`, `related(id)` and `exchanges`. */
  constructor(owner) {
    this.#owner = owner;
  }

  get shownID() { return this.#detail?.id ?? null; }

  focus() { (this.#element.querySelector('h2') ?? this.#element).focus(); }

  leave() {
    this.#abort.abort();
    this.#detail = null;
  }

  async show(tunnel, id) {
    this.leave();
    [this.#tunnel, this.#isRaw, this.#showsSecrets] = [tunnel, false, false];
    const abort = this.#abort = new AbortController();
    try {
      const detail = await getMessage(tunnel, id, abort.signal);
      if (abort.signal.aborted) return;
      this.#detail = detail;
      this.#build();
    } catch (error) {
      if (error.name !== 'AbortError') this.#element.replaceChildren(warning(error.message));
    }
  }

  /** Takes what the list says now of the message that is shown. */
  update(message) {
    if (message.id !== this.shownID || message.state === this.#detail.message.state && message.attempts === this.#detail.message.attempts) return;
    this.#detail.message = message;
    this.#fillHead();
  }

  /** Presses a button of the pane by its name, if it is there. */
  press(name) {
    this.#element.querySelector(`[data-name="${name}"]`)?.click();
  }

  #build() {
    this.head = element('div', {class: 'summary'});
    this.panel = element('div', {id: 'panel', tabIndex: 0, role: 'region', 'aria-label': 'Message'});
    this.#fillHead();
    this.#element.replaceChildren(this.head, this.panel);
    this.#element.scrollTop = 0;
    this.#fillPanel();
  }

  #fillHead() {
    const {id, message, request, signature} = this.#detail;
    const tunnel = this.#tunnel;
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    const act = (text, name, action, settings = {}) => button(text, action, {data: {name}, ...settings});
    this.head.replaceChildren(
      element('h2', {tabIndex: -1, data: {name: 'title'}},
        `${request.method} `, partNodes(targetParts(request.uri), this.#showsSecrets)),
      element('p', {class: 'facts'}, element('span', {class: `message-${message.state}`, text: message.state}),
        ` · came ${dateAndTime(Date.parse(message.received_at))} · ${size(message.size) || '0 B'} · ${id}`),
      element('div', {class: 'bar'},
        button('Back', () => this.#owner.back(), {class: 'back'}),
        act(message.state === 'waiting' ? 'Deliver now' : 'Deliver again', 'again',
          () => this.#do(() => deliver(tunnel, id), 'It is to be delivered'), {class: 'main', 'aria-keyshortcuts': 'r'}),
        act('Change and deliver…', 'change', () => this.#change(), {'aria-keyshortcuts': 'e'}),
        message.state === 'waiting' && act('Skip', 'skip', () => this.#do(() => skip(tunnel, id), 'Given up')),
        act('Delete', 'delete', () => this.#remove()),
        act('Its requests', 'related', () => this.#owner.related(id), {title: 'The requests by which it was delivered'}),
        act(this.#showsSecrets ? 'Cover secrets' : 'Show secrets', 'secrets', () => {
          this.#showsSecrets = !this.#showsSecrets;
          this.#fillHead();
          this.#fillPanel();
        }, {'aria-pressed': String(this.#showsSecrets)})),
      ...[
        progress(message),
        message.verified === true && note('Its signature was right when it came.'),
        message.verified === false && warning('Its signature was wrong when it came.'),
        signatureNote(signature),
      ].filter(Boolean));
    if (focused) this.head.querySelector(`[data-name="${focused}"]`)?.focus();
  }

  #fillPanel() {
    const {id, request} = this.#detail;
    const toggle = element('div', {class: 'switch', role: 'group', 'aria-label': 'View of the message'},
      [['Readable', false], ['Raw', true]].map(([name, isRaw]) => button(name, () => {
        this.#isRaw = isRaw;
        this.#fillPanel();
      }, {'aria-pressed': String(isRaw === this.#isRaw), data: {name: `message-${name}`}})));
    if (this.#isRaw) {
      const place = element('div');
      this.panel.replaceChildren(toggle, place);
      this.#showRaw(place);
      return;
    }
    const body = bodySection({
      id, side: 'request', body: request.body, showsSecrets: this.#showsSecrets, signal: this.#abort.signal,
      bodies: bodiesOf(this.#tunnel),
    });
    this.panel.replaceChildren(toggle,
      startLine(request.line, this.#showsSecrets),
      fieldsTable(request.fields, 'Fields of the request', this.#showsSecrets),
      body.element);
    body.load();
  }

  async #showRaw(place) {
    const {signal} = this.#abort;
    try {
      const text = new TextDecoder().decode(await getRaw(this.#tunnel, this.#detail.id, signal));
      const end = text.indexOf('\r\n\r\n');
      const head = end < 0 ? text : text.slice(0, end);
      place.replaceChildren(
        note('The head as the sender wrote it, then the content without its transfer coding.'),
        plainText((this.#showsSecrets ? head : coveredHead(head)) + (end < 0 ? '' : text.slice(end)), 'Raw message'));
    } catch (error) {
      if (error.name !== 'AbortError') place.replaceChildren(warning(error.message));
    }
  }

  #change() {
    const tunnel = this.#tunnel;
    openEditor(this.#detail, {
      exchanges: this.#owner.exchanges,
      goTo: () => {},
      sent: ids => this.#owner.sent(ids),
      bodies: bodiesOf(tunnel),
      send: change => send(tunnel, change),
    });
  }

  async #remove() {
    const {id, request} = this.#detail;
    if (!await ask(`Delete ${request.method} ${covered(targetParts(request.uri))} from the inbox? Nobody can deliver it any more.`, 'Delete')) return;
    try {
      await removeMessage(this.#tunnel, id);
      this.#owner.removed(id);
    } catch (error) {
      notify(error.message);
    }
  }

  async #do(work, sentence) {
    try {
      await work();
      notify(sentence);
    } catch (error) {
      notify(error.message);
    }
    await this.#owner.changed();
  }
}

/** How far its delivery has come, in a sentence. */
function progress({state, attempts, due_at: due, last_status: status, last_error: reason}) {
  const last = status ? `the last answer was ${status}` : REASONS[reason] ? null : reason && `the last attempt failed: ${reason}`;
  const tried = attempts > 0 && `tried ${count(attempts, 'time')}`;
  const wait = Date.parse(due) - Date.now();
  const next = state === 'waiting' && (attempts > 0 && wait > 0 ? `again in ${span(wait)}` : 'handed over when its turn comes');
  const text = [tried, last, next].filter(Boolean).join(', ');
  const sentence = [text && `${text[0].toUpperCase()}${text.slice(1)}.`, REASONS[reason]].filter(Boolean).join(' ');
  if (!sentence) return null;
  return state === 'dead' ? warning(sentence) : note(sentence);
}

/** What a line of the list says of the last attempt. */
export function lastOf({state, attempts, last_status: status, last_error: reason}) {
  if (status) return String(status);
  return reason ?? (state === 'waiting' && attempts === 0 ? 'waits' : '');
}

export const ageOf = message => age(Date.now() - Date.parse(message.received_at));
