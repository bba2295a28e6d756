// Revocation by the ledger and its snapshots: nothing is lost, there is no I/O where none is needed, nobody is denied by mistake, and a
// failing part is handled as documented.

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import {
  ISSUER, admitted, freshIp, gateWorker, policy, refused, start, startGate, temporaryFolder, token,
} from './harness.mjs';
import { denyKeyOfToken, emptyShard, fingerprint, head } from './snapshot.mjs';
import { control, watched } from './stores.mjs';
import { nowSecs } from './token.mjs';

const ROUTES = [
  { path: '/strong/*', revocation: 'ledger' },
  { path: '/open/*', auth: 'none' },
];
const snapshot = (more = {}) =>
  policy({ revocation: { mode: 'snapshot', refresh_secs: 1, ...more }, routes: ROUTES, log: 'all' });

const limitOf = (name, store) => ({ name, requests: 2, window_secs: 3600, algorithm: 'fixed-window', store });
/** This policy asks the ledger for each request. */
const SPARED = policy({
  revocation: { mode: 'ledger' },
  limits: [limitOf('memory', 'memory'), limitOf('object', 'durable-object')],
  routes: [
    { path: '/memory', limits: ['memory'] }, { path: '/object', limits: ['object'] }, { path: '/scoped', scopes: { all: ['admin'] } },
  ],
});

/** The gates: one for administration, one whose bindings cannot fail, and readers whose bindings are watched. */
let gate;
const controls = {};

before(async () => {
  const reader = watched('reader', { kv: 'gate-kv', host: 'gate' });
  const slow = watched('slow', { kv: 'gate-kv', host: 'gate' });
  const strict = watched('strict', { kv: 'strict-kv', host: 'gate' });
  const tolerant = watched('tolerant', { kv: 'strict-kv', host: 'gate' });
  const spared = watched('spared', { kv: 'gate-kv', host: 'gate' });
  const asking = watched('asking', { kv: 'gate-kv', host: 'gate' });
  const loading = watched('loading', { kv: 'gate-kv', host: 'gate' });
  const publisher = watched('publisher', { kv: 'publisher-kv', host: 'publisher' });
  gate = await start([
    gateWorker({ policy: snapshot() }),
    gateWorker({ name: 'other', policy: snapshot(), worker: {
      kvNamespaces: { EDGEGATE_KV: 'gate-kv' },
      durableObjects: {
        EDGEGATE_COUNTERS: { className: 'CounterObject', useSQLite: true },
        EDGEGATE_LEDGER: { className: 'RevocationLedger', scriptName: 'gate', useSQLite: true },
      },
    } }),
    gateWorker({ name: 'strong', policy: policy({ revocation: { mode: 'ledger' }, routes: [{ path: '/loose/*', revocation: 'snapshot' }] }), worker: {
      kvNamespaces: { EDGEGATE_KV: 'gate-kv' },
      durableObjects: {
        EDGEGATE_COUNTERS: { className: 'CounterObject', useSQLite: true },
        EDGEGATE_LEDGER: { className: 'RevocationLedger', scriptName: 'gate', useSQLite: true },
      },
    } }),
    gateWorker({ name: 'reader', policy: snapshot(), worker: reader.worker }),
    gateWorker({ name: 'slow', policy: snapshot({ refresh_secs: 3600, max_staleness_secs: 3600 }), worker: slow.worker }),
    gateWorker({ name: 'strict', policy: snapshot(), worker: strict.worker }),
    gateWorker({ name: 'tolerant', policy: snapshot({ on_error: 'allow' }), worker: tolerant.worker }),
    gateWorker({ name: 'spared', policy: SPARED, worker: spared.worker }),
    gateWorker({ name: 'asking', policy: policy({ revocation: { mode: 'ledger', on_error: 'allow' } }), worker: asking.worker }),
    gateWorker({ name: 'loading', policy: snapshot({ on_error: 'allow' }), worker: loading.worker }),
    gateWorker({ name: 'publisher', policy: snapshot(), worker: {
      kvNamespaces: [], wrappedBindings: { EDGEGATE_KV: 'publisher-kv' },
    } }),
    ...[reader, slow, strict, tolerant, spared, asking, loading].flatMap(({ behind }) => behind),
    publisher.behind[0],
  ]);
  for (const name of ['reader', 'slow', 'strict', 'tolerant', 'spared', 'asking', 'loading']) {
    controls[name] = { kv: await control(gate, `${name}-kv`), ledger: await control(gate, `${name}-ledger`) };
  }
  controls.publisher = { kv: await control(gate, 'publisher-kv') };
});
after(() => gate.dispose());

