//! What the gate knows about a key: the record that a store keeps under `key/v1/<id>`, and the administrator's
//! requests that make and change it.
//!
//! A record has no secret: nobody gets in with it. Every change is a pure function from record to record; the
//! caller stores the result.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ImportedHash, KeyId, MintedKey};
use crate::client_address::Network;
use crate::error::Error;
use crate::jose::scopes::is_scope;
use crate::json::document;
use crate::json::fault::DocumentFault;
use crate::json::object::{described, object};
use crate::time::UnixTime;

/// The version of the stored form of a key without networks.
pub const RECORD_VERSION: u8 = 1;
/// The version of the stored form of a key with networks. An older gate would ignore the networks; it refuses the version instead.
pub const RECORD_VERSION_WITH_NETWORKS: u8 = 2;
/// Longest name and owner, in characters: they are for people and for a list on a screen.
pub const MAX_NAME_CHARS: usize = 100;
/// Most scopes of one key. A decision looks at each of them.
pub const MAX_SCOPES: usize = 50;
/// Longest scope in bytes.
pub const MAX_SCOPE_BYTES: usize = 100;
/// Most limits that one key overrides. A route has only a few.
pub const MAX_LIMIT_OVERRIDES: usize = 20;
/// Most networks that one key is for. A decision looks at each of them.
pub const MAX_NETWORKS: usize = 50;
/// Shortest lifetime: a second. The record ends a key to the second; the expiry inside the key counts minutes.
pub const MIN_LIFETIME_SECS: u64 = 1;
/// Longest lifetime: 10 years of 365 days. A key that has to live longer has no expiry.
pub const MAX_LIFETIME_SECS: u64 = 10 * 365 * 86_400;
/// How long the old key lives on after a rotation, by default: a day, which is enough to deploy a new key within
/// working hours.
pub const DEFAULT_OVERLAP_SECS: u64 = 86_400;
/// Longest overlap: 30 days. For longer, make two keys.
pub const MAX_OVERLAP_SECS: u64 = 30 * 86_400;
/// How long the record of a key is kept after the key has expired: 30 days, in which its owner is told "expired"
/// and not "unknown".
pub const KEEP_ENDED_SECS: u64 = 30 * 86_400;

object! {
    /// A key's record.
    ///
    /// Unknown fields are ignored, so that an older gate can read what a newer one wrote. A change of meaning raises
    /// [`RECORD_VERSION`], and an older gate refuses such a record.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct KeyRecord, ignored {
        /// Version of this form.
        pub v: u8,
        /// The key's id.
        pub id: KeyId,
        /// What people call it.
        pub name: String,
        /// Whom it belongs to.
        pub owner: String,
        /// Its prefix; `None` for a key of another system.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub prefix: Option<String> = None,
        /// What it may do.
        pub scopes: Vec<String>,
        /// Requests per window, by the name of the limit, in place of the policy's.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub limits: BTreeMap<String, u32> = BTreeMap::new(),
        /// The networks that it may be used from; empty: from everywhere.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ips: Vec<Network> = Vec::new(),
        /// When it was made.
        pub created_at: UnixTime,
        /// From this time on it is refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<UnixTime> = None,
        /// The expiry inside the key, which its tag covers. It cannot be changed, so `expires_at` is never later.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub sealed_expires_at: Option<UnixTime> = None,
        /// The lifetime that was last asked for, in seconds. A replacement gets the same.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub lifetime_secs: Option<u64> = None,
        /// The key is refused while this is set. It can be undone.
        pub disabled: bool = false,
        /// From this time on the key is refused for good.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub revoked_at: Option<UnixTime> = None,
        /// The key that this one replaced.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub replaces: Option<KeyId> = None,
        /// The key that replaced this one.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub replaced_by: Option<KeyId> = None,
        /// The first key of the chain in which each key replaced the one before. Limits count the whole chain together. `None`
        /// for a key that replaced no other one, and for records from before this field existed: such a key is counted alone.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub family: Option<KeyId> = None,
        /// The hash of a key of another system.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub imported_sha256: Option<ImportedHash> = None,
    }
}

impl KeyRecord {
    /// About how many bytes of memory it takes.
    pub fn weight(&self) -> usize {
        let texts = [&self.name, &self.owner].into_iter().chain(&self.prefix).chain(&self.scopes);
        let texts = texts.chain(self.limits.keys());
        // Each has a pointer and a length beside its bytes.
        texts
            .map(|text| text.len().saturating_add(size_of::<String>()))
            .sum::<usize>()
            .saturating_add(self.ips.len().saturating_mul(size_of::<Network>()))
            .saturating_add(size_of::<Self>())
    }

