// Where routes send admitted requests: other services, other paths, timeouts and retries; and answers of the policy itself.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { standsBetween } from '../miniflare.mjs';
import { SECRETS, gateWorker, policy, refused, start, token } from './harness.mjs';

/** A service that answers with its name and the request. */
class Service {
  seen = [];

  constructor(name) {
    this.server = http.createServer((request, response) => {
      this.seen.push(request);
      if (this.breaks > 0) {
        this.breaks -= 1;
        request.socket.destroy();
      } else if (!this.stalls) response.end(`${name} ${request.method} ${request.url}`);
    });
  }

  async listen() {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }
}

const [first, second] = [new Service('first'), new Service('second')];
const BOUND = {
  name: 'bound',
  modules: true,
  script: `export default { async fetch(request) {
    const { pathname, search, host } = new URL(request.url);
    if (pathname.endsWith('/stall')) await new Promise((resolve) => setTimeout(resolve, 3000));
    return new Response(\`bound \${host} \${pathname}\${search} \${request.headers.get('x-auth-subject')} \${request.headers.get('authorization')}\`);
  } };`,
};
let gate;

before(async () => {
  await Promise.all([first.listen(), second.listen()]);
  const routes = [
    { path: '/second/*', upstream: second.url },
    { path: '/api/v1/*', upstream: { url: `${second.url}/base`, strip_prefix: '/api/v1', add_prefix: '/v2' } },
    { path: '/bound/*', upstream: { service: 'BOUND', strip_prefix: '/bound', timeout_ms: 400 } },
    { path: '/again/*', auth: 'none', upstream: { url: second.url, retries: 2 } },
    { path: '/slow/*', auth: 'none', limits: ['many'], upstream: { url: second.url, timeout_ms: 300, retries: 3 } },
    { path: '/robots.txt', auth: 'none', answer: { body: 'User-agent: *\nDisallow: /' } },
    { path: '/gone', auth: 'none', answer: { status: 410, body: { moved: ['no'] } } },
    { path: '/empty', auth: 'none', answer: { status: 204 } },
    { path: '/pages', auth: 'none', preflight: 'pass', cors: { origins: ['https://app.test'] }, answer: { body: 'x' } },
    { path: '/closed', scopes: { all: ['admin'] }, limits: ['many'], preflight: 'pass', answer: { body: 'for administrators' } },
  ];
  const limits = [{ name: 'many', by: 'caller', requests: 1000, window_secs: 3600, store: 'memory' }];
  gate = await start([
    gateWorker({ policy: policy({ upstream: first.url, routes, limits }), worker: { serviceBindings: { BOUND: 'bound' } } }),
    gateWorker({ name: 'unbound', policy: policy({ upstream: first.url, routes, limits }) }),
    gateWorker({ name: 'patient', policy: policy({ upstream: { url: first.url, timeout_ms: 400 }, routes: [] }) }),
    BOUND,
  ]);
});
after(() => {
  for (const { server } of [first, second]) {
    server.closeAllConnections();
    server.close();
  }
});
after(() => gate.dispose());

const ALICE = () => ({ token: token() });

describe('the upstream of a route', () => {
  test('takes the place of the policy\'s, and gets what that would', async () => {
    assert.equal((await gate.get('/elsewhere?a=b', ALICE())).text, 'first GET /elsewhere?a=b');
    assert.equal((await gate.get('/second/x?a=b', ALICE())).text, 'second GET /second/x?a=b');
    const { headers } = second.seen.at(-1);
    assert.deepEqual(
      [headers['x-auth-subject'], headers.authorization, headers['x-forwarded-host'], headers['x-forwarded-proto']],
      ['alice', undefined, 'api.example.com', 'http'],
    );
    refused(await gate.get('/second/x'), 'MISSING_CREDENTIALS');
    assert.equal((await gate.get('/second/x', ALICE())).headers['cache-control'], 'private');
  });

  test('gets a path with another beginning', async () => {
    for (const [asked, got] of [
      ['/api/v1/posts/1?next=/api/v1/x', '/base/v2/posts/1?next=/api/v1/x'],
      ['/%61pi/v1/%70osts', '/base/v2/%70osts'],
      ['/api/v1', '/base/v2'],
      ['/api/v1/', '/base/v2/'],
      ['/api/v1?a', '/base/v2?a'],
    ]) assert.equal((await gate.get(asked, ALICE())).text, `second GET ${got}`, asked);
    const count = second.seen.length;
    for (const path of ['/api/v1//admin', '/api/v1/..%2fadmin', '/api/v1/..%5cadmin', '/api/v1/..;/admin', '/api/v1/%252e%252e/admin']) {
      refused(await gate.get(path, ALICE()), 'INVALID_REQUEST');
    }
    assert.equal(second.seen.length, count);
  });

  test('may be a Worker that is bound', async () => {
    assert.equal((await gate.get('/bound/a?b', ALICE())).text, 'bound api.example.com /a?b alice null');
    refused(await gate.get('/bound/stall', ALICE()), 'UPSTREAM_TIMEOUT');
  });

  test('that is bound nowhere is a fault of the policy', async () => {
    refused(await gate.get('/elsewhere', { gate: 'unbound', ...ALICE() }), 'CONFIG_ERROR');
    await gate.output.find((line) => line.includes('routes[2].upstream.service: there is no service binding named BOUND'));
  });
});

