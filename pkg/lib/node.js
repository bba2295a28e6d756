import { createGateWith } from './gate.js';
import { bind } from './index.js';
import { fastEngine, gateEngine } from './node-engines.js';
import { nodePlatform } from './node-platform.js';

export const {
  createVerifier, verifyJws, signJwt, signJwtSync, signJws, signJwsSync, importSigningKey, decodeUnverified, importKey, createApiKeys, ready,
} = bind(nodePlatform(fastEngine));
export const createGate = createGateWith(nodePlatform(gateEngine));
export { EdgegateError } from './index.js';
export { kvStore, memoryStore, redisStore } from './stores.js';
