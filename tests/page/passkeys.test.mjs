// Passkeys in Chromium, by an authenticator of its own making: a page of the gate's origin makes one and comes in by it.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { build } from 'esbuild';

import { launch } from '../browser/chromium.mjs';
import { ROOT, closedPort, freshIp, refused, start } from '../worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../worker/sessions.mjs';

const PASSWORD = 'quiet river, late boat';
/** As most have it: a key of the device, with a check of who holds it. */
const PLATFORM = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };

let gate;
let sessions;
let browser;
/** A page on another port of this machine: the domain is the same, the origin is not. */
let elsewhere;
let origin;
/** What pages of people use: @simplewebauthn/browser. */
let helper;

before(async () => {
  const port = await closedPort();
  origin = `http://localhost:${port}`;
  const policy = sessionPolicy({ origin, accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], passkeys: { rp_name: 'The posts' } } });
  elsewhere = http.createServer((_, response) => { response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>elsewhere</title>'); });
  await new Promise((resolve) => { elsewhere.listen(0, 'localhost', resolve); });
  const bundled = build({
    stdin: { contents: "export { startAuthentication, startRegistration } from '@simplewebauthn/browser';", resolveDir: ROOT },
    bundle: true, format: 'iife', globalName: 'webauthn', write: false,
  });
  [gate, browser, { outputFiles: [{ text: helper }] }] = await Promise.all([
    start([sessionWorker({ policy, worker: { unsafeDirectSockets: [{ host: '127.0.0.1', port }] } })]), launch(), bundled,
  ]);
  sessions = new Sessions(gate);
});
after(async () => {
  elsewhere?.close();
  await browser?.close();
  await gate?.dispose();
});

let last = 0;
/** Somebody with an account and a browser that has this authenticator. */
async function person(use, authenticator = {}) {
  const email = `page-${++last}@example.com`;
  const made = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  const context = await browser.newContext({ bypassCSP: true, extraHTTPHeaders: { 'CF-Connecting-IP': freshIp() } });
  const page = await context.newPage();
  try {
    const device = await context.newCDPSession(page);
    await device.send('WebAuthn.enable');
    const { authenticatorId } = await device.send('WebAuthn.addVirtualAuthenticator', { options: { ...PLATFORM, ...authenticator } });
    await page.goto(`${origin}/auth/health`);
    await page.evaluate(`${helper}; globalThis.webauthn = webauthn;`);
    await use({ email, page, context, device, authenticatorId, ...made.json() });
  } finally {
    await context.close();
  }
}

/** A request of the page. */
const ask = (page, method, path, body) => page.evaluate(async (asked) => {
  const answer = await fetch(asked.path, {
    method: asked.method, headers: { 'Content-Type': 'application/json' }, body: asked.body && JSON.stringify(asked.body),
  });
  return { status: answer.status, body: await answer.json() };
}, { method, path, body });

async function logIn(page, email) {
  const answer = await ask(page, 'POST', '/auth/login', { email, password: PASSWORD });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

/** As docs/passkeys.md has it. */
const register = (page, label = 'Laptop') => page.evaluate(async ({ named, password }) => {
  const post = (path, body) => fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const options = await (await post('/auth/mfa/passkeys/options', { name: 'ada@example.com' })).json();
  const credential = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  const answer = await post('/auth/mfa/passkeys', { credential: credential.toJSON(), label: named, password });
  return { status: answer.status, body: await answer.json() };
}, { named: label, password: PASSWORD });

/** It was added; with 202 not each isolate knows yet that the other sessions have ended. */
const added = ({ status, body }) => assert.ok([201, 202].includes(status), JSON.stringify(body));

const comeIn = (page, lies = {}) => page.evaluate(async (changes) => {
  const post = (path, body) => fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const options = await (await post('/auth/passkey/options')).json();
  const credential = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON({ ...options, ...changes }) });
  const answer = await post('/auth/passkey', { credential: credential.toJSON() });
  return { status: answer.status, body: await answer.json() };
}, lies);

const me = (page) => ask(page, 'GET', '/auth/session');

