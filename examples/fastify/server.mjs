import { createGate, memoryStore } from 'edgegate';
import { guard } from 'edgegate/fastify';
import Fastify from 'fastify';

const counters = memoryStore(); // several processes count together with redisStore(client)
const gate = createGate({
  limits: [{
    name: 'five-a-minute', by: 'ip', requests: 5, window_secs: 60, algorithm: 'sliding-window', store: 'shared',
  }],
  routes: [{ path: '/v1/time', methods: ['GET'], auth: 'none', limits: ['five-a-minute'] }],
}, { stores: { counters }, log: (event) => console.error(JSON.stringify(event)) });

const app = Fastify();
await app.register(guard(gate)); // before the routes
app.get('/v1/time', () => ({ time: new Date().toISOString() }));

console.log(await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }));
