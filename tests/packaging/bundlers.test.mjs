// The installed package through Vite and esbuild, run where the bundle is for: in Chromium, and in Node.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path, { basename } from 'node:path';
import { after, before, test } from 'node:test';
import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import { build, createServer, preview } from 'vite';

import { launch, withPage } from '../browser/chromium.mjs';
import { EXPECTED, NAMES, createProject, run, sample } from './project.mjs';

const HTML = '<!doctype html><title>sample</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';

let project;
let browser;
before(async () => {
  [project, browser] = await Promise.all([createProject(), launch()]);
  project.write('page.js', `import { ${NAMES} } from 'edgegate';${await sample()}
    summary().then((all) => { globalThis.result = all; }, (error) => { globalThis.result = error.stack; });`);
  project.write('index.html', HTML);
});
after(async () => {
  await browser?.close();
  project?.dispose();
});

const resultAt = (url) => withPage(browser, url, async (page) => {
  const result = await page.waitForFunction(() => globalThis.result);
  return result.jsonValue();
});

test('Vite builds it, and Chromium runs it', async () => {
  const shared = { root: project.folder, configFile: false, logLevel: 'error' };
  await build(shared);
  const server = await preview({ ...shared, preview: { port: 0, host: '127.0.0.1' } });
  try {
    assert.deepEqual(await resultAt(server.resolvedUrls.local[0]), EXPECTED);
  } finally {
    await server.close();
  }
});

const develop = async (optimizeDeps) => {
  const server = await createServer({
    root: project.folder, configFile: false, logLevel: 'error', server: { port: 0, host: '127.0.0.1' }, optimizeDeps,
  });
  try {
    await server.listen();
    return await resultAt(server.resolvedUrls.local[0]);
  } finally {
    await server.close();
  }
};

test('Vite serves it in development when told as the README says, and Chromium runs it', async () => {
  assert.deepEqual(await develop({ exclude: ['edgegate'] }), EXPECTED);
});

test('Vite\'s dependency bundles leave the engine behind, and the error says where to read on', async () => {
  const message = await develop({ include: ['edgegate'] });
  assert.match(message, /^EdgegateError: the engine is not at http.*\/wasm\/edgegate_bg\.wasm \(no WebAssembly\): see "Bundlers"/);
});

