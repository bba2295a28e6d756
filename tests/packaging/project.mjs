// The package as npm packs it, installed into a project of its own. The development tools are those of the repository.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { CLAIMS, NOW, pairFor, secretFor, signBy } from '../node/support.mjs';

export const run = promisify(execFile);
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const PKG = path.join(ROOT, 'pkg');

/** A program of the repository's `node_modules`. */
export const program = (name) => path.join(ROOT, 'node_modules/.bin', name);

/** TypeScript by its package: the last one in JavaScript, and the native one. */
export const COMPILERS = Object.fromEntries(['typescript', 'typescript7'].map((name) => [name, path.join(ROOT, 'node_modules', name, 'bin/tsc')]));

/** Fails with what a compiler prints, unless all compile these files. `words` are options and files. */
export const compiles = (folder, words) => Promise.all(Object.entries(COMPILERS).map(([name, compiler]) =>
  run(compiler, words, { cwd: folder }).catch(({ stdout }) => assert.fail(`${name}: ${stdout}`))));

/** What `npm pack` says about the tarball, and the path of it. */
export async function pack(folder) {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: PKG });
  const [packed] = JSON.parse(stdout);
  return { ...packed, tarball: path.join(folder, packed.filename) };
}

/** A fresh project with nothing but the package; `dispose` removes it. */
export async function createProject() {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgegate-packed-'));
  const packed = await pack(folder);
  const project = {
    folder,
    packed,
    path: (name) => path.join(folder, name),
    /** Writes a file and returns its name. */
    write(name, text) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
      return name;
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
  project.write('package.json', '{"name":"sample","private":true,"type":"module"}');
  // The package has no dependencies, so nothing is fetched.
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', packed.tarball], { cwd: folder });
  return project;
}

/** One algorithm of each family. */
const FAMILIES = ['HS256', 'RS256', 'ES256', 'EdDSA'];

export const NAMES = 'createVerifier, createApiKeys, verifyJws, EdgegateError';

/**
 * The body of a program that uses the package: it verifies tokens of each family, refuses a forged one, and uses API keys. `await
 * summary()` has to return {@link EXPECTED}.
 */
export async function sample() {
  const cases = await Promise.all(FAMILIES.map(async (algorithm) => {
    const { publicKey } = pairFor(algorithm);
    const jwk = algorithm === 'HS256'
      ? { kty: 'oct', k: secretFor('HS256').toString('base64url') }
      : publicKey.export({ format: 'jwk' });
    return { algorithm, jwk, token: await signBy('jose', algorithm), pem: algorithm === 'RS256' ? publicKey.export({ type: 'spki', format: 'pem' }) : undefined };
  }));
  return `
const cases = ${JSON.stringify(cases)};
const secret = new Uint8Array(32).fill(7);
const codeOf = async (call) => {
  try { await call(); } catch (error) { return error instanceof EdgegateError ? error.code : String(error); }
};
const summary = async () => {
  const subjects = {}, forged = {};
  for (const { algorithm, jwk, pem, token } of cases) {
    const verifier = createVerifier({ issuer: ${JSON.stringify(CLAIMS.iss)}, algorithms: [algorithm], key: pem ?? jwk, now: () => ${NOW} });
    subjects[algorithm] = (await verifier.verify(token)).claims.sub;
    const at = token.lastIndexOf('.') + 5;
    forged[algorithm] = await codeOf(() => verifier.verify(token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)));
  }
  const hmac = createVerifier({ issuer: ${JSON.stringify(CLAIMS.iss)}, algorithms: ['HS256'], key: secret, now: () => ${NOW} });
  const keys = createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret }] });
  return {
    subjects,
    forged,
    sync: hmac.verifySync(cases[0].token).claims.sub,
    jws: (await verifyJws(cases[0].token, secret, { algorithms: ['HS256'] })).payload.length,
    key: keys.verify(keys.mint().key).prefix,
    malformed: await codeOf(() => hmac.verifySync('a.b.c')),
  };
};
`;
}

const each = (value) => Object.fromEntries(FAMILIES.map((algorithm) => [algorithm, value]));

export const EXPECTED = {
  subjects: each(CLAIMS.sub),
  forged: each('INVALID_TOKEN'),
  sync: CLAIMS.sub,
  jws: Buffer.byteLength(JSON.stringify(CLAIMS)),
  key: 'sk',
  malformed: 'INVALID_TOKEN',
};
