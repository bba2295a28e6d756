import module from '../wasm/edgegate_pure_bg.wasm';
import { bind } from '../lib/index.js';
import { webPlatform } from '../lib/web-platform.js';

export const {
  createVerifier, verifyJws, signJwt, signJwtSync, signJws, signJwsSync, importSigningKey, decodeUnverified, importKey, createApiKeys, ready,
} = bind(webPlatform({ load: () => module }));
export { EdgegateError } from '../lib/index.js';
