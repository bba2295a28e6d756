// Checks that run beside each other, and within each other. Each decision belongs to its own request, whatever other checks do, whatever a
// request contains, and whatever the log calls.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import { createGate, memoryStore } from '../../pkg/wasm/node.js';
import { AUDIENCE } from '../worker/harness.mjs';
import { ISSUER, NOW, SECRETS, apiKey, bearer, gateOf, keyIdOf, policy, record, request, token } from './gate.mjs';

const OTHER = 'https://access.example.com';
const POLICY = policy({
  log: 'all',
  cookie: 'session',
  issuers: [...policy().issuers, { issuer: OTHER, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
  credential_headers: [{ name: 'Cf-Access-Jwt-Assertion', issuers: [OTHER] }],
  identity_headers: { 'X-Org': 'org_id' },
  limits: undefined,
  routes: [
    { path: '/public/*', auth: 'none' },
    { path: '/optional/*', auth: 'optional' },
    { path: '/v1/posts', scopes: { all: ['read:posts'] } },
    { path: '/v1/*' },
  ],
});

/** Odd characters: ends of lines and texts, escapes, and characters that no encoding has. */
const ODD = ['\n', '\r\n', '\\', '\\n', '\\\n', '\0', '\u2028', '\u2029', '\ud800', '\udfff', 'é', '€', '😀', '\t', ' ', ',', ';', '"', '__proto__', 'admitted\n'];
const SUBJECTS = ['alice', 'bob', '__proto__', 'constructor', 'a\nb', 'a\\nb', 'a\\', '\u2028', 'zoë', '€😀', 'x'.repeat(300)];

const TOKENS = SUBJECTS.flatMap((sub, index) => [
  token({ sub, org_id: `org ${index}`, scope: 'read:posts', ['__proto__']: { sub: 'nobody' } }),
  token({ sub, jti: `\n${index}`, iss: OTHER, constructor: sub }),
]);
const REFUSED = [token({ exp: NOW - 100 }), token({ sub: 'mallory' }, { secret: 'another' }), `${TOKENS[0]}x`, 'a.b.c', '', 'x'.repeat(70_000)];
const KEYS = [1, 2, 3, 4].map((last) => apiKey({ id: Buffer.alloc(16, last) }));
/** One of these keys has no record. */
const RECORDS = KEYS.slice(1).map((key, index) => [`key/v1/${keyIdOf(key)}`, record(keyIdOf(key), { owner: SUBJECTS[index], disabled: index === 2 })]);

/** The same numbers in each run (mulberry32). */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A random request for a random kind of server: `{request, options}`. */
function oddRequest(number) {
  const one = (list) => list[number(list.length)];
  const sometimes = (step) => number(4) === 0 && step();
  const spelled = (name) => one([name, name.toLowerCase(), name.toUpperCase()]);
  const credential = () => one(number(5) === 0 ? REFUSED : TOKENS);
  const list = [];
  const add = (name, value) => list.push([spelled(name), value]);
  if (number(3) > 0) add('Authorization', `${one(['Bearer', 'bearer', 'Basic', 'DPoP', ''])} ${one([credential(), one(KEYS)])}`);
  sometimes(() => add('Authorization', `Bearer ${credential()}`));
  sometimes(() => add('X-API-Key', one(KEYS)));
  sometimes(() => add('Cookie', `a=${one(ODD)}; ${one(['session', 'SESSION', '__proto__'])}=${credential()}`));
  sometimes(() => add('Cf-Access-Jwt-Assertion', credential()));
  sometimes(() => add(one(['Accept', 'Origin', '__proto__', 'constructor', 'DPoP']), `${one(ODD)}application/problem+json${one(ODD)}`));
  sometimes(() => list.length > 0 && (list[0][1] += one(ODD)));
  const method = one(['GET', 'GET', 'GET', 'POST', 'OPTIONS', 'get', '', `G${one(ODD)}`]);
  const path = one(['/public/a', '/optional/a', '/v1/posts', '/v1/a', '/v1/a', `/v1/${one(ODD)}`, `/v1/posts?a=${one(ODD)}`, '/v1/%2e%2e/public/a', '//v1', '*', '']);
  const headers = number(2) === 0 ? list : list.slice(0, 1);
  return {
    request: one([
      { method, url: path, headers: Object.fromEntries(headers) },
      { method, url: `https://gate.test${path}`, headers: Object.fromEntries(headers.map(([name, value]) => [name, [value, undefined]])) },
      { method, url: path, httpVersion: '1.1', headers: {}, rawHeaders: headers.flat(), socket: { remoteAddress: '192.0.2.1' } },
    ]),
    options: one([{}, {}, { path: '/v1/posts' }, { clientIp: one(['192.0.2.7', '::1', `192.0.2.7${one(ODD)}`]) }]),
  };
}

/** A store that answers at once or later, by chance. */
const unsteady = (store, number) => ({
  put: (...given) => store.put(...given),
  delete: (...given) => store.delete(...given),
  list: (...given) => store.list(...given),
  async get(keys) {
    for (let turns = number(3); turns > 0; turns -= 1) await turn();
    return store.get(keys);
  },
});

async function gateWithRecords(rest = {}) {
  const now = () => NOW;
  const number = numbers(7);
  const keys = memoryStore({ now });
  for (const [name, value] of RECORDS) await keys.put(name, value);
  const stores = { keys: unsteady(keys, number), revocation: unsteady(memoryStore({ now }), number), counters: undefined };
  return gateOf({ policy: POLICY, stores, ...rest });
}

/** Returns the whole result of a check. */
const outcome = (checked) => checked.then(
  (decision) => ({ ...decision }),
  ({ name, code, reason, message }) => ({ name, code, reason, message }),
);

const BOB = token({ sub: 'bob', org_id: 'of bob' });
/** Asks a gate that never waits, through the same engine. */
const askBob = () => (anotherGate ??= createGate(policy({ revocation: undefined, limits: undefined, routes: undefined }), { secrets: SECRETS, now: () => NOW, stores: { keys: memoryStore() } }))
  .check(request('/v1/a', bearer(BOB)));
let anotherGate;

const sorted = (events) => events.map((event) => JSON.stringify(event)).sort();

describe('2,000 odd requests', () => {
  const number = numbers(1);
  const requests = Array.from({ length: 2000 }, () => oddRequest(number));

  test('are decided beside each other as one by one, and told so', async () => {
    const alone = await gateWithRecords();
    const expected = [];
    for (const { request: asked, options } of requests) expected.push(await outcome(alone.gate.check(asked, options)));

    // The log asks the engine something else after a decision, before the decision is read.
    const events = [];
    const log = (event) => {
      events.push(event);
      askBob();
    };
    const together = await gateWithRecords({ log });
    const found = [];
    for (let from = 0; from < requests.length; from += 100) {
      const batch = requests.slice(from, from + 100);
      found.push(...await Promise.all(batch.map(({ request: asked, options }) => outcome(together.gate.check(asked, options)))));
    }

    found.forEach((one, index) => assert.deepEqual(one, expected[index], JSON.stringify(requests[index])));
    assert.deepEqual(sorted(events), sorted(alone.events));
    for (const code of [undefined, 'INVALID_TOKEN', 'MULTIPLE_CREDENTIALS', 'INVALID_API_KEY', 'TOKEN_EXPIRED', 'INVALID_REQUEST', 'API_KEY_REVOKED']) {
      const count = found.filter((one) => one.code === code).length;
      assert.ok(count >= 5, `${code ?? 'admitted'}: ${count}`);
    }
  });
});

describe('what the log calls', () => {
  test('does not put the claims of one caller in the place of another\'s', async () => {
    const others = [];
    const { gate } = gateOf({ policy: POLICY, log: () => others.push(askBob()) });
    const decision = await gate.check(request('/v1/a', bearer(token({ org_id: 'of alice' }))));
    const claims = ({ identity }) => [identity.subject, identity.claims.sub, identity.claims.org_id];
    assert.deepEqual(claims(decision), ['alice', 'alice', 'of alice']);
    assert.deepEqual(claims(await others[0]), ['bob', 'bob', 'of bob']);
  });

  test('nor does what a store calls that is written to after the answer', async () => {
    const { gate, stores } = await gateWithRecords();
    const { put } = stores.keys;
    let written = false;
    stores.keys.put = (...given) => {
      written = true;
      askBob();
      return put(...given);
    };
    const { identity } = await gate.check(request('/v1/a', { 'X-API-Key': KEYS[1] }));
    assert.deepEqual([written, identity.method, identity.claims], [true, 'api_key', undefined]);
  });

  test('and fails later takes nothing down', async () => {
    const { gate } = gateOf({ policy: POLICY, log: async () => { throw new Error('no connection to the collector'); } });
    const unhandled = [];
    const note = (reason) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    assert.equal((await gate.check(request('/public/a'))).ok, true);
    await turn();
    process.off('unhandledRejection', note);
    assert.deepEqual(unhandled, []);
  });
});

test('a store that fails with what is no error is a store that fails', async () => {
  const get = () => Promise.reject(Object.create(null));
  const { gate } = gateOf({ stores: { revocation: { ...memoryStore(), get, put: get, delete: get, list: get } } });
  const decision = await gate.check(request('/v1/a', bearer(token())));
  assert.deepEqual([decision.ok, decision.code], [false, 'STORE_UNAVAILABLE']);
});

test('a header of several lines is one value, whoever gives it', async () => {
  const { gate } = gateOf();
  const headers = new Map([['authorization', [`Bearer ${token()}\n\n\n\n\n\n\n\n192.0.2.7`]]]);
  const decision = await gate.check({ method: 'GET', url: '/v1/a', headers });
  assert.deepEqual([decision.ok, decision.code], [false, 'INVALID_TOKEN']);
});
