//! The reference of refusals as a page: each code with what callers are told, and each reason with its cause and remedy.

use edgegate::{
    error::{Code, Error},
    http::reply,
};

const HEAD: &str = "\
# Errors

<!-- Made from the Rust library by `cargo xtask package` (crates/describe). Not edited by hand. -->

Callers are told a *code*: what kind of refusal it is, and no more, so that nobody learns how far a forged credential came. Operators
find the *reason* beside it in the event log (`reason`, with `detail`), and npm in `EdgegateError.reason`. Codes and reasons are stable.

To find out why a request was refused: take `code` of the answer, look for a `refused` line of that time with the same route in the log, and look
its `reason` up here.

A refusal is JSON, `{\"error\", \"code\", \"hint\"}`, or `application/problem+json` for those that ask for it. At `/token`, `/revoke` and
`/introspect`, `error` is a word of RFC 6749.
";

const NPM: &str = "
## Of the npm package alone

| code | reason | cause | remedy |
|---|---|---|---|
| `SYNC_UNSUPPORTED` | `sync_unsupported` | A synchronous function would have to wait: for keys, or for the crypto of the host. | Use the one that returns a promise. |
| `ENGINE_FAILED` | `trapped` | The WebAssembly instance failed and was replaced. | Try again once. If it comes again, report it with the version. |
";

