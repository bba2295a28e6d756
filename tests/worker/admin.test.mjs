// Administration of API keys: mint, list, read, change, rotate, revoke, import.

import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { keyIdOf } from './api-key.mjs';
import { SECRETS, admitted, apiKey, forEach, freshIp, gateWorker, policy, refused, start, token } from './harness.mjs';
import { control, faultyKv, faultyWorkers } from './stores.mjs';
import { nowSecs } from './token.mjs';

const API_KEYS = {
  prefixes: [
    { prefix: 'sk' },
    { prefix: 'pk', scopes: ['read:posts'] },
    { prefix: 'legacy', format: 'imported' },
    { prefix: 'narrow', format: 'imported', scopes: ['read:posts'] },
  ],
  environment: 'test',
  signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }],
};
const OPTIONAL = API_KEYS.prefixes.map((known) => (known.prefix === 'sk' ? { ...known, scopes_without_record: ['read:posts'] } : known));
const OLD_SECRET = 'an older secret, still good for keys that were signed with it';

let gate;
let faulty;

before(async () => {
  const signing_keys = [{ id: 1, secret: 'OLD_SECRET' }, { id: 2, secret: 'API_KEY_SECRET' }];
  gate = await start([
    gateWorker({ policy: policy({ api_keys: API_KEYS }) }),
    gateWorker({ name: 'no-admin', policy: policy({ admin: undefined }) }),
    gateWorker({ name: 'no-keys', policy: policy({ api_keys: undefined, revocation: undefined }) }),
    gateWorker({ name: 'two-secrets', policy: policy({ api_keys: { ...API_KEYS, signing_keys, prefixes: OPTIONAL, records: 'optional' } }), secrets: { ...SECRETS, OLD_SECRET } }),
    gateWorker({ name: 'no-records', policy: policy({ api_keys: { ...API_KEYS, records: 'none' } }) }),
    gateWorker({ name: 'remembering', policy: policy(), worker: faultyKv }),
    gateWorker({ name: 'reading', policy: policy(), worker: faultyKv }),
    gateWorker({ name: 'faulty', policy: policy({ api_keys: { ...API_KEYS, cache_secs: 0 }, revocation: { cache_secs: 0 } }), worker: faultyKv }),
    ...faultyWorkers,
  ]);
  faulty = await control(gate, 'faulty-kv');
});
after(() => gate.dispose());

const use = (key, options = {}) => gate.get('/v1/other', { key, ...options });

async function ok(status, method, target, body, options) {
  const answer = await gate.admin(method, target, body, options);
  assert.equal(answer.status, status, `${method} ${target}: ${answer.text}`);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['cache-control'], 'no-store');
  return answer.json();
}

/** The record as GET shows it, without the members that mere use changes. */
async function read(id) {
  const { last_used_at: _, ...record } = await ok(200, 'GET', `/keys/${id}`);
  return record;
}

async function listAll(query = '', limit = 100) {
  const found = [];
  let cursor = null;
  let pages = 0;
  do {
    const parameters = new URLSearchParams(query);
    parameters.set('limit', String(limit));
    if (cursor !== null) parameters.set('cursor', cursor);
    const page = await ok(200, 'GET', `/keys?${parameters}`);
    assert.deepEqual(Object.keys(page).sort(), ['cursor', 'keys']);
    assert.ok(page.keys.length <= limit);
    found.push(...page.keys);
    cursor = page.cursor;
    pages += 1;
    assert.ok(pages < 200, 'the list does not end');
  } while (cursor !== null);
  return { found, pages };
}

describe('the administrator', () => {
  const endpoints = [
    ['POST', '/keys', {}], ['GET', '/keys'], ['GET', `/keys/${'0'.repeat(32)}`], ['PATCH', `/keys/${'0'.repeat(32)}`, { name: 'x' }],
    ['POST', `/keys/${'0'.repeat(32)}/rotate`, {}], ['DELETE', `/keys/${'0'.repeat(32)}`],
    ['POST', '/revocations', {}], ['GET', '/revocations'], ['GET', `/revocations/${'A'.repeat(43)}`],
    ['DELETE', `/revocations/${'A'.repeat(43)}`],
  ];

  for (const [method, target, body] of endpoints) {
    const name = `${method} ${target.replace(/0{32}|A{43}/, '{id}')}`;

    test(`is asked for by ${name}`, async () => {
      const ask = (options) => gate.admin(method, target, body, options);
      const minted = await gate.mint({ scopes: ['admin'] });
      refused(await ask({ token: undefined }), 'MISSING_CREDENTIALS');
      for (const wrong of [
        'x', SECRETS.ADMIN_TOKEN.slice(0, -1), `${SECRETS.ADMIN_TOKEN}x`, SECRETS.ADMIN_TOKEN.toUpperCase(),
        token({ scope: 'admin' }), minted.key, SECRETS.JWT_SECRET,
      ]) {
        refused(await ask({ token: wrong }), 'INVALID_TOKEN');
      }
      const admin = SECRETS.ADMIN_TOKEN;
      refused(await ask({ token: undefined, key: admin }), 'MISSING_CREDENTIALS');
      refused(await ask({ token: undefined, basic: admin }), 'MISSING_CREDENTIALS');
      const answer = await ask({ token: undefined, headers: { Authorization: `bearer  ${admin}` } });
      assert.notEqual(answer.status, 401, answer.text);
    });

    test(`does not exist without one in the policy: ${name}`, async () => {
      refused(await gate.admin(method, target, body, { gate: 'no-admin' }), 'NOT_FOUND');
      refused(await gate.admin(method, target, body, { gate: 'no-admin', token: undefined }), 'NOT_FOUND');
    });

    test(`finds nothing where the policy has neither keys nor revocation: ${name}`, async () => {
      refused(await gate.admin(method, target, body, { gate: 'no-keys' }), 'NOT_FOUND');
    });
  }
});

