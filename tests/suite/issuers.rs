//! Issuers as identity providers are: which tokens an entry takes, which entry decides, what of an entry is refused.

use base64ct::{Base64, Encoding as _};
use edgegate::error::{Code, Error};
use edgegate::guard::{Identity, Request};
use edgegate::policy::Policy;
use serde_json::{Value, json};

use crate::gate::{NOW_SECS, Stores, bindings, check, policy, read, request};
use crate::mint;

const ISSUER: &str = "https://issuer.example/";
const HS256: &str = r#"{"alg":"HS256"}"#;
const EDDSA: &str = r#"{"alg":"EdDSA"}"#;

/// An entry with the secret of the tests, and with what `more` sets; `null` takes a field away.
fn entry(more: &Value) -> Value {
    let mut entry = json!({ "issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET" });
    for (name, value) in more.as_object().unwrap() {
        entry[name] = value.clone();
    }
    entry
}

fn gate(entries: &[Value]) -> Policy {
    policy(&json!({ "issuers": entries }))
}

fn claims(more: &Value) -> String {
    let mut claims = json!({ "iss": ISSUER, "aud": "api", "sub": "s", "exp": NOW_SECS + 60 });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims.to_string()
}

fn outcome(policy: &Policy, token: &str) -> Result<Identity, Error> {
    let authorization = format!("Bearer {token}");
    let request = Request { authorization: Some(&authorization), ..request("GET", "/") };
    check(policy, &Stores::default(), &request).outcome
}

