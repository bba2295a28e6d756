// Questions to a person at a terminal.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { parse } from 'smol-toml';

import { ROOT, environment, installed } from './command-line.mjs';

const RETURN = '\r';
const DOWN = '\u001b[B';

let project;
before(async () => {
  project = await installed();
});
after(() => project?.dispose());

/** Runs a command in a terminal, and types when what comes before is shown. */
const typed = (parameters, keys) => new Promise((resolve) => {
  const program = path.join(project.folder, 'node_modules/edgegate/bin/edgegate.js');
  const all = [path.join(ROOT, 'tests/cli/terminal.py'), JSON.stringify(keys), process.execPath, program, ...parameters];
  execFile('python3', all, { cwd: project.folder, env: environment(project.folder) }, (error, stdout) => {
    resolve({ code: error?.code ?? 0, shown: stripVTControlCharacters(stdout) });
  });
});

test('init asks for what it was not told', async () => {
  const { code, shown } = await typed(['init', 'asked', '--no-install'], [
    ['Name of the Worker', RETURN], ['Who issues', DOWN], ['Auth0', RETURN],
    ['Issuer at Auth0', `https://acme.eu.auth0.com/${RETURN}`], ['Your API', `https://api.acme.io${RETURN}`], ['behind the gate', RETURN],
  ]);
  assert.equal(code, 0, shown);
  const { name, vars: { POLICY: policy } } = parse(readFileSync(project.path('asked/wrangler.toml'), 'utf8'));
  assert.deepEqual([name, policy.issuers[0].issuer, policy.issuers[0].audience, policy.upstream], ['asked', 'https://acme.eu.auth0.com/', ['https://api.acme.io'], undefined]);
});

test('a secret is asked for and not shown; what cannot be undone is not done by Return alone', async () => {
  const { code, shown } = await typed(['keys', 'revoke', 'abc', '--url', 'http://127.0.0.1:1'], [
    ["Administrator's secret of http://127.0.0.1:1/auth", `a-secret-that-is-typed${RETURN}`], ['Revoke abc at', RETURN],
  ]);
  assert.equal(code, 1, shown);
  assert.match(shown, /error: not done/);
  assert.ok(!shown.includes('secret-that'), shown);
});
