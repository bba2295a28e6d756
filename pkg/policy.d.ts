// Made from the Rust library by `cargo xtask package` (crates/describe). Not edited by hand.
//
// The policy of a gate, as in `[vars.POLICY]` of wrangler.toml. Names are snake_case. docs/policy.md is the reference.

/** What the gate is told to do: `[vars.POLICY]` of `wrangler.toml`, or the same object from elsewhere. Unknown fields are refused. */
export interface Policy {
  /** Where admitted requests go, if their route does not say. Without it they go to the service binding `UPSTREAM`, or the gate answers itself. */
  upstream?: string | PolicyUpstream | undefined;
  /** Whether the credential that was verified travels on to the upstream. Default `false`. */
  forward_credential?: boolean | undefined;
  /** Where the gate's own endpoints are: a path like `/auth`. Default `"/auth"`. */
  auth_prefix?: string | undefined;
  /** The name of a cookie that may carry a token. */
  cookie?: string | undefined;
  /** Headers in which other proxies hand tokens on. At most 8. */
  credential_headers?: readonly PolicyCredentialHeader[] | undefined;
  /** The longest token that is looked at, in bytes. Default `8192`. */
  max_token_length?: number | undefined;
  /** Claims that the upstream is told, by the name of the header: `{ "X-Org" = "org_id" }`. They are taken off the requests of callers. At most 20. */
  identity_headers?: Record<string, string> | undefined;
  /** The header with the caller's address. A proxy that callers cannot get around has to set it. Default `"CF-Connecting-IP"`. */
  client_ip_header?: string | undefined;
  /** Which address of a list in that header counts, from the right. Needs `client_ip_header` beside it. Without it the first one counts. */
  trusted_hops?: number | undefined;
  /** How other proxies ask about their requests: docs/forward-auth.md. */
  forward_auth?: PolicyForwardAuth | undefined;
  /** How the gate's own pages look and speak. */
  pages?: PolicyPages | undefined;
  /** What keeps one caller's answer from another: `private`, the gate does; `upstream`, the headers of the service do. Default `"private"`. */
  cache?: 'private' | 'upstream' | undefined;
  /** What becomes of CORS preflights: `answer`, the gate answers them; `pass`, the upstream does; `refuse`, nobody does. Default `"answer"`. */
  preflight?: 'answer' | 'pass' | 'refuse' | undefined;
  /** Which pages of other origins may read answers. Without it the gate says nothing about it. */
  cors?: PolicyCors | undefined;
  /** What becomes of requests over plain http: `redirect` sends those without a credential to https, `refuse` refuses all. Without it they are as good as others. */
  https?: 'redirect' | 'refuse' | undefined;
  /** Strict-Transport-Security: `true`, `false`, or what it says. It is on with `https` or `security_headers`. */
  hsts?: boolean | PolicyHsts | undefined;
  /** The headers of helmet, where the service sets none: `true`, or an object with values of one's own. `false` leaves a header out. */
  security_headers?: boolean | PolicySecurityHeaders | undefined;
  /** Where the metadata of this API are (RFC 9728): refusals of credentials name the URL. https, or http on loopback; at most 2048 bytes. */
  resource_metadata?: string | undefined;
  /** Whether `X-RateLimit-*` is sent beside `RateLimit`. Default `false`. */
  legacy_headers?: boolean | undefined;
  /** Which decisions are written to the event log: `refusals`, `all` or `none`. What administrators do and what becomes of accounts is there unless it is `none`. Default `"refusals"`. */
  log?: 'refusals' | 'all' | 'none' | undefined;
  /** Whether paths that differ in case only are different: as the service behind the gate reads them. Default `"sensitive"`. */
  path_case?: 'sensitive' | 'insensitive' | undefined;
  /** Whose tokens are taken: docs/tokens.md. */
  issuers?: readonly PolicyIssuer[] | undefined;
  /** Scopes that include others: `{ "admin:posts" = ["read:posts"] }`. They hold for tokens, API keys and sessions alike. At most 100. */
  scope_includes?: Record<string, readonly string[]> | undefined;
  /** Where used proofs of possession are remembered (RFC 9449). */
  dpop?: PolicyDpop | undefined;
  /** Keeps the keys that were fetched from issuers in KV, where other isolates find them. The secret seals them. */
  jwks_cache?: PolicyNamedSecret | undefined;
  /** API keys. Without it the gate takes none. */
  api_keys?: PolicyApiKeys | undefined;
  /** Where revocations are kept: docs/revocation.md. Without it nothing can be revoked. */
  revocation?: PolicyRevocation | undefined;
  /** How often something may happen. Routes name those that count. */
  limits?: readonly PolicyLimit[] | undefined;
  /** How many bad credentials are taken from an address. */
  failed_authentication?: PolicyFailedAuthentication | undefined;
  /** What is asked of a request. The first route that matches decides; where none does, a credential is required. */
  routes?: readonly PolicyRoute[] | undefined;
  /** Who administers the gate. Without it the endpoints of administration do not exist. */
  admin?: PolicyAdmin | undefined;
  /** The gate's own origin, for the CSRF rule and for logins: `https://api.example.com`. Without it only a loopback host is its own. */
  origin?: string | undefined;
  /** Whether unsafe requests with `cookie` have to come from a page of this origin. Sessions always have the rule. Default `"on"`. */
  csrf?: 'on' | 'off' | undefined;
  /** How services are told who is calling: `headers`, by `X-Auth-…`; `jwt`, also by a signed token in `X-Auth-Token`, which needs `sessions`. Default `"headers"`. */
  identity?: 'headers' | 'jwt' | undefined;
  /** The `aud` of that token. Without it: the upstream's origin. */
  identity_audience?: string | undefined;
  /** The gate's own sessions. Without it there are none. */
  sessions?: PolicySessions | undefined;
  /** Logins with others. Without it there are none. */
  login?: PolicyLogin | undefined;
  /** Accounts with passwords. Without it there are none. */
  accounts?: PolicyAccounts | undefined;
  /** What is counted and looked at, and who is told. Without it nothing is. */
  watch?: PolicyWatch | undefined;
}