    /// Reads the record that a store has for `id`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`] of `keys`: not a record, a version that is not understood (it may hold a restriction
    /// that is not seen), or the record of another key.
    pub fn parse(id: KeyId, json: &[u8]) -> Result<Self, Error> {
        let record: Self = document::parse(json).map_err(|fault| {
            let at =
                if fault.path.is_empty() { String::new() } else { format!(" at {}", fault.path) };
            damaged(format!("record is not ours{at}: {}", fault.problem))
        })?;
        if !(RECORD_VERSION..=RECORD_VERSION_WITH_NETWORKS).contains(&record.v) {
            return Err(damaged(format!("record has version {}, expected 1 or 2", record.v)));
        }
        if record.id != id {
            return Err(damaged("record belongs to another key".to_owned()));
        }
        Ok(record)
    }

    /// Whether the key may be used now: not revoked, not disabled, not expired; in this order. An expiry equal
    /// to `now` is expired. A `revoked_at` counts whatever its time.
    ///
    /// # Errors
    /// [`Error::ApiKeyRevoked`] and [`Error::ApiKeyExpired`].
    pub fn check(&self, now: UnixTime) -> Result<(), Error> {
        if self.disabled || self.revoked_at.is_some() {
            return Err(Error::ApiKeyRevoked);
        }
        match self.expires_at {
            Some(expired_at) if expired_at <= now => Err(Error::ApiKeyExpired { expired_at, now }),
            _ => Ok(()),
        }
    }

    /// The key that limits count: the first one of the chain in which each key replaced the one before.
    #[must_use]
    pub fn family(&self) -> KeyId {
        self.family.unwrap_or(self.id)
    }

    /// When a store may forget this record; `None`: never.
    ///
    /// Without its record, only the expiry inside the key ends a key. Everything else that ends it (`expires_at` of a change or a
    /// rotation, `disabled`, `revoked_at`) stands in the record alone. A policy may accept keys without a record: there, the key
    /// would work again if the record was forgotten.
    #[must_use]
    pub fn forgettable_from(&self) -> Option<UnixTime> {
        let sealed = self.sealed_expires_at?;
        let end = self.expires_at.map_or(sealed, |expiry| expiry.max(sealed));
        Some(end.saturating_add(KEEP_ENDED_SECS))
    }

    /// Whether this is the record of the imported key with this hash. It compares in constant time.
    #[must_use]
    pub fn is_import_of(&self, hash: &ImportedHash) -> bool {
        self.imported_sha256.as_ref() == Some(hash)
    }

    /// The expiry of a key that replaces this one now: the lifetime that was last asked for, counted from now. `None` if
    /// this key has no expiry.
    #[must_use]
    pub fn replacement_expiry(&self, now: UnixTime) -> Option<UnixTime> {
        self.lifetime_secs.map(|secs| now.saturating_add(secs))
    }

    /// The record after a revocation. If it was revoked before, the earlier time is kept.
    #[must_use]
    pub fn revoke(mut self, now: UnixTime) -> Self {
        self.revoked_at.get_or_insert(now);
        self
    }

    /// Replaces this key by `minted` (made with [`replacement_expiry`](Self::replacement_expiry)).
    ///
    /// The new key has the same name, owner, limits, networks and family. `scopes` are what the old one may do. The old one ends
    /// `overlap_secs` from now, or at its own end if that is earlier; 0 ends it at once.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if the key was revoked, disabled or already replaced: a replacement would undo that.
    pub fn rotate(
        self,
        minted: &MintedKey,
        scopes: Vec<String>,
        rotate: Rotate,
        now: UnixTime,
    ) -> Result<Rotated, Error> {
        if self.revoked_at.is_some() {
            return Err(Error::InvalidRequest("a revoked key cannot be rotated"));
        }
        if self.disabled {
            return Err(Error::InvalidRequest("a disabled key cannot be rotated"));
        }
        if self.replaced_by.is_some() {
            return Err(Error::InvalidRequest(
                "the key was already replaced, rotate its successor",
            ));
        }
        let end = now.saturating_add(rotate.overlap_secs);
        let new = Self {
            v: version_with(&self.ips),
            id: minted.id(),
            name: self.name.clone(),
            owner: self.owner.clone(),
            prefix: Some(minted.prefix().to_owned()),
            scopes,
            limits: self.limits.clone(),
            ips: self.ips.clone(),
            created_at: now,
            expires_at: self.replacement_expiry(now),
            sealed_expires_at: minted.expires_at(),
            lifetime_secs: self.lifetime_secs,
            disabled: false,
            revoked_at: None,
            replaces: Some(self.id),
            replaced_by: None,
            family: Some(self.family()),
            imported_sha256: None,
        };
        let old = Self {
            expires_at: Some(self.expires_at.map_or(end, |expiry| expiry.min(end))),
            replaced_by: Some(new.id),
            ..self
        };
        Ok(Rotated { new, old })
    }
}

/// Both records after a rotation. Store the new one first: if the second write fails, two keys work, and not
/// none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The record of the new key.
    pub new: KeyRecord,
    /// The record of the old key, with its end.
    pub old: KeyRecord,
}

