// Made from the Rust library by `cargo xtask package` (crates/describe). Not edited by hand.
//
// A client for the administration of a gate over HTTP. It needs `fetch`, and nothing else of the package.

export interface AdminClientOptions {
  /** Where the gate is: `https://api.example.com`. A path is that of its endpoints: `/auth` without one. */
  url: string | URL;
  /** The administrator's secret. It is sent to this URL only; no redirect is followed. */
  token: string;
  /** In place of the runtime's own. */
  fetch?: ((input: string, init: RequestInit) => Promise<Response>) | undefined;
  /** How long an answer may take, in milliseconds. Default 30,000. */
  timeoutMs?: number | undefined;
}

/** A refusal, or an answer that is not the gate's. */
export class AdminError extends Error {
  /** `UNEXPECTED_ANSWER` if it is not one of the gate. */
  readonly code: Code | 'UNEXPECTED_ANSWER';
  readonly status: number;
  /** What to do about it. */
  readonly hint: string | undefined;
  /** Seconds after which asking again makes sense. */
  readonly retryAfter: number | undefined;
}

/** Bodies and answers are those of HTTP, so their fields are snake_case. */
export interface AdminClient {
  /** Whether the gate is set up, and its stores answer. */
  getHealth(): Promise<Health>;
  /** What the gate would say to a request, and why, without doing it: docs/explain.md. No header comes back. */
  explain(body: ExplainRequest): Promise<Explanation>;
  /** What happened in a window, and what is wrong: docs/watch.md. */
  watch(query?: { window?: string | undefined }): Promise<WatchReport>;
  /** What administration did, as a chain, from the oldest on: docs/audit.md. */
  listAudit(query?: { after?: number | undefined; limit?: number | undefined }): Promise<Audit>;
  /** API keys, a page at a time. */
  listKeys(query?: { owner?: string | undefined; cursor?: string | null | undefined; limit?: number | undefined }): Promise<Keys>;
  /** A new API key. `key` is in this answer only, and stored nowhere. */
  createKey(body: NewKey): Promise<Key>;
  /** One API key. */
  getKey(id: string): Promise<Key>;
  /** Changes an API key. */
  changeKey(id: string, body: KeyChange): Promise<Key>;
  /** Revokes an API key, for good. */
  revokeKey(id: string): Promise<Key>;
  /** A new key in place of this one, which lives on for a while. */
  rotateKey(id: string, body?: Rotate): Promise<Key>;
  /** What is revoked, a page at a time. */
  listRevocations(query?: { cursor?: string | null | undefined; limit?: number | undefined }): Promise<Revocations>;
  /** Revokes: docs/revocation.md. Many at once are a line each (`application/x-ndjson`). */
  revoke(body: NewRevocation | string, query?: { idempotencyKey?: string | undefined }): Promise<Revocation | Revoked>;
  /** All that is revoked, a line each, as `POST` takes it back. */
  exportRevocations(): Promise<Response>;
  /** One revocation. */
  getRevocation(id: string): Promise<Revocation>;
  /** Takes a revocation back. */
  undoRevocation(id: string): Promise<undefined>;
  /** The sessions of a subject. */
  listSessions(query: { subject: string }): Promise<Sessions>;
  /** Opens a session, or with `ticket` leaves a ticket for one in cookies: docs/sessions.md. */
  openSession(body: OpenSession): Promise<OpenedSession | Ticket>;
  /** Ends all sessions of a subject. */
  endSessions(query: { subject: string }): Promise<Ended>;
  /** Takes scopes from a session. */
  narrowSession(id: string, body: NarrowSession): Promise<Done>;
  /** Ends one session of a subject. */
  endSession(id: string, query: { subject: string }): Promise<Ended>;
  /** Ends all of a subject and forgets it. */
  forgetSubject(query: { subject: string }): Promise<Done>;
  /** Refuses a subject from now on, and ends its sessions. */
  disableSubject(body: Subject): Promise<Done>;
  /** Takes a disabled subject again. */
  enableSubject(body: Subject): Promise<Done>;
  /** The accounts at providers that a subject has connected. No token is shown. */
  listGrants(query: { subject: string }): Promise<Grants>;
  /** Ends them: all, those at a provider, or one. */
  endGrants(query: { subject: string }): Promise<EndedGrants>;
  /** The account with an address: docs/accounts.md. */
  findAccount(body: FindAccount): Promise<Account>;
  /** A new account, with a password or with a hash of one. */
  createAccount(body: NewAccount): Promise<Account>;
  /** A link to register, by mail; an account that waits for its owner. docs/account-mail.md. */
  inviteAccount(body: Invitation): Promise<Account>;
  /** Makes the objects of names before anybody guesses, some of them: docs/accounts.md. */
  prepareAccounts(body: PrepareAccounts): Promise<PreparedAccounts>;
  /** One account. */
  getAccount(id: string): Promise<Account>;
  /** Changes an account, and ends all its sessions. */
  changeAccount(id: string, body: AccountChange): Promise<Account>;
  /** Forgets an account, and ends all its sessions. */
  deleteAccount(id: string): Promise<Done>;
}

