// The first request to an object makes it, which takes longer. So an administrator has all of them made before anybody guesses: otherwise one guess
// at a name would tell whether there is an account.

import assert from 'node:assert/strict';
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { SECRETS, freshIp, refused, start } from './harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';

const PASSWORD = 'quiet river, late boat';
/** How many objects keep names, and how many of them one request makes. */
const OBJECTS = 4096;
const AT_ONCE = 40;

let gate;
let sessions;
before(async () => {
  const accounts = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }] };
  gate = await start([sessionWorker({ policy: sessionPolicy({ accounts }) }), sessionWorker({ name: 'none', policy: sessionPolicy() })]);
  sessions = new Sessions(gate);
});
after(() => gate.dispose());

/** The number of the object that keeps a name, as src/account/row.rs says it. */
function numberOf(email) {
  const key = Buffer.from(hkdfSync('sha256', SECRETS.ACCOUNTS_SECRET, 'edgegate-accounts-v1', 'name', 32));
  return createHmac('sha256', key).update(`edgegate-login-name-v1\0${email}`).digest().readUInt16BE(0) % OBJECTS;
}

let last = 0;
const taken = new Set();

/** A name with an object that no other name of this file has: what has been guessed at there was guessed at by nobody else. */
function freshEmail() {
  for (;;) {
    const email = `person-${++last}-${randomBytes(4).toString('hex')}@example.com`;
    const number = numberOf(email);
    if (!taken.has(number)) {
      taken.add(number);
      return email;
    }
  }
}

const objectOf = (email) => `names/${numberOf(email)}`;

/** An account. Its id begins with the number of its object. */
async function created() {
  const email = freshEmail();
  const made = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  assert.equal(Buffer.from(made.json().id, 'base64url').readUInt16BE(0), numberOf(email));
  return email;
}

const prepare = (body, options) => sessions.admin('POST', '/accounts/prepare', body, options);
const rowsOf = async (object) => (await sessions.object('EDGEGATE_LOGINS', object, 'X-Dump')).json();

/** What a step makes the objects of accounts do. */
async function during(step) {
  const earlier = await sessions.counts();
  const came = await step();
  const now = await sessions.counts();
  const since = Object.fromEntries(['logins', 'rows', 'tables', 'alarms'].map((name) => [name, now[name] - earlier[name]]));
  return { came, since };
}

/** What one wrong password does, by somebody whose address has been seen: where that is counted depends on no name. */
async function guessed(email) {
  const ip = freshIp();
  refused(await sessions.post('/auth/login', { body: { email: freshEmail(), password: 'another password' }, ip }), 'INVALID_CREDENTIALS');
  const { came, since } = await during(() => sessions.post('/auth/login', { body: { email, password: 'another password' }, ip }));
  refused(came, 'INVALID_CREDENTIALS');
  return since;
}

test('once the objects are made, the first guess at a name does the same whether somebody has it or not', async () => {
  const [ada, bob] = [await created(), await created()];
  // Where nothing is prepared, the guess at a name that nobody has makes an object, and the other one does not.
  const [unmade, made] = [await guessed(freshEmail()), await guessed(ada)];
  assert.deepEqual([unmade.tables, made.tables], [1, 0]);
  const kept = await rowsOf(objectOf(bob));
  assert.equal(kept.length, 1);

  const nobody = [freshEmail(), freshEmail(), freshEmail()];
  const prepareThem = async () => {
    for (const name of [...nobody, bob]) assert.equal((await prepare({ from: numberOf(name) })).status, 200);
  };
  const { since } = await during(prepareThem);
  assert.equal(since.alarms, 0);
  assert.ok(since.tables >= nobody.length, `${since.tables}`);
  assert.deepEqual(await rowsOf(objectOf(bob)), kept);
  // A second time nothing is written.
  assert.deepEqual((await during(prepareThem)).since, { ...since, rows: 0, tables: 0 });

  // What is made stays where nobody has asked it for so long that it sleeps.
  for (const name of [nobody[0], bob]) await sessions.object('EDGEGATE_LOGINS', objectOf(name), 'X-Evict');
  const all = [];
  for (const name of [nobody[0], bob, ...nobody.slice(1), await created()]) all.push(await guessed(name));
  for (const one of all) assert.deepEqual(one, made);
  assert.ok(made.rows > 0 && made.logins === 2 && made.alarms === 1, JSON.stringify(made));
  assert.equal((await sessions.post('/auth/login', { body: { email: bob, password: PASSWORD } })).status, 200);
});

test('each request makes the next forty objects of names, and the last one says that all are there', async () => {
  const seen = [];
  for (let from = 3900; from !== null; from = seen.at(-1)) {
    const { came, since } = await during(() => prepare({ from }));
    assert.equal(came.status, 200, came.text);
    const { prepared, next, of } = came.json();
    assert.deepEqual([prepared, of, since.logins], [Math.min(AT_ONCE, OBJECTS - from), OBJECTS, prepared]);
    seen.push(next);
  }
  assert.deepEqual(seen, [3940, 3980, 4020, 4060, null]);
});

test('an object that was made and has slept is none that is made', async () => {
  const object = 'names/4095';
  assert.equal((await prepare({ from: 4095 })).status, 200);
  await sessions.object('EDGEGATE_LOGINS', object, 'X-Evict');
  assert.deepEqual((await during(() => prepare({ from: 4095 }))).since, { logins: 1, rows: 0, tables: 0, alarms: 0 });
  assert.deepEqual(await rowsOf(object), []);
});

test('what is asked has a form, and is an administrator’s', async () => {
  assert.deepEqual((await prepare({ from: 4090 })).json(), { prepared: 6, next: null, of: OBJECTS });
  assert.deepEqual((await prepare({})).json(), { prepared: AT_ONCE, next: AT_ONCE, of: OBJECTS });
  const { since } = await during(async () => {
    for (const from of [OBJECTS, 65_536, -1, 0.5, '0']) refused(await prepare({ from }), 'INVALID_REQUEST', { hint: /^from: / });
    refused(await prepare({ to: 40 }), 'INVALID_REQUEST');
    refused(await prepare('[]'), 'INVALID_REQUEST');
    refused(await prepare({}, { token: undefined }), 'MISSING_CREDENTIALS');
    refused(await prepare({}, { token: 'x'.repeat(64) }), 'INVALID_TOKEN');
    const got = await sessions.admin('GET', '/accounts/prepare');
    refused(got, 'METHOD_NOT_ALLOWED');
    assert.equal(got.headers.allow, 'POST');
    refused(await new Sessions(gate, 'none').admin('POST', '/accounts/prepare', {}), 'NOT_FOUND');
  });
  assert.equal(since.logins, 0);
});
