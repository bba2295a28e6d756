// Proofs of possession (RFC 9449), made by jose: good ones, and those that an attacker would send.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { describe, test } from 'node:test';
import * as jose from 'jose';

import { EdgegateError, createGate, createVerifier, memoryStore } from '../../pkg/wasm/node.js';
import { Replays } from '../../pkg/lib/replays.js';
import { webPlatform } from '../../pkg/lib/web-platform.js';
import { bind } from '../../pkg/lib/index.js';
import { AUDIENCE, CLAIMS, ISSUER, NOW, options, pairFor, refusalOf, refusalOfPromise, secretFor, signHmac } from './support.mjs';

const URL_OF_POSTS = 'https://api.test/v1/posts';
const thumbprint = (publicKey) => jose.calculateJwkThumbprint(publicKey.export({ format: 'jwk' }));
const hashOf = (token) => createHash('sha256').update(token).digest('base64url');
const bearer = signHmac(CLAIMS, { secret: secretFor('HS256') });

async function boundTo(algorithm) {
  return signHmac({ ...CLAIMS, cnf: { jkt: await thumbprint(pairFor(algorithm).publicKey) } }, { secret: secretFor('HS256') });
}

/** A proof by jose. `claims` and `header` change its members. */
function proofBy(algorithm, token, { claims = {}, header = {}, key = pairFor(algorithm).privateKey } = {}) {
  const jwk = pairFor(algorithm).publicKey.export({ format: 'jwk' });
  const whole = { jti: randomUUID(), htm: 'GET', htu: URL_OF_POSTS, iat: NOW, ath: hashOf(token), ...claims };
  return new jose.SignJWT(whole).setProtectedHeader({ typ: 'dpop+jwt', alg: algorithm, jwk, ...header }).sign(key);
}

const stranger = await jose.generateKeyPair('ES256');
const with_ = (proof, rest = {}) => ({ dpop: { proof, method: 'GET', url: URL_OF_POSTS, ...rest } });
const invalid = (problem) => ({ code: 'INVALID_TOKEN', reason: 'dpop_proof', message: `DPoP proof: ${problem}` });
const REPLAYED = { code: 'INVALID_TOKEN', reason: 'dpop_replayed', message: 'DPoP proof has been used before' };
const REQUIRED = { code: 'INVALID_TOKEN', reason: 'dpop_required', message: 'token is bound to a key, expected a DPoP proof' };
const NOT_BOUND = { code: 'INVALID_TOKEN', reason: 'dpop_not_bound', message: 'token is not bound to a key' };

/** WebCrypto, whose verdicts come later. */
const module = new WebAssembly.Module(readFileSync(new URL('../../pkg/wasm/edgegate_bg.wasm', import.meta.url)));
const web = bind(webPlatform({ load: () => module }));

