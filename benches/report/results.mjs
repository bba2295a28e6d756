// What `benches/run.mjs` has measured: read, judged, and as text.

/** A machine that does nothing else may have compiled a moment ago. */
const BUSY = 1.5;

/**
 * What a ratio is of. `speed`: the peer's time by the subject's, times faster. `throughput`: the subject's requests per second
 * by the peer's. `time`: the subject's time by the peer's. `memory`: the same of memory. `size`: the subject's bytes by what is wanted.
 */
const KINDS = ['speed', 'throughput', 'time', 'memory', 'size'];

/** Whether a greater ratio is the better one. */
export const moreIsBetter = ({ kind }) => kind === 'speed' || kind === 'throughput';

const EXPECTED = {
  'a list': Array.isArray,
  'a bool': (value) => typeof value === 'boolean',
  'a string': (value) => typeof value === 'string',
  'a number': (value) => typeof value === 'number',
};
const ROW = { id: 'a string', about: 'a string', comparisons: 'a list' };
const COMPARISON = {
  subject: 'a string', peer: 'a string', kind: 'a string', ratio: 'a number', unit: 'a string', subject_value: 'a number', peer_value: 'a number',
};

function check(value, members) {
  for (const [name, expected] of Object.entries(members)) {
    if (!EXPECTED[expected](value?.[name])) throw new Error(`${name}: expected ${expected}`);
  }
}

/** A whole run, or part of one. The first fault is named in what is thrown. */
export function read(text) {
  let results;
  try {
    results = JSON.parse(text);
  } catch (error) {
    throw new Error('the results are not JSON', { cause: error });
  }
  check(results, { whole: 'a bool', rows: 'a list' });
  for (const row of results.rows) {
    check(row, ROW);
    for (const comparison of row.comparisons) {
      check(comparison, COMPARISON);
      if (!KINDS.includes(comparison.kind)) throw new Error(`kind: ${comparison.kind} is none`);
    }
  }
  return results;
}

/** The load average before the run, if it was more than somebody who types causes. */
export function loadOfOthers({ machine }) {
  const before = machine?.load?.[0];
  return before > BUSY ? before : undefined;
}

/** `true` up to and including the target; `undefined` where nothing is wanted of it. */
export function isMet({ ratio, target }) {
  if (target?.at_least !== undefined) return ratio >= target.at_least;
  if (target?.at_most !== undefined) return ratio <= target.at_most;
  return undefined;
}

/** Whether any target of the row is missed. */
export const isMissed = (row) => row.comparisons.some((comparison) => isMet(comparison) === false);

/** `met`, `not met`, or nothing. */
export const verdict = (comparison) => ({ true: 'met', false: 'not met' })[isMet(comparison)] ?? '';

/** `1.12× (1.05–1.21)`; sizes have no quartiles. */
export function ratioText({ ratio, quartiles }) {
  const middle = quartiles ? ` (${quartiles.map((one) => one.toFixed(2)).join('–')})` : '';
  return `${ratio.toFixed(2)}×${middle}`;
}

/** `≥ 1.3×`, or nothing. */
export function targetText({ target }) {
  if (target?.at_least !== undefined) return `≥ ${target.at_least}×`;
  if (target?.at_most !== undefined) return `≤ ${target.at_most}×`;
  return '';
}

/** `5.28 : 6.59 µs`: the subject's median and the peer's. */
export const valuesText = ({ subject_value: subject, peer_value: peer, unit }) => `${number(subject)} : ${number(peer)} ${unit}`;

/** With as many digits as mean something, and commas between thousands. */
export function number(value) {
  if (value < 10) return value.toFixed(2);
  if (value < 100) return value.toFixed(1);
  return thousands(value.toFixed(0));
}

/** `1234567` as `1,234,567`. */
export const thousands = (digits) => String(digits).replace(/\B(?=(\d{3})+$)/g, ',');
