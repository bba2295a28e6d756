import { clone } from './clone.js';

/** All cached tokens together, in characters: with long tokens this is reached before the entries are. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

/**
 * They are found by so many characters, the last of the signature, of which there are 70 bits: to hash a whole token, which is
 * a new string each time, takes longer than everything else here.
 */
const TAIL_LENGTH = 12;

const tailOf = (token) => token.slice(-TAIL_LENGTH);

/**
 * Verified tokens, by the whole token: what is found is compared. The time is looked at again at every hit.
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

  /** Takes the place of another token with the same tail. */
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