const ask = (bearer, name = 'gate', target = '/v1/other') => gate.get(target, { token: bearer, gate: name });

async function revoke(body, options = {}) {
  const answer = await gate.admin('POST', '/revocations', body, options);
  assert.equal(answer.status, 201, answer.text);
  return answer.json();
}

const bulk = (lines, options = {}) =>
  gate.admin('POST', '/revocations', Buffer.from(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')), {
    headers: { 'Content-Type': 'application/x-ndjson' }, ...options,
  });

/** Miniflare does not take Node's `Buffer`. */
const put = (kv, name, bytes) => kv.put(name, new Uint8Array(bytes));

/** Asks again until `wanted` is true: a published snapshot takes a second or two to arrive. */
async function until(wanted, step, what) {
  const end = Date.now() + 20_000;
  for (;;) {
    const answer = await step();
    if (wanted(answer)) return answer;
    assert.ok(Date.now() < end, `${what}: ${answer.status} ${answer.text}`);
    await pause(100);
  }
}

const untilRevoked = (bearer, name) =>
  until((answer) => answer.status === 401, () => ask(bearer, name), 'is still admitted').then((answer) => refused(answer, 'TOKEN_REVOKED'));

async function listed(options) {
  const found = new Map();
  let cursor;
  do {
    const query = cursor === undefined ? '?limit=100' : `?limit=100&cursor=${encodeURIComponent(cursor)}`;
    const page = (await gate.admin('GET', `/revocations${query}`, undefined, options)).json();
    for (const entry of page.revocations) {
      assert.ok(!found.has(entry.id), 'listed twice');
      found.set(entry.id, entry);
    }
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

describe('the ledger', () => {
  test('loses none of 200 revocations made at once', async () => {
    const jtis = Array.from({ length: 200 }, () => `at-once-${randomUUID()}`);
    const made = await Promise.all(jtis.map((jti) => revoke({ iss: ISSUER, jti })));
    assert.equal(new Set(made.map(({ id }) => id)).size, 200);
    const found = await listed();
    for (const { id } of made) assert.ok(found.has(id), 'lost');
    for (const jti of jtis.slice(0, 20)) refused(await ask(token({ jti }), 'strong'), 'TOKEN_REVOKED');
  });

  test('keeps the latest of 50 cut-offs given at once, in whatever order', async () => {
    const sub = randomUUID();
    const latest = nowSecs() - 10;
    const cutoffs = Array.from({ length: 50 }, (_, index) => latest - index * 7).sort(() => Math.random() - 0.5);
    await Promise.all(cutoffs.map((cutoff) => revoke({ iss: ISSUER, sub, before: cutoff })));
    refused(await ask(token({ sub, iat: latest - 1 }), 'strong'), 'TOKEN_REVOKED');
    admitted(await ask(token({ sub, iat: latest }), 'strong'));
  });

  test('answers the same when asked again', async () => {
    const body = { iss: ISSUER, jti: randomUUID(), exp: nowSecs() + 600 };
    const [first, ...again] = [await revoke(body), await revoke(body), await revoke(body, { gate: 'other' })];
    for (const one of again) assert.deepEqual(one, first);
  });

  test('answers an idempotency key as before, to the same request only', async () => {
    const headers = { 'Idempotency-Key': randomUUID() };
    const body = { iss: ISSUER, sub: randomUUID() };
    const answers = await Promise.all(Array.from({ length: 10 }, () => revoke(body, { headers })));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    const other = await gate.admin('POST', '/revocations', { ...body, reason: 'other' }, { headers });
    refused(other, 'INVALID_REQUEST', { hint: 'Idempotency-Key: was used for another request' });
    const bad = await gate.admin('POST', '/revocations', body, { headers: { 'Idempotency-Key': 'a b' } });
    refused(bad, 'INVALID_REQUEST', { hint: /^Idempotency-Key: expected/ });
  });

  test('is what a route or a policy with mode = ledger asks, at once and everywhere', async () => {
    const jti = randomUUID();
    for (const [name, target] of [['strong', '/v1/other'], ['other', '/strong/a'], ['reader', '/strong/a']]) {
      admitted(await ask(token({ jti }), name, target));
    }
    const entry = await revoke({ iss: ISSUER, jti });
    for (const [name, target] of [['strong', '/v1/other'], ['other', '/strong/a'], ['reader', '/strong/a']]) {
      refused(await ask(token({ jti }), name, target), 'TOKEN_REVOKED');
    }
    assert.equal((await gate.admin('DELETE', `/revocations/${entry.id}`, undefined, { gate: 'strong' })).status, 204);
    // The isolate that undoes it knows at once. Others that have refused by it remember that for `cache_secs`, 10 by default.
    admitted(await ask(token({ jti }), 'strong', '/v1/other'));
    for (const name of ['other', 'reader']) {
      const end = Date.now() + 11_000;
      let answer;
      do {
        answer = await ask(token({ jti }), name, '/strong/a');
        if (answer.status !== 200) await pause(200);
      } while (answer.status !== 200 && Date.now() < end);
      admitted(answer);
    }
  });

  describe('is asked few times', () => {
    const asked = (step) => controls.spared.ledger.operationsDuring(step);
    const together = (count, step) => Promise.all(Array.from({ length: count }, (_, index) => step(index)));

    test('about a revoked token, one after the other or at once', async () => {
      const jti = randomUUID();
      await revoke({ iss: ISSUER, jti });
      const questions = await asked(async () => {
        await together(200, async () => refused(await ask(token({ jti }), 'spared', '/x'), 'TOKEN_REVOKED'));
        for (let count = 0; count < 50; count += 1) refused(await ask(token({ jti }), 'spared', '/x'), 'TOKEN_REVOKED');
      });
      assert.ok(questions <= 12, `${questions} questions`);
    });

    test('for a caller beyond its limit', async () => {
      for (const target of ['/memory', '/object']) {
        const sub = randomUUID();
        for (let count = 0; count < 2; count += 1) admitted(await ask(token({ sub }), 'spared', target));
        refused(await ask(token({ sub }), 'spared', target), 'RATE_LIMITED');
        const questions = await asked(() => together(200, async () => refused(await ask(token({ sub }), 'spared', target), 'RATE_LIMITED')));
        assert.equal(questions, 0, target);
      }
    });

    test('for a caller without the scope', async () => {
      const questions = await asked(() => together(50, async () => {
        refused(await ask(token(), 'spared', '/scoped'), 'INSUFFICIENT_SCOPE', { scope: 'admin' });
      }));
      assert.equal(questions, 0);
    });

    test('the same at once, and everybody has an answer', async () => {
      const bearer = token({ jti: randomUUID() });
      const questions = await asked(() => together(100, async () => admitted(await ask(bearer, 'spared', '/x'))));
      assert.ok(questions < 100, `${questions} questions`);
    });
  });

  test('refuses a signing key that no token could be verified by', async () => {
    // The secret of this issuer has no id, so the revocation concerns none of its tokens, whatever their headers say.
    const answer = await gate.admin('POST', '/revocations', { iss: ISSUER, kid: 'leaked' });
    refused(answer, 'INVALID_REQUEST', { hint: /^kid: no secret of this issuer has it/ });
    const withdrawn = await revoke({ iss: ISSUER, kid: 'leaked', withdrawn: true });
    assert.deepEqual(withdrawn.target, { kind: 'signing_key', iss: ISSUER, kid: 'leaked' });
    assert.equal(withdrawn.until, undefined);
    admitted(await ask(token({}, { header: { kid: 'leaked' } }), 'strong'));
  });

  for (const exp of [4_102_444_800, 9_999_999_999, 253_402_300_799]) {
    test(`revokes a token that lives until ${exp}, one or in a bulk`, async () => {
      const jtis = [randomUUID(), randomUUID(), randomUUID()];
      const tokens = jtis.map((jti) => token({ jti, exp }));
      const first = await revoke({ token: tokens[0] });
      await revoke({ iss: ISSUER, jti: jtis[1], exp });
      assert.ok(first.until === undefined || first.until > exp);
      const answer = await bulk([{ iss: ISSUER, jti: jtis[2], exp }, { iss: ISSUER, jti: randomUUID() }]);
      assert.deepEqual([answer.status, answer.json().revoked], [201, 2], answer.text);
      for (const one of tokens) refused(await ask(one, 'strong'), 'TOKEN_REVOKED');
      for (const one of tokens) await untilRevoked(one);
    });
  }

  test('forgets what it answered about a revocation that is undone', async () => {
    const [jti, other] = [randomUUID(), randomUUID()];
    const headers = { 'Idempotency-Key': randomUUID() };
    const [one, many, apart] = [{ headers }, { headers: { 'Idempotency-Key': randomUUID() } }, { headers: { 'Idempotency-Key': randomUUID() } }];
    const first = await revoke({ iss: ISSUER, jti }, one);
    // The revocation names its end. An end counted from now would be later when the same is asked again.
    const lines = [{ iss: ISSUER, jti: randomUUID(), exp: nowSecs() + 3600 }, { iss: ISSUER, jti }];
    await bulk(lines, { headers: { 'Content-Type': 'application/x-ndjson', ...many.headers } });
    const kept = await revoke({ iss: ISSUER, jti: other }, apart);
    assert.equal((await gate.admin('DELETE', `/revocations/${first.id}`)).status, 204);
    admitted(await ask(token({ jti }), 'strong'));

    await revoke({ iss: ISSUER, jti }, one);
    refused(await ask(token({ jti }), 'strong'), 'TOKEN_REVOKED');
    // The isolate that has refused undoes it: it would learn of another isolate's undoing only within `cache_secs`.
    assert.equal((await gate.admin('DELETE', `/revocations/${first.id}`, undefined, { gate: 'strong' })).status, 204);
    admitted(await ask(token({ jti }), 'strong'));
    const again = await bulk(lines, { headers: { 'Content-Type': 'application/x-ndjson', ...many.headers } });
    assert.deepEqual(again.json(), { revoked: 1, unchanged: 1, expired: 0 }, 'done again, not only answered');
    refused(await ask(token({ jti }), 'strong'), 'TOKEN_REVOKED');
    // Answers about other tokens still hold.
    assert.deepEqual(await revoke({ iss: ISSUER, jti: other }, apart), kept);
    refused(await gate.admin('POST', '/revocations', { iss: ISSUER, jti: randomUUID() }, apart), 'INVALID_REQUEST', { hint: /was used for another/ });
  });

  test('revokes the API key whose record is deleted', async () => {
    const { key, id } = await gate.mint();
    admitted(await gate.get('/v1/other', { key }));
    assert.equal((await gate.admin('DELETE', `/keys/${id}`)).status, 200);
    refused(await gate.get('/v1/other', { key, gate: 'strong' }), 'API_KEY_REVOKED');
  });
});

describe('a snapshot', () => {
  test('denies where the revocation was made at once, and elsewhere as soon as it arrives', async () => {
    const jti = randomUUID();
    const [mine, sibling] = [token({ jti }), token({ jti: randomUUID() })];
    for (const name of ['gate', 'other', 'reader']) admitted(await ask(mine, name));
    await revoke({ iss: ISSUER, jti });
    refused(await ask(mine), 'TOKEN_REVOKED');
    for (const name of ['other', 'reader']) await untilRevoked(mine, name);
    for (const name of ['gate', 'other', 'reader']) admitted(await ask(sibling, name));
  });

  test('admits again after a revocation was undone', async () => {
    const jti = randomUUID();
    const { id } = await revoke({ iss: ISSUER, jti });
    await untilRevoked(token({ jti }), 'other');
    assert.equal((await gate.admin('DELETE', `/revocations/${id}`)).status, 204);
    admitted(await ask(token({ jti })));
    await until((answer) => answer.status === 200, () => ask(token({ jti }), 'other'), 'is still refused');
  });

  test('costs a request that is not in it no operation, once it is there', async () => {
    const { kv, ledger } = controls.slow;
    admitted(await ask(token({ jti: randomUUID() }), 'slow'));
    let ledgers;
    const reads = await kv.operationsDuring(async () => {
      ledgers = await ledger.operationsDuring(async () => {
        for (let count = 0; count < 100; count += 1) {
          admitted(await ask(token({ jti: randomUUID(), sub: randomUUID(), sid: randomUUID() }), 'slow'));
        }
      });
    });
    assert.deepEqual([reads, ledgers], [0, 0]);
  });

  test('is loaded once by requests that come together', async () => {
    const cold = watched('cold', { kv: 'cold-kv', host: 'cold-host' });
    const both = await start([
      gateWorker({ name: 'cold', policy: snapshot({ refresh_secs: 60 }), worker: cold.worker }),
      gateWorker({ name: 'cold-host', policy: snapshot() }),
      ...cold.behind,
    ]);
    try {
      const kv = await control(both, 'cold-kv');
      const ledger = await control(both, 'cold-ledger');
      let ledgers;
      const reads = await kv.operationsDuring(async () => {
        ledgers = await ledger.operationsDuring(async () => {
          const answers = Array.from({ length: 30 }, () => both.get('/v1/other', { token: token({ jti: randomUUID() }) }));
          for (const answer of await Promise.all(answers)) admitted(answer);
        });
      });
      // KV has no snapshot yet, so the ledger is asked for its own.
      assert.deepEqual([reads, ledgers], [1, 1]);
    } finally {
      await both.dispose();
    }
  });

  test('is the ledger\'s own where KV never answers', async () => {
    const stalled = watched('stalled', { kv: 'stalled-kv', host: 'stalled-host' });
    const both = await start([
      gateWorker({ name: 'stalled', policy: snapshot({ refresh_secs: 60 }), worker: stalled.worker }),
      gateWorker({ name: 'stalled-host', policy: snapshot() }),
      ...stalled.behind,
    ]);
    try {
      await (await control(both, 'stalled-kv')).set('hang');
      const jti = randomUUID();
      const answer = await both.admin('POST', '/revocations', { iss: ISSUER, jti }, { gate: 'stalled-host' });
      assert.equal(answer.status, 201, answer.text);
      admitted(await both.get('/v1/other', { token: token() }));
      refused(await both.get('/v1/other', { token: token({ jti }) }), 'TOKEN_REVOKED');
    } finally {
      await both.dispose();
    }
  });

  test('with a false match costs one question and denies nobody', async () => {
    const jti = randomUUID();
    const forged = head({ generation: Date.now(), delta: [fingerprint(denyKeyOfToken(ISSUER, jti))] });
    const fooled = watched('fooled', { kv: 'fooled-kv', host: 'fooled-host' });
    const both = await start([
      gateWorker({ name: 'fooled', policy: snapshot({ refresh_secs: 60 }), worker: fooled.worker }),
      gateWorker({ name: 'fooled-host', policy: snapshot() }),
      ...fooled.behind,
    ]);
    try {
      const inner = await both.mf.getKVNamespace('INNER', 'fooled-kv');
      await put(inner, 'snapshot/v1/head', forged);
      const asked = await control(both, 'fooled-ledger');
      const operations = await asked.operationsDuring(async () => {
        for (let count = 0; count < 10; count += 1) admitted(await both.get('/v1/other', { token: token({ jti }) }));
      });
      assert.equal(operations, 1);
    } finally {
      await both.dispose();
    }
  });

  test('is told of in health and events', async () => {
    admitted(await ask(token(), 'other'));
    const from = gate.output.lines.length;
    admitted(await ask(token(), 'other'));
    const line = await gate.output.find((one) => one.includes('"snapshot"'), from);
    const event = JSON.parse(line.slice(line.indexOf('{')));
    assert.ok(Number.isSafeInteger(event.snapshot.generation));
    assert.ok(event.snapshot.age_secs <= 120);
    const health = (await gate.get('/auth/health', { gate: 'other' })).json();
    assert.equal(health.bindings.ledger, 'ok');
    assert.ok(health.snapshot.age_secs <= 120);
    assert.ok(health.snapshot.generation >= event.snapshot.generation);
  });
});

describe('many at once', () => {
  test('are revoked together, and a filter is made of them', async () => {
    const marks = Array.from({ length: 10_000 }, (_, index) => `bulk-${index}-${randomUUID()}`);
    const answer = await bulk([
      ...marks.slice(1).map((jti) => ({ iss: ISSUER, jti, exp: nowSecs() + 3600 })),
      { iss: ISSUER, sid: marks[0] },
    ]);
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(answer.json(), { revoked: 10_000, unchanged: 0, expired: 0 });
    for (const jti of [marks[1], marks[9_999]]) refused(await ask(token({ jti }), 'strong'), 'TOKEN_REVOKED');
    await untilRevoked(token({ jti: marks[5_000] }), 'other');
    await untilRevoked(token({ sid: marks[0] }), 'reader');
    // These are more than the head lists, so there is a filter now, and it is used.
    const kv = await gate.mf.getKVNamespace('EDGEGATE_KV', 'gate');
    await until((found) => found.keys.length > 1, () => kv.list({ prefix: 'snapshot/v1/' }), 'no filter is published');
    const later = randomUUID();
    await revoke({ iss: ISSUER, jti: later });
    await untilRevoked(token({ jti: later }), 'other');
    await untilRevoked(token({ jti: marks[7_777] }), 'other');
    admitted(await ask(token({ jti: randomUUID() }), 'other'));
  });

  test('are exported in a form that can be given back', async () => {
    const answer = await gate.admin('GET', '/revocations/export');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/x-ndjson');
    assert.equal(answer.headers['cache-control'], 'no-store');
    const lines = answer.text.trimEnd().split('\n');
    assert.ok(lines.length > 10_000);
    const other = await startGate({ policy: snapshot() });
    try {
      for (let first = 0; first < lines.length; first += 10_000) {
        const part = lines.slice(first, first + 10_000);
        const back = await other.admin('POST', '/revocations', Buffer.from(part.join('\n')), { headers: { 'Content-Type': 'application/x-ndjson; charset=utf-8' } });
        assert.equal(back.status, 201, back.text);
        const { revoked, expired } = back.json();
        assert.equal(revoked + expired, part.length);
      }
      const again = await other.admin('GET', '/revocations/export');
      assert.deepEqual(again.text.trimEnd().split('\n').sort(), lines.sort());
    } finally {
      await other.dispose();
    }
  });

  test('are not revoked at all if one line is faulty', async () => {
    const jti = randomUUID();
    const good = { iss: ISSUER, jti };
    for (const [line, hint] of [
      ['{', /^line 3: expected JSON/],
      [{ iss: 'https://nobody.test/', jti }, 'line 3, iss: is not an issuer of the policy'],
      [{ iss: ISSUER, jti: 5 }, 'line 3, jti: expected a string, found a whole number'],
      [{ token: token() }, 'line 3, token: expected its iss and jti instead'],
    ]) {
      refused(await bulk([good, '', line, good]), 'INVALID_REQUEST', { hint });
      admitted(await ask(token({ jti }), 'strong'));
    }
    refused(await bulk(Array.from({ length: 10_001 }, () => good)), 'INVALID_REQUEST', { hint: 'expected at most 10000 lines' });
    refused(await bulk(['']), 'INVALID_REQUEST', { hint: 'expected a JSON object on each line' });
    const long = Array.from({ length: 9_000 }, () => ({ ...good, reason: 'r'.repeat(199), sub: undefined, jti: 'j'.repeat(900) }));
    // The runtime answers and closes before everything was sent. Sometimes that ends the sending before the answer is read.
    const sent = (left = 5) => bulk(long).catch((fault) => (fault.code === 'ECONNRESET' && left > 0 ? sent(left - 1) : Promise.reject(fault)));
    refused(await sent(), 'INVALID_REQUEST', { hint: /^expected a body of at most 8388608 bytes$/ });
    admitted(await ask(token({ jti }), 'strong'));
  });
});

describe('whoever hangs up does not make a healthy ledger one that does not answer', () => {
  test('where it is asked', async () => {
    const bearer = token({ jti: randomUUID() });
    await revoke({ token: bearer });
    const { ledger } = controls.asking;
    await ledger.set('slow');
    await gate.hangUp('/', { count: 4, gate: 'asking', token: bearer, wanted: async () => (await ledger.operations()) >= 4 });
    refused(await ask(bearer, 'asking'), 'TOKEN_REVOKED');
  });

  test('where the snapshot is loaded', async () => {
    const bearer = token({ jti: randomUUID() });
    await revoke({ token: bearer });
    await untilRevoked(bearer, 'other');
    const { kv } = controls.loading;
    await kv.set('slow');
    await gate.hangUp('/', { gate: 'loading', token: bearer, wanted: async () => (await kv.operations()) >= 1 });
    refused(await ask(bearer, 'loading'), 'TOKEN_REVOKED');
  });

  test('and one that hangs is told from it, also by those who wait for others', async () => {
    const bearer = token({ jti: randomUUID() });
    const { ledger } = controls.asking;
    await ledger.set('hang');
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(bearer, 'asking')));
    for (const answer of answers) admitted(answer);
    await ledger.set('ok');
  });
});

