// Limits: they are exact under concurrency, count all or nothing, are told in headers, and survive restarts.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  admitted, apiKey, freshIp, gateWorker, policy, refused, start, startGate, temporaryFolder, token,
} from './harness.mjs';
import { control, faultyCounters, faultyWorkers } from './stores.mjs';
import { nowSecs } from './token.mjs';

// The windows are long: no test may depend on its speed or cross the boundary of a window.
const HOUR = 3600;
const MONTH = 31 * 24 * HOUR;
const N = 40;

const limit = (name, requests, more = {}) => ({
  name, by: 'caller', requests, window_secs: HOUR, algorithm: 'sliding-window', store: 'durable-object', ...more,
});
const route = (path, ...limits) => ({ path, limits });

const LIMITED = policy({
  limits: [
    limit('fixed', N, { algorithm: 'fixed-window', window_secs: MONTH }),
    limit('sliding', N),
    limit('bucket', N, { algorithm: 'token-bucket', window_secs: MONTH }),
    limit('bucket-burst', N, { algorithm: 'token-bucket', window_secs: MONTH, burst: 10 }),
    limit('fixed-memory', N, { algorithm: 'fixed-window', window_secs: MONTH, store: 'memory' }),
    limit('sliding-memory', N, { store: 'memory' }),
    limit('bucket-memory', N, { algorithm: 'token-bucket', window_secs: MONTH, store: 'memory' }),
    limit('small', 3),
    limit('large', 10),
    limit('large-by-ip', 10, { by: 'ip' }),
    limit('large-in-memory', 10, { store: 'memory' }),
    limit('bound', 6, { store: 'binding', binding: 'LIMITER', window_secs: 60 }),
    limit('by-subject', 2, { by: 'subject' }),
    limit('by-key', 2, { by: 'api_key' }),
    limit('by-ip', 2, { by: 'ip' }),
    limit('by-issuer', 2, { by: 'issuer' }),
    limit('by-route', 2, { by: ['caller', 'route'] }),
    limit('by-both', 2, { by: ['caller', 'ip'] }),
    limit('quick', 1, { algorithm: 'token-bucket', window_secs: 1 }),
    limit('minute', 5, { window_secs: 60 }),
  ],
  routes: [
    route('/fixed', 'fixed'), route('/sliding', 'sliding'), route('/bucket', 'bucket'), route('/burst', 'bucket-burst'),
    route('/memory/fixed', 'fixed-memory'), route('/memory/sliding', 'sliding-memory'), route('/memory/bucket', 'bucket-memory'),
    route('/both', 'large', 'small'), route('/large', 'large'), route('/small', 'small'),
    route('/groups', 'large-by-ip', 'small'), route('/large-by-ip', 'large-by-ip'),
    route('/stores', 'large-in-memory', 'small'), route('/large-in-memory', 'large-in-memory'),
    route('/binding', 'bound'), route('/binding-and-small', 'bound', 'small'),
    route('/subject', 'by-subject'), route('/key', 'by-key'), { ...route('/ip', 'by-ip'), auth: 'none' },
    route('/issuer', 'by-issuer'), route('/route/a', 'by-route'), route('/route/b', 'by-route'), route('/caller-and-ip', 'by-both'),
    route('/quick', 'quick'), route('/minute', 'minute'),
    { path: '/expensive', limits: ['large'], cost: 4 },
    { path: '/scoped', limits: ['small'], scopes: { all: ['admin'] } },
    { path: '/maybe', auth: 'optional', limits: ['small'] },
  ],
});

const ratelimits = { LIMITER: { namespace_id: '1', simple: { limit: 6, period: 60 } } };

let gate;
let faulty;

