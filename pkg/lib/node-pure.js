import { bind } from './index.js';
import { pureEngine } from './node-engines.js';
import { webPlatform } from './web-platform.js';

const platform = webPlatform({ load: pureEngine, sharesPromises: true });
export const {
  createVerifier, verifyJws, signJwt, signJwtSync, signJws, signJwsSync, importSigningKey, decodeUnverified, importKey, createApiKeys, ready,
} = bind(platform);
export { EdgegateError } from './index.js';