describe('minting', () => {
  test('gives a key that works at once, with what it may do', async () => {
    const before = nowSecs();
    const minted = await ok(201, 'POST', '/keys', {
      name: 'Nightly build', owner: 'zoë', scopes: ['read:posts', 'write:posts'], limits: { limited: 9 }, expires_in_secs: 3600,
    });
    assert.match(minted.key, /^sk_test_[0-9A-Za-z]{58}$/);
    assert.match(minted.id, /^[0-9a-f]{32}$/);
    assert.equal(keyIdOf(minted.key), minted.id);
    assert.equal(minted.name, 'Nightly build');
    assert.equal(minted.owner, 'zoë');
    assert.equal(minted.prefix, 'sk');
    assert.deepEqual(minted.scopes, ['read:posts', 'write:posts']);
    assert.deepEqual(minted.limits, { limited: 9 });
    assert.ok(minted.created_at >= before && minted.created_at <= nowSecs());
    assert.equal(minted.expires_at, minted.created_at + 3600);
    admitted(await use(minted.key), { method: 'api_key', subject: 'zoë', key_id: minted.id, scopes: ['read:posts', 'write:posts'] });
  });

  test('writes the documented format, with the tag of the documented MAC', async () => {
    const { key, id } = await gate.mint();
    assert.equal(key, apiKey({ id: Buffer.from(id, 'hex') }));
    const expiring = await gate.mint({ prefix: 'pk', expires_in_secs: 600 });
    // Minutes are rounded up, so that the key never ends before its record.
    const minutes = [0, 1].map((more) => Math.floor(expiring.expires_at / 60) + more);
    const expected = minutes.map((expiryMinutes) => apiKey({ id: Buffer.from(expiring.id, 'hex'), prefix: 'pk', expiryMinutes }));
    assert.ok(expected.includes(expiring.key), 'the key is not what the format says');
  });

  test('gives a key that ends to the second, not at the end of its minute', async () => {
    const { key, expires_at: end } = await gate.mint({ expires_in_secs: 1 });
    while (nowSecs() < end) await new Promise((resolve) => setTimeout(resolve, 50));
    refused(await use(key), 'API_KEY_EXPIRED');
  });

  test('gives another key each time', async () => {
    const minted = [];
    await forEach(Array.from({ length: 30 }), async () => { minted.push(await gate.mint()); }, 8);
    assert.equal(new Set(minted.map((one) => one.key)).size, 30);
    assert.equal(new Set(minted.map((one) => one.id)).size, 30);
  });

  test('shows the key once, and stores nothing that a caller could use', async () => {
    const { key, id } = await gate.mint();
    assert.equal((await read(id)).key, undefined);
    const kv = await gate.mf.getKVNamespace('EDGEGATE_KV', 'gate');
    const { keys } = await kv.list();
    assert.ok(keys.some(({ name }) => name === `key/v1/${id}`));
    for (const { name } of keys) {
      const stored = `${name} ${await kv.get(name)}`;
      assert.ok(!stored.includes(key) && !stored.includes(key.slice(-58)), name);
    }
  });

  test('signs with the newest secret and still takes keys of the older', async () => {
    const minted = await ok(201, 'POST', '/keys', { name: 'n', owner: 'o', scopes: [] }, { gate: 'two-secrets' });
    assert.equal(minted.key, apiKey({ id: Buffer.from(minted.id, 'hex'), signingKey: 2 }));
    admitted(await use(minted.key, { gate: 'two-secrets' }), { subject: 'o' });
    admitted(await use(apiKey({ secret: OLD_SECRET, signingKey: 1 }), { gate: 'two-secrets' }), { subject: null });
    refused(await use(apiKey({ secret: OLD_SECRET, signingKey: 2 }), { gate: 'two-secrets' }), 'INVALID_API_KEY');
    refused(await use(apiKey({ signingKey: 1 }), { gate: 'two-secrets' }), 'INVALID_API_KEY');
    refused(await use(apiKey({ signingKey: 3 }), { gate: 'two-secrets' }), 'INVALID_API_KEY');
  });

  const good = { name: 'n', owner: 'o', scopes: ['a'] };
  const bodies = {
    'no name': [{ ...good, name: undefined }, /^name: /],
    'no owner': [{ ...good, owner: undefined }, /^owner: /],
    'no scopes': [{ ...good, scopes: undefined }, /^scopes: /],
    'an empty name': [{ ...good, name: '' }, /^name: /],
    'a name of 101 characters': [{ ...good, name: 'n'.repeat(101) }, /^name: /],
    'a name with a line break': [{ ...good, name: 'a\nb' }, /^name: /],
    'a name that is a number': [{ ...good, name: 7 }, /^name: /],
    'an owner that is null': [{ ...good, owner: null }, /^owner: /],
    'scopes as text': [{ ...good, scopes: 'a b' }, /^scopes: /],
    'a scope that is a number': [{ ...good, scopes: ['a', 1] }, /^scopes\[1\]: /],
    'a scope with a space': [{ ...good, scopes: ['a b'] }, /^scopes\[0\]: /],
    'a scope with a quote': [{ ...good, scopes: ['a', 'b"'] }, /^scopes\[1\]: /],
    'an empty scope': [{ ...good, scopes: [''] }, /^scopes\[0\]: /],
    'the same scope twice': [{ ...good, scopes: ['a', 'a'] }, /^scopes\[1\]: /],
    '51 scopes': [{ ...good, scopes: Array.from({ length: 51 }, (_, n) => `s${n}`) }, /^scopes: /],
    'limits as a list': [{ ...good, limits: [1] }, /^limits: /],
    'a limit that the policy does not have': [{ ...good, limits: { unknown: 1 } }, /^limits\.unknown: /],
    'a limit of 0': [{ ...good, limits: { limited: 0 } }, /^limits\.limited: /],
    'a negative limit': [{ ...good, limits: { limited: -1 } }, /^limits\.limited: /],
    'a limit with a fraction': [{ ...good, limits: { limited: 1.5 } }, /^limits\.limited: /],
    'a lifetime of nothing': [{ ...good, expires_in_secs: 0 }, /^expires_in_secs: /],
    'a lifetime of 11 years': [{ ...good, expires_in_secs: 11 * 365 * 86400 }, /^expires_in_secs: /],
    'a negative lifetime': [{ ...good, expires_in_secs: -60 }, /^expires_in_secs: /],
    'a lifetime beyond 64 bits': [`{"name":"n","owner":"o","scopes":[],"expires_in_secs":1e30}`, /^expires_in_secs: /],
    'a prefix that is not configured': [{ ...good, prefix: 'xx' }, /^prefix: /],
    'the prefix of imported keys': [{ ...good, prefix: 'legacy' }, /^prefix: /],
    'an unknown field': [{ ...good, admin: true }, /^admin: /],
    'an id': [{ ...good, id: '0'.repeat(32) }, /^id: /],
    'a name twice': ['{"name":"a","name":"b","owner":"o","scopes":[]}', /^name: /],
    'a limit twice': ['{"name":"n","owner":"o","scopes":[],"limits":{"limited":1,"limited":1000}}', /^limits\.limited: is given twice/],
    'a hash that is none': [{ ...good, imported_sha256: 'abc' }, /^imported_sha256: /],
  };
  for (const [what, [body, hint]] of Object.entries(bodies)) {
    test(`with ${what} is refused by name`, async () => {
      refused(await gate.admin('POST', '/keys', body), 'INVALID_REQUEST', { hint });
    });
  }

  test('a refusal does not repeat what was sent', async () => {
    const slip = token();
    const key = slip.replaceAll('.', '');
    for (const body of [
      { ...good, name: [slip] }, { ...good, scopes: [slip, 1] }, { ...good, expires_in_secs: slip }, `"${slip}"`,
      { ...good, [slip]: 1 }, { ...good, limits: { [slip]: 1 } }, { ...good, limits: { [slip]: 'x' } },
      { ...good, [key]: 1 }, { ...good, limits: { [key]: 1 } }, { ...good, limits: { [key]: 'x' } },
    ]) {
      const answer = await gate.admin('POST', '/keys', body);
      refused(answer, 'INVALID_REQUEST');
      assert.ok(!answer.text.includes(slip.slice(0, 40)), answer.text);
    }
  });
});

