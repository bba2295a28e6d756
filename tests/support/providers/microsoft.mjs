// Microsoft Entra ID: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow, …/v2-protocols-oidc,
// …/id-token-claims-reference, …/refresh-tokens
// `settings.tenant` is what the URL names: `common`, `organizations`, or a tenant.

import { STANDARD } from './provider.mjs';

export const TENANT = '11111111-2222-3333-4444-555555555555';

/** Somebody of a tenant. The address is what an administrator of that tenant has written: it is not verified. */
export const ENTRA_USER = Object.freeze({
  sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ', oid: '00000000-0000-0000-66f3-3332eca7ea81', tid: TENANT,
  name: 'Ann Example', email: 'ann@corp.example', upn: 'ann@corp.example', groups: ['aaaaaaaa-0000-0000-0000-000000000001'],
});

const tenantOf = ({ settings }) => settings.tenant ?? 'common';

export const microsoft = {
  ...STANDARD,
  name: 'microsoft',
  issuer: (origin, provider) => `${origin}/${tenantOf(provider)}/v2.0`,
  paths: {
    authorization: '/common/oauth2/v2.0/authorize', token: '/common/oauth2/v2.0/token', userinfo: '/oidc/userinfo', jwks: '/common/discovery/v2.0/keys',
    logout: '/common/oauth2/v2.0/logout',
  },
  authentication: ['client_secret_post', 'client_secret_basic'],
  responseModes: ['query', 'fragment', 'form_post'],
  accessSecs: 3899,
  codePrefix: '1.',
  refreshPrefix: '1.AXX',
  knowsScope: (scope) => STANDARD.knowsScope(scope) || scope.startsWith('https://graph.microsoft.com/') || /^[A-Z]\w+\.\w+/.test(scope),
  // "Refresh tokens replace themselves with a fresh token upon every use. The Microsoft identity platform doesn't revoke old refresh tokens".
  rotates: true,
  endsFamily: false,
  keepsOld: true,
  // For several tenants the issuer has a place for the tenant in it. PKCE is taken, though the document does not say so.
  metadata: (provider) => ({
    issuer: `${provider.origin}/${['common', 'organizations'].includes(tenantOf(provider)) ? '{tenantid}' : tenantOf(provider)}/v2.0`,
    code_challenge_methods_supported: undefined,
    tenant_region_scope: null,
    cloud_instance_name: 'microsoftonline.com',
  }),
  callback: () => ({ session_state: 'b3f4a2c1-0000-0000-0000-000000000000' }),
  claims: ({ user, scopes }, { origin, settings, now }) => ({
    iss: `${origin}/${user.tid}/v2.0`,
    tid: user.tid,
    oid: user.oid,
    ver: '2.0',
    uti: 'zxcvbnm',
    // Not documented; tokens show it: five minutes before they are made, for clocks that are behind.
    ...(settings.backdated ? { iat: now() - 300, nbf: now() - 300 } : {}),
    ...(scopes.includes('profile') ? { name: user.name, preferred_username: user.upn } : {}),
    ...(scopes.includes('email') ? { email: user.email } : {}),
    // Optional claims of the application.
    ...(settings.edov !== undefined ? { xms_edov: settings.edov } : {}),
    ...groupClaims(user, origin),
  }),
  userinfo: ({ user }) => ({ sub: user.sub, name: user.name, email: user.email, picture: 'https://graph.microsoft.com/v1.0/me/photo/$value' }),
  // Without `openid` among the scopes of a refresh there is no ID token.
  answer: (body) => ({ ...body, ext_expires_in: 3899 }),
};

/** More than 200 groups do not fit: …/id-token-claims-reference#groups-overage-claim */
const groupClaims = ({ groups = [], oid }, origin) => {
  if (groups.length <= 200) return { groups };
  return {
    _claim_names: { groups: 'src1' },
    _claim_sources: { src1: { endpoint: `${origin}/v1.0/users/${oid}/getMemberObjects` } },
  };
};
