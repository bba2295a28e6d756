// The contract suite of stores, which is Rust, against the stores in workerd: revocations in KV and in the ledger, counters in their
// Durable Object.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';

import { AUDIENCE, ROOT, SECRETS, gateWorker, policy, start } from './harness.mjs';

/** Lets the suite ask the counter objects directly. No endpoint of the gate does that. */
const OBJECTS = {
  name: 'objects',
  modules: true,
  durableObjects: { OBJECTS: { className: 'CounterObject', scriptName: 'entries', useSQLite: true } },
  unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  script: `export default {
    fetch(request, env) {
      return env.OBJECTS.get(env.OBJECTS.idFromName(new URL(request.url).pathname.slice(1))).fetch(request);
    },
  };`,
};

const MODES = ['entries', 'snapshot'];
let gate;

before(async () => {
  // The suite's tokens are of this issuer.
  const issuers = [{ issuer: 'i', audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }];
  gate = await start([
    ...MODES.map((mode) => gateWorker({ name: mode, policy: policy({ issuers, revocation: { mode } }) })),
    OBJECTS,
  ]);
});
after(() => gate.dispose());

/** Runs the ignored tests of `tests/suite/<subject>.rs` against a worker. */
function suite(subject, worker) {
  const env = { ...process.env, EDGEGATE_ADDRESS: `127.0.0.1:${gate.port(worker)}`, EDGEGATE_ADMIN_TOKEN: SECRETS.ADMIN_TOKEN };
  // With the workspace's features, as `cargo xtask test` has compiled it already.
  const parameters = ['test', '--workspace', '--locked', '--test', 'suite', '--', '--ignored', `${subject}::`];
  return new Promise((resolve, reject) => {
    execFile('cargo', parameters, { cwd: ROOT, env }, (fault, stdout, stderr) =>
      (fault ? reject(new Error(`${fault.message}\n${stdout}\n${stderr}`)) : resolve(stdout)));
  });
}

for (const mode of MODES) {
  test(`revocations obey the contract (${mode})`, { timeout: 900_000 }, async () => {
    assert.match(await suite('contract_over_http', mode), /1 passed/);
  });
}

test('counter objects obey the contract, asked through leases', { timeout: 900_000 }, async () => {
  assert.match(await suite('counters_over_http', 'objects'), /1 passed/);
});
