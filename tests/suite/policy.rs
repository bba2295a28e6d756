//! Every fault of a policy, with its whole message; the example of `wrangler.toml`; the defaults.

use std::num::NonZeroU8;

use crate::gate::{NOW_TIME, bindings, policy, read};
use edgegate::api_key::KeyId;
use edgegate::client_address::ClientIpHeader;
use edgegate::error::{Code, Error};
use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::verifier::KeySource;
use edgegate::limit;
use edgegate::policy::{
    Address, Auth, Binding, CacheSecs, CountBy, CredentialKind, KeyFormat, LimitStore, Log, Need,
    OnError, Policy, Records, Replays, RequestPath, RevocationMode, Route, Upstream,
};
use serde_json::{Value, json};

const JWKS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"ec",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// A policy in which every field is given, none as its default.
fn full() -> Value {
    json!({
        "upstream": "https://api.example.com/base/",
        "forward_credential": true,
        "auth_prefix": "/_gate/auth",
        "cookie": "__Host-session",
        "max_token_length": 4096,
        "client_ip_header": "X-Real-IP",
        "trusted_hops": 1,
        "forward_auth": {
            "client_ip_header": "X-Forwarded-For",
            "trusted_hops": 2,
            "origin": "https://api.example.com",
        },
        "pages": { "title": "Example" },
        "legacy_headers": true,
        "log": "all",
        "path_case": "insensitive",
        "issuers": [
            {
                "issuer": "https://a.example/",
                "audience": ["https://api.example.com", "second"],
                "algorithms": ["HS256"],
                "secret": "JWT_SECRET",
                "clock_tolerance_secs": 5,
                "max_token_age_secs": 3600,
                "required_claims": ["sub", "jti"],
                "typ": "at+jwt",
                "scope_claim": "permissions",
                "require_exp": false,
            },
            {
                "issuer": "https://b.example/",
                "audience": ["https://api.example.com"],
                "algorithms": ["ES256"],
                "jwks": serde_json::from_str::<Value>(JWKS).unwrap(),
            },
            {
                "issuer": "https://c.example/",
                "audience": ["https://api.example.com"],
                "algorithms": ["RS256", "ES256"],
                "jwks_uri": "https://c.example/.well-known/jwks.json",
            },
        ],
        "api_keys": {
            "prefixes": [
                {"prefix": "sk"},
                {"prefix": "pk", "scopes": ["read:posts"]},
                {"prefix": "Legacy", "format": "imported"},
            ],
            "environment": "live",
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}, {"id": 7, "secret": "OTHER_SECRET"}],
            "records": "optional",
            "cache_secs": 30,
        },
        "revocation": {"mode": "entries", "on_error": "allow", "cache_secs": 20},
        "limits": [
            {
                "name": "per-caller",
                "by": ["caller", "route"],
                "requests": 100,
                "window_secs": 60,
                "algorithm": "token-bucket",
                "burst": 20,
                "store": "memory",
                "on_error": "allow",
            },
            {
                "name": "per-ip",
                "by": "ip",
                "requests": 10,
                "window_secs": 10,
                "algorithm": "fixed-window",
                "store": "binding",
                "binding": "LIMITER",
            },
        ],
        "failed_authentication": {"requests": 3, "window_secs": 30, "enabled": true},
        "routes": [
            {
                "path": "/v1/posts/{id}",
                "methods": ["GET", "DELETE"],
                "auth": "optional",
                "accept": ["jwt"],
                "scopes": {"all": ["read:posts"], "any": ["a", "b"]},
                "limits": ["per-caller"],
                "cost": 3,
            },
            {"path": "/public/*", "auth": "none", "limits": ["per-ip"]},
        ],
        "admin": {"secret": "ADMIN_TOKEN"},
    })
}

/// The header of an address, 0 for no `trusted_hops`.
fn header(name: &str, hops: u8) -> ClientIpHeader {
    ClientIpHeader { name: name.to_owned(), trusted_hops: NonZeroU8::new(hops) }
}

/// [`full`] with one value set or, where none stood, added. The place is a JSON pointer.
fn with(place: &str, value: Value) -> Value {
    let mut policy = full();
    put(&mut policy, place, value);
    policy
}

fn put(policy: &mut Value, place: &str, value: Value) {
    if place.is_empty() {
        *policy = value;
        return;
    }
    let (parent, name) = place.rsplit_once('/').unwrap();
    match policy.pointer_mut(parent).unwrap() {
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        Value::Array(items) if name == "-" => items.push(value),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        _ => panic!("nothing can be put at {place}"),
    }
}

fn without(place: &str) -> Value {
    let mut policy = full();
    let (parent, name) = place.rsplit_once('/').unwrap();
    policy.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    policy
}

#[track_caller]
fn refused(policy: &Value, message: &str) {
    let fault = read(policy).expect_err(message);
    assert_eq!(fault.to_string(), message);
    assert_eq!(fault.code(), Code::ConfigError, "{message}");
    assert!(matches!(fault, Error::Config { .. }), "{message}");
}

/// Each of these values makes [`full`] faulty, at this place and with this message.
#[track_caller]
fn all_refused<const N: usize>(faults: [(&str, Value, &str); N]) {
    for (place, value, message) in faults {
        refused(&with(place, value), message);
    }
}

fn path(text: &str) -> RequestPath {
    RequestPath::parse(text).unwrap()
}

fn route<'p>(policy: &'p Policy, method: &str, target: &str) -> &'p Route {
    policy.route(method, &path(target))
}

// ---- what is read ----

#[test]
fn every_field_is_read_as_it_is_written() {
    let policy = policy(&full());
    let base = Address::Url("https://api.example.com/base".to_owned());
    assert_eq!(policy.upstream, Some(Upstream::at(base)));
    assert!(policy.forward_credential);
    assert_eq!(policy.auth_prefix, "/_gate/auth");
    assert_eq!(policy.cookie.as_deref(), Some("__Host-session"));
    assert_eq!(policy.client_ip_header, header("X-Real-IP", 1));
    assert_eq!(policy.forward_auth.client_ip_header, header("X-Forwarded-For", 2));
    assert_eq!(policy.forward_auth.origin.as_deref(), Some("https://api.example.com"));
    assert!(policy.legacy_headers);
    assert_eq!(policy.log, Log::All);
    assert!(policy.admin.is_some());

    let verifier = policy.verifier.as_ref().unwrap();
    let [a, b, c] = verifier.issuers() else { panic!("three issuers") };
    assert_eq!(a.rules.issuer, "https://a.example/");
    assert_eq!(a.rules.audience, ["https://api.example.com", "second"]);
    assert_eq!(a.algorithms, [Algorithm::Hs256]);
    assert_eq!(a.rules.clock_tolerance_secs, 5);
    assert_eq!(a.rules.max_token_age_secs, Some(3600));
    assert_eq!(a.rules.required_claims, ["sub", "jti"]);
    assert_eq!(a.rules.typ.as_deref(), Some("at+jwt"));
    assert_eq!(a.rules.scopes.claims, ["permissions"]);
    assert!(!a.rules.require_exp);
    assert_eq!(b.algorithms, [Algorithm::Es256]);
    assert!(matches!(&b.keys, KeySource::Fixed(keys) if keys.keys()[0].kid() == Some("ec")));
    assert_eq!(c.algorithms, [Algorithm::Rs256, Algorithm::Es256]);
    assert!(
        matches!(&c.keys, KeySource::Remote { uri } if uri == "https://c.example/.well-known/jwks.json")
    );
    let too_long = format!("{}.e30.", "a".repeat(4092));
    assert_eq!(
        verifier.begin(&too_long).unwrap_err(),
        Error::TokenTooLong { length: 4097, limit: 4096 }
    );

    let keys = policy.api_keys.as_ref().unwrap();
    assert_eq!(keys.keys.environment(), "live");
    assert_eq!(keys.keys.prefixes().collect::<Vec<_>>(), ["sk", "pk"]);
    assert_eq!((keys.records, keys.cache_secs), (Records::Optional, CacheSecs(30)));
    let minted = keys.keys.mint("sk", KeyId::from_bytes([1; 16]), None).unwrap();
    assert_eq!(keys.keys.verify(minted.expose(), NOW_TIME).unwrap().signing_key_id(), 7);
    assert_eq!(keys.prefix("sk").unwrap().scopes, None);
    assert_eq!(keys.prefix("pk").unwrap().scopes, Some(vec!["read:posts".to_owned()]));
    assert_eq!(keys.prefix("Legacy").unwrap().format, KeyFormat::Imported);
    assert_eq!(keys.default_prefix().unwrap().prefix, "sk");

    let revocation = policy.revocation.unwrap();
    assert_eq!(revocation.mode, RevocationMode::Entries);
    assert_eq!((revocation.on_error, revocation.cache_secs), (OnError::Allow, CacheSecs(20)));

    let posts = route(&policy, "GET", "/v1/posts/7");
    assert_eq!((posts.path(), posts.auth), ("/v1/posts/{id}", Auth::Optional));
    assert_eq!(posts.accept, [CredentialKind::Jwt]);
    assert_eq!((&posts.all_scopes, posts.any_scopes.len()), (&vec!["read:posts".to_owned()], 2));
    assert_eq!(posts.cost, 3);
    let [limit] = policy.limits_of(posts).collect::<Vec<_>>()[..] else { panic!("one limit") };
    assert_eq!(limit.limit.name(), "per-caller");
    assert_eq!((limit.limit.requests(), limit.limit.window_secs()), (100, 60));
    assert_eq!(limit.limit.algorithm(), limit::LimitAlgorithm::TokenBucket { burst: 20 });
    assert_eq!(limit.by, [CountBy::Caller, CountBy::Route]);
    assert_eq!((&limit.store, limit.on_error), (&LimitStore::Memory, OnError::Allow));
    let open = route(&policy, "PUT", "/public/a");
    let [limit] = policy.limits_of(open).collect::<Vec<_>>()[..] else { panic!("one limit") };
    assert_eq!(limit.limit.algorithm(), limit::LimitAlgorithm::FixedWindow);
    assert_eq!(limit.store, LimitStore::Binding("LIMITER".to_owned()));
    assert_eq!(limit.by, [CountBy::Ip]);
    assert!(policy.has_limit("per-ip") && !policy.has_limit("other"));
    assert_eq!(policy.rate_limit_bindings().collect::<Vec<_>>(), ["LIMITER"]);
    assert!(policy.needs_kv() && !policy.needs_durable_objects());

    let failures = &policy.failed_authentication.as_ref().unwrap().limit;
    assert_eq!((failures.requests(), failures.window_secs()), (3, 30));
}

