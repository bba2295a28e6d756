// Sessions in the npm package: the endpoints by `gate.handle`, cookies by the adapters, `gate.sessions`, over memory.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';

import { guard as guardExpress } from '../../pkg/wasm/express.js';
import { guard as guardFastify } from '../../pkg/wasm/fastify.js';
import { guard as guardFetch } from '../../pkg/wasm/fetch.js';
import { guard as guardHono } from '../../pkg/wasm/hono.js';
import { guard as guardLambda } from '../../pkg/wasm/lambda.js';
import { memoryStore } from '../../pkg/wasm/node.js';
import { NOW, request } from './gate.mjs';
import { cookiesOf, jarOf, sessionGate } from './session-gate.mjs';

const faultOf = (make) => {
  try {
    make();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
};

const post = (path, body, headers = {}) => new Request(`https://api.example.com${path}`, {
  method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers },
});
const answer = async (gate, asked) => {
  const own = await gate.handle(asked);
  const response = own.response();
  return { status: response.status, headers: response.headers, body: own.body === '' ? undefined : JSON.parse(own.body) };
};
const refresh = (gate, refreshToken) => answer(gate, post('/auth/refresh', { refreshToken }));
const opened = (gate, more = {}) => gate.sessions.open({ subject: 'alice', scopes: ['read:posts'], ...more });
const bearer = (token) => ({ authorization: `Bearer ${token}` });

for (const algorithm of ['ES256', 'EdDSA', 'RS256', 'HS256']) {
  test(`${algorithm}: a session is opened, its token admits, is renewed, and ends`, async () => {
    const { gate } = sessionGate({ algorithm });
    const session = await opened(gate);
    assert.equal(session.tokenType, 'Bearer');
    const first = await gate.check(request('/v1/posts', bearer(session.accessToken)));
    assert.equal(first.ok, true, first.message);
    assert.equal(first.identity.subject, 'alice');

    const renewed = await refresh(gate, session.refreshToken);
    assert.equal(renewed.status, 200);
    assert.deepEqual(Object.keys(renewed.body).sort(), ['accessToken', 'expiresIn', 'refreshToken']);
    assert.equal(renewed.headers.get('cache-control'), 'no-store');

    const ended = await answer(gate, post('/auth/logout', '', bearer(renewed.body.accessToken)));
    assert.deepEqual([ended.status, ended.body.ended, ended.headers.get('clear-site-data')], [200, 1, '"cache"']);
    const after = await refresh(gate, renewed.body.refreshToken);
    assert.deepEqual([after.status, after.body.code], [401, 'INVALID_REFRESH_TOKEN']);
    assert.equal((await gate.check(request('/v1/posts', bearer(renewed.body.accessToken)))).code, 'TOKEN_REVOKED');
  });
}

test('what is no endpoint is left to the application, with its body', async () => {
  const { gate } = sessionGate();
  const asked = post('/auth/own', 'its own');
  assert.equal(await gate.handle(asked), undefined);
  assert.equal(await asked.text(), 'its own');
  assert.equal(await gate.handle(request('/v1/posts')), undefined);
});

test('refusals are as the guide has them', async () => {
  const { gate } = sessionGate();
  const missing = await answer(gate, post('/auth/refresh', {}));
  assert.deepEqual([missing.status, missing.body.error], [400, 'Refresh token required']);
  const forged = await refresh(gate, 'ert_forged');
  assert.deepEqual([forged.status, forged.body.code], [401, 'INVALID_REFRESH_TOKEN']);
  const method = await answer(gate, request('/auth/logout'));
  assert.deepEqual([method.status, method.headers.get('allow')], [405, 'POST']);
  const long = await answer(gate, post('/auth/refresh', 'x'.repeat(70_000)));
  assert.ok(long.status >= 400 && long.status < 500, String(long.status));
});

test('a hundred refreshes with one token: one generation', async () => {
  const { gate } = sessionGate();
  const { refreshToken } = await opened(gate);
  const all = await Promise.all(Array.from({ length: 100 }, () => refresh(gate, refreshToken)));
  assert.deepEqual([...new Set(all.map(({ status }) => status))], [200]);
  assert.equal(new Set(all.map(({ body }) => body.refreshToken)).size, 1);
});