export function createAdminClient(options: AdminClientOptions): AdminClient;

export interface Health {
  bindings: Record<string, 'ok' | 'failing' | 'missing' | 'unused' | 'unasked'>;
  /** Where the policy is in KV. */
  policy?: Record<string, unknown> | undefined;
  /** The snapshot of revocations that this isolate holds. */
  snapshot?: Record<string, unknown> | undefined;
  status: 'ok' | 'degraded' | 'misconfigured';
  version: string;
}

/** A request that is asked about. What is in its headers is in no answer and no log. */
export interface ExplainRequest {
  /** The headers: the credential, and the one with the caller's address (`client_ip_header` of the policy). */
  headers?: Record<string, string> | undefined;
  /** The method, in capitals. */
  method: string;
  /** The path, with its query if it matters. It begins with `/`. */
  path: string;
}

/** What the gate would say to a request, and by which steps. */
export interface Explanation {
  outcome: { code: string | null; reason: string | null; status: number };
  /** The route by its place in the policy: `routes[1]`. Null: none matches, or it was refused before. */
  route: string | null;
  /** In the order in which the gate takes them. */
  steps: readonly ({ detail?: string | undefined; policy_path?: string | undefined; step: 'https' | 'route' | 'preflight' | 'addresses' | 'credential' | 'proof' | 'revocation' | 'scopes' | 'claims' | 'limits'; verdict: 'passed' | 'refused' | 'skipped' | 'would_be_asked' | 'not_reached' })[];
}

/** What happened in a window, and what is wrong. */
export interface WatchReport {
  /** Logins to accounts and changes of them, the most first; left out where there were none. */
  accounts?: readonly ({ action: string; methods?: string | undefined; n: number })[] | undefined;
  alerts: readonly ({ cause?: 'refresh_broken' | 'clock_skew' | 'lifetime_too_short' | undefined; group?: string | undefined; rule: string; since: number | null; state: 'ok' | 'pending' | 'firing' | 'resolving'; threshold: number; value: number })[];
  /** Refusals by code. */
  codes: Record<string, number>;
  /** How old the newest count is; `null`: there is none. */
  data_age_secs: number | null;
  decisions: { admitted: number; refused: number };
  /** Samples and events that were too many or that no sink has taken, since the beginning. */
  dropped: number;
  /** The last samples, newest first. */
  events: readonly (Event)[];
  from: Time;
  /** Isolates that were heard of in the last 20 minutes. */
  isolates: number;
  /** Expired tokens by how late they were: `seconds` up to 5, `minutes` up to an hour, `hours` beyond. */
  lateness: Record<string, number>;
  /** Decisions since the beginning of which nobody knows whether they are counted. */
  lost: number;
  networks: readonly ({ failures: number; network: string })[];
  /** Refusals by reason. */
  reasons: Record<string, number>;
  /** Refusals by code and reason, the most first. */
  refusals: readonly ({ code: string; n: number; reason?: string | undefined })[];
  routes: readonly ({ admitted: number; refused: number; route: string })[];
  /** What a policy that may come says beside the one in force; left out where nothing was compared. */
  shadow?: { differences: readonly ({ from: string; n: number; route: string; to: string })[]; different: number; not_judged: number; same: number } | undefined;
  /** How long a point of the line stands for. */
  step_secs: number;
  timeline: readonly ({ admitted: number; from: Time; refused: number })[];
  to: Time;
  /** Events that wait for a sink. */
  waiting: number;
  window_secs: number;
}

