import { configError } from '../errors.js';
import { checkNames, clock } from '../options.js';

/** At some 500 bytes each, 50 MB. */
const DEFAULT_MAX_ENTRIES = 100_000;

/** `memoryStore` of index.d.ts. */
class MemoryStore {
  #values = new Map();
  /** The time before which there is nothing to forget. */
  #nothingEndsBefore = Infinity;
  #maxEntries;
  #clock;

  constructor(options = {}) {
    checkNames(options, ['maxEntries', 'now'], '');
    const { maxEntries = DEFAULT_MAX_ENTRIES, now } = options;
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) throw configError('maxEntries', 'expected at least 1');
    this.#maxEntries = maxEntries;
    this.#clock = clock(now);
  }

  async get(keys) {
    const now = this.#clock();
    return keys.map((key) => this.#find(key, now));
  }

  async put(key, value, { ttlSecs } = {}) {
    this.#set(key, value, ttlSecs, this.#clock());
  }

  async delete(key) {
    this.#values.delete(key);
  }

  /** In the order of the names; the cursor is the last one of the page before. */
  async list(prefix, { cursor, limit }) {
    const now = this.#clock();
    const keys = [];
    for (const [key, { until }] of this.#values) {
      if (now < until && key.startsWith(prefix) && (cursor === undefined || key > cursor)) keys.push(key);
    }
    keys.sort((a, b) => (a < b ? -1 : 1));
    return { keys: keys.slice(0, limit), cursor: keys.length > limit ? keys[limit - 1] : undefined };
  }

  async compareAndSet(key, expected, next, { ttlSecs } = {}) {
    const now = this.#clock();
    if (this.#find(key, now) !== expected) return false;
    this.#set(key, next, ttlSecs, now);
    return true;
  }

  #find(key, now) {
    const found = this.#values.get(key);
    return found !== undefined && now < found.until ? found.value : null;
  }

  #set(key, value, ttlSecs, now) {
    if (this.#values.size >= this.#maxEntries && !this.#values.has(key)) this.#makeRoom(now);
    const until = ttlSecs === undefined ? Infinity : now + ttlSecs * 1000;
    this.#nothingEndsBefore = Math.min(this.#nothingEndsBefore, until);
    this.#values.set(key, { value, until });
  }

  /**
   * Only what has expired: to forget more would undo a revocation, or give a limit back. A full store is not gone through again before
   * something has expired, or whoever fills it would make every new name cost that.
   */
  #makeRoom(now) {
    if (now >= this.#nothingEndsBefore) {
      let next = Infinity;
      for (const [key, { until }] of this.#values) {
        if (now >= until) this.#values.delete(key);
        else next = Math.min(next, until);
      }
      this.#nothingEndsBefore = next;
    }
    if (this.#values.size >= this.#maxEntries) throw new Error(`the memory store is full: maxEntries is ${this.#maxEntries}`);
  }
}

export const memoryStore = (options) => new MemoryStore(options);
