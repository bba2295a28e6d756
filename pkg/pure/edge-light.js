import { edgeLight } from '../lib/edge-light.js';
import { bind } from '../lib/index.js';
import module from '../wasm/edgegate_pure_bg.wasm?module';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(edgeLight(module));
export { EdgegateError } from '../lib/index.js';
