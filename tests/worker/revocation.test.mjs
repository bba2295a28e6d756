// Revocation by token, session, subject, issuer and key. It is seen at once, and can be undone.

import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import {
  AUDIENCE, ISSUER, SECRETS, admitted, apiKey, freshIp, gateWorker, policy, refused, start, token,
} from './harness.mjs';
import { keyIdOf } from './api-key.mjs';
import { control, faultyKv, faultyWorkers } from './stores.mjs';
import { base64url, nowSecs, signAsymmetric } from './token.mjs';

const EC_ISSUER = 'https://ec.test/';
const OTHER_ISSUER = 'https://other.test/';
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let gate;
let faulty;

before(async () => {
  const other = { audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' };
  const issuers = [
    ...policy().issuers,
    { ...other, issuer: OTHER_ISSUER },
    { ...other, issuer: 'https://leaked.test/' },
    { ...other, issuer: 'https://rotated.test/' },
    { issuer: EC_ISSUER, audience: [AUDIENCE], algorithms: ['ES256'], pem: ec.publicKey.export({ format: 'pem', type: 'spki' }) },
  ];
  const tolerant = policy({ revocation: { mode: 'entries', on_error: 'allow', cache_secs: 0 } });
  const strict = policy({ revocation: { mode: 'entries', cache_secs: 0 } });
  gate = await start([
    gateWorker({ policy: policy({ issuers }) }),
    gateWorker({ name: 'strict', policy: strict, worker: faultyKv }),
    gateWorker({ name: 'tolerant', policy: tolerant, worker: faultyKv }),
    gateWorker({ name: 'remembering', policy: policy(), worker: faultyKv }),
    gateWorker({ name: 'irrevocable', policy: policy({ revocation: undefined }), worker: faultyKv }),
    ...faultyWorkers,
  ]);
  faulty = await control(gate, 'faulty-kv');
});
after(() => gate.dispose());

const ask = (bearer, more) => gate.get('/v1/other', { token: bearer, ...more });

async function revoke(body) {
  const answer = await gate.admin('POST', '/revocations', body);
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.headers['cache-control'], 'no-store');
  return answer.json();
}

async function undo({ id }) {
  const answer = await gate.admin('DELETE', `/revocations/${id}`);
  assert.equal(answer.status, 204, answer.text);
  assert.equal(answer.text, '');
}

describe('one token', () => {
  test('is refused right after it was revoked by itself, though it was just used', async () => {
    const mine = token({ jti: randomUUID() });
    const sibling = token({ jti: randomUUID() });
    admitted(await ask(mine));
    const { id, until } = await revoke({ token: mine });
    assert.equal(typeof id, 'string');
    assert.ok(until > nowSecs() + 500, 'the entry outlives the token');
    refused(await ask(mine), 'TOKEN_REVOKED');
    admitted(await ask(sibling));
  });

  test('is refused by issuer and jti, in whatever token they stand', async () => {
    const jti = randomUUID();
    const mine = token({ jti });
    admitted(await ask(mine));
    await revoke({ iss: ISSUER, jti, exp: nowSecs() + 600 });
    refused(await ask(mine), 'TOKEN_REVOKED');
    refused(await ask(token({ jti, exp: nowSecs() + 60, sub: 'another spelling' })), 'TOKEN_REVOKED');
    admitted(await ask(token({ iss: OTHER_ISSUER, jti })), { issuer: OTHER_ISSUER });
  });

  test('is refused with the second signature that ECDSA allows', async () => {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const mine = signAsymmetric(
      { iss: EC_ISSUER, aud: AUDIENCE, sub: 'eve', exp: nowSecs() + 600, jti: randomUUID() },
      { key: ec.privateKey, alg: 'ES256' },
    );
    const [header, payload, signature] = mine.split('.');
    const hex = Buffer.from(signature, 'base64url').toString('hex');
    const s = (order - BigInt(`0x${hex.slice(64)}`)).toString(16).padStart(64, '0');
    const second = `${header}.${payload}.${base64url(Buffer.from(hex.slice(0, 64) + s, 'hex'))}`;
    assert.notEqual(second, mine);
    admitted(await ask(mine));
    admitted(await ask(second));
    await revoke({ token: mine });
    refused(await ask(mine), 'TOKEN_REVOKED');
    refused(await ask(second), 'TOKEN_REVOKED');
  });

  test('passes again once the revocation is undone', async () => {
    const mine = token({ jti: randomUUID() });
    const entry = await revoke({ token: mine });
    refused(await ask(mine), 'TOKEN_REVOKED');
    await undo(entry);
    admitted(await ask(mine));
  });

  test('cannot be revoked without jti, nor when it is not genuine', async () => {
    const forged = token({ jti: randomUUID() }, { secret: 'x'.repeat(32) });
    for (const bearer of [token(), 'nonsense', forged]) {
      const answer = await gate.admin('POST', '/revocations', { token: bearer });
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json().code, 'INVALID_REQUEST');
      assert.ok(!answer.text.includes(bearer));
    }
  });

  test('that has expired needs no revocation, or may still have one, but never fails the gate', async () => {
    const answer = await gate.admin('POST', '/revocations', { token: token({ jti: randomUUID(), exp: nowSecs() - 10 }) });
    assert.ok([201, 400].includes(answer.status), answer.text);
  });
});

