import { after, before, test } from 'node:test';

import { pythonClients } from './python.mjs';
import { startServer } from './server.mjs';

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.dispose());

test('Authlib and requests-oauthlib: machines, sessions renewed as they expire, validation, introspection, revocation', () => pythonClients(server));
