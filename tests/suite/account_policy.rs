//! The section `accounts`: every fault with its whole message, and what it needs.

use edgegate::{
    account::{attempts::DEFAULT_BOUND, mail::MailKind},
    policy::{Binding, SecondFactor},
};
use serde_json::{Value, json};

use crate::gate::{policy, policy as policy_of, read};

/// A policy with this section, and sessions.
pub(super) fn with_accounts(fields: Value) -> Value {
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
fn words_of_the_product_are_in_small_letters() {
    let words = json!({"password_words": ["AcmeCorp", "Zwölf Boote"]});
    let policy = policy(&with_accounts(words));
    let accounts = policy.accounts.as_ref().unwrap();
    assert_eq!(accounts.password_words, ["acmecorp", "zwölf boote"]);
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
        (
            json!({"registration": "all"}),
            "accounts.registration: expected one of closed, invitation, open",
        ),
        (json!({"attempts": 0}), "accounts.attempts: expected 1 to 25"),
        (json!({"attempts": 26}), "accounts.attempts: expected 1 to 25"),
        (json!({"window_secs": 59}), "accounts.window_secs: expected 60 to 86400 seconds"),
        (json!({"shortest_password": 0}), "accounts.shortest_password: expected 1 to 64"),
        (
            json!({"password_words": ["acme", "abc"]}),
            "accounts.password_words[1]: expected 4 to 64 characters",
        ),
        (
            json!({"password_words": vec!["acme"; 33]}),
            "accounts.password_words: expected at most 32",
        ),
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
        (
            json!({"earlier_hashes": [{"memory_kib": 7168, "iterations": 4}]}),
            "accounts.earlier_hashes[0].iterations: is too few: expected memory_kib · iterations to be 35840",
        ),
        (
            json!({"earlier_hashes": [{"memory_kib": 19456}]}),
            "accounts.earlier_hashes[0]: is what accounts.hash is, expected another cost",
        ),
        (
            json!({"earlier_hashes": [{"memory_kib": 12288, "iterations": 3}, {"memory_kib": 12288, "iterations": 3}]}),
            "accounts.earlier_hashes[1]: is of a kind that is listed already",
        ),
        (
            json!({"earlier_hashes": [{"memory_kib": 12288, "iterations": 3}, {"memory_kib": 7168, "iterations": 5}, {"memory_kib": 47104, "iterations": 1}]}),
            "accounts.earlier_hashes: expected at most 2",
        ),
    ] {
        refused(&with_accounts(fields), expected);
    }
    for registration in ["invitation", "open"] {
        let expected = "accounts.registration: needs accounts.mail: an address is shown to be its owner's by a link";
        refused(&with_accounts(json!({ "registration": registration })), expected);
        let expected = "accounts.magic_link: needs accounts.mail: links come by it";
        refused(&with_accounts(json!({ "magic_link": true })), expected);
    }
    let mut named = with_accounts(json!({}));
    named["cookie"] = json!("__Host-edgegate-a");
    refused(
        &named,
        "cookie: is the name of the cookie of browsers that ask for links, expected another",
    );
    let mut alone = with_accounts(json!({}));
    alone.as_object_mut().unwrap().remove("sessions");
    refused(&alone, "accounts: needs the section sessions: a password is a way into a session");
    let mut named = with_accounts(json!({}));
    named["cookie"] = json!("__Host-edgegate-d");
    refused(&named, "cookie: is the name of the cookie of known browsers, expected another");
}

/// A policy with this part, and an origin.
fn with_mail(fields: Value) -> Value {
    let mut mail =
        json!({"kind": "webhook", "url": "https://mailer.test/", "secret": "OTHER_SECRET"});
    let all = mail.as_object_mut().unwrap();
    for (name, value) in fields.as_object().unwrap() {
        match value {
            Value::Null => all.remove(name),
            value => all.insert(name.clone(), value.clone()),
        };
    }
    let mut policy = with_accounts(json!({ "mail": mail }));
    policy["origin"] = json!("https://gate.test");
    policy["sessions"]["cookies"] = json!(true);
    policy["sessions"]["origins"] = json!(["https://app.test"]);
    policy
}

#[test]
fn links_are_of_the_origin_or_of_pages_that_may_act_for_visitors() {
    let page = |policy: &Value| {
        let policy = policy_of(policy);
        let mail = policy.accounts.unwrap().mail.unwrap();
        mail.sender(MailKind::Reset).page.to_owned()
    };
    assert_eq!(page(&with_mail(json!({}))), "https://gate.test/auth/reset/confirm");
    let mut other = with_mail(json!({}));
    other["auth_prefix"] = json!("/gate");
    assert_eq!(page(&other), "https://gate.test/gate/reset/confirm");
    for own in ["https://gate.test/new", "https://app.test/new?a=b", "https://app.test"] {
        assert_eq!(page(&with_mail(json!({"links": {"reset": own}}))), own);
    }
    for (text, problem) in [
        ("https://evil.test/new", "expected a page of origin, or of one of sessions.origins"),
        (
            "https://gate.test.evil.test/",
            "expected a page of origin, or of one of sessions.origins",
        ),
        (
            "https://gate.test@evil.test/",
            "expected a page of origin, or of one of sessions.origins",
        ),
        ("/new", "expected a page of origin, or of one of sessions.origins"),
        ("https://gate.test/#a", "expected a URL of at most 500 characters, without a fragment"),
        ("https://gate.test/a b", "expected a URL of at most 500 characters, without a fragment"),
    ] {
        let policy = with_mail(json!({"links": {"reset": text}}));
        refused(&policy, &format!("accounts.mail.links.reset: {problem}"));
    }
}

