// The store over D1: real SQLite in workerd. What all stores promise is in store-contract.test.mjs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { EdgegateError, d1Store } from '../../pkg/wasm/node.js';
import { startD1 } from './d1-database.mjs';
import { bearer, gateOf, policy, request, token } from './gate.mjs';
import { refusalOf } from './support.mjs';

let database;
let stop;
before(async () => {
  ({ database, stop } = await startD1());
});
after(() => stop?.());

let tables = 0;
const fresh = (options) => d1Store(database, { table: `t${tables += 1}`, ...options });
const rowsOf = async () => (await database.prepare(`SELECT count(*) AS rows FROM t${tables}`).all()).results[0].rows;

test('an expired value is not found, and later writes remove its row', async () => {
  const store = fresh();
  await store.put('deny/v1/a', 'x', { ttlSecs: 0.001 });
  await store.put('deny/v1/b', 'x', {});
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  assert.deepEqual(await store.get(['deny/v1/a', 'deny/v1/b']), [null, 'x']);
  assert.deepEqual((await store.list('deny/', { limit: 9 })).keys, ['deny/v1/b']);
  assert.equal(await rowsOf(), 2);
  for (let write = 0; write < 16; write += 1) await store.put('deny/v1/b', 'y', {});
  assert.equal(await rowsOf(), 1);
  assert.equal(await store.compareAndSet('deny/v1/a', 'x', 'y', {}), false);
  assert.equal(await store.compareAndSet('deny/v1/a', null, 'y', {}), true);
});

test('a name is not taken for a pattern, nor a value for a statement', async () => {
  const store = fresh();
  const odd = "%_*'; DROP TABLE t1; --\u{1f511}";
  for (const name of [odd, 'a%', 'ab', 'a']) await store.put(name, odd, {});
  assert.deepEqual(await store.get([odd, 'a%', 'b']), [odd, odd, null]);
  assert.deepEqual((await store.list('a%', { limit: 9 })).keys, ['a%']);
  assert.deepEqual((await store.list('a', { limit: 9 })).keys, ['a', 'a%', 'ab']);
});

test('of twenty callers that set at once, one succeeds', async () => {
  const store = fresh();
  const race = (expected) => Promise.all(Array.from({ length: 20 }, (_, index) => store.compareAndSet('count/v1/x', expected, `${expected}${index}`, {})));
  assert.equal((await race(null)).filter(Boolean).length, 1);
  const [winner] = await store.get(['count/v1/x']);
  assert.equal((await race(winner)).filter(Boolean).length, 1);
});

test('callers fill the room of counters, and no more: revocations are written, counters that are there count on', async () => {
  const store = fresh({ maxEntries: 50 });
  const results = [];
  for (let index = 0; index < 1100; index += 1) {
    results.push(await store.compareAndSet(`count/v1/${index}`, null, '1', {}).catch(({ message }) => message));
  }
  assert.equal(results.at(-1), 'the store is full: maxEntries is 50');
  assert.equal(results.indexOf(results.at(-1)), 1000, 'counted once in a thousand');
  assert.equal(await store.compareAndSet('count/v1/0', '1', '2', {}), true);
  await store.put('deny/v1/a', 'x', {});
  assert.equal(await store.compareAndSet('dpop/v1/a', null, '1', {}), true, 'proofs have a room of their own');
});

test('gates that share it count and revoke together', async () => {
  const store = fresh();
  const limited = { ...policy(), limits: [{ name: 'five', by: 'caller', requests: 5, window_secs: 60, store: 'durable-object' }] };
  limited.routes = [{ path: '/*', limits: ['five'] }];
  const stores = { revocation: store, counters: store, keys: store };
  const gates = [0, 1].map(() => gateOf({ policy: limited, stores }).gate);
  const ask = (index, claims) => gates[index % 2].check(request('/x', bearer(token({ jti: 'one', ...claims }))));
  const codes = await Promise.all(Array.from({ length: 12 }, async (_, index) => (await ask(index)).code ?? 'ok'));
  assert.deepEqual(codes.filter((code) => code === 'ok').length, 5);
  await gates[0].revocations.add({ token: token({ jti: 'two', sub: 'bob' }) });
  assert.equal((await ask(1, { jti: 'two', sub: 'bob' })).code, 'TOKEN_REVOKED');
});

test('unknown options are refused', () => {
  for (const [make, message] of [
    [() => d1Store(undefined), 'database: expected a D1 database, such as env.DB'],
    [() => d1Store({ prepare() {} }), 'database: expected a D1 database, such as env.DB'],
    [() => d1Store(database, { table: 'a; DROP TABLE b' }), 'table: expected letters, digits and _'],
    [() => d1Store(database, { table: '' }), 'table: expected a non-empty string'],
    [() => d1Store(database, { maxEntries: 0 }), 'maxEntries: expected at least 1'],
    [() => d1Store(database, { prefix: 'x' }), 'prefix: is not a known option, expected one of table, maxEntries'],
  ]) {
    const refusal = refusalOf(make, EdgegateError);
    assert.deepEqual([refusal.code, refusal.message], ['CONFIG_ERROR', message]);
  }
});
