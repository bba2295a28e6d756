// The page of whoever is logged in: password, authenticator, recovery codes, passkeys and sessions, by hand, by keyboard and without JavaScript.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { launch } from '../browser/chromium.mjs';
import { shown } from '../worker/authenticator.mjs';
import { ROOT, closedPort, freshIp, start } from '../worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../worker/sessions.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PASSWORD = 'quiet river, late boat';
const ANOTHER = 'seven slow bicycles';
/** Pictures of the pages, to be looked at. */
const PICTURES = path.join(ROOT, 'target/pages/');
const PLATFORM = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
const PHONE = { colorScheme: 'dark', viewport: { width: 390, height: 800 } };

let gate;
let sessions;
let browser;
let origin;
let last = 0;

async function begin(more = {}) {
  const port = await closedPort();
  origin = `http://localhost:${port}`;
  const accounts = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], scopes: ['read:posts'], pages: true, passkeys: { rp_name: 'The posts' }, ...more };
  gate = await start([sessionWorker({ policy: sessionPolicy({ origin, accounts }), worker: { unsafeDirectSockets: [{ host: '127.0.0.1', port }] } })]);
  sessions = new Sessions(gate);
}

before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  [browser] = await Promise.all([launch(), begin()]);
});
after(async () => {
  await browser?.close();
  await gate?.dispose();
});

const account = () => `${origin}/auth/account`;

async function account_of() {
  const email = `own-${++last}@example.com`;
  const made = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  return { email, ...made.json() };
}

