import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { test } from 'node:test';

import { Secrets } from './secrets.mjs';

const noise = () => randomBytes(500);

test('a secret is found in whatever spelling it stands', () => {
  const secret = randomBytes(24).toString('base64url');
  const secrets = new Secrets();
  secrets.add('it', secret);
  secrets.add('another', randomBytes(24).toString('base64url'));
  const written = {
    plain: secret,
    json: JSON.stringify({ a: [secret] }),
    'utf-16': Buffer.from(secret, 'utf16le'),
    hex: Buffer.from(secret).toString('hex'),
    'hex of its bytes': Buffer.from(secret, 'base64url').toString('hex').toUpperCase(),
    bytes: Buffer.from(secret, 'base64url'),
    percent: [...Buffer.from(secret)].map((byte) => `%${byte.toString(16)}`).join(''),
    ...Object.fromEntries([0, 1, 2, 3].flatMap((before) => ['base64', 'base64url'].map((name) => {
      const whole = Buffer.concat([randomBytes(before), Buffer.from(secret), randomBytes(5)]);
      return [`${name} behind ${before}`, whole.toString(name)];
    }))),
  };
  for (const [name, text] of Object.entries(written)) {
    assert.deepEqual(secrets.in(Buffer.concat([noise(), Buffer.from(text), noise()])), ['it'], name);
  }
  assert.deepEqual(secrets.in(noise()), []);
  // What it does not see: it unpacks nothing.
  assert.deepEqual(secrets.in(gzipSync(Buffer.concat([Buffer.from(secret.repeat(3))]))), []);
});

test('of a token each part is found, and the header that all have is nobody\'s', () => {
  const secrets = new Secrets();
  const [header, claims, signature] = [{ alg: 'RS256' }, { sub: 'somebody', nonce: 'n' }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).concat(randomBytes(64).toString('base64url'));
  secrets.addToken('token', `${header}.${claims}.${signature}`);
  assert.deepEqual(secrets.in(`x${header}.`), []);
  assert.deepEqual(secrets.in(`log ${claims} line`), ['token, its claims']);
  assert.deepEqual(secrets.in(`log ${signature} line`), ['token, its signature']);
  // JSON of the claims, without base64.
  assert.deepEqual(secrets.in(Buffer.from(claims, 'base64url')), ['token, its claims']);
});
