import { EdgegateError, syncUnsupported } from './errors.js';
import {
  ALGORITHMS, DONE, FLAG, HOST_REFUSES_KEY, ISSUER, KEPT_INPUT, KEY_ID, KEY_ID_LENGTH, SLOTS, TEXT, TEXT_LENGTH, VALID_FROM, VALID_UNTIL,
} from './protocol.js';

const ED25519 = ALGORITHMS.indexOf('EdDSA');
/** Most texts fit into this, so that the engine is not asked for room each time. */
const USUAL_ROOM = 4096;
/** How many are kept for the engine to take: each may have megabytes. */
const MAX_GIVEN = 4;
/** For {@link Engine.withVerdicts}: there are no verdicts yet, but the caller can wait for them. */
export const NONE_YET = new Map();

/**
 * Returns a view of part of the memory. Tokens of one issuer mostly have the length and the place of the last one; then its view is used
 * again.
 */
function part(last, memory, start, length) {
  const isSame = last.byteOffset === start && last.byteLength === length && last.buffer === memory.buffer;
  return isSame ? last : memory.subarray(start, start + length);
}

/**
 * The wasm instance, its two buffers, and the things that live in it, each with a handle.
 *
 * Only numbers pass, so wasm-bindgen's JavaScript has nothing to do and is left out. An instance that has thrown is never used again. Each
 * thing remembers how it was made, and is made again in the next instance when it is next needed.
 */
export class Engine {
  #platform;
  #module;
  #loading;
  #exports = null;
  #memory = null;
  #view = null;
  #slots = null;
  #generation = 0;
  /** Where texts are written to, and how long they may be. */
  #input = 0;
  #room = 0;
  #registry;
  /** Views of what the host was last asked about. */
  #message = new Uint8Array();
  #signature = this.#message;
  /** The verdicts of an asynchronous host for the call under way. */
  #verdicts = null;
  #job = null;
  /** What the engine takes by `takeBytes`, by numbers. */
  #given = new Map();
  #lastGiven = 0;
  /** The keys of `verifyJws`, by the object that its caller passed. */
  keysByObject = new WeakMap();

  constructor(platform) {
    this.#platform = platform;
    // Workers with a compatibility date before May 2025 have no FinalizationRegistry. There, things are kept as long as the isolate lives.
    this.#registry = globalThis.FinalizationRegistry && new FinalizationRegistry((thing) => this.#free(thing));
  }

  get platform() {
    return this.#platform;
  }

  /** Takes the compiled module. The caller of `slim` passes it. */
  provide(module) {
    this.#module = module;
  }

  get canRun() {
    return this.#exports !== null || this.#module !== undefined || this.#platform.load !== undefined;
  }

