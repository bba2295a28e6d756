// Who decides about Ed25519: the host if it has it and is known, otherwise the engine. The verdict is the same. tests/conformance/ has the
// signatures that tell verifiers apart.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { verify as verifyByNode } from 'node:crypto';
import { describe, test } from 'node:test';

import { Engine } from '../../pkg/lib/engine.js';
import { createGateOf } from '../../pkg/lib/gate.js';
import { bind } from '../../pkg/lib/index.js';
import { nodePlatform } from '../../pkg/lib/node-platform.js';
import { HOST_REFUSES_KEY } from '../../pkg/lib/protocol.js';
import { webPlatform } from '../../pkg/lib/web-platform.js';
import { ISSUER as GATE_ISSUER, NOW as GATE_NOW, bearer, gateOf, policy, request } from './gate.mjs';
import { CLAIMS, options, pairFor, signAsymmetric, signBy } from './support.mjs';

const compiled = (name) => new WebAssembly.Module(readFileSync(new URL(`../../pkg/wasm/${name}_bg.wasm`, import.meta.url)));
const [small, withGuard] = ['edgegate', 'edgegate_gate'].map(compiled);
const vectors = JSON.parse(readFileSync(new URL('../vectors/ed25519.json', import.meta.url), 'utf8'));
const bytes = (text) => Buffer.from(text, 'base64url');
const jwk = pairFor('EdDSA').publicKey.export({ format: 'jwk' });
const other = { kty: 'OKP', crv: 'Ed25519', x: vectors[0].x };

const refuse = () => { throw new Error('there is no Ed25519 here'); };
/** The platforms, with a host whose work is counted. `lacks` says that the host has no Ed25519 after all. */
const PLATFORMS = {
  'node:crypto': (module, asked, lacks) => {
    const platform = nodePlatform(() => module);
    const count = (...job) => {
      asked.push('at once');
      return platform.host.verify(...job);
    };
    return { ...platform, host: { ...platform.host, verify: count, ...(lacks && { importKey: refuse, verify: () => refuse(asked.push('in vain')) }) } };
  },
  'WebCrypto of a known runtime': (module, asked, lacks) => {
    const platform = webPlatform({ load: () => module, ed25519: 'later' });
    const decide = (job) => {
      asked.push(lacks ? 'in vain' : 'later');
      return lacks ? HOST_REFUSES_KEY : platform.host.decide(job);
    };
    return { ...platform, host: { ...platform.host, decide } };
  },
  'an unknown runtime': (module, asked) => {
    const platform = webPlatform({ load: () => module });
    const fault = () => refuse(asked.push('all the same'));
    return { ...platform, host: { ...platform.host, decide: fault, verify: fault, importKey: fault } };
  },
};
const WHO = { 'node:crypto': 'at once', 'WebCrypto of a known runtime': 'later' };

const flipped = (token) => {
  const at = token.lastIndexOf('.') + 60;
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
};
const reasonOf = (error) => error.reason ?? `${error}`;
const outcome = async (call) => {
  try {
    return (await call()) && 'verifies';
  } catch (error) {
    return reasonOf(error);
  }
};

