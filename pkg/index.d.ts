import type { Policy } from './policy.js';

export type * from './policy.js';

/** An algorithm name. `none` does not exist; `Ed25519` is another name of `EdDSA` (Ed25519 only). */
export type Algorithm =
  | 'HS256' | 'HS384' | 'HS512'
  | 'RS256' | 'RS384' | 'RS512'
  | 'PS256' | 'PS384' | 'PS512'
  | 'ES256' | 'ES384' | 'ES512'
  | 'EdDSA' | 'Ed25519';

/** A JSON Web Key (RFC 7517). Private members are refused; `use`, `key_ops`, `alg` and `kid` count. */
export interface Jwk {
  kty: string;
  kid?: string | undefined;
  alg?: string | undefined;
  use?: string | undefined;
  key_ops?: string[] | undefined;
  [member: string]: unknown;
}

/** A JWK set: at most 100 keys and 64 KiB. Keys for other purposes are skipped. A faulty key is refused. */
export interface Jwks {
  keys: readonly object[];
}

/** What Node's `KeyObject` has in common in all its versions. */
export interface KeyObjectLike {
  readonly type: 'secret' | 'public' | 'private';
  export(options: { format: 'jwk' }): object;
}

/** What every runtime's `CryptoKey` has in common. */
export interface CryptoKeyLike {
  readonly type: string;
  readonly extractable: boolean;
  readonly algorithm: object;
  readonly usages: readonly string[];
}

/**
 * One verification key.
 *
 * - an object with `kty`: a JWK;
 * - a string: PEM of one public key (`PUBLIC KEY`, `RSA PUBLIC KEY`) or certificate, of which only the key is taken;
 * - a `CryptoKey` with the usage `verify`. Outside Node it has to be extractable;
 * - a `KeyObject` of Node, public or secret;
 * - bytes: an HMAC secret, at least as long as the hash (32, 48 or 64 bytes). Text of a PEM or JWK, or DER of a
 *   public key, is refused as a secret;
 * - the result of {@link importKey}.
 */
export type Key = Jwk | string | CryptoKeyLike | KeyObjectLike | ArrayBufferView | ArrayBuffer | ImportedKey;

/** A checked key. What it holds cannot be read from it. */
export interface ImportedKey {
  readonly type: 'secret' | 'public';
  readonly kid: string | undefined;
  /** RFC 7638 with SHA-256; secrets have none. */
  readonly thumbprint: string | undefined;
  readonly algorithms: readonly Algorithm[];
}

/** A value that a claim has to have. Numbers are whole. */
export type ClaimValue = string | number | boolean;

/** The rules for one issuer's tokens, and exactly one of `key`, `jwks`, `jwksUri`, `discovery`. */
export interface IssuerOptions {
  /** `iss` has to be exactly this. With `tenants` a template with one placeholder: `https://login.microsoftonline.com/{tenantid}/v2.0`. */
  issuer: string;
  /**
   * The tenants whose tokens are taken, 1 to 100, each put into the placeholder of `issuer`; no others are. With `{tenantid}`, that
   * of Entra ID, the claim `tid` has to name the same tenant.
   */
  tenants?: readonly string[] | undefined;
  /** `aud` has to be or include one of these. Without it `aud` is not looked at: only for an issuer that issues
   * tokens for this service alone. */
  audience?: string | readonly string[] | undefined;
  /**
   * The claim that names the audience in place of `aud`, which is then not looked at: `client_id` (access tokens of Cognito) or
   * `azp` (Clerk). Needs an `audience`.
   */
  audienceClaim?: string | undefined;
  /** The algorithms the issuer signs with; not HMAC beside others. May be left out where each key serves exactly one
   * (EC, Ed25519, a JWK with `alg`). */
  algorithms?: readonly Algorithm[] | undefined;
  /** The issuer's only key. */
  key?: Key | undefined;
  /** The issuer's keys: a set, or PEM texts by their `kid`. */
  jwks?: Jwks | Readonly<Record<string, string>> | undefined;
  /**
   * Where the issuer publishes its keys: an https URL (http on loopback). Fetched with the first token, believed as
   * long as `Cache-Control` says within 1 minute and 1 day (10 minutes by default), fetched again for an unknown `kid` at
   * most every 30 s, used for a day more while the issuer does not answer. No redirects, 64 KiB, 5 s.
   */
  jwksUri?: string | undefined;
  /**
   * Whether the issuer itself says where its keys are, in place of `jwksUri`: in its document of OpenID Connect Discovery, or else of
   * RFC 8414, which has to be about exactly this `issuer`, and is read again after a day. The keys are then fetched as by `jwksUri`.
   * `issuer` has to be an https URL; one with `tenants` has no document. Default false.
   */
  discovery?: boolean | undefined;
  /**
   * Whether `jwksUri`, or an issuer with `discovery`, may be http on a host that is not on the public internet: a private address (RFC 1918, RFC 4193), a name
   * without dots (`keycloak`), or one in `.local` or `.internal`. Anybody who can change the keys on their way can sign tokens. Default false.
   */
  allowHttp?: boolean | undefined;
  /** Seconds, at most 600, by which the issuer's clock may differ. Default 0. */
  clockTolerance?: number | undefined;
  /** The greatest age in seconds by `iat`, which then has to be there. Default: any. */
  maxTokenAge?: number | undefined;
  /** How many seconds ago a person may have signed in, by `auth_time`, which then has to be there. Default: any. */
  maxAuthAge?: number | undefined;
  /** Claims that have to be there and not null. Default: none. */
  requiredClaims?: readonly string[] | undefined;
  /**
   * Claims that have to have a certain value, or one of a list: `{ token_use: 'access', email_verified: true }`. A claim that is a
   * list has to have one of them. A name with dots that is not there names a claim inside of another. Default: none.
   */
  claims?: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>> | undefined;
  /** The header's `typ`, such as `at+jwt`; without regard to case and to `application/`. Default: not looked at. */
  typ?: string | undefined;
  /**
   * The claim with the scopes, if it is neither `scope` nor `scp`, such as `permissions`: a string with
   * spaces or a list. Adapters take a token's scopes from it.
   */
  scopeClaim?: string | undefined;
  /** Several such claims in place of `scopeClaim`. Their scopes are put together: `['scope', 'realm_access.roles']`. */
  scopeClaims?: readonly string[] | undefined;
  /** More scopes for a word in these claims, which stays a scope itself: `{ admin: ['read:posts'] }`. */
  scopeMap?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Whether `exp` has to be there. Default true. */
  requireExp?: boolean | undefined;
  /**
   * `access-token`: the tokens are OAuth access tokens of RFC 9068. `typ` is `at+jwt`; `iss`, `exp`, `aud`, `sub`,
   * `client_id`, `iat` and `jti` are there; `scope`, if there is one, is a string. Needs an `audience`.
   */
  profile?: 'access-token' | undefined;
}

/** Options for all issuers of a verifier. */
export interface SharedOptions {
  /** The longest token in bytes. Default 8192. */
  maxTokenLength?: number | undefined;
  /** How many verified tokens are cached; `false` for none. Default 1000. */
  cache?: false | { entries?: number | undefined } | undefined;
  /** The time in seconds since 1970. Default: the system's clock. */
  now?: (() => number) | undefined;
  /**
   * Tokens that are bound to a key of the client (`cnf.jkt`, RFC 9449). By default such a token needs a proof, and
   * other tokens need none. `false`: bindings are not checked, because another server has done so.
   */
  dpop?: false | DpopOptions | undefined;
}

export interface DpopOptions {
  /** Whether every token has to be bound. Default false. */
  required?: boolean | undefined;
  /** The greatest age of a proof by `iat` in seconds, 1 to 3600. Default 60. It may be 30 s ahead. */
  maxAge?: number | undefined;
  /** The algorithms of proofs. Default: all but HMAC. */
  algorithms?: readonly Algorithm[] | undefined;
  /**
   * Where used proofs are remembered: as long as they would be taken, and 30 s longer for other processes whose
   * clocks are behind. Default: in this process, which other processes do not see. It remembers up to 200,000, and then fails. Beyond half of that
   * it fails for a key that has more than its share.
   */
  replay?: ReplayStore | undefined;
}

/** A store of opaque strings that all processes share. */
export interface ReplayStore {
  /** Writes `next` if the key has the value `expected` (`null`: none), in one step; `ttlSecs` later it is gone. */
  compareAndSet(key: string, expected: string | null, next: string, options: { ttlSecs: number }): Promise<boolean>;
}

