// The key ring that the npm package manages itself, over memory: made once, rotated with overlap, published, and never made anew.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as jose from 'jose';

import { memoryStore } from '../../pkg/wasm/node.js';
import { NOW, request } from './gate.mjs';
import { managed, managedSecrets, sessionGate, sessionPolicy } from './session-gate.mjs';

const ISSUER = 'https://gate.edgegate.local/';
const ACTIVE_SECS = 30 * 86_400;
/** A key is published so long before it signs. */
const LEAD_SECS = 2 * 600 + 300;
/** A process asks for the ring anew after so long. */
const CACHE_SECS = 300;

const bearer = (token) => ({ authorization: `Bearer ${token}` });
const open = (gate, more = {}) => gate.sessions.open({ subject: 'alice', scopes: ['read:posts'], ...more });
const check = (gate, token) => gate.check(request('/v1/posts', bearer(token)));
const kidOf = (token) => jose.decodeProtectedHeader(token).kid;

async function published(gate) {
  const answer = await gate.handle(request('/.well-known/jwks.json'));
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body);
}

/** A store whose values the test sees and changes. */
function seen(now) {
  const inner = memoryStore({ now });
  const names = new Set();
  return {
    names,
    inner,
    asked: 0,
    async get(keys) {
      this.asked += 1;
      return inner.get(keys);
    },
    async compareAndSet(key, ...given) {
      this.asked += 1;
      names.add(key);
      return inner.compareAndSet(key, ...given);
    },
  };
}

for (const algorithm of ['ES256', 'EdDSA', 'RS256', 'HS256']) {
  test(`${algorithm}: the first request makes a key, which signs at once and is published`, async () => {
    const sessions = seen();
    const { gate } = managed({ algorithm, stores: { sessions } });
    const { accessToken } = await open(gate);
    const admitted = await check(gate, accessToken);
    assert.equal(admitted.ok, true, admitted.message);
    const { keys } = await published(gate);
    if (algorithm === 'HS256') {
      assert.deepEqual(keys, []);
    } else {
      assert.deepEqual(keys.map(({ kid, alg, use, d }) => [kid, alg, use, d]), [[kidOf(accessToken), algorithm, 'sig', undefined]]);
      const { payload } = await jose.jwtVerify(accessToken, jose.createLocalJWKSet({ keys }), {
        issuer: ISSUER, audience: 'https://api.example.com', typ: 'at+jwt', currentDate: new Date(NOW * 1000),
      });
      assert.equal(payload.sub, 'alice');
    }
    // It is sealed where it lies.
    const [name] = [...sessions.names].filter((one) => one.startsWith('keyring/v1/'));
    const [record] = await sessions.inner.get([name]);
    const { v, keys: stored } = JSON.parse(record);
    assert.equal(v, 1);
    assert.deepEqual(stored.map(({ kid, alg, sealed_by: by }) => [kid, alg, by]), [[kidOf(accessToken), algorithm, 1]]);
    assert.doesNotMatch(record, /"(?:d|k|p|q)":/);
  });
}

test('gates over one store come to one key, however many begin at once', async () => {
  const sessions = memoryStore();
  const gates = Array.from({ length: 8 }, () => managed({ stores: { sessions } }).gate);
  const kids = await Promise.all(gates.map(async (gate) => kidOf((await open(gate)).accessToken)));
  assert.equal(new Set(kids).size, 1);
});

test('twenty requests at once in one process: the ring is asked for once', async () => {
  const sessions = seen();
  const { gate } = managed({ stores: { sessions } });
  await open(gate);
  const [name] = [...sessions.names].filter((one) => one.startsWith('keyring/v1/'));
  let asked = 0;
  const other = { ...sessions, get: async (keys) => { asked += keys.includes(name) ? 1 : 0; return sessions.inner.get(keys); }, compareAndSet: sessions.inner.compareAndSet.bind(sessions.inner) };
  const cold = managed({ stores: { sessions: other } }).gate;
  const sets = await Promise.all(Array.from({ length: 20 }, () => published(cold)));
  assert.equal(new Set(sets.map((set) => JSON.stringify(set))).size, 1);
  assert.equal(asked, 1);
});

test('the next key is published before it signs, and the last one until its tokens have ended', async () => {
  const { gate, clock } = managed();
  const first = (await open(gate)).accessToken;
  const kids = async () => (await published(gate)).keys.map(({ kid }) => kid);
  /** Behind the first answer after half of the ring's time it is read anew. */
  const later = async (secs) => {
    clock.now = NOW + secs;
    await kids();
    await new Promise((resolve) => { setTimeout(resolve, 50); });
    return kids();
  };
  assert.deepEqual(await later(ACTIVE_SECS - LEAD_SECS - CACHE_SECS), [kidOf(first)]);
  const both = await later(ACTIVE_SECS - LEAD_SECS + CACHE_SECS);
  assert.equal(both.length, 2);
  assert.equal(both[0], kidOf(first));

  // It signs when it has been published for long enough.
  const signsAt = NOW + ACTIVE_SECS + CACHE_SECS;
  clock.now = signsAt - 1;
  const last = (await open(gate)).accessToken;
  assert.equal(kidOf(last), both[0]);
  clock.now = signsAt;
  const next = (await open(gate)).accessToken;
  assert.equal(kidOf(next), both[1]);
  for (const token of [last, next]) assert.equal((await check(gate, token)).ok, true);
  assert.deepEqual(await later(ACTIVE_SECS + CACHE_SECS + 900), both);
  assert.deepEqual(await later(ACTIVE_SECS + CACHE_SECS + 900 + 120 + 2 * CACHE_SECS), [both[1]]);
});

