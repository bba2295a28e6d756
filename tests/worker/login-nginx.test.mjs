// Logins where another proxy carries the traffic: behind a real nginx, configured as docs/forward-auth.md says, and asked as others ask.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { closedPort, freshIp, start } from './harness.mjs';
import { LOGIN_SECRETS, Op, Visitor, loginPolicy, provider } from './login.mjs';
import { configurationOf, startNginx } from './nginx.mjs';
import { AT, RT, cookiesOf, sessionWorker } from './sessions.mjs';

const configuration = ({ port, gatePort, backendPort }) => configurationOf(`
  map $http_cookie $without_at {
    "~^(?<before_at>(?:.*; )?)${AT}=[^;]*(?:; )?(?<after_at>.*)$" $before_at$after_at;
    default $http_cookie;
  }
  map $without_at $without_rt {
    "~^(?<before_rt>(?:.*; )?)${RT}=[^;]*(?:; )?(?<after_rt>.*)$" $before_rt$after_rt;
    default $without_at;
  }
  map $without_rt $service_cookies {
    "~^(?<before_b>(?:.*; )?)__Host-edgegate-b=[^;]*(?:; )?(?<after_b>.*)$" $before_b$after_b;
    default $without_rt;
  }

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
      proxy_set_header X-Forwarded-Method "";
      proxy_set_header X-Forwarded-Uri "";
      proxy_set_header X-Gate-Client-IP $remote_addr;
      proxy_set_header Upgrade $http_upgrade;
    }

    location /auth/ {
      proxy_pass http://127.0.0.1:${gatePort};
      proxy_redirect off;
      proxy_set_header X-Gate-Client-IP $remote_addr;
    }
    location = /auth/verify { return 404; }

    location / {
      auth_request /_gate;
      auth_request_set $gate_login $upstream_http_x_auth_login;
      error_page 401 = @gate_login;
      auth_request_set $cookie_1 $upstream_http_x_auth_set_cookie_1;
      auth_request_set $cookie_2 $upstream_http_x_auth_set_cookie_2;
      add_header Set-Cookie $cookie_1 always;
      add_header Set-Cookie $cookie_2 always;
      auth_request_set $auth_subject $upstream_http_x_auth_subject;
      proxy_set_header X-Auth-Subject $auth_subject;
      proxy_set_header Cookie $service_cookies;
      proxy_pass http://127.0.0.1:${backendPort};
    }

    location @gate_login {
      add_header Set-Cookie $cookie_1 always;
      add_header Set-Cookie $cookie_2 always;
      add_header Cache-Control no-store always;
      if ($gate_login) { return 303 $gate_login; }
      return 401;
    }
  }`);

const OWN = 'https://api.example.com';

let op;
let gate;
let nginx;
/** The gate as it is seen through nginx. */
let behind;

before(async () => {
  op = await new Op().start();
  const port = await closedPort();
  const worker = (name, changes) => sessionWorker({
    name, policy: loginPolicy([provider(op)], { client_ip_header: 'X-Gate-Client-IP', ...changes }), secrets: LOGIN_SECRETS,
  });
  gate = await start([
    worker('gate', { origin: `http://127.0.0.1:${port}` }),
    worker('named', { origin: OWN }),
    worker('elsewhere', { origin: OWN, forward_auth: { origin: 'https://app.example.com' } }),
  ], { secrets: LOGIN_SECRETS });
  op.redirectUris.push(`http://127.0.0.1:${port}/auth/callback/op`);
  const answer = (response) => {
    if (response.req.url === '/public/own-401') response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="service"' });
    response.end('backend');
  };
  nginx = await startNginx(gate, configuration, answer, port);
  behind = {
    port: () => port,
    request: (method, target, { ip: _, ...options }) => gate.request(method, target, { ...options, port, ip: null, agent: false }),
  };
});
after(async () => {
  await nginx?.stop();
  await gate?.dispose();
  await op?.stop();
});