describe('a token that lives beyond what KV can count', () => {
  for (const exp of [4_102_444_800, 9_999_999_999]) {
    test(`is refused by itself, by its name and in a bulk: ${exp}`, async () => {
      const jtis = [randomUUID(), randomUUID(), randomUUID()];
      const { until } = await revoke({ token: token({ jti: jtis[0], exp }) });
      assert.ok(until > exp, 'the entry outlives the token');
      await revoke({ iss: ISSUER, jti: jtis[1], exp });
      const lines = [{ iss: ISSUER, jti: jtis[2], exp }, { iss: ISSUER, jti: randomUUID() }].map((line) => JSON.stringify(line)).join('\n');
      const answer = await gate.admin('POST', '/revocations', Buffer.from(lines), { headers: { 'Content-Type': 'application/x-ndjson' } });
      assert.deepEqual([answer.status, answer.json().revoked], [201, 2], answer.text);
      for (const jti of jtis) refused(await ask(token({ jti, exp })), 'TOKEN_REVOKED');
    });
  }

  test('or to which a cut-off of long from now applies', async () => {
    const sub = randomUUID();
    await revoke({ iss: ISSUER, sub, before: nowSecs() + 315_000_000 });
    refused(await ask(token({ sub, iat: nowSecs() })), 'TOKEN_REVOKED');
  });
});

describe('a session', () => {
  test('ends for all its tokens and for no others', async () => {
    const sid = randomUUID();
    const [one, two] = [token({ sid, sub: 'a' }), token({ sid, sub: 'b', jti: randomUUID() })];
    admitted(await ask(one));
    const entry = await revoke({ iss: ISSUER, sid });
    refused(await ask(one), 'TOKEN_REVOKED');
    refused(await ask(two), 'TOKEN_REVOKED');
    admitted(await ask(token({ sid: randomUUID(), sub: 'a' })));
    admitted(await ask(token({ sid, iss: OTHER_ISSUER })));
    await undo(entry);
    admitted(await ask(one));
  });
});

describe('a subject', () => {
  test('is logged out of what was issued before the cut-off, and of what does not say when', async () => {
    const sub = randomUUID();
    const cutoff = nowSecs() - 100;
    const old = token({ sub, iat: cutoff - 1 });
    admitted(await ask(old));
    const entry = await revoke({ iss: ISSUER, sub, before: cutoff });
    refused(await ask(old), 'TOKEN_REVOKED');
    refused(await ask(token({ sub })), 'TOKEN_REVOKED');
    admitted(await ask(token({ sub, iat: cutoff })));
    admitted(await ask(token({ sub, iat: nowSecs() })));
    admitted(await ask(token({ sub: randomUUID(), iat: cutoff - 1 })));
    admitted(await ask(token({ iss: OTHER_ISSUER, sub, iat: cutoff - 1 })));
    await undo(entry);
    admitted(await ask(old));
  });

  test('without a cut-off is logged out of everything issued so far, this second included', async () => {
    const sub = randomUUID();
    const mine = token({ sub, iat: nowSecs() });
    admitted(await ask(mine));
    await revoke({ iss: ISSUER, sub });
    refused(await ask(mine), 'TOKEN_REVOKED');
  });

  test('an earlier cut-off does not undo a later one', async () => {
    const sub = randomUUID();
    const later = nowSecs() - 10;
    await revoke({ iss: ISSUER, sub, before: later });
    await revoke({ iss: ISSUER, sub, before: later - 1000 });
    refused(await ask(token({ sub, iat: later - 1 })), 'TOKEN_REVOKED');
    admitted(await ask(token({ sub, iat: later })));
  });
});

