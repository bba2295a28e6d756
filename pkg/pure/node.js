import { readFileSync } from 'node:fs';
import { bind } from '../lib/index.js';
import { webPlatform } from '../lib/web-platform.js';

const load = () => new WebAssembly.Module(readFileSync(new URL('../wasm/edgegate_pure_bg.wasm', import.meta.url)));
const platform = webPlatform({ load, sharesPromises: true });
export const {
  createVerifier, verifyJws, signJwt, signJwtSync, signJws, signJwsSync, importSigningKey, decodeUnverified, importKey, createApiKeys, ready,
} = bind(platform);
export { EdgegateError } from '../lib/index.js';
