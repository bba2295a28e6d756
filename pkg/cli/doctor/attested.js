// doctor.toml: what somebody answers for where nothing can prove it.

import { existsSync } from 'node:fs';

import { misused } from '../failure.js';
import { readDocument } from '../project.js';
import { LINES, warn } from './checklist.js';

const FIELDS = ['id', 'by', 'date', 'reason', 'until'];

/** Nobody answers for longer than that without looking again. */
const MAX_DAYS = 400;
const DAY_MILLIS = 86_400_000;

/**
 * The attestations of a file, `{id, by, date, reason, until}` each.
 *
 * A name that is none, a field that is missing or not known, a time that is none: the file is refused as a whole. What is
 * written here stands in the place of a proof.
 */
export function readAttested(file, isNamed) {
  if (!existsSync(file)) {
    if (isNamed) throw misused(`${file}: there is no such file`);
    return [];
  }
  const { value: { attested = [], ...others } } = readDocument(file);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw misused(`${file}: ${unknown} is not a known field`, 'expected [[attested]], several times');
  if (!Array.isArray(attested)) throw misused(`${file}: attested: expected a list`);
  return attested.map((one, at) => checked(one, `${file}: attested[${at}]`));
}

function checked(one, place) {
  for (const name of Object.keys(one)) if (!FIELDS.includes(name)) throw misused(`${place}.${name}: is not a known field`, `expected ${FIELDS.join(', ')}`);
  for (const name of FIELDS) if (one[name] === undefined) throw misused(`${place}.${name}: is required`);
  for (const name of ['id', 'by', 'reason']) if (typeof one[name] !== 'string' || one[name].trim() === '') throw misused(`${place}.${name}: expected a text`);
  if (!LINES.some(({ id }) => id === one.id)) throw misused(`${place}.id: there is no line ${one.id}`, 'npx edgegate doctor --json lists the ids');
  const [date, until] = ['date', 'until'].map((name) => moment(one[name], `${place}.${name}`));
  if (until <= date || until - date > MAX_DAYS * DAY_MILLIS) throw misused(`${place}.until: expected a day after date, at most ${MAX_DAYS} days later`);
  return { ...one, date, until };
}

/** A date of TOML, or a text that is one. */
function moment(value, place) {
  const text = value instanceof Date ? value.toISOString() : value;
  const millis = typeof text === 'string' && /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isFinite(millis)) throw misused(`${place}: expected a date like 2027-01-31`);
  return millis;
}

const day = (millis) => new Date(millis).toISOString().slice(0, 10);

/**
 * The findings with what is attested. An attestation answers what is unknown, and accepts a warning. It never answers a failure,
 * which is proven, and nothing once it is over.
 */
export function withAttested(findings, attested, now) {
  return LINES.flatMap(({ id }) => {
    const own = findings.filter((one) => one.id === id);
    const given = attested.filter((one) => one.id === id);
    const valid = given.filter(({ date, until }) => date <= now && now < until);
    const over = given.filter((one) => !valid.includes(one)).map(({ by, date, until }) => ({
      id, kind: 'attested', ...warn(`what ${by} attested is not valid: ${day(date)} to ${day(until)}`, { fix: 'look again, and renew it in doctor.toml' }),
    }));
    if (valid.length === 0) return [...own, ...over];
    const answered = own.filter(({ state }) => ['UNKNOWN', 'WARN'].includes(state));
    const found = answered.length > 0 ? `. Found: ${answered.map(({ evidence }) => evidence).join('; ')}` : '';
    const told = valid.map(({ by, date, until, reason }) => ({
      id, kind: 'attested', state: 'ATTESTED', evidence: `${by}, ${day(date)}, until ${day(until)}: ${reason}${found}`,
    }));
    return [...own.filter((one) => !answered.includes(one)), ...told, ...over];
  });
}
