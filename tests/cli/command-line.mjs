// The command line as npm packs it, installed into a folder of its own, and run as a person runs it.

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { createProject, pack } from '../packaging/project.mjs';

export { ROOT } from '../packaging/project.mjs';
export { pack };

/** A folder with the package in it; `dispose` removes it. */
export async function installed() {
  const project = await createProject();
  return { ...project, cli: runner(project.folder) };
}

/** Runs `edgegate` of this folder. Nobody can be asked, and profiles are kept below the folder. */
export function runner(folder, more = {}) {
  const program = path.join(folder, 'node_modules/edgegate/bin/edgegate.js');
  return (parameters, { input = '', env = {}, cwd = folder } = {}) => new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...parameters], { cwd, env: environment(folder, { ...more, ...env }) }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr, json: () => JSON.parse(stdout) });
    });
    child.stdin.end(input);
  });
}

/** Without what the person that runs the tests has set. */
export function environment(folder, more = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(EDGEGATE|CLOUDFLARE|WRANGLER|npm_|NODE_OPTIONS|NO_COLOR|FORCE_COLOR)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    XDG_CONFIG_HOME: path.join(folder, 'config'), WRANGLER_SEND_METRICS: 'false', WRANGLER_LOG_PATH: path.join(folder, 'logs'), CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    ...more,
  };
}

/** A folder of programs for PATH: Node, npm and a shell, and nothing else. */
export async function onlyNode(folder) {
  const bin = path.join(folder, 'only-node');
  mkdirSync(bin);
  const which = async (name) => (await promisify(execFile)('sh', ['-c', `command -v ${name}`])).stdout.trim();
  for (const name of ['npm', 'npx', 'sh']) symlinkSync(await which(name), path.join(bin, name));
  symlinkSync(process.execPath, path.join(bin, 'node'));
  return bin;
}

/** Starts a program in the background, and waits until it prints a line that is JSON or ends. `stop` ends it as Ctrl-C does. */
export async function background(file, parameters, options) {
  const child = spawn(file, parameters, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk) => { stderr += chunk; });
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  const value = await new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
      try {
        resolve(JSON.parse(stdout));
      } catch { /* Not all of it yet. */ }
    });
    ended.then(({ code }) => reject(new Error(`${parameters.join(' ')} has ended with ${code}:\n${stdout}${stderr}`)));
  });
  // As Ctrl-C does it, which goes to all that run in the foreground: npx passes no signal on.
  const stop = async () => {
    process.kill(-child.pid, 'SIGINT');
    return ended;
  };
  return { value, stop, said: () => stdout + stderr };
}

/** A port that nobody listens on. */
export const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(String(port)));
  });
});

export const temporary = () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'edgegate-cli-'));
  return { folder, dispose: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }) };
};

/** A program in the place of wrangler. It writes what it is given to `calls.json`; `answers` are its outputs by the first words. */
export function fakeWrangler(folder, answers) {
  const home = path.join(folder, 'node_modules/wrangler');
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  writeFileSync(path.join(home, 'package.json'), JSON.stringify({ name: 'wrangler', version: '9.9.9', bin: { wrangler: 'wrangler.cjs' }, engines: { node: '>=20' } }));
  writeFileSync(path.join(home, 'wrangler.cjs'), `
    const fs = require('node:fs');
    const calls = ${JSON.stringify(path.join(folder, 'calls.json'))};
    const parameters = process.argv.slice(2);
    const input = parameters[1] === 'put' ? fs.readFileSync(0, 'utf8') : undefined;
    fs.writeFileSync(calls, JSON.stringify([...(fs.existsSync(calls) ? JSON.parse(fs.readFileSync(calls)) : []), { parameters, input }]));
    const [, answer = ''] = Object.entries(${JSON.stringify(answers)}).find(([words]) => parameters.join(' ').startsWith(words)) ?? [];
    if (answer.startsWith('!')) { console.error(answer.slice(1)); process.exitCode = 1; } else console.log(answer);
  `);
}

/** The installed wrangler of the repository, for a folder that has none. */
export function linkWrangler(folder) {
  const manifest = createRequire(import.meta.url).resolve('wrangler/package.json');
  symlinkSync(path.dirname(manifest), path.join(folder, 'node_modules/wrangler'));
}
