// The managed key ring over a real Redis: processes that begin at once come to one signing key.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createGate, redisStore } from '../../pkg/wasm/node.js';
import { CLIENTS, startRedis } from './redis-server.mjs';
import { managedSecrets, sessionPolicy } from './session-gate.mjs';

const PROCESSES = 3;
const STARTS = 20;

const policy = sessionPolicy({ sessions: { keys: undefined } });
const secrets = managedSecrets();
let redis;
before(async () => {
  redis = await startRedis();
});
after(() => redis?.stop());

const kidOf = (token) => JSON.parse(Buffer.from(token.split('.', 1)[0], 'base64url')).kid;

for (const kind of Object.keys(CLIENTS)) {
  test(`by ${kind}: ${PROCESSES} processes at once, ${STARTS} starts: one key each time`, { timeout: 120_000 }, async (t) => {
    const file = fileURLToPath(new URL('sessions-ring-process.mjs', import.meta.url));
    const processes = Array.from({ length: PROCESSES }, () => fork(file));
    t.after(() => processes.forEach((one) => one.kill()));
    const answered = () => Promise.all(processes.map(async (one) => (await once(one, 'message'))[0]));
    const ready = answered();
    for (const one of processes) one.send({ port: redis.port, kind, policy, secrets });
    await ready;
    for (let start = 0; start < STARTS; start += 1) {
      const answers = answered();
      for (const one of processes) one.send({ start });
      const all = await answers;
      const kids = new Set(all.flatMap(({ accessToken, kids: published }) => [kidOf(accessToken), ...published]));
      assert.equal(kids.size, 1, `start ${start}`);
    }
    // A process that comes later takes the tokens of all of them.
    const answers = answered();
    for (const one of processes) one.send({ start: STARTS });
    const all = await answers;
    const { client, close } = await CLIENTS[kind](redis.port);
    t.after(close);
    const store = redisStore(client, { prefix: `${kind}:${STARTS}:` });
    const late = createGate(policy, { secrets, stores: { sessions: store, revocation: store, keys: store, counters: store } });
    for (const { accessToken } of all) {
      const decision = await late.check({ method: 'GET', url: '/v1/posts', headers: { authorization: `Bearer ${accessToken}` } });
      assert.equal(decision.ok, true, decision.message);
    }
    for (const one of processes) one.send({ end: true });
    await Promise.all(processes.map((one) => once(one, 'exit')));
  });
}
