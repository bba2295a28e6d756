// The test files of a folder.

import { readdirSync } from 'node:fs';
import path from 'node:path';

/** Files ending in `.test.mjs`, not those of folders below. None at all is an error: it would pass without testing anything. */
export function testFiles(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.mjs')).sort();
  if (files.length === 0) throw new Error(`no tests in ${folder}: expected files ending in .test.mjs`);
  return files.map((name) => path.join(folder, name));
}