before(async () => {
  const onError = (on_error) => policy({
    limits: [limit('limited', 5, { on_error })], routes: [route('/v1/limited', 'limited')],
  });
  gate = await start([
    gateWorker({ policy: LIMITED, worker: { ratelimits } }),
    gateWorker({ name: 'legacy', policy: { ...LIMITED, legacy_headers: true }, worker: { ratelimits } }),
    gateWorker({ name: 'deny', policy: onError('deny'), worker: faultyCounters }),
    gateWorker({ name: 'allow', policy: onError('allow'), worker: faultyCounters }),
    gateWorker({ name: 'two-tries', policy: policy({ failed_authentication: { requests: 2, window_secs: HOUR } }) }),
    gateWorker({ name: 'no-limit', policy: policy({ failed_authentication: { enabled: false } }) }),
    gateWorker({ name: 'real-ip', policy: policy({ client_ip_header: 'X-Real-IP' }) }),
    ...faultyWorkers,
  ]);
  faulty = await control(gate, 'faulty-counters');
});
after(() => gate.dispose());

const newCaller = (claims = {}) => token({ sub: randomUUID(), ...claims });

/** Sends the same request this many times at once. Returns the answers. */
async function atOnce(count, path, bearer) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: count });
  try {
    return await Promise.all(Array.from({ length: count }, () => gate.get(path, { token: bearer, agent })));
  } finally {
    agent.destroy();
  }
}

/** Fails unless exactly so many were admitted and all others limited. */
function assertAdmitted(answers, expected) {
  const good = answers.filter((answer) => answer.status === 200);
  for (const answer of answers) if (answer.status !== 200) refused(answer, 'RATE_LIMITED');
  assert.equal(good.length, expected);
  good.forEach((answer) => admitted(answer));
}

/** Returns how many requests are admitted, one after the other, until one is limited. */
async function untilLimited(path, options = {}) {
  for (let count = 0; count < 100; count += 1) {
    const answer = await gate.get(path, options);
    if (answer.status === 429) {
      refused(answer, 'RATE_LIMITED');
      return count;
    }
    admitted(answer);
  }
  return Infinity;
}

describe(`of 200 requests at once exactly ${N} pass`, () => {
  for (const name of ['fixed', 'sliding', 'bucket', 'memory/fixed', 'memory/sliding', 'memory/bucket']) {
    test(name, async () => {
      const caller = newCaller();
      assertAdmitted(await atOnce(200, `/${name}`, caller), N);
      refused(await gate.get(`/${name}`, { token: caller }), 'RATE_LIMITED');
      admitted(await gate.get(`/${name}`, { token: newCaller() }));
    });
  }

  test('and of a bucket its burst', async () => {
    assertAdmitted(await atOnce(200, '/burst', newCaller()), 10);
  });
});

describe('several limits are all or nothing', () => {
  test('in one object: the one that has room loses nothing to the one that refuses', async () => {
    const bearer = newCaller();
    assert.equal(await untilLimited('/both', { token: bearer }), 3);
    refused(await gate.get('/both', { token: bearer }), 'RATE_LIMITED');
    assert.equal(await untilLimited('/large', { token: bearer }), 7);
  });

  test('the other way round: the small one loses nothing once the large one is used up', async () => {
    const bearer = newCaller();
    assert.equal(await untilLimited('/large', { token: bearer }), 10);
    for (let request = 0; request < 5; request += 1) refused(await gate.get('/both', { token: bearer }), 'RATE_LIMITED');
    assert.equal(await untilLimited('/small', { token: bearer }), 3);
  });

  test('across objects', async () => {
    const [bearer, ip] = [newCaller(), freshIp()];
    assert.equal(await untilLimited('/groups', { token: bearer, ip }), 3);
    for (let request = 0; request < 5; request += 1) refused(await gate.get('/groups', { token: bearer, ip }), 'RATE_LIMITED');
    assert.equal(await untilLimited('/large-by-ip', { token: newCaller(), ip }), 7);
  });

  test('across stores', async () => {
    const bearer = newCaller();
    assert.equal(await untilLimited('/stores', { token: bearer }), 3);
    for (let request = 0; request < 5; request += 1) refused(await gate.get('/stores', { token: bearer }), 'RATE_LIMITED');
    assert.equal(await untilLimited('/large-in-memory', { token: bearer }), 7);
  });

  test('with 200 at once', async () => {
    const bearer = newCaller();
    assertAdmitted(await atOnce(200, '/both', bearer), 3);
    assert.equal(await untilLimited('/large', { token: bearer }), 7);
  });

  test('a binding, which cannot give back, is asked last', async () => {
    const bearer = newCaller();
    assert.equal(await untilLimited('/small', { token: bearer }), 3);
    for (let request = 0; request < 10; request += 1) {
      refused(await gate.get('/binding-and-small', { token: bearer }), 'RATE_LIMITED');
    }
    assert.equal(await untilLimited('/binding', { token: bearer }), 6);
  });

  test('a caller without the scope uses nothing up', async () => {
    const sub = randomUUID();
    for (let request = 0; request < 5; request += 1) {
      refused(await gate.get('/scoped', { token: token({ sub }) }), 'INSUFFICIENT_SCOPE', { scope: 'admin' });
    }
    assert.equal(await untilLimited('/scoped', { token: token({ sub, scope: 'admin' }) }), 3);
  });
});

