// The watch: what several isolates count is in one place, exactly; alerts reach who is to be told; nothing of it names anybody.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Ajv from 'ajv/dist/2020.js';

import { BUILD, ROOT, SECRETS, freshIp, gateWorker, policy, refused, start, token } from './harness.mjs';
import { Receiver } from './receiver.mjs';

const MORE = { METRICS_SECRET: randomBytes(32).toString('hex'), HOOK_SECRET: `whsec_${randomBytes(32).toString('base64')}`, CHAT_URL: '' };

// A module in front of the gate's: its object adds what it is told, and then does not answer, or is thrown away before it does.
const FRONT = `
import gate, * as engine from './index.js';
export { CounterObject, RevocationLedger, SessionObject, KeyRingObject } from './index.js';
let lost = 0;
export class WatchObject extends engine.WatchObject {
  #context;
  constructor(context, env) {
    super(context, env);
    this.#context = context;
  }
  async fetch(request) {
    if (request.headers.has('X-Dump')) {
      return Response.json([...this.#context.storage.sql.exec('SELECT * FROM watch')]);
    }
    // An alarm that meets a row that cannot be read; then what the clock of the object says.
    if (request.headers.has('X-Break')) {
      this.#context.storage.sql.exec("INSERT INTO watch (name, value) VALUES ('odd', '1')");
      await this.#context.storage.setAlarm(Date.now() + 500);
      await this.#context.storage.sync();
      this.#context.abort('evicted');
    }
    if (request.headers.has('X-Clock')) return Response.json(await this.#context.storage.getAlarm());
    if (request.headers.has('X-Mend')) {
      this.#context.storage.sql.exec("DELETE FROM watch WHERE name = 'odd'");
      return new Response('done');
    }
    const isDelta = (await request.clone().text()).startsWith('delta');
    const answer = await super.fetch(request);
    if (!isDelta || lost === 0) return answer;
    lost -= 1;
    if (lost % 2 === 0) this.#context.abort('evicted');
    throw new Error('the answer is lost');
  }
}
export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (url.pathname === '/__test/lose') {
      lost = Number(url.searchParams.get('value'));
      return new Response('done');
    }
    if (url.pathname === '/__test/dump') {
      return env.EDGEGATE_WATCH.get(env.EDGEGATE_WATCH.idFromName('watch')).fetch('https://object.invalid/', { headers: { 'X-Dump': '1' } });
    }
    if (url.pathname === '/__test/object') {
      const object = env.EDGEGATE_WATCH.get(env.EDGEGATE_WATCH.idFromName('watch'));
      return object.fetch('https://object.invalid/', { headers: { [url.searchParams.get('do')]: '1' } }).catch(() => new Response('aborted'));
    }
    return gate.fetch(request, env, context);
  },
};
`;

const fronted = (options) => gateWorker({
  ...options,
  worker: {
    modulesRoot: BUILD,
    modules: [
      { type: 'ESModule', path: path.join(BUILD, 'front.js'), contents: FRONT },
      { type: 'ESModule', path: path.join(BUILD, 'index.js'), contents: readFileSync(path.join(BUILD, 'index.js'), 'utf8') },
      { type: 'CompiledWasm', path: path.join(BUILD, 'index_bg.wasm') },
    ],
    ...options.worker,
  },
});

const WATCH = { metrics_secret: 'METRICS_SECRET' };
const LOOSE = { failed_authentication: { requests: 100_000, window_secs: 60 } };
const secrets = { ...SECRETS, ...MORE };

let receiver;
let gate;

before(async () => {
  receiver = await new Receiver().listen();
  secrets.CHAT_URL = `${receiver.origin}/services/T0/B0/secret`;
  const told = {
    ...WATCH,
    sinks: [
      { name: 'ops', kind: 'webhook', url: `${receiver.origin}/hook`, secret: 'HOOK_SECRET' },
      { name: 'chat', kind: 'slack', url_secret: 'CHAT_URL' },
    ],
    rules: [{ name: 'failures', above: 20 }],
  };
  const watching = (changes = {}) => policy({ ...LOOSE, watch: WATCH, ...changes });
  gate = await start([
    fronted({ name: 'gate', policy: watching(), secrets }),
    // Another isolate of the same gate: it shares the object.
    gateWorker({
      name: 'second',
      policy: watching(),
      secrets,
      worker: { durableObjects: {
        EDGEGATE_COUNTERS: { className: 'CounterObject', scriptName: 'gate', useSQLite: true },
        EDGEGATE_WATCH: { className: 'WatchObject', scriptName: 'gate', useSQLite: true },
      } },
    }),
    gateWorker({ name: 'telling', policy: watching({ watch: told }), secrets }),
    gateWorker({ name: 'doors', policy: watching(), secrets }),
    gateWorker({ name: 'blind', policy: policy() }),
    gateWorker({ name: 'unbound', policy: watching(), secrets, worker: { durableObjects: { EDGEGATE_COUNTERS: { className: 'CounterObject', useSQLite: true } } } }),
  ], { secrets });
});
after(async () => {
  await gate?.dispose();
  receiver?.close();
});