described! {
    /// A new key, or with `imported_sha256` one of another system.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct NewKey as NewKey, refused {
        /// What people call it. 1 to 200 characters.
        #[facts(minLength = 1, maxLength = MAX_NAME_CHARS)]
        name: String,
        /// Whom it belongs to. 1 to 200 characters.
        #[facts(minLength = 1, maxLength = MAX_NAME_CHARS)]
        owner: String,
        /// What it may do.
        #[facts(maxItems = MAX_SCOPES, uniqueItems = true)]
        scopes: Vec<String>,
        /// Requests per window by the name of a limit, in place of the policy's.
        #[facts(maxProperties = MAX_LIMIT_OVERRIDES)]
        limits: Option<BTreeMap<String, u32>> = None,
        /// The networks that it may be used from.
        #[facts(minItems = 1, maxItems = MAX_NETWORKS)]
        ips: Option<Vec<Network>> = None,
        /// Its lifetime. Without it the key does not expire.
        #[facts(minimum = MIN_LIFETIME_SECS, maximum = MAX_LIFETIME_SECS)]
        expires_in_secs: Option<u64> = None,
        /// Its prefix. Without it: the policy's first.
        prefix: Option<String> = None,
        /// The SHA-256 of a key of another system: 64 lower-case hexadecimal digits. Not beside `prefix`.
        imported_sha256: Option<ImportedHash> = None,
    }
}

impl NewKey {
    /// Reads and checks the body.
    ///
    /// Name and owner: 1 to [`MAX_NAME_CHARS`] characters, none of them a control character. Scopes: at most
    /// [`MAX_SCOPES`] different ones of 1 to [`MAX_SCOPE_BYTES`] characters of RFC 6749 §3.3. Limits: at most
    /// [`MAX_LIMIT_OVERRIDES`], each at least 1. Networks: 1 to [`MAX_NETWORKS`]. Lifetime: [`MIN_LIFETIME_SECS`] to
    /// [`MAX_LIFETIME_SECS`]. The caller has to check that the policy has the prefix and the limits.
    ///
    /// # Errors
    /// [`Error::InvalidField`] with the path of the first fault; unknown fields are faults.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let new: Self = document::parse(json).map_err(DocumentFault::into_invalid_field)?;
        check_name("name", &new.name)?;
        check_name("owner", &new.owner)?;
        check_scopes(&new.scopes)?;
        new.limits().map_or(Ok(()), check_limits)?;
        new.ips.as_deref().map_or(Ok(()), check_networks)?;
        new.expires_in_secs.map_or(Ok(()), check_lifetime)?;
        if new.prefix.is_some() && new.imported_sha256.is_some() {
            return Err(Error::invalid_field("prefix", "expected none for an imported key"));
        }
        Ok(new)
    }

    /// The prefix asked for.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// The limits it overrides, by name.
    #[must_use]
    pub fn limits(&self) -> Option<&BTreeMap<String, u32>> {
        self.limits.as_ref()
    }

    /// Whether it may be used from some networks only.
    #[must_use]
    pub const fn names_networks(&self) -> bool {
        self.ips.is_some()
    }

    /// The hash, if this is a key of another system. Then no key is minted.
    #[must_use]
    pub const fn imported(&self) -> Option<ImportedHash> {
        self.imported_sha256
    }

    /// When the key has to expire.
    #[must_use]
    pub fn expires_at(&self, now: UnixTime) -> Option<UnixTime> {
        self.expires_in_secs.map(|secs| now.saturating_add(secs))
    }

    /// The record of the key that was minted for this request.
    #[must_use]
    pub fn record(self, minted: &MintedKey, now: UnixTime) -> KeyRecord {
        let record = self.bare_record(minted.id(), now);
        KeyRecord {
            prefix: Some(minted.prefix().to_owned()),
            sealed_expires_at: minted.expires_at(),
            imported_sha256: None,
            ..record
        }
    }

    /// The record of the key of another system whose hash this request has. Its id is [`ImportedHash::key_id`]. `None`
    /// if the request has no hash.
    #[must_use]
    pub fn imported_record(self, now: UnixTime) -> Option<KeyRecord> {
        let id = self.imported_sha256?.key_id();
        Some(self.bare_record(id, now))
    }

    fn bare_record(self, id: KeyId, now: UnixTime) -> KeyRecord {
        let ips = self.ips.clone().unwrap_or_default();
        KeyRecord {
            v: version_with(&ips),
            id,
            expires_at: self.expires_at(now),
            lifetime_secs: self.expires_in_secs,
            name: self.name,
            owner: self.owner,
            prefix: None,
            scopes: self.scopes,
            limits: self.limits.unwrap_or_default(),
            ips,
            created_at: now,
            sealed_expires_at: None,
            disabled: false,
            revoked_at: None,
            replaces: None,
            replaced_by: None,
            family: None,
            imported_sha256: self.imported_sha256,
        }
    }
}

