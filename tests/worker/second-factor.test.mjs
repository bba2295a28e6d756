// Second factors: a login goes on with a code, and nothing is opened before.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';

import { shown } from './authenticator.mjs';
import { CODES, admitted, freshIp, refused, start, until } from './harness.mjs';
import { AT, RT, SAME_ORIGIN, Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';
import { claimsOf } from './token.mjs';

const DEVICE = '__Host-edgegate-d';
/** After so long the authenticator shows a later step. */
const STEP = 31;
const PASSWORD = 'quiet river, late boat';
const ROUTES = [
  { path: '/v1/posts', scopes: { all: ['read:posts'] } },
  { path: '/v1/strong', acr_values: ['mfa'] },
];
const accounts = (changes = {}) => ({ secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], scopes: ['read:posts'], ...changes });
const accountPolicy = (changes = {}) => sessionPolicy({ accounts: accounts(changes), routes: ROUTES }, { origins: ['https://app.example.com'] });

let gate;
let sessions;
let required;
before(async () => {
  gate = await start([
    sessionWorker({ policy: accountPolicy() }),
    sessionWorker({ name: 'required', policy: accountPolicy({ mfa: 'required' }) }),
    sessionWorker({ name: 'off', policy: accountPolicy({ mfa: 'off' }) }),
  ]);
  sessions = new Sessions(gate);
  required = new Sessions(gate, 'required');
});
after(() => gate.dispose());

// A step of an authenticator counts once, and the hashes that strangers may have come back.
beforeEach(async () => {
  await sessions.wait(60);
  await required.wait(60);
});

const sameOrigin = { 'Sec-Fetch-Site': 'same-origin' };
const cookiesOf = (answer) => Object.fromEntries((answer.headers['set-cookie'] ?? []).map((line) => line.split(';')[0].split('=')));
const written = (cookies) => Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ');
const codeOf = (answer) => `${answer.status} ${answer.json().code ?? ''}`.trim();
const counted = (answers) => {
  const counts = {};
  for (const answer of answers) counts[codeOf(answer)] = (counts[codeOf(answer)] ?? 0) + 1;
  return counts;
};

async function created(at = sessions) {
  const email = `person-${randomBytes(6).toString('hex')}@example.com`;
  const answer = await at.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(answer.status, 201, answer.text);
  return { email, ...answer.json() };
}

const logIn = (email, options = {}, at = sessions) => at.post('/auth/login', { body: { email, password: PASSWORD }, ...options });
const second = (body, options = {}, at = sessions) => at.post('/auth/mfa', { body, ...options });

/** What follows a right password: no session, no cookie, no token. */
function waits(answer, code = 'MFA_REQUIRED') {
  const [status, title] = CODES[code];
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers['set-cookie'], undefined);
  assert.match(answer.headers['cache-control'], /no-store/);
  const body = answer.json();
  assert.deepEqual(Object.keys(body), ['error', 'code', 'hint', 'mfa_token', 'methods', 'expires_in']);
  assert.deepEqual([body.error, body.code, body.expires_in], [title, code, 300]);
  return body;
}

/** An account with an authenticator, and a session that was opened before it had one. */
async function withTotp(at = sessions) {
  const account = await created(at);
  const { access_token: token } = (await logIn(account.email, {}, at)).json();
  const { secret, uri } = (await at.post('/auth/mfa/totp', { token, body: { label: account.email } })).json();
  const confirmed = await at.post('/auth/mfa/totp/confirm', { token, body: { code: shown(secret, at.ahead), password: PASSWORD } });
  assert.ok([200, 202].includes(confirmed.status), confirmed.text);
  await at.wait(STEP);
  return { ...account, token, secret, uri, codes: confirmed.json().recovery_codes };
}

/** The `mfa_token` of a login. */
const begun = async (email, options, at) => waits(await logIn(email, options, at)).mfa_token;

