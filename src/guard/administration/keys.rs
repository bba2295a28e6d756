//! API keys: mint, import, list, read, change, rotate, revoke.

use serde::{Serialize, Serializer};

use super::{Listing, Paging};
use crate::{
    api_key::{
        KeyId, MintedKey,
        record::{KeyChange, KeyRecord, NewKey, Rotate},
    },
    error::{Error, StoreError},
    guard::backend::unavailable,
    policy::{ApiKeyPolicy, KeyFormat, Policy, Records},
    revocation::{DenyKey, Entry},
    store::{
        KeyRecordStore, RevocationStore,
        keyed::{KeyValue, Keyed},
    },
    time::{UnixMillis, UnixTime},
};

const OVERTAKEN: &str = "the key was revoked or changed meanwhile";

/// What an administrator sees of a key.
#[derive(Debug, Serialize)]
pub struct ShownKey {
    #[serde(flatten)]
    record: KeyRecord,
    /// The key itself: only in the answer that creates it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    key: Option<MintedKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<UnixTime>,
}

impl ShownKey {
    /// The id of the key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.record.id
    }

    const fn of(record: KeyRecord) -> Self {
        Self { record, key: None, last_used_at: None }
    }

    const fn created(record: KeyRecord, minted: MintedKey) -> Self {
        Self { record, key: Some(minted), last_used_at: None }
    }
}

fn exposed<S: Serializer>(key: &Option<MintedKey>, serializer: S) -> Result<S::Ok, S::Error> {
    key.as_ref().map(MintedKey::expose).serialize(serializer)
}

/// Records of a listing.
#[derive(Debug, Serialize)]
pub struct ListedKeys {
    keys: Vec<KeyRecord>,
}

/// Administration of API keys by a policy, over a store.
///
/// Each method fails with [`Error::NotFound`] where the policy takes no API keys or the key is unknown, with [`Error::InvalidField`]
/// or [`Error::InvalidRequest`] for a request that is at fault, and with [`Error::StoreUnavailable`].
#[derive(Debug)]
pub struct KeyAdministration<'a, 'k, S> {
    policy: &'a Policy,
    keys: &'a Keyed<'k, S>,
    now: UnixMillis,
}

impl<'a, 'k, S: KeyValue> KeyAdministration<'a, 'k, S> {
    /// Administration at `now`.
    pub const fn new(policy: &'a Policy, keys: &'a Keyed<'k, S>, now: UnixMillis) -> Self {
        Self { policy, keys, now }
    }

