// SPDX-License-Identifier: Apache-2.0
// One tunnel: where it is, who serves it, what can be done with it, and its inbox.

import {deleteTunnel, endAccess, getInbox, giveAccess, replaceToken} from './calls.js';
import {ask, askLifetime, showAccess, showToken} from './dialogs.js';
import {button, element, note, notify} from './elements.js';
import {InboxView} from './inbox.js';
import {Table} from './tables.js';
import {age} from './units.js';

/** How many connections other edges have of a tunnel. */
export const countElsewhere = tunnel => (tunnel.elsewhere ?? []).reduce((sum, edge) => sum + edge.sessions, 0);

export class TunnelView {
  #inbox = null;

  constructor(tunnel, {failed, gone, close}) {
    this.tunnel = tunnel;
    this.failed = failed;
    this.gone = gone;
    const id = tunnel.tunnel_id;
    this.sessions = new Table({
      label: `Connections of ${id}`,
      key: session => session.session_id,
      columns: [
        {title: 'Connector', show: session => session.implementation ?? 'unknown'},
        {title: 'From', show: session => session.remote_address ?? ''},
        {title: 'Since', show: session => `${age(Date.now() - new Date(session.connected_at))} ago`},
        {title: 'Round trip', class: 'amount', show: session => session.round_trip_ms === undefined ? '' : `${session.round_trip_ms.toFixed(1)} ms`},
        {title: 'Streams', class: 'amount', show: session => session.active_streams},
        {title: '', show: session => session.suspended_since ? 'waits for its connector' : session.draining ? 'leaves' : ''},
      ],
    });
    this.nobody = note('Nothing is connected.');
    this.inbox = element('div');
    this.element = element('section', {class: 'chosen-one', 'aria-label': `Tunnel ${id}`},
      element('h2', {text: id, tabIndex: -1}),
      (tunnel.urls ?? [tunnel.url]).map(url => element('p', {}, /^https?:/.test(url)
        ? element('a', {href: url, target: '_blank', rel: 'noreferrer', text: url}) : url)),
      element('div', {class: 'bar'},
        button('New token', () => this.#renew()),
        button('Give access', () => this.#giveAccess()),
        button('End access', () => this.#endAccess()),
        button('Delete', () => this.#delete(), {class: 'danger'}),
        button('Close', close)),
      element('h3', {text: 'Connections'}), this.nobody, element('div', {class: 'wide'}, this.sessions.element), this.inbox);
    this.#draw();
  }

  /** Asks for what the list does not say. */
  async load() {
    if ((this.tunnel.kind ?? 'http') !== 'http') return;
    try {
      const status = await getInbox(this.tunnel.tunnel_id);
      if (!status) {
        this.#inbox = null;
        this.inbox.replaceChildren(element('h3', {text: 'Inbox'}),
          note('There is none. culvert inbox set has the edge keep webhooks that come while nothing is connected.'));
        return;
      }
      this.#inbox = new InboxView(this.tunnel.tunnel_id, {failed: this.failed});
      this.inbox.replaceChildren(this.#inbox.element);
      await this.#inbox.update(status);
    } catch (error) {
      this.failed(error);
    }
  }

  async update(tunnel) {
    this.tunnel = tunnel;
    this.#draw();
    if (this.#inbox) await this.#inbox.update(await getInbox(tunnel.tunnel_id));
  }

  #draw() {
    this.sessions.show(this.tunnel.sessions);
    const others = this.tunnel.elsewhere ?? [];
    this.nobody.textContent = others.length
      ? `At other edges: ${others.map(edge => `${edge.sessions} (${edge.pod})`).join(', ')}.`
      // Something serves it: which edges have that only the registry knows, which does not answer.
      : this.tunnel.state === 'online' ? "Which connections other edges have can't be told now."
        : 'Nothing is connected.';
    this.nobody.hidden = this.tunnel.sessions.length > 0 && others.length === 0;
    this.sessions.element.hidden = this.tunnel.sessions.length === 0;
  }

  async #renew() {
    const id = this.tunnel.tunnel_id;
    const isMeant = await ask('New token', `Connectors of ${id} that have the token of now are let go soon.`, 'Make a new token');
    if (!isMeant) return;
    try {
      showToken(await replaceToken(id));
    } catch (error) {
      this.failed(error);
    }
  }

  async #giveAccess() {
    const id = this.tunnel.tunnel_id;
    const lifetime = await askLifetime(id);
    if (lifetime === null) return;
    try {
      showAccess(await giveAccess(id, lifetime));
    } catch (error) {
      this.failed(error);
    }
  }

  async #endAccess() {
    const id = this.tunnel.tunnel_id;
    if (!await ask('End access', `All access tokens of ${id} end, and who came with one is cut off.`, 'End all')) return;
    try {
      await endAccess(id);
      notify(`Access to ${id} has ended`);
    } catch (error) {
      this.failed(error);
    }
  }

  async #delete() {
    const id = this.tunnel.tunnel_id;
    const waiting = this.#inbox?.waiting ? ` ${this.#inbox.waiting} messages wait in its inbox and go with it.` : '';
    if (!await ask(`Delete ${id}`, `Its token stays dead, and its name is free.${waiting}`, 'Delete')) return;
    try {
      await deleteTunnel(id);
      this.gone();
    } catch (error) {
      this.failed(error);
    }
  }
}
