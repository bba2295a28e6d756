// The audit of administration: what is in it, that nothing is done without it, and that its chain holds outside the gate that wrote it.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { checkpointsIn, verifyChain } from '../../pkg/cli/audit-chain.js';
import { ISSUER, SECRETS, forEach, gateWorker, refused, start, token } from './harness.mjs';
import { sessionPolicy } from './sessions.mjs';

const MORE = { CI_SECRET: 'the-secret-of-ci-has-at-least-32-bytes', LOOK_SECRET: 'the-secret-to-look-has-at-least-32-bytes', HOOK_SECRET: 'the-secret-of-hooks-has-at-least-32-bytes' };
const secrets = { ...SECRETS, ...MORE };

let gate;
let receiver;
const hooked = [];

/** An object that is there and never answers well. */
const BROKEN = { name: 'broken', modules: true, durableObjects: { SELF: 'Broken' }, compatibilityDate: '2026-04-01', script: 'export class Broken { fetch() { throw new Error("down"); } } export default {};' };
const noWatch = { durableObjects: {
  ...gateWorker().durableObjects,
  EDGEGATE_WATCH: { className: 'Broken', scriptName: 'broken' },
} };

before(async () => {
  receiver = http.createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => { text += chunk; });
    request.on('end', () => {
      hooked.push(text);
      response.end();
    });
  });
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const admin = { secret: 'ADMIN_TOKEN', secrets: [{ name: 'ci', secret: 'CI_SECRET', roles: ['keys'] }, { name: 'look', secret: 'LOOK_SECRET', roles: ['read'] }] };
  const policyWith = (watch) => sessionPolicy({ admin, revocation: { mode: 'ledger' }, watch });
  const sinks = [{ name: 'ops', kind: 'webhook', url: `http://127.0.0.1:${receiver.address().port}/`, secret: 'HOOK_SECRET' }];
  gate = await start([
    gateWorker({ policy: policyWith({}), secrets }),
    gateWorker({ name: 'telling', policy: policyWith({ sinks }), secrets }),
    gateWorker({ name: 'off', policy: policyWith({ audit: 'off' }), secrets }),
    gateWorker({ name: 'without', policy: policyWith(undefined), secrets }),
    gateWorker({ name: 'required', policy: policyWith({}), secrets, worker: noWatch }),
    gateWorker({ name: 'best-effort', policy: policyWith({ audit: 'best-effort' }), secrets, worker: noWatch }),
    BROKEN,
  ], { secrets });
});
after(async () => {
  await gate?.dispose();
  receiver?.close();
});

const ask = (method, target, body, options) => gate.admin(method, target, body, options);
const key = { name: 'x', owner: 'bob', scopes: ['read:posts'] };

async function chain(options) {
  const entries = [];
  for (let more = true; more;) {
    const answer = await ask('GET', `/audit?after=${entries.at(-1)?.seq ?? 0}`, undefined, options);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['cache-control'], 'no-store');
    const page = answer.json();
    entries.push(...page.entries);
    more = page.more;
  }
  return entries;
}
/** What came after this many entries, in short. */
const since = async (count, options) => (await chain(options)).slice(count).map(({ actor, action, target, outcome, of }) => [actor, action, target, outcome, of]);

describe('what administration did', () => {
  test('is in the chain: who, what, of what, what came of it', async () => {
    const [first] = await chain();
    assert.deepEqual([first.seq, first.actor, first.action, first.outcome], [1, 'gate', 'policy', 'done']);
    const at = (await chain()).length;
    const { id } = (await ask('POST', '/keys', key, { token: MORE.CI_SECRET })).json();
    const rotated = (await ask('POST', `/keys/${id}/rotate`, {})).json();
    await ask('DELETE', `/keys/${rotated.id}`);
    const revoked = (await ask('POST', '/revocations', { iss: ISSUER, jti: 'a', exp: 4_000_000_000 })).json();
    await ask('DELETE', `/revocations/${revoked.id}`);
    const told = await since(at);
    assert.deepEqual(told.slice(0, 6), [
      ['ci', 'POST /keys', '', 'begun', 0], ['ci', 'POST /keys', id, 'done', at + 1],
      ['admin', 'POST /keys/{id}/rotate', id, 'begun', 0], ['admin', 'POST /keys/{id}/rotate', `${id} ${rotated.id}`, 'done', at + 3],
      ['admin', 'DELETE /keys/{id}', rotated.id, 'begun', 0], ['admin', 'DELETE /keys/{id}', rotated.id, 'done', at + 5],
    ]);
    assert.deepEqual(told.slice(6), [
      ['admin', 'POST /revocations', '', 'begun', 0], ['admin', 'POST /revocations', revoked.id, 'done', at + 7],
      ['admin', 'DELETE /revocations/{id}', revoked.id, 'begun', 0], ['admin', 'DELETE /revocations/{id}', revoked.id, 'done', at + 9],
    ]);
    assert.deepEqual(verifyChain(await chain()).problems, []);
  });

  test('names people by pseudonyms, the same each time, and holds no secret', async () => {
    const at = (await chain()).length;
    const opened = (await ask('POST', '/sessions', { subject: 'alice@example.com', scopes: ['read:posts'] })).json();
    await ask('POST', '/subjects/disable', { subject: 'alice@example.com' });
    await ask('POST', '/subjects/enable', { subject: 'alice@example.com' });
    await ask('DELETE', '/sessions?subject=alice%40example.com');
    await ask('DELETE', '/subjects?subject=alice%40example.com');
    const told = await since(at);
    const done = told.filter(([, , , outcome]) => outcome === 'done');
    assert.deepEqual(done.map(([, action]) => action), ['POST /sessions', 'POST /subjects/disable', 'POST /subjects/enable', 'DELETE /sessions', 'DELETE /subjects']);
    assert.match(done[0][2], /^s[0-9a-f]{16}$/);
    assert.equal(new Set(done.map(([, , target]) => target)).size, 1);
    const text = JSON.stringify(await chain());
    for (const secret of ['alice', opened.access_token, opened.refresh_token, ...Object.values(secrets)]) assert.ok(!text.includes(secret));
  });

  test('of what was refused has the code, and of what only tells has nothing', async () => {
    const at = (await chain()).length;
    refused(await ask('POST', '/keys', { ...key, scopes: 'x' }), 'INVALID_REQUEST');
    refused(await ask('DELETE', `/keys/${'0'.repeat(32)}`), 'NOT_FOUND');
    refused(await ask('POST', '/keys', key, { token: MORE.LOOK_SECRET }), 'INSUFFICIENT_SCOPE', { scope: 'keys' });
    await ask('GET', '/keys');
    await ask('POST', '/explain', { method: 'GET', path: '/v1/posts', headers: {} });
    refused(await gate.get('/auth/admin/keys', { token: 'x'.repeat(40) }), 'INVALID_TOKEN');
    assert.deepEqual((await since(at)).map(([, action, , outcome]) => [action, outcome]), [
      ['POST /keys', 'begun'], ['POST /keys', 'INVALID_REQUEST'], ['DELETE /keys/{id}', 'begun'], ['DELETE /keys/{id}', 'NOT_FOUND'],
    ]);
  });

  test('of many at once has each, in one chain', async () => {
    const at = (await chain()).length;
    await forEach(Array.from({ length: 40 }), async () => assert.equal((await ask('POST', '/keys', key)).status, 201), 20);
    const entries = await chain();
    assert.equal(entries.length - at, 80);
    const { problems, open } = verifyChain(entries);
    assert.deepEqual([problems, open], [[], []]);
  });
});