fn says(policy: &Policy, claims: &str) -> Result<Identity, String> {
    outcome(policy, &mint::hs256(HS256, claims)).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(entries: &[Value], message: &str) {
    let fault = read(&json!({ "issuers": entries })).expect_err(message);
    assert_eq!((fault.to_string(), fault.code()), (message.to_owned(), Code::ConfigError));
}

#[track_caller]
fn entry_refused(more: Value, message: &str) {
    refused(&[entry(&more)], &format!("issuers[0]{message}"));
}

// ---- claims ----

#[test]
fn the_audience_may_be_in_another_claim() {
    // An access token of Cognito has no `aud`.
    let cognito = gate(&[entry(&json!({
        "audience": ["client-1"], "audience_claim": "client_id", "claims": { "token_use": "access" },
    }))]);
    let token = |more: Value| claims(&more);
    let access = json!({ "aud": null, "client_id": "client-1", "token_use": "access" });
    assert!(says(&cognito, &token(access)).is_ok());
    for (changed, message) in [
        (
            json!({ "client_id": "client-2", "token_use": "access" }),
            "client_id has a value that is not allowed",
        ),
        (json!({ "aud": "client-1", "token_use": "access" }), "claim client_id is missing"),
        (
            json!({ "client_id": "client-1", "token_use": "id" }),
            "token_use has a value that is not allowed",
        ),
        (json!({ "client_id": "client-1" }), "claim token_use is missing"),
    ] {
        assert_eq!(says(&cognito, &token(changed)).unwrap_err(), message);
    }
    entry_refused(json!({ "audience_claim": "" }), ".audience_claim: expected a non-empty string");
    entry_refused(
        json!({ "audience_claim": "aud" }),
        ".audience_claim: expected another claim than aud, which is looked at without it",
    );
    entry_refused(
        json!({ "audience_claim": "azp", "profile": "access-token" }),
        ".audience_claim: the profile wants the audience in aud, expected nothing",
    );
}

#[test]
fn claims_have_values_or_are_refused_by_their_names() {
    let gate = gate(&[entry(&json!({
        "claims": { "email_verified": true, "tid": ["a", "b"], "realm_access.roles": "user", "v": 2 },
    }))]);
    let token = |more: Value| {
        let mut all = json!({ "email_verified": true, "tid": "b", "realm_access": { "roles": ["user", "x"] }, "v": 2 });
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        claims(&all)
    };
    assert!(says(&gate, &token(json!({}))).is_ok());
    for (changed, message) in [
        (json!({ "email_verified": "true" }), "email_verified has a value that is not allowed"),
        (json!({ "email_verified": false }), "email_verified has a value that is not allowed"),
        (json!({ "tid": "c" }), "tid has a value that is not allowed"),
        (
            json!({ "realm_access": { "roles": ["x"] } }),
            "realm_access.roles has a value that is not allowed",
        ),
        (json!({ "realm_access": null }), "claim realm_access.roles is missing"),
        (json!({ "v": 1 }), "v has a value that is not allowed"),
    ] {
        assert_eq!(says(&gate, &token(changed)).unwrap_err(), message);
    }
    let problem = "expected a string, a whole number, true, false, or a non-empty list of these";
    for value in [json!(null), json!([]), json!({}), json!(1.5), json!([["a"]]), json!(["a", null])]
    {
        entry_refused(json!({ "claims": { "a": value } }), &format!(".claims.a: {problem}"));
    }
    entry_refused(
        json!({ "claims": {} }),
        ".claims: expected at least one name, and none that is empty",
    );
    entry_refused(
        json!({ "claims": { "": "a" } }),
        ".claims: expected at least one name, and none that is empty",
    );
    entry_refused(json!({ "claims": ["a"] }), ".claims: expected an object, found a list");
}

#[test]
fn scopes_are_put_together_from_claims_and_words() {
    let scopes = |entry_fields: Value, token: Value| {
        let gate = gate(&[entry(&entry_fields)]);
        says(&gate, &claims(&token)).unwrap().scopes().join(" ")
    };
    let keycloak = json!({ "scope": "openid", "realm_access": { "roles": ["admin"] } });
    let both = json!(["scope", "realm_access.roles"]);
    assert_eq!(scopes(json!({ "scope_claims": both }), keycloak.clone()), "admin openid");
    assert_eq!(scopes(json!({ "scope_claim": "realm_access.roles" }), keycloak.clone()), "admin");
    assert_eq!(
        scopes(json!({ "scope_claims": both, "scope_map": { "admin": ["read:posts"] } }), keycloak),
        "admin openid read:posts"
    );
    entry_refused(
        json!({ "scope_claim": "scope", "scope_claims": ["scp"] }),
        ".scope_claims: expected it or scope_claim, not both",
    );
    entry_refused(
        json!({ "scope_claims": [] }),
        ".scope_claims: expected a non-empty list of non-empty strings",
    );
    entry_refused(json!({ "scope_claims": ["a", "a"] }), ".scope_claims[1]: is there already");
    entry_refused(json!({ "scope_map": { "a": [] } }), ".scope_map.a: expected a non-empty list");
    entry_refused(
        json!({ "scope_map": { "a": ["b c"] } }),
        ".scope_map.a[0]: expected a scope like read:posts",
    );
    entry_refused(
        json!({ "scope_map": { "a": "b" } }),
        ".scope_map.a: expected a list, found a string",
    );
}

#[test]
fn a_scope_includes_what_the_policy_says_for_tokens_and_keys() {
    let document = json!({
        "issuers": [entry(&json!({}))],
        "scope_includes": { "repo": ["repo:status"], "admin": ["repo"] },
        "routes": [
            { "path": "/all", "scopes": { "all": ["repo:status", "other"] } },
            { "path": "/any", "scopes": { "any": ["repo:status", "x"] } },
        ],
    });
    let policy = policy(&document);
    let with = |path: &'static str, scope: &str| {
        let authorization =
            format!("Bearer {}", mint::hs256(HS256, claims(&json!({ "scope": scope }))));
        let request = Request { authorization: Some(&authorization), ..request("GET", path) };
        check(&policy, &Stores::default(), &request).outcome.map_err(|error| error.to_string())
    };
    for scope in ["repo:status other", "repo other", "admin other"] {
        // What the upstream is told is what the token says.
        assert_eq!(with("/all", scope).unwrap().scopes().len(), 2, "{scope}");
    }
    assert!(with("/any", "admin").is_ok());
    for scope in ["repo", "other", "repo:other other", "Repo other", "repo:status"] {
        assert_eq!(with("/all", scope).unwrap_err(), "missing scope: repo:status other", "{scope}");
    }
}

// ---- several entries, several secrets, several tenants ----

fn eddsa_entry(more: &Value) -> Value {
    let key = mint::eddsa_key();
    let jwk: Value = serde_json::from_str(&key.public().unwrap().to_jwk_text()).unwrap();
    let mut fields = json!({ "secret": null, "algorithms": ["EdDSA"], "jwks": { "keys": [jwk] } });
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    entry(&fields)
}

