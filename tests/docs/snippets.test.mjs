// Every command and every program of the documents is run as it is written, page by page; JavaScript is checked by TypeScript.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { parse } from 'smol-toml';
import ts from 'typescript';

import { createGate, memoryStore } from '../../pkg/wasm/node.js';
import { forPage, secretNames, withoutComments } from '../../www/policy-text.js';
import { startRedis } from '../node/redis-server.mjs';
import { ROOT, SECRETS, closedPort, startGate } from '../worker/harness.mjs';
import { blocksOf, kindOf, scriptOf } from './blocks.mjs';

/** Below the repository, where Node finds its packages; and `edgegate` as it is installed. */
const WORK = path.join(ROOT, 'target/docs');
const LIMIT_MILLIS = 60_000;

/** Configurations of other programs, and parts of projects that bundlers build: the tests of these have them. */
const ELSEWHERE = {
  'docs/forward-auth.md': ['tests/worker/forward-auth.test.mjs', 'tests/worker/sessions-nginx.test.mjs', 'tests/worker/login-nginx.test.mjs'],
  'docs/bundlers.md': ['tests/packaging/bundlers.test.mjs'],
};

/** All but the guides of providers, which tests/suite/providers.rs runs, and parts of programs in pkg/README.md. */
const PAGES = ['README.md', ...readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]
  .filter((file) => !Object.hasOwn(ELSEWHERE, file))
  .map((file) => ({ name: file, blocks: blocksOf(readFileSync(path.join(ROOT, file), 'utf8')) }))
  .filter(({ blocks }) => blocks.length > 0);

const ports = {};
let worker;
let redis;

const mentions = (port) => PAGES.some(({ blocks }) => blocks.some(({ code, info }) => code.includes(port) && !info.startsWith('not-run')));

before(async () => {
  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(path.join(WORK, 'node_modules'), { recursive: true });
  symlinkSync(path.join(ROOT, 'pkg'), path.join(WORK, 'node_modules/edgegate'));
  if (mentions('8787')) {
    // The example policy, as `cargo xtask dev` has it.
    const { vars: { POLICY } } = parse(readFileSync(path.join(ROOT, 'wrangler.toml'), 'utf8'));
    worker = await startGate({ policy: POLICY });
    ports[8787] = worker.port();
  }
  if (mentions('6379')) {
    redis = await startRedis();
    ports[6379] = redis.port;
  }
});
after(async () => {
  await worker?.dispose();
  await redis?.stop();
});

async function run(script, folder) {
  // A page may have tests of its own, which are to be run as by a person.
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const child = spawn('bash', ['-c', script], {
    cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...env, JWT_SECRET: SECRETS.JWT_SECRET, API_KEY_SECRET: SECRETS.API_KEY_SECRET },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += chunk; });
  const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), LIMIT_MILLIS);
  const [code] = await once(child, 'exit');
  clearTimeout(timer);
  try {
    // What the page has left running.
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing was.
  }
  return { code, output };
}

function folderOf(name, files) {
  const folder = path.join(WORK, name.replaceAll('/', '-').replace('.md', ''));
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }\n');
  writeFileSync(path.join(folder, '.dev.vars'), Object.entries(SECRETS).map((pair) => `${pair.join('=')}\n`).join(''));
  for (const [file, text] of files) writeFileSync(path.join(folder, file), text);
  return folder;
}

/** What calls a page's programs as their frameworks would, where these are not installed. */
async function drive(name, folder) {
  const driver = new URL(`./drive-${path.basename(name, '.md')}.mjs`, import.meta.url);
  if (!existsSync(driver)) return;
  const { drive: with_ } = await import(driver);
  await with_((file) => import(pathToFileURL(path.join(folder, file))), SECRETS);
}

