//! Any names of limits, scopes and subjects, into header fields: what is written there is one value, another parser of
//! structured fields (RFC 9651) reads it, and it says what was put in.
#![no_main]

use edgegate::error::Error;
use edgegate::guard::{Identity, LimitReport};
use edgegate::http::reply::{Fields, IDENTITY_FIELDS, Refusal, identity_fields, limit_fields};
use edgegate::policy::Policy;
use edgegate_fuzz::gate::{Stores, bindings, check, request};
use edgegate_fuzz::mint::hs256;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use sfv::{BareItem, Dictionary, List, ListEntry, Parser};

// A line each for the subject, the token's scopes, the scope that the route wants, and `Accept`; then one for each limit:
// its name, requests, seconds, and whether it is a token-bucket.
fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (subject, scope, wanted, accept) = (next(), next(), next(), next());
    let limits: Vec<Value> = lines.map(limit).collect();
    let names: Vec<&Value> = limits.iter().map(|limit| &limit["name"]).collect();
    let mut route = json!({"path": "/*", "limits": names});
    if !wanted.is_empty() {
        route["scopes"] = json!({"all": [wanted]});
    }
    let document = json!({
        "issuers": [{"issuer": "me", "audience": ["a"], "algorithms": ["HS256"], "secret": "JWT_SECRET"}],
        "failed_authentication": {"enabled": false},
        "limits": limits,
        "routes": [route],
    });
    let policy = match Policy::from_json(&document.to_string(), &bindings()) {
        Ok(policy) => policy,
        Err(Error::Config { .. }) => return,
        Err(other) => panic!("another error than that of a configuration: {other}"),
    };
    let claims =
        json!({"iss": "me", "aud": "a", "exp": 9_999_999_999_u64, "sub": subject, "scope": scope});
    let bearer = format!("Bearer {}", hs256(r#"{"alg":"HS256"}"#, claims.to_string()));
    let stores = Stores::default();
    let mut request = request("GET", "/");
    request.authorization = Some(&bearer);
    // The second and third may find the limits used up.
    for _ in 0..3 {
        let decision = check(&policy, &stores, &request);
        check_limits(&decision.limits);
        match &decision.outcome {
            Ok(identity) => check_identity(identity, subject),
            Err(error) => {
                check_refusal(&Refusal::new(error, decision.carrier, Some(accept)), error)
            }
        }
    }
});

fn limit(line: &str) -> Value {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
    let (requests, window_secs) = (number().unwrap_or(1), number().unwrap_or(60));
    let algorithm = if number().is_some() { "token-bucket" } else { "fixed-window" };
    json!({"name": name, "requests": requests, "window_secs": window_secs, "algorithm": algorithm, "store": "memory"})
}

/// One value: visible ASCII and single spaces inside, nothing that could end the line or begin another field.
fn check_values(fields: &Fields) {
    for (position, (name, value)) in fields.iter().enumerate() {
        assert!(!value.is_empty() || *name == "X-Auth-Subject", "{name} is empty");
        assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{name}: {value:?}");
        assert_eq!(value.trim(), value, "{name} has spaces at an end");
        assert!(fields.iter().skip(position + 1).all(|(other, _)| other != name), "{name} twice");
    }
}

fn field<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

/// A list of strings with two integers each.
fn check_list(text: &str, parameters: [&str; 2], expected: &[(&str, [u32; 2])]) {
    let list = Parser::new(text).parse::<List>().unwrap();
    assert_eq!(list.len(), expected.len(), "{text}");
    for (entry, (name, numbers)) in list.iter().zip(expected) {
        let ListEntry::Item(item) = entry else { panic!("{text}: a list in the list") };
        assert!(matches!(&item.bare_item, BareItem::String(text) if text.as_str() == *name));
        assert_eq!(item.params.len(), 2, "{text}");
        for (parameter, number) in parameters.iter().zip(numbers) {
            let found = item.params.get(*parameter);
            assert_eq!(found, Some(&BareItem::Integer(i64::from(*number).try_into().unwrap())));
        }
    }
}

fn check_limits(reports: &[LimitReport]) {
    let fields = limit_fields(reports, true);
    check_values(&fields);
    let quotas: Vec<_> = reports
        .iter()
        .map(|report| (report.name.as_str(), [report.requests, report.window_secs]))
        .collect();
    let states: Vec<_> = reports
        .iter()
        .filter_map(|report| report.verdict.map(|verdict| (report.name.as_str(), verdict)))
        .map(|(name, verdict)| (name, [verdict.remaining, verdict.reset_after_secs]))
        .collect();
    assert_eq!(field(&fields, "RateLimit-Policy").is_some(), !quotas.is_empty());
    assert_eq!(field(&fields, "RateLimit").is_some(), !states.is_empty());
    if let Some(text) = field(&fields, "RateLimit-Policy") {
        check_list(text, ["q", "w"], &quotas);
    }
    if let Some(text) = field(&fields, "RateLimit") {
        check_list(text, ["r", "t"], &states);
        let tightest = states.iter().map(|(_, [remaining, _])| *remaining).min();
        let told = field(&fields, "X-RateLimit-Remaining").map(|text| text.parse().unwrap());
        assert_eq!(told, tightest);
    }
}

fn check_identity(identity: &Identity, subject: &str) {
    let fields = identity_fields(identity);
    check_values(&fields);
    assert!(fields.iter().all(|(name, _)| IDENTITY_FIELDS.contains(name)));
    let decoded = |name| field(&fields, name).map(percent_decoded);
    // An empty subject is none.
    let told = (!subject.is_empty()).then_some(subject);
    assert_eq!(decoded("X-Auth-Subject").as_deref(), told);
    let scopes = identity.scopes().join(" ");
    assert_eq!(decoded("X-Auth-Scopes").unwrap_or_default(), scopes);
}

/// RFC 3986 §2.1.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap(), rest.next().unwrap()];
        bytes.push(u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

fn check_refusal(refusal: &Refusal, error: &Error) {
    check_values(&refusal.fields);
    let body: Value = serde_json::from_str(&refusal.body).unwrap();
    assert_eq!(body["code"], error.code().as_str());
    if let Some(challenge) = field(&refusal.fields, "WWW-Authenticate") {
        // The parameters of a challenge as this gate writes them are a dictionary too.
        let parameters = challenge.strip_prefix("Bearer ").unwrap();
        let parameters = Parser::new(parameters).parse::<Dictionary>().unwrap();
        let text = |name: &str| match parameters.get(name) {
            Some(ListEntry::Item(item)) => item.bare_item.as_string().map(|text| text.as_str()),
            _ => None,
        };
        assert_eq!(text("realm"), Some("edgegate"));
        if let Error::InsufficientScope { required } = error {
            assert_eq!(text("scope"), Some(required.as_str()));
        }
    }
}
