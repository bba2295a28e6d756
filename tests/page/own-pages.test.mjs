// The gate's own pages (src/page), as people meet them: in Chromium, under their own headers, in each scheme, width and look.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { launch } from '../browser/chromium.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Pictures of the pages, to be looked at. */
const SCREENSHOTS = path.join(ROOT, 'target/pages/');
const LOGO = readFileSync(path.join(ROOT, 'www/icon.svg'));
/** What is looked at in each look; in the default one everything is. */
const IN_EACH_LOOK = ['chooser', 'chooser-remember', 'confirm-logout', 'account-login', 'account-reset', 'ProviderDown'];

let pages;
let browser;
let server;
let origin;
/** What was asked, but for pages and the logo. */
const asked = [];

function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  const found = pages.find(({ look, page }) => pathname === `/${look}/${page}`);
  if (found) {
    for (const [name, value] of found.fields) response.setHeader(name, value);
    response.writeHead(found.status).end(found.body);
  } else if (pathname === '/logo.svg') {
    response.writeHead(200, { 'content-type': 'image/svg+xml' }).end(LOGO);
  } else if (pathname === '/favicon.ico') {
    response.writeHead(204).end();
  } else {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => {
      const { method, url, headers } = request;
      asked.push({ method, url, headers, body });
      // As a login goes on to its provider, on another origin.
      if (pathname === '/auth/login/google') response.writeHead(303, { location: `http://localhost:${server.address().port}/provider` }).end();
      else response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>there</title>');
    });
  }
}

before(async () => {
  const options = { cwd: ROOT, maxBuffer: 16_777_216 };
  const printed = promisify(execFile)('cargo', ['run', '--quiet', '--locked', '--package', 'edgegate-describe', '--example', 'pages'], options);
  mkdirSync(SCREENSHOTS, { recursive: true });
  server = http.createServer(answer);
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  origin = `http://127.0.0.1:${server.address().port}`;
  [browser, { stdout: pages }] = await Promise.all([launch(), printed]);
  pages = JSON.parse(pages);
});
after(async () => {
  server?.closeAllConnections();
  server?.close();
  await browser?.close();
});

/** Opens a tab of a window of its own, with what its console says. */
async function tab(options, use) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => { if (message.type() !== 'log') complaints.push(message.text()); });
  page.on('pageerror', (fault) => complaints.push(String(fault)));
  try {
    return await use(page, complaints);
  } finally {
    await context.close();
  }
}

const shown = () => pages.filter(({ look, page }) => look === 'default' || IN_EACH_LOOK.includes(page))
  // It is gone before anybody can look at it.
  .filter(({ page }) => page !== 'move-on');

describe('are accessible', () => {
  for (const forcedColors of ['none', 'active']) {
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [1440, 768, 320]) {
        test(`${colorScheme}, ${width} px${forcedColors === 'active' ? ', forced colours' : ''}`, { timeout: 300_000 }, async () => {
          // Their own policy forbids all scripts, that of this test too.
          await tab({ colorScheme, forcedColors, viewport: { width, height: 800 }, bypassCSP: true }, async (page) => {
            await page.addInitScript(AXE);
            for (const { look, page: name } of shown()) {
              await page.goto(`${origin}/${look}/${name}`);
              const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
              assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], `${look} ${name}`);
              const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
              assert.equal(overflow, 0, `${look} ${name}: nothing runs out of the page`);
              const small = await page.locator('a, button, .check').evaluateAll((all) => all.map((one) => one.getBoundingClientRect())
                .filter(({ width: wide, height }) => wide < 24 || height < 24).length);
              assert.equal(small, 0, `${look} ${name}: fingers reach everything (WCAG 2.2, 2.5.8)`);
              if (forcedColors === 'active' && look !== 'default') continue;
              const forced = forcedColors === 'active' ? '-forced' : '';
              await page.screenshot({ path: path.join(SCREENSHOTS, `${look}-${name}-${colorScheme}-${width}${forced}.png`), fullPage: true });
            }
          });
        });
      }
    }
  }
});

