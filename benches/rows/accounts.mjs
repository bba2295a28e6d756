// Log-ins by password, in workerd: whether time tells a name that nobody has from one with another password (Welch's t-test), and what a
// hash costs, beside the same code natively and argon2id of Node's own cryptography.

import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { availableParallelism } from 'node:os';

import { start } from '../../tests/worker/harness.mjs';
import { moduleMemory, tellingMemory } from '../../tests/worker/module-memory.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../../tests/worker/sessions.mjs';
import { cheaperHashes } from '../lib/account-worker.mjs';
import { nativeHash } from '../lib/argon2-native.mjs';
import { compare, compareWithTarget, processorClock, quantile, wallClock } from '../lib/measure.mjs';
import { withProcessorClock } from '../lib/workerd-process.mjs';

const PASSWORD = 'quiet river, late boat';

/** The cheapest hash that a policy takes: the rest of a log-in shows best beside it. */
const CHEAP = { memory_kib: 7168, iterations: 5 };
const USUAL = { memory_kib: 19_456, iterations: 2 };
/** A fifth of the cheapest one, which no policy takes as the Worker is deployed. */
const A_FIFTH = { memory_kib: 7168, iterations: 1 };

/** Above this, times differ: the bound of dudect (Reparaz, Balasch, Verbauwhede 2017). */
const T_AT_MOST = 4.5;

/** Strangers may have 50 hashes at once, and ten a second. */
const AT_ONCE = 40;
const REST_SECS = 30;

/** With this the slowest tenth is left out: what others do on the machine. */
const KEPT = 0.9;

/** In a window of 900 s are 30 rests, so 1,200 guesses: of each name and each address fewer than five. */
const NAMES = 400;
const ADDRESSES = 600;

const nobody = () => `nobody-${crypto.randomBytes(8).toString('hex')}@example.com`;

async function gateWith(context, hash, changed = (worker) => worker) {
  const policy = sessionPolicy({ accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], hash } });
  const { started: gate, memory, clock } = await withProcessorClock(() => start([changed(sessionWorker({ policy }))]));
  context.closing.push(() => gate.dispose());
  return { sessions: new Sessions(gate), memory, clock: clock ?? wallClock };
}

async function account(sessions) {
  const email = `person-${crypto.randomBytes(8).toString('hex')}@example.com`;
  const answer = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(answer.status, 201, answer.text);
  return email;
}

