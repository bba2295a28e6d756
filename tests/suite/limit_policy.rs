//! What a policy can say about limits beyond numbers: leases, calendar windows, stores, who is exempt, and how
//! long an address stays blocked after failed authentication.

use crate::gate::{NOW, NOW_SECS, Stores, check_at, later, policy, read, record_of, request};
use crate::mint;
use edgegate::api_key::KeyId;
use edgegate::error::Error;
use edgegate::guard::{Decision, Request};
use edgegate::limit::{Calendar, Limit};
use edgegate::policy::{LimitStore, Policy};
use serde_json::{Value, json};

const ISSUER: &str = "https://edgegate.local/";

fn with_limit(more: Value) -> Value {
    let mut limit = json!({"name": "l", "requests": 100, "window_secs": 60});
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            limit.as_object_mut().unwrap().remove(name);
        } else {
            limit[name] = value.clone();
        }
    }
    json!({
        "issuers": [{"issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET"}],
        "limits": [limit],
        "routes": [
            {"path": "/open", "auth": "none", "limits": ["l"]},
            {"path": "/*", "limits": ["l"]},
        ],
    })
}

#[track_caller]
fn limit_of(more: Value) -> (Limit, LimitStore) {
    let policy = policy(&with_limit(more));
    let path = edgegate::policy::RequestPath::parse("/").unwrap();
    let known = policy.limits_of(policy.route("GET", &path)).next().unwrap();
    (known.limit.clone(), known.store.clone())
}

#[track_caller]
fn refused(more: Value, message: &str) {
    assert_eq!(read(&with_limit(more)).unwrap_err().to_string(), message);
}

#[test]
fn leases_are_for_the_exact_store() {
    let (limit, store) = limit_of(json!({"lease": {"requests": 20, "secs": 5}}));
    assert_eq!(store, LimitStore::DurableObject);
    let terms = limit.lease().unwrap();
    assert_eq!((terms.requests, terms.secs), (20, 5));
    let (limit, _) = limit_of(json!({"lease": {"requests": 20}, "store": "shared"}));
    assert_eq!(limit.lease().unwrap().secs, 10);
    assert_eq!(limit_of(json!({})).0.lease(), None);

    let only = "limits[0].lease: only store = durable-object lends";
    refused(json!({"lease": {"requests": 20}, "store": "memory"}), only);
    refused(json!({"lease": {"requests": 20}, "store": "kv"}), only);
    refused(json!({"lease": {"requests": 1}}), "limits[0].lease.requests: expected at least 2");
    refused(
        json!({"lease": {"requests": 2, "secs": 61}}),
        "limits[0].lease.secs: expected 1 to 60",
    );
    refused(json!({"lease": {}}), "limits[0].lease.requests: is required");
    refused(json!({"lease": [20, 5]}), "limits[0].lease: expected an object, found a list");
    refused(
        json!({"lease": {"requests": 2, "color": 1}}),
        "limits[0].lease.color: is not a known field, expected requests or secs",
    );
    refused(
        json!({"lease": {"requests": 2}, "window_secs": 10}),
        "limits[0].lease: expected a window of at least 20 seconds",
    );
    refused(
        json!({"lease": {"requests": 2}, "algorithm": "token-bucket", "burst": 10}),
        "limits[0].lease.secs: more than half of the burst flows in meanwhile: expected fewer secs or a larger burst",
    );
}

#[test]
fn a_route_may_cost_no_more_than_a_bucket_with_leases_holds() {
    let bucket =
        json!({"lease": {"requests": 9, "secs": 10}, "algorithm": "token-bucket", "burst": 40});
    let mut document = with_limit(bucket);
    document["routes"][0]["cost"] = json!(23);
    assert!(read(&document).is_ok());
    document["routes"][0]["cost"] = json!(24);
    let fault = read(&document).unwrap_err().to_string();
    assert_eq!(fault, "routes[0].cost: costs more than one of its limits ever allows");
}

#[test]
fn shared_is_another_word_for_the_exact_store() {
    assert_eq!(limit_of(json!({"store": "shared"})).1, LimitStore::DurableObject);
    assert!(policy(&with_limit(json!({"store": "shared"}))).needs_durable_objects());
}

#[test]
fn counters_in_kv_need_kv_and_an_algorithm_that_can_be_added_up() {
    let in_kv = policy(&with_limit(json!({"store": "kv"})));
    assert!(in_kv.needs_kv() && !in_kv.needs_durable_objects());
    assert!(!policy(&with_limit(json!({"store": "memory"}))).needs_kv());
    refused(
        json!({"store": "kv", "algorithm": "token-bucket"}),
        "limits[0].algorithm: counters in kv are added up, which a token-bucket's cannot be",
    );
}

