// Sessions of the npm package whose tokens are bound to a key (RFC 9449).

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import * as jose from 'jose';

import { NOW } from './gate.mjs';
import { managed } from './session-gate.mjs';

const ORIGIN = 'https://api.example.com';
const own = await jose.generateKeyPair('ES256', { extractable: true });
const stranger = await jose.generateKeyPair('ES256', { extractable: true });
const jkt = await jose.calculateJwkThumbprint(await jose.exportJWK(own.publicKey));

async function proof(method, path, { key = own, token, at = NOW } = {}) {
  const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') };
  return new jose.SignJWT({ jti: randomUUID(), htm: method, htu: `${ORIGIN}${path}`, iat: at, ...ath })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: await jose.exportJWK(key.publicKey) }).sign(key.privateKey);
}

async function ask(gate, path, body, headers = {}) {
  const given = { 'content-type': typeof body === 'string' ? 'application/x-www-form-urlencoded' : 'application/json', ...headers };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await gate.handle(new Request(`${ORIGIN}${path}`, { method: 'POST', body: text, headers: given }));
  return { status: answer.status, headers: answer.response().headers, body: JSON.parse(answer.body) };
}
const refresh = async (gate, refreshToken, dpop) =>
  ask(gate, '/auth/token', new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }).toString(), dpop === undefined ? {} : { dpop: await dpop });
const read = (gate, headers) => gate.check(new Request(`${ORIGIN}/v1/posts`, { headers }));
const byProof = async (token, options) => ({ authorization: `DPoP ${token}`, dpop: await proof('GET', '/v1/posts', { token, ...options }) });

const open = (gate, more = {}) => gate.sessions.open({ subject: 'alice', scopes: ['read:posts'], ...more });

test('bound at opening: its tokens are of no use without the key', async () => {
  const { gate } = managed();
  const opened = await open(gate, { dpopJkt: jkt });
  assert.equal(opened.tokenType, 'DPoP');
  assert.equal(jose.decodeJwt(opened.accessToken).cnf.jkt, jkt);
  assert.equal((await read(gate, await byProof(opened.accessToken))).ok, true);
  for (const headers of [
    { authorization: `Bearer ${opened.accessToken}` }, { authorization: `DPoP ${opened.accessToken}` }, await byProof(opened.accessToken, { key: stranger }),
  ]) {
    const refused = await read(gate, headers);
    assert.deepEqual([refused.code, refused.status], ['INVALID_TOKEN', 401]);
  }
});

for (const [how, more] of [['at opening', { dpopJkt: jkt }], ['by the first proof at /token', {}]]) {
  test(`bound ${how}: refreshed with that key alone`, async () => {
    const { gate } = managed();
    const { refreshToken } = await open(gate, more);
    const first = await refresh(gate, refreshToken, proof('POST', '/auth/token'));
    assert.equal(first.status, 200, JSON.stringify(first.body));
    assert.equal(first.body.token_type, 'DPoP');
    assert.equal(jose.decodeJwt(first.body.access_token).cnf.jkt, jkt);
    assert.equal((await read(gate, await byProof(first.body.access_token))).ok, true);
    const next = first.body.refresh_token;
    for (const wrong of [undefined, proof('POST', '/auth/token', { key: stranger }), proof('GET', '/auth/token'), proof('POST', '/v1/posts')]) {
      const refused = await refresh(gate, next, wrong);
      assert.equal(refused.status, 400);
      assert.ok(['invalid_grant', 'invalid_dpop_proof'].includes(refused.body.error), refused.body.error);
    }
    // `/refresh` takes no proof.
    assert.equal((await ask(gate, '/auth/refresh', { refreshToken: next })).status, 401);
    assert.equal((await refresh(gate, next, proof('POST', '/auth/token'))).status, 200, 'a wrong key has ended it');
  });
}

test('a proof is taken once', async () => {
  const { gate } = managed();
  const { refreshToken } = await open(gate, { dpopJkt: jkt });
  const once = await proof('POST', '/auth/token');
  assert.equal((await refresh(gate, refreshToken, once)).status, 200);
  const again = await refresh(gate, refreshToken, once);
  assert.deepEqual([again.status, again.body.error], [400, 'invalid_dpop_proof']);
});

test('never in cookies: no ticket is bound, and a bound session’s token is no cookie', async () => {
  const { gate } = managed();
  const refused = await open(gate, { ticket: true, dpopJkt: jkt }).catch((error) => error);
  assert.deepEqual([refused.code, refused.path], ['INVALID_REQUEST', 'dpop_jkt']);
  const { accessToken, refreshToken } = await open(gate, { dpopJkt: jkt });
  const cookie = `__Host-edgegate-at=${accessToken}; __Host-edgegate-rt=${refreshToken}`;
  for (const headers of [{ cookie, 'sec-fetch-site': 'same-origin' }, { cookie, 'sec-fetch-site': 'same-origin', dpop: await proof('GET', '/v1/posts', { token: accessToken }) }]) {
    const decision = await read(gate, headers);
    assert.equal(decision.ok, false, 'a bound token was taken from a cookie');
  }
  const renewed = await ask(gate, '/auth/refresh', {}, { cookie, 'sec-fetch-site': 'same-origin', dpop: await proof('POST', '/auth/refresh') });
  assert.equal(renewed.status, 401);
  assert.ok(!renewed.headers.getSetCookie().some((line) => line.startsWith('__Host-edgegate-at=e')));
  // It has ended nothing.
  assert.equal((await read(gate, await byProof(accessToken))).ok, true);
});
