// Administration through the gate: check() obeys every change. The Worker's tests cover the rules (tests/worker/admin.test.mjs,
// revocation.test.mjs). These cover the way there and back, and the names.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { EdgegateError, kvStore, memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { Miniflare } from '../miniflare.mjs';
import { ISSUER, NOW, bearer, gateOf, policy, request, token } from './gate.mjs';
import { CLIENTS, startRedis } from './redis-server.mjs';
import { AUDIENCE } from '../worker/harness.mjs';
import { signAsymmetric } from '../worker/token.mjs';
import { refusalOfPromise } from './support.mjs';

const API_KEYS = {
  prefixes: [{ prefix: 'sk' }, { prefix: 'pk', scopes: ['read:posts'] }, { prefix: 'legacy', format: 'imported' }],
  environment: 'test',
  signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }],
};
const POLICY = policy({ api_keys: API_KEYS });
const ALICE = { name: 'her key', owner: 'alice', scopes: ['read:posts'] };
const UNKNOWN = '0'.repeat(32);

const use = (gate, key, path = '/v1/posts') => gate.check(request(path, { 'x-api-key': key }));
const codeOf = (decision) => decision.code ?? 'admitted';
const refused = (promise) => refusalOfPromise(promise, EdgegateError);
const invalid = (path, problem) => ({
  code: 'INVALID_REQUEST', reason: 'invalid_field', message: path === undefined ? problem : `${path}: ${problem}`, ...(path && { path }),
});
const NOT_FOUND = { code: 'NOT_FOUND', reason: 'not_found', message: 'not found' };

/** All pages together. */
async function all(list, what, query = {}) {
  const found = [];
  let cursor;
  let pages = 0;
  do {
    const page = await list({ ...query, cursor });
    assert.deepEqual(Object.keys(page), [what, 'cursor']);
    assert.ok(page[what].length <= (query.limit ?? 100));
    found.push(...page[what]);
    cursor = page.cursor;
    pages += 1;
    assert.ok(pages < 200, 'the list does not end');
  } while (cursor !== undefined);
  return { found, pages };
}

