// `POST /auth/admin/explain`: what the gate would say to a request, and that nothing comes of asking.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { apiKey, gateWorker, policy, refused, start, token } from './harness.mjs';

const IP = '203.0.113.9';

let gate;
before(async () => {
  gate = await start([
    gateWorker({ policy: policy({ failed_authentication: { requests: 3, window_secs: 60 } }) }),
    gateWorker({ name: 'no-admin', policy: policy({ admin: undefined }) }),
  ]);
});
after(() => gate.dispose());

const ask = (body, options) => gate.admin('POST', '/explain', body, options);

async function explained(method, path, headers = {}, options) {
  const answer = await ask({ method, path, headers: { 'CF-Connecting-IP': IP, ...headers } }, options);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['cache-control'], 'no-store');
  return answer.json();
}

const refusing = ({ steps }) => steps.find(({ verdict }) => verdict === 'refused');

describe('what it says', () => {
  test('is what the request itself gets', async () => {
    const good = `Bearer ${token({ scope: 'read:posts' })}`;
    for (const [method, path, headers] of [
      ['GET', '/v1/posts', {}],
      ['GET', '/v1/posts', { Authorization: good }],
      ['GET', '/v1/posts?a=b#c', { authorization: good }],
      ['POST', '/v1/posts', { Authorization: good }],
      ['GET', '/v1/posts', { Authorization: `${good}x` }],
      ['GET', '/v1/posts', { 'X-API-Key': apiKey() }],
      ['GET', '/v1/posts', { 'X-API-Key': apiKey(), Authorization: good }],
      ['GET', '/public/a', {}],
      ['GET', '/public/%2e%2e%2fv1/posts', {}],
      ['DELETE', '/elsewhere', {}],
    ]) {
      const { outcome } = await explained(method, path, headers);
      const answer = await gate.request(method, path, { headers });
      assert.equal(outcome.status, answer.status, `${method} ${path}`);
      assert.equal(outcome.code, answer.status === 200 ? null : answer.json().code);
    }
  });

  test('names the step and the place in the policy', async () => {
    const missing = await explained('GET', '/v1/posts');
    assert.deepEqual(missing.outcome, { status: 401, code: 'MISSING_CREDENTIALS', reason: 'missing_credentials' });
    assert.equal(refusing(missing).step, 'credential');
    assert.equal(refusing(missing).policy_path, `${missing.route}.auth`);
    const scopes = await explained('GET', '/v1/posts', { Authorization: `Bearer ${token({ scope: 'other' })}` });
    assert.equal(refusing(scopes).policy_path, `${scopes.route}.scopes`);
    assert.match(refusing(scopes).detail, /read:posts/);
    const passed = await explained('GET', '/v1/posts', { Authorization: `Bearer ${token({ scope: 'read:posts' })}` });
    assert.deepEqual(passed.outcome, { status: 200, code: null, reason: null });
  });
});

describe('nothing comes of it', () => {
  test('no limit is taken, and no failed attempt is counted', async () => {
    const headers = { Authorization: `Bearer ${token({ sub: 'explained' })}` };
    for (let times = 0; times < 12; times += 1) {
      assert.equal((await explained('GET', '/v1/limited', headers)).outcome.status, 200);
      assert.equal((await explained('GET', '/v1/limited', { Authorization: 'Bearer a.b.c' })).outcome.code, 'INVALID_TOKEN');
    }
    const answer = await gate.get('/v1/limited', { headers, ip: IP });
    assert.match(answer.headers.ratelimit, /r=4\b/);
    refused(await gate.get('/v1/posts', { token: 'a.b.c', ip: IP }), 'INVALID_TOKEN');
  });

  test('no header comes back, in the answer or in the log', async () => {
    const canary = 'c4n4ryc4n4ryc4n4ry';
    for (const name of ['Authorization', 'DPoP', 'X-API-Key', 'Cookie', 'Origin', canary]) {
      for (const value of [canary, `Bearer ${canary}`, `sk_test_${canary}`, `session=${canary}`, `${canary}\n`, `ä${canary}\u0001`]) {
        const answer = await ask({ method: 'GET', path: `/v1/posts?token=${canary}`, headers: { [name]: value } });
        assert.ok(!answer.text.includes(canary), answer.text);
      }
    }
    await gate.output.find((line) => line.includes('/auth/admin'));
    assert.ok(!gate.output.lines.join('\n').includes(canary));
  });
});

describe('it is refused', () => {
  test('without the administrator’s secret, and where there is none', async () => {
    const body = { method: 'GET', path: '/' };
    assert.equal((await gate.post('/auth/admin/explain', { body })).json().code, 'MISSING_CREDENTIALS');
    assert.equal((await gate.post('/auth/admin/explain', { body, token: 'wrong' })).json().code, 'INVALID_TOKEN');
    assert.equal((await gate.admin('GET', '/explain')).status, 405);
    assert.equal((await gate.admin('POST', '/explain', { method: 'GET', path: '/' }, { gate: 'no-admin' })).json().code, 'NOT_FOUND');
  });

  test('for what is no request, or one that no route is asked about', async () => {
    for (const [body, field] of [
      [{ path: '/' }, 'method'], [{ method: 'get', path: '/' }, 'method'], [{ method: 'CONNECT', path: '/' }, 'path'],
      [{ method: 'GET', path: 'https://other.example/' }, 'path'], [{ method: 'GET', path: '' }, 'path'],
      [{ method: 'GET', path: '/auth/health' }, 'path'], [{ method: 'GET', path: '/auth' }, 'path'], [{ method: 'GET', path: '/x/../auth/verify' }, 'path'],
      [{ method: 'GET', path: '/.well-known/jwks.json' }, 'path'],
      [{ method: 'GET', path: '/', headers: { 'a b': 'c' } }, 'headers'], [{ method: 'GET', path: '/', headers: { a: 'b\r\nc: d' } }, 'headers'],
      [{ method: 'GET', path: '/', headers: [] }, 'headers'], [{ method: 'GET', path: '/', body: '' }, 'body'],
    ]) {
      const answer = await ask(body);
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.equal(answer.json().code, 'INVALID_REQUEST');
      assert.ok(answer.json().hint.includes(field), `${JSON.stringify(body)}: ${answer.text}`);
    }
    assert.equal((await gate.admin('POST', '/explain', { method: 'GET', path: '/', headers: { a: 'b'.repeat(70_000) } })).status, 400);
  });
});
