// A bad configuration is refused at once, with the whole message and the path of the fault.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';

import { EdgegateError, createApiKeys, createVerifier, importKey, verifyJws } from '../../pkg/wasm/node.js';
import { ISSUER, options, pairFor, refusalOf, refusalOfPromise, secretFor } from './support.mjs';

const refusedAs = (path, problem) => ({
  code: 'CONFIG_ERROR', reason: 'config', message: path ? `${path}: ${problem}` : problem, ...(path && { path }),
});

const rsaPem = pairFor('RS256').publicKey.export({ type: 'spki', format: 'pem' });
const rsaDer = pairFor('RS256').publicKey.export({ type: 'spki', format: 'der' });
const rsaJwk = pairFor('RS256').publicKey.export({ format: 'jwk' });
const ecJwk = pairFor('ES256').publicKey.export({ format: 'jwk' });
const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
const SECRET_IS_PUBLIC = 'secret is a PEM, JWK, SSH or DER key or certificate, expected random bytes';
const KEY_FORMS = 'expected a JWK, PEM text, a CryptoKey, a KeyObject, or the bytes of an HMAC secret';
const TEXT_SECRET = 'a string that is not PEM, expected an HMAC secret as bytes (new TextEncoder().encode(secret))';

const CASES = {
  'no algorithm at all': [{ algorithms: [] }, 'algorithms', 'expected a non-empty list'],
  'an unknown algorithm': [{ algorithms: ['HS256', 'hs256'] }, 'algorithms[1]', 'expected an algorithm like RS256, ES256, EdDSA or HS256'],
  none: [{ algorithms: ['none'] }, 'algorithms[0]', 'expected an algorithm like RS256, ES256, EdDSA or HS256'],
  'a word for the list of algorithms': [{ algorithms: 'HS256' }, 'algorithms', 'expected a list of strings'],
  'HMAC beside others': [{ algorithms: ['RS256', 'HS256'], key: rsaPem }, 'algorithms', 'HMAC beside public-key algorithms, expected one or the other'],
  'an algorithm no key serves': [{ algorithms: ['RS256', 'ES256'], key: rsaPem }, 'algorithms', 'no key serves ES256'],
  'no algorithm for a secret': [{ algorithms: undefined }, 'algorithms', 'expected a list for a key that names no algorithm'],
  'no algorithm for RSA': [{ algorithms: undefined, key: rsaPem }, 'algorithms', 'expected a list for a key that names no algorithm'],
  'a secret for RS256': [{ algorithms: ['RS256'] }, 'key', 'a secret cannot serve RS256, expected HS256, HS384 or HS512'],
  'an empty secret': [{ key: new Uint8Array() }, 'key', 'secret has 0 bytes, expected at least 32'],
  'a short secret': [{ key: new Uint8Array(31) }, 'key', 'secret has 31 bytes, expected at least 32'],
  'a secret shorter than its hash': [{ algorithms: ['HS512'], key: new Uint8Array(63) }, 'key', 'secret has 63 bytes, expected at least 64'],
  'PEM as a secret': [{ key: Buffer.from(rsaPem) }, 'key', SECRET_IS_PUBLIC],
  'JWK text as a secret': [{ key: Buffer.from(JSON.stringify(rsaJwk)) }, 'key', SECRET_IS_PUBLIC],
  'DER as a secret': [{ key: rsaDer }, 'key', SECRET_IS_PUBLIC],
  'PEM as a JWK secret': [{ key: { kty: 'oct', k: Buffer.from(rsaPem).toString('base64url') } }, 'key', SECRET_IS_PUBLIC],
  'PEM for HS256': [{ key: rsaPem }, 'algorithms', 'no key serves HS256'],
  'text as a secret': [{ key: 'x'.repeat(64) }, 'key', TEXT_SECRET],
  'a small RSA key': [{ algorithms: ['RS256'], key: small }, 'key', 'RSA modulus has 1024 bits, expected at least 2048'],
  'a private JWK': [{ algorithms: ['ES256'], key: pairFor('ES256').privateKey.export({ format: 'jwk' }) }, 'key', 'JWK: a private key, expected only its public members'],
  'a private PEM': [
    { algorithms: ['ES256'], key: pairFor('ES256').privateKey.export({ type: 'pkcs8', format: 'pem' }) },
    'key', 'PEM holds a private key, expected the public key',
  ],
  'a point off its curve': [{ algorithms: ['ES256'], key: { ...ecJwk, y: ecJwk.x } }, 'key', 'the host refuses the key'],
  'a key for encryption': [{ algorithms: ['ES256'], key: { ...ecJwk, use: 'enc' } }, 'key', 'JWK: use is not sig'],
  'a number for a key': [{ key: 5 }, 'key', KEY_FORMS],
  'an empty object for a key': [{ key: {} }, 'key', KEY_FORMS],
  'an empty key set': [{ key: undefined, jwks: { keys: [] } }, 'jwks', 'no usable key, expected at least one'],
  'one kid twice': [
    { algorithms: ['ES256'], key: undefined, jwks: { keys: [{ ...ecJwk, kid: 'a' }, { ...ecJwk, kid: 'a' }] } },
    'jwks', 'two keys with the same kid',
  ],
  'secrets beside public keys': [
    { algorithms: ['ES256'], key: undefined, jwks: { keys: [ecJwk, { kty: 'oct', k: 'A'.repeat(43) }] } },
    'jwks', 'secrets and public keys in one set',
  ],
  'no key': [{ key: undefined }, '', 'expected exactly one of key, jwks, jwksUri, discovery'],
  'two sources of keys': [{ jwksUri: 'https://issuer.test/jwks' }, '', 'expected exactly one of key, jwks, jwksUri, discovery'],
  'keys over http': [{ key: undefined, algorithms: ['RS256'], jwksUri: 'http://issuer.test/jwks' }, 'jwksUri', 'expected an https URL (http only on loopback)'],
  'keys of a host that begins as loopback': [
    { key: undefined, algorithms: ['RS256'], jwksUri: 'http://127.0.0.1.issuer.test/jwks' }, 'jwksUri', 'expected an https URL (http only on loopback)',
  ],
  'HMAC with published keys': [
    { key: undefined, jwksUri: 'https://issuer.test/jwks' }, 'algorithms', 'HMAC with published keys, expected a public-key algorithm',
  ],
  'no issuer': [{ issuer: undefined }, 'issuer', 'expected a non-empty string'],
  'an empty issuer': [{ issuer: '' }, 'issuer', 'expected a non-empty string'],
  'an empty audience': [{ audience: [] }, 'audience', 'expected a non-empty string or list of them'],
  'an audience of another type': [{ audience: 5 }, 'audience', 'expected a string or a list of strings'],
  'an audience in the list of another type': [{ audience: ['a', 5] }, 'audience[1]', 'expected a string'],
  'a tolerance in words': [{ clockTolerance: '5 minutes' }, 'clockTolerance', 'expected a whole number of seconds'],
  'a negative tolerance': [{ clockTolerance: -1 }, 'clockTolerance', 'expected a whole number of seconds'],
  'a tolerance of an hour': [{ clockTolerance: 3600 }, 'clockTolerance', 'expected at most 600 seconds'],
  'no age': [{ maxTokenAge: 0 }, 'maxTokenAge', 'expected at least 1'],
  'no age of the sign-in': [{ maxAuthAge: 0 }, 'maxAuthAge', 'expected at least 1'],
  'a fractional age': [{ maxTokenAge: 1.5 }, 'maxTokenAge', 'expected a whole number of seconds'],
  'a required claim without a name': [{ requiredClaims: [''] }, 'requiredClaims', 'expected non-empty strings'],
  'an empty typ': [{ typ: '' }, 'typ', 'expected a non-empty string'],
  'a profile nobody knows': [{ profile: 'id-token' }, 'profile', 'expected access-token'],
  'an access token for anybody': [
    { profile: 'access-token', audience: undefined }, 'audience', 'the profile wants the audience that tokens are for',
  ],
  'an access token of another typ': [
    { profile: 'access-token', typ: 'JWT' }, 'typ', 'the profile wants at+jwt, expected that or nothing',
  ],
  'an access token without an end': [
    { profile: 'access-token', requireExp: false }, 'requireExp', 'the profile wants exp, expected true or nothing',
  ],
  'an empty scopeClaim': [{ scopeClaim: '' }, 'scopeClaim', 'expected a non-empty string'],
  'no number for an age': [{ maxTokenAge: Number.NaN }, 'maxTokenAge', 'expected a whole number of seconds'],
  'null for an age': [{ maxTokenAge: null }, 'maxTokenAge', 'expected a whole number of seconds'],
  'what JSON would drop for a typ': [{ typ: () => 'at+jwt' }, 'typ', 'expected a non-empty string'],
  'what JSON would make text of': [{ audience: new URL('https://api.test') }, 'audience', 'expected a string or a list of strings'],
  'a hole among the required claims': [{ requiredClaims: ['a', undefined] }, 'requiredClaims[1]', 'expected a string'],
  'a name as policies spell it': [{ clock_tolerance_secs: 5 }, 'clock_tolerance_secs', 'is not a known option, expected clockTolerance'],
  'an option of all issuers as policies spell it': [{ max_token_length: 5 }, 'max_token_length', 'is not a known option, expected maxTokenLength'],
  'requireExp as a word': [{ requireExp: 'no' }, 'requireExp', 'expected true or false'],
  'no length': [{ maxTokenLength: 0 }, 'maxTokenLength', 'expected 1 to 1048576 bytes'],
  'a cache of nothing': [{ cache: { entries: 0 } }, 'cache.entries', 'expected 1 to 1000000, or cache: false'],
  'cache: true': [{ cache: true }, 'cache', 'expected an object'],
  'an unknown option of the cache': [{ cache: { ttl: 5 } }, 'cache.ttl', 'is not a known option, expected one of entries'],
  'a clock that stands still': [{ now: 5 }, 'now', 'expected a function that returns seconds since 1970'],
  'dpop: true': [{ dpop: true }, 'dpop', 'expected an object'],
  'an unknown option of dpop': [{ dpop: { require: true } }, 'dpop.require', 'is not a known option, expected one of required, maxAge, algorithms, replay'],
  'dpop.required as a word': [{ dpop: { required: 'yes' } }, 'dpop.required', 'expected true or false'],
  'proofs of no age': [{ dpop: { maxAge: 0 } }, 'dpop.maxAge', 'expected 1 to 3600 seconds'],
  'proofs of a day': [{ dpop: { maxAge: 86_400 } }, 'dpop.maxAge', 'expected 1 to 3600 seconds'],
  'proofs by no algorithm': [{ dpop: { algorithms: [] } }, 'dpop.algorithms', 'expected a non-empty list'],
  'proofs by a secret': [{ dpop: { algorithms: ['ES256', 'HS256'] } }, 'dpop.algorithms[1]', 'expected a public-key algorithm like ES256, EdDSA or RS256'],
  'a store of proofs that cannot compare': [{ dpop: { replay: new Map() } }, 'dpop.replay', 'expected a store with compareAndSet'],
  'issuers that are no list': [{ issuers: {} }, 'issuer', 'is not a known option, expected one of issuers, maxTokenLength, cache, now, dpop'],
};

