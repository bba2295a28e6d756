import { configError } from '../errors.js';
import { checkNames, clock } from '../check.js';
import { REQUEST_SPACES } from './spaces.js';

/** With 500 bytes for each entry these are 50 MB. Counters and used proofs are shorter. */
const DEFAULT_MAX_ENTRIES = 100_000;

/** `memoryStore` of index.d.ts. */
class MemoryStore {
  /** Each space has the names with its prefix. The last one has all others. */
  #spaces;
  #clock;

  constructor(options = {}) {
    checkNames(options, ['maxEntries', 'now'], '');
    const { maxEntries = DEFAULT_MAX_ENTRIES, now } = options;
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) throw configError('maxEntries', 'expected at least 1');
    this.#spaces = [...REQUEST_SPACES, ''].map((prefix) => ({ prefix, entries: new Entries(maxEntries) }));
    this.#clock = clock(now);
  }

  async get(keys) {
    const now = this.#clock();
    return keys.map((key) => this.#of(key).find(key, now));
  }

  async put(key, value, { ttlSecs } = {}) {
    this.#of(key).set(key, value, ttlSecs, this.#clock());
  }

  async delete(key) {
    this.#of(key).delete(key);
  }

  /** Lists in the order of the names. The cursor is the last name of the page before. */
  async list(prefix, { cursor, limit }) {
    const now = this.#clock();
    const keys = this.#spaces.flatMap(({ entries }) => entries.names(prefix, now)).filter((key) => cursor === undefined || key > cursor);
    keys.sort((a, b) => (a < b ? -1 : 1));
    return { keys: keys.slice(0, limit), cursor: keys.length > limit ? keys[limit - 1] : undefined };
  }

  async compareAndSet(key, expected, next, { ttlSecs } = {}) {
    const now = this.#clock();
    const entries = this.#of(key);
    if (entries.find(key, now) !== expected) return false;
    entries.set(key, next, ttlSecs, now);
    return true;
  }

  #of(key) {
    return this.#spaces.find(({ prefix }) => key.startsWith(prefix)).entries;
  }
}

/** The entries of one space. Each space has its own room. */
class Entries {
  #values = new Map();
  /** Before this time no entry has expired. */
  #nothingEndsBefore = Infinity;
  #max;

  constructor(max) {
    this.#max = max;
  }

  find(key, now) {
    const found = this.#values.get(key);
    return found !== undefined && now < found.until ? found.value : null;
  }

  names(prefix, now) {
    const names = [];
    for (const [key, { until }] of this.#values) {
      if (now < until && key.startsWith(prefix)) names.push(key);
    }
    return names;
  }

  set(key, value, ttlSecs, now) {
    if (this.#values.size >= this.#max && !this.#values.has(key)) this.#makeRoom(now);
    const until = ttlSecs === undefined ? Infinity : now + ttlSecs * 1000;
    this.#nothingEndsBefore = Math.min(this.#nothingEndsBefore, until);
    this.#values.set(key, { value, until });
  }

  delete(key) {
    this.#values.delete(key);
  }

  /**
   * Forgets only entries that have expired: to forget more would undo a revocation, or give a limit back. A full store is not searched
   * again before an entry has expired. Otherwise whoever fills it would make every new name cost a search.
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
    if (this.#values.size >= this.#max) throw new Error(`the memory store is full: maxEntries is ${this.#max}`);
  }
}

export const memoryStore = (options) => new MemoryStore(options);
