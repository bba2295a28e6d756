// What the known attacks (`tests/conformance/attacks.mjs`, tried in Node and in workerd) do not show: what callers get to see, what a
// hostile text costs, and reading without verifying.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { bind } from '../../pkg/lib/index.js';
import { nodePlatform } from '../../pkg/lib/node-platform.js';
import { EdgegateError, createVerifier, decodeUnverified } from '../../pkg/wasm/node.js';
import { CLAIMS, base64url, options, refusalOf, secretFor, signHmac } from './support.mjs';

const secret = secretFor('HS256');
const malformed = (message) => ({ code: 'INVALID_TOKEN', reason: 'malformed_token', message });

test('a text beyond the limit is not copied into the engine, however long it is', () => {
  const compiled = new WebAssembly.Module(readFileSync(new URL('../../pkg/wasm/edgegate_bg.wasm', import.meta.url)));
  const platform = nodePlatform(() => compiled);
  let copied = 0;
  const counting = {
    ...platform,
    write: (...all) => {
      const length = platform.write(...all);
      copied += length;
      return length;
    },
  };
  const verifier = bind(counting).createVerifier(options({ cache: false }));
  copied = 0;
  for (const text of ['a'.repeat(8193), 'a.'.repeat(10_000_000), '€'.repeat(1_000_000)]) {
    assert.equal(refusalOf(() => verifier.verifySync(text), EdgegateError).reason, 'token_too_long');
  }
  assert.equal(copied, 0);
  // A short one is copied; otherwise nothing would be counted here.
  const token = signHmac(CLAIMS, { secret });
  verifier.verifySync(token);
  assert.equal(copied, token.length);
});

test('members named __proto__ and constructor are members of every copy', () => {
  const text = `${JSON.stringify(CLAIMS).slice(0, -1)},"__proto__":{"admin":true},"nested":{"__proto__":{"admin":true}},"constructor":1}`;
  const header = '{"alg":"HS256","__proto__":{"admin":true}}';
  const token = signHmac(text, { secret, header });
  const verifier = createVerifier(options());
  // The second and third come from the cache.
  for (const result of [verifier.verifySync(token), verifier.verifySync(token), verifier.verifySync(token)]) {
    for (const object of [result.claims, result.claims.nested, result.header]) {
      assert.ok(Object.hasOwn(object, '__proto__'));
      assert.equal(Object.getPrototypeOf(object), Object.prototype);
      assert.equal(object.admin, undefined);
    }
    assert.deepEqual(JSON.stringify(result.claims), JSON.stringify(JSON.parse(text)));
  }
  assert.equal({}.admin, undefined);
  const decoded = decodeUnverified(token);
  assert.equal(Object.getPrototypeOf(decoded.payload), Object.prototype);
});

test('decodeUnverified reads what anybody wrote, and refuses what cannot be read', () => {
  const unsigned = `${base64url({ alg: 'none' })}.${base64url({ sub: 'zoë' })}.`;
  assert.deepEqual(decodeUnverified(unsigned), { header: { alg: 'none' }, payload: { sub: 'zoë' } });
  const decodeRefused = (token) => refusalOf(() => decodeUnverified(token), EdgegateError);
  assert.deepEqual(decodeRefused('a.b'), malformed('token: expected three segments'));
  assert.deepEqual(decodeRefused(5), malformed('token: expected a string'));
  assert.deepEqual(decodeRefused(`${base64url([])}.e30.`), malformed('header: not a JSON object'));
  assert.deepEqual(decodeRefused('e30.e3.'), malformed('payload: not JSON'));
  assert.deepEqual(decodeRefused('e30.e30=.'), malformed('payload: not base64url without padding'));
});