describe('a proof by jose is taken once', () => {
  for (const algorithm of ['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'EdDSA']) {
    test(algorithm, async () => {
      const token = await boundTo(algorithm);
      for (const make of [createVerifier, web.createVerifier]) {
        const verifier = make(options());
        const proof = await proofBy(algorithm, token);
        assert.equal((await verifier.verify(token, with_(proof))).claims.sub, CLAIMS.sub);
        assert.deepEqual(await refusalOfPromise(verifier.verify(token, with_(proof)), EdgegateError), REPLAYED);
        assert.equal((await verifier.verify(token, with_(await proofBy(algorithm, token)))).claims.sub, CLAIMS.sub);
      }
      const verifier = createVerifier(options());
      const proof = await proofBy(algorithm, token);
      assert.equal(verifier.verifySync(token, with_(proof)).claims.sub, CLAIMS.sub);
      assert.deepEqual(refusalOf(() => verifier.verifySync(token, with_(proof)), EdgegateError), REPLAYED);
    });
  }
});

test('the example of RFC 9449 7.1, whose token is no JWT, holds for its own hash only', async () => {
  const examples = JSON.parse(readFileSync(new URL('../vectors/dpop.json', import.meta.url), 'utf8'));
  const { proof, jkt, method, url, iat } = examples.find(({ source }) => source === 'RFC 9449 7.1');
  const token = signHmac({ ...CLAIMS, exp: iat + 1, iat, cnf: { jkt } }, { secret: secretFor('HS256') });
  const verifier = createVerifier(options({ now: () => iat }));
  assert.deepEqual(
    await refusalOfPromise(verifier.verify(token, { dpop: { proof, method, url } }), EdgegateError),
    invalid('ath is not the hash of the access token'),
  );
});

test('a bound token is no bearer token, and a proof does not bind a bearer token', async () => {
  const token = await boundTo('ES256');
  const verifier = createVerifier(options());
  assert.equal((await verifier.verify(bearer)).claims.sub, CLAIMS.sub);
  for (const presented of [undefined, {}, { dpop: undefined }, with_(undefined), with_(null)]) {
    assert.deepEqual(await refusalOfPromise(verifier.verify(token, presented), EdgegateError), REQUIRED);
    assert.deepEqual(refusalOf(() => verifier.verifySync(token, presented), EdgegateError), REQUIRED);
  }
  assert.deepEqual(await refusalOfPromise(verifier.verify(bearer, with_(await proofBy('ES256', bearer))), EdgegateError), NOT_BOUND);
  const strict = createVerifier(options({ dpop: { required: true } }));
  assert.deepEqual(await refusalOfPromise(strict.verify(bearer), EdgegateError), NOT_BOUND);
  assert.equal((await strict.verify(token, with_(await proofBy('ES256', token)))).claims.sub, CLAIMS.sub);
  const off = createVerifier(options({ dpop: false }));
  assert.equal((await off.verify(token)).claims.sub, CLAIMS.sub);
});

test('a binding that cannot be read is not ignored', async () => {
  const verifier = createVerifier(options());
  for (const [cnf, claim] of [[null, 'cnf'], ['x', 'cnf'], [[], 'cnf'], [{ jkt: 5 }, 'cnf.jkt'], [{ jkt: 'short' }, 'cnf.jkt'], [{ jkt: null }, 'cnf.jkt']]) {
    const token = signHmac({ ...CLAIMS, cnf }, { secret: secretFor('HS256') });
    const { reason, claim: at } = await refusalOfPromise(verifier.verify(token), EdgegateError);
    assert.deepEqual({ reason, at }, { reason: 'wrong_claim_type', at: claim });
  }
  const other = signHmac({ ...CLAIMS, cnf: { 'x5t#S256': 'x' } }, { secret: secretFor('HS256') });
  assert.equal((await verifier.verify(other)).claims.sub, CLAIMS.sub);
});

test('bindings are read as the core reads them', async () => {
  const vectors = JSON.parse(readFileSync(new URL('../vectors/confirmations.json', import.meta.url), 'utf8'));
  const verifier = createVerifier(options());
  for (const { name, claims, jkt, problem, claim } of vectors) {
    const token = signHmac({ ...CLAIMS, ...claims }, { secret: secretFor('HS256') });
    if (jkt === null) {
      assert.equal((await verifier.verify(token)).claims.sub, CLAIMS.sub, name);
      continue;
    }
    const { message, claim: at } = await refusalOfPromise(verifier.verify(token), EdgegateError);
    const expected = problem ?? 'token is bound to a key, expected a DPoP proof';
    assert.deepEqual({ message, at }, { message: expected, at: claim }, name);
  }
});

test('proofs are remembered as the core remembers them', () => {
  const vectors = JSON.parse(readFileSync(new URL('../vectors/replays.json', import.meta.url), 'utf8'));
  for (const { name, capacity, steps } of vectors) {
    const replays = new Replays(capacity);
    for (const [holder, proof, until, now, first] of steps) {
      assert.equal(replays.isFirst(`${holder} ${proof}`, holder, until, now) ?? null, first, `${name}: ${holder} ${proof} at ${now}`);
    }
  }
});

describe('a proof is refused', () => {
  const cases = {
    'for another method': [{ claims: { htm: 'POST' } }, invalid('htm is not the method of the request')],
    'for another URL': [{ claims: { htu: 'https://api.test/v1/other' } }, invalid('htu is not the URL of the request')],
    'for another token': [{ claims: { ath: hashOf('another') } }, invalid('ath is not the hash of the access token')],
    'without a token': [{ claims: { ath: undefined } }, invalid('ath is missing')],
    'without a name': [{ claims: { jti: undefined } }, invalid('jti is missing')],
    'that is old': [{ claims: { iat: NOW - 61 } }, invalid('proof is too old')],
    'from the future': [{ claims: { iat: NOW + 31 } }, invalid('proof is from the future')],
    'of another type': [{ header: { typ: 'JWT' } }, invalid('typ is not dpop+jwt')],
    'with a private key': [
      { header: { jwk: pairFor('ES256').privateKey.export({ format: 'jwk' }) } },
      invalid('JWK: a private key, expected only its public members'),
    ],
    'with the key of somebody else': [
      { header: { jwk: pairFor('EdDSA').publicKey.export({ format: 'jwk' }) } },
      { code: 'INVALID_TOKEN', reason: 'dpop_key', message: "DPoP proof is by another key than the token's" },
    ],
    'by the key of somebody else': [
      { key: stranger.privateKey }, invalid('signature does not verify'),
    ],
  };
  for (const [name, [changes, expected]] of Object.entries(cases)) {
    test(name, async () => {
      const token = await boundTo('ES256');
      const proof = await proofBy('ES256', token, changes);
      for (const make of [createVerifier, web.createVerifier]) {
        assert.deepEqual(await refusalOfPromise(make(options()).verify(token, with_(proof)), EdgegateError), expected);
      }
      assert.deepEqual(refusalOf(() => createVerifier(options()).verifySync(token, with_(proof)), EdgegateError), expected);
    });
  }

  test('by a secret', async () => {
    const token = await boundTo('ES256');
    const jwk = pairFor('ES256').publicKey.export({ format: 'jwk' });
    const proof = signHmac({ jti: 'a', htm: 'GET', htu: URL_OF_POSTS, iat: NOW, ath: hashOf(token) }, {
      secret: secretFor('HS256'), header: { typ: 'dpop+jwt', jwk },
    });
    assert.deepEqual(await refusalOfPromise(createVerifier(options()).verify(token, with_(proof)), EdgegateError), invalid('alg is not allowed'));
  });

  test('by an algorithm that the options do not name', async () => {
    const token = await boundTo('ES256');
    const verifier = createVerifier(options({ dpop: { algorithms: ['Ed25519'] } }));
    assert.deepEqual(
      await refusalOfPromise(verifier.verify(token, with_(await proofBy('ES256', token))), EdgegateError),
      invalid('alg is not allowed'),
    );
    const other = await boundTo('EdDSA');
    assert.equal((await verifier.verify(other, with_(await proofBy('EdDSA', other)))).claims.sub, CLAIMS.sub);
  });

  test('beside another one, or in more than one line', async () => {
    const token = await boundTo('ES256');
    const verifier = createVerifier(options());
    const [one, two] = [await proofBy('ES256', token), await proofBy('ES256', token)];
    const refused = (proof) => refusalOfPromise(verifier.verify(token, with_(proof)), EdgegateError);
    assert.deepEqual(await refused(`${one}, ${two}`), invalid('more than one DPoP header'));
    assert.deepEqual(await refused([one, two]), invalid('more than one DPoP header'));
    assert.deepEqual(await refused(`${one}\nnonce`), invalid('expected one line'));
    assert.deepEqual(await refused('a'.repeat(8193)), invalid('longer than 8192 bytes'));
    assert.equal((await refused('')).reason, 'dpop_proof');
  });

  test('with a point off its curve', async () => {
    const { kty, crv, x } = pairFor('ES256').publicKey.export({ format: 'jwk' });
    const jwk = { kty, crv, x, y: x };
    const jkt = await jose.calculateJwkThumbprint(jwk);
    const token = signHmac({ ...CLAIMS, cnf: { jkt } }, { secret: secretFor('HS256') });
    const proof = await proofBy('ES256', token, { header: { jwk } });
    for (const make of [createVerifier, web.createVerifier]) {
      const error = await refusalOfPromise(make(options()).verify(token, with_(proof)), EdgegateError);
      assert.deepEqual(error, invalid('jwk is no key of its kind'));
    }
  });
});

test('a forged token is refused before its proof is looked at', async () => {
  const token = await boundTo('ES256');
  const forged = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BA' : 'AA'}`;
  const { reason } = await refusalOfPromise(createVerifier(options()).verify(forged, with_('nonsense')), EdgegateError);
  assert.equal(reason, 'bad_signature');
});

test('the URL is compared as a URL, without its query', async () => {
  const token = await boundTo('ES256');
  const verifier = createVerifier(options());
  for (const url of ['HTTPS://API.test:443/v1/posts?page=2#x', new URL(`${URL_OF_POSTS}?q`), 'https://api.test/v1/a/../%70osts']) {
    assert.equal((await verifier.verify(token, with_(await proofBy('ES256', token), { url }))).claims.sub, CLAIMS.sub);
  }
  const proof = await proofBy('ES256', token, { claims: { htu: `${URL_OF_POSTS}?page=1` } });
  assert.equal((await verifier.verify(token, with_(proof))).claims.sub, CLAIMS.sub);
});

test('a nonce is one of those that the server gives', async () => {
  const token = await boundTo('ES256');
  const verifier = createVerifier(options());
  const nonce = ['now', 'before'];
  for (const own of nonce) {
    const proof = await proofBy('ES256', token, { claims: { nonce: own } });
    assert.equal((await verifier.verify(token, with_(proof, { nonce }))).claims.sub, CLAIMS.sub);
  }
  const refused = async (claims, given) => refusalOfPromise(
    verifier.verify(token, with_(await proofBy('ES256', token, { claims }), { nonce: given })), EdgegateError,
  );
  const expected = { code: 'INVALID_TOKEN', reason: 'dpop_nonce', message: 'DPoP proof lacks the nonce that is wanted' };
  assert.deepEqual(await refused({}, 'now'), expected);
  assert.deepEqual(await refused({ nonce: 'older' }, nonce), expected);
});

test('wrong arguments are the caller’s fault', async () => {
  const token = await boundTo('ES256');
  const verifier = createVerifier(options());
  const refused = async (dpop) => (await refusalOfPromise(verifier.verify(token, { dpop }), EdgegateError)).message;
  const proof = await proofBy('ES256', token);
  assert.equal(await refused({ proof, url: URL_OF_POSTS }), 'dpop.method: expected a non-empty string');
  assert.equal(await refused({ proof, method: 'GET' }), 'dpop.url: expected a non-empty string');
  assert.equal(await refused({ proof, method: 'GET\nX', url: URL_OF_POSTS }), 'dpop.method: expected one line');
  assert.equal(await refused({ proof, method: 'GET', url: 5 }), 'dpop.url: expected a non-empty string');
  assert.equal(await refused({ proof: 5, method: 'GET', url: URL_OF_POSTS }), 'dpop.proof: expected a string, or nothing');
  assert.equal(await refused({ proof, method: 'GET', url: URL_OF_POSTS, nonce: 5 }), 'dpop.nonce: expected a string or a list of strings');
  assert.equal(await refused({ proof, uri: URL_OF_POSTS }), 'dpop.uri: is not a known option, expected one of proof, method, url, nonce');
  assert.equal(await refused({ proof, method: 'GET', url: '/v1/posts' }), 'DPoP proof: the URL of the request cannot be compared');
});

describe('a store remembers for all processes', () => {
  const storeOf = (compareAndSet) => createVerifier(options({ dpop: { replay: { compareAndSet } } }));

  test('under a name that reveals nothing, and for 30 s longer than the proof is taken', async () => {
    const token = await boundTo('ES256');
    const values = new Map();
    const calls = [];
    const compareAndSet = async (key, expected, next, rest) => {
      calls.push([key, expected, next, rest]);
      if (values.has(key)) return false;
      values.set(key, next);
      return true;
    };
    const [one, two] = [storeOf(compareAndSet), storeOf(compareAndSet)];
    const proof = await proofBy('ES256', token, { claims: { iat: NOW - 20 } });
    assert.equal((await one.verify(token, with_(proof))).claims.sub, CLAIMS.sub);
    assert.deepEqual(await refusalOfPromise(two.verify(token, with_(proof)), EdgegateError), REPLAYED);
    assert.match(calls[0][0], /^dpop\/v1\/[\w-]{43}$/);
    assert.deepEqual(calls[0].slice(1), [null, '1', { ttlSecs: 71 }]);
    assert.deepEqual(calls[0], calls[1]);
    assert.equal(refusalOf(() => one.verifySync(token, with_(proof)), EdgegateError).code, 'SYNC_UNSUPPORTED');
  });

  test('and the stores of the package are such stores', async () => {
    const token = await boundTo('ES256');
    const replay = memoryStore({ now: () => NOW });
    const [one, two] = [createVerifier(options({ dpop: { replay } })), createVerifier(options({ dpop: { replay } }))];
    const proof = await proofBy('ES256', token);
    assert.equal((await one.verify(token, with_(proof))).claims.sub, CLAIMS.sub);
    assert.deepEqual(await refusalOfPromise(two.verify(token, with_(proof)), EdgegateError), REPLAYED);
  });

  test('also when the clock of one is behind that of the other', async () => {
    const token = await boundTo('ES256');
    const clock = { now: NOW };
    const replay = memoryStore({ now: () => clock.now });
    const verifierAt = (behind) => createVerifier(options({ dpop: { replay }, clockTolerance: 60, now: () => clock.now - behind }));
    const [first, second] = [verifierAt(0), verifierAt(29)];
    const proof = await proofBy('ES256', token);
    await first.verify(token, with_(proof));
    // The first one takes it for 60 seconds (and 30 more for a clock that is ahead), the second one for 29 seconds more.
    for (const passed of [1, 88, 90, 115, 118]) {
      clock.now = NOW + passed;
      assert.equal((await refusalOfPromise(second.verify(token, with_(proof)), EdgegateError)).code, 'INVALID_TOKEN', `${passed}`);
    }
    let kept;
    const keeping = storeOf(async (_, __, ___, { ttlSecs }) => {
      kept = ttlSecs;
      return true;
    });
    await keeping.verify(token, with_(await proofBy('ES256', token)));
    const alone = createVerifier(options({ now: () => clock.now }));
    clock.now = NOW;
    const other = await proofBy('ES256', token);
    await alone.verify(token, with_(other));
    // A proof is good for this long by one clock. A shared store keeps it longer, since clocks may differ.
    let good = 0;
    while ((await refusalOfPromise(alone.verify(token, with_(other)), EdgegateError)).reason === 'dpop_replayed') clock.now = NOW + (good += 1);
    assert.equal(kept, good + 30);
  });

  test('and if it does not answer, nobody is admitted', async () => {
    const token = await boundTo('ES256');
    for (const [answer, message] of [
      [() => Promise.reject(new Error('SECRETWORD')), 'store replay: it failed'],
      [() => { throw new Error('SECRETWORD'); }, 'store replay: it failed'],
      [async () => undefined, 'store replay: compareAndSet gave no boolean'],
      [async () => 'OK', 'store replay: compareAndSet gave no boolean'],
    ]) {
      const refusal = await refusalOfPromise(storeOf(answer).verify(token, with_(await proofBy('ES256', token))), EdgegateError);
      assert.deepEqual(refusal, { code: 'STORE_UNAVAILABLE', reason: 'store_unavailable', message });
    }
  });

  test('and is not asked about an invalid proof', async () => {
    const token = await boundTo('ES256');
    const verifier = storeOf(() => assert.fail('asked'));
    const proof = await proofBy('ES256', token, { claims: { htm: 'POST' } });
    assert.equal((await refusalOfPromise(verifier.verify(token, with_(proof)), EdgegateError)).reason, 'dpop_proof');
  });
});

test('of many requests with one proof at once, one is admitted', async () => {
  const token = await boundTo('ES256');
  for (const make of [createVerifier, web.createVerifier]) {
    const verifier = make(options());
    const proof = await proofBy('ES256', token);
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => verifier.verify(token, with_(proof))));
    assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1);
  }
});

