// Log-ins by password, in workerd: whether time tells a name that nobody has from one with another password (Welch's t-test), and what a
// hash costs, beside argon2id of Node's own cryptography.

import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';

import { start } from '../../tests/worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../../tests/worker/sessions.mjs';
import { compare, compareWithTarget, quantile, wallClock } from '../lib/measure.mjs';
import { withProcessorClock } from '../lib/workerd-process.mjs';

const PASSWORD = 'quiet river, late boat';

/** The cheapest hashes that a policy takes: the rest of a log-in shows best beside them. */
const CHEAP = { memory_kib: 7168, iterations: 5 };
const USUAL = { memory_kib: 19_456, iterations: 2 };

/** Above this, times differ: the bound of dudect (Reparaz, Balasch, Verbauwhede 2017). */
const T_AT_MOST = 4.5;

/** Strangers may have 50 hashes at once, and ten a second. */
const AT_ONCE = 40;
const REST_SECS = 30;

/** With this the slowest tenth is left out: what others do on the machine. */
const KEPT = 0.9;

const nobody = () => `nobody-${crypto.randomBytes(8).toString('hex')}@example.com`;

async function gateWith(context, hash) {
  const policy = sessionPolicy({ accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], hash } });
  const { started: gate, memory } = await withProcessorClock(() => start([sessionWorker({ policy })]));
  context.closing.push(() => gate.dispose());
  return { sessions: new Sessions(gate), memory };
}

async function account(sessions) {
  const email = `person-${crypto.randomBytes(8).toString('hex')}@example.com`;
  const answer = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(answer.status, 201, answer.text);
  return email;
}

const logIn = (sessions, email, password) => sessions.post('/auth/login', { body: { email, password } });

async function timed(sessions, email) {
  const began = wallClock();
  const answer = await logIn(sessions, email, 'another password');
  const took = wallClock() - began;
  assert.equal(answer.status, 401, answer.text);
  return took;
}

const mean = (list) => list.reduce((sum, one) => sum + one, 0) / list.length;
const variance = (list) => {
  const middle = mean(list);
  return list.reduce((sum, one) => sum + (one - middle) ** 2, 0) / (list.length - 1);
};

/** How many standard errors two means are apart. */
export const welch = (some, others) =>
  Math.abs(mean(some) - mean(others)) / Math.sqrt(variance(some) / some.length + variance(others) / others.length);

/** Times of so many wrong guesses, half of them at names that nobody has, in no order. A name is guessed at less often than it may be. */
async function guesses(sessions, count) {
  // In a window of 900 s are 30 rests, and 1,200 guesses.
  const names = Math.min(400, Math.ceil(count / 2));
  const known = [];
  for (let index = 0; index < names; index += 1) known.push(await account(sessions));
  const unknown = known.map(nobody);
  const times = { known: [], unknown: [] };
  for (let index = 0; index < count; index += 1) {
    if (index % AT_ONCE === 0) await sessions.wait(REST_SECS);
    const which = crypto.randomInt(2) === 0 ? 'known' : 'unknown';
    const list = which === 'known' ? known : unknown;
    times[which].push(await timed(sessions, list[times[which].length % names]));
  }
  return times;
}

const times = (count, quickCount) => async (context) => {
  const { sessions } = await gateWith(context, CHEAP);
  // For the compilers of V8 to be done.
  await guesses(sessions, 40);
  const { known, unknown } = await guesses(sessions, context.quick ? quickCount : count);
  const most = quantile([...known, ...unknown], KEPT);
  const t = welch(known.filter((one) => one <= most), unknown.filter((one) => one <= most));
  return [compareWithTarget({ subject: { name: 'Welch’s t of names that are known and unknown', times: [t] }, value: T_AT_MOST, unit: 't' })];
};

/** argon2id of OpenSSL, by Node 24.7 and later. */
function native() {
  const { memory_kib: memory, iterations: passes } = USUAL;
  crypto.argon2Sync('argon2id', { message: PASSWORD, nonce: crypto.randomBytes(16), parallelism: 1, tagLength: 32, memory, passes });
}

async function hash(context) {
  const { sessions, memory } = await gateWith(context, USUAL);
  // What an isolate has before its first hash; a name that nobody has asks no other endpoint.
  await sessions.get('/health');
  const before = memory();
  await logIn(sessions, nobody(), PASSWORD);
  const after = memory();
  const ours = [];
  const theirs = [];
  for (let round = 0; round < (context.quick ? 9 : 51); round += 1) {
    if (round % AT_ONCE === 0) await sessions.wait(REST_SECS);
    ours.push(await timed(sessions, nobody()));
    if (crypto.argon2Sync === undefined) continue;
    const began = wallClock();
    native();
    theirs.push(wallClock() - began);
  }
  const subject = { name: 'a log-in in workerd, argon2id included', times: ours };
  return [
    ...(theirs.length > 0 ? [compare({ subject, peer: { name: 'argon2id of Node', times: theirs }, kind: 'time', unit: 'ms' })] : []),
    ...(before === undefined ? [] : [compare({
      subject: { name: 'workerd after its first hash', times: [after] }, peer: { name: 'before it', times: [before] }, kind: 'time', unit: 'MiB',
    })]),
  ];
}

export const ACCOUNT_ROWS = [
  { id: 'accounts', about: 'A log-in by password', run: hash },
  { id: 'accounts-time', about: 'A name that nobody has, by time: 2,000 log-ins', run: times(2000, 200) },
  { id: 'accounts-time-long', about: 'A name that nobody has, by time: 100,000 log-ins', run: times(100_000, 400), full: true },
];
