// The contents of the tarball, and the verdict of tools that judge packages.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

import { PKG, createProject, program, run } from './project.mjs';

let project;
before(async () => {
  project = await createProject();
});
after(() => project?.dispose());

const manifest = () => JSON.parse(readFileSync(project.path('node_modules/edgegate/package.json'), 'utf8'));

test('the tarball holds what is needed and nothing else', () => {
  const inFolder = (folder) => readdirSync(path.join(PKG, folder)).map((name) => `${folder}/${name}`);
  const filesBelow = (folder) => readdirSync(path.join(PKG, folder), { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile()).map((one) => path.relative(PKG, path.join(one.parentPath, one.name)));
  const expected = [
    'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json', 'client.d.ts', 'gate.d.ts', 'index.d.ts', 'inline.d.ts', 'policy.d.ts', 'pure.d.ts', 'sinks.d.ts', 'slim.d.ts', 'store-contract.d.ts', 'testing.d.ts', 'worker.d.ts',
    'browser.js', 'client.js', 'edge-light.js', 'inline.js', 'sinks.js', 'slim.js', 'slim-edge-light.js', 'store-contract.js', 'workerd.js', 'bin/LICENSES.txt', 'bin/edgegate.js', 'worker/index.js', 'worker/index_bg.wasm', ...inFolder('adapters'), ...inFolder('gate'), ...filesBelow('lib'), ...inFolder('pure'), ...inFolder('schema'), 'wasm/policy.d.cts',
    ...['edgegate', 'edgegate_fast', 'edgegate_gate', 'edgegate_pure'].flatMap((name) => [`wasm/${name}_bg.wasm`, `wasm/${name}_text.js`]),
    'wasm/inline.js', 'wasm/pure-inline.js', 'wasm/fast-text.cjs', 'wasm/gate-text.cjs', 'wasm/pure-text.cjs',
    ...['client', 'express', 'fastify', 'fetch', 'gate-slim', 'hono', 'koa', 'lambda', 'node', 'pure', 'sinks', 'slim', 'store-contract', 'testing'].flatMap((name) => [`wasm/${name}.js`, `wasm/${name}.cjs`, `wasm/${name}.d.cts`]),
    ...inFolder('wasm').filter((name) => /^wasm\/shared-[0-9A-Z]+\.js$/.test(name)),
  ];
  assert.deepEqual(project.packed.files.map((file) => file.path).sort(), expected.sort());
});

test('every file that package.json names is there, types first', () => {
  const { exports, main, types } = manifest();
  const missing = [];
  const look = (value) => {
    if (typeof value === 'string') {
      if (!existsSync(project.path(path.join('node_modules/edgegate', value)))) missing.push(value);
      return;
    }
    const names = Object.keys(value);
    if (names.includes('types')) assert.equal(names[0], 'types');
    Object.values(value).forEach(look);
  };
  [main, types, exports].forEach(look);
  assert.deepEqual(missing, []);
});

test('it brings nothing along, and runs nothing when it is installed', () => {
  const { dependencies, scripts } = manifest();
  assert.deepEqual({ dependencies, scripts }, { dependencies: undefined, scripts: undefined });
  assert.deepEqual(readdirSync(project.path('node_modules')).filter((name) => !name.startsWith('.')), ['edgegate']);
});

test('publint finds nothing', async () => {
  const { messages, pkg } = await publint({ pkgDir: project.path('node_modules/edgegate'), pack: false, strict: true });
  assert.deepEqual(messages.map((message) => formatMessage(message, pkg)), []);
});

test('attw finds nothing: types fit under every resolution', async () => {
  // The importer of a wasm file has to declare its type. The Worker runs in Workers alone, which know no `require`.
  const { stdout } = await run(program('attw'), [
    project.packed.tarball, '--format', 'json', '--no-definitely-typed', '--exclude-entrypoints', 'edgegate.wasm', 'edgegate-gate.wasm',
    'edgegate-pure.wasm', 'worker',
  ], { maxBuffer: 64 * 1024 * 1024 }).catch((error) => error);
  const { problems, analysis } = JSON.parse(stdout);
  assert.deepEqual(problems, {});
  const looked = Object.keys(analysis.entrypoints).sort();
  assert.deepEqual(looked, Object.keys(manifest().exports).filter((name) => !name.endsWith('.wasm') && name !== './worker').sort());
});
