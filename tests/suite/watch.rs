//! The watch from outside: what the section takes, and what decisions are counted and told as.

use crate::gate::{NOW, NOW_SECS, Stores, check, policy, read, request};
use crate::mint;
use edgegate::account::row::AccountId;
use edgegate::error::Error;
use edgegate::guard::{
    AccountAction, AccountEvent, AskedBy, Carrier, Decision, Identity, Request,
    shadow::{ADMITTED, Verdict},
    watched::{self, Origin},
};
use edgegate::policy::Policy;
use edgegate::time::UnixMillis;
use edgegate::watch::{
    counts::Counts,
    delta::Delta,
    report,
    rules::{Group, Measure, State},
    series::Series,
    state::{Orders, WatchState},
    tally::Tally,
    travel::Point,
};
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.test/";

fn watching(watch: &Value) -> Value {
    json!({
        "issuers": [{"issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET"}],
        "api_keys": {
            "environment": "test", "prefixes": [{"prefix": "sk"}], "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
        },
        "revocation": {"mode": "entries"},
        "admin": {"secret": "ADMIN_TOKEN"},
        "failed_authentication": {"requests": 3, "window_secs": 60},
        "routes": [
            {"path": "/open/*", "auth": "none"},
            {"path": "/v1/*", "scopes": {"all": ["read:posts"]}},
        ],
        "watch": watch,
    })
}

#[track_caller]
fn refused(watch: Value, message: &str) {
    assert_eq!(read(&watching(&watch)).unwrap_err().to_string(), message);
}

// ---- the section ----

#[test]
fn the_rules_of_the_guide_are_on_by_default_and_a_rule_of_their_name_changes_them() {
    let of = |watch: Value| policy(&watching(&watch)).watch.unwrap().rules;
    let names: Vec<String> = of(json!({})).into_iter().map(|rule| rule.name).collect();
    let all = [
        "failures",
        "expiry-ratio",
        "use-after-revocation",
        "shared-credential",
        "unusual-country",
        "credential-stuffing",
    ];
    assert_eq!(names, all);
    let changed = of(json!({"countries": ["DE"], "rules": [
        {"name": "failures", "above": 7, "window_secs": 60, "group": "network"},
        {"name": "expiry-ratio", "above": 5, "at_least": 10},
        {"name": "shared-credential", "off": true},
        {"name": "mine", "kind": "rate", "of": "refused", "above": 3},
    ]}));
    assert_eq!(changed.len(), 6);
    assert_eq!(
        (changed[0].threshold(), changed[0].window_secs, changed[0].group),
        (7, 60, Group::Network)
    );
    assert!(matches!(changed[1].measure, Measure::Ratio { above_percent: 5, at_least: 10, .. }));
    assert!(matches!(&changed[3].measure, Measure::Country { expected } if expected == &["DE"]));
    assert_eq!((changed[5].name.as_str(), changed[5].window_secs), ("mine", 300));
}

