// The built Worker as a part of the npm package: `edgegate/worker`.

import { cpSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Copies what `cargo xtask build --worker` has made. */
export function copy() {
  const out = path.join(ROOT, 'pkg/worker');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  for (const name of ['index.js', 'index_bg.wasm']) cpSync(path.join(ROOT, 'build', name), path.join(out, name));
}
