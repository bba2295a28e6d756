import { dpopOptions } from './dpop.js';
import { configError } from './errors.js';
import { jsonOf, sourceOf } from './keys.js';

const DEFAULT_CACHE_ENTRIES = 1000;
const MAX_CACHE_ENTRIES = 1_000_000;
export const DEFAULT_MAX_TOKEN_LENGTH = 8192;

const ISSUER_OPTIONS = [
  'issuer', 'audience', 'algorithms', 'key', 'jwks', 'jwksUri', 'clockTolerance', 'maxTokenAge', 'requiredClaims', 'typ',
  'scopeClaim', 'requireExp', 'profile',
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

/** An issuer's options for the engine, which reads and judges them: keys in the form it takes, all else as it was given. */
function issuerOptions(options, path, platform) {
  const document = {};
  for (const name of ISSUER_OPTIONS) {
    const value = options[name];
    if (value === undefined) continue;
    if (name === 'key') document.key = sourceOf(value, platform, join(path, name));
    else if (name === 'jwks') document.jwks = jwksText(value, join(path, name));
    else document[name] = plain(value);
  }
  return document;
}

/** Text, numbers, words and lists of them. Anything else becomes `null`, which no option takes, so that JSON cannot drop or change it. */
function plain(value) {
  if (Array.isArray(value)) return Array.from(value, plain);
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value) ? value : null;
}

function jwksText(value, path) {
  if (typeof value !== 'object' || value === null) throw configError(path, 'expected an object with a list in keys');
  return jsonOf(value, path);
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
