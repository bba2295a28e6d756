// What the tests of monitoring need beside Debian's packages, in the user's cache folder: pySigma in an environment of its own, and the
// files of Debian's crowdsec. That package is not installed, since to be installed it makes itself known to a service elsewhere.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

import { INSTALL_MILLIS, ensureFolder, pythonEnvironment, toolsFolder } from '../python.mjs';

const sigma = pythonEnvironment('sigma', 'pySigma', new URL('requirements.txt', import.meta.url));

/** Python with pySigma. */
export const { python } = sigma;

/** Where crowdsec is, as if this were the root of a system. */
export const crowdsecRoot = path.join(toolsFolder(), 'crowdsec-debian');

/** Makes both, unless they are there. */
export function ensure() {
  sigma.ensure();
  ensureFolder(crowdsecRoot, 'crowdsec', () => existsSync(crowdsecRoot), (staging) => {
    const downloads = path.join(staging, 'download');
    mkdirSync(downloads, { recursive: true });
    execFileSync('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', 'crowdsec'], { cwd: downloads, stdio: ['ignore', 'ignore', 'inherit'], timeout: INSTALL_MILLIS });
    execFileSync('dpkg-deb', ['--extract', path.join(downloads, readdirSync(downloads)[0]), staging]);
    rmSync(downloads, { recursive: true });
  });
}
