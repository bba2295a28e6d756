// Logins in the npm package: a real provider, through each framework, over memory and over a real Redis.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { EdgegateError, createGate, memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { BINDING, LOGIN_SECRETS, Op, PAGE, Visitor, loginPolicy, provider } from '../worker/login.mjs';
import { AT, RT } from '../worker/sessions.mjs';
import { Browser } from '../login/browser.mjs';
import { startProvider } from '../support/providers/index.mjs';
import { refusalOf } from './support.mjs';
import { SERVED, startApplication } from './login.mjs';
import { CLIENTS, startRedis } from './redis-server.mjs';

let op;
before(async () => { op = await new Op().start(); });
after(() => op?.stop());

/** A name by which browsers know the application. */
const NAMED = 'https://api.example.com';
const FORM = { ...PAGE, 'Content-Type': 'application/x-www-form-urlencoded', 'Sec-Fetch-Site': 'same-origin' };
const SCRIPT = { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Site': 'same-origin' };

async function started(t, served = SERVED.express, { providers = [provider(op)], ...options } = {}) {
  const application = await startApplication(served, providers, options);
  t.after(() => application.close());
  for (const id of ['op', 'other']) op.redirectUris.push(`${application.origin}/auth/callback/${id}`);
  op.logoutUris.push(`${application.origin}/auth/logged-out`);
  // The provider reads its clients anew.
  op.rotate();
  return application;
}

for (const [name, served] of Object.entries(SERVED)) {
  describe(`by ${name}`, () => {
    test('a page is sent to log in, comes back to what it asked for, and logs out at the provider too', async (t) => {
      const application = await started(t, served);
      const ann = new Visitor(application);
      const answer = await ann.go('/v1/posts?page=2&q=%C3%A4');
      assert.equal(answer.status, 200, `${answer.text}\n${ann.trail.join('\n')}`);
      assert.equal(answer.url, `${application.origin}/v1/posts?page=2&q=%C3%A4`);
      assert.deepEqual(JSON.parse(answer.text), { subject: 'op|ann' });
      assert.deepEqual(Object.keys(ann.jar()).sort(), [AT, BINDING, RT].sort());

      const asked = await ann.one('/auth/logout?return_to=%2Fv1%2Fposts');
      assert.equal(asked.status, 200, asked.text);
      assert.match(asked.text, /<form method="post" action="\/auth\/logout">[^]*name="return_to" value="\/v1\/posts"/);
      assert.equal((await ann.one('/auth/logout', { headers: { Accept: 'application/json' } })).status, 405);
      const away = await ann.one('/auth/logout', { method: 'POST', headers: FORM, body: 'return_to=%2Fv1%2Fposts' });
      assert.equal(away.status, 303, away.text);
      assert.equal(new URL(away.headers.location).origin, op.issuer);
      assert.equal(ann.jar()[RT], undefined);
      const back = await ann.one('/auth/logged-out?state=%2Fv1%2Fposts');
      assert.deepEqual([back.status, back.headers.location], [303, '/v1/posts']);
      assert.match((await ann.one('/auth/logged-out')).text, /You are logged out/);
    });

    test('an answer that comes by a form of another site becomes a navigation; the client signs its secret', async (t) => {
      const apple = await startProvider('apple', { client: { redirectUris: [`${NAMED}/auth/callback/apple`] } });
      t.after(() => apple.close());
      const { client, issuer } = apple;
      const entry = {
        id: 'apple', type: 'apple', issuer, client_id: client.id, team_id: client.teamId, key_id: client.keyId, private_key: 'APPLE_KEY',
        allow_http: true, scopes: { default: ['read:posts'] },
      };
      const APPLE_KEY = client.privateKey.export({ format: 'pem', type: 'pkcs8' });
      const application = await started(t, served, { origin: NAMED, providers: [entry], secrets: { ...LOGIN_SECRETS, APPLE_KEY } });
      const tab = new Browser({ hosts: { [NAMED]: application.port() } }).tab();
      await tab.open(`${NAMED}/auth/login/apple?return_to=/v1/posts`);
      await tab.submit();
      assert.equal(tab.page.status, 200, `${tab.page.text}\n${JSON.stringify(application.events)}`);
      assert.equal(tab.url, `${NAMED}/v1/posts`);
      assert.equal(tab.trail[0].method, 'POST');
      assert.match(JSON.parse(tab.page.text).subject, /^apple\|/);
    });
  });
}

describe('whoever is not logged in', () => {
  test('is told where people log in, if a script asks; a page of another method is refused', async (t) => {
    const application = await started(t);
    const ann = new Visitor(application);
    const script = await ann.one('/v1/posts', { headers: SCRIPT });
    assert.deepEqual([script.status, script.json().code], [401, 'LOGIN_REQUIRED']);
    assert.equal(script.json().login_url, `${application.origin}/auth/login`);
    assert.equal((await ann.one('/v1/posts', { method: 'POST', headers: FORM })).status, 401);
    const page = await ann.one('/v1/posts');
    assert.deepEqual([page.status, page.headers.location], [303, `${application.origin}/auth/login?return_to=%2Fv1%2Fposts`]);
    assert.equal(page.headers['cache-control'], 'no-store');
  });

  test('is asked for Strict cookies by a page of this site first', async (t) => {
    const application = await started(t, SERVED.hono, { changes: { sessions: { same_site: 'Strict' } } });
    const ann = new Visitor(application);
    const page = await ann.one('/v1/posts?a=b', { headers: { ...PAGE, 'Sec-Fetch-Site': 'cross-site' } });
    assert.deepEqual([page.status, page.headers.refresh], [200, '0;url=/v1/posts?a=b']);
    assert.equal((await ann.one('/v1/posts?a=b', { headers: { ...PAGE, 'Sec-Fetch-Site': 'same-origin' } })).status, 303);
  });

  test('chooses where there are several providers', async (t) => {
    const application = await started(t, SERVED.fastify, { providers: [provider(op), provider(op, { id: 'other', title: 'Other' })] });
    const page = await new Visitor(application).one('/auth/login?return_to=/v1/posts');
    assert.equal(page.status, 200);
    for (const text of ['/auth/login/op', '/auth/login/other', 'value="/v1/posts"']) assert.ok(page.text.includes(text), text);
  });

  test('gets a decision with a code by gate.check, and the way as its answer', async (t) => {
    const { gate, origin } = await started(t);
    const decision = await gate.check({ method: 'GET', url: '/v1/posts', headers: PAGE });
    assert.deepEqual([decision.ok, decision.code, decision.status], [false, 'LOGIN_REQUIRED', 303]);
    assert.equal(decision.response().headers.get('location'), `${origin}/auth/login?return_to=%2Fv1%2Fposts`);
  });
});

describe('a callback', () => {
  test('counts once, in the browser that began it', async (t) => {
    const application = await started(t);
    const ann = new Visitor(application);
    const callback = await ann.toCallback('/auth/login/op?return_to=/v1/posts');
    const stranger = new Visitor(application);
    const elsewhere = await stranger.one(callback);
    assert.equal(elsewhere.status, 303);
    assert.equal(stranger.jar()[AT], undefined);
    const first = await ann.one(callback);
    assert.deepEqual([first.status, first.headers.location], [303, '/v1/posts']);
    const jar = { ...ann.jar() };
    const again = await ann.one(callback);
    assert.deepEqual([again.status, again.headers.location], [303, '/v1/posts']);
    assert.deepEqual(ann.jar(), jar);
    assert.equal(op.count('/token') > 0, true);
  });

  test('of a program gets the code, and the log has the reason', async (t) => {
    const { events, ...application } = await started(t);
    op.person = null;
    t.after(() => { op.person = { accountId: 'ann', email: 'ann@corp.example', email_verified: true, groups: ['staff'] }; });
    const ann = new Visitor(application);
    const callback = await ann.toCallback('/auth/login/op');
    const answer = await ann.one(callback, { headers: { Accept: 'application/json' } });
    assert.deepEqual([answer.status, answer.json().code], [403, 'NOT_ALLOWED']);
    assert.ok(events.some(({ event, reason, path }) => event === 'refused' && reason === 'login_declined' && path !== ''), JSON.stringify(events));
    const text = JSON.stringify(events);
    for (const secret of [new URL(callback).searchParams.get('state'), LOGIN_SECRETS.OP_CLIENT_SECRET]) assert.ok(!text.includes(secret));
  });

  test('of somebody on no list is 403, and no redirect', async (t) => {
    const application = await started(t, SERVED.express, { providers: [provider(op, { allow: { groups: ['nobody'] } })] });
    const ann = new Visitor(application);
    const answer = await ann.go('/auth/login/op?return_to=/v1/posts');
    assert.equal(answer.status, 403);
    assert.equal(ann.jar()[AT], undefined);
  });
});

describe('the provider', () => {
  test('is not followed to another place, and not waited for beyond its answer', async (t) => {
    const application = await started(t);
    let followed = 0;
    const { change } = op;
    t.after(() => { op.change = change; });
    op.change = (request) => {
      if (request.url === '/followed') followed += 1;
      return request.url.startsWith('/token') ? { status: 307, headers: { Location: `${op.issuer}/followed` }, body: '' } : undefined;
    };
    const ann = new Visitor(application);
    const moved = await ann.go('/auth/login/op?return_to=/v1/posts');
    assert.ok(moved.status >= 400, String(moved.status));
    op.change = (request) => (request.url.startsWith('/token') ? { status: 200, body: 'x'.repeat(70_000) } : undefined);
    const long = await ann.go('/auth/login/op?return_to=/v1/posts');
    assert.ok(long.status >= 400, String(long.status));
    assert.deepEqual([followed, ann.jar()[AT]], [0, undefined]);
    assert.ok(application.events.some(({ detail }) => detail?.includes('more than 65536 bytes')), JSON.stringify(application.events));
  });

  test('ends its sessions in the back, by the name of one or of a person, once for each token', async (t) => {
    const application = await started(t);
    op.backchannelUri = `${application.origin}/auth/backchannel-logout/op`;
    t.after(() => { op.backchannelUri = undefined; });
    op.rotate();
    const told = (claims) => application.request('POST', '/auth/backchannel-logout/op', {
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams(claims).toString(),
    });
    for (const [named, code] of [[() => ({ sid: op.sids.at(-1) }), 'TOKEN_REVOKED'], [() => ({ sub: 'ann' }), 'INVALID_REFRESH_TOKEN']]) {
      const ann = new Visitor(application);
      await ann.go('/auth/login/op?return_to=/v1/posts');
      assert.equal((await ann.one('/v1/posts', { headers: SCRIPT })).status, 200);
      const token = { logout_token: op.logoutToken(named()) };
      const first = await told(token);
      assert.deepEqual([first.status, first.headers['cache-control']], [200, 'no-store'], first.text);
      const refused = await ann.one('/v1/posts', { headers: SCRIPT });
      assert.deepEqual([refused.status, refused.json().code], [401, code]);
      const again = await told(token);
      assert.deepEqual([again.status, again.json().error], [400, 'invalid_request']);
    }
    assert.equal((await told({ logout_token: op.signed({ iss: op.issuer }) })).status, 400);
  });
});

describe('over a real Redis', () => {
  let redis;
  before(async () => { redis = await startRedis(); });
  after(() => redis?.stop());

  for (const kind of Object.keys(CLIENTS)) {
    test(`by ${kind}: a login begins in one process, ends in another, and ends once`, async (t) => {
      const { client, close } = await CLIENTS[kind](redis.port);
      t.after(close);
      const store = redisStore(client, { prefix: `${kind}:` });
      const stores = { sessions: store, revocation: store, keys: store, counters: store };
      const application = await started(t, SERVED.express, { stores });
      const ann = new Visitor(application);
      const callback = await ann.toCallback('/auth/login/op?return_to=/v1/posts');
      const url = callback.slice(application.origin.length);
      const headers = { ...PAGE, cookie: ann.cookie() };
      // Gates that remember nothing of each other: only Redis has the past.
      const policy = loginPolicy([provider(op)], { origin: application.origin });
      const gates = Array.from({ length: 8 }, () => createGate(policy, { secrets: LOGIN_SECRETS, stores }));
      const before = op.count('/token');
      const all = await Promise.all(gates.map((gate) => gate.handle({ method: 'GET', url, headers })));
      const opened = all.filter((answer) => answer.headers.some(([name, value]) => name === 'Set-Cookie' && value.startsWith(RT)));
      assert.equal(opened.length, 1, JSON.stringify(all));
      assert.equal(op.count('/token'), before + 1);
    });
  }
});

describe('a policy with logins', () => {
  const stores = () => ({ revocation: memoryStore(), keys: memoryStore(), counters: memoryStore() });

  test('wants a store that compares and swaps: a login counts once', () => {
    const policy = loginPolicy([provider(op)]);
    const { code, path } = refusalOf(() => createGate(policy, { secrets: LOGIN_SECRETS, stores: stores() }), EdgegateError);
    assert.deepEqual([code, path], ['CONFIG_ERROR', 'stores.sessions']);
    const { get, put, delete: remove, list } = memoryStore();
    const plain = { get, put, delete: remove, list };
    const refusal = refusalOf(() => createGate(policy, { secrets: LOGIN_SECRETS, stores: { ...stores(), sessions: plain } }), EdgegateError);
    assert.equal(refusal.path, 'stores.sessions');
    assert.match(refusal.message, /compareAndSet/);
  });

  test('wants the secrets of its providers', () => {
    const { OP_CLIENT_SECRET, ...others } = LOGIN_SECRETS;
    const refusal = refusalOf(() => createGate(loginPolicy([provider(op)]), { secrets: others, stores: { ...stores(), sessions: memoryStore() } }), EdgegateError);
    assert.equal(refusal.path, 'login.providers[0].client_secret');
    assert.ok(OP_CLIENT_SECRET);
  });
});