/** What came with a token. */
export interface VerifyOptions {
  dpop?: {
    /** The header `DPoP`; nothing if there is none. */
    proof: string | null | undefined;
    /** The method of the request. */
    method: string;
    /** The URL of the request as the client wrote it, with scheme and host; a query is not looked at. */
    url: string | URL;
    /** The nonces that are taken, if the server gives any. Default: `nonce` is not looked at. */
    nonce?: string | readonly string[] | undefined;
  } | undefined;
}

export type VerifierOptions =
  | (IssuerOptions & SharedOptions & { issuers?: undefined })
  | (SharedOptions & { issuers: readonly IssuerOptions[] });

/** Claims that RFC 7519 registers, with the types they were checked to have. */
export interface RegisteredClaims {
  iss: string;
  sub?: string;
  aud?: string | string[];
  exp?: number;
  nbf?: number;
  iat?: number;
  jti?: string;
  sid?: string;
}

export interface Header {
  alg: string;
  kid?: string;
  typ?: string;
  [member: string]: unknown;
}

/** A token whose signature and claims hold. It is the caller's own copy. */
export interface VerifiedToken<Claims = Record<string, unknown>> {
  claims: RegisteredClaims & Claims;
  header: Header;
  /** `iss`. */
  issuer: string;
  /** Which key signed it: its `kid`, or else its thumbprint; `undefined` for a secret without `kid`. */
  keyId: string | undefined;
}

/** Its memory in the engine is freed when it is garbage-collected, or at once by `[Symbol.dispose]()`. */
export interface Verifier {
  /**
   * Verifies a token: form, issuer, signature, claims, time, then the proof of possession, in this order.
   * @throws {EdgegateError} `INVALID_TOKEN`, `TOKEN_EXPIRED`, `TOKEN_NOT_YET_VALID`; `KEYS_UNAVAILABLE` if published keys
   * cannot be fetched; `STORE_UNAVAILABLE` if the store cannot remember a used proof; `STEP_UP_REQUIRED` by `maxAuthAge`.
   */
  verify<Claims = Record<string, unknown>>(token: string, options?: VerifyOptions): Promise<VerifiedToken<Claims>>;
  /**
   * Verifies the token in `Authorization` of a request, `Bearer` or, with its proof in `DPoP`, `DPoP`: a `Request` of the web or Node's
   * `IncomingMessage`. `url` and `method` are for a server behind a proxy that changes them. `IncomingMessage` does not know the host that
   * it was meant for (`Host` is the caller's choice), so there a proof holds only with `url`.
   * @throws {EdgegateError} also `MISSING_CREDENTIALS`, and `INVALID_REQUEST` for another scheme.
   */
  verifyRequest<Claims = Record<string, unknown>>(
    request: RequestLike,
    options?: { url?: string | URL | undefined; method?: string | undefined; nonce?: string | readonly string[] | undefined },
  ): Promise<VerifiedToken<Claims>>;
  /**
   * The same without a promise: HMAC and Ed25519 everywhere, every algorithm on Node.
   * @throws {EdgegateError} also `SYNC_UNSUPPORTED`: RSA and ECDSA elsewhere, keys yet to be fetched, or the engine not
   * loaded yet, or a store of proofs.
   */
  verifySync<Claims = Record<string, unknown>>(token: string, options?: VerifyOptions): VerifiedToken<Claims>;
}

/**
 * A verifier for one issuer, or several by `issuers`. Make one and keep it.
 * @throws {EdgegateError} `CONFIG_ERROR` with the `path` of the fault: unknown options, a short secret, a public key as
 * secret, RSA below 2048 bits, an algorithm no key serves. In browsers before {@link ready}, only unknown
 * options, the form of keys and {@link SharedOptions} are checked at once, everything else with the first `verify`.
 */
export function createVerifier(options: VerifierOptions): Verifier;

/**
 * Verifies a compact JWS with any payload. `algorithms` may be left out where the key itself serves exactly one.
 * @throws {EdgegateError} `INVALID_TOKEN`; `CONFIG_ERROR` for the key or the options.
 */
export function verifyJws(
  jws: string,
  key: Key | Jwks,
  options?: { algorithms?: readonly Algorithm[] | undefined; maxTokenLength?: number | undefined },
): Promise<{ header: Header; payload: Uint8Array; keyId: string | undefined }>;

/**
 * Reads a token **without verifying anything**: for debugging only. Anybody can write such a token.
 * @throws {EdgegateError} `INVALID_TOKEN` if it cannot be read.
 */
export function decodeUnverified<Claims = Record<string, unknown>>(
  token: string,
): { header: Record<string, unknown>; payload: Claims };

/**
 * Checks a key once, for use as `key`. `alg` names the algorithm where the key does not (a secret, RSA as PEM); `kid` names
 * the key.
 * @throws {EdgegateError} `CONFIG_ERROR`.
 */
export function importKey(
  key: Key,
  options?: { alg?: Algorithm | undefined; kid?: string | undefined },
): Promise<ImportedKey>;

/**
 * One key that signs.
 *
 * - an object with `kty`: a private JWK, or a secret one (`oct`); `use`, `key_ops`, `alg` and `kid` count;
 * - a string: PEM of one PKCS#8 key (`PRIVATE KEY`), not encrypted; needs `alg`;
 * - a `CryptoKey` with the usage `sign`, for its one algorithm; it need not be extractable;
 * - a private or secret `KeyObject` of Node;
 * - bytes: an HMAC secret; needs `alg`;
 * - the result of {@link importSigningKey}.
 *
 * A key that could not verify cannot sign: short secrets, the text of a key as a secret and RSA below 2048 bits are refused. The two
 * halves of a key are tried against each other before anything is signed.
 */
export type PrivateKey = Jwk | string | CryptoKeyLike | KeyObjectLike | ArrayBufferView | ArrayBuffer | SigningKey;

/** A checked key that signs. What it holds cannot be read from it. */
export interface SigningKey {
  readonly alg: Algorithm;
  readonly kid: string | undefined;
}

export interface SignOptions {
  /** May be left out where the key serves exactly one. */
  alg?: Algorithm | undefined;
  /** Names the key in the header. Default: the `kid` of a JWK. */
  kid?: string | undefined;
  /** The header's `typ`. Default: `JWT` for {@link signJwt}, none for {@link signJws}. */
  typ?: string | undefined;
  /** More members of the header; not `crit` and `b64`, and no private key in `jwk`. */
  header?: { readonly [member: string]: unknown } | undefined;
  /** The longest result in bytes. Default 8192, which is what verifiers take by default. */
  maxTokenLength?: number | undefined;
}

export interface SignJwtOptions extends SignOptions {
  /** Sets `exp` so many seconds ahead; then it must not be among the claims. */
  expiresIn?: number | undefined;
  /** Whether `iat` is set where it is not among the claims. Default true. */
  issuedAt?: boolean | undefined;
  /** Whether there has to be an `exp`. Default true. */
  requireExp?: boolean | undefined;
  /** The time in seconds since 1970. Default: the system's clock. */
  now?: (() => number) | undefined;
}

/**
 * Signs claims as a JWT, by the host's cryptography. The registered claims have to have their types.
 * @throws {EdgegateError} `INVALID_REQUEST` for the claims, with `claim`; `CONFIG_ERROR` for the key or the options.
 */
export function signJwt(claims: object, key: PrivateKey, options?: SignJwtOptions): Promise<string>;

/** The same at once, on Node; elsewhere `SYNC_UNSUPPORTED`. */
export function signJwtSync(claims: object, key: PrivateKey, options?: SignJwtOptions): string;

/**
 * Signs bytes, or the UTF-8 of a text, as a compact JWS.
 * @throws {EdgegateError} as {@link signJwt}.
 */
export function signJws(payload: ArrayBufferView | ArrayBuffer | string, key: PrivateKey, options?: SignOptions): Promise<string>;

/** The same at once, on Node; elsewhere `SYNC_UNSUPPORTED`. */
export function signJwsSync(payload: ArrayBufferView | ArrayBuffer | string, key: PrivateKey, options?: SignOptions): string;

/**
 * The public halves of signing keys as a JWK set, to publish where `jwks_uri` points: each with its `alg`, its `kid` and `use`. While keys
 * change, put the next one into the set before you sign with it.
 * @throws {EdgegateError} `CONFIG_ERROR` for a secret, a `CryptoKey` that is not extractable, and two keys of one `kid`, or without.
 */
