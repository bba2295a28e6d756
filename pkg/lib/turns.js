/** Turns by name. A caller waits until the one before is done, but no longer than it is willing to. */
export class Turns {
  /** For each name whose turn somebody has: who waits, in order, and how many the store has served since the first one came. */
  #queues = new Map();

  /**
   * Resolves when it is the caller's turn, which the caller has to release. `known` is the value that the one before left.
   *
   * If the caller waits in vain, `ownBound` of the error says whether others were served meanwhile. Then the store is well: too many came
   * at once, which callers can bring about.
   * @returns {Promise<{known: string | undefined}>}
   */
  take(name, millis) {
    const queue = this.#queues.get(name);
    if (queue === undefined) {
      this.#queues.set(name, { waiting: new Set(), served: 0 });
      return Promise.resolve({ known: undefined });
    }
    const { served } = queue;
    return new Promise((resolve, reject) => {
      const waiter = { resolve, timer: undefined };
      waiter.timer = setTimeout(() => {
        queue.waiting.delete(waiter);
        reject(Object.assign(new Error('too many wait for the same counter'), { ownBound: queue.served > served }));
      }, millis);
      queue.waiting.add(waiter);
    });
  }

  /** Passes the turn on. `known` is the value of the name now, if it is known. `served` says whether the store has answered. */
  release(name, known, served) {
    const queue = this.#queues.get(name);
    const [next] = queue?.waiting ?? [];
    if (next === undefined) {
      this.#queues.delete(name);
      return;
    }
    if (served) queue.served += 1;
    queue.waiting.delete(next);
    clearTimeout(next.timer);
    next.resolve({ known });
  }
}
