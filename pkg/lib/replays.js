import { MAX_PROOFS, PROOFS_SEARCH_EVERY_MILLIS, PROOFS_SHARE } from './protocol.js';

/**
 * The proofs that have been used in this process. If it is full of proofs that must not be forgotten yet, it fails: a forgotten proof would
 * be admitted twice. One key cannot fill it for all others: once it is half full, each key has only its share. `MemoryReplays` of the core
 * does the same; tests/vectors/replays.json tests both.
 */
export class Replays {
  #capacity;
  /** Before this second, it is not searched for proofs that can be forgotten. */
  #searchAt = 0;
  /** By the name of the proof: `{until, holder}`. */
  #seen = new Map();
  #holders = new Map();

  constructor(capacity = MAX_PROOFS) {
    this.#capacity = capacity;
  }

  /**
   * Whether the proof of this name comes for the first time; `undefined` if there is no room. `holder` is the thumbprint of the key that
   * made the proof. Times are in seconds.
   */
  isFirst(key, holder, until, now) {
    const known = this.#seen.get(key);
    if (known !== undefined) {
      if (now < known.until) return false;
      known.until = until;
      return true;
    }
    if (!this.#hasRoom(holder) && now >= this.#searchAt) this.#forget(now);
    if (!this.#hasRoom(holder)) return undefined;
    this.#seen.set(key, { until, holder });
    this.#holders.set(holder, this.#of(holder) + 1);
    return true;
  }

  #of(holder) {
    return this.#holders.get(holder) ?? 0;
  }

  #hasRoom(holder) {
    const all = this.#seen.size;
    const share = Math.max(1, Math.floor(this.#capacity / PROOFS_SHARE));
    return all < this.#capacity && (all < Math.ceil(this.#capacity / 2) || this.#of(holder) < share);
  }

  #forget(now) {
    let next = Infinity;
    this.#holders.clear();
    for (const [key, { until, holder }] of this.#seen) {
      if (until <= now) {
        this.#seen.delete(key);
      } else {
        next = Math.min(next, until);
        this.#holders.set(holder, this.#of(holder) + 1);
      }
    }
    this.#searchAt = Math.max(now + PROOFS_SEARCH_EVERY_MILLIS / 1000, next === Infinity ? now : next);
  }
}
