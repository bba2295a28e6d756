import { dpopOptions } from './dpop.js';
import { configError } from './errors.js';
import { jsonOf, sourceOf } from './keys.js';

const DEFAULT_CACHE_ENTRIES = 1000;
const MAX_CACHE_ENTRIES = 1_000_000;
export const DEFAULT_MAX_TOKEN_LENGTH = 8192;

const ISSUER_OPTIONS = [
  'issuer', 'audience', 'algorithms', 'key', 'jwks', 'jwksUri', 'clockTolerance', 'requiredClaims', 'typ', 'maxTokenAge',
  'requireExp', 'profile',
];
const SHARED_OPTIONS = ['maxTokenLength', 'cache', 'now', 'dpop'];

/** Refuses what is no plain object, and unknown names: a misspelt option must not turn a check off. */
export function checkNames(options, known, path) {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw configError(path, 'expected an object');
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      const place = join(path, /^[\w-]{1,40}$/.test(name) ? name : '?');
      throw configError(place, `is not a known option, expected one of ${known.join(', ')}`);
    }
  }
}

const join = (path, name) => (path ? `${path}.${name}` : name);

export function string(value, path) {
  if (typeof value !== 'string' || value === '') throw configError(path, 'expected a non-empty string');
  return value;
}

export function list(value, path, what = 'a list of strings') {
  if (!Array.isArray(value)) throw configError(path, `expected ${what}`);
  value.forEach((one, index) => {
    if (typeof one !== 'string') throw configError(`${path}[${index}]`, 'expected a string');
  });
  return value;
}

export function whole(value, path, what) {
  if (!Number.isSafeInteger(value) || value < 0 || value > 0xffffffff) {
    throw configError(path, `expected a whole number of ${what}`);
  }
  return value;
}

const optional = (value, read, ...rest) => (value === undefined ? undefined : read(value, ...rest));

/** What a verifier is made of; `issuers[n].key` may still be a promise. */
export function verifierOptions(options, platform) {
  checkNames(options, options?.issuers === undefined ? [...ISSUER_OPTIONS, ...SHARED_OPTIONS, 'issuers'] : ['issuers', ...SHARED_OPTIONS], '');
  const { maxTokenLength = DEFAULT_MAX_TOKEN_LENGTH, cache = {}, now, issuers } = options;
  const single = issuers === undefined;
  if (!single && (!Array.isArray(issuers) || issuers.length === 0)) throw configError('issuers', 'expected a non-empty list');
  return {
    single,
    issuers: single
      ? [issuerOptions(options, '', platform)]
      : issuers.map((issuer, index) => {
        checkNames(issuer, ISSUER_OPTIONS, `issuers[${index}]`);
        return issuerOptions(issuer, `issuers[${index}]`, platform);
      }),
    maxTokenLength: tokenLength(maxTokenLength),
    entries: cacheEntries(cache),
    clock: clock(now),
    dpop: dpopOptions(options.dpop),
  };
}

export function tokenLength(value) {
  if (!Number.isSafeInteger(value) || value < 1 || value > 1024 * 1024) {
    throw configError('maxTokenLength', 'expected 1 to 1048576 bytes');
  }
  return value;
}

function issuerOptions(options, path, platform) {
  const at = (name) => join(path, name);
  const { key, jwks, jwksUri } = options;
  if ([key, jwks, jwksUri].filter((one) => one !== undefined).length !== 1) {
    throw configError(path, 'expected exactly one of key, jwks, jwksUri');
  }
  const audience = options.audience;
  return {
    issuer: string(options.issuer, at('issuer')),
    audience: optional(typeof audience === 'string' ? [audience] : audience, list, at('audience'), 'a string or a list of strings'),
    algorithms: optional(options.algorithms, list, at('algorithms')),
    key: optional(key, sourceOf, platform, at('key')),
    jwks: optional(jwks, jwksText, at('jwks')),
    jwksUri: optional(jwksUri, string, at('jwksUri')),
    clockTolerance: optional(options.clockTolerance, whole, at('clockTolerance'), 'seconds'),
    maxTokenAge: optional(options.maxTokenAge, whole, at('maxTokenAge'), 'seconds'),
    requiredClaims: optional(options.requiredClaims, list, at('requiredClaims')) ?? [],
    typ: optional(options.typ, string, at('typ')),
    requireExp: optional(options.requireExp, boolean, at('requireExp')),
    profile: optional(options.profile, string, at('profile')),
  };
}

function jwksText(value, path) {
  if (typeof value !== 'object' || value === null) throw configError(path, 'expected an object with a list in keys');
  return jsonOf(value, path);
}

function boolean(value, path) {
  if (typeof value !== 'boolean') throw configError(path, 'expected true or false');
  return value;
}

function cacheEntries(cache) {
  if (cache === false) return 0;
  checkNames(cache, ['entries'], 'cache');
  const { entries = DEFAULT_CACHE_ENTRIES } = cache;
  if (!Number.isSafeInteger(entries) || entries < 1 || entries > MAX_CACHE_ENTRIES) {
    throw configError('cache.entries', `expected 1 to ${MAX_CACHE_ENTRIES}, or cache: false`);
  }
  return entries;
}

/** The time in milliseconds. */
export function clock(now) {
  if (now === undefined) return Date.now;
  if (typeof now !== 'function') throw configError('now', 'expected a function that returns seconds since 1970');
  return () => {
    const secs = now();
    if (typeof secs !== 'number' || !Number.isFinite(secs)) throw configError('now', 'expected a function that returns seconds since 1970');
    return secs * 1000;
  };
}
