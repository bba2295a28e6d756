// What docs/bundlers.md says of the matrix.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { page } from './matrix/table.mjs';

test('the table of the matrix and the snippets are fresh', () => {
  const { text, fresh } = page();
  assert.ok(text.includes('\n| Next.js 16, Turbopack |') && text.includes('export async function middleware('));
  assert.equal(text, fresh, 'docs/bundlers.md is stale: node tests/packaging/matrix/table.mjs');
});