export function publicJwks(keys: readonly SigningKey[]): Promise<{ keys: Jwk[] }>;

/**
 * Checks a key once, for signing often. A `CryptoKey` or `KeyObject` is remembered without it.
 * @throws {EdgegateError} `CONFIG_ERROR`.
 */
export function importSigningKey(
  key: PrivateKey,
  options?: { alg?: Algorithm | undefined; kid?: string | undefined },
): Promise<SigningKey>;

export interface ApiKeyOptions {
  /** Part of every key: 1 to 16 lower-case letters and digits, a letter first. */
  environment: string;
  /** What keys begin with, such as `sk`; the first one is the default. */
  prefixes: readonly string[];
  /** The secrets that sign keys, at least 32 bytes each; the highest `id` (0 to 255) signs, all verify. A string stands
   * for its UTF-8 bytes. */
  signingKeys: readonly { id: number; secret: ArrayBufferView | ArrayBuffer | string }[];
  /** The time in seconds since 1970. Default: the system's clock. */
  now?: (() => number) | undefined;
}

export interface ApiKeys {
  /**
   * Makes a key with a random id. `expiresAt` is in seconds since 1970 and rounded up to a minute.
   * @throws {EdgegateError} `INVALID_REQUEST`
   */
  mint(options?: { prefix?: string | undefined; expiresAt?: number | undefined }): {
    /** Shown once: it cannot be had again. */
    key: string;
    /** Its public name, for records and revocation. */
    id: string;
    prefix: string;
    expiresAt?: number;
  };
  /**
   * Decides without any I/O whether a key is genuine and not expired.
   * @throws {EdgegateError} `INVALID_API_KEY`, `API_KEY_EXPIRED`, `WRONG_ENVIRONMENT`
   */
  verify(key: string): { id: string; prefix: string; expiresAt?: number; signingKeyId: number };
}

/**
 * Mints and verifies API keys.
 * @throws {EdgegateError} `CONFIG_ERROR`
 */
export function createApiKeys(options: ApiKeyOptions): ApiKeys;

/**
 * A store of texts by name, for revocation entries, records of API keys, and exact counters. STORAGE.md lists the names. A call
 * that takes more than 2 s, throws, or returns something else counts as a store that does not answer.
 */
export interface Store {
  /** The values of these keys, in their order; `null` where there is none. */
  get(keys: string[]): Promise<(string | null)[]>;
  /** Writes a value, which is gone after `ttlSecs` seconds, if there are any. The last write wins. */
  put(key: string, value: string, options: { ttlSecs?: number | undefined }): Promise<void>;
  /** Removes a key; removing what is not there is no error. */
  delete(key: string): Promise<void>;
  /** Keys that begin with `prefix`, at most `limit`, in any order; `cursor` leads to the next page, without it this was the last. */
  list(prefix: string, options: { cursor?: string | undefined; limit: number }): Promise<{ keys: string[]; cursor?: string | undefined }>;
  /**
   * Puts `next` in the place of `expected` (`null`: of nothing) in one step that no other call comes between, and says whether
   * `expected` was there. Needed for exact counters and used proofs.
   */
  compareAndSet?(
    key: string, expected: string | null, next: string, options: { ttlSecs?: number | undefined },
  ): Promise<boolean>;
}

/** A store that can hold exact counters. */
export interface ExactStore extends Store {
  compareAndSet(
    key: string, expected: string | null, next: string, options: { ttlSecs?: number | undefined },
  ): Promise<boolean>;
}

/**
 * A store in the memory of this process: for one process, and for tests. It takes `maxEntries` (100,000 by default) counters, as many
 * used proofs, and as many of everything else, so that callers cannot fill the room of revocations and keys. Once it holds as many of
 * a kind that have not expired, it takes no more of that kind, since forgetting would undo a revocation or give a limit back.
 */
export function memoryStore(options?: {
  maxEntries?: number | undefined;
  /** The time in seconds since 1970. Default: the system's clock. */
  now?: (() => number) | undefined;
}): ExactStore;

/** What the store needs of a KV namespace of Workers. */
export interface KvNamespaceLike {
  get(key: string): Promise<string | null>;
  put(key: string, value: string, options?: { expirationTtl?: number }): Promise<void>;
  delete(key: string): Promise<void>;
  list(options: { prefix: string; cursor?: string; limit: number }): Promise<object>;
}

/**
 * A store over a KV namespace: for revocation and keys. KV shows a write elsewhere after 60 s or more, keeps nothing for less than
 * 60 s, and cannot compare and set, so it holds no exact counters. What lives longer than 2³¹ - 1 s (68 years), KV keeps until it is
 * removed; but an entry or record is ignored after its own end.
 * @throws {EdgegateError} `CONFIG_ERROR`
 */
export function kvStore(binding: KvNamespaceLike, options?: {
  /** What keys begin with in KV. Default: nothing, so that the Worker of edgegate finds the same data. */
  prefix?: string | undefined;
}): Store;

/** What the store needs of a D1 database of Workers. */
export interface D1DatabaseLike {
  prepare(query: string): object;
  batch(statements: never[]): Promise<object[]>;
}

/**
 * A store over a D1 database: for all that a gate keeps. Each call is one question to the database's one writer, so counters and used proofs
 * are exact, and a revocation holds everywhere as soon as isolates forget what they remember (`cache_secs`). The store makes its table
 * and index by itself, and deletes what has expired while it writes.
 *
 * Requests of one caller at once are counted one after the other, each with a question or two to the database. For bursts of one caller
 * {@link redisStore} is faster.
 * @throws {EdgegateError} `CONFIG_ERROR`
 */
export function d1Store(database: D1DatabaseLike, options?: {
  /** The name of the table. Default `edgegate`. */
  table?: string | undefined;
  /**
   * How many counters, and as many used proofs, may be there at once, since callers decide how many come. Beyond that no new ones are taken;
   * counted once in 1,000 in each isolate, so a few thousand more may be. Default 100,000.
   */
  maxEntries?: number | undefined;
}): ExactStore;

/**
 * What the store needs of a client, which it tells by what it can do: `sendCommand` of redis (node-redis 4 or later), which has other
 * parameters in what `createSentinel` and `createCluster` return; `call` of ioredis; `send` of Bun's `RedisClient`. Or `url` and `token` of
 * Upstash's REST interface, with no client: then each call is a request by `fetch`, which ends after five seconds. `url` is https, without user
 * or password; `token` has no blanks and no line breaks.
 */
export type RedisClientLike =
  | { sendCommand(words: string[]): Promise<unknown> }
  | { sendCommand(isReadonly: boolean | undefined, words: string[]): Promise<unknown>; getMasterNode(): unknown }
  | {
    sendCommand(firstKey: string | undefined, isReadonly: boolean | undefined, words: string[]): Promise<unknown>;
    masters: { host: string; port: number }[];
    nodeClient(node: never): unknown;
  }
  | { call(command: string, ...words: string[]): Promise<unknown> }
  | { send(command: string, words: string[]): Promise<unknown>; connect(): Promise<unknown> }
  | { url: string; token: string };

/**
 * A store over Redis (6 or later): a client or pool of one server, behind Sentinel, or of a cluster. The client has to be connected; it
 * stays the caller's to close, and its `keyPrefix` counts. Counters of all processes that share it are exact, as long as Redis loses no
 * acknowledged write: a failover to a replica that lags may forget some, and revocations too. Options by which a client reads from
 * replicas do not apply, or are refused. A global database of Upstash does read from replicas: there a revocation holds elsewhere once they have it.
 *
 * Before the first use it asks each server for `maxmemory-policy`, and fails with `CONFIG_ERROR` as long as that is not `noeviction`: a
 * Redis that evicts undoes revocations and gives limits back when somebody fills it. It has to permit GET, SET, DEL, SCAN, EVAL and
 * INFO; in a cluster CLUSTER NODES too, for listings and the first use need all of its servers.
 * @throws {EdgegateError} `CONFIG_ERROR`
 */
export function redisStore(client: RedisClientLike, options?: {
  /** What keys begin with in Redis, after the client's own `keyPrefix`. Default `edgegate:`. */
  prefix?: string | undefined;
  /**
   * Set it if the content of this store may be lost (a store for `stores.jwks` only), or if INFO is not permitted and you know
   * that the policy is `noeviction`. Redis is then not asked for its policy. Default `false`.
   */
  evictionAllowed?: boolean | undefined;
}): ExactStore & { readonly watch: SharedWatch };

