// A gate with hono/jwt. It takes its secret as text, as its documentation has it, and imports it for each token anew; with
// `IMPORT` it gets the imported key.

import { Hono } from 'hono';
import { jwt } from 'hono/jwt';

import { anonymous, identityOf, passOn, refused } from './rules.mjs';
import { hasScope } from './scopes.mjs';

const app = new Hono();
let verify;

const HMAC = { name: 'HMAC', hash: 'SHA-256' };

async function secretOf({ IMPORT: imports, JWT_SECRET: text, JWK: { alg: _, ...jwk } }) {
  if (jwk.kty !== 'oct') return jwk;
  return imports ? crypto.subtle.importKey('jwk', jwk, HMAC, false, ['verify']) : text;
}

const middleware = async (env) =>
  jwt({ secret: await secretOf(env), alg: env.JWK.alg, cookie: env.COOKIE, verification: { iss: env.ISSUER, aud: env.AUDIENCE } });

app.all('/public/*', (context) => passOn(context.req.raw, context.env, anonymous));
app.use('/v1/*', async (context, next) => {
  verify ??= await middleware(context.env);
  return verify(context, next);
});
const posts = (wanted) => (context) => {
  const claims = context.get('jwtPayload');
  return hasScope(claims.scope, wanted) ? passOn(context.req.raw, context.env, identityOf(claims)) : refused(403);
};
app.get('/v1/posts', posts('read:posts'));
app.post('/v1/posts', posts('write:posts'));

export default app;