describe('keys', () => {
  test('a minted key is admitted, and refused once it is revoked', async () => {
    const { gate, stores, clock } = gateOf({ policy: POLICY });
    const { key, ...record } = await gate.keys.mint({ ...ALICE, limits: { limited: 2 }, expiresInSecs: 600, prefix: 'sk' });
    assert.match(key, /^sk_test_/);
    assert.match(record.id, /^[0-9a-f]{32}$/);
    assert.deepEqual(record, {
      id: record.id, ...ALICE, prefix: 'sk', limits: { limited: 2 }, createdAt: NOW, expiresAt: NOW + 600, sealedExpiresAt: NOW + 600,
      lifetimeSecs: 600, disabled: false,
    });
    const decision = await use(gate, key);
    assert.deepEqual([decision.ok, decision.identity.keyId, decision.identity.subject], [true, record.id, 'alice']);
    await use(gate, key, '/v1/limited');
    await use(gate, key, '/v1/limited');
    assert.equal(codeOf(await use(gate, key, '/v1/limited')), 'RATE_LIMITED', 'its own limit, not the five of the policy');
    assert.ok(!(await stores.keys.get([`key/v1/${record.id}`]))[0].includes(key), 'the key is stored nowhere');

    clock.now += 5;
    assert.deepEqual(await gate.keys.get(record.id), { ...record, lastUsedAt: NOW });
    assert.deepEqual(await gate.keys.revoke(record.id), { ...record, revokedAt: NOW + 5 });
    assert.equal(codeOf(await use(gate, key)), 'API_KEY_REVOKED');
    const { revocations } = await gate.revocations.list();
    assert.deepEqual(revocations, [{ id: revocations[0].id, target: { kind: 'api_key', id: record.id }, createdAt: NOW + 5 }]);
    // The record stays revoked, even if its entry is removed.
    await gate.revocations.remove(revocations[0].id);
    assert.equal(codeOf(await use(gate, key)), 'API_KEY_REVOKED');
    assert.deepEqual(await refused(gate.keys.update(record.id, { disabled: false })), {
      code: 'INVALID_REQUEST', reason: 'invalid_request', message: 'a revoked key cannot be changed',
    });
  });

  test('a revocation holds as long as the key, if records are optional', async () => {
    const prefixes = [{ prefix: 'sk', scopes_without_record: ['read:posts'] }];
    const { gate, clock, stores } = gateOf({ policy: policy({ api_keys: { ...API_KEYS, prefixes, records: 'optional' } }) });
    const keys = {};
    for (const how of ['rotated', 'changed', 'disabled', 'revoked', 'fine']) keys[how] = await gate.keys.mint({ ...ALICE, scopes: [] });
    await gate.keys.rotate(keys.rotated.id, { overlapSecs: 0 });
    await gate.keys.update(keys.changed.id, { expiresInSecs: 1 });
    await gate.keys.update(keys.disabled.id, { expiresInSecs: 3600, disabled: true });
    await gate.keys.update(keys.revoked.id, { expiresInSecs: 3600 });
    await gate.keys.revoke(keys.revoked.id);
    for (const days of [1, 32, 3650]) {
      clock.now = NOW + days * 86_400;
      const codes = {};
      for (const [how, { key }] of Object.entries(keys)) codes[how] = codeOf(await use(gate, key));
      assert.deepEqual(codes, {
        rotated: 'API_KEY_EXPIRED', changed: 'API_KEY_EXPIRED', disabled: 'API_KEY_REVOKED', revoked: 'API_KEY_REVOKED', fine: 'INSUFFICIENT_SCOPE',
      }, `after ${days} days`);
    }
    // The store has lost the record, against its promise. The key then gets no more than the policy gives, and a revoked one stays revoked.
    for (const { id } of Object.values(keys)) await stores.keys.delete(`key/v1/${id}`);
    clock.now += 60;
    const decision = await use(gate, keys.fine.key);
    assert.deepEqual(decision.identity.scopes, ['read:posts']);
    assert.equal(codeOf(await use(gate, keys.revoked.key)), 'API_KEY_REVOKED');
  });

  test('a rotation, a change or an import does not get around an entry that revokes a key', async () => {
    const { gate } = gateOf({ policy: POLICY });
    const { key, id } = await gate.keys.mint(ALICE);
    await gate.revocations.add({ keyId: id });
    const message = (text) => ({ code: 'INVALID_REQUEST', reason: 'invalid_request', message: text });
    assert.deepEqual(await refused(gate.keys.rotate(id)), message('a revoked key cannot be rotated'));
    assert.deepEqual(await refused(gate.keys.update(id, { disabled: false })), message('a revoked key cannot be changed'));
    assert.equal(codeOf(await use(gate, key)), 'API_KEY_REVOKED');
    const importedSha256 = createHash('sha256').update('legacy_revoked_before').digest('hex');
    await gate.revocations.add({ keyId: importedSha256.slice(0, 32) });
    assert.deepEqual(await refused(gate.keys.import({ ...ALICE, importedSha256 })), invalid('importedSha256', 'this key is revoked'));
  });

  test('a rotation gives no fresh allowance and no wider scopes', async () => {
    const { gate } = gateOf({ policy: policy({ api_keys: { ...API_KEYS, prefixes: [{ prefix: 'sk' }, { prefix: 'legacy', format: 'imported', scopes: ['read:posts'] }] } }) });
    const first = 'legacy_capped_to_read';
    const record = await gate.keys.import({
      ...ALICE, scopes: ['read:posts', 'write:posts'], limits: { limited: 3 }, importedSha256: createHash('sha256').update(first).digest('hex'),
    });
    let known = { key: first, id: record.id };
    const codes = [];
    for (let turn = 0; turn < 4; turn += 1) {
      codes.push(codeOf(await use(gate, known.key, '/v1/limited')));
      known = await gate.keys.rotate(known.id, { overlapSecs: 0 });
      assert.deepEqual([known.scopes, known.family], [['read:posts'], record.id]);
    }
    assert.deepEqual(codes, ['admitted', 'admitted', 'admitted', 'RATE_LIMITED']);
  });

  test('a late write of an older record does not bring a revoked key back', async () => {
    const { gate, stores } = gateOf({ policy: POLICY });
    const { key, id } = await gate.keys.mint(ALICE);
    const [older] = await stores.keys.get([`key/v1/${id}`]);
    await gate.keys.revoke(id);
    await stores.keys.put(`key/v1/${id}`, older, {});
    const another = gateOf({ policy: POLICY, stores });
    assert.equal(codeOf(await use(another.gate, key)), 'API_KEY_REVOKED');
  });

  test('a rotated key goes on for the overlap, beside its successor', async () => {
    const { gate, clock } = gateOf({ policy: POLICY });
    const { key, ...old } = await gate.keys.mint({ ...ALICE, expiresInSecs: 86_400 });
    clock.now += 100;
    const { key: newKey, ...successor } = await gate.keys.rotate(old.id, { overlapSecs: 60 });
    assert.deepEqual(successor, {
      ...old, id: successor.id, replaces: old.id, family: old.id, createdAt: NOW + 100, expiresAt: NOW + 100 + 86_400,
      sealedExpiresAt: Math.ceil((NOW + 100 + 86_400) / 60) * 60,
    });
    assert.deepEqual(await gate.keys.get(old.id), { ...old, expiresAt: NOW + 160, replacedBy: successor.id });
    clock.now += 59;
    assert.deepEqual([codeOf(await use(gate, key)), codeOf(await use(gate, newKey))], ['admitted', 'admitted']);
    clock.now += 1;
    assert.deepEqual([codeOf(await use(gate, key)), codeOf(await use(gate, newKey))], ['API_KEY_EXPIRED', 'admitted']);
    assert.deepEqual(await refused(gate.keys.rotate(old.id)), {
      code: 'INVALID_REQUEST', reason: 'invalid_request', message: 'the key was already replaced, rotate its successor',
    });
    await gate.keys.rotate(successor.id, { overlapSecs: 0 });
    assert.equal(codeOf(await use(gate, newKey)), 'API_KEY_EXPIRED');
    const { id } = await gate.keys.mint(ALICE);
    await gate.keys.rotate(id);
    assert.equal((await gate.keys.get(id)).expiresAt, clock.now + 86_400, 'a day where nothing is said');
  });

  test('changes take effect at once, and null removes a member', async () => {
    const { gate, clock } = gateOf({ policy: POLICY });
    const { key, id } = await gate.keys.mint({ ...ALICE, scopes: [], limits: { limited: 2 } });
    assert.equal(codeOf(await use(gate, key)), 'INSUFFICIENT_SCOPE');
    await gate.keys.update(id, { scopes: ['read:posts'], name: undefined });
    assert.equal(codeOf(await use(gate, key)), 'admitted');
    await gate.keys.update(id, { disabled: true });
    assert.equal(codeOf(await use(gate, key)), 'API_KEY_REVOKED');
    const changed = await gate.keys.update(id, { disabled: false, owner: 'bob', limits: null, expiresInSecs: 30 });
    assert.deepEqual([changed.owner, changed.limits, changed.expiresAt, changed.lifetimeSecs], ['bob', undefined, NOW + 30, 30]);
    assert.deepEqual((await gate.keys.list({ owner: 'alice' })).keys, []);
    assert.deepEqual((await gate.keys.list({ owner: 'bob' })).keys, [changed]);
    clock.now += 30;
    assert.equal(codeOf(await use(gate, key)), 'API_KEY_EXPIRED');
    assert.equal('expiresAt' in await gate.keys.update(id, { expiresInSecs: null }), false);
    assert.equal(codeOf(await use(gate, key)), 'admitted');
  });

  test('a key of another system is imported by its hash', async () => {
    const { gate } = gateOf({ policy: POLICY });
    const key = 'legacy_0123456789abcdef';
    const importedSha256 = createHash('sha256').update(key).digest('hex');
    assert.equal(codeOf(await use(gate, key)), 'INVALID_API_KEY');
    const record = await gate.keys.import({ ...ALICE, importedSha256 });
    assert.deepEqual(record, { id: record.id, ...ALICE, createdAt: NOW, disabled: false, importedSha256 });
    assert.equal((await use(gate, key)).identity.keyId, record.id);
    assert.deepEqual(await refused(gate.keys.import({ ...ALICE, importedSha256 })), invalid('importedSha256', 'this key was imported already'));
    const { key: successor } = await gate.keys.rotate(record.id, { overlapSecs: 0 });
    assert.match(successor, /^sk_test_/);
    assert.deepEqual([codeOf(await use(gate, key)), codeOf(await use(gate, successor))], ['API_KEY_EXPIRED', 'admitted']);
  });

  test('what is at fault is named', async () => {
    const { gate, stores } = gateOf({ policy: POLICY });
    const { id } = await gate.keys.mint({ ...ALICE, expiresInSecs: 600 });
    const before = await all((query) => stores.keys.list('', { limit: 100, ...query }), 'keys');
    const cases = [
      [gate.keys.mint(), undefined, 'expected an object'],
      [gate.keys.mint([]), undefined, 'expected an object'],
      [gate.keys.mint({ owner: 'a', scopes: [] }), 'name', 'is required'],
      [gate.keys.mint({ ...ALICE, name: '' }), 'name', 'expected 1 to 100 characters'],
      [gate.keys.mint({ ...ALICE, scopes: ['a', 'b c'] }), 'scopes[1]', 'expected visible ASCII without space, quote and backslash'],
      [gate.keys.mint({ ...ALICE, expiresInSecs: 0 }), 'expiresInSecs', 'expected 1 to 315360000 (10 years)'],
      // In JSON these two would become keys that never expire.
      [gate.keys.mint({ ...ALICE, expiresInSecs: NaN }), 'expiresInSecs', 'expected what JSON can hold'],
      [gate.keys.update(id, { expiresInSecs: () => 60 }), 'expiresInSecs', 'expected what JSON can hold'],
      [gate.keys.mint({ ...ALICE, expiresInSecs: 10n }), 'expiresInSecs', 'expected what JSON can hold'],
      [gate.keys.mint({ ...ALICE, limits: { other: 1 } }), 'limits.other', 'no limit has this name'],
      [gate.keys.mint({ ...ALICE, limits: { key_id: 1 } }), 'limits.key_id', 'no limit has this name'],
      [gate.keys.mint({ ...ALICE, limits: { limited: 0 } }), 'limits.limited', 'expected at least 1'],
      [gate.keys.mint({ ...ALICE, limits: { limited: Infinity } }), 'limits', 'expected what JSON can hold'],
      [gate.keys.mint({ ...ALICE, prefix: 'legacy' }), 'prefix', 'no such prefix is configured'],
      [gate.keys.mint({ ...ALICE, expires_in_secs: 60 }), 'expires_in_secs', 'is not a known field, expected expiresInSecs'],
      [gate.keys.mint({ ...ALICE, expires: 60 }), 'expires',
        'is not a known field, expected one of name, owner, scopes, limits, ips, expiresInSecs, prefix'],
      [gate.keys.import(ALICE), 'importedSha256', 'is required'],
      [gate.keys.update(id, {}), undefined, 'expected at least one field to change'],
      [gate.keys.update(id, { expiresInSecs: null }), 'expiresInSecs', 'the key itself expires earlier, rotate it instead'],
      [gate.keys.rotate(id, { overlapSecs: 2_592_001 }), 'overlapSecs', 'expected at most 2592000 (30 days)'],
      [gate.keys.mint({ ...ALICE, scopes: Array(1000).fill('a'.repeat(100)) }), undefined, 'expected at most 65536 characters'],
      [gate.keys.get(7), 'id', 'expected a string'],
      [gate.keys.list({ owner: '' }), 'owner', 'expected at least one character'],
      [gate.keys.list({ limit: 0 }), 'limit', 'expected 1 to 100'],
      [gate.keys.list({ limit: 101 }), 'limit', 'expected 1 to 100'],
      [gate.keys.list({ cursor: 'a b' }), 'cursor', 'expected the cursor of the page before'],
      [gate.keys.list({ cursor: 'a'.repeat(1025) }), 'cursor', 'expected the cursor of the page before'],
      [gate.keys.list({ mine: true }), 'mine', 'is not a known field, expected one of owner, cursor, limit'],
    ];
    for (const [promise, path, problem] of cases) assert.deepEqual(await refused(promise), invalid(path, problem));
    for (const promise of [
      gate.keys.get(UNKNOWN), gate.keys.get(id.toUpperCase()), gate.keys.get('../x'), gate.keys.update(UNKNOWN, { name: 'x' }),
      gate.keys.rotate(UNKNOWN), gate.keys.revoke(UNKNOWN),
    ]) assert.deepEqual(await refused(promise), NOT_FOUND);
    assert.deepEqual(await all((query) => stores.keys.list('', { limit: 100, ...query }), 'keys'), before, 'nothing was written');
  });
});

