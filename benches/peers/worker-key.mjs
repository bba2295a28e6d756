// A gate for API keys written by hand: it knows the SHA-256 of each key, as those do that keep only hashes.

import { passOn, refused, scopeOf } from './rules.mjs';
import { hasScope } from './scopes.mjs';

const encoder = new TextEncoder();
let owners;

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

export default {
  async fetch(request, env) {
    const wanted = scopeOf(request);
    if (typeof wanted !== 'string') return refused(404);
    const key = request.headers.get('x-api-key');
    if (key === null) return refused(401);
    owners ??= new Map(Object.entries(env.KEYS));
    const known = owners.get(hex(await crypto.subtle.digest('SHA-256', encoder.encode(key))));
    if (known === undefined) return refused(401);
    if (!hasScope(known.scopes, wanted)) return refused(403);
    return passOn(request, env, { 'x-auth-method': 'api_key', 'x-auth-key-id': known.id, 'x-auth-scopes': known.scopes });
  },
};
