// Each kind of sink, told of an alert that begins and ends: intakes as strict as their documents (intakes.mjs), and a real Queue of
// workerd with a consumer.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { SECRETS, freshIp, gateWorker, policy, start, token } from './harness.mjs';
import { Intakes } from './intakes.mjs';

const KEYS = { sentry: randomBytes(16).toString('hex'), datadog: randomBytes(16).toString('hex'), otlp: `Bearer ${randomBytes(16).toString('hex')}` };

/** What was sent to a queue goes on to the intakes, so that all is in one place. */
const CONSUMER = `
export default {
  async fetch() { return new Response(); },
  async queue({ messages }, { TO }) {
    for (const { id, body } of messages) await fetch(TO, { method: 'POST', body: JSON.stringify({ id, body }) });
  },
};
`;

let intakes;
let gate;
before(async () => {
  intakes = await new Intakes(KEYS).listen();
  const { origin, host } = intakes;
  const secrets = {
    ...SECRETS, HOOK_SECRET: randomBytes(32).toString('hex'), DD_KEY: KEYS.datadog, OTLP_AUTH: KEYS.otlp,
    SENTRY_DSN: `http://${KEYS.sentry}@${host}/42`, CHAT_URL: `${origin}/services/T0/B0/x`,
  };
  const sinks = [
    { name: 'hook', kind: 'webhook', url: `${origin}/hook`, secret: 'HOOK_SECRET' },
    { name: 'chat', kind: 'slack', url_secret: 'CHAT_URL' },
    { name: 'otel', kind: 'otlp', url: `${origin}/v1/logs`, secret: 'OTLP_AUTH' },
    { name: 'dd', kind: 'datadog', url: `${origin}/api/v2/logs`, secret: 'DD_KEY' },
    { name: 'errors', kind: 'sentry', url_secret: 'SENTRY_DSN' },
    { name: 'own', kind: 'queue', binding: 'ALERTS' },
  ];
  const watching = policy({
    failed_authentication: { requests: 100_000, window_secs: 60 },
    watch: { sinks, rules: [{ name: 'failures', above: 20, window_secs: 60, resolve_secs: 0, cool_down_secs: 0 }] },
  });
  gate = await start([
    gateWorker({ name: 'gate', policy: watching, secrets, worker: { queueProducers: { ALERTS: 'alerts' } } }),
    gateWorker({ name: 'unbound', policy: watching, secrets }),
    { name: 'consumer', modules: true, script: CONSUMER, bindings: { TO: `${origin}/queue` }, queueConsumers: { alerts: { maxBatchTimeout: 0 } } },
  ], { secrets });
});
after(async () => {
  await gate?.dispose();
  intakes?.close();
});

describe('an alert', () => {
  test('is taken by each of them, and what one is too busy for comes again', async () => {
    intakes.busy.set('/api/42/envelope/', 1);
    const began = Date.now();
    for (let at = 0; at < 21; at += 1) await gate.get('/v1/other', { token: token({}, { secret: 'x'.repeat(32) }), ip: freshIp() });
    await gate.admin('GET', '/watch');
    for (const url of ['/hook', '/services/T0/B0/x', '/v1/logs', '/api/v2/logs', '/queue']) {
      const { status, fault } = await intakes.find((one) => one.url === url);
      assert.ok(status < 300, `${url}: ${status} ${fault}`);
    }
    const { body } = await intakes.find(({ url, status }) => url === '/api/42/envelope/' && status === 200);
    // What it says of an intake of logs that is busy, it does: ten seconds later.
    assert.ok(Date.now() - began >= 9_000);
    const event = JSON.parse(body.split('\n')[2]);
    assert.deepEqual([event.level, event.message.formatted, event.fingerprint], [
      'error', 'edgegate: failures is firing: 21, more than 20', ['edgegate', 'failures', ''],
    ]);
    const refused = intakes.taken.filter(({ fault }) => fault && fault !== 'busy');
    assert.deepEqual(refused.map(({ url, fault }) => [url, fault]), []);
  });

  test('is in the queue what a webhook says', async () => {
    const hook = JSON.parse((await intakes.find(({ url }) => url === '/hook')).body);
    const { body } = JSON.parse((await intakes.find(({ url }) => url === '/queue')).body);
    assert.deepEqual(body, hook);
  });

  test('leaves nothing waiting', async () => {
    const { waiting, dropped } = (await gate.admin('GET', '/watch')).json();
    assert.deepEqual([waiting, dropped], [0, 0]);
  });
});

