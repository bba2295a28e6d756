import { readFileSync } from 'node:fs';
import { createGateWith } from './lib/gate.js';
import { bind } from './lib/index.js';
import { nodePlatform } from './lib/node-platform.js';

const load = (name) => new WebAssembly.Module(readFileSync(new URL(name, import.meta.url)));
export const {
  createVerifier, verifyJws, signJwt, signJwtSync, signJws, signJwsSync, importSigningKey, decodeUnverified, importKey, createApiKeys, ready,
} = bind(nodePlatform(() => load('./wasm/edgegate_fast_bg.wasm')));
export const createGate = createGateWith(nodePlatform(() => load('./wasm/edgegate_gate_bg.wasm')));
export { EdgegateError } from './lib/index.js';
export { kvStore, memoryStore, redisStore } from './lib/stores.js';