test('the memory of proofs forgets expired ones, and fails before it forgets others', () => {
  const replays = new Replays(3);
  // Each proof is by another key.
  const first = (key, until, now) => replays.isFirst(key, `key of ${key}`, until, now);
  for (const [key, until] of [['a', 10], ['b', 20], ['c', 30]]) assert.equal(first(key, until, 0), true);
  assert.equal(first('d', 40, 9), undefined);
  assert.equal(first('a', 10, 9), false);
  assert.equal(first('d', 40, 10), true);
  assert.equal(first('e', 40, 19), undefined);
  assert.equal(first('b', 90, 20), true);
  assert.equal(first('e', 40, 30), true);
  assert.equal(first('d', 40, 39), false);
});

test('one key cannot fill the memory for all', () => {
  const replays = new Replays(640);
  const taken = (holder, count) => Array.from({ length: count }, (_, index) => replays.isFirst(`${holder} ${index}`, holder, 60, 0)).filter(Boolean).length;
  assert.equal(taken('greedy', 10_000), 320);
  for (const other of ['b', 'c', 'd']) assert.equal(taken(other, 1_000), 20);
  assert.equal(replays.isFirst('greedy 0', 'greedy', 60, 0), false);
  assert.equal(replays.isFirst('greedy 10000', 'greedy', 90, 60), true);
});