#[test]
fn quotas_are_by_the_calendar() {
    let quota = |window: &str| limit_of(json!({"window_secs": null, "window": window})).0;
    assert_eq!(quota("day"), Limit::calendar("l", 100, Calendar::Day).unwrap());
    assert_eq!(quota("month"), Limit::calendar("l", 100, Calendar::Month).unwrap());
    refused(json!({"window": "day"}), "limits[0].window: expected window or window_secs, not both");
    refused(json!({"window_secs": null}), "limits[0].window_secs: expected window_secs or window");
    refused(
        json!({"window_secs": null, "window": "week"}),
        "limits[0].window: expected day or month",
    );
    refused(
        json!({"window_secs": null, "window": "day", "algorithm": "sliding-window"}),
        "limits[0].window: expected with fixed-window only",
    );
}

#[test]
fn a_report_says_the_length_of_the_month_that_is() {
    let policy = policy(&with_limit(json!({"window_secs": null, "window": "month"})));
    let (stores, request) = (Stores::default(), request("GET", "/open"));
    // The clock of the tests stands in November 2023; 40 days later it is December.
    let november = check_at(&policy, &stores, &request, NOW);
    assert_eq!(november.limits[0].window_secs, 30 * 86_400);
    let december = check_at(&policy, &stores, &request, later(40 * 86_400_000));
    assert_eq!(december.limits[0].window_secs, 31 * 86_400);
}

// ---- who is exempt ----