test('a program logs in by password and code, and routes can ask for that', async () => {
  const { email, secret, token, uri, codes } = await withTotp();
  assert.match(uri, new RegExp(`^otpauth://totp/api\\.example\\.com:${encodeURIComponent(email)}\\?secret=${secret}&issuer=api\\.example\\.com&`));
  assert.equal(new Set(codes).size, 10);
  for (const code of codes) assert.match(code, /^([0-9A-Z]{4}-){5}[0-9A-Z]{4}$/);
  const weak = await sessions.get('/v1/strong', { token });
  assert.equal(codeOf(weak), '401 STEP_UP_REQUIRED');
  assert.match(weak.headers['www-authenticate'], /, acr_values="mfa"$/);
  const { mfa_token, methods } = waits(await logIn(email));
  assert.deepEqual(methods, ['totp', 'recovery_code']);
  for (const [target, options] of [['/v1/posts', { token: mfa_token }], ['/auth/session', { token: mfa_token }], ['/auth/session', { headers: { Cookie: `${AT}=${mfa_token}` } }]]) {
    const answer = await sessions.get(target, options);
    assert.equal(answer.status, 401, target);
  }
  const answer = await second({ mfa_token, code: shown(secret, sessions.ahead) });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['set-cookie'], undefined);
  const opened = answer.json();
  assert.deepEqual(Object.keys(opened), ['session_id', 'access_token', 'token_type', 'expires_in', 'refresh_token', 'refresh_expires_in']);
  const claims = claimsOf(opened.access_token);
  assert.deepEqual([claims.amr, claims.acr], [['pwd', 'otp', 'mfa'], 'mfa']);
  assert.ok(Math.abs(claims.auth_time - claims.iat) <= 2);
  admitted(await sessions.get('/v1/strong', { token: opened.access_token }));
  const refreshed = await sessions.post('/auth/refresh', { body: { refreshToken: opened.refresh_token } });
  assert.equal(claimsOf(refreshed.json().accessToken).acr, 'mfa');
});

test('a browser gets its cookies with the last factor, and another site cannot give it', async () => {
  const { email, secret } = await withTotp();
  const login = await sessions.post('/auth/login', { body: { email, password: PASSWORD, remember: true }, headers: sameOrigin });
  const { mfa_token } = waits(login);
  const body = { mfa_token, code: shown(secret, sessions.ahead) };
  for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example' }]) {
    refused(await second(body, { headers }), 'CSRF_REFUSED');
  }
  const answer = await second(body, { headers: sameOrigin });
  assert.equal(answer.status, 200, answer.text);
  const cookies = cookiesOf(answer);
  assert.deepEqual(Object.keys(cookies).sort(), [AT, DEVICE, RT].sort());
  for (const line of answer.headers['set-cookie']) assert.match(line, /; Max-Age=\d+$/);
  const me = await sessions.get('/auth/session', { headers: { Cookie: written(cookies) } });
  assert.deepEqual([me.json().amr, me.json().acr], [['pwd', 'otp', 'mfa'], 'mfa']);
  // The browser is known now, and has guesses of its own: still nothing before the second factor.
  waits(await logIn(email, { headers: { ...sameOrigin, Cookie: `${DEVICE}=${cookies[DEVICE]}` } }));
  const listed = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://app.example.com' };
  const other = await logIn(email, { headers: listed });
  waits(other);
  assert.equal(other.headers['access-control-allow-origin'], 'https://app.example.com');
});

test('of a hundred with one code one logs in, whether by one login or by many', async () => {
  const { email, secret } = await withTotp();
  const one = await begun(email);
  const code = shown(secret, sessions.ahead);
  const same = await Promise.all(Array.from({ length: 100 }, () => second({ mfa_token: one, code }, { ip: freshIp() })));
  assert.deepEqual(counted(same), { 200: 1, '401 INVALID_TOKEN': 99 });
  await sessions.wait(60);
  const tokens = [];
  for (let login = 0; login < 20; login += 1) tokens.push(await begun(email, { ip: freshIp() }));
  const next = shown(secret, sessions.ahead);
  const many = counted(await Promise.all(tokens.map((mfa_token) => second({ mfa_token, code: next }, { ip: freshIp() }))));
  assert.equal(many['200'], 1, JSON.stringify(many));
  assert.equal(many['401 INVALID_CREDENTIALS'], 5, JSON.stringify(many));
  assert.equal(many['429 TOO_MANY_ATTEMPTS'], 14, JSON.stringify(many));
});