/** Where admitted requests go. Exactly one of `url` and `service`. */
export interface PolicyUpstream {
  /** Its URL, http or https, without query. */
  url?: string | undefined;
  /** The name of a service binding. */
  service?: string | undefined;
  /** What is taken off the front of the path. Only on a route whose path begins with it. */
  strip_prefix?: string | undefined;
  /** What is put in front of the path. */
  add_prefix?: string | undefined;
  /** How long it may take to the first byte of the answer, in milliseconds. Without it: as long as the platform lets it. */
  timeout_ms?: number | undefined;
  /** How often a request with a safe method is sent again if there was no connection. Default `0`. */
  retries?: number | undefined;
}

/** A header in which another proxy hands a token on: docs/callers.md. */
export interface PolicyCredentialHeader {
  /** The name of the header. */
  name: string;
  /** The issuers whose tokens are taken from it. */
  issuers: readonly string[];
  /** What it means beside a credential of the caller's own: `refuse`, two credentials; `ignore`, the caller's own decides. Default `"refuse"`. */
  beside?: 'refuse' | 'ignore' | undefined;
}

/** How other proxies ask about their requests: docs/forward-auth.md. */
export interface PolicyForwardAuth {
  /** The header in which the proxy says the caller's address. Without it: the policy's. */
  client_ip_header?: string | undefined;
  /** Which address of a list counts, from the right. Without it: the policy's. */
  trusted_hops?: number | undefined;
  /** The scheme and host by which callers know the API, which proofs of possession are about: `https://api.example.com`. */
  origin?: string | undefined;
}

/** How the gate's own pages look and speak: docs/pages.md. */
export interface PolicyPages {
  /** The name of the site or product, on top of each page and in its title. */
  title?: string | undefined;
  /** An image in the place of the name: a path of the gate's origin, or an https URL. Needs `title` beside it, which is read out. */
  logo?: string | undefined;
  /** The colour of what can be pressed. Where it would be hard to read, a lighter or darker shade is taken. */
  accent?: string | undefined;
  /** The language of `words`: a tag of BCP 47, such as `de` or `pt-BR`. Default `"en"`. */
  lang?: string | undefined;
  /** Other texts than the English ones, by their names. */
  words?: Record<string, string> | undefined;
  /** HTML around each page, with the places `{{title}}`, `{{content}}` and others. At most 32,768 bytes. */
  template?: string | undefined;
}

/** Which pages of other origins may read answers. */
export interface PolicyCors {
  /** The origins as browsers send them: `https://app.example.com`. `["*"]`: all, which `credentials` does not go with. */
  origins: readonly string[];
  /** Whether pages may send cookies. Default `false`. */
  credentials?: boolean | undefined;
  /** Headers of answers that pages may read beside the usual ones. */
  expose?: readonly string[] | undefined;
  /** How long a browser may keep the answer to a preflight. */
  max_age_secs?: number | undefined;
}

/** Strict-Transport-Security (RFC 6797). */
export interface PolicyHsts {
  /** How long a browser remembers it. Default `31536000`. */
  max_age_secs?: number | undefined;
  /** Whether it holds below this host. Default `true`. */
  include_subdomains?: boolean | undefined;
  /** Whether browsers may have it built in. Needs a year, and `include_subdomains`. Default `false`. */
  preload?: boolean | undefined;
}

/** Values of one's own for what browsers are told. */
export interface PolicySecurityHeaders {
  /** `Content-Security-Policy`, or `false` to leave it out. */
  content_security_policy?: string | false | undefined;
  /** `Cross-Origin-Opener-Policy`, or `false` to leave it out. Default `"same-origin"`. */
  cross_origin_opener_policy?: string | false | undefined;
  /** `Cross-Origin-Resource-Policy`, or `false` to leave it out. Default `"same-origin"`. */
  cross_origin_resource_policy?: string | false | undefined;
  /** `Origin-Agent-Cluster`, or `false` to leave it out. Default `"?1"`. */
  origin_agent_cluster?: string | false | undefined;
  /** `Referrer-Policy`, or `false` to leave it out. Default `"no-referrer"`. */
  referrer_policy?: string | false | undefined;
  /** `X-Content-Type-Options`, or `false` to leave it out. Default `"nosniff"`. */
  x_content_type_options?: string | false | undefined;
  /** `X-DNS-Prefetch-Control`, or `false` to leave it out. Default `"off"`. */
  x_dns_prefetch_control?: string | false | undefined;
  /** `X-Download-Options`, or `false` to leave it out. Default `"noopen"`. */
  x_download_options?: string | false | undefined;
  /** `X-Frame-Options`, or `false` to leave it out. Default `"SAMEORIGIN"`. */
  x_frame_options?: string | false | undefined;
  /** `X-Permitted-Cross-Domain-Policies`, or `false` to leave it out. Default `"none"`. */
  x_permitted_cross_domain_policies?: string | false | undefined;
  /** `X-XSS-Protection`, or `false` to leave it out. Default `"0"`. */
  x_xss_protection?: string | false | undefined;
}

