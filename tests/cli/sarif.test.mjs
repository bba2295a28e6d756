// What `edgegate doctor --sarif` prints is SARIF 2.1.0, by the schema that `@microsoft/jest-sarif` has.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import Ajv from 'ajv';

import { LINES, STATES } from '../../pkg/cli/doctor/checklist.js';
import { toSarif } from '../../pkg/cli/doctor/sarif.js';

const main = createRequire(import.meta.url).resolve('@microsoft/jest-sarif');
// Ajv knows draft 4 no more; what has changed since are the names of these two, and bounds that this schema does not have.
const { $schema, id, ...schema } = JSON.parse(readFileSync(path.join(path.dirname(main), 'schemas/sarif-2.1.0-rtm.5.json'), 'utf8'));
const ajv = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: false });
const isSarif = ajv.compile({ ...schema, $id: id });

const findings = LINES.flatMap(({ id: line, section, line: text }) => STATES.map((state) => ({ id: line, section, line: text, state, kind: 'static', evidence: 'found', path: 'a.b', fix: 'c = 1' })));

test('every line in every state, with a policy and without', () => {
  for (const policy of ['wrangler.toml', '../elsewhere/a policy.toml', 'a/ä b.json', undefined]) {
    const log = toSarif({ findings, policy }, '1.2.3');
    assert.ok(isSarif(log), JSON.stringify(isSarif.errors?.slice(0, 3)));
  }
});

test('the schema refuses what is none', () => {
  const log = toSarif({ findings }, '1.2.3');
  assert.ok(!isSarif({ ...log, version: '2.0.0' }));
  log.runs[0].results[0].level = 'fatal';
  assert.ok(!isSarif(log));
});
