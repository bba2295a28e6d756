// `edgegate/koa` in Koa with its router.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import Router from '@koa/router';
import Koa from 'koa';
import mount from 'koa-mount';

import { guard } from '../../../pkg/wasm/koa.js';
import { EARLIER_HEADERS, POLICY, answersAlone, behaves, decidesByRewritten, newGate, refusesMisuse, rewrite, token } from './behaviour.mjs';

const digest = async (stream) => {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
};

function routes() {
  const router = new Router();
  router.get('/v1/whoami', (context) => { context.body = context.state.auth; });
  router.get('/public/whoami', (context) => { context.body = context.state.auth; });
  router.get('/v1/admin/secret', (context) => { context.body = 'secret'; });
  router.post('/v1/echo', async (context) => { context.body = await digest(context.req); });
  return router.routes();
}

const guardOf = ({ gate, clientIp, origin }) => guard(gate, { origin, clientIp: clientIp && ((context) => context.get(clientIp)) });

function application(...all) {
  const app = new Koa();
  app.silent = true;
  all.forEach((one) => app.use(one));
  return app;
}

const listen = async (app) => {
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  return {
    port: server.address().port,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
};

describe('Koa', () => {
  behaves((given) => listen(application(guardOf(given), routes())));
});

describe('Koa, with the routes in an application that is mounted', () => {
  behaves((given) => {
    const inner = new Router();
    inner.get('/whoami', (context) => { context.body = context.state.auth; });
    inner.get('/admin/secret', (context) => { context.body = 'secret'; });
    inner.post('/echo', async (context) => { context.body = await digest(context.req); });
    const whoami = new Router().get('/', (context) => { context.body = context.state.auth; });
    const open = application(mount('/whoami', application(whoami.routes())));
    return listen(application(guardOf(given), mount('/public', open), mount('/v1', application(inner.routes())), routes()));
  });
});

test('where the URL is rewritten before the guard, the rewritten one is decided on', () => decidesByRewritten(({ gate, origin }) => {
  const rewriting = (context, next) => {
    context.url = rewrite(context.url);
    return next();
  };
  const router = new Router({ strict: true, sensitive: true });
  for (const place of ['/admin/x', '/public/x']) router.get(place, (context) => { context.body = 'x'; });
  return listen(application(rewriting, guard(gate, { origin, caseSensitive: true }), router.routes()));
}));

test('what rewrites the URL or the method behind the guard is an error', async () => {
  const secret = new Router().get('/v1/admin/secret', (context) => { context.body = 'secret'; }).delete('/public/x', (context) => { context.body = 'deleted'; });
  for (const change of [
    (context) => { context.url = '/v1/admin/secret'; },
    (context) => { context.path = '/v1/admin/secret'; },
    (context) => { context.req.url = '/v1/admin/secret?x'; },
    (context) => { context.method = 'DELETE'; },
    (context) => { context.newRouterPath = '/v1/admin/secret'; },
    (context) => { context.mountPath = '/public'; context.path = '/v1/admin/secret'; },
    (context) => { context.path = `/v1/admin/secret${context.path}`; },
  ]) {
    const changing = (context, next) => {
      change(context);
      return next();
    };
    const { port, stop } = await listen(application(guard(newGate()), changing, secret.routes()));
    try {
      assert.equal((await fetch(`http://127.0.0.1:${port}/public/x`)).status, 500, change.toString());
    } finally {
      await stop();
    }
  }
});

test('what has told @koa/router another path before the guard is an error too', async () => {
  const rerouting = (context, next) => {
    context.newRouterPath = '/v1/admin/secret';
    return next();
  };
  const { port, stop } = await listen(application(rerouting, guard(newGate()), routes()));
  try {
    assert.equal((await fetch(`http://127.0.0.1:${port}/public/x`)).status, 500);
    assert.equal((await fetch(`http://127.0.0.1:${port}/v1/x`)).status, 401);
  } finally {
    await stop();
  }
});

test('within a mount the guard decides by what is left, and the mount can put back what it took', async () => {
  const gate = newGate({ routes: [{ path: '/open', auth: 'none' }] });
  const inner = application(guard(gate), new Router().get('/open', (context) => { context.body = 'inner'; }).routes());
  const outside = (context) => { context.body = context.path; };
  for (const app of [application(mount('/a', inner), outside), application(mount('/a', application(mount('/b', inner))), outside)]) {
    const { port, stop } = await listen(app);
    try {
      const prefix = app.middleware.length > 0 && await fetch(`http://127.0.0.1:${port}/a/b/open`).then((answer) => answer.text()) === 'inner' ? '/a/b' : '/a';
      const ask = async (path, headers = {}) => {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
        return [answer.status, answer.status === 200 ? await answer.text() : ''];
      };
      assert.deepEqual(await ask(`${prefix}/open`), [200, 'inner']);
      assert.deepEqual(await ask(`${prefix}/x`), [401, '']);
      // It goes on outside, by the whole path.
      assert.deepEqual(await ask(`${prefix}/x`, { authorization: `Bearer ${token()}` }), [200, `${prefix}/x`]);
      assert.deepEqual(await ask(prefix, { authorization: `Bearer ${token()}` }), [200, prefix]);
    } finally {
      await stop();
    }
  }
});

test('caches are told unless the handler decided, also where it answers by itself', async () => {
  for (const [handle, expected] of [
    [(context) => { context.body = 'x'; }, 'private'],
    [(context) => { context.body = 'x'; context.set('Cache-Control', 'max-age=5'); }, 'private, max-age=5'],
    [(context) => { context.body = 'x'; context.set('Cache-Control', 'public'); }, 'public'],
    [(context) => { context.respond = false; context.res.writeHead(200, { 'Cache-Control': 'max-age=5' }).end('x'); }, 'private, max-age=5'],
  ]) {
    const { port, stop } = await listen(application(guard(newGate()), handle));
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/whoami`, { headers: { authorization: `Bearer ${token()}` } });
      assert.deepEqual([answer.status, answer.headers.get('cache-control')], [200, expected]);
    } finally {
      await stop();
    }
  }
});

test('an answer of the gate\'s own has none of the headers of before, but where several speak', () => answersAlone((gate) => {
  const earlier = (context, next) => {
    context.set(EARLIER_HEADERS);
    return next();
  };
  return listen(application(earlier, guard(gate, { caseSensitive: true })));
}));

test('misuse is refused when the guard is made', () => {
  refusesMisuse(guard);
  const sensitive = newGate({ path_case: 'sensitive' });
  assert.throws(() => guard(sensitive), { name: 'TypeError', message: /^edgegate: path_case: / });
  guard(sensitive, { caseSensitive: true });
  assert.ok(POLICY.routes.length > 0);
});
