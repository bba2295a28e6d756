// A login by openid-client, as its documentation has it. It stands for every client that is certified: what it takes is right.

import * as client from 'openid-client';

/**
 * Logs in, and returns what came with the tokens: `{ tokens, claims, config }`. `mode` is a response mode, `scope` and `more` are for the
 * authorization request, `userinfo` asks for that as well.
 */
export async function logIn(provider, { mode, scope = 'openid profile email', more = {}, userinfo = provider.kind.paths.userinfo !== undefined, config } = {}) {
  config ??= await configured(provider);
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: provider.client.redirectUris[0], scope, state, nonce, code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256', ...(mode ? { response_mode: mode } : {}), ...more,
  });
  const back = await callbackOf(url);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, back, checks);
  const claims = tokens.claims();
  const told = userinfo ? await client.fetchUserInfo(config, tokens.access_token, claims.sub) : undefined;
  return { tokens, claims, userinfo: told, config };
}

/** The client as it is set up for a provider: `proof` is how it proves itself. */
export async function configured(provider, { proof } = {}) {
  const { id, secret } = provider.client;
  const isBasic = provider.kind.authentication[0] === 'client_secret_basic';
  const own = isBasic ? client.ClientSecretBasic(secret) : client.ClientSecretPost(secret);
  const config = await client.discovery(new URL(provider.issuer), id, undefined, proof ?? own, { execute: [client.allowInsecureRequests] });
  // Otherwise it leaves the signature to TLS.
  client.enableNonRepudiationChecks(config);
  return config;
}

/** What the provider sends to the callback: a URL, or the request that its form makes. */
export async function callbackOf(url) {
  const answer = await fetch(url, { redirect: 'manual' });
  if (answer.status === 302) return new URL(answer.headers.get('location'));
  const text = await answer.text();
  const action = /action="([^"]*)"/.exec(text)?.[1];
  if (action === undefined) throw new Error(`the provider answers ${answer.status}: ${text}`);
  const unescaped = (value) => value.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  const fields = [...text.matchAll(/name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]) => [name, unescaped(value)]);
  return new Request(action, { method: 'POST', body: new URLSearchParams(fields) });
}
