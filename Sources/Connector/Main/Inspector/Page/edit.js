// SPDX-License-Identifier: Apache-2.0
// What a reader has changed of a request, as a value: from the original and the editor's texts to the call that sends it.

/** Fields as lines, in order and with repeats. */
export const linesOf = fields => fields.map(([name, value]) => `${name}: ${value}`).join('\n');

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Lines as fields; `error` says which line isn't one. */
export function fieldsOf(text) {
  const fields = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    if (!TOKEN.test(name)) return {fields, error: `Line ${index + 1} of the fields is not “Name: value”.`};
    fields.push([name, line.slice(colon + 1).trim()]);
  }
  return {fields, error: null};
}

/** How a text's lines end. A text area turns all of them into LF, so what was there has to be put back. */
export function lineEnds(text) {
  const crlf = text.split('\r\n').length - 1;
  const lf = text.split('\n').length - 1 - crlf;
  const cr = text.split('\r').length - 1 - crlf;
  if (cr || (crlf && lf)) return 'mixed';
  return crlf ? 'crlf' : 'lf';
}

/** What the program makes anew from the body that it sends, or leaves out. */
const MADE_ANEW = new Set(['content-length', 'transfer-encoding', 'expect']);

/**
 * What the editor opens with. `text` is the original's body, null where it isn't text or isn't whole.
 */
export function draftOf(detail, text) {
  const fields = detail.request.fields.filter(([name]) => !MADE_ANEW.has(name.toLowerCase()));
  return {
    method: detail.request.method,
    target: detail.request.uri,
    fields: linesOf(detail.isMessage ? fields : [...fields, ['Culvert-Replay', detail.id]]),
    body: text === null ? '' : text.replace(/\r\n?/g, '\n'),
    file: null,
    times: 1,
    concurrency: 1,
  };
}

/**
 * The call that sends `draft`, and what it changes in words: `{request, changes, error}`. `original` is the draft that the
 * editor opened with.
 */
export function replayOf(detail, draft, original, text) {
  const changes = [];
  const request = {id: detail.id};
  if (draft.method !== original.method) {
    request.method = draft.method;
    changes.push(`method ${draft.method} instead of ${original.method}`);
  }
  if (draft.target !== original.target) {
    request.path = draft.target;
    changes.push(`target ${draft.target}`);
  }
  const hasBody = draft.file !== null || draft.body !== original.body || !detail.request.body.is_whole;
  const parsed = fieldsOf(draft.fields);
  let {fields} = parsed;
  const isCoded = Boolean(detail.request.body.coding);
  if (hasBody && isCoded && fields.some(([name]) => name.toLowerCase() === 'content-encoding')) {
    fields = fields.filter(([name]) => name.toLowerCase() !== 'content-encoding');
    changes.push(`the new body is sent without Content-Encoding: ${detail.request.body.coding}`);
  }
  if (draft.fields !== original.fields || (hasBody && isCoded)) {
    request.fields = fields;
    changes.push(...fieldChanges(fieldsOf(original.fields).fields, fieldsOf(draft.fields).fields));
  }
  if (draft.file !== null) {
    request.body_base64 = draft.file.base64;
    changes.push(`body from ${draft.file.name}, ${draft.file.size} bytes`);
  } else if (hasBody) {
    const ends = lineEnds(text ?? '');
    request.body = ends === 'crlf' ? draft.body.replaceAll('\n', '\r\n') : draft.body;
    changes.push(`body of ${new TextEncoder().encode(request.body).length} bytes`);
    if (ends === 'mixed') changes.push('all lines of the body end with LF');
  }
  if (hasBody) changes.push('Content-Length made anew');
  if (draft.times > 1) {
    request.times = draft.times;
    request.concurrency = Math.min(draft.concurrency, draft.times);
  }
  return {request, changes, error: parsed.error ?? targetError(draft)};
}

function fieldChanges(before, after) {
  const left = after.map(field => field.join(': '));
  const gone = before.filter(field => {
    const at = left.indexOf(field.join(': '));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  // Values may be secrets, and this list is read aloud: names say enough.
  const added = left.map(line => line.slice(0, line.indexOf(':')));
  const names = new Set(added.map(name => name.toLowerCase()));
  return [
    ...gone.filter(([name]) => !names.has(name.toLowerCase())).map(([name]) => `without ${name}`),
    ...added.map(name => gone.some(([other]) => other.toLowerCase() === name.toLowerCase()) ? `other ${name}` : `with ${name}`),
  ];
}

function targetError({method, target, times, concurrency}) {
  if (!TOKEN.test(method)) return 'The method is not a word.';
  if (!/^(\/|\*$|https?:\/\/)[\x21-\x7e]*$/.test(target) && target !== '*') {
    return 'The path begins with / and holds no spaces; write others than ASCII as %XX.';
  }
  if (!(times >= 1 && times <= 100)) return 'Send between 1 and 100 times.';
  if (!(concurrency >= 1 && concurrency <= 10)) return 'At most 10 at once.';
  return null;
}