describe('createVerifier refuses', () => {
  for (const [name, [rest, path, problem]] of Object.entries(CASES)) {
    test(name, () => {
      assert.deepEqual(refusalOf(() => createVerifier(options(rest)), EdgegateError), refusedAs(path, problem));
    });
  }

  test('unknown options, and repeats only what can be a name', () => {
    const known = 'issuer, tenants, audience, audienceClaim, algorithms, key, jwks, jwksUri, discovery, allowHttp, clockTolerance, maxTokenAge, maxAuthAge, requiredClaims, '
      + 'claims, typ, scopeClaim, scopeClaims, scopeMap, requireExp, profile';
    const refused = (rest) => refusalOf(() => createVerifier(options(rest)), EdgegateError).message;
    const tail = `is not a known option, expected one of ${known}, maxTokenLength, cache, now, dpop, issuers`;
    assert.equal(refused({ algorithm: ['HS256'] }), `algorithm: ${tail}`);
    assert.equal(refused({ 'eyJ.eyJ.x': 1 }), `?: ${tail}`);
  });

  test('no options', () => {
    for (const nothing of [undefined, null, 5, 'x', []]) {
      assert.deepEqual(refusalOf(() => createVerifier(nothing), EdgegateError), refusedAs('', 'expected an object'));
    }
  });

  test('faults of one of several issuers, at its place', () => {
    const issuer = (rest) => ({ issuer: ISSUER, algorithms: ['HS256'], key: secretFor('HS256'), ...rest });
    const refused = (...issuers) => refusalOf(() => createVerifier({ issuers }), EdgegateError);
    assert.deepEqual(refused(), refusedAs('issuers', 'expected a non-empty list'));
    assert.deepEqual(refused(issuer(), issuer()), refusedAs('issuers[1].issuer', 'the same issuer twice, expected algorithms of different families'));
    assert.deepEqual(refused(issuer({ key: new Uint8Array(5) })), refusedAs('issuers[0].key', 'secret has 5 bytes, expected at least 32'));
    assert.equal(refused(issuer(), issuer({ colour: 1 })).path, 'issuers[1].colour');
    assert.deepEqual(refused(issuer({ key: undefined })), refusedAs('issuers[0]', 'expected exactly one of key, jwks, jwksUri, discovery'));
    assert.deepEqual(
      refused(issuer(), issuer({ issuer: 'b', audience: 'x', profile: 'access-token', requireExp: false })),
      refusedAs('issuers[1].requireExp', 'the profile wants exp, expected true or nothing'),
    );
    assert.deepEqual(refused(issuer({ algorithms: ['HS512'] })), refusedAs('issuers[0].key', 'secret has 32 bytes, expected at least 64'));
  });
});

