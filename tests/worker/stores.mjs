// Bindings that fail when they are told to: a KV namespace and a Durable Object namespace, around real ones or none. They are put
// in by `wrapped-bindings.mjs`, so the Worker runs unchanged.

/** The mode is what the test writes under `mode` in the inner namespace. */
export const MODES = ['ok', 'fail', 'hang', 'garbage', 'slow', 'busy'];

const KV_SCRIPT = `
const never = () => new Promise(() => {});
class KvNamespace {
  #inner;
  constructor(inner) { this.#inner = inner; }
  async #act(name, parameters) {
    const mode = await this.#inner.get('mode');
    await this.#inner.put('operation/' + crypto.randomUUID(), name);
    if (mode === 'fail') throw new Error('KV ' + name.toUpperCase() + ' failed: 500 Internal Server Error');
    if (mode === 'hang') return never();
    // KV refuses a second write of a key within a second. Here the third one is taken.
    if (mode === 'busy' && (name === 'put' || name === 'delete')) {
      const tries = Number((await this.#inner.get('tries/' + parameters[0])) ?? 0) + 1;
      await this.#inner.put('tries/' + parameters[0], String(tries));
      if (tries < 3) throw new Error('KV ' + name.toUpperCase() + ' failed: 429 Too Many Requests');
    }
    const result = await this.#inner[name](...parameters);
    // A read that has its answer but brings it late.
    if (mode === 'slow' && name === 'get') await new Promise((resolve) => setTimeout(resolve, 500));
    return result;
  }
  get(...parameters) { return this.#act('get', parameters); }
  getWithMetadata(...parameters) { return this.#act('getWithMetadata', parameters); }
  put(...parameters) { return this.#act('put', parameters); }
  delete(...parameters) { return this.#act('delete', parameters); }
  list(...parameters) { return this.#act('list', parameters); }
}
export default (env) => new KvNamespace(env.INNER);
`;

const COUNTERS_SCRIPT = `
class DurableObjectStub {
  #inner;
  constructor(inner) { this.#inner = inner; }
  async fetch() {
    const mode = await this.#inner.get('mode');
    if (mode === 'hang') return new Promise(() => {});
    if (mode === 'garbage') return new Response('<html>not yours</html>');
    throw new Error('Durable Object is overloaded');
  }
}
class DurableObjectNamespace {
  #inner;
  constructor(inner) { this.#inner = inner; }
  idFromName(name) { return { toString: () => name, name, equals: () => false }; }
  idFromString(name) { return this.idFromName(name); }
  get() { return new DurableObjectStub(this.#inner); }
  getByName() { return new DurableObjectStub(this.#inner); }
}
export default (env) => new DurableObjectNamespace(env.INNER);
`;

// Wraps the real objects. Each call is noted, and fails or hangs if told to.
const OBJECTS_SCRIPT = `
class DurableObjectStub {
  #inner;
  #stub;
  constructor(inner, stub) { this.#inner = inner; this.#stub = stub; }
  async fetch(request) {
    const mode = await this.#inner.get('mode');
    await this.#inner.put('operation/' + crypto.randomUUID(), 'fetch');
    if (mode === 'fail') throw new Error('Durable Object is overloaded');
    if (mode === 'hang') return new Promise(() => {});
    return this.#stub.fetch(request);
  }
}
class DurableObjectNamespace {
  #inner;
  #objects;
  constructor(inner, objects) { this.#inner = inner; this.#objects = objects; }
  idFromName(name) { return this.#objects.idFromName(name); }
  idFromString(id) { return this.#objects.idFromString(id); }
  get(id) { return new DurableObjectStub(this.#inner, this.#objects.get(id)); }
}
export default (env) => new DurableObjectNamespace(env.INNER, env.OBJECTS);
`;

const LEDGER_SCRIPT = `
class DurableObjectStub {
  #control; #inner;
  constructor(control, inner) { this.#control = control; this.#inner = inner; }
  async fetch(request) {
    const mode = await this.#control.get('mode');
    const body = await request.text();
    await this.#control.put('operation/' + crypto.randomUUID(), body.split('\\n')[0]);
    if (mode === 'fail') throw new Error('Durable Object is overloaded');
    if (mode === 'hang') return new Promise(() => {});
    if (mode === 'garbage') return new Response('<html>not yours</html>');
    if (mode === 'slow') await new Promise((resolve) => setTimeout(resolve, 600));
    return this.#inner.fetch(request.url, { method: 'POST', body });
  }
}
class DurableObjectNamespace {
  #control; #inner;
  constructor(env) { this.#control = env.INNER; this.#inner = env.LEDGER; }
  idFromName(name) { return { toString: () => name, name, equals: () => false }; }
  get({ name }) { return new DurableObjectStub(this.#control, this.#inner.get(this.#inner.idFromName(name))); }
}
export default (env) => new DurableObjectNamespace(env);
`;

/**
 * Returns the options of a worker whose bindings are watched and fail when they are told to, and the workers behind it. KV is the namespace
 * `kv`, the ledger is that of the worker `host`. `<name>-kv` and `<name>-ledger` control them.
 */
export function watched(name, { kv, host }) {
  return {
    worker: {
      kvNamespaces: [],
      durableObjects: { EDGEGATE_COUNTERS: { className: 'CounterObject', useSQLite: true } },
      wrappedBindings: { EDGEGATE_KV: `${name}-kv`, EDGEGATE_LEDGER: `${name}-ledger` },
    },
    behind: [
      { name: `${name}-kv`, modules: true, kvNamespaces: { INNER: kv }, script: KV_SCRIPT },
      {
        name: `${name}-ledger`,
        modules: true,
        kvNamespaces: { INNER: `${name}-ledger-control` },
        durableObjects: { LEDGER: { className: 'RevocationLedger', scriptName: host, useSQLite: true } },
        script: LEDGER_SCRIPT,
      },
    ],
  };
}

/** Worker options that put the faulty bindings in place of the real ones. */
export const faultyKv = { kvNamespaces: [], wrappedBindings: { EDGEGATE_KV: 'faulty-kv' } };
export const faultyCounters = { durableObjects: {}, wrappedBindings: { EDGEGATE_COUNTERS: 'faulty-counters' } };

/** The workers behind them. */
export const faultyWorkers = [
  { name: 'faulty-kv', modules: true, kvNamespaces: { INNER: 'faulty-kv' }, script: KV_SCRIPT },
  { name: 'faulty-counters', modules: true, kvNamespaces: { INNER: 'faulty-counters' }, script: COUNTERS_SCRIPT },
];

/**
 * Returns a gate beside `host`, and the worker of its binding. The gate has the same counter objects behind a binding that notes each call;
 * `control(gate, binding)` counts the calls and breaks it.
 */
export function sharedObjects(name, host) {
  const objects = { OBJECTS: { className: 'CounterObject', scriptName: host, useSQLite: true } };
  return {
    worker: { durableObjects: {}, wrappedBindings: { EDGEGATE_COUNTERS: name } },
    binding: { name, modules: true, kvNamespaces: { INNER: name }, durableObjects: objects, script: OBJECTS_SCRIPT },
  };
}

/** Controls a faulty binding. `name` is that of its worker. */
export async function control(gate, name) {
  const inner = await gate.mf.getKVNamespace('INNER', name);
  const operations = async () => (await inner.list({ prefix: 'operation/' })).keys.length;
  return {
    inner,
    operations,
    set: (mode) => inner.put('mode', mode),
    /** Returns how many operations the Worker asked for while `step` ran. */
    async operationsDuring(step) {
      const before = await operations();
      await step();
      return (await operations()) - before;
    },
  };
}
