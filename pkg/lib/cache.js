import { clone } from './clone.js';

/** The most characters of all cached tokens together. Long tokens reach it before they reach the number of entries. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

/**
 * A token is found by this many last characters of its signature, which have 70 bits. Each request brings its token as a new string, and
 * hashing all of it would take longer than everything else here.
 */
const TAIL_LENGTH = 12;

const tailOf = (token) => token.slice(-TAIL_LENGTH);

/**
 * Verified tokens. Each hit compares the whole token, and checks its times again.
 *
 * There are two generations. A token is forgotten if nobody asks for it while the younger generation fills up. This costs nothing at a hit.
 * Only verified tokens come in.
 */
export class Cache {
  #half;
  #keepsOld;
  #young = new Map();
  #old = new Map();
  #characters = 0;

  /** @param {number} entries the most that are kept; 0 for none */
  constructor(entries) {
    this.#half = Math.max(1, Math.floor(entries / 2));
    this.#keepsOld = entries > 1;
  }

  /** A fresh copy of the result for the token, if it holds at `secs`. */
  find(token, secs) {
    const tail = tailOf(token);
    let entry = this.#young.get(tail);
    if (entry === undefined) {
      entry = this.#old.get(tail);
      if (entry === undefined || entry.token !== token) return undefined;
      this.#old.delete(tail);
      this.#insert(tail, entry);
    } else if (entry.token !== token) {
      return undefined;
    }
    if (secs < entry.from || secs >= entry.until) {
      this.#young.delete(tail);
      return undefined;
    }
    if (entry.claims === undefined) {
      entry.claims = JSON.parse(entry.text);
      entry.text = undefined;
    }
    return { claims: clone(entry.claims), header: clone(entry.header), issuer: entry.issuer, keyId: entry.keyId };
  }

  /** Replaces another token with the same tail. */
  add(token, { text, header, issuer, keyId, from, until }) {
    this.#insert(tailOf(token), { token, text, claims: undefined, header, issuer, keyId, from, until });
  }

  clear() {
    this.#young.clear();
    this.#old.clear();
    this.#characters = 0;
  }

  get size() {
    return this.#young.size + this.#old.size;
  }

  #insert(tail, entry) {
    const { length } = entry.token;
    if (this.#young.size >= this.#half || this.#characters + length > MAX_CHARACTERS / 2) {
      this.#old = this.#keepsOld ? this.#young : new Map();
      this.#young = new Map();
      this.#characters = 0;
    }
    this.#characters += length;
    this.#young.set(tail, entry);
  }
}
