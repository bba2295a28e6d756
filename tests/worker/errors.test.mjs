// The error contract: every code, whole, as JSON and as problem+json.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { shown } from './authenticator.mjs';
import {
  BESIDE, CODES, ISSUER, ROOT, admitted, apiKey, assertHint, assertNoCredential, assertRefusalHeaders, closedPort, freshIp,
  gateWorker, policy, refused, start, token,
} from './harness.mjs';
import { control, faultyKv, faultyWorkers } from './stores.mjs';
import { nowSecs } from './token.mjs';

/** A service that answers too late. */
const STALLING = {
  name: 'stalling',
  modules: true,
  script: `export default { async fetch() {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return new Response('late');
  } };`,
};

/** A provider that nobody is behind. */
const LOGIN = {
  providers: [{
    id: 'gone', type: 'github', client_id: 'gate', client_secret: 'JWT_SECRET',
    endpoints: { authorization: 'http://127.0.0.1:9/authorize', token: 'http://127.0.0.1:9/token', userinfo: 'http://127.0.0.1:9/user' },
  }],
};
const SESSIONS = { issuer: 'https://gate.edgegate.local/', audience: ['https://api.example.com'], secret: 'JWT_SECRET', cookies: true };

let gate;

before(async () => {
  const port = await closedPort();
  const elsewhere = `http://127.0.0.1:${port}`;
  const remote = { issuer: ISSUER, audience: ['https://api.example.com'], algorithms: ['RS256'], jwks_uri: `${elsewhere}/jwks.json` };
  gate = await start([
    gateWorker({ policy: policy() }),
    gateWorker({ name: 'no-upstream', policy: policy({ upstream: elsewhere }) }),
    gateWorker({ name: 'no-keys', policy: policy({ issuers: [remote] }) }),
    gateWorker({ name: 'no-store', policy: policy(), worker: faultyKv }),
    gateWorker({ name: 'no-preflights', policy: policy({ preflight: 'refuse' }) }),
    gateWorker({ name: 'recent', policy: policy({ issuers: [{ ...policy().issuers[0], max_auth_age_secs: 300 }] }) }),
    gateWorker({ name: 'described', policy: policy({ resource_metadata: METADATA, routes: [DESCRIPTION, ...policy().routes] }) }),
    gateWorker({ name: 'sessions', policy: policy({ sessions: SESSIONS }) }),
    gateWorker({ name: 'login', policy: policy({ sessions: SESSIONS, login: LOGIN, origin: 'https://api.example.com' }) }),
    gateWorker({ name: 'accounts', policy: policy({ sessions: SESSIONS, accounts: { secrets: [{ id: 1, secret: 'JWT_SECRET' }] } }) }),
    gateWorker({ name: 'two-factors', policy: policy({ sessions: SESSIONS, accounts: { secrets: [{ id: 1, secret: 'JWT_SECRET' }], mfa: 'required' } }) }),
    gateWorker({ name: 'connects', policy: policy({ sessions: SESSIONS, login: LOGIN, origin: 'https://api.example.com', routes: [{ path: '/hub/*', grant: { provider: 'gone', header: 'X-Hub-Token' }, upstream: elsewhere }] }) }),
    gateWorker({ name: 'no-http', policy: policy({ https: 'refuse' }) }),
    gateWorker({
      name: 'impatient',
      policy: policy({ upstream: { service: 'STALLING', timeout_ms: 100 } }),
      worker: { serviceBindings: { STALLING: 'stalling' } },
    }),
    STALLING,
    gateWorker({ name: 'no-policy', policy: { issuer: 'misspelt' } }),
    ...faultyWorkers,
  ]);
  await (await control(gate, 'faulty-kv')).set('fail');
});
after(() => gate.dispose());

const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource';
const DESCRIPTION = {
  path: '/.well-known/oauth-protected-resource', auth: 'none',
  answer: { body: { resource: 'https://api.example.com', authorization_servers: [ISSUER] } },
};

