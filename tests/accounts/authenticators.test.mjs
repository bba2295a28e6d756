// pyotp, as the authenticator of somebody: it reads the address that the gate gives, and its codes log in.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { freshIp, refused, start } from '../worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../worker/sessions.mjs';
import { claimsOf } from '../worker/token.mjs';
import { Counterparts } from './counterparts.mjs';

const PASSWORD = 'quiet river, late boat';
const STEP_SECS = 30;
/** What a clock may go on within a test without another step. */
const INTO_STEP_SECS = 3;

let gate;
let sessions;
let others;
before(async () => {
  others = new Counterparts();
  gate = await start([sessionWorker({ policy: sessionPolicy({ accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }] } }) })]);
  sessions = new Sessions(gate);
});
after(async () => {
  others?.end();
  await gate?.dispose();
});

const now = () => Math.floor((Date.now() + sessions.ahead) / 1000);
const post = (path, body, options = {}) => sessions.post(`/auth${path}`, { body, ip: freshIp(), ...options });

/** Moves the gate's clock to the beginning of a step, at least so many steps on. */
const nextStep = (steps = 1) => sessions.wait((steps + 1) * STEP_SECS + INTO_STEP_SECS - (now() % STEP_SECS));

/** The code that pyotp shows so many steps from now. */
const shown = (uri, steps = 0) => others.ask('code', { uri, time: now() + steps * STEP_SECS });

async function withAuthenticator() {
  const email = `person-${randomBytes(4).toString('hex')}@example.com`;
  const made = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  const { access_token: token } = (await post('/login', { email, password: PASSWORD })).json();
  const { secret, uri } = (await post('/mfa/totp', { label: email }, { token })).json();
  await nextStep();
  const confirmed = await post('/mfa/totp/confirm', { code: await shown(uri), password: PASSWORD }, { token });
  assert.ok([200, 202].includes(confirmed.status), confirmed.text);
  return { email, secret, uri };
}

async function second(email, code) {
  const { mfa_token } = (await post('/login', { email, password: PASSWORD })).json();
  return post('/mfa', { mfa_token, code });
}

test('pyotp reads the address, and writes the same one', async () => {
  const { email, secret, uri } = await withAuthenticator();
  const { again, ...read } = await others.ask('authenticator', { uri });
  assert.deepEqual(read, { secret, issuer: 'api.example.com', name: email, digits: 6, interval: STEP_SECS });
  const fields = (text) => Object.fromEntries(new URL(text).searchParams);
  assert.equal(new URL(again).pathname.toLowerCase(), new URL(uri).pathname.toLowerCase());
  // What pyotp leaves out is what authenticators take for granted.
  assert.deepEqual({ algorithm: 'SHA1', digits: '6', period: '30', ...fields(again) }, fields(uri));
});

test('codes of pyotp log in: of this step, of one before and one after, each once and in order', async () => {
  const { email, uri } = await withAuthenticator();
  const accepted = async (steps) => {
    const answer = await second(email, await shown(uri, steps));
    assert.equal(answer.status, 200, `${steps}: ${answer.text}`);
    assert.deepEqual(claimsOf(answer.json().access_token).amr, ['pwd', 'otp', 'mfa']);
  };
  const wrong = async (steps) => refused(await second(email, await shown(uri, steps)), 'INVALID_CREDENTIALS');
  await nextStep(3);
  await accepted(-1);
  await wrong(-1);
  await accepted(0);
  await accepted(1);
  await wrong(0);
  await nextStep(3);
  await wrong(-2);
  await wrong(2);
  await accepted(0);
});
