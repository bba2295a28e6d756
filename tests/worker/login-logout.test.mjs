// Logouts of sessions that came of a login: at the gate, at the provider, and by the provider.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { start } from './harness.mjs';
import { LOGIN_SECRETS, Op, PAGE, Visitor, loginPolicy, provider } from './login.mjs';
import { AT, RT, Sessions, sessionWorker } from './sessions.mjs';
import { claimsOf } from './token.mjs';

let op;
let gate;

const worker = (name, fields = {}, changes) => sessionWorker({ name, policy: loginPolicy([provider(op, fields)], changes), secrets: LOGIN_SECRETS });

before(async () => {
  op = await new Op().start();
  gate = await start([
    worker('gate'),
    worker('ledger', {}, { revocation: { mode: 'ledger' } }),
    worker('cognito', { type: 'cognito' }),
  ], { secrets: LOGIN_SECRETS });
  for (const name of ['gate', 'ledger', 'cognito']) {
    const below = `http://127.0.0.1:${gate.port(name)}/auth`;
    op.redirectUris.push(`${below}/callback/op`);
    op.logoutUris.push(`${below}/logged-out`);
  }
  op.backchannelUri = `http://127.0.0.1:${gate.port('gate')}/auth/backchannel-logout/op`;
});

after(async () => {
  await gate?.dispose();
  await op?.stop();
});

const SCRIPT = { Accept: 'application/json', 'Content-Type': 'application/json', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Site': 'same-origin' };
const FORM = {
  Accept: 'text/html,*/*;q=0.8', 'Content-Type': 'application/x-www-form-urlencoded', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Site': 'same-origin',
};

const loggedIn = async (name = 'gate') => {
  const visitor = new Visitor(gate, { name });
  const answer = await visitor.go('/auth/login/op?return_to=/v1/posts');
  assert.equal(answer.status, 200, answer.text);
  return visitor;
};

/** Says yes on the provider's own page. Returns where that leads to. */
const confirm = async (visitor, url) => {
  const page = await visitor.one(url);
  assert.equal(page.status, 200, page.text);
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)[1];
  const action = /action="([^"]+)"/.exec(page.text)[1];
  const answer = await visitor.one(action, {
    method: 'POST', body: `xsrf=${xsrf}&logout=yes`, headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'text/html' },
  });
  assert.equal(answer.status, 303, answer.text);
  return answer.headers.location;
};

/** Tells the gate that something has ended. */
const tell = (name, fields, options = {}) => gate.post(options.path ?? '/auth/backchannel-logout/op', {
  gate: name, host: `127.0.0.1:${gate.port(name)}`, body: typeof fields === 'string' ? fields : new URLSearchParams(fields).toString(),
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
});

const refreshed = (name, token) => gate.post('/auth/refresh', { gate: name, body: { refreshToken: token } });

