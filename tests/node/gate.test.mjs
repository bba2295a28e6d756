// createGate over memory: decisions, refusals, options that it refuses, and engines that trap.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { createGateOf } from '../../pkg/lib/gate.js';
import { Engine } from '../../pkg/lib/engine.js';
import { nodePlatform } from '../../pkg/lib/node-platform.js';
import { webPlatform } from '../../pkg/lib/web-platform.js';
import { EdgegateError, createGate, memoryStore } from '../../pkg/wasm/node.js';
import { signAsymmetric } from '../worker/token.mjs';
import { CODES, ISSUER, NOW, SECRETS, apiKey, bearer, gateOf, keyIdOf, policy, record, request, token } from './gate.mjs';
import { refusalOf, refusalOfPromise } from './support.mjs';

const wasm = new WebAssembly.Module(readFileSync(new URL('../../pkg/wasm/edgegate_gate_bg.wasm', import.meta.url)));

/** The whole contract of a refusal. */
async function assertRefused(decision, code, reason) {
  assert.equal(decision.ok, false, JSON.stringify(decision));
  const [status, title] = CODES[code];
  assert.deepEqual([decision.code, decision.reason, decision.status], [code, reason, status]);
  const response = decision.response();
  assert.equal(response.status, status);
  assert.equal(response.headers.get('content-type'), 'application/json');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const text = await response.text();
  assert.equal(text, decision.body);
  const { error, code: told, hint, ...rest } = JSON.parse(text);
  assert.deepEqual([error, told, typeof hint, rest], [title, code, 'string', {}]);
  assert.equal(status === 401 || status === 403, response.headers.has('www-authenticate'));
  assert.equal(status === 429 || status === 503, response.headers.has('retry-after'));
}

const posts = (headers, method) => request('/v1/posts', headers, method);
const jwt = (claims, options) => posts(bearer(token({ scope: 'read:posts', ...claims }, options)));

