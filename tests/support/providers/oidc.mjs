// A plain provider of OpenID Connect, as strict as the specifications allow.

import { ANN, STANDARD } from './provider.mjs';

export const oidc = {
  ...STANDARD,
  name: 'oidc',
  authentication: ['client_secret_basic'],
  needsChallenge: true,
  sendsIss: true,
  responseModes: ['query', 'form_post'],
  knowsScope: (scope) => STANDARD.knowsScope(scope) || scope === 'phone',
  metadata: () => ({
    backchannel_logout_supported: true, backchannel_logout_session_supported: true, claims_supported: ['sub', 'name', 'email', 'groups'],
  }),
  claims: ({ user, scopes, sid }) => ({ sid, ...standardClaims(user, scopes) }),
};

/** OpenID Connect Core 1.0 §5.4: what each scope brings. */
export const standardClaims = (user, scopes) => ({
  ...(scopes.includes('profile') ? { name: user.name } : {}),
  ...(scopes.includes('email') ? { email: user.email, email_verified: user.email_verified } : {}),
  ...(scopes.includes('profile') && user.groups ? { groups: user.groups } : {}),
});

export { ANN };
