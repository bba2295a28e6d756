// Numbers, times and durations as people read and write them.

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const number = (value) => whole.format(value);
export const compact = (value) => (value < 10_000 ? whole.format(value) : short.format(value));

/** A part of a whole. It says 100 % or 0 % only where it is. */
export function percent(part, all) {
  if (all === 0) return '–';
  const share = (part / all) * 100;
  if (share > 99.9 && part < all) return '> 99.9 %';
  if (share < 0.1 && part > 0) return '< 0.1 %';
  return `${Number(share.toFixed(1))} %`;
}

const two = (value) => String(value).padStart(2, '0');
const clock = (date, withSecs) => `${two(date.getHours())}:${two(date.getMinutes())}${withSecs ? `:${two(date.getSeconds())}` : ''}`;
const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** The time of day, and the day if it is another one. */
export function moment(secs, { seconds = true } = {}) {
  const date = new Date(secs * 1000);
  const now = new Date();
  return day(date) === day(now) ? clock(date, seconds) : `${day(date)} ${clock(date, false)}`;
}

export const dayAndTime = (secs) => `${day(new Date(secs * 1000))} ${clock(new Date(secs * 1000), false)}`;

const UNITS = [['d', 86_400], ['h', 3600], ['min', 60], ['s', 1]];

/** About how long. */
export function duration(secs) {
  const [unit, length] = UNITS.find(([, size]) => secs >= size) ?? UNITS.at(-1);
  return `${Math.floor(secs / length)} ${unit}`;
}

const LENGTHS = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90d`, `12h`, `30m`, `45s` in seconds; `undefined` for nothing, `NaN` for anything else. */
export function seconds(text) {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const found = /^(\d{1,9})([smhd])$/.exec(trimmed);
  return found ? Number(found[1]) * LENGTHS[found[2]] : NaN;
}

/** Words with spaces or commas between. */
export const list = (text) => text.split(/[\s,]+/).filter(Boolean);
