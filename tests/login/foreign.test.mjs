// Providers that others have written: a login by each, through the built Worker, by the pages that they show.

import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, test } from 'node:test';
import { OAuth2Server } from 'oauth2-mock-server';
import Provider from 'oidc-provider';

import { CLIENT_SECRET, isIn, tabAt } from './foreign.mjs';
import { ORIGIN } from './gate.mjs';

const ends = [];
after(async () => {
  for (const end of ends.reverse()) await end();
});

test('oidc-provider with everything on that is no draft: its pages, tokens by PS256, addresses from userinfo', async () => {
  const server = http.createServer((request, response) => provider.callback()(request, response));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  ends.push(() => { server.closeAllConnections(); server.close(); });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const on = { enabled: true };
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'gate', client_secret: CLIENT_SECRET, redirect_uris: [`${ORIGIN}/auth/callback/op`], post_logout_redirect_uris: [`${ORIGIN}/auth/logged-out`],
      response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic', id_token_signed_response_alg: 'PS256',
      backchannel_logout_uri: `${ORIGIN}/auth/backchannel-logout/op`, backchannel_logout_session_required: true,
    }],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'one' }] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    enabledJWA: { idTokenSigningAlgValues: ['PS256', 'RS256'] },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId, email: `${accountId}@corp.example`, email_verified: true, name: 'Ann' }) }),
    cookies: { keys: [randomBytes(16).toString('hex')] },
    features: {
      backchannelLogout: on, claimsParameter: on, clientCredentials: on, deviceFlow: on, devInteractions: on, dPoP: on, encryption: on, introspection: on, jwtIntrospection: on,
      jwtResponseModes: on, jwtUserinfo: on, mTLS: on, pushedAuthorizationRequests: on, registration: on, registrationManagement: on, requestObjects: on, resourceIndicators: on,
      revocation: on, rpInitiatedLogout: on, userinfo: on,
    },
  });
  const there = await tabAt({ issuer, allow: { email_domains: ['corp.example'] } }, ends);
  const { tab } = there;
  assert.ok(tab.url.startsWith(`${issuer}/interaction/`), `${tab.url} ${tab.page.text}`);
  await tab.submit({ login: 'ann', password: 'any' });
  await tab.submit();
  await isIn(there, 'op|ann');
});

test('oauth2-mock-server', async () => {
  const server = new OAuth2Server();
  await server.issuer.keys.generate('RS256');
  await server.start(0, '127.0.0.1');
  ends.push(() => server.stop());
  await isIn(await tabAt({ issuer: server.issuer.url }, ends), 'op|johndoe');
});
