// Headless Chromium, and pages in it that must stay without complaint.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** As `wasm-pack test` starts it. */
const { args } = JSON.parse(readFileSync(new URL('../../webdriver.json', import.meta.url), 'utf8'))['goog:chromeOptions'];

/** The installed browser; on macOS the application, which playwright finds by itself. */
function installed() {
  for (const folder of process.env.PATH.split(path.delimiter)) {
    for (const name of NAMES) {
      if (existsSync(path.join(folder, name))) return { executablePath: path.join(folder, name) };
    }
  }
  return { channel: 'chrome' };
}

/** A browser; `[Symbol.asyncDispose]` is its `close`. */
export const launch = () => chromium.launch({ ...installed(), args });

/**
 * Opens a page and calls `use` with it. Whatever the page says on its console as a warning or an error, throws and does not
 * catch, or fails to load is an error here.
 */
export async function withPage(browser, url, use) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (['warning', 'error'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.stack}`));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`status ${response.status()}: ${response.url()}`);
  });
  try {
    await page.goto(url);
    const result = await use(page);
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
    return result;
  } catch (error) {
    throw complaints.length > 0 ? new Error(`${error.message}\n${complaints.join('\n')}`) : error;
  } finally {
    await page.close();
  }
}
