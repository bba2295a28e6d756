import { CACHING_FIELDS } from './protocol.js';

/**
 * Adds what the gate has to say to caches, after the handler has set its own headers. `get`, `set` and `remove` work on the answer's
 * headers.
 */
export function tellCaches(caching, get, set, remove) {
  if (caching === undefined) return;
  const own = (name) => {
    const value = get(name) ?? '';
    // In Node a header may also be a number or a list.
    return typeof value === 'string' ? value : [value].flat().join(', ');
  };
  for (const [name, value] of amendments(caching, own)) {
    if (value === '') remove(name);
    else set(name, value);
  }
}

/**
 * Returns the fields that change, as `[name, value]`; an empty value removes a field. `own` returns the answer's own value of a field, or
 * an empty text. `CacheRule::amend` (src/http/caching.rs) does the same and says why; tests/vectors/caching.json tests both.
 */
export function amendments({ 'Cache-Control': control, Vary: vary }, own) {
  const [cacheControl, varyName, ...addressed] = CACHING_FIELDS;
  const given = own(cacheControl);
  const changes = [];
  if (control !== undefined && !says(given, 'public')) {
    // It comes first: after a quote that is never closed it would be part of a text.
    if (!says(given, 'private') && !says(given, 'no-store')) changes.push([cacheControl, joined(control, given)]);
    for (const name of addressed) {
      const value = own(name);
      if (value !== '' && !says(value, 'public')) changes.push([name, '']);
    }
  }
  if (vary !== undefined) changes.push([varyName, joined(own(varyName), vary)]);
  return changes;
}

/** Whether the text has this directive without an argument. Text in quotes is part of a value (src/cache_control.rs). */
function says(text, directive) {
  if (text === '') return false;
  const unquoted = text.replace(/"(?:[^"\\]|\\.)*(?:"|\\?$)/gs, '""');
  return unquoted.split(',').some((given) => given.trim().toLowerCase() === directive);
}

const joined = (...texts) => texts.filter((text) => text !== '').join(', ');
