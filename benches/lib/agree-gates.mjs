// Gates do the same job only if they decide alike and tell the upstream the same: proven before they are timed.

import assert from 'node:assert/strict';

import { ISSUER } from './names.mjs';
import { badTokens, newToken } from './tokens.mjs';

const FORGED = { 'X-Auth-Subject': 'root', 'X-Auth-Scopes': 'admin', 'X-Auth-Key-Id': 'forged' };

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Tokens by what is wrong with them, each with the status that it has to get. */
export function refusals(key) {
  const [, claims, signature] = newToken(key).split('.');
  const unsigned = encode({ alg: 'none', typ: 'JWT' });
  return [
    ...Object.entries(badTokens(key)).map(([fault, token]) => [fault, token, 401]),
    ['the algorithm "none"', `${unsigned}.${claims}.`, 401],
    ['the algorithm "none" and a signature', `${unsigned}.${claims}.${signature}`, 401],
    ['two parts', `${unsigned}.${claims}`, 401],
    ['another scope', newToken(key, { scope: 'read:others' }), 403],
  ];
}

const scopes = (text) => text?.split(' ').toSorted();

/** The identity that the upstream saw; scopes in any order. */
function identityIn({ headers }) {
  const found = Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-auth-')));
  return { ...found, ...(found['x-auth-scopes'] === undefined ? {} : { 'x-auth-scopes': scopes(found['x-auth-scopes']) }) };
}

function assertKept(name, { seen, answer, sent }) {
  assert.match(answer.headers['cache-control'] ?? '', /\bprivate\b/, `${name} lets shared caches keep an answer`);
  for (const value of Object.values(seen.headers)) assert.ok(!value.includes(sent), `${name} shows the upstream a credential`);
}

/** Fails unless the gate refuses who brings nothing, and passes a body on whole. */
async function assertPasses(name, gate, credential, sent, expected) {
  const anonymous = await gate.get('/v1/posts');
  assert.equal(anonymous.status, 401, `${name}, without a credential`);
  for (const [method, body] of [['GET'], ['POST', 'x'.repeat(70_000)]]) {
    const answer = await gate.request(method, '/v1/posts?seen', { ...credential, body, headers: { ...FORGED, ...credential.headers } });
    assert.equal(answer.status, 200, `${name}: ${answer.text}`);
    const seen = answer.json();
    assert.deepEqual([seen.method, seen.bytes], [method, body?.length ?? 0], name);
    assert.deepEqual(identityIn(seen), expected, name);
    assertKept(name, { seen, answer, sent });
  }
}

/** `credentialOf` says how the gate gets a token. */
export async function assertTakesTokens(name, gate, key, credentialOf) {
  const good = newToken(key);
  const claims = JSON.parse(Buffer.from(good.split('.')[1], 'base64url'));
  await assertPasses(name, gate, credentialOf(good), good, {
    'x-auth-method': 'jwt', 'x-auth-subject': claims.sub, 'x-auth-issuer': ISSUER, 'x-auth-scopes': scopes(claims.scope),
  });
  for (const [fault, token, status] of refusals(key)) {
    const answer = await gate.get('/v1/posts', credentialOf(token));
    assert.equal(answer.status, status, `${name}, a token with ${fault}: nothing is compared`);
  }
}

/** `{ key, id, scopes }` is a good one, `bad` are others. */
export async function assertTakesKeys(name, gate, { key, id, scopes: granted }, bad) {
  await assertPasses(name, gate, { key }, key, { 'x-auth-method': 'api_key', 'x-auth-key-id': id, 'x-auth-scopes': scopes(granted) });
  for (const other of bad) assert.equal((await gate.get('/v1/posts', { key: other })).status, 401, `${name}, an API key`);
}

export async function assertOpens(name, gate) {
  const answer = await gate.get('/public/a?seen', { headers: FORGED });
  assert.equal(answer.status, 200, `${name}: ${answer.text}`);
  assert.deepEqual(identityIn(answer.json()), { 'x-auth-method': 'anonymous' }, name);
}
