// What browsers say of a navigation that a service worker passes on: `event.respondWith(fetch(event.request))`, as many applications have it.
//
// Then it is no longer certain where a request came from. `src/session/csrf.rs` and the redirect to a login have to live with this.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { until } from '../worker/harness.mjs';
import { launch } from './engines.mjs';
import { Front } from './front.mjs';
import { page, quiet, startNetwork } from './network.mjs';
import { APP } from './pages.mjs';

const SIBLING = 'evil.example.com';
const STRANGER = 'evil.example.org';

/** A page that posts a form to the application as soon as it is loaded. */
const attacker = (_, response) => response.setHeader('Content-Type', 'text/html').end(
  page('attacker', `<form method="post" action="https://${APP}/form"></form><script>document.forms[0].submit()</script>`),
);

const COOKIES = ['Strict', 'Lax'].map((kind) => `__Host-${kind}=1; Path=/; Secure; HttpOnly; SameSite=${kind}`);

/** What each engine says of such requests: `[mode, dest]` of a navigation, then `[site, is Origin the application's]` of a sibling's form. */
const SAID = {
  chromium: { navigation: ['navigate', 'empty'], sibling: ['same-site', false] },
  firefox: { navigation: ['same-origin', 'empty'], sibling: ['same-origin', true] },
  webkit: { navigation: ['navigate', 'empty'], sibling: ['same-origin', false] },
};

export const describeServiceWorkers = (engine) => describe(`${engine}, through a service worker`, () => {
  let network;
  let browser;
  let tab;
  const asked = [];
  before(async () => {
    // The front's own pages register the worker.
    const front = new Front({ callback: `https://${APP}/none` }, { port: () => 0 });
    front.reset();
    const application = (request, response) => {
      if (request.url.startsWith('/__')) return front.handle(request, response);
      asked.push(request);
      return response.setHeader('Content-Type', 'text/html').setHeader('Set-Cookie', COOKIES).end(page('page'));
    };
    network = await startNetwork({ [APP]: application, [SIBLING]: attacker, [STRANGER]: attacker });
    browser = await launch(engine, { proxy: network.proxy });
    const profile = await browser.profile();
    tab = await profile.tab();
    await tab.goto(`https://${APP}/page`);
    await tab.goto(`https://${APP}/__register`);
    await until(async () => (await tab.evaluate(() => document.title)) === 'registered');
  });
  after(async () => {
    await browser?.close();
    network?.close();
  });

  /** The last request that reaches the application when this address is opened. */
  async function reached(url, path) {
    asked.length = 0;
    await tab.goto(url);
    await until(() => asked.some((request) => request.url === path));
    await quiet(network);
    return asked.find((request) => request.url === path).headers;
  }

  test('a navigation wants HTML, and is no `document` any more', async () => {
    const headers = await reached(`https://${APP}/page`, '/page');
    assert.deepEqual([headers['sec-fetch-mode'], headers['sec-fetch-dest']], SAID[engine].navigation);
    assert.match(headers.accept, /^text\/html,/);
  });

  test('the form of another site comes without `Lax` and `Strict` cookies, whatever `Sec-Fetch-Site` says', async () => {
    assert.equal((await reached(`https://${STRANGER}/`, '/form')).cookie, undefined);
  });

  test('the form of a sibling comes with them, and not all engines say that it is a sibling', async () => {
    const headers = await reached(`https://${SIBLING}/`, '/form');
    assert.match(headers.cookie, /Lax/);
    assert.deepEqual([headers['sec-fetch-site'], headers.origin === `https://${APP}`], SAID[engine].sibling);
  });
});
