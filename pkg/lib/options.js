import { checkNames, clock, join, tokenLength } from './check.js';
import { dpopOptions } from './dpop.js';
import { configError } from './errors.js';
import { jsonOf, sourceOf } from './keys.js';
import { DEFAULT_MAX_TOKEN_LENGTH, ISSUER_OPTIONS } from './protocol.js';

const DEFAULT_CACHE_ENTRIES = 1000;
const MAX_CACHE_ENTRIES = 1_000_000;
const ISSUER_NAMES = Object.keys(ISSUER_OPTIONS);
/** Options are lists and objects of lists at most. */
const MAX_DEPTH = 3;
const SHARED_OPTIONS = ['maxTokenLength', 'cache', 'now', 'dpop'];

/** Returns what a verifier is made of. `issuers[n].key` may still be a promise. */
export function verifierOptions(options, platform) {
  const names = options?.issuers === undefined ? [...ISSUER_NAMES, ...SHARED_OPTIONS, 'issuers'] : ['issuers', ...SHARED_OPTIONS];
  checkNames(options, names, '', ISSUER_OPTIONS);
  const { maxTokenLength = DEFAULT_MAX_TOKEN_LENGTH, cache = {}, now, issuers } = options;
  const single = issuers === undefined;
  if (!single && (!Array.isArray(issuers) || issuers.length === 0)) throw configError('issuers', 'expected a non-empty list');
  return {
    single,
    issuers: single
      ? [issuerOptions(options, '', platform)]
      : issuers.map((issuer, index) => {
        checkNames(issuer, ISSUER_NAMES, `issuers[${index}]`, ISSUER_OPTIONS);
        return issuerOptions(issuer, `issuers[${index}]`, platform);
      }),
    maxTokenLength: tokenLength(maxTokenLength),
    entries: cacheEntries(cache),
    clock: clock(now),
    dpop: dpopOptions(options.dpop),
  };
}

/**
 * Returns an issuer's options for the engine, which reads and judges them. Keys get the form that it takes; everything else stays as it was
 * given.
 */
function issuerOptions(options, path, platform) {
  const document = {};
  for (const name of ISSUER_NAMES) {
    const value = options[name];
    if (value === undefined) continue;
    if (name === 'key') document.key = sourceOf(value, platform, join(path, name));
    else if (name === 'jwks') document.jwks = jwksText(value, join(path, name));
    else document[name] = plain(value);
  }
  return document;
}

/**
 * Copies texts, numbers, booleans, and lists and objects of them. Anything else becomes `null`, which every option refuses: JSON would drop
 * or change it.
 */
function plain(value, depth = 0) {
  if (depth > MAX_DEPTH) return null;
  if (Array.isArray(value)) return Array.from(value, (one) => plain(one, depth + 1));
  if (isPlainObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one, depth + 1)]));
  }
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value) ? value : null;
}

function isPlainObject(value) {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
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
