// What oauth4webapi does with the gate. It refuses an answer that is not exactly as the RFCs have it.

import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';

const plain = { [oauth.allowInsecureRequests]: true };

/** The metadata, as RFC 8414 finds it. */
export async function discover({ issuer }) {
  const url = new URL(issuer);
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...plain }));
}

/** The ways in which a client proves itself. */
export const methods = (server) => ({
  client_secret_basic: ['app', oauth.ClientSecretBasic(server.secrets.app)],
  client_secret_post: ['app', oauth.ClientSecretPost(server.secrets.app)],
  private_key_jwt: ['signer', oauth.PrivateKeyJwt({ key: server.signer.ES256.privateKey, kid: 'ES256' })],
});

export const signedBy = (server, alg) => ['signer', oauth.PrivateKeyJwt({ key: server.signer[alg].privateKey, kid: alg })];

/** A token of a machine: issued, checked with the published keys, taken by the gate, asked about, revoked. */
export async function machine(server, [clientId, proof]) {
  const as = await discover(server);
  const client = { client_id: clientId };
  const answer = await oauth.clientCredentialsGrantRequest(as, client, proof, { scope: 'read:posts' }, plain);
  const { access_token: access, scope, expires_in: expiresIn } = await oauth.processClientCredentialsResponse(as, client, answer);
  assert.deepEqual([scope, expiresIn], ['read:posts', 900]);
  if (server.algorithm !== 'HS256') await isValid(server, as, access);
  const call = () => oauth.protectedResourceRequest(access, 'GET', new URL('/v1/posts', server.origin), undefined, undefined, plain);
  assert.equal((await (await call()).json()).subject, `client|${clientId}`);
  const told = await introspect(as, client, proof, access);
  assert.deepEqual([told.active, told.client_id, told.sub], [true, clientId, `client|${clientId}`]);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proof, access, plain));
  assert.deepEqual(await introspect(as, client, proof, access), { active: false });
  await assert.rejects(call, (error) => error.code === oauth.WWW_AUTHENTICATE_CHALLENGE && error.cause[0].parameters.error === 'invalid_token');
}

const introspect = async (as, client, proof, token) =>
  oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, proof, token, plain));

/** As a service checks it that has never heard of edgegate (RFC 9068). */
export async function isValid(server, as, access) {
  const request = new Request('https://api.example.com/', { headers: { Authorization: `Bearer ${access}` } });
  const claims = await oauth.validateJwtAccessToken(as, request, server.audience, plain);
  assert.equal(claims.iss, server.issuer);
  await assert.rejects(oauth.validateJwtAccessToken(as, request, 'https://other.example', plain));
}

/** The session of a user that this client keeps: refreshed, narrowed, ended. */
export async function session(server, [clientId, proof]) {
  const as = await discover(server);
  const client = { client_id: clientId };
  const opened = await server.sessions.open({ client_id: clientId, scopes: ['read:posts'] });
  const refresh = async (token, more = {}) =>
    oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, proof, token, { ...plain, ...more }));
  const first = await refresh(opened.refresh_token);
  assert.notEqual(first.refresh_token, opened.refresh_token);
  assert.equal(first.scope, 'read:posts');
  // An answer that was lost is asked for again.
  assert.equal((await refresh(opened.refresh_token)).refresh_token, first.refresh_token);
  await assert.rejects(refresh(first.refresh_token, { additionalParameters: { scope: 'admin' } }), (error) => error.error === 'invalid_scope');
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proof, first.refresh_token, plain));
  await assert.rejects(refresh(first.refresh_token), (error) => error.error === 'invalid_grant' && error.status === 400);
}

/** A client that cannot prove itself is told so. */
export async function stranger(server) {
  const as = await discover(server);
  const client = { client_id: 'app' };
  const answer = await oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretBasic('wrong'), {}, plain);
  await assert.rejects(oauth.processClientCredentialsResponse(as, client, answer), (error) =>
    error.code === oauth.WWW_AUTHENTICATE_CHALLENGE && error.status === 401 && error.cause[0].scheme === 'basic');
}

/** A session that the first proof of possession binds (RFC 9449). */
export async function bound(server, alg) {
  const as = await discover(server);
  const client = { client_id: 'first-party' };
  const opened = await server.sessions.open();
  const keys = await oauth.generateKeyPair(alg);
  const DPoP = oauth.DPoP(client, keys);
  const answer = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), opened.refresh_token, { ...plain, DPoP });
  const tokens = await oauth.processRefreshTokenResponse(as, client, answer);
  assert.equal(tokens.token_type, 'dpop');
  const call = (options) => oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL('/v1/posts', server.origin), undefined, undefined, { ...plain, ...options });
  assert.equal((await (await call({ DPoP })).json()).subject, opened.subject);
  await assert.rejects(call({}), (error) => error.status === 401);
  const stolen = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), tokens.refresh_token, plain);
  await assert.rejects(oauth.processRefreshTokenResponse(as, client, stolen), (error) => error.error === 'invalid_grant');
}
