// `edgegate/fastify` in Fastify 5.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import express from 'express';
import Fastify from 'fastify';

import { guard } from '../../../pkg/wasm/fastify.js';
import { behaves, decidesByRewritten, newGate, refusesMisuse, rewrite, statusOf, token } from './behaviour.mjs';

const digest = (body) => createHash('sha256').update(body).digest('hex');

async function routes(app) {
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  app.get('/v1/whoami', async (request) => request.auth);
  app.get('/public/whoami', async (request) => request.auth);
  app.get('/v1/admin/secret', async () => 'secret');
  app.post('/v1/echo', async (request) => digest(request.body));
}

const start = (serverOptions, arrange) => async ({ gate, clientIp, origin }) => {
  const app = Fastify({ forceCloseConnections: true, ...serverOptions });
  await arrange(app, guard(gate, { origin, clientIp: clientIp && ((request) => request.headers[clientIp]) }));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: app.server.address().port, stop: () => app.close() };
};

const insensitive = { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true } };

describe('Fastify', () => {
  behaves(start(insensitive, async (app, plugin) => {
    await app.register(plugin);
    await app.register(routes);
  }));
});

describe('Fastify, routes of the same instance, told before the plugin is loaded', () => {
  behaves(start(insensitive, async (app, plugin) => {
    app.register(plugin);
    await routes(app);
  }));
});

test('it guards the instance it is registered in, and no other', async () => {
  const app = Fastify();
  await app.register(async (inner) => {
    await inner.register(guard(newGate()));
    inner.get('/v1/inside', async () => 'inside');
  });
  app.get('/v1/outside', async () => 'outside');
  const statuses = await Promise.all(['/v1/inside', '/v1/outside'].map(async (url) => (await app.inject({ url })).statusCode));
  assert.deepEqual(statuses, [401, 200]);
  await app.close();
});

test('what it takes for another path than the policy would is refused', async () => {
  const app = Fastify({ forceCloseConnections: true });
  // Its router does not look at the first character of a target.
  await app.register(guard(newGate({ path_case: 'sensitive', routes: [{ path: '/admin' }, { path: '/*', auth: 'none' }] })));
  app.get('/', async () => 'home');
  app.get('/admin', async () => 'secret');
  await app.listen({ port: 0, host: '127.0.0.1' });
  try {
    const { port } = app.server.address();
    const statuses = [];
    for (const target of ['/', 'http://app.test/', '/admin', 'http://app.test/admin']) statuses.push(await statusOf(port, target));
    assert.deepEqual(statuses, [200, 200, 401, 401]);
    for (const target of ['*admin', '*', '*%61dmin', 'http://x;/admin', 'http://u@x/admin', 'http://x?/admin', 'foo://x/admin']) {
      assert.equal(await statusOf(port, target), 400, target);
    }
  } finally {
    await app.close();
  }
});

describe('Fastify with rewriteUrl', () => {
  const rewritten = async (app) => {
    for (const place of ['/admin/x', '/public/x']) app.get(place, async () => 'x');
  };

  test('the rewritten URL is decided on', () => decidesByRewritten(
    start({ rewriteUrl: (request) => rewrite(request.url) }, async (app, plugin) => {
      await app.register(plugin);
      await app.register(rewritten);
    }),
  ));

  test('also in an instance with a prefix', () => decidesByRewritten(
    start({ rewriteUrl: (request) => request.url.replace(/^\/svc(.*)/, (_, rest) => `/svc${rewrite(rest)}`) }, async (app, plugin) => {
      await app.register(async (inner) => {
        await inner.register(plugin);
        await inner.register(rewritten);
        // Only then a request without a route belongs to this instance.
        inner.setNotFoundHandler(async (_, reply) => reply.code(404).send());
      }, { prefix: '/svc' });
    }), '/svc',
  ));
});

test('what a middleware makes of the URL after it was routed by is not decided on', async () => {
  for (const rewriteUrl of [undefined, (request) => request.url]) {
    const app = Fastify({ ...(rewriteUrl && { rewriteUrl }) });
    app.register(guard(newGate({ limits: [], routes: [{ path: '/public/*', auth: 'none' }, { path: '/admin/*' }] })));
    // `@fastify/middie` runs middleware of Express like this. The request was routed by `originalUrl`.
    app.addHook('onRequest', async ({ raw }) => {
      raw.originalUrl ??= raw.url;
      raw.url = '/public/x';
    });
    app.get('/admin/x', async () => 'secret');
    assert.equal((await app.inject({ url: '/admin/x' })).statusCode, 401);
    await app.close();
  }
  const app = Fastify();
  app.addHook('onRequest', async ({ raw }) => {
    raw.originalUrl ??= raw.url;
    raw.url = '/public/x';
  });
  await app.register(async (inner) => {
    await inner.register(guard(newGate({ limits: [], routes: [{ path: '/public/*', auth: 'none' }, { path: '/admin/*' }] })));
    inner.get('/admin/x', async () => 'secret');
  });
  assert.equal((await app.inject({ url: '/admin/x' })).statusCode, 401);
  await app.close();
});

