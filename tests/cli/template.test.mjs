// The project that *Deploy to Cloudflare* copies: installed from what npm packs, checked, built by wrangler.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import jsonc from 'jsonc-parser';
import { parse } from 'smol-toml';

import { ROOT, environment, installed, linkWrangler } from './command-line.mjs';

const run = promisify(execFile);
const TEMPLATE = path.join(ROOT, 'templates/worker');
const read = (name) => readFileSync(path.join(TEMPLATE, name), 'utf8');

let project;
before(async () => {
  project = await installed();
  for (const name of ['src', 'wrangler.jsonc']) cpSync(path.join(TEMPLATE, name), project.path(name), { recursive: true });
  linkWrangler(project.folder);
});
after(() => project?.dispose());

test('its policy is taken, and everything it needs is bound', async () => {
  const done = await project.cli(['check', '--json']);
  assert.equal(done.code, 0, done.stdout + done.stderr);
  const { findings, secrets } = done.json();
  assert.deepEqual(findings, []);
  // The button asks for the names in this file, by the words in package.json.
  assert.deepEqual(read('.dev.vars.example').match(/^\w+(?==$)/gm), secrets);
  const { cloudflare: { bindings } } = JSON.parse(read('package.json'));
  assert.deepEqual(Object.keys(bindings).sort(), [...secrets, 'EDGEGATE_KV'].sort());
  for (const { description } of Object.values(bindings)) assert.match(description, /^[A-Z].{10,}/);
});

test('it is what init writes', async () => {
  const written = await project.cli(['init', 'written', '--yes', '--no-install', '--name', 'edgegate-worker']);
  assert.equal(written.code, 0, written.stderr);
  const own = parse(readFileSync(project.path('written/wrangler.toml'), 'utf8'));
  const { $schema, ...template } = jsonc.parse(read('wrangler.jsonc'));
  // The default, which the policy in TOML writes out with the other ones beside it.
  template.vars.POLICY.limits[0].algorithm = 'sliding-window';
  assert.deepEqual(template, JSON.parse(JSON.stringify(own)));
  assert.match($schema, /edgegate/);
  assert.equal(read('src/index.js'), readFileSync(project.path('written/src/index.js'), 'utf8'));
});

test('wrangler builds what it would deploy', async () => {
  const { stdout } = await run(process.execPath, [project.path('node_modules/wrangler/bin/wrangler.js'), 'deploy', '--dry-run', '--outdir', 'dist'], {
    cwd: project.folder, env: environment(project.folder),
  });
  assert.match(stdout, /Total Upload: .*\n[^]*EDGEGATE_COUNTERS \(CounterObject\)/);
});
