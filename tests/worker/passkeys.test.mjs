// Passkeys: who is logged in makes them, and comes in by them later. The authenticator is software; another library says of each answer what
// it thinks of it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';

import { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server';

import { shown } from './authenticator.mjs';
import { ALGORITHMS, Authenticator, FLAGS } from './passkey-authenticator.mjs';
import { freshIp, refused, start } from './harness.mjs';
import { AT, Browser, RT, Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';
import { claimsOf } from './token.mjs';

const ORIGIN = 'https://api.example.com';
const RP_ID = 'api.example.com';
const PASSWORD = 'quiet river, late boat';
const PAGE = { 'Sec-Fetch-Site': 'same-origin' };

const ACCOUNTS = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }] };

let gate;
let sessions;
/** Where everybody needs a second factor. */
let required;
before(async () => {
  gate = await start([
    sessionWorker({ policy: sessionPolicy({ accounts: { ...ACCOUNTS, passkeys: { rp_name: 'The posts' } } }, { origins: ['https://app.example.com', 'https://www.api.example.com'] }) }),
    sessionWorker({ name: 'none', policy: sessionPolicy({ accounts: ACCOUNTS }) }),
    sessionWorker({ name: 'required', policy: sessionPolicy({ accounts: { ...ACCOUNTS, passkeys: {}, mfa: 'required' } }) }),
  ]);
  sessions = new Sessions(gate);
  required = new Sessions(gate, 'required');
});
after(() => gate?.dispose());
// The hashes that strangers may have come back.
beforeEach(async () => {
  await sessions.wait(60);
  await required.wait(60);
});

let last = 0;
/** Somebody with an account, who has logged in by the password. */
async function person(at = sessions) {
  const email = `passkey-${++last}-${randomBytes(4).toString('hex')}@example.com`;
  const made = await at.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  const opened = await at.post('/auth/login', { body: { email, password: PASSWORD } });
  assert.equal(opened.status, 200, opened.text);
  return { email, ...made.json(), token: opened.json().access_token };
}

const creationOptions = async (token, body = { name: 'ada@example.com' }) => {
  const answer = await sessions.post('/auth/mfa/passkeys/options', { body, token });
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
};
const add = (token, credential, more = {}) => sessions.post('/auth/mfa/passkeys', { body: { credential, password: PASSWORD, ...more }, token });

/** It was added; with 202 not each isolate knows yet that the other sessions have ended. */
const added = (answer) => assert.ok([201, 202].includes(answer.status), answer.text);
const done = (answer) => assert.ok([200, 202].includes(answer.status), answer.text);

/** Somebody with a passkey. */
async function owner(options) {
  const who = await person();
  const authenticator = new Authenticator(options);
  const made = await add(who.token, authenticator.create(await creationOptions(who.token)));
  added(made);
  return { ...who, authenticator };
}

const requestOptions = async () => {
  const answer = await sessions.post('/auth/passkey/options');
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
};
const present = (credential, more = {}) => sessions.post('/auth/passkey', { body: { credential }, ...more });
const comeIn = async (authenticator, lies) => present(authenticator.get(await requestOptions(), lies));

test('who is logged in makes a passkey, and comes in by it without a name, by each algorithm; another library agrees', async () => {
  for (const algorithm of Object.keys(ALGORITHMS)) {
    for (const attests of [false, true]) {
      const { token, id, subject } = await person();
      const options = await creationOptions(token);
      assert.deepEqual(options.rp, { id: RP_ID, name: 'The posts' });
      assert.deepEqual(options.user, { id, name: 'ada@example.com', displayName: 'ada@example.com' });
      assert.equal(options.authenticatorSelection.userVerification, 'required');
      assert.equal(options.authenticatorSelection.residentKey, 'required');
      assert.deepEqual(options.pubKeyCredParams.map(({ alg }) => alg), [-8, -7, -257]);
      const authenticator = new Authenticator({ algorithm });
      const response = authenticator.create(options, { attests });
      const expected = { expectedOrigin: ORIGIN, expectedRPID: RP_ID, requireUserVerification: true };
      const { verified, registrationInfo } = await verifyRegistrationResponse({ response, expectedChallenge: options.challenge, ...expected });
      assert.ok(verified);
      const made = await add(token, response, { label: 'Phone' });
      added(made);
      const { pending, recovery_codes: codes, ...shown } = made.json();
      assert.equal(codes.length, 10);
      assert.equal(pending === true, made.status === 202);
      assert.deepEqual(shown, { id: response.id, label: 'Phone' });

      const asked = await requestOptions();
      assert.deepEqual(asked.allowCredentials, []);
      assert.equal(asked.rpId, RP_ID);
      const proof = authenticator.get(asked);
      const { verified: isProven } = await verifyAuthenticationResponse({ response: proof, expectedChallenge: asked.challenge, ...expected, credential: registrationInfo.credential });
      assert.ok(isProven);
      const opened = await present(proof);
      assert.equal(opened.status, 200, `${algorithm}: ${opened.text}`);
      assert.deepEqual(Object.keys(opened.json()), ['session_id', 'access_token', 'token_type', 'expires_in', 'refresh_token', 'refresh_expires_in']);
      const claims = claimsOf(opened.json().access_token);
      assert.equal(claims.sub, subject);
      assert.deepEqual([claims.amr, claims.acr], [['pop', 'user', 'mfa'], 'mfa']);
      assert.ok(Math.abs(claims.auth_time - claims.iat) <= 2);
    }
  }
});

