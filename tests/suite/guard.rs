//! The pipeline, on stores in memory: what is decided in which order, and what is asked for it.

use std::collections::HashMap;

use crate::gate::{
    self, NOW, NOW_SECS, NOW_TIME, Stores, check, check_at, imported, later, policy, record_of,
    request, run,
};
use crate::mint;
use base64ct::{Base64, Encoding as _};
use edgegate::api_key::{ImportedHash, KeyId};
use edgegate::error::{Code, Error};
use edgegate::guard::{
    Attempts, Carrier, Decision, Event, Failures, Guard, Identity, Insecure, Request, insecure,
};
use edgegate::http::{cors, reply::Fields};
use edgegate::jose::keys::{Key, KeySet};
use edgegate::policy::{Log, Policy};
use edgegate::time::UnixTime;
use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};

const ISSUER: &str = "https://edgegate.local/";
const JTI: &str = "the-token-id";
const ID: KeyId = KeyId::from_bytes([7; 16]);
/// When the tokens of RFC 7515 were fresh.
const RFC_NOW: edgegate::time::UnixMillis =
    edgegate::time::UnixMillis::from_millis(1_300_000_000_000);

// ---- what the tests are made of ----

/// The policy of most tests: an issuer with a secret, API keys, revocation, and what `more` sets.
fn base(more: Value) -> Value {
    let mut policy = json!({
        "cookie": "session",
        "issuers": [{"issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET"}],
        "api_keys": {
            "environment": "test",
            "prefixes": [
                {"prefix": "sk"},
                {"prefix": "pk", "scopes": ["read:posts"]},
                {"prefix": "old", "format": "imported"},
            ],
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
        },
        "revocation": {},
    });
    for (name, value) in more.as_object().unwrap() {
        policy[name] = value.clone();
    }
    policy
}

fn gate_with(more: Value) -> Policy {
    policy(&base(more))
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "api", "sub": "user-1", "jti": JTI, "sid": "session-1",
        "iat": NOW_SECS - 10, "exp": NOW_SECS + 60, "scope": "read:posts",
    })
}

fn token_of(claims: &Value) -> String {
    mint::hs256(r#"{"alg":"HS256"}"#, claims.to_string())
}

/// [`claims`] with some of them changed; `null` takes one away.
fn token_with(changes: Value) -> String {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    token_of(&claims)
}

fn token() -> String {
    token_of(&claims())
}

/// The same claims under a signature of somebody else.
fn forged() -> String {
    mint::hmac_with(b"fedcba9876543210fedcba9876543210", r#"{"alg":"HS256"}"#, claims().to_string())
}

fn bearer(credential: &str) -> String {
    format!("Bearer {credential}")
}

fn basic(text: &str) -> String {
    format!("Basic {}", Base64::encode_string(text.as_bytes()))
}

fn key_of(policy: &Policy, prefix: &str, id: KeyId, expires_at: Option<UnixTime>) -> String {
    let keys = &policy.api_keys.as_ref().unwrap().keys;
    keys.mint(prefix, id, expires_at).unwrap().expose().to_owned()
}

fn key(policy: &Policy) -> String {
    key_of(policy, "sk", ID, None)
}

fn get<'a>(path: &'a str, authorization: &'a str) -> Request<'a> {
    Request { authorization: Some(authorization), ..request("GET", path) }
}

fn from<'a>(ip: &str, request: Request<'a>) -> Request<'a> {
    Request { client_ip: Some(ip.parse().unwrap()), ..request }
}

#[track_caller]
fn admitted(decision: Decision) -> Identity {
    decision.outcome.unwrap()
}

#[track_caller]
fn refusal(decision: Decision) -> Error {
    decision.outcome.unwrap_err()
}

#[track_caller]
fn remaining(decision: &Decision) -> Vec<(&str, u32)> {
    decision
        .limits
        .iter()
        .map(|report| (report.name.as_str(), report.verdict.unwrap().remaining))
        .collect()
}

const BAD_TAG: &str = "API key tag does not hold";

fn forged_key(policy: &Policy) -> String {
    let other = gate::read(&base(json!({"api_keys": {
        "environment": "test",
        "prefixes": [{"prefix": "sk"}],
        "signing_keys": [{"id": 1, "secret": "OTHER_SECRET"}],
    }})))
    .unwrap();
    let forged = key(&other);
    assert_ne!(forged, key(policy));
    forged
}

// ---- the order of decisions ----

#[test]
fn each_decision_comes_before_the_next() {
    let policy = gate_with(json!({
        "limits": [{"name": "one", "requests": 1, "window_secs": 60, "store": "memory"}],
        "routes": [
            {"path": "/v1/*", "accept": ["jwt"], "scopes": {"all": ["write:posts"]}, "limits": ["one"]},
            {"path": "/scoped", "accept": ["jwt"], "scopes": {"all": ["read:posts"]}, "limits": ["one"]},
        ],
    }));
    let stores = Stores::default();
    stores.revoke(&json!({"iss": ISSUER, "jti": JTI}));
    let both = bearer(&forged());
    let everything_wrong = Request { api_key: Some("sk_test_x"), ..get("/v1/../x", both.as_str()) };
    let nothing: [&str; 0] = [];

    let decision = check(&policy, &stores, &everything_wrong);
    assert_eq!((decision.route.as_str(), decision.carrier), ("", None));
    assert_eq!(refusal(decision), Error::InvalidRequest("path has a dot segment"));
    assert_eq!(stores.asked(), nothing);

    let decision = check(&policy, &stores, &Request { path: "/v1/x", ..everything_wrong });
    assert_eq!((decision.route.as_str(), decision.carrier), ("/v1/*", None));
    assert_eq!(refusal(decision), Error::MultipleCredentials);
    assert_eq!(stores.asked(), nothing);

    let decision = check(&policy, &stores, &get("/v1/x", &bearer(&key(&policy))));
    assert_eq!(decision.carrier, Some(Carrier::Bearer));
    assert_eq!(refusal(decision), Error::ApiKeyNotAccepted);
    assert_eq!(stores.asked(), nothing);

    let decision = check(&policy, &stores, &get("/v1/x", &both));
    assert_eq!(refusal(decision), Error::BadSignature);
    assert_eq!(stores.asked(), nothing);

    let expired = bearer(&token_with(json!({"exp": NOW_SECS})));
    let error = refusal(check(&policy, &stores, &get("/v1/x", &expired)));
    assert_eq!(error, Error::TokenExpired { expired_at: NOW_TIME, now: NOW_TIME });
    assert_eq!(stores.asked(), nothing);

    let error = refusal(check(&policy, &stores, &get("/v1/x", &bearer(&token()))));
    assert_eq!(error, Error::TokenRevoked { by: "jti" });
    assert_eq!(stores.asked(), ["entries"]);

    let other = bearer(&token_with(json!({"jti": "another"})));
    let error = refusal(check(&policy, &stores, &get("/v1/x", &other)));
    assert_eq!(error, Error::InsufficientScope { required: "write:posts".to_owned() });
    assert_eq!(stores.asked(), ["entries"]);

    admitted(check(&policy, &stores, &get("/scoped", &other)));
    assert_eq!(stores.asked(), ["entries", "take memory one"]);
    let error = refusal(check(&policy, &stores, &get("/scoped", &other)));
    assert!(
        matches!(&error, Error::RateLimited { limit, .. } if limit == "one"),
        "the scope refusals took nothing, and this is the second: {error}"
    );
    assert_eq!(stores.asked(), ["entries", "take memory one"]);
}

#[test]
fn an_admitted_token_says_who_it_is() {
    let policy = gate_with(json!({}));
    let decision = check(&policy, &Stores::default(), &get("/any", &bearer(&token())));
    assert_eq!((decision.route.as_str(), decision.carrier), ("/*", Some(Carrier::Bearer)));
    assert!(decision.limits.is_empty() && decision.faults.is_empty());
    let identity = admitted(decision);
    assert_eq!(identity.method(), "jwt");
    assert_eq!((identity.issuer(), identity.subject()), (Some(ISSUER), Some("user-1")));
    assert_eq!(identity.scopes(), ["read:posts"]);
    assert_eq!(identity.api_key_id(), None);
    let Identity::Token(token) = identity else { panic!("a token") };
    assert_eq!((token.token_id(), token.key_id()), (Some(JTI), None));
}

#[test]
fn claims_are_checked_by_the_rules_of_the_issuer() {
    let policy = gate_with(json!({}));
    for (changes, error) in [
        (json!({"aud": "other"}), Error::UnexpectedClaim { claim: "aud".to_owned() }),
        (json!({"exp": null}), Error::MissingClaim { claim: "exp".to_owned() }),
        (
            json!({"nbf": NOW_SECS + 1}),
            Error::TokenNotYetValid {
                valid_from: UnixTime::from_secs(NOW_SECS + 1),
                now: NOW_TIME,
            },
        ),
        (json!({"iss": "https://other/"}), Error::UnknownIssuer),
        (json!({"iss": null}), Error::UnknownIssuer),
    ] {
        let credential = bearer(&token_with(changes.clone()));
        assert_eq!(
            refusal(check(&policy, &Stores::default(), &get("/", &credential))),
            error,
            "{changes}"
        );
    }
}

// ---- finding the credential ----

