import { clone } from './clone.js';

/** All cached tokens together, in characters: with long tokens this is reached before the entries are. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

/**
 * Verified tokens, by the whole token. The time is looked at again at every hit.
 *
 * Two generations: what was not asked for while the younger one filled up is forgotten. It costs nothing at
 * a hit, and only tokens that verified come in at all.
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
    let entry = this.#young.get(token);
    if (entry === undefined) {
      entry = this.#old.get(token);
      if (entry === undefined) return undefined;
      this.#old.delete(token);
      this.#insert(token, entry);
    }
    if (secs < entry.from || secs >= entry.until) {
      this.#young.delete(token);
      return undefined;
    }
    if (entry.claims === undefined) {
      entry.claims = JSON.parse(entry.text);
      entry.text = undefined;
    }
    return { claims: clone(entry.claims), header: clone(entry.header), issuer: entry.issuer, keyId: entry.keyId };
  }

  add(token, entry) {
    this.#insert(token, entry);
  }

  clear() {
    this.#young.clear();
    this.#old.clear();
    this.#characters = 0;
  }

  get size() {
    return this.#young.size + this.#old.size;
  }

  #insert(token, entry) {
    if (this.#young.size >= this.#half || this.#characters + token.length > MAX_CHARACTERS / 2) {
      this.#old = this.#keepsOld ? this.#young : new Map();
      this.#young = new Map();
      this.#characters = 0;
    }
    this.#characters += token.length;
    this.#young.set(token, entry);
  }
}
