// What the gate says in the words of others, held against their own tools in Python: OCSF, OpenTelemetry, Standard Webhooks.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const REQUIREMENTS = file('requirements.txt');

/** Python with the validators, in the user's cache folder: its name has the digest of what is in it. */
function environment() {
  const { XDG_CACHE_HOME: named } = process.env;
  const cache = named !== undefined && path.isAbsolute(named) ? named : path.join(os.homedir(), '.cache');
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 16);
  const folder = path.join(cache, 'edgegate/tools', `watch-${digest}`);
  if (existsSync(folder)) return folder;
  const staging = `${folder}-${process.pid}`;
  mkdirSync(path.dirname(folder), { recursive: true });
  try {
    execFileSync('python3', ['-m', 'venv', staging]);
    execFileSync(path.join(staging, 'bin/python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '--only-binary', ':all:', '-r', REQUIREMENTS], { timeout: 300_000 });
    // Another process may have been quicker.
    if (!existsSync(folder)) renameSync(staging, folder);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return folder;
}

test('OCSF, OpenTelemetry and Standard Webhooks take what the gate says', () => {
  const vectors = ['watch-events.json', 'watch-webhook.json'].map((name) => file(`../vectors/${name}`));
  const said = execFileSync(path.join(environment(), 'bin/python'), [file('dialects.py'), ...vectors], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(said), { events: 7, faults: [] });
});
