// Somebody in the place of an issuer: what the policy wants of its tokens, and a policy with other keys. For rehearsals, the page and the
// command line; no gate uses it.

/** Where a policy has an issuer's keys. */
const KEY_FIELDS = ['secret', 'secrets', 'encoding', 'jwks', 'jwks_uri', 'pem', 'discovery', 'allow_http'];

const LIFETIME_SECS = 600;

/** The algorithms of an issuer's tokens: only a secret has a default. */
export const algorithmsOf = ({ algorithms, secret, secrets }) => [algorithms ?? (secret || secrets ? ['HS256'] : ['ES256'])].flat();

/** The issuer with other keys: public JWKs, or a secret of this name, in base64url. */
export function withOtherKeys(issuer, { jwks, secret }) {
  const own = Object.fromEntries(Object.entries(issuer).filter(([name]) => !KEY_FIELDS.includes(name)));
  return { ...own, ...(secret === undefined ? { jwks: { keys: jwks } } : { secret, encoding: 'base64url' }) };
}

/** `iss` as tokens have it: one of the tenants where the policy has a template. */
export const issOf = ({ issuer, tenants }) => (tenants?.length > 0 ? issuer.replace(/\{\w+\}/, tenants[0]) : issuer);

/** `typ` as the policy wants it. */
export const typOf = ({ typ, profile }) => typ ?? (profile === 'access-token' ? 'at+jwt' : 'JWT');

/** Where the issuer's tokens have their scopes. */
const scopeClaimOf = ({ scope_claim: one, scope_claims: many }) => one ?? many?.[0] ?? 'scope';

/** The claims that the policy wants of the issuer's tokens, so that only what matters has to be written. */
export function usualClaims(issuer, now, { scopes, lifetimeSecs = LIFETIME_SECS } = {}) {
  const claims = { iss: issOf(issuer), iat: Math.min(now, now + lifetimeSecs - 1), exp: now + lifetimeSecs };
  const audience = [issuer.audience ?? []].flat()[0];
  if (audience !== undefined) claims[issuer.audience_claim ?? 'aud'] = audience;
  if (issuer.tenants?.length > 0) claims.tid = issuer.tenants[0];
  for (const [name, value] of Object.entries(issuer.claims ?? {})) claims[name] = [value].flat()[0];
  if (issuer.profile === 'access-token') Object.assign(claims, { sub: 'alice', client_id: 'page', jti: 'stand-in' });
  if (issuer.max_auth_age_secs !== undefined) claims.auth_time = now;
  for (const name of issuer.required_claims ?? []) claims[name] ??= usualValue(name, now);
  if (scopes?.length > 0) claims[scopeClaimOf(issuer)] = scopes.join(' ');
  return claims;
}

/** Of a claim of which the policy only wants that it is there. */
function usualValue(name, now) {
  if (name === 'auth_time' || name === 'nbf') return now;
  return name === 'sub' ? 'alice' : 'stand-in';
}
