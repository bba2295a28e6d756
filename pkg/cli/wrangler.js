// wrangler: where it is installed, by which Node it runs, and running it.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { Failure } from './failure.js';

/** The program of the project's wrangler, and the Node for it. */
export function findWrangler(folder) {
  const require = createRequire(path.join(path.resolve(folder), 'package.json'));
  let manifest;
  try {
    manifest = require.resolve('wrangler/package.json');
  } catch {
    throw new Failure('wrangler is not installed here', { hint: 'npm install --save-dev wrangler' });
  }
  const { bin, version, engines } = JSON.parse(readFileSync(manifest, 'utf8'));
  return { program: path.join(path.dirname(manifest), bin.wrangler ?? bin), version, node: nodeFor(require, version, engines?.node) };
}

/** This Node, or the one of the npm package `node` if this one is too old for wrangler. */
function nodeFor(require, version, wanted = '') {
  const least = Number(/(\d+)/.exec(wanted)?.[1] ?? 0);
  if (Number(process.versions.node.split('.')[0]) >= least) return process.execPath;
  try {
    const manifest = require.resolve('node/package.json');
    const found = path.join(path.dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    if (existsSync(found) && Number(JSON.parse(readFileSync(manifest, 'utf8')).version.split('.')[0]) >= least) return found;
  } catch { /* It is not installed. */ }
  throw new Failure(`wrangler ${version} wants Node ${wanted}, and this is ${process.versions.node}`, {
    hint: `install a newer Node, or one for this project: npm install --save-dev node@${least + (least % 2)}`,
  });
}

/** Usage is not told to Cloudflare unless somebody has chosen that. */
const QUIET = { WRANGLER_SEND_METRICS: process.env.WRANGLER_SEND_METRICS ?? 'false' };

/** Starts wrangler. */
export function start(folder, parameters, options = {}) {
  const { program, node } = findWrangler(folder);
  return spawn(node, [program, ...parameters], { cwd: folder, ...options, env: { ...process.env, ...QUIET, ...options.env } });
}

/** Runs wrangler to its end. `input` goes to its standard input; `quiet` keeps what it prints, else it is seen. Returns the output. */
export async function run(folder, parameters, { input, quiet = false } = {}) {
  const child = start(folder, parameters, { stdio: [input === undefined ? 'inherit' : 'pipe', quiet ? 'pipe' : 2, quiet ? 'pipe' : 2] });
  let output = '';
  child.stdout?.on('data', (chunk) => { output += chunk; });
  let problems = '';
  child.stderr?.on('data', (chunk) => { problems += chunk; });
  child.stdin?.on('error', () => { /* It has ended before it has read; its exit code says so. */ }).end(input);
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) {
    const said = quiet ? `\n${(problems || output).trim()}` : '';
    throw new Failure(`wrangler ${parameters[0]} has failed${said}`, { hint: 'is it logged in? npx wrangler whoami' });
  }
  return output;
}
