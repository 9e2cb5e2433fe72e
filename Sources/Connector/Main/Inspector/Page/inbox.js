// SPDX-License-Identifier: Apache-2.0
// The webhooks that the edge keeps for a tunnel, beside its requests: a list in the place of theirs, one in the place of
// the details. What is so is asked for again while it is looked at, since only the edge knows.

import {ask} from './actions.js';
import {announce, button, byID, element, note, notify} from './elements.js';
import {deliverDead, getInbox, listMessages} from './inboxcalls.js';
import {MessagePane, ageOf, lastOf} from './inboxmessage.js';
import {VirtualList} from './list.js';
import {covered, targetParts} from './secrets.js';
import {age, count, size} from './units.js';

const ROW_HEIGHT = 28;
const PAGE = 100;
/** How often the edge is asked while the inbox is looked at, and while only its number is shown. */
const PAUSE = 3_000;
const LONG_PAUSE = 30_000;
/** The most messages that are asked for again at once; those before them come as somebody scrolls there. */
const MOST = 1_000;
const STATES = ['', 'waiting', 'delivered', 'dead'];
const CELLS = ['age', 'state', 'method', 'path', 'size', 'last'];

export class Inbox {
  #owner;
  #tunnel = null;
  #isOpen = false;
  #status = null;
  #messages = [];
  #rows = new Map();
  #cursor = null;
  #seen = '';
  #timer = 0;
  #abort = new AbortController();
  #isLoading = false;
  /** A message to be shown once it is known whose it is. */
  #pending = null;
  #pane;
  #list;
  #element = byID('inbox');

