// Callers as other proxies and older systems send them: tokens in other headers, keys of any form, claims for the service, and the
// addresses that a route or a key is for.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { AUDIENCE, ISSUER, admitted, apiKey, gateWorker, policy, refused, start, token } from './harness.mjs';

const OTHER = 'https://access.example.com';
const ISSUERS = [...policy().issuers, { issuer: OTHER, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }];
const NAMED = {
  issuers: ISSUERS,
  cookie: 'session',
  credential_headers: [
    { name: 'Cf-Access-Jwt-Assertion', issuers: [OTHER] },
    { name: 'X-Amzn-Oidc-Data', issuers: [OTHER], beside: 'ignore' },
  ],
  identity_headers: { 'X-Org': 'org_id', 'X-Groups': 'groups' },
  api_keys: {
    ...policy().api_keys,
    header: 'X-Service-Key',
    prefixes: [...policy().api_keys.prefixes, { prefix: '', format: 'imported', scopes: ['read:posts'] }],
  },
  routes: [
    { path: '/public/*', auth: 'none' },
    { path: '/optional/*', auth: 'optional' },
    { path: '/office/*', auth: 'none', ips: ['203.0.113.0/24', '2001:db8::/32'] },
    { path: '/v1/posts', scopes: { all: ['read:posts'] } },
  ],
};

let gate;
let seen = [];
const upstream = http.createServer((request, response) => {
  seen.push(request);
  response.end('ok');
}).listen(0, '127.0.0.1');

before(async () => {
  if (!upstream.listening) await once(upstream, 'listening');
  const url = `http://127.0.0.1:${upstream.address().port}`;
  gate = await start([
    gateWorker({ policy: policy({ ...NAMED, log: 'all' }) }),
    gateWorker({ name: 'before', policy: policy({ ...NAMED, upstream: url }) }),
    gateWorker({ name: 'forwarding', policy: policy({ ...NAMED, upstream: url, forward_credential: true }) }),
  ]);
});
after(() => upstream.close());
after(() => gate.dispose());

const access = (claims = {}) => token({ iss: OTHER, scope: 'read:posts', ...claims });

/** Returns the request as the service gets it. */
async function passedOn(target, options) {
  seen = [];
  const answer = await gate.get(target, { gate: 'before', ...options });
  assert.equal(answer.status, 200, answer.text);
  return seen.at(-1).headers;
}

const spellings = (name) => [name.replaceAll('-', '_'), name.replaceAll('-', '.'), name.replaceAll('-', '~')];

