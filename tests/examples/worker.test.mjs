// The examples around the Worker, under wrangler as their README says: one request that is admitted, one that is refused.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, closedPort, temporaryFolder } from '../worker/harness.mjs';
import { findNginx } from '../worker/nginx.mjs';
import { nowSecs, signHmac } from '../worker/token.mjs';
import { ask, startProgram } from './program.mjs';

const EXAMPLES = path.join(ROOT, 'examples');
const SECRET = 'a secret for this test, and long enough';
const claims = { iss: 'https://issuer.example/', aud: 'https://api.example.com', sub: 'alice', scope: 'read:posts', exp: nowSecs() + 600 };
const headers = { Authorization: `Bearer ${signHmac(claims, { secret: SECRET })}` };

let port;
let wrangler;

before(async () => {
  port = await closedPort();
  const folder = temporaryFolder();
  const env = {
    ...process.env, FORCE_COLOR: '0', WRANGLER_SEND_METRICS: 'false', WRANGLER_LOG_PATH: path.join(folder, 'logs'), CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  };
  wrangler = await startProgram(path.join(ROOT, 'node_modules/.bin/wrangler'), [
    'dev', '--show-interactive-dev-session=false', '--ip', '127.0.0.1', '--port', String(port), '--persist-to', path.join(folder, 'state'),
    '--var', `JWT_SECRET:${SECRET}`,
  ], { cwd: path.join(EXAMPLES, 'worker'), env, ready: /Ready on/ });
});
after(() => wrangler?.stop());

test('worker: a policy of its own', async () => {
  const url = `http://127.0.0.1:${port}`;
  assert.equal((await ask(`${url}/auth/health`)).body.status, 'ok');
  assert.equal((await ask(`${url}/public/hello`)).status, 200);
  const admitted = await ask(`${url}/v1/posts`, { headers });
  assert.equal(admitted.status, 200);
  assert.match(admitted.headers.get('RateLimit'), /"per-caller";r=99;/);
  assert.equal((await ask(`${url}/v1/posts`)).code, 'MISSING_CREDENTIALS');
});

test('nginx-forward-auth: nginx asks the gate', async () => {
  const folder = path.join(EXAMPLES, 'nginx-forward-auth');
  const service = await startProgram(process.execPath, ['service.mjs'], {
    cwd: folder, env: { ...process.env, PORT: '0' }, ready: /http:\/\/127\.0\.0\.1:(\d+)/,
  });
  const nginxPort = await closedPort();
  const prefix = temporaryFolder();
  mkdirSync(path.join(prefix, 'logs'));
  writeFileSync(path.join(prefix, 'nginx.conf'), withPorts(readFileSync(path.join(folder, 'nginx.conf'), 'utf8'), {
    8787: port, 3000: service.printed[1], 8080: nginxPort,
  }));
  // nginx says at the level `notice` that it is ready; the example logs less.
  const nginx = await startProgram(findNginx(), ['-p', `${prefix}/`, '-c', path.join(prefix, 'nginx.conf'), '-e', 'stderr', '-g', 'error_log stderr notice;'], {
    ready: /start worker process/,
  });
  try {
    const url = `http://127.0.0.1:${nginxPort}`;
    assert.equal((await ask(`${url}/public/hello`)).status, 200);
    const admitted = await ask(`${url}/v1/posts`, { headers });
    assert.equal(admitted.status, 200);
    assert.deepEqual([admitted.body['x-auth-subject'], admitted.body.authorization], ['alice', undefined]);
    const refused = await ask(`${url}/v1/posts`);
    assert.equal(refused.status, 401);
    assert.match(refused.headers.get('WWW-Authenticate'), /^Bearer/);
  } finally {
    await nginx.stop();
    await service.stop();
  }
});

/** The configuration with other ports. Each port occurs in it once. */
function withPorts(text, ports) {
  return Object.entries(ports).reduce((changed, [from, to]) => {
    assert.equal(changed.split(`127.0.0.1:${from};`).length, 2, `127.0.0.1:${from}`);
    return changed.replace(`127.0.0.1:${from};`, `127.0.0.1:${to};`);
  }, text);
}