test('a forged refresh token asks no store', async () => {
  let asked = 0;
  const inner = memoryStore();
  const counted = (name) => (...given) => {
    asked += 1;
    return inner[name](...given);
  };
  const sessions = Object.fromEntries(['get', 'put', 'delete', 'list', 'compareAndSet'].map((name) => [name, counted(name)]));
  const { gate } = sessionGate({ stores: { sessions } });
  const { refreshToken } = await opened(gate);
  const before = asked;
  const last = refreshToken.at(-2) === 'A' ? 'B' : 'A';
  await refresh(gate, `${refreshToken.slice(0, -2)}${last}${refreshToken.at(-1)}`);
  assert.equal(asked, before);
});

test('the state is in the store: another gate over it goes on', async () => {
  const one = sessionGate();
  const { refreshToken } = await opened(one.gate);
  const other = sessionGate({ stores: one.stores, secrets: one.secrets });
  const renewed = await refresh(other.gate, refreshToken);
  assert.equal(renewed.status, 200);
});

test('a session that was revoked, and whose row is still there since the process died, is not renewed', async () => {
  const { gate, stores } = sessionGate();
  const { refreshToken } = await opened(gate);
  const { compareAndSet } = stores.sessions;
  stores.sessions.compareAndSet = async () => { throw new Error('gone'); };
  const [{ id }] = await gate.sessions.list('alice');
  const fault = await gate.sessions.end('alice', id).catch((error) => error);
  assert.equal(fault.code, 'STORE_UNAVAILABLE');
  stores.sessions.compareAndSet = compareAndSet;
  const after = await refresh(gate, refreshToken);
  assert.deepEqual([after.status, after.body.code], [401, 'INVALID_REFRESH_TOKEN']);
});

test('a store that does not answer is no logout', async () => {
  const { gate, stores } = sessionGate();
  const { refreshToken } = await opened(gate);
  const { get } = stores.sessions;
  stores.sessions.get = async () => { throw new Error('gone'); };
  assert.equal((await refresh(gate, refreshToken)).status, 503);
  stores.sessions.get = get;
  assert.equal((await refresh(gate, refreshToken)).status, 200);
});

describe('gate.sessions', () => {
  test('lists, ends one, the others, all', async () => {
    const { gate } = sessionGate();
    const [a, b, c] = [await opened(gate), await opened(gate), await opened(gate)];
    assert.equal((await gate.sessions.list('alice')).length, 3);
    await gate.sessions.end('alice', a.sessionId);
    assert.deepEqual((await gate.sessions.list('alice')).map(({ id }) => id).sort(), [b.sessionId, c.sessionId].sort());
    await gate.sessions.endOthers('alice', c.sessionId);
    assert.deepEqual((await gate.sessions.list('alice')).map(({ id }) => id), [c.sessionId]);
    assert.equal((await gate.sessions.endAll('alice')).ended, 1);
    assert.deepEqual(await gate.sessions.list('alice'), []);
    assert.equal((await gate.check(request('/v1/posts', bearer(b.accessToken)))).code, 'TOKEN_REVOKED');
    const unknown = await gate.sessions.end('alice', a.sessionId).catch((error) => error);
    assert.equal(unknown.code, 'NOT_FOUND');
  });

  test('a disabled subject gets no session, until it is enabled', async () => {
    const { gate } = sessionGate();
    const { refreshToken } = await opened(gate);
    await gate.sessions.disable('alice');
    assert.equal((await refresh(gate, refreshToken)).status, 401);
    assert.equal((await opened(gate).catch((error) => error)).code, 'NOT_ALLOWED');
    await gate.sessions.enable('alice');
    assert.ok((await opened(gate)).accessToken);
  });

  test('an unknown field is refused', async () => {
    const { gate } = sessionGate();
    const refused = await opened(gate, { scope: 'x' }).catch((error) => error);
    assert.equal(refused.message, 'scope: is not a known field, expected one of subject, scopes, remember, audience, amr, acr, claims, label, ticket, existing, clientId, authTime, dpopJkt');
  });
});

describe('configuration', () => {
  test('a store of sessions is required, and has to compare and swap', () => {
    const without = faultOf(() => sessionGate({ stores: { sessions: undefined } }));
    assert.equal(without.path, 'stores.sessions');
    const plain = { get: async () => [], put() {}, delete() {}, list() {} };
    assert.equal(faultOf(() => sessionGate({ stores: { sessions: plain } })).path, 'stores.sessions');
  });
});

