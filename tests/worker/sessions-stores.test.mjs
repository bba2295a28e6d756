// Sessions and their stores: every mode of revocation, faults between object and store, the key ring, clients with keys, DPoP.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import * as jose from 'jose';

import { SECRETS, admitted, gateWorker, refused, start, temporaryFolder, token } from './harness.mjs';
import { GATE, Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';
import { claimsOf } from './token.mjs';

const MODES = ['entries', 'snapshot', 'ledger'];
const OF_LEDGER = Object.fromEntries(Object.entries(gateWorker().durableObjects).map(([name, object]) => [name, { ...object, scriptName: 'ledger' }]));
const signer = await jose.generateKeyPair('ES256', { extractable: true });
const bound = await jose.generateKeyPair('ES256', { extractable: true });

let gate;
let keys;
const of = {};
before(async () => {
  const jwk = { ...(await jose.exportJWK(signer.publicKey)), kid: 'of-client', alg: 'ES256', use: 'sig' };
  keys = http.createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] }))).listen(0, '127.0.0.1');
  await new Promise((resolve) => keys.once('listening', resolve));
  const jwksUri = `http://127.0.0.1:${keys.address().port}/jwks.json`;
  const clients = [
    { id: 'signer', jwks_uri: jwksUri, allow_http: true, grants: ['client_credentials', 'refresh_token'], scopes: ['read:posts'] },
    { id: 'hashed', secret_sha256: createHash('sha256').update('x'.repeat(43)).digest('hex'), grants: ['client_credentials'], scopes: ['read:posts'], introspect: true },
  ];
  const withRing = (algorithm) => sessionPolicy({}, { algorithm });
  const workers = [
    ...MODES.map((mode) => sessionWorker({ name: mode, policy: sessionPolicy({ revocation: { mode } }) })),
    // Another isolate of the same gate.
    sessionWorker({ name: 'elsewhere', policy: sessionPolicy({ revocation: { mode: 'ledger' } }), worker: { kvNamespaces: { EDGEGATE_KV: 'ledger-kv' }, durableObjects: OF_LEDGER } }),
    sessionWorker({ name: 'clients', policy: sessionPolicy({}, { clients }) }),
    ...['EdDSA', 'RS256', 'HS256'].map((algorithm) => sessionWorker({ name: algorithm, policy: withRing(algorithm) })),
    sessionWorker({ name: 'given', policy: sessionPolicy({}, { algorithm: 'EdDSA', keys: 'SESSION_KEYS' }), secrets: { ...SECRETS, SESSION_KEYS: GIVEN } }),
  ];
  gate = await start(workers);
  for (const { name } of workers) of[name] = new Sessions(gate, name);
});
after(async () => {
  await gate.dispose();
  keys.close();
});

test('isolates of a gate share keys and sessions, and learn of a log-out at once where they ask the ledger', async () => {
  const [here, there] = [of.ledger, of.elsewhere];
  const opened = await here.open();
  admitted(await there.get('/v1/posts', { token: opened.access_token }));
  const refreshed = (await there.refresh(opened.refresh_token)).json();
  admitted(await here.get('/v1/posts', { token: refreshed.accessToken }));
  assert.equal((await here.post('/auth/logout', { token: opened.access_token })).status, 200);
  for (const bearer of [opened.access_token, refreshed.accessToken]) refused(await there.get('/v1/posts', { token: bearer }), 'TOKEN_REVOKED');
  assert.equal((await there.refresh(refreshed.refreshToken)).json().code, 'INVALID_REFRESH_TOKEN');
});

/** RFC 8037 A.1. */
const GIVEN = JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' }] });

