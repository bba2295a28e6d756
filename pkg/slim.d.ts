export {
  EdgegateError, createApiKeys, createVerifier, decodeUnverified, importKey, importSigningKey, publicJwks, ready, signJws, signJwsSync,
  signJwt, signJwtSync, verifyJws,
} from './index.js';
// What needs the engine with the guard is not here.
export type * from './index.js';

/** A compiled module, or the bytes of `edgegate/edgegate.wasm`. */
export type WasmSource = object;

/** Takes the engine: a module, bytes, a `Response`, or a promise of one. */
export function init(source: WasmSource | Promise<WasmSource>): Promise<void>;

/** Takes the engine at once: a module, or bytes where the runtime compiles synchronously. */
export function initSync(source: WasmSource): void;
