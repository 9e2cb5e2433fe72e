// SPDX-License-Identifier: Apache-2.0
// The tunnels in the page's head, and what there is to see before the first request.

import {button, byID, copy, element, note} from './elements.js';
import {size, span} from './units.js';

/** Links that show one tunnel's exchanges or all of them; `chosen` is a tunnel's name or null. */
export function showTunnels(tunnels, chosen, choose) {
  const focused = document.activeElement?.dataset.tunnel;
  const links = [
    ...(tunnels.length > 1 ? [tunnelButton('', 'All', '', chosen === null, () => choose(null))] : []),
    ...tunnels.map(tunnel => tunnelButton(tunnel.name, tunnel.name, tunnel.state, chosen === tunnel.name,
      () => choose(chosen === tunnel.name ? null : tunnel.name), titleOf(tunnel), tunnel.edge_answers)),
  ];
  byID('tunnels').replaceChildren(...links);
  if (focused !== undefined) byID('tunnels').querySelector(`[data-tunnel="${CSS.escape(focused)}"]`)?.focus();
}

function tunnelButton(name, text, state, isChosen, action, title, edgeAnswers = 0) {
  return element('button', {
    type: 'button', class: 'tunnel', title, 'aria-pressed': String(isChosen), data: {tunnel: name, state}, on: {click: action},
  }, text, state && state !== 'online' && element('span', {class: 'state', text: state}),
  edgeAnswers > 0 && element('span', {class: 'state', text: `${edgeAnswers} answered by the edge`}));
}

function titleOf({public_url: url, config, state, origin_failure: failure, connections = [], ...tunnel}) {
  const trips = connections.map(({state: of, round_trip_ms: trip}) => typeof trip === 'number' ? span(trip) : of).join(', ');
  const kinds = Object.entries(tunnel.edge_answers_by_code ?? {}).sort(([, one], [, other]) => other - one)
    .map(([code, number]) => `${number} ${code.replaceAll('_', ' ')}`).join(', ');
  const atEdge = tunnel.edge_answers > 0
    && `The edge answered ${tunnel.edge_answers} requests itself${kinds && `: ${kinds}`}.`;
  return [`${url} → ${config?.addr ?? ''}`, `${state}${trips ? ` (${trips})` : ''}`, failure, atEdge].filter(Boolean).join('\n');
}

/** What a first visit shows. */
export function firstVisit(tunnels, status) {
  return element('div', {class: 'welcome'},
    element('h2', {text: 'Nothing has passed yet'}),
    ...tunnels.filter(tunnel => tunnel.public_url).map(({public_url: url, config}) => element('p', {},
      element('a', {href: safeLink(url), target: '_blank', rel: 'noopener noreferrer', text: url}),
      ` leads to ${config?.addr ?? 'your server'}.`,
      element('span', {class: 'try'},
        element('code', {text: `curl ${url}`}), button('Copy', () => copy(`curl ${url}`, 'Command'))))),
    note('Requests appear here as your server sees them, with their responses, also after this page was closed. ',
      status && `Up to ${size(status.memory_limit)} is kept in memory, the first ${size(status.body_limit)} of each body; `
        + 'the oldest goes first. Nothing is written to a disk.'),
    note('What the edge answers itself never comes this far: a wrong password, an address that is not allowed, '
      + 'too many requests, a tunnel that is offline.'));
}

/** An address that a click may open: one of the web, never a script. */
const safeLink = url => /^https?:\/\//.test(url) ? url : undefined;
