import { CACHING_FIELDS } from './protocol.js';

/**
 * Tells caches of an answer what the gate has for them, once the handler has said what it has to say. `get`, `set` and `remove` are those
 * of the answer's headers.
 */
export function tellCaches(caching, get, set, remove) {
  if (caching === undefined) return;
  const own = (name) => {
    const value = get(name) ?? '';
    // Node has numbers and lists too.
    return typeof value === 'string' ? value : [value].flat().join(', ');
  };
  for (const [name, value] of amendments(caching, own)) {
    if (value === '') remove(name);
    else set(name, value);
  }
}

/**
 * The fields that change, as `[name, value]`; an empty value takes one out. The same as `CacheRule::amend` (src/http/caching.rs), which says
 * why: tests/vectors/caching.json holds both to it. `own` gives the answer's own value of a field, or an empty text.
 */
export function amendments({ 'Cache-Control': control, Vary: vary }, own) {
  const [cacheControl, varyName, ...addressed] = CACHING_FIELDS;
  const given = own(cacheControl);
  const changes = [];
  if (control !== undefined && !says(given, 'public')) {
    // In front: behind a quote that is never closed it would be part of a text.
    if (!says(given, 'private') && !says(given, 'no-store')) changes.push([cacheControl, joined(control, given)]);
    for (const name of addressed) {
      const value = own(name);
      if (value !== '' && !says(value, 'public')) changes.push([name, '']);
    }
  }
  if (vary !== undefined) changes.push([varyName, joined(own(varyName), vary)]);
  return changes;
}

/** Whether a directive is there without an argument. What stands in quotes is part of a value (src/cache_control.rs). */
function says(text, directive) {
  if (text === '') return false;
  const unquoted = text.replace(/"(?:[^"\\]|\\.)*(?:"|\\?$)/gs, '""');
  return unquoted.split(',').some((given) => given.trim().toLowerCase() === directive);
}

const joined = (...texts) => texts.filter((text) => text !== '').join(', ');