described! {
    /// What to change: at least one field. What is left out stays; `null` removes `limits`, `ips` or `expires_in_secs`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct KeyChange as KeyChange, refused {
        /// What people call it. 1 to 200 characters.
        #[facts(minLength = 1, maxLength = MAX_NAME_CHARS)]
        name: Option<String>; given,
        /// Whom it belongs to. 1 to 200 characters.
        #[facts(minLength = 1, maxLength = MAX_NAME_CHARS)]
        owner: Option<String>; given,
        /// What it may do.
        #[facts(maxItems = MAX_SCOPES, uniqueItems = true)]
        scopes: Option<Vec<String>>; given,
        /// Requests per window by the name of a limit, in place of the policy's.
        #[facts(maxProperties = MAX_LIMIT_OVERRIDES)]
        limits: Option<Option<BTreeMap<String, u32>>>; given,
        /// The networks that it may be used from.
        #[facts(minItems = 1, maxItems = MAX_NETWORKS)]
        ips: Option<Option<Vec<Network>>>; given,
        /// Its lifetime. Without it the key does not expire.
        #[facts(minimum = MIN_LIFETIME_SECS, maximum = MAX_LIFETIME_SECS)]
        expires_in_secs: Option<Option<u64>>; given,
        /// Whether the key is refused for the time being.
        disabled: Option<bool>; given,
    }
}

impl KeyChange {
    /// Reads and checks the body, with the rules of [`NewKey::parse`].
    ///
    /// # Errors
    /// [`Error::InvalidField`] with the path of the first fault. Unknown fields are faults, and so is a body that changes nothing.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let change: Self = document::parse(json).map_err(DocumentFault::into_invalid_field)?;
        let Self { name, owner, scopes, limits, ips, expires_in_secs, disabled } = &change;
        name.as_ref().map_or(Ok(()), |name| check_name("name", name))?;
        owner.as_ref().map_or(Ok(()), |owner| check_name("owner", owner))?;
        scopes.as_ref().map_or(Ok(()), |scopes| check_scopes(scopes))?;
        change.limits().map_or(Ok(()), check_limits)?;
        ips.iter().flatten().try_for_each(|ips| check_networks(ips))?;
        expires_in_secs.flatten().map_or(Ok(()), check_lifetime)?;
        let nothing = name.is_none()
            && owner.is_none()
            && scopes.is_none()
            && limits.is_none()
            && ips.is_none()
            && expires_in_secs.is_none()
            && disabled.is_none();
        if nothing {
            return Err(Error::invalid_field("", "expected at least one field to change"));
        }
        Ok(change)
    }

    /// Whether it changes decisions about the key, and not its name and owner only.
    #[must_use]
    pub const fn decides(&self) -> bool {
        self.scopes.is_some()
            || self.limits.is_some()
            || self.ips.is_some()
            || self.expires_in_secs.is_some()
            || self.disabled.is_some()
    }

    /// The limits it overrides, by name, if it changes them.
    #[must_use]
    pub fn limits(&self) -> Option<&BTreeMap<String, u32>> {
        self.limits.as_ref().and_then(Option::as_ref)
    }

    /// Whether it names networks from which the key may be used.
    #[must_use]
    pub const fn names_networks(&self) -> bool {
        matches!(self.ips, Some(Some(_)))
    }

    /// The record after the change. `expires_in_secs` counts from `now`.
    ///
    /// # Errors
    /// [`Error::InvalidField`] if the key would live longer than the expiry inside it: that needs a rotation.
    /// [`Error::InvalidRequest`] if it was revoked, which is for good.
    pub fn apply(self, record: KeyRecord, now: UnixTime) -> Result<KeyRecord, Error> {
        if record.revoked_at.is_some() {
            return Err(Error::InvalidRequest("a revoked key cannot be changed"));
        }
        let (expires_at, lifetime_secs) = match self.expires_in_secs {
            None => (record.expires_at, record.lifetime_secs),
            Some(change) => {
                let asked = change.map(|secs| now.saturating_add(secs));
                let sealed = record.sealed_expires_at;
                if sealed.is_some_and(|sealed| asked.is_none_or(|asked| asked > sealed)) {
                    return Err(Error::invalid_field(
                        "expires_in_secs",
                        "the key itself expires earlier, rotate it instead",
                    ));
                }
                (asked, change)
            }
        };
        let ips = self.ips.map_or(record.ips, Option::unwrap_or_default);
        Ok(KeyRecord {
            v: version_with(&ips),
            ips,
            name: self.name.unwrap_or(record.name),
            owner: self.owner.unwrap_or(record.owner),
            scopes: self.scopes.unwrap_or(record.scopes),
            limits: match self.limits {
                None => record.limits,
                Some(change) => change.unwrap_or_default(),
            },
            disabled: self.disabled.unwrap_or(record.disabled),
            expires_at,
            lifetime_secs,
            ..record
        })
    }
}

described! {
    /// How to rotate a key.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Rotate as Rotate, refused {
        /// How long the old key lives on.
        #[facts(maximum = MAX_OVERLAP_SECS)]
        overlap_secs: u64 = DEFAULT_OVERLAP_SECS,
    }
}

