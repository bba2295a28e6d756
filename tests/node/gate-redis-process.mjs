// One of several processes that count together. It sends as many requests as it is told, all at once, and prints how many were admitted.

import { createGate, memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { CLIENTS } from './redis-server.mjs';

process.once('message', async ({ port, kind, policy, secrets, authorization, times }) => {
  const { client, close } = await CLIENTS[kind](port);
  const stores = { revocation: memoryStore(), keys: memoryStore(), counters: redisStore(client) };
  const gate = createGate(policy, { secrets, stores });
  process.send('ready');
  process.once('message', async () => {
    const ask = () => gate.check({ method: 'GET', url: '/v1/limited', headers: { authorization } });
    const decisions = await Promise.all(Array.from({ length: times }, ask));
    process.send({ admitted: decisions.filter(({ ok }) => ok).length, codes: [...new Set(decisions.map(({ code }) => code))] });
    await close();
    process.disconnect();
  });
});
