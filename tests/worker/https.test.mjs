// Plain http where the policy wants https, and what browsers are told of every answer.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { SECRETS, gateWorker, policy, refused, start, token } from './harness.mjs';

let gate;
let upstream;
const seen = [];
const HSTS = 'max-age=31536000; includeSubDomains';

before(async () => {
  upstream = http.createServer((request, response) => {
    seen.push(request.url);
    response.writeHead(200, { 'X-Powered-By': 'PHP/5', 'X-Frame-Options': 'DENY', 'Content-Security-Policy': "default-src 'none'", 'Set-Cookie': ['a=1', 'b=2'] });
    response.end('served');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => upstream.once('listening', resolve));
  const url = `http://127.0.0.1:${upstream.address().port}`;
  const routes = [{ path: '/public/*', auth: 'none' }];
  gate = await start([
    gateWorker({ policy: policy({ routes, upstream: url, https: 'redirect', cookie: 'session', cors: { origins: ['https://app.test'] } }) }),
    gateWorker({ name: 'refusing', policy: policy({ routes, upstream: url, https: 'refuse', hsts: { max_age_secs: 60, include_subdomains: false } }) }),
    gateWorker({ name: 'secured', policy: policy({ routes, upstream: url, security_headers: { referrer_policy: 'same-origin', x_xss_protection: false } }) }),
    gateWorker({ name: 'plain', policy: policy({ routes, upstream: url }) }),
  ]);
});
after(() => upstream.close());
after(() => gate.dispose());

/** A request that came over https, as the platform says. */
const secure = async (name, path, init) => {
  const worker = await gate.mf.getWorker(name);
  return worker.fetch(`https://api.example.com${path}`, init);
};

describe('plain http', () => {
  test('goes to https where nothing is lost by it', async () => {
    const count = seen.length;
    for (const method of ['GET', 'HEAD']) {
      const answer = await gate.request(method, '/public/a?b=c%20d', { headers: { 'X-Forwarded-Proto': 'https', Forwarded: 'proto=https' } });
      assert.deepEqual(
        [answer.status, answer.text, answer.headers.location, answer.headers['cache-control'], answer.headers['strict-transport-security']],
        [308, '', 'https://api.example.com/public/a?b=c%20d', 'no-store', undefined],
      );
    }
    for (const method of ['POST', 'DELETE', 'PUT', 'OPTIONS']) refused(await gate.request(method, '/public/a'), 'HTTPS_REQUIRED');
    assert.equal(seen.length, count);
  });

  test('with a credential is refused, and the log says that others may know the credential', async () => {
    const count = seen.length;
    for (const options of [{ token: token() }, { key: 'sk_test_x' }, { basic: 'x' }, { headers: { Cookie: 'a=1; session=x' } }, { headers: { DPoP: 'x' } }]) {
      refused(await gate.get('/v1/a', options), 'HTTPS_REQUIRED', { scheme: 'none' });
    }
    const from = gate.output.lines.length;
    const admin = await gate.get('/auth/admin/keys', { token: SECRETS.ADMIN_TOKEN, headers: { Origin: 'https://app.test' } });
    refused(admin, 'HTTPS_REQUIRED', { scheme: 'none' });
    assert.equal(admin.headers['access-control-allow-origin'], 'https://app.test');
    await gate.output.find((line) => line.includes('"reason":"credential_in_clear"'), Math.max(0, from - 1));
    assert.equal(seen.length, count);
    assert.equal((await gate.get('/public/a', { headers: { Cookie: 'a=1' } })).status, 308);
  });

  test('is refused completely if the policy says so, except for health', async () => {
    refused(await gate.get('/public/a', { gate: 'refusing' }), 'HTTPS_REQUIRED');
    const headers = { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/public/a' };
    refused(await gate.get('/auth/verify', { gate: 'refusing', headers }), 'HTTPS_REQUIRED');
    assert.equal((await gate.get('/auth/health', { gate: 'refusing' })).status, 200);
    assert.equal((await gate.get('/public/a', { gate: 'plain' })).text, 'served');
  });

  test('https passes, and browsers are told to keep to it', async () => {
    for (const [name, hsts] of [['gate', HSTS], ['refusing', 'max-age=60']]) {
      const answer = await secure(name, '/public/a');
      assert.deepEqual([answer.status, answer.headers.get('strict-transport-security')], [200, hsts], name);
      const refusal = await secure(name, '/v1/a');
      assert.deepEqual([refusal.status, refusal.headers.get('strict-transport-security')], [401, hsts], name);
    }
    assert.equal((await secure('plain', '/public/a')).headers.get('strict-transport-security'), null);
  });
});

describe('security headers', () => {
  const DEFAULTS = {
    'cross-origin-opener-policy': 'same-origin', 'cross-origin-resource-policy': 'same-origin', 'origin-agent-cluster': '?1',
    'x-content-type-options': 'nosniff', 'x-dns-prefetch-control': 'off', 'x-download-options': 'noopen', 'x-permitted-cross-domain-policies': 'none',
  };

  test('are added to the service\'s answers if it has none', async () => {
    const { headers, text } = await gate.get('/public/a', { gate: 'secured' });
    for (const [name, value] of Object.entries(DEFAULTS)) assert.equal(headers[name], value, name);
    assert.deepEqual(
      [headers['x-frame-options'], headers['content-security-policy'], headers['referrer-policy'], headers['x-xss-protection'], headers['x-powered-by']],
      ['DENY', "default-src 'none'", 'same-origin', undefined, undefined],
    );
    assert.deepEqual([text, headers['set-cookie'], headers['strict-transport-security']], ['served', ['a=1', 'b=2'], undefined]);
    assert.equal((await secure('secured', '/public/a')).headers.get('strict-transport-security'), HSTS);
  });

  test('are on the gate\'s own answers', async () => {
    for (const path of ['/v1/a', '/a//b', '/auth/health', '/auth/admin/keys', '/auth/nowhere']) {
      const { headers } = await gate.get(path, { gate: 'secured' });
      for (const [name, value] of Object.entries(DEFAULTS)) assert.equal(headers[name], value, `${path} ${name}`);
      assert.equal(headers['x-frame-options'], 'SAMEORIGIN', path);
    }
  });

  test('are on no answer if the policy does not say so', async () => {
    const { headers } = await gate.get('/public/a', { gate: 'plain' });
    assert.deepEqual([headers['x-content-type-options'], headers['x-powered-by']], [undefined, 'PHP/5']);
  });
});