impl Rotate {
    /// Reads and checks the body; an empty one means the default.
    ///
    /// # Errors
    /// [`Error::InvalidField`] with the path of the first fault.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if json.is_empty() {
            return Ok(Self { overlap_secs: DEFAULT_OVERLAP_SECS });
        }
        let rotate: Self = document::parse(json).map_err(DocumentFault::into_invalid_field)?;
        if rotate.overlap_secs > MAX_OVERLAP_SECS {
            let problem = format!("expected at most {MAX_OVERLAP_SECS} (30 days)");
            return Err(Error::InvalidField { path: "overlap_secs".to_owned(), problem });
        }
        Ok(rotate)
    }

    /// How many seconds the old key lives on.
    #[must_use]
    pub const fn overlap_secs(self) -> u64 {
        self.overlap_secs
    }
}

fn check_name(path: &str, text: &str) -> Result<(), Error> {
    let length = text.chars().take(MAX_NAME_CHARS.saturating_add(1)).count();
    if length == 0 || length > MAX_NAME_CHARS {
        return Err(Error::invalid_field(path, "expected 1 to 100 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid_field(path, "expected no control characters"));
    }
    Ok(())
}

fn check_scopes(scopes: &[String]) -> Result<(), Error> {
    if scopes.len() > MAX_SCOPES {
        return Err(Error::invalid_field("scopes", "expected at most 50"));
    }
    for (position, scope) in scopes.iter().enumerate() {
        let path = format!("scopes[{position}]");
        if scope.is_empty() || scope.len() > MAX_SCOPE_BYTES {
            return Err(Error::invalid_field(&path, "expected 1 to 100 characters"));
        }
        if !is_scope(scope) {
            let problem = "expected visible ASCII without space, quote and backslash";
            return Err(Error::invalid_field(&path, problem));
        }
        if scopes.iter().take(position).any(|earlier| earlier == scope) {
            return Err(Error::invalid_field(&path, "is given twice"));
        }
    }
    Ok(())
}

fn check_limits(limits: &BTreeMap<String, u32>) -> Result<(), Error> {
    if limits.len() > MAX_LIMIT_OVERRIDES {
        return Err(Error::invalid_field("limits", "expected at most 20"));
    }
    for (name, requests) in limits {
        if !crate::limit::is_limit_name(name) {
            return Err(Error::invalid_field("limits", "expected names of limits of the policy"));
        }
        if *requests == 0 {
            return Err(Error::invalid_field(&format!("limits.{name}"), "expected at least 1"));
        }
    }
    Ok(())
}

fn check_networks(networks: &[Network]) -> Result<(), Error> {
    if (1..=MAX_NETWORKS).contains(&networks.len()) {
        return Ok(());
    }
    Err(Error::invalid_field("ips", "expected 1 to 50"))
}

const fn version_with(networks: &[Network]) -> u8 {
    if networks.is_empty() { RECORD_VERSION } else { RECORD_VERSION_WITH_NETWORKS }
}

fn check_lifetime(secs: u64) -> Result<(), Error> {
    if (MIN_LIFETIME_SECS..=MAX_LIFETIME_SECS).contains(&secs) {
        return Ok(());
    }
    let problem = format!("expected {MIN_LIFETIME_SECS} to {MAX_LIFETIME_SECS} (10 years)");
    Err(Error::invalid_field("expires_in_secs", &problem))
}

const fn damaged(problem: String) -> Error {
    Error::StoreUnavailable { store: "keys", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_key::{ApiKeys, SigningKeys};
    use crate::secret::Secret;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
    const LATER: UnixTime = UnixTime::from_secs(1_700_001_000);
    const ID: KeyId = KeyId::from_bytes([1; 16]);
    const NEW_ID: KeyId = KeyId::from_bytes([2; 16]);

    fn mint(id: KeyId, expires_at: Option<UnixTime>) -> MintedKey {
        let signing = SigningKeys::new(vec![(1, Secret::new(vec![1; 32]))]).unwrap();
        ApiKeys::new("prod", &["sk"], signing).unwrap().mint("sk", id, expires_at).unwrap()
    }

    fn record(json: &str) -> KeyRecord {
        let new = NewKey::parse(json.as_bytes()).unwrap();
        let minted = mint(ID, new.expires_at(NOW));
        new.record(&minted, NOW)
    }

    fn plain() -> KeyRecord {
        record(r#"{"name": "n", "owner": "o", "scopes": ["read:posts"]}"#)
    }

    fn expiring() -> KeyRecord {
        record(r#"{"name": "n", "owner": "o", "scopes": [], "expires_in_secs": 3600}"#)
    }

    fn change(json: &str) -> KeyChange {
        KeyChange::parse(json.as_bytes()).unwrap()
    }

    #[track_caller]
    fn refused<T: core::fmt::Debug>(result: Result<T, Error>, message: &str) {
        assert_eq!(result.unwrap_err().to_string(), message);
    }

    #[track_caller]
    fn refused_new(json: &str, message: &str) {
        refused(NewKey::parse(json.as_bytes()), message);
        assert_eq!(NewKey::parse(json.as_bytes()).unwrap_err().code().as_str(), "INVALID_REQUEST");
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let full = KeyRecord {
            limits: [("per-caller".to_owned(), 5)].into(),
            revoked_at: Some(LATER),
            replaces: Some(NEW_ID),
            replaced_by: Some(NEW_ID),
            family: Some(NEW_ID),
            imported_sha256: Some(ImportedHash::of("x")),
            ..expiring()
        };
        for record in [plain(), full] {
            let json = serde_json::to_vec(&record).unwrap();
            assert_eq!(KeyRecord::parse(ID, &json), Ok(record));
        }
        assert_eq!(
            serde_json::to_string(&plain()).unwrap(),
            r#"{"v":1,"id":"01010101010101010101010101010101","name":"n","owner":"o","prefix":"sk","scopes":["read:posts"],"created_at":1700000000,"disabled":false}"#
        );
    }

    #[test]
    fn a_record_that_is_not_understood_is_a_fault_of_the_store() {
        let of = |edit: &str| {
            format!(
                r#"{{"v": 1, "id": "{ID}", "name": "n", "owner": "o", "scopes": [], "created_at": 5{edit}}}"#
            )
        };
        let read = |json: &str| KeyRecord::parse(ID, json.as_bytes());
        assert!(read(&of(r#", "last_used_at": 7"#)).is_ok(), "a field of a newer gate");
        refused(
            read(&of("").replace("\"v\": 1", "\"v\": 3")),
            "store keys: record has version 3, expected 1 or 2",
        );
        refused(
            KeyRecord::parse(NEW_ID, of("").as_bytes()),
            "store keys: record belongs to another key",
        );
        refused(
            read("{"),
            "store keys: record is not ours: expected JSON: EOF while parsing an object at line 1 column 1",
        );
        refused(
            read(&of(r#", "disabled": "yes""#)),
            "store keys: record is not ours at disabled: expected a boolean, found a string",
        );
        refused(
            read(&of(r#", "replaces": "0G""#)),
            "store keys: record is not ours at replaces: expected 32 lower-case hexadecimal digits",
        );
    }

    #[test]
    fn revoked_and_disabled_come_before_expired() {
        assert_eq!(plain().check(NOW), Ok(()));
        let expiring = expiring();
        let end = NOW.saturating_add(3600);
        assert_eq!(expiring.check(UnixTime::from_secs(end.as_secs() - 1)), Ok(()));
        assert_eq!(expiring.check(end), Err(Error::ApiKeyExpired { expired_at: end, now: end }));
        let disabled = KeyRecord { disabled: true, ..expiring.clone() };
        assert_eq!(disabled.check(end), Err(Error::ApiKeyRevoked));
        assert_eq!(expiring.revoke(LATER).check(NOW), Err(Error::ApiKeyRevoked));
    }

    #[test]
    fn the_first_revocation_counts() {
        let twice = plain().revoke(NOW).revoke(LATER);
        assert_eq!(twice.revoked_at, Some(NOW));
    }

    #[test]
    fn new_keys_are_checked_field_by_field() {
        refused_new("{}", "name: is required");
        refused_new(r#"{"name": "n"}"#, "owner: is required");
        refused_new(r#"{"name": "n", "owner": "o"}"#, "scopes: is required");
        let with = |edit: &str| format!(r#"{{"owner": "o", "scopes": ["a"], {edit}}}"#);
        refused_new(&with(r#""name": """#), "name: expected 1 to 100 characters");
        refused_new(
            &with(&format!(r#""name": "{}""#, "\u{e9}".repeat(101))),
            "name: expected 1 to 100 characters",
        );
        refused_new(&with(r#""name": "a\nb""#), "name: expected no control characters");
        refused_new(&with(r#""name": "a\u0085b""#), "name: expected no control characters");
        refused_new(&with(r#""name": 7"#), "name: expected a string, found a whole number");
        let named = |edit: &str| with(&format!(r#""name": "n", {edit}"#));
        assert!(
            NewKey::parse(with(&format!(r#""name": "{}""#, "\u{e9}".repeat(100))).as_bytes())
                .is_ok()
        );
        refused_new(
            &named(r#""colour": "red""#),
            "colour: is not a known field, expected one of name, owner, scopes, limits, ips, \
             expires_in_secs, prefix, imported_sha256",
        );
        for secs in ["0", "315360001"] {
            refused_new(
                &named(&format!(r#""expires_in_secs": {secs}"#)),
                "expires_in_secs: expected 1 to 315360000 (10 years)",
            );
        }
        refused_new(
            &named(r#""expires_in_secs": -5"#),
            "expires_in_secs: expected a whole number, found one out of range",
        );
        refused_new(
            &named(r#""expires_in_secs": "3600""#),
            "expires_in_secs: expected a whole number, found a string",
        );
        refused_new(
            &named(r#""limits": {"per-caller": 0}"#),
            "limits.per-caller: expected at least 1",
        );
        refused_new(
            &named(r#""limits": {"per-caller": 1, "per-caller": 1000}"#),
            "limits.per-caller: is given twice",
        );
        refused_new(
            &named(r#""limits": {"Per Caller": 1}"#),
            "limits: expected names of limits of the policy",
        );
        refused_new(
            &named(r#""imported_sha256": "abc""#),
            "imported_sha256: expected 64 lower-case hexadecimal digits",
        );
        refused_new(
            &named(&format!(r#""prefix": "sk", "imported_sha256": "{}""#, "0a".repeat(32))),
            "prefix: expected none for an imported key",
        );
    }

    #[test]
    fn scopes_are_scope_tokens() {
        let with = |scopes: &[&str]| {
            let scopes = serde_json::to_string(scopes).unwrap();
            NewKey::parse(
                format!(r#"{{"name": "n", "owner": "o", "scopes": {scopes}}}"#).as_bytes(),
            )
        };
        let (long, longer) = ("s".repeat(100), "s".repeat(101));
        assert!(with(&["read:posts", "!#$%&'()*+,-./[]^_`{|}~", &long]).is_ok());
        for wrong in ["", &longer] {
            refused(with(&["a", wrong]), "scopes[1]: expected 1 to 100 characters");
        }
        for wrong in ["a b", "a\"b", "a\\b", "a\tb", "\u{e9}", "\u{7f}"] {
            refused(
                with(&[wrong]),
                "scopes[0]: expected visible ASCII without space, quote and backslash",
            );
        }
        refused(with(&["a", "b", "a"]), "scopes[2]: is given twice");
        let many: Vec<String> = (0..51).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        refused(with(&many), "scopes: expected at most 50");
        assert!(with(&many[..50]).is_ok());
    }

    #[test]
    fn a_new_record_has_the_exact_expiry_and_the_sealed_one() {
        let record = expiring();
        assert_eq!(record.created_at, NOW);
        assert_eq!(record.expires_at, Some(UnixTime::from_secs(1_700_003_600)));
        assert_eq!(record.sealed_expires_at, Some(UnixTime::from_secs(1_700_003_640)));
        assert_eq!(record.lifetime_secs, Some(3600));
    }

    #[test]
    fn an_imported_key_is_found_by_its_hash_and_compared_whole() {
        let hash = ImportedHash::of("other_0123456789");
        let body = format!(
            r#"{{"name": "n", "owner": "o", "scopes": [], "imported_sha256": {}}}"#,
            serde_json::to_string(&hash).unwrap()
        );
        let record = NewKey::parse(body.as_bytes()).unwrap().imported_record(NOW).unwrap();
        assert_eq!(record.id, hash.key_id());
        assert_eq!(record.prefix, None);
        assert!(record.is_import_of(&hash));
        let mut nearly = hash.0;
        nearly[31] ^= 1;
        let nearly = ImportedHash::from_bytes(nearly);
        assert_eq!(nearly.key_id(), hash.key_id());
        assert!(!record.is_import_of(&nearly));
        assert!(!plain().is_import_of(&hash), "a key of our own has no hash");
    }

    #[test]
    fn a_change_touches_what_it_names() {
        let before = plain();
        let after =
            change(r#"{"name": "m", "disabled": true}"#).apply(before.clone(), LATER).unwrap();
        assert_eq!(after, KeyRecord { name: "m".to_owned(), disabled: true, ..before.clone() });
        let limited =
            change(r#"{"limits": {"per-caller": 5}}"#).apply(before.clone(), LATER).unwrap();
        assert_eq!(limited.limits, [("per-caller".to_owned(), 5)].into());
        assert_eq!(change(r#"{"limits": null}"#).apply(limited, LATER).unwrap(), before);
        let ending = change(r#"{"expires_in_secs": 60}"#).apply(before.clone(), LATER).unwrap();
        assert_eq!(ending.expires_at, Some(UnixTime::from_secs(1_700_001_060)));
        assert_eq!(change(r#"{"expires_in_secs": null}"#).apply(ending, LATER).unwrap(), before);
    }

    #[test]
    fn no_change_makes_a_key_outlive_its_own_expiry() {
        let problem = "expires_in_secs: the key itself expires earlier, rotate it instead";
        for body in [r#"{"expires_in_secs": 3641}"#, r#"{"expires_in_secs": null}"#] {
            refused(change(body).apply(expiring(), NOW), problem);
        }
        assert!(change(r#"{"expires_in_secs": 3640}"#).apply(expiring(), NOW).is_ok());
    }

    #[test]
    fn a_change_of_nothing_and_of_a_revoked_key_is_refused() {
        refused(KeyChange::parse(b"{}"), "expected at least one field to change");
        refused(KeyChange::parse(br#"{"name": null}"#), "name: expected a string, found null");
        refused(
            KeyChange::parse(br#"{"id": "x"}"#),
            "id: is not a known field, expected one of name, owner, scopes, limits, ips, \
             expires_in_secs, disabled",
        );
        refused(
            change(r#"{"disabled": false}"#).apply(plain().revoke(NOW), LATER),
            "a revoked key cannot be changed",
        );
    }

    #[test]
    fn rotation_gives_the_same_rights_and_ends_the_old_key_after_the_overlap() {
        let old = expiring();
        let expiry = old.replacement_expiry(LATER);
        assert_eq!(expiry, Some(LATER.saturating_add(3600)));
        let rotate = Rotate::parse(br#"{"overlap_secs": 100}"#).unwrap();
        let rotated =
            old.clone().rotate(&mint(NEW_ID, expiry), old.scopes.clone(), rotate, LATER).unwrap();
        assert_eq!(
            rotated.new,
            KeyRecord {
                id: NEW_ID,
                created_at: LATER,
                expires_at: expiry,
                sealed_expires_at: Some(UnixTime::from_secs(1_700_004_600)),
                replaces: Some(ID),
                family: Some(ID),
                ..old.clone()
            }
        );
        let end = LATER.saturating_add(100);
        assert_eq!(
            rotated.old,
            KeyRecord { expires_at: Some(end), replaced_by: Some(NEW_ID), ..old.clone() }
        );
        let long = Rotate::parse(br#"{"overlap_secs": 86400}"#).unwrap();
        let rotated =
            old.clone().rotate(&mint(NEW_ID, expiry), old.scopes.clone(), long, LATER).unwrap();
        assert_eq!(rotated.old.expires_at, old.expires_at, "never later than before");
        let at_once = Rotate::parse(br#"{"overlap_secs": 0}"#).unwrap();
        let rotated = plain().rotate(&mint(NEW_ID, None), Vec::new(), at_once, LATER).unwrap();
        assert!(rotated.old.check(LATER).is_err());
        assert_eq!(rotated.new.expires_at, None);
    }

    #[test]
    fn what_was_taken_away_is_not_brought_back_by_a_rotation() {
        let rotate = |record: KeyRecord| {
            record.rotate(&mint(NEW_ID, None), Vec::new(), Rotate::parse(b"").unwrap(), LATER)
        };
        refused(rotate(plain().revoke(NOW)), "a revoked key cannot be rotated");
        refused(
            rotate(KeyRecord { disabled: true, ..plain() }),
            "a disabled key cannot be rotated",
        );
        let replaced = rotate(plain()).unwrap().old;
        refused(rotate(replaced), "the key was already replaced, rotate its successor");
    }

    #[test]
    fn a_record_is_forgotten_only_where_the_key_ends_without_it() {
        let rotate = |record: KeyRecord| {
            let now = Rotate::parse(br#"{"overlap_secs": 0}"#).unwrap();
            record.rotate(&mint(NEW_ID, None), Vec::new(), now, LATER).unwrap().old
        };
        let ended = change(r#"{"expires_in_secs": 60}"#).apply(plain(), LATER).unwrap();
        let disabled = change(r#"{"disabled": true}"#).apply(ended.clone(), LATER).unwrap();
        for record in [plain(), rotate(plain()), ended.clone(), disabled, ended.revoke(LATER)] {
            assert_eq!(record.forgettable_from(), None, "the key itself never ends");
        }
        let after_the_seal = Some(UnixTime::from_secs(1_700_003_640 + 30 * 86_400));
        let sooner = change(r#"{"expires_in_secs": 60}"#).apply(expiring(), NOW).unwrap();
        for record in [expiring(), rotate(expiring()), sooner, expiring().revoke(NOW)] {
            assert_eq!(record.forgettable_from(), after_the_seal);
        }
    }

    #[test]
    fn a_rotation_keeps_the_family() {
        let rotate = |record: &KeyRecord, id| {
            let default = Rotate::parse(b"").unwrap();
            record.clone().rotate(&mint(id, None), Vec::new(), default, LATER).unwrap()
        };
        let first = rotate(&plain(), NEW_ID);
        assert_eq!((plain().family(), first.old.family(), first.new.family()), (ID, ID, ID));
        let second = rotate(&first.new, KeyId::from_bytes([3; 16]));
        assert_eq!((second.new.family(), second.new.replaces), (ID, Some(NEW_ID)));
    }

    #[test]
    fn overlap_is_a_day_by_default_and_a_month_at_most() {
        assert_eq!(Rotate::parse(b"").unwrap().overlap_secs(), 86_400);
        assert_eq!(Rotate::parse(b"{}").unwrap().overlap_secs(), 86_400);
        assert_eq!(
            Rotate::parse(br#"{"overlap_secs": 2592000}"#).unwrap().overlap_secs(),
            2_592_000
        );
        refused(
            Rotate::parse(br#"{"overlap_secs": 2592001}"#),
            "overlap_secs: expected at most 2592000 (30 days)",
        );
        refused(
            Rotate::parse(br#"{"overlap": 1}"#),
            "overlap: is not a known field, expected overlap_secs",
        );
    }
}
