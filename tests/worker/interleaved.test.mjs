// Many callers at once, each waiting for something else. None is taken for another: not by the service, in its answer, or in the log.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { apiKey, closedPort, freshIp, gateWorker, policy, start, token } from './harness.mjs';

const CALLERS = 50;
const ROUNDS = 4;

const SERVICE = {
  name: 'service',
  modules: true,
  script: `export default { async fetch(request) {
    const headers = Object.fromEntries([...request.headers].filter(([name]) => name.startsWith('x-')));
    await new Promise((resolve) => setTimeout(resolve, headers['x-caller'] % 7));
    if (headers['x-caller'] % 11 === 0) throw new Error('no\\n' + headers['x-auth-subject'].repeat(100000));
    return Response.json(headers);
  } };`,
};

const upstream = http.createServer((request, response) => {
  const number = Number(request.headers['x-caller']);
  const answer = () => {
    // Some services set headers for caches; then the gate is asked once more.
    if (number % 2 === 0) response.setHeader('Cache-Control', `max-age=${number}`);
    response.setHeader('Set-Cookie', [`a=${number}`, `b=${number}`]);
    response.end(JSON.stringify(request.headers));
  };
  setTimeout(answer, (number * 7) % 13);
});
let gate;

before(async () => {
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  const down = `http://127.0.0.1:${await closedPort()}`;
  gate = await start([gateWorker({
    policy: policy({
      cookie: 'session',
      log: 'all',
      identity_headers: { 'X-Org': 'org_id' },
      api_keys: { ...policy().api_keys, records: 'none' },
      upstream: `http://127.0.0.1:${upstream.address().port}`,
      limits: [
        { name: 'near', by: 'caller', requests: 1000, window_secs: 3600, store: 'memory' },
        { name: 'far', by: 'caller', requests: 1000, window_secs: 3600, store: 'durable-object' },
      ],
      routes: [
        { path: '/far/*', limits: ['far'] },
        { path: '/service/*', upstream: { service: 'SERVICE', timeout_ms: 5000 } },
        { path: '/down/*', upstream: down },
        { path: '/optional/*', auth: 'optional', limits: ['near'] },
        { path: '/scopes/*', scopes: { all: ['admin'] } },
      ],
    }),
    worker: { serviceBindings: { SERVICE: 'service' } },
  }), SERVICE]);
});
after(() => upstream.close());
after(() => gate.dispose());

/** One caller: its credential and its identity. */
function caller(number) {
  const ip = freshIp();
  const headers = { 'X-Caller': `${number}`, 'X-Auth-Subject': 'mallory', 'X-Org': 'of mallory' };
  const name = `caller-${number}`;
  const made = token({ sub: name, org_id: `org-${number}`, jti: `${number}` });
  switch (number % 4) {
    case 0: return { number, sent: { ip, headers, token: made }, told: { subject: name, org: `org-${number}`, method: 'jwt' } };
    case 1: return { number, sent: { ip, headers: { ...headers, Cookie: `x=${number}; session=${made}` } }, told: { subject: name, org: `org-${number}`, method: 'jwt' } };
    case 2: return { number, sent: { ip, headers, key: apiKey({ id: Buffer.alloc(16, number) }) }, told: { key: Buffer.alloc(16, number).toString('hex'), method: 'api_key' } };
    default: return { number, sent: { ip, headers }, told: { method: 'anonymous' } };
  }
}

const seenAs = (headers) => {
  const told = { subject: headers['x-auth-subject'], org: headers['x-org'], key: headers['x-auth-key-id'], method: headers['x-auth-method'] };
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
};

test(`${CALLERS} callers at once are each who they are`, { timeout: 60_000 }, async () => {
  const from = gate.output.lines.length;
  const expected = new Map();
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(Array.from({ length: CALLERS }, async (_, index) => {
      const { number, sent, told } = caller(index + round * CALLERS + 1);
      const target = ['/optional', '/far', '/service', '/down', '/scopes'][number % 5];
      const answer = await gate.get(`${target}/${number}`, sent);
      const known = told.method !== 'anonymous';
      const status = { '/optional': 200, '/far': 200, '/service': number % 11 === 0 ? 502 : 200, '/down': 502, '/scopes': 403 }[target];
      assert.equal(answer.status, known || target === '/optional' ? status : 401, `${target} ${number}: ${answer.text.slice(0, 300)}`);
      expected.set(sent.ip, { known, refused: answer.status !== 200, told });
      if (answer.status !== 200) return;
      const { 'x-caller': echoed, ...headers } = answer.json();
      assert.equal(echoed, `${number}`);
      assert.deepEqual(seenAs(headers), told);
      assert.equal(headers['x-forwarded-for'], sent.ip);
      assert.ok(!JSON.stringify(headers).includes('mallory'));
      assert.ok(!known || answer.headers['cache-control'].startsWith('private'));
      if (target !== '/service') {
        assert.deepEqual(answer.headers['set-cookie'], [`a=${number}`, `b=${number}`]);
        if (number % 2 === 0) assert.match(answer.headers['cache-control'], new RegExp(`max-age=${number}$`));
        assert.match(answer.headers.ratelimit, /;r=999;/);
      }
    }));
  }
  await gate.output.find(() => [...expected.keys()].every((ip) => gate.output.lines.slice(from).some((line) => line.includes(`"${ip}"`))), from);
  for (const line of gate.output.lines.slice(from).filter((one) => one.startsWith('{'))) {
    assert.ok(line.length < 1000, `${line.length} characters`);
    const event = JSON.parse(line);
    const { known, refused, told } = expected.get(event.client);
    if (event.event === 'admitted') assert.deepEqual([event.subject, event.key_id], known ? [told.subject, told.key] : [undefined, undefined]);
    else assert.ok(refused, line);
  }
});