#[test]
fn faults_of_the_section_are_named() {
    let mut without = watching(&json!({}));
    without.as_object_mut().unwrap().remove("admin");
    assert_eq!(
        read(&without).unwrap_err().to_string(),
        "watch.secret: is required where the section admin is not there"
    );
    refused(json!({"secret": "SHORT"}), "watch.secret: secret has 31 bytes, expected at least 32");
    refused(
        json!({"metrics_secret": "NONE"}),
        "watch.metrics_secret: there is no secret named NONE",
    );
    for days in [0, 3651] {
        refused(json!({"audit_days": days}), "watch.audit_days: expected 1 to 3650");
    }
    refused(
        json!({"countries": ["DE", "de"]}),
        "watch.countries[1]: expected two capital letters like DE",
    );
    for (rule, message) in [
        (json!({"name": "a b"}), "name: expected 1 to 64 letters, digits, '-', '_' or '.'"),
        (json!({"name": "own"}), "kind: is required for a rule of one's own"),
        (json!({"name": "own", "off": true}), "name: there is no rule of this name to be off"),
        (
            json!({"name": "own", "kind": "count", "of": "refused"}),
            "above: is required for this kind",
        ),
        (
            json!({"name": "own", "kind": "count", "above": 1}),
            "of: expected exactly one of of and codes",
        ),
        (
            json!({"name": "own", "kind": "count", "above": 1, "of": "refused", "codes": ["NOT_FOUND"]}),
            "of: expected exactly one of of and codes",
        ),
        (
            json!({"name": "own", "kind": "count", "above": 1, "codes": ["NOPE"]}),
            "codes[0]: is no code of the gate",
        ),
        (
            json!({"name": "own", "kind": "ratio", "of": "refused", "above": 100}),
            "above: expected less than 100 percent",
        ),
        (
            json!({"name": "own", "kind": "absence", "of": "admitted", "above": 1}),
            "above: an absence has no number",
        ),
        (
            json!({"name": "own", "kind": "absence", "of": "admitted", "window_secs": 75_601}),
            "window_secs: expected at most 75600 for an absence",
        ),
        (
            json!({"name": "own", "kind": "count", "of": "refused", "above": 1, "group": "network"}),
            "group: networks are known of failures, expected a count or rate of them",
        ),
        (
            json!({"name": "own", "kind": "count", "of": "failures", "above": 1, "group": "code"}),
            "group: failures are counted by route and network",
        ),
        (
            json!({"name": "failures", "kind": "count"}),
            "kind: is that of the rule with this name, expected only numbers",
        ),
        (json!({"name": "unusual-country", "above": 1}), "above: this rule has no number"),
        (json!({"name": "credential-stuffing", "above": 1}), "above: this rule has no number"),
        (
            json!({"name": "own", "kind": "networks", "above": 257}),
            "above: expected at most 256, or 200 over more than 900 seconds: no more networks are kept apart",
        ),
        (
            json!({"name": "own", "kind": "networks", "above": 201, "window_secs": 901}),
            "above: expected at most 256, or 200 over more than 900 seconds: no more networks are kept apart",
        ),
        (
            json!({"name": "own", "kind": "travel", "above": 249}),
            "above: expected 250 to 20000 kilometres an hour",
        ),
        (
            json!({"name": "own", "kind": "travel", "of": "admitted"}),
            "of: who travels is somebody who was admitted",
        ),
        (
            json!({"name": "own", "kind": "travel", "group": "route"}),
            "group: this kind looks at nothing apart",
        ),
        (json!({"name": "failures", "window_secs": 59}), "window_secs: expected 60 to 604800"),
        (json!({"name": "failures", "for_secs": 86_401}), "for_secs: expected at most 86400"),
    ] {
        refused(json!({"rules": [rule]}), &format!("watch.rules[0].{message}"));
    }
    let twice = json!([{"name": "failures"}, {"name": "failures"}]);
    refused(json!({"rules": twice}), "watch.rules[1].name: is given twice");
    for (sink, message) in [
        (json!({"name": "a", "kind": "slack"}), ": expected exactly one of url and url_secret"),
        (
            json!({"name": "a", "kind": "slack", "url": "http://hooks.example/"}),
            ".url: expected an https URL (http only on loopback)",
        ),
        // The URL of a secret is not repeated.
        (
            json!({"name": "a", "kind": "slack", "url_secret": "JWT_SECRET"}),
            ".url_secret: expected an https URL (http only on loopback)",
        ),
        (
            json!({"name": "a", "kind": "webhook", "url": "https://a.example/"}),
            ".secret: is required for this kind",
        ),
        (
            json!({"name": "a", "kind": "slack", "url": "https://a.example/", "secret": "JWT_SECRET"}),
            ".secret: Slack has its secret in the URL: url_secret",
        ),
        (
            json!({"name": "a", "kind": "sentry", "url": "https://o1.ingest.sentry.io/42"}),
            ".url: expected a DSN like https://KEY@HOST/PROJECT (http only on loopback)",
        ),
        (
            json!({"name": "a", "kind": "sentry", "url": "http://key@sentry.example/42"}),
            ".url: expected a DSN like https://KEY@HOST/PROJECT (http only on loopback)",
        ),
        (
            json!({"name": "a", "kind": "sentry", "url_secret": "JWT_SECRET"}),
            ".url_secret: expected a DSN like https://KEY@HOST/PROJECT (http only on loopback)",
        ),
        (
            json!({"name": "a", "kind": "sentry", "url": "https://key@sentry.example/42", "secret": "JWT_SECRET"}),
            ".secret: Sentry has its key in the DSN: url_secret",
        ),
        (json!({"name": "a", "kind": "queue"}), ".binding: is required for this kind"),
        (
            json!({"name": "a", "kind": "queue", "binding": "ALERTS", "url": "https://a.example/"}),
            ": a queue has a binding, and no URL",
        ),
        (
            json!({"name": "a", "kind": "queue", "binding": "ALERTS", "secret": "JWT_SECRET"}),
            ".secret: a queue has none",
        ),
        (
            json!({"name": "a", "kind": "queue", "binding": "a b"}),
            ".binding: expected 1 to 64 letters, digits, '-', '_' or '.'",
        ),
        (
            json!({"name": "a", "kind": "otlp", "url": "https://a.example/", "binding": "ALERTS"}),
            ".binding: only a queue has it",
        ),
    ] {
        refused(json!({"sinks": [sink]}), &format!("watch.sinks[0]{message}"));
    }
}