describe('an issuer', () => {
  test('can be shut out as a whole, which has to be said', async () => {
    const iss = 'https://leaked.test/';
    admitted(await ask(token({ iss })));
    const vague = await gate.admin('POST', '/revocations', { iss });
    refused(vague, 'INVALID_REQUEST');
    admitted(await ask(token({ iss })));
    const entry = await revoke({ iss, all: true });
    refused(await ask(token({ iss })), 'TOKEN_REVOKED');
    admitted(await ask(token()));
    await undo(entry);
    admitted(await ask(token({ iss })));
  });

  test('with a cut-off is shut out for older tokens only', async () => {
    const iss = 'https://rotated.test/';
    const before = nowSecs() - 50;
    await revoke({ iss, all: true, before });
    refused(await ask(token({ iss, iat: before - 1 })), 'TOKEN_REVOKED');
    admitted(await ask(token({ iss, iat: before })));
  });
});

describe('an API key', () => {
  test('is refused by its id, whatever its record says, and passes again once that is undone', async () => {
    const { key, id } = await gate.mint();
    assert.equal(keyIdOf(key), id);
    admitted(await gate.get('/v1/posts', { key }));
    const entry = await revoke({ key_id: id });
    refused(await gate.get('/v1/posts', { key }), 'API_KEY_REVOKED');
    assert.equal((await gate.admin('GET', `/keys/${id}`)).json().revoked_at ?? null, null);
    await undo(entry);
    admitted(await gate.get('/v1/posts', { key }));
  });
});

describe('the list of revocations', () => {
  test('pages through all of them, each with its id, and never shows a token', async () => {
    const made = [];
    for (let number = 0; number < 7; number += 1) {
      made.push((await revoke({ iss: ISSUER, jti: `listed-${randomUUID()}`, reason: 'stolen laptop' })).id);
    }
    const seen = new Map();
    let cursor;
    let pages = 0;
    do {
      const query = cursor === undefined ? '?limit=3' : `?limit=3&cursor=${encodeURIComponent(cursor)}`;
      const answer = await gate.admin('GET', `/revocations${query}`);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['cache-control'], 'no-store');
      const page = answer.json();
      assert.deepEqual(Object.keys(page).sort(), ['cursor', 'revocations']);
      assert.ok(page.revocations.length <= 3);
      for (const entry of page.revocations) {
        assert.ok(!seen.has(entry.id), 'an entry is listed twice');
        seen.set(entry.id, entry);
      }
      cursor = page.cursor ?? undefined;
      pages += 1;
      assert.ok(pages < 100, 'the list does not end');
    } while (cursor !== undefined);
    for (const id of made) {
      assert.ok(seen.has(id), 'an entry is not listed');
      assert.equal(seen.get(id).reason, 'stolen laptop');
    }
    assert.ok(pages > 2);
  });

  test('has each entry under its own address until it is undone', async () => {
    const jti = randomUUID();
    const entry = await revoke({ iss: ISSUER, jti });
    const read = await gate.admin('GET', `/revocations/${entry.id}`);
    assert.equal(read.status, 200, read.text);
    assert.deepEqual(read.json(), entry);
    await undo(entry);
    refused(await gate.admin('GET', `/revocations/${entry.id}`), 'NOT_FOUND');
    refused(await gate.admin('DELETE', `/revocations/${entry.id}`), 'NOT_FOUND');
  });

  test('knows nothing of ids that are none', async () => {
    for (const id of ['x', 'A'.repeat(43), '..%2e', 'A'.repeat(500)]) {
      const answer = await gate.admin('GET', `/revocations/${id}`);
      assert.ok(['NOT_FOUND', 'INVALID_REQUEST'].includes(answer.json().code), answer.text);
    }
  });
});

