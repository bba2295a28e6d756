// The secrets of `cargo xtask dev`.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { complete, randomSecret, value } from '../../pkg/cli/vars.js';
import { NAMES, ensure } from './vars.mjs';

test('an empty file gets every name', () => {
  const { text, added } = complete('', NAMES, () => 'new');
  assert.equal(text, NAMES.map((name) => `${name}=new\n`).join(''));
  assert.deepEqual(added, NAMES);
});

test('what is there stays as it is', () => {
  // `dev` wrote the file like this before there were sessions.
  const before = '# mine\nOTHER=1\nJWT_SECRET="old one"\nADMIN_TOKEN=t\nAPI_KEY_SECRET=k';
  const { text, added } = complete(before, NAMES, () => 'new');
  assert.equal(text, `${before}\nSESSION_SECRET=new\nBATCH_CLIENT_SECRET=new\nACCOUNTS_SECRET=new\n`);
  assert.deepEqual(added, ['SESSION_SECRET', 'BATCH_CLIENT_SECRET', 'ACCOUNTS_SECRET']);
  assert.deepEqual(complete(text, NAMES, () => 'newer'), { text, added: [] });
});

for (const [line, expected] of [
  ['JWT_SECRET=plain', 'plain'],
  ['export JWT_SECRET = spaced ', 'spaced'],
  ["JWT_SECRET='a # b'", 'a # b'],
  ['JWT_SECRET="a=b"', 'a=b'],
  ['JWT_SECRET=plain # note', 'plain'],
  ['JWT_SECRET=1\nJWT_SECRET=2', '2'],
  ['JWT_SECRET=1\nJWT_SECRET=', undefined],
  ['JWT_SECRET=windows\r\n', 'windows'],
  ['JWT_SECRET=', undefined],
  ['# JWT_SECRET=x', undefined],
  ['MY_JWT_SECRET=x', undefined],
]) {
  test(`wrangler reads ${JSON.stringify(line)} so`, () => {
    assert.equal(value(line, 'JWT_SECRET'), expected);
  });
}

test('secrets are random and long enough', () => {
  assert.equal(randomSecret().length, 43);
  assert.notEqual(randomSecret(), randomSecret());
});

test('only the owner can read what is written', (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'xtask-vars-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['new', 'old']) {
    const file = path.join(folder, name);
    if (name === 'old') writeFileSync(file, 'OTHER=1\n', { mode: 0o644 });
    const values = ensure(file);
    assert.equal(statSync(file).mode & 0o777, 0o600, name);
    assert.equal(value(readFileSync(file, 'utf8'), 'ADMIN_TOKEN'), values.ADMIN_TOKEN);
  }
});
