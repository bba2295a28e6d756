// The page for callers, as they see it: in Chromium, in both schemes, on a phone.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parse } from 'smol-toml';

import { callersPage } from '../../pkg/cli/docs.js';
import { launch } from '../browser/chromium.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCREENSHOTS = fileURLToPath(new URL('../../target/www/', import.meta.url));
/** The example policy. */
const { vars: { POLICY } } = parse(readFileSync(new URL('../../wrangler.toml', import.meta.url), 'utf8'));

let browser;
before(async () => {
  browser = await launch();
  mkdirSync(SCREENSHOTS, { recursive: true });
});
after(() => browser?.close());

describe('the page of the example policy is accessible', () => {
  const { html } = callersPage(POLICY, { title: 'The posts API', baseUrl: 'https://api.example.com', words: { support: 'Write to help@example.com.' } });
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1440, 768, 390]) {
      test(`${colorScheme}, ${width} px`, async () => {
        // Its own policy forbids all scripts, that of this test too.
        const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
        try {
          await page.setContent(html);
          await page.evaluate(AXE);
          const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
          assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html: of }) => of)]), []);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.equal(overflow, 0, 'nothing runs out of the page');
          await page.screenshot({ path: path.join(SCREENSHOTS, `callers-${colorScheme}-${width}.png`), fullPage: true });
        } finally {
          await page.close();
        }
      });
    }
  }
});
