import { checkNames, clock, string, tokenLength, whole } from './check.js';
import { EdgegateError, configError, syncUnsupported } from './errors.js';
import { bytesOf, describe, isBytes, isCryptoKey } from './keys.js';
import { ALGORITHMS, DEFAULT_MAX_TOKEN_LENGTH, DONE } from './protocol.js';

const JWS_OPTIONS = ['alg', 'kid', 'typ', 'header', 'maxTokenLength'];
const JWT_OPTIONS = [...JWS_OPTIONS, 'expiresIn', 'issuedAt', 'requireExp', 'now'];
const MAX_KEY_ID_LENGTH = 256;
/** Members that only a private key has, the same as in the core. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'r'];
const EXPECTED = 'expected a private JWK, PKCS#8 as PEM, a CryptoKey, a KeyObject, or the bytes of an HMAC secret';
const PROBE = new TextEncoder().encode('edgegate: does this key sign what its other half verifies?');

/** What the platform signs with, for each signing key. Callers cannot read it. */
const materials = new WeakMap();
/** The signing keys of keys that cannot change, by the options that they were imported with. */
const known = new WeakMap();

/** A private key that has been checked by `importSigningKey`. */
class SigningKey {
  constructor(material, algorithm, alg, kid, publicJwk) {
    this.alg = alg;
    this.kid = kid;
    materials.set(this, { material, algorithm, publicJwk });
    Object.freeze(this);
  }
}

const invalid = (path, problem) =>
  new EdgegateError({ code: 'INVALID_REQUEST', reason: 'invalid_field', message: `${path}: ${problem}`, path });

// ---- keys ----

export async function importSigningKey(engine, key, options = {}) {
  const { alg, kid } = keyOptions(options);
  await engine.ready();
  return prepare(engine, key, alg, kid, await given(engine, key, alg));
}

export function importSigningKeySync(engine, key, options = {}) {
  const { alg, kid } = keyOptions(options);
  const form = given(engine, key, alg);
  const signer = prepare(engine, key, alg, kid, form);
  if (typeof signer.then === 'function') {
    signer.catch(() => {});
    throw syncUnsupported('this runtime signs asynchronously');
  }
  return signer;
}

function keyOptions(options) {
  checkNames(options, ['alg', 'kid'], '');
  const { alg, kid } = options;
  if (alg !== undefined) algorithmOf(alg);
  if (kid !== undefined) keyId(kid);
  return { alg, kid };
}

function algorithmOf(alg) {
  const algorithm = alg === 'Ed25519' ? 'EdDSA' : alg;
  if (!ALGORITHMS.includes(algorithm)) throw configError('alg', 'expected an algorithm like RS256, ES256, EdDSA or HS256');
  return algorithm;
}

function keyId(kid) {
  const bytes = new TextEncoder().encode(string(kid, 'kid')).length;
  if (bytes > MAX_KEY_ID_LENGTH) throw configError('kid', `has ${bytes} bytes, expected 1 to ${MAX_KEY_ID_LENGTH}`);
  return kid;
}

/** Returns the key as the platform takes it, `{form, value, jwk?}`, or a promise of it. */
function given(engine, key, alg) {
  const { platform } = engine;
  if (typeof key === 'string') {
    if (!key.includes('-----BEGIN ')) {
      throw configError('key', 'a string that is not PEM, expected an HMAC secret as bytes (new TextEncoder().encode(secret))');
    }
    if (engine.call('pkcs8OfPem', undefined, key) !== DONE) throw configError('key', engine.refusal().message);
    const value = engine.secret();
    if (alg === undefined) throw configError('alg', 'expected the algorithm of a key that is PEM');
    return { form: 'pkcs8', value };
  }
  if (typeof key !== 'object' || key === null) throw configError('key', EXPECTED);
  if (isBytes(key)) return { form: 'secret', value: bytesOf(key).slice() };
  if (platform.isKeyObject(key)) {
    if (key.type === 'public') throw configError('key', 'a public key, expected the private key');
    return { form: 'native', value: key };
  }
  if (isCryptoKey(key)) {
    if (key.type === 'public') throw configError('key', 'a public key, expected the private key');
    if (!key.usages.includes('sign')) throw configError('key', 'a CryptoKey whose usages lack sign');
    return { form: 'native', value: key };
  }
  if (key.kty === undefined) throw configError('key', EXPECTED);
  return jwkGiven(engine, key);
}

function jwkGiven({ platform }, key) {
  let jwk;
  try {
    jwk = JSON.parse(JSON.stringify(key));
  } catch {
    throw configError('key', 'expected what JSON can hold');
  }
  const { key_ops: operations } = jwk;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('sign'))) {
    throw configError('key', 'JWK: key_ops does not include sign');
  }
  delete jwk.key_ops;
  delete jwk.ext;
  if (jwk.kty !== 'oct') {
    if (jwk.d === undefined) throw configError('key', 'a public key, expected the private key');
    return { form: 'jwk', value: jwk };
  }
  if (typeof jwk.k !== 'string' || !/^[\w-]*$/.test(jwk.k)) throw configError('key', 'JWK: k is not base64url without padding');
  return { form: 'secret', value: new Uint8Array(platform.decodeBase64Url(jwk.k)), jwk };
}

