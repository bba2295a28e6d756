// What `edgegate doctor --format ocsf` and `--format junit` print, for each line in each state: valid OCSF 1.8 by the schema of the standard,
// and XML whose counts are those of its cases. JUnit's form has no standard: the elements are those that Jenkins, GitLab and GitHub read.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { LINES, STATES } from '../../pkg/cli/doctor/checklist.js';
import { toJunit } from '../../pkg/cli/doctor/junit.js';
import { toOcsf } from '../../pkg/cli/doctor/ocsf.js';
import { ensure, python } from './environment.mjs';

/** What breaks XML, and what it cannot hold. */
const EVIDENCE = 'found <script> & "x" \' ]]> \u0000 \ud800 ü';

const findings = LINES.flatMap(({ id, section, line }) => STATES.map((state) => ({ id, section, line, state, kind: 'static', evidence: EVIDENCE, path: 'a.b', fix: 'c = 1' })));
const lines = LINES.map(({ id, section, line }, at) => ({ id, section, line, state: STATES[at % STATES.length] }));
const report = { at: '2026-01-31T12:00:00.000Z', policy: 'wrangler.toml', lines, findings };

let folder;
let found;
before(() => {
  ensure();
  folder = mkdtempSync(path.join(tmpdir(), 'edgegate-findings-'));
  const [ocsf, junit] = ['ocsf.json', 'junit.xml'].map((name) => path.join(folder, name));
  const more = toOcsf({ ...report, policy: undefined, findings: findings.map(({ fix, path: _, ...rest }) => rest) }, '1.2.3');
  writeFileSync(ocsf, JSON.stringify([...toOcsf(report, '1.2.3'), ...more]));
  writeFileSync(junit, toJunit(report));
  const program = fileURLToPath(new URL('findings.py', import.meta.url));
  found = JSON.parse(execFileSync(python, [program, ocsf, junit], { encoding: 'utf8' }));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('findings of doctor', () => {
  test('are Compliance Findings of OCSF', () => assert.deepEqual(found.faults, []));

  test('are suites and cases of JUnit, which count what is in them', () => {
    const { tag, counts, suites } = found.junit;
    assert.deepEqual([tag, suites.map(({ name }) => name)], ['testsuites', [...new Set(LINES.map(({ section }) => section))]]);
    const countsOf = (cases) => [cases.length, ...['failure', 'skipped'].map((name) => cases.filter(({ has }) => has.includes(name)).length)];
    assert.deepEqual(counts, countsOf(suites.flatMap(({ cases }) => cases)));
    for (const { cases, counts: own } of suites) assert.deepEqual(own, countsOf(cases));
    const all = suites.flatMap(({ cases }) => cases);
    assert.deepEqual(all.map(({ name, has }) => [name, has[0]]), lines.map(({ line, state }) => [line, { FAIL: 'failure', UNKNOWN: 'skipped', SKIP: 'skipped' }[state] ?? 'system-out']));
    for (const { text } of all) assert.ok(text.includes('found <script> & "x" \' ]]> \ufffd \ufffd ü'), text);
  });
});