#[test]
fn the_defaults_are_pinned() {
    let policy = policy(&json!({
        "issuers": [{"issuer": "i", "audience": ["a"], "secret": "JWT_SECRET"}],
        "api_keys": {
            "prefixes": [{"prefix": "sk"}],
            "environment": "live",
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
        },
        "revocation": {},
        "limits": [
            {"name": "a", "requests": 9, "window_secs": 8},
            {"name": "b", "requests": 9, "window_secs": 8, "algorithm": "token-bucket"},
        ],
        "routes": [{"path": "/a", "limits": ["a", "b"]}],
    }));
    assert_eq!(policy.upstream, None);
    assert!(!policy.forward_credential);
    assert_eq!(policy.auth_prefix, "/auth");
    assert_eq!(policy.cookie, None);
    assert_eq!(policy.client_ip_header, header("CF-Connecting-IP", 0));
    assert_eq!(policy.forward_auth.client_ip_header, header("CF-Connecting-IP", 0));
    assert_eq!(policy.forward_auth.origin, None);
    assert!(!policy.legacy_headers);
    assert_eq!(policy.log, Log::Refusals);
    assert!(policy.admin.is_none());
    let failures = &policy.failed_authentication.as_ref().unwrap().limit;
    assert_eq!((failures.requests(), failures.window_secs()), (5, 900));
    assert_eq!(failures.algorithm(), limit::LimitAlgorithm::SlidingWindow);

    let verifier = policy.verifier.as_ref().unwrap();
    let issuer = &verifier.issuers()[0];
    assert_eq!(issuer.algorithms, [Algorithm::Hs256]);
    assert!(issuer.rules.require_exp);
    assert_eq!(issuer.rules.clock_tolerance_secs, 0);
    assert_eq!(issuer.rules.max_token_age_secs, None);
    assert_eq!(issuer.rules.required_claims, [""; 0]);
    assert_eq!(issuer.rules.typ, None);
    assert!(issuer.rules.scopes.claims.is_empty() && issuer.rules.scopes.map.is_empty());
    let too_long = "a".repeat(8193);
    assert_eq!(
        verifier.begin(&too_long).unwrap_err(),
        Error::TokenTooLong { length: 8193, limit: 8192 }
    );

    let keys = policy.api_keys.as_ref().unwrap();
    assert_eq!((keys.records, keys.cache_secs), (Records::Required, CacheSecs(10)));
    assert_eq!(keys.prefix("sk").unwrap().format, KeyFormat::Edgegate);
    let revocation = policy.revocation.unwrap();
    assert_eq!(revocation.mode, RevocationMode::Entries);
    assert_eq!((revocation.on_error, revocation.cache_secs), (OnError::Deny, CacheSecs(10)));

    let known = route(&policy, "PATCH", "/a");
    assert_eq!((known.path(), known.auth, known.cost), ("/a", Auth::Required, 1));
    assert_eq!(known.accept, [CredentialKind::Jwt, CredentialKind::ApiKey]);
    assert!(known.all_scopes.is_empty() && known.any_scopes.is_empty());
    let [window, bucket] = policy.limits_of(known).collect::<Vec<_>>()[..] else { panic!("two") };
    assert_eq!(window.limit.algorithm(), limit::LimitAlgorithm::SlidingWindow);
    assert_eq!(bucket.limit.algorithm(), limit::LimitAlgorithm::TokenBucket { burst: 9 });
    assert_eq!(window.by, [CountBy::Caller]);
    assert_eq!((&window.store, window.on_error), (&LimitStore::DurableObject, OnError::Deny));
    assert!(policy.needs_durable_objects());

    let other = route(&policy, "GET", "/elsewhere");
    assert_eq!((other.path(), other.auth, other.cost), ("/*", Auth::Required, 1));
    assert_eq!(other.accept, [CredentialKind::Jwt, CredentialKind::ApiKey]);
    assert_eq!(policy.limits_of(other).count(), 0);
}

#[test]
fn an_empty_policy_admits_nobody() {
    let policy = policy(&json!({}));
    assert!(policy.verifier.is_none() && policy.api_keys.is_none() && policy.revocation.is_none());
    let everywhere = route(&policy, "GET", "/");
    assert_eq!((everywhere.auth, everywhere.accept.len()), (Auth::Required, 0));
    assert!(!policy.needs_kv() && !policy.needs_durable_objects());
}

#[test]
fn what_has_to_be_bound_is_told_with_the_field_that_asks_for_it() {
    let needs = |json: &Value| {
        let policy = policy(json);
        let names = policy.needs().into_iter().map(|Need { binding, path }| {
            format!("{binding:?}{}", path.map(|path| format!(" at {path}")).unwrap_or_default())
        });
        names.collect::<Vec<_>>()
    };
    assert_eq!(needs(&json!({})), [""; 0]);
    assert_eq!(
        needs(&json!({
            "upstream": {"service": "API"},
            "dpop": {"replays": "durable-object"},
            "revocation": {"mode": "ledger"},
            "limits": [
                {"name": "a", "requests": 9, "window_secs": 60},
                {"name": "b", "requests": 9, "window_secs": 60, "algorithm": "fixed-window",
                 "by": "ip", "store": "binding", "binding": "LIMITER"},
            ],
            "sessions": {
                "issuer": "https://gate.test/", "audience": ["a"], "secret": "SESSION_SECRET",
                "clients": [{
                    "id": "batch", "jwks_uri": "https://client.test/jwks",
                    "grants": ["client_credentials"], "scopes": ["read"],
                }],
            },
            "routes": [{"path": "/*", "limits": ["a", "b"]}],
        })),
        [
            "Kv",
            "Counters at dpop.replays",
            "Counters",
            "Ledger",
            "KeyRing",
            "Sessions",
            "Service(\"API\") at upstream.service",
            "RateLimiter(\"LIMITER\")",
        ]
    );
    let limited = json!({
        "limits": [{"name": "a", "requests": 9, "window_secs": 60}],
        "routes": [{"path": "/*", "auth": "none", "limits": ["a"]}],
    });
    assert_eq!(policy(&limited).needs(), [Need { binding: Binding::Counters, path: None }]);
}

#[test]
fn used_proofs_are_remembered_in_memory_unless_it_says_otherwise() {
    let of = |json: &Value| policy(json).replays;
    assert_eq!(of(&json!({})), Replays::Memory);
    assert_eq!(of(&json!({"dpop": {}})), Replays::Memory);
    assert_eq!(of(&json!({"dpop": {"replays": "memory"}})), Replays::Memory);
    assert_eq!(of(&json!({"dpop": {"replays": "durable-object"}})), Replays::DurableObject);
    assert_eq!(of(&json!({"dpop": {"replays": "shared"}})), Replays::DurableObject);
    assert!(policy(&json!({"dpop": {"replays": "shared"}})).needs_durable_objects());
    assert!(!policy(&json!({"dpop": {}})).needs_durable_objects());
}

#[test]
fn failed_authentication_can_be_switched_off_only_by_saying_so() {
    let off = json!({"failed_authentication": {"enabled": false}});
    assert!(policy(&off).failed_authentication.is_none());
    let on = policy(&json!({"failed_authentication": {"requests": 7}}));
    let limit = on.failed_authentication.unwrap().limit;
    assert_eq!((limit.requests(), limit.window_secs()), (7, 900));
}

#[test]
fn forward_auth_reads_the_same_address_header_where_nothing_else_is_said() {
    let policy = policy(&json!({"client_ip_header": "X-Real-IP"}));
    assert_eq!(policy.forward_auth.client_ip_header, header("X-Real-IP", 0));
}

#[test]
fn kv_is_needed_for_imported_keys_even_without_records() {
    let keys = |format: &str| {
        json!({"api_keys": {
            "prefixes": [{"prefix": "sk"}, {"prefix": "old", "format": format}],
            "environment": "live",
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
            "records": "none",
        }})
    };
    assert!(policy(&keys("imported")).needs_kv());
    assert!(!policy(&keys("edgegate")).needs_kv());
}