    /// A new key, or the record of one that another system issued ([`NewKey`]). `random` makes the new key's id.
    ///
    /// # Errors
    /// Those of [`KeyAdministration`], and [`Error::InvalidField`] for a name of a limit or prefix that the policy does not have.
    pub async fn mint(
        &self,
        request: &[u8],
        random: impl FnOnce() -> Result<KeyId, Error>,
        revocations: &impl RevocationStore,
    ) -> Result<ShownKey, Error> {
        let policy = self.api_keys()?;
        let new = NewKey::parse(request)?;
        self.check_overrides(new.limits().into_iter().flat_map(|limits| limits.keys()))?;
        if new.names_networks() {
            self.check_that_networks_hold(new.imported().is_some())?;
        }
        let now = self.now.to_unix_time();
        if let Some(hash) = new.imported() {
            let id = hash.key_id();
            if self.keys.fresh_record(&id).await.map_err(failed)?.is_some() {
                return Err(Error::invalid_field(
                    "imported_sha256",
                    "this key was imported already",
                ));
            }
            if self.is_revoked(id, revocations).await? {
                return Err(Error::invalid_field("imported_sha256", "this key is revoked"));
            }
            let record = new.imported_record(now).ok_or(Error::NotFound)?;
            self.put(&record).await?;
            return Ok(ShownKey::of(record));
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
        let minted = policy.keys.mint(prefix, random()?, new.expires_at(now))?;
        let record = new.record(&minted, now);
        self.put(&record).await?;
        Ok(ShownKey::created(record, minted))
    }

    /// A page of the records, of one owner or of all.
    ///
    /// # Errors
    /// Those of [`KeyAdministration`].
    pub async fn list(
        &self,
        owner: Option<&str>,
        paging: &Paging,
    ) -> Result<Listing<ListedKeys>, Error> {
        self.api_keys()?;
        let (cursor, limit) = paging.read()?;
        let page = KeyRecordStore::list(self.keys, owner, cursor, limit).await.map_err(failed)?;
        Ok(Listing { items: ListedKeys { keys: page.items }, cursor: page.cursor })
    }

    /// One record, with when the key was last used.
    ///
    /// # Errors
    /// Those of [`KeyAdministration`].
    pub async fn read(&self, id: &str) -> Result<ShownKey, Error> {
        let record = self.record(id).await?;
        let last_used_at = self.keys.last_used(&record.id).await.map_err(failed)?;
        Ok(ShownKey { record, key: None, last_used_at })
    }

    /// Changes a record ([`KeyChange`]). A key that is revoked stays so: by its record or by an entry in `revocations`.
    ///
    /// # Errors
    /// Those of [`KeyAdministration`].
    pub async fn change(
        &self,
        id: &str,
        request: &[u8],
        revocations: &impl RevocationStore,
    ) -> Result<ShownKey, Error> {
        let change = KeyChange::parse(request)?;
        self.check_overrides(change.limits().into_iter().flat_map(|limits| limits.keys()))?;
        let old = self.record(id).await?;
        if self.is_revoked(old.id, revocations).await? {
            return Err(Error::InvalidRequest("a revoked key cannot be changed"));
        }
        if change.decides() {
            self.check_that_records_decide(&old)?;
        }
        if change.names_networks() {
            self.check_that_networks_hold(old.imported_sha256.is_some())?;
        }
        let owner = old.owner.clone();
        let new = change.apply(old, self.now.to_unix_time())?;
        self.put(&new).await?;
        if new.owner != owner {
            self.keys.forget_owner(&owner, &new.id).await.map_err(|fault| {
                half_done(
                    &fault,
                    &format!("key {} is changed, and still listed under its former owner", new.id),
                )
            })?;
        }
        Ok(ShownKey::of(new))
    }

    /// Replaces a key by a new one ([`Rotate`]), which may do what the old one may, and no more. `random` makes the new
    /// key's id. One that is revoked, by its record or by an entry in `revocations`, is not replaced, also if that
    /// happens while the records are written. STORAGE.md says what is left: no store here changes two records in one step.
    ///
    /// # Errors
    /// Those of [`KeyAdministration`].
    pub async fn rotate(
        &self,
        id: &str,
        request: &[u8],
        random: impl FnOnce() -> Result<KeyId, Error>,
        revocations: &impl RevocationStore,
    ) -> Result<ShownKey, Error> {
        let policy = self.api_keys()?;
        let rotate = Rotate::parse(request)?;
        let old = self.record(id).await?;
        if self.is_revoked(old.id, revocations).await? {
            return Err(Error::InvalidRequest("a revoked key cannot be rotated"));
        }
        self.check_that_records_decide(&old)?;
        if !old.ips.is_empty() {
            self.check_that_networks_hold(false)?;
        }
        let now = self.now.to_unix_time();
        // The successor of an imported key is one of our own.
        let prefix = old
            .prefix
            .as_deref()
            .or_else(|| policy.default_prefix().map(|known| known.prefix.as_str()))
            .ok_or_else(|| Error::invalid_field("prefix", "no such prefix is configured"))?;
        let minted = policy.keys.mint(prefix, random()?, old.replacement_expiry(now))?;
        let scopes = policy.scopes_of(&old);
        let rotated = old.clone().rotate(&minted, scopes, rotate, now)?;
        self.put(&rotated.new).await?;
        if let Err(overtaken) = self.check_unchanged(&old, revocations).await {
            self.take_back(rotated.new, revocations).await?;
            return Err(overtaken);
        }
        KeyRecordStore::put(self.keys, &rotated.old, self.now).await.map_err(|fault| {
            let (new, old) = (rotated.new.id, rotated.old.id);
            half_done(
                &fault,
                &format!("key {new} is made to replace {old}, which goes on as before"),
            )
        })?;
        // An entry that is written after this look finds `replaced_by` in the record, and tells of it.
        if let Err(overtaken) = self.check_not_revoked(rotated.old.id, revocations).await {
            self.take_back(rotated.new, revocations).await?;
            return Err(overtaken);
        }
        Ok(ShownKey::created(rotated.new, minted))
    }

    /// Revokes a key. The record stays, so that the key's user is told "revoked". Where the policy has revocation, an entry
    /// is written to `revocations` too, which no late change of the record can take out.
    ///
    /// # Errors
    /// Those of [`KeyAdministration`].
    pub async fn revoke(
        &self,
        id: &str,
        revocations: &impl RevocationStore,
    ) -> Result<ShownKey, Error> {
        self.end(self.record(id).await?, revocations).await
    }

    async fn end(
        &self,
        record: KeyRecord,
        revocations: &impl RevocationStore,
    ) -> Result<ShownKey, Error> {
        let now = self.now.to_unix_time();
        if self.policy.revocation.is_none() {
            let revoked = record.revoke(now);
            self.check_that_records_decide(&revoked)?;
            self.put(&revoked).await?;
            return Ok(ShownKey::of(revoked));
        }
        let entry = Entry::of_api_key(record.id, now);
        revocations
            .put(&entry.deny_key(), &entry, self.now)
            .await
            .map_err(|fault| unavailable("revocation", &fault))?;
        let id = record.id;
        let noted = self.note_revoked(record, now).await;
        noted.map(ShownKey::of).map_err(|fault| {
            half_done(
                &fault,
                &format!("key {id} is revoked by an entry, its record does not say so"),
            )
        })
    }

    /// Writes into the record that its key is revoked. It is read again: a rotation may have written `replaced_by` meanwhile,
    /// and without it nobody would find the key that goes on.
    async fn note_revoked(&self, known: KeyRecord, now: UnixTime) -> Result<KeyRecord, StoreError> {
        let record = self.keys.fresh_record(&known.id).await?.unwrap_or(known).revoke(now);
        KeyRecordStore::put(self.keys, &record, self.now).await?;
        Ok(record)
    }

    /// What was read of a key must still be so: another administrator may have been faster.
    async fn check_unchanged(
        &self,
        known: &KeyRecord,
        revocations: &impl RevocationStore,
    ) -> Result<(), Error> {
        let record = self.keys.fresh_record(&known.id).await.map_err(failed)?;
        if record.as_ref() != Some(known) {
            return Err(Error::InvalidRequest(OVERTAKEN));
        }
        self.check_not_revoked(known.id, revocations).await
    }

    async fn check_not_revoked(
        &self,
        id: KeyId,
        revocations: &impl RevocationStore,
    ) -> Result<(), Error> {
        if self.is_revoked(id, revocations).await? {
            return Err(Error::InvalidRequest(OVERTAKEN));
        }
        Ok(())
    }

    /// Ends a replacement that must not be. Nobody was told the key itself.
    async fn take_back(
        &self,
        new: KeyRecord,
        revocations: &impl RevocationStore,
    ) -> Result<(), Error> {
        let id = new.id;
        self.end(new, revocations).await.map(drop).map_err(|fault| {
            let fault = StoreError::new(fault.to_string());
            half_done(&fault, &format!("key {id} replaces none, and is not revoked"))
        })
    }

    /// Whether an entry that is in force now revokes this key, past what is remembered of it.
    async fn is_revoked(
        &self,
        id: KeyId,
        revocations: &impl RevocationStore,
    ) -> Result<bool, Error> {
        if self.policy.revocation.is_none() {
            return Ok(false);
        }
        let found = revocations.fresh(&DenyKey::of_api_key(id)).await;
        let found = found.map_err(|fault| unavailable("revocation", &fault))?;
        Ok(found.is_some_and(|entry| entry.is_in_force(self.now.to_unix_time())))
    }

    fn api_keys(&self) -> Result<&'a ApiKeyPolicy, Error> {
        self.policy.api_keys.as_ref().ok_or(Error::NotFound)
    }

