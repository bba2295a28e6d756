import { checkPolicyWith } from './check-policy.js';
import { createGateWith } from './gate.js';
import { bind } from './index.js';
import { fastEngine, gateEngine } from './inline-engines.js';
import { nodePlatform } from './node-platform.js';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(nodePlatform(fastEngine));
// Whoever makes no gate shall not have its engine in his bundle.
export const createGate = /* @__PURE__ */ createGateWith(/* @__PURE__ */ nodePlatform(gateEngine));
export const checkPolicy = /* @__PURE__ */ checkPolicyWith(/* @__PURE__ */ nodePlatform(gateEngine));
export { EdgegateError } from './index.js';
export * from './stores.js';
