// SPDX-License-Identifier: Apache-2.0
// Calls about the inbox of a tunnel, which the program passes on to the edge with its key.

import {bodyAt, call, getJSON} from './api.js';

const inbox = tunnel => `tunnels/${encodeURIComponent(tunnel)}/inbox`;
const message = (tunnel, id) => `${inbox(tunnel)}/messages/${encodeURIComponent(id)}`;
const post = async (path, body) => (await call(path, {method: 'POST', body})).json();

/** `inbox` with numbers, or `missing` with the reason for which there is none to look at. */
export const getInbox = tunnel => getJSON(inbox(tunnel));

export const listMessages = (tunnel, {state, cursor, limit = 100}, signal) =>
  getJSON(`${inbox(tunnel)}/messages?${new URLSearchParams({limit, ...(state && {state}), ...(cursor && {cursor})})}`, {signal});

/** A message in the form in which exchanges are shown: `request`, and what the edge says of it in `message`. */
export async function getMessage(tunnel, id, signal) {
  const answer = await getJSON(message(tunnel, id), {signal});
  return {...answer, id: answer.message.id, method: answer.request.method, isMessage: true};
}

export const deliver = (tunnel, id) => post(`${message(tunnel, id)}/deliver`);
export const deliverDead = tunnel => post(`${inbox(tunnel)}/deliver`);
export const skip = (tunnel, id) => post(`${message(tunnel, id)}/skip`);
export const removeMessage = (tunnel, id) => call(message(tunnel, id), {method: 'DELETE'});

/** Sends a message to the local server, changed, and gives the ids of the requests that it became. */
export const send = async (tunnel, {id, ...change}) => (await post(`${message(tunnel, id)}/send`, change)).ids;

/** The calls for the body of a message, in the place of those for the body of an exchange. */
export const bodiesOf = tunnel => ({
  getBody: (id, side, body, signal) => bodyAt(`${message(tunnel, id)}/body`, body, signal),
  getStoredBody: async id => new Uint8Array(await (await call(`${message(tunnel, id)}/body?stored=1`)).arrayBuffer()),
});

export const getRaw = async (tunnel, id, signal) =>
  new Uint8Array(await (await call(`${message(tunnel, id)}/raw`, {signal})).arrayBuffer());
