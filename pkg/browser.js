import { fetched } from './lib/fetch-engine.js';
import { checkPolicyWith } from './lib/check-policy.js';
import { createGateWith } from './lib/gate.js';
import { bind } from './lib/index.js';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(fetched(() => new URL('./wasm/edgegate_bg.wasm', import.meta.url)));
export const createGate = createGateWith(fetched(() => new URL('./wasm/edgegate_gate_bg.wasm', import.meta.url)));
export const checkPolicy = checkPolicyWith(fetched(() => new URL('./wasm/edgegate_gate_bg.wasm', import.meta.url)));
export { EdgegateError } from './lib/index.js';
export * from './lib/stores.js';
