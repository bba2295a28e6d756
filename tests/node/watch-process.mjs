// One of several gates that watch together. It counts as many requests as it is told, and is killed at the moment that the test has chosen.

import { createGate, memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { CLIENTS } from './redis-server.mjs';

process.once('message', async ({ port, policy, secrets, times, dieAt, step, now }) => {
  const { client } = await CLIENTS.redis(port);
  const { watch } = redisStore(client);
  const hung = new Promise(() => {});
  /** Stops in this step of the store, before it is done or after; the test kills the process there. */
  const stopping = (name) => async (...given) => {
    if (name === step && dieAt === 'before') return process.send('there') && hung;
    const answer = await watch[name](...given);
    return name === step && dieAt === 'after' ? process.send('there') && hung : answer;
  };
  const names = ['push', 'lease', 'release', 'rows', 'peek', 'commit'];
  const store = { watch: Object.fromEntries(names.map((name) => [name, stopping(name)])) };
  const gate = createGate(policy, { secrets, now: () => now, stores: { revocation: memoryStore(), keys: memoryStore(), counters: memoryStore(), watch: store } });
  for (let count = 0; count < times; count += 1) await gate.check({ method: 'GET', url: '/v1/posts', headers: {} });
  await gate.close();
  process.send('over');
});