  /** Resolves when calls can be made synchronously. */
  async ready() {
    if (this.#exports) return;
    if (!this.#module && !this.#platform.load) {
      if (!this.#platform.loadLater) throw syncUnsupported('edgegate/slim: call init() or initSync() first');
      const loading = (this.#loading ??= this.#platform.loadLater());
      try {
        this.#module ??= await loading;
      } catch (error) {
        // The next call tries again: the network may be back.
        this.#loading = undefined;
        throw error;
      }
    }
    if (this.#exports) return;
    if (this.#platform.load) this.start();
    else this.#adopt(await WebAssembly.instantiate(this.#module, this.#imports()));
  }

  get isRunning() {
    return this.#exports !== null;
  }

  /** Keeps bytes until the engine takes them by the number that is returned. Those that nobody took are forgotten when there are some. */
  give(bytes) {
    if (this.#given.size >= MAX_GIVEN) this.#given.clear();
    this.#lastGiven += 1;
    this.#given.set(this.#lastGiven, bytes);
    return this.#lastGiven;
  }

  /** The number of this instance. The handles and tickets of earlier instances are gone. */
  get generation() {
    return this.#generation;
  }

  /** Makes an instance now. */
  start() {
    if (this.#exports) return;
    if (!this.#module) {
      if (!this.#platform.load) throw syncUnsupported('the WebAssembly module is not loaded yet: await ready() first');
      this.#module = this.#platform.load();
    }
    let instance;
    try {
      instance = new WebAssembly.Instance(this.#module, this.#imports());
    } catch (error) {
      // Some browsers allow no large instance on the main thread.
      if (error instanceof RangeError) throw syncUnsupported('the WebAssembly instance is not ready: await ready() first');
      throw error;
    }
    this.#adopt(instance);
  }

  #adopt(instance) {
    if (this.#exports) return;
    this.#exports = instance.exports;
    this.#memory = instance.exports.memory;
    this.#view = null;
    this.#room = 0;
    this.#generation += 1;
  }

  #imports() {
    const calls = {
      verify: (algorithm, name, nameLength, message, messageLength, signature, signatureLength) => {
        try {
          if (algorithm === ED25519 && !this.#takesEd25519()) return HOST_REFUSES_KEY;
          const view = this.#bytes();
          this.#message = part(this.#message, view, message, messageLength);
          this.#signature = part(this.#signature, view, signature, signatureLength);
          const key = this.#platform.readAscii(view, name, name + nameLength);
          return this.#platform.host.verify(algorithm, key, this.#message, this.#signature, this);
        } catch {
          return HOST_REFUSES_KEY;
        }
      },
      importKey: (name, nameLength, jwk, jwkLength) => {
        try {
          const view = this.#bytes();
          const key = JSON.parse(this.#platform.read(view, jwk, jwk + jwkLength));
          this.#platform.host.importKey(this.#platform.readAscii(view, name, name + nameLength), key);
          return 1;
        } catch {
          return 0;
        }
      },
      normalize: (address, length, to, room) => {
        try {
          const text = this.#platform.read(this.#bytes(), address, address + length).normalize('NFKC');
          const bytes = new TextEncoder().encode(text);
          if (bytes.length > room) return 0;
          new Uint8Array(this.#memory.buffer, to, bytes.length).set(bytes);
          return bytes.length;
        } catch {
          return 0;
        }
      },
      randomBytes: (address, length) => {
        try {
          new Uint8Array(this.#memory.buffer, address, length).set(this.#platform.randomBytes(length));
          return 1;
        } catch {
          return 0;
        }
      },
      takeBytes: (number, address, length) => {
        const given = this.#given.get(number);
        this.#given.delete(number);
        if (given?.length !== length) return 0;
        new Uint8Array(this.#memory.buffer, address, length).set(given);
        return 1;
      },
    };
    const imports = {};
    for (const { module, name } of WebAssembly.Module.imports(this.#module)) {
      const call = calls[/^__wbg_(\w+?)_[0-9a-f]+$/.exec(name)?.[1]];
      // The other imports set up a table of JavaScript values, which is never used.
      (imports[module] ??= {})[name] = call ?? (() => {});
    }
    return imports;
  }

  /** Whether the host verifies Ed25519. Otherwise wasm does it, since a synchronous caller cannot wait for WebCrypto. */
  #takesEd25519() {
    const { ed25519 } = this.#platform;
    return ed25519 === 'at once' || (ed25519 === 'later' && this.#verdicts !== null);
  }

  /** Returns a view of the memory, a new one if the memory has grown. */
  #bytes() {
    let view = this.#view;
    if (view === null || view.byteLength === 0) {
      view = this.#platform.view(this.#memory.buffer);
      this.#view = view;
      this.#slots = new Float64Array(this.#memory.buffer, this.#exports.output(), SLOTS);
    }
    return view;
  }

  #send(text) {
    const room = text.length * 3;
    if (room > this.#room) {
      this.#input = this.#exports.input(Math.max(room, USUAL_ROOM));
      this.#room = room > KEPT_INPUT ? 0 : Math.max(room, USUAL_ROOM);
    }
    return this.#platform.write(this.#bytes(), text, this.#input, room);
  }

  /** Makes a call with `before`, the text and `after`. Anything thrown is a trap: the instance is given up. */
  call(name, before, text, after) {
    this.start();
    try {
      const length = this.#send(text);
      const call = this.#exports[name];
      let status;
      if (before === undefined) status = after === undefined ? call(length) : call(length, after);
      else status = after === undefined ? call(before, length) : call(before, length, after);
      this.#bytes();
      return status;
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** Makes a call of the gate. The host may be asked, and may give its verdict later. */
  callLater(name, before, text, now) {
    this.#verdicts = NONE_YET;
    this.#job = null;
    try {
      return this.call(name, before, text, now);
    } finally {
      this.#verdicts = null;
    }
  }

  /** Makes a call about an issuer of a verifier. */
  callIssuer(name, handle, issuer, text, now) {
    this.start();
    try {
      const status = this.#exports[name](handle, issuer, this.#send(text), now);
      this.#bytes();
      return status;
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** Makes a call about a proof of possession. */
  callProof(text, now, maxAge, algorithms) {
    this.start();
    try {
      const status = this.#exports.verifyProof(this.#send(text), now, maxAge, algorithms);
      this.#bytes();
      return status;
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** Goes on with the token that waits in this instance under this ticket. */
  resume(handle, ticket) {
    try {
      const status = this.#exports.resume(handle, ticket);
      this.#bytes();
      return status;
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  #trapped(cause) {
    this.#exports = null;
    this.#memory = null;
    this.#view = null;
    const error = new EdgegateError({
      code: 'INVALID_TOKEN', reason: 'trapped', message: 'the WebAssembly instance trapped and was replaced',
    });
    error.cause = cause;
    return error;
  }

  /** Makes a call with the verdicts of an asynchronous host. */
  withVerdicts(verdicts, call) {
    this.#verdicts = verdicts;
    this.#job = null;
    try {
      return call();
    } finally {
      this.#verdicts = null;
    }
  }

  verdict(id) {
    return this.#verdicts?.get(id);
  }

  ask(job) {
    this.#job = job;
  }

  get job() {
    return this.#job;
  }

  // ---- what the last call has left ----

  text() {
    const start = this.#slots[TEXT];
    const end = start + this.#slots[TEXT_LENGTH];
    return this.#slots[FLAG] === 1
      ? this.#platform.readAscii(this.#view, start, end)
      : this.#platform.read(this.#view, start, end);
  }

  payload() {
    const start = this.#slots[TEXT];
    return new Uint8Array(this.#memory.buffer, start, this.#slots[TEXT_LENGTH]).slice();
  }

  /** Returns the payload, and erases it in the instance: it is a secret. */
  secret() {
    const bytes = this.payload();
    const start = this.#slots[TEXT];
    this.#view.fill(0, start, start + bytes.length);
    return bytes;
  }

  keyId() {
    const length = this.#slots[KEY_ID_LENGTH];
    if (length === 0) return undefined;
    const start = this.#slots[KEY_ID];
    return this.#platform.read(this.#view, start, start + length);
  }

  /** The ticket of a token that waits for the host; 0 if the token is not kept. */
  get ticket() {
    return this.#slots[VALID_FROM];
  }

  get issuer() {
    return this.#slots[ISSUER];
  }

  get validFrom() {
    return this.#slots[VALID_FROM];
  }

  get validUntil() {
    return this.#slots[VALID_UNTIL];
  }

  get hasKeys() {
    return this.#slots[FLAG] === 1;
  }

  /** The error of a call that was refused. */
  refusal() {
    return new EdgegateError(JSON.parse(this.text()));
  }

  // ---- things by handle ----

  /**
   * Returns a thing that lives as long as `owner`. `make` makes it in an instance and may throw. `restore` tells it again what it had
   * learnt.
   */
  hold(owner, free, make, restore) {
    const thing = { free, make, restore, handle: 0, generation: 0, disposed: false };
    this.#registry?.register(owner, thing, thing);
    return thing;
  }

  handle(thing) {
    if (thing.generation === this.#generation && this.#exports !== null) return thing.handle;
    if (thing.disposed) throw new EdgegateError({ code: 'CONFIG_ERROR', reason: 'config', message: 'it has been disposed of' });
    this.start();
    const status = thing.make();
    if (status !== DONE) throw this.refusal();
    thing.handle = this.issuer;
    thing.generation = this.#generation;
    thing.restore?.(thing.handle);
    return thing.handle;
  }

  dispose(thing) {
    this.#registry?.unregister(thing);
    this.#free(thing);
    thing.disposed = true;
    thing.generation = 0;
  }

  #free(thing) {
    if (this.#exports !== null && thing.generation === this.#generation) this.drop(thing.free, thing.handle);
  }

  /** Calls an export that frees something in the running instance. */
  drop(name, handle) {
    try {
      this.#exports[name](handle);
    } catch (error) {
      this.#trapped(error);
    }
  }
}
