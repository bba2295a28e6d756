// The four verifiers. Each gets the same options as far as it has them: issuer, audience, algorithm, time.

import { readFileSync } from 'node:fs';
import { createVerifier as createFastVerifier } from 'fast-jwt';
import { jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';

import { createVerifier } from '../../pkg/wasm/node.js';
import { AUDIENCE, ISSUER, NOW } from './generate.mjs';
import { isHmac, keyOf } from './keys.mjs';

export const PEERS = ['jose', 'fast-jwt', 'jsonwebtoken'];
export const VERSIONS = Object.fromEntries(PEERS.map((peer) => {
  const folder = `${new URL('../../', import.meta.url).pathname}node_modules/${peer}/package.json`;
  return [peer, JSON.parse(readFileSync(folder, 'utf8')).version];
}));

const MAX_AGE = 300;
const TOLERANCE = 5;
const TYP = 'at+jwt';

const kept = new Map();
const keep = (make) => (algorithm, rules) => {
  const name = `${make.name} ${algorithm} ${rules}`;
  if (!kept.has(name)) kept.set(name, make(algorithm, rules));
  return kept.get(name);
};

const when = (holds, options) => (holds ? options : {});

function edgegate(algorithm, rules) {
  const verifier = createVerifier({
    issuer: ISSUER, audience: AUDIENCE, algorithms: [algorithm], key: keyOf(algorithm).publicKey, now: () => NOW, cache: false,
    ...when(rules === 'typ', { typ: TYP }), ...when(rules === 'max-age', { maxTokenAge: MAX_AGE }),
    ...when(rules === 'tolerance', { clockTolerance: TOLERANCE }),
  });
  return (token) => {
    const { claims, header } = verifier.verifySync(token);
    return { claims, header };
  };
}

function jose(algorithm, rules) {
  const { publicKey } = keyOf(algorithm);
  const key = isHmac(algorithm) ? new Uint8Array(publicKey) : publicKey;
  const options = {
    issuer: ISSUER, audience: AUDIENCE, algorithms: algorithm === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [algorithm], currentDate: new Date(NOW * 1000),
    requiredClaims: ['exp'],
    ...when(rules === 'typ', { typ: TYP }), ...when(rules === 'max-age', { maxTokenAge: MAX_AGE }),
    ...when(rules === 'tolerance', { clockTolerance: TOLERANCE }),
  };
  return async (token) => {
    const { payload, protectedHeader } = await jwtVerify(token, key, options);
    return { claims: payload, header: protectedHeader };
  };
}

function fastJwt(algorithm, rules) {
  const { publicKey } = keyOf(algorithm);
  const verifier = createFastVerifier({
    key: isHmac(algorithm) ? publicKey : publicKey.export({ type: 'spki', format: 'pem' }), algorithms: [algorithm], allowedIss: ISSUER, allowedAud: AUDIENCE,
    requiredClaims: ['iss', 'aud', 'exp'], clockTimestamp: NOW * 1000, cache: false, complete: true,
    ...when(rules === 'typ', { checkTyp: TYP }), ...when(rules === 'max-age', { maxAge: MAX_AGE * 1000, requiredClaims: ['iss', 'aud', 'exp', 'iat'] }),
    ...when(rules === 'tolerance', { clockTolerance: TOLERANCE * 1000 }),
  });
  return (token) => {
    const { payload, header } = verifier(token);
    return { claims: payload, header };
  };
}

function jsonWebToken(algorithm, rules) {
  const { publicKey } = keyOf(algorithm);
  const options = {
    issuer: ISSUER, audience: AUDIENCE, algorithms: [algorithm], clockTimestamp: NOW, complete: true,
    ...when(rules === 'max-age', { maxAge: MAX_AGE }), ...when(rules === 'tolerance', { clockTolerance: TOLERANCE }),
  };
  return (token) => {
    const { payload, header } = jsonwebtoken.verify(token, publicKey, options);
    return { claims: payload, header };
  };
}

const MAKERS = { edgegate: keep(edgegate), jose: keep(jose), 'fast-jwt': keep(fastJwt), jsonwebtoken: keep(jsonWebToken) };

/** Returns what each says about a token: `{accepts: true, claims, header}` or `{accepts: false, error}`. */
export async function verdicts({ token, algorithm, rules }) {
  const all = {};
  for (const [name, make] of Object.entries(MAKERS)) {
    try {
      all[name] = { accepts: true, ...(await make(algorithm, rules)(token)) };
    } catch (error) {
      all[name] = { accepts: false, error };
    }
  }
  return all;
}
