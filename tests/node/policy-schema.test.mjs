// The schemas of the package as an editor uses them: the policy alone, and a whole configuration of wrangler, whose own schema is installed
// beside the package. crates/describe holds the schema against the reader.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import Ajv from 'ajv/dist/2020.js';

const read = (path) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));
const samples = read('tests/vectors/policies.json');

function validatorOf(name) {
  // wrangler's own is of an older draft, and adds what editors show.
  const ajv = new Ajv({ strict: false, logger: false, validateSchema: false });
  // Where `../../wrangler/config-schema.json` leads to from `node_modules/edgegate/schema`.
  const base = 'file:///node_modules/';
  const { $schema, ...wrangler } = read('node_modules/wrangler/config-schema.json');
  ajv.addSchema(wrangler, `${base}wrangler/config-schema.json`);
  ajv.addSchema(read(`pkg/schema/${name}`), `${base}edgegate/schema/${name}`);
  return ajv.getSchema(`${base}edgegate/schema/${name}`);
}

test('the schema of policies takes whole ones, and no misspelt field', () => {
  const isPolicy = validatorOf('policy.schema.json');
  for (const policy of samples) assert.ok(isPolicy(policy), JSON.stringify(isPolicy.errors));
  assert.ok(!isPolicy({ authPrefix: '/auth' }));
  assert.ok(!isPolicy({ routes: [{ path: '/a', auth: 'nobody' }] }));
});

test('the schema of a wrangler configuration knows wrangler and the policy, of each environment', () => {
  const isConfiguration = validatorOf('wrangler.schema.json');
  const configuration = (POLICY) => ({ name: 'gate', main: 'build/index.js', compatibility_date: '2026-04-01', vars: { POLICY, OTHER: 'text' } });
  for (const policy of [...samples, { source: 'kv', reload_secs: 30 }, '{}']) {
    assert.ok(isConfiguration(configuration(policy)), JSON.stringify(isConfiguration.errors));
    assert.ok(isConfiguration({ ...configuration({}), env: { staging: { vars: { POLICY: policy } } } }), JSON.stringify(isConfiguration.errors));
  }
  assert.ok(!isConfiguration(configuration({ authPrefix: '/auth' })));
  assert.ok(!isConfiguration({ ...configuration({}), env: { staging: { vars: { POLICY: { log: 'some' } } } } }));
  assert.ok(!isConfiguration(configuration({ source: 'kv', reload_secs: 0 })));
  assert.ok(!isConfiguration({ ...configuration({}), main: 7 }), 'what wrangler itself refuses');
});
