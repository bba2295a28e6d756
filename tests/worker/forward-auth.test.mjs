// Forward-auth: the decision for another proxy, asked as nginx (a real one), Traefik and Envoy ask.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { CODES, ISSUER, closedPort, freshIp, gateWorker, policy, refused, start, token } from './harness.mjs';
import { configurationOf, startNginx } from './nginx.mjs';

const LIMITS = [{ name: 'two', by: 'caller', requests: 2, window_secs: 3600, store: 'durable-object' }];
const ROUTES = [
  { path: '/public/*', methods: ['GET'], auth: 'none' },
  { path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] } },
  { path: '/v1/posts', methods: ['POST'], scopes: { all: ['write:posts'] } },
  { path: '/v1/limited', limits: ['two'] },
  { path: '/pass', preflight: 'pass' },
  { path: '/refuse', preflight: 'refuse' },
];
const FORWARD_AUTH = { client_ip_header: 'X-Real-IP' };
const IDENTITY = ['x-auth-method', 'x-auth-subject', 'x-auth-issuer', 'x-auth-scopes', 'x-auth-key-id'];

let gate;

before(async () => {
  const unreachable = { issuer: 'https://keys.test/', audience: ['x'], algorithms: ['RS256'], jwks_uri: `http://127.0.0.1:${await closedPort()}/` };
  gate = await start([
    gateWorker({ policy: policy({ limits: LIMITS, routes: ROUTES, forward_auth: FORWARD_AUTH, issuers: [...policy().issuers, unreachable] }) }),
  ]);
});
after(() => gate.dispose());

/** Asks as a proxy does. */
const verify = (headers, options = {}) =>
  gate.get('/auth/verify', { ip: '10.0.0.1', ...options, headers: { 'X-Real-IP': freshIp(), ...headers, ...options.headers } });
const traefik = (method, uri, options) => verify({ 'X-Forwarded-Method': method, 'X-Forwarded-Uri': uri }, options);
const nginxStyle = (method, uri, options) => verify({ 'X-Original-Method': method, 'X-Original-URI': uri }, options);
const ingressNginx = (method, uri, options) => verify({
  'X-Original-Method': method, 'X-Original-URL': `https://api.example.com${uri}`,
  'X-Sent-From': 'nginx-ingress-controller', 'X-Auth-Request-Redirect': uri,
}, options);

const identityOf = (answer) => Object.fromEntries(IDENTITY.map((name) => [name, answer.headers[name] ?? '']));
const ANONYMOUS = { 'x-auth-method': 'anonymous', 'x-auth-subject': '', 'x-auth-issuer': '', 'x-auth-scopes': '', 'x-auth-key-id': '' };

function letThrough(answer) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, '');
  assert.equal(answer.headers['cache-control'], 'no-store');
  return identityOf(answer);
}

