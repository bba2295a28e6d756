import module from '../wasm/edgegate_gate_bg.wasm';
import { checkPolicyOf } from '../lib/check-policy.js';
import { createGateOf } from '../lib/gate.js';
import { bind } from '../lib/index.js';
import { webPlatform } from '../lib/web-platform.js';

// All functions use one engine: the one with the guard can do everything. Cloudflare sets the header, callers cannot.
const bound = bind(webPlatform({ load: () => module, ed25519: 'later', clientIpHeader: 'cf-connecting-ip' }));
export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bound;
export const createGate = createGateOf(bound.engine);
export const checkPolicy = checkPolicyOf(bound.engine);
export { EdgegateError } from '../lib/index.js';
export * from '../lib/stores.js';
