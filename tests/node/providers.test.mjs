// Tokens as identity providers make them: createGate decides as the Worker does, createVerifier by the same rules of claims.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';

import { EdgegateError, createVerifier } from '../../pkg/wasm/node.js';
import { ADMITTED, ISSUERS, PROVIDER_SECRETS, REFUSED, ROTATED_ISSUER, VERIFIER_ISSUERS } from '../worker/providers.mjs';
import { signAsymmetric } from '../worker/token.mjs';
import { NOW, SECRETS, bearer, gateOf, policy, request } from './gate.mjs';
import { refusalOf, refusalOfPromise } from './support.mjs';

const gate = () => gateOf({ policy: policy({ issuers: ISSUERS }), secrets: { ...SECRETS, ...PROVIDER_SECRETS } });
const verifier = createVerifier({ issuers: VERIFIER_ISSUERS, now: () => NOW });
const signed = (sign, claims) => sign({ exp: NOW + 600, ...claims });
const forVerifiers = (cases) => cases.filter(([, , { iss }]) => iss !== ROTATED_ISSUER);

describe('createGate', () => {
  for (const [what, sign, claims, scopes] of ADMITTED) {
    test(`admits ${what}`, async () => {
      const { ok, identity } = await gate().gate.check(request('/v1/other', bearer(signed(sign, claims))));
      assert.deepEqual([ok, identity.issuer, identity.subject, identity.scopes], [true, claims.iss, claims.sub, scopes]);
    });
  }

  for (const [what, sign, claims, detail] of REFUSED) {
    test(`refuses ${what}`, async () => {
      const { gate: of, events } = gate();
      const { ok, code } = await of.check(request('/v1/other', bearer(signed(sign, claims))));
      assert.deepEqual([ok, code, events.at(-1).detail], [false, 'INVALID_TOKEN', detail]);
    });
  }
});

describe('createVerifier', () => {
  for (const [what, sign, claims, scopes] of forVerifiers(ADMITTED)) {
    test(`takes ${what}`, async () => {
      const token = signed(sign, claims);
      assert.equal((await verifier.verify(token)).issuer, claims.iss);
      const identity = await verifier.identify(`Bearer ${token}`);
      assert.deepEqual([identity.issuer, identity.scopes], [claims.iss, scopes]);
    });
  }

  for (const [what, sign, claims, message] of forVerifiers(REFUSED)) {
    test(`refuses ${what}`, async () => {
      const refusal = await refusalOfPromise(verifier.verify(signed(sign, claims)), EdgegateError);
      assert.deepEqual([refusal.code, refusal.message], ['INVALID_TOKEN', message]);
    });
  }

  test('takes keys that are PEM by their kid', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwks = { k1: publicKey.export({ format: 'pem', type: 'spki' }) };
    const of = createVerifier({ issuer: 'https://a.test/', jwks, now: () => NOW });
    const token = (kid) => signAsymmetric({ iss: 'https://a.test/', exp: NOW + 1 }, { key: privateKey, alg: 'ES256', header: { kid } });
    assert.equal((await of.verify(token('k1'))).keyId, 'k1');
    assert.equal((await refusalOfPromise(of.verify(token('k2')), EdgegateError)).reason, 'unknown_key');
  });

  test('refuses options that mean nothing', () => {
    const options = { issuer: 'https://a.test/', audience: 'a', algorithms: ['HS256'], key: Buffer.alloc(32, 7) };
    for (const [more, path, problem] of [
      [{ audienceClaim: 'azp', audience: undefined }, 'audienceClaim', 'expected audience beside it, which says the values that are taken'],
      [{ claims: { a: null } }, 'claims.a', 'expected a string, a whole number, true, false, or a non-empty list of these'],
      [{ claims: { a: new Date(0) } }, 'claims.a', 'expected a string, a whole number, true, false, or a non-empty list of these'],
      [{ claims: new Map([['a', 'b']]) }, 'claims', 'expected an object'],
      [{ claims: [] }, 'claims', 'expected an object'],
      [{ scopeClaims: ['a'], scopeClaim: 'b' }, 'scopeClaims', 'expected it or scopeClaim, not both'],
      [{ scopeMap: { admin: 'a' } }, 'scopeMap.admin', 'expected a list of strings'],
      [{ allowHttp: true }, 'allowHttp', 'only jwksUri and discovery have it'],
      [{ key: undefined, jwksUri: 'http://keycloak/' }, 'jwksUri', 'expected an https URL (http only on loopback, or with allowHttp on a private host)'],
      [{ issuer: 'https://{a}/' }, 'issuer', 'is a template, name the tenants whose tokens are taken in tenants: any tenant of the provider could sign in'],
    ]) {
      const refusal = refusalOf(() => createVerifier({ ...options, ...more }), EdgegateError);
      assert.deepEqual([refusal.code, refusal.path, refusal.message], ['CONFIG_ERROR', path, `${path}: ${problem}`]);
    }
  });
});
