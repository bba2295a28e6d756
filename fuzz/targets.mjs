// The fuzz targets: the files of `fuzz_targets/`.

import { readdirSync } from 'node:fs';

export const targets = readdirSync(new URL('fuzz_targets', import.meta.url))
  .filter((name) => name.endsWith('.rs')).map((name) => name.slice(0, -'.rs'.length)).sort();

/** The named targets; all, if none is named. */
export function select(only) {
  const unknown = only.find((name) => !targets.includes(name));
  if (unknown !== undefined) throw new Error(`no target \`${unknown}\`: expected some of ${targets.join(', ')}`);
  return only.length === 0 ? targets : only;
}
