// The site of documents as it is published: built, served, searched, looked at.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, pages } from '../../../docs/site/pages.mjs';
import { serve } from '../../../www/serve.mjs';
import { launch, withPage } from '../../browser/chromium.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SITE = path.join(ROOT, 'target/site');
const SCREENSHOTS = path.join(ROOT, 'target/www');

let browser;
let server;
let origin;

before(async () => {
  // It fails if a link leads nowhere.
  execFileSync(process.execPath, ['docs/site/build.mjs'], { cwd: ROOT, stdio: 'pipe' });
  mkdirSync(SCREENSHOTS, { recursive: true });
  [browser, server] = await Promise.all([launch(), serve()]);
  origin = `http://127.0.0.1:${server.address().port}`;
});
after(async () => {
  server?.closeAllConnections();
  server?.close();
  await browser?.close();
});

test('each document is a page, and Markdown for programs', () => {
  for (const { name } of pages()) {
    assert.ok(existsSync(path.join(SITE, 'docs', `${name}.html`)), name);
    assert.ok(existsSync(path.join(SITE, 'docs', `${name}.md`)), name);
  }
  assert.match(readFileSync(path.join(SITE, 'llms.txt'), 'utf8'), /^# edgegate/);
});

test('the page of www/ is beside it, with all that it loads', () => {
  for (const file of ['index.html', 'www/index.html', 'www/app.js', 'www/vendor/jose.js', 'pkg/browser.js', 'pkg/lib/gate.js', 'pkg/wasm/edgegate_gate_bg.wasm']) {
    assert.ok(existsSync(path.join(SITE, file)), file);
  }
});

test('the search finds a guide', { timeout: 60_000 }, () => withPage(browser, `${origin}/docs/`, async (page) => {
  await page.click('.VPNavBarSearchButton, #local-search button');
  await page.fill('input[type=search]', 'Keycloak realm');
  await page.click('.results a[href*="/docs/guides/keycloak"]');
  await page.waitForURL(/guides\/keycloak/);
  assert.match(await page.textContent('h1'), /Keycloak/);
}));

for (const colorScheme of ['light', 'dark']) {
  for (const width of [1440, 768, 390]) {
    test(`it can be read: ${colorScheme}, ${width} px`, { timeout: 60_000 }, async () => {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      try {
        for (const name of ['start', 'guides/auth0', 'deployment']) {
          await page.goto(`${origin}/docs/${name}`);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.equal(overflow, 0, `${name}: nothing runs out of the page`);
          await page.evaluate(AXE);
          // What the theme itself has is not ours.
          const { violations } = await page.evaluate(() => globalThis.axe.run('.vp-doc', { resultTypes: ['violations'] }));
          assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], name);
          await page.screenshot({ path: path.join(SCREENSHOTS, `docs-${colorScheme}-${width}-${name.replace('/', '-')}.png`) });
        }
      } finally {
        await page.close();
      }
    });
  }
}
