// Leases: several isolates share an object and count exactly, without asking it for most requests, even if isolates or the object fail.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { admitted, gateWorker, policy, refused, start, startGate, temporaryFolder, token } from './harness.mjs';
import { control, sharedObjects } from './stores.mjs';

const N = 40;
// The windows are long, so that no test crosses the end of a window or of a twentieth of it.
const MONTH = 31 * 24 * 3600;
const LEASE = { requests: 10, secs: 60 };

const limit = (name, requests, more = {}) => ({
  name, by: 'caller', requests, window_secs: MONTH, algorithm: 'fixed-window', store: 'durable-object', lease: LEASE, ...more,
});
const route = (path, limits, more = {}) => ({ path, limits, ...more });

// JSON leaves out members that are undefined.
const LEASED = JSON.parse(JSON.stringify(policy({
  limits: [
    limit('fixed', N),
    limit('sliding', N, { algorithm: 'sliding-window' }),
    limit('bucket', N, { algorithm: 'token-bucket', burst: N + 1 }),
    limit('quota', N, { window_secs: undefined, window: 'month' }),
    limit('large', 1000, { lease: { requests: 100, secs: 60 } }),
    limit('small', 3, { store: 'memory', lease: undefined }),
    limit('plain', 2, { lease: undefined }),
    limit('allowed', 1000, { on_error: 'allow', lease: { requests: 100, secs: 60 } }),
  ],
  routes: [
    ...['fixed', 'sliding', 'bucket', 'quota', 'large', 'plain', 'allowed'].map((name) => route(`/${name}`, [name])),
    route('/both', ['large', 'fixed']),
    route('/with-small', ['large', 'small']),
    route('/expensive', ['large'], { cost: 7 }),
  ],
})));

let gate;
let counted;
let third;

before(async () => {
  // Three isolates of the gate with the same objects. The first isolate has their class.
  const second = sharedObjects('objects-of-counted', 'gate');
  const other = sharedObjects('objects-of-third', 'gate');
  gate = await start([
    gateWorker({ policy: LEASED }),
    gateWorker({ name: 'counted', policy: LEASED, worker: second.worker }),
    gateWorker({ name: 'third', policy: LEASED, worker: other.worker }),
    second.binding,
    other.binding,
  ]);
  counted = await control(gate, 'objects-of-counted');
  third = await control(gate, 'objects-of-third');
});
after(() => gate.dispose());

const GATES = ['gate', 'counted', 'third'];
const newCaller = () => token({ sub: randomUUID() });

async function atOnce(count, path, bearer, gates) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: count });
  try {
    const one = (_, index) => gate.get(path, { token: bearer, agent, gate: gates[index % gates.length] });
    return await Promise.all(Array.from({ length: count }, one));
  } finally {
    agent.destroy();
  }
}

/** Returns how many of these were admitted. All others have to be limited. */
function countAdmitted(answers) {
  for (const answer of answers) if (answer.status !== 200) refused(answer, 'RATE_LIMITED');
  return answers.filter((answer) => answer.status === 200).length;
}

/** Sends requests to a gate, one after the other, until one is limited. */
async function untilLimited(path, options) {
  for (let count = 0; count < 1100; count += 1) {
    const answer = await gate.get(path, options);
    if (answer.status === 429) return count;
    admitted(answer);
  }
  return Infinity;
}

const remaining = (answer) => Number(/;r=(\d+);/.exec(answer.headers.ratelimit)[1]);

describe(`of 200 requests at once through three isolates exactly ${N} pass`, () => {
  for (const name of ['fixed', 'sliding', 'bucket', 'quota']) {
    test(name, async () => {
      const caller = newCaller();
      const passed = countAdmitted(await atOnce(200, `/${name}`, caller, GATES));
      assert.ok(passed <= N, `${passed}`);
      // Later requests to an isolate spend what it has borrowed and not spent.
      let late = 0;
      for (const one of GATES) late += await untilLimited(`/${name}`, { token: caller, gate: one });
      assert.equal(passed + late, N);
      for (const one of GATES) refused(await gate.get(`/${name}`, { token: caller, gate: one }), 'RATE_LIMITED');
    });
  }

  test('through one isolate all of them at once', async () => {
    const caller = newCaller();
    const passed = countAdmitted(await atOnce(200, '/fixed', caller, ['counted']));
    assert.equal(passed + await untilLimited('/fixed', { token: caller, gate: 'counted' }), N);
  });
});

