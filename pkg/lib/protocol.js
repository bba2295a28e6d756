// Made from the Rust library by `cargo xtask package` (crates/engine/examples/protocol.rs). Not edited by hand.

// Algorithms, in the order by which the host is asked.
export const ALGORITHMS = [
  "HS256",
  "HS384",
  "HS512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
];

// What WebCrypto has to be told, for `importKey` and `verify` alike.
export const WEB_CRYPTO = {
  HS256: {"hash":"SHA-256","name":"HMAC"},
  HS384: {"hash":"SHA-384","name":"HMAC"},
  HS512: {"hash":"SHA-512","name":"HMAC"},
  RS256: {"hash":"SHA-256","name":"RSASSA-PKCS1-v1_5"},
  RS384: {"hash":"SHA-384","name":"RSASSA-PKCS1-v1_5"},
  RS512: {"hash":"SHA-512","name":"RSASSA-PKCS1-v1_5"},
  PS256: {"hash":"SHA-256","name":"RSA-PSS","saltLength":32},
  PS384: {"hash":"SHA-384","name":"RSA-PSS","saltLength":48},
  PS512: {"hash":"SHA-512","name":"RSA-PSS","saltLength":64},
  ES256: {"hash":"SHA-256","name":"ECDSA","namedCurve":"P-256"},
  ES384: {"hash":"SHA-384","name":"ECDSA","namedCurve":"P-384"},
  ES512: {"hash":"SHA-512","name":"ECDSA","namedCurve":"P-521"},
  EdDSA: {"name":"Ed25519"},
};

// What a call of the engine has come to.
export const DONE = 0;
export const REFUSED = 1;
export const PENDING = 2;
export const KEYS_NEEDED = 3;
export const GONE = 4;
export const KEYS_UNDER_WAY = 5;

// Where a call leaves its numbers.
export const TEXT = 0;
export const TEXT_LENGTH = 1;
export const KEY_ID = 2;
export const KEY_ID_LENGTH = 3;
export const ISSUER = 4;
export const VALID_FROM = 5;
export const VALID_UNTIL = 6;
export const FLAG = 7;
export const SLOTS = 8;

// The step of `nextPlace` that asks for keys where they were found before.
export const KNOWN_PLACE = 0;

// How many bytes of a call's text have a place that stays.
export const KEPT_INPUT = 65536;

// Where the lines of a request stand; behind them are the headers of `credential_headers`.
export const METHOD = 0;
export const URL_LINE = 1;
export const PATH = 2;
export const AUTHORIZATION = 3;
export const DPOP = 4;
export const API_KEY = 5;
export const COOKIE = 6;
export const ACCEPT = 7;
export const ORIGIN = 8;
export const REQUESTED_METHOD = 9;
export const REQUESTED_HEADERS = 10;
export const CLIENT_IP = 11;
export const CLIENT_IP_HEADER = 12;
export const FETCH_SITE = 13;
export const UPGRADE = 14;
export const FETCH_MODE = 15;
export const FETCH_DEST = 16;
export const GRANT_ACCOUNT = 17;
export const FIELDS = 18;

// The first line of an admission. Other decisions are objects of JSON.
export const ADMITTED = "admitted";

// What the host answers about a signature.
export const HOST_BAD = 0;
export const HOST_HOLDS = 1;
export const HOST_PENDING = 2;
export const HOST_UNKNOWN_KEY = 3;
export const HOST_REFUSES_KEY = 4;

// The options of an issuer, and what policies call them.
export const ISSUER_OPTIONS = {
  issuer: "issuer",
  tenants: "tenants",
  audience: "audience",
  audienceClaim: "audience_claim",
  algorithms: "algorithms",
  key: null,
  jwks: "jwks",
  jwksUri: "jwks_uri",
  discovery: "discovery",
  allowHttp: "allow_http",
  clockTolerance: "clock_tolerance_secs",
  maxTokenAge: "max_token_age_secs",
  maxAuthAge: "max_auth_age_secs",
  requiredClaims: "required_claims",
  claims: "claims",
  typ: "typ",
  scopeClaim: "scope_claim",
  scopeClaims: "scope_claims",
  scopeMap: "scope_map",
  requireExp: "require_exp",
  profile: "profile",
};

// Limits.
export const DEFAULT_MAX_TOKEN_LENGTH = 8192;
export const MAX_JWKS_LENGTH = 65536;
export const MAX_PROOF_LENGTH = 8192;
export const DEFAULT_PROOF_AGE_SECS = 60;
export const MAX_PROOF_AGE_SECS = 3600;
export const MAX_PROOFS = 200000;
export const PROOFS_SHARE = 32;
export const PROOFS_SEARCH_EVERY_MILLIS = 250;

// The algorithms that proofs of possession may have.
export const PROOF_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
];

// The fields of an answer that caches read, in the order of `amendments` in caching.js.
export const CACHING_FIELDS = [
  "Cache-Control",
  "Vary",
  "CDN-Cache-Control",
  "Cloudflare-CDN-Cache-Control",
  "Surrogate-Control",
  "Edge-Control",
  "X-Accel-Expires",
];

// What a caller is told whom a verifier alone refuses.
export const WIRE = {
  MISSING_CREDENTIALS: {"error":"invalid_token","hint":"Send a token as 'Authorization: Bearer <token>'","status":401,"title":"Authentication required","type":"urn:edgegate:error:missing-credentials"},
  INVALID_TOKEN: {"error":"invalid_token","hint":"Get a new token from the issuer and send it unchanged","status":401,"title":"Invalid token","type":"urn:edgegate:error:invalid-token"},
  TOKEN_EXPIRED: {"error":"invalid_token","hint":"Get a new token or refresh the session","status":401,"title":"Token expired","type":"urn:edgegate:error:token-expired"},
  TOKEN_NOT_YET_VALID: {"error":"invalid_token","hint":"Check the clock of the system that issued the token","status":401,"title":"Token not yet valid","type":"urn:edgegate:error:token-not-yet-valid"},
  STEP_UP_REQUIRED: {"error":"insufficient_user_authentication","hint":"Sign in again; a refreshed token of the same sign-in will not help","status":401,"title":"More recent sign-in required","type":"urn:edgegate:error:step-up-required"},
  MULTIPLE_CREDENTIALS: {"error":"invalid_token","hint":"Send exactly one token or API key","status":400,"title":"More than one credential","type":"urn:edgegate:error:multiple-credentials"},
  KEYS_UNAVAILABLE: {"error":"invalid_token","hint":"Try again after as many seconds as Retry-After says","status":503,"title":"Keys of the issuer unavailable","type":"urn:edgegate:error:keys-unavailable"},
};
export const CHALLENGE = "Bearer realm=\"edgegate\"";
export const RETRY_UNAVAILABLE_SECS = 5;
export const PROBLEM_JSON = "application/problem+json";
export const REFUSING_WEIGHTS = [
  "q=0",
  "q=0.",
  "q=0.0",
  "q=0.00",
  "q=0.000",
];
