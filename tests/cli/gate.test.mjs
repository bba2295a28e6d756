// Commands that ask a running gate: each on a real one, by the package as it is installed.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { AUDIENCE, ISSUER, SECRETS, admitted, policy, refused, startGate, token } from '../worker/harness.mjs';
import { nowSecs } from '../worker/token.mjs';
import { ROOT, installed } from './command-line.mjs';

const SESSIONS = { issuer: 'https://gate.test/', audience: [AUDIENCE], secret: 'SESSION_SECRET', cookies: true };

let gate;
let project;
let proxy;
/** Method and path of each request that a command has made. */
const asked = new Set();
const urls = [];

before(async () => {
  const prefixes = [{ prefix: 'sk' }, { prefix: '', format: 'imported' }];
  // Nobody takes the mails.
  const mail = { kind: 'webhook', url: 'http://127.0.0.1:9/mail', secret: 'HOOK_SECRET' };
  const accounts = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], registration: 'invitation', mail };
  const secrets = { ...SECRETS, HOOK_SECRET: 'h'.repeat(40) };
  gate = await startGate({ secrets, policy: policy({ origin: 'https://api.example.com', accounts, watch: {}, sessions: SESSIONS, revocation: { mode: 'ledger' }, api_keys: { ...policy().api_keys, prefixes } }) });
  project = await installed();
  proxy = await recording(gate.port());
});
after(async () => {
  proxy?.close();
  project?.dispose();
  await gate?.dispose();
});

