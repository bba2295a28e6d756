// Which vectors become inputs of which target.

import assert from 'node:assert/strict';
import test from 'node:test';

import { collect, seeds } from './seeds.mjs';

const VECTORS = [
  { name: 'n', token: 'a.b.c', jwk: { kty: 'oct' } },
  { accepted: [{ pem: '-----' }], valid: [{ key: 'sk_test_0', id: 1 }] },
];

test('vectors are seeds of the targets they are inputs of', () => {
  assert.deepEqual(collect(VECTORS), [['token', 'a.b.c'], ['jwk', '{"kty":"oct"}'], ['pem', '-----'], ['api_key', 'sk_test_0']]);
});

test('all keys are a set too', () => {
  assert.deepEqual(seeds([VECTORS]).at(-1), ['jwks', '{"keys":[{"kty":"oct"}]}']);
});
