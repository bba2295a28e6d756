// Grants through the built Worker: a bot is connected, its token used and never seen, refreshed once, ended.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { SECRETS, start } from './harness.mjs';
import { BINDING, loginPolicy } from './login.mjs';
import { GATE, Sessions, sessionWorker } from './sessions.mjs';
import { SAID_TO_BROWSERS, SLACK_CLIENT, Slack } from './slack.mjs';

const GRANT_SECRETS = Object.freeze({ ...SECRETS, SLACK_CLIENT_SECRET: SLACK_CLIENT.secret });
const HALF_A_DAY = 43_200;

let slack;
let elsewhere;
let gate;
let sessions;
const seenElsewhere = [];
/** A provider that never answers when it is told that a token ends. */
let hub;
const toldHub = [];

const githubAt = (id, at, fields) => ({
  id, type: 'github', client_id: 'c', client_secret: 'SLACK_CLIENT_SECRET', ...fields,
  endpoints: { authorization: `${at}/authorize`, token: `${at}/token`, userinfo: `${at}/user`, revocation: `${at}/revoke` },
});

function startHub() {
  hub = http.createServer((request, response) => {
    if (request.method === 'DELETE') return toldHub.push(request.url);
    response.writeHead(200, { 'Content-Type': 'application/json' });
    return response.end(JSON.stringify(request.url === '/user' ? { id: 7, login: 'ann' } : { access_token: 'gho_1', token_type: 'bearer', scope: '' }));
  });
  return new Promise((resolve) => { hub.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${hub.address().port}`)); });
}

before(async () => {
  slack = await new Slack().start();
  elsewhere = http.createServer((request, response) => { seenElsewhere.push(request.headers); response.end(JSON.stringify(request.headers)); });
  await new Promise((resolve) => { elsewhere.listen(0, '127.0.0.1', resolve); });
  const other = `http://127.0.0.1:${elsewhere.address().port}`;
  slack.elsewhere = other;
  const api = { url: `${slack.origin}/api`, strip_prefix: '/slack' };
  const routes = [
    { path: '/slack/chat.postMessage', methods: ['POST'], grant: 'slack', upstream: api },
    { path: '/slack/redirects', methods: ['GET'], grant: { provider: 'slack', pass_headers: ['X-Slack-Debug'] }, upstream: api },
    { path: '/own/*', grant: { provider: 'slack', header: 'X-Slack-Token' }, upstream: other },
  ];
  const hubAt = await startHub();
  const providers = [slack.provider(), githubAt('hub', hubAt, { connect_only: true }), githubAt('idle', hubAt)];
  gate = await start([sessionWorker({ policy: loginPolicy(providers, { routes, watch: {} }), secrets: GRANT_SECRETS })], { secrets: GRANT_SECRETS });
  sessions = new Sessions(gate, 'gate');
});

after(async () => {
  await gate?.dispose();
  await slack?.stop();
  elsewhere?.close();
  hub?.closeAllConnections();
  hub?.close();
});

const origin = () => `127.0.0.1:${gate.port('gate')}`;
const asked = (session, options = {}) => ({ token: session.access_token, host: origin(), ...options });

/** Connects an account; the answer of the callback. */
async function connect(session, { callbackBy = session, team } = {}) {
  if (team !== undefined) slack.team = team;
  const begun = await sessions.form('/auth/connect/slack', { return_to: '/dashboard' }, asked(session));
  assert.equal(begun.status, 303, begun.text);
  const binding = begun.headers['set-cookie'].find((line) => line.startsWith(BINDING)).split(';')[0];
  const { pathname, search } = slack.allow(begun.headers.location);
  return sessions.get(`${pathname}${search}`, asked(callbackBy, { headers: { Cookie: binding } }));
}

async function connected(options) {
  const session = await sessions.open();
  const answer = await connect(session, options);
  assert.equal(answer.status, 303, answer.text);
  assert.equal(answer.headers.location, '/dashboard');
  return session;
}

const post = (session, options = {}) => sessions.post('/slack/chat.postMessage', asked(session, { body: { channel: 'C1', text: 'hello' }, ...options }));
const listed = async ({ subject }) => (await sessions.admin('GET', `/grants?subject=${encodeURIComponent(subject)}`)).json().grants;

describe('a bot that is connected', () => {
  test('posts, and nobody sees its token', async () => {
    const session = await connected();
    const answer = await post(session, { headers: { Cookie: 'app=1', 'X-Anything': '1' } });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json(), { ok: true, channel: 'C1', ts: '1.1' });
    const { path, headers, body } = slack.posted.at(-1);
    assert.equal(path, '/api/chat.postMessage');
    assert.deepEqual(JSON.parse(body), { channel: 'C1', text: 'hello' });
    for (const name of ['cookie', 'x-anything', 'x-auth-subject', 'x-auth-method', 'x-forwarded-for', 'cf-connecting-ip']) assert.equal(headers[name], undefined, name);
    for (const name of Object.keys(SAID_TO_BROWSERS).filter((own) => own !== 'Cache-Control')) assert.equal(answer.headers[name.toLowerCase()], undefined, name);
    assert.match(answer.headers['content-security-policy'], /sandbox/);
    assert.equal(answer.headers['cache-control'], 'private, no-store');
    const [grant] = await listed(session);
    assert.deepEqual([grant.provider, grant.scopes, grant.refreshable], ['slack', ['chat:write', 'channels:read'], true]);
  });

  test('is asked for as the guide has it', async () => {
    const session = await sessions.open();
    const begun = await sessions.form('/auth/connect/slack', {}, asked(session));
    const url = new URL(begun.headers.location);
    assert.equal(`${url.origin}${url.pathname}`, `${slack.origin}/oauth/v2/authorize`);
    assert.equal(url.searchParams.get('scope'), 'chat:write,channels:read');
    assert.equal(url.searchParams.get('redirect_uri'), `http://${origin()}/auth/callback/slack`);
    assert.ok(url.searchParams.get('state').length > 100);
  });

  test('is counted as refused where none is connected, and not as admitted', async () => {
    const counted = async () => {
      const { decisions: { admitted }, codes } = (await sessions.admin('GET', '/watch', undefined, { host: origin() })).json();
      return { admitted, refused: codes.CONNECT_REQUIRED ?? 0 };
    };
    const before = await counted();
    assert.equal((await post(await sessions.open())).json().code, 'CONNECT_REQUIRED');
    assert.deepEqual(await counted(), { admitted: before.admitted, refused: before.refused + 1 });
  });

  test('is refused where none is connected, and for whoever is not logged in', async () => {
    const none = await post(await sessions.open());
    assert.deepEqual([none.status, none.json().code], [403, 'CONNECT_REQUIRED']);
    const machine = await sessions.form('/auth/token', { grant_type: 'client_credentials' }, { basic: ['batch', SECRETS.BATCH_CLIENT_SECRET] });
    if (machine.status === 200) {
      const answer = await post({ access_token: machine.json().access_token });
      assert.deepEqual([answer.status, answer.json().code], [403, 'NOT_ALLOWED']);
    }
    assert.equal((await sessions.post('/slack/chat.postMessage', { host: origin() })).json().code, 'LOGIN_REQUIRED');
    assert.equal((await sessions.post('/auth/connect/slack', { host: origin() })).status, 401);
  });

  test('is called at the paths and by the methods of its routes alone', async () => {
    const session = await connected();
    const before = slack.posted.length;
    for (const [method, path] of [
      ['GET', '/slack/chat.postMessage'], ['POST', '/slack/admin.users.list'], ['POST', '/slack/chat.postMessage/%2e%2e/admin.users.list'],
      ['POST', '/slack/..%2fadmin.users.list'], ['POST', '/slack//chat.postMessage'], ['POST', '/slack/chat.postMessage%00'],
    ]) {
      const answer = await sessions.request(method, path, asked(session));
      assert.ok(answer.status === 400 || !slack.posted.slice(before).length, `${method} ${path}`);
    }
    assert.equal(slack.posted.length, before);
  });

  test('is not followed with the token where it redirects', async () => {
    const session = await connected();
    const before = seenElsewhere.length;
    const answer = await sessions.get('/slack/redirects', asked(session, { headers: { 'X-Slack-Debug': 'yes' } }));
    assert.equal(answer.status, 302);
    assert.equal(slack.posted.at(-1).headers['x-slack-debug'], 'yes');
    assert.equal(seenElsewhere.length, before);
  });

  test('hands its token to a service of the operator, and no caller can', async () => {
    const session = await connected();
    const answer = await sessions.get('/own/a', asked(session, { headers: { 'X-Slack-Token': 'mine', X_Slack_Token: 'mine' } }));
    const headers = answer.json();
    assert.ok(slack.given.includes(headers['x-slack-token']));
    assert.equal(headers.x_slack_token, undefined);
    assert.equal(headers['x-auth-subject'], session.subject);
    assert.equal(headers.authorization, undefined);
  });
});

