// Each provider is what its documentation says: its own client library, or a certified one, logs in by it unmodified.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Discord, generateCodeVerifier, Apple } from 'arctic';
import { deleteAuthorization, exchangeWebFlowCode, getWebFlowAuthorizationUrl, refreshToken as refreshGitHub } from '@octokit/oauth-methods';
import { request as octokit } from '@octokit/request';
import { WebClient } from '@slack/web-api';
import * as client from 'openid-client';

import { TENANT } from '../support/providers/microsoft.mjs';
import { startProvider } from '../support/providers/index.mjs';
import { callbackOf, configured, logIn } from './library.mjs';

/** A test with a provider of its own. */
const at = (name, what, run, options) => test(`${name}: ${what}`, async () => {
  const provider = await startProvider(name, options);
  try {
    await run(provider);
  } finally {
    await provider.close();
  }
});

const ended = (error) => error.error === 'invalid_grant';

// -- Those of OpenID Connect, by openid-client.

for (const name of ['oidc', 'google', 'gitlab', 'auth0', 'okta', 'keycloak', 'cognito']) {
  at(name, 'openid-client logs in, and a code counts once', async (provider) => {
    const { claims, config } = await logIn(provider, name === 'cognito' ? { userinfo: true } : {});
    assert.equal(claims.iss, provider.issuer);
    assert.equal(claims.sub, provider.user.sub);
    assert.equal(claims.email, 'ann@corp.example');
    assert.equal(config.serverMetadata().supportsPKCE(), name !== 'cognito');
    // The callback again, with all that belongs to it.
    const url = client.buildAuthorizationUrl(config, { redirect_uri: provider.client.redirectUris[0], scope: 'openid', state: 's', nonce: 'n', code_challenge: await client.calculatePKCECodeChallenge('v'.repeat(43)), code_challenge_method: 'S256' });
    const back = await callbackOf(url);
    const grant = () => client.authorizationCodeGrant(config, back, { pkceCodeVerifier: 'v'.repeat(43), expectedState: 's', expectedNonce: 'n' });
    const { access_token: access } = await grant();
    await assert.rejects(grant(), ended);
    // What it has brought is over as well (RFC 6749 §4.1.2).
    await assert.rejects(client.fetchUserInfo(config, access, claims.sub));
  });

  at(name, 'the redirect_uri is compared letter by letter, and the verifier has to fit', async (provider) => {
    const config = await configured(provider);
    const [uri] = provider.client.redirectUris;
    for (const other of [`${uri}/`, `${uri}?a=b`, uri.toUpperCase(), uri.replace('https', 'http'), uri.replace('/auth', '//auth')]) {
      const answer = await fetch(client.buildAuthorizationUrl(config, { redirect_uri: other, scope: 'openid' }), { redirect: 'manual' });
      assert.equal(answer.status, 400, other);
    }
    const url = client.buildAuthorizationUrl(config, { redirect_uri: uri, scope: 'openid', state: 's', code_challenge: await client.calculatePKCECodeChallenge('v'.repeat(43)), code_challenge_method: 'S256' });
    const back = await callbackOf(url);
    await assert.rejects(client.authorizationCodeGrant(config, back, { pkceCodeVerifier: 'w'.repeat(43), expectedState: 's' }), ended);
  });
}

at('oidc', 'form_post, PKCE that is missing, and a client that proves itself otherwise', async (provider) => {
  const { claims, config } = await logIn(provider, { mode: 'form_post' });
  assert.equal(claims.sub, provider.user.sub);
  const plain = client.buildAuthorizationUrl(config, { redirect_uri: provider.client.redirectUris[0], scope: 'openid', state: 's' });
  assert.equal((await callbackOf(plain)).searchParams.get('error'), 'invalid_request');
  const { id, secret } = provider.client;
  const post = await configured(provider, { proof: client.ClientSecretPost(secret) });
  await assert.rejects(logIn(provider, { config: post }), (error) => error.error === 'invalid_client');
  assert.equal(post.clientMetadata().client_id, id);
});

at('oidc', 'a refresh token counts once, and its second use ends the family', async (provider) => {
  const { tokens, config } = await logIn(provider, { scope: 'openid offline_access' });
  const second = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(second.refresh_token, tokens.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), ended);
  await assert.rejects(client.refreshTokenGrant(config, second.refresh_token), ended);
});

