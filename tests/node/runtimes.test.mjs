// The other platforms, run in Node: WebCrypto in place of node:crypto, the engine passed by the caller, and instances that trap.

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { bind } from '../../pkg/lib/index.js';
import { nodePlatform } from '../../pkg/lib/node-platform.js';
import { webPlatform } from '../../pkg/lib/web-platform.js';
import * as slim from '../../pkg/slim.js';
import {
  ALGORITHMS, CLAIMS, NOW, isHmac, options, pairFor, refusalOf, refusalOfPromise, secretFor, signAsymmetric, signBy, signHmac,
} from './support.mjs';

const { EdgegateError } = slim;
const bytes = readFileSync(new URL('../../pkg/wasm/edgegate_bg.wasm', import.meta.url));
const compiled = new WebAssembly.Module(bytes);
const web = () => bind(webPlatform({ load: () => compiled }));
const sync = (message) => ({ code: 'SYNC_UNSUPPORTED', reason: 'sync_unsupported', message });

describe('with WebCrypto', () => {
  const { createVerifier, verifyJws, importKey } = web();

  for (const algorithm of ALGORITHMS) {
    test(`${algorithm} verifies, and a flipped bit does not`, async () => {
      const { publicKey } = pairFor(algorithm);
      const key = isHmac(algorithm) ? new Uint8Array(publicKey) : publicKey.export({ format: 'jwk' });
      const verifier = createVerifier(options({ algorithms: [algorithm], key, cache: false }));
      const token = await signBy('jose', algorithm);
      for (let round = 0; round < 2; round += 1) {
        assert.deepEqual((await verifier.verify(token)).claims, CLAIMS);
      }
      assert.deepEqual(JSON.parse(Buffer.from((await verifyJws(token, key, { algorithms: [algorithm] })).payload)), CLAIMS);
      const at = token.lastIndexOf('.') + 5;
      const flipped = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      assert.equal((await refusalOfPromise(verifier.verify(flipped), EdgegateError)).reason, 'bad_signature');
      if (isHmac(algorithm) || algorithm === 'EdDSA') {
        assert.deepEqual(verifier.verifySync(token).claims, CLAIMS);
      } else {
        const message = 'this runtime checks the algorithm asynchronously: await verify()';
        assert.deepEqual(refusalOf(() => verifier.verifySync(token), EdgegateError), sync(message));
      }
    });
  }

  test('verifications that overlap do not mix their verdicts', async () => {
    const key = pairFor('ES256').publicKey.export({ format: 'jwk' });
    const verifier = createVerifier(options({ algorithms: ['ES256'], key, cache: false }));
    const good = await Promise.all([1, 2, 3].map((jti) => signBy('jose', 'ES256', { ...CLAIMS, jti: `${jti}` })));
    const forged = good.map((token, index) => token.slice(0, token.lastIndexOf('.')) + good[(index + 1) % 3].slice(good[(index + 1) % 3].lastIndexOf('.')));
    const outcomes = await Promise.allSettled([...good, ...forged, ...good].map((token) => verifier.verify(token)));
    assert.deepEqual(outcomes.map(({ value, reason }) => value?.claims.jti ?? reason.reason), [
      '1', '2', '3', 'bad_signature', 'bad_signature', 'bad_signature', '1', '2', '3',
    ]);
  });

  test('keys that fit are tried in turn', async () => {
    const other = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
    const jwks = {
      keys: [await webcrypto.subtle.exportKey('jwk', other.publicKey), pairFor('ES256').publicKey.export({ format: 'jwk' })],
    };
    const verifier = createVerifier(options({ algorithms: ['ES256'], key: undefined, jwks }));
    assert.deepEqual((await verifier.verify(await signBy('jose', 'ES256'))).claims, CLAIMS);
  });

  test('a CryptoKey is exported with the first verification', async () => {
    const token = await signBy('jose', 'ES256');
    const spki = pairFor('ES256').publicKey.export({ type: 'spki', format: 'der' });
    const key = await webcrypto.subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']);
    const verifier = createVerifier(options({ algorithms: ['ES256'], key }));
    assert.deepEqual(refusalOf(() => verifier.verifySync(token), EdgegateError), sync('a CryptoKey is being exported: await verify()'));
    assert.deepEqual((await verifier.verify(token)).claims, CLAIMS);
    assert.deepEqual((await importKey(key)).algorithms, ['ES256']);
    const closed = await webcrypto.subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    assert.deepEqual(refusalOf(() => createVerifier(options({ algorithms: ['ES256'], key: closed })), EdgegateError), {
      code: 'CONFIG_ERROR', reason: 'config', path: 'key', message: 'key: a CryptoKey that is not extractable',
    });
  });

  test('a point off its curve is refused when it is used', async () => {
    const jwk = pairFor('ES256').publicKey.export({ format: 'jwk' });
    const verifier = createVerifier(options({ algorithms: ['ES256'], key: { ...jwk, y: jwk.x } }));
    assert.deepEqual(await refusalOfPromise(verifier.verify(await signBy('jose', 'ES256')), EdgegateError), {
      code: 'KEYS_UNAVAILABLE', reason: 'keys_unavailable', message: `keys of ${CLAIMS.iss}: the host refuses the key`,
    });
  });
});