// ---- what is refused ----

#[test]
fn unknown_fields_are_refused_at_every_level() {
    all_refused([
        (
            "/colour",
            json!(1),
            "colour: is not a known field, expected one of upstream, forward_credential, \
             auth_prefix, cookie, credential_headers, max_token_length, identity_headers, client_ip_header, trusted_hops, forward_auth, pages, cache, preflight, \
             cors, https, hsts, security_headers, resource_metadata, legacy_headers, log, path_case, issuers, scope_includes, dpop, jwks_cache, api_keys, revocation, limits, \
             failed_authentication, routes, admin, origin, csrf, identity, identity_audience, sessions, login, accounts, watch",
        ),
        (
            "/forward_auth/colour",
            json!(1),
            "forward_auth.colour: is not a known field, expected one of client_ip_header, \
             trusted_hops, origin",
        ),
        (
            "/pages/colour",
            json!(1),
            "pages.colour: is not a known field, expected one of title, logo, accent, lang, words, template",
        ),
        (
            "/issuers/1/colour",
            json!(1),
            "issuers[1].colour: is not a known field, expected one of issuer, tenants, audience, \
             audience_claim, algorithms, secret, secrets, encoding, jwks, pem, jwks_uri, \
             discovery, allow_http, clock_tolerance_secs, max_token_age_secs, max_auth_age_secs, required_claims, claims, typ, scope_claim, \
             scope_claims, scope_map, require_exp, profile, dpop",
        ),
        (
            "/issuers/1/clockTolerance",
            json!(1),
            "issuers[1].clockTolerance: is not a known field, expected clock_tolerance_secs",
        ),
        (
            "/credential_headers",
            json!([{"name": "X-A", "issuers": ["i"], "colour": 1}]),
            "credential_headers[0].colour: is not a known field, expected one of name, issuers, beside",
        ),
        (
            "/api_keys/colour",
            json!(1),
            "api_keys.colour: is not a known field, expected one of header, prefixes, environment, \
             signing_keys, records, cache_secs",
        ),
        (
            "/api_keys/prefixes/1/colour",
            json!(1),
            "api_keys.prefixes[1].colour: is not a known field, expected one of prefix, scopes, \
             scopes_without_record, format",
        ),
        (
            "/api_keys/signing_keys/0/colour",
            json!(1),
            "api_keys.signing_keys[0].colour: is not a known field, expected id or secret",
        ),
        (
            "/revocation/colour",
            json!(1),
            "revocation.colour: is not a known field, expected one of mode, on_error, cache_secs, \
             max_staleness_secs, refresh_secs",
        ),
        (
            "/limits/1/colour",
            json!(1),
            "limits[1].colour: is not a known field, expected one of name, by, requests, \
             window_secs, window, algorithm, burst, store, binding, lease, exempt, on_error",
        ),
        (
            "/failed_authentication/colour",
            json!(1),
            "failed_authentication.colour: is not a known field, expected one of requests, \
             window_secs, penalty_secs, enabled",
        ),
        (
            "/routes/1/colour",
            json!(1),
            "routes[1].colour: is not a known field, expected one of path, methods, auth, accept, \
             issuers, claims, max_auth_age_secs, acr_values, scopes, revocation, preflight, cors, ips, limits, cost, upstream, answer, \
             grant, identity, identity_audience",
        ),
        (
            "/routes/0/scopes/colour",
            json!(1),
            "routes[0].scopes.colour: is not a known field, expected all or any",
        ),
        (
            "/cors",
            json!({"origins": ["*"], "colour": 1}),
            "cors.colour: is not a known field, expected one of origins, credentials, expose, max_age_secs",
        ),
        (
            "/admin/colour",
            json!(1),
            "admin.colour: is not a known field, expected secret or secrets",
        ),
    ]);
}

#[test]
fn a_header_gets_one_meaning() {
    const TAKEN: &str = "this header means something already, expected another name";
    const TWICE: &str = "the policy gives this header a meaning already";
    let of = |name: &str| json!([{"name": name, "issuers": ["https://edgegate.local/"]}]);
    let issuer = |fields: Value| {
        let mut policy = json!({
            "client_ip_header": "X-Client",
            "issuers": [{"issuer": "https://edgegate.local/", "audience": ["a"], "secret": "JWT_SECRET"}],
            "api_keys": {
                "header": "X-Key", "environment": "test", "prefixes": [{"prefix": "sk"}],
                "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
            },
        });
        for (name, value) in fields.as_object().unwrap() {
            policy[name] = value.clone();
        }
        read(&policy)
    };
    for name in [
        "Authorization",
        "DPoP",
        "Cookie",
        "Host",
        "Connection",
        "Transfer_Encoding",
        "Content-Length",
        "Content-Type",
        "Proxy-Authorization",
        "X-Forwarded-For",
        "x.forwarded.host",
        "X-Auth-Subject",
        "X_Auth_Key_Id",
        "X-Original-URL",
        "X-HTTP-Method-Override",
        "X-Real-IP",
        "CF-Connecting-IP",
        "Sec-Fetch-Site",
        "Origin",
        "X-API-Key",
        "X_API_KEY",
        "Access-Control-Request-Method",
        "Upgrade",
        "TE",
    ] {
        let fault = issuer(json!({"credential_headers": of(name)})).unwrap_err().to_string();
        assert_eq!(fault, format!("credential_headers[0].name: {TAKEN}"), "{name}");
    }
    for name in ["X-Client", "x_client", "X-Key", "X.Key"] {
        let fault = issuer(json!({"credential_headers": of(name)})).unwrap_err().to_string();
        assert_eq!(fault, format!("credential_headers[0].name: {TWICE}"), "{name}");
    }
    let both = json!([
        {"name": "X-A", "issuers": ["https://edgegate.local/"]},
        {"name": "x_a", "issuers": ["https://edgegate.local/"]},
    ]);
    let fault = issuer(json!({"credential_headers": both})).unwrap_err().to_string();
    assert_eq!(fault, format!("credential_headers[1].name: {TWICE}"));
    for name in ["", "X A", "X:A", "\u{e4}", &"X".repeat(65)] {
        let fault = issuer(json!({"credential_headers": of(name)})).unwrap_err().to_string();
        let expected = "expected 1 to 64 letters, digits, '-', '_' or '.'";
        assert_eq!(fault, format!("credential_headers[0].name: {expected}"), "{name}");
    }
    for name in [
        "Cf-Access-Jwt-Assertion",
        "X-Forwarded-Access-Token",
        "X-Auth-Request-Access-Token",
        "x-amzn-oidc-data",
    ] {
        let policy = issuer(json!({"credential_headers": of(name)})).unwrap();
        assert_eq!(policy.credential_headers[0].name.as_str(), name);
        assert_eq!(policy.credential_fields(), format!("Authorization, X-Key, {name}"));
    }
}

#[test]
fn an_identity_header_is_the_gates_alone() {
    const TAKEN: &str = "this header means something already, expected another name";
    let of = |headers: Value| {
        read(&json!({
            "issuers": [{"issuer": "i", "audience": ["a"], "secret": "JWT_SECRET"}],
            "credential_headers": [{"name": "X-Assertion", "issuers": ["i"]}],
            "identity_headers": headers,
        }))
    };
    for name in [
        "Authorization",
        "Host",
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "Content-Length",
        "Content-Encoding",
        "X-API-Key",
        "X-Auth-Org",
        "x_auth_org",
        "X-Forwarded-User",
        "X-Original-URL",
        "X-Real-IP",
        "Set-Cookie",
        "Sec-Purpose",
        "TE",
        "Trailer",
        "Proxy-Authorization",
        "RateLimit",
        "X-Accel-Redirect",
        "DPoP",
        "Cookie",
        "Cache-Control",
        "WWW-Authenticate",
    ] {
        let fault = of(json!({name: "org_id"})).unwrap_err().to_string();
        assert_eq!(fault, format!("identity_headers.{name}: {TAKEN}"));
    }
    for (headers, message) in [
        (
            json!({"X_Assertion": "a"}),
            "identity_headers.X_Assertion: the policy gives this header a meaning already",
        ),
        (
            json!({"X-Org": "a", "X.Org": "b"}),
            "identity_headers.X.Org: the policy gives this header a meaning already",
        ),
        (
            json!({"X-Org": ""}),
            "identity_headers.X-Org: expected the name of a claim, 1 to 200 bytes",
        ),
        (
            json!({"X Org": "a"}),
            "identity_headers.X Org: expected 1 to 64 letters, digits, '-', '_' or '.'",
        ),
        (json!({"X-Org": ["a"]}), "identity_headers.X-Org: expected a string, found a list"),
    ] {
        assert_eq!(of(headers).unwrap_err().to_string(), message);
    }
    let many: serde_json::Map<_, _> =
        (0..21).map(|index| (format!("X-C{index}"), json!("a"))).collect();
    assert_eq!(of(many.into()).unwrap_err().to_string(), "identity_headers: expected at most 20");
    let no_tokens =
        read(&json!({"identity_headers": {"X-Org": "org_id"}})).unwrap_err().to_string();
    assert_eq!(no_tokens, "identity_headers: there are no issuers, and only tokens have claims");
    assert!(of(json!({"X-Org": "org_id"})).is_ok());
}

