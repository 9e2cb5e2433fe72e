// SPDX-License-Identifier: Apache-2.0
// The page: what was captured as a list, one exchange beside it. Everything lives in the program; the address has the
// filter and what is chosen, so that a reload loses nothing.

import {archiveAddress, getStatus, getSummaries, getTunnels, importArchive, removeAll, replay} from './api.js';
import {ask, menu} from './actions.js';
import {compare} from './compare.js';
import {DetailPane} from './detail.js';
import {openEditor} from './editor.js';
import {announce, button, byID, element, note, notify, save} from './elements.js';
import {Exchanges} from './exchanges.js';
import {Feed} from './feed.js';
import {parseFilter} from './filter.js';
import {Inbox} from './inbox.js';
import {listenToKeys, showKeys} from './keys.js';
import {applyScheme, prepareDivider, schemeChoice} from './layout.js';
import {fillRow, makeRow} from './row.js';
import {VirtualList} from './list.js';
import {firstVisit, showTunnels} from './tunnels.js';
import {count} from './units.js';

const ROW_HEIGHT = 28;
/** How long a reader rests on a row before it is fetched: who holds an arrow key down passes by. */
const REST = 70;
/** How often a filter that only the program can answer is asked again while requests come. */
const ASK_AGAIN = 1_000;
/** How many a page that has none fetches first: a reader sees the latest while the others come. */
const FIRST = 500;

const exchanges = new Exchanges();
const state = {
  filter: parseFilter(''), tunnel: null, isPaused: false, tunnels: [], status: null,
  /** The id that is marked to be compared, one that was sent and has not come yet, and how many are new above the view. */
  marked: null, waiting: null, newer: 0,
};
/** The ids that the program gave for a filter, null while the page can answer it alone. */
let answered = null;
let asking = 0;
let resting = 0;
let comparing = new AbortController();
/** Counts what makes the list anew: what was asked for before is no longer wanted. */
let loads = 0;

const list = new VirtualList({
  element: byID('list'),
  space: byID('list').querySelector('.space'),
  rowHeight: ROW_HEIGHT,
  headHeight: ROW_HEIGHT,
  idPrefix: 'exchange-',
  source: {
    get count() { return exchanges.shownCount; },
    item: row => exchanges.inRow(row),
    rowOf: id => exchanges.rowOf(id),
    key: item => item.id,
  },
  make: makeRow,
  fill: fillRow,
  choose: item => choose(item),
  open: item => {
    choose(item, {atOnce: true});
    enter();
  },
});

const pane = new DetailPane({
  sendAgain: detail => sendAgain(detail),
  change: detail => openEditor(detail, {exchanges, goTo, sent}),
  isMarked: id => state.marked === id,
  mark: id => mark(id),
  goTo: id => goTo(id),
  back: () => leave(),
  tabChanged: tab => remember({tab}),
});

const inbox = new Inbox({
  exchanges,
  leave: () => {
    comparing.abort();
    leavePane();
  },
  opened: isOpen => {
    remember({view: isOpen ? 'inbox' : '', message: ''});
    if (!isOpen) showRemembered();
  },
  chosen: id => remember({message: id ?? ''}),
  sent: ids => sent(ids),
  related: id => setFilter(`header:culvert-inbox=${id}`),
});

// What is shown

function matches(item) {
  return (state.tunnel === null || item.tunnel_name === state.tunnel)
    && (answered === null || answered.has(item.id)) && state.filter.matches(item);
}

function refresh(settings) {
  list.refresh(settings);
  const shown = exchanges.shownCount;
  byID('count').textContent = shown === exchanges.count
    ? count(shown, 'request')
    : `${shown.toLocaleString('en')} of ${exchanges.count.toLocaleString('en')}`;
  const isEmpty = shown === 0;
  byID('empty').hidden = !isEmpty;
  if (isEmpty) {
    byID('empty').replaceChildren(exchanges.count
      ? note(`None of ${count(exchanges.count, 'request')} matches. `, button('Show all', () => setFilter('')))
      : firstVisit(state.tunnels, state.status));
  }
  if (list.isAtTop) state.newer = 0;
  byID('newer').hidden = state.newer === 0;
  byID('newer').textContent = `↑ ${state.newer} new`;
}

async function setFilter(text, {says = true} = {}) {
  if (byID('filter').value !== text) byID('filter').value = text;
  state.filter = parseFilter(text);
  remember({q: text});
  clearTimeout(asking);
  asking = 0;
  if (state.filter.needsProgram) await askProgram(text);
  else answered = null;
  if (byID('filter').value !== text) return;
  exchanges.show(matches);
  refresh();
  if (says) announce(byID('count').textContent);
}

async function askProgram(text) {
  try {
    const found = await getSummaries({filter: text});
    if (byID('filter').value === text) answered = new Set(found.map(({id}) => id));
  } catch (error) {
    notify(error.message);
  }
}

