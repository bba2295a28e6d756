//! `/auth/admin/keys`: mint, list, read, change, rotate, revoke.

use serde::Serialize;
use web_sys::Response;

use super::{Admin, Answer, Failure, Listing, Query, unavailable};
use crate::{
    api_key::{
        KeyId, MintedKey,
        record::{KeyChange, KeyRecord, NewKey, Rotate},
    },
    error::Error,
    policy::{ApiKeyPolicy, KeyFormat},
    revocation::Entry,
    store::{KeyRecordStore, RevocationStore},
    time::UnixTime,
    worker::reply,
};

/// What an administrator sees of a key.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    record: &'a KeyRecord,
    /// The key itself: only in the answer that creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<UnixTime>,
}

fn shown(status: u16, record: &KeyRecord) -> worker::Result<Response> {
    reply::json(status, &Shown { record, key: None, last_used_at: None })
}

fn created(record: &KeyRecord, minted: &MintedKey) -> worker::Result<Response> {
    reply::json(201, &Shown { record, key: Some(minted.expose()), last_used_at: None })
}

/// `POST /keys`: a new key, or the record of one that another system issued.
pub(super) async fn mint(admin: &Admin<'_>, body: &[u8]) -> Answer {
    let policy = api_keys(admin)?;
    let new = NewKey::parse(body)?;
    check_limits(admin, new.limits().into_iter().flat_map(|limits| limits.keys()))?;
    let now = admin.now.to_unix_time();
    if let Some(hash) = new.imported() {
        let id = hash.key_id();
        if admin.kv.fresh_record(&id).await.map_err(unavailable("keys"))?.is_some() {
            return Err(
                Error::invalid_field("imported_sha256", "this key was imported already").into()
            );
        }
        let record = new.imported_record(now).ok_or(Error::NotFound)?;
        put(admin, &record).await?;
        return Ok(shown(201, &record)?);
    }
    let prefix = match new.prefix() {
        None => policy.default_prefix().map(|known| known.prefix.as_str()),
        Some(name) => policy
            .prefix(name)
            .filter(|known| known.format == KeyFormat::Edgegate)
            .map(|known| known.prefix.as_str()),
    };
    let prefix =
        prefix.ok_or_else(|| Error::invalid_field("prefix", "no such prefix is configured"))?;
    let minted = policy.keys.mint(prefix, random_id()?, new.expires_at(now))?;
    let record = new.record(&minted, now);
    put(admin, &record).await?;
    Ok(created(&record, &minted)?)
}

/// `GET /keys?owner=&cursor=&limit=`.
pub(super) async fn list(admin: &Admin<'_>, query: &Query) -> Answer {
    #[derive(Serialize)]
    struct Keys {
        keys: Vec<KeyRecord>,
    }
    api_keys(admin)?;
    let owner = query.owner.as_deref();
    let page = KeyRecordStore::list(&admin.kv, owner, query.cursor()?, query.limit()?)
        .await
        .map_err(unavailable("keys"))?;
    Ok(reply::json(200, &Listing { items: Keys { keys: page.items }, cursor: page.cursor })?)
}

/// `GET /keys/{id}`.
pub(super) async fn read(admin: &Admin<'_>, id: &str) -> Answer {
    let record = record(admin, id).await?;
    let last_used_at = admin.kv.last_used(&record.id).await.map_err(unavailable("keys"))?;
    Ok(reply::json(200, &Shown { record: &record, key: None, last_used_at })?)
}

/// `PATCH /keys/{id}`.
pub(super) async fn change(admin: &Admin<'_>, id: &str, body: &[u8]) -> Answer {
    let change = KeyChange::parse(body)?;
    check_limits(admin, change.limits().into_iter().flat_map(|limits| limits.keys()))?;
    let old = record(admin, id).await?;
    let owner = old.owner.clone();
    let new = change.apply(old, admin.now.to_unix_time())?;
    put(admin, &new).await?;
    if new.owner != owner {
        admin.kv.forget_owner(&owner, &new.id).await.map_err(unavailable("keys"))?;
    }
    Ok(shown(200, &new)?)
}

/// `POST /keys/{id}/rotate`.
pub(super) async fn rotate(admin: &Admin<'_>, id: &str, body: &[u8]) -> Answer {
    let policy = api_keys(admin)?;
    let rotate = Rotate::parse(body)?;
    let old = record(admin, id).await?;
    let now = admin.now.to_unix_time();
    // The successor of an imported key is one of our own.
    let prefix = old
        .prefix
        .as_deref()
        .or_else(|| policy.default_prefix().map(|known| known.prefix.as_str()))
        .ok_or_else(|| Error::invalid_field("prefix", "no such prefix is configured"))?;
    let minted = policy.keys.mint(prefix, random_id()?, old.replacement_expiry(now))?;
    let rotated = old.rotate(&minted, rotate, now)?;
    put(admin, &rotated.new).await?;
    put(admin, &rotated.old).await?;
    Ok(created(&rotated.new, &minted)?)
}

/// `DELETE /keys/{id}`: the record stays, so that the key's user is told "revoked". Where the policy has
/// revocation, an entry is written too, which no late change of the record can take out.
pub(super) async fn revoke(admin: &Admin<'_>, id: &str) -> Answer {
    let now = admin.now.to_unix_time();
    let revoked = record(admin, id).await?.revoke(now);
    if admin.gate.policy.revocation.is_some() {
        let entry = Entry::of_api_key(revoked.id, now);
        RevocationStore::put(&admin.revocations, &entry.deny_key(), &entry, admin.now)
            .await
            .map_err(unavailable("revocation"))?;
    }
    put(admin, &revoked).await?;
    Ok(shown(200, &revoked)?)
}

fn api_keys<'a>(admin: &Admin<'a>) -> Result<&'a ApiKeyPolicy, Error> {
    admin.gate.policy.api_keys.as_ref().ok_or(Error::NotFound)
}

/// The record as it is in KV now: what follows writes it back, so an old copy would undo changes.
async fn record(admin: &Admin<'_>, id: &str) -> Result<KeyRecord, Failure> {
    api_keys(admin)?;
    // An identifier in another spelling names nothing.
    let id: KeyId = id.parse().map_err(|_| Error::NotFound)?;
    let record = admin.kv.fresh_record(&id).await.map_err(unavailable("keys"))?;
    Ok(record.ok_or(Error::NotFound)?)
}

async fn put(admin: &Admin<'_>, record: &KeyRecord) -> Result<(), Error> {
    KeyRecordStore::put(&admin.kv, record, admin.now).await.map_err(unavailable("keys"))
}

/// An override of a limit that does not exist would quietly do nothing.
fn check_limits<'a>(
    admin: &Admin<'_>,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), Error> {
    for name in names {
        if !admin.gate.policy.has_limit(name) {
            return Err(Error::invalid_field(&format!("limits.{name}"), "no limit has this name"));
        }
    }
    Ok(())
}

fn random_id() -> Result<KeyId, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Error::StoreUnavailable {
        store: "keys",
        problem: "the runtime gives no random bytes".to_owned(),
    })?;
    Ok(KeyId::from_bytes(bytes))
}