describe('an engine that is loaded later', () => {
  const later = (loadLater) => bind(webPlatform({ loadLater }));

  test('comes with the first verification, and then serves synchronously', async () => {
    let loads = 0;
    const { createVerifier, createApiKeys, ready } = later(async () => {
      loads += 1;
      return compiled;
    });
    const token = signHmac(CLAIMS, { secret: secretFor('HS256') });
    const verifier = createVerifier(options());
    const keys = createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret: secretFor('HS256') }] });
    const message = 'the WebAssembly module is not loaded yet: await ready() first';
    assert.deepEqual(refusalOf(() => verifier.verifySync(token), EdgegateError), sync(message));
    assert.deepEqual(refusalOf(() => keys.mint(), EdgegateError), sync(message));
    const results = await Promise.all([verifier.verify(token), verifier.verify(token), ready()]);
    assert.equal(results[0].claims.jti, 'one');
    assert.equal(verifier.verifySync(token).claims.jti, 'one');
    assert.equal(keys.verify(keys.mint().key).prefix, 'sk');
    assert.equal(loads, 1);
  });

  test('shows a bad configuration with the first verification', async () => {
    const { createVerifier } = later(async () => compiled);
    const verifier = createVerifier(options({ key: new Uint8Array(5) }));
    assert.equal((await refusalOfPromise(verifier.verify('a.b.c'), EdgegateError)).message, 'key: secret has 5 bytes, expected at least 32');
  });

  test('is tried again after a failure', async () => {
    let fails = true;
    const { ready } = later(async () => {
      if (fails) throw new TypeError('offline');
      return compiled;
    });
    await assert.rejects(ready(), { message: 'offline' });
    fails = false;
    await ready();
  });
});

test('slim takes the engine from its caller', async () => {
  const token = signHmac(CLAIMS, { secret: secretFor('HS256') });
  const verifier = slim.createVerifier(options());
  const missing = 'edgegate/slim: call init() or initSync() first';
  assert.deepEqual(await refusalOfPromise(verifier.verify(token), EdgegateError), sync(missing));
  slim.initSync(compiled);
  assert.equal(verifier.verifySync(token).claims.jti, 'one');
  await slim.init(Promise.resolve(new Response(bytes)));
  await slim.init(bytes);
  assert.equal(verifier.verifySync(token).claims.jti, 'one');
});