describe('admits', () => {
  test('a token, with all that is known of its bearer', async () => {
    const { gate } = gateOf();
    const claims = { jti: 't1', scope: 'read:posts write:posts', tenant: { id: 7 }, __proto__: { x: 1 } };
    assert.deepEqual(await gate.check(jwt(claims)), {
      ok: true,
      identity: {
        method: 'jwt', subject: 'alice', issuer: ISSUER, scopes: ['read:posts', 'write:posts'], tokenId: 't1',
        claims: { iss: ISSUER, aud: 'https://api.example.com', sub: 'alice', exp: NOW + 600, ...claims },
      },
      route: '/v1/posts',
      headers: {},
      forward: {
        'X-Auth-Method': 'jwt', 'X-Auth-Subject': 'alice', 'X-Auth-Issuer': ISSUER, 'X-Auth-Scopes': 'read:posts write:posts',
      },
      caching: { 'Cache-Control': 'private' },
    });
  });

  test('an API key with a record, and notes its use after the answer', async () => {
    const { gate, stores, clock } = gateOf();
    const key = apiKey();
    const id = keyIdOf(key);
    await stores.keys.put(`key/v1/${id}`, record(id), {});
    const promises = [];
    const decision = await gate.check(posts({ 'x-api-key': key }), { waitUntil: (promise) => promises.push(promise) });
    assert.deepEqual(decision, {
      ok: true,
      identity: { method: 'api_key', subject: 'alice', scopes: ['read:posts'], keyId: id },
      route: '/v1/posts',
      headers: {},
      forward: { 'X-Auth-Method': 'api_key', 'X-Auth-Subject': 'alice', 'X-Auth-Scopes': 'read:posts', 'X-Auth-Key-Id': id },
      caching: { 'Cache-Control': 'private' },
    });
    await Promise.all(promises);
    assert.deepEqual(await stores.keys.get([`used/v1/${id}`]), [String(NOW)]);
    clock.now += 299;
    await gate.check(posts({ 'x-api-key': key }), { waitUntil: (promise) => promises.push(promise) });
    clock.now += 1;
    await gate.check(posts({ 'x-api-key': key }), { waitUntil: (promise) => promises.push(promise) });
    assert.equal(promises.length, 2, 'once in five minutes');
  });

  test('anybody on an open route', async () => {
    const { gate } = gateOf();
    const open = await gate.check(request('/public/a'));
    assert.deepEqual([open.ok, open.identity], [true, { method: 'anonymous', scopes: [] }]);
  });

  test('a preflight: answered, passed on or refused', async () => {
    const headers = { origin: 'https://a.test', 'access-control-request-method': 'GET' };
    const preflight = (of, path = '/v1/posts') => of.gate.check(request(path, headers, 'OPTIONS'));
    const events = [];
    const answered = await preflight(gateOf({ policy: { ...policy(), log: 'all' }, log: (event) => events.push(event) }));
    const { ok, code, status, route, body, headers: told } = answered;
    assert.deepEqual({ ok, code, status, route, body, told }, {
      ok: false, code: undefined, status: 204, route: '/v1/posts', body: '', told: { 'Cache-Control': 'no-store' },
    });
    const response = answered.response();
    assert.deepEqual([response.status, response.body, response.headers.get('cache-control')], [204, null, 'no-store']);
    assert.deepEqual(events.map(({ event, code: none }) => [event, none]), [['answered', undefined]]);
    const passing = gateOf({ policy: { ...policy(), preflight: 'pass', routes: [{ path: '/refused', preflight: 'refuse' }] } });
    const passed = await preflight(passing);
    assert.deepEqual([passed.ok, passed.identity, passed.forward], [true, { method: 'anonymous', scopes: [] }, { 'X-Auth-Method': 'anonymous' }]);
    await assertRefused(await preflight(passing, '/refused'), 'NOT_ALLOWED', 'preflight_not_passed');
    await assertRefused(await passing.gate.check(request('/v1/posts', { origin: 'https://a.test' }, 'OPTIONS')), 'MISSING_CREDENTIALS', 'missing_credentials');
  });

  test('a claim is the segment of the path, as in the Worker', async () => {
    const { gate } = gateOf({ policy: { ...policy(), routes: [{ path: '/orgs/{org}/*', claims: { org_id: '{org}' } }] } });
    const ask = (path, org_id) => gate.check(request(path, { authorization: `Bearer ${token({ org_id })}` }));
    assert.equal((await ask('/orgs/acme/x', 'acme')).ok, true);
    assert.equal((await ask('/orgs/%61cme/x?org=other', ['other', 'acme'])).ok, true);
    for (const org of ['other', 'Acme', undefined]) await assertRefused(await ask('/orgs/acme/x', org), 'NOT_ALLOWED', 'claim_not_allowed');
  });

  test('what a route answers itself', async () => {
    const routes = [
      { path: '/text', auth: 'none', answer: { body: 'hello' }, limits: ['one'] }, { path: '/json', answer: { status: 410, body: { gone: true } } },
      { path: '/empty', auth: 'none', answer: { status: 204 } },
    ];
    const limits = [{ name: 'one', by: 'ip', requests: 1, window_secs: 60, store: 'memory' }];
    const { gate } = gateOf({ policy: { ...policy(), routes, limits } });
    const told = async (...args) => {
      const { ok, code, status, body, headers } = await gate.check(request(...args));
      return [ok, code, status, body, headers['Content-Type'], headers['Cache-Control']];
    };
    assert.deepEqual(await told('/text'), [false, undefined, 200, 'hello', 'text/plain; charset=utf-8', 'no-store']);
    assert.equal((await told('/text'))[1], 'RATE_LIMITED');
    assert.equal((await told('/json'))[1], 'MISSING_CREDENTIALS');
    const headers = { authorization: `Bearer ${token()}` };
    assert.deepEqual(await told('/json', headers), [false, undefined, 410, '{"gone":true}', 'application/json', 'no-store']);
    assert.deepEqual(await told('/empty'), [false, undefined, 204, '', undefined, 'no-store']);
    assert.equal((await gate.check(request('/empty'))).response().status, 204);
  });

  test('to a preflight of such a route what the page may send, also where preflights pass', async () => {
    const routes = [{ path: '/text', answer: { body: 'hello' }, cors: { origins: ['https://app.test'] } }];
    const { gate } = gateOf({ policy: { ...policy(), routes, preflight: 'pass' } });
    const asked = { origin: 'https://app.test', 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization' };
    const { ok, code, status, body, headers } = await gate.check({ method: 'OPTIONS', url: '/text', headers: asked });
    assert.deepEqual([ok, code, status, body], [false, undefined, 204, '']);
    assert.deepEqual([headers['Access-Control-Allow-Methods'], headers['Access-Control-Allow-Headers']], ['PUT', 'authorization']);
  });

  test('what an answer has to tell caches', async () => {
    const routes = [{ path: '/open', auth: 'none' }, { path: '/both', auth: 'optional' }];
    const headers = { authorization: `Bearer ${token()}` };
    const caching = async (changes, ...args) => (await gateOf({ policy: { ...policy(), routes, ...changes } }).gate.check(request(...args))).caching;
    const vary = { Vary: 'Authorization, X-API-Key' };
    assert.deepEqual(await caching({}, '/a', headers), { 'Cache-Control': 'private' });
    assert.deepEqual(await caching({}, '/open', headers), {});
    assert.deepEqual(await caching({}, '/both'), vary);
    assert.deepEqual(await caching({}, '/both', headers), { 'Cache-Control': 'private', ...vary });
    assert.deepEqual(await caching({ cookie: 'session' }, '/both'), { Vary: 'Authorization, X-API-Key, Cookie' });
    for (const path of ['/a', '/both']) assert.deepEqual(await caching({ cache: 'upstream' }, path, headers), {});
    const inside = { routes: [{ path: '/open', auth: 'none', ips: ['192.0.2.0/24'] }] };
    const { gate } = gateOf({ policy: { ...policy(), ...inside } });
    assert.deepEqual((await gate.check(request('/open'), { clientIp: '192.0.2.7' })).caching, { 'Cache-Control': 'private' });
  });

  test('requests in every form', async () => {
    const { gate } = gateOf();
    const authorization = `Bearer ${token({ scope: 'read:posts' })}`;
    for (const headers of [{ Authorization: authorization }, { authorization: [authorization] }, new Headers({ authorization })]) {
      for (const url of ['/v1/posts?a=https://b/', 'https://gate.test/v1/posts', 'http://gate.test/v1/posts#x']) {
        const decision = await gate.check({ method: 'GET', url, headers });
        assert.deepEqual([decision.ok, decision.route], [true, '/v1/posts'], url);
      }
    }
  });

  test('texts of any characters reach the engine and come back as they are', async () => {
    const { gate } = gateOf();
    for (const sub of ['a\nb', '\n', '\\', '\\n', 'a\\\n\\\\nb', 'Zoë 🐘', '\u0000', '__proto__', 'admitted']) {
      const { ok, identity, forward } = await gate.check(jwt({ sub, jti: sub }));
      assert.deepEqual([ok, identity.subject, identity.tokenId, identity.claims.sub], [true, sub, sub, sub]);
      assert.equal(decodeURIComponent(forward['X-Auth-Subject']), sub);
    }
    const { gate: strict } = gateOf({ policy: { ...policy(), cookie: 'session' } });
    const cookie = (value) => ({ method: 'GET', url: '/v1/posts', headers: { cookie: value } });
    const value = token({ scope: 'read:posts' });
    for (const other of ['a=\\', 'a=Zoë', 'a=\n', 'a=\\n']) {
      assert.equal((await strict.check(cookie(`${other}; session=${value}`))).ok, true, other);
    }
  });

  test('a cookie decides for pages of the policy’s origin alone, where something changes', async () => {
    const { gate } = gateOf({ policy: { ...policy(), cookie: 'session', origin: 'https://gate.test' } });
    const cookie = `session=${token({ scope: 'read:posts write:posts' })}`;
    const ask = async (method, headers) => {
      const given = { cookie, ...headers };
      const decisions = await Promise.all([
        gate.check({ method, url: '/v1/posts', headers: given }),
        gate.check(request('/v1/posts', given, method)),
        gate.check({ method, url: '/v1/posts', rawHeaders: Object.entries(given).flat(), headers: given, httpVersion: '1.1' }),
      ]);
      const [code, ...others] = decisions.map(({ ok, code }) => (ok ? 'ok' : code));
      assert.deepEqual(others, [code, code], JSON.stringify(headers));
      return code;
    };
    assert.equal(await ask('GET', { 'Sec-Fetch-Site': 'cross-site' }), 'ok');
    for (const headers of [{ 'Sec-Fetch-Site': 'same-origin' }, { Origin: 'https://gate.test' }]) assert.equal(await ask('POST', headers), 'ok');
    for (const headers of [{}, { 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.test' }]) assert.equal(await ask('POST', headers), 'CSRF_REFUSED');
    for (const opens of [{ Upgrade: 'websocket' }, { 'Sec-WebSocket-Version': '13' }, { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' }]) {
      assert.equal(await ask('GET', { ...opens, Origin: 'https://evil.test' }), 'CSRF_REFUSED');
    }
  });

  test('each token is judged by its own header, whichever came before', async () => {
    const { gate } = gateOf();
    const header = async (own) => (await gate.check(jwt({}, { header: own }))).reason ?? 'admitted';
    for (const [own, expected] of [
      [{}, 'admitted'], [{ crit: ['x'], x: 1 }, 'unsupported_critical'], [{}, 'admitted'], [{ alg: 'none' }, 'algorithm_not_allowed'],
      [{ alg: 'HS512' }, 'algorithm_not_allowed'], [{}, 'admitted'],
    ]) assert.equal(await header(own), expected, JSON.stringify(own));
  });

  test('a log that asks the gate in turn changes nothing of the decision it is told of', async () => {
    let gate;
    let other;
    let asks = true;
    const log = () => {
      if (!asks) return;
      asks = false;
      other = gate.check(jwt({ sub: 'mallory', role: 'admin' }));
    };
    // Without stores, so that everything is decided within the call.
    const { issuers } = policy();
    ({ gate } = gateOf({ policy: { issuers, routes: [{ path: '/v1/posts' }], log: 'all' }, log }));
    const { identity } = await gate.check(jwt({ sub: 'alice' }));
    assert.deepEqual([identity.subject, identity.claims.sub, identity.claims.role], ['alice', 'alice', undefined]);
    const { identity: mallory } = await other;
    assert.deepEqual([mallory.subject, mallory.claims.sub], ['mallory', 'mallory']);
  });

  test('no text of a request is taken for another one', async () => {
    const { gate } = gateOf();
    const authorization = `Bearer ${token({ scope: 'read:posts' })}`;
    const smuggled = ['\n', '\n\n', '\\n', '\\', '\n\n\n\n'].map((lines) => `${lines}${authorization}${lines}${authorization}`);
    for (const text of smuggled) {
      const asked = { method: 'GET', url: '/v1/posts', headers: {} };
      for (const request of [
        { ...asked, method: `GET${text}` }, { ...asked, url: `/v1/posts${text}` }, { ...asked, url: `/v1/posts?${text}` },
        { ...asked, headers: { accept: text, origin: text, dpop: text } },
      ]) {
        const { ok, code } = await gate.check(request);
        assert.equal(ok, false);
        assert.match(code, /^(MISSING_CREDENTIALS|INVALID_REQUEST|NOT_FOUND|METHOD_NOT_ALLOWED)$/);
      }
      for (const options of [{ clientIp: text }, { path: `/v1/posts${text}` }]) {
        assert.equal((await gate.check(asked, options)).ok, false);
      }
    }
  });

  test('a header that comes twice, in every form', async () => {
    const { gate } = gateOf();
    const one = `Bearer ${token({ scope: 'read:posts' })}`;
    const check = async (rest) => (await gate.check({ method: 'GET', url: '/v1/posts', ...rest })).code;
    const twice = new Headers({ authorization: one });
    twice.append('authorization', one);
    for (const rest of [
      { headers: { authorization: [one, one] } }, { headers: { authorization: one, Authorization: one } }, { headers: twice },
      { headers: {}, rawHeaders: ['Authorization', one, 'Host', 'a', 'AUTHORIZATION', one] },
    ]) assert.equal(await check(rest), 'MULTIPLE_CREDENTIALS');
  });

  test('the address that the caller of check names, not one that callers can write', async () => {
    const clientOf = async (given, options, asked = {}) => {
      const { gate, events } = gateOf({ policy: policy(asked) });
      await gate.check(given, options);
      return events[0].client;
    };
    const spoofed = { 'cf-connecting-ip': '192.0.2.9', 'x-forwarded-for': '192.0.2.9' };
    assert.equal(await clientOf(posts(spoofed)), 'unknown');
    assert.equal(await clientOf(posts(spoofed), { clientIp: '192.0.2.1' }), '192.0.2.1');
    assert.equal(await clientOf(posts(spoofed), {}, { client_ip_header: 'X-Forwarded-For' }), '192.0.2.9');
    const socket = { remoteAddress: '2001:db8:0:1::7' };
    assert.equal(await clientOf({ method: 'GET', url: '/', headers: spoofed, socket }), '2001:db8:0:1::/64');
    assert.equal(await clientOf(posts({}), { clientIp: 'nonsense' }), 'unknown');
  });

  test("Node's own requests, of which two credentials are two", async () => {
    const { gate } = gateOf();
    const server = http.createServer(async (incoming, response) => {
      const decision = await gate.check(incoming);
      response.end(JSON.stringify([decision.ok, decision.code ?? decision.identity.subject]));
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => { server.once('listening', resolve); });
    try {
      const ask = (headers) => new Promise((resolve, reject) => {
        http.get({ host: '127.0.0.1', port: server.address().port, path: '/v1/posts', headers, agent: false }, async (response) => {
          resolve(JSON.parse(await text(response)));
        }).on('error', reject);
      });
      const good = `Bearer ${token({ scope: 'read:posts' })}`;
      assert.deepEqual(await ask({ Authorization: good }), [true, 'alice']);
      assert.deepEqual(await ask(['Host', 'x', 'Authorization', good, 'Authorization', 'Bearer other']), [false, 'MULTIPLE_CREDENTIALS']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

async function text(stream) {
  let all = '';
  for await (const chunk of stream) all += chunk;
  return all;
}

describe('refuses with each code', () => {
  const cases = {
    MISSING_CREDENTIALS: ['missing_credentials', () => posts({})],
    INVALID_TOKEN: ['bad_signature', () => posts(bearer(token({}, { secret: 'x'.repeat(32) })))],
    TOKEN_EXPIRED: ['token_expired', () => jwt({ exp: NOW })],
    TOKEN_NOT_YET_VALID: ['token_not_yet_valid', () => jwt({ nbf: NOW + 1 })],
    INVALID_API_KEY: ['unknown_api_key', () => posts({ 'x-api-key': apiKey() })],
    API_KEY_EXPIRED: ['api_key_expired', () => posts({ 'x-api-key': apiKey({ expiryMinutes: NOW / 60 }) })],
    WRONG_ENVIRONMENT: ['wrong_environment', () => posts({ 'x-api-key': apiKey({ environment: 'live' }) })],
    INSUFFICIENT_SCOPE: ['insufficient_scope', () => jwt({ scope: 'write:posts' })],
    INVALID_REQUEST: ['invalid_request', () => request('/a//b')],
    MULTIPLE_CREDENTIALS: ['multiple_credentials', () => posts({ ...bearer('a.b.c'), 'x-api-key': apiKey() })],
  };
  for (const [code, [reason, make]] of Object.entries(cases)) {
    test(code, async () => {
      const { gate, events } = gateOf();
      const decision = await gate.check(make());
      await assertRefused(decision, code, reason);
      assert.equal(events.length, 1);
      const { event, at, code: told, reason: why, detail, method, client } = events[0];
      assert.deepEqual([event, at, told, why, detail, method, client], ['refused', NOW * 1000, code, reason, decision.message, 'GET', 'unknown']);
    });
  }

  test('and says where the resource describes itself, if the policy does', async () => {
    const url = 'https://api.example.com/.well-known/oauth-protected-resource';
    const { gate } = gateOf({ policy: policy({ resource_metadata: url }) });
    const { headers } = await gate.check(posts({}));
    assert.equal(headers['WWW-Authenticate'], `Bearer realm="edgegate", resource_metadata="${url}"`);
  });

  test('TOKEN_REVOKED and API_KEY_REVOKED, as soon as the entry is believed', async () => {
    const { gate, stores, clock } = gateOf();
    const { hash } = await import('node:crypto').then(({ createHash }) => ({
      hash: (kind, ...parts) => {
        const digest = createHash('sha256').update('edgegate-deny-v1\0').update(Buffer.from([kind]));
        for (const part of parts) {
          const length = Buffer.alloc(8);
          length.writeBigUInt64BE(BigInt(part.length));
          digest.update(length).update(part);
        }
        return `deny/v1/${digest.digest('base64url')}`;
      },
    }));
    assert.equal((await gate.check(jwt({ jti: 'gone' }))).ok, true);
    const entry = (target) => JSON.stringify({ v: 1, target, created_at: NOW });
    await stores.revocation.put(hash(1, ISSUER, 'gone'), entry({ kind: 'token', iss: ISSUER, jti: 'gone' }), {});
    clock.now += 9;
    assert.equal((await gate.check(jwt({ jti: 'gone' }))).ok, true, 'believed for cache_secs');
    clock.now += 1;
    await assertRefused(await gate.check(jwt({ jti: 'gone' })), 'TOKEN_REVOKED', 'token_revoked');
    assert.equal((await gate.check(jwt({ jti: 'other' }))).ok, true);

    const key = apiKey();
    const id = keyIdOf(key);
    await stores.keys.put(`key/v1/${id}`, record(id), {});
    await stores.revocation.put(hash(4, Buffer.from(id, 'hex')), entry({ kind: 'api_key', id }), {});
    await assertRefused(await gate.check(posts({ 'x-api-key': key })), 'API_KEY_REVOKED', 'api_key_revoked');
  });

  test('a record can refuse a genuine key', async () => {
    const { gate, stores } = gateOf();
    for (const [rest, code, reason] of [
      [{ disabled: true }, 'API_KEY_REVOKED', 'api_key_revoked'],
      [{ revoked_at: NOW - 1 }, 'API_KEY_REVOKED', 'api_key_revoked'],
      [{ expires_at: NOW }, 'API_KEY_EXPIRED', 'api_key_expired'],
      [{ scopes: [] }, 'INSUFFICIENT_SCOPE', 'insufficient_scope'],
    ]) {
      const key = apiKey();
      const id = keyIdOf(key);
      await stores.keys.put(`key/v1/${id}`, record(id, rest), {});
      const decision = await gate.check(posts({ 'x-api-key': key }));
      assert.deepEqual([decision.code, decision.reason], [code, reason]);
    }
  });

  test('RATE_LIMITED, of a limit and of failed authentication', async () => {
    const { gate, clock } = gateOf();
    const limited = () => gate.check(request('/v1/limited', bearer(token())));
    const headers = [];
    for (let index = 0; index < 5; index += 1) headers.push((await limited()).headers.RateLimit);
    assert.deepEqual(headers.map((one) => /r=(\d)/.exec(one)[1]), ['4', '3', '2', '1', '0']);
    const refused = await limited();
    await assertRefused(refused, 'RATE_LIMITED', 'rate_limited');
    assert.equal(refused.headers['RateLimit-Policy'], '"limited";q=5;w=60');
    clock.now += Number(refused.headers['Retry-After']);
    assert.equal((await limited()).ok, true);

    const guess = (clientIp) => gate.check(posts(bearer('a.b.c')), { clientIp });
    for (let index = 0; index < 5; index += 1) assert.equal((await guess('192.0.2.1')).code, 'INVALID_TOKEN');
    assert.equal((await guess('192.0.2.1')).code, 'RATE_LIMITED');
    assert.equal((await guess('::ffff:192.0.2.1%eth0')).code, 'RATE_LIMITED', 'the same address in other clothes');
    assert.equal((await guess('192.0.2.2')).code, 'INVALID_TOKEN');
    const good = await gate.check(jwt(), { clientIp: '192.0.2.1' });
    assert.equal(good.ok, true, 'a genuine credential passes');
  });

  test('STORE_UNAVAILABLE when a store throws, returns something else, or holds what is not ours', async () => {
    const throwing = () => { throw new Error('no connection\nsecret'); };
    for (const [get, detail] of [
      [throwing, 'no connection'],
      [async () => throwing(), 'no connection'],
      [async () => [], 'get: expected a list of 2'],
      [async () => 'xx', 'get: expected a list of 2'],
      [async () => [7, 7], 'get: expected strings and nulls'],
      [async () => ['{}', null], undefined],
    ]) {
      const store = { ...methods(memoryStore()), get };
      const { gate, events } = gateOf({ stores: { revocation: store } });
      const decision = await gate.check(jwt());
      await assertRefused(decision, 'STORE_UNAVAILABLE', 'store_unavailable');
      assert.equal(decision.headers['Retry-After'], '5');
      if (detail) assert.equal(decision.message, `store revocation: ${detail}`);
      assert.ok(!events[0].detail.includes('secret'));
      const allowed = gateOf({ policy: policy({ revocation: { mode: 'entries', on_error: 'allow' } }), stores: { revocation: store } });
      assert.equal((await allowed.gate.check(jwt())).ok, true, 'where the policy says so');
      assert.deepEqual([allowed.events[0].event, allowed.events[0].faults.length], ['admitted', 1]);
    }
  });

  test('counters that fail, or hold what is not ours, by on_error', async () => {
    const limits = (on_error) => policy({ limits: [{ ...policy().limits[0], on_error }] });
    const broken = [
      { compareAndSet: async () => { throw new Error('gone'); } },
      { compareAndSet: async () => 'yes' },
      { get: async () => ['{"v":1,"cells":7}'] },
      { get: async () => ['{"v":2,"cells":{}}'] },
    ];
    for (const rest of broken) {
      const counters = { ...methods(memoryStore()), ...rest };
      const ask = (on_error) => gateOf({ policy: limits(on_error), stores: { counters } }).gate.check(request('/v1/limited', bearer(token())));
      await assertRefused(await ask('deny'), 'STORE_UNAVAILABLE', 'store_unavailable');
      assert.equal((await ask('allow')).ok, true);
    }
  });

  test('KEYS_UNAVAILABLE when the issuer does not answer', async () => {
    const issuers = [{ issuer: ISSUER, audience: ['https://api.example.com'], algorithms: ['ES256'], jwks_uri: 'http://127.0.0.1:9/jwks' }];
    const { gate } = gateOf({ policy: policy({ issuers }) });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const decision = await gate.check(posts(bearer(signAsymmetric({ iss: ISSUER }, { key: privateKey, alg: 'ES256' }))));
    await assertRefused(decision, 'KEYS_UNAVAILABLE', 'keys_unavailable');
  });

  test('as RFC 9457 for those who ask for it', async () => {
    const { gate } = gateOf();
    const response = (await gate.check(posts({ accept: 'application/problem+json' }))).response();
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    assert.equal((await response.json()).type, 'urn:edgegate:error:missing-credentials');
  });
});

const methods = (store) => Object.fromEntries(
  ['get', 'put', 'delete', 'list', 'compareAndSet'].map((name) => [name, store[name].bind(store)]),
);

describe('published keys', () => {
  for (const [name, platform] of [['node:crypto', nodePlatform(() => wasm)], ['WebCrypto', webPlatform({ load: () => wasm, sharesPromises: true })]]) {
    test(`are fetched once for all who wait, and verify with ${name}`, async () => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      let fetches = 0;
      const server = http.createServer((_, response) => {
        fetches += 1;
        response.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] }));
      }).listen(0, '127.0.0.1');
      await new Promise((resolve) => { server.once('listening', resolve); });
      try {
        const jwks_uri = `http://127.0.0.1:${server.address().port}/`;
        const issuers = [{ issuer: ISSUER, audience: ['https://api.example.com'], algorithms: ['ES256'], jwks_uri }];
        const { gate } = gateOf({ policy: policy({ issuers }), create: createGateOf(new Engine(platform)) });
        const claims = { iss: ISSUER, aud: 'https://api.example.com', exp: NOW + 600, scope: 'read:posts' };
        const good = signAsymmetric(claims, { key: privateKey, alg: 'ES256', header: { kid: 'k' } });
        const forged = signAsymmetric({ ...claims, sub: 'eve' }, { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, alg: 'ES256', header: { kid: 'k' } });
        const all = await Promise.all([good, forged, good, forged].map((one) => gate.check(posts(bearer(one)))));
        assert.deepEqual(all.map((one) => one.reason ?? one.identity.keyId), ['k', 'bad_signature', 'k', 'bad_signature']);
        assert.equal(fetches, 1);
      } finally {
        server.closeAllConnections();
        server.close();
      }
    });
  }
});

describe('limits over stores that are slow and shared', () => {
  /** A store whose answers come in later turns of the event loop, in a seeded disorder. */
  function slow(store) {
    let seed = 1;
    const later = () => new Promise((resolve) => {
      seed = (seed * 48_271) % 0x7fffffff;
      let turns = seed % 4;
      const step = () => (turns-- > 0 ? setImmediate(step) : resolve());
      step();
    });
    return Object.fromEntries(Object.entries(methods(store)).map(([name, method]) => [name, async (...args) => {
      await later();
      const answer = await method(...args);
      await later();
      return answer;
    }]));
  }

  for (const algorithm of ['fixed-window', 'sliding-window', 'token-bucket']) {
    test(`${algorithm}: exactly the limit of 200 at once, over one gate and over four`, async () => {
      const limits = [
        { ...policy().limits[0], requests: 40, algorithm },
        { ...policy().limits[0], name: 'all', by: 'route', requests: 60, algorithm },
      ];
      const routes = [{ path: '/v1/limited', limits: ['limited', 'all'] }];
      for (const gates of [1, 4]) {
        const counters = slow(memoryStore({ now: () => NOW }));
        const all = Array.from({ length: gates }, () => gateOf({ policy: policy({ limits, routes }), stores: { counters } }).gate);
        const decisions = await Promise.all(Array.from({ length: 200 }, (_, index) =>
          all[index % gates].check(request('/v1/limited', bearer(token({ sub: index < 150 ? 'a' : 'b' }))))));
        const admitted = (from, to) => decisions.slice(from, to).filter(({ ok }) => ok).length;
        const [a, b] = [admitted(0, 150), admitted(150, 200)];
        assert.ok(a <= 40 && b <= 40 && a + b <= 60, `${a} + ${b}`);
        // If one limit takes a request and another refuses it, the first gives it back. So in the end as many pass as may.
        const again = [];
        for (let index = 0; index < 40; index += 1) again.push(await all[0].check(request('/v1/limited', bearer(token({ sub: index % 2 ? 'a' : 'b' })))));
        assert.equal(a + b + again.filter(({ ok }) => ok).length, 60, `${a} + ${b} of ${gates}`);
        assert.ok(decisions.filter(({ ok }) => !ok).every(({ code }) => code === 'RATE_LIMITED'));
      }
    });
  }

  test('one limit is used up to the last, however many gates contend', async () => {
    const counters = slow(memoryStore({ now: () => NOW }));
    const limits = [{ ...policy().limits[0], requests: 100 }];
    const all = Array.from({ length: 8 }, () => gateOf({ policy: policy({ limits }), stores: { counters } }).gate);
    const decisions = await Promise.all(Array.from({ length: 200 }, (_, index) => all[index % 8].check(request('/v1/limited', bearer(token())))));
    assert.equal(decisions.filter(({ ok }) => ok).length, 100);
  });
});

test('the path that the application routes by finds the route, whatever the URL is', async () => {
  const { gate } = gateOf({ policy: policy({ routes: [{ path: '/public/*', auth: 'none' }, { path: '/admin', scopes: { all: ['admin'] } }] }) });
  const asked = async (url, path, headers = {}) => {
    const { ok, code, route } = await gate.check({ method: 'GET', url, headers }, { path });
    return ok ? route : code;
  };
  assert.equal(await asked('/public/x', '/admin'), 'MISSING_CREDENTIALS');
  assert.equal(await asked('https://gate.test/public/x', '/admin?/public/x', bearer(token())), 'INSUFFICIENT_SCOPE');
  assert.equal(await asked('/admin', '/public/x'), '/public/*');
  assert.equal(await asked('/public/x', undefined), '/public/*');
  for (const path of ['', 'public/x', '//public/x', '/public/../admin', '*', 'http://u@x/public/x']) {
    assert.equal(await asked('/public/x', path), 'INVALID_REQUEST', path);
  }
  assert.deepEqual(await refusalOfPromise(gate.check(request('/public/x'), { path: 5 }), EdgegateError), {
    code: 'INVALID_REQUEST', reason: 'invalid_field', message: 'path: expected a string', path: 'path',
  });
});

describe('is not made of', () => {
  const stores = { revocation: memoryStore(), keys: memoryStore(), counters: memoryStore() };
  const options = { secrets: SECRETS, stores };
  const config = (message, path) => ({ code: 'CONFIG_ERROR', reason: 'config', message: path ? `${path}: ${message}` : message, ...(path && { path }) });
  const plain = Object.fromEntries(Object.entries(methods(memoryStore())).filter(([name]) => name !== 'compareAndSet'));
  const withProofs = policy({ dpop: { replays: 'shared' }, limits: [], routes: [] });
  const withLimit = (rest) => policy({ limits: [{ ...policy().limits[0], ...rest }] });
  for (const [name, given, rest, expected] of [
    ['no policy', 7, {}, config('expected an object as policy')],
    ['text that is no JSON', '{', {}, config('the policy is no JSON')],
    ['text that names a member twice', JSON.stringify(policy()).replace(/^\{/, '{"failed_authentication":{"enabled":true,"enabled":false},'), {}, config('is given twice', 'failed_authentication.enabled')],
    ['text that names a section twice', JSON.stringify(policy()).replace(/^\{/, '{"log":"all","log":"none",'), {}, config('is given twice', 'log')],
    ['text that names a member of a key twice', JSON.stringify({ issuers: [{ issuer: 'a', algorithms: ['HS256'] }] }).replace('"HS256"]', '"HS256"],"jwks":{"keys":[{"kid":"a","kid":"b"}]}'), {}, config('is given twice', 'issuers[0].jwks.keys[0].kid')],
    ['an unknown option', policy(), { store: 1 }, config('is not a known option, expected one of secrets, stores, now, log, waitUntil, watch, mail, passwords', 'store')],
    ['an unknown store', policy(), { stores: { counter: stores.keys } }, config('is not a known option, expected one of revocation, counters, keys, jwks, sessions, accounts, watch', 'stores.counter')],
    ['a store without methods', policy(), { stores: { ...stores, keys: {} } }, config('expected a store like memoryStore(), get, put, delete, list missing', 'stores.keys')],
    ['no store of revocations', policy(), { stores: { keys: stores.keys, counters: stores.counters } }, config('the policy has revocation, expected a store', 'stores.revocation')],
    ['no store of keys', policy(), { stores: { ...stores, keys: undefined } }, config('the policy looks up records of API keys, expected a store', 'stores.keys')],
    ['no store of counters', policy(), { stores: { ...stores, counters: undefined } }, config('limits[0].store is exact and shared, expected a store', 'stores.counters')],
    ['counters without compareAndSet', policy(), { stores: { ...stores, counters: plain } }, config('limits[0].store is exact and shared, expected a store with compareAndSet; Workers KV has none', 'stores.counters')],
    ['no store of proofs', withProofs, { stores: { ...stores, counters: undefined } }, config('dpop.replays is exact and shared, expected a store', 'stores.counters')],
    ['proofs without compareAndSet', withProofs, { stores: { ...stores, counters: plain } }, config('dpop.replays is exact and shared, expected a store with compareAndSet; Workers KV has none', 'stores.counters')],
    ['an unknown store of proofs', policy({ dpop: { replays: 'kv' } }), {}, config('expected one of memory, durable-object, shared', 'dpop.replays')],
    ['a scheme that nobody knows', { ...policy(), https: 'refuse' }, {}, config('the Worker alone knows by which scheme it was asked', 'https')],
    ['sessions without a store of their own', { ...policy(), sessions: { issuer: 'https://gate.test/', audience: ['https://gate.test'], secret: 'SESSION_SECRET' } }, {}, config('sessions is exact and shared, expected a store', 'stores.sessions')],
    ['headers of the Worker', { ...policy(), security_headers: true }, {}, config('the Worker alone sets them: an application has its own, like helmet', 'security_headers')],
    ['HSTS', { ...policy(), hsts: true }, {}, config('the Worker alone sets them: an application has its own, like helmet', 'hsts')],
    ['a binding of the Worker', withLimit({ store: 'binding', binding: 'RL' }), {}, config('the Worker alone has this one, expected memory or shared', 'limits[0].store')],
    ['a header of addresses that is no text', { ...policy(), client_ip_header: 7 }, {}, config('expected a string, found a whole number', 'client_ip_header')],
    ['a missing secret', policy(), { secrets: { ...SECRETS, JWT_SECRET: undefined } }, config('expected a string or bytes', 'secrets.JWT_SECRET')],
    ['no secret at all', policy(), { secrets: {} }, config('there is no secret named JWT_SECRET', 'issuers[0].secret')],
    ['a short secret', policy(), { secrets: { ...SECRETS, JWT_SECRET: 'short' } }, config('secret has 5 bytes, expected at least 32', 'issuers[0].secret')],
    ['an unknown field', policy({ limit: [] }), {}, undefined],
    ['a log that is no function', policy(), { log: 1 }, config('expected a function', 'log')],
  ]) {
    test(name, () => {
      const refusal = refusalOf(() => createGate(given, { ...options, ...rest }), EdgegateError);
      if (expected) assert.deepEqual(refusal, expected);
      else assert.equal(refusal.code, 'CONFIG_ERROR');
    });
  }

  test('secrets that the policy does not name are not looked at, and bytes are secrets', async () => {
    const secrets = new Proxy({ ...SECRETS, JWT_SECRET: new TextEncoder().encode(SECRETS.JWT_SECRET) }, {
      get(target, name) {
        assert.ok(Object.hasOwn(SECRETS, name), String(name));
        return target[name];
      },
    });
    const { gate } = gateOf({ secrets });
    assert.equal((await gate.check(jwt())).ok, true);
  });

  test('anything but a request is refused as such', async () => {
    const { gate } = gateOf();
    for (const [given, path] of [[undefined, 'request'], [{ method: 'GET' }, 'request'], [{ method: 'GET', url: '/' }, 'request.headers']]) {
      assert.equal((await refusalOfPromise(gate.check(given), EdgegateError)).path, path);
    }
    assert.equal((await refusalOfPromise(gate.check(request('/'), { clientIp: 7 }), EdgegateError)).path, 'clientIp');
    assert.equal((await refusalOfPromise(gate.check(request('/'), { ip: '' }), EdgegateError)).path, 'ip');
  });
});

describe('an engine that traps', () => {
  const trap = new WebAssembly.Instance(new WebAssembly.Module(
    // (module (func (export "trap") unreachable))
    Buffer.from('0061736d010000000104016000000302010007080104747261700000' + '0a05010300000b', 'hex'),
  )).exports.trap;

  /** A gate in whose instances the export `state.armed` traps. */
  function fragile(options) {
    const state = { instances: 0, armed: undefined };
    const { Instance } = WebAssembly;
    const engine = new Engine(nodePlatform(() => wasm));
    const start = engine.start.bind(engine);
    engine.start = () => {
      WebAssembly.Instance = function Trapping(...args) {
        state.instances += 1;
        const { exports } = new Instance(...args);
        return {
          exports: Object.fromEntries(Object.entries(exports).map(([name, value]) =>
            [name, typeof value === 'function' ? (...rest) => (state.armed === name ? trap() : value(...rest)) : value])),
        };
      };
      try {
        start();
      } finally {
        WebAssembly.Instance = Instance;
      }
    };
    return { state, ...gateOf({ ...options, create: createGateOf(engine) }) };
  }

  const TRAPPED = {
    code: 'ENGINE_FAILED', reason: 'trapped', message: 'the WebAssembly instance trapped during the check and was replaced',
  };

  test('fails that check and those under way, and the next has a fresh one', async () => {
    const answers = [];
    const revocation = methods(memoryStore());
    const waiting = { ...revocation, get: (keys) => new Promise((resolve) => { answers.push(() => resolve(revocation.get(keys))); }) };
    const { gate, state } = fragile({ stores: { revocation: waiting } });
    const underWay = refusalOfPromise(gate.check(jwt()), EdgegateError);
    const open = await gate.check(request('/public/a'));
    assert.deepEqual([open.ok, state.instances, answers.length], [true, 1, 1]);
    state.armed = 'checkRequest';
    assert.deepEqual(await refusalOfPromise(gate.check(request('/public/a')), EdgegateError), TRAPPED);
    state.armed = undefined;
    assert.equal((await gate.check(request('/public/a'))).ok, true);
    assert.equal(state.instances, 2);
    // Its task is gone. A task of the new instance with the same number is not mistaken for it.
    const later = gate.check(jwt({ sub: 'bob' }));
    assert.equal(answers.length, 2);
    answers[0]();
    assert.deepEqual(await underWay, TRAPPED);
    answers[1]();
    assert.equal((await later).identity.subject, 'bob');
  });

  test('while it goes on with a check, leaves no turn taken', async () => {
    const limits = [{ ...policy().limits[0], requests: 2 }];
    const { gate, state } = fragile({ policy: policy({ limits, revocation: undefined }) });
    const limited = () => gate.check(request('/v1/limited', bearer(token())));
    state.armed = 'resumeTask';
    assert.deepEqual(await refusalOfPromise(limited(), EdgegateError), TRAPPED);
    state.armed = undefined;
    const all = await Promise.all([limited(), limited(), limited()]);
    assert.deepEqual(all.map(({ ok }) => ok).sort(), [false, true, true]);
  });
});

test('who waits in vain for a counter that serves others is refused, even with on_error = "allow"; a store that fails is not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const memory = memoryStore();
  let swaps = 0;
  const compareAndSet = (...all) => {
    swaps += 1;
    return swaps === 1 ? memory.compareAndSet(...all) : new Promise(() => {});
  };
  const limits = [{ ...policy().limits[0], on_error: 'allow' }];
  const { gate } = gateOf({ policy: policy({ limits, revocation: undefined }), stores: { counters: { ...methods(memory), compareAndSet } } });
  const all = Promise.all(['first', 'second', 'third'].map(() => gate.check(request('/v1/limited', bearer(token())))));
  for (let round = 0; round < 8; round += 1) {
    await new Promise((resolve) => { setImmediate(resolve); });
    if (swaps === 2) t.mock.timers.tick(2000);
  }
  const [counted, uncounted, waited] = await all;
  assert.deepEqual([counted.ok, uncounted.ok, waited.ok], [true, true, false]);
  assert.deepEqual([waited.code, waited.message], ['STORE_UNAVAILABLE', 'store counters: too many wait for the same counter']);
});

test('a check that nobody can finish ends by itself, and so does the queue behind it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const counters = { ...methods(memoryStore()), get: () => new Promise(() => {}) };
  const { gate } = gateOf({ policy: policy({ revocation: undefined }), stores: { counters } });
  const limited = () => gate.check(request('/v1/limited', bearer(token())));
  const all = Promise.all([limited(), limited(), limited()]);
  for (let round = 0; round < 8; round += 1) {
    await new Promise((resolve) => { setImmediate(resolve); });
    t.mock.timers.tick(1000);
  }
  const messages = (await all).map(({ message }) => message);
  assert.deepEqual(new Set(messages), new Set(['store counters: no answer in time', 'store counters: too many wait for the same counter']));
});
