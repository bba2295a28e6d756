//! Any text as a policy: it is refused with a path and no data, or it decides about every request.
#![no_main]

use edgegate::error::Error;
use edgegate::guard::Identity;
use edgegate::policy::{Policy, RequestPath};
use edgegate_fuzz::gate::{Stores, bindings, check, request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let policy = match Policy::from_json(text, &bindings()) {
        Ok(policy) => policy,
        Err(Error::Config { .. } | Error::RefusedKey { .. }) => return,
        Err(other) => panic!("another error than that of a configuration: {other}"),
    };
    let stores = Stores::default().with_host(|_| Ok(false));
    for path in ["/", "/public/a", "/v1/posts", "/v1/posts/7"] {
        let parsed = RequestPath::parse(path).unwrap();
        let route = policy.route("GET", &parsed);
        for limit in policy.limits_of(route) {
            assert!(policy.has_limit(limit.limit.name()));
        }
        let mut request = request("GET", path);
        let _ = check(&policy, &stores, &request);
        // Nobody has signed this: whatever the policy says, it opens nothing that is closed.
        request.authorization = Some("Bearer eyJhbGciOiJub25lIn0.e30.AA");
        let decision = check(&policy, &stores, &request);
        assert!(matches!(decision.outcome, Err(_) | Ok(Identity::Anonymous)));
    }
});
