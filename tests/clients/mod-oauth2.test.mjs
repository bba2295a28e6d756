import { after, before, test } from 'node:test';

import { resourceServer } from './mod-oauth2.mjs';
import { startServer } from './server.mjs';

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.dispose());

test('mod_oauth2 takes the tokens by the published keys and by introspection', () => resourceServer(server));
