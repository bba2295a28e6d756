// The built Worker, end to end: requests per second beside a Worker that only answers "ok", each in a workerd of its own,
// asked by a load generator in a third process.
//
// There is no upstream (the gate answers itself) and no store is asked: it is the gate's own work. On a machine with few
// cores the generator takes part of them, so that the processor time of workerd for each request is shown, too.

import assert from 'node:assert/strict';

import { apiKey, freshIp, policy, start, startGate, token } from '../../tests/worker/harness.mjs';
import { loadRounds } from '../lib/load.mjs';
import { atLeast, compare } from '../lib/measure.mjs';
import { peerWorker } from '../lib/peer-workers.mjs';
import { withProcessorClock } from '../lib/workerd-process.mjs';

/** Different ones, so that it is not one token whose verdict could be kept. */
const CALLERS = 2000;

/** The example without stores. */
const ALONE = policy({
  api_keys: { prefixes: [{ prefix: 'sk' }], environment: 'test', signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }], records: 'none' },
  revocation: undefined,
  limits: undefined,
  routes: [{ path: '/open', auth: 'none' }, { path: '/v1/posts', methods: ['GET'] }],
});

/** Fails unless the gate admits the good caller and refuses a bad one. */
async function assertDecides(gate) {
  const found = async (credential) => (await gate.get('/v1/posts', credential)).status;
  assert.equal((await gate.get('/open')).status, 200);
  assert.equal(await found({}), 401);
  assert.equal(await found({ token: token() }), 200);
  assert.equal(await found({ token: token({}, { secret: 'another secret, as long as it has to be' }) }), 401);
  assert.equal(await found({ key: apiKey() }), 200);
  assert.equal(await found({ key: apiKey({ tag: Buffer.alloc(16) }) }), 401);
}

async function endToEnd(context) {
  const worker = await peerWorker('worker-ok.mjs');
  const ok = await withProcessorClock(() => start([worker]));
  context.closing.push(() => ok.started.dispose());
  const gate = await withProcessorClock(() => startGate({ policy: ALONE }));
  context.closing.push(() => gate.started.dispose());
  await assertDecides(gate.started);

  const claims = { iat: Math.floor(Date.now() / 1000) - 10, scope: 'read:posts write:posts' };
  const callers = (path, headers) =>
    Array.from({ length: CALLERS }, () => ({ path, headers: { 'CF-Connecting-IP': freshIp(), ...headers() } }));
  const contestants = [
    { name: 'a Worker that answers "ok"', ...ok, requests: callers('/open', () => ({})) },
    { name: 'an open route', ...gate, requests: callers('/open', () => ({})) },
    { name: 'HS256', ...gate, requests: callers('/v1/posts', () => ({ Authorization: `Bearer ${token({ ...claims, jti: crypto.randomUUID() })}` })) },
    { name: 'an API key', ...gate, requests: callers('/v1/posts', () => ({ 'X-API-Key': apiKey() })) },
  ];
  const [rounds, seconds] = context.quick ? [3, 1] : [11, 2];
  const loaded = contestants.map(({ started, ...rest }) => ({ ...rest, port: started.port() }));
  const found = await loadRounds(loaded, { rounds, seconds });
  const of = (name, value) => ({ name, times: found.get(name).map(value) });
  const [{ name: peer }, ...ours] = contestants;
  return ours.flatMap(({ name }) => {
    const each = (kind, value, unit, target) =>
      compare({ subject: of(name, value), peer: of(peer, value), kind, unit, target });
    const lines = [each('throughput', ({ requests }) => requests, 'requests/s', atLeast(0.85))];
    if (ok.clock !== undefined && gate.clock !== undefined) {
      lines.push(each('time', ({ cpu }) => cpu, 'µs of workerd', null));
    }
    return lines;
  });
}

export const WORKER_ROWS = [{ id: 'worker', about: 'The Worker end to end, 16 connections', run: endToEnd }];
