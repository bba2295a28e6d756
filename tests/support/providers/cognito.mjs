// Amazon Cognito: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-userpools-server-contract-reference.html
// (authorization-endpoint, token-endpoint, userinfo-endpoint, revocation-endpoint, logout-endpoint). Its pages are at another host than its issuer.

import { page, redirect } from './http.mjs';
import { ANN, STANDARD } from './provider.mjs';

const POOL = '/eu-west-1_Example';

export const cognito = {
  ...STANDARD,
  name: 'cognito',
  issuer: (origin) => origin + POOL,
  hasDomain: true,
  keysAtIssuer: true,
  paths: {
    authorization: '/oauth2/authorize', token: '/oauth2/token', userinfo: '/oauth2/userInfo', jwks: `${POOL}/.well-known/jwks.json`, revocation: '/oauth2/revoke',
  },
  // Five minutes.
  codeSecs: 300,
  knowsScope: (scope) => ['openid', 'profile', 'email', 'phone', 'aws.cognito.signin.user.admin'].includes(scope) || scope.includes('/'),
  // A code brings one by itself; a refresh brings none, unless rotation is on.
  givesRefresh: () => true,
  rotates: false,
  metadata: ({ domain }) => ({ end_session_endpoint: `${domain}/logout`, code_challenge_methods_supported: undefined }),
  claims: ({ user }) => ({
    'cognito:username': 'ann', 'cognito:groups': user.groups, token_use: 'id', origin_jti: 'aaa', event_id: 'bbb', name: user.name, email: user.email,
    email_verified: user.email_verified,
  }),
  // Here every value is a text.
  userinfo: ({ user }) => ({ sub: user.sub, username: 'ann', email: user.email, email_verified: String(user.email_verified) }),
  // No scope.
  answer: ({ access_token, refresh_token, id_token, expires_in }) => ({ access_token, refresh_token, id_token, token_type: 'Bearer', expires_in }),
  refusal: ({ error, status }) => ({ status: status === 401 ? 400 : status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ error }) }),
  routes: (provider, call) => ({ 'GET /logout': () => signedOut(provider, call) }),
};

/** `client_id` and `logout_uri` rather than the parameters of the standard. */
function signedOut(provider, call) {
  const { client_id: id, logout_uri: uri } = Object.fromEntries(call.query);
  if (id !== provider.client.id || !(provider.client.logoutUris ?? []).includes(uri)) return page(400, 'Required String parameter is not present');
  provider.user = null;
  return redirect(uri);
}

export { ANN };
