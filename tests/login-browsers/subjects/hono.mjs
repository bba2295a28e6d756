// A program: a page behind @hono/oidc-auth, as its documentation has it.

import { serve } from '@hono/node-server';
import { getAuth, initOidcAuthMiddleware, oidcAuthMiddleware, revokeSession } from '@hono/oidc-auth';
import { Hono } from 'hono';

import { home } from '../pages.mjs';

const { origin, issuer, clientSecret, secrets, port } = JSON.parse(process.argv[2]);

const app = new Hono();
app.use(initOidcAuthMiddleware({
  OIDC_AUTH_SECRET: secrets[0],
  OIDC_ISSUER: issuer,
  OIDC_CLIENT_ID: 'app',
  OIDC_CLIENT_SECRET: clientSecret,
  OIDC_REDIRECT_URI: `${origin}/callback`,
  OIDC_SCOPES: 'openid email',
}));
app.get('/logout', async (context) => {
  await revokeSession(context);
  return context.html(home('nobody'));
});
app.use(oidcAuthMiddleware());
app.get('*', async (context) => context.html(home((await getAuth(context)).sub)));

// TLS ends before this server.
const fetch = (request) => app.fetch(new Request(request.url.replace(/^http:/, 'https:'), request));
serve({ fetch, port, hostname: '127.0.0.1' }, () => process.send({ ready: true }));
