// `edgegate/express` in Express 5 and 4, and without either.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import express5 from 'express';
import express4 from 'express4';

import { guard } from '../../../pkg/wasm/express.js';
import {
  EARLIER_HEADERS, POLICY, answersAlone, behaves, decidesByRewritten, newGate, refusesMisuse, rewrite, rewritingGate, statusOf, statusesOf, token,
} from './behaviour.mjs';

const listen = async (handler) => {
  const server = http.createServer(handler);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
};

const optionsOf = ({ clientIp, origin }) => ({ origin, clientIp: clientIp && ((request) => request.headers[clientIp]) });
const digest = (body) => createHash('sha256').update(body).digest('hex');

function routes(express) {
  const router = express.Router();
  router.get('/v1/whoami', (request, response) => response.json(request.auth));
  router.get('/public/whoami', (request, response) => response.json(request.auth));
  router.get('/v1/admin/secret', (_, response) => response.send('secret'));
  router.post('/v1/echo', express.raw({ type: '*/*', limit: '1mb' }), (request, response) => response.send(digest(request.body)));
  return router;
}

/** Errors are answered, and not printed. */
const quiet = (error, request, response, next) => (response.headersSent ? next(error) : response.sendStatus(500));

for (const [name, express] of [['Express 5', express5], ['Express 4', express4]]) {
  describe(name, () => {
    behaves(({ gate, ...rest }) => {
      const app = express();
      app.use(guard(gate, optionsOf(rest)), routes(express), quiet);
      return listen(app);
    });
  });

  describe(`${name}, in a router that is mounted`, () => {
    behaves(({ gate, ...rest }) => {
      const app = express();
      // Here `url` begins after the place of the mount. The policy does not mean that.
      app.use('/v1', guard(gate, optionsOf(rest)));
      app.use('/public', guard(gate, optionsOf(rest)));
      app.use(routes(express), quiet);
      // Paths outside the guarded places are refused by this application, as the behaviour expects.
      const beside = guard(gate, optionsOf(rest));
      return listen((request, response) => (/^\/(?:v1|public)(?:\/|$)/i.test(request.url) ? app(request, response) : beside(request, response, () => app(request, response))));
    });
  });

  test(`${name}: what is decided at once is not waited for, and a check that took the place of the gate's own is asked`, async () => {
    const gate = newGate();
    const edgegate = guard(gate);
    const asked = () => ({ method: 'GET', url: '/public/whoami', rawHeaders: [], headers: {} });
    const response = () => Object.assign(Object.create(express.response), { setHeader() {}, end() {}, writeHead() {} });
    let went = 0;
    await gate.ready();
    const left = edgegate(asked(), response(), () => { went += 1; });
    assert.equal(went, 1);
    await left;
    gate.check = async () => ({ ok: false, status: 403, headers: {}, body: '' });
    const refused = response();
    await edgegate(asked(), refused, () => { went += 1; });
    assert.deepEqual([went, refused.statusCode], [1, 403]);
  });

  test(`${name}: headers that others have set stay, on refusals too`, async () => {
    const app = express();
    app.use((_, response, next) => {
      response.setHeader('Access-Control-Allow-Origin', '*');
      next();
    }, guard(newGate()));
    const { port, stop } = await listen(app);
    try {
      const response = await fetch(`http://127.0.0.1:${port}/v1/whoami`);
      assert.deepEqual([response.status, response.headers.get('access-control-allow-origin'), response.headers.get('etag')], [401, '*', null]);
    } finally {
      await stop();
    }
  });
}

