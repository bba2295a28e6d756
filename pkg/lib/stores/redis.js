import { configError } from '../errors.js';
import { checkNames } from '../check.js';
import { connectionTo } from './redis-client.js';
import { RedisWatch } from './redis-watch.js';
import { REQUEST_SPACES } from './spaces.js';

const DEFAULT_PREFIX = 'edgegate:';
/** Redis looks at this many names in one step of a listing. */
const SCAN_COUNT = 1000;
/** The most steps for one page. A page may be empty and have a cursor, so that no call scans a large database at once. */
const MAX_SCANS = 20;
/** Redis counts the milliseconds until an end in 63 bits. JavaScript writes numbers up to this one without an exponent. */
const MAX_TTL_SECS = Number.MAX_SAFE_INTEGER;

/** Runs as one step. `ARGV`: whether a value is expected, the expected value, the next one, its time to live. */
const COMPARE_AND_SET = `local found = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if found ~= ARGV[2] then return 0 end
elseif found then
  return 0
end
if ARGV[4] == '' then
  redis.call('SET', KEYS[1], ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
end
return 1`;

/** Sets a value though the memory is full. */
const SET_THOUGH_FULL = `#!lua flags=allow-oom
return redis.call('SET', KEYS[1], unpack(ARGV))`;

/** `redisStore` of index.d.ts. */
class RedisStore {
  #connection;
  /** What keys begin with: in commands, and in Redis itself. */
  #prefix;
  #wholePrefix;
  /** Whether Redis is known to drop nothing, or is allowed to. */
  #mayUse;
  #checking;
  /** What gates that watch together share. */
  watch = new RedisWatch((script, keys, words) => this.#evaluate(script, keys, words));

  constructor(client, options = {}) {
    checkNames(options, ['prefix', 'evictionAllowed'], '');
    const { prefix = DEFAULT_PREFIX, evictionAllowed = false } = options;
    if (typeof prefix !== 'string') throw configError('prefix', 'expected a string');
    if (typeof evictionAllowed !== 'boolean') throw configError('evictionAllowed', 'expected true or false');
    this.#connection = connectionTo(client);
    const { keyPrefix, addsPrefix } = this.#connection;
    this.#wholePrefix = keyPrefix + prefix;
    this.#prefix = addsPrefix ? prefix : this.#wholePrefix;
    this.#mayUse = evictionAllowed;
  }

  /** All are sent together: both clients put commands of the same turn into one packet. */
  async get(keys) {
    return Promise.all(keys.map(async (key) => textOrNull(await this.#ask('GET', key))));
  }

  async put(key, value, { ttlSecs } = {}) {
    const words = [value, ...endingOf(ttlSecs)];
    try {
      checkDone(await this.#ask('SET', key, ...words));
    } catch (fault) {
      if (!isFull(fault) || REQUEST_SPACES.some((space) => key.startsWith(space))) throw fault;
      await this.#putThoughFull(key, words, fault);
    }
  }

  async delete(key) {
    const removed = await this.#ask('DEL', key);
    if (!isNumber(removed)) throw unexpected('DEL', removed);
  }

  /**
   * The cursor has the cursor of `SCAN`, the server that it is for, and the last name of this step that was returned. Redis may return a
   * name twice while its table is resized. If each step is made once, `SCAN` leaves out no name that is there all the time. But a step with
   * more names than fit into a page is made again. If the table has shrunk meanwhile, the step has more names, and those that sort before
   * the last returned name are left out.
   */
  async list(prefix, { cursor, limit }) {
    if (!this.#mayUse) await this.#check();
    const pattern = `${(this.#wholePrefix + prefix).replace(/[\\*?[\]]/g, '\\$&')}*`;
    const servers = await this.#servers();
    let [server, at, after] = placeOf(cursor, servers);
    for (let scans = 1; ; scans += 1) {
      const [next, names] = scanned(await server.send(['SCAN', at, 'MATCH', pattern, 'COUNT', String(SCAN_COUNT)]));
      const keys = [...new Set(names.map((name) => name.slice(this.#wholePrefix.length)))].filter((key) => key > after).sort();
      if (keys.length > limit) return { keys: keys.slice(0, limit), cursor: cursorOf(server, at, keys[limit - 1]) };
      const following = next === '0' ? servers[servers.indexOf(server) + 1] : server;
      if (following === undefined) return { keys };
      if (keys.length > 0 || scans === MAX_SCANS) return { keys, cursor: cursorOf(following, next, '') };
      [server, at, after] = [following, next, ''];
    }
  }

  async compareAndSet(key, expected, next, { ttlSecs } = {}) {
    const is = expected === null ? ['0', ''] : ['1', expected];
    const [, ending = ''] = endingOf(ttlSecs);
    const swapped = await this.#evaluate(COMPARE_AND_SET, [key], [...is, next, ending]);
    if (!isNumber(swapped)) throw unexpected('EVAL', swapped);
    return Number(swapped) === 1;
  }

  /**
   * Writes though the memory is full: callers may have filled it, and that must not keep a revocation out. Redis before 7 cannot do this.
   */
  async #putThoughFull(key, words, full) {
    let reply;
    try {
      reply = await this.#evaluate(SET_THOUGH_FULL, [key], words);
    } catch {
      throw full;
    }
    checkDone(reply);
  }

  #ask(command, key, ...words) {
    const name = this.#prefix + key;
    return this.#send(name, [command, name, ...words]);
  }

  /** In a cluster all keys have to be on one server. */
  #evaluate(script, keys, words) {
    const names = keys.map((key) => this.#prefix + key);
    return this.#send(names[0], ['EVAL', script, String(names.length), ...names, ...words]);
  }

  async #send(name, words) {
    if (!this.#mayUse) await this.#check();
    return this.#connection.send(name, words);
  }

  /** Returns all servers in the order in which a listing goes through them. */
  async #servers() {
    const servers = await this.#connection.servers();
    return servers.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Checks before the first use, and again as long as the answer is no. Calls that come meanwhile wait for the same answer. */
  async #check() {
    const checking = (this.#checking ??= this.#servers().then((servers) => Promise.all(servers.map(checkEviction))));
    try {
      await checking;
      this.#mayUse = true;
    } finally {
      if (this.#checking === checking) this.#checking = undefined;
    }
  }
}

/**
 * Refuses a Redis that evicts keys: it would drop a revocation as soon as callers have filled it, and nobody would be told. `INFO` says the
 * policy also where a managed Redis permits no `CONFIG`.
 */
async function checkEviction({ send }) {
  const hint = 'or say evictionAllowed: true, if what is in this store may be lost';
  let text;
  try {
    text = await send(['INFO', 'memory']);
  } catch (fault) {
    if (!/^(NOPERM|ERR)\b/.test(fault?.message)) throw fault;
    throw configError('maxmemory-policy', `cannot be read, expected INFO to be permitted (${fault.message}), ${hint}`);
  }
  const [, found] = /^maxmemory_policy:(\S+)/m.exec(text) ?? [];
  if (found === 'noeviction') return;
  throw configError('maxmemory-policy', `expected noeviction, found ${found ?? 'none in INFO'}, ${hint}`);
}

const endingOf = (ttlSecs) => (ttlSecs === undefined || ttlSecs > MAX_TTL_SECS ? [] : ['EX', String(Math.max(1, Math.ceil(ttlSecs)))]);

const isFull = (fault) => /^OOM\b/.test(fault?.message);

// A client that answers in another way, by a callback or with a reply that it has changed, must not look like an empty store.

const unexpected = (command, reply) => new Error(`${command}: the client gave ${reply === null ? 'null' : typeof reply}, not what Redis answers`);

const isNumber = (reply) => /^\d+$/.test(String(reply));

function textOrNull(reply) {
  if (reply !== null && typeof reply !== 'string') throw unexpected('GET', reply);
  return reply;
}

function checkDone(reply) {
  if (reply !== 'OK') throw unexpected('SET', reply);
}

function scanned(reply) {
  if (!Array.isArray(reply) || !isNumber(reply[0]) || !Array.isArray(reply[1]) || !reply[1].every((name) => typeof name === 'string')) {
    throw unexpected('SCAN', reply);
  }
  return [String(reply[0]), reply[1]];
}

const cursorOf = (server, at, after) => `${at}:${server.name}|${after}`;

/** Returns the server, its cursor, and the name after which the listing goes on. */
function placeOf(cursor, servers) {
  if (cursor === undefined) return [servers[0], '0', ''];
  const [, at, name, after] = /^(\d{1,20}):([^|]*)\|(.*)$/s.exec(cursor) ?? [];
  if (at === undefined) throw new Error('not a cursor of this store');
  const server = servers.find((one) => one.name === name);
  if (server === undefined) throw new Error('the cluster has changed since the listing began: list again');
  return [server, at, after];
}

export const redisStore = (client, options) => new RedisStore(client, options);
