// SPDX-License-Identifier: Apache-2.0
// JSON set out on lines, by its tokens. It is never turned into values and back: the digits of a big number, a name that
// occurs twice and the order of names are what a developer looks for.

const TOKEN = new RegExp([
  /(?<space>[ \t\r\n]+)/,
  /(?<string>"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")/,
  /(?<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/,
  /(?<literal>true|false|null)/,
  /(?<mark>[[\]{},:])/,
].map(part => part.source).join('|'), 'y');

/** How deep brackets may lie in each other: deeper than any API's, and far from what a stack of ours would mind. */
const DEEPEST = 512;

/**
 * Sets out `text`. The answer's `pieces` are `[kind, text]` with the kinds space, name, string, number, literal, mark,
 * wrong and rest; `error` is null or says the place (offset, line, column) of the first thing that can't stand there;
 * `isWhole` is false if `limit` characters were set out and more are left.
 */
export function setOutJSON(text, limit = Infinity) {
  const pieces = [];
  const open = [];
  let expects = 'value';
  let offset = 0;
  let error = null;
  const newLine = () => pieces.push(['space', `\n${'  '.repeat(open.length)}`]);
  while (offset < text.length && offset < limit) {
    TOKEN.lastIndex = offset;
    const match = TOKEN.exec(text);
    if (!match) {
      error = offset;
      break;
    }
    const {space, string, number, literal, mark} = match.groups;
    if (space !== undefined) {
      offset = TOKEN.lastIndex;
      continue;
    }
    const next = follow(expects, open, mark ?? (string !== undefined ? 'string' : 'value'));
    if (next === null || open.length >= DEEPEST) {
      error = offset;
      break;
    }
    offset = TOKEN.lastIndex;
    const isFirst = expects === 'first value' || expects === 'first name';
    if (mark === '}' || mark === ']') {
      open.pop();
      if (!isFirst) newLine();
    } else if (isFirst) {
      newLine();
    }
    if (mark === ':') pieces.push(['mark', ': ']);
    else if (mark !== undefined) pieces.push(['mark', mark]);
    else if (string !== undefined) pieces.push([next === 'colon' ? 'name' : 'string', string]);
    else pieces.push(number !== undefined ? ['number', number] : ['literal', literal]);
    if (mark === '{' || mark === '[') open.push(mark);
    if (mark === ',') newLine();
    expects = next;
  }
  if (error === null && offset >= text.length && (open.length || expects !== 'end')) error = text.length;
  if (error !== null) {
    pieces.push(['wrong', text.slice(error, error + 1)], ['rest', text.slice(error + 1, error + 2_000)]);
  }
  return {
    pieces,
    error: error === null ? null : placeOf(error, text),
    isWhole: error === null && offset >= text.length,
  };
}

/** What may come after a token where `expects` is expected; null if the token can't stand there. */
function follow(expects, open, token) {
  const inside = open.at(-1);
  const afterValue = !inside ? 'end' : inside === '{' ? 'comma in object' : 'comma in array';
  const outer = open.at(-2);
  const afterClosing = !outer ? 'end' : outer === '{' ? 'comma in object' : 'comma in array';
  switch (expects) {
  case 'value':
  case 'first value':
    if (token === '{') return 'first name';
    if (token === '[') return 'first value';
    if (token === ']' && expects === 'first value') return afterClosing;
    return token === 'string' || token === 'value' ? afterValue : null;
  case 'name':
  case 'first name':
    if (token === '}' && expects === 'first name') return afterClosing;
    return token === 'string' ? 'colon' : null;
  case 'colon':
    return token === ':' ? 'value' : null;
  case 'comma in object':
    return token === ',' ? 'name' : token === '}' ? afterClosing : null;
  case 'comma in array':
    return token === ',' ? 'value' : token === ']' ? afterClosing : null;
  default:
    return null;
  }
}

function placeOf(offset, text) {
  const before = text.slice(0, offset);
  return {offset, line: before.split('\n').length, column: offset - before.lastIndexOf('\n')};
}

/** JSON set out as plain text, for comparing; what isn't JSON is given back as it is. */
export function plainJSON(text) {
  const {pieces, error} = setOutJSON(text);
  return error === null ? pieces.map(([, piece]) => piece).join('') : text;
}