describe('the way back', () => {
  test('counts in the session that went', async () => {
    const [one, other] = [await sessions.open(), await sessions.open()];
    const answer = await connect(one, { callbackBy: other });
    assert.notEqual(answer.status, 303, answer.text);
    assert.deepEqual([await listed(one), await listed(other)], [[], []]);
    const again = await sessions.open({ subject: one.subject, existing: true });
    assert.notEqual((await connect(one, { callbackBy: again })).status, 303, 'another session of the same subject');
  });

  test('leads to no login where it fails', async () => {
    const session = await sessions.open();
    for (const fault of ['access_denied', 'server_error', 'invalid_scope']) {
      const begun = await sessions.form('/auth/connect/slack', { return_to: '/dashboard' }, asked(session));
      const [binding] = begun.headers['set-cookie'].find((line) => line.startsWith(BINDING)).split(';');
      const query = new URLSearchParams({ error: fault, state: new URL(begun.headers.location).searchParams.get('state') });
      const answer = await sessions.get(`/auth/callback/slack?${query}`, asked(session, { headers: { Cookie: binding, Accept: 'text/html' } }));
      assert.notEqual(answer.status, 303);
      assert.match(answer.text, /href="\/dashboard"/, fault);
      assert.doesNotMatch(answer.text, /\/auth\/login/, fault);
    }
    // Nobody is logged in, and the attempt is not there: also then.
    const answer = await sessions.get('/auth/callback/slack?code=1&state=1', { host: origin(), headers: { Accept: 'text/html' } });
    assert.doesNotMatch(answer.text, /\/auth\/login/);
  });

  test('is there for providers whose tokens are kept alone', async () => {
    const session = await sessions.open();
    for (const path of ['/auth/connect/idle', '/auth/disconnect/idle', '/auth/connect/none']) {
      const answer = await sessions.form(path, {}, asked(session));
      assert.equal(answer.status, 404, path);
    }
  });

  test('is no login', async () => {
    const answer = await sessions.get('/auth/login/slack', { host: origin() });
    assert.equal(answer.status, 404);
  });
});

