import { checkNames, clock } from './check.js';
import { Engine } from './engine.js';
import { EdgegateError, configError } from './errors.js';
import { AccountAdministration } from './gate-accounts.js';
import { KeyAdministration, RevocationAdministration, inOwnNames, requestOf } from './gate-admin.js';
import { GrantAdministration } from './gate-grants.js';
import { Held, Jobs } from './gate-jobs.js';
import { mailerOf } from './gate-mail.js';
import { passwordsOf } from './gate-passwords.js';
import { HeadersRead, textsOf } from './gate-request.js';
import { SessionAdministration, bodyOf, handled, moreOf } from './gate-sessions.js';
import { GateTurns } from './gate-turns.js';
import { WatchReader, checkWatchStore, sinksOf } from './gate-watch.js';
import { bytesOf, jsonOf } from './keys.js';
import { setCookies } from './cookies.js';
import { fromLines, toLines } from './lines.js';
import { ADMITTED, DONE, PENDING } from './protocol.js';

/** For so long an answer is held back for a mail where all is: what takes longer goes on with the next request. */
const MAIL_MILLIS = 1000;

const CHECK_OPTIONS = ['clientIp', 'path', 'waitUntil'];

/** Adapters find by this symbol the function that decides without a promise if it can. They may be bundled apart from the gate. */
const AT_ONCE = Symbol.for('edgegate.atOnce');

/** Has a gate take a turn of the watch, or of its mails. They are made outside of the constructor: what is made there holds the gate. */
let turnOf;
let mailTurnOf;

/** `createGate` of index.d.ts. */
export class Gate {
  #engine;
  #thing;
  #clock;
  #jobs;
  #log;
  #waitUntil;
  #headers;
  #pathCase;
  #prefixes;
  #keys;
  #revocations;
  #sessions;
  #grants;
  #accounts;
  #watch;
  /** Nothing if the policy does not watch. */
  #turns;
  #mailTurns;
  /** Whether a mail was there to hand over. */
  #hasMails = false;

