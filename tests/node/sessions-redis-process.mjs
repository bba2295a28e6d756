// One of several processes that renew with the same refresh token, all at once.

import { createGate, redisStore } from '../../pkg/wasm/node.js';
import { CLIENTS } from './redis-server.mjs';

process.once('message', async ({ port, kind, policy, secrets, refreshToken, times }) => {
  const { client, close } = await CLIENTS[kind](port);
  const store = redisStore(client, { prefix: `${kind}:` });
  const gate = createGate(policy, { secrets, stores: { sessions: store, revocation: store, keys: store, counters: store } });
  await gate.ready();
  process.send('ready');
  process.once('message', async () => {
    const asked = { method: 'POST', url: '/auth/refresh', headers: {}, body: JSON.stringify({ refreshToken }) };
    const answers = await Promise.all(Array.from({ length: times }, () => gate.handle(asked)));
    process.send(answers.map(({ status, body }) => ({ status, token: JSON.parse(body).refreshToken })));
    await close();
    process.disconnect();
  });
});
