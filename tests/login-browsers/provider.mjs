// A program: an OpenID provider (oidc-provider, certified) whose page has two buttons. It can be slow, broken, or change its keys.
//
// Who opens its page a second time, or from a bookmark, begins the same request again, as at Google, Microsoft or Okta.

import { randomBytes } from 'node:crypto';
import https from 'node:https';
import { Readable } from 'node:stream';
import * as jose from 'jose';
import Provider from 'oidc-provider';

const { key, cert, port, redirectUris, clientSecret, logoutUris = [] } = JSON.parse(process.argv[2]);

const ISSUER = `https://localhost:${port}`;
const PERSON = 'person-1';
const DAY = 86_400;

/** What a test can change. */
const now = { tokenMillis: 0, tokenDown: false, error: undefined };
/** The request that each visit of the page belongs to. */
const requests = new Map();

async function signingKeys(kid) {
  const { privateKey } = await jose.generateKeyPair('RS256', { extractable: true });
  return { keys: [{ ...(await jose.exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' }] };
}

const cookieKeys = [randomBytes(32).toString('hex')];

const makeProvider = (jwks) => {
  const provider = new Provider(ISSUER, {
    clients: [{
      client_id: 'app',
      client_secret: clientSecret,
      redirect_uris: redirectUris,
      post_logout_redirect_uris: logoutUris,
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_basic',
    }],
    jwks,
    cookies: { keys: cookieKeys },
    scopes: ['openid', 'email', 'profile', 'offline_access'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: false,
    clockTolerance: 5,
    // Otherwise a code is void once another tab has signed in meanwhile.
    expiresWithSession: () => false,
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true }, revocation: { enabled: true } },
    ttl: { Interaction: 2 * DAY, Session: 14 * DAY, Grant: 14 * DAY, AuthorizationCode: 60, IdToken: 3600, AccessToken: 3600, RefreshToken: 14 * DAY },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: 'person@example.com', email_verified: true, name: 'Person' }) }),
    async loadExistingGrant(context) {
      const grant = new context.oidc.provider.Grant({ clientId: context.oidc.client.clientId, accountId: context.oidc.session.accountId });
      grant.addOIDCScope('openid email profile offline_access');
      await grant.save();
      return grant;
    },
    interactions: {
      url(_, { uid, params }) {
        const given = Object.entries(params).filter(([, value]) => value !== undefined);
        requests.set(uid, `/auth?${new URLSearchParams(given)}`);
        return `/interaction/${uid}`;
      },
    },
    renderError(context, out) {
      const uid = /^\/auth\/([\w-]+)$/.exec(context.path)?.[1];
      const again = requests.get(uid);
      if (again) return context.redirect(again);
      context.type = 'html';
      context.body = page('provider: error', `<p>${out.error}: ${out.error_description ?? ''}</p>`);
      return undefined;
    },
  });
  provider.proxy = false;
  return provider;
};

const page = (title, body) => `<!doctype html><meta charset="utf-8"><title>${title}</title><link rel="icon" href="data:,">${body}`;

const SIGN_IN = page('sign in', `<form method="post">
  <button id="ok" name="answer" value="ok">Continue as Person</button>
  <button id="deny" name="answer" value="deny">Cancel</button>
</form>`);

/** The page of a visit: shown, or answered. */
async function interaction(provider, request, response, uid) {
  const again = requests.get(uid) ?? '/';
  try {
    await provider.interactionDetails(request, response);
  } catch {
    return response.writeHead(303, { Location: again }).end();
  }
  if (request.method === 'GET') return response.writeHead(200, { 'Content-Type': 'text/html', 'Cache-Control': 'no-store' }).end(SIGN_IN);
  const answer = new URLSearchParams(await new Response(Readable.toWeb(request)).text()).get('answer');
  const error = answer === 'deny' ? 'access_denied' : now.error;
  now.error = undefined;
  const result = error ? { error, error_description: 'as the test wanted' } : { login: { accountId: PERSON } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

let provider = makeProvider(await signingKeys('first'));

const server = https.createServer({ key, cert }, async (request, response) => {
  const [pathname] = request.url.split('?');
  if (pathname === '/favicon.ico') return response.writeHead(204).end();
  if (pathname === '/token') {
    await new Promise((resolve) => { setTimeout(resolve, now.tokenMillis); });
    if (now.tokenDown) return response.socket.destroy();
  }
  const uid = /^\/interaction\/([\w-]+)$/.exec(pathname)?.[1];
  if (uid) return interaction(provider, request, response, uid).catch(() => response.writeHead(500).end());
  return provider.callback()(request, response);
});

process.on('message', async ({ id, set, keys }) => {
  if (set) Object.assign(now, set);
  // The old key is gone at once, from the published ones too.
  if (keys) provider = makeProvider(await signingKeys(keys));
  if (set || keys) process.send({ done: id });
});

server.listen(port, '127.0.0.1', () => process.send({ ready: ISSUER }));
