// What openid-client does with the gate.

import assert from 'node:assert/strict';
import * as client from 'openid-client';

const discover = (server, id, proof) =>
  client.discovery(new URL(server.issuer), id, undefined, proof, { algorithm: 'oauth2', execute: [client.allowInsecureRequests] });

export const methods = (server) => ({
  client_secret_basic: ['app', client.ClientSecretBasic(server.secrets.app)],
  client_secret_post: ['app', client.ClientSecretPost(server.secrets.app)],
  private_key_jwt: ['signer', client.PrivateKeyJwt({ key: server.signer.ES256.privateKey, kid: 'ES256' })],
});

export async function machine(server, [id, proof]) {
  const config = await discover(server, id, proof);
  assert.equal(config.serverMetadata().issuer, server.issuer);
  const tokens = await client.clientCredentialsGrant(config, { scope: 'read:posts' });
  assert.equal(tokens.expiresIn() > 890, true);
  const answer = await client.fetchProtectedResource(config, tokens.access_token, new URL('/v1/posts', server.origin), 'GET');
  assert.equal((await answer.json()).subject, `client|${id}`);
  assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, true);
  await client.tokenRevocation(config, tokens.access_token);
  assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false);
}

export async function session(server, [id, proof]) {
  const config = await discover(server, id, proof);
  const opened = await server.sessions.open({ client_id: id });
  const tokens = await client.refreshTokenGrant(config, opened.refresh_token);
  const answer = await client.fetchProtectedResource(config, tokens.access_token, new URL('/v1/posts', server.origin), 'GET');
  assert.equal((await answer.json()).subject, opened.subject);
  await client.tokenRevocation(config, tokens.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), (error) => error.error === 'invalid_grant');
}
