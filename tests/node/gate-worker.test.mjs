// The built Worker in workerd and createGate, with the same policy and the same KV, give the same answers to the same requests, byte for
// byte.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { EdgegateError, createGate, kvStore, memoryStore } from '../../pkg/wasm/node.js';
import { SECRETS, apiKey, freshIp, policy, startGate, token } from '../worker/harness.mjs';
import { nowSecs } from '../worker/token.mjs';
import { refusalOf } from './support.mjs';

const POLICY = policy({
  cookie: 'session',
  legacy_headers: true,
  limits: [
    ...policy().limits,
    { name: 'burst', by: ['ip', 'route'], requests: 3, window_secs: 3600, algorithm: 'fixed-window', store: 'memory' },
  ],
  routes: [
    { path: '/open', auth: 'optional', scopes: { any: ['read:posts'] } },
    { path: '/burst/{id}', auth: 'none', limits: ['burst', 'limited'] },
    { path: '/tokens', accept: ['jwt'] },
    { path: '/keys', accept: ['api_key'] },
    ...policy().routes,
  ],
});

let worker;
let gate;
let kv;
before(async () => {
  worker = await startGate({ policy: POLICY });
  kv = await worker.mf.getKVNamespace('EDGEGATE_KV');
  gate = createGate(POLICY, { secrets: SECRETS, stores: { revocation: kvStore(kv), keys: kvStore(kv), counters: memoryStore() } });
});
after(() => worker?.dispose());

/** The answers of both in one form, without times that depend on the moment. */
const OURS = /^(content-type|cache-control|www-authenticate|retry-after|ratelimit|x-ratelimit|x-auth-)/;
const lower = (headers) => Object.fromEntries(Object.entries(headers)
  .map(([name, value]) => [name.toLowerCase(), String(value)])
  .filter(([name]) => OURS.test(name))
  .map(([name, value]) => [name, name === 'retry-after' || name === 'x-ratelimit-reset' ? '_' : value.replace(/;t=\d+/g, ';t=_')])
  .sort());

async function both(path, { method = 'GET', headers = {}, ip = freshIp() } = {}) {
  const answer = await worker.request(method, path, { headers, ip });
  const decision = await gate.check(new Request(`https://api.example.com${path}`, { method, headers }), { clientIp: ip });
  if (decision.ok) {
    assert.equal(answer.status, 200, `${answer.text} ${JSON.stringify(decision)}`);
    const { 'content-type': type, 'cache-control': cache, ...told } = lower(answer.headers);
    assert.deepEqual(lower({ ...decision.headers, ...decision.forward }), told);
    if (answer.status === 200) {
      const { method: how, subject = null, issuer = null, scopes } = decision.identity;
      const { key_id, ...seen } = answer.json();
      assert.deepEqual({ method: how, subject, issuer, scopes }, seen);
      assert.equal(key_id, how === 'api_key' ? decision.identity.keyId : null);
    }
    return 'admitted';
  }
  const response = decision.response();
  assert.deepEqual([response.status, await response.text()], [answer.status, answer.text], path);
  assert.deepEqual(lower(Object.fromEntries(response.headers)), lower(answer.headers), path);
  return decision.code ?? `status ${decision.status}`;
}

const bearer = (value) => ({ authorization: `Bearer ${value}` });
const good = () => bearer(token({ scope: 'read:posts' }));