test('esbuild bundles it for a browser, and Chromium runs it', async () => {
  const { metafile } = await esbuild.build({
    entryPoints: [project.path('page.js')], bundle: true, format: 'esm', platform: 'browser', outfile: project.path('out/page.js'),
    metafile: true, logLevel: 'error',
  });
  const inputs = Object.keys(metafile.inputs).map((name) => basename(name));
  assert.ok(inputs.includes('browser.js') && !inputs.some((name) => name.startsWith('node')), inputs.join());
  // esbuild leaves the URL of the engine as it is: relative to the bundle.
  const files = {
    '/': ['text/html', HTML],
    '/page.js': ['text/javascript', readFileSync(project.path('out/page.js'))],
    '/wasm/edgegate_bg.wasm': ['application/wasm', readFileSync(project.path('node_modules/edgegate/wasm/edgegate_bg.wasm'))],
  };
  const server = http.createServer((request, response) => {
    const [type, body] = files[request.url] ?? [];
    response.writeHead(type ? 200 : 404, { 'content-type': type ?? 'text/plain' }).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    assert.deepEqual(await resultAt(`http://127.0.0.1:${server.address().port}/`), EXPECTED);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

const MAIN = `import { ${NAMES}, createGate } from 'edgegate';`;

/** A bundle alone, in a folder where nothing of the package is, run by Node. */
async function runMoved(file) {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgegate-moved-'));
  try {
    copyFileSync(project.path(file), path.join(folder, basename(file)));
    const { stdout, stderr } = await run('node', [basename(file)], { cwd: folder });
    assert.equal(stderr, '');
    return JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A program that also makes a gate, whose engine is another one. */
const program = async (load) => `${load}${await sample()}
  const gate = createGate({ issuers: [{ issuer: 'https://issuer.test/', audience: ['a'], algorithms: ['HS256'], secret: 'S' }] }, { secrets: { S: secret } });
  (async () => {
    const { status } = await gate.check({ method: 'GET', url: '/', headers: {} });
    console.log(JSON.stringify({ ...await summary(), status }));
  })();`;

for (const [format, load, options] of [
  ['esm', MAIN],
  ['cjs', MAIN],
  ['cjs', MAIN.replace(/^import (.*) from (.*);/, 'const $1 = require($2);')],
  ['esm', MAIN, { conditions: ['own'] }],
  ['cjs', MAIN, { conditions: ['own'] }],
  ['cjs', MAIN.replace(/^import (.*) from (.*);/, 'const $1 = require($2);'), { conditions: ['own'] }],
]) {
  test(`esbuild bundles it for Node as ${format}, by ${load.split(' ', 1)}${options ? ', with conditions' : ''}, and it runs in another folder`, async () => {
    project.write('main.js', await program(load));
    const outfile = project.path(`node-out/main.${format === 'esm' ? 'mjs' : 'cjs'}`);
    await esbuild.build({ entryPoints: [project.path('main.js')], bundle: true, format, platform: 'node', outfile, logLevel: 'error', ...options });
    assert.deepEqual(await runMoved(path.relative(project.folder, outfile)), { ...EXPECTED, status: 401 });
  });
}

test('Rollup bundles it without being told for what, and it runs in another folder', async () => {
  project.write('main.js', await program(MAIN));
  // As its plugin resolves by default: neither for Node nor for browsers.
  const exported = JSON.parse(readFileSync(project.path('node_modules/edgegate/package.json'), 'utf8')).exports['.'];
  const named = Object.keys(exported).find((condition) => ['default', 'module', 'import'].includes(condition));
  const resolving = {
    name: 'resolving', resolveId: (id) => (id === 'edgegate' ? project.path(`node_modules/edgegate/${exported[named].default}`) : null),
  };
  const bundle = await rollup({ input: project.path('main.js'), plugins: [resolving] });
  await bundle.write({ file: project.path('rollup-out/main.mjs'), format: 'es' });
  // In this platform RSA is for WebCrypto.
  assert.deepEqual(await runMoved('rollup-out/main.mjs'), { ...EXPECTED, status: 401 });
});

test('a bundle that makes no gate is without its engine', async () => {
  project.write('verifier.js', "import { createVerifier } from 'edgegate'; console.log(createVerifier);");
  for (const platform of ['node', 'neutral']) {
    const { metafile, outputFiles } = await esbuild.build({
      entryPoints: [project.path('verifier.js')], bundle: true, format: 'esm', platform, conditions: platform === 'neutral' ? ['module'] : undefined,
      metafile: true, write: false, logLevel: 'error', external: ['node:*'],
    });
    const engine = readFileSync(project.path('node_modules/edgegate/wasm/edgegate_gate_text.js'), 'utf8').slice(21, 200);
    assert.ok(!outputFiles[0].text.includes(engine), Object.keys(metafile.inputs).join());
  }
});

test('slim takes the engine as the build loads it, for a gate too', async () => {
  project.write('slim.js', `import { ${NAMES}, createGate, initSync } from 'edgegate/gate/slim';
    import engine from 'edgegate/edgegate-gate.wasm';
    initSync(engine);
    ${await program('')}`);
  await esbuild.build({
    entryPoints: [project.path('slim.js')], bundle: true, format: 'cjs', platform: 'node', target: 'node20',
    outfile: project.path('slim-out/main.cjs'), loader: { '.wasm': 'binary' }, logLevel: 'error',
  });
  assert.deepEqual(await runMoved('slim-out/main.cjs'), { ...EXPECTED, status: 401 });
});

test('esbuild bundles what is inline for a browser, and Chromium runs it from one file', async () => {
  project.write('inline.js', (await program(MAIN.replace("'edgegate'", "'edgegate/gate/inline'"))).replace('console.log(JSON.stringify(', 'globalThis.result = ((')
    .replace('(async () => {', '(async () => { await gate.ready();'));
  const { outputFiles } = await esbuild.build({
    entryPoints: [project.path('inline.js')], bundle: true, format: 'esm', platform: 'browser', write: false, logLevel: 'error',
  });
  const server = http.createServer((request, response) => {
    const isPage = request.url === '/';
    response.writeHead(200, { 'content-type': isPage ? 'text/html' : 'text/javascript' }).end(isPage ? HTML : outputFiles[0].contents);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    assert.deepEqual(await resultAt(`http://127.0.0.1:${server.address().port}/`), { ...EXPECTED, status: 401 });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('what is not used is left out, and the entry still has its platform', async () => {
  project.write('little.js', "import { decodeUnverified } from 'edgegate'; console.log(decodeUnverified);");
  const { metafile } = await esbuild.build({
    entryPoints: [project.path('little.js')], bundle: true, format: 'esm', platform: 'browser', metafile: true, write: false, logLevel: 'error',
  });
  const inputs = Object.keys(metafile.inputs).map((name) => basename(name));
  // A barrel whose effects were dropped would be left without a platform.
  assert.ok(inputs.includes('web-platform.js'), inputs.join());
});
