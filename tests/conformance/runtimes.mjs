// The runtimes that the conformance suites run in: `run(suite, data)`, and `ask(url)`, which fetches.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import * as edgegate from '../../pkg/wasm/node.js';
import * as pure from '../../pkg/wasm/pure.js';
import { launch, openPage, serve } from '../browser/chromium.mjs';
import { launch as launchFirefox } from '../clients/browsers.mjs';
import { miniflareOf } from '../miniflare.mjs';
import { SUITES } from './suites.mjs';

const INSECURE_HOST = 'insecure.test';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** The Node that runs the tests. */
const here = (name, edgegate) => ({
  name,
  start: async () => ({
    run: (suite, data) => SUITES[suite](edgegate, data),
    ask: async (url) => (await fetch(url)).status,
    stop: async () => {},
  }),
});

/** A program of `runtimes/`, with the package's entry. */
const inProcess = (name, program, entry) => ({
  name,
  start: async () => {
    const [file, ...words] = program();
    const child = spawn(file, [...words, path('process.mjs'), new URL(entry, import.meta.url).href], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async (job) => {
      child.stdin.write(`${JSON.stringify(job)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${name} has ended: ${await ended}`);
      return JSON.parse(value);
    };
    return {
      run: (suite, data) => ask({ suite, data }),
      ask: (url) => ask({ ask: url }),
      stop: async () => {
        child.stdin.end();
        await ended;
      },
    };
  },
});

const installed = (program) => {
  const file = path(`runtimes/node_modules/${program}`);
  if (!existsSync(file)) throw new Error(`${file} is missing: run npm ci in tests/conformance/runtimes`);
  return file;
};
const node = (major) => () => [installed(`node${major}-${process.platform}-${process.arch}/bin/node`)];
export const deno = () => [installed('.bin/deno'), 'run', '--quiet', '--no-prompt', '--allow-read', '--allow-net=127.0.0.1'];
export const bun = () => [installed('.bin/bun')];

const inWorkerd = (name, entry, age = 'newest') => ({
  name,
  start: async () => {
    const { Miniflare } = miniflareOf(age);
    const folder = mkdtempSync(join(tmpdir(), 'edgegate-conformance-'));
    await build({
      entryPoints: [path('worker.mjs')], bundle: true, format: 'esm', alias: { edgegate: path(entry) }, loader: { '.wasm': 'copy' },
      outfile: join(folder, 'worker.mjs'), assetNames: '[name]', logLevel: 'error',
    });
    const wasm = readdirSync(folder).find((name) => name.endsWith('.wasm'));
    const worker = new Miniflare({
      modules: [{ type: 'ESModule', path: join(folder, 'worker.mjs') }, { type: 'CompiledWasm', path: join(folder, wasm) }],
      modulesRoot: folder, compatibilityDate: '2026-04-01',
    });
    const post = async (body) => {
      const response = await worker.dispatchFetch('http://conformance/', { method: 'POST', body: JSON.stringify(body) });
      if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
      return response;
    };
    return {
      run: async (suite, data) => (await post({ suite, data })).json(),
      ask: async (url) => Number(await (await post({ ask: url })).text()),
      stop: async () => {
        await worker.dispose();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
});

async function runInPage({ entry, suite, data }) {
  const [edgegate, { SUITES }] = await Promise.all([import(entry), import('/tests/conformance/suites.mjs')]);
  await edgegate.ready();
  return SUITES[suite](edgegate, data);
}

const askInPage = async (url) => (await fetch(url)).status;

/**
 * The files of `pkg/` as they are, without a bundler. A host that is not this machine by name has no https here, so the page has no
 * WebCrypto.
 */
const inChromium = (name, entry, host = '127.0.0.1') => ({
  name,
  withoutWebCrypto: host === INSECURE_HOST,
  start: async () => {
    const server = await serve(path('../..'));
    const browser = await launch(`--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`).catch((error) => {
      server.stop();
      throw error;
    });
    const stop = async () => {
      await browser.close();
      server.stop();
    };
    try {
      const { page, close } = await openPage(browser, `http://${host}:${server.port}/`);
      assert.equal(await page.evaluate(() => typeof crypto.subtle), host === INSECURE_HOST ? 'undefined' : 'object');
      return {
        run: (suite, data) => page.evaluate(runInPage, { entry, suite, data }),
        ask: (url) => page.evaluate(askInPage, url),
        stop: () => close().finally(stop),
      };
    } catch (error) {
      await stop();
      throw error;
    }
  },
});

/** The same in Firefox. */
const inFirefox = (name, entry) => ({
  name,
  start: async () => {
    const server = await serve(path('../..'));
    const browser = await launchFirefox('firefox').catch((error) => {
      server.stop();
      throw error;
    });
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.port}/`);
    return {
      run: (suite, data) => page.evaluate(runInPage, { entry, suite, data }),
      ask: (url) => page.evaluate(askInPage, url),
      stop: async () => {
        await browser.close();
        server.stop();
      },
    };
  },
});

const ENTRY = '../../pkg/wasm/node.js';
const PURE = '../../pkg/wasm/pure.js';
/** What a bundler, Deno and Bun get: the engine is in it as text. */
const INLINE = '../../pkg/wasm/inline.js';
const PURE_INLINE = '../../pkg/wasm/pure-inline.js';

/** Each kind of runtime. */
export const QUICK = [
  here('Node', edgegate),
  inWorkerd('workerd', '../../pkg/workerd.js'),
  inChromium('Chromium', '/pkg/browser.js'),
  inProcess('Deno', deno, INLINE),
  inProcess('Bun', bun, INLINE),
  here('pure on Node', pure),
  inWorkerd('pure in workerd', '../../pkg/pure/workerd.js'),
  inChromium('pure in Chromium without WebCrypto', '/pkg/pure/browser.js', INSECURE_HOST),
];

/** Other versions of them, and another browser. */
export const MATRIX = [
  inProcess('Node 22', node(22), ENTRY),
  inProcess('Node 26', node(26), ENTRY),
  inWorkerd('the oldest workerd', '../../pkg/workerd.js', 'oldest'),
  inFirefox('Firefox', '/pkg/browser.js'),
  inProcess('pure on Node 22', node(22), PURE),
  inProcess('pure on Node 26', node(26), PURE),
  inProcess('pure on Deno', deno, PURE_INLINE),
  inProcess('pure on Bun', bun, PURE_INLINE),
  inWorkerd('pure in the oldest workerd', '../../pkg/pure/workerd.js', 'oldest'),
  inFirefox('pure in Firefox', '/pkg/pure/browser.js'),
];
