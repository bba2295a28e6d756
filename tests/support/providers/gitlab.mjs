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
  claims: ({ user, scopes }) => ({
    sub_legacy: 'e7f8',
    ...(scopes.includes('profile') ? { name: user.name, nickname: 'ann', preferred_username: 'ann', profile: 'https://gitlab.com/ann' } : {}),
    ...(scopes.includes('email') ? { email: user.email, email_verified: user.email_verified } : {}),
    // Of groups, the ID token has only those that one is a direct member of.
    groups_direct: user.groups,
  }),
  userinfo: ({ user }) => ({
    sub: user.sub, name: user.name, nickname: 'ann', email: user.email, email_verified: user.email_verified, groups: [...user.groups, 'inherited'],
    groups_direct: user.groups,
  }),
  answer: (body, grant, provider) => ({ ...body, created_at: provider.now() }),
};

export { ANN };
