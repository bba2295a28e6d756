// The package as npm packs it, installed into a project of its own: Node by import and by require, TypeScript, workerd.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

import { CLAIMS, NOW, pairFor, signBy } from './support.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const pkg = join(root, 'pkg');
let project;
let packed;

before(async () => {
  project = mkdtempSync(join(tmpdir(), 'edgegate-packed-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: pkg });
  [packed] = JSON.parse(stdout);
  writeFileSync(join(project, 'package.json'), '{"name":"sample","private":true}');
  // No dependencies, so nothing is fetched.
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${packed.filename}`], { cwd: project });
});

after(() => rmSync(project, { recursive: true, force: true }));

const write = (name, text) => {
  writeFileSync(join(project, name), text);
  return name;
};

test('the tarball holds what is needed and nothing else', () => {
  const files = packed.files.map(({ path }) => path).sort();
  const expected = [
    'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'browser.js', 'index.d.ts',
    ...readdirSync(join(pkg, 'lib')).map((name) => `lib/${name}`),
    'node.js', 'package.json', 'slim.d.ts', 'slim.js', 'wasm/edgegate_bg.wasm', 'wasm/index.d.cts', 'wasm/node.cjs', 'workerd.js',
  ];
  assert.deepEqual(files, expected.sort());
});

test('every file that package.json names is there, types first', () => {
  const { exports, main, types } = JSON.parse(readFileSync(join(project, 'node_modules/edgegate/package.json'), 'utf8'));
  const paths = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(paths));
  for (const path of [main, types, ...paths(exports)]) assert.ok(existsSync(join(project, 'node_modules/edgegate', path)), path);
  assert.deepEqual(Object.keys(exports['.']), ['types', 'workerd', 'node', 'browser', 'default']);
  assert.equal(Object.keys(exports['./slim'])[0], 'types');
});

const SAMPLE = (token, rsaToken, pem) => `
const secret = new Uint8Array(32).fill(7);
const verifier = createVerifier({ issuer: ${JSON.stringify(CLAIMS.iss)}, algorithms: ['HS256'], key: secret, now: () => ${NOW} });
const rsa = createVerifier({ issuer: ${JSON.stringify(CLAIMS.iss)}, algorithms: ['RS256'], key: ${JSON.stringify(pem)}, now: () => ${NOW} });
let code;
try { verifier.verifySync('a.b.c'); } catch (error) { code = error instanceof EdgegateError ? error.code : String(error); }
const keys = createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret }] });
const summary = async () => ({
  sync: verifier.verifySync(${JSON.stringify(token)}).claims.sub,
  rsa: (await rsa.verify(${JSON.stringify(rsaToken)})).claims.sub,
  jws: (await verifyJws(${JSON.stringify(token)}, secret, { algorithms: ['HS256'] })).payload.length,
  key: keys.verify(keys.mint().key).prefix,
  code,
});
`;
const NAMES = 'createVerifier, createApiKeys, verifyJws, EdgegateError';
const EXPECTED = {
  sync: CLAIMS.sub, rsa: CLAIMS.sub, jws: Buffer.byteLength(JSON.stringify(CLAIMS)), key: 'sk', code: 'INVALID_TOKEN',
};
const sample = async () =>
  SAMPLE(await signBy('jose', 'HS256'), await signBy('jose', 'RS256'), pairFor('RS256').publicKey.export({ type: 'spki', format: 'pem' }));

test('Node imports it and requires it', async () => {
  const esm = write('esm.mjs', `import { ${NAMES} } from 'edgegate';${await sample()}console.log(JSON.stringify(await summary()));`);
  const cjs = write('cjs.cjs', `const { ${NAMES} } = require('edgegate');${await sample()}summary().then((all) => console.log(JSON.stringify(all)));`);
  for (const file of [esm, cjs]) {
    const { stdout, stderr } = await run('node', [file], { cwd: project });
    assert.deepEqual(JSON.parse(stdout), EXPECTED, file);
    assert.equal(stderr, '');
  }
});

test('importing it loads no engine and starts nothing', async () => {
  const file = write('idle.mjs', `
    const { Module } = WebAssembly;
    let modules = 0;
    WebAssembly.Module = function (...args) { modules += 1; return new Module(...args); };
    globalThis.fetch = () => { throw new Error('fetched'); };
    await import('edgegate');
    const slim = await import('edgegate/slim');
    console.log(modules, typeof slim.initSync, process.getActiveResourcesInfo().includes('Timeout'));
  `);
  assert.equal((await run('node', [file], { cwd: project })).stdout, '0 function false\n');
});

test('tsc --strict takes a sample, and refuses what is wrong in it', async () => {
  const text = `
    import { createVerifier, createApiKeys, decodeUnverified, importKey, verifyJws, ready, EdgegateError, type ErrorCode, type VerifiedToken } from 'edgegate';
    import { init, initSync } from 'edgegate/slim';

    interface Mine { tenant: string; roles?: string[] }
    const verifier = createVerifier({
      issuer: 'https://issuer.test/', audience: ['a', 'b'], algorithms: ['RS256', 'EdDSA'], jwksUri: 'https://issuer.test/jwks',
      clockTolerance: 5, requiredClaims: ['sub'], typ: 'at+jwt', maxTokenAge: 3600, maxTokenLength: 8192, cache: { entries: 10 },
      now: () => 1,
    });
    createVerifier({ issuers: [{ issuer: 'x', key: new Uint8Array(32), algorithms: ['HS256'] }], cache: false });
    createVerifier({ issuer: 'x', key: 'PEM', algorithms: ['ES256'] });
    export async function sample(cryptoKey: CryptoKey): Promise<string> {
      await ready();
      const { claims, header, keyId }: VerifiedToken<Mine> = await verifier.verify<Mine>('token');
      const tenant: string = claims.tenant;
      const subject: string | undefined = claims.sub;
      const audience: string | string[] | undefined = verifier.verifySync('token').claims.aud;
      const key = await importKey(cryptoKey, { kid: 'k' });
      const { payload } = await verifyJws('jws', key, { algorithms: ['ES256'] });
      const bytes: Uint8Array = payload;
      await verifyJws('jws', { keys: [{ kty: 'RSA' }] });
      const keys = createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret: 'x' }] });
      const minted: string = keys.mint({ prefix: 'sk', expiresAt: 5 }).key;
      const id: string = keys.verify(minted).id;
      const decoded: Mine = decodeUnverified<Mine>('token').payload;
      await init(fetch('x'));
      initSync(new Uint8Array());
      return [tenant, subject, audience, bytes, id, decoded, header.alg, keyId].join();
    }
    export function codeOf(error: unknown): ErrorCode | undefined {
      if (!(error instanceof EdgegateError)) return undefined;
      switch (error.code) {
        case 'TOKEN_EXPIRED': return error.claim === 'exp' ? error.code : undefined;
        default: return error.code;
      }
    }
  `;
  const WRONG = [
    "createVerifier({ issuer: 'x', key: 'p', algorithm: ['RS256'] });",
    "createVerifier({ issuer: 'x', key: 'p', algorithms: ['none'] });",
    "createVerifier({ key: 'p', algorithms: ['RS256'] });",
    "const n: number = createVerifier({ issuer: 'x', key: 'p' }).verifySync('t').claims.iss;",
    "createApiKeys({ environment: 'x', prefixes: ['a'] });",
  ];
  write('sample.mts', text);
  write('sample.cts', text.replace("import { init, initSync } from 'edgegate/slim';", '').replace(/await init\(.*|initSync\(.*/g, ''));
  write('wrong.mts', `import { createVerifier, createApiKeys } from 'edgegate';\n${WRONG.map((line) => `// @ts-expect-error\n${line}`).join('\n')}\n`);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const flags = ['--strict', '--noEmit', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--target', 'es2022', '--lib', 'es2022,dom'];
  const check = (...rest) => run('node', [tsc, ...flags, ...rest], { cwd: project }).catch(({ stdout }) => assert.fail(stdout));
  await Promise.all([
    check('--module', 'node16', 'sample.mts', 'sample.cts', 'wrong.mts'),
    check('--module', 'esnext', '--moduleResolution', 'bundler', 'sample.mts'),
  ]);
});

test('workerd runs it, WebCrypto and all', async () => {
  const entry = write('worker.mjs', `import { ${NAMES} } from 'edgegate';${await sample()}
    const refusal = () => { try { rsa.verifySync(${JSON.stringify(await signBy('jose', 'RS256', { ...CLAIMS, jti: 'two' }))}); } catch (error) { return error.code; } };
    export default { fetch: async () => Response.json({ ...await summary(), refusal: refusal() }) };`);
  await build({
    entryPoints: [join(project, entry)], bundle: true, format: 'esm', conditions: ['workerd'], loader: { '.wasm': 'copy' },
    outfile: join(project, 'out/worker.mjs'), assetNames: '[name]', logLevel: 'error',
  });
  const wasm = readdirSync(join(project, 'out')).find((name) => name.endsWith('.wasm'));
  // The older one is without FinalizationRegistry.
  for (const compatibilityDate of ['2024-01-01', '2026-04-01']) {
    const worker = new Miniflare({
      modules: [
        { type: 'ESModule', path: join(project, 'out/worker.mjs') },
        { type: 'CompiledWasm', path: join(project, 'out', wasm) },
      ],
      modulesRoot: join(project, 'out'),
      compatibilityDate,
    });
    try {
      for (let round = 0; round < 2; round += 1) {
        const response = await worker.dispatchFetch('http://x/');
        assert.deepEqual(await response.json(), { ...EXPECTED, refusal: 'SYNC_UNSUPPORTED' });
      }
    } finally {
      await worker.dispose();
    }
  }
});

test('the browser entry bundles without Node, and only what is used', async () => {
  const entry = write('page.mjs', "import { decodeUnverified } from 'edgegate'; console.log(decodeUnverified);");
  const { metafile } = await build({
    entryPoints: [join(project, entry)], bundle: true, format: 'esm', platform: 'browser', metafile: true, write: false, logLevel: 'error',
  });
  const inputs = Object.keys(metafile.inputs).map((path) => basename(path));
  assert.ok(inputs.includes('browser.js'));
  assert.ok(!inputs.some((name) => name.startsWith('node')));
  // A barrel whose effects were dropped would be left without a platform.
  assert.ok(inputs.includes('web-platform.js'));
});