for (const mode of MODES) {
  test(`logout is known at once to the isolate that did it, and refused by refresh (${mode})`, async () => {
    const sessions = of[mode];
    const one = await sessions.open();
    const two = await sessions.open({ subject: one.subject });
    admitted(await sessions.get('/v1/posts', { token: one.access_token }));
    const answer = await sessions.post('/auth/logout', { token: one.access_token });
    assert.equal(`${answer.status} ${answer.text}`, '200 {"ended":1}');
    refused(await sessions.get('/v1/posts', { token: one.access_token }), 'TOKEN_REVOKED');
    admitted(await sessions.get('/v1/posts', { token: two.access_token }));
    assert.deepEqual((await sessions.admin('DELETE', `/sessions?subject=${one.subject}`)).json(), { ended: 1 });
    refused(await sessions.get('/v1/posts', { token: two.access_token }), 'TOKEN_REVOKED');
    await sessions.admin('POST', '/subjects/disable', { subject: one.subject });
    await sessions.admin('POST', '/subjects/enable', { subject: one.subject });
    const again = await sessions.open({ subject: one.subject });
    admitted(await sessions.get('/v1/posts', { token: again.access_token }));
  });
}

test('a hundred questions at once to a ring without a key: one is made', async () => {
  const fresh = new Sessions(gate, 'RS256');
  const answers = await Promise.all(Array.from({ length: 100 }, () => fresh.test('ring?value=900')));
  const kids = new Set(answers.map((answer) => answer.json().keys.map((key) => key.kid).join()));
  assert.equal(kids.size, 1);
  assert.match([...kids][0], /^[\w-]{43}$/);
});

for (const algorithm of ['EdDSA', 'RS256', 'HS256', 'given']) {
  test(`tokens of ${algorithm} are taken by the gate, and checked with what is published`, async () => {
    const sessions = of[algorithm];
    const { access_token: access } = await sessions.open();
    admitted(await sessions.get('/v1/posts', { token: access }));
    const set = (await sessions.get('/.well-known/jwks.json')).json();
    if (algorithm === 'HS256') {
      // The hash of a secret would help somebody who guesses.
      assert.deepEqual(set, { keys: [] });
      return;
    }
    const { payload } = await jose.jwtVerify(access, jose.createLocalJWKSet(set), { issuer: GATE, audience: 'https://api.example.com', typ: 'at+jwt' });
    assert.equal(payload.iss, GATE);
  });
}

// ---- clients ----

const assertion = (claims = {}, { key = signer.privateKey, kid = 'of-client' } = {}) => {
  const now = Math.floor(Date.now() / 1000);
  return new jose.SignJWT({ iss: 'signer', sub: 'signer', aud: GATE, jti: randomUUID(), exp: now + 60, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid }).sign(key);
};
const byAssertion = async (jwt, more = {}) => of.clients.form('/auth/token', {
  grant_type: 'client_credentials', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: await jwt, ...more,
});

test('GHSA-3p3g-vpw6-4w66: private_key_jwt is taken once, for this gate, from this client', async () => {
  const jwt = await assertion();
  const first = await byAssertion(jwt);
  assert.equal(first.status, 200, first.text);
  assert.equal(claimsOf(first.json().access_token).sub, 'client|signer');
  const wrong = [
    jwt,
    assertion({ aud: [GATE] }), assertion({ aud: 'https://other.example/' }), assertion({ sub: 'hashed' }), assertion({ iss: 'hashed', sub: 'hashed' }),
    assertion({ exp: Math.floor(Date.now() / 1000) + 3600 }), assertion({ jti: undefined }), assertion({}, { key: bound.privateKey }),
  ];
  for (const one of wrong) {
    const answer = await byAssertion(one);
    assert.equal(`${answer.status} ${answer.json().error}`, '401 invalid_client');
  }
  assert.equal((await byAssertion(assertion({ aud: 'https://gate.edgegate.local/auth/token' }))).status, 200);
  assert.equal((await byAssertion(assertion(), { client_id: 'hashed' })).status, 401);
});

test('a client that is known by the hash of its secret may ask about others’ tokens, where the policy says so', async () => {
  const { access_token: access } = await of.clients.open();
  const as = (secret) => of.clients.form('/auth/introspect', { token: access, client_id: 'hashed', client_secret: secret });
  const told = (await as('x'.repeat(43))).json();
  assert.equal(told.active, true);
  assert.equal(told.client_id, 'first-party');
  assert.equal((await as('y'.repeat(43))).status, 401);
});

