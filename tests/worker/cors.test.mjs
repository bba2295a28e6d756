// CORS: which pages may read the gate's answers and refusals, and what happens to the service's own headers.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { ISSUER, closedPort, gateWorker, policy, refused, start, token } from './harness.mjs';

const APP = 'https://app.test';
const OTHERS = ['https://app.test.evil', 'https://App.test', 'http://app.test', 'https://app.test:8443', 'null'];
const EXPOSED = 'RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate';

const CORS = { origins: [APP, 'https://other.test'], credentials: true, expose: ['X-Total'], max_age_secs: 600 };
const ROUTES = [
  { path: '/public/*', auth: 'none', cors: { origins: ['*'] } },
  { path: '/optional', auth: 'optional' },
  { path: '/limited', auth: 'none', limits: ['one'] },
  { path: '/scoped', scopes: { all: ['admin'] } },
  { path: '/no-preflight', preflight: 'refuse' },
  { path: '/passed', preflight: 'pass', auth: 'none' },
];

let gate;
let upstream;
const seen = [];

before(async () => {
  // A service that lets everybody read everything.
  upstream = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.writeHead(200, {
      'Access-Control-Allow-Origin': request.headers.origin ?? '*', 'Access-Control-Allow-Credentials': 'true', 'Access-Control-Expose-Headers': 'X-Secret',
      'Access-Control-Allow-Methods': 'GET, PUT', 'Access-Control-Allow-Headers': 'x-of-the-service', 'Access-Control-Max-Age': '9', Vary: 'Accept',
    });
    response.end('served');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => upstream.once('listening', resolve));
  const limits = [{ name: 'one', by: 'ip', requests: 1, window_secs: 3600, store: 'memory' }];
  const given = (changes) => policy({ cors: CORS, limits, routes: ROUTES, cookie: 'session', ...changes });
  gate = await start([
    gateWorker({ policy: given() }),
    gateWorker({ name: 'proxy', policy: given({ upstream: `http://127.0.0.1:${upstream.address().port}` }) }),
    gateWorker({ name: 'broken', policy: given({ upstream: `http://127.0.0.1:${await closedPort()}` }) }),
    gateWorker({
      name: 'no-keys',
      policy: given({
        issuers: [{ issuer: ISSUER, audience: ['a'], algorithms: ['RS256'], jwks_uri: `http://127.0.0.1:${await closedPort()}/` }],
      }),
    }),
    gateWorker({ name: 'plain', policy: policy({ upstream: `http://127.0.0.1:${upstream.address().port}` }) }),
  ]);
});
after(() => upstream.close());
after(() => gate.dispose());

