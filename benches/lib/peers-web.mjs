// The peers that run on every runtime, each with its key in the form in which it is quickest, and told to check issuer
// and audience.
//
// They take imported keys. With a secret as bytes or text, as their examples have it, they import it for each token
// anew; in Node, what they then take is shown beside it.

import { verify as honoVerify } from 'hono/jwt';
import * as jose from 'jose';
import { verify as tsndrVerify } from '@tsndr/cloudflare-worker-jwt';

import { AUDIENCE, ISSUER } from './names.mjs';

const WEB = {
  HS256: { name: 'HMAC', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
};

export const webAlgorithm = (algorithm) => WEB[algorithm];

export const webKey = ({ algorithm, jwk: { alg: _, ...jwk } }) =>
  crypto.subtle.importKey('jwk', jwk, WEB[algorithm], false, ['verify']);

export function joseWith(key, { algorithm }) {
  const options = { algorithms: [algorithm], issuer: ISSUER, audience: AUDIENCE };
  return async (token) => (await jose.jwtVerify(token, key, options)).payload;
}

export function hono(key, { algorithm }) {
  const options = { alg: algorithm, iss: ISSUER, aud: AUDIENCE };
  return (token) => honoVerify(token, key, options);
}

/** It checks neither issuer nor audience: done here, as its user would. */
export function tsndr(key, { algorithm }) {
  const options = { algorithm, throwError: true };
  return async (token) => {
    const { payload } = await tsndrVerify(token, key, options);
    if (payload.iss !== ISSUER || payload.aud !== AUDIENCE) throw new Error('issuer or audience');
    return payload;
  };
}
