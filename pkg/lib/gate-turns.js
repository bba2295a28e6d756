/** After a turn that failed as a whole, such as by a trap. */
const AFTER_FAULT_MILLIS = 10_000;

/**
 * Has a gate take its turns at some work: when it has something to hand over, and when something is due. What is due at a later time keeps no
 * process running, and it holds no gate that nobody else does.
 */
export class GateTurns {
  #gate;
  #turn;
  /** On some runtimes a timer ends with the request that began it. There each request that is asked to has a turn. */
  #shares;
  #timer;
  #at = Infinity;
  #running = Promise.resolve();
  #soon;
  #isOver = false;

  /** `turn(gate)` resolves with after how many milliseconds the next one is due, or with `null`. */
  constructor(gate, turn, shares) {
    this.#gate = new WeakRef(gate);
    this.#turn = turn;
    this.#shares = shares;
  }

  /** Has a turn taken after this time, or earlier if that is planned already. Returns a promise for `waitUntil`. */
  in(millis) {
    if (this.#isOver) return undefined;
    if (!this.#shares) return new Promise((resolve) => { setTimeout(() => resolve(this.#take()), millis); });
    const at = performance.now() + millis;
    if (at >= this.#at) return this.#running;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => {
      this.#at = Infinity;
      this.#running = this.#running.then(() => this.#take());
    }, millis);
    // Elsewhere than in Node a timer is a number.
    this.#timer.unref?.();
    return this.#running;
  }

  /** Has a turn taken in a moment, once the answer that asks for it is out. The promise, for `waitUntil`, resolves when it is over. */
  soon() {
    if (this.#isOver) return undefined;
    if (!this.#shares) return this.in(0);
    this.#soon ??= new Promise((resolve) => { setTimeout(resolve, 0); }).then(() => {
      this.#soon = undefined;
      this.#running = this.#running.then(() => this.#take());
      return this.#running;
    });
    return this.#soon;
  }

  /** Plans nothing any more. Resolves when a turn that is under way is over. */
  end() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    return this.#running;
  }

  async #take() {
    const gate = this.#gate.deref();
    if (gate === undefined || this.#isOver) return;
    let next;
    try {
      next = await this.#turn(gate);
    } catch {
      next = AFTER_FAULT_MILLIS;
    }
    if (next !== null && this.#shares) this.in(next);
  }
}
