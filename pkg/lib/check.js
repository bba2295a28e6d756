import { configError } from './errors.js';

/**
 * Refuses anything but a plain object, and unknown names: a misspelt option must not turn a check off. `elsewhere` has the names that known
 * options have in policies. Such a name is refused too, and the error says the right one.
 */
export function checkNames(options, known, path, elsewhere = {}) {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw configError(path, 'expected an object');
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      const place = join(path, /^[\w-]{1,40}$/.test(name) ? name : '?');
      throw configError(place, `is not a known option, expected ${expectedName(known, name, elsewhere)}`);
    }
  }
}

/** The name that was meant, if this one is in the spelling of policies; else all. */
export function expectedName(known, name, elsewhere = {}) {
  const meant = known.find((one) => elsewhere[one] === name || snakeCase(one) === name);
  return meant ?? `one of ${known.join(', ')}`;
}

const snakeCase = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export const join = (path, name) => (path ? `${path}.${name}` : name);

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

export function tokenLength(value) {
  if (!Number.isSafeInteger(value) || value < 1 || value > 1024 * 1024) {
    throw configError('maxTokenLength', 'expected 1 to 1048576 bytes');
  }
  return value;
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
