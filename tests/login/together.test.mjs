// Tabs of one browser that log in at the same time, as those of yesterday do when a browser starts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ANN } from '../support/providers/provider.mjs';
import { AT, BINDING, LoginGate, ORIGIN, RT } from './gate.mjs';

let gate;
before(async () => {
  gate = await LoginGate.start({ one: { kind: 'oidc' } });
});
after(() => gate.close());

/** A browser has one session at a provider, which all its logins name. */
const namesOneSession = () => {
  gate.providers.one.tamper.idToken = (token) => ({ ...token, claims: { ...token.claims, sid: `of-${token.claims.sub}` } });
};

let people = 0;
const somebodyNew = () => {
  people += 1;
  namesOneSession();
  gate.providers.one.user = { ...ANN, sub: `ann-${people}` };
  return gate.providers.one.user;
};

/** So many logins as far as their callbacks, which nobody has asked for yet. */
async function begun(browser, count) {
  const urls = [];
  for (let n = 0; n < count; n += 1) {
    const answer = await browser.tab().open(`${ORIGIN}/auth/login/one?return_to=/v1/posts%3Fn=${n}`, { until: ({ url }) => !url.startsWith(ORIGIN) });
    urls.push(answer.headers.location);
  }
  return urls;
}

/** Opens it in a tab, which asks again as pages with `Refresh` do. Returns the tab, and how often it did. */
async function opened(browser, url) {
  const tab = browser.tab();
  await tab.open(url);
  let again = 0;
  for (; again < 60 && /^\d+$/.test(tab.page.headers.refresh ?? ''); again += 1) {
    const secs = Number(tab.page.headers.refresh);
    await new Promise((resolve) => { setTimeout(resolve, secs * 1000); });
    await tab.click(tab.url);
  }
  return { tab, again };
}

const ask = async (browser, path) => JSON.parse((await browser.send(`${ORIGIN}${path}`, { from: `${ORIGIN}/`, mode: 'cors', dest: 'empty' })).text);

test('200 at once all succeed, and are one session', async () => {
  const user = somebodyNew();
  const browser = gate.browser();
  const urls = await begun(browser, 200);
  // The provider takes a moment, so that more are under way than may fail.
  gate.providers.one.tamper.request = ({ path }) => (path === '/token' ? new Promise((resolve) => { setTimeout(resolve, 300); }) : undefined);
  const from = gate.gate.output.lines.length;
  const tabs = await Promise.all(urls.map((url) => opened(browser, url)));
  delete gate.providers.one.tamper.request;
  for (const [n, { tab }] of tabs.entries()) {
    assert.deepEqual([tab.page.status, tab.url], [200, `${ORIGIN}/v1/posts?n=${n}`], tab.page.text);
  }
  assert.ok(Math.max(...tabs.map(({ again }) => again)) <= 20);
  assert.deepEqual(browser.jar.all.map(({ name }) => name).sort(), [AT, BINDING, RT].sort());
  assert.equal((await ask(browser, '/auth/session')).subject, `one|${user.sub}`);
  assert.equal((await ask(browser, '/auth/sessions')).sessions.length, 1);
  const refusals = gate.gate.output.lines.slice(from).filter((line) => /"code":"(RATE_LIMITED|SESSION_ENDED|INVALID_REFRESH_TOKEN)"/.test(line));
  assert.deepEqual(refusals, []);
});

test('tabs of a browser that has no cookie yet come back to where each wanted, whichever cookie stays', async () => {
  somebodyNew();
  const browser = gate.browser();
  // Each begins before the first one is answered.
  const begins = Array.from({ length: 8 }, (_, n) => ({ n, browser: gate.browser({ ip: browser.ip }) }));
  const urls = [];
  for (const { n, browser: alone } of begins) {
    const answer = await alone.tab().open(`${ORIGIN}/auth/login/one?return_to=/v1/posts%3Fn=${n}`, { until: ({ url }) => !url.startsWith(ORIGIN) });
    urls.push(answer.headers.location);
    browser.jar.set(`${BINDING}=${alone.jar.get(BINDING).value}; Path=/; Secure; HttpOnly; SameSite=Lax`, ORIGIN);
  }
  for (const [n, { tab }] of (await Promise.all(urls.map((url) => opened(browser, url)))).entries()) assert.equal(tab.url, `${ORIGIN}/v1/posts?n=${n}`, tab.page.text);
  // At another address it is somebody else's.
  const other = gate.browser();
  await begun(other, 1);
  const { tab } = await opened(other, urls[0]);
  assert.equal(tab.url, `${ORIGIN}/`);
});

test('40 one after another are one session too, and leave room for other devices', async () => {
  somebodyNew();
  const browser = gate.browser();
  for (const [n, url] of (await begun(browser, 40)).entries()) {
    const { tab } = await opened(browser, url);
    assert.equal(tab.url, `${ORIGIN}/v1/posts?n=${n}`, tab.page.text);
  }
  const other = await gate.logIn('one');
  assert.ok(other.isIn, other.seen);
  assert.equal((await ask(browser, '/auth/sessions')).sessions.length, 2);
});

test('where the provider names another session each time, those that there is no room for go on in the one that the browser has', async () => {
  somebodyNew();
  delete gate.providers.one.tamper.idToken;
  const browser = gate.browser();
  for (const [n, url] of (await begun(browser, 40)).entries()) {
    const { tab } = await opened(browser, url);
    assert.equal(tab.url, `${ORIGIN}/v1/posts?n=${n}`, tab.page.text);
  }
  assert.equal((await ask(browser, '/auth/sessions')).sessions.length, 1);
  // Another device has to wait.
  const other = await gate.logIn('one');
  assert.match(other.seen, /^429 RATE_LIMITED/);
});

test('a tab of somebody else ends the session that the browser had', async () => {
  const first = somebodyNew();
  const browser = gate.browser();
  const [one, other] = await begun(browser, 2);
  await opened(browser, one);
  const refresh = browser.jar.get(RT).value;
  const second = somebodyNew();
  const [theirs] = await begun(browser, 1);
  await opened(browser, theirs);
  assert.equal((await ask(browser, '/auth/session')).subject, `one|${second.sub}`);
  const answer = await gate.gate.post('/auth/refresh', { body: { refreshToken: refresh } });
  assert.equal(answer.status, 401);
  // The first one's other tab, late: a session of its own, since the one before has ended.
  await opened(browser, other);
  assert.equal((await ask(browser, '/auth/session')).subject, `one|${first.sub}`);
  assert.notEqual(browser.jar.get(RT).value, refresh);
});

test('an address whose logins fail waits as long as ever, whatever its browser', async () => {
  somebodyNew();
  const browser = gate.browser();
  const urls = await begun(browser, 12);
  const forged = urls.map((url) => {
    const target = new URL(url);
    target.searchParams.set('code', 'guessed');
    return target.href;
  });
  const answers = [];
  for (const url of forged) answers.push(await browser.send(url));
  const last = answers.at(-1);
  assert.equal(last.status, 429, last.text);
  assert.ok(Number(last.headers['retry-after']) > 60);
  assert.equal(last.headers.refresh, undefined, 'it does not ask again by itself');
});
