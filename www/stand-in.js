// The page in the place of an issuer: a key of its own, and tokens by the rules that the policy has for that issuer.

import { newKey } from './example.js';

const LIFETIME_SECS = 600;

/** Where a policy has an issuer's keys. */
const KEY_FIELDS = ['secret', 'secrets', 'encoding', 'jwks', 'jwks_uri', 'pem', 'discovery', 'allow_http'];

/** Algorithms that the page can sign by. Others are left to the engine to refuse. */
const SIGNED = /^((HS|RS|PS|ES)(256|384|512)|EdDSA|Ed25519)$/;

const usualAlgorithms = ({ secret, secrets }) => (secret || secrets ? ['HS256'] : ['ES256']);

/** The issuer with keys of this page in place of its own, one for each of its algorithms, and the key that signs. */
async function withOwnKeys(issuer) {
  const algorithms = [issuer.algorithms ?? usualAlgorithms(issuer)].flat();
  if (algorithms.length === 0 || !algorithms.every((alg) => SIGNED.test(alg))) return { issuer };
  const keys = await Promise.all(algorithms.map((alg) => newKey(alg, `this-page-${alg}`)));
  const own = Object.fromEntries(Object.entries(issuer).filter(([name]) => !KEY_FIELDS.includes(name)));
  return { key: keys[0], issuer: { ...own, ...keysIn(keys, issuer) } };
}

/** A shared secret stays a secret of the policy: its value is the page's own. */
function keysIn(keys, { secret, secrets }) {
  if (keys[0].jwk.kty !== 'oct') return { jwks: { keys: keys.map(({ jwk }) => jwk) } };
  return { secret: secret ?? secrets?.[0] ?? 'ISSUER_SECRET', encoding: 'base64url' };
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

/** `iss` as tokens have it: one of the tenants where the policy has a template. */
const nameOf = ({ issuer, tenants }) => (tenants?.length > 0 ? issuer.replace(/\{\w+\}/, tenants[0]) : issuer);

/** What the policy wants of the issuer's tokens, so that only what matters has to be written. */
function usual(issuer, now) {
  const claims = { iss: nameOf(issuer), iat: now, exp: now + LIFETIME_SECS };
  const audience = [issuer.audience ?? []].flat()[0];
  if (audience !== undefined) claims[issuer.audience_claim ?? 'aud'] = audience;
  if (issuer.tenants?.length > 0) claims.tid = issuer.tenants[0];
  for (const [name, value] of Object.entries(issuer.claims ?? {})) claims[name] = [value].flat()[0];
  if (issuer.profile === 'access-token') Object.assign(claims, { sub: 'alice', client_id: 'page', jti: crypto.randomUUID() });
  if (issuer.max_auth_age_secs !== undefined) claims.auth_time = now;
  return claims;
}

/** A token with these claims, of the issuer that they name or else of the first. */
export function tokenOf({ policy, keys }, claims, now) {
  const named = policy.issuers?.findIndex((issuer) => nameOf(issuer) === claims.iss) ?? -1;
  const index = Math.max(named, 0);
  const issuer = policy.issuers?.[index];
  if (issuer === undefined || keys[index] === undefined) throw new Error('The policy has no issuer whose tokens this page could make.');
  const typ = issuer.typ ?? (issuer.profile === 'access-token' ? 'at+jwt' : 'JWT');
  return keys[index].sign({ ...usual(issuer, now), ...claims }, { typ });
}
