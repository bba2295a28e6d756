import { bind } from '../lib/index.js';
import { inlined } from '../lib/inline-platform.js';
import { text } from '../wasm/edgegate_pure_text.js';

export const {
  ready, createVerifier, createApiKeys, importKey, verifyJws, importSigningKey, publicJwks, signJwt, signJwtSync, signJws, signJwsSync,
  decodeUnverified,
} = bind(inlined(text));
export { EdgegateError } from '../lib/index.js';
