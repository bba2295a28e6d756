//! Any headers of a request: nobody comes in without the one token or the one key, or with two of them.
#![no_main]

use edgegate::guard::Identity;
use edgegate::policy::Policy;
use edgegate_fuzz::gate::{Stores, check, policy, request};
use edgegate_fuzz::{API_KEY, TOKEN};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

thread_local! {
    static GATE: LazyLock<(Policy, Stores)> = LazyLock::new(|| {
        let policy = policy(&serde_json::json!({
            "cookie": "session",
            "issuers": [{"issuer": "me", "audience": ["a"], "algorithms": ["HS256"], "secret": "JWT_SECRET"}],
            "api_keys": {
                "environment": "test",
                "prefixes": [{"prefix": "sk"}],
                "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
                "records": "none",
            },
            "failed_authentication": {"enabled": false},
            "routes": [{"path": "/open/*", "auth": "none"}, {"path": "/either", "auth": "optional"}],
        }));
        let stores = Stores::default();
        // Or else all that follows would hold of nothing.
        for credential in [&TOKEN, &API_KEY] {
            let header = format!("Bearer {}", **credential);
            let mut request = request("GET", "/");
            request.authorization = Some(&header);
            check(&policy, &stores, &request).outcome.unwrap();
        }
        (policy, stores)
    });
}

// A line each for the path, `Authorization`, `X-API-Key` and `Cookie`; an empty one is none.
fuzz_target!(|text: &str| {
    // A byte of the seeds stands for what is too long to be found by chance.
    let text = text.replace('\u{1}', &TOKEN).replace('\u{2}', &API_KEY);
    let mut lines = text.split('\n');
    let path = lines.next().unwrap_or("/");
    let mut next = || lines.next().filter(|line| !line.is_empty());
    let mut request = request("GET", path);
    (request.authorization, request.api_key, request.cookie) = (next(), next(), next());
    let carriers = [request.authorization, request.api_key, request.cookie];
    let having = |credential: &str| {
        let holds = |carrier: &&str| carrier.contains(credential) || carrier.contains("asic ");
        carriers.iter().flatten().filter(|carrier| holds(carrier)).count()
    };
    GATE.with(|gate| {
        let (policy, stores) = &**gate;
        let decision = check(policy, stores, &request);
        match decision.outcome {
            Err(_) => {}
            Ok(Identity::Anonymous) => {
                assert!(path.starts_with("/open") || decision.carrier.is_none())
            }
            Ok(Identity::Token(_)) => assert_eq!(having(&TOKEN).min(1), 1),
            Ok(Identity::ApiKey(_)) => assert_eq!(having(&API_KEY).min(1), 1),
        }
        // Two at once are never a credential, wherever they are.
        let plain = |carrier: Option<&str>, prefix: &str| {
            [&*TOKEN, &*API_KEY].iter().any(|one| carrier == Some(&format!("{prefix}{one}")))
        };
        if plain(request.authorization, "Bearer ") && plain(request.api_key, "") {
            assert!(!matches!(
                check(policy, stores, &request).outcome,
                Ok(Identity::Token(_) | Identity::ApiKey(_))
            ));
        }
    });
});
