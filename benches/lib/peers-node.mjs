// The peers that run in Node alone.

import { createVerifier as fastVerifier } from 'fast-jwt';
import jsonwebtoken from 'jsonwebtoken';

import { AUDIENCE, ISSUER } from './names.mjs';

export function fastJwt({ algorithm, secret, pem }, { cache = false } = {}) {
  return fastVerifier({ key: secret ?? pem, algorithms: [algorithm], allowedIss: ISSUER, allowedAud: AUDIENCE, cache });
}

/** With a `KeyObject`: for text it tries at each token whether it is a public key. */
export function jsonWebToken({ algorithm, keyObject }) {
  const options = { algorithms: [algorithm], issuer: ISSUER, audience: AUDIENCE };
  return (token) => jsonwebtoken.verify(token, keyObject, options);
}
