// The gate's own sessions: a request by cookie beside one with a bearer of HS256, in the Worker and in Node; and a refresh token that somebody
// has made up.

import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

import { createGate, memoryStore } from '../../pkg/wasm/node.js';
import { SECRETS, freshIp, gateWorker, policy, start } from '../../tests/worker/harness.mjs';
import { CONNECTIONS, loadRounds } from '../lib/load.mjs';
import { atMost, compare, compareWithTarget, processorClock, rounds } from '../lib/measure.mjs';
import { AUDIENCE, ISSUER } from '../lib/names.mjs';
import { peerWorker } from '../lib/peer-workers.mjs';
import { revokeOthers } from '../lib/revoked.mjs';
import { newKey, newToken } from '../lib/tokens.mjs';
import { withProcessorClock } from '../lib/workerd-process.mjs';

const AT_MOST = 1.3;
const FORGED_MICROS = 20;

const GATE = 'https://gate.edgegate.local/';
const ACCESS = '__Host-edgegate-at';
const REFRESH = '__Host-edgegate-rt';
const SESSION_SECRETS = { SESSION_SECRET: 'session secret of the benchmarks, long enough' };

/** So few are seen again and again. */
const SEEN = 32;
const FRESH = 300 * CONNECTIONS;
const REVOKED = 1000;

const BEARER = 'HS256 bearer, tokens seen before';
const COOKIE = 'cookie, tokens seen before';
const FIRST = 'cookie, tokens at first sight';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const numbered = (count, make) => Array.from({ length: count }, (_, index) => make(index));

