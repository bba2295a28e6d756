// `edgegate/hono` in Hono on Node and in workerd.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

import { guard } from '../../../pkg/wasm/hono.js';
import { GATE_SOURCE, behaves, decidesByRewritten, newGate, refusesMisuse, rewrite, rewritingGate, token } from './behaviour.mjs';
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

describe('Hono, where the path is another than that of the URL', () => {
  const rewritten = (app) => {
    for (const place of ['/admin/x', '/public/x']) app.get(place, (c) => c.text('x'));
    return app.onError(quiet);
  };
  const getPath = (request) => rewrite(decodeURI(new URL(request.url).pathname));

  test('with getPath, what it gives is decided on', () => decidesByRewritten(
    ({ gate, origin }) => listen(rewritten(new Hono({ getPath }).use(guard(gate, { origin })))),
  ));

  test('also with basePath', () => decidesByRewritten(({ gate, origin }) => {
    const prefixed = (request) => getPath(request).replace(/^\/svc(.*)/, (_, rest) => `/svc${rewrite(rest)}`);
    return listen(rewritten(new Hono({ getPath: prefixed }).basePath('/svc').use(guard(gate, { origin }))));
  }, '/svc'));

  test('in an application that is mounted, the paths are those that it routes by', async () => {
    const inner = rewritten(new Hono().use(guard(rewritingGate())));
    const app = new Hono();
    app.mount('/public', inner.fetch);
    const statuses = [];
    for (const path of ['/public/admin/x', '/public/public/x', '/public/%61dmin/x']) statuses.push((await app.request(path)).status);
    assert.deepEqual(statuses, [401, 200, 401]);
  });

  test('what getPath makes of a request cannot be read as another path', async () => {
    for (const [path, status] of [['/public?/x', 401], ['/public#/x', 401], ['public/x', 400], ['', 400], ['/public/a b', 200], ['/public/\\x', 400]]) {
      const app = new Hono({ getPath: () => path }).use(guard(rewritingGate())).all('*', (c) => c.text('x')).onError(quiet);
      assert.equal((await app.request('/public/x')).status, status, path);
    }
  });

  test('a path with an encoding that is none is refused, though Hono mends it', async () => {
    const app = rewritten(new Hono().use(guard(rewritingGate())));
    app.get('/public/*', (c) => c.text(c.req.path));
    for (const path of ['/public/%zz', '/public/%', '/public/%ff', '/public/%61%']) assert.equal((await app.request(path)).status, 400, path);
    for (const path of ['/public/%C3%A9', '/public/100%25', '/public/a%20b', '/public/a%3Fb']) assert.equal((await app.request(path)).status, 200, path);
  });
});

test('limits are told on answers of every kind, and headers that others have set stay on refusals', async () => {
  const app = new Hono().onError(quiet);
  app.use(async (c, next) => {
    // The same as Hono's own `cors`.
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

test('without an origin the gate is told the whole URL in Workers only', async () => {
  const { port, stop } = await startWorker(`
    import { Hono } from 'hono';
    import { guard } from 'edgegate/hono';
    const gate = { check: async ({ url }) => ({ ok: true, identity: { url }, headers: {} }) };
    export default new Hono().use(guard(gate)).get('/a', (c) => c.text(c.get('auth').url));
  `);
  try {
    const url = `http://127.0.0.1:${port}/a?b`;
    assert.equal(await (await fetch(url)).text(), url);
  } finally {
    await stop();
  }
  // Like on Deno and Bun, there is no socket of Node.
  const gate = { check: async ({ url }) => ({ ok: true, identity: { url }, headers: {} }) };
  const app = new Hono().use(guard(gate)).get('/a', (c) => c.text(c.get('auth').url));
  assert.equal(await (await app.request('http://evil.test/a?b')).text(), '/a?b');
});

test('caches are told unless the handler decided', async () => {
  const app = new Hono().use(guard(newGate({ routes: [{ path: '/*', auth: 'optional' }] })));
  const own = { 'Cache-Control': 'max-age=5', 'CDN-Cache-Control': 'max-age=5', Vary: 'Accept' };
  app.get('/own', (c) => c.text('x', 200, own));
  app.get('/raw', () => new Response('x', { headers: own }));
  app.get('/public', (c) => c.text('x', 200, { 'Cache-Control': 'public' }));
  const vary = 'Accept, Authorization, X-API-Key';
  for (const [path, control, varies] of [
    ['/own', 'private, max-age=5', vary], ['/raw', 'private, max-age=5', vary], ['/public', 'public', 'Authorization, X-API-Key'],
  ]) {
    const { headers } = await app.request(path, { headers: { authorization: `Bearer ${token()}` } });
    assert.deepEqual(['cache-control', 'vary', 'cdn-cache-control'].map((name) => headers.get(name)), [control, varies, null], path);
  }
});

test('misuse is refused when the guard is made', () => refusesMisuse(guard));