test('keys and metadata are published, without a secret', async () => {
  const { gate } = sessionGate();
  const keys = await answer(gate, request('/.well-known/jwks.json'));
  assert.equal(keys.body.keys.length, 1);
  assert.equal(keys.body.keys[0].d, undefined);
  assert.equal(keys.headers.get('access-control-allow-origin'), '*');
  const metadata = await answer(gate, request('/.well-known/oauth-authorization-server'));
  assert.equal(metadata.body.issuer, 'https://gate.edgegate.local/');
});

test('client credentials', async () => {
  const { gate } = sessionGate();
  const form = 'grant_type=client_credentials&scope=read%3Aposts';
  const basic = `Basic ${btoa('batch:batch-client-secret-for-tests-0123456789')}`;
  const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization: basic };
  const { status, body } = await answer(gate, post('/auth/token', form, headers));
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal((await gate.check(request('/v1/posts', bearer(body.access_token)))).ok, true);
  const wrong = await answer(gate, post('/auth/token', form, { ...headers, authorization: `Basic ${btoa('batch:no')}` }));
  assert.deepEqual([wrong.status, wrong.body.error], [401, 'invalid_client']);
});

test('by Express a form is read where only JSON has a parser', async (t) => {
  const { gate } = sessionGate();
  const app = express();
  app.use((asked, response, next) => {
    // Express 4 leaves the request like this.
    asked.body = {};
    next();
  });
  app.use(guardExpress(gate, { caseSensitive: true }));
  const { ask, close } = await onNode(createServer(app));
  t.after(close);
  const authorization = `Basic ${btoa('batch:batch-client-secret-for-tests-0123456789')}`;
  const answered = await ask('/auth/token', { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials' }), headers: { authorization } });
  assert.equal(answered.status, 200, await answered.clone().text());
  await answered.arrayBuffer();
});

// ---- browsers ----

const SAME = { 'sec-fetch-site': 'same-origin' };

/** How each framework serves the gate. `ask(path, init)` returns the response. */
const SERVED = {
  fetch: async (gate) => {
    const serve = guardFetch(gate, async (asked, caller) => Response.json({ subject: caller.subject }), { origin: 'https://api.example.com' });
    return { ask: (path, init) => serve(new Request(`https://api.example.com${path}`, init)), close() {} };
  },
  express: async (gate) => {
    const app = express();
    app.use(guardExpress(gate, { caseSensitive: true, origin: 'https://api.example.com' }));
    app.enable('case sensitive routing');
    app.get('/v1/posts', (asked, response) => response.json({ subject: asked.auth.subject }));
    return onNode(createServer(app));
  },
  'express with a parser before it': async (gate) => {
    const app = express();
    app.use(express.json());
    app.use(guardExpress(gate, { caseSensitive: true, origin: 'https://api.example.com' }));
    app.get('/v1/posts', (asked, response) => response.json({ subject: asked.auth.subject }));
    return onNode(createServer(app));
  },
  fastify: async (gate) => {
    const app = fastify();
    app.register(guardFastify(gate, { origin: 'https://api.example.com' }));
    app.get('/v1/posts', async (asked) => ({ subject: asked.auth.subject }));
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address();
    return { ask: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init), close: () => app.close() };
  },
  hono: async (gate) => {
    const app = new Hono();
    app.use(guardHono(gate, { origin: 'https://api.example.com' }));
    app.get('/v1/posts', (context) => context.json({ subject: context.get('auth').subject }));
    return { ask: async (path, init) => app.request(`https://api.example.com${path}`, init), close() {} };
  },
  'a function URL of Lambda': async (gate) => {
    const handler = async (_, { subject }) => ({ statusCode: 200, body: JSON.stringify({ subject }) });
    const guarded = guardLambda(gate, handler, { origin: 'https://api.example.com' });
    return { ask: (path, init) => byFunctionUrl(guarded, path, init), close() {} };
  },
};

/** As a function URL asks: it has the cookies by themselves, and in their header too. */
async function byFunctionUrl(guarded, path, { method = 'GET', headers = {}, body } = {}) {
  const { statusCode, headers: told, cookies = [], body: answered } = await guarded({
    version: '2.0', rawPath: path, rawQueryString: '', headers, ...(headers.cookie && { cookies: headers.cookie.split(/; ?/) }),
    requestContext: { http: { method, path, sourceIp: '192.0.2.1' } }, body, isBase64Encoded: false,
  });
  return new Response(answered, { status: statusCode, headers: [...Object.entries(told), ...cookies.map((value) => ['Set-Cookie', value])] });
}

async function onNode(server) {
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  return { ask: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init), close: () => server.close() };
}