/** The key of the gate's own tokens is given, so that there are as many tokens as nobody has seen. */
function ownKey() {
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const key = { key: createPrivateKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
  return {
    secret: JSON.stringify({ keys: [jwk] }),
    /** The same token once more, under another name. */
    again: (token) => {
      const [header, claims] = token.split('.');
      const renamed = { ...JSON.parse(Buffer.from(claims, 'base64url')), jti: randomBytes(16).toString('base64url') };
      const message = `${header}.${encode(renamed)}`;
      return `${message}.${sign('sha256', Buffer.from(message), key).toString('base64url')}`;
    },
  };
}

const SESSIONS = {
  issuer: GATE, audience: [AUDIENCE], secret: 'SESSION_SECRET', keys: 'SESSION_KEYS', algorithm: 'ES256', access_secs: 3600, cookies: true,
};

/** A bearer's token, and the gate's own, in front of the same route. */
const policyOf = (revocation) => policy({
  issuers: [{ issuer: ISSUER, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
  api_keys: undefined, limits: undefined, revocation, sessions: SESSIONS, failed_authentication: { requests: 1_000_000, window_secs: 60 },
  routes: [{ path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] } }],
});

const cookiesOf = ({ access, refresh }) => ({ Cookie: `theme=dark; ${ACCESS}=${access}; ${REFRESH}=${refresh}`, 'Sec-Fetch-Site': 'same-origin' });
const bearerOf = (token) => ({ Authorization: `Bearer ${token}` });

/** Browsers that are logged in. */
async function browsers(gate) {
  const cookies = (answer) => Object.fromEntries(answer.headers['set-cookie'].map((line) => line.split(';', 1)[0].split('=')));
  return Promise.all(numbered(SEEN, async (index) => {
    const wanted = { subject: `caller-${index}`, scopes: ['read:posts', 'write:posts'], ticket: true };
    const { ticket } = (await gate.admin('POST', '/sessions', wanted)).json();
    const begun = await gate.post('/auth/session/start', { body: { ticket }, headers: { 'Sec-Fetch-Site': 'same-origin' } });
    assert.equal(begun.status, 200, begun.text);
    const { [ACCESS]: access, [REFRESH]: refresh } = cookies(begun);
    return { access, refresh };
  }));
}

/** Fails unless the gate tells good from bad. */
async function assertDecides(ask, { bearer, browser, own }) {
  const status = async (headers) => (await ask(headers)).status;
  assert.equal(await status({}), 401);
  assert.equal(await status(bearerOf(bearer)), 200);
  assert.equal(await status(bearerOf(bearer.slice(0, -5))), 401);
  assert.equal(await status(cookiesOf(browser)), 200);
  const other = { ...browser, access: own.again(browser.access) };
  assert.equal(await status(cookiesOf(other)), 200);
  // A signature that was seen is of no use beside other claims.
  const [header, claims] = other.access.split('.');
  const [, , signature] = browser.access.split('.');
  assert.equal(await status(cookiesOf({ access: `${header}.${claims}.${signature}`, refresh: '' })), 401);
}

async function worker(context) {
  const key = newKey('HS256');
  const own = ownKey();
  const secrets = { JWT_SECRET: key.secret, ADMIN_TOKEN: SECRETS.ADMIN_TOKEN, SESSION_KEYS: own.secret, ...SESSION_SECRETS };
  const upstream = await peerWorker('worker-upstream.mjs', { name: 'upstream' });
  const bound = { serviceBindings: { UPSTREAM: 'upstream' } };
  const { started: gate, clock } = await withProcessorClock(() => start([
    gateWorker({ policy: policyOf({ mode: 'snapshot' }), secrets, worker: bound }), { ...upstream, unsafeDirectSockets: undefined },
  ], { secrets }));
  context.closing.push(() => gate.dispose());
  const tokens = numbered(SEEN, (index) => newToken(key, { sub: `caller-${index}`, scope: 'read:posts write:posts' }));
  await revokeOthers(gate, {
    entries: numbered(REVOKED, (index) => ({ iss: ISSUER, jti: `revoked-${index}` })), admin: SECRETS.ADMIN_TOKEN, credential: { token: tokens[0] },
  });
  const known = await browsers(gate);
  await assertDecides((headers) => gate.get('/v1/posts', { headers }), { bearer: tokens[0], browser: known[0], own });
  const requests = (headers) => headers.map((one) => ({ path: '/v1/posts', headers: { 'CF-Connecting-IP': freshIp(), ...one } }));
  let fresh;
  const contestants = [
    { name: BEARER, work: () => ({ requests: requests(tokens.map(bearerOf)) }) },
    { name: COOKIE, work: () => ({ requests: requests(known.map(cookiesOf)) }) },
    { name: FIRST, work: () => ({ requests: fresh, spread: true }) },
  ];
  const found = await loadRounds(contestants, {
    ...(context.quick ? { rounds: 1, seconds: 1 } : { rounds: 9, seconds: 1 }),
    beforeRound: () => {
      fresh = requests(numbered(FRESH, (index) => {
        const { access, refresh } = known[index % SEEN];
        return cookiesOf({ access: own.again(access), refresh });
      }));
    },
    targetOf: ({ work }) => ({ port: gate.port(), clock, ...work() }),
  });
  const line = (subject, target = null) => compare({
    subject: { name: subject, times: found.get(subject).map(({ cpu }) => cpu) }, peer: { name: BEARER, times: found.get(BEARER).map(({ cpu }) => cpu) },
    kind: 'time', unit: 'µs of workerd', target,
  });
  return clock === undefined ? [] : [line(COOKIE, atMost(AT_MOST)), line(FIRST)];
}

// ---- Node ----

const NODE_BATCH = 1000;

/** A gate in this process, and one of its browsers. */
async function nodeGate(key, own) {
  const store = memoryStore();
  const secrets = { ...SECRETS, JWT_SECRET: key.secret, SESSION_KEYS: own.secret, ...SESSION_SECRETS };
  const gate = createGate(policyOf({ mode: 'entries' }), { secrets, stores: { sessions: store, revocation: store, counters: store } });
  const { accessToken: access, refreshToken: refresh } = await gate.sessions.open({ subject: 'alice', scopes: ['read:posts'] });
  return { gate, browser: { access, refresh } };
}

const requestOf = (headers) => ({ method: 'GET', url: '/v1/posts', headers: { host: 'api.example.com', ...lowerCase(headers) } });
const lowerCase = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const each = (name, what, call) => ({
  name,
  what,
  run: async (given) => {
    for (let index = 0; index < given.length; index += 1) await call(given[index]);
  },
});

async function inNode(context) {
  const key = newKey('HS256');
  const own = ownKey();
  const { gate, browser } = await nodeGate(key, own);
  const bearer = newToken(key, { sub: 'alice' });
  const check = (request) => gate.check(request);
  const ask = async (headers) => {
    const decision = await check(requestOf(headers));
    return { status: decision.ok ? 200 : decision.status };
  };
  await assertDecides(ask, { bearer, browser, own });
  const count = context.scaled(NODE_BATCH);
  const contestants = [each(BEARER, 'bearers', check), each(COOKIE, 'cookies', check), each(FIRST, 'fresh', check)];
  const times = await rounds(contestants, {
    ...context.rounds,
    clocks: { processor: processorClock },
    work: () => {
      const of = (headers) => numbered(count, () => requestOf(headers()));
      const made = {
        bearers: () => of(() => bearerOf(bearer)),
        cookies: () => of(() => cookiesOf(browser)),
        fresh: () => of(() => cookiesOf({ ...browser, access: own.again(browser.access) })),
      };
      return ({ what }) => made[what]();
    },
  });
  const found = (name) => ({ name: `gate.check, ${name}`, times: times(name).map((time) => (time / count) * 1000) });
  const line = (subject) => compare({ subject: found(subject), peer: found(BEARER), kind: 'time', unit: 'µs' });
  // The target is that of a whole request, which is the row above.
  return [line(COOKIE), line(FIRST)];
}

/** The tag of each is another. */
const forgedOf = (token) => `${token.slice(0, -24)}${randomBytes(12).toString('base64url')}${token.slice(-8)}`;

async function forged(context) {
  const { gate, browser } = await nodeGate(newKey('HS256'), ownKey());
  const handle = (request) => gate.handle(request);
  const requestWith = (refreshToken) => ({
    method: 'POST', url: '/auth/refresh', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ refreshToken }),
  });
  const { status } = await handle(requestWith(forgedOf(browser.refresh)));
  assert.equal(status, 401);
  assert.equal((await handle(requestWith(browser.refresh))).status, 200);
  const count = context.scaled(NODE_BATCH);
  const name = 'gate.handle, a forged refresh token';
  const times = await rounds([each(name, 'forged', handle)], {
    ...context.rounds,
    clocks: { processor: processorClock },
    work: () => () => numbered(count, () => requestWith(forgedOf(browser.refresh))),
  });
  const subject = { name, times: times(name).map((time) => (time / count) * 1000) };
  return [compareWithTarget({ subject, value: FORGED_MICROS, unit: 'µs' })];
}

export const SESSION_ROWS = [
  { id: 'session', about: 'A session’s cookie in front of a service binding, with a snapshot of revocations', run: worker },
  { id: 'session-node', about: 'A session’s cookie in Node', run: inNode },
  { id: 'refresh-forged', about: 'A refresh token that somebody has made up', run: forged },
];