/** What a wrong password takes, by this clock. */
async function timed({ sessions, email, ip, clock = wallClock }) {
  const began = clock();
  const answer = await sessions.post('/auth/login', { body: { email, password: 'another password' }, ip });
  const took = clock() - began;
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

/** Times of so many wrong guesses, half of them at names that nobody has, in no order. */
async function guesses({ sessions }, count) {
  const names = Math.min(NAMES, Math.ceil(count / 2));
  const known = [];
  for (let index = 0; index < names; index += 1) known.push(await account(sessions));
  const lists = { known, unknown: known.map(nobody) };
  const ips = Array.from({ length: ADDRESSES }, (_, index) => `198.18.${index >> 8}.${index & 255}`);
  let sent = 0;
  const guess = async (email) => {
    if (sent % AT_ONCE === 0) await sessions.wait(REST_SECS);
    sent += 1;
    return timed({ sessions, email, ip: ips[sent % ADDRESSES] });
  };
  // An object that nobody has asked yet is made first; and the compilers of V8 are to be done.
  for (const email of [...lists.known, ...lists.unknown]) await guess(email);
  const times = { known: [], unknown: [] };
  for (let index = 0; index < count; index += 1) {
    const which = crypto.randomInt(2) === 0 ? 'known' : 'unknown';
    times[which].push(await guess(lists[which][times[which].length % names]));
  }
  return times;
}

/** The guesses are shared by gates that run side by side, one for a core. */
async function guessesOf(gates, count) {
  const all = await Promise.all(gates.map((gate) => guesses(gate, Math.ceil(count / gates.length))));
  return { known: all.flatMap(({ known }) => known), unknown: all.flatMap(({ unknown }) => unknown) };
}

async function tested(gates, count) {
  const { known, unknown } = await guessesOf(gates, count);
  const most = quantile([...known, ...unknown], KEPT);
  const kept = (list) => list.filter((one) => one <= most);
  const [mine, theirs] = [kept(known), kept(unknown)];
  return [
    compareWithTarget({ subject: { name: 'Welch’s t of names that are known and unknown', times: [welch(mine, theirs)] }, value: T_AT_MOST, unit: 't' }),
    compare({
      subject: { name: 'a wrong password, on average', times: [mean(mine)] }, peer: { name: 'a name that nobody has', times: [mean(theirs)] }, kind: 'time', unit: 'ms',
    }),
  ];
}

const short = async (context) => tested([await gateWith(context, CHEAP)], context.quick ? 200 : 2000);

async function long(context) {
  const gates = [];
  for (let core = 0; core < Math.min(availableParallelism(), 4); core += 1) gates.push(await gateWith(context, A_FIFTH, cheaperHashes));
  return tested(gates, context.quick ? 400 : 100_000);
}

const ROUNDS = { few: 9, many: 51 };
const roundsOf = ({ quick }) => (quick ? ROUNDS.few : ROUNDS.many);

/** argon2id of OpenSSL, by Node 24.7 and later. */
function byNode({ memory_kib: memory, iterations: passes }, clock) {
  const began = clock();
  crypto.argon2Sync('argon2id', { message: PASSWORD, nonce: crypto.randomBytes(16), parallelism: 1, tagLength: 32, memory, passes });
  return clock() - began;
}

/** A log-in, whole. */
async function logIns(context) {
  const gate = await gateWith(context, USUAL);
  const ours = [];
  const theirs = [];
  for (let round = 0; round < roundsOf(context); round += 1) {
    if (round % AT_ONCE === 0) await gate.sessions.wait(REST_SECS);
    ours.push(await timed({ ...gate, clock: wallClock, email: nobody() }));
    theirs.push(byNode(USUAL, wallClock));
  }
  return [compare({ subject: { name: 'a log-in in workerd, argon2id included', times: ours }, peer: { name: 'argon2id of Node', times: theirs }, kind: 'time', unit: 'ms' })];
}

/**
 * The hash alone. From outside only whole log-ins can be timed: one with four passes takes two passes longer than one with two. All
 * by the processor's time, so that nothing of the client is in it, nor of what else runs.
 */
async function hashes(context) {
  const twice = { ...USUAL, iterations: 2 * USUAL.iterations };
  const [gate, longer] = [await gateWith(context, USUAL, tellingMemory), await gateWith(context, twice)];
  // What the module has before its first hash; a name that nobody has asks no other endpoint.
  await gate.sessions.get('/health');
  const before = await moduleMemory(gate.sessions);
  await timed({ ...gate, email: nobody() });
  const after = await moduleMemory(gate.sessions);
  const ours = [];
  const openssl = [];
  for (let round = 0; round < roundsOf(context); round += 1) {
    if (round % AT_ONCE === 0) await Promise.all([gate.sessions.wait(REST_SECS), longer.sessions.wait(REST_SECS)]);
    const two = await timed({ ...gate, email: nobody() });
    ours.push(await timed({ ...longer, email: nobody() }) - two);
    openssl.push(byNode(USUAL, processorClock));
  }
  const native = nativeHash(USUAL, roundsOf(context));
  const subject = { name: 'argon2id in workerd, 19 MiB and two passes', times: ours };
  return [
    compare({ subject, peer: { name: 'the same code natively', times: native.times }, kind: 'time', unit: 'ms' }),
    compare({ subject, peer: { name: 'argon2id of OpenSSL, by Node', times: openssl }, kind: 'time', unit: 'ms' }),
    compare({
      subject: { name: 'memory of the Worker’s module after its first hash', times: [after] }, peer: { name: 'before it', times: [before] }, kind: 'time', unit: 'MiB',
    }),
    compare({
      subject: { name: 'what the hash adds to it', times: [after - before] }, peer: { name: 'natively', times: [native.memory] }, kind: 'time', unit: 'MiB',
    }),
  ];
}

export const ACCOUNT_ROWS = [
  { id: 'accounts', about: 'A log-in by password', run: logIns },
  { id: 'argon2', about: 'The hash of a password', run: hashes },
  { id: 'accounts-time', about: 'A name that nobody has, by time: 2,000 log-ins', run: short },
  { id: 'accounts-time-long', about: 'A name that nobody has, by time: 100,000 log-ins with a fifth of the cheapest hash', run: long, full: true },
];
