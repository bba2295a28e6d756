// createGate over a real redis-server, by both clients.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as jose from 'jose';

import { EdgegateError, redisStore } from '../../pkg/wasm/node.js';
import { token as tokenNow } from '../worker/harness.mjs';
import { NOW, SECRETS, apiKey, bearer, gateOf, keyIdOf, policy, record, request, token } from './gate.mjs';
import { CLIENTS, startRedis } from './redis-server.mjs';
import { refusalOf } from './support.mjs';

let redis;
before(async () => {
  redis = await startRedis();
});
after(() => redis?.stop());

/** All pages together. */
async function namesOf(store, prefix, limit) {
  const found = [];
  let cursor;
  do {
    const page = await store.list(prefix, { cursor, limit });
    assert.ok(page.keys.length <= limit);
    found.push(...page.keys);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

for (const [kind, connect] of Object.entries(CLIENTS)) {
  describe(`by ${kind}`, () => {
    let client;
    let close;
    before(async () => {
      ({ client, close } = await connect(redis.port));
    });
    after(() => close?.());
    const send = (...words) => (kind === 'redis' ? client.sendCommand(words) : client.call(...words));

    test('values, times to live and names are as Redis has them', async () => {
      const store = redisStore(client, { prefix: `${kind}-a*b:` });
      await store.put('x/1', 'one', {});
      await store.put('x/2', 'zwei ✓', { ttlSecs: 61.2 });
      assert.deepEqual(await store.get(['x/2', 'x/3', 'x/1', 'x/2']), ['zwei ✓', null, 'one', 'zwei ✓']);
      assert.equal(await send('TTL', `${kind}-a*b:x/1`), -1);
      assert.ok([61, 62].includes(await send('TTL', `${kind}-a*b:x/2`)));
      await send('SET', `${kind}-aXb:x/9`, 'not ours');
      assert.deepEqual((await namesOf(store, 'x/', 10)).sort(), ['x/1', 'x/2']);
      await store.delete('x/1');
      await store.delete('x/1');
      assert.deepEqual(await store.get(['x/1']), [null]);
    });

    test('compareAndSet swaps what is there, and nothing else', async () => {
      const store = redisStore(client, { prefix: `${kind}-swap:` });
      assert.equal(await store.compareAndSet('c', 'something', '1', { ttlSecs: 60 }), false);
      assert.equal(await store.compareAndSet('c', null, '1', { ttlSecs: 60 }), true);
      assert.equal(await store.compareAndSet('c', null, '2', { ttlSecs: 60 }), false);
      assert.equal(await store.compareAndSet('c', '1', '', { ttlSecs: 60 }), true);
      assert.equal(await store.compareAndSet('c', null, '2', {}), false, 'an empty text is a text');
      assert.equal(await store.compareAndSet('c', '', '3', {}), true);
      assert.equal(await send('TTL', `${kind}-swap:c`), -1);
    });

    test('a long listing comes in pages, each name once', async () => {
      const store = redisStore(client, { prefix: `${kind}-list:` });
      const names = Array.from({ length: 2500 }, (_, index) => `n/${index}`);
      await Promise.all(names.map((name) => store.put(name, '', {})));
      assert.deepEqual((await namesOf(store, 'n/', 100)).sort(), names.sort());
    });

    test('the gate finds records and revocations there', async () => {
      const store = redisStore(client, { prefix: `${kind}-gate:` });
      const { gate } = gateOf({ stores: { revocation: store, keys: store, counters: store } });
      const key = apiKey();
      const id = keyIdOf(key);
      const ask = () => gate.check(request('/v1/posts', { 'x-api-key': key }));
      assert.equal((await ask()).code, 'INVALID_API_KEY');
      await store.put(`key/v1/${id}`, record(id), {});
      const fresh = gateOf({ stores: { revocation: store, keys: store, counters: store } });
      assert.equal((await fresh.gate.check(request('/v1/posts', { 'x-api-key': key }))).identity.keyId, id);
    });

    test('exactly the limit of 200 at once, by two gates', async () => {
      const store = redisStore(client, { prefix: `${kind}-limit:` });
      const limits = [{ ...policy().limits[0], requests: 40 }];
      const gates = [1, 2].map(() => gateOf({ policy: policy({ limits }), stores: { counters: store } }).gate);
      const ask = (index) => gates[index % 2].check(request('/v1/limited', bearer(token())));
      const decisions = await Promise.all(Array.from({ length: 200 }, (_, index) => ask(index)));
      assert.equal(decisions.filter(({ ok }) => ok).length, 40);
      const [name] = await namesOf(store, 'count/v1/', 10);
      assert.match(name, /^count\/v1\/[0-9a-f]{64}$/);
      const ttl = await send('TTL', `${kind}-limit:${name}`);
      assert.ok(ttl > 0 && ttl <= 64, String(ttl));
      assert.deepEqual(Object.keys(JSON.parse((await store.get([name]))[0]).cells), ['limited']);
    });

    test('a proof of possession is taken once of many at once, by two gates', async () => {
      const store = redisStore(client, { prefix: `${kind}-proofs:` });
      const given = policy({ dpop: { replays: 'shared' } });
      const gates = [1, 2].map(() => gateOf({ policy: given, stores: { counters: store } }).gate);
      const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
      const jwk = await jose.exportJWK(publicKey);
      const accessToken = token({ cnf: { jkt: await jose.calculateJwkThumbprint(jwk) } });
      const ath = createHash('sha256').update(accessToken).digest('base64url');
      for (const jti of ['one', 'two']) {
        const proof = await new jose.SignJWT({ jti, htm: 'GET', htu: 'https://gate.test/v1/other', iat: NOW, ath })
          .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey);
        const ask = (index) => gates[index % 2].check(request('/v1/other', { authorization: `DPoP ${accessToken}`, dpop: proof }));
        const decisions = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(index)));
        assert.equal(decisions.filter(({ ok }) => ok).length, 1, JSON.stringify(decisions[0]));
        assert.ok(decisions.every(({ ok, reason }) => ok || reason === 'dpop_replayed'));
      }
      const names = await namesOf(store, 'dpop/v1/', 10);
      assert.equal(names.length, 2);
      for (const name of names) {
        const ttl = await send('TTL', `${kind}-proofs:${name}`);
        assert.ok(ttl > 60 && ttl <= 92, String(ttl));
      }
    });
  });
}