fn token(issuer: &str, subject: &str) -> String {
    let claims = json!({"iss": issuer, "aud": "api", "sub": subject, "exp": NOW_SECS + 60});
    format!("Bearer {}", mint::hs256(r#"{"alg":"HS256"}"#, claims.to_string()))
}

/// Whether a second request gets through a limit of one.
#[track_caller]
fn is_exempt(policy: &Policy, request: &Request<'_>) -> bool {
    let stores = Stores::default();
    let first = check_at(policy, &stores, request, NOW);
    assert!(first.outcome.is_ok(), "{first:?}");
    let second = check_at(policy, &stores, request, NOW);
    let exempt = second.outcome.is_ok();
    assert_eq!(second.limits.is_empty(), exempt, "no limit, no report of it");
    assert_eq!(stores.asked().is_empty(), exempt, "and no store is asked");
    exempt
}

#[test]
fn networks_subjects_and_keys_are_exempt() {
    let policy = policy(&with_limit(json!({"requests": 1, "exempt": {
        "ips": ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"],
        "subjects": ["monitor"],
    }})));
    for (address, exempt) in [
        ("203.0.113.9", true),
        ("::ffff:203.0.113.9", true),
        ("2001:db8:1::1", true),
        ("198.51.100.7", true),
        ("198.51.100.8", false),
        ("2001:db9::1", false),
    ] {
        let request =
            Request { client_ip: Some(address.parse().unwrap()), ..request("GET", "/open") };
        assert_eq!(is_exempt(&policy, &request), exempt, "{address}");
    }
    let nowhere = Request { client_ip: None, ..request("GET", "/open") };
    assert!(!is_exempt(&policy, &nowhere));
    for (subject, exempt) in [("monitor", true), ("Monitor", false), ("alice", false)] {
        let authorization = token(ISSUER, subject);
        let request = Request { authorization: Some(&authorization), ..request("GET", "/") };
        assert_eq!(is_exempt(&policy, &request), exempt, "{subject}");
    }
}

#[test]
fn a_key_that_is_exempt_stays_so_when_it_is_rotated() {
    let [first, second, other] = [1, 2, 3].map(|byte| KeyId::from_bytes([byte; 16]));
    for (named, exempt) in [(first, [true, true, false]), (second, [false, true, false])] {
        let mut document = with_limit(json!({"requests": 1, "exempt": {
            "api_keys": [named.to_string()],
        }}));
        document["api_keys"] = json!({
            "environment": "test", "prefixes": [{"prefix": "sk"}],
            "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
        });
        let policy = policy(&document);
        let stores = Stores::default();
        for (id, family) in [(first, None), (second, Some(first)), (other, None)] {
            stores.put_record(&record_of(id, &json!({"family": family})));
        }
        for (id, exempt) in [first, second, other].into_iter().zip(exempt) {
            let keys = &policy.api_keys.as_ref().unwrap().keys;
            let key = keys.mint("sk", id, None).unwrap();
            let key = key.expose();
            let request = Request { api_key: Some(key), ..request("GET", "/") };
            check_at(&policy, &stores, &request, NOW);
            let second = check_at(&policy, &stores, &request, NOW);
            assert_eq!(second.outcome.is_ok(), exempt, "{named} {id}");
        }
    }
}

#[test]
fn two_entries_of_one_issuer_know_the_same_subject() {
    let mut document = with_limit(json!({"requests": 1, "exempt": {"subjects": ["monitor"]}}));
    let issuers = document["issuers"].as_array_mut().unwrap();
    issuers.push(json!({
        "issuer": issuers[0]["issuer"], "audience": ["api"], "algorithms": ["ES256"],
        "jwks_uri": "https://keys.example/",
    }));
    let policy = policy(&document);
    let authorization = token(ISSUER, "monitor");
    let request = Request { authorization: Some(&authorization), ..request("GET", "/") };
    assert!(is_exempt(&policy, &request));
}

#[test]
fn a_subject_is_exempt_only_as_the_issuer_knows_it() {
    let other = "https://other.example/";
    let mut document = with_limit(json!({"requests": 1, "exempt": {
        "subjects": [{"issuer": ISSUER, "subject": "monitor"}],
    }}));
    let mut second = document["issuers"][0].clone();
    second["issuer"] = json!(other);
    document["issuers"].as_array_mut().unwrap().push(second);
    let two = policy(&document);
    for (issuer, exempt) in [(ISSUER, true), (other, false)] {
        let authorization = token(issuer, "monitor");
        let request = Request { authorization: Some(&authorization), ..request("GET", "/") };
        assert_eq!(is_exempt(&two, &request), exempt, "{issuer}");
    }
    document["limits"][0]["exempt"]["subjects"] = json!(["monitor"]);
    assert_eq!(
        read(&document).unwrap_err().to_string(),
        "limits[0].exempt.subjects[0]: there are several issuers: expected an object with issuer and subject"
    );
}

#[test]
fn what_cannot_be_exempt_is_refused_by_place() {
    let network = "expected an address or a network like 203.0.113.0/24 or 2001:db8::/32";
    for (exempt, message) in [
        (json!({"ips": ["10.0.0.0/8", "10.0.0.1/8"]}), format!("ips[1]: {network}")),
        (json!({"ips": ["example.com"]}), format!("ips[0]: {network}")),
        (
            json!({"api_keys": ["sk_test_x"]}),
            "api_keys[0]: expected the id of an API key: 32 lower-case hexadecimal digits"
                .to_owned(),
        ),
        (
            json!({"subjects": [{"issuer": "i", "subject": "s"}]}),
            "subjects[0].issuer: no issuer has this name".to_owned(),
        ),
        (
            json!({"subjects": [1]}),
            "subjects[0]: expected a subject, or an object with issuer and subject, found a whole number".to_owned(),
        ),
        (
            json!({"people": []}),
            "people: is not a known field, expected one of ips, subjects, api_keys".to_owned(),
        ),
    ] {
        refused(json!({"exempt": exempt}), &format!("limits[0].exempt.{message}"));
    }
}

// ---- penalties ----

fn fails(policy: &Policy, stores: &Stores, after_secs: u64) -> Error {
    let forged = token("https://nobody.example/", "x");
    let request = Request { authorization: Some(&forged), ..request("GET", "/") };
    let Decision { outcome, .. } = check_at(policy, stores, &request, later(after_secs * 1000));
    outcome.unwrap_err()
}

#[track_caller]
fn wait_of(error: &Error) -> u32 {
    match error {
        Error::RateLimited { retry_after_secs, .. } => *retry_after_secs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_address_stays_blocked_for_the_penalty() {
    let mut document = with_limit(json!({}));
    document["failed_authentication"] =
        json!({"requests": 2, "window_secs": 60, "penalty_secs": 3600});
    let (policy, stores) = (policy(&document), Stores::default());
    for second in 0..2 {
        assert!(!matches!(fails(&policy, &stores, second), Error::RateLimited { .. }));
    }
    // The third is too many, and begins the hour. What fails meanwhile does not make it longer.
    assert_eq!(wait_of(&fails(&policy, &stores, 2)), 3600);
    assert_eq!(wait_of(&fails(&policy, &stores, 3)), 3599);
    assert_eq!(wait_of(&fails(&policy, &stores, 3601)), 1);
    assert!(!matches!(fails(&policy, &stores, 3602), Error::RateLimited { .. }));
    // A genuine credential is served all along.
    let good = token(ISSUER, "alice");
    let request = Request { authorization: Some(&good), ..request("GET", "/") };
    assert!(check_at(&policy, &stores, &request, later(5_000)).outcome.is_ok());
}

#[test]
fn a_penalty_shorter_than_the_window_ends_no_sooner_than_the_limit() {
    let mut document = with_limit(json!({}));
    document["failed_authentication"] =
        json!({"requests": 1, "window_secs": 600, "penalty_secs": 10});
    let (policy, stores) = (policy(&document), Stores::default());
    assert!(!matches!(fails(&policy, &stores, 0), Error::RateLimited { .. }));
    assert!(wait_of(&fails(&policy, &stores, 1)) > 590);
    assert!(wait_of(&fails(&policy, &stores, 100)) > 490);
}

#[test]
fn a_penalty_has_to_be_possible() {
    for secs in [0, 2_678_401] {
        let mut document = with_limit(json!({}));
        document["failed_authentication"] = json!({"penalty_secs": secs});
        assert_eq!(
            read(&document).unwrap_err().to_string(),
            "failed_authentication.penalty_secs: expected 1 to 2678400 (31 days)"
        );
    }
}
