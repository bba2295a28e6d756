// Clients for Node, unmodified: one case of each kind. matrix/ has all.

import { after, before, test } from 'node:test';

import * as oauth4webapi from './oauth4webapi.mjs';
import * as openidClient from './openid-client.mjs';
import { startServer } from './server.mjs';
import * as simpleOauth2 from './simple-oauth2.mjs';

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.dispose());

for (const method of ['client_secret_basic', 'private_key_jwt']) {
  test(`oauth4webapi, a machine by ${method}: metadata, token, validation, introspection, revocation`, () =>
    oauth4webapi.machine(server, oauth4webapi.methods(server)[method]));
  test(`oauth4webapi, the session of a user by ${method}: refresh, repeat, revocation`, () =>
    oauth4webapi.session(server, oauth4webapi.methods(server)[method]));
}

test('oauth4webapi is told of a wrong secret by a challenge', () => oauth4webapi.stranger(server));

test('oauth4webapi binds a session to a key', () => oauth4webapi.bound(server, 'ES256'));

test('openid-client: a machine, and the session of a user', async () => {
  await openidClient.machine(server, openidClient.methods(server).private_key_jwt);
  await openidClient.session(server, openidClient.methods(server).client_secret_basic);
});

test('simple-oauth2: a machine, and the session of a user', async () => {
  await simpleOauth2.machine(server, 'header');
  await simpleOauth2.session(server, 'body');
});
