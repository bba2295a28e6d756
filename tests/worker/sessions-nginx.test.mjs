// The cookies of sessions behind a real nginx, configured as docs/forward-auth.md says.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { start } from './harness.mjs';
import { configurationOf, startNginx } from './nginx.mjs';
import { AT, RT, SAME_ORIGIN, Sessions, cookiesOf, sessionPolicy, sessionWorker } from './sessions.mjs';

const configuration = ({ port, gatePort, backendPort }) => configurationOf(`
  map $http_cookie $without_at {
    "~^(?<before_at>(?:.*; )?)${AT}=[^;]*(?:; )?(?<after_at>.*)$" $before_at$after_at;
    default $http_cookie;
  }
  map $without_at $service_cookies {
    "~^(?<before_rt>(?:.*; )?)${RT}=[^;]*(?:; )?(?<after_rt>.*)$" $before_rt$after_rt;
    default $without_at;
  }
  map $upstream_http_cache_control $cache_control {
    default $upstream_http_cache_control;
    "" private;
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
      proxy_set_header X-Gate-Client-IP $remote_addr;
      # nginx keeps it from the service as well, unless a location passes it on.
      proxy_set_header Upgrade $http_upgrade;
    }

    location / {
      auth_request /_gate;
      auth_request_set $cookie_1 $upstream_http_x_auth_set_cookie_1;
      auth_request_set $cookie_2 $upstream_http_x_auth_set_cookie_2;
      add_header Set-Cookie $cookie_1 always;
      add_header Set-Cookie $cookie_2 always;
      proxy_hide_header Cache-Control;
      add_header Cache-Control $cache_control always;
      proxy_set_header Cookie $service_cookies;
      proxy_pass http://127.0.0.1:${backendPort};
    }
  }`);

let gate;
let sessions;
let nginx;
let port;
let seen;
before(async () => {
  gate = await start([sessionWorker({ policy: sessionPolicy({ forward_auth: { client_ip_header: 'X-Gate-Client-IP', origin: 'https://api.example.com' } }) })]);
  sessions = new Sessions(gate);
  nginx = await startNginx(gate, configuration, (response) => {
    response.setHeader('Set-Cookie', 'app=1');
    response.end('backend');
  });
  ({ port, seen } = nginx);
});
after(async () => {
  await nginx?.stop();
  await gate?.dispose();
});

test('both cookies pass, beside those of the service; the service gets none of the gate’s', async () => {
  const browser = await sessions.browser();
  await sessions.wait(1000);
  const ask = (cookie) => gate.get('/v1/posts', { port, headers: { ...SAME_ORIGIN, Cookie: cookie } });
  const renewed = await ask(`a=1; ${browser.cookie}; b=2`);
  assert.equal(renewed.status, 200, renewed.text);
  const cookies = cookiesOf(renewed);
  assert.deepEqual(Object.keys(cookies).sort(), [AT, RT, 'app'].sort());
  assert.equal(renewed.headers['cache-control'], 'private');
  assert.equal(seen.at(-1).headers.cookie, 'a=1; b=2');
  browser.take(renewed);
  const next = await ask(browser.cookie);
  assert.equal(next.status, 200);
  assert.deepEqual(Object.keys(cookiesOf(next)), ['app']);
  assert.equal(seen.at(-1).headers.cookie, 'app=1');
});

test('a session that has ended takes its cookies out of the browser', async () => {
  const browser = await sessions.browser();
  const { cookie } = browser;
  await browser.post('/auth/logout');
  await sessions.wait(1000);
  const refused = await gate.get('/v1/posts', { port, headers: { ...SAME_ORIGIN, Cookie: cookie } });
  assert.equal(refused.status, 401);
  assert.deepEqual(cookiesOf(refused), { [AT]: '', [RT]: '' });
});
