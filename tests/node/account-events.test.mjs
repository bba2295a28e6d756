// What becomes of accounts is told in the npm package as in the Worker: by `log`, and by the watch.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { generateSync } from 'otplib';

import { memoryStore } from '../../pkg/wasm/node.js';
import { SECRETS, freshIp } from '../worker/harness.mjs';
import { accountPolicy } from './account-gate.mjs';
import { gateOf } from './gate.mjs';
import { sessionSecrets } from './session-gate.mjs';

const PASSWORD = 'quiet river, late boat';
const secrets = { ...sessionSecrets(), ACCOUNTS_SECRET: SECRETS.ACCOUNTS_SECRET };

function accountGate(changes = {}) {
  const policy = accountPolicy({ watch: {}, ...changes });
  const made = gateOf({ policy, secrets, stores: { sessions: memoryStore(), accounts: memoryStore() } });
  const ask = async (path, body, { token, ip = freshIp(), method = 'POST' } = {}) => {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await made.gate.handle({ method, url: `https://api.example.com${path}`, headers, body: JSON.stringify(body) }, { clientIp: ip });
    return { status: answer.status, json: () => JSON.parse(answer.body) };
  };
  const told = () => made.events.filter(({ event }) => event === 'account').map(({ action, methods }) => [action, ...(methods ? [methods] : [])].join(': '));
  return { ...made, ask, told };
}

const email = `person-${randomBytes(4).toString('hex')}@example.com`;

/** Somebody comes, sets up an authenticator, comes again and leaves. */
async function lived({ gate, ask, clock }) {
  const { id, subject } = await gate.accounts.create({ email, password: PASSWORD });
  const logIn = async () => (await ask('/auth/login', { email, password: PASSWORD }, { ip: '203.0.113.77' })).json();
  const { access_token: token } = await logIn();
  const { secret } = (await ask('/auth/mfa/totp', {}, { token })).json();
  const code = () => generateSync({ secret, epoch: clock.now });
  assert.ok([200, 202].includes((await ask('/auth/mfa/totp/confirm', { code: code(), password: PASSWORD }, { token })).status));
  clock.now += 60;
  const { mfa_token } = await logIn();
  assert.equal((await ask('/auth/mfa', { mfa_token, code: code() })).status, 200);
  assert.equal((await ask('/auth/login', { email, password: 'another password' })).status, 401);
  await gate.accounts.update(id, { disabled: true });
  await gate.accounts.delete(id);
  return subject;
}

const LIFE = ['created', 'logged_in: password', 'totp_added', 'recovery_codes_made', 'logged_in: password totp', 'disabled', 'deleted'];

test('each login and each change is told by log, with who and from where, and by no address', async () => {
  const made = accountGate();
  const subject = await lived(made);
  assert.deepEqual(made.told(), LIFE);
  const [created, { at, ...logIn }] = made.events.filter(({ event }) => event === 'account');
  // The application has asked, no caller.
  assert.deepEqual(Object.keys(created), ['event', 'at', 'action', 'subject']);
  assert.equal(typeof at, 'number');
  assert.deepEqual(logIn, { event: 'account', action: 'logged_in', methods: 'password', method: 'POST', route: '/auth/login', subject, client: '203.0.113.77' });
  assert.ok(!JSON.stringify(made.events).includes(email));
});

test('the watch counts them, and names nobody', async () => {
  const made = accountGate();
  const subject = await lived(made);
  const { accounts, decisions, events } = await made.gate.watch.read();
  assert.deepEqual(accounts.map(({ action, methods = '', n }) => `${action} ${methods} ${n}`).sort(), [
    'created  1', 'deleted  1', 'disabled  1', 'logged_in password 1', 'logged_in password totp 1', 'recovery_codes_made  1', 'totp_added  1',
  ]);
  assert.deepEqual(decisions.admitted, 0);
  assert.ok(events.some(({ event, action }) => event === 'account' && action === 'totp_added'));
  const text = JSON.stringify(events);
  assert.ok(!text.includes(subject) && !text.includes(email) && !text.includes('203.0.113.77'));
  assert.match(await made.gate.metrics(), /^edgegate_account_events_total\{action="logged_in",methods="password totp"\} 1$/m);
});

test('log = "none" says nothing', async () => {
  const made = accountGate({ log: 'none' });
  await lived(made);
  assert.deepEqual(made.events, []);
});