test('a clock that gives no number is refused when it is read', () => {
  const verifier = createVerifier(options({ now: () => Number.NaN }));
  assert.deepEqual(
    refusalOf(() => verifier.verifySync('a.b.c'), EdgegateError),
    refusedAs('now', 'expected a function that returns seconds since 1970'),
  );
});

test('verifyJws refuses bad options', async () => {
  const refused = (key, rest) => refusalOfPromise(verifyJws('a.b.c', key, rest), EdgegateError);
  assert.deepEqual(await refused(secretFor('HS256')), refusedAs('algorithms', 'expected a list for a key that names no algorithm'));
  assert.deepEqual(await refused(rsaPem, { algorithms: ['HS256'] }), refusedAs('algorithms', 'no key serves HS256'));
  assert.deepEqual(await refused(Buffer.from(rsaPem), { algorithms: ['HS256'] }), refusedAs('key', SECRET_IS_PUBLIC));
  assert.deepEqual(await refused(undefined, {}), refusedAs('key', KEY_FORMS));
  assert.equal((await refused(rsaPem, { algorithm: ['RS256'] })).path, 'algorithm');
});

test('importKey describes a key and refuses anything else', async () => {
  const key = await importKey(rsaPem, { alg: 'PS256', kid: 'mine' });
  assert.deepEqual(
    { type: key.type, kid: key.kid, algorithms: key.algorithms },
    { type: 'public', kid: 'mine', algorithms: ['PS256'] },
  );
  assert.doesNotMatch(JSON.stringify(await importKey(secretFor('HS256'), { alg: 'HS256' })), /"k"|BwcH/);
  const refused = (source, rest) => refusalOfPromise(importKey(source, rest), EdgegateError);
  assert.deepEqual(await refused(secretFor('HS256')), refusedAs('alg', 'expected HS256, HS384 or HS512 for a secret'));
  assert.deepEqual(await refused({ keys: [rsaJwk] }), refusedAs('key', 'a JWK set, expected a single key'));
  assert.deepEqual(await refused(rsaPem, { alg: 'ES256' }), refusedAs('alg', 'the key serves RS256, RS384, RS512, PS256, PS384, PS512'));
  assert.deepEqual(await refused(small), {
    code: 'CONFIG_ERROR', reason: 'refused_key', path: 'key', message: 'key: RSA modulus has 1024 bits, expected at least 2048',
  });
  assert.equal((await refused(rsaPem, { algorithm: 'RS256' })).message, 'algorithm: is not a known option, expected one of alg, kid');
});

