// Health, and policies that are refused: the caller is told nothing, the log names the place.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { AUDIENCE, ISSUER, ROOT, SECRETS, admitted, freshIp, gateWorker, policy, refused, start, token } from './harness.mjs';
import { control, faultyCounters, faultyKv, faultyWorkers } from './stores.mjs';

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicPem = ec.publicKey.export({ format: 'pem', type: 'spki' });
const publicJwk = ec.publicKey.export({ format: 'jwk' });
const privatePem = ec.privateKey.export({ format: 'pem', type: 'pkcs8' });
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });

const MORE_SECRETS = { ...SECRETS, SHORT: 'x'.repeat(31), EMPTY: '', PUBLIC_PEM: publicPem, PUBLIC_JWK: JSON.stringify(publicJwk) };

const [example] = policy().issuers;
const issuer = (more, without = []) => policy({
  issuers: [Object.fromEntries(Object.entries({ ...example, ...more }).filter(([name]) => !without.includes(name)))],
});
const keys = (more) => policy({ api_keys: { ...policy().api_keys, ...more } });
const limit = (more) => policy({ limits: [{ ...policy().limits[0], ...more }] });
const route = (more) => policy({ routes: [{ path: '/a', ...more }] });

/** Each policy, and what the log says about it: the path, and what is wrong there. */
const REFUSED = {
  'no policy': [undefined, /^there is no variable POLICY$/],
  'a policy that is a number': [7, /POLICY/],
  'a policy that is a list': [[], /./],
  'a policy of text that is no JSON': ['{"issuers":', /./],
  'a policy of text with something behind it': [`${JSON.stringify(policy())} x`, /./],
  'an unknown field': [policy({ isuers: [] }), /^isuers: /],
  'an unknown field of an issuer': [issuer({ audiences: ['a'] }), /^issuers\[0\]\.audiences: /],
  'an unknown field of a route': [route({ scope: 'a' }), /^routes\[0\]\.scope: /],
  'an unknown field of scopes': [route({ scopes: { every: ['a'] } }), /^routes\[0\]\.scopes\.every: /],
  'issuers that are an object': [policy({ issuers: {} }), /^issuers: /],
  'an empty issuer': [issuer({ issuer: '' }), /^issuers\[0\]\.issuer: expected a non-empty string$/],
  'the same issuer twice': [policy({ issuers: [example, example] }), /^issuers\[1\]\.issuer: /],
  'no audience': [issuer({}, ['audience']), /^issuers\[0\]\.audience: expected a non-empty list$/],
  'an empty audience': [issuer({ audience: [] }), /^issuers\[0\]\.audience: expected a non-empty list$/],
  'an audience that is empty text': [issuer({ audience: [''] }), /^issuers\[0\]\.audience: expected a non-empty list$/],
  'an audience that is a number': [issuer({ audience: [7] }), /^issuers\[0\]\.audience\[0\]: /],
  'alg none': [issuer({ algorithms: ['none'] }), /^issuers\[0\]\.algorithms\[0\]: expected an algorithm like /],
  'an algorithm in small letters': [issuer({ algorithms: ['hs256'] }), /^issuers\[0\]\.algorithms\[0\]: /],
  'two algorithms for a secret': [issuer({ algorithms: ['HS256', 'HS512'] }), /^issuers\[0\]\.algorithms: expected exactly one /],
  'a public-key algorithm for a secret': [issuer({ algorithms: ['RS256'] }), /^issuers\[0\]\.(secret|algorithms): /],
  'no key': [issuer({}, ['secret']), /^issuers\[0\]: expected exactly one of secret, secrets, jwks, pem, jwks_uri, discovery$/],
  'two kinds of keys': [issuer({ algorithms: ['ES256'], pem: publicPem }), /^issuers\[0\]: expected exactly one of secret, secrets, jwks, pem, jwks_uri, discovery$/],
  'a secret that is not bound': [issuer({ secret: 'NOWHERE' }), /^issuers\[0\]\.secret: there is no secret named NOWHERE$/],
  'a secret of 31 bytes': [issuer({ secret: 'SHORT' }), /^issuers\[0\]\.secret: .*31 bytes.*32/],
  'an empty secret': [issuer({ secret: 'EMPTY' }), /^issuers\[0\]\.secret: /],
  'a secret too short for HS512': [issuer({ secret: 'SHORT', algorithms: ['HS512'] }), /^issuers\[0\]\.secret: .*64/],
  'a public key as secret': [issuer({ secret: 'PUBLIC_PEM' }), /^issuers\[0\]\.secret: .*PEM/],
  'a JWK as secret': [issuer({ secret: 'PUBLIC_JWK' }), /^issuers\[0\]\.secret: .*JWK/],
  'no algorithm for a PEM': [issuer({ pem: publicPem, algorithms: [] }, ['secret']), /^issuers\[0\]\.algorithms: expected a non-empty list$/],
  'a PEM of another kind': [issuer({ pem: publicPem, algorithms: ['RS256'] }, ['secret']), /^issuers\[0\]\.algorithms: no key serves RS256$/],
  'a private key': [issuer({ pem: privatePem, algorithms: ['ES256'] }, ['secret']), /^issuers\[0\]\.pem: .*private/i],
  'a PEM that is none': [issuer({ pem: 'MFkw', algorithms: ['ES256'] }, ['secret']), /^issuers\[0\]\.pem: /],
  'HMAC with a public key': [issuer({ pem: publicPem, algorithms: ['HS256'] }, ['secret']), /^issuers\[0\]\.algorithms: /],
  'HMAC beside another algorithm': [issuer({ jwks: { keys: [publicJwk] }, algorithms: ['ES256', 'HS256'] }, ['secret']), /^issuers\[0\]\.algorithms: /],
  'an empty JWKS': [issuer({ jwks: { keys: [] }, algorithms: ['ES256'] }, ['secret']), /^issuers\[0\]\.jwks: /],
  'a JWKS that is a list': [issuer({ jwks: [publicJwk], algorithms: ['ES256'] }, ['secret']), /^issuers\[0\]\.jwks: /],
  'RSA of 1024 bits': [issuer({ jwks: { keys: [weakRsa] }, algorithms: ['RS256'] }, ['secret']), /^issuers\[0\]\.jwks: .*1024 bits.*2048/],
  'a JWKS URI without TLS': [issuer({ jwks_uri: 'http://keys.test/jwks', algorithms: ['RS256'] }, ['secret']), /^issuers\[0\]\.jwks_uri: expected an https URL/],
  'a JWKS URI that looks like loopback': [issuer({ jwks_uri: 'http://127.0.0.1.keys.test/', algorithms: ['RS256'] }, ['secret']), /^issuers\[0\]\.jwks_uri: /],
  'a JWKS URI with a user': [issuer({ jwks_uri: 'https://user@keys.test/', algorithms: ['RS256'] }, ['secret']), /^issuers\[0\]\.jwks_uri: /],
  'HMAC keys from a URI': [issuer({ jwks_uri: 'https://keys.test/', algorithms: ['HS256'] }, ['secret']), /^issuers\[0\]\.algorithms: /],
  'a tolerance of an hour': [issuer({ clock_tolerance_secs: 3600 }), /^issuers\[0\]\.clock_tolerance_secs: expected at most 600 seconds$/],
  'a negative tolerance': [issuer({ clock_tolerance_secs: -1 }), /^issuers\[0\]\.clock_tolerance_secs: /],
  'a token length of 0': [policy({ max_token_length: 0 }), /max_token_length: /],
  'no environment': [keys({ environment: '' }), /^api_keys.*environment/],
  'an environment in capitals': [keys({ environment: 'LIVE' }), /^api_keys.*environment/],
  'no prefixes': [keys({ prefixes: [] }), /^api_keys.*prefix/],
  'a prefix that is none': [keys({ prefixes: [{ prefix: 'a-b' }] }), /^api_keys.*prefix/],
  'the same prefix twice': [keys({ prefixes: [{ prefix: 'sk' }, { prefix: 'sk' }] }), /^api_keys\.prefixes\[1\]\.prefix: /],
  'a prefix scope with a space': [keys({ prefixes: [{ prefix: 'sk', scopes: ['a b'] }] }), /^api_keys\.prefixes\[0\]\.scopes\[0\]: /],
  'no signing keys': [keys({ signing_keys: [] }), /^api_keys\.signing_keys: /],
  'a signing secret that is not bound': [keys({ signing_keys: [{ id: 1, secret: 'NOWHERE' }] }), /^api_keys\.signing_keys\[0\]\.secret: there is no secret named NOWHERE$/],
  'a short signing secret': [keys({ signing_keys: [{ id: 1, secret: 'SHORT' }] }), /^api_keys\.signing_keys\[0\]\.secret: .*31 bytes/],
  'the same signing key twice': [keys({ signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }, { id: 1, secret: 'JWT_SECRET' }] }), /^api_keys\.signing_keys.*: /],
  'a signing key 256': [keys({ signing_keys: [{ id: 256, secret: 'API_KEY_SECRET' }] }), /^api_keys\.signing_keys\[0\]\.id: /],
  'records of an unknown kind': [keys({ records: 'maybe' }), /^api_keys\.records: /],
  'a cache of a day': [keys({ cache_secs: 86400 }), /^api_keys\.cache_secs: expected at most 3600 seconds$/],
  'a revocation cache of a day': [policy({ revocation: { cache_secs: 86400 } }), /^revocation\.cache_secs: /],
  'an unknown mode of revocation': [policy({ revocation: { mode: 'hope' } }), /^revocation\.mode: /],
  'an unknown on_error': [policy({ revocation: { on_error: 'ignore' } }), /^revocation\.on_error: /],
  'a limit without requests': [limit({ requests: 0 }), /^limits\[0\]\.?.*requests: expected at least 1$/],
  'a limit without a window': [limit({ window_secs: 0 }), /^limits\[0\]\.?.*window_secs: /],
  'a limit of a year': [limit({ window_secs: 31536000 }), /^limits\[0\]\.?.*window_secs: /],
  'a limit with a strange name': [limit({ name: 'a "b"' }), /^limits\[0\]\.name: /],
  'the same limit twice': [policy({ limits: [policy().limits[0], policy().limits[0]] }), /^limits\[1\]\.name: /],
  'an unknown algorithm': [limit({ algorithm: 'leaky' }), /^limits\[0\]\.algorithm: /],
  'an unknown store': [limit({ store: 'redis' }), /^limits\[0\]\.store: /],
  'a limit by an unknown thing': [limit({ by: 'moon' }), /^limits\[0\]\.by: expected caller, subject, /],
  'a limit by nothing': [limit({ by: [] }), /^limits\[0\]\.by: expected a non-empty list$/],
  'a burst without a bucket': [limit({ burst: 5 }), /^limits\[0\]\.burst: expected with token-bucket only$/],
  'a burst of 0': [limit({ algorithm: 'token-bucket', burst: 0 }), /^limits\[0\]\.?.*burst: /],
  'a binding without a name': [limit({ store: 'binding' }), /^limits\[0\]\.binding: /],
  'a binding beside another store': [limit({ binding: 'X' }), /^limits\[0\]\.binding: /],
  'a binding that is not bound': [limit({ store: 'binding', binding: 'NOWHERE' }), /NOWHERE/],
  'a route without a slash': [route({ path: 'a' }), /^routes\[0\]\.path: expected a path that begins with a slash$/],
  'a star in the middle': [route({ path: '/a/*/b' }), /^routes\[0\]\.path: /],
  'a dot segment in a route': [route({ path: '/a/../b' }), /^routes\[0\]\.path: /],
  'a method in small letters': [route({ methods: ['get'] }), /^routes\[0\]\.methods\[0\]: expected a method in capitals, like GET$/],
  'no methods': [route({ methods: [] }), /^routes\[0\]\.methods: expected a non-empty list$/],
  'an unknown kind of auth': [route({ auth: 'perhaps' }), /^routes\[0\]\.auth: /],
  'a credential that is not configured': [policy({ api_keys: undefined, routes: [{ path: '/a', accept: ['api_key'] }] }), /^routes\[0\]\.accept\[0\]: there is no api_keys section$/],
  'no credential accepted': [route({ accept: [] }), /^routes\[0\]\.accept: /],
  'an open route with scopes': [route({ auth: 'none', scopes: { all: ['a'] } }), /^routes\[0\]\.scopes: a route with auth = none has no scopes$/],
  'an open route that accepts something': [route({ auth: 'none', accept: ['jwt'] }), /^routes\[0\]\.accept: /],
  'a scope with a quote': [route({ scopes: { any: ['a', 'b"'] } }), /^routes\[0\]\.scopes\.any\[1\]: /],
  'a limit that does not exist': [route({ limits: ['unknown'] }), /^routes\[0\]\.limits\[0\]: no limit has this name$/],
  'the same limit on a route twice': [route({ limits: ['limited', 'limited'] }), /^routes\[0\]\.limits\[1\]: this limit is listed already$/],
  'a route that costs more than its limit allows': [route({ limits: ['limited'], cost: 6 }), /^routes\[0\]\.cost: /],
  'a route that is never reached': [policy({ routes: [{ path: '/a/*' }, { path: '/a/b', auth: 'none' }] }), /^routes\[1\]: is never reached, routes\[0\] matches first$/],
  'an upstream that is no URL': [policy({ upstream: 'api.example.com' }), /^upstream: expected a URL like https:\/\/api\.example\.com$/],
  'an upstream with a query': [policy({ upstream: 'https://api.example.com?a' }), /^upstream: /],
  'an upstream with a user': [policy({ upstream: 'https://a:b@api.example.com' }), /^upstream: /],
  'an upstream of another scheme': [policy({ upstream: 'file:///etc/passwd' }), /^upstream: /],
  'a prefix of the gate without a slash': [policy({ auth_prefix: 'auth' }), /^auth_prefix: /],
  'a prefix of the gate that is everything': [policy({ auth_prefix: '/' }), /^auth_prefix: /],
  'a cookie with a strange name': [policy({ cookie: 'a=b' }), /^cookie: /],
  'a header with a strange name': [policy({ client_ip_header: 'X Real IP' }), /^client_ip_header: /],
  'a header of forward-auth with a strange name': [policy({ forward_auth: { client_ip_header: 'a:b' } }), /^forward_auth\.client_ip_header: /],
  'failed authentication of 0': [policy({ failed_authentication: { requests: 0 } }), /^failed_authentication.*requests: /],
  'an administrator without a secret': [policy({ admin: {} }), /^admin.*secret/],
  'an administrator whose secret is not bound': [policy({ admin: { secret: 'NOWHERE' } }), /^admin\.secret: there is no secret named NOWHERE$/],
  'an administrator with a short secret': [policy({ admin: { secret: 'SHORT' } }), /^admin\.secret: .*31 bytes/],
  'an unknown kind of log': [policy({ log: 'everything' }), /^log: /],
};