test('a body that does not end is not waited for', { timeout: 60_000 }, async () => {
  const refusal = await new Promise((resolve, reject) => {
    const socket = net.connect(gate.port(), '127.0.0.1', () => socket.write([
      'POST /auth/admin/keys HTTP/1.1', 'Host: x', `Authorization: Bearer ${SECRETS.ADMIN_TOKEN}`, 'Content-Length: 100', '', '{"name"',
    ].join('\r\n')));
    let text = '';
    socket.setEncoding('latin1').on('error', reject).on('close', () => resolve(text)).on('data', (chunk) => {
      text += chunk;
      if (text.includes('}')) socket.destroy();
    });
  });
  assert.match(refusal, /^HTTP\/1\.1 400 /);
  assert.match(refusal, /"hint":"expected the body within 15 s"/);
});

describe('reading', () => {
  test('shows the record, and when the key was last used', async () => {
    const { key, ...record } = await gate.mint({ limits: { limited: 3 }, expires_in_secs: 600 });
    assert.deepEqual(await read(record.id), record);
    assert.equal((await ok(200, 'GET', `/keys/${record.id}`)).last_used_at ?? null, null);
    const before = nowSecs();
    admitted(await use(key));
    // The use is noted after the answer.
    let used = null;
    for (let attempt = 0; attempt < 100 && used === null; attempt += 1) {
      used = (await ok(200, 'GET', `/keys/${record.id}`)).last_used_at ?? null;
      if (used === null) await sleep(20);
    }
    assert.ok(used >= before && used <= nowSecs(), `last_used_at: ${used}`);
  });

  test('a key that does not exist, and an id that is none, are not found', async () => {
    for (const id of ['0'.repeat(32), 'x', '0'.repeat(31), '0'.repeat(33), 'A'.repeat(32), 'g'.repeat(32), `${'0'.repeat(32)}%20`]) {
      refused(await gate.admin('GET', `/keys/${id}`), 'NOT_FOUND');
      refused(await gate.admin('DELETE', `/keys/${id}`), 'NOT_FOUND');
      refused(await gate.admin('PATCH', `/keys/${id}`, { name: 'x' }), 'NOT_FOUND');
      refused(await gate.admin('POST', `/keys/${id}/rotate`, {}), 'NOT_FOUND');
    }
  });
});