test('of a thousand codes five are compared, from wherever they come, and a right one is not among the rest', async () => {
  const { email, secret, codes } = await withTotp();
  const mfa_token = await begun(email);
  const guesses = await Promise.all(Array.from({ length: 1000 }, (_, number) => second({ mfa_token, code: String(number).padStart(6, '0') }, { ip: freshIp() })));
  const counts = counted(guesses);
  assert.ok((counts['401 INVALID_CREDENTIALS'] ?? 0) <= 5, JSON.stringify(counts));
  if (counts['200']) return; // One of a million.
  assert.equal(counts['401 INVALID_CREDENTIALS'] + counts['429 TOO_MANY_ATTEMPTS'], 1000, JSON.stringify(counts));
  const late = guesses.find(({ status }) => status === 429);
  assert.match(late.json().hint, /^Please try again in \d+ minutes$/);
  refused(await second({ mfa_token, code: shown(secret, sessions.ahead) }), 'TOO_MANY_ATTEMPTS');
  refused(await second({ mfa_token, recovery_code: codes[0] }), 'TOO_MANY_ATTEMPTS');
  // Another login does not begin a new count, and passwords have their own.
  const again = await begun(email);
  refused(await second({ mfa_token: again, code: shown(secret, sessions.ahead) }), 'TOO_MANY_ATTEMPTS');
  await sessions.wait(901);
  const later = await begun(email);
  assert.equal((await second({ mfa_token: later, code: shown(secret, sessions.ahead) })).status, 200);
});

test('wrong codes count as guesses of the address', async () => {
  const { email } = await withTotp();
  const ip = freshIp();
  const mfa_token = await begun(email, { ip });
  for (let guess = 0; guess < 4; guess += 1) refused(await second({ mfa_token, code: '00000x' }, { ip }), 'INVALID_CREDENTIALS', { hint: /^Check the code/ });
  refused(await logIn('nobody@example.com', { ip }), 'INVALID_CREDENTIALS');
  refused(await logIn('nobody@example.com', { ip }), 'TOO_MANY_ATTEMPTS');
});

test('a recovery code logs in once, as people type it', async () => {
  const { email, codes, token, secret } = await withTotp();
  const typed = codes[0].toLowerCase().replaceAll('-', ' ');
  const results = await Promise.all(
    [await begun(email), await begun(email), await begun(email)].map((mfa_token) => second({ mfa_token, recovery_code: typed }, { ip: freshIp() })),
  );
  assert.deepEqual(counted(results), { 200: 1, '401 INVALID_CREDENTIALS': 2 });
  const opened = results.find(({ status }) => status === 200).json();
  assert.deepEqual(claimsOf(opened.access_token).amr, ['pwd', 'mfa']);
  admitted(await sessions.get('/v1/strong', { token: opened.access_token }));
  assert.deepEqual((await sessions.get('/auth/mfa', { token: opened.access_token })).json(), { totp: true, recovery_codes_left: 9 });
  // Others take the place of those that are left.
  const anew = await sessions.post('/auth/mfa/recovery-codes', { token, body: { password: PASSWORD } });
  assert.ok([200, 202].includes(anew.status), anew.text);
  const fresh = anew.json().recovery_codes;
  assert.equal(fresh.length, 10);
  refused(await second({ mfa_token: await begun(email), recovery_code: codes[1] }), 'INVALID_CREDENTIALS');
  assert.equal((await second({ mfa_token: await begun(email), recovery_code: fresh[1] })).status, 200);
  // The other sessions have ended.
  refused(await sessions.post('/auth/refresh', { body: { refreshToken: opened.refresh_token } }), 'INVALID_REFRESH_TOKEN');
  assert.equal((await second({ mfa_token: await begun(email), code: shown(secret, sessions.ahead) })).status, 200);
});

test('codes of another time, of another account, and of an earlier authenticator are wrong', async () => {
  const ada = await withTotp();
  const bob = await withTotp();
  const tries = async (code) => codeOf(await second({ mfa_token: await begun(ada.email), code }));
  assert.equal(await tries(shown(ada.secret, sessions.ahead - 86_400_000)), '401 INVALID_CREDENTIALS');
  assert.equal(await tries(shown(ada.secret, sessions.ahead + 86_400_000)), '401 INVALID_CREDENTIALS');
  assert.equal(await tries(shown(bob.secret, sessions.ahead)), '401 INVALID_CREDENTIALS');
  assert.equal(codeOf(await second({ mfa_token: await begun(ada.email), recovery_code: bob.codes[0] })), '401 INVALID_CREDENTIALS');
  // A new authenticator counts from its first code on; until then the old one does.
  const next = (await sessions.post('/auth/mfa/totp', { token: ada.token })).json();
  assert.notEqual(next.secret, ada.secret);
  assert.equal(await tries(shown(ada.secret, sessions.ahead)), '200');
  await sessions.wait(901);
  const { access_token: token } = (await second({ mfa_token: await begun(ada.email), code: shown(ada.secret, sessions.ahead) })).json();
  const last = (await sessions.post('/auth/mfa/totp', { token })).json();
  const confirmed = await sessions.post('/auth/mfa/totp/confirm', { token, body: { code: shown(last.secret, sessions.ahead), password: PASSWORD } });
  assert.ok([200, 202].includes(confirmed.status), confirmed.text);
  await sessions.wait(60);
  assert.equal(await tries(shown(ada.secret, sessions.ahead)), '401 INVALID_CREDENTIALS');
  assert.equal(await tries(shown(last.secret, sessions.ahead)), '200');
});