#[test]
fn the_algorithm_chooses_between_entries_of_one_issuer() {
    let older =
        entry(&json!({ "audience": ["old"], "clock_tolerance_secs": 7, "dpop": "required" }));
    let policy = gate(&[older.clone(), eddsa_entry(&json!({ "audience": ["new"] }))]);
    let (old, new) = (claims(&json!({ "aud": "old" })), claims(&json!({ "aud": "new" })));
    // The rules of an entry are those of its own tokens: claims, keys and proof of possession.
    assert_eq!(outcome(&policy, &mint::hs256(HS256, &old)).unwrap_err(), Error::TokenNotBound);
    assert!(outcome(&policy, &mint::eddsa(EDDSA, &new)).is_ok());
    let other_audience = "aud has a value that is not allowed";
    assert_eq!(says(&policy, &new).unwrap_err(), other_audience);
    assert_eq!(
        outcome(&policy, &mint::eddsa(EDDSA, &old)).unwrap_err().to_string(),
        other_audience
    );
    // Neither is tried with the keys of the other.
    for (header, signed) in [(HS256, mint::eddsa(HS256, &new)), (EDDSA, mint::hs256(EDDSA, &new))] {
        let error = outcome(&policy, &signed).unwrap_err();
        assert!(
            matches!(error, Error::BadSignature | Error::MalformedToken { .. }),
            "{header} {error}"
        );
    }
    let unknown = mint::hs256(r#"{"alg":"HS512"}"#, &old);
    assert_eq!(outcome(&policy, &unknown).unwrap_err(), Error::AlgorithmNotAllowed);
    assert_eq!(policy.clock_tolerance_of(ISSUER), Some(7));
    assert_eq!(policy.issuers_named(ISSUER).count(), 2);

    let twice =
        "issuers[1].issuer: the same issuer twice, expected algorithms of different families";
    refused(&[entry(&json!({})), entry(&json!({}))], twice);
    let rs256 = |algorithm: &str| {
        entry(
            &json!({ "secret": null, "jwks_uri": "https://issuer.example/jwks", "algorithms": [algorithm] }),
        )
    };
    refused(&[rs256("RS256"), rs256("PS256")], twice);
    refused(
        &[older, entry(&json!({ "algorithms": ["HS384"], "secret": "LONG" }))],
        "issuers[1].secret: there is no secret named LONG",
    );
}

#[test]
fn a_token_is_taken_by_any_of_several_secrets() {
    let policy =
        gate(&[entry(&json!({ "secret": null, "secrets": ["OTHER_SECRET", "JWT_SECRET"] }))]);
    let claims = claims(&json!({}));
    assert!(says(&policy, &claims).is_ok());
    let other = mint::hmac_with(b"fedcba9876543210fedcba9876543210", HS256, &claims);
    assert!(outcome(&policy, &other).is_ok());
    let forged = mint::hmac_with(b"00000000000000000000000000000000", HS256, &claims);
    assert_eq!(outcome(&policy, &forged).unwrap_err(), Error::BadSignature);

    let fields = |secrets: Value| json!({ "secret": null, "secrets": secrets });
    entry_refused(
        json!({ "secrets": ["JWT_SECRET"] }),
        ".secrets: expected it or secret, not both",
    );
    entry_refused(fields(json!([])), ".secrets: expected a non-empty list of non-empty strings");
    entry_refused(fields(json!(["JWT_SECRET", "JWT_SECRET"])), ".secrets[1]: is there already");
    entry_refused(
        fields(json!(["JWT_SECRET", "NONE"])),
        ".secrets[1]: there is no secret named NONE",
    );
    entry_refused(
        fields(json!(["JWT_SECRET", "SHORT"])),
        ".secrets[1]: secret has 31 bytes, expected at least 32",
    );
    entry_refused(
        fields(json!(["A", "B", "C", "D", "E"])),
        ".secrets: expected at most 4: each is tried",
    );
}

#[test]
fn a_template_takes_the_tenants_that_are_named() {
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let policy = gate(&[entry(&json!({ "issuer": template, "tenants": ["t1", "t2"] }))]);
    let of = |tenant: &str, tid: &str| {
        claims(
            &json!({ "iss": format!("https://login.microsoftonline.com/{tenant}/v2.0"), "tid": tid }),
        )
    };
    let identity = says(&policy, &of("t2", "t2")).unwrap();
    assert_eq!(identity.issuer(), Some("https://login.microsoftonline.com/t2/v2.0"));
    assert_eq!(says(&policy, &of("t3", "t3")).unwrap_err(), "iss names no configured issuer");
    assert_eq!(says(&policy, &of("t1", "t2")).unwrap_err(), "tid has a value that is not allowed");
    assert_eq!(
        says(&policy, &of("{tenantid}", "{tenantid}")).unwrap_err(),
        "iss names no configured issuer"
    );
    assert!(policy.has_issuer("https://login.microsoftonline.com/t1/v2.0"));
    assert!(!policy.has_issuer(template));

    entry_refused(
        json!({ "issuer": template }),
        ".issuer: is a template, name the tenants whose tokens are taken in tenants: any tenant of the provider could sign in",
    );
    entry_refused(
        json!({ "tenants": ["t1"] }),
        ".tenants: issuer has no placeholder such as {tenantid}",
    );
    let one = entry(&json!({ "issuer": template, "tenants": ["t1"] }));
    let own = entry(&json!({ "issuer": "https://login.microsoftonline.com/t1/v2.0" }));
    refused(
        &[one, own],
        "issuers[1].issuer: the same issuer twice, expected algorithms of different families",
    );
}

// ---- secrets as they are written ----

/// Reads a policy whose secret is written like this.
fn with_secret(written: &[u8], encoding: Option<&str>) -> Result<Policy, String> {
    let mut secrets = bindings();
    secrets.0.insert("WRITTEN", written.to_vec());
    let document =
        json!({ "issuers": [entry(&json!({ "secret": "WRITTEN", "encoding": encoding }))] });
    Policy::from_json(&document.to_string(), &secrets).map_err(|error| error.to_string())
}

#[test]
fn the_bytes_of_a_secret_may_be_encoded() {
    let base64 = Base64::encode_string(mint::SECRET);
    let hex: String = mint::SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    for (written, encoding) in [
        (base64.clone(), "base64"),
        (base64.trim_end_matches('=').to_owned(), "base64"),
        (edgegate::base64url::encode(mint::SECRET), "base64url"),
        (hex, "hex"),
        (String::from_utf8(mint::SECRET.to_vec()).unwrap(), "text"),
    ] {
        let policy = with_secret(written.as_bytes(), Some(encoding)).unwrap();
        assert!(says(&policy, &claims(&json!({}))).is_ok(), "{encoding}");
    }
    // Without it the text is the secret.
    let policy = with_secret(base64.as_bytes(), None).unwrap();
    assert_eq!(says(&policy, &claims(&json!({}))).unwrap_err(), "signature does not verify");
    assert_eq!(
        with_secret(b"c2hvcnQ=", Some("base64")).unwrap_err(),
        "issuers[0].secret: secret has 5 bytes, expected at least 32"
    );
    assert_eq!(
        with_secret(b"this is no base64 at all, is it?", Some("base64")).unwrap_err(),
        "issuers[0].secret: the secret named WRITTEN is not base64, as encoding says"
    );
    entry_refused(
        json!({ "encoding": "utf8" }),
        ".encoding: expected one of text, base64, base64url, hex",
    );
    refused(
        &[eddsa_entry(&json!({ "encoding": "hex" }))],
        "issuers[0].encoding: only secret and secrets have it",
    );
}

#[test]
fn white_space_around_a_mounted_secret_is_named_and_the_secret_is_not() {
    let message = "has white space at its ends, such as the line break of a file";
    let plain = b"0123456789abcdef0123456789abcdef";
    for padded in [[plain, &b"\n"[..]].concat(), [&b" "[..], plain].concat()] {
        assert_eq!(
            with_secret(&padded, None).unwrap_err(),
            format!("issuers[0].secret: the secret named WRITTEN {message}")
        );
        let mut secrets = bindings();
        secrets.0.insert("WRITTEN", padded);
        let admin = json!({ "admin": { "secret": "WRITTEN" } }).to_string();
        assert_eq!(
            Policy::from_json(&admin, &secrets).unwrap_err().to_string(),
            format!("admin.secret: the secret named WRITTEN {message}")
        );
    }
    // Bytes that are no text may look like white space.
    let mut bytes = vec![0xf0; 31];
    bytes.push(b'\n');
    assert!(with_secret(&bytes, None).is_ok());
}

// ---- where keys are ----

#[test]
fn the_url_of_a_set_is_https_or_of_a_private_host_that_is_allowed() {
    let remote = |uri: &str, allow_http: Value| {
        let fields = json!({ "secret": null, "algorithms": ["RS256"], "jwks_uri": uri, "allow_http": allow_http });
        read(&json!({ "issuers": [entry(&fields)] })).map(|_| ()).map_err(|error| error.to_string())
    };
    let firebase =
        "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";
    for uri in [
        firebase,
        "https://a.example/?x=a@b",
        "http://localhost/@",
        "http://127.0.0.1:1/jwks",
        "http://[::1]/",
    ] {
        assert_eq!(remote(uri, json!(null)), Ok(()), "{uri}");
    }
    for uri in [
        "http://keycloak:8080/realms/x",
        "http://host.docker.internal/",
        "http://10.0.0.7/",
        "https://a.example/",
    ] {
        assert_eq!(remote(uri, json!(true)), Ok(()), "{uri}");
    }
    let only = "issuers[0].jwks_uri: expected an https URL (http only on";
    assert_eq!(
        remote("http://keycloak:8080/", json!(null)).unwrap_err(),
        format!("{only} loopback, or with allow_http on a private host)")
    );
    assert_eq!(remote("http://keycloak/", json!(false)), remote("http://keycloak/", json!(null)));
    assert_eq!(
        remote("http://keys.example/", json!(true)).unwrap_err(),
        format!(
            "{only} a private host: an address of RFC 1918, a name without dots, or one in .local or .internal)"
        )
    );
    for uri in [
        "https://user@a.example/",
        "https://user:x@a.example/",
        "https://@a.example",
        "http://localhost@a.example/",
        "http://localhost:1@a.example/",
        "https://a.example/#x",
        "https://a.example\\@b/",
        "http://127.0.0.1.a.example/",
    ] {
        for allow in [json!(null), json!(true)] {
            assert!(
                remote(uri, allow)
                    .unwrap_err()
                    .starts_with("issuers[0].jwks_uri: expected an https URL"),
                "{uri}"
            );
        }
    }
    entry_refused(
        json!({ "allow_http": true }),
        ".allow_http: only jwks_uri and discovery have it",
    );
}

#[test]
fn the_keys_of_an_issuer_may_be_found_by_the_issuer_alone() {
    let issuer = |name: &str, more: Value| {
        let mut issuer = json!({ "issuer": name, "audience": ["a"], "algorithms": ["RS256"],
            "discovery": true });
        issuer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let text = json!({ "issuers": [issuer] }).to_string();
        Policy::from_json(&text, &bindings()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(issuer("https://accounts.google.com", json!({})), Ok(()));
    assert_eq!(issuer("http://127.0.0.1:8080/realms/a", json!({})), Ok(()));
    assert_eq!(issuer("http://keycloak/realms/a", json!({ "allow_http": true })), Ok(()));
    let one = "issuers[0]: expected exactly one of secret, secrets, jwks, pem, jwks_uri, discovery";
    let ends = "since discovery fetches its document";
    for (name, more, problem) in [
        ("https://a.test/", json!({ "discovery": false }), one.to_owned()),
        ("https://a.test/", json!({ "jwks_uri": "https://a.test/" }), one.to_owned()),
        ("https://a.test/", json!({ "discovery": "yes" }), "issuers[0].discovery: expected a boolean, found a string".to_owned()),
        ("https://a.test/", json!({ "algorithms": ["HS256"] }), "issuers[0].algorithms: HMAC with published keys, expected a public-key algorithm".to_owned()),
        ("https://a.test/?b", json!({}), format!("issuers[0].issuer: expected a URL without a query and a fragment, {ends}")),
        ("accounts.google.com", json!({}), format!("issuers[0].issuer: expected an https URL (http only on loopback), {ends}")),
        ("http://a.test/", json!({}), format!("issuers[0].issuer: expected an https URL (http only on loopback), {ends}")),
        ("http://keycloak/", json!({}), format!("issuers[0].issuer: expected an https URL (http only on loopback, or with allow_http on a private host), {ends}")),
        ("https://a.test/{tenantid}/v2.0", json!({ "tenants": ["a"] }),
         "issuers[0].discovery: expected jwks_uri for an issuer with tenants: each has a document of its own".to_owned()),
    ] {
        let refusal = issuer(name, more).unwrap_err();
        assert!(refusal.ends_with(&problem), "{refusal}");
    }
}