describe('a logout that goes on to the provider', () => {
  test('a script is told where', async () => {
    const ann = await loggedIn();
    const answer = await ann.one('/auth/logout', { method: 'POST', headers: SCRIPT, body: { return_to: '/v1/posts?bye' } });
    assert.equal(answer.status, 200, answer.text);
    const { ended, provider_logout_url: url } = answer.json();
    assert.equal(ended, 1);
    assert.equal(answer.headers['clear-site-data'], '"cache"');
    assert.deepEqual([ann.jar()[AT], ann.jar()[RT]], [undefined, undefined]);
    const { origin, searchParams } = new URL(url);
    assert.equal(origin, op.issuer);
    assert.deepEqual(Object.fromEntries(searchParams), {
      client_id: 'gate', post_logout_redirect_uri: `${ann.origin}/auth/logged-out`, state: '/v1/posts?bye',
    });
    const back = await confirm(ann, url);
    assert.equal((await ann.one(back)).headers.location, '/v1/posts?bye');
  });

  test('a form of a page goes there, and comes back', async () => {
    const ann = await loggedIn();
    const answer = await ann.one('/auth/logout', { method: 'POST', headers: FORM, body: 'return_to=%2Fv1%2Fposts' });
    assert.equal(answer.status, 303, answer.text);
    assert.equal(answer.text, '');
    assert.equal(new URL(answer.headers.location).origin, op.issuer);
    const back = await confirm(ann, answer.headers.location);
    const home = await ann.one(back);
    assert.deepEqual([home.status, home.headers.location], [303, '/v1/posts']);
    assert.equal((await ann.one('/auth/session', { headers: SCRIPT })).status, 401);
    // Who is not logged in any more goes back all the same, to no place but those that a login would.
    for (const [to, expected] of [['/v1/posts', '/v1/posts'], ['https://evil.example/', '/'], ['//evil.example', '/'], ['/auth/logout', '/']]) {
      const again = await ann.one('/auth/logout', { method: 'POST', headers: FORM, body: new URLSearchParams({ return_to: to }).toString() });
      assert.deepEqual([again.status, again.headers.location], [303, expected], to);
    }
    for (const state of ['https://evil.example/', '//evil.example', '/auth/login']) {
      assert.equal((await ann.one(`/auth/logged-out?state=${encodeURIComponent(state)}`)).headers.location, '/', state);
    }
  });

  test('not by a form of another site', async () => {
    const ann = await loggedIn();
    const answer = await ann.one('/auth/logout', { method: 'POST', headers: { ...FORM, 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' }, body: '' });
    assert.equal(answer.json().code, 'CSRF_REFUSED');
    assert.equal((await ann.one('/v1/posts', { headers: SCRIPT })).status, 200);
  });

  test('a session that came of no login ends here alone', async () => {
    const browser = await new Sessions(gate, 'gate').browser();
    const answer = await browser.post('/auth/logout', { host: `127.0.0.1:${gate.port('gate')}` });
    assert.deepEqual([answer.status, answer.json()], [200, { ended: 1 }]);
  });

  test('Cognito has a form of its own', async () => {
    const ann = await loggedIn('cognito');
    const answer = await ann.one('/auth/logout', { method: 'POST', headers: SCRIPT });
    const url = new URL(answer.json().provider_logout_url);
    assert.equal(`${url.origin}${url.pathname}`, `${op.issuer}/logout`);
    assert.deepEqual(Object.fromEntries(url.searchParams), { client_id: 'gate', logout_uri: `${ann.origin}/auth/logged-out` });
  });
});

describe('a page that asks', () => {
  test('a link leads to a form, and the form logs out', async () => {
    const ann = await loggedIn();
    const asked = await ann.one('/auth/logout?return_to=/v1/posts');
    assert.equal(asked.status, 200, asked.text);
    assert.match(asked.headers['content-type'], /^text\/html/);
    assert.deepEqual([asked.headers['cache-control'], asked.headers['x-frame-options'], asked.headers['set-cookie']], ['no-store', 'DENY', undefined]);
    assert.match(asked.text, /<form method="post" action="\/auth\/logout">/);
    assert.match(asked.text, /name="return_to" value="\/v1\/posts"/);
    assert.match(asked.text, /name="everywhere" value="true"/);
    assert.equal((await ann.one('/v1/posts', { headers: SCRIPT })).status, 200, 'a GET ends nothing');
    const answer = await ann.one('/auth/logout', { method: 'POST', headers: FORM, body: 'return_to=%2Fv1%2Fposts&everywhere=true' });
    assert.equal(answer.status, 303, answer.text);
    assert.deepEqual([ann.jar()[AT], ann.jar()[RT]], [undefined, undefined]);
  });

  test('it leads to no place but those that a login would', async () => {
    const visitor = new Visitor(gate, { name: 'gate' });
    for (const target of ['https://evil.example/', '//evil.example', '/auth/login', 'javascript:alert(1)', '%22%3E%3Cscript%3E']) {
      const { text } = await visitor.one(`/auth/logout?return_to=${target}`);
      assert.ok(!/return_to|evil|script/i.test(text), text);
    }
    assert.equal((await visitor.one('/auth/logout?return_to=/a&return_to=/b')).status, 200);
  });

  test('a script, and whoever asks otherwise, is refused as before', async () => {
    const ann = await loggedIn();
    for (const [method, headers] of [['GET', SCRIPT], ['GET', { Accept: 'application/json' }], ['GET', { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' }], ['HEAD', PAGE], ['DELETE', PAGE]]) {
      const answer = await ann.one('/auth/logout', { method, headers });
      assert.deepEqual([answer.status, answer.headers.allow], [405, 'POST'], method);
    }
    assert.equal((await ann.one('/v1/posts', { headers: SCRIPT })).status, 200);
  });

  test('without a place to return to a page says that it is done, and only if it is', async () => {
    const ann = await loggedIn();
    const still = await ann.go('/auth/logged-out');
    assert.match(still.url, /\/auth\/logout$/);
    assert.match(still.text, /<form method="post"/);
    const answer = await ann.one('/auth/logout', { method: 'POST', headers: FORM, body: '' });
    assert.equal(new URL(answer.headers.location).searchParams.get('state'), null);
    const back = await confirm(ann, answer.headers.location);
    const done = await ann.one(back);
    assert.equal(done.status, 200, done.text);
    assert.match(done.text, /<h1>You are logged out<\/h1>/);
    assert.match(done.text, /href="\/auth\/login"/);
    // Who has no session at a provider comes there at once.
    const other = await new Sessions(gate, 'gate').browser();
    const own = await other.post('/auth/logout', { host: `127.0.0.1:${gate.port('gate')}`, headers: FORM, body: '' });
    assert.deepEqual([own.status, own.headers.location, own.headers['clear-site-data']], [303, '/auth/logged-out', '"cache"']);
    assert.equal(other.cookie, '');
  });
});

describe('a logout by the provider', () => {
  test('ends the session of the browser that logs out there, and no other', async () => {
    const [ann, other] = [await loggedIn(), await loggedIn()];
    const token = ann.jar()[AT];
    assert.match(claimsOf(token)['edgegate:login'], /^[\w-]{22}$/);
    const { told } = op;
    const refresh = ann.jar()[RT];
    await confirm(ann, `${op.issuer}/session/end`);
    assert.deepEqual([op.told, op.notTold], [told + 1, []]);
    const script = await ann.one('/v1/posts', { headers: SCRIPT });
    assert.deepEqual([script.status, script.json().code], [401, 'TOKEN_REVOKED']);
    assert.equal((await gate.get('/v1/posts', { token })).json().code, 'TOKEN_REVOKED');
    const page = await ann.one('/v1/posts');
    assert.deepEqual([page.status, new URL(page.headers.location, ann.origin).pathname], [303, '/auth/login']);
    assert.equal((await refreshed('gate', refresh)).json().code, 'INVALID_REFRESH_TOKEN');
    assert.equal((await other.one('/v1/posts', { headers: SCRIPT })).status, 200);
    // The next login is a session of its own.
    assert.equal((await ann.go('/v1/posts')).status, 200);
  });

  for (const name of ['gate', 'ledger']) {
    test(`by sid: cookies are renewed no more (${name})`, async () => {
      const bob = await loggedIn(name);
      const [access, refresh] = [bob.jar()[AT], bob.jar()[RT]];
      // The same session at the provider as any token says that it signs.
      const sid = op.sids.at(-1);
      const answer = await tell(name, { logout_token: op.logoutToken({ sid }) });
      assert.deepEqual([answer.status, answer.text, answer.headers['cache-control']], [200, '', 'no-store']);
      assert.equal((await gate.get('/v1/posts', { gate: name, token: access })).json().code, 'TOKEN_REVOKED');
      delete bob.jar()[AT];
      const renewed = await bob.one('/v1/posts', { headers: SCRIPT });
      assert.equal(renewed.json().code, 'INVALID_REFRESH_TOKEN');
      assert.equal(bob.jar()[RT], undefined, 'and taken out');
      assert.equal((await refreshed(name, refresh)).json().code, 'INVALID_REFRESH_TOKEN');
    });
  }

  test('by sub alone: all sessions of a person, and of nobody else', async () => {
    const { person } = op;
    const browsers = [await loggedIn(), await loggedIn()];
    op.person = { ...person, accountId: 'eve' };
    const eve = await loggedIn();
    op.person = person;
    const answer = await tell('gate', { logout_token: op.logoutToken({ sub: 'ann' }) });
    assert.equal(answer.status, 200, answer.text);
    for (const browser of browsers) {
      assert.equal((await browser.one('/v1/posts', { headers: SCRIPT })).status, 401);
      assert.equal(browser.jar()[RT], undefined);
    }
    assert.equal((await eve.one('/v1/posts', { headers: SCRIPT })).status, 200);
  });

  test('once: the same token again is refused, and the next login stays', async () => {
    const token = op.logoutToken({ sub: 'ann' });
    assert.equal((await tell('gate', { logout_token: token })).status, 200);
    const ann = await loggedIn();
    const again = await tell('gate', { logout_token: token });
    assert.deepEqual([again.status, again.json().error], [400, 'invalid_request']);
    assert.equal((await ann.one('/v1/posts', { headers: SCRIPT })).status, 200);
  });

  test('anything else is refused, and nothing is asked of an object', async () => {
    const ann = await loggedIn();
    const sessions = new Sessions(gate, 'gate');
    const before = await sessions.counts();
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const all = { sub: 'ann', sid: op.sids.at(-1) };
    const now = Math.floor(Date.now() / 1000);
    for (const token of [
      op.logoutToken(all, { key: privateKey.export({ format: 'jwk' }) }), op.logoutToken({ ...all, aud: 'other' }), op.logoutToken({ ...all, iss: 'https://evil.example' }),
      op.logoutToken({ ...all, nonce: 'n' }), op.logoutToken({ ...all, events: {} }), op.logoutToken({ ...all, iat: now - 1000 }), op.logoutToken({ ...all, exp: now - 1000 }),
      op.logoutToken({ ...all, jti: undefined }), op.logoutToken(), op.logoutToken(all, { typ: 'at+jwt' }), ann.jar()[AT], 'a.b.c', '',
    ]) {
      const answer = await tell('gate', { logout_token: token });
      assert.deepEqual([answer.status, answer.json().error, answer.headers['cache-control']], [400, 'invalid_request', 'no-store'], token);
    }
    const good = op.logoutToken(all);
    assert.equal((await tell('gate', `logout_token=${good}&logout_token=${good}`)).status, 400);
    assert.equal((await tell('gate', '')).status, 400);
    assert.equal((await tell('gate', { logout_token: good }, { path: '/auth/backchannel-logout/nobody' })).status, 404);
    assert.equal((await gate.get('/auth/backchannel-logout/op')).status, 405);
    const after = await sessions.counts();
    assert.deepEqual([after.sessions, after.rows], [before.sessions, before.rows]);
    assert.equal((await ann.one('/v1/posts', { headers: SCRIPT })).status, 200);
  });
});

describe('somebody else in the same browser', () => {
  test('the session before ends, and the browser empties its cache', async () => {
    const { person } = op;
    const ann = await loggedIn();
    const refresh = ann.jar()[RT];
    const callback = async () => ann.one(await ann.toCallback('/auth/login/op?return_to=/v1/posts'));
    const same = await callback();
    assert.deepEqual([same.status, same.headers['clear-site-data']], [303, undefined]);
    // Another account at the provider too.
    ann.jars.delete(op.issuer);
    op.person = { ...person, accountId: 'eve' };
    const other = await callback();
    op.person = person;
    assert.deepEqual([other.status, other.headers['clear-site-data']], [303, '"cache"']);
    assert.equal((await ann.one('/auth/session', { headers: SCRIPT })).json().subject, 'op|eve');
    assert.equal((await refreshed('gate', refresh)).json().code, 'INVALID_REFRESH_TOKEN');
  });
});
