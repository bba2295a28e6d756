//! That grants were ended. Whoever was connecting an account at that time must not bring it back, so the end is remembered for as long as
//! an attempt lives.

use serde::Serialize;

use super::record::GRANT_VERSION;
use crate::{
    json::object::object,
    login::state::{LIFETIME_SECS, REMEMBERED_SECS},
    time::UnixTime,
};

/// The most ends that are told apart. Beyond it all count as one, of everything.
const MAX_ENDS: usize = 20;

/// The longest name that an end is remembered by; a longer one means all.
const MAX_NAME_LENGTH: usize = 255;

object! {
    /// An end of grants.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct End, ignored {
        /// Of this provider; none: of all.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub provider: Option<String> = None,
        /// Of this account; none: of all.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub account: Option<String> = None,
        /// When it was.
        pub at: UnixTime,
    }
}

object! {
    /// The ends of an owner's grants, as they are stored.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Ends, ignored {
        /// The version of the form.
        pub v: u8,
        /// The last ones.
        pub ends: Vec<End>,
    }
}

impl Default for Ends {
    fn default() -> Self {
        Self { v: GRANT_VERSION, ends: Vec::new() }
    }
}

impl End {
    const fn until(&self) -> UnixTime {
        self.at.saturating_add(LIFETIME_SECS + REMEMBERED_SECS)
    }

    /// One of the future was noted by a clock that was put back since.
    fn counts(&self, now: UnixTime) -> bool {
        now < self.until() && self.at <= now.saturating_add(REMEMBERED_SECS)
    }

    fn is_of(&self, provider: &str, account: &str) -> bool {
        self.provider.as_ref().is_none_or(|own| own == provider)
            && self.account.as_ref().is_none_or(|own| own == account)
    }
}

impl Ends {
    /// Notes that grants end now.
    pub(super) fn note(&mut self, provider: Option<&str>, account: Option<&str>, now: UnixTime) {
        let named = |name: Option<&str>| {
            name.filter(|name| name.len() <= MAX_NAME_LENGTH).map(str::to_owned)
        };
        let (provider, account) = (named(provider), named(account));
        self.ends.retain(|end| end.counts(now));
        self.ends.retain(|end| (&end.provider, &end.account) != (&provider, &account));
        let end = if self.ends.len() < MAX_ENDS {
            End { provider, account, at: now }
        } else {
            self.ends.clear();
            End { provider: None, account: None, at: now }
        };
        self.ends.push(end);
    }

    /// Whether an account that somebody began to connect at that time was ended since.
    pub(super) fn forbid(
        &self,
        (provider, account): (&str, &str),
        began_at: UnixTime,
        now: UnixTime,
    ) -> bool {
        let mut ends = self.ends.iter().filter(|end| end.counts(now));
        ends.any(|end| end.is_of(provider, account) && began_at <= end.at)
    }

    /// Until when one of them counts.
    pub(super) fn until(&self) -> Option<UnixTime> {
        self.ends.iter().map(End::until).max()
    }

    /// Whether none counts.
    pub(super) fn are_over(&self, now: UnixTime) -> bool {
        !self.ends.iter().any(|end| end.counts(now))
    }
}
