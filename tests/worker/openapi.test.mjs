// The description of the endpoints, held against the running Worker: each operation is asked, and what it answers is what the description says.
// The client of administration is made of the same table, so it is what asks here.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import Ajv from 'ajv/dist/2020.js';

import { AdminError, createAdminClient } from '../../pkg/client.js';
import { shown } from './authenticator.mjs';
import { ROOT, SECRETS, startGate, token } from './harness.mjs';
import { Authenticator } from './passkey-authenticator.mjs';
import { sessionPolicy } from './sessions.mjs';

const document = JSON.parse(readFileSync(path.join(ROOT, 'docs/openapi.json'), 'utf8'));
const METHODS = ['get', 'post', 'patch', 'delete'];
const operations = Object.entries(document.paths).flatMap(([route, item]) =>
  METHODS.filter((method) => item[method]).map((method) => ({ route, method, atRoot: item.servers !== undefined, ...item[method] })));

// `format` and `discriminator` are for people here.
const ajv = new Ajv({ strict: false, validateFormats: false });
ajv.addSchema(document, 'openapi');

let gate;
let asked;

before(async () => {
  gate = await startGate({ policy: sessionPolicy({ revocation: { mode: 'ledger' }, watch: {}, accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], passkeys: {} } }) });
  asked = new Set();
});
after(() => gate?.dispose());

const resolved = (value) => (value?.$ref ? value.$ref.slice(2).split('/').reduce((at, name) => at[name], document) : value);

/** The answer to this operation is one that the description has. */
function conforms(operation, { status, headers, body }) {
  asked.add(operation.operationId);
  const described = resolved(operation.responses[status]);
  assert.ok(described, `${operation.operationId}: ${status} is not described: ${body}`);
  if (status === 204 || described.content === undefined) return;
  const kind = headers['content-type'].split(';')[0];
  assert.ok(described.content[kind], `${operation.operationId}: ${status} with ${kind}`);
  if (kind === 'application/x-ndjson' || kind === 'text/html') return;
  const at = operation.responses[status].$ref ?? `#/paths/${escaped(operation.route)}/${operation.method}/responses/${status}`;
  const validate = ajv.compile({ $ref: `openapi${at}/content/${escaped(kind)}/schema` });
  assert.ok(validate(JSON.parse(body)), `${operation.operationId} ${status}: ${JSON.stringify(validate.errors)}: ${body}`);
}

const escaped = (text) => encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'));

/** A client whose answers are all held against the description. */
function checked() {
  return createAdminClient({
    url: 'http://127.0.0.1/auth',
    token: SECRETS.ADMIN_TOKEN,
    fetch: async (url, { method, headers, body }) => {
      const { pathname, search } = new URL(url);
      const answer = await gate.request(method, pathname + search, { headers, body });
      const operation = operations.find((one) => one.method === method.toLowerCase()
        && new RegExp(`^/auth${one.route.replace('{id}', '[^/]+')}$`).test(pathname)
        // `/sessions/others` before `/sessions/{id}`.
        && !(one.route.endsWith('{id}') && operations.some((other) => `/auth${other.route}` === pathname)));
      conforms(operation, answer);
      return new Response(answer.status === 204 ? null : answer.body, { status: answer.status, headers: answer.headers });
    },
  });
}

const refusedWith = (code) => (error) => error instanceof AdminError && error.code === code;

test('the Worker answers the description, with the prefix of its policy', async () => {
  const answer = await gate.get('/auth/openapi.json');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.deepEqual(JSON.parse(answer.body), document);
  const other = await startGate({ policy: sessionPolicy({ auth_prefix: '/_gate' }) });
  try {
    const { servers } = JSON.parse((await other.get('/_gate/openapi.json')).body);
    assert.deepEqual(servers, [{ url: '/_gate' }]);
  } finally {
    await other.dispose();
  }
});

