//! Routes with a grant: what the policy takes, and that the token goes nowhere else.

use edgegate::error::Error;
use edgegate::guard::{OnlyRead, grants::account_named};
use edgegate::http::explain::explain;
use edgegate::policy::{Binding, Destination, Policy, RequestPath, Upstream};
use serde_json::{Value, json};

use super::gate::{NOW, Stores, policy, read, request, run};
use super::login_policy::with_login;

/// A policy with a Slack bot, and this route.
fn with_route(route: &Value) -> Value {
    let mut policy = with_login(&json!({"providers": [
        {"id": "bot", "type": "slack-bot", "client_id": "c", "client_secret": "JWT_SECRET"},
    ]}));
    policy["routes"] = json!([route]);
    policy
}

fn slack() -> Value {
    json!({
        "path": "/slack/*", "methods": ["POST"], "grant": "bot",
        "upstream": {"url": "https://slack.com/api", "strip_prefix": "/slack"},
    })
}

/// The same with these fields, `null` for none.
fn but(fields: &Value) -> Value {
    let mut route = slack();
    for (name, value) in fields.as_object().unwrap() {
        route[name] = value.clone();
    }
    route.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    with_route(&route)
}

fn upstream(policy: &Policy, method: &str, target: &str) -> Result<Upstream, Error> {
    let path = RequestPath::parse(target)?;
    match policy.route(method, &path).destination.as_deref() {
        Some(Destination::Upstream(upstream)) => Ok(upstream.clone()),
        _ => Err(Error::NotFound),
    }
}

#[track_caller]
fn refused(policy: &Value, expected: &str) {
    assert_eq!(read(policy).unwrap_err().to_string(), expected);
}

#[test]
fn a_route_names_the_provider_and_the_way_there() {
    let policy = policy(&with_route(&slack()));
    let upstream = upstream(&policy, "POST", "/slack/chat.postMessage").unwrap();
    let grant = upstream.grant.as_ref().unwrap();
    assert_eq!((grant.provider.as_str(), grant.header.as_ref()), ("bot", None));
    assert_eq!(upstream.target("/slack/chat.postMessage?a=b").unwrap(), "/chat.postMessage?a=b");
    let needs = policy.needs();
    let need = needs.iter().find(|need| need.binding == Binding::Grants).unwrap();
    assert_eq!(need.path.as_deref(), Some("routes[0].grant"));
    assert!(policy.keeps_tokens_of("bot") && !policy.keeps_tokens_of("other"));
}

/// What is not bound is not asked: one condition for both.
#[test]
fn grants_are_used_where_they_are_bound_and_accounts_connected_where_they_are_kept() {
    let login = |connect_only: bool| {
        with_login(&json!({"providers": [
            {"id": "hub", "type": "github", "client_id": "c", "client_secret": "JWT_SECRET"},
            {"id": "git", "type": "github", "client_id": "c", "client_secret": "JWT_SECRET", "connect_only": connect_only},
        ]}))
    };
    let mut with_a_route = login(false);
    with_a_route["routes"] = json!([{
        "path": "/git/*", "methods": ["GET"], "grant": "git",
        "upstream": {"url": "https://api.github.com", "strip_prefix": "/git"},
    }]);
    for (document, uses) in [(login(false), false), (login(true), true), (with_a_route, true)] {
        let policy = policy(&document);
        let is_bound = policy.needs().iter().any(|need| need.binding == Binding::Grants);
        assert_eq!((policy.uses_grants(), is_bound), (uses, uses));
        let login = policy.login.as_ref().unwrap();
        assert!(!policy.connects(login.provider("hub").unwrap()));
        assert_eq!(policy.connects(login.provider("git").unwrap()), uses);
    }
}

#[test]
fn faults_have_their_places() {
    let place = |problem: &str| format!("routes[0].grant: {problem}");
    for (fields, problem) in [
        (json!({"auth": "optional"}), "asks whose account it is, expected auth = \"required\""),
        (json!({"auth": "none"}), "asks whose account it is, expected auth = \"required\""),
        (json!({"upstream": null}), "expected an upstream on the same route"),
        (
            json!({"upstream": null, "answer": {"status": 200}}),
            "expected an upstream on the same route",
        ),
        (
            json!({"upstream": {"service": "SLACK"}}),
            "goes to the provider, expected the URL of its API as upstream, or header",
        ),
        (
            json!({"upstream": "http://slack.com/api"}),
            "goes to the provider, expected an https URL as upstream",
        ),
        (json!({"methods": null}), "goes to the provider, expected methods on the same route"),
        (json!({"grant": "other"}), "login.providers has no such provider"),
    ] {
        refused(&but(&fields), &place(problem));
    }
    refused(
        &but(&json!({"grant": {"provider": "bot", "header": "Authorization"}})),
        "routes[0].grant.header: this header means something already, expected another name",
    );
    refused(
        &but(&json!({"grant": {"provider": "bot", "header": "X-Auth-Subject"}})),
        "routes[0].grant.header: this header means something already, expected another name",
    );
    for header in
        ["Cookie", "Authorization", "X-Forwarded-For", "x_auth_subject", "CF-Connecting-IP"]
    {
        refused(
            &but(&json!({"grant": {"provider": "bot", "pass_headers": [header]}})),
            "routes[0].grant.pass_headers[0]: this header means something already, expected another name",
        );
    }
    let both = json!({"provider": "bot", "header": "X-Slack-Token", "pass_headers": ["X-A"]});
    refused(
        &but(&json!({"grant": both})),
        "routes[0].grant.pass_headers: a service gets what every service gets, expected no header beside it",
    );
    let mut without_login = with_route(&slack());
    without_login.as_object_mut().unwrap().remove("login");
    refused(&without_login, "routes[0].grant: needs the section login");
    // On loopback, and in a private network, as everywhere.
    policy(&but(&json!({"upstream": "http://127.0.0.1:8080/api"})));
    policy(&but(&json!({"upstream": "http://slack.internal/api"})));
}