describe('listing', () => {
  test('pages through all keys, of one owner or of all, each once and never with the key', async () => {
    const owner = `owner/${randomUUID()} ü`;
    const mine = [];
    await forEach(Array.from({ length: 7 }), async () => { mine.push(await gate.mint({ owner })); }, 7);
    await gate.mint({ owner: `${owner}2` });
    await gate.mint({ owner: owner.slice(0, -1) });

    const { found, pages } = await listAll(new URLSearchParams({ owner }).toString(), 3);
    assert.deepEqual(found.map((record) => record.id).sort(), mine.map((one) => one.id).sort());
    assert.ok(pages >= 3);
    for (const record of found) {
      assert.equal(record.owner, owner);
      assert.equal(record.key, undefined);
    }

    const everything = (await listAll('', 5)).found.map((record) => record.id);
    assert.equal(new Set(everything).size, everything.length, 'a key is listed twice');
    for (const { id } of mine) assert.ok(everything.includes(id));
    assert.deepEqual((await listAll(new URLSearchParams({ owner: randomUUID() }).toString())).found, []);
  });

  test('refuses invalid sizes and cursors', async () => {
    for (const limit of ['0', '-1', '101', '1e2', 'all', '1.5', '99999999999999999999']) {
      refused(await gate.admin('GET', `/keys?limit=${limit}`), 'INVALID_REQUEST', { hint: /^limit: / });
      refused(await gate.admin('GET', `/revocations?limit=${limit}`), 'INVALID_REQUEST', { hint: /^limit: / });
    }
    for (const cursor of ['%00', '%ff', 'x'.repeat(2000), 'a%20b']) {
      refused(await gate.admin('GET', `/keys?cursor=${cursor}`), 'INVALID_REQUEST', { hint: /^cursor: / });
      refused(await gate.admin('GET', `/revocations?cursor=${cursor}`), 'INVALID_REQUEST', { hint: /^cursor: / });
    }
  });

  test('an invented cursor is the caller’s mistake or the end of the list, not a fault of the gate', async () => {
    for (const cursor of ['nonsense', 'AAAA', '..%2F..', 'null']) {
      const answer = await gate.admin('GET', `/keys?cursor=${cursor}`);
      assert.ok([200, 400].includes(answer.status), answer.text);
    }
  });
});

