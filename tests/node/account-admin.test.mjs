// Accounts in the npm package, administered over HTTP: by named secrets with roles, in an application, and by the command line.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { ROOT, SECRETS, freshIp } from '../worker/harness.mjs';
import { accountPolicy } from './account-gate.mjs';
import { gateOf } from './gate.mjs';
import { SERVED, startApplication } from './login.mjs';
import { CLIENTS, startRedis } from './redis-server.mjs';
import { sessionSecrets } from './session-gate.mjs';

const PASSWORD = 'quiet river, late boat';
const ROLES = ['read', 'keys', 'revoke', 'sessions', 'accounts', 'all'];
const SECRET_OF = Object.fromEntries(ROLES.map((role) => [role, `the-secret-of-${role}-has-at-least-32-bytes`]));
const secrets = {
  ...sessionSecrets(), ACCOUNTS_SECRET: SECRETS.ACCOUNTS_SECRET, ...Object.fromEntries(ROLES.map((role) => [`${role.toUpperCase()}_ROLE`, SECRET_OF[role]])),
};
const admin = { secret: 'ADMIN_TOKEN', secrets: ROLES.map((role) => ({ name: `${role}-only`, secret: `${role.toUpperCase()}_ROLE`, roles: [role] })) };
const adminPolicy = (changes = {}) => accountPolicy({ admin, ...changes });

let last = 0;
const freshEmail = () => `person-${++last}-${randomBytes(4).toString('hex')}@example.com`;

