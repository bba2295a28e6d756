/**
 * The same as `edgegate`, with RSA and ECDSA in the engine too: for hosts without WebCrypto or `node:crypto` (such as a page that
 * is not served by https), and where {@link Verifier.verifySync} has to do every algorithm. The engine is larger, and RSA and
 * ECDSA are ten to thirty times as slow as the host's.
 *
 * Minting API keys takes random bytes from `crypto.getRandomValues`.
 */
export {
  EdgegateError, createApiKeys, createVerifier, decodeUnverified, importKey, importSigningKey, publicJwks, ready, signJws, signJwsSync,
  signJwt, signJwtSync, verifyJws,
} from './index.js';
// What needs the engine with the guard is not here.
export type * from './index.js';
