import { checkNames, clock, list } from './check.js';
import { EdgegateError, configError } from './errors.js';
import { bytesOf } from './keys.js';
import { DONE } from './protocol.js';

const KEY_ID_BYTES = 16;

/** `createApiKeys` of index.d.ts. */
export class ApiKeys {
  #engine;
  #thing;
  #prefixes;
  #clock;

  constructor(engine, options) {
    checkNames(options, ['environment', 'prefixes', 'signingKeys', 'now'], '');
    const { environment, prefixes, signingKeys, now } = options;
    this.#engine = engine;
    this.#clock = clock(now);
    if (typeof environment !== 'string') throw configError('environment', 'expected a string');
    if (!Array.isArray(signingKeys)) throw configError('signingKeys', 'expected a non-empty list');
    this.#prefixes = [...list(prefixes, 'prefixes')];
    const text = JSON.stringify({
      environment,
      prefixes: this.#prefixes,
      signingKeys: signingKeys.map((key, index) => signingKey(key, `signingKeys[${index}]`, engine.platform)),
    });
    this.#thing = engine.hold(this, 'freeApiKeys', () => engine.call('createApiKeys', undefined, text));
    if (engine.canRun) engine.handle(this.#thing);
  }

  mint(options = {}) {
    checkNames(options, ['prefix', 'expiresAt'], '');
    const { prefix, expiresAt } = options;
    if (prefix !== undefined && typeof prefix !== 'string') throw invalid('prefix', 'expected a string');
    if (expiresAt !== undefined && !Number.isSafeInteger(expiresAt)) {
      throw invalid('expiresAt', 'expected a whole number of seconds since 1970');
    }
    const bytes = this.#engine.platform.randomBytes(KEY_ID_BYTES);
    const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    const engine = this.#engine;
    const request = JSON.stringify({ prefix, id, expiresAt });
    if (engine.call('mintApiKey', engine.handle(this.#thing), request) !== DONE) throw engine.refusal();
    return JSON.parse(engine.text());
  }

  verify(key) {
    if (typeof key !== 'string') {
      throw new EdgegateError({ code: 'INVALID_API_KEY', reason: 'malformed_api_key', message: 'API key: expected a string' });
    }
    // No key is as long as this, so the rest need not be copied.
    const text = key.length > 1024 ? key.slice(0, 1024) : key;
    const now = this.#clock();
    const engine = this.#engine;
    if (engine.call('verifyApiKey', engine.handle(this.#thing), text, now) !== DONE) throw engine.refusal();
    // crates/engine/src/api_keys.rs puts both into these slots.
    const { validFrom: signingKeyId, validUntil: expiresAt } = engine;
    const id = engine.text();
    const prefix = this.#prefixes[engine.issuer];
    return expiresAt === 0 ? { id, prefix, signingKeyId } : { id, prefix, expiresAt, signingKeyId };
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.#engine.dispose(this.#thing);
  }
}

const invalid = (path, problem) =>
  new EdgegateError({ code: 'INVALID_REQUEST', reason: 'invalid_field', message: `${path}: ${problem}`, path });

function signingKey(key, path, platform) {
  checkNames(key, ['id', 'secret'], path);
  const { id, secret } = key;
  if (!Number.isInteger(id) || id < 0 || id > 255) throw configError(`${path}.id`, 'expected a whole number from 0 to 255');
  let bytes;
  if (typeof secret === 'string') bytes = new TextEncoder().encode(secret);
  else if (ArrayBuffer.isView(secret) || secret instanceof ArrayBuffer) bytes = bytesOf(secret);
  else throw configError(`${path}.secret`, 'expected bytes or a string');
  return { id, secret: platform.encodeBase64Url(bytes) };
}
