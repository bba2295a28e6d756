// Which files are tests.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { testFiles } from './files.mjs';

test('a folder without tests is an error', (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'edgegate-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(path.join(folder, 'helper.mjs'), '');
  assert.throws(() => testFiles(folder), { message: `no tests in ${folder}: expected files ending in .test.mjs` });
  for (const name of ['b.test.mjs', 'a.test.mjs']) writeFileSync(path.join(folder, name), '');
  assert.deepEqual(testFiles(folder), ['a.test.mjs', 'b.test.mjs'].map((name) => path.join(folder, name)));
});