for (const [style, ask] of [['Traefik', traefik], ['nginx', nginxStyle], ['ingress-nginx', ingressNginx]]) {
  describe(`asked as ${style} asks`, () => {
    test('lets an open route through as nobody', async () => {
      assert.deepEqual(letThrough(await ask('GET', '/public/a?b=c')), ANONYMOUS);
    });

    test('says who a token belongs to, with no body', async () => {
      assert.deepEqual(letThrough(await ask('GET', '/v1/posts', { token: token({ scope: 'read:posts' }) })), {
        ...ANONYMOUS, 'x-auth-method': 'jwt', 'x-auth-subject': 'alice', 'x-auth-issuer': ISSUER, 'x-auth-scopes': 'read:posts',
      });
    });

    test('says who an API key belongs to', async () => {
      const { key, id } = await gate.mint({ owner: 'bob' });
      assert.deepEqual(letThrough(await ask('GET', '/v1/posts', { key })), {
        ...ANONYMOUS, 'x-auth-method': 'api_key', 'x-auth-subject': 'bob', 'x-auth-scopes': 'read:posts', 'x-auth-key-id': id,
      });
    });

    test('refuses as the gate itself would', async () => {
      refused(await ask('GET', '/v1/posts'), 'MISSING_CREDENTIALS');
      refused(await ask('GET', '/v1/posts', { token: 'nonsense' }), 'INVALID_TOKEN');
      refused(await ask('GET', '/v1/posts', { token: token({ exp: 1 }) }), 'TOKEN_EXPIRED');
      refused(await ask('POST', '/v1/posts', { token: token({ scope: 'read:posts' }) }), 'INSUFFICIENT_SCOPE', { scope: 'write:posts' });
      refused(await ask('POST', '/public/a'), 'MISSING_CREDENTIALS');
      refused(await ask('GET', '/public/..%2fv1/posts'), 'INVALID_REQUEST');
      refused(await ask('GET', '/public/../v1/posts'), 'INVALID_REQUEST');
      refused(await ask('GET', '/public//a'), 'INVALID_REQUEST');
    });

    test('counts limits and tells about them', async () => {
      const bearer = token({ sub: randomUUID() });
      for (const left of [1, 0]) {
        const answer = await ask('GET', '/v1/limited', { token: bearer });
        letThrough(answer);
        assert.equal(answer.headers['ratelimit-policy'], '"two";q=2;w=3600');
        assert.match(answer.headers.ratelimit, new RegExp(`^"two";r=${left};t=\\d+$`));
      }
      const answer = await ask('GET', '/v1/limited', { token: bearer });
      refused(answer, 'RATE_LIMITED');
      assert.equal(answer.headers['ratelimit-policy'], '"two";q=2;w=3600');
    });

    test('counts failed authentication by the address that the proxy names', async () => {
      const address = { 'X-Real-IP': freshIp() };
      const attempt = (headers) => ask('GET', '/v1/posts', { token: 'nonsense', headers });
      for (let count = 0; count < 5; count += 1) refused(await attempt(address), 'INVALID_TOKEN');
      refused(await attempt(address), 'RATE_LIMITED');
      refused(await attempt({ 'X-Real-IP': freshIp() }), 'INVALID_TOKEN');
    });

    test('lets a CORS preflight through where the policy says so, and else has the proxy refuse it', async () => {
      const headers = { Origin: 'https://app.test', 'Access-Control-Request-Method': 'POST' };
      // A proxy lets the request through for every 2xx.
      refused(await ask('OPTIONS', '/v1/posts', { headers }), 'NOT_ALLOWED');
      refused(await ask('OPTIONS', '/refuse', { headers }), 'NOT_ALLOWED');
      letThrough(await ask('OPTIONS', '/pass', { headers }));
      refused(await ask('POST', '/v1/posts', { headers }), 'MISSING_CREDENTIALS');
    });
  });
}