/** A page of the audit. */
export interface Audit {
  entries: readonly (AuditEntry)[];
  /** Whether there are more behind the last of these. */
  more: boolean;
}

export interface Keys {
  cursor: Cursor;
  keys: readonly (Key)[];
}

/** A new key, or with `imported_sha256` one of another system. */
export interface NewKey {
  /** Its lifetime. Without it the key does not expire. */
  expires_in_secs?: number | null | undefined;
  /** The SHA-256 of a key of another system: 64 lower-case hexadecimal digits. Not beside `prefix`. */
  imported_sha256?: string | null | undefined;
  /** The networks that it may be used from. */
  ips?: readonly string[] | null | undefined;
  /** Requests per window by the name of a limit, in place of the policy's. */
  limits?: Record<string, number> | null | undefined;
  /** What people call it. 1 to 200 characters. */
  name: string;
  /** Whom it belongs to. 1 to 200 characters. */
  owner: string;
  /** Its prefix. Without it: the policy's first. */
  prefix?: string | null | undefined;
  /** What it may do. */
  scopes: readonly (string)[];
}

/** An API key, as it is stored. */
export interface Key {
  created_at: Time;
  disabled: boolean;
  expires_at?: Time | undefined;
  family?: KeyId | undefined;
  id: KeyId;
  imported_sha256?: string | undefined;
  /** The networks that it may be used from. */
  ips?: readonly (string)[] | undefined;
  /** The key itself: only in the answer that creates it. */
  key?: string | undefined;
  last_used_at?: Time | undefined;
  lifetime_secs?: number | undefined;
  /** Requests per window by the name of a limit. */
  limits?: Record<string, number> | undefined;
  name: string;
  owner: string;
  /** Absent for a key of another system. */
  prefix?: string | undefined;
  replaced_by?: KeyId | undefined;
  replaces?: KeyId | undefined;
  revoked_at?: Time | undefined;
  scopes: readonly (string)[];
  sealed_expires_at?: Time | undefined;
  /** The version of the stored form. */
  v: number;
}

/** What to change: at least one field. What is left out stays; `null` removes `limits`, `ips` or `expires_in_secs`. */
export interface KeyChange {
  /** Whether the key is refused for the time being. */
  disabled?: boolean | undefined;
  /** Its lifetime. Without it the key does not expire. */
  expires_in_secs?: number | null | undefined;
  /** The networks that it may be used from. */
  ips?: readonly string[] | null | undefined;
  /** Requests per window by the name of a limit, in place of the policy's. */
  limits?: Record<string, number> | null | undefined;
  /** What people call it. 1 to 200 characters. */
  name?: string | undefined;
  /** Whom it belongs to. 1 to 200 characters. */
  owner?: string | undefined;
  /** What it may do. */
  scopes?: readonly (string)[] | undefined;
}

/** How to rotate a key. */
export interface Rotate {
  /** How long the old key lives on. */
  overlap_secs?: number | undefined;
}

export interface Revocations {
  cursor: Cursor;
  revocations: readonly (Revocation)[];
}

