import module from './wasm/edgegate_fast_bg.wasm';
import { bind } from './lib/index.js';
import { noCheck, noGate } from './lib/no-gate.js';
import { webPlatform } from './lib/web-platform.js';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(webPlatform({ load: () => module, ed25519: 'later' }));
export const createGate = noGate('edgegate/gate');
export const checkPolicy = noCheck('edgegate/gate');
export { EdgegateError } from './lib/index.js';
export * from './lib/stores.js';
