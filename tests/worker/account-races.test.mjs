// What counts once counts once, also where a hundred show it at the same time, each from an address of its own.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';

import { shown } from './authenticator.mjs';
import { freshIp, start, until } from './harness.mjs';
import { SAME_ORIGIN, Sessions, cookiesOf, sessionPolicy, sessionWorker } from './sessions.mjs';

const PASSWORD = 'quiet river, late boat';
const CROWD = 100;
/** Logins that wait for a code. Strangers may have 50 hashes at once. */
const LOGINS = 20;
const STEP_SECS = 31;

const mails = [];
/** Another Worker that carries mails. */
const carrier = async (request) => {
  mails.push(await request.json());
  return new Response();
};

let gate;
let sessions;
before(async () => {
  const accounts = {
    secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }],
    mail: { kind: 'service', binding: 'CARRIER' },
    registration: 'open',
    magic_link: true,
  };
  gate = await start([sessionWorker({ policy: sessionPolicy({ accounts }), worker: { serviceBindings: { CARRIER: carrier } } })]);
  sessions = new Sessions(gate);
});
after(() => gate?.dispose());
// A step of an authenticator counts once, and the hashes that strangers may have come back.
beforeEach(() => sessions.wait(60));

let last = 0;
const freshEmail = () => `person-${++last}-${randomBytes(4).toString('hex')}@example.com`;
const post = (path, body, options = {}) => sessions.post(`/auth${path}`, { body, ip: freshIp(), ...options });

async function created() {
  const email = freshEmail();
  const answer = await sessions.admin('POST', '/accounts', { email, password: PASSWORD, verified: true });
  assert.equal(answer.status, 201, answer.text);
  return email;
}

/** The token of the link that was sent to this address. */
async function linkTo(email) {
  const mail = () => mails.find(({ to }) => to === email);
  await until(mail);
  return mail().link.split('#token=')[1];
}

/** Exactly one of a crowd succeeds, the others are told one of these, and nobody succeeds later. */
async function oneWins(attempt, refusals) {
  const answers = await Promise.all(Array.from({ length: CROWD }, (_, number) => attempt(number)));
  const statuses = answers.map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 200).length, 1, statuses.join());
  assert.deepEqual(statuses.filter((status) => status !== 200 && !refusals.includes(status)), []);
  assert.ok(refusals.includes((await attempt(CROWD)).status), 'later');
  return answers.find(({ status }) => status === 200);
}

/** Somebody with an authenticator and recovery codes. */
async function withFactor() {
  const email = await created();
  const { access_token: token } = (await post('/login', { email, password: PASSWORD })).json();
  const { secret } = (await post('/mfa/totp', { label: email }, { token })).json();
  const confirmed = await post('/mfa/totp/confirm', { code: shown(secret, sessions.ahead), password: PASSWORD }, { token });
  assert.ok([200, 202].includes(confirmed.status), confirmed.text);
  await sessions.wait(STEP_SECS);
  const waiting = await Promise.all(Array.from({ length: LOGINS }, () => post('/login', { email, password: PASSWORD })));
  return { secret, codes: confirmed.json().recovery_codes, waiting: waiting.map((answer) => answer.json().mfa_token) };
}

test('a code of an authenticator', async () => {
  const { secret, waiting } = await withFactor();
  const code = shown(secret, sessions.ahead);
  // Five are compared, whichever login they are of.
  await oneWins((number) => post('/mfa', { mfa_token: waiting[number % LOGINS], code }), [401, 429]);
});

test('a recovery code', async () => {
  const { codes: [code], waiting } = await withFactor();
  const opened = await oneWins((number) => post('/mfa', { mfa_token: waiting[number % LOGINS], recovery_code: code }), [401, 429]);
  const { recovery_codes_left: left } = (await sessions.get('/auth/mfa', { token: opened.json().access_token })).json();
  assert.equal(left, 9);
});

test('a link to a new password', async () => {
  const email = await created();
  await post('/reset', { email });
  const token = await linkTo(email);
  await oneWins((number) => post('/reset/confirm', { token, password: `seven slow bicycles ${number}` }), [400]);
});

test('a link to log in', async () => {
  const email = await created();
  const asked = await post('/magic-link', { email }, { headers: SAME_ORIGIN });
  const headers = { ...SAME_ORIGIN, Cookie: `__Host-edgegate-a=${cookiesOf(asked)['__Host-edgegate-a']}` };
  const token = await linkTo(email);
  await oneWins(() => post('/magic-link/confirm', { token }, { headers }), [400]);
});

test('an invitation', async () => {
  const email = freshEmail();
  const invited = await sessions.admin('POST', '/accounts/invite', { email });
  assert.equal(invited.status, 201, invited.text);
  const invitation = await linkTo(email);
  await oneWins((number) => post('/register', { email, password: `seven slow bicycles ${number}`, invitation }), [400]);
});

test('a registration', async () => {
  const email = freshEmail();
  await post('/register', { email, password: PASSWORD });
  const token = await linkTo(email);
  await oneWins((number) => post('/verify-email', { token, password: `seven slow bicycles ${number}` }), [400]);
});
