// Real browsers, without a window. puppeteer drives both by one interface.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import puppeteer from 'puppeteer-core';

/** As `wasm-pack test` starts it. */
const { args } = JSON.parse(readFileSync(new URL('../../webdriver.json', import.meta.url), 'utf8'))['goog:chromeOptions'];

const BROWSERS = {
  chromium: { names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'], options: { args } },
  firefox: { names: ['firefox-esr', 'firefox'], options: { browser: 'firefox' } },
};

/** The path of an installed browser; `undefined` if there is none. */
export function findBrowser(name) {
  const folders = process.env.PATH.split(path.delimiter);
  return folders.flatMap((folder) => BROWSERS[name].names.map((program) => path.join(folder, program))).find((file) => existsSync(file));
}

/** A browser, to be closed. */
export function launch(name) {
  const executablePath = findBrowser(name);
  if (!executablePath) throw new Error(`${name} is not installed`);
  return puppeteer.launch({ headless: true, executablePath, ...BROWSERS[name].options });
}
