// The keys of issuers in KV. If one isolate has fetched keys, the others need not. Nobody can plant keys there that the issuer has not
// published.

import assert from 'node:assert/strict';
import { createHash, createHmac, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { AUDIENCE, SECRETS, admitted, gateWorker, policy, refused, start } from './harness.mjs';
import { control, faultyKv, faultyWorkers } from './stores.mjs';
import { nowSecs, signAsymmetric } from './token.mjs';

const genuine = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const planted = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwks = (pair) => JSON.stringify({ keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'one' }] });

const CACHE_SECRET = randomBytes(32).toString('hex');
const NAMES = ['first', 'second', 'third', 'fourth'];

let server;
let uri;
let hits = [];
let answer;
let gate;

before(async () => {
  server = http.createServer((request, response) => {
    hits.push(request.headers['if-none-match']);
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  uri = `http://127.0.0.1:${server.address().port}/jwks.json`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const published = (_, response) => response.setHeader('Cache-Control', 'max-age=600').setHeader('ETag', '"v1"').end(jwks(genuine));

/** Runs `step` with fresh isolates over one empty KV namespace. */
async function withIsolates(step) {
  hits = [];
  answer = published;
  const issuers = [{ issuer: 'https://issuer.test/', audience: [AUDIENCE], algorithms: ['ES256'], jwks_uri: uri }];
  const secrets = { ...SECRETS, CACHE_SECRET };
  const worker = (name) => gateWorker({
    name,
    secrets,
    policy: policy({ issuers, jwks_cache: { secret: 'CACHE_SECRET' } }),
    worker: { kvNamespaces: { EDGEGATE_KV: 'shared' } },
  });
  gate = await start(NAMES.map(worker), { secrets: Object.values(secrets) });
  try {
    await step(await gate.mf.getKVNamespace('EDGEGATE_KV', 'first'));
  } finally {
    await gate.dispose();
  }
}

/** The value in KV of a gate that fetched the keys this long ago (STORAGE.md). */
function sealed(changes = {}, { secret = CACHE_SECRET, from = uri, ageSecs = 0 } = {}) {
  const json = JSON.stringify({ jwks: jwks(genuine), etag: '"v1"', cache_control: 'max-age=600', fetched_at: nowSecs() - ageSecs, ...changes });
  const tag = createHmac('sha256', secret).update(`edgegate-jwks-v1\0${from}\0${json}`).digest('base64url');
  return `${tag}.${json}`;
}

const signed = (pair = genuine, kid = 'one') => signAsymmetric(
  { iss: 'https://issuer.test/', aud: AUDIENCE, sub: 'alice', exp: nowSecs() + 600 }, { key: pair.privateKey, alg: 'ES256', header: { kid } },
);
const ask = (name, bearer = signed()) => gate.get('/', { gate: name, token: bearer });
const key = () => `jwks/v1/${createHash('sha256').update(uri).digest('base64url')}`;

/** Waits until the value in KV is no longer `old`, and returns it: it is written after the answer. */
async function stored(kv, old = null) {
  for (let tries = 0; tries < 200; tries += 1) {
    const value = await kv.get(key());
    if (value !== old) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return assert.fail('nothing was stored');
}

test('one isolate fetches, the others find it', () => withIsolates(async (kv) => {
  admitted(await ask('first'), { subject: 'alice' });
  const { fetched_at: fetchedAt } = JSON.parse((await stored(kv)).slice(44));
  assert.equal(await kv.get(key()), sealed({ fetched_at: fetchedAt }), 'the form is the documented one');
  answer = (_, response) => response.writeHead(500).end();
  for (const name of ['second', 'third']) admitted(await ask(name), { subject: 'alice' });
  assert.equal(hits.length, 1);
}));

test('an unknown kid costs all isolates together one fetch in the cool-down', () => withIsolates(async (kv) => {
  admitted(await ask('first'));
  await stored(kv);
  for (const name of ['second', 'third', 'second', 'third']) {
    refused(await ask(name, signed(genuine, randomUUID())), 'INVALID_TOKEN');
  }
  assert.equal(hits.length, 1);
  // Half a minute later the issuer may have published a new key.
  await kv.put(key(), sealed({}, { ageSecs: 31 }));
  answer = (_, response) => response.end(JSON.stringify({ keys: [{ ...planted.publicKey.export({ format: 'jwk' }), kid: 'two' }] }));
  admitted(await ask('fourth', signed(planted, 'two')));
  assert.equal(hits.length, 2);
}));

test('planted keys are not believed, and the issuer is asked', async () => {
  const good = sealed();
  const mine = jwks(planted);
  for (const [what, value] of Object.entries({
    'without a seal': sealed({ jwks: mine }).slice(44),
    'with an empty seal': `.${sealed({ jwks: mine }).slice(44)}`,
    'with the seal of the genuine keys': good.slice(0, 44) + sealed({ jwks: mine }).slice(44),
    'sealed with another secret': sealed({ jwks: mine }, { secret: randomBytes(32).toString('hex') }),
    'sealed for another issuer': sealed({ jwks: mine }, { from: 'https://attacker.example/jwks.json' }),
    'far too long': 'x'.repeat(1_000_000),
    'nothing': '',
  })) {
    await withIsolates(async (kv) => {
      await kv.put(key(), value);
      refused(await ask('first', signed(planted)), 'INVALID_TOKEN');
      admitted(await ask('first'));
      assert.equal(hits.length, 1, what);
    });
  }
});

test('stale keys are renewed by their ETag, for all isolates', () => withIsolates(async (kv) => {
  answer = (request, response) => {
    if (request.headers['if-none-match'] !== '"v1"') return published(request, response);
    return response.setHeader('Cache-Control', 'max-age=600').setHeader('ETag', '"v1"').writeHead(304).end();
  };
  const old = sealed({}, { ageSecs: 601 });
  await kv.put(key(), old);
  admitted(await ask('first'));
  assert.deepEqual(hits, ['"v1"']);
  await stored(kv, old);
  admitted(await ask('second'));
  assert.equal(hits.length, 1);
}));

test('stale keys serve while the issuer is down, but not for ever', () => withIsolates(async (kv) => {
  answer = (_, response) => response.writeHead(500).end();
  const day = 24 * 60 * 60;
  await kv.put(key(), sealed({}, { ageSecs: 600 + day + 1 }));
  refused(await ask('first'), 'KEYS_UNAVAILABLE');
  await kv.put(key(), sealed({}, { ageSecs: 600 + day - 60 }));
  admitted(await ask('second'));
  await gate.output.find((line) => line.includes('"stale_keys":true'));
}));

test('stored keys can do no more than the issuer may', () => withIsolates(async (kv) => {
  answer = (_, response) => response.writeHead(500).end();
  const secret = { kty: 'oct', k: randomBytes(32).toString('base64url'), kid: 'one', alg: 'HS256' };
  await kv.put(key(), sealed({ jwks: JSON.stringify({ keys: [secret] }) }));
  refused(await ask('first'), 'KEYS_UNAVAILABLE');
}));

test('a KV that does not answer costs only a fetch', async () => {
  hits = [];
  answer = published;
  const issuers = [{ issuer: 'https://issuer.test/', audience: [AUDIENCE], algorithms: ['ES256'], jwks_uri: uri }];
  const secrets = { ...SECRETS, CACHE_SECRET };
  const given = policy({ issuers, revocation: undefined, api_keys: undefined, jwks_cache: { secret: 'CACHE_SECRET' } });
  gate = await start([gateWorker({ policy: given, secrets, worker: faultyKv }), ...faultyWorkers], { secrets: Object.values(secrets) });
  try {
    await (await control(gate, 'faulty-kv')).set('fail');
    admitted(await ask('gate'));
    admitted(await ask('gate'));
    assert.equal(hits.length, 1);
    await gate.output.find((line) => line.includes('keys not cached'));
  } finally {
    await gate.dispose();
  }
});
