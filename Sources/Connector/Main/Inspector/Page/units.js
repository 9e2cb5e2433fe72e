// SPDX-License-Identifier: Apache-2.0
// Sizes, times and dates for people.

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'];

/** A number of bytes: `0 B`, `1.5 KiB`, `12 MiB`. */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return '';
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** A span in milliseconds: `0.4 ms`, `312 ms`, `4.1 s`, `3 min 10 s`. */
export function span(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return '';
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 3600
    ? `${Math.floor(seconds / 60)} min ${seconds % 60} s`
    : `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
}

const pad = (number, digits = 2) => String(number).padStart(digits, '0');

/** The time of day, as the reader's clock shows it: `14:02:13`. */
export function clock(milliseconds) {
  const date = new Date(milliseconds);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** Date and time of day, to the millisecond: `2026-05-04 14:02:13.481`. */
export function dateAndTime(milliseconds) {
  const date = new Date(milliseconds);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${clock(milliseconds)}.${pad(date.getMilliseconds(), 3)}`;
}

/** How long ago something was, roughly: `42 minutes`. */
export function age(milliseconds) {
  const seconds = Math.max(0, milliseconds / 1000);
  const of = (number, unit) => `${number} ${unit}${number === 1 ? '' : 's'}`;
  if (seconds < 120) return of(Math.round(seconds), 'second');
  if (seconds < 7200) return of(Math.round(seconds / 60), 'minute');
  if (seconds < 172_800) return of(Math.round(seconds / 3600), 'hour');
  return of(Math.round(seconds / 86_400), 'day');
}

export function count(number, thing) {
  return `${number.toLocaleString('en')} ${thing}${number === 1 ? '' : 's'}`;
}