test('a queue that is not bound is said at the start', async () => {
  assert.equal((await gate.get('/public/a', { gate: 'unbound' })).status, 500);
  assert.ok(await gate.output.find((line) => line.includes('watch.sinks[5].binding: expected the Queue binding ALERTS')));
});

describe('the intakes of these tests', () => {
  const refusals = [
    ['an envelope as JSON', '/api/42/envelope/', { 'Content-Type': 'application/json' }, '{}', 415],
    ['an envelope without the key', '/api/42/envelope/', { 'Content-Type': 'application/x-sentry-envelope' }, '{}', 403],
    ['an envelope of another length', '/api/42/envelope/', sentryHeaders(), envelope({}, 3), 400],
    ['an event with another id', '/api/42/envelope/', sentryHeaders(), envelope({ event_id: 'a'.repeat(32) }), 400],
    ['an event with a field of no document', '/api/42/envelope/', sentryHeaders(), envelope({ other: 1 }), 400],
    ['an event with a long tag', '/api/42/envelope/', sentryHeaders(), envelope({ tags: { a: 'x'.repeat(201) } }), 400],
    ['a log with another key', '/api/v2/logs', { 'Content-Type': 'application/json', 'DD-API-KEY': 'other' }, '[]', 403],
    ['a log of yesterday', '/api/v2/logs', datadogHeaders(), log({ timestamp: Date.now() - 19 * 3_600_000 }), 400],
    ['a log of another status', '/api/v2/logs', datadogHeaders(), log({ status: 'bad' }), 400],
    ['a log that is too deep', '/api/v2/logs', datadogHeaders(), log({ a: { b: { c: { d: { e: { f: { g: { h: { i: { j: 1 } } } } } } } } } }), 400],
    ['a record without a key', '/v1/logs', { 'Content-Type': 'application/json' }, '{}', 401],
    ['a message of Slack with more than text', '/services/a', { 'Content-Type': 'application/json' }, '{"text":"a","other":1}', 400],
  ];
  for (const [what, url, headers, body, status] of refusals) {
    test(`refuse ${what}`, async () => {
      assert.equal((await fetch(`${intakes.origin}${url}`, { method: 'POST', headers, body })).status, status);
    });
  }
  test('take what is right', async () => {
    const post = async (url, headers, body) => (await fetch(`${intakes.origin}${url}`, { method: 'POST', headers, body })).status;
    assert.deepEqual([await post('/api/42/envelope/', sentryHeaders(), envelope({})), await post('/api/v2/logs', datadogHeaders(), log({}))], [200, 202]);
  });
});

function sentryHeaders() {
  return { 'Content-Type': 'application/x-sentry-envelope', 'X-Sentry-Auth': `Sentry sentry_version=7, sentry_key=${KEYS.sentry}` };
}

function envelope(changes, more = 0) {
  const id = 'b'.repeat(32);
  const event = JSON.stringify({ event_id: id, timestamp: '2026-01-01T00:00:00Z', platform: 'other', level: 'info', message: { formatted: 'a' }, ...changes });
  return `${JSON.stringify({ event_id: id, sent_at: '2026-01-01T00:00:00Z' })}\n${JSON.stringify({ type: 'event', length: event.length + more })}\n${event}\n`;
}

function datadogHeaders() {
  return { 'Content-Type': 'application/json', 'DD-API-KEY': KEYS.datadog };
}

function log(changes) {
  return JSON.stringify([{ message: 'a', status: 'info', timestamp: Date.now(), ...changes }]);
}
