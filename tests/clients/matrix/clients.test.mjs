// Every client against gates that sign by each algorithm, by every method of client authentication.

import { after, before, describe, test } from 'node:test';

import { resourceServer } from '../mod-oauth2.mjs';
import * as oauth4webapi from '../oauth4webapi.mjs';
import * as openidClient from '../openid-client.mjs';
import { pythonClients } from '../python.mjs';
import { rustClient } from '../rust.mjs';
import { ASSERTION_ALGORITHMS, startServer } from '../server.mjs';
import * as simpleOauth2 from '../simple-oauth2.mjs';

for (const algorithm of ['ES256', 'EdDSA', 'RS256', 'HS256']) {
  describe(`tokens of ${algorithm}`, () => {
    let server;
    before(async () => {
      server = await startServer({ algorithm });
    });
    after(() => server?.dispose());

    for (const [name, library] of Object.entries({ oauth4webapi, 'openid-client': openidClient })) {
      for (const method of ['client_secret_basic', 'client_secret_post', 'private_key_jwt']) {
        test(`${name}, a machine by ${method}`, () => library.machine(server, library.methods(server)[method]));
        test(`${name}, a session by ${method}`, () => library.session(server, library.methods(server)[method]));
      }
    }
    for (const alg of ASSERTION_ALGORITHMS) {
      test(`oauth4webapi, a machine by private_key_jwt of ${alg}`, () => oauth4webapi.machine(server, oauth4webapi.signedBy(server, alg)));
    }
    for (const alg of ['ES256', 'Ed25519', 'RS256', 'PS256']) {
      test(`oauth4webapi, a session bound to a key of ${alg}`, () => oauth4webapi.bound(server, alg));
    }
    for (const method of ['header', 'body']) {
      test(`simple-oauth2, a machine and a session, secret in the ${method}`, async () => {
        await simpleOauth2.machine(server, method);
        await simpleOauth2.session(server, method);
      });
    }
    test('Authlib and requests-oauthlib', () => pythonClients(server, ['ES256', 'EdDSA', 'RS256', 'PS256', 'ES384']));
    test('the crate oauth2', () => rustClient(server));
    test('mod_oauth2', () => resourceServer(server));
  });
}
