// Named secrets of administrators: what each may ask for is what the description of the endpoints says, and who it was is in every line and event.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { shown } from './authenticator.mjs';
import { ROOT, SECRETS, admitted, refused, startGate } from './harness.mjs';
import { sessionPolicy } from './sessions.mjs';

const ROLES = ['read', 'keys', 'revoke', 'sessions', 'accounts', 'all'];
const SECRET_OF = Object.fromEntries(ROLES.map((role) => [role, `the-secret-of-${role}-has-at-least-32-bytes`]));
const secrets = { ...SECRETS, ...Object.fromEntries(ROLES.map((role) => [`${role.toUpperCase()}_ROLE`, SECRET_OF[role]])), METRICS_SECRET: 'metrics-secret-that-has-32-bytes!' };

const document = JSON.parse(readFileSync(path.join(ROOT, 'docs/openapi.json'), 'utf8'));
const operations = Object.entries(document.paths).flatMap(([route, item]) =>
  ['get', 'post', 'patch', 'delete'].filter((method) => item[method]?.security.some((one) => one.administrator))
    .map((method) => ({ route, method: method.toUpperCase(), role: item[method].security[0].administrator[0] })));

let gate;

before(async () => {
  gate = await startGate({
    secrets,
    policy: sessionPolicy({
      revocation: { mode: 'ledger' },
      accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }] },
      watch: { metrics_secret: 'METRICS_SECRET' },
      admin: { secret: 'ADMIN_TOKEN', secrets: ROLES.map((role) => ({ name: `${role}-only`, secret: `${role.toUpperCase()}_ROLE`, roles: [role] })) },
    }),
  });
});
after(() => gate?.dispose());

const ask = ({ method, route }, secret) => {
  const target = `/auth${route.replace('{id}', '0'.repeat(32))}${method === 'GET' && route.endsWith('/sessions') ? '?subject=x' : ''}`;
  // No good body: nothing is done, and what is refused for its body was let in before.
  return gate.request(method, target, { token: secret, body: method === 'GET' || method === 'DELETE' ? undefined : '{' });
};

describe('roles', () => {
  test('each endpoint of administration has one', () => {
    assert.ok(operations.length > 20, `${operations.length}`);
    for (const { route, method, role } of operations) assert.ok(ROLES.includes(role) && role !== 'all', `${method} ${route}: ${role}`);
  });

  for (const role of ROLES) {
    test(`${role} opens its own endpoints and no others`, async () => {
      for (const operation of operations) {
        const answer = await ask(operation, SECRET_OF[role]);
        const name = `${operation.method} ${operation.route}`;
        if (role === 'all' || role === operation.role) {
          assert.ok(![401, 403].includes(answer.status), `${name}: ${answer.status} ${answer.text}`);
        } else {
          const { hint } = refused(answer, 'INSUFFICIENT_SCOPE', { scope: operation.role });
          assert.equal(hint, `Use an administrator's secret with the role ${operation.role}`, name);
        }
      }
    });
  }

  test('accounts is as powerful as any caller, as keys and sessions are', async () => {
    const post = (target, body, options) => gate.post(`/auth${target}`, { body, ...options });
    const email = 'ada@example.com';
    const made = await post('/admin/accounts', { email, password: 'quiet river, late boat', scopes: ['read:posts'] }, { token: SECRET_OF.accounts });
    assert.equal(made.status, 201, made.text);
    const { id, subject } = made.json();
    const { access_token: token } = (await post('/login', { email, password: 'quiet river, late boat' })).json();
    const { secret } = (await post('/mfa/totp', {}, { token })).json();
    const confirmed = await post('/mfa/totp/confirm', { code: shown(secret), password: 'quiet river, late boat' }, { token });
    assert.ok([200, 202].includes(confirmed.status), confirmed.text);
    refused(await post('/login', { email, password: 'quiet river, late boat' }), 'MFA_REQUIRED');
    const body = { password: 'seven slow bicycles', drop_factors: true };
    const changed = await gate.request('PATCH', `/auth/admin/accounts/${id}`, { body, token: SECRET_OF.accounts });
    assert.ok([200, 202].includes(changed.status), changed.text);
    const opened = await post('/login', { email, password: 'seven slow bicycles' });
    assert.equal(opened.status, 200, opened.text);
    admitted(await gate.get('/v1/posts', { token: opened.json().access_token }), { subject });
  });

  test('what is not there is not there for anybody, and a secret is asked for before', async () => {
    for (const role of ROLES) {
      refused(await gate.get('/auth/admin/nowhere', { token: SECRET_OF[role] }), 'NOT_FOUND');
      refused(await gate.request('PUT', '/auth/admin/keys', { token: SECRET_OF[role] }), 'METHOD_NOT_ALLOWED');
    }
    refused(await gate.get('/auth/admin/nowhere'), 'MISSING_CREDENTIALS');
    for (const wrong of [`${SECRET_OF.all}x`, SECRET_OF.all.slice(1), 'all-only', secrets.METRICS_SECRET]) {
      refused(await gate.get('/auth/admin/keys', { token: wrong }), 'INVALID_TOKEN');
    }
  });

  test('metrics are for their own secret, and for who may read', async () => {
    const status = async (secret) => (await gate.get('/auth/metrics', { token: secret })).status;
    assert.deepEqual(await Promise.all([secrets.METRICS_SECRET, SECRET_OF.read, SECRET_OF.all, SECRETS.ADMIN_TOKEN].map(status)), [200, 200, 200, 200]);
    refused(await gate.get('/auth/metrics', { token: SECRET_OF.keys }), 'INSUFFICIENT_SCOPE', { scope: 'read' });
  });

  test('a role of one does not do what another one’s secret has done', async () => {
    const minted = await gate.request('POST', '/auth/admin/keys', { token: SECRET_OF.keys, body: { name: 'x', owner: 'bob', scopes: ['read:posts'] } });
    assert.equal(minted.status, 201, minted.text);
    const { id, key } = minted.json();
    refused(await gate.request('DELETE', `/auth/admin/keys/${id}`, { token: SECRET_OF.read }), 'INSUFFICIENT_SCOPE', { scope: 'keys' });
    refused(await gate.request('DELETE', `/auth/admin/keys/${id}`, { token: SECRET_OF.revoke }), 'INSUFFICIENT_SCOPE', { scope: 'keys' });
    assert.equal((await gate.get('/v1/posts', { key })).status, 200);
    assert.equal((await gate.request('DELETE', `/auth/admin/keys/${id}`, { token: SECRET_OF.keys })).status, 200);
  });
});

test('every line of the log names who it was, and no secret', async () => {
  const line = async (secret, from) => {
    await gate.get('/auth/admin/keys', { token: secret });
    return JSON.parse(await gate.output.find((text) => text.includes('"event":"administered"'), from));
  };
  for (const [secret, actor, status] of [[SECRETS.ADMIN_TOKEN, 'admin', 200], [SECRET_OF.read, 'read-only', 200], [SECRET_OF.keys, 'keys-only', 403]]) {
    const told = await line(secret, gate.output.lines.length);
    assert.deepEqual([told.actor, told.status, told.path], [actor, status, '/auth/admin/keys']);
    if (status === 403) assert.deepEqual([told.code, told.detail], ['INSUFFICIENT_SCOPE', 'the secret lacks the role read']);
  }
});
