// SPDX-License-Identifier: Apache-2.0
// A list of any length with as many elements as the window has rows: they are moved and filled as the list scrolls.

const SPARE_ROWS = 6;

export class VirtualList {
  #rows = [];
  #frame = 0;
  #chosen = null;

  /**
   * - `element` scrolls and has the focus, `space` is as high as all rows together and holds those in view.
   * - `source` has `count`, `item(row)`, `rowOf(key)` and `key(item)`.
   * - `make()` gives an empty row element, `fill(element, item)` shows an item in it.
   * - `choose(item)` is told which item was chosen, `open(item)` which was opened by Enter or a second click.
   */
  constructor({element, space, rowHeight, headHeight = 0, idPrefix, source, make, fill, choose, open = () => {}}) {
    Object.assign(this, {element, space, rowHeight, headHeight, idPrefix, source, make, fill, choose, open});
    element.addEventListener('scroll', () => this.draw(), {passive: true});
    new ResizeObserver(() => this.draw()).observe(element);
    element.addEventListener('mousedown', event => {
      const row = event.target.closest('[role=row]');
      if (row?.item && event.button === 0) this.chooseItem(row.item);
    });
    element.addEventListener('dblclick', event => {
      const row = event.target.closest('[role=row]');
      if (row?.item) this.open(row.item);
    });
    element.addEventListener('keydown', event => this.#press(event));
  }

  /** The key of the chosen item. */
  get chosen() { return this.#chosen; }

  get isAtTop() { return this.element.scrollTop < 4; }

  /** Shows what `source` has now. `added` rows came in at the top; a reader who isn't there keeps the rows in view. */
  refresh({added = 0, follows = this.isAtTop} = {}) {
    this.space.style.height = `${this.source.count * this.rowHeight}px`;
    if (added && !follows) this.element.scrollTop += added * this.rowHeight;
    this.draw();
  }

  /** Fills the rows in view of which `isMeant` is true anew, for what depends on the time. */
  refill(isMeant) {
    const meant = this.#rows.filter(row => row.item && isMeant(row.item));
    for (const row of meant) row.version = null;
    if (meant.length) this.draw();
  }

  draw() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#render());
  }

  /** Marks an item as chosen and brings it into view; `tells` whether `choose` is called. */
  chooseItem(item, {tells = true} = {}) {
    this.#chosen = item ? this.source.key(item) : null;
    if (item) this.scrollTo(this.source.rowOf(this.#chosen));
    this.draw();
    if (tells && item) this.choose(item);
  }

  scrollTo(row) {
    if (row < 0) return;
    const {element, rowHeight, headHeight} = this;
    const top = row * rowHeight;
    const room = element.clientHeight - headHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + room) element.scrollTop = top + rowHeight - room;
  }

  #render() {
    this.#frame = 0;
    const {source, rowHeight} = this;
    const total = source.count;
    const first = Math.max(0, Math.floor(this.element.scrollTop / rowHeight) - SPARE_ROWS);
    const room = Math.ceil(this.element.clientHeight / rowHeight) + 2 * SPARE_ROWS;
    const end = Math.min(total, first + room);
    while (this.#rows.length < Math.min(total, room)) {
      const row = this.make();
      this.space.append(row);
      this.#rows.push(row);
    }
    this.element.setAttribute('aria-rowcount', total + (this.headHeight ? 1 : 0));
    // A row keeps its element while it is in view, so that a list that grows at its end changes one element.
    const free = [];
    const kept = new Map();
    for (const row of this.#rows) {
      const index = row.item ? source.rowOf(source.key(row.item)) : -1;
      if (index >= first && index < end && !kept.has(index)) kept.set(index, row);
      else free.push(row);
    }
    // The elements stand in the order of the list, for those who read them in turn; only what changes its row is moved.
    let next = this.space.firstElementChild;
    for (let index = first; index < end; index += 1) {
      const row = kept.get(index) ?? free.shift();
      if (kept.has(index) || row === next) next = row.nextElementSibling;
      else this.space.insertBefore(row, next);
      this.#show(row, index);
    }
    for (const row of free) {
      row.hidden = true;
      row.item = null;
    }
    const isInView = this.#rows.some(row => row.item && source.key(row.item) === this.#chosen);
    if (isInView) this.element.setAttribute('aria-activedescendant', this.idPrefix + this.#chosen);
    else this.element.removeAttribute('aria-activedescendant');
  }

  #show(row, index) {
    const item = this.source.item(index);
    const key = this.source.key(item);
    if (row.hidden) row.hidden = false;
    if (row.index !== index) {
      row.index = index;
      row.style.transform = `translateY(${index * this.rowHeight}px)`;
      row.setAttribute('aria-rowindex', index + (this.headHeight ? 2 : 1));
      row.classList.toggle('odd', index % 2 === 1);
    }
    if (row.item !== item || row.version !== item.version) {
      row.item = item;
      row.version = item.version;
      row.id = this.idPrefix + key;
      this.fill(row, item);
    }
    const isChosen = key === this.#chosen;
    if (row.isChosen !== isChosen) {
      row.isChosen = isChosen;
      row.setAttribute('aria-selected', isChosen);
    }
  }

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const {source} = this;
    const last = source.count - 1;
    if (last < 0) return;
    const at = this.#chosen === null ? -1 : source.rowOf(this.#chosen);
    const page = Math.max(1, Math.floor((this.element.clientHeight - this.headHeight) / this.rowHeight) - 1);
    const to = {
      ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.chooseItem(source.item(Math.min(last, Math.max(0, to))));
    } else if (event.key === 'Enter' && at >= 0) {
      event.preventDefault();
      this.open(source.item(at));
    }
  }
}
