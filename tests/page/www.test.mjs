// The page in www/, as a person uses it: in Chromium, by keyboard, without a network.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { serve } from '../../www/serve.mjs';
import { nowSecs, signAsymmetric, signHmac } from '../worker/token.mjs';
import { launch, withPage } from '../browser/chromium.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Pictures of the page, to be looked at. */
const SCREENSHOTS = fileURLToPath(new URL('../../target/www/', import.meta.url));

let browser;
let server;
let url;

before(async () => {
  [browser, server] = await Promise.all([launch(), serve()]);
  url = `http://127.0.0.1:${server.address().port}/www/`;
  mkdirSync(SCREENSHOTS, { recursive: true });
});
after(async () => {
  server?.closeAllConnections();
  server?.close();
  await browser?.close();
});

const onPage = (use) => withPage(browser, url, async (page) => {
  await page.waitForSelector('html[data-state=ready]');
  return use(page);
});
const onTab = (tab, use) => onPage(async (page) => {
  await page.click(`#tab-${tab}`);
  return use(page);
});

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' });
const claims = (changes = {}) => ({ iss: 'https://issuer.test/', aud: 'api', sub: 'alice', exp: nowSecs() + 3600, ...changes });
const SECRET = 'a secret of more than thirty-two bytes';

async function check(page, { token, key = '', issuer = '', audience = '' }) {
  for (const [id, value] of Object.entries({ token, key, issuer, audience })) await page.fill(`#${id}`, value);
  await page.evaluate(() => { document.getElementById('verdict').textContent = ''; });
  await page.click('#token-form button[type=submit]');
  await page.waitForFunction(() => document.getElementById('verdict').textContent !== '');
  const rows = page.locator('#checks tbody tr');
  const states = Object.fromEntries(await rows.evaluateAll((all) => all.map((row) => [row.dataset.check, row.dataset.state])));
  return { verdict: await page.textContent('#verdict'), states, row: (name) => page.textContent(`#checks tr[data-check="${name}"]`) };
}

describe('at first sight', () => {
  test('it says what edgegate is and where to read on', () => onPage(async (page) => {
    assert.match(await page.textContent('header'), /Cloudflare Worker.*npm package.*Rust crate/s);
    assert.equal(await page.textContent('#install'), 'npm install edgegate');
    const links = await page.locator('nav a, footer a').evaluateAll((all) => all.map(({ href }) => href));
    assert.ok(links.length >= 3);
    for (const link of links) assert.equal((await fetch(link)).status, 200, link);
  }));

  test('an example is there, with its verdict', () => onPage(async (page) => {
    assert.match(await page.textContent('#verdict'), /This token is good/);
    assert.match(await page.textContent('#claims'), /"sub": "alice"/);
  }));

  test('each tool has an address of its own', async () => {
    for (const tab of ['token', 'request', 'key', 'speed']) {
      await withPage(browser, `${url}#${tab}`, async (page) => {
        assert.deepEqual(await page.locator('[role=tabpanel]:visible').evaluateAll((all) => all.map(({ id }) => id)), [`panel-${tab}`]);
      });
    }
  });

  test('on a phone it is short, and the verdict comes into sight', async () => {
    const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    try {
      await page.goto(url);
      await page.waitForSelector('html[data-state=ready]');
      assert.ok(await page.evaluate(() => document.documentElement.scrollHeight) < 2200);
      await page.click('#token-form button[type=submit]');
      await page.waitForFunction(() => {
        const { top, bottom } = document.getElementById('verdict').getBoundingClientRect();
        return top >= 0 && bottom <= window.innerHeight;
      });
    } finally {
      await page.close();
    }
  });
});