    /// The record as it is in the store now: what follows writes it back, so an old copy would undo changes.
    async fn record(&self, id: &str) -> Result<KeyRecord, Error> {
        self.api_keys()?;
        // An identifier in another spelling names nothing.
        let id: KeyId = id.parse().map_err(|_| Error::NotFound)?;
        self.keys.fresh_record(&id).await.map_err(failed)?.ok_or(Error::NotFound)
    }

    async fn put(&self, record: &KeyRecord) -> Result<(), Error> {
        KeyRecordStore::put(self.keys, record, self.now).await.map_err(failed)
    }

    /// With `records = "none"` nobody looks at the record of a key of the gate's own format: what it says would not be done.
    fn check_that_records_decide(&self, record: &KeyRecord) -> Result<(), Error> {
        if self.api_keys()?.records == Records::None && record.imported_sha256.is_none() {
            return Err(Error::InvalidRequest(
                "with records = none no record decides about this key, only a revocation entry \
                 and its own expiry do",
            ));
        }
        Ok(())
    }

    /// Only the record says from where a key may be used. Where a key is taken without its record, it would be taken from
    /// everywhere; an imported key never is.
    fn check_that_networks_hold(&self, imported: bool) -> Result<(), Error> {
        if imported || self.api_keys()?.records == Records::Required {
            return Ok(());
        }
        let problem = "expected records = required in the policy, or a key without its record \
                       would be taken from everywhere";
        Err(Error::invalid_field("ips", problem))
    }

    /// An override would quietly do nothing of a limit that does not exist, or that counts others with the key.
    fn check_overrides<'n>(&self, names: impl Iterator<Item = &'n String>) -> Result<(), Error> {
        for name in names {
            let problem = match self.policy.limit(name) {
                None => "no limit has this name",
                Some(limit) if !limit.counts_each_key_alone() => {
                    "this limit counts others too, only limits by caller or api_key can differ"
                }
                Some(_) => continue,
            };
            return Err(Error::invalid_field(&format!("limits.{name}"), problem));
        }
        Ok(())
    }
}

fn failed(fault: StoreError) -> Error {
    unavailable("keys", &fault)
}

/// A fault after which something was done all the same. The operator's log says what, with the ids.
fn half_done(fault: &StoreError, done: &str) -> Error {
    unavailable("keys", &StoreError::new(format!("{fault}; {done}")))
}
