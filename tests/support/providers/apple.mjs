// Sign in with Apple: https://developer.apple.com/documentation/signinwithapplerestapi,
// …/signinwithapplejs/incorporating_sign_in_with_apple_into_other_platforms, …/accountorganizationaldatasharing/creating-a-client-secret
// The client has no secret: it signs one with its key (`client.publicKey`, `client.keyId`, `client.teamId`).

import { verify } from 'node:crypto';

import { Refusal } from './http.mjs';
import { STANDARD } from './provider.mjs';

/** "greater than 15777000 (6 months in seconds)" is refused. */
const LONGEST_SECS = 15_777_000;

export const apple = {
  ...STANDARD,
  name: 'apple',
  paths: { authorization: '/auth/authorize', token: '/auth/token', jwks: '/auth/keys', revocation: '/auth/revoke' },
  authentication: ['client_secret_post'],
  // Not documented. What it does not know it ignores.
  challenges: [],
  responseModes: ['query', 'fragment', 'form_post'],
  knowsScope: (scope) => ['openid', 'name', 'email'].includes(scope),
  codeSecs: 300,
  // Whatever the scopes are.
  givesIdToken: () => true,
  givesRefresh: () => true,
  rotates: false,
  metadata: () => ({ code_challenge_methods_supported: undefined, scopes_supported: ['openid', 'email', 'name'] }),
  // "The value must be form_post if you requested any scopes."
  checkRequest({ scope, response_mode: mode }, provider) {
    if (scope && mode !== 'form_post') throw new Refusal('invalid_request', 'response_mode must be form_post when name or email scope is requested.');
    // "can't be an IP address or localhost".
    const { hostname, protocol } = new URL(provider.client.redirectUris[0]);
    if (protocol !== 'https:' || hostname === 'localhost' || /^[\d.]+$/.test(hostname)) throw new Refusal('invalid_request', 'Invalid web redirect url.');
  },
  // The name is in no token: it comes once, in the form.
  callback: ({ isFirst, scopes, user }) => (isFirst && scopes.includes('name')
    ? { user: JSON.stringify({ name: { firstName: 'Ann', lastName: 'Example' }, email: user.email }) }
    : {}),
  claims: ({ user, scopes }) => ({
    nonce_supported: true,
    // "String or Boolean".
    ...(scopes.includes('email') ? { email: user.email, email_verified: 'true', is_private_email: 'false' } : {}),
  }),
  // No scope.
  answer: ({ access_token, expires_in, id_token, refresh_token }) => ({ access_token, token_type: 'Bearer', expires_in, id_token, refresh_token }),
  checkSecret(secret, provider) {
    const [header, claims, signature] = (secret ?? '').split('.');
    if (signature === undefined) return false;
    const { alg, kid } = JSON.parse(Buffer.from(header, 'base64url'));
    const { iss, sub, aud, iat, exp } = JSON.parse(Buffer.from(claims, 'base64url'));
    const { client } = provider;
    const holds = verify('sha256', Buffer.from(`${header}.${claims}`), { key: client.publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
    const audiences = [aud].flat();
    // On loopback this provider goes by its own name as well.
    const isForApple = audiences.length === 1 && ['https://appleid.apple.com', provider.issuer].includes(audiences[0]);
    const now = provider.now();
    const isNow = iat <= now + 60 && exp > now && exp - now <= LONGEST_SECS;
    return alg === 'ES256' && kid === client.keyId && iss === client.teamId && sub === client.id && isForApple && isNow && holds;
  },
};
