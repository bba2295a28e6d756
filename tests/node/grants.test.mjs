// Grants in the npm package: accounts are connected, their tokens used, refreshed once by all processes, and ended. Over memory and over a
// real Redis.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { EdgegateError, createGate, memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { Browser } from '../login/browser.mjs';
import { startProvider } from '../support/providers/index.mjs';
import { policy, token as bearerOf } from '../worker/harness.mjs';
import { LOGIN_SECRETS, loginPolicy } from '../worker/login.mjs';
import { refusalOfPromise } from './support.mjs';
import { SERVED, startApplication } from './login.mjs';
import { CLIENTS, startRedis } from './redis-server.mjs';

const NAMED = 'https://api.example.com';
const HOUR = 3600;

let corp;
let mail;
before(async () => {
  const at = (id) => ({ client: { redirectUris: [`${NAMED}/auth/callback/${id}`] } });
  corp = await startProvider('oidc', at('corp'));
  mail = await startProvider('oidc', at('mail'));
});
after(async () => {
  await corp?.close();
  await mail?.close();
});

const entry = (id, { issuer, client }, fields) => ({
  id, type: 'oidc', issuer, client_id: client.id, client_secret: `${id.toUpperCase()}_SECRET`, allow_http: true,
  scopes: { default: ['read:posts'] }, ...fields,
});
const providers = () => [
  entry('corp', corp, {}),
  entry('mail', mail, { scopes: undefined, connect_only: true, request_scopes: ['openid', 'profile', 'offline_access'] }),
];
const ROUTES = [
  ...policy().routes,
  { path: '/v1/mail', methods: ['GET'], grant: { provider: 'mail', header: 'X-Mail-Token' }, upstream: 'https://mail.example.com' },
];
const secrets = () => ({ ...LOGIN_SECRETS, CORP_SECRET: corp.client.secret, MAIL_SECRET: mail.client.secret, WATCH_SECRET: 'watch-secret-for-tests-0123456789abcdef' });
const changes = { routes: ROUTES, watch: { secret: 'WATCH_SECRET' } };

/** A store in memory, and everything that was written there. */
function watched() {
  const inner = memoryStore();
  const written = [];
  const compareAndSet = async (name, expected, next, options) => {
    written.push(next);
    return inner.compareAndSet(name, expected, next, options);
  };
  return { written, store: { get: inner.get.bind(inner), put: inner.put.bind(inner), delete: inner.delete.bind(inner), list: inner.list.bind(inner), compareAndSet } };
}

async function started(t, { stores, served = SERVED.express } = {}) {
  const clock = { ahead: 0 };
  const now = () => Math.floor(Date.now() / 1000) + clock.ahead;
  const { written, store } = watched();
  const all = stores ?? { sessions: store, revocation: store, keys: store, counters: store };
  const application = await startApplication(served, providers(), { origin: NAMED, changes, stores: all, secrets: secrets(), now });
  t.after(() => application.close());
  return { ...application, clock, now, written, stores: all };
}

/** A browser that has logged in. */
async function loggedIn(application) {
  const browser = new Browser({ hosts: { [NAMED]: application.port() } });
  const tab = browser.tab();
  await tab.open(`${NAMED}/auth/login/corp?return_to=/v1/posts`);
  assert.equal(tab.page.status, 200, tab.page.text);
  return browser;
}

/** Sends a form of a page of the application, and goes where the answers lead. */
async function form(browser, path, fields = {}) {
  let answer = await browser.send(`${NAMED}${path}`, { method: 'POST', body: new URLSearchParams(fields).toString(), from: `${NAMED}/` });
  const chain = [`${NAMED}${path}`];
  while (answer.status >= 300 && answer.status < 400 && new URL(answer.headers.location, answer.url).pathname !== '/done') {
    const next = new URL(answer.headers.location, answer.url).href;
    answer = await browser.send(next, { from: `${NAMED}/`, chain });
    chain.push(next);
  }
  return answer;
}

const connect = (browser) => form(browser, '/auth/connect/mail', { return_to: '/done' });

/** Who a browser is, as a handler knows it. */
async function identityOf({ gate }, browser) {
  const cookie = browser.jar.header(`${NAMED}/`);
  const decision = await gate.check({ method: 'GET', url: '/v1/posts', headers: { cookie, 'sec-fetch-site': 'same-origin' } });
  assert.equal(decision.ok, true, decision.message);
  return decision.identity;
}

const refused = (promise) => refusalOfPromise(promise, EdgegateError);

