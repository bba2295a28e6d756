import { after, before, test } from 'node:test';

import { rustClient } from './rust.mjs';
import { startServer } from './server.mjs';

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.dispose());

test('the crate oauth2: a machine, and the session of a user', () => rustClient(server));
