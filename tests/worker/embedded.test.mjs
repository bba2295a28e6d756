// A Worker of one's own with the gate in it: examples/worker-embedded, as its wrangler.toml has it.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { readConfig } from '../miniflare.mjs';
import { ROOT, gateWorker, refused, start, token } from './harness.mjs';

const FOLDER = path.join(ROOT, 'examples/worker-embedded');
const BUILD = path.join(FOLDER, 'build');
const config = readConfig(path.join(FOLDER, 'wrangler.toml'));

let gate;
before(async () => {
  assert.ok(existsSync(path.join(BUILD, 'index.js')), `nothing in ${BUILD}: run cargo xtask build --embedded`);
  const worker = {
    modulesRoot: BUILD,
    modules: [
      { type: 'ESModule', path: path.join(BUILD, 'index.js') },
      { type: 'CompiledWasm', path: path.join(BUILD, 'index_bg.wasm') },
    ],
  };
  gate = await start([gateWorker({ policy: config.vars.POLICY, worker })]);
});
after(() => gate?.dispose());

const reader = (claims) => token({ scope: 'read:hello', ...claims });

test('wrangler.toml binds what the gate binds', () => {
  const own = readConfig(path.join(ROOT, 'wrangler.toml'));
  for (const name of ['kv_namespaces', 'durable_objects', 'migrations', 'compatibility_date']) {
    assert.deepEqual(config[name], own[name], name);
  }
});

test('the gate is healthy, and its own endpoints answer', async () => {
  const health = await gate.get('/auth/health');
  assert.equal(health.json().status, 'ok', health.text);
  assert.deepEqual((await gate.get('/.well-known/jwks.json')).json(), { keys: [] });
  refused(await gate.get('/auth/other'), 'NOT_FOUND');
  assert.equal((await gate.admin('GET', '/revocations')).status, 200);
});

test('an admitted request reaches the application, with the identity that the gate has set', async () => {
  const answer = await gate.get('/hello', { token: reader(), headers: { 'X-Auth-Subject': 'mallory' } });
  assert.equal(`${answer.status} ${answer.text}`, '200 hello alice');
});

test('an answer to one caller is private, and says what is left of the limit', async () => {
  const answer = await gate.get('/hello', { token: reader({ sub: 'carol' }) });
  assert.match(answer.headers['cache-control'], /private/);
  assert.match(answer.headers.ratelimit, /"hello";r=4/);
});

test('a limit counts in the object of this Worker', async () => {
  const statuses = [];
  for (let i = 0; i < 6; i += 1) {
    statuses.push((await gate.get('/hello', { token: reader({ sub: 'dave' }) })).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429]);
});

test('a refused request never reaches the application', async () => {
  refused(await gate.get('/hello'), 'MISSING_CREDENTIALS');
  refused(await gate.get('/hello', { token: token({ scope: 'other' }) }), 'INSUFFICIENT_SCOPE', { scope: 'read:hello' });
  refused(await gate.get('/unlisted'), 'MISSING_CREDENTIALS');
});

test('a route without credentials reaches it as nobody', async () => {
  const answer = await gate.get('/public/page', { headers: { 'X-Auth-Subject': 'mallory' } });
  assert.equal(`${answer.status} ${answer.text}`, '200 hello stranger');
});

test('the Worker answers a path itself, and no other spelling of it', async () => {
  const own = await gate.get('/about');
  assert.equal(`${own.status} ${own.text}`, '200 a Worker with a gate in it');
  for (const other of ['/about/', '//about', '/ABOUT', '/%61bout', '/about%2f']) {
    assert.match((await gate.get(other)).text, /MISSING_CREDENTIALS|INVALID_REQUEST/, other);
  }
  // An older workerd takes the dots away before the Worker sees the path.
  const { text } = await gate.get('/x/../about?q');
  if (text !== own.text) assert.match(text, /"INVALID_REQUEST"/);
});

test('a revoked token is refused', async () => {
  const revoked = reader({ sub: 'erin', jti: 'embedded-1' });
  assert.equal((await gate.get('/hello', { token: revoked })).status, 200);
  assert.equal((await gate.admin('POST', '/revocations', { token: revoked })).status, 201);
  refused(await gate.get('/hello', { token: revoked }), 'TOKEN_REVOKED');
});
