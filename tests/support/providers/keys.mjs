// Keys of a provider, and the tokens that it signs.

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';

import { base64url, signAsymmetric, signHmac } from '../../worker/token.mjs';

const KINDS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};

let made = 0;

/** A key pair with a name. */
export function makeKey(alg = 'RS256') {
  made += 1;
  return { ...KINDS[alg](), alg, kid: `key-${made}` };
}

/** The public half, as a key set has it. */
export const publicJwk = ({ publicKey, alg, kid }) => ({ ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' });

/** A signed token. `alg` of the header may be another one than the key's: then the signature is no good. */
export function signed({ header, claims, key, secret }) {
  if (header.alg === 'none') return `${base64url(header)}.${base64url(claims)}.`;
  if (secret !== undefined) return signHmac(claims, { secret, alg: header.alg, header });
  return signAsymmetric(claims, { key: key.privateKey, alg: key.alg, header });
}

/** `at_hash`: OpenID Connect Core 1.0 §3.1.3.6, for the algorithms with SHA-256. */
export const halfHash = (text) => createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');

export const challengeOf = (verifier) => createHash('sha256').update(verifier).digest('base64url');

/** A random word, with a prefix that tells what it is. */
export const random = (prefix = '') => `${prefix}${randomBytes(24).toString('base64url')}`;
