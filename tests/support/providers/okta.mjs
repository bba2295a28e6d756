// Okta, a custom authorization server: https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/,
// https://developer.okta.com/docs/guides/refresh-tokens/main/ (rotation, reuse detection), https://developer.okta.com/docs/concepts/auth-servers/

import { Refusal } from './http.mjs';
import { ANN, STANDARD } from './provider.mjs';

const BASE = '/oauth2/default';

export const okta = {
  ...STANDARD,
  name: 'okta',
  issuer: (origin) => origin + BASE,
  paths: {
    authorization: `${BASE}/v1/authorize`, token: `${BASE}/v1/token`, userinfo: `${BASE}/v1/userinfo`, jwks: `${BASE}/v1/keys`, revocation: `${BASE}/v1/revoke`,
    logout: `${BASE}/v1/logout`,
  },
  // An application has one of them; as it is made it is the header.
  authentication: ['client_secret_basic'],
  // As an application is made today.
  needsChallenge: true,
  responseModes: ['query', 'fragment', 'form_post'],
  codeSecs: 300,
  metadata: () => ({ token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'] }),
  checkRequest({ state }) {
    if (!state) throw new Refusal('invalid_request', "The authentication request has an invalid 'state' parameter.");
  },
  claims: ({ user, scopes }) => ({
    ver: 1,
    jti: 'ID.4eAWJOCMB3SX8XewDfVR',
    amr: ['pwd', 'mfa'],
    idp: '00o1bl8xv6',
    ...(scopes.includes('profile') ? { name: user.name, preferred_username: user.email } : {}),
    ...(scopes.includes('email') ? { email: user.email, email_verified: user.email_verified } : {}),
    // Only if the server has such a claim and its scope was asked for.
    ...(scopes.includes('groups') ? { groups: ['Everyone', ...user.groups] } : {}),
  }),
};

export const OKTA_USER = Object.freeze({ ...ANN, sub: '00uid4BxXw6I6TV4m0g3' });
