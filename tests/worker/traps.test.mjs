// The Worker after a trap: the request that met it fails, and later requests do not notice.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { BUILD, admitted, apiKey, gateWorker, policy, refused, start, token } from './harness.mjs';

/** (module (func (export "trap") unreachable)) */
const TRAP = Buffer.from('AGFzbQEAAAABBAFgAAADAgEABwgBBHRyYXAAAAoFAQMAAAs=', 'base64');

/** Wraps the module's exports. `X-Trap` has the beginning of a name: the first export called with such a name traps. */
const ARMED = `
import trapModule from './trap.wasm';
const { trap } = new WebAssembly.Instance(trapModule).exports;
const { Instance } = WebAssembly;
const state = { armed: undefined, instances: 0 };
WebAssembly.Instance = function (module, imports) {
  const { exports } = new Instance(module, imports);
  state.instances += 1;
  const wrap = ([name, value]) => {
    if (typeof value !== 'function') return [name, value];
    return [name, (...rest) => {
      if (state.armed !== undefined && name.startsWith(state.armed)) {
        state.armed = undefined;
        trap();
      }
      return value(...rest);
    }];
  };
  return { exports: Object.fromEntries(Object.entries(exports).map(wrap)) };
};
export default state;
`;

const MAIN = `
import state from './armed.js';
import gate from './index.js';
export * from './index.js';
export default {
  fetch(request, env, context) {
    if (new URL(request.url).pathname === '/instances') return new Response(String(state.instances));
    state.armed = request.headers.get('X-Trap') ?? undefined;
    return gate.fetch(request, env, context);
  },
};
`;

const MODULES = () => [
  { type: 'ESModule', path: path.join(BUILD, 'main.js'), contents: MAIN },
  { type: 'ESModule', path: path.join(BUILD, 'armed.js'), contents: ARMED },
  { type: 'CompiledWasm', path: path.join(BUILD, 'trap.wasm'), contents: TRAP },
  { type: 'ESModule', path: path.join(BUILD, 'index.js') },
  { type: 'CompiledWasm', path: path.join(BUILD, 'index_bg.wasm'), contents: readFileSync(path.join(BUILD, 'index_bg.wasm')) },
];

describe('after a trap', () => {
  let gate;
  before(async () => {
    gate = await start([gateWorker({ policy: policy(), worker: { modules: MODULES() } })]);
  });
  // The gate's own `dispose` is not used, since this log is full of traps.
  after(() => gate.mf.dispose());

  const instances = async () => Number((await gate.get('/instances')).text);
  const trapped = async (name, target, options = {}) => {
    const before = await instances();
    const answer = await gate.get(target, { ...options, headers: { 'X-Trap': name } });
    assert.ok(answer.status >= 500, `${answer.status} ${answer.text}`);
    assert.doesNotMatch(answer.text, /"subject"/);
    assert.ok(await instances() > before);
  };
  const stillDecides = async () => {
    admitted(await gate.get('/v1/posts', { token: token({ scope: 'read:posts' }) }), { subject: 'alice' });
    assert.equal((await gate.get('/v1/posts', { token: 'invalid' })).status, 401);
    assert.equal((await gate.get('/v1/posts', { key: apiKey() })).status, 401);
  };

  test('at once: a new instance decides', async () => {
    await trapped('fetch', '/v1/posts', { token: token({ scope: 'read:posts' }) });
    await stillDecides();
  });

  test('while it waits for KV: a new instance decides', async () => {
    await trapped('wasm_bindgen__convert__closures', '/v1/posts', { token: token({ scope: 'read:posts', jti: 'x' }) });
    await stillDecides();
  });

  test('in a Durable Object: it is made anew, and counts on', async () => {
    const caller = token({ sub: 'counted' });
    const limited = () => gate.get('/v1/limited', { token: caller });
    for (let i = 0; i < 4; i += 1) assert.equal((await limited()).status, 200);
    await trapped('counterobject_fetch', '/v1/limited', { token: caller });
    assert.equal((await limited()).status, 200);
    assert.equal((await limited()).status, 429);
    await stillDecides();
  });
});

