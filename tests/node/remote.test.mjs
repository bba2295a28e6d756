// Published keys, from the test's own server.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';

import { bind } from '../../pkg/lib/index.js';
import { webPlatform } from '../../pkg/lib/web-platform.js';
import { EdgegateError, createGate, createVerifier } from '../../pkg/wasm/node.js';
import { Miniflare } from '../miniflare.mjs';
import { AUDIENCE, CLAIMS, ISSUER, NOW, options, refusalOf, refusalOfPromise, signAsymmetric, signHmac } from './support.mjs';

const module = new WebAssembly.Module(readFileSync(new URL('../../pkg/wasm/edgegate_bg.wasm', import.meta.url)));
const web = bind(webPlatform({ load: () => module }));

const pairs = new Map(['a', 'b', 'c'].map((kid) => [kid, generateKeyPairSync('ec', { namedCurve: 'P-256' })]));
const jwksOf = (...kids) => JSON.stringify({ keys: kids.map((kid) => ({ ...pairs.get(kid).publicKey.export({ format: 'jwk' }), kid })) });
const sign = (kid, claims = {}, header = { kid }) =>
  signAsymmetric({ ...CLAIMS, exp: NOW + 10 * 86_400, ...claims }, { key: pairs.get(kid).privateKey, alg: 'ES256', header });

let server;
let origin;
/** The server's answers, and the requests that it got. */
let answer;
const requests = [];

