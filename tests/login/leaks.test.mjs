// A whole run: logins with every provider, good and bad, accounts that are connected, tokens used and renewed, logouts of both kinds. Then all
// that is stored, logged, sent to services behind the gate and kept by browsers is searched for the run's secrets, however they are written.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { SECRETS, start, temporaryFolder } from '../worker/harness.mjs';
import { Sessions, sessionWorker } from '../worker/sessions.mjs';
import { KINDS } from '../support/providers/index.mjs';
import { AT, BINDING, LoginGate, ORIGIN, RT } from './gate.mjs';
import { Secrets } from './secrets.mjs';

const LOGINS = Object.keys(KINDS).filter((kind) => kind !== 'slack-bot');
const GRANTS = ['oidc', 'slack-bot'];

/** A service that notes every byte of a request's head and body. */
async function recorder() {
  const seen = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ target: request.url, headers: request.rawHeaders, body: Buffer.concat(chunks) });
    response.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok');
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { seen, server, url: `http://127.0.0.1:${server.address().port}` };
}

const filesOf = (folder) => readdirSync(folder, { recursive: true }).map((name) => path.join(folder, name)).filter((name) => statSync(name).isFile());

/** All that providers and the gate say to each other, or that only one of them knows: nobody else may see it. */
const theirs = new Secrets();
/** What browsers carry between them by design: in URLs, and in cookies. */
const carried = new Secrets();
/** What browsers got and sent. */
const answers = [];

let folder;
let service;
let api;
let gate;
/** The tokens that a route hands on. */
const handedOn = new Set();

function note(provider) {
  const { name } = provider.kind;
  if (provider.client.privateKey) theirs.add(`${name}: private key`, provider.client.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'));
  else theirs.add(`${name}: client secret`, provider.client.secret);
  provider.tamper.answer = (body) => {
    for (const one of [body, body.authed_user ?? {}]) {
      theirs.addToken(`${name}: access token`, one.access_token);
      theirs.addToken(`${name}: refresh token`, one.refresh_token);
      theirs.addToken(`${name}: ID token`, one.id_token);
      if (GRANTS.includes(name)) handedOn.add(one.access_token);
    }
    return body;
  };
  provider.tamper.request = ({ path: at, query, form }) => {
    if (at === provider.kind.paths.authorization) {
      if (query.get('nonce')) carried.add(`${name}: nonce`, query.get('nonce'));
      carried.add(`${name}: state`, query.get('state'));
    }
    // Codes travel through the browser, and are worth nothing without the verifier. Nobody keeps them all the same.
    if (form.get('code')) carried.add(`${name}: code`, form.get('code'));
    if (form.get('code_verifier')) theirs.add(`${name}: verifier`, form.get('code_verifier'));
    if (name === 'apple' && form.get('client_secret')) theirs.addToken(`${name}: assertion`, form.get('client_secret'));
    return provider.fault?.({ path: at, form });
  };
}

/** A browser whose every answer is noted. */
function browser() {
  const one = gate.browser();
  const send = one.send.bind(one);
  one.send = async (url, options) => {
    const answer = await send(url, options);
    for (const { name, value } of one.jar.all) if ([AT, RT, BINDING].includes(name)) (name === AT ? carried.addToken(name, value) : carried.add(name, value));
    if (url.startsWith(ORIGIN)) answers.push(answer);
    return answer;
  };
  return one;
}

before(async () => {
  [folder, service, api] = [temporaryFolder(), await recorder(), await recorder()];
  for (const [name, value] of Object.entries(SECRETS)) theirs.add(name, value);
  const wanted = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, { settings: { edov: true, rotation: true } }]));
  wanted['slack-bot'].policy = { connect_only: true, request_scopes: ['chat:write'], scopes: undefined };
  const routes = [
    { path: '/oidc/*', methods: ['GET'], grant: 'oidc', upstream: api.url },
    { path: '/slack/*', methods: ['GET'], grant: { provider: 'slack-bot', header: 'X-Slack-Token' }, upstream: api.url },
    { path: '/*' },
  ];
  gate = await LoginGate.start(wanted, {
    changes: { upstream: service.url, log: 'all', watch: {}, routes },
    run: ({ policy, secrets }) => start([sessionWorker({ policy: JSON.parse(JSON.stringify(policy)), secrets })], { secrets, shared: { resourcePersistencePath: folder } }),
  });
  gate.sessions = new Sessions(gate.gate);
  for (const provider of Object.values(gate.providers)) {
    provider.now = () => Math.floor((Date.now() + gate.sessions.ahead) / 1000);
    note(provider);
  }
});
after(async () => {
  for (const { server } of [service, api]) server.close();
});

const page = (one, target) => one.send(`${ORIGIN}${target}`, { from: `${ORIGIN}/` });

/** Connects the account of a bot, by a form of the site. */
async function connect(one) {
  const tab = one.tab();
  tab.trail = [{ url: `${ORIGIN}/`, text: '<form method="post" action="/auth/connect/slack-bot"></form>' }];
  await tab.submit({ return_to: '/connected' });
  assert.equal(tab.url, `${ORIGIN}/connected`, tab.page.text);
}

