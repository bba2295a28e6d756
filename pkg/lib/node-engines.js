import { readFileSync } from 'node:fs';

// Node gets bundles (`cargo xtask package`). They lie beside the engines, and these paths are relative to them.
const compiled = (url) => new WebAssembly.Module(readFileSync(url));

export const fastEngine = () => compiled(new URL('./edgegate_fast_bg.wasm', import.meta.url));
export const gateEngine = () => compiled(new URL('./edgegate_gate_bg.wasm', import.meta.url));
export const pureEngine = () => compiled(new URL('./edgegate_pure_bg.wasm', import.meta.url));
