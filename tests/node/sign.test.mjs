// Tokens signed here verify with jose, with jsonwebtoken and with edgegate. Tokens that no verifier should take are not signed.

import assert from 'node:assert/strict';
import { createSecretKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as jose from 'jose';
import jsonwebtoken from 'jsonwebtoken';

import { EdgegateError, createVerifier, importKey, importSigningKey, publicJwks, signJws, signJwsSync, signJwt, signJwtSync, verifyJws } from '../../pkg/wasm/node.js';
import { bind } from '../../pkg/lib/index.js';
import { webPlatform } from '../../pkg/lib/web-platform.js';
import { ALGORITHMS, AUDIENCE, CLAIMS, ISSUER, NOW, isHmac, options, pairFor, refusalOf, refusalOfPromise, secretFor } from './support.mjs';

const module = new WebAssembly.Module(readFileSync(new URL('../../pkg/wasm/edgegate_bg.wasm', import.meta.url)));
const web = bind(webPlatform({ load: () => module }));
const BOTH = [['node:crypto', { signJwt, signJws, importSigningKey, publicJwks }], ['WebCrypto', web]];
const now = () => NOW;

const PARAMETERS = {
  RS: (hash) => ({ name: 'RSASSA-PKCS1-v1_5', hash }),
  PS: (hash) => ({ name: 'RSA-PSS', hash }),
  ES: (hash, namedCurve) => ({ name: 'ECDSA', namedCurve }),
  HS: (hash) => ({ name: 'HMAC', hash }),
  Ed: () => ({ name: 'Ed25519' }),
};

function cryptoKey(algorithm, extractable) {
  const curve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[algorithm];
  const parameters = PARAMETERS[algorithm.slice(0, 2)](`SHA-${algorithm.slice(2)}`, curve);
  const { privateKey } = pairFor(algorithm);
  return isHmac(algorithm)
    ? webcrypto.subtle.importKey('raw', privateKey, parameters, extractable, ['sign'])
    : webcrypto.subtle.importKey('pkcs8', privateKey.export({ type: 'pkcs8', format: 'der' }), parameters, extractable, ['sign']);
}

/** Every form in which a private key can be given. */
async function forms(algorithm) {
  const { privateKey } = pairFor(algorithm);
  const both = {
    CryptoKey: await cryptoKey(algorithm, true),
    'CryptoKey that stays where it is': await cryptoKey(algorithm, false),
  };
  if (isHmac(algorithm)) {
    const jwk = { kty: 'oct', k: privateKey.toString('base64url') };
    return { bytes: privateKey, ArrayBuffer: new Uint8Array(privateKey).buffer, JWK: jwk, 'JWK for signing': { ...jwk, key_ops: ['sign'] }, KeyObject: createSecretKey(privateKey), ...both };
  }
  return {
    JWK: privateKey.export({ format: 'jwk' }),
    'JWK with names': { ...privateKey.export({ format: 'jwk' }), alg: algorithm, use: 'sig', key_ops: ['sign'] },
    PEM: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    KeyObject: privateKey,
    ...both,
  };
}

describe('what is signed verifies everywhere', () => {
  for (const algorithm of ALGORITHMS) {
    test(algorithm, async () => {
      const { publicKey } = pairFor(algorithm);
      const verifier = createVerifier(options({ algorithms: [algorithm], key: publicKey, cache: false }));
      const verifyAll = async (token, at) => {
        assert.deepEqual(verifier.verifySync(token).claims, CLAIMS, at);
        const key = isHmac(algorithm) ? new Uint8Array(publicKey) : publicKey;
        const { payload, protectedHeader } = await jose.jwtVerify(token, key, { currentDate: new Date(NOW * 1000), issuer: ISSUER, audience: AUDIENCE });
        assert.deepEqual(payload, CLAIMS, at);
        assert.deepEqual(protectedHeader, { alg: algorithm, typ: 'JWT' }, at);
        if (algorithm !== 'EdDSA') {
          assert.deepEqual(jsonwebtoken.verify(token, publicKey, { algorithms: [algorithm], clockTimestamp: NOW }), CLAIMS, at);
        }
      };
      for (const [platform, { signJwt: sign }] of BOTH) {
        for (const [form, key] of Object.entries(await forms(algorithm))) {
          if (platform === 'WebCrypto' && form === 'KeyObject') continue;
          await verifyAll(await sign(CLAIMS, key, { alg: algorithm }), `${platform} ${form}`);
        }
      }
      for (const [form, key] of Object.entries(await forms(algorithm))) {
        await verifyAll(signJwtSync(CLAIMS, key, { alg: algorithm }), `at once, ${form}`);
      }
    });
  }
});

describe('the examples of the RFCs, byte for byte', () => {
  const vectors = JSON.parse(readFileSync(new URL('../vectors/signing.json', import.meta.url), 'utf8'));
  for (const { name, source, private_jwk: jwk, algorithm, header: text, payload, signed } of vectors) {
    test(`${name}, ${source}`, async () => {
      const { alg, ...header } = JSON.parse(text);
      assert.equal(alg, algorithm);
      const compact = JSON.stringify({ alg, ...header }) === text;
      for (const [, { signJws: sign }] of BOTH) {
        const { kid, typ } = header;
        const jws = await sign(payload, jwk, { alg, kid, typ });
        if (compact) assert.equal(jws, signed);
        const { payload: bytes } = await verifyJws(jws, signedBy(jwk), { algorithms: [alg] });
        assert.equal(Buffer.from(bytes).toString(), payload);
      }
      if (compact) assert.equal(signJwsSync(payload, jwk, { alg, kid: header.kid }), signed);
      // The header of RFC 7515 A.1 has a line break. No JSON library writes one.
      else assert.equal(source, 'RFC 7515 A.1');
    });
  }
});

function signedBy({ kty, crv, x, y, n, e, k }) {
  return JSON.parse(JSON.stringify(kty === 'oct' ? { kty, k } : { kty, crv, x, y, n, e }));
}

describe('signJwt', () => {
  const secret = secretFor('HS256');
  const sign = (claims, rest = {}) => signJwtSync(claims, secret, { alg: 'HS256', now, ...rest });
  const read = (token) => jose.decodeJwt(token);

  test('adds iat, and exp by its distance', () => {
    assert.deepEqual(read(sign({ sub: 'a' }, { expiresIn: 60 })), { sub: 'a', iat: NOW, exp: NOW + 60 });
    assert.deepEqual(read(sign({ iat: 5, exp: 9 })), { iat: 5, exp: 9 });
    assert.deepEqual(read(sign({ exp: 9 }, { issuedAt: false })), { exp: 9 });
    assert.deepEqual(read(sign({ sub: 'a' }, { issuedAt: false, requireExp: false })), { sub: 'a' });
  });

  test('writes the header that was asked for', async () => {
    const header = (rest) => jose.decodeProtectedHeader(sign({ exp: 9 }, rest));
    assert.deepEqual(header({}), { alg: 'HS256', typ: 'JWT' });
    assert.deepEqual(header({ typ: 'at+jwt', kid: 'k', header: { cty: 'x' } }), { alg: 'HS256', kid: 'k', typ: 'at+jwt', cty: 'x' });
    const jwk = { ...pairFor('ES256').privateKey.export({ format: 'jwk' }), kid: 'own' };
    assert.deepEqual(jose.decodeProtectedHeader(await signJwt({ exp: 9 }, jwk)), { alg: 'ES256', kid: 'own', typ: 'JWT' });
    assert.equal(jose.decodeProtectedHeader(await signJwt({ exp: 9 }, pairFor('EdDSA').privateKey, { alg: 'Ed25519' })).alg, 'Ed25519');
    assert.deepEqual(jose.decodeProtectedHeader(await signJws('x', secret, { alg: 'HS256' })), { alg: 'HS256' });
  });

  test('makes an access token and a proof that a verifier takes', async () => {
    const { publicKey, privateKey } = pairFor('ES256');
    const jwk = publicKey.export({ format: 'jwk' });
    const token = sign({ ...CLAIMS, client_id: 'c', cnf: { jkt: (await importKey(jwk)).thumbprint } }, { typ: 'at+jwt' });
    const ath = Buffer.from(await webcrypto.subtle.digest('SHA-256', Buffer.from(token))).toString('base64url');
    const url = 'https://api.test/';
    const proof = await signJwt({ jti: 'p', htm: 'GET', htu: url, ath }, privateKey, { typ: 'dpop+jwt', header: { jwk }, requireExp: false, now });
    const verifier = createVerifier(options({ profile: 'access-token', dpop: { required: true } }));
    assert.equal((await verifier.verify(token, { dpop: { proof, method: 'GET', url } })).claims.client_id, 'c');
  });

  const refusals = {
    'no exp': [{}, {}, { code: 'INVALID_REQUEST', reason: 'missing_claim', message: 'claim exp is missing', claim: 'exp' }],
    'exp that JSON cannot hold': [{ exp: undefined }, {}, { code: 'INVALID_REQUEST', reason: 'missing_claim', message: 'claim exp is missing', claim: 'exp' }],
    'exp that is no number': [{ exp: Number.NaN }, {}, { code: 'INVALID_REQUEST', reason: 'wrong_claim_type', message: 'claim exp: expected a number', claim: 'exp' }],
    'a date for exp': [{ exp: new Date(0) }, {}, { code: 'INVALID_REQUEST', reason: 'wrong_claim_type', message: 'claim exp: expected a number', claim: 'exp' }],
    'a number for sub': [{ exp: 9, sub: 5 }, {}, { code: 'INVALID_REQUEST', reason: 'wrong_claim_type', message: 'claim sub: expected a string', claim: 'sub' }],
    'numbers for aud': [{ exp: 9, aud: ['a', 5] }, {}, { code: 'INVALID_REQUEST', reason: 'wrong_claim_type', message: 'claim aud: expected a string or a list of strings', claim: 'aud' }],
    'exp twice': [{ exp: 9 }, { expiresIn: 5 }, { code: 'INVALID_REQUEST', reason: 'invalid_field', message: 'expiresIn: exp is among the claims already', path: 'expiresIn' }],
    'a list': [[], {}, { code: 'INVALID_REQUEST', reason: 'invalid_field', message: 'claims: expected an object', path: 'claims' }],
    'a text': ['{"exp":9}', {}, { code: 'INVALID_REQUEST', reason: 'invalid_field', message: 'claims: expected an object', path: 'claims' }],
    'a whole number beyond JSON': [{ exp: 9n }, {}, { code: 'INVALID_REQUEST', reason: 'invalid_field', message: 'claims: expected what JSON can hold', path: 'claims' }],
    'what says that it is no object': [{ toJSON: () => 'x' }, {}, { code: 'INVALID_REQUEST', reason: 'invalid_field', message: 'claims: expected an object', path: 'claims' }],
    'more than a verifier takes': [{ exp: 9, sub: 'x'.repeat(6500) }, {}, { code: 'INVALID_REQUEST', reason: 'invalid_field', message: 'payload: token has 8795 bytes, more than the 8192 allowed', path: 'payload' }],
  };
  for (const [name, [claims, rest, expected]] of Object.entries(refusals)) {
    test(`refuses ${name}`, () => assert.deepEqual(refusalOf(() => sign(claims, rest), EdgegateError), expected));
  }
});

describe('a key that would not be taken for verifying does not sign', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  const ec = pairFor('ES256').privateKey.export({ format: 'jwk' });
  const ed = pairFor('EdDSA').privateKey.export({ format: 'jwk' });
  const rsa = pairFor('RS256').privateKey.export({ format: 'jwk' });
  const pem = pairFor('RS256').privateKey.export({ type: 'pkcs8', format: 'pem' });
  const other = (curve) => generateKeyPairSync(curve === 'Ed25519' ? 'ed25519' : 'ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const TEXT = 'secret is a PEM, JWK, SSH or DER key or certificate, expected random bytes';
  const cases = {
    none: [Buffer.alloc(32, 1), 'none', 'alg', 'expected an algorithm like RS256, ES256, EdDSA or HS256'],
    'a short secret': [Buffer.alloc(31), 'HS256', 'key', 'secret has 31 bytes, expected at least 32'],
    'an empty secret': [new Uint8Array(), 'HS256', 'key', 'secret has 0 bytes, expected at least 32'],
    'a secret shorter than its hash': [Buffer.alloc(63), 'HS512', 'key', 'secret has 63 bytes, expected at least 64'],
    'a secret without an algorithm': [Buffer.alloc(32, 1), undefined, 'alg', 'expected HS256, HS384 or HS512 for a secret'],
    'a secret for RS256': [Buffer.alloc(32, 1), 'RS256', 'key', 'a secret cannot serve RS256, expected HS256, HS384 or HS512'],
    'PEM as a secret': [Buffer.from(pem), 'HS256', 'key', TEXT],
    'the text of a JWK as a secret': [Buffer.from(JSON.stringify(ec)), 'HS256', 'key', TEXT],
    'text as a secret': ['x'.repeat(64), 'HS256', 'key', 'a string that is not PEM, expected an HMAC secret as bytes (new TextEncoder().encode(secret))'],
    'a small RSA key': [small.export({ format: 'jwk' }), 'RS256', 'key', 'RSA modulus has 1024 bits, expected at least 2048'],
    'a small RSA key as PEM': [small.export({ type: 'pkcs8', format: 'pem' }), 'RS256', 'key', 'RSA modulus has 1024 bits, expected at least 2048'],
    'RSA without an algorithm': [rsa, undefined, 'alg', 'expected one of RS256, RS384, RS512, PS256, PS384, PS512'],
    'PEM without an algorithm': [pem, undefined, 'alg', 'expected the algorithm of a key that is PEM'],
    'RSA for ES256': [rsa, 'ES256', 'alg', 'the key serves RS256, RS384, RS512, PS256, PS384, PS512'],
    'P-256 for ES384': [ec, 'ES384', 'alg', 'the key serves ES256'],
    'a key that names another algorithm': [{ ...rsa, alg: 'PS256' }, 'RS256', 'alg', 'the key serves PS256'],
    'a key for encryption': [{ ...ec, use: 'enc' }, 'ES256', 'key', 'JWK: use is not sig'],
    'a key for verifying': [{ ...ec, key_ops: ['verify'] }, 'ES256', 'key', 'JWK: key_ops does not include sign'],
    'a public JWK': [pairFor('ES256').publicKey.export({ format: 'jwk' }), 'ES256', 'key', 'a public key, expected the private key'],
    'a public PEM': [pairFor('ES256').publicKey.export({ type: 'spki', format: 'pem' }), 'ES256', 'key', 'not one PEM block, expected -----BEGIN PRIVATE KEY----- (PKCS#8)'],
    'PKCS#1': [pairFor('RS256').privateKey.export({ type: 'pkcs1', format: 'pem' }), 'RS256', 'key', 'not one PEM block, expected -----BEGIN PRIVATE KEY----- (PKCS#8)'],
    'an encrypted PEM': [pairFor('ES256').privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }), 'ES256', 'key', 'not one PEM block, expected -----BEGIN PRIVATE KEY----- (PKCS#8)'],
    'two PEM blocks': [`${pem}${pem}`, 'RS256', 'key', 'not one PEM block, expected -----BEGIN PRIVATE KEY----- (PKCS#8)'],
    'PEM with written line breaks': [pem.replaceAll('\n', '\\n'), 'RS256', 'key', 'PEM has its line breaks written as \\n, expected line breaks'],
    'a number': [5, 'HS256', 'key', 'expected a private JWK, PKCS#8 as PEM, a CryptoKey, a KeyObject, or the bytes of an HMAC secret'],
  };
  for (const [name, [key, alg, path, problem]] of Object.entries(cases)) {
    test(name, async () => {
      for (const [platform, { signJwt: sign }] of BOTH) {
        const { code, message, path: at } = await refusalOfPromise(sign({ exp: 9 }, key, { alg }), EdgegateError);
        assert.deepEqual({ code, message, at }, { code: 'CONFIG_ERROR', message: `${path}: ${problem}`, at: path }, platform);
      }
      assert.equal(refusalOf(() => signJwtSync({ exp: 9 }, key, { alg }), EdgegateError).message, `${path}: ${problem}`);
    });
  }

  test('but PEM is read as a public key is: with text before it, CRLF and a byte order mark', async () => {
    const text = `\ufeffKey of the test\r\n${pem.replaceAll('\n', '\r\n')}\r\n`;
    for (const [, { importSigningKey }] of BOTH) assert.equal((await importSigningKey(text, { alg: 'RS256' })).alg, 'RS256');
  });

  test('halves that do not belong together', async () => {
    const { x, y } = other('P-256');
    for (const [key, alg] of [[{ ...ec, x, y }, 'ES256'], [{ ...ed, x: other('Ed25519').x }, 'EdDSA']]) {
      for (const [platform, { signJws: sign }] of BOTH) {
        const { code, message } = await refusalOfPromise(sign('x', key, { alg }), EdgegateError);
        assert.equal(code, 'CONFIG_ERROR', platform);
        assert.ok(['key: the private and the public part do not belong together', 'key: the host refuses the key'].includes(message), message);
      }
    }
  });

  test('a KeyObject or CryptoKey that is not for signing', async () => {
    const refused = async (key, alg) => (await refusalOfPromise(signJws('x', key, { alg }), EdgegateError)).message;
    assert.equal(await refused(pairFor('ES256').publicKey, 'ES256'), 'key: a public key, expected the private key');
    const pair = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
    assert.equal(await refused(pair.publicKey, 'ES256'), 'key: a public key, expected the private key');
    const verifying = await webcrypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, true, ['verify']);
    assert.equal(await refused(verifying, 'HS256'), 'key: a CryptoKey whose usages lack sign');
    assert.equal(await refused(generateKeyPairSync('x25519').privateKey, 'EdDSA'), 'key: JWK: crv is not supported, expected Ed25519');
    // A CryptoKey is for one algorithm, whatever `alg` asks for.
    const rs256 = await cryptoKey('RS256', true);
    const hs512 = await webcrypto.subtle.importKey('raw', Buffer.alloc(64, 1), { name: 'HMAC', hash: 'SHA-512' }, false, ['sign']);
    for (const [, { signJws: sign }] of BOTH) {
      assert.match((await refusalOfPromise(sign('x', rs256, { alg: 'PS256' }), EdgegateError)).message, /^alg: the key serves RS256$/);
      assert.match((await refusalOfPromise(sign('x', hs512, { alg: 'HS256' }), EdgegateError)).message, /^alg: the key serves HS512$/);
    }
    const short = await webcrypto.subtle.importKey('raw', Buffer.alloc(16, 1), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const weak = (await webcrypto.subtle.generateKey({ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]) }, false, ['sign', 'verify'])).privateKey;
    for (const [, { signJws: sign }] of BOTH) {
      assert.match((await refusalOfPromise(sign('x', short, { alg: 'HS256' }), EdgegateError)).message, /^key: secret has 16 bytes, expected at least 32$/);
      assert.match((await refusalOfPromise(sign('x', weak, { alg: 'RS256' }), EdgegateError)).message, /^key: RSA modulus has 1024 bits, expected at least 2048$/);
    }
  });
});