describe('bad requests to revoke', () => {
  const bodies = {
    'nothing named': [{}, /exactly one of/],
    'two things named': [{ iss: ISSUER, jti: 'a', sid: 'b' }, /exactly one of/],
    'jti without iss': [{ jti: 'a' }, /^iss: /],
    'an empty jti': [{ iss: ISSUER, jti: '' }, /^jti: /],
    'jti as a number': [{ iss: ISSUER, jti: 1 }, /^jti: /],
    'exp as text': [{ iss: ISSUER, jti: 'a', exp: 'tomorrow' }, /^exp: /],
    'exp in milliseconds': [{ iss: ISSUER, jti: 'a', exp: Date.now() }, /^exp: /],
    'exp long ago': [{ iss: ISSUER, jti: 'a', exp: 1 }, /^exp: /],
    'before with a session': [{ iss: ISSUER, sid: 'a', before: 1 }, /^before: /],
    'a negative cut-off': [{ iss: ISSUER, sub: 'a', before: -1 }, /^before: /],
    'a cut-off in milliseconds': [{ iss: ISSUER, sub: 'a', before: Date.now() }, /^before: /],
    'a key id that is none': [{ key_id: 'xyz' }, /^key_id: /],
    'an unknown field': [{ iss: ISSUER, jti: 'a', why: 'x' }, /^why: /],
    'all that is false': [{ iss: ISSUER, all: false }, /./],
    'a reason of 201 characters': [{ iss: ISSUER, jti: 'a', reason: 'r'.repeat(201) }, /^reason: /],
    'a lifetime of a second': [{ iss: ISSUER, jti: 'a', expires_in_secs: 1 }, /^expires_in_secs: /],
  };
  for (const [what, [body, hint]] of Object.entries(bodies)) {
    test(`with ${what} are refused by name`, async () => {
      refused(await gate.admin('POST', '/revocations', body), 'INVALID_REQUEST', { hint });
    });
  }
});

test('a look-up that was under way while a token was revoked does not bring the old answer back', async () => {
  const jti = randomUUID();
  const mine = token({ jti });
  await faulty.set('slow');
  try {
    let slow;
    const begun = await faulty.operationsDuring(async () => {
      slow = ask(mine, { gate: 'remembering' });
      // This is half of the time that the read takes: it has seen that there is no entry, but has not answered yet.
      await new Promise((resolve) => setTimeout(resolve, 250));
    });
    assert.ok(begun > 0);
    await faulty.set('ok');
    const posted = await gate.admin('POST', '/revocations', { iss: ISSUER, jti }, { gate: 'remembering' });
    assert.equal(posted.status, 201, posted.text);
    refused(await ask(mine, { gate: 'remembering' }), 'TOKEN_REVOKED');
    await slow;
    refused(await ask(mine, { gate: 'remembering' }), 'TOKEN_REVOKED');
  } finally {
    await faulty.set('ok');
  }
});

describe('when the store does not answer', () => {
  for (const mode of ['fail', 'hang']) {
    test(`(${mode}) deny refuses, allow admits and says so in the log`, async () => {
      await faulty.set(mode);
      try {
        const from = gate.output.lines.length;
        refused(await ask(token({ jti: '1' }), { gate: 'strict' }), 'STORE_UNAVAILABLE');
        admitted(await ask(token({ jti: '1' }), { gate: 'tolerant' }));
        await gate.output.find((line) => line.includes('"admitted"') && line.includes('revocation'), from);
      } finally {
        await faulty.set('ok');
      }
      admitted(await ask(token({ jti: '1' }), { gate: 'strict' }));
    });
  }

  test('a damaged entry counts as a store that does not answer', async () => {
    const jti = randomUUID();
    const posted = await gate.admin('POST', '/revocations', { iss: ISSUER, jti }, { gate: 'strict' });
    assert.equal(posted.status, 201, posted.text);
    const { keys } = await faulty.inner.list({ prefix: 'deny/' });
    const name = keys.map((key) => key.name).find((one) => one.endsWith(posted.json().id));
    assert.ok(name, 'the entry is not stored under its id');
    await faulty.inner.put(name, '{"v":1');
    refused(await ask(token({ jti }), { gate: 'strict' }), 'STORE_UNAVAILABLE');
    admitted(await ask(token({ jti }), { gate: 'tolerant' }));
    await faulty.inner.delete(name);
  });

  test('nothing is read for a credential that is not genuine', async () => {
    const operations = await faulty.operationsDuring(async () => {
      for (const bearer of ['nonsense', token({}, { secret: 'x'.repeat(32) }), token({ exp: 1 })]) {
        assert.equal((await ask(bearer, { gate: 'strict' })).status, 401);
      }
      for (const key of [apiKey({ secret: 'x'.repeat(32) }), apiKey().slice(0, -1), apiKey({ environment: 'live' }), apiKey({ expiryMinutes: 1 })]) {
        assert.equal((await gate.get('/v1/other', { key, gate: 'strict' })).status, 401);
      }
    });
    assert.equal(operations, 0);
  });

  test('a policy without revocation reads nothing for a token', async () => {
    const operations = await faulty.operationsDuring(async () => {
      admitted(await ask(token({ jti: randomUUID() }), { gate: 'irrevocable' }));
    });
    assert.equal(operations, 0);
  });
});

