import { bind } from './lib/index.js';
import { slim } from './lib/slim.js';
import { webPlatform } from './lib/web-platform.js';

const bound = bind(webPlatform({}));
export const {
  createVerifier, verifyJws, signJwt, signJwtSync, signJws, signJwsSync, importSigningKey, decodeUnverified, importKey, createApiKeys, ready,
} = bound;
export const { init, initSync } = slim(bound.engine);
export { EdgegateError } from './lib/index.js';