/** Bindings that the policy needs and that are not there. */
const UNBOUND = {
  'no KV namespace': [{ kvNamespaces: [] }, /^EDGEGATE_KV: /],
  'no Durable Object namespace': [{ durableObjects: {} }, /^EDGEGATE_COUNTERS: /],
  'no Durable Object namespace for proofs': [
    { durableObjects: {} }, /^dpop\.replays: expected the Durable Object binding EDGEGATE_COUNTERS$/,
    policy({ dpop: { replays: 'durable-object' }, limits: [], routes: [] }),
  ],
};

let gate;
let kv;
let counters;

before(async () => {
  const unused = policy({ api_keys: undefined, revocation: undefined, limits: [], routes: [] });
  gate = await start([
    gateWorker({ policy: policy() }),
    gateWorker({ name: 'text', policy: JSON.stringify(policy()) }),
    gateWorker({ name: 'unused', policy: unused }),
    gateWorker({ name: 'bare', policy: unused, worker: { kvNamespaces: [], durableObjects: {} } }),
    gateWorker({ name: 'faulty', policy: policy(), worker: faultyKv }),
    gateWorker({ name: 'crowded', policy: policy(), worker: faultyKv }),
    gateWorker({ name: 'deserted', policy: policy(), worker: faultyKv }),
    gateWorker({ name: 'faulty-too', policy: policy(), worker: faultyCounters }),
    gateWorker({ name: 'nothing', policy: {} }),
    ...faultyWorkers,
  ]);
  kv = await control(gate, 'faulty-kv');
  counters = await control(gate, 'faulty-counters');
});
after(() => gate.dispose());