const report = async (name, query = '') => {
  const answer = await gate.admin('GET', `/watch${query}`, undefined, { gate: name });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['cache-control'], 'no-store');
  return answer.json();
};

/** What is there after a while. */
const eventually = async (ask) => {
  for (let tries = 0; tries < 100; tries += 1) {
    const found = await ask();
    if (found) return found;
    await sleep(50);
  }
  throw new Error('nothing came');
};

const forged = () => token({}, { secret: 'x'.repeat(32) });
const samples = (text, name) => text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));

describe('counts', () => {
  test('are exact over isolates, whatever answers are lost and however often the object is thrown away', async () => {
    const before = (await report('gate')).decisions;
    await gate.get('/__test/lose?value=4');
    const good = token();
    for (let round = 0; round < 6; round += 1) {
      for (const name of ['gate', 'second']) {
        await gate.get('/v1/other', { gate: name, token: good });
        await gate.get('/v1/other', { gate: name, token: forged() });
        await gate.get('/v1/other', { gate: name });
      }
      // A report hands over what its isolate has.
      await gate.admin('GET', '/watch', undefined, { gate: round % 2 ? 'second' : 'gate' });
    }
    await report('second');
    const after = await report('gate');
    // Requests to the administration are no decisions.
    assert.deepEqual(
      { admitted: after.decisions.admitted - before.admitted, refused: after.decisions.refused - before.refused },
      { admitted: 12, refused: 24 },
    );
    assert.equal(after.codes.INVALID_TOKEN, 12);
    assert.equal(after.codes.MISSING_CREDENTIALS, 12);
    assert.equal(after.isolates, 2);
    assert.deepEqual([after.dropped, after.lost], [0, 0]);
  });

  test('the report has the shape that was agreed, in every window', async () => {
    const told = await report('gate', '?window=15m');
    assert.equal(told.window_secs, 900);
    assert.equal(told.to - told.from, 900);
    assert.ok(told.data_age_secs <= 2);
    assert.deepEqual(told.alerts.map(({ rule, state, threshold }) => [rule, state, threshold]), [
      ['failures', 'ok', 100], ['expiry-ratio', 'ok', 20], ['use-after-revocation', 'ok', 0], ['shared-credential', 'ok', 0], ['unusual-country', 'ok', 0],
      ['credential-stuffing', 'ok', 0],
    ]);
    assert.equal(told.timeline.reduce((sum, { admitted, refused: no }) => sum + admitted + no, 0), told.decisions.admitted + told.decisions.refused);
    for (const window of ['10s', '1h', '24h', '7d', '300']) assert.ok((await report('gate', `?window=${window}`)).window_secs >= 10);
    for (const window of ['8d', '5s', 'x', '-1m']) {
      refused(await gate.admin('GET', `/watch?window=${window}`), 'INVALID_REQUEST');
    }
  });

  test('are for the administrator only, and not there where nothing watches', async () => {
    refused(await gate.get('/auth/admin/watch'), 'MISSING_CREDENTIALS');
    refused(await gate.get('/auth/admin/watch', { token: 'x'.repeat(40) }), 'INVALID_TOKEN');
    refused(await gate.admin('GET', '/watch', undefined, { gate: 'blind' }), 'NOT_FOUND');
    refused(await gate.get('/auth/metrics', { gate: 'blind', token: SECRETS.ADMIN_TOKEN }), 'NOT_FOUND');
    refused(await gate.admin('POST', '/watch'), 'METHOD_NOT_ALLOWED');
  });

  test('a policy that watches needs the object', async () => {
    refused(await gate.get('/public/a', { gate: 'unbound' }), 'CONFIG_ERROR');
    assert.ok(await gate.output.find((line) => line.includes('EDGEGATE_WATCH: the policy needs this Durable Object binding')));
  });
});

