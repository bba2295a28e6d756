// One of several processes whose gates have no key yet, all at once.

import { createGate, redisStore } from '../../pkg/wasm/node.js';
import { CLIENTS } from './redis-server.mjs';

process.once('message', async ({ port, kind, policy, secrets }) => {
  const { client, close } = await CLIENTS[kind](port);
  process.on('message', async ({ start, end }) => {
    if (end) {
      await close();
      process.disconnect();
      return;
    }
    // A gate that knows nothing, over a store where nothing is.
    const store = redisStore(client, { prefix: `${kind}:${start}:` });
    const gate = createGate(policy, { secrets, stores: { sessions: store, revocation: store, keys: store, counters: store } });
    const { accessToken } = await gate.sessions.open({ subject: `user-${process.pid}`, scopes: ['read:posts'] });
    const { body } = await gate.handle({ method: 'GET', url: '/.well-known/jwks.json', headers: {} });
    process.send({ accessToken, kids: JSON.parse(body).keys.map(({ kid }) => kid) });
  });
  process.send('ready');
});