describe('revocations', () => {
  const jwt = (claims) => request('/v1/posts', bearer(token({ scope: 'read:posts', iat: NOW, ...claims })));
  const FORMS = [
    ['token', { token: token({ jti: 'a', sid: 's', iat: NOW }) }, { kind: 'token', iss: ISSUER, jti: 'a' }],
    ['jti', { iss: ISSUER, jti: 'a', exp: NOW + 600 }, { kind: 'token', iss: ISSUER, jti: 'a' }],
    ['sub', { iss: ISSUER, sub: 'alice' }, { kind: 'subject', iss: ISSUER, sub: 'alice' }],
    ['sid', { iss: ISSUER, sid: 's' }, { kind: 'session', iss: ISSUER, sid: 's' }],
    ['all', { iss: ISSUER, all: true, before: NOW + 1 }, { kind: 'issuer', iss: ISSUER }],
  ];
  for (const [name, form, target] of FORMS) {
    test(`by ${name}`, async () => {
      const { gate } = gateOf({ policy: POLICY });
      const ask = async () => codeOf(await gate.check(jwt({ jti: 'a', sid: 's' })));
      assert.equal(await ask(), 'admitted');
      const added = await gate.revocations.add({ ...form, reason: 'stolen' });
      assert.deepEqual(added.target, target);
      assert.deepEqual([added.createdAt, added.reason, 'v' in added, 'created_at' in added], [NOW, 'stolen', false, false]);
      assert.equal(await ask(), 'TOKEN_REVOKED');
      assert.deepEqual(await gate.revocations.get(added.id), added);
      assert.deepEqual(await gate.revocations.remove(added.id), undefined);
      assert.equal(await ask(), 'admitted');
      assert.deepEqual(await refused(gate.revocations.get(added.id)), NOT_FOUND);
      assert.deepEqual(await refused(gate.revocations.remove(added.id)), NOT_FOUND);
    });
  }

  test('by API key and by signing key', async () => {
    const { gate } = gateOf({ policy: POLICY });
    const { key, id } = await gate.keys.mint(ALICE);
    assert.deepEqual((await gate.revocations.add({ keyId: id })).target, { kind: 'api_key', id });
    assert.equal(codeOf(await use(gate, key)), 'API_KEY_REVOKED');
    assert.deepEqual(
      await refused(gate.revocations.add({ iss: ISSUER, kid: 'k' })),
      invalid('kid', "no secret of this issuer has it as its kid: revoke the issuer's tokens, and change the secret"),
    );
    const added = await gate.revocations.add({ iss: ISSUER, kid: 'k', withdrawn: true });
    assert.deepEqual(added.target, { kind: 'signing_key', iss: ISSUER, kid: 'k' });
  });

  test('by the thumbprint of a key that has a kid, too', async () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'named' };
    const { crv, kty, x, y } = jwk;
    const thumbprint = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
    const issuers = [{ issuer: ISSUER, audience: [AUDIENCE], algorithms: ['ES256'], jwks: { keys: [jwk] } }];
    const { gate } = gateOf({ policy: policy({ issuers, api_keys: undefined }) });
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: NOW + 600, scope: 'read:posts' };
    const signed = signAsymmetric(claims, { key: pair.privateKey, alg: 'ES256', header: { kid: 'named' } });
    assert.equal(codeOf(await gate.check(request('/v1/posts', bearer(signed)))), 'admitted');
    const added = await gate.revocations.add({ iss: ISSUER, kid: thumbprint });
    assert.deepEqual(added.target, { kind: 'signing_key', iss: ISSUER, kid: 'named' });
    assert.equal(codeOf(await gate.check(request('/v1/posts', bearer(signed)))), 'TOKEN_REVOKED');
  });

  test('for as long as the token lives, however long that is', async () => {
    const { gate, clock } = gateOf({ policy: POLICY });
    for (const exp of [4_102_444_800, 9_999_999_999]) {
      const credential = jwt({ jti: `until-${exp}`, exp });
      await gate.revocations.add({ token: token({ jti: `until-${exp}`, exp }) });
      for (const now of [NOW, NOW + 401 * 86_400, exp - 1]) {
        clock.now = now;
        assert.equal(codeOf(await gate.check(credential.clone())), 'TOKEN_REVOKED', `${exp} at ${now}`);
      }
      clock.now = NOW;
    }
  });

  test('an earlier revocation is never weakened', async () => {
    const { gate } = gateOf({ policy: POLICY });
    const first = await gate.revocations.add({ iss: ISSUER, sub: 'alice', before: NOW + 100, reason: 'left' });
    assert.deepEqual(await gate.revocations.add({ iss: ISSUER, sub: 'alice', before: NOW - 100 }), first);
    assert.equal((await gate.revocations.add({ iss: ISSUER, sub: 'alice', before: NOW + 200 })).before, NOW + 200);
  });

  test('what is at fault is named', async () => {
    const { gate, stores } = gateOf({ policy: POLICY });
    const one = 'expected exactly one of token, jti, sub, sid, kid, keyId and all';
    const cases = [
      [{ iss: ISSUER }, undefined, one],
      [{ iss: ISSUER, sub: undefined }, undefined, one],
      [{ keyId: UNKNOWN, jti: 'a' }, undefined, one],
      [{ jti: 'a' }, 'iss', 'is required'],
      [{ iss: 'https://other.test/', jti: 'a' }, 'iss', 'is not an issuer of the policy'],
      [{ iss: ISSUER, jti: 'a', exp: NOW + 60, expiresInSecs: 60 }, 'expiresInSecs', 'expected none beside exp'],
      [{ iss: ISSUER, jti: 'a', key_id: UNKNOWN }, 'key_id', 'is not a known field, expected keyId'],
      [{ iss: ISSUER, jti: 'a', id: UNKNOWN }, 'id',
        'is not a known field, expected one of token, iss, jti, exp, sub, before, sid, kid, keyId, all, withdrawn, reason, expiresInSecs'],
      [{ token: token({ exp: NOW }) }, 'token', 'has expired already'],
      [{ token: token({ iss: 'https://other.test/' }) }, 'token', 'is not a valid token of a configured issuer'],
      [{ token: token() }, 'token', 'has no jti, revoke its session or subject'],
    ];
    for (const [given, path, problem] of cases) assert.deepEqual(await refused(gate.revocations.add(given)), invalid(path, problem));
    assert.deepEqual(await refused(gate.revocations.list({ limit: 101 })), invalid('limit', 'expected 1 to 100'));
    assert.deepEqual(await refused(gate.revocations.list({ owner: 'alice' })), invalid('owner', 'is not a known field, expected one of cursor, limit'));
    assert.deepEqual(await refused(gate.revocations.get('x')), NOT_FOUND);
    assert.deepEqual(await stores.revocation.list('', { limit: 100 }), { keys: [], cursor: undefined });
  });
});

