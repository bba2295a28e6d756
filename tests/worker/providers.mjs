// Identity providers: the policy entry for each, and tokens in its form, signed with keys of our own.

import { generateKeyPairSync } from 'node:crypto';

import { signAsymmetric, signHmac } from './token.mjs';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwks = (pair, alg) => ({ keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'k1', alg, use: 'sig' }] });
const RSA = { algorithms: ['RS256'], jwks: jwks(rsa, 'RS256') };
const EC = { algorithms: ['ES256'], jwks: jwks(ec, 'ES256') };
const rs256 = (claims) => signAsymmetric(claims, { key: rsa.privateKey, alg: 'RS256', header: { kid: 'k1' } });
const es256 = (claims) => signAsymmetric(claims, { key: ec.privateKey, alg: 'ES256', header: { kid: 'k1' } });

const COGNITO = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf';
const CLERK = 'https://clerk.example.com';
const KEYCLOAK = 'https://keycloak.example.com/realms/main';
const ENTRA = 'https://login.microsoftonline.com';
const ENTRA_APP = 'https://sts.windows.net/app/';
const SUPABASE = 'https://abc.supabase.co/auth/v1';
const ROTATED = 'https://rotated.test/';
const JJWT = 'https://jjwt.test/';
const tenants = ['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222'];

/** Secrets that the entries name. */
export const PROVIDER_SECRETS = {
  SUPABASE_SECRET: 'supabase-legacy-secret-of-32-bytes-and-more',
  OLD_SECRET: 'an-older-secret-of-at-least-32-bytes',
  NEW_SECRET: 'a-newer-secret-of-at-least-32-bytes',
  JJWT_SECRET: Buffer.alloc(32, 0xa7).toString('base64'),
};

export const ISSUERS = [
  { issuer: COGNITO, audience: ['1example23456789'], audience_claim: 'client_id', claims: { token_use: 'access' }, ...RSA },
  { issuer: CLERK, audience: ['https://app.example.com'], audience_claim: 'azp', ...RSA },
  {
    issuer: KEYCLOAK, audience: ['account'], scope_claims: ['scope', 'realm_access.roles', 'resource_access.my.app.roles'],
    scope_map: { editor: ['read:posts', 'write:posts'] }, ...RSA,
  },
  { issuer: `${ENTRA}/{tenantid}/v2.0`, tenants, audience: ['api-client'], scope_claims: ['scp', 'roles'], ...RSA },
  { issuer: ENTRA_APP, audience: ['api-client'], claims: { idtyp: ['app', 'service'], email_verified: true }, ...RSA },
  { issuer: SUPABASE, audience: ['authenticated'], algorithms: ['HS256'], secret: 'SUPABASE_SECRET' },
  { issuer: SUPABASE, audience: ['authenticated'], scope_claim: 'role', ...EC },
  { issuer: ROTATED, audience: ['api'], secrets: ['NEW_SECRET', 'OLD_SECRET'] },
  { issuer: JJWT, audience: ['api'], secret: 'JJWT_SECRET', encoding: 'base64' },
];

const cognito = { iss: COGNITO, sub: 'u', client_id: '1example23456789', token_use: 'access', scope: 'read:posts' };
const clerk = { iss: CLERK, sub: 'user_1', azp: 'https://app.example.com', sid: 'sess_1' };
const keycloak = {
  iss: KEYCLOAK, aud: 'account', sub: 'u', azp: 'my.app', scope: 'openid profile', realm_access: { roles: ['offline_access', 'editor'] },
  resource_access: { 'my.app': { roles: ['manage'] }, account: { roles: ['view-profile'] } },
};
const entra = (tenant, rest) => ({ iss: `${ENTRA}/${tenant}/v2.0`, aud: 'api-client', sub: 'u', tid: tenant, ver: '2.0', ...rest });
const app = { iss: ENTRA_APP, aud: 'api-client', sub: 'u', idtyp: 'app', email_verified: true };
const supabase = { iss: SUPABASE, aud: 'authenticated', sub: 'u', role: 'authenticated' };
const shared = { iss: ROTATED, aud: 'api', sub: 'u' };

