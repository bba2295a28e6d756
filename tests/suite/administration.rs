//! Administration over a store of texts: what is taken away stays away, and what is answered was done.

use std::rc::Rc;

use crate::gate::{NOW, NOW_SECS, NOW_TIME, Stores, entry, later, policy, run};
use crate::mint;
use crate::texts::Texts;
use edgegate::api_key::{ImportedHash, KeyId, record::KeyRecord};
use edgegate::error::Error;
use edgegate::guard::administration::{
    KeyAdministration, RevocationAdministration, ShownKey, requested_entry,
};
use edgegate::jose::keys::KeySet;
use edgegate::policy::{CacheSecs, Policy};
use edgegate::revocation::{Entry, Target};
use edgegate::store::keyed::{Keyed, Remembered};
use edgegate::store::{KeyRecordStore, RevocationStore};
use edgegate::time::{UnixMillis, UnixTime};
use serde_json::{Value, json};

const ISSUER: &str = "https://edgegate.local/";
const REMOTE: &str = "https://remote.example/";
const PUBLISHED: &str = "https://keys.example/";
const KEPT_SECS: i64 = 30 * 86_400;

fn gate_with(api_keys: Value) -> Policy {
    policy(&document(api_keys))
}

fn document(api_keys: Value) -> Value {
    let mut keys = json!({
        "environment": "test",
        "prefixes": [{"prefix": "sk"}, {"prefix": "pk", "scopes": ["read:posts"]}],
        "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
    });
    for (name, value) in api_keys.as_object().unwrap() {
        keys[name] = value.clone();
    }
    json!({
        "issuers": [
            {"issuer": ISSUER, "audience": ["api"], "secret": "JWT_SECRET", "clock_tolerance_secs": 60},
            {"issuer": REMOTE, "audience": ["api"], "algorithms": ["EdDSA"], "jwks_uri": "https://remote.example/jwks"},
            {"issuer": PUBLISHED, "audience": ["api"], "algorithms": ["EdDSA"], "jwks": jwks()},
        ],
        "api_keys": keys,
        "revocation": {},
        "limits": [
            {"name": "own", "by": ["caller", "route"], "requests": 9, "window_secs": 60},
            {"name": "shared", "by": "ip", "requests": 9, "window_secs": 60},
        ],
        "routes": [{"path": "/*", "limits": ["own", "shared"]}],
    })
}

/// A set of one key with a name.
fn jwks() -> Value {
    let x = edgegate::base64url::encode(
        ed25519_dalek::SigningKey::from_bytes(mint::SECRET).verifying_key().as_bytes(),
    );
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "named"}]})
}

/// An administrator: the store, and what is remembered of it.
#[derive(Default)]
struct Admin {
    texts: Texts,
    remembered: Remembered,
}

type Store<'a> = Keyed<'a, &'a Texts>;