#[test]
fn who_sends_mails_is_one_of_four() {
    for (fields, expected) in [
        (
            json!({"kind": "smtp"}),
            "accounts.mail.kind: expected one of webhook, queue, service, function",
        ),
        (json!({"url": null}), "accounts.mail.url: expected an https URL (http only on loopback)"),
        (
            json!({"url": "http://mailer.test/"}),
            "accounts.mail.url: expected an https URL (http only on loopback)",
        ),
        (json!({"secret": null}), "accounts.mail.secret: is required for this kind"),
        (
            json!({"secret": "SHORT"}),
            "accounts.mail.secret: secret has 31 bytes, expected at least 32",
        ),
        (json!({"binding": "MAILS"}), "accounts.mail.binding: a webhook has a url"),
        (
            json!({"kind": "function"}),
            "accounts.mail.kind: a function is given to createGate: expected no url, secret or binding",
        ),
        (json!({"kind": "queue"}), "accounts.mail.url: is of a webhook, expected binding alone"),
        (
            json!({"kind": "service", "url": null}),
            "accounts.mail.secret: is of a webhook, expected binding alone",
        ),
        (
            json!({"kind": "queue", "url": null, "secret": null}),
            "accounts.mail.binding: expected the name of a binding",
        ),
        (json!({"from": "a\nb"}), "accounts.mail.from: expected a line of at most 320 bytes"),
    ] {
        refused(&with_mail(fields), expected);
    }
    let mut nowhere = with_mail(json!({}));
    nowhere.as_object_mut().unwrap().remove("origin");
    refused(&nowhere, "accounts.mail: needs origin: links are made of it, never of a header");
    for (kind, binding) in
        [("queue", Binding::Queue("MAILS")), ("service", Binding::Service("MAILS"))]
    {
        let fields = json!({"kind": kind, "url": null, "secret": null, "binding": "MAILS"});
        let policy = policy_of(&with_mail(fields));
        let needs = policy.needs();
        let need = needs.iter().find(|need| need.binding == binding).unwrap();
        assert_eq!(need.path.as_deref(), Some("accounts.mail.binding"));
    }
    let by_function = json!({"kind": "function", "url": null, "secret": null});
    let policy = policy_of(&with_mail(by_function));
    let needs = policy.needs();
    let need = needs.iter().find(|need| need.binding == Binding::Function).unwrap();
    assert_eq!(need.path.as_deref(), Some("accounts.mail.kind"));
}

/// The same with this origin of the gate, and these of other pages.
fn with_passkeys(passkeys: Value, origin: &str, others: Value) -> Value {
    let mut all = with_accounts(json!({ "passkeys": passkeys }));
    all["origin"] = json!(origin);
    all["sessions"]["cookies"] = json!(true);
    all["sessions"]["origins"] = others;
    all
}

#[test]
fn passkeys_are_bound_to_the_domain_of_the_origin_or_one_above_it() {
    let others = json!([
        "https://app.example.com",
        "https://example.org",
        "https://notexample.com",
        "http://api.example.com:8080"
    ]);
    let read =
        |passkeys: Value, origin| policy_of(&with_passkeys(passkeys, origin, others.clone()));
    let own = read(json!({}), "https://api.example.com");
    let own = own.accounts.as_ref().unwrap().passkeys.as_ref().unwrap();
    assert_eq!((own.rp_id.as_str(), own.rp_name.as_str()), ("api.example.com", "api.example.com"));
    assert_eq!(own.party().origins, ["https://api.example.com", "http://api.example.com:8080"]);
    assert!(own.party().verifies_user);
    let above =
        read(json!({"rp_id": "example.com", "rp_name": "Posts"}), "https://api.example.com");
    let above = above.accounts.as_ref().unwrap().passkeys.as_ref().unwrap();
    let origins =
        ["https://api.example.com", "https://app.example.com", "http://api.example.com:8080"];
    assert_eq!(above.party().origins, origins);
    assert_eq!(above.rp_name, "Posts");
    for origin in ["http://localhost:8787", "https://1password.example"] {
        assert!(read(json!({}), origin).accounts.unwrap().passkeys.is_some());
    }
    assert!(policy_of(&with_accounts(json!({}))).accounts.unwrap().passkeys.is_none());
}

#[test]
fn passkeys_of_no_domain_are_refused() {
    let needs = "accounts.passkeys: needs origin: browsers bind passkeys to it";
    refused(&with_accounts(json!({"passkeys": {}})), needs);
    let expected =
        "accounts.passkeys.rp_id: expected api.example.com, or a domain above it with a dot";
    for rp_id in [
        "example.org",
        "ple.com",
        "com",
        "",
        ".",
        "api.example.com.",
        "API.example.com",
        ".example.com",
        "v1.api.example.com",
        "https://api.example.com",
    ] {
        refused(
            &with_passkeys(json!({"rp_id": rp_id}), "https://api.example.com", json!([])),
            expected,
        );
    }
    let named =
        "accounts.passkeys: needs an origin with a name: browsers have no passkeys for addresses";
    for origin in ["http://127.0.0.1:8787", "http://[::1]:8787", "https://10.0.0.1"] {
        refused(&with_passkeys(json!({}), origin, json!([])), named);
    }
    let long = "accounts.passkeys.rp_name: expected 1 to 64 bytes without control characters";
    for name in ["", "a\nb", &"x".repeat(65)] {
        refused(
            &with_passkeys(json!({"rp_name": name}), "https://api.example.com", json!([])),
            long,
        );
    }
    let mut all = with_passkeys(json!({}), "https://api.example.com", json!([]));
    all["cookie"] = json!("__Host-edgegate-b");
    refused(
        &all,
        "cookie: is the name of the cookie that ties logins to a browser, expected another",
    );
}
