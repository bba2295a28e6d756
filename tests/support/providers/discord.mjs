// Discord: https://discord.com/developers/docs/topics/oauth2, …/resources/user. As its clients know it, it has no ID tokens.

import { Refusal, json } from './http.mjs';
import { STANDARD } from './provider.mjs';

/** A user: https://discord.com/developers/docs/resources/user#user-object. The number does not fit into a double. */
export const NELLY = Object.freeze({
  sub: '80351110224678912', id: '80351110224678912', username: 'nelly', global_name: 'Nelly', discriminator: '0', email: 'nelly@corp.example', verified: true,
  guilds: ['197038439483310086'],
});

export const discord = {
  ...STANDARD,
  name: 'discord',
  paths: {
    authorization: '/oauth2/authorize', token: '/api/oauth2/token', userinfo: '/api/users/@me', revocation: '/api/oauth2/token/revoke',
  },
  hasIdToken: false,
  accessSecs: 604_800,
  knowsScope: (scope) => ['identify', 'email', 'guilds', 'guilds.members.read', 'connections'].includes(scope),
  givesRefresh: () => true,
  // Not documented: each refresh brings a new token; whether the old one works on is not said. Here it does not.
  endsFamily: false,
  refusal({ error, message, status }, call) {
    if (call.path.startsWith('/api/users')) return json(status, { message: status === 401 ? '401: Unauthorized' : message, code: 0 });
    return json(status, { error, error_description: message });
  },
  routes: (provider, call) => ({
    'GET /api/users/@me': () => me(provider, call),
    'GET /api/users/@me/guilds': () => guilds(provider, call),
  }),
};

/** https://discord.com/developers/docs/reference#user-agent: requests without one may be blocked. */
function granted(provider, call, scope) {
  if (!call.headers['user-agent']) throw new Refusal('forbidden', 'Forbidden', 403);
  const grant = provider.granted(call);
  if (!grant.scopes.includes(scope)) throw new Refusal('missing_access', 'Missing Access', 403);
  return grant;
}

function me(provider, call) {
  const { user, scopes } = granted(provider, call, 'identify');
  const { id, username, global_name, discriminator, email, verified } = user;
  const body = { id, username, global_name, discriminator, avatar: null, ...(scopes.includes('email') ? { email, verified } : {}) };
  return json(200, provider.tamper.userinfo ? provider.tamper.userinfo(body) : body);
}

function guilds(provider, call) {
  const { user } = granted(provider, call, 'guilds');
  return json(200, user.guilds.map((id) => ({ id, name: 'A server', owner: false, permissions: '0' })));
}
