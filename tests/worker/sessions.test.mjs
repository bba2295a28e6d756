// Sessions: opened, renewed and ended by the gate.

import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';

import { AUDIENCE, SECRETS, admitted, freshIp, refused, start, token } from './harness.mjs';
import { GATE, Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';
import { claimsOf, nowSecs } from './token.mjs';

let gate;
let sessions;
before(async () => {
  gate = await start([sessionWorker()]);
  sessions = new Sessions(gate);
});
after(() => gate.dispose());
beforeEach(() => sessions.test('broken?value=false'));

const objectName = (subject) => {
  const hash = createHash('sha256');
  for (const part of ['edgegate-subject-v1', GATE, subject]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
    hash.update(length).update(part);
  }
  return hash.digest('base64url');
};

const noStore = (answer) => assert.match(answer.headers['cache-control'], /no-store/);

test('a back end opens a session, and its access token is taken', async () => {
  const answer = await sessions.admin('POST', '/sessions', {
    subject: 'alice', scopes: ['read:posts'], amr: ['pwd'], acr: '1', label: 'laptop', claims: { plan: 'gold' },
  });
  assert.equal(answer.status, 201, answer.text);
  noStore(answer);
  const opened = answer.json();
  assert.deepEqual(Object.keys(opened), ['session_id', 'access_token', 'token_type', 'expires_in', 'refresh_token', 'refresh_expires_in']);
  assert.equal(opened.token_type, 'Bearer');
  assert.equal(opened.expires_in, 900);
  assert.equal(opened.refresh_expires_in, 604800);
  assert.match(opened.refresh_token, /^edgegate_rt_[\w-]+$/);
  const header = JSON.parse(Buffer.from(opened.access_token.split('.')[0], 'base64url'));
  assert.equal(header.alg, 'ES256');
  assert.equal(header.typ, 'at+jwt');
  const claims = claimsOf(opened.access_token);
  assert.equal(claims.iss, GATE);
  assert.equal(claims.sub, 'alice');
  assert.deepEqual(claims.aud, [AUDIENCE]);
  assert.equal(claims.client_id, 'first-party');
  assert.equal(claims.sid, opened.session_id);
  assert.equal(claims.scope, 'read:posts');
  assert.deepEqual(claims.amr, ['pwd']);
  assert.deepEqual(claims['edgegate:claims'], { plan: 'gold' });
  assert.equal(claims.exp - claims.iat, 900);
  admitted(await sessions.get('/v1/posts', { token: opened.access_token }), { method: 'jwt', subject: 'alice', issuer: GATE, scopes: ['read:posts'] });
  refused(await sessions.post('/v1/posts', { token: opened.access_token }), 'INSUFFICIENT_SCOPE', { scope: 'write:posts' });
});

test('opening refuses what could not be right, and keeps no answer', async () => {
  const open = (body, options) => sessions.admin('POST', '/sessions', { subject: 'bob', scopes: [], ...body }, options);
  for (const body of [
    { subject: '' }, { subject: 'client|batch' }, { subject: 'account|1' }, { scopes: ['a b'] }, { claims: { a: 'x'.repeat(1024) } }, { claims: [] },
    { client_id: 'nobody' }, { client_id: 'batch' }, { audience: ['https://other.example'] }, { dpop_jkt: 'x' }, { auth_time: nowSecs() + 3600 }, { sub: 'bob' },
    { label: 'a\nb' }, { amr: ['x'.repeat(33)] },
  ]) refused(await open(body), 'INVALID_REQUEST');
  assert.equal((await open({ subject: 'account|1', existing: true })).status, 201);
  refused(await open({}, { headers: { 'Idempotency-Key': 'a-key-of-mine' } }), 'INVALID_REQUEST');
  refused(await sessions.post('/auth/admin/sessions', { body: { subject: 'bob', scopes: [] } }), 'MISSING_CREDENTIALS');
  refused(await sessions.admin('POST', '/sessions', { subject: 'bob', scopes: [] }, { token: 'wrong' }), 'INVALID_TOKEN');
});

test('/refresh as the guide: new tokens for the old one', async () => {
  const opened = await sessions.open();
  const answer = await sessions.refresh(opened.refresh_token);
  assert.equal(answer.status, 200, answer.text);
  noStore(answer);
  const refreshed = answer.json();
  assert.deepEqual(Object.keys(refreshed), ['accessToken', 'refreshToken', 'expiresIn']);
  assert.equal(refreshed.expiresIn, 900);
  assert.notEqual(refreshed.refreshToken, opened.refresh_token);
  assert.equal(answer.headers['set-cookie'], undefined);
  admitted(await sessions.get('/v1/posts', { token: refreshed.accessToken }), { subject: opened.subject });
  const missing = refusedWith(await sessions.post('/auth/refresh', { body: {} }), 400, 'INVALID_REQUEST');
  assert.equal(missing.error, 'Refresh token required');
  const wrong = refusedWith(await sessions.refresh('invalid'), 401, 'INVALID_REFRESH_TOKEN');
  assert.equal(wrong.error, 'Invalid refresh token');
  assert.equal(wrong.hint, 'Please log in again');
  refused(await sessions.get('/auth/refresh'), 'METHOD_NOT_ALLOWED');
});

function refusedWith(answer, status, code) {
  assert.equal(`${answer.status} ${answer.json().code}`, `${status} ${code}`, answer.text);
  noStore(answer);
  return answer.json();
}

test('CVE-2026-1035, GHSA-392p-2q2v-4372: 100 refreshes at once with one token make one generation', async () => {
  const opened = await sessions.open();
  const answers = await Promise.all(Array.from({ length: 100 }, () => sessions.refresh(opened.refresh_token)));
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
  assert.equal(new Set(answers.map((answer) => answer.json().refreshToken)).size, 1);
  const generations = new Set(answers.map((answer) => claimsOf(answer.json().accessToken)['edgegate:gen']));
  assert.deepEqual([...generations], [1]);
});

test('a lost answer is given again, byte by byte, until its successor is seen in use', async () => {
  const opened = await sessions.open();
  const first = (await sessions.refresh(opened.refresh_token)).json();
  await sessions.wait(3600);
  const again = (await sessions.refresh(opened.refresh_token)).json();
  assert.equal(again.refreshToken, first.refreshToken);
  await sessions.wait(31);
  admitted(await sessions.get('/v1/posts', { token: again.accessToken }));
  await settled(async () => assert.equal((await stored(opened.subject)).find((row) => row.generation === 1).confirmed, true));
  // Two clients use it now: this is a theft.
  refusedWith(await sessions.refresh(opened.refresh_token), 401, 'INVALID_REFRESH_TOKEN');
  refusedWith(await sessions.refresh(first.refreshToken), 401, 'INVALID_REFRESH_TOKEN');
  refused(await sessions.get('/v1/posts', { token: again.accessToken }), 'TOKEN_REVOKED');
});

/** Returns the rows of a subject's object. */
async function stored(subject, name) {
  const rows = (await sessions.object('EDGEGATE_SESSIONS', name ?? objectName(subject), 'X-Dump')).json();
  return rows.map((row) => JSON.parse(row.value));
}

/** Waits until it is true: work after an answer takes a moment. */
async function settled(holds) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await holds();
    } catch (fault) {
      if (tries === 100) throw fault;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test('repeats every 29 s keep no window open: from the third that counts on, any use confirms', async () => {
  const opened = await sessions.open();
  let last;
  for (let repeat = 0; repeat < 8; repeat += 1) {
    last = (await sessions.refresh(opened.refresh_token)).json();
    await sessions.wait(29);
  }
  // The thief uses fresh tokens only: none is ever 30 s old.
  const fresh = (await sessions.refresh(opened.refresh_token)).json();
  assert.ok(claimsOf(fresh.accessToken)['edgegate:rep'] >= 3);
  admitted(await sessions.get('/v1/posts', { token: fresh.accessToken }));
  await settled(async () => refusedWith(await sessions.refresh(opened.refresh_token), 401, 'INVALID_REFRESH_TOKEN'));
  assert.ok(last);
});

test('CVE-2026-9802: an object that is evicted between steps forgets nothing', async () => {
  const opened = await sessions.open();
  const name = objectName(opened.subject);
  const evict = () => sessions.object('EDGEGATE_SESSIONS', name, 'X-Evict');
  await evict();
  const refreshed = (await sessions.refresh(opened.refresh_token)).json();
  await sessions.wait(31);
  admitted(await sessions.get('/v1/posts', { token: refreshed.accessToken }));
  await settled(async () => assert.equal((await stored(opened.subject))[0].confirmed, true));
  await evict();
  refusedWith(await sessions.refresh(opened.refresh_token), 401, 'INVALID_REFRESH_TOKEN');
  await evict();
  refusedWith(await sessions.refresh(refreshed.refreshToken), 401, 'INVALID_REFRESH_TOKEN');
});

test('forged refresh tokens ask no object', async () => {
  const opened = await sessions.open();
  const before = await sessions.counts();
  const body = Buffer.from(opened.refresh_token.slice('edgegate_rt_'.length), 'base64url');
  for (let bit = 0; bit < body.length * 8; bit += 7) {
    const forged = Buffer.from(body);
    forged[bit >> 3] ^= 1 << (bit & 7);
    refusedWith(await sessions.refresh(`edgegate_rt_${forged.toString('base64url')}`), 401, 'INVALID_REFRESH_TOKEN');
  }
  // CVE-2026-27840: cut, padded, spelled in another way.
  for (const other of ['', 'B', '=', ' ']) {
    if (other) refusedWith(await sessions.refresh(`${opened.refresh_token}${other}`), 401, 'INVALID_REFRESH_TOKEN');
    refusedWith(await sessions.refresh(`${opened.refresh_token.slice(0, -1)}${other}`), 401, 'INVALID_REFRESH_TOKEN');
  }
  refusedWith(await sessions.refresh(opened.refresh_token.toUpperCase()), 401, 'INVALID_REFRESH_TOKEN');
  assert.equal((await sessions.counts()).sessions, before.sessions);
  assert.equal((await sessions.refresh(opened.refresh_token)).status, 200);
});

test('a refresh costs at most 2 rows written and 4 requests of objects, its confirmation included', async () => {
  const opened = await sessions.open();
  let refreshToken = opened.refresh_token;
  await sessions.wait(60);
  const before = await sessions.counts();
  for (let round = 0; round < 5; round += 1) {
    const refreshed = (await sessions.refresh(refreshToken)).json();
    refreshToken = refreshed.refreshToken;
    await sessions.wait(40);
    for (let use = 0; use < 10; use += 1) admitted(await sessions.get('/v1/posts', { token: refreshed.accessToken }));
    await settled(async () => assert.equal((await stored(opened.subject))[0].confirmed, true));
    await sessions.object('EDGEGATE_SESSIONS', objectName(opened.subject), 'X-Evict');
    await sessions.wait(800);
  }
  const after = await sessions.counts();
  const [rows, alarms, requests] = ['rows', 'alarms', 'sessions'].map((name) => after[name] - before[name]);
  assert.ok(rows + alarms <= 10, `${rows} rows and ${alarms} alarms`);
  assert.ok(requests <= 20, `${requests} requests`);
});

test('a store that does not answer is no log-out', async () => {
  const opened = await sessions.open();
  await sessions.test('broken?value=true');
  refused(await sessions.refresh(opened.refresh_token), 'STORE_UNAVAILABLE');
  admitted(await sessions.get('/v1/posts', { token: opened.access_token }));
  await sessions.test('broken?value=false');
  assert.equal((await sessions.refresh(opened.refresh_token)).status, 200);
});

test('nothing that could be used is stored, and no session data in KV', async () => {
  const opened = await sessions.open({ claims: { note: 'a-claim' } });
  const refreshed = (await sessions.refresh(opened.refresh_token)).json();
  const rows = JSON.stringify(await stored(opened.subject));
  for (const secret of [opened.access_token, opened.refresh_token, refreshed.refreshToken, ...Object.values(SECRETS)]) {
    assert.ok(!rows.includes(secret) && !rows.includes(secret.slice(-16)));
  }
  const ring = (await sessions.object('EDGEGATE_KEYS', 'ring', 'X-Dump')).text;
  assert.doesNotMatch(ring, /"d"|"k"/);
  const kv = await gate.mf.getKVNamespace('EDGEGATE_KV', 'gate');
  for (const { name } of (await kv.list()).keys) assert.match(name, /^deny\//, name);
});

// ---- /token, /revoke, /introspect ----

const BATCH = `Basic ${Buffer.from(`batch:${SECRETS.BATCH_CLIENT_SECRET}`).toString('base64')}`;
const asBatch = { headers: { Authorization: BATCH } };

test('/token: client_credentials, by basic and by post', async () => {
  for (const [fields, options] of [
    [{}, asBatch],
    [{ client_id: 'batch', client_secret: SECRETS.BATCH_CLIENT_SECRET }, {}],
    [{ scope: 'read:posts' }, asBatch],
  ]) {
    const answer = await sessions.form('/auth/token', { grant_type: 'client_credentials', ...fields }, options);
    assert.equal(answer.status, 200, answer.text);
    noStore(answer);
    const { access_token: access, ...rest } = answer.json();
    assert.deepEqual(rest, { token_type: 'Bearer', expires_in: 900, scope: 'read:posts' });
    const claims = claimsOf(access);
    assert.equal(claims.sub, 'client|batch');
    assert.equal(claims.client_id, 'batch');
    assert.equal(claims.sid, undefined);
    admitted(await sessions.get('/v1/posts', { token: access }), { subject: 'client|batch' });
  }
});

test('/token speaks the words of RFC 6749', async () => {
  const ask = (fields, options) => sessions.form('/auth/token', fields, options);
  const word = async (answer, status, error) => {
    const found = await answer;
    assert.equal(`${found.status} ${found.json().error}`, `${status} ${error}`, found.text);
    assert.deepEqual(Object.keys(found.json()), ['error', 'code', 'hint']);
    noStore(found);
    return found;
  };
  await word(ask({}), 400, 'invalid_request');
  await word(ask({ grant_type: 'password' }), 400, 'unsupported_grant_type');
  const wrong = `Basic ${Buffer.from('batch:wrong').toString('base64')}`;
  const refusal = await word(ask({ grant_type: 'client_credentials' }, { headers: { Authorization: wrong } }), 401, 'invalid_client');
  assert.match(refusal.headers['www-authenticate'], /^Basic /);
  await word(ask({ grant_type: 'client_credentials' }), 401, 'invalid_client');
  await word(ask({ grant_type: 'client_credentials', client_id: 'nobody', client_secret: 'x' }), 401, 'invalid_client');
  await word(ask({ grant_type: 'client_credentials', scope: 'write:posts' }, asBatch), 400, 'invalid_scope');
  await word(ask({ grant_type: 'client_credentials', resource: 'https://other.example' }, asBatch), 400, 'invalid_target');
  await word(ask({ grant_type: 'refresh_token' }), 400, 'invalid_request');
  await word(ask({ grant_type: 'refresh_token', refresh_token: 'x' }), 400, 'invalid_grant');
  await word(ask({ grant_type: 'refresh_token', refresh_token: 'x' }, asBatch), 400, 'unauthorized_client');
  await word(sessions.form('/auth/token', [['grant_type', 'client_credentials'], ['grant_type', 'refresh_token']]), 400, 'invalid_request');
});

test('/token refreshes, and narrows', async () => {
  const opened = await sessions.open({ scopes: ['read:posts', 'write:posts'] });
  const ask = (refreshToken, more = {}) => sessions.form('/auth/token', { grant_type: 'refresh_token', refresh_token: refreshToken, ...more });
  const narrowed = (await ask(opened.refresh_token, { scope: 'read:posts' })).json();
  assert.equal(narrowed.scope, 'read:posts');
  assert.equal(claimsOf(narrowed.access_token).scope, 'read:posts');
  refused(await sessions.post('/v1/posts', { token: narrowed.access_token }), 'INSUFFICIENT_SCOPE', { scope: 'write:posts' });
  const whole = (await ask(narrowed.refresh_token, { client_id: 'first-party' })).json();
  assert.equal(whole.scope, 'read:posts write:posts');
  const more = await ask(whole.refresh_token, { scope: 'admin:posts' });
  assert.equal(`${more.status} ${more.json().error}`, '400 invalid_scope', more.text);
  const narrow = await sessions.open({ audience: [AUDIENCE] });
  const elsewhere = await ask(narrow.refresh_token, { resource: 'https://other.example' });
  assert.equal(`${elsewhere.status} ${elsewhere.json().error}`, '400 invalid_target', elsewhere.text);
});

test('/revoke (RFC 7009) ends a session by its refresh token, a token by itself, and says nothing of others', async () => {
  const opened = await sessions.open();
  assert.equal((await sessions.form('/auth/revoke', { token: opened.access_token })).status, 200);
  refused(await sessions.get('/v1/posts', { token: opened.access_token }), 'TOKEN_REVOKED');
  const { accessToken, refreshToken } = (await sessions.refresh(opened.refresh_token)).json();
  admitted(await sessions.get('/v1/posts', { token: accessToken }));
  assert.equal((await sessions.form('/auth/revoke', { token: refreshToken })).status, 200);
  refused(await sessions.get('/v1/posts', { token: accessToken }), 'TOKEN_REVOKED');
  refusedWith(await sessions.refresh(refreshToken), 401, 'INVALID_REFRESH_TOKEN');
  for (const other of [refreshToken, 'x', token(), 'edgegate_rt_x', SECRETS.ADMIN_TOKEN]) {
    const answer = await sessions.form('/auth/revoke', { token: other });
    assert.equal(`${answer.status} ${answer.text}`, '200 {}');
  }
  const machine = (await sessions.form('/auth/token', { grant_type: 'client_credentials' }, asBatch)).json();
  const stranger = await sessions.form('/auth/revoke', { token: machine.access_token });
  assert.equal(`${stranger.status} ${stranger.json().error}`, '400 unauthorized_client');
  admitted(await sessions.get('/v1/posts', { token: machine.access_token }));
  assert.equal((await sessions.form('/auth/revoke', { token: machine.access_token }, asBatch)).status, 200);
  refused(await sessions.get('/v1/posts', { token: machine.access_token }), 'TOKEN_REVOKED');
});

test('/introspect (RFC 7662) tells a client of its own good tokens alone', async () => {
  const ask = (text, options = asBatch) => sessions.form('/auth/introspect', { token: text }, options);
  const machine = (await sessions.form('/auth/token', { grant_type: 'client_credentials' }, asBatch)).json().access_token;
  const told = (await ask(machine)).json();
  assert.equal(told.active, true);
  assert.equal(told.client_id, 'batch');
  assert.equal(told.scope, 'read:posts');
  const opened = await sessions.open();
  for (const other of [opened.access_token, opened.refresh_token, token(), 'x', `${machine}x`]) {
    assert.deepEqual((await ask(other)).json(), { active: false });
  }
  const stranger = await ask(machine, {});
  assert.equal(`${stranger.status} ${stranger.json().error}`, '401 invalid_client');
  await sessions.form('/auth/revoke', { token: machine }, asBatch);
  assert.deepEqual((await ask(machine)).json(), { active: false });
});

// ---- mine ----

test('who am I, and my sessions', async () => {
  const subject = `user-${freshIp()}`;
  const one = await sessions.open({ subject, label: 'one' });
  const two = await sessions.open({ subject, label: 'two', scopes: [] });
  const me = (await sessions.get('/auth/session', { token: one.access_token })).json();
  assert.equal(me.subject, subject);
  assert.equal(me.session_id, one.session_id);
  assert.deepEqual(me.scopes, ['read:posts']);
  const list = (await sessions.get('/auth/sessions', { token: two.access_token })).json().sessions;
  assert.deepEqual(list.map(({ id, label, current }) => [id, label, current]).sort(), [[one.session_id, 'one', false], [two.session_id, 'two', true]].sort());
  refused(await sessions.get('/auth/session'), 'MISSING_CREDENTIALS');
  const foreign = token({ exp: nowSecs() + sessions.ahead / 1000 + 600 });
  refused(await sessions.get('/auth/session', { token: foreign }), 'NOT_ALLOWED');
  refused(await sessions.get('/auth/session', { token: 'x' }), 'INVALID_TOKEN');
});

test('one of mine ends, the others, all; nobody else’s', async () => {
  const subject = `user-${freshIp()}`;
  const opened = [];
  for (let i = 0; i < 4; i += 1) opened.push(await sessions.open({ subject }));
  const stranger = await sessions.open();
  const [one, two, three, four] = opened;
  const end = (what, { access_token: bearer }) => sessions.request('DELETE', `/auth/sessions${what}`, { token: bearer });
  refused(await end(`/${one.session_id}`, stranger), 'NOT_FOUND');
  admitted(await sessions.get('/v1/posts', { token: one.access_token }));
  assert.equal((await end(`/${one.session_id}`, two)).status, 200);
  refused(await sessions.get('/v1/posts', { token: one.access_token }), 'TOKEN_REVOKED');
  refusedWith(await sessions.refresh(one.refresh_token), 401, 'INVALID_REFRESH_TOKEN');
  assert.deepEqual((await end('/others', two)).json(), { ended: 2 });
  for (const other of [three, four]) refused(await sessions.get('/v1/posts', { token: other.access_token }), 'TOKEN_REVOKED');
  admitted(await sessions.get('/v1/posts', { token: two.access_token }));
  assert.deepEqual((await end('', two)).json(), { ended: 1 });
  refused(await sessions.get('/v1/posts', { token: two.access_token }), 'TOKEN_REVOKED');
  admitted(await sessions.get('/v1/posts', { token: stranger.access_token }));
});

test('logout ends this session, or all, at once', async () => {
  const subject = `user-${freshIp()}`;
  const [one, two, three] = [await sessions.open({ subject }), await sessions.open({ subject }), await sessions.open({ subject })];
  const answer = await sessions.post('/auth/logout', { token: one.access_token });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['clear-site-data'], '"cache"');
  refused(await sessions.get('/v1/posts', { token: one.access_token }), 'TOKEN_REVOKED');
  admitted(await sessions.get('/v1/posts', { token: two.access_token }));
  assert.equal((await sessions.post('/auth/logout', { token: two.access_token, body: { everywhere: true } })).status, 200);
  for (const ended of [two, three]) {
    refused(await sessions.get('/v1/posts', { token: ended.access_token }), 'TOKEN_REVOKED');
    refusedWith(await sessions.refresh(ended.refresh_token), 401, 'INVALID_REFRESH_TOKEN');
  }
  refused(await sessions.post('/auth/logout'), 'MISSING_CREDENTIALS');
  // A log-in right after it is not refused.
  admitted(await sessions.get('/v1/posts', { token: (await sessions.open({ subject })).access_token }));
});

// ---- administration ----

test('the administrator lists, narrows and ends sessions', async () => {
  const opened = await sessions.open({ scopes: ['read:posts', 'write:posts'] });
  const query = `?subject=${encodeURIComponent(opened.subject)}`;
  const list = (await sessions.admin('GET', `/sessions${query}`)).json().sessions;
  assert.deepEqual(list.map((one) => one.id), [opened.session_id]);
  const narrow = (scopes, id = opened.session_id) => sessions.admin('PATCH', `/sessions/${id}`, { subject: opened.subject, scopes });
  assert.equal((await narrow(['read:posts'])).status, 200);
  refusedWith(await narrow(['admin']), 400, 'INVALID_REQUEST');
  refused(await narrow([], 'A'.repeat(16)), 'NOT_FOUND');
  const refreshed = (await sessions.refresh(opened.refresh_token)).json();
  assert.equal(claimsOf(refreshed.accessToken).scope, 'read:posts');
  assert.deepEqual((await sessions.admin('DELETE', `/sessions${query}`)).json(), { ended: 1 });
  refused(await sessions.get('/v1/posts', { token: refreshed.accessToken }), 'TOKEN_REVOKED');
  refused(await sessions.admin('GET', '/sessions'), 'INVALID_REQUEST');
});

test('GHSA-wv3h-x6c4-r867: a disabled subject gets no token by any way, until it is enabled', async () => {
  const opened = await sessions.open();
  const { subject } = opened;
  const ticket = (await sessions.admin('POST', '/sessions', { subject, scopes: [], ticket: true })).json();
  assert.equal((await sessions.admin('POST', '/subjects/disable', { subject })).status, 200);
  refused(await sessions.get('/v1/posts', { token: opened.access_token }), 'TOKEN_REVOKED');
  refusedWith(await sessions.refresh(opened.refresh_token), 401, 'INVALID_REFRESH_TOKEN');
  refused(await sessions.admin('POST', '/sessions', { subject, scopes: [] }), 'NOT_ALLOWED');
  const start = await sessions.post('/auth/session/start', { body: { ticket: ticket.ticket }, headers: { 'Sec-Fetch-Site': 'same-origin' } });
  assert.ok([401, 403].includes(start.status), start.text);
  // This is not forgotten together with the rest.
  assert.equal((await sessions.admin('DELETE', `/subjects?subject=${subject}`)).status, 200);
  refused(await sessions.admin('POST', '/sessions', { subject, scopes: [] }), 'NOT_ALLOWED');
  assert.equal((await sessions.admin('POST', '/subjects/enable', { subject })).status, 200);
  const again = await sessions.open({ subject });
  await sessions.wait(2);
  admitted(await sessions.get('/v1/posts', { token: again.access_token }));
  refused(await sessions.get('/v1/posts', { token: opened.access_token }), 'TOKEN_REVOKED');
});

test('a machine is disabled as a subject', async () => {
  await sessions.admin('POST', '/subjects/disable', { subject: 'client|batch' });
  const answer = await sessions.form('/auth/token', { grant_type: 'client_credentials' }, asBatch);
  assert.equal(answer.status, 400, answer.text);
  await sessions.admin('POST', '/subjects/enable', { subject: 'client|batch' });
  await sessions.wait(2);
  assert.equal((await sessions.form('/auth/token', { grant_type: 'client_credentials' }, asBatch)).status, 200);
});

test('GHSA-xr8f-h2gw-9xh6: nothing is administered without the secret', async () => {
  const id = 'A'.repeat(16);
  for (const [method, target] of [
    ['POST', '/sessions'], ['GET', '/sessions?subject=a'], ['DELETE', '/sessions?subject=a'], ['PATCH', `/sessions/${id}`],
    ['POST', '/subjects/disable'], ['POST', '/subjects/enable'], ['DELETE', '/subjects?subject=a'],
  ]) {
    const { access_token: user } = await sessions.open();
    refused(await sessions.request(method, `/auth/admin${target}`), 'MISSING_CREDENTIALS');
    for (const wrong of [user, SECRETS.SESSION_SECRET, 'x']) refused(await sessions.request(method, `/auth/admin${target}`, { token: wrong }), 'INVALID_TOKEN');
  }
});

test('CVE-2025-64101: every URL is of the policy, whatever Host says', async () => {
  for (const headers of [{}, { 'X-Forwarded-Host': 'evil.example' }, { Forwarded: 'host=evil.example' }]) {
    const metadata = await sessions.get('/.well-known/oauth-authorization-server', { host: 'evil.example', headers });
    assert.doesNotMatch(metadata.text, /evil/);
  }
  const { access_token: access } = (await sessions.admin('POST', '/sessions', { subject: 'host', scopes: [] }, { host: 'evil.example' })).json();
  assert.equal(claimsOf(access).iss, GATE);
});

// ---- keys ----

test('anybody may check the tokens with the published keys', async () => {
  const metadata = (await sessions.get('/.well-known/oauth-authorization-server')).json();
  assert.equal(metadata.issuer, GATE);
  assert.equal(metadata.token_endpoint, 'https://gate.edgegate.local/auth/token');
  assert.equal(metadata.jwks_uri, 'https://gate.edgegate.local/.well-known/jwks.json');
  const answer = await sessions.get('/.well-known/jwks.json');
  assert.equal(answer.headers['cache-control'], 'public, max-age=600');
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  const { keys } = answer.json();
  for (const key of keys) assert.deepEqual(Object.keys(key).filter((name) => ['d', 'k', 'p', 'q'].includes(name)), []);
  const { access_token: access } = await sessions.open();
  const [header, claims, signature] = access.split('.');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url'));
  const key = createPublicKey({ key: keys.find((one) => one.kid === kid), format: 'jwk' });
  assert.ok(verifySignature('sha256', Buffer.from(`${header}.${claims}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')));
});

test('GHSA-wxg7-w2v3-w38g: only at+jwt of the ring is a token of the gate', async () => {
  const { access_token: access } = await sessions.open();
  const [header, claims, signature] = access.split('.');
  const as = (changes) => Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(header, 'base64url')), ...changes })).toString('base64url');
  refused(await sessions.get('/v1/posts', { token: `${as({ typ: 'JWT' })}.${claims}.${signature}` }), 'INVALID_TOKEN');
  refused(await sessions.get('/v1/posts', { token: `${as({ alg: 'none' })}.${claims}.` }), 'INVALID_TOKEN');
  refused(await sessions.get('/v1/posts', { token: token({ iss: GATE }) }), 'INVALID_TOKEN');
});

test('unknown kids ask the ring at most once in 10 s', async () => {
  const { access_token: access } = await sessions.open();
  const [, claims, signature] = access.split('.');
  await sessions.wait(11);
  const before = await sessions.counts();
  const forged = (kid) => `${Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid })).toString('base64url')}.${claims}.${signature}`;
  await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    refused(await sessions.get('/v1/posts', { token: forged(`kid-${i}`) }), 'INVALID_TOKEN');
  }));
  assert.ok((await sessions.counts()).keys - before.keys <= 2);
});

test('a key is published before it signs, and afterwards until its last token has ended', async () => {
  const kidOf = (access) => JSON.parse(Buffer.from(access.split('.')[0], 'base64url')).kid;
  const published = async () => (await sessions.get('/.well-known/jwks.json')).json().keys.map((key) => key.kid);
  const first = kidOf((await sessions.open()).access_token);
  assert.deepEqual(await published(), [first]);
  const begun = sessions.ahead;
  let next;
  for (let hours = 0; hours < 24 * 31 && !next; hours += 6) {
    await sessions.wait(6 * 3600);
    await sessions.open();
    await sessions.wait(301);
    await sessions.open();
    next = (await published()).find((kid) => kid !== first);
  }
  assert.ok(next, 'no next key in 31 days');
  assert.ok(sessions.ahead > begun);
  await sessions.wait(1600);
  const opened = await sessions.open();
  assert.equal(kidOf(opened.access_token), next);
  assert.ok((await published()).includes(first));
  await sessions.wait(7200);
  await sessions.open();
  await sessions.wait(301);
  await sessions.open();
  assert.deepEqual(await published(), [next]);
});

test('a policy without its bindings, or with an unsafe section, is CONFIG_ERROR', async () => {
  const other = await start([
    sessionWorker({ name: 'unbound', worker: { durableObjects: { EDGEGATE_COUNTERS: { className: 'CounterObject', useSQLite: true } } } }),
    sessionWorker({ name: 'unrevoked', policy: sessionPolicy({ revocation: undefined, api_keys: undefined }) }),
    sessionWorker({ name: 'none', policy: sessionPolicy({ sessions: undefined }) }),
  ]);
  try {
    for (const name of ['unbound', 'unrevoked']) refused(await other.get('/v1/posts', { gate: name }), 'CONFIG_ERROR');
    for (const target of ['/auth/token', '/auth/refresh', '/auth/logout']) refused(await other.post(target, { gate: 'none' }), 'NOT_FOUND');
    assert.deepEqual((await other.get('/.well-known/jwks.json', { gate: 'none' })).json(), { keys: [] });
    refused(await other.get('/.well-known/oauth-authorization-server', { gate: 'none' }), 'NOT_FOUND');
  } finally {
    await other.dispose();
  }
});