/**
 * What gates share that watch together: a queue, rows, and a lease. `redisStore` has it. Each method is one step, and what it has answered for is
 * never lost. `null` in place of an answer: it was not done.
 */
export interface SharedWatch {
  /** Appends to the queue, unless `most` are in it. Answers the value of the row `told`, or an empty text. */
  push(text: string, most: number): Promise<string | null>;
  /** Takes the lease, or prolongs it, from now on for this time. Answers the version of the rows: 0 at first. */
  lease(holder: string, millis: number): Promise<number | null>;
  /** Gives it back, if this holder has it. */
  release(holder: string): Promise<null>;
  rows(): Promise<Array<[name: string, value: string]>>;
  /** The first texts of the queue. */
  peek(count: number): Promise<string[]>;
  /**
   * If this holder has the lease and the version is still this one: changes the rows (`null`: it goes), takes so many texts out of the queue, and prolongs the
   * lease. Answers the next version.
   */
  commit(holder: string, change: {
    millis: number; version: number; taken: number; rows: ReadonlyArray<readonly [name: string, value: string | null]>;
  }): Promise<number | null>;
}

export interface GateOptions {
  /**
   * The values of the secrets that the policy names; it may hold others too, as `process.env` or the `env` of a Worker does. A
   * string stands for its UTF-8 bytes.
   */
  secrets?: Readonly<Record<string, unknown>> | undefined;
  stores?: {
    /** Revocation entries: needed where the policy has `revocation`. */
    revocation?: Store | undefined;
    /**
     * Counters of limits with `store = "durable-object"` (or `"shared"`), which have to be exact; used proofs with `dpop.replays` of the same words; and with
     * `accounts` the hashes of passwords of all together.
     */
    counters?: Store | undefined;
    /** Records of API keys: needed unless `api_keys.records` is `"none"`. */
    keys?: Store | undefined;
    /**
     * The keys of issuers with `jwks_uri` or `discovery`, if the policy has `jwks_cache`: one gate fetches them, and the others
     * find them here, sealed with that secret. Without this store the setting has no effect. If anything is wrong with the store, the issuer is asked.
     */
    jwks?: Store | undefined;
    /**
     * The gate's own sessions, and their key ring, sealed: needed where the policy has `sessions`, and it has to compare and swap. Logins that
     * have come to their end and accounts at providers (sealed) lie there too. `memoryStore()` logs everybody out at a restart; several processes need one that they share. Their clocks have to be set. Never one that evicts.
     */
    sessions?: Store | undefined;
    /**
     * Accounts and guesses at their passwords: needed where the policy has `accounts`, and it has to compare and swap; so has `counters` then, where
     * the hashes of all together are counted. What is lost here is lost for ever: `memoryStore()` forgets all accounts at a restart. Never one that evicts.
     */
    accounts?: Store | undefined;
    /**
     * The watch, where gates share it: `redisStore(client)`. Without it each gate watches for itself, in its memory. One that is given needs a policy with
     * `watch`.
     */
    watch?: { readonly watch: SharedWatch } | undefined;
  } | undefined;
  /** For a policy with `watch`. */
  watch?: {
    /**
     * Further sinks of alerts by their names, beside those of the policy, such as `syslogSink()` of `edgegate/sinks`. One that rejects, or that does not resolve
     * within ten seconds, is told again later, as other sinks are. Gates that share a watch need the same: one of them tells.
     */
    sinks?: Readonly<Record<string, (event: WatchEvent) => Promise<unknown>>> | undefined;
  } | undefined;
  /**
   * Sends a mail of an account, for a policy whose `accounts.mail` has `kind = "function"`: docs/account-mail.md. It resolves once the mail is taken. If it
   * rejects, or does not resolve within ten seconds, it is called again later, as long as the link is good. Gates that share `stores.accounts` need the same: one
   * of them sends.
   */
  mail?: ((mail: AccountMail) => Promise<unknown>) | undefined;
  /**
   * The passwords that nobody may choose, for a policy with `accounts.password_list = "kv"`: the file that `npx edgegate passwords build` makes, as bytes, or a
   * function that reads it within ten seconds. It is asked for when somebody sets a password, once an hour at most; where it fails, no new password is taken.
   */
  passwords?: ArrayBuffer | ArrayBufferView | (() => Promise<ArrayBuffer | ArrayBufferView>) | undefined;
  /** The time in seconds since 1970. Default: the system's clock. */
  now?: (() => number) | undefined;
  /**
   * Gets an event for each decision that the policy's `log` names (refusals by default), with details that callers do not get, and for
   * faults. Default: none. Errors that it throws are ignored, and so is what it promises.
   */
  log?: ((event: GateEvent) => void) | undefined;
  /** Takes promises that may be finished after the answer, as `waitUntil` of a Worker's context does. */
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
}

/** A mail of an account: docs/account-mail.md. Whoever has it has the link: treat it as a password. */
export interface AccountMail {
  /** The same if it comes again. */
  id: string;
  type: 'account.reset' | 'account.password_changed' | 'account.verify' | 'account.exists' | 'account.invitation' | 'account.magic_link'
    | 'account.totp_added' | 'account.totp_removed' | 'account.recovery_codes_made' | 'account.recovery_code_used'
    | 'account.passkey_added' | 'account.passkey_removed' | 'account.factors_removed';
  to: string;
  /** `accounts.mail.from` of the policy. */
  from?: string;
  link?: string;
  /** How many seconds the link is good. */
  expiresIn?: number;
  /** Short words in English, if you have none of your own. */
  subject: string;
  text: string;
  html: string;
}

/** What `log` gets. */
export interface GateEvent {
  event: 'admitted' | 'refused' | 'answered' | 'account' | 'administered' | 'fault';
  /** Milliseconds since 1970. */
  at?: number;
  code?: RefusalCode;
  reason?: string;
  /** The whole sentence. It holds no credential. */
  detail?: string;
  method?: string;
  /** The path pattern of the route. */
  route?: string;
  carrier?: 'bearer' | 'dpop' | 'basic' | 'api_key_header' | 'cookie' | 'credential_header';
  identity?: 'anonymous' | 'jwt' | 'api_key';
  issuer?: string;
  subject?: string;
  key_id?: string;
  /** The client's address as limits count it: IPv6 by its /64, `unknown` without one. */
  client?: string;
  /** Of an account: what was done, such as `logged_in` or `passkey_added`. */
  action?: string;
  /** Of a login to an account: by what, in the order in which it was shown, such as `password totp`. */
  methods?: string;
  /** Of what was administered: the path of the request, and the status of its answer. */
  path?: string;
  status?: number;
  /** The name of the administrator's secret, if an administrator did it. */
  actor?: string;
  /** Store faults that the policy lets pass. */
  faults?: string[];
  /** Of a fault: the keys of an issuer could not be fetched, and older ones are in use. */
  stale_keys?: boolean;
  [member: string]: unknown;
}

/**
 * The claims of an {@link Identity}, where nothing else is said. Add yours, so that handlers of every adapter know them:
 * `declare module 'edgegate' { interface IdentityClaims { tenant: string } }`. What you say has to be what your issuers send: nothing checks it.
 */
export interface IdentityClaims {
  [name: string]: unknown;
}

/** Who is calling. */
export interface Identity<Claims = IdentityClaims> {
  method: 'anonymous' | 'jwt' | 'api_key';
  /** The token's `sub`, or the owner of the API key. */
  subject?: string;
  /** The token's issuer. */
  issuer?: string;
  scopes: string[];
  /** The id of the API key; or which key signed the token. */
  keyId?: string;
  /** The token's `jti`. */
  tokenId?: string;
  /** All claims of the token. */
  claims?: RegisteredClaims & Claims;
}