/// Each reason: what has happened, and what helps.
pub(crate) const REASONS: &[(&str, &str, &str)] = &[
    (
        "missing_credentials",
        "The route asks for a credential, and there is none. A cookie counts only if the policy names it.",
        "Send `Authorization: Bearer …` or the header of API keys. If the route is for everybody: `auth = \"none\"`.",
    ),
    (
        "login_required",
        "The same where the policy has `login` and the route accepts tokens. A page is sent to log in, a script is told where: `login_url`.",
        "Open `login_url` in the window, with `return_to`. Programs send a token or an API key.",
    ),
    (
        "multiple_credentials",
        "Two credentials, such as a token and an API key, or a cookie twice.",
        "Send one. If a proxy adds its own: `credential_headers` with `beside = \"ignore\"`.",
    ),
    (
        "invalid_request",
        "The request breaks a rule; `hint` says which.",
        "Correct the request as the hint says.",
    ),
    (
        "token_not_accepted",
        "A token on a route that takes none: `accept`, or the policy has no issuers.",
        "Send an API key, or add `\"jwt\"` to `accept`.",
    ),
    (
        "api_key_not_accepted",
        "An API key on a route that takes none: `accept`, or the policy has no `api_keys`.",
        "Send a token, or add `\"api_key\"` to `accept`.",
    ),
    (
        "token_too_long",
        "The token is longer than `max_token_length`.",
        "Leave claims out, or raise `max_token_length`.",
    ),
    (
        "malformed_token",
        "It is no JWS in its one spelling: three parts of base64url without padding. Opaque tokens of providers are none.",
        "Ask the provider for a JWT: usually by naming an audience.",
    ),
    (
        "duplicate_member",
        "A name comes twice in the header or the payload.",
        "The issuer has to mend it: libraries differ in which of the two they believe.",
    ),
    (
        "unsupported_critical",
        "The header has `crit`.",
        "The issuer has to leave the extension out.",
    ),
    (
        "unknown_issuer",
        "`iss` is that of no issuer of the policy. It is compared as it is written, slash at the end included.",
        "Copy `iss` of a token into `issuers[].issuer`.",
    ),
    (
        "issuer_not_of_header",
        "The token came in a header that is for other issuers.",
        "Add the issuer to `credential_headers[].issuers`.",
    ),
    (
        "algorithm_not_allowed",
        "`alg` is not among `algorithms`, or does not fit the key.",
        "Add what the issuer signs by to `algorithms`.",
    ),
    (
        "unknown_key",
        "No key of the issuer has this `kid`, or fits.",
        "Look at the `jwks_uri`: does it have the `kid`? After a rotation wait a minute.",
    ),
    (
        "bad_signature",
        "The signature is not by this key: another secret or environment, or the token was changed.",
        "Compare secret and `encoding` with the provider's; decode the token and look at `iss` and `kid`.",
    ),
    (
        "algorithm_unavailable",
        "This build or host cannot check the algorithm.",
        "Use another runtime, or `edgegate/pure`.",
    ),
    (
        "administrator_secret",
        "Not the administrator's secret.",
        "Set it anew: `npx wrangler secret put ADMIN_TOKEN`.",
    ),
    (
        "missing_claim",
        "A claim of `required_claims`, of a profile, or `exp` is missing; `detail` names it.",
        "Let the issuer add it, or ask for less.",
    ),
    (
        "wrong_claim_type",
        "A claim has another type than RFC 7519 says.",
        "The issuer has to mend it.",
    ),
    (
        "unexpected_claim",
        "`aud`, `typ` or a claim of `claims` has another value; `detail` names it.",
        "Compare it with `audience`, `typ` and `claims` of the issuer.",
    ),
    (
        "token_expired",
        "`exp` is over. At `exp` itself it is.",
        "Get a new token. If it is new: compare the clocks, `clock_tolerance_secs`.",
    ),
    ("token_too_old", "`iat` is longer ago than `max_token_age_secs`.", "Get a new token."),
    (
        "token_not_yet_valid",
        "`nbf` or `iat` is in the future.",
        "Compare the clocks, `clock_tolerance_secs`.",
    ),
    (
        "authentication_too_old",
        "The person signed in longer ago than `max_auth_age_secs`.",
        "Let the person sign in again (`max_age`, `prompt=login`).",
    ),
    (
        "step_up_required",
        "The route wants a sign-in that is more recent (`max_auth_age_secs`) or of another class (`acr_values`). A page of a session is sent to the provider, a script is told where: `login_url`.",
        "Open `login_url` in the window, with `return_to`. For tokens of others: let the person sign in again (`max_age`, `acr_values`).",
    ),
    (
        "token_revoked",
        "A revocation covers the token; `detail` says of which kind.",
        "Sign in again. To see the entry: `GET /auth/admin/revocations`.",
    ),
    (
        "dpop_required",
        "The token is bound to a key, and there is no proof.",
        "Send a `DPoP` header (RFC 9449).",
    ),
    (
        "dpop_not_bound",
        "A proof, or `dpop = \"required\"`, with a token that is bound to nothing.",
        "Ask the issuer for a token with a proof.",
    ),
    (
        "dpop_proof",
        "The proof is malformed, too old, or about another method or URL; `detail` says which.",
        "Make a proof for each request, with the URL by which callers know the API (`origin`).",
    ),
    (
        "dpop_key",
        "The proof is by another key than the token's.",
        "Sign proofs by the key of the token request.",
    ),
    (
        "dpop_nonce",
        "The proof lacks the nonce that is wanted.",
        "Send the proof again with the nonce of the answer.",
    ),
    ("dpop_replayed", "The proof has been used.", "Make a proof for each request, retries too."),
    (
        "malformed_api_key",
        "Not of the form `<prefix>_<environment>_…`.",
        "Send the whole key as it was shown.",
    ),
    ("api_key_checksum", "A key with a typing error.", "Copy it again."),
    (
        "unknown_api_key_prefix",
        "It begins with no prefix of the policy.",
        "Add the prefix to `api_keys.prefixes`, or send the key of this service.",
    ),
    (
        "unknown_signing_key",
        "It was signed by a key that the policy does not have any more.",
        "Put the id back into `signing_keys`, or create new keys.",
    ),
    (
        "api_key_tag",
        "Forged, or signed by another secret under the same id.",
        "Compare the secret of `signing_keys` with the one that minted it.",
    ),
    (
        "unknown_api_key",
        "Genuine, and without a record: deleted, or of another namespace. A new key may take a minute to be seen everywhere.",
        "Wait, or look it up: `GET /auth/admin/keys/{id}`.",
    ),
    ("api_key_expired", "The key's time is over.", "Create or rotate a key."),
    (
        "api_key_revoked",
        "Revoked, disabled, or named by a revocation.",
        "Create a new key; a disabled one: `PATCH` with `disabled: false`.",
    ),
    (
        "wrong_environment",
        "A key of another environment, such as `test` at `live`.",
        "Use a key of this one.",
    ),
    ("malformed_refresh_token", "Not a refresh token or ticket of this gate.", "Log in again."),
    (
        "refresh_token_tag",
        "Mistyped, forged, or sealed by a secret that is not there any more.",
        "Log in again. After a rotation keep the old secret in `sessions.secrets`.",
    ),
    (
        "session_ended",
        "Logged out, too old or idle for too long, or the subject was disabled.",
        "Log in again.",
    ),
    (
        "refresh_token_reused",
        "A used refresh token came again after its successor was in use: somebody has a copy, so the session has ended.",
        "Log in again, and find out who else has the token. A client that forgets new tokens looks the same.",
    ),
    (
        "refresh_token_superseded",
        "A cookie was on its way while its successor came into use. Nothing has ended.",
        "Send the request again.",
    ),
    (
        "refresh_token_of_other_client",
        "The token belongs to another client, or to none.",
        "Send it with the `client_id` that it was given to.",
    ),
    (
        "session_key_not_proven",
        "The session is bound to a key, and the request does not prove it.",
        "Send a `DPoP` header by that key.",
    ),
    (
        "refresh_token_required",
        "Neither body nor cookie has a refresh token.",
        "Send `{\"refreshToken\": \"…\"}`, or the cookies.",
    ),
    (
        "oauth",
        "A request at `/token`, `/revoke` or `/introspect` breaks OAuth; `error` has the word, `hint` what was expected.",
        "As the hint says.",
    ),
    (
        "client_not_proven",
        "A client did not prove that it is the one.",
        "Compare `client_id` and secret, or the key and `aud` of its assertion.",
    ),
    (
        "subject_disabled",
        "An administrator disabled the subject.",
        "`POST /auth/admin/subjects/enable`.",
    ),
    (
        "reset_required",
        "An administrator asks for a new password (`require_reset`), and its owner has not set one yet.",
        "`POST /auth/reset` with the address: the link leads to a new password.",
    ),
    (
        "cross_site",
        "A cookie would decide, and the request comes from another site, or does not say from where.",
        "Send it from a page of this origin, list the other one in `sessions.origins`, or use `Authorization`. Behind a proxy set `origin`.",
    ),
    (
        "login_interrupted",
        "A callback that ends no login: its cookie is gone, it took longer than ten minutes, it was used, or it is not as providers send it. `detail` says which.",
        "Log in again. If it is so for everybody: a proxy drops cookies or changes the query, or `origin` is not the host that people see.",
    ),
    (
        "login_declined",
        "The person said no at the provider, or could not prove as much as was asked for.",
        "Log in again, and agree.",
    ),
    (
        "login_not_allowed",
        "The provider knows the person, and the person is on none of the words of this list of the policy.",
        "Add the domain, tenant, group, organisation, team or subject to `allow` of the provider. An address counts only if the provider vouches for it.",
    ),
    (
        "not_connected",
        "The route uses an account of the caller's at a provider (`grant`), and the caller has connected none.",
        "Send the person to `POST /auth/connect/{provider}`: docs/grants.md.",
    ),
    (
        "connection_ended",
        "The same: one was connected, and the provider has ended it, or its token has expired and there is none for the next.",
        "Have the person connect it again. `GET /auth/admin/grants` says which of both it is.",
    ),
    (
        "too_many_logins",
        "Ten logins from this address, or a hundred from its /48, have failed in five minutes at this isolate; or more logins came at once than all addresses together have.",
        "Wait. If many people have one address: find out by the reasons before why their logins fail.",
    ),
    (
        "wrong_password",
        "The password is not the account's, or there is no account with this address. Callers are not told which.",
        "Check the address with `edgegate accounts find`, and set a new password if its owner has forgotten it.",
    ),
    (
        "second_factor_required",
        "The password is right, and the account has a second factor. Nothing is opened until it is shown.",
        "Ask for a code of one of `methods`, and send it with `mfa_token` to `POST /auth/mfa`: docs/second-factors.md.",
    ),
    (
        "second_factor_missing",
        "The password is right, the account has no second factor, and the policy wants one of everybody (`accounts.mfa`).",
        "Set up an authenticator or a passkey with `mfa_token`: docs/second-factors.md.",
    ),
    (
        "wrong_code",
        "The code is not what the authenticator shows, or it was used before; or it is no recovery code that is left.",
        "Wait for the next code. If all are wrong: is the clock of the phone right? Is it the authenticator that was set up last?",
    ),
    (
        "login_over",
        "What is sent as `mfa_token` is none of the gate's, is older than five minutes, has logged in somebody already, or the account has changed since.",
        "Log in again from the beginning.",
    ),
    (
        "too_many_guesses",
        "No more passwords or codes are compared: for this name, for the codes of this account, by this address or its network, or of all together at once. `detail` says which.",
        "Wait. A browser that somebody has logged in with has guesses of its own at the name. If many people have one address: `accounts.attempts`.",
    ),
    (
        "too_many_mails",
        "No more mails are sent, or links looked at: for this name, by this address or its network, or of all together. Whoever asked for a mail is not told; `detail` says which.",
        "Wait. If they are many, somebody has a stranger's mailbox filled: look at the addresses that ask.",
    ),
    (
        "passkey_refused",
        "The proof that somebody has a passkey does not hold: `detail` says what was found. There may be no such account or passkey. Callers are not told which.",
        "If `detail` says that the challenge is too old: the page has to ask for new options. If it says that a page of another origin has asked: `origin`, or `sessions.origins`.",
    ),
    (
        "passkey_copied",
        "The proof holds, and the authenticator has not counted on since the last one: somebody may have copied it.",
        "Ask the owner. Take the passkey out (`DELETE /auth/mfa/passkeys/{id}`) and have a new one made.",
    ),
    (
        "validation_failed",
        "Fields of a form are missing or at fault; `details` of the answer says which.",
        "Correct them.",
    ),
    (
        "provider",
        "A provider does not answer, or not as providers do. `detail` says at which endpoint.",
        "Look at the provider's own status. If it answers others: the policy's `issuer` or `endpoints`.",
    ),
    (
        "provider_refuses",
        "A provider refuses the gate: its name, its secret, its redirect URI or the scopes that it asks for.",
        "Compare `client_id`, the secret and `request_scopes` with what the provider has, and register `{origin}/auth/callback/{id}` there.",
    ),
    (
        "insufficient_scope",
        "A scope of the route is missing; `detail` names those that it asks for.",
        "Ask the issuer for the scope; if it is in another claim: `scope_claims`, `scope_map`.",
    ),
    (
        "administrator_role",
        "The secret is an administrator's, and does not have the role that this endpoint asks for; `detail` names it.",
        "Use a secret with that role, or add the role to `roles` of `admin.secrets`: docs/administration.md.",
    ),
    (
        "issuer_not_allowed",
        "The route, or an endpoint of sessions, is for other issuers.",
        "Use a token of one of them, or add the issuer to the route.",
    ),
    (
        "client_not_allowed",
        "The token of a client would list or end sessions of its user.",
        "Use the user's own session.",
    ),
    (
        "claim_not_allowed",
        "A claim is not what `claims` of the route wants; `detail` names it.",
        "Compare it with the path and the policy.",
    ),
    (
        "address_not_allowed",
        "The caller is in none of the networks of the route or key, or its address is not known.",
        "Add the network to `ips`; behind a proxy set `client_ip_header` and `trusted_hops`.",
    ),
    (
        "preflight_not_passed",
        "A CORS preflight that is not passed on.",
        "`preflight = \"answer\"` with `cors`, or `\"pass\"`.",
    ),
    (
        "answer_not_passed",
        "The policy answers the route itself, and here the gate can only say whether to pass a request on.",
        "Let that proxy answer the path.",
    ),
    ("https_required", "The request came over plain http.", "Use https."),
    (
        "credential_in_clear",
        "The same with a credential: others may have read it.",
        "Revoke it, get a new one, use https.",
    ),
    (
        "rate_limited",
        "A limit is used up; `detail` names it. `failed-authentication`: too many bad credentials from this address.",
        "Wait as `Retry-After` says. Many callers behind one address: raise `requests` or exempt it.",
    ),
    (
        "not_found",
        "No such endpoint or record, or the policy does not have its section.",
        "Check the path, `auth_prefix` and the policy.",
    ),
    ("method_not_allowed", "The endpoint has other methods.", "See `Allow`."),
    (
        "invalid_field",
        "A field of an administrator's request is at fault; `hint` has its path.",
        "As the hint says.",
    ),
    (
        "store_unavailable",
        "A store did not answer, or holds what the gate did not write; `detail` names it.",
        "Look at `GET /auth/health` and the bindings. `on_error` says what such requests get.",
    ),
    (
        "keys_unavailable",
        "The keys of an issuer could not be fetched; `detail` says why.",
        "Fetch the `jwks_uri` yourself; look at its certificate and firewall.",
    ),
    (
        "upstream",
        "The service behind the gate did not answer.",
        "Look at `upstream` and at the service.",
    ),
    (
        "upstream_timeout",
        "It took longer than `timeout_ms`.",
        "Look at the service, or raise `timeout_ms`.",
    ),
    (
        "refused_key",
        "A key is too short, of an unknown kind, or contradicts itself.",
        "As the message says.",
    ),
    (
        "config",
        "The policy or an option is refused; `detail` has the path. Every request gets this.",
        "[policy.md](policy.md) has every field. `GET /auth/health` says `misconfigured`.",
    ),
];

pub(crate) fn file() -> String {
    let mut page = HEAD.to_owned();
    for code in Code::ALL {
        let wire = reply::wire(code);
        page.push_str(&format!(
            "\n## {}\n\n{} **{}**: {}.\n\n| reason | cause | remedy |\n|---|---|---|\n",
            code.as_str(),
            wire.status,
            wire.title,
            wire.hint
        ));
        let mut seen: Vec<&str> = Vec::new();
        for (reason, _) in Error::REASONS.iter().filter(|(_, of)| *of == code) {
            if seen.contains(reason) {
                continue;
            }
            seen.push(reason);
            let known = REASONS.iter().find(|(name, _, _)| name == reason);
            let (_, cause, remedy) = known.copied().unwrap_or((reason, "", ""));
            page.push_str(&format!("| `{reason}` | {cause} | {remedy} |\n"));
        }
    }
    page.push_str(NPM);
    page
}
