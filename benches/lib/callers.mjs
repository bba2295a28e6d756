// Kinds of callers: what of a policy and of the peers each needs, what it sends, and how a contestant is proven.

import { createHash, randomBytes } from 'node:crypto';

import { keyIdOf, mintKey } from '../../tests/worker/api-key.mjs';
import { SECRETS } from '../../tests/worker/harness.mjs';
import { assertOpens, assertTakesKeys, assertTakesTokens } from './agree-gates.mjs';
import { CONNECTIONS } from './load.mjs';
import { AUDIENCE, ISSUER } from './names.mjs';
import { newKey, newToken } from './tokens.mjs';

export const JOSE = 'jose';
export const HONO = 'hono/jwt';
export const HONO_IMPORTED = 'hono/jwt, key imported once';
const HASHED = 'a look-up by hash';
const TOKEN_PEERS = [[JOSE, 'worker-jose.mjs'], [HONO, 'worker-hono.mjs']];
const IMPORTED = [HONO_IMPORTED, 'worker-hono.mjs', { IMPORT: true }];

/** Whom a limit has to tell apart. */
const CALLERS = 500;
/** Of fresh tokens: as many as a connection asks in a second. */
const FRESH = { HS256: 600, RS256: 300 };
/** Few enough that each is seen again and again. */
const SEEN = 32;
const SCOPES = 'read:posts write:posts';

export const numbered = (count, make) => Array.from({ length: count }, (_, index) => make(index));

/** Bearers of tokens, or those who have them in this cookie. */
export function bearers(algorithm, { cookie } = {}) {
  const key = newKey(algorithm);
  const isSecret = algorithm === 'HS256';
  const cookieOf = (token) => ({ Cookie: `theme=dark; ${cookie}=${token}` });
  const credentialOf = (token) => (cookie === undefined ? { token } : { headers: cookieOf(token) });
  const headersOf = (token) => (cookie === undefined ? { Authorization: `Bearer ${token}` } : cookieOf(token));
  const tokens = (count) => numbered(count, (index) => newToken(key, { sub: `caller-${index % CALLERS}` }));
  const secrets = isSecret ? { JWT_SECRET: key.secret } : {};
  return {
    policy: {
      ...(cookie === undefined ? {} : { cookie }),
      issuers: [{
        issuer: ISSUER, audience: [AUDIENCE], algorithms: [algorithm],
        ...(isSecret ? { secret: 'JWT_SECRET' } : { jwks: { keys: [{ ...key.jwk, kid: 'bench' }] } }),
      }],
    },
    secrets,
    peers: [...TOKEN_PEERS, ...(isSecret ? [IMPORTED] : [])],
    bindings: { JWK: key.jwk, ISSUER, AUDIENCE, ...secrets, ...(cookie === undefined ? {} : { COOKIE: cookie }) },
    path: '/v1/posts',
    limitedBy: 'caller',
    /** The headers of requests: of tokens that nobody has seen, and of some that come again. */
    headers: () => tokens(FRESH[algorithm] * CONNECTIONS).map(headersOf),
    seen: () => tokens(SEEN).map(headersOf),
    credential: () => credentialOf(newToken(key)),
    revoked: (index) => ({ iss: ISSUER, jti: `revoked-${index}` }),
    assertDecides: (name, gate) => assertTakesTokens(name, gate, key, credentialOf),
  };
}

/** Holders of API keys, without records. */
export function keyHolders() {
  const secret = SECRETS.API_KEY_SECRET;
  const keys = numbered(CALLERS, () => mintKey({ secret }));
  const hashOf = (key) => createHash('sha256').update(key).digest('hex');
  const known = { key: keys[0], id: keyIdOf(keys[0]), scopes: SCOPES };
  const bad = [mintKey({ secret: 'another secret' }), mintKey({ secret, tag: Buffer.alloc(16) }), `${keys[1]}0`];
  return {
    policy: {
      api_keys: {
        prefixes: [{ prefix: 'sk', scopes: SCOPES.split(' ') }], environment: 'test', signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }], records: 'none',
      },
    },
    secrets: { API_KEY_SECRET: secret },
    peers: [[HASHED, 'worker-key.mjs']],
    bindings: { KEYS: Object.fromEntries(keys.map((key) => [hashOf(key), { id: keyIdOf(key), scopes: SCOPES }])) },
    path: '/v1/posts',
    limitedBy: 'caller',
    headers: () => keys.map((key) => ({ 'X-API-Key': key })),
    credential: () => ({ key: keys[0] }),
    revoked: () => ({ key_id: randomBytes(16).toString('hex') }),
    assertDecides: (name, gate) => assertTakesKeys(name, gate, known, bad),
  };
}

/** Those without a credential, on an open route. */
export const anybody = () => ({
  ...bearers('HS256'),
  peers: TOKEN_PEERS,
  path: '/public/a',
  limitedBy: 'ip',
  headers: () => numbered(SEEN, () => ({})),
  credential: () => ({}),
  assertDecides: assertOpens,
});
