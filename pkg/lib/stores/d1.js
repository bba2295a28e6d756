import { configError } from '../errors.js';
import { checkNames, string } from '../check.js';
import { REQUEST_SPACES } from './spaces.js';

/** The same as in the memory store, for counters and for used proofs. */
const DEFAULT_MAX_ENTRIES = 100_000;
/** The rows of a request space are counted after this many new names, since counting reads each row. */
const COUNT_EVERY = 1000;
/** A full space is not counted again for this long. Otherwise whoever fills it would make every new name cost a count. */
const FULL_MILLIS = 1000;
/** After this many writes, expired rows are deleted: at most twice as many as were written. */
const SWEEP_EVERY = 16;
const MAX_SWEPT = 32;

/** The database's clock, so that all isolates have one. */
const NOW = "unixepoch('subsec')";
const IS_ALIVE = `(until IS NULL OR until > ${NOW})`;
/** Comes after every text that continues the one in front of it. */
const LAST = 'char(0x10ffff)';

/** `d1Store` of index.d.ts. */
class D1Store {
  #database;
  #table;
  #maxEntries;
  #hasTable = false;
  #writes = 0;
  /** For each request space: how many new names there may be before its rows are counted, and until when it counts as full. */
  #spaces = REQUEST_SPACES.map((prefix) => ({ prefix, left: COUNT_EVERY, fullUntil: 0 }));

  constructor(database, options = {}) {
    if (!['prepare', 'batch'].every((name) => typeof database?.[name] === 'function')) {
      throw configError('database', 'expected a D1 database, such as env.DB');
    }
    checkNames(options, ['table', 'maxEntries'], '');
    const { table = 'edgegate', maxEntries = DEFAULT_MAX_ENTRIES } = options;
    // It cannot be bound as a parameter.
    if (!/^[A-Za-z_]\w{0,62}$/.test(string(table, 'table'))) throw configError('table', 'expected letters, digits and _');
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) throw configError('maxEntries', 'expected at least 1');
    this.#database = database;
    this.#table = table;
    this.#maxEntries = maxEntries;
  }

  async get(keys) {
    const rows = await this.#rows(
      `SELECT key, value FROM ${this.#table} WHERE key IN (SELECT value FROM json_each(?1)) AND ${IS_ALIVE}`, JSON.stringify(keys),
    );
    const values = new Map(rows.map(({ key, value }) => [key, value]));
    return keys.map((key) => values.get(key) ?? null);
  }

  async put(key, value, { ttlSecs } = {}) {
    await this.#keepRoom(key);
    await this.#write(`${this.#insert()} DO UPDATE SET value = excluded.value, until = excluded.until`, key, value, ttlSecs ?? null);
  }

  async delete(key) {
    await this.#rows(`DELETE FROM ${this.#table} WHERE key = ?1`, key);
  }

  /** Lists in the order of the names. The cursor is the last name of the page before. */
  async list(prefix, { cursor, limit }) {
    const rows = await this.#rows(
      `SELECT key FROM ${this.#table} WHERE key >= ?1 AND key > ?2 AND key < ?1 || ${LAST} AND ${IS_ALIVE} ORDER BY key LIMIT ?3`,
      prefix, cursor ?? '', limit + 1,
    );
    const keys = rows.map(({ key }) => key);
    return { keys: keys.slice(0, limit), cursor: keys.length > limit ? keys[limit - 1] : undefined };
  }

  async compareAndSet(key, expected, next, { ttlSecs } = {}) {
    const ending = ttlSecs ?? null;
    if (expected !== null) {
      const update = `UPDATE ${this.#table} SET value = ?2, until = ${NOW} + ?3 WHERE key = ?1 AND value = ?4 AND ${IS_ALIVE}`;
      return (await this.#write(update, key, next, ending, expected)) === 1;
    }
    await this.#keepRoom(key);
    const insert = `${this.#insert()} DO UPDATE SET value = excluded.value, until = excluded.until WHERE ${this.#table}.until <= ${NOW}`;
    return (await this.#write(insert, key, next, ending)) === 1;
  }

  /** Without a time to live `until` is NULL, since a sum with NULL is NULL. */
  #insert() {
    return `INSERT INTO ${this.#table} (key, value, until) VALUES (?1, ?2, ${NOW} + ?3) ON CONFLICT (key)`;
  }

  /** Returns how many rows have been changed. */
  async #write(sql, ...parameters) {
    await this.#makeTable();
    const write = this.#database.prepare(sql).bind(...parameters);
    this.#writes += 1;
    const statements = this.#writes % SWEEP_EVERY === 0 ? [write, this.#sweep()] : [write];
    const [{ meta }] = await this.#database.batch(statements);
    if (!Number.isSafeInteger(meta?.changes)) throw new Error('D1 does not say how many rows it has changed');
    return meta.changes;
  }

  #sweep() {
    const expired = `SELECT key FROM ${this.#table} WHERE until <= ${NOW} ORDER BY until LIMIT ${MAX_SWEPT}`;
    return this.#database.prepare(`DELETE FROM ${this.#table} WHERE key IN (${expired})`);
  }

  /** Callers decide how many rows there are in request spaces. These must not fill the database: then no revocation could be written. */
  async #keepRoom(key) {
    const space = this.#spaces.find(({ prefix }) => key.startsWith(prefix));
    if (space === undefined) return;
    space.left -= 1;
    if (space.left >= 0) return;
    if (Date.now() >= space.fullUntil) await this.#count(space);
    if (space.left < 0) throw new Error(`the store is full: maxEntries is ${this.#maxEntries}`);
  }

  async #count(space) {
    const rows = `SELECT 1 FROM ${this.#table} WHERE key >= ?1 AND key < ?1 || ${LAST} AND ${IS_ALIVE} LIMIT ?2`;
    const [{ count }] = await this.#rows(`SELECT count(*) AS count FROM (${rows})`, space.prefix, this.#maxEntries);
    // The name that is about to be written is counted too.
    space.left = Math.min(COUNT_EVERY, this.#maxEntries - count) - 1;
    if (space.left < 0) space.fullUntil = Date.now() + FULL_MILLIS;
  }

  async #rows(sql, ...parameters) {
    await this.#makeTable();
    const { results } = await this.#database.prepare(sql).bind(...parameters).all();
    return results;
  }

  /** Each call makes the table itself: in Workers one request cannot wait for the promise of another. */
  async #makeTable() {
    if (this.#hasTable) return;
    const table = this.#table;
    await this.#database.batch([
      this.#database.prepare(`CREATE TABLE IF NOT EXISTS ${table} (key TEXT PRIMARY KEY, value TEXT NOT NULL, until REAL) STRICT, WITHOUT ROWID`),
      this.#database.prepare(`CREATE INDEX IF NOT EXISTS ${table}_until ON ${table} (until) WHERE until IS NOT NULL`),
    ]);
    this.#hasTable = true;
  }
}

export const d1Store = (database, options) => new D1Store(database, options);