test('pages are for who may read, and what is asked wrongly is refused', async () => {
  assert.equal((await ask('GET', '/audit?limit=1', undefined, { token: MORE.LOOK_SECRET })).json().entries.length, 1);
  refused(await ask('GET', '/audit', undefined, { token: MORE.CI_SECRET }), 'INSUFFICIENT_SCOPE', { scope: 'read' });
  for (const query of ['after=x', 'after=-1', "after=1'", 'limit=0', 'limit=101', 'limit=x']) refused(await ask('GET', `/audit?${query}`), 'INVALID_REQUEST');
  assert.deepEqual((await ask('GET', '/audit?after=999999')).json(), { entries: [], more: false });
  refused(await ask('POST', '/audit'), 'METHOD_NOT_ALLOWED');
});

test('without watch, or with audit off, there is none, and administration goes on', async () => {
  for (const name of ['off', 'without']) {
    refused(await ask('GET', '/audit', undefined, { gate: name }), 'NOT_FOUND');
    assert.equal((await ask('POST', '/keys', key, { gate: name })).status, 201);
  }
});

describe('without the object', () => {
  test('nothing is done of which no entry can be written', async () => {
    const bearer = token({ sub: 'grace', jti: 'g' });
    for (const [method, target, body] of [['POST', '/keys', key], ['POST', '/revocations', { token: bearer }], ['POST', '/sessions', { subject: 'x' }]]) {
      refused(await ask(method, target, body, { gate: 'required' }), 'STORE_UNAVAILABLE');
    }
    assert.deepEqual((await ask('GET', '/keys', undefined, { gate: 'required' })).json().keys, []);
    assert.deepEqual((await ask('GET', '/revocations', undefined, { gate: 'required' })).json().revocations, []);
    await gate.output.find((line) => line.includes('"administered"') && line.includes('nothing was done'));
  });

  test('it is done all the same where the policy says so, and the log has the fault', async () => {
    const from = gate.output.lines.length;
    assert.equal((await ask('POST', '/keys', key, { gate: 'best-effort' })).status, 201);
    assert.equal((await ask('GET', '/keys', undefined, { gate: 'best-effort' })).json().keys.length, 1);
    await gate.output.find((line) => line.includes('audit: no entry of POST /keys by admin, done'), from);
  });
});

test('after a hundred entries a checkpoint goes to the log and to webhooks, and holds what the chain was', async () => {
  const options = { gate: 'telling' };
  await forEach(Array.from({ length: 50 }), () => ask('POST', '/keys', key, options), 10);
  for (const end = Date.now() + 20_000; !hooked.some((text) => text.includes('audit.checkpoint'));) {
    assert.ok(Date.now() < end, 'no webhook came');
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  const [sent] = checkpointsIn(hooked.join('\n'));
  // Another gate has told of its own.
  const [logged] = checkpointsIn(await gate.output.find((text) => text.includes(sent.hash)));
  assert.deepEqual(sent, logged);
  const entries = await chain(options);
  // The secret of the watch is the administrator's here.
  const held = { checkpoints: [logged], secret: SECRETS.ADMIN_TOKEN };
  const found = verifyChain(entries, held);
  assert.deepEqual([found.problems, found.checkpoints], [[], 1]);
  assert.notDeepEqual(verifyChain(entries.slice(0, logged.seq - 1), held).problems, []);
  assert.match(verifyChain(entries, { ...held, secret: 'x'.repeat(32) }).problems.join(), /is not the gate's/);
});