describe('while WebCrypto checks a signature', () => {
  const { publicKey, privateKey } = pairFor('ES256');
  const jwk = publicKey.export({ format: 'jwk' });
  const sign = (jti, header) => signAsymmetric({ ...CLAIMS, jti }, { key: privateKey, alg: 'ES256', header });
  const ec = (rest) => options({ algorithms: ['ES256'], key: jwk, cache: false, ...rest });
  const BAD = { code: 'INVALID_TOKEN', reason: 'bad_signature', message: 'signature does not verify' };

  /** `meanwhile` runs after WebCrypto's first answer, before the answer is used. */
  function interrupted(meanwhile) {
    const platform = webPlatform({ load: () => compiled });
    let first = true;
    const decide = async (job) => {
      const verdict = await platform.host.decide(job);
      if (first) {
        first = false;
        await meanwhile();
      }
      return verdict;
    };
    return bind({ ...platform, host: { ...platform.host, decide } });
  }

  /** Counts how often a token is begun, and how often it is continued. */
  function counted(engine) {
    const calls = { verify: 0, resume: 0 };
    const { call, resume } = engine;
    engine.call = function counting(name, ...rest) {
      if (name === 'verify') calls.verify += 1;
      return call.call(this, name, ...rest);
    };
    engine.resume = function counting(...rest) {
      calls.resume += 1;
      return resume.apply(this, rest);
    };
    return calls;
  }

  test('one token is read once', async () => {
    const { createVerifier, engine } = web();
    const verifier = createVerifier(ec());
    const calls = counted(engine);
    assert.equal((await verifier.verify(sign('one'))).claims.jti, 'one');
    assert.deepEqual(calls, { verify: 1, resume: 1 });
  });

  test('the claims are still checked', async () => {
    const { createVerifier } = web();
    const expired = signAsymmetric({ ...CLAIMS, exp: 1 }, { key: privateKey, alg: 'ES256' });
    const { reason } = await refusalOfPromise(createVerifier(ec()).verify(expired), EdgegateError);
    assert.equal(reason, 'token_expired');
  });

  test('many tokens at once, of two verifiers, each get their own verdict', async () => {
    const { createVerifier } = web();
    const verifiers = [createVerifier(ec()), createVerifier(ec({ audience: 'other' }))];
    const all = Array.from({ length: 200 }, async (_, index) => {
      const jti = `token-${index}`;
      const token = index % 3 === 1 ? `${sign('x').split('.').slice(0, 2).join('.')}.${sign(jti).split('.')[2]}` : sign(jti);
      const verdict = verifiers[index % 2].verify(token);
      if (index % 3 === 1) assert.deepEqual(await refusalOfPromise(verdict, EdgegateError), BAD);
      else if (index % 2 === 1) assert.equal((await refusalOfPromise(verdict, EdgegateError)).reason, 'unexpected_claim');
      else assert.equal((await verdict).claims.jti, jti);
    });
    await Promise.all(all);
  });

  test('a token that others have pushed out is verified anew', async () => {
    let others;
    const { createVerifier, engine } = interrupted(() => others());
    const verifier = createVerifier(ec());
    others = async () => {
      for (let index = 0; index < 40; index += 1) await verifier.verify(sign(`other-${index}`));
    };
    const calls = counted(engine);
    assert.equal((await verifier.verify(sign('one'))).claims.jti, 'one');
    assert.deepEqual(calls, { verify: 42, resume: 41 });
  });

  test('long claims are verified anew', async () => {
    const { createVerifier, engine } = web();
    const verifier = createVerifier(ec({ maxTokenLength: 20_000 }));
    const calls = counted(engine);
    assert.equal((await verifier.verify(sign('a'.repeat(9000)))).claims.jti.length, 9000);
    assert.deepEqual(calls, { verify: 2, resume: 0 });
  });

  test('an instance that came after verifies anew, whatever ticket it has given out itself', async () => {
    let meanwhile;
    const { createVerifier, engine } = interrupted(() => meanwhile());
    const verifier = createVerifier(ec());
    let later;
    meanwhile = async () => {
      // This is like any other trap.
      assert.throws(() => engine.call('no such call', undefined, ''), { reason: 'trapped' });
      await engine.ready();
      // Both begin at once. The host is still busy with this one when the first one goes on.
      later = verifier.verify(sign('later'));
    };
    const { generation } = engine;
    assert.equal((await verifier.verify(sign('one'))).claims.jti, 'one');
    assert.equal((await later).claims.jti, 'later');
    assert.equal(engine.generation, generation + 1);
  });

  test('a verifier that is disposed of refuses', async () => {
    let verifier;
    const { createVerifier } = interrupted(() => verifier[Symbol.dispose ?? Symbol.for('Symbol.dispose')]());
    verifier = createVerifier(ec());
    assert.deepEqual(await refusalOfPromise(verifier.verify(sign('one')), EdgegateError), {
      code: 'CONFIG_ERROR', reason: 'config', message: 'it has been disposed of',
    });
  });

  test('a key that is withdrawn meanwhile verifies nothing any more', async (t) => {
    let published = 'a';
    t.mock.method(globalThis, 'fetch', async () => new Response(JSON.stringify({ keys: [{ ...jwk, kid: published }] })));
    let verifier;
    let now = NOW;
    const { createVerifier } = interrupted(async () => {
      published = 'b';
      now += 60;
      assert.equal((await verifier.verify(sign('two', { kid: 'b' }))).keyId, 'b');
    });
    verifier = createVerifier(ec({ key: undefined, jwksUri: 'https://issuer.test/jwks', now: () => now }));
    assert.deepEqual(await refusalOfPromise(verifier.verify(sign('one', { kid: 'a' })), EdgegateError), {
      code: 'INVALID_TOKEN', reason: 'unknown_key', message: 'no key of the issuer fits the header',
    });
  });
});

