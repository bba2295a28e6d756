// A policy that is kept in KV: it is taken if it is valid, changed without a deployment, and a faulty one never replaces it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { admitted, apiKey, freshIp, gateWorker, policy, refused, start, token } from './harness.mjs';
import { control, faultyKv, faultyWorkers } from './stores.mjs';

/** The shortest times that the gate takes, so that no test waits for long. */
const POINTER = { source: 'kv', reload_secs: 1 };
const KEY = 'policy/v1';

/** Only the policy itself is kept in KV. */
const small = (changes = {}) => policy({ revocation: undefined, api_keys: undefined, ...changes });

let gate;

before(async () => {
  gate = await start([
    gateWorker({ policy: POINTER }),
    gateWorker({ name: 'large', policy: POINTER }),
    gateWorker({ name: 'text', policy: JSON.stringify(POINTER) }),
    gateWorker({ name: 'faulty', policy: POINTER, worker: faultyKv }),
    gateWorker({ name: 'unbound', policy: POINTER, worker: { kvNamespaces: [] } }),
    gateWorker({ name: 'more', policy: { ...POINTER, routes: [] } }),
    ...faultyWorkers,
  ]);
});
after(() => gate.dispose());

const namespace = (name) => gate.mf.getKVNamespace('EDGEGATE_KV', name);
const put = async (name, given) => (await namespace(name)).put(KEY, typeof given === 'string' ? given : JSON.stringify(given));