/** What to revoke: exactly one of `token`, `jti`, `sub`, `sid`, `kid`, `key_id` and `all`, with `iss` for all but `token` and `key_id`. */
export interface NewRevocation {
  /** `true`: all tokens of the issuer. */
  all?: boolean | null | undefined;
  /** Only those issued before this time; by default now. With `sub` or `all` only. */
  before?: number | null | undefined;
  /** When that token expires. With `jti` only. */
  exp?: number | null | undefined;
  /** For how long. By default until the tokens have expired. */
  expires_in_secs?: number | null | undefined;
  /** The issuer. */
  iss?: string | null | undefined;
  /** One token of it. */
  jti?: string | null | undefined;
  /** An API key. */
  key_id?: string | null | undefined;
  /** All tokens signed by this key. */
  kid?: string | null | undefined;
  /** For people: at most 200 characters. */
  reason?: string | null | undefined;
  /** All tokens of a session. */
  sid?: string | null | undefined;
  /** All tokens of a subject. */
  sub?: string | null | undefined;
  /** A token, which is verified first. */
  token?: string | null | undefined;
  /** `true`: the issuer has no such key any more. With `kid` only. */
  withdrawn?: boolean | null | undefined;
}

/** A revocation, as it is stored. */
export interface Revocation {
  before?: Time | undefined;
  created_at: Time;
  id: RevocationId;
  reason?: string | undefined;
  target: { id?: KeyId | undefined; iss?: string | undefined; jti?: string | undefined; kid?: string | undefined; kind: 'token' | 'subject' | 'session' | 'api_key' | 'issuer' | 'signing_key'; sid?: string | undefined; sub?: string | undefined };
  until?: Time | undefined;
  v: number;
}

/** What became of many. */
export interface Revoked {
  /** Over already, so not written. */
  expired: number;
  /** Written, or made stronger. */
  revoked: number;
  /** In force already. */
  unchanged: number;
}

export interface Sessions {
  sessions: readonly ({ client?: string | undefined; created_at: Time; current: boolean; device: { agent?: string | undefined; country?: string | undefined; network?: string | undefined }; expires_at: Time; id: string; label?: string | undefined; last_seen_at: Time; scopes: readonly (string)[] })[];
}

/** Whose session, and what it may do. The one who asks has found out who it is. */
export interface OpenSession {
  /** How well. */
  acr?: string | null | undefined;
  /** How the person has proven it (RFC 8176). */
  amr?: readonly (string)[] | undefined;
  /** What its tokens are for: some of the policy's. Without it: all. */
  audience?: readonly (string)[] | undefined;
  /** When. */
  auth_time?: number | null | undefined;
  /** More claims of its access tokens. */
  claims?: Record<string, unknown> | null | undefined;
  /** The client that refreshes it. */
  client_id?: string | null | undefined;
  /** The thumbprint of the key that it is bound to (RFC 9449). */
  dpop_jkt?: string | null | undefined;
  /** `true`: `subject` may be that of an account (`account|…`). */
  existing?: boolean | undefined;
  /** Its name for people. */
  label?: string | null | undefined;
  /** Whether the cookies outlast the browser. */
  remember?: boolean | undefined;
  /** What its tokens may do. */
  scopes?: readonly (string)[] | undefined;
  /** Who: 1 to 255 bytes. */
  subject: string;
  /** `true`: a ticket for cookies, in place of tokens. */
  ticket?: boolean | undefined;
}

export interface OpenedSession {
  access_token: string;
  expires_in: number;
  recovery_codes?: RecoveryCodeList | undefined;
  refresh_expires_in: number;
  refresh_token: string;
  session_id: string;
  token_type: 'Bearer' | 'DPoP';
}

export interface Ticket {
  expires_in: number;
  /** For `POST /session/start`, once. */
  ticket: string;
}

export interface Ended {
  /** How many sessions. */
  ended: number;
  /** With 202: they have ended, and isolates that still know the tokens learn it within the bound of docs/sessions.md. */
  pending?: true | undefined;
  /** Where the session at the provider ends, of one that came of a login. */
  provider_logout_url?: string | undefined;
}