describe('an instance that trapped', () => {
  const trap = new WebAssembly.Instance(new WebAssembly.Module(
    // (module (func (export "trap") unreachable))
    Buffer.from('0061736d010000000104016000000302010007080104747261700000' + '0a05010300000b', 'hex'),
  )).exports.trap;

  /** Counts instances. While `armed` is set, one export of each later instance traps. */
  async function withTraps(state, run) {
    const { Instance } = WebAssembly;
    WebAssembly.Instance = function Trapping(...args) {
      state.instances += 1;
      const { exports } = new Instance(...args);
      const wrapped = {};
      for (const [name, value] of Object.entries(exports)) {
        wrapped[name] = name === state.armed ? (...rest) => (state.traps ? trap() : value(...rest)) : value;
      }
      return { exports: wrapped };
    };
    try {
      return await run();
    } finally {
      WebAssembly.Instance = Instance;
    }
  }

  const TRAPPED = { code: 'INVALID_TOKEN', reason: 'trapped', message: 'the WebAssembly instance trapped and was replaced' };

  test('the made-up trap is one', () => {
    assert.throws(trap, WebAssembly.RuntimeError);
  });

  for (const [name, platform] of [['Node', nodePlatform(() => compiled)], ['the web', webPlatform({ load: () => compiled })]]) {
    test(`is replaced by the next call, keys and all, on ${name}`, async () => {
      const state = { instances: 0, armed: 'verify', traps: false };
      await withTraps(state, async () => {
        const { createVerifier, createApiKeys, verifyJws } = bind(platform);
        const hmac = createVerifier(options({ cache: false }));
        const ec = createVerifier(options({ algorithms: ['ES256'], key: pairFor('ES256').publicKey.export({ format: 'jwk' }), cache: false }));
        const keys = createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret: secretFor('HS256') }] });
        const { key } = keys.mint();
        const token = signHmac(CLAIMS, { secret: secretFor('HS256') });
        const signed = signAsymmetric(CLAIMS, { key: pairFor('ES256').privateKey, alg: 'ES256' });
        assert.equal(hmac.verifySync(token).claims.jti, 'one');
        assert.equal(state.instances, 1);
        state.traps = true;
        for (let round = 0; round < 3; round += 1) {
          assert.deepEqual(refusalOf(() => hmac.verifySync(token), EdgegateError), TRAPPED);
        }
        assert.deepEqual(await refusalOfPromise(ec.verify(signed), EdgegateError), TRAPPED);
        state.traps = false;
        assert.equal(hmac.verifySync(token).claims.jti, 'one');
        assert.equal((await ec.verify(signed)).claims.jti, 'one');
        assert.equal(keys.verify(key).prefix, 'sk');
        assert.equal((await verifyJws(token, secretFor('HS256'), { algorithms: ['HS256'] })).header.alg, 'HS256');
        assert.equal(state.instances, 5);
      });
    });
  }

  test('leaves a verifier that was disposed of as it is', () => {
    const { createVerifier } = web();
    const verifier = createVerifier(options());
    verifier[Symbol.dispose ?? Symbol.for('Symbol.dispose')]();
    assert.deepEqual(refusalOf(() => verifier.verifySync('a.b.c'), EdgegateError), {
      code: 'CONFIG_ERROR', reason: 'config', message: 'it has been disposed of',
    });
  });
});

test('verifiers that nobody holds any more leave nothing in the engine', async () => {
  const { createVerifier, createApiKeys, engine } = bind(nodePlatform(() => compiled));
  const secret = secretFor('HS256');
  const token = signHmac(CLAIMS, { secret });
  const probe = () => {
    const text = JSON.stringify({ issuer: 'x', key: { secret: secret.toString('base64url') }, algorithms: ['HS256'] });
    const thing = engine.hold({}, 'freeVerifier', () => engine.call('createVerifier', undefined, text, 100));
    const handle = engine.handle(thing);
    engine.dispose(thing);
    return handle;
  };
  assert.equal(probe(), 1);
  // If a thing is disposed of, its place is used again at once.
  for (let index = 0; index < 100; index += 1) {
    const verifier = createVerifier(options());
    verifier.verifySync(token);
    verifier[Symbol.dispose ?? Symbol.for('Symbol.dispose')]();
  }
  assert.equal(probe(), 1);
  // If a thing is forgotten, its place is used again after garbage collection.
  (() => {
    for (let index = 0; index < 100; index += 1) {
      createVerifier(options()).verifySync(token);
      createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret }] }).mint();
    }
  })();
  assert.equal(probe(), 101);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  for (let round = 0; round < 50 && probe() !== 1; round += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(probe(), 1);
});

test('a key that two engines see is each one\'s own', async () => {
  const [one, two] = [web(), web()];
  const keys = [1, 2, 3].map((byte) => ({ kty: 'oct', k: Buffer.alloc(32, byte).toString('base64url'), alg: 'HS256' }));
  const token = signHmac('x', { secret: Buffer.alloc(32, 2) });
  const verdicts = async ({ verifyJws }, list) => (await Promise.allSettled(list.map((key) => verifyJws(token, key)))).map(({ status }) => status);
  assert.deepEqual(await verdicts(one, keys), ['rejected', 'fulfilled', 'rejected']);
  assert.deepEqual(await verdicts(two, keys.toReversed()), ['rejected', 'fulfilled', 'rejected']);
  assert.deepEqual(await verdicts(two, keys), ['rejected', 'fulfilled', 'rejected']);
});
