import type { Store } from './index.js';

/** One thing that a store has to do. */
export interface StoreCase {
  /** A sentence without its subject: "finds values in the order that was asked". */
  readonly name: string;
  /** Rejects if the store does not do it, with what was expected and what was found. */
  run(): Promise<void>;
}

/**
 * What a store of your own has to do for a gate, as tests for any framework: `for (const { name, run } of storeContract(make)) test(name, run)`.
 * The package's own stores are held to it.
 *
 * `make` gives a store that nobody has used, for each case a new one: over a prefix, a table or a database of its own.
 */
export function storeContract(make: () => Store | Promise<Store>, options?: {
  /** Whether it is for counters, used proofs or sessions, and so has `compareAndSet`. Default true. */
  exact?: boolean | undefined;
  /** Moves the clock of the store that was made last, where that can be done. Without it the ends of values are not tried. */
  elapse?: ((secs: number) => void | Promise<void>) | undefined;
}): readonly StoreCase[];
