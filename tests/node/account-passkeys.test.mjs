// Passkeys of accounts in the npm package: made by who is logged in, a way in later, over memory and over a real Redis. The authenticator is software.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { SECRETS, freshIp } from '../worker/harness.mjs';
import { ALGORITHMS, Authenticator, FLAGS } from '../worker/passkey-authenticator.mjs';
import { AT, RT } from '../worker/sessions.mjs';
import { claimsOf } from '../worker/token.mjs';
import { accountPolicy } from './account-gate.mjs';
import { gateOf } from './gate.mjs';
import { CLIENTS, startRedis } from './redis-server.mjs';
import { sessionSecrets } from './session-gate.mjs';

const PASSWORD = 'quiet river, late boat';
const PAGE = { 'sec-fetch-site': 'same-origin' };
const secrets = { ...sessionSecrets(), ACCOUNTS_SECRET: SECRETS.ACCOUNTS_SECRET };
const ORIGINS = ['https://app.example.com', 'https://www.api.example.com'];

let last = 0;

function passkeyGate({ stores = {}, policy = accountPolicy({}, { passkeys: { rp_name: 'The posts' } }), ...rest } = {}) {
  policy.sessions.origins = ORIGINS;
  const made = gateOf({ policy, secrets, stores: { sessions: memoryStore(), accounts: memoryStore(), ...stores }, ...rest });
  const ask = async (method, path, { body = {}, token, headers = {}, ip = freshIp() } = {}) => {
    const asked = {
      method, url: `https://api.example.com${path}`, ...(method !== 'GET' && { body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }), ...headers },
    };
    const { status, headers: fields, body: text } = await made.gate.handle(asked, { clientIp: ip });
    return { status, headers: fields, text, json: () => JSON.parse(text) };
  };
  const post = (path, options) => ask('POST', path, options);
  const person = async () => {
    const email = `passkey-${++last}-${randomBytes(4).toString('hex')}@example.com`;
    const { id, subject } = await made.gate.accounts.create({ email, password: PASSWORD });
    const opened = await post('/auth/login', { body: { email, password: PASSWORD } });
    return { email, id, subject, token: opened.json().access_token };
  };
  const creationOptions = async (token) => (await post('/auth/mfa/passkeys/options', { body: { name: 'ada@example.com' }, token })).json();
  const add = (token, credential, more = {}) => post('/auth/mfa/passkeys', { body: { credential, password: PASSWORD, ...more }, token });
  const requestOptions = async (headers = {}) => (await post('/auth/passkey/options', { headers })).json();
  const present = (credential, more = {}) => post('/auth/passkey', { body: { credential }, ...more });
  const owner = async (options) => {
    const who = await person();
    const authenticator = new Authenticator(options);
    const answer = await add(who.token, authenticator.create(await creationOptions(who.token)));
    assert.ok([201, 202].includes(answer.status), answer.text);
    return { ...who, authenticator, codes: answer.json().recovery_codes };
  };
  const comeIn = async (authenticator, lies) => present(authenticator.get(await requestOptions(), lies));
  return { ...made, ask, post, person, creationOptions, add, requestOptions, present, owner, comeIn };
}

const refused = (answer, code) => assert.equal(`${answer.status} ${answer.json().code}`, code, answer.text);
const WRONG = '401 INVALID_CREDENTIALS';
const jarOf = ({ headers }) => Object.fromEntries(headers.filter(([name]) => name === 'Set-Cookie').map(([, value]) => value.split(';')[0].split(/=(.*)/s)));
const cookieOf = (jar) => Object.entries(jar).map(([name, value]) => `${name}=${value}`).join('; ');

