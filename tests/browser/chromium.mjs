// Headless Chromium. Its pages must not complain.

import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The same arguments as for `wasm-pack test`. */
const { args } = JSON.parse(readFileSync(new URL('../../webdriver.json', import.meta.url), 'utf8'))['goog:chromeOptions'];

/** Returns the installed browser. On macOS playwright finds the application by itself. */
function installed() {
  for (const folder of process.env.PATH.split(path.delimiter)) {
    for (const name of NAMES) {
      if (existsSync(path.join(folder, name))) return { executablePath: path.join(folder, name) };
    }
  }
  return { channel: 'chrome' };
}

/** Starts a browser. The caller has to close it. */
export const launch = (...more) => chromium.launch({ ...installed(), args: [...args, ...more] });

/** Opens a page. Every warning or error on its console, every uncaught exception and every failed load is an error of `close`. */
export async function openPage(browser, url) {
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
  const close = async () => {
    await page.close();
    if (complaints.length > 0) throw new Error(`the page complains: ${complaints.join('\n')}`);
  };
  try {
    await page.goto(url);
  } catch (error) {
    await page.close();
    throw error;
  }
  return { page, complaints, close };
}

/** Opens a page, calls `use` with it, and closes it. */
export async function withPage(browser, url, use) {
  const { page, complaints, close } = await openPage(browser, url);
  let result;
  try {
    result = await use(page);
  } catch (error) {
    await close().catch(() => {});
    throw complaints.length > 0 ? new Error(`${error.message}\n${complaints.join('\n')}`) : error;
  }
  await close();
  return result;
}

/** Files of a folder over HTTP on loopback; the page at `/` is empty. */
export async function serve(folder) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const file = path.join(folder, pathname);
    if (pathname === '/') {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>test</title><link rel="icon" href="data:,">');
    } else if (TYPES[path.extname(file)] && existsSync(file)) {
      response.setHeader('content-type', TYPES[path.extname(file)]).end(readFileSync(file));
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { port: server.address().port, stop };
}

const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
