// How the store in memory behaves when it is full. Everything else is in store-contract.test.mjs.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { memoryStore } from '../../pkg/wasm/node.js';
import { ISSUER, NOW, bearer, gateOf, policy, request, token } from './gate.mjs';

const FULL = { message: /^the memory store is full: maxEntries is \d+$/ };

test('a full store takes new names after an entry has expired, however its end was set', async () => {
  let now = 1000;
  const store = memoryStore({ maxEntries: 3, now: () => now });
  await store.put('for ever', 'a');
  await store.put('long', 'b', { ttlSecs: 100 });
  await store.put('shortened', 'c', { ttlSecs: 100 });
  await assert.rejects(store.put('new', 'd'), FULL);
  // This entry ends before all that were known when the store was last searched.
  await store.put('shortened', 'e', { ttlSecs: 10 });
  now += 9;
  await assert.rejects(store.compareAndSet('new', null, 'd', {}), FULL);
  now += 1;
  assert.equal(await store.compareAndSet('new', null, 'd', {}), true);
  assert.deepEqual(await store.get(['for ever', 'long', 'shortened', 'new']), ['a', 'b', null, 'd']);
  await assert.rejects(store.put('newer', 'f'), FULL);
  await store.delete('for ever');
  await store.put('newer', 'f');
  await assert.rejects(store.put('newest', 'g'), FULL);
  now += 90;
  await store.put('newest', 'g');
  assert.deepEqual(await store.get(['long', 'new', 'newer', 'newest']), [null, 'd', 'f', 'g']);
});

test('counters and used proofs have rooms of their own, and the names of all are listed', async () => {
  let now = 1000;
  const store = memoryStore({ maxEntries: 2, now: () => now });
  const spaces = ['count/v1/', 'dpop/v1/', 'deny/v1/'];
  for (const space of spaces) {
    assert.equal(await store.compareAndSet(`${space}a`, null, space, { ttlSecs: 60 }), true);
    await store.put(`${space}b`, space, { ttlSecs: 70 });
    await assert.rejects(store.put(`${space}c`, space, { ttlSecs: 60 }), FULL);
    await assert.rejects(store.compareAndSet(`${space}c`, null, space, { ttlSecs: 60 }), FULL);
  }
  assert.deepEqual((await store.list('', { limit: 3 })), { keys: ['count/v1/a', 'count/v1/b', 'deny/v1/a'], cursor: 'deny/v1/a' });
  assert.deepEqual((await store.list('', { cursor: 'deny/v1/a', limit: 3 })).keys, ['deny/v1/b', 'dpop/v1/a', 'dpop/v1/b']);
  assert.deepEqual((await store.list('dpop/v1/', { limit: 3 })).keys, ['dpop/v1/a', 'dpop/v1/b']);
  now += 60;
  await store.put('count/v1/c', 'new', {});
  for (const space of spaces) {
    assert.deepEqual(await store.get([`${space}a`, `${space}b`]), [null, space]);
    await store.delete(`${space}b`);
    assert.deepEqual(await store.get([`${space}b`]), [null]);
  }
});

test('callers who fill a store keep no revocation and no key out of it', async () => {
  const store = memoryStore({ maxEntries: 50, now: () => NOW });
  const limits = [{ ...policy().limits[0], by: 'ip' }];
  const { gate } = gateOf({ policy: policy({ limits }), stores: { revocation: store, keys: store, counters: store } });
  const ask = (clientIp) => gate.check(request('/v1/limited', bearer(token({ jti: 'a' }))), { clientIp });
  const codes = [];
  for (let place = 0; place < 60; place += 1) codes.push((await ask(`2001:db8:${place}::1`)).code);
  assert.deepEqual([codes[0], codes[49], codes[50], codes[59]], [undefined, undefined, 'STORE_UNAVAILABLE', 'STORE_UNAVAILABLE']);

  await gate.keys.mint({ name: 'n', owner: 'alice', scopes: [] });
  await gate.revocations.add({ iss: ISSUER, jti: 'a' });
  assert.equal((await ask('2001:db8:1::1')).code, 'TOKEN_REVOKED');
});

// This is the last test, since Node 20 does not restore what it mocks here.
test('a full store is not searched for each name that it cannot take', async (context) => {
  const store = memoryStore({ maxEntries: 100, now: () => 1000 });
  for (let place = 0; place < 100; place += 1) await store.put(`old ${place}`, '', { ttlSecs: 60 });
  const goneThrough = context.mock.method(Map.prototype, Symbol.iterator);
  for (let place = 0; place < 50; place += 1) await assert.rejects(store.put(`new ${place}`, '', { ttlSecs: 60 }), FULL);
  assert.equal(goneThrough.mock.calls.filter(({ this: map }) => map.has('old 0')).length, 0);
});
