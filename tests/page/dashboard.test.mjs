// The dashboard as an operator uses it: the built Worker in workerd, the page in Chromium, under its own headers.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parse } from 'smol-toml';

import { dashboardFiles, dashboardPage } from '../../www/dashboard/build.mjs';
import { launch } from '../browser/chromium.mjs';
import { ISSUER, ROOT, SECRETS, admitted, policy, refused, startGate, token } from '../worker/harness.mjs';
import { sessionPolicy } from '../worker/sessions.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Pictures of the page, to be looked at. */
const SCREENSHOTS = path.join(ROOT, 'target/dashboard/');
const VIEWS = ['overview', 'events', 'keys', 'sessions', 'revocations', 'explain'];
const ALICE = 'auth0|alice';
/** Its mails come to nobody. */
const ACCOUNTS = {
  secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], registration: 'invitation', mail: { kind: 'webhook', url: 'http://127.0.0.1:9/', secret: 'HOOK_SECRET' },
};

let gate;
/** Without watch, sessions, keys and revocations; it takes three bad secrets from an address. */
let bare;
let browser;

before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const little = policy({ api_keys: undefined, revocation: undefined, limits: undefined, routes: [{ path: '/*', auth: 'none' }], failed_authentication: { requests: 3, window_secs: 600 } });
  [gate, bare, browser] = await Promise.all([
    startGate({ secrets: { ...SECRETS, HOOK_SECRET: `whsec_${'A'.repeat(43)}=` }, policy: sessionPolicy({ accounts: ACCOUNTS, revocation: { mode: 'ledger' }, watch: { rules: [{ name: 'failures', above: 30 }] } }) }),
    startGate({ policy: little }),
    launch(),
  ]);
});
after(async () => {
  await browser?.close();
  await gate?.dispose();
  await bare?.dispose();
});

const addressOf = (of) => `http://127.0.0.1:${of.port()}/auth/admin/dashboard`;

