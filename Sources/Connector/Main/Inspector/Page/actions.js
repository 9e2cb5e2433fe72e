// SPDX-License-Identifier: Apache-2.0
// What can be done with an exchange beside sending it again.

import {archiveAddress, getCurl} from './api.js';
import {button, copy, element, notify, save} from './elements.js';

/** Copies an exchange as a command of curl; secrets are left out unless asked for. */
export async function copyCurl(id, options = {}) {
  try {
    await copy(await getCurl(id, options), 'curl command');
  } catch (error) {
    notify(error.message);
  }
}

/** A menu that opens on a click or by the keyboard, and closes by Esc or when the focus leaves it. */
export function menu(title, items, settings = {}) {
  const place = element('details', {class: 'menu', ...settings},
    element('summary', {text: title}),
    element('div', {class: 'items'}, items));
  place.addEventListener('keydown', event => {
    if (event.key !== 'Escape' || !place.open) return;
    event.stopPropagation();
    place.open = false;
    place.querySelector('summary').focus();
  });
  place.addEventListener('focusout', event => {
    if (event.relatedTarget && !place.contains(event.relatedTarget)) place.open = false;
  });
  place.addEventListener('click', event => {
    if (event.target.closest('.items button')) place.open = false;
  });
  return place;
}

export function moreMenu(detail, removeIt) {
  const {id, url} = detail;
  return menu('More', [
    url && button('Copy the public URL', () => copy(url, 'URL')),
    url && button('Copy as curl for the public URL', () => copyCurl(id, {target: 'public'})),
    button('Copy as curl with secrets', () => copyCurl(id, {secrets: 'keep'})),
    button('Save as HAR', () => save(`${id}.har`, archiveAddress({ids: id}))),
    button('Save as HAR with secrets', () => save(`${id}.har`, archiveAddress({ids: id, secrets: 'keep'}))),
    button('Remove', removeIt),
  ]);
}

/** Asks before something that can't be undone; resolves to the answer. */
export function ask(question, yes) {
  return new Promise(resolve => {
    const finish = answer => {
      dialog.close();
      resolve(answer);
    };
    const dialog = element('dialog', {'aria-label': question, on: {close: () => { dialog.remove(); resolve(false); }}},
      element('p', {text: question}),
      element('div', {class: 'bar'},
        button('Cancel', () => finish(false), {autofocus: true}),
        button(yes, () => finish(true), {class: 'main'})));
    document.body.append(dialog);
    dialog.showModal();
  });
}
