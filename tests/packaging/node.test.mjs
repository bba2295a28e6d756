// The installed package under Node, by import and by require.

import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { EXPECTED, NAMES, createProject, run, sample } from './project.mjs';

let project;
before(async () => {
  project = await createProject();
});
after(() => project?.dispose());

const output = async (file) => {
  const { stdout, stderr } = await run('node', [file], { cwd: project.folder });
  assert.equal(stderr, '');
  return stdout;
};

for (const [entry, name] of [['edgegate', 'main'], ['edgegate/pure', 'pure'], ['edgegate/inline', 'inline'], ['edgegate/gate/inline', 'gate-inline']]) {
  test(`${entry} is imported`, async () => {
    const file = project.write(`${name}.mjs`, `import { ${NAMES} } from '${entry}';${await sample()}console.log(JSON.stringify(await summary()));`);
    assert.deepEqual(JSON.parse(await output(file)), EXPECTED);
  });

  test(`${entry} is required`, async () => {
    const file = project.write(`${name}.cjs`, `const { ${NAMES} } = require('${entry}');${await sample()}summary().then((all) => console.log(JSON.stringify(all)));`);
    assert.deepEqual(JSON.parse(await output(file)), EXPECTED);
  });
}

test('slim is imported and required, and takes the engine that the package holds', async () => {
  const engine = "readFileSync(RESOLVE('edgegate/edgegate.wasm'))";
  const esm = project.write('slim.mjs', `
    import { readFileSync } from 'node:fs';
    import { fileURLToPath } from 'node:url';
    import { ${NAMES}, initSync } from 'edgegate/slim';
    ${await sample()}
    initSync(${engine.replace('RESOLVE', '((name) => fileURLToPath(import.meta.resolve(name)))')});
    console.log(JSON.stringify(await summary()));`);
  const cjs = project.write('slim.cjs', `
    const { readFileSync } = require('node:fs');
    const { ${NAMES}, init } = require('edgegate/slim');
    ${await sample()}
    init(${engine.replace('RESOLVE', 'require.resolve')}).then(summary).then((all) => console.log(JSON.stringify(all)));`);
  for (const file of [esm, cjs]) assert.deepEqual(JSON.parse(await output(file)), EXPECTED, file);
});

/** With the engine that has the guard. */
const GUARDED = ['checkPolicy', 'createGate', 'd1Store', 'kvStore', 'memoryStore', 'redisStore'];

test('each entry offers the same, and by require as by import', async () => {
  const file = project.write('names.mjs', `
    import { createRequire } from 'node:module';
    const require = createRequire(import.meta.url);
    const names = {};
    for (const entry of ['edgegate', 'edgegate/gate', 'edgegate/inline', 'edgegate/gate/inline', 'edgegate/slim', 'edgegate/gate/slim', 'edgegate/pure']) {
      names[entry] = [Object.keys(await import(entry)).sort(), Object.keys(require(entry)).sort()];
    }
    for (const file of ['browser.js', 'gate/browser.js', 'pure/browser.js', 'inline.js', 'gate/inline.js', 'pure/inline.js', 'gate/slim.js']) {
      const offered = Object.keys(await import('./node_modules/edgegate/' + file)).sort();
      names[file] = [offered, offered];
    }
    console.log(JSON.stringify(names));`);
  const names = JSON.parse(await output(file));
  for (const [entry, [imported, required]] of Object.entries(names)) {
    assert.deepEqual(imported, required, entry);
    const slimOrPure = /slim|pure/.test(entry) && !/(^|\/)gate\//.test(entry);
    const expected = names.edgegate[0].filter((name) => !slimOrPure || !GUARDED.includes(name));
    assert.deepEqual(imported.filter((name) => !['init', 'initSync'].includes(name)), expected, entry);
  }
});

test('the adapters are imported and required, without their frameworks, and take what the package makes', async () => {
  const program = (load) => `
    const outcome = {};
    for (const name of ['express', 'fastify', 'fetch', 'hono', 'koa', 'lambda']) {
      const { guard } = ${load};
      const verifier = createVerifier({ issuer: 'https://issuer.test/', algorithms: ['HS256'], key: new Uint8Array(32) });
      const gate = createGate({ issuers: [] });
      outcome[name] = [verifier, gate].map((one) => typeof (['fetch', 'lambda'].includes(name) ? guard(one, () => {}) : guard(one)));
    }
    console.log(JSON.stringify(outcome));`;
  const expected = Object.fromEntries(['express', 'fastify', 'fetch', 'hono', 'koa', 'lambda'].map((name) => [name, ['function', 'function']]));
  const esm = project.write('adapters.mjs', `import { createGate, createVerifier } from 'edgegate';${program("await import('edgegate/' + name)")}`);
  const cjs = project.write('adapters.cjs', `const { createGate, createVerifier } = require('edgegate');${program("require('edgegate/' + name)")}`);
  for (const file of [esm, cjs]) assert.deepEqual(JSON.parse(await output(file)), expected, file);
});

test('imported entries share what is one thing: the class of refusals, and keys', async () => {
  const file = project.write('shared.mjs', `
    import { EdgegateError, importKey } from 'edgegate';
    import * as pure from 'edgegate/pure';
    import * as slim from 'edgegate/slim';
    const key = await importKey(new Uint8Array(32), { alg: 'HS256' });
    pure.createVerifier({ issuer: 'https://issuer.test/', algorithms: ['HS256'], key });
    console.log([pure, slim].every((entry) => entry.EdgegateError === EdgegateError));
  `);
  assert.equal(await output(file), 'true\n');
});

test('importing it loads no engine and starts nothing', async () => {
  const file = project.write('idle.mjs', `
    const { Module } = WebAssembly;
    let modules = 0;
    WebAssembly.Module = function (...args) { modules += 1; return new Module(...args); };
    globalThis.fetch = () => { throw new Error('fetched'); };
    await import('edgegate');
    await import('edgegate/pure');
    const slim = await import('edgegate/slim');
    console.log(modules, typeof slim.initSync, process.getActiveResourcesInfo().includes('Timeout'));
  `);
  assert.equal(await output(file), '0 function false\n');
});

test('Node reads the engine from its file, and takes the text where the file is gone', async () => {
  const wasm = (ending) => ['fast', 'gate', 'pure'].map((name) => project.path(`node_modules/edgegate/wasm/edgegate_${name}_${ending}`));
  const hidden = (file) => `${file}.hidden`;
  for (const ending of ['text.js', 'bg.wasm']) {
    for (const file of wasm(ending)) renameSync(file, hidden(file));
    try {
      for (const name of ['main', 'pure']) {
        for (const kind of ['mjs', 'cjs']) assert.deepEqual(JSON.parse(await output(`${name}.${kind}`)), EXPECTED, `${name}.${kind} without ${ending}`);
      }
    } finally {
      for (const file of wasm(ending)) renameSync(hidden(file), file);
    }
  }
});

test('a host that forbids WebAssembly is told so', async () => {
  project.write('forbidden.mjs', `
    import { createVerifier } from 'edgegate';
    try { createVerifier({ issuer: 'x', algorithms: ['HS256'], key: new Uint8Array(32) }); } catch ({ code, message }) { console.log(code, message); }`);
  const { stdout } = await run('node', ['--jitless', 'forbidden.mjs'], { cwd: project.folder });
  assert.equal(stdout, 'CONFIG_ERROR this host compiles no WebAssembly (WebAssembly is not defined): see "Hosts that forbid WebAssembly" in the README of edgegate\n');
});