test('a browser gets cookies; an answer is good in the browser that asked, and in no other', async () => {
  const { authenticator } = await owner();
  const browser = new Browser(sessions);
  const options = (await browser.post('/auth/passkey/options')).json();
  assert.match(Object.keys(browser.jar).join(' '), /^__Host-edgegate-b$/);
  const credential = authenticator.get(options);
  const other = new Browser(sessions);
  await other.post('/auth/passkey/options');
  refused(await other.post('/auth/passkey', { body: { credential } }), 'INVALID_CREDENTIALS');
  refused(await new Browser(sessions).post('/auth/passkey', { body: { credential } }), 'INVALID_CREDENTIALS');
  refused(await present(credential), 'INVALID_CREDENTIALS');
  refused(await present(authenticator.get(await requestOptions()), { headers: { ...PAGE, Cookie: browser.cookie } }), 'INVALID_CREDENTIALS');
  for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example' }]) {
    refused(await browser.post('/auth/passkey', { body: { credential }, headers }), 'CSRF_REFUSED');
    refused(await browser.post('/auth/passkey/options', { headers }), 'CSRF_REFUSED');
  }
  const opened = await browser.post('/auth/passkey', { body: { credential, remember: true } });
  assert.equal(opened.status, 200, opened.text);
  assert.deepEqual(Object.keys(opened.json()), ['session_id', 'expires_in']);
  assert.deepEqual(Object.keys(browser.jar).sort(), [AT, '__Host-edgegate-b', '__Host-edgegate-d', RT].sort());
  const me = (await browser.get('/auth/session')).json();
  assert.deepEqual(me.amr, ['pop', 'user', 'mfa']);
  // The browser is known from now on, and asks again by the same cookie.
  const again = await browser.post('/auth/passkey/options');
  assert.equal(again.headers['set-cookie'], undefined);
});

test('of a hundred who show one answer at once one gets a session', async () => {
  const { authenticator } = await owner();
  const credential = authenticator.get(await requestOptions());
  const answers = await Promise.all(Array.from({ length: 100 }, () => present(credential)));
  const statuses = answers.map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 200).length, 1, statuses.join());
  assert.equal(statuses.filter((status) => status === 401).length, 99, statuses.join());
  refused(await present(credential), 'INVALID_CREDENTIALS');
});

test('an answer is good for five minutes, and for what was asked', async () => {
  const { token, authenticator } = await owner();
  const options = await requestOptions();
  const [late, soon] = [authenticator.get(options), authenticator.get(await requestOptions())];
  await sessions.wait(290);
  assert.equal((await present(soon)).status, 200);
  await sessions.wait(11);
  refused(await present(late), 'INVALID_CREDENTIALS');
  const creation = await creationOptions(token);
  refused(await present(authenticator.get({ challenge: creation.challenge, rpId: RP_ID })), 'INVALID_CREDENTIALS');
  const wrong = new Authenticator();
  const answer = await add(token, wrong.create({ ...creation, challenge: (await requestOptions()).challenge }));
  assert.equal(answer.status, 400);
  assert.deepEqual(answer.json().details.map(({ field }) => field), ['credential']);
});

test('what does not hold is refused in the same bytes, whether there is such an account or not', async () => {
  const { authenticator, id } = await owner({ flags: FLAGS.PRESENT | FLAGS.VERIFIED });
  const stranger = new Authenticator();
  const madeUp = (first) => Buffer.concat([Buffer.from(first), randomBytes(14)]).toString('base64url');
  const cases = {
    'another key': [authenticator, { key: stranger.privateKey }],
    'another signature': [authenticator, { edit: (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1) ^ 1])]) }],
    'no signature': [authenticator, { edit: () => Buffer.alloc(0) }],
    'a passkey that the account does not have': [stranger, { user: id }],
    'an account that is not there': [authenticator, { user: madeUp([0, 7]) }],
    'an account that cannot be': [authenticator, { user: madeUp([255, 255]) }],
    'a page of another origin': [authenticator, { said: { origin: 'https://evil.example' } }],
    'a page of a listed origin of another domain': [authenticator, { said: { origin: 'https://app.example.com' } }],
    'a page within another': [authenticator, { said: { crossOrigin: true } }],
    'another domain': [authenticator, { rpId: 'example.com' }],
    'nobody there': [authenticator, { flags: FLAGS.VERIFIED }],
    'nobody checked': [authenticator, { flags: FLAGS.PRESENT }],
    'a copy that cannot be': [authenticator, { flags: FLAGS.PRESENT | FLAGS.VERIFIED | FLAGS.BACKED_UP }],
    'what cannot change': [authenticator, { flags: FLAGS.PRESENT | FLAGS.VERIFIED | FLAGS.ELIGIBLE }],
    'another ceremony': [authenticator, { said: { type: 'webauthn.create' } }],
    'a challenge of nobody': [authenticator, { said: { challenge: randomBytes(32).toString('base64url') } }],
  };
  const texts = new Set();
  for (const [name, [who, lies]] of Object.entries(cases)) {
    const answer = await comeIn(who, lies);
    assert.equal(answer.status, 401, `${name}: ${answer.text}`);
    refused(answer, 'INVALID_CREDENTIALS', { hint: 'Ask for new options, and use a passkey of this service' });
    texts.add(answer.text);
  }
  assert.equal(texts.size, 1);
  assert.equal((await comeIn(authenticator)).status, 200, 'the passkey is as good as before');
  const below = await comeIn(authenticator, { said: { origin: 'https://www.api.example.com' } });
  assert.equal(below.status, 200, 'a page of a listed origin of the domain may ask');
});