describe('an account that is connected', () => {
  test('gives its token to the handler of its owner, and lies sealed in the store', async (t) => {
    const application = await started(t);
    const ann = await loggedIn(application);
    const identity = await identityOf(application, ann);
    assert.equal((await refused(application.gate.grants.token(identity, 'mail'))).code, 'CONNECT_REQUIRED');
    const back = await connect(ann);
    assert.deepEqual([back.status, back.headers.location], [303, '/done'], back.text);

    const { token, account } = await application.gate.grants.token(identity, 'mail');
    assert.equal(account, mail.user.sub);
    const known = await fetch(mail.url('userinfo'), { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await known.json()).sub, mail.user.sub);
    assert.ok(application.written.some((text) => text.includes('mail')));
    assert.ok(application.written.every((text) => !text.includes(token)));
    assert.ok(!JSON.stringify(application.events).includes(token));

    const [listed, ...others] = await application.gate.grants.list(identity.subject);
    assert.deepEqual([listed.provider, listed.account, listed.refreshable, others.length], ['mail', account, true, 0]);
    assert.ok(!JSON.stringify(listed).includes(token));
  });

  test('is in the header of a route, and whoever has none is told to connect it', async (t) => {
    const application = await started(t);
    const ann = await loggedIn(application);
    const ask = async (headers = {}) => application.gate.check({
      method: 'GET', url: '/v1/mail', headers: { cookie: ann.jar.header(`${NAMED}/`), 'sec-fetch-site': 'same-origin', ...headers },
    });
    const none = await ask();
    assert.deepEqual([none.ok, none.code, none.status], [false, 'CONNECT_REQUIRED', 403]);
    // Whoever is refused only then is known to the watch all the same.
    assert.match(await application.gate.metrics(), /\{outcome="refused",code="CONNECT_REQUIRED".*,identity="jwt".*\} 1$/m);
    await connect(ann);
    const { token, account } = await application.gate.grants.token(await identityOf(application, ann), 'mail');
    const admitted = await ask();
    assert.equal(admitted.forward['X-Mail-Token'], token);
    assert.equal((await ask({ 'x-grant-account': account })).forward['X-Mail-Token'], token);
    assert.equal((await ask({ 'x-grant-account': 'another' })).code, 'CONNECT_REQUIRED');
    // Of another issuer, though the subject is the same.
    const other = bearerOf({ sub: `corp|${corp.user.sub}`, sid: 'x' });
    assert.equal((await application.gate.check({ method: 'GET', url: '/v1/mail', headers: { authorization: `Bearer ${other}` } })).code, 'NOT_ALLOWED');
    assert.equal((await application.gate.check({ method: 'GET', url: '/v1/posts', headers: { cookie: ann.jar.header(`${NAMED}/`) } })).forward['X-Mail-Token'], undefined);
  });

  test('is its owner\'s, and no machine\'s, key\'s or other issuer\'s', async (t) => {
    const application = await started(t);
    const ann = await loggedIn(application);
    await connect(ann);
    const { grants } = application.gate;
    const identity = await identityOf(application, ann);
    const { sid, ...claims } = identity.claims;
    for (const other of [
      { ...identity, claims }, { ...identity, claims: { ...claims, sid: '' } }, { ...identity, issuer: 'https://issuer.test/' }, { method: 'anonymous', scopes: [] }, undefined,
    ]) {
      assert.equal((await refused(grants.token(other, 'mail'))).code, 'NOT_ALLOWED', JSON.stringify(other));
    }
    assert.equal((await refused(grants.token({ ...identity, subject: 'corp|somebody' }, 'mail'))).code, 'CONNECT_REQUIRED');
    assert.equal((await refused(grants.token(identity, 'corp'))).path, 'provider');
    assert.equal((await refused(grants.token(identity, 'typo'))).path, 'provider');
    assert.ok(sid);
  });

  test('is not connected by a page of another site, nor in another session', async (t) => {
    const application = await started(t);
    const ann = await loggedIn(application);
    const evil = await ann.send(`${NAMED}/auth/connect/mail`, { method: 'POST', body: '', from: 'https://evil.example/' });
    assert.ok(evil.status >= 400, String(evil.status));
    const nobody = await new Browser({ hosts: { [NAMED]: application.port() } }).send(`${NAMED}/auth/connect/mail`, { method: 'POST', body: '', from: `${NAMED}/` });
    assert.equal(nobody.status, 401);
    assert.deepEqual(await application.gate.grants.list((await identityOf(application, ann)).subject), []);
  });
});

