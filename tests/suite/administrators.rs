//! The section `admin`: whose secrets administer the gate, and what each may do.

use crate::gate::{bindings, policy, read};
use edgegate::{
    error::{Code, Error},
    guard::Carrier,
    http::reply::Refusal,
    policy::{AdminPolicy, Role},
};
use serde_json::{Value, json};

const ON_CALL: &[u8] = b"fedcba9876543210fedcba9876543210";
const BATCH: &[u8] = b"batch-client-secret-with-32-bytes";
const ADMIN: &[u8] = b"admin-token-that-has-32-bytes-yes";

fn named(name: &str, secret: &str, roles: &[&str]) -> Value {
    json!({"name": name, "secret": secret, "roles": roles})
}

fn administered(admin: &Value) -> AdminPolicy {
    policy(&json!({"admin": admin})).admin.unwrap()
}

#[track_caller]
fn refused(admin: &Value, message: &str) {
    assert_eq!(read(&json!({"admin": admin})).unwrap_err().to_string(), message);
}

#[test]
fn a_secret_has_its_name_and_its_roles_and_no_other() {
    let admin = administered(&json!({"secret": "ADMIN_TOKEN", "secrets": [
        named("on-call", "OTHER_SECRET", &["read", "revoke"]),
        named("batch", "BATCH_CLIENT_SECRET", &["all"]),
    ]}));
    let roles = [Role::Read, Role::Keys, Role::Revoke, Role::Sessions, Role::Accounts, Role::All];
    for (secret, name, allowed) in [
        (ADMIN, "admin", &roles[..]),
        (ON_CALL, "on-call", &[Role::Read, Role::Revoke][..]),
        (BATCH, "batch", &roles[..]),
    ] {
        let holder = admin.holder_of(secret).unwrap();
        assert_eq!(holder.name(), name);
        for role in roles {
            let told = holder.require(role);
            if allowed.contains(&role) {
                assert_eq!(told, Ok(()), "{name} {role:?}");
            } else {
                assert_eq!(told, Err(Error::AdministratorRole { needed: role.word() }));
            }
        }
    }
    for wrong in [&b""[..], b"admin", b"ADMIN_TOKEN", &ON_CALL[1..], &[ON_CALL, b"x"].concat()] {
        assert!(admin.holder_of(wrong).is_none());
    }
    // Without `secret` nobody is called so.
    let named = administered(&json!({"secrets": [named("ci", "OTHER_SECRET", &["keys"])]}));
    assert!(named.holder_of(ADMIN).is_none());
    assert_eq!(named.holder_of(ON_CALL).unwrap().name(), "ci");
    assert!(!format!("{named:?}").contains("fedcba"));
}

#[test]
fn faults_of_the_section_are_named() {
    let one = |changes: &[(&str, Value)]| {
        let mut secret = named("ci", "OTHER_SECRET", &["keys"]);
        for (field, value) in changes {
            secret[field] = value.clone();
        }
        json!({"secret": "ADMIN_TOKEN", "secrets": [secret]})
    };
    refused(&json!({}), "admin.secret: is required where there are no secrets");
    refused(&json!({"secrets": []}), "admin.secret: is required where there are no secrets");
    for (changes, message) in [
        (
            &[("name", json!("a b"))][..],
            "admin.secrets[0].name: expected 1 to 64 letters, digits, '-', '_' or '.'",
        ),
        (&[("name", json!("admin"))], "admin.secrets[0].name: another one is called admin too"),
        (&[("secret", json!("NONE"))], "admin.secrets[0].secret: there is no secret named NONE"),
        (
            &[("secret", json!("SHORT"))],
            "admin.secrets[0].secret: secret has 31 bytes, expected at least 32",
        ),
        (&[("roles", json!([]))], "admin.secrets[0].roles: expected a non-empty list"),
        (&[("roles", json!(["read", "read"]))], "admin.secrets[0].roles[1]: is given twice"),
        (
            &[("roles", json!(["write"]))],
            "admin.secrets[0].roles[0]: expected one of read, keys, revoke, sessions, accounts, all",
        ),
        (
            &[("secret", json!("ADMIN_TOKEN"))],
            "admin.secrets[0].secret: is the same secret as that of admin: whoever has one has the other",
        ),
    ] {
        refused(&one(changes), message);
    }
    let twice = [named("ci", "OTHER_SECRET", &["keys"]), named("ci", "ADMIN_TOKEN", &["read"])];
    refused(&json!({"secrets": twice}), "admin.secrets[1].name: another one is called ci too");
    let many: Vec<Value> = (0..51).map(|at| named(&format!("n{at}"), "S", &["read"])).collect();
    refused(&json!({"secrets": many}), "admin.secrets: expected at most 50");
}

/// Whoever has the secret of a client, or reads metrics, would administer the gate.
#[test]
fn a_secret_that_another_field_names_is_no_administrators() {
    let with = |admin: Value, watch: Value| {
        json!({
            "issuers": [{"issuer": "https://issuer.test/", "audience": ["api"], "secret": "JWT_SECRET"}],
            "admin": admin,
            "watch": watch,
        })
    };
    let ci = |secret| json!({"secret": "ADMIN_TOKEN", "secrets": [named("ci", secret, &["keys"])]});
    let said = |policy: &Value| read(policy).map(drop).map_err(|fault| fault.to_string());
    // Names of callers are made of the administrator's secret where there is no other: that is no other use.
    assert_eq!(said(&with(ci("OTHER_SECRET"), json!({}))), Ok(()));
    let same = |path: &str, other: &str| {
        Err(format!("{path}: is the same secret as {other}: whoever has one has the other"))
    };
    assert_eq!(
        said(&with(ci("JWT_SECRET"), json!({}))),
        same("admin.secrets[0].secret", "JWT_SECRET")
    );
    assert_eq!(
        said(&with(ci("OTHER_SECRET"), json!({"metrics_secret": "OTHER_SECRET"}))),
        same("admin.secrets[0].secret", "OTHER_SECRET")
    );
    assert_eq!(
        said(&with(ci("OTHER_SECRET"), json!({"metrics_secret": "ADMIN_TOKEN"}))),
        same("admin.secret", "ADMIN_TOKEN")
    );
    // With named secrets alone, callers need names made of another one.
    let alone = json!({"secrets": [named("ci", "OTHER_SECRET", &["keys"])]});
    assert_eq!(
        said(&with(alone.clone(), json!({}))),
        Err("watch.secret: is required where admin.secret is not there".to_owned())
    );
    assert_eq!(said(&with(alone, json!({"secret": "SESSION_SECRET"}))), Ok(()));
    assert!(bindings().0.contains_key("SESSION_SECRET"));
}

#[test]
fn who_lacks_a_role_is_told_which() {
    let error = Error::AdministratorRole { needed: "keys" };
    assert_eq!((error.code(), error.reason()), (Code::InsufficientScope, "administrator_role"));
    assert_eq!(error.to_string(), "the secret lacks the role keys");
    assert!(!error.is_failed_authentication());
    let refusal = Refusal::new(&error, Some(Carrier::Bearer), None);
    assert_eq!(refusal.status, 403);
    assert!(refusal.body.contains("Use an administrator's secret with the role keys"));
    let challenge = refusal.fields.iter().find(|(name, _)| *name == "WWW-Authenticate").unwrap();
    assert_eq!(
        challenge.1,
        "Bearer realm=\"edgegate\", error=\"insufficient_scope\", scope=\"keys\""
    );
}