describe('without what it takes', () => {
  test('no store of keys, or no section in the policy', async () => {
    const without = gateOf({ policy: policy({ api_keys: { ...API_KEYS, prefixes: [{ prefix: 'sk' }], records: 'none' } }), stores: { keys: undefined } });
    const path = 'stores.keys';
    assert.deepEqual(await refused(without.gate.keys.mint(ALICE)), {
      code: 'CONFIG_ERROR', reason: 'config', message: `${path}: expected a store, in which the records of API keys are kept`, path,
    });
    const none = gateOf({ policy: policy({ api_keys: undefined, revocation: undefined }) });
    const problem = 'the policy has none, so there is nothing to administer';
    const config = (at) => ({ code: 'CONFIG_ERROR', reason: 'config', message: `${at}: ${problem}`, path: at });
    assert.deepEqual(await refused(none.gate.keys.get(UNKNOWN)), config('api_keys'));
    assert.deepEqual(await refused(none.gate.revocations.list()), config('revocation'));
  });

  test('a store that fails is told, and nothing is pretended', async () => {
    const broken = {};
    for (const name of ['get', 'put', 'delete', 'list']) broken[name] = async () => { throw new Error('the disk is full'); };
    const { gate } = gateOf({ policy: POLICY, stores: { keys: broken, revocation: broken } });
    const failed = (store) => ({ code: 'STORE_UNAVAILABLE', reason: 'store_unavailable', message: `store ${store}: the disk is full` });
    assert.deepEqual(await refused(gate.keys.mint(ALICE)), failed('keys'));
    assert.deepEqual(await refused(gate.revocations.add({ iss: ISSUER, sub: 'alice' })), failed('revocation'));
  });
});