test('administration of keys, by the client', async () => {
  const admin = checked();
  const minted = await admin.createKey({ name: 'n', owner: 'o', scopes: ['read:posts'], expires_in_secs: 3600 });
  assert.match(minted.key, /^sk_test_/);
  assert.equal((await admin.getKey(minted.id)).name, 'n');
  assert.equal((await admin.changeKey(minted.id, { disabled: true })).disabled, true);
  assert.equal((await admin.changeKey(minted.id, { name: 'm', disabled: false })).name, 'm');
  assert.ok((await admin.listKeys({ owner: 'o', limit: 1 })).keys.length === 1);
  const rotated = await admin.rotateKey(minted.id, { overlap_secs: 60 });
  assert.equal(rotated.replaces, minted.id);
  assert.ok((await admin.revokeKey(rotated.id)).revoked_at);
  await assert.rejects(admin.getKey('0'.repeat(32)), refusedWith('NOT_FOUND'));
  await assert.rejects(admin.getKey('..'), TypeError);
  await assert.rejects(admin.createKey({ name: 'n', owner: 'o', scopes: [], colour: 1 }), refusedWith('INVALID_REQUEST'));
});

test('an explanation, by the client', async () => {
  const admin = checked();
  const { outcome } = await admin.explain({ method: 'GET', path: '/nowhere', headers: {} });
  assert.equal(outcome.code, 'MISSING_CREDENTIALS');
  await assert.rejects(admin.explain({ method: 'GET', path: 'nowhere' }), refusedWith('INVALID_REQUEST'));
});

test('the watch, by the client; metrics by a request', async () => {
  const admin = checked();
  assert.equal((await admin.watch({ window: '1h' })).window_secs, 3600);
  assert.equal((await admin.watch()).window_secs, 900);
  await assert.rejects(admin.watch({ window: '8d' }), refusedWith('INVALID_REQUEST'));
  const operation = operations.find(({ operationId }) => operationId === 'getMetrics');
  conforms(operation, await gate.get('/auth/metrics'));
  const { status, headers, text } = await gate.get('/auth/metrics', { token: SECRETS.ADMIN_TOKEN });
  conforms(operation, { status, headers, body: JSON.stringify(text) });
});

test('administration of revocations, by the client', async () => {
  const admin = checked();
  const issuer = 'https://edgegate.local/';
  const entry = await admin.revoke({ iss: issuer, jti: 'one', reason: 'test' }, { idempotencyKey: 'once' });
  assert.equal((await admin.getRevocation(entry.id)).reason, 'test');
  assert.deepEqual(await admin.revoke(`{"iss":"${issuer}","jti":"two"}\n{"iss":"${issuer}","sub":"somebody"}\n`), { revoked: 2, unchanged: 0, expired: 0 });
  assert.equal((await admin.listRevocations({ limit: 2 })).revocations.length, 2);
  assert.match(await (await admin.exportRevocations()).text(), /"jti":"two"/);
  assert.equal(await admin.undoRevocation(entry.id), undefined);
  await assert.rejects(admin.getRevocation(entry.id), refusedWith('NOT_FOUND'));
  // A cursor of another list is a fault of the request, and none of the store.
  await assert.rejects(admin.listRevocations({ cursor: 'abc' }), refusedWith('INVALID_REQUEST'));
});

test('administration of sessions, by the client', async () => {
  const admin = checked();
  const opened = await admin.openSession({ subject: 'alice', scopes: ['read:posts', 'write:posts'] });
  assert.ok((await admin.openSession({ subject: 'bob', ticket: true })).ticket);
  assert.deepEqual(await admin.narrowSession(opened.session_id, { subject: 'alice', scopes: ['read:posts'] }), {});
  assert.equal((await admin.listSessions({ subject: 'alice' })).sessions.length, 1);
  const other = await admin.openSession({ subject: 'alice' });
  assert.equal((await admin.endSession(other.session_id, { subject: 'alice' })).ended, 1);
  await assert.rejects(admin.endSession(other.session_id, { subject: 'alice' }), refusedWith('NOT_FOUND'));
  assert.equal((await admin.endSessions({ subject: 'alice' })).ended, 1);
  await admin.disableSubject({ subject: 'carol' });
  await assert.rejects(admin.openSession({ subject: 'carol' }), refusedWith('NOT_ALLOWED'));
  await admin.enableSubject({ subject: 'carol' });
  await admin.forgetSubject({ subject: 'carol' });
});

