import module from './wasm/edgegate_fast_bg.wasm';
import { configError } from './lib/errors.js';
import { bind } from './lib/index.js';
import { webPlatform } from './lib/web-platform.js';

export const {
  createVerifier, verifyJws, signJwt, signJwtSync, signJws, signJwsSync, importSigningKey, decodeUnverified, importKey, createApiKeys, ready,
} = bind(webPlatform({ load: () => module, ed25519: 'later' }));
/** A Worker carries every module that it imports, so the larger engine has an entry of its own. */
export const createGate = () => {
  throw configError('', "in Workers createGate comes from 'edgegate/gate', which brings the engine with the guard");
};
export { EdgegateError } from './lib/index.js';
export { kvStore, memoryStore, redisStore } from './lib/stores.js';
