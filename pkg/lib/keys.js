import { configError } from './errors.js';
import { DONE } from './protocol.js';

const HMAC_BITS = { 'SHA-256': 'HS256', 'SHA-384': 'HS384', 'SHA-512': 'HS512' };
const EXPECTED = 'expected a JWK, PEM text, a CryptoKey, a KeyObject, or the bytes of an HMAC secret';

/** The JWK of each imported key. Callers cannot read it. */
const imported = new WeakMap();

/** A key that has been checked by `importKey`. */
class ImportedKey {
  constructor({ kid, thumbprint, algorithms, symmetric }, jwk) {
    this.kid = kid;
    this.thumbprint = thumbprint;
    this.algorithms = Object.freeze(algorithms);
    this.type = symmetric ? 'secret' : 'public';
    imported.set(this, jwk);
    Object.freeze(this);
  }
}

export const isBytes = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;

export const bytesOf = (value) =>
  ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);

export const isCryptoKey = (value) => Object.prototype.toString.call(value) === '[object CryptoKey]';

/**
 * Returns a key in the form that the core reads: `{jwk}`, `{jwks}`, `{pem}` or `{secret}`, each a text. Returns a promise of it if a
 * CryptoKey can only be exported asynchronously.
 */
export function sourceOf(key, platform, path = 'key') {
  if (typeof key === 'string') {
    if (key.includes('-----BEGIN ')) return { pem: key };
    throw configError(path, 'a string that is not PEM, expected an HMAC secret as bytes (new TextEncoder().encode(secret))');
  }
  if (typeof key !== 'object' || key === null) throw configError(path, EXPECTED);
  if (imported.has(key)) return { jwk: imported.get(key) };
  if (isBytes(key)) return { secret: platform.encodeBase64Url(bytesOf(key)) };
  if (platform.isKeyObject(key)) return { jwk: JSON.stringify(exportKeyObject(key, path)) };
  if (isCryptoKey(key)) return exportCryptoKey(key, platform, path);
  if (Array.isArray(key.keys)) return { jwks: jsonOf(key, path) };
  if (key.kty !== undefined) return { jwk: jsonOf(key, path) };
  throw configError(path, EXPECTED);
}

/** The text of a JWK or JWK set. */
export function jsonOf(value, path) {
  try {
    const text = JSON.stringify(value);
    if (text !== undefined) return text;
  } catch {
    // The error is thrown below.
  }
  throw configError(path, 'expected what JSON can hold');
}

function exportKeyObject(key, path) {
  if (key.type === 'private') throw configError(path, 'a private key, expected the public key');
  try {
    return key.export({ format: 'jwk' });
  } catch {
    throw configError(path, 'a KeyObject of a kind that is not supported, expected RSA, EC, Ed25519 or a secret');
  }
}

function exportCryptoKey(key, platform, path) {
  if (key.type === 'private') throw configError(path, 'a private key, expected the public key');
  if (!key.usages.includes('verify')) throw configError(path, 'a CryptoKey whose usages lack verify');
  const alg = algorithmOfCryptoKey(key.algorithm);
  const source = (jwk) => ({ jwk: JSON.stringify({ ...jwk, ...(alg && { alg }) }) });
  if (platform.exportCryptoKey) return source(platform.exportCryptoKey(key));
  if (!key.extractable) throw configError(path, 'a CryptoKey that is not extractable');
  return crypto.subtle.exportKey('jwk', key).then(source);
}

/** The one algorithm a CryptoKey is for. */
export function algorithmOfCryptoKey({ name, hash, namedCurve }) {
  const bits = hash?.name?.slice(4);
  switch (name) {
    case 'HMAC': return HMAC_BITS[hash.name] ?? `HMAC with ${hash.name}`;
    case 'RSASSA-PKCS1-v1_5': return `RS${bits}`;
    case 'RSA-PSS': return `PS${bits}`;
    case 'ECDSA': return { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }[namedCurve];
    case 'Ed25519': return 'EdDSA';
    default: return name;
  }
}

/** `importKey` of index.d.ts. */
export async function importKey(engine, key, options = {}) {
  for (const name of Object.keys(options)) {
    if (name !== 'alg' && name !== 'kid') throw configError(name, 'is not a known option, expected one of alg, kid');
  }
  const { alg, kid } = options;
  for (const [name, value] of Object.entries({ alg, kid })) {
    if (value !== undefined && typeof value !== 'string') throw configError(name, 'expected a string');
  }
  await engine.ready();
  let source = await sourceOf(key, engine.platform);
  if (source.jwks !== undefined) throw configError('key', 'a JWK set, expected a single key');
  if (source.secret !== undefined) {
    if (alg === undefined) throw configError('alg', 'expected HS256, HS384 or HS512 for a secret');
    source = { jwk: JSON.stringify({ kty: 'oct', k: source.secret }) };
  }
  let description = describe(engine, source);
  let jwk = JSON.parse(description.jwk ?? source.jwk);
  if (description.kid !== undefined) jwk.kid = description.kid;
  if (alg !== undefined || kid !== undefined) {
    if (alg !== undefined && !description.algorithms.includes(alg === 'Ed25519' ? 'EdDSA' : alg) && !description.symmetric) {
      throw configError('alg', `the key serves ${description.algorithms.join(', ')}`);
    }
    jwk = { ...jwk, ...(alg !== undefined && { alg }), ...(kid !== undefined && { kid }) };
    description = describe(engine, { jwk: JSON.stringify(jwk) });
  } else if (description.algorithms.length === 1) {
    jwk.alg = description.algorithms[0];
  }
  return new ImportedKey(description, JSON.stringify(jwk));
}

export function describe(engine, source) {
  if (engine.call('describeKey', undefined, JSON.stringify(source)) !== DONE) {
    const refusal = engine.refusal();
    throw configError('key', refusal.message, refusal.reason);
  }
  return JSON.parse(engine.text());
}