/** A window of its own. Whatever breaks a page's policy, or is not caught, fails the test. */
async function visit(use, options = {}) {
  const context = await browser.newContext({ reducedMotion: 'reduce', extraHTTPHeaders: { 'CF-Connecting-IP': freshIp() }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints = [];
  page.on('console', (message) => { if (!/^Failed to load resource|^\[DOM\]|^Clear-Site-Data/.test(message.text())) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  try {
    await use(page, context);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

async function logIn(page, email, password = PASSWORD) {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
}

/** Somebody at the page, who was sent to log in first. */
async function person(use, options) {
  const made = await account_of();
  await visit(async (page, context) => {
    await page.goto(account());
    assert.equal(new URL(page.url()).pathname, '/auth/login');
    await logIn(page, made.email);
    await page.waitForURL(account());
    await use({ page, context, ...made });
  }, options);
}

async function accessible(page, name) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'it is no wider than the window');
  if (name) await page.screenshot({ path: path.join(PICTURES, `${name}.png`), fullPage: true });
}

const part = (page, name) => page.locator('section').filter({ has: page.getByRole('heading', { name, exact: true }) });
/** What the account has, as a page of the same origin reads it that is none of the gate's: those let no script ask. */
async function factors(page) {
  await page.goto(`${origin}/auth/health`);
  return page.evaluate(async () => (await fetch('/auth/mfa')).json());
}

async function authenticator(page, hasPage = true) {
  if (hasPage) await part(page, 'Authenticator app').getByRole('link', { name: 'Set up' }).click();
  await page.getByLabel('Email').fill('ada@example.com');
  await page.getByRole('button', { name: 'Continue' }).click();
  const secret = (await page.locator('code').textContent()).replaceAll(' ', '');
  const href = await page.getByRole('link', { name: 'Open in the app' }).getAttribute('href');
  assert.match(href, /^otpauth:\/\/totp\/.*ada(%40|@)example\.com\?/);
  assert.ok(href.includes(`secret=${secret}`), href);
  return secret;
}

async function codes(page) {
  await page.getByRole('heading', { name: 'Keep these codes' }).waitFor();
  const all = await page.locator('.codes code').allTextContents();
  assert.equal(all.length, 10);
  return all;
}

describe('who may see it', () => {
  test('whoever is not logged in is sent to log in, and back to what was asked for', async () => {
    const { email } = await account_of();
    await visit(async (page) => {
      await page.goto(`${account()}?do=password`);
      await page.getByText('Log in to see how you log in').waitFor();
      await logIn(page, email);
      await page.waitForURL(`${account()}?do=password`);
      await page.getByRole('heading', { name: 'Change the password' }).waitFor();
    });
  });

  test('nobody is sent anywhere else', async () => {
    const { email } = await account_of();
    for (const target of ['/auth/account/../login', '/auth/account%2f', '//evil.example/auth/account', '/auth/accounts', '/AUTH/account']) {
      await visit(async (page) => {
        await page.goto(`${origin}/auth/login?return_to=${encodeURIComponent(target)}`);
        await logIn(page, email);
        await page.waitForURL(`${origin}/`);
      });
    }
  });

  test('another site changes nothing, and no other page reads it', () => person(async ({ page, context }) => {
    const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    const headers = { Cookie: cookie, Accept: 'text/html', 'Content-Type': 'application/x-www-form-urlencoded', 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' };
    for (const act of ['log-out', 'end-others', 'end', 'drop-totp', 'remove-passkey']) {
      const answer = await sessions.post('/auth/account', { body: `do=${act}`, headers });
      assert.equal(answer.status, 403, act);
    }
    for (const [at, body] of [['/auth/mfa/totp', 'label=a@example.com'], ['/auth/mfa/totp/confirm', 'code=123456'], ['/auth/mfa/recovery-codes', ''], ['/auth/password', 'password=a&new_password=b']]) {
      assert.equal((await sessions.post(at, { body, headers })).status, 403, at);
    }
    const seen = await sessions.get('/auth/account', { headers: { Cookie: cookie, Origin: 'https://evil.example' } });
    assert.equal(seen.status, 200);
    assert.equal(seen.headers['access-control-allow-origin'], undefined);
    assert.equal(seen.headers['cache-control'], 'no-store');
    assert.match(seen.headers['content-security-policy'], /frame-ancestors 'none'/);
    await page.goto(account());
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
  }));

  test('what programs ask for is answered as before', () => person(async ({ context }) => {
    const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    const headers = { Cookie: cookie, Accept: 'text/html' };
    const listed = await sessions.get('/auth/mfa/passkeys', { headers });
    assert.deepEqual([listed.status, listed.json()], [200, { passkeys: [] }]);
    for (const at of ['/auth/password', '/auth/mfa/totp', '/auth/mfa/totp/confirm', '/auth/mfa/recovery-codes']) {
      assert.equal((await sessions.get(at, { headers })).status, 405, at);
    }
  }));

  test('what is none of its forms is refused, as a page', () => person(async ({ context }) => {
    const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    const headers = { Cookie: cookie, Accept: 'text/html', 'Content-Type': 'application/x-www-form-urlencoded', 'Sec-Fetch-Site': 'same-origin' };
    for (const body of ['', 'do=', 'do=password', 'do=%3Cb%3E', 'do=end&do=end']) {
      const answer = await sessions.post('/auth/account', { body, headers });
      assert.equal(answer.status, 400, body);
    }
    const gone = await sessions.post('/auth/account', { body: 'do=end&id=AAAAAAAAAAAAAAAA', headers });
    assert.deepEqual([gone.status, gone.headers.location], [303, '/auth/account']);
    const json = await sessions.post('/auth/account', { body: { do: 'log-out' }, headers: { Cookie: cookie, 'Sec-Fetch-Site': 'same-origin' } });
    assert.equal(json.status, 404);
  }));
});

describe('password', () => {
  test('a new one, by the one before', () => person(async ({ page, email }) => {
    await accessible(page, 'own-account-light');
    await part(page, 'Password').getByRole('link', { name: 'Change the password' }).click();
    await accessible(page, 'own-password-light');
    assert.equal(await page.getByLabel('Password', { exact: true }).getAttribute('autocomplete'), 'current-password');
    assert.equal(await page.getByLabel('New password').getAttribute('autocomplete'), 'new-password');
    await page.getByLabel('Password', { exact: true }).fill('not the password');
    await page.getByLabel('New password').fill(ANOTHER);
    await page.getByRole('button', { name: 'Save the password' }).click();
    await page.getByRole('alert').filter({ hasText: 'Wrong password' }).waitFor();
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByLabel('New password').fill('password1');
    await page.getByRole('button', { name: 'Save the password' }).click();
    await page.getByText('This password is on lists that attackers try first').waitFor();
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByLabel('New password').fill(ANOTHER);
    await page.getByRole('button', { name: 'Save the password' }).click();
    await page.getByRole('heading', { name: 'Your password is changed' }).waitFor();
    await page.getByRole('link', { name: 'Back to your account' }).click();
    await page.waitForURL(account());
    await visit(async (other) => {
      await other.goto(`${origin}/auth/login`);
      await logIn(other, email, ANOTHER);
      await other.waitForURL(`${origin}/`);
    });
  }));

  test('without JavaScript, by keyboard', async () => {
    const { email } = await account_of();
    await visit(async (page) => {
      await page.goto(`${account()}?do=password`);
      await logIn(page, email);
      await page.waitForURL(`${account()}?do=password`);
      await page.keyboard.press('Tab');
      await page.keyboard.type(PASSWORD);
      await page.keyboard.press('Tab');
      await page.keyboard.type(ANOTHER);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Your password is changed' }).waitFor();
    }, { javaScriptEnabled: false });
  });
});

describe('authenticator', () => {
  test('is set up, gets other codes, and is dropped', () => person(async ({ page }) => {
    await accessible(page, 'own-account-dark-390');
    await part(page, 'Authenticator app').getByRole('link', { name: 'Set up' }).click();
    await accessible(page, 'own-totp-dark-390');
    const secret = await authenticator(page, false);
    await accessible(page, 'own-secret-dark-390');
    assert.equal(await page.getByLabel('Code of').getAttribute('autocomplete'), 'one-time-code');
    await page.getByLabel('Code of').fill('000000');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByRole('alert').filter({ hasText: 'Wrong code' }).waitFor();
    await accessible(page);
    await page.getByLabel('Code of').fill(shown(secret, sessions.ahead));
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByRole('alert').filter({ hasText: 'Wrong password' }).waitFor();
    await page.getByLabel('Code of').fill(shown(secret, sessions.ahead));
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Confirm' }).click();
    const before = await codes(page);
    await accessible(page, 'own-codes-dark-390');
    await page.getByRole('link', { name: 'I have kept them' }).click();
    await page.waitForURL(account());
    await part(page, 'Recovery codes').getByText('10 left').waitFor();
    await accessible(page, 'own-account-factors-dark-390');
    await part(page, 'Recovery codes').getByRole('link', { name: 'Make new ones' }).click();
    await accessible(page, 'own-new-codes-dark-390');
    await confirmed(page, 'Make new ones');
    const then = await codes(page);
    assert.ok(then.every((code) => !before.includes(code)));
    await page.goto(account());
    await part(page, 'Authenticator app').getByRole('link', { name: 'Remove' }).click();
    await accessible(page, 'own-drop-dark-390');
    await confirmed(page, 'Remove');
    await page.waitForURL(account());
    assert.equal((await factors(page)).totp, false);
  }, PHONE));

  test('a login of long ago is asked for again, and comes back', () => person(async ({ page, email }) => {
    await sessions.wait(601);
    await part(page, 'Authenticator app').getByRole('link', { name: 'Set up' }).click();
    await page.getByText('Log in to see how you log in').waitFor();
    await logIn(page, email);
    await page.waitForURL(`${account()}?do=totp`);
    const secret = await authenticator(page, false);
    await sessions.wait(601);
    await page.getByLabel('Code of').fill(shown(secret, sessions.ahead));
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByText('Log in to see how you log in').waitFor();
  }));
});

/** A form that asks whether to, and for the password. */
async function confirmed(page, name) {
  assert.equal(await page.getByLabel('Password').getAttribute('autocomplete'), 'current-password');
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name }).click();
  await page.getByRole('alert').filter({ hasText: 'Wrong password' }).waitFor();
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name }).click();
}

describe('passkeys', () => {
  async function withDevice(use, options) {
    await person(async (who) => {
      const device = await who.context.newCDPSession(who.page);
      await device.send('WebAuthn.enable');
      const { authenticatorId } = await device.send('WebAuthn.addVirtualAuthenticator', { options: PLATFORM });
      await use({ ...who, device, authenticatorId });
    }, options);
  }

  async function add(page, label) {
    await part(page, 'Passkeys').getByRole('link', { name: 'Add a passkey' }).click();
    await page.getByLabel('Email').fill('ada@example.com');
    await page.getByLabel('Name of the passkey').fill(label);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
  }

  test('one is added, lets its owner in, and is removed', () => withDevice(async ({ page, device, authenticatorId, email }) => {
    await part(page, 'Passkeys').getByRole('link', { name: 'Add a passkey' }).click();
    await accessible(page, 'own-passkey-light-390');
    await page.goto(account());
    await add(page, 'My laptop');
    await codes(page);
    await accessible(page, 'own-codes-light-390');
    await page.getByRole('link', { name: 'I have kept them' }).click();
    await part(page, 'Passkeys').getByText('My laptop').waitFor();
    await accessible(page, 'own-account-passkey-light-390');
    const { credentials: [{ userHandle, userName }] } = await device.send('WebAuthn.getCredentials', { authenticatorId });
    assert.ok(userHandle);
    assert.equal(userName ?? 'ada@example.com', 'ada@example.com');
    // The same device again.
    await add(page, 'Once more');
    await page.getByRole('alert').filter({ hasText: 'This device has a passkey for this account already' }).waitFor();
    await page.goto(account());
    await page.getByRole('button', { name: 'Log out', exact: true }).click();
    await page.waitForURL(`${origin}/auth/login`);
    // The browser offers it in the field of the name, and this one is chosen at once.
    await page.waitForURL(`${origin}/`);
    await page.goto(account());
    await part(page, 'Passkeys').getByRole('link', { name: 'Remove' }).click();
    await accessible(page);
    await confirmed(page, 'Remove');
    await page.waitForURL(account());
    assert.deepEqual((await factors(page)).passkeys, []);
    assert.ok(email);
  }, { viewport: { width: 390, height: 800 } }));

  test('what came to nothing is said', () => withDevice(async ({ page, device, authenticatorId }) => {
    await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    await add(page, 'Laptop');
    await page.getByRole('alert').filter({ hasText: 'No passkey was made' }).waitFor();
    await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByRole('alert').filter({ hasText: 'Wrong password' }).waitFor();
    assert.equal(await page.getByLabel('Name of the passkey').inputValue(), 'Laptop');
    await page.getByLabel('Email').fill('ada@example.com');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await codes(page);
  }));

  test('a browser without passkeys says so', () => person(async ({ page, context }) => {
    await context.addInitScript(() => { delete globalThis.PublicKeyCredential; });
    await part(page, 'Passkeys').getByRole('link', { name: 'Add a passkey' }).click();
    await page.getByText('This browser cannot use passkeys').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Add a passkey' }).count(), 0);
  }));
});

describe('sessions', () => {
  test('are listed, and ended one by one and together', () => person(async ({ page, email }) => {
    const elsewhere = [];
    for (const userAgent of ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', '<img src=x onerror=alert(1)>']) {
      const answer = await sessions.post('/auth/login', { body: { email, password: PASSWORD }, headers: { 'User-Agent': userAgent, 'CF-Connecting-IP': freshIp() } });
      assert.equal(answer.status, 200, answer.text);
      elsewhere.push(answer.json().access_token);
    }
    await page.reload();
    const list = part(page, 'Where you are logged in');
    await list.getByText('This device').waitFor();
    await list.getByText('<img src=x onerror=alert(1)>').waitFor();
    assert.equal(await page.locator('img').count(), 0);
    await accessible(page, 'own-sessions-light');
    await list.locator('li').filter({ hasText: 'Safari · iPhone' }).getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(account());
    assert.equal(await list.locator('li').filter({ hasText: 'iPhone' }).count(), 0);
    await list.getByText('Firefox · Linux').waitFor();
    await page.getByRole('button', { name: 'Log out everywhere else' }).click();
    await page.waitForURL(account());
    assert.equal(await list.locator('li').count(), 1);
    await page.getByRole('button', { name: 'Log out', exact: true }).click();
    await page.waitForURL(`${origin}/auth/login`);
    await page.goto(account());
    assert.equal(new URL(page.url()).pathname, '/auth/login');
  }));
});

describe('where everybody needs a second factor', () => {
  before(async () => {
    await gate.dispose();
    await begin({ mfa: 'required' });
  });

  test('whoever has none sets up an authenticator at the login, and is in by its first code', async () => {
    const { email } = await account_of();
    await visit(async (page) => {
      await page.goto(`${origin}/auth/login?return_to=/v1/posts`);
      await logIn(page, email);
      await page.getByRole('heading', { name: 'A second factor is needed' }).waitFor();
      await accessible(page, 'own-required-light');
      await page.getByRole('button', { name: 'Continue' }).click();
      const secret = (await page.locator('code').textContent()).replaceAll(' ', '');
      assert.ok((await page.getByRole('link', { name: 'Open in the app' }).getAttribute('href')).includes(email.replace('@', '%40')));
      assert.equal((await page.context().cookies()).filter(({ name }) => name.endsWith('-at')).length, 0, 'nobody is logged in yet');
      await page.getByLabel('Code of').fill('000000');
      await page.getByRole('button', { name: 'Confirm' }).click();
      await page.getByRole('alert').filter({ hasText: 'Wrong code' }).waitFor();
      await page.getByLabel('Code of').fill(shown(secret, sessions.ahead));
      await page.getByRole('button', { name: 'Confirm' }).click();
      await codes(page);
      await page.getByRole('link', { name: 'I have kept them' }).click();
      await page.waitForURL(`${origin}/v1/posts`);
      await page.goto(account());
      await part(page, 'Authenticator app').getByText('Each login asks for its code').waitFor();
    });
  });

  async function deviceOf(page, context) {
    const device = await context.newCDPSession(page);
    await device.send('WebAuthn.enable');
    const { authenticatorId } = await device.send('WebAuthn.addVirtualAuthenticator', { options: PLATFORM });
    return { device, authenticatorId };
  }
  const add = (page) => page.getByRole('button', { name: 'Add a passkey' });

  test('or makes a passkey there, by the button, and is in by it', async () => {
    const { email } = await account_of();
    await visit(async (page, context) => {
      const { device, authenticatorId } = await deviceOf(page, context);
      await page.goto(`${origin}/auth/login?return_to=/v1/posts`);
      await logIn(page, email);
      await page.getByRole('heading', { name: 'A second factor is needed' }).waitFor();
      await part(page, 'Authenticator app').getByRole('button', { name: 'Continue' }).waitFor();
      await accessible(page, 'own-required-passkey-light');
      await add(page).click();
      await codes(page);
      await accessible(page);
      const { credentials: [{ userName }] } = await device.send('WebAuthn.getCredentials', { authenticatorId });
      assert.equal(userName, email, 'the device calls it as its owner does');
      await page.getByRole('link', { name: 'I have kept them' }).click();
      await page.waitForURL(`${origin}/v1/posts`);
      const me = await page.evaluate(async () => (await fetch('/auth/session')).json());
      assert.deepEqual([me.amr, me.acr], [['pwd', 'pop', 'user', 'mfa'], 'mfa']);
      const { passkeys } = await factors(page);
      assert.deepEqual(passkeys.map(({ label }) => label), ['Passkey']);
    });
  });

  test('by keyboard alone, in dark, on a phone', async () => {
    const { email } = await account_of();
    await visit(async (page, context) => {
      await deviceOf(page, context);
      await page.goto(`${origin}/auth/login`);
      await logIn(page, email);
      await add(page).waitFor();
      await accessible(page, 'own-required-passkey-dark-390');
      for (let presses = 0; presses < 10; presses += 1) {
        if (await add(page).evaluate((one) => one === document.activeElement)) break;
        await page.keyboard.press('Tab');
      }
      await page.keyboard.press('Enter');
      await codes(page);
    }, PHONE);
  });

  test('what came to nothing is said, and the authenticator is there still', async () => {
    const { email } = await account_of();
    await visit(async (page, context) => {
      const { device, authenticatorId } = await deviceOf(page, context);
      await page.goto(`${origin}/auth/login?return_to=/v1/posts`);
      await logIn(page, email);
      await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
      await add(page).click();
      await page.getByRole('alert').filter({ hasText: 'No passkey was made' }).waitFor();
      await accessible(page);
      // What a browser cannot have made is refused by the gate, on the same page.
      await page.evaluate(() => {
        const form = document.getElementById('passkey');
        form.querySelector('#proof').value = '{"response":{"clientDataJSON":"e30","attestationObject":"e30"}}';
        form.submit();
      });
      await page.getByRole('alert').filter({ hasText: 'That did not work' }).waitFor();
      await page.getByRole('heading', { name: 'A second factor is needed' }).waitFor();
      await accessible(page);
      await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
      await add(page).click();
      await codes(page);
      await page.getByRole('link', { name: 'I have kept them' }).click();
      await page.waitForURL(`${origin}/v1/posts`);
    });
  });

  test('a browser without passkeys is offered the authenticator alone', async () => {
    const { email } = await account_of();
    await visit(async (page, context) => {
      await context.addInitScript(() => { delete globalThis.PublicKeyCredential; });
      await page.goto(`${origin}/auth/login`);
      await logIn(page, email);
      await page.getByRole('button', { name: 'Continue' }).waitFor();
      assert.equal(await add(page).count(), 0);
      await accessible(page);
    });
  });

  test('a passkey of a login that took too long says so', async () => {
    const { email } = await account_of();
    await visit(async (page, context) => {
      const { device, authenticatorId } = await deviceOf(page, context);
      await page.goto(`${origin}/auth/login`);
      await logIn(page, email);
      await add(page).waitFor();
      await sessions.wait(301);
      await add(page).click();
      await page.getByRole('heading', { name: 'The login took too long' }).waitFor();
      const { credentials } = await device.send('WebAuthn.getCredentials', { authenticatorId });
      assert.deepEqual(credentials, [], 'the device was not asked');
    });
  });

  test('a login that took too long says so', async () => {
    const { email } = await account_of();
    await visit(async (page) => {
      await page.goto(`${origin}/auth/login`);
      await logIn(page, email);
      await page.getByRole('heading', { name: 'A second factor is needed' }).waitFor();
      await sessions.wait(301);
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('heading', { name: 'The login took too long' }).waitFor();
    });
  });
});
