/** As in the core: with proofs of at most a minute it is full at 2,000 requests a second. */
const MAX_PROOFS = 200_000;

/**
 * Proofs that have been used, in this process. When it is full of what must not be forgotten yet it fails: to forget
 * would be to admit a proof twice.
 */
export class Replays {
  #capacity;
  /** The second before which there is nothing to forget. */
  #nothingEndsBefore = 0;
  #until = new Map();

  constructor(capacity = MAX_PROOFS) {
    this.#capacity = capacity;
  }

  /** Whether the key comes for the first time; `undefined` if there is no room. Times are in seconds. */
  isFirst(key, until, now) {
    const known = this.#until.get(key);
    if (known !== undefined && now < known) return false;
    if (known === undefined && this.#until.size >= this.#capacity) {
      if (now >= this.#nothingEndsBefore) this.#forget(now);
      if (this.#until.size >= this.#capacity) return undefined;
    }
    this.#until.set(key, until);
    return true;
  }

  #forget(now) {
    let next = Infinity;
    for (const [key, until] of this.#until) {
      if (until <= now) this.#until.delete(key);
      else next = Math.min(next, until);
    }
    this.#nothingEndsBefore = next;
  }
}
