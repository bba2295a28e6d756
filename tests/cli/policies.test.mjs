// Commands about policies that need no gate: explain --policy, test, diff.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { signHmac } from '../worker/token.mjs';
import { ROOT, installed } from './command-line.mjs';

const ISSUER = { issuer: 'https://login.example/', audience: ['https://api.example'], algorithms: ['HS256'], secret: 'JWT_SECRET' };
const POLICY = {
  issuers: [ISSUER],
  api_keys: { prefixes: [{ prefix: 'sk' }], environment: 'test', signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }] },
  revocation: { mode: 'ledger' },
  limits: [{ name: 'per-caller', by: 'caller', requests: 5, window_secs: 60 }],
  routes: [
    { path: '/public/*', methods: ['GET'], auth: 'none' },
    { path: '/posts/{id}', methods: ['GET'], scopes: { all: ['read'] }, limits: ['per-caller'] },
    { path: '/orgs/{org}', accept: ['jwt'], claims: { org: '{org}' } },
    { path: '/*', scopes: { any: ['admin', 'root'] }, ips: ['10.0.0.0/8'] },
  ],
};
const TESTS = {
  policy: 'policy.json',
  now: '2027-01-31T12:00:00Z',
  callers: {
    reader: { token: { scopes: ['read'] } },
    member: { token: { claims: { org: 'acme' } } },
    late: { token: { scopes: ['read'], expires_in: -60 } },
    forger: { token: { scopes: ['read'] }, forged: true },
    gone: { token: { scopes: ['read'] }, revoked: true },
    key: { key: { scopes: ['admin'] } },
    off: { key: { scopes: ['admin'], disabled: true } },
    root: { token: { scopes: ['root'] } },
    page: { headers: { Origin: 'https://page.example', 'Access-Control-Request-Method': 'GET' } },
  },
  cases: [
    { request: ['GET /public/a', 'HEAD /public'], caller: ['nobody', 'forger'], expect: 'admitted' },
    { name: 'who may read, reads', request: 'GET /posts/1', caller: 'reader', expect: { code: 'admitted', route: 'routes[1]', limits: ['per-caller'] } },
    { request: 'GET /posts/1', expect: 'MISSING_CREDENTIALS' },
    { request: 'GET /posts/1', caller: 'late', expect: 'TOKEN_EXPIRED' },
    { request: 'GET /posts/1', caller: 'forger', expect: { code: 'INVALID_TOKEN', reason: 'bad_signature' } },
    { request: 'GET /posts/1', caller: 'gone', expect: 'TOKEN_REVOKED' },
    { request: 'GET /posts/1', caller: ['member', 'key'], expect: { code: 'INSUFFICIENT_SCOPE', step: 'scopes' } },
    { request: 'OPTIONS /posts/1', caller: 'page', expect: 204 },
    { request: 'GET /orgs/acme', caller: 'member', expect: 'admitted' },
    { request: 'GET /orgs/acme', caller: 'reader', expect: { code: 'NOT_ALLOWED', step: 'claims' } },
    { request: 'GET /orgs/other', caller: 'member', expect: 'NOT_ALLOWED' },
    { request: 'GET /orgs/acme', caller: 'key', expect: { status: 401, reason: 'api_key_not_accepted' } },
    { request: 'GET /orgs/acme', expect: 'MISSING_CREDENTIALS' },
    { request: ['DELETE /posts/1', 'PUT https://api.example/x'], caller: ['key', 'root'], ip: '10.0.0.1', expect: 'admitted' },
    { request: 'GET /x', caller: 'key', ip: '192.0.2.1', expect: { code: 'NOT_ALLOWED', step: 'addresses' } },
    { request: ['GET /x', 'POST /public/a'], ip: '10.0.0.1', expect: 'MISSING_CREDENTIALS' },
    { request: 'GET /x', caller: 'reader', ip: '10.0.0.1', expect: 'INSUFFICIENT_SCOPE' },
    { request: 'GET /x', caller: 'off', ip: '10.0.0.1', expect: 'API_KEY_REVOKED' },
  ],
};

let project;
before(async () => {
  project = await installed();
});
after(() => project?.dispose());