test('options that make no sense are refused', async () => {
  const secret = secretFor('HS256');
  const refused = async (rest) => (await refusalOfPromise(signJwt({ exp: 9 }, secret, { alg: 'HS256', ...rest }), EdgegateError)).message;
  assert.equal(await refused({ header: { alg: 'none' } }), 'header.alg: expected as the option alg');
  assert.equal(await refused({ header: { crit: ['exp'] } }), 'header.crit: no extension is supported');
  assert.equal(await refused({ header: { b64: false } }), 'header.b64: no extension is supported');
  assert.equal(await refused({ header: { jwk: pairFor('ES256').privateKey.export({ format: 'jwk' }) } }), 'header.jwk: a private key, expected only its public members');
  assert.equal(await refused({ header: 'x' }), 'header: expected an object');
  assert.equal(await refused({ expiresIn: '1h' }), 'expiresIn: expected a whole number of seconds');
  assert.equal(await refused({ expiresIn: 0 }), 'expiresIn: expected at least 1');
  assert.equal(await refused({ kid: '' }), 'kid: expected a non-empty string');
  assert.equal(await refused({ kid: 'k'.repeat(257) }), 'kid: has 257 bytes, expected 1 to 256');
  assert.equal(await refused({ typ: 5 }), 'typ: expected a non-empty string');
  assert.equal(await refused({ expires: 5 }), `expires: is not a known option, expected one of alg, kid, typ, header, maxTokenLength, expiresIn, issuedAt, requireExp, now`);
  const error = await refusalOfPromise(signJws({ a: 1 }, secret, { alg: 'HS256' }), EdgegateError);
  assert.equal(error.message, 'payload: expected bytes or a string');
});

