// SPDX-License-Identifier: Apache-2.0
// Calls of the control API by who has signed in. The cookie says who; the token, which this page alone has, says that it is
// this page that asks. It is kept for this tab, so that a reload loses nothing.

const base = new URL('../', import.meta.url);
const KEPT = 'culvert-session';

/** The edge refused a call, or isn't there. `message` is a sentence for people. */
export class CallError extends Error {
  constructor(message, code, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export const hasSession = () => sessionStorage.getItem(KEPT) !== null;

async function ask(path, {method = 'GET', body, headers = {}} = {}) {
  let response;
  try {
    response = await fetch(new URL(path, base), {
      method,
      // The edge takes a change only with this type, which no form of another site can send.
      headers: method === 'GET' ? headers : {'Content-Type': 'application/json', ...headers},
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new CallError('The edge does not answer.', 'unreachable', 0);
  }
  if (response.ok) return response;
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Something else than the edge answered; its status is all there is to say.
  }
  throw new CallError(problem.detail ?? `The edge answered ${response.status}.`, problem.code, response.status);
}

/** Calls the edge; gives what it says, or null. */
export async function call(path, settings = {}) {
  const headers = {'Culvert-Session': sessionStorage.getItem(KEPT) ?? ''};
  try {
    const response = await ask(path, {...settings, headers});
    return response.status === 204 ? null : await response.json();
  } catch (error) {
    if (error.code === 'session_ended') sessionStorage.removeItem(KEPT);
    throw error;
  }
}

/** Signs in with an API key, and its one-time code if there is one. */
export async function signIn(key, code) {
  const headers = {Authorization: `Bearer ${key}`, ...(code && {'Culvert-OTP': code})};
  const {token, ...who} = await (await ask('dashboard/session', {method: 'POST', headers})).json();
  sessionStorage.setItem(KEPT, token);
  return who;
}

export const whoIsThere = () => call('dashboard/session');

export async function signOut() {
  await call('dashboard/session', {method: 'DELETE'});
  sessionStorage.removeItem(KEPT);
}

const tunnel = id => `tunnels/${encodeURIComponent(id)}`;
const message = (id, name) => `${tunnel(id)}/inbox/messages/${encodeURIComponent(name)}`;

export const listTunnels = cursor => call(`tunnels/list?${new URLSearchParams({limit: 200, ...(cursor && {cursor})})}`);
export const createTunnel = body => call('tunnels/create', {method: 'POST', body});
export const replaceToken = id => call(`${tunnel(id)}/token`, {method: 'POST'});
export const giveAccess = (id, lifetime) => call(`${tunnel(id)}/access`, {method: 'POST', body: {lifetime_seconds: lifetime}});
export const endAccess = id => call(`${tunnel(id)}/access`, {method: 'DELETE'});
export const deleteTunnel = id => call(tunnel(id), {method: 'DELETE'});

/** The inbox of a tunnel; null if it has none. */
export async function getInbox(id) {
  try {
    return await call(`${tunnel(id)}/inbox`);
  } catch (error) {
    if (error.code === 'inbox_not_found') return null;
    throw error;
  }
}

export const listMessages = (id, {state, cursor}) =>
  call(`${tunnel(id)}/inbox/messages?${new URLSearchParams({limit: 50, ...(state && {state}), ...(cursor && {cursor})})}`);
export const deliver = (id, name) => call(`${message(id, name)}/deliver`, {method: 'POST'});
export const skip = (id, name) => call(`${message(id, name)}/skip`, {method: 'POST'});
export const removeMessage = (id, name) => call(message(id, name), {method: 'DELETE'});
export const deliverDead = id => call(`${tunnel(id)}/inbox/deliver`, {method: 'POST'});

export const listAudit = async () => (await call('dashboard/audit')).entries;