for (const [name, express] of [['Express 5', express5], ['Express 4', express4]]) {
  test(`${name}: what it takes for another path than the policy would is refused`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'edgegate-'));
    await writeFile(join(folder, 'secret.txt'), 'secret');
    const app = express();
    const gate = newGate({ routes: [{ path: '/', auth: 'none' }] });
    app.use(guard(gate), (request, response, next) => (request.url === '/' ? response.end('home') : next()), express.static(folder), quiet);
    const { port, stop } = await listen(app);
    try {
      const answers = [];
      for (const target of ['/', 'http://app.test', 'http://app.test:80/', 'http://[::1]/', '/secret.txt', 'http://x/secret.txt']) {
        answers.push([target, await statusOf(port, target)]);
      }
      assert.deepEqual(answers, [['/', 200], ['http://app.test', 404], ['http://app.test:80/', 404], ['http://[::1]/', 404], ['/secret.txt', 401], ['http://x/secret.txt', 401]]);
      // Express takes characters that no host can have for the path. The path would be `/` for the policy, and the file for
      // `express.static`.
      for (const target of ['http://x%73ecret.txt', 'http://x;/secret.txt', 'http://x:y/', 'http://u@x/', 'http:///', 'http://x?/', 'foo://x/', '*', '*secret.txt']) {
        assert.equal(await statusOf(port, target), 400, target);
      }
    } finally {
      await stop();
      await rm(folder, { recursive: true });
    }
  });
}

/** Rewrites the URL, as applications do. */
const rewriting = (request, _, next) => {
  request.url = rewrite(request.url);
  next();
};

/** The same as the package `method-override`. */
const overriding = (request, _, next) => {
  request.method = request.headers['x-http-method-override'] ?? request.method;
  next();
};

const rewrittenRoutes = (express) => {
  const router = express.Router({ strict: true });
  for (const place of ['/admin/x', '/public/x']) router.get(place, (_, response) => response.send('x'));
  router.delete('/public/x', (_, response) => response.send('deleted'));
  return router;
};

for (const [name, express] of [['Express 5', express5], ['Express 4', express4]]) {
  describe(`${name}, where the URL is rewritten`, () => {
    test('before the guard, the rewritten one is decided on', () => decidesByRewritten(({ gate, origin }) => {
      const app = express();
      app.use(rewriting, guard(gate, { origin }), rewrittenRoutes(express), quiet);
      return listen(app);
    }));

    test('before the guard in a router that is mounted', () => decidesByRewritten(({ gate, origin }) => {
      const router = express.Router();
      router.use(rewriting, guard(gate, { origin }), rewrittenRoutes(express));
      return listen(express().use('/svc', router).use(quiet));
    }, '/svc'));

    test('before the router in which the guard is', () => decidesByRewritten(({ gate, origin }) => {
      const router = express.Router();
      router.use(guard(gate, { origin }), rewrittenRoutes(express));
      const app = express();
      app.use(rewriting, router, quiet);
      return listen(app);
    }));

    for (const [how, after] of [
      ['at once', rewriting],
      ['later', (request, response, next) => void setImmediate(() => rewriting(request, response, next))],
    ]) {
      test(`after the guard ${how}, no route is entered`, async () => {
        const app = express();
        app.use(guard(rewritingGate()), after, rewrittenRoutes(express), quiet);
        const { port, stop } = await listen(app);
        try {
          for (const path of ['/public/legacy/admin/x', '/api/public/x']) {
            const statuses = await statusesOf(port, path);
            assert.ok(statuses.every((status) => status >= 400), `${path}: ${statuses}`);
            assert.equal(statuses[2], 500);
          }
          assert.deepEqual(await statusesOf(port, '/admin/x'), [401, 403, 200]);
          assert.deepEqual(await statusesOf(port, '/public/x?y=1'), [200, 200, 200]);
        } finally {
          await stop();
        }
      });
    }

    test('a second guard decides on what a first one has not seen', async () => {
      const app = express();
      app.use(guard(rewritingGate()), rewriting, guard(rewritingGate()), rewrittenRoutes(express), quiet);
      const { port, stop } = await listen(app);
      try {
        assert.deepEqual(await statusesOf(port, '/public/legacy/admin/x'), [401, 403, 200]);
      } finally {
        await stop();
      }
    });
  });

  test(`${name}: the method that is decided on is the one that is routed by`, async () => {
    const gate = newGate({ limits: [], routes: [{ path: '/public/*', methods: ['GET'], auth: 'none' }] });
    const override = [['X-HTTP-Method-Override', 'DELETE']];
    for (const [order, expected] of [[[overriding, guard(gate)], [401, 200, 200]], [[guard(gate), overriding], [500, 500, 500]]]) {
      const app = express();
      app.use(...order, rewrittenRoutes(express), quiet);
      const { port, stop } = await listen(app);
      try {
        assert.deepEqual(await statusesOf(port, '/public/x', override), expected);
        assert.deepEqual(await statusesOf(port, '/public/x'), [200, 200, 200]);
      } finally {
        await stop();
      }
    }
  });

  test(`${name}: routers within routers find the routes that were decided on`, async () => {
    const app = express();
    const inner = express.Router();
    inner.get('/', (_, response) => response.send('place'));
    inner.get('/x', (request, response) => response.send(request.route.path));
    inner.get('/y', (_, __, next) => next('route'));
    inner.get('/y', (_, response) => response.send('second'));
    const outer = express.Router();
    outer.use('/inner', inner);
    app.use(guard(rewritingGate()));
    app.use('/public', outer, (_, response) => response.status(404).send('none'));
    const { port, stop } = await listen(app);
    try {
      for (const target of ['/public/inner', '/public/inner/', '/public/inner?y=/', '/public/inner/x', '/public/inner/y', 'http://app.test/public/inner/x']) {
        assert.equal(await statusOf(port, target), 200, target);
      }
      assert.equal(await statusOf(port, '/public/inner/z'), 404);
    } finally {
      await stop();
    }
  });
}