/** The requests that get each code. `ask` takes options that are added to the request. */
const CASES = {
  MISSING_CREDENTIALS: { ask: (more) => gate.get('/v1/posts', more) },
  LOGIN_REQUIRED: { ask: (more) => gate.get('/v1/posts', { gate: 'login', ...more }) },
  INVALID_TOKEN: { ask: (more) => gate.get('/v1/posts', { token: 'invalid_token', ...more }) },
  TOKEN_EXPIRED: { ask: (more) => gate.get('/v1/posts', { token: token({ exp: nowSecs() - 1 }), ...more }) },
  TOKEN_NOT_YET_VALID: { ask: (more) => gate.get('/v1/posts', { token: token({ nbf: nowSecs() + 300 }), ...more }) },
  TOKEN_REVOKED: {
    async ask(more) {
      const revoked = token({ jti: `errors-${freshIp()}`, scope: 'read:posts' });
      admitted(await gate.get('/v1/posts', { token: revoked }));
      assert.equal((await gate.admin('POST', '/revocations', { token: revoked })).status, 201);
      return gate.get('/v1/posts', { token: revoked, ...more });
    },
  },
  STEP_UP_REQUIRED: {
    ask: (more) => gate.get('/v1/posts', { token: token({ auth_time: nowSecs() - 302 }), gate: 'recent', ...more }),
    maxAge: 300,
  },
  CONNECT_REQUIRED: {
    async ask(more) {
      const opened = await gate.admin('POST', '/sessions', { subject: 'ann' }, { gate: 'connects' });
      return gate.get('/hub/user', { token: opened.json().access_token, gate: 'connects', ...more });
    },
  },
  INVALID_API_KEY: { ask: (more) => gate.get('/v1/posts', { key: apiKey({ secret: 'guessed'.repeat(6) }), ...more }) },
  API_KEY_EXPIRED: { ask: (more) => gate.get('/v1/posts', { key: apiKey({ expiryMinutes: 1 }), ...more }) },
  API_KEY_REVOKED: {
    async ask(more) {
      const { id, key } = await gate.mint();
      admitted(await gate.get('/v1/posts', { key }));
      assert.equal((await gate.admin('DELETE', `/keys/${id}`)).status, 200);
      return gate.get('/v1/posts', { key, ...more });
    },
  },
  WRONG_ENVIRONMENT: { ask: (more) => gate.get('/v1/posts', { key: apiKey({ environment: 'live' }), ...more }) },
  INVALID_REFRESH_TOKEN: {
    ask: ({ headers, ...more }) => gate.get('/v1/posts', { gate: 'sessions', ...more, headers: { Cookie: '__Host-edgegate-rt=edgegate_rt_x', ...headers } }),
  },
  INSUFFICIENT_SCOPE: {
    ask: (more) => gate.post('/v1/posts', { token: token({ scope: 'read:posts' }), ...more }),
    scope: 'write:posts',
  },
  NOT_ALLOWED: {
    ask: ({ headers, ...more }) => gate.request('OPTIONS', '/v1/posts', {
      gate: 'no-preflights', ...more, headers: { Origin: 'https://app.test', 'Access-Control-Request-Method': 'GET', ...headers },
    }),
  },
  CSRF_REFUSED: {
    ask: ({ headers, ...more }) => gate.post('/v1/posts', {
      gate: 'sessions', ...more, headers: { Cookie: '__Host-edgegate-rt=edgegate_rt_x', Origin: 'https://evil.test', ...headers },
    }),
  },
  HTTPS_REQUIRED: { ask: (more) => gate.get('/v1/posts', { gate: 'no-http', ...more }) },
  RATE_LIMITED: {
    async ask(more) {
      const caller = token({ sub: `errors-${freshIp()}` });
      for (let request = 0; request < 5; request += 1) admitted(await gate.get('/v1/limited', { token: caller }));
      return gate.get('/v1/limited', { token: caller, ...more });
    },
  },
  INVALID_CREDENTIALS: { ask: (more) => gate.post('/auth/login', { gate: 'accounts', body: { email: 'nobody@example.com', password: 'some password' }, ...more }) },
  MFA_REQUIRED: {
    async ask(more) {
      const at = { gate: 'accounts' };
      const body = await accountAt('accounts');
      const { access_token: bearer } = (await gate.post('/auth/login', { ...at, body })).json();
      const { secret } = (await gate.post('/auth/mfa/totp', { ...at, token: bearer })).json();
      const confirmed = await gate.post('/auth/mfa/totp/confirm', { ...at, token: bearer, body: { code: shown(secret), password: body.password } });
      assert.ok([200, 202].includes(confirmed.status), confirmed.text);
      return gate.post('/auth/login', { ...at, body, ...more });
    },
  },
  MFA_SETUP_REQUIRED: { ask: async (more) => gate.post('/auth/login', { gate: 'two-factors', body: await accountAt('two-factors'), ...more }) },
  TOO_MANY_ATTEMPTS: {
    async ask(more) {
      const at = { gate: 'login', ip: freshIp() };
      const callback = async ({ headers, ...rest } = {}) => {
        const begun = await gate.get('/auth/login/gone', at);
        const [cookie] = begun.headers['set-cookie'][0].split(';');
        const state = new URL(begun.headers.location).searchParams.get('state');
        return gate.get(`/auth/callback/gone?code=x&state=${state}`, { ...at, ...rest, headers: { Cookie: cookie, ...headers } });
      };
      for (let failed = 0; failed < 10; failed += 1) refused(await callback(), 'UPSTREAM_ERROR');
      return callback(more);
    },
  },
  INVALID_REQUEST: { ask: (more) => gate.get('/v1//posts', { token: token(), ...more }) },
  MULTIPLE_CREDENTIALS: { ask: (more) => gate.get('/v1/posts', { token: token(), key: apiKey(), ...more }) },
  NOT_FOUND: { ask: (more) => gate.get('/auth/nothing-here', { ...more }) },
  METHOD_NOT_ALLOWED: { ask: (more) => gate.post('/auth/health', { ...more }) },
  STORE_UNAVAILABLE: { ask: (more) => gate.get('/v1/posts', { token: token({ jti: '1' }), gate: 'no-store', ...more }) },
  KEYS_UNAVAILABLE: { ask: (more) => gate.get('/v1/posts', { token: token({}, { alg: 'RS256' }), gate: 'no-keys', ...more }) },
  UPSTREAM_ERROR: { ask: (more) => gate.get('/v1/other', { token: token(), gate: 'no-upstream', ...more }) },
  UPSTREAM_TIMEOUT: { ask: (more) => gate.get('/v1/other', { token: token(), gate: 'impatient', ...more }) },
  CONFIG_ERROR: { ask: (more) => gate.get('/v1/posts', { token: token(), gate: 'no-policy', ...more }) },
};

