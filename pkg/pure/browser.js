import { fetched } from '../lib/fetch-engine.js';
import { bind } from '../lib/index.js';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(fetched(() => new URL('../wasm/edgegate_pure_bg.wasm', import.meta.url)));
export { EdgegateError } from '../lib/index.js';