test('an mfa_token is good for one session, for five minutes, and for the account as it was', async () => {
  const ada = await withTotp();
  const code = () => shown(ada.secret, sessions.ahead);
  const over = async (mfa_token, what) => assert.equal(codeOf(await second({ mfa_token, code: code() })), '401 INVALID_TOKEN', what);

  const used = await begun(ada.email);
  assert.equal((await second({ mfa_token: used, code: code() })).status, 200);
  refused(await second({ mfa_token: used, recovery_code: ada.codes[0] }), 'INVALID_TOKEN', { hint: 'Log in again from the beginning' });

  const old = await begun(ada.email);
  await sessions.wait(300);
  await over(old, 'too old');

  const before = await begun(ada.email);
  await sessions.admin('PATCH', `/accounts/${ada.id}`, { password: PASSWORD });
  await over(before, 'another password, even if it is the same');

  const disabled = await begun(ada.email);
  await sessions.admin('PATCH', `/accounts/${ada.id}`, { disabled: true });
  await over(disabled, 'disabled');
  refused(await logIn(ada.email), 'NOT_ALLOWED');
  await sessions.admin('PATCH', `/accounts/${ada.id}`, { disabled: false });

  await sessions.wait(901);
  const dropped = await begun(ada.email);
  const changed = await sessions.admin('PATCH', `/accounts/${ada.id}`, { drop_factors: true });
  assert.deepEqual(changed.json().factors, { totp: false, recovery_codes_left: 0, passkeys: 0 });
  await over(dropped, 'the factors are gone');
  assert.equal((await logIn(ada.email)).status, 200);

  const gone = await withTotp();
  const last = await begun(gone.email);
  await sessions.admin('DELETE', `/accounts/${gone.id}`);
  assert.equal(codeOf(await second({ mfa_token: last, code: shown(gone.secret, sessions.ahead) })), '401 INVALID_TOKEN');
});

test('an mfa_token that the gate has not written asks nobody', async () => {
  const { email } = await withTotp();
  const real = await begun(email);
  const { logins: before } = await sessions.counts();
  const forged = ['', 'x', real.slice(1), `${real}A`, `${real}=`, real.toLowerCase(), ...Array.from({ length: 20 }, () => randomBytes(82).toString('base64url'))];
  for (const at of [0, 1, 30, 60, 100, real.length - 1]) forged.push(`${real.slice(0, at)}${real[at] === 'A' ? 'B' : 'A'}${real.slice(at + 1)}`);
  for (const mfa_token of forged) refused(await second({ mfa_token, code: '123456' }), 'INVALID_TOKEN');
  // That of a login is none for setting up another authenticator.
  refused(await sessions.post('/auth/mfa/totp', { body: { mfa_token: real } }), 'INVALID_TOKEN');
  refused(await sessions.post('/auth/mfa/totp/confirm', { body: { mfa_token: real, code: '123456' } }), 'INVALID_TOKEN');
  assert.equal((await sessions.counts()).logins, before);
});

test('a form is refused field by field, and asks nobody', async () => {
  const { logins: before } = await sessions.counts();
  for (const [body, fields] of [
    [{}, ['mfa_token', 'code']],
    [{ mfa_token: 'x' }, ['code']],
    [{ code: '123456' }, ['mfa_token']],
    [{ mfa_token: 'x', code: '1', recovery_code: '2' }, ['code']],
    [{ mfa_token: 'x', recovery_code: 'x'.repeat(200) }, ['recovery_code']],
    [{ mfa_token: 'x', code: 123456 }, ['code']],
    [{ mfa_token: 'x', code: '123456', remember: true }, undefined],
  ]) {
    const answer = await second(body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json().error, 'Validation failed');
    if (fields) assert.deepEqual(answer.json().details.map(({ field }) => field), fields);
  }
  assert.equal((await sessions.counts()).logins, before);
});

