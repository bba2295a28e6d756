// Accounts in the npm package: people log in by password, through each framework, over memory and over a real Redis.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { generateSync } from 'otplib';

import { EdgegateError, createGate, memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { guard as guardExpress } from '../../pkg/wasm/express.js';
import { SECRETS, freshIp } from '../worker/harness.mjs';
import { AT, RT } from '../worker/sessions.mjs';
import { accountPolicy } from './account-gate.mjs';
import { gateOf } from './gate.mjs';
import { SERVED, startApplication } from './login.mjs';
import { CLIENTS, startRedis } from './redis-server.mjs';
import { sessionSecrets } from './session-gate.mjs';
import { refusalOf, refusalOfPromise } from './support.mjs';

const DEVICE = '__Host-edgegate-d';
const PASSWORD = 'quiet river, late boat';
/** bcrypt of `OF_BCRYPT`, at cost 4. */
const BCRYPT = '$2b$04$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW';
const OF_BCRYPT = 'correct horse battery staple';
const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' };

const secrets = { ...sessionSecrets(), ACCOUNTS_SECRET: SECRETS.ACCOUNTS_SECRET };
let last = 0;
const freshEmail = () => `person-${++last}-${randomBytes(4).toString('hex')}@example.com`;

/** A gate with accounts over memory. The test has its clock. */
function accountGate({ policy = accountPolicy(), stores = {}, ...rest } = {}) {
  const made = gateOf({ policy, secrets, stores: { sessions: memoryStore(), accounts: memoryStore(), ...stores }, ...rest });
  const ask = (path, body, { headers = {}, ip = freshIp(), method = 'POST' } = {}) => answered(made.gate, path, body, { headers, ip, method });
  return { ...made, ask, logIn: (email, password = PASSWORD, options = {}) => ask('/auth/login', { email, password }, options) };
}

async function answered(gate, path, body, { headers = {}, ip = freshIp(), method = 'POST' } = {}) {
  const url = `https://api.example.com${path}`;
  const asked = { method, url, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
  const { status, headers: fields, body: text } = await gate.handle(asked, { clientIp: ip });
  return { status, headers: fields, text, json: () => JSON.parse(text) };
}

const codeOf = (answer) => `${answer.status} ${answer.json().code}`;
const refused = (answer, code) => assert.equal(codeOf(answer), code, answer.text);
const cookiesIn = ({ headers }) => Object.fromEntries(headers.filter(([name]) => name === 'Set-Cookie').map(([, value]) => value.split(';')[0].split(/=(.*)/s)));
const counted = (answers) => {
  const counts = {};
  for (const answer of answers) counts[codeOf(answer)] = (counts[codeOf(answer)] ?? 0) + 1;
  return counts;
};
const refusal = (promise) => refusalOfPromise(promise, EdgegateError);

const WRONG = '401 INVALID_CREDENTIALS';
const TOO_MANY = '429 TOO_MANY_ATTEMPTS';

const withJsonParser = (gate) => express()
  .use(express.json())
  .use(guardExpress(gate, { caseSensitive: true }))
  .get('/v1/posts', (asked, response) => response.json({ subject: asked.auth.subject }));

for (const [name, served] of Object.entries({ ...SERVED, 'express with a parser of JSON': withJsonParser })) {
  test(`by ${name}: a program gets tokens, a browser cookies, and the password can be changed`, async (t) => {
    const application = await startApplication(served, [], { secrets, policy: accountPolicy });
    t.after(() => application.close());
    const post = (path, body, headers = {}) =>
      application.request('POST', path, { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
    const email = freshEmail();
    const { subject } = await application.gate.accounts.create({ email, password: PASSWORD });

    const program = await post('/auth/login', { email, password: PASSWORD });
    assert.equal(program.status, 200, program.text);
    assert.match(program.headers['cache-control'], /no-store/);
    assert.equal(program.headers['set-cookie'], undefined);
    const { access_token: token } = program.json();
    const used = await application.request('GET', '/v1/posts', { headers: { authorization: `Bearer ${token}` } });
    assert.equal(used.status, 200, used.text);
    assert.deepEqual(used.json(), { subject });

    const browser = await post('/auth/login', { email, password: PASSWORD }, SAME_ORIGIN);
    assert.equal(browser.status, 200, browser.text);
    const jar = Object.fromEntries(browser.headers['set-cookie'].map((line) => line.split(';')[0].split(/=(.*)/s)));
    assert.deepEqual(Object.keys(jar).sort(), [AT, DEVICE, RT].sort());
    const cookie = Object.entries(jar).map(([one, value]) => `${one}=${value}`).join('; ');
    refused(await post('/auth/login', { email, password: PASSWORD }, { 'sec-fetch-site': 'cross-site' }), '403 CSRF_REFUSED');

    refused(await post('/auth/login', { email, password: 'another password' }), WRONG);
    const changed = await post('/auth/password', { password: PASSWORD, new_password: 'a wholly new one' }, { ...SAME_ORIGIN, cookie });
    assert.ok([200, 202].includes(changed.status), changed.text);
    assert.equal(changed.json().ended, 1);
    refused(await post('/auth/login', { email, password: PASSWORD }), WRONG);
    assert.equal((await post('/auth/login', { email, password: 'a wholly new one' })).status, 200);
    const get = await application.request('GET', '/auth/login', { headers: {} });
    refused(get, '405 METHOD_NOT_ALLOWED');
    assert.equal(get.headers.allow, 'POST');
  });
}

describe('over memory', () => {
  test('who is not there is answered as who has another password, byte by byte', async () => {
    const { gate, logIn } = accountGate();
    const email = freshEmail();
    await gate.accounts.create({ email, password: PASSWORD });
    const [wrong, nobody] = [await logIn(email, 'another password'), await logIn(freshEmail(), 'another password')];
    refused(wrong, WRONG);
    assert.deepEqual([nobody.status, nobody.headers, nobody.text], [wrong.status, wrong.headers, wrong.text]);
  });

  test('a page of another site has nothing to ask, where the policy has no cookies either', async () => {
    const { gate, ask } = accountGate({ policy: { ...accountPolicy(), sessions: { ...accountPolicy().sessions, cookies: false } } });
    const email = freshEmail();
    await gate.accounts.create({ email, password: PASSWORD });
    const ip = freshIp();
    for (let guess = 0; guess < 10; guess += 1) {
      refused(await ask('/auth/login', { email, password: 'another password' }, { ip, headers: { 'sec-fetch-site': 'cross-site' } }), '403 CSRF_REFUSED');
    }
    refused(await ask('/auth/login', { email, password: PASSWORD }, { ip, headers: { 'content-type': 'text/plain' } }), '400 INVALID_REQUEST');
    assert.equal((await ask('/auth/login', { email, password: PASSWORD }, { ip })).status, 200);
  });

  test('a form is refused field by field, and asks no store', async () => {
    const asked = [];
    const store = new Proxy(memoryStore(), { get: (target, name) => (...given) => { asked.push(name); return target[name](...given); } });
    const { ask } = accountGate({ stores: { accounts: store, counters: store } });
    for (const [body, details] of [
      [{}, [['email', 'Required'], ['password', 'Required']]],
      [{ email: 'not-an-email', password: 'short' }, [['email', 'Invalid email'], ['password', 'Password must be at least 8 characters']]],
      [{ email: 'ada@example.com', password: 'x'.repeat(1025) }, [['password', 'Password must have 1 to 1024 bytes']]],
    ]) {
      const answer = await ask('/auth/login', body);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json().error, 'Validation failed');
      assert.deepEqual(answer.json().details.map(({ field, message }) => [field, message]), details);
    }
    assert.deepEqual(asked, []);
  });

  test('of many guesses at once five are compared; the browser that is known gets in, and the bound ends with its window', async () => {
    const { gate, clock, logIn } = accountGate();
    const email = freshEmail();
    await gate.accounts.create({ email, password: PASSWORD });
    const known = cookiesIn(await logIn(email, PASSWORD, { headers: SAME_ORIGIN }));
    const all = await Promise.all(Array.from({ length: 40 }, (_, number) => logIn(email, `guess number ${number}`)));
    assert.deepEqual(counted(all), { [WRONG]: 5, [TOO_MANY]: 35 });
    refused(await logIn(email), TOO_MANY);
    const owner = await logIn(email, PASSWORD, { headers: { ...SAME_ORIGIN, cookie: `${DEVICE}=${known[DEVICE]}` } });
    assert.equal(owner.status, 200, owner.text);
    clock.now += 901;
    assert.equal((await logIn(email)).status, 200);
  });

  test('an address has five guesses, whatever names it tries, and a right one gives back its own', async () => {
    const { gate, logIn } = accountGate();
    const email = freshEmail();
    const ip = freshIp();
    await gate.accounts.create({ email, password: PASSWORD });
    const seen = [];
    for (let guess = 0; guess < 5; guess += 1) {
      seen.push((await logIn(email, PASSWORD, { ip })).status, (await logIn(freshEmail(), 'some password', { ip })).status);
      // What is given back is given back behind the answer.
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
    assert.deepEqual(seen, [200, 401, 200, 401, 200, 401, 200, 401, 200, 401]);
    refused(await logIn(email, PASSWORD, { ip }), TOO_MANY);
  });

  test('of strangers together as many hashes are computed as they have, and not one more', async () => {
    const { logIn } = accountGate();
    const counts = counted(await Promise.all(Array.from({ length: 70 }, () => logIn(freshEmail(), 'some password'))));
    assert.deepEqual(counts, { [WRONG]: 50, [TOO_MANY]: 20 });
  });

  test('each keyboard writes the same password, and neither the stores nor the log have it, or the address', async () => {
    const store = memoryStore();
    const { gate, events, logIn } = accountGate({ stores: { accounts: store, sessions: store, counters: store } });
    const email = freshEmail();
    await gate.accounts.create({ email, password: 'Zwo\u0308lf Boote im \ufdfa' });
    assert.equal((await logIn(email, 'Zw\u00f6lf Boote im \ufdfa')).status, 200);
    assert.equal((await logIn(email, 'Zw\u00f6lf Boote im \u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645')).status, 200);
    refused(await logIn(email, 'Zwolf Boote im \ufdfa'), WRONG);
    const { keys } = await store.list('', { limit: 1000 });
    assert.ok(keys.some((key) => key.startsWith('account/v1/names/')));
    const texts = [...keys, ...await store.get(keys), JSON.stringify(events)].join('\n');
    assert.match(texts, /argon2id\$v=19\$m=19456,t=2,p=1,keyid=AQ\$/);
    assert.ok(!texts.includes(email) && !texts.includes('Boote'));
  });

  const salt = randomBytes(16);
  const base64 = (bytes) => bytes.toString('base64').replace(/=+$/, '');
  const IMPORTS = {
    bcrypt: BCRYPT,
    scrypt: `$scrypt$ln=10,r=8,p=1$${base64(salt)}$${base64(scryptSync(OF_BCRYPT, salt, 32, { N: 1024, r: 8, p: 1 }))}`,
    Django: `pbkdf2_sha256$1000$${salt.toString('hex')}$${pbkdf2Sync(OF_BCRYPT, salt.toString('hex'), 1000, 32, 'sha256').toString('base64')}`,
  };

  test('passwords that others have hashed are taken, and hashed anew at the first login', async () => {
    const { gate, logIn } = accountGate({ policy: accountPolicy({}, { imports: Object.values(IMPORTS) }) });
    for (const [name, passwordHash] of Object.entries(IMPORTS)) {
      const email = freshEmail();
      const { id, imported } = await gate.accounts.create({ email, passwordHash });
      assert.equal(imported, true, name);
      refused(await logIn(email, 'another password'), WRONG);
      assert.equal((await logIn(email, OF_BCRYPT)).status, 200, name);
      assert.equal((await gate.accounts.get(id)).imported, false, name);
      assert.equal((await logIn(email, OF_BCRYPT)).status, 200, name);
    }
    const { code, message, path } = await refusal(accountGate().gate.accounts.create({ email: freshEmail(), passwordHash: BCRYPT }));
    assert.deepEqual([code, path], ['INVALID_REQUEST', 'passwordHash']);
    assert.match(message, /^passwordHash: expected a hash .* accounts\.imports$/);
  });

  test('an administrator makes, finds, changes and deletes accounts', async () => {
    const { gate, clock, ask, logIn } = accountGate();
    const email = freshEmail();
    const made = await gate.accounts.create({ email, password: PASSWORD, scopes: ['write:posts'], verified: true });
    const { id } = made;
    assert.deepEqual(made, {
      id, subject: `account|${id}`, disabled: false, isVerified: true, scopes: ['write:posts'], createdAt: clock.now, imported: false,
      factors: { totp: false, recoveryCodesLeft: 0, passkeys: 0 },
    });
    assert.deepEqual(await gate.accounts.find(email.toUpperCase()), made);
    assert.deepEqual(await gate.accounts.get(id), made);
    for (const [asked, path] of [
      [() => gate.accounts.create({ email, password: PASSWORD }), 'email'],
      [() => gate.accounts.create({ email: 'nobody', password: PASSWORD }), 'email'],
      [() => gate.accounts.create({ email: freshEmail() }), 'password'],
      [() => gate.accounts.create({ email: freshEmail(), password: 'short' }), 'password'],
      [() => gate.accounts.create({ email: freshEmail(), password: PASSWORD, admin: true }), 'admin'],
      [() => gate.accounts.update(id, {}), undefined],
      [() => gate.accounts.update(id, { scopes: ['"'] }), 'scopes[0]'],
      [() => gate.accounts.find(''), 'email'],
    ]) assert.deepEqual((({ code, path: at }) => [code, at])(await refusal(asked())), ['INVALID_REQUEST', path]);
    for (const asked of [() => gate.accounts.find(freshEmail()), () => gate.accounts.get('nothing'), () => gate.accounts.update('nothing', { disabled: true })]) {
      assert.equal((await refusal(asked())).code, 'NOT_FOUND');
    }

    const opened = async (password = PASSWORD) => (await logIn(email, password)).json();
    const refresh = ({ refresh_token: refreshToken }) => ask('/auth/refresh', { refreshToken });
    const first = await opened();
    assert.equal((await gate.accounts.update(id, { disabled: true })).disabled, true);
    refused(await refresh(first), '401 INVALID_REFRESH_TOKEN');
    refused(await logIn(email), '403 NOT_ALLOWED');
    refused(await logIn(email, 'another password'), WRONG);
    await gate.accounts.update(id, { disabled: false });
    const second = await opened();
    await gate.accounts.update(id, { password: 'a wholly new one', scopes: [] });
    refused(await refresh(second), '401 INVALID_REFRESH_TOKEN');
    refused(await logIn(email), WRONG);
    const third = await opened('a wholly new one');
    await gate.accounts.delete(id);
    assert.equal((await refusal(gate.accounts.delete(id))).code, 'NOT_FOUND');
    refused(await refresh(third), '401 INVALID_REFRESH_TOKEN');
    refused(await logIn(email, 'a wholly new one'), WRONG);
    assert.notEqual((await gate.accounts.create({ email, password: PASSWORD })).id, id);
  });

  test('a login goes on with the code of an authenticator, until an administrator drops it', async () => {
    const { gate, clock, ask, logIn } = accountGate();
    const shown = (secret) => generateSync({ secret, epoch: clock.now });
    const email = freshEmail();
    const { id } = await gate.accounts.create({ email, password: PASSWORD });
    const headers = { authorization: `Bearer ${(await logIn(email)).json().access_token}` };
    const { secret } = (await ask('/auth/mfa/totp', { label: email }, { headers })).json();
    const confirmed = await ask('/auth/mfa/totp/confirm', { code: shown(secret), password: PASSWORD }, { headers });
    assert.equal(confirmed.status, 200, confirmed.text);
    const { recovery_codes: codes } = confirmed.json();
    const waits = async () => {
      const answer = await logIn(email, PASSWORD, { headers: SAME_ORIGIN });
      refused(answer, '401 MFA_REQUIRED');
      assert.deepEqual(cookiesIn(answer), {});
      return answer.json().mfa_token;
    };
    clock.now += 31;
    const token = await waits();
    refused(await ask('/auth/mfa', { mfa_token: token, code: '000000' }), WRONG);
    const done = await ask('/auth/mfa', { mfa_token: token, code: shown(secret) }, { headers: SAME_ORIGIN });
    assert.equal(done.status, 200, done.text);
    assert.deepEqual(Object.keys(cookiesIn(done)).sort(), [AT, DEVICE, RT].sort());
    assert.equal((await ask('/auth/mfa', { mfa_token: await waits(), recovery_code: codes[0] })).status, 200);
    assert.deepEqual((await gate.accounts.get(id)).factors, { totp: true, recoveryCodesLeft: 9, passkeys: 0 });
    await gate.accounts.update(id, { dropFactors: true });
    assert.equal((await logIn(email)).status, 200);
  });

  test('a name or codes that strangers have used up cost nobody else at the address a guess', async () => {
    const stores = { accounts: memoryStore(), counters: memoryStore(), sessions: memoryStore() };
    const { gate, clock, ask, logIn } = accountGate({ stores });
    // Processes that have not seen it: each asks.
    const others = Array.from({ length: 6 }, () => accountGate({ stores }));
    const [ada, bob] = [freshEmail(), freshEmail()];
    for (const email of [ada, bob]) await gate.accounts.create({ email, password: PASSWORD });
    const headers = { authorization: `Bearer ${(await logIn(ada)).json().access_token}` };
    const { secret } = (await ask('/auth/mfa/totp', {}, { headers })).json();
    const shown = generateSync({ secret, epoch: clock.now });
    assert.equal((await ask('/auth/mfa/totp/confirm', { code: shown, password: PASSWORD }, { headers })).status, 200);
    const { mfa_token } = (await logIn(ada)).json();
    for (let guess = 0; guess < 5; guess += 1) {
      refused(await logIn(ada, 'another password'), WRONG);
      refused(await ask('/auth/mfa', { mfa_token, code: '000000' }), WRONG);
    }
    const [ofName, ofCode, ofBrowser] = [freshIp(), freshIp(), freshIp()];
    for (const other of others) {
      refused(await other.logIn(ada, PASSWORD, { ip: ofName }), TOO_MANY);
      refused(await other.ask('/auth/mfa', { mfa_token, code: shown }, { ip: ofCode }), TOO_MANY);
    }
    const device = `${DEVICE}=${cookiesIn(await logIn(bob, PASSWORD, { headers: SAME_ORIGIN }))[DEVICE]}`;
    // A browser that is known is not remembered to be refused.
    for (let guess = 0; guess < 6; guess += 1) refused(await logIn(ada, PASSWORD, { ip: ofBrowser, headers: { ...SAME_ORIGIN, cookie: device } }), TOO_MANY);
    for (const ip of [ofName, ofCode, ofBrowser]) {
      refused(await others[0].logIn(bob, 'another password', { ip }), WRONG);
      assert.equal((await others[1].logIn(bob, PASSWORD, { ip })).status, 200);
    }
  });

  test('a browser that is known has twenty hashes as such, and is a stranger beyond', async () => {
    const { gate, logIn } = accountGate();
    const [thief, owner] = [freshEmail(), freshEmail()];
    const browserOf = async (email) => {
      await gate.accounts.create({ email, password: PASSWORD });
      return { ...SAME_ORIGIN, cookie: `${DEVICE}=${cookiesIn(await logIn(email, PASSWORD, { headers: SAME_ORIGIN }))[DEVICE]}` };
    };
    const [ofThief, ofOwner] = [await browserOf(thief), await browserOf(owner)];
    for (let login = 0; login < 20; login += 1) assert.equal((await logIn(thief, PASSWORD, { headers: ofThief })).status, 200, login);
    const strangers = [];
    for (let guess = 0; guess < 60; guess += 1) strangers.push(await logIn(freshEmail(), 'another password'));
    assert.ok(counted(strangers)[TOO_MANY] >= 10, JSON.stringify(counted(strangers)));
    // From yet another address, with the right password.
    refused(await logIn(thief, PASSWORD, { headers: ofThief }), TOO_MANY);
    assert.equal((await logIn(owner, PASSWORD, { headers: ofOwner })).status, 200);
  });

  test('after fifty wrong codes the owner is told of other ways, and they lead in', async () => {
    const { gate, clock, ask, logIn } = accountGate();
    const shown = (secret) => generateSync({ secret, epoch: clock.now });
    const email = freshEmail();
    const { id } = await gate.accounts.create({ email, password: PASSWORD });
    const headers = { authorization: `Bearer ${(await logIn(email)).json().access_token}` };
    const { secret } = (await ask('/auth/mfa/totp', {}, { headers })).json();
    const { recovery_codes: codes } = (await ask('/auth/mfa/totp/confirm', { code: shown(secret), password: PASSWORD }, { headers })).json();
    const waits = async (password = PASSWORD) => (await logIn(email, password)).json().mfa_token;
    for (let quarter = 0; quarter < 10; quarter += 1) {
      const mfa_token = await waits();
      for (let guess = 0; guess < 5; guess += 1) refused(await ask('/auth/mfa', { mfa_token, code: 'no code' }), WRONG);
      clock.now += 900;
    }
    const mfa_token = await waits();
    const over = await ask('/auth/mfa', { mfa_token, code: shown(secret) });
    refused(over, TOO_MANY);
    assert.equal(over.json().hint, 'Use a recovery code or a passkey, or set a new password');
    assert.equal((await ask('/auth/mfa', { mfa_token, recovery_code: codes[0] })).status, 200);
    await gate.accounts.update(id, { password: 'a wholly new one' });
    assert.equal((await ask('/auth/mfa', { mfa_token: await waits('a wholly new one'), code: shown(secret) })).status, 200);
  });

  test('a new password counts also where the other sessions cannot be ended at once: a later request ends them', async () => {
    let isFaulty = false;
    const store = memoryStore();
    const faulty = new Proxy(store, { get: (target, name) => (...given) => {
      if (isFaulty) throw new Error('is on fire');
      return target[name](...given);
    } });
    const { gate, ask, logIn } = accountGate({ stores: { sessions: faulty } });
    const email = freshEmail();
    await gate.accounts.create({ email, password: PASSWORD });
    const [own, other] = [(await logIn(email)).json(), (await logIn(email)).json()];
    isFaulty = true;
    const headers = { authorization: `Bearer ${own.access_token}` };
    const changed = await ask('/auth/password', { password: PASSWORD, new_password: 'a wholly new one' }, { headers });
    assert.deepEqual([changed.status, changed.json()], [202, { pending: true, ended: 0 }]);
    isFaulty = false;
    assert.equal((await logIn(email, 'a wholly new one')).status, 200);
    const refresh = ({ refresh_token: refreshToken }) => ask('/auth/refresh', { refreshToken });
    for (let tries = 0; (await refresh(other)).status !== 401; tries += 1) assert.ok(tries < 50, 'it lives on');
    assert.equal((await refresh(own)).status, 200);
  });

  test('a policy without accounts has no such endpoints', async () => {
    const { gate } = gateOf();
    assert.equal((await refusal(gate.accounts.find('ada@example.com'))).code, 'CONFIG_ERROR');
    const asked = { method: 'POST', url: 'https://api.example.com/auth/login', headers: {}, body: '{}' };
    assert.equal(await gate.handle(asked), undefined);
    const { gate: withSessions } = gateOf({ policy: accountPolicy({ accounts: undefined }), secrets, stores: { sessions: memoryStore() } });
    assert.equal(await withSessions.handle(asked), undefined);
  });

  test('a store that compares and swaps is needed, of accounts and of counters, nothing that the Worker alone has, and what the policy asks for', () => {
    const stores = { sessions: memoryStore(), revocation: memoryStore(), keys: memoryStore(), counters: memoryStore(), accounts: memoryStore() };
    const plain = { get: async () => [] };
    for (const [changed, problem, path] of [
      [{ accounts: undefined }, 'accounts is exact and shared, expected a store', 'stores.accounts'],
      [{ accounts: plain }, 'accounts is exact and shared, expected a store with compareAndSet; Workers KV has none', 'stores.accounts'],
      [{ accounts: {} }, 'expected a store like memoryStore(), get missing', 'stores.accounts'],
      [{ counters: undefined }, 'accounts is exact and shared, expected a store', 'stores.counters'],
    ]) {
      const made = refusalOf(() => createGate(accountPolicy(), { secrets, stores: { ...stores, ...changed } }), EdgegateError);
      assert.deepEqual([made.code, made.message, made.path], ['CONFIG_ERROR', `${path}: ${problem}`, path]);
    }
    const mail = (rest) => ({ mail: { kind: 'webhook', ...rest } });
    for (const [section, message, given] of [
      [mail({ kind: 'queue', binding: 'MAILS' }), 'accounts.mail.kind: the Worker alone has bindings, expected webhook or function'],
      [mail({ kind: 'service', binding: 'MAILS' }), 'accounts.mail.kind: the Worker alone has bindings, expected webhook or function'],
      [mail({ kind: 'function', binding: 'MAILS' }), 'accounts.mail.kind: a function is given to createGate: expected no url, secret or binding'],
      [mail({ kind: 'function' }), 'mail: accounts.mail.kind is function, expected one that sends mails'],
      [{}, 'mail: expected accounts.mail with kind = "function" in the policy', { mail: async () => {} }],
      [{}, 'mail: expected a function that sends a mail', { mail: 'mailto:' }],
      [{ password_list: 'kv' }, 'passwords: accounts.password_list is kv, expected a list of passwords'],
      [{}, 'passwords: expected accounts.password_list = "kv" in the policy', { passwords: new Uint8Array() }],
      [{}, 'passwords: expected the bytes of a list, or a function that reads them', { passwords: 'passwords.egp' }],
    ]) assert.equal(refusalOf(() => createGate(accountPolicy({}, section), { secrets, stores, ...given }), EdgegateError).message, message);
  });

  test('a store that says nothing, or no, lets nobody in', async () => {
    for (const [accounts, detail] of [
      [{ get: () => new Promise(() => {}), compareAndSet: async () => true }, /no answer in time/],
      [{ get: async () => { throw new Error('is on fire'); }, compareAndSet: async () => true }, /is on fire/],
      [{ get: async () => ['{}'], compareAndSet: async () => true }, /a form that the gate does not write/],
    ]) {
      const { events, logIn } = accountGate({ stores: { accounts } });
      refused(await logIn(freshEmail()), '503 STORE_UNAVAILABLE');
      assert.match(JSON.stringify(events), detail);
    }
  });
});

describe('over Redis', () => {
  let redis;
  before(async () => { redis = await startRedis(); });
  after(() => redis?.stop());

  /** A gate after a restart of its process: only Redis has the past. */
  async function restarted(t, prefix) {
    const { client, close } = await CLIENTS.redis(redis.port);
    t.after(close);
    const store = redisStore(client, { prefix });
    return createGate(accountPolicy(), {
      secrets, stores: { sessions: store, revocation: store, keys: store, counters: store, accounts: store },
    });
  }

  const logIn = (gate, email, password = PASSWORD, options = {}) => answered(gate, '/auth/login', { email, password }, options);

  test('a restart loses nothing', async (t) => {
    const email = freshEmail();
    const ip = freshIp();
    await (await restarted(t, 'restart:')).accounts.create({ email, password: PASSWORD });
    for (let guess = 0; guess < 3; guess += 1) refused(await logIn(await restarted(t, 'restart:'), email, 'another password', { ip }), WRONG);
    assert.equal((await logIn(await restarted(t, 'restart:'), email)).status, 200);
    const ofName = [];
    for (let guess = 0; guess < 4; guess += 1) ofName.push(codeOf(await logIn(await restarted(t, 'restart:'), email, 'another password')));
    assert.deepEqual(ofName, [WRONG, WRONG, TOO_MANY, TOO_MANY]);
    const ofAddress = [];
    for (let guess = 0; guess < 4; guess += 1) ofAddress.push(codeOf(await logIn(await restarted(t, 'restart:'), freshEmail(), 'another password', { ip })));
    assert.deepEqual(ofAddress, [WRONG, WRONG, TOO_MANY, TOO_MANY]);
  });

  test('of a hundred guesses at once by four processes five are compared', async (t) => {
    const email = freshEmail();
    const gate = await restarted(t, 'many:');
    await gate.accounts.create({ email, password: PASSWORD });
    const file = fileURLToPath(new URL('accounts-redis-process.mjs', import.meta.url));
    const processes = Array.from({ length: 4 }, () => fork(file));
    const ready = processes.map((one) => once(one, 'message'));
    for (const [index, one] of processes.entries()) one.send({ port: redis.port, prefix: 'many:', policy: accountPolicy(), secrets, email, network: index + 1, times: 25 });
    await Promise.all(ready);
    const told = processes.map((one) => once(one, 'message'));
    for (const one of processes) one.send('go');
    const codes = (await Promise.all(told)).flatMap(([answers]) => answers);
    const counts = {};
    for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
    assert.equal(codes.length, 100);
    assert.deepEqual(Object.keys(counts).filter((code) => ![WRONG, TOO_MANY, '503 STORE_UNAVAILABLE'].includes(code)), []);
    // On a busy machine some may have waited too long for the others. What they have reserved counts all the same.
    if (counts['503 STORE_UNAVAILABLE'] === undefined) assert.equal(counts[WRONG], 5, JSON.stringify(counts));
    assert.ok(counts[WRONG] <= 5, JSON.stringify(counts));
    refused(await logIn(gate, email), TOO_MANY);
  });

  test('who is told nothing by Redis is not let in', async (t) => {
    const own = await startRedis();
    const { client, close } = await CLIENTS.redis(own.port);
    t.after(close);
    const store = redisStore(client);
    const { gate, logIn: logInThere } = accountGate({ stores: { accounts: store } });
    const email = freshEmail();
    await gate.accounts.create({ email, password: PASSWORD });
    assert.equal((await logInThere(email)).status, 200);
    await own.stop();
    refused(await logInThere(email), '503 STORE_UNAVAILABLE');
    assert.equal((await refusal(gate.accounts.find(email))).code, 'STORE_UNAVAILABLE');
  });
});