describe('under their own headers', () => {
  test('the style and the logo are there, and the browser has nothing to complain about', () => tab({}, async (page, complaints) => {
    for (const { look, page: name } of shown()) {
      await page.goto(`${origin}/${look}/${name}`);
      const seen = await page.evaluate(() => ({
        width: globalThis.getComputedStyle(document.querySelector('main')).maxWidth,
        logos: [...document.querySelectorAll('.brand img')].map((image) => image.naturalWidth),
        header: document.querySelector('header') && globalThis.getComputedStyle(document.querySelector('header')).color,
      }));
      assert.equal(seen.width, '416px', `${look} ${name}`);
      assert.ok(seen.logos.every((wide) => wide > 0), `${look} ${name}: the logo`);
      if (look === 'template') assert.equal(seen.header, 'rgb(255, 255, 255)', 'its own style counts too');
    }
    // Chromium says on its console that a status is one of failure, and misses a name beside a new password, which a link does not have.
    assert.deepEqual(complaints.filter((text) => !/the server responded with a status of|^\[DOM\] Password forms should have/.test(text)), []);
  }));

  test('no script runs that gets into a page', () => tab({}, async (page) => {
    await page.goto(`${origin}/default/chooser`);
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'document.title = "run"';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="document.title = \'run\'"><style>h1 { display: none }</style>');
    });
    await page.waitForTimeout(200);
    assert.notEqual(await page.title(), 'run');
    assert.ok(await page.locator('h1').isVisible());
  }));

  test('no page shows them in a frame', () => tab({}, async (page) => {
    await page.goto(`${origin}/there`);
    await page.setContent(`<iframe src="${origin}/default/chooser"></iframe>`);
    const frame = page.frames()[1];
    await frame?.waitForLoadState().catch(() => {});
    // Chromium shows a page of its own in its place.
    assert.equal(await frame?.locator('.way').count(), 0);
  }));

  test('a page that moves on does so at once, without a script', () => tab({ javaScriptEnabled: false }, async (page) => {
    await page.goto(`${origin}/default/move-on`).catch(() => {});
    await page.waitForURL(`${origin}/moved-on`);
  }));

  test('a form says its origin, which the rule against forged requests asks for, and no more of where it was', () => tab({}, async (page) => {
    await page.goto(`${origin}/default/confirm-logout`);
    await page.check('input[name=everywhere]');
    asked.length = 0;
    await page.click('button');
    await page.waitForURL(`${origin}/auth/logout`);
    const [{ method, url, headers, body }] = asked;
    assert.deepEqual({ method, url, body }, { method: 'POST', url: '/auth/logout', body: 'everywhere=true' });
    assert.equal(headers.origin, origin);
    assert.equal(headers.referer, `${origin}/`);
    assert.equal(headers['sec-fetch-site'], 'same-origin');
  }));

  for (const name of ['chooser', 'chooser-remember']) {
    test(`${name}: a way goes on to a provider elsewhere`, () => tab({}, async (page) => {
      await page.goto(`${origin}/default/${name}`);
      if (name === 'chooser-remember') await page.check('input[name=remember]');
      asked.length = 0;
      await page.click('.way >> nth=0');
      await page.waitForURL('**/provider');
      const { searchParams } = new URL(asked[0].url, origin);
      assert.equal(searchParams.get('return_to'), '/v1/posts?page=2');
      assert.equal(searchParams.get('remember'), name === 'chooser-remember' ? 'true' : null);
      assert.ok(asked.every(({ headers }) => headers.referer === undefined), 'nobody is told where it was');
    }));
  }
});

test('everything is reached by keyboard, in its order, and the focus is seen', () => tab({}, async (page) => {
  for (const { look, page: name } of shown().filter((one) => one.look === 'default')) {
    await page.goto(`${origin}/${look}/${name}`);
    const all = await page.locator('a, button, input:not([type=hidden])').evaluateAll((list) => list.map((one) => one.outerHTML));
    const reached = [];
    for (let step = 0; step < all.length; step += 1) {
      await page.keyboard.press('Tab');
      const { html, outline } = await page.evaluate(() => ({
        html: document.activeElement.outerHTML,
        outline: globalThis.getComputedStyle(document.activeElement).outlineStyle,
      }));
      reached.push(html);
      assert.notEqual(outline, 'none', `${name}: ${html}`);
    }
    assert.deepEqual(reached, all, name);
  }
}));

test('who wants no motion gets none', () => tab({ reducedMotion: 'reduce' }, async (page) => {
  await page.goto(`${origin}/default/chooser`);
  const moving = await page.locator('*').evaluateAll((all) => all.filter((one) => {
    const { transitionDuration, animationName } = globalThis.getComputedStyle(one);
    return transitionDuration !== '0s' || animationName !== 'none';
  }).length);
  assert.equal(moving, 0);
}));

test('what is wrong with a field is read out with it', () => tab({}, async (page) => {
  await page.goto(`${origin}/default/account-reset`);
  const wrong = page.locator('input[aria-invalid=true]');
  assert.equal(await wrong.count(), 1);
  const described = await wrong.evaluate((input) => document.getElementById(input.getAttribute('aria-describedby')).textContent);
  assert.match(described, /lists that attackers try first.*At least 8 characters/s);
  assert.equal(await page.getByLabel('New password').getAttribute('autocomplete'), 'new-password');
}));