/** The request may go on. */
export interface Admitted<Claims = IdentityClaims> {
  ok: true;
  identity: Identity<Claims>;
  /** The path pattern of the route that decided. */
  route: string;
  /** Headers for the answer: `RateLimit-Policy` and `RateLimit` if limits were asked, and those of the policy's `cors` for the page that asks. */
  headers: Record<string, string>;
  /**
   * Headers for the request that you pass on: `X-Auth-Method`, and as far as known `-Subject`, `-Issuer`, `-Scopes`, `-Key-Id`; and the headers
   * of the policy's `identity_headers` whose claims the token has; and the token of the caller's account at a provider, if the route has `grant` with `header`.
   *
   * First remove from the request all headers that begin with `X-Auth-`, those of `identity_headers`, and that of the `grant`, or callers could say who they are; also `X_Auth_…` and
   * `X.Auth.…`, since servers make the same name of them. And remove credentials: `Authorization`, `DPoP`, the header of API keys, the cookie, and
   * the headers of `credential_headers`.
   */
  forward: Record<string, string>;
  /**
   * What the answer has to tell caches, so that no caller gets the answer to another. Adapters do this.
   *
   * `Cache-Control` (`private`) is there if the caller is known. Put it before the handler's own value, unless that says `public`, `private` or `no-store`. Remove
   * fields for shared caches alone (`CDN-Cache-Control` and similar ones), unless the handler says `public`. `Vary` is there if the route takes callers with and without
   * a credential, and if `cors` lists origins. Add it to the handler's own. With `cache: "upstream"` in the policy there is only the `Vary` of `cors`.
   */
  caching: { 'Cache-Control'?: string; Vary?: string };
  /** Cookies of a session that was renewed or has ended. Adapters set them. */
  cookies?: DecisionCookies;
  /**
   * The `Cookie` header for a handler or another service, if the request has cookies of the gate's own sessions: the header without them. If it is
   * empty, remove the header. If this is missing, the header stays as it is. Adapters do this.
   */
  requestCookie?: string;
}

/** Cookies that the answer sets. An answer that sets them has `Cache-Control: private, no-store`. */
export interface DecisionCookies {
  /** The values of `Set-Cookie`, for an answer that begins now: none where it begins too late, since the browser may have newer ones. */
  values(): string[];
}

/**
 * A CORS preflight that the gate answers itself (`preflight: "answer"`, the default): with 204 and no body. Send this answer, and ask no handler.
 */
export interface AnsweredPreflight {
  ok: false;
  code?: undefined;
  status: 204;
  /** The path pattern of the route that decided. */
  route: string;
  headers: Record<string, string>;
  body: '';
  /** The whole answer, for those that speak in `Response`s. */
  response(): Response;
}

/** The answer that the policy itself has (`answer` of a route), to a request that it admits. Send this answer, and ask no handler. */
export interface Answered {
  ok: false;
  code?: undefined;
  status: number;
  /** The path pattern of the route that decided. */
  route: string;
  headers: Record<string, string>;
  body: string;
  /** The whole answer, for those that speak in `Response`s. */
  response(): Response;
}

/** The request is refused. */
export interface Refused {
  ok: false;
  code: RefusalCode;
  /** Finer than the code, such as `bad_signature`: for logs, not for callers. */
  reason: string;
  /** A sentence for logs, not for callers. */
  message: string;
  /**
   * Where the policy has `login`, a page that a login helps is sent there: 303, with `Location` in `headers`; or 200, with a page in `body` that
   * asks for `Strict` cookies first.
   */
  status: number;
  /** The path pattern of the route that decided; empty if the path itself was refused. */
  route: string;
  /** All that the answer needs: `Content-Type`, `Cache-Control`, `WWW-Authenticate`, `Retry-After`, and the limits. */
  headers: Record<string, string>;
  /** Cookies of a session that has ended are taken out. `response()` does it. */
  cookies?: DecisionCookies;
  /** JSON as `{"error", "code", "hint"}`, or RFC 9457 for a request that accepts `application/problem+json`; for a page see `status`. */
  body: string;
  /** The whole answer, for those that speak in `Response`s. */
  response(): Response;
}

export type Decision<Claims = IdentityClaims> = Admitted<Claims> | Refused | AnsweredPreflight | Answered;

/** The codes of refused requests, the same as in the Worker's answers. */
export type RefusalCode =
  | 'MISSING_CREDENTIALS' | 'LOGIN_REQUIRED' | 'INVALID_TOKEN' | 'TOKEN_EXPIRED' | 'TOKEN_NOT_YET_VALID' | 'TOKEN_REVOKED' | 'STEP_UP_REQUIRED'
  | 'INVALID_API_KEY' | 'API_KEY_EXPIRED' | 'API_KEY_REVOKED' | 'WRONG_ENVIRONMENT' | 'INVALID_REFRESH_TOKEN'
  | 'INSUFFICIENT_SCOPE' | 'NOT_ALLOWED' | 'CSRF_REFUSED' | 'CONNECT_REQUIRED' | 'UPSTREAM_ERROR'
  | 'RATE_LIMITED' | 'INVALID_REQUEST' | 'MULTIPLE_CREDENTIALS' | 'STORE_UNAVAILABLE' | 'KEYS_UNAVAILABLE';

/**
 * What a gate looks at of a request: a `Request` of the web; Node's `IncomingMessage`, whose `rawHeaders` then count, since its
 * `headers` hide that there were two; or anything with these members. `url` is absolute or begins with `/`.
 */
export interface RequestLike {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: { get(name: string): string | null } | object;
}

/** The record of an API key. It cannot be used to call. Times are in seconds since 1970. */
export interface ApiKeyRecord {
  /** 32 hexadecimal digits. */
  id: string;
  name: string;
  owner: string;
  /** None for a key of another system. */
  prefix?: string;
  scopes: string[];
  /** Requests per window by the name of the limit, in place of the policy's. */
  limits?: Record<string, number>;
  /** The networks from which it may be used; absent: from everywhere. */
  ips?: string[];
  createdAt: number;
  /** From when on it is refused. */
  expiresAt?: number;
  /** The expiry inside the key itself, which nothing can move. */
  sealedExpiresAt?: number;
  /** The lifetime that was last asked for. A replacement gets the same. */
  lifetimeSecs?: number;
  /** Refused while this is set. */
  disabled: boolean;
  /** Refused for good. */
  revokedAt?: number;
  /** The id of the key that this one replaced. */
  replaces?: string;
  /** The id of the key that replaced this one. */
  replacedBy?: string;
  /** The id of the first of the keys that replaced each other up to this one: limits count all of them as that. */
  family?: string;
  /** SHA-256 of a key of another system. */
  importedSha256?: string;
}

/** What a new key is to be. */
export interface NewApiKey {
  /** What people call it: 1 to 100 characters. */
  name: string;
  /** The person or service that it belongs to: 1 to 100 characters. */
  owner: string;
  /** What it may do: at most 50, each of 1 to 100 characters of RFC 6749 §3.3. */
  scopes: readonly string[];
  /**
   * Requests per window, at least 1, by the name of a limit of the policy, in place of the policy's; at most 20. Only of limits
   * that count the key alone: by `caller` or `api_key`.
   */
  limits?: Readonly<Record<string, number>> | undefined;
  /**
   * The networks from which it may be used, 1 to 50, such as `203.0.113.0/24`, `2001:db8::/32` or an address; from elsewhere, and where the
   * address is not known, it is `NOT_ALLOWED`. Needs `records = "required"`, or a key of another system. Default: from everywhere.
   */
  ips?: readonly string[] | undefined;
  /** 1 to 315,360,000 (10 years). Default: it does not expire. */
  expiresInSecs?: number | undefined;
}

/** Which page of a listing. */
export interface PageOptions {
  /** Of the page before; default: the first page. */
  cursor?: string | undefined;
  /** 1 to 100 (default). A page may hold fewer, or none, and go on. */
  limit?: number | undefined;
}

/**
 * API keys, as `/auth/admin/keys` of the Worker administers them: by the same rules, in the same records. It asks for no secret: check
 * yourself who may call it.
 *
 * A change is seen by other processes when they forget what they have read (`api_keys.cache_secs`), and with Workers KV when KV
 * shows it. Of two changes of a record at once the last write wins, but for a revocation where the policy has `revocation`.
 *
 * Each rejects with an {@link EdgegateError}: `INVALID_REQUEST` with the `path` of the field; `NOT_FOUND` for an id that names
 * nothing; `STORE_UNAVAILABLE`; `CONFIG_ERROR` where the policy has no `api_keys`, or the gate no `stores.keys`.
 */