at('oidc', 'revocation and logout', async (provider) => {
  provider.client.logoutUris = ['https://api.example.com/'];
  const { tokens, config, claims } = await logIn(provider, { scope: 'openid offline_access' });
  await client.tokenRevocation(config, tokens.refresh_token);
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, claims.sub));
  const url = client.buildEndSessionUrl(config, { post_logout_redirect_uri: 'https://api.example.com/', state: 'x', id_token_hint: tokens.id_token });
  assert.equal((await fetch(url, { redirect: 'manual' })).headers.get('location'), 'https://api.example.com/?state=x');
  const other = client.buildEndSessionUrl(config, { post_logout_redirect_uri: 'https://evil.example/' });
  assert.equal((await fetch(other, { redirect: 'manual' })).status, 400);
});

at('google', 'a refresh token comes with the first consent alone, and for access_type=offline', async (provider) => {
  const first = await logIn(provider, { more: { access_type: 'offline' } });
  assert.ok(first.tokens.refresh_token);
  assert.equal(first.claims.hd, 'corp.example');
  assert.equal((await logIn(provider, { more: { access_type: 'offline' } })).tokens.refresh_token, undefined);
  assert.ok((await logIn(provider, { more: { access_type: 'offline', prompt: 'consent' } })).tokens.refresh_token);
  assert.equal((await logIn(provider, { more: { prompt: 'consent' } })).tokens.refresh_token, undefined);
  const again = await client.refreshTokenGrant(first.config, first.tokens.refresh_token);
  assert.equal(again.refresh_token, undefined);
  assert.ok((await client.refreshTokenGrant(first.config, first.tokens.refresh_token)).access_token);
  // `offline_access` is no scope of Google's.
  await assert.rejects(logIn(provider, { scope: 'openid offline_access' }), (error) => error.error === 'invalid_scope');
});

at('gitlab', 'a refresh ends both tokens before it', async (provider) => {
  const { tokens, config, claims, userinfo } = await logIn(provider);
  assert.deepEqual([claims.groups_direct, userinfo.groups], [['staff', 'admins'], ['staff', 'admins', 'inherited']]);
  const second = await client.refreshTokenGrant(config, tokens.refresh_token);
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, claims.sub));
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), ended);
  assert.ok((await client.refreshTokenGrant(config, second.refresh_token)).access_token);
});

at('auth0', 'the issuer ends with a slash, the secret goes into the form, a dead code is 403', async (provider) => {
  assert.ok(provider.issuer.endsWith('/'));
  const { secret } = provider.client;
  const basic = await configured(provider, { proof: client.ClientSecretBasic(secret) });
  await assert.rejects(logIn(provider, { config: basic }), (error) => error.error === 'access_denied' && error.status === 401);
  const { config, tokens } = await logIn(provider, { scope: 'openid profile email offline_access' });
  await client.refreshTokenGrant(config, tokens.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), (error) => ended(error) && error.status === 403);
});