describe('changing', () => {
  test('takes effect with the next request, field by field', async () => {
    const { key, id, ...rest } = await gate.mint({ owner: 'bob', scopes: ['read:posts'], limits: { limited: 3 } });
    admitted(await use(key), { subject: 'bob', scopes: ['read:posts'] });
    const changed = await ok(200, 'PATCH', `/keys/${id}`, { scopes: ['write:posts'] });
    assert.deepEqual(changed, { id, ...rest, scopes: ['write:posts'] });
    admitted(await use(key), { subject: 'bob', scopes: ['write:posts'] });
    assert.equal((await ok(200, 'PATCH', `/keys/${id}`, { name: 'renamed' })).name, 'renamed');
    await ok(200, 'PATCH', `/keys/${id}`, { owner: 'carol' });
    admitted(await use(key), { subject: 'carol', scopes: ['write:posts'] });
    assert.equal((await ok(200, 'PATCH', `/keys/${id}`, { limits: null })).limits, undefined);
    assert.deepEqual(await read(id), { ...await ok(200, 'PATCH', `/keys/${id}`, { name: 'renamed' }) });
  });

  test('the owner moves the key to the other list', async () => {
    const [from, to] = [randomUUID(), randomUUID()];
    const { id } = await gate.mint({ owner: from });
    await ok(200, 'PATCH', `/keys/${id}`, { owner: to });
    assert.deepEqual((await listAll(`owner=${from}`)).found, []);
    assert.deepEqual((await listAll(`owner=${to}`)).found.map((record) => record.id), [id]);
  });

  test('disables a key and enables it again', async () => {
    const { key, id } = await gate.mint();
    admitted(await use(key));
    assert.equal((await ok(200, 'PATCH', `/keys/${id}`, { disabled: true })).disabled, true);
    refused(await use(key), 'API_KEY_REVOKED');
    await ok(200, 'PATCH', `/keys/${id}`, { disabled: false });
    admitted(await use(key));
  });

  test('cannot let a key live longer than its tag says', async () => {
    const { id } = await gate.mint({ expires_in_secs: 600 });
    refused(await gate.admin('PATCH', `/keys/${id}`, { expires_in_secs: 3600 }), 'INVALID_REQUEST', { hint: /^expires_in_secs: / });
    refused(await gate.admin('PATCH', `/keys/${id}`, { expires_in_secs: null }), 'INVALID_REQUEST', { hint: /^expires_in_secs: / });
    const shorter = await ok(200, 'PATCH', `/keys/${id}`, { expires_in_secs: 120 });
    assert.ok(shorter.expires_at <= nowSecs() + 120);
  });

  const bodies = {
    'nothing': [{}, /./],
    'an empty name': [{ name: '' }, /^name: /],
    'a name that is null': [{ name: null }, /^name: /],
    'scopes that are null': [{ scopes: null }, /^scopes: /],
    'disabled as text': [{ disabled: 'yes' }, /^disabled: /],
    'another prefix': [{ prefix: 'pk' }, /^prefix: /],
    'another id': [{ id: '0'.repeat(32) }, /^id: /],
    'an end to a revocation': [{ revoked_at: null }, /^revoked_at: /],
    'a limit that the policy does not have': [{ limits: { unknown: 1 } }, /^limits\.unknown: /],
    'a list': [[], /./],
  };
  for (const [what, [body, hint]] of Object.entries(bodies)) {
    test(`to ${what} is refused and changes nothing`, async () => {
      const { key, id } = await gate.mint();
      const record = await read(id);
      refused(await gate.admin('PATCH', `/keys/${id}`, body), 'INVALID_REQUEST', { hint });
      assert.deepEqual(await read(id), record);
      admitted(await use(key));
    });
  }
});

describe('the log has every step of an administrator', () => {
  const lineOf = (method, path, status) => gate.output.find((line) => {
    const at = line.indexOf('{"event":"administered"');
    if (at < 0) return false;
    const event = JSON.parse(line.slice(at));
    return event.method === method && event.path === `/auth/admin${path}` && event.status === status;
  });

  test('with method, path and status, done or not', async () => {
    const { id } = await gate.mint();
    await ok(200, 'DELETE', `/keys/${id}`);
    await lineOf('DELETE', `/keys/${id}`, 200);
    const unknown = 'f'.repeat(32);
    refused(await gate.admin('DELETE', `/keys/${unknown}`), 'NOT_FOUND');
    assert.match(await lineOf('DELETE', `/keys/${unknown}`, 404), /"code":"NOT_FOUND"/);
    refused(await gate.admin('PATCH', `/keys/${id}`, { name: 'x' }), 'INVALID_REQUEST');
    assert.match(await lineOf('PATCH', `/keys/${id}`, 400), /"detail":"a revoked key cannot be changed"/);
    refused(await gate.admin('PUT', '/keys'), 'METHOD_NOT_ALLOWED');
    await lineOf('PUT', '/keys', 405);
  });
});

test('Idempotency-Key is refused and no key is made: an answer with a new key cannot be repeated', async () => {
  const old = await gate.mint({ owner: 'twice' });
  const headers = { 'Idempotency-Key': randomUUID() };
  const body = { name: 'n', owner: 'twice', scopes: [] };
  for (const [target, sent] of [['/keys', body], [`/keys/${old.id}/rotate`, {}]]) {
    refused(await gate.admin('POST', target, sent, { headers }), 'INVALID_REQUEST', { hint: /^Idempotency-Key: expected none/ });
  }
  assert.deepEqual((await listAll('owner=twice')).found.map(({ id, replaced_by: next }) => [id, next ?? null]), [[old.id, null]]);
  assert.equal((await gate.admin('PATCH', `/keys/${old.id}`, { name: 'm' }, { headers })).status, 200, 'a change is the same twice');
});