describe('a trap while a request is with its upstream', () => {
  const asked = [];
  let breaksOff = false;
  const upstream = http.createServer((request, response) => {
    if (breaksOff) return response.destroy();
    asked.push(response);
    upstream.emit('asked');
  });
  const caller = () => ({ token: token({ scope: 'read:posts' }) });
  let gate;
  before(async () => {
    await once(upstream.listen(0, '127.0.0.1'), 'listening');
    const given = policy({ upstream: `http://127.0.0.1:${upstream.address().port}`, revocation: undefined, log: 'all' });
    gate = await start([gateWorker({ policy: given, worker: { modules: MODULES() } })]);
  });
  after(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  after(() => gate.mf.dispose());

  /** A request that has reached the upstream. `answer` lets the upstream answer. */
  const passedOn = async (options = {}) => {
    const arrived = once(upstream, 'asked');
    const answered = gate.get('/v1/posts', { ...caller(), ...options }).catch(() => ({ status: 500, headers: {}, text: '' }));
    await arrived;
    return { answered, response: asked.at(-1) };
  };
  /** Breaks off, and again where workerd asks once more of itself. */
  const breakOff = async ({ answered, response }) => {
    breaksOff = true;
    response.destroy();
    await answered;
    breaksOff = false;
  };
  const trap = async () => assert.ok((await gate.get('/v1/posts', { ...caller(), headers: { 'X-Trap': 'fetch' } })).status >= 500);

  test('by another: it gets its answer, which is private', async () => {
    const { answered, response } = await passedOn();
    await trap();
    response.end('for alice');
    const answer = await answered;
    assert.deepEqual([answer.status, answer.text, answer.headers['cache-control']], [200, 'for alice', 'private']);
  });

  test('by another: what would have to be decided anew is not passed on as it is', async () => {
    const { answered, response } = await passedOn();
    await trap();
    response.setHeader('Cache-Control', 'max-age=60');
    response.end('for alice');
    const answer = await answered;
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.text, /for alice/);
  });

  test('by its own answer: it fails, and later requests do not notice', async () => {
    const { answered, response } = await passedOn({ headers: { 'X-Trap': 'wasm_bindgen__convert__closures' } });
    response.setHeader('Cache-Control', 'max-age=60');
    response.end('for alice');
    const answer = await answered;
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.text, /for alice/);
    const next = await passedOn();
    next.response.setHeader('Cache-Control', 'max-age=60');
    next.response.end('for alice');
    assert.equal((await next.answered).headers['cache-control'], 'private, max-age=60');
  });

  test('by what is said of another: nothing of it is asked of the new instance', async () => {
    for (const spoil of [
      ({ response }) => response.setHeader('Cache-Control', 'max-age=60').end('for alice'),
      breakOff,
    ]) {
      const from = gate.output.lines.length;
      const others = [await passedOn(), await passedOn()];
      const first = await passedOn({ headers: { 'X-Trap': 'wasm_bindgen__convert__closures' } });
      await spoil(first);
      assert.ok((await first.answered).status >= 500);
      for (const { answered, response } of others) {
        response.setHeader('Cache-Control', 'max-age=60').end('for alice');
        const { status, text } = await answered;
        assert.equal(status, 500);
        assert.doesNotMatch(text, /for alice/);
      }
      await gate.output.find((line) => line.startsWith('Critical RuntimeError'), from);
      const next = await passedOn();
      next.response.setHeader('Cache-Control', 'max-age=60').end('for alice');
      assert.equal((await next.answered).headers['cache-control'], 'private, max-age=60');
      for (const line of gate.output.lines.slice(from)) assert.doesNotMatch(line, /panicked|assertion failed/);
    }
  });

  test('by another, and then the upstream fails: it fails too, and a later one is told why', async () => {
    const first = await passedOn();
    await trap();
    await breakOff(first);
    assert.ok((await first.answered).status >= 500);
    const second = await passedOn();
    await breakOff(second);
    refused(await second.answered, 'UPSTREAM_ERROR');
  });
});