/** What the session may still do, from its next refresh on. */
export interface NarrowSession {
  /** What is left: some of what it has. */
  scopes: readonly (string)[];
  /** Whose it is. */
  subject: string;
}

export interface Done {
  /** With 202: it is done, and not yet known everywhere. */
  pending?: true | undefined;
}

/** A subject. */
export interface Subject {
  /** Who: 1 to 255 bytes. */
  subject: string;
}

export interface Grants {
  grants: readonly ({ account: string; connected_at: Time; expires_at?: Time | undefined; given_at: Time; label?: string | undefined; lost?: number | undefined; provider: string; reconnect?: 'ended' | 'ended_after_loss' | 'expired' | undefined; refreshable: boolean; scopes: readonly (string)[] })[];
}

export interface EndedGrants {
  ended: number;
}

/** Whose account. */
export interface FindAccount {
  /** The address. */
  email: string;
}

/** An account. Its address is not kept. */
export interface Account {
  created_at: Time;
  disabled: boolean;
  /** What it is asked for beside its password. */
  factors: { passkeys: number; recovery_codes_left: number; totp: boolean };
  id: string;
  /** Whether its password is still hashed as somebody else did. */
  imported: boolean;
  /** It was invited, and has no password yet. */
  invited?: true | undefined;
  /** Whether the address is known to be its owner's. */
  is_verified: boolean;
  /** With 202: it is done, and not yet known everywhere that its sessions have ended. */
  pending?: true | undefined;
  scopes: readonly (string)[];
  /** The subject of its sessions: `account|{id}`. */
  subject: string;
}

/** An account. */
export interface NewAccount {
  /** Its address. */
  email: string;
  /** Its password. Either this or `password_hash`. */
  password?: string | null | undefined;
  /** A hash of its password, of a form of docs/accounts.md, and of a kind in `accounts.imports`. */
  password_hash?: string | null | undefined;
  /** The scopes of its sessions, beside those of all accounts. */
  scopes?: readonly (string)[] | undefined;
  /** Whether the address is known to be its owner's. */
  verified?: boolean | undefined;
}

/** Who is invited. */
export interface Invitation {
  /** The address. */
  email: string;
  /** The scopes of the account's sessions, beside those of all accounts. */
  scopes?: readonly (string)[] | undefined;
}

/** Which of the objects that keep names are made. */
export interface PrepareAccounts {
  /** The first one: `next` of the answer before. */
  from?: number | undefined;
}

/** How many of the objects of names are there. */
export interface PreparedAccounts {
  /** Where to go on. Null: that was the last one. */
  next: number | null;
  /** How many there are. */
  of: number;
  /** How many this request has made, or has found. */
  prepared: number;
}

/** What changes. All sessions of the account end. */
export interface AccountChange {
  /** Whether nobody may log in to it. */
  disabled?: boolean | null | undefined;
  /** `true`: its authenticator, recovery codes and passkeys are taken out. */
  drop_factors?: boolean | undefined;
  /** Its new password. Either this or `password_hash`. */
  password?: string | null | undefined;
  /** A hash of it. */
  password_hash?: string | null | undefined;
  /** `true`: nobody logs in until its owner has set a new password by a link. Needs `accounts.mail`. */
  require_reset?: boolean | undefined;
  /** Its new scopes. */
  scopes?: readonly string[] | null | undefined;
}