impl Admin {
    fn store(&self) -> Store<'_> {
        Keyed::new(&self.texts, &self.remembered, CacheSecs(10), CacheSecs(10))
    }

    /// Mints by this request; the new key has an id of this byte.
    fn mint(&self, policy: &Policy, byte: u8, more: Value) -> Value {
        let mut body = json!({"name": "n", "owner": "o", "scopes": ["read:posts", "write:posts"]});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        shown(self.asked(policy, NOW, async |keys, store| {
            keys.mint(body.to_string().as_bytes(), id(byte), store).await
        }))
    }

    fn change(&self, policy: &Policy, key: &Value, body: Value) -> Result<ShownKey, Error> {
        self.asked(policy, NOW, async |keys, store| {
            keys.change(key["id"].as_str().unwrap(), body.to_string().as_bytes(), store).await
        })
    }

    fn rotate(&self, policy: &Policy, key: &Value, byte: u8) -> Result<ShownKey, Error> {
        let body = br#"{"overlap_secs": 0}"#;
        self.asked(policy, NOW, async |keys, store| {
            keys.rotate(key["id"].as_str().unwrap(), body, id(byte), store).await
        })
    }

    fn revoke(&self, policy: &Policy, key: &Value, now: UnixMillis) -> Result<ShownKey, Error> {
        self.asked(policy, now, async |keys, store| {
            keys.revoke(key["id"].as_str().unwrap(), store).await
        })
    }

    fn asked<'p>(
        &'p self,
        policy: &'p Policy,
        now: UnixMillis,
        what: impl AsyncFnOnce(
            KeyAdministration<'_, '_, &'p Texts>,
            &Store<'p>,
        ) -> Result<ShownKey, Error>,
    ) -> Result<ShownKey, Error> {
        let store = self.store();
        run(what(KeyAdministration::new(policy, &store, now), &store))
    }

    fn deny(&self, policy: &Policy, body: &Value) -> Entry {
        let (store, entry) = (self.store(), entry(body));
        run(RevocationAdministration::new(policy, &store).add(entry.clone(), NOW)).unwrap();
        entry
    }

    /// When the store may forget the record of a key, and its place in the listing of the owner.
    fn ends(&self, key: &Value) -> Vec<Option<i64>> {
        let id = key["id"].as_str().unwrap();
        let ends = self.texts.ends.borrow();
        let of_key = ends.iter().filter(|(name, _)| name.ends_with(id) && !name.contains("deny"));
        of_key.map(|(_, end)| end.map(UnixTime::as_secs)).collect()
    }
}

fn id(byte: u8) -> impl FnOnce() -> Result<KeyId, Error> {
    move || Ok(KeyId::from_bytes([byte; 16]))
}

#[track_caller]
fn shown(answer: Result<ShownKey, Error>) -> Value {
    serde_json::to_value(answer.unwrap()).unwrap()
}

#[track_caller]
fn refused<T: core::fmt::Debug>(answer: Result<T, Error>, message: &str) {
    let error = answer.unwrap_err();
    assert!(error.to_string().starts_with(message), "{error}");
}

// ---- what restricts is not forgotten before what it restricts ----

#[test]
fn a_store_keeps_what_ends_a_key_as_long_as_the_key() {
    let policy = gate_with(json!({"records": "optional"}));
    let admin = Admin::default();
    let endless: Vec<Value> = (1..=4).map(|byte| admin.mint(&policy, byte, json!({}))).collect();
    for (index, body) in
        [json!({"expires_in_secs": 1}), json!({"disabled": true})].iter().enumerate()
    {
        shown(admin.change(&policy, &endless[index], body.clone()));
    }
    shown(admin.rotate(&policy, &endless[2], 9));
    shown(admin.change(&policy, &endless[3], json!({"expires_in_secs": 1})));
    shown(admin.revoke(&policy, &endless[3], NOW));
    for key in &endless {
        assert_eq!(admin.ends(key), [None, None], "{key}");
    }
    let deny: Vec<_> = admin
        .texts
        .ends
        .borrow()
        .iter()
        .filter(|(name, _)| name.starts_with("deny/"))
        .map(|(_, end)| *end)
        .collect();
    assert_eq!(deny, [None], "the entry of the revoked one");

    let ending = admin.mint(&policy, 8, json!({"expires_in_secs": 3600}));
    let sealed = ending["sealed_expires_at"].as_i64().unwrap();
    assert_eq!(admin.ends(&ending), [Some(sealed + KEPT_SECS); 2]);
    shown(admin.change(&policy, &ending, json!({"expires_in_secs": 1})));
    assert_eq!(admin.ends(&ending), [Some(sealed + KEPT_SECS); 2], "not the record's own end");
    let much_later = 90 * 86_400;
    shown(admin.revoke(&policy, &ending, later(much_later * 1000)));
    let much_later = i64::try_from(much_later).unwrap();
    assert_eq!(admin.ends(&ending), [Some(NOW_SECS + much_later + KEPT_SECS); 2]);
}

// ---- what is revoked is not brought back ----