export interface KeyAdministration {
  /** A new key. `key` is the key itself: it is in this answer only, and stored nowhere. `prefix`: by default the policy's first. */
  mint(key: NewApiKey & { prefix?: string | undefined }): Promise<ApiKeyRecord & { key: string }>;
  /**
   * The record of a key of another system, by its SHA-256 in hexadecimal digits. It needs a prefix with `format = "imported"`: the one that the
   * key begins with, or the empty one, for keys of any form.
   */
  import(key: NewApiKey & { importedSha256: string }): Promise<ApiKeyRecord>;
  /** The records of one owner, or all, in no meaningful order. Without `cursor` in the answer this was the last page. */
  list(query?: PageOptions & { owner?: string | undefined }): Promise<{ keys: ApiKeyRecord[]; cursor?: string | undefined }>;
  /** One record. `lastUsedAt` is written at most every five minutes. */
  get(id: string): Promise<ApiKeyRecord & { lastUsedAt?: number }>;
  /**
   * Changes what is given. `expiresInSecs` counts from now and cannot outlive `sealedExpiresAt`; `null` takes it, the limits, or the networks
   * away. A revoked key cannot be changed, nor one that an entry of `gate.revocations` revokes. With `records = "none"` only
   * `name` and `owner` can be changed: nothing else of a record would be looked at.
   */
  update(id: string, changes: {
    name?: string | undefined;
    owner?: string | undefined;
    scopes?: readonly string[] | undefined;
    limits?: Readonly<Record<string, number>> | null | undefined;
    ips?: readonly string[] | null | undefined;
    expiresInSecs?: number | null | undefined;
    disabled?: boolean | undefined;
  }): Promise<ApiKeyRecord>;
  /**
   * A new key with the same name, owner, limits, networks and lifetime, and the scopes that the old one has, cut by its prefix. Limits count
   * both as one (`family`). The old one goes on for `overlapSecs`: 86,400 (a day) by default, at most 2,592,000 (30 days); 0 ends it
   * at once. A revoked key cannot be rotated, whether its record or an entry of `gate.revocations` revokes it; nor can one be
   * with `records = "none"`, where nothing would end the old one.
   */
  rotate(id: string, options?: { overlapSecs?: number | undefined }): Promise<ApiKeyRecord & { key: string }>;
  /** Refuses the key for good. The record stays, so that its user is told `API_KEY_REVOKED`. */
  revoke(id: string): Promise<ApiKeyRecord>;
}

/** What to revoke: exactly one of these forms. */
export type NewRevocation = (
  /** This token, which has to be valid now and to have a `jti`. Kept until an hour after its `exp`; without one for ever. */
  | { token: string }
  /** The token of this id. Kept until an hour after `exp`; without it for 400 days. */
  | { iss: string; jti: string; exp?: number | undefined }
  /** The subject's tokens that were issued before `before`, by default the end of this second and the issuer's clock tolerance after it. */
  | { iss: string; sub: string; before?: number | undefined }
  /** The tokens of this session. */
  | { iss: string; sid: string }
  /**
   * The tokens that this key of the issuer verifies: its `kid`, or its RFC 7638 thumbprint. Refused if no key of the issuer has it,
   * unless `withdrawn` says that the key was taken out already.
   */
  | { iss: string; kid: string; withdrawn?: boolean | undefined }
  /** All tokens of the issuer, or those issued before `before`. */
  | { iss: string; all: true; before?: number | undefined }
  /** This API key. */
  | { keyId: string }
) & {
  /** At most 200 characters, for people. */
  reason?: string | undefined;
  /** How long it is kept: 60 to 315,360,000. It has to outlive every token that it is about. */
  expiresInSecs?: number | undefined;
};

/** A revocation as it is stored. Times are in seconds since 1970. */
export interface Revocation {
  id: string;
  target:
    | { kind: 'token'; iss: string; jti: string }
    | { kind: 'subject'; iss: string; sub: string }
    | { kind: 'session'; iss: string; sid: string }
    | { kind: 'signing_key'; iss: string; kid: string }
    | { kind: 'issuer'; iss: string }
    | { kind: 'api_key'; id: string };
  /** Only tokens issued before it are revoked. */
  before?: number;
  /** When it ends. Without `until` it does not end. */
  until?: number;
  createdAt: number;
  reason?: string;
}

/**
 * Revocations, as `/auth/admin/revocations` of the Worker administers them. It asks for no secret: check yourself who may call it.
 *
 * Other processes see a change when they forget what they have read (`revocation.cache_secs`), and with Workers KV when KV shows it.
 *
 * Each rejects with an {@link EdgegateError}: `INVALID_REQUEST` with the `path` of the field; `NOT_FOUND` for an id that names
 * nothing; `STORE_UNAVAILABLE`; `KEYS_UNAVAILABLE` if a token cannot be verified now; `CONFIG_ERROR` where the policy has no
 * `revocation`.
 */
export interface RevocationAdministration {
  /** Revokes. A second revocation of the same thing never weakens the first: the later cut-off and the later end count. */
  add(revocation: NewRevocation): Promise<Revocation>;
  /** All of them, in no meaningful order. Without `cursor` in the answer this was the last page. */
  list(query?: PageOptions): Promise<{ revocations: Revocation[]; cursor?: string | undefined }>;
  get(id: string): Promise<Revocation>;
  /** Takes it back. The record of a revoked API key stays revoked. */
  remove(id: string): Promise<void>;
}

/** What a session is opened with. */
export interface NewSession {
  subject: string;
  scopes: string[];
  /** Whether cookies outlive the browser. */
  remember?: boolean | undefined;
  clientId?: string | undefined;
  audience?: string[] | undefined;
  amr?: string[] | undefined;
  acr?: string | undefined;
  authTime?: number | undefined;
  /** The thumbprint of the key that the tokens are bound to (RFC 9449). */
  dpopJkt?: string | undefined;
  claims?: Record<string, unknown> | undefined;
  /** For the list of sessions. */
  label?: string | undefined;
  existing?: boolean | undefined;
}

export interface SessionTokens {
  sessionId: string;
  accessToken: string;
  tokenType: 'Bearer' | 'DPoP';
  expiresIn: number;
  refreshToken: string;
  refreshExpiresIn: number;
}

/** For a browser, which changes it for cookies at `POST /auth/session/start`: once, within a minute. Never put it in a URL. */
export interface SessionTicket {
  ticket: string;
  expiresIn: number;
}

/** From where a session is opened, as its owner is shown. */
export interface SessionDevice {
  agent?: string | undefined;
  network?: string | undefined;
}

/**
 * The gate's own sessions, as `/auth/admin/sessions` of the Worker administers them. It asks for no secret: check yourself who may call it.
 *
 * Ending writes the revocation before the row goes: a rejection means that it may have ended or not; end it again.
 *
 * Each rejects with an {@link EdgegateError}: `INVALID_REQUEST` with the `path` of the field; `NOT_FOUND` for a session that the subject does not
 * have; `NOT_ALLOWED` for a disabled subject; `STORE_UNAVAILABLE`; `CONFIG_ERROR` where the policy has no `sessions`.
 */
export interface SessionAdministration {
  open(session: NewSession & { ticket: true }, device?: SessionDevice): Promise<SessionTicket>;
  open(session: NewSession & { ticket?: false | undefined }, device?: SessionDevice): Promise<SessionTokens>;
  list(subject: string): Promise<Array<{ id: string; [member: string]: unknown }>>;
  end(subject: string, id: string): Promise<{ ended: number; pending?: true }>;
  /** Ends all but this one. */
  endOthers(subject: string, id: string): Promise<{ ended: number; pending?: true }>;
  endAll(subject: string): Promise<{ ended: number; pending?: true }>;
  /** Takes scopes away, from the next refresh on. */
  narrow(subject: string, id: string, scopes: string[]): Promise<void>;
  /** Ends all sessions of a subject, and lets none be opened until it is enabled. */
  disable(subject: string): Promise<void>;
  enable(subject: string): Promise<void>;
  /** Removes all that is kept of a subject. */
  forget(subject: string): Promise<void>;
}

/** An account at a provider, as its owner and the administrator see it. Times are in seconds since 1970. */
export interface Grant {
  provider: string;
  account: string;
  /** Its name for people. */
  label?: string;
  /** What its tokens may do. */
  scopes: string[];
  connectedAt: number;
  /** When the provider last gave an access token. */
  givenAt: number;
  /** When that ends; absent: not known to end. */
  expiresAt?: number;
  /** Whether the gate can get the next one by itself. */
  refreshable: boolean;
  /** How many answers of the provider may have been lost since. */
  lost?: number;
  /** Why it is of no use until its owner connects the account again. */
  reconnect?: 'ended' | 'ended_after_loss' | 'expired';
}