/** MISSING_CREDENTIALS: 401, Authentication required. Send a token as 'Authorization: Bearer <token>' or an API key as 'X-API-Key: <key>'. LOGIN_REQUIRED: 401, Login required. Log in, or send a token or an API key. INVALID_TOKEN: 401, Invalid token. Get a new token from the issuer and send it unchanged. TOKEN_EXPIRED: 401, Token expired. Get a new token or refresh the session. TOKEN_NOT_YET_VALID: 401, Token not yet valid. Check the clock of the system that issued the token. TOKEN_REVOKED: 401, Token revoked. Sign in again. STEP_UP_REQUIRED: 401, More recent sign-in required. Sign in again; a refreshed token of the same sign-in will not help. INVALID_API_KEY: 401, Invalid API key. Check that the whole key was copied, without spaces. API_KEY_EXPIRED: 401, API key expired. Create a new API key. API_KEY_REVOKED: 401, API key revoked. Create a new API key. WRONG_ENVIRONMENT: 401, API key belongs to another environment. Use a key that was created for this environment. INVALID_REFRESH_TOKEN: 401, Invalid refresh token. Please log in again. INSUFFICIENT_SCOPE: 403, Insufficient permissions. Ask for a credential with the scopes of this route. NOT_ALLOWED: 403, Not allowed. A rule of this service does not allow the request. CONNECT_REQUIRED: 403, Account not connected. Connect the account of the user at the provider first, or again. CSRF_REFUSED: 403, Request from another site refused. Send the request from a page of this site, or with a credential that is no cookie. HTTPS_REQUIRED: 403, HTTPS required. Use https. A credential that was sent over http is no secret any more: get a new one. RATE_LIMITED: 429, Too many requests. Wait as many seconds as Retry-After says, then try again. INVALID_CREDENTIALS: 401, Invalid credentials. Check the address and the password. MFA_REQUIRED: 401, Second factor required. Send the mfa_token with a code, within as many seconds as expires_in says. MFA_SETUP_REQUIRED: 401, Second factor to be set up. Set one up by the mfa_token, within as many seconds as expires_in says. TOO_MANY_ATTEMPTS: 429, Too many attempts. Wait as many seconds as Retry-After says, then log in again. INVALID_REQUEST: 400, Invalid request. Correct the request; sending it again will not help. MULTIPLE_CREDENTIALS: 400, More than one credential. Send exactly one token or API key. NOT_FOUND: 404, Not found. Check the path. METHOD_NOT_ALLOWED: 405, Method not allowed. See the Allow header. STORE_UNAVAILABLE: 503, Temporarily unavailable. Try again after as many seconds as Retry-After says. KEYS_UNAVAILABLE: 503, Keys of the issuer unavailable. Try again after as many seconds as Retry-After says. UPSTREAM_ERROR: 502, Upstream did not answer. Try again later. UPSTREAM_TIMEOUT: 504, Upstream did not answer in time. Try again later. CONFIG_ERROR: 500, Gate is not configured. The operator finds the reason in the log of the gate. */
export type Code = 'MISSING_CREDENTIALS' | 'LOGIN_REQUIRED' | 'INVALID_TOKEN' | 'TOKEN_EXPIRED' | 'TOKEN_NOT_YET_VALID' | 'TOKEN_REVOKED' | 'STEP_UP_REQUIRED' | 'INVALID_API_KEY' | 'API_KEY_EXPIRED' | 'API_KEY_REVOKED' | 'WRONG_ENVIRONMENT' | 'INVALID_REFRESH_TOKEN' | 'INSUFFICIENT_SCOPE' | 'NOT_ALLOWED' | 'CONNECT_REQUIRED' | 'CSRF_REFUSED' | 'HTTPS_REQUIRED' | 'RATE_LIMITED' | 'INVALID_CREDENTIALS' | 'MFA_REQUIRED' | 'MFA_SETUP_REQUIRED' | 'TOO_MANY_ATTEMPTS' | 'INVALID_REQUEST' | 'MULTIPLE_CREDENTIALS' | 'NOT_FOUND' | 'METHOD_NOT_ALLOWED' | 'STORE_UNAVAILABLE' | 'KEYS_UNAVAILABLE' | 'UPSTREAM_ERROR' | 'UPSTREAM_TIMEOUT' | 'CONFIG_ERROR';