describe('the public halves of signing keys are a set', () => {
  test('by which what they sign verifies, here and with jose', async () => {
    const algorithms = ALGORITHMS.filter((algorithm) => !isHmac(algorithm));
    for (const [platform, { importSigningKey: load, publicJwks: set, signJwt: sign }] of BOTH) {
      const keys = await Promise.all(algorithms.map((algorithm) => load(pairFor(algorithm).privateKey.export({ format: 'jwk' }), { alg: algorithm, kid: algorithm })));
      const jwks = await set(keys);
      const members = new Set(jwks.keys.flatMap(Object.keys));
      assert.deepEqual([...members].sort(), ['alg', 'crv', 'e', 'kid', 'kty', 'n', 'use', 'x', 'y'], platform);
      const verifier = createVerifier(options({ key: undefined, jwks, algorithms }));
      for (const key of keys) {
        const token = await sign({ ...CLAIMS }, key, { now });
        assert.equal((await verifier.verify(token)).keyId, key.kid);
        await jose.jwtVerify(token, jose.createLocalJWKSet(jwks), { currentDate: new Date(NOW * 1000) });
      }
    }
  });

  test('but no secret, nothing that is not let out, and no two keys of one name', async () => {
    const load = (form, more) => importSigningKey(form, { alg: 'ES256', ...more });
    const one = await load(pairFor('ES256').privateKey, { kid: 'a' });
    const secret = await importSigningKey(secretFor('HS256'), { alg: 'HS256', kid: 'b' });
    for (const [keys, message] of [
      [[], 'keys: expected a non-empty list'],
      [one, 'keys: expected a non-empty list'],
      [[one, {}], 'keys[1]: expected what importSigningKey returned'],
      [[one, one], 'keys[1]: has the kid of another key, or none as another'],
      [[secret], 'keys[0]: a secret has no public half'],
    ]) {
      const { code, message: found } = await refusalOfPromise(publicJwks(keys), EdgegateError);
      assert.deepEqual([code, found], ['CONFIG_ERROR', message]);
    }
    const kept = await web.importSigningKey(await cryptoKey('ES256', false));
    assert.equal((await refusalOfPromise(web.publicJwks([kept]), EdgegateError)).message, 'keys[0]: a CryptoKey that is not extractable');
  });
});

test('an imported key signs without being checked again, for its algorithm only, and shows nothing', async () => {
  const pem = pairFor('RS256').privateKey.export({ type: 'pkcs8', format: 'pem' });
  for (const [, { importSigningKey: load, signJws: sign }] of BOTH) {
    const key = await load(pem, { alg: 'PS256', kid: 'k' });
    assert.deepEqual({ ...key }, { alg: 'PS256', kid: 'k' });
    const jws = await sign('x', key);
    assert.equal((await verifyJws(jws, pairFor('RS256').publicKey, { algorithms: ['PS256'] })).header.kid, 'k');
    assert.equal((await refusalOfPromise(sign('x', key, { alg: 'RS256' }), EdgegateError)).message, 'alg: the key was imported for PS256');
    assert.doesNotMatch(JSON.stringify(key), /MII|"d"/);
  }
});

test('without node:crypto nothing is signed at once', () => {
  for (const call of [() => web.signJwtSync({ exp: 9 }, secretFor('HS256'), { alg: 'HS256' }), () => web.signJwsSync('x', secretFor('HS256'), { alg: 'HS256' })]) {
    assert.equal(refusalOf(call, EdgegateError).code, 'SYNC_UNSUPPORTED');
  }
});
