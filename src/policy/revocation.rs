//! The section `revocation`: where revocations are kept, and how late they may be seen.

use super::{
    check::cache_secs,
    types::{CacheSecs, OnError, RevocationMode},
};
use crate::{error::Error, json::object::described, revocation::snapshot::Freshness};

described! {
    /// How revocation is looked up: docs/revocation.md.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RevocationPolicy as Revocation, refused {
        /// Where the truth is: `entries`, one key of KV for each; `snapshot`, the ledger, by a filter that it publishes; `ledger`, it is
        /// asked for each request.
        pub mode: RevocationMode = RevocationMode::default(),
        /// What a request gets if it cannot be asked: `deny` refuses it, `allow` lets it pass.
        pub on_error: OnError = OnError::default(),
        /// How long an isolate may believe an answer, misses included. Not used with `ledger`, which believes nothing but the ledger.
        #[facts(maximum = 3600)]
        pub cache_secs: CacheSecs = CacheSecs::default(),
        /// How old a snapshot may be; beyond that, `on_error` decides. Not with `entries`.
        #[facts(minimum = 60, maximum = 86_400, default = 120)]
        max_staleness_secs: Option<u32> = None,
        /// How often an isolate looks for a newer snapshot. At most `max_staleness_secs`. Not with `entries`.
        #[facts(minimum = 1, maximum = 86_400, default = 10)]
        refresh_secs: Option<u32> = None,
    }
}

impl RevocationPolicy {
    /// How fresh a snapshot has to be.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        Freshness {
            max_staleness_secs: self.max_staleness_secs.unwrap_or(120),
            refresh_secs: self.refresh_secs.unwrap_or(10),
        }
    }
}

pub(super) fn revocation(policy: RevocationPolicy) -> Result<RevocationPolicy, Error> {
    cache_secs("revocation.cache_secs", policy.cache_secs)?;
    if policy.mode == RevocationMode::Entries {
        let given = [
            ("max_staleness_secs", policy.max_staleness_secs),
            ("refresh_secs", policy.refresh_secs),
        ];
        if let Some((name, _)) = given.iter().find(|(_, secs)| secs.is_some()) {
            let problem = "only mode = snapshot and mode = ledger have it";
            return Err(Error::config(format!("revocation.{name}"), problem));
        }
    }
    let Freshness { max_staleness_secs, refresh_secs } = policy.freshness();
    // Less than KV needs to show a write everywhere would refuse every other request.
    if !(60..=86_400).contains(&max_staleness_secs) {
        return Err(Error::config("revocation.max_staleness_secs", "expected 60 to 86400 seconds"));
    }
    if refresh_secs == 0 || refresh_secs > max_staleness_secs {
        let problem = "expected 1 to max_staleness_secs seconds";
        return Err(Error::config("revocation.refresh_secs", problem));
    }
    Ok(policy)
}