test('factors are changed by who has logged in a moment ago, and all other sessions end', async () => {
  const { email } = await created();
  const phone = (await logIn(email)).json();
  const browser = await logIn(email, { headers: sameOrigin });
  const cookie = written(cookiesOf(browser));
  const own = { headers: { ...sameOrigin, Cookie: cookie } };
  assert.deepEqual((await sessions.get('/auth/mfa', own)).json(), { totp: false, recovery_codes_left: 0 });
  for (const [method, target] of [['GET', '/mfa'], ['POST', '/mfa/totp'], ['DELETE', '/mfa/totp'], ['POST', '/mfa/recovery-codes']]) {
    refused(await sessions.request(method, `/auth${target}`), 'MISSING_CREDENTIALS');
    if (method !== 'GET') refused(await sessions.request(method, `/auth${target}`, { headers: { Cookie: cookie, 'Sec-Fetch-Site': 'cross-site' } }), 'CSRF_REFUSED');
  }
  const body = { password: PASSWORD };
  refused(await sessions.request('DELETE', '/auth/mfa/totp', { ...own, body }), 'NOT_FOUND');
  refused(await sessions.post('/auth/mfa/recovery-codes', { ...own, body }), 'NOT_FOUND');
  refused(await sessions.post('/auth/mfa/totp/confirm', { ...own, body: { code: '123456', password: PASSWORD } }), 'INVALID_CREDENTIALS');
  const { secret } = (await sessions.post('/auth/mfa/totp', own)).json();
  // Until it has shown a code, the password is enough.
  assert.equal((await logIn(email)).status, 200);
  const confirmed = await sessions.post('/auth/mfa/totp/confirm', { ...own, body: { code: shown(secret, sessions.ahead), password: PASSWORD } });
  assert.ok([200, 202].includes(confirmed.status), confirmed.text);
  await sessions.wait(STEP);
  refused(await sessions.post('/auth/refresh', { body: { refreshToken: phone.refresh_token } }), 'INVALID_REFRESH_TOKEN');
  assert.equal((await sessions.get('/auth/mfa', own)).json().totp, true);

  const { access_token: token } = (await second({ mfa_token: await begun(email), code: shown(secret, sessions.ahead) })).json();
  await sessions.wait(601);
  for (const [method, target, form] of [['POST', '/mfa/totp'], ['DELETE', '/mfa/totp', body], ['POST', '/mfa/recovery-codes', body], ['POST', '/mfa/totp/confirm', { code: '123456' }]]) {
    refused(await sessions.request(method, `/auth${target}`, { token, body: form }), 'STEP_UP_REQUIRED', { maxAge: 600 });
  }
  assert.equal((await sessions.get('/auth/mfa', { token })).status, 200);
  const fresh = (await second({ mfa_token: await begun(email), code: shown(secret, sessions.ahead) })).json();
  const dropped = await sessions.request('DELETE', '/auth/mfa/totp', { token: fresh.access_token, body });
  assert.ok([200, 202].includes(dropped.status), dropped.text);
  assert.deepEqual((await sessions.get('/auth/mfa', { token: fresh.access_token })).json(), { totp: false, recovery_codes_left: 0 });
  assert.equal((await logIn(email)).status, 200);
  // A session that is no account's has no factors, and a client's token no say.
  const { access_token: other } = (await sessions.admin('POST', '/sessions', { subject: 'alice', scopes: [] })).json();
  refused(await sessions.get('/auth/mfa', { token: other }), 'NOT_FOUND');
});

test('a session of one factor sets an authenticator up with the password alone, which is a guess as any other', async () => {
  const { email } = await created();
  const { access_token: token } = (await logIn(email)).json();
  const { secret } = (await sessions.post('/auth/mfa/totp', { token })).json();
  const confirm = (password) => sessions.post('/auth/mfa/totp/confirm', { token, body: { code: shown(secret, sessions.ahead), password } });
  const without = await confirm();
  assert.deepEqual([without.status, without.json().details], [400, [{ field: 'password', message: 'Required' }]]);
  for (let guess = 0; guess < 5; guess += 1) refused(await confirm('another password'), 'INVALID_CREDENTIALS');
  refused(await confirm(PASSWORD), 'TOO_MANY_ATTEMPTS');
  assert.equal((await sessions.get('/auth/mfa', { token })).json().totp, false);
});