test('GHSA-pw9m-5jxm-xr6h: the session of a client is refreshed by that client alone', async () => {
  const opened = await of.clients.open({ client_id: 'signer' });
  const fields = { grant_type: 'refresh_token', refresh_token: opened.refresh_token };
  assert.equal((await of.clients.refresh(opened.refresh_token)).json().code, 'INVALID_REFRESH_TOKEN');
  for (const more of [{}, { client_id: 'signer' }, { client_id: 'first-party' }]) {
    assert.ok([400, 401].includes((await of.clients.form('/auth/token', { ...fields, ...more })).status));
  }
  const refreshed = await byAssertion(assertion(), fields);
  assert.equal(refreshed.status, 200, refreshed.text);
  assert.equal((await of.clients.form('/auth/revoke', { token: refreshed.json().refresh_token })).json().error, 'unauthorized_client');
  admitted(await of.clients.get('/v1/posts', { token: refreshed.json().access_token }));
});

// ---- DPoP ----

async function proof(htm, path, { key = bound, ...claims } = {}) {
  const jwk = await jose.exportJWK(key.publicKey);
  return new jose.SignJWT({ jti: randomUUID(), htm, htu: `http://api.example.com${path}`, iat: Math.floor(Date.now() / 1000), ...claims })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(key.privateKey);
}

test('DPoP-bound sessions: tokens by proof only, at /token too', async () => {
  const sessions = of.entries;
  const jkt = await jose.calculateJwkThumbprint(await jose.exportJWK(bound.publicKey));
  for (const wanted of [{ dpop_jkt: jkt }, {}]) {
    const opened = await sessions.open(wanted);
    const ask = async (refreshToken, headers = {}) => sessions.form('/auth/token', { grant_type: 'refresh_token', refresh_token: refreshToken }, { headers });
    const first = await ask(opened.refresh_token, { DPoP: await proof('POST', '/auth/token') });
    assert.equal(first.status, 200, first.text);
    const { access_token: access, refresh_token: refreshToken, token_type: type } = first.json();
    assert.equal(type, 'DPoP');
    assert.equal(claimsOf(access).cnf.jkt, jkt);
    assert.equal((await sessions.get('/v1/posts', { token: access })).status, 401);
    const ath = createHash('sha256').update(access).digest('base64url');
    const headers = { Authorization: `DPoP ${access}`, DPoP: await proof('GET', '/v1/posts', { ath }) };
    admitted(await sessions.get('/v1/posts', { headers }));
    const other = await jose.generateKeyPair('ES256', { extractable: true });
    for (const wrong of [{}, { DPoP: await proof('POST', '/auth/token', { key: other }) }, { DPoP: await proof('GET', '/auth/token') }]) {
      const answer = await ask(refreshToken, wrong);
      assert.equal(answer.status, 400, answer.text);
      assert.ok(['invalid_grant', 'invalid_dpop_proof'].includes(answer.json().error), answer.text);
    }
    assert.equal((await ask(refreshToken, { DPoP: await proof('POST', '/auth/token') })).status, 200);
  }
  const ticket = await sessions.admin('POST', '/sessions', { subject: 'bound', scopes: [], ticket: true, dpop_jkt: jkt });
  refused(ticket, 'INVALID_REQUEST');
});

// ---- pages of other origins ----

