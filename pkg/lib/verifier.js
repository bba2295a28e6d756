import { Cache } from './cache.js';
import { checkNames } from './check.js';
import { clone } from './clone.js';
import { Proofs, credentialOf, presented } from './dpop.js';
import { NONE_YET } from './engine.js';
import { keysUnavailable, malformedToken, syncUnsupported, tokenTooLong } from './errors.js';
import { verifierOptions } from './options.js';
import { DONE, GONE, HOST_HOLDS, KEYS_NEEDED, KEYS_UNDER_WAY, KNOWN_PLACE, PENDING } from './protocol.js';
import { fetchKeys } from './remote.js';

/** The headers of tokens repeat. So many parsed ones are kept, each no longer than this. */
const MAX_HEADERS = 64;
const MAX_HEADER_LENGTH = 512;

/** A call waits for keys that others fetch: it looks for them at this interval, and for a second in all, as the core does. */
const LOOK_MILLIS = 25;
const MAX_LOOKS = 40;

/** `createVerifier` of index.d.ts. */
export class Verifier {
  #engine;
  #thing;
  #issuers;
  #clock;
  #cache;
  #headers = new Map();
  /** Set while a CryptoKey is being exported. */
  #preparing = null;
  /**
   * For each issuer with published keys: where they are, or with `discovery` where they were found; what was fetched last; the fetch under
   * way.
   */
  #published;
  #maxTokenLength;
  #proofs;

