// SPDX-License-Identifier: Apache-2.0
// What differs between two texts, line by line, and between two lists of fields.

/** How many lines may differ before the search ends: its time grows with the square of this. */
const MOST_EDITS = 500;

/**
 * The lines of both texts as `[sign, line]`: ` ` in both, `-` only in the first, `+` only in the second (E. Myers, "An O(ND)
 * Difference Algorithm and Its Variations", 1986). Texts that have too little in common are given one after the other.
 */
export function lineDifference(first, second) {
  let start = 0;
  while (start < first.length && start < second.length && first[start] === second[start]) start += 1;
  let tail = 0;
  while (
    tail < first.length - start && tail < second.length - start
    && first[first.length - 1 - tail] === second[second.length - 1 - tail]
  ) tail += 1;
  const middle = difference(first.slice(start, first.length - tail), second.slice(start, second.length - tail));
  const same = line => [' ', line];
  return [...first.slice(0, start).map(same), ...middle, ...first.slice(first.length - tail).map(same)];
}

function difference(first, second) {
  const most = Math.min(MOST_EDITS, first.length + second.length);
  const trace = [];
  let furthest = new Map([[1, 0]]);
  for (let edits = 0; edits <= most; edits += 1) {
    trace.push(furthest);
    const next = new Map(furthest);
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = stepsDown(furthest, diagonal, edits) ? furthest.get(diagonal + 1) : furthest.get(diagonal - 1) + 1;
      while (x < first.length && x - diagonal < second.length && first[x] === second[x - diagonal]) x += 1;
      next.set(diagonal, x);
      if (x >= first.length && x - diagonal >= second.length) return walkBack(trace, first, second);
    }
    furthest = next;
  }
  return [...first.map(line => ['-', line]), ...second.map(line => ['+', line])];
}

const stepsDown = (furthest, diagonal, edits) => diagonal === -edits
  || (diagonal !== edits && (furthest.get(diagonal - 1) ?? -1) < (furthest.get(diagonal + 1) ?? -1));

function walkBack(trace, first, second) {
  const lines = [];
  let x = first.length;
  let y = second.length;
  for (let edits = trace.length - 1; edits >= 0; edits -= 1) {
    const diagonal = x - y;
    const from = stepsDown(trace[edits], diagonal, edits) ? diagonal + 1 : diagonal - 1;
    const fromX = edits ? trace[edits].get(from) : 0;
    const fromY = edits ? fromX - from : 0;
    while (x > fromX && y > fromY && first[x - 1] === second[y - 1]) {
      lines.push([' ', first[x - 1]]);
      x -= 1;
      y -= 1;
    }
    if (x > fromX) lines.push(['-', first[x -= 1]]);
    else if (y > fromY) lines.push(['+', second[y -= 1]]);
  }
  return lines.reverse();
}

/**
 * What differs between two lists of fields: `[sign, name, before, after]` with the signs `-`, `+` and `~`. Names are
 * compared without their case; of fields that repeat, the first is compared with the first.
 */
export function fieldDifference(first, second) {
  const left = second.map(([name, value]) => ({name, value, isUsed: false}));
  const differences = [];
  for (const [name, value] of first) {
    const other = left.find(field => !field.isUsed && field.name.toLowerCase() === name.toLowerCase());
    if (!other) {
      differences.push(['-', name, value, null]);
      continue;
    }
    other.isUsed = true;
    if (other.value !== value) differences.push(['~', name, value, other.value]);
  }
  for (const {name, value, isUsed} of left) if (!isUsed) differences.push(['+', name, null, value]);
  return differences;
}
