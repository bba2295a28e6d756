// Starts workerd with the contestants bundled into one Worker, and asks it over a loopback socket.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import { Log, LogLevel, Miniflare } from '../../tests/miniflare.mjs';
import { wallClock } from '../lib/measure.mjs';
import { withProcessorClock } from '../lib/workerd-process.mjs';

const here = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Leaves wasm out of the bundle: on Workers it is a module of its own. */
function wasmModules(found) {
  return {
    name: 'wasm',
    setup({ onResolve }) {
      onResolve({ filter: /\.wasm$/ }, ({ path: given, resolveDir }) => {
        const name = path.basename(given);
        found.set(name, path.join(resolveDir, given));
        return { path: `./${name}`, external: true };
      });
    },
  };
}

async function ready(mf) {
  await mf.ready;
  return mf;
}

export async function startRuntime() {
  const wasm = new Map();
  const { outputFiles: [bundle] } = await build({
    entryPoints: [here('worker.mjs')],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'esnext',
    conditions: ['workerd', 'worker', 'browser'],
    alias: { edgegate: here('../../pkg/workerd.js') },
    plugins: [wasmModules(wasm)],
    logLevel: 'warning',
  });
  const { started: mf, clock } = await withProcessorClock(() => ready(new Miniflare({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    log: new Log(LogLevel.WARN),
    workers: [{
      name: 'bench',
      compatibilityDate: '2026-04-01',
      modules: [
        { type: 'ESModule', path: 'worker.mjs', contents: bundle.text },
        ...[...wasm].map(([name, file]) => ({ type: 'CompiledWasm', path: name, contents: readFileSync(file) })),
      ],
      // Straight to workerd, not through Miniflare's own Worker in front.
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    }],
  })));
  const { port } = await mf.unsafeGetDirectURL('bench');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  return {
    /** What it takes of the processor, or of the time where that cannot be known. */
    clock: clock ?? wallClock,

    async ask(method, target, body) {
      const request = http.request({ agent, host: '127.0.0.1', port, method, path: target });
      request.end(body);
      const [response] = await once(request, 'response');
      let text = '';
      response.setEncoding('utf8');
      for await (const chunk of response) text += chunk;
      return { status: response.statusCode, text };
    },
    async dispose() {
      agent.destroy();
      await mf.dispose();
    },
  };
}