describe('many, in pages, over', () => {
  let redis;
  let miniflare;
  let close;
  const stores = { memory: async () => memoryStore({ now: () => NOW }) };
  stores.KV = async () => kvStore(await miniflare.getKVNamespace('KV'), { prefix: 'pages/' });
  stores.Redis = async () => {
    const connected = await CLIENTS.redis(redis.port);
    close = connected.close;
    return redisStore(connected.client);
  };
  before(async () => {
    redis = await startRedis();
    miniflare = new Miniflare({
      modules: true, script: 'export default { fetch: () => new Response() };', compatibilityDate: '2026-04-01', cf: false, kvNamespaces: ['KV'],
    });
  });
  after(async () => {
    await close?.();
    await redis?.stop();
    await miniflare?.dispose();
  });

  for (const [name, make] of Object.entries(stores)) {
    test(name, async () => {
      const store = await make();
      const { gate } = gateOf({ policy: POLICY, stores: { keys: store, revocation: store } });
      const ids = { alice: [], bob: [] };
      for (let count = 0; count < 13; count += 1) {
        const owner = count % 2 === 0 ? 'alice' : 'bob';
        const { key, id } = await gate.keys.mint({ ...ALICE, owner });
        ids[owner].push(id);
        if (count === 0) assert.equal(codeOf(await use(gate, key)), 'admitted');
        await gate.revocations.add({ iss: ISSUER, sub: `user-${count}`, before: NOW });
      }
      const listed = async (query) => {
        const { found, pages } = await all((asked) => gate.keys.list(asked), 'keys', query);
        return { ids: found.map(({ id }) => id).sort(), pages };
      };
      assert.deepEqual((await listed({ limit: 5 })).ids, [...ids.alice, ...ids.bob].sort());
      const mine = await listed({ limit: 3, owner: 'alice' });
      assert.deepEqual(mine.ids, ids.alice.toSorted());
      assert.ok(mine.pages >= 3, `${mine.pages} pages`);
      assert.deepEqual((await listed({ owner: 'nobody' })).ids, []);
      const { found } = await all((asked) => gate.revocations.list(asked), 'revocations', { limit: 5 });
      assert.deepEqual(
        found.map(({ target }) => target.sub).sort(), Array.from({ length: 13 }, (_, index) => `user-${index}`).sort(),
      );
    });
  }
});