for (const [name, platformOf] of Object.entries(PLATFORMS)) {
  describe(name, () => {
    const made = (key = jwk, lacks = false, changes = {}) => {
      const asked = [];
      const { createVerifier, verifyJws } = bind(platformOf(small, asked, lacks));
      const keys = key.keys === undefined ? { key } : { jwks: key };
      const verifier = createVerifier(options({ key: undefined, ...keys, algorithms: ['EdDSA'], cache: false, ...changes }));
      const settle = async (token) => [
        await outcome(() => verifier.verify(token)), await outcome(() => verifyJws(token, key)), await outcome(() => verifier.verifySync(token)),
      ];
      const who = () => asked.splice(0);
      return { settle, who };
    };
    const all = (verdict) => [verdict, verdict, verdict];

    test('decides who is asked, and the verdict is the same', async () => {
      const { settle, who } = made();
      const token = await signBy('jose', 'EdDSA');
      for (let round = 0; round < 2; round += 1) {
        assert.deepEqual(await settle(token), all('verifies'));
        assert.deepEqual(await settle(flipped(token)), all('bad_signature'));
      }
      const work = new Set(who());
      assert.deepEqual(work, new Set(WHO[name] === undefined ? [] : [WHO[name]]));
    });

    test('is not asked about signatures that it might accept', async () => {
      const kept = vectors.filter(({ jws, asked }) => jws && !asked);
      assert.ok(kept.length > 50);
      for (const { x, message, signature } of kept) {
        const { settle, who } = made({ ...other, x }, false, { issuer: 'https://odd.test/', audience: 'https://api.example.com' });
        assert.deepEqual(await settle(`${bytes(message)}.${signature}`), all('bad_signature'));
        assert.deepEqual(who(), []);
      }
    });

    test('without Ed25519 after all, fails no token', async () => {
      const { settle, who } = made(jwk, true);
      const token = await signBy('jose', 'EdDSA');
      for (let round = 0; round < 2; round += 1) {
        assert.deepEqual(await settle(token), all('verifies'));
        assert.deepEqual(await settle(flipped(token)), all('bad_signature'));
      }
      assert.deepEqual(new Set(who()), new Set(WHO[name] === undefined ? [] : ['in vain']));
    });

    for (const lacks of [false, true]) {
      test(`keys that fit are tried in turn${lacks ? ', also without Ed25519 after all' : ''}`, async () => {
        const { settle } = made({ keys: [other, jwk] }, lacks);
        const token = await signBy('jose', 'EdDSA');
        assert.deepEqual(await settle(token), all('verifies'));
        assert.deepEqual(await settle(flipped(token)), all('bad_signature'));
      });

      test(`createGate decides the same${lacks ? ', also without Ed25519 after all' : ''}`, async () => {
        const asked = [];
        const issuers = [{ issuer: GATE_ISSUER, audience: ['https://api.example.com'], algorithms: ['EdDSA'], jwks: { keys: [{ ...jwk, kid: 'k' }] } }];
        const { gate } = gateOf({ policy: policy({ issuers }), create: createGateOf(new Engine(platformOf(withGuard, asked, lacks))) });
        const claims = { iss: GATE_ISSUER, aud: 'https://api.example.com', sub: 'alice', exp: GATE_NOW + 600, scope: 'read:posts' };
        const token = signAsymmetric(claims, { key: pairFor('EdDSA').privateKey, alg: 'EdDSA', header: { kid: 'k' } });
        const decisions = await Promise.all([token, flipped(token), token].map((one) => gate.check(request('/v1/posts', bearer(one)))));
        assert.deepEqual(decisions.map((one) => one.reason ?? one.identity.subject), ['alice', 'bad_signature', 'alice']);
        const who = WHO[name] && (lacks ? 'in vain' : WHO[name]);
        assert.deepEqual(new Set(asked), new Set(who === undefined ? [] : [who]));
      });
    }
  });
}

test('node:crypto gives the same verdict about all signatures that it is asked about', () => {
  const asked = vectors.filter((vector) => vector.asked);
  assert.ok(asked.length > 200);
  for (const { name, x, message, signature, holds } of asked) {
    const key = { key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' };
    assert.equal(verifyByNode(null, bytes(message), key, bytes(signature)), holds, name);
  }
  // Others are kept from it: OpenSSL 3.0, as in Node 20, accepts some of them.
  assert.ok(vectors.some((vector) => !vector.asked));
});

test('the claims are those that were signed', async () => {
  const { createVerifier } = bind(PLATFORMS['node:crypto'](small, []));
  const verifier = createVerifier(options({ key: jwk, algorithms: ['EdDSA'] }));
  assert.deepEqual(verifier.verifySync(await signBy('jose', 'EdDSA')).claims, CLAIMS);
});