test('pages: any may ask for tokens, those of sessions.origins may act for visitors', async () => {
  const sessions = of.entries;
  const preflight = (target, origin) => sessions.request('OPTIONS', target, { headers: { Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' } });
  const open = await preflight('/auth/token', 'https://anywhere.example');
  assert.equal(open.status, 204);
  assert.equal(open.headers['access-control-allow-origin'], '*');
  assert.equal(open.headers['access-control-allow-credentials'], undefined);
  const closed = await preflight('/auth/logout', 'https://anywhere.example');
  assert.equal(closed.headers['access-control-allow-origin'], undefined);
  assert.equal((await preflight('/auth/introspect', 'https://anywhere.example')).headers['access-control-allow-origin'], undefined);
  const answer = await sessions.form('/auth/token', {}, { headers: { Origin: 'https://anywhere.example' } });
  assert.equal(answer.headers['access-control-allow-origin'], '*');
});

test('an object deletes all it holds once nothing is left that anybody has to know, and not before', async () => {
  const sessions = of.given;
  const subject = 'long-gone';
  const name = createHash('sha256');
  for (const part of ['edgegate-subject-v1', GATE, subject]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
    name.update(length).update(part);
  }
  const object = name.digest('base64url');
  const rows = async () => {
    await sessions.object('EDGEGATE_SESSIONS', object, 'X-Alarm');
    return (await sessions.object('EDGEGATE_SESSIONS', object, 'X-Dump')).json().map((row) => row.name.split('/')[0]).sort();
  };
  await sessions.open({ subject });
  assert.deepEqual(await rows(), ['session', 'subject']);
  await sessions.wait(8 * 86_400);
  assert.deepEqual(await rows(), []);
  await sessions.open({ subject });
  await sessions.admin('POST', '/subjects/disable', { subject });
  await sessions.wait(60 * 86_400);
  assert.deepEqual(await rows(), ['subject'], 'a disabled subject stays so');
  refused(await sessions.admin('POST', '/sessions', { subject, scopes: [] }), 'NOT_ALLOWED');
  await sessions.admin('POST', '/subjects/enable', { subject });
  await sessions.wait(3600);
  assert.deepEqual(await rows(), []);
});

// ---- upgrade ----

test('a gate of migration v2 goes on with the new module as it is, and keeps all it holds when v3 adds sessions', async () => {
  const folder = temporaryFolder();
  const shared = { resourcePersistencePath: folder };
  const revocation = { mode: 'ledger' };
  const { EDGEGATE_COUNTERS, EDGEGATE_LEDGER } = gateWorker().durableObjects;
  const before = await start([
    sessionWorker({ policy: sessionPolicy({ revocation, sessions: undefined }), worker: { durableObjects: { EDGEGATE_COUNTERS, EDGEGATE_LEDGER } } }),
  ], { shared });
  const bearer = token({ jti: 'before' });
  const limited = token({ sub: 'limited' });
  try {
    admitted(await before.get('/v1/posts', { token: token({ scope: 'read:posts' }) }));
    assert.equal((await before.admin('POST', '/revocations', { token: bearer })).status, 201);
    for (let i = 0; i < 5; i += 1) admitted(await before.get('/v1/limited', { token: limited }));
  } finally {
    await before.dispose();
  }
  const upgraded = await start([sessionWorker({ policy: sessionPolicy({ revocation }) })], { shared });
  try {
    refused(await upgraded.get('/anything', { token: bearer }), 'TOKEN_REVOKED');
    refused(await upgraded.get('/v1/limited', { token: limited }), 'RATE_LIMITED');
    const { access_token: access } = await new Sessions(upgraded).open();
    admitted(await upgraded.get('/v1/posts', { token: access }));
  } finally {
    await upgraded.dispose();
  }
});

// ---- between object and store ----

test('a log-out that the ledger does not know yet is 202, and is made known by the object', { timeout: 60_000 }, async () => {
  const broken = await start([
    sessionWorker({
      name: 'broken',
      policy: sessionPolicy({ revocation: { mode: 'ledger', on_error: 'deny' } }),
      worker: { durableObjects: { ...gateWorker().durableObjects, EDGEGATE_LEDGER: { className: 'FlakyLedger', useSQLite: true } } },
    }),
  ]);
  try {
    const sessions = new Sessions(broken, 'broken');
    const opened = await sessions.open();
    await sessions.test('flaky?value=true');
    const answer = await sessions.post('/auth/revoke', { body: new URLSearchParams({ token: opened.refresh_token }).toString(), headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
    assert.equal(`${answer.status} ${answer.text}`, '202 {"pending":true}');
    assert.equal((await sessions.refresh(opened.refresh_token)).json().code, 'INVALID_REFRESH_TOKEN');
    await sessions.test('flaky?value=false');
    // The alarm comes 10 s later, by the platform's clock.
    for (let tries = 0; ; tries += 1) {
      const asked = await sessions.get('/v1/posts', { token: opened.access_token });
      if (asked.status === 401) break;
      assert.ok(tries < 200, 'the object has not made it known');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    await broken.dispose();
  }
});
