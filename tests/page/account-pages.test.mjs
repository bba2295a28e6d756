// The pages of accounts as people use them: by hand, by a password manager, without JavaScript, and from a link in a mail.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { launch } from '../browser/chromium.mjs';
import { shown } from '../worker/authenticator.mjs';
import { SECRETS, closedPort, start } from '../worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../worker/sessions.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PASSWORD = 'quiet river, late boat';
const ANOTHER = 'seven slow bicycles';

let url;
let gate;
let sessions;
let browser;
let mails;
let last = 0;

before(async () => {
  mails = await mailer();
  const port = await closedPort();
  url = `http://127.0.0.1:${port}`;
  const accounts = {
    secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], scopes: ['read:posts'], registration: 'open', pages: true, magic_link: true,
    mail: { kind: 'webhook', url: `${mails.origin}/mail`, secret: 'MAIL_SECRET' },
  };
  const secrets = { ...SECRETS, MAIL_SECRET: 'whsec_' + Buffer.alloc(32, 7).toString('base64') };
  [gate, browser] = await Promise.all([
    start([sessionWorker({ policy: sessionPolicy({ origin: url, accounts }), secrets })], { secrets, shared: { port } }),
    launch(),
  ]);
  sessions = new Sessions(gate);
});
after(async () => {
  await browser?.close();
  await gate?.dispose();
  mails?.close();
});

/** Takes mails, as somebody's mailer does. */
async function mailer() {
  const taken = [];
  const server = http.createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    taken.push(JSON.parse(text));
    response.writeHead(202).end();
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => { server.closeAllConnections(); server.close(); },
    async next(email, type) {
      for (let tries = 0; tries < 200; tries += 1) {
        const found = taken.findLast((mail) => mail.to === email && mail.type === type);
        if (found) return found;
        await new Promise((resolve) => { setTimeout(resolve, 50); });
      }
      throw new Error(`no ${type} to ${email}`);
    },
  };
}