describe('a token', () => {
  test('is read while it is typed, in colours', () => onPage(async (page) => {
    await page.click('#clear');
    await page.fill('#token', `Bearer ${signHmac(claims({ sub: 'typed' }), { secret: SECRET })}`);
    await page.waitForFunction(() => document.getElementById('claims').textContent.includes('"typed"'));
    const inks = await page.locator('#token-ink .part').evaluateAll((all) => all.map((part) => [part.className, getComputedStyle(part).color]));
    assert.deepEqual(inks.map(([name]) => name), ['part header', 'part claims', 'part signature']);
    assert.equal(new Set(inks.map(([, color]) => color)).size, 3);
    assert.equal(await page.locator('#claims .name').count(), 4);
    const [box, ink] = await page.locator('#token, .ink').evaluateAll((all) => all.map((one) => one.clientHeight));
    assert.equal(box, ink, 'nothing of it is cut off');
  }));

  test('can be copied in parts', async () => {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    try {
      const page = await context.newPage();
      await page.goto(url);
      await page.waitForSelector('html[data-state=ready]');
      await page.click('button[aria-label="Copy the header"]');
      await page.waitForFunction(() => document.querySelector('button[aria-label="Copy the header"]').textContent === 'Copied');
      assert.equal(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())).alg, 'ES256');
    } finally {
      await context.close();
    }
  });

  test('that is good: its contents, each check, and the time left', () => onPage(async (page) => {
    await page.click('#example');
    await page.waitForSelector('.verdict.good');
    assert.match(await page.textContent('#verdict'), /This token is good/);
    assert.match(await page.textContent('#header'), /"alg": "ES256"/);
    assert.match(await page.textContent('#claims'), /"exp": \d+, {3}\/\/ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
    const marks = await page.locator('#checks .mark').allTextContents();
    assert.deepEqual(marks, Array(8).fill('✓ holds'));
    const left = () => page.textContent('#checks tr[data-check=Expiry] td:last-child');
    const first = await left();
    assert.match(first, /^(10 min|9 min \d+ s) left$/);
    await page.waitForFunction((before) => document.querySelector('#checks tr[data-check=Expiry] td:last-child').textContent !== before, first);
    await page.screenshot({ path: path.join(SCREENSHOTS, 'token.png'), fullPage: true });
  }));

  test('with several faults: each is told', () => onPage(async (page) => {
    const token = signAsymmetric(claims({ exp: nowSecs() - 60 }), { key: rsa.privateKey, alg: 'RS256' });
    const { verdict, states, row } = await check(page, { token, key: pem, issuer: 'https://another.test/', audience: 'other' });
    assert.match(verdict, /Genuine, but refused.*issuer, audience, expiry/);
    assert.deepEqual(states, { Form: 'good', Issuer: 'bad', Key: 'good', Algorithm: 'good', Signature: 'good', Audience: 'bad', Expiry: 'bad', Start: 'good' });
    assert.match(await row('Expiry'), /expired/);
  }));

  test('that is forged is refused at its signature, and shown as what anybody could have written', () => onPage(async (page) => {
    const token = signAsymmetric(claims(), { key: rsa.privateKey, alg: 'RS256' });
    const [header, , signature] = token.split('.');
    const forged = `${header}.${Buffer.from(JSON.stringify(claims({ sub: 'mallory' }))).toString('base64url')}.${signature}`;
    const { verdict, states } = await check(page, { token: forged, key: pem });
    assert.match(verdict, /Refused.*signature.*Anybody could have written/);
    assert.equal(states.Signature, 'bad');
    assert.equal(states.Expiry, 'open');
    assert.ok(await page.locator('#contents.untrusted').isVisible());
  }));

  for (const [what, given, expected] of [
    ['the public key used as an HMAC secret', () => ({ token: signHmac(claims(), { secret: pem }), key: pem }), /Refused.*(key|algorithm)|cannot be used/],
    ['alg none', () => ({ token: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims())).toString('base64url')}.`, key: pem }), /Refused/],
    ['no token at all', () => ({ token: 'hello', key: pem }), /Refused.*form/],
    ['markup in it', () => ({ token: '<img src=x onerror=alert(1)>', key: '' }), /Refused.*form/],
    ['a short secret', () => ({ token: signHmac(claims(), { secret: SECRET }), key: 'short' }), /key cannot be used.*32/],
    ['a private key', () => ({ token: signHmac(claims(), { secret: SECRET }), key: rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }) }), /key cannot be used/],
    ['broken JSON as key', () => ({ token: signHmac(claims(), { secret: SECRET }), key: '{"kty":' }), /key cannot be used.*JSON/],
  ]) {
    test(`with ${what} is refused with a reason`, () => onPage(async (page) => {
      const { verdict } = await check(page, given());
      assert.match(verdict, expected);
      assert.equal(await page.locator('main img').count(), 0, 'nothing pasted becomes markup');
    }));
  }

  test('without a key is read and said to be unverified', () => onPage(async (page) => {
    const { verdict, states } = await check(page, { token: `Bearer ${signHmac(claims(), { secret: SECRET })}` });
    assert.match(verdict, /Not verified/);
    assert.deepEqual(Object.values(states), ['good', ...Array(7).fill('open')]);
  }));

  test('without a key: whether it has expired, and what else is against it', () => onPage(async (page) => {
    const token = signHmac(claims({ exp: 1516242622 }), { secret: SECRET });
    const expired = await check(page, { token, audience: 'other' });
    assert.match(expired.verdict, /^Not verified; expired since 2018-01-18 02:30:22 UTC \(\d+ d \d+ h ago\).*It would be refused by: audience/);
    assert.deepEqual(expired.states, { Form: 'good', Issuer: 'open', Key: 'open', Algorithm: 'open', Signature: 'open', Audience: 'bad', Expiry: 'bad', Start: 'open' });
    const never = await check(page, { token: signHmac({ ...claims(), exp: undefined }, { secret: SECRET }) });
    assert.match(never.verdict, /Not verified; it has no time at which it ends/);
    assert.match((await check(page, { token: signHmac(claims(), { secret: SECRET }) })).verdict, /Not verified; (1 h|59 min \d+ s) left/);
  }));

  for (const [what, given, name, values, line] of [
    ['the issuer', { claims: { iss: 'https://tenant.test/' }, issuer: 'https://issuer.test/' }, 'Issuer', ['https://tenant.test/', 'https://issuer.test/'], 'issuer = "https://tenant.test/"'],
    ['the audience', { claims: { aud: ['web', 'api'] }, audience: 'other' }, 'Audience', ['web, api', 'other'], 'audience = ["web", "api"]'],
    ['another claim for the audience', { claims: { aud: undefined, client_id: 'c1' }, audience: 'c1' }, 'Audience', ['no aud, but client_id = c1', 'c1'], 'audience_claim = "client_id"\naudience = ["c1"]'],
    ['a clock that is far ahead', { claims: { nbf: nowSecs() + 1000 } }, 'Start', null, undefined],
    ['the end', { claims: { exp: undefined } }, 'Expiry', ['no exp', 'a time at which it ends'], 'require_exp = false'],
  ]) {
    test(`that fails by ${what}: both values, and the line of the policy`, () => onPage(async (page) => {
      const { claims: changes, ...fields } = given;
      await check(page, { token: signHmac(claims(changes), { secret: SECRET }), key: SECRET, ...fields });
      const row = page.locator(`#checks tr[data-check="${name}"]`);
      if (values) assert.deepEqual(await row.locator('.compare dd').allTextContents(), values);
      assert.deepEqual(await row.locator('.remedy code').allTextContents(), line === undefined ? [] : [line]);
    }));
  }

  test('that fails by a clock that is a little ahead: how much the policy would have to bear', () => onPage(async (page) => {
    await check(page, { token: signHmac(claims({ nbf: nowSecs() + 115 }), { secret: SECRET }), key: SECRET });
    assert.equal(await page.textContent('#checks tr[data-check=Start] .remedy code'), 'clock_tolerance_secs = 120');
  }));

  test('whose key set cannot be fetched: why, and what to do; and nothing is asked while typing', async () => {
    let asked = 0;
    const silent = http.createServer((request, response) => {
      asked += 1;
      response.end('{"keys":[]}');
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const page = await browser.newPage();
    try {
      await page.goto(url);
      await page.waitForSelector('html[data-state=ready]');
      await page.fill('#key', `http://127.0.0.1:${silent.address().port}/keys`);
      await page.waitForFunction(() => document.getElementById('verdict').textContent.includes('Press “Check”'));
      assert.equal(asked, 0);
      await page.click('#token-form button[type=submit]');
      await page.waitForFunction(() => document.getElementById('verdict').textContent.includes('cannot be used'));
      assert.match(await page.textContent('#verdict'), /CORS.*paste the set here/);
      assert.equal(asked, 1);
    } finally {
      await page.close();
      silent.closeAllConnections();
      silent.close();
    }
  });

  test('with a secret, and with the URL of a key set', async () => {
    const jwks = JSON.stringify({ keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256' }] });
    const issuer = http.createServer((request, response) => response.setHeader('Access-Control-Allow-Origin', '*').end(jwks)).listen(0, '127.0.0.1');
    await once(issuer, 'listening');
    try {
      await onPage(async (page) => {
        assert.match((await check(page, { token: signHmac(claims(), { secret: SECRET }), key: SECRET })).verdict, /This token is good/);
        const token = signAsymmetric(claims(), { key: rsa.privateKey, alg: 'RS256', header: { kid: 'one' } });
        const { verdict, row } = await check(page, { token, key: `http://127.0.0.1:${issuer.address().port}/keys` });
        assert.match(verdict, /This token is good/);
        assert.match(await row('Key'), /kid one/);
      });
    } finally {
      issuer.closeAllConnections();
      issuer.close();
    }
  });
});

/** Fills the form in, asks, and reads what is said. */
async function ask(page, { policy, method = 'GET', path: target, caller, claims: written, scopes, headers }) {
  if (policy !== undefined) await page.fill('#policy', policy);
  await page.selectOption('#method', method);
  if (target !== undefined) await page.fill('#path', target);
  if (caller !== undefined) await page.check(`input[name=caller][value=${caller}]`);
  if (written !== undefined) await page.fill('#caller-claims', typeof written === 'string' ? written : JSON.stringify(written));
  if (scopes !== undefined) await page.fill('#caller-scopes', scopes);
  if (headers !== undefined) await page.fill('#caller-headers', headers);
  await page.evaluate(() => { document.getElementById('request-verdict').textContent = ''; });
  await page.click('#request-form button[type=submit]');
  await page.waitForFunction(() => document.getElementById('request-verdict').textContent !== '');
  const steps = await page.locator('#steps li:visible').evaluateAll((all) => all.map((item) => [item.dataset.step, item.dataset.verdict, item.querySelector('code')?.textContent]));
  return { verdict: await page.textContent('#request-verdict'), steps, answer: await page.textContent('#answer-text') };
}

const WRANGLER_TOML = readFileSync(new URL('../../wrangler.toml', import.meta.url), 'utf8');
const GUIDES = new URL('../../docs/guides/', import.meta.url);

describe('a policy and a request', () => {
  test('that is admitted: each step, and what the service gets', () => onTab('request', async (page) => {
    const { verdict, steps, answer } = await ask(page, {});
    assert.match(verdict, /^Admitted/);
    assert.deepEqual(steps, [
      ['route', 'passed', 'routes[1]'], ['credential', 'passed', 'routes[1].auth'], ['scopes', 'passed', 'routes[1].scopes'],
    ]);
    assert.match(answer, /X-Auth-Subject: alice/);
    await page.screenshot({ path: path.join(SCREENSHOTS, 'request.png'), fullPage: true });
  }));

  for (const [what, given, verdict, last] of [
    ['nobody', { caller: 'nobody' }, /^401 MISSING_CREDENTIALS/, ['credential', 'refused', 'routes[1].auth']],
    ['a token without the scope', { method: 'POST' }, /^403 INSUFFICIENT_SCOPE/, ['scopes', 'refused', 'routes[2].scopes']],
    ['an expired token', { claims: { exp: 1 } }, /^401 TOKEN_EXPIRED/, ['credential', 'refused', 'issuers']],
    ['an API key without the scope', { caller: 'key', scopes: 'other' }, /^403 INSUFFICIENT_SCOPE/, ['scopes', 'refused', 'routes[1].scopes']],
    ['a header with a forged key', { caller: 'headers', headers: 'X-API-Key: sk_live_1' }, /^401 INVALID_API_KEY/, ['credential', 'refused', 'api_keys']],
    ['a path with two readings', { path: '/v1/%2e%2e/posts' }, /^400 INVALID_REQUEST/, ['route', 'refused', undefined]],
  ]) {
    test(`of ${what} is refused at its step`, () => onTab('request', async (page) => {
      const found = await ask(page, given);
      assert.match(found.verdict, verdict);
      assert.deepEqual(found.steps.at(-1), last);
      assert.match(found.answer, /^HTTP 4\d\d\n[^]*"code":"/);
    }));
  }

  test('an API key of the page, and an open route', () => onTab('request', async (page) => {
    assert.match((await ask(page, { caller: 'key', scopes: 'read:posts' })).answer, /X-Auth-Method: api_key/);
    assert.match((await ask(page, { caller: 'nobody', path: '/public/hello' })).answer, /X-Auth-Method: anonymous/);
  }));

  test('limits count from one request to the next', () => onTab('request', async (page) => {
    await page.selectOption('#policy-example', 'limit');
    for (let times = 0; times < 3; times += 1) assert.match((await ask(page, {})).verdict, /^Admitted/);
    const { verdict, steps } = await ask(page, {});
    assert.match(verdict, /^429 RATE_LIMITED/);
    assert.deepEqual(steps.at(-1), ['limits', 'refused', 'limits[0]']);
  }));

  test('the organisation of the path has to be that of the token', () => onTab('request', async (page) => {
    await page.selectOption('#policy-example', 'auth0');
    assert.match((await ask(page, {})).verdict, /^Admitted/);
    const { verdict, steps } = await ask(page, { path: '/orgs/org_other/orders' });
    assert.match(verdict, /^403 NOT_ALLOWED.*claim_not_allowed/);
    assert.deepEqual(steps.at(-1), ['claims', 'refused', 'routes[0].claims.org_id']);
  }));

  for (const [what, policy, expected] of [
    ['an unknown field', 'isuers = []', /policy is refused.*isuers/],
    ['an issuer without an audience', '[[issuers]]\nissuer = "https://a.test/"\nalgorithms = ["ES256"]\ndiscovery = true', /issuers\[0\]\.audience/],
    ['broken TOML', 'a = 1\nb = ', /cannot be read.*line 2/],
    ['broken JSON', '{ "issuers": [ }', /cannot be read/],
    ['markup', '<img src=x onerror=alert(1)>', /cannot be read/],
  ]) {
    test(`a policy with ${what}: where the fault is`, () => onTab('request', async (page) => {
      assert.match((await ask(page, { policy })).verdict, expected);
      assert.equal(await page.locator('main img').count(), 0);
      assert.ok(await page.isHidden('#answer'));
    }));
  }

  test('claims that are no JSON are told', () => onTab('request', async (page) => {
    assert.match((await ask(page, { claims: '{' })).verdict, /cannot be asked.*claims are no JSON/);
  }));

  test('JSON with comments, and a whole wrangler.toml', () => onTab('request', async (page) => {
    const jsonc = '{ // mine\n"name": "x", "vars": { "POLICY": { "routes": [ { "path": "/*", "auth": "none", }, ], /* "a": 1 */ } } }';
    assert.match((await ask(page, { policy: jsonc, path: '/x', caller: 'nobody' })).verdict, /^Admitted/);
    const { verdict } = await ask(page, { policy: WRANGLER_TOML, path: '/v1/posts', caller: 'token', claims: { sub: 'alice', scope: 'read:posts' } });
    assert.match(verdict, /^Admitted/);
    assert.match(await page.textContent('#aside'), /Not looked at in this page: sessions, accounts, revocation\.mode/);
  }));

  test('the policy of every guide can be tried', { timeout: 120_000 }, () => onTab('request', async (page) => {
    for (const file of readdirSync(GUIDES)) {
      const text = readFileSync(new URL(file, GUIDES), 'utf8');
      for (const [, policy] of text.matchAll(/^```toml policy\n([^]*?)^```/gm)) {
        const { verdict } = await ask(page, { policy, path: '/orders', claims: { sub: 'alice' } });
        assert.match(verdict, /^(Admitted|40[13] )/, `${file}: ${verdict}`);
      }
    }
  }));
});

describe('an API key', () => {
  test('is minted, checked, and refused with one character changed', () => onTab('key', async (page) => {
    await page.click('#mint-form button[type=submit]');
    await page.waitForSelector('#key-verdict.good');
    const key = await page.inputValue('#api-key');
    assert.match(key, /^sk_test_[0-9A-Za-z]{58}$/);
    await page.click('#key-form button[type=submit]');
    await page.waitForFunction(() => document.getElementById('key-verdict').textContent.includes('This key is good'));
    assert.match(await page.textContent('#key-facts'), /expires\d{4}-/);
    await page.fill('#api-key', key.slice(0, -1) + (key.endsWith('0') ? '1' : '0'));
    await page.click('#key-form button[type=submit]');
    await page.waitForSelector('#key-verdict.bad');
    await page.fill('#signing-secret', 'short');
    await page.click('#mint-form button[type=submit]');
    await page.waitForFunction(() => document.getElementById('key-verdict').textContent.includes('settings are refused'));
  }));
});

test('nothing that is pasted leaves the page', () => onPage(async (page) => {
  const asked = [];
  page.on('request', (request) => asked.push(`${request.method()} ${request.url().replace(new URL('/', url).href, '')}`));
  await check(page, { token: signHmac(claims(), { secret: SECRET }), key: SECRET });
  await page.click('#tab-request');
  await ask(page, {});
  await page.click('#tab-key');
  await page.click('#mint-form button[type=submit]');
  // Its own files alone, and nothing behind their names.
  for (const one of asked) assert.match(one, /^GET (pkg\/wasm\/\w+\.wasm|www\/vendor\/\w+\.js|www\/icon\.svg)$/);
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length), 0);
}));

test('the speed is measured beside jose and the browser, as a chart and as a table', { timeout: 90_000 }, () => onTab('speed', async (page) => {
  await page.click('#measure');
  await page.waitForSelector('#speed svg', { timeout: 80_000 });
  const rows = await page.locator('#speed tbody tr').evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.deepEqual(rows.map(([name]) => name).filter((name) => name !== 'EdDSA'), ['API key', 'HS256', 'RS256', 'ES256']);
  for (const [name, own, ...others] of rows) {
    assert.ok(Number(own) > 0);
    for (const other of others) assert.ok(name === 'API key' ? other === '–' : Number(other) > 0);
  }
  assert.match(await page.textContent('#chart-text'), /HS256: edgegate \d.*, jose \d.*, signature alone \d/);
  assert.match(await page.textContent('#speed-status'), /An HS256 token takes [\d.]+ µs here, and [\d.]+ µs with jose/);
  await page.screenshot({ path: path.join(SCREENSHOTS, 'speed.png'), fullPage: true });
}));

test('everything can be done by keyboard', () => onPage(async (page) => {
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim());
  const tabThrough = async (presses) => {
    const seen = [];
    for (let press = 0; press < presses; press += 1) {
      await page.keyboard.press('Tab');
      seen.push(await focused());
    }
    return seen;
  };
  const inOrder = (seen, order) => assert.deepEqual([...new Set(seen)].filter((id) => order.includes(id)), order);
  assert.deepEqual(await tabThrough(1), ['Skip to the tools']);
  inOrder(await tabThrough(16), ['Copy the command', 'tab-token', 'token', 'key', 'issuer', 'audience', 'Check', 'example', 'clear', 'Copy the header', 'Copy the claims']);
  await page.focus('#example');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.verdict.good');
  await page.focus('#tab-token');
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), 'tab-request');
  inOrder(await tabThrough(9), ['policy-example', 'policy', 'method', 'path', 'caller-claims', 'Ask the gate']);
  await page.focus('#tab-request');
  await page.keyboard.press('ArrowRight');
  inOrder(await tabThrough(9), ['signing-secret', 'prefix', 'environment', 'lifetime', 'Mint a key', 'Copy the API key', 'api-key', 'Check the key']);
  await page.focus('#tab-key');
  await page.keyboard.press('End');
  inOrder(await tabThrough(3), ['measure']);
  await page.focus('#tab-speed');
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), 'tab-token');
}));

