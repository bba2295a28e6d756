import { checkPolicyWith } from '../lib/check-policy.js';
import { createGateWith } from '../lib/gate.js';
import { bind } from '../lib/index.js';
import { inlined } from '../lib/inline-platform.js';
import { text as gate } from '../wasm/edgegate_gate_text.js';
import { text } from '../wasm/edgegate_text.js';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(inlined(text));
// Whoever makes no gate shall not have its engine in his bundle.
export const createGate = /* @__PURE__ */ createGateWith(/* @__PURE__ */ inlined(gate));
export const checkPolicy = /* @__PURE__ */ checkPolicyWith(/* @__PURE__ */ inlined(gate));
export { EdgegateError } from '../lib/index.js';
export * from '../lib/stores.js';