describe('rotating', () => {
  test('does not bring back a key that an entry has revoked', async () => {
    const { id, key } = await gate.mint();
    const revoked = (await gate.admin('POST', '/revocations', { key_id: id })).json();
    refused(await use(key), 'API_KEY_REVOKED');
    refused(await gate.admin('POST', `/keys/${id}/rotate`, {}), 'INVALID_REQUEST', { hint: 'a revoked key cannot be rotated' });
    refused(await gate.admin('PATCH', `/keys/${id}`, { disabled: false }), 'INVALID_REQUEST', { hint: 'a revoked key cannot be changed' });
    assert.equal((await gate.admin('DELETE', `/revocations/${revoked.id}`)).status, 204);
    await ok(201, 'POST', `/keys/${id}/rotate`, {});
  });

  test('gives no fresh allowance', async () => {
    let known = await gate.mint({ limits: { limited: 3 } });
    const statuses = [];
    for (let turn = 0; turn < 4; turn += 1) {
      statuses.push((await gate.get('/v1/limited', { key: known.key })).status);
      known = await ok(201, 'POST', `/keys/${known.id}/rotate`, { overlap_secs: 0 });
    }
    assert.deepEqual(statuses, [200, 200, 200, 429]);
  });

  test('gives a new key of the same kind, and the old one works until the overlap ends', async () => {
    const old = await gate.mint({ prefix: 'pk', owner: 'bob', scopes: ['read:posts'], limits: { limited: 3 }, expires_in_secs: 7200 });
    const rotated = await ok(201, 'POST', `/keys/${old.id}/rotate`, { overlap_secs: 3600 });
    assert.match(rotated.key, /^pk_test_/);
    assert.notEqual(rotated.id, old.id);
    assert.equal(rotated.replaces, old.id);
    for (const field of ['name', 'owner', 'scopes', 'limits', 'prefix']) assert.deepEqual(rotated[field], old[field], field);
    admitted(await use(old.key), { subject: 'bob', key_id: old.id });
    admitted(await use(rotated.key), { subject: 'bob', key_id: rotated.id });
    const record = await read(old.id);
    assert.equal(record.replaced_by, rotated.id);
    assert.ok(Math.abs(record.expires_at - (nowSecs() + 3600)) <= 2, 'the old one ends with the overlap');
    assert.ok(rotated.expires_at > record.expires_at);
  });

  test('without overlap ends the old one at once', async () => {
    const old = await gate.mint();
    admitted(await use(old.key));
    const rotated = await ok(201, 'POST', `/keys/${old.id}/rotate`, { overlap_secs: 0 });
    refused(await use(old.key), 'API_KEY_EXPIRED');
    admitted(await use(rotated.key));
  });

  test('overlaps for a day by default', async () => {
    const old = await gate.mint();
    await ok(201, 'POST', `/keys/${old.id}/rotate`, '');
    assert.ok(Math.abs((await read(old.id)).expires_at - (nowSecs() + 86400)) <= 2);
  });

  test('never lengthens the old one', async () => {
    const old = await gate.mint({ expires_in_secs: 120 });
    await ok(201, 'POST', `/keys/${old.id}/rotate`, { overlap_secs: 86400 });
    assert.equal((await read(old.id)).expires_at, old.expires_at);
  });

  test('is refused for a key that is revoked, disabled or replaced already', async () => {
    const rotate = async (id) => refused(await gate.admin('POST', `/keys/${id}/rotate`, { overlap_secs: 60 }), 'INVALID_REQUEST');
    const revoked = await gate.mint();
    await ok(200, 'DELETE', `/keys/${revoked.id}`);
    await rotate(revoked.id);
    const disabled = await gate.mint();
    await ok(200, 'PATCH', `/keys/${disabled.id}`, { disabled: true });
    await rotate(disabled.id);
    const replaced = await gate.mint();
    await ok(201, 'POST', `/keys/${replaced.id}/rotate`, { overlap_secs: 60 });
    await rotate(replaced.id);
  });

  test('with a bad overlap is refused and leaves the key alone', async () => {
    const { key, id } = await gate.mint();
    for (const overlap_secs of [-1, 1.5, '60', null, 31 * 86400]) {
      refused(await gate.admin('POST', `/keys/${id}/rotate`, { overlap_secs }), 'INVALID_REQUEST', { hint: /^overlap_secs: / });
    }
    refused(await gate.admin('POST', `/keys/${id}/rotate`, { overlap: 1 }), 'INVALID_REQUEST', { hint: /^overlap: / });
    admitted(await use(key));
    assert.equal((await read(id)).replaced_by, undefined);
  });
});

describe('revoking', () => {
  test('is for good, seen by the next request, and keeps its first time', async () => {
    const { key, id } = await gate.mint();
    admitted(await use(key));
    const before = nowSecs();
    const record = await ok(200, 'DELETE', `/keys/${id}`);
    assert.ok(record.revoked_at >= before && record.revoked_at <= nowSecs());
    assert.equal(record.key, undefined);
    refused(await use(key), 'API_KEY_REVOKED');
    assert.equal((await ok(200, 'DELETE', `/keys/${id}`)).revoked_at, record.revoked_at);
    refused(await gate.admin('PATCH', `/keys/${id}`, { disabled: false }), 'INVALID_REQUEST');
    refused(await use(key), 'API_KEY_REVOKED');
    assert.equal((await read(id)).revoked_at, record.revoked_at);
  });

  test('reaches a key that was never used before', async () => {
    const { key, id } = await gate.mint();
    await ok(200, 'DELETE', `/keys/${id}`);
    refused(await use(key), 'API_KEY_REVOKED');
  });
});