const PAGE = { Accept: 'text/html,*/*;q=0.8', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
const SCRIPT = { Accept: '*/*', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', 'Sec-Fetch-Site': 'same-origin' };
const visitor = () => new Visitor(behind);
const seenLast = () => nginx.seen.at(-1);

describe('behind nginx', () => {
  test('a page is sent to log in, and comes back; the service gets who it is, and no cookie of the gate', async () => {
    const ann = visitor();
    const first = await ann.one('/v1/posts?a=b&c=%2Fd');
    assert.equal(first.status, 303, first.text);
    assert.equal(first.headers.location, `${ann.origin}/auth/login?return_to=%2Fv1%2Fposts%3Fa%3Db%26c%3D%252Fd`);
    assert.equal(first.headers['cache-control'], 'no-store');
    const count = nginx.seen.length;
    const answer = await ann.go(first.headers.location);
    assert.deepEqual([answer.status, answer.text, answer.url], [200, 'backend', `${ann.origin}/v1/posts?a=b&c=%2Fd`]);
    assert.equal(nginx.seen.length, count + 1);
    assert.equal(seenLast().headers['x-auth-subject'], 'op|ann');
    assert.ok(!/edgegate/.test(seenLast().headers.cookie ?? ''), seenLast().headers.cookie);
    assert.equal((await ann.one('/v1/posts', { headers: SCRIPT })).status, 200);
  });

  test('a script is told that nobody is logged in, and a form is not led away from its body', async () => {
    const ann = visitor();
    for (const [method, headers] of [['GET', SCRIPT], ['GET', {}], ['POST', PAGE], ['GET', { ...PAGE, 'Sec-Fetch-Mode': 'websocket', Upgrade: 'websocket' }]]) {
      const answer = await ann.one('/v1/posts', { method, headers });
      assert.equal(answer.status, 401, JSON.stringify([method, headers]));
      assert.equal(answer.headers.location, undefined);
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="edgegate"');
    }
    const wrong = await ann.one('/v1/posts', { headers: { ...PAGE, Authorization: 'Bearer nonsense' } });
    assert.equal(wrong.status, 401, 'what a login does not mend stays refused');
    assert.equal(wrong.headers.location, undefined);
  });

  test('a session that has ended: its cookies go, and the page leads to the login', async () => {
    const ann = visitor();
    await ann.go('/v1/posts');
    const old = ann.cookie();
    const out = await ann.one('/auth/logout', { method: 'POST', headers: { ...SCRIPT, 'Content-Type': 'application/json' } });
    assert.equal(out.status, 200, out.text);
    const answer = await ann.gate.request('GET', '/v1/posts', { host: new URL(ann.origin).host, headers: { ...PAGE, Cookie: old } });
    assert.equal(answer.status, 303);
    assert.deepEqual(cookiesOf(answer), { [AT]: '', [RT]: '' });
    assert.equal((await ann.go('/v1/posts')).text, 'backend');
  });

  test('a 401 of the service itself reaches the client', async () => {
    const answer = await visitor().one('/public/own-401');
    assert.deepEqual([answer.status, answer.headers['www-authenticate'], answer.text], [401, 'Basic realm="service"', 'backend']);
  });

  test('nobody asks the gate in the place of nginx', async () => {
    const asked = { ...PAGE, 'X-Original-Method': 'GET', 'X-Original-URI': '/v1/posts', 'X-Gate-Client-IP': '192.0.2.1' };
    for (const target of ['/auth/verify', '/auth/verify?x', '/_gate']) {
      assert.equal((await visitor().one(target, { headers: asked })).status, 404, target);
    }
    // A client's own words about what is asked: the gate refuses what differs, nginx overwrites the rest.
    const answer = await visitor().one('/v1/posts', { headers: asked });
    assert.equal(answer.status, 303);
  });
});

describe('what the gate answers to a proxy', () => {
  const verify = (name, headers, host) => gate.get('/auth/verify', { gate: name, host, headers: { 'X-Gate-Client-IP': freshIp(), ...headers } });
  const forwarded = (uri, method = 'GET') => ({ 'X-Forwarded-Method': method, 'X-Forwarded-Uri': uri });
  const original = (uri, method = 'GET') => ({ 'X-Original-Method': method, 'X-Original-URI': uri });
  const LOGIN = `${OWN}/auth/login?return_to=%2Fv1%2Fposts%3Fpage%3D2`;

  test('a redirect to Traefik, Caddy, Envoy, APISIX, HAProxy, which give it to the client', async () => {
    // Traefik takes a relative Location for one of the gate's own address.
    for (const headers of [PAGE, { Accept: 'text/html' }, { 'Sec-Fetch-Dest': 'document' }]) {
      const answer = await verify('named', { ...forwarded('/v1/posts?page=2'), ...headers });
      assert.deepEqual([answer.status, answer.headers.location, answer.text], [303, LOGIN, '']);
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(answer.headers['x-auth-login'], undefined);
    }
  });

  test('a header to nginx and ingress-nginx, which know 401 only', async () => {
    for (const headers of [original('/v1/posts?page=2'), { 'X-Original-Method': 'GET', 'X-Original-URL': 'https://api.example.com/v1/posts?page=2' }]) {
      const answer = await verify('named', { ...headers, ...PAGE });
      assert.deepEqual([answer.status, answer.headers['x-auth-login'], answer.json().code], [401, LOGIN, 'LOGIN_REQUIRED']);
      assert.equal(answer.headers.location, undefined);
    }
  });

  test('neither where it would not help: scripts, forms, a wrong token, a person who may not', async () => {
    for (const ask of [forwarded, original]) {
      for (const headers of [
        { ...ask('/v1/posts'), ...SCRIPT }, ask('/v1/posts'), { ...ask('/v1/posts', 'POST'), ...PAGE },
        { ...ask('/v1/posts'), ...PAGE, Authorization: 'Bearer nonsense' },
      ]) {
        const answer = await verify('named', headers);
        assert.deepEqual([answer.status, answer.headers.location, answer.headers['x-auth-login']], [401, undefined, undefined], JSON.stringify(headers));
      }
    }
  });

  test('never a host that somebody wrote into a header', async () => {
    const evil = { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'gopher', Forwarded: 'host=evil.example' };
    for (const uri of ['https://evil.example/v1/posts?page=2', '/v1/posts?page=2']) {
      const answer = await verify('named', { ...forwarded(uri), ...PAGE, ...evil }, 'evil.example');
      assert.deepEqual([answer.status, answer.headers.location], [303, LOGIN]);
    }
    for (const uri of ['//evil.example/x', '/\\evil.example', '/v1/..%2fposts']) {
      assert.equal((await verify('named', { ...forwarded(uri), ...PAGE })).status, 400, uri);
    }
    const long = await verify('named', { ...forwarded(`/v1/${'a'.repeat(2000)}`), ...PAGE });
    assert.deepEqual([long.status, long.headers.location], [303, `${OWN}/auth/login`]);
  });

  test('no redirect where its cookies would not come along: it would go round in circles', async () => {
    for (const headers of [forwarded('/v1/posts'), original('/v1/posts')]) {
      const answer = await verify('elsewhere', { ...headers, ...PAGE });
      assert.deepEqual([answer.status, answer.headers.location, answer.headers['x-auth-login']], [401, undefined, undefined]);
    }
  });
});
