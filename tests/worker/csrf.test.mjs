// Requests whose cookie decides: which page may send them, and which cookies go on to the service.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { gateWorker, policy, refused, start, token } from './harness.mjs';

const ECHO = {
  name: 'echo',
  modules: true,
  script: `export default { async fetch(request) { return Response.json({ cookie: request.headers.get('Cookie'), method: request.method }); } }`,
};
const SESSIONS = { issuer: 'https://gate.edgegate.local/', audience: ['https://api.example.com'], secret: 'JWT_SECRET', cookies: true };
const ROUTES = [{ path: '/public/*', auth: 'none' }, { path: '/*' }];

let gate;

before(async () => {
  const given = (changes) => policy({ upstream: { service: 'ECHO' }, routes: ROUTES, limits: [], origin: 'https://api.example.com', ...changes });
  const worker = { serviceBindings: { ECHO: 'echo' } };
  gate = await start([
    gateWorker({ policy: given({ cookie: 'session' }), worker }),
    gateWorker({ name: 'off', policy: given({ cookie: 'session', csrf: 'off' }), worker }),
    gateWorker({ name: 'sessions', policy: given({ sessions: SESSIONS }), worker }),
    ECHO,
  ]);
});
after(() => gate.dispose());

describe('a request with the cookie of the policy', () => {
  const ask = (method, headers, more) => gate.request(method, '/a', { headers: { Cookie: `session=${token()}`, ...headers }, ...more });

  test('is safe by its method, wherever it comes from', async () => {
    assert.equal((await ask('GET', { 'Sec-Fetch-Site': 'cross-site' })).status, 200);
  });

  test('otherwise has to come from a page of this origin', async () => {
    for (const headers of [{ 'Sec-Fetch-Site': 'same-origin' }, { 'Sec-Fetch-Site': 'none' }, { Origin: 'https://api.example.com' }]) {
      assert.equal((await ask('POST', headers)).status, 200, JSON.stringify(headers));
    }
    for (const headers of [
      {},
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site', Origin: 'https://app.example.com' },
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
    ]) {
      refused(await ask('POST', headers), 'CSRF_REFUSED');
    }
  });

  test('is unsafe if it opens a WebSocket', async () => {
    refused(await ask('GET', { Upgrade: 'websocket', Origin: 'https://evil.example' }), 'CSRF_REFUSED');
    // A proxy that removes the headers of a connection asks like this.
    refused(await ask('GET', { 'Sec-WebSocket-Version': '13', Origin: 'https://evil.example' }), 'CSRF_REFUSED');
    refused(await ask('GET', { 'Sec-WebSocket-Version': '13', 'Sec-Fetch-Site': 'same-site' }), 'CSRF_REFUSED');
  });

  test('is not checked if the policy leaves it to the service, or with a token in a header', async () => {
    assert.equal((await ask('POST', {}, { gate: 'off' })).status, 200);
    assert.equal((await gate.post('/a', { token: token() })).status, 200);
  });
});

describe('the cookies of sessions', () => {
  test('never reach the service', async () => {
    const headers = { Cookie: 'a=1; __Host-edgegate-at=x; __Host-edgegate-rt=y; __host_edgegate_rt=z' };
    for (const [target, more] of [['/public/a', {}], ['/a', { token: token() }]]) {
      const answer = await gate.get(target, { gate: 'sessions', headers, ...more });
      assert.equal(answer.json().cookie, 'a=1', target);
    }
  });

  test('are credentials, and forged ones are refused', async () => {
    const rt = `edgegate_rt_${'A'.repeat(131)}`;
    refused(await gate.get('/a', { gate: 'sessions', headers: { Cookie: `__Host-edgegate-rt=${rt}` } }), 'INVALID_REFRESH_TOKEN');
    refused(await gate.get('/a', { gate: 'sessions', headers: { Cookie: '__Host-edgegate-at=a.b.c' } }), 'INVALID_TOKEN');
    refused(await gate.get('/a', { gate: 'sessions', headers: { Cookie: '__Host-edgegate-at=x; __Host-edgegate-at=y' } }), 'MULTIPLE_CREDENTIALS');
  });
});
