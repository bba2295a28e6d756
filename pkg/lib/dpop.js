import { checkNames, list, string } from './check.js';
import { EdgegateError, configError, syncUnsupported } from './errors.js';
import { HeadersRead, takeHeaders, urlOf } from './gate-request.js';
import {
  ALGORITHMS, AUTHORIZATION, DEFAULT_PROOF_AGE_SECS, DONE, DPOP, MAX_PROOF_AGE_SECS, MAX_PROOF_LENGTH, PENDING, PROOF_ALGORITHMS,
} from './protocol.js';
import { Replays } from './replays.js';

const READ = new HeadersRead();

const invalidToken = (reason, message, claim) => new EdgegateError({ code: 'INVALID_TOKEN', reason, message, claim });
const invalidRequest = (message) => new EdgegateError({ code: 'INVALID_REQUEST', reason: 'invalid_request', message });
const invalidProof = (problem) => invalidToken('dpop_proof', `DPoP proof: ${problem}`);
const storeUnavailable = (problem, cause) => {
  const error = new EdgegateError({
    code: 'STORE_UNAVAILABLE', reason: 'store_unavailable', message: `store replay: ${problem}`,
  });
  if (cause !== undefined) error.cause = cause;
  return error;
};

/** Reads the option `dpop` of a verifier. Returns `null` if the verifier ignores bindings. */
export function dpopOptions(options = {}) {
  if (options === false) return null;
  checkNames(options, ['required', 'maxAge', 'algorithms', 'replay'], 'dpop');
  const { required = false, maxAge = DEFAULT_PROOF_AGE_SECS, algorithms = PROOF_ALGORITHMS, replay } = options;
  if (typeof required !== 'boolean') throw configError('dpop.required', 'expected true or false');
  if (!Number.isSafeInteger(maxAge) || maxAge < 1 || maxAge > MAX_PROOF_AGE_SECS) {
    throw configError('dpop.maxAge', `expected 1 to ${MAX_PROOF_AGE_SECS} seconds`);
  }
  if (replay !== undefined && typeof replay?.compareAndSet !== 'function') {
    throw configError('dpop.replay', 'expected a store with compareAndSet');
  }
  if (list(algorithms, 'dpop.algorithms').length === 0) throw configError('dpop.algorithms', 'expected a non-empty list');
  let permitted = 0;
  algorithms.forEach((name, index) => {
    const known = name === 'Ed25519' ? 'EdDSA' : name;
    if (!PROOF_ALGORITHMS.includes(known)) {
      throw configError(`dpop.algorithms[${index}]`, 'expected a public-key algorithm like ES256, EdDSA or RS256');
    }
    permitted |= 1 << ALGORITHMS.indexOf(known);
  });
  return { required, maxAge, permitted, replay };
}

/** Reads the option `dpop` of `verify`. Returns `undefined` if it has no proof. */
export function presented(dpop) {
  if (dpop === undefined) return undefined;
  checkNames(dpop, ['proof', 'method', 'url', 'nonce'], 'dpop');
  const { proof, method, url, nonce = [] } = dpop;
  if (proof === undefined || proof === null) return undefined;
  // Node gives several headers of some names as a list.
  if (Array.isArray(proof)) throw invalidProof('more than one DPoP header');
  if (typeof proof !== 'string') throw configError('dpop.proof', 'expected a string, or nothing');
  if (proof.length > MAX_PROOF_LENGTH) throw invalidProof(`longer than ${MAX_PROOF_LENGTH} bytes`);
  if (proof.includes('\n')) throw invalidProof('expected one line');
  const nonces = typeof nonce === 'string' ? [nonce] : list(nonce, 'dpop.nonce', 'a string or a list of strings');
  const lines = [line(method, 'dpop.method'), line(url instanceof URL ? url.href : url, 'dpop.url')];
  return { lines, proof, nonces: nonces.map((one) => line(one, 'dpop.nonce')) };
}

function line(value, path) {
  if (string(value, path).includes('\n')) throw configError(path, 'expected one line');
  return value;
}

/** 32 bytes in base64url. The last two bits of the last character are not used, so they must be 0. */
const THUMBPRINT = /^[\w-]{42}[AEIMQUYcgkosw048]$/;

/**
 * Returns the thumbprint of the key that a token is bound to. `Confirmation` of the core does the same; tests/vectors/confirmations.json
 * tests both.
 */
function bindingOf({ cnf }) {
  if (cnf === undefined) return undefined;
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) {
    throw invalidToken('wrong_claim_type', 'claim cnf: expected an object', 'cnf');
  }
  if (!Object.hasOwn(cnf, 'jkt')) return undefined;
  if (typeof cnf.jkt !== 'string' || !THUMBPRINT.test(cnf.jkt)) {
    throw invalidToken('wrong_claim_type', 'claim cnf.jkt: expected a SHA-256 thumbprint in base64url', 'cnf.jkt');
  }
  return cnf.jkt;
}

