// Tokens, keys and assertions that the package's tests share.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import * as jose from 'jose';
import jsonwebtoken from 'jsonwebtoken';

import { EdgegateError as SourceError } from '../../pkg/lib/errors.js';

export { base64url, signAsymmetric, signHmac } from '../worker/token.mjs';

export const ISSUER = 'https://issuer.test/';
export const AUDIENCE = 'https://api.test';
export const NOW = 1_800_000_000;
export const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'user|zoë', exp: NOW + 600, iat: NOW - 10, jti: 'one' };

const HMAC_BYTES = { HS256: 32, HS384: 48, HS512: 64 };
export const ALGORITHMS = [
  'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA',
];

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pairs = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: generateKeyPairSync('ed25519'),
};

export const secretFor = (algorithm) => Buffer.alloc(HMAC_BYTES[algorithm], 7);
export const isHmac = (algorithm) => algorithm in HMAC_BYTES;
/** Returns `{publicKey, privateKey}`. For HMAC both are the secret. */
export const pairFor = (algorithm) => {
  if (isHmac(algorithm)) return { publicKey: secretFor(algorithm), privateKey: secretFor(algorithm) };
  return pairs[algorithm] ?? rsa;
};

/** A token by jose, or by jsonwebtoken where it knows the algorithm. */
export async function signBy(library, algorithm, claims = CLAIMS, header = {}) {
  const { privateKey } = pairFor(algorithm);
  if (library === 'jose') {
    const key = isHmac(algorithm) ? new Uint8Array(privateKey) : privateKey;
    return new jose.SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: 'JWT', ...header }).sign(key);
  }
  return jsonwebtoken.sign(claims, privateKey, { algorithm, header });
}

export const options = (rest = {}) => ({
  issuer: ISSUER, audience: AUDIENCE, algorithms: ['HS256'], key: secretFor('HS256'), now: () => NOW, ...rest,
});

const facts = (error) => {
  const { code, reason, message, claim, path } = error;
  return JSON.parse(JSON.stringify({ code, reason, message, claim, path }));
};

/** Some tests bind the sources to another platform; those have an `EdgegateError` of their own. */
function assertRefusal(error, EdgegateError) {
  assert.ok(error instanceof EdgegateError || error instanceof SourceError, `${error?.stack ?? error}`);
}

/** Returns the whole refusal of a call: `{code, reason, message, claim?, path?}`. */
export function refusalOf(call, EdgegateError) {
  try {
    call();
  } catch (error) {
    assertRefusal(error, EdgegateError);
    return facts(error);
  }
  return assert.fail('expected a refusal');
}

export async function refusalOfPromise(promise, EdgegateError) {
  try {
    await promise;
  } catch (error) {
    assertRefusal(error, EdgegateError);
    return facts(error);
  }
  return assert.fail('expected a refusal');
}
