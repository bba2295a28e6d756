// The secrets of `cargo xtask dev` in `.dev.vars`, which the command line keeps in the same way (`pkg/cli/vars.js`).

import { ensureVars } from '../../pkg/cli/vars.js';

/** The names of the example policy in wrangler.toml. */
export const NAMES = ['JWT_SECRET', 'API_KEY_SECRET', 'ADMIN_TOKEN', 'SESSION_SECRET', 'BATCH_CLIENT_SECRET', 'ACCOUNTS_SECRET'];

/** Adds a random value for each name that the file lacks. Returns all values by their names. */
export function ensure(file) {
  const { values, added } = ensureVars(file, NAMES);
  if (added.length > 0) console.error(`wrote random values for ${added.join(', ')} to .dev.vars`);
  return values;
}
