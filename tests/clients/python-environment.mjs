// The virtual environment of the Python clients. It lies in the user's cache folder, where all clones share it. Its name has the
// digest of python-requirements.txt, which pins every file by its hash: another list makes another environment.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const REQUIREMENTS = fileURLToPath(new URL('python-requirements.txt', import.meta.url));
const INSTALL_MILLIS = 5 * 60_000;

function cacheFolder() {
  const { XDG_CACHE_HOME: named } = process.env;
  if (named !== undefined && path.isAbsolute(named)) return named;
  return path.join(os.homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache');
}

const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 16);
const ENVIRONMENT = path.join(cacheFolder(), 'edgegate/tools', `python-clients-${digest}`);
const program = (environment) => path.join(environment, 'bin/python');

/** Python with the clients. */
export const python = program(ENVIRONMENT);

function works() {
  try {
    execFileSync(python, ['-c', 'import authlib, requests_oauthlib, schemathesis'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Makes the environment, unless it works already. It appears by one rename when it is complete. */
export function ensure() {
  if (works()) return;
  console.error('> installing the Python clients');
  const staging = `${ENVIRONMENT}-${process.pid}`;
  try {
    mkdirSync(path.dirname(ENVIRONMENT), { recursive: true });
    execFileSync('python3', ['-m', 'venv', staging], { stdio: 'inherit' });
    execFileSync(program(staging), [
      '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '--only-binary', ':all:', '-r', REQUIREMENTS,
    ], { stdio: 'inherit', timeout: INSTALL_MILLIS });
    // Another process may have been quicker.
    if (works()) return;
    // If there is one that does not work, its Python has been taken away.
    rmSync(ENVIRONMENT, { recursive: true, force: true });
    renameSync(staging, ENVIRONMENT);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
