// Lists which functions of the Worker V8 compiles while an isolate starts, and for its first request: `node benches/compiled.mjs [FOLDER]`
// after `cargo xtask build --worker`. The request is that of the bench row `cold`.
//
// V8 compiles a function as a whole when it is called first, so bytes here are time. When another isolate starts, workerd has V8 throw away
// what it has compiled of all modules in the process, so the service behind the gate starts before it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import workerd from 'workerd';

import { partsOf } from './lib/crates.mjs';
import { AUDIENCE, ISSUER } from './lib/names.mjs';
import { newKey, newToken } from './lib/tokens.mjs';

const BUILD = path.resolve(process.argv[2] ?? fileURLToPath(new URL('../build/', import.meta.url)));
const NAMED = path.join(BUILD, 'names/index_bg.wasm');
/** `#12 using Liftoff, … bodysize 34 codesize 567`. */
const COMPILED = /#(\d+) using Liftoff.*bodysize (\d+) codesize (\d+)/g;
const SHOWN = 60;
/** The log comes some time after what it tells. */
const SETTLED_MILLIS = 500;

const key = newKey('HS256');
const policy = {
  issuers: [{ issuer: ISSUER, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
  routes: [
    { path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] } },
    { path: '/v1/posts', methods: ['POST'], scopes: { all: ['write:posts'] } },
  ],
};

const config = (port) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = ["--trace-wasm-compilation-times"],
  services = [(name = "upstream", worker = .upstream), (name = "gate", worker = .gate)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "gate")],
);
const upstream :Workerd.Worker = (
  modules = [(name = "upstream.js", esModule = embed "upstream.js")],
  compatibilityDate = "2026-04-01",
);
const gate :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "index.js"),
    (name = "./index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "2026-04-01",
  bindings = [
    (name = "POLICY", json = embed "policy.json"),
    (name = "JWT_SECRET", text = "${key.secret}"),
    (name = "UPSTREAM", service = "upstream"),
  ],
);
`;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** What workerd has printed by then: until it has started, and for one request after it. */
async function trace() {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgegate-compiled-'));
  const port = await freePort();
  const files = {
    'config.capnp': config(port),
    'policy.json': JSON.stringify(policy),
    'upstream.js': 'export default { fetch: () => new Response("posts") };',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  for (const name of ['index.js', 'index_bg.wasm']) copyFileSync(path.join(BUILD, name), path.join(folder, name));
  const started = spawn(workerd.default, ['serve', path.join(folder, 'config.capnp')], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  started.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  try {
    while (!printed.includes('Liftoff')) {
      if (started.exitCode !== null) throw new Error('workerd has ended');
      await sleep(SETTLED_MILLIS);
    }
    await sleep(2 * SETTLED_MILLIS);
    const start = printed.length;
    const headers = { Authorization: `Bearer ${newToken(key)}`, 'CF-Connecting-IP': '192.0.2.1' };
    const answer = await fetch(`http://127.0.0.1:${port}/v1/posts`, { headers });
    if (answer.status !== 200) throw new Error(`status ${answer.status}: ${await answer.text()}`);
    await sleep(SETTLED_MILLIS);
    return [printed.slice(0, start), printed.slice(start)];
  } finally {
    started.kill();
    rmSync(folder, { recursive: true });
  }
}

const bytes = readFileSync(NAMED);
const { functions } = partsOf(bytes);
const imported = WebAssembly.Module.imports(new WebAssembly.Module(bytes)).filter(({ kind }) => kind === 'function').length;
const nameOf = (number) => (functions[number - imported]?.name ?? '').replaceAll(/\[[0-9a-f]{16}\]|::h[0-9a-f]{16}$/g, '');

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const [start, first] = await trace();
for (const [title, text] of [['start', start], ['first request', first]]) {
  const compiled = [...text.matchAll(COMPILED)].map(([, number, wasm, code]) => ({ name: nameOf(Number(number)), wasm: Number(wasm), code: Number(code) }));
  console.log(`${title}: ${compiled.length} functions, ${sum(compiled.map(({ wasm }) => wasm))} bytes, ${sum(compiled.map(({ code }) => code))} of machine code`);
  for (const { name, wasm, code } of compiled.sort((a, b) => b.wasm - a.wasm).slice(0, SHOWN)) {
    console.log(`${String(wasm).padStart(8)} ${String(code).padStart(8)}  ${name}`);
  }
}