/** Returns a checked key, or a promise of it if the platform signs asynchronously. */
function prepare(engine, key, alg, kid, { form, value, jwk = form === 'jwk' ? value : {} }) {
  const reusable = form === 'native' ? known.get(key)?.get(`${alg} ${kid}`) : undefined;
  if (reusable !== undefined) return reusable;
  const finish = ({ material, publicJwk, algorithms }) => {
    // If the platform cannot tell the algorithms, the engine does, with the checks for keys that verify.
    const permitted = algorithms ?? describe(engine, { jwk: JSON.stringify(publicJwk) }).algorithms;
    const algorithm = chosen(permitted, alg);
    const signer = new SigningKey(material, algorithm, alg ?? algorithm, kid ?? (jwk.kid === undefined ? undefined : keyId(jwk.kid)), publicJwk);
    const held = probe(engine, signer, publicJwk);
    const done = (holds) => {
      if (!holds) throw configError('key', 'the private and the public part do not belong together');
      if (form === 'native') {
        if (!known.has(key)) known.set(key, new Map());
        known.get(key).set(`${alg} ${kid}`, signer);
      }
      return signer;
    };
    return typeof held?.then === 'function' ? held.then(done) : done(held);
  };
  const named = alg ?? jwk.alg;
  if (form === 'secret' && named === undefined) throw configError('alg', 'expected HS256, HS384 or HS512 for a secret');
  const imported = engine.platform.signing.import(form, value, named === undefined ? undefined : algorithmOf(named), jwk);
  return typeof imported.then === 'function' ? imported.then(finish) : finish(imported);
}

function chosen(permitted, alg) {
  if (alg === undefined) {
    if (permitted.length === 1) return permitted[0];
    throw configError('alg', `expected one of ${permitted.join(', ')}`);
  }
  const algorithm = algorithmOf(alg);
  if (!permitted.includes(algorithm)) throw configError('alg', `the key serves ${permitted.join(', ')}`);
  return algorithm;
}

/**
 * Whether the public part verifies what the private part signs. An Ed25519 key whose halves differ would give its secret away with two
 * signatures, so not even one is let out.
 */
function probe({ platform }, signer, publicJwk) {
  const { material, algorithm } = materials.get(signer);
  if (publicJwk === undefined || publicJwk.kty === 'oct') return true;
  return platform.signing.holds(material, algorithm, publicJwk, PROBE);
}

/** `publicJwks` of index.d.ts. */
export async function publicJwks(engine, keys) {
  if (!Array.isArray(keys) || keys.length === 0) throw configError('keys', 'expected a non-empty list');
  await engine.ready();
  const names = new Set();
  return {
    keys: keys.map((key, index) => {
      const path = `keys[${index}]`;
      if (!materials.has(key)) throw configError(path, 'expected what importSigningKey returned');
      if (names.has(key.kid)) throw configError(path, 'has the kid of another key, or none as another');
      names.add(key.kid);
      return publicHalf(engine, key, path);
    }),
  };
}

/** Returns the key as the engine writes it: only its public members. */
function publicHalf(engine, key, path) {
  const { publicJwk } = materials.get(key);
  if (publicJwk === undefined) throw configError(path, 'a CryptoKey that is not extractable');
  if (publicJwk.kty === 'oct') throw configError(path, 'a secret has no public half');
  const jwk = JSON.parse(describe(engine, { jwk: JSON.stringify(publicJwk) }).jwk);
  return { ...jwk, ...(key.kid !== undefined && { kid: key.kid }), alg: key.alg, use: 'sig' };
}

// ---- signing ----

export async function signJws(engine, payload, key, options = {}) {
  const request = jwsOptions(options);
  const signer = await signerOf(engine, key, options);
  return finishJws(engine, signer, request, payloadBytes(payload), (...all) => engine.platform.signing.sign(...all));
}

export function signJwsSync(engine, payload, key, options = {}) {
  const request = jwsOptions(options);
  const { signSync } = engine.platform.signing;
  if (signSync === undefined) throw syncUnsupported('this runtime signs asynchronously: await signJws()');
  return finishJws(engine, signerOfSync(engine, key, options), request, payloadBytes(payload), signSync);
}

export async function signJwt(engine, claims, key, options = {}) {
  const request = jwtOptions(options);
  await engine.ready();
  const payload = payloadOf(engine, claims, request);
  const signer = await signerOf(engine, key, options);
  return finishJws(engine, signer, request, payload, (...all) => engine.platform.signing.sign(...all));
}

export function signJwtSync(engine, claims, key, options = {}) {
  const request = jwtOptions(options);
  const { signSync } = engine.platform.signing;
  if (signSync === undefined) throw syncUnsupported('this runtime signs asynchronously: await signJwt()');
  const payload = payloadOf(engine, claims, request);
  return finishJws(engine, signerOfSync(engine, key, options), request, payload, signSync);
}

