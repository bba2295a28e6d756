// Keys and tokens that all contestants share.

import { createHmac, createSecretKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

import { AUDIENCE, ISSUER } from './names.mjs';

/** Of an HS256 token; the others have the same claims and longer signatures. */
export const TOKEN_BYTES = 400;

const encode = (value) => Buffer.from(value).toString('base64url');

const pairs = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

/** A key of the algorithm, in the forms that contestants take it in, and what signs with it. */
export function newKey(algorithm) {
  if (algorithm === 'HS256') {
    const secret = randomBytes(32).toString('hex');
    return {
      algorithm,
      secret,
      keyObject: createSecretKey(Buffer.from(secret)),
      jwk: { kty: 'oct', k: encode(secret), alg: 'HS256' },
      signature: (message) => createHmac('sha256', secret).update(message).digest('base64url'),
    };
  }
  const { publicKey, privateKey } = pairs[algorithm]();
  const key = algorithm === 'ES256' ? { key: privateKey, dsaEncoding: 'ieee-p1363' } : privateKey;
  const hash = algorithm === 'EdDSA' ? null : 'sha256';
  return {
    algorithm,
    keyObject: publicKey,
    pem: publicKey.export({ type: 'spki', format: 'pem' }),
    jwk: { ...publicKey.export({ format: 'jwk' }), alg: algorithm },
    signature: (message) => sign(hash, Buffer.from(message), key).toString('base64url'),
  };
}

const now = () => Math.floor(Date.now() / 1000);
let serial = 0;

/** The seven claims, padded so that an HS256 token has 400 bytes. */
function claims(changes) {
  serial += 1;
  const all = {
    iss: ISSUER, aud: AUDIENCE, sub: `user|${String(serial).padStart(10, '0')}`, iat: now() - 10, exp: now() + 3600,
    jti: randomBytes(8).toString('hex'), scope: 'read:posts', ...changes,
  };
  const header = encode(JSON.stringify({ alg: 'HS256', typ: 'JWT' })).length;
  const room = Math.floor(((TOKEN_BYTES - header - 43 - 2) * 3) / 4);
  const missing = room - Buffer.byteLength(JSON.stringify(all));
  const words = ' write:posts read:comments write:comments read:profile write:profile read:users write:users';
  return { ...all, scope: all.scope + words.slice(0, Math.max(0, missing)).padEnd(Math.max(0, missing), 'x') };
}

/** A token that no one has seen. */
export function newToken(key, changes = {}) {
  const header = encode(JSON.stringify({ alg: key.algorithm, typ: 'JWT' }));
  const message = `${header}.${encode(JSON.stringify(claims(changes)))}`;
  return `${message}.${key.signature(message)}`;
}

export const newTokens = (key, count) => Array.from({ length: count }, () => newToken(key));

/** Strings of one piece that nobody has hashed, as they come out of a request's header. */
export const fresh = (texts) => texts.map((text) => Buffer.from(text, 'latin1').toString('latin1'));

/** What a contestant for `algorithm` has to refuse, by what is wrong with it. */
export function badTokens(key) {
  const good = newToken(key);
  const [header, body, signature] = good.split('.');
  const flip = (text, position) => {
    const other = text[position] === 'A' ? 'B' : 'A';
    return text.slice(0, position) + other + text.slice(position + 1);
  };
  return {
    'a changed signature': `${header}.${body}.${flip(signature, 20)}`,
    'changed claims': `${header}.${encode(JSON.stringify(claims({ sub: 'root' })))}.${signature}`,
    'another issuer': newToken(key, { iss: 'https://other.example/' }),
    'another audience': newToken(key, { aud: 'https://other.example/' }),
    'an expiry in the past': newToken(key, { exp: now() - 10 }),
  };
}
