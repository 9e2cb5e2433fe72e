// SPDX-License-Identifier: Apache-2.0
// The dialog that changes a request and sends it, once or many times.

import {getBody, getDetail, replay} from './api.js';
import {base64, decodedText, looksLikeText} from './content.js';
import {draftOf, replayOf} from './edit.js';
import {announce, button, byID, element, note, warning} from './elements.js';
import {statusClass} from './detail.js';
import {count, size, span} from './units.js';

/** A file is sent inside JSON, so it is read whole. */
const LARGEST_FILE = 8 * 1024 * 1024;

/**
 * Opens the editor. `sent(ids)` is told of what was sent; `exchanges` is where its answers will appear. `bodies` and `send`
 * are the calls for what is no exchange but a message of the inbox.
 */
export async function openEditor(detail, {sent, exchanges, goTo, bodies = {getBody}, send = replay}) {
  const {body} = detail.request;
  let text = null;
  let about = null;
  if (body.size > 0 && !body.is_whole) {
    about = warning(`Only the first ${size(body.kept)} of ${size(body.size)} was kept.`
      + ' Give a body of your own, as text or as a file.');
  } else if (body.size > 0) {
    try {
      const {bytes, isDecoded} = await bodies.getBody(detail.id, 'request', body);
      if (isDecoded && looksLikeText(bytes, body.type) && isFaithful(bytes)) text = decodedText(bytes, body.content_type);
      else about = note(`The body (${size(body.size)}) is not text. It is sent as it is, unless you write or choose another.`);
    } catch (error) {
      about = warning(error.message);
    }
  }
  new Editor(detail, text, about, {sent, exchanges, goTo, send}).open();
}

/** Whether these bytes come out of a text again as they are. */
function isFaithful(bytes) {
  try {
    new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
    return !(bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf);
  } catch {
    return false;
  }
}

class Editor {
  #detail;
  #text;
  #original;
  #file = null;
  #controls;
  #changes = element('ul', {class: 'changes', 'aria-label': 'What is different from the original'});
  #problem = element('p', {class: 'warning', role: 'alert', hidden: true});
  #send = button('Send', () => this.#sendIt(), {class: 'main'});
  #dialog;
  #owner;

  constructor(detail, text, about, owner) {
    this.#detail = detail;
    this.#text = text;
    this.#owner = owner;
    this.#original = draftOf(detail, text);
    const changed = {input: () => this.#showChanges()};
    const plain = {autocomplete: 'off', spellcheck: false, on: changed};
    const {method, target, fields, body} = this.#original;
    this.#controls = {
      method: element('input', {...plain, value: method, size: 8, 'aria-label': 'Method'}),
      target: element('input', {...plain, value: target, 'aria-label': 'Path and query'}),
      fields: element('textarea', {...plain, value: fields, rows: Math.min(14, fields.split('\n').length + 1), wrap: 'off'}),
      body: element('textarea', {...plain, value: body, rows: 10}),
      file: element('input', {type: 'file', on: {change: () => this.#readFile()}}),
      times: element('input', {type: 'number', min: 1, max: 100, value: 1, on: changed}),
      concurrency: element('input', {type: 'number', min: 1, max: 10, value: 1, on: changed}),
    };
    const title = detail.isMessage ? 'Change and deliver' : 'Change and send again';
    const labelled = (name, control) => element('label', {}, name, control);
    const controls = this.#controls;
    this.#dialog = element('dialog', {
      class: 'editor', 'aria-label': title,
      on: {
        close: () => this.#dialog.remove(),
        keydown: event => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#sendIt(); },
      },
    },
    element('h2', {text: title}),
    element('div', {class: 'line'}, controls.method, controls.target),
    labelled('Fields, one a line', controls.fields),
    about,
    labelled('Body', controls.body),
    labelled('or a file', controls.file),
    !detail.isMessage && element('div', {class: 'bar'}, labelled('Times', controls.times), labelled('At once', controls.concurrency)),
    element('h3', {text: 'Different from the original'}), this.#changes, this.#problem,
    element('div', {class: 'bar end'}, button('Cancel', () => this.#dialog.close()), this.#send));
  }

  open() {
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#controls.target.focus();
    this.#showChanges();
  }

  #call() {
    const {method, target, fields, body, times, concurrency} = this.#controls;
    return replayOf(this.#detail, {
      method: method.value.trim(), target: target.value.trim(), fields: fields.value, body: body.value, file: this.#file,
      times: Number(times.value), concurrency: Number(concurrency.value),
    }, this.#original, this.#text);
  }

  #showChanges() {
    const {changes, error} = this.#call();
    this.#changes.replaceChildren(...[...changes, markOf(this.#detail)]
      .map(change => element('li', {text: change})));
    this.#problem.hidden = error === null;
    this.#problem.textContent = error ?? '';
  }

  async #readFile() {
    const [file] = this.#controls.file.files;
    this.#file = null;
    if (file && file.size > LARGEST_FILE) {
      this.#problem.hidden = false;
      this.#problem.textContent = `The file has ${size(file.size)}; at most ${size(LARGEST_FILE)} can be sent from here.`;
      this.#controls.file.value = '';
      return;
    }
    if (file) this.#file = {name: file.name, size: file.size, base64: base64(new Uint8Array(await file.arrayBuffer()))};
    this.#controls.body.disabled = Boolean(file);
    this.#showChanges();
  }

