// A fresh isolate: what its first request costs, what it costs until the first verdict, and what memory it takes. Each contestant
// gets a new workerd in each round.

import assert from 'node:assert/strict';

import { gateWorker, policy, start } from '../../tests/worker/harness.mjs';
import { assertTakesTokens } from '../lib/agree-gates.mjs';
import { compare, compareWithTarget } from '../lib/measure.mjs';
import { AUDIENCE, ISSUER } from '../lib/names.mjs';
import { peerWorker } from '../lib/peer-workers.mjs';
import { newKey, newToken } from '../lib/tokens.mjs';
import { withProcessorClock } from '../lib/workerd-process.mjs';

const FIRST_MILLIS = 6;
const BEYOND_MILLIS = 15;
const OURS = 'edgegate';
const OK = 'a Worker that answers "ok"';
const DECIDE = [OURS, 'jose', 'hono/jwt'];
const PEERS = ['jose', 'hono/jwt', 'a Worker that passes on', OK];

/** Workers by name, each with what is behind it. */
async function contestants(key) {
  const upstream = await peerWorker('worker-upstream.mjs', { name: 'upstream', unsafeDirectSockets: undefined });
  const bound = { serviceBindings: { UPSTREAM: 'upstream' } };
  const bindings = { JWK: key.jwk, JWT_SECRET: key.secret, ISSUER, AUDIENCE };
  const peer = (file) => peerWorker(file, { bindings, ...bound });
  const given = policy({
    issuers: [{ issuer: ISSUER, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
    api_keys: undefined, revocation: undefined, limits: undefined, admin: undefined,
    routes: [
      { path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] } },
      { path: '/v1/posts', methods: ['POST'], scopes: { all: ['write:posts'] } },
    ],
  });
  const first = {
    [OURS]: gateWorker({ policy: given, secrets: { JWT_SECRET: key.secret }, worker: bound }),
    jose: await peer('worker-jose.mjs'),
    'hono/jwt': await peer('worker-hono.mjs'),
    'a Worker that passes on': await peer('worker-pass.mjs'),
    [OK]: await peer('worker-ok.mjs'),
  };
  return Object.entries(first).map(([name, worker]) => ({ name, workers: [worker, upstream] }));
}

/** What one workerd has spent, in ms, until it was up and until it had answered; its memory then, in MiB. */
async function firstRequest({ name, workers }, key, isProof) {
  const { started, clock, memory } = await withProcessorClock(() => start(workers, { secrets: { JWT_SECRET: key.secret } }));
  try {
    const up = clock?.();
    const answer = await started.get('/v1/posts', { token: newToken(key) });
    const answered = clock?.();
    assert.equal(answer.status, 200, name);
    const found = { first: answered - up, start: answered, memory: memory() };
    if (isProof && DECIDE.includes(name)) await assertTakesTokens(name, started, key, (token) => ({ token }));
    return found;
  } finally {
    await started.dispose();
  }
}

async function cold(context) {
  const key = newKey('HS256');
  const all = await contestants(key);
  const found = new Map(all.map(({ name }) => [name, []]));
  const rounds = context.quick ? 2 : 9;
  for (let round = -1; round < rounds; round += 1) {
    for (const contestant of round % 2 === 0 ? all : all.toReversed()) {
      const one = await firstRequest(contestant, key, round < 0);
      if (round >= 0) found.get(contestant.name).push(one);
    }
  }
  if (found.get(OURS).some(({ first }) => Number.isNaN(first))) return [];
  const of = (name, value, label = name) => ({ name: label, times: found.get(name).map(value) });
  const lines = (what, value, unit, kind, target) => [
    ...(target === undefined ? [] : [compareWithTarget({ subject: of(OURS, value, what), value: target, unit })]),
    ...PEERS.map((peer) => compare({ subject: of(OURS, value, what), peer: of(peer, value), kind, unit })),
  ];
  const oks = found.get(OK);
  const beyond = of(OURS, ({ start: whole }, round) => whole - oks[round].start, 'start to first verdict, beyond "ok"');
  return [
    ...lines('first request of an isolate', ({ first }) => first, 'ms of workerd', 'time', FIRST_MILLIS),
    compareWithTarget({ subject: beyond, value: BEYOND_MILLIS, unit: 'ms of workerd' }),
    ...lines('start to first verdict', ({ start: whole }) => whole, 'ms of workerd', 'time'),
    ...lines('memory after it', ({ memory }) => memory, 'MiB', 'memory'),
  ];
}

export const COLD_ROWS = [{ id: 'cold', about: 'A fresh isolate, HS256 and scope', run: cold }];