describe('a limit counts by', () => {
  test('caller: subject of the issuer, key, or address of an anonymous one', async () => {
    const sub = randomUUID();
    assert.equal(await untilLimited('/small', { token: token({ sub }) }), 3);
    assert.equal(await untilLimited('/small', { token: token({ sub, jti: 'another', exp: nowSecs() + 60 }) }), 0);
    assert.equal(await untilLimited('/small', { token: newCaller() }), 3);
    const { key } = await gate.mint({ owner: sub });
    assert.equal(await untilLimited('/small', { key }), 3);
    const ip = freshIp();
    assert.equal(await untilLimited('/maybe', { ip }), 3);
    assert.equal(await untilLimited('/maybe', { ip: freshIp() }), 3);
  });

  test('subject, and then does not concern an API key', async () => {
    assert.equal(await untilLimited('/subject', { token: newCaller() }), 2);
    const { key } = await gate.mint();
    assert.equal(await untilLimited('/subject', { key }), Infinity);
  });

  test('API key, and then does not concern a token', async () => {
    const { key } = await gate.mint();
    assert.equal(await untilLimited('/key', { key }), 2);
    assert.equal(await untilLimited('/key', { token: newCaller() }), Infinity);
  });

  test('address, IPv6 by its /64 and mapped IPv4 as IPv4', async () => {
    const block = randomUUID().slice(0, 4);
    assert.equal(await untilLimited('/ip', { ip: `2001:db8:${block}:1::1` }), 2);
    assert.equal(await untilLimited('/ip', { ip: `2001:db8:${block}:1:ffff::2` }), 0);
    assert.equal(await untilLimited('/ip', { ip: `2001:db8:${block}:2::1` }), 2);
    const ip = freshIp();
    assert.equal(await untilLimited('/ip', { ip }), 2);
    assert.equal(await untilLimited('/ip', { ip: `::ffff:${ip}` }), 0);
  });

  test('address that callers cannot choose', async () => {
    const ip = freshIp();
    const spoofed = () => ({ 'X-Forwarded-For': freshIp(), 'X-Real-IP': freshIp(), 'True-Client-IP': freshIp(), Forwarded: `for=${freshIp()}` });
    admitted(await gate.get('/ip', { ip, headers: spoofed() }));
    admitted(await gate.get('/ip', { ip, headers: spoofed() }));
    refused(await gate.get('/ip', { ip, headers: spoofed() }), 'RATE_LIMITED');
  });

  test('issuer', async () => {
    assert.equal(await untilLimited('/issuer', { token: newCaller() }), 2);
    assert.equal(await untilLimited('/issuer', { token: newCaller() }), 0);
  });

  test('each combination of a list', async () => {
    const bearer = newCaller();
    assert.equal(await untilLimited('/route/a', { token: bearer }), 2);
    assert.equal(await untilLimited('/route/b', { token: bearer }), 2);
    const ip = freshIp();
    assert.equal(await untilLimited('/caller-and-ip', { token: bearer, ip }), 2);
    assert.equal(await untilLimited('/caller-and-ip', { token: bearer, ip: freshIp() }), 2);
    assert.equal(await untilLimited('/caller-and-ip', { token: newCaller(), ip }), 2);
  });
});

test('a route may cost more than one', async () => {
  const bearer = newCaller();
  assert.equal(await untilLimited('/expensive', { token: bearer }), 2);
  assert.equal(await untilLimited('/large', { token: bearer }), 2);
});