describe('verifyRequest', () => {
  const request = (headers, method = 'GET') => new Request(`${URL_OF_POSTS}?page=2`, { method, headers });

  test('takes each token by its own scheme only', async () => {
    const token = await boundTo('ES256');
    const verifier = createVerifier(options());
    const proof = await proofBy('ES256', token);
    assert.equal((await verifier.verifyRequest(request({ authorization: `Bearer ${bearer}` }))).claims.sub, CLAIMS.sub);
    assert.equal((await verifier.verifyRequest(request({ authorization: `dpop ${token}`, dpop: proof }))).claims.sub, CLAIMS.sub);
    const refused = (headers) => refusalOfPromise(verifier.verifyRequest(request(headers)), EdgegateError);
    const fresh = await proofBy('ES256', token);
    assert.deepEqual(await refused({ authorization: `Bearer ${token}`, dpop: fresh }), REQUIRED);
    assert.deepEqual(await refused({ authorization: `DPoP ${token}` }), invalid('the DPoP header is missing'));
    assert.deepEqual(await refused({ authorization: `DPoP ${token}`, dpop: proof }), REPLAYED);
    assert.deepEqual(await refused({ authorization: `DPoP ${bearer}`, dpop: await proofBy('ES256', bearer) }), NOT_BOUND);
    const two = new Headers({ authorization: `DPoP ${token}`, dpop: fresh });
    two.append('dpop', fresh);
    assert.deepEqual(await refused(two), invalid('more than one DPoP header'));
    assert.equal((await refused({})).code, 'MISSING_CREDENTIALS');
    for (const authorization of ['Bearer', 'Basic YQ==', `Bearer ${bearer}, Bearer ${bearer}`, bearer, 'DPoP a b']) {
      assert.equal((await refused({ authorization })).code, 'INVALID_REQUEST', authorization);
    }
  });

  test('compares with the URL that the client wrote', async () => {
    const token = await boundTo('ES256');
    const verifier = createVerifier(options());
    const inner = new Request('http://10.0.0.1:8080/posts', { headers: { authorization: `DPoP ${token}`, dpop: await proofBy('ES256', token) } });
    assert.deepEqual(await refusalOfPromise(verifier.verifyRequest(inner), EdgegateError), invalid('htu is not the URL of the request'));
    assert.equal((await verifier.verifyRequest(inner, { url: URL_OF_POSTS })).claims.sub, CLAIMS.sub);
    assert.equal((await refusalOfPromise(verifier.verifyRequest(inner, { uri: 'x' }), EdgegateError)).path, 'uri');
  });

  test('takes a request of Node, whose host is what the caller says: a proof holds with the URL that was configured only', async () => {
    const token = await boundTo('ES256');
    const verifier = createVerifier(options());
    const { origin, pathname } = new URL(URL_OF_POSTS);
    const nodes = (url, ...lines) => Object.assign(Object.create(http.IncomingMessage.prototype), {
      httpVersion: '1.1', method: 'GET', url, rawHeaders: ['Host', new URL(origin).host, ...lines],
    });
    const proven = async () => ['authorization', `DPoP ${token}`, 'DPoP', await proofBy('ES256', token)];
    const refused = (request) => refusalOfPromise(verifier.verifyRequest(request), EdgegateError);
    assert.equal((await verifier.verifyRequest(nodes('/x', 'Authorization', `Bearer ${bearer}`))).claims.sub, CLAIMS.sub);
    assert.equal((await verifier.verifyRequest(nodes(pathname, ...await proven()), { url: URL_OF_POSTS })).claims.sub, CLAIMS.sub);
    for (const target of [pathname, URL_OF_POSTS]) {
      assert.deepEqual(await refused(nodes(target, ...await proven())), invalid('the URL of the request cannot be compared'));
    }
    // Node's `headers` have one of them only.
    for (const name of ['Authorization', 'authorization']) {
      assert.equal((await refused(nodes('/x', 'Authorization', `Bearer ${bearer}`, name, `Bearer ${bearer}`))).code, 'INVALID_REQUEST');
    }
    assert.equal((await refused(nodes('/x'))).code, 'MISSING_CREDENTIALS');
    for (const none of [undefined, null, 'x', {}]) assert.equal((await refused(none)).code, 'INVALID_REQUEST');
  });
});

