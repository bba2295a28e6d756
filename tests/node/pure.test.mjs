// `edgegate/pure`: RSA and ECDSA in the engine, for hosts without any cryptography.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { constants, sign } from 'node:crypto';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { EdgegateError, createVerifier, importKey, verifyJws } from '../../pkg/wasm/pure.js';
import {
  ALGORITHMS, CLAIMS, base64url, isHmac, options, pairFor, refusalOf, refusalOfPromise, secretFor, signBy,
} from './support.mjs';

const run = promisify(execFile);

const jwkFor = (algorithm) => (isHmac(algorithm)
  ? { kty: 'oct', k: secretFor(algorithm).toString('base64url') }
  : pairFor(algorithm).publicKey.export({ format: 'jwk' }));

/** With one bit of the decoded signature changed. */
function forgedAt(token, bit) {
  const at = token.lastIndexOf('.') + 1;
  const signature = Buffer.from(token.slice(at), 'base64url');
  signature[bit >> 3] ^= 1 << (bit & 7);
  return token.slice(0, at) + signature.toString('base64url');
}

test('every algorithm verifies at once in a host without any cryptography', async () => {
  const cases = await Promise.all(ALGORITHMS.map(async (algorithm) => {
    const token = await signBy('jose', algorithm);
    return { token, forged: forgedAt(token, 40), options: { ...options({ algorithms: [algorithm], key: jwkFor(algorithm) }), now: undefined } };
  }));
  const program = `
    const loaded = () => process.moduleLoadList.filter((name) => /crypto/.test(name));
    delete globalThis.crypto;
    delete globalThis.SubtleCrypto;
    if (typeof crypto !== 'undefined') throw new Error('there is still some');
    const { createVerifier } = await import(${JSON.stringify(new URL('../../pkg/wasm/pure.js', import.meta.url).href)});
    const reasonOf = (call) => { try { return call(); } catch (error) { return error.reason ?? String(error); } };
    console.log(JSON.stringify(${JSON.stringify(cases)}.map(({ token, forged, options }) => {
      const verifier = createVerifier({ ...options, now: () => ${options().now()} });
      return [verifier.verifySync(token).claims.sub, reasonOf(() => verifier.verifySync(forged).claims.sub)];
    })));
    console.log(loaded().length);
    await import('node:crypto');
    console.log(loaded().length > 0);`;
  const { stdout } = await run('node', ['--input-type=module', '--eval', program], { timeout: 60_000 });
  const [verdicts, before, after] = stdout.trim().split('\n');
  assert.deepEqual(JSON.parse(verdicts), ALGORITHMS.map(() => [CLAIMS.sub, 'bad_signature']));
  // Node's own cryptography was never loaded: the test would have seen it.
  assert.deepEqual([before, after], ['0', 'true']);
});

test('both ways of verifying agree with each other and with verifyJws, in every form of a key', async () => {
  for (const algorithm of ALGORITHMS.filter((one) => !isHmac(one))) {
    const { publicKey } = pairFor(algorithm);
    const token = await signBy('jose', algorithm);
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    for (const key of [jwkFor(algorithm), pem, publicKey, await importKey(pem, { alg: algorithm })]) {
      const verifier = createVerifier(options({ algorithms: [algorithm], key, cache: false }));
      const sync = verifier.verifySync(token);
      assert.deepEqual(sync.claims, CLAIMS);
      assert.deepEqual(await verifier.verify(token), sync);
      assert.deepEqual(JSON.parse(Buffer.from((await verifyJws(token, key, { algorithms: [algorithm] })).payload)), CLAIMS);
    }
  }
});

test('no bit of a signature can be changed', async () => {
  for (const [algorithm, step] of [['RS256', 61], ['PS256', 61], ['ES256', 13]]) {
    const verifier = createVerifier(options({ algorithms: [algorithm], key: jwkFor(algorithm) }));
    const token = await signBy('jose', algorithm);
    const bits = Buffer.from(token.split('.')[2], 'base64url').length * 8;
    for (let bit = 0; bit < bits; bit += step) {
      assert.equal(refusalOf(() => verifier.verifySync(forgedAt(token, bit)), EdgegateError).reason, 'bad_signature', `${algorithm} at ${bit}`);
    }
  }
});

test('a signature by other parameters than those that the header names does not hold', () => {
  const { privateKey: key } = pairFor('RS256');
  const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING } = constants;
  for (const [named, hash, parameters] of [
    ['RS256', 'sha512', { padding: RSA_PKCS1_PADDING }],
    ['RS256', 'sha256', { padding: RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
    ['PS256', 'sha256', { padding: RSA_PKCS1_PADDING }],
    ['PS256', 'sha256', { padding: RSA_PKCS1_PSS_PADDING, saltLength: 20 }],
    ['PS256', 'sha384', { padding: RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
  ]) {
    const message = `${base64url({ alg: named })}.${base64url(CLAIMS)}`;
    const token = `${message}.${sign(hash, Buffer.from(message), { key, ...parameters }).toString('base64url')}`;
    const verifier = createVerifier(options({ algorithms: [named], key: jwkFor(named) }));
    assert.equal(refusalOf(() => verifier.verifySync(token), EdgegateError).reason, 'bad_signature', `${named} by ${hash}`);
  }
});

test('a point off its curve is refused when it is loaded', async () => {
  for (const [algorithm, curve] of [['ES256', 'P-256'], ['ES384', 'P-384'], ['ES512', 'P-521']]) {
    const jwk = jwkFor(algorithm);
    const message = `key: ${curve} key is not a point of the curve`;
    const refusal = { code: 'CONFIG_ERROR', reason: 'config', path: 'key', message };
    assert.deepEqual(refusalOf(() => createVerifier(options({ algorithms: [algorithm], key: { ...jwk, y: jwk.x } })), EdgegateError), refusal);
    assert.deepEqual((await refusalOfPromise(importKey({ ...jwk, y: jwk.x }), EdgegateError)).message, message);
  }
});
