// Values of options.

import { InvalidArgumentError } from 'commander';

import { misused } from './failure.js';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90d`, `12h`, `600`: seconds. */
export function duration(text) {
  const [, number, unit = 's'] = /^(\d+)([smhdw])?$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError('Expected a time like 90d, 12h, 30m or 600 (seconds).');
  return Number(number) * SECONDS[unit];
}

/** Seconds since 1970, or a time as ISO 8601 writes it. */
export function moment(text) {
  const secs = /^\d+$/.test(text) ? Number(text) : Math.floor(Date.parse(text) / 1000);
  if (!Number.isSafeInteger(secs)) throw new InvalidArgumentError('Expected seconds since 1970, or a time like 2027-01-31T12:00:00Z.');
  return secs;
}

export function whole(text) {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}

export function port(text) {
  const number = whole(text);
  if (number < 1 || number > 65_535) throw new InvalidArgumentError('Expected 1 to 65535.');
  return number;
}

/** May be given several times; commas part values too. */
export const many = (text, before = []) => [...before, ...text.split(/[\s,]+/).filter(Boolean)];

/** `name=10`, several times. */
export function numbers(text, before = {}) {
  const [, name, number] = /^(.+)=(\d{1,15})$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Expected a name and a number: per-caller=100.');
  return { ...before, [name]: Number(number) };
}

/** An id for a path: of dots a URL would make another path. */
export function idOf(text) {
  if (/^\.*$/.test(text)) throw misused('expected an id');
  return text;
}

/** The id of a key. A key itself is not repeated: it is a secret. */
export function keyId(text) {
  if (text.includes('_')) throw misused('expected the id of the key (keys list), not the key', 'others can see the command line: if it was the key, revoke it');
  return idOf(text);
}

/** Without what was not given. */
export const given = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