before(async () => {
  server = http.createServer((request, response) => {
    requests.push({ path: request.url, etag: request.headers['if-none-match'], accept: request.headers.accept });
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
});

beforeEach(() => {
  requests.length = 0;
  answer = serve(jwksOf('a'));
});

after(() => {
  server.closeAllConnections();
  server.close();
});

const serve = (body, headers = {}, status = 200) => (_, response) => response.writeHead(status, headers).end(body);

/** A verifier of the server's keys, whose clock is moved by the test. */
function remote(rest) {
  const clock = { now: NOW };
  const verifier = createVerifier(options({
    key: undefined, algorithms: ['ES256'], jwksUri: `${origin}/jwks`, now: () => clock.now, ...rest,
  }));
  return { clock, verifier };
}

const unavailable = (problem) => ({ code: 'KEYS_UNAVAILABLE', reason: 'keys_unavailable', message: `keys of ${ISSUER}: ${problem}` });
const UNKNOWN_KEY = { code: 'INVALID_TOKEN', reason: 'unknown_key', message: 'no key of the issuer fits the header' };
/** Waits until it is true: a fetch that nobody awaits takes as long as the machine is busy. */
const until = async (holds) => {
  while (!holds()) await new Promise((resolve) => { setTimeout(resolve, 5); });
};

test('keys are fetched once and used by everyone who waits', async () => {
  const { verifier } = remote({ cache: false });
  const token = sign('a');
  const results = await Promise.all(Array.from({ length: 20 }, () => verifier.verify(token)));
  assert.deepEqual(new Set(results.map(({ keyId }) => keyId)), new Set(['a']));
  assert.equal(verifier.verifySync(token).keyId, 'a');
  assert.deepEqual(requests, [{ path: '/jwks', etag: undefined, accept: 'application/jwk-set+json, application/json' }]);
});

test('no host answers in the place of the issuer: Next.js would keep the keys for ever', async (t) => {
  const { fetch } = globalThis;
  const asked = t.mock.method(globalThis, 'fetch', (...given) => fetch(...given));
  await remote().verifier.verify(sign('a'));
  assert.deepEqual(asked.mock.calls.map(({ arguments: [, { cache }] }) => cache), ['no-store']);
});

test('Workers of before November 2024 refuse to be told, and are not', async () => {
  const source = readFileSync(new URL('../../pkg/lib/uncached.js', import.meta.url), 'utf8').replace('export const', 'const');
  const script = `${source}; export default { fetch: () => new Response(new Request('http://x', uncached()).cache ?? 'unsaid') };`;
  for (const [compatibilityDate, expected] of [['2022-01-01', 'unsaid'], ['2024-10-01', 'unsaid'], ['2026-04-01', 'no-store']]) {
    const worker = new Miniflare({ modules: true, script, compatibilityDate });
    try {
      assert.equal(await (await worker.dispatchFetch('http://x')).text(), expected);
    } finally {
      await worker.dispose();
    }
  }
});

test('an unknown kid fetches anew, at most every 30 seconds whatever is sent', async () => {
  const { clock, verifier } = remote();
  await verifier.verify(sign('a'));
  answer = serve(jwksOf('a', 'b'));
  assert.deepEqual(await refusalOfPromise(verifier.verify(sign('b')), EdgegateError), UNKNOWN_KEY);
  assert.equal(requests.length, 1);
  clock.now = NOW + 30;
  assert.equal((await verifier.verify(sign('b'))).keyId, 'b');
  assert.equal(requests.length, 2);
  for (let index = 0; index < 200; index += 1) {
    clock.now = NOW + 31 + index / 10;
    assert.deepEqual(await refusalOfPromise(verifier.verify(sign('c', {}, { kid: `random-${index}` })), EdgegateError), UNKNOWN_KEY);
  }
  assert.equal(requests.length, 2);
});

test('a withdrawn key is out once the keys are fetched again, also for tokens that were cached', async () => {
  const { clock, verifier } = remote();
  answer = serve(jwksOf('a', 'b'), { 'cache-control': 'max-age=100' });
  const token = sign('a');
  assert.equal((await verifier.verify(token)).keyId, 'a');
  answer = serve(jwksOf('b'), { 'cache-control': 'max-age=100' });
  clock.now = NOW + 99;
  assert.equal((await verifier.verify(token)).keyId, 'a');
  assert.equal(requests.length, 1);
  clock.now = NOW + 100;
  assert.deepEqual(await refusalOfPromise(verifier.verify(token), EdgegateError), UNKNOWN_KEY);
  assert.equal(requests.length, 2);
  // The change is seen at once if another token reveals it.
  const other = remote();
  answer = serve(jwksOf('a'), { 'cache-control': 'max-age=1000' });
  await other.verifier.verify(token);
  answer = serve(jwksOf('b'));
  other.clock.now = NOW + 31;
  await other.verifier.verify(sign('b'));
  assert.deepEqual(await refusalOfPromise(other.verifier.verify(token), EdgegateError), UNKNOWN_KEY);
});

test('the ETag is sent, and 304 keeps the keys and what was cached', async () => {
  const { clock, verifier } = remote();
  answer = serve(jwksOf('a'), { etag: '"v1"', 'cache-control': 'max-age=100' });
  await verifier.verify(sign('a'));
  answer = serve('', { 'cache-control': 'max-age=200' }, 304);
  clock.now = NOW + 150;
  assert.equal((await verifier.verify(sign('a'))).keyId, 'a');
  clock.now = NOW + 349;
  assert.equal((await verifier.verify(sign('a'))).keyId, 'a');
  assert.deepEqual(requests.map(({ etag }) => etag), [undefined, '"v1"']);
});

test('while the issuer is down the last keys serve for a day', async () => {
  const { clock, verifier } = remote({ cache: false });
  answer = serve(jwksOf('a'), { 'cache-control': 'max-age=100' });
  const token = sign('a');
  await verifier.verify(token);
  answer = serve('', {}, 503);
  clock.now = NOW + 1000;
  assert.equal((await verifier.verify(token)).keyId, 'a');
  assert.equal(requests.length, 2);
  assert.equal((await verifier.verify(token)).keyId, 'a');
  assert.equal(requests.length, 2);
  clock.now = NOW + 100 + 86_400;
  assert.equal((await refusalOfPromise(verifier.verify(token), EdgegateError)).code, 'KEYS_UNAVAILABLE');
});

test('a redirect is not followed', async () => {
  answer = (request, response) => {
    if (request.url === '/jwks') response.writeHead(302, { location: `${origin}/elsewhere` }).end();
    else response.end(jwksOf('a'));
  };
  const { clock, verifier } = remote();
  assert.deepEqual(await refusalOfPromise(verifier.verify(sign('a')), EdgegateError), unavailable('status 302, expected 200'));
  assert.deepEqual(requests.map(({ path }) => path), ['/jwks']);
  // The fetch is not tried again within two seconds.
  assert.deepEqual(await refusalOfPromise(verifier.verify(sign('a')), EdgegateError), unavailable('could not be fetched a moment ago'));
  assert.equal(requests.length, 1);
  clock.now = NOW + 2;
  answer = serve(jwksOf('a'));
  assert.equal((await verifier.verify(sign('a'))).keyId, 'a');
});

test('no more than 64 KiB are read', async () => {
  const padded = (length) => jwksOf('a').padEnd(length, ' ');
  answer = serve(padded(65_536));
  assert.equal((await remote().verifier.verify(sign('a'))).keyId, 'a');
  let sent = 0;
  answer = (_, response) => {
    const more = () => {
      while (!response.destroyed && sent < 1e9) {
        sent += 65_536;
        if (!response.write(padded(65_536))) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  };
  assert.deepEqual(await refusalOfPromise(remote().verifier.verify(sign('a')), EdgegateError), unavailable('more than 65536 bytes'));
  assert.ok(sent < 50e6, `${sent}`);
});

test('what is no key set is refused, and so are published secrets', async () => {
  const bodies = {
    '{"keys":[]}': 'no usable key, expected at least one',
    '<html>': 'JWKS: not a JSON object',
    '{"keys":[{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}': 'no usable key, expected at least one',
    '{"keys":[],"keys":[]}': 'JWKS: a member name occurs twice',
  };
  for (const [body, problem] of Object.entries(bodies)) {
    answer = serve(body);
    assert.deepEqual(await refusalOfPromise(remote().verifier.verify(sign('a')), EdgegateError), unavailable(problem), body);
  }
  answer = serve(Buffer.from([0x7b, 0xff, 0x7d]));
  assert.deepEqual(await refusalOfPromise(remote().verifier.verify(sign('a')), EdgegateError), unavailable('not UTF-8'));
  answer = (request) => request.socket.destroy();
  assert.deepEqual(await refusalOfPromise(remote().verifier.verify(sign('a')), EdgegateError), unavailable('cannot be reached'));
  answer = serve('', {}, 304);
  assert.deepEqual(await refusalOfPromise(remote().verifier.verify(sign('a')), EdgegateError), unavailable('304 without any keys to keep'));
});

/** Keys that issuers have published beside their signing keys. */
const ODD_KEYS = {
  'RSA of 1024 bits': generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' }),
  'a coordinate that is cut short': { ...pairs.get('b').publicKey.export({ format: 'jwk' }), kid: 'b', x: 'AA' },
  'a point off its curve': { ...pairs.get('b').publicKey.export({ format: 'jwk' }), kid: 'b', x: pairs.get('c').publicKey.export({ format: 'jwk' }).x },
  'such a point without a name': { ...pairs.get('b').publicKey.export({ format: 'jwk' }), x: pairs.get('c').publicKey.export({ format: 'jwk' }).x },
  'a padded exponent': { kty: 'RSA', kid: 'b', n: 'AQAB', e: 'AQAB=' },
  'alg that is null': { ...pairs.get('b').publicKey.export({ format: 'jwk' }), alg: null },
  'kid that is a number': { ...pairs.get('b').publicKey.export({ format: 'jwk' }), kid: 7 },
  'a private key': { ...pairs.get('b').privateKey.export({ format: 'jwk' }), kid: 'b' },
  'a secret': { kty: 'oct', kid: 'b', alg: 'HS256', k: 'A'.repeat(43) },
  'nothing': null,
};

/** Verifiers and gates with the server's keys. The same rule holds for both. */
const READERS = {
  createVerifier: (algorithms = ['ES256']) => {
    const { verifier } = remote({ algorithms, cache: false });
    return (token) => verifier.verify(token).then(({ keyId }) => keyId, ({ code }) => code);
  },
  createGate: (algorithms = ['ES256']) => {
    const gate = createGate({ issuers: [{ issuer: ISSUER, audience: [AUDIENCE], algorithms, jwks_uri: `${origin}/jwks` }] }, { now: () => NOW });
    return async (token) => {
      const decision = await gate.check({ method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } });
      return decision.ok ? decision.identity.keyId : decision.code;
    };
  },
  'createVerifier on the web': (algorithms = ['ES256']) => {
    const verifier = web.createVerifier(options({ key: undefined, algorithms, jwksUri: `${origin}/jwks`, now: () => NOW, cache: false }));
    return (token) => verifier.verify(token).then(({ keyId }) => keyId, ({ code }) => code);
  },
};

for (const [reader, make] of Object.entries(READERS)) {
  for (const [what, odd] of Object.entries(ODD_KEYS)) {
    test(`${reader}: ${what} beside a healthy key costs that key only`, async () => {
      const healthy = { ...pairs.get('a').publicKey.export({ format: 'jwk' }), kid: 'a' };
      answer = serve(JSON.stringify({ keys: [odd, healthy] }));
      const read = make();
      assert.equal(await read(sign('a')), 'a');
      // A token that names no key is tried with the usable keys.
      assert.equal(await read(sign('a', {}, {})), 'a');
      assert.notEqual(await read(sign('b')), 'b');
    });
  }

  test(`${reader}: a published secret verifies nothing`, async () => {
    const secret = Buffer.alloc(32, 7);
    const jwk = { kty: 'oct', kid: 's', alg: 'HS256', k: secret.toString('base64url') };
    answer = serve(JSON.stringify({ keys: [jwk, { ...pairs.get('a').publicKey.export({ format: 'jwk' }), kid: 'a' }] }));
    const token = signHmac({ ...CLAIMS }, { secret, header: { kid: 's' } });
    assert.equal(await make()(token), 'INVALID_TOKEN');
  });

  test(`${reader}: one kid for several algorithms is one key for each`, async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = (pair, rest) => ({ ...pair.publicKey.export({ format: 'jwk' }), ...rest });
    answer = serve(JSON.stringify({ keys: [
      ...['RS256', 'RS384', 'RS512'].map((alg) => jwk(rsa, { kid: 'a', alg })),
      jwk(pairs.get('a'), { kid: 'a' }),
      jwk(other, { kid: 'twice', alg: 'RS256' }), jwk(rsa, { kid: 'twice', alg: 'RS256' }),
    ] }));
    const read = make(['RS256', 'RS384', 'RS512', 'ES256']);
    const signed = (pair, alg, kid) => signAsymmetric({ ...CLAIMS }, { key: pair.privateKey, alg, header: { kid } });
    for (const alg of ['RS256', 'RS384', 'RS512']) assert.equal(await read(signed(rsa, alg, 'a')), 'a', alg);
    assert.equal(await read(signed(pairs.get('a'), 'ES256', 'a')), 'a');
    assert.equal(await read(signed(other, 'RS256', 'a')), 'INVALID_TOKEN');
    // Nobody can say which of two keys is meant, so neither is taken.
    for (const pair of [rsa, other]) assert.equal(await read(signed(pair, 'RS256', 'twice')), 'INVALID_TOKEN');
  });
}

test('verifySync says that keys are yet to come, and goes on with older ones while it has new ones fetched', async () => {
  const { clock, verifier } = remote({ cache: false });
  const token = sign('a');
  assert.deepEqual(refusalOf(() => verifier.verifySync(token), EdgegateError), {
    code: 'SYNC_UNSUPPORTED', reason: 'sync_unsupported', message: 'the keys have to be fetched first: await verify()',
  });
  const takes = () => {
    try {
      return verifier.verifySync(token).keyId === 'a';
    } catch {
      return false;
    }
  };
  await until(takes);
  assert.equal(verifier.verifySync(token).keyId, 'a');
  answer = serve(jwksOf('b'));
  clock.now = NOW + 601;
  assert.equal(verifier.verifySync(token).keyId, 'a');
  await until(() => !takes());
  assert.deepEqual(refusalOf(() => verifier.verifySync(token), EdgegateError), UNKNOWN_KEY);
  assert.equal(verifier.verifySync(sign('b')).keyId, 'b');
  assert.equal(requests.length, 2);
});

describe('found by the issuer alone', () => {
  const OPENID = '/a/.well-known/openid-configuration';
  const OAUTH = '/.well-known/oauth-authorization-server/a';

  /**
   * Verifiers of an issuer at the server, on both platforms, and the requests that it gets. `pages` has a body or a status for each path.
   */
  async function eachVerifier(pages, use) {
    for (const [platform, create] of [['node', createVerifier], ['web', web.createVerifier]]) {
      requests.length = 0;
      const clock = { now: NOW };
      const issuer = `${origin}/a`;
      const site = { ...pages };
      answer = ({ url }, response) => {
        const page = site[url] ?? 404;
        if (typeof page === 'number') response.writeHead(page).end();
        else response.writeHead(200, { etag: `"of ${url}"` }).end(page.replaceAll('{origin}', origin));
      };
      const verifier = create({ issuer, audience: AUDIENCE, algorithms: ['ES256'], discovery: true, cache: false, now: () => clock.now });
      const ask = (kid = 'a') => verifier.verify(sign(kid, { iss: issuer })).then(({ keyId }) => keyId, ({ message }) => message);
      const asked = () => requests.splice(0).map(({ path, etag }) => (etag === undefined ? path : `${path} ${etag}`));
      await use({ ask, asked, clock, issuer, platform, site, verifier });
    }
  }
  const document = (changes) => JSON.stringify({ issuer: '{origin}/a', jwks_uri: '{origin}/keys', ...changes });
  const USUAL = { [OPENID]: document(), '/keys': jwksOf('a') };

  test('at the place of OpenID Connect, or only where that answers 404 at that of RFC 8414', async () => {
    await eachVerifier(USUAL, async ({ ask, asked, issuer, platform, verifier }) => {
      assert.equal(await ask(), 'a');
      assert.equal(await ask('b'), 'no key of the issuer fits the header');
      assert.deepEqual(asked(), [OPENID, '/keys']);
      if (platform === 'node') assert.equal(verifier.verifySync(sign('a', { iss: issuer })).keyId, 'a');
    });
    await eachVerifier({ [OAUTH]: document(), '/keys': jwksOf('a') }, async ({ ask, asked }) => {
      assert.equal(await ask(), 'a');
      assert.deepEqual(asked(), [OPENID, OAUTH, '/keys']);
    });
  });

  test('renewed where they are, and looked for again where they are no more, or after a day', async () => {
    await eachVerifier(USUAL, async ({ ask, asked, clock, site }) => {
      await ask();
      asked();
      clock.now += 601;
      assert.equal(await ask(), 'a');
      assert.deepEqual(asked(), ['/keys "of /keys"']);
      Object.assign(site, { '/keys': 410, [OPENID]: document({ jwks_uri: '{origin}/new' }), '/new': jwksOf('a', 'b') });
      clock.now += 601;
      assert.equal(await ask('b'), 'b');
      assert.deepEqual(asked(), ['/keys "of /keys"', OPENID, '/new']);
      clock.now += 86_400;
      assert.equal(await ask('b'), 'b');
      assert.deepEqual(asked(), [OPENID, '/new']);
    });
  });

  test('a new place counts with its keys only', async () => {
    await eachVerifier(USUAL, async ({ ask, asked, clock, site }) => {
      await ask();
      Object.assign(site, { '/keys': 404, [OPENID]: document({ jwks_uri: '{origin}/new' }), '/new': '{}' });
      for (let times = 0; times < 2; times += 1) {
        asked();
        clock.now += 601;
        assert.equal(await ask(), 'a', 'by the keys there are');
        assert.deepEqual(asked(), ['/keys "of /keys"', OPENID, '/new']);
      }
    });
  });

  test('twenty tokens at once ask once, or three times where requests cannot wait for each other', async () => {
    await eachVerifier(USUAL, async ({ ask, asked, platform }) => {
      assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, () => ask()))), new Set(['a']));
      const times = platform === 'node' ? 1 : 3;
      assert.deepEqual(asked().sort(), [...Array(times).fill(OPENID), ...Array(times).fill('/keys')]);
    });
  });

  for (const [what, pages, problem, asks] of [
    ['the document of another issuer', { [OPENID]: document({ issuer: 'https://other.test/' }) }, 'the document is about another issuer', [OPENID]],
    ['a key set over http', { [OPENID]: document({ jwks_uri: 'http://keys.example/' }) }, 'jwks_uri of the document is no https URL', [OPENID]],
    ['a document with a name twice', { [OPENID]: `{"issuer":"x",${document().slice(1)}` }, 'the document is not taken: a member name occurs twice', [OPENID]],
    ['a document that fails', { [OPENID]: 500, [OAUTH]: document() }, 'not found: status 500, expected 200', [OPENID]],
    ['no document', {}, 'not found: status 404, expected 200', [OPENID, OAUTH]],
    ['a key set that is not there', { [OPENID]: document(), '/keys': 404 }, 'status 404, expected 200', [OPENID, '/keys']],
  ]) {
    test(`not by ${what}, and asked again after 2 s`, async () => {
      await eachVerifier(pages, async ({ ask, asked, clock, issuer, site }) => {
        assert.equal(await ask(), `keys of ${issuer}: ${problem}`);
        assert.equal(await ask(), `keys of ${issuer}: could not be fetched a moment ago`);
        assert.deepEqual(asked(), asks);
        Object.assign(site, USUAL);
        clock.now += 2;
        assert.equal(await ask(), 'a');
        assert.deepEqual(asked(), [OPENID, '/keys']);
      });
    });
  }

  test('for an issuer by which a document can be fetched', () => {
    const given = { issuer: 'https://a.test/', audience: AUDIENCE, algorithms: ['ES256'], discovery: true };
    const jwksUri = 'https://a.test/jwks';
    const ends = ', since discovery fetches its document';
    for (const [changes, message] of [
      [{ algorithms: undefined }, 'algorithms: expected a non-empty list'],
      [{ jwksUri }, 'expected exactly one of key, jwks, jwksUri, discovery'],
      [{ discovery: false }, 'expected exactly one of key, jwks, jwksUri, discovery'],
      [{ discovery: 'yes' }, 'discovery: expected true or false'],
      [{ issuer: 'accounts.google.com' }, `issuer: expected an https URL (http only on loopback)${ends}`],
      [{ issuer: 'http://keycloak/' }, `issuer: expected an https URL (http only on loopback, or with allowHttp on a private host)${ends}`],
      [{ issuer: 'https://a.test/?x' }, `issuer: expected a URL without a query and a fragment${ends}`],
      [{ issuer: 'https://a.test/{tenantid}', tenants: ['b'] },
        'discovery: expected jwksUri for an issuer with tenants: each has a document of its own'],
    ]) {
      const refusal = refusalOf(() => createVerifier({ ...given, ...changes }), EdgegateError);
      assert.deepEqual([refusal.code, refusal.message], ['CONFIG_ERROR', message]);
    }
    createVerifier({ ...given, issuer: 'http://keycloak/', allowHttp: true });
  });
});

test('each issuer has its own keys', async () => {
  answer = (request, response) => response.end(jwksOf(request.url === '/one' ? 'a' : 'b'));
  const verifier = createVerifier({
    now: () => NOW,
    issuers: ['one', 'two'].map((name) => ({ issuer: `https://${name}.test/`, algorithms: ['ES256'], jwksUri: `${origin}/${name}` })),
  });
  const token = (kid, name) => sign(kid, { iss: `https://${name}.test/` });
  assert.equal((await verifier.verify(token('a', 'one'))).issuer, 'https://one.test/');
  assert.equal((await verifier.verify(token('b', 'two'))).issuer, 'https://two.test/');
  assert.deepEqual(await refusalOfPromise(verifier.verify(token('b', 'one')), EdgegateError), UNKNOWN_KEY);
  assert.deepEqual(requests.map(({ path }) => path), ['/one', '/two']);
});
