// Sizes, as they are printed and judged.

import assert from 'node:assert/strict';
import test from 'node:test';

import { sectionOf } from '../lib/sections.mjs';
import { composition, overBudget, sectionTable, sizeTable } from './sizes.mjs';

const artefact = (gzip) => [{
  name: 'script', raw: 3000, gzip, brotli: 900, target_gzip: 500, budget_gzip: 1100, parts: [{ name: 'a.wasm', raw: 3000, gzip, brotli: 900 }],
}];

test('a budget may be used up and not more', () => {
  assert.deepEqual(overBudget(artefact(1100)), []);
  assert.deepEqual(overBudget(artefact(1101)), ['script: 1,101 bytes, expected at most 1,100']);
});

test('the table has the parts and the whole', () => {
  const lines = sizeTable(artefact(1100)).split('\n');
  assert.equal(lines[0], `${' '.repeat(50)}        raw       gzip     brotli`);
  assert.equal(lines[1], `${'  a.wasm'.padEnd(50)}      3,000      1,100        900`);
  assert.equal(lines[2], `${'script'.padEnd(50)}      3,000      1,100        900  budget 1,100, target 500: not met`);
});

test('the largest crates and functions of a module are named', () => {
  const module = { name: 'script', code: 1234, data: 5, custom: [], crates: [{ name: 'core', bytes: 1000 }], functions: [] };
  assert.equal(composition(module), 'script, as compiled: code 1,234, data 5\n  custom\n  crates\n       1,000  core\n  functions\n');
});

test('a function counts for the type or module that its name says first', () => {
  const sections = {
    'edgegate::policy::Policy::from_document::h256846a52efe6579': 'the policy, read and checked',
    '<edgegate::guard::login::callback::LoginFlow<B,L>>::opened::{{closure}}': 'logins',
    'core::ptr::drop_in_place<alloc::vec::Vec<edgegate::grant::step::GrantStep>>': 'grants',
    'edgegate_worker::endpoints::admin::explain::answer::{{closure}}': 'the explanation',
    'edgegate::limitless': 'the rest of the gate',
    'core[c5930c85a12de822]::fmt::write': 'the standard library',
    'sha2::sha256::compress256': 'digests and signatures',
    __externref_table_alloc: 'other',
  };
  for (const [name, section] of Object.entries(sections)) assert.equal(sectionOf(name), section, name);
});

test('the table of sections is Markdown', () => {
  const rows = sectionTable([{ name: 'logins', functions: 1234, raw: 56_789, gzip: 20_000 }]).split('\n');
  assert.equal(rows[2], '| logins | 1,234 | 56,789 | 20,000 |');
});