const run = (parameters, options) => project.cli(parameters, options);
const write = (name, value) => path.join(project.folder, project.write(name, typeof value === 'string' ? value : JSON.stringify(value)));
const changed = (change) => {
  const copy = structuredClone(POLICY);
  change(copy);
  return copy;
};

describe('explain --policy', () => {
  const SECRET = 'a secret of this test that is long enough';
  const token = (claims = {}) => signHmac({ iss: ISSUER.issuer, aud: ISSUER.audience[0], sub: 'alice', scope: 'read', exp: 4_000_000_000, ...claims }, { secret: SECRET });

  test('by the secrets of .dev.vars, without a gate', async () => {
    const file = write('policy.json', { $schema: './node_modules/edgegate/schema/policy.schema.json', ...POLICY });
    project.write('.dev.vars', `JWT_SECRET=${SECRET}\n`);
    const admits = await run(['explain', 'GET', '/posts/1', '--policy', file, '--bearer', '-'], { input: token() });
    assert.equal(admits.code, 0, admits.stderr);
    assert.match(admits.stdout, /✓ +credential +jwt +routes\[1\]\.auth\n[^]*\? +limits +would be asked: per-caller +routes\[1\]\.limits\n\nadmitted\n$/);
    assert.match(admits.stderr, /not in \.dev\.vars.*API_KEY_SECRET[^]*nothing is revoked/);
    const { code, stdout } = await run(['explain', 'GET', '/orgs/acme', '--policy', file, '--bearer', '-', '--json'], { input: token() });
    assert.equal(code, 1);
    const { route, steps, outcome } = JSON.parse(stdout);
    assert.deepEqual([route, outcome], ['routes[2]', { status: 403, code: 'NOT_ALLOWED', reason: 'claim_not_allowed' }]);
    assert.deepEqual(steps.find(({ verdict }) => verdict === 'refused').policy_path, 'routes[2].claims.org');
    assert.match((await run(['explain', 'GET', '/x', '--policy', file, '--ip', '192.0.2.1'])).stdout, /✗ +addresses .*routes\[3\]\.ips/);
  });

  test('no credential stands in the command line, whatever the policy calls its header', async () => {
    const file = write('headers.json', changed((policy) => {
      policy.api_keys.header = 'X-Customer-Key';
      policy.credential_headers = [{ name: 'X-Partner-Token', issuers: [ISSUER.issuer] }];
    }));
    for (const line of ['x-customer-key: k', 'X-Partner-Token: t', 'Authorization: Bearer x']) {
      const { code, stderr } = await run(['explain', 'GET', '/posts/1', '--policy', file, '--header', line]);
      assert.equal(code, 2, line);
      assert.match(stderr, /a credential does not belong into the command line/);
    }
    assert.equal((await run(['explain', 'GET', '/posts/1', '--policy', file, '--header', 'X-Other: x'])).code, 1);
  });

  test('a policy that is refused, a file that is not there', async () => {
    const broken = write('broken.json', { ...POLICY, routs: [] });
    const { code, stderr } = await run(['explain', 'GET', '/', '--policy', broken]);
    assert.notEqual(code, 0);
    assert.match(stderr, /routs/);
    assert.equal((await run(['explain', 'GET', '/', '--policy', 'nowhere.json'])).code, 2);
  });
});

