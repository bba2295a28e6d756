// The adversary does what it says: openid-client, which is certified, comes to what each behaviour is meant to come to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as client from 'openid-client';
import { compactVerify, createLocalJWKSet } from 'jose';

import { ATTACKS, LOGINS, LOGOUT_TOKENS, REFRESHES } from '../support/providers/adversary.mjs';
import { startProvider } from '../support/providers/index.mjs';
import { publicJwk } from '../support/providers/keys.mjs';
import { configured, logIn } from './library.mjs';

/** Runs one login against a provider that does this. Returns `in`, or why not. */
async function outcome({ set, mode, isSecondLogin }) {
  const provider = await startProvider('oidc');
  try {
    const config = isSecondLogin ? (await logIn(provider)).config : undefined;
    set(provider);
    await logIn(provider, { mode, config });
    return 'in';
  } catch (fault) {
    return fault;
  } finally {
    await provider.close();
  }
}

for (const behaviour of [...LOGINS, ...ATTACKS]) {
  const { plan, name, expected, library = expected, why } = behaviour;
  test(`openid-client at ${plan}: ${name}${why ? ` (${why})` : ''}`, async () => {
    const seen = await outcome(behaviour);
    if (library === 'in') assert.equal(seen, 'in');
    else if (library === 'either') assert.ok(true);
    // It asks for the userinfo, so that what is wrong there is found.
    else assert.notEqual(seen, 'in');
  });
}

for (const { plan, name, expected, library = expected, why, set } of REFRESHES) {
  test(`openid-client at ${plan}: ${name}${why ? ` (${why})` : ''}`, async () => {
    const provider = await startProvider('oidc');
    try {
      const { tokens, config } = await logIn(provider, { scope: 'openid offline_access' });
      set(provider);
      const refreshed = client.refreshTokenGrant(config, tokens.refresh_token);
      if (library === 'in') assert.ok((await refreshed).id_token);
      else await assert.rejects(refreshed);
    } finally {
      await provider.close();
    }
  });
}

test('each logout token but the first has one thing wrong, and the first has none', async () => {
  const provider = await startProvider('oidc');
  try {
    await configured(provider);
    const keys = createLocalJWKSet({ keys: provider.keys.map(publicJwk) });
    for (const { name, expected, set } of LOGOUT_TOKENS) {
      const token = provider.logoutToken({ sub: 'u', sid: 's' }, set);
      assert.equal(await isLogout(token, keys, provider), expected === 'in', name);
    }
  } finally {
    await provider.close();
  }
});

/** OpenID Connect Back-Channel Logout 1.0 §2.6, by jose. */
async function isLogout(token, keys, { issuer, client: { id }, now }) {
  try {
    const { payload } = await compactVerify(token, keys, { algorithms: ['RS256'] });
    const { iss, aud, iat, jti, sub, sid, nonce, events } = JSON.parse(Buffer.from(payload));
    const isNew = typeof iat === 'number' && Math.abs(now() - iat) < 300;
    const isEvent = typeof events?.['http://schemas.openid.net/event/backchannel-logout'] === 'object';
    return iss === issuer && aud === id && isNew && typeof jti === 'string' && nonce === undefined && isEvent && (sub ?? sid) !== undefined;
  } catch {
    return false;
  }
}
