import { readFileSync } from 'node:fs';

import { compileSync } from './compile.js';
import * as fast from './fast-text.cjs';
import * as gate from './gate-text.cjs';
import { inflated } from './inflate.js';
import * as pure from './pure-text.cjs';

/**
 * The file in the package or, where a bundler has taken the code away from it, the text that it has then put into the bundle. There the URL leads
 * nowhere, or cannot even be made.
 */
function engine(url, text) {
  let bytes;
  try {
    bytes = readFileSync(url());
  } catch {
    // Not by `import`: those who read the file would load it for nothing.
    bytes = inflated(process.getBuiltinModule('node:zlib'), text());
  }
  return compileSync(bytes);
}

// Node gets bundles (`cargo xtask package`), and those lie beside the engines: relative to them are these paths. Tools that trace files look
// for these very expressions.
export const fastEngine = () => engine(() => new URL('./edgegate_fast_bg.wasm', import.meta.url), fast.text);
export const gateEngine = () => engine(() => new URL('./edgegate_gate_bg.wasm', import.meta.url), gate.text);
export const pureEngine = () => engine(() => new URL('./edgegate_pure_bg.wasm', import.meta.url), pure.text);