describe('the object is asked', () => {
  test('for few of many requests', async () => {
    const caller = newCaller();
    const asked = await counted.operationsDuring(async () => {
      for (let request = 1; request <= 300; request += 1) {
        const answer = await gate.get('/large', { token: caller, gate: 'counted' });
        admitted(answer);
        assert.equal(remaining(answer), 1000 - request, 'and what is left counts down one by one');
      }
    });
    // Leases of 100 requests: each is 1 that asks and 99 that do not.
    assert.equal(asked, 3);
  });

  test('as often as there are requests where nothing is lent', async () => {
    const caller = newCaller();
    const asked = await counted.operationsDuring(async () => {
      for (let request = 0; request < 2; request += 1) admitted(await gate.get('/plain', { token: caller, gate: 'counted' }));
    });
    assert.equal(asked, 2);
  });

  test('once about a caller who has used up the limit', async () => {
    for (const path of ['/plain', '/fixed']) {
      const caller = newCaller();
      await untilLimited(path, { token: caller, gate: 'counted' });
      let waits = [];
      const asked = await counted.operationsDuring(async () => {
        for (let request = 0; request < 50; request += 1) {
          const answer = await gate.get(path, { token: caller, gate: 'counted' });
          refused(answer, 'RATE_LIMITED');
          assert.equal(remaining(answer), 0);
          waits.push(Number(answer.headers['retry-after']));
        }
      });
      assert.equal(asked, 0, path);
      assert.deepEqual(waits, waits.toSorted((a, b) => b - a), 'the wait only gets shorter');
      const other = await counted.operationsDuring(async () => {
        admitted(await gate.get(path, { token: newCaller(), gate: 'counted' }));
      });
      assert.equal(other, 1, 'another caller is another matter');
    }
  });

  test('again when a request costs more than is left of the lease', async () => {
    const caller = newCaller();
    const asked = await counted.operationsDuring(async () => {
      for (let request = 1; request <= 15; request += 1) {
        const answer = await gate.get('/expensive', { token: caller, gate: 'counted' });
        admitted(answer);
        assert.equal(remaining(answer), 1000 - 7 * request);
      }
    });
    assert.equal(asked, 2, '14 · 7 of a lease of 100; the two that are left go back');
  });
});

describe('several limits', () => {
  test('are lent all or nothing', async () => {
    const caller = newCaller();
    assert.equal(await untilLimited('/both', { token: caller, gate: 'counted' }), N);
    assert.equal(await untilLimited('/large', { token: caller, gate: 'counted' }), 1000 - N);
  });

  test('that are counted elsewhere give back to the lease', async () => {
    const caller = newCaller();
    assert.equal(await untilLimited('/with-small', { token: caller, gate: 'counted' }), 3);
    const asked = await counted.operationsDuring(async () => {
      for (let request = 0; request < 20; request += 1) {
        refused(await gate.get('/with-small', { token: caller, gate: 'counted' }), 'RATE_LIMITED');
      }
    });
    assert.equal(asked, 0);
    const answer = await gate.get('/large', { token: caller, gate: 'counted' });
    assert.equal(remaining(answer), 1000 - 3 - 1, 'the refused ones took nothing');
  });
});

describe('while the object does not answer', () => {
  for (const mode of ['fail', 'hang']) {
    test(`(${mode}) a lease is spent on; then on_error decides`, async () => {
      const [denied, allowed] = [newCaller(), newCaller()];
      admitted(await gate.get('/large', { token: denied, gate: 'third' }));
      await third.set(mode);
      try {
        for (let request = 0; request < 99; request += 1) admitted(await gate.get('/large', { token: denied, gate: 'third' }));
        refused(await gate.get('/large', { token: denied, gate: 'third' }), 'STORE_UNAVAILABLE');
        const from = gate.output.lines.length;
        admitted(await gate.get('/allowed', { token: allowed, gate: 'third' }));
        await gate.output.find((line) => line.includes('"admitted"') && line.includes('counters'), from);
      } finally {
        await third.set('ok');
      }
      const answer = await gate.get('/large', { token: denied, gate: 'third' });
      admitted(answer);
      assert.equal(remaining(answer), 1000 - 101, 'nothing that was admitted is forgotten');
    });
  }
});

test('an isolate that ends takes what it borrowed with it, and no more than that', async () => {
  const folder = temporaryFolder();
  const open = () => startGate({ policy: LEASED, shared: { resourcePersistencePath: folder } });
  const caller = newCaller();
  const usual = gate;
  try {
    gate = await open();
    for (let request = 0; request < 5; request += 1) admitted(await gate.get('/fixed', { token: caller }));
    await gate.dispose();
    gate = await open();
    const rest = await untilLimited('/fixed', { token: caller });
    // The first of the five has borrowed nine more, a quarter of the rest. Five of them were never spent.
    assert.equal(rest, N - 10);
    await gate.dispose();
  } finally {
    gate = usual;
  }
});