/** Passes requests on, each by a connection of its own: workerd closes one that rests. Writes down which they were. */
const recording = (port) => new Promise((resolve) => {
  const server = http.createServer((request, response) => {
    asked.add(`${request.method} ${request.url.split('?')[0].replace('/auth', '')}`);
    urls.push(request.url);
    const { host, ...headers } = request.headers;
    const onward = http.request({ host: '127.0.0.1', port, agent: false, method: request.method, path: request.url, headers: { ...headers, host: 'api.example.com' } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', (fault) => response.destroy(fault));
    request.pipe(onward);
  }).listen(0, '127.0.0.1', () => resolve(server));
});

const url = () => `http://127.0.0.1:${proxy.address().port}`;
const env = (more = {}) => ({ EDGEGATE_URL: url(), EDGEGATE_ADMIN_TOKEN: SECRETS.ADMIN_TOKEN, ...more });

/** Runs a command that has to do what it says, and never prints the administrator's secret. */
async function ok(parameters, options = {}) {
  const done = await project.cli(parameters, { env: env(), ...options });
  assert.equal(done.code, 0, done.stderr);
  assert.ok(!(done.stdout + done.stderr).includes(SECRETS.ADMIN_TOKEN), 'the secret is printed');
  return done;
}
const json = async (parameters, options) => (await ok([...parameters, '--json'], options)).json();

test('a key is minted, and printed once and alone', async () => {
  const { stdout, stderr } = await ok(['keys', 'mint', '--name', 'CI', '--owner', 'alice', '--scope', 'read:posts,write:posts', '--expires-in', '90d', '--ip', '203.0.113.0/24']);
  const key = stdout.trim();
  assert.match(key, /^sk_test_\w+$/);
  assert.ok(!stderr.includes(key));
  assert.match(stderr, /networks +203\.0\.113\.0\/24/);
  admitted(await gate.get('/v1/posts', { key, ip: '203.0.113.7' }), { method: 'api_key', scopes: ['read:posts', 'write:posts'] });
  refused(await gate.get('/v1/posts', { key, ip: '192.0.2.1' }), 'NOT_ALLOWED');
});

test('a request is explained, and its credential comes back nowhere', async () => {
  const explain = (parameters, options) => project.cli(['explain', ...parameters], { env: env(), ...options });
  const missing = await explain(['get', '/v1/posts']);
  assert.equal(missing.code, 1);
  assert.match(missing.stdout, /✗ +credential .*routes\[\d\]\.auth\n/);
  assert.match(missing.stdout, /\n401 MISSING_CREDENTIALS \(missing_credentials\)\n$/);
  const good = token({ scope: 'read:posts' });
  const admits = await explain(['GET', '/v1/posts', '--bearer', '-', '--json'], { input: `${good}\n` });
  assert.deepEqual([admits.code, admits.json().outcome], [0, { status: 200, code: null, reason: null }], admits.stderr);
  const forged = await explain(['GET', '/v1/posts', '--headers', '-'], { input: `Accept: */*\nAuthorization: Bearer ${good}x\n` });
  assert.match(forged.stdout, /401 INVALID_TOKEN/);
  for (const { stdout, stderr } of [missing, admits, forged]) assert.ok(!(stdout + stderr).includes(good));
  const { key } = await json(['keys', 'mint', '--name', 'e', '--owner', 'e', '--scope', 'read:posts', '--ip', '203.0.113.0/24']);
  const from = async (ip) => (await explain(['GET', '/v1/posts', '--api-key', '-', '--ip', ip, '--json'], { input: key })).json().outcome.code;
  assert.deepEqual([await from('203.0.113.7'), await from('192.0.2.1')], [null, 'NOT_ALLOWED']);
  for (const line of ['Authorization: Bearer x', 'x-api-key: y', 'COOKIE: z']) {
    const { code, stderr } = await explain(['GET', '/', '--header', line]);
    assert.equal(code, 2);
    assert.match(stderr, /a credential does not belong into the command line/);
  }
  assert.equal((await explain(['GET', 'v1/posts'])).code, 2);
  assert.match((await explain(['GET', '/auth/health'])).stderr, /INVALID_REQUEST/);
});

test('a key is listed, shown, changed, rotated and revoked', async () => {
  const { id } = await json(['keys', 'mint', '--name', 'one', '--owner', 'carol', '--scope', 'read:posts']);
  const { keys } = await json(['keys', 'list', '--owner', 'carol', '--all']);
  assert.deepEqual(keys.map((one) => [one.id, one.name]), [[id, 'one']]);
  assert.match((await ok(['keys', 'list', '--owner', 'carol'])).stdout, new RegExp(`^ID +NAME.*\n${id} +one +carol`));
  assert.match((await ok(['keys', 'show', id])).stdout, /owner +carol/);

  const changed = await json(['keys', 'update', id, '--name', 'two', '--scope', 'write:posts', '--expires-in', '30d', '--disable']);
  assert.deepEqual([changed.name, changed.scopes, changed.disabled, typeof changed.expires_at], ['two', ['write:posts'], true, 'number']);
  const again = await json(['keys', 'update', id, '--enable', '--no-expiry']);
  assert.deepEqual([again.disabled ?? false, again.expires_at], [false, undefined]);

  const rotated = await json(['keys', 'rotate', id, '--overlap', '1h']);
  assert.notEqual(rotated.id, id);
  admitted(await gate.post('/v1/posts', { key: rotated.key }));
  await ok(['keys', 'revoke', rotated.id, '--yes']);
  refused(await gate.post('/v1/posts', { key: rotated.key }), 'API_KEY_REVOKED');
});

test('a key of another system is imported by its hash; the key comes by standard input', async () => {
  const key = 'an-old-key-of-another-system-0123456789';
  const record = await json(['keys', 'import', '--name', 'old', '--owner', 'bob', '--scope', 'read:posts'], { input: `${key}\n` });
  assert.equal(record.owner, 'bob');
  admitted(await gate.get('/v1/posts', { headers: { 'X-API-Key': key } }), { scopes: ['read:posts'] });
  const hash = createHash('sha256').update('another-old-key-of-another-system').digest('hex');
  assert.equal((await json(['keys', 'import', '--name', 'older', '--owner', 'bob', '--sha256', hash])).owner, 'bob');
});

test('each kind of revocation', async () => {
  const bearer = token({ jti: 'cli-1', sub: 'revoked-here' });
  admitted(await gate.get('/anything', { token: bearer }));
  await ok(['revoke', '--token', '-', '--reason', 'found in a log'], { input: bearer });
  refused(await gate.get('/anything', { token: bearer }), 'TOKEN_REVOKED');

  const file = path.join(project.folder, 'token.txt');
  writeFileSync(file, `${token({ jti: 'cli-2' })}\n`);
  await ok(['revoke', '--token', file]);
  await ok(['revoke', '--sub', 'dave', '--iss', ISSUER, '--before', '2030-01-01T00:00:00Z', '--expires-in', '30d']);
  refused(await gate.get('/anything', { token: token({ sub: 'dave' }) }), 'TOKEN_REVOKED');
  await ok(['revoke', '--sid', 's1', '--iss', ISSUER]);
  refused(await gate.get('/anything', { token: token({ sid: 's1' }) }), 'TOKEN_REVOKED');
  await ok(['revoke', '--jti', 'cli-3', '--iss', ISSUER]);
  await ok(['revoke', '--kid', 'old', '--withdrawn', '--iss', ISSUER, '--yes']);
  const { id, key } = await json(['keys', 'mint', '--name', 'x', '--owner', 'y']);
  await ok(['revoke', '--key', id]);
  refused(await gate.get('/anything', { key }), 'API_KEY_REVOKED');
  const all = await json(['revoke', '--all', '--iss', ISSUER, '--before', '2001-01-01T00:00:00Z', '--yes']);
  assert.deepEqual(all.target, { kind: 'issuer', iss: ISSUER });
});

test('the same request with the same idempotency key gets the same answer', async () => {
  const parameters = ['revoke', '--sub', 'erin', '--iss', ISSUER, '--idempotency-key', 'k1'];
  assert.deepEqual(await json(parameters), await json(parameters));
  const other = await project.cli(['revoke', '--sub', 'frank', '--iss', ISSUER, '--idempotency-key', 'k1', '--json'], { env: env() });
  assert.equal(other.code, 1);
  assert.equal(JSON.parse(other.stderr).error.code, 'INVALID_REQUEST');
});

test('revocations are listed, shown, undone, exported and taken back', async () => {
  const bearer = token({ sub: 'grace', iat: nowSecs() - 60 });
  const { id } = await json(['revoke', '--sub', 'grace', '--iss', ISSUER, '--reason', 'test']);
  const { revocations } = await json(['revocations', 'list', '--all']);
  assert.ok(revocations.some((one) => one.id === id && one.target.sub === 'grace'));
  assert.match((await ok(['revocations', 'show', id])).stdout, /what +subject iss=\S+ sub=grace.*\n.*\nreason +test/);
  assert.match((await ok(['revocations', 'list'])).stdout, /^ID +WHAT +UNTIL +REASON\n/);
  const exported = (await ok(['revocations', 'export'])).stdout;
  assert.ok(exported.includes('"grace"'));
  await ok(['revocations', 'undo', id, '--yes']);
  admitted(await gate.get('/anything', { token: bearer }));
  const file = path.join(project.folder, 'revoked.ndjson');
  writeFileSync(file, exported);
  assert.ok((await json(['revoke', '--file', file])).revoked >= 1);
  refused(await gate.get('/anything', { token: bearer }), 'TOKEN_REVOKED');
});

test('sessions are opened, listed, narrowed and ended; subjects disabled, enabled and forgotten', async () => {
  const opened = await json(['sessions', 'open', 'heidi', '--scope', 'read:posts,write:posts', '--label', 'laptop']);
  admitted(await gate.get('/v1/posts', { token: opened.access_token }), { subject: 'heidi' });
  assert.match((await ok(['sessions', 'list', 'heidi'])).stdout, /laptop.* \d{4}-\d\d-\d\dT\S+ +\d{4}-\d\d-\d\dT\S+\n/);
  await ok(['sessions', 'narrow', opened.session_id, '--subject', 'heidi', '--scope', 'read:posts']);
  const other = await json(['sessions', 'open', 'heidi']);
  await ok(['sessions', 'end', 'heidi', '--session', other.session_id]);
  assert.equal((await json(['sessions', 'list', 'heidi'])).sessions.length, 1);
  await ok(['sessions', 'end', 'heidi']);
  refused(await gate.get('/v1/posts', { token: opened.access_token }), 'TOKEN_REVOKED');
  assert.match((await ok(['sessions', 'open', 'heidi', '--ticket'])).stdout, /^\S+\n$/);
  // This policy has no logins.
  for (const command of ['list', 'end']) assert.equal((await project.cli(['grants', command, 'heidi'], { env: env() })).code, 1);
  await ok(['subjects', 'disable', 'heidi']);
  assert.equal((await project.cli(['sessions', 'open', 'heidi'], { env: env() })).code, 1);
  await ok(['subjects', 'enable', 'heidi']);
  await ok(['subjects', 'forget', 'heidi', '--yes']);
});

test('the watch is read', async () => {
  const report = await json(['watch', '--window', '1h']);
  assert.equal(report.window_secs, 3600);
  assert.match((await ok(['watch'])).stdout, /admitted, .*\n[^]*RULE[^]*failures +ok/);
});

test('the audit is exported, and verified without a gate', async () => {
  const exported = (await ok(['audit', 'export'])).stdout;
  const lines = exported.trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.ok(lines.some(({ actor, action, outcome }) => actor === 'admin' && action === 'POST /keys' && outcome === 'done'));
  const after = (await ok(['audit', 'export', '--after', '2'])).stdout;
  assert.ok(after.startsWith('{"seq":3,'));
  const file = path.join(project.folder, 'audit.ndjson');
  writeFileSync(file, exported);
  const verified = await ok(['audit', 'verify', file], { env: {} });
  assert.match(verified.stderr, /without a checkpoint/);
  assert.match(verified.stderr, new RegExp(`${lines.length} entries, 1 to ${lines.length}, hold together, and with 0 checkpoints`));
  const { seq, hash, at } = lines.at(-1);
  const kept = path.join(project.folder, 'checkpoints.ndjson');
  writeFileSync(kept, `${JSON.stringify({ event: 'checkpoint', seq, hash, at, mac: 'x' })}\n`);
  assert.equal((await json(['audit', 'verify', file, '--checkpoint', kept], { env: {} })).checkpoints, 1);
  writeFileSync(file, exported.replace('"actor":"admin"', '"actor":"nobody"'));
  const changed = await project.cli(['audit', 'verify', file], { env: {} });
  assert.equal(changed.code, 1);
  assert.match(changed.stdout, /^entry \d+ was changed/);
  assert.equal((await project.cli(['audit', 'verify', 'nowhere'], { env: {} })).code, 2);
});

test('the secret comes from a file or a profile too; a profile is for its owner alone, and for its gate alone', async () => {
  const file = path.join(project.folder, 'admin-token');
  writeFileSync(file, `${SECRETS.ADMIN_TOKEN}\n`);
  await ok(['keys', 'list', '--url', url(), '--token-file', file], { env: {} });
  await ok(['keys', 'list', '--url', url(), '--token-file', '-'], { env: {}, input: SECRETS.ADMIN_TOKEN });
  await ok(['profiles', 'save', 'test', '--url', url(), '--token-file', file], { env: {} });
  const kept = path.join(project.folder, 'config/edgegate/profiles.json');
  assert.equal(statSync(kept).mode & 0o777, 0o600);
  await ok(['keys', 'list', '--profile', 'test'], { env: {} });
  await ok(['keys', 'list'], { env: { EDGEGATE_PROFILE: 'test' } });
  assert.match((await ok(['profiles', 'list'])).stdout, /test +http:/);
  // Another address: the kept secret does not go there, and nobody can be asked.
  const elsewhere = await project.cli(['keys', 'list', '--profile', 'test', '--url', `${url()}/other`], { env: {} });
  assert.equal(elsewhere.code, 2);
  await ok(['profiles', 'remove', 'test']);
  assert.ok(!readFileSync(kept, 'utf8').includes(SECRETS.ADMIN_TOKEN));
});

test('what the gate refuses is said with a hint, and as JSON', async () => {
  const wrong = await project.cli(['keys', 'list'], { env: env({ EDGEGATE_ADMIN_TOKEN: 'x'.repeat(40) }) });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /error: .*\(401 INVALID_TOKEN\)\nhint: the administrator's secret is wrong/);
  assert.ok(!wrong.stderr.includes('x'.repeat(40)));
  const unknown = await project.cli(['keys', 'show', '0'.repeat(32), '--json'], { env: env() });
  assert.deepEqual([unknown.code, unknown.stdout, JSON.parse(unknown.stderr).error.status], [1, '', 404]);
  const field = await project.cli(['keys', 'mint', '--name', 'x', '--owner', 'y', '--prefix', 'nope'], { env: env() });
  assert.match(field.stderr, /hint: .*prefix/);
});

test('accounts are made, found, changed and deleted; a password is never an argument', async () => {
  const email = 'ada@example.com';
  const { id } = await json(['accounts', 'create', email, '--scope', 'read:posts', '--verified'], { input: 'quiet river, late boat\n' });
  const login = (password) => gate.post('/auth/login', { body: { email, password } });
  admitted(await gate.get('/v1/posts', { token: (await login('quiet river, late boat')).json().access_token }), { subject: `account|${id}` });
  assert.match((await ok(['accounts', 'find', email])).stdout, new RegExp(id));
  assert.deepEqual(urls.filter((one) => /ada(@|%40)/.test(one)), [], 'URLs are in the logs of whoever carries them');
  await ok(['accounts', 'set-password', id], { input: 'a wholly new one' });
  refused(await login('quiet river, late boat'), 'INVALID_CREDENTIALS');
  await ok(['accounts', 'scopes', id, '--scope', 'write:posts']);
  await ok(['accounts', 'disable', id]);
  refused(await login('a wholly new one'), 'NOT_ALLOWED');
  assert.match((await ok(['accounts', 'show', id])).stdout, /disabled/);
  await ok(['accounts', 'enable', id]);
  assert.equal((await login('a wholly new one')).status, 200);
  assert.match((await ok(['accounts', 'show', id])).stdout, /second factors +none/);
  await ok(['accounts', 'drop-factors', id, '--yes']);
  assert.equal((await project.cli(['accounts', 'create', 'bob@example.com'], { env: env(), input: '' })).code, 2);
  assert.match((await ok(['accounts', 'invite', 'eve@example.com', '--scope', 'read:posts'])).stdout, /state +invited/);
  assert.match((await ok(['accounts', 'prepare', '--from', '4000'])).stderr, /4040 of 4096\n.*4080 of 4096\n.*4000 to 4095 are there/);
  assert.deepEqual(await json(['accounts', 'prepare', '--from', '4090']), { from: 4090, of: 4096 });
  assert.equal((await project.cli(['accounts', 'prepare', '--from', '4096'], { env: env() })).code, 1);
  await ok(['accounts', 'delete', id, '--yes']);
  assert.equal((await project.cli(['accounts', 'show', id], { env: env() })).code, 1);
});

test('what cannot be taken back is asked for', async () => {
  const unasked = await project.cli(['keys', 'revoke', '0'.repeat(32)], { env: env() });
  assert.deepEqual([unasked.code, /--yes/.test(unasked.stderr)], [2, true]);
});

test('every endpoint of administration has a command', () => {
  const table = readFileSync(path.join(ROOT, 'crates/worker/src/endpoints.rs'), 'utf8');
  const endpoints = [...table.matchAll(/path: "(\/admin[^"]*)",\s+methods: "([^"]+)"/g)]
    // The dashboard is a page.
    .filter(([, target]) => target !== '/admin/dashboard')
    .flatMap(([, target, methods]) => methods.split(', ').map((method) => ({ method, pattern: new RegExp(`^${method} ${target.replaceAll('{id}', '[^/]+')}$`), name: `${method} ${target}` })));
  assert.ok(endpoints.length >= 17, 'the table is read');
  const without = endpoints.filter(({ pattern }) => ![...asked].some((one) => pattern.test(one)));
  assert.deepEqual(without.map(({ name }) => name), []);
});
