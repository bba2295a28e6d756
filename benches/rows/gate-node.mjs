// `gate.check` by itself in Node: a decision with a limit in memory, beside the check of the credential alone, and beside what a user
// would write with jose or fast-jwt and a Map.

import assert from 'node:assert/strict';

import { createApiKeys, createGate, createVerifier } from '../../pkg/wasm/node.js';
import { refusals } from '../lib/agree-gates.mjs';
import { compare, compareWithTarget, processorClock, rounds } from '../lib/measure.mjs';
import { AUDIENCE, ISSUER } from '../lib/names.mjs';
import { fastJwt } from '../lib/peers-node.mjs';
import { joseWith, webKey } from '../lib/peers-web.mjs';
import { fresh, newKey, newToken } from '../lib/tokens.mjs';
import { mapLimiter } from '../peers/limiter.mjs';
import { nodePolicy } from '../peers/node-policy.mjs';
import { hasScope } from '../peers/scopes.mjs';

const CHECK_MICROS = 9;
const CALLERS = 500;
const WIDE = 1_000_000_000;
const NARROW = 3;
const WINDOW_MILLIS = 60_000;
const TOKENS = 1500;

const CHECK = 'gate.check';
const SYNC = 'verifySync';
const KEY_CHECK = 'gate.check, an API key';
const KEYS = 'keys.verify';
const FAST = 'fast-jwt and a Map';
const JOSE = 'jose and a Map';

const requestOf = (headers) => ({
  method: 'GET', url: '/v1/posts', headers: { host: 'api.example.com', 'user-agent': 'bench', accept: 'application/json', ...headers },
});
const withToken = (token) => requestOf({ authorization: `Bearer ${token}` });

const REFUSED = (status) => ({ ok: false, status });

/** A decision written by hand around `verify`, which throws, at once or later. */
function byHand(verify, requests) {
  const allows = mapLimiter({ requests, windowMillis: WINDOW_MILLIS });
  return async ({ method, url, headers: { authorization } }) => {
    if (method !== 'GET' || url !== '/v1/posts') return REFUSED(404);
    if (!authorization?.startsWith('Bearer ')) return REFUSED(401);
    let claims;
    try {
      claims = await verify(authorization.slice('Bearer '.length));
    } catch {
      return REFUSED(401);
    }
    if (!hasScope(claims.scope, 'read:posts')) return REFUSED(403);
    if (!allows(claims.sub)) return REFUSED(429);
    return { ok: true, identity: { method: 'jwt', subject: claims.sub, issuer: claims.iss, scopes: claims.scope.split(' ') } };
  };
}

/** Fails unless the contestant decides as all have to. */
async function assertDecides(name, decide, narrow, key) {
  const { ok, identity } = await decide(withToken(newToken(key, { sub: 'alice' })));
  assert.deepEqual([ok, identity?.subject, identity?.issuer], [true, 'alice', ISSUER], name);
  assert.equal((await decide(requestOf({}))).status, 401, `${name}, without a credential`);
  for (const [fault, token, status] of refusals(key)) assert.equal((await decide(withToken(token))).status, status, `${name}, a token with ${fault}`);
  const found = [];
  for (let count = 0; count <= NARROW; count += 1) found.push((await narrow(withToken(newToken(key, { sub: 'alice' })))).ok);
  assert.deepEqual(found, [...Array.from({ length: NARROW }, () => true), false], `${name}, the limit`);
}

/** Contestants that take the requests of a batch, one after the other. */
const each = (name, what, call) => ({
  name,
  what,
  run: async (given) => {
    let last;
    for (let index = 0; index < given.length; index += 1) last = await call(given[index]);
    return last;
  },
});

const atOnce = (name, what, call) => ({
  name,
  what,
  run: (given) => {
    let last;
    for (let index = 0; index < given.length; index += 1) last = call(given[index]);
    return last;
  },
});

/** The decisions on a token, proven. */
async function tokenContestants(key) {
  const { secret } = key;
  const gate = (limit) => {
    const made = createGate(nodePolicy({ issuer: ISSUER, audience: AUDIENCE, limit }), { secrets: { JWT_SECRET: secret } });
    return (request) => made.check(request);
  };
  const fast = fastJwt(key);
  const jose = joseWith(await webKey(key), key);
  const makers = { [CHECK]: gate, [FAST]: (limit) => byHand(fast, limit), [JOSE]: (limit) => byHand(jose, limit) };
  const found = [];
  for (const [name, make] of Object.entries(makers)) {
    const decide = make(WIDE);
    await assertDecides(name, decide, make(NARROW), key);
    found.push(each(name, 'requests', decide));
  }
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, algorithms: ['HS256'], key: key.keyObject, cache: false });
  return [...found, atOnce(SYNC, 'tokens', (token) => verifier.verifySync(token).claims)];
}

async function keyContestants(secret) {
  const keys = createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret }] });
  const { issuers: _, routes, ...rest } = nodePolicy({ limit: WIDE });
  const gate = createGate({
    ...rest,
    api_keys: {
      prefixes: [{ prefix: 'sk', scopes: ['read:posts'] }], environment: 'live', signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }], records: 'none',
    },
    routes,
  }, { secrets: { API_KEY_SECRET: secret } });
  const { key, id } = keys.mint();
  const { ok, identity } = await gate.check(requestOf({ 'x-api-key': key }));
  assert.deepEqual([ok, identity?.keyId], [true, id]);
  assert.equal((await gate.check(requestOf({ 'x-api-key': `${key}0` }))).status, 401);
  return {
    keys,
    contestants: [each(KEY_CHECK, 'keyRequests', (request) => gate.check(request)), atOnce(KEYS, 'keys', (text) => keys.verify(text))],
  };
}

async function check(context) {
  const key = newKey('HS256');
  const { keys, contestants } = await keyContestants(key.secret);
  const all = [...await tokenContestants(key), ...contestants];
  const count = context.scaled(TOKENS);
  const callers = Array.from({ length: CALLERS }, () => keys.mint().key);
  const times = await rounds(all, {
    ...context.rounds,
    clocks: { processor: processorClock },
    work: () => {
      const tokens = Array.from({ length: count }, (_, index) => newToken(key, { sub: `caller-${index % CALLERS}` }));
      const minted = tokens.map((_, index) => callers[index % CALLERS]);
      const made = {
        tokens: () => fresh(tokens),
        requests: () => fresh(tokens).map(withToken),
        keys: () => fresh(minted),
        keyRequests: () => fresh(minted).map((text) => requestOf({ 'x-api-key': text })),
      };
      return ({ what }) => made[what]();
    },
  });
  const found = (name, label = name) => ({ name: label, times: times(name).map((time) => (time / count) * 1000) });
  const beside = (name, label, peer) => compare({ subject: found(name, label), peer: found(peer), kind: 'time', unit: 'µs' });
  const label = 'gate.check, HS256 and a memory limit';
  return [
    compareWithTarget({ subject: found(CHECK, label), value: CHECK_MICROS, unit: 'µs' }),
    ...[SYNC, FAST, JOSE].map((peer) => beside(CHECK, label, peer)),
    beside(KEY_CHECK, 'gate.check, an API key and a memory limit', KEYS),
  ];
}

export const GATE_NODE_ROWS = [{ id: 'gate-node', about: 'A decision in Node, fresh tokens', run: check }];
