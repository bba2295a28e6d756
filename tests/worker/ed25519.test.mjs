// Ed25519 by the runtime's WebCrypto: the Worker decides as the Rust crate does about signatures that tell verifiers apart.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { AUDIENCE, admitted, gateWorker, policy, refused, start } from './harness.mjs';

const vectors = JSON.parse(readFileSync(new URL('../vectors/ed25519.json', import.meta.url), 'utf8')).filter(({ jws }) => jws);
/** A token that names no key is tried with at most this many. */
const KEYS_AT_ONCE = 4;

const keys = [...new Set(vectors.map(({ x }) => x))];
const gateOf = (x) => `gate-${Math.floor(keys.indexOf(x) / KEYS_AT_ONCE)}`;
let gate;

const worker = (name, given, rest) => {
  const jwks = { keys: given.map((x) => ({ kty: 'OKP', crv: 'Ed25519', x })) };
  const issuers = [{ issuer: 'https://odd.test/', audience: [AUDIENCE], algorithms: ['EdDSA'], jwks }];
  return gateWorker({ name, policy: policy({ issuers }), worker: rest });
};

/** The gate in a runtime whose WebCrypto has no Ed25519, like workerd with an early compatibility date. */
const withoutEd25519 = () => {
  const { modules, modulesRoot } = gateWorker({ policy: policy() });
  const contents = `
    const { importKey } = SubtleCrypto.prototype;
    SubtleCrypto.prototype.importKey = function (format, key, algorithm, ...rest) {
      if (algorithm.name === 'Ed25519') throw new DOMException('Unrecognized key import algorithm', 'NotSupportedError');
      return importKey.call(this, format, key, algorithm, ...rest);
    };
    export * from './index.js';
    export { default } from './index.js';`;
  return { modulesRoot, modules: [{ type: 'ESModule', path: path.join(modulesRoot, 'lacking.mjs'), contents }, ...modules] };
};

before(async () => {
  const names = [...new Set(keys.map(gateOf))];
  const workers = names.map((name) => worker(name, keys.filter((x) => gateOf(x) === name)));
  gate = await start([...workers, worker('lacking', keys.slice(0, KEYS_AT_ONCE), withoutEd25519())]);
});
after(() => gate?.dispose());

const tokenOf = ({ message, signature }) => `${Buffer.from(message, 'base64url')}.${signature}`;

test('odd Ed25519 signatures', async () => {
  const held = vectors.filter(({ holds }) => holds).length;
  assert.ok(held > 20 && vectors.length - held > 100);
  for (const vector of vectors) {
    const { name, x, holds } = vector;
    const answer = await gate.get('/', { gate: gateOf(x), token: tokenOf(vector) });
    assert.equal(answer.status, holds ? 200 : 401, name);
    if (holds) admitted(answer);
    else refused(answer, 'INVALID_TOKEN');
  }
  assert.deepEqual(gate.output.lines.filter((line) => line.includes('in wasm')), [], 'WebCrypto was not asked');
});

test('a runtime without Ed25519 fails no token, and the log says so once', async () => {
  const some = vectors.filter(({ x }) => x === keys[0]);
  for (const vector of some) {
    const answer = await gate.get('/', { gate: 'lacking', token: tokenOf(vector) });
    if (vector.holds) admitted(answer);
    else refused(answer, 'INVALID_TOKEN');
  }
  assert.ok(some.some(({ holds }) => holds) && some.some(({ holds }) => !holds));
  const told = (line) => line.includes('Ed25519 is checked in wasm from now on');
  await gate.output.find(told);
  assert.equal(gate.output.lines.filter(told).length, 1);
});
