// Logins through the built Worker, with a real provider.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { freshIp, start } from './harness.mjs';
import { BINDING, CLIENT, LOGIN_SECRETS, Op, PAGE, Visitor, loginPolicy, provider } from './login.mjs';
import { AT, RT, Sessions, sessionWorker } from './sessions.mjs';

let op;
let gate;

const worker = (name, providers, changes) => sessionWorker({
  name, policy: loginPolicy(providers, changes), secrets: LOGIN_SECRETS,
});

before(async () => {
  op = await new Op().start();
  gate = await start([
    worker('gate', [provider(op)]),
    worker('two', [provider(op), provider(op, { id: 'other', title: 'Other' })]),
    worker('rules', [provider(op, {
      allow: { email_domains: ['corp.example'], groups: ['staff'] },
      scopes: { default: ['read:posts'], groups: { admins: ['write:posts'] } },
    })]),
    worker('strict', [provider(op)], { sessions: { same_site: 'Strict' } }),
    worker('named', [provider(op)], { origin: 'https://api.example.com' }),
  ], { secrets: LOGIN_SECRETS });
  for (const name of ['gate', 'two', 'rules', 'strict']) {
    for (const id of ['op', 'other']) op.redirectUris.push(`http://127.0.0.1:${gate.port(name)}/auth/callback/${id}`);
  }
});

after(async () => {
  await gate?.dispose();
  await op?.stop();
});

const visitor = (name = 'gate', options = {}) => new Visitor(gate, { name, ...options });
const stateOf = (url) => new URL(url).searchParams.get('state');

describe('a login', () => {
  test('goes to the provider and comes back with a session', async () => {
    const ann = visitor();
    const answer = await ann.go('/v1/posts?page=2');
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.url, `${ann.origin}/v1/posts?page=2`);
    assert.deepEqual(Object.keys(ann.jar()).sort(), [AT, BINDING, RT].sort());
    const me = (await ann.one('/auth/session')).json();
    assert.equal(me.subject, 'op|ann');
    assert.deepEqual(me.scopes, ['read:posts']);
  });

  test('is told to remember, or ends with the browser', async () => {
    const set = async (query) => {
      const ann = visitor();
      const callback = await ann.toCallback(`/auth/login/op?return_to=/v1/posts${query}`);
      const answer = await ann.one(callback);
      assert.equal(answer.status, 303, answer.text);
      return answer.headers['set-cookie'].filter((line) => line.startsWith('__Host-edgegate-')).map((line) => /Max-Age/i.test(line));
    };
    assert.deepEqual(await set('&remember=true'), [true, true]);
    assert.deepEqual(await set(''), [false, false]);
  });

  test('is Strict where the sessions are: a page of this site moves on', async () => {
    const ann = visitor('strict');
    const answer = await ann.go('/auth/login/op?return_to=/v1/posts');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.refresh, '0;url=/v1/posts');
    assert.ok(answer.headers['set-cookie'].every((line) => line.includes('SameSite=Strict')));
    assert.match(answer.headers['content-security-policy'], /default-src 'none'/);
    assert.equal((await ann.one('/v1/posts')).status, 200);
  });

  test('is not begun by a link of another site where the cookies are Strict: a page of this site asks for them first', async () => {
    const navigation = (site) => ({ ...PAGE, 'Sec-Fetch-Site': site });
    const stranger = visitor('strict');
    const page = await stranger.one('/v1/posts?page=2', { headers: navigation('cross-site') });
    assert.equal(page.status, 200, page.text);
    assert.equal(page.headers.refresh, '0;url=/v1/posts?page=2');
    assert.equal(page.headers['cache-control'], 'no-store');
    // Then it is told to log in, and not sent round in circles.
    const again = await stranger.one('/v1/posts?page=2', { headers: navigation('same-origin') });
    assert.equal(again.status, 303);
    assert.match(again.headers.location, /\/auth\/login\?return_to=/);
    // Where cookies are Lax they have come along, if there are any; and a script waits for no page.
    assert.equal((await visitor().one('/v1/posts', { headers: navigation('cross-site') })).status, 303);
    const script = { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Site': 'cross-site' };
    assert.equal((await stranger.one('/v1/posts', { headers: script })).status, 401);
  });

  test('asks which provider where there are several', async () => {
    const ann = visitor('two');
    const page = await ann.one('/auth/login?return_to=/v1/posts');
    assert.equal(page.status, 200);
    for (const text of ['/auth/login/op', '/auth/login/other', 'Example', 'Other', 'value="/v1/posts"']) assert.ok(page.text.includes(text), text);
    const evil = await ann.one('/auth/login?return_to=https://evil.example/');
    assert.ok(!evil.text.includes('evil.example'));
    assert.equal((await ann.go('/auth/login/other?return_to=/v1/posts')).url, `${ann.origin}/v1/posts`);
    assert.equal((await ann.one('/auth/session')).json().subject, 'other|ann');
  });

  test('ends the session that this browser had, and leaves its cookie of logins', async () => {
    const ann = visitor();
    await ann.go('/auth/login/op?return_to=/v1/posts');
    const [first, binding] = [ann.jar()[RT], ann.jar()[BINDING]];
    // A login that began in the same second would be another tab's.
    await new Promise((resolve) => { setTimeout(resolve, 1001); });
    await ann.go('/auth/login/op?return_to=/v1/posts');
    assert.notEqual(ann.jar()[RT], first);
    assert.equal(ann.jar()[BINDING], binding);
    const old = await gate.post('/auth/refresh', { body: { refreshToken: first } });
    assert.equal(old.json().code, 'INVALID_REFRESH_TOKEN');
  });

  test('goes on with another key of the provider', async () => {
    const ann = visitor();
    const callback = await ann.toCallback('/auth/login/op?return_to=/v1/posts');
    op.rotate();
    // The code went with the old keys' memory: a new attempt, signed by the new key.
    const answer = await ann.go(callback);
    assert.equal(answer.url, `${ann.origin}/v1/posts`, `${answer.status} ${answer.text}`);
    assert.equal(answer.status, 200);
  });
});

