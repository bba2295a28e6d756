import { WEB_CRYPTO } from './protocol.js';

/** Random nonces of this length are safe for 2^32 texts (NIST SP 800-38D §8.2.2). */
const NONCE_BYTES = 12;

/** Further parameters for new keys. Everybody takes the exponent 65537, but not every other one. */
const TO_GENERATE = { RS256: { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) } };

/** The jobs of the engine for the key ring of sessions and for logins, by WebCrypto. Bytes come and go in base64url. */
export function ringJobs({ encodeBase64Url, decodeBase64Url }) {
  const importKey = (key, use) => crypto.subtle.importKey('raw', decodeBase64Url(key), 'AES-GCM', false, [use]);
  const parameters = (iv, beside) => ({ name: 'AES-GCM', iv, additionalData: decodeBase64Url(beside) });
  return {
    async generateKey({ alg }) {
      const { privateKey } = await crypto.subtle.generateKey({ ...WEB_CRYPTO[alg], ...TO_GENERATE[alg] }, true, ['sign', 'verify']);
      return JSON.stringify(await crypto.subtle.exportKey('jwk', privateKey));
    },

    async seal({ key, plain, beside }) {
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const sealed = await crypto.subtle.encrypt(parameters(nonce, beside), await importKey(key, 'encrypt'), decodeBase64Url(plain));
      const whole = new Uint8Array(NONCE_BYTES + sealed.byteLength);
      whole.set(nonce);
      whole.set(new Uint8Array(sealed), NONCE_BYTES);
      return encodeBase64Url(whole);
    },

    async open({ key, sealed, beside }) {
      const bytes = decodeBase64Url(sealed);
      const opened = await crypto.subtle.decrypt(
        parameters(bytes.subarray(0, NONCE_BYTES), beside), await importKey(key, 'decrypt'), bytes.subarray(NONCE_BYTES),
      );
      return encodeBase64Url(new Uint8Array(opened));
    },

    async signOnce({ alg, pkcs8, message }) {
      const parameters = WEB_CRYPTO[alg];
      const key = await crypto.subtle.importKey('pkcs8', decodeBase64Url(pkcs8), parameters, false, ['sign']);
      return encodeBase64Url(new Uint8Array(await crypto.subtle.sign(parameters, key, new TextEncoder().encode(message))));
    },
  };
}
