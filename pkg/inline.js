import { bind } from './lib/index.js';
import { inlined } from './lib/inline-platform.js';
import { noCheck, noGate } from './lib/no-gate.js';
import { text } from './wasm/edgegate_text.js';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(inlined(text));
export const createGate = noGate('edgegate/gate/inline');
export const checkPolicy = noCheck('edgegate/gate/inline');
export { EdgegateError } from './lib/index.js';
export * from './lib/stores.js';