describe('who waits for the answer', () => {
  test('a page is sent to log in, and back', async () => {
    const answer = await visitor().one('/v1/posts?a=b&c=%2Fd');
    assert.equal(answer.status, 303);
    const { pathname, searchParams } = new URL(answer.headers.location);
    assert.equal(pathname, '/auth/login');
    assert.equal(searchParams.get('return_to'), '/v1/posts?a=b&c=%2Fd');
    assert.equal(answer.headers['cache-control'], 'no-store');
  });

  test('a page that a service worker has passed on is a page, whatever the browser calls it', async () => {
    for (const mode of ['navigate', 'same-origin']) {
      const headers = { Accept: 'text/html,*/*;q=0.8', 'Sec-Fetch-Mode': mode, 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Site': 'same-origin' };
      assert.equal((await visitor().one('/v1/posts', { headers })).status, 303, mode);
    }
  });

  test('a script is told where people log in', async () => {
    const ann = visitor();
    const script = { Accept: '*/*', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Site': 'same-origin' };
    for (const [method, headers] of [['GET', script], ['POST', { ...script, 'Sec-Fetch-Mode': 'navigate' }], ['GET', {}]]) {
      const answer = await ann.one('/v1/posts', { method, headers });
      assert.equal(answer.status, 401, method);
      const { code, login_url: url } = answer.json();
      assert.deepEqual([code, url], ['LOGIN_REQUIRED', `${ann.origin}/auth/login`]);
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="edgegate"');
    }
  });

  test('an origin comes from the policy, or from loopback, and never from Host', async () => {
    const named = await gate.get('/v1/posts', { gate: 'named', host: 'evil.example' });
    assert.equal(named.json().login_url, 'https://api.example.com/auth/login');
    const redirect = new URL((await gate.get('/auth/login/op', { gate: 'named', host: 'evil.example' })).headers.location);
    assert.equal(redirect.searchParams.get('redirect_uri'), 'https://api.example.com/auth/callback/op');
    const unnamed = await gate.get('/auth/login/op', { host: 'evil.example' });
    assert.deepEqual([unnamed.status, unnamed.json().code], [500, 'CONFIG_ERROR']);
  });
});

describe('a browser without a good attempt', () => {
  test('has any number of tabs, which do not disturb each other', async () => {
    const ann = visitor();
    const callbacks = [];
    for (let tab = 0; tab < 5; tab += 1) callbacks.push(await ann.toCallback(`/auth/login/op?return_to=/v1/posts?tab=${tab}`));
    for (const [tab, callback] of [...callbacks.entries()].reverse()) {
      assert.equal((await ann.go(callback)).url, `${ann.origin}/v1/posts?tab=${tab}`);
    }
    assert.deepEqual(Object.keys(ann.jar()).sort(), [AT, BINDING, RT].sort());
  });

  test('that asks for a callback again is logged in, and goes on', async () => {
    const ann = visitor();
    const callback = await ann.toCallback('/auth/login/op?return_to=/v1/posts?x=1');
    const first = await ann.one(callback);
    const [at, asked] = [ann.jar()[AT], op.count('/token')];
    const again = await ann.one(callback);
    assert.deepEqual([first.status, again.status, again.headers.location], [303, 303, '/v1/posts?x=1']);
    assert.equal(ann.jar()[AT], at, 'the session is the same');
    assert.equal(op.count('/token'), asked, 'a code is redeemed once');
  });

  test('that has lost its cookies begins again, once, without a word', async () => {
    const ann = visitor();
    const callback = await ann.toCallback('/auth/login/op?return_to=/v1/posts?x=2');
    ann.jars.delete(ann.origin);
    assert.equal((await ann.go(callback)).url, `${ann.origin}/v1/posts?x=2`);
    // A browser that keeps no cookie at all gets a page with a way on.
    const bob = visitor();
    const first = await bob.toCallback('/auth/login/op?return_to=/v1/posts');
    bob.jars.delete(bob.origin);
    const retried = await bob.one(first);
    assert.equal(retried.status, 303);
    const second = await bob.toCallback(retried.headers.location);
    bob.jars.delete(bob.origin);
    const page = await bob.one(second);
    assert.equal(page.status, 400);
    assert.ok(page.text.includes('href="/auth/login/op?return_to=%2Fv1%2Fposts"'), page.text);
    assert.equal(page.headers['cache-control'], 'no-store');
  });

  test('is not logged in by the callback of another, nor sent where that one wanted', async () => {
    const mallory = visitor();
    const planted = await mallory.toCallback('/auth/login/op?return_to=/v1/posts?planted');
    const ann = visitor();
    await ann.toCallback('/auth/login/op');
    const asked = op.count('/token');
    const answer = await ann.one(planted);
    assert.equal(answer.status, 303);
    assert.equal(new URL(answer.headers.location).origin, op.issuer, 'it begins a login of its own');
    assert.equal(op.count('/token'), asked, 'the planted code is not redeemed');
    assert.equal(ann.jar()[AT], undefined);
    assert.equal((await ann.go(answer.headers.location)).url, `${ann.origin}/`);
  });
});

describe('what is refused', () => {
  const stopped = async (ann, url, status, reason, options) => {
    const answer = await ann.one(url, options);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.headers['content-type'], /text\/html/);
    assert.ok(answer.text.includes(reason), `${reason}: ${answer.text}`);
    assert.equal(ann.jar()[AT], undefined);
    return answer;
  };

  test('parameters twice, none, both; a state that is none', async () => {
    const ann = visitor();
    const callback = await ann.toCallback('/auth/login/op');
    const state = stateOf(callback);
    for (const query of [
      `code=a&code=b&state=${state}`, `code=a&state=${state}&state=${state}`, `code=a&error=access_denied&state=${state}`, `state=${state}`,
      'code=a', 'code=a&state=', `code=a&state=${'a'.repeat(5000)}`, `code=a&state=1.AAAA`, `code=%ff&state=${state}`, `code=a%0d%0ab&state=${state}`,
      `code=a&state=${state.slice(0, -2)}AA`, `code=a&state=0${state}`, 'code=a&state=1.', `sealed=1.AAAA`, 'sealed=x&sealed=y',
    ]) {
      await stopped(ann, `/auth/callback/op?${query}`, 400, 'login_interrupted');
    }
    assert.equal((await gate.get('/auth/callback/op?code=a', { host: new URL(ann.origin).host })).json().code, 'INVALID_REQUEST', 'a program gets JSON');
  });

  test('the answer of another provider, or with another iss', async () => {
    const ann = visitor('two');
    const callback = new URL(await ann.toCallback('/auth/login/op'));
    await stopped(ann, `/auth/callback/other${callback.search}`, 400, 'login_interrupted');
    for (const iss of ['https://evil.example', `${op.issuer}/`, '']) {
      const changed = new URL(callback);
      changed.searchParams.set('iss', iss);
      await stopped(ann, changed.href, 400, 'login_interrupted');
    }
    assert.equal((await ann.go(callback.href)).url, `${ann.origin}/`);
  });

  test('a person who says no, in plain words', async () => {
    const { person } = op;
    op.person = null;
    try {
      const ann = visitor();
      const page = await ann.go('/auth/login/op?return_to=/v1/posts');
      assert.equal(page.status, 403);
      assert.ok(page.text.includes('href="/auth/login/op?return_to=%2Fv1%2Fposts"'));
      assert.ok(!page.text.includes('the person said no'), 'words of the provider are not shown');
    } finally {
      op.person = person;
    }
  });

  test('a provider that is down: the button leads to where the login wanted', async () => {
    op.change = (request) => (request.url.startsWith('/token') ? { status: 503, body: '{}' } : undefined);
    try {
      const page = await visitor().go('/auth/login/op?return_to=/v1/posts');
      assert.ok(page.text.includes('href="/auth/login/op?return_to=%2Fv1%2Fposts"'), page.text);
    } finally {
      op.change = undefined;
    }
  });

  test('whoever is on no list: 403, and no way round in circles', async () => {
    const { person } = op;
    try {
      for (const [changes, allowed] of [
        [{}, true], [{ groups: ['staff', 'admins'] }, true], [{ email: 'ann@evil.example' }, false],
        [{ email_verified: false }, false], [{ groups: ['others'] }, false], [{ email: 'ann@corp.example@evil.example' }, false],
      ]) {
        op.person = { ...person, ...changes };
        const ann = visitor('rules');
        const answer = await ann.go('/auth/login/op?return_to=/v1/posts');
        assert.equal(answer.status, allowed ? 200 : 403, `${JSON.stringify(changes)} ${answer.text}`);
        if (!allowed) assert.ok(answer.text.includes('login_not_allowed'));
        const scopes = changes.groups?.includes('admins') ? ['read:posts', 'write:posts'] : ['read:posts'];
        if (allowed) assert.deepEqual((await ann.one('/auth/session')).json().scopes, scopes);
        else assert.equal(ann.jar()[AT], undefined);
      }
    } finally {
      op.person = person;
    }
  });

  test('codes that are made up: ten of an address reach the provider in five minutes', async () => {
    const mallory = visitor();
    const asked = op.count('/token');
    for (let attempt = 0; attempt < 12; attempt += 1) {
      const location = (await mallory.one('/auth/login/op')).headers.location;
      const answer = await mallory.one(`/auth/callback/op?code=guessed&state=${stateOf(location)}&iss=${encodeURIComponent(op.issuer)}`);
      assert.equal(answer.status, attempt < 10 ? 303 : 429, `${attempt}: ${answer.text}`);
      if (attempt >= 10) assert.ok(Number(answer.headers['retry-after']) > 0);
    }
    assert.equal(op.count('/token') - asked, 10);
    const ann = visitor();
    assert.equal((await ann.go('/auth/login/op?return_to=/v1/posts')).status, 200, 'others log in');
  });

  test('other methods, other paths', async () => {
    assert.equal((await gate.post('/auth/login')).json().code, 'METHOD_NOT_ALLOWED');
    assert.equal((await gate.get('/auth/login/nobody')).json().code, 'NOT_FOUND');
    assert.equal((await gate.get('/auth/callback/nobody?code=a&state=1.a')).json().code, 'NOT_FOUND');
  });
});

describe('a provider that answers by a form', () => {
  test('comes back as a navigation of this site, once and for a minute', async () => {
    const ann = visitor();
    const callback = new URL(await ann.toCallback('/auth/login/op?return_to=/v1/posts'));
    // A form of another site brings no Lax cookie.
    const stranger = visitor();
    const posted = await stranger.one('/auth/callback/op', {
      method: 'POST', body: callback.searchParams.toString(),
      headers: { Accept: 'text/html', 'Content-Type': 'application/x-www-form-urlencoded', Origin: op.issuer, 'Sec-Fetch-Site': 'cross-site' },
    });
    assert.equal(posted.status, 303);
    assert.equal(posted.headers['set-cookie'], undefined);
    const { location } = posted.headers;
    assert.match(location, /^\/auth\/callback\/op\?sealed=1\.[\w-]+$/);
    assert.ok(!location.includes(callback.searchParams.get('code')));
    assert.equal((await ann.go(location)).url, `${ann.origin}/v1/posts`);
  });
});

describe('what strangers can cause', () => {
  test('any number of logins begun: nothing is written, and cookies stay as they are', async () => {
    const sessions = new Sessions(gate, 'gate');
    const before = await sessions.counts();
    const ann = visitor();
    await ann.one('/auth/login/op');
    const cookie = ann.cookie(ann.origin);
    assert.ok(Buffer.byteLength(cookie) <= 60, cookie);
    const asked = op.requests.length;
    const total = Number(process.env.EDGEGATE_BEGINS ?? 500);
    for (let begun = 0; begun < total; begun += 50) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => gate.get('/auth/login/op', { host: new URL(ann.origin).host, headers: { Cookie: cookie } })));
      for (const answer of answers) {
        assert.equal(answer.status, 303);
        assert.equal(answer.headers['set-cookie'], undefined);
      }
    }
    const after = await sessions.counts();
    assert.deepEqual([after.sessions, after.rows], [before.sessions, before.rows]);
    assert.equal(op.requests.length, asked, 'the provider is not asked either');
  });

  test('services behind the gate get none of its cookies', async () => {
    const ann = visitor();
    await ann.go('/auth/login/op?return_to=/v1/posts');
    assert.ok(ann.jar()[BINDING]);
  });
});

test('no log line holds a code, a token, a secret or a state', async () => {
  const lines = gate.output.lines.join('\n');
  for (const secret of [CLIENT.secret, LOGIN_SECRETS.SESSION_SECRET]) assert.ok(!lines.includes(secret));
  assert.ok(!/code=|state=|sealed=/.test(lines));
});