  /** `rehearsal`: it only explains (rehearsal.js). */
  constructor(engine, policy, options = {}, rehearsal = false) {
    checkNames(options, ['secrets', 'stores', 'now', 'log', 'waitUntil', 'watch', 'mail', 'passwords'], '');
    const { secrets = {}, stores = {}, now, log, waitUntil, watch = {} } = options;
    checkNames(stores, ['revocation', 'counters', 'keys', 'jwks', 'sessions', 'accounts', 'watch'], 'stores');
    for (const [name, store] of Object.entries(stores)) checkStore(store, name);
    const sinks = sinksOf(watch);
    const [mail, passwords] = [mailerOf(options.mail), passwordsOf(options.passwords)];
    this.#engine = engine;
    this.#clock = clock(now);
    this.#log = callable(log, 'log');
    this.#waitUntil = callable(waitUntil, 'waitUntil');
    const { text, document } = documentOf(policy);
    // A header that the platform does not set can be set by anybody. Then only a header that the policy names counts.
    const clientIpHeader = document.client_ip_header ?? engine.platform.clientIpHeader;
    this.#headers = new HeadersRead(document, clientIpHeader);
    this.#pathCase = document.routes?.length > 0 ? document.path_case ?? 'sensitive' : undefined;
    this.#prefixes = prefixesOf(document);
    this.#jobs = new Jobs(engine.platform, stores, {
      event: (event) => this.#tell(event),
      fault: (detail) => this.#tell({ event: 'fault', at: this.#clock(), detail }),
      workOff: (waitUntil) => this.#workOff(waitUntil),
      handOver: (millis, waitUntil) => this.#handOver(millis, waitUntil),
      handMails: (when, waitUntil) => this.#handMails(when, waitUntil),
    }, { sinks, mail, passwords, give: (bytes) => engine.give(bytes) });
    this.#thing = hold(engine, this, JSON.stringify({
      policy: text,
      secrets: secretsOf(document, secrets, engine.platform),
      stores: {
        revocation: stores.revocation !== undefined,
        keys: stores.keys !== undefined,
        jwks: stores.jwks !== undefined,
        counters: kindOfCounters(stores.counters),
        sessions: kindOfCounters(stores.sessions),
        accounts: kindOfCounters(stores.accounts),
        watch: stores.watch !== undefined,
      },
      watch: { sinks: Object.keys(sinks) },
      given: { mail: mail !== undefined, passwords: passwords !== undefined },
      ...(rehearsal && { rehearsal }),
    }));
    const ask = (what, members) => this.#administer(what, members);
    // A policy that looks up no records needs no store of keys.
    this.#keys = new KeyAdministration(stores.keys === undefined ? noKeyStore : ask, (count) => engine.platform.randomBytes(count));
    this.#revocations = new RevocationAdministration(ask);
    this.#sessions = new SessionAdministration(ask);
    this.#grants = new GrantAdministration(ask);
    this.#accounts = new AccountAdministration(ask);
    this.#watch = new WatchReader(ask);
    const watches = document.watch !== undefined && !rehearsal;
    if (watches) this.#turns = new GateTurns(this, turnOf, engine.platform.sharesPromises);
    this.#mailTurns = new GateTurns(this, mailTurnOf, engine.platform.sharesPromises);
    if (engine.canRun) engine.handle(this.#thing);
  }

  get keys() {
    return this.#keys;
  }

  get revocations() {
    return this.#revocations;
  }

  get sessions() {
    return this.#sessions;
  }

  get grants() {
    return this.#grants;
  }

  get accounts() {
    return this.#accounts;
  }

  get watch() {
    return this.#watch;
  }

  get pathCase() {
    return this.#pathCase;
  }

  /** Resolves when the engine is loaded and has taken the policy. */
  async ready() {
    await this.#engine.ready();
    this.#engine.handle(this.#thing);
    // Elsewhere there is no request yet that a timer could be of.
    if (this.#engine.platform.sharesPromises) this.#turns?.in(0);
  }

  metrics() {
    return this.#watch.metrics();
  }

  async close() {
    await Promise.all([this.#turns?.end(), this.#mailTurns.end()]);
    if (this.#turns !== undefined) await this.#administer('watch', { close: {} });
    if (this.#hasMails) await this.#handOverMails();
  }

  async check(request, options = {}) {
    checkNames(options, CHECK_OPTIONS, '');
    return this.#decide(request, options);
  }

  async explain(request, options = {}) {
    checkNames(options, CHECK_OPTIONS, '');
    const waitUntil = callable(options.waitUntil, 'waitUntil') ?? this.#waitUntil;
    const text = toLines(textsOf(request, options, this.#headers));
    if (!this.#engine.isRunning) await this.#engine.ready();
    return this.#run('explainRequest', text, waitUntil, (left) => explanation(JSON.parse(left)));
  }

  /** Whether a path, with or without its query, may be an endpoint of sessions, logins or accounts. Only then `handle` has to be asked. */
  mayHandle(path) {
    return this.#prefixes.some((prefix) => path.startsWith(prefix));
  }

  async handle(request, options = {}) {
    checkNames(options, CHECK_OPTIONS, '');
    const waitUntil = callable(options.waitUntil, 'waitUntil') ?? this.#waitUntil;
    const texts = textsOf(request, options, this.#headers);
    const ask = async (more) => {
      if (!this.#engine.isRunning) await this.#engine.ready();
      return this.#run('handleRequest', toLines([...texts, ...more]), waitUntil, (left) => JSON.parse(left));
    };
    let answer = await ask(moreOf(request));
    // The body is read only now: if it is not for the gate, it is the application's.
    if (answer?.body === true) answer = await ask(moreOf(request, await bodyOf(request)));
    return answer === null ? undefined : handled(answer);
  }

  static {
    // The symbol is a member of the function: whoever replaces `check` is asked in its place.
    turnOf = (gate) => gate.#turn();
    mailTurnOf = (gate) => gate.#handOverMails();
    this.prototype.check[AT_ONCE] = (gate, request, options) => gate.#decide(request, options);
  }

  /** Returns the decision, or a promise of it if something has to be waited for. */
  #decide(request, options) {
    const waitUntil = callable(options.waitUntil, 'waitUntil') ?? this.#waitUntil;
    const text = toLines(textsOf(request, options, this.#headers));
    const run = () => this.#run('checkRequest', text, waitUntil, (left, claims) => this.#decision(left, claims));
    return this.#engine.isRunning ? run() : this.#engine.ready().then(run);
  }

  /** Reads the decision that the engine has left. `claims` are those of a token. */
  #decision(left, claims) {
    if (!left.startsWith(ADMITTED)) {
      const { event, fault, ...answer } = JSON.parse(left);
      if (event !== undefined) this.#tell(event);
      if (fault !== undefined) this.#tell(fault);
      return new Answer(answer, this.#clock);
    }
    const lines = fromLines(left);
    if (lines[EVENTS] !== '') JSON.parse(lines[EVENTS]).forEach((event) => this.#tell(event));
    return admitted(lines, claims, this.#clock);
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.#turns?.end();
    this.#mailTurns.end();
    this.#engine.dispose(this.#thing);
  }

  /** Does the work that can wait until an answer is out. If it fails, a later request does it. */
  #workOff(waitUntil) {
    const done = Promise.resolve().then(() => this.#run('administer', requestOf('workOff', {}), waitUntil, () => {})).catch(() => {});
    waitUntil?.(done);
  }

  /** Has what was counted handed over after this time. */
  #handOver(millis, waitUntil) {
    const done = this.#turns?.in(millis);
    if (done !== undefined) waitUntil?.(done);
  }

  /**
   * Has mails handed over after this time. A platform that holds the answer back until all is done (adapters/lambda.js) waits as long for a new mail
   * to somebody as for one to nobody, and for no other: what it waits for would tell who has an account.
   */
  #handMails({ millis, isNew }, waitUntil) {
    this.#hasMails = true;
    // Where a timer ends with its request, nobody waits: the next step of these accounts hears of it again.
    if (millis > 0 && !this.#engine.platform.sharesPromises) return;
    const done = millis > 0 ? this.#mailTurns.in(millis) : this.#mailTurns.soon();
    if (done !== undefined) waitUntil?.(done, isNew ? MAIL_MILLIS : 0);
  }

  /** Hands over mails that are due. Resolves with after how many milliseconds the next one is, or `null`. */
  #handOverMails() {
    return this.#administer('accounts', { handMails: {} });
  }

  /** Hands over what was counted, and keeps. Resolves with after how many milliseconds that is due again, or `null`. */
  #turn() {
    return this.#administer('watch', { turn: {} });
  }

  async #administer(what, members) {
    const text = requestOf(what, members);
    if (!this.#engine.isRunning) await this.#engine.ready();
    try {
      return await this.#run('administer', text, this.#waitUntil, (left) => JSON.parse(left));
    } catch (error) {
      throw inOwnNames(error);
    }
  }

  /** Begins a task in the engine. Returns what `read` makes of its result, or a promise of that if the host has jobs to do first. */
  #run(name, text, waitUntil, read) {
    const engine = this.#engine;
    let status;
    try {
      status = engine.callLater(name, engine.handle(this.#thing), text, this.#clock());
      if (status === DONE) return this.#done(waitUntil, read);
      if (status !== PENDING) throw engine.refusal();
    } catch (error) {
      throw notTrapped(error);
    }
    return this.#goOn(waitUntil, read);
  }

  /** Reads what a task has left. */
  #done(waitUntil, read, held) {
    const engine = this.#engine;
    // Everything is read first: a store or the log may call a gate in turn, and that call leaves its own result there.
    let text = engine.text();
    const claims = engine.keyId();
    // 1 says that the first line has jobs (crates/engine/src/gate/task.rs).
    if (engine.issuer === 1) {
      const end = text.indexOf('\n');
      this.#jobs.begin(JSON.parse(text.slice(0, end)), held ?? new Held(), waitUntil);
      text = text.slice(end + 1);
    }
    return read(text, claims);
  }

  /** Does the jobs of a task that has just been begun, until it is done. */
  async #goOn(waitUntil, read) {
    const engine = this.#engine;
    const { generation } = engine;
    const held = new Held();
    const underWay = new UnderWay();
    let task = 0;
    try {
      let status = PENDING;
      while (status === PENDING) {
        task = engine.issuer;
        const { job: signature } = engine;
        underWay.add(this.#jobs.begin(JSON.parse(engine.text()), held, waitUntil, signature));
        const answers = await underWay.next();
        // Another check may have trapped meanwhile. Then the task of this one is gone with the instance.
        if (engine.generation !== generation || !engine.isRunning) throw trapped();
        const waiting = task;
        task = 0;
        status = engine.callLater('resumeTask', waiting, JSON.stringify(answers), this.#clock());
      }
      if (status !== DONE) throw engine.refusal();
      return this.#done(waitUntil, read, held);
    } catch (error) {
      throw notTrapped(error);
    } finally {
      this.#jobs.releaseAll(held);
      if (task !== 0 && engine.generation === generation && engine.isRunning) engine.drop('dropTask', task);
    }
  }

  /** An operator's log that throws must not change a decision, and one that fails later must not end the process. */
  #tell(event) {
    try {
      const told = this.#log?.(event);
      if (typeof told?.then === 'function') told.then(undefined, () => {});
    } catch {
      // There is nobody else to tell.
    }
  }
}

/** Collects the results of promises that never reject, as they come. */
class UnderWay {
  #kept = [];
  #tell = () => {};

  add(promises) {
    for (const promise of promises) {
      promise.then((value) => {
        this.#kept.push(value);
        this.#tell();
      });
    }
  }

  /** Returns the results since the last call. Waits until there is one; more may come in the same turn. */
  async next() {
    if (this.#kept.length === 0) await new Promise((resolve) => { this.#tell = resolve; });
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }
}

/** A function of its own, so that the closures that the engine keeps do not hold the owner. Otherwise it could never be collected. */
function hold(engine, owner, text) {
  return engine.hold(owner, 'freeGate', () => engine.call('createGate', undefined, text));
}

/** Returns the error as callers of a gate get it: a trap has a code of its own. */
const notTrapped = (error) => (error.reason === 'trapped' ? trapped(error.cause) : error);

const trapped = (cause) => {
  const error = new EdgegateError({
    code: 'ENGINE_FAILED', reason: 'trapped', message: 'the WebAssembly instance trapped during the check and was replaced',
  });
  if (cause !== undefined) error.cause = cause;
  return error;
};

const noKeyStore = async () => {
  throw configError('stores.keys', 'expected a store, in which the records of API keys are kept');
};

/** The places of an admission's lines, in the order of `Admission` in crates/engine/src/gate/decision.rs. */
const ROUTE = 1;
const EVENTS = 2;
const COOKIES = 3;
const REST_OF_COOKIES = 4;
const FIRST_PAIR = 5;

function admitted(lines, claims, clock) {
  let at = FIRST_PAIR;
  const pairs = () => {
    const object = {};
    for (; lines[at] !== ''; at += 2) object[lines[at]] = lines[at + 1];
    at += 1;
    return object;
  };
  const headers = pairs();
  const caching = pairs();
  const forward = pairs();
  const identity = pairs();
  identity.scopes = identity.scopes === '' ? [] : identity.scopes.split(' ');
  if (claims !== undefined) identity.claims = JSON.parse(claims);
  const cookies = lines[COOKIES] === '' ? undefined : new Cookies(JSON.parse(lines[COOKIES]), clock);
  // The line begins with `=` if the header changes, also to an empty one.
  const requestCookie = lines[REST_OF_COOKIES] === '' ? undefined : lines[REST_OF_COOKIES].slice(1);
  return {
    ok: true, identity, route: lines[ROUTE], headers, forward, caching, ...(cookies && { cookies }), ...(requestCookie !== undefined && { requestCookie }),
  };
}

/** An explanation with the names of this package. What is not there is no member. */
function explanation({ route, steps, outcome: { status, code, reason } }) {
  const place = ({ policy_path: policyPath, ...step }) => ({ ...step, ...(policyPath !== undefined && { policyPath }) });
  return { ...(route !== null && { route }), steps: steps.map(place), outcome: { status, ...(code !== null && { code, reason }) } };
}

/** The cookies that an answer sets. If the answer begins too late it sets none: the browser may have newer ones by then. */
class Cookies {
  #values;
  #until;
  #clock;

  constructor({ values, until }, clock) {
    this.#values = values;
    this.#until = until ?? Infinity;
    this.#clock = clock;
  }

  /** The values of `Set-Cookie` for an answer that begins now. */
  values() {
    return this.#clock() < this.#until ? this.#values : [];
  }
}

/** A decision that is an answer. It is a refusal, or it has no code: the answer to a CORS preflight, or that of a route with `answer`. */
class Answer {
  ok = false;

  constructor({ code, reason, message, status, route, headers, body, cookies }, clock) {
    Object.assign(this, { code, reason, message, status, route, headers, body }, cookies && { cookies: new Cookies(cookies, clock) });
  }

  response() {
    // A status without content takes no body, not even an empty one.
    const headers = new Headers(this.headers);
    setCookies(this.cookies, { append: (name, value) => headers.append(name, value), set: (name, value) => headers.set(name, value) });
    return new Response(this.body === '' ? null : this.body, { status: this.status, headers });
  }
}

function callable(value, path) {
  if (value !== undefined && typeof value !== 'function') throw configError(path, 'expected a function');
  return value;
}

/** Returns the policy as a plain object, and its text for the core. The core reads the author's own text, so no fault gets lost here. */
export function documentOf(policy) {
  const text = typeof policy === 'string' ? policy : jsonOf(policy, '');
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    throw configError('', 'the policy is no JSON');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw configError('', 'expected an object as policy');
  return { text, document };
}

/** Fields of a policy that are the name of a secret. */
const NAMES_OF_SECRETS = ['secret', 'client_secret', 'private_key', 'url_secret', 'metrics_secret'];

/** Returns the secrets that the policy names, and no others: `secrets` may be a whole environment. */
export function secretsOf(document, secrets, platform) {
  if (typeof secrets !== 'object' || secrets === null) throw configError('secrets', 'expected an object');
  const found = {};
  const visit = (value) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      if ((NAMES_OF_SECRETS.includes(name) || (name === 'keys' && value === document.sessions)) && typeof member === 'string') find(member);
      else visit(member);
      if (name === 'secrets' && Array.isArray(member)) member.filter((one) => typeof one === 'string').forEach(find);
    }
  };
  const find = (name) => {
    if (!Object.hasOwn(secrets, name)) return;
    const secret = secrets[name];
    let bytes;
    if (typeof secret === 'string') bytes = new TextEncoder().encode(secret);
    else if (ArrayBuffer.isView(secret) || secret instanceof ArrayBuffer) bytes = bytesOf(secret);
    else throw configError(`secrets.${name}`, 'expected a string or bytes');
    Object.defineProperty(found, name, { value: platform.encodeBase64Url(bytes), enumerable: true });
  };
  visit(document);
  return found;
}

/** What paths of the gate's own endpoints begin with. */
function prefixesOf({ sessions, watch, auth_prefix: prefix = '/auth' }) {
  if (sessions !== undefined) return [`${prefix}/`, '/.well-known/'];
  return watch === undefined ? [] : [`${prefix}/`];
}

const METHODS = ['get', 'put', 'delete', 'list'];
/** Those that are read and swapped alone. */
const SWAPPED = ['counters', 'sessions', 'accounts'];

function checkStore(store, name) {
  if (store === undefined) return;
  if (name === 'watch') {
    checkWatchStore(store);
    return;
  }
  const wanted = SWAPPED.includes(name) ? ['get'] : METHODS;
  const missing = typeof store === 'object' && store !== null ? wanted.filter((one) => typeof store[one] !== 'function') : wanted;
  if (missing.length > 0) {
    throw configError(`stores.${name}`, `expected a store like memoryStore(), ${missing.join(', ')} missing`);
  }
}

function kindOfCounters(store) {
  if (store === undefined) return 'none';
  return typeof store.compareAndSet === 'function' ? 'exact' : 'plain';
}

/** `createGate` over an engine that has the guard. */
export const createGateOf = (engine) => (policy, options) => new Gate(engine, policy, options);

/** `createGate` over an engine of its own, which is loaded for the first gate. */
export function createGateWith(platform) {
  let engine;
  return (policy, options) => new Gate((engine ??= new Engine(platform)), policy, options);
}