/** Returns the key if it was imported already. Then `alg` and `kid` can no longer be chosen. */
function imported(key, { alg, kid }) {
  if (!materials.has(key)) return undefined;
  if (alg !== undefined && alg !== key.alg) throw configError('alg', `the key was imported for ${key.alg}`);
  if (kid !== undefined && kid !== key.kid) throw configError('kid', 'the key was imported with another kid');
  return key;
}

const isObject = (value) => typeof value === 'object' && value !== null;
const pick = ({ alg, kid }) => ({ ...(alg !== undefined && { alg }), ...(kid !== undefined && { kid }) });

async function signerOf(engine, key, options) {
  return (isObject(key) ? imported(key, options) : undefined) ?? importSigningKey(engine, key, pick(options));
}

function signerOfSync(engine, key, options) {
  return (isObject(key) ? imported(key, options) : undefined) ?? importSigningKeySync(engine, key, pick(options));
}

function jwsOptions(options, names = JWS_OPTIONS, typ = undefined) {
  checkNames(options, names, '');
  const { header = {}, maxTokenLength = DEFAULT_MAX_TOKEN_LENGTH } = options;
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw configError('header', 'expected an object');
  for (const name of ['alg', 'kid', 'typ']) {
    if (Object.hasOwn(header, name)) throw configError(`header.${name}`, `expected as the option ${name}`);
  }
  for (const name of ['crit', 'b64']) {
    if (Object.hasOwn(header, name)) throw configError(`header.${name}`, 'no extension is supported');
  }
  if (isObject(header.jwk) && PRIVATE_MEMBERS.some((name) => Object.hasOwn(header.jwk, name))) {
    throw configError('header.jwk', 'a private key, expected only its public members');
  }
  return {
    header,
    typ: options.typ === undefined ? typ : string(options.typ, 'typ'),
    maxTokenLength: tokenLength(maxTokenLength),
  };
}

function jwtOptions(options) {
  const request = jwsOptions(options, JWT_OPTIONS, 'JWT');
  const { expiresIn, issuedAt = true, requireExp = true, now } = options;
  if (expiresIn !== undefined && whole(expiresIn, 'expiresIn', 'seconds') === 0) throw configError('expiresIn', 'expected at least 1');
  if (typeof issuedAt !== 'boolean') throw configError('issuedAt', 'expected true or false');
  if (typeof requireExp !== 'boolean') throw configError('requireExp', 'expected true or false');
  return { ...request, expiresIn, issuedAt, requireExp, clock: clock(now) };
}

function payloadBytes(payload) {
  if (typeof payload === 'string') return new TextEncoder().encode(payload);
  if (isBytes(payload)) return bytesOf(payload);
  throw invalid('payload', 'expected bytes or a string');
}

/** Returns the claims as they are signed. The engine checks them as it checks those of a token. */
function payloadOf(engine, claims, { expiresIn, issuedAt, requireExp, clock: time }) {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims) || isBytes(claims)) throw invalid('claims', 'expected an object');
  const now = Math.floor(time() / 1000);
  const whole_ = { ...claims };
  if (issuedAt && whole_.iat === undefined) whole_.iat = now;
  if (expiresIn !== undefined) {
    if (whole_.exp !== undefined) throw invalid('expiresIn', 'exp is among the claims already');
    whole_.exp = now + expiresIn;
  }
  let text;
  try {
    text = JSON.stringify(whole_);
  } catch {
    throw invalid('claims', 'expected what JSON can hold');
  }
  if (!text?.startsWith('{')) throw invalid('claims', 'expected an object');
  if (engine.call('checkClaims', undefined, text) !== DONE) {
    const { reason, message, claim } = engine.refusal();
    throw new EdgegateError({ code: 'INVALID_REQUEST', reason, message, claim });
  }
  // The text is asked, since a value that JSON cannot hold is not in it.
  if (requireExp && !Object.hasOwn(JSON.parse(text), 'exp')) {
    throw new EdgegateError({ code: 'INVALID_REQUEST', reason: 'missing_claim', message: 'claim exp is missing', claim: 'exp' });
  }
  return new TextEncoder().encode(text);
}

function finishJws({ platform }, signer, { header, typ, maxTokenLength }, payload, sign) {
  const { material, algorithm } = materials.get(signer);
  const members = { alg: signer.alg, ...(signer.kid !== undefined && { kid: signer.kid }), ...(typ !== undefined && { typ }), ...header };
  let headerText;
  try {
    headerText = JSON.stringify(members);
  } catch {
    throw configError('header', 'expected what JSON can hold');
  }
  const message = `${platform.encodeBase64Url(new TextEncoder().encode(headerText))}.${platform.encodeBase64Url(payload)}`;
  const finish = (signature) => {
    const token = `${message}.${platform.encodeBase64Url(new Uint8Array(signature))}`;
    if (token.length > maxTokenLength) throw invalid('payload', `token has ${token.length} bytes, more than the ${maxTokenLength} allowed`);
    return token;
  };
  const signature = sign(material, algorithm, new TextEncoder().encode(message));
  return typeof signature.then === 'function' ? signature.then(finish) : finish(signature);
}
