// Passkeys with the programs of others: soft-webauthn as an authenticator, py_webauthn and @simplewebauthn/server beside the gate, and
// what Chromium's virtual authenticator makes. What the gate takes both others take, and what they refuse it refuses.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';

import { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server';

import { launch } from '../browser/chromium.mjs';
import { closedPort, freshIp, refused, start } from '../worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../worker/sessions.mjs';
import { claimsOf } from '../worker/token.mjs';
import { Counterparts } from './counterparts.mjs';

const PASSWORD = 'quiet river, late boat';
const PLATFORM = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };

let gate;
let sessions;
let others;
let origin;
before(async () => {
  const port = await closedPort();
  origin = `http://localhost:${port}`;
  others = new Counterparts();
  const policy = sessionPolicy({ origin, accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], passkeys: { rp_name: 'The posts' } } });
  gate = await start([sessionWorker({ policy, worker: { unsafeDirectSockets: [{ host: '127.0.0.1', port }] } })]);
  sessions = new Sessions(gate);
});
after(async () => {
  others?.end();
  await gate?.dispose();
});
// The hashes that strangers may have come back.
beforeEach(() => sessions.wait(60));

const post = (path, body, options = {}) => sessions.post(`/auth${path}`, { body, ip: freshIp(), ...options });

async function json(promise, ...statuses) {
  const answer = await promise;
  assert.ok(statuses.includes(answer.status), `${answer.status} ${answer.text}`);
  return answer.json();
}

/** Somebody with an account, who has logged in by the password. */
async function person() {
  const email = `person-${randomBytes(4).toString('hex')}@example.com`;
  const made = await json(sessions.admin('POST', '/accounts', { email, password: PASSWORD }), 201);
  const { access_token: token } = await json(post('/login', { email, password: PASSWORD }), 200);
  return { email, token, ...made };
}

const creationOptions = (token) => json(post('/mfa/passkeys/options', { name: 'ada@example.com' }, { token }), 200);
const requestOptions = () => json(post('/passkey/options'), 200);
const add = (token, credential) => post('/mfa/passkeys', { credential, password: PASSWORD }, { token });

/** Both servers of others take a passkey and a proof by it. */
async function othersAgree({ options, credential, request, proof, format }) {
  const verified = await others.ask('verify', { options, credential, origin, request, proof });
  assert.deepEqual([verified.id, verified.format], [credential.id, format]);
  const expected = { expectedOrigin: origin, expectedRPID: 'localhost', requireUserVerification: true };
  const made = await verifyRegistrationResponse({ response: credential, expectedChallenge: options.challenge, ...expected });
  assert.equal(made.registrationInfo.fmt, format);
  const proven = await verifyAuthenticationResponse({
    response: proof, expectedChallenge: request.challenge, credential: made.registrationInfo.credential, ...expected,
  });
  assert.ok(made.verified && proven.verified);
}

test('py_webauthn reads what the gate asks for', async () => {
  const { token, id } = await person();
  const [creation, request] = [await creationOptions(token), await requestOptions()];
  assert.deepEqual(await others.ask('read_options', { creation, request }), {
    rp: 'localhost', user: id, algorithms: [-8, -7, -257], verification: ['required', 'required'], attestation: 'none', asked: 'localhost',
  });
});

for (const attests of [false, true]) {
  test(`soft-webauthn makes a passkey ${attests ? 'that attests itself' : 'without attestation'}, and comes in by it`, async () => {
    const { token, subject } = await person();
    const options = await creationOptions(token);
    const credential = await others.ask('create', { device: subject, options, origin, attests });
    await json(add(token, credential), 201, 202);
    const request = await requestOptions();
    const proof = await others.ask('get', { device: subject, options: request, origin });
    const { access_token: access } = await json(post('/passkey', { credential: proof }), 200);
    assert.deepEqual([claimsOf(access).sub, claimsOf(access).acr], [subject, 'mfa']);
    await othersAgree({ options, credential, request, proof, format: attests ? 'packed' : 'none' });
    refused(await post('/passkey', { credential: proof }), 'INVALID_CREDENTIALS');
    // A copy of the device that has not counted on.
    const copied = await others.ask('get', { device: subject, options: await requestOptions(), origin, count: 0 });
    refused(await post('/passkey', { credential: copied }), 'INVALID_CREDENTIALS');
    const again = await others.ask('get', { device: subject, options: await requestOptions(), origin, count: 1 });
    await json(post('/passkey', { credential: again }), 200);
  });
}

test('what another origin was given, and a device that has not checked who is there, are refused by all', async () => {
  const { token, subject } = await person();
  const unchecked = { device: subject, options: await creationOptions(token), origin, checked: false };
  const credential = await others.ask('create', unchecked);
  const answer = await add(token, credential);
  assert.deepEqual([answer.status, answer.json().details.map(({ field }) => field)], [400, ['credential']]);
  const request = await requestOptions();
  const proof = await others.ask('get', { device: subject, options: request, origin });
  await assert.rejects(others.ask('verify', { options: unchecked.options, credential, origin, request, proof }), /verif/i);

  const options = await creationOptions(token);
  const elsewhere = await others.ask('create', { device: subject, options, origin: 'https://evil.example' });
  assert.equal((await add(token, elsewhere)).status, 400);
  await assert.rejects(others.ask('verify', { options, credential: elsewhere, origin, request, proof }), /origin/);
});

test('what Chromium makes for the gate both others take too', async () => {
  const { email, subject } = await person();
  const browser = await launch();
  try {
    const context = await browser.newContext({ bypassCSP: true, extraHTTPHeaders: { 'CF-Connecting-IP': freshIp() } });
    const page = await context.newPage();
    const device = await context.newCDPSession(page);
    await device.send('WebAuthn.enable');
    await device.send('WebAuthn.addVirtualAuthenticator', { options: PLATFORM });
    await page.goto(`${origin}/auth/health`);
    const seen = await page.evaluate(async ({ name, password }) => {
      const ask = async (path, body) => {
        const answer = await fetch(`/auth${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) });
        return { status: answer.status, body: await answer.json() };
      };
      await ask('/login', { email: name, password });
      const { body: options } = await ask('/mfa/passkeys/options', { name });
      const credential = (await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })).toJSON();
      const made = await ask('/mfa/passkeys', { credential, password });
      const { body: request } = await ask('/passkey/options');
      const proof = (await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(request) })).toJSON();
      const opened = await ask('/passkey', { credential: proof });
      const me = await (await fetch('/auth/session')).json();
      return { options, credential, request, proof, statuses: [made.status, opened.status], subject: me.subject };
    }, { name: email, password: PASSWORD });
    assert.ok([201, 202].includes(seen.statuses[0]), seen.statuses.join());
    assert.deepEqual([seen.statuses[1], seen.subject], [200, subject]);
    await othersAgree({ ...seen, format: 'none' });
  } finally {
    await browser.close();
  }
});