/** A gate with administrators. `ask` asks it by a secret, over HTTP. */
function adminGate({ policy = adminPolicy(), stores = {}, ...rest } = {}) {
  const made = gateOf({ policy, secrets, stores: { sessions: memoryStore(), accounts: memoryStore(), ...stores }, ...rest });
  const ask = async (method, target, body, { secret = SECRET_OF.all, headers = {}, ip = freshIp() } = {}) => {
    const asked = {
      method, url: `https://api.example.com${target}`, body: body === undefined ? undefined : JSON.stringify(body),
      headers: { ...(secret && { authorization: `Bearer ${secret}` }), ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    };
    const answer = await made.gate.handle(asked, { clientIp: ip });
    return answer && { ...answer, json: () => JSON.parse(answer.body) };
  };
  return { ...made, ask };
}

const refused = (answer, code) => assert.equal(`${answer.status} ${answer.json().code}`, code, answer.body);
const at = (id) => `/auth/admin/accounts/${id}`;

async function wholeLife({ gate, ask, events }) {
  const email = freshEmail();
  const logIn = (password = PASSWORD) => ask('POST', '/auth/login', { email, password }, { secret: null });
  const made = await ask('POST', '/auth/admin/accounts', { email, password: PASSWORD, scopes: ['write:posts'], verified: true });
  assert.equal(made.status, 201, made.body);
  assert.ok(made.headers.some(([name, value]) => name === 'Cache-Control' && /no-store/.test(value)));
  const { id, ...account } = made.json();
  assert.deepEqual(account.scopes, ['write:posts']);
  assert.equal(account.subject, `account|${id}`);
  assert.deepEqual(await gate.accounts.get(id), { ...await gate.accounts.find(email) });
  for (const target of [at(id), `${at(id)}/`]) {
    assert.deepEqual((await ask('GET', target, undefined, { secret: SECRET_OF.read })).json(), made.json(), target);
  }
  assert.deepEqual((await ask('POST', '/auth/admin/accounts/find', { email: email.toUpperCase() }, { secret: SECRET_OF.read })).json(), made.json());
  const first = (await logIn()).json();
  const refresh = ({ refresh_token: refreshToken }) => ask('POST', '/auth/refresh', { refreshToken }, { secret: null });
  const disabled = await ask('PATCH', at(id), { disabled: true }, { secret: SECRET_OF.accounts });
  assert.equal(disabled.json().disabled, true, disabled.body);
  refused(await refresh(first), '401 INVALID_REFRESH_TOKEN');
  refused(await logIn(), '403 NOT_ALLOWED');
  assert.equal((await ask('PATCH', at(id), { disabled: false, password: 'a wholly new one', drop_factors: true })).json().disabled, false);
  refused(await logIn(), '401 INVALID_CREDENTIALS');
  const second = (await logIn('a wholly new one')).json();
  const deleted = await ask('DELETE', at(id));
  assert.ok([200, 202].includes(deleted.status), deleted.body);
  refused(await refresh(second), '401 INVALID_REFRESH_TOKEN');
  refused(await ask('GET', at(id)), '404 NOT_FOUND');
  refused(await ask('DELETE', at(id)), '404 NOT_FOUND');
  const acts = events.filter(({ event }) => event === 'administered').map(({ method, actor, status }) => `${method} ${actor} ${status}`);
  for (const act of ['POST all-only 201', 'GET read-only 200', 'PATCH accounts-only 200', 'DELETE all-only 404']) assert.ok(acts.includes(act), acts.join('\n'));
  const told = JSON.stringify(events);
  assert.ok(!told.includes(email) && !told.includes(PASSWORD) && !told.includes(SECRET_OF.all));
}

describe('over memory', () => {
  test('an account is made, found, changed and deleted', () => wholeLife(adminGate()));

  test('each endpoint has its role, and no other opens it', async () => {
    const { ask } = adminGate();
    const id = (await ask('POST', '/auth/admin/accounts', { email: freshEmail(), password: PASSWORD })).json().id;
    for (const [method, target, role] of [
      ['POST', '/auth/admin/accounts/find', 'read'], ['GET', at(id), 'read'], ['POST', '/auth/admin/accounts', 'accounts'],
      ['POST', '/auth/admin/accounts/invite', 'accounts'], ['POST', '/auth/admin/accounts/prepare', 'accounts'], ['PATCH', at(id), 'accounts'], ['DELETE', at(`${id.slice(0, -4)}AAAA`), 'accounts'],
    ]) {
      for (const held of ROLES) {
        const answer = await ask(method, target, ['POST', 'PATCH'].includes(method) ? {} : undefined, { secret: SECRET_OF[held] });
        const name = `${method} ${target} by ${held}: ${answer.status} ${answer.body}`;
        if (held === role || held === 'all') assert.ok(![401, 403].includes(answer.status), name);
        else assert.deepEqual([answer.status, answer.json().code], [403, 'INSUFFICIENT_SCOPE'], name);
      }
    }
  });

  test('whoever has no secret learns nothing, is not read, and is counted', async () => {
    const { ask, gate, events } = adminGate();
    const bodies = [];
    const stranger = (headers) => gate.handle({
      method: 'PATCH', url: `https://api.example.com${at('nobody')}`, headers, get body() { bodies.push('read'); return '{}'; },
    }, { clientIp: freshIp() });
    for (const headers of [{}, { authorization: 'Bearer a-secret-of-nobody-with-32-bytes!' }, { authorization: `Bearer ${SECRET_OF.read}` }]) {
      assert.ok([401, 403].includes((await stranger(headers)).status));
    }
    assert.deepEqual(bodies, []);
    refused(await ask('GET', at('nobody'), undefined, { secret: null }), '401 MISSING_CREDENTIALS');
    refused(await ask('PUT', at('nobody')), '405 METHOD_NOT_ALLOWED');
    assert.equal(events.find(({ event, actor }) => event === 'administered' && actor === 'read-only').status, 403);
    const ip = freshIp();
    const seen = [];
    for (let guess = 0; guess < 12; guess += 1) seen.push((await ask('GET', at('nobody'), undefined, { secret: `guess-${guess}-with-at-least-32-bytes-in-it`, ip })).status);
    assert.equal(seen[0], 401);
    assert.equal(seen.at(-1), 429, `${seen}`);
    assert.equal((await ask('GET', at('nobody'), undefined, { ip })).status, 429, 'the right one is a guess as any other');
  });

  test('what the policy does not have is the application\'s', async () => {
    for (const policy of [accountPolicy({ admin: undefined }), adminPolicy({ accounts: undefined })]) {
      assert.equal(await adminGate({ policy }).ask('GET', at('nobody')), undefined);
    }
    const { ask } = adminGate();
    for (const target of ['/auth/admin/keys', '/auth/admin/accounts/one/more', '/auth/admin/accountsx']) assert.equal(await ask('GET', target), undefined, target);
  });

  test('bad bodies are refused field by field, and a long one whole', async () => {
    const { ask } = adminGate();
    for (const [body, field] of [[{ email: 'nobody', password: PASSWORD }, 'email'], [{ email: freshEmail() }, 'password'], [{ email: freshEmail(), password: PASSWORD, admin: true }, 'admin']]) {
      const answer = await ask('POST', '/auth/admin/accounts', body);
      refused(answer, '400 INVALID_REQUEST');
      assert.match(answer.body, new RegExp(field));
    }
    refused(await ask('POST', '/auth/admin/accounts', { email: freshEmail(), password: PASSWORD, scopes: ['x'.repeat(70_000)] }), '400 INVALID_REQUEST');
    for (const body of [{}, { email: 'nobody' }, { email: 'ada@example.com', id: 'x' }]) refused(await ask('POST', '/auth/admin/accounts/find', body), '400 INVALID_REQUEST');
    refused(await ask('GET', '/auth/admin/accounts?email=ada@example.com'), '405 METHOD_NOT_ALLOWED');
  });

  test('there is nothing to prepare: the first step in a part of the store costs what any other does', async () => {
    const { ask } = adminGate();
    const prepare = (body) => ask('POST', '/auth/admin/accounts/prepare', body);
    assert.deepEqual((await prepare({})).json(), { prepared: 4096, next: null, of: 4096 });
    assert.deepEqual((await prepare({ from: 4000 })).json(), { prepared: 96, next: null, of: 4096 });
    for (const body of [{ from: 4096 }, { from: -1 }, { from: '0' }, { to: 1 }]) refused(await prepare(body), '400 INVALID_REQUEST');
  });

  test('where the policy wants an entry in the audit, nothing is done without one', async () => {
    for (const [audit, status, told] of [['required', 503, false], ['best-effort', 201, true], ['off', 201, false]]) {
      const { ask, gate, events } = adminGate({ policy: adminPolicy({ watch: { audit } }) });
      const email = freshEmail();
      const answer = await ask('POST', '/auth/admin/accounts', { email, password: PASSWORD });
      assert.equal(answer.status, status, answer.body);
      if (status === 503) assert.equal((await gate.accounts.find(email).catch(({ code }) => code)), 'NOT_FOUND');
      refused(await ask('GET', at('nobody'), undefined, { secret: SECRET_OF.read }), '404 NOT_FOUND');
      const lines = events.filter(({ event, detail }) => event === 'fault' && detail.startsWith('audit: no entry of POST /accounts by all-only, 201'));
      assert.equal(lines.length, told ? 1 : 0, JSON.stringify(events));
      await gate.close();
    }
  });
});

test('over Redis, and of a hundred that make the same account at once one does', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const { client, close } = await CLIENTS.redis(redis.port);
  t.after(close);
  const store = redisStore(client);
  const made = adminGate({ stores: { sessions: store, accounts: store, revocation: store, counters: store, keys: store }, now: undefined });
  await wholeLife(made);
  const email = freshEmail();
  const all = await Promise.all(Array.from({ length: 100 }, () => made.ask('POST', '/auth/admin/accounts', { email, password: PASSWORD })));
  const counts = {};
  for (const { status } of all) counts[status] = (counts[status] ?? 0) + 1;
  assert.deepEqual([counts[201], Object.keys(counts).filter((status) => !['201', '400', '503'].includes(status))], [1, []], JSON.stringify(counts));
});

