// SPDX-License-Identifier: Apache-2.0
// Calls of the inspector's API. Every URL is relative to the page, so that the page works below any prefix.

const base = new URL('./api/', import.meta.url);

/** The program refused a call, or isn't there. `message` is a sentence for people. */
export class CallError extends Error {
  constructor(message, code, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function address(path) {
  return new URL(path, base);
}

/** Calls the program and gives its response; throws `CallError`. */
export async function call(path, {method = 'GET', body, signal} = {}) {
  let response;
  try {
    response = await fetch(address(path), {
      method,
      signal,
      // The program takes a change only with this type, which no form of another site can send.
      headers: method === 'GET' ? {} : {'Content-Type': 'application/json'},
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new CallError('The program does not answer. Is it still running?', 'unreachable', 0);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Something else than the program answered; its status is all there is to say.
  }
  return new CallError(
    problem.detail ?? `The program answered ${response.status} ${response.statusText}.`,
    problem.code,
    response.status,
  );
}

export const getJSON = async (path, options) => (await call(path, options)).json();

const exchange = id => `requests/http/${encodeURIComponent(id)}`;

export const getStatus = () => getJSON('status');
export const getTunnels = async () => (await getJSON('tunnels')).tunnels;

export async function getSummaries({filter, before, limit = 10_000} = {}) {
  const query = new URLSearchParams({fields: 'summary', limit});
  if (filter) query.set('filter', filter);
  if (before) query.set('before', before);
  return (await getJSON(`requests/http?${query}`)).requests;
}

/** An exchange in full, with the members that its line in the list has. */
export async function getDetail(id, signal) {
  const detail = await getJSON(`${exchange(id)}?fields=detail`, {signal});
  const {request, response} = detail;
  return {
    ...detail,
    method: request?.method ?? '',
    status: response?.status_code,
    request_size: request?.body.size ?? 0,
    response_size: response?.body.size ?? 0,
  };
}

export const getFrames = (id, after) => getJSON(`${exchange(id)}/frames?${new URLSearchParams({after, limit: 500})}`);

/**
 * A body's bytes, decoded where the browser or the program can: `{bytes, isDecoded, coding}`. `side` is `request` or
 * `response`.
 */
export const getBody = (id, side, body, signal) => bodyAt(`${exchange(id)}/${side}/body`, body, signal);

/** The same of any body, by the path of the call that gives it. */
export async function bodyAt(path, body, signal) {
  const stored = async coding => ({bytes: await bytesOf(await call(`${path}?stored=1`, {signal})), isDecoded: false, coding});
  if (!body.coding) return {...await stored(null), isDecoded: true};
  try {
    const response = await call(path, {signal});
    const coding = response.headers.get('Culvert-Coding');
    const bytes = await bytesOf(response);
    if (!coding) return {bytes, isDecoded: true, coding: body.coding};
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof CallError) throw error;
    // The browser gave up on a body that is cut or isn't in that coding.
  }
  return stored(body.coding);
}

export const getStoredBody = async (id, side) => bytesOf(await call(`${exchange(id)}/${side}/body?stored=1`));
export const getRaw = async (id, side, signal) => bytesOf(await call(`${exchange(id)}/${side}/raw`, {signal}));
export const getCurl = async (id, options) => (await call(`${exchange(id)}/curl?${new URLSearchParams(options)}`)).text();

const bytesOf = async response => new Uint8Array(await response.arrayBuffer());

/** Sends an exchange again and gives the ids of the new ones. */
export async function replay(request) {
  const response = await call('requests/http', {method: 'POST', body: request});
  if (response.status === 204) return (response.headers.get('Culvert-Replays') ?? '').split(',').map(id => id.trim()).filter(Boolean);
  return (await response.json()).ids;
}

export const removeAll = () => call('requests/http', {method: 'DELETE'});
export const remove = id => call(exchange(id), {method: 'DELETE'});
export const archiveAddress = query => address(`requests/har?${new URLSearchParams(query)}`).href;
export const importArchive = async archive => (await (await call('requests/har', {method: 'POST', body: archive})).json()).ids;
