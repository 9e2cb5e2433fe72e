// SPDX-License-Identifier: Apache-2.0
// Elements made without HTML: what was captured reaches the document as text nodes and properties, never as markup.

/**
 * An element with properties, attributes and children. `class`, `text`, `on` (listeners by their event) and `data` are
 * ours; what the element has as a property is set as one, and the rest (`role`, `aria-…`) as attributes. A child that is
 * null or false is left out.
 */
export function element(tag, settings = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') made.className = value;
    else if (name === 'text') made.textContent = value;
    else if (name === 'on') for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (name === 'data') Object.assign(made.dataset, value);
    else if (name in made && !name.startsWith('aria-') && name !== 'list') made[name] = value;
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return made;
}

export const byID = id => document.getElementById(id);

/** A button that does something and never sends a form. */
export function button(text, action, settings = {}) {
  return element('button', {type: 'button', text, on: {click: action}, ...settings});
}

/** A sentence beside what it is about: something is missing, cut or refused. */
export function warning(...content) {
  return element('p', {class: 'warning'}, ...content);
}

export function note(...content) {
  return element('p', {class: 'note'}, ...content);
}

/** Says something to those who can't see the page; the same sentence twice is said twice. */
export function announce(sentence) {
  const place = byID('announcements');
  place.textContent = '';
  requestAnimationFrame(() => { place.textContent = sentence; });
}

/** Offers bytes or a link as a file to keep. */
export function save(name, content) {
  const url = typeof content === 'string' ? content : URL.createObjectURL(content);
  const link = element('a', {href: url, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  if (url.startsWith('blob:')) setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Puts text on the clipboard, and says so. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    announce(`${what} copied`);
    notify(`${what} copied`);
  } catch {
    // A page that isn't a secure context has no clipboard: show the text, chosen, in its place.
    const area = element('textarea', {value: text, readOnly: true, rows: 10, 'aria-label': what});
    const dialog = element('dialog', {class: 'text', on: {close: () => dialog.remove()}},
      element('h2', {text: what}), area, button('Close', () => dialog.close()));
    document.body.append(dialog);
    dialog.showModal();
    area.select();
  }
}

/** A short sentence at the bottom of the window. */
export function notify(sentence) {
  const place = byID('notice');
  place.textContent = sentence;
  place.hidden = false;
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => { place.hidden = true; }, 4_000);
}
