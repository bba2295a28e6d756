// What the store in memory does when it is full; the rest is in store-contract.test.mjs.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { memoryStore } from '../../pkg/wasm/node.js';

const FULL = { message: /^the memory store is full: maxEntries is \d+$/ };

test('a full store takes new names when something has expired, whichever way it came to expire', async () => {
  let now = 1000;
  const store = memoryStore({ maxEntries: 3, now: () => now });
  await store.put('for ever', 'a');
  await store.put('long', 'b', { ttlSecs: 100 });
  await store.put('shortened', 'c', { ttlSecs: 100 });
  await assert.rejects(store.put('new', 'd'), FULL);
  // An end that is nearer than all that were known when the store was last gone through.
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

test('a full store is not gone through for each name that it cannot take', async (context) => {
  const store = memoryStore({ maxEntries: 100, now: () => 1000 });
  for (let place = 0; place < 100; place += 1) await store.put(`old ${place}`, '', { ttlSecs: 60 });
  const goneThrough = context.mock.method(Map.prototype, Symbol.iterator);
  for (let place = 0; place < 50; place += 1) await assert.rejects(store.put(`new ${place}`, '', { ttlSecs: 60 }), FULL);
  assert.equal(goneThrough.mock.calls.filter(({ this: map }) => map.has('old 0')).length, 0);
});
