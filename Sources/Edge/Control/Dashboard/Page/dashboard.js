// SPDX-License-Identifier: Apache-2.0
// The page: who has signed in sees tunnels, and an admin what was done. What is so is asked for again while it is looked at.

import {AuditView} from './audit.js';
import {hasSession, signIn, signOut, whoIsThere} from './calls.js';
import {button, byID, element, notify} from './elements.js';
import {Overview} from './overview.js';

const PAUSE = 2_000;
let view = null;
let who = null;
let timer = 0;

function showSignIn(sentence) {
  view = null;
  who = null;
  byID('views').hidden = true;
  byID('out').hidden = true;
  byID('who').textContent = '';
  trouble('');
  const key = element('input', {type: 'password', name: 'key', autocomplete: 'current-password', required: true, autocapitalize: 'off', spellcheck: false});
  const code = element('input', {name: 'code', inputMode: 'numeric', autocomplete: 'one-time-code', pattern: '[0-9]{6}', maxLength: 6});
  const second = element('label', {hidden: true}, 'One-time code', code);
  const refusal = element('p', {class: 'warning', role: 'alert', hidden: !sentence, text: sentence ?? ''});
  byID('view').replaceChildren(element('form', {class: 'sign-in', on: {submit: async event => {
    event.preventDefault();
    try {
      begin(await signIn(key.value, code.value));
    } catch (error) {
      if (error.code === 'otp_required' && second.hidden) {
        second.hidden = false;
        code.required = true;
        code.focus();
        return;
      }
      refusal.textContent = error.status === 401 && error.code !== 'otp_invalid' ? 'This key is not known here.' : error.message;
      refusal.hidden = false;
    }
  }}},
  element('h2', {text: 'Sign in'}), refusal,
  element('label', {}, 'API key', key), second, element('button', {class: 'main', text: 'Sign in'})));
  key.focus();
}

function begin(someone) {
  who = someone;
  byID('who').textContent = who.role === 'admin' ? `${who.name}, admin` : who.name;
  byID('out').hidden = false;
  const views = {Tunnels: () => new Overview({failed, reload: refresh}), ...(who.role === 'admin' && {Audit: () => new AuditView()})};
  byID('views').replaceChildren(...Object.entries(views).map(([name, make]) => button(name, () => open(name, make), {'aria-pressed': 'false'})));
  byID('views').hidden = false;
  open('Tunnels', views.Tunnels);
}

function open(name, make) {
  view = make();
  for (const control of byID('views').children) control.setAttribute('aria-pressed', control.textContent === name);
  byID('view').replaceChildren(view.element);
  refresh();
}

async function refresh() {
  clearTimeout(timer);
  const shown = view;
  if (!shown || document.hidden) return;
  try {
    await shown.refresh();
    trouble('');
  } catch (error) {
    if (error.code === 'session_ended') showSignIn('The session is over: sign in again.');
    else trouble(error.message);
  }
  if (view === shown) {
    clearTimeout(timer);
    timer = setTimeout(refresh, PAUSE);
  }
}

/** What a person asked for did not work. */
function failed(error) {
  if (error.code === 'session_ended') showSignIn('The session is over: sign in again.');
  else notify(error.message);
}

function trouble(sentence) {
  const place = byID('trouble');
  if (place.textContent !== sentence) place.textContent = sentence;
  place.hidden = !sentence;
}

document.addEventListener('visibilitychange', refresh);
byID('out').addEventListener('click', async () => {
  try {
    await signOut();
    showSignIn();
  } catch (error) {
    failed(error);
  }
});

if (hasSession()) {
  try {
    begin(await whoIsThere());
  } catch (error) {
    showSignIn(error.code === 'session_ended' ? 'The session is over: sign in again.' : error.message);
  }
} else {
  showSignIn();
}
