// What docs/supported.md says, and that the other documents and manifests say the same.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, createProject } from './project.mjs';
import { page } from './supported.mjs';

const read = (file) => readFileSync(path.join(ROOT, file), 'utf8');
const json = (file) => JSON.parse(read(file));

let project;
before(async () => {
  project = await createProject();
});
after(() => project?.dispose());

test('the tables are fresh, and every entry is well', async () => {
  const { text, fresh } = await page(project);
  assert.match(text, /\n\| `edgegate\/gate\/slim` \|( yes \|){6}\n/);
  assert.doesNotMatch(text, / no \|/);
  assert.equal(text, fresh, 'docs/supported.md is stale: cargo xtask package, then node tests/packaging/supported.mjs');
});

test('every manifest and document names the same oldest Node', () => {
  const { engines: { node } } = json('package.json');
  for (const file of ['pkg/package.json', 'pkg/create/package.json']) assert.equal(json(file).engines.node, node, file);
  const least = node.replace('>=', '');
  for (const file of ['docs/start.md', 'docs/command-line.md', 'docs/supported.md']) assert.ok(read(file).includes(`Node ${least} or newer`), file);
});

test('the template asks for the oldest wrangler that is tested, or a newer one', () => {
  const oldest = json('tests/oldest/package.json').dependencies.wrangler;
  assert.equal(json('templates/worker/package.json').devDependencies.wrangler, `^${oldest}`);
});
