// Tokens of other libraries, for every algorithm and every form of a key; both ways of verifying agree.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { KeyObject, createSecretKey, webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import jsonwebtoken from 'jsonwebtoken';

import { EdgegateError, createVerifier, importKey, verifyJws } from '../../pkg/wasm/node.js';
import {
  ALGORITHMS, AUDIENCE, CLAIMS, ISSUER, NOW, isHmac, options, pairFor, refusalOf, refusalOfPromise, secretFor,
  signAsymmetric, signBy, signHmac,
} from './support.mjs';

const WEB = {
  RS: (hash) => ({ name: 'RSASSA-PKCS1-v1_5', hash }),
  PS: (hash) => ({ name: 'RSA-PSS', hash }),
  ES: (hash, curve) => ({ name: 'ECDSA', namedCurve: curve }),
  HS: (hash) => ({ name: 'HMAC', hash }),
  Ed: () => ({ name: 'Ed25519' }),
};

async function cryptoKey(algorithm) {
  const curve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[algorithm];
  const parameters = WEB[algorithm.slice(0, 2)](`SHA-${algorithm.slice(2)}`, curve);
  const { publicKey } = pairFor(algorithm);
  return isHmac(algorithm)
    ? webcrypto.subtle.importKey('raw', publicKey, parameters, true, ['verify'])
    : webcrypto.subtle.importKey('spki', publicKey.export({ type: 'spki', format: 'der' }), parameters, true, ['verify']);
}

