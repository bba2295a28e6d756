// What the tests of monitoring need beside Debian's packages, in the user's cache folder: pySigma in an environment of its own, and the
// files of Debian's crowdsec. That package is not installed, since to be installed it makes itself known to a service elsewhere.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));
const INSTALL_MILLIS = 5 * 60_000;

function cacheFolder() {
  const { XDG_CACHE_HOME: named } = process.env;
  return path.join(named !== undefined && path.isAbsolute(named) ? named : path.join(os.homedir(), '.cache'), 'edgegate/tools');
}

const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 16);
const SIGMA = path.join(cacheFolder(), `sigma-${digest}`);
const CROWDSEC = path.join(cacheFolder(), 'crowdsec-debian');

/** Python with pySigma. */
export const python = path.join(SIGMA, 'bin/python');

/** Where crowdsec is, as if this were the root of a system. */
export const crowdsecRoot = CROWDSEC;

/** Makes both, unless they are there. Each appears by one rename when it is complete. */
export function ensure() {
  made(SIGMA, 'pySigma', (staging) => {
    execFileSync('python3', ['-m', 'venv', staging]);
    execFileSync(path.join(staging, 'bin/python'), [
      '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '--only-binary', ':all:', '-r', REQUIREMENTS,
    ], { timeout: INSTALL_MILLIS });
  });
  made(CROWDSEC, 'crowdsec', (staging) => {
    const downloads = path.join(staging, 'download');
    mkdirSync(downloads, { recursive: true });
    execFileSync('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', 'crowdsec'], { cwd: downloads, stdio: ['ignore', 'ignore', 'inherit'], timeout: INSTALL_MILLIS });
    execFileSync('dpkg-deb', ['--extract', path.join(downloads, readdirSync(downloads)[0]), staging]);
    rmSync(downloads, { recursive: true });
  });
}

function made(folder, what, make) {
  if (existsSync(folder)) return;
  console.error(`> installing ${what}`);
  const staging = `${folder}-${process.pid}`;
  mkdirSync(path.dirname(folder), { recursive: true });
  try {
    make(staging);
    if (!existsSync(folder)) renameSync(staging, folder);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