function askAgain() {
  asking ||= setTimeout(async () => {
    asking = 0;
    await askProgram(byID('filter').value);
    exchanges.show(matches);
    refresh();
  }, ASK_AGAIN);
}

function setTunnel(name) {
  state.tunnel = name;
  remember({tunnel: name ?? ''});
  takeTunnels(state.tunnels);
  exchanges.show(matches);
  refresh();
}

// What is chosen

function choose(item, {atOnce = false, tab} = {}) {
  // Whoever goes on to something else is not taken away from it by what was sent before.
  state.waiting = null;
  if (pane.shownID === item.id && !tab) return;
  comparing.abort();
  remember({id: item.id});
  clearTimeout(resting);
  if (atOnce) pane.show(item, tab);
  else resting = setTimeout(() => pane.show(item, tab), REST);
}

function enter() {
  document.body.classList.add('reading');
  pane.focus();
}

/** Back to the list. */
function leave() {
  if (!comparing.signal.aborted) {
    comparing.abort();
    const item = exchanges.get(list.chosen);
    if (item) pane.show(item);
  }
  document.body.classList.remove('reading');
  byID('list').focus();
}

function goTo(id) {
  const item = exchanges.get(id);
  if (!item) {
    notify('It is not kept any more.');
    return;
  }
  if (exchanges.rowOf(id) < 0) setFilter('');
  if (exchanges.rowOf(id) < 0) setTunnel(null);
  list.chooseItem(item, {tells: false});
  choose(item, {atOnce: true});
}

/** Something else takes the place of the details: those that are about to be shown don't come any more. */
function leavePane() {
  clearTimeout(resting);
  pane.leave();
}

function showNothing() {
  leavePane();
  document.body.classList.remove('reading');
  remember({id: ''});
  byID('detail').replaceChildren(note(
    'Choose a request. The keys ↑ and ↓ move, Enter opens, / filters, r sends again, ? shows all keys.'));
}

// What is done

/** Presses a button of the chosen exchange, which may not be shown yet. */
async function act(name) {
  const item = exchanges.get(list.chosen);
  if (item && pane.detail?.id !== item.id) {
    clearTimeout(resting);
    comparing.abort();
    await pane.show(item);
  }
  pane.press(name);
}

async function sendAgain(detail) {
  try {
    sent(await replay({id: detail.id}));
  } catch (error) {
    notify(error.message);
  }
}

/** Shows what was sent as soon as it is in the list. */
function sent(ids) {
  notify('Sent again');
  announce('Sent again');
  [state.waiting] = ids;
  if (exchanges.get(state.waiting)) arrive();
}

function arrive() {
  const id = state.waiting;
  state.waiting = null;
  goTo(id);
}

function mark(id) {
  state.marked = state.marked === id ? null : id;
  if (state.marked) notify('Marked. Choose another and press d to compare them.');
}

function compareWithMarked() {
  const id = list.chosen;
  if (!id) return;
  if (!state.marked || state.marked === id || !exchanges.get(state.marked)) {
    mark(id);
    pane.redraw();
    return;
  }
  leavePane();
  comparing = new AbortController();
  document.body.classList.add('reading');
  compare([state.marked, id], {back: leave, signal: comparing.signal});
}

function pause() {
  state.isPaused = !state.isPaused;
  const control = byID('pause');
  control.setAttribute('aria-pressed', state.isPaused);
  control.textContent = state.isPaused ? 'Go on' : 'Pause';
  if (!state.isPaused) load();
}

async function clear() {
  if (!await ask(`Remove ${count(exchanges.count, 'request')} from the program’s memory?`, 'Remove all')) return;
  try {
    await removeAll();
    loads += 1;
    exchanges.load([]);
    showNothing();
    refresh();
  } catch (error) {
    notify(error.message);
  }
}

// What comes from the program

async function load() {
  const turn = ++loads;
  const isFirst = exchanges.count === 0;
  try {
    const [summaries, tunnels, status] = await Promise.all([
      getSummaries(isFirst ? {limit: FIRST} : {}), getTunnels(), getStatus()]);
    if (turn !== loads) return;
    state.status = status;
    exchanges.load(summaries);
    takeTunnels(tunnels);
    if (state.filter.needsProgram) await askProgram(byID('filter').value);
    exchanges.show(matches);
    refresh();
    if (isFirst && summaries.length === FIRST) {
      const others = await getSummaries({before: summaries.at(-1).id});
      if (turn !== loads) return;
      exchanges.add(others);
      refresh();
    }
    showRemembered();
  } catch (error) {
    isThere(false, error);
  }
}

