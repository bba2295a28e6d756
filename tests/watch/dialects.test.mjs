// What the gate says in the words of others, held against their own tools in Python: OCSF, OpenTelemetry, Standard Webhooks.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ensure, python } from './environment.mjs';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

test('OCSF, OpenTelemetry and Standard Webhooks take what the gate says', () => {
  ensure();
  const vectors = ['watch-events.json', 'watch-webhook.json'].map((name) => file(`../vectors/${name}`));
  const said = execFileSync(python, [file('dialects.py'), ...vectors], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(said), { events: 12, faults: [] });
});
