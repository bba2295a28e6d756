import { edgeLight } from '../lib/edge-light.js';
import { checkPolicyOf } from '../lib/check-policy.js';
import { createGateOf } from '../lib/gate.js';
import { bind } from '../lib/index.js';
import module from '../wasm/edgegate_gate_bg.wasm?module';

// One engine for all: the one with the guard can do what the smaller one can.
const bound = bind(edgeLight(module));
export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bound;
export const createGate = createGateOf(bound.engine);
export const checkPolicy = checkPolicyOf(bound.engine);
export { EdgegateError } from '../lib/index.js';
export * from '../lib/stores.js';