#[test]
fn networks_of_a_route_have_to_be_some() {
    const NONE: &str = "expected an address or a network like 203.0.113.0/24 or 2001:db8::/32";
    all_refused([
        ("/routes/1/ips", json!([]), "routes[1].ips: expected a non-empty list"),
        (
            "/routes/1/ips",
            json!(["192.0.2.1", "203.0.113.7/24"]),
            format!("routes[1].ips[1]: {NONE}").as_str(),
        ),
        (
            "/routes/1/ips",
            json!(["::ffff:192.0.2.0/120"]),
            format!("routes[1].ips[0]: {NONE}").as_str(),
        ),
    ]);
}

#[test]
fn a_credential_header_names_issuers_of_the_policy() {
    for (issuers, message) in [
        (json!([]), "credential_headers[0].issuers: expected a non-empty list"),
        (json!(["x"]), "credential_headers[0].issuers[0]: no issuer has this name"),
        (
            json!(["https://edgegate.local/", "https://edgegate.local/"]),
            "credential_headers[0].issuers[1]: this issuer is listed already",
        ),
    ] {
        let policy = json!({
            "issuers": [{"issuer": "https://edgegate.local/", "audience": ["a"], "secret": "JWT_SECRET"}],
            "credential_headers": [{"name": "X-A", "issuers": issuers}],
        });
        assert_eq!(read(&policy).unwrap_err().to_string(), message);
    }
    let without = json!({"credential_headers": [{"name": "X-A", "issuers": ["i"]}]});
    let message = "credential_headers[0].issuers[0]: no issuer has this name";
    assert_eq!(read(&without).unwrap_err().to_string(), message);
    all_refused([
        (
            "/credential_headers",
            json!([{"issuers": ["i"]}]),
            "credential_headers[0].name: is required",
        ),
        (
            "/credential_headers",
            json!([{"name": "X-A"}]),
            "credential_headers[0].issuers: is required",
        ),
        (
            "/credential_headers",
            json!([{"name": "X-A", "issuers": ["i"], "beside": "both"}]),
            "credential_headers[0].beside: expected refuse or ignore",
        ),
    ]);
}

#[test]
fn only_imported_keys_have_any_form() {
    let keys = |prefixes: Value| {
        read(&json!({"api_keys": {
            "prefixes": prefixes, "environment": "test",
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
        }}))
    };
    let of_any_form = json!({"prefix": "", "format": "imported"});
    assert!(keys(json!([{"prefix": "sk"}, of_any_form])).is_ok());
    for (prefixes, message) in [
        (
            json!([{"prefix": "sk"}, of_any_form, of_any_form]),
            "api_keys.prefixes[2].prefix: this prefix is configured already",
        ),
        (json!([of_any_form]), "api_keys.prefixes: expected at least one that is not imported"),
        (
            json!([{"prefix": "sk"}, {"prefix": "_", "format": "imported"}]),
            "api_keys.prefixes[1].prefix: expected letters and digits, like sk",
        ),
    ] {
        assert_eq!(keys(prefixes).unwrap_err().to_string(), message);
    }
    let own = keys(json!([{"prefix": "sk"}, {"prefix": ""}])).unwrap_err().to_string();
    assert!(own.starts_with("api_keys.prefixes[1].prefix: expected"), "{own}");
}

#[test]
fn required_fields_are_named_when_missing() {
    for (place, message) in [
        ("/issuers/0/issuer", "issuers[0].issuer: is required"),
        ("/issuers/0/audience", "issuers[0].audience: expected a non-empty list"),
        ("/api_keys/prefixes", "api_keys.prefixes: is required"),
        ("/api_keys/environment", "api_keys.environment: is required"),
        ("/api_keys/signing_keys", "api_keys.signing_keys: is required"),
        ("/api_keys/prefixes/2/prefix", "api_keys.prefixes[2].prefix: is required"),
        ("/api_keys/signing_keys/1/id", "api_keys.signing_keys[1].id: is required"),
        ("/api_keys/signing_keys/1/secret", "api_keys.signing_keys[1].secret: is required"),
        ("/limits/1/name", "limits[1].name: is required"),
        ("/limits/1/requests", "limits[1].requests: is required"),
        ("/limits/1/window_secs", "limits[1].window_secs: expected window_secs or window"),
        ("/limits/1/binding", "limits[1].binding: expected the name of a rate-limiting binding"),
        ("/routes/0/path", "routes[0].path: is required"),
        ("/admin/secret", "admin.secret: is required where there are no secrets"),
    ] {
        refused(&without(place), message);
    }
}

#[test]
fn wrong_types_and_unknown_words_are_refused_with_what_is_expected() {
    all_refused([
        ("", json!([]), "expected an object, found a list"),
        ("", json!(null), "expected an object, found null"),
        ("", json!("eyJ"), "expected an object, found a string"),
        (
            "/upstream",
            json!(1),
            "upstream: expected a URL, or an object with url or service, found a whole number",
        ),
        (
            "/forward_credential",
            json!("yes"),
            "forward_credential: expected a boolean, found a string",
        ),
        (
            "/max_token_length",
            json!(-1),
            "max_token_length: expected a whole number, found one out of range",
        ),
        (
            "/max_token_length",
            json!(8192.5),
            "max_token_length: expected a whole number, found a fraction",
        ),
        ("/log", json!("errors"), "log: expected one of refusals, all, none"),
        ("/issuers", json!({}), "issuers: expected a list, found an object"),
        ("/issuers/0", json!("https://a"), "issuers[0]: expected an object, found a string"),
        (
            "/issuers/1/audience",
            json!("https://api.example.com"),
            "issuers[1].audience: expected a list, found a string",
        ),
        (
            "/issuers/0/audience/1",
            json!(5),
            "issuers[0].audience[1]: expected a string, found a whole number",
        ),
        (
            "/issuers/0/require_exp",
            json!("false"),
            "issuers[0].require_exp: expected a boolean, found a string",
        ),
        (
            "/issuers/0/clock_tolerance_secs",
            json!(-1),
            "issuers[0].clock_tolerance_secs: expected a whole number, found one out of range",
        ),
        ("/api_keys", json!("sk"), "api_keys: expected an object, found a string"),
        (
            "/api_keys/signing_keys/0/id",
            json!(256),
            "api_keys.signing_keys[0].id: expected a whole number, found one out of range",
        ),
        (
            "/api_keys/records",
            json!("maybe"),
            "api_keys.records: expected one of required, optional, none",
        ),
        (
            "/api_keys/prefixes/0",
            json!("sk"),
            "api_keys.prefixes[0]: expected an object, found a string",
        ),
        (
            "/api_keys/prefixes/0/scopes_without_record",
            json!("admin"),
            "api_keys.prefixes[0].scopes_without_record: expected a list, found a string",
        ),
        (
            "/api_keys/prefixes/0/scopes_without_record",
            json!(["admin", "a b"]),
            "api_keys.prefixes[0].scopes_without_record[1]: expected a scope like read:posts",
        ),
        (
            "/api_keys/prefixes/1/scopes_without_record",
            json!(["read:posts", "admin"]),
            "api_keys.prefixes[1].scopes_without_record[1]: is not among the prefix's scopes",
        ),
        (
            "/api_keys/prefixes/2/scopes_without_record",
            json!([]),
            "api_keys.prefixes[2].scopes_without_record: an imported key is known by its record alone",
        ),
        (
            "/api_keys/prefixes/0/format",
            json!("stripe"),
            "api_keys.prefixes[0].format: expected edgegate or imported",
        ),
        (
            "/revocation/mode",
            json!("snapshots"),
            "revocation.mode: expected one of entries, snapshot, ledger",
        ),
        ("/revocation/on_error", json!("ignore"), "revocation.on_error: expected deny or allow"),
        (
            "/revocation/cache_secs",
            json!("10"),
            "revocation.cache_secs: expected a whole number, found a string",
        ),
        (
            "/limits/0/by",
            json!("user"),
            "limits[0].by: expected caller, subject, api_key, ip, issuer, route, or a list of them",
        ),
        (
            "/limits/0/by",
            json!(["ip", "user"]),
            "limits[0].by[1]: expected one of caller, subject, api_key, ip, issuer, route",
        ),
        (
            "/limits/0/requests",
            json!(4_294_967_296_u64),
            "limits[0].requests: expected a whole number, found one out of range",
        ),
        (
            "/limits/0/algorithm",
            json!("leaky-bucket"),
            "limits[0].algorithm: expected one of fixed-window, sliding-window, token-bucket",
        ),
        (
            "/limits/0/store",
            json!("redis"),
            "limits[0].store: expected one of memory, kv, durable-object, shared, binding",
        ),
        ("/limits/0/on_error", json!("ignore"), "limits[0].on_error: expected deny or allow"),
        (
            "/dpop",
            json!({"replays": "kv"}),
            "dpop.replays: expected one of memory, durable-object, shared",
        ),
        (
            "/dpop",
            json!({"replay": "shared"}),
            "dpop.replay: is not a known field, expected replays",
        ),
        ("/dpop", json!("required"), "dpop: expected an object, found a string"),
        (
            "/routes/0/auth",
            json!("off"),
            "routes[0].auth: expected one of required, optional, none",
        ),
        ("/routes/0/accept/0", json!("basic"), "routes[0].accept[0]: expected jwt or api_key"),
        (
            "/routes/0/scopes",
            json!("read:posts"),
            "routes[0].scopes: expected an object, found a string",
        ),
        ("/routes/0/methods", json!("GET"), "routes[0].methods: expected a list, found a string"),
        ("/admin", json!("ADMIN_TOKEN"), "admin: expected an object, found a string"),
    ]);
}

