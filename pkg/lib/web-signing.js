import { configError } from './errors.js';
import { algorithmOfCryptoKey } from './keys.js';
import { WEB_CRYPTO } from './protocol.js';

const refused = () => configError('key', 'the host refuses the key');

/** Signing by WebCrypto. */
export const webSigning = {
  async import(form, value, alg, jwk) {
    if (form === 'secret') {
      const { use } = jwk;
      const publicJwk = { kty: 'oct', k: encode(value), ...(use !== undefined && { use }), ...(alg !== undefined && { alg }) };
      // The hash is known only after the algorithm has been chosen.
      return { material: { secret: value }, publicJwk };
    }
    if (form === 'native') return nativeKey(value);
    const named = alg ?? { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512', Ed25519: 'EdDSA' }[jwk.crv];
    if (form === 'jwk') {
      const { kty, crv, x, y, n, e, use } = jwk;
      const publicJwk = { kty, crv, x, y, n, e, ...(use !== undefined && { use }), ...(jwk.alg !== undefined && { alg: jwk.alg }) };
      return { material: { jwk: value }, publicJwk };
    }
    try {
      const key = await crypto.subtle.importKey('pkcs8', value, WEB_CRYPTO[named], true, ['sign']);
      const { kty, crv, x, y, n, e } = await crypto.subtle.exportKey('jwk', key);
      return { material: { key }, publicJwk: { kty, crv, x, y, n, e } };
    } catch {
      throw refused();
    }
  },

  signSync: undefined,

  async sign(material, algorithm, message) {
    const parameters = WEB_CRYPTO[algorithm];
    try {
      material.key ??= material.secret === undefined
        ? await crypto.subtle.importKey('jwk', withoutNames(material.jwk), parameters, false, ['sign'])
        : await crypto.subtle.importKey('raw', material.secret, parameters, false, ['sign']);
    } catch {
      throw refused();
    }
    return crypto.subtle.sign(parameters, material.key, message);
  },

  async holds(material, algorithm, { kty, crv, x, y, n, e }, message) {
    const signature = await webSigning.sign(material, algorithm, message);
    const key = await crypto.subtle.importKey('jwk', { kty, crv, x, y, n, e }, WEB_CRYPTO[algorithm], false, ['verify'])
      .catch(() => { throw refused(); });
    return crypto.subtle.verify(WEB_CRYPTO[algorithm], key, signature, message);
  },
};

/** Leaves out names that are checked already: runtimes differ in how they read them. */
function withoutNames({ alg, use, kid, ...jwk }) {
  return jwk;
}

/** A CryptoKey is used as it is. If it cannot be exported, its own description is checked. */
async function nativeKey(key) {
  const { modulusLength, length, publicExponent } = key.algorithm;
  const alg = algorithmOfCryptoKey(key.algorithm);
  if (alg === undefined) throw configError('key', 'a CryptoKey of a kind that is not supported, expected RSA, ECDSA, Ed25519 or HMAC');
  if (key.extractable) {
    const { kty, crv, x, y, n, e, k } = await crypto.subtle.exportKey('jwk', key);
    return { material: { key }, publicJwk: kty === 'oct' ? { kty, k, alg } : { kty, crv, x, y, n, e, alg } };
  }
  if (modulusLength !== undefined && modulusLength < 2048) {
    throw configError('key', `RSA modulus has ${modulusLength} bits, expected at least 2048`);
  }
  if (publicExponent !== undefined && publicExponent.length <= 1 && publicExponent[0] < 3) {
    throw configError('key', 'RSA exponent is even or below 3');
  }
  const minimum = Number(alg.slice(2)) / 8;
  if (alg.startsWith('HS') && length / 8 < minimum) {
    throw configError('key', `secret has ${Math.floor(length / 8)} bytes, expected at least ${minimum}`);
  }
  return { material: { key }, algorithms: [alg] };
}

const encode = (bytes) => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
};
