// Classes of faults that others' sessions had, by their names, beside those that have a test where the feature is tested.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { SECRETS, freshIp, start } from './harness.mjs';
import { AT, Browser, RT, SAME_ORIGIN, Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';

const asBatch = { headers: { Authorization: `Basic ${btoa(`batch:${SECRETS.BATCH_CLIENT_SECRET}`)}` } };
const FAILURES = 5;

let gate;
let sessions;
let strict;
before(async () => {
  gate = await start([
    sessionWorker(),
    sessionWorker({ name: 'strict', policy: sessionPolicy({ failed_authentication: { requests: FAILURES, window_secs: 60 } }) }),
  ]);
  sessions = new Sessions(gate);
  strict = new Sessions(gate, 'strict');
});
after(() => gate?.dispose());

test('CVE-2026-45364, CVE-2026-47674: wrong secrets of a client are counted by network, however the address is spelled and whatever is forwarded', async () => {
  const block = randomUUID().slice(0, 4);
  const spellings = [`2001:db8:${block}::1`, `2001:0DB8:${block}:0:0:0:0:2`, `2001:db8:${block}:0::3`, `2001:DB8:${block}::0:4`, `2001:db8:${block}:0:ffff:ffff:ffff:ffff`];
  const ask = (ip, secret) => strict.form('/auth/token', { grant_type: 'client_credentials', client_id: 'batch', client_secret: secret }, {
    ip, headers: { 'X-Forwarded-For': freshIp(), Forwarded: `for=${freshIp()}`, 'X-Real-IP': freshIp() },
  });
  for (const ip of spellings) {
    const refused = await ask(ip, 'wrong');
    assert.deepEqual([refused.status, refused.json().error], [401, 'invalid_client'], ip);
  }
  assert.equal((await ask(`2001:db8:${block}::6`, SECRETS.BATCH_CLIENT_SECRET)).status, 429);
  assert.equal((await ask(`2001:db8:${block}:1::1`, SECRETS.BATCH_CLIENT_SECRET)).status, 200);
});

test('CVE-2026-47675: nothing that a caller or a back end says gets into Set-Cookie', async () => {
  const hostile = 'x; Domain=evil.example\r\nSet-Cookie: evil=1, y="\u0000';
  const shape = new RegExp(`^(?:${AT}|${RT})=[\\w.-]+; Path=/; Secure; HttpOnly; SameSite=Lax(?:; Max-Age=\\d+)?$`);
  let begun = 0;
  for (const wanted of [{ subject: hostile }, { label: hostile }, { claims: { name: hostile } }, { acr: hostile }, { amr: [hostile] }, { scopes: [hostile] }, { audience: [hostile] }]) {
    const answer = await sessions.admin('POST', '/sessions', { subject: `user-${freshIp()}`, scopes: ['read:posts'], ticket: true, ...wanted });
    if (answer.status !== 201) {
      assert.equal(answer.status, 400, answer.text);
      continue;
    }
    begun += 1;
    const browser = new Browser(sessions);
    const started = await sessions.post('/auth/session/start', { body: { ticket: answer.json().ticket }, headers: { ...SAME_ORIGIN, 'User-Agent': 'a; b=c' } });
    assert.equal(started.status, 200, started.text);
    browser.take(started);
    await sessions.wait(880);
    for (const set of [started, await browser.get('/v1/posts'), await browser.post('/auth/logout')]) {
      const lines = set.headers['set-cookie'] ?? [];
      assert.equal(lines.length, 2);
      for (const line of lines) assert.match(line.replace(/=; (.*); Max-Age=0$/, '=x; $1; Max-Age=0'), shape);
    }
  }
  assert.ok(begun > 0);
});

test('ory/oathkeeper 26.2.5: of many failures at once each keeps its own text', async () => {
  const failing = [
    ['REFRESH_MISSING', () => sessions.post('/auth/refresh', { body: {} }), /"Refresh token required"/],
    ['INVALID_REFRESH_TOKEN', () => sessions.refresh('edgegate_rt_forged'), /"code":"INVALID_REFRESH_TOKEN"/],
    ['unsupported_grant_type', () => sessions.form('/auth/token', { grant_type: 'password' }), /"error":"unsupported_grant_type"/],
    ['invalid_client', () => sessions.form('/auth/token', { grant_type: 'client_credentials', client_id: 'batch', client_secret: 'wrong' }), /"error":"invalid_client"/],
    ['invalid_scope', () => sessions.form('/auth/token', { grant_type: 'client_credentials', scope: 'admin' }, asBatch), /"error":"invalid_scope"/],
    ['CSRF_REFUSED', () => sessions.post('/auth/logout', { headers: { Cookie: `${AT}=x`, 'Sec-Fetch-Site': 'cross-site' } }), /"code":"CSRF_REFUSED"/],
    ['MISSING_CREDENTIALS', () => sessions.get('/auth/session'), /"code":"MISSING_CREDENTIALS"/],
    ['INVALID_TOKEN', () => sessions.get('/v1/posts', { token: 'a.b.c' }), /"code":"INVALID_TOKEN"/],
    ['NOT_FOUND', () => sessions.get('/nowhere/at/all'), /"code":"NOT_FOUND"|"code":"MISSING_CREDENTIALS"/],
  ];
  const many = Array.from({ length: 10 }, () => failing).flat();
  const answers = await Promise.all(many.map(([, ask]) => ask()));
  answers.forEach((answer, index) => assert.match(answer.text, many[index][2], many[index][0]));
});

test('better-auth PR 10065: whatever has a token in it, or tells of one, is stored by nobody', async () => {
  const opened = await sessions.admin('POST', '/sessions', { subject: `user-${freshIp()}`, scopes: ['read:posts'] });
  const { access_token: access, refresh_token: refreshToken } = opened.json();
  const ticket = await sessions.admin('POST', '/sessions', { subject: `user-${freshIp()}`, scopes: ['read:posts'], ticket: true });
  const browser = new Browser(sessions);
  const started = browser.take(await sessions.post('/auth/session/start', { body: { ticket: ticket.json().ticket }, headers: SAME_ORIGIN }));
  await sessions.wait(880);
  const answers = {
    opened,
    ticket,
    started,
    renewed: await browser.get('/v1/posts'),
    'renewed by hand': await browser.post('/auth/refresh'),
    refresh: await sessions.refresh(refreshToken),
    token: await sessions.form('/auth/token', { grant_type: 'client_credentials' }, asBatch),
    introspect: await sessions.form('/auth/introspect', { token: access }, asBatch),
    revoke: await sessions.form('/auth/revoke', { token: access }),
    session: await browser.get('/auth/session'),
    sessions: await browser.get('/auth/sessions'),
    'a refused refresh': await sessions.refresh('edgegate_rt_forged'),
    'a refused client': await sessions.form('/auth/token', { grant_type: 'client_credentials', client_id: 'batch', client_secret: 'wrong' }),
    logout: await browser.post('/auth/logout'),
  };
  for (const [name, answer] of Object.entries(answers)) assert.match(answer.headers['cache-control'] ?? '', /\bno-store\b/, `${name}: ${answer.status} ${answer.text}`);
  // What the cookie admits without a token in the answer is for one reader.
  const again = new Browser(sessions);
  again.take(await sessions.post('/auth/session/start', {
    body: { ticket: (await sessions.admin('POST', '/sessions', { subject: `user-${freshIp()}`, scopes: ['read:posts'], ticket: true })).json().ticket }, headers: SAME_ORIGIN,
  }));
  const plain = await again.get('/v1/posts');
  assert.match(plain.headers['cache-control'], /\b(?:private|no-store)\b/);
});
