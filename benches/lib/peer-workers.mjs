// The Workers of `benches/peers/`, as workers of Miniflare.

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const PEERS = fileURLToPath(new URL('../peers/', import.meta.url));
const bundles = new Map();

/** As wrangler deploys it: in one module, minified. */
function bundled(file) {
  if (!bundles.has(file)) {
    bundles.set(file, build({
      entryPoints: [path.join(PEERS, file)],
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      target: 'esnext',
      conditions: ['workerd', 'worker', 'browser'],
      logLevel: 'warning',
    }).then(({ outputFiles: [{ text }] }) => text));
  }
  return bundles.get(file);
}

/** `file` of `benches/peers/`; `rest` are options of Miniflare. */
export async function peerWorker(file, rest = {}) {
  return {
    name: path.basename(file, '.mjs'),
    compatibilityDate: '2026-04-01',
    modules: [{ type: 'ESModule', path: file, contents: await bundled(file) }],
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    ...rest,
  };
}