#[test]
fn where_on_the_earth_callers_are_is_asked_only_if_a_rule_needs_it() {
    let of = |rules: Value| policy(&watching(&json!({"rules": rules}))).watch.unwrap();
    assert!(!of(json!([])).locates);
    let travel = of(json!([{"name": "impossible-travel", "kind": "travel"}]));
    assert!(travel.locates);
    assert_eq!(travel.rules.last().map(|rule| &rule.measure), Some(&Measure::Travel(805)));
    for above in [256, 200] {
        let window = if above == 256 { 900 } else { 901 };
        of(json!([{"name": "own", "kind": "networks", "above": above, "window_secs": window}]));
    }
}

// ---- what is counted and told ----

struct Watched {
    policy: Policy,
    stores: Stores,
    tally: Tally,
}

impl Watched {
    fn new() -> Self {
        Self {
            policy: policy(&watching(&json!({}))),
            stores: Stores::default(),
            tally: Tally::new(1),
        }
    }

    fn note(&mut self, request: &Request<'_>, decision: &Decision, now: UnixMillis) -> bool {
        let watch = self.policy.watch.as_ref().unwrap();
        let origin =
            |_| Origin { country: Some("DE".into()), asn: Some(64_496), ..Origin::default() };
        watched::note(&mut self.tally, watch, (request, decision), now, origin)
    }

    fn ask(&mut self, request: &Request<'_>) -> Decision {
        let decision = check(&self.policy, &self.stores, request);
        self.note(request, &decision, NOW);
        decision
    }

    fn delta(&mut self) -> Delta {
        self.tally.take(NOW).unwrap()
    }
}

