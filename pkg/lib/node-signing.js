import { Buffer } from 'node:buffer';
import { KeyObject, constants, createHmac, createPrivateKey, createPublicKey, createSecretKey, sign, verify } from 'node:crypto';

import { configError } from './errors.js';
import { algorithmOfCryptoKey } from './keys.js';

/** For `crypto.sign`: the options beside the key. */
const BESIDE = {
  RS: {},
  PS: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  ES: { dsaEncoding: 'ieee-p1363' },
};

const hashOf = (algorithm) => (algorithm === 'EdDSA' ? null : `sha${algorithm.slice(2)}`);
const besideOf = (algorithm, key) => ({ key, ...BESIDE[algorithm.slice(0, 2)] });

function keyObject(form, value) {
  try {
    switch (form) {
      case 'secret': return createSecretKey(value);
      case 'jwk': return createPrivateKey({ key: value, format: 'jwk' });
      case 'pkcs8': return createPrivateKey({ key: Buffer.from(value.buffer), format: 'der', type: 'pkcs8' });
      default: return value instanceof KeyObject ? value : KeyObject.from(value);
    }
  } catch {
    throw configError('key', 'the host refuses the key');
  }
}

/** Signing by `node:crypto`, at once. */
export const nodeSigning = {
  import(form, value, alg, jwk) {
    const material = keyObject(form, value);
    // A CryptoKey is for one algorithm alone.
    const own = form === 'native' && !(value instanceof KeyObject) ? algorithmOfCryptoKey(value.algorithm) : undefined;
    const named = own ?? alg;
    const publicJwk = publicPart(material, jwk);
    if (named !== undefined && (material.type === 'secret' || own !== undefined)) publicJwk.alg = named;
    return { material, publicJwk };
  },

  signSync(material, algorithm, message) {
    if (algorithm.startsWith('HS')) return createHmac(hashOf(algorithm), material).update(message).digest();
    return sign(hashOf(algorithm), message, besideOf(algorithm, material));
  },

  sign: async (...all) => nodeSigning.signSync(...all),

  holds(material, algorithm, publicJwk, message) {
    const { kty, crv, x, y, n, e } = publicJwk;
    const key = createPublicKey({ key: { kty, crv, x, y, n, e }, format: 'jwk' });
    return verify(hashOf(algorithm), message, besideOf(algorithm, key), nodeSigning.signSync(material, algorithm, message));
  },
};

/** Returns the public members as the caller gave them, so that those are checked. Without them, returns those of the key. */
function publicPart(material, { use, alg, kty, crv, x, y, n, e }) {
  const rest = { ...(use !== undefined && { use }), ...(alg !== undefined && { alg }) };
  if (material.type === 'secret') return { ...material.export({ format: 'jwk' }), ...rest };
  if (kty !== undefined) return { kty, crv, x, y, n, e, ...rest };
  try {
    return createPublicKey(material).export({ format: 'jwk' });
  } catch {
    throw configError('key', 'a KeyObject of a kind that is not supported, expected RSA, EC, Ed25519 or a secret');
  }
}
