// Three browser engines behind one interface. Chromium and Firefox are driven by puppeteer, WebKit by WebDriver, each without a window.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import puppeteer from 'puppeteer-core';

import { findBrowser } from '../clients/browsers.mjs';
import { closedPort } from '../worker/harness.mjs';

const { args } = JSON.parse(readFileSync(new URL('../../webdriver.json', import.meta.url), 'utf8'))['goog:chromeOptions'];

const MINI_BROWSERS = ['4.1', '4.0'].map((version) => `/usr/lib/x86_64-linux-gnu/webkit2gtk-${version}/MiniBrowser`);

/** The engines that are installed here. WebKit needs a display, which Xvfb gives. */
export function installedEngines() {
  const hasWebkit = ['/usr/bin/WebKitWebDriver', '/usr/bin/Xvfb'].every(existsSync) && MINI_BROWSERS.some(existsSync);
  return [
    ...['chromium', 'firefox'].filter((name) => findBrowser(name)),
    ...(hasWebkit ? ['webkit'] : []),
  ];
}

/** Starts an engine whose requests all go through this proxy. Certificates are not looked at. */
export function launch(name, { proxy, itp = false } = {}) {
  if (name === 'webkit') return launchWebkit(proxy, itp);
  return launchPuppeteer(name, proxy);
}

async function launchPuppeteer(name, proxy) {
  const executablePath = findBrowser(name);
  if (!executablePath) throw new Error(`${name} is not installed`);
  const browser = await puppeteer.launch({
    headless: true,
    executablePath,
    acceptInsecureCerts: true,
    protocolTimeout: 120_000,
    ...(name === 'firefox' ? { browser: 'firefox', extraPrefsFirefox: firefoxPreferences(proxy) } : { args: [...args, ...chromiumArguments(proxy)] }),
  });
  return {
    name,
    version: await browser.version(),
    async profile() {
      const context = await browser.createBrowserContext();
      return {
        tab: async () => new PuppeteerTab(await context.newPage()),
        close: () => context.close(),
      };
    },
    close: () => browser.close(),
  };
}

const chromiumArguments = (proxy) => ['--ignore-certificate-errors', ...(proxy ? [`--proxy-server=127.0.0.1:${proxy}`, '--proxy-bypass-list=<-loopback>'] : [])];

/** Firefox asks for updates, portals and the like unless told not to. */
const firefoxPreferences = (proxy) => ({
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'dom.security.https_first': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  ...(proxy ? {
    'network.proxy.type': 1,
    'network.proxy.http': '127.0.0.1',
    'network.proxy.http_port': proxy,
    'network.proxy.ssl': '127.0.0.1',
    'network.proxy.ssl_port': proxy,
    'network.proxy.no_proxies_on': '',
    'network.proxy.allow_hijacking_localhost': true,
  } : {}),
});

/** How long a page may take to load. */
const LOAD_MILLIS = 60_000;

class PuppeteerTab {
  constructor(tab) {
    this.tab = tab;
    tab.setDefaultTimeout(LOAD_MILLIS);
    tab.on('dialog', (dialog) => dialog.accept());
  }

  /** Goes to an address as one who types it. Where that leads, and whether it fails, is seen afterwards. */
  async goto(url) {
    await this.tab.goto(url, { waitUntil: 'load' }).catch(() => {});
  }

  evaluate(script, ...values) {
    return this.tab.evaluate(script, ...values);
  }

  url() {
    return this.evaluate(() => location.href);
  }

  async back() {
    await this.tab.goBack({ waitUntil: 'load' }).catch(() => {});
  }

  async reload() {
    await this.tab.reload({ waitUntil: 'load' }).catch(() => {});
  }

  close() {
    return this.tab.close();
  }
}

