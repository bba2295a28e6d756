// Runs both commands of the README as on a new machine. `cargo xtask test --from-nothing [--only PART]...` calls this with the parts as
// arguments. `dev` is one of them. Without arguments all parts run.
//
// HEAD is cloned into an empty folder, and HOME, CARGO_HOME, XDG_CACHE_HOME and npm's cache are empty folders beside it. The configuration
// of cargo, npm and git stays, since it says where registries are. rustup's toolchains and system programs stay too.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { printedCommands, statuses } from './printed.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const only = process.argv.slice(2);
const parts = only.filter((part) => part !== 'dev');

/** Tools, the wasm32 library and the Worker are compiled first. */
const READY_MILLIS = 45 * 60_000;
const LINE_MILLIS = 60_000;
const STOP_MILLIS = 30_000;
const LAST_LINE = 'Ctrl-C stops it.';

let interrupted = false;
const children = new Set();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    for (const child of children) child.kill('SIGTERM');
  });
}

function start(program, args, options) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  children.add(child);
  child.ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      children.delete(child);
      resolve(code ?? signal);
    });
  });
  // A caller that waits gets the error. Perhaps nobody waits yet.
  child.ended.catch(() => {});
  return child;
}

/** Returns what the program prints. Throws if it fails. */
async function answer(program, args, options) {
  const child = start(program, args, options);
  const chunks = child.stdout.toArray();
  const status = await child.ended;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`);
  return Buffer.concat(await chunks).toString().trim();
}

/** Returns the path where the shell would find the program. */
function folderOf(program) {
  const folders = process.env.PATH.split(path.delimiter);
  return folders.find((folder) => folder !== '' && existsSync(path.join(folder, program))) ?? '';
}

/** The environment of a user who has used nothing yet. */
async function freshEnvironment(folder) {
  const home = (name) => path.join(folder, name);
  for (const name of ['home', 'cargo', 'cache', 'npm']) mkdirSync(home(name));
  const usersCargo = process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo');
  for (const name of ['config.toml', 'config']) {
    if (existsSync(path.join(usersCargo, name))) copyFileSync(path.join(usersCargo, name), path.join(home('cargo'), name));
  }
  const gitConfig = process.env.GIT_CONFIG_GLOBAL ?? path.join(os.homedir(), '.gitconfig');
  const environment = {
    ...process.env,
    // rustup's programs lie in the user's CARGO_HOME. A version manager finds its Node by HOME.
    PATH: [folderOf('cargo'), path.dirname(process.execPath), process.env.PATH].join(path.delimiter),
    HOME: home('home'),
    RUSTUP_HOME: await answer('rustup', ['show', 'home'], { cwd: ROOT }),
    CARGO_HOME: home('cargo'),
    XDG_CACHE_HOME: home('cache'),
    npm_config_cache: home('npm'),
    npm_config_userconfig: await answer('npm', ['config', 'get', 'userconfig'], { cwd: ROOT }),
    ...(existsSync(gitConfig) ? { GIT_CONFIG_GLOBAL: gitConfig } : {}),
  };
  // These name folders of earlier builds, and the toolchain that cargo has chosen for this run.
  for (const name of ['CARGO_TARGET_DIR', 'CARGO_BUILD_TARGET_DIR', 'RUSTUP_TOOLCHAIN', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME']) delete environment[name];
  return environment;
}

async function clone(folder) {
  const head = await answer('git', ['rev-parse', 'HEAD'], { cwd: ROOT });
  if (await answer('git', ['status', '--porcelain'], { cwd: ROOT }) !== '') console.error('warning: what is not committed is not cloned');
  const repository = path.join(folder, 'edgegate');
  await answer('git', ['clone', '--quiet', '--no-hardlinks', ROOT, repository]);
  await answer('git', ['checkout', '--quiet', '--detach', head], { cwd: repository });
  return repository;
}

async function test(options) {
  const child = start('cargo', ['xtask', 'test', ...parts.flatMap((part) => ['--only', part])], { ...options, stdio: ['ignore', 'inherit', 'inherit'] });
  const status = await child.ended;
  if (status !== 0) throw new Error(`ended with ${status}`);
}

/**
 * Checks that `dev` serves, that every printed line gives what the comment above it says, and that Ctrl-C ends it with all its children.
 */
async function dev(options, ...more) {
  // What the run before has counted counts for a minute.
  rmSync(path.join(options.cwd, '.wrangler'), { recursive: true, force: true });
  const port = await freePort();
  const child = start('cargo', ['xtask', 'dev', '--port', String(port), ...more], options);
  try {
    const printed = await Promise.race([
      untilServing(child),
      child.ended.then((status) => { throw new Error(`ended with ${status} before it served`); }),
      sleep(READY_MILLIS, undefined, { ref: false }).then(() => { throw new Error(`does not serve after ${READY_MILLIS / 60_000} min`); }),
    ]);
    const commands = printedCommands(printed);
    if (!commands.some(({ command }) => command.includes('X-API-Key'))) throw new Error('no API key was printed');
    for (const { about, command, expected } of commands) {
      const found = statuses(await answer('sh', ['-c', command], { ...options, timeout: LINE_MILLIS, stdio: ['ignore', 'pipe', 'ignore'] }));
      if (found.join() !== expected.join()) throw new Error(`# ${about}: expected ${expected.join(' ')}, found ${found.join(' ') || 'no status'}`);
      console.error(`  ${found.join(' ')}  # ${about}`);
    }
  } finally {
    child.kill('SIGINT');
  }
  const status = await Promise.race([child.ended, sleep(STOP_MILLIS, 'running still', { ref: false })]);
  if (status !== 0) throw new Error(`after Ctrl-C it is ${status}`);
  if (await answers(port)) throw new Error(`after Ctrl-C somebody listens on ${port} still`);
}

async function untilServing(child) {
  const lines = [];
  const reader = createInterface({ input: child.stdout });
  return new Promise((resolve) => {
    reader.on('line', (line) => {
      lines.push(line);
      if (line.startsWith(LAST_LINE)) resolve(lines.join('\n'));
    });
  });
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const answers = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => resolve(false)).on('connect', () => {
    socket.destroy();
    resolve(true);
  });
});

const steps = [
  ...(only.length === 0 || parts.length > 0 ? [['cargo xtask test', test]] : []),
  ...(only.length === 0 || only.includes('dev') ? [
    ['cargo xtask dev', dev], ['cargo xtask dev --https', (options) => dev(options, '--https')],
  ] : []),
];
const summary = [];
const folder = mkdtempSync(path.join(os.tmpdir(), 'edgegate-from-nothing-'));
try {
  const env = await freshEnvironment(folder);
  const options = { cwd: await clone(folder), env };
  for (const [name, step] of steps) {
    if (interrupted) throw new Error('interrupted');
    console.error(`\n== from nothing: ${name}`);
    const began = performance.now();
    const fault = await step(options).then(() => undefined, (error) => error.message);
    summary.push(`${fault === undefined ? 'passed' : 'failed'}  ${name}  ${Math.round((performance.now() - began) / 1000)} s${fault === undefined ? '' : `  ${fault}`}`);
    if (fault !== undefined) process.exitCode = 1;
  }
} catch (error) {
  summary.push(`failed  ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
console.error(`\n== from nothing: summary\n${summary.join('\n')}`);