  constructor(engine, options) {
    const { single, issuers, maxTokenLength, entries, clock, dpop } = verifierOptions(options, engine.platform);
    this.#engine = engine;
    this.#proofs = new Proofs(engine, dpop);
    this.#clock = clock;
    this.#cache = entries > 0 ? new Cache(entries) : null;
    this.#issuers = issuers.map(({ issuer }) => issuer);
    this.#published = issuers.map(({ jwksUri, discovery }) => (
      jwksUri === undefined && discovery !== true ? null : { uri: jwksUri, found: undefined, last: null, underWay: null }
    ));
    const document = { text: null };
    const settle = () => {
      document.text = JSON.stringify(single ? issuers[0] : { issuers });
    };
    this.#thing = hold(engine, this, document, maxTokenLength, this.#published);
    this.#maxTokenLength = maxTokenLength;
    const promised = issuers.filter(({ key }) => typeof key?.then === 'function');
    if (promised.length === 0) {
      settle();
    } else {
      this.#preparing = Promise.all(promised.map(async (issuer) => {
        issuer.key = await issuer.key;
      })).then(() => {
        settle();
        this.#preparing = null;
      });
      // The next call of verify gets the error.
      this.#preparing.catch(() => {});
    }
    if (this.#preparing === null && engine.canRun) engine.handle(this.#thing);
  }

  /** @returns {Promise<import('../index.js').VerifiedToken>} */
  async verify(token, options) {
    const proof = proofOf(options);
    const now = this.#clock();
    const answer = this.#verify(token, now);
    // A result that is there already is not awaited, since `await` alone takes time.
    const verified = answer instanceof Promise ? await answer : answer;
    const text = this.#proofs.needed(token, verified.claims, proof);
    if (text !== undefined) await this.#proofs.check(text, now);
    return verified;
  }

  async verifyRequest(request, options = {}) {
    checkNames(options, ['url', 'method', 'nonce'], '');
    const { token, dpop } = credentialOf(request, options);
    return this.verify(token, { dpop });
  }

  /**
   * Returns who comes with this `Authorization`, in the form of a gate: adapters take a verifier in place of a gate. The engine decides
   * what a credential is and where scopes stand.
   */
  async identify(authorization = '') {
    if (!this.#engine.isRunning) await this.#engine.ready();
    if (this.#engine.call('bearerToken', undefined, authorization) !== DONE) throw this.#engine.refusal();
    const token = this.#engine.text();
    const { claims, issuer, keyId } = await this.verify(token);
    const identity = { method: 'jwt', issuer, scopes: await this.#scopesOf(token), claims };
    if (claims.sub !== undefined) identity.subject = claims.sub;
    if (keyId !== undefined) identity.keyId = keyId;
    if (claims.jti !== undefined) identity.tokenId = claims.jti;
    return identity;
  }

  /** Returns the scopes of a verified token. */
  async #scopesOf(token) {
    if (!this.#engine.isRunning) await this.#engine.ready();
    const handle = this.#engine.handle(this.#thing);
    if (this.#engine.call('scopesOf', handle, token) !== DONE) throw this.#engine.refusal();
    const scopes = this.#engine.text();
    return scopes === '' ? [] : scopes.split(' ');
  }

  /** Returns the result, or a promise of it if something has to be waited for. */
  #verify(token, now) {
    const hit = this.#find(token, now);
    if (hit !== undefined) return hit;
    if (this.#preparing !== null || !this.#engine.isRunning) return this.#whenReady(token, now);
    const verdicts = this.#engine.platform.ed25519 === 'later' ? NONE_YET : undefined;
    const status = this.#run(token, now, verdicts);
    return status === DONE ? this.#take(token, now) : this.#goOn(status, token, now, verdicts);
  }

  async #whenReady(token, now) {
    if (this.#preparing !== null) await this.#preparing;
    if (!this.#engine.isRunning) await this.#engine.ready();
    return this.#verify(token, now);
  }

  async #goOn(first, token, begun, given) {
    let now = begun;
    let verdicts = given;
    let fetches = 0;
    let looks = 0;
    for (let status = first; ; status = this.#run(token, now, verdicts)) {
      if (status === DONE) return this.#take(token, now);
      if (status === PENDING) {
        const { job, ticket, generation } = this.#engine;
        const verdict = await this.#engine.platform.host.decide(job);
        if (verdict === HOST_HOLDS && ticket !== 0) {
          const handle = this.#engine.handle(this.#thing);
          // A later instance does not know the ticket, or it has another token under this number.
          const resumed = this.#engine.generation === generation ? this.#engine.resume(handle, ticket) : GONE;
          if (resumed === DONE) return this.#take(token, now);
          if (resumed !== GONE) throw this.#engine.refusal();
        }
        if (verdicts === undefined || verdicts === NONE_YET) verdicts = new Map();
        verdicts.set(job.id, verdict);
      } else if (status === KEYS_NEEDED && fetches < 2) {
        fetches += 1;
        const { issuer, hasKeys } = this.#engine;
        await this.#refresh(issuer, this.#engine.text(), now, hasKeys);
      } else if (status === KEYS_UNDER_WAY) {
        const { issuer } = this.#engine;
        if (looks === MAX_LOOKS) throw keysUnavailable(this.#issuers[issuer], 'are being fetched');
        looks += 1;
        await (this.#published[issuer].underWay ?? new Promise((resolve) => { setTimeout(resolve, LOOK_MILLIS); }));
        now = this.#clock();
      } else {
        throw this.#engine.refusal();
      }
    }
  }

  verifySync(token, options) {
    const proof = proofOf(options);
    const now = this.#clock();
    const verified = this.#verifySync(token, now);
    const text = this.#proofs.needed(token, verified.claims, proof);
    if (text !== undefined) this.#proofs.checkSync(text, now);
    return verified;
  }

  #verifySync(token, now) {
    const hit = this.#find(token, now);
    if (hit !== undefined) return hit;
    if (this.#preparing !== null) throw syncUnsupported('a CryptoKey is being exported: await verify()');
    let status = this.#run(token, now);
    if (status === DONE) return this.#take(token, now);
    if (status === KEYS_NEEDED) {
      const { issuer, hasKeys } = this.#engine;
      // The keys are fetched for later calls. This one goes on with the keys it has.
      this.#refresh(issuer, this.#engine.text(), now, true).catch(() => {});
      if (!hasKeys) throw syncUnsupported('the keys have to be fetched first: await verify()');
      status = this.#run(token, now);
      if (status === DONE) return this.#take(token, now);
    }
    if (status === KEYS_UNDER_WAY) throw syncUnsupported('the keys have to be fetched first: await verify()');
    if (status === PENDING) throw syncUnsupported('this runtime checks the algorithm asynchronously: await verify()');
    throw this.#engine.refusal();
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.#cache?.clear();
    this.#engine.dispose(this.#thing);
  }

  #find(token, now) {
    if (typeof token !== 'string') throw malformedToken('token: expected a string');
    if (token.length > this.#maxTokenLength) throw tokenTooLong(token, this.#maxTokenLength);
    return this.#cache?.find(token, Math.floor(now / 1000));
  }

  #run(token, now, verdicts) {
    const engine = this.#engine;
    const handle = engine.handle(this.#thing);
    if (verdicts === undefined) return engine.call('verify', handle, token, now);
    return engine.withVerdicts(verdicts, () => engine.call('verify', handle, token, now));
  }

  /** Reads the result of the call that has just been made. */
  #take(token, now) {
    const engine = this.#engine;
    const text = engine.text();
    const claims = JSON.parse(text);
    const result = {
      claims,
      header: this.#header(token),
      issuer: claims.iss,
      keyId: engine.keyId(),
    };
    // If the keys are stale already, the result holds for too short a time to be kept.
    if (this.#cache !== null && engine.validUntil * 1000 > now) {
      this.#cache.add(token, {
        text, header: result.header, issuer: result.issuer, keyId: result.keyId,
        from: engine.validFrom, until: engine.validUntil,
      });
      result.header = clone(result.header);
    }
    return result;
  }

  /** Returns the parsed header. The same text always gives the same header, so parsed ones are kept. */
  #header(token) {
    const segment = token.slice(0, token.indexOf('.'));
    const known = this.#headers.get(segment);
    if (known !== undefined) return clone(known);
    const header = JSON.parse(new TextDecoder().decode(this.#engine.platform.decodeBase64Url(segment)));
    if (segment.length <= MAX_HEADER_LENGTH) {
      if (this.#headers.size >= MAX_HEADERS) this.#headers.clear();
      this.#headers.set(segment, header);
      return clone(header);
    }
    return header;
  }

  /** Fetches the keys of an issuer. Without older keys to go on with, a failure is the caller's. */
  async #refresh(issuer, etag, now, hasKeys) {
    const keys = this.#published[issuer];
    let fetching = keys.underWay;
    if (fetching === null) {
      fetching = this.#fetch(issuer, etag, now);
      // On some runtimes a request cannot wait for what another one has begun.
      if (this.#engine.platform.sharesPromises) {
        keys.underWay = fetching;
        const done = () => {
          keys.underWay = null;
        };
        fetching.then(done, done);
      }
    }
    const failure = await fetching;
    if (failure && !hasKeys) {
      // The place may have been wrong, so it is looked up again.
      keys.found = undefined;
      throw failure;
    }
  }

  /** Asks for the keys where the issuer has said that they are, or asks the issuer first. The engine says what to ask for next. */
  async #discover(issuer, etag, now) {
    const engine = this.#engine;
    const known = this.#published[issuer].found;
    let asked = { ...known };
    let began = now;
    let uri;
    let fetched;
    for (;;) {
      const time = Math.floor(this.#clock());
      const status = engine.callIssuer('nextPlace', engine.handle(this.#thing), issuer, JSON.stringify(asked), time);
      if (status === DONE) return { ...fetched, found: asked.step === KNOWN_PLACE ? known : { uri, readAt: time } };
      if (status !== KEYS_NEEDED) return { failure: engine.refusal() };
      const step = engine.issuer;
      uri = engine.text();
      fetched = await fetchKeys(uri, step === KNOWN_PLACE ? etag : undefined);
      asked = { step, began, text: fetched.answer?.jwks, problem: fetched.problem, status: fetched.status };
      began = time;
    }
  }

  async #fetch(issuer, etag, now) {
    const keys = this.#published[issuer];
    const { answer, problem, found, failure } = keys.uri === undefined
      ? await this.#discover(issuer, etag, now)
      : await fetchKeys(keys.uri, etag);
    if (failure !== undefined) return failure;
    const engine = this.#engine;
    const handle = engine.handle(this.#thing);
    if (problem !== undefined) {
      // The time is that of the failure. Otherwise a host that takes long to fail would be tried again at once.
      engine.callIssuer('keysFailed', handle, issuer, problem, this.#clock());
      return engine.refusal();
    }
    const text = JSON.stringify(answer);
    if (engine.callIssuer('keysFetched', handle, issuer, text, now) !== DONE) {
      const refusal = engine.refusal();
      engine.callIssuer('keysFailed', handle, issuer, 'cannot be used', this.#clock());
      return refusal;
    }
    // The place is kept only together with its keys: their ETag belongs to that place.
    keys.found = found;
    if (answer.jwks === undefined) {
      if (keys.last) {
        const { jwks, etag: lastEtag } = JSON.parse(keys.last.answer);
        keys.last = { answer: JSON.stringify({ jwks, etag: lastEtag, cacheControl: answer.cacheControl }), jwks, at: now };
      }
    } else {
      // A withdrawn key must not live on in cached results.
      if (keys.last?.jwks !== answer.jwks) this.#cache?.clear();
      keys.last = { answer: text, jwks: answer.jwks, at: now };
    }
    return undefined;
  }
}

function proofOf(options) {
  if (options === undefined) return undefined;
  checkNames(options, ['dpop'], '');
  return presented(options.dpop);
}

/**
 * Makes the verifier in the engine. This is a function of its own, so that the closures that the engine keeps do not hold the owner.
 * Otherwise it could never be collected.
 */
function hold(engine, owner, document, maxTokenLength, published) {
  return engine.hold(
    owner,
    'freeVerifier',
    () => engine.call('createVerifier', undefined, document.text, maxTokenLength),
    // A fresh instance is told what was fetched before, and when.
    (handle) => published.forEach((keys, issuer) => {
      if (keys?.last) engine.callIssuer('keysFetched', handle, issuer, keys.last.answer, keys.last.at);
    }),
  );
}
