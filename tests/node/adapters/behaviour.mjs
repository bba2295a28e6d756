// What every adapter has to do in every framework, over real HTTP.
//
// An application is started by `start({ gate, clientIp, origin })` and has these routes behind the guard: `GET /v1/whoami` and `GET
// /public/whoami` answer with the identity as JSON, `POST /v1/echo` with its body, `GET /v1/admin/secret` with a word.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import * as jose from 'jose';

import { createApiKeys, createGate, createVerifier } from '../../../pkg/wasm/node.js';
import { sessionGate } from '../session-gate.mjs';
import { AUDIENCE, CLAIMS, ISSUER, NOW, options, pairFor, secretFor, signBy, signHmac } from '../support.mjs';

const secret = secretFor('HS256');
const KEY_SECRET = 'a secret of api keys that is long enough';

/** The policy; `now` stands still, so that limits and tokens do not depend on the machine. */
export const POLICY = {
  path_case: 'insensitive',
  issuers: [{ issuer: ISSUER, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
  api_keys: { environment: 'test', prefixes: [{ prefix: 'sk' }], signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }], records: 'none' },
  failed_authentication: { enabled: false },
  limits: [
    { name: 'three', by: 'caller', requests: 3, window_secs: 60, algorithm: 'fixed-window', store: 'memory' },
    { name: 'address', by: 'ip', requests: 1, window_secs: 60, algorithm: 'fixed-window', store: 'memory' },
  ],
  routes: [
    { path: '/public/*', auth: 'none' },
    { path: '/v1/admin/*', scopes: { all: ['admin'] } },
    { path: '/v1/limited', limits: ['three'] },
    { path: '/v1/address', auth: 'none', limits: ['address'] },
  ],
};

export const newGate = (changes = {}) =>
  createGate({ ...POLICY, ...changes }, { secrets: { JWT_SECRET: secret, API_KEY_SECRET: KEY_SECRET }, now: () => NOW });

/** The options of {@link newGate}, for applications in workerd. */
export const GATE_SOURCE = `createGate(${JSON.stringify(POLICY)}, {
  secrets: { JWT_SECRET: new Uint8Array(${JSON.stringify([...secret])}), API_KEY_SECRET: ${JSON.stringify(KEY_SECRET)} }, now: () => ${NOW},
})`;

export const token = (claims = {}, header) => signHmac({ ...CLAIMS, scope: 'read:posts', ...claims }, { secret, header });
const bearer = (text) => ['Authorization', `Bearer ${text}`];

/** A request with exactly these header lines; `path` goes out as it is. */
function ask(port, path, { method = 'GET', headers = [], body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', agent: false, path, method, headers: ['Host', 'app.test', ...headers.flat()] }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk)).on('error', reject).on('end', () => resolve({
        status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks),
      }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The status of a request line that no client library would send. */
export function statusOf(port, target, line = '') {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(`GET ${target} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n${line}\r\n`));
    let text = '';
    socket.setEncoding('latin1').on('error', reject).on('close', () => reject(new Error(`${target}: no answer`))).on('data', (chunk) => {
      text += chunk;
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(text);
      if (status === null) return;
      resolve(Number(status[1]));
      socket.destroy();
    });
  });
}

/** The answer is the gate's, byte for byte. */
function sameAnswer(answer, decision) {
  assert.equal(decision.ok, false);
  assert.equal(answer.status, decision.status);
  assert.equal(answer.body.toString(), decision.body);
  for (const [name, value] of Object.entries(decision.headers)) assert.equal(answer.headers[name.toLowerCase()], value, name);
}

/** Returns the refusal of a request by a gate of the test. */
const refusal = (path, { method = 'GET', headers = [] } = {}) => newGate().check({ method, url: path, rawHeaders: headers.flat(), headers: {} });

/**
 * @param start starts the application: `({ gate, clientIp, origin }) → { port, stop }`; `clientIp` is the name of a header; `gate` is missing where the application makes its own
 * @param own whether it does; then what needs another gate is left out
 * @param saysAddress whether the application always gives `clientIp`, since the framework knows no address
 * @param normalises whether the runtime resolves dot segments before anybody sees them
 */