describe('createApiKeys refuses', () => {
  const good = { environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret: Buffer.alloc(32, 1) }] };
  const PREFIX = 'expected 1 to 32 lower-case letters and digits, a letter first, in groups joined by single underscores';
  const cases = {
    'no environment': [{ environment: undefined }, 'environment', 'expected a string'],
    'an environment with an underscore': [{ environment: 'a_b' }, 'environment', 'expected 1 to 16 lower-case letters and digits, a letter first'],
    'no prefix': [{ prefixes: [] }, 'prefixes', 'expected a non-empty list'],
    'a prefix in capitals': [{ prefixes: ['sk', 'PK'] }, 'prefixes[1]', PREFIX],
    'prefixes that look alike': [{ prefixes: ['sk', 'sk_a'] }, 'prefixes[1]', 'sk_a and sk cannot be told apart'],
    'no signing key': [{ signingKeys: [] }, 'signingKeys', 'expected a non-empty list'],
    'a short secret': [{ signingKeys: [{ id: 1, secret: 'x'.repeat(31) }] }, 'signingKeys[0].secret', 'secret has 31 bytes, expected at least 32'],
    'one id twice': [{ signingKeys: [good.signingKeys[0], good.signingKeys[0]] }, 'signingKeys[1].id', 'id 1 is given twice'],
    'an id beyond a byte': [{ signingKeys: [{ ...good.signingKeys[0], id: 256 }] }, 'signingKeys[0].id', 'expected a whole number from 0 to 255'],
    'no secret': [{ signingKeys: [{ id: 1 }] }, 'signingKeys[0].secret', 'expected bytes or a string'],
    'an unknown option': [{ secret: 'x' }, 'secret', 'is not a known option, expected one of environment, prefixes, signingKeys, now'],
  };
  for (const [name, [rest, path, problem]] of Object.entries(cases)) {
    test(name, () => {
      assert.deepEqual(refusalOf(() => createApiKeys({ ...good, ...rest }), EdgegateError), refusedAs(path, problem));
    });
  }
});
