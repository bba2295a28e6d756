//! An explanation says what the gate says, and does nothing.

use crate::gate::{NOW, NOW_SECS, Stores, check, policy, record_of, request, run};
use crate::mint::hs256;
use edgegate::api_key::KeyId;
use edgegate::guard::{Decision, OnlyRead, Request};
use edgegate::http::{explain::explain, reply};
use edgegate::policy::Policy;
use proptest::prelude::*;
use serde_json::{Value, json};

fn sections(mode: &str) -> Value {
    json!({
        "issuers": [
            {"issuer": "https://a.example/", "audience": ["api"], "secret": "JWT_SECRET"},
            {"issuer": "https://b.example/", "audience": ["api"], "secret": "OTHER_SECRET"},
        ],
        "api_keys": {
            "prefixes": [{"prefix": "sk"}, {"prefix": "old", "format": "imported"}],
            "environment": "test",
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
        },
        "revocation": {"mode": mode},
        "limits": [
            {"name": "two", "by": "caller", "requests": 2, "window_secs": 60, "store": "memory"},
            {"name": "shared", "by": "ip", "requests": 9, "window_secs": 60},
        ],
        "preflight": "refuse",
        "routes": [
            {"path": "/public/*", "auth": "none", "methods": ["GET"]},
            {"path": "/scoped", "scopes": {"all": ["read"], "any": ["a", "b"]}, "limits": ["shared"]},
            {"path": "/limited", "limits": ["two"]},
            {"path": "/near", "ips": ["192.0.2.0/24"], "auth": "optional", "preflight": "answer"},
            {"path": "/orgs/{org}", "accept": ["jwt"], "issuers": ["https://a.example/"], "claims": {"org": "{org}"}},
            {"path": "/keys", "accept": ["api_key"]},
            {"path": "/gone", "auth": "none", "answer": {"status": 410}},
        ],
        "failed_authentication": {"requests": 1000, "window_secs": 60},
    })
}

const REVOKED: [u8; 16] = [3; 16];

/// Stands for a key of the gate's own, before its number.
const OWN: &str = "own ";

fn key(policy: &Policy, id: u8) -> String {
    let keys = &policy.api_keys.as_ref().unwrap().keys;
    keys.mint("sk", KeyId::from_bytes([id; 16]), None).unwrap().expose().to_owned()
}

fn stores() -> Stores {
    let stores = Stores::default();
    for (id, fields) in [
        (1, json!({"prefix": "sk", "scopes": ["read", "a"]})),
        (2, json!({"prefix": "sk", "ips": ["198.51.100.0/24"]})),
        (3, json!({"prefix": "sk"})),
        (4, json!({"prefix": "sk", "expires_at": NOW_SECS - 1})),
    ] {
        let record = record_of(KeyId::from_bytes([id; 16]), &fields);
        stores.put_record(&record);
    }
    stores.revoke(&json!({"iss": "https://a.example/", "sub": "revoked"}));
    stores.revoke(&json!({"key_id": KeyId::from_bytes(REVOKED)}));
    stores
}

#[derive(Debug, Clone)]
struct Asked {
    method: &'static str,
    path: &'static str,
    credential: Option<(bool, String)>,
    ip: Option<&'static str>,
    preflight: Option<&'static str>,
}

impl Asked {
    /// With the key that its number stands for.
    fn with_key(mut self, policy: &Policy) -> Self {
        if let Some((true, text)) = &mut self.credential
            && let Some(id) = text.strip_prefix(OWN)
        {
            *text = key(policy, id.parse().unwrap());
        }
        self
    }

    fn request(&self) -> Request<'_> {
        let text = self.credential.as_ref();
        let authorization = text.filter(|(by_key, _)| !by_key).map(|(_, text)| text.as_str());
        let api_key = text.filter(|(by_key, _)| *by_key).map(|(_, text)| text.as_str());
        Request {
            authorization,
            api_key,
            client_ip: self.ip.map(|ip| ip.parse().unwrap()),
            preflight: self.preflight,
            ..request(self.method, self.path)
        }
    }
}