describe('a token that has ended', () => {
  test('is refreshed once, however many ask', async () => {
    const session = await connected();
    await sessions.wait(HALF_A_DAY);
    const fresh = await sessions.open({ subject: session.subject, existing: true });
    const before = slack.refreshes;
    slack.delay = 1000;
    const answers = await Promise.all(Array.from({ length: 100 }, () => post(fresh)));
    slack.delay = 0;
    assert.deepEqual([...new Set(answers.map(({ status, text }) => `${status} ${JSON.parse(text).ok}`))], ['200 true']);
    assert.equal(slack.refreshes, before + 1);
  });

  test('is kept over faults of the provider, which is not asked again at once', async () => {
    const session = await connected();
    await sessions.wait(HALF_A_DAY);
    const fresh = await sessions.open({ subject: session.subject, existing: true });
    slack.fault = 'down';
    const before = slack.refreshes;
    // Together: those who wait are told at once. The pause ends with the next whole second, which may begin among them; the one after it is two.
    for (const answer of await Promise.all(Array.from({ length: 20 }, () => post(fresh)))) {
      assert.deepEqual([answer.status, answer.json().code], [502, 'UPSTREAM_ERROR']);
    }
    assert.ok([1, 2].includes(slack.refreshes - before), `asked ${slack.refreshes - before} times`);
    slack.fault = undefined;
    await sessions.wait(3);
    assert.equal((await post(fresh)).status, 200);
  });

  test('is worth nothing where the provider says so after a lost answer, until it is connected again', async () => {
    const session = await connected({ team: { id: 'T9', name: 'Gone' } });
    await sessions.wait(HALF_A_DAY);
    const fresh = await sessions.open({ subject: session.subject, existing: true });
    // The refresh token is used up, and its successor never arrives.
    slack.fault = 'lost';
    assert.equal((await post(fresh)).json().code, 'UPSTREAM_ERROR');
    slack.fault = undefined;
    assert.deepEqual((await listed(fresh)).map(({ lost, reconnect }) => [lost, reconnect]), [[1, undefined]]);
    await sessions.wait(2);
    const before = slack.refreshes;
    for (let count = 0; count < 3; count += 1) assert.equal((await post(fresh)).json().code, 'CONNECT_REQUIRED');
    assert.equal(slack.refreshes, before + 1, 'it is not asked again');
    assert.deepEqual((await listed(fresh)).map(({ label, reconnect }) => [label, reconnect]), [['Gone', 'ended_after_loss']]);
    assert.equal((await connect(fresh)).status, 303);
    assert.equal((await post(fresh)).status, 200);
  });
});

