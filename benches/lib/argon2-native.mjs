// The gate's hash of a password, natively: by `benches/argon2.rs`, which cargo builds with the settings of the Worker.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILD_MILLIS = 15 * 60_000;

/** What each of these rounds took, in ms, and by how much the process grew for it, in MiB. */
export function nativeHash({ memory_kib: memory, iterations: passes }, rounds) {
  const parameters = ['bench', '--quiet', '--bench', 'argon2', '--', memory, passes, rounds].map(String);
  return JSON.parse(execFileSync('cargo', parameters, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: BUILD_MILLIS }));
}
