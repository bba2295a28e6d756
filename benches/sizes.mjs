// Prints the bytes of what is shipped, for `cargo xtask size`: `node benches/sizes.mjs [--crates]`. Fails if one is over its
// budget. `--crates` adds what the modules consist of.

import { bytesByCrate } from './lib/crates.mjs';
import { sizes } from './lib/sizes.mjs';
import { composition, overBudget, sizeTable } from './report/sizes.mjs';

try {
  if (process.argv.includes('--crates')) bytesByCrate().forEach((module) => console.log(composition(module)));
  const artefacts = await sizes();
  console.log(sizeTable(artefacts));
  const over = overBudget(artefacts);
  if (over.length > 0) throw new Error(`over the budget of benches/sizes.json: ${over.join('; ')}`);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
