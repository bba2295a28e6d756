/** Turns by name: who comes later waits until the one before is done, or for as long as it is willing to. */
export class Turns {
  /** Those who wait, in order, for each name whose turn somebody has. */
  #waiting = new Map();

  /**
   * Resolves when it is the caller's turn, which has to be released. `known` is what the one before left.
   * @returns {Promise<{known: string | undefined}>}
   */
  take(name, millis) {
    const queue = this.#waiting.get(name);
    if (queue === undefined) {
      this.#waiting.set(name, new Set());
      return Promise.resolve({ known: undefined });
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve, timer: undefined };
      waiter.timer = setTimeout(() => {
        queue.delete(waiter);
        reject(new Error('too many wait for the same counter'));
      }, millis);
      queue.add(waiter);
    });
  }

  /** Passes the turn on. `known` is what the name holds now, if that is known. */
  release(name, known) {
    const queue = this.#waiting.get(name);
    const [next] = queue ?? [];
    if (next === undefined) {
      this.#waiting.delete(name);
      return;
    }
    queue.delete(next);
    clearTimeout(next.timer);
    next.resolve({ known });
  }
}