/** Every form in which a key can be given. */
async function forms(algorithm) {
  const { publicKey } = pairFor(algorithm);
  if (isHmac(algorithm)) {
    const jwk = { kty: 'oct', k: publicKey.toString('base64url') };
    const ownBuffer = new Uint8Array(publicKey).buffer;
    return {
      bytes: { key: publicKey },
      'part of a buffer': { key: new Uint8Array([9, ...publicKey, 9]).subarray(1, publicKey.length + 1) },
      ArrayBuffer: { key: ownBuffer },
      JWK: { key: jwk },
      'JWK set': { jwks: { keys: [jwk] } },
      KeyObject: { key: createSecretKey(publicKey) },
      CryptoKey: { key: await cryptoKey(algorithm) },
      'imported key': { key: await importKey(publicKey, { alg: algorithm }) },
    };
  }
  const jwk = publicKey.export({ format: 'jwk' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  return {
    JWK: { key: jwk },
    'JWK with alg': { key: { ...jwk, alg: algorithm } },
    'JWK set': { jwks: { keys: [{ kty: 'unknown' }, jwk] } },
    PEM: { key: pem },
    ...(jwk.kty === 'RSA' && { 'PKCS#1 PEM': { key: publicKey.export({ type: 'pkcs1', format: 'pem' }) } }),
    KeyObject: { key: publicKey },
    CryptoKey: { key: await cryptoKey(algorithm) },
    'imported key': { key: await importKey(pem, { alg: algorithm }) },
  };
}

describe('tokens of other libraries verify', () => {
  for (const algorithm of ALGORITHMS) {
    test(algorithm, async () => {
      const libraries = algorithm === 'EdDSA' ? ['jose'] : ['jose', 'jsonwebtoken'];
      for (const library of libraries) {
        const token = await signBy(library, algorithm);
        for (const [form, key] of Object.entries(await forms(algorithm))) {
          const verifier = createVerifier({ ...options({ algorithms: [algorithm], key: undefined, cache: false }), ...key });
          const sync = verifier.verifySync(token);
          assert.deepEqual(sync.claims, CLAIMS, `${library} ${form}`);
          assert.deepEqual(sync.header, { alg: algorithm, typ: 'JWT' });
          assert.equal(sync.issuer, ISSUER);
          assert.deepEqual(await verifier.verify(token), sync);
          if (key.key !== undefined) {
            const jws = await verifyJws(token, key.key, { algorithms: [algorithm] });
            assert.deepEqual(JSON.parse(Buffer.from(jws.payload)), CLAIMS);
            assert.equal(jws.keyId, sync.keyId);
          }
        }
      }
    });
  }
});

test('a flipped bit anywhere in a token is refused, whatever the algorithm', async () => {
  for (const algorithm of ['HS256', 'RS256', 'PS256', 'ES256', 'EdDSA']) {
    const { publicKey } = pairFor(algorithm);
    const verifier = createVerifier(options({ algorithms: [algorithm], key: publicKey, cache: false }));
    const token = await signBy('jose', algorithm);
    assert.equal(verifier.verifySync(token).claims.sub, CLAIMS.sub);
    for (let place = 0; place < token.length; place += 1) {
      const flipped = token.slice(0, place) + String.fromCharCode(token.charCodeAt(place) ^ 1) + token.slice(place + 1);
      const { code } = refusalOf(() => verifier.verifySync(flipped), EdgegateError);
      assert.equal(code, 'INVALID_TOKEN', `${algorithm} at ${place}`);
    }
  }
});

test('the key is named by its kid, or else by its thumbprint, and a bare secret by nothing', async () => {
  const { publicKey } = pairFor('ES256');
  const jwk = publicKey.export({ format: 'jwk' });
  const token = await signBy('jose', 'ES256', CLAIMS, { kid: 'k' });
  const keyId = (key) => createVerifier(options({ algorithms: ['ES256'], key })).verifySync(token).keyId;
  assert.equal(keyId({ ...jwk, kid: 'k' }), 'k');
  const { thumbprint } = await importKey(jwk);
  assert.match(thumbprint, /^[\w-]{43}$/);
  assert.equal(keyId(jwk), thumbprint);
  assert.equal(keyId(await importKey(jwk, { kid: 'k' })), 'k');
  assert.equal(createVerifier(options()).verifySync(await signBy('jose', 'HS256')).keyId, undefined);
});

const openssl = spawnSync('openssl', ['version']).status === 0;

test('the key of a certificate verifies', { skip: !openssl && 'needs openssl to make one' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgegate-cert-'));
  try {
    writeFileSync(join(folder, 'key.pem'), pairFor('RS256').privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const key = execFileSync('openssl', ['req', '-x509', '-new', '-key', join(folder, 'key.pem'), '-subj', '/CN=test'], {
      encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
    });
    const verifier = createVerifier(options({ algorithms: ['RS256'], key }));
    assert.equal(verifier.verifySync(await signBy('jose', 'RS256')).claims.jti, 'one');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('algorithms may be left out where each key serves exactly one', async () => {
  for (const algorithm of ['ES256', 'EdDSA']) {
    const key = pairFor(algorithm).publicKey;
    const token = await signBy('jose', algorithm);
    assert.equal(createVerifier(options({ algorithms: undefined, key })).verifySync(token).claims.jti, 'one');
    assert.equal((await verifyJws(token, key)).header.alg, algorithm);
  }
  const jwk = { ...pairFor('RS256').publicKey.export({ format: 'jwk' }), alg: 'PS256' };
  assert.equal((await verifyJws(await signBy('jose', 'PS256'), jwk)).header.alg, 'PS256');
  assert.equal((await refusalOfPromise(verifyJws(await signBy('jose', 'RS256'), jwk), EdgegateError)).reason, 'algorithm_not_allowed');
});

test('each of several issuers has its own keys and rules', async () => {
  const other = Buffer.alloc(32, 8);
  const verifier = createVerifier({
    now: () => NOW,
    issuers: [
      { issuer: ISSUER, audience: [AUDIENCE, 'x'], algorithms: ['HS256'], key: secretFor('HS256') },
      { issuer: 'https://two.test/', algorithms: ['HS256'], key: other, requiredClaims: ['tenant'] },
    ],
  });
  const two = { ...CLAIMS, iss: 'https://two.test/', tenant: 't' };
  assert.equal(verifier.verifySync(signHmac(CLAIMS, { secret: secretFor('HS256') })).issuer, ISSUER);
  assert.equal(verifier.verifySync(signHmac(two, { secret: other })).issuer, 'https://two.test/');
  const refused = (token) => refusalOf(() => verifier.verifySync(token), EdgegateError);
  assert.equal(refused(signHmac(two, { secret: secretFor('HS256') })).reason, 'bad_signature');
  assert.equal(refused(signHmac({ ...CLAIMS, iss: 'https://three.test/' }, { secret: other })).reason, 'unknown_issuer');
  assert.deepEqual(refused(signHmac({ ...two, tenant: null }, { secret: other })), {
    code: 'INVALID_TOKEN', reason: 'missing_claim', message: 'claim tenant is missing', claim: 'tenant',
  });
});

describe('a refusal says what is wrong, and both ways of verifying say the same', () => {
  const sign = (claims, header) => signHmac({ ...CLAIMS, ...claims }, { secret: secretFor('HS256'), header });
  const cases = {
    'exp equal to now': [{ exp: NOW }, {}, {
      code: 'TOKEN_EXPIRED', reason: 'token_expired', claim: 'exp', message: `token expired at ${NOW}, it is ${NOW}`,
    }],
    'nbf in the future': [{ nbf: NOW + 1 }, {}, {
      code: 'TOKEN_NOT_YET_VALID', reason: 'token_not_yet_valid', message: `token is valid from ${NOW + 1}, it is ${NOW}`,
    }],
    'too old': [{ iat: NOW - 61 }, { maxTokenAge: 60 }, {
      code: 'TOKEN_EXPIRED', reason: 'token_too_old', claim: 'iat', message: `token was issued at ${NOW - 61}, too long before ${NOW}`,
    }],
    'a sign-in too long ago': [{ auth_time: NOW - 61 }, { maxAuthAge: 60 }, {
      code: 'STEP_UP_REQUIRED', reason: 'authentication_too_old', claim: 'auth_time', message: `the sign-in was at ${NOW - 61}, more than 60 s before ${NOW}`,
    }],
    'no time of a sign-in': [{}, { maxAuthAge: 60 }, {
      code: 'INVALID_TOKEN', reason: 'missing_claim', claim: 'auth_time', message: 'claim auth_time is missing',
    }],
    'another audience': [{ aud: ['https://other.test'] }, {}, {
      code: 'INVALID_TOKEN', reason: 'unexpected_claim', claim: 'aud', message: 'aud has a value that is not allowed',
    }],
    'no exp': [{ exp: undefined }, {}, {
      code: 'INVALID_TOKEN', reason: 'missing_claim', claim: 'exp', message: 'claim exp is missing',
    }],
    'exp of another type': [{ exp: '1' }, {}, {
      code: 'INVALID_TOKEN', reason: 'wrong_claim_type', claim: 'exp', message: 'claim exp: expected a number',
    }],
    'another typ': [{}, { typ: 'at+jwt' }, {
      code: 'INVALID_TOKEN', reason: 'unexpected_claim', claim: 'typ', message: 'typ has a value that is not allowed',
    }],
  };
  for (const [name, [claims, rules, expected]] of Object.entries(cases)) {
    test(name, async () => {
      const verifier = createVerifier(options(rules));
      const token = sign(claims);
      assert.deepEqual(refusalOf(() => verifier.verifySync(token), EdgegateError), expected);
      assert.deepEqual(await refusalOfPromise(verifier.verify(token), EdgegateError), expected);
    });
  }

  test('rules that the token meets', () => {
    const passes = (claims, rules, header) => createVerifier(options(rules)).verifySync(sign(claims, header)).claims;
    assert.equal(passes({ exp: NOW }, { clockTolerance: 1 }).exp, NOW);
    assert.equal(passes({ exp: undefined }, { requireExp: false }).exp, undefined);
    assert.equal(passes({ iat: NOW - 60 }, { maxTokenAge: 60 }).iat, NOW - 60);
    assert.equal(passes({ auth_time: NOW - 60 }, { maxAuthAge: 60 }).auth_time, NOW - 60);
    assert.equal(passes({}, { typ: 'at+jwt' }, { typ: 'application/AT+JWT' }).jti, 'one');
    assert.equal(passes({ aud: ['x', AUDIENCE] }, { audience: ['y', AUDIENCE] }).jti, 'one');
    assert.equal(passes({ aud: undefined }, { audience: undefined }).jti, 'one');
  });

  test('an access token by its profile (RFC 9068), and no other token of the issuer', () => {
    const claims = { client_id: 'app', scope: 'read write' };
    const header = { typ: 'at+jwt' };
    const verifier = createVerifier(options({ profile: 'access-token' }));
    assert.equal(verifier.verifySync(sign(claims, header)).claims.client_id, 'app');
    const refused = (...token) => refusalOf(() => verifier.verifySync(sign(...token)), EdgegateError);
    assert.deepEqual(refused(claims, {}), {
      code: 'INVALID_TOKEN', reason: 'unexpected_claim', message: 'typ has a value that is not allowed', claim: 'typ',
    });
    for (const claim of ['exp', 'aud', 'sub', 'client_id', 'iat', 'jti']) {
      assert.deepEqual(refused({ ...claims, [claim]: undefined }, header), {
        code: 'INVALID_TOKEN', reason: 'missing_claim', message: `claim ${claim} is missing`, claim,
      });
    }
    assert.equal(refused({ ...claims, scope: ['read'] }, header).message, 'claim scope: expected a string');
    assert.equal(refused({ ...claims, client_id: 5 }, header).message, 'claim client_id: expected a string');
  });

  test('anything but a string is no token', async () => {
    const verifier = createVerifier(options());
    const expected = { code: 'INVALID_TOKEN', reason: 'malformed_token', message: 'token: expected a string' };
    for (const token of [undefined, null, 5, {}, [], new String('a.b.c'), Buffer.from('a.b.c')]) {
      assert.deepEqual(refusalOf(() => verifier.verifySync(token), EdgegateError), expected);
      assert.deepEqual(await refusalOfPromise(verifier.verify(token), EdgegateError), expected);
    }
  });

  test('no message holds the token', () => {
    const verifier = createVerifier(options());
    for (const token of [sign({ iss: 'SECRETWORD' }), sign({}, { kid: 'SECRETWORD', crit: ['SECRETWORD'] }), 'SECRETWORD.SECRETWORD.SECRETWORD']) {
      const error = refusalOf(() => verifier.verifySync(token), EdgegateError);
      assert.doesNotMatch(JSON.stringify(error), /SECRETWORD/);
    }
  });
});

describe('verifyJws', () => {
  const secret = secretFor('HS256');

  test('takes any payload and gives its bytes', async () => {
    for (const payload of [Buffer.from([0, 255, 254]), Buffer.from('not JSON'), Buffer.alloc(3000, 1)]) {
      const token = signHmac(payload, { secret, header: { cty: 'x' } });
      const { header, payload: bytes } = await verifyJws(token, secret, { algorithms: ['HS256'] });
      assert.ok(bytes instanceof Uint8Array);
      assert.deepEqual(Buffer.from(bytes), payload);
      assert.deepEqual(header, { alg: 'HS256', typ: 'JWT', cty: 'x' });
    }
  });

  test('takes a JWK set and chooses by kid', async () => {
    const jwk = (name, algorithm) => ({ ...pairFor(algorithm).publicKey.export({ format: 'jwk' }), kid: name });
    const jwks = { keys: [jwk('rsa', 'RS256'), jwk('ec', 'ES256')] };
    const token = signAsymmetric({}, { key: pairFor('ES256').privateKey, alg: 'ES256', header: { kid: 'ec' } });
    assert.equal((await verifyJws(token, jwks, { algorithms: ['ES256', 'RS256'] })).keyId, 'ec');
    const refused = await refusalOfPromise(verifyJws(token, jwks, { algorithms: ['RS256'] }), EdgegateError);
    assert.deepEqual(refused, {
      code: 'INVALID_TOKEN', reason: 'algorithm_not_allowed', message: 'alg is not allowed for this key and issuer',
    });
  });

  test('a key object that is changed is another key', async () => {
    const key = { kty: 'oct', k: secret.toString('base64url'), alg: 'HS256' };
    const token = signHmac('x', { secret });
    assert.equal((await verifyJws(token, key)).header.alg, 'HS256');
    key.k = Buffer.alloc(32, 9).toString('base64url');
    assert.equal((await refusalOfPromise(verifyJws(token, key), EdgegateError)).reason, 'bad_signature');
  });

  test('keeps to the greatest length', async () => {
    const token = signHmac(Buffer.alloc(9000), { secret });
    const refused = await refusalOfPromise(verifyJws(token, secret, { algorithms: ['HS256'] }), EdgegateError);
    assert.equal(refused.message, `token has ${token.length} bytes, more than the 8192 allowed`);
    assert.equal((await verifyJws(token, secret, { algorithms: ['HS256'], maxTokenLength: 20_000 })).payload.length, 9000);
  });
});

test('KeyObjects and CryptoKeys that cannot verify are refused', async () => {
  const refused = (key) => refusalOf(() => createVerifier(options({ algorithms: ['ES256'], key })), EdgegateError);
  assert.deepEqual(refused(pairFor('ES256').privateKey), {
    code: 'CONFIG_ERROR', reason: 'config', path: 'key', message: 'key: a private key, expected the public key',
  });
  const { privateKey, publicKey } = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  assert.equal(refused(privateKey).message, 'key: a private key, expected the public key');
  const useless = await webcrypto.subtle.importKey('spki', KeyObject.from(publicKey).export({ type: 'spki', format: 'der' }), { name: 'ECDH', namedCurve: 'P-256' }, true, []);
  assert.equal(refused(useless).message, 'key: a CryptoKey whose usages lack verify');
  const sha1 = await webcrypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-1', length: 512 }, true, ['verify', 'sign']);
  assert.equal(refused(sha1).message, 'key: JWK: alg is not a signature algorithm that is supported');
});

test('jsonwebtoken and edgegate agree on a token each finds expired', async () => {
  const token = signHmac({ ...CLAIMS, exp: NOW - 1 }, { secret: secretFor('HS256') });
  assert.throws(() => jsonwebtoken.verify(token, secretFor('HS256'), { clockTimestamp: NOW }), /jwt expired/);
  assert.equal(refusalOf(() => createVerifier(options()).verifySync(token), EdgegateError).code, 'TOKEN_EXPIRED');
});
