// What simple-oauth2 does with the gate: OAuth as many write it, without metadata.

import assert from 'node:assert/strict';
import { AuthorizationCode, ClientCredentials } from 'simple-oauth2';

/** `authorizationMethod` is `header` or `body`. */
const configuration = (server, id, authorizationMethod) => ({
  client: { id, secret: server.secrets[id] },
  auth: { tokenHost: server.origin, tokenPath: '/auth/token', revokePath: '/auth/revoke' },
  options: { authorizationMethod },
});

const call = (server, { token }) => server.gate.get('/v1/posts', { token: token.access_token });

export async function machine(server, method) {
  const client = new ClientCredentials(configuration(server, 'app', method));
  const token = await client.getToken({ scope: 'read:posts' });
  assert.equal(token.expired(), false);
  assert.equal((await call(server, token)).json().subject, 'client|app');
  await token.revoke('access_token');
  assert.equal((await call(server, token)).json().code, 'TOKEN_REVOKED');
  await assert.rejects(client.getToken({ scope: 'admin' }), (error) => error.output.statusCode === 400 && error.data.payload.error === 'invalid_scope');
}

export async function session(server, method) {
  const client = new AuthorizationCode(configuration(server, 'app', method));
  const opened = await server.sessions.open({ client_id: 'app' });
  const token = client.createToken(opened);
  const refreshed = await token.refresh();
  assert.equal((await call(server, refreshed)).json().subject, opened.subject);
  const again = await refreshed.refresh();
  await again.revokeAll();
  await assert.rejects(again.refresh(), (error) => error.data.payload.error === 'invalid_grant');
}
