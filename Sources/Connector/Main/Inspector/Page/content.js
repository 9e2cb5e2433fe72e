// SPDX-License-Identifier: Apache-2.0
// What a body is, and the ways to look at it. A captured media type only chooses between views of ours.

import {button, element, note, save, warning} from './elements.js';
import {eventList} from './events.js';
import {membersTable, table} from './fields.js';
import {formMembers, multipartParts, parameter} from './parts.js';
import {hexText, jsonText, plainText} from './text.js';
import {size} from './units.js';

/** Images that browsers decode; none of them can hold a script. */
const RASTER = new Set(['png', 'jpeg', 'gif', 'webp', 'avif', 'bmp', 'x-icon', 'vnd.microsoft.icon'].map(name => `image/${name}`));

/**
 * The views of a body, the best first: `[{name, draw()}]`. `draw` gives a node.
 *
 * - `content` has `bytes`, `isDecoded`, `contentType` (the field as it is), `type` (lower case, no parameters), `isCut`,
 *   `showsSecrets`, and `timeOf(offset)` for event streams.
 */
export function viewsOf(content) {
  const {bytes, type, contentType, isCut, showsSecrets} = content;
  const hex = {name: 'Hex', draw: () => hexText(bytes)};
  if (!content.isDecoded) return [hex];
  const text = () => decodedText(bytes, contentType);
  const asText = {name: 'Text', draw: () => plainText(text())};
  const views = [];
  if (isJSON(type)) {
    views.push({name: 'Pretty', draw: () => jsonText(text(), isCut)});
  } else if (type === 'application/x-www-form-urlencoded') {
    views.push({name: 'Form', draw: () => membersTable(formMembers(bytes), 'Members of the form', showsSecrets)});
  } else if (type?.startsWith('multipart/')) {
    views.push({name: 'Parts', draw: () => partsView(content)});
  } else if (RASTER.has(type)) {
    views.push({name: 'Image', draw: () => imageView(URL.createObjectURL(new Blob([bytes], {type})))});
  } else if (type === 'image/svg+xml') {
    // As a picture an SVG runs no script and loads nothing; as `data:` it can't be opened as a document of this origin.
    views.push({name: 'Image', draw: () => imageView(`data:image/svg+xml;base64,${base64(bytes)}`)}, asText);
  } else if (type === 'text/event-stream') {
    views.push({name: 'Events', isLive: true, draw: () => eventList(content)});
  }
  if (views.includes(asText)) return [...views, hex];
  return looksLikeText(bytes, type) ? [...views, asText, hex] : [...views, hex, asText];
}

export const isJSON = type => type === 'application/json' || Boolean(type?.endsWith('+json'));

/** Text by the charset that the sender names, else UTF-8. */
export function decodedText(bytes, contentType) {
  try {
    return new TextDecoder(parameter(contentType, 'charset') ?? 'utf-8').decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

/** Whether a person would rather read these bytes than their codes. */
export function looksLikeText(bytes, type) {
  if (isJSON(type) || type === 'application/x-www-form-urlencoded' || /^text\/|[/+]xml$|javascript$/.test(type ?? '')) return true;
  const beginning = bytes.subarray(0, 4_096);
  if (beginning.includes(0)) return false;
  try {
    new TextDecoder('utf-8', {fatal: true}).decode(beginning, {stream: true});
    return true;
  } catch {
    return false;
  }
}

export function base64(bytes) {
  let text = '';
  for (let offset = 0; offset < bytes.length; offset += 8_192) {
    text += String.fromCharCode(...bytes.subarray(offset, offset + 8_192));
  }
  return btoa(text);
}

function imageView(address) {
  const caption = element('figcaption', {class: 'note'});
  const image = element('img', {
    alt: 'The captured image',
    on: {
      load: () => {
        caption.textContent = `${image.naturalWidth} × ${image.naturalHeight} pixels`;
        if (address.startsWith('blob:')) URL.revokeObjectURL(address);
      },
      error: () => { caption.textContent = 'The browser can’t decode this image.'; },
    },
  });
  image.src = address;
  return element('figure', {}, image, caption);
}

function partsView({bytes, contentType, isCut, showsSecrets}) {
  const boundary = parameter(contentType, 'boundary');
  if (!boundary) return warning('Content-Type names no boundary, so the parts can’t be told apart.');
  const {parts, isWhole} = multipartParts(bytes, boundary);
  return element('div', {},
    !isWhole && !isCut && warning('The closing boundary is missing.'),
    parts.map((part, index) => {
      const title = part.name ?? `Part ${index + 1}`;
      const type = part.type.split(';')[0].trim().toLowerCase();
      const [view] = viewsOf({bytes: part.bytes, isDecoded: true, contentType: part.type, type, isCut, showsSecrets});
      return element('section', {class: 'part', 'aria-label': title},
        element('h4', {}, title, part.filename !== null && ` — ${part.filename}`),
        table(part.fields.map(([name, value]) => [name, value]), `Fields of ${title}`),
        part.filename !== null || part.bytes.length > 256 || view.name !== 'Text'
          ? element('p', {class: 'note'}, `${size(part.bytes.length)} `,
            button('Save', () => save(safeName(part.filename) ?? `part-${index + 1}`, new Blob([part.bytes]))))
          : null,
        part.bytes.length ? view.draw() : note('Empty.'));
    }));
}

/** A name for a file that says nothing about folders. */
function safeName(name) {
  const last = name?.split(/[/\\]/).at(-1).replace(/[\u0000-\u001f\u007f]/g, '').trim();
  return last || null;
}