const hs256 = (secret) => (claims) => signHmac(claims, { secret });

/** `[what, sign, claims, scopes]`. The test sets `exp`. */
export const ADMITTED = [
  ['an access token of Cognito, without aud', rs256, cognito, ['read:posts']],
  ['a session token of Clerk, by azp', rs256, clerk, []],
  ['a token of Keycloak, with roles of realm and client', rs256, keycloak,
    ['editor', 'manage', 'offline_access', 'openid', 'profile', 'read:posts', 'write:posts']],
  ['a token of a user of Entra', rs256, entra(tenants[0], { scp: 'posts.read posts.write' }), ['posts.read', 'posts.write']],
  ['a token of an application of Entra', rs256, entra(tenants[1], { roles: ['posts.read'] }), ['posts.read']],
  ['a token whose claims have the values', rs256, app, []],
  ['an older token of Supabase, by its secret', hs256(PROVIDER_SECRETS.SUPABASE_SECRET), supabase, []],
  ['a newer token of Supabase, by its key', es256, supabase, ['authenticated']],
  ['a token by the newer secret', hs256(PROVIDER_SECRETS.NEW_SECRET), shared, []],
  ['a token by the older secret', hs256(PROVIDER_SECRETS.OLD_SECRET), shared, []],
  ['a token by a secret that is written in base64', hs256(Buffer.alloc(32, 0xa7)), { ...shared, iss: JJWT }, []],
];

/** `[what, sign, claims, detail of the log]`. */
export const REFUSED = [
  ['an ID token of Cognito', rs256, { ...cognito, token_use: 'id' }, 'token_use has a value that is not allowed'],
  ['a token of another client of Cognito', rs256, { ...cognito, client_id: 'other' }, 'client_id has a value that is not allowed'],
  ['aud in place of client_id', rs256, { ...cognito, client_id: undefined, aud: '1example23456789' }, 'claim client_id is missing'],
  ['a token of another site of Clerk', rs256, { ...clerk, azp: 'https://evil.example' }, 'azp has a value that is not allowed'],
  ['a tenant that is not named', rs256, entra('33333333-3333-3333-3333-333333333333'), 'iss names no configured issuer'],
  ['a tenant whose tid is another one', rs256, { ...entra(tenants[0]), tid: tenants[1] }, 'tid has a value that is not allowed'],
  ['the template itself', rs256, entra('{tenantid}'), 'iss names no configured issuer'],
  ['a value of another type', rs256, { ...app, email_verified: 'true' }, 'email_verified has a value that is not allowed'],
  ['a value that is not in the list', rs256, { ...app, idtyp: 'user' }, 'idtyp has a value that is not allowed'],
  ['another secret', hs256('some-other-secret-of-at-least-32-bytes'), shared, 'signature does not verify'],
  ['the text of a secret that is written in base64', hs256(PROVIDER_SECRETS.JJWT_SECRET), { ...shared, iss: JJWT }, 'signature does not verify'],
  ['an algorithm of neither entry', rs256, supabase, 'alg is not allowed for this key and issuer'],
];

/** Returns the options of `createVerifier` for these entries, as far as it has them. A secret is a key there. */
export const VERIFIER_ISSUERS = ISSUERS.filter(({ secrets }) => secrets === undefined).map((entry) => {
  const { audience_claim: audienceClaim, scope_claim: scopeClaim, scope_claims: scopeClaims, scope_map: scopeMap, ...rest } = entry;
  const { secret, encoding = 'utf8', ...options } = { ...rest, audienceClaim, scopeClaim, scopeClaims, scopeMap };
  return secret === undefined
    ? options
    : { algorithms: ['HS256'], ...options, key: Buffer.from(PROVIDER_SECRETS[secret], encoding) };
});
export const ROTATED_ISSUER = ROTATED;
