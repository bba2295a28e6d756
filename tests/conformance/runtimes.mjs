// The runtimes that the conformance suites run in: `run(suite, data)`, and `ask(url)`, which fetches.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

import * as edgegate from '../../pkg/node.js';
import { SUITES } from './suites.mjs';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

export const node = {
  name: 'Node',
  start: async () => ({
    run: (suite, data) => SUITES[suite](edgegate, data),
    ask: async (url) => (await fetch(url)).status,
    stop: async () => {},
  }),
};

export const workerd = {
  name: 'workerd',
  start: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'edgegate-conformance-'));
    await build({
      entryPoints: [path('worker.mjs')], bundle: true, format: 'esm', alias: { edgegate: path('../../pkg/workerd.js') }, loader: { '.wasm': 'copy' },
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
};