describe('its token', () => {
  test('is refreshed once, whoever asks', async (t) => {
    const application = await started(t);
    const ann = await loggedIn(application);
    const identity = await identityOf(application, ann);
    await connect(ann);
    const { token: first } = await application.gate.grants.token(identity, 'mail');
    const before = mail.count('/token');
    application.clock.ahead = HOUR;
    const all = await Promise.all(Array.from({ length: 20 }, () => application.gate.grants.token(identity, 'mail')));
    const tokens = new Set(all.map(({ token }) => token));
    assert.equal(tokens.size, 1);
    assert.ok(!tokens.has(first));
    assert.equal(mail.count('/token'), before + 1);
  });

  test('ends where the provider says so, and not where it does not answer', async (t) => {
    const application = await started(t);
    const ann = await loggedIn(application);
    const identity = await identityOf(application, ann);
    await connect(ann);
    application.clock.ahead = HOUR;
    t.after(() => { mail.tamper = {}; });
    const answer = (status, body) => ({ path }) => (path === '/token' ? { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : undefined);
    mail.tamper = { request: answer(503, {}) };
    assert.equal((await refused(application.gate.grants.token(identity, 'mail'))).code, 'UPSTREAM_ERROR');
    mail.tamper = {};
    application.clock.ahead += 60;
    const { token } = await application.gate.grants.token(identity, 'mail');
    assert.ok(token);
    application.clock.ahead += HOUR;
    mail.tamper = { request: answer(400, { error: 'invalid_grant' }) };
    assert.equal((await refused(application.gate.grants.token(identity, 'mail'))).reason, 'connection_ended');
    const [{ reconnect }] = await application.gate.grants.list(identity.subject);
    assert.equal(reconnect, 'ended');
    assert.ok(application.events.some(({ detail }) => detail?.startsWith('grants: ended')));
  });
});

describe('a grant ends', () => {
  const revoked = async (count) => {
    for (let tries = 0; tries < 100 && mail.count('/revoke') < count; tries += 1) await new Promise((resolve) => { setTimeout(resolve, 20); });
    return mail.count('/revoke');
  };

  for (const [how, end] of Object.entries({
    'by its owner': async (_, browser) => {
      const answer = await form(browser, '/auth/disconnect/mail', { return_to: '/done' });
      assert.deepEqual([answer.status, answer.headers.location], [303, '/done'], answer.text);
    },
    'by the application': async ({ gate }, _, { subject }) => assert.deepEqual(await gate.grants.end(subject, { provider: 'mail' }), { ended: 1 }),
    'with its subject': ({ gate }, _, { subject }) => gate.sessions.forget(subject),
  })) {
    test(`${how}, and the provider is told`, async (t) => {
      const application = await started(t);
      const ann = await loggedIn(application);
      const identity = await identityOf(application, ann);
      await connect(ann);
      const before = mail.count('/revoke');
      await end(application, ann, identity);
      assert.equal((await refused(application.gate.grants.token(identity, 'mail'))).code, 'CONNECT_REQUIRED');
      assert.deepEqual(await application.gate.grants.list(identity.subject), []);
      assert.equal(await revoked(before + 1), before + 1);
    });
  }

  test('not by a logout', async (t) => {
    const application = await started(t);
    const ann = await loggedIn(application);
    const { subject } = await identityOf(application, ann);
    await connect(ann);
    await ann.send(`${NAMED}/auth/logout`, { method: 'POST', from: `${NAMED}/`, mode: 'cors', dest: 'empty' });
    assert.equal((await application.gate.grants.list(subject)).length, 1);
  });
});

describe('over a real Redis', () => {
  let redis;
  before(async () => { redis = await startRedis(); });
  after(() => redis?.stop());

  for (const kind of Object.keys(CLIENTS)) {
    test(`by ${kind}: of eight processes one refreshes, and nothing in Redis is a token`, async (t) => {
      const { client, close } = await CLIENTS[kind](redis.port);
      t.after(close);
      const store = redisStore(client, { prefix: `${kind}:` });
      const stores = { sessions: store, revocation: store, keys: store, counters: store };
      const application = await started(t, { stores });
      const ann = await loggedIn(application);
      const identity = await identityOf(application, ann);
      await connect(ann);
      const { token: first } = await application.gate.grants.token(identity, 'mail');
      const before = mail.count('/token');
      const now = () => application.now() + HOUR;
      // Gates that remember nothing of each other: only Redis has the past.
      const gates = Array.from({ length: 8 }, () => createGate(
        loginPolicy(providers(), { ...changes, origin: NAMED }), { secrets: secrets(), stores, now },
      ));
      const all = await Promise.all(gates.map((gate) => gate.grants.token(identity, 'mail')));
      assert.equal(new Set(all.map(({ token }) => token)).size, 1);
      assert.equal(mail.count('/token'), before + 1);
      const { keys } = await store.list('grant/v1/', { limit: 100 });
      assert.equal(keys.length, 1);
      const [text] = await store.get(keys);
      for (const token of [first, all[0].token]) assert.ok(!text.includes(token));
    });
  }
});

test('a policy that uses no accounts has no grants', async () => {
  const store = memoryStore();
  const gate = createGate(loginPolicy([entry('corp', corp, {})], { origin: NAMED }), {
    secrets: secrets(), stores: { sessions: store, revocation: store, keys: store, counters: store },
  });
  assert.deepEqual(await refused(gate.grants.list('corp|ann')).then(({ code, path }) => [code, path]), ['CONFIG_ERROR', 'login.providers']);
  const none = await gate.handle({ method: 'POST', url: '/auth/connect/corp', headers: {}, body: '' });
  assert.ok(none.status === 401 || none.status === 404, String(none.status));
});
