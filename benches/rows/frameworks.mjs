// Fastify and Express: the gate's adapter with a limit in memory, beside the two plugins that a user would take instead, and the bare
// framework. Each is a server in a process of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { refusals } from '../lib/agree-gates.mjs';
import { CONNECTIONS, loadRounds } from '../lib/load.mjs';
import { atMost, compare, compareWithTarget } from '../lib/measure.mjs';
import { AUDIENCE, ISSUER } from '../lib/names.mjs';
import { newKey, newToken } from '../lib/tokens.mjs';
import { clockOf } from '../lib/workerd-process.mjs';

const CALLERS = 500;
/** As many as a connection asks in a second. */
const FRESH = 800;
/** A limit that nobody reaches, and one that a proof does. */
const WIDE = 1_000_000_000;
const NARROW = 3;
const SERVE = fileURLToPath(new URL('../peers/serve.mjs', import.meta.url));

async function serve(closing, framework, contestant, options) {
  const server = spawn(process.execPath, [SERVE, framework, contestant, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
  closing.push(() => server.kill());
  const [printed] = await Promise.race([
    once(server.stdout, 'data'),
    once(server, 'exit').then(() => assert.fail(`${framework}, ${contestant}: it did not start`)),
  ]);
  return { port: Number(printed.toString()), clock: clockOf(server.pid) };
}

async function ask({ port }, token) {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/posts`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
  const text = await answer.text();
  return answer.ok ? { status: answer.status, caching: answer.headers.get('cache-control'), body: JSON.parse(text) } : { status: answer.status };
}

/** Fails unless the server decides as all have to. */
async function assertDecides(name, wide, narrow, key) {
  const good = await ask(wide, newToken(key, { sub: 'alice' }));
  assert.deepEqual(good, { status: 200, caching: 'private', body: { subject: 'alice' } }, name);
  assert.equal((await ask(wide)).status, 401, `${name}, without a credential`);
  for (const [fault, token, status] of refusals(key)) assert.equal((await ask(wide, token)).status, status, `${name}, a token with ${fault}`);
  const found = [];
  for (let count = 0; count <= NARROW; count += 1) found.push((await ask(narrow, newToken(key, { sub: 'alice' }))).status);
  assert.deepEqual(found, [...Array.from({ length: NARROW }, () => 200), 429], `${name}, the limit`);
  assert.equal((await ask(narrow, newToken(key, { sub: 'bob' }))).status, 200, `${name}, the limit of another caller`);
}

const framework = (id, title, plugins, { beyondMicros, ofTheirs }) => async (context) => {
  const key = newKey('HS256');
  const closing = [];
  const options = { secret: key.secret, issuer: ISSUER, audience: AUDIENCE };
  try {
    const contestants = [];
    for (const name of ['bare', 'peers', 'edgegate']) {
      const server = await serve(closing, id, name, { ...options, limit: WIDE });
      if (name !== 'bare') await assertDecides(`${id}, ${name}`, server, await serve(closing, id, name, { ...options, limit: NARROW }), key);
      contestants.push({ name, ...server });
    }
    return await measured(context, contestants, key, { title, plugins, beyondMicros, ofTheirs });
  } finally {
    for (const close of closing) close();
  }
};

async function measured({ quick }, contestants, key, { title, plugins, beyondMicros, ofTheirs }) {
  let requests;
  const found = await loadRounds(contestants, {
    ...(quick ? { rounds: 1, seconds: 1 } : { rounds: 9, seconds: 1 }),
    beforeRound: () => {
      requests = Array.from({ length: FRESH * CONNECTIONS }, (_, index) => ({
        path: '/v1/posts', headers: { authorization: `Bearer ${newToken(key, { sub: `caller-${index % CALLERS}` })}` },
      }));
    },
    targetOf: (one) => ({ ...one, requests, spread: true }),
  });
  const of = (who, name, value) => ({ name, times: found.get(who).map(value) });
  const lines = (kind, value, unit) => [
    compare({ subject: of('edgegate', 'whole', value), peer: of('peers', plugins, value), kind, unit }),
    compare({ subject: of('edgegate', 'whole', value), peer: of('bare', 'bare', value), kind, unit }),
  ];
  const throughput = lines('throughput', ({ requests: each }) => each, 'requests/s');
  if (contestants.some(({ clock }) => clock === undefined)) return throughput;
  const bare = found.get('bare');
  const beyond = ({ cpu }, round) => cpu - bare[round].cpu;
  const subject = of('edgegate', `${title}, beyond bare`, beyond);
  return [
    ...(beyondMicros === undefined ? [] : [compareWithTarget({ subject, value: beyondMicros, unit: 'µs of the server' })]),
    compare({
      subject, peer: of('peers', plugins, beyond), kind: 'time', unit: 'µs of the server', target: ofTheirs === undefined ? null : atMost(ofTheirs),
    }),
    ...lines('time', ({ cpu }) => cpu, 'µs of the server'),
    ...throughput,
  ];
}

export const FRAMEWORK_ROWS = [
  { id: 'fastify', about: 'Fastify: HS256, scope and a limit in memory', run: framework('fastify', 'Fastify', '@fastify/jwt, @fastify/rate-limit', { beyondMicros: 28 }) },
  { id: 'express', about: 'Express: HS256, scope and a limit in memory', run: framework('express', 'Express', 'express-jwt, express-rate-limit', { ofTheirs: 0.7 }) },
];
