// The built Worker, end to end: requests per second beside a Worker that only answers "ok", each in a workerd of its own,
// asked by a load generator in a third process.
//
// There is no upstream (the gate answers itself) and no store is asked: it is the gate's own work. On a machine with few
// cores the generator takes part of them, so that the processor time of workerd for each request is shown, too.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { apiKey, freshIp, policy, start, startGate, token } from '../../tests/worker/harness.mjs';
import { atLeast, compare } from '../lib/measure.mjs';

const CONNECTIONS = 16;
/** Different ones, so that it is not one token whose verdict could be kept. */
const CALLERS = 2000;

const OK = {
  name: 'ok',
  compatibilityDate: '2026-04-01',
  modules: [{ type: 'ESModule', path: 'ok.mjs', contents: "export default { fetch() { return new Response('ok'); } };" }],
  unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
};

/** The example without stores. */
const ALONE = policy({
  api_keys: { prefixes: [{ prefix: 'sk' }], environment: 'test', signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }], records: 'none' },
  revocation: undefined,
  limits: undefined,
  routes: [{ path: '/open', auth: 'none' }, { path: '/v1/posts', methods: ['GET'] }],
});

/** Starts it and finds its workerd, whose processor time is read from /proc. */
async function started(begin) {
  const before = workerds();
  const gate = await begin();
  const pid = workerds().find((id) => !before.includes(id));
  return { gate, pid };
}

/** The processes named workerd that this one has started; none where there is no /proc. */
function workerds() {
  try {
    return readdirSync('/proc').filter((id) => {
      if (!/^\d+$/.test(id)) return false;
      const [, name, rest] = /^\d+ \((.*)\) (.*)$/.exec(statOf(id) ?? '') ?? [];
      return name === 'workerd' && Number(rest.split(' ')[1]) === process.pid;
    });
  } catch {
    return [];
  }
}

function statOf(id) {
  try {
    return readFileSync(`/proc/${id}/stat`, 'latin1').trimEnd();
  } catch {
    return undefined;
  }
}

/** In µs; the kernel counts in hundredths of a second. */
function processorTime(pid) {
  const stat = pid === undefined ? undefined : statOf(pid);
  if (stat === undefined) return Number.NaN;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function load({ gate, pid, requests }, seconds) {
  const program = fileURLToPath(new URL('../worker/load-generator.mjs', import.meta.url));
  const generator = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const before = processorTime(pid);
  generator.stdin.end(JSON.stringify({ port: gate.port(), seconds, connections: CONNECTIONS, requests }));
  const result = JSON.parse(await new Response(generator.stdout).text());
  assert.equal(result.failed, 0, 'requests failed: nothing is compared');
  return { ...result, cpu: (processorTime(pid) - before) / result.answered };
}

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
  const ok = await started(() => start([OK]));
  context.closing.push(() => ok.gate.dispose());
  const gate = await started(() => startGate({ policy: ALONE }));
  context.closing.push(() => gate.gate.dispose());
  await assertDecides(gate.gate);

  const claims = { iat: Math.floor(Date.now() / 1000) - 10, scope: 'read:posts write:posts' };
  const callers = (path, headers) =>
    Array.from({ length: CALLERS }, () => ({ path, headers: { 'CF-Connecting-IP': freshIp(), ...headers() } }));
  const contestants = [
    { name: 'a Worker that answers "ok"', ...ok, requests: callers('/open', () => ({})) },
    { name: 'an open route', ...gate, requests: callers('/open', () => ({})) },
    { name: 'HS256', ...gate, requests: callers('/v1/posts', () => ({ Authorization: `Bearer ${token({ ...claims, jti: crypto.randomUUID() })}` })) },
    { name: 'an API key', ...gate, requests: callers('/v1/posts', () => ({ 'X-API-Key': apiKey() })) },
  ];
  const [rounds, seconds] = context.quick ? [3, 1] : [11, 3];
  const found = new Map(contestants.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round += 1) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const contestant of order) {
      const result = await load(contestant, seconds);
      if (round >= 0) found.get(contestant.name).push(result);
    }
  }
  const of = (name, value) => ({ name, times: found.get(name).map(value) });
  const [{ name: peer }, ...ours] = contestants;
  return ours.flatMap(({ name }) => {
    const each = (kind, value, unit, target) =>
      compare({ subject: of(name, value), peer: of(peer, value), kind, unit, target });
    const lines = [each('throughput', ({ requests }) => requests, 'requests/s', atLeast(0.85))];
    if (!found.get(name).some(({ cpu }) => Number.isNaN(cpu))) {
      lines.push(each('time', ({ cpu }) => cpu, 'µs of workerd', null));
    }
    return lines;
  });
}

export const WORKER_ROWS = [{ id: 'worker', about: 'The Worker end to end, 16 connections', run: endToEnd }];