describe('many at once, an entry each', () => {
  const bulk = (lines, options) => gate.admin('POST', '/revocations', Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n')), {
    headers: { 'Content-Type': 'application/x-ndjson' }, ...options,
  });

  test('are written, exported, and given back', async () => {
    const jtis = Array.from({ length: 150 }, () => randomUUID());
    const lines = jtis.map((jti) => ({ iss: ISSUER, jti, exp: nowSecs() + 600 }));
    const answer = await bulk([...lines, lines[0]]);
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(answer.json(), { revoked: 150, unchanged: 1, expired: 0 });
    assert.deepEqual((await bulk(lines)).json(), { revoked: 0, unchanged: 150, expired: 0 });
    for (const jti of [jtis[0], jtis[149]]) refused(await ask(token({ jti })), 'TOKEN_REVOKED');
    const exported = await gate.admin('GET', '/revocations/export');
    assert.equal(exported.status, 200, exported.text);
    const entries = exported.text.trimEnd().split('\n').map((line) => JSON.parse(line));
    const mine = entries.filter((entry) => jtis.includes(entry.target.jti));
    assert.equal(mine.length, 150);
    assert.deepEqual((await bulk(mine)).json(), { revoked: 0, unchanged: 150, expired: 0 });
    refused(await gate.request('POST', '/auth/admin/revocations/export', { token: SECRETS.ADMIN_TOKEN }), 'METHOD_NOT_ALLOWED');
  });

  test('are as many as one request may write, and none is written of a faulty one', async () => {
    const jti = randomUUID();
    const good = { iss: ISSUER, jti };
    refused(await bulk(Array.from({ length: 401 }, () => good)), 'INVALID_REQUEST', { hint: /^expected at most 400 lines with revocation\.mode = entries/ });
    refused(await bulk([good, { iss: ISSUER }]), 'INVALID_REQUEST', { hint: /^line 2: expected exactly one of/ });
    admitted(await ask(token({ jti })));
    const keyed = await gate.admin('POST', '/revocations', good, { headers: { 'Idempotency-Key': 'a' } });
    refused(keyed, 'INVALID_REQUEST', { hint: /^Idempotency-Key: expected with revocation.mode/ });
  });

  test('wait for KV where it has enough, and not for ever', async () => {
    const jtis = Array.from({ length: 8 }, () => randomUUID());
    await faulty.set('busy');
    try {
      const answer = await bulk(jtis.map((jti) => ({ iss: ISSUER, jti })), { gate: 'strict' });
      assert.equal(answer.status, 201, answer.text);
      for (const jti of jtis) refused(await ask(token({ jti }), { gate: 'strict' }), 'TOKEN_REVOKED');
      const one = await gate.admin('POST', '/revocations', { iss: ISSUER, jti: randomUUID() }, { gate: 'strict' });
      assert.equal(one.status, 201, one.text);
    } finally {
      await faulty.set('ok');
    }
  });
});

test('an entry is stored under a hash and with an end, so it disappears by itself', async () => {
  const jti = randomUUID();
  const exp = nowSecs() + 7200;
  const { id, until } = await revoke({ iss: ISSUER, jti, exp });
  const kv = await gate.mf.getKVNamespace('EDGEGATE_KV', 'gate');
  const { keys } = await kv.list({ prefix: 'deny/v1/' });
  const stored = keys.find((key) => key.name === `deny/v1/${id}`);
  assert.ok(stored, 'not stored as deny/v1/<id>');
  assert.ok(!stored.name.includes(jti));
  assert.ok(until >= exp);
  assert.ok(Math.abs(stored.expiration - until) <= 60, 'KV drops it when it ends');
});
