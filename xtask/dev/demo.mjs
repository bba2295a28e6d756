// Waits until the Worker of `cargo xtask dev` is healthy. Then prints a token, an API key and lines to try them: `node xtask/dev/demo.mjs
// URL VARS [login]`, where VARS is the path of `.dev.vars`, and `login` says that people can log in.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';

import { guide } from './guide.mjs';
import { ensure } from './vars.mjs';

/** Beside wrangler's state, which holds the key's record; both are ignored by git. */
const KEPT_KEY = fileURLToPath(new URL('../../.wrangler/demo-key', import.meta.url));
/** For the lines that log in. */
const JAR = fileURLToPath(new URL('../../.wrangler/demo-cookies', import.meta.url));
/** Issuer and audience of the example policy in wrangler.toml. */
const ISSUER = 'https://edgegate.local/';
const AUDIENCE = 'https://api.example.com';

/** wrangler runs the build command of wrangler.toml before it starts. */
const READY_MILLIS = 180_000;
const POLL_MILLIS = 200;
/** The first request compiles the module; a Worker that is still starting lets it wait. */
const ANSWER_MILLIS = 5_000;

const [url, vars, login] = process.argv.slice(2);
const secrets = ensure(vars);

const { request: begin } = url.startsWith('https:') ? https : http;

/** `node:http` is used, since `fetch` refuses some ports. The certificate of `--https` is wrangler's own, and this machine asks itself. */
const ask = (method, target, headers = {}, body = '') => new Promise((resolve, reject) => {
  const request = begin(`${url}${target}`, { method, headers, timeout: ANSWER_MILLIS, rejectUnauthorized: false }, (answer) => {
    answer.toArray().then((chunks) => resolve({ status: answer.statusCode, text: Buffer.concat(chunks).toString().trim() }), reject);
  });
  request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer'))).end(body);
});

async function untilHealthy() {
  const began = performance.now();
  let last = 'no answer';
  while (performance.now() - began < READY_MILLIS) {
    const answer = await ask('GET', '/auth/health').catch(() => undefined);
    if (answer?.status === 200) return;
    if (answer !== undefined) last = `status ${answer.status}, ${answer.text}`;
    await sleep(POLL_MILLIS);
  }
  throw new Error(`GET /auth/health did not answer 200 within ${READY_MILLIS / 1000} s: ${last}`);
}

/** The token may read and write posts for an hour. It has a `jti`, so that it can be revoked alone. */
const token = () => new SignJWT({ scope: 'read:posts write:posts', jti: `demo-${Date.now()}` })
  .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
  .setIssuer(ISSUER).setAudience(AUDIENCE).setSubject('demo-user').setIssuedAt().setExpirationTime('1h')
  .sign(new TextEncoder().encode(secrets.JWT_SECRET));

/** Fit for a header and for the shell. Nothing else may come from a file or an answer. */
const isKey = (text) => /^\w+$/.test(text);

/** Returns the kept key if the gate still knows it, else a new one, so that restarts do not pile up keys. */
async function apiKey() {
  let kept = '';
  try {
    kept = readFileSync(KEPT_KEY, 'utf8').trim();
  } catch { /* The first start. */ }
  // Any status but 401 means that the key was verified.
  if (isKey(kept) && (await ask('GET', '/v1/posts', { 'X-API-Key': kept })).status !== 401) return kept;
  const target = '/auth/admin/keys';
  const headers = { Authorization: `Bearer ${secrets.ADMIN_TOKEN}`, 'Content-Type': 'application/json' };
  const { status, text } = await ask('POST', target, headers, JSON.stringify({ name: 'demo', owner: 'demo', scopes: ['read:posts'] }));
  if (status !== 201) throw new Error(`POST ${target}: status ${status}, ${text}`);
  const { key } = JSON.parse(text);
  if (typeof key !== 'string' || !isKey(key)) throw new Error(`POST ${target}: the answer has no key`);
  mkdirSync(path.dirname(KEPT_KEY), { recursive: true });
  writeFileSync(KEPT_KEY, key, { mode: 0o600 });
  chmodSync(KEPT_KEY, 0o600);
  return key;
}

try {
  await untilHealthy();
  const key = await apiKey().catch((error) => {
    console.error(`warning: no demo API key: ${error.message}`);
  });
  console.log(guide({ url, token: await token(), key, vars, jar: JAR, login: login !== undefined }));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
