import { fetchEngine } from '../lib/fetch-engine.js';
import { bind } from '../lib/index.js';
import { webPlatform } from '../lib/web-platform.js';

const loadLater = () => fetchEngine(new URL('../wasm/edgegate_pure_bg.wasm', import.meta.url));
const platform = webPlatform({ loadLater, sharesPromises: true });
export const {
  createVerifier, verifyJws, signJwt, signJwtSync, signJws, signJwsSync, importSigningKey, decodeUnverified, importKey, createApiKeys, ready,
} = bind(platform);
export { EdgegateError } from '../lib/index.js';
