// SPDX-License-Identifier: Apache-2.0
// How the page is divided, and whether it is light or dark. Both are kept in the browser.

import {element} from './elements.js';

const SCHEMES = {'light dark': 'As the system', light: 'Light', dark: 'Dark'};

export function applyScheme() {
  const scheme = localStorage.getItem('scheme');
  document.documentElement.style.colorScheme = Object.hasOwn(SCHEMES, scheme ?? '') ? scheme : 'light dark';
}

export function schemeChoice() {
  const kept = localStorage.getItem('scheme') ?? 'light dark';
  const choice = element('select', {on: {change: () => {
    localStorage.setItem('scheme', choice.value);
    applyScheme();
  }}}, Object.entries(SCHEMES).map(([value, text]) => element('option', {value, text, selected: value === kept})));
  return element('label', {class: 'choice'}, 'Colours', choice);
}

/** The line between list and details: dragged, or moved by the arrow keys. */
export function prepareDivider(divider, main) {
  const set = share => {
    const value = Math.round(Math.min(80, Math.max(20, share)));
    main.style.setProperty('--split', `${value}%`);
    divider.setAttribute('aria-valuenow', value);
    localStorage.setItem('split', value);
  };
  set(Number(localStorage.getItem('split') ?? 50) || 50);
  divider.addEventListener('pointerdown', event => {
    divider.setPointerCapture(event.pointerId);
    const move = moved => set(100 * (moved.clientX - main.offsetLeft) / main.clientWidth);
    divider.addEventListener('pointermove', move);
    divider.addEventListener('lostpointercapture', () => divider.removeEventListener('pointermove', move), {once: true});
    event.preventDefault();
  });
  divider.addEventListener('keydown', event => {
    const by = {ArrowLeft: -2, ArrowRight: 2}[event.key];
    const to = by === undefined ? {Home: 20, End: 80}[event.key] : Number(divider.getAttribute('aria-valuenow')) + by;
    if (to === undefined) return;
    event.preventDefault();
    set(to);
  });
}
