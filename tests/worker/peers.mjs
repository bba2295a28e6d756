// Tokens of other libraries, and the policy that trusts their keys.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as jose from 'jose';
import jsonwebtoken from 'jsonwebtoken';

import { AUDIENCE } from './harness.mjs';
import { nowSecs } from './token.mjs';

const HMAC = { HS256: 32, HS384: 48, HS512: 64 };
const PAIRS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

const claims = (issuer, name) => ({
  iss: issuer,
  sub: `${name}|zoë`,
  aud: [AUDIENCE, 'https://other.example.com'],
  exp: nowSecs() + 3600,
  iat: nowSecs(),
  nbf: nowSecs(),
  jti: `${name}-1`,
  scope: 'read:posts write:posts',
});

/** Returns `{algorithm, issuer, token}` with `secret`, or with `jwk`, `pem` and the private `key`. */
async function signAll(name, algorithms, sign) {
  return Promise.all(algorithms.map(async (algorithm) => {
    const issuer = `https://${name}.test/${algorithm.toLowerCase()}`;
    const kid = `${name}-${algorithm.toLowerCase()}`;
    if (HMAC[algorithm]) {
      const secret = randomBytes(HMAC[algorithm]).toString('hex');
      return { name, algorithm, issuer, secret, token: await sign(claims(issuer, name), secret, algorithm, kid) };
    }
    const { publicKey, privateKey } = PAIRS[algorithm]();
    return {
      name, algorithm, issuer, key: privateKey,
      jwk: { ...publicKey.export({ format: 'jwk' }), kid },
      pem: publicKey.export({ format: 'pem', type: 'spki' }),
      token: await sign(claims(issuer, name), privateKey, algorithm, kid),
    };
  }));
}

/** All tokens of all peers. `jsonwebtoken` has no EdDSA. */
export async function peerTokens() {
  const byJose = await signAll('jose', [...Object.keys(HMAC), ...Object.keys(PAIRS)], (payload, key, alg, kid) =>
    new jose.SignJWT(payload)
      .setProtectedHeader({ alg, kid, typ: 'JWT' })
      .sign(typeof key === 'string' ? new TextEncoder().encode(key) : key));
  const byJsonwebtoken = await signAll('jsonwebtoken', [...Object.keys(HMAC), 'RS256', 'ES256'], (payload, key, algorithm, keyid) =>
    jsonwebtoken.sign(payload, key, { algorithm, keyid }));
  const { vectors } = JSON.parse(readFileSync(new URL('./peers/pyjwt.json', import.meta.url), 'utf8'));
  return [...byJose, ...byJsonwebtoken, ...vectors.map((vector) => ({ name: 'pyjwt', ...vector }))];
}

const secretName = ({ name, algorithm }) => `${name}_${algorithm}`.toUpperCase();

/** Returns issuers and secret bindings for these tokens. `form` is the form of public keys: `jwks` or `pem`. */
export function trust(tokens, form) {
  const secrets = {};
  const issuers = tokens.map((peer) => {
    const issuer = { issuer: peer.issuer, audience: [AUDIENCE], algorithms: [peer.algorithm] };
    if (peer.secret) {
      secrets[secretName(peer)] = peer.secret;
      return { ...issuer, secret: secretName(peer) };
    }
    return form === 'pem' ? { ...issuer, pem: peer.pem } : { ...issuer, jwks: { keys: [peer.jwk] } };
  });
  return { issuers, secrets };
}
