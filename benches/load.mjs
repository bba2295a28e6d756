// The Worker under load, by where it counts and how it looks up revocations: `node benches/load.mjs OUT [--quick]`.
//
// Each contestant is a workerd of its own, with an upstream behind a service binding; rounds are interleaved, so that what the machine
// does besides meets all of them. The ratio is to a Worker that only passes on, in the same round. I/O is counted, not timed, in a
// second run: through bindings that note each call.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { SECRETS, freshIp, gateWorker, policy, start, token } from '../tests/worker/harness.mjs';
import { control, sharedObjects, watched } from '../tests/worker/stores.mjs';
import { load } from './lib/load.mjs';
import { busyness, machine } from './lib/machine.mjs';
import { median, quantile } from './lib/measure.mjs';
import { peerWorker } from './lib/peer-workers.mjs';
import { revokeOthers } from './lib/revoked.mjs';

const [out, ...options] = process.argv.slice(2);
const quick = options.includes('--quick');
const [ROUNDS, SECONDS] = quick ? [3, 2] : [9, 4];
/** Before each round: leases and caches of the round before are over. */
const WARM_UP_SECONDS = 1;
/** Few enough that one isolate sees each of them again and again, as the isolates of a busy place do. */
const CALLERS = 32;
/** Requests whose operations are counted: fewer than a listing of KV holds. */
const COUNTED = 400;
/** What runs after an answer has begun by then. */
const BACKGROUND_MILLIS = 5_000;
const REVOKED = 1000;

const BEGIN = '<!-- measured -->';
const END = '<!-- /measured -->';
const DOCUMENT = fileURLToPath(new URL('../docs/load.md', import.meta.url));

const plain = { api_keys: undefined, revocation: undefined, limits: undefined, routes: [{ path: '/v1/posts', methods: ['GET'] }] };

/** A limit that nobody reaches. */
const limited = (store, more = {}) => policy({
  ...plain,
  limits: [{ name: 'wide', by: 'caller', requests: 10_000_000, window_secs: 60, algorithm: 'fixed-window', store, ...more }],
  routes: [{ path: '/v1/posts', methods: ['GET'], limits: ['wide'] }],
});
const revocable = (mode) => policy({ ...plain, revocation: { mode } });

const ratelimits = { LIMITER: { namespace_id: '1', simple: { limit: 1_000_000_000, period: 60 } } };

const CONTESTANTS = [
  { name: 'no store', policy: policy(plain) },
  { name: 'limit, memory', policy: limited('memory') },
  { name: 'limit, binding', policy: limited('binding', { binding: 'LIMITER' }), worker: { ratelimits } },
  { name: 'limit, kv', policy: limited('kv') },
  { name: 'limit, durable-object', policy: limited('durable-object') },
  { name: 'limit, durable-object with leases', policy: limited('durable-object', { lease: { requests: 1000, secs: 10 } }) },
  { name: 'revocation, entries', policy: revocable('entries') },
  { name: 'revocation, snapshot', policy: revocable('snapshot') },
  { name: 'revocation, ledger', policy: revocable('ledger') },
];

const PASS = 'passes on';
const BOUND = { serviceBindings: { UPSTREAM: 'upstream' } };
const UPSTREAM = await peerWorker('worker-upstream.mjs', { name: 'upstream', unsafeDirectSockets: undefined });

const tokens = Array.from({ length: CALLERS }, (_, caller) => token({ sub: `caller-${caller}`, jti: crypto.randomUUID(), sid: `session-${caller}` }));
const requests = tokens.map((bearer) => ({ path: '/v1/posts', headers: { 'CF-Connecting-IP': freshIp(), Authorization: `Bearer ${bearer}` } }));

/** Entries of other tokens; and the first snapshot, where there is one. */
async function prepare(gate, { issuers: [{ issuer }], revocation }) {
  if (revocation === undefined) return;
  const entries = Array.from({ length: revocation.mode === 'entries' ? 100 : REVOKED }, (_, index) => ({ iss: issuer, jti: `revoked-${index}` }));
  await revokeOthers(gate, { entries, admin: SECRETS.ADMIN_TOKEN, credential: { token: tokens[0] } });
}