#[test]
fn no_place_takes_a_value_of_another_kind() {
    let policy = full();
    let mut places = Vec::new();
    collect_places(&policy, "", &mut places);
    assert!(places.len() > 80, "{}", places.len());
    for place in places {
        // What is inside `jwks` is the business of keys, whose faults are at `jwks`.
        if place.contains("/jwks/") {
            continue;
        }
        for wrong in [json!(null), json!(-1.5), json!([[]]), json!({"eyJ": "eyJ"})] {
            let mut changed = policy.clone();
            put(&mut changed, &place, wrong.clone());
            match read(&changed) {
                // Nothing said, where nothing has to be.
                Ok(_) => assert!(wrong.is_null(), "{place}: {wrong}"),
                Err(Error::Config { path, problem }) => {
                    let named = path.replace('[', "/").replace(['.', ']'], "/");
                    let named = format!("/{}", named.replace("//", "/").trim_end_matches('/'));
                    // The fault is here or below, or in what this place is needed for.
                    let related = named.starts_with(&place)
                        || wrong.is_null()
                        || (place.starts_with("/limits/0/by/") && named == "/limits/0/by");
                    assert!(related, "{place}: {wrong}: {path}: {problem}");
                    assert!(!format!("{path}{problem}").contains("eyJ\""), "{problem}");
                }
                Err(other) => panic!("{place}: {other}"),
            }
        }
    }
}

fn collect_places(value: &Value, place: &str, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                places.push(format!("{place}/{name}"));
                collect_places(member, &format!("{place}/{name}"), places);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places.push(format!("{place}/{index}"));
                collect_places(item, &format!("{place}/{index}"), places);
            }
        }
        _ => {}
    }
}

#[test]
fn secrets_have_to_be_there_and_strong() {
    all_refused([
        ("/issuers/0/secret", json!("NONE"), "issuers[0].secret: there is no secret named NONE"),
        (
            "/issuers/0/secret",
            json!("SHORT"),
            "issuers[0].secret: secret has 31 bytes, expected at least 32",
        ),
        (
            "/issuers/0/secret",
            json!("EMPTY"),
            "issuers[0].secret: secret has 0 bytes, expected at least 32",
        ),
        (
            "/issuers/0/secret",
            json!("PEM"),
            "issuers[0].secret: secret is a PEM, JWK, SSH or DER key or certificate, expected \
             random bytes",
        ),
        (
            "/issuers/0/algorithms/0",
            json!("HS512"),
            "issuers[0].secret: secret has 32 bytes, expected at least 64",
        ),
        (
            "/api_keys/signing_keys/1/secret",
            json!("NONE"),
            "api_keys.signing_keys[1].secret: there is no secret named NONE",
        ),
        (
            "/api_keys/signing_keys/1/secret",
            json!("SHORT"),
            "api_keys.signing_keys[1].secret: secret has 31 bytes, expected at least 32",
        ),
        ("/admin/secret", json!("NONE"), "admin.secret: there is no secret named NONE"),
        (
            "/admin/secret",
            json!("SHORT"),
            "admin.secret: secret has 31 bytes, expected at least 32",
        ),
    ]);
}

#[test]
fn issuers_need_an_audience_and_exactly_one_source_of_keys() {
    all_refused([
        ("/issuers/1/issuer", json!(""), "issuers[1].issuer: expected a non-empty string"),
        (
            "/issuers/1/issuer",
            json!("https://c.example/"),
            "issuers[2].issuer: the same issuer twice, expected algorithms of different families",
        ),
        ("/issuers/1/audience", json!([]), "issuers[1].audience: expected a non-empty list"),
        ("/issuers/1/audience", json!(null), "issuers[1].audience: expected a non-empty list"),
        ("/issuers/1/audience", json!(["a", ""]), "issuers[1].audience: expected a non-empty list"),
        ("/issuers/1/algorithms", json!([]), "issuers[1].algorithms: expected a non-empty list"),
        (
            "/issuers/1/algorithms",
            json!(["ES256", "none"]),
            "issuers[1].algorithms[1]: expected an algorithm like RS256, ES256, EdDSA or HS256",
        ),
        (
            "/issuers/1/algorithms",
            json!(["es256"]),
            "issuers[1].algorithms[0]: expected an algorithm like RS256, ES256, EdDSA or HS256",
        ),
        ("/issuers/1/algorithms", json!(["RS256"]), "issuers[1].algorithms: no key serves RS256"),
        (
            "/issuers/1/algorithms",
            json!(["ES256", "HS256"]),
            "issuers[1].algorithms: HMAC beside public-key algorithms, expected one or the other",
        ),
        (
            "/issuers/2/algorithms",
            json!(["HS256"]),
            "issuers[2].algorithms: HMAC with published keys, expected a public-key algorithm",
        ),
        (
            "/issuers/0/algorithms",
            json!(["HS256", "HS384"]),
            "issuers[0].algorithms: expected exactly one algorithm for a secret",
        ),
        (
            "/issuers/0/algorithms",
            json!(["RS256"]),
            "issuers[0].secret: a secret cannot serve RS256, expected HS256, HS384 or HS512",
        ),
        (
            "/issuers/1/secret",
            json!("JWT_SECRET"),
            "issuers[1]: expected exactly one of secret, secrets, jwks, pem, jwks_uri, discovery",
        ),
        (
            "/issuers/1/jwks_uri",
            json!("https://b.example/jwks"),
            "issuers[1]: expected exactly one of secret, secrets, jwks, pem, jwks_uri, discovery",
        ),
        (
            "/issuers/1/jwks",
            json!(null),
            "issuers[1]: expected exactly one of secret, secrets, jwks, pem, jwks_uri, discovery",
        ),
        (
            "/issuers/1/jwks",
            json!({"keys": []}),
            "issuers[1].jwks: no usable key, expected at least one",
        ),
        ("/issuers/1/jwks", json!("eyJ"), "issuers[1].jwks: JWKS: not a JSON object"),
        (
            "/issuers/0/clock_tolerance_secs",
            json!(601),
            "issuers[0].clock_tolerance_secs: expected at most 600 seconds",
        ),
        ("/max_token_length", json!(0), "max_token_length: expected at least 1"),
        ("/issuers/1/profile", json!("id-token"), "issuers[1].profile: expected access-token"),
        ("/issuers/1/dpop", json!("on"), "issuers[1].dpop: expected off, optional or required"),
    ]);
    for url in ["http://api.example.com/", "https://a.test/\"x", "https://a.test/#x", "/here", ""] {
        let problem = "expected an https URL (http only on loopback) without a fragment";
        let mut policy = full();
        policy["resource_metadata"] = json!(url);
        refused(&policy, &format!("resource_metadata: {problem}"));
    }
    for (field, value, message) in [
        ("typ", json!("JWT"), "typ: the profile wants at+jwt, expected that or nothing"),
        (
            "require_exp",
            json!(false),
            "require_exp: the profile wants exp, expected true or nothing",
        ),
    ] {
        let mut contradiction = full();
        put(&mut contradiction, "/issuers/1/profile", json!("access-token"));
        put(&mut contradiction, &format!("/issuers/1/{field}"), value);
        refused(&contradiction, &format!("issuers[1].{message}"));
    }
    let mut pem = without("/issuers/1/jwks");
    put(&mut pem, "/issuers/1/pem", json!("-----BEGIN PUBLIC KEY-----"));
    refused(&pem, "issuers[1].pem: not one PEM block, expected -----BEGIN PUBLIC KEY-----");
}

#[test]
fn addresses_have_to_be_plain_urls() {
    for upstream in [
        "",
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https:///path",
        "https://user@api.example.com",
        "https://api.example.com?x=1",
        "https://api.example.com#x",
        "https://api.example.com\\x",
        "https://api.example.com/a b",
        "https://api.example.com/\n",
        "https://ä.example/",
    ] {
        refused(
            &with("/upstream", json!(upstream)),
            "upstream: expected a URL like https://api.example.com",
        );
    }
    for (upstream, read) in [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://api.example.com//", "https://api.example.com"),
        ("https://[2001:db8::1]/base", "https://[2001:db8::1]/base"),
    ] {
        let policy = policy(&with("/upstream", json!(upstream)));
        assert_eq!(policy.upstream, Some(Upstream::at(Address::Url(read.to_owned()))));
    }
    for uri in [
        "",
        "c.example/jwks",
        "http://c.example/jwks",
        "http://localhost.c.example/jwks",
        "http://127.0.0.1.c.example/jwks",
        "http://localhost:1@c.example/jwks",
        "https:///jwks",
        "https://user@c.example/jwks",
        "https://c.example/jwks#x",
        "https://c.example\\jwks",
        "https://c.example/j wks",
    ] {
        refused(
            &with("/issuers/2/jwks_uri", json!(uri)),
            "issuers[2].jwks_uri: expected an https URL (http only on loopback)",
        );
    }
    for uri in [
        "https://c.example/jwks?v=1",
        "http://127.0.0.1:9/jwks",
        "http://localhost/jwks",
        "http://[::1]:9/jwks",
    ] {
        assert!(read(&with("/issuers/2/jwks_uri", json!(uri))).is_ok(), "{uri}");
    }
}

