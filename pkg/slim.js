import * as compiling from './lib/compile.js';
import { bind } from './lib/index.js';
import { slim } from './lib/slim.js';
import { webPlatform } from './lib/web-platform.js';

const bound = bind(webPlatform({}));
export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bound;
export const { init, initSync } = slim(bound.engine, compiling);
export { EdgegateError } from './lib/index.js';