/** The address and the password of a new account. */
async function accountAt(name) {
  const body = { email: `${freshIp()}@example.com`, password: 'quiet river, late boat' };
  const made = await gate.admin('POST', '/accounts', body, { gate: name });
  assert.equal(made.status, 201, made.text);
  return body;
}

test('every code of the crate has a row in the contract and a case here', () => {
  const source = readFileSync(path.join(ROOT, 'src/error.rs'), 'utf8');
  const codes = [...source.matchAll(/=> "([A-Z][A-Z_]+)"/g)].map((match) => match[1]);
  assert.ok(codes.length >= 17, 'no codes found in src/error.rs');
  assert.deepEqual(Object.keys(CODES).sort(), codes.sort());
  assert.deepEqual(Object.keys(CASES).sort(), codes.sort());
});

for (const [code, { ask, scope, maxAge }] of Object.entries(CASES)) {
  const [status, title] = CODES[code];

  test(`${code} is ${status} "${title}"`, async () => {
    refused(await ask({}), code, { scope, maxAge });
  });

  test(`${code} is a problem of RFC 9457 for those who ask for one`, async () => {
    const answer = await ask({ headers: { Accept: 'application/problem+json, application/json;q=0.5' } });
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(answer.headers['cache-control'], 'no-store');
    const problem = answer.json();
    assertHint(problem.detail);
    assert.deepEqual(problem, {
      type: `urn:edgegate:error:${code.toLowerCase().replaceAll('_', '-')}`,
      title,
      status,
      detail: problem.detail,
      code,
      ...Object.fromEntries((BESIDE[code] ?? []).map((name) => [name, problem[name]])),
    });
    for (const name of BESIDE[code] ?? []) assert.ok(problem[name], name);
    if (code === 'LOGIN_REQUIRED') assert.equal(problem.login_url, 'https://api.example.com/auth/login');
    assertRefusalHeaders(answer, code, { scope, maxAge });
    assertNoCredential(answer);
  });
}