  async #sendIt() {
    const {request, error} = this.#call();
    if (error || this.#send.disabled) return;
    this.#send.disabled = true;
    try {
      const ids = await this.#owner.send(request);
      this.#dialog.close();
      if (ids.length > 1) showAnswers(ids, this.#owner);
      else this.#owner.sent(ids);
    } catch (failure) {
      this.#problem.hidden = false;
      this.#problem.textContent = failure.message;
    } finally {
      this.#send.disabled = false;
    }
  }
}

/** By what an app can tell what is sent from what came. */
const markOf = ({isMessage}) => isMessage
  ? 'straight to the local server: at the edge the message stays as it is'
  : 'with Culvert-Replay, unless you take its line out';

/** The answers of many replays: status and time of each, and which differ from the first in status or in bytes. */
function showAnswers(ids, {exchanges, goTo}) {
  const summary = element('p', {role: 'status'});
  const rows = element('tbody');
  const close = () => {
    clearInterval(timer);
    dialog.remove();
  };
  const dialog = element('dialog', {class: 'answers', 'aria-label': 'Answers', on: {close}},
    element('h2', {text: `Sent ${count(ids.length, 'time')}`}), summary,
    element('table', {class: 'names'}, element('thead', {}, element('tr', {},
      ['Request', 'Status', 'Duration', 'Size', ''].map(text => element('th', {scope: 'col', text})))), rows),
    element('div', {class: 'bar end'}, button('Close', () => dialog.close())));
  const bodies = new Map();
  let isDone = false;

  async function draw() {
    const items = ids.map(id => exchanges.get(id));
    const ended = items.filter(isOver);
    const first = items[0];
    rows.replaceChildren(...items.map((item, index) => element('tr', {},
      element('th', {scope: 'row'}, button(ids[index], () => { dialog.close(); goTo(ids[index]); }, {class: 'link'})),
      element('td', {class: item ? statusClass(item) : '', text: item?.status ?? (item?.state === 'failed' ? 'failed' : '…')}),
      element('td', {text: span(item?.duration_ms)}),
      element('td', {text: size(item?.response_size)}),
      element('td', {text: index && isOver(first) && isOver(item) ? difference(first, item, bodies) : ''}))));
    summary.textContent = ended.length < ids.length ? `${ended.length} of ${ids.length} answered` : verdict(items, bodies);
    if (ended.length < ids.length || isDone) return;
    isDone = true;
    clearInterval(timer);
    for (const id of ids) bodies.set(id, await fingerprint(id));
    await draw();
    announce(summary.textContent);
  }

  const timer = setInterval(draw, 500);
  byID('announcements').textContent = '';
  document.body.append(dialog);
  dialog.showModal();
  draw();
}

const isOver = item => Boolean(item) && item.state !== 'open';

async function fingerprint(id) {
  try {
    const {response} = await getDetail(id);
    if (!response || response.body.kept === 0) return '';
    const {bytes} = await getBody(id, 'response', response.body);
    // Bodies are compared, not guarded: a text of their bytes does, also where a page has no `crypto.subtle`.
    return `${bytes.length} ${base64(bytes)}`;
  } catch {
    return null;
  }
}

function difference(first, item, bodies) {
  if (first.status !== item.status) return 'other status';
  const [one, other] = [bodies.get(first.id), bodies.get(item.id)];
  return one !== undefined && other !== undefined && one !== other ? 'other body' : '';
}

function verdict(items, bodies) {
  const others = items.slice(1).filter(item => item && difference(items[0], item, bodies)).length;
  if (bodies.size < items.length) return `All ${items.length} answered`;
  return others ? `${others} of ${items.length} differ from the first` : `All ${items.length} answers are equal`;
}
