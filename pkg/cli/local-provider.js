// The provider of `dev --login`: `oidc-provider`, a certified one, on this machine, with one form. Whatever name somebody writes there
// logs in. It is for trying things out: it knows nobody, and forgets everything when it ends.

import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { Failure } from './failure.js';
import { scopesOfRoutes } from './samples.js';
import { randomSecret } from './vars.js';

/** Its id in the policy, and what subjects begin with. */
const ID = 'local';
const CLIENT_ID = 'gate';
/** The name of the variable that holds its client secret. */
const SECRET = 'LOCAL_PROVIDER_SECRET';
/** As short as a name that fits everywhere. It becomes a subject and a part of an e-mail address. */
const NAME = /^[\w.-]{1,64}$/;
const MAX_FORM_BYTES = 1024;
/** Long enough for a login, and short enough that the next one asks for a name again. */
const SESSION_SECS = 60;

/**
 * Starts it. `folder` is where `oidc-provider` is installed, `port` and `scheme` are the gate's. The gate gets to know it by the
 * `parameters` for wrangler.
 */
export async function startLocalProvider(folder, policy, { port, scheme = 'http' }) {
  if (policy.sessions === undefined) {
    throw new Failure('a login needs sessions, and the policy has none', { hint: 'write [vars.POLICY.sessions], with cookies = true for what you deploy: docs/sessions.md' });
  }
  const Provider = await providerOf(folder);
  let handler;
  const server = http.createServer((request, response) => handler(request, response));
  await new Promise((resolve, reject) => { server.once('error', reject).listen(0, '127.0.0.1', resolve); });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const secret = randomSecret();
  const callback = `${policy.auth_prefix ?? '/auth'}/callback/${ID}`;
  const redirects = ['127.0.0.1', 'localhost', '[::1]'].map((host) => `${scheme}://${host}:${port}${callback}`);
  handler = answering(new Provider(issuer, configuration(secret, redirects)));
  // The gate's end is the end of all.
  server.unref();
  return {
    issuer,
    parameters: ['--var', `POLICY:${JSON.stringify(withProvider(policy, issuer))}`, '--var', `${SECRET}:${secret}`],
    variables: { [SECRET]: secret },
    policy: withProvider(policy, issuer),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function providerOf(folder) {
  const require = createRequire(path.join(path.resolve(folder), 'package.json'));
  let file;
  try {
    file = require.resolve('oidc-provider');
  } catch {
    throw new Failure('the provider of --login is not installed here', { hint: 'npm install --save-dev oidc-provider' });
  }
  return (await import(pathToFileURL(file).href)).Provider;
}

/**
 * The policy with this provider beside its own ones, and sessions in cookies. On this machine the gate's origin is loopback, whatever it is
 * where it is deployed.
 */
function withProvider(policy, issuer) {
  const { origin: _, forward_auth: { origin: __, ...forwardAuth } = {}, ...rest } = policy;
  const providers = (policy.login?.providers ?? []).filter(({ id }) => id !== ID);
  const local = {
    id: ID, type: 'oidc', title: 'This machine', issuer, client_id: CLIENT_ID, client_secret: SECRET, request_scopes: ['openid', 'email'],
    scopes: { default: scopesOfRoutes(policy) },
  };
  return {
    ...rest,
    sessions: { ...policy.sessions, cookies: true },
    ...(Object.keys(forwardAuth).length === 0 ? {} : { forward_auth: forwardAuth }),
    login: { ...policy.login, providers: [local, ...providers] },
  };
}

function configuration(secret, redirectUris) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    clients: [{
      client_id: CLIENT_ID, client_secret: secret, redirect_uris: redirectUris, response_types: ['code'],
      grant_types: ['authorization_code'], token_endpoint_auth_method: 'client_secret_basic',
    }],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'local' }] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    scopes: ['openid', 'email'],
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, accountId) => ({
      accountId, claims: () => ({ sub: accountId, email: `${accountId}@example.com`, email_verified: true }),
    }),
    cookies: { keys: [randomSecret()] },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: SESSION_SECS, IdToken: 600, Interaction: 3600, Session: SESSION_SECS },
  };
}

const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Log in on this machine</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem } input { display: block; width: 100%; box-sizing: border-box; margin: .25rem 0 1rem; font: inherit; padding: .5rem } button { font: inherit; padding: .5rem 1rem }</style>
<link rel="icon" href="data:,">
<main><h1>Log in on this machine</h1>
<p>This is the provider of <code>dev --login</code>. It has no passwords: any name of letters, digits, dots and hyphens logs in.</p>
<form method="post"><label>Name <input name="name" value="ann" required autofocus maxlength="64" pattern="[\\w.\\-]+" autocomplete="username"></label>
<button>Log in</button> <button name="cancel" value="true" formnovalidate>Cancel</button></form></main></html>`;

const answering = (provider) => {
  const own = provider.callback();
  return async (request, response) => {
    if (!request.url.startsWith('/interaction/')) return own(request, response);
    try {
      const { params } = await provider.interactionDetails(request, response);
      const form = request.method === 'POST' ? new URLSearchParams(await bodyOf(request)) : undefined;
      if (form?.has('cancel')) return await provider.interactionFinished(request, response, { error: 'access_denied' });
      const accountId = form?.get('name') ?? '';
      if (!NAME.test(accountId)) return page(response, form === undefined ? 200 : 400);
      const grant = new provider.Grant({ accountId, clientId: params.client_id });
      grant.addOIDCScope(params.scope);
      const result = { login: { accountId, remember: false }, consent: { grantId: await grant.save() } };
      return await provider.interactionFinished(request, response, result);
    } catch (fault) {
      return response.writeHead(400, { 'Content-Type': 'text/plain' }).end(`This login is over, begin again. (${fault.message})\n`);
    }
  };
};

const page = (response, status) => response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' }).end(PAGE);

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > MAX_FORM_BYTES) throw new Error('the form is too long');
  }
  return text;
}
