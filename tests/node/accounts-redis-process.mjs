// One of several processes that guess at the same password, all at once, each time by another address.

import { createGate, redisStore } from '../../pkg/wasm/node.js';
import { CLIENTS } from './redis-server.mjs';

process.once('message', async ({ port, prefix, policy, secrets, email, network, times }) => {
  const { client, close } = await CLIENTS.redis(port);
  const store = redisStore(client, { prefix });
  const gate = createGate(policy, { secrets, stores: { sessions: store, revocation: store, keys: store, counters: store, accounts: store } });
  await gate.ready();
  process.send('ready');
  process.once('message', async () => {
    const answers = await Promise.all(Array.from({ length: times }, (_, guess) => gate.handle({
      method: 'POST', url: '/auth/login', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email, password: `guess number ${guess}` }),
    }, { clientIp: `192.0.${network}.${guess + 1}` })));
    process.send(answers.map(({ status, body }) => `${status} ${JSON.parse(body).code}`));
    await close();
    process.disconnect();
  });
});