describe('Fastify within Express', () => {
  const start = async (place, serverOptions) => {
    const inner = Fastify(serverOptions);
    await inner.register(guard(newGate({ limits: [], routes: [{ path: '/public/*', auth: 'none' }, { path: '/admin/*' }] })));
    for (const path of ['/admin/x', '/public/x']) inner.get(path, async () => 'secret');
    await inner.ready();
    const app = express();
    app.use(place, (request, response) => inner.routing(request, response));
    const server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return {
      port: server.address().port,
      stop: () => new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
    };
  };

  for (const [what, serverOptions, lines] of [
    ['', {}, ''],
    [', whoever brings an id', { requestIdHeader: 'x-request-id' }, 'X-Request-ID: 1\r\n'],
  ]) {
    test(`serves nothing by another path than it would decide by${what}`, async () => {
      const { port, stop } = await start('/public', serverOptions);
      try {
        for (const path of ['/public/admin/x', '/public/public/x']) assert.equal(await statusOf(port, path, lines), 500, path);
      } finally {
        await stop();
      }
    });

    test(`decides as ever where the URL stays${what}`, async () => {
      const { port, stop } = await start('/', serverOptions);
      try {
        assert.deepEqual([await statusOf(port, '/admin/x', lines), await statusOf(port, '/public/x', lines)], [401, 200]);
      } finally {
        await stop();
      }
    });
  }
});

test('the ids of requests are those of the application', async () => {
  const ids = (raw) => `own-${raw.url}`;
  const idOf = async (app, headers = {}) => {
    await app.register(guard(newGate({ limits: [], routes: [{ path: '/*', auth: 'none' }] })));
    app.get('/a', async ({ id }) => id);
    return (await app.inject({ url: '/a', headers })).body;
  };
  assert.match(await idOf(Fastify()), /^req-/);
  assert.equal(await idOf(Fastify({ genReqId: ids })), 'own-/a');
  assert.equal(await idOf(Fastify().setGenReqId(ids)), 'own-/a');
  assert.equal(await idOf(Fastify({ requestIdHeader: 'x-request-id' }), { 'x-request-id': '7' }), '7');
});

test('headers that others have set stay, on refusals too', async () => {
  const app = Fastify();
  app.addHook('onRequest', async (_, reply) => {
    reply.header('access-control-allow-origin', '*');
  });
  await app.register(guard(newGate()));
  const { statusCode, headers } = await app.inject({ url: '/v1/whoami' });
  assert.deepEqual([statusCode, headers['access-control-allow-origin'], headers['content-type']], [401, '*', 'application/json']);
  await app.close();
});

test('caches are told unless the handler decided', async () => {
  const app = Fastify();
  await app.register(guard(newGate({ routes: [{ path: '/both/*', auth: 'optional' }] })));
  app.get('/both/own', async (_, reply) => reply.headers({
    'cache-control': 'max-age=5', vary: 'Accept', 'cdn-cache-control': 'max-age=5',
  }).send('x'));
  app.get('/both/plain', async () => 'x');
  const seen = await Promise.all(['/both/own', '/both/plain'].map(async (url) => {
    const { headers } = await app.inject({ url, headers: { authorization: `Bearer ${token()}` } });
    return [headers['cache-control'], headers.vary, headers['cdn-cache-control']];
  }));
  assert.deepEqual(seen, [
    ['private, max-age=5', 'Accept, Authorization, X-API-Key', undefined], ['private', 'Authorization, X-API-Key', undefined],
  ]);
  await app.close();
});

test('misuse is refused when the guard is made', () => refusesMisuse(guard));

test('a policy that tells cases apart is for a router that does', async () => {
  const gate = newGate({ path_case: 'sensitive' });
  const register = async (serverOptions, one) => {
    const app = Fastify(serverOptions);
    try {
      await app.register(guard(one));
    } finally {
      await app.close();
    }
  };
  await assert.rejects(register(insensitive, gate), {
    name: 'TypeError',
    message: 'edgegate: path_case: the policy tells /a from /A: say path_case: "insensitive" in it, or leave caseSensitive at true',
  });
  await register({}, gate);
  await register(insensitive, newGate());
});
