import { ALGORITHMS } from './algorithms.js';
import { webSigning } from './web-signing.js';
import { HOST_PENDING, HOST_REFUSES_KEY, HOST_UNKNOWN_KEY } from './engine.js';

/** Keys of rotated sets are forgotten by starting afresh; ten issuers may have a hundred keys each. */
const MAX_KEYS = 1000;

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

/** What WebCrypto has to be told, for `importKey` and `verify` alike. */
export const parametersOf = (algorithm) => {
  const hash = `SHA-${algorithm.slice(2)}`;
  switch (algorithm.slice(0, 2)) {
    case 'RS': return { name: 'RSASSA-PKCS1-v1_5', hash };
    // RFC 7518 §3.5: the salt is as long as the hash.
    case 'PS': return { name: 'RSA-PSS', hash, saltLength: Number(algorithm.slice(2)) / 8 };
    case 'HS': return { name: 'HMAC', hash };
    case 'Ed': return { name: 'Ed25519' };
    default: return { name: 'ECDSA', namedCurve: CURVES[algorithm], hash };
  }
};

const PARAMETERS = ALGORITHMS.map(parametersOf);

const jwks = new Map();
const imported = new Map();

/** RSA and ECDSA by WebCrypto, and Ed25519 on runtimes whose WebCrypto is known: asked now, answered in a later call. */
const host = {
  importKey(name, jwk) {
    if (jwks.size >= MAX_KEYS) {
      jwks.clear();
      imported.clear();
    }
    jwks.set(name, jwk);
  },

  verify(algorithm, name, message, signature, engine) {
    if (!jwks.has(name)) return HOST_UNKNOWN_KEY;
    const id = `${algorithm} ${name}`;
    const verdict = engine.verdict(id);
    if (verdict !== undefined) return verdict;
    engine.ask({ id, algorithm, name, message: message.slice(), signature: signature.slice() });
    return HOST_PENDING;
  },

  /** The verdict on what was asked. */
  async decide({ id, algorithm, name, message, signature }) {
    const parameters = PARAMETERS[algorithm];
    let key = imported.get(id);
    if (key === undefined) {
      try {
        key = await crypto.subtle.importKey('jwk', jwks.get(name), parameters, false, ['verify']);
      } catch {
        return HOST_REFUSES_KEY;
      }
      imported.set(id, key);
    }
    return (await crypto.subtle.verify(parameters, key, signature, message)) ? 1 : 0;
  },
};

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What every runtime of the web does for the engine. */
export const webPlatform = (rest) => ({
  host,
  signing: webSigning,
  sharesPromises: false,
  view: (buffer) => new Uint8Array(buffer),
  write: (view, text, at, room) => encoder.encodeInto(text, view.subarray(at, at + room)).written,
  read: (view, start, end) => decoder.decode(view.subarray(start, end)),
  readAscii: (view, start, end) => decoder.decode(view.subarray(start, end)),
  encodeBase64Url: (bytes) => {
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  },
  decodeBase64Url: (text) =>
    Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0)),
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  // Of `node:crypto`, which some of these runtimes have too.
  isKeyObject: (key) => Object.prototype.toString.call(key) === '[object KeyObject]',
  exportCryptoKey: undefined,
  ...rest,
});
