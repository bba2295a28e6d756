//! The section `login`: every fault with its whole message, and what it says where it says nothing.

use edgegate::{
    login::provider::ClientAuthentication,
    policy::{Binding, Policy, Provider, ProviderLocation},
};
use serde_json::{Value, json};

use crate::gate::{policy, read};

/// A policy with this section, and sessions in cookies.
pub(crate) fn with_login(login: &Value) -> Value {
    json!({
        "revocation": {"mode": "entries"},
        "sessions": {
            "issuer": "https://gate.test/", "audience": ["https://api.test"], "secret": "SESSION_SECRET", "cookies": true,
        },
        "login": login,
    })
}

/// One with one provider: this one, with these fields beside.
fn one(fields: Value) -> Value {
    let mut provider = json!({"id": "corp", "type": "oidc", "issuer": "https://idp.test", "client_id": "gate", "client_secret": "JWT_SECRET"});
    let all = provider.as_object_mut().unwrap();
    for (name, value) in fields.as_object().unwrap() {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    with_login(&json!({"providers": [provider]}))
}

#[track_caller]
fn refused(policy: &Value, expected: &str) {
    assert_eq!(read(policy).unwrap_err().to_string(), expected);
}

fn first(policy: &Policy) -> &Provider {
    &policy.login.as_ref().unwrap().providers[0]
}

#[test]
fn four_lines_are_a_provider() {
    let policy = policy(&one(json!({})));
    let provider = first(&policy);
    assert_eq!(provider.title, "single sign-on");
    assert_eq!(provider.issuer(), Some("https://idp.test"));
    assert_eq!(provider.authentication, ClientAuthentication::Basic);
    assert_eq!(provider.request_scopes, ["openid", "profile", "email"]);
    assert!(!provider.connect_only && !provider.needs_memberships());
    assert_eq!(policy.login.as_ref().unwrap().ways_in().count(), 1);
    let counters = |need: &edgegate::policy::Need<'_>| need.binding == Binding::Counters;
    assert!(policy.needs().iter().any(counters), "a login counts once, at all isolates");
}

#[test]
fn a_template_of_an_issuer_takes_a_field() {
    let issuer = |fields: Value| first(&policy(&one(fields))).issuer().map(str::to_owned);
    for (kind, field, value, expected) in [
        ("auth0", "domain", "example.eu.auth0.com", "https://example.eu.auth0.com/"),
        ("okta", "domain", "example.okta.com", "https://example.okta.com"),
        ("okta", "domain", "x.okta.com/oauth2/default", "https://x.okta.com/oauth2/default"),
        ("microsoft", "tenant", "common", "https://login.microsoftonline.com/common/v2.0"),
    ] {
        let fields = json!({"type": kind, "issuer": null, field: value});
        assert_eq!(issuer(fields).as_deref(), Some(expected));
        refused(
            &one(json!({"type": kind, "issuer": null})),
            &format!("login.providers[0].{field}: {kind} needs it"),
        );
        for wrong in ["https://x", "/x", "x//y", ""] {
            refused(
                &one(json!({"type": kind, "issuer": null, field: wrong})),
                &format!(
                    "login.providers[0].{field}: expected it without https:// and without a slash at its end"
                ),
            );
        }
    }
}

#[test]
fn github_is_known_and_can_be_put_elsewhere_on_loopback_only() {
    let known = policy(&one(json!({"type": "github", "issuer": null})));
    let ProviderLocation::Known(endpoints) = &first(&known).location else {
        panic!("GitHub has no document")
    };
    assert_eq!(endpoints.token, "https://github.com/login/oauth/access_token");
    assert_eq!(
        endpoints.revocation.as_deref(),
        Some("https://api.github.com/applications/gate/grant")
    );
    let at =
        |host: &str| json!({"authorization": format!("{host}/a"), "token": format!("{host}/t")});
    let elsewhere =
        |host: &str| one(json!({"type": "github", "issuer": null, "endpoints": at(host)}));
    policy(&elsewhere("http://127.0.0.1:1234"));
    refused(
        &elsewhere("https://evil.test"),
        "login.providers[0].endpoints: those of github are known, expected none but on loopback",
    );
    refused(
        &elsewhere("http://10.0.0.1"),
        "login.providers[0].endpoints.authorization: expected an https URL, or with allow_http an http one of a private host",
    );
}

#[test]
fn each_fault_has_its_place() {
    for (fields, expected) in [
        (json!({"id": "a b"}), "id: expected 1 to 64 letters, digits, '-', '_' or '.'"),
        (json!({"id": ".."}), "id: expected more than dots"),
        (
            json!({"id": "client"}),
            "id: is what the gate's own subjects begin with, expected another",
        ),
        (
            json!({"type": "facebook"}),
            "type: expected one of google, github, slack, slack-bot, microsoft, apple, gitlab, discord, auth0, okta, keycloak, cognito, oidc",
        ),
        (json!({"title": ""}), "title: expected 1 to 60 bytes without control characters"),
        (json!({"client_id": ""}), "client_id: expected the client's name at the provider"),
        (json!({"issuer": null}), "issuer: oidc needs it"),
        (
            json!({"issuer": "http://idp.test"}),
            "issuer: expected an https URL without query and fragment, or with allow_http an http one of a private host",
        ),
        (
            json!({"type": "google", "issuer": "https://accounts.google.com"}),
            "issuer: that of google is known, expected nothing",
        ),
        (json!({"type": "discord"}), "issuer: discord has none, expected nothing"),
        (
            json!({"client_secret": null}),
            "client_secret: expected the name of a secret, and no team_id, key_id and private_key",
        ),
        (json!({"client_secret": "GONE"}), "client_secret: there is no secret named GONE"),
        (
            json!({"client_secret": "EMPTY"}),
            "client_secret: secret has 0 bytes, expected at least 8",
        ),
        (
            json!({"type": "apple", "issuer": null}),
            "private_key: expected team_id, key_id and private_key, and no client_secret",
        ),
        (
            json!({"type": "apple", "issuer": null, "client_secret": null, "team_id": "A", "key_id": "B", "private_key": "PEM"}),
            "private_key: not one PEM block, expected -----BEGIN PRIVATE KEY----- (PKCS#8)",
        ),
        (
            json!({"request_scopes": ["open id"]}),
            "request_scopes[0]: expected a scope of the provider",
        ),
        (
            json!({"request_scopes": ["email"]}),
            "request_scopes: lacks openid, without which there is no ID token",
        ),
        (
            json!({"type": "github", "issuer": null, "request_scopes": ["read:user"], "allow": {"organizations": ["acme"]}}),
            "request_scopes: lacks read:org or user, which allow and scopes need",
        ),
        (
            json!({"type": "microsoft", "issuer": null, "tenant": "contoso.example"}),
            "tenant: expected common, organizations, consumers, or the id of a tenant: 32 hexadecimal digits with hyphens",
        ),
        (
            json!({"allow": {"email_domains": ["@corp.test"]}}),
            "allow.email_domains[0]: expected a domain like example.com",
        ),
        (
            json!({"allow": {"email_domains": ["*.corp.test"]}}),
            "allow.email_domains[0]: expected a domain like example.com",
        ),
        (json!({"allow": {"teams": ["core"]}}), "allow.teams[0]: expected organization/team"),
        (
            json!({"allow": {"groups": [""]}}),
            "allow.groups[0]: expected 1 to 200 bytes without control characters",
        ),
        (
            json!({"scopes": {"default": ["a b"]}}),
            "scopes.default[0]: expected a scope like read:posts",
        ),
        (
            json!({"scopes": {"groups": {"admins": ["a b"]}}}),
            "scopes.groups.admins[0]: expected a scope like read:posts",
        ),
        (
            json!({"endpoints": {"authorization": "http://127.0.0.1/a", "token": "http://127.0.0.1/t"}}),
            "endpoints: the issuer's own document has them, expected issuer",
        ),
    ] {
        refused(&one(fields), &format!("login.providers[0].{expected}"));
    }
}

/// GitHub and Discord say who is a member of what for scopes of their own alone.
#[test]
fn what_rules_ask_about_is_asked_for() {
    let scopes = |fields: Value| first(&policy(&one(fields))).request_scopes.join(" ");
    let github = |fields: Value| {
        let mut all = json!({"type": "github", "issuer": null});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        scopes(all)
    };
    assert_eq!(github(json!({})), "read:user user:email");
    let teams = json!({"teams": {"acme/core": ["write:posts"]}});
    assert_eq!(
        github(json!({"allow": {"organizations": ["acme"]}, "scopes": teams})),
        "read:user user:email read:org"
    );
    assert_eq!(
        github(json!({"allow": {"organizations": ["acme"]}, "request_scopes": ["user"]})),
        "user"
    );
    let discord = json!({"type": "discord", "issuer": null, "allow": {"organizations": ["1"]}});
    assert_eq!(scopes(discord), "identify email guilds");
}

#[test]
fn what_the_section_needs_is_said() {
    refused(&with_login(&json!({"providers": []})), "login.providers: expected 1 to 20 providers");
    let provider = one(json!({}))["login"]["providers"][0].clone();
    refused(
        &with_login(&json!({"providers": [provider, provider]})),
        "login.providers[1].id: this provider is listed already",
    );
    for origin in ["app.test", "https://app.test/", "null", "ftp://app.test"] {
        refused(
            &with_login(&json!({"providers": [provider], "return_to": [origin]})),
            "login.return_to[0]: expected an origin like https://app.example.com",
        );
    }
    let mut without_cookies = one(json!({}));
    without_cookies["sessions"]["cookies"] = json!(false);
    let mut without_sessions = one(json!({}));
    without_sessions.as_object_mut().unwrap().remove("sessions");
    for policy in [without_cookies, without_sessions] {
        refused(
            &policy,
            "login: needs the section sessions with cookies = true: a login is a way into a session of a browser",
        );
    }
    let mut taken = one(json!({}));
    taken["cookie"] = json!("__Host-edgegate-b");
    refused(&taken, "cookie: is the name of the cookie of logins, expected another");
}

#[test]
fn no_debug_output_holds_a_clients_secret() {
    let shown = format!("{:?}", policy(&one(json!({}))).login);
    assert!(!shown.contains("0123456789abcdef") && shown.contains("corp"), "{shown}");
}