/** Checks the proofs that come with a verifier's tokens, and remembers them. */
export class Proofs {
  #engine;
  #options;
  #replays;

  constructor(engine, options) {
    this.#engine = engine;
    this.#options = options;
    this.#replays = options?.replay === undefined ? new Replays() : null;
  }

  /**
   * Returns the text for the core if a proof has to be checked. Throws if a bound token has no proof, or if a token lacks a binding that it
   * needs.
   */
  needed(token, claims, proof) {
    if (this.#options === null) return undefined;
    const jkt = bindingOf(claims);
    if (jkt === undefined) {
      if (proof === undefined && !this.#options.required) return undefined;
      throw invalidToken('dpop_not_bound', 'token is not bound to a key');
    }
    if (proof === undefined) throw invalidToken('dpop_required', 'token is bound to a key, expected a DPoP proof');
    return [jkt, ...proof.lines, token, proof.proof, ...proof.nonces].join('\n');
  }

  async check(text, now) {
    let verdicts;
    for (;;) {
      const status = this.#run(text, now, verdicts);
      if (status === DONE) break;
      if (status !== PENDING) throw this.#engine.refusal();
      const { job } = this.#engine;
      verdicts ??= new Map();
      verdicts.set(job.id, await this.#engine.platform.host.decide(job));
    }
    const { key, until, sharedUntil } = this.#verified();
    if (this.#replays !== null) return this.#remember(key, text, until, now);
    let first;
    try {
      const ttlSecs = Math.max(1, Math.ceil(sharedUntil - now / 1000));
      first = await this.#options.replay.compareAndSet(key, null, '1', { ttlSecs });
    } catch (error) {
      throw storeUnavailable('it failed', error);
    }
    if (typeof first !== 'boolean') throw storeUnavailable('compareAndSet gave no boolean');
    if (!first) throw invalidToken('dpop_replayed', 'DPoP proof has been used before');
    return undefined;
  }

  checkSync(text, now) {
    if (this.#replays === null) throw syncUnsupported('proofs are remembered in a store: await verify()');
    const status = this.#run(text, now);
    if (status === PENDING) throw syncUnsupported('this runtime checks the algorithm asynchronously: await verify()');
    if (status !== DONE) throw this.#engine.refusal();
    const { key, until } = this.#verified();
    this.#remember(key, text, until, now);
  }

  #run(text, now, verdicts) {
    const { maxAge, permitted } = this.#options;
    const call = () => this.#engine.callProof(text, now, maxAge, permitted);
    return verdicts === undefined ? call() : this.#engine.withVerdicts(verdicts, call);
  }

  #verified() {
    return { key: this.#engine.text(), until: this.#engine.validUntil, sharedUntil: this.#engine.validFrom };
  }

  #remember(key, text, until, now) {
    const holder = text.slice(0, text.indexOf('\n'));
    const first = this.#replays.isFirst(key, holder, until, now / 1000);
    if (first === undefined) throw storeUnavailable('no room for more proofs of possession');
    if (!first) throw invalidToken('dpop_replayed', 'DPoP proof has been used before');
  }
}

/**
 * Returns the one token of a request (RFC 6750 §2.1, RFC 9449 §7.1) as `{token, dpop}`, where `dpop` is for {@link presented}. The scheme
 * decides: a token sent as Bearer must not be bound to a key (§7.2).
 */
export function credentialOf(request, { url, method, nonce } = {}) {
  if (typeof request !== 'object' || request === null) throw invalidRequest('request: expected a Request or an IncomingMessage');
  const texts = [];
  takeHeaders(request, texts, READ);
  const { [AUTHORIZATION]: authorization, [DPOP]: proof } = texts;
  if (authorization === undefined) {
    throw new EdgegateError({ code: 'MISSING_CREDENTIALS', reason: 'missing_credentials', message: 'no credential was presented' });
  }
  const [, scheme, token] = /^(Bearer|DPoP) +([^\s,]+) *$/i.exec(authorization) ?? [];
  if (scheme === undefined) {
    throw invalidRequest('Authorization: expected Bearer or DPoP and one token');
  }
  if (scheme.toLowerCase() === 'bearer') return { token, dpop: undefined };
  if (proof === undefined) throw invalidProof('the DPoP header is missing');
  // Of Node's request only the path is known, and no proof is for that.
  return { token, dpop: { proof, method: method ?? request.method, url: url ?? urlOf(request), ...(nonce !== undefined && { nonce }) } };
}
