// Runs the test files of folders, not of those below them: `node tests/run.mjs [--minutes=N] FOLDER...`, with N minutes for each file.

import { spawnSync } from 'node:child_process';
import os from 'node:os';
import { parseArgs } from 'node:util';

import { testFiles } from './files.mjs';

/** A file that hangs is ended and named. The slowest one takes a minute on a busy machine. */
const FILE_MILLIS = 300_000;
/** One more than there are cores, and three at least: a third of the time a file waits for workerd, Redis or a clock. */
const FILES_AT_ONCE = Math.max(os.availableParallelism(), 2) + 1;

const { values: { minutes }, positionals: folders } = parseArgs({ options: { minutes: { type: 'string' } }, allowPositionals: true });
const millis = minutes === undefined ? FILE_MILLIS : Number(minutes) * 60_000;
const [major, minor] = process.versions.node.split('.').map(Number);
const hasConcurrency = major > 20 || (major === 20 && minor >= 10);

const { status } = spawnSync(process.execPath, [
  '--test', '--test-reporter=spec', `--test-timeout=${millis}`, ...(hasConcurrency ? [`--test-concurrency=${FILES_AT_ONCE}`] : []),
  ...folders.flatMap(testFiles),
], { stdio: 'inherit' });
process.exitCode = status ?? 1;
