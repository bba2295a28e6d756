// Sessions in cookies: they are renewed within requests, other sites' pages cannot use them, and logout ends them.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, beforeEach, test } from 'node:test';

import { admitted, freshIp, refused, start, token } from './harness.mjs';
import { AT, Browser, CROSS_SITE, RT, SAME_ORIGIN, Sessions, cookiesOf, sessionPolicy, sessionWorker } from './sessions.mjs';
import { claimsOf, nowSecs } from './token.mjs';

let gate;
let sessions;
let behind;
let upstream;
const seen = [];
let slow = async () => {};
before(async () => {
  upstream = http.createServer(async (request, response) => {
    seen.push(request);
    if (request.url.includes('fail')) return request.socket.destroy();
    if (request.url.includes('slow')) await slow();
    const cache = request.url.includes('public') ? 'public, s-maxage=60' : '';
    response.writeHead(200, { ...(cache && { 'Cache-Control': cache, 'CDN-Cache-Control': 'max-age=60' }), 'Set-Cookie': 'app=1' });
    response.end('hello');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => upstream.once('listening', resolve));
  const url = `http://127.0.0.1:${upstream.address().port}`;
  gate = await start([
    sessionWorker({ policy: sessionPolicy({}, { origins: ['https://app.example.com'] }) }),
    sessionWorker({ name: 'behind', policy: sessionPolicy({ upstream: url, identity: 'jwt', identity_audience: 'https://posts.example', cache: 'upstream' }) }),
  ]);
  sessions = new Sessions(gate);
  behind = new Sessions(gate, 'behind');
});
after(async () => {
  await gate.dispose();
  upstream.close();
});
beforeEach(() => sessions.test('broken?value=false'));

test('a ticket becomes cookies, once, on a page of this origin', async () => {
  const subject = `user-${freshIp()}`;
  const answer = await sessions.admin('POST', '/sessions', { subject, scopes: ['read:posts'], ticket: true });
  assert.equal(answer.status, 201, answer.text);
  const { ticket, ...rest } = answer.json();
  assert.deepEqual(rest, { expires_in: 60 });
  for (const headers of [CROSS_SITE, {}, { 'Sec-Fetch-Site': 'same-site' }, { Origin: 'null' }]) {
    refused(await sessions.post('/auth/session/start', { body: { ticket }, headers }), 'CSRF_REFUSED');
  }
  const started = await sessions.post('/auth/session/start', { body: { ticket }, headers: SAME_ORIGIN });
  assert.equal(started.status, 200, started.text);
  assert.doesNotMatch(started.text, /eyJ|edgegate_/);
  assert.match(started.headers['cache-control'], /no-store/);
  const set = started.headers['set-cookie'];
  assert.equal(set.length, 2);
  for (const line of set) assert.match(line, /^__Host-edgegate-[ar]t=[\w.-]+; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=604800$/);
  const browser = new Browser(sessions);
  browser.take(started);
  admitted(await browser.get('/v1/posts'), { subject });
  const again = await sessions.post('/auth/session/start', { body: { ticket }, headers: SAME_ORIGIN });
  assert.equal(again.json().code, 'INVALID_REFRESH_TOKEN');
  // The list shows the browser, not the back end.
  const list = (await sessions.admin('GET', `/sessions?subject=${subject}`)).json().sessions;
  assert.match(list[0].device.network, /^10\./);
});

test('a ticket ends after 60 s', async () => {
  const answer = await sessions.admin('POST', '/sessions', { subject: 'late', scopes: [], ticket: true });
  await sessions.wait(61);
  const late = await sessions.post('/auth/session/start', { body: { ticket: answer.json().ticket }, headers: SAME_ORIGIN });
  assert.equal(late.json().code, 'INVALID_REFRESH_TOKEN');
});

test('without remember the cookies go with the browser, and the session after a day', async () => {
  const answer = await sessions.admin('POST', '/sessions', { subject: 'short', scopes: [], ticket: true, remember: false });
  const started = await sessions.post('/auth/session/start', { body: { ticket: answer.json().ticket }, headers: SAME_ORIGIN });
  for (const line of started.headers['set-cookie']) assert.doesNotMatch(line, /Max-Age|Expires/);
});

test('20 requests at once at expiry: all admitted, all with cookies, one generation', async () => {
  const browser = await sessions.browser();
  await sessions.wait(901);
  const headers = { ...SAME_ORIGIN, Cookie: browser.cookie };
  const answers = await Promise.all(Array.from({ length: 20 }, () => sessions.get('/v1/posts', { headers })));
  for (const answer of answers) {
    admitted(answer);
    assert.match(answer.headers['cache-control'], /no-store/);
  }
  assert.equal(new Set(answers.map((answer) => cookiesOf(answer)[RT])).size, 1);
  assert.deepEqual([...new Set(answers.map((answer) => claimsOf(cookiesOf(answer)[AT])['edgegate:gen']))], [1]);
  browser.take(answers[0]);
  const next = await browser.get('/v1/posts');
  admitted(next);
  assert.equal(next.headers['set-cookie'], undefined);
});

test('near its end a session is renewed, before it is not', async () => {
  const browser = await sessions.browser();
  await sessions.wait(800);
  assert.equal((await browser.get('/v1/posts')).headers['set-cookie'], undefined);
  await sessions.wait(50);
  const renewed = await browser.get('/v1/posts');
  admitted(renewed);
  assert.equal(renewed.headers['set-cookie'].length, 2);
});

test('whoever follows a link from a mail is renewed too; an unsafe request of another site is refused', async () => {
  const browser = await sessions.browser({ scopes: ['read:posts', 'write:posts'] });
  await sessions.wait(1000);
  admitted(await browser.get('/v1/posts', { headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' } }));
  const post = (headers) => browser.request('POST', '/v1/posts', { headers });
  admitted(await post(SAME_ORIGIN));
  admitted(await post({ 'Sec-Fetch-Site': 'cross-site', Origin: 'https://app.example.com' }));
  admitted(await post({ Origin: 'https://api.example.com' }));
  for (const headers of [CROSS_SITE, {}, { Origin: 'null' }, { 'Sec-Fetch-Site': 'same-site' }, { Origin: 'https://api.example.com.evil.example' }, { 'Sec-Fetch-Mode': 'cors' }]) {
    refused(await post(headers), 'CSRF_REFUSED');
  }
  // A WebSocket is a GET, and every page may open one.
  refused(await browser.get('/v1/posts', { headers: { ...CROSS_SITE, Connection: 'Upgrade', Upgrade: 'websocket' } }), 'CSRF_REFUSED');
});

test('CSRF is refused before scopes are looked at, and before any object is asked', async () => {
  const browser = await sessions.browser();
  await sessions.wait(1000);
  const before = await sessions.counts();
  refused(await browser.post('/v1/posts', { headers: CROSS_SITE }), 'CSRF_REFUSED');
  assert.equal((await sessions.counts()).sessions, before.sessions);
});

test('a credential in a header decides alone', async () => {
  const browser = await sessions.browser();
  await sessions.wait(1000);
  const answer = await browser.post('/v1/posts', { token: token({ scope: 'write:posts', exp: nowSecs() + sessions.ahead / 1000 + 600 }), headers: {} });
  admitted(answer, { subject: 'alice' });
  assert.equal(answer.headers['set-cookie'], undefined);
  // A native app with a stray cookie.
  const opened = await sessions.open();
  const refreshed = await browser.request('POST', '/auth/refresh', { body: { refreshToken: opened.refresh_token }, headers: {} });
  assert.equal(refreshed.status, 200, refreshed.text);
  assert.equal(refreshed.headers['set-cookie'], undefined);
});

test('/refresh by cookie: cookies out, no token in the body', async () => {
  const browser = await sessions.browser();
  refused(await browser.post('/auth/refresh', { headers: CROSS_SITE }), 'CSRF_REFUSED');
  const answer = await browser.post('/auth/refresh');
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(Object.keys(answer.json()), ['expiresIn']);
  assert.equal(answer.headers['set-cookie'].length, 2);
});

test('two cookies of one name are refused', async () => {
  const browser = await sessions.browser();
  for (const extra of [`${AT}=x`, `${RT}=x`, `__Host-edgegate_at=x`]) {
    const answer = await sessions.get('/v1/posts', { headers: { ...SAME_ORIGIN, Cookie: `${browser.cookie}; ${extra}` } });
    assert.equal(answer.json().code, 'MULTIPLE_CREDENTIALS');
  }
});

test('better-auth PR 9991: logout is a POST of this origin; it takes the cookies out and ends the session', async () => {
  const browser = await sessions.browser();
  const cookie = browser.cookie;
  refused(await browser.get('/auth/logout'), 'METHOD_NOT_ALLOWED');
  refused(await browser.post('/auth/logout', { headers: CROSS_SITE }), 'CSRF_REFUSED');
  const answer = await browser.post('/auth/logout');
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['clear-site-data'], '"cache"');
  for (const line of answer.headers['set-cookie']) assert.match(line, /^__Host-edgegate-[ar]t=; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=0$/);
  const stale = await sessions.get('/v1/posts', { headers: { ...SAME_ORIGIN, Cookie: cookie } });
  assert.equal(stale.json().code, 'INVALID_REFRESH_TOKEN', stale.text);
  assert.deepEqual(cookiesOf(stale), { [AT]: '', [RT]: '' });
  await sessions.wait(1000);
  const renewed = await sessions.get('/v1/posts', { headers: { ...SAME_ORIGIN, Cookie: cookie } });
  assert.equal(renewed.json().code, 'INVALID_REFRESH_TOKEN');
  // This isolate knows it, so no object is asked again.
  const before = await sessions.counts();
  for (let i = 0; i < 5; i += 1) await sessions.get('/v1/posts', { headers: { ...SAME_ORIGIN, Cookie: cookie } });
  assert.equal((await sessions.counts()).sessions, before.sessions);
});

test('CVE-2025-12390: a log-in ends the session that the browser had', async () => {
  const browser = await sessions.browser();
  const old = browser.jar[AT];
  const answer = await sessions.admin('POST', '/sessions', { subject: 'other', scopes: ['read:posts'], ticket: true });
  await browser.post('/auth/session/start', { body: { ticket: answer.json().ticket } });
  admitted(await browser.get('/v1/posts'), { subject: 'other' });
  refused(await sessions.get('/v1/posts', { token: old }), 'TOKEN_REVOKED');
});

test('a store that does not answer takes no cookies, and a renewal in time is given up', async () => {
  const browser = await sessions.browser();
  await sessions.wait(850);
  await sessions.test('broken?value=true');
  const soon = await browser.get('/v1/posts');
  admitted(soon);
  assert.equal(soon.headers['set-cookie'], undefined);
  // The gate's own tokens are good for a minute more: clocks of isolates differ.
  await sessions.wait(120);
  const late = await browser.get('/v1/posts');
  refused(late, 'STORE_UNAVAILABLE');
  assert.equal(late.headers['set-cookie'], undefined);
  await sessions.test('broken?value=false');
  admitted(await browser.get('/v1/posts'));
});

test('a renewal that takes too long is given up while the access token holds, and loses nothing', async () => {
  const browser = await sessions.browser();
  await sessions.wait(850);
  await sessions.test('slow?value=1500');
  const soon = await browser.get('/v1/posts');
  await sessions.test('slow?value=0');
  admitted(soon);
  assert.equal(soon.headers['set-cookie'], undefined);
  // The object makes the step all the same, and the browser gets the same generation.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const next = await browser.get('/v1/posts');
  admitted(next);
  assert.equal(claimsOf(cookiesOf(next)[AT])['edgegate:gen'], 1);
});

test('a cookie that was on its way is refused, ends nothing and takes nothing; later it is a copy', async () => {
  const browser = await sessions.browser();
  const stale = browser.cookie;
  await sessions.wait(901);
  await browser.get('/v1/posts');
  await sessions.wait(40);
  admitted(await browser.get('/v1/posts'));
  const straggle = () => sessions.post('/auth/refresh', { headers: { ...SAME_ORIGIN, Cookie: stale } });
  let straggler;
  for (let tries = 0; tries < 50; tries += 1) {
    straggler = await straggle();
    if (straggler.status === 401) break;
    // Its use is reported after the answer.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(straggler.json().code, 'INVALID_REFRESH_TOKEN', straggler.text);
  assert.equal(straggler.headers['set-cookie'], undefined);
  admitted(await browser.get('/v1/posts'));
  await sessions.wait(160);
  const copy = await straggle();
  assert.deepEqual(cookiesOf(copy), { [AT]: '', [RT]: '' });
  const owner = await browser.get('/v1/posts');
  assert.equal(owner.status, 401);
});

test('half a pair confirms nothing: the page with an older rt is renewed, not shut out', async () => {
  const browser = await sessions.browser();
  const rt = browser.jar[RT];
  await sessions.wait(901);
  await browser.get('/v1/posts');
  const half = `${AT}=${browser.jar[AT]}; ${RT}=${rt}`;
  await sessions.wait(40);
  admitted(await sessions.get('/v1/posts', { headers: { ...SAME_ORIGIN, Cookie: half } }));
  await sessions.wait(901);
  const next = await sessions.get('/v1/posts', { headers: { ...SAME_ORIGIN, Cookie: half } });
  admitted(next);
});

test('behind the gate: no cookie of the gate, private answers, a signed identity', async () => {
  const browser = await behind.browser();
  const answer = await behind.get('/v1/posts?public', { headers: { ...SAME_ORIGIN, Cookie: `a=1; ${browser.cookie}; b=2`, 'X-Auth-Token': 'mine' } });
  assert.equal(answer.status, 200, answer.text);
  const request = seen.at(-1);
  assert.equal(request.headers.cookie, 'a=1; b=2');
  assert.equal(request.headers.authorization, undefined);
  assert.equal(answer.headers['cache-control'], 'private');
  assert.equal(answer.headers['cdn-cache-control'], undefined);
  assert.match(answer.headers.vary, /Cookie/);
  const identity = request.headers['x-auth-token'];
  const claims = claimsOf(identity);
  assert.equal(claims.aud, 'https://posts.example');
  assert.equal(claims.exp - claims.iat, 60);
  assert.equal(JSON.parse(Buffer.from(identity.split('.')[0], 'base64url')).typ, 'edgegate-id+jwt');
  // A caller with this cookie counts as anonymous here.
  assert.equal((await behind.get('/v1/posts', { token: identity })).status, 401);
  await behind.wait(1000);
  const renewed = await browser.get('/v1/posts?public');
  assert.equal(renewed.headers['cache-control'], 'private, no-store');
  assert.equal(renewed.headers['set-cookie'].length, 3);
  admittedCookie(renewed, 'app', '1');
});

function admittedCookie(answer, name, value) {
  assert.equal(cookiesOf(answer)[name], value);
}

test('an answer that begins late sets no cookies: the browser may have newer ones', async () => {
  const browser = await behind.browser();
  await behind.wait(1000);
  const before = browser.cookie;
  slow = async () => behind.wait(31);
  const late = await behind.get('/v1/posts?slow', { headers: { ...SAME_ORIGIN, Cookie: before } });
  assert.equal(late.status, 200, late.text);
  assert.deepEqual(cookiesOf(late), { app: '1' });
  assert.equal(late.headers['cache-control'], 'private');
  // Nothing is lost: the next request gets the same generation.
  const next = await behind.get('/v1/posts', { headers: { ...SAME_ORIGIN, Cookie: before } });
  assert.equal(claimsOf(cookiesOf(next)[AT])['edgegate:gen'], 1);
  // An answer of a session that was ended meanwhile does not either.
  await behind.wait(1000);
  browser.take(next);
  slow = async () => assert.equal((await behind.post('/auth/logout', { headers: { ...SAME_ORIGIN, Cookie: browser.cookie } })).status, 200);
  const ended = await behind.get('/v1/posts?slow', { headers: { ...SAME_ORIGIN, Cookie: browser.cookie } });
  assert.deepEqual(cookiesOf(ended), { app: '1' });
});

test('an upstream that fails is answered with the cookies all the same', async () => {
  const browser = await behind.browser();
  await behind.wait(1000);
  const failed = await browser.get('/v1/posts?fail');
  assert.equal(failed.status, 502, failed.text);
  assert.equal(failed.headers['set-cookie'].length, 2);
});

test('forward-auth answers each cookie in a header of its own', async () => {
  const browser = await sessions.browser();
  await sessions.wait(1000);
  const asked = { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/v1/posts', 'X-Gate-Client-IP': freshIp() };
  const answer = await sessions.get('/auth/verify', { headers: { ...SAME_ORIGIN, ...asked, Cookie: browser.cookie } });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers['x-auth-set-cookie-1'], new RegExp(`^${AT}=`));
  assert.match(answer.headers['x-auth-set-cookie-2'], new RegExp(`^${RT}=`));
  assert.equal(answer.headers['x-auth-subject'].startsWith('user-'), true);
  const post = { ...asked, 'X-Forwarded-Method': 'POST' };
  refused(await sessions.get('/auth/verify', { headers: { ...CROSS_SITE, ...post, Cookie: browser.cookie } }), 'CSRF_REFUSED');
});

