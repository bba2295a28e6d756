// How the store over Workers KV handles times that KV cannot take. Everything else is in store-contract.test.mjs and gate-worker.test.mjs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { kvStore } from '../../pkg/wasm/node.js';
import { Miniflare } from '../miniflare.mjs';
import { bearer, gateOf, request, token } from './gate.mjs';

let mf;
let kv;
/** The options of each write. */
const written = [];
before(async () => {
  mf = new Miniflare({ modules: true, script: 'export default {}', kvNamespaces: ['KV'], cf: false });
  const namespace = await mf.getKVNamespace('KV');
  kv = {
    get: (...words) => namespace.get(...words),
    delete: (...words) => namespace.delete(...words),
    list: (...words) => namespace.list(...words),
    put: (name, value, options) => {
      written.push(options);
      return namespace.put(name, value, options);
    },
  };
});
after(() => mf?.dispose());

test('times to live are at least what KV takes, and none where they are more', async () => {
  const store = kvStore(kv, { prefix: 'ttl/' });
  const most = 2 ** 31 - 1;
  for (const [ttlSecs, expected] of [
    [undefined, {}], [1, { expirationTtl: 60 }], [60.5, { expirationTtl: 61 }], [most, { expirationTtl: most }],
    [most + 0.5, {}], [most + 1, {}], [8e9, {}], [Infinity, {}],
  ]) {
    await store.put('x', String(ttlSecs), { ttlSecs });
    assert.deepEqual(written.at(-1), expected, String(ttlSecs));
    assert.deepEqual(await store.get(['x']), [String(ttlSecs)]);
  }
});

test('a token that ends in the year 2286 can be revoked', async () => {
  const store = kvStore(kv, { prefix: 'far/' });
  const { gate } = gateOf({ stores: { revocation: store } });
  const far = token({ scope: 'read:posts', jti: 'far', exp: 9_999_999_999 });
  const ask = () => gate.check(request('/v1/posts', bearer(far)));
  assert.equal((await ask()).ok, true);
  await gate.revocations.add({ token: far });
  assert.equal((await gateOf({ stores: { revocation: store } }).gate.check(request('/v1/posts', bearer(far)))).code, 'TOKEN_REVOKED');
});
