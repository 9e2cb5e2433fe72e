// SPDX-License-Identifier: Apache-2.0
// What the program says by itself. One connection a tab, and none while the tab is hidden: a browser opens six
// connections to a host, and a seventh tab would wait for ever.

import {address} from './api.js';

const EVENTS = ['requests', 'removed', 'status', 'tunnels'];

export class Feed {
  #source = null;
  #listeners;
  #retry = 0;

  /** `listeners` has a function for each event, `reload` for "you missed something", and `isThere(boolean)`. */
  constructor(listeners) {
    this.#listeners = listeners;
    document.addEventListener('visibilitychange', () => document.hidden ? this.#close() : this.open());
    addEventListener('pagehide', () => this.#close());
    addEventListener('pageshow', event => { if (event.persisted) this.open(); });
  }

  open() {
    if (this.#source || document.hidden) return;
    clearTimeout(this.#retry);
    const source = new EventSource(address('events'));
    this.#source = source;
    source.addEventListener('open', () => this.#listeners.isThere(true));
    source.addEventListener('error', () => {
      this.#listeners.isThere(false);
      // After a refusal (503 of a program that ends, 401) a browser doesn't try again by itself.
      if (source.readyState === EventSource.CLOSED) {
        this.#close();
        this.#retry = setTimeout(() => this.open(), 3_000);
      }
    });
    // The first event of each connection, once the program takes note of changes: what passed before is in the list.
    source.addEventListener('reset', () => this.#listeners.reload());
    for (const name of EVENTS) {
      source.addEventListener(name, event => this.#listeners[name](JSON.parse(event.data)));
    }
  }

  #close() {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }
}