describe('a token in the header of another proxy', () => {
  test('is taken, and the log says where it was', async () => {
    const from = gate.output.lines.length;
    const answer = await gate.get('/v1/posts', { headers: { 'Cf-Access-Jwt-Assertion': access({ sub: 'in-header' }) } });
    admitted(answer, { method: 'jwt', subject: 'in-header', issuer: OTHER });
    await gate.output.find((line) => line.includes('"subject":"in-header"') && line.includes('"carrier":"credential_header"'), from);
  });

  test('is taken only from its issuers', async () => {
    refused(await gate.get('/v1/posts', { headers: { 'Cf-Access-Jwt-Assertion': token({ scope: 'read:posts' }) } }), 'INVALID_TOKEN');
    refused(await gate.get('/v1/posts', { headers: { 'Cf-Access-Jwt-Assertion': apiKey() } }), 'INVALID_TOKEN');
  });

  test('is a second credential beside one of the caller, unless the policy says that it is ignored', async () => {
    const own = token({ scope: 'read:posts', sub: 'own' });
    const beside = (name) => gate.get('/v1/posts', { token: own, headers: { [name]: access() } });
    refused(await beside('Cf-Access-Jwt-Assertion'), 'MULTIPLE_CREDENTIALS');
    admitted(await beside('X-Amzn-Oidc-Data'), { subject: 'own', issuer: ISSUER });
    const both = { 'Cf-Access-Jwt-Assertion': access(), 'X-Amzn-Oidc-Data': access() };
    refused(await gate.get('/v1/posts', { headers: both }), 'MULTIPLE_CREDENTIALS');
    refused(await gate.get('/v1/posts', { headers: [['Cf-Access-Jwt-Assertion', access()], ['Cf-Access-Jwt-Assertion', access()]] }), 'MULTIPLE_CREDENTIALS');
  });

  test('goes no further, in any spelling, unless the policy forwards the verified credential', async () => {
    const names = ['Cf-Access-Jwt-Assertion', 'X-Amzn-Oidc-Data', 'X-Service-Key', 'X-API-Key'];
    const everywhere = Object.fromEntries(names.flatMap((name) => [name, ...spellings(name)]).map((name) => [name, 'x']));
    for (const name of ['before', 'forwarding']) {
      const passed = await passedOn('/public/x', { gate: name, headers: everywhere });
      assert.deepEqual(Object.keys(passed).filter((one) => passed[one] === 'x'), [], name);
    }
    const verified = { 'Cf-Access-Jwt-Assertion': access() };
    assert.equal((await passedOn('/v1/posts', { headers: verified }))['cf-access-jwt-assertion'], undefined);
    const forwarded = await passedOn('/v1/posts', { gate: 'forwarding', headers: verified });
    assert.equal(forwarded['cf-access-jwt-assertion'], verified['Cf-Access-Jwt-Assertion']);
    const ignored = await passedOn('/v1/posts', { gate: 'forwarding', token: token({ scope: 'read:posts' }), headers: { 'X-Amzn-Oidc-Data': access() } });
    assert.equal(ignored['x-amzn-oidc-data'], undefined);
    assert.match(ignored.authorization, /^Bearer /);
  });

  test('counts if another proxy asks', async () => {
    const ask = (headers) => gate.get('/auth/verify', { headers: { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/v1/posts', ...headers } });
    const answer = await ask({ 'Cf-Access-Jwt-Assertion': access({ org_id: 'acme' }) });
    assert.deepEqual([answer.status, answer.headers['x-auth-issuer'], answer.headers['x-org'], answer.headers['x-groups']], [200, OTHER, 'acme', '']);
    refused(await ask({ 'Cf-Access-Jwt-Assertion': token({ scope: 'read:posts' }) }), 'INVALID_TOKEN');
  });

  test('is named to caches', async () => {
    const answer = await gate.get('/optional/x', { gate: 'before' });
    assert.equal(answer.headers.vary, 'Authorization, X-Service-Key, Cf-Access-Jwt-Assertion, X-Amzn-Oidc-Data, Cookie');
  });
});

describe('a header of another name for API keys', () => {
  test('is the only one', async () => {
    const { key } = await gate.mint();
    admitted(await gate.get('/v1/posts', { headers: { 'X-Service-Key': key } }), { method: 'api_key', subject: 'bob' });
    const answer = await gate.get('/v1/posts', { key });
    refused(answer, 'MISSING_CREDENTIALS', { hint: "Send a token as 'Authorization: Bearer <token>' or an API key as 'X-Service-Key: <key>'" });
    assert.equal((await passedOn('/public/x', { headers: { 'X-Service-Key': key } }))['x-service-key'], undefined);
  });

  test('takes imported keys of any form, which nothing else does', async () => {
    for (const key of [randomUUID(), `sk-proj-${randomUUID()}`, 'AKIAIOSFODNN7EXAMPLE']) {
      const imported_sha256 = createHash('sha256').update(key).digest('hex');
      await gate.mint({ imported_sha256, owner: 'carol', scopes: ['read:posts', 'admin'] });
      const seenBy = admitted(await gate.get('/v1/posts', { headers: { 'X-Service-Key': key } }), { method: 'api_key', subject: 'carol' });
      assert.deepEqual(seenBy.scopes, ['read:posts']);
      refused(await gate.get('/v1/posts', { token: key }), 'INVALID_TOKEN');
      refused(await gate.get('/v1/posts', { basic: key }), 'INVALID_API_KEY');
      refused(await gate.get('/v1/posts', { headers: { Cookie: `session=${key}` } }), 'INVALID_TOKEN');
    }
    refused(await gate.get('/v1/posts', { headers: { 'X-Service-Key': randomUUID() } }), 'INVALID_API_KEY');
  });
});

describe('claims for the service', () => {
  test('are in the headers that the policy names, and callers cannot set these', async () => {
    const names = ['X-Org', 'X-Groups'];
    const forged = Object.fromEntries(names.flatMap((name) => [name, ...spellings(name)]).map((name) => [name, 'root']));
    const told = await passedOn('/v1/posts', { token: token({ scope: 'read:posts', org_id: 'Zürich', groups: ['a b', 'c', 7] }), headers: forged });
    assert.deepEqual([told['x-org'], told['x-groups']], ['Z%C3%BCrich', 'a%20b c 7']);
    for (const options of [{}, { token: token({ scope: 'read:posts' }) }]) {
      const passed = await passedOn(options.token ? '/v1/posts' : '/public/x', { ...options, headers: forged });
      assert.deepEqual(Object.values(passed).filter((value) => value === 'root'), []);
      assert.deepEqual([passed['x-org'], passed['x-groups']], [undefined, undefined]);
    }
  });

  test('are always answered to another proxy, as empty headers if there are none', async () => {
    const headers = { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/public/x', 'X-Org': 'root' };
    const answer = await gate.get('/auth/verify', { headers });
    assert.deepEqual([answer.status, answer.headers['x-org'], answer.headers['x-groups']], [200, '', '']);
  });
});

describe('addresses', () => {
  test('a route is for its networks', async () => {
    for (const ip of ['203.0.113.255', '2001:db8:ffff::1']) assert.equal((await gate.get('/office/x', { ip })).status, 200, ip);
    for (const ip of ['203.0.114.1', '2001:db9::1', null]) refused(await gate.get('/office/x', { ip }), 'NOT_ALLOWED');
    const headers = { 'X-Forwarded-For': '203.0.113.1', 'X-Real-IP': '203.0.113.1' };
    refused(await gate.get('/office/x', { ip: '198.51.100.1', headers }), 'NOT_ALLOWED');
  });

  test('a key is for the networks of its record', async () => {
    const made = await gate.mint({ ips: ['203.0.113.0/24'] });
    assert.deepEqual(made.ips, ['203.0.113.0/24']);
    const use = (ip, key = made.key) => gate.get('/v1/posts', { ip, headers: { 'X-Service-Key': key } });
    admitted(await use('203.0.113.7'), { method: 'api_key' });
    refused(await use('198.51.100.7'), 'NOT_ALLOWED');
    refused(await use(null), 'NOT_ALLOWED');
    const listed = (await gate.admin('GET', '/keys?owner=bob')).json().keys.find((one) => one.id === made.id);
    assert.deepEqual(listed.ips, made.ips);

    const rotated = (await gate.admin('POST', `/keys/${made.id}/rotate`, { overlap_secs: 0 })).json();
    assert.deepEqual(rotated.ips, made.ips);
    admitted(await use('203.0.113.7', rotated.key), { method: 'api_key' });
    refused(await use('198.51.100.7', rotated.key), 'NOT_ALLOWED');

    for (const ips of [[], ['203.0.113.1/24'], ['office']]) {
      const answer = await gate.admin('POST', '/keys', { name: 'n', owner: 'o', scopes: [], ips });
      assert.equal(answer.status, 400, answer.text);
      assert.match(answer.json().hint, /^ips/);
    }
  });
});

