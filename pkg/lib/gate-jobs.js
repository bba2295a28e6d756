import { problemOf } from './errors.js';
import { ringJobs } from './key-ring.js';
import { HOST_HOLDS, HOST_REFUSES_KEY } from './protocol.js';
import { askProvider, fetchKeys } from './remote.js';
import { Turns } from './turns.js';
import { mailJobs } from './gate-mail.js';
import { passwordJobs } from './gate-passwords.js';
import { watchJobs } from './gate-watch.js';
import { within as withinMillis } from './within.js';

/** The same as in the Worker: after two seconds any answer is better for the caller. */
const STORE_MILLIS = 2000;
/** As many keys as a ring may have, and as many that it had before. */
const MAX_SIGNERS = 32;
/** After a lost race the next attempt waits. The wait grows with each attempt, up to this. */
const MAX_BACK_OFF_MILLIS = 32;

/** What a check asks of the host. Each method has the name of its job in crates/engine/src/gate/task.rs. */
export class Jobs {
  #platform;
  #stores;
  #tell;
  /** On some runtimes one request cannot wait for another. There requests race, and the swap decides. */
  #turns;
  /** Private keys that sign, by their names. */
  #signers = new Map();
  #fetching = new Map();
  /** The turn of the last hash that was asked for. */
  #hashing = Promise.resolve();

  /** `given`: `{ sinks, mail, passwords, give }`, what the application gives, and the engine's way to take bytes. */
  constructor(platform, stores, tell, { sinks, mail, passwords, give }) {
    this.#platform = platform;
    this.#stores = stores;
    this.#turns = platform.sharesPromises ? new Turns() : undefined;
    this.#tell = tell;
    Object.assign(this, ringJobs(platform), watchJobs(stores.watch?.watch, sinks), mailJobs(mail), passwordJobs(passwords, give));
  }