/// GHSA-pxq7, CVE-2025-54576 and their like: the path that is decided on is the one that is asked for.
#[test]
fn no_spelling_of_a_path_leaves_what_the_route_names() {
    let policy = policy(&with_route(&json!({
        "path": "/slack/chat.postMessage", "methods": ["POST"], "grant": "bot",
        "upstream": {"url": "https://slack.com/api", "strip_prefix": "/slack"},
    })));
    for target in [
        "/slack/chat.postMessage/../admin.users.list",
        "/slack/chat.postMessage/%2e%2e/admin.users.list",
        "/slack/..%2fadmin.users.list",
        "/slack/%252e%252e/admin",
        "/slack/chat.postMessage;/../admin",
        "/slack//chat.postMessage",
        "/slack/\\..\\admin",
        "/slack/chat.postMessage%00",
        "/slack/admin.users.list",
        "/slack/chat.postMessagex",
        "/slack/chat.postMessage/more",
        "/slack",
        "//evil.example/slack/chat.postMessage",
        "https://evil.example/slack/chat.postMessage",
        "/@evil.example/chat.postMessage",
    ] {
        assert!(upstream(&policy, "POST", target).is_err(), "{target}");
    }
    for method in ["GET", "DELETE", "PUT", "post"] {
        assert!(upstream(&policy, method, "/slack/chat.postMessage").is_err(), "{method}");
    }
    for target in
        ["/slack/chat.postMessage", "/slack/chat.postMessage/", "/slack/chat.post%4dessage"]
    {
        assert!(upstream(&policy, "POST", target).is_ok(), "{target}");
    }
}

#[test]
fn no_path_changes_the_host() {
    let policy = policy(&with_route(&slack()));
    for target in [
        "/slack/@evil.example",
        "/slack/.evil.example",
        "/slack/:80@evil.example/a",
        "/slack/evil.example",
    ] {
        let upstream = upstream(&policy, "POST", target).unwrap();
        let url = format!("https://slack.com/api{}", upstream.target(target).unwrap());
        let rest = url.strip_prefix("https://slack.com/api/");
        assert_eq!(rest, target.strip_prefix("/slack/"), "{target}");
    }
}

#[test]
fn a_provider_gets_what_it_needs_of_the_caller_and_nothing_else() {
    let grant = json!({"provider": "bot", "pass_headers": ["X-GitHub-Api-Version"]});
    let policy = policy(&but(&json!({"grant": grant})));
    let upstream = upstream(&policy, "POST", "/slack/a").unwrap();
    let grant = upstream.grant.unwrap();
    for name in ["accept", "content-type", "if-none-match", "range", "x-github-api-version"] {
        assert!(grant.passes(name), "{name}");
    }
    for name in [
        "cookie",
        "authorization",
        "x-api-key",
        "x-auth-subject",
        "x-forwarded-for",
        "cf-connecting-ip",
        "x-grant-account",
        "origin",
        "referer",
        "x-anything",
        "x_github_api_version",
    ] {
        assert!(!grant.passes(name), "{name}");
    }
}

#[test]
fn a_service_gets_the_token_in_a_header_that_no_caller_sets() {
    let grant = json!({"provider": "bot", "header": "X-Slack-Token"});
    // A service of one's own, by any method.
    let policy =
        policy(&but(&json!({"grant": grant, "methods": null, "upstream": {"service": "OWN"}})));
    let upstream = upstream(&policy, "GET", "/slack/a").unwrap();
    let grant = upstream.grant.unwrap();
    assert_eq!(grant.header.as_ref().unwrap().as_str(), "X-Slack-Token");
    for name in ["x-slack-token", "x_slack_token", "x.slack.token", "x-grant-account"] {
        assert!(!grant.passes(name), "{name}");
    }
    assert!(grant.passes("cookie") && grant.passes("x-anything"));
}

#[test]
fn a_caller_names_an_account_or_none() {
    assert_eq!(account_named(None), Ok(None));
    assert_eq!(account_named(Some("T1")), Ok(Some("T1")));
    for wrong in ["", "x".repeat(256).as_str()] {
        assert!(account_named(Some(wrong)).is_err());
    }
}

#[test]
fn an_explanation_says_that_the_account_is_not_asked_for() {
    let of = |route: &Value| {
        let stores = Stores::default();
        let request = request("POST", "/slack/chat.postMessage");
        let told = run(explain(&policy(route), &OnlyRead::of(&stores), &request, NOW));
        told.steps
            .into_iter()
            .find(|step| step.policy_path.as_deref() == Some("routes[0]"))
            .unwrap()
            .detail
    };
    let detail = "needs the caller's account at bot, which is not asked for here";
    assert_eq!(of(&with_route(&slack())).as_deref(), Some(detail));
    assert_eq!(of(&but(&json!({"grant": null}))), None);
}
