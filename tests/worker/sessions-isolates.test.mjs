// One gate in many isolates: Workers of their own, each with its own memory, that share the objects of one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { admitted, gateWorker, start } from './harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';

const ISOLATES = 24;

/** RSA keys take the longest to make: the more may ask meanwhile. */
const POLICY = sessionPolicy({}, { algorithm: 'RS256' });
const SHARED = Object.fromEntries(Object.entries(gateWorker().durableObjects).map(([name, object]) => [name, { ...object, scriptName: 'owner' }]));

let gate;
let isolates;
before(async () => {
  const others = Array.from({ length: ISOLATES }, (_, index) => sessionWorker({
    name: `isolate-${index}`, policy: POLICY, worker: { kvNamespaces: { EDGEGATE_KV: 'owner-kv' }, durableObjects: SHARED },
  }));
  gate = await start([sessionWorker({ name: 'owner', policy: POLICY }), ...others]);
  isolates = others.map(({ name }) => new Sessions(gate, name));
});
after(() => gate?.dispose());

test(`${ISOLATES} cold isolates: one signing key`, { timeout: 240_000 }, async () => {
  const sets = await Promise.all(isolates.map(async (isolate) => {
    const answer = await isolate.get('/.well-known/jwks.json');
    assert.equal(answer.status, 200, answer.text);
    return answer.json().keys.map(({ kid }) => kid);
  }));
  assert.equal(sets.length, ISOLATES);
  assert.deepEqual([...new Set(sets.map(String))].length, 1);
  assert.equal(sets[0].length, 1);
  const { access_token: access } = await isolates[0].open();
  assert.equal(JSON.parse(Buffer.from(access.split('.', 1)[0], 'base64url')).kid, sets[0][0]);
  admitted(await isolates.at(-1).get('/v1/posts', { token: access }));
});