test('a page makes a passkey, and comes in by it after the logout', () => person(async ({ page, email, subject }) => {
  await logIn(page, email);
  const made = await register(page);
  added(made);
  assert.equal(made.body.label, 'Laptop');
  assert.equal((await ask(page, 'POST', '/auth/logout')).status, 200);
  assert.equal((await me(page)).status, 401);
  const opened = await comeIn(page);
  assert.equal(opened.status, 200, JSON.stringify(opened.body));
  const { body } = await me(page);
  assert.equal(body.subject, subject);
  assert.deepEqual(body.amr, ['pop', 'user', 'mfa']);
  const { body: { passkeys } } = await ask(page, 'GET', '/auth/mfa/passkeys');
  assert.deepEqual(passkeys.map(({ id, label }) => [id, label]), [[made.body.id, 'Laptop']]);
  assert.ok(passkeys[0].last_used_at >= passkeys[0].created_at);
  // The same device is not taken twice: the browser itself says so.
  await assert.rejects(register(page), /InvalidStateError/);
}));

test('the helpers that most pages use take the options, and the gate takes what they make', () => person(async ({ page, email }) => {
  await logIn(page, email);
  const answers = await page.evaluate(async (password) => {
    const post = async (path, body) => (await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }));
    const creation = await (await post('/auth/mfa/passkeys/options', {})).json();
    const credential = await globalThis.webauthn.startRegistration({ optionsJSON: creation });
    const made = await post('/auth/mfa/passkeys', { credential, password });
    const request = await (await post('/auth/passkey/options')).json();
    const proof = await globalThis.webauthn.startAuthentication({ optionsJSON: request });
    const opened = await post('/auth/passkey', { credential: proof, remember: true });
    return [made.status, opened.status];
  }, PASSWORD);
  assert.ok([201, 202].includes(answers[0]), answers.join());
  assert.equal(answers[1], 200);
}));

test('who is not checked by the device does not get in', () => person(async ({ page, email, device, authenticatorId }) => {
  await logIn(page, email);
  added(await register(page));
  await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await assert.rejects(comeIn(page), /NotAllowedError/, 'the browser asks for the check');
  const lied = await comeIn(page, { userVerification: 'discouraged' });
  assert.equal(lied.status, 401, JSON.stringify(lied.body));
  await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
  assert.equal((await comeIn(page)).status, 200);
}));

test('a passkey that was taken out lets nobody in', () => person(async ({ page, email }) => {
  await logIn(page, email);
  const { body: { id } } = await register(page);
  const removed = await ask(page, 'DELETE', `/auth/mfa/passkeys/${id}`, { password: PASSWORD });
  assert.ok([200, 202].includes(removed.status), JSON.stringify(removed.body));
  const answer = await comeIn(page);
  assert.deepEqual([answer.status, answer.body.code], [401, 'INVALID_CREDENTIALS']);
}));

test('a copy of a device is refused', () => person(async ({ page, email, device, authenticatorId }) => {
  await logIn(page, email);
  added(await register(page));
  const { credentials: [before] } = await device.send('WebAuthn.getCredentials', { authenticatorId });
  assert.equal((await comeIn(page)).status, 200);
  await device.send('WebAuthn.removeCredential', { authenticatorId, credentialId: before.credentialId });
  await device.send('WebAuthn.addCredential', { authenticatorId, credential: before });
  const from = gate.output.lines.length;
  assert.equal((await comeIn(page)).status, 401);
  assert.ok(gate.output.lines.slice(from).some((line) => line.includes('"passkey_copied"')));
}));

test('a page of another origin of the same domain gets an answer that is worth nothing', () => person(async ({ page, context, email, device, authenticatorId }) => {
  await logIn(page, email);
  added(await register(page));
  const { credentials } = await device.send('WebAuthn.getCredentials', { authenticatorId });
  const prove = async (on) => {
    const options = (await sessions.post('/auth/passkey/options')).json();
    const credential = await on.evaluate(async (given) => {
      const got = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(given) });
      return got.toJSON();
    }, options);
    return sessions.post('/auth/passkey', { body: { credential } });
  };
  assert.equal((await prove(page)).status, 200);
  const [{ signCount }] = (await device.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  const other = await context.newPage();
  const copied = await context.newCDPSession(other);
  await copied.send('WebAuthn.enable');
  const { authenticatorId: second } = await copied.send('WebAuthn.addVirtualAuthenticator', { options: PLATFORM });
  await copied.send('WebAuthn.addCredential', { authenticatorId: second, credential: { ...credentials[0], signCount } });
  await other.goto(`http://localhost:${elsewhere.address().port}/`);
  refused(await prove(other), 'INVALID_CREDENTIALS');
}));
