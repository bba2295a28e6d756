// Auth0: https://auth0.com/docs/authenticate/protocols/openid-connect-protocol, …/secure/tokens/refresh-tokens/refresh-token-rotation,
// https://auth0.com/docs/api/authentication. The issuer ends with a slash.

import { json } from './http.mjs';
import { ANN, STANDARD } from './provider.mjs';
import { standardClaims } from './oidc.mjs';

export const auth0 = {
  ...STANDARD,
  name: 'auth0',
  issuer: (origin) => `${origin}/`,
  paths: {
    authorization: '/authorize', token: '/oauth/token', userinfo: '/userinfo', jwks: '/.well-known/jwks.json', revocation: '/oauth/revoke', logout: '/oidc/logout',
  },
  // One way for each application: this is a "regular web application" as it is made.
  authentication: ['client_secret_post'],
  challenges: ['S256', 'plain'],
  accessSecs: 86_400,
  // Not documented as such: a code or refresh token that is over is answered with 403.
  grantStatus: 403,
  knowsScope: () => true,
  // Its document lists all ways, whatever this application may use.
  metadata: () => ({
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'], backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  }),
  claims: ({ user, scopes, sid }) => ({
    sid,
    ...standardClaims(user, scopes),
    nickname: 'ann',
    updated_at: '2026-01-01T00:00:00.000Z',
    ...(user.organization ? { org_id: user.organization } : {}),
    // Claims of an Action have a name with a namespace.
    'https://corp.example/roles': user.groups,
  }),
  refusal: ({ error, message, status }) => (error === 'invalid_client'
    ? json(401, { error: 'access_denied', error_description: 'Unauthorized' })
    : json(status, { error, error_description: message })),
};

export const AUTH0_USER = Object.freeze({ ...ANN, sub: 'auth0|5f7c8ec7c33c6c004bbafe82', organization: 'org_9ybsU1dN2dKfDkBi' });