describe('importing', () => {
  const foreign = (prefix = 'legacy') => `${prefix}_${randomBytes(20).toString('hex')}`;
  const sha256 = (key) => createHash('sha256').update(key).digest('hex');
  const imported = (key, more = {}) => ok(201, 'POST', '/keys', {
    name: 'from elsewhere', owner: 'bob', scopes: ['read:posts', 'write:posts'], imported_sha256: sha256(key), ...more,
  });

  test('takes a key of another system by its hash', async () => {
    const key = foreign();
    refused(await use(key), 'INVALID_API_KEY');
    const record = await imported(key, { limits: { limited: 2 } });
    assert.equal(record.key, undefined);
    assert.match(record.id, /^[0-9a-f]{32}$/);
    for (const options of [{ key }, { token: key }, { basic: key }]) {
      admitted(await gate.get('/v1/other', options), { method: 'api_key', subject: 'bob', key_id: record.id, scopes: ['read:posts', 'write:posts'] });
    }
    assert.deepEqual(await read(record.id), record);
  });

  test('takes no other spelling of it', async () => {
    const key = foreign();
    await imported(key);
    for (const other of [key.slice(0, -1), `${key}0`, key.toUpperCase(), key.replace('legacy', 'narrow'), sha256(key), `legacy_${sha256(key)}`]) {
      assert.equal((await use(other)).status, 401, other);
    }
    admitted(await use(key));
  });

  test('cuts its scopes down to those of the prefix', async () => {
    const key = foreign('narrow');
    await imported(key);
    admitted(await use(key), { scopes: ['read:posts'] });
  });

  test('lets it be disabled, listed and revoked like any other', async () => {
    const key = foreign();
    const owner = randomUUID();
    const { id } = await imported(key, { owner });
    assert.deepEqual((await listAll(`owner=${owner}`)).found.map((record) => record.id), [id]);
    await ok(200, 'PATCH', `/keys/${id}`, { disabled: true });
    refused(await use(key), 'API_KEY_REVOKED');
    await ok(200, 'PATCH', `/keys/${id}`, { disabled: false });
    admitted(await use(key));
    assert.equal((await gate.admin('POST', '/revocations', { key_id: id })).status, 201);
    refused(await use(key), 'API_KEY_REVOKED');
  });

  test('is refused twice, so that it cannot undo a revocation', async () => {
    const key = foreign();
    const { id } = await imported(key);
    await ok(200, 'DELETE', `/keys/${id}`);
    const again = await gate.admin('POST', '/keys', { name: 'n', owner: 'o', scopes: [], imported_sha256: sha256(key) });
    refused(again, 'INVALID_REQUEST', { hint: /^imported_sha256: / });
    refused(await use(key), 'API_KEY_REVOKED');
  });

  test('does not make a key of the gate’s own format valid', async () => {
    const forged = apiKey({ secret: 'x'.repeat(32) });
    await imported(forged);
    refused(await use(forged), 'INVALID_API_KEY');
  });

  test('allows an address that keeps guessing one look-up a second, by which a genuine key is found', async () => {
    const ip = freshIp();
    const genuine = foreign();
    // Another gate is asked: the one that imports a key knows it already.
    const body = { name: 'n', owner: 'bob', scopes: [], imported_sha256: sha256(genuine) };
    assert.equal((await gate.admin('POST', '/keys', body, { gate: 'reading' })).status, 201);
    const guess = () => use(foreign(), { ip, gate: 'faulty' });
    for (let attempt = 0; attempt < 5; attempt += 1) refused(await guess(), 'INVALID_API_KEY');
    const began = Date.now();
    const operations = await faulty.operationsDuring(async () => {
      for (let attempt = 0; attempt < 100; attempt += 1) refused(await guess(), 'RATE_LIMITED');
    });
    const secs = Math.ceil((Date.now() - began) / 1000);
    assert.ok(operations <= 3 + secs, `${operations} look-ups in ${secs} s`);
    // Within a second, a look-up is allowed for every caller again.
    let answer;
    for (let tries = 0; answer?.status !== 200 && tries < 30; tries += 1) {
      answer = await use(genuine, { ip, gate: 'faulty' });
      if (answer.status !== 200) await sleep(100);
    }
    admitted(answer, { method: 'api_key' });
    // From then on this isolate knows it, though others go on guessing.
    for (let attempt = 0; attempt < 20; attempt += 1) {
      refused(await guess(), 'RATE_LIMITED');
      admitted(await use(genuine, { ip, gate: 'faulty' }));
    }
  });

  test('is found though strangers without an address keep guessing', async () => {
    const genuine = foreign();
    await imported(genuine);
    for (let attempt = 0; attempt < 20; attempt += 1) await use(foreign(), { ip: null });
    admitted(await use(genuine, { ip: null }), { method: 'api_key' });
  });
});