describe('the end', () => {
  test('of a connection takes effect at once, and takes the bot of a workspace from nobody else', async () => {
    const session = await connected();
    const before = slack.count('/api/auth.revoke');
    const answer = await sessions.form('/auth/disconnect/slack', { return_to: '/dashboard' }, asked(session));
    assert.deepEqual([answer.status, answer.headers.location], [303, '/dashboard']);
    assert.equal((await post(session)).json().code, 'CONNECT_REQUIRED');
    assert.equal(slack.count('/api/auth.revoke'), before);
  });

  test('holds for an account that was being connected', async () => {
    const session = await sessions.open();
    const begun = await sessions.form('/auth/connect/slack', {}, asked(session));
    const [binding] = begun.headers['set-cookie'].find((line) => line.startsWith(BINDING)).split(';');
    assert.equal((await sessions.form('/auth/disconnect/slack', {}, asked(session))).status, 303);
    const { pathname, search } = slack.allow(begun.headers.location);
    const answer = await sessions.get(`${pathname}${search}`, asked(session, { headers: { Cookie: binding } }));
    assert.notEqual(answer.status, 303, answer.text);
    assert.deepEqual(await listed(session), []);
    await sessions.wait(2);
    assert.equal((await connect(session)).status, 303);
    assert.equal((await listed(session)).length, 1);
  });

  test('waits for no provider', async () => {
    for (const end of [
      (session) => sessions.form('/auth/disconnect/hub', {}, asked(session)),
      ({ subject }) => sessions.admin('DELETE', `/grants?subject=${encodeURIComponent(subject)}`),
      ({ subject }) => sessions.admin('DELETE', `/subjects?subject=${encodeURIComponent(subject)}`),
    ]) {
      const session = await sessions.open();
      const begun = await sessions.form('/auth/connect/hub', {}, asked(session));
      assert.equal(begun.status, 303, begun.text);
      const [binding] = begun.headers['set-cookie'].find((line) => line.startsWith(BINDING)).split(';');
      const query = new URLSearchParams({ code: '1', state: new URL(begun.headers.location).searchParams.get('state') });
      const back = await sessions.get(`/auth/callback/hub?${query}`, asked(session, { headers: { Cookie: binding } }));
      assert.equal(back.status, 303, back.text);
      const [before, began] = [toldHub.length, performance.now()];
      const answer = await end(session);
      assert.ok(answer.status < 400, answer.text);
      assert.ok(performance.now() - began < 5000);
      for (let tries = 0; toldHub.length === before && tries < 50; tries += 1) await new Promise((resolve) => { setTimeout(resolve, 100); });
      assert.equal(toldHub.length, before + 1, 'it is told behind the answer');
      assert.deepEqual(await listed(session), []);
    }
  });

  test('of a session leaves it, that of the subject does not', async () => {
    const session = await connected();
    await sessions.post('/auth/logout', asked(session, { body: {} }));
    const again = await sessions.open({ subject: session.subject, existing: true });
    assert.equal((await post(again)).status, 200);
    assert.equal((await sessions.admin('DELETE', `/subjects?subject=${encodeURIComponent(session.subject)}`)).status < 300, true);
    assert.deepEqual(await listed(session), []);
  });

  test('comes by the administrator too, account by account', async () => {
    const session = await connected({ team: { id: 'T1', name: 'One' } });
    assert.equal((await connect(session, { team: { id: 'T2', name: 'Two' } })).status, 303);
    const [one, two] = await listed(session);
    assert.deepEqual([one.label, two.label], ['One', 'Two']);
    await post(session, { headers: { 'X-Grant-Account': one.account } });
    assert.equal(slack.posted.at(-1).team.id, 'T1');
    await post(session);
    assert.equal(slack.posted.at(-1).team.id, 'T2', 'the last one');
    const query = new URLSearchParams({ subject: session.subject, provider: 'slack', account: two.account });
    assert.deepEqual((await sessions.admin('DELETE', `/grants?${query}`)).json(), { ended: 1 });
    assert.equal((await post(session)).status, 200);
    assert.equal(slack.posted.at(-1).team.id, 'T1');
  });
});

test('no token lies anywhere in the clear', async () => {
  const session = await connected();
  // src/grant/seal.rs: each part with its length before it.
  const hash = createHash('sha256');
  for (const part of ['edgegate-grants-v1', GATE, session.subject]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
    hash.update(length).update(part);
  }
  const rows = (await sessions.object('EDGEGATE_GRANTS', hash.digest('base64url'), 'X-Dump')).text;
  assert.match(rows, /"provider\\":\\"slack/);
  const seen = [rows, ...gate.output.lines].join('\n');
  for (const token of slack.given) {
    for (const form of [token, Buffer.from(token).toString('base64'), Buffer.from(token).toString('base64url')]) assert.ok(!seen.includes(form));
  }
});
