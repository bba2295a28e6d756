import { ALGORITHMS, HOST_BAD, HOST_HOLDS, HOST_PENDING, HOST_REFUSES_KEY, HOST_UNKNOWN_KEY, WEB_CRYPTO } from './protocol.js';
import { webSigning } from './web-signing.js';

/** When this many are kept, all are forgotten: keys of rotated sets would stay for ever. Ten issuers may have a hundred keys each. */
const MAX_KEYS = 1000;

const PARAMETERS = ALGORITHMS.map((algorithm) => WEB_CRYPTO[algorithm]);

const jwks = new Map();
const imported = new Map();

/** WebCrypto verifies RSA and ECDSA, and Ed25519 where its checks are known. It is asked now, and a later call gets the answer. */
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

  /** Returns the verdict on what was asked. */
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
    return (await crypto.subtle.verify(parameters, key, signature, message)) ? HOST_HOLDS : HOST_BAD;
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
  // Some of these runtimes have the `KeyObject` of `node:crypto` too.
  isKeyObject: (key) => Object.prototype.toString.call(key) === '[object KeyObject]',
  exportCryptoKey: undefined,
  ...rest,
});
