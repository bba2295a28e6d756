import { ApiKeys } from './api-keys.js';
import { Engine } from './engine.js';
import { decodeUnverified, verifyJws } from './jws.js';
import { importKey } from './keys.js';
import * as sign from './sign.js';
import { Verifier } from './verifier.js';

export { EdgegateError } from './errors.js';

/**
 * Returns the package's functions for a platform. Each entry has its own platform. Entries must name what they export: `cargo xtask
 * package` copies these names into them, and into the declarations of the entries that export nothing else.
 */
export function bind(platform) {
  const engine = new Engine(platform);
  return {
    engine,
    ready: () => engine.ready(),
    createVerifier: (options) => new Verifier(engine, options),
    createApiKeys: (options) => new ApiKeys(engine, options),
    importKey: (key, options) => importKey(engine, key, options),
    verifyJws: (jws, key, options) => verifyJws(engine, jws, key, options),
    importSigningKey: (key, options) => sign.importSigningKey(engine, key, options),
    publicJwks: (keys) => sign.publicJwks(engine, keys),
    signJwt: (claims, key, options) => sign.signJwt(engine, claims, key, options),
    signJwtSync: (claims, key, options) => sign.signJwtSync(engine, claims, key, options),
    signJws: (payload, key, options) => sign.signJws(engine, payload, key, options),
    signJwsSync: (payload, key, options) => sign.signJwsSync(engine, payload, key, options),
    decodeUnverified: (token) => decodeUnverified(engine, token),
  };
}
