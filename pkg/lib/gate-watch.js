import { checkNames } from './check.js';
import { configError } from './errors.js';
import { tellSink } from './remote.js';
import { within } from './within.js';

/** The same as for other stores. */
const STORE_MILLIS = 2000;
/** The same as for sinks of the policy. */
const SINK_MILLIS = 10_000;

const METHODS = ['push', 'lease', 'release', 'rows', 'peek', 'commit'];

export function checkWatchStore(store) {
  const missing = METHODS.filter((one) => typeof store?.watch?.[one] !== 'function');
  if (missing.length > 0) throw configError('stores.watch', `expected a store like redisStore(client), watch.${missing[0]} missing`);
}

/** The option `watch` of a gate. */
export function sinksOf(options) {
  checkNames(options, ['sinks'], 'watch');
  const { sinks = {} } = options;
  checkNames(sinks, Object.keys(sinks ?? {}), 'watch.sinks');
  for (const [name, tell] of Object.entries(sinks)) {
    if (typeof tell !== 'function') throw configError(`watch.sinks.${name}`, 'expected a function that is told of an event');
  }
  return sinks;
}

/** The jobs of the engine for the watch (crates/engine/src/gate/task.rs). */
export function watchJobs(store, sinks) {
  const ask = (promised) => within(promised, STORE_MILLIS);
  return {
    watchPush: ({ text, most }) => ask(store.push(text, most)),
    watchLease: ({ holder, millis }) => ask(store.lease(holder, millis)),
    watchRelease: ({ holder }) => ask(store.release(holder)),
    watchRows: () => ask(store.rows()),
    watchPeek: ({ count }) => ask(store.peek(count)),
    watchCommit: ({ holder, ...change }) => ask(store.commit(holder, change)),
    tellSink,

    async tellFunction({ sink, event }) {
      if (!Object.hasOwn(sinks, sink)) return null;
      await within(sinks[sink](event), SINK_MILLIS);
      return true;
    },
  };
}

const camelCase = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/** `Gate.watch` of index.d.ts. */
export class WatchReader {
  #ask;

  constructor(ask) {
    this.#ask = ask;
  }

  async read(options = {}) {
    checkNames(options, ['window'], '');
    const { window } = options;
    if (window !== undefined && typeof window !== 'string') throw configError('window', 'expected a time like 15m');
    const report = await this.#ask('watch', { report: { window } });
    // What is in it has names of the policy, of codes and of the event's schema.
    return Object.fromEntries(Object.entries(report).map(([name, value]) => [camelCase(name), value]));
  }

  metrics() {
    return this.#ask('watch', { metrics: {} });
  }
}
