// SPDX-License-Identifier: Apache-2.0
// The tunnels of who has signed in, or all of them for an admin; live.

import {createTunnel, listTunnels} from './calls.js';
import {showToken} from './dialogs.js';
import {button, element, note, notify} from './elements.js';
import {Table, cellButton} from './tables.js';
import {TunnelView, countElsewhere} from './tunnel.js';
import {age, count, size} from './units.js';

const KINDS = ['http', 'tcp', 'tls'];

export class Overview {
  #tunnels = [];
  #cursor = null;
  #chosen = null;
  #detail = null;

  constructor({failed, reload}) {
    this.failed = failed;
    this.reload = reload;
    this.filter = element('input', {
      type: 'search', placeholder: 'Name', 'aria-label': 'Filter by name', autocomplete: 'off', on: {input: () => this.#draw()},
    });
    this.summary = element('span', {class: 'note'});
    this.more = button('More', () => this.#next(), {hidden: true});
    this.place = element('div');
    this.table = new Table({
      label: 'Tunnels',
      key: tunnel => tunnel.tunnel_id,
      columns: [
        {title: 'Tunnel', show: tunnel => cellButton(tunnel.tunnel_id, () => this.choose(tunnel.tunnel_id), tunnel.tunnel_id, {class: 'link'})},
        {title: 'State', show: state},
        {title: 'Kind', class: 'spare', show: tunnel => tunnel.kind ?? 'http'},
        {title: 'Connections', class: 'amount', show: tunnel => tunnel.sessions.length + countElsewhere(tunnel)},
        {title: 'Round trip', class: 'amount', show: tunnel => roundTrip(tunnel)},
        {title: 'Requests', class: 'amount', show: tunnel => tunnel.counters.requests.toLocaleString('en')},
        {title: 'Errors', class: 'amount spare', show: tunnel => tunnel.counters.errors.toLocaleString('en')},
        {title: 'In', class: 'amount spare', show: tunnel => size(tunnel.counters.bytes_received)},
        {title: 'Out', class: 'amount spare', show: tunnel => size(tunnel.counters.bytes_sent)},
        {title: 'Last used', class: 'spare', show: tunnel => tunnel.last_active_at ? `${age(Date.now() - new Date(tunnel.last_active_at))} ago` : 'never'},
      ],
    });
    this.element = element('div', {},
      element('div', {class: 'tools-above'}, this.filter, button('New tunnel', () => this.#create(), {class: 'main'}), this.summary),
      element('div', {class: 'wide'}, this.table.element), this.more, this.place);
  }

  /** Takes up what is so now. */
  async refresh() {
    const {tunnels, next_cursor: cursor, partial} = await listTunnels();
    // Pages that were asked for stay, as they were.
    const known = new Set(tunnels.map(({tunnel_id: id}) => id));
    const last = tunnels.at(-1)?.tunnel_id;
    const further = this.#cursor === null || !cursor ? [] : this.#tunnels.filter(({tunnel_id: id}) => !known.has(id) && id > last);
    if (!further.length) this.#cursor = cursor ?? null;
    this.#tunnels = [...tunnels, ...further];
    this.partial = partial;
    this.#draw();
    const chosen = this.#tunnels.find(({tunnel_id: id}) => id === this.#chosen);
    if (this.#detail && chosen) await this.#detail.update(chosen);
    else if (this.#detail) this.choose(null);
  }

  async #next() {
    try {
      const {tunnels, next_cursor: cursor} = await listTunnels(this.#cursor);
      this.#tunnels.push(...tunnels);
      this.#cursor = cursor ?? null;
      this.#draw();
    } catch (error) {
      this.failed(error);
    }
  }

  #draw() {
    const word = this.filter.value.trim().toLowerCase();
    const shown = this.#tunnels.filter(({tunnel_id: id}) => id.includes(word));
    this.table.show(shown, {chosen: this.#chosen});
    const online = shown.filter(tunnel => tunnel.state === 'online').length;
    this.summary.textContent = `${count(shown.length, 'tunnel')}, ${online} online`
      + (this.partial ? '; those of other edges can’t be asked for now' : '');
    this.more.hidden = this.#cursor === null;
  }

  choose(id) {
    this.#chosen = id;
    const tunnel = this.#tunnels.find(({tunnel_id: other}) => other === id);
    this.#detail = tunnel ? new TunnelView(tunnel, {failed: this.failed, gone: () => this.#gone(id), close: () => this.choose(null)}) : null;
    this.place.replaceChildren(...(this.#detail ? [this.#detail.element] : []));
    this.#detail?.load();
    this.#draw();
    if (tunnel) this.#detail.element.querySelector('h2').focus();
  }

  #gone(id) {
    this.#tunnels = this.#tunnels.filter(({tunnel_id: other}) => other !== id);
    this.choose(null);
    notify(`${id} is deleted`);
  }

  #create() {
    const name = element('input', {name: 'name', pattern: '[a-z0-9\\-]{3,63}', placeholder: 'my-app', autocomplete: 'off', 'aria-describedby': 'name-help'});
    const kind = element('select', {name: 'kind'}, KINDS.map(value => element('option', {value, text: value})));
    const refusal = element('p', {class: 'warning', role: 'alert', hidden: true});
    const dialog = element('dialog', {'aria-label': 'New tunnel', on: {close: () => dialog.remove()}},
      element('h2', {text: 'New tunnel'}),
      element('form', {class: 'create', on: {submit: async event => {
        event.preventDefault();
        try {
          const made = await createTunnel({...(name.value && {name: name.value}), kind: kind.value});
          dialog.close();
          showToken(made);
          await this.reload();
        } catch (error) {
          refusal.textContent = error.message;
          refusal.hidden = false;
        }
      }}},
      element('label', {}, 'Name ', name), note(element('span', {id: 'name-help', text: '3 to 63 of a-z, 0-9 and -; drawn at random if there is none.'})),
      element('label', {}, 'Kind ', kind), refusal,
      element('div', {class: 'bar'}, button('Cancel', () => dialog.close()), element('button', {class: 'main', text: 'Create'}))));
    document.body.append(dialog);
    dialog.showModal();
  }
}

function state(tunnel) {
  return element('span', {data: {version: tunnel.state}}, element('span', {class: `dot ${tunnel.state}`}), tunnel.state);
}

function roundTrip(tunnel) {
  const times = tunnel.sessions.map(session => session.round_trip_ms).filter(time => time !== undefined && time !== null);
  return times.length ? `${Math.min(...times).toFixed(1)} ms` : '';
}
