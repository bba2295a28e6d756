// `edgegate passwords`, and the list that comes along, which it has made.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { installed } from './command-line.mjs';
import { shipped } from './shipped-passwords.mjs';

let project;
before(async () => {
  project = await installed();
});
after(() => project?.dispose());

const at = (name) => path.join(project.folder, name);
const build = (...parameters) => project.cli(['passwords', 'build', ...parameters]);
const list = (name) => readFileSync(at(name));
const sha1 = (text) => createHash('sha1').update(text).digest('hex').toUpperCase();
function file(name, lines) {
  writeFileSync(at(name), lines.join('\n'));
  return at(name);
}

describe('passwords build', () => {
  test('the list that comes along is made of the most common ones of zxcvbn', async () => {
    const words = shipped();
    assert.equal(words.length, 5000);
    const { code, stderr } = await build(file('shipped.txt', words), '--out', at('shipped.egp'));
    assert.equal(code, 0, stderr);
    assert.ok(list('shipped.egp').equals(readFileSync(new URL('../../src/account/common_passwords.egp', import.meta.url))), 'node tests/cli/shipped-passwords.mjs makes it anew');
  });

  test('passwords and their hashes are the same list', async () => {
    const words = ['iloveyou', 'correct horse', 'pässwörter'];
    await build(file('words.txt', [...words, 'short', '']), '--out', at('words.egp'));
    const hashes = words.map((word, index) => `${sha1(word)}:${index + 10}`);
    const made = await build(file('hashes.txt', [...hashes, `${sha1('seldom leaked')}:9`]), '--at-least', '10', '--out', at('hashes.egp'), '--json');
    assert.equal(made.json().passwords, 3);
    assert.ok(list('hashes.egp').equals(list('words.egp')));
  });

  test('the list that the tests of the Worker put into KV', async () => {
    await build(file('one.txt', ['Harbour lights 2026'.toLowerCase()]), '--out', at('one.egp'));
    assert.ok(list('one.egp').equals(readFileSync(new URL('../vectors/password-list.egp', import.meta.url))));
  });

  test('what gives no list says why', async () => {
    for (const [parameters, expected, message] of [
      [[at('missing.txt'), '--out', at('x.egp')], 2, /there is no such file/],
      [[file('short.txt', ['short', 'words']), '--out', at('x.egp')], 1, /there is no password of 8 characters or more/],
      [[at('short.txt')], 2, /--out/],
    ]) {
      const { code, stderr } = await build(...parameters);
      assert.equal(code, expected, stderr);
      assert.match(stderr, message);
    }
  });
});