const from = (origin, more = {}) => ({ headers: { Origin: origin, ...more } });
const preflight = (origin, method = 'PUT', headers = 'authorization,x-a') =>
  from(origin, { 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': headers });
const told = ({ headers }) => Object.fromEntries(
  Object.entries(headers).filter(([name]) => name.startsWith('access-control-')).map(([name, value]) => [name.slice('access-control-'.length), value]),
);
const READABLE = { 'allow-origin': APP, 'allow-credentials': 'true', 'expose-headers': `${EXPOSED}, X-Total` };

describe('allowed pages can read refusals', () => {
  test('401, 403, 429, 400, 502 and 503', async () => {
    const forged = `${token().slice(0, -6)}AAAAAA`;
    const ip = '192.0.2.99';
    const unsigned = token({}, { header: { alg: 'RS256', kid: 'x' } });
    await gate.get('/limited', { ip });
    for (const [code, path, more] of [
      ['MISSING_CREDENTIALS', '/v1', {}],
      ['INVALID_TOKEN', '/v1', { token: forged }],
      ['INSUFFICIENT_SCOPE', '/scoped', { token: token() }],
      ['RATE_LIMITED', '/limited', { ip }],
      ['INVALID_REQUEST', '/a//b', {}],
      ['UPSTREAM_ERROR', '/v1', { gate: 'broken', token: token() }],
      ['KEYS_UNAVAILABLE', '/v1', { gate: 'no-keys', token: unsigned }],
    ]) {
      const answer = await gate.get(path, { ...from(APP), ...more });
      assert.equal(answer.json().code, code, answer.text);
      assert.deepEqual(told(answer), READABLE, code);
      assert.equal(answer.headers.vary, 'Origin', code);
      for (const origin of OTHERS) {
        const other = await gate.get(path, { ...from(origin), ...more });
        assert.deepEqual([told(other), other.headers.vary], [{}, 'Origin'], `${code} ${origin}`);
      }
      assert.deepEqual(told(await gate.get(path, more)), {}, 'no page asks');
    }
  });

  test('a refused preflight says why', async () => {
    const answer = await gate.request('OPTIONS', '/no-preflight', preflight(APP));
    refused(answer, 'NOT_ALLOWED');
    assert.equal(told(answer)['allow-origin'], APP);
  });

  test('without cors in the policy there are no such headers', async () => {
    assert.deepEqual(told(await gate.get('/v1', { gate: 'plain', ...from(APP) })), {});
    const served = await gate.get('/public/a', { gate: 'plain', ...from(APP) });
    assert.equal(told(served)['allow-origin'], APP, 'the service speaks for itself');
  });
});

describe('preflights', () => {
  test('from allowed pages are answered with what they ask for', async () => {
    for (const name of ['gate', 'proxy']) {
      const count = seen.length;
      const answer = await gate.request('OPTIONS', '/v1/a', { gate: name, ...preflight(APP) });
      assert.deepEqual([answer.status, answer.text, answer.headers['cache-control']], [204, '', 'no-store']);
      assert.deepEqual(told(answer), {
        'allow-origin': APP, 'allow-credentials': 'true', 'allow-methods': 'PUT', 'allow-headers': 'authorization,x-a', 'max-age': '600',
      });
      assert.match(answer.headers.vary, /^Origin, /);
      for (const origin of OTHERS) {
        const other = await gate.request('OPTIONS', '/v1/a', { gate: name, ...preflight(origin) });
        assert.deepEqual([other.status, told(other)], [204, {}], origin);
        assert.match(other.headers.vary, /^Origin, /);
      }
      assert.equal(seen.length, count, 'the upstream was asked');
    }
  });

  test('a header that is not a list of names is not sent back', async () => {
    for (const headers of ['a<script>', 'a"b', 'x'.repeat(3000)]) {
      const answer = await gate.request('OPTIONS', '/v1/a', preflight(APP, 'PUT', headers));
      assert.deepEqual([answer.status, told(answer)['allow-headers'], told(answer)['allow-origin']], [204, undefined, APP]);
    }
  });

  test('if they pass, the service decides about methods and the policy about origins', async () => {
    const count = seen.length;
    const passed = await gate.request('OPTIONS', '/passed', { gate: 'proxy', ...preflight(APP) });
    assert.equal(seen.length, count + 1);
    assert.deepEqual(told(passed), { ...READABLE, 'allow-methods': 'GET, PUT', 'allow-headers': 'x-of-the-service', 'max-age': '9' });
    for (const origin of OTHERS) {
      assert.deepEqual(told(await gate.request('OPTIONS', '/passed', { gate: 'proxy', ...preflight(origin) })), {}, origin);
    }
  });
});

describe('answers of the service', () => {
  test('have the policy\'s headers in place of the service\'s', async () => {
    for (const name of ['gate', 'proxy']) {
      const answer = await gate.get('/v1/a', { gate: name, token: token(), ...from(APP) });
      assert.equal(answer.status, 200);
      assert.deepEqual(told(answer), READABLE, name);
      assert.ok(answer.headers.vary.split(', ').includes('Origin'), answer.headers.vary);
      for (const origin of OTHERS) {
        const other = await gate.get('/v1/a', { gate: name, token: token(), ...from(origin) });
        assert.deepEqual([other.status, told(other)], [200, {}], `${name} ${origin}`);
      }
    }
    const served = await gate.get('/v1/a', { gate: 'proxy', token: token(), ...from(APP) });
    assert.deepEqual([served.text, served.headers.vary], ['served', 'Accept, Origin']);
    const both = await gate.get('/optional', { gate: 'proxy', ...from(APP) });
    assert.equal(both.headers.vary, 'Accept, Authorization, X-API-Key, Cookie, Origin');
  });

  test('a route for everybody varies by nobody', async () => {
    for (const origin of [APP, 'https://anybody.test', 'null']) {
      const answer = await gate.get(`/public/${randomUUID()}`, { gate: 'proxy', ...from(origin) });
      assert.deepEqual(told(answer), { 'allow-origin': '*', 'expose-headers': EXPOSED });
      assert.equal(answer.headers.vary, 'Accept');
    }
  });

  test('the gate\'s own endpoints are for no page', async () => {
    assert.deepEqual(told(await gate.get('/auth/health', from(APP))), {});
    assert.deepEqual(told(await gate.admin('GET', '/keys', undefined, from(APP))), {});
    assert.deepEqual(told(await gate.request('OPTIONS', '/auth/admin/keys', preflight(APP))), {});
  });
});
