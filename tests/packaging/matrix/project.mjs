// A project for a cell of the matrix: installed once and kept in target/, built, moved, and asked.

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { closedPort } from '../../worker/harness.mjs';
import { ROOT, pack } from '../project.mjs';
import { RUNTIMES } from './cells.mjs';

const run = promisify(execFile);
const FOLDER = path.join(ROOT, 'target/packaging-matrix');
const TEMPLATES = fileURLToPath(new URL('templates/', import.meta.url));
const BUILD_MILLIS = 10 * 60_000;
const START_MILLIS = 60_000;

/** Installs these packages into a folder, unless they are there already. What stands beside them stays. */
async function install(folder, manifest) {
  mkdirSync(folder, { recursive: true });
  const text = JSON.stringify(manifest);
  const stamp = path.join(folder, '.installed');
  const digest = createHash('sha256').update(text).digest('hex');
  writeFileSync(path.join(folder, 'package.json'), text);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  rmSync(path.join(folder, 'node_modules'), { recursive: true, force: true });
  await run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--legacy-peer-deps'], { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
  writeFileSync(stamp, digest);
}

/** What every cell needs: the package as npm packs it, and the runtimes. */
export async function prepare() {
  mkdirSync(FOLDER, { recursive: true });
  const tarballs = path.join(FOLDER, 'packed');
  rmSync(tarballs, { recursive: true, force: true });
  mkdirSync(tarballs);
  const { tarball } = await pack(tarballs);
  const runtimes = path.join(FOLDER, 'runtimes');
  await install(runtimes, { private: true, dependencies: RUNTIMES });
  return { tarball, programs: path.join(runtimes, 'node_modules/.bin') };
}

/** The project of a cell, built and moved. `dispose` puts back what was moved. */
export async function build({ name, template, packages, build: commands, moves, asDevDependencies }, { tarball, programs }, secret) {
  const folder = path.join(FOLDER, name.toLowerCase().replace(/[^a-z0-9]+/g, '-'));
  // Of a run that was ended.
  for (const left of [`${folder}-away`, `${folder}-moved`]) {
    if (existsSync(left) && !existsSync(folder)) renameSync(left, folder);
  }
  const manifest = JSON.parse(readFileSync(path.join(TEMPLATES, template, 'package.json'), 'utf8'));
  await install(folder, { ...manifest, private: true, dependencies: packages });
  const place = path.join(folder, 'node_modules/edgegate');
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  await run('tar', ['xzf', tarball, '-C', place, '--strip-components=1']);
  // Of an earlier run, with another template perhaps.
  for (const one of readdirSync(folder).filter((name) => !['node_modules', '.installed'].includes(name))) rmSync(path.join(folder, one), { recursive: true });
  cpSync(path.join(TEMPLATES, template), folder, { recursive: true, filter: (source) => path.basename(source) !== 'package.json' });
  const own = { edgegate: '*' };
  const dependencies = asDevDependencies ? { devDependencies: { ...packages, ...own } } : { dependencies: { ...packages, ...own } };
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ ...manifest, private: true, ...dependencies }));
  const env = {
    ...process.env, PATH: [programs, path.join(folder, 'node_modules/.bin'), process.env.PATH].join(path.delimiter), JWT_SECRET: secret,
    NEXT_TELEMETRY_DISABLED: '1', NUXT_TELEMETRY_DISABLED: '1', ASTRO_TELEMETRY_DISABLED: '1', CI: '1',
  };
  for (const command of commands) {
    const [program, ...words] = command.split(' ');
    await run(program, words, { cwd: folder, env, timeout: BUILD_MILLIS, maxBuffer: 64 * 1024 * 1024 }).catch(({ message, stdout, stderr }) => {
      throw new Error(`${message}\n${stdout}\n${stderr}`.slice(0, 4000));
    });
  }
  const elsewhere = moves === undefined ? `${folder}-moved` : mkdtempSync(path.join(tmpdir(), 'edgegate-matrix-'));
  if (moves === undefined) {
    rmSync(elsewhere, { recursive: true, force: true });
    renameSync(folder, elsewhere);
  } else {
    for (const one of moves) cpSync(path.join(folder, one), path.join(elsewhere, one), { recursive: true, verbatimSymlinks: true });
    // What is left must not be found by what was moved.
    for (const one of moves.filter((left) => left !== 'package.json')) rmSync(path.join(folder, one), { recursive: true });
    renameSync(folder, `${folder}-away`);
  }
  return {
    folder: elsewhere,
    env: { ...env, PATH: [programs, path.join(elsewhere, 'node_modules/.bin'), process.env.PATH].join(path.delimiter) },
    dispose() {
      if (moves === undefined) return renameSync(elsewhere, folder);
      renameSync(`${folder}-away`, folder);
      return rmSync(elsewhere, { recursive: true, force: true });
    },
  };
}

/** Starts a server, and resolves with its URL when it answers. */
export async function serve(command, { folder, env }) {
  const port = await closedPort();
  const [program, ...words] = command.split(' ');
  const found = existsSync(path.join(folder, program)) ? path.join(folder, program) : program;
  const server = spawn(found, words, { cwd: folder, env: { ...env, PORT: `${port}`, HOST: '127.0.0.1', HOSTNAME: '127.0.0.1' }, detached: true });
  let said = '';
  let ended = false;
  server.stdout.on('data', (chunk) => { said += chunk; });
  server.stderr.on('data', (chunk) => { said += chunk; });
  server.on('error', (error) => { said += error.message; ended = true; });
  server.on('exit', () => { ended = true; });
  const stop = async () => {
    if (ended) return;
    const gone = new Promise((resolve) => { server.once('exit', resolve); });
    process.kill(-server.pid, 'SIGKILL');
    await gone;
  };
  const url = `http://127.0.0.1:${port}`;
  for (const until = Date.now() + START_MILLIS; !ended && Date.now() < until;) {
    const answers = await fetch(url).then(() => true, () => false);
    if (answers) return { url, stop, said: () => said };
    await pause(100);
  }
  await stop();
  throw new Error(`${command}: does not answer\n${said.slice(0, 4000)}`);
}