fn token(claims: Value) -> String {
    let mut all = json!({
        "iss": ISSUER, "aud": "api", "sub": "alice@example.com", "jti": "token-of-alice", "exp": NOW_SECS + 60, "scope": "read:posts",
    });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    format!("Bearer {}", mint::hs256(r#"{"alg":"HS256"}"#, all.to_string()))
}

fn get<'a>(path: &'a str, authorization: &'a str) -> Request<'a> {
    Request { authorization: Some(authorization), ..request("GET", path) }
}

fn counted<'d>(delta: &'d Delta, code: &str) -> (u64, Series<'d>) {
    let mut found = delta.counts.iter().filter_map(|(name, n)| Some((*n, Series::of(name)?)));
    found.find(|(_, series)| series.code == code).unwrap()
}

#[test]
fn a_caller_is_an_event_once_an_hour_and_network_and_counted_each_time() {
    let mut gate = Watched::new();
    let good = token(json!({}));
    for _ in 0..5 {
        gate.ask(&get("/v1/posts", &good));
    }
    let elsewhere =
        Request { client_ip: Some("198.51.100.9".parse().unwrap()), ..get("/v1/posts", &good) };
    gate.ask(&elsewhere);
    let delta = gate.delta();
    let (n, series) = counted(&delta, "");
    assert_eq!(
        (n, series.identity, series.carrier, series.issuer, series.route),
        (6, "jwt", "bearer", ISSUER, "/v1/*")
    );
    let networks: Vec<&str> =
        delta.events.iter().filter_map(|event| event.network.as_deref()).collect();
    assert_eq!(networks, ["192.0.2.0/24", "198.51.100.0/24"]);
    assert_eq!(delta.events[0].credential, delta.events[1].credential);
    let [here, there] = delta.sightings.as_slice() else { panic!("{:?}", delta.sightings) };
    assert_eq!((&here.who, &here.place), (&there.who, &"AS64496".to_owned()));
    assert_eq!(
        Counts::from(delta.counts.clone()).iter().find(|(name, _)| *name == "k\tDE").unwrap().1,
        2
    );
    // Whoever is nobody is counted, and no event.
    gate.tally
        .acknowledged(edgegate::watch::delta::Acknowledged { seq: 1, ..Default::default() }, NOW);
    gate.ask(&request("GET", "/open/a"));
    let delta = gate.delta();
    assert_eq!((counted(&delta, "").1.identity, delta.events.len()), ("anonymous", 0));
}

#[test]
fn a_refusal_of_a_known_caller_says_who_by_a_pseudonym_and_of_a_forged_one_nobody() {
    let mut gate = Watched::new();
    let without_scope = token(json!({"scope": "other"}));
    gate.ask(&get("/v1/posts", &without_scope));
    let forged = format!("{}x", token(json!({})));
    gate.ask(&get("/v1/posts", &forged));
    let expired = token(json!({"exp": NOW_SECS - 30}));
    gate.ask(&get("/v1/posts", &expired));
    let delta = gate.delta();
    let [known, forged, expired] = delta.events.as_slice() else { panic!("{:?}", delta.events) };
    assert_eq!(
        (known.code.as_deref(), known.issuer.as_deref()),
        (Some("INSUFFICIENT_SCOPE"), Some(ISSUER))
    );
    assert!(known.subject.is_some() && known.credential.is_some());
    assert_eq!(
        (forged.subject.as_ref(), forged.issuer.as_ref(), forged.identity.as_ref()),
        (None, None, None)
    );
    assert_eq!(expired.code.as_deref(), Some("TOKEN_EXPIRED"));
    assert_eq!(delta.counts["l\tminutes"], 1);
    assert_eq!((delta.counts["f\t/v1/*"], delta.counts["n\t192.0.2.0/24"]), (1, 1));
    let text = delta.to_text();
    for secret in ["alice", "token-of-alice", "192.0.2.1\"", "eyJ"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

/// What isolates tell the writer of where somebody is: the same of each of them, and nothing that an event has.
#[test]
fn isolates_agree_on_numbers_of_callers_which_are_no_names_of_events() {
    let (good, forged) = (token(json!({})), format!("{}x", token(json!({"jti": "forged"}))));
    let [one, other] = [(); 2].map(|()| {
        let mut gate = Watched::new();
        gate.ask(&get("/v1/posts", &good));
        gate.ask(&get("/v1/posts", &forged));
        gate.delta()
    });
    assert_eq!((&one.sightings, &one.crowds), (&other.sightings, &other.crowds));
    let places: Vec<&str> = one.crowds.keys().map(String::as_str).collect();
    assert_eq!(places, ["192.0.2.0/24", "AS64496"]);
    let crowd = one.crowds["AS64496"];
    assert_eq!((crowd.admitted.count_ones(), crowd.failed.count_ones()), (1, 1));
    let who = &one.sightings[0].who;
    assert!(who.len() == 16 && who.bytes().all(|byte| byte.is_ascii_hexdigit()), "{who}");
    let event = &one.events[0];
    for name in [&event.credential, &event.subject] {
        assert!(!name.as_ref().unwrap().contains(who), "{name:?}");
    }
    let text = one.to_text();
    for secret in ["alice", "token-of-alice", "forged"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

/// As where the caller's account is not connected: admitted by the guard, refused by the edge.
#[test]
fn what_is_refused_after_all_is_counted_as_refused_of_a_known_caller() {
    let mut gate = Watched::new();
    let good = token(json!({}));
    let request = get("/v1/posts", &good);
    let mut decision = check(&gate.policy, &gate.stores, &request);
    assert!(decision.outcome.is_ok());
    decision.refuse_after_all(Error::NotConnected { provider: "hub".into() });
    gate.note(&request, &decision, NOW);
    let delta = gate.delta();
    assert_eq!(counted(&delta, "CONNECT_REQUIRED").0, 1);
    assert!(!delta.counts.keys().any(|name| Series::of(name).is_some_and(|one| one.is_admitted())));
    let [event] = delta.events.as_slice() else { panic!("{:?}", delta.events) };
    assert_eq!(event.code.as_deref(), Some("CONNECT_REQUIRED"));
    assert!(event.subject.is_some());
    // A fault of a fault changes nothing of who it is.
    decision.refuse_after_all(Error::NotFound);
    assert!(decision.known.is_some());
}

/// A limit of the policy's own is no guess, whatever it is called.
#[test]
fn a_limit_that_looks_like_the_one_on_failures_is_none() {
    let mut gate = Watched::new();
    let request = request("GET", "/v1/posts");
    for (name, is_failure) in [
        ("failed-authentication-of-mine", false),
        ("failed-authentication", true),
        ("failed-authentication-penalty", true),
        ("administrator-secret", true),
    ] {
        let error = Error::RateLimited { limit: name.into(), retry_after_secs: 1 };
        gate.note(&request, &Decision::refused(error, None, "/v1/*"), NOW);
        let delta = gate.tally.take(NOW).unwrap();
        assert_eq!(delta.counts.contains_key("f\t/v1/*"), is_failure, "{name}");
        let answer = edgegate::watch::delta::Acknowledged { seq: delta.seq, ..Default::default() };
        gate.tally.acknowledged(answer, NOW);
    }
}

#[test]
fn the_names_of_the_gates_own_limits_are_taken() {
    for name in ["failed-authentication", "failed-authentication-penalty", "administrator-secret"] {
        let mut document = watching(&json!({}));
        document["limits"] = json!([{"name": name, "by": "ip", "requests": 1, "window_secs": 60}]);
        assert_eq!(
            read(&document).unwrap_err().to_string(),
            "limits[0].name: is the name of a limit of the gate's own"
        );
    }
}

/// Who guesses fast must not be seen less than who guesses slowly.
#[test]
fn guesses_that_are_not_looked_at_any_more_are_failures_too() {
    let mut gate = Watched::new();
    let forged = format!("{}x", token(json!({})));
    let codes: Vec<&str> = (0..10)
        .map(|_| gate.ask(&get("/v1/posts", &forged)).outcome.unwrap_err().code().as_str())
        .collect();
    assert!(codes.contains(&"RATE_LIMITED"), "{codes:?}");
    let delta = gate.delta();
    assert_eq!((delta.counts["f\t/v1/*"], delta.counts["n\t192.0.2.0/24"]), (10, 10));
}

#[test]
fn a_preflight_is_nobodys_request() {
    let mut gate = Watched::new();
    let preflight = Request { preflight: Some("GET"), ..request("OPTIONS", "/v1/posts") };
    gate.ask(&preflight);
    assert!(gate.tally.is_empty());
}

#[test]
fn the_words_of_carriers_are_those_of_the_log() {
    for carrier in [
        Carrier::Bearer,
        Carrier::Dpop,
        Carrier::Basic,
        Carrier::ApiKeyHeader,
        Carrier::Cookie,
        Carrier::CredentialHeader,
    ] {
        assert_eq!(serde_json::to_value(carrier).unwrap(), carrier.word());
    }
}

/// The rules that fire once this is handed over, and their groups.
fn firing(gate: &mut Watched) -> Vec<(String, Option<String>)> {
    let mut state = WatchState::default();
    let watch = gate.policy.watch.as_ref().unwrap();
    let orders = Orders { rules: &watch.rules, sinks: &[] };
    let delta = Delta::from_text(&gate.tally.take(NOW).unwrap().to_text()).unwrap();
    state.apply(&delta, orders, NOW).unwrap();
    let alerts = state.alerts().filter(|(_, _, alert)| alert.state == State::Firing);
    let group = |group: &str| (!group.is_empty()).then(|| group.to_owned());
    alerts.map(|(rule, of, _)| (rule.to_owned(), group(of))).collect()
}

#[test]
fn many_credentials_or_names_of_one_network_are_found_and_one_that_comes_again_is_not() {
    let of = |group: &str| ("credential-stuffing".to_owned(), Some(group.to_owned()));
    // Forged tokens, also those that are beyond the samples.
    let mut gate = Watched::new();
    for one in 0..60 {
        let forged = format!("{}{one}x", token(json!({})));
        let request = get("/v1/posts", &forged);
        let decision = Decision::refused(Error::BadSignature, Some(Carrier::Bearer), "/v1/*");
        gate.note(&request, &decision, NOW);
    }
    assert_eq!(firing(&mut gate), [of("192.0.2.0/24"), of("AS64496")]);
    let mut gate = Watched::new();
    for _ in 0..60 {
        let decision = Decision::refused(Error::BadSignature, Some(Carrier::Bearer), "/v1/*");
        gate.note(&get("/v1/posts", "Bearer the-same"), &decision, NOW);
    }
    assert_eq!(firing(&mut gate), []);
    // Names at a login: what all have together may be used up by somebody else.
    for (wrong, is_found) in [
        (Error::WrongPassword, true),
        (Error::TooManyGuesses { of: "address", retry_after_secs: 1 }, true),
        (Error::TooManyGuesses { of: "all", retry_after_secs: 1 }, false),
        (Error::UnknownKey, false),
    ] {
        let mut gate = Watched::new();
        for one in 0..60_u64 {
            let tried = Some(one.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let refused = Decision::refused(wrong.clone(), None, "/auth/login");
            gate.note(&request("POST", "/auth/login"), &Decision { tried, ..refused }, NOW);
        }
        assert_eq!(!firing(&mut gate).is_empty(), is_found, "{wrong:?}");
    }
}

#[test]
fn of_a_network_from_which_others_are_let_in_none_is_found_and_nobody_is_named() {
    let mut gate = Watched::new();
    for one in 0..30 {
        let good = token(json!({"sub": format!("user-{one}"), "jti": format!("jti-{one}")}));
        gate.ask(&get("/v1/posts", &good));
    }
    for one in 0..60_u64 {
        let tried = Some(one.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let refused = Decision::refused(Error::WrongPassword, None, "/auth/login");
        gate.note(&request("POST", "/auth/login"), &Decision { tried, ..refused }, NOW);
    }
    assert_eq!(firing(&mut gate), []);
}

#[test]
fn who_is_at_two_far_places_at_once_is_found_if_a_rule_asks() {
    for (rules, found) in [
        (json!([]), vec![]),
        (
            json!([{"name": "impossible-travel", "kind": "travel"}]),
            vec![("impossible-travel".to_owned(), None)],
        ),
    ] {
        let mut gate = Watched::new();
        gate.policy = policy(&watching(&json!({"rules": rules})));
        for (address, asn, latitude, session) in
            [("192.0.2.1", 1, "48.1", "jti-1"), ("198.51.100.1", 2, "-33.9", "jti-2")]
        {
            let good = token(json!({"jti": session}));
            let client_ip = Some(address.parse().unwrap());
            let request = Request { client_ip, ..get("/v1/posts", &good) };
            let decision = check(&gate.policy, &gate.stores, &request);
            let watch = gate.policy.watch.as_ref().unwrap();
            let point = watch.locates.then(|| Point::read(latitude, "11.5").unwrap());
            let origin = |_| Origin { asn: Some(asn), point, ..Origin::default() };
            watched::note(&mut gate.tally, watch, (&request, &decision), NOW, origin);
        }
        assert_eq!(firing(&mut gate), found);
    }
}

#[test]
fn what_a_policy_that_may_come_says_is_counted_and_no_decision() {
    for (sample, percent) in [(json!({}), Some(100)), (json!({"sample": 7}), Some(7))] {
        let watch = policy(&watching(&json!({"shadow": sample}))).watch.unwrap();
        assert_eq!(watch.shadow, percent);
    }
    for sample in [0, 101] {
        refused(json!({"shadow": {"sample": sample}}), "watch.shadow.sample: expected 1 to 100");
    }
    let mut gate = Watched::new();
    let said = |outcome| Verdict::of(&Decision { outcome, ..decision() });
    let admitted = Verdict::Judged(ADMITTED);
    let limited = Error::RateLimited { limit: "one".into(), retry_after_secs: 1 };
    assert_eq!(said(Ok(Identity::Anonymous)), admitted);
    assert_eq!(said(Err(limited)), Verdict::NotJudged);
    let scope = said(Err(Error::NotFound));
    for verdicts in [
        (admitted, admitted),
        (scope, scope),
        (admitted, scope),
        (scope, admitted),
        (admitted, Verdict::NotJudged),
        (Verdict::NotJudged, scope),
    ] {
        watched::note_shadow(&mut gate.tally, ("GET", "/v1/*"), verdicts, NOW);
    }
    let mut state = WatchState::default();
    let delta = gate.delta();
    state.apply(&delta, Orders { rules: &[], sinks: &[] }, NOW).unwrap();
    let told = report::report(&state, &[], 900, NOW);
    let shadow = told.shadow.unwrap();
    assert_eq!((shadow.same, shadow.different, shadow.not_judged), (2, 2, 2));
    let differences: Vec<(&str, &str, u64)> =
        shadow.differences.iter().map(|one| (one.from.as_str(), one.to.as_str(), one.n)).collect();
    assert_eq!(differences, [("NOT_FOUND", "admitted", 1), ("admitted", "NOT_FOUND", 1)]);
    assert_eq!((told.decisions.admitted, told.decisions.refused, told.events.len()), (0, 0, 2));
    let metrics = report::metrics(&state, &[]);
    assert!(metrics.contains("edgegate_shadow_total{verdict=\"not_judged\"} 2"), "{metrics}");
}

#[test]
fn what_becomes_of_accounts_is_counted_by_way_and_is_no_decision() {
    let mut gate = Watched::new();
    let watch = gate.policy.watch.as_ref().unwrap();
    let logged_in = |methods, account: Option<[u8; 16]>| AccountEvent {
        action: AccountAction::LoggedIn,
        methods,
        account: account.map(AccountId::from_bytes),
    };
    let client_ip = Some("203.0.113.9".parse().unwrap());
    let request = Request { client_ip, ..Request::bare("POST", "/auth/login?next=1") };
    let by = AskedBy { route: "/auth/login", actor: None };
    let of_account = logged_in("password totp", Some([1; 16]));
    let of_nobody = AccountEvent { action: AccountAction::Registered, ..logged_in("", None) };
    for done in [of_account, of_account, logged_in("passkey", Some([2; 16])), of_nobody] {
        let of_gate = (watch, Some("https://gate.test/"));
        let origin = || Origin { country: Some("DE".to_owned()), ..Origin::default() };
        watched::note_account(&mut gate.tally, of_gate, (&request, by), &done, NOW, origin);
    }
    let mut state = WatchState::default();
    let names = gate.policy.watch.as_ref().unwrap().pseudonyms.clone();
    let delta = gate.delta();
    state.apply(&delta, Orders { rules: &[], sinks: &[] }, NOW).unwrap();
    let told = report::report(&state, &[], 900, NOW);
    assert_eq!((told.decisions.admitted, told.decisions.refused), (0, 0));
    let counts: Vec<(&str, &str, u64)> = told
        .accounts
        .iter()
        .map(|one| (one.action.as_str(), one.methods.as_str(), one.n))
        .collect();
    assert_eq!(counts[0], ("logged_in", "password totp", 2));
    assert_eq!(counts.len(), 3);
    // Whose it was has the name that its requests have, and the path has no query.
    let subject = of_account.subject().unwrap();
    let event = told.events.last().unwrap();
    assert_eq!(event.subject, Some(names.subject(Some("https://gate.test/"), &subject)));
    assert_eq!(
        (event.route.as_deref(), event.network.as_deref(), event.country.as_deref()),
        (Some("/auth/login"), Some("203.0.113.0/24"), Some("DE"))
    );
    assert_eq!(told.events[0].subject, None);
    let metrics = report::metrics(&state, &[]);
    let line = "edgegate_account_events_total{action=\"registered\"} 1";
    assert!(metrics.contains(line), "{metrics}");
}

fn decision() -> Decision {
    Decision::refused(Error::NotFound, None, "/v1/*")
}
