// The installed package through Vite and esbuild, run where the bundle is for: in Chromium, and in Node.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { basename } from 'node:path';
import { after, before, test } from 'node:test';
import * as esbuild from 'esbuild';
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

test('esbuild bundles it for Node, and Node runs it', async () => {
  project.write('main.js', `import { ${NAMES} } from 'edgegate';${await sample()}console.log(JSON.stringify(await summary()));`);
  await esbuild.build({
    entryPoints: [project.path('main.js')], bundle: true, format: 'esm', platform: 'node', outfile: project.path('node-out/main.mjs'), logLevel: 'error',
  });
  copyFileSync(project.path('node_modules/edgegate/wasm/edgegate_fast_bg.wasm'), project.path('node-out/edgegate_fast_bg.wasm'));
  const { stdout } = await run('node', ['node-out/main.mjs'], { cwd: project.folder });
  assert.deepEqual(JSON.parse(stdout), EXPECTED);
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