/** Whose tokens are taken, by which keys and rules: docs/tokens.md. Exactly one of `secret`, `secrets`, `jwks`, `pem`, `jwks_uri` and `discovery`. */
export interface PolicyIssuer {
  /** `iss` of its tokens. Or a template with one placeholder: `https://login.microsoftonline.com/{tenantid}/v2.0`. */
  issuer: string;
  /** Which values the placeholder of a template has. */
  tenants?: readonly string[] | undefined;
  /** What its tokens have to be for: one of these. */
  audience: readonly string[];
  /** The claim that names the audience in place of `aud`. */
  audience_claim?: string | undefined;
  /** By which its tokens may be signed. Needed but for a secret, whose default is `HS256`. */
  algorithms?: readonly ('HS256' | 'HS384' | 'HS512' | 'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'ES512' | 'EdDSA' | 'Ed25519')[] | undefined;
  /** The name of the secret that signs them. */
  secret?: string | undefined;
  /** The same while it changes: each is tried. */
  secrets?: readonly string[] | undefined;
  /** How the secret is written. Without it: `text`. Default `"text"`. */
  encoding?: 'text' | 'base64' | 'base64url' | 'hex' | undefined;
  /** A JWK set. */
  jwks?: Record<string, unknown> | undefined;
  /** A public key or a certificate as PEM. */
  pem?: string | undefined;
  /** Where it publishes its keys: an https URL, or an http one on loopback. */
  jwks_uri?: string | undefined;
  /** Whether its own document says where that is. Default `false`. */
  discovery?: boolean | undefined;
  /** Whether `jwks_uri`, or an issuer with `discovery`, may be http on a host that is not on the public internet. Default `false`. */
  allow_http?: boolean | undefined;
  /** How far its clock may differ. Default `0`. */
  clock_tolerance_secs?: number | undefined;
  /** How old a token may be by `iat`, whatever `exp` says. Without it: any age. */
  max_token_age_secs?: number | undefined;
  /** How long ago a person may have signed in, by `auth_time`. Without it: nobody asks. */
  max_auth_age_secs?: number | undefined;
  /** Claims that have to be there. */
  required_claims?: readonly string[] | undefined;
  /** Claims with a certain value, or one of a list: `{ token_use = "access" }`. */
  claims?: Record<string, string | number | boolean | readonly (string | number | boolean)[]> | undefined;
  /** `typ` of the header. */
  typ?: string | undefined;
  /** The claim with the scopes. Without it: `scope`, or else `scp`. */
  scope_claim?: string | undefined;
  /** Several of these, put together. A dot leads into an object: `realm_access.roles`. */
  scope_claims?: readonly string[] | undefined;
  /** Scopes that a word in these claims gives beside itself: `{ editor = ["read:posts"] }`. */
  scope_map?: Record<string, readonly string[]> | undefined;
  /** Whether a token without `exp` is refused. Default `true`. */
  require_exp?: boolean | undefined;
  /** `access-token`: the rules of RFC 9068. */
  profile?: 'access-token' | undefined;
  /** Tokens bound to a key (RFC 9449): `off`, `optional` or `required`. Default `"optional"`. */
  dpop?: 'off' | 'optional' | 'required' | undefined;
}

/** What holds for the proofs of possession of all issuers. */
export interface PolicyDpop {
  /** `memory`: each isolate takes a proof once. `durable-object`, or `shared`: all together do. Default `"memory"`. */
  replays?: 'memory' | 'durable-object' | 'shared' | undefined;
}

/** A section that is a secret by name. */
export interface PolicyNamedSecret {
  /** The name of the secret. */
  secret: string;
}

/** API keys of the gate, and keys that were imported: docs/callers.md. */
export interface PolicyApiKeys {
  /** The header in which callers send keys. Default `"X-API-Key"`. */
  header?: string | undefined;
  /** What keys begin with. At least one is not imported. */
  prefixes: readonly PolicyPrefix[];
  /** The word between prefix and key: 1 to 16 lower-case letters and digits, a letter first. */
  environment: string;
  /** The secrets that keys are signed by. The one with the highest id signs, all verify. */
  signing_keys: readonly PolicyNumberedSecret[];
  /** Whether the record of a key is looked up: `required`, a key without one is refused; `optional`, it gets what its prefix says (needs `revocation`); `none`, only the signature decides. Default `"required"`. */
  records?: 'required' | 'optional' | 'none' | undefined;
  /** How long an isolate believes a record. Default `10`. */
  cache_secs?: number | undefined;
}

/** What the keys begin with, and what they may do. */
export interface PolicyPrefix {
  /** The prefix, without the underscore behind it. An imported one may be empty: for keys of any form, in the header of API keys alone. */
  prefix: string;
  /** The most that a key of this prefix may do. Without it: what its record says. */
  scopes?: readonly string[] | undefined;
  /** What a key may do that has no record. Only with `records = "optional"`. */
  scopes_without_record?: readonly string[] | undefined;
  /** `edgegate`: the gate's own. `imported`: keys of another system, known by their SHA-256. Default `"edgegate"`. */
  format?: 'edgegate' | 'imported' | undefined;
}

/** A secret with a number, so that it can be changed: the highest number is in use, the others are still known. */
export interface PolicyNumberedSecret {
  /** Its number. */
  id: number;
  /** The name of the secret. */
  secret: string;
}

/** How revocation is looked up: docs/revocation.md. */
export interface PolicyRevocation {
  /** Where the truth is: `entries`, one key of KV for each; `snapshot`, the ledger, by a filter that it publishes; `ledger`, it is asked for each request. Default `"entries"`. */
  mode?: 'entries' | 'snapshot' | 'ledger' | undefined;
  /** What a request gets if it cannot be asked: `deny` refuses it, `allow` lets it pass. Default `"deny"`. */
  on_error?: 'deny' | 'allow' | undefined;
  /** How long an isolate may believe an answer, misses included. Not used with `ledger`, which believes nothing but the ledger. Default `10`. */
  cache_secs?: number | undefined;
  /** How old a snapshot may be; beyond that, `on_error` decides. Not with `entries`. Default `120`. */
  max_staleness_secs?: number | undefined;
  /** How often an isolate looks for a newer snapshot. At most `max_staleness_secs`. Not with `entries`. Default `10`. */
  refresh_secs?: number | undefined;
}

/** How often something may happen: docs/limits.md. */
export interface PolicyLimit {
  /** Its name: routes, records of keys and answers name it. */
  name: string;
  /** What is counted together: `caller`, `subject`, `api_key`, `ip`, `issuer`, `route`, or a list of these. Default `"caller"`. */
  by?: 'caller' | 'subject' | 'api_key' | 'ip' | 'issuer' | 'route' | readonly ('caller' | 'subject' | 'api_key' | 'ip' | 'issuer' | 'route')[] | undefined;
  /** How many in a window. */
  requests: number;
  /** How long a window is. Either this or `window`. */
  window_secs?: number | undefined;
  /** A quota by the calendar, in UTC. Only with `fixed-window`. */
  window?: 'day' | 'month' | undefined;
  /** How it counts. Without it: `sliding-window`, and `fixed-window` with `window`. */
  algorithm?: 'fixed-window' | 'sliding-window' | 'token-bucket' | undefined;
  /** How many at once. Without it: `requests`. Only with `token-bucket`. */
  burst?: number | undefined;
  /** Where it counts: `memory`, each isolate for itself; `kv`, all together, late; `durable-object`, or `shared`, exactly; `binding`, a rate-limiting binding of the platform. Default `"durable-object"`. */
  store?: 'memory' | 'kv' | 'durable-object' | 'shared' | 'binding' | undefined;
  /** The name of the rate-limiting binding. Only with `store = "binding"`. */
  binding?: string | undefined;
  /** How much of a large limit an isolate may borrow. Only with `store = "durable-object"`. */
  lease?: PolicyLease | undefined;
  /** Who is not counted. */
  exempt?: PolicyExempt | undefined;
  /** What a request gets if the store does not answer: `deny` refuses it, `allow` lets it pass. Default `"deny"`. */
  on_error?: 'deny' | 'allow' | undefined;
}

/** How much of a limit may be lent: in a policy `lease = { requests = 50, secs = 10 }`. */
export interface PolicyLease {
  /** The most that is lent at once, including the cost of the request. */
  requests: number;
  /** The longest life of a lease. With a sliding window a lease may end sooner, with the twentieth of the window. Default `10`. */
  secs?: number | undefined;
}

/** Who is not counted. */
export interface PolicyExempt {
  /** Addresses and networks: `203.0.113.0/24`. */
  ips?: readonly string[] | undefined;
  /** Subjects of tokens. Where the policy has several issuers: with the issuer. */
  subjects?: readonly (string | PolicySubjectOfIssuer)[] | undefined;
  /** Ids of API keys, each 32 lower-case hexadecimal digits. A key that replaces one of them is exempt too. */
  api_keys?: readonly string[] | undefined;
}

/** A subject of one issuer. Two issuers may know different people by the same name. */
export interface PolicySubjectOfIssuer {
  /** The issuer. */
  issuer: string;
  /** The subject: `sub` of its tokens. */
  subject: string;
}

/** How many bad credentials are taken from an address. It is on by default: docs/limits.md. */
export interface PolicyFailedAuthentication {
  /** How many failures in a window. Default `5`. */
  requests?: number | undefined;
  /** How long a window is. Default `900`. */
  window_secs?: number | undefined;
  /** How long an address stays blocked then. Without it: until the window has room. */
  penalty_secs?: number | undefined;
  /** Whether there is this limit. Default `true`. */
  enabled?: boolean | undefined;
}

/** What is asked of a request, by its method and path: docs/routes.md. The first route that matches decides. */
export interface PolicyRoute {
  /** The path: `/v1/posts/{id}`, or `/v1/*` for all below. */
  path: string;
  /** The methods, in capitals. Without it: all. `GET` is `HEAD` too. */
  methods?: readonly string[] | undefined;
  /** `required`; `optional`, but a credential that is presented has to be good; `none`, nobody looks at it. Default `"required"`. */
  auth?: 'required' | 'optional' | 'none' | undefined;
  /** The kinds of credential. Without it: all that the policy has. */
  accept?: readonly ('jwt' | 'api_key')[] | undefined;
  /** Whose tokens are let through: some of `issuers` of the policy. API keys are not. Without it: all. */
  issuers?: readonly string[] | undefined;
  /** What tokens have to say: a value, a list of values, or a parameter of the path: `{ org_id = "{org}" }`. */
  claims?: Record<string, string | number | boolean | readonly (string | number | boolean)[]> | undefined;
  /** How long ago a person may have signed in, by `auth_time` of the token. Without it: nobody asks. */
  max_auth_age_secs?: number | undefined;
  /** The classes of sign-in of which one is needed, by `acr` of the token. */
  acr_values?: readonly string[] | undefined;
  /** What a caller has to be allowed. */
  scopes?: PolicyScopes | undefined;
  /** How revocations are looked up here, where the policy has `snapshot` or `ledger`. */
  revocation?: 'snapshot' | 'ledger' | undefined;
  /** What becomes of CORS preflights. Without it: what the policy says. */
  preflight?: 'answer' | 'pass' | 'refuse' | undefined;
  /** In place of the policy's. */
  cors?: PolicyCors | undefined;
  /** The networks that it is for. Others get 403. */
  ips?: readonly string[] | undefined;
  /** The names of the limits that count here. */
  limits?: readonly string[] | undefined;
  /** What a request takes from each limit. Default `1`. */
  cost?: number | undefined;
  /** Where admitted requests go, in place of the policy's. */
  upstream?: string | PolicyUpstream | undefined;
  /** What the gate answers itself; nobody is asked. */
  answer?: PolicyAnswer | undefined;
  /** The provider whose account the caller has connected: requests are made with it. docs/grants.md. */
  grant?: string | PolicyRouteGrant | undefined;
  /** How the service is told who is calling, in place of the policy's. */
  identity?: 'headers' | 'jwt' | undefined;
  /** The `aud` of the identity token, in place of the policy's. */
  identity_audience?: string | undefined;
}

/** What a caller has to be allowed. */
export interface PolicyScopes {
  /** Of these all are needed. */
  all?: readonly string[] | undefined;
  /** Of these one is needed. */
  any?: readonly string[] | undefined;
}

/** What the gate answers itself. */
export interface PolicyAnswer {
  /** 200 to 299, or 400 to 599. Default `200`. */
  status?: number | undefined;
  /** A text, or an object or a list, which is sent as JSON. */
  body?: string | Record<string, unknown> | readonly unknown[] | undefined;
}

/** By which account of the caller requests are made. */
export interface PolicyRouteGrant {
  /** The id of the provider in `login.providers`. */
  provider: string;
  /** The header in which `upstream`, a service of your own, gets the token. Without it `upstream` is the provider's API, and the token goes there as `Authorization: Bearer`. */
  header?: string | undefined;
  /** Headers of the caller that the provider gets beside the usual ones: `X-GitHub-Api-Version`. */
  pass_headers?: readonly string[] | undefined;
}

/** Who administers the gate: `secret`, which may do everything, or `secrets`, or both. */
export interface PolicyAdmin {
  /** The name of the secret that may do everything. Logs call its holder `admin`. */
  secret?: string | undefined;
  /** Secrets with a name and roles of their own. At most 50. They differ from one another, and from all others of the policy. */
  secrets?: readonly PolicyAdminSecret[] | undefined;
}

/** The secret of one administrator, or of one program. */
export interface PolicyAdminSecret {
  /** What logs call its holder: 1 to 64 letters, digits, `-`, `_` or `.`. */
  name: string;
  /** The name of the secret. */
  secret: string;
  /** What its holder may do. None includes another, but `all`. */
  roles: readonly ('read' | 'keys' | 'revoke' | 'sessions' | 'accounts' | 'all')[];
}

/** The gate's own sessions: docs/sessions.md. They need the section `revocation`. */
export interface PolicySessions {
  /** `iss` of the gate's own tokens: an https URL, or an http one on loopback. No issuer of the policy may have it. */
  issuer: string;
  /** What its tokens are for. */
  audience: readonly string[];
  /** The name of the secret that seals refresh tokens, tickets and the key ring. Either this or `secrets`. */
  secret?: string | undefined;
  /** The same while it changes: the highest number seals, all open. */
  secrets?: readonly PolicyNumberedSecret[] | undefined;
  /** What the gate signs by. Default `"ES256"`. */
  algorithm?: 'ES256' | 'EdDSA' | 'Ed25519' | 'RS256' | 'HS256' | undefined;
  /** The name of a secret with a JWK set of private keys. Without it the gate makes and changes its keys itself. */
  keys?: string | undefined;
  /** How long an access token lives. Default `900`. */
  access_secs?: number | undefined;
  /** How long a session lives that is not used. At least twice `access_secs`. Default `604800`. */
  idle_secs?: number | undefined;
  /** How long a session lives at most. Nothing moves it. At least `idle_secs`, at most 400 days. Default `2592000`. */
  absolute_secs?: number | undefined;
  /** How long after a login a person has to log in again: only then the provider's facts are looked at anew, and with them `allow` and `scopes`. At least `access_secs`. Default `86400`. */
  recheck_secs?: number | undefined;
  /** Whether browsers get their session in cookies. Otherwise it is in headers and bodies only. Default `false`. */
  cookies?: boolean | undefined;
  /** Which requests from other sites carry the cookies: `Lax`, those that follow a link; `Strict`, none. Only with `cookies`. Default `"Lax"`. */
  same_site?: 'Lax' | 'Strict' | undefined;
  /** How long before its end an access token in a cookie is renewed. At most half of `access_secs`. Only with `cookies`. Default `60`. */
  renew_before_secs?: number | undefined;
  /** Pages of other origins that may act for their visitors. Only with `cookies`. */
  origins?: readonly string[] | undefined;
  /** Programs that get tokens at `/token`. At most 100. */
  clients?: readonly PolicySessionClient[] | undefined;
}

/** A program that gets tokens of its own, or that refreshes those of its users, at `/token`. */
export interface PolicySessionClient {
  /** Its `client_id`: 1 to 64 letters, digits, `-`, `_` or `.`, and not `first-party`. */
  id: string;
  /** The name of its secret. Exactly one of `secret`, `secret_sha256` and `jwks_uri`. */
  secret?: string | undefined;
  /** The SHA-256 of its secret, which has 32 random bytes or more: 64 lower-case hexadecimal digits. */
  secret_sha256?: string | undefined;
  /** Where it publishes the keys by which it signs assertions (`private_key_jwt`). */
  jwks_uri?: string | undefined;
  /** Whether `jwks_uri` may be http on a host that is not on the public internet. Default `false`. */
  allow_http?: boolean | undefined;
  /** What it may ask for at `/token`. */
  grants: readonly ('refresh_token' | 'client_credentials')[];
  /** The scopes of its own tokens. Only with `client_credentials`. */
  scopes?: readonly string[] | undefined;
  /** When a refresh token that is presented again means theft: `confirmed`, once its successor was seen in use; `grace`, after `grace_secs`; `many`, never. Default `"confirmed"`. */
  reuse?: 'confirmed' | 'grace' | 'many' | undefined;
  /** For how long a refresh token may be presented again. Required with `reuse = "grace"`, and only there. */
  grace_secs?: number | undefined;
  /** Whether it may ask about tokens of others at `/introspect`. Default `false`. */
  introspect?: boolean | undefined;
}

/** Logins with others: docs/login.md. They need `sessions` with `cookies`, and `origin` wherever the gate is not on loopback. */
export interface PolicyLogin {
  /** With whom people log in, in the order of the buttons. At most 20. */
  providers: readonly PolicyProvider[];
  /** Other origins that a browser may be sent back to after a login: `https://app.example.com`. */
  return_to?: readonly string[] | undefined;
}

/** Somebody who says who people are. */
export interface PolicyProvider {
  /** Its name in paths and in subjects: `{id}|{account}`. 1 to 64 letters, digits, `-`, `_` or `.`, and neither `client` nor `account`. */
  id: string;
  /** What kind it is. Any issuer of OpenID Connect is `oidc`. */
  type: 'google' | 'github' | 'slack' | 'slack-bot' | 'microsoft' | 'apple' | 'gitlab' | 'discord' | 'auth0' | 'okta' | 'keycloak' | 'cognito' | 'oidc';
  /** What its button says. Without it: what people know the provider as. */
  title?: string | undefined;
  /** The client's name there. */
  client_id: string;
  /** The name of the secret that the provider knows too. All but `apple` have one. */
  client_secret?: string | undefined;
  /** Whose key it is. Only with `apple`. */
  team_id?: string | undefined;
  /** Which key. Only with `apple`. */
  key_id?: string | undefined;
  /** The name of the secret with the private key, as PEM. Only with `apple`. */
  private_key?: string | undefined;
  /** The URL by which its tokens name it. Required with `oidc`, `keycloak` and `cognito`; `gitlab` may have one of one's own. */
  issuer?: string | undefined;
  /** The domain at `auth0` or `okta`, which may go on with the path of an authorization server. */
  domain?: string | undefined;
  /** The tenant at `microsoft`: its id, or `organizations`, `common` or `consumers`. */
  tenant?: string | undefined;
  /** Where it is asked, of a provider without a document of its own; on loopback only. */
  endpoints?: PolicyProviderEndpoints | undefined;
  /** Whether it may be asked over http, on a host that is not on the public internet. Default `false`. */
  allow_http?: boolean | undefined;
  /** How the secret is sent: `basic`, in a header; `post`, in the form. Without it: as the provider wants it. */
  authentication?: 'basic' | 'post' | undefined;
  /** The scopes that it is asked for. Without it: those that say who it is. */
  request_scopes?: readonly string[] | undefined;
  /** The claim with the groups, if it has another name than usual: `realm_access.roles` is a place inside. */
  groups_claim?: string | undefined;
  /** Who may log in. Without it: everybody whom the provider knows. */
  allow?: PolicyAllow | undefined;
  /** What they may do. */
  scopes?: PolicyScopesByFact | undefined;
  /** Whether it is for connected accounts alone, and nobody logs in with it. Default `false`. */
  connect_only?: boolean | undefined;
}

/** Where a provider is asked that has no document of its own. */
export interface PolicyProviderEndpoints {
  /** Where browsers are sent. */
  authorization: string;
  /** Where codes become tokens. */
  token: string;
  /** Where it says who has logged in. */
  userinfo?: string | undefined;
  /** Where tokens are revoked. */
  revocation?: string | undefined;
}

/** Who may log in: whoever is on each list that is there. */
export interface PolicyAllow {
  /** Domains of e-mail addresses that the provider vouches for. `example.com` is not `mail.example.com`. */
  email_domains?: readonly string[] | undefined;
  /** Tenants, workspaces or hosted domains. */
  tenants?: readonly string[] | undefined;
  /** Groups or roles. */
  groups?: readonly string[] | undefined;
  /** Organisations at GitHub, servers at Discord (by their number). */
  organizations?: readonly string[] | undefined;
  /** Teams at GitHub: `organization/team`. */
  teams?: readonly string[] | undefined;
  /** The provider's own names for accounts. */
  subjects?: readonly string[] | undefined;
}

/** Which scopes a person has: all together that fit. */
export interface PolicyScopesByFact {
  /** Everybody's. */
  default?: readonly string[] | undefined;
  /** By the domain of an e-mail address that the provider vouches for: `{ "example.com" = ["read:posts"] }`. */
  email_domains?: Record<string, readonly string[]> | undefined;
  /** By tenant, workspace or hosted domain. */
  tenants?: Record<string, readonly string[]> | undefined;
  /** By group or role. */
  groups?: Record<string, readonly string[]> | undefined;
  /** By organisation. */
  organizations?: Record<string, readonly string[]> | undefined;
  /** By team, `organization/team`. */
  teams?: Record<string, readonly string[]> | undefined;
  /** By the provider's own name for the account. */
  subjects?: Record<string, readonly string[]> | undefined;
}

/** Accounts with passwords: docs/accounts.md. They need `sessions`. */
export interface PolicyAccounts {
  /** The secrets of which peppers are made. The one with the highest id is for new passwords. The one with the lowest also names the rows: without it no account is found, so it stays for as long as there are accounts. */
  secrets: readonly PolicyNumberedSecret[];
  /** Who may make an account: `closed`, an administrator alone; `invitation`, also whoever was invited; `open`, whoever reads the mail of the address. The last two need `mail`. Default `"closed"`. */
  registration?: 'closed' | 'invitation' | 'open' | undefined;
  /** How many wrong passwords are compared in a window, for each name and for each address. Default `5`. */
  attempts?: number | undefined;
  /** How long a window is. Default `900`. */
  window_secs?: number | undefined;
  /** The scopes of every account, beside its own. */
  scopes?: readonly string[] | undefined;
  /** The fewest characters of a password at login: fewer are refused before anybody is asked. New passwords have 8 at least, whatever this says; less is for accounts that were imported. Default `8`. */
  shortest_password?: number | undefined;
  /** Whether accounts have second factors: `optional`, who has set one up is asked for it; `required`, everybody sets one up at the next login; `off`, nobody can set one up, and who has one is still asked for it. docs/second-factors.md. Default `"optional"`. */
  mfa?: 'off' | 'optional' | 'required' | undefined;
  /** A hash of each kind that accounts were imported with. Each login costs one hash of each of them, so that no time shows who was imported. At most 4. */
  imports?: readonly string[] | undefined;
  /** Whether people log in, register and set passwords at pages of the gate's own: docs/pages.md. They need `sessions.cookies`. Default `false`. */
  pages?: boolean | undefined;
  /** Which list new passwords may not be on, beside the one that comes along: `kv` is one in the key-value store, made by `npx edgegate passwords build`. Default `"shipped"`. */
  password_list?: 'shipped' | 'kv' | undefined;
  /** Words that make a password easy to guess here, such as the name of the product and of the company: nobody's new password is one of them with fewer than four other characters. Each has 4 to 64 characters; large letters are small ones. At most 32. */
  password_words?: readonly string[] | undefined;
  /** What a hash of a password costs (argon2id). */
  hash?: PolicyPasswordHashCost | undefined;
  /** What hashes cost before `hash` was changed. Each login computes one of each of them too, so that no time shows who has not logged in since. At most 2. */
  earlier_hashes?: readonly PolicyPasswordHashCost[] | undefined;
  /** Whether people log in by a link that comes by mail, in place of the password: docs/account-mail.md. It needs `mail`. Default `false`. */
  magic_link?: boolean | undefined;
  /** Who sends mails: docs/account-mail.md. Without it nobody can ask for a link. */
  mail?: PolicyAccountMail | undefined;
  /** Passkeys as a way in: docs/passkeys.md. `{}` is enough. Needs `origin` at the top of the policy. */
  passkeys?: PolicyPasskeys | undefined;
}

/** What a hash of a password costs. Less than `memory_kib · iterations = 35840` is refused. */
export interface PolicyPasswordHashCost {
  /** Its memory. An isolate has 128 MiB. Default `19456`. */
  memory_kib?: number | undefined;
  /** How often the memory is gone through. Default `2`. */
  iterations?: number | undefined;
}

/** Who sends mails for the gate. It needs `origin`, of which links are made. */
export interface PolicyAccountMail {
  /** How they are handed over: `webhook`, a request that is signed as Standard Webhooks are; `queue`, a Queue of Cloudflare's; `service`, another Worker; `function`, the option `mail` of `createGate`, in the npm package alone. */
  kind: 'webhook' | 'queue' | 'service' | 'function';
  /** Where a webhook is: https, or http on loopback. */
  url?: string | undefined;
  /** The name of the secret that signs a webhook. */
  secret?: string | undefined;
  /** The name of the binding, for `queue` and `service`. */
  binding?: string | undefined;
  /** From whom mails are: the message says it as it stands here. */
  from?: string | undefined;
  /** The pages that links open, where they are none of the gate's own. */
  links?: PolicyAccountLinks | undefined;
}

/** Pages that links in mails open: of `origin`, or of one of `sessions.origins`. Each gets its token behind `#token=`, where no log sees it. */
export interface PolicyAccountLinks {
  /** Where a new password is set, for `POST /reset/confirm`. By default `/reset/confirm` below the prefix. */
  reset?: string | undefined;
  /** Where a registration is confirmed, for `POST /verify-email`. By default `/verify-email` below the prefix. */
  verify_email?: string | undefined;
  /** Where who is invited sets a password, for `POST /register`. By default `/register` below the prefix. */
  invitation?: string | undefined;
  /** Where somebody logs in, for `POST /magic-link/confirm`. By default `/magic-link/confirm` below the prefix. */
  magic_link?: string | undefined;
}

/** Whose passkeys they are, as browsers show and bind them. */
export interface PolicyPasskeys {
  /** The domain: the host of `origin`, or one above it. Without it: that host. With another one nobody's passkey works any more. */
  rp_id?: string | undefined;
  /** What authenticators call the service. Without it: the domain. */
  rp_name?: string | undefined;
}

/** What is counted and looked at, and who is told: docs/watch.md. Needs `secret`, or `admin.secret`. */
export interface PolicyWatch {
  /** The name of the secret of which the pseudonyms of callers are made. Without it: the administrator's. */
  secret?: string | undefined;
  /** The name of a secret that may read `/metrics` and nothing else. Administrators with the role `read` may too. */
  metrics_secret?: string | undefined;
  /** Countries from which callers are expected, two letters each. Without it: those of the week before. */
  countries?: readonly string[] | undefined;
  /** Rules of one's own, and changes of those that are on by default. At most 50. */
  rules?: readonly PolicyWatchRule[] | undefined;
  /** Who is told. At most 10. */
  sinks?: readonly PolicyWatchSink[] | undefined;
  /** What administration did, as a chain: docs/audit.md. `required`, nothing is done of which no entry can be written; `best-effort`, it is done all the same; `off`, nothing is written. Default `"required"`. */
  audit?: 'required' | 'best-effort' | 'off' | undefined;
  /** How many days entries of the audit are kept. 400 by default. Default `400`. */
  audit_days?: number | undefined;
  /** A policy that may come is judged beside this one, by the Worker: docs/shadow.md. It is the variable `POLICY_SHADOW`. */
  shadow?: PolicyWatchShadow | undefined;
}

/** A rule. One with the name of a rule that is on by default changes what it says of it. */
export interface PolicyWatchRule {
  /** Its name: 1 to 64 letters, digits, `-`, `_` or `.`. */
  name: string;
  /** What it measures: `count`, how many; `rate`, how many a minute; `ratio`, how many percent of all that presented a credential; `networks`, from how many networks credentials failed; `absence`, that there are none; `travel`, that somebody was at two places sooner than one can travel. */
  kind?: 'count' | 'rate' | 'ratio' | 'networks' | 'absence' | 'travel' | undefined;
  /** Which decisions: `failures`, credentials that were bad; `refused`; `admitted`; `presented`, all with a credential. */
  of?: 'failures' | 'refused' | 'admitted' | 'presented' | undefined;
  /** Refusals with one of these codes, in place of `of`. */
  codes?: readonly string[] | undefined;
  /** Beyond this it fires. Of `networks` at most 256, or 200 over more than 900 seconds: no more are kept apart. Of `travel`, kilometres an hour, 805 by default. */
  above?: number | undefined;
  /** How many there have to be before a ratio counts. 100 by default. */
  at_least?: number | undefined;
  /** Over which time. 300 by default. Of an absence at most 75,600: counts are kept for eight times that. */
  window_secs?: number | undefined;
  /** What it looks at apart. */
  group?: 'none' | 'route' | 'issuer' | 'code' | 'network' | undefined;
  /** How long it has to hold before it is told. 0 by default. */
  for_secs?: number | undefined;
  /** How long it must not hold before it is over. 300 by default. */
  resolve_secs?: number | undefined;
  /** How long it is not told again. 900 by default. */
  cool_down_secs?: number | undefined;
  /** Whether a rule that is on by default is not. Default `false`. */
  off?: boolean | undefined;
}

/** Who is told of alerts. */
export interface PolicyWatchSink {
  /** Its name: 1 to 64 letters, digits, `-`, `_` or `.`. */
  name: string;
  /** What it understands: `webhook`, Standard Webhooks; `slack`; `otlp`, OpenTelemetry; `datadog`; `sentry`; `queue`, a Queue of Cloudflare. */
  kind: 'webhook' | 'slack' | 'otlp' | 'datadog' | 'sentry' | 'queue';
  /** Where it is: https, or http on loopback. Of `sentry` its DSN. Either this or `url_secret`; a queue has none. */
  url?: string | undefined;
  /** The name of a secret that holds the URL, such as one of Slack's. */
  url_secret?: string | undefined;
  /** The name of the secret that signs webhooks, is the API key of Datadog, or the `Authorization` for OpenTelemetry. */
  secret?: string | undefined;
  /** The name of the binding of a Queue, for `queue` alone. */
  binding?: string | undefined;
}

/** How a policy that may come is judged beside this one. It never changes an answer. */
export interface PolicyWatchShadow {
  /** How many percent of the requests are judged by both. 100 by default. Default `100`. */
  sample?: number | undefined;
}

/** In place of a policy in the variable: it is in KV, under `policy/v1`. */
export interface PolicyInStore {
  /** The store. */
  source: 'kv';
  /** How often it is read again. Default `30`. */
  reload_secs?: number | undefined;
}