/**
 * Accounts of callers at providers (`connect_only` in `login.providers`, `grant` of a route). They are connected and taken away at `/connect/{provider}` and
 * `/disconnect/{provider}` below the policy's `auth_prefix`, which adapters answer. `list` and `end` ask for no secret: check yourself who may call them.
 *
 * Each rejects with an {@link EdgegateError}: `INVALID_REQUEST` with the `path` of the field; `STORE_UNAVAILABLE`; `CONFIG_ERROR` where the policy uses no
 * accounts.
 */
export interface GrantAdministration {
  /**
   * An access token that can be used now, and its account. It is refreshed if it has to be, by one of all processes that share the store;
   * that one waits for the provider, up to 30 seconds. `identity` is that of a decision (`request.auth` in adapters). Without `account` it is the account that
   * was connected last. Do not log the token, and do not follow redirects with it.
   *
   * Also rejects with `NOT_ALLOWED` for an identity without a session of the gate's own, `CONNECT_REQUIRED` without an account that can be used, and
   * `UPSTREAM_ERROR` if the provider does not answer.
   */
  token(
    identity: Pick<Identity, 'issuer' | 'subject' | 'claims'>, provider: string, options?: { account?: string | undefined },
  ): Promise<{ token: string; account: string }>;
  list(subject: string): Promise<Grant[]>;
  /** Ends those of a provider, or of one account there, or all. The provider is told behind the answer. */
  end(subject: string, which?: { provider?: string | undefined; account?: string | undefined }): Promise<{ ended: number }>;
}

/** An event of the watch, as `edgegate/schema/event.schema.json` has it: of alerts `firing` and `resolved`. */
export interface WatchEvent {
  v: 1;
  id: string;
  /** Milliseconds since 1970. */
  at: number;
  event: 'admitted' | 'refused' | 'administered' | 'account' | 'firing' | 'resolved' | 'checkpoint';
  rule?: string;
  group?: string;
  value?: number;
  threshold?: number;
  cause?: string;
  [member: string]: unknown;
}

/** What happened in a window, and what is wrong. Times are in seconds since 1970. */
export interface WatchReport {
  windowSecs: number;
  from: number;
  to: number;
  decisions: { admitted: number; refused: number };
  /** Refusals by code, and by finer reason. */
  codes: Record<string, number>;
  reasons: Record<string, number>;
  refusals: Array<{ code: string; reason?: string; n: number }>;
  /** Of every rule, those that are ok too. `since` is in milliseconds; `null`: it was never anything else. */
  alerts: Array<{
    rule: string; group?: string; state: 'ok' | 'pending' | 'firing' | 'resolving'; since: number | null; value: number; threshold: number; cause?: string;
  }>;
  /** Samples and events since the beginning that were too many or that no sink has taken. */
  dropped: number;
  /** Decisions since the beginning that may not be counted: a gate could not hand them over for ten minutes. */
  lost: number;
  /** How old the newest count is; `null`: nothing was ever counted. */
  dataAgeSecs: number | null;
  /** Events that wait for a sink. */
  waiting: number;
  /** Gates that were heard of in the last 20 minutes. */
  isolates: number;
  /** Expired tokens by how late they were. */
  lateness: Record<string, number>;
  routes: Array<{ route: string; admitted: number; refused: number }>;
  /** The networks from which most credentials failed. */
  networks: Array<{ network: string; failures: number }>;
  stepSecs: number;
  timeline: Array<{ from: number; admitted: number; refused: number }>;
  /** Logins to accounts and changes of them, the most first; not there where there were none. */
  accounts?: Array<{ action: string; methods?: string; n: number }>;
  /** The last samples that this gate knows, newest first. */
  events: WatchEvent[];
}

/**
 * What the gate has counted, where the policy has `watch`; with `stores.watch` what all gates have. It asks for no secret: check yourself who may call it.
 *
 * It rejects with an {@link EdgegateError}: `CONFIG_ERROR` where the policy has no `watch`; `INVALID_REQUEST` for a window that is none; `STORE_UNAVAILABLE`.
 */
export interface WatchReader {
  /** `window` is a time like `15m` (default), `90s`, `24h` or `7d`, from 10 s to 7 d. */
  read(options?: { window?: string | undefined }): Promise<WatchReport>;
}

/** A new account. Exactly one of `password` and `passwordHash` is there. */
export interface NewAccount {
  /** The address that its owner logs in with. A keyed hash of it is kept; where mails are sent also the address itself, sealed. */
  email: string;
  password?: string | undefined;
  /** A hash of its password, of a form of docs/accounts.md, and of a kind in the policy's `accounts.imports`. */
  passwordHash?: string | undefined;
  /** The scopes of its sessions, beside those of all accounts. Default: none. */
  scopes?: string[] | undefined;
  /** Whether the address is known to be its owner's. Default `false`. */
  verified?: boolean | undefined;
}

/** What changes of an account; at least one member. */
export interface AccountChanges {
  /** Whether nobody may log in to it. */
  disabled?: boolean | undefined;
  /** Its new password. Either this or `passwordHash`. */
  password?: string | undefined;
  passwordHash?: string | undefined;
  /** Its new scopes. */
  scopes?: string[] | undefined;
  /** Whether all factors but the password are taken out: for an owner who has lost them. */
  dropFactors?: boolean | undefined;
  /** `true`: nobody logs in until its owner has set a new password by a link. Needs `accounts.mail`. */
  requireReset?: boolean | undefined;
}

/** An account. */
export interface Account {
  id: string;
  /** The subject of its sessions: `account|` and the id, for ever. */
  subject: string;
  disabled: boolean;
  /** Its owner has to set a new password by a link before anybody logs in. */
  resetRequired?: true;
  /** It waits for whoever was invited. */
  invited?: true;
  /** Whether the address is known to be its owner's. */
  isVerified: boolean;
  /** Its own, without those of all accounts. */
  scopes: string[];
  /** In seconds since 1970. */
  createdAt: number;
  /** Whether its password is still kept as somebody else has hashed it, until its next login. */
  imported: boolean;
  /** What its owner is asked for beside the password. */
  factors: { totp: boolean; recoveryCodesLeft: number; passkeys: number };
  /** The end of its sessions is still on its way to where revocations are kept. */
  pending?: true;
}

/**
 * People who log in by password, as `/auth/admin/accounts` administers them over HTTP. It asks for no secret: check yourself who may call it.
 *
 * A change ends all sessions of the account. A new password is hashed here, which blocks the process for some tens of milliseconds.
 *
 * Each rejects with an {@link EdgegateError}: `INVALID_REQUEST` with the `path` of the field; `NOT_FOUND`; `STORE_UNAVAILABLE`, after which the change may
 * have been made or not; `CONFIG_ERROR` where the policy has no `accounts`.
 */
export interface AccountAdministration {
  create(account: NewAccount): Promise<Account>;
  /**
   * Sends a link by which somebody sets a password; the account waits for its owner. The policy needs `accounts.mail`, and `accounts.registration` that is not
   * `"closed"`. A program that ends at once waits for `gate.close()` first, which sends it.
   */
  invite(account: { email: string; scopes?: string[] | undefined }): Promise<Account>;
  /** The account with an address. */
  find(email: string): Promise<Account>;
  get(id: string): Promise<Account>;
  update(id: string, changes: AccountChanges): Promise<Account>;
  /** Forgets an account, and ends all its sessions. */
  delete(id: string): Promise<{ pending?: true }>;
}

/** The answer of an endpoint of the gate's own. */
export interface Handled {
  status: number;
  /** A name may come twice: `Set-Cookie`. */
  headers: Array<[name: string, value: string]>;
  body: string;
  /** The whole answer, for those that speak in `Response`s. */
  response(): Response;
}

