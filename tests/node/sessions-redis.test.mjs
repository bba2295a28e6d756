// Sessions over a real Redis: several processes, and restarts between the steps.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { createGate, redisStore } from '../../pkg/wasm/node.js';
import { CLIENTS, startRedis } from './redis-server.mjs';
import { sessionPolicy, sessionSecrets } from './session-gate.mjs';

const policy = sessionPolicy();
const secrets = sessionSecrets();
let redis;
before(async () => {
  redis = await startRedis();
});
after(() => redis?.stop());

/** A gate after a restart of its process: only Redis has the past. */
async function restarted(t, kind) {
  const { client, close } = await CLIENTS[kind](redis.port);
  t.after(close);
  const store = redisStore(client, { prefix: `${kind}:` });
  return createGate(policy, { secrets, stores: { sessions: store, revocation: store, keys: store, counters: store } });
}

const refresh = async (gate, refreshToken) => {
  const headers = { 'content-type': 'application/json' };
  const own = await gate.handle({ method: 'POST', url: '/auth/refresh', headers, body: JSON.stringify({ refreshToken }) });
  return { status: own.status, body: JSON.parse(own.body) };
};

for (const kind of Object.keys(CLIENTS)) {
  test(`by ${kind}: each step in another process, and nobody is logged out`, async (t) => {
    let { refreshToken, accessToken } = await (await restarted(t, kind)).sessions.open({ subject: 'alice', scopes: ['read:posts'] });
    for (let step = 0; step < 4; step += 1) {
      const gate = await restarted(t, kind);
      const used = await gate.check({ method: 'GET', url: '/v1/posts', headers: { authorization: `Bearer ${accessToken}` } });
      assert.equal(used.ok, true, used.message);
      const renewed = await refresh(await restarted(t, kind), refreshToken);
      assert.equal(renewed.status, 200);
      ({ refreshToken, accessToken } = renewed.body);
    }
    await (await restarted(t, kind)).sessions.endAll('alice');
    assert.equal((await refresh(await restarted(t, kind), refreshToken)).status, 401);
    const gate = await restarted(t, kind);
    const refused = await gate.check({ method: 'GET', url: '/v1/posts', headers: { authorization: `Bearer ${accessToken}` } });
    assert.equal(refused.code, 'TOKEN_REVOKED');
  });

  test(`by ${kind}: two processes renew with one token at once: one generation`, async (t) => {
    const { refreshToken } = await (await restarted(t, kind)).sessions.open({ subject: 'bob', scopes: ['read:posts'] });
    const file = fileURLToPath(new URL('sessions-redis-process.mjs', import.meta.url));
    const processes = [fork(file), fork(file)];
    for (const one of processes) one.send({ port: redis.port, kind, policy, secrets, refreshToken, times: 20 });
    await Promise.all(processes.map((one) => once(one, 'message')));
    const answered = processes.map((one) => once(one, 'message'));
    for (const one of processes) one.send('go');
    const all = (await Promise.all(answered)).flatMap(([answers]) => answers);
    assert.equal(all.length, 40);
    assert.deepEqual([...new Set(all.map(({ status }) => status))], [200]);
    assert.equal(new Set(all.map(({ token }) => token)).size, 1);
  });
}
