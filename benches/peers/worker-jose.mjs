// A gate written by hand with jose: the key is imported once, as its documentation advises.

import { importJWK, jwtVerify } from 'jose';

import { anonymous, identityOf, passOn, refused, scopeOf, tokenOf } from './rules.mjs';
import { hasScope } from './scopes.mjs';

let imported;

async function verify(token, env) {
  imported ??= await importJWK(env.JWK, env.JWK.alg);
  const options = { issuer: env.ISSUER, audience: env.AUDIENCE, algorithms: [env.JWK.alg], requiredClaims: ['exp'] };
  return (await jwtVerify(token, imported, options)).payload;
}

export default {
  async fetch(request, env) {
    const wanted = scopeOf(request);
    if (wanted === undefined) return passOn(request, env, anonymous);
    if (wanted === null) return refused(404);
    const token = tokenOf(request, env);
    if (token === undefined) return refused(401);
    let claims;
    try {
      claims = await verify(token, env);
    } catch {
      return refused(401);
    }
    if (!hasScope(claims.scope, wanted)) return refused(403);
    return passOn(request, env, identityOf(claims));
  },
};