test('an authenticator that counts has to count on, and a copy of it is told of', async () => {
  const { authenticator } = await owner({ counts: true });
  const copy = authenticator.copy();
  assert.equal((await comeIn(authenticator)).status, 200);
  assert.equal((await comeIn(authenticator)).status, 200);
  const from = gate.output.lines.length;
  refused(await comeIn(copy), 'INVALID_CREDENTIALS');
  assert.ok(gate.output.lines.slice(from).some((line) => line.includes('"passkey_copied"')));
  refused(await comeIn(authenticator, { count: 0 }), 'INVALID_CREDENTIALS');
  // Who cannot sign tells nothing.
  const before = gate.output.lines.length;
  refused(await comeIn(authenticator, { count: 1, key: new Authenticator().privateKey }), 'INVALID_CREDENTIALS');
  assert.ok(!gate.output.lines.slice(before).some((line) => line.includes('"passkey_copied"')));
  assert.equal((await comeIn(authenticator)).status, 200);
});

test('a passkey that is taken out, a disabled account and one that is gone let nobody in', async () => {
  const { token, authenticator, id } = await owner({ flags: FLAGS.PRESENT | FLAGS.VERIFIED | FLAGS.ELIGIBLE | FLAGS.BACKED_UP });
  const second = new Authenticator();
  const options = await creationOptions(token);
  assert.deepEqual(options.excludeCredentials, [{ type: 'public-key', id: authenticator.id.toString('base64url') }]);
  added(await add(token, second.create(options)));
  assert.equal((await comeIn(authenticator)).status, 200);
  const { passkeys } = (await sessions.get('/auth/mfa/passkeys', { token })).json();
  assert.deepEqual((await sessions.get('/auth/mfa', { token })).json(), { totp: false, recovery_codes_left: 10, passkeys });
  assert.deepEqual(passkeys.map(({ label, backed_up, last_used_at }) => [label, backed_up, last_used_at === null]), [['Passkey', true, false], ['Passkey', false, true]]);
  const remove = (name, of = token) => sessions.request('DELETE', `/auth/mfa/passkeys/${name}`, { token: of, body: { password: PASSWORD } });
  const other = await owner();
  refused(await remove(passkeys[0].id, other.token), 'NOT_FOUND');
  const opened = (await comeIn(second)).json();
  done(await remove(passkeys[0].id));
  refused(await sessions.post('/auth/refresh', { body: { refreshToken: opened.refresh_token } }), 'INVALID_REFRESH_TOKEN');
  refused(await remove(passkeys[0].id), 'NOT_FOUND');
  refused(await comeIn(authenticator), 'INVALID_CREDENTIALS');
  assert.equal((await comeIn(second)).status, 200);
  await sessions.admin('PATCH', `/accounts/${id}`, { disabled: true });
  refused(await comeIn(second), 'NOT_ALLOWED');
  refused(await comeIn(second, { key: authenticator.privateKey }), 'INVALID_CREDENTIALS');
  await sessions.admin('PATCH', `/accounts/${id}`, { disabled: false });
  assert.equal((await comeIn(second)).status, 200);
  await sessions.admin('DELETE', `/accounts/${id}`);
  refused(await comeIn(second), 'INVALID_CREDENTIALS');
});

test('who makes or takes out a passkey has logged in a moment ago, to an account, by this session', async () => {
  const { token, email } = await person();
  const options = await creationOptions(token);
  const other = (await sessions.post('/auth/login', { body: { email, password: PASSWORD } })).json().access_token;
  const stolen = await add(other, new Authenticator().create(options));
  assert.equal(stolen.status, 400, 'a challenge is for the session that asked');
  refused(await sessions.post('/auth/mfa/passkeys/options'), 'MISSING_CREDENTIALS');
  const opened = await sessions.open();
  refused(await sessions.get('/auth/mfa/passkeys', { token: opened.access_token }), 'NOT_FOUND');
  const browser = new Browser(sessions);
  await browser.post('/auth/login', { body: { email, password: PASSWORD } });
  assert.equal((await browser.post('/auth/mfa/passkeys/options')).status, 200);
  refused(await browser.post('/auth/mfa/passkeys/options', { headers: { 'Sec-Fetch-Site': 'cross-site' } }), 'CSRF_REFUSED');
  await sessions.wait(601);
  for (const [method, target, body] of [
    ['POST', '/auth/mfa/passkeys/options', {}], ['POST', '/auth/mfa/passkeys', {}], ['DELETE', '/auth/mfa/passkeys/some', undefined],
  ]) refused(await sessions.request(method, target, { body, token }), 'STEP_UP_REQUIRED', { maxAge: 600 });
  assert.equal((await sessions.get('/auth/mfa/passkeys', { token })).status, 200, 'who only looks may');
});

