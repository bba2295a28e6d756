// Tokens of an issuer whose secret is in `.dev.vars`, for trying things out.

import { randomUUID } from 'node:crypto';
import { importSigningKey, signJwt } from 'edgegate';

import { misused } from './failure.js';
import { value } from './vars.js';

const HMAC = /^HS/;

/** The issuers whose tokens can be signed here. */
export const issuersWithSecrets = (policy) => (policy.issuers ?? []).filter(({ secret, secrets, algorithms = [] }) => (secret ?? secrets) !== undefined && algorithms.some((one) => HMAC.test(one)));

/** Signs a token of this issuer. */
export async function mintToken(issuer, vars, { subject, scopes, expiresIn, claims = {} }) {
  const name = issuer.secret ?? issuer.secrets[0];
  const secret = value(vars, name);
  if (secret === undefined) throw misused(`.dev.vars has no ${name}`, 'npx edgegate dev writes a random one');
  const alg = issuer.algorithms.find((one) => HMAC.test(one));
  const key = await importSigningKey(bytesOf(secret, issuer.encoding), { alg });
  const audience = { [issuer.audience_claim ?? 'aud']: issuer.audience?.[0] };
  const scope = scopes.length > 0 ? { [scopeClaim(issuer)]: scopes.join(' ') } : {};
  const all = { iss: issuer.issuer, ...audience, sub: subject, jti: randomUUID(), ...scope, ...fixed(issuer), ...claims };
  return signJwt(all, key, { expiresIn, ...(issuer.typ ?? issuer.profile ? { typ: issuer.typ ?? 'at+jwt' } : {}) });
}

const bytesOf = (secret, encoding = 'text') => new Uint8Array(Buffer.from(secret, encoding === 'text' ? 'utf8' : encoding));

const scopeClaim = ({ scope_claim: one, scope_claims: many }) => one ?? many?.[0] ?? 'scope';

/** The claims that the issuer's entry asks for with certain values. */
const fixed = ({ claims = {} }) => Object.fromEntries(Object.entries(claims).map(([name, wanted]) => [name, Array.isArray(wanted) ? wanted[0] : wanted]));
