import { bind } from './index.js';
import { pureEngine } from './inline-engines.js';
import { webPlatform } from './web-platform.js';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(webPlatform({ load: pureEngine, sharesPromises: true }));
export { EdgegateError } from './index.js';
