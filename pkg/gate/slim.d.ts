/** The same as `edgegate/slim`, with {@link createGate}: it takes `edgegate/edgegate-gate.wasm`, one engine for all. */
export * from '../index.js';
export { type WasmSource, init, initSync } from '../slim.js';
