// What a gate over Redis does and says if Redis is full, may evict keys, is read-only, forbids a command, restarts or fails over.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import Redis from 'ioredis';
import { createClient } from 'redis';

import { EdgegateError, redisStore } from '../../pkg/wasm/node.js';
import { ISSUER, bearer, gateOf, policy, request, token } from './gate.mjs';
import { CLIENTS, KINDS, askOnce, namesOf, startCluster, startRedis, startSentinel, until } from './redis-server.mjs';
import { refusalOfPromise } from './support.mjs';

/** A request with a token that can be revoked. */
const withToken = (jti) => request('/v1/posts', bearer(token({ scope: 'read:posts', jti })));

/** Runs with a server of its own and with both clients. */
function withEach(settings, run) {
  return async (context) => {
    for (const [kind, connect] of Object.entries(CLIENTS)) {
      await context.test(kind, async () => {
        const server = await startRedis(settings);
        const { client, close } = await connect(server.port);
        try {
          await run(client, server);
        } finally {
          await close();
          await server.stop();
        }
      });
    }
  };
}

const failIn = (millis) => new Promise((_, reject) => { setTimeout(reject, millis, new Error('no answer in time')).unref(); });

/** A gate whose every store this is, and what it says about a token. */
function gateOver(store) {
  const made = gateOf({ stores: { revocation: store, keys: store, counters: store } });
  return { ...made, check: (jti) => made.gate.check(withToken(jti)) };
}

const HINT = 'or say evictionAllowed: true, if what is in this store may be lost';
const refusal = (problem) => ({
  code: 'CONFIG_ERROR', reason: 'config', message: `maxmemory-policy: ${problem}, ${HINT}`, path: 'maxmemory-policy',
});

