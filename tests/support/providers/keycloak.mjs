// Keycloak: https://www.keycloak.org/securing-apps/oidc-layers, https://www.keycloak.org/docs/latest/server_admin/
// (`Revoke Refresh Token` is off as a realm is made; `settings.rotation` turns it on.)

import { ANN, STANDARD } from './provider.mjs';

const REALM = '/realms/main';
const BASE = `${REALM}/protocol/openid-connect`;

export const keycloak = {
  ...STANDARD,
  name: 'keycloak',
  issuer: (origin) => origin + REALM,
  paths: {
    authorization: `${BASE}/auth`, token: `${BASE}/token`, userinfo: `${BASE}/userinfo`, jwks: `${BASE}/certs`, revocation: `${BASE}/revoke`, logout: `${BASE}/logout`,
  },
  challenges: ['plain', 'S256'],
  responseModes: ['query', 'fragment', 'form_post'],
  sendsIss: true,
  accessSecs: 300,
  knowsScope: (scope) => STANDARD.knowsScope(scope) || ['roles', 'web-origins', 'acr', 'basic', 'phone'].includes(scope),
  // A session has a refresh token by itself.
  givesRefresh: () => true,
  callback: ({ sid }) => ({ session_state: sid }),
  metadata: () => ({ backchannel_logout_supported: true, backchannel_logout_session_supported: true, frontchannel_logout_supported: true }),
  claims: ({ user, scopes, sid, client }) => ({
    typ: 'ID',
    azp: client.id,
    sid,
    acr: '1',
    jti: 'f2b4c7a8-0000-0000-0000-000000000000',
    ...(scopes.includes('profile') ? { name: user.name, preferred_username: 'ann' } : {}),
    ...(scopes.includes('email') ? { email: user.email, email_verified: user.email_verified } : {}),
    // By mappers of the realm that are set to "Add to ID token".
    realm_access: { roles: ['offline_access', ...user.groups] },
    groups: ['/staff'],
  }),
  answer: (body, { sid }) => ({ ...body, refresh_expires_in: 1800, 'not-before-policy': 0, session_state: sid }),
};

/** What its logout tokens have of their own: `typ` of the header is JWT, `typ` of the claims Logout, and a further event. */
export const asKeycloak = ({ header, claims, ...rest }) => ({
  ...rest,
  header: { ...header, typ: 'JWT' },
  claims: { ...claims, typ: 'Logout', events: { ...claims.events, revoke_offline_access: true } },
});

export { ANN };
