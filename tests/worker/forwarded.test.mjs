// A caller cannot tell the service anything about the request itself. The headers of proxies say who the caller is.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { freshIp, gateWorker, policy, refused, start, token } from './harness.mjs';

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/client_addresses.json', import.meta.url), 'utf8'));
const ROUTES = [{ path: '/public/*', auth: 'none' }, { path: '/ip', auth: 'none', limits: ['by-ip'] }];
const LIMITS = [{ name: 'by-ip', by: 'ip', requests: 2, window_secs: 3600, store: 'durable-object' }];

let upstream;
let gate;
let seen = [];

before(async () => {
  upstream = http.createServer((request, response) => {
    seen.push(request);
    response.end('ok');
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const url = `http://127.0.0.1:${upstream.address().port}`;
  const proxied = (more) => policy({ upstream: url, routes: ROUTES, limits: LIMITS, ...more });
  const listed = [undefined, 1, 2, 3].map((trusted_hops) => gateWorker({
    name: `hops-${trusted_hops}`, policy: proxied({ client_ip_header: 'X-Forwarded-For', ...(trusted_hops && { trusted_hops }) }),
  }));
  gate = await start([
    gateWorker({ policy: proxied() }),
    gateWorker({ name: 'forwarding', policy: proxied({ forward_credential: true }) }),
    gateWorker({ name: 'real-ip', policy: proxied({ client_ip_header: 'X-Real-IP' }) }),
    gateWorker({
      name: 'service', policy: policy({ routes: ROUTES, limits: LIMITS }), worker: { serviceBindings: { UPSTREAM: 'backend' } },
    }),
    gateWorker({
      name: 'service-real-ip', policy: policy({ routes: ROUTES, limits: LIMITS, client_ip_header: 'X-Real-IP' }),
      worker: { serviceBindings: { UPSTREAM: 'backend' } },
    }),
    {
      name: 'backend', modules: true,
      script: 'export default { fetch: (request) => Response.json(Object.fromEntries(request.headers)) }',
    },
    ...listed,
  ]);
});
after(() => upstream.close());
after(() => gate.dispose());

/** The headers that the service gets. */
async function passedOn(target, options) {
  seen = [];
  const answer = await gate.get(target, options);
  assert.equal(answer.status, 200, answer.text);
  return options?.gate?.startsWith('service') ? answer.json() : seen.at(-1).headers;
}

const OVERRIDING = [
  'X-Original-URL', 'X-Original-URI', 'X-Original-Host', 'X-Original-Method', 'X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-HTTP-Method',
  'X-Method-Override', 'Forwarded', 'X-Forwarded-Prefix', 'X-Forwarded-Port', 'X-Forwarded-Uri', 'X-Forwarded-Method', 'X-Forwarded-Server',
  'X-Forwarded-Ssl', 'X-Forwarded-User', 'X-Script-Name', 'X-Host', 'X-Real-IP', 'True-Client-IP', 'X-Client-IP',
];
const spellings = (name) => [name, name.toLowerCase(), name.replaceAll('-', '_'), name.replaceAll('-', '.')];

describe('a caller says nothing of the request to the service', () => {
  for (const [what, options] of [['on an open route', {}], ['with a credential', { token: true }], ['through a service binding', { gate: 'service' }]]) {
    test(what, async () => {
      const names = OVERRIDING.flatMap(spellings);
      const headers = Object.fromEntries(names.map((name) => [name, '/admin']));
      const given = options.token ? { headers, token: token() } : { headers, ...options };
      const passed = await passedOn('/public/x', given);
      assert.deepEqual(names.filter((name) => passed[name.toLowerCase()] !== undefined), []);
    });
  }

  test('nor who it is, whatever stands between the words', async () => {
    const headers = {
      'X-Auth.Subject': 'root', 'X.Auth.Scopes': 'admin', 'X~Auth!Method': 'jwt', 'X_Auth.Issuer': 'me', 'x.auth.key.id': '1',
      'X.API.Key': 'sk_test_x', X_API_Key: 'sk_test_x',
    };
    for (const name of ['gate', 'forwarding']) {
      const passed = await passedOn('/public/x', { headers, gate: name });
      const left = Object.keys(passed).filter((one) => /^x.(auth|api)/.test(one));
      assert.deepEqual(left, ['x-auth-method'], name);
      assert.equal(passed['x-auth-method'], 'anonymous');
    }
  });

  test('but whatever else it likes', async () => {
    const headers = { 'X-Request-ID': '1', X_Custom: '2', 'X-Original-Filename': '3', Origin: 'https://app.test' };
    const passed = await passedOn('/public/x', { headers });
    for (const [name, value] of Object.entries(headers)) assert.equal(passed[name.toLowerCase()], value, name);
  });
});

describe('the gate says of the request', () => {
  for (const name of ['gate', 'service']) {
    test(`scheme, host and address as it saw them (${name})`, async () => {
      const ip = freshIp();
      const headers = { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'gopher', 'X-Forwarded-For': '192.0.2.66', X_Forwarded_Host: 'evil.example' };
      const passed = await passedOn('/public/x', { headers, ip, host: 'api.example.com:8443', gate: name });
      assert.equal(passed['x-forwarded-host'], 'api.example.com:8443');
      assert.equal(passed['x-forwarded-proto'], 'http');
      assert.equal(passed['x-forwarded-for'], ip);
      assert.equal(passed.x_forwarded_host, undefined);
    });
  }

  test('no address where it knows none', async () => {
    const passed = await passedOn('/public/x', { headers: { 'X-Forwarded-For': '192.0.2.66' }, ip: null });
    assert.equal(passed['x-forwarded-for'], undefined);
  });

  test('and leaves the header of the address that the policy trusts', async () => {
    const passed = await passedOn('/public/x', { headers: { 'X-Real-IP': '192.0.2.7', 'X-Client-IP': '192.0.2.8' }, gate: 'real-ip' });
    assert.equal(passed['x-real-ip'], '192.0.2.7');
    assert.equal(passed['x-forwarded-for'], '192.0.2.7');
    assert.equal(passed['x-client-ip'], undefined);
  });

  test('and no other, not even Cloudflare\'s', async () => {
    // The service is bound: from requests to a URL the platform itself removes this header.
    const [ip, headers] = [freshIp(), { 'X-Real-IP': '192.0.2.7' }];
    const passed = await passedOn('/public/x', { headers, ip, gate: 'service-real-ip' });
    assert.deepEqual([passed['cf-connecting-ip'], passed['x-real-ip']], [undefined, '192.0.2.7']);
    assert.equal((await passedOn('/public/x', { ip, gate: 'service' }))['cf-connecting-ip'], ip);
  });
});

describe('the client\'s address', () => {
  for (const { name, value, trusted_hops, address } of VECTORS) {
    test(`${name}: ${JSON.stringify(value)}`, async () => {
      const passed = await passedOn('/public/x', { headers: { 'X-Forwarded-For': value }, gate: `hops-${trusted_hops}` });
      assert.equal(passed['x-forwarded-for'], address?.replace('::ffff:', ''));
    });
  }

  test('what a client writes before the proxy\'s word does not change who it is', async () => {
    const ip = freshIp();
    const ask = (said) => gate.get('/ip', { gate: 'hops-1', headers: { 'X-Forwarded-For': `${said}, ${ip}:4711` } });
    for (const said of [freshIp(), '"']) assert.equal((await ask(said)).status, 200);
    refused(await ask(freshIp()), 'RATE_LIMITED');
  });

  test('that cannot be read is told to the log, once for many, without its value', async () => {
    const from = gate.output.lines.length;
    for (let count = 0; count < 5; count += 1) {
      await passedOn('/public/x', { headers: { 'X-Forwarded-For': `nonsense-${count}` }, gate: 'hops-3' });
    }
    const of = (line) => line.includes('address cannot be read');
    // A fault may have been logged within the last minute, and is not logged again.
    const lines = gate.output.lines.filter(of);
    assert.ok(lines.length >= 1 && gate.output.lines.slice(from).filter(of).length <= 1, lines.join('\n'));
    assert.deepEqual(JSON.parse(lines[0].slice(lines[0].indexOf('{'))), {
      event: 'fault', detail: 'client_ip_header: the client\'s address cannot be read, the request counts as one without',
    });
    assert.ok(!lines.join('').includes('nonsense'));
  });

  test('that is a list in CF-Connecting-IP reads the same', async () => {
    const passed = await passedOn('/public/x', { ip: '[2001:db8::1]:443' });
    assert.equal(passed['x-forwarded-for'], '2001:db8::1');
  });
});
