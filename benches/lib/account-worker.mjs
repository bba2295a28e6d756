// The built Worker with cheaper hashes than a policy may ask for, so that a hundred thousand log-ins can be timed.

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { BUILD } from '../../tests/worker/harness.mjs';

const isWasm = ({ type }) => type === 'CompiledWasm';

/** `i32.const 35840`, `i32.lt_u`: the only comparison with the least work that a policy may ask for (`src/policy/accounts.rs`). */
const LEAST_WORK = Buffer.from('4180980249', 'hex');
/** `i32.const 7168`, in as many bytes. */
const LESS_WORK = Buffer.from('4180b80049', 'hex');

/** The module with one constant changed: a policy may ask for a hash of a fifth of the least work. */
export function cheaperHashes(worker) {
  const bytes = readFileSync(path.join(BUILD, 'index_bg.wasm'));
  const at = bytes.indexOf(LEAST_WORK);
  if (at < 0 || bytes.indexOf(LEAST_WORK, at + 1) >= 0) throw new Error('the least work of a hash is not found in the module: see benches/lib/account-worker.mjs');
  LESS_WORK.copy(bytes, at);
  return { ...worker, modules: worker.modules.map((module) => (isWasm(module) ? { ...module, contents: bytes } : module)) };
}