test('administration of accounts, by the client; passwords, by their owner', async () => {
  const admin = checked();
  const [email, password] = ['ada@example.com', 'quiet river, late boat'];
  const { id, subject } = await admin.createAccount({ email, password, scopes: ['read:posts'], verified: true });
  assert.equal(subject, `account|${id}`);
  assert.equal((await admin.findAccount({ email })).id, id);
  assert.equal((await admin.getAccount(id)).disabled, false);
  assert.deepEqual(await admin.prepareAccounts({ from: 4090 }), { prepared: 6, next: null, of: 4096 });
  await assert.rejects(admin.prepareAccounts({ from: 4096 }), refusedWith('INVALID_REQUEST'));
  await assert.rejects(admin.createAccount({ email, password }), refusedWith('INVALID_REQUEST'));
  const ask = async (operationId, body, headers, status, place) => {
    const operation = operations.find((one) => one.operationId === operationId);
    const answer = await gate.request(operation.method.toUpperCase(), `/auth${operation.route.replace('{id}', place)}`, { body, headers });
    conforms(operation, answer);
    assert.ok([status].flat().includes(answer.status), answer.text);
    return answer;
  };
  const page = { 'Sec-Fetch-Site': 'same-origin' };
  const { access_token: bearer } = (await ask('logInByPassword', { email, password }, {}, 200)).json();
  await ask('logInByPassword', { email, password }, page, 200);
  await ask('logInByPassword', { email, password }, { 'Sec-Fetch-Site': 'cross-site' }, 403);
  await ask('logInByPassword', { email: 'nobody', password }, page, 400);
  await ask('logInByPassword', { email, password }, { ...page, Accept: 'application/problem+json' }, 200);
  await ask('logInByPassword', {}, { ...page, Accept: 'application/problem+json' }, 400);
  await ask('logInByPassword', { email, password: 'another password' }, page, 401);
  const mine = { Authorization: `Bearer ${bearer}` };
  const device = new Authenticator();
  const made = device.create((await ask('passkeyOptions', { name: email }, mine, 200)).json());
  await ask('addPasskey', { credential: made, password: 'another password' }, mine, 401);
  await ask('addPasskey', { credential: made, label: 'Phone', password }, mine, [201, 202]);
  await ask('addPasskey', { credential: made }, mine, 400);
  const proof = device.get((await ask('passkeyLogInOptions', undefined, {}, 200)).json());
  await ask('logInByPasskey', { credential: proof }, {}, 200);
  await ask('logInByPasskey', { credential: proof }, {}, 401);
  await ask('logInByPasskey', {}, {}, 400);
  await ask('passkeyLogInOptions', undefined, { 'Sec-Fetch-Site': 'cross-site' }, 403);
  await ask('listMyPasskeys', undefined, mine, 200);
  await ask('removePasskey', undefined, mine, 400, made.id);
  await ask('removePasskey', { password }, mine, [200, 202], made.id);
  await ask('removePasskey', { password }, mine, 404, made.id);
  await ask('listMyPasskeys', undefined, {}, 401);
  await ask('changePassword', { password, new_password: 'a wholly new one' }, { Authorization: `Bearer ${bearer}` }, 200);
  await ask('changePassword', {}, {}, 401);
  const now = (await ask('logInByPassword', { email, password: 'a wholly new one' }, {}, 200)).json();
  const own = { Authorization: `Bearer ${now.access_token}` };
  await ask('getFactors', undefined, own, 200);
  await ask('getFactors', undefined, {}, 401);
  await ask('dropTotp', { password: 'a wholly new one' }, own, 404);
  const { secret } = (await ask('setUpTotp', { label: email }, own, 200)).json();
  await ask('setUpTotp', { label: '' }, own, 400);
  await ask('confirmTotp', { code: '00000x', password: 'a wholly new one' }, own, 401);
  await ask('confirmTotp', { code: shown(secret) }, own, 400);
  await ask('confirmTotp', { code: shown(secret), password: 'a wholly new one' }, own, [200, 202]);
  const { recovery_codes: [code] } = (await ask('newRecoveryCodes', { password: 'a wholly new one' }, own, [200, 202])).json();
  const waiting = async () => (await ask('logInByPassword', { email, password: 'a wholly new one' }, page, 401)).json().mfa_token;
  await ask('logInBySecondFactor', { mfa_token: await waiting(), recovery_code: code }, page, 200);
  await ask('logInBySecondFactor', { mfa_token: await waiting(), recovery_code: code }, {}, 401);
  await ask('logInBySecondFactor', { mfa_token: 'x', code: '123456' }, { Accept: 'application/problem+json' }, 401);
  await ask('logInBySecondFactor', {}, {}, 400);
  await ask('dropTotp', undefined, own, 400);
  await ask('dropTotp', { password: 'a wholly new one' }, own, [200, 202]);
  assert.equal((await admin.getAccount(id)).factors.totp, false);
  assert.equal((await admin.changeAccount(id, { drop_factors: true })).factors.recovery_codes_left, 0);
  assert.equal((await admin.changeAccount(id, { disabled: true })).disabled, true);
  await ask('logInByPassword', { email, password: 'a wholly new one' }, {}, 403);
  await admin.deleteAccount(id);
  await assert.rejects(admin.getAccount(id), refusedWith('NOT_FOUND'));
});

