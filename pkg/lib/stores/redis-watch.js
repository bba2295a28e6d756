/** What gates keep that watch together is forgotten after this time without any: counts are kept for a week. */
const KEPT_MILLIS = String(8 * 86_400_000);
/** The field of the version. No row has this name. */
const VERSION = '#';
/** The field of what gates are told (`TOLD` in crates/engine/src/gate/watching.rs). */
const TOLD = 'told';

// In a cluster a script needs all its keys on one server: the braces see to that.
const HOLDER = '{watch}/keeper';
const ROWS = '{watch}/rows';
const QUEUE = '{watch}/queue';

const PUSH = `if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return {0, ''} end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], '${KEPT_MILLIS}')
return {1, redis.call('HGET', KEYS[2], '${TOLD}') or ''}`;

const LEASE = `local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return {0, ''} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {1, redis.call('HGET', KEYS[2], '${VERSION}') or '0'}`;

const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {1, ''}`;

const ALL_ROWS = "return redis.call('HGETALL', KEYS[1])";

const PEEK = "return redis.call('LRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1)";

/**
 * `ARGV`: the holder, how long it keeps the lease from now, the version that it has read, how many texts are taken, how many rows are set; then
 * these, names and values; then the names of those that go.
 */
const COMMIT = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, ''} end
if (redis.call('HGET', KEYS[2], '${VERSION}') or '0') ~= ARGV[3] then return {0, ''} end
if ARGV[4] ~= '0' then redis.call('LTRIM', KEYS[3], ARGV[4], -1) end
local at = 6 + 2 * tonumber(ARGV[5])
for place = 6, at - 1, 2 do redis.call('HSET', KEYS[2], ARGV[place], ARGV[place + 1]) end
for place = at, #ARGV do redis.call('HDEL', KEYS[2], ARGV[place]) end
local version = redis.call('HINCRBY', KEYS[2], '${VERSION}', 1)
redis.call('PEXPIRE', KEYS[2], '${KEPT_MILLIS}')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {1, tostring(version)}`;

/** `SharedWatch` of index.d.ts: rows, a queue, and a lease, each change of them one step. */
export class RedisWatch {
  #evaluate;

  /** `evaluate(script, keys, words)` runs a script on the server that holds the keys. */
  constructor(evaluate) {
    this.#evaluate = evaluate;
  }

  async push(text, most) {
    const [pushed, told] = await this.#pair(PUSH, [QUEUE, ROWS], [text, String(most)]);
    return pushed ? told : null;
  }

  async lease(holder, millis) {
    const [held, version] = await this.#pair(LEASE, [HOLDER, ROWS], [holder, String(millis)]);
    return held ? Number(version) : null;
  }

  async release(holder) {
    await this.#pair(RELEASE, [HOLDER], [holder]);
    return null;
  }

  async rows() {
    const words = await this.#texts(ALL_ROWS, [ROWS], []);
    const rows = [];
    for (let place = 0; place + 1 < words.length; place += 2) {
      if (words[place] !== VERSION) rows.push([words[place], words[place + 1]]);
    }
    return rows;
  }

  peek(count) {
    return this.#texts(PEEK, [QUEUE], [String(count)]);
  }

  async commit(holder, { millis, version, taken, rows }) {
    const set = rows.filter(([, value]) => value !== null);
    const gone = rows.filter(([, value]) => value === null).map(([name]) => name);
    const words = [holder, millis, version, taken, set.length].map(String);
    const [done, next] = await this.#pair(COMMIT, [HOLDER, ROWS, QUEUE], [...words, ...set.flat(), ...gone]);
    return done ? Number(next) : null;
  }

  async #pair(script, keys, words) {
    const reply = await this.#evaluate(script, keys, words);
    if (!Array.isArray(reply) || reply.length !== 2 || !/^[01]$/.test(String(reply[0]))) throw unexpected();
    return [String(reply[0]) === '1', String(reply[1])];
  }

  async #texts(script, keys, words) {
    const reply = await this.#evaluate(script, keys, words);
    if (!Array.isArray(reply) || !reply.every((one) => typeof one === 'string')) throw unexpected();
    return reply;
  }
}

const unexpected = () => new Error('EVAL: the client gave something else than Redis answers');
