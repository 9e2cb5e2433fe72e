// SPDX-License-Identifier: Apache-2.0
// The keys of the page. Single letters can be switched off, for those who speak to their computer (WCAG 2.1.4).

import {byID, button, element} from './elements.js';

const KEYS = [
  ['/', 'Filter'],
  ['↑ ↓, j k, PgUp PgDn, Home End', 'Move in the list'],
  ['Enter', 'Into the chosen exchange'],
  ['Esc', 'Back to the list'],
  ['r', 'Send again'],
  ['e', 'Change and send again'],
  ['c', 'Copy as curl'],
  ['m', 'Mark to compare'],
  ['d', 'Compare with the marked one'],
  ['p', 'Pause, go on'],
  ['?', 'These keys'],
];

/** Whether single letters do something. */
export const hasLetterKeys = () => localStorage.getItem('letter-keys') !== 'off';

/** `actions` has a function for each key of the page. */
export function listenToKeys(actions) {
  addEventListener('keydown', event => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector('dialog[open]')) return;
    const isInText = event.target.matches('input:not([type=checkbox]), textarea, select');
    if (event.key === 'Escape') {
      actions.Escape();
      return;
    }
    if (isInText || (event.key.length === 1 && !hasLetterKeys())) return;
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  });
}

export function showKeys() {
  const letters = element('input', {
    type: 'checkbox', checked: hasLetterKeys(),
    on: {change: () => localStorage.setItem('letter-keys', letters.checked ? 'on' : 'off')},
  });
  const dialog = element('dialog', {'aria-label': 'Keys', on: {close: () => dialog.remove()}},
    element('h2', {text: 'Keys'}),
    element('table', {class: 'names'}, element('tbody', {}, KEYS.map(([keys, text]) =>
      element('tr', {}, element('th', {scope: 'row'}, element('kbd', {text: keys})), element('td', {text}))))),
    element('p', {}, element('label', {}, letters, ' Single letters and signs are keys')),
    button('Close', () => dialog.close(), {autofocus: true}));
  byID('main').after(dialog);
  dialog.showModal();
}