  /** Begins jobs, and returns a promise of each answer. Jobs without an answer are done at once. */
  begin(jobs, held, waitUntil, signature) {
    const answers = [];
    for (const { id, job } of jobs) {
      // A job without members is only its name.
      const [[name, members]] = typeof job === 'string' ? [[job]] : Object.entries(job);
      if (name === 'release') this.#release(held, members.name, undefined, true);
      else if (name === 'note') this.#tell.event(members.event);
      else if (name === 'handOver') this.#tell.handOver(members.millis, waitUntil);
      else if (name === 'handMails') this.#tell.handMails(members, waitUntil);
      else if (name === 'workOff') this.#tell.workOff(waitUntil);
      else if (name === 'putLater') this.#putLater(members, waitUntil);
      else answers.push(this.#answer(id, name, members, held, signature));
    }
    return answers;
  }

  async #answer(id, name, members, held, signature) {
    try {
      return { id, value: name === 'signature' ? await this.#signature(signature) : await this[name](members, held) };
    } catch (error) {
      return { id, problem: problemOf(error), ...(error?.ownBound === true && { ownBound: true }) };
    }
  }

  async get({ store, names }) {
    const values = await within(this.#stores[store].get(names));
    if (!Array.isArray(values) || values.length !== names.length) throw new Error(`get: expected a list of ${names.length}`);
    return values.map(textOrNull);
  }

  async put({ store, name, value, ttlSecs }) {
    await within(this.#stores[store].put(name, value, ttlSecs === undefined ? {} : { ttlSecs }));
    return null;
  }

  #putLater({ what, ...members }, waitUntil) {
    const writing = this.put(members).catch((error) => this.#tell.fault(`${what}: ${problemOf(error)}`));
    waitUntil?.(writing);
  }

  async delete({ store, name }) {
    await within(this.#stores[store].delete(name));
    return null;
  }

  async list({ store, prefix, cursor, limit }) {
    const page = await within(this.#stores[store].list(prefix, { cursor, limit }));
    if (!Array.isArray(page?.keys) || !page.keys.every((key) => typeof key === 'string')) throw new Error('list: expected { keys, cursor }');
    return { keys: page.keys, cursor: page.cursor === undefined || page.cursor === null ? null : String(page.cursor) };
  }

  async load({ store, name }, held) {
    const turn = held.turns.get(name);
    if (turn === undefined) {
      const { known } = await this.#take(held, name);
      // The value that the request before has just written is still there, unless another process was faster: the swap tells. Sessions are
      // read again, since a session may be refused without a swap: a refusal by an outdated row would log its user out.
      if (known !== undefined && store === 'counters') return known;
    } else {
      turn.attempts += 1;
      await pause(Math.random() * Math.min(MAX_BACK_OFF_MILLIS, 2 ** turn.attempts));
    }
    const values = await within(this.#stores[store].get([name]));
    if (!Array.isArray(values) || values.length !== 1) throw new Error('get: expected a list of 1');
    return textOrNull(values[0]);
  }

  async swap({ store, name, expected, next, ttlSecs }, held) {
    const done = await within(this.#stores[store].compareAndSet(name, expected, next, { ttlSecs }));
    if (typeof done !== 'boolean') throw new Error('compareAndSet: expected true or false');
    if (done) this.#release(held, name, next, true);
    return done;
  }

  async sign({ kid, alg, message }) {
    const material = this.#signers.get(`${alg} ${kid}`);
    if (material === undefined) return null;
    const signature = await this.#platform.signing.sign(material, alg, new TextEncoder().encode(message));
    return this.#platform.encodeBase64Url(new Uint8Array(signature));
  }

  async takeSigner({ kid, alg, jwk }) {
    const key = JSON.parse(jwk);
    const { material } = await this.#platform.signing.import('jwk', key, alg, key);
    if (this.#signers.size >= MAX_SIGNERS) this.#signers.clear();
    this.#signers.set(`${alg} ${kid}`, material);
    return null;
  }

  async pause({ millis }) {
    await pause(millis);
    return null;
  }

  async turnToHash() {
    // It blocks the thread. A timer of each lets others be served before it.
    const turn = this.#platform.sharesPromises ? this.#hashing.then(() => pause(0)) : pause(0);
    this.#hashing = turn;
    await turn;
    return null;
  }

  async fetchKeys({ uri, etag }) {
    const key = `${etag ?? ''} ${uri}`;
    let fetching = this.#fetching.get(key);
    if (fetching === undefined) {
      fetching = fetchKeys(uri, etag);
      // On some runtimes one request cannot wait for what another has begun.
      if (this.#platform.sharesPromises) {
        this.#fetching.set(key, fetching);
        fetching.then(() => this.#fetching.delete(key));
      }
    }
    const { answer, problem, status } = await fetching;
    // The engine may then look for the discovery document elsewhere.
    if (status === 404 || status === 410) return { missing: status };
    if (problem !== undefined) throw new Error(problem);
    return answer;
  }

  async askProvider(asked) {
    const { status, bytes } = await askProvider(asked);
    return { status, body: this.#platform.encodeBase64Url(bytes) };
  }

  /** Ends a task. A turn that it still waits for is passed on when it comes. */
  releaseAll(held) {
    held.waited.clear();
    for (const name of [...held.turns.keys()]) this.#release(held, name);
  }

  async #signature(job) {
    const verdict = await this.#platform.host.decide(job);
    return verdict === HOST_REFUSES_KEY ? null : verdict === HOST_HOLDS;
  }

  async #take(held, name) {
    held.waited.add(name);
    const turn = await this.#turns?.take(name, STORE_MILLIS);
    if (!held.waited.delete(name)) {
      this.#turns?.release(name, turn?.known, false);
      throw new Error('nobody waits for it any longer');
    }
    held.turns.set(name, { attempts: 0 });
    return { known: turn?.known };
  }

  #release(held, name, known, served = false) {
    if (held.turns.delete(name)) this.#turns?.release(name, known, served);
    else held.waited.delete(name);
  }
}

/** The turns that a task has, and those that it waits for, by name. */
export class Held {
  turns = new Map();
  waited = new Set();
}

function textOrNull(value) {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw new Error('get: expected strings and nulls');
  return value;
}

const pause = (millis) => new Promise((resolve) => { setTimeout(resolve, millis); });

/** Waits for a store, but not longer than it may take. */
const within = (promised) => withinMillis(promised, STORE_MILLIS);
