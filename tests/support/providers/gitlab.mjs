// GitLab: https://docs.gitlab.com/integration/openid_connect_provider/, https://docs.gitlab.com/api/oauth2/

import { ANN, STANDARD } from './provider.mjs';

export const gitlab = {
  ...STANDARD,
  name: 'gitlab',
  paths: {
    authorization: '/oauth/authorize', token: '/oauth/token', userinfo: '/oauth/userinfo', jwks: '/oauth/discovery/keys', revocation: '/oauth/revoke',
  },
  challenges: ['plain', 'S256'],
  accessSecs: 7200,
  codeSecs: 600,
  knowsScope: (scope) => ['openid', 'profile', 'email', 'read_user', 'api', 'read_api'].includes(scope),
  // Every grant has one. A refresh "invalidates the existing access_token and refresh_token"; a second use ends nothing else
  // (https://gitlab.com/gitlab-org/gitlab/-/work_items/364111).
  givesRefresh: () => true,
  endsAccess: true,
  endsFamily: false,
  // "The claims sub, sub_legacy, email, email_verified and groups_direct are included in the ID token. All other claims are available from
  // the /oauth/userinfo endpoint": the name, and of groups those that one is a member of through others.
  claims: ({ user, scopes }) => ({
    sub_legacy: 'e7f8',
    ...(scopes.includes('email') ? { email: user.email, email_verified: user.email_verified } : {}),
    groups_direct: user.groups,
  }),
  userinfo: ({ user }) => ({
    sub: user.sub, name: user.name, nickname: 'ann', email: user.email, email_verified: user.email_verified, groups: [...user.groups, 'inherited'],
    groups_direct: user.groups,
  }),
  answer: (body, grant, provider) => ({ ...body, created_at: provider.now() }),
};

export { ANN };
