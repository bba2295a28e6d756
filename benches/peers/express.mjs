// Express: bare, with express-jwt and express-rate-limit, and with the gate.

import { once } from 'node:events';
import express from 'express';
import { expressjwt } from 'express-jwt';
import { rateLimit } from 'express-rate-limit';

import { guard } from '../../pkg/wasm/express.js';
import { createGate } from '../../pkg/wasm/node.js';
import { nodePolicy } from './node-policy.mjs';
import { hasScope } from './scopes.mjs';

const WINDOW_MILLIS = 60_000;

async function listening(app) {
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

export async function bare() {
  const app = express();
  app.get('/v1/posts', (request, response) => response.json({ subject: 'anybody-of-500' }));
  return listening(app);
}

export async function peers({ secret, issuer, audience, limit }) {
  const app = express();
  app.use(expressjwt({ secret, issuer, audience, algorithms: ['HS256'] }));
  app.use(({ auth }, response, next) => {
    if (!hasScope(auth.scope, 'read:posts')) return response.status(403).json({ error: 'another scope is needed' });
    response.set('Cache-Control', 'private');
    return next();
  });
  app.use(rateLimit({ windowMs: WINDOW_MILLIS, limit, keyGenerator: ({ auth }) => auth.sub, standardHeaders: 'draft-8', legacyHeaders: false }));
  app.get('/v1/posts', ({ auth }, response) => response.json({ subject: auth.sub }));
  app.use((error, request, response, next) => (response.headersSent ? next(error) : response.status(error.status ?? 500).json({ error: error.name })));
  return listening(app);
}

export async function edgegate({ secret, ...rest }) {
  const app = express();
  // Express routes /V1/Posts to /v1/posts.
  app.use(guard(createGate(nodePolicy({ ...rest, pathCase: 'insensitive' }), { secrets: { JWT_SECRET: secret } })));
  app.get('/v1/posts', ({ auth }, response) => response.json({ subject: auth.subject }));
  return listening(app);
}