export interface Gate {
  /** Administration of the gate's own sessions. */
  readonly sessions: SessionAdministration;
  /** Accounts of callers at providers. */
  readonly grants: GrantAdministration;
  /** Administration of people who log in by password. */
  readonly accounts: AccountAdministration;
  /** What was counted. */
  readonly watch: WatchReader;
  /** The same in the format of Prometheus, as `GET /auth/metrics` answers. It rejects as `watch.read` does. */
  metrics(): Promise<string>;
  /**
   * Hands over what was counted, and tells what is due: before a process ends, when no more requests come. Otherwise up to ten seconds of counts may be missing.
   * What was not handed over all the same is in the log.
   * Mails of accounts that are due are sent, too. Where there is neither, it does nothing.
   */
  close(): Promise<void>;
  /**
   * Answers a request for an endpoint of sessions below the policy's `auth_prefix` (`/token`, `/refresh`, `/revoke`, `/introspect`, `/session`,
   * `/session/start`, `/sessions`, `/sessions/{id}`, `/sessions/others`, `/logout`), where the policy has `login` for one of logins (`/login`, `/login/{id}`, `/callback/{id}`,
   * `/logged-out`, `/backchannel-logout/{id}`, `/connect/{id}`, `/disconnect/{id}`), where it has `accounts` for their endpoints, with `admin` also for `/admin/accounts…` (docs/accounts.md), where it has `watch` for `/admin/watch` and
   * `/metrics`, and for `/.well-known/jwks.json` and
   * `/.well-known/oauth-authorization-server`. Nothing for any other request, whose body is not touched. Adapters do this.
   */
  handle(
    request: RequestLike & { readonly body?: unknown },
    options?: {
      clientIp?: string | undefined; path?: string | undefined; waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
    },
  ): Promise<Handled | undefined>;
  /** Whether `handle` has to be asked about this path. */
  mayHandle(path: string): boolean;
  /** Administration of API keys. */
  readonly keys: KeyAdministration;
  /** Administration of revocations. */
  readonly revocations: RevocationAdministration;
  /** How the policy compares paths (`path_case`), for those that route by other rules; nothing if it has no routes. */
  readonly pathCase?: 'sensitive' | 'insensitive' | undefined;
  /**
   * Decides about a request: route, credential, revocation, scopes, limits, in this order. A refusal is no error. A CORS preflight
   * is answered, unless the policy's `preflight` says `"pass"` or `"refuse"`; one that passes carries no credential that was looked at.
   *
   * The client's address is `clientIp`, else the header that the policy names in `client_ip_header` (in Workers
   * `CF-Connecting-IP` if it names none), else the address of Node's socket. Behind a proxy, say which: callers can write any
   * header that the proxy does not set. If the header is a list, the first address counts, or with `trusted_hops = n` in the policy the
   * `n`th from the right. `clientIp` is one address. Ports, brackets and zones are read. An address that cannot be read counts as none,
   * and the log says so, once a minute at most (`event: 'fault'`).
   *
   * `path` is the path that the application routes by, if it has rewritten the URL. (In a mounted router of Express the gate knows it by `baseUrl`.)
   * The policy's routes are found by this path. `url` stays the URL that the caller asked for, which a proof of possession
   * names. If `path` is not the path that is served, the gate protects the wrong one.
   * @throws {EdgegateError} `ENGINE_FAILED` if the engine trapped meanwhile (the next call gets a new one), `STORE_UNAVAILABLE`
   * if 10,000 checks are waiting already, `INVALID_REQUEST` for what is no request.
   */
  check<Claims = IdentityClaims>(
    request: RequestLike,
    options?: {
      clientIp?: string | undefined; path?: string | undefined; waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
    },
  ): Promise<Decision<Claims>>;
  /**
   * What {@link Gate.check} would say to this request, and why, step by step. Nothing of it is done: no limit is taken, no failed attempt
   * counted, no proof of possession used up, no session renewed, no use of a key noted, and `log` gets no event. Stores are read, and keys of an issuer
   * are fetched when `check` would fetch them, within the same bounds. So two things are not known: whether a limit is used up (`would_be_asked`), and
   * whether a session that has to be renewed can be (it says `STORE_UNAVAILABLE`).
   *
   * It is for you, not for callers: it says more than they may know.
   * @throws {EdgegateError} as `check`
   */
  explain(
    request: RequestLike,
    options?: {
      clientIp?: string | undefined; path?: string | undefined; waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
    },
  ): Promise<Explanation>;
  /**
   * Resolves when the engine is loaded and has taken the policy. Elsewhere than in browsers that is so from the beginning. A gate that watches begins to
   * keep its clock: otherwise its first request does that.
   * @throws {EdgegateError} `CONFIG_ERROR`
   */
  ready(): Promise<void>;
}

/**
 * The gate of the Worker in this process: the same policy, the same decisions. Make one and keep it. In Workers and in Next.js's edge
 * runtime import it from `edgegate/gate`.
 *
 * The policy is the object of `[vars.POLICY]`, or its JSON, in which no name may occur twice. An object in a variable needs its type,
 * `const policy: Policy = {…}`, since TypeScript would take its words for any strings. Fields for the Worker alone are
 * ignored: `upstream`, `forward_credential`, `identity`, `forward_auth`, `admin` (but its secret has to be there).
 * Limits with `store = "memory"`, and failed authentication, are counted in this process. They begin again at zero when the engine
 * had to be replaced.
 * @throws {EdgegateError} `CONFIG_ERROR` with the `path` of the fault, such as `issuers[1].audience` or `stores.counters`. In
 * browsers before {@link Gate.ready}, faults that only the engine can see come with it or with the first `check`.
 */
export function createGate(policy: Policy | string, options?: GateOptions): Gate;

/** What a gate would say to a request, and by which steps. No credential is in it. */
export interface Explanation {
  /** The route by its place in the policy, `routes[1]`. Absent: none matches, or it was refused before. */
  route?: string;
  /** In the order in which the gate takes them. */
  steps: Array<{
    step: 'https' | 'route' | 'preflight' | 'addresses' | 'credential' | 'proof' | 'revocation' | 'scopes' | 'claims' | 'limits';
    /** `skipped`: the policy asks nothing here. `would_be_asked`: only asking in earnest could tell. `not_reached`: an earlier step refuses. */
    verdict: 'passed' | 'refused' | 'skipped' | 'would_be_asked' | 'not_reached';
    /** Why. */
    detail?: string;
    /** What in the policy decides about it: `routes[1].scopes`. */
    policyPath?: string;
  }>;
  /** What the caller would get. `status` is 200 for what is admitted. Without `code` it is admitted, or the gate answers it itself. */
  outcome: { status: number; code?: RefusalCode; reason?: string };
}

/** What a policy needs where it is deployed. */
export interface PolicyReport {
  /** `kv`: the policy says `source = "kv"`, so it is elsewhere, and nothing more is known of it. */
  source: 'inline' | 'kv';
  /** The names of all its secrets. */
  secrets: string[];
  /** Those of them that `options.secrets` does not have. */
  missing: string[];
  /** What has to be bound. `name` is what the policy calls a service, rate limiter or queue, `path` the field that asks for it. */
  bindings: Array<{ kind: 'kv' | 'counters' | 'ledger' | 'sessions' | 'keyRing' | 'grants' | 'logins' | 'watch' | 'service' | 'rateLimiter' | 'queue' | 'function'; name?: string; path?: string }>;
}

/**
 * Reads a policy as the Worker does, and says what it needs. Secrets that are given are checked too; the others are listed as
 * missing. In Workers it comes from `edgegate/gate`.
 * @throws {EdgegateError} `CONFIG_ERROR` with the `path` of the first fault
 */
export function checkPolicy(
  policy: object | string,
  options?: { secrets?: Readonly<Record<string, unknown>> | undefined },
): Promise<PolicyReport>;

/** Loads the engine. Needed before synchronous calls in browsers; elsewhere it is there already. */
export function ready(): Promise<void>;

/** The stable codes; `reason` is finer. */
export type ErrorCode =
  | 'INVALID_TOKEN' | 'TOKEN_EXPIRED' | 'TOKEN_NOT_YET_VALID' | 'STEP_UP_REQUIRED'
  | 'INVALID_API_KEY' | 'API_KEY_EXPIRED' | 'WRONG_ENVIRONMENT'
  | 'NOT_ALLOWED' | 'CONNECT_REQUIRED' | 'UPSTREAM_ERROR'
  | 'MISSING_CREDENTIALS' | 'KEYS_UNAVAILABLE' | 'STORE_UNAVAILABLE' | 'INVALID_REQUEST' | 'NOT_FOUND' | 'CONFIG_ERROR' | 'SYNC_UNSUPPORTED'
  | 'ENGINE_FAILED';

/** Every error of this package. The message never holds the token or a key. */
export class EdgegateError extends Error {
  readonly code: ErrorCode;
  /** Such as `bad_signature` or `unknown_key`: for logs, not for callers. `trapped`: the engine failed and has been replaced. */
  readonly reason: string;
  /** The claim at fault. */
  readonly claim?: string;
  /** The option at fault, as `issuers[1].audience`. */
  readonly path?: string;
}
