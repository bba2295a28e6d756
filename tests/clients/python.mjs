// Authlib and requests-oauthlib, which `cargo xtask setup` installs (python-environment.mjs).

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as jose from 'jose';

import { python } from './python-environment.mjs';

const PROGRAM = fileURLToPath(new URL('python_clients.py', import.meta.url));

/** Runs both against a gate; `assertions` are the algorithms that a client signs by. */
export async function pythonClients(server, assertions = ['ES256']) {
  const subject = `python-${server.algorithm}`;
  const open = () => server.sessions.open({ subject, client_id: 'app', scopes: ['read:posts'] });
  const keys = await Promise.all(assertions.map(async (alg) => [alg, await jose.exportJWK(server.signer[alg].privateKey)]));
  const { origin, issuer, algorithm, audience, secrets } = server;
  const given = {
    origin, issuer, algorithm, audience, secrets, subject, assertions, keys: Object.fromEntries(keys), sessions: [await open(), await open()],
  };
  const run = promisify(execFile)(python, ['-W', 'ignore', PROGRAM], { timeout: 120_000 });
  run.child.stdin.end(JSON.stringify(given));
  await run;
}