export function behaves(start, { own = false, normalises = false, saysAddress = false } = {}) {
  let app;
  before(async () => {
    app = await start({ gate: own ? undefined : newGate() });
  });
  after(() => app?.stop());
  const get = (path, rest) => ask(app.port, path, rest);
  const withApp = async (given, use) => {
    const other = await start(given);
    try {
      return await use((path, rest) => ask(other.port, path, rest));
    } finally {
      await other.stop();
    }
  };

  test('who passes is known to the handler', async () => {
    const answer = await get('/v1/whoami?x=1', { headers: [bearer(token())] });
    assert.equal(answer.status, 200, answer.body.toString());
    assert.deepEqual(JSON.parse(answer.body), {
      method: 'jwt', subject: CLAIMS.sub, issuer: ISSUER, scopes: ['read:posts'], tokenId: CLAIMS.jti, claims: { ...CLAIMS, scope: 'read:posts' },
    });
    assert.equal(answer.headers['ratelimit-policy'], undefined);
  });

  test('an API key passes in each of its places', async () => {
    const keys = createApiKeys({ environment: 'test', prefixes: ['sk'], signingKeys: [{ id: 1, secret: KEY_SECRET }], now: () => NOW });
    const { key, id } = keys.mint();
    for (const line of [bearer(key), ['X-API-Key', key], ['Authorization', `Basic ${Buffer.from(`${key}:`).toString('base64')}`]]) {
      const { method, keyId } = JSON.parse((await get('/v1/whoami', { headers: [line] })).body);
      assert.deepEqual({ method, keyId }, { method: 'api_key', keyId: id });
    }
  });

  test('an open route knows nobody', async () => {
    assert.deepEqual(JSON.parse((await get('/public/whoami')).body), { method: 'anonymous', scopes: [] });
  });

  test('a refusal is answered as the gate says, to the byte', async () => {
    const problem = ['Accept', 'application/problem+json'];
    for (const [path, ...headers] of [
      ['/v1/whoami'],
      ['/v1/whoami', problem],
      ['/v1/whoami', bearer('nonsense')],
      ['/v1/whoami', bearer(token({ exp: NOW }))],
      ['/v1/whoami', bearer(token({ nbf: NOW + 1 })), problem],
      ['/v1/admin/secret', bearer(token())],
      ['/v1/whoami', ['X-API-Key', 'sk_test_nonsense']],
      ['/v1/whoami', ['X-API-Key', 'a'], bearer(token())],
      ['/v1/nowhere'],
    ]) {
      sameAnswer(await get(path, { headers }), await refusal(path, { headers }));
    }
  });

  test('a refused HEAD has the headers and no body', async () => {
    const answer = await get('/v1/whoami', { method: 'HEAD' });
    const expected = await refusal('/v1/whoami', { method: 'HEAD' });
    assert.equal(answer.status, 401);
    assert.equal(answer.body.length, 0);
    assert.equal(answer.headers['www-authenticate'], expected.headers['WWW-Authenticate']);
  });

  test('two credentials are refused, also two headers of one name', async () => {
    const [good, other] = [bearer(token()), bearer(token({ jti: 'two' }))];
    for (const headers of [[good, other], [good, good], [good, ['authorization', good[1]]], [['X-API-Key', 'a'], ['X-API-Key', 'b']], [good, ['X-API-Key', 'a']]]) {
      const answer = await get('/v1/whoami', { headers });
      assert.equal(answer.status, 400);
      assert.equal(JSON.parse(answer.body).code, 'MULTIPLE_CREDENTIALS');
    }
  });

  test('limits are told to who passes, and who is over them is told when to come again', async () => {
    const headers = [bearer(token({ sub: randomBytes(8).toString('hex') }))];
    const left = [];
    for (let round = 0; round < 3; round += 1) {
      const answer = await get('/v1/limited', { headers });
      assert.equal(answer.status, 404);
      assert.equal(answer.headers['ratelimit-policy'], '"three";q=3;w=60');
      left.push(/r=(\d+)/.exec(answer.headers.ratelimit)[1]);
    }
    assert.deepEqual(left, ['2', '1', '0']);
    const refused = await get('/v1/limited', { headers });
    assert.equal(refused.status, 429);
    assert.match(refused.headers['retry-after'], /^\d+$/);
    assert.match(refused.headers.ratelimit, /^"three";r=0;t=\d+$/);
    assert.equal(JSON.parse(refused.body).code, 'RATE_LIMITED');
  });

  test('the path that counts is the one that was sent', async () => {
    const low = `Authorization: Bearer ${token()}\r\n`;
    const twoReadings = [
      '/public/../v1/admin/secret', '/public/%2e%2e/v1/admin/secret', '/public/..%2fv1/admin/secret', '//v1/admin/secret',
      '/public//../../v1/admin/secret', '/v1%2fadmin/secret', '/v1/./admin/secret', '/public\\..\\v1\\admin\\secret', '/v1/admin;x/secret',
      '/%2576%31/admin/secret',
    ];
    for (const target of twoReadings) {
      const statuses = [await statusOf(app.port, target), await statusOf(app.port, target, low)];
      // If they are resolved, the result is a path that this caller may not see either.
      const expected = normalises ? [400, 401, 403] : [400];
      for (const status of statuses) assert.ok(expected.includes(status), `${target}: ${status}`);
    }
    // A target in absolute form (RFC 9112 §3.2.2), other spellings of one path, and a path that is another in other case.
    // (workerd's bare socket takes the absolute form from proxies only.)
    const absolute = own ? [] : ['http://elsewhere.test/v1/admin/secret'];
    for (const target of [...absolute, '/v1/%61dmin/secret', '/v1/admin/secret/', '/v1/admin/secret?x=/public/']) {
      assert.equal(await statusOf(app.port, target), 401, target);
      assert.equal(await statusOf(app.port, target, low), 403, target);
    }
    assert.equal(await statusOf(app.port, '/V1/ADMIN/secret', low), 403);
    assert.equal(await statusOf(app.port, '/v1/admin/secret', `Authorization: Bearer ${token({ scope: 'admin' })}\r\n`), 200);
  });

  test('headers that name another path or method change nothing', async () => {
    const names = ['X-Original-URL', 'X-Rewrite-URL', 'X-Forwarded-Uri', 'X-Original-URI'];
    const lines = [...names.map((name) => [name, '/public/whoami']), ['X-HTTP-Method-Override', 'OPTIONS'], ['X-Forwarded-Method', 'OPTIONS']];
    assert.equal((await get('/v1/whoami', { headers: lines })).status, 401);
  });

  test('a preflight is answered, and no handler sees it', async () => {
    for (const path of ['/v1/whoami', '/public/whoami', '/v1/admin/secret', '/v1/nowhere']) {
      const headers = [['Origin', 'https://app.test'], ['Access-Control-Request-Method', 'GET'], bearer('nonsense')];
      const answer = await get(path, { method: 'OPTIONS', headers });
      assert.deepEqual([answer.status, answer.body.length, answer.headers['cache-control']], [204, 0, 'no-store'], path);
    }
    const plain = [['Access-Control-Request-Method', 'GET'], ['X-Origin', 'https://app.test']];
    assert.equal((await get('/v1/whoami', { method: 'OPTIONS', headers: plain })).status, 401);
  });

  test('what is for one caller is marked as private', async () => {
    assert.equal((await get('/v1/whoami', { headers: [bearer(token())] })).headers['cache-control'], 'private');
    assert.equal((await get('/public/whoami')).headers['cache-control'], undefined);
    assert.equal((await get('/v1/whoami')).headers['cache-control'], 'no-store');
  });

  test('the body is the handler\'s', async () => {
    const body = randomBytes(300_000);
    const headers = [bearer(token()), ['Content-Type', 'application/octet-stream'], ['Content-Length', `${body.length}`]];
    const answer = await get('/v1/echo', { method: 'POST', headers, body });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), createHash('sha256').update(body).digest('hex'));
    assert.equal((await get('/v1/echo', { method: 'POST', headers: headers.slice(1), body })).status, 401);
  });

  if (own) return;

  test('the address is the socket\'s, whatever X-Forwarded-For says', async () => {
    await withApp({ gate: newGate() }, async (request) => {
      const statuses = [];
      for (const address of ['192.0.2.1', '192.0.2.2']) {
        const headers = ['X-Forwarded-For', 'X-Real-IP', 'CF-Connecting-IP', 'Forwarded'].map((name) => [name, name === 'Forwarded' ? `for=${address}` : address]);
        statuses.push((await request('/v1/address', { headers })).status);
      }
      assert.deepEqual(statuses, [404, 429]);
    });
  });

  test('a token in the header of another proxy passes, and beside another credential does not', async () => {
    const gate = newGate({ credential_headers: [{ name: 'Cf-Access-Jwt-Assertion', issuers: [ISSUER] }] });
    await withApp({ gate }, async (request) => {
      const line = ['Cf-Access-Jwt-Assertion', token()];
      const answer = await request('/v1/whoami', { headers: [line] });
      assert.equal(JSON.parse(answer.body).subject, CLAIMS.sub);
      for (const headers of [[line, line], [line, bearer(token())], [line, ['X-API-Key', 'x']]]) {
        assert.equal((await request('/v1/whoami', { headers })).status, 400);
      }
    });
  });

  test('pages of the origins that the policy lists may read answers, refusals too', async () => {
    const cors = { origins: ['https://app.test'], expose: ['X-Total'] };
    await withApp({ gate: newGate({ cors }) }, async (request) => {
      const exposed = 'RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Total';
      const asked = [['Access-Control-Request-Method', 'PUT'], ['Access-Control-Request-Headers', 'authorization']];
      for (const [origin, allowed] of [['https://app.test', 'https://app.test'], ['https://app.test.evil', undefined], ['null', undefined]]) {
        const ofOrigin = [['Origin', origin]];
        const answers = {
          served: await request('/v1/whoami', { headers: [...ofOrigin, bearer(token())] }),
          refused: await request('/v1/whoami', { headers: ofOrigin }),
          preflight: await request('/v1/whoami', { method: 'OPTIONS', headers: [...ofOrigin, ...asked] }),
        };
        assert.deepEqual(Object.values(answers).map(({ status }) => status), [200, 401, 204]);
        for (const [what, { headers }] of Object.entries(answers)) {
          assert.equal(headers['access-control-allow-origin'], allowed, what);
          assert.match(headers.vary, /Origin/, what);
          if (what !== 'preflight') assert.equal(headers['access-control-expose-headers'], allowed && exposed, what);
        }
        const { headers } = answers.preflight;
        assert.deepEqual(
          [headers['access-control-allow-methods'], headers['access-control-allow-headers']],
          allowed ? ['PUT', 'authorization'] : [undefined, undefined],
        );
      }
    });
  });

  test('a header that the policy names says the address, not the socket', async () => {
    // The address counts that the application itself says.
    if (saysAddress) return;
    await withApp({ gate: newGate({ client_ip_header: 'X-Real-IP' }) }, async (request) => {
      const statuses = [];
      for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.2']) {
        statuses.push((await request('/v1/address', { headers: [['X-Real-IP', address]] })).status);
      }
      assert.deepEqual(statuses, [404, 404, 429]);
    });
  });

  test('behind a proxy that is named, the address is the one it says', async () => {
    await withApp({ gate: newGate(), clientIp: 'x-real-ip' }, async (request) => {
      const statuses = [];
      for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.2']) {
        statuses.push((await request('/v1/address', { headers: [['X-Real-IP', address], ['X-Forwarded-For', '192.0.2.9']] })).status);
      }
      assert.deepEqual(statuses, [404, 404, 429]);
    });
  });

  test('a bound token passes with a proof for the origin that was said, whatever Host and the target say', async () => {
    const { publicKey, privateKey } = pairFor('ES256');
    const jwk = publicKey.export({ format: 'jwk' });
    const bound = token({ cnf: { jkt: await jose.calculateJwkThumbprint(jwk) } });
    const proof = (htu) => new jose.SignJWT({
      jti: randomBytes(8).toString('hex'), htm: 'GET', htu, iat: NOW, ath: createHash('sha256').update(bound).digest('base64url'),
    }).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey);
    const present = async (request, htu, path = '/v1/whoami') => {
      const answer = await request(path, { headers: [['Authorization', `DPoP ${bound}`], ['DPoP', await proof(htu)]] });
      return [answer.status, answer.status === 200 ? JSON.parse(answer.body).subject : JSON.parse(answer.body).code];
    };
    await withApp({ gate: newGate(), origin: 'https://api.example.com' }, async (request) => {
      assert.deepEqual(await present(request, 'https://api.example.com/v1/whoami'), [200, CLAIMS.sub]);
      // Proofs that were made for another server, sent on by that server.
      for (const elsewhere of ['http://app.test', 'https://app.test', 'http://elsewhere.test']) {
        assert.deepEqual(await present(request, `${elsewhere}/v1/whoami`), [401, 'INVALID_TOKEN']);
        assert.deepEqual(await present(request, `${elsewhere}/v1/whoami`, `${elsewhere}/v1/whoami`), [401, 'INVALID_TOKEN']);
      }
      assert.equal((await request('/v1/whoami', { headers: [bearer(bound)] })).status, 401);
    });
    await withApp({ gate: newGate() }, async (request) => {
      for (const path of ['/v1/whoami', 'http://app.test/v1/whoami']) {
        assert.deepEqual(await present(request, 'http://app.test/v1/whoami', path), [401, 'INVALID_TOKEN']);
      }
    });
  });

  test('a gate that fails lets nobody through', async () => {
    for (const check of [async () => { throw new Error('boom'); }, () => { throw new Error('boom'); }, async () => undefined]) {
      await withApp({ gate: { check } }, async (request) => {
        assert.equal((await request('/v1/whoami', { headers: [bearer(token({ scope: 'admin' }))] })).status, 500);
      });
    }
  });

  test('a verifier alone guards too, and answers as a gate with that issuer alone', async () => {
    const alone = newGate({ api_keys: undefined, routes: [], limits: [] });
    await withApp({ gate: createVerifier(options()) }, async (request) => {
      const answer = await request('/v1/admin/secret', { headers: [bearer(token())] });
      assert.equal(answer.status, 200);
      const who = JSON.parse((await request('/v1/whoami', { headers: [bearer(token({ scope: 'b a b', sub: undefined }))] })).body);
      const { identity } = await alone.check({ method: 'GET', url: '/', rawHeaders: bearer(token({ scope: 'b a b', sub: undefined })), headers: {} });
      assert.deepEqual(who, JSON.parse(JSON.stringify(identity)));
      const problem = ['Accept', 'text/html, application/problem+json;q=0.5'];
      for (const headers of [
        [bearer('nonsense')], [bearer('nonsense'), problem], [bearer(token({ exp: NOW }))], [bearer(token({ nbf: NOW + 1 }))],
        [bearer(token()), bearer(token())], [bearer(token()), ['authorization', 'Basic YTo=']], [['Authorization', 'bearer  a.b.c']],
        [bearer(token()), ['authorization', 'DPoP x']], [['Authorization', 'Basic YTo='], bearer(token())],
        [['Accept', 'application/problem+json;q=0'], bearer('x')],
      ]) {
        sameAnswer(await request('/v1/whoami', { headers }), await alone.check({ method: 'GET', url: '/v1/whoami', rawHeaders: headers.flat(), headers: {} }));
      }
      for (const headers of [[], [['Authorization', 'Bearer']], [['Authorization', 'Bearer ']], [['Authorization', 'Digest x']], [['X-API-Key', 'sk_x']]]) {
        const refused = await request('/v1/whoami', { headers });
        assert.equal(refused.status, 401);
        assert.equal(refused.headers['www-authenticate'], 'Bearer realm="edgegate"');
        assert.deepEqual(JSON.parse(refused.body), {
          error: 'Authentication required', code: 'MISSING_CREDENTIALS', hint: "Send a token as 'Authorization: Bearer <token>'",
        });
      }
    });
  });

  test('scopes are those that a gate reads', async () => {
    for (const profile of [undefined, 'access-token']) {
      const issuer = { ...POLICY.issuers[0], ...(profile && { profile }) };
      const alone = newGate({ api_keys: undefined, routes: [], limits: [], issuers: [issuer] });
      await withApp({ gate: createVerifier(options({ ...(profile && { profile }) })) }, async (request) => {
        for (const claims of [
          { scope: null, scp: ['admin'] }, { scope: undefined, scp: ['admin', 'b b', 7] }, { scope: undefined, scp: 'admin' },
          { scope: 'x', scp: ['admin'] }, { scope: 'é x "y" admin' }, { scope: ['b', 'a'] }, { scope: { admin: true } },
        ]) {
          const full = { client_id: 'c', iat: NOW, ...claims };
          const headers = [bearer(token(full, { typ: 'at+jwt' }))];
          const decision = await alone.check({ method: 'GET', url: '/', rawHeaders: headers.flat(), headers: {} });
          const { scopes, code } = JSON.parse((await request('/v1/whoami', { headers })).body);
          assert.deepEqual([scopes, code], [decision.identity?.scopes, decision.code], `${profile} ${JSON.stringify(claims)}`);
        }
      });
    }
  });

  test('scopes are in the claim that the verifier names', async () => {
    await withApp({ gate: createVerifier(options({ scopeClaim: 'permissions' })) }, async (request) => {
      for (const [claims, scopes] of [[{ permissions: ['a', 'b'], scope: 'x' }, ['a', 'b']], [{ scope: 'x', scp: ['y'] }, []]]) {
        const answer = await request('/v1/whoami', { headers: [bearer(token(claims))] });
        assert.deepEqual(JSON.parse(answer.body).scopes, scopes);
      }
    });
  });

  test('keys that cannot be had are no fault of the caller', async () => {
    const verifier = createVerifier({ issuer: ISSUER, algorithms: ['RS256'], jwksUri: 'http://127.0.0.1:9/jwks', now: () => NOW });
    const signed = await signBy('jose', 'RS256');
    await withApp({ gate: verifier }, async (request) => {
      const answer = await request('/v1/whoami', { headers: [bearer(signed)] });
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['retry-after'], '5');
      assert.equal(JSON.parse(answer.body).code, 'KEYS_UNAVAILABLE');
      assert.equal(answer.headers['www-authenticate'], undefined);
    });
    assert.ok(pairFor('RS256'));
  });
}