/** A window of its own. Whatever breaks a page's policy, or is not caught, fails the test. */
async function visit(use, options = {}) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  const complaints = [];
  // Chromium says on its console that a status is one of failure, and misses a name beside a new password, which a link does not have.
  page.on('console', (message) => { if (!/^Failed to load resource|^\[DOM\]/.test(message.text())) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  try {
    await use(page);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

async function person(more = {}) {
  const email = `page-${++last}@example.com`;
  const made = await sessions.admin('POST', '/accounts', { email, password: PASSWORD, ...more });
  assert.equal(made.status, 201, made.text);
  return { email, id: made.json().id };
}

async function fill(page, email, password = PASSWORD) {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
}

const mine = (page) => page.evaluate(async () => (await fetch('/auth/session')).json());

async function accessible(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
}

describe('log in', () => {
  test('a page leads to the form, and the form back to the page', async () => {
    const { email } = await person();
    await visit(async (page) => {
      await page.goto(`${url}/v1/posts?page=2`);
      assert.equal(new URL(page.url()).pathname, '/auth/login');
      await fill(page, email, 'not the password');
      await page.getByRole('alert').filter({ hasText: 'Wrong email or password' }).waitFor();
      assert.equal(await page.getByLabel('Email').inputValue(), email, 'what was right is there still');
      assert.equal(await page.getByLabel('Password').inputValue(), '');
      await page.getByLabel('Keep me logged in').check();
      await fill(page, email);
      await page.waitForURL(`${url}/v1/posts?page=2`);
      assert.deepEqual((await mine(page)).scopes, ['read:posts']);
      const cookies = await page.context().cookies();
      assert.ok(cookies.every(({ httpOnly, secure }) => httpOnly && secure), JSON.stringify(cookies));
      assert.ok(cookies.some(({ expires }) => expires > Date.now() / 1000 + 86_400), 'it outlasts the browser');
    });
  });

  test('without JavaScript, and by keyboard', async () => {
    const { email } = await person();
    await visit(async (page) => {
      await page.goto(`${url}/auth/login`);
      await page.keyboard.press('Tab');
      await page.keyboard.type(email);
      await page.keyboard.press('Tab');
      await page.keyboard.type(PASSWORD);
      await page.keyboard.press('Enter');
      await page.waitForURL(`${url}/`);
    }, { javaScriptEnabled: false });
  });

  test('a password manager knows the fields, and they are masked', () => visit(async (page) => {
    await page.goto(`${url}/auth/login`);
    assert.equal(await page.getByLabel('Email').getAttribute('autocomplete'), 'username');
    assert.equal(await page.getByLabel('Password').getAttribute('autocomplete'), 'current-password');
    assert.equal(await page.getByLabel('Password').getAttribute('type'), 'password');
    await page.getByRole('link', { name: 'Create an account' }).click();
    assert.equal(await page.getByLabel('New password').getAttribute('autocomplete'), 'new-password');
    assert.equal(await page.getByLabel('New password').getAttribute('type'), 'password');
  }));

  test('nobody is sent to another site, and what was typed is text', async () => {
    const { email } = await person();
    for (const target of ['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)', '/auth/login']) {
      await visit(async (page) => {
        await page.goto(`${url}/auth/login?return_to=${encodeURIComponent(target)}`);
        await fill(page, email);
        await page.waitForURL(`${url}/`);
      });
    }
    await visit(async (page) => {
      await page.goto(`${url}/auth/login?return_to=${encodeURIComponent('/"><script>alert(1)</script>')}`);
      await fill(page, '"><img src=x onerror=alert(1)>@example.com', 'x'.repeat(9));
      await page.getByText('Invalid email').waitFor().catch(() => {});
      assert.equal(await page.locator('img').count(), 0);
    });
  });

  test('a form of another site logs nobody in', async () => {
    const { email } = await person();
    const body = new URLSearchParams({ email, password: PASSWORD }).toString();
    const answer = await sessions.post('/auth/login', { body, headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'text/html', 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' } });
    assert.equal(answer.status, 403);
    assert.equal(answer.headers['set-cookie'], undefined);
  });

  test('too many tries say so', async () => {
    const { email } = await person();
    await visit(async (page) => {
      await page.goto(`${url}/auth/login`);
      for (let tries = 0; tries < 6; tries += 1) await fill(page, email, `wrong password ${tries}`);
      await page.getByRole('alert').filter({ hasText: 'Too many attempts' }).waitFor();
    });
    await sessions.wait(1000);
  });
});

describe('links in mails', () => {
  test('a forgotten password', async () => {
    const { email } = await person();
    await visit(async (page) => {
      await page.goto(`${url}/auth/login`);
      await page.getByRole('link', { name: 'Forgot your password?' }).click();
      await accessible(page);
      await page.getByLabel('Email').fill(email);
      await page.getByRole('button', { name: 'Send me a link' }).click();
      await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
      const { link } = await mails.next(email, 'account.reset');
      await page.goto(link);
      await accessible(page);
      await page.getByLabel('New password').fill('password1');
      await page.getByRole('button', { name: 'Save the password' }).click();
      await page.getByText('This password is on lists that attackers try first').waitFor();
      await page.getByLabel('New password').fill(ANOTHER);
      await page.getByRole('button', { name: 'Save the password' }).click();
      await page.getByRole('heading', { name: 'Your password is changed' }).waitFor();
      await page.getByRole('link', { name: 'Log in' }).click();
      await fill(page, email, ANOTHER);
      await page.waitForURL(`${url}/`);
      await page.goto(link);
      await page.getByLabel('New password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Save the password' }).click();
      await page.getByRole('heading', { name: 'This link does not work any more' }).waitFor();
      await accessible(page);
    });
  });

  test('a login by a link, and in another browser none', async () => {
    const { email } = await person({ verified: true });
    let link;
    await visit(async (page) => {
      await page.goto(`${url}/auth/login`);
      await page.getByRole('link', { name: 'Log in by a link' }).click();
      await accessible(page);
      await page.getByLabel('Email').fill(email);
      await page.getByRole('button', { name: 'Send me a link' }).click();
      await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
      ({ link } = await mails.next(email, 'account.magic_link'));
      await visit(async (other) => {
        await other.goto(link);
        await other.getByRole('button', { name: 'Log in' }).click();
        await other.getByRole('heading', { name: 'Open this link in the browser that asked for it' }).waitFor();
        await accessible(other);
        assert.equal((await other.context().cookies()).length, 0);
        await other.getByRole('link', { name: 'Log in by a link' }).waitFor();
      });
      await page.goto(link);
      await accessible(page);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.waitForURL(`${url}/`);
      assert.deepEqual((await mine(page)).scopes, ['read:posts']);
      await page.goto(link);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByRole('heading', { name: 'This link does not work any more' }).waitFor();
    });
  });

  test('a link leads to where the login began, and to no other site', async () => {
    const asked = async (page, at) => {
      const { email } = await person({ verified: true });
      await page.goto(at);
      await page.getByRole('link', { name: 'Log in by a link' }).click();
      await page.getByLabel('Email').fill(email);
      await page.getByRole('button', { name: 'Send me a link' }).click();
      await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
      return mails.next(email, 'account.magic_link');
    };
    await visit(async (page) => {
      const { link, text, html } = await asked(page, `${url}/v1/posts?page=2&q=a%20b`);
      assert.match(link, /#token=[\w-]+&return_to=%2Fv1%2Fposts%3Fpage%3D2%26q%3Da%2520b$/);
      assert.ok(text.includes(link) && html.includes(link.replaceAll('&', '&amp;')));
      await page.goto(link);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.waitForURL(`${url}/v1/posts?page=2&q=a%20b`);
    });
    await visit(async (page) => {
      const { link } = await asked(page, `${url}/auth/login?return_to=${encodeURIComponent('//evil.example/')}`);
      assert.match(link, /#token=[\w-]+$/);
      await page.goto(`${link}&return_to=https%3A%2F%2Fevil.example%2F`);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.waitForURL(`${url}/`);
    });
  });

  test('a registration, in the browser that has registered and in another', async () => {
    for (const isAnother of [false, true]) {
      const email = `new-${++last}@example.com`;
      let link;
      await visit(async (page) => {
        await page.goto(`${url}/auth/register`);
        await accessible(page);
        await page.getByLabel('Email').fill(email);
        await page.getByLabel('New password').fill(PASSWORD);
        await page.getByRole('button', { name: 'Create an account' }).click();
        await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
        ({ link } = await mails.next(email, 'account.verify'));
        if (!isAnother) await confirmed(page, link);
      });
      if (isAnother) {
        await visit(async (page) => {
          await page.goto(link);
          await page.getByRole('button', { name: 'Confirm' }).click();
          await page.getByLabel('New password').fill(PASSWORD);
          await page.getByRole('button', { name: 'Confirm' }).click();
          await page.getByRole('heading', { name: 'Your address is confirmed' }).waitFor();
        });
      }
      await visit(async (page) => {
        await page.goto(`${url}/auth/login`);
        await fill(page, email);
        await page.waitForURL(`${url}/`);
      });
    }
  });

  async function confirmed(page, link) {
    await page.goto(link);
    await accessible(page);
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByRole('heading', { name: 'Your address is confirmed' }).waitFor();
  }
});

test('a second factor: a wrong code, the right one, and a recovery code', async () => {
  const { email } = await person();
  let secret;
  let codes;
  await visit(async (page) => {
    await page.goto(`${url}/auth/login`);
    await fill(page, email);
    await page.waitForURL(`${url}/`);
    ({ secret } = await page.evaluate(async () => (await fetch('/auth/mfa/totp', { method: 'POST' })).json()));
    const code = shown(secret, sessions.ahead);
    ({ recovery_codes: codes } = await page.evaluate(async (given) => (await fetch('/auth/mfa/totp/confirm', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(given) })).json(), { code, password: PASSWORD }));
    assert.equal(codes.length, 10);
  });
  await visit(async (page) => {
    await page.goto(`${url}/auth/login?return_to=/v1/posts`);
    await fill(page, email);
    await page.getByRole('heading', { name: 'One more step' }).waitFor();
    await accessible(page);
    assert.equal((await page.context().cookies()).length, 0, 'nobody is logged in yet');
    assert.equal(await page.getByLabel('Code of').getAttribute('autocomplete'), 'one-time-code');
    await page.getByLabel('Code of').fill('000000');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('alert').filter({ hasText: 'Wrong code' }).waitFor();
    await page.getByLabel('Code of').fill(shown(secret, sessions.ahead + 30_000));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(`${url}/v1/posts`);
  });
  await visit(async (page) => {
    await page.goto(`${url}/auth/login`);
    await fill(page, email);
    await page.getByRole('button', { name: 'Use a recovery code' }).click();
    await accessible(page);
    await page.getByLabel('Recovery code').fill(codes[0]);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(`${url}/`);
  }, { colorScheme: 'dark', viewport: { width: 390, height: 800 } });
});