#[test]
fn a_key_that_an_entry_revokes_is_neither_changed_nor_replaced() {
    let policy = gate_with(json!({}));
    let admin = Admin::default();
    let key = admin.mint(&policy, 1, json!({}));
    let entry = admin.deny(&policy, &json!({"key_id": key["id"]}));
    refused(admin.rotate(&policy, &key, 2), "a revoked key cannot be rotated");
    refused(
        admin.change(&policy, &key, json!({"disabled": false})),
        "a revoked key cannot be changed",
    );
    assert!(!admin.texts.values.borrow().contains_key(&format!("key/v1/{}", "02".repeat(16))));
    run(admin.store().remove(&entry.deny_key())).unwrap();
    shown(admin.rotate(&policy, &key, 2));
}

/// Does `what` to the key 01 while another administrator does something too, once a name of the store that begins so is written.
/// Gives the answer, and what is stored then of 01 and of 02.
fn overtaken(
    policy: &Rc<Policy>,
    written: &str,
    what: impl FnOnce(&Admin, &Value) -> Result<ShownKey, Error>,
    meanwhile: impl AsyncFnOnce(KeyAdministration<'_, '_, &Texts>, &Keyed<'_, &Texts>) + 'static,
) -> (Result<ShownKey, Error>, [Value; 2]) {
    let admin = Admin::default();
    let key = admin.mint(policy, 1, json!({}));
    let beside = Rc::clone(policy);
    let happens = move |texts: &Texts| {
        let remembered = Remembered::default();
        let store = Keyed::new(texts, &remembered, CacheSecs(10), CacheSecs(10));
        run(meanwhile(KeyAdministration::new(&beside, &store, NOW), &store));
    };
    *admin.texts.overtaken.borrow_mut() = Some((written.to_owned(), Box::new(happens)));
    let answer = what(&admin, &key);
    let values = admin.texts.values.borrow();
    let record = |id: &str| serde_json::from_str(&values[&format!("key/v1/{}", id.repeat(16))]);
    (answer, ["01", "02"].map(|id| record(id).unwrap()))
}

/// Rotates the key 01 to 02 while another administrator does something to 01; gives what is stored of both then.
fn rotated_while(
    policy: &Rc<Policy>,
    what: impl AsyncFnOnce(KeyAdministration<'_, '_, &Texts>, &Keyed<'_, &Texts>) + 'static,
) -> (Result<ShownKey, Error>, [Value; 2]) {
    let new = format!("key/v1/{}", "02".repeat(16));
    overtaken(policy, &new, |admin, key| admin.rotate(policy, key, 2), what)
}

#[test]
fn a_rotation_that_was_overtaken_leaves_no_living_replacement() {
    let id_of_old = "01".repeat(16);
    let by_records = {
        let mut json = document(json!({}));
        json.as_object_mut().unwrap().remove("revocation");
        Rc::new(policy(&json))
    };
    let by_entries = Rc::new(gate_with(json!({})));
    for policy in [&by_entries, &by_records] {
        let old = id_of_old.clone();
        let (answer, [old, new]) = rotated_while(policy, async move |keys, store| {
            keys.revoke(&old, store).await.unwrap();
        });
        refused(answer, "the key was revoked or changed meanwhile");
        assert!(old["revoked_at"].is_number() && new["revoked_at"].is_number(), "{old} {new}");
        assert!(old.get("replaced_by").is_none_or(Value::is_null), "{old}");
    }
    // By an entry alone.
    let (answer, [_, new]) = rotated_while(&by_entries, async move |_, store| {
        let entry = entry(&json!({"key_id": "01".repeat(16)}));
        RevocationStore::put(store, &entry.deny_key(), &entry, NOW).await.unwrap();
    });
    refused(answer, "the key was revoked or changed meanwhile");
    assert!(new["revoked_at"].is_number(), "{new}");
    // By another rotation, which holds.
    let (answer, [old, new]) = rotated_while(&by_entries, async move |keys, store| {
        keys.rotate(&id_of_old, b"", id(3), store).await.unwrap();
    });
    refused(answer, "the key was revoked or changed meanwhile");
    assert_eq!(old["replaced_by"], json!("03".repeat(16)));
    assert!(new["revoked_at"].is_number(), "{new}");
    // Nothing happens: it goes through.
    let (answer, [old, new]) = rotated_while(&by_entries, async |_, _| {});
    assert_eq!(old["replaced_by"], shown(answer)["id"]);
    assert!(new.get("revoked_at").is_none_or(Value::is_null), "{new}");
}

#[test]
fn a_rotation_and_a_revocation_at_once_leave_no_key_that_nobody_finds() {
    let policy = Rc::new(gate_with(json!({})));
    let old_id = "01".repeat(16);
    // The revocation comes when the rotation has looked for the last time before it writes the old record.
    let id_of_old = old_id.clone();
    let (answer, [old, new]) = overtaken(
        &policy,
        &format!("key/v1/{old_id}"),
        |admin, key| admin.rotate(&policy, key, 2),
        async move |keys, store| {
            keys.revoke(&id_of_old, store).await.unwrap();
        },
    );
    refused(answer, "the key was revoked or changed meanwhile");
    assert!(new["revoked_at"].is_number(), "{old} {new}");
    // The rotation comes when the revocation has read the record.
    let id_of_old = old_id.clone();
    let (answer, [old, _]) = overtaken(
        &policy,
        "deny/v1/",
        |admin, key| admin.revoke(&policy, key, NOW),
        async move |_, store| {
            let record = store.record(&id_of_old.parse().unwrap()).await.unwrap().unwrap();
            let rotated = KeyRecord { replaced_by: Some(KeyId::from_bytes([2; 16])), ..record };
            KeyRecordStore::put(store, &rotated, NOW).await.unwrap();
            let new = KeyRecord { id: KeyId::from_bytes([2; 16]), ..rotated };
            KeyRecordStore::put(store, &new, NOW).await.unwrap();
        },
    );
    let shown = shown(answer);
    assert_eq!(shown["replaced_by"], json!("02".repeat(16)));
    assert_eq!(old["replaced_by"], json!("02".repeat(16)));
    assert!(old["revoked_at"].is_number() && shown["revoked_at"].is_number(), "{old}");
}

#[test]
fn whether_a_key_is_revoked_has_to_be_known() {
    let policy = gate_with(json!({}));
    let admin = Admin::default();
    let key = admin.mint(&policy, 1, json!({}));
    let stores = Stores::default();
    stores.break_down("entries");
    let store = admin.store();
    let keys = KeyAdministration::new(&policy, &store, NOW);
    let key = key["id"].as_str().unwrap();
    refused(run(keys.rotate(key, b"", id(2), &stores)), "store revocation: is on fire");
    refused(run(keys.change(key, br#"{"name": "m"}"#, &stores)), "store revocation: is on fire");
}

#[test]
fn a_key_that_an_entry_revokes_is_not_imported() {
    let policy = gate_with(json!({}));
    let admin = Admin::default();
    let hash = ImportedHash::of("other_0123456789");
    admin.deny(&policy, &json!({"key_id": hash.key_id().to_string()}));
    let body = json!({"name": "n", "owner": "o", "scopes": [], "imported_sha256": hash});
    let imported = admin.asked(&policy, NOW, async |keys, store| {
        keys.mint(body.to_string().as_bytes(), id(1), store).await
    });
    refused(imported, "imported_sha256: this key is revoked");
}

#[test]
fn a_replacement_may_do_no_more_than_what_it_replaces() {
    let capped = |more: &[Value]| {
        let mut prefixes = vec![json!({"prefix": "sk"})];
        prefixes.extend_from_slice(more);
        gate_with(json!({ "prefixes": prefixes }))
    };
    let narrow = json!({"prefix": "old", "format": "imported", "scopes": ["read:posts"]});
    let wide = json!({"prefix": "older", "format": "imported"});
    for (policy, scopes) in [
        (capped(std::slice::from_ref(&narrow)), json!(["read:posts"])),
        (capped(std::slice::from_ref(&wide)), json!(["read:posts", "write:posts"])),
        // Which of them it begins with, the record does not say.
        (capped(&[narrow, wide]), json!(["read:posts"])),
    ] {
        let admin = Admin::default();
        let key = admin.mint(&policy, 1, json!({"imported_sha256": ImportedHash::of("old_1")}));
        let replacement = shown(admin.rotate(&policy, &key, 2));
        assert_eq!((&replacement["prefix"], &replacement["scopes"]), (&json!("sk"), &scopes));
        assert_eq!(replacement["family"], key["id"]);
    }
    let (policy, admin) = (gate_with(json!({})), Admin::default());
    let key = admin.mint(&policy, 1, json!({"prefix": "pk"}));
    assert_eq!(shown(admin.rotate(&policy, &key, 2))["scopes"], json!(["read:posts"]));
}

// ---- what is answered was done ----

#[test]
fn what_was_half_done_is_named_for_the_log() {
    let policy = gate_with(json!({}));
    let admin = Admin::default();
    let key = admin.mint(&policy, 1, json!({}));
    let (old, new) = ("01".repeat(16), "02".repeat(16));
    *admin.texts.broken.borrow_mut() = Some(format!("key/v1/{old}"));
    refused(
        admin.rotate(&policy, &key, 2),
        &format!("store keys: is on fire; key {new} is made to replace {old}, which goes on"),
    );
    refused(
        admin.revoke(&policy, &key, NOW),
        &format!("store keys: is on fire; key {old} is revoked by an entry"),
    );
}

#[test]
fn an_allowance_of_one_key_is_for_limits_that_count_it_alone() {
    let policy = gate_with(json!({}));
    let admin = Admin::default();
    let key = admin.mint(&policy, 1, json!({"limits": {"own": 20}}));
    shown(admin.change(&policy, &key, json!({"limits": {"own": 30}})));
    refused(
        admin.change(&policy, &key, json!({"limits": {"own": 30, "shared": 30}})),
        "limits.shared: this limit counts others too, only limits by caller or api_key can differ",
    );
    refused(
        admin.change(&policy, &key, json!({"limits": {"other": 30}})),
        "limits.other: no limit has this name",
    );
}

#[test]
fn networks_stay_with_a_key_and_with_what_replaces_it() {
    let (policy, admin) = (gate_with(json!({})), Admin::default());
    let key = admin.mint(&policy, 1, json!({"ips": ["203.0.113.0/24", "2001:db8::1/128"]}));
    assert_eq!((&key["ips"], &key["v"]), (&json!(["203.0.113.0/24", "2001:db8::1"]), &json!(2)));
    let renamed = shown(admin.change(&policy, &key, json!({"name": "m"})));
    assert_eq!((&renamed["ips"], &renamed["v"]), (&key["ips"], &json!(2)));
    let successor = shown(admin.rotate(&policy, &key, 2));
    assert_eq!((&successor["ips"], &successor["v"]), (&key["ips"], &json!(2)));
    let changed = shown(admin.change(&policy, &successor, json!({"ips": ["192.0.2.1"]})));
    assert_eq!(changed["ips"], json!(["192.0.2.1"]));
    let open = shown(admin.change(&policy, &successor, json!({"ips": null})));
    assert_eq!((open.get("ips"), &open["v"]), (None, &json!(1)));

    const NONE: &str = "expected an address or a network like 203.0.113.0/24 or 2001:db8::/32";
    for (ips, message) in [
        (json!([]), "ips: expected 1 to 50".to_owned()),
        (json!(vec!["192.0.2.1"; 51]), "ips: expected 1 to 50".to_owned()),
        (json!(["192.0.2.1/24"]), format!("ips[0]: {NONE}")),
        (json!(["x"]), format!("ips[0]: {NONE}")),
    ] {
        refused(admin.change(&policy, &key, json!({"ips": ips})), &message);
    }
}

#[test]
fn networks_are_for_keys_that_are_never_taken_without_a_record() {
    let message = "ips: expected records = required in the policy, or a key without its record would be taken from everywhere";
    for records in ["optional", "none"] {
        let (policy, admin) = (gate_with(json!({"records": records})), Admin::default());
        let key = admin.mint(&policy, 1, json!({}));
        let body =
            json!({"name": "n", "owner": "o", "scopes": [], "ips": ["192.0.2.1"]}).to_string();
        let minted = admin.asked(&policy, NOW, async |keys, store| {
            keys.mint(body.as_bytes(), id(2), store).await
        });
        refused(minted, message);
        if records == "optional" {
            refused(admin.change(&policy, &key, json!({"ips": ["192.0.2.1"]})), message);
            assert!(admin.change(&policy, &key, json!({"ips": null})).is_ok());
            // The successor of an imported key is one of the gate's own format.
            let hash = serde_json::to_value(ImportedHash::of("of another system")).unwrap();
            let imported = json!({"imported_sha256": hash, "ips": ["192.0.2.1"]});
            let imported = admin.mint(&policy, 3, imported);
            refused(admin.rotate(&policy, &imported, 4), message);
        }
    }
}

#[test]
fn where_no_record_decides_none_is_said_to() {
    let (with, admin) = (gate_with(json!({"records": "none"})), Admin::default());
    let key = admin.mint(&with, 1, json!({}));
    let problem = "with records = none no record decides about this key";
    for body in [
        json!({"disabled": true}),
        json!({"scopes": []}),
        json!({"expires_in_secs": 1}),
        json!({"limits": {"own": 1}}),
    ] {
        refused(admin.change(&with, &key, body), problem);
    }
    refused(admin.rotate(&with, &key, 2), problem);
    assert_eq!(shown(admin.change(&with, &key, json!({"name": "m"})))["name"], "m");
    assert_eq!(shown(admin.revoke(&with, &key, NOW))["revoked_at"], NOW_SECS, "by an entry");
    let without = policy(&json!({"api_keys": {
        "environment": "test", "prefixes": [{"prefix": "sk"}], "records": "none",
        "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
    }}));
    let key = admin.mint(&without, 3, json!({}));
    refused(admin.revoke(&without, &key, NOW), problem);
}

// ---- signing keys ----

fn asked_for(stores: &Stores, body: &Value) -> Result<Entry, Error> {
    run(requested_entry(&gate_with(json!({})), stores, body.to_string().as_bytes(), NOW))
}

#[test]
fn a_signing_key_is_revoked_by_the_name_that_tokens_are_looked_up_by() {
    let set = || KeySet::from_jwks(&jwks().to_string()).unwrap();
    let thumbprint = mint::eddsa_key().thumbprint().unwrap().to_owned();
    let stores = Stores::default().with_remote(set());
    for iss in [REMOTE, PUBLISHED] {
        let ask = |kid: &str| asked_for(&stores, &json!({"iss": iss, "kid": kid}));
        for kid in ["named", &thumbprint] {
            let target = Target::SigningKey { iss: iss.to_owned(), kid: "named".to_owned() };
            assert_eq!(*ask(kid).unwrap().target(), target, "{kid}");
        }
        refused(ask("nmaed"), "kid: no key of this issuer has it as its kid or thumbprint");
        let taken_out = json!({"iss": iss, "kid": "nmaed", "withdrawn": true});
        let target = Target::SigningKey { iss: iss.to_owned(), kid: "nmaed".to_owned() };
        assert_eq!(*asked_for(&stores, &taken_out).unwrap().target(), target);
    }
    refused(
        asked_for(&stores, &json!({"iss": ISSUER, "kid": "named"})),
        "kid: no secret of this issuer has it as its kid: revoke the issuer's tokens",
    );
}

#[test]
fn a_signing_key_can_be_revoked_while_its_issuer_is_down() {
    let entry = asked_for(&Stores::default(), &json!({"iss": REMOTE, "kid": "any"})).unwrap();
    let target = Target::SigningKey { iss: REMOTE.to_owned(), kid: "any".to_owned() };
    assert_eq!((entry.target(), entry.until()), (&target, None));
}

#[test]
fn a_log_out_covers_the_clock_tolerance_of_the_issuer() {
    let entry = asked_for(&Stores::default(), &json!({"iss": ISSUER, "sub": "a"})).unwrap();
    assert_eq!(entry.before(), Some(NOW_TIME.saturating_add(61)));
    let entry = asked_for(&Stores::default(), &json!({"iss": REMOTE, "sub": "a"})).unwrap();
    assert_eq!(entry.before(), Some(NOW_TIME.saturating_add(1)));
}