test('a gate that is asked with the request of a mounted router knows the whole path', async () => {
  for (const express of [express5, express4]) {
    const gate = rewritingGate();
    const app = express();
    app.use('/admin', (request, response, next) => {
      gate.check(request).then(({ ok, status }) => response.status(ok ? 200 : status).end(), next);
    });
    const { port, stop } = await listen(app);
    try {
      assert.deepEqual(await statusesOf(port, '/admin/public/x'), [401, 403, 200]);
    } finally {
      await stop();
    }
  }
});

test('where nobody says what has changed the URL, nobody gets through', async () => {
  // Connect and Polka mount like this: they keep the whole URL in `originalUrl`, and have no `baseUrl`.
  const middleware = guard(rewritingGate());
  const { port, stop } = await listen((request, response) => {
    request.originalUrl = request.url;
    request.url = request.url.replace(/^\/mounted(?=\/)/, '');
    return middleware(request, response, (error) => {
      response.statusCode = error ? 500 : 200;
      response.end(error && error.message);
    });
  });
  try {
    assert.deepEqual(await statusesOf(port, '/mounted/public/x'), [500, 500, 500]);
    assert.deepEqual(await statusesOf(port, '/public/x'), [200, 200, 200]);
    assert.deepEqual(await statusesOf(port, '/admin/x'), [401, 403, 200]);
  } finally {
    await stop();
  }
});

describe('Node without a framework', () => {
  const handlers = {
    'GET /v1/whoami': (request, response) => response.end(JSON.stringify(request.auth)),
    'GET /public/whoami': (request, response) => response.end(JSON.stringify(request.auth)),
    'GET /v1/admin/secret': (_, response) => response.end('secret'),
    'POST /v1/echo': async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      response.end(digest(Buffer.concat(chunks)));
    },
  };
  behaves(({ gate, ...rest }) => {
    const middleware = guard(gate, optionsOf(rest));
    return listen((request, response) => middleware(request, response, (error) => {
      if (error) {
        response.statusCode = 500;
        return response.end();
      }
      const { pathname } = new URL(request.url, 'http://app.test');
      const handler = handlers[`${request.method} ${pathname.toLowerCase()}`];
      response.statusCode = handler ? 200 : 404;
      return handler ? handler(request, response) : response.end();
    }));
  });
});

