// Virtual environments of Python for tests. They lie in the user's cache folder, where all clones share them. A name has the digest of the
// list that pins every file by its hash: another list makes another environment.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const INSTALL_MILLIS = 5 * 60_000;

/** Where tools of tests are kept. */
export function toolsFolder() {
  const { XDG_CACHE_HOME: named } = process.env;
  const caches = path.join(os.homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache');
  return path.join(named !== undefined && path.isAbsolute(named) ? named : caches, 'edgegate/tools');
}

/** Has `make` fill a folder, unless it works already. It appears by one rename when it is complete. */
export function ensureFolder(folder, about, works, make) {
  if (works()) return;
  console.error(`> installing ${about}`);
  const staging = `${folder}-${process.pid}`;
  mkdirSync(path.dirname(folder), { recursive: true });
  try {
    make(staging);
    // Another process may have been quicker.
    if (works()) return;
    rmSync(folder, { recursive: true, force: true });
    renameSync(staging, folder);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** The environment with what the list at this URL names: `python` is its program, and `ensure` makes it. */
export function pythonEnvironment(name, about, requirements) {
  const list = fileURLToPath(requirements);
  const digest = createHash('sha256').update(readFileSync(list)).digest('hex').slice(0, 16);
  const folder = path.join(toolsFolder(), `${name}-${digest}`);
  const python = path.join(folder, 'bin/python');
  // It runs the Python that it was made with, which may have been taken away.
  const works = () => succeeds(python, ['-c', '']);
  return {
    python,
    ensure: () => ensureFolder(folder, about, works, (staging) => {
      execFileSync('python3', ['-m', 'venv', staging], { stdio: 'inherit' });
      execFileSync(path.join(staging, 'bin/python'), [
        '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '--only-binary', ':all:', '-r', list,
      ], { stdio: 'inherit', timeout: INSTALL_MILLIS });
    }),
  };
}

function succeeds(program, parameters) {
  try {
    execFileSync(program, parameters, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
