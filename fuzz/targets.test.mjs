// The names of the fuzz targets.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { select, targets } from './targets.mjs';

test('every target is a program, and every program a target', () => {
  const manifest = readFileSync(new URL('Cargo.toml', import.meta.url), 'utf8');
  const programs = manifest.split('[[bin]]').slice(1).map((section) => /name = "(.*?)"/.exec(section)[1]);
  assert.deepEqual(programs.sort(), targets);
});

test('without names all targets are run', () => {
  assert.deepEqual(select([]), targets);
  assert.deepEqual(select(['jwk']), ['jwk']);
});

test('an unknown target is refused with the known ones', () => {
  assert.throws(() => select(['tokens']), /^Error: no target `tokens`: expected some of admin, api_key, /);
});