/** What holds over any store. */
function flows(make) {
  test('who is logged in makes a passkey, and comes in by it without a name, by each algorithm', async () => {
    const { gate, person, creationOptions, add, requestOptions, present } = make();
    for (const algorithm of Object.keys(ALGORITHMS)) {
      for (const attests of [false, true]) {
        const { id, subject, token } = await person();
        const options = await creationOptions(token);
        assert.deepEqual([options.rp, options.user.id], [{ id: 'api.example.com', name: 'The posts' }, id]);
        const authenticator = new Authenticator({ algorithm });
        const made = await add(token, authenticator.create(options, { attests }), { label: 'Phone' });
        assert.ok([201, 202].includes(made.status), made.text);
        assert.equal(made.json().recovery_codes.length, 10);
        assert.deepEqual((await gate.accounts.get(id)).factors, { totp: false, recoveryCodesLeft: 10, passkeys: 1 });
        const opened = await present(authenticator.get(await requestOptions()));
        assert.equal(opened.status, 200, `${algorithm}: ${opened.text}`);
        const claims = claimsOf(opened.json().access_token);
        assert.deepEqual([claims.sub, claims.amr, claims.acr], [subject, ['pop', 'user', 'mfa'], 'mfa']);
        refused(await present(authenticator.get(await requestOptions(), { key: new Authenticator({ algorithm }).privateKey })), WRONG);
      }
    }
  });

  test('a browser gets cookies; an answer is good in the browser that asked, and in no other', async () => {
    const { post, owner, requestOptions, present } = make();
    const { authenticator } = await owner();
    const asked = await post('/auth/passkey/options', { headers: PAGE });
    const headers = { ...PAGE, cookie: cookieOf(jarOf(asked)) };
    const credential = authenticator.get(asked.json());
    const other = { ...PAGE, cookie: cookieOf(jarOf(await post('/auth/passkey/options', { headers: PAGE }))) };
    for (const sent of [other, PAGE, {}]) refused(await present(credential, { headers: sent }), WRONG);
    refused(await present(authenticator.get(await requestOptions()), { headers }), WRONG);
    refused(await present(credential, { headers: { ...headers, 'sec-fetch-site': 'cross-site' } }), '403 CSRF_REFUSED');
    const opened = await present(credential, { headers });
    assert.equal(opened.status, 200, opened.text);
    assert.deepEqual(Object.keys(jarOf(opened)).sort(), [AT, '__Host-edgegate-d', RT].sort());
  });

  test('of a hundred who show one answer at once one gets a session', async () => {
    const { owner, requestOptions, present } = make();
    const { authenticator } = await owner();
    const credential = authenticator.get(await requestOptions());
    const statuses = (await Promise.all(Array.from({ length: 100 }, () => present(credential)))).map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 1, statuses.join());
    assert.deepEqual(statuses.filter((status) => ![200, 401, 503].includes(status)), []);
    refused(await present(credential), WRONG);
  });

  test('what does not hold is refused in the same bytes, whether there is such an account or not', async () => {
    const { owner, comeIn } = make();
    const { authenticator, id } = await owner();
    const stranger = new Authenticator();
    const madeUp = (first) => Buffer.concat([Buffer.from(first), randomBytes(14)]).toString('base64url');
    const bytes = new Set();
    for (const [who, lies] of [
      [authenticator, { key: stranger.privateKey }], [authenticator, { edit: () => Buffer.alloc(0) }], [stranger, { user: id }],
      [authenticator, { user: madeUp([0, 7]) }], [authenticator, { user: madeUp([255, 255]) }], [authenticator, { said: { origin: 'https://evil.example' } }],
      [authenticator, { rpId: 'example.com' }], [authenticator, { flags: FLAGS.PRESENT }], [authenticator, { said: { challenge: randomBytes(32).toString('base64url') } }],
    ]) {
      const answer = await comeIn(who, lies);
      refused(answer, WRONG);
      bytes.add(JSON.stringify([answer.status, answer.headers, answer.text]));
    }
    assert.equal(bytes.size, 1, [...bytes].join('\n'));
    assert.equal((await comeIn(authenticator)).status, 200);
  });

  test('where everybody needs a second factor, who has none makes a passkey at the login, and of a hundred one does', async () => {
    const { gate, post, comeIn } = make({ policy: accountPolicy({}, { passkeys: {}, mfa: 'required' }) });
    const email = `first-${++last}-${randomBytes(4).toString('hex')}@example.com`;
    const { subject } = await gate.accounts.create({ email, password: PASSWORD });
    const begun = async () => {
      const answer = await post('/auth/login', { body: { email, password: PASSWORD } });
      refused(answer, '401 MFA_SETUP_REQUIRED');
      assert.deepEqual(answer.json().methods, ['totp', 'passkey']);
      return answer.json().mfa_token;
    };
    const [mine, other] = [await begun(), await begun()];
    const asked = await post('/auth/mfa/passkeys/options', { body: { mfa_token: mine, name: email }, headers: PAGE });
    const headers = { ...PAGE, cookie: cookieOf(jarOf(asked)) };
    const authenticator = new Authenticator();
    const credential = authenticator.create(asked.json());
    const setUp = (mfa_token, more = {}) => post('/auth/mfa/passkeys', { body: { mfa_token, credential }, ...more });
    for (const answer of [await setUp(mine), await setUp(mine, { headers: PAGE }), await setUp(other, { headers })]) {
      assert.deepEqual([answer.status, answer.json().details.map(({ field }) => field)], [400, ['credential']], answer.text);
    }
    refused(await setUp(mine, { headers: { ...headers, 'sec-fetch-site': 'cross-site' } }), '403 CSRF_REFUSED');
    const answers = await Promise.all(Array.from({ length: 100 }, () => setUp(mine, { headers })));
    const opened = answers.filter(({ status }) => status === 200);
    assert.equal(opened.length, 1, answers.map(({ status }) => status).join());
    assert.deepEqual(answers.filter(({ status }) => ![200, 401, 503].includes(status)), []);
    assert.deepEqual(Object.keys(opened[0].json()).toSorted(), ['expires_in', 'recovery_codes', 'session_id']);
    assert.deepEqual(Object.keys(jarOf(opened[0])).toSorted(), [AT, '__Host-edgegate-d', RT].toSorted());
    refused(await setUp(other, { headers }), '400 INVALID_REQUEST');
    refused(await post('/auth/mfa/passkeys/options', { body: { mfa_token: other } }), '401 INVALID_TOKEN');
    const claims = claimsOf((await comeIn(authenticator)).json().access_token);
    assert.deepEqual([claims.sub, claims.amr], [subject, ['pop', 'user', 'mfa']]);
    refused(await post('/auth/login', { body: { email, password: PASSWORD } }), '401 MFA_REQUIRED');
  });

  test('a passkey is the second factor of a login by password, until its owner removes it', async () => {
    const { ask, post, owner, requestOptions, comeIn } = make();
    const { authenticator, email } = await owner();
    const waiting = await post('/auth/login', { body: { email, password: PASSWORD } });
    refused(waiting, '401 MFA_REQUIRED');
    const { mfa_token: token } = waiting.json();
    const done = await post('/auth/mfa', { body: { mfa_token: token, passkey: authenticator.get(await requestOptions()) } });
    assert.equal(done.status, 200, done.text);
    assert.deepEqual(claimsOf(done.json().access_token).amr, ['pwd', 'pop', 'user', 'mfa']);
    const { access_token: mine } = done.json();
    const { passkeys: [passkey] } = (await ask('GET', '/auth/mfa/passkeys', { token: mine })).json();
    const removed = await ask('DELETE', `/auth/mfa/passkeys/${passkey.id}`, { token: mine, body: { password: PASSWORD } });
    assert.ok([200, 202].includes(removed.status), removed.text);
    refused(await comeIn(authenticator), WRONG);
  });
}

describe('over memory', () => {
  flows((more) => passkeyGate(more));

  test('an answer is good for five minutes, and a copy that counts is found out', async () => {
    const { clock, owner, requestOptions, present, comeIn } = passkeyGate();
    const { authenticator } = await owner({ counts: true });
    const late = authenticator.get(await requestOptions());
    clock.now += 301;
    refused(await present(late), WRONG);
    const copy = authenticator.copy();
    assert.equal((await comeIn(authenticator)).status, 200);
    refused(await comeIn(copy), WRONG);
  });

  test('a policy without passkeys has none', async () => {
    const { post } = passkeyGate({ policy: accountPolicy() });
    refused(await post('/auth/passkey/options'), '404 NOT_FOUND');
  });
});

describe('over Redis', () => {
  let redis;
  let client;
  let close;
  before(async () => {
    redis = await startRedis();
    ({ client, close } = await CLIENTS.redis(redis.port));
  });
  after(async () => {
    await close?.();
    await redis?.stop();
  });

  flows((more) => {
    const store = redisStore(client, { prefix: `${++last}:` });
    return passkeyGate({ ...more, stores: { sessions: store, accounts: store, revocation: store, counters: store, keys: store } });
  });
});