test('a refusal says where the resource describes itself, and anybody may read that', async () => {
  const challenge = async (more) => (await gate.get('/v1/posts', { gate: 'described', ...more })).headers['www-authenticate'];
  const named = `resource_metadata="${METADATA}"`;
  assert.equal(await challenge({}), `Bearer realm="edgegate", ${named}`);
  assert.match(await challenge({ token: 'x' }), new RegExp(`error="invalid_token", .*, ${named}$`));
  assert.match(await challenge({ token: token({ scope: 'other' }) }), new RegExp(`scope="read:posts", ${named}$`));
  const description = await gate.get(DESCRIPTION.path, { gate: 'described' });
  assert.deepEqual([description.status, description.json()], [200, DESCRIPTION.answer.body]);
});

test('a refusal of HEAD has the headers and no body', async () => {
  const answer = await gate.request('HEAD', '/v1/posts');
  assert.equal(answer.status, 401);
  assert.equal(answer.text, '');
  assert.equal(answer.headers['www-authenticate'], 'Bearer realm="edgegate"');
  assert.equal(answer.headers['cache-control'], 'no-store');
});

test('Accept: */* and an Accept that refuses problem+json get plain JSON', async () => {
  for (const accept of ['*/*', 'application/json', 'application/problem+json;q=0', 'text/html']) {
    refused(await gate.get('/v1/posts', { headers: { Accept: accept } }), 'MISSING_CREDENTIALS');
  }
});

test('a refused bearer API key gets a bearer challenge', async () => {
  refused(await gate.get('/v1/posts', { token: apiKey({ secret: 'guessed'.repeat(6) }) }), 'INVALID_API_KEY');
});

test('the log says why a token is refused, and the answer does not', async () => {
  const from = gate.output.lines.length;
  const answers = [
    ['bad_signature', token({}, { secret: 'x'.repeat(32) })],
    ['unknown_issuer', token({ iss: 'https://elsewhere.test/' })],
    ['unexpected_claim', token({ aud: 'https://elsewhere.test' })],
    ['malformed_token', 'a.b'],
  ];
  const bodies = new Set();
  for (const [reason, bearer] of answers) {
    const answer = await gate.get('/v1/posts', { token: bearer });
    refused(answer, 'INVALID_TOKEN');
    bodies.add(answer.text);
    const line = await gate.output.find((one) => one.includes(reason), from);
    const event = JSON.parse(line.slice(line.indexOf('{')));
    assert.equal(event.event, 'refused');
    assert.equal(event.code, 'INVALID_TOKEN');
    assert.equal(event.reason, reason);
    assert.equal(event.route, '/v1/posts');
    assert.equal(event.method, 'GET');
  }
  assert.equal(bodies.size, 1, 'callers can tell reasons apart');
});