fn credential() -> impl Strategy<Value = Option<(bool, String)>> {
    let claims = (
        prop_oneof!["https://a.example/", "https://b.example/", "https://c.example/"],
        prop_oneof!["me", "revoked"],
        prop_oneof!["", "read", "read a", "a b"],
        prop_oneof!["acme", "other"],
        -100_i64..1000,
        any::<bool>(),
    );
    let token = claims.prop_map(|(iss, sub, scope, org, exp, is_forged)| {
        let claims = json!({"iss": iss, "sub": sub, "aud": "api", "scope": scope, "org": org, "iat": NOW_SECS - 10, "exp": NOW_SECS + exp});
        let token = hs256(r#"{"alg":"HS256"}"#, claims.to_string());
        let token = if is_forged { format!("{token}A") } else { token };
        Some((false, format!("Bearer {token}")))
    });
    let own = (1_u8..6).prop_map(|id| Some((true, format!("{OWN}{id}"))));
    prop_oneof![
        1 => Just(None),
        4 => token,
        3 => own,
        1 => Just(Some((true, "old_something".to_owned()))),
        1 => Just(Some((true, "sk_test_nonsense".to_owned()))),
        1 => Just(Some((false, "Bearer a.b".to_owned()))),
    ]
}

const PATHS: [&str; 9] = [
    "/public/a",
    "/scoped",
    "/limited",
    "/near",
    "/orgs/acme",
    "/keys",
    "/gone",
    "/elsewhere",
    "/a/%2e%2e/b",
];

fn asked() -> impl Strategy<Value = Asked> {
    let one_of = |list: &'static [&'static str]| proptest::sample::select(list);
    (
        one_of(&["GET", "POST", "OPTIONS"]),
        one_of(&PATHS),
        credential(),
        prop_oneof![Just(None), Just(Some("192.0.2.7")), Just(Some("198.51.100.7"))],
        prop_oneof![9 => Just(None), 1 => Just(Some("GET"))],
    )
        .prop_map(|(method, path, credential, ip, preflight)| Asked {
            method: if preflight.is_some() { "OPTIONS" } else { method },
            path,
            credential,
            ip,
            preflight,
        })
}

