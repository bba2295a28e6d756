/** Turns by name: who comes later waits until the one before is done, or for as long as it is willing to. */
export class Turns {
  /** Of each name whose turn somebody has: those who wait, in order, and how many the store has served since the first came. */
  #queues = new Map();

  /**
   * Resolves when it is the caller's turn, which has to be released. `known` is what the one before left.
   *
   * If it waits in vain, the error says by `ownBound` whether others were served meanwhile. Then the store is well, and only too many came at
   * once, which callers can bring about.
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

  /** Passes the turn on. `known` is what the name holds now, if that is known; `served` says whether the store did its part. */
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
