// What the watch finds out about callers, and a policy that may come, judged beside the one in force: over HTTP.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { SECRETS, freshIp, gateWorker, policy, refused, start, token } from './harness.mjs';

const LOOSE = { failed_authentication: { requests: 100_000, window_secs: 60 } };
const watching = (watch = {}, changes = {}) => policy({ ...LOOSE, watch, ...changes });

/** The policy that may come: what is open is shut, another scope is wanted, and a limit and networks are new. */
function candidate() {
  const may = policy({ ...LOOSE });
  const change = (route) => {
    if (route.path === '/public/*') return { ...route, auth: 'required' };
    return route.scopes ? { ...route, scopes: { all: ['other:scope'] } } : route;
  };
  return { ...may, routes: may.routes.map(change) };
}

let gate;
before(async () => {
  gate = await start([
    gateWorker({ name: 'gate', policy: watching() }),
    gateWorker({ name: 'beside', policy: watching({ shadow: {} }), worker: { bindings: { POLICY_SHADOW: candidate() } } }),
    gateWorker({ name: 'seldom', policy: watching({ shadow: { sample: 1 } }), worker: { bindings: { POLICY_SHADOW: candidate() } } }),
    gateWorker({ name: 'faulty', policy: watching({ shadow: {} }), worker: { bindings: { POLICY_SHADOW: { routes: 7 } } } }),
    gateWorker({ name: 'without', policy: watching({ shadow: {} }) }),
    gateWorker({ name: 'off', policy: watching(), worker: { bindings: { POLICY_SHADOW: candidate() } } }),
  ]);
});
after(() => gate?.dispose());

async function report(of, wanted = () => true) {
  for (let tries = 0; tries < 60; tries += 1) {
    const response = await gate.admin('GET', '/watch', undefined, { gate: of });
    assert.equal(response.status, 200);
    const told = await response.json();
    if (wanted(told)) return told;
    await sleep(500);
  }
  throw new Error(`${of}: it is not in the report`);
}

describe('many credentials from one network', () => {
  test('are found, and the alert says from where', async () => {
    const ip = '203.0.113.77';
    for (let one = 0; one < 60; one += 1) {
      refused(await gate.get('/v1/posts', { ip, token: token({ jti: `forged-${one}` }, { secret: 'x'.repeat(32) }) }), 'INVALID_TOKEN');
    }
    const { alerts } = await report('gate', (told) => told.alerts.some(({ rule, state }) => rule === 'credential-stuffing' && state === 'firing'));
    assert.deepEqual(alerts.filter(({ rule }) => rule === 'credential-stuffing').map(({ group, state }) => [group, state]), [['203.0.113.0/24', 'firing']]);
  });
});

describe('a policy that may come', () => {
  const ask = async (of, ip = freshIp()) => {
    const reads = await gate.get('/v1/posts', { gate: of, ip, token: token({ scope: 'read:posts' }) });
    const open = await gate.get('/public/a', { gate: of, ip });
    const nobody = await gate.get('/v1/posts', { gate: of, ip });
    return [reads.status, open.status, nobody.status];
  };

  test('changes no answer, and where it would is counted by code and route, with samples', async () => {
    const expected = await ask('gate');
    assert.deepEqual(expected, [200, 200, 401]);
    for (let one = 0; one < 4; one += 1) assert.deepEqual(await ask('beside'), expected);
    const { shadow, events, decisions } = await report('beside', (told) => told.shadow?.different >= 8);
    assert.deepEqual([shadow.same, shadow.different, shadow.not_judged], [4, 8, 0]);
    const differences = shadow.differences.map(({ from, to, n }) => [from, to, n]).sort();
    assert.deepEqual(differences, [['admitted', 'INSUFFICIENT_SCOPE', 4], ['admitted', 'MISSING_CREDENTIALS', 4]]);
    // What it would have said is no decision.
    assert.deepEqual(decisions, { admitted: 8, refused: 4 });
    const shadowed = events.filter(({ event }) => event === 'shadowed');
    assert.equal(shadowed.length, 8);
    assert.ok(shadowed.every(({ code, shadow: would }) => code === undefined && ['INSUFFICIENT_SCOPE', 'MISSING_CREDENTIALS'].includes(would)));
    const metrics = (await gate.get('/auth/metrics', { gate: 'beside', token: SECRETS.ADMIN_TOKEN })).text;
    assert.match(metrics, /^edgegate_shadow_total\{verdict="same"\} 4$/m);
    assert.match(metrics, /^edgegate_shadow_total\{verdict="different",from="admitted",to="INSUFFICIENT_SCOPE",route="[^"]+"\} 4$/m);
  });

  test('takes nothing from limits, and what a limit refuses is not judged', async () => {
    const statuses = async (of) => {
      const [ip, caller, all] = [freshIp(), token({ sub: `limited-${of}` }), []];
      for (let one = 0; one < 6; one += 1) all.push((await gate.get('/v1/limited', { gate: of, ip, token: caller })).status);
      return all;
    };
    assert.deepEqual(await statuses('beside'), await statuses('gate'));
    const { shadow } = await report('beside', (told) => told.shadow.not_judged >= 1);
    assert.equal(shadow.not_judged, 1);
  });

  test('is judged of a sample', async () => {
    for (let one = 0; one < 100; one += 1) await gate.get('/public/a', { gate: 'seldom', ip: freshIp() });
    const { shadow, decisions } = await report('seldom', (told) => told.decisions.admitted >= 100);
    assert.equal(decisions.admitted, 100);
    assert.ok((shadow?.different ?? 0) < 20, JSON.stringify(shadow));
  });

  test('that is faulty or not there is told, and ignored', async () => {
    const expected = await ask('gate');
    for (const of of ['faulty', 'without', 'off']) {
      assert.deepEqual(await ask(of), expected, of);
      const { shadow } = await report(of, (told) => told.decisions.admitted >= 2);
      assert.equal(shadow, undefined);
    }
    assert.ok(await gate.output.find((line) => line.includes('POLICY_SHADOW is not judged: routes: expected a list')));
    assert.ok(await gate.output.find((line) => line.includes('POLICY_SHADOW is not judged: there is no variable POLICY_SHADOW')));
  });
});
