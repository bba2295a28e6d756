// `edgegate/hono` in Hono on Node and in workerd.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

import { guard } from '../../../pkg/wasm/hono.js';
import { GATE_SOURCE, behaves, newGate, refusesMisuse } from './behaviour.mjs';
import { startWorker } from './workerd.mjs';

const digest = (body) => createHash('sha256').update(body).digest('hex');

function routes(app) {
  app.get('/v1/whoami', (c) => c.json(c.get('auth')));
  app.get('/public/whoami', (c) => c.json(c.get('auth')));
  app.get('/v1/admin/secret', (c) => c.text('secret'));
  app.post('/v1/echo', async (c) => c.text(digest(Buffer.from(await c.req.arrayBuffer()))));
  return app;
}

const listen = async (app) => {
  const server = await new Promise((resolve) => {
    const made = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(made));
  });
  return {
    port: server.address().port,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
};

const guardOf = ({ gate, clientIp, origin }) => guard(gate, { origin, clientIp: clientIp && ((c) => c.req.header(clientIp)) });
const quiet = (_, c) => c.body(null, 500);

describe('Hono on Node', () => {
  behaves((given) => listen(routes(new Hono({ strict: false }).use(guardOf(given)).onError(quiet))), { normalises: true });
});

describe('Hono on Node, an application within another', () => {
  behaves((given) => {
    const inner = routes(new Hono({ strict: false }).use(guardOf(given)).onError(quiet));
    return listen(new Hono({ strict: false }).route('/', inner).onError(quiet));
  }, { normalises: true });
});

describe('Hono in workerd', () => {
  behaves(() => startWorker(`
    import { Hono } from 'hono';
    import { createGate } from 'edgegate/gate';
    import { guard } from 'edgegate/hono';
    const app = new Hono({ strict: false });
    app.use(guard(${GATE_SOURCE}));
    app.get('/v1/whoami', (c) => c.json(c.get('auth')));
    app.get('/public/whoami', (c) => c.json(c.get('auth')));
    app.get('/v1/admin/secret', (c) => c.text('secret'));
    app.post('/v1/echo', async (c) => {
      const hash = await crypto.subtle.digest('SHA-256', await c.req.arrayBuffer());
      return c.text([...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
    });
    export default app;
  `), { own: true, normalises: true });
});

test('limits are told on answers of every kind, and headers that others have set stay on refusals', async () => {
  const app = new Hono().onError(quiet);
  app.use(async (c, next) => {
    // As Hono's own `cors` does it.
    c.res.headers.set('access-control-allow-origin', '*');
    await next();
  });
  app.use(guard(newGate({ routes: [{ path: '/open/*', auth: 'none', limits: ['three'] }] }), { clientIp: () => '192.0.2.1' }));
  app.get('/open/raw', () => new Response('raw'));
  app.get('/open/redirect', () => Response.redirect('http://app.test/open/raw'));
  app.get('/open/thrown', () => {
    throw new Error('boom');
  });
  for (const [path, status] of [['/open/raw', 200], ['/open/redirect', 302], ['/open/thrown', 500], ['/open/raw', 429], ['/closed', 401]]) {
    const response = await app.request(path);
    assert.deepEqual([response.status, response.headers.has('ratelimit-policy')], [status, status !== 401], path);
    assert.equal(response.headers.get('access-control-allow-origin'), '*', path);
  }
});

test('misuse is refused when the guard is made', () => refusesMisuse(guard));