test('a session of one factor makes a passkey with the password alone, which is a guess as any other', async () => {
  const { token, email } = await person();
  const authenticator = new Authenticator();
  const credential = authenticator.create(await creationOptions(token));
  const without = await add(token, credential, { password: undefined });
  assert.deepEqual([without.status, without.json().details], [400, [{ field: 'password', message: 'Required' }]]);
  for (let guess = 0; guess < 5; guess += 1) refused(await add(token, credential, { password: 'another password' }), 'INVALID_CREDENTIALS');
  refused(await add(token, credential), 'TOO_MANY_ATTEMPTS');
  refused(await sessions.post('/auth/login', { body: { email, password: PASSWORD } }), 'TOO_MANY_ATTEMPTS');
  assert.deepEqual((await sessions.get('/auth/mfa/passkeys', { token })).json(), { passkeys: [] });
  refused(await comeIn(authenticator), 'INVALID_CREDENTIALS');
});

test('recovery codes come with the first passkey, and neither makes a session of two factors another without the password, nor takes it one out', async () => {
  const { token, email } = await person();
  const first = new Authenticator();
  const made = await add(token, first.create(await creationOptions(token)));
  added(made);
  const { recovery_codes: codes } = made.json();
  assert.equal(new Set(codes).size, 10);
  const { mfa_token } = (await sessions.post('/auth/login', { body: { email, password: PASSWORD } })).json();
  const lost = await sessions.post('/auth/mfa', { body: { mfa_token, recovery_code: codes[0] } });
  assert.equal(lost.status, 200, lost.text);
  const { access_token: strong } = (await comeIn(first)).json();
  const credential = new Authenticator().create(await creationOptions(strong));
  const remove = (body) => sessions.request('DELETE', `/auth/mfa/passkeys/${first.id.toString('base64url')}`, { token: strong, body });
  for (const without of [await add(strong, credential, { password: undefined }), await remove({}), await remove()]) {
    assert.deepEqual([without.status, without.json().details], [400, [{ field: 'password', message: 'Required' }]]);
  }
  refused(await remove({ password: 'another password' }), 'INVALID_CREDENTIALS');
  const another = await add(strong, credential);
  added(another);
  assert.equal(another.json().recovery_codes, undefined);
  assert.equal((await sessions.get('/auth/mfa', { token: strong })).json().recovery_codes_left, 9);
});

test('what a browser cannot have sent is refused by name, and nothing breaks', async () => {
  const { token, authenticator } = await owner();
  const { response, ...around } = authenticator.get(await requestOptions());
  for (const [body, field] of [
    [{}, /credential/], [{ credential: 7 }, /credential/], [{ credential: {} }, /credential/], [{ credential: { ...around, response: [] } }, /response/],
    [{ credential: { ...around, response: { ...response, signature: undefined } } }, /signature/],
    [{ credential: { ...around, response: { ...response, userHandle: 'x' } } }, /userHandle/],
    [{ credential: { ...around, response: { ...response, userHandle: null } } }, /userHandle/],
    [{ credential: { ...around, response: { ...response, clientDataJSON: '=' } } }, /clientDataJSON/],
    [{ credential: { ...around, response: { ...response, clientDataJSON: Buffer.from('[]').toString('base64url') } } }, /clientDataJSON/],
    [{ credential: { ...around, response }, more: 1 }, /more/],
  ]) {
    const answer = await sessions.post('/auth/passkey', { body });
    assert.equal(answer.status, 400, `${JSON.stringify(body)}: ${answer.text}`);
    assert.equal(answer.json().error, 'Validation failed');
    assert.match(answer.json().details[0].field, field);
  }
  for (const bytes of ['', '{', '[]', '\u0000', '{"credential":'.repeat(50)]) {
    assert.equal((await sessions.post('/auth/passkey', { body: bytes, headers: { 'Content-Type': 'application/json' } })).status, 400);
  }
  // Each byte of what an authenticator says; what the gate takes the other library takes too.
  let maker = new Authenticator();
  let options = await creationOptions(token);
  const { length } = Buffer.from(maker.create(options).response.attestationObject, 'base64url');
  for (let at = 0; at < length; at += 3) {
    const credential = maker.create(options, { edit: (bytes) => { const other = Buffer.from(bytes); other[at] ^= 1 + (at % 255); return other; } });
    const answer = await add(token, credential);
    assert.ok([400, 201, 202].includes(answer.status), `${at}: ${answer.status} ${answer.text}`);
    if (answer.status !== 400) {
      const expected = { expectedOrigin: ORIGIN, expectedRPID: RP_ID, requireUserVerification: true };
      assert.ok((await verifyRegistrationResponse({ response: credential, expectedChallenge: options.challenge, ...expected })).verified, `${at}`);
      [maker, options] = [new Authenticator(), await creationOptions(token)];
    }
  }
  for (const [cose, message] of [
    [new Map([[1, 2], [3, -7], [-1, 2], [-2, Buffer.alloc(32)], [-3, Buffer.alloc(32)]]), 'another curve'],
    [new Map([[1, 2], [3, -35], [-1, 1], [-2, Buffer.alloc(32)], [-3, Buffer.alloc(32)]]), 'another algorithm'],
    [new Map([[1, 3], [3, -257], [-1, Buffer.alloc(128, 255)], [-2, Buffer.from([1, 0, 1])]]), 'a short key'],
  ]) {
    const answer = await add(token, new Authenticator().create(await creationOptions(token), { cose }));
    assert.equal(answer.status, 400, message);
  }
});