/** How the applications of {@link decidesByRewritten} change a URL before they route by it. */
export const rewrite = (url) => url.replace(/^\/(?:api|public\/legacy)(?=\/)/, '');

/** A gate for them: `/public/*` is open, `/admin/*` wants a scope. */
export const rewritingGate = (prefix = '') => newGate({
  limits: [],
  routes: [{ path: `${prefix}/public/*`, auth: 'none' }, { path: `${prefix}/admin/*`, scopes: { all: ['admin'] } }],
});

/**
 * @param start starts an application that rewrites URLs before the guard, and has `GET /public/x` and `GET /admin/x` behind it
 * @param prefix where in the application that is
 */
export async function decidesByRewritten(start, prefix = '') {
  const { port, stop } = await start({ gate: rewritingGate(prefix), origin: 'https://api.example.com' });
  try {
    const low = [bearer(token())];
    const high = [bearer(token({ scope: 'admin' }))];
    const cases = [
      ['/admin/x', [401, 403, 200]], ['/public/x', [200, 200, 200]],
      ['/api/admin/x', [401, 403, 200]], ['/public/legacy/admin/x', [401, 403, 200]], ['/public/legacy/admin/x?y=/public/', [401, 403, 200]],
      ['/api/public/x', [200, 200, 200]],
      // The rest can be read in two ways, whatever the URL was.
      ['/public/legacy//admin/x', [400, 400, 400]], ['/api/admin%2fx', [400, 400, 400]],
    ];
    for (const [path, expected] of cases) {
      const statuses = [];
      for (const headers of [[], low, high]) statuses.push((await ask(port, `${prefix}${path}`, { headers })).status);
      assert.deepEqual(statuses, expected, path);
    }
    // Express takes it for another path. A framework that does not must not let it get around the gate.
    for (const [headers, expected] of [[[], 401], [low, 403]]) {
      assert.equal((await ask(port, `${prefix}/api/admin/%78`, { headers })).status, expected);
    }
    // A proof of possession names the URL that its maker knows.
    const { publicKey, privateKey } = pairFor('ES256');
    const jwk = publicKey.export({ format: 'jwk' });
    const bound = token({ scope: 'admin', cnf: { jkt: await jose.calculateJwkThumbprint(jwk) } });
    const present = async (path) => {
      const proof = await new jose.SignJWT({
        jti: randomBytes(8).toString('hex'), htm: 'GET', htu: `https://api.example.com${prefix}${path}`, iat: NOW,
        ath: createHash('sha256').update(bound).digest('base64url'),
      }).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey);
      return (await ask(port, `${prefix}/api/admin/x`, { headers: [['Authorization', `DPoP ${bound}`], ['DPoP', proof]] })).status;
    };
    assert.deepEqual([await present('/api/admin/x'), await present('/admin/x')], [200, 401]);
  } finally {
    await stop();
  }
}

