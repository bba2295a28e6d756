// Google: https://developers.google.com/identity/openid-connect/openid-connect, …/protocols/oauth2/web-server,
// https://accounts.google.com/.well-known/openid-configuration

import { STANDARD } from './provider.mjs';

const NAMES = { email: 'https://www.googleapis.com/auth/userinfo.email', profile: 'https://www.googleapis.com/auth/userinfo.profile' };

export const google = {
  ...STANDARD,
  name: 'google',
  paths: {
    authorization: '/o/oauth2/v2/auth', token: '/token', userinfo: '/v1/userinfo', jwks: '/oauth2/v3/certs', revocation: '/revoke',
  },
  authentication: ['client_secret_post', 'client_secret_basic'],
  challenges: ['plain', 'S256'],
  responseModes: ['query', 'fragment', 'form_post'],
  accessSecs: 3599,
  codePrefix: '4/0',
  accessPrefix: 'ya29.',
  refreshPrefix: '1//',
  // `offline_access` is none of its scopes.
  knowsScope: (scope) => ['openid', 'email', 'profile'].includes(scope) || scope.startsWith('https://www.googleapis.com/'),
  // "a refresh token is only returned […] if access_type is offline", and the first time that the user agrees, or after prompt=consent.
  givesRefresh: ({ asked, hasConsented }) => asked.access_type === 'offline' && hasConsented,
  // The refresh token stays the same, and is not in the answer to a refresh.
  rotates: false,
  // Its callback has these too. Whoever refuses what it does not know cannot log in.
  callback: ({ scopes, user, hasConsented }) => ({
    scope: granted(scopes), authuser: '0', hd: user.hd, prompt: hasConsented ? 'consent' : 'none',
  }),
  claims: ({ user, scopes, client }, { settings }) => ({
    // "Always https://accounts.google.com or accounts.google.com".
    ...(settings.bareIssuer ? { iss: 'accounts.google.com' } : {}),
    azp: client.id,
    // Only for accounts of a Google Workspace or Cloud organisation.
    ...(user.hd ? { hd: user.hd } : {}),
    ...(scopes.includes('email') ? { email: user.email, email_verified: user.email_verified } : {}),
    ...(scopes.includes('profile') ? { name: user.name, picture: 'https://lh3.googleusercontent.com/a/x', given_name: 'Ann' } : {}),
  }),
  answer: (body) => ({ ...body, scope: granted(body.scope.split(' ')) }),
};

/** As its token endpoint names them. */
const granted = (scopes) => scopes.map((scope) => NAMES[scope] ?? scope).join(' ');