describe('when a part fails', () => {
  test('the ledger that does not answer refuses what only it knows, and nobody else', async () => {
    const [hit, miss] = [randomUUID(), randomUUID()];
    await revoke({ iss: ISSUER, jti: hit });
    await untilRevoked(token({ jti: hit }), 'other');
    // The reader learns of it though no request asks about it.
    const seen = (await gate.get('/auth/health', { gate: 'other' })).json().snapshot.generation;
    await until((report) => report >= seen, async () => {
      const sub = randomUUID();
      admitted(await ask(token({ jti: miss, sub }), 'reader'));
      const line = await gate.output.find((one) => one.includes(sub));
      return JSON.parse(line.slice(line.indexOf('{'))).snapshot.generation;
    }, 'the reader does not get there');
    for (const mode of ['fail', 'hang', 'garbage']) {
      await controls.reader.ledger.set(mode);
      try {
        refused(await ask(token({ jti: hit }), 'reader'), 'STORE_UNAVAILABLE');
        refused(await ask(token({ jti: miss }), 'reader', '/strong/a'), 'STORE_UNAVAILABLE');
        admitted(await ask(token({ jti: miss }), 'reader'));
        const answer = await gate.admin('POST', '/revocations', { iss: ISSUER, jti: randomUUID() }, { gate: 'reader' });
        refused(answer, 'STORE_UNAVAILABLE');
      } finally {
        await controls.reader.ledger.set('ok');
      }
    }
    refused(await ask(token({ jti: hit }), 'reader'), 'TOKEN_REVOKED');
  });

  test('a snapshot that is too old is decided about by on_error, and a fresh one is taken', async () => {
    const { kv, ledger } = controls.strict;
    for (const name of ['strict', 'tolerant']) await controls[name].ledger.set('fail');
    const generation = Date.now();
    const revoked = randomUUID();
    const delta = [fingerprint(denyKeyOfToken(ISSUER, revoked))];
    await put(kv.inner, 'snapshot/v1/head', head({ generation, publishedAt: Date.now() - 125_000 }));
    refused(await ask(token(), 'strict'), 'STORE_UNAVAILABLE');
    const from = gate.output.lines.length;
    admitted(await ask(token(), 'tolerant'));
    await gate.output.find((line) => line.includes('"admitted"') && line.includes('KV has one of 12'), from);
    admitted(await gate.get('/open/a', { gate: 'strict' }));
    await put(kv.inner, 'snapshot/v1/head', head({ generation: generation + 1, delta }));
    await until((answer) => answer.status === 200, () => ask(token(), 'strict'), 'the fresh one is not taken');
    refused(await ask(token({ jti: revoked }), 'strict'), 'STORE_UNAVAILABLE');

    // A damaged snapshot leaves the last good one in use, and is reported.
    const damaged = {
      nothing: Buffer.alloc(0),
      noise: randomBytes(500),
      'a head with another byte': Buffer.from(head({ generation: generation + 2 })).fill(1, 6, 7),
      'a head from the future': head({ generation: generation + 2, publishedAt: Date.now() + 3_600_000 }),
      'a head without its shard': head({ generation: generation + 2, base: { generation: 7, blockBits: 0, shards: [emptyShard()] } }),
    };
    for (const [what, bytes] of Object.entries(damaged)) {
      const since = gate.output.lines.length;
      await put(kv.inner, 'snapshot/v1/head', bytes);
      await until(() => gate.output.lines.slice(since).some((line) => line.includes('is not renewed')), async () => {
        const answer = await ask(token(), 'strict');
        admitted(answer);
        return answer;
      }, `${what} is not reported`);
      refused(await ask(token({ jti: revoked }), 'strict'), 'STORE_UNAVAILABLE');
      const health = await gate.get('/auth/health', { gate: 'strict' });
      assert.equal(health.json().status, 'degraded');
      // The same head again, a little later: the fault is over.
      await put(kv.inner, 'snapshot/v1/head', head({ generation: generation + 1, delta }));
      await pause(1100);
      admitted(await ask(token(), 'strict'));
      await pause(100);
    }
    await put(kv.inner, 'snapshot/v1/7/0', randomBytes(100));
    await put(kv.inner, 'snapshot/v1/head', damaged['a head without its shard']);
    const since = gate.output.lines.length;
    await until(() => gate.output.lines.slice(since).some((line) => line.includes('not the one that was published')), () => ask(token(), 'strict'), 'another shard is not reported');
    refused(await ask(token({ jti: revoked }), 'strict'), 'STORE_UNAVAILABLE');
    // An older snapshot is not taken either. A newer one is taken if its shard is there.
    await put(kv.inner, 'snapshot/v1/head', head({ generation: generation - 5 }));
    await pause(1100);
    admitted(await ask(token(), 'strict'));
    refused(await ask(token({ jti: revoked }), 'strict'), 'STORE_UNAVAILABLE');
    await put(kv.inner, 'snapshot/v1/7/0', emptyShard());
    await put(kv.inner, 'snapshot/v1/head', damaged['a head without its shard']);
    await until((answer) => answer.status === 200, () => ask(token({ jti: revoked }), 'strict'), 'the newer one is not taken');
    await ledger.set('ok');
  });

  for (const mode of ['fail', 'hang']) {
    test(`(${mode}) KV leaves the snapshot in use, and a revocation is published once KV answers again`, async () => {
      const { kv } = controls.publisher;
      const jti = randomUUID();
      admitted(await ask(token({ jti }), 'publisher'));
      await kv.set(mode);
      try {
        await revoke({ iss: ISSUER, jti }, { gate: 'publisher' });
        refused(await ask(token({ jti }), 'publisher'), 'TOKEN_REVOKED');
        admitted(await ask(token({ jti: randomUUID() }), 'publisher'));
        if (mode === 'fail') {
          await gate.output.find((line) => line.includes('head of revocations is not written'), 0, 30_000);
        }
      } finally {
        await kv.set('ok');
      }
      const key = denyKeyOfToken(ISSUER, jti);
      const wanted = Buffer.alloc(8);
      wanted.writeBigUInt64LE(fingerprint(key));
      await until((found) => found.includes(wanted), async () => Buffer.from((await kv.inner.get('snapshot/v1/head', 'arrayBuffer')) ?? []), 'is not published');
    });
  }
});

