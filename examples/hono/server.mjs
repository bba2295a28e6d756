import { serve } from '@hono/node-server';
import { createGate, memoryStore } from 'edgegate';
import { guard } from 'edgegate/hono';
import { Hono } from 'hono';

const keys = memoryStore(); // in production a store that stays: redisStore(client)
const gate = createGate({
  api_keys: { environment: 'test', prefixes: [{ prefix: 'sk' }], signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }] },
  routes: [{ path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] } }],
}, { secrets: process.env, stores: { keys }, log: (event) => console.error(JSON.stringify(event)) });

const app = new Hono();
app.use(guard(gate)); // before the routes
app.get('/v1/posts', (context) => context.json({ hello: context.get('auth').subject }));

// Who may make keys is yours to decide: here it is who can read the terminal.
const { key } = await gate.keys.mint({ name: 'laptop', owner: 'alice', scopes: ['read:posts'], expiresInSecs: 90 * 86_400 });
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`http://127.0.0.1:${port}`);
  console.log(`KEY=${key}`);
});
