// What adapters tell caches about an answer. It is the same as in the Worker: src/http/caching.rs reads these vectors too.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { amendments, tellCaches } from '../../pkg/lib/caching.js';

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/caching.json', import.meta.url), 'utf8'));

for (const { name, private: isPrivate, vary, own, changes } of VECTORS) {
  test(name, () => {
    const caching = { ...(isPrivate && { 'Cache-Control': 'private' }), ...(vary && { Vary: vary }) };
    assert.deepEqual(amendments(caching, (field) => own[field] ?? ''), changes);
  });
}

test('headers of Node may be lists and numbers', () => {
  const headers = new Map([['Cache-Control', ['max-age=5', 'immutable']], ['X-Accel-Expires', 60], ['CDN-Cache-Control', 'max-age=5']]);
  tellCaches({ 'Cache-Control': 'private' }, (name) => headers.get(name), (name, value) => headers.set(name, value), (name) => headers.delete(name));
  assert.deepEqual([...headers], [['Cache-Control', 'private, max-age=5, immutable']]);
});

test('without a rule nothing is touched', () => {
  for (const caching of [undefined, {}]) tellCaches(caching, () => 'max-age=5', assert.fail, assert.fail);
});
