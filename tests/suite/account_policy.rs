//! The section `accounts`: every fault with its whole message, and what it needs.

use edgegate::{
    account::attempts::DEFAULT_BOUND,
    policy::{Binding, SecondFactor},
};
use serde_json::{Value, json};

use crate::gate::{policy, read};

/// A policy with this section, and sessions.
fn with_accounts(fields: Value) -> Value {
    let mut accounts = json!({"secrets": [{"id": 1, "secret": "ACCOUNTS_SECRET"}]});
    let all = accounts.as_object_mut().unwrap();
    for (name, value) in fields.as_object().unwrap() {
        all.insert(name.clone(), value.clone());
    }
    json!({
        "revocation": {"mode": "entries"},
        "sessions": {"issuer": "https://gate.test/", "audience": ["https://api.test"], "secret": "SESSION_SECRET"},
        "accounts": accounts,
    })
}

#[track_caller]
fn refused(policy: &Value, expected: &str) {
    assert_eq!(read(policy).unwrap_err().to_string(), expected);
}

#[test]
fn one_secret_is_enough_and_the_bound_is_five_in_fifteen_minutes() {
    let policy = policy(&with_accounts(json!({})));
    let accounts = policy.accounts.as_ref().unwrap();
    assert_eq!(accounts.bound, DEFAULT_BOUND);
    assert_eq!(accounts.shortest_password, 8);
    assert_eq!(accounts.mfa, SecondFactor::Optional);
    let needs: Vec<Binding<'_>> = policy.needs().into_iter().map(|need| need.binding).collect();
    // Guesses have a writer, and all hashes together are counted.
    assert!(needs.contains(&Binding::Logins) && needs.contains(&Binding::Counters), "{needs:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    const BCRYPT: &str = "$2b$10$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW";
    for (fields, expected) in [
        (json!({"secrets": []}), "accounts.secrets: expected a non-empty list"),
        (
            json!({"secrets": [{"id": 1, "secret": "SHORT"}]}),
            "accounts.secrets[0].secret: secret has 31 bytes, expected at least 32",
        ),
        (
            json!({"secrets": [{"id": 1, "secret": "ACCOUNTS_SECRET"}, {"id": 1, "secret": "OTHER_SECRET"}]}),
            "accounts.secrets[1].id: id 1 is given twice",
        ),
        (json!({"registration": "open"}), "accounts.registration: expected closed"),
        (json!({"attempts": 0}), "accounts.attempts: expected 1 to 25"),
        (json!({"attempts": 26}), "accounts.attempts: expected 1 to 25"),
        (json!({"window_secs": 59}), "accounts.window_secs: expected 60 to 86400 seconds"),
        (json!({"shortest_password": 0}), "accounts.shortest_password: expected 1 to 64"),
        (json!({"mfa": "on"}), "accounts.mfa: expected one of off, optional, required"),
        (json!({"scopes": ["\""]}), "accounts.scopes[0]: expected a scope like read:posts"),
        (json!({"hash": {"memory_kib": 7167}}), "accounts.hash.memory_kib: expected 7168 to 65536"),
        (json!({"hash": {"iterations": 11}}), "accounts.hash.iterations: expected 1 to 10"),
        (
            json!({"hash": {"memory_kib": 7168, "iterations": 4}}),
            "accounts.hash.iterations: is too few: expected memory_kib · iterations to be 35840",
        ),
        (
            json!({"imports": ["plain"]}),
            "accounts.imports[0]: expected a hash of a form of docs/accounts.md, at a cost within its bounds",
        ),
        (
            json!({"imports": [BCRYPT, BCRYPT.replace("$2b$", "$2y$")]}),
            "accounts.imports[1]: is of a kind that is listed already",
        ),
    ] {
        refused(&with_accounts(fields), expected);
    }
    let mut alone = with_accounts(json!({}));
    alone.as_object_mut().unwrap().remove("sessions");
    refused(&alone, "accounts: needs the section sessions: a password is a way into a session");
    let mut named = with_accounts(json!({}));
    named["cookie"] = json!("__Host-edgegate-d");
    refused(&named, "cookie: is the name of the cookie of known browsers, expected another");
}