describe('records', () => {
  test('are asked for by default: a genuine key without one is refused', async () => {
    refused(await use(apiKey()), 'INVALID_API_KEY');
  });

  test('are not looked up where the policy says so, and the prefix gives the scopes', async () => {
    admitted(await use(apiKey(), { gate: 'no-records' }), { subject: null, scopes: [] });
    admitted(await use(apiKey({ prefix: 'pk' }), { gate: 'no-records' }), { subject: null, scopes: ['read:posts'] });
  });

  test('that are optional restrict the key: without one it may do what the policy allows such keys', async () => {
    admitted(await use(apiKey({ prefix: 'pk', signingKey: 2 }), { gate: 'two-secrets' }), { subject: null, scopes: [] });
    admitted(await use(apiKey({ prefix: 'sk', signingKey: 2 }), { gate: 'two-secrets' }), { subject: null, scopes: ['read:posts'] });
  });

  test('that end a key are kept as long as the key', async () => {
    const kv = await gate.mf.getKVNamespace('EDGEGATE_KV', 'two-secrets');
    const ends = async (id) => (await kv.list({ prefix: 'key/v1/' })).keys.find(({ name }) => name === `key/v1/${id}`).expiration;
    const to = { gate: 'two-secrets' };
    const make = (more = {}) => ok(201, 'POST', '/keys', { name: 'n', owner: randomUUID(), scopes: ['read:posts'], ...more }, to);
    const [rotated, changed, disabled, deleted] = await Promise.all([make(), make(), make(), make()]);
    await ok(201, 'POST', `/keys/${rotated.id}/rotate`, { overlap_secs: 0 }, to);
    await ok(200, 'PATCH', `/keys/${changed.id}`, { expires_in_secs: 1 }, to);
    await ok(200, 'PATCH', `/keys/${disabled.id}`, { expires_in_secs: 600, disabled: true }, to);
    await ok(200, 'PATCH', `/keys/${deleted.id}`, { expires_in_secs: 600 }, to);
    await ok(200, 'DELETE', `/keys/${deleted.id}`, undefined, to);
    for (const { id } of [rotated, changed, disabled, deleted]) assert.equal(await ends(id), undefined, id);
    const sealed = await make({ expires_in_secs: 600 });
    assert.equal(await ends(sealed.id), sealed.sealed_expires_at + 30 * 86_400);
    const endless = await make({ expires_in_secs: 315_360_000 });
    const kept = await ends(endless.id);
    assert.ok(kept === undefined || kept <= 2 ** 31 - 1, 'KV counts in 32 bits');
  });

  test('that cannot be read refuse the key and the administrator with 503, until they can be read again', async () => {
    const { key, id } = await ok(201, 'POST', '/keys', { name: 'n', owner: 'o', scopes: [] }, { gate: 'faulty' });
    admitted(await use(key, { gate: 'faulty' }));
    await faulty.set('fail');
    try {
      refused(await use(key, { gate: 'faulty' }), 'STORE_UNAVAILABLE');
      for (const [method, target, body] of [
        ['POST', '/keys', { name: 'n', owner: 'o', scopes: [] }], ['GET', '/keys'], ['GET', `/keys/${id}`], ['PATCH', `/keys/${id}`, { name: 'x' }],
        ['POST', `/keys/${id}/rotate`, {}], ['DELETE', `/keys/${id}`], ['POST', '/revocations', { key_id: id }], ['GET', '/revocations'],
      ]) {
        refused(await gate.admin(method, target, body, { gate: 'faulty' }), 'STORE_UNAVAILABLE');
      }
    } finally {
      await faulty.set('ok');
    }
    admitted(await use(key, { gate: 'faulty' }));
  });

  test('that were being read while the key was revoked do not bring the old answer back', async () => {
    const { key, id } = await ok(201, 'POST', '/keys', { name: 'n', owner: 'o', scopes: [] }, { gate: 'remembering' });
    await faulty.set('slow');
    try {
      // Another isolate wrote the record, so this one has to read it.
      const slow = use(key, { gate: 'reading' });
      await sleep(250);
      await faulty.set('ok');
      await ok(200, 'DELETE', `/keys/${id}`, undefined, { gate: 'reading' });
      refused(await use(key, { gate: 'reading' }), 'API_KEY_REVOKED');
      await slow;
      refused(await use(key, { gate: 'reading' }), 'API_KEY_REVOKED');
    } finally {
      await faulty.set('ok');
    }
  });

  test('that are damaged, of another version or of another key are refused with 503', async () => {
    const { key, id } = await ok(201, 'POST', '/keys', { name: 'n', owner: 'o', scopes: [] }, { gate: 'faulty' });
    const name = `key/v1/${id}`;
    const stored = await faulty.inner.get(name);
    const record = JSON.parse(stored);
    for (const damaged of [
      '', '{', 'null', '[]', stored.slice(0, -1), JSON.stringify({ ...record, v: 3 }), JSON.stringify({ ...record, id: '0'.repeat(32) }),
      JSON.stringify({ ...record, scopes: 'all' }),
    ]) {
      await faulty.inner.put(name, damaged);
      refused(await use(key, { gate: 'faulty' }), 'STORE_UNAVAILABLE');
    }
    await faulty.inner.put(name, stored);
    admitted(await use(key, { gate: 'faulty' }));
  });
});
