// An admitted request whose upstream fails: what its caller gets, what the log says, and that nothing else happens.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { closedPort, gateWorker, policy, refused, start, token } from './harness.mjs';

const ORIGIN = 'https://app.test';
const SERVICE = {
  name: 'service',
  modules: true,
  script: `export default { async fetch(request) {
    const { pathname } = new URL(request.url);
    switch (pathname.split('/').at(-1)) {
      case 'error': return Response.error();
      case 'nothing': return undefined;
      case 'text': throw 'a text, not an error';
      case 'long': throw new Error('a line that is long '.repeat(50_000) + '\\nand another');
      case 'stall': return new Promise((resolve) => setTimeout(resolve, 5000));
      default: return new Response('ok', { headers: { 'X-Powered-By': 'a framework', 'X-Frame-Options': 'SAMEORIGIN' } });
    }
  } };`,
};

let handle;
const server = http.createServer((request, response) => handle(request, response));
let gate;

before(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  const given = (more) => policy({
    routes: [
      { path: '/down/*', upstream: `http://127.0.0.1:${more.port}` },
      { path: '/slow/*', upstream: { url, timeout_ms: 300 } },
      { path: '/slow-service/*', upstream: { service: 'SERVICE', timeout_ms: 300 } },
      { path: '/optional/*', auth: 'optional' },
    ].map((route) => ({ ...route, limits: ['many'] })),
    upstream: { service: 'SERVICE' },
    limits: [{ name: 'many', by: 'caller', requests: 1000, window_secs: 3600, store: 'memory' }],
    revocation: undefined,
    cors: { origins: [ORIGIN], credentials: true },
    security_headers: true,
    log: more.log,
  });
  const port = await closedPort();
  const worker = { serviceBindings: { SERVICE: 'service' } };
  gate = await start([
    gateWorker({ policy: given({ port, log: 'refusals' }), worker }),
    gateWorker({ name: 'silent', policy: given({ port, log: 'none' }), worker }),
    SERVICE,
  ]);
});
after(() => {
  server.closeAllConnections();
  server.close();
});
after(() => gate.dispose());

const ALICE = () => ({ token: token(), headers: { Origin: ORIGIN } });

describe('an upstream that fails', () => {
  for (const [target, code, detail] of [
    ['/down/a', 'UPSTREAM_ERROR', /^upstream: ./],
    ['/slow/a', 'UPSTREAM_TIMEOUT', /^upstream: no answer in 300 ms$/],
    ['/slow-service/stall', 'UPSTREAM_TIMEOUT', /^upstream: no answer in 300 ms$/],
    ['/service/text', 'UPSTREAM_ERROR', /^upstream: ./],
    ['/service/nothing', 'UPSTREAM_ERROR', /^upstream: ./],
    ['/service/error', 'UPSTREAM_ERROR', /^upstream: ./],
    ['/service/long', 'UPSTREAM_ERROR', /^upstream: Error: a line that is long .{1,180}$/],
  ]) {
    test(`is answered and logged as any refusal: ${target}`, { timeout: 20_000 }, async () => {
      handle = () => {};
      const from = gate.output.lines.length;
      const answer = await gate.get(`${target}?secret=1`, ALICE());
      const { headers } = answer;
      refused(answer, code);
      assert.deepEqual(
        [headers['access-control-allow-origin'], headers['access-control-allow-credentials'], headers.vary, headers['x-content-type-options']],
        [ORIGIN, 'true', 'Origin', 'nosniff'],
      );
      if (!target.startsWith('/service')) assert.match(headers.ratelimit, /^"many";r=\d+;t=\d+$/);
      const line = JSON.parse(await gate.output.find((one) => one.includes(code), from));
      assert.deepEqual(
        [line.event, line.code, line.method, line.carrier, line.subject, line.identity],
        ['refused', code, 'GET', 'bearer', undefined, undefined],
      );
      assert.match(line.detail, detail);
      assert.match(line.client, /^10\./);
      assert.ok(line.at > 1_700_000_000_000);
      assert.ok(!JSON.stringify(line).includes('secret'));
      assert.ok(target.startsWith('/service') || line.route === target.replace(/[^/]+$/, '*'), line.route);
    });
  }

  test('is not logged where the policy wants nothing logged', async () => {
    const from = gate.output.lines.length;
    refused(await gate.get('/down/a', { gate: 'silent', ...ALICE() }), 'UPSTREAM_ERROR');
    refused(await gate.get('/down/b', ALICE()), 'UPSTREAM_ERROR');
    await gate.output.find((one) => one.includes('UPSTREAM_ERROR'), from);
    assert.equal(gate.output.lines.slice(from).filter((one) => one.includes('UPSTREAM_ERROR')).length, 1);
  });

  test('half-way breaks off at the caller too, and the gate goes on', async () => {
    handle = (_, response) => {
      response.writeHead(200, { 'Content-Length': '1000', 'Cache-Control': 'max-age=60' });
      response.write('a');
      setTimeout(() => response.destroy(), 20);
    };
    assert.equal(await gate.get('/slow/a', ALICE()).then(() => 'whole', () => 'broken'), 'broken');
    assert.equal((await gate.get('/service/a', ALICE())).text, 'ok');
  });

  test('after its first byte is not given up by the bound on waiting', async () => {
    handle = (_, response) => {
      response.write('a');
      setTimeout(() => response.end('b'), 600);
    };
    assert.equal((await gate.get('/slow/a', ALICE())).text, 'ab');
  });

  test('is left if its caller has left', { timeout: 20_000 }, async () => {
    let left;
    const gone = new Promise((resolve) => { left = resolve; });
    let seen = false;
    handle = (request) => {
      seen = true;
      request.socket.once('close', left);
    };
    await gate.hangUp('/slow/a', { token: token(), wanted: () => seen });
    await gone;
  });
});

test('an answer gets the headers that it lacks, and loses those that it should not have', async () => {
  const { headers } = await gate.get('/service/a', ALICE());
  assert.deepEqual(
    [headers['x-frame-options'], headers['x-powered-by'], headers['x-content-type-options'], headers['access-control-allow-origin'], headers['cache-control']],
    ['SAMEORIGIN', undefined, 'nosniff', ORIGIN, 'private'],
  );
  const { headers: open } = await gate.get('/optional/a');
  assert.deepEqual([open['cache-control'], open.vary], [undefined, 'Authorization, X-API-Key, Origin']);
});
