// Accounts: people log in by password, at the edge.

import assert from 'node:assert/strict';
import { createHmac, hkdfSync, pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { SECRETS, admitted, freshIp, refused, start, temporaryFolder, until } from './harness.mjs';
import { AT, RT, Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';
import { claimsOf } from './token.mjs';

const DEVICE = '__Host-edgegate-d';
const PASSWORD = 'quiet river, late boat';
/** bcrypt of [`OF_BCRYPT`], at cost 4. */
const BCRYPT = '$2b$04$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW';
const OF_BCRYPT = 'correct horse battery staple';

const base64 = (bytes) => bytes.toString('base64').replace(/=+$/, '');
const salt = randomBytes(16);
const IMPORTS = {
  bcrypt: BCRYPT,
  scrypt: `$scrypt$ln=10,r=8,p=1$${base64(salt)}$${base64(scryptSync(OF_BCRYPT, salt, 32, { N: 1024, r: 8, p: 1 }))}`,
  Django: `pbkdf2_sha256$1000$${salt.toString('hex')}$${pbkdf2Sync(OF_BCRYPT, salt.toString('hex'), 1000, 32, 'sha256').toString('base64')}`,
  // As PHP's `password_hash` does it: one lane, no pepper. By OpenSSL.
  argon2id: '$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$XcCA2JUsASN/cSOFKIjniOq1/b/68WY0kQ+IjzYPp+w',
};

const accounts = (changes = {}) => ({ secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], scopes: ['read:posts'], ...changes });
const accountPolicy = (changes = {}, sessions = {}) => sessionPolicy({ accounts: accounts(), ...changes }, sessions);

let gate;
let sessions;
let listed;
before(async () => {
  gate = await start([
    sessionWorker({ policy: accountPolicy({}, { origins: ['https://app.example.com'] }) }),
    sessionWorker({ name: 'imports', policy: accountPolicy({ accounts: accounts({ imports: Object.values(IMPORTS) }) }) }),
    sessionWorker({ name: 'watching', policy: accountPolicy({ watch: {} }) }),
    sessionWorker({ name: 'none', policy: sessionPolicy() }),
    sessionWorker({ name: 'tokens', policy: accountPolicy({}, { cookies: false }) }),
    sessionWorker({ name: 'listed', policy: accountPolicy({ accounts: accounts({ password_list: 'kv', password_words: ['AcmeCorp', 'zwölf boote'] }) }) }),
  ]);
  sessions = new Sessions(gate);
  listed = new Sessions(gate, 'listed');
});
after(() => gate.dispose());

let last = 0;
const freshEmail = () => `person-${++last}-${randomBytes(4).toString('hex')}@example.com`;

/** An account with a new address. */
async function created(body = {}, at = sessions) {
  const email = freshEmail();
  const answer = await at.admin('POST', '/accounts', { email, password: PASSWORD, ...body });
  assert.equal(answer.status, 201, answer.text);
  return { email, ...answer.json() };
}

const logIn = (email, password = PASSWORD, options = {}, at = sessions) => at.post('/auth/login', { body: { email, password }, ...options });
const sameOrigin = { 'Sec-Fetch-Site': 'same-origin' };
const cookiesOf = (answer) => Object.fromEntries((answer.headers['set-cookie'] ?? []).map((line) => line.split(';')[0].split('=')));
const written = (cookies) => Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ');
const codeOf = (answer) => `${answer.status} ${answer.json().code}`;
const counted = (answers) => {
  const counts = {};
  for (const answer of answers) counts[codeOf(answer)] = (counts[codeOf(answer)] ?? 0) + 1;
  return counts;
};

test('a program logs in and gets tokens', async () => {
  const { email, id, subject } = await created({ scopes: ['write:posts'] });
  assert.equal(subject, `account|${id}`);
  const answer = await logIn(email.toUpperCase());
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers['cache-control'], /no-store/);
  assert.equal(answer.headers['set-cookie'], undefined);
  const opened = answer.json();
  assert.deepEqual(Object.keys(opened), ['session_id', 'access_token', 'token_type', 'expires_in', 'refresh_token', 'refresh_expires_in']);
  const claims = claimsOf(opened.access_token);
  assert.deepEqual(claims.amr, ['pwd']);
  assert.ok(Math.abs(claims.auth_time - claims.iat) <= 2);
  admitted(await sessions.get('/v1/posts', { token: opened.access_token }), { subject, scopes: ['read:posts', 'write:posts'] });
  const refreshed = await sessions.post('/auth/refresh', { body: { refreshToken: opened.refresh_token } });
  assert.equal(refreshed.status, 200, refreshed.text);
});

