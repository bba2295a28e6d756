// Fastify: bare, with @fastify/jwt and @fastify/rate-limit, and with the gate.

import fastifyJwt from '@fastify/jwt';
import rateLimit from '@fastify/rate-limit';
import Fastify from 'fastify';

import { guard } from '../../pkg/wasm/fastify.js';
import { createGate } from '../../pkg/wasm/node.js';
import { nodePolicy } from './node-policy.mjs';
import { hasScope } from './scopes.mjs';

const WINDOW_MILLIS = 60_000;

async function listening(app) {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return app.server.address().port;
}

export async function bare() {
  const app = Fastify();
  app.get('/v1/posts', () => ({ subject: 'anybody-of-500' }));
  return listening(app);
}

export async function peers({ secret, issuer, audience, limit }) {
  const app = Fastify();
  await app.register(fastifyJwt, { secret, verify: { allowedIss: issuer, allowedAud: audience, algorithms: ['HS256'] } });
  await app.register(rateLimit, { max: limit, timeWindow: WINDOW_MILLIS, hook: 'preHandler', keyGenerator: ({ user }) => user.sub });
  app.addHook('onRequest', async (request, reply) => {
    try {
      await request.jwtVerify();
    } catch {
      // It answers some faults with 500.
      return reply.code(401).send({ error: 'another token is needed' });
    }
    if (!hasScope(request.user.scope, 'read:posts')) return reply.code(403).send({ error: 'another scope is needed' });
    reply.header('cache-control', 'private');
    return undefined;
  });
  app.get('/v1/posts', ({ user }) => ({ subject: user.sub }));
  return listening(app);
}

export async function edgegate({ secret, ...rest }) {
  const app = Fastify();
  await app.register(guard(createGate(nodePolicy(rest), { secrets: { JWT_SECRET: secret } })));
  app.get('/v1/posts', ({ auth }) => ({ subject: auth.subject }));
  return listening(app);
}