test('a binding limits, and tells nothing about what is left', async () => {
  const bearer = newCaller();
  for (let request = 0; request < 6; request += 1) {
    const answer = await gate.get('/binding', { token: bearer });
    admitted(answer);
    assert.equal(answer.headers['ratelimit-policy'], '"bound";q=6;w=60');
    assert.equal(answer.headers.ratelimit, undefined);
  }
  const answer = await gate.get('/binding', { token: bearer });
  refused(answer, 'RATE_LIMITED');
  assert.equal(answer.headers['ratelimit-policy'], '"bound";q=6;w=60');
});

test('the record of a key overrides a limit, down and up', async () => {
  const down = await gate.mint({ limits: { minute: 2 } });
  const up = await gate.mint({ limits: { minute: 7 } });
  const none = await gate.mint();
  assert.equal(await untilLimited('/minute', { key: down.key }), 2);
  assert.equal(await untilLimited('/minute', { key: up.key }), 7);
  assert.equal(await untilLimited('/minute', { key: none.key }), 5);
  const answer = await gate.get('/minute', { key: up.key });
  assert.equal(answer.headers['ratelimit-policy'], '"minute";q=7;w=60');
});

test('a changed override counts from the next request on', async () => {
  const { key, id } = await gate.mint({ limits: { minute: 2 } });
  assert.equal(await untilLimited('/minute', { key }), 2);
  assert.equal((await gate.admin('PATCH', `/keys/${id}`, { limits: { minute: 4 } })).status, 200);
  assert.equal(await untilLimited('/minute', { key }), 2);
});

describe('headers', () => {
  const remaining = (answer) => {
    const match = /^"minute";r=(\d+);t=(\d+)$/.exec(answer.headers.ratelimit);
    assert.ok(match, answer.headers.ratelimit);
    return { left: Number(match[1]), reset: Number(match[2]) };
  };

  test('say what is left and when all is free again, also when nothing is left', async () => {
    const bearer = newCaller();
    for (const left of [4, 3, 2, 1, 0]) {
      const answer = await gate.get('/minute', { token: bearer });
      admitted(answer);
      assert.equal(answer.headers['ratelimit-policy'], '"minute";q=5;w=60');
      const found = remaining(answer);
      assert.equal(found.left, left);
      // A sliding window gives a place back after at most 105 % of the window.
      assert.ok(found.reset > 50 && found.reset <= 63, `t=${found.reset}`);
    }
    const limited = await gate.get('/minute', { token: bearer });
    refused(limited, 'RATE_LIMITED');
    assert.equal(limited.headers['ratelimit-policy'], '"minute";q=5;w=60');
    assert.equal(remaining(limited).left, 0);
    const wait = Number(limited.headers['retry-after']);
    assert.ok(wait > 50 && wait <= 63, `Retry-After: ${wait}`);
    assert.equal(limited.headers['x-ratelimit-limit'], undefined);
  });

  test('name several limits in the order of the route', async () => {
    const answer = await gate.get('/both', { token: newCaller() });
    admitted(answer);
    assert.equal(answer.headers['ratelimit-policy'], `"large";q=10;w=${HOUR}, "small";q=3;w=${HOUR}`);
    assert.match(answer.headers.ratelimit, /^"large";r=9;t=\d+, "small";r=2;t=\d+$/);
  });

  test('are absent where no limit applies', async () => {
    const answer = await gate.get('/elsewhere', { token: newCaller() });
    admitted(answer);
    assert.equal(answer.headers['ratelimit-policy'], undefined);
    assert.equal(answer.headers.ratelimit, undefined);
  });

  test('of the older kind are sent where the policy wants them', async () => {
    const bearer = newCaller();
    const answer = await gate.get('/minute', { token: bearer, gate: 'legacy' });
    assert.equal(answer.headers['x-ratelimit-limit'], '5');
    assert.equal(answer.headers['x-ratelimit-remaining'], '4');
    assert.match(answer.headers['x-ratelimit-reset'], /^\d+$/);
    assert.equal(answer.headers['ratelimit-policy'], '"minute";q=5;w=60');
    const both = await gate.get('/both', { token: bearer, gate: 'legacy' });
    assert.equal(both.headers['x-ratelimit-limit'], '3', 'of the tightest limit');
  });

  test('Retry-After is true: after that many seconds the request passes', async () => {
    const bearer = newCaller();
    admitted(await gate.get('/quick', { token: bearer }));
    const limited = await gate.get('/quick', { token: bearer });
    refused(limited, 'RATE_LIMITED');
    assert.equal(limited.headers['retry-after'], '1');
    await sleep(1000);
    admitted(await gate.get('/quick', { token: bearer }));
  });
});