test('a browser logs in and gets cookies; another site cannot log it in', async () => {
  const { email } = await created();
  const answer = await sessions.post('/auth/login', { body: { email, password: PASSWORD, remember: true }, headers: sameOrigin });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(Object.keys(answer.json()), ['session_id', 'expires_in']);
  const cookies = cookiesOf(answer);
  assert.deepEqual(Object.keys(cookies).sort(), [AT, DEVICE, RT].sort());
  for (const line of answer.headers['set-cookie']) assert.match(line, /; Path=\/; Secure; HttpOnly; SameSite=(Lax|Strict); Max-Age=\d+$/);
  const me = await sessions.get('/auth/session', { headers: { Cookie: written(cookies) } });
  assert.deepEqual(me.json().amr, ['pwd']);
  const brief = await sessions.post('/auth/login', { body: { email, password: PASSWORD }, headers: sameOrigin });
  const session = brief.headers['set-cookie'].filter((line) => !line.startsWith(DEVICE));
  for (const line of session) assert.doesNotMatch(line, /Max-Age/);
  for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example' }, { 'Sec-Fetch-Site': 'same-site', Origin: 'https://evil.example.com' }]) {
    const refusal = await logIn(email, PASSWORD, { headers });
    refused(refusal, 'CSRF_REFUSED');
    assert.equal(refusal.headers['set-cookie'], undefined);
  }
  const listed = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://app.example.com' };
  const other = await logIn(email, PASSWORD, { headers: listed });
  assert.equal(other.status, 200, other.text);
  assert.equal(other.headers['access-control-allow-origin'], 'https://app.example.com');
  const preflight = await sessions.request('OPTIONS', '/auth/login', {
    headers: { Origin: 'https://app.example.com', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-credentials'], 'true');
});

test('a page of another site uses up no guesses of its visitors, where the policy has no cookies either', async () => {
  const tokens = new Sessions(gate, 'tokens');
  const { email } = await created({}, tokens);
  const ip = freshIp();
  const before = await tokens.counts();
  for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' }, { Origin: 'null' }]) {
    for (let guess = 0; guess < 3; guess += 1) refused(await logIn(freshEmail(), 'some password', { ip, headers }, tokens), 'CSRF_REFUSED');
    refused(await tokens.post('/auth/passkey/options', { body: {}, ip, headers }), 'NOT_FOUND');
    refused(await tokens.post('/auth/mfa', { body: { mfa_token: 'x', code: '000000' }, ip, headers }), 'CSRF_REFUSED');
  }
  assert.equal((await tokens.counts()).logins, before.logins, 'no address is written');
  // Whoever is a page of this origin gets tokens, as a program does: the policy has no cookies.
  for (const headers of [sameOrigin, { Origin: 'https://api.example.com' }, {}]) {
    const opened = await logIn(email, PASSWORD, { ip, headers }, tokens);
    assert.equal(opened.status, 200, opened.text);
    assert.ok(opened.json().access_token);
    assert.equal(opened.headers['set-cookie'], undefined);
  }
});

test('a body that a form of any page can send is none', async () => {
  const { email } = await created();
  const body = JSON.stringify({ email, password: PASSWORD });
  const as = (kind) => sessions.post('/auth/login', { body, headers: { 'Content-Type': kind } });
  for (const kind of ['text/plain', 'text/plain;charset=UTF-8', 'multipart/form-data; boundary=x']) refused(await as(kind), 'INVALID_REQUEST');
  // What curl calls it, where nobody says it.
  for (const kind of ['application/x-www-form-urlencoded', '']) assert.equal((await as(kind)).status, 200, kind);
});

test('CVE-2025-12390, GHSA-rg35-5v25-mqvp: a login makes a session of its own, and ends the one that the browser had', async () => {
  const [mallory, ada] = [await created(), await created()];
  const planted = cookiesOf(await logIn(mallory.email, PASSWORD, { headers: sameOrigin }));
  const answer = await logIn(ada.email, PASSWORD, { headers: { ...sameOrigin, Cookie: written(planted) } });
  assert.equal(answer.status, 200, answer.text);
  const own = cookiesOf(answer);
  for (const name of [AT, RT]) assert.notEqual(own[name], planted[name]);
  assert.equal((await sessions.get('/auth/session', { headers: { Cookie: written(own) } })).json().subject, ada.subject);
  refused(await sessions.post('/auth/refresh', { body: { refreshToken: planted[RT] } }), 'INVALID_REFRESH_TOKEN');
});

test('CVE-2026-45364, CVE-2026-47674: an address is one, however it is spelled and whatever is forwarded', async () => {
  const spellings = ['2001:db8:99:1::1', '2001:0db8:0099:0001:0000:0000:0000:0001', '2001:DB8:99:1::2', '2001:db8:99:1:ffff::'];
  const seen = [];
  for (let guess = 0; guess < 8; guess += 1) {
    const headers = { 'X-Forwarded-For': freshIp(), 'X-Real-IP': freshIp(), Forwarded: `for=${freshIp()}` };
    seen.push((await logIn(freshEmail(), 'some password', { ip: spellings[guess % spellings.length], headers })).status);
  }
  assert.deepEqual(seen, [401, 401, 401, 401, 401, 429, 429, 429]);
});

test('a form is refused field by field, and asks nobody', async () => {
  const { logins: before } = await sessions.counts();
  for (const [body, details] of [
    [{}, [['email', 'Required'], ['password', 'Required']]],
    [{ email: 'not-an-email', password: 'short' }, [['email', 'Invalid email'], ['password', 'Password must be at least 8 characters']]],
    [{ email: 'ada@example.com', password: 'x'.repeat(1025) }, [['password', 'Password must have 1 to 1024 bytes']]],
    [{ email: 7, password: PASSWORD }, [['email', 'expected a string, found a whole number']]],
    [{ email: 'ada@example.com', password: PASSWORD, remember_me: true }, undefined],
  ]) {
    const answer = await sessions.post('/auth/login', { body });
    assert.equal(answer.status, 400, answer.text);
    const refusal = answer.json();
    assert.deepEqual(Object.keys(refusal), ['error', 'code', 'hint', 'details']);
    assert.equal(refusal.error, 'Validation failed');
    assert.equal(refusal.code, 'INVALID_REQUEST');
    if (details) assert.deepEqual(refusal.details.map(({ field, message }) => [field, message]), details);
    else assert.match(refusal.details[0].field, /remember_me/);
    assert.ok(!answer.text.includes(PASSWORD));
  }
  assert.equal((await sessions.counts()).logins, before);
});

test('who is not there is answered as who has another password, byte by byte', async () => {
  const { email } = await created();
  const answers = [];
  for (const name of [email, freshEmail()]) {
    const answer = await logIn(name, 'another password');
    refused(answer, 'INVALID_CREDENTIALS');
    answers.push(answer);
  }
  const bytes = ({ text, rawHeaders }) => [text, rawHeaders.filter((_, index) => !/^date$/i.test(rawHeaders[index - (index % 2)]))];
  assert.deepEqual(bytes(answers[0]), bytes(answers[1]));
  const ip = freshIp();
  const many = [];
  for (const name of [email, freshEmail()]) {
    for (let guess = 0; guess < 5; guess += 1) await logIn(name, 'another password');
    many.push(await logIn(name, 'another password', { ip }));
  }
  for (const answer of many) refused(answer, 'TOO_MANY_ATTEMPTS', { hint: 'Please try again in 15 minutes' });
  assert.deepEqual(many[0].text, many[1].text);
});

test('of a thousand guesses at once at one name five are compared, and its owner gets in by the browser that is known', async () => {
  const { email } = await created();
  const known = await logIn(email, PASSWORD, { headers: sameOrigin });
  const cookie = `${DEVICE}=${cookiesOf(known)[DEVICE]}`;
  const from = gate.output.lines.length;
  const { logins: before } = await sessions.counts();
  const guesses = Promise.all(Array.from({ length: 1000 }, (_, number) => logIn(email, `guess number ${number}`)));
  const owner = await logIn(email, PASSWORD, { headers: { ...sameOrigin, Cookie: cookie } });
  const counts = counted(await guesses);
  const { logins: after } = await sessions.counts();
  assert.ok(counts['401 INVALID_CREDENTIALS'] <= 5, JSON.stringify(counts));
  assert.equal(counts['401 INVALID_CREDENTIALS'] + counts['429 TOO_MANY_ATTEMPTS'], 1000, JSON.stringify(counts));
  assert.equal(owner.status, 200, owner.text);
  // What is counted for the address stays far below a call for each guess.
  assert.ok(after - before < 700, `${after - before}`);
  const compared = gate.output.lines.slice(from).filter((line) => line.includes('"wrong_password"'));
  assert.ok(compared.length <= 5);
  // A stranger stays out with the right one, and so does a cookie of another browser.
  refused(await logIn(email), 'TOO_MANY_ATTEMPTS');
  const other = await created();
  const cookieOfOther = `${DEVICE}=${cookiesOf(await logIn(other.email, PASSWORD, { headers: sameOrigin }))[DEVICE]}`;
  refused(await logIn(email, PASSWORD, { headers: { ...sameOrigin, Cookie: cookieOfOther } }), 'TOO_MANY_ATTEMPTS');
  // The same browser has five wrong guesses of its own, and no more.
  const wrong = [];
  for (let guess = 0; guess < 7; guess += 1) wrong.push(await logIn(email, 'wrong password', { headers: { ...sameOrigin, Cookie: cookie } }));
  assert.deepEqual(counted(wrong), { '401 INVALID_CREDENTIALS': 5, '429 TOO_MANY_ATTEMPTS': 2 });
  await sessions.wait(901);
  assert.equal((await logIn(email)).status, 200);
});

test('of a thousand names that one address tries five are compared', async () => {
  const ip = freshIp();
  const counts = counted(await Promise.all(Array.from({ length: 1000 }, (_, number) => logIn(`nobody-${number}@example.com`, 'some password', { ip }))));
  assert.ok(counts['401 INVALID_CREDENTIALS'] <= 5, JSON.stringify(counts));
  assert.equal(counts['401 INVALID_CREDENTIALS'] + counts['429 TOO_MANY_ATTEMPTS'], 1000);
  // A right password between two guesses gives back its own guess alone.
  await sessions.wait(60);
  const { email } = await created();
  const own = freshIp();
  const seen = [];
  for (let guess = 0; guess < 5; guess += 1) {
    seen.push((await logIn(email, PASSWORD, { ip: own })).status, (await logIn(freshEmail(), 'some password', { ip: own })).status);
  }
  assert.deepEqual(seen, [200, 401, 200, 401, 200, 401, 200, 401, 200, 401]);
  refused(await logIn(email, PASSWORD, { ip: own }), 'TOO_MANY_ATTEMPTS');
});

test('the addresses of a network are counted together', async () => {
  const counts = counted(await Promise.all(Array.from({ length: 80 }, (_, block) => logIn(freshEmail(), 'some password', { ip: `2001:db8:77:${block.toString(16)}::1` }))));
  assert.ok(counts['401 INVALID_CREDENTIALS'] <= 50, JSON.stringify(counts));
  // The budget of hashes for strangers is spent, and comes back.
  await sessions.wait(60);
  const ip = '2001:db8:78:1::1';
  const same = [];
  for (let guess = 0; guess < 7; guess += 1) same.push(await logIn(freshEmail(), 'some password', { ip: `2001:db8:78:1::${guess + 1}` }));
  assert.ok(counted(same)['401 INVALID_CREDENTIALS'] <= 5, ip);
});

test('passwords that others have hashed are taken, and hashed anew at the first login', async () => {
  const at = new Sessions(gate, 'imports');
  const forms = { ...IMPORTS, PHP: BCRYPT.replace('$2b$', '$2y$') };
  for (const [name, hash] of Object.entries(forms)) {
    const { email, id, imported } = await created({ password: undefined, password_hash: hash }, at);
    assert.equal(imported, true, name);
    refused(await logIn(email, 'another password', {}, at), 'INVALID_CREDENTIALS');
    assert.equal((await logIn(email, OF_BCRYPT, {}, at)).status, 200, name);
    const now = (await at.admin('GET', `/accounts/${id}`)).json();
    assert.equal(now.imported, false, name);
    assert.equal((await logIn(email, OF_BCRYPT, {}, at)).status, 200, name);
  }
  // A kind that not every login computes would show by its time who was imported.
  const refusal = await sessions.admin('POST', '/accounts', { email: freshEmail(), password_hash: BCRYPT });
  refused(refusal, 'INVALID_REQUEST', { hint: /^password_hash: expected a hash .* accounts\.imports$/ });
  for (const hash of ['', 'plain', '$2b$31$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW']) {
    refused(await at.admin('POST', '/accounts', { email: freshEmail(), password_hash: hash }), 'INVALID_REQUEST');
  }
});

test('an administrator makes, finds, changes and deletes accounts', async () => {
  const { email, id, subject } = await created({ verified: true });
  const found = await sessions.admin('POST', '/accounts/find', { email: email.toUpperCase() });
  assert.deepEqual(Object.keys(found.json()), ['id', 'subject', 'disabled', 'is_verified', 'scopes', 'created_at', 'imported', 'factors']);
  assert.equal(found.json().id, id);
  assert.equal(found.json().is_verified, true);
  refused(await sessions.admin('POST', '/accounts', { email, password: PASSWORD }), 'INVALID_REQUEST', { hint: 'email: has an account already' });
  for (const [body, hint] of [
    [{ email: 'nobody', password: PASSWORD }, /^email: /],
    [{ email: freshEmail() }, /^password: expected exactly one/],
    [{ email: freshEmail(), password: 'short' }, /^password: Use at least 8 characters$/],
    [{ email: 'ada.lovelace@example.com', password: 'ada.lovelace1' }, /^password: Use a password that is not your address/],
    [{ email: freshEmail(), password: PASSWORD, scopes: ['"'] }, /^scopes\[0\]/],
  ]) refused(await sessions.admin('POST', '/accounts', body), 'INVALID_REQUEST', { hint });
  refused(await sessions.admin('POST', '/accounts/find', { email: freshEmail() }), 'NOT_FOUND');
  refused(await sessions.admin('GET', '/accounts/nothing'), 'NOT_FOUND');
  // An address is in no URL.
  refused(await sessions.admin('GET', '/accounts?email=ada@example.com'), 'METHOD_NOT_ALLOWED');

  const opened = (await logIn(email)).json();
  const use = () => sessions.get('/v1/posts', { token: opened.access_token });
  admitted(await use());
  const disabled = await sessions.admin('PATCH', `/accounts/${id}`, { disabled: true });
  assert.ok([200, 202].includes(disabled.status), disabled.text);
  assert.equal(disabled.json().disabled, true);
  refused(await use(), 'TOKEN_REVOKED');
  refused(await logIn(email), 'NOT_ALLOWED');
  refused(await logIn(email, 'another password'), 'INVALID_CREDENTIALS');
  await sessions.admin('PATCH', `/accounts/${id}`, { disabled: false });
  assert.equal((await logIn(email)).status, 200);

  const second = (await logIn(email)).json();
  await sessions.admin('PATCH', `/accounts/${id}`, { password: 'a wholly new one' });
  refused(await sessions.post('/auth/refresh', { body: { refreshToken: second.refresh_token } }), 'INVALID_REFRESH_TOKEN');
  refused(await logIn(email), 'INVALID_CREDENTIALS');
  const third = (await logIn(email, 'a wholly new one')).json();
  await sessions.admin('PATCH', `/accounts/${id}`, { scopes: [] });
  refused(await sessions.post('/auth/refresh', { body: { refreshToken: third.refresh_token } }), 'INVALID_REFRESH_TOKEN');
  refused(await sessions.admin('PATCH', `/accounts/${id}`, {}), 'INVALID_REQUEST');

  const fourth = (await logIn(email, 'a wholly new one')).json();
  const gone = await sessions.admin('DELETE', `/accounts/${id}`);
  assert.ok([200, 202].includes(gone.status), gone.text);
  refused(await sessions.admin('DELETE', `/accounts/${id}`), 'NOT_FOUND');
  refused(await sessions.post('/auth/refresh', { body: { refreshToken: fourth.refresh_token } }), 'INVALID_REFRESH_TOKEN');
  refused(await logIn(email, 'a wholly new one'), 'INVALID_CREDENTIALS');
  const again = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.notEqual(again.json().subject, subject);
  for (const target of ['/accounts', `/accounts/${id}`]) refused(await sessions.get(`/auth/admin${target}`), 'MISSING_CREDENTIALS');
});

test('who is logged in changes the password by the old one, and all other sessions end', async () => {
  const { email } = await created();
  const browser = await logIn(email, PASSWORD, { headers: sameOrigin });
  const cookie = written(cookiesOf(browser));
  const phone = (await logIn(email)).json();
  const change = (body, headers = { ...sameOrigin, Cookie: cookie }) => sessions.post('/auth/password', { body, headers });
  const both = { password: PASSWORD, new_password: 'a wholly new one' };
  refused(await sessions.post('/auth/password', { body: both }), 'MISSING_CREDENTIALS');
  refused(await change(both, { Cookie: cookie, 'Sec-Fetch-Site': 'cross-site' }), 'CSRF_REFUSED');
  refused(await change({ ...both, password: 'another password' }), 'INVALID_CREDENTIALS');
  const weak = await change({ password: PASSWORD, new_password: 'aaaaaaaa' });
  assert.equal(weak.status, 400);
  assert.deepEqual(weak.json().details.map(({ field }) => field), ['new_password']);
  const done = await change(both);
  assert.ok([200, 202].includes(done.status), done.text);
  assert.equal(done.json().ended, 1);
  refused(await sessions.post('/auth/refresh', { body: { refreshToken: phone.refresh_token } }), 'INVALID_REFRESH_TOKEN');
  assert.equal((await sessions.get('/auth/session', { headers: { Cookie: cookie } })).status, 200);
  refused(await logIn(email), 'INVALID_CREDENTIALS');
  assert.equal((await logIn(email, 'a wholly new one')).status, 200);
  // A session that is no account's has no password.
  const opened = await sessions.admin('POST', '/sessions', { subject: 'alice', scopes: [] });
  refused(await sessions.post('/auth/password', { body: both, token: opened.json().access_token }), 'NOT_FOUND');
});

test('a new password counts also where the other sessions cannot be ended at once, and they end behind the answer', async () => {
  const { email, id } = await created();
  const [own, other] = [(await logIn(email)).json(), (await logIn(email)).json()];
  await sessions.test('faults?value=2');
  const changed = await sessions.post('/auth/password', { body: { password: PASSWORD, new_password: 'a better password' }, token: own.access_token });
  assert.deepEqual([changed.status, changed.json()], [202, { pending: true, ended: 0 }]);
  refused(await logIn(email), 'INVALID_CREDENTIALS');
  await until(async () => (await sessions.refresh(other.refresh_token)).status === 401);
  assert.equal((await sessions.refresh(own.refresh_token)).status, 200);
  await sessions.test('faults?value=1');
  const byAdministrator = await sessions.admin('PATCH', `/accounts/${id}`, { password: 'yet another password' });
  assert.deepEqual([byAdministrator.status, byAdministrator.json().pending], [202, true]);
  await until(async () => (await sessions.refresh(own.refresh_token)).status === 401);
});

test('each keyboard writes the same password, and no store and no log has it', async () => {
  const { email, id } = await created({ password: 'Zwo\u0308lf Boote im Hafen' });
  assert.equal((await logIn(email, 'Zw\u00f6lf Boote im Hafen')).status, 200);
  refused(await logIn(email, 'Zwolf Boote im Hafen'), 'INVALID_CREDENTIALS');
  const shard = Buffer.from(id, 'base64url').readUInt16BE(0);
  const rows = (await sessions.object('EDGEGATE_LOGINS', `names/${shard}`, 'X-Dump')).text;
  assert.match(rows, /argon2id\$v=19\$m=19456,t=2,p=1,keyid=AQ\$/);
  assert.ok(!rows.includes(email) && !rows.includes('Boote'), rows);
  for (const line of gate.output.lines) assert.ok(!line.includes(email) && !line.includes('Boote') && !line.includes(PASSWORD), line);
});

/** The object that keeps the guesses of an address. */
function shardOfAddress(ip) {
  const key = Buffer.from(hkdfSync('sha256', SECRETS.ACCOUNTS_SECRET, 'edgegate-accounts-v1', 'address', 32));
  return `addresses/${createHmac('sha256', key).update(ip).digest().readUInt16BE(0) % 4096}`;
}

test('guesses are stored without the address, and gone once they count no more', async () => {
  const ip = freshIp();
  refused(await logIn(freshEmail(), 'some password', { ip }), 'INVALID_CREDENTIALS');
  const dump = async () => (await sessions.object('EDGEGATE_LOGINS', shardOfAddress(ip), 'X-Dump')).json();
  const rows = await dump();
  assert.ok(rows.length >= 1 && rows.every(({ name }) => name.startsWith('address/')), JSON.stringify(rows));
  assert.ok(!JSON.stringify(rows).includes(ip));
  await sessions.wait(901);
  await sessions.object('EDGEGATE_LOGINS', shardOfAddress(ip), 'X-Alarm');
  assert.deepEqual(await dump(), []);
});

test('one path, two ways in: by GET a provider is chosen, a password is posted', async () => {
  const only = await sessions.get('/auth/login');
  refused(only, 'METHOD_NOT_ALLOWED');
  assert.equal(only.headers.allow, 'POST');
  const none = new Sessions(gate, 'none');
  refused(await none.post('/auth/login', { body: { email: 'ada@example.com', password: PASSWORD } }), 'NOT_FOUND');
  refused(await none.post('/auth/password', { body: {} }), 'NOT_FOUND');
  refused(await none.admin('POST', '/accounts/find', { email: 'ada@example.com' }), 'NOT_FOUND');
});

test('the watch counts guesses as failed authentication', async () => {
  const at = new Sessions(gate, 'watching');
  for (let guess = 0; guess < 3; guess += 1) await logIn(freshEmail(), 'some password', {}, at);
  const report = (await at.admin('GET', '/watch')).text;
  assert.match(report, /INVALID_CREDENTIALS/);
});

test('a restart loses nothing', async () => {
  const folder = temporaryFolder();
  const open = () => start([sessionWorker({ policy: accountPolicy() })], { shared: { resourcePersistencePath: folder } });
  const email = freshEmail();
  let other = await open();
  let at = new Sessions(other);
  const made = await at.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  const ip = freshIp();
  for (let guess = 0; guess < 3; guess += 1) refused(await logIn(email, 'another password', { ip }, at), 'INVALID_CREDENTIALS');
  await other.dispose();
  other = await open();
  at = new Sessions(other);
  assert.equal((await logIn(email, PASSWORD, {}, at)).status, 200);
  const ofName = [];
  for (let guess = 0; guess < 4; guess += 1) ofName.push(codeOf(await logIn(email, 'another password', {}, at)));
  assert.deepEqual(ofName.map((code) => code.slice(0, 3)), ['401', '401', '429', '429']);
  const ofAddress = [];
  for (let guess = 0; guess < 4; guess += 1) ofAddress.push(codeOf(await logIn(freshEmail(), 'another password', { ip }, at)));
  assert.deepEqual(ofAddress.map((code) => code.slice(0, 3)), ['401', '401', '429', '429']);
  await other.dispose();
  rmSync(folder, { recursive: true, force: true });
});

test('common passwords, and those of a list in KV, are nobody’s new password', async () => {
  const { id, email } = await created();
  const set = (password) => sessions.admin('PATCH', `/accounts/${id}`, { password });
  for (const common of ['password1', 'iloveyou', 'BaseBall']) {
    const answer = await set(common);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.json().hint ?? answer.text, /lists that attackers try first/);
  }
  assert.equal((await set('PassWord1 in the harbour')).status, 200, 'only whole ones are looked for');
  assert.equal((await logIn(email, 'PassWord1 in the harbour')).status, 200);

  // vectors/password-list.egp is a list of one: `npx edgegate passwords build`.
  refused(await listed.admin('POST', '/accounts', { email: freshEmail(), password: PASSWORD }), 'STORE_UNAVAILABLE');
  const kv = await gate.mf.getKVNamespace('EDGEGATE_KV', 'listed');
  await kv.put('passwords/v1', 'not a list');
  refused(await listed.admin('POST', '/accounts', { email: freshEmail(), password: PASSWORD }), 'STORE_UNAVAILABLE');
  await kv.put('passwords/v1', readFileSync(new URL('../vectors/password-list.egp', import.meta.url)));
  const person = await created({}, listed);
  const change = (password) => listed.admin('PATCH', `/accounts/${person.id}`, { password });
  assert.equal((await change('another quiet river')).status, 200);
  assert.equal((await change('Harbour lights 2026')).status, 400);
});

test('words of the policy are nobody’s new password', async () => {
  const kv = await gate.mf.getKVNamespace('EDGEGATE_KV', 'listed');
  await kv.put('passwords/v1', readFileSync(new URL('../vectors/password-list.egp', import.meta.url)));
  const { id } = await created({}, listed);
  const set = (password) => listed.admin('PATCH', `/accounts/${id}`, { password });
  for (const easy of ['acmecorp', 'ACMEcorp!1', 'zwo\u0308lf Boote']) {
    const answer = await set(easy);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.text, /not your address or our name/);
  }
  assert.equal((await set('acmecorp by the sea')).status, 200);
});

test('who was refused since all hashes were taken has made no guess', async () => {
  const { email } = await created();
  const ip = freshIp();
  await sessions.wait(60);
  const flood = Array.from({ length: 120 }, () => logIn(freshEmail(), 'not the password'));
  const tries = Array.from({ length: 8 }, () => logIn(email, PASSWORD, { ip }));
  const answers = await Promise.all([...flood, ...tries]);
  assert.ok(answers.slice(120).some(({ status }) => status === 429), JSON.stringify(counted(answers)));
  await sessions.wait(60);
  assert.equal((await logIn(email, PASSWORD, { ip })).status, 200);
});