#[test]
fn names_have_to_be_plain() {
    let token = "expected 1 to 64 letters, digits, '-', '_' or '.'";
    for name in ["", "a b", "a;b", "a=b", "ä", "a\n", &"a".repeat(65)] {
        for (place, path) in [
            ("/cookie", "cookie"),
            ("/client_ip_header", "client_ip_header"),
            ("/forward_auth/client_ip_header", "forward_auth.client_ip_header"),
            ("/limits/1/binding", "limits[1].binding"),
        ] {
            refused(&with(place, json!(name)), &format!("{path}: {token}"));
        }
    }
    for prefix in ["", "/", "auth", "/auth/", "//auth", "/a/../b", "/a.b", "/a b", "/{x}", "/*"] {
        refused(&with("/auth_prefix", json!(prefix)), "auth_prefix: expected a path like /auth");
    }
}

#[test]
fn api_keys_need_names_that_can_be_told_apart() {
    all_refused([
        (
            "/api_keys/environment",
            json!("Live"),
            "api_keys.environment: expected 1 to 16 lower-case letters and digits, a letter first",
        ),
        (
            "/api_keys/environment",
            json!("li_ve"),
            "api_keys.environment: expected 1 to 16 lower-case letters and digits, a letter first",
        ),
        (
            "/api_keys/prefixes/1/prefix",
            json!("sk"),
            "api_keys.prefixes[1].prefix: this prefix is configured already",
        ),
        (
            "/api_keys/prefixes/2/prefix",
            json!("sk"),
            "api_keys.prefixes[2].prefix: this prefix is configured already",
        ),
        (
            "/api_keys/prefixes/2/prefix",
            json!("1legacy"),
            "api_keys.prefixes[2].prefix: expected letters and digits, like sk",
        ),
        (
            "/api_keys/prefixes/1/scopes",
            json!(["read:posts", ""]),
            "api_keys.prefixes[1].scopes[1]: expected a scope like read:posts",
        ),
        (
            "/api_keys/prefixes/1/scopes",
            json!(["read posts"]),
            "api_keys.prefixes[1].scopes[0]: expected a scope like read:posts",
        ),
        ("/api_keys/signing_keys", json!([]), "api_keys.signing_keys: expected a non-empty list"),
        (
            "/api_keys/signing_keys/1/id",
            json!(1),
            "api_keys.signing_keys[1].id: id 1 is given twice",
        ),
        ("/api_keys/cache_secs", json!(3601), "api_keys.cache_secs: expected at most 3600 seconds"),
    ]);
    assert!(read(&with("/api_keys/cache_secs", json!(3600))).is_ok());
}

#[test]
fn limits_have_to_be_possible_and_consistent() {
    let window = "expected 1 to 2678400 (31 days)";
    all_refused([
        (
            "/limits/0/name",
            json!("Per Caller"),
            "limits[0].name: expected 1 to 64 of a-z, 0-9, - and _, a letter first",
        ),
        (
            "/limits/0/name",
            json!(""),
            "limits[0].name: expected 1 to 64 of a-z, 0-9, - and _, a letter first",
        ),
        ("/limits/1/name", json!("per-caller"), "limits[1].name: a limit has this name already"),
        ("/limits/0/requests", json!(0), "limits[0].requests: expected at least 1"),
        ("/limits/0/window_secs", json!(0), &format!("limits[0].window_secs: {window}")),
        ("/limits/0/window_secs", json!(2_678_401), &format!("limits[0].window_secs: {window}")),
        ("/limits/0/burst", json!(0), "limits[0].burst: expected at least 1"),
        ("/limits/1/burst", json!(5), "limits[1].burst: expected with token-bucket only"),
        ("/limits/0/binding", json!("X"), "limits[0].binding: only store = binding has a binding"),
        ("/limits/0/by", json!([]), "limits[0].by: expected a non-empty list"),
        (
            "/failed_authentication/requests",
            json!(0),
            "failed_authentication.requests: expected at least 1",
        ),
        (
            "/failed_authentication/window_secs",
            json!(0),
            &format!("failed_authentication.window_secs: {window}"),
        ),
    ]);
    let mut sliding = with("/limits/1/algorithm", json!("sliding-window"));
    put(&mut sliding, "/limits/1/burst", json!(1));
    refused(&sliding, "limits[1].burst: expected with token-bucket only");
}

#[test]
fn routes_name_only_what_exists_and_what_makes_sense() {
    all_refused([
        ("/routes/0/path", json!(""), "routes[0].path: expected a path that begins with a slash"),
        ("/routes/0/path", json!("/a//b"), "routes[0].path: expected no empty segment"),
        (
            "/routes/0/path",
            json!("/a/*/b"),
            "routes[0].path: expected plain segments, {name}, or * at the end",
        ),
        ("/routes/0/path", json!("/a/{"), "routes[0].path: expected a parameter like {id}"),
        ("/routes/0/methods", json!([]), "routes[0].methods: expected a non-empty list"),
        (
            "/routes/0/methods",
            json!(["GET", "post"]),
            "routes[0].methods[1]: expected a method in capitals, like GET",
        ),
        (
            "/routes/0/methods",
            json!([""]),
            "routes[0].methods[0]: expected a method in capitals, like GET",
        ),
        ("/routes/0/limits", json!(["other"]), "routes[0].limits[0]: no limit has this name"),
        (
            "/routes/0/limits",
            json!(["per-caller", "per-caller"]),
            "routes[0].limits[1]: this limit is listed already",
        ),
        (
            "/routes/0/cost",
            json!(21),
            "routes[0].cost: costs more than one of its limits ever allows",
        ),
        (
            "/routes/1/cost",
            json!(2),
            "routes[1].cost: a rate-limiting binding counts every request as one",
        ),
        (
            "/routes/0/scopes/all",
            json!(["read:posts", "\""]),
            "routes[0].scopes.all[1]: expected a scope like read:posts",
        ),
        (
            "/routes/0/scopes/any",
            json!([""]),
            "routes[0].scopes.any[0]: expected a scope like read:posts",
        ),
        (
            "/routes/1/accept",
            json!(["jwt"]),
            "routes[1].accept: a route with auth = none accepts none",
        ),
        (
            "/routes/1/scopes",
            json!({"any": ["a"]}),
            "routes[1].scopes: a route with auth = none has no scopes",
        ),
    ]);
    refused(&without("/issuers"), "routes[0].accept[0]: there are no issuers");
    let mut keys = without("/api_keys");
    put(&mut keys, "/routes/0/accept", json!(["jwt", "api_key"]));
    refused(&keys, "routes[0].accept[1]: there is no api_keys section");
    refused(
        &json!({"routes": [{"path": "/open", "auth": "none"}, {"path": "/a"}]}),
        "routes[1].accept: no credential is accepted: configure issuers or api_keys",
    );
}

#[test]
fn routes_that_are_never_reached_are_refused() {
    let routes = |routes: Value| json!({"routes": routes});
    for (earlier, later) in [
        (json!({"path": "/*"}), json!({"path": "/a"})),
        (json!({"path": "/a/{x}"}), json!({"path": "/a/{y}", "methods": ["GET"]})),
        (json!({"path": "/a", "methods": ["GET"]}), json!({"path": "/a/", "methods": ["HEAD"]})),
        (
            json!({"path": "/a/*", "methods": ["GET", "PUT"]}),
            json!({"path": "/a/b", "methods": ["PUT", "HEAD", "GET"]}),
        ),
    ] {
        let mut list = json!([{"path": "/first"}, earlier, later]);
        for route in list.as_array_mut().unwrap() {
            route["auth"] = json!("none");
        }
        refused(&routes(list), "routes[2]: is never reached, routes[1] matches first");
    }
    for (earlier, later) in [
        (json!({"path": "/a", "methods": ["HEAD"]}), json!({"path": "/a", "methods": ["GET"]})),
        (json!({"path": "/a", "methods": ["GET"]}), json!({"path": "/a"})),
        (json!({"path": "/a/b"}), json!({"path": "/a/{x}"})),
    ] {
        let mut list = json!([earlier, later]);
        for route in list.as_array_mut().unwrap() {
            route["auth"] = json!("none");
        }
        assert!(read(&routes(list.clone())).is_ok(), "{list}");
    }
}

