import { fetchEngine } from './lib/fetch-engine.js';
import { createGateWith } from './lib/gate.js';
import { bind } from './lib/index.js';
import { webPlatform } from './lib/web-platform.js';

const loadLater = () => fetchEngine(new URL('./wasm/edgegate_bg.wasm', import.meta.url));
const loadGateLater = () => fetchEngine(new URL('./wasm/edgegate_gate_bg.wasm', import.meta.url));
const platform = webPlatform({ loadLater, sharesPromises: true });
export const {
  createVerifier, verifyJws, signJwt, signJwtSync, signJws, signJwsSync, importSigningKey, decodeUnverified, importKey, createApiKeys, ready,
} = bind(platform);
export const createGate = createGateWith(webPlatform({ loadLater: loadGateLater, sharesPromises: true }));
export { EdgegateError } from './lib/index.js';
export { kvStore, memoryStore, redisStore } from './lib/stores.js';