#[test]
fn credentials_are_found_wherever_they_may_be() {
    let policy = gate_with(json!({}));
    let stores = Stores::default();
    stores.put_record(&record_of(ID, &json!({})));
    let (token, key) = (token(), key(&policy));
    let missing = Error::MissingCredentials;
    let basic_problem = "expected base64 of the key, a colon and no password";
    let malformed_basic = || Err(Error::MalformedApiKey { problem: basic_problem });
    type Found = Result<(&'static str, Carrier), Error>;
    type Row = (Option<String>, Option<String>, Option<String>, Found);
    let jwt = |carrier| -> Found { Ok(("jwt", carrier)) };
    let api_key = |carrier| -> Found { Ok(("api_key", carrier)) };
    let rows: Vec<Row> = vec![
        // Authorization: Bearer
        (Some(bearer(&token)), None, None, jwt(Carrier::Bearer)),
        (Some(format!("bEARER   {token}  ")), None, None, jwt(Carrier::Bearer)),
        (Some(format!("  Bearer {token}")), None, None, jwt(Carrier::Bearer)),
        (Some(bearer(&key)), None, None, api_key(Carrier::Bearer)),
        (Some("Bearer".to_owned()), None, None, Err(missing.clone())),
        (Some("Bearer  ".to_owned()), None, None, Err(missing.clone())),
        (Some(String::new()), None, None, Err(missing.clone())),
        (
            Some("Bearer invalid_token".to_owned()),
            None,
            None,
            Err(Error::MalformedToken {
                part: edgegate::error::TokenPart::Token,
                problem: "expected three segments, header and signature not empty",
            }),
        ),
        // Another scheme is no credential, and hides none.
        (Some(format!("Digest {token}")), None, None, Err(missing.clone())),
        (Some(format!("Bearer-{token}")), None, None, Err(missing.clone())),
        (Some(token.clone()), None, None, Err(missing.clone())),
        (Some("Digest x".to_owned()), Some(key.clone()), None, api_key(Carrier::ApiKeyHeader)),
        // Authorization: Basic
        (Some(basic(&format!("{key}:"))), None, None, api_key(Carrier::Basic)),
        (
            Some(basic(&format!("{key}:")).replace("Basic", "bASIC")),
            None,
            None,
            api_key(Carrier::Basic),
        ),
        (Some(basic(&format!("{key}:password"))), None, None, malformed_basic()),
        (Some(basic(&key)), None, None, malformed_basic()),
        (Some(basic(":")), None, None, malformed_basic()),
        (Some("Basic ???".to_owned()), None, None, malformed_basic()),
        (
            Some(format!("Basic {}", Base64::encode_string(&[0xff, b':']))),
            None,
            None,
            malformed_basic(),
        ),
        (Some(basic("user:")), None, None, Err(Error::UnknownApiKeyPrefix)),
        // X-API-Key
        (None, Some(key.clone()), None, api_key(Carrier::ApiKeyHeader)),
        (None, Some(format!("  {key} ")), None, api_key(Carrier::ApiKeyHeader)),
        (None, Some("  ".to_owned()), None, Err(missing.clone())),
        (None, Some(token.clone()), None, Err(Error::UnknownApiKeyPrefix)),
        // the cookie
        (None, None, Some(format!("session={token}")), jwt(Carrier::Cookie)),
        (None, None, Some(format!("a=b; session=\"{token}\"; c=d")), jwt(Carrier::Cookie)),
        (None, None, Some(format!("session={key}")), api_key(Carrier::Cookie)),
        (None, None, Some(format!("Session={token}; xsession={token}")), Err(missing.clone())),
        (None, None, Some("session=; session".to_owned()), Err(missing.clone())),
        // one header with several values
        (
            Some(format!("Bearer {token}, Bearer {token}")),
            None,
            None,
            Err(Error::MultipleCredentials),
        ),
        (Some(format!("Bearer {token},bASIC eA==")), None, None, Err(Error::MultipleCredentials)),
        (
            Some(format!("{}, Bearer {token}", basic("x:"))),
            None,
            None,
            Err(Error::MultipleCredentials),
        ),
        (None, Some(format!("{key}, {key}")), None, Err(Error::MultipleCredentials)),
        (
            None,
            None,
            Some(format!("session={token}; session={token}")),
            Err(Error::MultipleCredentials),
        ),
        // several headers, even with the same
        (Some(bearer(&key)), Some(key.clone()), None, Err(Error::MultipleCredentials)),
        (
            Some(bearer(&token)),
            None,
            Some(format!("session={token}")),
            Err(Error::MultipleCredentials),
        ),
        (None, Some(key.clone()), Some("session=x".to_owned()), Err(Error::MultipleCredentials)),
        // a service might take the other cookie for the one that was verified
        (None, None, Some(format!("session={token}; Session=x")), Err(Error::MultipleCredentials)),
        (
            Some(bearer(&token)),
            None,
            Some("session[]=x".to_owned()),
            Err(Error::MultipleCredentials),
        ),
        (Some(bearer(&token)), None, Some("Session=; sessions=x".to_owned()), jwt(Carrier::Bearer)),
        (
            Some(bearer("x")),
            Some("y".to_owned()),
            Some("session=z".to_owned()),
            Err(Error::MultipleCredentials),
        ),
        (None, None, None, Err(missing)),
    ];
    for (index, (authorization, api_key, cookie, expected)) in rows.into_iter().enumerate() {
        let request = Request {
            authorization: authorization.as_deref(),
            api_key: api_key.as_deref(),
            cookie: cookie.as_deref(),
            // Each from its own address: failures are not the subject here.
            client_ip: Some(format!("192.0.2.{index}").parse().unwrap()),
            ..request("GET", "/")
        };
        let decision = check(&policy, &stores, &request);
        let carrier = decision.carrier;
        let found = decision.outcome.map(|identity| (identity.method(), carrier.unwrap()));
        assert_eq!(found, expected, "row {index}: {request:?}");
    }
}

#[test]
fn a_cookie_counts_only_where_the_policy_names_one() {
    let mut without = base(json!({}));
    without.as_object_mut().unwrap().remove("cookie");
    let cookie = format!("session={}", token());
    let request = Request { cookie: Some(&cookie), ..request("GET", "/") };
    let error = refusal(check(&policy(&without), &Stores::default(), &request));
    assert_eq!(error, Error::MissingCredentials);
    let other = gate_with(json!({"cookie": "other"}));
    assert_eq!(refusal(check(&other, &Stores::default(), &request)), Error::MissingCredentials);
}

#[test]
fn optional_routes_take_nobody_but_refuse_the_wrong_one() {
    let policy = gate_with(json!({"routes": [
        {"path": "/o", "auth": "optional", "scopes": {"all": ["read:posts"]}},
    ]}));
    let stores = Stores::default();
    assert_eq!(admitted(check(&policy, &stores, &request("GET", "/o"))), Identity::Anonymous);
    assert_eq!(stores.asked(), [""; 0]);
    let identity = admitted(check(&policy, &stores, &get("/o", &bearer(&token()))));
    assert_eq!(identity.method(), "jwt");
    let error = refusal(check(&policy, &stores, &get("/o", &bearer(&forged()))));
    assert_eq!(error, Error::BadSignature);
    let unscoped = bearer(&token_with(json!({"scope": "other"})));
    let error = refusal(check(&policy, &stores, &get("/o", &unscoped)));
    assert_eq!(error, Error::InsufficientScope { required: "read:posts".to_owned() });
}

#[test]
fn open_routes_do_not_look_at_credentials() {
    let policy = gate_with(json!({"routes": [{"path": "/n", "auth": "none"}]}));
    let stores = Stores::default();
    for authorization in [bearer(&token()), bearer(&forged()), "Basic ???".to_owned()] {
        let request = Request { api_key: Some("x"), ..get("/n", &authorization) };
        let decision = check(&policy, &stores, &request);
        assert_eq!(decision.carrier, None);
        assert_eq!(admitted(decision), Identity::Anonymous);
    }
    assert_eq!(stores.asked(), [""; 0]);
}

#[test]
fn a_route_takes_only_the_kinds_it_accepts() {
    let policy = gate_with(json!({"routes": [
        {"path": "/jwt", "accept": ["jwt"]},
        {"path": "/key", "accept": ["api_key"]},
    ]}));
    let stores = Stores::default();
    stores.put_record(&record_of(ID, &json!({})));
    let (token, key) = (bearer(&token()), bearer(&key(&policy)));
    assert_eq!(admitted(check(&policy, &stores, &get("/jwt", &token))).method(), "jwt");
    assert_eq!(admitted(check(&policy, &stores, &get("/key", &key))).method(), "api_key");
    stores.asked();
    for _ in 0..20 {
        let error = refusal(check(&policy, &stores, &get("/key", &token)));
        assert_eq!((&error, error.code()), (&Error::TokenNotAccepted, Code::InvalidToken));
        let error = refusal(check(&policy, &stores, &get("/jwt", &key)));
        assert_eq!((&error, error.code()), (&Error::ApiKeyNotAccepted, Code::InvalidApiKey));
    }
    assert_eq!(stores.asked(), [""; 0]);
}

#[test]
fn a_gate_without_issuers_or_keys_takes_neither() {
    let policy = gate::policy(&json!({}));
    let stores = Stores::default();
    let check = |request: &Request<'_>| refusal(check(&policy, &stores, request));
    assert_eq!(check(&request("GET", "/")), Error::MissingCredentials);
    assert_eq!(check(&get("/", &bearer(&token()))), Error::TokenNotAccepted);
    let key = Request { api_key: Some("sk_test_x"), ..request("GET", "/") };
    assert_eq!(check(&key), Error::ApiKeyNotAccepted);
    assert_eq!(stores.asked(), [""; 0]);
}

// ---- plain http ----

#[test]
fn what_came_over_plain_http_goes_no_further_than_the_policy_says() {
    let clear = Insecure::Refused(Error::CredentialInClear);
    let refused = Insecure::Refused(Error::HttpsRequired);
    let to = |url: &str| Insecure::Redirected(url.to_owned());
    let (url, secure) = ("http://api.example.com/a?b=c", "https://api.example.com/a?b=c");
    let asked = |method, url| Request { url: Some(url), ..request(method, "/a?b=c") };
    for word in ["redirect", "refuse"] {
        let policy = gate_with(json!({"https": word}));
        let redirected = |method: &str| {
            if word == "redirect" && method != "POST" { to(secure) } else { refused.clone() }
        };
        for method in ["GET", "HEAD", "POST"] {
            assert_eq!(insecure(&policy, &asked(method, url)), Some(redirected(method)));
            assert_eq!(insecure(&policy, &asked(method, secure)), None);
        }
        for method in ["OPTIONS", "DELETE", "get"] {
            assert_eq!(insecure(&policy, &asked(method, url)), Some(refused.clone()));
        }
        for with in [
            Request { authorization: Some("Unknown x"), ..asked("GET", url) },
            Request { dpop: Some("x"), ..asked("GET", url) },
            Request { api_key: Some("x"), ..asked("GET", url) },
            Request { cookie: Some("a=1; session=x"), ..asked("GET", url) },
            Request { credential_headers: &[None, Some("x")], ..asked("GET", url) },
        ] {
            assert_eq!(insecure(&policy, &with), Some(clear.clone()), "{with:?}");
        }
        let others = Request { cookie: Some("a=1; sessions=x"), ..asked("GET", url) };
        assert_eq!(insecure(&policy, &others), Some(redirected("GET")));
        // An edge that does not know the scheme.
        assert_eq!(insecure(&policy, &request("GET", "/a")), Some(refused.clone()));
    }
    assert_eq!(insecure(&gate_with(json!({})), &asked("POST", url)), None);
}

// ---- issuers and claims of a route ----

#[test]
fn a_route_lets_through_whose_claims_and_issuer_it_wants() {
    let other = "https://other.example/";
    let policy = gate_with(json!({
        "issuers": [
            {"issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET"},
            {"issuer": other, "audience": ["api"], "secret": "JWT_SECRET"},
        ],
        "path_case": "insensitive",
        "limits": [{"name": "one", "by": "ip", "requests": 1, "window_secs": 60, "store": "memory"}],
        "routes": [
            {"path": "/orgs/{org}/*", "claims": {"org_id": "{org}"}, "limits": ["one"]},
            {"path": "/internal", "issuers": [other]},
            {"path": "/verified", "claims": {"email_verified": true, "tid": ["a", "b"]}},
        ],
    }));
    let claim = |name: &str| Some(Error::ClaimNotAllowed { claim: name.to_owned() });
    for (claims, path, refusal) in [
        (json!({"org_id": "acme"}), "/orgs/acme/x", None),
        (json!({"org_id": "acme"}), "/ORGS/%61cme/x?org=other", None),
        (json!({"org_id": ["x", "acme"]}), "/orgs/acme", None),
        (json!({"org_id": "acme"}), "/orgs/ACME", claim("org_id")),
        (json!({"org_id": "acme"}), "/orgs/other/acme", claim("org_id")),
        (json!({"org_id": []}), "/orgs/acme", claim("org_id")),
        (json!({}), "/orgs/acme", claim("org_id")),
        (json!({"iss": other}), "/internal", None),
        (json!({}), "/internal", Some(Error::IssuerNotAllowed)),
        (json!({"email_verified": true, "tid": "b"}), "/verified", None),
        (json!({"email_verified": "true", "tid": "b"}), "/verified", claim("email_verified")),
        (json!({"email_verified": true, "tid": "c"}), "/verified", claim("tid")),
    ] {
        let stores = Stores::default();
        let credential = bearer(&token_with(claims.clone()));
        let asked = Request { authorization: Some(&credential), ..request("GET", path) };
        let decision = check(&policy, &stores, &asked);
        assert_eq!(decision.outcome.as_ref().err(), refusal.as_ref(), "{claims} {path}");
        if let Some(error) = refusal {
            assert_eq!(error.code(), Code::NotAllowed);
            assert!(!error.is_failed_authentication());
            assert!(decision.limits.is_empty(), "who is refused takes nothing of a limit");
        }
    }
    // A claim counts once the signature holds, and nobody gets further with less.
    let forged = bearer(&forged());
    let asked = Request { authorization: Some(&forged), ..request("GET", "/orgs/acme") };
    assert_eq!(refusal(check(&policy, &Stores::default(), &asked)), Error::BadSignature);
    let nobody = request("GET", "/orgs/acme");
    assert_eq!(refusal(check(&policy, &Stores::default(), &nobody)), Error::MissingCredentials);
}

#[test]
fn a_route_names_the_issuers_of_tenants_by_their_template_or_one_by_one() {
    let template = "https://login.example/{tenant}/";
    let policy = gate_with(json!({
        "issuers": [
            {"issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET"},
            {"issuer": template, "tenants": ["a", "b"], "audience": ["api"], "secret": "JWT_SECRET"},
        ],
        "routes": [
            {"path": "/all", "issuers": [template]},
            {"path": "/a", "issuers": ["https://login.example/a/"]},
        ],
    }));
    for (issuer, path, passes) in [
        ("https://login.example/a/", "/all", true),
        ("https://login.example/b/", "/all", true),
        (ISSUER, "/all", false),
        ("https://login.example/a/", "/a", true),
        ("https://login.example/b/", "/a", false),
    ] {
        let credential = bearer(&token_with(json!({"iss": issuer})));
        let asked = Request { authorization: Some(&credential), ..request("GET", path) };
        let decision = check(&policy, &Stores::default(), &asked);
        let expected = (!passes).then_some(&Error::IssuerNotAllowed);
        assert_eq!(decision.outcome.as_ref().err(), expected, "{issuer} {path}");
    }
}

#[test]
fn an_api_key_has_no_issuer_and_no_claims() {
    let policy = gate_with(json!({
        "api_keys": {
            "environment": "test", "prefixes": [{"prefix": "sk"}], "records": "none",
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
        },
        "routes": [
            {"path": "/issuers", "issuers": [ISSUER]},
            {"path": "/claims", "claims": {"org_id": "acme"}},
            {"path": "/any"},
        ],
    }));
    let key = key(&policy);
    for (path, reason) in [
        ("/issuers", Some("issuer_not_allowed")),
        ("/claims", Some("claim_not_allowed")),
        ("/any", None),
    ] {
        let asked = Request { api_key: Some(&key), ..request("GET", path) };
        let decision = check(&policy, &Stores::default(), &asked);
        assert_eq!(decision.outcome.as_ref().err().map(Error::reason), reason, "{path}");
    }
}

// ---- methods and preflight ----

#[test]
fn a_route_for_get_is_one_for_head_and_no_other_method() {
    let policy = gate_with(json!({"routes": [
        {"path": "/p", "methods": ["GET"], "scopes": {"all": ["admin"]}},
    ]}));
    let credential = bearer(&token());
    for (method, route) in [("GET", "/p"), ("HEAD", "/p"), ("POST", "/*"), ("get", "/*")] {
        let request = Request { authorization: Some(&credential), ..request(method, "/p") };
        let decision = check(&policy, &Stores::default(), &request);
        assert_eq!(decision.route, route, "{method}");
        assert_eq!(decision.outcome.is_err(), route == "/p", "{method}");
    }
}

fn preflight_for<'a>(method: &'a str, path: &'a str) -> Request<'a> {
    Request { preflight: Some(method), ..request("OPTIONS", path) }
}

#[test]
fn a_preflight_is_answered_with_nothing_asked_and_nothing_taken() {
    let policy = gate_with(json!({
        "limits": [{"name": "one", "by": "ip", "requests": 1, "window_secs": 60, "store": "memory"}],
        "routes": [{"path": "/p", "scopes": {"all": ["admin"]}, "limits": ["one"]}],
    }));
    let stores = Stores::default();
    let forged = bearer(&forged());
    for _ in 0..9 {
        let preflight = Request { authorization: Some(&forged), ..preflight_for("GET", "/p") };
        let mut decision = check(&policy, &stores, &preflight);
        assert_eq!((decision.route.as_str(), decision.carrier), ("/p", None));
        assert!(decision.answers_preflight());
        assert!(Event::of(Log::Refusals, &preflight, &decision, NOW).is_none());
        let event = Event::of(Log::All, &preflight, &decision, NOW);
        assert!(matches!(event, Some(Event::Answered(_))));
        // Whoever looks at the outcome alone does not pass it on.
        assert_eq!(decision.outcome, Err(Error::PreflightNotPassed));
        decision.refuse_own_answers();
        assert!(!decision.answers_preflight());
        assert_eq!(refusal(decision).code(), Code::NotAllowed);
    }
    assert_eq!(stores.asked(), [""; 0]);
    let odd = preflight_for("GET", "/p/%2e%2e");
    let decision = check(&policy, &stores, &odd);
    assert!(!decision.answers_preflight());
    assert_eq!(refusal(decision), Error::InvalidRequest("path has a dot segment"));
    let plain = request("OPTIONS", "/p");
    assert_eq!(refusal(check(&policy, &stores, &plain)), Error::MissingCredentials);
}

#[test]
fn what_the_gate_answers_itself_is_let_through_by_no_edge_that_cannot_answer() {
    let policy = gate_with(json!({"preflight": "pass", "routes": [
        {"path": "/closed/*", "auth": "none", "answer": {"status": 404}},
        {"path": "/known", "answer": {"body": "x"}},
        {"path": "/served", "auth": "none", "upstream": "https://b.example"},
    ]}));
    let authorization = bearer(&token());
    for request in [request("GET", "/closed/a"), get("/known", &authorization)] {
        let mut decision = check(&policy, &Stores::default(), &request);
        assert!(decision.outcome.is_ok(), "an edge that can gives the answer");
        decision.refuse_own_answers();
        let error = refusal(decision);
        assert_eq!((error.clone(), error.code()), (Error::AnswerNotPassed, Code::NotAllowed));
    }
    let mut decision = check(&policy, &Stores::default(), &request("GET", "/served"));
    decision.refuse_own_answers();
    admitted(decision);
    // Why a request is refused stays what it was.
    let mut decision = check(&policy, &Stores::default(), &request("GET", "/known"));
    decision.refuse_own_answers();
    assert_eq!(refusal(decision), Error::MissingCredentials);
}

#[test]
fn a_preflight_of_a_route_with_an_answer_is_answered_by_the_gate_too() {
    let policy = gate_with(json!({"preflight": "pass", "routes": [
        {"path": "/by-policy", "answer": {"status": 204}},
        {"path": "/by-route", "preflight": "pass", "answer": {"status": 204}},
        {"path": "/refused", "preflight": "refuse", "answer": {"status": 204}},
        {"path": "/served"},
    ]}));
    for (path, answers) in [("/by-policy", true), ("/by-route", true), ("/refused", false)] {
        let decision = check(&policy, &Stores::default(), &preflight_for("PUT", path));
        assert_eq!(decision.answers_preflight(), answers, "{path}");
        assert_eq!(refusal(decision), Error::PreflightNotPassed, "{path}");
    }
    admitted(check(&policy, &Stores::default(), &preflight_for("PUT", "/served")));
}

#[test]
fn every_decision_says_which_origins_may_read_its_answer() {
    let policy = gate_with(json!({
        "cors": {"origins": ["https://app.test"]},
        "routes": [{"path": "/open", "auth": "none", "cors": {"origins": ["*"]}}, {"path": "/p"}],
    }));
    let app = Some("https://app.test");
    let names = |fields: Fields| fields.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    for (method, path, allowed) in [
        ("GET", "/p", app),
        ("GET", "/nowhere", app),
        ("GET", "/p/%2e%2e", app),
        ("OPTIONS", "/p", app),
        ("GET", "/open", Some("*")),
    ] {
        for request in [request(method, path), preflight_for(method, path)] {
            let decision = check(&policy, &Stores::default(), &request);
            let cors = decision.cors.as_deref();
            assert_eq!(cors.unwrap().allowed(app), allowed, "{method} {path}");
            let other = cors::answer_fields(cors, Some("https://app.test.evil"));
            assert_eq!(other.is_empty(), path != "/open", "{method} {path}");
        }
    }
    let decision = check(&policy, &Stores::default(), &request("GET", "/p"));
    let cors = decision.cors.as_deref();
    assert_eq!(names(cors::refusal_fields(cors, Some("null"))), ["Vary"]);
    assert_eq!(
        names(cors::refusal_fields(cors, app)),
        ["Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Vary"]
    );
    let plain = gate_with(json!({}));
    assert!(!plain.has_cors());
    assert!(check(&plain, &Stores::default(), &request("GET", "/p")).cors.is_none());
}

#[test]
fn caches_are_told_of_all_headers_by_which_answers_differ() {
    use edgegate::http::caching::CacheRule;
    for (cache, path, expected) in [
        (
            "private",
            "/either",
            Some("Authorization, X-API-Key, Cf-Access-Jwt-Assertion, Cookie, Origin"),
        ),
        ("private", "/open", None),
        ("private", "/listed", Some("Origin")),
        ("upstream", "/either", Some("Origin")),
        ("upstream", "/open", None),
    ] {
        let policy = gate_with(json!({
            "cache": cache,
            "credential_headers": [{"name": "Cf-Access-Jwt-Assertion", "issuers": [ISSUER]}],
            "cors": {"origins": ["https://app.test"]},
            "routes": [
                {"path": "/either", "auth": "optional"},
                {"path": "/open", "auth": "none", "cors": {"origins": ["*"]}},
                {"path": "/listed", "auth": "none"},
            ],
        }));
        let decision = check(&policy, &Stores::default(), &request("GET", path));
        let rule = CacheRule::of(&policy, decision.outcome.as_ref().unwrap(), &decision);
        assert_eq!(rule.vary.as_deref(), expected, "{cache} {path}");
    }
}

#[test]
fn what_is_for_certain_networks_is_for_no_shared_cache() {
    use edgegate::http::caching::CacheRule;
    for (cache, path, private) in
        [("private", "/inside", true), ("private", "/open", false), ("upstream", "/inside", false)]
    {
        let policy = gate_with(json!({"cache": cache, "routes": [
            {"path": "/inside", "auth": "none", "ips": ["192.0.2.0/24"]},
            {"path": "/open", "auth": "none"},
        ]}));
        let decision = check(&policy, &Stores::default(), &from("192.0.2.1", request("GET", path)));
        let rule = CacheRule::of(&policy, decision.outcome.as_ref().unwrap(), &decision);
        assert_eq!(rule.private, private, "{cache} {path}");
    }
}

#[test]
fn a_preflight_is_what_the_fetch_standard_says() {
    let preflight = edgegate::guard::preflight_of;
    assert_eq!(preflight("OPTIONS", Some("https://a.test"), Some("PUT")), Some("PUT"));
    assert_eq!(preflight("OPTIONS", None, Some("PUT")), None);
    assert_eq!(preflight("OPTIONS", Some("https://a.test"), None), None);
    for method in ["GET", "POST", "options", ""] {
        assert_eq!(preflight(method, Some("https://a.test"), Some("PUT")), None);
    }
}

#[test]
fn what_becomes_of_a_preflight_is_the_word_of_the_policy_or_the_route() {
    let routes = json!([
        {"path": "/answer", "preflight": "answer"},
        {"path": "/pass/*", "preflight": "pass", "methods": ["POST"]},
        {"path": "/pass/*", "preflight": "refuse", "methods": ["DELETE"]},
        {"path": "/refuse", "preflight": "refuse", "auth": "none"},
        {"path": "/options", "preflight": "pass", "methods": ["OPTIONS"]},
        {"path": "/plain", "auth": "none"},
    ]);
    for (of_policy, word) in [
        (json!({}), "answer"),
        (json!({"preflight": "pass"}), "pass"),
        (json!({"preflight": "refuse"}), "refuse"),
    ] {
        let mut document = of_policy;
        document["routes"] = routes.clone();
        let policy = gate_with(document);
        for (method, path, expected) in [
            ("GET", "/answer", "answer"),
            ("POST", "/pass/x", "pass"),
            ("DELETE", "/pass/x", "refuse"),
            ("GET", "/refuse", "refuse"),
            ("PUT", "/options", "pass"),
            ("GET", "/plain", word),
            // No route of the policy: what the policy says.
            ("PUT", "/pass/x", word),
            ("GET", "/elsewhere", word),
        ] {
            let decision = check(&policy, &Stores::default(), &preflight_for(method, path));
            let found = match (&decision.outcome, decision.answers_preflight()) {
                (Ok(Identity::Anonymous), false) => "pass",
                (Err(Error::PreflightNotPassed), true) => "answer",
                (Err(Error::PreflightNotPassed), false) => "refuse",
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{word}: {method} {path}");
        }
    }
    let error = gate::read(&base(json!({"preflight": "maybe"}))).unwrap_err().to_string();
    assert_eq!(error, "preflight: expected one of answer, pass, refuse");
}

#[test]
fn a_preflight_for_a_method_that_no_route_takes_is_decided_by_the_first_route_of_its_path() {
    let routes = json!([
        {"path": "/limited", "methods": ["GET"], "limits": ["one"]},
        {"path": "/limited", "methods": ["DELETE"], "preflight": "refuse"},
        {"path": "/refuse/*", "methods": ["POST"], "preflight": "refuse"},
        {"path": "/answer", "methods": ["POST"], "preflight": "answer"},
    ]);
    let gate = |word: &str| {
        gate_with(json!({
            "preflight": word,
            "limits": [{"name": "one", "by": "ip", "requests": 1, "window_secs": 60, "store": "memory"}],
            "routes": routes,
        }))
    };
    let pass = gate("pass");
    let stores = Stores::default();
    let decision = check(&pass, &stores, &preflight_for("ANYTHING", "/limited"));
    assert_eq!(decision.route, "/limited");
    admitted(decision);
    for method in ["ANYTHING", "get", "PUT", "GET"] {
        let over = refusal(check(&pass, &stores, &preflight_for(method, "/limited")));
        assert_eq!(over.code(), Code::RateLimited, "{method}");
    }
    for (word, path, answered) in [
        ("pass", "/refuse/x", false),
        ("answer", "/refuse/x", false),
        ("refuse", "/refuse/x", false),
        ("pass", "/answer", true),
        ("answer", "/answer", true),
        // What the policy refuses, no route for other methods answers.
        ("refuse", "/answer", false),
        ("answer", "/limited", true),
        ("refuse", "/limited", false),
    ] {
        let decision = check(&gate(word), &stores, &preflight_for("PUT", path));
        assert_eq!(decision.answers_preflight(), answered, "{word}: {path}");
        assert_eq!(refusal(decision), Error::PreflightNotPassed, "{word}: {path}");
    }
    // Here no route has a word.
    admitted(check(&pass, &stores, &preflight_for("PUT", "/elsewhere")));
}

#[test]
fn a_preflight_that_passes_counts_by_its_address_and_by_nothing_else() {
    let limit = |name: &str, by: Value| json!({"name": name, "by": by, "requests": 2, "window_secs": 60, "store": "memory"});
    let policy = gate_with(json!({
        "preflight": "pass",
        "limits": [
            limit("ip", json!("ip")), limit("ip-route", json!(["route", "ip"])), limit("route", json!("route")),
            limit("caller", json!("caller")), limit("subject", json!(["ip", "subject"])),
        ],
        "routes": [
            {"path": "/p", "limits": ["route", "caller", "subject", "ip", "ip-route"]},
            {"path": "/free", "limits": ["route", "caller", "subject"]},
        ],
    }));
    let stores = Stores::default();
    for _ in 0..2 {
        let decision = check(&policy, &stores, &preflight_for("GET", "/p"));
        let names: Vec<&str> = decision.limits.iter().map(|limit| limit.name.as_str()).collect();
        assert_eq!(names, ["ip", "ip-route"]);
        assert_eq!(admitted(decision), Identity::Anonymous);
    }
    let over = refusal(check(&policy, &stores, &preflight_for("GET", "/p")));
    assert_eq!(over.code(), Code::RateLimited);
    // Another address, and callers with a credential, have what they had.
    let other = from("192.0.2.9", preflight_for("GET", "/p"));
    admitted(check(&policy, &stores, &other));
    let credential = bearer(&token());
    admitted(check(&policy, &stores, &from("192.0.2.8", get("/p", &credential))));
    for _ in 0..9 {
        admitted(check(&policy, &stores, &preflight_for("GET", "/free")));
    }
}

// ---- scopes ----

#[test]
fn all_scopes_and_one_of_any() {
    let policy = gate_with(json!({"routes": [
        {"path": "/s", "scopes": {"all": ["a", "b"], "any": ["c", "d"]}},
        {"path": "/any", "scopes": {"any": ["c", "d"]}},
    ]}));
    for (scope, both, any) in [
        ("a b c", true, true),
        ("a b d", true, true),
        ("d c b a", true, true),
        ("a b", false, false),
        ("a c d", false, true),
        ("", false, false),
        ("A B C", false, false),
        ("ab cd", false, false),
    ] {
        let credential = bearer(&token_with(json!({"scope": scope})));
        let of = |path| check(&policy, &Stores::default(), &get(path, &credential)).outcome;
        assert_eq!(of("/s").is_ok(), both, "{scope}");
        assert_eq!(of("/any").is_ok(), any, "{scope}");
        if !both {
            let required = "a b c d".to_owned();
            assert_eq!(of("/s").unwrap_err(), Error::InsufficientScope { required });
        }
    }
}

// ---- API keys ----

#[test]
fn records_say_what_a_key_may_do_as_far_as_its_prefix_allows() {
    let policy = gate_with(json!({}));
    let stores = Stores::default();
    let fields = json!({"scopes": ["read:posts", "write:posts"], "owner": "acme"});
    stores.put_record(&record_of(ID, &fields));
    for (prefix, scopes) in [("sk", &["read:posts", "write:posts"][..]), ("pk", &["read:posts"])] {
        let credential = bearer(&key_of(&policy, prefix, ID, None));
        let identity = admitted(check(&policy, &stores, &get("/", &credential)));
        assert_eq!((identity.method(), identity.subject()), ("api_key", Some("acme")), "{prefix}");
        assert_eq!((identity.issuer(), identity.api_key_id()), (None, Some(&ID)), "{prefix}");
        assert_eq!(identity.scopes(), scopes, "{prefix}");
    }
    stores.put_record(&record_of(ID, &json!({"scopes": ["write:posts"]})));
    let credential = bearer(&key_of(&policy, "pk", ID, None));
    let identity = admitted(check(&policy, &stores, &get("/", &credential)));
    assert_eq!(identity.scopes(), [""; 0], "a cap gives nothing");
}

#[test]
fn records_are_looked_up_as_the_policy_says() {
    let of = |records: &str| {
        let mut json = base(json!({}));
        json["api_keys"]["records"] = json!(records);
        json
    };
    let mut narrow = of("optional");
    narrow["api_keys"]["prefixes"][1] = json!({"prefix": "pk", "scopes": ["read:posts", "admin"], "scopes_without_record": ["read:posts"]});
    let [required, optional, narrow, none] =
        [of("required"), of("optional"), narrow, of("none")].map(|json| policy(&json));
    let stores = Stores::default();
    let credential = bearer(&key_of(&required, "pk", ID, None));
    let request = get("/", &credential);

    let error = refusal(check(&required, &stores, &request));
    assert_eq!((&error, error.code()), (&Error::UnknownApiKey, Code::InvalidApiKey));
    assert_eq!(stores.asked(), ["record", "entries"]);
    let identity = admitted(check(&optional, &stores, &request));
    assert_eq!((identity.scopes(), identity.subject()), (&[][..], None), "no more than a record's");
    assert_eq!(stores.asked(), ["record", "entries"]);
    let identity = admitted(check(&narrow, &stores, &request));
    assert_eq!((identity.scopes(), identity.subject()), (&["read:posts".to_owned()][..], None));
    assert_eq!(stores.asked(), ["record", "entries"]);
    let identity = admitted(check(&none, &stores, &request));
    assert_eq!((identity.scopes(), identity.subject()), (&["read:posts".to_owned()][..], None));
    assert_eq!(stores.asked(), ["entries"]);
    let credential = bearer(&key(&none));
    let identity = admitted(check(&none, &stores, &get("/", &credential)));
    assert_eq!(identity.scopes(), [""; 0], "no record and no cap: no scope");

    for (fields, error) in [
        (json!({"disabled": true}), Error::ApiKeyRevoked),
        (json!({"revoked_at": NOW_SECS + 99}), Error::ApiKeyRevoked),
        (
            json!({"expires_at": NOW_SECS}),
            Error::ApiKeyExpired { expired_at: NOW_TIME, now: NOW_TIME },
        ),
    ] {
        stores.put_record(&record_of(ID, &fields));
        assert_eq!(refusal(check(&required, &stores, &request)), error, "{fields}");
        assert_eq!(refusal(check(&optional, &stores, &request)), error, "{fields}");
        assert!(check(&none, &stores, &request).outcome.is_ok(), "{fields}");
    }
}

#[test]
fn a_key_that_proves_itself_false_costs_no_look_up() {
    let policy = gate_with(json!({"failed_authentication": {"enabled": false}}));
    let live = gate_with(json!({"api_keys": {
        "environment": "live",
        "prefixes": [{"prefix": "sk"}],
        "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
    }}));
    let stores = Stores::default();
    let good = key(&policy);
    let mistyped = good.replacen("sk_test_0", "sk_test_1", 1);
    assert_ne!(mistyped, good);
    let expired = key_of(&policy, "sk", ID, Some(UnixTime::from_secs(NOW_SECS - 3600)));
    for (presented, message, code) in [
        (mistyped, "API key checksum does not match", Code::InvalidApiKey),
        (forged_key(&policy), BAD_TAG, Code::InvalidApiKey),
        (key(&live), "API key belongs to another environment", Code::WrongEnvironment),
        ("sk_test_".to_owned(), "API key: expected 62 to 108 characters", Code::InvalidApiKey),
        ("other_test_x".to_owned(), "API key prefix is not configured", Code::InvalidApiKey),
        (expired, "API key expired at 1699996440, it is 1700000000", Code::ApiKeyExpired),
    ] {
        let request = Request { api_key: Some(&presented), ..request("GET", "/") };
        let error = refusal(check(&policy, &stores, &request));
        assert_eq!((error.to_string().as_str(), error.code()), (message, code));
    }
    assert_eq!(stores.asked(), [""; 0]);
}

#[test]
fn imported_keys_are_found_by_their_whole_hash() {
    let policy = gate_with(json!({}));
    let stores = Stores::default();
    let presented = "old_4242424242424242424242424242";
    let hash = serde_json::to_value(ImportedHash::of(presented)).unwrap();
    let body =
        json!({"name": "n", "owner": "acme", "scopes": ["read:posts"], "imported_sha256": hash});
    let record = imported(&body);
    stores.put_record(&record);
    let request = Request { api_key: Some(presented), ..request("GET", "/") };
    let identity = admitted(check(&policy, &stores, &request));
    assert_eq!((identity.api_key_id(), identity.subject()), (Some(&record.id), Some("acme")));
    assert_eq!(identity.scopes(), ["read:posts"]);
    assert_eq!(stores.asked(), ["record", "entries"]);

    let other = Request { api_key: Some("old_4242424242424242424242424243"), ..request };
    assert_eq!(refusal(check(&policy, &stores, &other)), Error::UnknownApiKey);
    assert_eq!(stores.asked(), ["record"], "what is not found is not asked about further");

    // The id is only half of the hash: a record there of another key is not enough.
    let id = record.id;
    let mut half = serde_json::to_value(&record).unwrap();
    let mut text = half["imported_sha256"].as_str().unwrap().to_owned();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    half["imported_sha256"] = json!(text);
    stores.put_record(&record_of(id, &half));
    assert_eq!(refusal(check(&policy, &stores, &request)), Error::UnknownApiKey);
    let mut own = half;
    own.as_object_mut().unwrap().remove("imported_sha256");
    stores.put_record(&record_of(id, &own));
    assert_eq!(refusal(check(&policy, &stores, &request)), Error::UnknownApiKey);

    let mut disabled = record.clone();
    disabled.disabled = true;
    stores.put_record(&disabled);
    assert_eq!(refusal(check(&policy, &stores, &request)), Error::ApiKeyRevoked);
    stores.put_record(&record);
    stores.revoke(&json!({"key_id": id.to_string()}));
    assert_eq!(refusal(check(&policy, &stores, &request)), Error::ApiKeyRevoked);
}

/// A policy that takes imported keys of any form beside its own.
fn gate_of_any_form(prefixes: Value) -> Policy {
    gate_with(json!({
        "failed_authentication": {"enabled": false},
        "api_keys": {
            "environment": "test",
            "prefixes": prefixes,
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
        },
    }))
}

fn import(stores: &Stores, presented: &str) {
    let hash = serde_json::to_value(ImportedHash::of(presented)).unwrap();
    stores.put_record(&imported(&json!({
        "name": "n", "owner": "acme", "scopes": ["read:posts", "admin"], "imported_sha256": hash,
    })));
}

#[test]
fn an_imported_key_of_any_form_comes_in_the_header_alone() {
    let policy = gate_of_any_form(json!([
        {"prefix": "sk"},
        {"prefix": "old", "format": "imported"},
        {"prefix": "", "format": "imported", "scopes": ["read:posts"]},
    ]));
    let stores = Stores::default();
    for presented in [
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-proj-abc",
        "a.b.c",
        "_",
        "\u{e4}",
    ] {
        import(&stores, presented);
        let in_header = Request { api_key: Some(presented), ..request("GET", "/") };
        let identity = admitted(check(&policy, &stores, &in_header));
        assert_eq!(
            (identity.subject(), identity.scopes()),
            (Some("acme"), &["read:posts".to_owned()][..])
        );
        stores.asked();

        let (bearer, basic) = (bearer(presented), basic(&format!("{presented}:")));
        let cookie = format!("session={presented}");
        for elsewhere in [
            get("/", &bearer),
            get("/", &basic),
            Request { cookie: Some(&cookie), ..request("GET", "/") },
        ] {
            let code = refusal(check(&policy, &stores, &elsewhere)).code();
            assert!(
                matches!(code, Code::InvalidToken | Code::InvalidApiKey),
                "{presented}: {code}"
            );
        }
        assert_eq!(stores.asked(), [""; 0], "{presented}");
    }
    let unknown = Request { api_key: Some("no-record"), ..request("GET", "/") };
    assert_eq!(refusal(check(&policy, &stores, &unknown)), Error::UnknownApiKey);
}

#[test]
fn what_begins_with_another_prefix_is_no_key_of_any_form() {
    let all = json!([{"prefix": "sk"}, {"prefix": "old", "format": "imported"}, {"prefix": "", "format": "imported"}]);
    let (policy, stores) = (gate_of_any_form(all), Stores::default());
    let mistyped = key(&policy).replacen("sk_test_0", "sk_test_1", 1);
    import(&stores, &mistyped);
    let request = Request { api_key: Some(&mistyped), ..request("GET", "/") };
    assert_eq!(refusal(check(&policy, &stores, &request)), Error::ApiKeyChecksum);
    assert_eq!(stores.asked(), [""; 0]);

    let too_long = "k".repeat(4097);
    import(&stores, &too_long);
    let request = Request { api_key: Some(&too_long), ..request };
    let message = "API key: expected at most 4096 bytes";
    assert_eq!(refusal(check(&policy, &stores, &request)).to_string(), message);
    assert_eq!(stores.asked(), [""; 0]);
}

/// Takes tokens of [`ISSUER`] in two headers, the second of which gives way.
fn gate_behind_proxies() -> Policy {
    gate_with(json!({
        "issuers": [
            {"issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET"},
            {"issuer": "other", "audience": ["api"], "secret": "JWT_SECRET"},
        ],
        "credential_headers": [
            {"name": "Cf-Access-Jwt-Assertion", "issuers": [ISSUER]},
            {"name": "X-Goog-IAP-JWT-Assertion", "issuers": ["other"], "beside": "ignore"},
        ],
    }))
}

#[test]
fn a_token_in_another_header_is_of_the_issuers_of_that_header() {
    let (policy, stores) = (gate_behind_proxies(), Stores::default());
    let (token, other) = (token(), token_with(json!({"iss": "other"})));
    let decide = |first: Option<&str>, second: Option<&str>| {
        let credential_headers = &[first, second];
        check(&policy, &stores, &Request { credential_headers, ..request("GET", "/") })
    };
    for (first, second, issuer) in [
        (Some(&token), None, ISSUER),
        (None, Some(&other), "other"),
        (Some(&token), Some(&String::new()), ISSUER),
    ] {
        let decision = decide(first.map(String::as_str), second.map(String::as_str));
        assert_eq!(decision.carrier, Some(Carrier::CredentialHeader));
        assert_eq!(admitted(decision).issuer(), Some(issuer));
    }
    // Nothing of it is looked at further: neither a forged one nor one that is genuine.
    stores.asked();
    for (first, second) in [(Some(&other), None), (None, Some(&token))] {
        let decision = decide(first.map(String::as_str), second.map(String::as_str));
        assert_eq!(refusal(decision), Error::IssuerNotOfHeader);
    }
    assert_eq!(stores.asked(), [""; 0]);
    assert_eq!(refusal(decide(Some(&forged()), None)), Error::BadSignature);
    // A header that is for tokens takes no API key.
    assert_eq!(refusal(decide(Some(&key(&policy)), None)).code(), Code::InvalidToken);
    let twice = format!("{token}, {token}");
    assert_eq!(refusal(decide(Some(&twice), None)), Error::MultipleCredentials);
    assert_eq!(refusal(decide(Some(&token), Some(&other))), Error::MultipleCredentials);
    assert_eq!(refusal(decide(None, None)), Error::MissingCredentials);
}

#[test]
fn beside_the_callers_own_credential_a_header_is_another_or_is_ignored() {
    let (policy, stores) = (gate_behind_proxies(), Stores::default());
    let (token, key) = (token(), key(&policy));
    stores.put_record(&record_of(ID, &json!({})));
    let (bearer, cookie) = (bearer(&token), format!("session={token}"));
    for (own, carrier) in [
        (get("/", &bearer), Carrier::Bearer),
        (Request { api_key: Some(&key), ..request("GET", "/") }, Carrier::ApiKeyHeader),
        (Request { cookie: Some(&cookie), ..request("GET", "/") }, Carrier::Cookie),
    ] {
        let beside = |first, second| {
            check(&policy, &stores, &Request { credential_headers: &[first, second], ..own })
        };
        assert_eq!(refusal(beside(Some(token.as_str()), None)), Error::MultipleCredentials);
        assert_eq!(refusal(beside(Some("x"), None)), Error::MultipleCredentials);
        for ignored in ["x", "x, y", token.as_str()] {
            let decision = beside(None, Some(ignored));
            assert_eq!(decision.carrier, Some(carrier));
            admitted(decision);
        }
    }
    // It is the own credential that decides, not the better one of the two.
    let forged = get("/", "Bearer x.y.z");
    let other = token_with(json!({"iss": "other"}));
    let decision =
        check(&policy, &stores, &Request { credential_headers: &[None, Some(&other)], ..forged });
    assert_eq!(refusal(decision).code(), Code::InvalidToken);
    // A service might take the cookie for what was verified.
    for cookie in ["Session=x", "session%5Fx=1; se%73sion=x", "session[a]=x"] {
        for first in [Some(token.as_str()), None] {
            let headers = [first, Some(other.as_str()).filter(|_| first.is_none())];
            let request = Request {
                cookie: Some(cookie),
                credential_headers: &headers,
                ..request("GET", "/")
            };
            let error = refusal(check(&policy, &stores, &request));
            assert_eq!(error, Error::MultipleCredentials, "{cookie}");
        }
    }
    // A scheme that the gate does not know is no credential.
    let digest = Request { credential_headers: &[None, Some(&other)], ..get("/", "Digest x") };
    assert_eq!(check(&policy, &stores, &digest).carrier, Some(Carrier::CredentialHeader));
}

#[test]
fn a_bound_token_in_another_header_lacks_its_proof() {
    let policy = gate_with(json!({
        "issuers": [{"issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET", "dpop": "optional"}],
        "credential_headers": [{"name": "X-Assertion", "issuers": [ISSUER]}],
    }));
    let bound = token_with(json!({"cnf": {"jkt": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}}));
    let request = Request { credential_headers: &[Some(&bound)], ..request("GET", "/") };
    assert_eq!(refusal(check(&policy, &Stores::default(), &request)), Error::ProofRequired);
}

#[test]
fn claims_are_told_in_the_headers_that_the_policy_names() {
    let policy = gate_with(json!({"identity_headers": {
        "X-Org": "org_id", "X-Groups": "groups", "X-Verified": "email_verified", "X-Level": "level", "X-Name": "a.b",
        "X-Missing": "missing", "X-Null": "nothing", "X-Object": "object", "X-Empty": "empty", "X-Mixed": "mixed",
        "X-None": "none", "X-Evil": "evil",
    }}));
    let token = token_with(json!({
        "org_id": "org one", "groups": ["a b", "c%", 7, true], "email_verified": false, "level": 3.5, "a.b": "\u{e4}",
        "nothing": null, "object": {"x": 1}, "empty": "", "mixed": ["a", {"b": 1}], "none": [],
        "evil": " a\r\nX-Auth-Subject: root ",
    }));
    let authorization = bearer(&token);
    let identity = admitted(check(&policy, &Stores::default(), &get("/", &authorization)));
    assert_eq!(
        identity.told().collect::<Vec<_>>(),
        [
            ("X-Evil", "%20a%0D%0AX-Auth-Subject: root%20"),
            ("X-Groups", "a%20b c%25 7 true"),
            ("X-Level", "3.5"),
            ("X-Name", "%C3%A4"),
            ("X-Org", "org one"),
            ("X-Verified", "false"),
        ]
    );
    let stores = Stores::default();
    stores.put_record(&record_of(ID, &json!({})));
    let key = key(&policy);
    let with_key = Request { api_key: Some(&key), ..request("GET", "/") };
    assert_eq!(admitted(check(&policy, &stores, &with_key)).told().count(), 0);
    assert_eq!(Identity::Anonymous.told().count(), 0);
}

#[test]
fn a_route_is_for_the_networks_that_it_names() {
    let policy = gate_with(json!({"routes": [
        {"path": "/open", "auth": "none", "ips": ["192.0.2.0/24", "2001:db8::/32"]},
        {"path": "/pass", "preflight": "pass", "ips": ["192.0.2.0/24"]},
        {"path": "/closed", "ips": ["192.0.2.1"]},
    ]}));
    let stores = Stores::default();
    let authorization = bearer(&token());
    for ip in ["192.0.2.255", "::ffff:192.0.2.1", "2001:db8:1::1"] {
        admitted(check(&policy, &stores, &from(ip, request("GET", "/open"))));
    }
    for ip in ["192.0.3.1", "2001:db9::1", "::192.0.2.1"] {
        let error = refusal(check(&policy, &stores, &from(ip, request("GET", "/open"))));
        assert_eq!(
            (error.clone(), error.code()),
            (Error::AddressNotAllowed, Code::NotAllowed),
            "{ip}"
        );
    }
    let nowhere = Request { client_ip: None, ..request("GET", "/open") };
    assert_eq!(refusal(check(&policy, &stores, &nowhere)), Error::AddressNotAllowed);
    admitted(check(&policy, &stores, &from("192.0.2.1", get("/closed", &authorization))));
    let preflight = Request { preflight: Some("GET"), ..request("OPTIONS", "/pass") };
    admitted(check(&policy, &stores, &from("192.0.2.1", preflight)));
    stores.asked();
    // Neither a credential nor a preflight is looked at from elsewhere.
    for elsewhere in [get("/closed", &authorization), get("/closed", "Bearer x.y.z"), preflight] {
        let error = refusal(check(&policy, &stores, &from("198.51.100.1", elsewhere)));
        assert_eq!(error, Error::AddressNotAllowed);
    }
    assert_eq!(stores.asked(), [""; 0]);
    admitted(check(&policy, &stores, &from("198.51.100.1", get("/other", &authorization))));
}

#[test]
fn a_key_is_for_the_networks_of_its_record() {
    let policy = gate_with(json!({}));
    let stores = Stores::default();
    let networks =
        json!({"v": 2, "ips": ["203.0.113.0/24", "2001:db8::/32"], "scopes": ["read:posts"]});
    stores.put_record(&record_of(ID, &networks));
    let key = key(&policy);
    let request = Request { api_key: Some(&key), ..request("GET", "/") };
    for ip in ["203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7"] {
        admitted(check(&policy, &stores, &from(ip, request)));
    }
    let elsewhere = from("203.0.114.1", request);
    let error = refusal(check(&policy, &stores, &elsewhere));
    assert_eq!(
        (error.to_string().as_str(), error.code()),
        ("the client's address is not among those allowed", Code::NotAllowed)
    );
    let nowhere = Request { client_ip: None, ..request };
    assert_eq!(refusal(check(&policy, &stores, &nowhere)), Error::AddressNotAllowed);
    // It is no failed authentication, and what ends a key is said first.
    assert!(!error.is_failed_authentication());
    let disabled = json!({"v": 2, "ips": ["203.0.113.0/24"], "disabled": true});
    stores.put_record(&record_of(ID, &disabled));
    assert_eq!(refusal(check(&policy, &stores, &elsewhere)), Error::ApiKeyRevoked);

    let presented = "old_4242424242424242424242424242";
    let hash = serde_json::to_value(ImportedHash::of(presented)).unwrap();
    stores.put_record(&imported(&json!({
        "name": "n", "owner": "acme", "scopes": [], "imported_sha256": hash, "ips": ["203.0.113.7"],
    })));
    let request = Request { api_key: Some(presented), ..request };
    admitted(check(&policy, &stores, &from("203.0.113.7", request)));
    assert_eq!(
        refusal(check(&policy, &stores, &from("203.0.113.8", request))),
        Error::AddressNotAllowed
    );
}

#[test]
fn with_nested_prefixes_the_longest_counts() {
    let policy = gate_with(json!({"api_keys": {
        "environment": "test",
        "prefixes": [{"prefix": "sk"}, {"prefix": "sk_old", "format": "imported"}],
        "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
    }}));
    let stores = Stores::default();
    let request = Request { api_key: Some("sk_old_1"), ..request("GET", "/") };
    assert_eq!(refusal(check(&policy, &stores, &request)), Error::UnknownApiKey);
    assert_eq!(stores.asked(), ["record"]);
}

// ---- revocation ----

#[test]
fn every_kind_of_revocation_is_seen_with_one_read() {
    let policy = gate_with(json!({}));
    for (body, by) in [
        (json!({"iss": ISSUER, "jti": JTI}), "jti"),
        (json!({"iss": ISSUER, "sid": "session-1"}), "session"),
        (json!({"iss": ISSUER, "sub": "user-1"}), "subject"),
        (json!({"iss": ISSUER, "all": true}), "issuer"),
    ] {
        let stores = Stores::default();
        stores.revoke(&body);
        let error = refusal(check(&policy, &stores, &get("/", &bearer(&token()))));
        assert_eq!((&error, error.code()), (&Error::TokenRevoked { by }, Code::TokenRevoked));
        assert_eq!(stores.asked(), ["entries"], "{body}");
    }
    for body in [
        json!({"iss": "https://other/", "jti": JTI}),
        json!({"iss": ISSUER, "jti": "other"}),
        json!({"iss": ISSUER, "sub": "user-1", "before": NOW_SECS - 10}),
    ] {
        let stores = Stores::default();
        stores.revoke(&body);
        admitted(check(&policy, &stores, &get("/", &bearer(&token()))));
    }
    let stores = Stores::default();
    stores.put_record(&record_of(ID, &json!({})));
    stores.revoke(&json!({"key_id": ID.to_string()}));
    let error = refusal(check(&policy, &stores, &get("/", &bearer(&key(&policy)))));
    assert_eq!((&error, error.code()), (&Error::ApiKeyRevoked, Code::ApiKeyRevoked));
}

/// A ledger, with routes that want what [`token`] has and has not, and limits of each kind.
fn with_ledger() -> Policy {
    let limit = |name: &str, store: &str, more: Value| {
        let mut limit = json!({"name": name, "requests": 2, "window_secs": 60, "store": store});
        for (name, value) in more.as_object().unwrap() {
            limit[name] = value.clone();
        }
        limit
    };
    gate_with(json!({
        "revocation": {"mode": "ledger"},
        "limits": [
            limit("memory", "memory", json!({})),
            limit("object", "durable-object", json!({})),
            limit("binding", "binding", json!({"binding": "LIMITER", "algorithm": "fixed-window"})),
        ],
        "routes": [
            {"path": "/write", "scopes": {"all": ["write:posts"]}, "limits": ["memory"]},
            {"path": "/memory", "limits": ["memory"]},
            {"path": "/object", "limits": ["object"]},
            {"path": "/both", "limits": ["binding", "memory"]},
            {"path": "/free"},
        ],
    }))
}

#[test]
fn the_ledger_is_asked_last_of_what_can_refuse() {
    let (policy, stores) = (with_ledger(), Stores::default());
    let bearer = bearer(&token());
    let error = refusal(check(&policy, &stores, &get("/write", &bearer)));
    assert_eq!(error.code(), Code::InsufficientScope);
    assert_eq!(stores.asked(), [""; 0], "whom the scopes refuse costs no question");

    for _ in 0..2 {
        admitted(check(&policy, &stores, &get("/memory", &bearer)));
        assert_eq!(stores.asked(), ["entries", "take memory memory"]);
    }
    for _ in 0..200 {
        let decision = check(&policy, &stores, &get("/memory", &bearer));
        assert_eq!(remaining(&decision), [("memory", 0)], "as if it had been asked");
        assert!(matches!(refusal(decision), Error::RateLimited { limit, .. } if limit == "memory"));
    }
    for _ in 0..200 {
        let error = refusal(check(&policy, &stores, &get("/both", &bearer)));
        assert!(matches!(error, Error::RateLimited { limit, .. } if limit == "memory"));
    }
    assert_eq!(stores.asked(), [""; 0], "nor does whom a limit refuses that is known to");

    // What refuses elsewhere is known once it has.
    for _ in 0..2 {
        admitted(check(&policy, &stores, &get("/object", &bearer)));
    }
    stores.asked();
    assert!(check(&policy, &stores, &get("/object", &bearer)).outcome.is_err());
    assert_eq!(stores.asked(), ["entries", "take durable-object object"]);
    stores.know_to_refuse("object");
    assert!(check(&policy, &stores, &get("/object", &bearer)).outcome.is_err());
    assert_eq!(stores.asked(), [""; 0]);
}

#[test]
fn who_is_known_to_be_revoked_costs_the_ledger_nothing() {
    let (policy, stores) = (with_ledger(), Stores::default());
    let bearer = bearer(&token());
    let entry = json!({"iss": ISSUER, "jti": JTI});
    stores.revoke(&entry);
    assert_eq!(
        refusal(check(&policy, &stores, &get("/memory", &bearer))),
        Error::TokenRevoked { by: "jti" }
    );
    assert_eq!(stores.asked(), ["entries"], "and its limits nothing");
    stores.recall(&entry);
    for _ in 0..200 {
        let error = refusal(check(&policy, &stores, &get("/memory", &bearer)));
        assert_eq!(error, Error::TokenRevoked { by: "jti" });
    }
    assert_eq!(stores.asked(), [""; 0]);
}

#[test]
fn what_is_recalled_admits_nobody() {
    let (policy, stores) = (with_ledger(), Stores::default());
    let bearer = bearer(&token());
    // A cut-off before the token; a later one has come since.
    stores.recall(&json!({"iss": ISSUER, "sub": "user-1", "before": NOW_SECS - 100}));
    admitted(check(&policy, &stores, &get("/free", &bearer)));
    assert_eq!(stores.asked(), ["entries"]);
    stores.revoke(&json!({"iss": ISSUER, "sub": "user-1"}));
    let error = refusal(check(&policy, &stores, &get("/free", &bearer)));
    assert_eq!(error, Error::TokenRevoked { by: "subject" });
    // Nor does a recalled entry about somebody else refuse anybody.
    let other = Stores::default();
    other.recall(&json!({"iss": ISSUER, "jti": "other"}));
    admitted(check(&policy, &other, &get("/free", &bearer)));
}

#[test]
fn a_ledger_that_fails_refuses_or_lets_pass_as_before() {
    let stores = Stores::default();
    stores.put_record(&record_of(ID, &json!({})));
    stores.break_down("entries");
    for (on_error, admits) in [("deny", false), ("allow", true)] {
        let policy = gate_with(json!({"revocation": {"mode": "ledger", "on_error": on_error}}));
        for credential in [bearer(&token()), bearer(&key(&policy))] {
            let decision = check(&policy, &stores, &get("/", &credential));
            assert_eq!(decision.outcome.is_ok(), admits);
            assert_eq!(decision.faults.len(), usize::from(admits));
        }
    }
}

#[test]
fn a_bound_of_the_gates_own_lets_nobody_pass() {
    let stores = Stores::default();
    stores.give_up();
    stores.break_down("entries");
    let policy = gate_with(json!({
        "revocation": {"mode": "ledger", "on_error": "allow"},
        "limits": [{"name": "lax", "by": "ip", "requests": 9, "window_secs": 60, "on_error": "allow"}],
        "routes": [{"path": "/open", "auth": "none", "limits": ["lax"]}, {"path": "/*"}],
    }));
    let unavailable =
        |store| Error::StoreUnavailable { store, problem: "is asked by too many".to_owned() };
    let decision = check(&policy, &stores, &get("/", &bearer(&token())));
    assert_eq!(refusal(decision), unavailable("revocation"));
    admitted(check(&policy, &stores, &request("GET", "/open")));
    stores.break_down("take");
    let decision = check(&policy, &stores, &request("GET", "/open"));
    assert_eq!(refusal(decision), unavailable("counters"));
}

#[test]
fn without_a_revocation_section_nothing_is_looked_up() {
    let mut json = base(json!({}));
    json.as_object_mut().unwrap().remove("revocation");
    let (policy, stores) = (policy(&json), Stores::default());
    stores.revoke(&json!({"iss": ISSUER, "jti": JTI}));
    admitted(check(&policy, &stores, &get("/", &bearer(&token()))));
    assert_eq!(stores.asked(), [""; 0]);
}

#[test]
fn a_forged_token_asks_no_store_and_no_host() {
    let policy = gate_with(json!({
        "failed_authentication": {"enabled": false},
        "limits": [{"name": "a", "by": "ip", "requests": 9, "window_secs": 9}],
        "routes": [{"path": "/*", "limits": ["a"]}],
    }));
    let stores = Stores::default();
    let token = token();
    for position in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[position] ^= 1;
        let changed = bearer(&String::from_utf8(bytes).unwrap());
        let error = refusal(check(&policy, &stores, &get("/", &changed)));
        assert_eq!(error.code(), Code::InvalidToken, "at {position}: {error}");
    }
    assert_eq!(stores.asked(), [""; 0]);
}

// ---- stores that fail ----

#[test]
fn a_revocation_store_that_fails_refuses_unless_the_policy_lets_pass() {
    let fault = Error::StoreUnavailable { store: "revocation", problem: "is on fire".to_owned() };
    let (deny, allow) = (
        gate_with(json!({"revocation": {"on_error": "deny"}})),
        gate_with(json!({"revocation": {"on_error": "allow"}})),
    );
    let stores = Stores::default();
    stores.put_record(&record_of(ID, &json!({})));
    stores.break_down("entries");
    for credential in [bearer(&token()), bearer(&key(&deny))] {
        let decision = check(&deny, &stores, &get("/", &credential));
        assert!(decision.faults.is_empty());
        let error = refusal(decision);
        assert_eq!((&error, error.code()), (&fault, Code::StoreUnavailable));
        let decision = check(&allow, &stores, &get("/", &credential));
        assert_eq!(decision.faults, std::slice::from_ref(&fault));
        admitted(decision);
    }
}

#[test]
fn a_key_store_that_fails_always_refuses() {
    let fault = Error::StoreUnavailable { store: "keys", problem: "is on fire".to_owned() };
    for records in ["required", "optional"] {
        let mut json = base(json!({"revocation": {"on_error": "allow"}}));
        json["api_keys"]["records"] = json!(records);
        let policy = policy(&json);
        let stores = Stores::default();
        stores.break_down("record");
        for presented in [key(&policy), "old_1".to_owned()] {
            let request = Request { api_key: Some(&presented), ..request("GET", "/") };
            assert_eq!(refusal(check(&policy, &stores, &request)), fault, "{records}");
        }
    }
}

#[test]
fn what_is_known_to_be_revoked_is_said_though_the_record_cannot_be_read() {
    let (policy, stores) = (gate_with(json!({})), Stores::default());
    stores.break_down("record");
    stores.revoke(&json!({"key_id": ID.to_string()}));
    let error = refusal(check(&policy, &stores, &get("/", &bearer(&key(&policy)))));
    assert_eq!(error, Error::ApiKeyRevoked);
}

#[test]
fn a_counter_store_that_fails_refuses_unless_the_limit_lets_pass() {
    let fault = Error::StoreUnavailable { store: "counters", problem: "is on fire".to_owned() };
    let policy = gate_with(json!({
        "limits": [
            {"name": "strict", "by": "ip", "requests": 9, "window_secs": 60, "store": "durable-object"},
            {"name": "lax", "by": "ip", "requests": 9, "window_secs": 60, "store": "memory", "on_error": "allow"},
        ],
        "routes": [
            {"path": "/strict", "auth": "none", "limits": ["strict"]},
            {"path": "/lax", "auth": "none", "limits": ["lax", "strict"]},
            {"path": "/both", "auth": "none", "limits": ["lax", "strict"]},
        ],
    }));
    let stores = Stores::default();
    stores.break_down("take memory");
    let decision = check(&policy, &stores, &request("GET", "/lax"));
    assert_eq!(decision.faults, std::slice::from_ref(&fault));
    assert_eq!(remaining(&decision), [("strict", 8)], "the other limit counts on");
    admitted(decision);

    stores.repair();
    stores.break_down("take durable-object");
    let error = refusal(check(&policy, &stores, &request("GET", "/strict")));
    assert_eq!((&error, error.code()), (&fault, Code::StoreUnavailable));
    stores.asked();
    assert_eq!(refusal(check(&policy, &stores, &request("GET", "/both"))), fault);
    assert_eq!(
        stores.asked(),
        ["take memory lax", "take durable-object strict", "refund memory lax"],
        "what was taken is given back"
    );
    stores.repair();
    let decision = check(&policy, &stores, &request("GET", "/both"));
    assert_eq!(remaining(&decision), [("lax", 8), ("strict", 7)]);
}

#[test]
fn a_refund_that_fails_is_told_and_the_refusal_stands() {
    let policy = gate_with(json!({
        "limits": [
            {"name": "a", "by": "ip", "requests": 9, "window_secs": 60, "store": "memory"},
            {"name": "b", "by": "ip", "requests": 1, "window_secs": 60, "store": "durable-object"},
        ],
        "routes": [{"path": "/*", "auth": "none", "limits": ["a", "b"]}],
    }));
    let stores = Stores::default();
    admitted(check(&policy, &stores, &request("GET", "/")));
    stores.break_down("refund memory");
    let decision = check(&policy, &stores, &request("GET", "/"));
    let fault = Error::StoreUnavailable { store: "counters", problem: "is on fire".to_owned() };
    assert_eq!(decision.faults, [fault]);
    assert_eq!(refusal(decision).code(), Code::RateLimited);
}

#[test]
fn what_an_isolate_refuses_by_itself_costs_no_question_to_a_counter_elsewhere() {
    let policy = gate_with(json!({
        "limits": [
            {"name": "far", "by": "route", "requests": 9, "window_secs": 60, "store": "durable-object"},
            {"name": "near", "by": "ip", "requests": 1, "window_secs": 60, "store": "memory"},
        ],
        "routes": [{"path": "/*", "auth": "none", "limits": ["far", "near"]}],
    }));
    let stores = Stores::default();
    let decision = check(&policy, &stores, &request("GET", "/"));
    assert_eq!(remaining(&decision), [("far", 8), ("near", 0)], "named in the order of the route");
    stores.asked();
    assert_eq!(refusal(check(&policy, &stores, &request("GET", "/"))).code(), Code::RateLimited);
    assert_eq!(stores.asked(), ["take memory near"]);
}

#[test]
fn a_store_that_answers_for_less_than_it_was_asked_about_has_failed() {
    let policy = |on_error: &str| {
        gate_with(json!({
            "revocation": {"on_error": on_error},
            "limits": [{"name": "a", "by": "ip", "requests": 9, "window_secs": 60, "on_error": on_error}],
            "routes": [{"path": "/open", "auth": "none", "limits": ["a"]}],
        }))
    };
    let stores = Stores::default();
    stores.answer_with_nothing();
    let credential = bearer(&token());
    for (path, store, problem) in [
        ("/", "revocation", "0 answers, expected 4"),
        ("/open", "counters", "0 verdicts, expected 1"),
    ] {
        let fault = Error::StoreUnavailable { store, problem: problem.to_owned() };
        let decision = check(&policy("deny"), &stores, &get(path, &credential));
        assert_eq!(refusal(decision), fault);
        let decision = check(&policy("allow"), &stores, &get(path, &credential));
        assert_eq!(decision.faults, [fault]);
        admitted(decision);
    }
}

// ---- limits ----

/// Limits over three groups and three stores.
fn many_limits() -> Policy {
    gate_with(json!({
        "limits": [
            {"name": "a", "by": "caller", "requests": 5, "window_secs": 60},
            {"name": "b", "by": "ip", "requests": 2, "window_secs": 60},
            {"name": "c", "by": "caller", "requests": 3, "window_secs": 60, "store": "memory"},
            {"name": "d", "by": "caller", "requests": 4, "window_secs": 60},
            {"name": "e", "by": "ip", "requests": 9, "window_secs": 60, "store": "binding", "binding": "LIMITER"},
        ],
        "routes": [
            {"path": "/all", "limits": ["e", "a", "b", "c", "d"]},
            {"path": "/a", "limits": ["a"]},
            {"path": "/b", "auth": "none", "limits": ["b"]},
            {"path": "/c", "limits": ["c"]},
            {"path": "/d", "limits": ["d"]},
            {"path": "/e", "auth": "none", "limits": ["e"]},
            {"path": "/two", "limits": ["a", "c"], "cost": 2},
        ],
    }))
}

/// What is left of a limit, by a request from an address of its own.
fn left(policy: &Policy, stores: &Stores, path: &str) -> u32 {
    let credential = bearer(&token());
    let decision = check(policy, stores, &from("192.0.2.99", get(path, &credential)));
    decision.limits[0].verdict.unwrap().remaining
}

#[test]
fn limits_of_one_group_and_store_are_taken_in_one_step_the_nearest_first() {
    let (policy, stores) = (many_limits(), Stores::default());
    let decision = check(&policy, &stores, &get("/all", &bearer(&token())));
    let names: Vec<&str> = decision.limits.iter().map(|report| report.name.as_str()).collect();
    assert_eq!(names, ["e", "a", "b", "c", "d"], "told in the order of the route");
    assert_eq!(
        stores.asked(),
        [
            "entries",
            "take memory c",
            "take durable-object a,d",
            "take durable-object b",
            "take binding e"
        ]
    );
    assert!(decision.outcome.is_ok());
}

#[test]
fn a_request_refused_by_one_limit_takes_from_none() {
    for (path, refusing, refunds) in [
        ("/b", "b", vec!["refund memory c", "refund durable-object a,d"]),
        ("/c", "c", vec![]),
        ("/a", "a", vec!["refund memory c"]),
        (
            "/e",
            "e",
            vec!["refund memory c", "refund durable-object a,d", "refund durable-object b"],
        ),
    ] {
        let (policy, stores) = (many_limits(), Stores::default());
        let credential = bearer(&token());
        let mut used = 0;
        while check(&policy, &stores, &get(path, &credential)).outcome.is_ok() {
            used += 1;
        }
        assert!(used > 1, "{path}");
        for _ in 0..10 {
            stores.asked();
            let error = refusal(check(&policy, &stores, &get("/all", &credential)));
            let Error::RateLimited { limit, retry_after_secs } = error else { panic!("{path}") };
            assert_eq!((limit.as_str(), retry_after_secs > 0), (refusing, true), "{path}");
            let asked = stores.asked();
            let given_back: Vec<&String> =
                asked.iter().filter(|call| call.starts_with("refund")).collect();
            assert_eq!(given_back, refunds, "{path}");
        }
        for (path, name, whole) in [("/a", "a", 5), ("/c", "c", 3), ("/d", "d", 4)] {
            if name != refusing {
                assert_eq!(left(&policy, &stores, path), whole - 1, "{name} after {refusing}");
            }
        }
        if refusing != "b" {
            let decision = check(&policy, &stores, &request("GET", "/b"));
            assert_eq!(remaining(&decision), [("b", 1)], "after {refusing}");
        }
    }
}

#[test]
fn a_limit_that_is_known_to_refuse_is_asked_before_the_others() {
    let (policy, stores) = (many_limits(), Stores::default());
    let credential = bearer(&token());
    while check(&policy, &stores, &get("/b", &credential)).outcome.is_ok() {}
    stores.know_to_refuse("b");
    stores.asked();
    let error = refusal(check(&policy, &stores, &get("/all", &credential)));
    assert!(matches!(&error, Error::RateLimited { limit, .. } if limit == "b"), "{error}");
    assert_eq!(stores.asked(), ["entries", "take durable-object b"]);
    // What was known may be wrong: then it is the order that differs, and nothing else.
    stores.know_to_refuse("d");
    let d = check(&policy, &stores, &get("/d", &credential));
    assert_eq!(remaining(&d), [("d", 3)]);
}

#[test]
fn a_cost_is_taken_and_given_back_whole() {
    let (policy, stores) = (many_limits(), Stores::default());
    let credential = bearer(&token());
    let two = get("/two", &credential);
    let decision = check(&policy, &stores, &two);
    assert_eq!(remaining(&decision), [("a", 3), ("c", 1)]);
    for _ in 0..5 {
        let error = refusal(check(&policy, &stores, &two));
        assert!(matches!(&error, Error::RateLimited { limit, .. } if limit == "c"), "{error}");
    }
    assert_eq!(left(&policy, &stores, "/a"), 2, "one more taken by looking");
    assert_eq!(left(&policy, &stores, "/c"), 0);
}

#[test]
fn a_limit_comes_free_again_when_it_said() {
    let (policy, stores) = (many_limits(), Stores::default());
    let request = request("GET", "/b");
    admitted(check(&policy, &stores, &request));
    admitted(check(&policy, &stores, &request));
    let Error::RateLimited { retry_after_secs, .. } = refusal(check(&policy, &stores, &request))
    else {
        panic!("a limit")
    };
    let wait = u64::from(retry_after_secs) * 1000;
    assert!(check_at(&policy, &stores, &request, later(wait - 1000)).outcome.is_err());
    assert!(check_at(&policy, &stores, &request, later(wait)).outcome.is_ok());
}

#[test]
fn a_binding_tells_only_yes_or_no() {
    let (policy, stores) = (many_limits(), Stores::default());
    let decision = check(&policy, &stores, &request("GET", "/e"));
    let [report] = &decision.limits[..] else { panic!("one limit") };
    assert_eq!((report.name.as_str(), report.requests, report.window_secs), ("e", 9, 60));
    assert_eq!(report.verdict, None);
}

#[test]
fn limits_count_by_what_the_policy_says() {
    let limit = |name: &str, by: Value| json!({"name": name, "by": by, "requests": 100, "window_secs": 60, "store": "memory"});
    let names = ["caller", "subject", "api-key", "ip", "issuer", "route", "both"];
    let policy = gate_with(json!({
        "limits": [
            limit("caller", json!("caller")),
            limit("subject", json!("subject")),
            limit("api-key", json!("api_key")),
            limit("ip", json!("ip")),
            limit("issuer", json!("issuer")),
            limit("route", json!("route")),
            limit("both", json!(["route", "subject"])),
        ],
        "routes": [
            {"path": "/x/{id}", "auth": "optional", "limits": names},
            {"path": "/y", "auth": "optional", "limits": names},
        ],
    }));
    let stores = Stores::default();
    stores.put_record(&record_of(ID, &json!({})));
    let user = |sub: Value| bearer(&token_with(json!({ "sub": sub })));
    let (one, two, nobody) = (user(json!("user-1")), user(json!("user-2")), user(json!(null)));
    let api_key = bearer(&key(&policy));
    // What is left of each limit after this request; `None` where it does not concern it.
    let left = |ip: &str, path: &str, authorization: Option<&str>| {
        let request = from(ip, Request { authorization, ..request("GET", path) });
        let decision = check(&policy, &stores, &request);
        let found: HashMap<&str, u32> = remaining(&decision).into_iter().collect();
        names.map(|name| found.get(name).map(|remaining| 100 - remaining))
    };
    let s = Some::<u32>;
    //                                            caller subject key   ip    issuer route both
    assert_eq!(left("1.1.1.1", "/x/1", Some(&one)), [s(1), s(1), None, s(1), s(1), s(1), s(1)]);
    assert_eq!(left("1.1.1.2", "/x/2", Some(&one)), [s(2), s(2), None, s(1), s(2), s(2), s(2)]);
    assert_eq!(left("1.1.1.2", "/y", Some(&one)), [s(3), s(3), None, s(2), s(3), s(1), s(1)]);
    assert_eq!(left("1.1.1.2", "/x/1", Some(&two)), [s(1), s(1), None, s(3), s(4), s(3), s(1)]);
    assert_eq!(left("1.1.1.3", "/x/1", Some(&api_key)), [s(1), None, s(1), s(1), None, s(4), None]);
    assert_eq!(left("1.1.1.4", "/x/1", Some(&api_key)), [s(2), None, s(2), s(1), None, s(5), None]);
    // Who has no name is told apart by address; a token without one, and without a client, by its issuer.
    assert_eq!(left("1.1.1.5", "/x/1", None), [s(1), None, None, s(1), None, s(6), None]);
    assert_eq!(left("1.1.1.5", "/x/1", None), [s(2), None, None, s(2), None, s(7), None]);
    assert_eq!(left("1.1.1.6", "/x/1", None), [s(1), None, None, s(1), None, s(8), None]);
    assert_eq!(left("1.1.1.7", "/x/1", Some(&nobody)), [s(1), None, None, s(1), s(5), s(9), None]);
    // IPv6 by its /64, and IPv4 in IPv6 clothing as what it is.
    assert_eq!(left("2001:db8::1", "/x/1", None)[3], s(1));
    assert_eq!(left("2001:db8::ffff:1", "/x/1", None)[3], s(2));
    assert_eq!(left("2001:db8:0:1::1", "/x/1", None)[3], s(1));
    assert_eq!(left("::ffff:1.1.1.1", "/x/1", None)[3], s(2));
}

#[test]
fn a_key_cannot_enlarge_what_is_counted_with_others() {
    let limit = |name: &str, by: Value| json!({"name": name, "by": by, "requests": 2, "window_secs": 60, "store": "memory"});
    let policy = gate_with(json!({
        "limits": [
            limit("ip", json!("ip")),
            limit("route", json!("route")),
            limit("alone", json!(["api_key", "ip"])),
        ],
        "routes": [{"path": "/*", "limits": ["ip", "route", "alone"]}],
    }));
    let stores = Stores::default();
    stores.put_record(&record_of(ID, &json!({"limits": {"ip": 9, "route": 9, "alone": 9}})));
    let decision = check(&policy, &stores, &get("/", &bearer(&key(&policy))));
    let requests: Vec<u32> = decision.limits.iter().map(|report| report.requests).collect();
    assert_eq!(requests, [2, 2, 9]);
}

#[test]
fn keys_that_replace_each_other_are_counted_as_one() {
    let policy = gate_with(json!({
        "limits": [
            {"name": "a", "requests": 3, "window": "month", "algorithm": "fixed-window", "store": "memory"},
            {"name": "b", "by": "api_key", "requests": 9, "window_secs": 60, "store": "memory"},
        ],
        "routes": [{"path": "/*", "limits": ["a", "b"]}],
    }));
    let stores = Stores::default();
    let others = [8, 9].map(|byte| KeyId::from_bytes([byte; 16]));
    stores.put_record(&record_of(ID, &json!({})));
    for id in others {
        stores.put_record(&record_of(id, &json!({"family": ID.to_string()})));
    }
    for (id, left) in [(ID, 2), (others[0], 1), (others[1], 0)] {
        let presented = bearer(&key_of(&policy, "sk", id, None));
        let decision = check(&policy, &stores, &get("/", &presented));
        assert_eq!(remaining(&decision), [("a", left), ("b", 6 + left)]);
        assert_eq!(admitted(decision).api_key_id(), Some(&id), "to everybody else it is itself");
    }
    let again = check(&policy, &stores, &get("/", &bearer(&key(&policy))));
    assert_eq!(refusal(again).code(), Code::RateLimited);
}

#[test]
fn a_token_without_a_subject_is_counted_by_its_client_else_by_its_issuer() {
    let policy = gate_with(json!({
        "limits": [
            {"name": "caller", "by": "caller", "requests": 100, "window_secs": 60, "store": "memory"},
            {"name": "subject", "by": "subject", "requests": 100, "window_secs": 60, "store": "memory"},
        ],
        "routes": [{"path": "/*", "limits": ["caller", "subject"]}],
    }));
    let stores = Stores::default();
    let taken = |ip: &str, claims: Value| {
        let decision = check(&policy, &stores, &from(ip, get("/", &bearer(&token_with(claims)))));
        assert_eq!(decision.outcome.as_ref().unwrap().subject(), None);
        let left = remaining(&decision);
        assert_eq!(left.len(), 1, "an empty subject is none: {left:?}");
        100 - left[0].1
    };
    let nobody = |more: Value| {
        let mut claims = json!({"sub": ""});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    assert_eq!(taken("1.1.1.1", nobody(json!({"client_id": "one"}))), 1);
    assert_eq!(taken("1.1.1.1", nobody(json!({"client_id": "two"}))), 1);
    assert_eq!(taken("1.1.1.2", nobody(json!({"client_id": "one", "azp": "other"}))), 2);
    assert_eq!(taken("1.1.1.2", json!({"sub": null, "client_id": "one"})), 3);
    assert_eq!(taken("1.1.1.3", nobody(json!({"azp": "three"}))), 1);
    assert_eq!(taken("1.1.1.3", nobody(json!({"azp": "three", "client_id": ""}))), 2);
    assert_eq!(taken("1.1.1.4", nobody(json!({"azp": "one"}))), 4, "a client is a client");
    assert_eq!(taken("1.1.1.4", nobody(json!({"client_id": ["one"]}))), 1, "the issuer's");
    assert_eq!(taken("1.1.1.5", json!({"sub": null})), 2, "wherever it is used from");
    // A subject of the same name is somebody else.
    let named = bearer(&token_with(json!({"sub": "one"})));
    let decision = check(&policy, &stores, &get("/", &named));
    assert_eq!(remaining(&decision), [("caller", 99), ("subject", 99)]);
}

#[test]
fn a_key_has_its_own_allowance_where_its_record_says_so() {
    let policy = gate_with(json!({
        "limits": [
            {"name": "a", "requests": 2, "window_secs": 60, "store": "memory"},
            {"name": "b", "requests": 9, "window_secs": 60, "store": "memory"},
        ],
        "routes": [{"path": "/*", "limits": ["a", "b"]}],
    }));
    let stores = Stores::default();
    let other = KeyId::from_bytes([8; 16]);
    stores.put_record(&record_of(ID, &json!({"limits": {"a": 4, "elsewhere": 1}})));
    stores.put_record(&record_of(other, &json!({})));
    let special = bearer(&key(&policy));
    for left in [3, 2, 1, 0] {
        let decision = check(&policy, &stores, &get("/", &special));
        assert_eq!((decision.limits[0].requests, decision.limits[1].requests), (4, 9));
        assert_eq!(decision.limits[0].verdict.unwrap().remaining, left);
        admitted(decision);
    }
    assert_eq!(refusal(check(&policy, &stores, &get("/", &special))).code(), Code::RateLimited);
    let plain = bearer(&key_of(&policy, "sk", other, None));
    let decision = check(&policy, &stores, &get("/", &plain));
    assert_eq!(remaining(&decision), [("a", 1), ("b", 8)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Against a model that only counts what was admitted.
    #[test]
    fn any_requests_take_all_or_nothing(
        requests in proptest::collection::vec((0_usize..6, 0_usize..3, 0_usize..2), 1..60),
    ) {
        let limits: [(&str, &str, u32, &str); 5] = [
            ("a", "caller", 5, "durable-object"),
            ("b", "ip", 4, "durable-object"),
            ("c", "caller", 3, "memory"),
            ("d", "route", 7, "memory"),
            ("e", "caller", 6, "durable-object"),
        ];
        let routes: [(&[usize], u32); 6] = [
            (&[0, 1, 2, 3, 4], 1), (&[0], 2), (&[2, 1], 1), (&[3, 4, 0], 3), (&[1, 3], 2), (&[4, 2], 1),
        ];
        let policy = gate_with(json!({
            "limits": limits.map(|(name, by, requests, store)| json!({
                "name": name, "by": by, "requests": requests, "window_secs": 60,
                "algorithm": "fixed-window", "store": store,
            })),
            "routes": routes.iter().enumerate().map(|(index, (used, cost))| json!({
                "path": format!("/{index}"), "cost": cost,
                "limits": used.iter().map(|limit| limits[*limit].0).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        }));
        let stores = Stores::default();
        let mut used: HashMap<(usize, String), u32> = HashMap::new();
        for (route, user, address) in requests {
            let credential = bearer(&token_with(json!({"sub": format!("user-{user}")})));
            let (path, ip) = (format!("/{route}"), format!("192.0.2.{address}"));
            let decision = check(&policy, &stores, &from(&ip, get(&path, &credential)));
            let (names, cost) = routes[route];
            let counted = |limit: usize| match limits[limit].1 {
                "ip" => (limit, ip.clone()),
                "route" => (limit, path.clone()),
                _ => (limit, user.to_string()),
            };
            let fits = names.iter().all(|limit| {
                used.get(&counted(*limit)).unwrap_or(&0) + cost <= limits[*limit].2
            });
            prop_assert_eq!(decision.outcome.is_ok(), fits);
            if fits {
                for limit in names {
                    *used.entry(counted(*limit)).or_default() += cost;
                }
            }
            for report in &decision.limits {
                let limit = limits.iter().position(|(name, ..)| *name == report.name).unwrap();
                let left = limits[limit].2 - used.get(&counted(limit)).unwrap_or(&0);
                prop_assert_eq!(report.verdict.unwrap().remaining, left, "{}", report.name);
            }
        }
    }
}

// ---- failed authentication ----

#[test]
fn guesses_are_counted_by_address_and_genuine_credentials_still_served() {
    let (policy, stores) = (gate_with(json!({})), Stores::default());
    stores.put_record(&record_of(ID, &json!({})));
    let (forged, genuine) = (bearer(&forged()), bearer(&token()));
    for _ in 0..5 {
        assert_eq!(refusal(check(&policy, &stores, &get("/", &forged))), Error::BadSignature);
    }
    let error = refusal(check(&policy, &stores, &get("/", &forged)));
    assert_eq!(error.code(), Code::RateLimited);
    assert!(
        matches!(&error, Error::RateLimited { limit, retry_after_secs }
            if limit == "failed-authentication" && (900..=945).contains(retry_after_secs)),
        "{error}"
    );
    assert_eq!(stores.asked(), [""; 0], "counted without a store");
    admitted(check(&policy, &stores, &get("/", &genuine)));
    admitted(check(&policy, &stores, &get("/", &bearer(&key(&policy)))));
    let elsewhere = from("192.0.2.2", get("/", &forged));
    assert_eq!(refusal(check(&policy, &stores, &elsewhere)), Error::BadSignature);
    let much_later = check_at(&policy, &stores, &get("/", &forged), later(946_000));
    assert_eq!(refusal(much_later), Error::BadSignature);
}

#[test]
fn all_forgeries_count_and_nothing_else() {
    let policy = gate_with(json!({"routes": [
        {"path": "/jwt", "accept": ["jwt"]},
        {"path": "/admin", "scopes": {"all": ["admin"]}},
    ]}));
    let stores = Stores::default();
    let revoked = KeyId::from_bytes([9; 16]);
    stores.put_record(&record_of(ID, &json!({})));
    stores.put_record(&record_of(revoked, &json!({"disabled": true})));
    stores.revoke(&json!({"iss": ISSUER, "jti": "gone"}));
    let key_of = |id, expiry: Option<i64>| {
        bearer(&key_of(&policy, "sk", id, expiry.map(UnixTime::from_secs)))
    };
    let counts = |path: &str, authorization: &str, ip: &str| {
        let request = from(ip, get(path, authorization));
        (0..6).any(|_| refusal(check(&policy, &stores, &request)).code() == Code::RateLimited)
    };
    let forgeries = [
        bearer("no token"),
        bearer(&forged()),
        bearer(&token_with(json!({"iss": "https://other/"}))),
        bearer(&token_with(json!({"aud": "other"}))),
        bearer(&mint::hs256(r#"{"alg":"none"}"#, claims().to_string())),
        bearer(&"a".repeat(9000)),
        basic("sk_test_1:"),
        basic("nobody:secret"),
        bearer(&forged_key(&policy)),
        bearer("old_1"),
        key_of(KeyId::from_bytes([1; 16]), None),
    ];
    for (index, authorization) in forgeries.iter().enumerate() {
        assert!(counts("/", authorization, &format!("10.0.0.{index}")), "{authorization}");
    }
    let honest = [
        ("/", String::new()),
        ("/", format!("Bearer {}, Bearer x", token())),
        ("/", bearer(&token_with(json!({"exp": NOW_SECS})))),
        ("/", bearer(&token_with(json!({"nbf": NOW_SECS + 1})))),
        ("/", bearer(&token_with(json!({"jti": "gone"})))),
        ("/", key_of(revoked, None)),
        ("/", key_of(ID, Some(NOW_SECS - 60))),
        ("/jwt", key_of(ID, None)),
        ("/admin", bearer(&token())),
        ("/%2e%2e", bearer(&forged())),
    ];
    for (index, (path, authorization)) in honest.iter().enumerate() {
        assert!(!counts(path, authorization, &format!("10.0.1.{index}")), "{path} {authorization}");
    }
    stores.break_down("entries");
    assert!(!counts("/", &bearer(&token()), "10.0.2.1"), "the store's fault is not the caller's");
}

#[test]
fn ipv6_guesses_count_by_their_64_and_unknown_addresses_together() {
    let forged = bearer(&forged());
    for (same, other) in [
        (["2001:db8::1", "2001:db8::2:3:4:5"], "2001:db8:0:1::1"),
        (["192.0.2.1", "::ffff:192.0.2.1"], "192.0.2.2"),
    ] {
        let (policy, stores) = (gate_with(json!({})), Stores::default());
        let code = |ip: &str| refusal(check(&policy, &stores, &from(ip, get("/", &forged)))).code();
        for turn in 0..5 {
            assert_eq!(code(same[turn % 2]), Code::InvalidToken);
        }
        assert_eq!(same.map(code), [Code::RateLimited; 2]);
        assert_eq!(code(other), Code::InvalidToken);
    }
    let (policy, stores) = (gate_with(json!({})), Stores::default());
    let unknown = Request { client_ip: None, ..get("/", &forged) };
    for _ in 0..5 {
        assert_eq!(refusal(check(&policy, &stores, &unknown)), Error::BadSignature);
    }
    assert_eq!(refusal(check(&policy, &stores, &unknown)).code(), Code::RateLimited);
}

const IMPORTED: &str = "old_4242424242424242424242424242";

/// Stores that have the record of [`IMPORTED`].
fn with_imported_key() -> Stores {
    let stores = Stores::default();
    let hash = serde_json::to_value(ImportedHash::of(IMPORTED)).unwrap();
    let body = json!({"name": "n", "owner": "acme", "scopes": [], "imported_sha256": hash});
    stores.put_record(&imported(&body));
    stores
}

fn with_key<'a>(ip: Option<&str>, api_key: &'a str) -> Request<'a> {
    let client_ip = ip.map(|ip| ip.parse().unwrap());
    Request { api_key: Some(api_key), client_ip, ..request("GET", "/") }
}

#[test]
fn an_address_that_keeps_guessing_gets_few_look_ups_of_imported_keys() {
    let (policy, stores) = (gate_with(json!({})), Stores::default());
    let guess = Request { api_key: Some("old_guess"), ..request("GET", "/") };
    for _ in 0..5 {
        assert_eq!(refusal(check(&policy, &stores, &guess)), Error::UnknownApiKey);
        assert_eq!(stores.asked(), ["record"]);
    }
    for _ in 0..50 {
        assert_eq!(refusal(check(&policy, &stores, &guess)).code(), Code::RateLimited);
    }
    assert_eq!(stores.asked(), ["record"; 3]);
    for second in 1..100 {
        let decision = check_at(&policy, &stores, &guess, later(second * 1000));
        assert_eq!(refusal(decision).code(), Code::RateLimited);
    }
    assert_eq!(stores.asked(), ["record"; 99], "one a second");
}

#[test]
fn an_address_that_guesses_many_keys_at_once_gets_few_look_ups_too() {
    let policy = gate_with(json!({}));
    let ask_all = |stores: &Stores, keys: &[String]| {
        let guard = Guard::new(&policy, stores);
        let requests: Vec<_> =
            keys.iter().map(|key| with_key(Some("192.0.2.1"), key.as_str())).collect();
        run(join_all(requests.iter().map(|request| guard.check(request, NOW))))
    };
    let (stores, guesses) =
        (with_imported_key(), (0..300).map(|count| format!("old_{count}")).collect::<Vec<_>>());
    for decision in ask_all(&stores, &guesses) {
        assert!(decision.outcome.is_err());
    }
    assert_eq!(stores.asked().len(), 20 + 3, "at once");
    admitted(check(&policy, &stores, &with_key(Some("192.0.2.2"), IMPORTED)));

    // What is found is given back.
    let (stores, genuine) = (with_imported_key(), vec![IMPORTED.to_owned(); 20]);
    for _ in 0..10 {
        ask_all(&stores, &genuine).into_iter().for_each(|decision| drop(admitted(decision)));
    }
    // So is what the store did not answer.
    stores.break_down("record");
    for decision in ask_all(&stores, &guesses[..20]) {
        assert_eq!(refusal(decision).code(), Code::StoreUnavailable);
    }
    stores.repair();
    ask_all(&stores, &genuine).into_iter().for_each(|decision| drop(admitted(decision)));
}

#[test]
fn a_genuine_imported_key_passes_from_a_throttled_address() {
    let (policy, stores) = (gate_with(json!({})), with_imported_key());
    let here = Some("192.0.2.1");
    let forged = get("/", "Bearer x.y.z");
    for _ in 0..6 {
        assert!(check(&policy, &stores, &forged).outcome.is_err());
    }
    assert_eq!(refusal(check(&policy, &stores, &forged)).code(), Code::RateLimited);
    for _ in 0..100 {
        admitted(check(&policy, &stores, &with_key(here, IMPORTED)));
    }
    // Who uses up the look-ups of the address does not shut out a key that was there not long ago.
    for _ in 0..10 {
        assert!(check(&policy, &stores, &with_key(here, "old_guess")).outcome.is_err());
    }
    let shut_out = check(&policy, &stores, &with_key(here, IMPORTED));
    assert!(
        matches!(refusal(shut_out), Error::RateLimited { retry_after_secs: 1, .. }),
        "one that is not remembered waits a second"
    );
    stores.remember_keys();
    admitted(check(&policy, &stores, &with_key(here, IMPORTED)));
}

#[test]
fn strangers_without_an_address_lock_out_no_imported_key() {
    let (policy, stores) = (gate_with(json!({})), with_imported_key());
    let nowhere = Request { client_ip: None, ..get("/", "Bearer x.y.z") };
    for _ in 0..20 {
        assert!(check(&policy, &stores, &nowhere).outcome.is_err());
    }
    for _ in 0..300 {
        admitted(check(&policy, &stores, &with_key(None, IMPORTED)));
    }
}

#[test]
fn look_ups_of_keys_that_do_not_exist_are_bounded_for_all_together() {
    let (policy, stores) = (gate_with(json!({})), with_imported_key());
    let guesses = (0..300).map(|count| format!("old_{count}")).collect::<Vec<_>>();
    for guess in &guesses {
        assert!(check(&policy, &stores, &with_key(None, guess)).outcome.is_err());
    }
    assert_eq!(stores.asked().len(), 100, "without an address");
    let refused = check(&policy, &stores, &with_key(None, "old_1"));
    assert_eq!(refusal(refused).code(), Code::StoreUnavailable);
    admitted(check(&policy, &stores, &with_key(Some("192.0.2.9"), IMPORTED)));
    stores.asked();
    for address in 0..3000 {
        let ip = format!("10.0.{}.{}", address / 250, address % 250);
        assert!(check(&policy, &stores, &with_key(Some(&ip), &guesses[0])).outcome.is_err());
    }
    assert_eq!(stores.asked().len(), 1000, "from as many addresses as there are");
    let request = with_key(Some("192.0.2.9"), IMPORTED);
    admitted(check_at(&policy, &stores, &request, later(1000)));
}

#[test]
fn guesses_of_the_administrators_secret_are_refused_before_they_are_compared() {
    let policy = gate_with(json!({}));
    let attempts = Attempts::default();
    let failures = Failures::new(&policy, &attempts);
    let (here, elsewhere) = (request("GET", "/").client_ip, "192.0.2.2".parse().ok());
    for _ in 0..20 {
        let _ = failures.count(Error::BadSignature, here, NOW);
    }
    failures.secret(here, NOW, || true).expect("failures of others do not count");
    for _ in 0..5 {
        assert_eq!(failures.secret(here, NOW, || false), Err(Error::AdministratorSecret));
    }
    let refused = failures.secret(here, NOW, || panic!("compared")).unwrap_err();
    assert!(matches!(refused, Error::RateLimited { retry_after_secs: 900..=945, .. }), "{refused}");
    failures.secret(elsewhere, NOW, || true).unwrap();
    failures.secret(here, later(946_000), || true).unwrap();
    assert_eq!(failures.count(Error::BadSignature, elsewhere, NOW), Error::BadSignature);
}

#[test]
fn guesses_of_the_administrators_secret_without_an_address_are_bounded_in_all() {
    let policy = gate_with(json!({}));
    let attempts = Attempts::default();
    let failures = Failures::new(&policy, &attempts);
    for _ in 0..60 {
        assert_eq!(failures.secret(None, NOW, || false), Err(Error::AdministratorSecret));
    }
    let refused = failures.secret(None, NOW, || panic!("compared")).unwrap_err();
    assert!(matches!(refused, Error::RateLimited { retry_after_secs: 1, .. }), "{refused}");
    failures.secret(request("GET", "/").client_ip, NOW, || true).unwrap();
    failures.secret(None, later(1000), || true).unwrap();
}

#[test]
fn switched_off_nothing_is_counted() {
    let policy = gate_with(json!({"failed_authentication": {"enabled": false}}));
    let stores = Stores::default();
    let forged = bearer(&forged());
    for _ in 0..50 {
        assert_eq!(refusal(check(&policy, &stores, &get("/", &forged))), Error::BadSignature);
    }
}

// ---- the host and published keys ----

/// A published token, its key, and a policy that takes it: ES256 of RFC 7515 A.3, or HS256 of A.1.
fn published(algorithm: &str) -> (String, Key) {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/jws.json")).unwrap();
    let found = vectors.as_array().unwrap().iter().find(|one| one["name"] == algorithm).unwrap();
    (found["token"].as_str().unwrap().to_owned(), Key::from_jwk_value(&found["jwk"]).unwrap())
}

/// The issuer `joe` of the RFC's tokens names no audience; this one does, so that its tokens get as far as
/// their claims.
fn joe(source: Value) -> Policy {
    let mut issuer =
        json!({"issuer": "joe", "audience": ["api"], "algorithms": ["ES256"], "require_exp": true});
    for (name, value) in source.as_object().unwrap() {
        issuer[name] = value.clone();
    }
    gate_with(json!({"issuers": [issuer]}))
}

fn es256_jwks() -> Value {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/jws.json")).unwrap();
    let found = vectors.as_array().unwrap().iter().find(|one| one["name"] == "ES256").unwrap();
    let mut jwk = found["jwk"].clone();
    jwk["kid"] = json!("known");
    json!({ "keys": [jwk] })
}

#[test]
fn the_host_is_asked_about_a_signature_and_its_verdict_counts() {
    let policy = joe(json!({"jwks": es256_jwks()}));
    let (token, _) = published("ES256");
    let credential = bearer(&token);
    for (answer, error) in [
        (Ok(true), Error::MissingClaim { claim: "aud".to_owned() }),
        (Ok(false), Error::BadSignature),
        (Err(Error::AlgorithmUnavailable), Error::AlgorithmUnavailable),
        (
            Err(Error::KeysUnavailable { issuer: "joe".to_owned(), problem: "x".to_owned() }),
            Error::KeysUnavailable { issuer: "joe".to_owned(), problem: "x".to_owned() },
        ),
    ] {
        let expected = token.clone();
        let stores = Stores::default().with_host(move |check| {
            let (message, signature) = expected.rsplit_once('.').unwrap();
            assert_eq!(check.message(), message.as_bytes());
            assert_eq!(edgegate::base64url::encode(check.signature()), signature);
            answer.clone()
        });
        let decision = check_at(&policy, &stores, &get("/", &credential), RFC_NOW);
        assert_eq!(refusal(decision), error);
        assert_eq!(stores.asked(), ["host ES256"]);
    }
}

/// That a signature holds is kept; which keys count, and what the claims say, is asked each time.
#[test]
fn a_signature_that_was_seen_to_hold_is_not_checked_again_and_serves_nothing_else() {
    let (token, _) = published("ES256");
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (signed, of) = (message.to_owned(), std::cell::RefCell::new(None));
    let (made, tag) = (edgegate::base64url::decode(signature).unwrap(), signature);
    let stores = Stores::default().keeping_signatures().with_host(move |check| {
        let key = check.thumbprint().to_owned();
        let is_same_key = *of.borrow_mut().get_or_insert_with(|| key.clone()) == key;
        Ok(is_same_key && check.message() == signed.as_bytes() && check.signature() == made)
    });
    let by = |jwks: Value| {
        let mut issuer = json!({"issuer": "joe", "audience": ["api"], "algorithms": ["ES256"]});
        issuer["jwks"] = jwks;
        gate_with(json!({"issuers": [issuer], "failed_authentication": {"enabled": false}}))
    };
    let known = by(es256_jwks());
    let decide = |policy: &Policy, text: &str, now| {
        let error = refusal(check_at(policy, &stores, &get("/", &bearer(text)), now));
        (error, stores.asked().len())
    };
    let holds = || Error::MissingClaim { claim: "aud".to_owned() };
    assert_eq!(decide(&known, &token, RFC_NOW), (holds(), 1));
    assert_eq!(decide(&known, &token, RFC_NOW), (holds(), 0));
    // Another signature, and other claims under that one: checked each time.
    let claims = edgegate::base64url::encode(br#"{"iss":"joe","aud":"api","exp":9999999999}"#);
    let header = message.split_once('.').unwrap().0;
    for forged in [format!("{message}.{}A", "E".repeat(85)), format!("{header}.{claims}.{tag}")] {
        for _ in 0..2 {
            assert_eq!(decide(&known, &forged, RFC_NOW), (Error::BadSignature, 1));
        }
    }
    // A key that is gone from the set is gone, whatever it has signed.
    let other = json!({
        "kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let rotated = by(json!({"keys": [other]}));
    assert_eq!(decide(&rotated, &token, RFC_NOW), (Error::BadSignature, 1));
    let later = RFC_NOW.saturating_add(15 * 60 * 1000);
    assert_eq!(decide(&known, &token, later), (holds(), 1));
}

#[test]
fn the_host_and_the_issuer_are_asked_only_when_needed() {
    let remote = json!({"jwks_uri": "https://joe.example/jwks"});
    let (fixed, remote) = (joe(json!({"jwks": es256_jwks()})), joe(remote));
    let (token, key) = published("ES256");
    let set = || KeySet::new(vec![Key::from_jwk_value(&es256_jwks()["keys"][0]).unwrap()]).unwrap();
    assert!(!key.is_symmetric());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let header = |json: &str| {
        format!(
            "{}.{}",
            edgegate::base64url::encode(json.as_bytes()),
            token.split_once('.').unwrap().1
        )
    };
    let long_kid = header(r#"{"alg":"ES256","kid":"other"}"#);
    for (presented, error, of_fixed, of_remote) in [
        // Malformed, of another algorithm, of another issuer: nobody is asked.
        (format!("{message}."), None, vec![], vec![]),
        ("a.b.c".to_owned(), None, vec![], vec![]),
        (header(r#"{"alg":"RS256"}"#), Some(Error::AlgorithmNotAllowed), vec![], vec![]),
        (header(r#"{"alg":"HS256"}"#), Some(Error::AlgorithmNotAllowed), vec![], vec![]),
        (
            header(r#"{"alg":"ES256","crit":["b64"]}"#),
            Some(Error::UnsupportedCritical),
            vec![],
            vec![],
        ),
        (
            format!(
                "{}.{}.{signature}",
                message.split_once('.').unwrap().0,
                edgegate::base64url::encode(br#"{"iss":"jane"}"#)
            ),
            Some(Error::UnknownIssuer),
            vec![],
            vec![],
        ),
        // A key that is not there: the issuer is asked for it by name, the host not at all.
        (long_kid, Some(Error::UnknownKey), vec![], vec!["remote other"]),
        // Well formed: both.
        (
            token.clone(),
            Some(Error::BadSignature),
            vec!["host ES256"],
            vec!["remote -", "host ES256"],
        ),
    ] {
        for (policy, asked) in [(&fixed, of_fixed), (&remote, of_remote)] {
            let stores = Stores::default().with_host(|_| Ok(false)).with_remote(set());
            let found = refusal(check_at(policy, &stores, &get("/", &bearer(&presented)), RFC_NOW));
            assert_eq!(found.code(), Code::InvalidToken, "{presented}");
            if let Some(error) = &error {
                assert_eq!(&found, error, "{presented}");
            }
            assert_eq!(stores.asked(), asked, "{presented}");
        }
    }
}

#[test]
fn keys_that_cannot_be_had_are_nobodys_failure() {
    let policy = joe(json!({"jwks_uri": "https://joe.example/jwks"}));
    let stores = Stores::default();
    let credential = bearer(&published("ES256").0);
    for _ in 0..9 {
        let error = refusal(check_at(&policy, &stores, &get("/", &credential), RFC_NOW));
        let expected =
            Error::KeysUnavailable { issuer: "joe".to_owned(), problem: "is on fire".to_owned() };
        assert_eq!((&error, error.code()), (&expected, Code::KeysUnavailable));
    }
}

#[test]
fn a_published_secret_is_no_key() {
    let policy = joe(json!({"jwks_uri": "https://joe.example/jwks"}));
    let symmetric = KeySet::new(vec![published("HS256").1]).unwrap();
    let stores = Stores::default().with_remote(symmetric);
    let credential = bearer(&published("ES256").0);
    let error = refusal(check_at(&policy, &stores, &get("/", &credential), RFC_NOW));
    let problem = "the published set holds secrets".to_owned();
    assert_eq!(error, Error::KeysUnavailable { issuer: "joe".to_owned(), problem });
}

#[test]
fn ed25519_needs_no_host() {
    let x = edgegate::base64url::encode(
        ed25519_dalek::SigningKey::from_bytes(mint::SECRET).verifying_key().as_bytes(),
    );
    let policy = gate_with(json!({"issuers": [{
        "issuer": ISSUER, "audience": ["api"], "algorithms": ["EdDSA"],
        "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]},
    }]}));
    let stores = Stores::default();
    let credential = bearer(&mint::eddsa(r#"{"alg":"EdDSA"}"#, claims().to_string()));
    let Identity::Token(token) = admitted(check(&policy, &stores, &get("/", &credential))) else {
        panic!("a token")
    };
    assert_eq!(token.key_id(), mint::eddsa_key().thumbprint());
    assert_eq!(stores.asked(), ["entries"]);
}

#[test]
fn a_token_is_verified_without_a_request_too() {
    let (policy, stores) = (gate_with(json!({})), Stores::default());
    let guard = Guard::new(&policy, &stores);
    assert_eq!(run(guard.verify_token(&token(), NOW)).unwrap().subject(), Some("user-1"));
    assert_eq!(run(guard.verify_token(&forged(), NOW)).unwrap_err(), Error::BadSignature);
    assert_eq!(stores.asked(), [""; 0]);
    let nothing = gate::policy(&json!({}));
    let guard = Guard::new(&nothing, &stores);
    assert_eq!(run(guard.verify_token(&token(), NOW)).unwrap_err(), Error::TokenNotAccepted);
}

// ---- events ----

#[test]
fn an_event_says_what_was_decided() {
    let (policy, stores) = (gate_with(json!({})), Stores::default());
    let credential = bearer(&token());
    let request = Request {
        client_ip: Some("2001:db8::1".parse().unwrap()),
        ..get("/v1/secret-path", &credential)
    };
    let decision = check(&policy, &stores, &request);
    assert_eq!(Event::of(Log::Refusals, &request, &decision, NOW), None);
    assert_eq!(Event::of(Log::None, &request, &decision, NOW), None);
    let event = Event::of(Log::All, &request, &decision, NOW).unwrap();
    assert_eq!(
        serde_json::to_value(&event).unwrap(),
        json!({
            "event": "admitted", "at": NOW.as_millis(), "method": "GET", "route": "/*",
            "carrier": "bearer", "identity": "jwt", "issuer": ISSUER, "subject": "user-1",
            "client": "2001:db8:0:0::/64",
        })
    );
    stores.revoke(&json!({"iss": ISSUER, "jti": JTI}));
    let decision = check(&policy, &stores, &request);
    let event = Event::of(Log::Refusals, &request, &decision, NOW).unwrap();
    assert_eq!(
        serde_json::to_value(&event).unwrap(),
        json!({
            "event": "refused", "at": NOW.as_millis(), "method": "GET", "route": "/*",
            "code": "TOKEN_REVOKED", "reason": "token_revoked", "detail": "token is revoked by jti",
            "carrier": "bearer", "client": "2001:db8:0:0::/64",
        })
    );
    assert_eq!(Event::of(Log::None, &request, &decision, NOW), None);
}

#[test]
fn faults_that_were_let_pass_are_logged() {
    let policy = gate_with(json!({"revocation": {"on_error": "allow"}}));
    let stores = Stores::default();
    stores.put_record(&record_of(ID, &json!({"owner": "acme"})));
    stores.break_down("entries");
    let key = key(&policy);
    let request = Request { api_key: Some(&key), ..request("GET", "/") };
    let decision = check(&policy, &stores, &request);
    let event = Event::of(Log::Refusals, &request, &decision, NOW).unwrap();
    assert_eq!(
        serde_json::to_value(&event).unwrap(),
        json!({
            "event": "admitted", "at": NOW.as_millis(), "method": "GET", "route": "/*",
            "carrier": "api_key_header", "identity": "api_key", "subject": "acme",
            "key_id": ID.to_string(), "client": "192.0.2.1",
            "faults": ["store revocation: is on fire"],
        })
    );
}

#[test]
fn a_request_shows_none_of_its_credentials() {
    let (one, two, three) = (bearer(&token()), "sk_test_abcdefgh", "session=abcdefgh");
    let shown = Request {
        api_key: Some(two),
        cookie: Some(three),
        dpop: Some("eyJ0eXAi"),
        url: Some("https://gate.example/a?b=eyJhbGci"),
        ..get("/a?b=eyJhbGci", &one)
    };
    assert_eq!(
        format!("{shown:?}"),
        "Request { method: \"GET\", path: \"/a\", authorization: Some(\"_\"), dpop: Some(\"_\"), \
         api_key: Some(\"_\"), cookie: Some(\"_\"), credential_headers: 0, client_ip: Some(192.0.2.1), preflight: false }"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever is presented, wherever, however broken: no eight characters of it in a row get into the
    /// event of the decision, or into its debug output.
    #[test]
    fn no_event_holds_a_credential(
        kind in 0_usize..9,
        place in 0_usize..4,
        cut in any::<prop::sample::Index>(),
        damage in 0_usize..4,
        noise in "[ -~]{12,40}",
    ) {
        let (policy, stores) = (gate_with(json!({})), Stores::default());
        stores.put_record(&record_of(ID, &json!({})));
        let mut credential = match kind {
            0 => token(),
            1 => forged(),
            2 => token_with(json!({"exp": NOW_SECS - 5, "sub": noise})),
            3 => token_with(json!({"aud": noise})),
            4 => token_with(json!({"iss": noise})),
            5 => key(&policy),
            6 => forged_key(&policy),
            7 => format!("old_{noise}"),
            _ => noise.clone(),
        };
        match damage {
            0 => credential.truncate(cut.index(credential.len().max(1)).max(1)),
            1 => credential.insert_str(cut.index(credential.len()), "!\"\\"),
            _ => {}
        }
        let header = match place {
            0 => bearer(&credential),
            1 => basic(&format!("{credential}:")),
            2 => credential.clone(),
            _ => format!("session={credential}"),
        };
        let request = Request {
            authorization: (place < 2).then_some(header.as_str()),
            api_key: (place == 2).then_some(header.as_str()),
            cookie: (place == 3).then_some(header.as_str()),
            ..request("GET", "/")
        };
        let decision = check(&policy, &stores, &request);
        let genuine = decision.outcome.is_ok();
        let event = Event::of(Log::All, &request, &decision, NOW).unwrap();
        let mut shown = serde_json::to_string(&event).unwrap();
        if !genuine {
            shown.push_str(&format!("{:?}", decision));
        }
        // What a genuine token says about its bearer is logged; the token is not.
        for part in [&credential, &header] {
            let bytes = part.as_bytes();
            for window in bytes.windows(8) {
                let window = String::from_utf8_lossy(window).into_owned();
                prop_assert!(!shown.contains(&window), "{window} of {part} in {shown}");
            }
        }
        if matches!(kind, 2..=4) && !genuine {
            prop_assert!(!shown.contains(&noise), "{noise} in {shown}");
        }
    }
}

// ---- tokens that are bound to a key ----

const POSTS: &str = "https://gate.example/v1/posts";

fn bound() -> String {
    token_with(json!({"cnf": {"jkt": mint::eddsa_key().thumbprint()}}))
}

fn proof_with(token: &str, changes: Value) -> String {
    let x = edgegate::base64url::encode(
        ed25519_dalek::SigningKey::from_bytes(mint::SECRET).verifying_key().as_bytes(),
    );
    let header =
        json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}});
    let ath = edgegate::jose::dpop::access_token_hash(token);
    let mut claims = json!({"jti": "one", "htm": "GET", "htu": POSTS, "iat": NOW_SECS, "ath": ath});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    mint::eddsa(header.to_string(), claims.to_string())
}

/// What comes of a token under a scheme, with a proof.
fn presented(policy: &Policy, stores: &Stores, header: &str, proof: Option<&str>) -> Decision {
    let request = Request {
        authorization: Some(header),
        dpop: proof,
        url: Some("https://gate.example:443/v1/posts?page=2"),
        ..request("GET", "/v1/posts?page=2")
    };
    check(policy, stores, &request)
}

fn binding(word: &str) -> Policy {
    gate_with(json!({"issuers": [
        {"issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET", "dpop": word},
    ]}))
}

#[test]
fn a_bound_token_is_taken_with_a_proof_of_its_key_once() {
    for policy in [gate_with(json!({})), binding("optional"), binding("required")] {
        let stores = Stores::default();
        let token = bound();
        let dpop = format!("DPoP {token}");
        let proof = proof_with(&token, json!({}));
        let first = presented(&policy, &stores, &dpop, Some(&proof));
        assert_eq!(first.outcome.unwrap().subject(), Some("user-1"));
        assert_eq!(first.carrier, Some(Carrier::Dpop));
        let again = presented(&policy, &stores, &dpop, Some(&proof));
        assert_eq!(again.outcome.unwrap_err(), Error::ProofReplayed);
        let next = proof_with(&token, json!({"jti": "two"}));
        assert!(presented(&policy, &stores, &dpop, Some(&next)).outcome.is_ok());
    }
}

#[test]
fn a_bound_token_is_no_bearer_token() {
    let (policy, stores) = (gate_with(json!({})), Stores::default());
    let token = bound();
    let proof = proof_with(&token, json!({}));
    for proof in [None, Some(proof.as_str())] {
        let decision = presented(&policy, &stores, &bearer(&token), proof);
        assert_eq!(decision.outcome.unwrap_err(), Error::ProofRequired);
    }
    let cookie = format!("session={token}");
    let request =
        Request { cookie: Some(&cookie), dpop: Some(&proof), ..request("GET", "/v1/posts") };
    assert_eq!(check(&policy, &stores, &request).outcome.unwrap_err(), Error::ProofRequired);
    let off = binding("off");
    for scheme in ["Bearer", "DPoP"] {
        assert!(presented(&off, &stores, &format!("{scheme} {token}"), None).outcome.is_ok());
    }
}

#[test]
fn a_bearer_token_is_not_bound_by_a_proof() {
    let stores = Stores::default();
    let proof = proof_with(&token(), json!({}));
    let refused = |policy: &Policy, header: &str| {
        presented(policy, &stores, header, Some(&proof)).outcome.unwrap_err()
    };
    let optional = gate_with(json!({}));
    assert!(presented(&optional, &stores, &bearer(&token()), Some(&proof)).outcome.is_ok());
    assert_eq!(refused(&optional, &format!("DPoP {}", token())), Error::TokenNotBound);
    assert_eq!(refused(&binding("required"), &bearer(&token())), Error::TokenNotBound);
    // An API key is none of this, also where tokens have to be bound.
    let policy = binding("required");
    let key = key_of(&policy, "sk", ID, None);
    let error = refused(&policy, &format!("DPoP {key}"));
    assert_eq!(error.code(), Code::InvalidToken);
}

#[test]
fn a_proof_is_about_the_request_and_is_checked_after_the_token() {
    let policy = gate_with(json!({}));
    let token = bound();
    let dpop = format!("DPoP {token}");
    // New stores each time: a faulty proof counts as failed authentication.
    let refused = |header: &str, proof: Option<&str>| {
        presented(&policy, &Stores::default(), header, proof).outcome.unwrap_err().to_string()
    };
    assert_eq!(refused(&dpop, None), "DPoP proof: the DPoP header is missing");
    for (changes, problem) in [
        (json!({"htm": "POST"}), "htm is not the method of the request"),
        (json!({"htu": "https://gate.example/v1/other"}), "htu is not the URL of the request"),
        (json!({"ath": "x"}), "ath is not the hash of the access token"),
        (json!({"iat": NOW_SECS - 61}), "proof is too old"),
    ] {
        let proof = proof_with(&token, changes);
        assert_eq!(refused(&dpop, Some(&proof)), format!("DPoP proof: {problem}"));
    }
    assert_eq!(refused(&dpop, Some("x, y")), "DPoP proof: more than one DPoP header");
    assert_eq!(refused(&format!("DPoP {}", forged()), Some("x")), "signature does not verify");
    let nameless = Request {
        authorization: Some(&dpop),
        dpop: Some(&proof_with(&token, json!({}))),
        ..request("GET", "/v1/posts")
    };
    assert_eq!(
        check(&policy, &Stores::default(), &nameless).outcome.unwrap_err().to_string(),
        "DPoP proof: the URL of the request is not known; in forward-auth, forward_auth.origin says it"
    );
    let pathlike = Request { url: Some("/v1/posts"), ..nameless };
    assert_eq!(
        check(&policy, &Stores::default(), &pathlike).outcome.unwrap_err().to_string(),
        "DPoP proof: the URL of the request cannot be compared"
    );
    let two = format!("DPoP {token}, Bearer {token}");
    let decision = presented(&policy, &Stores::default(), &two, None);
    assert_eq!(decision.outcome.unwrap_err(), Error::MultipleCredentials);
}

#[test]
fn refusals_of_bound_tokens_name_their_scheme() {
    use edgegate::http::reply::Refusal;
    let challenge = |error: &Error, carrier| {
        let refusal = Refusal::new(error, Some(carrier), None);
        let field = refusal.fields.into_iter().find(|(name, _)| *name == "WWW-Authenticate");
        (refusal.status, field.unwrap().1)
    };
    let algs = "algs=\"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA\"";
    let proof = Error::InvalidProof { problem: "x".into() };
    for (error, carrier, name) in [
        (&proof, Carrier::Dpop, "invalid_dpop_proof"),
        (&Error::WrongProofKey, Carrier::Dpop, "invalid_dpop_proof"),
        (&Error::ProofReplayed, Carrier::Dpop, "invalid_dpop_proof"),
        (&Error::WrongProofNonce, Carrier::Dpop, "use_dpop_nonce"),
        (&Error::BadSignature, Carrier::Dpop, "invalid_token"),
        (&Error::ProofRequired, Carrier::Bearer, "invalid_token"),
        (&Error::TokenNotBound, Carrier::Bearer, "invalid_token"),
    ] {
        let expected = format!("DPoP realm=\"edgegate\", error=\"{name}\", {algs}");
        assert_eq!(challenge(error, carrier), (401, expected));
    }
    assert!(challenge(&Error::BadSignature, Carrier::Bearer).1.starts_with("Bearer "));
}

#[test]
fn refusals_name_where_the_resource_describes_itself_if_another_credential_would_help() {
    use edgegate::http::reply::Refusal;
    let url = "https://api.example.com/.well-known/oauth-protected-resource";
    let challenge = |error: &Error, url| {
        let refusal = Refusal::new(error, Some(Carrier::Bearer), None).naming(error, url);
        let field = refusal.fields.into_iter().find(|(name, _)| *name == "WWW-Authenticate");
        field.map(|(_, challenge)| challenge)
    };
    let named = format!(", resource_metadata=\"{url}\"");
    let scope = Error::InsufficientScope { required: "a".into() };
    for error in [Error::MissingCredentials, Error::BadSignature, Error::ApiKeyRevoked, scope] {
        let without = challenge(&error, None).unwrap();
        assert_eq!(challenge(&error, Some(url)), Some(format!("{without}{named}")));
    }
    for error in [Error::IssuerNotAllowed, Error::HttpsRequired, Error::NotFound] {
        assert_eq!(challenge(&error, Some(url)), challenge(&error, None));
    }
}

#[test]
fn a_sign_in_too_long_ago_is_challenged_with_how_long_ago_it_may_be() {
    use edgegate::http::reply::Refusal;
    let (signed_in_at, now) = (UnixTime::from_secs(1), UnixTime::from_secs(1000));
    let error = Error::AuthenticationTooOld { signed_in_at, max_age_secs: 300, now };
    assert!(!error.is_failed_authentication());
    let challenge = |carrier| {
        let fields = Refusal::new(&error, Some(carrier), None).fields;
        fields.into_iter().find(|(name, _)| *name == "WWW-Authenticate").unwrap().1
    };
    let name = "realm=\"edgegate\", error=\"insufficient_user_authentication\"";
    let bearer = challenge(Carrier::Bearer);
    let title = "error_description=\"More recent sign-in required\"";
    assert_eq!(bearer, format!("Bearer {name}, {title}, max_age=\"300\""));
    let dpop = challenge(Carrier::Dpop);
    assert!(
        dpop.starts_with(&format!("DPoP {name}, algs=")) && dpop.ends_with(", max_age=\"300\"")
    );
    assert_eq!(challenge(Carrier::Cookie), "Bearer realm=\"edgegate\"");
}