  /** `owner` has `exchanges`, `leave()`, `opened(isOpen)`, `chosen(id)`, `sent(ids)` and `related(id)`. */
  constructor(owner) {
    this.#owner = owner;
    this.#pane = new MessagePane({
      exchanges: owner.exchanges,
      back: () => this.back(),
      changed: () => this.#ask(),
      removed: id => {
        this.#showNothing();
        this.#forget(id);
        this.#ask();
      },
      sent: ids => {
        this.open(false);
        owner.sent(ids);
      },
      related: id => {
        this.open(false);
        owner.related(id);
      },
    });
    this.#build();
    document.addEventListener('visibilitychange', () => this.#wait(0));
  }

  get isOpen() { return this.#isOpen; }

  /** Presses a button of the message that is shown. */
  press(name) { this.#pane.press(name); }

  #build() {
    this.views = [['Requests', false], ['Inbox', true]].map(([text, isInbox]) =>
      button(text, () => this.open(isInbox), {'aria-pressed': String(!isInbox), data: {name: text}}));
    byID('views').replaceChildren(...this.views);
    this.summary = element('p', {class: 'note'});
    this.trouble = element('p', {class: 'warning', role: 'alert', hidden: true});
    this.state = element('select', {'aria-label': 'State', on: {change: () => this.#load()}},
      STATES.map(value => element('option', {value, text: value || 'all'})));
    this.dead = button('Deliver the dead', () => this.#deliverDead());
    const space = element('div', {class: 'space', role: 'rowgroup'});
    this.grid = element('section', {id: 'messages', tabIndex: 0, role: 'grid', 'aria-label': 'Messages', 'aria-colcount': CELLS.length},
      element('div', {class: 'row head', role: 'row', 'aria-rowindex': 1},
        ['Age', 'State', 'Method', 'Path', 'Size', 'Last'].map(text => element('span', {role: 'columnheader', text}))), space);
    this.#element.replaceChildren(
      element('div', {class: 'bar'}, this.state, this.dead), this.summary, this.trouble, element('div', {class: 'frame'}, this.grid));
    const inbox = this;
    this.#list = new VirtualList({
      element: this.grid,
      space,
      rowHeight: ROW_HEIGHT,
      headHeight: ROW_HEIGHT,
      idPrefix: 'message-',
      source: {
        get count() { return inbox.#messages.length; },
        item: row => this.#messages[row],
        rowOf: id => this.#rows.get(id) ?? -1,
        key: item => item.id,
      },
      make: () => element('div', {class: 'row', role: 'row'}, CELLS.map(name => element('span', {role: 'gridcell', class: name}))),
      fill: fillRow,
      choose: item => this.#choose(item.id),
      open: item => {
        this.#choose(item.id);
        document.body.classList.add('reading');
        this.#pane.focus();
      },
    });
    this.grid.addEventListener('scroll', () => {
      if (this.grid.scrollTop + this.grid.clientHeight > this.grid.scrollHeight - 10 * ROW_HEIGHT) this.#loadMore();
    }, {passive: true});
    this.grid.addEventListener('click', event => {
      if (event.target.closest('[role=row]')?.item) document.body.classList.add('reading');
    });
  }

  // What is shown

  /** The tunnel whose inbox it is; null if none is chosen among several. */
  setTunnel(name) {
    if (name === this.#tunnel) return;
    const isFirst = this.#tunnel === null;
    this.#tunnel = name;
    this.#status = null;
    this.#seen = '';
    this.#fill([], null);
    if (!isFirst && this.#isOpen) this.#showNothing();
    if (this.#isOpen && this.#pending) this.#choose(this.#pending);
    this.#pending = null;
    this.#say();
    this.#wait(0);
  }

  /** Shows the inbox in the place of the requests, or these again. */
  open(isOpen = true, message = null) {
    if (this.#isOpen !== isOpen) {
      this.#isOpen = isOpen;
      document.body.classList.toggle('in-inbox', isOpen);
      document.body.classList.remove('reading');
      this.#element.hidden = !isOpen;
      for (const [index, view] of this.views.entries()) view.setAttribute('aria-pressed', String(Boolean(index) === isOpen));
      if (isOpen) this.#owner.leave();
      else this.#pane.leave();
      this.#owner.opened(isOpen);
      if (isOpen) this.#showNothing();
      this.#seen = '';
      this.#say();
      this.#wait(0);
    }
    if (!isOpen || !message) return;
    if (this.#tunnel === null) this.#pending = message;
    else this.#choose(message);
  }

  back() {
    document.body.classList.remove('reading');
    this.grid.focus();
  }

  #choose(id) {
    this.#owner.chosen(id);
    if (this.#pane.shownID !== id) this.#pane.show(this.#tunnel, id);
  }

  #showNothing() {
    this.#pane.leave();
    document.body.classList.remove('reading');
    this.#owner.chosen(null);
    byID('detail').replaceChildren(note(
      'Choose a message. What the edge has kept while nobody took it waits here; what was delivered stays for a while.'));
  }

  #say(problem = null) {
    const {waiting = 0, delivered = 0, dead = 0, bytes = 0, oldest_waiting_at: oldest} = this.#status ?? {};
    this.views[1].textContent = waiting ? `Inbox ${waiting.toLocaleString('en')}` : 'Inbox';
    this.dead.disabled = dead === 0;
    this.summary.textContent = this.#status
      ? `${waiting} wait, ${delivered} were delivered, ${dead} are dead; ${size(bytes) || '0 B'}`
        + (oldest ? `; the oldest has waited for ${age(Date.now() - Date.parse(oldest))}` : '')
      : this.#tunnel === null ? 'Choose one of the tunnels above to see its inbox.' : '';
    const sentence = problem && explained(problem, this.#tunnel);
    if (this.trouble.textContent !== (sentence ?? '')) this.trouble.textContent = sentence ?? '';
    this.trouble.hidden = !sentence;
  }

  // What the edge says

  #wait(pause) {
    clearTimeout(this.#timer);
    if (document.hidden || pause === null) return;
    this.#timer = setTimeout(() => this.#ask(), pause);
  }

  async #ask() {
    clearTimeout(this.#timer);
    const tunnel = this.#tunnel;
    if (tunnel === null) return;
    try {
      const {inbox: status, missing} = await getInbox(tunnel);
      if (tunnel !== this.#tunnel) return;
      this.#status = status ?? null;
      this.#say(missing && {code: missing.code, message: missing.detail});
      if (!status) {
        this.#fill([], null);
        this.#seen = '';
        // Nothing but the reader changes what is missing: who does not look is not asked for it again and again.
        this.#wait(this.#isOpen ? PAUSE : null);
        return;
      }
      const now = JSON.stringify([status.waiting, status.delivered, status.dead, status.bytes]);
      // An attempt that was refused changes a message and no number.
      if (this.#isOpen && (now !== this.#seen || status.waiting > 0)) {
        this.#seen = now;
        await this.#load();
      }
      this.#wait(this.#isOpen ? PAUSE : LONG_PAUSE);
    } catch (error) {
      if (tunnel !== this.#tunnel) return;
      this.#status = null;
      this.#seen = '';
      this.#say(error);
      this.#wait(this.#isOpen ? PAUSE : LONG_PAUSE);
    }
  }

  /** Loads as many messages anew as are there. */
  async #load() {
    const tunnel = this.#tunnel;
    this.#abort.abort();
    const {signal} = this.#abort = new AbortController();
    const wanted = Math.min(MOST, Math.max(PAGE, this.#messages.length));
    const settings = {state: this.state.value, limit: Math.min(200, wanted)};
    try {
      let page = await listMessages(tunnel, settings, signal);
      const messages = [...page.messages];
      while (page.next_cursor && messages.length < wanted) {
        page = await listMessages(tunnel, {...settings, cursor: page.next_cursor}, signal);
        messages.push(...page.messages);
      }
      this.#fill(messages, page.next_cursor ?? null);
    } catch (error) {
      if (error.name !== 'AbortError') this.#say(error);
    }
  }

  async #loadMore() {
    if (this.#cursor === null || this.#isLoading) return;
    this.#isLoading = true;
    const {signal} = this.#abort;
    try {
      const page = await listMessages(this.#tunnel, {state: this.state.value, cursor: this.#cursor, limit: PAGE}, signal);
      if (!signal.aborted) this.#fill([...this.#messages, ...page.messages], page.next_cursor ?? null);
    } catch (error) {
      if (error.name !== 'AbortError') notify(error.message);
    } finally {
      this.#isLoading = false;
    }
  }

  #fill(messages, cursor) {
    const old = new Map(this.#messages.map(message => [message.id, message]));
    this.#messages = messages.map(message => {
      const before = old.get(message.id);
      const isSame = before && JSON.stringify({...before, version: 0}) === JSON.stringify({...message, version: 0});
      return isSame ? before : {...message, version: (before?.version ?? 0) + 1};
    });
    this.#rows = new Map(this.#messages.map(({id}, row) => [id, row]));
    this.#cursor = cursor;
    this.#list.refresh();
    this.#list.refill(() => true);
    const shown = this.#messages[this.#rows.get(this.#pane.shownID)];
    if (shown) this.#pane.update(shown);
  }

  #forget(id) {
    this.#fill(this.#messages.filter(message => message.id !== id), this.#cursor);
  }

  async #deliverDead() {
    const {dead = 0} = this.#status ?? {};
    if (!await ask(`Deliver ${count(dead, 'message')} once more?`, 'Deliver')) return;
    try {
      const {changed} = await deliverDead(this.#tunnel);
      notify(`${count(changed, 'message')} to be delivered`);
      announce(`${count(changed, 'message')} to be delivered`);
    } catch (error) {
      notify(error.message);
    }
    await this.#ask();
  }
}

/** What is wrong, and what to do about it. */
function explained({code, message}, tunnel) {
  return code === 'inbox_not_found'
    ? `${tunnel} has no inbox. culvert inbox set ${tunnel} --path '/hooks/*' makes one: the edge keeps what comes there while nobody takes it.`
    : message;
}

function fillRow(row, message) {
  const [when, state, method, path, bytes, last] = row.children;
  const target = covered(targetParts(message.target));
  when.textContent = ageOf(message);
  state.textContent = message.state;
  state.className = `state message-${message.state}`;
  method.textContent = message.method;
  path.textContent = `${message.verified === false ? '⚠ ' : ''}${target}`;
  path.title = target;
  bytes.textContent = size(message.size);
  last.textContent = lastOf(message);
  last.title = last.textContent;
  if (message.verified === false) path.setAttribute('aria-label', `${target}, wrong signature`);
  else path.removeAttribute('aria-label');
}