at('okta', 'groups come by their scope, and state has to be there', async (provider) => {
  const { config, claims } = await logIn(provider);
  assert.equal(claims.groups, undefined);
  assert.deepEqual((await logIn(provider, { scope: 'openid groups' })).claims.groups, ['Everyone', 'staff', 'admins']);
  const url = client.buildAuthorizationUrl(config, { redirect_uri: provider.client.redirectUris[0], scope: 'openid', code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' });
  assert.equal((await callbackOf(url)).searchParams.get('error'), 'invalid_request');
});

at('keycloak', 'roles are in realm_access, the callback names the issuer and the session', async (provider) => {
  const { claims, tokens } = await logIn(provider);
  assert.deepEqual(claims.realm_access.roles, ['offline_access', 'staff', 'admins']);
  assert.equal(tokens.session_state, claims.sid);
  assert.equal(tokens.refresh_expires_in, 1800);
});

at('cognito', 'pages are at another host, values of the userinfo are texts, logout has parameters of its own', async (provider) => {
  provider.client.logoutUris = ['https://api.example.com/'];
  const { config, userinfo, tokens } = await logIn(provider);
  assert.notEqual(new URL(config.serverMetadata().token_endpoint).origin, new URL(provider.issuer).origin);
  assert.equal(userinfo.email_verified, 'true');
  assert.equal((await client.refreshTokenGrant(config, tokens.refresh_token)).refresh_token, undefined);
  const url = new URL(config.serverMetadata().end_session_endpoint);
  url.search = new URLSearchParams({ client_id: provider.client.id, logout_uri: 'https://api.example.com/' });
  assert.equal((await fetch(url, { redirect: 'manual' })).status, 302);
});

for (const tenant of ['common', TENANT]) {
  at('microsoft', `openid-client logs in at ${tenant}`, async (provider) => {
    // Its own name for the place of the tenant: openid-client has the rule, for Entra's host alone. So a tenant's own document is read here.
    const document = await (await fetch(`${provider.issuer}/.well-known/openid-configuration`)).json();
    const issuer = document.issuer.replace('{tenantid}', TENANT);
    assert.equal(document.issuer.includes('{tenantid}'), tenant === 'common');
    const config = new client.Configuration({ ...document, issuer }, provider.client.id, undefined, client.ClientSecretPost(provider.client.secret));
    client.allowInsecureRequests(config);
    client.enableNonRepudiationChecks(config);
    const { claims, tokens } = await logIn(provider, { config, scope: 'openid profile email offline_access' });
    assert.deepEqual([claims.iss, claims.tid, claims.email_verified], [`${provider.origin}/${TENANT}/v2.0`, TENANT, undefined]);
    // Without `openid` a refresh brings no ID token; the token before goes on working.
    const plain = await client.refreshTokenGrant(config, tokens.refresh_token, { scope: 'User.Read' });
    assert.equal(plain.id_token, undefined);
    assert.ok((await client.refreshTokenGrant(config, tokens.refresh_token)).id_token);
  }, { settings: { tenant } });
}

at('microsoft', 'more than 200 groups are named elsewhere', async (provider) => {
  provider.user = { ...provider.user, groups: Array.from({ length: 201 }, (_, index) => `group-${index}`) };
  const document = await (await fetch(`${provider.issuer}/.well-known/openid-configuration`)).json();
  const config = new client.Configuration({ ...document, issuer: document.issuer.replace('{tenantid}', TENANT) }, provider.client.id, undefined, client.ClientSecretPost(provider.client.secret));
  client.allowInsecureRequests(config);
  const { claims } = await logIn(provider, { config });
  assert.deepEqual([claims.groups, claims._claim_names], [undefined, { groups: 'src1' }]);
});

// -- Apple, by arctic, which has its signed secret, and by openid-client for what came.

at('apple', 'arctic logs in; the form has the name once', async (provider) => {
  const { id, teamId, keyId, privateKey, redirectUris: [uri] } = provider.client;
  const apple = new Apple(id, teamId, keyId, privateKey.export({ format: 'der', type: 'pkcs8' }), uri);
  await rerouted({ 'https://appleid.apple.com': provider.origin }, async () => {
    const url = apple.createAuthorizationURL('s', ['name', 'email']);
    url.host = new URL(provider.origin).host;
    url.protocol = 'http:';
    // Without form_post it is refused, since there are scopes.
    assert.equal((await callbackOf(url)).searchParams.get('error'), 'invalid_request');
    url.searchParams.set('response_mode', 'form_post');
    const first = await (await callbackOf(url)).formData();
    assert.equal(JSON.parse(first.get('user')).name.firstName, 'Ann');
    const tokens = await apple.validateAuthorizationCode(first.get('code'));
    assert.ok(tokens.idToken());
    assert.equal((await (await callbackOf(url)).formData()).get('user'), null);
    await assert.rejects(apple.validateAuthorizationCode(first.get('code')));
  });
});

at('apple', 'openid-client takes its ID token; a secret that is not signed right is refused', async (provider) => {
  const config = await configured(provider, { proof: client.ClientSecretPost('not a signed secret') });
  await assert.rejects(logIn(provider, { config, mode: 'form_post', scope: 'openid name email', userinfo: false }), (error) => error.error === 'invalid_client');
});

// -- GitHub, by its own library.

const octokitFor = (provider) => octokit.defaults({ baseUrl: `${provider.origin}/api/v3` });

at('github', '@octokit/oauth-methods logs in, asks who it is, and ends the grant', async (provider) => {
  const request = octokitFor(provider);
  const { id: clientId, secret: clientSecret, redirectUris: [redirectUrl] } = provider.client;
  const { url } = getWebFlowAuthorizationUrl({ clientType: 'oauth-app', clientId, redirectUrl, scopes: ['read:user', 'user:email'], state: 's', request });
  const code = (await callbackOf(url)).searchParams.get('code');
  const { authentication, data } = await exchangeWebFlowCode({ clientType: 'oauth-app', clientId, clientSecret, code, redirectUrl, request });
  assert.deepEqual([data.scope, data.expires_in, data.refresh_token], ['read:user,user:email', undefined, undefined]);
  await assert.rejects(exchangeWebFlowCode({ clientType: 'oauth-app', clientId, clientSecret, code, request }), /bad_verification_code/);
  await assert.rejects(exchangeWebFlowCode({ clientType: 'oauth-app', clientId, clientSecret: 'wrong', code, request }), /incorrect_client_credentials/);
  await deleteAuthorization({ clientType: 'oauth-app', clientId, clientSecret, token: authentication.token, request });
});

at('github', 'a form for whoever does not ask for JSON, status 200 for errors, scopes for each list', async (provider) => {
  const { id, secret, redirectUris: [uri] } = provider.client;
  const token = async (scope, headers = {}) => {
    const code = (await callbackOf(`${provider.url('authorization')}?${new URLSearchParams({ client_id: id, redirect_uri: uri, response_type: 'code', scope })}`)).searchParams.get('code');
    return fetch(provider.url('token'), { method: 'POST', headers, body: new URLSearchParams({ client_id: id, client_secret: secret, code, redirect_uri: uri }) });
  };
  assert.match(await (await token('')).text(), /^access_token=gho_[\w-]+&scope=&token_type=bearer$/);
  const wrong = await fetch(provider.url('token'), { method: 'POST', headers: { Accept: 'application/json' }, body: new URLSearchParams({ client_id: id, client_secret: secret, code: 'x' }) });
  assert.deepEqual([wrong.status, (await wrong.json()).error], [200, 'bad_verification_code']);
  const { access_token: access } = await (await token('read:user user:email', { Accept: 'application/json' })).json();
  const get = (path) => fetch(provider.origin + path, { headers: { Authorization: `Bearer ${access}`, 'User-Agent': 'x' } });
  assert.equal((await (await get('/user')).json()).id, 583231);
  assert.equal((await (await get('/user/emails')).json()).length, 3);
  assert.deepEqual([(await get('/user/teams')).status, (await get('/user/orgs')).status], [403, 403]);
});

at('github', 'tokens of a GitHub App end, and a refresh ends the access token before it', async (provider) => {
  const request = octokitFor(provider);
  const { id: clientId, secret: clientSecret, redirectUris: [uri] } = provider.client;
  const code = (await callbackOf(`${provider.url('authorization')}?${new URLSearchParams({ client_id: clientId, redirect_uri: uri, response_type: 'code' })}`)).searchParams.get('code');
  const { authentication } = await exchangeWebFlowCode({ clientType: 'github-app', clientId, clientSecret, code, request });
  const refreshed = await refreshGitHub({ clientType: 'github-app', clientId, clientSecret, refreshToken: authentication.refreshToken, request });
  assert.notEqual(refreshed.authentication.refreshToken, authentication.refreshToken);
  const user = (token) => fetch(`${provider.origin}/user`, { headers: { Authorization: `Bearer ${token}`, 'User-Agent': 'x' } });
  assert.deepEqual([(await user(authentication.token)).status, (await user(refreshed.authentication.token)).status], [401, 200]);
  await assert.rejects(refreshGitHub({ clientType: 'github-app', clientId, clientSecret, refreshToken: authentication.refreshToken, request }), /bad_refresh_token/);
}, { settings: { expires: true } });

// -- Slack, by its own library.

const slackFor = (provider, token) => new WebClient(token, { slackApiUrl: `${provider.origin}/api/`, retryConfig: { retries: 0 } });
const slackCode = async (provider, more) => (await callbackOf(`${provider.url('authorization')}?${new URLSearchParams({
  client_id: provider.client.id, redirect_uri: provider.client.redirectUris[0], response_type: 'code', state: 's', ...more,
})}`)).searchParams.get('code');

at('slack', '@slack/web-api and openid-client log in', async (provider) => {
  const { id, secret, redirectUris: [redirect_uri] } = provider.client;
  const code = await slackCode(provider, { scope: 'openid email profile', nonce: 'n' });
  const api = slackFor(provider);
  const answer = await api.openid.connect.token({ client_id: id, client_secret: secret, code, redirect_uri });
  assert.deepEqual([answer.ok, answer.state, answer.scope], [true, 's', undefined]);
  const who = await slackFor(provider, answer.access_token).openid.connect.userInfo();
  assert.equal(who['https://slack.com/team_id'], 'T0R7GR');
  await assert.rejects(api.openid.connect.token({ client_id: id, client_secret: secret, code, redirect_uri }), (error) => error.data.error === 'code_already_used');
  const { claims } = await logIn(provider);
  assert.deepEqual([claims.iss, claims['https://slack.com/user_id']], [provider.issuer, 'U0R7MFMJM']);
});

at('slack-bot', '@slack/web-api installs a bot, posts, and ends its token', async (provider) => {
  const { id: client_id, secret: client_secret, redirectUris: [redirect_uri] } = provider.client;
  const code = await slackCode(provider, { scope: 'chat:write,commands', user_scope: 'search:read' });
  const api = slackFor(provider);
  const installed = await api.oauth.v2.access({ client_id, client_secret, code, redirect_uri });
  assert.deepEqual([installed.token_type, installed.scope, installed.team.id, installed.authed_user.token_type], ['bot', 'chat:write,commands', 'T0R7GR', 'user']);
  const bot = slackFor(provider, installed.access_token);
  assert.equal((await bot.chat.postMessage({ channel: 'C1', text: 'Hello' })).ok, true);
  await bot.auth.revoke();
  await assert.rejects(bot.chat.postMessage({ channel: 'C1', text: 'Hello' }), (error) => error.data.error === 'invalid_auth');
  await assert.rejects(api.oauth.v2.access({ client_id, client_secret: 'wrong', code, redirect_uri }), (error) => error.data.error === 'bad_client_secret');
  assert.equal((await callbackOf(`${provider.url('authorization')}?${new URLSearchParams({ client_id, redirect_uri, response_type: 'code', scope: 'chat:write commands' })}`)).searchParams.get('error'), 'invalid_scope');
});

at('slack-bot', 'with rotation a refresh token counts once', async (provider) => {
  const { id: client_id, secret: client_secret, redirectUris: [redirect_uri] } = provider.client;
  const api = slackFor(provider);
  const first = await api.oauth.v2.access({ client_id, client_secret, redirect_uri, code: await slackCode(provider, { scope: 'chat:write' }) });
  assert.match(first.access_token, /^xoxe\.xoxb-/);
  assert.equal(first.expires_in, 43_200);
  const refresh = (refresh_token) => api.oauth.v2.access({ client_id, client_secret, grant_type: 'refresh_token', refresh_token });
  const second = await refresh(first.refresh_token);
  assert.equal((await slackFor(provider, second.access_token).auth.test()).ok, true);
  await assert.rejects(refresh(first.refresh_token), (error) => error.data.error === 'invalid_refresh_token');
  assert.equal((await refresh(second.refresh_token)).ok, true);
}, { settings: { rotation: true } });

// -- Discord, by arctic.

at('discord', 'arctic logs in, refreshes and revokes', async (provider) => {
  const { id, secret, redirectUris: [uri] } = provider.client;
  // It joins name and secret as they are.
  provider.client.secret = secret.replace(/\W/g, '-');
  const arctic = new Discord(id, provider.client.secret, uri);
  await rerouted({ 'https://discord.com': provider.origin }, async () => {
    const verifier = generateCodeVerifier();
    const url = arctic.createAuthorizationURL('s', verifier, ['identify', 'email']);
    const code = (await callbackOf(url.href.replace('https://discord.com', provider.origin))).searchParams.get('code');
    const tokens = await arctic.validateAuthorizationCode(code, verifier);
    const who = (token) => fetch(`${provider.origin}/api/users/@me`, { headers: { Authorization: `Bearer ${token}`, 'User-Agent': 'DiscordBot (https://x, 1)' } });
    assert.deepEqual((({ id: number, email, verified }) => [number, email, verified])(await (await who(tokens.accessToken())).json()), ['80351110224678912', 'nelly@corp.example', true]);
    await assert.rejects(arctic.validateAuthorizationCode(code, verifier), (error) => error.code === 'invalid_grant');
    const { refresh_token: refresh } = (await arctic.refreshAccessToken((await login(arctic, provider)).refreshToken())).data;
    const last = await arctic.refreshAccessToken(refresh);
    await arctic.revokeToken(last.accessToken());
    assert.equal((await who(last.accessToken())).status, 401);
  });
});

async function login(arctic, provider) {
  const verifier = generateCodeVerifier();
  const url = arctic.createAuthorizationURL('s', verifier, ['identify']);
  return arctic.validateAuthorizationCode((await callbackOf(url.href.replace('https://discord.com', provider.origin))).searchParams.get('code'), verifier);
}

/** Runs with `fetch` going to another place for these origins: libraries that know where their provider is stay as they are. */
async function rerouted(origins, run) {
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const { origin, pathname, search } = new URL(request.url);
    if (origins[origin] === undefined) return fetch(request);
    const { method, headers } = request;
    return fetch(origins[origin] + pathname + search, { method, headers, body: method === 'GET' ? undefined : await request.text() });
  };
  try {
    await run();
  } finally {
    globalThis.fetch = fetch;
  }
}
