// SPDX-License-Identifier: Apache-2.0
// Bodies that hold several things: forms, multipart, event streams.

const utf8 = new TextDecoder();
const latin1 = new TextDecoder('latin1');

/** The members of a form in order, repeats included (WHATWG URL, application/x-www-form-urlencoded). */
export function formMembers(bytes) {
  return [...new URLSearchParams(utf8.decode(bytes))];
}

/** A parameter of a field's value: `boundary` of `multipart/form-data; boundary="x"`. */
export function parameter(value, name) {
  const pattern = new RegExp(`;\\s*${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]*))`, 'i');
  const match = pattern.exec(value ?? '');
  if (!match) return null;
  return match[1] !== undefined ? match[1].replace(/\\(.)/g, '$1') : match[2];
}

/**
 * The parts of a multipart body (RFC 2046 §5.1): `{fields, name, filename, type, bytes}`. `isWhole` is false if the
 * closing delimiter is missing, as in a body of which only the beginning was kept.
 */
export function multipartParts(bytes, boundary, most = 200) {
  const parts = [];
  const text = latin1.decode(bytes);
  const delimiter = `--${boundary}`;
  let at = text.startsWith(delimiter) ? 0 : after(text.indexOf(`\r\n${delimiter}`), 2);
  while (at >= 0) {
    at += delimiter.length;
    if (text.startsWith('--', at)) return {parts, isWhole: true};
    const start = after(text.indexOf('\r\n', at), 2);
    if (start < 0 || parts.length >= most) break;
    const end = text.indexOf(`\r\n${delimiter}`, start - 2);
    parts.push(part(bytes, text, start, end < 0 ? text.length : end));
    at = after(end, 2);
  }
  return {parts, isWhole: false};
}

const after = (index, length) => index < 0 ? -1 : index + length;

function part(bytes, text, start, end) {
  const isBare = text.startsWith('\r\n', start);
  const blank = isBare ? start - 2 : text.indexOf('\r\n\r\n', start);
  const headEnd = blank < 0 || blank > end ? end : blank;
  const head = isBare ? '' : utf8.decode(bytes.subarray(start, headEnd));
  const fields = head.split('\r\n').filter(Boolean).map(line => {
    const colon = line.indexOf(':');
    return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const value = name => fields.find(([field]) => field.toLowerCase() === name)?.[1];
  const disposition = value('content-disposition');
  return {
    fields,
    name: parameter(disposition, 'name'),
    filename: parameter(disposition, 'filename'),
    type: value('content-type') ?? 'text/plain',
    bytes: bytes.subarray(Math.min(headEnd + 4, end), end),
  };
}

/**
 * The events of an event stream (WHATWG HTML §9.2.6), comments among them: `{event, data, id, retry, comment, offset}`.
 * `offset` is where the event's last byte lies, so that the arrival of that byte is the event's time.
 */
export function streamEvents(bytes, most = 5_000) {
  const events = [];
  let event = {};
  let start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (start < bytes.length && events.length < most) {
    let end = start;
    while (end < bytes.length && bytes[end] !== 10 && bytes[end] !== 13) end += 1;
    // A line that has no end yet is not one.
    if (end === bytes.length) break;
    const line = utf8.decode(bytes.subarray(start, end));
    start = end + (bytes[end] === 13 && bytes[end + 1] === 10 ? 2 : 1);
    if (line === '') {
      if (Object.keys(event).length) events.push({...event, offset: start - 1});
      event = {};
      continue;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (colon === 0) events.push({comment: value, offset: start - 1});
    else if (name === 'data') event.data = event.data === undefined ? value : `${event.data}\n${value}`;
    else if (name === 'event' || name === 'id' || name === 'retry') event[name] = value;
  }
  return {events, isWhole: start >= bytes.length && !Object.keys(event).length};
}
