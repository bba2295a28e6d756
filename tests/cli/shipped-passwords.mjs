// The list of common passwords that comes along: the first 5,000 of 8 characters or more that `zxcvbn` (MIT) has, most common first.
// Run by itself it writes src/account/common_passwords.egp anew.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const COUNT = 5000;
const LEAST_CHARACTERS = 8;

export function shipped() {
  const { passwords } = createRequire(import.meta.url)('zxcvbn/lib/frequency_lists.js');
  return passwords.filter((word) => [...word].length >= LEAST_CHARACTERS).slice(0, COUNT);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = path.join(os.tmpdir(), 'shipped-passwords.txt');
  writeFileSync(words, shipped().join('\n'));
  const list = fileURLToPath(new URL('../../src/account/common_passwords.egp', import.meta.url));
  execFileSync(process.execPath, [fileURLToPath(new URL('../../pkg/bin/edgegate.js', import.meta.url)), 'passwords', 'build', words, '--out', list], { stdio: 'inherit' });
}