describe('a Redis that may drop what it holds', () => {
  test('is refused at the first use, until it no longer may', withEach(['--maxmemory-policy', 'volatile-ttl'], async (client, { port }) => {
    const store = redisStore(client);
    const uses = [
      () => store.get(['x']), () => store.put('x', '', {}), () => store.delete('x'), () => store.list('x', { limit: 1 }),
      () => store.compareAndSet('x', null, '', {}),
    ];
    for (const use of uses) {
      assert.deepEqual(await refusalOfPromise(use(), EdgegateError), refusal('expected noeviction, found volatile-ttl'));
    }
    const { check, events, gate } = gateOver(store);
    assert.equal((await check('a')).code, 'STORE_UNAVAILABLE');
    assert.match(events[0].detail, /maxmemory-policy: expected noeviction, found volatile-ttl/);
    await assert.rejects(gate.revocations.add({ iss: ISSUER, jti: 'a' }), { code: 'STORE_UNAVAILABLE' });
    assert.deepEqual(await askOnce(port, 'KEYS', '*'), [], 'nothing was written');

    await askOnce(port, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await gate.revocations.add({ iss: ISSUER, jti: 'a' });
    assert.equal((await check('a')).code, 'TOKEN_REVOKED');
  }));

  test('is taken if the operator allows it', withEach(['--maxmemory-policy', 'allkeys-lru'], async (client) => {
    const store = redisStore(client, { evictionAllowed: true });
    await store.put('x', '1', {});
    assert.deepEqual(await store.get(['x']), ['1']);
  }));

  test('is asked once', withEach([], async (client, { port }) => {
    const asked = async () => Number(/^cmdstat_info:calls=(\d+),/m.exec(await askOnce(port, 'INFO', 'commandstats'))[1]);
    await asked();
    const byLooking = (await asked()) - (await asked());
    const before = await asked();
    const store = redisStore(client);
    await Promise.all(Array.from({ length: 20 }, () => store.get(['x'])));
    await store.list('x', { limit: 1 });
    assert.equal((await asked()) - before + byLooking, 1);
  }));

  test('is refused if it does not say', withEach([], async (client, { port }) => {
    await askOnce(port, 'ACL', 'SETUSER', 'default', '-info');
    const error = await refusalOfPromise(redisStore(client).get(['x']), EdgegateError);
    assert.equal(error.code, 'CONFIG_ERROR');
    assert.match(error.message, /^maxmemory-policy: cannot be read, expected INFO to be permitted \(NOPERM .*info.*\), or say evictionAllowed/);
    assert.deepEqual(await redisStore(client, { evictionAllowed: true }).get(['x']), [null]);
    const mute = { call: async () => '# Memory\r\nused_memory:1\r\n' };
    assert.deepEqual(await refusalOfPromise(redisStore(mute).get(['x']), EdgegateError), refusal('expected noeviction, found none in INFO'));
  }));
});

test('a Redis that callers have filled still takes revocations and keys', withEach([], async (client, { port }) => {
  const limits = [{ ...policy().limits[0], by: 'ip', window_secs: 3600 }];
  const store = redisStore(client);
  const { gate, events } = gateOf({ policy: policy({ limits }), stores: { revocation: store, keys: store, counters: store } });
  const ask = (clientIp) => gate.check(request('/v1/limited', bearer(token({ jti: 'a' }))), { clientIp });
  assert.equal((await ask('192.0.2.1')).ok, true);
  const used = Number(/^used_memory:(\d+)/m.exec(await askOnce(port, 'INFO', 'memory'))[1]);
  await askOnce(port, 'CONFIG', 'SET', 'maxmemory', String(used + 300_000));
  let number = 0;
  const isFull = async () => {
    const asked = Array.from({ length: 500 }, () => ask(`2001:db8:${(number += 1).toString(16)}::1`));
    return (await Promise.all(asked)).some(({ code }) => code === 'STORE_UNAVAILABLE');
  };
  await until(isFull);
  assert.ok(events.some(({ detail }) => /OOM command not allowed/.test(detail)));
  // The memory of connections may be free again.
  await askOnce(port, 'CONFIG', 'SET', 'maxmemory', String(used));
  await assert.rejects(store.compareAndSet('count/v1/x', null, '1', { ttlSecs: 9 }), /OOM/);
  await assert.rejects(store.put('dpop/v1/x', '1', {}), /OOM/);

  for (let place = 0; place < 50; place += 1) await gate.revocations.add({ iss: ISSUER, jti: `gone ${place}`, reason: 'x'.repeat(200) });
  await gate.revocations.add({ iss: ISSUER, jti: 'a' });
  await gate.keys.mint({ name: 'n', owner: 'alice', scopes: [] });
  assert.equal((await ask('192.0.2.1')).code, 'TOKEN_REVOKED');
  assert.equal((await namesOf(store, 'deny/v1/', 100)).length, 51);
}));

test('where no script may go on without room, a full Redis says so', withEach(['--maxmemory', '1'], async (client, { port }) => {
  await askOnce(port, 'ACL', 'SETUSER', 'default', '-eval');
  await assert.rejects(redisStore(client).put('deny/v1/x', '', {}), /^\w*Error: OOM /);
}));

test('a replica that takes no writes, and a server that forbids, are stores that do not answer', withEach([], async (client, { port }) => {
  const store = redisStore(client);
  const { check, gate, events } = gateOver(store);
  assert.equal((await check('a')).ok, true);

  await askOnce(port, 'REPLICAOF', '127.0.0.1', '1');
  await assert.rejects(gate.revocations.add({ iss: ISSUER, jti: 'a' }), { code: 'STORE_UNAVAILABLE', message: /READONLY/ });
  await assert.rejects(store.compareAndSet('count/v1/x', null, '1', {}), /READONLY/);
  await askOnce(port, 'REPLICAOF', 'NO', 'ONE');

  await askOnce(port, 'ACL', 'SETUSER', 'default', '-eval');
  assert.equal((await gate.check(request('/v1/limited', bearer(token())))).code, 'STORE_UNAVAILABLE');
  assert.match(events.at(-1).detail, /NOPERM/);
  await askOnce(port, 'ACL', 'SETUSER', 'default', '+eval', '-get');
  assert.equal((await check('b')).code, 'STORE_UNAVAILABLE');
  await askOnce(port, 'ACL', 'SETUSER', 'default', '+get');

  await gate.revocations.add({ iss: ISSUER, jti: 'a' });
  assert.equal((await check('a')).code, 'TOKEN_REVOKED');
}));

test('a server that wants a password is a store that does not answer', async () => {
  const server = await startRedis(['--requirepass', 'right']);
  const clients = [
    // The client connects, but each of its commands is refused.
    createClient({ socket: { host: '127.0.0.1', port: server.port } }),
    new Redis({ host: '127.0.0.1', port: server.port, password: 'wrong', enableReadyCheck: false, lazyConnect: true }),
  ];
  try {
    for (const client of clients) {
      client.on('error', () => {});
      client.connect().catch(() => {});
      const { check, events } = gateOver(redisStore(client));
      assert.equal((await check('a')).code, 'STORE_UNAVAILABLE');
      assert.match(events.at(-1).detail, /NOAUTH|WRONGPASS|no answer in time/);
    }
  } finally {
    clients[0].destroy();
    clients[1].disconnect();
    await server.stop();
  }
});

test('a Redis that is gone is a store that does not answer, and one that comes back goes on', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgegate-redis-kept-'));
  const kept = ['--appendonly', 'yes', '--appendfsync', 'always', '--dir', folder];
  let server = await startRedis(kept);
  const place = { host: '127.0.0.1', port: server.port };
  const clients = [
    createClient({ socket: { ...place, reconnectStrategy: 50 }, disableOfflineQueue: true }),
    new Redis({ ...place, retryStrategy: () => 50, enableOfflineQueue: false, maxRetriesPerRequest: 0, lazyConnect: true }),
  ];
  try {
    const gates = [];
    for (const [number, client] of clients.entries()) {
      client.on('error', () => {});
      await client.connect();
      const store = redisStore(client, { prefix: `${number}:` });
      gates.push({ store, ...gateOver(store) });
      await gates[number].gate.revocations.add({ iss: ISSUER, jti: 'a' });
    }
    await server.stop();
    for (const { check } of gates) assert.equal((await check('b')).code, 'STORE_UNAVAILABLE');
    server = await startRedis(kept, place.port);
    for (const { check, store } of gates) {
      await until(async () => (await check('c')).ok);
      assert.equal((await gateOver(store).check('a')).code, 'TOKEN_REVOKED');
    }
  } finally {
    clients[0].destroy();
    clients[1].disconnect();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('behind Sentinel a gate goes on with the replica, which knows the revocations', async () => {
  const sentinel = await startSentinel();
  const kinds = Object.entries(KINDS).filter(([, { on }]) => on === 'sentinel');
  const open = [];
  try {
    for (const [kind, { connect }] of kinds) {
      const { client, close } = await connect(sentinel);
      const store = redisStore(client, { prefix: `${kind}:` });
      open.push({ close, store, ...gateOver(store) });
    }
    for (const { gate, check } of open) {
      await gate.revocations.add({ iss: ISSUER, jti: 'a' });
      assert.equal((await check('a')).code, 'TOKEN_REVOKED');
    }
    await until(async () => (await askOnce(sentinel.replica.port, 'DBSIZE')) === kinds.length);
    await sentinel.master.stop();
    for (const { gate, store } of open) {
      await until(async () => gate.revocations.add({ iss: ISSUER, jti: 'b' }).then(() => true, () => false));
      const { check } = gateOver(store);
      assert.equal((await check('a')).code, 'TOKEN_REVOKED');
      assert.equal((await check('b')).code, 'TOKEN_REVOKED');
      assert.equal((await check('c')).ok, true);
    }
  } finally {
    await Promise.all(open.map(({ close }) => close()));
    await sentinel.stop();
  }
});

describe('a cluster', () => {
  let cluster;
  const clients = [];
  before(async () => {
    cluster = await startCluster();
    for (const { connect } of Object.values(KINDS).filter(({ on }) => on === 'cluster')) clients.push(await connect(cluster));
  });
  after(async () => {
    await Promise.all(clients.map(({ close }) => close()));
    await cluster?.stop();
  });

  test('is refused where one of its servers may drop what it holds', async () => {
    const [, , last] = cluster.ports;
    await askOnce(last, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random');
    for (const { client } of clients) {
      const error = await refusalOfPromise(redisStore(client).get(['x']), EdgegateError);
      assert.deepEqual(error, refusal('expected noeviction, found allkeys-random'));
    }
    await askOnce(last, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  });

  test('is listed whole, from all of its servers, or not at all', async () => {
    const stores = clients.map(({ client }, number) => redisStore(client, { prefix: `${number}:` }));
    for (const store of stores) {
      await Promise.all(Array.from({ length: 30 }, (_, place) => store.put(`deny/v1/${place}`, '', {})));
      assert.equal((await namesOf(store, 'deny/v1/', 7)).length, 30);
      const elsewhere = store.list('deny/v1/', { cursor: '0:elsewhere:1|', limit: 10 });
      await assert.rejects(elsewhere, { message: 'the cluster has changed since the listing began: list again' });
    }
    const sizes = await Promise.all(cluster.ports.map((port) => askOnce(port, 'DBSIZE')));
    assert.ok(sizes.every((size) => size > 0), `each holds some: ${sizes}`);
    await cluster.nodes[1].stop();
    for (const store of stores) {
      // One client forgets the server, and the other one waits for it. A gate waits two seconds.
      await assert.rejects(Promise.race([namesOf(store, 'deny/v1/', 7), failIn(1500)]), /hold \d+ of 16384 slots|no answer in time/);
    }
  });
});
