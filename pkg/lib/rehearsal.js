import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';

import { checkNames, clock } from './check.js';
import { Engine } from './engine.js';
import { configError } from './errors.js';
import { Gate, documentOf } from './gate.js';
import { importSigningKey, publicJwks, signJws } from './sign.js';
import { algorithmsOf, issOf, typOf, usualClaims, withOtherKeys } from './stand-in.js';
import { memoryStore } from './stores.js';

const DISPOSE = Symbol.dispose ?? Symbol.for('Symbol.dispose');

/** `edgegate/testing`: a policy before it counts. It explains requests, and admits none. */
class Rehearsal {
  #shared;
  #gate;
  #policy;
  /** The key that signs for each issuer, where it has one here. */
  #keys;

  constructor(shared, { policy, keys }) {
    const { engine, stores, secrets, now } = shared;
    this.#shared = shared;
    this.#policy = policy;
    this.#keys = keys;
    this.#gate = new Gate(engine, policy, { secrets, stores, now }, true);
  }

  get keys() {
    return this.#gate.keys;
  }

  get revocations() {
    return this.#gate.revocations;
  }

  get sessions() {
    return this.#gate.sessions;
  }

  explain(request, options) {
    return this.#gate.explain(request, options);
  }

  /** A token of an issuer of the policy, which stands for the real one. */
  async token({ issuer, scopes, claims = {}, expiresInSecs, typ, ...others } = {}) {
    checkNames(others, [], '');
    const { engine, now } = this.#shared;
    const issuers = Array.isArray(this.#policy.issuers) ? this.#policy.issuers : [];
    const named = issuers.findIndex((one) => issuer === undefined || one.issuer === issuer || issOf(one) === issuer);
    const own = issuers[named];
    if (own === undefined) throw configError('issuer', issuer === undefined ? 'the policy has no issuer' : 'is no issuer of the policy');
    const key = this.#keys[named];
    if (key === undefined) throw configError('keys', 'expected stand-in: the keys of this issuer are its own');
    const usual = { sub: 'alice', jti: randomUUID(), ...usualClaims(own, now(), { scopes, lifetimeSecs: expiresInSecs }) };
    const all = Object.fromEntries(Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== null));
    // Not as `signJwt`, which signs no claims that are wrong by themselves: tests are about those too.
    return signJws(engine, JSON.stringify(all), key, { typ: typ ?? typOf(own) });
  }

  async beside(policy) {
    return rehearsalOf(this.#shared, policy);
  }

  [DISPOSE]() {
    this.#gate[DISPOSE]();
  }
}

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

/** A new private key for an algorithm. */
function newKey(alg) {
  if (CURVES[alg]) return generateKeyPairSync('ec', { namedCurve: CURVES[alg] }).privateKey;
  return alg.startsWith('Ed') ? generateKeyPairSync('ed25519').privateKey : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

/** Keys that stand for those of all issuers: which issuer it is, a token says by its claims. RSA keys take long to make. */
class StandIns {
  #engine;
  #known = new Map();
  #secret = randomBytes(64);

  constructor(engine) {
    this.#engine = engine;
  }

  /** The policy with these keys in place of its issuers' own, and the key that signs for each. */
  async in(document, secrets) {
    const policy = withoutKeys(document);
    // The reader of policies says what is wrong with it, so it has to get to see that.
    const isReadable = Array.isArray(document.issuers) && document.issuers.every(isObject);
    if (!isReadable) return { policy, keys: [] };
    const stood = [];
    for (const issuer of document.issuers) stood.push(await this.#issuer(issuer, secrets));
    return { policy: { ...policy, issuers: stood.map(({ issuer }) => issuer) }, keys: stood.map(({ key }) => key) };
  }

  async #issuer(issuer, secrets) {
    const algorithms = algorithmsOf(issuer);
    if (algorithms.every((alg) => `${alg}`.startsWith('HS'))) {
      const secret = issuer.secret ?? issuer.secrets?.[0] ?? 'STAND_IN';
      secrets[secret] = this.#secret.toString('base64url');
      const key = await this.#key(algorithms[0], this.#secret);
      return { key, issuer: withOtherKeys(issuer, { secret }) };
    }
    const keys = [];
    for (const alg of algorithms) keys.push(await this.#key(alg));
    const { keys: jwks } = await publicJwks(this.#engine, keys);
    return { key: keys[0], issuer: withOtherKeys(issuer, { jwks }) };
  }

  async #key(alg, secret) {
    if (!this.#known.has(alg)) this.#known.set(alg, await importSigningKey(this.#engine, secret ?? newKey(alg), { alg, kid: `stand-in-${alg}` }));
    return this.#known.get(alg);
  }
}

const isObject = (value) => typeof value === 'object' && value !== null;

/**
 * Nothing stands in for a secret that is a key or a URL: a ring is one of its own, a provider of logins has a secret in place of its key, and
 * nobody is told of what is rehearsed.
 */
function withoutKeys(document) {
  const { sessions, login, watch } = document;
  const { keys: ring, ...ownSessions } = isObject(sessions) ? sessions : {};
  const providers = Array.isArray(login?.providers) ? login.providers.map(withoutKey) : login?.providers;
  return { ...document, ...(isObject(sessions) && { sessions: ownSessions }), ...(isObject(login) && { login: { ...login, providers } }), ...(isObject(watch) && { watch: { ...watch, sinks: undefined } }) };
}

function withoutKey(provider) {
  if (provider?.private_key === undefined) return provider;
  const { team_id: team, key_id: id, private_key: key, ...rest } = provider;
  return { ...rest, type: 'google', client_secret: key };
}

async function rehearsalOf(shared, policy) {
  const { document } = documentOf(policy);
  const made = shared.standIns === undefined ? { policy, keys: [] } : await shared.standIns.in(document, shared.secrets);
  return new Rehearsal(shared, made);
}

/** `createRehearsal` of testing.d.ts. */
export const createRehearsalWith = (platform) => {
  let engine;
  return async (policy, options = {}) => {
    checkNames(options, ['secrets', 'keys', 'now'], '');
    const { secrets = {}, keys = 'stand-in', now = () => Math.floor(Date.now() / 1000) } = options;
    if (!['stand-in', 'own'].includes(keys)) throw configError('keys', 'expected stand-in or own');
    clock(now);
    engine ??= new Engine(platform);
    await engine.ready();
    const store = () => memoryStore({ now });
    const stores = { revocation: store(), counters: store(), keys: store(), jwks: store(), sessions: store(), accounts: store() };
    const standIns = keys === 'own' ? undefined : new StandIns(engine);
    return rehearsalOf({ engine, stores, now, standIns, secrets: { ...secrets } }, policy);
  };
};
