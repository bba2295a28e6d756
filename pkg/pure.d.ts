/**
 * The same as `edgegate`, with RSA and ECDSA in the engine too: for hosts without WebCrypto or `node:crypto` (such as a page that
 * is not served by https), and where {@link Verifier.verifySync} has to do every algorithm. The engine is larger, and RSA and
 * ECDSA are ten to thirty times as slow as the host's.
 *
 * Minting API keys takes random bytes from `crypto.getRandomValues`.
 */
export * from './index.js';
