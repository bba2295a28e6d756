// The secrets of a policy: whose they are, and new ones.

import { generateKeyPairSync, randomBytes } from 'node:crypto';

import { randomSecret } from './vars.js';

/**
 * Names by who else has to know the secret: `shared` with an issuer, a client, or whoever takes what the gate sends; `url` and `pem` are
 * shared too, and no other text stands in for them; `keys` is a JWK set of private keys; `own`, the gate's alone.
 */
export function rolesOf(policy) {
  const roles = new Map();
  const note = (role, ...names) => names.flat().filter((name) => typeof name === 'string').forEach((name) => roles.set(name, { role }));
  note('own', policy.admin?.secret, policy.jwks_cache?.secret, policy.sessions?.secret, policy.watch?.secret);
  const lists = [policy.admin?.secrets, policy.sessions?.secrets, policy.api_keys?.signing_keys, policy.accounts?.secrets];
  for (const one of lists.flatMap(list)) note('own', one?.secret);
  // One that serves two purposes is shared: no random value would do.
  for (const issuer of list(policy.issuers)) note('shared', issuer?.secret, list(issuer?.secrets));
  for (const client of list(policy.sessions?.clients)) note('shared', client?.secret);
  for (const provider of list(policy.login?.providers)) {
    note('shared', provider?.client_secret);
    note('pem', provider?.private_key);
  }
  note('shared', policy.watch?.metrics_secret, policy.accounts?.mail?.secret);
  for (const sink of list(policy.watch?.sinks)) {
    note('shared', sink?.secret);
    if (typeof sink?.url_secret === 'string') roles.set(sink.url_secret, { role: 'url', kind: sink.kind });
  }
  if (typeof policy.sessions?.keys === 'string') roles.set(policy.sessions.keys, { role: 'keys', algorithm: policy.sessions.algorithm ?? 'ES256' });
  return roles;
}

const list = (value) => (Array.isArray(value) ? value : []);

/** The bytes that HMAC with the longest hash wants (RFC 7518 §3.2). */
const LONGEST = 64;

/** Whether nothing but a value of this form is read, so that the engine finds nothing else wrong without one. */
export const hasForm = ({ role }) => ['keys', 'pem', 'url'].includes(role);

/** A new secret of this role. Nobody else knows it, so a `url` leads nowhere, and a provider does not know a `pem`. */
export function newSecret({ role, algorithm, kind } = { role: 'own' }) {
  if (role === 'keys') return JSON.stringify({ keys: [newJwk(algorithm)] });
  if (role === 'url') return kind === 'sentry' ? 'https://key@secret.invalid/1' : 'https://secret.invalid/';
  if (role === 'pem') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  // Whatever the algorithm and encoding of the issuer are, these digits serve.
  return role === 'shared' ? randomBytes(LONGEST).toString('hex') : randomSecret();
}

function newJwk(algorithm) {
  if (algorithm === 'HS256') return { kty: 'oct', alg: algorithm, k: randomBytes(LONGEST).toString('base64url') };
  const made = {
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: () => generateKeyPairSync('ed25519'),
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  };
  return { ...(made[algorithm] ?? made.ES256)().privateKey.export({ format: 'jwk' }), alg: algorithm };
}

/** What is wrong with values that are long enough: those that nobody has drawn at random, or that serve two purposes. */
export function weaknesses(values) {
  const found = [];
  const owner = new Map();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    if (new Set(value).size < LEAST_DIFFERENT) found.push({ path: name, message: 'has so few different characters that it was not drawn at random' });
    if (owner.has(value)) found.push({ path: name, message: `is the same as ${owner.get(value)}: who has one has the other` });
    owner.set(value, name);
  }
  return found;
}

/** 32 random hexadecimal digits have 14 different ones on average, and fewer than 8 not once in ten million. */
const LEAST_DIFFERENT = 8;