test('works without a network after the first visit', async () => {
  const context = await browser.newContext();
  const own = await serve();
  const address = `http://127.0.0.1:${own.address().port}/www/`;
  try {
    const page = await context.newPage();
    await page.goto(address);
    await page.waitForSelector('html[data-offline=ready]');
    own.closeAllConnections();
    await new Promise((resolve) => own.close(resolve));
    await page.reload();
    await page.waitForSelector('html[data-state=ready]');
    await page.click('#example');
    await page.waitForSelector('.verdict.good');
    await page.click('#tab-request');
    assert.match((await ask(page, {})).verdict, /^Admitted/);
  } finally {
    await context.close();
    own.closeAllConnections();
    own.close();
  }
});

describe('is accessible', () => {
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[1440, 900], [768, 1024], [390, 844]]) {
      test(`${colorScheme}, ${width} px`, { timeout: 60_000 }, () => onPage(async (page) => {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height });
        await page.evaluate(AXE);
        const look = async (name) => {
          const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
          assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], name);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.equal(overflow, 0, 'nothing runs out of the page');
          await page.screenshot({ path: path.join(SCREENSHOTS, `${colorScheme}-${width}-${name}.png`), fullPage: true });
        };
        await look('token');
        await check(page, { token: signHmac(claims(), { secret: SECRET }), key: SECRET, issuer: 'https://another.test/', audience: 'other' });
        await look('token-refused');
        await page.click('#tab-request');
        await ask(page, { method: 'POST' });
        await look('request');
        await page.click('#tab-key');
        await page.click('#mint-form button[type=submit]');
        await look('key');
        await page.click('#tab-speed');
        await look('speed');
      }));
    }
  }
});