for (const [name, serve] of Object.entries(SERVED)) {
  describe(`a browser by ${name}`, () => {
    test('a ticket begins a session, cookies admit, are renewed within a request, and are taken out at logout', async (t) => {
      const { gate, clock } = sessionGate();
      const { ask, close } = await serve(gate);
      t.after(close);
      const { ticket } = await opened(gate, { ticket: true });
      const begin = { method: 'POST', body: JSON.stringify({ ticket }), headers: { 'content-type': 'application/json', ...SAME } };
      const started = await ask('/auth/session/start', begin);
      assert.equal(started.status, 200, await started.clone().text());
      const jar = jarOf(started);
      assert.deepEqual(Object.keys(jar).sort(), ['__Host-edgegate-at', '__Host-edgegate-rt']);

      const admitted = await ask('/v1/posts', { headers: { cookie: cookiesOf(jar), ...SAME } });
      assert.deepEqual([admitted.status, await admitted.json()], [200, { subject: 'alice' }]);
      assert.deepEqual(admitted.headers.getSetCookie(), []);
      assert.match(admitted.headers.get('cache-control'), /private/);
      assert.match(admitted.headers.get('vary'), /Cookie/i);

      clock.now = NOW + 880;
      const renewed = await ask('/v1/posts', { headers: { cookie: cookiesOf(jar), ...SAME } });
      assert.equal(renewed.status, 200);
      const next = jarOf(renewed);
      assert.deepEqual(Object.keys(next).sort(), Object.keys(jar).sort());
      assert.notEqual(next['__Host-edgegate-at'], jar['__Host-edgegate-at']);
      assert.equal(renewed.headers.get('cache-control'), 'private, no-store');

      const crossSite = await ask('/auth/logout', { method: 'POST', headers: { cookie: cookiesOf(next), 'sec-fetch-site': 'cross-site' } });
      assert.deepEqual([crossSite.status, (await crossSite.json()).code], [403, 'CSRF_REFUSED']);
      const logout = await ask('/auth/logout', { method: 'POST', headers: { cookie: cookiesOf(next), ...SAME } });
      assert.equal(logout.status, 200);
      assert.deepEqual(Object.values(jarOf(logout)), ['', '']);
      const after = await ask('/v1/posts', { headers: { cookie: cookiesOf(next), ...SAME } });
      assert.equal(after.status, 401);
      await after.arrayBuffer();
    });
  });
}

// ---- what an answer leaves ----

/** How each platform that stops a request with its answer serves the gate. `late` collects what is to be finished after it. */
const STOPPED = {
  fetch: (gate, late) => {
    const serve = guardFetch(gate, async () => new Response('x'));
    return (path, init) => serve(new Request(`https://api.example.com${path}`, init), {}, { waitUntil: (promise) => late.push(promise) });
  },
  hono: (gate, late) => {
    const app = new Hono().use(guardHono(gate)).all('*', (context) => context.text('x'));
    return async (path, init) => app.request(`https://api.example.com${path}`, init, {}, { waitUntil: (promise) => late.push(promise) });
  },
  // Here nothing can be left: the guard itself has to wait.
  lambda: (gate) => {
    const guarded = guardLambda(gate, async () => ({ statusCode: 200, body: 'x' }));
    return (path, init) => byFunctionUrl(guarded, path, init);
  },
};

/** A store whose writes take a while. `written` is how many are done. */
function slowToWrite() {
  const inner = memoryStore();
  const done = { written: 0 };
  const later = (name) => async (...given) => {
    await new Promise((resolve) => { setTimeout(resolve, 30); });
    const result = await inner[name](...given);
    done.written += 1;
    return result;
  };
  const { get, list, delete: remove } = inner;
  const store = { get: get.bind(inner), list: list.bind(inner), delete: remove.bind(inner), put: later('put'), compareAndSet: later('compareAndSet') };
  return { done, store };
}

