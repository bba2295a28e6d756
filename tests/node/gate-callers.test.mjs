// createGate decides as the Worker does about tokens in other headers, keys of any form, claims for the service, and addresses.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';

import { AUDIENCE } from '../worker/harness.mjs';
import { ISSUER, bearer, gateOf, policy, request, token } from './gate.mjs';

const OTHER = 'https://access.example.com';
const NAMED = policy({
  log: 'all',
  issuers: [...policy().issuers, { issuer: OTHER, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
  credential_headers: [
    { name: 'Cf-Access-Jwt-Assertion', issuers: [OTHER] },
    { name: 'X-Amzn-Oidc-Data', issuers: [OTHER], beside: 'ignore' },
  ],
  identity_headers: { 'X-Org': 'org_id', 'X-Groups': 'groups' },
  api_keys: { ...policy().api_keys, header: 'X-Service-Key', prefixes: [{ prefix: 'sk' }, { prefix: '', format: 'imported' }] },
  routes: [{ path: '/office/*', auth: 'none', ips: ['203.0.113.0/24'] }, { path: '/optional/*', auth: 'optional' }, { path: '/v1/*' }],
});

const gateNamed = () => gateOf({ policy: NAMED });
const access = (claims = {}) => token({ iss: OTHER, ...claims });
const posts = (headers) => request('/v1/posts', headers);

function refused(decision, code, reason) {
  assert.deepEqual([decision.ok, decision.code, decision.reason], [false, code, reason], JSON.stringify(decision));
}

describe('a token in the header of another proxy', () => {
  test('is taken from its issuers, in each kind of request', async () => {
    const { gate, events } = gateNamed();
    const value = access();
    for (const one of [
      posts({ 'cf-access-jwt-assertion': value }),
      { method: 'GET', url: '/v1/posts', headers: { 'Cf-Access-Jwt-Assertion': value } },
      { method: 'GET', url: '/v1/posts', httpVersion: '1.1', headers: {}, rawHeaders: ['CF-ACCESS-JWT-ASSERTION', value] },
    ]) {
      const decision = await gate.check(one);
      assert.deepEqual([decision.ok, decision.identity?.issuer], [true, OTHER], JSON.stringify(decision));
      assert.equal(events.at(-1).carrier, 'credential_header');
    }
    refused(await gate.check(posts({ 'cf-access-jwt-assertion': token() })), 'INVALID_TOKEN', 'issuer_not_of_header');
    const twice = ['Cf-Access-Jwt-Assertion', value, 'Cf-Access-Jwt-Assertion', value];
    refused(await gate.check({ method: 'GET', url: '/v1/posts', httpVersion: '1.1', headers: {}, rawHeaders: twice }), 'MULTIPLE_CREDENTIALS', 'multiple_credentials');
  });

  test('beside a credential of the caller is another, or ignored', async () => {
    const { gate } = gateNamed();
    const own = bearer(token({ sub: 'own' }));
    refused(await gate.check(posts({ ...own, 'cf-access-jwt-assertion': access() })), 'MULTIPLE_CREDENTIALS', 'multiple_credentials');
    const decision = await gate.check(posts({ ...own, 'x-amzn-oidc-data': access() }));
    assert.deepEqual([decision.identity.subject, decision.identity.issuer], ['own', ISSUER]);
  });

  test('is named to caches', async () => {
    const { gate } = gateNamed();
    const { caching } = await gate.check(request('/optional/x'));
    assert.equal(caching.Vary, 'Authorization, X-Service-Key, Cf-Access-Jwt-Assertion, X-Amzn-Oidc-Data');
  });
});

test('keys come in the header that the policy names, imported ones in any form', async () => {
  const { gate } = gateNamed();
  const { key } = await gate.keys.mint({ name: 'n', owner: 'bob', scopes: [] });
  assert.equal((await gate.check(posts({ 'x-service-key': key }))).identity.subject, 'bob');
  const elsewhere = await gate.check(posts({ 'x-api-key': key }));
  refused(elsewhere, 'MISSING_CREDENTIALS', 'missing_credentials');
  assert.match(JSON.parse(elsewhere.body).hint, /'X-Service-Key: <key>'$/);

  const imported = '6f9619ff-8b86-d011-b42d-00cf4fc964ff';
  const importedSha256 = createHash('sha256').update(imported).digest('hex');
  await gate.keys.import({ name: 'n', owner: 'carol', scopes: [], importedSha256 });
  assert.equal((await gate.check(posts({ 'x-service-key': imported }))).identity.subject, 'carol');
  refused(await gate.check(posts(bearer(imported))), 'INVALID_TOKEN', 'malformed_token');
});

test('claims go on to the application', async () => {
  const { gate } = gateNamed();
  const { forward } = await gate.check(posts(bearer(token({ org_id: 'Zürich', groups: ['a b', 7] }))));
  assert.deepEqual([forward['X-Org'], forward['X-Groups']], ['Z%C3%BCrich', 'a%20b 7']);
  const without = await gate.check(posts(bearer(token())));
  assert.deepEqual(Object.keys(without.forward), ['X-Auth-Method', 'X-Auth-Subject', 'X-Auth-Issuer']);
});

describe('addresses', () => {
  test('a route is for its networks', async () => {
    const { gate } = gateNamed();
    const from = (clientIp) => gate.check(request('/office/x'), { clientIp });
    assert.equal((await from('203.0.113.7')).ok, true);
    for (const clientIp of ['198.51.100.1', 'nowhere', undefined]) refused(await from(clientIp), 'NOT_ALLOWED', 'address_not_allowed');
  });

  test('a key is for the networks of its record, and so is the key that replaces it', async () => {
    const { gate } = gateNamed();
    const made = await gate.keys.mint({ name: 'n', owner: 'bob', scopes: [], ips: ['203.0.113.0/24', '2001:db8::/32'] });
    assert.deepEqual(made.ips, ['203.0.113.0/24', '2001:db8::/32']);
    const use = (key, clientIp) => gate.check(posts({ 'x-service-key': key }), { clientIp });
    assert.equal((await use(made.key, '2001:db8::7')).ok, true);
    refused(await use(made.key, '198.51.100.1'), 'NOT_ALLOWED', 'address_not_allowed');
    const next = await gate.keys.rotate(made.id);
    assert.deepEqual(next.ips, made.ips);
    refused(await use(next.key, '198.51.100.1'), 'NOT_ALLOWED', 'address_not_allowed');
    const open = await gate.keys.update(next.id, { ips: null });
    assert.equal(open.ips, undefined);
    assert.equal((await use(next.key, '198.51.100.1')).ok, true);
    await assert.rejects(gate.keys.update(next.id, { ips: ['x'] }), { code: 'INVALID_REQUEST', path: 'ips[0]' });
  });
});

test('a faulty list of headers is the fault of the policy, not of a request', async () => {
  for (const [credential_headers, path] of [[5, 'credential_headers'], [[null], 'credential_headers[0]'], [[{ name: 'a b', issuers: [ISSUER] }], 'credential_headers[0].name']]) {
    await assert.rejects(async () => {
      const { gate } = gateOf({ policy: policy({ credential_headers }) });
      await gate.check(posts({}));
    }, (error) => error.code === 'CONFIG_ERROR' && error.path === path, path);
  }
});
