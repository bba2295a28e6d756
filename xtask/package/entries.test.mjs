// The names that the package's entries export.

import assert from 'node:assert/strict';
import test from 'node:test';

import { entries, names } from './entries.mjs';

test('the entries are fresh', () => {
  for (const { file, text, fresh } of entries()) assert.equal(text, fresh, `${file} is stale: cargo xtask package`);
});

test('names are the members but for the engine', () => {
  const list = 'x\n  return {\n    engine,\n    ready: () => engine.ready(),\n    sign: (a) => b(a),\n  };\n';
  assert.deepEqual(names(list), ['ready', 'sign']);
  assert.throws(() => names('nothing'), { message: 'pkg/lib/index.js: no object is returned' });
});