test('a hundred rotations, with a verifier that keeps keys as it is told: no unknown kid', async () => {
  const { gate, clock } = managed({ algorithm: 'EdDSA' });
  let kept = { set: await published(gate), at: clock.now };
  const kids = new Set();
  for (let rotation = 0; rotation < 100; rotation += 1) {
    for (const secs of [0, ACTIVE_SECS - LEAD_SECS, LEAD_SECS - 1]) {
      clock.now = NOW + rotation * ACTIVE_SECS + secs;
      await published(gate);
      await new Promise((resolve) => { setImmediate(resolve); });
      const { accessToken } = await open(gate, { subject: `user-${rotation}` });
      if (clock.now - kept.at > 600) kept = { set: await published(gate), at: clock.now };
      assert.ok(kept.set.keys.some(({ kid }) => kid === kidOf(accessToken)), `rotation ${rotation}, ${secs} s`);
      kids.add(kidOf(accessToken));
    }
  }
  assert.ok(kids.size >= 100, String(kids.size));
});

test('a token of another process’s new key is taken: the ring is asked again, at most once in 10 s', async () => {
  const sessions = memoryStore();
  const one = managed({ stores: { sessions } });
  const other = managed({ stores: { sessions } });
  await open(one.gate);
  await open(other.gate);
  // Another algorithm is a next key too; here it is one that signs at once by the other's clock.
  other.clock.now = NOW + ACTIVE_SECS;
  await published(other.gate);
  other.clock.now += LEAD_SECS + CACHE_SECS;
  const { accessToken } = await open(other.gate);
  one.clock.now = other.clock.now;
  const admitted = await check(one.gate, accessToken);
  assert.equal(admitted.ok, true, admitted.message);
});

test('a ring that cannot be read or opened is 503, and stays what it is', async () => {
  const sessions = seen();
  const first = managed({ stores: { sessions } });
  const { accessToken } = await open(first.gate);
  const [name] = [...sessions.names].filter((one) => one.startsWith('keyring/v1/'));
  const [record] = await sessions.inner.get([name]);

  const unavailable = async (gate) => {
    const fault = await open(gate).catch((error) => error);
    assert.equal(fault.code, 'KEYS_UNAVAILABLE', fault.message);
    const refused = await check(gate, accessToken);
    assert.deepEqual([refused.code, refused.status], ['KEYS_UNAVAILABLE', 503]);
    assert.equal((await gate.handle(request('/.well-known/jwks.json'))).status, 503);
    return refused.message;
  };
  // Another secret under the same id.
  const secrets = { ...managedSecrets(), SESSION_SECRET: 'another-secret-for-tests-0123456789abcdefgh' };
  const wrong = managed({ stores: { sessions }, secrets });
  assert.match(await unavailable(wrong.gate), /sealed by secret 1, and does not open|a moment ago/);
  assert.ok(wrong.events.some(({ detail }) => /sealed by secret 1, and does not open/.test(detail)), JSON.stringify(wrong.events));
  assert.deepEqual(await sessions.inner.get([name]), [record], 'it was made anew');

  for (const damaged of ['', '{}', record.replace('"v":1', '"v":2')]) {
    await sessions.inner.put(name, damaged);
    await unavailable(managed({ stores: { sessions } }).gate);
    assert.deepEqual(await sessions.inner.get([name]), [damaged], 'it was made anew');
  }
  await sessions.inner.put(name, record);
  assert.equal((await check(managed({ stores: { sessions } }).gate, accessToken)).ok, true);
});

test('another secret seals the ring anew, and the old one may go', async () => {
  const sessions = memoryStore();
  const { accessToken } = await open(managed({ stores: { sessions } }).gate);
  const secrets = { ...managedSecrets(), SESSION_SECRET_2: 'the-next-secret-for-tests-0123456789abcdefg' };
  const both = [{ id: 1, secret: 'SESSION_SECRET' }, { id: 2, secret: 'SESSION_SECRET_2' }];
  const of = (list) => managed({
    stores: { sessions }, secrets, policy: sessionPolicy({ sessions: { keys: undefined, secret: undefined, secrets: list } }),
  }).gate;
  assert.equal((await check(of(both), accessToken)).ok, true);
  assert.equal((await check(of(both.slice(1)), accessToken)).ok, true);
});

test('while the store does not answer, known keys go on verifying and signing', async () => {
  const sessions = seen();
  const { gate, clock } = managed({ stores: { sessions } });
  const { accessToken } = await open(gate);
  const { get } = sessions;
  sessions.get = async () => { throw new Error('gone'); };
  clock.now += 600;
  assert.equal((await check(gate, accessToken)).ok, true);
  sessions.get = get;
  clock.now += 2;
  assert.equal((await open(gate)).tokenType, 'Bearer');
});

test('a method that publishes nothing asks no store', async () => {
  const sessions = seen();
  const { gate } = sessionGate({ stores: { sessions }, policy: sessionPolicy({ sessions: { keys: undefined } }), secrets: managedSecrets() });
  const refused = await gate.handle(request('/.well-known/jwks.json', {}, 'PUT'));
  assert.deepEqual([refused.status, sessions.asked], [405, 0]);
});