describe('a gate that is asked with Node\'s own request', () => {
  // The example in the documentation of `check`, without the adapter: it can know only a path.
  behaves(({ gate, clientIp, origin }) => {
    if (clientIp !== undefined || origin !== undefined || typeof gate.verifySync === 'function') return listen(express5().use(guard(gate, optionsOf({ clientIp, origin })), routes(express5), quiet));
    const app = express5().use(routes(express5));
    return listen((request, response) => Promise.resolve().then(() => gate.check(request)).then((decision) => {
      for (const [name, value] of Object.entries({ ...decision.headers, ...decision.caching })) response.setHeader(name, value);
      if (!decision.ok) {
        response.statusCode = decision.status;
        return response.end(decision.body);
      }
      request.auth = decision.identity;
      return app(request, response);
    }).catch(() => {
      response.statusCode = 500;
      response.end();
    }));
  });
});

test('caches are told unless the handler decided, however it answers', async () => {
  const app = express5();
  app.use(guard(newGate({ routes: [{ path: '/both/*', auth: 'optional' }], issuers: POLICY.issuers })));
  app.get('/both/own', (_, response) => response.set({
    'Cache-Control': 'max-age=5', Vary: 'Accept', 'CDN-Cache-Control': 'max-age=5',
  }).send('x'));
  app.get('/both/piped', (_, response) => {
    response.write('a');
    response.end('b');
  });
  app.get('/both/low', (_, response) => response.writeHead(201, { 'Cache-Control': 'public', vary: 'Accept' }).end('x'));
  app.get('/both/list', (_, response) => response.writeHead(201, 'Made', ['Cache-Control', 'public']).end('x'));
  const cookies = ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'];
  app.get('/both/flat', (_, response) => response.writeHead(201, ['Cache-Control', 'max-age=5', ...cookies, 'X-Accel-Expires', '5']).end('x'));
  app.get('/both/pairs', (_, response) => response.writeHead(201, [['Cache-Control', 'max-age=5'], ['Set-Cookie', ['a=1', 'b=2']]]).end('x'));
  app.get('/both/file', (_, response) => response.sendFile(fileURLToPath(import.meta.url)));
  const { port, stop } = await listen(app);
  try {
    const seen = {};
    for (const name of ['own', 'piped', 'low', 'list', 'flat', 'pairs', 'file', 'none']) {
      const { headers } = await fetch(`http://127.0.0.1:${port}/both/${name}`, { headers: { authorization: `Bearer ${token()}` } });
      seen[name] = [headers.get('cache-control'), headers.get('vary')];
      assert.deepEqual([headers.get('cdn-cache-control'), headers.get('x-accel-expires')], [null, null], name);
      assert.deepEqual(headers.getSetCookie(), ['flat', 'pairs'].includes(name) ? ['a=1', 'b=2'] : [], name);
    }
    const added = 'Authorization, X-API-Key';
    assert.deepEqual(seen, {
      own: ['private, max-age=5', `Accept, ${added}`], flat: ['private, max-age=5', added], pairs: ['private, max-age=5', added], piped: ['private', added], low: ['public', `Accept, ${added}`], list: ['public', added],
      file: ['public, max-age=0', added], none: ['private', added],
    });
  } finally {
    await stop();
  }
});

test('an answer of the gate\'s own has none of the headers of before, but where several speak', () => answersAlone((gate) => {
  const earlier = (_, response, next) => {
    response.set(EARLIER_HEADERS);
    next();
  };
  return listen(express5().use(earlier, guard(gate, { caseSensitive: true })));
}));

test('misuse is refused when the guard is made', () => refusesMisuse(guard));

test('a policy that tells cases apart needs routers that do', () => {
  const gate = newGate({ path_case: 'sensitive' });
  assert.throws(() => guard(gate), {
    name: 'TypeError',
    message: 'edgegate: path_case: the policy tells /a from /A: say path_case: "insensitive" in it, or caseSensitive: true here if every router of the application is',
  });
  assert.throws(() => guard(newGate({ path_case: undefined })), TypeError);
  for (const harmless of [() => guard(gate, { caseSensitive: true }), () => guard(newGate()), () => guard(newGate({ path_case: undefined, routes: [], limits: [] }))]) {
    assert.equal(typeof harmless(), 'function');
  }
});
