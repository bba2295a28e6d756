import module from '../wasm/edgegate_pure_bg.wasm';
import { bind } from '../lib/index.js';
import { webPlatform } from '../lib/web-platform.js';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(webPlatform({ load: () => module }));
export { EdgegateError } from '../lib/index.js';
