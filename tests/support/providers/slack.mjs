// Slack, twice. Sign in with Slack: https://docs.slack.dev/authentication/sign-in-with-slack/,
// https://slack.com/.well-known/openid-configuration, https://docs.slack.dev/reference/methods/openid.connect.token
// A bot in a workspace: https://docs.slack.dev/authentication/installing-with-oauth, …/reference/methods/oauth.v2.access,
// https://docs.slack.dev/authentication/using-token-rotation (`settings.rotation`).

import { Refusal, json } from './http.mjs';
import { random } from './keys.mjs';
import { STANDARD } from './provider.mjs';

/** The Web API answers every error with status 200, `ok` and a word of its own. */
const WORDS = {
  invalid_grant: 'invalid_code',
  invalid_client: 'bad_client_secret',
  invalid_token: 'invalid_auth',
  unsupported_grant_type: 'invalid_grant_type',
};

function refusal({ error, message }, call) {
  if (message.startsWith('The redirect_uri')) return json(200, { ok: false, error: 'bad_redirect_uri' });
  if (message.includes('used before') && call.form.get('grant_type') !== 'refresh_token') return json(200, { ok: false, error: 'code_already_used' });
  if (error === 'invalid_grant' && call.form.get('grant_type') === 'refresh_token') return json(200, { ok: false, error: 'invalid_refresh_token' });
  return json(200, { ok: false, error: WORDS[error] ?? error });
}

const BASE = {
  ...STANDARD,
  codeSecs: 600,
  defaultGrantType: 'authorization_code',
  // Both methods take `code_verifier`: "Required when the authorization request included a code_challenge".
  challenges: ['S256'],
  // "The provided refresh token […] is revoked" once it is used; nothing says that the others are.
  endsFamily: false,
  refusal,
};

/** A member of a workspace. */
export const SLACK_USER = Object.freeze({
  sub: 'U0R7MFMJM', team: 'T0R7GR', name: 'Ann Example', email: 'ann@corp.example', email_verified: true, bot: 'U0KRQLJ9H',
});

export const slack = {
  ...BASE,
  name: 'slack',
  paths: {
    authorization: '/openid/connect/authorize', token: '/api/openid.connect.token', userinfo: '/api/openid.connect.userInfo', jwks: '/openid/connect/keys',
  },
  authentication: ['client_secret_post', 'client_secret_basic'],
  accessPrefix: 'xoxp-',
  knowsScope: (scope) => ['openid', 'email', 'profile'].includes(scope),
  givesRefresh: () => false,
  // Its document says nothing about PKCE, revocation and logout.
  metadata: () => ({ code_challenge_methods_supported: undefined, claims_supported: ['sub', 'auth_time', 'iss'] }),
  claims: ({ user, scopes }) => ({
    'https://slack.com/user_id': user.sub,
    'https://slack.com/team_id': user.team,
    ...(scopes.includes('email') ? { email: user.email, email_verified: user.email_verified, date_email_verified: 1_622_128_723 } : {}),
    ...(scopes.includes('profile') ? { name: user.name, picture: 'https://secure.gravatar.com/x.png', locale: 'en-US' } : {}),
  }),
  userinfo: (grant, provider) => ({ ok: true, sub: grant.user.sub, ...provider.kind.claims(grant, provider) }),
  // No scope and no expires_in; `ok` and `state` beside the members of the standard.
  answer: ({ access_token, id_token }, { asked }) => ({ ok: true, access_token, token_type: 'Bearer', id_token, state: asked.state }),
  routes: (provider, call) => ({ 'GET /api/auth.revoke': () => revoked(provider, call), 'POST /api/auth.revoke': () => revoked(provider, call) }),
};

export const slackBot = {
  ...BASE,
  name: 'slack-bot',
  paths: { authorization: '/oauth/v2/authorize', token: '/api/oauth.v2.access' },
  hasIdToken: false,
  separator: ',',
  accessPrefix: 'xoxb-',
  refreshPrefix: 'xoxe-1-',
  accessSecs: 43_200,
  knowsScope: (scope) => /^[a-z_.]+:[a-z_.]+(:[a-z]+)?$|^commands$/.test(scope),
  givesRefresh: (grant, { settings }) => settings.rotation === true,
  answer({ access_token, refresh_token }, { user, scopes, asked }, { settings }) {
    const rotating = (token) => (settings.rotation ? { access_token: `xoxe.${token}`, refresh_token, expires_in: 43_200 } : { access_token: token });
    const userScopes = asked.user_scope;
    return {
      ok: true,
      app_id: 'A0KRD7HC3',
      ...rotating(access_token),
      token_type: 'bot',
      scope: scopes.join(','),
      bot_user_id: user.bot,
      team: { id: user.team, name: 'Acme' },
      enterprise: null,
      // The token of whoever installs stands beneath, and only where `user_scope` was asked for.
      authed_user: userScopes === undefined
        ? { id: user.sub }
        : { id: user.sub, scope: userScopes, access_token: random('xoxp-'), token_type: 'user' },
      is_enterprise_install: false,
    };
  },
  routes: (provider, call) => ({
    'GET /api/auth.revoke': () => revoked(provider, call),
    'POST /api/auth.revoke': () => revoked(provider, call),
    'POST /api/auth.test': () => tested(provider, call),
    'POST /api/chat.postMessage': () => posted(provider, call),
  }),
};

/** The grant of the bearer; Slack's tokens that rotate begin with `xoxe.`. */
function bearer(provider, call) {
  const authorization = (call.headers.authorization ?? '').replace(/^Bearer xoxe\./i, 'Bearer ');
  return provider.granted({ ...call, headers: { ...call.headers, authorization } });
}

/** https://docs.slack.dev/reference/methods/auth.revoke/ */
function revoked(provider, call) {
  bearer(provider, call);
  provider.end((call.headers.authorization ?? '').replace(/^Bearer (xoxe\.)?/i, ''));
  return json(200, { ok: true, revoked: true });
}

/** https://docs.slack.dev/reference/methods/auth.test/ */
function tested(provider, call) {
  const { user } = bearer(provider, call);
  return json(200, { ok: true, team_id: user.team, user_id: user.bot, bot_id: 'B0KRQLJ9H' });
}

/** https://docs.slack.dev/reference/methods/chat.postMessage/ */
function posted(provider, call) {
  const { scopes } = bearer(provider, call);
  if (!scopes.includes('chat:write')) return json(200, { ok: false, error: 'missing_scope', needed: 'chat:write', provided: scopes.join(',') });
  const { channel, text } = call.type === 'application/json' ? JSON.parse(call.body) : Object.fromEntries(call.form);
  if (!channel) throw new Refusal('channel_not_found', 'channel is missing');
  if (!text) throw new Refusal('no_text', 'text is missing');
  return json(200, { ok: true, channel, ts: '1503435956.000247', message: { text } });
}