/// What a caller is told by this decision.
fn told(decision: &Decision) -> (u16, Option<&'static str>, Option<&'static str>) {
    match &decision.outcome {
        Err(_) if decision.answers_preflight() => (204, None, None),
        Err(error) => {
            (reply::wire(error.code()).status, Some(error.code().as_str()), Some(error.reason()))
        }
        Ok(_) if decision.route == "/gone" => (410, None, None),
        Ok(_) => (200, None, None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// A run of requests, each explained before it is decided on. What was explained any number of times is decided as if nobody had
    /// asked.
    #[test]
    fn an_explanation_is_what_the_gate_then_decides(
        requests in proptest::collection::vec(asked(), 1..6), ledger in any::<bool>(),
    ) {
        let policy = &policy(&sections(if ledger { "ledger" } else { "entries" }));
        let (stores, unasked) = (stores(), stores());
        for asked in requests {
            let asked = asked.with_key(policy);
            let request = asked.request();
            let explained = run(explain(policy, &OnlyRead::of(&stores), &request, NOW));
            let again = run(explain(policy, &OnlyRead::of(&stores), &request, NOW));
            prop_assert_eq!(&explained, &again);
            let decision = check(policy, &stores, &request);
            let outcome = &explained.outcome;
            prop_assert_eq!((outcome.status, outcome.code, outcome.reason), told(&decision), "{:?}", asked);
            let alone = check(policy, &unasked, &request);
            prop_assert_eq!(told(&decision), told(&alone));
            prop_assert_eq!(&decision.limits, &alone.limits);
            let words = serde_json::to_value(&explained).unwrap();
            let refusals = words["steps"].as_array().unwrap().iter().filter(|step| step["verdict"] == "refused");
            prop_assert_eq!(refusals.count() == 1, outcome.code.is_some(), "{}", words);
        }
    }
}

#[track_caller]
fn explained(method: &str, path: &str, more: impl FnOnce(Request<'_>) -> Request<'_>) -> Value {
    let policy = policy(&sections("entries"));
    let explanation =
        run(explain(&policy, &OnlyRead::of(&stores()), &more(request(method, path)), NOW));
    serde_json::to_value(explanation).unwrap()
}

#[test]
fn an_explanation_names_the_step_and_the_place_in_the_policy() {
    let refused = |explained: &Value| {
        let steps = explained["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["verdict"] == "refused").unwrap().clone();
        (step["step"].clone(), step["policy_path"].clone())
    };
    let missing = explained("GET", "/scoped", |request| request);
    assert_eq!(missing["route"], "routes[1]");
    assert_eq!(refused(&missing), (json!("credential"), json!("routes[1].auth")));
    assert_eq!(
        missing["outcome"],
        json!({"status": 401, "code": "MISSING_CREDENTIALS", "reason": "missing_credentials"})
    );
    let far = explained("GET", "/near", |request| Request {
        client_ip: Some("203.0.113.1".parse().unwrap()),
        ..request
    });
    assert_eq!(refused(&far), (json!("addresses"), json!("routes[3].ips")));
    assert_eq!(explained("GET", "/elsewhere", |request| request)["route"], Value::Null);
    let policy = policy(&sections("entries"));
    let limited = key(&policy, 1);
    let passed = run(explain(
        &policy,
        &OnlyRead::of(&stores()),
        &Request { api_key: Some(&limited), ..request("GET", "/scoped") },
        NOW,
    ));
    let passed = serde_json::to_value(passed).unwrap();
    assert_eq!(passed["outcome"], json!({"status": 200, "code": null, "reason": null}));
    let limits = passed["steps"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        limits,
        json!({"step": "limits", "verdict": "would_be_asked", "detail": "shared", "policy_path": "routes[1].limits"})
    );
    assert!(!passed.to_string().contains(&limited));
}

/// Before any route is looked for, as the Worker asks it.
#[test]
fn plain_http_is_refused_or_sent_to_https_where_the_policy_wants_it() {
    let over = |https: &str, url: &str, authorization: Option<&str>| {
        let mut sections = sections("entries");
        sections["https"] = json!(https);
        let policy = policy(&sections);
        let asked = Request { url: Some(url), authorization, ..request("GET", "/public/a") };
        serde_json::to_value(run(explain(&policy, &OnlyRead::of(&stores()), &asked, NOW))).unwrap()
    };
    let redirected = over("redirect", "http://api.example.com/public/a?key=sesame", None);
    assert_eq!(
        redirected,
        json!({
            "route": null,
            "steps": [{"step": "https", "verdict": "passed", "detail": "it is sent to https", "policy_path": "https"}],
            "outcome": {"status": 308, "code": null, "reason": null},
        })
    );
    let refused = over("redirect", "http://api.example.com/public/a", Some("Bearer sesame"));
    assert_eq!(refused["outcome"]["code"], "HTTPS_REQUIRED");
    assert_eq!(refused["steps"][0]["verdict"], "refused");
    assert!(!refused.to_string().contains("sesame"));
    assert_eq!(
        over("refuse", "http://api.example.com/", None)["outcome"]["code"],
        "HTTPS_REQUIRED"
    );
    let passed = over("refuse", "https://api.example.com/public/a", None);
    assert_eq!(passed["outcome"]["status"], 200);
    assert_eq!(
        passed["steps"][0],
        json!({"step": "https", "verdict": "passed", "policy_path": "https"})
    );
}
