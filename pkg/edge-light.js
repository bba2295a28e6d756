import { edgeLight } from './lib/edge-light.js';
import { bind } from './lib/index.js';
import { noCheck, noGate } from './lib/no-gate.js';
import module from './wasm/edgegate_fast_bg.wasm?module';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(edgeLight(module));
export const createGate = noGate('edgegate/gate');
export const checkPolicy = noCheck('edgegate/gate');
export { EdgegateError } from './lib/index.js';
export * from './lib/stores.js';