/** Opens the page in a window of its own. Whatever breaks its policy, or is not caught, fails the test. */
async function visit({ of = gate, ...options }, use) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  const complaints = [];
  // Chromium says on the console that a status is one of failure.
  page.on('console', (message) => { if (message.type() !== 'log' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  try {
    await page.goto(addressOf(of));
    await use(page);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

async function signIn(page, secret = SECRETS.ADMIN_TOKEN) {
  await page.getByLabel("The administrator's secret").fill(secret);
  await page.getByRole('button', { name: 'Open' }).click();
}

const opened = (options, use) => visit(options, async (page) => {
  await signIn(page);
  await page.getByRole('navigation').waitFor();
  await use(page);
});

/** The same, with a clock that a test can put forward. */
const clocked = (use) => visit({}, async (page) => {
  await page.clock.install();
  await page.reload();
  await signIn(page);
  await page.locator('.figure').first().waitFor();
  await use(page);
});

/** Another view. The page draws it, and marks its link, once the browser has told it of the new address. */
async function to(page, view) {
  await page.click(`nav a[href="#${view}"]`);
  await page.locator(`nav a[href="#${view}"][aria-current="page"]`).waitFor();
}
const saying = (page, text) => page.locator('.said', { hasText: text }).waitFor();
const dialog = (page) => page.getByRole('dialog');
const confirm = (page, name) => dialog(page).getByRole('button', { name, exact: true }).click();

/** What is told once, and closes only when it is stored. */
async function toldOnce(page, what) {
  const value = await dialog(page).locator('.secret', { hasText: what }).locator('.value').textContent();
  await page.keyboard.press('Escape');
  assert.ok(await dialog(page).isVisible(), 'Escape does not lose it');
  await confirm(page, 'I have stored it');
  await page.locator('dialog').waitFor({ state: 'detached' });
  assert.ok(!(await page.content()).includes(value), 'it is nowhere in the page any more');
  return value;
}

describe('what is sent', () => {
  test('is made of the sources', async () => {
    for (const [name, text] of Object.entries(await dashboardFiles())) {
      assert.ok(readFileSync(path.join(ROOT, 'crates/worker/src', name), 'utf8') === text, `${name}: node www/dashboard/build.mjs`);
    }
    const { page } = await dashboardPage();
    assert.ok(gzipSync(page, { level: 9 }).length <= 40_000, 'at most 40 KB');
  });

  test('is a page for everybody, without data, that nobody keeps or frames', async () => {
    const answer = await gate.get('/auth/admin/dashboard');
    const { page, policy: expected } = await dashboardPage();
    assert.equal(answer.status, 200);
    assert.equal(answer.text, page);
    const { headers } = answer;
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
    assert.equal(headers['content-security-policy'], expected);
    for (const part of ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"]) {
      assert.ok(expected.split('; ').includes(part), part);
    }
    assert.match(expected, /; script-src 'sha256-[^']+'; style-src 'sha256-[^']+';/);
    assert.equal((await gate.request('HEAD', '/auth/admin/dashboard')).headers['content-security-policy'], expected);
    refused(await gate.post('/auth/admin/dashboard', { token: SECRETS.ADMIN_TOKEN }), 'METHOD_NOT_ALLOWED');
    assert.equal((await gate.get('/auth/admin/dashboard/')).status, 200);
  });

  test('is not there without an administrator', async () => {
    const other = await startGate({ policy: policy({ admin: undefined }) });
    try {
      refused(await other.get('/auth/admin/dashboard'), 'NOT_FOUND');
    } finally {
      await other.dispose();
    }
  });

  test('asks below the prefix of the policy', async () => {
    const other = await startGate({ policy: policy({ auth_prefix: '/_gate' }) });
    try {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${other.port()}/_gate/admin/dashboard/`);
      await signIn(page);
      await page.getByText('This policy has no watch', { exact: true }).waitFor();
      await context.close();
    } finally {
      await other.dispose();
    }
  });

  test('runs nothing that gets into it, and makes no markup of text', () => visit({}, async (page) => {
    const made = await page.evaluate(() => {
      const script = document.createElement('script');
      const faults = [];
      for (const act of [() => { script.textContent = 'document.title = "run"'; document.body.append(script); }, () => { document.body.innerHTML += '<p>'; }]) {
        try { act(); } catch (fault) { faults.push(fault.name); }
      }
      return { faults, title: document.title };
    });
    assert.deepEqual(made, { faults: ['TypeError', 'TypeError'], title: 'edgegate' });
  }).catch((error) => {
    // What this test itself has tried is what the console complains of.
    if (!/Trusted|script-src|TrustedHTML/.test(error.message)) throw error;
  }));
});

describe('the secret', () => {
  test('a wrong one opens nothing; one too many has to wait', () => visit({ of: bare, extraHTTPHeaders: { 'CF-Connecting-IP': '192.0.2.7' } }, async (page) => {
    for (let at = 0; at < 3; at += 1) {
      await signIn(page, 'x'.repeat(40));
      await page.getByRole('alert').filter({ hasText: 'The secret is wrong.' }).waitFor();
    }
    await signIn(page);
    await page.getByRole('alert').filter({ hasText: /Too many requests.*Try again in \d+ s\./ }).waitFor();
    assert.equal(await page.getByRole('navigation').count(), 0);
  }));

  test('one that no header can have is not sent', () => visit({}, async (page) => {
    await signIn(page, 'pässword');
    await page.getByRole('alert').filter({ hasText: 'That is no secret of a gate.' }).waitFor();
  }));

  test('is in no storage, cookie, address or element, and is forgotten', () => clocked(async (page) => {
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.documentElement.outerHTML,
      [...document.querySelectorAll('input')].map(({ value }) => value)]));
    assert.ok(!kept.includes(SECRETS.ADMIN_TOKEN));
    await page.getByRole('button', { name: 'Lock' }).click();
    assert.equal(await page.getByLabel("The administrator's secret").inputValue(), '');
    assert.equal(await page.getByRole('navigation').count(), 0);
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.clock.runFor(60_000);
    assert.deepEqual(asked, [], 'nothing is asked behind the lock');
  }));

  test('is forgotten after half an hour without anybody, unless it may stay', async () => {
    for (const stays of [false, true]) {
      await visit({}, async (page) => {
        await page.clock.install();
        await page.reload();
        if (stays) await page.getByLabel(/Stay open/).check();
        await signIn(page);
        await page.getByRole('navigation').waitFor();
        await page.clock.fastForward(31 * 60 * 1000);
        if (stays) assert.ok(await page.getByRole('navigation').isVisible());
        else await page.getByRole('alert').filter({ hasText: 'half an hour' }).waitFor();
      });
    }
  });

  test('is forgotten once the gate takes it no more', () => opened({}, async (page) => {
    await page.route('**/auth/admin/**', (route) => route.fulfill({ status: 401, json: { error: 'Invalid token', code: 'INVALID_TOKEN', hint: '' } }));
    // The view is gone as soon as it is there.
    await page.click('nav a[href="#keys"]');
    await page.getByRole('alert').filter({ hasText: 'The gate takes the secret no more.' }).waitFor();
  }));

  test('an answer that comes late locks nobody out who has signed in since', () => opened({}, async (page) => {
    let answer;
    await page.route('**/auth/admin/keys?*', (route) => { answer = () => route.fulfill({ status: 401, json: { error: 'Invalid token', code: 'INVALID_TOKEN', hint: '' } }); });
    await to(page, 'keys');
    while (!answer) await page.waitForTimeout(50);
    await page.getByRole('button', { name: 'Lock' }).click();
    await page.evaluate(() => { location.hash = '#constructor'; });
    await signIn(page);
    await page.locator('.figure').first().waitFor();
    await answer();
    await page.waitForTimeout(300);
    assert.ok(await page.getByRole('navigation').isVisible());
    assert.equal(await page.locator('nav [aria-current]').textContent(), 'Overview', 'an address that is no view is the first one');
  }));

  test('goes to the gate alone, as Authorization', () => opened({}, async (page) => {
    const asked = [];
    page.on('request', (request) => asked.push(request));
    for (const view of VIEWS) await to(page, view);
    await page.getByText('Why would this request be refused?').waitFor();
    const { origin } = new URL(addressOf(gate));
    assert.ok(asked.length >= 2);
    for (const request of asked) {
      assert.ok(request.url().startsWith(`${origin}/auth/`), request.url());
      assert.ok(!request.url().includes(SECRETS.ADMIN_TOKEN));
      assert.equal((await request.allHeaders()).authorization, `Bearer ${SECRETS.ADMIN_TOKEN}`);
    }
  }));
});

describe('the overview', () => {
  test('its numbers move with the requests of others, success and failure first', () => opened({}, async (page) => {
    const figures = async () => {
      const texts = await page.locator('.figure').allTextContents();
      return texts.slice(0, 2).map((text) => [/^[A-Z][a-z]+/.exec(text)[0], Number(/([\d,]+) requests/.exec(text)[1].replace(',', ''))]);
    };
    await page.locator('.figure').first().waitFor();
    const before = await figures();
    for (let at = 0; at < 7; at += 1) admitted(await gate.get('/v1/posts', { token: token({ scope: 'read:posts' }) }));
    for (let at = 0; at < 40; at += 1) refused(await gate.get('/v1/posts', { token: 'a.b.c', ip: '203.0.113.9' }), 'INVALID_TOKEN');
    refused(await gate.get('/v1/posts', { token: token({ exp: 1_700_000_000 }) }), 'TOKEN_EXPIRED');
    await page.waitForFunction((least) => Number(/([\d,]+) requests/.exec(document.querySelectorAll('.figure')[1].textContent)[1]) >= least, before[1][1] + 41, { timeout: 20_000 });
    const now = await figures();
    assert.deepEqual(now.map(([name]) => name), ['Admitted', 'Refused']);
    assert.equal(now[0][1] - before[0][1], 7);
    // The alert fires, and everything says so in words.
    await page.locator('.verdict', { hasText: 'Firing since' }).waitFor();
    assert.equal(await page.locator('.chip').textContent(), '1 firing');
    assert.match(await page.title(), /^\(!\) 1 firing/);
    assert.match(await page.getByRole('table', { name: 'Alerts' }).getByRole('row', { name: /^failures/ }).textContent(), /firing/);
    // A code opens to its reasons.
    await page.getByText('INVALID_TOKEN', { exact: true }).first().click();
    await page.getByText('malformed_token', { exact: true }).first().waitFor();
    assert.match(await page.getByRole('table', { name: 'Networks with failed credentials' }).textContent(), /203\.0\.113\.0\/24/);
    assert.match(await page.getByRole('table', { name: 'Expired tokens' }).textContent(), /not renewed at all1/);
    assert.match(await page.getByRole('table', { name: 'Stores' }).textContent(), /ledgerok/);
  }));

  test('the chart is read by the arrow keys, and is a table too', () => opened({}, async (page) => {
    admitted(await gate.get('/v1/posts', { token: token({ scope: 'read:posts' }) }));
    const chart = page.getByRole('slider', { name: /Requests over time/ });
    await chart.focus();
    await page.keyboard.press('End');
    const last = Number(await chart.getAttribute('aria-valuenow'));
    assert.match(await chart.getAttribute('aria-valuetext'), /^\d\d:\d\d:\d\d, 10 s: [\d,]+ admitted, [\d,]+ refused$/);
    await page.keyboard.press('ArrowLeft');
    assert.equal(Number(await chart.getAttribute('aria-valuenow')), last - 1);
    await page.keyboard.press('Home');
    assert.equal(await chart.getAttribute('aria-valuenow'), '0');
    await page.getByText('As a table').click();
    const rows = page.getByRole('region', { name: 'Requests over time, as a table' }).getByRole('row');
    await rows.nth(1).waitFor();
  }));

  test('another window is another report; a pause asks no more', () => clocked(async (page) => {
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url()).search));
    await page.getByText('24 h', { exact: true }).click();
    await page.getByText('A column is 1 h').waitFor();
    assert.ok(asked.includes('?window=24h'));
    await page.getByText('15 min', { exact: true }).click();
    await page.getByText('A column is 10 s').waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    asked.length = 0;
    await page.clock.runFor(60_000);
    assert.deepEqual(asked, []);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.waitForRequest(/admin\/watch/);
  }));

  test('what has not changed is not drawn again under who reads it', () => opened({}, async (page) => {
    const stores = page.getByRole('table', { name: 'Stores' });
    await stores.evaluate((table) => { table.dataset.mine = 'yes'; });
    await page.waitForResponse(/admin\/watch/);
    await page.waitForTimeout(200);
    assert.equal(await stores.getAttribute('data-mine'), 'yes');
  }));

  test('who looks does not fill what is looked at', () => opened({}, async (page) => {
    await page.waitForResponse(/admin\/watch/);
    const { events } = (await gate.admin('GET', '/watch')).json();
    assert.ok(!events.some(({ route }) => route?.endsWith('/admin/watch')), 'reading the watch is no event of it');
  }));

  test('a gate that is away is said to be, and comes back', () => opened({}, async (page) => {
    await page.route('**/auth/**', (route) => route.abort());
    await page.locator('.chip', { hasText: 'No answer' }).waitFor({ timeout: 20_000 });
    await page.locator('.verdict', { hasText: 'The gate does not answer' }).waitFor();
    assert.ok(await page.locator('.figure').first().isVisible(), 'what was known stays');
    await page.unroute('**/auth/**');
    await page.locator('.chip', { hasText: /firing|All well/ }).waitFor({ timeout: 30_000 });
  }));

  test('an unwell store is told', () => opened({}, async (page) => {
    await page.route('**/auth/health', (route) => route.fulfill({ json: { status: 'degraded', version: '0.1.0', bindings: { kv: 'ok', ledger: 'failing' } } }));
    await page.getByRole('button', { name: 'Lock' }).click();
    await signIn(page);
    await page.getByText(/ledger is failing/).first().waitFor();
    assert.match(await page.getByRole('table', { name: 'Stores' }).textContent(), /ledgerfailing/);
  }));
});

test('events: who was refused and why, by a filter, and on to an explanation', () => opened({}, async (page) => {
  const bearer = token({ sub: 'subject-7f3a', scope: '' });
  refused(await gate.get('/v1/posts', { token: bearer }), 'INSUFFICIENT_SCOPE', { scope: 'read:posts' });
  await to(page, 'events');
  await page.getByLabel('With the text').fill('INSUFFICIENT');
  const row = page.getByRole('row', { name: /INSUFFICIENT_SCOPE/ }).first();
  await row.waitFor({ timeout: 20_000 });
  assert.match(await row.textContent(), /GET \/v1\/posts/);
  assert.ok(!(await page.content()).includes('subject-7f3a'), 'nobody is named');
  await row.getByRole('button', { name: /^Explain/ }).click();
  assert.equal(await page.getByLabel('Path').inputValue(), '/v1/posts');
  await page.getByLabel('Headers').fill(`Authorization: Bearer ${bearer}`);
  await page.getByRole('button', { name: 'Explain', exact: true }).click();
  await page.getByText('It would be refused: 403 INSUFFICIENT_SCOPE').waitFor();
  assert.match(await page.getByRole('table', { name: 'Steps' }).textContent(), /scopesrefused/);
}));

describe('keys', () => {
  test('one that is being minted is not lost by Escape', () => opened({}, async (page) => {
    await to(page, 'keys');
    await page.getByRole('button', { name: 'New key' }).click();
    await dialog(page).getByLabel('Name').fill('Slow');
    await dialog(page).getByLabel('Owner').fill('slow');
    await page.route('**/auth/admin/keys', async (route) => {
      await new Promise((resolve) => { setTimeout(resolve, 1000); });
      await route.continue();
    });
    await confirm(page, 'Mint the key');
    for (let at = 0; at < 3; at += 1) await page.keyboard.press('Escape');
    assert.match(await toldOnce(page, 'The key'), /^sk_test_/);
  }));

  const row = (page, name) => page.getByRole('table', { name: 'API keys' }).getByRole('row', { name: new RegExp(name) });

  test('are minted, seen once, found, changed, disabled, rotated and revoked', () => opened({}, async (page) => {
    await to(page, 'keys');
    await page.getByRole('button', { name: 'New key' }).click();
    await dialog(page).getByLabel('Name').fill('Billing');
    await dialog(page).getByLabel('Owner').fill('acme');
    await dialog(page).getByLabel('Scopes').fill('read:posts, write:posts');
    await dialog(page).getByLabel(/Expires in/).fill('soon');
    await confirm(page, 'Mint the key');
    assert.ok(await dialog(page).isVisible(), 'a time that is none is not sent');
    await dialog(page).getByLabel(/Expires in/).fill('90d');
    await dialog(page).getByLabel(/Only from/).fill('not-a-network');
    await confirm(page, 'Mint the key');
    await dialog(page).getByRole('alert').filter({ hasText: /ips/ }).waitFor();
    await dialog(page).getByLabel(/Only from/).fill('');
    await confirm(page, 'Mint the key');
    const key = await toldOnce(page, 'The key');
    admitted(await gate.get('/v1/posts', { key }), { subject: 'acme' });
    const id = (await gate.admin('GET', '/keys?owner=acme')).json().keys[0].id;

    // Found by its owner and by its id; a key itself goes into no address.
    await gate.mint({ name: 'Other', owner: 'other' });
    await page.getByLabel('Owner or id').fill('acme');
    await page.getByRole('button', { name: 'Find' }).click();
    await row(page, 'Billing').waitFor();
    await row(page, 'Other').waitFor({ state: 'detached' });
    await page.getByLabel('Owner or id').fill(key);
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByRole('alert').filter({ hasText: 'That looks like a key itself.' }).waitFor();
    await page.getByLabel('Owner or id').fill(id);
    await page.getByRole('button', { name: 'Find' }).click();
    await row(page, 'Billing').waitFor();

    await page.getByRole('button', { name: 'Change Billing' }).click();
    await dialog(page).getByLabel('Scopes').fill('read:posts');
    await dialog(page).getByLabel('Name').fill('Invoices');
    await confirm(page, 'Change');
    await saying(page, '“Invoices” is changed.');
    assert.deepEqual((await gate.admin('GET', `/keys/${id}`)).json().scopes, ['read:posts']);

    await page.getByRole('button', { name: 'Disable Invoices' }).click();
    await row(page, 'disabled').waitFor();
    assert.equal((await gate.admin('GET', `/keys/${id}`)).json().disabled, true);
    await page.getByRole('button', { name: 'Enable Invoices' }).click();
    await row(page, 'active').waitFor();

    await page.getByRole('button', { name: 'Show Invoices' }).click();
    assert.match(await dialog(page).textContent(), /Prefixsk/);
    await confirm(page, 'Done');

    await page.getByRole('button', { name: 'Rotate Invoices' }).click();
    await dialog(page).getByLabel(/The old key goes on for/).fill('1h');
    await confirm(page, 'Rotate');
    const rotated = await toldOnce(page, 'The key');
    admitted(await gate.get('/v1/posts', { key: rotated }), { subject: 'acme' });
    await row(page, 'replaced').waitFor();

    const fresh = (await gate.admin('GET', '/keys?owner=acme')).json().keys.find(({ replaces }) => replaces === id);
    await row(page, fresh.id).getByRole('button', { name: /^Revoke/ }).click();
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel', 'Enter alone revokes nothing');
    await confirm(page, 'Revoke for good');
    await row(page, 'revoked').waitFor();
    refused(await gate.get('/v1/posts', { key: rotated }), 'API_KEY_REVOKED');
  }));

  test("a name with markup is text", () => opened({}, async (page) => {
    const name = '<script>document.title="run"</script><img src=x onerror=alert(1)>';
    await gate.mint({ name, owner: '<b>x</b>' });
    await to(page, 'keys');
    await row(page, 'onerror').waitFor();
    assert.equal(await page.locator('main script, main img, main b').count(), 0);
    assert.ok(await page.getByText(name).isVisible());
    await row(page, 'onerror').getByRole('button', { name: /^Show/ }).click();
    assert.equal(await dialog(page).getByRole('heading').textContent(), name);
    assert.doesNotMatch(await page.title(), /run/);
  }));

  test('many are read page by page', () => opened({}, async (page) => {
    for (let at = 0; at < 52; at += 1) await gate.mint({ name: `n${at}`, owner: 'many' });
    await to(page, 'keys');
    await page.getByLabel('Owner or id').fill('many');
    await page.getByRole('button', { name: 'Find' }).click();
    const rows = page.getByRole('table', { name: 'API keys' }).locator('tbody tr');
    // The list of all keys goes.
    await rows.filter({ hasNotText: 'many' }).first().waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'More' }).waitFor();
    assert.equal(await rows.count(), 50);
    await page.getByRole('button', { name: 'More' }).click();
    await rows.nth(51).waitFor();
    assert.equal(await page.getByRole('button', { name: 'More' }).count(), 0);
  }));
});

test('sessions are opened, listed, narrowed and ended; a subject is disabled, enabled and forgotten', () => opened({}, async (page) => {
  await to(page, 'sessions');
  await page.getByRole('button', { name: 'Open a session' }).click();
  await dialog(page).getByLabel('Subject').fill(ALICE);
  await dialog(page).getByLabel('Scopes').fill('read:posts write:posts');
  await dialog(page).getByLabel('Label').fill('Laptop');
  await confirm(page, 'Open');
  const access = await toldOnce(page, 'Access token');
  admitted(await gate.get('/v1/posts', { token: access }), { subject: ALICE });
  const table = page.getByRole('table', { name: `Sessions of ${ALICE}` });
  await table.getByRole('row', { name: /Laptop/ }).waitFor();

  await page.getByRole('button', { name: 'Narrow the session Laptop' }).click();
  await dialog(page).getByLabel('Scopes that are left').fill('read:posts');
  await confirm(page, 'Narrow');
  await saying(page, 'The session is narrowed.');
  assert.deepEqual((await gate.admin('GET', `/sessions?subject=${encodeURIComponent(ALICE)}`)).json().sessions[0].scopes, ['read:posts']);

  const other = (await gate.admin('POST', '/sessions', { subject: ALICE, scopes: ['read:posts'], label: 'Phone' })).json();
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByRole('button', { name: 'End the session Laptop' }).click();
  await confirm(page, 'End the session');
  await saying(page, 'The session has ended.');
  refused(await gate.get('/v1/posts', { token: access }), 'TOKEN_REVOKED');
  admitted(await gate.get('/v1/posts', { token: other.access_token }));

  await page.getByRole('button', { name: 'End all sessions' }).click();
  await confirm(page, 'End all');
  await saying(page, 'logged out everywhere');
  await page.getByText(`${ALICE} has no session.`).waitFor();
  refused(await gate.get('/v1/posts', { token: other.access_token }), 'TOKEN_REVOKED');

  for (const [act, submit, said] of [['Disable the subject', 'Disable', 'is disabled.'], ['Enable the subject', 'Enable', 'is enabled.'], ['Forget the subject', 'Forget for good', 'is forgotten.']]) {
    await page.getByRole('button', { name: act }).click();
    await confirm(page, submit);
    await saying(page, said);
    if (submit === 'Disable') refused(await gate.admin('POST', '/sessions', { subject: ALICE }), 'NOT_ALLOWED');
  }
}));

test('accounts are made, invited, found, changed and deleted', () => opened({}, async (page) => {
  const email = 'ada@example.com';
  const urls = [];
  page.on('request', (request) => urls.push(request.url()));
  const logIn = async (password) => (await gate.post('/auth/login', { body: { email, password } })).status;
  await to(page, 'accounts');
  await page.getByLabel('Email').fill(email);
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByText(`Nobody has the address ${email}.`).waitFor();
  assert.ok(urls.some((url) => url.endsWith('/admin/accounts/find')), urls.join(' '));
  await page.getByRole('button', { name: 'New account' }).click();
  assert.equal(await dialog(page).getByLabel('Email').inputValue(), email);
  await dialog(page).getByLabel('Password').fill('password1');
  await confirm(page, 'Make the account');
  await dialog(page).getByRole('alert').waitFor();
  await dialog(page).getByLabel('Password').fill('quiet river, late boat');
  await dialog(page).getByLabel('Scopes').fill('write:posts');
  await confirm(page, 'Make the account');
  await saying(page, `${email} has an account.`);
  const row = page.getByRole('table', { name: `Account of ${email}` }).getByRole('row', { name: /write:posts/ });
  assert.match(await row.textContent(), /good/);
  assert.equal(await logIn('quiet river, late boat'), 200);

  assert.deepEqual(urls.filter((url) => /ada(@|%40)/.test(url)), [], 'URLs are in the logs of whoever carries them');

  await page.getByRole('button', { name: 'Disable' }).click();
  await confirm(page, 'Disable');
  await saying(page, 'is disabled');
  assert.equal(await logIn('quiet river, late boat'), 403);
  await page.getByRole('button', { name: 'Enable' }).click();
  await confirm(page, 'Enable');
  await saying(page, 'is enabled');
  await page.getByRole('button', { name: 'Set password' }).click();
  await dialog(page).getByLabel('Password').fill('another river, later boat');
  await confirm(page, 'Set the password');
  await saying(page, 'has a new password');
  assert.equal(await logIn('another river, later boat'), 200);
  assert.equal(await page.getByRole('button', { name: 'Drop factors' }).count(), 0, 'it has none');
  await page.getByRole('button', { name: 'Require reset' }).click();
  await confirm(page, 'Require a reset');
  await saying(page, 'has to set a new password');
  await page.getByText('waits for a new password').waitFor();
  assert.equal(await logIn('another river, later boat'), 403);
  await page.getByRole('button', { name: 'Scopes' }).click();
  await dialog(page).getByLabel('Scopes').fill('read:posts');
  await confirm(page, 'Set the scopes');
  await saying(page, 'has other scopes');
  await page.getByRole('button', { name: 'Delete' }).click();
  await confirm(page, 'Delete for good');
  await saying(page, 'is deleted');
  await page.getByText(`Nobody has the address ${email}.`).waitFor();

  await page.getByRole('button', { name: 'Invite' }).click();
  await dialog(page).getByLabel('Email').fill('eve@example.com');
  await confirm(page, 'Send the link');
  await saying(page, 'eve@example.com is invited.');
  await page.getByRole('table').getByText('invited').waitFor();
}));

test('what administration did is read', () => opened({}, async (page) => {
  await gate.admin('POST', '/keys', { name: 'Of the audit', owner: 'acme', scopes: [] });
  await to(page, 'audit');
  const table = page.getByRole('table', { name: 'Audit' });
  await table.waitFor();
  for (let more = 1; more > 0;) {
    await page.locator('section[aria-busy]').waitFor({ state: 'detached' });
    more = await page.getByRole('button', { name: 'More' }).count();
    if (more > 0) await page.getByRole('button', { name: 'More' }).click();
  }
  assert.match(await table.getByRole('row').last().textContent(), /admin.*POST \/keys/);
}));

test('revocations: something more, seen in the list, and undone', () => opened({}, async (page) => {
  const bearer = token({ sub: 'mallory', scope: 'read:posts', iat: Math.floor(Date.now() / 1000) - 60 });
  admitted(await gate.get('/v1/posts', { token: bearer }));
  await to(page, 'revocations');
  await page.getByRole('button', { name: 'Revoke' }).click();
  await dialog(page).getByLabel('What').selectOption('sub');
  await dialog(page).getByLabel('Issuer').fill(ISSUER);
  await dialog(page).getByLabel('sub', { exact: true }).fill('mallory');
  await dialog(page).getByLabel(/Reason/).fill('left');
  await confirm(page, 'Revoke');
  await saying(page, 'Revoked: mallory');
  refused(await gate.get('/v1/posts', { token: bearer }), 'TOKEN_REVOKED');
  const row = page.getByRole('table', { name: 'Revocations' }).getByRole('row', { name: /mallory/ });
  assert.match(await row.textContent(), /subject.*left/);
  await row.getByRole('button', { name: /^Undo/ }).click();
  await confirm(page, 'Undo');
  await saying(page, 'Undone: mallory');
  await row.waitFor({ state: 'detached' });
  admitted(await gate.get('/v1/posts', { token: bearer }));
}));

test('what the policy does not have is said, with the lines that would bring it', async () => {
  const without = policy({ api_keys: undefined, revocation: undefined, limits: undefined, routes: [{ path: '/*', auth: 'none' }] });
  const empty = await startGate({ policy: without });
  const lines = [];
  try {
    await opened({ of: empty }, async (page) => {
      lines.push(await page.locator('.missing pre', { hasText: '[vars.POLICY.watch]' }).textContent());
      assert.match(await page.locator('.verdict').textContent(), /This policy has no watch/);
      for (const [view, line] of [['keys', '[vars.POLICY.api_keys]'], ['sessions', '[vars.POLICY.sessions]'], ['accounts', '[vars.POLICY.accounts]'], ['revocations', '[vars.POLICY.revocation]']]) {
        await to(page, view);
        if (view === 'sessions' || view === 'accounts') {
          await page.getByLabel(view === 'sessions' ? 'Subject' : 'Email').fill('x@example.com');
          await page.getByRole('button', { name: 'Find' }).click();
        }
        lines.push(await page.locator('.missing pre', { hasText: line }).textContent());
      }
    });
    // They are lines that a gate takes.
    const brought = await startGate({ policy: { ...without, ...parse(lines.join('\n')).vars.POLICY } });
    try {
      assert.equal((await brought.get('/auth/health')).json().status, 'ok');
      for (const part of ['watch', 'keys', 'sessions?subject=x', 'revocations']) assert.equal((await brought.admin('GET', `/${part}`)).status, 200, part);
    } finally {
      await brought.dispose();
    }
  } finally {
    await empty.dispose();
  }
});

test('everything is done by keyboard, and the focus is seen and comes back', () => visit({}, async (page) => {
  await page.keyboard.type(SECRETS.ADMIN_TOKEN);
  await page.keyboard.press('Enter');
  await page.getByRole('navigation').waitFor();
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  const reach = async (text) => {
    for (let step = 0; step < 60; step += 1) {
      if (await focused() === text) return;
      await page.keyboard.press('Tab');
      assert.notEqual(await page.evaluate(() => globalThis.getComputedStyle(document.activeElement).outlineStyle), 'none', await focused());
    }
    assert.fail(`${text} was not reached`);
  };
  await page.evaluate(() => document.querySelector('.skip').focus());
  await reach('API keys');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'New key' }).waitFor();
  await reach('New key');
  await page.keyboard.press('Enter');
  await page.keyboard.type('By keyboard');
  await page.keyboard.press('Tab');
  await page.keyboard.type('keyboard-owner');
  await page.keyboard.press('Enter');
  await dialog(page).getByText('I have stored it').waitFor();
  assert.equal(await focused(), 'I have stored it');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await focused(), 'New key', 'the focus is where it was');
  await reach('Revoke');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('dialog').count(), 0);
  assert.equal(await focused(), 'Revoke');
}));

describe('is accessible, and fits', () => {
  const looks = [
    ['light', 1440], ['light', 768], ['light', 390], ['dark', 1440], ['dark', 390], ['light', 320],
  ].map(([colorScheme, width]) => ({ colorScheme, width, forcedColors: 'none' }));
  for (const { colorScheme, width, forcedColors } of [...looks, { colorScheme: 'dark', width: 1440, forcedColors: 'active' }]) {
    test(`${colorScheme}, ${width} px${forcedColors === 'active' ? ', forced colours' : ''}`, { timeout: 180_000 }, async () => {
      const long = 'x'.repeat(90);
      await gate.mint({ name: `long ${long}`, owner: long, scopes: [`read:${long}`] });
      await gate.admin('POST', '/sessions', { subject: ALICE, scopes: ['read:posts'], label: 'Laptop' });
      refused(await gate.get('/v1/posts', { token: 'a.b.c' }), 'INVALID_TOKEN');
      // Its own policy forbids the script of this test too.
      await visit({ colorScheme, forcedColors, viewport: { width, height: 900 }, bypassCSP: true }, async (page) => {
        const look = async (name) => {
          await page.evaluate(AXE);
          const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
          assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], name);
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, `${name}: nothing runs out of the page`);
          const small = await page.locator('button:visible, nav a, .choice label, summary:visible').evaluateAll((all) => all.filter((one) => {
            const { width: wide, height } = one.getBoundingClientRect();
            return wide < 24 || height < 24;
          }).map((one) => one.outerHTML));
          assert.deepEqual(small, [], `${name}: fingers reach everything (WCAG 2.2, 2.5.8)`);
          await page.screenshot({ path: path.join(SCREENSHOTS, `${name}-${colorScheme}-${width}${forcedColors === 'active' ? '-forced' : ''}.png`), fullPage: true });
        };
        await look('sign-in');
        await signIn(page, 'wrong');
        await page.getByRole('alert').waitFor();
        await look('wrong-secret');
        await signIn(page);
        await page.locator('.figure').first().waitFor();
        await page.getByText('INVALID_TOKEN', { exact: true }).first().click();
        await page.getByText('As a table').click();
        await look('overview');
        await to(page, 'events');
        await page.getByRole('table').waitFor();
        await look('events');
        await to(page, 'keys');
        await page.getByRole('table').waitFor();
        await look('keys');
        await page.getByRole('button', { name: 'New key' }).click();
        await look('new-key');
        await dialog(page).getByLabel('Name').fill('Billing');
        await dialog(page).getByLabel('Owner').fill('acme');
        await confirm(page, 'Mint the key');
        await dialog(page).getByText('The key', { exact: true }).waitFor();
        await look('minted');
        await confirm(page, 'I have stored it');
        await to(page, 'sessions');
        await page.getByLabel('Subject').fill(ALICE);
        await page.getByRole('button', { name: 'Find' }).click();
        await page.getByRole('table').waitFor();
        await look('sessions');
        await page.getByRole('button', { name: 'End all sessions' }).click();
        await look('sure');
        await page.keyboard.press('Escape');
        await to(page, 'accounts');
        await page.getByLabel('Email').fill('somebody@example.com');
        await page.getByRole('button', { name: 'Find' }).click();
        await page.locator('.none, table').first().waitFor();
        await look('accounts');
        await to(page, 'audit');
        await page.getByRole('table').waitFor();
        await look('audit');
        await to(page, 'revocations');
        await page.locator('.none, table').first().waitFor();
        await look('revocations');
        await to(page, 'explain');
        await page.getByRole('button', { name: 'Explain', exact: true }).click();
        await page.getByRole('table').waitFor();
        await look('explain');
      });
    });
  }

  test('who wants no motion gets none', () => opened({}, async (page) => {
    const moving = await page.locator('*').evaluateAll((all) => all.filter((one) => {
      const { transitionDuration, animationName } = globalThis.getComputedStyle(one);
      return transitionDuration !== '0s' || animationName !== 'none';
    }).length);
    assert.equal(moving, 0);
  }));
});
