// The test vectors as inputs of the fuzz targets. `fuzz/seeds/` has further inputs.

/** The target that each member of a test vector is an input of. */
const SEEDS = { token: 'token', jwk: 'jwk', pem: 'pem', key: 'api_key', proof: 'dpop_proof' };

/** Returns `[target, input]` for each input in the vectors. */
export function collect(value) {
  if (value === null || typeof value !== 'object') return [];
  if (Array.isArray(value)) return value.flatMap(collect);
  return Object.entries(value).flatMap(([name, member]) => {
    const target = Object.hasOwn(SEEDS, name) ? SEEDS[name] : undefined;
    if (target !== undefined && typeof member === 'string') return [[target, member]];
    if (target !== undefined && member !== null && typeof member === 'object' && !Array.isArray(member)) return [[target, JSON.stringify(member)]];
    return collect(member);
  });
}

/** Returns the inputs, and all keys among them as one set. */
export function seeds(vectors) {
  const found = vectors.flatMap(collect);
  const keys = found.filter(([target]) => target === 'jwk').map(([, key]) => key);
  return [...found, ['jwks', `{"keys":[${keys.join(',')}]}`]];
}
