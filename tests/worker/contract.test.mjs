// The contract suite of stores, which is Rust, against revocations in workerd: in KV and in the ledger.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';

import { AUDIENCE, ROOT, SECRETS, gateWorker, policy, start } from './harness.mjs';

const MODES = ['entries', 'snapshot'];
let gate;

before(async () => {
  // The suite's tokens are of this issuer.
  const issuers = [{ issuer: 'i', audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }];
  gate = await start(MODES.map((mode) => gateWorker({ name: mode, policy: policy({ issuers, revocation: { mode } }) })));
});
after(() => gate.dispose());

for (const mode of MODES) {
  test(`revocations obey the contract (${mode})`, { timeout: 900_000 }, async () => {
    const env = { ...process.env, EDGEGATE_ADDRESS: `127.0.0.1:${gate.port(mode)}`, EDGEGATE_ADMIN_TOKEN: SECRETS.ADMIN_TOKEN };
    const parameters = ['test', '--locked', '--test', 'contract_over_http', '--', '--ignored'];
    const printed = await new Promise((resolve, reject) => {
      execFile('cargo', parameters, { cwd: ROOT, env }, (fault, stdout, stderr) =>
        (fault ? reject(new Error(`${fault.message}\n${stdout}\n${stderr}`)) : resolve(stdout)));
    });
    assert.match(printed, /1 passed/);
  });
}
