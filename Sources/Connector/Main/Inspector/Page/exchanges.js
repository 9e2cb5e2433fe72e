// SPDX-License-Identifier: Apache-2.0
// The exchanges that the program keeps, as summaries, and which of them are shown. Ids sort by age as text.

export class Exchanges {
  /** Id → summary. A summary that changes stays the same object; its `version` grows. */
  #byID = new Map();
  /** Ids of those that are shown, oldest first: what is new is appended, and nothing moves. */
  #shown = [];
  #matches = () => true;

  get count() { return this.#byID.size; }
  get shownCount() { return this.#shown.length; }

  get(id) { return this.#byID.get(id); }

  /** The summary in a row of the list; row 0 is the newest. */
  inRow(row) { return this.#byID.get(this.#shown[this.#shown.length - 1 - row]); }

  /** The row of an exchange, -1 if it isn't shown. */
  rowOf(id) {
    const index = this.#place(id);
    return this.#shown[index] === id ? this.#shown.length - 1 - index : -1;
  }

  /** Forgets what there is and takes all of `summaries`, in any order. */
  load(summaries) {
    const old = this.#byID;
    this.#byID = new Map();
    for (const summary of summaries) this.#byID.set(summary.id, renewed(old.get(summary.id), summary));
    this.#fill();
  }

  /** Takes summaries beside those there are, in any order. */
  add(summaries) {
    for (const summary of summaries) this.#byID.set(summary.id, renewed(this.#byID.get(summary.id), summary));
    this.#fill();
  }

  /** Shows only what `matches` says. */
  show(matches) {
    this.#matches = matches;
    this.#fill();
  }

  /** Takes new and changed summaries; answers how many rows came in at the top. */
  take(summaries) {
    let added = 0;
    for (const summary of summaries) {
      const item = renewed(this.#byID.get(summary.id), summary);
      this.#byID.set(item.id, item);
      const index = this.#place(item.id);
      const isShown = this.#shown[index] === item.id;
      const shouldBe = this.#matches(item);
      if (shouldBe && !isShown) {
        if (index === this.#shown.length) added += 1;
        this.#shown.splice(index, 0, item.id);
      } else if (!shouldBe && isShown) {
        this.#shown.splice(index, 1);
      }
    }
    return added;
  }

  remove(ids) {
    for (const id of ids) {
      this.#byID.delete(id);
      const index = this.#place(id);
      if (this.#shown[index] === id) this.#shown.splice(index, 1);
    }
  }

  /** Forgets what is older than `id`: the program has let go of it to stay within its memory. */
  removeOlder(id) {
    for (const old of this.#byID.keys()) if (old < id) this.#byID.delete(old);
    this.#shown.splice(0, this.#place(id));
  }

  #fill() {
    this.#shown = [];
    for (const [id, item] of this.#byID) if (this.#matches(item)) this.#shown.push(id);
    this.#shown.sort();
  }

  /** Where an id is, or would be, among those shown. */
  #place(id) {
    const last = this.#shown.length - 1;
    if (last < 0 || id > this.#shown[last]) return last + 1;
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#shown[middle] < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The object that stands for an exchange, with what is known of it now. */
function renewed(old, summary) {
  if (!old) return {...summary, version: 1};
  const version = old.version + 1;
  for (const name of Object.keys(old)) if (!(name in summary)) delete old[name];
  return Object.assign(old, summary, {version});
}
