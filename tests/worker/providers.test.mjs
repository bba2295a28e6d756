// Tokens as identity providers make them: Cognito, Clerk, Keycloak, Entra, Supabase.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { SECRETS, admitted, gateWorker, policy, refused, start } from './harness.mjs';
import { ADMITTED, ISSUERS, PROVIDER_SECRETS, REFUSED } from './providers.mjs';
import { nowSecs } from './token.mjs';

let gate;
before(async () => {
  const routes = [...policy().routes, { path: '/v1/posts/drafts', scopes: { all: ['drafts'] } }];
  gate = await start([
    gateWorker({
      policy: policy({ issuers: ISSUERS, routes, scope_includes: { 'posts.read': ['drafts'] } }),
      secrets: { ...SECRETS, ...PROVIDER_SECRETS },
    }),
  ], { secrets: { ...SECRETS, ...PROVIDER_SECRETS } });
});
after(() => gate.dispose());

const ask = (bearer, path = '/v1/other') => gate.get(path, { token: bearer });
const signed = (sign, claims) => sign({ exp: nowSecs() + 600, ...claims });

describe('admits', () => {
  for (const [what, sign, claims, scopes] of ADMITTED) {
    test(what, async () => {
      const identity = admitted(await ask(signed(sign, claims)));
      assert.deepEqual([identity.issuer, identity.subject, identity.scopes], [claims.iss, claims.sub, scopes]);
    });
  }
});

describe('refuses', () => {
  for (const [what, sign, claims] of REFUSED) {
    test(what, async () => {
      refused(await ask(signed(sign, claims)), 'INVALID_TOKEN');
    });
  }
});

test('a scope that includes the one of the route', async () => {
  const [, sign, claims] = ADMITTED.find(([, , { roles }]) => roles !== undefined);
  assert.deepEqual(admitted(await ask(signed(sign, claims), '/v1/posts/drafts')).scopes, ['posts.read']);
  refused(await ask(signed(sign, { ...claims, roles: ['posts'] }), '/v1/posts/drafts'), 'INSUFFICIENT_SCOPE', { scope: 'drafts' });
});