test('exactly the limit of 200 at once, by two processes with a client each', async () => {
  const limits = [{ ...policy().limits[0], requests: 60 }];
  const file = fileURLToPath(new URL('./gate-redis-process.mjs', import.meta.url));
  const children = Object.keys(CLIENTS).map((kind) => ({ kind, child: fork(file) }));
  try {
    const given = {
      port: redis.port, policy: policy({ limits }), secrets: SECRETS, authorization: `Bearer ${tokenNow()}`, times: 100,
    };
    await Promise.all(children.map(async ({ kind, child }) => {
      child.send({ ...given, kind });
      assert.deepEqual((await once(child, 'message'))[0], 'ready');
    }));
    const answers = children.map(({ child }) => once(child, 'message'));
    for (const { child } of children) child.send('go');
    const [[a], [b]] = await Promise.all(answers);
    assert.equal(a.admitted + b.admitted, 60, JSON.stringify([a, b]));
    assert.ok([...a.codes, ...b.codes].every((code) => code === undefined || code === null || code === 'RATE_LIMITED'));
  } finally {
    for (const { child } of children) child.kill();
  }
});

test('a Redis that is gone is a store that does not answer', async () => {
  for (const connect of Object.values(CLIENTS)) {
    const own = await startRedis();
    const { client, close } = await connect(own.port);
    try {
      const { gate } = gateOf({ stores: { revocation: redisStore(client) } });
      const ask = () => gate.check(request('/v1/posts', bearer(token({ scope: 'read:posts', jti: 'x' }))));
      await own.stop();
      assert.equal((await ask()).code, 'STORE_UNAVAILABLE');
    } finally {
      await close();
    }
  }
});

test('what is no client is refused', () => {
  const path = (message) => ({ code: 'CONFIG_ERROR', reason: 'config', message: `client: ${message}`, path: 'client' });
  const cluster = { sendCommand() {}, nodeClient() {} };
  for (const client of [undefined, {}, 'redis://x']) {
    assert.deepEqual(refusalOf(() => redisStore(client), EdgegateError), path('expected a client of redis (node-redis) or ioredis'));
  }
  for (const client of [cluster, { call() {}, isCluster: true }]) {
    assert.deepEqual(refusalOf(() => redisStore(client), EdgegateError), path('a cluster, expected a client of one Redis'));
  }
});
