// The example policy in wrangler.toml, as `cargo xtask dev` and `wrangler dev` run it.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { readConfig } from '../miniflare.mjs';
import { AUDIENCE, ISSUER, ROOT, SECRETS, admitted, freshIp, gateWorker, refused, start, token } from './harness.mjs';

const config = readConfig(path.join(ROOT, 'wrangler.toml'));
const policy = config.vars.POLICY;

let gate;
before(async () => {
  gate = await start([gateWorker({ policy })]);
});
after(() => gate.dispose());

test('wrangler.toml binds what the Worker and the tests use', () => {
  assert.equal(config.main.replaceAll('\\', '/').endsWith('build/index.js'), true, config.main);
  assert.deepEqual(config.kv_namespaces.map((one) => one.binding), ['EDGEGATE_KV']);
  assert.deepEqual(config.durable_objects.bindings.map(({ name, class_name }) => [name, class_name]), [['EDGEGATE_COUNTERS', 'CounterObject'], ['EDGEGATE_LEDGER', 'RevocationLedger'], ['EDGEGATE_SESSIONS', 'SessionObject'], ['EDGEGATE_KEYS', 'KeyRingObject'], ['EDGEGATE_GRANTS', 'GrantObject'], ['EDGEGATE_WATCH', 'WatchObject'], ['EDGEGATE_LOGINS', 'LoginObject']]);
  // A deployed Worker can be upgraded: no old migration changes, new ones follow.
  assert.deepEqual(config.migrations.map(({ tag, new_sqlite_classes }) => [tag, new_sqlite_classes]), [
    ['v1', ['CounterObject']],
    ['v2', ['RevocationLedger']],
    ['v3', ['SessionObject', 'KeyRingObject']],
    ['v4', ['GrantObject']],
    ['v5', ['WatchObject']],
    ['v6', ['LoginObject']],
  ]);
});

test('the names that outside checks rely on are in it', () => {
  assert.equal(policy.issuers[0].issuer, ISSUER);
  assert.deepEqual(policy.issuers[0].audience, [AUDIENCE]);
  assert.deepEqual(policy.issuers[0].algorithms, ['HS256']);
  assert.equal(policy.issuers[0].secret, 'JWT_SECRET');
  assert.equal(policy.api_keys.environment, 'test');
  assert.deepEqual(policy.api_keys.prefixes.map((one) => one.prefix), ['sk', 'pk']);
  assert.equal(policy.api_keys.signing_keys[0].secret, 'API_KEY_SECRET');
  assert.equal(policy.admin.secret, 'ADMIN_TOKEN');
});

test('it is healthy', async () => {
  const answer = await gate.get('/auth/health');
  assert.deepEqual(answer.json().status, 'ok', answer.text);
});

test('GET /public/* is open', async () => {
  admitted(await gate.get('/public/hello'), { method: 'anonymous' });
  refused(await gate.post('/public/hello'), 'MISSING_CREDENTIALS');
});

test('/v1/posts needs read:posts to read and write:posts to write', async () => {
  const read = token({ scope: 'read:posts' });
  const write = token({ scope: 'write:posts' });
  refused(await gate.get('/v1/posts'), 'MISSING_CREDENTIALS');
  admitted(await gate.get('/v1/posts', { token: read }), { method: 'jwt', subject: 'alice', issuer: ISSUER, scopes: ['read:posts'] });
  refused(await gate.get('/v1/posts', { token: write }), 'INSUFFICIENT_SCOPE', { scope: 'read:posts' });
  admitted(await gate.post('/v1/posts', { token: write }));
  refused(await gate.post('/v1/posts', { token: read }), 'INSUFFICIENT_SCOPE', { scope: 'write:posts' });
});

test('GET /v1/limited passes five times a minute', async () => {
  const bearer = token({ sub: `limited-${freshIp()}` });
  for (const left of [4, 3, 2, 1, 0]) {
    const answer = await gate.get('/v1/limited', { token: bearer });
    admitted(answer);
    assert.match(answer.headers.ratelimit, new RegExp(`;r=${left};t=\\d+$`));
    assert.match(answer.headers['ratelimit-policy'], /;q=5;w=60$/);
  }
  refused(await gate.get('/v1/limited', { token: bearer }), 'RATE_LIMITED');
});

test('everything else takes any credential', async () => {
  refused(await gate.get('/anything'), 'MISSING_CREDENTIALS');
  admitted(await gate.get('/anything', { token: token() }));
  refused(await gate.get('/anything', { token: 'invalid_token' }), 'INVALID_TOKEN');
});

test('the administrator mints keys of both prefixes, and revokes them', async () => {
  const secret = await gate.mint({ prefix: 'sk', scopes: ['read:posts', 'write:posts'] });
  const publishable = await gate.mint({ prefix: 'pk', scopes: ['read:posts', 'write:posts'] });
  assert.match(secret.key, /^sk_test_/);
  assert.match(publishable.key, /^pk_test_/);
  admitted(await gate.post('/v1/posts', { key: secret.key }), { method: 'api_key' });
  admitted(await gate.get('/v1/posts', { token: publishable.key }), { scopes: ['read:posts'] });
  refused(await gate.post('/v1/posts', { key: publishable.key }), 'INSUFFICIENT_SCOPE', { scope: 'write:posts' });
  assert.equal((await gate.admin('DELETE', `/keys/${secret.id}`)).status, 200);
  refused(await gate.post('/v1/posts', { key: secret.key }), 'API_KEY_REVOKED');
});

test('a token is revoked by itself', async () => {
  const bearer = token({ jti: 'example-1' });
  admitted(await gate.get('/anything', { token: bearer }));
  assert.equal((await gate.admin('POST', '/revocations', { token: bearer })).status, 201);
  refused(await gate.get('/anything', { token: bearer }), 'TOKEN_REVOKED');
});

test('a session is opened, refreshed and ended; the gate takes its tokens', async () => {
  const opened = await gate.admin('POST', '/sessions', { subject: 'alice', scopes: ['read:posts'] });
  assert.equal(opened.status, 201, opened.text);
  const { access_token: access, refresh_token: refreshToken } = opened.json();
  admitted(await gate.get('/v1/posts', { token: access }), { subject: 'alice', issuer: 'https://gate.edgegate.local/' });
  const refreshed = await gate.post('/auth/refresh', { body: { refreshToken } });
  assert.equal(refreshed.status, 200, refreshed.text);
  const bearer = refreshed.json().accessToken;
  assert.equal((await gate.post('/auth/logout', { token: bearer })).status, 200);
  refused(await gate.get('/v1/posts', { token: bearer }), 'TOKEN_REVOKED');
});

test('a machine is given a token for its secret', async () => {
  const basic = Buffer.from(`batch:${SECRETS.BATCH_CLIENT_SECRET}`).toString('base64');
  const headers = { Authorization: `Basic ${basic}`, 'Content-Type': 'application/x-www-form-urlencoded' };
  const answer = await gate.post('/auth/token', { headers, body: 'grant_type=client_credentials' });
  assert.equal(answer.status, 200, answer.text);
  admitted(await gate.get('/v1/posts', { token: answer.json().access_token }), { subject: 'client|batch' });
});

test('a wrong administrator is no administrator', async () => {
  refused(await gate.admin('GET', '/keys', undefined, { token: SECRETS.API_KEY_SECRET }), 'INVALID_TOKEN');
});