test('a second factor that is set up at the login, as a program and as a page', async () => {
  const strict = await startGate({ policy: sessionPolicy({ accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], passkeys: {}, mfa: 'required' } }) });
  try {
    const ask = async (operationId, body, headers, status) => {
      const operation = operations.find((one) => one.operationId === operationId);
      const answer = await strict.request('POST', `/auth${operation.route}`, { body, headers });
      conforms(operation, answer);
      assert.equal(answer.status, status, answer.text);
      return answer;
    };
    const password = 'quiet river, late boat';
    for (const [email, headers] of [['program@example.com', {}], ['page@example.com', { 'Sec-Fetch-Site': 'same-origin' }]]) {
      assert.equal((await strict.post('/auth/admin/accounts', { body: { email, password }, token: SECRETS.ADMIN_TOKEN })).status, 201);
      const { mfa_token } = (await ask('logInByPassword', { email, password }, headers, 401)).json();
      const options = await ask('passkeyOptions', { mfa_token, name: email }, headers, 200);
      const Cookie = (options.headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).join();
      const credential = new Authenticator().create(options.json());
      await ask('addPasskey', { mfa_token }, headers, 400);
      await ask('addPasskey', { mfa_token, credential }, { ...headers, Cookie }, 200);
      await ask('addPasskey', { mfa_token, credential }, { ...headers, Cookie }, 401);
      await ask('passkeyOptions', { mfa_token }, headers, 401);
      await ask('passkeyOptions', { mfa_token }, { 'Sec-Fetch-Site': 'cross-site' }, 403);
    }
  } finally {
    await strict.dispose();
  }
});

