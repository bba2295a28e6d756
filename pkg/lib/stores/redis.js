import { configError } from '../errors.js';
import { checkNames } from '../options.js';

const DEFAULT_PREFIX = 'edgegate:';
/** How many names Redis looks at in one step of a listing. */
const SCAN_COUNT = 1000;
/** Steps of one page: a page may be empty and go on, so that no call scans a large database in one go. */
const MAX_SCANS = 20;

/** In one step, which nothing comes between. `ARGV`: whether there is a value, which, the next one, its time to live. */
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

/** `redisStore` of index.d.ts. */
class RedisStore {
  #send;
  #prefix;

  constructor(client, options = {}) {
    checkNames(options, ['prefix'], '');
    const { prefix = DEFAULT_PREFIX } = options;
    if (typeof prefix !== 'string') throw configError('prefix', 'expected a string');
    this.#send = senderOf(client);
    this.#prefix = prefix;
  }

  /** Sent together: both clients put what is asked in one go into one packet. */
  async get(keys) {
    return Promise.all(keys.map((key) => this.#send('GET', this.#prefix + key)));
  }

  async put(key, value, { ttlSecs } = {}) {
    const ending = ttlSecs === undefined ? [] : ['EX', seconds(ttlSecs)];
    await this.#send('SET', this.#prefix + key, value, ...ending);
  }

  async delete(key) {
    await this.#send('DEL', this.#prefix + key);
  }

  /**
   * The cursor is that of `SCAN` and the last name that was given of its step. Redis may name one twice while its
   * table grows; it leaves none out that was there all the time.
   */
  async list(prefix, { cursor, limit }) {
    const pattern = `${(this.#prefix + prefix).replace(/[\\*?[\]]/g, '\\$&')}*`;
    let [at, after] = positionOf(cursor);
    for (let scans = 1; ; scans += 1) {
      const [next, names] = await this.#send('SCAN', at, 'MATCH', pattern, 'COUNT', String(SCAN_COUNT));
      const keys = [...new Set(names.map((name) => name.slice(this.#prefix.length)))].filter((key) => key > after).sort();
      if (keys.length > limit) return { keys: keys.slice(0, limit), cursor: `${at}:${keys[limit - 1]}` };
      const following = String(next) === '0' ? undefined : `${next}:`;
      if (keys.length > 0 || following === undefined || scans === MAX_SCANS) return { keys, cursor: following };
      [at, after] = [String(next), ''];
    }
  }

  async compareAndSet(key, expected, next, { ttlSecs } = {}) {
    const is = expected === null ? ['0', ''] : ['1', expected];
    const ending = ttlSecs === undefined ? '' : seconds(ttlSecs);
    return (await this.#send('EVAL', COMPARE_AND_SET, '1', this.#prefix + key, ...is, next, ending)) === 1;
  }
}

const seconds = (ttlSecs) => String(Math.max(1, Math.ceil(ttlSecs)));

function positionOf(cursor) {
  if (cursor === undefined) return ['0', ''];
  const [, at, after] = /^(\d{1,20}):(.*)$/s.exec(cursor) ?? [];
  if (at === undefined) throw new Error('not a cursor of this store');
  return [at, after];
}

/** Sends a command as a list of words: `call` of ioredis, `sendCommand` of redis (node-redis). */
function senderOf(client) {
  if (typeof client?.nodeClient === 'function') throw configError('client', 'a cluster, expected a client of one Redis');
  if (client?.isCluster === true) throw configError('client', 'a cluster, expected a client of one Redis');
  if (typeof client?.call === 'function') return (...words) => client.call(...words);
  if (typeof client?.sendCommand === 'function') return (...words) => client.sendCommand(words);
  throw configError('client', 'expected a client of redis (node-redis) or ioredis');
}

export const redisStore = (client, options) => new RedisStore(client, options);
