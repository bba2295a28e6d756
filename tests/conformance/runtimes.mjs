// The runtimes that the conformance suites run in: `run(suite, data)`, and `ask(url)`, which fetches.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

import * as edgegate from '../../pkg/wasm/node.js';
import * as pure from '../../pkg/wasm/pure.js';
import { launch, openPage, serve } from '../browser/chromium.mjs';
import { SUITES } from './suites.mjs';

const INSECURE_HOST = 'insecure.test';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

const onNode = (name, edgegate) => ({
  name,
  start: async () => ({
    run: (suite, data) => SUITES[suite](edgegate, data),
    ask: async (url) => (await fetch(url)).status,
    stop: async () => {},
  }),
});

const inWorkerd = (name, entry) => ({
  name,
  start: async () => {
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

/**
 * The files of `pkg/` as they are, without a bundler. A host that is not this machine by name has no https here, so the page has no
 * WebCrypto.
 */
const inChromium = (name, entry, { host = '127.0.0.1' } = {}) => ({
  name,
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
        run: (suite, data) => page.evaluate(async (job) => {
          const [edgegate, { SUITES }] = await Promise.all([import(job.entry), import('/tests/conformance/suites.mjs')]);
          await edgegate.ready();
          return SUITES[job.suite](edgegate, job.data);
        }, { entry, suite, data }),
        ask: (url) => page.evaluate(async (address) => (await fetch(address)).status, url),
        stop: () => close().finally(stop),
      };
    } catch (error) {
      await stop();
      throw error;
    }
  },
});

export const RUNTIMES = [
  onNode('Node', edgegate),
  inWorkerd('workerd', '../../pkg/workerd.js'),
  inChromium('Chromium', '/pkg/browser.js'),
  onNode('pure on Node', pure),
  inWorkerd('pure in workerd', '../../pkg/pure/workerd.js'),
  inChromium('pure in Chromium without WebCrypto', '/pkg/pure/browser.js', { host: INSECURE_HOST }),
];
