// A gate that counts and is then left alone. Its process has to end by itself.

import { createGate, memoryStore } from '../../pkg/wasm/node.js';

process.once('message', async ({ policy, secrets }) => {
  const gate = createGate(policy, { secrets, stores: { revocation: memoryStore(), keys: memoryStore(), counters: memoryStore() } });
  await gate.ready();
  await gate.check({ method: 'GET', url: '/v1/posts', headers: {} });
  process.disconnect();
});