for (const [name, serve] of Object.entries(STOPPED)) {
  test(`by ${name}, what an answer has left is done before the platform may stop, at the endpoints of sessions too`, async () => {
    for (const used of ['/auth/session', '/v1/posts']) {
      const [sessions, revocations] = [slowToWrite(), slowToWrite()];
      const made = sessionGate({ stores: { sessions: sessions.store, revocation: revocations.store } });
      const late = [];
      const ask = serve(made.gate, late);
      /** The status of an answer, and how many writes of a store are done once nothing is left. */
      const asked = async (path, init, { done }) => {
        const { status } = await ask(path, init);
        await Promise.all(late.splice(0));
        return [status, done.written];
      };
      const old = await loggedIn(made);
      made.clock.now = NOW + 880;
      const renewed = jarOf(await ask('/auth/refresh', { method: 'POST', headers: old }));
      made.clock.now += 60;

      // The new tokens are seen in use, which the subject is told.
      const known = sessions.done.written;
      assert.deepEqual(await asked(used, { headers: { cookie: cookiesOf(renewed), ...SAME } }, sessions), [200, known + 1], used);

      // So the old one is a thief's: the session ends, and its end is written where revocations are kept.
      made.clock.now += 600;
      assert.deepEqual(await asked('/auth/refresh', { method: 'POST', headers: old }, revocations), [401, 1]);
    }
  });
}

test('by Lambda, what is left is waited for where the handler fails, and so is what that leaves in turn', async () => {
  const done = [];
  const step = (name) => new Promise((resolve) => { setTimeout(resolve, 20); }).then(() => done.push(name));
  const check = async (_, { waitUntil }) => {
    waitUntil(step('first').then(() => { waitUntil(step('second')); }));
    waitUntil(Promise.reject(new Error('not told')));
    return { ok: true, identity: {}, headers: {} };
  };
  const guarded = guardLambda({ check }, async () => {
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    throw new Error('of the handler');
  });
  await assert.rejects(byFunctionUrl(guarded, '/x'), { message: 'of the handler' });
  assert.deepEqual(done, ['first', 'second']);
});

// ---- renewals that wait ----

/** A store whose steps of subjects take so long, once it is told to. */
function slow() {
  const inner = memoryStore();
  const waits = { millis: 0 };
  const waiting = (name) => async (...given) => {
    const isSubject = [given[0]].flat().some((key) => key.startsWith('session/v1/'));
    if (isSubject && waits.millis > 0) await new Promise((resolve) => { setTimeout(resolve, waits.millis); });
    return inner[name](...given);
  };
  return { waits, store: { get: waiting('get'), compareAndSet: waiting('compareAndSet') } };
}

async function loggedIn({ gate }) {
  const { ticket } = await opened(gate, { ticket: true });
  const begun = await gate.handle(post('/auth/session/start', { ticket }, SAME));
  return { cookie: cookiesOf(jarOf(begun.response())), ...SAME };
}

test('a renewal that takes over 500 ms is given up while the access token holds', async () => {
  const { waits, store } = slow();
  const made = sessionGate({ stores: { sessions: store } });
  const headers = await loggedIn(made);
  made.clock.now = NOW + 880;
  waits.millis = 1500;
  const began = performance.now();
  const admitted = await made.gate.check(request('/v1/posts', headers));
  const took = performance.now() - began;
  assert.equal(admitted.ok, true, admitted.message);
  assert.equal(admitted.cookies, undefined);
  assert.ok(took > 400 && took < 1400, `${took} ms`);
  // Nobody waits for a turn that was given up, and nobody was logged out.
  waits.millis = 0;
  const renewed = await made.gate.check(request('/v1/posts', headers));
  assert.equal(renewed.ok, true, renewed.message);
  assert.equal(renewed.cookies?.values().length, 2);
});

test('those who wait behind a renewal that is given up are not held', async () => {
  const { waits, store } = slow();
  const made = sessionGate({ stores: { sessions: store } });
  const headers = await loggedIn(made);
  made.clock.now = NOW + 880;
  waits.millis = 1200;
  const all = await Promise.all(Array.from({ length: 10 }, () => made.gate.check(request('/v1/posts', headers))));
  assert.ok(all.every(({ ok }) => ok));
  // What they have left to be done is over, too: that the tokens were seen in use. A turn that was lost would be waited for for two seconds.
  await new Promise((resolve) => { setTimeout(resolve, 3000); });
  waits.millis = 0;
  const began = performance.now();
  assert.equal((await made.gate.sessions.list('alice')).length, 1);
  assert.ok(performance.now() - began < 1000);
});

