// The contract of stores (tests/support/contract.rs, the suite of the Rust crate) for the package's stores: in memory, in Workers KV, in
// D1, and in Redis by every kind of client. The suite runs natively and sends the jobs of a gate.
//
// The contract that is shipped (`edgegate/store-contract`) runs over the same stores, and calls them directly.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Held, Jobs } from '../../pkg/lib/gate-jobs.js';
import { nodePlatform } from '../../pkg/lib/node-platform.js';
import { storeContract } from '../../pkg/store-contract.js';
import { d1Store, kvStore, memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { Miniflare } from '../miniflare.mjs';
import { startD1 } from './d1-database.mjs';
import { KINDS, startAll } from './redis-server.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const CASES = [
  'revocations-are-found-and-replaced', 'revocations-are-removed-idempotently', 'revocations-are-listed-once-each',
  'a-listing-survives-changes', 'records-are-found-and-replaced', 'records-are-listed-once-each',
];
const COUNTER_CASES = [
  'counters-are-kept-by-group-and-name', 'counters-take-all-or-nothing', 'counters-are-refunded',
  'counters-admit-exactly-the-limit-at-once', 'counters-follow-the-clock',
];

let program;
let redis;
let mf;
let d1;
before(async () => {
  const { stdout } = await promisify(execFile)('cargo', ['build', '--workspace', '--locked', '--example', 'store_contract', '--message-format', 'json'], {
    cwd: root, maxBuffer: 64 * 1024 * 1024,
  });
  program = stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line))
    .find(({ target, executable }) => target?.name === 'store_contract' && executable).executable;
  redis = await startAll();
  d1 = await startD1();
  mf = new Miniflare({ modules: true, script: 'export default {}', kvNamespaces: ['KV'], cf: false });
  await mf.ready;
});
after(async () => {
  await redis?.stop();
  await mf?.dispose();
  await d1?.stop();
});

let prefixes = 0;
const freshPrefix = () => `contract-${prefixes += 1}:`;

/** Many wait for one name at once here, all by one host, and nobody gives up. Of a gate each check has its own, and waits for a name once. */
const WAITED = { add() {}, delete: () => true, clear() {} };

/** Runs a case. `make` returns a new store. */
async function hold(name, make, platform = nodePlatform(() => {})) {
  const stores = new Map();
  const named = new Proxy({}, {
    get: (_, store) => {
      if (!stores.has(store)) stores.set(store, make());
      return stores.get(store);
    },
  });
  const jobs = new Jobs(platform, named, () => {}, {});
  const held = Object.assign(new Held(), { waited: WAITED });
  const suite = spawn(program, [name]);
  let errors = '';
  suite.stderr.on('data', (chunk) => { errors += chunk; });
  suite.stdin.on('error', () => {});
  createInterface({ input: suite.stdout }).on('line', (line) => {
    for (const answer of jobs.begin(JSON.parse(line), held)) {
      answer.then((found) => suite.stdin.write(`${JSON.stringify(found)}\n`));
    }
  });
  const code = await new Promise((resolve) => { suite.once('close', resolve); });
  assert.equal(code, 0, errors);
  assert.ok(stores.size > 0, 'no store was asked');
}

function shipped(make, options) {
  for (const { name, run } of storeContract(make, options)) test(name, run);
}

describe('in memory', () => {
  for (const name of [...CASES, ...COUNTER_CASES]) test(name, () => hold(name, () => memoryStore()));
  let now = 1_700_000_000;
  const elapse = (secs) => { now += secs; };
  shipped(() => memoryStore({ now: () => now }), { elapse });
});

describe('in Workers KV', () => {
  for (const name of CASES) {
    test(name, async () => {
      const kv = await mf.getKVNamespace('KV');
      await hold(name, () => kvStore(kv, { prefix: freshPrefix() }));
    });
  }
});

describe('in Workers KV, as shipped', () => {
  shipped(async () => kvStore(await mf.getKVNamespace('KV'), { prefix: freshPrefix() }), { exact: false });
});

describe('in D1', () => {
  shipped(() => d1Store(d1.database, { table: `contract_${prefixes += 1}` }));
  // D1 is in Workers, where requests do not take turns: the swap decides.
  const inWorkers = { ...nodePlatform(() => {}), sharesPromises: false };
  for (const name of [...CASES, ...COUNTER_CASES]) {
    test(name, () => hold(name, () => d1Store(d1.database, { table: `contract_${prefixes += 1}` }), inWorkers));
  }
});

for (const [kind, { on, connect }] of Object.entries(KINDS)) {
  describe(`in Redis, by ${kind}`, () => {
    let client;
    let close;
    before(async () => {
      ({ client, close } = await connect(redis[on]));
    });
    after(() => close?.());
    for (const name of [...CASES, ...COUNTER_CASES]) {
      test(name, () => hold(name, () => redisStore(client, { prefix: freshPrefix() })));
    }
    shipped(() => redisStore(client, { prefix: freshPrefix() }));
  });
}

test('a case that does not hold fails', async () => {
  const forgetful = () => Object.assign(memoryStore(), { put: async () => {} });
  await assert.rejects(hold('records-are-found-and-replaced', forgetful), /left: None/);
  await assert.rejects(hold('no-such-case', memoryStore), /no such case/);
});

test('the shipped contract fails for stores that break it', async () => {
  const later = (promise) => promise.then((value) => new Promise((resolve) => { setImmediate(resolve, value); }));
  const wrong = {
    get: [async (keys) => keys.map(() => null), async function get(keys) { return (await this.is.get(keys)).toReversed(); }],
    put: [async () => {}, async function put(key, value) { await this.is.put(key.toLowerCase(), value, {}); }],
    delete: [async () => {}, async () => { throw new Error('not there'); }],
    list: [async () => ({ keys: [] }), async function list(prefix, { cursor, limit }) { return this.is.list(prefix, { cursor, limit: limit + 1 }); }],
    compareAndSet: [
      async () => true, async () => false,
      async function compareAndSet(key, expected, next) {
        // What stores do that read, and write later.
        const [found] = await later(this.is.get([key]));
        if (found !== expected) return false;
        await this.is.put(key, next, {});
        return true;
      },
    ],
  };
  for (const [method, faults] of Object.entries(wrong)) {
    for (const fault of faults) {
      const make = () => {
        const is = memoryStore();
        const own = Object.fromEntries(['get', 'put', 'delete', 'list', 'compareAndSet'].map((name) => [name, (...given) => is[name](...given)]));
        return { ...own, is, [method]: fault };
      };
      const outcomes = await Promise.allSettled(storeContract(make).map(({ run }) => run()));
      assert.ok(outcomes.some(({ status }) => status === 'rejected'), `${method}: ${fault}`);
    }
  }
  const [first] = storeContract(() => kvStore({ get() {}, put() {}, delete() {}, list() {} }));
  await assert.rejects(first.run(), /compareAndSet: missing/);
});