/** Operations that the gate asks of its stores for each request, the background included. */
async function countIo({ name, policy: given, worker: own = {} }) {
  const worker = { ...own, ...BOUND };
  const behind = watched('counted', { kv: 'host-kv', host: 'host' });
  const objects = sharedObjects('counted-objects', 'host');
  const wrappedBindings = { ...behind.worker.wrappedBindings, ...objects.worker.wrappedBindings };
  const gate = await start([
    gateWorker({ name: 'host', policy: given, worker }),
    gateWorker({ name: 'counted', policy: given, worker: { ...worker, kvNamespaces: [], durableObjects: {}, wrappedBindings } }),
    ...behind.behind,
    objects.binding,
    UPSTREAM,
  ]);
  try {
    await prepare(gate, given);
    const stores = await Promise.all(['counted-kv', 'counted-ledger', 'counted-objects'].map((binding) => control(gate, binding)));
    const ask = async (bearer) => {
      const answer = await gate.get('/v1/posts', { gate: 'counted', token: bearer });
      assert.equal(answer.status, 200, `${name}: ${answer.text}`);
    };
    // What is asked once in the life of an isolate is not what a request costs.
    for (let caller = 0; caller < 10; caller += 1) await ask(tokens[caller]);
    const asked = async () => {
      for (let count = 0; count < COUNTED; count += 1) await ask(tokens[count % 10]);
      await new Promise((resolve) => setTimeout(resolve, BACKGROUND_MILLIS));
    };
    const [kvStore, ledgerStore, counterStore] = stores;
    let ledger;
    let counters;
    const kv = await kvStore.operationsDuring(async () => {
      ledger = await ledgerStore.operationsDuring(async () => {
        counters = await counterStore.operationsDuring(asked);
      });
    });
    return { kv: kv / COUNTED, objects: (ledger + counters) / COUNTED };
  } finally {
    await gate.dispose();
  }
}

const running = [];
const found = new Map();
try {
  running.push({ name: PASS, gate: await start([await peerWorker('worker-pass.mjs', BOUND), UPSTREAM]) });
  for (const { name, policy: given, worker } of CONTESTANTS) {
    const gate = await start([gateWorker({ policy: given, worker: { ...worker, ...BOUND } }), UPSTREAM]);
    running.push({ name, gate });
    await prepare(gate, given);
  }
  for (const { name } of running) found.set(name, []);
  const before = busyness();
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const { name, gate } of round % 2 === 0 ? running : running.toReversed()) {
      const target = { port: gate.port(), requests };
      await load(target, WARM_UP_SECONDS);
      const result = await load(target, SECONDS);
      if (round >= 0) found.get(name).push(result);
    }
    console.error(`  round ${round + 1} of ${ROUNDS}`);
  }
  running.load = [before, busyness()];
} finally {
  for (const { gate } of running) await gate.dispose();
}

const rows = [];
for (const name of found.keys()) {
  const results = found.get(name);
  const ratios = results.map(({ requests: mine }, round) => mine / found.get(PASS)[round].requests);
  const of = (field) => median(results.map((result) => result[field]));
  const contestant = CONTESTANTS.find((one) => one.name === name);
  const io = contestant === undefined ? { kv: 0, objects: 0 } : await countIo(contestant);
  rows.push({
    name, requests: of('requests'), ratio: median(ratios), quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)], p50_ms: of('p50_ms'), p99_ms: of('p99_ms'), io,
  });
}

const table = [
  '| | requests/s | of passing on | p50 ms | p99 ms | KV operations each | object calls each |',
  '|---|---|---|---|---|---|---|',
  ...rows.map(({ name, requests: each, ratio, quartiles, p50_ms: p50, p99_ms: p99, io }) =>
    `| ${name} | ${Math.round(each)} | ${ratio.toFixed(2)} (${quartiles.map((one) => one.toFixed(2)).join(' to ')}) | ${p50} | ${p99} | ${io.kv.toFixed(3)} | ${io.objects.toFixed(3)} |`),
].join('\n');
console.log(table);

const facts = { ...machine(), load: running.load };
writeFileSync(out, `${JSON.stringify({ whole: !quick, machine: facts, rows }, null, 2)}\n`);
if (!quick) {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [head, rest] = text.split(BEGIN);
  const about = `${facts.cpu}, ${facts.cores} cores, ${facts.system}, workerd ${facts.versions.workerd}, ${facts.date}; load average ${facts.load.join(' before, ')} after.`;
  writeFileSync(DOCUMENT, `${head}${BEGIN}\n${about}\n\n${table}\n${END}${rest.split(END)[1]}`);
  console.error('docs/load.md is written');
}
