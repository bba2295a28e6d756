// What a gate over Redis says and does when Redis is read-only, forbids, restarts or fails over.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import Redis from 'ioredis';
import { createClient } from 'redis';

import { redisStore } from '../../pkg/wasm/node.js';
import { ISSUER, bearer, gateOf, request, token } from './gate.mjs';
import { CLIENTS, KINDS, askOnce, namesOf, startCluster, startRedis, startSentinel, until } from './redis-server.mjs';

/** A request with a token that can be revoked. */
const withToken = (jti) => request('/v1/posts', bearer(token({ scope: 'read:posts', jti })));

/** Runs with a server of its own and each of both clients of it. */
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
    // It connects, and is refused with each command.
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

test('a cluster without one of its servers refuses, and lists nothing that is not whole', async () => {
  const cluster = await startCluster();
  const open = [];
  try {
    for (const kind of ['createCluster of redis', 'a cluster of ioredis']) {
      const { client, close } = await KINDS[kind].connect(cluster);
      const store = redisStore(client, { prefix: `${kind}:` });
      open.push({ close, store });
      await Promise.all(Array.from({ length: 30 }, (_, place) => store.put(`deny/v1/${place}`, '', {})));
    }
    for (const { store } of open) {
      assert.equal((await namesOf(store, 'deny/v1/', 7)).length, 30);
      const elsewhere = store.list('deny/v1/', { cursor: '0:elsewhere:1|', limit: 10 });
      await assert.rejects(elsewhere, { message: 'the cluster has changed since the listing began: list again' });
    }
    await cluster.nodes[1].stop();
    for (const { store } of open) {
      // The one client forgets the server, the other one waits for it; a gate waits two seconds.
      await assert.rejects(Promise.race([namesOf(store, 'deny/v1/', 7), failIn(1500)]), /hold \d+ of 16384 slots|no answer in time/);
    }
  } finally {
    await Promise.all(open.map(({ close }) => close()));
    await cluster.stop();
  }
});