/** Asks until the answer is as wanted: the gate reads a change within a second, and only when a request comes. */
async function until(wanted, ask) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    assert.ok(Date.now() < deadline, `never as wanted: ${answer.status} ${answer.text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function health(name) {
  // The gate does not repeat a report for five seconds.
  const answer = await gate.get('/auth/health', { gate: name });
  return answer.json();
}

test('without a policy in KV nobody is admitted, and one that comes is taken', async () => {
  refused(await gate.get('/public/a', { gate: 'text' }), 'CONFIG_ERROR');
  const { status, policy: stored } = await health('text');
  assert.deepEqual({ status, stored }, { status: 'misconfigured', stored: { state: 'rejected', since: null } });
  await gate.output.find((line) => line.includes('policy/v1: there is no such key in EDGEGATE_KV'));
  await put('text', small());
  const answer = await until(({ status: found }) => found === 200, () => gate.get('/', { gate: 'text', token: token() }));
  admitted(answer, { subject: 'alice' });
});

test('a change is taken without a deployment, a faulty one is reported and leaves the last good one', async () => {
  await put('gate', small());
  const ask = (options = {}) => gate.get('/v1/posts', { token: token({ scope: 'read:posts' }), ...options });
  await until(({ status }) => status === 200, ask);
  const first = (await health('gate')).policy;
  assert.equal(first.state, 'current');
  assert.ok(Math.abs(first.since - Date.now() / 1000) < 60);

  const closed = small({ routes: [{ path: '/v1/posts', scopes: { all: ['everything'] } }] });
  await put('gate', closed);
  refused(await until(({ status }) => status !== 200, ask), 'INSUFFICIENT_SCOPE', { scope: 'everything' });

  for (const [faulty, detail] of [
    [small({ issuers: [{ issuer: 'https://a.example/', audience: [] }] }), /issuers\[0\]\.audience: /],
    ['{"routes": [', /expected JSON: /],
    ['[]', /expected an object, found a list/],
    ['', /expected JSON: /],
    [{ source: 'kv' }, /source: is not a known field/],
    [small({ admin: { secret: 'NOWHERE' } }), /admin\.secret: there is no secret named NOWHERE/],
    [' '.repeat(4 * 1024 * 1024 + 1), /policy\/v1: is longer than 4 MiB/],
  ]) {
    const from = gate.output.lines.length;
    await put('gate', faulty);
    // Any of these requests may be the one that reads the policy.
    let line;
    while (line === undefined) {
      refused(await ask(), 'INSUFFICIENT_SCOPE', { scope: 'everything' });
      line = await gate.output.find((one) => one.includes('config_error'), from, 200).catch(() => undefined);
    }
    const event = JSON.parse(line.slice(line.indexOf('{')));
    assert.match(event.detail, detail);
    assert.equal(event.policy_kept, true);
  }
  const { status, policy: stored } = await until(
    (answer) => answer.json().policy.state === 'rejected',
    () => gate.get('/auth/health'),
  ).then((answer) => answer.json());
  assert.equal(status, 'degraded');
  assert.ok(stored.since >= first.since);

  await (await namespace('gate')).delete(KEY);
  for (let count = 0; count < 30; count += 1) {
    refused(await ask(), 'INSUFFICIENT_SCOPE', { scope: 'everything' });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await put('gate', small());
  admitted(await until(({ status: found }) => found === 200, ask));
});

test('counters go on with the same counts when the policy changes', async () => {
  const limited = (cost) => small({
    limits: [{ name: 'few', by: 'ip', requests: 4, window_secs: 3600, algorithm: 'fixed-window', store: 'memory' }],
    routes: [{ path: '/few', auth: 'none', limits: ['few'], cost }],
  });
  const ip = freshIp();
  const ask = (options = {}) => gate.get('/few', { ip, ...options });
  await put('gate', limited(3));
  await until(({ headers, status }) => status === 200 && headers['ratelimit-policy'] !== undefined, () => ask({ ip: freshIp() }));
  assert.equal((await ask()).status, 200);
  refused(await ask(), 'RATE_LIMITED');
  await put('gate', limited(1));
  // One request of the four is left.
  await until(({ status }) => status === 200, ask);
  refused(await ask(), 'RATE_LIMITED');
});

describe('a policy that is too long for a variable', () => {
  const count = 3000;
  const large = policy({
    routes: [
      ...Array.from({ length: count }, (_, index) => ({ path: `/v1/service-${index}/{id}`, methods: ['GET'], scopes: { all: [`service-${index}`] } })),
      { path: '/*', scopes: { all: ['everything'] } },
    ],
  });

  test('is taken with all of its routes', async () => {
    assert.ok(JSON.stringify(large).length > 200_000);
    await put('large', large);
    for (const index of [0, 1, 1499, count - 1]) {
      const scope = `service-${index}`;
      const ask = (target) => gate.get(target, { gate: 'large', token: token({ scope }) });
      await until(({ status }) => status === 200, () => ask(`/v1/service-${index}/7`));
      refused(await ask(`/v1/service-${(index + 1) % count}/7`), 'INSUFFICIENT_SCOPE', { scope: `service-${(index + 1) % count}` });
      refused(await ask('/elsewhere'), 'INSUFFICIENT_SCOPE', { scope: 'everything' });
    }
    refused(await gate.get('/v1/service-7/1', { gate: 'large', key: apiKey() }), 'INVALID_API_KEY');
  });
});

describe('a KV that does not answer', () => {
  test('is distinguished from a faulty policy, and does not end a policy in force', async () => {
    const kv = await control(gate, 'faulty-kv');
    await kv.set('fail');
    refused(await gate.get('/public/a', { gate: 'faulty' }), 'STORE_UNAVAILABLE');
    const asked = await kv.operationsDuring(async () => {
      for (let count = 0; count < 20; count += 1) refused(await gate.get('/public/a', { gate: 'faulty' }), 'STORE_UNAVAILABLE');
    });
    assert.ok(asked <= 2, `${asked} operations for 20 requests`);
    await kv.set('ok');
    await kv.inner.put(KEY, JSON.stringify(small()));
    await until(({ status }) => status === 200, () => gate.get('/public/a', { gate: 'faulty' }));
    const from = gate.output.lines.length;
    await kv.set('fail');
    let line;
    while (line === undefined) {
      assert.equal((await gate.get('/public/a', { gate: 'faulty' })).status, 200);
      line = await gate.output.find((one) => one.includes('"event":"fault"') || one.includes('policy'), from, 200).catch(() => undefined);
    }
    assert.equal(JSON.parse(line.slice(line.indexOf('{'))).policy_kept, true);
    assert.equal((await gate.get('/public/a', { gate: 'faulty' })).status, 200);
  });
});

test('the pointer stands alone, and needs KV', async () => {
  refused(await gate.get('/', { gate: 'more' }), 'CONFIG_ERROR');
  await gate.output.find((line) => line.includes('source: with it only reload_secs may stand here'));
  refused(await gate.get('/', { gate: 'unbound' }), 'CONFIG_ERROR');
  await gate.output.find((line) => line.includes('EDGEGATE_KV: the policy is to be read from this KV namespace binding'));
});
