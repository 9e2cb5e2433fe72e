// SPDX-License-Identifier: Apache-2.0
// The messages of a WebSocket, both ways.

import {getFrames} from './api.js';
import {element, note, warning} from './elements.js';
import {entryList} from './entries.js';
import {hexText, jsonText, plainText} from './text.js';
import {count, size, span} from './units.js';

const WAY = {
  visitor: {text: '↑', label: 'from the visitor', class: 'up'},
  server: {text: '↓', label: 'from the server', class: 'down'},
};

/** `{element, load()}`; `load` fetches what has come since the last time. */
export function messageList(detail) {
  const {id} = detail;
  const list = entryList({
    label: 'Messages',
    kind: 'messages',
    columns: ['From', 'Time', 'Kind', 'Size', 'Content'],
    cells: frame => [WAY[frame.from], `+${span(frame.at_ms)}`, frame.opcode, size(frame.decoded_size ?? frame.size), beginning(frame)],
    content: frame => [
      note([
        WAY[frame.from].label,
        `after ${span(frame.at_ms)}`,
        frame.opcode,
        frame.is_deflated
          ? `${size(frame.size)} deflated${frame.decoded_size === undefined ? '' : `, ${size(frame.decoded_size)} inflated`}`
          : size(frame.size),
      ].join(' · ')),
      !frame.is_whole && warning('Only the beginning of this message was kept.'),
      whole(frame),
    ].filter(Boolean),
  });
  const number = note();
  const frames = [];
  let loading = null;

  async function fetchNew() {
    for (;;) {
      const answer = await getFrames(id, frames.at(-1)?.n ?? -1);
      frames.push(...answer.frames);
      const gone = frames.findIndex(frame => frame.n >= answer.first);
      if (gone > 0) frames.splice(0, gone);
      number.textContent = count(answer.total, 'message') + (answer.total > frames.length ? `, the latest ${frames.length} kept` : '');
      if (!answer.frames.length || frames.at(-1).n >= answer.total - 1) break;
    }
    list.set(frames);
  }

  return {
    element: element('div', {}, number, list.element),
    load() {
      loading ??= fetchNew().finally(() => { loading = null; });
      return loading;
    },
  };
}

function beginning(frame) {
  if (frame.opcode === 'close') return [frame.code, frame.reason].filter(Boolean).join(' ');
  if (frame.text !== undefined) return frame.text.slice(0, 300);
  if (frame.base64 !== undefined) {
    return Array.from(bytesOf(frame.base64.slice(0, 64)), byte => byte.toString(16).padStart(2, '0')).join(' ');
  }
  return frame.size ? 'could not be inflated' : '';
}

function whole(frame) {
  if (frame.opcode === 'close') return plainText(beginning(frame), 'Reason');
  if (frame.text !== undefined) return /^\s*[[{]/.test(frame.text) ? jsonText(frame.text, !frame.is_whole) : plainText(frame.text);
  if (frame.base64 !== undefined) return hexText(bytesOf(frame.base64));
  return note(frame.size ? 'The content could not be inflated.' : 'Empty.');
}

const bytesOf = text => Uint8Array.from(atob(text), sign => sign.charCodeAt(0));