test('an account has at most twenty, each with a name and each once', async () => {
  const { token, authenticator } = await owner();
  const known = await add(token, authenticator.create(await creationOptions(token)));
  assert.equal(known.status, 400);
  assert.match(known.json().details[0].message, /has it already/);
  for (const label of ['', ' ', 'x'.repeat(65), 'two\nlines']) {
    assert.equal((await add(token, new Authenticator().create(await creationOptions(token)), { label })).status, 400, label);
  }
  for (let number = 1; number < 20; number += 1) {
    const made = await add(token, new Authenticator({ algorithm: 'EdDSA' }).create(await creationOptions(token)), { label: `Key ${number}` });
    added(made);
    if (number === 10) await sessions.wait(300);
  }
  const full = await add(token, new Authenticator().create(await creationOptions(token)));
  assert.equal(full.status, 400);
  assert.match(full.json().details[0].message, /as many/);
});

test('wrong proofs are bounded by address as passwords are, and strangers write no row of a name', async () => {
  const ip = freshIp();
  const stranger = new Authenticator();
  const user = Buffer.concat([Buffer.from([1, 2]), randomBytes(14)]).toString('base64url');
  const codes = [];
  for (let guess = 0; guess < 7; guess += 1) codes.push((await present(stranger.get(await requestOptions(), { user }), { ip })).status);
  assert.deepEqual(codes, [401, 401, 401, 401, 401, 429, 429]);
  refused(await sessions.post('/auth/login', { body: { email: 'nobody@example.com', password: PASSWORD }, ip }), 'TOO_MANY_ATTEMPTS');
  const rows = await sessions.object('EDGEGATE_LOGINS', 'names/258', 'X-Dump');
  assert.deepEqual(rows.json(), []);
  // Options ask nobody.
  const { logins: before } = await sessions.counts();
  for (let asked = 0; asked < 20; asked += 1) await requestOptions();
  assert.equal((await sessions.counts()).logins, before);
  // Right ones do not count.
  const { authenticator } = await owner();
  const own = freshIp();
  for (let login = 0; login < 8; login += 1) assert.equal((await present(authenticator.get(await requestOptions()), { ip: own })).status, 200);
});