describe('createGate', () => {
  const gateWith = (dpop, { replays, counters, now = () => NOW } = {}) => createGate({
    issuers: [{ issuer: ISSUER, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET', ...(dpop && { dpop }) }],
    ...(replays && { dpop: { replays } }),
  }, { secrets: { JWT_SECRET: secretFor('HS256') }, stores: { ...(counters && { counters }) }, now });
  const ask = (gate, headers, url = URL_OF_POSTS) => gate.check(new Request(`${url}?page=2`, { headers }), { clientIp: '192.0.2.1' });

  test('takes a bound token with its proof, once', async () => {
    const token = await boundTo('ES256');
    for (const gate of [gateWith(undefined), gateWith('required')]) {
      const headers = { authorization: `DPoP ${token}`, dpop: await proofBy('ES256', token) };
      const first = await ask(gate, headers);
      assert.ok(first.ok, JSON.stringify(first));
      assert.equal(first.identity.subject, CLAIMS.sub);
      const again = await ask(gate, headers);
      assert.deepEqual({ code: again.code, reason: again.reason }, { code: 'INVALID_TOKEN', reason: 'dpop_replayed' });
      assert.match(again.response().headers.get('www-authenticate'), /^DPoP realm="edgegate", error="invalid_dpop_proof", algs=/);
      const plain = await ask(gate, { authorization: `Bearer ${token}` });
      assert.deepEqual({ ok: plain.ok, reason: plain.reason }, { ok: false, reason: 'dpop_required' });
    }
    const other = await ask(gateWith(undefined), { authorization: `DPoP ${token}`, dpop: await proofBy('ES256', token) }, 'https://other.test/v1/posts');
    assert.equal(other.reason, 'dpop_proof');
    assert.equal((await ask(gateWith('off'), { authorization: `Bearer ${token}` })).ok, true);
    assert.equal((await ask(gateWith('required'), { authorization: `Bearer ${bearer}` })).reason, 'dpop_not_bound');
  });

  const named = (proof, token) => {
    const hash = createHash('sha256').update('edgegate-dpop-v1\0');
    const { jti } = jose.decodeJwt(proof);
    for (const part of [jose.decodeJwt(token).cnf.jkt, jti, URL_OF_POSTS]) {
      const length = Buffer.alloc(8);
      length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
      hash.update(length).update(part);
    }
    return `dpop/v1/${hash.digest('base64url')}`;
  };

  for (const replays of ['shared', 'durable-object']) {
    test(`with replays = ${replays} several gates take a proof once, and remember it for longer than any would take it`, async () => {
      const clock = { now: NOW };
      const now = () => clock.now;
      const counters = memoryStore({ now });
      const gates = [1, 2, 3].map(() => gateWith(undefined, { replays, counters, now }));
      const token = await boundTo('ES256');
      const proof = await proofBy('ES256', token, { claims: { iat: NOW + 30 } });
      const headers = { authorization: `DPoP ${token}`, dpop: proof };
      const decisions = await Promise.all(Array.from({ length: 60 }, (_, index) => ask(gates[index % 3], headers)));
      assert.equal(decisions.filter(({ ok }) => ok).length, 1);
      assert.ok(decisions.every(({ ok, reason }) => ok || reason === 'dpop_replayed'));
      const name = named(proof, token);
      assert.deepEqual(await counters.get([name]), ['1']);
      clock.now = NOW + 90;
      for (const gate of gates) assert.equal((await ask(gate, headers)).reason, 'dpop_replayed');
      // By then the proof is too old even for a gate whose clock is behind.
      clock.now = NOW + 120;
      assert.deepEqual(await counters.get([name]), ['1']);
      clock.now = NOW + 122;
      assert.deepEqual(await counters.get([name]), [null]);
      assert.equal((await ask(gates[0], headers)).reason, 'dpop_proof');
    });
  }

  test('a store of proofs that fails admits none', async () => {
    const token = await boundTo('ES256');
    const whole = memoryStore({ now: () => NOW });
    const methods = Object.fromEntries(['get', 'put', 'delete', 'list'].map((name) => [name, whole[name].bind(whole)]));
    for (const compareAndSet of [
      () => Promise.reject(new Error('SECRETWORD')),
      () => { throw new Error('SECRETWORD'); },
      async () => undefined,
      async () => 'OK',
    ]) {
      const gate = gateWith(undefined, { replays: 'shared', counters: { ...methods, compareAndSet } });
      const decision = await ask(gate, { authorization: `DPoP ${token}`, dpop: await proofBy('ES256', token) });
      assert.deepEqual({ code: decision.code, status: decision.status }, { code: 'STORE_UNAVAILABLE', status: 503 });
      assert.equal((await ask(gate, { authorization: `Bearer ${bearer}` })).ok, true, 'nothing else asks it');
    }
  });
});
