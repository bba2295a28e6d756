// The page in www/, as a person uses it: in Chromium, by keyboard, without a network.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
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

describe('a token', () => {
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

describe('an API key', () => {
  test('is minted, checked, and refused with one character changed', () => onPage(async (page) => {
    await page.click('#mint-form button');
    await page.waitForSelector('#key-verdict.good');
    const key = await page.inputValue('#api-key');
    assert.match(key, /^sk_test_[0-9A-Za-z]{58}$/);
    await page.click('#key-form button');
    await page.waitForFunction(() => document.getElementById('key-verdict').textContent.includes('This key is good'));
    assert.match(await page.textContent('#key-facts'), /expires\d{4}-/);
    await page.fill('#api-key', key.slice(0, -1) + (key.endsWith('0') ? '1' : '0'));
    await page.click('#key-form button');
    await page.waitForSelector('#key-verdict.bad');
    await page.fill('#signing-secret', 'short');
    await page.click('#mint-form button');
    await page.waitForFunction(() => document.getElementById('key-verdict').textContent.includes('settings are refused'));
  }));
});

test('the speed is measured, as a chart and as a table', { timeout: 60_000 }, () => onPage(async (page) => {
  await page.click('#measure');
  await page.waitForSelector('#speed svg', { timeout: 50_000 });
  const rows = await page.locator('#speed tbody tr').evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.deepEqual(rows.map(([name]) => name).filter((name) => name !== 'EdDSA'), ['API key', 'HS256', 'RS256', 'ES256']);
  for (const [, micros] of rows) assert.ok(Number(micros) > 0);
  assert.match(await page.textContent('#chart-text'), /HS256 \d/);
  await page.screenshot({ path: path.join(SCREENSHOTS, 'speed.png'), fullPage: true });
}));

test('everything can be done by keyboard', () => onPage(async (page) => {
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the token');
  const seen = [];
  for (let presses = 0; presses < 20; presses += 1) {
    await page.keyboard.press('Tab');
    seen.push(await focused());
  }
  const order = ['token', 'key', 'issuer', 'audience', 'Check', 'example', 'signing-secret', 'prefix', 'environment', 'lifetime', 'Mint a key', 'api-key', 'Check the key', 'measure'];
  assert.deepEqual([...new Set(seen)].filter((id) => order.includes(id)), order);
  await page.focus('#example');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.verdict.good');
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
  } finally {
    await context.close();
    own.closeAllConnections();
    own.close();
  }
});

describe('is accessible', () => {
  for (const colorScheme of ['light', 'dark']) {
    for (const [size, viewport] of Object.entries({ wide: { width: 1280, height: 900 }, narrow: { width: 360, height: 740 } })) {
      test(`${colorScheme}, ${size}`, { timeout: 60_000 }, () => onPage(async (page) => {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize(viewport);
        await page.click('#example');
        await page.waitForSelector('.verdict.good');
        await page.click('#mint-form button');
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
        assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(overflow, 0, 'nothing runs out of the page');
        await page.screenshot({ path: path.join(SCREENSHOTS, `${colorScheme}-${size}.png`), fullPage: true });
      }));
    }
  }
});
