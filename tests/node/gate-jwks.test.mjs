// The keys of issuers in a store that gates share (`stores.jwks`). They are fetched once for all gates. Nobody can plant keys there that
// the issuer has not published.

import assert from 'node:assert/strict';
import { createHash, createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';

import { memoryStore } from '../../pkg/wasm/node.js';
import { signAsymmetric } from '../worker/token.mjs';
import { ISSUER, NOW, SECRETS, bearer, gateOf, policy, request } from './gate.mjs';

const AUDIENCE = 'https://api.example.com';
const CACHE_SECRET = randomBytes(32).toString('hex');
const genuine = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const planted = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwksOf = ({ publicKey }) => JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] });

let server;
let uri;
let name;
let hits;
let answer;

before(async () => {
  server = http.createServer((incoming, response) => {
    hits.push(incoming.headers['if-none-match']);
    answer(incoming, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  uri = `http://127.0.0.1:${server.address().port}/jwks.json`;
  name = `jwks/v1/${createHash('sha256').update(uri).digest('base64url')}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  hits = [];
  answer = (_, response) => response.setHeader('cache-control', 'max-age=600').setHeader('etag', '"v1"').end(jwksOf(genuine));
});

const down = (_, response) => response.writeHead(500).end();

/** The stored value of a gate that fetched the keys this long ago (STORAGE.md). */
function sealed(changes = {}, { secret = CACHE_SECRET, from = uri, ageSecs = 0 } = {}) {
  const json = JSON.stringify({ jwks: jwksOf(genuine), etag: '"v1"', cache_control: 'max-age=600', fetched_at: NOW - ageSecs, ...changes });
  const tag = createHmac('sha256', secret).update(`edgegate-jwks-v1\0${from}\0${json}`).digest('base64url');
  return `${tag}.${json}`;
}

const signed = (pair = genuine) => signAsymmetric(
  { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: NOW + 600, scope: 'read:posts' }, { key: pair.privateKey, alg: 'ES256', header: { kid: 'k' } },
);

/** A gate that knows no keys yet, and the writes that it has begun. */
function freshGate(jwks, changes = {}) {
  const issuers = [{ issuer: ISSUER, audience: [AUDIENCE], algorithms: ['ES256'], jwks_uri: uri }];
  const { gate, ...rest } = gateFor(issuers, jwks, changes);
  const ask = async (pair) => {
    const decision = await gate.check(request('/v1/posts', bearer(signed(pair))));
    return decision.reason ?? decision.identity.subject;
  };
  return { ask, ...rest };
}

function gateFor(issuers, jwks, changes = {}) {
  const writes = [];
  const { gate, clock, events } = gateOf({
    policy: policy({ issuers, revocation: undefined, jwks_cache: { secret: 'CACHE_SECRET' }, ...changes }),
    secrets: { ...SECRETS, CACHE_SECRET },
    stores: { jwks },
    waitUntil: (promise) => writes.push(promise),
  });
  return { gate, clock, events, written: () => Promise.all(writes) };
}

test('one gate fetches, the others find it, in the form of the Worker', async () => {
  const store = memoryStore({ now: () => NOW });
  const first = freshGate(store);
  assert.equal(await first.ask(), 'alice');
  await first.written();
  assert.deepEqual(await store.get([name]), [sealed()]);
  answer = down;
  for (const gate of [freshGate(store), freshGate(store)]) {
    assert.equal(await gate.ask(), 'alice');
    assert.equal(await gate.ask(planted), 'bad_signature');
  }
  assert.equal(hits.length, 1);
});

test('if many come at once to a gate without keys, one writes', async () => {
  const puts = [];
  const store = { ...methods(memoryStore()), put: async (...args) => { puts.push(args); } };
  const { ask, written } = freshGate(store);
  assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, () => ask()))), new Set(['alice']));
  await written();
  assert.deepEqual(puts, [[name, sealed(), { ttlSecs: 2 * 24 * 60 * 60 }]]);
  assert.equal(hits.length, 1);
});

test('stale keys are renewed by their ETag, for all gates', async () => {
  const store = memoryStore({ now: () => NOW });
  await store.put(name, sealed({}, { ageSecs: 601 }));
  answer = (_, response) => response.setHeader('cache-control', 'max-age=600').writeHead(304).end();
  const first = freshGate(store);
  assert.equal(await first.ask(), 'alice');
  await first.written();
  assert.deepEqual(await store.get([name]), [sealed()]);
  assert.equal(await freshGate(store).ask(), 'alice');
  assert.deepEqual(hits, ['"v1"']);
});

test('stale keys serve while the issuer is down, which the log is told', async () => {
  const store = memoryStore({ now: () => NOW });
  await store.put(name, sealed({}, { ageSecs: 601 }));
  answer = down;
  const { ask, events } = freshGate(store);
  assert.equal(await ask(), 'alice');
  assert.deepEqual(events, [{
    event: 'fault', at: NOW * 1000, detail: `keys of ${ISSUER}: status 500, expected 200`, stale_keys: true,
  }]);
});

describe('is not believed, so that the issuer is asked', () => {
  for (const [what, value] of [
    ['no seal', () => sealed({ jwks: jwksOf(planted) }).slice(44)],
    ['an empty seal', () => `.${sealed({ jwks: jwksOf(planted) }).slice(44)}`],
    ['the seal of the genuine keys', () => sealed().slice(0, 44) + sealed({ jwks: jwksOf(planted) }).slice(44)],
    ['another secret', () => sealed({ jwks: jwksOf(planted) }, { secret: randomBytes(32).toString('hex') })],
    ['another issuer', () => sealed({ jwks: jwksOf(planted) }, { from: 'https://attacker.example/jwks.json' })],
    ['a million bytes', () => 'x'.repeat(1_000_000)],
    ['nothing', () => ''],
  ]) {
    test(what, async () => {
      const store = memoryStore({ now: () => NOW });
      await store.put(name, value());
      const { ask } = freshGate(store);
      assert.equal(await ask(planted), 'bad_signature');
      assert.equal(await ask(), 'alice');
      assert.equal(hits.length, 1);
    });
  }
});

describe('a store that fails costs only a fetch', () => {
  const broken = () => { throw new Error('gone'); };
  for (const [what, changes, details] of [
    ['fails', { get: broken, put: async () => broken() }, ['keys not cached: gone']],
    ['fails at once', { get: broken, put: broken }, ['keys not cached: gone']],
    ['answers something else', { get: async () => [7] }, []],
    ['answers too little', { get: async () => [] }, []],
  ]) {
    test(`that ${what}`, async () => {
      const { ask, events, written } = freshGate({ ...methods(memoryStore()), ...changes });
      assert.equal(await ask(), 'alice');
      assert.equal(await ask(), 'alice');
      await written();
      assert.equal(hits.length, 1);
      assert.deepEqual(events.map(({ detail }) => detail), details);
    });
  }

  test('that hangs', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const never = () => new Promise(() => {});
    const { ask, events, written } = freshGate({ ...methods(memoryStore()), get: never, put: never });
    let done = false;
    const asking = ask().finally(() => { done = true; });
    while (!done) {
      t.mock.timers.tick(2000);
      await new Promise((resolve) => { setImmediate(resolve); });
    }
    assert.equal(await asking, 'alice');
    t.mock.timers.tick(2000);
    await written();
    assert.equal(hits.length, 1);
    assert.deepEqual(events.map(({ detail }) => detail), ['keys not cached: no answer in time']);
  });
});

test('the store is not used without jwks_cache in the policy, and not required with it', async () => {
  const broken = async () => assert.fail('it was used');
  const without = freshGate({ get: broken, put: broken, delete: broken, list: broken }, { jwks_cache: undefined });
  assert.equal(await without.ask(), 'alice');
  await without.written();
  assert.equal(await freshGate(undefined).ask(), 'alice');
  assert.equal(hits.length, 2);
});

describe('found by the issuer alone', () => {
  const discovering = (document) => {
    const base = new URL(uri).origin;
    const at = [];
    answer = (incoming, response) => {
      at.push(incoming.url);
      if (incoming.url === '/jwks.json') response.end(jwksOf(genuine));
      else document(incoming.url, response);
    };
    return { issuer: `${base}/a`, at };
  };
  const gateWith = (issuer, jwks) => {
    const issuers = [{ issuer, audience: [AUDIENCE], algorithms: ['ES256'], discovery: true }];
    const { clock, events, gate, written } = gateFor(issuers, jwks);
    const ask = async (pair = genuine) => {
      const token = signAsymmetric({ iss: issuer, aud: AUDIENCE, sub: 'alice', exp: NOW + 600, scope: 'read:posts' }, { key: pair.privateKey, alg: 'ES256', header: { kid: 'k' } });
      const decision = await gate.check(request('/v1/posts', bearer(token)));
      return decision.reason ?? decision.identity.subject;
    };
    return { ask, clock, events, written };
  };

  test('at the place of OpenID Connect, or else at that of RFC 8414', async () => {
    for (const [place, before] of [['/a/.well-known/openid-configuration', []], ['/.well-known/oauth-authorization-server/a', ['/a/.well-known/openid-configuration']]]) {
      const { issuer, at } = discovering((url, response) => {
        if (url === place) response.end(JSON.stringify({ issuer, jwks_uri: uri }));
        else response.writeHead(404).end();
      });
      const { ask } = gateWith(issuer);
      assert.equal(await ask(), 'alice');
      assert.equal(await ask(planted), 'bad_signature');
      assert.deepEqual(at, [...before, place, '/jwks.json']);
    }
  });

  test('others find them in the store, without the document', async () => {
    const store = memoryStore({ now: () => NOW });
    const { issuer, at } = discovering((_, response) => response.end(JSON.stringify({ issuer, jwks_uri: uri })));
    const first = gateWith(issuer, store);
    assert.equal(await first.ask(), 'alice');
    await first.written();
    assert.equal(await gateWith(issuer, store).ask(), 'alice');
    assert.equal(at.length, 2);
    const hash = createHash('sha256').update(`discovery ${issuer}`).digest('base64url');
    assert.notEqual((await store.get([`jwks/v1/${hash}`]))[0] ?? null, null);
  });

  test('not by the document of another issuer, nor by http', async () => {
    for (const [changes, detail] of [
      [{ issuer: 'https://other.test/' }, 'the document is about another issuer'],
      [{ jwks_uri: 'http://keys.example/' }, 'jwks_uri of the document is no https URL'],
    ]) {
      const { issuer, at } = discovering((_, response) => response.end(JSON.stringify({ issuer, jwks_uri: uri, ...changes })));
      const { ask, events } = gateWith(issuer);
      assert.equal(await ask(), 'keys_unavailable');
      assert.equal(at.length, 1);
      assert.equal(events.at(-1).detail, `keys of ${issuer}: ${detail}`);
    }
  });
});

function methods(store) {
  return Object.fromEntries(['get', 'put', 'delete', 'list'].map((method) => [method, store[method].bind(store)]));
}
