// Tokens written by hand, so that a test can put anything into them.

import { createHmac, sign as signWith } from 'node:crypto';

export const nowSecs = () => Math.floor(Date.now() / 1000);

export const base64url = (value) =>
  Buffer.from(typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString('base64url');

const HASHES = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

/** A token with an HMAC. `header` adds to `{alg, typ}`. Claims and header may also be text or bytes, which are taken as they are. */
export function signHmac(claims, { secret, alg = 'HS256', hash = HASHES[alg], header = {} }) {
  const first = typeof header === 'string' || Buffer.isBuffer(header) ? header : { alg, typ: 'JWT', ...header };
  const message = `${base64url(first)}.${base64url(claims)}`;
  return `${message}.${createHmac(hash ?? 'sha256', secret).update(message).digest('base64url')}`;
}

/** A token with a private key of node:crypto. */
export function signAsymmetric(claims, { key, alg, header = {} }) {
  const message = `${base64url({ alg, typ: 'JWT', ...header })}.${base64url(claims)}`;
  const digest = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`;
  const signature = signWith(digest, Buffer.from(message), alg.startsWith('ES') ? { key, dsaEncoding: 'ieee-p1363' } : key);
  return `${message}.${signature.toString('base64url')}`;
}

/** The claims of a token, unverified. */
export const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
