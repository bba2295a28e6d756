// How long a request waits for the ledger of revocations while people log in, in workerd: a hash takes the thread that objects of one
// script may share. Log-ins come as fast as the gate's own budget lets them through, by strangers and by browsers that are known.
//
// A workerd has one thread for all of its Workers, so the endpoints of the gate wait for a hash here too. Cloudflare may run them elsewhere.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { start, token } from '../../tests/worker/harness.mjs';
import { SAME_ORIGIN, Sessions, cookiesOf, sessionPolicy, sessionWorker } from '../../tests/worker/sessions.mjs';
import { compare, median, quantile } from '../lib/measure.mjs';

const PASSWORD = 'quiet river, late boat';
const DEVICE = '__Host-edgegate-d';
const APART = 'edgegate-logins';

/** What the gate lets through (`src/guard/accounts/bounds.rs`): so many hashes a second, half of them of browsers that are known. */
const HASHES = 20;
/** Strangers have a store of fifty before that: with twice as many tries a second it is used up in five seconds. */
const WARM_SECS = 6;
/** A known browser has so many hashes in a quarter of an hour. */
const OF_BROWSER = 20;

const ASK_EVERY_MILLIS = 10;

/** Connections of their own: what is asked of the ledger must not wait for one that a log-in has. */
const agents = { ledger: new http.Agent({ keepAlive: true }), logIns: new http.Agent({ keepAlive: true }) };

const POLICY = sessionPolicy({
  revocation: { mode: 'ledger' },
  accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }] },
});

/** The gate, whose log-ins are in this script or in that of another process. */
async function together(context) {
  const gate = await start([sessionWorker({ policy: POLICY })]);
  context.closing.push(() => gate.dispose());
  return new Sessions(gate);
}

async function apart(context) {
  const registry = mkdtempSync(path.join(tmpdir(), 'edgegate-bench-'));
  context.closing.push(() => rmSync(registry, { recursive: true, force: true }));
  const shared = { unsafeDevRegistryPath: registry };
  const logins = await start([sessionWorker({ name: APART, policy: POLICY })], { shared });
  context.closing.push(() => logins.dispose());
  const worker = sessionWorker({ policy: POLICY });
  worker.durableObjects = { ...worker.durableObjects, EDGEGATE_LOGINS: { className: 'LoginObject', scriptName: APART, useSQLite: true } };
  const gate = await start([worker], { shared });
  context.closing.push(() => gate.dispose());
  return new Sessions(gate);
}

/** A browser that somebody has logged in with. */
async function knownBrowser(sessions, number) {
  const email = `person-${number}@example.com`;
  const made = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  const answer = await logIn(sessions, { email, password: PASSWORD, headers: SAME_ORIGIN });
  assert.equal(answer.status, 200, answer.text);
  return { email, password: PASSWORD, headers: { ...SAME_ORIGIN, Cookie: `${DEVICE}=${cookiesOf(answer)[DEVICE]}` } };
}

const logIn = (sessions, { email, password, headers }) => sessions.post('/auth/login', { body: { email, password }, headers, agent: agents.logIns });

/** Does something so many times a second, whether the one before is done or not, and returns what each time came of it. */
async function each(perSecond, secs, step) {
  const began = performance.now();
  const done = [];
  for (let count = 0; count < perSecond * secs; count += 1) {
    const wait = began + (count * 1000) / perSecond - performance.now();
    if (wait > 0) await sleep(wait);
    done.push(step(count));
  }
  return Promise.all(done);
}

/** Times of requests whose token is looked for in the ledger. */
function asked(sessions, secs) {
  const bearer = token({ scope: 'read:posts' });
  return each(1000 / ASK_EVERY_MILLIS, secs, async () => {
    const began = performance.now();
    const answer = await sessions.get('/v1/posts', { token: bearer, agent: agents.ledger });
    // On a machine that has too much to do, the ledger may not answer in time: that is waited for as well.
    assert.ok([200, 503].includes(answer.status), answer.text);
    return performance.now() - began;
  });
}

/** Log-ins, more than are let through. Returns how many were hashed in a second of those that count. */
async function logIns(sessions, browsers, secs) {
  const all = WARM_SECS + secs;
  const began = performance.now();
  let hashed = 0;
  const count = ({ status, text }) => {
    assert.ok([200, 401, 429, 503].includes(status), text);
    const now = performance.now() - began;
    if (status < 429 && now > WARM_SECS * 1000 && now <= all * 1000) hashed += 1;
  };
  await Promise.all([
    each(HASHES, all, async (number) => count(await logIn(sessions, { email: `nobody-${number}@example.com`, password: 'another password' }))),
    each(HASHES / 2, all, async (number) => count(await logIn(sessions, browsers[number % browsers.length]))),
  ]);
  return hashed / secs;
}

async function measured(sessions, secs) {
  const browsers = [];
  const wanted = Math.ceil((HASHES / 2) * (WARM_SECS + secs) / OF_BROWSER) + 1;
  for (let number = 0; number < wanted; number += 1) browsers.push(await knownBrowser(sessions, number));
  // The compilers of V8 are to be done.
  await asked(sessions, 2);
  const quiet = await asked(sessions, secs);
  const beside = logIns(sessions, browsers, secs);
  await sleep(WARM_SECS * 1000);
  const busy = await asked(sessions, secs);
  return { quiet, busy, hashed: await beside };
}

async function besideTheLedger(context) {
  const secs = context.quick ? 3 : 30;
  const lines = [];
  for (const [where, begin] of [['in the same script', together], ['in a script of their own, in another process', apart]]) {
    const { quiet, busy, hashed } = await measured(await begin(context), secs);
    for (const [what, of] of [['the median', median], ['99 of 100', (times) => quantile(times, 0.99)]]) {
      lines.push(compare({
        subject: { name: `a request that asks the ledger, with log-ins ${where}: ${what}`, times: [of(busy)] },
        peer: { name: 'the same without log-ins', times: [of(quiet)] }, kind: 'time', unit: 'ms',
      }));
    }
    lines.push(compare({
      subject: { name: `log-ins that are hashed ${where}`, times: [hashed] }, peer: { name: 'what the gate lets through', times: [HASHES] }, kind: 'time', unit: 'in a second',
    }));
  }
  return lines;
}

export const LEDGER_ROWS = [{ id: 'accounts-ledger', about: 'The ledger while people log in', run: besideTheLedger }];