describe('test', () => {
  test('every case holds; coverage and mutants', async () => {
    write('policy.json', POLICY);
    const file = write('good.test.json', TESTS);
    const done = await run(['test', file, '--fail-under', '100', '--mutants', '--json']);
    assert.equal(done.code, 0, done.stdout + done.stderr);
    const { ok, files: [{ cases, coverage, mutants }] } = done.json();
    assert.ok(ok);
    assert.equal(cases.length, 26);
    assert.ok(cases.every((one) => one.ok && one.outcome.status > 0));
    assert.deepEqual([coverage.percent, coverage.missing], [100, []]);
    assert.deepEqual(coverage.codes, ['API_KEY_REVOKED', 'INSUFFICIENT_SCOPE', 'INVALID_API_KEY', 'INVALID_TOKEN', 'MISSING_CREDENTIALS', 'NOT_ALLOWED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED']);
    assert.ok(mutants.total >= 15, JSON.stringify(mutants));
    assert.deepEqual(mutants.survivors, []);
    const { stderr } = await run(['test', file, '--mutants']);
    assert.match(stderr, /26 of 26 cases hold\n[^]*100 % of \d+ routes and rules are reached[^]*mutants: \d+ of \d+ changes of the policy are noticed \(100 %\)\n$/);
  });

  test('what does not hold is said with the reason, and fails', async () => {
    const file = write('bad.test.json', { ...TESTS, cases: [...TESTS.cases, { name: 'wrong', request: 'GET /posts/1', caller: 'member', expect: 'admitted' }] });
    const { code, stderr } = await run(['test', file]);
    assert.equal(code, 1);
    assert.match(stderr, /✗ cases\[18\] wrong: GET \/posts\/1 by member: expected status 200, found 403; code null, found INSUFFICIENT_SCOPE\n {4}403 INSUFFICIENT_SCOPE \(insufficient_scope\): .*read.* \(routes\[1\]\.scopes\)\n/);
    const { code: failed, stdout } = await run(['test', file, '--json']);
    assert.equal(failed, 1);
    assert.deepEqual(JSON.parse(stdout).files[0].cases.at(-1).wrong, [{ what: 'status', expected: 200, found: 403 }, { what: 'code', expected: null, found: 'INSUFFICIENT_SCOPE' }]);
  });

  test('too little coverage, or a mutant that survives, fails if it is wanted', async () => {
    const file = write('few.test.json', { ...TESTS, cases: TESTS.cases.slice(0, 3) });
    const few = await run(['test', file, '--fail-under', '90', '--mutants', '90', '--json']);
    assert.equal(few.code, 1);
    const { coverage, mutants } = few.json().files[0];
    assert.ok(coverage.percent < 50 && coverage.missing.includes('routes[2].claims.org') && coverage.missing.includes('routes[3]'), JSON.stringify(coverage));
    assert.ok(mutants.survivors.includes('routes[3].ips removed') && mutants.survivors.includes('routes[2].claims removed'), JSON.stringify(mutants));
    assert.ok(!mutants.survivors.includes('routes[1].auth: none'));
    assert.equal((await run(['test', file])).code, 0);
  });

  test('a file that says something else than it may is not taken', async () => {
    for (const [change, wanted] of [
      [{ case: [] }, /: case: is not a known field/],
      [{ cases: [] }, /cases: expected at least one/],
      [{ cases: [{ request: 'GET /', expect: 'admited' }] }, /cases\[0\]\.expect: expected admitted, a code/],
      [{ cases: [{ request: '/posts', expect: 200 }] }, /cases\[0\]\.request: expected a method and a path/],
      [{ cases: [{ request: 'GET /', caller: 'nobdy', expect: 200 }] }, /cases\[0\]\.caller: there is no caller nobdy/],
      [{ cases: [{ request: 'GET /', expect: {} }] }, /expected at least one of status/],
      [{ cases: [{ request: 'GET /', expect: { codes: 1 } }] }, /cases\[0\]\.expect\.codes: is not a known field/],
      [{ callers: { a: {} } }, /callers\.a: expected one of token, key/],
      [{ callers: { a: { token: {}, key: {} } } }, /callers\.a: expected one of/],
      [{ callers: { a: { token: { scope: 'read' } } } }, /callers\.a\.token\.scope: is not a known field/],
      [{ callers: { a: { token: { issuer: 'https://other/' } } } }, /callers\.a: .*is no issuer of the policy/],
      [{ callers: { a: { key: { prefix: 'no' } } } }, /callers\.a: .*prefix/],
      [{ callers: { nobody: { token: {} } } }, /callers\.nobody/],
      [{ now: 'soon' }, /now: expected/],
      [{ policy: 'nowhere.json' }, /nowhere\.json: there is no such file/],
      [{ policy: 'broken.json' }, /broken\.json: .*routs/],
    ]) {
      const callers = change.callers ? { callers: change.callers, cases: [{ request: 'GET /', expect: 401 }] } : {};
      const { code, stderr } = await run(['test', write('odd.test.json', { ...TESTS, ...callers, ...change })]);
      assert.deepEqual([code, wanted.test(stderr)], [2, true], `${JSON.stringify(change)}: ${stderr}`);
    }
    assert.equal((await run(['test', 'nowhere.test.json'])).code, 2);
    assert.equal((await run(['test', write('a.test.json', TESTS), '--fail-under', '101'])).code, 2);
  });

  test('the example of the repository, in TOML, with its wrangler.toml', async () => {
    project.write('wrangler.toml', readFileSync(path.join(ROOT, 'wrangler.toml'), 'utf8'));
    const file = write('example.test.toml', `
[callers.reader]
token = { scopes = ["read:posts"] }
[callers.person]
session = { scopes = ["read:posts"] }
[[cases]]
request = "GET /v1/posts"
caller = ["reader", "person"]
expect = "admitted"
[[cases]]
request = ["GET /v1/posts", "GET /v1/limited"]
expect = "MISSING_CREDENTIALS"
[[cases]]
request = "GET /public/hello"
expect = "admitted"
`);
    const { code, stderr } = await run(['test', file]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /5 of 5 cases hold/);
  });
});