describe('failed authentication', () => {
  const bad = () => [
    ['INVALID_TOKEN', { token: 'nonsense' }],
    ['INVALID_TOKEN', { token: token({}, { secret: 'x'.repeat(32) }) }],
    ['INVALID_API_KEY', { key: apiKey({ secret: 'x'.repeat(32) }) }],
    ['INVALID_API_KEY', { key: `${apiKey().slice(0, -1)}!` }],
    ['WRONG_ENVIRONMENT', { key: apiKey({ environment: 'live' }) }],
    ['INVALID_API_KEY', { key: apiKey() }],
  ];
  const fail = async (times, options) => {
    for (let attempt = 0; attempt < times; attempt += 1) {
      refused(await gate.get('/elsewhere', { token: 'nonsense', ...options }), 'INVALID_TOKEN');
    }
  };
  const limited = async (options) => {
    const answer = await gate.get('/elsewhere', { token: 'nonsense', ...options });
    refused(answer, 'RATE_LIMITED', { scheme: 'none' });
    return Number(answer.headers['retry-after']);
  };

  test('is limited from the sixth in 15 minutes on, of whatever kind', async () => {
    const ip = freshIp();
    for (const [code, options] of bad().slice(0, 5)) refused(await gate.get('/elsewhere', { ip, ...options }), code);
    for (const [, options] of bad()) refused(await gate.get('/elsewhere', { ip, ...options }), 'RATE_LIMITED');
    const wait = await limited({ ip });
    assert.ok(wait > 800 && wait <= 945, `Retry-After: ${wait}`);
  });

  test('leaves other addresses alone', async () => {
    const ip = freshIp();
    await fail(5, { ip });
    await limited({ ip });
    await fail(1, { ip: freshIp() });
  });

  test('counts an IPv6 network as one', async () => {
    const block = randomUUID().slice(0, 4);
    for (let host = 1; host <= 5; host += 1) await fail(1, { ip: `2001:db8:${block}::${host}` });
    await limited({ ip: `2001:db8:${block}::6` });
    await fail(1, { ip: `2001:db8:${block}:1::1` });
  });

  test('does not lock out a genuine credential, an open route or a missing credential', async () => {
    const ip = freshIp();
    await fail(5, { ip });
    await limited({ ip });
    admitted(await gate.get('/elsewhere', { ip, token: newCaller() }));
    const { key } = await gate.mint();
    admitted(await gate.get('/elsewhere', { ip, key }));
    refused(await gate.get('/elsewhere', { ip }), 'MISSING_CREDENTIALS');
  });

  test('does not count missing, expired and revoked credentials', async () => {
    const ip = freshIp();
    const { key, id } = await gate.mint();
    await gate.admin('DELETE', `/keys/${id}`);
    for (let attempt = 0; attempt < 6; attempt += 1) {
      refused(await gate.get('/elsewhere', { ip }), 'MISSING_CREDENTIALS');
      refused(await gate.get('/elsewhere', { ip, token: token({ exp: 1 }) }), 'TOKEN_EXPIRED');
      refused(await gate.get('/elsewhere', { ip, key: apiKey({ expiryMinutes: 1 }) }), 'API_KEY_EXPIRED');
      refused(await gate.get('/elsewhere', { ip, key }), 'API_KEY_REVOKED');
    }
    await fail(5, { ip });
    await limited({ ip });
  });

  test('of callers locks no administrator out', async () => {
    const ip = freshIp();
    await fail(5, { ip });
    await limited({ ip });
    assert.equal((await gate.admin('GET', '/keys', undefined, { ip })).status, 200);
  });

  test('of an administrator is counted for itself, and the right secret is refused then too', async () => {
    const ip = freshIp();
    const guesses = await Promise.all(Array.from({ length: 500 }, (_, attempt) =>
      gate.admin('GET', '/keys', undefined, { ip, token: `guess-${attempt}`.repeat(5) })));
    const codes = guesses.map((answer) => answer.json().code);
    assert.equal(codes.filter((code) => code === 'INVALID_TOKEN').length, 5);
    assert.equal(codes.filter((code) => code === 'RATE_LIMITED').length, 495);
    refused(await gate.admin('GET', '/keys', undefined, { ip }), 'RATE_LIMITED');
    assert.equal((await gate.admin('GET', '/keys')).status, 200, 'from elsewhere');
    await fail(1, { ip });
    admitted(await gate.get('/elsewhere', { ip, token: newCaller() }));
  });

  test('cannot be hidden behind headers that callers set', async () => {
    const ip = freshIp();
    for (let attempt = 0; attempt < 5; attempt += 1) await fail(1, { ip, headers: { 'X-Forwarded-For': freshIp() } });
    await limited({ ip, headers: { 'X-Forwarded-For': freshIp() } });
  });

  test('comes from the header that the policy names', async () => {
    const headers = { 'X-Real-IP': freshIp() };
    await fail(5, { gate: 'real-ip', headers });
    await limited({ gate: 'real-ip', headers });
    await fail(1, { gate: 'real-ip', headers: { 'X-Real-IP': freshIp() } });
  });

  test('of requests without a known address is counted together', async () => {
    let failed = 0;
    for (const ip of [null, 'not an address', null, '', '999.1.1.1']) {
      await fail(1, { ip });
      failed += 1;
    }
    assert.equal(failed, 5);
    await limited({ ip: null });
  });

  test('can be set and switched off', async () => {
    const ip = freshIp();
    await fail(2, { ip, gate: 'two-tries' });
    await limited({ ip, gate: 'two-tries' });
    await fail(20, { ip, gate: 'no-limit' });
  });
});

