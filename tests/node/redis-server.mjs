// Redis servers of the test's own, on loopback: one, several behind Sentinel, and a cluster; and each kind of client for them.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import Redis from 'ioredis';
import { RESP_TYPES, createClient, createClientPool, createCluster, createSentinel } from 'redis';

import { closedPort } from '../worker/harness.mjs';

const HOST = '127.0.0.1';
const MASTER_NAME = 'gate';
/** A node of a cluster also listens on the port with this distance from its own. */
const BUS_OFFSET = 10_000;
const READY_MILLIS = 30_000;

/**
 * Starts a server that keeps nothing on disk, and resolves when it takes connections. `settings` are further words of its command line.
 * `port` is that of an earlier server.
 */
export const startRedis = (settings = [], port = undefined) =>
  port === undefined ? onFreePort(closedPort, (free) => redisOn(free, settings)) : redisOn(port, settings);

async function redisOn(port, settings) {
  const { stop } = await start(port, 'Ready to accept connections', [
    '--port', String(port), '--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0', ...settings,
  ]);
  return { port, inspect: () => inspector(new Redis({ ...QUIET, host: HOST, port })), stop };
}

/** Starts on a free port. If another process takes it before the server does, another port is tried. */
async function onFreePort(find, begin) {
  for (let left = 5; ; left -= 1) {
    const port = await find();
    try {
      return await begin(port);
    } catch (error) {
      if (left === 1 || !error.message.includes('Address already in use')) throw error;
    }
  }
}