describe('waiting and asking again', () => {
  test('the first byte has to come in time, and the caller is told', async () => {
    second.stalls = first.stalls = true;
    try {
      const count = second.seen.length;
      const answer = await gate.get('/slow/a');
      refused(answer, 'UPSTREAM_TIMEOUT');
      assert.match(answer.headers.ratelimit, /^"many";/);
      assert.equal(second.seen.length, count + 1, 'what is slow is not asked again');
      refused(await gate.get('/a', { gate: 'patient', ...ALICE() }), 'UPSTREAM_TIMEOUT');
      await gate.output.find((line) => line.includes('no answer in 300 ms'));
    } finally {
      second.stalls = first.stalls = false;
    }
    assert.equal((await gate.get('/slow/a')).text, 'second GET /slow/a');
  });

  test('a connection that breaks is tried again where that changes nothing', async () => {
    const tries = async (method, path, breaks, body) => {
      const count = second.seen.length;
      second.breaks = breaks;
      const { status } = await gate.request(method, path, { body });
      second.breaks = 0;
      return [status, second.seen.length - count];
    };
    assert.deepEqual(await tries('GET', '/again/a', 2), [200, 3]);
    assert.deepEqual(await tries('HEAD', '/again/a', 1), [200, 2]);
    const [status, count] = await tries('GET', '/again/a', 100);
    assert.equal(status, 502);
    // A newer workerd tries once more itself, on each connection that it had kept.
    assert.ok(standsBetween ? count >= 3 : count === 3, `${count} tries`);
    assert.deepEqual(await tries('POST', '/again/a', 1, 'x'), [502, 1]);
    assert.deepEqual(await tries('DELETE', '/again/a', 1), [502, 1]);
    assert.deepEqual(await tries('GET', '/again/a', 1, 'x'), [502, 1], 'a body is gone');
  });
});

describe('an answer of the policy', () => {
  test('is given without asking anybody', async () => {
    const count = first.seen.length + second.seen.length;
    const robots = await gate.get('/robots.txt');
    assert.deepEqual([robots.status, robots.text, robots.headers['content-type']], [200, 'User-agent: *\nDisallow: /', 'text/plain; charset=utf-8']);
    const gone = await gate.post('/gone', { body: 'x' });
    assert.deepEqual([gone.status, gone.text, gone.headers['content-type']], [410, '{"moved":["no"]}', 'application/json']);
    const empty = await gate.get('/empty');
    assert.deepEqual([empty.status, empty.text, empty.headers['content-type'], empty.headers['cache-control']], [204, '', undefined, 'no-store']);
    const head = await gate.request('HEAD', '/robots.txt');
    assert.deepEqual([head.status, head.text], [200, '']);
    assert.equal(first.seen.length + second.seen.length, count);
  });

  test('is for those that the route lets through', async () => {
    refused(await gate.get('/closed'), 'MISSING_CREDENTIALS');
    refused(await gate.get('/closed', ALICE()), 'INSUFFICIENT_SCOPE', { scope: 'admin' });
    const answer = await gate.get('/closed', { token: token({ scope: 'admin' }) });
    assert.deepEqual([answer.status, answer.text], [200, 'for administrators']);
    assert.match(answer.headers.ratelimit, /^"many";/);
    const headers = { Origin: 'https://app.test', 'Access-Control-Request-Method': 'GET' };
    const preflight = await gate.request('OPTIONS', '/closed', { headers });
    assert.deepEqual([preflight.status, preflight.text], [204, ''], 'a preflight is not told');
    assert.equal(preflight.headers.ratelimit, undefined, 'nor counted: nobody is asked');
    assert.ok(!gate.output.lines.some((line) => line.includes(SECRETS.JWT_SECRET)));
  });

  test('may be for pages of other origins, whose preflights say what they want to send', async () => {
    const headers = { Origin: 'https://app.test', 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'authorization' };
    const preflight = await gate.request('OPTIONS', '/pages', { headers });
    assert.deepEqual(
      ['access-control-allow-origin', 'access-control-allow-methods', 'access-control-allow-headers'].map((name) => preflight.headers[name]),
      ['https://app.test', 'PUT', 'authorization'],
    );
    assert.deepEqual([preflight.status, preflight.headers['cache-control']], [204, 'no-store']);
  });

  test('is no leave to pass, where another proxy asks', async () => {
    const verify = (uri, more) => gate.get('/auth/verify', { headers: { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': uri }, ...more });
    for (const path of ['/robots.txt', '/gone', '/empty']) refused(await verify(path), 'NOT_ALLOWED');
    refused(await verify('/closed'), 'MISSING_CREDENTIALS');
    refused(await verify('/closed', { token: token({ scope: 'admin' }) }), 'NOT_ALLOWED');
    await gate.output.find((line) => line.includes('"answer_not_passed"'));
    const answer = await verify('/second/x', { token: token() });
    assert.equal(answer.status, 200, answer.text);
  });
});