test('all other endpoints answer what is described, to those who may ask and to others', async () => {
  const admin = checked();
  await admin.getHealth();
  const opened = await admin.openSession({ subject: 'dave', scopes: ['read:posts'] });
  const bearer = { Authorization: `Bearer ${opened.access_token}` };
  const form = { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: `Basic ${btoa(`batch:${SECRETS.BATCH_CLIENT_SECRET}`)}` };
  const json = { 'Content-Type': 'application/json', 'Sec-Fetch-Site': 'same-origin' };
  const named = (id) => operations.find((one) => one.operationId === id);
  const ask = async (id, { headers = {}, body, in: place = '' } = {}, status = 200) => {
    const operation = named(id);
    const target = `${operation.atRoot ? '' : '/auth'}${operation.route.replace(/\{\w+\}/, place)}`;
    const answer = await gate.request(operation.method.toUpperCase(), target, { headers, body });
    conforms(operation, answer);
    assert.equal(answer.status, status, `${id}: ${answer.body}`);
    return answer.body.length > 0 ? JSON.parse(answer.body) : undefined;
  };
  const machine = await ask('token', { headers: form, body: 'grant_type=client_credentials' });
  await ask('token', { headers: form, body: 'grant_type=password' }, 400);
  await ask('introspect', { headers: form, body: `token=${machine.access_token}` });
  await ask('introspect', { headers: { 'Content-Type': form['Content-Type'] }, body: 'token=a' }, 401);
  await ask('revokeToken', { headers: form, body: `token=${machine.access_token}` });
  await ask('verify', { headers: { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/public/a' } });
  await ask('verify', { headers: { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/v1/posts', Authorization: `Bearer ${token()}` } }, 403);
  await ask('verify', {}, 400);
  await ask('me', { headers: bearer });
  await ask('me', {}, 401);
  await ask('listMySessions', { headers: bearer });
  await ask('endMyOtherSessions', { headers: bearer });
  await ask('endMySession', { headers: bearer, in: 'none' }, 404);
  const refreshed = await ask('refresh', { headers: json, body: JSON.stringify({ refreshToken: opened.refresh_token }) });
  await ask('refresh', { headers: json, body: '{}' }, 400);
  // The end of other sessions takes tickets too.
  const { ticket } = await admin.openSession({ subject: 'dave', ticket: true });
  await ask('startSession', { headers: json, body: JSON.stringify({ ticket }) });
  await ask('startSession', { headers: json, body: JSON.stringify({ ticket }) }, 401);
  await ask('logOut', { headers: { Authorization: `Bearer ${refreshed.accessToken}` } });
  const again = await admin.openSession({ subject: 'dave', scopes: ['read:posts'] });
  await ask('endMySessions', { headers: { Authorization: `Bearer ${again.access_token}` } });
  await ask('getPublicKeys');
  await ask('getMetadata');
  await ask('getDescription');
  conforms(named('getDashboard'), await gate.get('/auth/admin/dashboard'));
  // The words of OAuth have a status for what is wrong with a request, not for its method.
  for (const id of ['token', 'revokeToken', 'introspect']) {
    const answer = await gate.get(`/auth${named(id).route}`);
    assert.equal(answer.status, 405, answer.body);
    assert.equal(answer.headers.allow, 'POST');
  }
  // The policy here has no logins; those of tests/worker/login.test.mjs and its neighbours have.
  await ask('chooseProvider', {}, 405);
  for (const id of ['logIn', 'endLogin', 'endLoginByForm', 'returnFromLogout', 'connectAccount', 'disconnectAccount', 'endByProvider']) {
    await ask(id, { in: 'github' }, 404);
  }
  await ask('askToLogOut', {}, 405);
  // Nor does it send mails; that of tests/worker/account-mail.test.mjs does.
  for (const id of ['register', 'verifyEmail', 'askForReset', 'resetPassword', 'askForMagicLink', 'logInByMagicLink']) await ask(id, { headers: json, body: '{}' }, 404);
  // And it has no pages; those of tests/page/own-account.test.mjs and its neighbours have.
  for (const id of ['ownPage', 'useOwnPage']) await ask(id, {}, 404);
  // Strangers, everywhere: what administration answers them is described too.
  for (const operation of operations.filter((one) => one.route.startsWith('/admin'))) {
    const target = `/auth${operation.route.replace('{id}', 'x')}`;
    for (const headers of [{}, { Authorization: 'Bearer guess' }]) conforms(operation, await gate.request(operation.method.toUpperCase(), target, { headers }));
  }
  assert.deepEqual(operations.map((one) => one.operationId).filter((id) => !asked.has(id)), [], 'each operation was asked');
});

test('the client sends its secret to no other place', async () => {
  assert.throws(() => createAdminClient({ url: 'http://api.example.com', token: 'secret' }), /url: expected https/);
  assert.throws(() => createAdminClient({ url: 'https://user@api.example.com', token: 'secret' }), /url: expected an origin/);
  assert.throws(() => createAdminClient({ url: 'https://api.example.com', token: 'a\nb' }), /token/);
  const seen = [];
  const answers = [new Response('', { status: 302, headers: { Location: 'https://evil.example/' } }), new Response('<html>', { status: 200 })];
  const admin = createAdminClient({
    url: 'https://api.example.com',
    token: 'secret',
    fetch: async (url, init) => {
      seen.push([url, init.redirect]);
      return answers.shift();
    },
  });
  await assert.rejects(admin.listKeys(), refusedWith('UNEXPECTED_ANSWER'));
  await assert.rejects(admin.listKeys(), refusedWith('UNEXPECTED_ANSWER'));
  assert.deepEqual(seen, Array(2).fill(['https://api.example.com/auth/admin/keys', 'manual']));
});
