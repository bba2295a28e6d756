// Prints the bytes of what is shipped, for `cargo xtask size`: `node benches/sizes.mjs [--crates] [--sections]`. Fails if one
// is over its budget. `--crates` adds what the modules consist of, `--sections` what the code of the Worker's is for.

import { bytesByCrate } from './lib/crates.mjs';
import { bytesBySection } from './lib/sections.mjs';
import { sizes } from './lib/sizes.mjs';
import { composition, overBudget, sectionTable, sizeTable } from './report/sizes.mjs';

try {
  if (process.argv.includes('--crates')) bytesByCrate().forEach((module) => console.log(composition(module)));
  if (process.argv.includes('--sections')) console.log(sectionTable(bytesBySection()));
  const artefacts = await sizes();
  console.log(sizeTable(artefacts));
  const over = overBudget(artefacts);
  if (over.length > 0) throw new Error(`over the budget of benches/sizes.json: ${over.join('; ')}`);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