describe('when the counters do not answer', () => {
  for (const mode of ['fail', 'hang', 'garbage']) {
    test(`(${mode}) deny refuses, allow admits and says so in the log`, async () => {
      await faulty.set(mode);
      const from = gate.output.lines.length;
      refused(await gate.get('/v1/limited', { token: newCaller(), gate: 'deny' }), 'STORE_UNAVAILABLE');
      admitted(await gate.get('/v1/limited', { token: newCaller(), gate: 'allow' }));
      await gate.output.find((line) => line.includes('"admitted"') && line.includes('counters'), from);
    });
  }
});

test('counts, keys and revocations survive a restart', async () => {
  const folder = temporaryFolder();
  const open = () => startGate({
    policy: LIMITED,
    worker: { ratelimits },
    shared: { resourcePersistencePath: folder },
  });
  const [bearer, revoked] = [newCaller(), newCaller({ jti: randomUUID() })];
  const usual = gate;
  try {
    gate = await open();
    const minted = await gate.mint({ name: 'survivor', limits: { minute: 2 } });
    for (const name of ['fixed', 'sliding', 'bucket']) assertAdmitted(await atOnce(N - 1, `/${name}`, bearer), N - 1);
    admitted(await gate.get('/minute', { key: minted.key }));
    assert.equal((await gate.admin('POST', '/revocations', { token: revoked })).status, 201);
    await gate.dispose();

    gate = await open();
    for (const name of ['fixed', 'sliding', 'bucket']) assert.equal(await untilLimited(`/${name}`, { token: bearer }), 1, name);
    assert.equal(await untilLimited('/minute', { key: minted.key }), 1);
    refused(await gate.get('/elsewhere', { token: revoked }), 'TOKEN_REVOKED');
    const record = await gate.admin('GET', `/keys/${minted.id}`);
    assert.equal(record.json().name, 'survivor');
    await gate.dispose();
  } finally {
    gate = usual;
  }
});