describe('diff', () => {
  async function diff(change, more = []) {
    const before = write('before.json', POLICY);
    const after = write('after.json', typeof change === 'function' ? changed(change) : change);
    const done = await run(['diff', before, after, '--json', ...more]);
    return { code: done.code, stderr: done.stderr, ...(done.stdout && done.json()) };
  }
  const brief = ({ changes }) => changes.map(({ kind, path: at, routes, before, after }) => [kind, at, `${routes.before} ${routes.after}`, `${before} > ${after}`]);

  test('the same policy: nothing', async () => {
    const { code, changes, fields, tried } = await diff(POLICY, ['--fail-on', 'any']);
    assert.deepEqual([code, changes, fields], [0, [], []]);
    assert.ok(tried >= 28, `${tried}`);
  });

  test('a scope less: who gets in, on which route, and the field', async () => {
    const found = await diff((policy) => { delete policy.routes[1].scopes; }, ['--fail-on', 'admitted']);
    assert.equal(found.code, 1);
    assert.deepEqual(brief(found), [['admitted', '/posts/any-1', 'routes[1] routes[1]', '403 INSUFFICIENT_SCOPE (insufficient_scope) > admitted']]);
    assert.deepEqual(found.changes[0].methods, ['GET']);
    assert.ok(found.changes[0].callers.includes('token of https://login.example/ without scopes'));
    assert.ok(found.changes[0].callers.includes('key sk_… without scopes'));
    assert.deepEqual(found.fields, [{ path: 'routes[1].scopes', before: { all: ['read'] } }]);
  });

  test('a network less, a claim more, a route away, a route in front', async () => {
    const network = await diff((policy) => { policy.routes[3].ips = ['10.1.0.0/16']; }, ['--fail-on', 'admitted']);
    assert.deepEqual([network.code, [...new Set(brief(network).map(([kind]) => kind))]], [0, ['refused', 'otherwise']], JSON.stringify(network.changes));
    for (const [from, to, kind] of [[['10.0.0.0/16'], ['10.0.0.0/8'], 'admitted'], [['2001:db8::/32'], ['2001:db8:1::/48', '10.0.0.0/8'], 'refused'], [['10.0.0.0/8'], ['10.0.0.0/9', '10.128.0.0/10', '10.192.0.0/11', '10.224.0.0/11'], undefined]]) {
      const before = write('networks.json', changed((policy) => { policy.routes[3].ips = from; }));
      const after = write('networks-after.json', changed((policy) => { policy.routes[3].ips = to; }));
      const { changes } = (await run(['diff', before, after, '--json'])).json();
      assert.equal(changes.find((one) => one.kind === kind)?.kind, kind, JSON.stringify([from, to, changes]));
      if (kind === undefined) assert.deepEqual(changes, []);
    }
    const claim = await diff((policy) => { policy.routes[2].claims.tier = 'gold'; });
    assert.ok(claim.changes.some(({ kind, callers }) => kind === 'refused' && callers.some((one) => one.includes('org=any-1'))), JSON.stringify(claim.changes));
    const route = await diff((policy) => { policy.routes.shift(); });
    assert.ok(route.changes.some(({ kind, path: at, routes }) => kind === 'refused' && at === '/public' && routes.after === 'routes[2]'), JSON.stringify(route.changes));
    const front = await diff((policy) => { policy.routes.unshift({ path: '/posts/latest', auth: 'none' }); });
    assert.ok(front.changes.some(({ kind, path: at }) => kind === 'admitted' && at === '/posts/latest'), JSON.stringify(front.changes));
  });

  test('an issuer more, another audience, no keys', async () => {
    const issuer = await diff((policy) => { policy.issuers.push({ ...ISSUER, issuer: 'https://new.example/', secret: 'NEW' }); });
    assert.ok(issuer.changes.some(({ kind, callers }) => kind === 'admitted' && callers.some((one) => one.startsWith('token of https://new.example/'))));
    const audience = await diff((policy) => { policy.issuers[0].audience = ['https://other.example']; });
    assert.deepEqual([...new Set(audience.changes.map(({ kind }) => kind))].sort(), ['admitted', 'otherwise', 'refused']);
    const keys = await diff((policy) => { delete policy.api_keys; });
    assert.ok(keys.changes.some(({ kind, callers }) => kind === 'refused' && callers.every((one) => one.startsWith('key sk_…'))), JSON.stringify(keys.changes));
  });

  test('limits, preflights and plain http', async () => {
    const limits = await diff((policy) => { policy.routes[1].limits = []; });
    assert.deepEqual(brief(limits), [['limits', '/posts/any-1', 'routes[1] routes[1]', 'admitted, limits: per-caller > admitted, limits: none']]);
    const preflight = await diff((policy) => { policy.preflight = 'refuse'; });
    assert.ok(preflight.changes.some(({ kind, what }) => kind === 'refused' && /^preflight/.test(what)), JSON.stringify(preflight.changes));
    const https = await diff((policy) => { policy.https = 'refuse'; });
    assert.deepEqual(brief(https).map(([kind]) => kind), ['refused'], JSON.stringify(https.changes));
    assert.equal(https.changes[0].what, 'over plain http');
  });

  test('what no caller notices is said; a secret in a key set is not', async () => {
    const { changes, fields } = await diff((policy) => {
      policy.log = 'all';
      policy.issuers[0] = { ...ISSUER, secret: undefined, jwks: { keys: [{ kty: 'oct', alg: 'HS256', k: 'c4n4ry'.repeat(12) }] } };
    });
    assert.deepEqual(changes, []);
    assert.deepEqual(fields.map((one) => one.path).sort(), ['issuers[0].jwks', 'issuers[0].secret', 'log']);
    assert.ok(!JSON.stringify(fields).includes('c4n4ry'));
    const shown = await run(['diff', path.join(project.folder, 'before.json'), path.join(project.folder, 'after.json')]);
    assert.match(shown.stderr, /no caller notices: \d+ kinds of request are decided alike; 3 fields differ/);
    assert.match(shown.stdout, /^fields:\n/);
  });

  test('two hundred routes in a few seconds', async () => {
    const many = changed((policy) => {
      policy.routes = Array.from({ length: 200 }, (_, at) => ({ path: `/service-${at}/{id}/*`, methods: ['GET', 'POST'], scopes: { all: [`read:${at}`] } }));
    });
    const before = write('many.json', many);
    many.routes[77].scopes.all = ['read:78'];
    const after = write('many-after.json', many);
    const begun = Date.now();
    const { stdout, code } = await run(['diff', before, after, '--json']);
    assert.equal(code, 0);
    assert.deepEqual([...new Set(JSON.parse(stdout).changes.map(({ routes }) => routes.after))], ['routes[77]']);
    assert.ok(Date.now() - begun < 60_000);
  });

  test('a policy that is refused, or is elsewhere', async () => {
    const good = write('before.json', POLICY);
    const { code, stderr } = await run(['diff', good, write('broken.json', { ...POLICY, routs: [] })]);
    assert.equal(code, 2);
    assert.match(stderr, /refused: .*routs/);
    assert.equal((await run(['diff', good, write('kv.json', { source: 'kv' })])).code, 2);
    assert.equal((await run(['diff', good, good, '--fail-on', 'something'])).code, 2);
  });
});
