// A module that starts: it reads the policy. If that fails, the first request makes up for it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { BUILD, admitted, gateWorker, policy, refused, start, token } from './harness.mjs';

const file = (name, contents) => ({ type: name.endsWith('.wasm') ? 'CompiledWasm' : 'ESModule', path: path.join(BUILD, name), contents });

/** The gate behind modules of the test. The platform loads the first one. */
const within = (name, modules, worker = {}) => gateWorker({
  name,
  policy: policy(),
  worker: { modules: [...modules, file('index.js'), file('index_bg.wasm')], ...worker },
});

/** Requests do not carry the policy. */
const WITHOUT_POLICY = `
import gate from './index.js';
export * from './index.js';
export default {
  fetch: (request, { POLICY, ...env }, context) => gate.fetch(request, env, context),
};
`;

/** (module (func (export "trap") unreachable)) */
const TRAP = Buffer.from('AGFzbQEAAAABBAFgAAADAgEABwgBBHRyYXAAAAoFAQMAAAs=', 'base64');

/** Reading the policy traps, in the first instance of the module. */
const TRAPPING = `
import trapModule from './trap.wasm';
const { trap } = new WebAssembly.Instance(trapModule).exports;
const { Instance } = WebAssembly;
let instances = 0;
WebAssembly.Instance = function (module, imports) {
  const { exports } = new Instance(module, imports);
  instances += 1;
  return { exports: instances === 1 ? { ...exports, prepare: trap } : exports };
};
`;

const MAIN = `
import './trapping.js';
import gate from './index.js';
export * from './index.js';
export default gate;
`;

describe('the policy', () => {
  let gate;
  before(async () => {
    gate = await start([
      within('without', [file('main.js', WITHOUT_POLICY)]),
      within('request-alone', [], { compatibilityFlags: ['disallow_importable_env'] }),
      within('trapping', [file('main.js', MAIN), file('trapping.js', TRAPPING), file('trap.wasm', TRAP)]),
    ]);
  });
  // The log has the trap.
  after(() => gate.mf.dispose());

  test('is read while the module starts, not by the first request', async () => {
    admitted(await gate.get('/v1/posts', { gate: 'without', token: token({ scope: 'read:posts' }) }), { subject: 'alice' });
    refused(await gate.get('/v1/posts', { gate: 'without' }), 'MISSING_CREDENTIALS');
  });

  test('is read by the first request where modules that start see no bindings', async () => {
    admitted(await gate.get('/v1/posts', { gate: 'request-alone', token: token({ scope: 'read:posts' }) }), { subject: 'alice' });
    refused(await gate.get('/v1/posts', { gate: 'request-alone', token: token() }), 'INSUFFICIENT_SCOPE', { scope: 'read:posts' });
  });

  test('is read by the first request after a trap at the start', async () => {
    assert.ok(gate.output.lines.some((line) => line.includes('Critical')), 'it has trapped');
    refused(await gate.get('/v1/posts', { gate: 'trapping' }), 'MISSING_CREDENTIALS');
    admitted(await gate.get('/v1/posts', { gate: 'trapping', token: token({ scope: 'read:posts' }) }), { subject: 'alice' });
  });
});

test('the module says nothing of the machine that it was built on', () => {
  const module = readFileSync(path.join(BUILD, 'index_bg.wasm'), 'latin1');
  assert.doesNotMatch(module, /registry\/src\//);
});
