// The page in the place of an issuer: a key of its own, and tokens by the rules that the policy has for that issuer.

import { algorithmsOf, issOf, typOf, usualClaims, withOtherKeys } from '../pkg/lib/stand-in.js';
import { newKey } from './example.js';

/** Algorithms that the page can sign by. Others are left to the engine to refuse. */
const SIGNED = /^((HS|RS|PS|ES)(256|384|512)|EdDSA|Ed25519)$/;

/** The issuer with keys of this page in place of its own, one for each of its algorithms, and the key that signs. */
async function withOwnKeys(issuer) {
  const algorithms = algorithmsOf(issuer);
  if (algorithms.length === 0 || !algorithms.every((alg) => SIGNED.test(alg))) return { issuer };
  const keys = await Promise.all(algorithms.map((alg) => newKey(alg, `this-page-${alg}`)));
  // A shared secret stays a secret of the policy: its value is the page's own.
  const isSecret = keys[0].jwk.kty === 'oct';
  const own = isSecret ? { secret: issuer.secret ?? issuer.secrets?.[0] ?? 'ISSUER_SECRET' } : { jwks: keys.map(({ jwk }) => jwk) };
  return { key: keys[0], issuer: withOtherKeys(issuer, own) };
}

/** A policy whose issuers all have keys of this page: `{policy, keys, secrets}`, with the key that signs for each issuer. */
export async function standIn(policy) {
  if (!Array.isArray(policy.issuers)) return { policy, keys: [], secrets: {} };
  const made = await Promise.all(policy.issuers.map(withOwnKeys));
  const secrets = {};
  for (const { issuer, key } of made) {
    if (key?.jwk.kty === 'oct') secrets[issuer.secret] = key.jwk.k;
  }
  return { policy: { ...policy, issuers: made.map(({ issuer }) => issuer) }, keys: made.map(({ key }) => key), secrets };
}

/** A token with these claims, of the issuer that they name or else of the first. */
export function tokenOf({ policy, keys }, claims, now) {
  const named = policy.issuers?.findIndex((issuer) => issOf(issuer) === claims.iss) ?? -1;
  const index = Math.max(named, 0);
  const issuer = policy.issuers?.[index];
  if (issuer === undefined || keys[index] === undefined) throw new Error('The policy has no issuer whose tokens this page could make.');
  return keys[index].sign({ ...usualClaims(issuer, now), ...claims }, { typ: typOf(issuer) });
}
