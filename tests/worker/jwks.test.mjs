// Keys that an issuer publishes: they are fetched once, kept, and never trusted blindly.

import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { AUDIENCE, admitted, forEach, freshIp, gateWorker, policy, refused, start, until } from './harness.mjs';
import { nowSecs, signAsymmetric, signHmac } from './token.mjs';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const [otherEc, otherEd] = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), generateKeyPairSync('ed25519')];
const jwk = (pair, kid) => ({ ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig' });
const GOOD = JSON.stringify({ keys: [jwk(rsa, 'rsa-1'), jwk(ec, 'ec-1'), jwk(ed, 'ed-1'), { kty: 'unknown', kid: 'x' }, { ...jwk(rsa, 'enc'), use: 'enc', n: jwk(rsa).n.replace(/^./, 'z') }] });

/** How the issuer's server answers, by path. */
const hits = new Map();
const behaviour = {
  '/good': (response) => response.end(GOOD),
  '/one-kid': (response) => response.end(JSON.stringify({ keys: [
    ...['RS256', 'RS384', 'RS512'].map((alg) => ({ ...jwk(rsa, 'one'), alg })), jwk(ec, 'one'), jwk(ed, 'twice'), jwk(otherEd, 'twice'),
  ] })),
  // The path of Firebase's certificates has an `@`.
  '/x509/securetoken@system': (response) => response.end(JSON.stringify({
    'rsa-1': rsa.publicKey.export({ format: 'pem', type: 'spki' }), 'ec-1': ec.publicKey.export({ format: 'pem', type: 'spki' }),
  })),
  // Only the runtime finds out that a point is not on its curve.
  '/odd-key': (response) => response.end(JSON.stringify({ keys: [{ ...ec.publicKey.export({ format: 'jwk' }), x: jwk(otherEc).x }, jwk(ec, 'ec-1')] })),
  '/slow': (response) => setTimeout(() => response.end(GOOD), 400),
  '/silent': () => {},
  '/private-member': (response) => response.end(JSON.stringify({ keys: [{ ...ec.privateKey.export({ format: 'jwk' }), kid: 'ec-1' }] })),
  '/secret': (response) => response.end(JSON.stringify({ keys: [{ kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url'), kid: 'oct' }] })),
  '/redirect': (response) => response.writeHead(302, { Location: '/good' }).end(),
  '/error': (response) => response.writeHead(500).end(GOOD),
  '/missing': (response) => response.writeHead(404).end(GOOD),
  '/html': (response) => response.end('<html>sign in</html>'),
  '/empty': (response) => response.end(),
  '/no-keys': (response) => response.end('{"keys":[]}'),
  '/list': (response) => response.end('[]'),
  '/huge': (response) => response.end(JSON.stringify({ keys: [jwk(rsa, 'rsa-1')], filler: 'f'.repeat(70_000) })),
  '/endless': (response) => {
    response.on('error', () => {});
    const more = () => response.write('x'.repeat(16_384)) ? setImmediate(more) : response.once('drain', more);
    if (!response.destroyed) more();
  },
  '/not-utf8': (response) => response.end(Buffer.from([0x7b, 0xff, 0x7d])),
  '/weak': (response) => response.end(JSON.stringify({ keys: [{ ...generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' }), kid: 'rsa-1' }] })),
  '/not-modified': (response) => response.writeHead(304).end(),
  '/hangs-up': (response) => response.destroy(),
};

/** Issuers with `discovery`, by path: their answers at the places of OpenID Connect and of RFC 8414. `{base}` is the server. */
const document = (path, changes = {}) => JSON.stringify({ issuer: `{base}${path}`, jwks_uri: '{base}/discovered', ...changes });
const DISCOVERED = {
  '/openid': [document('/openid')],
  '/oauth': [404, document('/oauth')],
  '/other-issuer': [document('/openid'), document('/other-issuer')],
  '/slash': [document('/slash/')],
  '/http': [document('/http', { jwks_uri: 'http://keys.example/jwks' })],
  '/no-uri': [document('/no-uri', { jwks_uri: undefined })],
  '/twice': [document('/twice').replace('{', '{"issuer":"{base}/twice",')],
  '/fails': [500, document('/fails')],
  '/nowhere': [404, 404],
  '/moved': [302, document('/moved')],
  '/gone': [document('/gone', { jwks_uri: '{base}/not-there' })],
  '/long': [document('/long', { filler: 'f'.repeat(70_000) })],
  '/hangs': [null, document('/hangs')],
};
behaviour['/discovered'] = (response) => response.end(GOOD);
behaviour['/not-there'] = (response) => response.writeHead(404).end();
const wellKnown = {};
for (const [path, answers] of Object.entries(DISCOVERED)) {
  for (const [index, answer] of answers.entries()) {
    wellKnown[[`${path}/.well-known/openid-configuration`, `/.well-known/oauth-authorization-server${path}`][index]] = (response) => {
      if (answer === null) return;
      if (typeof answer === 'number') response.writeHead(answer, { Location: '/discovered' }).end();
      else response.end(answer.replaceAll('{base}', base));
    };
  }
}

let server;
let gate;
let base;

before(async () => {
  server = http.createServer((request, response) => {
    hits.set(request.url, (hits.get(request.url) ?? 0) + 1);
    request.resume();
    (behaviour[request.url] ?? wellKnown[request.url])(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${server.address().port}`;
  const issuers = Object.keys(behaviour).map((path) => ({
    issuer: `https://issuer.test${path}`, audience: [AUDIENCE], algorithms: ['RS256', 'ES256', 'EdDSA'], jwks_uri: base + path,
  }));
  issuers.push(...Object.keys(DISCOVERED).map((path) => (
    { issuer: base + path, audience: [AUDIENCE], algorithms: ['RS256', 'ES256', 'EdDSA'], discovery: true }
  )));
  const worker = (name) => gateWorker({ name, policy: policy({ issuers }) });
  gate = await start([worker('gate'), worker('crowd'), worker('aborted'), worker('silent')]);
});
after(() => {
  server.closeAllConnections();
  server.close();
});
after(() => gate.dispose());

const claims = (path) => ({ iss: `https://issuer.test${path}`, aud: AUDIENCE, sub: 'alice', exp: nowSecs() + 600, jti: randomUUID() });
const signed = (path, pair = rsa, alg = 'RS256', kid = 'rsa-1') => signAsymmetric(claims(path), { key: pair.privateKey, alg, header: { kid } });
const ask = (bearer, options) => gate.get('/', { token: bearer, ...options });

test('are fetched once and verify tokens of every kind', async () => {
  for (const [pair, alg, kid] of [[rsa, 'RS256', 'rsa-1'], [ec, 'ES256', 'ec-1'], [ed, 'EdDSA', 'ed-1']]) {
    for (let count = 0; count < 3; count += 1) {
      admitted(await ask(signed('/good', pair, alg, kid)), { method: 'jwt', issuer: 'https://issuer.test/good', subject: 'alice' });
    }
  }
  assert.equal(hits.get('/good'), 1);
});

test('of one kid are told apart by kty and alg; if they cannot be, none is taken', async () => {
  for (const [pair, alg] of [[rsa, 'RS256'], [ec, 'ES256']]) {
    admitted(await ask(signed('/one-kid', pair, alg, 'one')), { method: 'jwt', issuer: 'https://issuer.test/one-kid', subject: 'alice' });
  }
  for (const pair of [ed, otherEd]) refused(await ask(signed('/one-kid', pair, 'EdDSA', 'twice')), 'INVALID_TOKEN');
});

test('may be PEM by their kid', async () => {
  const path = '/x509/securetoken@system';
  for (const [pair, alg, kid] of [[rsa, 'RS256', 'rsa-1'], [ec, 'ES256', 'ec-1']]) {
    admitted(await ask(signed(path, pair, alg, kid)), { method: 'jwt', issuer: `https://issuer.test${path}`, subject: 'alice' });
  }
  refused(await ask(signed(path, rsa, 'RS256', 'ec-1')), 'INVALID_TOKEN');
  refused(await ask(signed(path, rsa, 'RS256', 'rsa-2')), 'INVALID_TOKEN');
});

test('that the runtime refuses are passed over for a token that names none', async () => {
  const token = signAsymmetric(claims('/odd-key'), { key: ec.privateKey, alg: 'ES256', header: {} });
  admitted(await ask(token), { method: 'jwt', issuer: 'https://issuer.test/odd-key', subject: 'alice' });
});

test('are not fetched anew for every unknown kid that somebody sends', async () => {
  admitted(await ask(signed('/good')));
  const before = hits.get('/good');
  await forEach(Array.from({ length: 50 }), async () => {
    refused(await ask(signed('/good', rsa, 'RS256', randomUUID()), { ip: freshIp() }), 'INVALID_TOKEN');
  });
  assert.ok(hits.get('/good') - before <= 1, `${hits.get('/good') - before} fetches`);
});

test('do not verify what another key signed, nor a MAC made with a public key', async () => {
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
  refused(await ask(signed('/good', other)), 'INVALID_TOKEN');
  refused(await ask(signed('/good', ec, 'ES256', 'rsa-1')), 'INVALID_TOKEN');
  const secret = rsa.publicKey.export({ format: 'pem', type: 'spki' });
  refused(await ask(signHmac(claims('/good'), { secret, header: { kid: 'rsa-1' } })), 'INVALID_TOKEN');
});

test('are fetched for no token whose issuer, algorithm or form is wrong already', async () => {
  const before = [...hits.values()].reduce((sum, count) => sum + count, 0);
  for (const bearer of [
    signAsymmetric({ ...claims('/good'), iss: 'https://issuer.test/unknown' }, { key: rsa.privateKey, alg: 'RS256' }),
    signHmac(claims('/html'), { secret: 'x'.repeat(32) }),
    `${signed('/html')}.x`,
  ]) refused(await ask(bearer), 'INVALID_TOKEN');
  assert.equal([...hits.values()].reduce((sum, count) => sum + count, 0), before);
});

test('serve a crowd that comes before they have been fetched', async () => {
  await forEach(Array.from({ length: 60 }), async () => {
    admitted(await ask(signed('/slow'), { gate: 'crowd' }));
  }, 30);
  assert.ok(hits.get('/slow') <= 3, `${hits.get('/slow')} fetches`);
  const before = hits.get('/slow');
  admitted(await ask(signed('/slow'), { gate: 'crowd' }));
  assert.equal(hits.get('/slow'), before);
});

test('are fetched few times for tokens that anybody can make, while the issuer is silent', async () => {
  const forged = () => {
    const [header, claims] = signed('/silent').split('.');
    return `${header}.${claims}.${Buffer.alloc(256, 1).toString('base64url')}`;
  };
  const options = () => ({ gate: 'silent', agent: new http.Agent() });
  await Promise.all(Array.from({ length: 200 }, async () => refused(await ask(forged(), options()), 'KEYS_UNAVAILABLE')));
  assert.ok(hits.get('/silent') <= 3, `${hits.get('/silent')} fetches`);
  // The time counts from the end of the failed fetch, however long it took.
  const before = hits.get('/silent');
  for (let count = 0; count < 20; count += 1) refused(await ask(forged(), options()), 'KEYS_UNAVAILABLE');
  assert.equal(hits.get('/silent'), before);
});

test('do not depend on the first callers waiting for them', async () => {
  const aborted = Array.from({ length: 3 }, () => http.request({
    host: '127.0.0.1', port: gate.port('aborted'), path: '/', headers: { Host: 'x', Authorization: `Bearer ${signed('/slow')}` },
  }));
  const before = hits.get('/slow') ?? 0;
  for (const request of aborted) {
    request.on('error', () => {});
    request.end();
  }
  await until(() => (hits.get('/slow') ?? 0) >= before + 3);
  for (const request of aborted) request.socket.resetAndDestroy();
  admitted(await ask(signed('/slow'), { gate: 'aborted' }));
});

describe('are unavailable, and say so with 503, when the issuer', () => {
  const faults = {
    'publishes a private key': '/private-member',
    'publishes a secret': '/secret',
    'redirects': '/redirect',
    'answers 500': '/error',
    'answers 404': '/missing',
    'answers with a page': '/html',
    'answers with nothing': '/empty',
    'publishes no keys': '/no-keys',
    'publishes a list': '/list',
    'publishes more than 64 KiB': '/huge',
    'never ends': '/endless',
    'publishes what is no text': '/not-utf8',
    'publishes a weak key': '/weak',
    'says that nothing changed since never': '/not-modified',
    'hangs up': '/hangs-up',
  };
  for (const [what, path] of Object.entries(faults)) {
    test(what, { timeout: 10_000 }, async () => {
      refused(await ask(signed(path)), 'KEYS_UNAVAILABLE');
      const asked = hits.get(path);
      // Where an issuer hangs up, workerd itself asks once more on each connection that it had kept.
      if (what !== 'hangs up') assert.equal(asked, 1);
      refused(await ask(signed(path)), 'KEYS_UNAVAILABLE');
      assert.equal(hits.get(path), asked, 'it is not asked again at once');
      admitted(await ask(signed('/good')));
    });
  }
});

const found = (path) => signAsymmetric({ ...claims(path), iss: base + path }, { key: rsa.privateKey, alg: 'RS256', header: { kid: 'rsa-1' } });

test('are found by the issuer alone, where its document says', async () => {
  const places = ['/openid/.well-known/openid-configuration', '/oauth/.well-known/openid-configuration', '/.well-known/oauth-authorization-server/oauth'];
  for (const path of ['/openid', '/oauth']) {
    for (let count = 0; count < 3; count += 1) admitted(await ask(found(path)), { method: 'jwt', issuer: base + path, subject: 'alice' });
  }
  assert.deepEqual(places.map((place) => hits.get(place)), [1, 1, 1]);
  assert.equal(hits.get('/discovered'), 2);
});

describe('are not found, which is 503, by a document that', () => {
  const faults = {
    'is of another issuer': '/other-issuer',
    'names the issuer with a slash more': '/slash',
    'names a set by http': '/http',
    'names no set': '/no-uri',
    'names the issuer twice': '/twice',
    'cannot be had now': '/fails',
    'is nowhere': '/nowhere',
    'is elsewhere': '/moved',
    'names a set that is not there': '/gone',
    'has more than 64 KiB': '/long',
    'never comes': '/hangs',
  };
  for (const [what, path] of Object.entries(faults)) {
    test(what, { timeout: 20_000 }, async () => {
      const [openid, oauth] = [`${path}/.well-known/openid-configuration`, `/.well-known/oauth-authorization-server${path}`];
      refused(await ask(found(path)), 'KEYS_UNAVAILABLE');
      refused(await ask(found(path)), 'KEYS_UNAVAILABLE');
      assert.deepEqual([hits.get(openid), hits.get(oauth) ?? 0], [1, path === '/nowhere' ? 1 : 0], 'it is not asked for again at once');
    });
  }
});
