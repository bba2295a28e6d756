// A Worker of the test's own, bundled and run by workerd on a port of its own.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import { Miniflare } from '../../miniflare.mjs';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** `source` imports from `edgegate/gate` and the adapters, as an application would. */
export async function startWorker(source) {
  const folder = mkdtempSync(join(tmpdir(), 'edgegate-adapter-'));
  const stop = () => rmSync(folder, { recursive: true, force: true });
  try {
    writeFileSync(join(folder, 'source.mjs'), source);
    await build({
      entryPoints: [join(folder, 'source.mjs')], bundle: true, format: 'esm', loader: { '.wasm': 'copy' }, conditions: ['workerd'],
      nodePaths: [path('../../../node_modules')],
      alias: {
        'edgegate/gate': path('../../../pkg/gate/workerd.js'),
        'edgegate/hono': path('../../../pkg/adapters/hono.js'),
        'edgegate/fetch': path('../../../pkg/adapters/fetch.js'),
      },
      outfile: join(folder, 'worker.mjs'), assetNames: '[name]', logLevel: 'error',
    });
    const wasm = readdirSync(folder).filter((name) => name.endsWith('.wasm'));
    const worker = new Miniflare({
      modules: [
        { type: 'ESModule', path: join(folder, 'worker.mjs') },
        ...wasm.map((name) => ({ type: 'CompiledWasm', path: join(folder, name) })),
      ],
      modulesRoot: folder, compatibilityDate: '2026-04-01', host: '127.0.0.1', port: 0,
      // workerd's own socket: Miniflare's entry would write requests anew.
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    });
    await worker.ready;
    const { port } = await worker.unsafeGetDirectURL();
    return {
      port: Number(port),
      stop: async () => {
        await worker.dispose();
        stop();
      },
    };
  } catch (error) {
    stop();
    throw error;
  }
}
