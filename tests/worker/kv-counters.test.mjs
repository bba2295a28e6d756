// Counters in KV: each isolate counts by itself. They count together as soon as they see each other's components.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { admitted, gateWorker, policy, refused, start, token } from './harness.mjs';
import { control, faultyKv, faultyWorkers } from './stores.mjs';

const N = 40;
const MONTH = 31 * 24 * 3600;
const limit = (name, requests, more = {}) => ({
  name, by: 'caller', requests, window_secs: 60, algorithm: 'sliding-window', store: 'kv', ...more,
});

// JSON leaves out members that are undefined.
const IN_KV = (on_error) => JSON.parse(JSON.stringify(policy({
  revocation: undefined,
  api_keys: undefined,
  limits: [
    limit('sliding', N, { on_error }),
    limit('fixed', N, { algorithm: 'fixed-window', window_secs: MONTH, on_error }),
    limit('quota', N, { window_secs: undefined, window: 'month', algorithm: undefined, on_error }),
    limit('small', 3, { on_error }),
  ],
  routes: [
    { path: '/sliding', limits: ['sliding'] }, { path: '/fixed', limits: ['fixed'] }, { path: '/quota', limits: ['quota'] },
    { path: '/both', limits: ['sliding', 'small'] }, { path: '/three', limits: ['sliding'], cost: 3 },
  ],
})));

let gate;
let faulty;

before(async () => {
  const shared = { kvNamespaces: { EDGEGATE_KV: 'one-kv' } };
  gate = await start([
    gateWorker({ policy: IN_KV(), worker: shared }),
    gateWorker({ name: 'second', policy: IN_KV(), worker: shared }),
    gateWorker({ name: 'deny', policy: IN_KV('deny'), worker: faultyKv }),
    gateWorker({ name: 'allow', policy: IN_KV('allow'), worker: faultyKv }),
    ...faultyWorkers,
  ]);
  faulty = await control(gate, 'faulty-kv');
});
after(() => gate.dispose());

const newCaller = () => token({ sub: randomUUID() });
const remaining = (answer) => Number(/;r=(\d+);/.exec(answer.headers.ratelimit)[1]);

async function untilLimited(path, options) {
  for (let count = 0; count < 200; count += 1) {
    const answer = await gate.get(path, options);
    if (answer.status === 429) return count;
    admitted(answer);
  }
  return Infinity;
}

/** Asks again until it is true, since components travel in the background. */
async function eventually(step, { deadline = 20_000, every = 250 } = {}) {
  const end = Date.now() + deadline;
  for (;;) {
    const found = await step();
    if (found) return found;
    assert.ok(Date.now() < end, 'it never came');
    await sleep(every);
  }
}

describe('one isolate by itself', () => {
  for (const name of ['sliding', 'fixed', 'quota']) {
    test(`admits exactly ${N} of 200 at once: ${name}`, async () => {
      const caller = newCaller();
      const agent = new http.Agent({ keepAlive: true, maxSockets: 200 });
      const answers = await Promise.all(Array.from({ length: 200 }, () => gate.get(`/${name}`, { token: caller, agent })));
      agent.destroy();
      for (const answer of answers) if (answer.status !== 200) refused(answer, 'RATE_LIMITED');
      assert.equal(answers.filter((answer) => answer.status === 200).length, N);
    });
  }

  test('takes all or nothing, and what a route costs', async () => {
    const caller = newCaller();
    assert.equal(await untilLimited('/both', { token: caller }), 3);
    const answer = await gate.get('/three', { token: caller });
    admitted(answer);
    assert.equal(remaining(answer), N - 3 - 3);
  });

  test('tells the length of the month', async () => {
    const answer = await gate.get('/quota', { token: newCaller() });
    const now = new Date();
    const days = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 0)).getUTCDate();
    assert.equal(answer.headers['ratelimit-policy'], `"quota";q=${N};w=${days * 86_400}`);
  });
});

test('two isolates see what the other admitted', async () => {
  const caller = newCaller();
  for (let request = 0; request < 30; request += 1) admitted(await gate.get('/sliding', { token: caller }));
  let own = 0;
  await eventually(async () => {
    const answer = await gate.get('/sliding', { token: caller, gate: 'second' });
    if (answer.status === 200) own += 1;
    return answer.status === 429 || remaining(answer) === N - 30 - own;
  });
  // Every request that is left is admitted once.
  const rest = await untilLimited('/sliding', { token: caller, gate: 'second' });
  assert.ok(30 + own + rest >= N, `${own} + ${rest}`);
  assert.ok(own + rest <= N, 'by itself an isolate never admits more than the limit');
  await eventually(async () => (await gate.get('/sliding', { token: caller })).status === 429);
});

test('components have a key of their own for each isolate, and an end', async () => {
  const namespace = await gate.mf.getKVNamespace('EDGEGATE_KV', 'gate');
  const before = new Set((await namespace.list({ prefix: 'tally/v1/' })).keys.map((key) => key.name));
  admitted(await gate.get('/sliding', { token: newCaller() }));
  const key = await eventually(async () => {
    const { keys } = await namespace.list({ prefix: 'tally/v1/' });
    return keys.find(({ name }) => !before.has(name));
  });
  assert.match(key.name, /^tally\/v1\/[0-9a-f]{64}\/sliding\/[\w-]{22}-\d+$/);
  assert.ok(key.name.length <= 512);
  const { s: cell } = JSON.parse(key.metadata);
  assert.deepEqual(cell.c, [1]);
  const left = key.expiration - Date.now() / 1000;
  assert.ok(left > 50 && left <= 66, `${left}`);
});

test('KV is asked as little as promised, however many requests come', async () => {
  await faulty.set('ok');
  const caller = newCaller();
  const started = Date.now();
  const asked = await faulty.operationsDuring(async () => {
    for (let request = 0; request < N; request += 1) admitted(await gate.get('/sliding', { token: caller, gate: 'deny' }));
    await sleep(1100);
  });
  const secs = (Date.now() - started) / 1000;
  // There is one listing in three seconds and one write in a second.
  assert.ok(asked <= Math.ceil(secs) + 1 + Math.ceil(secs / 3) + 1, `${asked} in ${secs} s`);
});

test('while KV does not answer, first what is known counts, then on_error decides', async () => {
  const [denied, allowed] = [newCaller(), newCaller()];
  await faulty.set('fail');
  const from = gate.output.lines.length;
  const answer = await eventually(async () => {
    const [one, other] = await Promise.all([
      gate.get('/sliding', { token: denied, gate: 'deny' }),
      gate.get('/sliding', { token: allowed, gate: 'allow' }),
    ]);
    admitted(other);
    return one.status !== 200 && one;
  }, { deadline: 40_000, every: 1000 });
  refused(answer, 'STORE_UNAVAILABLE');
  await gate.output.find((line) => line.includes('"admitted"') && line.includes('counters'), from, 20_000);
});