/** What TypeScript says of the JavaScript of a page. Types of packages that have none are any. */
function complaints(folder, files) {
  const names = files.map(([file]) => path.join(folder, file)).filter((file) => /\.(mjs|ts)$/.test(file));
  const program = ts.createProgram(names, {
    allowJs: true, checkJs: true, noEmit: true, strict: true, noImplicitAny: false, useUnknownInCatchVariables: false, skipLibCheck: true, target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'], types: [],
  });
  return ts.getPreEmitDiagnostics(program)
    .filter(({ file }) => file?.fileName.startsWith(folder))
    .map(({ file, start, messageText }) => `${path.basename(file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`)
    .filter((message) => !/Cannot find (module|name '(process|Buffer)')|Could not find a declaration/.test(message));
}

const ISSUER = { issuer: 'https://login.example.com/', audience: ['https://api.example.com'], algorithms: ['RS256'], discovery: true };

/** A page shows what it is about; what else a policy has to have is added. */
function whole(given) {
  const policy = structuredClone(given);
  const routes = policy.routes ?? [];
  const missing = (names, list, nameOf) => [...new Set(names)].filter((name) => !list.some((one) => nameOf(one) === name));
  const issuers = policy.issuers ?? [];
  const named = [...routes, ...(policy.credential_headers ?? [])].flatMap(({ issuers: of = [] }) => of);
  policy.issuers = [...issuers, ...missing(named, issuers, ({ issuer }) => issuer).map((issuer) => ({ ...ISSUER, issuer }))];
  if (policy.issuers.length === 0) policy.issuers.push(ISSUER);
  const limits = policy.limits ?? [];
  const limit = { requests: 1, window_secs: 60, algorithm: 'fixed-window', store: 'memory' };
  policy.limits = [...limits, ...missing(routes.flatMap(({ limits: of = [] }) => of), limits, ({ name }) => name).map((name) => ({ ...limit, name }))];
  if (policy.api_keys) policy.api_keys = { environment: 'live', prefixes: [{ prefix: 'sk' }], signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }], ...policy.api_keys };
  return policy;
}

/** What the gate has against a policy; nothing if it takes it. */
function faultOf(given) {
  try {
    const { policy } = forPage(whole(given));
    const secrets = Object.fromEntries(secretNames(policy).map((one, index) => [one, `${'x'.repeat(61)}${100 + index}`]));
    const store = memoryStore();
    createGate(policy, { secrets, stores: { revocation: store, counters: store, keys: store } });
    return undefined;
  } catch (error) {
    return error.message;
  }
}

for (const { name, blocks } of PAGES) {
  describe(name, () => {
    test('each block says what becomes of it', () => {
      const unclear = blocks.filter((block) => kindOf(block) === undefined).map(({ line, language, info }) => `line ${line}: ${language} ${info}`);
      assert.deepEqual(unclear, []);
    });

    test('its commands and programs', { timeout: LIMIT_MILLIS + 10_000 }, async () => {
      const own = { ...ports, 3000: await closedPort() };
      const { script, files } = scriptOf(blocks, own);
      const folder = folderOf(name, files);
      assert.deepEqual(complaints(folder, files), []);
      const { code, output } = await run(script, folder);
      assert.equal(code, 0, output);
      await drive(name, folder);
    });

    for (const { code, line } of blocks.filter((block) => kindOf(block) === 'json')) {
      test(`its JSON in line ${line}`, () => {
        const text = code.trimStart().startsWith('{') ? code : `{${code}}`;
        assert.doesNotThrow(() => JSON.parse(withoutComments(text)));
      });
    }

    for (const { code, line } of blocks.filter((block) => kindOf(block) === 'policy')) {
      test(`its policy in line ${line}`, () => {
        const fragment = parse(code);
        const read = [fragment.vars?.POLICY ?? fragment, { issuers: [fragment] }, { issuers: [{ ...ISSUER, ...fragment }] }, { api_keys: fragment }].map(faultOf);
        assert.ok(read.includes(undefined), read[0]);
      });
    }
  });
}

test('the tests of pages that are run elsewhere are there', () => {
  for (const file of Object.values(ELSEWHERE).flat()) assert.ok(existsSync(path.join(ROOT, file)), file);
});
