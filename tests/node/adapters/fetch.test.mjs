// `edgegate/fetch`: a handler of Requests on Node and in workerd.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import { describe, test } from 'node:test';
import { RequestError, getRequestListener } from '@hono/node-server';

import { guard } from '../../../pkg/wasm/fetch.js';
import { GATE_SOURCE, behaves, newGate, refusesMisuse, token } from './behaviour.mjs';
import { startWorker } from './workerd.mjs';

const digest = (body) => createHash('sha256').update(body).digest('hex');

async function handler(request, auth) {
  const { pathname } = new URL(request.url);
  switch (`${request.method} ${decodeURI(pathname).toLowerCase().replace(/\/$/, '')}`) {
    case 'GET /v1/whoami':
    case 'GET /public/whoami': return Response.json(auth);
    case 'GET /v1/admin/secret': return new Response('secret');
    case 'POST /v1/echo': return new Response(digest(Buffer.from(await request.arrayBuffer())));
    default: return new Response(null, { status: 404 });
  }
}

describe('a fetch handler on Node', () => {
  behaves(async ({ gate, clientIp, origin }) => {
    // A `Request` does not say where it came from. The server says it.
    const address = clientIp ? (request) => request.headers.get(clientIp) : (_, { incoming }) => incoming.socket.remoteAddress;
    const guarded = guard(gate, handler, { clientIp: address, origin });
    const server = http.createServer(getRequestListener(guarded, { errorHandler: (error) => new Response(null, { status: error instanceof RequestError ? 400 : 500 }) }));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
      port: server.address().port,
      stop: () => new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
    };
  }, { normalises: true, saysAddress: true });
});

describe('a fetch handler in workerd', () => {
  behaves(() => startWorker(`
    import { createGate } from 'edgegate/gate';
    import { guard } from 'edgegate/fetch';
    const digest = async (body) => [...new Uint8Array(await crypto.subtle.digest('SHA-256', body))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    ${handler.toString().replace('digest(Buffer.from(await request.arrayBuffer()))', 'await digest(await request.arrayBuffer())')}
    export default { fetch: guard(${GATE_SOURCE}, handler) };
  `), { own: true, normalises: true });
});

test('without an origin the gate is told the whole URL in Workers only', async () => {
  const stub = '{ check: async ({ url }) => ({ ok: true, identity: { url }, headers: {} }) }';
  const shown = (_, { url }) => new Response(url);
  const { port, stop } = await startWorker(`
    import { guard } from 'edgegate/fetch';
    export default { fetch: guard(${stub}, ${shown}) };
  `);
  try {
    const url = `http://127.0.0.1:${port}/a?b`;
    assert.equal(await (await fetch(url)).text(), url);
  } finally {
    await stop();
  }
  const gate = { check: async ({ url }) => ({ ok: true, identity: { url }, headers: {} }) };
  const told = async (options) => (await guard(gate, shown, options)(new Request('http://evil.test/a?b'))).text();
  assert.equal(await told(), '/a?b');
  assert.equal(await told({ origin: 'https://api.example.com' }), 'https://api.example.com/a?b');
});

test('the handler gets what the platform gives, and the gate what is to be finished later', async () => {
  const given = [];
  const later = [];
  const gate = {
    check: async (_, { waitUntil, clientIp }) => {
      waitUntil(Promise.resolve('written'));
      return { ok: true, identity: { method: 'anonymous', scopes: [] }, headers: {}, clientIp };
    },
  };
  const env = { NAME: 'value' };
  const context = {
    waitUntil(promise) {
      assert.equal(this, context);
      later.push(promise);
    },
  };
  const answer = new Response('as it is');
  const guarded = guard(gate, (...all) => {
    given.push(...all);
    return answer;
  });
  const request = new Request('http://app.test/');
  assert.equal(await guarded(request, env, context), answer);
  assert.deepEqual(given, [request, { method: 'anonymous', scopes: [] }, env, context]);
  assert.deepEqual(await Promise.all(later), ['written']);
});

test('limits are told also in an answer that cannot be changed', async () => {
  const limited = { routes: [{ path: '/*', auth: 'none', limits: ['address'] }] };
  for (const [answer, status, body] of [[() => Response.redirect('http://app.test/x'), 302, ''], [() => new Response('x', { status: 201 }), 201, 'x']]) {
    const response = await guard(newGate(limited), answer, { clientIp: () => '192.0.2.1' })(new Request('http://app.test/'));
    assert.deepEqual([response.status, response.headers.get('ratelimit-policy'), await response.text()], [status, '"address";q=1;w=60', body]);
  }
});

test('a preflight is the handler\'s only where the policy says so', async () => {
  const preflight = new Request('http://app.test/v1/x', {
    method: 'OPTIONS', headers: { origin: 'https://app.test', 'access-control-request-method': 'GET' },
  });
  const asked = [];
  const handle = (request, auth) => {
    asked.push(auth.method);
    return new Response('secret');
  };
  const answer = await guard(newGate(), handle)(preflight);
  assert.deepEqual([answer.status, await answer.text(), asked], [204, '', []]);
  const passed = await guard(newGate({ preflight: 'pass' }), handle)(preflight);
  assert.deepEqual([passed.status, await passed.text(), asked], [200, 'secret', ['anonymous']]);
  assert.equal((await guard(newGate({ preflight: 'refuse' }), handle)(preflight)).status, 403);
});

test('caches are told unless the handler decided, also in an answer that cannot be changed', async () => {
  const gate = newGate({ routes: [{ path: '/*', auth: 'optional' }] });
  const [vary, headers] = ['Authorization, X-API-Key', { authorization: `Bearer ${token()}` }];
  for (const [answer, expected] of [
    [() => new Response('x'), ['private', vary]],
    [() => Response.redirect('http://app.test/x'), ['private', vary]],
    [() => new Response('x', { headers: { 'Cache-Control': 'max-age=5', Vary: 'Accept' } }), ['private, max-age=5', `Accept, ${vary}`]],
    [() => new Response('x', { headers: { 'Cache-Control': 'public', 'CDN-Cache-Control': 'max-age=5' } }), ['public', vary, 'max-age=5']],
    [() => new Response('x', { headers: { 'Surrogate-Control': 'max-age=5', 'CDN-Cache-Control': 'max-age=5' } }), ['private', vary]],
  ]) {
    const { headers: told } = await guard(gate, answer)(new Request('http://app.test/', { headers }));
    const [control, varies, cdn = null, surrogate = null] = expected;
    const found = ['cache-control', 'vary', 'cdn-cache-control', 'surrogate-control'].map((name) => told.get(name));
    assert.deepEqual(found, [control, varies, cdn, surrogate]);
  }
});

test('misuse is refused when the guard is made', () => {
  refusesMisuse((gate, options) => guard(gate, handler, options));
  assert.throws(() => guard(newGate()), { name: 'TypeError', message: 'edgegate: handler: expected a function' });
});