for (const name of ['express', 'fastify']) {
  describe(`by ${name}`, () => {
    let application;
    before(async () => { application = await startApplication(SERVED[name], [], { secrets, policy: adminPolicy }); });
    after(() => application.close());

    const run = (parameters, input = '') => new Promise((resolve) => {
      const child = execFile(process.execPath, [path.join(ROOT, 'pkg/bin/edgegate.js'), ...parameters, '--url', application.origin], {
        env: { ...process.env, EDGEGATE_ADMIN_TOKEN: SECRET_OF.accounts, EDGEGATE_URL: application.origin, XDG_CONFIG_HOME: '/nonexistent' },
      }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
      child.stdin.end(input);
    });

    test('the command line makes, changes and deletes accounts', async () => {
      const email = freshEmail();
      const made = await run(['accounts', 'create', email, '--json'], `${PASSWORD}\n`);
      assert.equal(made.code, 0, made.stderr);
      const { id } = JSON.parse(made.stdout);
      const ok = async (...parameters) => assert.equal((await run(parameters)).code, 0, parameters.join(' '));
      await ok('accounts', 'disable', id);
      assert.equal((await application.gate.accounts.get(id)).disabled, true);
      await ok('accounts', 'enable', id);
      await ok('accounts', 'delete', id, '--yes');
      // This secret may not look.
      assert.notEqual((await run(['accounts', 'find', email])).code, 0);
    });
  });
}