describe('what is asked about', () => {
  test('may be a whole URL', async () => {
    letThrough(await traefik('GET', 'https://api.example.com/public/a?b'));
    refused(await traefik('GET', 'https://api.example.com/v1/posts'), 'MISSING_CREDENTIALS');
    refused(await traefik('GET', 'https://api.example.com/public/../v1/posts'), 'INVALID_REQUEST');
    refused(await traefik('GET', 'https://api.example.com'), 'MISSING_CREDENTIALS');
  });

  test('is the path of a URL, whatever the client wrote as its host', async () => {
    for (const host of ['x?', 'x#', 'x?/public/a?', 'user@x', 'x, http:', '']) {
      refused(await traefik('GET', `http://${host}/v1/posts`), 'INVALID_REQUEST');
      refused(await verify({ 'X-Original-Method': 'GET', 'X-Original-URL': `http://${host}/v1/posts` }), 'INVALID_REQUEST');
    }
  });

  test('has to be said, and once', async () => {
    const hint = /Forwarded|Original|method/;
    for (const headers of [
      {},
      { 'X-Forwarded-Method': 'GET' },
      { 'X-Forwarded-Uri': '/public/a' },
      { 'X-Original-Method': 'GET' },
      { 'X-Original-URI': '/public/a' },
      { 'X-Original-URL': 'https://api.example.com/public/a' },
      { 'X-Forwarded-Method': 'GET', 'X-Original-URL': 'https://api.example.com/public/a' },
      { 'X-Forwarded-Method': 'GET', 'X-Original-URI': '/public/a' },
      { 'X-Forwarded-Method': '', 'X-Forwarded-Uri': '' },
      { 'X-Forwarded-Method': 'get', 'X-Forwarded-Uri': '/public/a' },
      { 'X-Forwarded-Method': 'GET /public', 'X-Forwarded-Uri': '/public/a' },
      { 'X-Forwarded-Method': 'G'.repeat(100), 'X-Forwarded-Uri': '/public/a' },
    ]) {
      refused(await verify(headers), 'INVALID_REQUEST', { hint });
      refused(await verify(headers, { token: token() }), 'INVALID_REQUEST', { hint });
    }
    refused(await traefik('GET', 'public/a'), 'INVALID_REQUEST');
  });

  test('cannot be chosen by the client: two that differ are refused, whoever set which', async () => {
    const open = { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/public/a' };
    refused(await verify({ ...open, 'X-Original-Method': 'GET', 'X-Original-URI': '/v1/posts' }), 'INVALID_REQUEST');
    refused(await verify({ ...open, 'X-Original-Method': 'POST', 'X-Original-URI': '/public/a' }), 'INVALID_REQUEST');
    refused(await verify({ ...open, 'X-Original-URI': '/v1/posts' }), 'INVALID_REQUEST');
    letThrough(await verify({ ...open, 'X-Original-Method': 'GET', 'X-Original-URI': '/public/a' }));
  });

  test('cannot be chosen by the client beside the URL of ingress-nginx', async () => {
    const proxy = { 'X-Original-Method': 'GET', 'X-Original-URL': 'https://api.example.com/v1/posts' };
    for (const own of [
      { 'X-Original-URI': '/public/a' }, { 'X-Forwarded-Uri': '/public/a' }, { 'X-Forwarded-Method': 'OPTIONS' },
      { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/public/a' }, { 'X-Forwarded-Method': 'POST', 'X-Forwarded-Uri': '/v1/posts' },
    ]) {
      refused(await verify({ ...proxy, ...own }), 'INVALID_REQUEST');
    }
    const same = { ...proxy, 'X-Original-URI': '/v1/posts', 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/v1/posts' };
    refused(await verify(same), 'MISSING_CREDENTIALS');
    letThrough(await verify(same, { token: token({ scope: 'read:posts' }) }));
  });

  test('cannot be joined from two headers of one name, in whichever order', async () => {
    const method = ['X-Forwarded-Method', 'GET'];
    const uri = (value) => ['X-Forwarded-Uri', value];
    for (const headers of [
      [method, uri('/public/a'), uri('/v1/posts')],
      [method, uri('/v1/posts'), uri('/public/a')],
      [method, uri('/public/a'), uri('/public/a')],
      [method, uri('/public/a?'), uri('/v1/posts')],
      [method, uri('https://h/public/a?b'), uri('https://h/v1/posts')],
      [method, method, uri('/public/a')],
    ]) {
      refused(await gate.get('/auth/verify', { headers }), 'INVALID_REQUEST');
    }
  });

  test('is not the path of the question itself', async () => {
    refused(await gate.get('/auth/verify/public/a'), 'NOT_FOUND');
    refused(await gate.get('/auth/verify?uri=/public/a&method=GET'), 'INVALID_REQUEST');
  });

  test('identity headers of the client are never echoed', async () => {
    const answer = await verify({
      'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/public/a', 'X-Auth-Subject': 'root', 'X-Auth-Scopes': 'admin', 'X-Auth-Method': 'jwt',
    });
    assert.deepEqual(letThrough(answer), ANONYMOUS);
  });
});

// ---- the questions of other proxies, as their documentation has them ----

describe('the question of', () => {
  const forwarded = { 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Host': 'api.example.com', 'X-Forwarded-Proto': 'https' };
  const QUESTIONS = {
    // forward_auth: the method and URI of the request, and what reverse_proxy sets anyway.
    Caddy: (method, uri) => ({ ...forwarded, 'X-Forwarded-Method': method, 'X-Forwarded-Uri': uri }),
    // The plugin forward-auth.
    APISIX: (method, uri) => ({ ...forwarded, 'X-Forwarded-Method': method, 'X-Forwarded-Uri': uri }),
    // ForwardAuth with trustForwardHeader = false.
    Traefik: (method, uri) => ({ ...forwarded, 'X-Forwarded-Method': method, 'X-Forwarded-Uri': uri, 'X-Forwarded-Port': '443', 'X-Forwarded-Server': 'traefik' }),
    // ext_authz and header_mutation of docs/forward-auth.md; it adds to X-Forwarded-For and X-Envoy-*.
    Envoy: (method, uri) => ({ ...forwarded, 'X-Forwarded-Method': method, 'X-Forwarded-Uri': uri, 'X-Envoy-Internal': 'true' }),
    // The Lua script haproxy-auth-request, with headers set as docs/forward-auth.md says.
    HAProxy: (method, uri) => ({ 'X-Original-Method': method, 'X-Original-URI': uri }),
    // The annotation auth-method of ingress-nginx adds a third name.
    'ingress-nginx with auth-method': (method, uri) => ({
      ...forwarded, 'X-Original-Method': method, 'X-Original-URI': uri, 'X-Original-URL': `https://api.example.com${uri}`, 'X-Scheme': 'https',
    }),
  };
  for (const [proxy, headers] of Object.entries(QUESTIONS)) {
    test(proxy, async () => {
      letThrough(await verify(headers('GET', '/public/a?b=c')));
      refused(await verify(headers('GET', '/v1/posts')), 'MISSING_CREDENTIALS');
      const bearer = { token: token({ scope: 'read:posts' }) };
      assert.equal(letThrough(await verify(headers('GET', '/v1/posts'), bearer))['x-auth-subject'], 'alice');
      refused(await verify(headers('POST', '/v1/posts'), bearer), 'INSUFFICIENT_SCOPE', { scope: 'write:posts' });
    });
  }
});

// ---- a real nginx ----

const configuration = ({ port, gatePort, backendPort }) => configurationOf(`
  server {
    listen 127.0.0.1:${port};

    location = /_gate {
      internal;
      proxy_pass http://127.0.0.1:${gatePort}/auth/verify;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header X-Original-Method $request_method;
      proxy_set_header X-Original-URI $request_uri;
      proxy_set_header X-Original-URL "";
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Real-IP $remote_addr;
    }

    location / {
      auth_request /_gate;
      auth_request_set $gate_status $upstream_status;
      auth_request_set $gate_retry_after $upstream_http_retry_after;
      auth_request_set $auth_method $upstream_http_x_auth_method;
      auth_request_set $auth_subject $upstream_http_x_auth_subject;
      auth_request_set $auth_issuer $upstream_http_x_auth_issuer;
      auth_request_set $auth_scopes $upstream_http_x_auth_scopes;
      auth_request_set $auth_key_id $upstream_http_x_auth_key_id;
      proxy_set_header X-Auth-Method $auth_method;
      proxy_set_header X-Auth-Subject $auth_subject;
      proxy_set_header X-Auth-Issuer $auth_issuer;
      proxy_set_header X-Auth-Scopes $auth_scopes;
      proxy_set_header X-Auth-Key-Id $auth_key_id;
      proxy_set_header Authorization "";
      proxy_set_header X-API-Key "";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header Forwarded "";
      proxy_set_header X-Original-URL "";
      proxy_set_header X-Rewrite-URL "";
      proxy_set_header X-HTTP-Method-Override "";
      # auth_request knows 401 and 403; every other status of the gate arrives here as 500.
      error_page 500 = @refused;
      proxy_pass http://127.0.0.1:${backendPort};
    }

    location @refused {
      if ($gate_status = 400) { return 400; }
      if ($gate_status = 429) { add_header Retry-After $gate_retry_after always; return 429; }
      if ($gate_status = 503) { add_header Retry-After $gate_retry_after always; return 503; }
      return 500;
    }
  }`);

/** An nginx with such a configuration, and the service behind it, while the tests of a `describe` run. */
function withNginx(configured) {
  const running = {};
  let nginx;
  before(async () => {
    nginx = await startNginx(gate, configured, (response) => response.end('backend'));
    ({ port: running.port, seen: running.seen } = nginx);
  });
  after(() => nginx?.stop());

  // Linux answers on all of 127.0.0.0/8, so each test can be a client of its own.
  let client = 1;
  running.ask = (method, target, options = {}) => {
    client += 1;
    return gate.request(method, target, { port: running.port, localAddress: `127.0.${client >> 8}.${client & 255}`, agent: false, ip: null, ...options });
  };
  /** Fails unless nginx answers so and the backend is not asked. */
  running.stopped = async (status, ...request) => {
    const count = running.seen.length;
    const answer = await running.ask(...request);
    assert.equal(answer.status, status, answer.text);
    assert.equal(running.seen.length, count, 'the backend was asked');
    return answer;
  };
  return running;
}

describe('nginx with auth_request', () => {
  const running = withNginx(configuration);
  const { ask, stopped } = running;

  const identitySeen = () => Object.fromEntries(Object.entries(running.seen.at(-1).headers).filter(([name]) => /^x[-_]auth/.test(name)));

  test('passes who it is to the backend, without the credential', async () => {
    const bearer = token({ scope: 'read:posts' });
    const answer = await ask('GET', '/v1/posts?a=b', { token: bearer });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, 'backend');
    assert.equal(running.seen.at(-1).url, '/v1/posts?a=b');
    assert.deepEqual(identitySeen(), {
      'x-auth-method': 'jwt', 'x-auth-subject': 'alice', 'x-auth-issuer': ISSUER, 'x-auth-scopes': 'read:posts',
    });
    assert.ok(!running.seen.at(-1).rawHeaders.join('\n').includes(bearer));
    const { key, id } = await gate.mint({ owner: 'bob' });
    assert.equal((await ask('GET', '/v1/posts', { key })).status, 200);
    assert.deepEqual(identitySeen(), { 'x-auth-method': 'api_key', 'x-auth-subject': 'bob', 'x-auth-scopes': 'read:posts', 'x-auth-key-id': id });
  });

  test('passes bodies on after the decision', async () => {
    const answer = await ask('POST', '/v1/posts', { token: token({ scope: 'write:posts' }), body: 'x'.repeat(100_000) });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(running.seen.at(-1).headers['content-length'], '100000');
  });

  test('replaces identity headers of the client, also for nobody in particular', async () => {
    const spoofed = { 'X-Auth-Subject': 'root', 'X-Auth-Scopes': 'admin', 'X-Auth-Method': 'jwt', 'X-Auth-Key-Id': '1', 'X-Auth-Issuer': 'me' };
    assert.equal((await ask('GET', '/public/a', { headers: spoofed })).status, 200);
    assert.deepEqual(identitySeen(), { 'x-auth-method': 'anonymous' });
    assert.equal((await ask('GET', '/v1/posts', { headers: spoofed, token: token({ scope: 'read:posts', sub: undefined }) })).status, 200);
    assert.deepEqual(identitySeen(), { 'x-auth-method': 'jwt', 'x-auth-issuer': ISSUER, 'x-auth-scopes': 'read:posts' });
  });

  test('401 reaches the client with the challenge', async () => {
    const missing = await stopped(401, 'GET', '/v1/posts');
    assert.equal(missing.headers['www-authenticate'], 'Bearer realm="edgegate"');
    const invalid = await stopped(401, 'GET', '/v1/posts', { token: 'nonsense' });
    assert.equal(invalid.headers['www-authenticate'], `Bearer realm="edgegate", error="invalid_token", error_description="${CODES.INVALID_TOKEN[1]}"`);
    await stopped(401, 'GET', '/v1/posts', { token: token({ exp: 1 }) });
  });

  test('403 reaches the client', async () => {
    await stopped(403, 'POST', '/v1/posts', { token: token({ scope: 'read:posts' }), body: 'x' });
  });

  test('a CORS preflight reaches the backend only where the policy says so', async () => {
    const headers = { Origin: 'https://app.test', 'Access-Control-Request-Method': 'POST' };
    await stopped(403, 'OPTIONS', '/v1/posts', { headers, body: 'x'.repeat(1000) });
    await stopped(403, 'OPTIONS', '/refuse', { headers });
    assert.equal((await ask('OPTIONS', '/pass', { headers })).text, 'backend');
  });

  test('429 reaches the client with Retry-After, mapped from what nginx takes for 500', async () => {
    const bearer = token({ sub: randomUUID() });
    for (let count = 0; count < 2; count += 1) assert.equal((await ask('GET', '/v1/limited', { token: bearer })).status, 200);
    const answer = await stopped(429, 'GET', '/v1/limited', { token: bearer });
    assert.match(answer.headers['retry-after'], /^\d+$/);
  });

  test('429 for failed authentication counts the address of the client, not that of nginx', async () => {
    const localAddress = '127.9.9.9';
    for (let count = 0; count < 5; count += 1) await stopped(401, 'GET', '/v1/posts', { token: 'nonsense', localAddress });
    await stopped(429, 'GET', '/v1/posts', { token: 'nonsense', localAddress });
    await stopped(401, 'GET', '/v1/posts', { token: 'nonsense' });
  });

  test('503 reaches the client with Retry-After', async () => {
    const bearer = token({ iss: 'https://keys.test/' }, { alg: 'RS256' });
    const answer = await stopped(503, 'GET', '/v1/posts', { token: bearer });
    assert.match(answer.headers['retry-after'], /^\d+$/);
  });

  test('a request that can be read in two ways is stopped with 400', async () => {
    for (const target of ['/public/..%2fv1/posts', '/public//a', '/public/%2e%2e/v1/posts', '/public/../v1/posts', '/public/..;/v1/posts']) {
      await stopped(400, 'GET', target);
    }
  });

  test('a client cannot choose what is asked about', async () => {
    await stopped(400, 'GET', '/v1/posts', { headers: { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/public/a' } });
    await stopped(400, 'GET', '/v1/posts', { headers: { 'X-Forwarded-Uri': '/public/a' } });
    await stopped(401, 'GET', '/v1/posts', { headers: { 'X-Original-URL': 'http://h/public/a' } });
    await stopped(401, 'GET', '/v1/posts', { headers: { 'X-Original-Method': 'GET', 'X-Original-URI': '/public/a' } });
    await stopped(400, 'POST', '/public/a', { headers: { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/public/a' }, body: 'x' });
  });

  test('a client says nothing of the request to the service', async () => {
    const headers = {
      'X-Original-URL': '/admin', 'X-Rewrite-URL': '/admin', 'X-HTTP-Method-Override': 'DELETE', 'X-Auth.Subject': 'root', X_Auth_Subject: 'root',
      Forwarded: 'for=192.0.2.1', 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'gopher',
    };
    assert.equal((await ask('GET', '/public/a', { headers, localAddress: '127.8.8.8' })).status, 200);
    const passed = running.seen.at(-1).headers;
    assert.deepEqual(Object.keys(passed).filter((name) => /original|rewrite|override|^forwarded/.test(name)), []);
    assert.deepEqual(Object.entries(passed).filter(([name]) => /^x.(forwarded|auth)/.test(name)).sort(), [
      ['x-auth-method', 'anonymous'], ['x-forwarded-for', '127.8.8.8'], ['x-forwarded-host', 'api.example.com'], ['x-forwarded-proto', 'http'],
    ]);
  });
});

// Copied from the template of ingress-nginx (rootfs/etc/nginx/template/nginx.tmpl) for `auth-url` and `auth-response-headers`.
const ingress = ({ port, gatePort, backendPort }) => configurationOf(`
  server {
    listen 127.0.0.1:${port};
    server_name _;

    location = /_external-auth {
      internal;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header Host gate.example.com;
      proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
      proxy_set_header X-Original-Method $request_method;
      proxy_set_header X-Sent-From "nginx-ingress-controller";
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Auth-Request-Redirect $request_uri;
      proxy_http_version 1.1;
      proxy_pass_request_headers on;
      proxy_pass http://127.0.0.1:${gatePort}/auth/verify;
    }

    location / {
      auth_request /_external-auth;
      auth_request_set $auth_subject $upstream_http_x_auth_subject;
      proxy_set_header X-Auth-Subject $auth_subject;
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Original-URI $request_uri;
      proxy_http_version 1.1;
      proxy_pass http://127.0.0.1:${backendPort};
    }
  }`);

describe('ingress-nginx with auth-url', () => {
  const running = withNginx(ingress);
  const { ask, stopped } = running;
  const reader = () => token({ scope: 'read:posts' });

  test('lets through what the gate admits, and stops the rest', async () => {
    assert.equal((await ask('GET', '/public/a?b=c')).status, 200);
    await stopped(401, 'GET', '/v1/posts');
    assert.equal((await ask('GET', '/v1/posts', { token: reader() })).status, 200);
    assert.equal(running.seen.at(-1).headers['x-auth-subject'], 'alice');
    await stopped(403, 'POST', '/v1/posts', { token: reader(), body: 'x' });
  });

  test('a client cannot choose what is asked about', async () => {
    await stopped(500, 'GET', '/v1/posts', { headers: { 'X-Original-URI': '/public/a' } });
    await stopped(500, 'GET', '/v1/posts', { headers: { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/public/a' } });
    await stopped(500, 'GET', '/v1/posts', { headers: { 'X-Forwarded-Uri': '/public/a' } });
    // The controller's own headers replace the client's.
    await stopped(401, 'GET', '/v1/posts', { headers: { 'X-Original-URL': 'http://h/public/a', 'X-Original-Method': 'GET' } });
    await stopped(401, 'POST', '/public/a', { headers: { 'X-Original-Method': 'GET' }, body: 'x' });
  });

  test('nor by its Host, which is in the URL that is asked about', async () => {
    for (const host of ['x?', 'x#', 'x?/public/a?', 'a@x']) {
      const count = running.seen.length;
      const answer = await ask('GET', '/v1/posts', { host });
      assert.ok([400, 500].includes(answer.status), `${host}: ${answer.status}`);
      assert.equal(running.seen.length, count, 'the backend was asked');
    }
  });
});
