// Routes that want a sign-in which is more recent, or of another class (RFC 9470).

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { start } from './harness.mjs';
import { LOGIN_SECRETS, Op, Visitor, loginPolicy, provider } from './login.mjs';
import { AT, RT, Sessions, sessionWorker } from './sessions.mjs';
import { claimsOf } from './token.mjs';

let op;
let gate;

const ROUTES = [
  { path: '/v1/posts', scopes: { all: ['read:posts'] } },
  { path: '/v1/recent', max_auth_age_secs: 60 },
  { path: '/v1/strong', acr_values: ['gold', 'platinum'] },
  { path: '/v1/both', max_auth_age_secs: 60, acr_values: ['gold'] },
];

before(async () => {
  op = await new Op().start();
  const policy = loginPolicy([provider(op), provider(op, { id: 'other', title: 'Other' })], { routes: ROUTES });
  gate = await start([sessionWorker({ name: 'gate', policy, secrets: LOGIN_SECRETS })], { secrets: LOGIN_SECRETS });
  for (const id of ['op', 'other']) op.redirectUris.push(`http://127.0.0.1:${gate.port('gate')}/auth/callback/${id}`);
});

after(async () => {
  await gate?.dispose();
  await op?.stop();
});

const SCRIPT = { Accept: 'application/json', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Site': 'same-origin' };

const loggedIn = async () => {
  const visitor = new Visitor(gate, { name: 'gate' });
  assert.equal((await visitor.go('/auth/login/op?return_to=/v1/posts&remember=true')).status, 200);
  return visitor;
};

const me = async (visitor) => (await visitor.one('/auth/session', { headers: SCRIPT })).json();

describe('a route that wants more', () => {
  test('tells a script what, and where', async () => {
    const ann = await loggedIn();
    for (const [path, query, challenge] of [
      ['/v1/recent', '?max_age=60', 'max_age="60"'],
      ['/v1/strong', '?acr_values=gold%20platinum', 'acr_values="gold platinum"'],
      ['/v1/both', '?max_age=60&acr_values=gold', 'acr_values="gold", max_age="60"'],
    ]) {
      const answer = await ann.one(path, { headers: SCRIPT });
      assert.equal(answer.status, 401, path);
      const { code, login_url: url } = answer.json();
      assert.deepEqual([code, url], ['STEP_UP_REQUIRED', `${ann.origin}/auth/login${query}`]);
      const bearer = await gate.get(path, { token: ann.jar()[AT], host: new URL(ann.origin).host });
      assert.equal(
        bearer.headers['www-authenticate'],
        `Bearer realm="edgegate", error="insufficient_user_authentication", error_description="More recent sign-in required", ${challenge}`,
      );
    }
  });

  test('sends a page to the provider of the session; it goes on under a new name, to its old end', async () => {
    const ann = await loggedIn();
    const sessions = new Sessions(gate, 'gate');
    const [first, refresh] = [await me(ann), ann.jar()[RT]];
    assert.equal(first.auth_time, null, 'a provider that does not say when leaves it open');
    const listed = async () => (await sessions.admin('GET', '/sessions?subject=op%7Cann')).json().sessions;
    const before = (await listed()).find((one) => one.id === first.session_id);
    for (const path of ['/v1/recent', '/v1/strong', '/v1/both']) {
      const answer = await ann.go(path);
      assert.deepEqual([answer.status, answer.url], [200, `${ann.origin}${path}`], answer.text);
    }
    const now = await me(ann);
    assert.notEqual(now.session_id, first.session_id);
    assert.deepEqual([now.subject, now.acr, now.scopes], ['op|ann', 'gold', first.scopes]);
    assert.ok(now.auth_time > Date.now() / 1000 - 60);
    const after = (await listed()).find((one) => one.id === now.session_id);
    assert.deepEqual([after.created_at, after.expires_at], [before.created_at, before.expires_at]);
    assert.equal((await gate.post('/auth/refresh', { body: { refreshToken: refresh } })).json().code, 'INVALID_REFRESH_TOKEN');
    assert.ok(claimsOf(ann.jar()[AT]).auth_time > 0);
    // Later it is too long ago again.
    await sessions.wait(200);
    assert.equal((await ann.one('/v1/recent', { headers: SCRIPT })).json().code, 'STEP_UP_REQUIRED');
    assert.equal((await ann.one('/v1/strong', { headers: SCRIPT })).status, 200);
    await sessions.wait(-200);
  });

  test('a provider that does not see to it: a page says so', async () => {
    const ann = await loggedIn();
    op.acr = 'bronze';
    // The provider's own session is as good as it is.
    ann.jars.delete(op.issuer);
    try {
      const page = await ann.go('/v1/strong');
      assert.ok(page.status >= 400, page.text);
      assert.match(page.text, /stronger login is needed/i);
    } finally {
      op.acr = 'gold';
    }
    assert.equal((await ann.one('/v1/posts', { headers: SCRIPT })).status, 200, 'the session is as it was');
  });

  test('another account, and another session, prove nothing', async () => {
    const ann = await loggedIn();
    const { person } = op;
    const first = await me(ann);
    ann.jars.delete(op.issuer);
    op.person = { ...person, accountId: 'eve' };
    try {
      const page = await ann.go('/v1/recent');
      assert.ok(page.status >= 400, page.text);
    } finally {
      op.person = person;
    }
    assert.equal((await me(ann)).session_id, first.session_id);
    // Begun in one session, come back in another.
    ann.jars.delete(op.issuer);
    const callback = await ann.toCallback('/v1/recent');
    await ann.go('/auth/login/op?return_to=/v1/posts');
    const second = await me(ann);
    const page = await ann.one(callback);
    assert.equal(page.status, 400, page.text);
    assert.equal((await me(ann)).session_id, second.session_id);
  });

  test('whoever is not logged in logs in, by any provider', async () => {
    const bob = new Visitor(gate, { name: 'gate' });
    const page = await bob.one((await bob.one('/v1/recent')).headers.location);
    assert.equal(page.status, 200);
    assert.ok(page.text.includes('/auth/login/other'));
  });
});