/** Each login, then what the session is for, then its end. */
async function lives(id) {
  const one = browser();
  const result = await gate.logIn(id, { browser: one, query: '?return_to=/home&remember=true' });
  assert.equal(result.seen, 'in', id);
  if (id === 'oidc') {
    await connect(one);
    for (const target of ['/oidc/a?b=c', '/slack/a']) assert.equal((await page(one, target)).status, 200, target);
    // All tokens end, and are renewed.
    await gate.sessions.wait(43_200 - 60);
    for (const target of ['/home', '/oidc/a', '/slack/a']) {
      const answer = await page(one, target);
      assert.equal(answer.status, 200, `${target}: ${answer.text}`);
    }
    const { lastSid } = gate.providers.oidc;
    for (const change of [(token) => ({ ...token, claims: { ...token.claims, aud: 'other' } }), undefined]) {
      const token = gate.providers.oidc.logoutToken({ sid: lastSid }, change);
      theirs.addToken('logout token', token);
      const told = await gate.gate.post('/auth/backchannel-logout/oidc', { body: `logout_token=${token}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
      assert.equal(told.status, change ? 400 : 200, told.text);
    }
    assert.notEqual((await page(one, '/home')).status, 200);
  }
  await one.send(`${ORIGIN}/auth/logout`, { method: 'POST', body: 'everywhere=true', from: `${ORIGIN}/` });
}

/** Providers that fail, and repeat in the answer what they were sent. */
async function fails(id) {
  const provider = gate.providers[id];
  const { token, userinfo } = provider.kind.paths;
  const repeat = (status, sent) => ({ status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ error: `${sent}`, error_description: sent }) });
  const faults = [
    ({ path: at, form }) => (at === token ? repeat(400, form.toString()) : undefined),
    ({ path: at, form }) => (at === token ? repeat(200, form.toString()) : undefined),
    ({ path: at, form }) => (at === token ? repeat(500, form.get('code')) : undefined),
    ({ path: at }) => (at === userinfo ? repeat(401, provider.requests.at(-1).headers.authorization) : undefined),
  ];
  for (const fault of faults) {
    provider.fault = fault;
    await gate.logIn(id, { browser: browser() });
  }
  provider.fault = undefined;
  // One that comes twice, one without its cookie, and one that is forged.
  const one = browser();
  const tab = one.tab();
  await tab.open(`${ORIGIN}/auth/login/${id}`, { until: ({ headers }) => headers.location?.startsWith(`${ORIGIN}/auth/callback/`) });
  const callback = tab.page.headers.location;
  if (callback === undefined) return;
  const forged = new URL(callback);
  forged.searchParams.set('code', randomBytes(24).toString('base64url'));
  carried.add('a forged code', forged.searchParams.get('code'));
  for (const [by, url] of [[one, forged.href], [one, callback], [browser(), callback]]) await by.tab().open(url);
}

/** What is written of requests to services: the token that a route hands on stands where it belongs, and is left out there. */
function sentOn({ target, headers, body }) {
  const kept = headers.map((value, index) => {
    const name = index % 2 === 1 ? headers[index - 1].toLowerCase() : '';
    const token = { authorization: value.replace(/^Bearer /, ''), 'x-slack-token': value }[name];
    return token !== undefined && handedOn.has(token) ? '' : value;
  });
  return Buffer.concat([Buffer.from(`${target}\n${kept.join('\n')}\n`), body]);
}

test('of all secrets of a run none is where it does not belong', async () => {
  for (const id of LOGINS) await lives(id);
  await gate.sessions.wait(600);
  for (const id of ['oidc', 'github', 'google', 'okta']) await fails(id);
  await gate.sessions.counts();

  const { lines } = gate.gate.output;
  const kv = await gate.gate.mf.getKVNamespace('EDGEGATE_KV', 'gate');
  const planted = randomBytes(24).toString('base64url');
  theirs.add('planted', planted);
  carried.add('known to be stored', 'known-to-be-stored-0123456789');
  await kv.put('planted', Buffer.from(`a${planted}`).toString('base64'));
  await gate.sessions.admin('POST', '/sessions', { subject: 'known-to-be-stored-0123456789', scopes: [] });
  await gate.close();

  const everything = (bytes) => [...theirs.in(bytes), ...carried.in(bytes)];
  const files = filesOf(folder);
  const stored = new Set(files.flatMap((file) => everything(readFileSync(file))));
  // The search sees what objects and KV have stored: of these two both are there.
  assert.deepEqual([...stored].sort(), ['known to be stored', 'planted']);
  assert.ok(files.length >= 6, `${files}`);

  assert.ok(lines.length >= 40, `${lines.length} lines`);
  assert.deepEqual(everything(lines.join('\n')), []);
  assert.deepEqual(everything(`a line with ${Buffer.from(planted).toString('hex')}`), ['planted']);

  for (const { seen } of [service, api]) {
    assert.ok(seen.length >= 4);
    assert.deepEqual(seen.flatMap((one) => everything(sentOn(one))), []);
  }
  assert.ok(api.seen.every((one) => theirs.in(`${one.headers}`).length === 1), 'the token that a route hands on, and it alone');

  // What a browser is shown or given to keep. URLs that lead to a provider have what is carried.
  for (const { url, headers, text, sent } of answers) {
    const { location = '', ...others } = headers;
    assert.deepEqual(theirs.in(`${location}\n${JSON.stringify(others)}\n${text}`), [], url);
    const { 'set-cookie': cookies = [], ...shown } = others;
    assert.deepEqual(carried.in(`${JSON.stringify(shown)}\n${text}`), [], url);
    const pairs = [...cookies.map((line) => line.split(';')[0]), ...(sent.Cookie ?? '').split('; ')];
    for (const pair of pairs.filter(Boolean)) assert.ok(carried.in(pair).every((what) => pair.startsWith(what.split(',')[0])), pair.split('=')[0]);
  }
  assert.ok(theirs.size + carried.size > 150, `${theirs.size} and ${carried.size}`);
});