test('what was revoked survives a restart, and is published again', async () => {
  const folder = temporaryFolder();
  const open = () => startGate({
    policy: snapshot(),
    shared: { resourcePersistencePath: folder },
  });
  const usual = gate;
  try {
    gate = await open();
    const jtis = Array.from({ length: 20 }, () => randomUUID());
    const headers = { 'Idempotency-Key': randomUUID() };
    const first = await revoke({ iss: ISSUER, sub: jtis[0] }, { headers });
    await Promise.all(jtis.map((jti) => revoke({ iss: ISSUER, jti })));
    await gate.dispose();

    gate = await open();
    assert.equal((await listed()).size, 21);
    for (const jti of jtis) refused(await ask(token({ jti }), 'gate', '/strong/a'), 'TOKEN_REVOKED');
    await untilRevoked(token({ jti: jtis[3] }), 'gate');
    assert.deepEqual(await revoke({ iss: ISSUER, sub: jtis[0] }, { headers }), first);
    await gate.dispose();
  } finally {
    gate = usual;
  }
});

test('a policy with a ledger needs its binding', async () => {
  const bare = await startGate({
    policy: snapshot(),
    worker: { durableObjects: { EDGEGATE_COUNTERS: { className: 'CounterObject', useSQLite: true } } },
  });
  try {
    refused(await bare.get('/v1/other', { token: token(), ip: freshIp() }), 'CONFIG_ERROR');
    await bare.output.find((line) => line.includes('EDGEGATE_LEDGER: the policy needs this Durable Object binding'));
  } finally {
    await bare.dispose();
  }
});
