import { Buffer } from 'node:buffer';
import { KeyObject, constants, createPublicKey, randomFillSync, verify } from 'node:crypto';

import { nodeSigning } from './node-signing.js';
import { ALGORITHMS, HOST_BAD, HOST_HOLDS, HOST_UNKNOWN_KEY } from './protocol.js';

/** When this many are kept, all are forgotten: keys of rotated sets would stay for ever. Ten issuers may have a hundred keys each. */
const MAX_KEYS = 1000;

const keys = new Map();

/** For `crypto.verify`: the digest, and the options beside the key. */
const PARAMETERS = ALGORITHMS.map((algorithm) => {
  const hash = `sha${algorithm.slice(2)}`;
  switch (algorithm.slice(0, 2)) {
    case 'RS': return { hash, options: undefined };
    case 'PS': return {
      hash, options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
    };
    case 'ES': return { hash, options: { dsaEncoding: 'ieee-p1363' } };
    case 'Ed': return { hash: null, options: undefined };
    default: return undefined;
  }
});

/** RSA, ECDSA and Ed25519 by `node:crypto`, at once. */
const host = {
  importKey(name, jwk) {
    if (keys.size >= MAX_KEYS) keys.clear();
    keys.set(name, ALGORITHMS.map(() => undefined));
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    keys.set(name, PARAMETERS.map((one) => one && (one.options ? { key, ...one.options } : key)));
  },

  verify(algorithm, name, message, signature) {
    const known = keys.get(name);
    if (known === undefined) return HOST_UNKNOWN_KEY;
    return verify(PARAMETERS[algorithm].hash, message, known[algorithm], signature) ? HOST_HOLDS : HOST_BAD;
  },
};

/**
 * OpenSSL is known to check Ed25519 signatures as the gate does (src/jose/signature/ed25519.rs). Bun and Deno have a `node:crypto` of their
 * own.
 */
const isNode = globalThis.process?.versions?.openssl !== undefined && !('bun' in process.versions || 'deno' in process.versions);

/** What Node does for the engine: texts, signatures, and keys of its own kinds. */
export const nodePlatform = (load) => ({
  load,
  host,
  ed25519: isNode ? 'at once' : undefined,
  signing: nodeSigning,
  sharesPromises: true,
  view: (buffer) => Buffer.from(buffer),
  write: (view, text, at) => view.write(text, at, 'utf8'),
  read: (view, start, end) => view.toString('utf8', start, end),
  readAscii: (view, start, end) => view.toString('latin1', start, end),
  encodeBase64Url: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url'),
  decodeBase64Url: (text) => Buffer.from(text, 'base64url'),
  randomBytes: (length) => randomFillSync(new Uint8Array(length)),
  isKeyObject: (key) => key instanceof KeyObject,
  exportCryptoKey: (key) => KeyObject.from(key).export({ format: 'jwk' }),
});