/** Seconds since 1970. */
export type Time = number;

/** Something that the gate tells of. Times are milliseconds since 1970. What does not apply is left out. */
export interface Event {
  /** What was done to an account, or by its owner, such as `logged_in`. */
  action?: string | null | undefined;
  /** The name of the administrator's secret. */
  actor?: string | null | undefined;
  /** The family of the program that called, as it says. */
  agent?: string | null | undefined;
  /** The number of the caller's network operator, if the platform knows it. */
  asn?: number | null | undefined;
  /** When, in milliseconds since 1970. */
  at: number;
  /** How the credential came. */
  carrier?: string | null | undefined;
  /** What it most likely comes of, if the rule can tell. */
  cause?: string | null | undefined;
  /** The stable code of a refusal. */
  code?: string | null | undefined;
  /** Where the gate ran. */
  colo?: string | null | undefined;
  /** The country of the caller, two letters, if the platform knows it. */
  country?: string | null | undefined;
  /** A pseudonym of the verified credential: of the session, the token or the API key. */
  credential?: string | null | undefined;
  /** What happened. */
  event: 'admitted' | 'refused' | 'administered' | 'account' | 'firing' | 'resolved' | 'checkpoint' | 'shadowed';
  /** What the rule looks at apart, such as a route or a network, if it groups. */
  group?: string | null | undefined;
  /** The hash of that entry. */
  hash?: string | null | undefined;
  /** Each event has another one. Texts in their order are events in their order of time, as far as clocks agree. */
  id: string;
  /** The kind of identity: `anonymous`, `jwt` or `api_key`. */
  identity?: string | null | undefined;
  /** The verified issuer. */
  issuer?: string | null | undefined;
  /** The MAC of the checkpoint. */
  mac?: string | null | undefined;
  /** The method of the request. */
  method?: string | null | undefined;
  /** By what somebody has logged in to it, in the order in which it was shown, such as `password totp`. */
  methods?: string | null | undefined;
  /** How many this one stands for. */
  n: number;
  /** The network of the caller: /24 of IPv4, /48 of IPv6. */
  network?: string | null | undefined;
  /** The finer reason of a refusal. */
  reason?: string | null | undefined;
  /** The path pattern of the route; for administration the path, which names ids and never a key or a token. */
  route?: string | null | undefined;
  /** The name of the rule. */
  rule?: string | null | undefined;
  /** The number of the last entry of the audit. */
  seq?: number | null | undefined;
  /** What a policy that may come would have said: a code, or `admitted`. */
  shadow?: string | null | undefined;
  /** The status of the answer to an administrator. */
  status?: number | null | undefined;
  /** A pseudonym of the verified subject: the same one has the same. */
  subject?: string | null | undefined;
  /** What it may be. */
  threshold?: number | null | undefined;
  /** The version of this form. */
  v: number;
  /** What the rule saw: a number, or percent for a ratio. */
  value?: number | null | undefined;
}

/** An entry of the chain: docs/audit.md. */
export interface AuditEntry {
  /** Method and path, or `policy`, `alert.firing`, `alert.resolved`, `cut`. */
  action: string;
  /** The name of the administrator's secret, or `gate`. */
  actor: string;
  /** Milliseconds since 1970. */
  at: number;
  hash: string;
  /** The entry of its beginning; 0: it has none. */
  of: number;
  /** `begun`, `done`, or the code with which it was refused or failed. */
  outcome: string;
  /** The hash of the entry before. */
  prev: string;
  /** 1, 2, 3 … without a gap. */
  seq: number;
  /** An id, or the pseudonym of a subject. */
  target: string;
}

/** Where the next page begins; `null` on the last one. */
export type Cursor = string | null;

/** The id of an API key. */
export type KeyId = string;

/** The id of a revocation: made of what it revokes. */
export type RevocationId = string;

/** Each is good for once. They are in this answer only. */
export type RecoveryCodeList = readonly (string)[];