#[test]
fn text_that_is_no_policy_is_refused_with_its_place() {
    for (text, message) in [
        ("", "expected JSON: EOF while parsing a value at line 1 column 0"),
        ("{", "expected JSON: EOF while parsing an object at line 1 column 1"),
        ("{} {}", "expected JSON: trailing characters at line 1 column 4"),
        (r#"{"log": "all", "log": "none"}"#, "log: is given twice"),
        (
            r#"{"issuers": [{"issuer": "a", "jwks": {"keys": [{"kid": "a", "kid": "b"}]}}]}"#,
            "issuers[0].jwks.keys[0].kid: is given twice",
        ),
        (
            r#"{"failed_authentication": {"enabled": true, "enabled": false}}"#,
            "failed_authentication.enabled: is given twice",
        ),
        (
            "{\"log\": \"\u{1}\"}",
            "expected JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 10",
        ),
        ("upstream = 'x'", "expected JSON: expected value at line 1 column 1"),
    ] {
        let fault = Policy::from_json(text, &bindings()).unwrap_err();
        assert_eq!(fault.to_string(), message, "{text}");
    }
}

#[test]
fn cors_that_would_not_mean_what_it_looks_like_is_refused() {
    let app = "https://app.example.com";
    for (section, problem) in [
        (json!({"origins": []}), "origins: expected a non-empty list"),
        (json!({"origins": [app, app]}), "origins[1]: this origin is listed already"),
        (
            json!({"origins": [app, "*"]}),
            "origins[1]: * stands for all origins, expected no others beside it",
        ),
        (
            json!({"origins": ["*"], "credentials": true}),
            "origins[0]: every page could act as its visitor, expected no * with credentials",
        ),
        (
            json!({"origins": [app, "null"], "credentials": true}),
            "origins[1]: every page can be null, expected no null with credentials",
        ),
        (
            json!({"origins": ["https://app.example.com/"]}),
            "origins[0]: expected an origin as browsers send it, like https://app.example.com, or null",
        ),
        (
            json!({"origins": ["https://app.example.com:443"]}),
            "origins[0]: browsers leave the usual port of a scheme out, expected none",
        ),
        (json!({"origins": [app], "expose": ["a b"]}), "expose[0]: expected the name of a header"),
        (
            json!({"origins": [app], "max_age_secs": 86_401}),
            "max_age_secs: expected at most 86400 seconds: no browser keeps it longer",
        ),
    ] {
        refused(&json!({"cors": section}), &format!("cors.{problem}"));
        let of_route = json!({"routes": [{"path": "/a", "auth": "none", "cors": section}]});
        refused(&of_route, &format!("routes[0].cors.{problem}"));
    }
    refused(&json!({"cors": {}}), "cors.origins: is required");
}

#[test]
fn issuers_and_claims_of_a_route_that_could_not_hold_are_refused() {
    let issuers = json!([{"issuer": "i", "audience": ["a"], "algorithms": ["HS256"], "secret": "JWT_SECRET"}]);
    let expected = "expected a text, a number, true or false, a list of these, or a parameter of the path like {org}";
    for (fields, problem) in [
        (json!({"issuers": []}), "issuers: expected a non-empty list"),
        (json!({"issuers": ["i", "i"]}), "issuers[1]: this issuer is listed already"),
        (json!({"issuers": ["i", "j"]}), "issuers[1]: the policy has no such issuer"),
        (
            json!({"issuers": ["i"], "auth": "optional"}),
            "issuers: who leaves the token out would pass, expected auth = required",
        ),
        (
            json!({"claims": {"a": 1}, "auth": "none"}),
            "claims: a route with auth = none looks at no token",
        ),
        (
            json!({"max_auth_age_secs": 60, "auth": "optional"}),
            "max_auth_age_secs: who leaves the token out would pass, expected auth = required",
        ),
        (
            json!({"acr_values": ["gold"], "accept": ["jwt", "api_key"]}),
            "accept[1]: there is no api_keys section",
        ),
        (json!({"max_auth_age_secs": 59}), "max_auth_age_secs: expected at least 60"),
        (json!({"acr_values": []}), "acr_values: expected a non-empty list"),
        (
            json!({"acr_values": ["gold", "a b"]}),
            "acr_values[1]: expected 1 to 200 characters of ASCII without spaces, quotes and backslashes",
        ),
        (json!({"claims": {}}), "claims: expected at least one claim"),
        (json!({"claims": []}), "claims: expected an object, found a list"),
        (json!({"claims": {"": "x"}}), "claims: expected a name of a claim"),
        (json!({"claims": {"a": "{nope}"}}), "claims.a: the path has no parameter of this name"),
        (json!({"claims": {"a": "{x}"}}), "claims.a: the path has two parameters of this name"),
        (json!({"claims": {"a": "org-{org}"}}), &format!("claims.a: {expected}")),
        (json!({"claims": {"a": "{org}{x}"}}), &format!("claims.a: {expected}")),
        (json!({"claims": {"a": ["{org}"]}}), &format!("claims.a: {expected}")),
        (json!({"claims": {"a": []}}), &format!("claims.a: {expected}")),
        (json!({"claims": {"a": null}}), &format!("claims.a: {expected}")),
        (json!({"claims": {"a": {"b": 1}}}), &format!("claims.a: {expected}")),
    ] {
        let mut route = fields;
        route["path"] = json!("/o/{org}/{x}/{x}");
        refused(&json!({"issuers": issuers, "routes": [route]}), &format!("routes[0].{problem}"));
    }
    let mut document = full();
    document["routes"] = json!([{"path": "/a", "accept": ["jwt", "api_key"], "claims": {"a": 1}}]);
    refused(&document, "routes[0].claims: an API key has none, expected accept = [\"jwt\"]");
}

#[test]
fn destinations_that_could_not_work_are_refused() {
    for (fields, problem) in [
        (json!({"upstream": {}}), "upstream: expected either url or service"),
        (
            json!({"upstream": {"url": "https://a.test", "service": "A"}}),
            "upstream: expected either url or service",
        ),
        (json!({"upstream": "a.test"}), "upstream: expected a URL like https://api.example.com"),
        (
            json!({"upstream": {"url": "https://a.test?b"}}),
            "upstream.url: expected a URL like https://api.example.com",
        ),
        (
            json!({"upstream": {"service": "a-b"}}),
            "upstream.service: expected the name of a service binding",
        ),
        (
            json!({"upstream": {"service": "A", "strip_prefix": "api"}}),
            "upstream.strip_prefix: expected a path that begins with a slash",
        ),
        (
            json!({"upstream": {"service": "A", "strip_prefix": "/"}}),
            "upstream.strip_prefix: expected plain segments, like /api",
        ),
        (
            json!({"upstream": {"service": "A", "strip_prefix": "/api/{v}"}}),
            "upstream.strip_prefix: expected plain segments, like /api",
        ),
        (
            json!({"upstream": {"service": "A", "strip_prefix": "/ap"}}),
            "upstream.strip_prefix: expected what the path of the route begins with",
        ),
        (
            json!({"upstream": {"service": "A", "strip_prefix": "/api/x/y"}}),
            "upstream.strip_prefix: expected what the path of the route begins with",
        ),
        (
            json!({"upstream": {"service": "A", "add_prefix": "/a/../b"}}),
            "upstream.add_prefix: expected a path like /v2",
        ),
        (
            json!({"upstream": {"service": "A", "add_prefix": "/v2?a"}}),
            "upstream.add_prefix: expected a path like /v2",
        ),
        (
            json!({"upstream": {"service": "A", "timeout_ms": 0}}),
            "upstream.timeout_ms: expected 1 to 600000 milliseconds",
        ),
        (
            json!({"upstream": {"service": "A", "retries": 4}}),
            "upstream.retries: expected at most 3",
        ),
        (
            json!({"upstream": {"service": "A", "colour": 4}}),
            "upstream.colour: is not a known field, expected one of url, service, strip_prefix, add_prefix, timeout_ms, retries",
        ),
        (
            json!({"upstream": "https://a.test", "answer": {}}),
            "answer: no upstream is asked where the gate answers, expected one of the two",
        ),
        (
            json!({"answer": {"status": 301}}),
            "answer.status: expected 200 to 299 or 400 to 599: it cannot say where to go",
        ),
        (
            json!({"answer": {"status": 101}}),
            "answer.status: expected 200 to 299 or 400 to 599: it cannot say where to go",
        ),
        (json!({"answer": {"body": 7}}), "answer.body: expected a text, an object or a list"),
        (
            json!({"answer": {"status": 204, "body": "x"}}),
            "answer.body: an answer with 204 has no body",
        ),
    ] {
        let mut route = fields;
        route["path"] = json!("/api/x/*");
        route["auth"] = json!("none");
        refused(&json!({ "routes": [route] }), &format!("routes[0].{problem}"));
    }
    refused(
        &json!({"upstream": {"url": "https://a.test", "strip_prefix": "/api"}}),
        "upstream.strip_prefix: expected on a route, whose path begins with it",
    );
    let twice =
        r#"{"routes": [{"path": "/a", "auth": "none", "answer": {"body": {"a": 1, "a": 2}}}]}"#;
    assert_eq!(
        Policy::from_json(twice, &bindings()).unwrap_err().to_string(),
        "routes[0].answer.body.a: is given twice"
    );
    let names: Vec<_> = policy(&json!({
        "upstream": {"service": "A", "timeout_ms": 9},
        "routes": [
            {"path": "/a", "auth": "none", "upstream": "https://a.test"},
            {"path": "/b", "auth": "none", "upstream": {"service": "B"}},
        ],
    }))
    .service_bindings()
    .map(|(path, name)| format!("{path} {name}"))
    .collect();
    assert_eq!(names, ["upstream.service A", "routes[1].upstream.service B"]);
}

#[test]
fn what_browsers_are_told_is_checked() {
    for (fields, problem) in [
        (json!({"https": "upgrade"}), "https: expected redirect or refuse"),
        (
            json!({"hsts": false}),
            "hsts: there is none without https or security_headers, expected no false",
        ),
        (
            json!({"hsts": {"preload": true, "max_age_secs": 60}}),
            "hsts.preload: expected max_age_secs of at least 31536000 and include_subdomains beside it",
        ),
        (
            json!({"hsts": {"preload": true, "include_subdomains": false}}),
            "hsts.preload: expected max_age_secs of at least 31536000 and include_subdomains beside it",
        ),
        (
            json!({"security_headers": 1}),
            "security_headers: expected true, false, or an object of headers",
        ),
        (
            json!({"security_headers": {"x_frame_options": true}}),
            "security_headers.x_frame_options: expected the value of the header, or false to leave it out",
        ),
        (
            json!({"security_headers": {"x_frame_options": "a\nb"}}),
            "security_headers.x_frame_options: expected the value of the header, or false to leave it out",
        ),
    ] {
        refused(&fields, problem);
    }
    let unknown = read(&json!({"security_headers": {"x_frame": "DENY"}})).unwrap_err().to_string();
    assert!(
        unknown.starts_with(
            "security_headers.x_frame: is not a known field, expected one of content_"
        )
    );
    let hsts = |fields: Value| policy(&fields).security_headers.hsts;
    let usual = Some("max-age=31536000; includeSubDomains".to_owned());
    assert_eq!(hsts(json!({})), None);
    assert_eq!(hsts(json!({"security_headers": false})), None);
    assert_eq!(hsts(json!({"https": "refuse"})), usual);
    assert_eq!(hsts(json!({"security_headers": true})), usual);
    assert_eq!(hsts(json!({"hsts": true})), usual);
    assert_eq!(hsts(json!({"https": "refuse", "hsts": false})), None);
    let own = json!({"hsts": {"max_age_secs": 60, "include_subdomains": false}});
    assert_eq!(hsts(own), Some("max-age=60".to_owned()));
    let given = policy(&json!({
        "security_headers": {"x_frame_options": "DENY", "content_security_policy": false},
    }));
    let fields = given.security_headers.fields;
    assert_eq!(fields.len(), 10);
    assert!(fields.contains(&("X-Frame-Options", "DENY".to_owned())));
    assert!(fields.contains(&("X-Content-Type-Options", "nosniff".to_owned())));
}

#[test]
fn depth_and_size_neither_trap_nor_hang() {
    let deep = format!(r#"{{"issuers": {}"#, "[".repeat(200_000));
    assert_eq!(
        Policy::from_json(&deep, &bindings()).unwrap_err().to_string(),
        "expected JSON: recursion limit exceeded at line 1 column 139"
    );
    let deep = format!(r#"{{"issuers": [{{"issuer": "i", "jwks": {}"#, "[".repeat(200_000));
    assert_eq!(
        Policy::from_json(&deep, &bindings()).unwrap_err().to_string(),
        "expected JSON: recursion limit exceeded at line 1 column 162"
    );
    let long = "x".repeat(1 << 20);
    refused(
        &json!({ &long: 1 }),
        "?: is not a known field, expected one of upstream, forward_credential, auth_prefix, \
         cookie, credential_headers, max_token_length, identity_headers, client_ip_header, trusted_hops, forward_auth, pages, cache, preflight, cors, https, hsts, security_headers, resource_metadata, legacy_headers, log, \
         path_case, issuers, scope_includes, dpop, jwks_cache, api_keys, revocation, limits, failed_authentication, routes, admin, origin, csrf, identity, identity_audience, sessions, login, accounts, watch",
    );
    refused(&json!({ "log": long }), "log: expected one of refusals, all, none");
    let routes: Vec<Value> =
        (0..1500).map(|n| json!({"path": format!("/r{n}"), "auth": "none"})).collect();
    let many = policy(&json!({ "routes": routes }));
    assert_eq!(route(&many, "GET", "/r1499").path(), "/r1499");
}

#[test]
fn no_message_and_no_debug_output_holds_a_secret() {
    let policy = policy(&full());
    let shown = format!("{policy:?}");
    for (name, secret) in bindings().0 {
        if let Ok(text) = String::from_utf8(secret) {
            assert!(text.is_empty() || !shown.contains(&text), "{name}");
        }
    }
    let fault = read(&with("/issuers/0/secret", json!("SHORT"))).unwrap_err();
    assert!(!format!("{fault:?}").contains("only-31"), "{fault:?}");
}

// ---- the example ----

/// `[vars.POLICY]` of `wrangler.toml` as the Worker gets it.
fn example() -> Value {
    let config: toml::Table = toml::from_str(include_str!("../../wrangler.toml")).unwrap();
    serde_json::to_value(&config["vars"]["POLICY"]).unwrap()
}

#[test]
fn the_example_policy_is_valid_and_fits_into_a_variable() {
    assert!(example().to_string().len() < 5 * 1024);
    let policy = policy(&example());
    let issuer = &policy.verifier.as_ref().unwrap().issuers()[0];
    assert_eq!(issuer.rules.issuer, "https://edgegate.local/");
    assert_eq!(issuer.rules.audience, ["https://api.example.com"]);
    assert_eq!(issuer.algorithms, [Algorithm::Hs256]);
    let keys = policy.api_keys.as_ref().unwrap();
    assert_eq!(keys.keys.environment(), "test");
    assert_eq!(keys.keys.prefixes().collect::<Vec<_>>(), ["sk", "pk"]);
    assert_eq!(keys.records, Records::Required);
    assert_eq!(policy.revocation.unwrap().on_error, OnError::Deny);
    assert_eq!(policy.auth_prefix, "/auth");
    assert!(policy.admin.is_some() && policy.upstream.is_none());
}

#[test]
fn the_example_policy_routes_as_documented() {
    let policy = policy(&example());
    let any = [CredentialKind::Jwt, CredentialKind::ApiKey];
    for (method, target, pattern, auth, scopes) in [
        ("GET", "/public", "/public/*", Auth::None, ""),
        ("GET", "/public/a/b?x=1", "/public/*", Auth::None, ""),
        ("HEAD", "/public/a", "/public/*", Auth::None, ""),
        ("POST", "/public/a", "/*", Auth::Required, ""),
        ("GET", "/publicity", "/*", Auth::Required, ""),
        ("GET", "/v1/posts", "/v1/posts", Auth::Required, "read:posts"),
        ("HEAD", "/v1/posts/", "/v1/posts", Auth::Required, "read:posts"),
        ("POST", "/v1/posts", "/v1/posts", Auth::Required, "write:posts"),
        ("DELETE", "/v1/posts", "/*", Auth::Required, ""),
        ("GET", "/v1/posts/7", "/*", Auth::Required, ""),
        ("GET", "/v1/limited", "/v1/limited", Auth::Required, ""),
        ("GET", "/", "/*", Auth::Required, ""),
    ] {
        let route = route(&policy, method, target);
        let found = (route.path(), route.auth, route.all_scopes.join(" "));
        assert_eq!(found, (pattern, auth, scopes.to_owned()), "{method} {target}");
        assert_eq!(route.accept, any, "{method} {target}");
        let limits: Vec<&str> = policy.limits_of(route).map(|known| known.limit.name()).collect();
        let limited = if pattern == "/v1/limited" { vec!["five-a-minute"] } else { vec![] };
        assert_eq!(limits, limited, "{method} {target}");
    }
    let limited = route(&policy, "GET", "/v1/limited");
    let limit = policy.limits_of(limited).next().unwrap();
    assert_eq!((limit.limit.requests(), limit.limit.window_secs()), (5, 60));
    assert_eq!(limit.by, [CountBy::Caller]);
}

#[test]
fn keys_without_a_record_get_what_the_policy_says_and_where_it_may_say_it() {
    for records in ["required", "none"] {
        let mut policy = with("/api_keys/prefixes/0/scopes_without_record", json!(["read:posts"]));
        put(&mut policy, "/api_keys/records", json!(records));
        refused(
            &policy,
            "api_keys.prefixes[0].scopes_without_record: only with records = optional are keys \
             taken without a record",
        );
    }
    refused(
        &without("/revocation"),
        "api_keys.records: optional needs the section revocation: where keys are taken without a \
         record, only an entry there ends one for good",
    );
    let mut narrow = with("/api_keys/prefixes/1/scopes_without_record", json!(["read:posts"]));
    put(&mut narrow, "/api_keys/prefixes/0/scopes_without_record", json!(["anything"]));
    let policy = read(&narrow).unwrap();
    let keys = policy.api_keys.as_ref().unwrap();
    let scopes = |prefix| keys.scopes_without_record(keys.prefix(prefix).unwrap());
    assert_eq!(
        (scopes("sk"), scopes("pk")),
        (&["anything".to_owned()][..], &["read:posts".to_owned()][..])
    );
    assert_eq!(scopes("Legacy"), [""; 0]);
}

/// Editors find the schema by it. It is no field: it says nothing to the gate.
#[test]
fn a_policy_may_name_its_schema() {
    let mut named = full();
    put(&mut named, "/$schema", json!("./policy.schema.json"));
    assert_eq!(Policy::from_json(&named.to_string(), &bindings()).err(), None);
    put(&mut named, "/$schema", json!(7));
    let fault = Policy::from_json(&named.to_string(), &bindings()).unwrap_err();
    assert_eq!(fault, Error::config("$schema", "expected a string, found a whole number"));
    let below = with("/routes/0/$schema", json!("x"));
    let fault = Policy::from_json(&below.to_string(), &bindings()).unwrap_err();
    assert!(fault.to_string().contains("is not a known field"), "{fault}");
}
