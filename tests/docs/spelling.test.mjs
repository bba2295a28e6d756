// The spelling of the documents, by cspell. Words of our own are in cspell.json. Code is not looked at.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DOCUMENTS = ['*.md', 'docs/**/*.md', 'pkg/README.md', 'examples/*/README.md', 'templates/**/*.md', '.github/**/*.md'];

/** Looks at files, or at `input`. */
function cspell(files, input = '') {
  const words = ['lint', '--no-progress', '--no-color', '--config', 'tests/docs/cspell.json', '--root', ROOT, ...files];
  const { status, stdout, stderr } = spawnSync(path.join(ROOT, 'node_modules/.bin/cspell'), words, { cwd: ROOT, input, encoding: 'utf8' });
  return { status, printed: stdout + stderr };
}

test('the documents have no wrong word', () => {
  const { status, printed } = cspell(DOCUMENTS);
  assert.equal(status, 0, `correct it, or add it to tests/docs/cspell.json:\n${printed}`);
  assert.match(printed, /Files checked: [5-9]\d/);
});

test('a wrong word is found, but not in code', () => {
  const { status, printed } = cspell(['stdin'], 'A sentense with `recieved` and a word of ours, workerd.\n');
  assert.equal(status, 1);
  assert.match(printed, /Unknown word \(sentense\)[^]*Issues found: 1 /);
});