async function health(name, from = gate) {
  const answer = await from.get('/auth/health', { gate: name });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['cache-control'], 'no-store');
  const { version, ...report } = answer.json();
  assert.equal(version, /^version = "(.+)"/m.exec(readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8'))[1]);
  return report;
}

describe('health', () => {
  test('is ok, without a credential, and with a bad one too', async () => {
    assert.deepEqual(await health('gate'), { status: 'ok', bindings: { kv: 'ok', counters: 'ok' } });
    assert.equal((await gate.get('/auth/health', { token: 'nonsense', key: 'nonsense' })).status, 200);
    const head = await gate.request('HEAD', '/auth/health');
    assert.equal(head.status, 200);
    assert.equal(head.text, '');
  });

  test('distinguishes stores that the policy does not use from stores that are not bound', async () => {
    assert.deepEqual(await health('unused'), { status: 'ok', bindings: { kv: 'unused', counters: 'unused' } });
    assert.deepEqual(await health('bare'), { status: 'ok', bindings: { kv: 'missing', counters: 'missing' } });
  });

  test('is degraded while a store does not answer', async () => {
    await kv.set('fail');
    assert.deepEqual(await health('faulty'), { status: 'degraded', bindings: { kv: 'failing', counters: 'ok' } });
    await kv.set('ok');
    await counters.set('fail');
    assert.deepEqual(await health('faulty-too'), { status: 'degraded', bindings: { kv: 'ok', counters: 'failing' } });
  });

  test('does not ask the stores for every caller', async () => {
    const operations = await kv.operationsDuring(async () => {
      for (let count = 0; count < 20; count += 1) await health('faulty');
    });
    assert.ok(operations <= 1, `${operations} operations`);
  });

  test('asks them once for all callers of the same moment', async () => {
    await kv.set('slow');
    const reports = [];
    const operations = await kv.operationsDuring(async () => {
      reports.push(...await Promise.all(Array.from({ length: 50 }, () => health('crowded'))));
    });
    assert.equal(operations, 1);
    const answered = reports.filter(({ bindings }) => bindings.kv === 'ok');
    const unasked = reports.filter(({ bindings }) => bindings.kv === 'unasked' && bindings.counters === 'unasked');
    assert.ok(answered.length >= 1);
    assert.equal(answered.length + unasked.length, 50);
    assert.deepEqual(await health('crowded'), { status: 'ok', bindings: { kv: 'ok', counters: 'ok' } });
  });

  test('keeps their answers though the caller has gone', async () => {
    await kv.set('slow');
    const before = await kv.operations();
    await gate.hangUp('/auth/health', { gate: 'deserted', wanted: async () => (await kv.operations()) > before });
    await pause(1000);
    assert.deepEqual(await health('deserted'), { status: 'ok', bindings: { kv: 'ok', counters: 'ok' } });
    assert.equal(await kv.operations(), before + 1);
    await kv.set('ok');
  });
});

test('a policy of JSON text is as good as an object', async () => {
  admitted(await gate.get('/', { gate: 'text', token: token() }));
});

test('a policy that trusts nobody admits nobody', async () => {
  refused(await gate.get('/', { gate: 'nothing' }), 'MISSING_CREDENTIALS');
  refused(await gate.get('/', { gate: 'nothing', token: token() }), 'INVALID_TOKEN');
});

// The time of Miniflare's start grows with the square of the number of workers, so they are started a few at a time.
const AT_ONCE = 6;
const cases = Object.entries({ ...REFUSED, ...UNBOUND });

describe('a policy is refused with', () => {
  for (let first = 0; first < cases.length; first += AT_ONCE) {
    const some = cases.slice(first, first + AT_ONCE);

    describe(`(${first + 1} to ${first + some.length})`, () => {
      let gates;

      before(async () => {
        const workers = some.map(([what, [given, , needs = policy()]], index) => (what in UNBOUND
          ? gateWorker({ name: `gate-${index}`, policy: needs, secrets: MORE_SECRETS, worker: given })
          : gateWorker({ name: `gate-${index}`, policy: given, secrets: MORE_SECRETS })));
        // Words that must not be in the log; EMPTY is in every line.
        gates = await start(workers, { secrets: [...Object.values(MORE_SECRETS).filter(Boolean), privatePem.split('\n')[1], publicJwk.x] });
      });
      after(() => gates.dispose());

      some.forEach(([what, [given, expected]], index) => test(what, async () => {
        const name = `gate-${index}`;
        const from = gates.output.lines.length;
        const answer = await gates.get('/public/a', { gate: name, token: token() });
        const { hint } = refused(answer, 'CONFIG_ERROR');
        assert.doesNotMatch(hint, /issuers|routes|limits|secret/, 'the caller is told about the policy');
        const line = await gates.output.find((one) => one.includes('config_error'), from);
        const event = JSON.parse(line.slice(line.indexOf('{')));
        assert.equal(event.event, 'config_error');
        assert.match(event.detail, expected);
        // Every path but health answers like this, again and again.
        for (const [method, target] of [
          ['GET', '/'], ['OPTIONS', '/public/a'], ['GET', '/auth/verify'], ['GET', '/auth/admin/keys'], ['GET', '/.well-known/jwks.json'], ['GET', '//'],
        ]) {
          refused(await gates.request(method, target, { gate: name }), 'CONFIG_ERROR');
        }
        const bound = (binding) => (what in UNBOUND && given[binding] !== undefined ? 'missing' : 'unused');
        assert.deepEqual(await health(name, gates), {
          status: 'misconfigured', bindings: { kv: bound('kvNamespaces'), counters: bound('durableObjects') },
        });
        assert.equal(gates.output.lines.slice(from).filter((one) => one.includes('config_error')).length, 1, 'logged once');
      }));
    });
  }
});

describe('what is logged', () => {
  test('by default: refusals, with the address as limits count it, and no admitted request', async () => {
    const from = gate.output.lines.length;
    const ip = freshIp();
    admitted(await gate.get('/logged', { ip, token: token({ sub: 'not-to-be-logged' }) }));
    refused(await gate.get('/logged?secret=query', { ip: '2001:db8:1:2:3:4:5:6' }), 'MISSING_CREDENTIALS');
    const line = await gate.output.find((one) => one.includes('MISSING_CREDENTIALS') && one.includes('2001:db8:1:2::/64'), from);
    const { at, ...event } = JSON.parse(line.slice(line.indexOf('{')));
    assert.ok(Math.abs(at - Date.now()) < 60_000);
    assert.deepEqual(event, {
      event: 'refused', code: 'MISSING_CREDENTIALS', reason: 'missing_credentials', detail: 'no credential was presented',
      method: 'GET', route: '/*', client: '2001:db8:1:2::/64',
    });
    const since = gate.output.lines.slice(from).join('\n');
    assert.ok(!since.includes('not-to-be-logged'));
    assert.ok(!since.includes('secret=query'));
    assert.ok(!since.includes(ISSUER) || !since.includes(AUDIENCE));
  });
});