/** Returns the statuses of GET without a credential, with a token without the scope `admin`, and with one that has it. */
export async function statusesOf(port, path, extra = []) {
  const statuses = [];
  for (const headers of [[], [bearer(token())], [bearer(token({ scope: 'admin' }))]]) {
    statuses.push((await ask(port, path, { headers: [...headers, ...extra] })).status);
  }
  return statuses;
}

/** Anything but a gate, and unknown options, are refused when the guard is made. */
export function refusesMisuse(guard) {
  const gate = { check: async () => ({}) };
  const keys = createApiKeys({ environment: 'test', prefixes: ['sk'], signingKeys: [{ id: 1, secret: KEY_SECRET }] });
  for (const none of [undefined, null, {}, () => {}, keys]) {
    assert.throws(() => guard(none), { name: 'TypeError', message: 'edgegate: expected a gate of createGate, or a verifier of createVerifier' });
  }
  assert.throws(() => guard(gate, { trustProxy: true }), { name: 'TypeError', message: 'edgegate: trustProxy is not a known option, expected one of clientIp, origin' });
  for (const origin of ['api.example.com', 'https://api.example.com/', 'https://api.example.com/v1', 'ftp://x', '', 5]) {
    assert.throws(() => guard(gate, { origin }), { name: 'TypeError', message: "edgegate: origin: expected one like 'https://api.example.com'" });
  }
  assert.throws(() => guard(gate, { clientIp: 'x-real-ip' }), { name: 'TypeError', message: 'edgegate: clientIp: expected a function that returns the address' });
  assert.throws(() => guard(gate, null), TypeError);
}

/** What something has set before the guard that {@link answersAlone} asks. */
export const EARLIER_HEADERS = {
  'Content-Type': 'text/html', 'Cache-Control': 'max-age=600', 'Access-Control-Allow-Origin': 'https://x.test', Vary: 'Accept',
};

/** An answer of the gate's own has none of these headers, but where several speak. `start(gate)` puts them before the guard. */
export async function answersAlone(start) {
  const { port, stop } = await start(sessionGate().gate);
  try {
    for (const [path, status, control, origin, vary] of [
      ['/auth/session', 401, 'no-store', 'https://x.test', 'Accept, Origin'],
      ['/.well-known/jwks.json', 200, 'public, max-age=600', '*', 'Accept'],
      ['/v1/posts', 401, 'no-store', 'https://x.test', 'Accept'],
    ]) {
      const { status: found, headers } = await ask(port, path);
      const told = ['content-type', 'cache-control', 'access-control-allow-origin', 'vary'].map((name) => headers[name]);
      assert.deepEqual([found, ...told], [status, 'application/json', control, origin, vary], path);
    }
  } finally {
    await stop();
  }
}
