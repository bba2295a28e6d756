// createGate over real Redis servers, by every kind of client.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as jose from 'jose';

import { EdgegateError, redisStore } from '../../pkg/wasm/node.js';
import { token as tokenNow } from '../worker/harness.mjs';
import { ISSUER, NOW, SECRETS, apiKey, bearer, gateOf, keyIdOf, policy, record, request, token } from './gate.mjs';
import { CLIENTS, KINDS, namesOf, startAll } from './redis-server.mjs';
import { refusalOf } from './support.mjs';

let redis;
before(async () => {
  redis = await startAll();
});
after(() => redis?.stop());

for (const [kind, { on, outer = '', connect }] of Object.entries(KINDS)) {
  describe(`by ${kind}`, () => {
    let client;
    let close;
    let inspector;
    before(async () => {
      ({ client, close } = await connect(redis[on]));
      inspector = redis[on].inspect();
    });
    after(() => Promise.all([close?.(), inspector?.close()]));
    const send = (command, key, ...words) => inspector.send(command, outer + key, ...words);

    test('values, times to live and names are stored unchanged', async () => {
      const store = redisStore(client, { prefix: `${kind}-a*b:` });
      await store.put('x/1', 'one', {});
      await store.put('x/2', 'zwei ✓', { ttlSecs: 61.2 });
      assert.deepEqual(await store.get(['x/2', 'x/3', 'x/1', 'x/2']), ['zwei ✓', null, 'one', 'zwei ✓']);
      assert.equal(await send('TTL', `${kind}-a*b:x/1`), -1);
      assert.ok([61, 62].includes(await send('TTL', `${kind}-a*b:x/2`)));
      await send('SET', `${kind}-aXb:x/9`, 'not ours');
      await inspector.send('SET', `${kind}-a*b:x/8`, 'not ours, unless nothing comes before');
      assert.deepEqual((await namesOf(store, 'x/', 10)).sort(), outer === '' ? ['x/1', 'x/2', 'x/8'] : ['x/1', 'x/2']);
      await store.delete('x/1');
      await store.delete('x/1');
      assert.deepEqual(await store.get(['x/1']), [null]);
    });

    test('compareAndSet swaps only the expected value', async () => {
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
      await assert.rejects(store.list('n/', { cursor: '0:', limit: 10 }), { message: 'not a cursor of this store' });
    });

    test('a time to live beyond what Redis can count is none', async () => {
      const store = redisStore(client, { prefix: `${kind}-long:` });
      for (const ttlSecs of [8e9, Number.MAX_SAFE_INTEGER, 2 ** 63, 1e30, Infinity]) {
        await store.put('put', 'a', { ttlSecs });
        assert.equal(await store.compareAndSet(`swapped ${ttlSecs}`, null, 'b', { ttlSecs }), true);
        assert.deepEqual(await store.get(['put', `swapped ${ttlSecs}`]), ['a', 'b']);
      }
      assert.equal(await send('TTL', `${kind}-long:put`), -1);
    });

    test('revocations and keys of the gate are listed', async () => {
      const store = redisStore(client, { prefix: `${kind}-listed:` });
      const { gate } = gateOf({ stores: { revocation: store, keys: store, counters: store } });
      const { id } = await gate.keys.mint({ name: 'n', owner: 'alice', scopes: ['read:posts'] });
      await gate.revocations.add({ iss: ISSUER, jti: 'gone' });
      assert.deepEqual((await gate.keys.list({ owner: 'alice' })).keys.map((key) => key.id), [id]);
      assert.deepEqual((await gate.revocations.list()).revocations.map(({ target }) => target.jti), ['gone']);
      const ask = () => gate.check(request('/v1/posts', bearer(token({ scope: 'read:posts', jti: 'gone' }))));
      assert.equal((await ask()).code, 'TOKEN_REVOKED');
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
      port: redis.one.port, policy: policy({ limits }), secrets: SECRETS, authorization: `Bearer ${tokenNow()}`, times: 100,
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

test('anything but a usable client is refused', () => {
  const path = (message) => ({ code: 'CONFIG_ERROR', reason: 'config', message: `client: ${message}`, path: 'client' });
  const refused = (client) => refusalOf(() => redisStore(client), EdgegateError);
  for (const client of [undefined, {}, 'redis://x']) {
    assert.deepEqual(refused(client), path('expected a client of redis (node-redis), ioredis or Bun, or the url and token of Upstash'));
  }
  const call = () => {};
  const sendCommand = () => {};
  assert.deepEqual(refused({ sendCommand, options: { legacyMode: true } }), path('in legacy mode, expected a client that returns promises'));
  assert.deepEqual(refused({ sendCommand, release() {}, watch() {} }), path('a lease of createSentinel, expected what createSentinel returned'));
  for (const client of [{ call, options: { keyPrefix: Buffer.from('x') } }, { sendCommand, _keyPrefix: Buffer.from('x') }]) {
    assert.deepEqual(refused(client), path('keyPrefix: expected a string'));
  }
  const replica = (option) => path(`${option}: expected "master", since a replica may not know a revocation yet`);
  for (const scaleReads of ['slave', 'all', () => {}]) {
    assert.deepEqual(refused({ call, isCluster: true, options: { scaleReads } }), replica('scaleReads'));
  }
  assert.deepEqual(refused({ call, options: { role: 'slave' } }), replica('role'));
  const fault = (problem, message) => ({ code: 'CONFIG_ERROR', reason: 'config', message: `${problem}: ${message}`, path: problem });
  assert.deepEqual(refusalOf(() => redisStore({ call }, { prefix: 1 }), EdgegateError), fault('prefix', 'expected a string'));
  const evictionAllowed = 'yes';
  assert.deepEqual(refusalOf(() => redisStore({ call }, { evictionAllowed }), EdgegateError), fault('evictionAllowed', 'expected true or false'));
});

test('a client that gives no answers is no empty store', async () => {
  const { client, close } = await CLIENTS.redis(redis.one.port);
  try {
    const store = redisStore(client.legacy(), { evictionAllowed: true });
    const wrong = (command) => ({ message: `${command}: the client gave undefined, not what Redis answers` });
    await assert.rejects(store.get(['x']), wrong('GET'));
    await assert.rejects(store.put('x', '', {}), wrong('SET'));
    await assert.rejects(store.delete('x'), wrong('DEL'));
    await assert.rejects(store.list('x', { limit: 1 }), wrong('SCAN'));
    await assert.rejects(store.compareAndSet('x', null, '', {}), wrong('EVAL'));
    const { gate, events } = gateOf({ stores: { revocation: redisStore(client.legacy()) } });
    assert.equal((await gate.check(request('/v1/posts', bearer(token({ scope: 'read:posts', jti: 'x' }))))).code, 'STORE_UNAVAILABLE');
    assert.match(events[0].detail, /maxmemory-policy/);
  } finally {
    await close();
  }
});