test('a session of two factors changes none without the password, which is a guess as any other', async () => {
  const { email, secret } = await withTotp();
  const { access_token: token } = (await second({ mfa_token: await begun(email), code: shown(secret, sessions.ahead) })).json();
  const next = (await sessions.post('/auth/mfa/totp', { token })).json().secret;
  const ways = [['DELETE', '/auth/mfa/totp', {}], ['POST', '/auth/mfa/recovery-codes', {}], ['POST', '/auth/mfa/totp/confirm', { code: shown(next, sessions.ahead) }]];
  for (const [method, target, form] of ways) {
    for (const body of [form, ...(method === 'DELETE' ? [undefined] : [])]) {
      const without = await sessions.request(method, target, { token, body });
      assert.deepEqual([without.status, without.json().details], [400, [{ field: 'password', message: 'Required' }]], target);
    }
    refused(await sessions.request(method, target, { token, body: { ...form, password: 'another password' } }), 'INVALID_CREDENTIALS');
  }
  const drop = (password) => sessions.request('DELETE', '/auth/mfa/totp', { token, body: { password } });
  for (let guess = 3; guess < 5; guess += 1) refused(await drop('another password'), 'INVALID_CREDENTIALS');
  refused(await drop(PASSWORD), 'TOO_MANY_ATTEMPTS');
  assert.deepEqual((await sessions.get('/auth/mfa', { token })).json(), { totp: true, recovery_codes_left: 10 });
});

test('a login that began before the factor was set up opens nothing that stays', async () => {
  const { email } = await created();
  const { access_token: token } = (await logIn(email)).json();
  const { secret } = (await sessions.post('/auth/mfa/totp', { token })).json();
  const code = shown(secret, sessions.ahead);
  const logins = Array.from({ length: 20 }, () => logIn(email, { ip: freshIp() }));
  const [confirmed, ...answers] = await Promise.all([sessions.post('/auth/mfa/totp/confirm', { token, body: { code, password: PASSWORD } }), ...logins]);
  assert.ok([200, 202].includes(confirmed.status), confirmed.text);
  for (const answer of answers.filter(({ status }) => status === 200)) {
    refused(await sessions.post('/auth/refresh', { body: { refreshToken: answer.json().refresh_token } }), 'INVALID_REFRESH_TOKEN');
  }
});

test('where everybody needs one, who has none sets it up at the login, and is in by its first code', async () => {
  const { email } = await created(required);
  const { mfa_token, methods } = waits(await logIn(email, {}, required), 'MFA_SETUP_REQUIRED');
  assert.deepEqual(methods, ['totp']);
  // It is none for a login that has only a code to show.
  refused(await second({ mfa_token, code: '123456' }, {}, required), 'INVALID_TOKEN');
  refused(await required.post('/auth/mfa/totp', { body: { mfa_token }, headers: { 'Sec-Fetch-Site': 'cross-site' } }), 'CSRF_REFUSED');
  const another = waits(await logIn(email, {}, required), 'MFA_SETUP_REQUIRED').mfa_token;
  const { secret } = (await required.post('/auth/mfa/totp', { body: { mfa_token } })).json();
  const confirm = (token, code, options = {}) => required.post('/auth/mfa/totp/confirm', { body: { mfa_token: token, code }, ...options });
  refused(await confirm(mfa_token, '00000x'), 'INVALID_CREDENTIALS');
  const code = shown(secret, required.ahead);
  const all = await Promise.all(Array.from({ length: 20 }, () => confirm(mfa_token, code, { ip: freshIp(), headers: sameOrigin })));
  assert.deepEqual(counted(all), { 200: 1, '401 INVALID_TOKEN': 19 });
  const answer = all.find(({ status }) => status === 200);
  assert.deepEqual(Object.keys(answer.json()).sort(), ['expires_in', 'recovery_codes', 'session_id']);
  assert.equal(answer.json().recovery_codes.length, 10);
  const me = await required.get('/auth/session', { headers: { Cookie: written(cookiesOf(answer)) } });
  assert.deepEqual([me.json().amr, me.json().acr], [['pwd', 'otp', 'mfa'], 'mfa']);
  // Whoever knew the password too, and had begun, is too late.
  await required.wait(STEP);
  refused(await required.post('/auth/mfa/totp', { body: { mfa_token: another } }), 'INVALID_TOKEN');
  refused(await confirm(another, shown(secret, required.ahead)), 'INVALID_TOKEN');
  const next = waits(await logIn(email, {}, required));
  assert.equal((await second({ mfa_token: next.mfa_token, code: shown(secret, required.ahead) }, {}, required)).status, 200);
});

