import { configError } from '../errors.js';
import { checkNames, string } from '../check.js';

/** KV reads at most this many keys in one operation. */
const MAX_BULK = 100;
/** KV takes no shorter time to live. A value that must not be believed after its end says itself when it ends. */
const MIN_TTL_SECS = 60;
/** `expirationTtl` of KV is an integer of 32 bits. A value that ends later says so itself, and stays in KV. */
const MAX_TTL_SECS = 2 ** 31 - 1;
/** KV takes keys of at most 512 bytes. The gate's own have at most 85. */
const MAX_PREFIX_BYTES = 400;

/** `kvStore` of index.d.ts. It has no `compareAndSet`, since KV has none. */
class KvStore {
  #binding;
  #prefix;
  /** Becomes false if the binding is older than bulk reads. */
  #readsInBulk = true;

  constructor(binding, options = {}) {
    const methods = ['get', 'put', 'delete', 'list'];
    if (typeof binding !== 'object' || binding === null || !methods.every((name) => typeof binding[name] === 'function')) {
      throw configError('binding', 'expected a KV namespace, such as env.MY_KV');
    }
    checkNames(options, ['prefix'], '');
    const { prefix = '' } = options;
    this.#binding = binding;
    this.#prefix = prefix === '' ? '' : checkPrefix(prefix);
  }

  async get(keys) {
    const values = [];
    for (let from = 0; from < keys.length; from += MAX_BULK) {
      values.push(...await this.#read(keys.slice(from, from + MAX_BULK).map((key) => this.#prefix + key)));
    }
    return values;
  }

  async put(key, value, { ttlSecs } = {}) {
    await this.#binding.put(this.#prefix + key, value, expiry(ttlSecs));
  }

  async delete(key) {
    await this.#binding.delete(this.#prefix + key);
  }

  async list(prefix, { cursor, limit }) {
    const page = await this.#binding.list({ prefix: this.#prefix + prefix, cursor, limit });
    return {
      keys: page.keys.map(({ name }) => name.slice(this.#prefix.length)),
      cursor: page.list_complete || !page.cursor ? undefined : page.cursor,
    };
  }

  async #read(names) {
    if (names.length === 1) return [await this.#binding.get(names[0])];
    if (this.#readsInBulk) {
      const found = await this.#binding.get(names);
      if (found instanceof Map) return names.map((name) => found.get(name) ?? null);
      this.#readsInBulk = false;
    }
    return Promise.all(names.map((name) => this.#binding.get(name)));
  }
}

function expiry(ttlSecs) {
  if (ttlSecs === undefined || ttlSecs > MAX_TTL_SECS) return {};
  return { expirationTtl: Math.max(MIN_TTL_SECS, Math.ceil(ttlSecs)) };
}

function checkPrefix(prefix) {
  if (new TextEncoder().encode(string(prefix, 'prefix')).length > MAX_PREFIX_BYTES) {
    throw configError('prefix', `expected at most ${MAX_PREFIX_BYTES} bytes`);
  }
  return prefix;
}

export const kvStore = (binding, options) => new KvStore(binding, options);
