// The watch of the package: what gates count, alone and together over Redis, to the unit; and who is told.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import express from 'express';

import { guard } from '../../pkg/wasm/express.js';
import { redisStore } from '../../pkg/wasm/node.js';
import { NOW, SECRETS, bearer, gateOf, policy, request, token } from './gate.mjs';
import { CLIENTS, KINDS, startAll, startRedis, until } from './redis-server.mjs';

const HOOK = `whsec_${randomBytes(32).toString('base64')}`;
const secret = () => randomBytes(32).toString('hex');
const all = { ...SECRETS, METRICS_SECRET: secret(), HOOK_SECRET: HOOK, CLERK_TOKEN: secret(), WATCH_SECRET: secret() };
const POLICY = (watch = {}, rest = {}) => policy({
  admin: { secrets: [{ name: 'root', secret: 'ADMIN_TOKEN', roles: ['all'] }, { name: 'clerk', secret: 'CLERK_TOKEN', roles: ['keys'] }] },
  watch: { secret: 'WATCH_SECRET', metrics_secret: 'METRICS_SECRET', ...watch },
  ...rest,
});

const forged = () => request('/v1/posts', bearer(`${token().slice(0, -4)}AAAA`));
let addresses = 0;
/** Each from an address of its own: one that has too many failures is not looked at any more. */
const refuse = async (gate, times) => {
  for (let count = 0; count < times; count += 1) {
    const clientIp = `198.18.${addresses >> 8}.${addresses & 255}`;
    addresses += 1;
    assert.equal((await gate.check(forged(), { clientIp })).code, 'INVALID_TOKEN');
  }
};
const admit = async (gate, times) => {
  for (let count = 0; count < times; count += 1) assert.equal((await gate.check(request('/v1/posts', bearer(token({ scope: 'read:posts' }))))).ok, true);
};
const STEPS = ['push', 'lease', 'release', 'rows', 'peek', 'commit'];
const alertOf = ({ alerts }, name) => alerts.find(({ rule }) => rule === name);

/** A receiver of webhooks. `answers` are the statuses of the next ones; then 200. */
async function receiver(t, answers = []) {
  const got = [];
  const server = http.createServer(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += chunk;
    got.push({ url: incoming.url, headers: incoming.headers, body });
    response.statusCode = answers.shift() ?? 200;
    response.end();
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  }));
  return { got, sink: { name: 'ops', kind: 'webhook', url: `http://127.0.0.1:${server.address().port}/hook`, secret: 'HOOK_SECRET' } };
}

function checkSigned({ headers, body }) {
  const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const mac = createHmac('sha256', Buffer.from(HOOK.slice('whsec_'.length), 'base64')).update(text).digest('base64');
  assert.equal(headers['webhook-signature'], `v1,${mac}`);
  return JSON.parse(body);
}