test('where the sessions cannot be ended the codes are shown all the same, and they end behind the answer', async () => {
  const { email } = await created();
  const [own, other] = [(await logIn(email)).json(), (await logIn(email)).json()];
  const { secret } = (await sessions.post('/auth/mfa/totp', { body: {}, token: own.access_token })).json();
  await sessions.test('faults?value=1');
  const confirmed = await sessions.post('/auth/mfa/totp/confirm', { body: { code: shown(secret, sessions.ahead), password: PASSWORD }, token: own.access_token });
  assert.equal(confirmed.status, 202, confirmed.text);
  assert.deepEqual([confirmed.json().recovery_codes.length, confirmed.json().pending], [10, true]);
  await until(async () => (await sessions.refresh(other.refresh_token)).status === 401);
  assert.equal((await sessions.refresh(own.refresh_token)).status, 200);
});

test('where it is set up at the login, too: then the person logs in once more', async () => {
  const { email } = await created(required);
  const { mfa_token } = (await logIn(email, {}, required)).json();
  const { secret } = (await required.post('/auth/mfa/totp', { body: { mfa_token } })).json();
  await required.test('faults?value=1');
  const confirmed = await required.post('/auth/mfa/totp/confirm', { body: { mfa_token, code: shown(secret, required.ahead) }, headers: SAME_ORIGIN });
  assert.equal(confirmed.status, 202, confirmed.text);
  assert.deepEqual(Object.keys(confirmed.json()), ['pending', 'recovery_codes']);
  assert.equal(confirmed.headers['set-cookie'], undefined);
  const again = await logIn(email, {}, required);
  refused(again, 'MFA_REQUIRED');
  const opened = await required.post('/auth/mfa', { body: { mfa_token: again.json().mfa_token, recovery_code: confirmed.json().recovery_codes[0] } });
  assert.equal(opened.status, 200, opened.text);
});

test('where nobody sets one up, the endpoints for it are not there', async () => {
  const off = new Sessions(gate, 'off');
  const { email } = await created(off);
  const { access_token: token } = (await logIn(email, {}, off)).json();
  refused(await off.post('/auth/mfa/totp', { token }), 'NOT_FOUND');
  refused(await off.post('/auth/mfa/totp/confirm', { token, body: { code: '123456' } }), 'NOT_FOUND');
  assert.deepEqual((await off.get('/auth/mfa', { token })).json(), { totp: false, recovery_codes_left: 0 });
});

test('no store and no log has a secret, a code or a token', async () => {
  const from = gate.output.lines.length;
  const { email, id, secret, codes } = await withTotp();
  const mfa_token = await begun(email);
  refused(await second({ mfa_token, code: '00000x' }), 'INVALID_CREDENTIALS');
  assert.equal((await second({ mfa_token, recovery_code: codes[0] })).status, 200);
  const shard = Buffer.from(id, 'base64url').readUInt16BE(0);
  const rows = (await sessions.object('EDGEGATE_LOGINS', `names/${shard}`, 'X-Dump')).text;
  assert.match(rows, /authenticator/);
  const lines = gate.output.lines.slice(from);
  assert.ok(lines.some((line) => line.includes('"second_factor_required"')), 'the log says that a second factor was asked for');
  assert.ok(lines.some((line) => line.includes('"wrong_code"')));
  const decoded = Buffer.from(secretBytes(secret));
  for (const text of [rows, ...lines]) {
    for (const hidden of [secret, decoded.toString('base64url'), decoded.toString('hex'), mfa_token, ...codes, ...codes.map((code) => code.replaceAll('-', ''))]) {
      assert.ok(!text.includes(hidden), text);
    }
  }
});

/** Base32, without padding. */
function secretBytes(text) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...text].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2));
}
