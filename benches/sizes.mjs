// Writes the bytes of what is shipped as JSON, for `cargo xtask size`: `node benches/sizes.mjs OUT [--crates]`.
// `--crates` adds what the modules consist of.

import { writeFileSync } from 'node:fs';

import { bytesByCrate } from './lib/crates.mjs';
import { sizes } from './lib/sizes.mjs';

const [out, option] = process.argv.slice(2);
try {
  const crates = option === '--crates' ? { crates: bytesByCrate() } : {};
  writeFileSync(out, JSON.stringify({ artefacts: await sizes(), ...crates }));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