test('from the first passkey on a password alone opens nothing, and a passkey of the account is its second factor', async () => {
  const { authenticator, email, token } = await owner();
  const logIn = (headers) => sessions.post('/auth/login', { body: { email, password: PASSWORD, remember: true }, headers });
  const waiting = async (headers) => {
    const answer = await logIn(headers);
    assert.equal(answer.status, 401, answer.text);
    assert.equal(answer.headers['set-cookie'], undefined);
    const { code, methods, mfa_token } = answer.json();
    assert.deepEqual([code, methods], ['MFA_REQUIRED', ['recovery_code', 'passkey']]);
    return mfa_token;
  };
  const second = (mfa_token, passkey, more = {}) => sessions.post('/auth/mfa', { body: { mfa_token, passkey }, ...more });
  const mfaToken = await waiting();
  const other = await owner();
  refused(await second(mfaToken, other.authenticator.get(await requestOptions())), 'INVALID_CREDENTIALS');
  refused(await second(mfaToken, authenticator.get(await requestOptions(), { key: other.authenticator.privateKey })), 'INVALID_CREDENTIALS');
  refused(await second(mfaToken, authenticator.get(await requestOptions(), { flags: FLAGS.PRESENT })), 'INVALID_CREDENTIALS');
  const proof = authenticator.get(await requestOptions());
  const answers = await Promise.all(Array.from({ length: 20 }, () => second(mfaToken, proof)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  const claims = claimsOf(answers.find(({ status }) => status === 200).json().access_token);
  assert.deepEqual([claims.amr, claims.acr], [['pwd', 'pop', 'user', 'mfa'], 'mfa']);
  refused(await second(mfaToken, authenticator.get(await requestOptions())), 'INVALID_TOKEN');
  refused(await second(await waiting(), proof), 'INVALID_CREDENTIALS');
  const both = await sessions.post('/auth/mfa', { body: { mfa_token: await waiting(), passkey: authenticator.get(await requestOptions()), code: '123456' } });
  assert.equal(both.status, 400, both.text);
  // A browser gets cookies, by the challenge that it was given.
  const browser = new Browser(sessions);
  const options = (await browser.post('/auth/passkey/options')).json();
  const opened = await browser.post('/auth/mfa', { body: { mfa_token: await waiting(PAGE), passkey: authenticator.get(options) } });
  assert.equal(opened.status, 200, opened.text);
  assert.deepEqual(Object.keys(browser.jar).sort(), [AT, '__Host-edgegate-b', '__Host-edgegate-d', RT].sort());
  // What waited while the passkeys changed comes to nothing.
  const before = await waiting();
  added(await add(token, new Authenticator().create(await creationOptions(token))));
  refused(await second(before, authenticator.get(await requestOptions())), 'INVALID_TOKEN');
  const { passkeys } = (await sessions.get('/auth/mfa/passkeys', { token })).json();
  for (const { id } of passkeys) done(await sessions.request('DELETE', `/auth/mfa/passkeys/${id}`, { token, body: { password: PASSWORD } }));
  assert.equal((await logIn()).status, 200, 'without one the password is enough');
});

/** Somebody without a second factor, and what a right password gives where one is needed. */
async function nobody() {
  const email = `first-${++last}-${randomBytes(4).toString('hex')}@example.com`;
  const made = await required.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  return { email, ...made.json() };
}

async function begun(email, options) {
  const answer = await required.post('/auth/login', { body: { email, password: PASSWORD }, ...options });
  refused(answer, 'MFA_SETUP_REQUIRED');
  assert.equal(answer.headers['set-cookie'], undefined);
  const { mfa_token, methods } = answer.json();
  assert.deepEqual(methods, ['totp', 'passkey']);
  return mfa_token;
}

const firstOptions = async (mfa_token, at = required, name = 'ada@example.com') => {
  const answer = await at.post('/auth/mfa/passkeys/options', { body: { mfa_token, name } });
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
};
const setUp = (mfa_token, credential, more = {}) => required.post('/auth/mfa/passkeys', { body: { mfa_token, credential }, ...more });
const OVER = ['INVALID_TOKEN', { hint: 'Log in again from the beginning' }];
const statuses = (answers) => answers.map(({ status }) => status).toSorted().join();

test('where everybody needs a second factor, who has none makes a passkey at the login, and is in by it', async () => {
  const { email, id, subject } = await nobody();
  const before = gate.output.lines.length;
  const mfaToken = await begun(email);
  const options = await firstOptions(mfaToken);
  assert.deepEqual([options.rp.id, options.user, options.excludeCredentials], [RP_ID, { id, name: 'ada@example.com', displayName: 'ada@example.com' }, []]);
  assert.deepEqual([options.authenticatorSelection.userVerification, options.authenticatorSelection.residentKey], ['required', 'required']);
  const authenticator = new Authenticator();
  const response = authenticator.create(options, { attests: true });
  assert.ok((await verifyRegistrationResponse({ response, expectedChallenge: options.challenge, expectedOrigin: ORIGIN, expectedRPID: RP_ID, requireUserVerification: true })).verified);
  const opened = await setUp(mfaToken, response);
  assert.equal(opened.status, 200, opened.text);
  assert.deepEqual(Object.keys(opened.json()).toSorted(), ['access_token', 'expires_in', 'recovery_codes', 'refresh_expires_in', 'refresh_token', 'session_id', 'token_type']);
  const { access_token: token, recovery_codes: codes } = opened.json();
  assert.equal(new Set(codes).size, 10);
  const claims = claimsOf(token);
  assert.deepEqual([claims.sub, claims.amr, claims.acr], [subject, ['pwd', 'pop', 'user', 'mfa'], 'mfa']);
  const { passkeys, ...factors } = (await required.get('/auth/mfa', { token })).json();
  assert.deepEqual([factors, passkeys.map(({ label }) => label)], [{ totp: false, recovery_codes_left: 10 }, ['Passkey']]);
  const told = gate.output.lines.slice(before).filter((line) => line.includes('"event":"account"')).map((line) => JSON.parse(line.slice(line.indexOf('{'))));
  assert.deepEqual(told.filter((one) => one.subject === subject && one.actor === undefined).map(({ action, methods }) => [action, methods]), [['passkey_added', undefined], ['recovery_codes_made', undefined], ['logged_in', 'password passkey']]);
  assert.ok(!gate.output.lines.slice(before).some((line) => [mfaToken, ...codes].some((secret) => line.includes(secret))), 'no log has it');
  // From now on it is asked for.
  const asked = (await required.post('/auth/passkey/options')).json();
  assert.equal((await required.post('/auth/passkey', { body: { credential: authenticator.get(asked) } })).status, 200);
  const next = await required.post('/auth/login', { body: { email, password: PASSWORD } });
  refused(next, 'MFA_REQUIRED');
  assert.deepEqual(next.json().methods, ['recovery_code', 'passkey']);
  assert.equal((await required.post('/auth/mfa', { body: { mfa_token: next.json().mfa_token, recovery_code: codes[0] } })).status, 200);
  // A browser gets cookies, and the sessions from before end.
  const other = await nobody();
  const browser = new Browser(required);
  const ofBrowser = await begun(other.email, { headers: PAGE });
  const credential = new Authenticator().create((await browser.post('/auth/mfa/passkeys/options', { body: { mfa_token: ofBrowser } })).json());
  assert.deepEqual(Object.keys(browser.jar), ['__Host-edgegate-b']);
  const cookies = await browser.post('/auth/mfa/passkeys', { body: { mfa_token: ofBrowser, credential, label: 'Phone' } });
  assert.equal(cookies.status, 200, cookies.text);
  assert.deepEqual(Object.keys(cookies.json()).toSorted(), ['expires_in', 'recovery_codes', 'session_id']);
  assert.deepEqual(Object.keys(browser.jar).sort(), [AT, '__Host-edgegate-b', '__Host-edgegate-d', RT].sort());
  assert.deepEqual((await browser.get('/auth/mfa/passkeys')).json().passkeys.map(({ label }) => label), ['Phone']);
});

test('of a hundred who set one up by one password at once one does, and a login that began before comes to nothing', async () => {
  const { email, id } = await nobody();
  const [first, second, third] = [await begun(email), await begun(email), await begun(email)];
  const same = new Authenticator().create(await firstOptions(first));
  const late = new Authenticator().create(await firstOptions(third));
  const others = await Promise.all(Array.from({ length: 20 }, async () => [second, new Authenticator({ algorithm: 'EdDSA' }).create(await firstOptions(second))]));
  const all = [...Array.from({ length: 80 }, () => [first, same]), ...others];
  const answers = await Promise.all(all.map(([token, credential]) => setUp(token, credential, { ip: freshIp() })));
  assert.deepEqual(answers.filter(({ status }) => status !== 401).map(({ status }) => status), [200], statuses(answers));
  for (const answer of answers.filter(({ status }) => status === 401)) refused(answer, ...OVER);
  const { access_token: token } = answers.find(({ status }) => status === 200).json();
  assert.equal((await required.get('/auth/mfa/passkeys', { token })).json().passkeys.length, 1);
  // Neither a passkey nor an authenticator, by whoever knew the password too.
  for (const [mfa_token, credential] of [[first, same], others[0], [third, late]]) {
    refused(await setUp(mfa_token, credential), ...OVER);
    refused(await required.post('/auth/mfa/passkeys/options', { body: { mfa_token } }), ...OVER);
    refused(await required.post('/auth/mfa/totp', { body: { mfa_token } }), ...OVER);
  }
  // A new password, even if it is the same; an account that is disabled, and one that is gone.
  await required.wait(60);
  for (const change of [{ password: PASSWORD }, { disabled: true }]) {
    const who = await nobody();
    const mfaToken = await begun(who.email);
    const credential = new Authenticator().create(await firstOptions(mfaToken));
    assert.equal((await required.admin('PATCH', `/accounts/${who.id}`, change)).status, 200);
    refused(await setUp(mfaToken, credential), ...OVER);
  }
  const gone = await nobody();
  const ofGone = await begun(gone.email);
  const credential = new Authenticator().create(await firstOptions(ofGone));
  assert.equal((await required.admin('DELETE', `/accounts/${gone.id}`)).status, 200);
  refused(await setUp(ofGone, credential), ...OVER);
  // An authenticator that was set up meanwhile.
  const both = await nobody();
  const [byCode, byPasskey] = [await begun(both.email), await begun(both.email)];
  const made = new Authenticator().create(await firstOptions(byPasskey));
  const { secret } = (await required.post('/auth/mfa/totp', { body: { mfa_token: byCode } })).json();
  assert.equal((await required.post('/auth/mfa/totp/confirm', { body: { mfa_token: byCode, code: shown(secret, required.ahead) } })).status, 200);
  refused(await setUp(byPasskey, made), ...OVER);
  const dropped = await required.admin('PATCH', `/accounts/${id}`, { drop_factors: true });
  assert.deepEqual(dropped.json().factors, { totp: false, recovery_codes_left: 0, passkeys: 0 });
  assert.equal((await setUp(await begun(email), late)).status, 400, 'a challenge is of its login');
});

test('a passkey of the login is for this login, this browser and a device that has checked who holds it', async () => {
  const { email } = await nobody();
  const ip = freshIp();
  const [mine, other] = [await begun(email), await begun(email)];
  const isRefused = (answer, message) => {
    assert.equal(answer.status, 400, answer.text);
    assert.deepEqual(answer.json().details.map(({ field }) => field), ['credential']);
    assert.match(answer.json().details[0].message, message);
  };
  const options = await firstOptions(mine);
  const credential = new Authenticator().create(options);
  isRefused(await setUp(other, credential, { ip }), /challenge/);
  const browser = new Browser(required);
  const ofBrowser = (await browser.post('/auth/mfa/passkeys/options', { body: { mfa_token: mine } })).json();
  const bound = new Authenticator().create(ofBrowser);
  isRefused(await setUp(mine, bound, { ip }), /challenge/);
  isRefused(await setUp(mine, bound, { ip, headers: PAGE }), /challenge/);
  const elsewhere = new Browser(required);
  await elsewhere.post('/auth/mfa/passkeys/options', { body: { mfa_token: mine } });
  isRefused(await elsewhere.post('/auth/mfa/passkeys', { ip, body: { mfa_token: mine, credential: bound } }), /challenge/);
  isRefused(await browser.post('/auth/mfa/passkeys', { ip, body: { mfa_token: mine, credential } }), /challenge/);
  // That of a session, and that of a login by a passkey, are none.
  const session = await person();
  for (const challenge of [(await required.post('/auth/passkey/options')).json().challenge, (await creationOptions(session.token)).challenge, randomBytes(32).toString('base64url')]) {
    isRefused(await setUp(mine, new Authenticator().create({ ...options, challenge }), { ip }), /challenge/);
  }
  isRefused(await setUp(mine, undefined, { ip }), /Required/);
  for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example' }]) {
    refused(await setUp(mine, credential, { headers }), 'CSRF_REFUSED');
    refused(await required.post('/auth/mfa/passkeys/options', { body: { mfa_token: mine }, headers }), 'CSRF_REFUSED');
  }
  const lies = [[{ flags: FLAGS.PRESENT }, /checked/], [{ said: { origin: 'https://evil.example' } }, /origin/], [{ rpId: 'example.com' }, /domain/], [{ said: { type: 'webauthn.get' } }, /ceremony/]];
  for (const [lie, message] of lies) isRefused(await setUp(mine, new Authenticator().create(options, lie), { ip }), message);
  // A token that the gate has not written asks nobody, nor does one of a login that has a factor to show.
  const { logins: before } = await required.counts();
  for (const mfa_token of ['', 'x', `${mine}A`, `${mine.slice(0, -1)}${mine.endsWith('A') ? 'B' : 'A'}`]) {
    refused(await setUp(mfa_token, credential), ...OVER);
    refused(await required.post('/auth/mfa/passkeys/options', { body: { mfa_token } }), ...OVER);
  }
  assert.equal((await required.counts()).logins, before);
  refused(await required.post('/auth/mfa', { body: { mfa_token: mine, code: '123456' } }), ...OVER);
  // None of it was a guess; but an address has so much work.
  const nobodyChecked = new Authenticator().create(options, { flags: FLAGS.PRESENT });
  const counts = {};
  for (let tries = 0; tries < 200; tries += 1) {
    const { status } = await setUp(mine, nobodyChecked, { ip });
    counts[status] = (counts[status] ?? 0) + 1;
  }
  assert.deepEqual(counts, { 400: 200 - lies.length, 429: lies.length });
  // So long an isolate does not ask about an address that was refused.
  await required.wait(6);
  await begun(email, { ip });
  const opened = await setUp(mine, credential, { ip: freshIp() });
  assert.equal(opened.status, 200, opened.text);
  const { access_token: token } = opened.json();
  assert.equal((await required.get('/auth/mfa', { token })).json().passkeys.length, 1);
  // A login that has a factor to show sets up none.
  const { mfa_token: waits } = (await required.post('/auth/login', { body: { email, password: PASSWORD } })).json();
  refused(await setUp(waits, credential), ...OVER);
  refused(await required.post('/auth/mfa/passkeys/options', { body: { mfa_token: waits } }), ...OVER);
  // Five minutes.
  const slow = await nobody();
  const token300 = await begun(slow.email);
  const soon = new Authenticator().create(await firstOptions(token300));
  await required.wait(301);
  refused(await setUp(token300, soon), ...OVER);
});

test('where the sessions from before cannot be ended the codes are shown all the same, and the person logs in once more', async () => {
  const { email } = await nobody();
  const mfaToken = await begun(email);
  const authenticator = new Authenticator();
  const credential = authenticator.create(await firstOptions(mfaToken));
  await required.test('faults?value=1');
  const answer = await setUp(mfaToken, credential);
  assert.equal(answer.status, 202, answer.text);
  assert.deepEqual(Object.keys(answer.json()), ['pending', 'recovery_codes']);
  const asked = (await required.post('/auth/passkey/options')).json();
  assert.equal((await required.post('/auth/passkey', { body: { credential: authenticator.get(asked) } })).status, 200);
});

test('a policy without passkeys has none of it', async () => {
  const none = new Sessions(gate, 'none');
  const { token } = await person(none);
  for (const [method, target] of [
    ['POST', '/auth/passkey'], ['POST', '/auth/passkey/options'], ['GET', '/auth/mfa/passkeys'], ['POST', '/auth/mfa/passkeys'],
    ['POST', '/auth/mfa/passkeys/options'], ['DELETE', '/auth/mfa/passkeys/some'],
  ]) refused(await none.request(method, target, { token, body: method === 'POST' ? {} : undefined }), 'NOT_FOUND');
});
