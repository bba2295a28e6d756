// Ed25519 by the runtime's WebCrypto: the Worker decides as the Rust crate does about signatures that tell verifiers apart.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { AUDIENCE, admitted, gateWorker, policy, refused, start } from './harness.mjs';

const vectors = JSON.parse(readFileSync(new URL('../vectors/ed25519.json', import.meta.url), 'utf8')).filter(({ jws }) => jws);
/** Tokens that name no key are tried with as many. */
const KEYS_AT_ONCE = 4;

const keys = [...new Set(vectors.map(({ x }) => x))];
const gateOf = (x) => `gate-${Math.floor(keys.indexOf(x) / KEYS_AT_ONCE)}`;
let gate;

before(async () => {
  const names = [...new Set(keys.map(gateOf))];
  gate = await start(names.map((name) => {
    const jwks = { keys: keys.filter((x) => gateOf(x) === name).map((x) => ({ kty: 'OKP', crv: 'Ed25519', x })) };
    return gateWorker({ name, policy: policy({ issuers: [{ issuer: 'https://odd.test/', audience: [AUDIENCE], algorithms: ['EdDSA'], jwks }] }) });
  }));
});
after(() => gate?.dispose());

test('odd Ed25519 signatures', async () => {
  const held = vectors.filter(({ holds }) => holds).length;
  assert.ok(held > 20 && vectors.length - held > 100);
  for (const { name, x, message, signature, holds } of vectors) {
    const token = `${Buffer.from(message, 'base64url')}.${signature}`;
    const answer = await gate.get('/', { gate: gateOf(x), token });
    assert.equal(answer.status, holds ? 200 : 401, name);
    if (holds) admitted(answer);
    else refused(answer, 'INVALID_TOKEN');
  }
  assert.deepEqual(gate.output.lines.filter((line) => line.includes('in wasm')), [], 'WebCrypto was not asked');
});