describe('the Worker and createGate answer alike', () => {
  test('to every way to be refused or admitted', async () => {
    const seen = new Map();
    const cases = [
      ['/open'], ['/open', { headers: good() }], ['/open', { headers: bearer(token({ scope: 'x' })) }], ['/open', { headers: bearer('a.b.c') }],
      ['/public/x'], ['/v1/posts'], ['/v1/posts?q=1', { headers: good() }], ['/v1/posts', { headers: good(), method: 'POST' }],
      ['/v1/posts', { headers: good(), method: 'DELETE' }], ['/elsewhere', { headers: good() }], ['/V1/posts', { headers: good() }],
      ['/v1/posts', { headers: { ...good(), accept: 'application/problem+json' }, method: 'POST' }],
      ['/v1/posts', { headers: { accept: 'text/html, application/problem+json;q=0.1' } }],
      ['/v1/posts', { headers: { accept: 'application/problem+json;q=0' } }],
      ['/tokens', { headers: { 'x-api-key': apiKey() } }], ['/keys', { headers: good() }],
      ['/v1/posts', { headers: { ...good(), 'x-api-key': apiKey() } }], ['/v1/posts', { headers: { cookie: `a=b; session=${token({ scope: 'read:posts' })}` } }],
      ['/v1/posts', { headers: { cookie: 'session=a; session=b' } }], ['/v1/posts', { headers: { 'x-api-key': 'a, b' } }],
      ['/v1/posts', { headers: { authorization: 'Basic !' } }], ['/v1/posts', { headers: { authorization: 'Digest x' } }],
      ['/v1/posts', { headers: { authorization: `Basic ${Buffer.from(`${apiKey()}:`).toString('base64')}` } }],
      ['/v1/posts', { headers: bearer(token({ exp: nowSecs() - 60 })) }], ['/v1/posts', { headers: bearer(token({ nbf: nowSecs() + 600 })) }],
      ['/v1/posts', { headers: bearer(token({ aud: 'other' })) }], ['/v1/posts', { headers: bearer(token({ iss: 'https://other/' })) }],
      ['/v1/posts', { headers: bearer(token({}, { secret: randomBytes(32) })) }], ['/v1/posts', { headers: bearer(token({ sub: 7 })) }],
      ['/v1/posts', { headers: bearer('x'.repeat(9000)) }],
      ['/v1/posts', { headers: { 'x-api-key': apiKey({ environment: 'live' }) } }], ['/v1/posts', { headers: { 'x-api-key': apiKey({ expiryMinutes: 1 }) } }],
      ['/v1/posts', { headers: { 'x-api-key': `${apiKey().slice(0, -1)}_` } }], ['/v1/posts', { headers: { 'x-api-key': apiKey({ tag: Buffer.alloc(16) }) } }],
      ['/v1/posts', { headers: { 'x-api-key': 'zz_test_x' } }],
      ['/a//b'], ['/a;b'], ['/a%2fb'], ['/%zz'], ['/a%252e'], ['/%C3%A9', { headers: good() }],
      ['/v1/posts', { method: 'OPTIONS', headers: { origin: 'https://a.test', 'access-control-request-method': 'GET' } }],
      ['/v1/posts', { method: 'OPTIONS', headers: { origin: 'https://a.test' } }],
      ['/elsewhere', { headers: bearer(token({ sub: 'Zoë % |', scope: ' a  b ' })) }],
    ];
    for (const [path, options] of cases) {
      const outcome = await both(path, options);
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    }
    assert.deepEqual([...seen.keys()].sort(), [
      'API_KEY_EXPIRED', 'INSUFFICIENT_SCOPE', 'INVALID_API_KEY', 'INVALID_REQUEST', 'INVALID_TOKEN', 'MISSING_CREDENTIALS',
      'MULTIPLE_CREDENTIALS', 'TOKEN_EXPIRED', 'TOKEN_NOT_YET_VALID', 'WRONG_ENVIRONMENT', 'admitted', 'status 204',
    ]);
  });

  test('to limits, failed authentication and several limits at once', async () => {
    const [caller, ip] = [bearer(token({ sub: `limited-${randomBytes(4).toString('hex')}` })), freshIp()];
    const outcomes = async (times, ...request) => {
      const all = [];
      for (let index = 0; index < times; index += 1) all.push(await both(...request));
      return all;
    };
    assert.deepEqual(await outcomes(7, '/v1/limited', { headers: caller }), [...Array(5).fill('admitted'), ...Array(2).fill('RATE_LIMITED')]);
    assert.deepEqual(await outcomes(5, '/burst/1', { ip }), [...Array(3).fill('admitted'), ...Array(2).fill('RATE_LIMITED')]);
    assert.deepEqual(await outcomes(7, '/v1/posts', { headers: bearer('a.b.c'), ip }), [...Array(5).fill('INVALID_TOKEN'), ...Array(2).fill('RATE_LIMITED')]);
  });

  test('to keys and revocations that the Worker wrote into KV', async () => {
    const minted = await worker.mint({ scopes: ['read:posts', 'write:posts'], limits: { limited: 2 } });
    const key = { 'x-api-key': minted.key };
    assert.equal(await both('/v1/posts', { headers: key }), 'admitted');
    for (const expected of ['admitted', 'admitted', 'RATE_LIMITED']) assert.equal(await both('/v1/limited', { headers: key }), expected);
    const capped = { 'x-api-key': (await worker.mint({ prefix: 'pk', scopes: ['read:posts', 'write:posts'] })).key };
    assert.equal(await both('/v1/posts', { headers: capped, method: 'POST' }), 'INSUFFICIENT_SCOPE');

    const revoked = await worker.mint();
    await worker.admin('DELETE', `/keys/${revoked.id}`);
    assert.equal(await both('/v1/posts', { headers: { 'x-api-key': revoked.key } }), 'API_KEY_REVOKED');
    const gone = token({ jti: randomBytes(8).toString('hex'), scope: 'read:posts' });
    assert.equal((await worker.admin('POST', '/revocations', { token: gone })).status, 201);
    assert.equal(await both('/v1/posts', { headers: bearer(gone) }), 'TOKEN_REVOKED');
  });
});