describe('metrics', () => {
  test('for the secret of metrics and for the administrator, and for nobody else', async () => {
    for (const secret of [MORE.METRICS_SECRET, SECRETS.ADMIN_TOKEN]) {
      const answer = await gate.get('/auth/metrics', { token: secret });
      assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'text/plain; version=0.0.4; charset=utf-8']);
    }
    refused(await gate.get('/auth/metrics'), 'MISSING_CREDENTIALS');
    refused(await gate.get('/auth/metrics', { token: 'x'.repeat(64) }), 'INVALID_TOKEN');
    // The secret of metrics reads metrics, and administers nothing.
    refused(await gate.get('/auth/admin/watch', { token: MORE.METRICS_SECRET }), 'INVALID_TOKEN');
  });

  test('rise by what happens, and have no label that a caller can choose', async () => {
    const read = async () => (await gate.get('/auth/metrics', { token: MORE.METRICS_SECRET })).text;
    const count = (text) => samples(text, 'edgegate_decisions_total').filter((line) => line.includes('INVALID_TOKEN') && line.includes('route="/v1/posts"'))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    const earlier = await read();
    for (let at = 0; at < 5; at += 1) await gate.get('/v1/posts', { token: forged(), headers: { 'User-Agent': `agent-${at}` } });
    for (let at = 0; at < 50; at += 1) await gate.get(`/nowhere/${at}`, { token: forged() });
    const later = await read();
    assert.equal(count(later) - count(earlier), 5);
    const labelled = samples(later, 'edgegate_decisions_total').length;
    assert.ok(labelled < 20, `${labelled} series`);
    assert.ok(!/agent-|nowhere/.test(later));
  });
});

const promtool = [process.env.PROMTOOL, '/usr/bin/promtool'].find((file) => file && existsSync(file));

test('promtool, of the Debian package prometheus, finds nothing wrong with the metrics', { skip: promtool === undefined && 'promtool is not installed' }, async () => {
  const { text } = await gate.get('/auth/metrics', { token: MORE.METRICS_SECRET });
  const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});