/** Shows the exchange that is shown, or that the address names, as it is now. */
function showRemembered() {
  if (inbox.isOpen) return;
  const item = exchanges.get(pane.shownID ?? remembered('id'));
  if (item && item.id !== pane.shownID) {
    list.chooseItem(item, {tells: false});
    pane.show(item, remembered('tab') ?? undefined);
  } else if (item) {
    pane.update(item);
  } else {
    showNothing();
  }
}

function takeTunnels(tunnels) {
  state.tunnels = tunnels;
  showTunnels(tunnels, state.tunnel, setTunnel);
  inbox.setTunnel(state.tunnel ?? (tunnels.length === 1 ? tunnels[0].name : null));
}

function take(summaries) {
  if (state.isPaused) return;
  const follows = list.isAtTop && list.chosen === null;
  const added = exchanges.take(summaries);
  if (!follows) state.newer += added;
  refresh({added, follows});
  if (state.filter.needsProgram) askAgain();
  for (const summary of summaries) {
    if (summary.id === pane.shownID) pane.update(exchanges.get(summary.id));
    if (summary.id === state.waiting) arrive();
  }
}

function removed(ids) {
  exchanges.remove(ids);
  if (ids.includes(pane.shownID)) showNothing();
  refresh();
}

function isThere(is, error) {
  const place = byID('offline');
  const sentence = error?.code === 'token_required'
    ? 'This page needs the link that culvert printed: it holds the token.'
    : 'The program does not answer. What you see is what was captured until then.';
  if (place.hidden === is && (is || place.textContent === sentence)) return;
  place.textContent = is ? '' : sentence;
  place.hidden = is;
}

const feed = new Feed({
  requests: take,
  removed: ({ids}) => removed(ids),
  status: status => {
    state.status = status;
    if (status.oldest) exchanges.removeOlder(status.oldest);
    refresh();
  },
  tunnels: ({tunnels}) => takeTunnels(tunnels),
  reload: load,
  isThere,
});

// What the address says

function remembered(name) {
  return new URLSearchParams(location.hash.slice(1)).get(name);
}

function remember(values) {
  const all = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(values)) {
    if (value) all.set(name, value);
    else all.delete(name);
  }
  history.replaceState(null, '', `#${all}`);
}

// The page's own controls

function prepare() {
  applyScheme();
  prepareDivider(byID('divider'), byID('main'));
  byID('filter').addEventListener('input', () => setFilter(byID('filter').value));
  byID('filter').addEventListener('keydown', event => {
    if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault();
      byID('list').focus();
    }
  });
  byID('pause').addEventListener('click', pause);
  byID('clear').addEventListener('click', clear);
  byID('newer').addEventListener('click', () => {
    byID('list').scrollTop = 0;
    byID('list').focus();
  });
  byID('list').addEventListener('scroll', () => {
    if (state.newer && list.isAtTop) refresh();
  }, {passive: true});
  byID('list').addEventListener('click', event => {
    if (event.target.closest('[role=row]')?.item) document.body.classList.add('reading');
  });
  byID('skip').addEventListener('click', event => {
    event.preventDefault();
    byID('list').focus();
  });
  const archive = settings => save('culvert.har', archiveAddress({filter: filterOfShown(), ...settings}));
  const chooser = element('input', {
    type: 'file', accept: '.har,application/json', hidden: true, on: {change: () => takeArchive(chooser)},
  });
  byID('menu').append(chooser, menu('Menu', [
    button('Save what is shown as HAR', () => archive({})),
    button('Save as HAR with secrets', () => archive({secrets: 'keep'})),
    button('Open a HAR file', () => chooser.click()),
    button('Keys', showKeys),
    schemeChoice(),
  ]));
  const press = name => () => inbox.isOpen ? inbox.press(name) : act(name);
  const outside = action => () => inbox.isOpen || action();
  listenToKeys({
    '/': outside(() => byID('filter').focus()),
    Escape: () => inbox.isOpen ? inbox.back() : leave(),
    p: outside(pause),
    '?': showKeys,
    r: press('again'),
    e: press('change'),
    c: press('curl'),
    m: press('mark'),
    d: outside(compareWithMarked),
  });
  setInterval(() => list.refill(item => item.state === 'open'), 1_000);
}

function filterOfShown() {
  return [byID('filter').value, state.tunnel && `tunnel:"${state.tunnel}"`].filter(Boolean).join(' ');
}

async function takeArchive(chooser) {
  const [file] = chooser.files;
  chooser.value = '';
  if (!file) return;
  try {
    const ids = await importArchive(JSON.parse(await file.text()));
    notify(`${count(ids.length, 'request')} taken from ${file.name}`);
    await load();
  } catch (error) {
    notify(error instanceof SyntaxError ? `${file.name} is not JSON.` : error.message);
  }
}

prepare();
state.tunnel = remembered('tunnel');
setFilter(remembered('q') ?? '', {says: false});
if (remembered('view') === 'inbox') inbox.open(true, remembered('message'));
feed.open();
