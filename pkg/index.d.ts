/** An algorithm name. `none` does not exist; `Ed25519` is another name of `EdDSA` (Ed25519 only). */
export type Algorithm =
  | 'HS256' | 'HS384' | 'HS512'
  | 'RS256' | 'RS384' | 'RS512'
  | 'PS256' | 'PS384' | 'PS512'
  | 'ES256' | 'ES384' | 'ES512'
  | 'EdDSA' | 'Ed25519';

/** A JSON Web Key (RFC 7517). Private members are refused; `use`, `key_ops`, `alg` and `kid` are honoured. */
export interface Jwk {
  kty: string;
  kid?: string | undefined;
  alg?: string | undefined;
  use?: string | undefined;
  key_ops?: string[] | undefined;
  [member: string]: unknown;
}

/** A JWK set: at most 100 keys and 64 KiB. Keys that are for something else are skipped, faulty ones refused. */
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

/** The rules for one issuer's tokens, and exactly one of `key`, `jwks`, `jwksUri`. */
export interface IssuerOptions {
  /** `iss` has to be exactly this. */
  issuer: string;
  /** `aud` has to be or include one of these. Without it `aud` is not looked at: only for an issuer that issues
   * tokens for this service alone. */
  audience?: string | readonly string[] | undefined;
  /** The algorithms the issuer signs with; not HMAC beside others. May be left out where each key serves exactly one
   * (EC, Ed25519, a JWK with `alg`). */
  algorithms?: readonly Algorithm[] | undefined;
  /** The issuer's only key. */
  key?: Key | undefined;
  /** The issuer's keys. */
  jwks?: Jwks | undefined;
  /**
   * Where the issuer publishes its keys: an https URL (http on loopback). Fetched with the first token, believed as
   * long as `Cache-Control` says within 1 minute and 1 day (10 minutes by default), fetched again for an unknown `kid` at
   * most every 30 s, used for a day more while the issuer does not answer. No redirects, 64 KiB, 5 s.
   */
  jwksUri?: string | undefined;
  /** Seconds, at most 600, by which the issuer's clock may differ. Default 0. */
  clockTolerance?: number | undefined;
  /** The greatest age in seconds by `iat`, which then has to be there. Default: any. */
  maxTokenAge?: number | undefined;
  /** Claims that have to be there and not null. Default: none. */
  requiredClaims?: readonly string[] | undefined;
  /** The header's `typ`, such as `at+jwt`; without regard to case and to `application/`. Default: not looked at. */
  typ?: string | undefined;
  /** Whether `exp` has to be there. Default true. */
  requireExp?: boolean | undefined;
  /**
   * `access-token`: the tokens are OAuth access tokens of RFC 9068. `typ` is `at+jwt`; `iss`, `exp`, `aud`, `sub`,
   * `client_id`, `iat` and `jti` are there; `scope`, if there is one, is a string. Wants an `audience`.
   */
  profile?: 'access-token' | undefined;
}

/** Options for all issuers of a verifier. */
export interface SharedOptions {
  /** The longest token in bytes. Default 8192. */
  maxTokenLength?: number | undefined;
  /** Verified tokens that are kept, by the whole token; `false` for none. Default 1000. */
  cache?: false | { entries?: number | undefined } | undefined;
  /** The time in seconds since 1970. Default: the system's clock. */
  now?: (() => number) | undefined;
  /**
   * Tokens that are bound to a key of the client (`cnf.jkt`, RFC 9449). By default such a token is taken with a proof
   * only, and others as before. `false`: bindings are not looked at, because somebody else has done so.
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
   * Where it is remembered which proofs have been used, for as long as they are taken. Default: in this process, up to
   * 200,000 of them, beyond which it fails; other processes then do not know of them.
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

/** Of a request as the web has it, what is looked at. */
export interface RequestLike {
  readonly method: string;
  readonly url: string;
  readonly headers: { get(name: string): string | null };
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

/** What it holds in the engine is given back when it is garbage-collected, or at once by `[Symbol.dispose]()`. */
export interface Verifier {
  /**
   * Verifies a token: form, issuer, signature, claims, time, then the proof of possession, in this order.
   * @throws {EdgegateError} `INVALID_TOKEN`, `TOKEN_EXPIRED`, `TOKEN_NOT_YET_VALID`; `KEYS_UNAVAILABLE` if published keys
   * cannot be had; `STORE_UNAVAILABLE` if it cannot be remembered that a proof was used.
   */
  verify<Claims = Record<string, unknown>>(token: string, options?: VerifyOptions): Promise<VerifiedToken<Claims>>;
  /**
   * Verifies the token in `Authorization` of a request, `Bearer` or, with its proof in `DPoP`, `DPoP`. `url` and `method`
   * are for a server behind a proxy that changes them.
   * @throws {EdgegateError} also `MISSING_CREDENTIALS`, and `INVALID_REQUEST` for another scheme.
   */
  verifyRequest<Claims = Record<string, unknown>>(
    request: RequestLike,
    options?: { url?: string | URL | undefined; method?: string | undefined; nonce?: string | readonly string[] | undefined },
  ): Promise<VerifiedToken<Claims>>;
  /**
   * The same at once: HMAC and Ed25519 anywhere, every algorithm on Node.
   * @throws {EdgegateError} also `SYNC_UNSUPPORTED`: RSA and ECDSA elsewhere, keys yet to be fetched, or the engine not
   * loaded yet, or a store of proofs.
   */
  verifySync<Claims = Record<string, unknown>>(token: string, options?: VerifyOptions): VerifiedToken<Claims>;
}

/**
 * A verifier for one issuer, or several by `issuers`. Make one and keep it.
 * @throws {EdgegateError} `CONFIG_ERROR` with the `path` of the fault: unknown options, a short secret, a public key as
 * secret, RSA below 2048 bits, an algorithm no key serves. In browsers before {@link ready}, faults that only the engine
 * can see come with the first `verify`.
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

/** Loads the engine. Needed before synchronous calls in browsers; elsewhere it is there already. */
export function ready(): Promise<void>;

/** The stable codes; `reason` is finer. */
export type ErrorCode =
  | 'INVALID_TOKEN' | 'TOKEN_EXPIRED' | 'TOKEN_NOT_YET_VALID'
  | 'INVALID_API_KEY' | 'API_KEY_EXPIRED' | 'WRONG_ENVIRONMENT'
  | 'MISSING_CREDENTIALS' | 'KEYS_UNAVAILABLE' | 'STORE_UNAVAILABLE' | 'INVALID_REQUEST' | 'CONFIG_ERROR' | 'SYNC_UNSUPPORTED';

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
