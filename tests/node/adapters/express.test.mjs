// `edgegate/express` in Express 5 and 4, and without either.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import express5 from 'express';
import express4 from 'express4';

import { guard } from '../../../pkg/wasm/express.js';
import { behaves, newGate, refusesMisuse, statusOf } from './behaviour.mjs';

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

/** Errors are answered without a trace on the test's output. */
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
      // `url` begins behind the place here, and that is not what the policy means.
      app.use('/v1', guard(gate, optionsOf(rest)));
      app.use('/public', guard(gate, optionsOf(rest)));
      app.use(routes(express), quiet);
      // What is beside the guarded places is refused by itself, as the behaviour expects.
      const beside = guard(gate, optionsOf(rest));
      return listen((request, response) => (/^\/(?:v1|public)(?:\/|$)/i.test(request.url) ? app(request, response) : beside(request, response, () => app(request, response))));
    });
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
      // Of the host it takes what no host has for the path: that is `/` to the policy, and the file to `express.static`.
      for (const target of ['http://x%73ecret.txt', 'http://x;/secret.txt', 'http://x:y/', 'http://u@x/', 'http:///', 'http://x?/', 'foo://x/', '*', '*secret.txt']) {
        assert.equal(await statusOf(port, target), 400, target);
      }
    } finally {
      await stop();
      await rm(folder, { recursive: true });
    }
  });
}

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
  // As the documentation of `check` has it, without the adapter; a path is all that it can know.
  behaves(({ gate, clientIp, origin }) => {
    if (clientIp !== undefined || origin !== undefined || typeof gate.verifySync === 'function') return listen(express5().use(guard(gate, optionsOf({ clientIp, origin })), routes(express5), quiet));
    const app = express5().use(routes(express5));
    return listen((request, response) => Promise.resolve().then(() => gate.check(request)).then((decision) => {
      for (const [name, value] of Object.entries(decision.headers)) response.setHeader(name, value);
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