/** A master, a replica, and one Sentinel, which alone decides that the master is down. */
export async function startSentinel() {
  const started = [];
  const stop = () => Promise.all(started.map((server) => server.stop()));
  try {
    const begin = async (server) => started.push(await server);
    await begin(startRedis());
    const [master] = started;
    await begin(startRedis(['--replicaof', HOST, String(master.port)]));
    const [, replica] = started;
    await until(async () => (await askOnce(replica.port, 'INFO', 'replication')).includes('master_link_status:up'));
    const sentinelOn = async (port) => ({
      port,
      ...await start(port, '+monitor', ['--sentinel'], [
        `port ${port}`, `sentinel monitor ${MASTER_NAME} ${HOST} ${master.port} 1`,
        `sentinel down-after-milliseconds ${MASTER_NAME} 500`, `sentinel failover-timeout ${MASTER_NAME} 5000`,
      ]),
    });
    await begin(onFreePort(closedPort, sentinelOn));
    const { port } = started.at(-1);
    await until(async () => (await askOnce(port, 'SENTINEL', 'REPLICAS', MASTER_NAME)).length === 1);
    return { port, master, replica, inspect: master.inspect, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Three masters, without replicas. */
export async function startCluster() {
  const started = [];
  const stop = () => Promise.all(started.map((server) => server.stop()));
  try {
    for (let place = 0; place < 3; place += 1) {
      const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '5000'];
      started.push(await onFreePort(portWithBus, (port) => redisOn(port, settings)));
    }
    const ports = started.map(({ port }) => port);
    const nodes = ports.map((port) => `${HOST}:${port}`);
    await promisify(execFile)('redis-cli', ['--cluster', 'create', ...nodes, '--cluster-yes']);
    for (const port of ports) await until(async () => (await askOnce(port, 'CLUSTER', 'INFO')).includes('cluster_state:ok'));
    return { ports, nodes: started, inspect: () => inspector(new Redis.Cluster(ports.map(nodeAt), { redisOptions: QUIET })), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** One server of each kind, by the names in `KINDS`. */
export async function startAll() {
  const begun = await Promise.allSettled([startRedis(), startSentinel(), startCluster()]);
  const stop = () => Promise.all(begun.map(({ value }) => value?.stop()));
  const failed = begun.find(({ status }) => status === 'rejected');
  if (failed !== undefined) {
    // Running servers would keep the test's process from ending.
    await stop();
    throw failed.reason;
  }
  const [one, sentinel, cluster] = begun.map(({ value }) => value);
  return { one, sentinel, cluster, stop };
}

/** Clients that do not wait for a server that is gone. */
const QUIET = { retryStrategy: null, maxRetriesPerRequest: 0, lazyConnect: true };
const nodeAt = (port) => ({ host: HOST, port });

const nodeRedis = async (client) => {
  client.on('error', () => {});
  await client.connect();
  return { client, close: async () => client.destroy() };
};
const ioredis = async (client) => {
  client.on('error', () => {});
  await client.connect();
  return { client, close: async () => client.disconnect() };
};
const socket = (port) => ({ ...nodeAt(port), reconnectStrategy: false });

/** Both clients of one server, connected; `close` has to be called. */
export const CLIENTS = {
  redis: (port, options = {}) => nodeRedis(createClient({ socket: socket(port), ...options })),
  ioredis: (port, options = {}) => ioredis(new Redis({ ...QUIET, ...nodeAt(port), ...options })),
};

/** Every kind of client for the servers of `startAll`. `outer` is the prefix that the client itself puts before keys. */
export const KINDS = {
  redis: { on: 'one', connect: ({ port }) => CLIENTS.redis(port) },
  'a pool of redis, by RESP 2': {
    on: 'one', connect: ({ port }) => nodeRedis(createClientPool({ socket: socket(port), RESP: 2 }, { minimum: 2, maximum: 4 })),
  },
  'redis with a prefix and other types': {
    on: 'one',
    outer: 'a[*]:',
    connect: async ({ port }) => {
      const { client, close } = await CLIENTS.redis(port, { keyPrefix: 'a[*]:' });
      const types = { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer, [RESP_TYPES.NUMBER]: String };
      return { client: client.withTypeMapping(types), close };
    },
  },
  'createSentinel of redis': {
    on: 'sentinel',
    connect: ({ port }) => nodeRedis(createSentinel({ name: MASTER_NAME, sentinelRootNodes: [nodeAt(port)], replicaPoolSize: 1 })),
  },
  'createCluster of redis': {
    on: 'cluster', connect: ({ ports }) => nodeRedis(createCluster({ rootNodes: ports.slice(0, 1).map((port) => ({ socket: nodeAt(port) })) })),
  },
  ioredis: { on: 'one', connect: ({ port }) => CLIENTS.ioredis(port) },
  'ioredis with a prefix, automatic pipelines and numbers as texts': {
    on: 'one',
    outer: 'b?:',
    connect: ({ port }) => CLIENTS.ioredis(port, { keyPrefix: 'b?:', enableAutoPipelining: true, stringNumbers: true }),
  },
  'ioredis behind Sentinel': {
    on: 'sentinel',
    connect: ({ port }) => ioredis(new Redis({ sentinels: [nodeAt(port)], name: MASTER_NAME, lazyConnect: true })),
  },
  'a cluster of ioredis': {
    on: 'cluster', connect: ({ ports }) => ioredis(new Redis.Cluster(ports.slice(0, 1).map(nodeAt), { lazyConnect: true })),
  },
  'a cluster of ioredis with a prefix and automatic pipelines': {
    on: 'cluster',
    outer: 'c:',
    connect: ({ ports }) => ioredis(new Redis.Cluster(ports.map(nodeAt), { lazyConnect: true, keyPrefix: 'c:', enableAutoPipelining: true })),
  },
};

/** The keys of all pages of a store together. */
export async function namesOf(store, prefix, limit) {
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

/** Polls, since nobody says when servers have agreed with each other. */
export async function until(holds) {
  const end = Date.now() + READY_MILLIS;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${READY_MILLIS} ms: ${holds}`);
    await pause(50);
  }
}

/** Sends one command to the server at the port. */
export async function askOnce(port, ...words) {
  const { client, close } = await CLIENTS.ioredis(port);
  try {
    return await client.call(...words);
  } finally {
    await close();
  }
}

/** Reads what is in the servers, without the tested client. */
function inspector(client) {
  client.on('error', () => {});
  return { send: (...words) => client.call(...words), close: () => client.disconnect() };
}

async function portWithBus() {
  for (;;) {
    const port = await closedPort();
    if (port + BUS_OFFSET <= 0xffff) return port;
  }
}

/** Starts `redis-server` in a folder of its own, with the lines of a configuration file if there are any. */
async function start(port, ready, settings, lines = []) {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgegate-redis-'));
  const file = path.join(folder, 'redis.conf');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const server = spawn('redis-server', [file, '--bind', HOST, '--dir', folder, '--daemonize', 'no', ...settings]);
  const stop = async () => {
    const ended = new Promise((resolve) => { server.once('exit', resolve); });
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGKILL');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  let output = '';
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`redis-server on ${port} ended with ${code}: ${output}`)));
    server.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.includes(ready)) resolve();
    });
  });
  return { stop };
}
