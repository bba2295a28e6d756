//! What is stored of a grant. STORAGE.md has the same.
//!
//! Unknown members are ignored when a row is read; a change of meaning raises [`GRANT_VERSION`], and such a row is refused. Tokens stand in
//! it sealed.

use serde::Serialize;

use super::seal::SealedToken;
use crate::{
    json::object::{object, words},
    login::exchange::{PATIENCE_MILLIS, REFRESH_PATIENCE_MILLIS},
    time::UnixTime,
};

/// The version of the stored form that is written and understood.
pub const GRANT_VERSION: u8 = 1;

/// The most grants that an owner has.
pub const MAX_GRANTS: usize = 20;

/// How long a refresh may be under way before it counts as lost. Whoever asks the provider gives up before: it reads the provider's document
/// ([`PATIENCE_MILLIS`]), asks for tokens ([`REFRESH_PATIENCE_MILLIS`]), and stores them. So no two are ever under way.
pub const LEASE_SECS: u64 = 60;

/// What is left of a lease for all that asks no provider: to open and seal tokens, and to store them at the third try.
const STORING_MILLIS: u32 = 15_000;

const _: () = assert!(
    (PATIENCE_MILLIS + REFRESH_PATIENCE_MILLIS + STORING_MILLIS) as u64 <= LEASE_SECS * 1000
);

/// How long before its end an access token is refreshed, at most; of short ones a tenth of their life.
pub const MARGIN_SECS: u64 = 60;

/// An access token is used this long at least, whatever the provider says of its life: else each request would be a refresh.
pub const LEAST_USE_SECS: u64 = 10;

/// The first pause after the provider could not answer; each one after it is twice as long.
pub const FIRST_PAUSE_SECS: u64 = 1;

/// The longest such pause.
pub const LONGEST_PAUSE_SECS: u64 = 300;

/// Why a grant is of no use until its owner connects the account again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reconnect {
    /// The provider says that it is over (`invalid_grant`).
    Ended,
    /// The same, after an answer with fresh tokens may have been lost: a crash, or a fault of the network.
    EndedAfterLoss,
    /// The access token has ended, and there is no refresh token.
    Expired,
}

words!(Reconnect {
    "ended" => Reconnect::Ended,
    "ended_after_loss" => Reconnect::EndedAfterLoss,
    "expired" => Reconnect::Expired,
});

object! {
    /// A refresh that is under way. It is noted before the provider is asked.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Lease, ignored {
        /// Which one.
        pub attempt: u32,
        /// Since when.
        pub began_at: UnixTime,
    }
}

object! {
    /// A grant.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct GrantRow, ignored {
        /// The version of the form.
        pub v: u8,
        /// The id of the provider in the policy.
        pub provider: String,
        /// The account there, by the provider's stable id.
        pub account: String,
        /// The account's name for people.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub label: Option<String> = None,
        /// What the tokens may do there.
        pub scopes: Vec<String>,
        /// The token for calls; none once the grant has ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub access: Option<SealedToken> = None,
        /// The token for the next; none: the provider gave none, or it has ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub refresh: Option<SealedToken> = None,
        /// When the access token ends; none: it does not, as far as is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<UnixTime> = None,
        /// How long it lived when it was given.
        pub lifetime_secs: u64 = 0,
        /// When the access token was given.
        pub given_at: UnixTime,
        /// When its owner connected the account last.
        pub connected_at: UnixTime,
        /// Which tokens these are: an answer to a question with others changes nothing. It begins with the time, in seconds, so that no
        /// number of a grant that has ended comes back with a new one of the same account, and grows by one whenever they change.
        pub generation: u64,
        /// How often the provider was asked to refresh it.
        pub attempts: u32 = 0,
        /// The refresh that is under way.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub lease: Option<Lease> = None,
        /// How often in a row the provider could not answer.
        pub failures: u32 = 0,
        /// Before that it is not asked again.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub retry_at: Option<UnixTime> = None,
        /// How often since tokens last came an answer may have been lost that had fresh ones.
        pub lost: u32 = 0,
        /// Why it is of no use, if so.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reconnect: Option<Reconnect> = None,
    }
}

impl GrantRow {
    /// Whether this is the grant.
    #[must_use]
    pub fn is_of(&self, provider: &str, account: &str) -> bool {
        self.provider == provider && self.account == account
    }

    /// Whether the access token has ended.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether the access token may be used without asking the provider.
    pub(super) fn is_fresh(&self, now: UnixTime) -> bool {
        let Some(at) = self.expires_at else { return true };
        let margin = MARGIN_SECS.min(self.lifetime_secs.div_euclid(10));
        // Of a clock that was put back since nothing is known.
        let is_new = self.given_at <= now && now < self.given_at.saturating_add(LEAST_USE_SECS);
        now.saturating_add(margin) < at || is_new
    }

    /// The refresh that is under way. One that began in the future was noted by a clock that was put back: it is lost as well.
    pub(super) fn live_lease(&self, now: UnixTime) -> Option<Lease> {
        let is_live = |lease: &Lease| {
            now < lease.began_at.saturating_add(LEASE_SECS)
                && lease.began_at <= now.saturating_add(LEASE_SECS)
        };
        self.lease.filter(is_live)
    }

    /// The provider could not answer: the next try comes later each time.
    pub(super) fn back_off(&mut self, now: UnixTime) {
        let pause = FIRST_PAUSE_SECS.checked_shl(self.failures.min(32)).unwrap_or(u64::MAX);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now.saturating_add(pause.min(LONGEST_PAUSE_SECS)));
    }

    /// For how many seconds the provider is not asked.
    pub(super) fn pause_secs(&self, now: UnixTime) -> Option<u64> {
        let secs = self.retry_at?.secs_since(now);
        // More than the longest was noted by a clock that was put back.
        (1..=LONGEST_PAUSE_SECS).contains(&secs).then_some(secs)
    }
}
