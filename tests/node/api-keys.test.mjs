// API keys by the vectors that the Rust tests read too.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { EdgegateError, createApiKeys } from '../../pkg/wasm/node.js';
import { mintKey } from '../worker/api-key.mjs';
import { refusalOf } from './support.mjs';

const vectors = JSON.parse(readFileSync(new URL('../vectors/api_keys.json', import.meta.url), 'utf8'));
const signingKeys = vectors.signing_keys.map(({ id, secret_hex }) => ({ id, secret: Buffer.from(secret_hex, 'hex') }));
const keys = createApiKeys({
  environment: vectors.environment, prefixes: vectors.prefixes, signingKeys, now: () => vectors.now,
});

describe('the vectors', () => {
  for (const { name, key, id, prefix, signing_key_id: signingKeyId, expires_at: expiresAt } of vectors.valid) {
    test(name, () => {
      assert.deepEqual(keys.verify(key), { id, prefix, signingKeyId, ...(expiresAt !== null && { expiresAt }) });
    });
  }

  for (const { name, key, reason } of vectors.invalid) {
    test(`${name} is refused`, () => {
      const code = { wrong_environment: 'WRONG_ENVIRONMENT', api_key_expired: 'API_KEY_EXPIRED' }[reason] ?? 'INVALID_API_KEY';
      const refusal = refusalOf(() => keys.verify(key), EdgegateError);
      assert.deepEqual([refusal.code, refusal.reason], [code, reason]);
    });
  }
});

test('a minted key verifies, and is the one that another implementation would mint', () => {
  for (const prefix of vectors.prefixes) {
    for (const expiresAt of [undefined, vectors.now + 61]) {
      const minted = keys.mint({ prefix, expiresAt });
      const expiry = expiresAt === undefined ? undefined : Math.ceil(expiresAt / 60) * 60;
      assert.equal(minted.prefix, prefix);
      assert.equal(minted.expiresAt, expiry);
      assert.match(minted.id, /^[0-9a-f]{32}$/);
      assert.deepEqual(keys.verify(minted.key), {
        id: minted.id, prefix, signingKeyId: 9, ...(expiry && { expiresAt: expiry }),
      });
      const newest = signingKeys.find(({ id }) => id === 9);
      assert.equal(minted.key, mintKey({
        secret: newest.secret, prefix, environment: vectors.environment, signingKey: 9, id: Buffer.from(minted.id, 'hex'),
        expiryMinutes: (expiry ?? 0) / 60,
      }));
    }
  }
  assert.equal(keys.mint().prefix, vectors.prefixes[0]);
  assert.notEqual(keys.mint().key, keys.mint().key);
});

test('an old signing key still verifies, a removed one does not', () => {
  const one = { environment: 'live', prefixes: ['sk'], signingKeys: [signingKeys[0]] };
  const { key } = createApiKeys(one).mint();
  assert.equal(createApiKeys({ ...one, signingKeys: signingKeys.slice(0, 2) }).verify(key).signingKeyId, 1);
  assert.deepEqual(refusalOf(() => createApiKeys({ ...one, signingKeys: [signingKeys[1]] }).verify(key), EdgegateError), {
    code: 'INVALID_API_KEY', reason: 'unknown_signing_key', message: 'API key was signed with signing key 1, which is not configured',
  });
});

test('a secret given as text is its bytes', () => {
  const secret = 'ein Geheimnis von 32 Bytes: größer';
  const make = (value) => createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret: value }] });
  assert.equal(make(Buffer.from(secret)).verify(make(secret).mint().key).prefix, 'sk');
});

test('expired at the very second, and another environment', () => {
  const clock = { now: vectors.now };
  const make = (environment) => createApiKeys({ environment, prefixes: ['sk'], signingKeys, now: () => clock.now });
  const { key, expiresAt } = make('live').mint({ expiresAt: vectors.now + 1 });
  clock.now = expiresAt - 1;
  assert.equal(make('live').verify(key).expiresAt, expiresAt);
  clock.now = expiresAt;
  assert.deepEqual(refusalOf(() => make('live').verify(key), EdgegateError), {
    code: 'API_KEY_EXPIRED', reason: 'api_key_expired', message: `API key expired at ${expiresAt}, it is ${expiresAt}`,
  });
  assert.deepEqual(refusalOf(() => make('test').verify(key), EdgegateError), {
    code: 'WRONG_ENVIRONMENT', reason: 'wrong_environment', message: 'API key belongs to another environment',
  });
});

test('mint refuses options that it cannot keep', () => {
  const refused = (rest) => refusalOf(() => keys.mint(rest), EdgegateError);
  const invalid = (path, problem) => ({ code: 'INVALID_REQUEST', reason: 'invalid_field', path, message: `${path}: ${problem}` });
  assert.deepEqual(refused({ prefix: 'xx' }), invalid('prefix', `expected one of ${vectors.prefixes.join(', ')}`));
  assert.deepEqual(refused({ prefix: 5 }), invalid('prefix', 'expected a string'));
  assert.deepEqual(refused({ expiresAt: 1.5 }), invalid('expiresAt', 'expected a whole number of seconds since 1970'));
  assert.deepEqual(refused({ expiresAt: new Date() }), invalid('expiresAt', 'expected a whole number of seconds since 1970'));
  assert.equal(refused({ expiresAt: 0 }).path, 'expiresAt');
  assert.equal(refused({ expires: 5 }).message, 'expires: is not a known option, expected one of prefix, expiresAt');
});

test('anything else is not taken for a key', () => {
  const malformed = (message) => ({ code: 'INVALID_API_KEY', reason: 'malformed_api_key', message });
  assert.deepEqual(refusalOf(() => keys.verify(undefined), EdgegateError), malformed('API key: expected a string'));
  for (const key of ['', 'sk_prod_', 'x'.repeat(10_000_000), 'é'.repeat(100)]) {
    assert.deepEqual(refusalOf(() => keys.verify(key), EdgegateError), malformed('API key: expected 62 to 108 characters'));
  }
});