describe('alerts', () => {
  test('reach each sink, signed, and say nothing of who called', async () => {
    for (let at = 0; at < 21; at += 1) await gate.get('/v1/other', { gate: 'telling', token: forged(), ip: freshIp() });
    const told = await report('telling');
    const { since, ...firing } = told.alerts[0];
    assert.deepEqual(firing, { rule: 'failures', state: 'firing', value: 21, threshold: 20 });
    assert.ok(Math.abs(since - Date.now()) < 10_000);
    const hook = await receiver.find(({ url }) => url === '/hook');
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = hook.headers;
    const key = Buffer.from(MORE.HOOK_SECRET.slice('whsec_'.length), 'base64');
    assert.equal(signature, `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${hook.body}`).digest('base64')}`);
    const body = JSON.parse(hook.body);
    assert.deepEqual([body.type, body.data.rule, body.data.value, body.data.id], ['alert.firing', 'failures', 21, id]);
    const chat = await receiver.find(({ url }) => url.startsWith('/services/'));
    assert.equal(JSON.parse(chat.body).text, 'edgegate: failures is firing: 21, more than 20');
    await sleep(300);
    assert.equal(receiver.taken.length, 2, 'each once');
    assert.equal((await report('telling')).waiting, 0);
  });
});

describe('events', () => {
  test('are what their schema says, of pseudonyms and networks, and hold no secret', async () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const isEvent = ajv.compile(JSON.parse(readFileSync(path.join(ROOT, 'pkg/schema/event.schema.json'), 'utf8')));
    const subject = `subject-${randomBytes(8).toString('hex')}`;
    const jti = randomBytes(12).toString('hex');
    const ip = '203.0.113.77';
    const good = token({ sub: subject, jti });
    for (let at = 0; at < 3; at += 1) await gate.get('/v1/other?secret=1', { token: good, ip, headers: { 'User-Agent': 'curl/8.5.0' } });
    await gate.get('/v1/posts', { token: good, ip });
    await gate.get('/auth/admin/keys', { token: SECRETS.ADMIN_TOKEN });
    const { events } = await report('gate');
    for (const event of events) assert.ok(isEvent(event), JSON.stringify([event, isEvent.errors]));
    const own = events.filter(({ network }) => network === '203.0.113.0/24');
    // Three requests of one caller within the hour are one event; a refusal is another.
    assert.deepEqual(own.map(({ event, code, agent }) => [event, code, agent]), [['refused', 'INSUFFICIENT_SCOPE', undefined], ['admitted', undefined, 'curl']]);
    assert.equal(own[0].subject, own[1].subject);
    assert.match(own[0].subject, /^s[0-9a-f]{16}$/);
    assert.ok(events.some(({ event, actor, route }) => event === 'administered' && actor === 'admin' && route === '/auth/admin/keys'));
    // Who looks at the watch changes nothing in it; who may not is told.
    assert.ok(!events.some(({ route, status }) => route === '/auth/admin/watch' && status === 200));
    const stored = (await gate.get('/__test/dump')).text;
    assert.ok(stored.includes('fine/'));
    const everything = stored + JSON.stringify(events) + receiver.taken.map(({ body }) => body).join('');
    for (const secret of [subject, jti, ip, good, good.split('.')[2], ...Object.values(secrets), 'secret=1']) assert.ok(!everything.includes(secret), secret);
  });
});

describe('where a request comes from, as the platform knows it', () => {
  /** The last event of a network. */
  const seen = async (cf, ip, headers = {}) => {
    await gate.get('/v1/other', { token: token({ jti: randomBytes(12).toString('hex') }), ip, headers: { 'MF-CF-Blob': JSON.stringify(cf), ...headers } });
    const { events } = await report('gate');
    const { country, asn, agent, colo } = events.find(({ network }) => network === ip.replace(/\d+$/, '0/24'));
    return { country, asn, agent, colo };
  };

  test('is in the event of a caller', async () => {
    const cf = { country: 'DE', asn: 64_496, colo: 'FRA', latitude: '50.1', longitude: '8.7', city: 'Frankfurt', tlsClientAuth: { certVerified: 'NONE' } };
    assert.deepEqual(await seen(cf, '203.0.113.130', { 'User-Agent': 'curl/8.5.0' }), { country: 'DE', asn: 64_496, agent: 'curl', colo: 'FRA' });
    assert.ok(!(await gate.get('/__test/dump')).text.includes('Frankfurt'));
  });

  test('is left out where it is not known, or is nothing that the platform says', async () => {
    const nothing = { country: undefined, asn: undefined, agent: undefined, colo: undefined };
    assert.deepEqual(await seen({}, '198.18.1.1'), nothing);
    assert.deepEqual(await seen({ country: 'D"', asn: 'many', colo: 'a place' }, '198.18.2.1'), nothing);
    assert.deepEqual(await seen({ country: 'DE\n1\nx', colo: 'FRA' }, '198.18.3.1'), nothing);
  });

  test('has no more of a program than its beginning says', async () => {
    const headers = { 'User-Agent': `${'x'.repeat(5000)}curl/` };
    assert.deepEqual(await seen({ country: 'DE', asn: '64496' }, '198.18.4.1', headers), { country: 'DE', asn: 64_496, agent: 'other', colo: undefined });
  });
});

describe('guesses at the doors of the gate itself', () => {
  test('are failures as elsewhere: the secret of metrics', async () => {
    const ip = freshIp();
    for (let at = 0; at < 101; at += 1) refused(await gate.get('/auth/metrics', { gate: 'doors', token: `guess-${at}`.padEnd(40, 'x'), ip }), 'INVALID_TOKEN');
    const told = await report('doors');
    const { rule, state, value } = told.alerts[0];
    assert.deepEqual([rule, state, value], ['failures', 'firing', 101]);
    assert.deepEqual(told.routes.find(({ route }) => route === '/auth/metrics'), { route: '/auth/metrics', admitted: 0, refused: 101 });
    // Who asks without a secret guesses nothing.
    refused(await gate.get('/auth/metrics', { gate: 'doors' }), 'MISSING_CREDENTIALS');
    assert.equal((await report('doors')).alerts[0].value, 101);
  });
});

test('a fault in the alarm does not stop the clock of the object', async () => {
  await report('gate');
  const object = (what) => gate.get(`/__test/object?do=${what}`);
  await object('X-Break');
  assert.ok(await gate.output.find((line) => line.includes('watch: a row of the watch has an unknown name')));
  const next = await eventually(async () => (await object('X-Clock')).json());
  assert.ok(next - Date.now() > 30_000 && next - Date.now() <= 60_000, `in ${next - Date.now()} ms`);
  await object('X-Mend');
  await report('gate');
});

test('nothing trapped, and no secret was printed', () => gate.assertQuiet());
