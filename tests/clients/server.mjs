// A gate as OAuth clients find it: its issuer is the address that it answers at.

import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import * as jose from 'jose';

import { AUDIENCE, SECRETS, closedPort, start } from '../worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../worker/sessions.mjs';

/** `batch` is a machine, `app` and `signer` have sessions of users as well, `service` may ask about any token. */
const clients = (jwksUri) => [
  { id: 'batch', secret: 'BATCH_CLIENT_SECRET', grants: ['client_credentials'], scopes: ['read:posts'] },
  { id: 'app', secret: 'APP_CLIENT_SECRET', grants: ['refresh_token', 'client_credentials'], scopes: ['read:posts', 'write:posts'] },
  { id: 'signer', jwks_uri: jwksUri, allow_http: true, grants: ['refresh_token', 'client_credentials'], scopes: ['read:posts'] },
  { id: 'service', secret_sha256: createHash('sha256').update(SERVICE_SECRET).digest('hex'), grants: ['client_credentials'], scopes: [], introspect: true },
];

const SERVICE_SECRET = randomBytes(32).toString('hex');
/** What has to be encoded before it is sent in a header or a form. */
const AWKWARD_SECRET = `${randomBytes(32).toString('hex')}+%2B ~:/&=`;

/** One key for each algorithm that clients sign assertions by. */
export const ASSERTION_ALGORITHMS = ['ES256', 'EdDSA', 'RS256', 'PS256', 'ES384', 'ES512'];

/** The keys of the client `signer`, published as it would. */
async function publishKeys() {
  const pairs = Object.fromEntries(await Promise.all(ASSERTION_ALGORITHMS.map(async (alg) => [alg, await jose.generateKeyPair(alg, { extractable: true })])));
  const keys = await Promise.all(Object.entries(pairs).map(async ([alg, { publicKey }]) => ({ ...(await jose.exportJWK(publicKey)), kid: alg, alg, use: 'sig' })));
  const server = http.createServer((_, response) => response.end(JSON.stringify({ keys }))).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { pairs, url: `http://127.0.0.1:${server.address().port}/jwks.json`, close: () => server.close() };
}

/** Starts a gate whose tokens are signed by this algorithm; `changes` are of the policy. */
export async function startServer({ algorithm = 'ES256', changes = {} } = {}) {
  const keys = await publishKeys();
  const port = await closedPort();
  const origin = `http://127.0.0.1:${port}`;
  const issuer = `${origin}/`;
  const secrets = { ...SECRETS, APP_CLIENT_SECRET: AWKWARD_SECRET };
  const policy = sessionPolicy({ origin, ...changes }, { issuer, algorithm, clients: clients(keys.url) });
  const worker = sessionWorker({ policy, secrets, worker: { unsafeDirectSockets: [{ host: '127.0.0.1', port }] } });
  const gate = await start([worker], { secrets });
  return {
    algorithm,
    issuer,
    origin,
    gate,
    audience: AUDIENCE,
    sessions: new Sessions(gate),
    secrets: { batch: SECRETS.BATCH_CLIENT_SECRET, app: AWKWARD_SECRET, service: SERVICE_SECRET },
    signer: keys.pairs,
    dispose: async () => {
      await gate.dispose();
      keys.close();
    },
  };
}