/** One display. A driver has one browser, and automation keeps nothing, so each profile has a driver of its own. */
async function launchWebkit(proxy, itp) {
  const display = `:${90 + Math.floor(Math.random() * 9000)}`;
  const xvfb = spawn('/usr/bin/Xvfb', [display, '-screen', '0', '1024x768x24', '-nolisten', 'tcp'], { stdio: 'ignore' });
  // WebDriver's `sslProxy` would be spoken to by TLS. The driver itself speaks to the browser on loopback.
  const proxies = proxy ? { http_proxy: `http://127.0.0.1:${proxy}`, https_proxy: `http://127.0.0.1:${proxy}` } : {};
  const env = { ...process.env, ...proxies, no_proxy: '127.0.0.1', DISPLAY: display, GDK_BACKEND: 'x11', NO_AT_BRIDGE: '1', WEBKIT_DISABLE_COMPOSITING_MODE: '1' };
  const profiles = new Set();
  const profile = async () => {
    const opened = await openWebkit(env, itp);
    profiles.add(opened);
    return opened;
  };
  const first = await profile();
  await first.close();
  return {
    name: 'webkit',
    version: `WebKitGTK/${first.version}`,
    profile,
    async close() {
      await Promise.all([...profiles].map((one) => one.close()));
      await ended(xvfb);
    },
  };
}

const ended = async (child) => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
};

/** A driver with its browser. */
async function openWebkit(env, itp) {
  const port = await closedPort();
  const driver = spawn('/usr/bin/WebKitWebDriver', [`--port=${port}`, '--host=127.0.0.1'], { stdio: 'ignore', env });
  const call = async (method, target, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${target}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const { value } = await response.json();
    if (value?.error) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  for (let attempt = 0; !(await call('GET', '/status').then(() => true, () => false)); attempt += 1) {
    if (attempt > 400) throw new Error('WebKitWebDriver does not answer');
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  const capabilities = {
    acceptInsecureCerts: true,
    unhandledPromptBehavior: 'accept',
    timeouts: { pageLoad: LOAD_MILLIS, script: LOAD_MILLIS },
    'webkitgtk:browserOptions': { binary: MINI_BROWSERS.find(existsSync), args: ['--automation', ...(itp ? ['--enable-itp'] : [])] },
  };
  const { sessionId, capabilities: { browserVersion } } = await call('POST', '/session', { capabilities: { alwaysMatch: capabilities } });
  const base = `/session/${sessionId}`;
  const close = async () => {
    if (driver.exitCode === null) await call('DELETE', base).catch(() => {});
    await ended(driver);
  };
  return { ...webdriverProfile((method, target, body) => call(method, `${base}${target}`, body)), close, version: browserVersion };
}

/** WebDriver speaks to one tab at a time, so commands wait for each other. */
function webdriverProfile(call) {
  let last = Promise.resolve();
  const inTurn = (step) => {
    const mine = last.then(step);
    last = mine.catch(() => {});
    return mine;
  };
  let isFirst = true;
  const tab = () => inTurn(async () => {
    const handle = isFirst ? await call('GET', '/window') : (await call('POST', '/window/new', { type: 'tab' })).handle;
    isFirst = false;
    const run = (method, target, body) => inTurn(async () => {
      await call('POST', '/window', { handle });
      return call(method, target, body);
    });
    return new WebdriverTab(run);
  });
  return { tab };
}

class WebdriverTab {
  constructor(run) {
    this.run = run;
  }

  async goto(url) {
    await this.run('POST', '/url', { url }).catch(() => {});
  }

  async evaluate(script, ...values) {
    const answer = await this.run('POST', '/execute/async', {
      script: 'const done = arguments[arguments.length - 1]; '
        + `Promise.resolve((${script})(...Array.from(arguments).slice(0, -1))).then((value) => done({ value }), (error) => done({ error: String(error) }));`,
      args: values,
    });
    if (answer?.error) throw new Error(answer.error);
    return answer?.value;
  }

  url() {
    return this.run('GET', '/url');
  }

  async back() {
    await this.run('POST', '/back', {}).catch(() => {});
  }

  async reload() {
    await this.run('POST', '/refresh', {}).catch(() => {});
  }

  close() {
    return this.run('DELETE', '/window');
  }
}