test('without an access token that holds, a renewal waits as long as for any store', async () => {
  const { waits, store } = slow();
  const made = sessionGate({ stores: { sessions: store } });
  const headers = await loggedIn(made);
  made.clock.now = NOW + 1000;
  waits.millis = 700;
  const renewed = await made.gate.check(request('/v1/posts', headers));
  assert.equal(renewed.ok, true, renewed.message);
  assert.equal(renewed.cookies?.values().length, 2);
});

// ---- what handlers get ----

/** How a framework serves a handler that tells what it gets of `Cookie`, and of the body. */
const TELLING = {
  fetch: async (gate) => {
    const serve = guardFetch(gate, async (asked) => Response.json({ cookie: asked.headers.get('cookie'), body: await asked.text() }));
    return { ask: (path, init) => serve(new Request(`https://api.example.com${path}`, init)), close() {} };
  },
  'fetch, where headers cannot be changed': async (gate) => {
    const serve = guardFetch(gate, async (asked) => Response.json({ cookie: asked.headers.get('cookie'), body: await asked.text() }));
    const frozen = (asked) => {
      asked.headers.set = () => { throw new TypeError('immutable'); };
      asked.headers.delete = asked.headers.set;
      return asked;
    };
    return { ask: (path, init) => serve(frozen(new Request(`https://api.example.com${path}`, init))), close() {} };
  },
  hono: async (gate) => {
    const app = new Hono();
    app.use(guardHono(gate));
    app.all('*', async (context) => context.json({ cookie: context.req.header('cookie') ?? null, body: await context.req.text() }));
    return { ask: async (path, init) => app.request(`https://api.example.com${path}`, init), close() {} };
  },
  express: async (gate) => {
    const app = express();
    app.use(guardExpress(gate, { caseSensitive: true }));
    app.enable('case sensitive routing');
    app.use(express.text());
    app.all('/{*any}', (asked, response) => response.json(ofNode(asked)));
    return onNode(createServer(app));
  },
  fastify: async (gate) => {
    const app = fastify();
    app.register(guardFastify(gate));
    app.all('*', async (asked) => ({ ...ofNode(asked.raw), cookie: asked.headers.cookie ?? null, body: asked.body ?? '' }));
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address();
    return { ask: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init), close: () => app.close() };
  },
};

/** Node's two views have to say the same. */
function ofNode({ headers, rawHeaders, body }) {
  const raw = rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === 'cookie' && index % 2 === 1);
  assert.deepEqual(raw, headers.cookie === undefined ? [] : [headers.cookie]);
  return { cookie: headers.cookie ?? null, body: body ?? '' };
}

for (const [name, serve] of Object.entries(TELLING)) {
  test(`by ${name}, the handler gets no cookie of the gate's own, whatever decided`, async (t) => {
    const made = sessionGate();
    const { ask, close } = await serve(made.gate);
    t.after(close);
    const { cookie } = await loggedIn(made);
    const { accessToken } = await opened(made.gate, { scopes: ['read:posts', 'write:posts'] });
    const told = async (path, headers, rest = {}) => {
      const answer = await ask(path, { headers: { ...SAME, ...headers }, ...rest });
      assert.equal(answer.status, 200, await answer.clone().text());
      return answer.json();
    };
    const mixed = `a=1; ${cookie}; b="2, 3"`;
    assert.equal((await told('/v1/posts', { cookie })).cookie, null);
    assert.equal((await told('/v1/posts', { cookie: mixed })).cookie, 'a=1; b="2, 3"');
    assert.equal((await told('/v1/posts', { cookie: mixed, ...bearer(accessToken) })).cookie, 'a=1; b="2, 3"');
    assert.equal((await told('/public/open', { cookie: mixed })).cookie, 'a=1; b="2, 3"');
    assert.equal((await told('/v1/posts', { cookie: 'a=1;b=2', ...bearer(accessToken) })).cookie, 'a=1;b=2');
    const sent = await told('/v1/posts', { cookie: mixed, 'content-type': 'text/plain', ...bearer(accessToken) }, { method: 'POST', body: 'the body' });
    assert.deepEqual(sent, { cookie: 'a=1; b="2, 3"', body: 'the body' });
  });
}
