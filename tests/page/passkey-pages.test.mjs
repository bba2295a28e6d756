// Passkeys on the gate's own pages, in Chromium by an authenticator of its own making: by the button, in the field of the name, and after a password.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { launch } from '../browser/chromium.mjs';
import { shown } from '../worker/authenticator.mjs';
import { closedPort, freshIp, start } from '../worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../worker/sessions.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PASSWORD = 'quiet river, late boat';
/** As most have it: a key of the device, with a check of who holds it. */
const PLATFORM = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };

let gate;
let sessions;
let browser;
let origin;
let last = 0;

before(async () => {
  const port = await closedPort();
  origin = `http://localhost:${port}`;
  const accounts = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], scopes: ['read:posts'], pages: true, passkeys: { rp_name: 'The posts' } };
  [gate, browser] = await Promise.all([
    start([sessionWorker({ policy: sessionPolicy({ origin, accounts }), worker: { unsafeDirectSockets: [{ host: '127.0.0.1', port }] } })]), launch(),
  ]);
  sessions = new Sessions(gate);
});
after(async () => {
  await browser?.close();
  await gate?.dispose();
});

/** Somebody with an account and a browser that has this authenticator. Whatever breaks a page's policy, or is not caught, fails the test. */
async function person(use, options = {}) {
  const email = `page-${++last}@example.com`;
  const made = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  const context = await browser.newContext({ reducedMotion: 'reduce', extraHTTPHeaders: { 'CF-Connecting-IP': freshIp() }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => { if (!/^Failed to load resource|^\[DOM\]|^Clear-Site-Data/.test(message.text())) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  try {
    const device = await context.newCDPSession(page);
    await device.send('WebAuthn.enable');
    const { authenticatorId } = await device.send('WebAuthn.addVirtualAuthenticator', { options: PLATFORM });
    /** Whether the device answers by itself, as if somebody had touched it. */
    const touched = (enabled) => device.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
    await use({ email, page, context, device, authenticatorId, touched, ...made.json() });
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

async function fill(page, email, password = PASSWORD) {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
}

const button = (page) => page.getByRole('button', { name: 'Log in with a passkey' });
const mine = (page) => page.evaluate(async () => (await fetch('/auth/session')).json());
const logOut = (page) => page.evaluate(async () => (await fetch('/auth/logout', { method: 'POST' })).status);

/** Has the browser make a passkey, in a page of the same origin that is none of the gate's. */
async function register(page, password = PASSWORD) {
  await page.goto(`${origin}/auth/health`);
  const answer = await page.evaluate(async (given) => {
    const post = (path, body) => fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const options = await (await post('/auth/mfa/passkeys/options', { name: 'ada@example.com' })).json();
    const credential = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
    const added = await post('/auth/mfa/passkeys', { credential: credential.toJSON(), password: given });
    return { status: added.status, body: await added.json() };
  }, password);
  assert.ok([201, 202].includes(answer.status), JSON.stringify(answer.body));
  return answer.body;
}

/** Somebody with a passkey who is not logged in. */
const owner = (use, options) => person(async (who) => {
  await who.page.goto(`${origin}/auth/login`);
  await fill(who.page, who.email);
  await who.page.waitForURL(`${origin}/`);
  const made = await register(who.page);
  assert.equal(await logOut(who.page), 200);
  await use({ ...who, made });
}, options);

async function accessible(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
}

test('by the button, and back to where the login began', () => owner(async ({ page, subject, touched }) => {
  await touched(false);
  await page.goto(`${origin}/auth/login?return_to=/v1/posts`);
  assert.equal(await page.getByLabel('Email').getAttribute('autocomplete'), 'username webauthn');
  await page.getByLabel('Keep me logged in').check();
  await accessible(page);
  await touched(true);
  await button(page).click();
  await page.waitForURL(`${origin}/v1/posts`);
  const me = await mine(page);
  assert.deepEqual([me.subject, me.amr, me.acr], [subject, ['pop', 'user', 'mfa'], 'mfa']);
  const cookies = await page.context().cookies();
  assert.ok(cookies.some(({ name, expires }) => name === '__Host-edgegate-rt' && expires > Date.now() / 1000 + 86_400), 'it outlasts the browser');
}));

test('in the field of the name, where nobody presses anything', () => owner(async ({ page, subject }) => {
  await page.goto(`${origin}/auth/login`);
  // The browser shows its passkeys there; this one is chosen at once.
  await page.waitForURL(`${origin}/`);
  assert.equal((await mine(page)).subject, subject);
}));

test('by keyboard alone, in dark, on a phone', () => owner(async ({ page, touched }) => {
  await touched(false);
  await page.goto(`${origin}/auth/login`);
  await accessible(page);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
  for (let presses = 0; presses < 10; presses += 1) {
    if (await button(page).evaluate((one) => one === document.activeElement)) break;
    await page.keyboard.press('Tab');
  }
  await touched(true);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${origin}/`);
}, { colorScheme: 'dark', viewport: { width: 390, height: 800 } }));

test('what came to nothing is said, and the password works still', () => person(async ({ page, email }) => {
  await page.goto(`${origin}/auth/login`);
  await button(page).click();
  // This device has none.
  await page.getByRole('alert').filter({ hasText: 'It was cancelled, or this device has no passkey' }).waitFor();
  await accessible(page);
  await fill(page, email);
  await page.waitForURL(`${origin}/`);
}));

test('a passkey that was taken out is refused in plain words', () => owner(async ({ page, email, made }) => {
  await page.goto(`${origin}/auth/health`);
  const removed = await page.evaluate(async ({ given, id }) => {
    const post = (path, body) => fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const { mfa_token } = await (await post('/auth/login', given.login)).json();
    await post('/auth/mfa', { mfa_token, recovery_code: given.code });
    const { password } = given.login;
    return (await fetch(`/auth/mfa/passkeys/${id}`, { method: 'DELETE', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ password }) })).status;
  }, { given: { login: { email, password: PASSWORD }, code: made.recovery_codes[0] }, id: made.id });
  assert.ok([200, 202].includes(removed), String(removed));
  await logOut(page);
  await page.goto(`${origin}/auth/login?return_to=/v1/posts`);
  // The device offers it still. The page that says so asks by the button alone, or it would go round in circles.
  await page.getByRole('alert').filter({ hasText: 'This passkey lets nobody in here' }).waitFor();
  await button(page).waitFor();
  assert.equal(await page.locator('[name=return_to]').first().inputValue(), '/v1/posts');
}));

test('after a password: a passkey alone, and the recovery codes beside it', () => owner(async ({ page, email, touched, made }) => {
  await touched(false);
  await page.goto(`${origin}/auth/login?return_to=/v1/posts`);
  await fill(page, email);
  await page.getByRole('heading', { name: 'One more step' }).waitFor();
  await accessible(page);
  assert.equal(await page.getByLabel('Code of').count(), 0, 'there is no authenticator');
  await page.getByLabel('Recovery code').waitFor();
  await touched(true);
  await page.getByRole('button', { name: 'Continue with a passkey' }).click();
  await page.waitForURL(`${origin}/v1/posts`);
  assert.deepEqual((await mine(page)).amr, ['pwd', 'pop', 'user', 'mfa']);
  await logOut(page);
  await touched(false);
  await page.goto(`${origin}/auth/login`);
  await fill(page, email);
  await page.getByLabel('Recovery code').fill('0000-0000-0000-0000-0000-0000');
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'Wrong code' }).waitFor();
  await page.getByRole('button', { name: 'Continue with a passkey' }).waitFor();
  await page.getByLabel('Recovery code').fill(made.recovery_codes[0]);
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await page.waitForURL(`${origin}/`);
}));

test('after a password: beside an authenticator', () => owner(async ({ page, email, touched }) => {
  await page.goto(`${origin}/auth/login`);
  await page.waitForURL(`${origin}/`);
  const secret = await page.evaluate(async () => (await (await fetch('/auth/mfa/totp', { method: 'POST' })).json()).secret);
  const status = await page.evaluate(async (form) => (await fetch('/auth/mfa/totp/confirm', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(form) })).status, { code: shown(secret, sessions.ahead), password: PASSWORD });
  assert.ok([200, 202].includes(status), String(status));
  await logOut(page);
  await touched(false);
  await page.goto(`${origin}/auth/login`);
  await fill(page, email);
  await page.getByLabel('Code of').fill('000000');
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'Wrong code' }).waitFor();
  await touched(true);
  await page.getByRole('button', { name: 'Continue with a passkey' }).click();
  await page.waitForURL(`${origin}/`);
}));

test('a browser that has no passkeys is offered none; without JavaScript the page is as it was', async () => {
  await person(async ({ page, context, email }) => {
    await context.addInitScript(() => { delete globalThis.PublicKeyCredential; });
    await page.goto(`${origin}/auth/login`);
    assert.equal(await button(page).count(), 0);
    await fill(page, email);
    await page.waitForURL(`${origin}/`);
  });
  const { email } = { email: `page-${++last}@example.com` };
  assert.equal((await sessions.admin('POST', '/accounts', { email, password: PASSWORD })).status, 201);
  const context = await browser.newContext({ javaScriptEnabled: false });
  try {
    const page = await context.newPage();
    await page.goto(`${origin}/auth/login`);
    assert.equal(await button(page).count(), 0);
    await fill(page, email);
    await page.waitForURL(`${origin}/`);
  } finally {
    await context.close();
  }
});

test('no script runs there but the one that the page’s policy names', async () => {
  const answer = await sessions.get('/auth/login');
  const policy = answer.headers['content-security-policy'];
  assert.match(policy, /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; connect-src 'self'; style-src /);
  for (const field of [{ credential: '{"id":1}' }, { credential: '}{' }, { credential: '{}', email: 'a@example.com' }, {}]) {
    const sent = await sessions.post('/auth/passkey', {
      body: new URLSearchParams(field).toString(),
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'text/html', 'Sec-Fetch-Site': 'same-origin' },
    });
    assert.equal(sent.status, 400, sent.text);
    assert.match(sent.headers['content-type'], /^text\/html/);
  }
  const elsewhere = await sessions.post('/auth/passkey', {
    body: new URLSearchParams({ credential: '{}' }).toString(),
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'text/html', 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' },
  });
  assert.equal(elsewhere.status, 403);
});