describe('a gate alone', () => {
  test('counts every decision, and tells of each window', async () => {
    const { gate, clock } = gateOf({ policy: POLICY(), secrets: all });
    await admit(gate, 3);
    await refuse(gate, 5);
    await gate.check(request('/v1/posts'));
    const report = await gate.watch.read();
    assert.deepEqual(report.decisions, { admitted: 3, refused: 6 });
    assert.deepEqual(report.codes, { INVALID_TOKEN: 5, MISSING_CREDENTIALS: 1 });
    assert.deepEqual(report.reasons, { bad_signature: 5, missing_credentials: 1 });
    assert.deepEqual([report.windowSecs, report.dataAgeSecs, report.dropped, report.lost, report.isolates], [900, 0, 0, 0, 1]);
    assert.deepEqual(report.networks, [{ network: '198.18.0.0/24', failures: 5 }]);
    clock.now += 1000;
    assert.deepEqual((await gate.watch.read({ window: '15m' })).decisions, { admitted: 0, refused: 0 });
    assert.deepEqual((await gate.watch.read({ window: '1h' })).decisions, { admitted: 3, refused: 6 });
    const metrics = await gate.metrics();
    assert.match(metrics, /^edgegate_decisions_total\{outcome="refused",code="INVALID_TOKEN",reason="bad_signature",carrier="bearer",route="[^"]+"\} 5$/m);
    await assert.rejects(gate.watch.read({ window: '8d' }), { code: 'INVALID_REQUEST', path: 'window' });
    await assert.rejects(gate.watch.read({ windows: '8d' }), { code: 'CONFIG_ERROR', path: 'windows' });
  });

  test('names nobody', async () => {
    const { gate } = gateOf({ policy: POLICY(), secrets: all });
    const jti = 'a-token-of-alice';
    const mine = token({ scope: 'read:posts', jti });
    await gate.check(request('/v1/posts', bearer(mine)), { clientIp: '192.0.2.77' });
    const text = JSON.stringify(await gate.watch.read());
    for (const name of ['alice', jti, mine, '192.0.2.77']) assert.ok(!text.includes(name), name);
    assert.match(text, /"network":"192\.0\.2\.0\/24"/);
  });

  test('answers the administrator, and Prometheus, and counts guesses of their secrets', async () => {
    const { gate, events } = gateOf({ policy: POLICY(), secrets: all });
    await refuse(gate, 2);
    assert.equal(gate.mayHandle('/auth/metrics'), true);
    assert.equal(gate.mayHandle('/v1/posts'), false);
    const ask = (path, secret, method = 'GET') => gate.handle(request(path, secret && bearer(secret), method));
    const report = await ask('/auth/admin/watch?window=5m', all.ADMIN_TOKEN);
    assert.equal(report.status, 200);
    assert.deepEqual(Object.fromEntries(report.headers), { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    const { window_secs: window, decisions } = JSON.parse(report.body);
    assert.deepEqual([window, decisions], [300, { admitted: 0, refused: 2 }]);
    for (const secret of [all.METRICS_SECRET, all.ADMIN_TOKEN]) {
      const metrics = await ask('/auth/metrics', secret);
      assert.equal(metrics.status, 200);
      assert.match(metrics.body, /^edgegate_failed_authentications_total\{route="[^"]+"\} 2$/m);
    }
    const codes = [];
    for (const [path, secret, method] of [
      ['/auth/admin/watch'], ['/auth/admin/watch', 'wrong'], ['/auth/admin/watch', all.METRICS_SECRET], ['/auth/metrics', all.CLERK_TOKEN],
      ['/auth/metrics'], ['/auth/admin/watch?window=9d', all.ADMIN_TOKEN], ['/auth/admin/watch', all.ADMIN_TOKEN, 'DELETE'],
    ]) {
      const { status, body } = await ask(path, secret, method);
      codes.push([status, JSON.parse(body).code]);
    }
    assert.deepEqual(codes, [
      [401, 'MISSING_CREDENTIALS'], [401, 'INVALID_TOKEN'], [401, 'INVALID_TOKEN'], [403, 'INSUFFICIENT_SCOPE'],
      [401, 'MISSING_CREDENTIALS'], [400, 'INVALID_REQUEST'], [405, 'METHOD_NOT_ALLOWED'],
    ]);
    const { codes: counted } = await gate.watch.read();
    assert.deepEqual([counted.MISSING_CREDENTIALS, counted.INVALID_TOKEN], [2, 4]);
    assert.equal(events.filter(({ event }) => event === 'administered').length, 3);
    assert.equal(await ask('/auth/admin/keys', all.ADMIN_TOKEN), undefined);
    const without = gateOf({ policy: policy(), secrets: all }).gate;
    assert.equal(without.mayHandle('/auth/metrics'), false);
    await assert.rejects(without.watch.read(), { code: 'CONFIG_ERROR', path: 'watch' });
    await assert.rejects(without.metrics(), { code: 'CONFIG_ERROR', path: 'watch' });
    await without.close();
  });

  test('by an adapter', async (t) => {
    const { gate } = gateOf({ policy: POLICY(), secrets: all });
    const app = express();
    app.use(guard(gate, { caseSensitive: true }), (_, response) => response.send('the application'));
    const server = http.createServer(app);
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    t.after(() => server.close());
    const ask = (path, secret) => fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: { ...(secret && bearer(secret)), connection: 'close' } });
    assert.equal((await ask('/v1/posts')).status, 401);
    const report = await ask('/auth/admin/watch', all.ADMIN_TOKEN);
    assert.deepEqual((await report.json()).codes, { MISSING_CREDENTIALS: 1 });
    assert.match(await (await ask('/auth/metrics', all.METRICS_SECRET)).text(), /^edgegate_decisions_total/m);
  });

  test('tells of an alert by itself, within seconds, signed, and of its end', async (t) => {
    const { got, sink } = await receiver(t, [503]);
    const { gate, clock } = gateOf({ policy: POLICY({ sinks: [sink] }), secrets: all });
    await refuse(gate, 101);
    await until(async () => got.length === 1);
    assert.equal((await gate.watch.read()).waiting, 1);
    clock.now += 10;
    await gate.close();
    assert.equal(got.length, 2);
    const [first, second] = got.map(checkSigned);
    assert.deepEqual(first, second);
    assert.equal(got[0].headers['webhook-id'], got[1].headers['webhook-id']);
    assert.deepEqual([first.type, first.data.rule, first.data.value], ['alert.firing', 'failures', 101]);
    for (let step = 0; step < 3; step += 1) {
      clock.now += 301;
      await gate.close();
    }
    assert.deepEqual(got.slice(2).map((one) => checkSigned(one).type), ['alert.resolved']);
  });

  test('tells Sentry by its DSN, in an envelope of its own type, and knows no queue', async (t) => {
    const { got, sink: { url } } = await receiver(t, []);
    const dsn = `${new URL(url).origin.replace('//', '//0123abcd@')}/7`;
    const { gate } = gateOf({ policy: POLICY({ sinks: [{ name: 'errors', kind: 'sentry', url: dsn }] }), secrets: all });
    await refuse(gate, 101);
    await gate.close();
    const [{ headers, url: asked, body }] = got;
    assert.deepEqual([asked, headers['content-type'], headers['x-sentry-auth']], ['/api/7/envelope/', 'application/x-sentry-envelope', 'Sentry sentry_version=7, sentry_key=0123abcd']);
    assert.equal(JSON.parse(body.split('\n')[2]).tags.rule, 'failures');
    const queue = { name: 'own', kind: 'queue', binding: 'ALERTS' };
    assert.throws(() => gateOf({ policy: POLICY({ sinks: [queue] }), secrets: all }), {
      code: 'CONFIG_ERROR', path: 'watch.sinks[0].binding', message: 'watch.sinks[0].binding: the Worker alone has queues: watch.sinks takes a function',
    });
  });

  test('keeps no process running', async () => {
    const child = fork(fileURLToPath(new URL('watch-quiet-process.mjs', import.meta.url)));
    child.send({ policy: POLICY(), secrets: all });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
  });

  test('sinks that are functions: told again after a fault, and refused where they cannot be', async () => {
    const told = [];
    const later = [];
    const sinks = {
      mine: async (event) => { told.push(event); },
      weak: async (event) => {
        later.push(event);
        if (later.length === 1) throw new Error('not now: a secret');
      },
    };
    const { gate, clock, events } = gateOf({ policy: POLICY(), secrets: all, watch: { sinks } });
    await refuse(gate, 101);
    await gate.close();
    clock.now += 10;
    await gate.close();
    assert.deepEqual(told.map(({ event, rule }) => [event, rule]), [['firing', 'failures']]);
    assert.deepEqual(later, [told[0], told[0]]);
    assert.deepEqual(events.filter(({ event }) => event === 'fault').map(({ detail }) => detail), ['watch: the sink weak has not taken an event: it failed']);
    const given = { policy: POLICY({ sinks: [{ name: 'ops', kind: 'slack', url: 'https://chat.example.com/x' }] }), secrets: all };
    for (const [options, path] of [
      [{ watch: { sinks: { ops: sinks.mine } } }, 'watch.sinks.ops'], [{ watch: { sinks: { mine: 1 } } }, 'watch.sinks.mine'], [{ watch: { sinks: { 'a b': sinks.mine } } }, 'watch.sinks'],
      [{ watch: { sink: {} } }, 'watch.sink'], [{ policy: policy(), watch: { sinks } }, 'watch.sinks'], [{ stores: { watch: {} } }, 'stores.watch'],
    ]) assert.throws(() => gateOf({ ...given, ...options }), { code: 'CONFIG_ERROR', path }, path);
  });
});

describe('gates over one Redis', () => {
  let redis;
  before(async () => { redis = await startRedis(); });
  after(() => redis?.stop());

  const connected = async (t, prefix) => {
    const { client, close } = await CLIENTS.redis(redis.port);
    t.after(close);
    return redisStore(client, { prefix });
  };
  const together = async (t, count, prefix, options = {}, between = (watch) => watch) => {
    const gates = [];
    for (let place = 0; place < count; place += 1) {
      const { watch } = await connected(t, prefix);
      gates.push(gateOf({ policy: POLICY(), secrets: all, ...options, stores: { watch: { watch: between(watch) } } }));
    }
    return gates;
  };

  test('four count as one, exactly, whichever is asked', async (t) => {
    const made = await together(t, 4, 'exact:');
    const gates = made.map(({ gate }) => gate);
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(gates.map(async (gate, place) => {
        await admit(gate, place + 1);
        await refuse(gate, 7);
        if ((round + place) % 2 === 0) await gate.watch.read();
      }));
    }
    await Promise.all(gates.map((gate) => gate.close()));
    for (const gate of gates) {
      const { decisions, codes, isolates, lost, dropped } = await gate.watch.read();
      assert.deepEqual([decisions, codes, isolates, lost, dropped], [{ admitted: 50, refused: 140 }, { INVALID_TOKEN: 140 }, 4, 0, 0]);
    }
    // A gate that comes later, with nothing of its own.
    const [{ gate: late }] = await together(t, 1, 'exact:');
    assert.deepEqual((await late.watch.read()).decisions, { admitted: 50, refused: 140 });
    assert.match(await late.metrics(), /code="INVALID_TOKEN".* 140$/m);
  });

  test('answers that get lost, steps that do not come through and leases that end: nothing is lost, nothing counted twice', async (t) => {
    let seed = 1;
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    let isCalm = false;
    const faulty = (watch) => Object.fromEntries(STEPS.map((name) => [name, async (...given) => {
      const chance = isCalm ? 1 : random();
      if (chance < 0.15) throw new Error('did not come through');
      const answer = await watch[name](...given);
      if (chance < 0.3) throw new Error('the answer is lost');
      return answer;
    }]));
    const made = await together(t, 4, 'faults:', {}, faulty);
    const inspector = redis.inspect();
    t.after(() => inspector.close());
    for (let round = 0; round < 40; round += 1) {
      await Promise.all(made.map(async ({ gate, clock }) => {
        await refuse(gate, 3);
        clock.now += 1;
        await gate.close();
      }));
      if (round % 3 === 0) await inspector.send('DEL', 'faults:{watch}/keeper');
    }
    isCalm = true;
    for (let round = 0; round < 3; round += 1) for (const { gate } of made) await gate.close();
    const { decisions, lost } = await made[0].gate.watch.read({ window: '1h' });
    assert.deepEqual([decisions, lost], [{ admitted: 0, refused: 480 }, 0]);
    assert.equal(await inspector.send('LLEN', 'faults:{watch}/queue'), 0);
  });

  for (const [dieAt, step] of [['after', 'push'], ['before', 'peek'], ['before', 'commit'], ['after', 'commit']]) {
    test(`a gate that is killed ${dieAt} ${step}: what was taken from it is counted once`, async (t) => {
      const child = fork(fileURLToPath(new URL('watch-process.mjs', import.meta.url)));
      t.after(() => child.kill('SIGKILL'));
      const inspector = redis.inspect();
      t.after(() => inspector.close());
      await inspector.send('FLUSHALL');
      child.send({ port: redis.port, policy: POLICY(), secrets: all, times: 25, dieAt, step, now: NOW });
      assert.deepEqual((await once(child, 'message'))[0], 'there');
      child.kill('SIGKILL');
      await once(child, 'exit');
      const [{ gate }] = await together(t, 1, 'edgegate:');
      await refuse(gate, 5);
      // Its lease has not ended, but what it has handed over is there.
      assert.deepEqual((await gate.watch.read()).decisions, { admitted: 0, refused: 30 });
      await inspector.send('DEL', 'edgegate:{watch}/keeper');
      await gate.close();
      const report = await gate.watch.read();
      assert.deepEqual([report.decisions, report.isolates], [{ admitted: 0, refused: 30 }, 2]);
      assert.equal(await inspector.send('LLEN', 'edgegate:{watch}/queue'), 0);
    });
  }

  test('an alert that no gate would see alone is told once, signed', async (t) => {
    const { got, sink } = await receiver(t);
    const made = await together(t, 4, 'alert:', { policy: POLICY({ sinks: [sink] }) });
    await Promise.all(made.map(({ gate }) => refuse(gate, 30)));
    for (let round = 0; round < 3; round += 1) {
      for (const { gate, clock } of made) {
        clock.now += 1;
        await gate.close();
      }
    }
    assert.deepEqual(got.map((one) => checkSigned(one).data.value > 100), [true]);
    assert.equal(alertOf(await made[0].gate.watch.read(), 'failures').state, 'firing');
  });

  test('a gate that cannot read the rows gives the lease back to one that can', async (t) => {
    const odd = (watch) => ({ ...Object.fromEntries(STEPS.map((name) => [name, (...given) => watch[name](...given)])), rows: async () => [...await watch.rows(), ['of a later version', '1']] });
    const [{ gate: old, events }] = await together(t, 1, 'later:', {}, odd);
    const [{ gate }] = await together(t, 1, 'later:');
    await refuse(old, 2);
    await old.close();
    await refuse(old, 3);
    await assert.rejects(old.watch.read(), { code: 'STORE_UNAVAILABLE' });
    assert.deepEqual((await gate.watch.read()).decisions, { admitted: 0, refused: 5 });
    assert.ok(events.some(({ detail }) => detail === 'watch: a row of the watch has an unknown name'), JSON.stringify(events.at(-1)));
  });

  test('a Redis that does not answer stops no request, and the log says what is wrong', async (t) => {
    const own = await startRedis();
    const { client, close } = await CLIENTS.ioredis(own.port);
    t.after(close);
    const { gate, events } = gateOf({ policy: POLICY(), secrets: all, stores: { watch: redisStore(client) } });
    await own.stop();
    await refuse(gate, 3);
    await gate.close();
    await assert.rejects(gate.watch.read(), { code: 'STORE_UNAVAILABLE' });
    const faults = events.filter(({ event }) => event === 'fault').map(({ detail }) => detail);
    assert.ok(faults.length > 0 && faults.every((detail) => detail.startsWith('watch: ')), JSON.stringify(faults));
  });
});

test('each kind of client has the steps of the watch', async (t) => {
  const servers = await startAll();
  t.after(() => servers.stop());
  for (const [name, { on, connect }] of Object.entries(KINDS)) {
    const { client, close } = await connect(servers[on]);
    try {
      const { watch } = redisStore(client, { prefix: `${name}:` });
      assert.equal(await watch.push('a\n"ü', 2), '', name);
      assert.equal(await watch.push('b', 2), '');
      assert.equal(await watch.push('c', 2), null);
      assert.deepEqual(await watch.peek(5), ['a\n"ü', 'b']);
      assert.deepEqual(await watch.rows(), []);
      assert.equal(await watch.commit('one', { millis: 9999, version: 0, taken: 1, rows: [] }), null);
      assert.equal(await watch.lease('one', 9999), 0);
      assert.equal(await watch.lease('other', 9999), null);
      assert.equal(await watch.commit('one', { millis: 9999, version: 1, taken: 1, rows: [] }), null);
      assert.equal(await watch.commit('one', { millis: 9999, version: 0, taken: 1, rows: [['told', 't'], ['x', 'é'], ['y', 'z']] }), 1);
      assert.equal(await watch.commit('one', { millis: 9999, version: 1, taken: 0, rows: [['y', null]] }), 2);
      assert.deepEqual((await watch.rows()).sort(), [['told', 't'], ['x', 'é']]);
      assert.deepEqual(await watch.peek(5), ['b']);
      assert.equal(await watch.push('c', 2), 't');
      assert.equal(await watch.lease('one', 9999), 2);
      await watch.release('other');
      assert.equal(await watch.lease('other', 9999), null);
      await watch.release('one');
      assert.equal(await watch.lease('other', 1), 2);
    } finally {
      await close();
    }
  }
});