describe('kvStore', () => {
  test('reads in bulk, keeps nothing for less than a minute, and lists in pages', async () => {
    const asked = [];
    const seen = new Proxy(kv, {
      get: (target, name) => (...args) => {
        asked.push([name, ...args]);
        return target[name](...args);
      },
    });
    const store = kvStore(seen, { prefix: 'mine/' });
    const names = Array.from({ length: 130 }, (_, index) => `n/${String(index).padStart(3, '0')}`);
    for (const name of names) await store.put(name, name, { ttlSecs: 1 });
    assert.deepEqual(asked[0], ['put', 'mine/n/000', 'n/000', { expirationTtl: 60 }]);
    asked.length = 0;
    assert.deepEqual(await store.get([...names, 'n/none', 'n/000']), [...names, null, 'n/000']);
    assert.deepEqual(asked.map(([name, keys]) => [name, keys.length]), [['get', 100], ['get', 32]]);
    const found = [];
    let cursor;
    do {
      const page = await store.list('n/', { cursor, limit: 50 });
      found.push(...page.keys);
      cursor = page.cursor;
    } while (cursor !== undefined);
    assert.deepEqual(found, names);
    await store.delete('n/000');
    assert.deepEqual(await store.get(['n/000']), [null]);
  });

  test('goes on without bulk reads where a binding has none', async () => {
    const old = {
      get: async (key) => (typeof key === 'string' ? kv.get(key) : null), put: (...args) => kv.put(...args), delete: (key) => kv.delete(key), list: (options) => kv.list(options),
    };
    const store = kvStore(old, { prefix: 'old/' });
    await store.put('a', '1', {});
    await store.put('b', '2', {});
    for (let round = 0; round < 2; round += 1) assert.deepEqual(await store.get(['a', 'x', 'b']), ['1', null, '2']);
  });

  test('holds no exact counters, and is refused for them', () => {
    const stores = { revocation: kvStore(kv), keys: kvStore(kv), counters: kvStore(kv) };
    assert.deepEqual(refusalOf(() => createGate(POLICY, { secrets: SECRETS, stores }), EdgegateError), {
      code: 'CONFIG_ERROR', reason: 'config', path: 'stores.counters',
      message: 'stores.counters: limits[0].store is exact and shared, expected a store with compareAndSet; Workers KV has none',
    });
    assert.equal(refusalOf(() => kvStore({}), EdgegateError).path, 'binding');
    assert.equal(refusalOf(() => kvStore(kv, { prefix: 'x'.repeat(401) }), EdgegateError).path, 'prefix');
  });
});
