// SPDX-License-Identifier: Apache-2.0
// The filter language. The program has the same rules for its lists and exports; both are held to one table of cases.

const SIZES = {KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, kB: 1e3, MB: 1e6, GB: 1e9, B: 1, '': 1};
const TIMES = {ms: 1, us: 0.001, s: 1000, '': 1};

/** Words that ask for what summaries don't have: the program answers them. */
const ASKED_OF_PROGRAM = new Set(['header', 'body']);

/** `{matches(summary, now), needsProgram}` of a filter's text. Every text is a filter. */
export function parseFilter(text) {
  const tests = [];
  let needsProgram = false;
  for (const word of words(text)) {
    if (ASKED_OF_PROGRAM.has(word.key)) {
      needsProgram = true;
      continue;
    }
    const test = (TESTS[word.key] ?? bare)(word);
    tests.push(word.isNegated ? (summary, now) => !test(summary, now) : test);
  }
  return {
    needsProgram,
    matches: (summary, now = Date.now()) => tests.every(test => test(summary, now)),
  };
}

/** The words of a filter: `{key, value, whole, isNegated}`. What stands between quotes belongs to one word. */
export function words(text) {
  return split(text).map(word => {
    const isNegated = word.length > 1 && word.startsWith('-');
    const whole = isNegated ? word.slice(1) : word;
    const colon = whole.indexOf(':');
    const key = colon > 0 ? whole.slice(0, colon) : '';
    const isKnown = Object.hasOwn(TESTS, key) || ASKED_OF_PROGRAM.has(key);
    return {key: isKnown ? key : '', value: whole.slice(colon + 1), whole, isNegated};
  });
}

function split(text) {
  const found = [];
  let word = '';
  let isQuoted = false;
  for (const sign of text) {
    if (sign === '"') {
      isQuoted = !isQuoted;
    } else if (/\s/.test(sign) && !isQuoted) {
      found.push(word);
      word = '';
    } else {
      word += sign;
    }
  }
  return [...found, word].filter(Boolean);
}

const TESTS = {
  method: ({value}) => summary => summary.method?.toUpperCase() === value.toUpperCase(),
  status: word => {
    const range = /^(\d+)-(\d+)$/.exec(word.value);
    if (range) return ({status}) => status >= Number(range[1]) && status <= Number(range[2]);
    if (!/^[\dx]{3}$/i.test(word.value)) return bare(word);
    const pattern = new RegExp(`^${word.value.replace(/x/gi, '\\d')}$`);
    return ({status}) => pattern.test(String(status ?? ''));
  },
  path: ({value}) => {
    const pieces = (value.includes('*') ? value : `${value}*`).split('*').map(piece => piece.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&'));
    const pattern = new RegExp(`^${pieces.join('[^]*')}$`, 'i');
    return ({path}) => pattern.test(path ?? '');
  },
  tunnel: ({value}) => summary => summary.tunnel_name === value,
  type: ({value}) => {
    const wanted = value.toLowerCase();
    return ({type, request_type: requestType}) => (type ?? '').includes(wanted) || (requestType ?? '').includes(wanted);
  },
  size: word => {
    const compare = comparison(word.value, SIZES);
    return compare ? summary => compare((summary.request_size ?? 0) + (summary.response_size ?? 0)) : bare(word);
  },
  time: word => {
    const compare = comparison(word.value, TIMES);
    return compare ? (summary, now) => compare(summary.duration_ms ?? now - summary.start) : bare(word);
  },
  is: word => (Object.hasOwn(IS, word.value) ? IS[word.value] : bare(word)),
  from: ({value}) => ({remote_addr: address}) => (address ?? '').startsWith(value),
};

const IS = {
  replay: ({replay_of: original}) => Boolean(original),
  error: ({state, status}) => state === 'failed' || status >= 500,
  open: ({state}) => state === 'open',
  websocket: ({kind}) => kind === 'websocket',
  sse: ({kind}) => kind === 'events',
  cut: ({is_whole: isWhole}) => isWhole === false,
};

/** A bare word, or one whose key or value nobody knows: it is looked for in the path and the query. */
function bare({whole}) {
  const wanted = whole.toLowerCase();
  return ({path, query}) => `${path ?? ''}${query === undefined || query === null ? '' : `?${query}`}`.toLowerCase().includes(wanted);
}

/** `>1MiB`, `<500ms`: a test of a number; null if it isn't one. */
function comparison(text, units) {
  const match = /^([<>])(\d+(?:\.\d+)?)([a-zA-Z]*)$/.exec(text);
  if (!match || !Object.hasOwn(units, match[3])) return null;
  const bound = Number(match[2]) * units[match[3]];
  return match[1] === '>' ? value => value > bound : value => value < bound;
}
