// SPDX-License-Identifier: Apache-2.0
// Questions before what can't be taken back, and what is shown once.

import {button, copy, element} from './elements.js';

function open(title, ...content) {
  const dialog = element('dialog', {'aria-label': title, on: {close: () => dialog.remove()}}, element('h2', {text: title}), ...content);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks; whether the answer is yes. */
export function ask(title, sentence, yes) {
  return new Promise(done => {
    const dialog = open(title,
      element('p', {text: sentence}),
      element('div', {class: 'bar'},
        button('Cancel', () => dialog.close()),
        button(yes, () => dialog.close('yes'), {class: 'danger'})));
    dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'));
  });
}

const LIFETIMES = [['an hour', 3_600], ['a day', 86_400], ['a week', 604_800], ['30 days', 2_592_000]];

/** Asks for how long somebody may visit a tunnel; in seconds, or null for not at all. */
export function askLifetime(id) {
  return new Promise(done => {
    const choice = element('select', {}, LIFETIMES.map(([text, value]) => element('option', {value, text, selected: value === 86_400})));
    const dialog = open('Give access',
      element('p', {text: `Who has an access token visits ${id} by culvert access, also where it is private.`}),
      element('p', {}, element('label', {}, 'For ', choice)),
      element('div', {class: 'bar'},
        button('Cancel', () => dialog.close()),
        button('Make a token', () => dialog.close('yes'), {class: 'main'})));
    dialog.addEventListener('close', () => done(dialog.returnValue === 'yes' ? Number(choice.value) : null));
  });
}

/** Shows an access token, which nobody is told again. */
export function showAccess({tunnel_id: id, token, expires_at: end}) {
  const dialog = open(`Access to ${id}`,
    element('p', {text: `It is shown this once. Whoever has it can visit the tunnel until ${new Date(end).toLocaleString()}.`}),
    element('p', {class: 'token', text: token, tabIndex: 0}),
    element('p', {class: 'note', text: `CULVERT_ACCESS_TOKEN=… culvert access ${id} --listen 5432`}),
    element('div', {class: 'bar'},
      button('Copy', () => copy(token, 'Token')),
      button('Close', () => dialog.close(), {class: 'main'})));
}

/** Shows the token of a tunnel, which nobody is told again. */
export function showToken({tunnel_id: id, url, token, previous_end_at: end}) {
  const dialog = open(`Token of ${id}`,
    url && element('p', {text: url}),
    element('p', {text: 'It is shown this once. Whoever has it can serve the tunnel.'}),
    end && element('p', {text: `Connectors with the token before it are let go at ${new Date(end).toLocaleTimeString()}.`}),
    element('p', {class: 'token', text: token, tabIndex: 0}),
    element('p', {class: 'note', text: 'CULVERT_TOKEN=… culvert connect --to 3000'}),
    element('div', {class: 'bar'},
      button('Copy', () => copy(token, 'Token')),
      button('Close', () => dialog.close(), {class: 'main'})));
}
