//! The step for API keys: reads what was presented, looks its record up, and says whose it is.

use core::net::IpAddr;

use super::{ApiKeyIdentity, Carrier, Failures, addresses, backend::unavailable};
use crate::{
    api_key::{ImportedHash, KeyId, record::KeyRecord},
    error::{Error, StoreError},
    policy::{ApiKeyPolicy, KeyFormat, Policy, PrefixPolicy, Records},
    revocation::Revocable,
    store::KeyRecordStore,
    time::{UnixMillis, UnixTime},
};

/// A key as it was presented.
pub(super) enum Presented<'p> {
    Own(OwnKey<'p>),
    Imported(ImportedKey<'p>),
}

/// A key that this gate minted. Its MAC, environment and expiry are verified.
pub(super) struct OwnKey<'p> {
    policy: &'p ApiKeyPolicy,
    prefix: &'p PrefixPolicy,
    id: KeyId,
}

/// A key that somebody else minted. Only its record can tell whether it is genuine.
pub(super) struct ImportedKey<'p> {
    prefix: &'p PrefixPolicy,
    hash: ImportedHash,
}

/// Longest key of another system in bytes: more than any has, so that nobody makes the gate hash long texts.
const MAX_IMPORTED_LENGTH: usize = 4096;

/// Whose key it is, and its record.
pub(super) type Owned = (ApiKeyIdentity, Option<KeyRecord>);

/// Reads a key. No store is asked.
///
/// # Errors
/// [`Error::ApiKeyNotAccepted`], [`Error::UnknownApiKeyPrefix`], [`Error::MalformedApiKey`], and for own keys those of their verification.
pub(super) fn read<'p>(
    policy: &'p Policy,
    (presented, carrier): (&str, Carrier),
    now: UnixTime,
) -> Result<Presented<'p>, Error> {
    let policy = policy.api_keys.as_ref().ok_or(Error::ApiKeyNotAccepted)?;
    let prefix = match carrier {
        Carrier::ApiKeyHeader => policy.prefix_in_header(presented),
        _ => policy.prefix_of(presented),
    };
    let prefix = prefix.ok_or(Error::UnknownApiKeyPrefix)?;
    match prefix.format {
        KeyFormat::Edgegate => {
            let id = policy.keys.verify(presented, now)?.id();
            Ok(Presented::Own(OwnKey { policy, prefix, id }))
        }
        KeyFormat::Imported => {
            if presented.len() > MAX_IMPORTED_LENGTH {
                let problem = "expected at most 4096 bytes";
                return Err(Error::MalformedApiKey { problem });
            }
            Ok(Presented::Imported(ImportedKey { prefix, hash: ImportedHash::of(presented) }))
        }
    }
}

impl OwnKey<'_> {
    pub(super) const fn id(&self) -> KeyId {
        self.id
    }

    pub(super) const fn revocable(&self) -> Revocable<'static> {
        Revocable::ApiKey { id: self.id }
    }

    /// The record, as far as the policy wants it looked up.
    pub(super) async fn record(
        &self,
        keys: &impl KeyRecordStore,
    ) -> Result<Option<KeyRecord>, Error> {
        let record = match self.policy.records {
            Records::None => return Ok(None),
            Records::Required | Records::Optional => keys.record(&self.id).await,
        };
        match record.map_err(keys_unavailable)? {
            None if self.policy.records == Records::Required => Err(Error::UnknownApiKey),
            record => Ok(record),
        }
    }

    pub(super) fn identity(
        &self,
        record: Option<KeyRecord>,
        client_ip: Option<IpAddr>,
        now: UnixTime,
    ) -> Result<Owned, Error> {
        let identity = match &record {
            Some(record) => {
                record.check(now)?;
                addresses::check(&record.ips, client_ip)?;
                ApiKeyIdentity::new(self.prefix, record)
            }
            None => {
                let scopes = self.policy.scopes_without_record(self.prefix);
                ApiKeyIdentity::without_record(self.id, scopes)
            }
        };
        Ok((identity, record))
    }
}

impl ImportedKey<'_> {
    /// The record. Each value that is made up costs a look-up, so there is a bound on those.
    pub(super) async fn record(
        &self,
        keys: &impl KeyRecordStore,
        failures: &Failures<'_>,
        client_ip: Option<IpAddr>,
        now: UnixMillis,
    ) -> Result<KeyRecord, Error> {
        let id = self.hash.key_id();
        let look_up =
            if keys.remembers(&id) { None } else { Some(failures.look_up(client_ip, now)?) };
        let found = keys
            .record(&id)
            .await
            .map_err(keys_unavailable)
            .map(|record| record.filter(|record| record.is_import_of(&self.hash)));
        match (&found, look_up) {
            (Ok(Some(_)), Some(look_up)) => failures.found(look_up, now),
            (Err(_), Some(look_up)) => failures.unanswered(look_up, now),
            (Ok(None), _) | (_, None) => {}
        }
        found?.ok_or(Error::UnknownApiKey)
    }

    pub(super) fn identity(
        &self,
        record: KeyRecord,
        client_ip: Option<IpAddr>,
        now: UnixTime,
    ) -> Result<Owned, Error> {
        record.check(now)?;
        addresses::check(&record.ips, client_ip)?;
        Ok((ApiKeyIdentity::new(self.prefix, &record), Some(record)))
    }
}

fn keys_unavailable(fault: StoreError) -> Error {
    unavailable("keys", &fault)
}
