//! What is stored of a subject: its own row, and one for each session, ticket and notice. STORAGE.md has the same.
//!
//! Unknown members are ignored when a row is read; a change of meaning raises [`ROW_VERSION`], and such a row is refused. No row holds
//! a token, or anything that a token could be made of.

use serde::Serialize;

use super::id::{BrowserName, Place, ProviderSession, Salt, SessionId, TicketHash};
use crate::{json::object::object, time::UnixTime};

/// The version of the stored form that is written and understood.
pub const ROW_VERSION: u8 = 1;

/// For how long tokens of a session are remembered as ended beyond the longest that it was given: a clock that is behind by a
/// minute, and the minute of tolerance that the gate's verifier has for its own tokens.
pub const NOTICE_MARGIN_SECS: u64 = 120;

object! {
    /// What is kept of the subject as a whole.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
    pub struct SubjectRow, ignored {
        /// The version of the form.
        pub v: u8,
        /// `sub`; none before the first session, and after it was forgotten.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub sub: Option<String> = None,
        /// Since when no session is opened or refreshed.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub disabled_at: Option<UnixTime> = None,
        /// Tokens issued before this are refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub before: Option<UnixTime> = None,
        /// Until when that has to be known.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub before_until: Option<UnixTime> = None,
        /// When sessions were opened in the last hour.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub openings: Vec<UnixTime> = Vec::new(),
    }
}

object! {
    /// From where a session was opened, for the list that its owner sees. The caller's own words, cut to length.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
    pub struct Device, ignored {
        /// `User-Agent`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub agent: Option<String> = None,
        /// The country, in two letters.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub country: Option<String> = None,
        /// The network: an IPv4 address, or a /64.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network: Option<String> = None,
    }
}

/// The longest `User-Agent` that is kept.
const MAX_AGENT_LENGTH: usize = 200;

impl Device {
    /// What an edge has seen.
    #[must_use]
    pub fn seen(agent: Option<&str>, country: Option<String>, network: String) -> Self {
        let plain = |text: &str| {
            text.chars().filter(|one| !one.is_control()).take(MAX_AGENT_LENGTH).collect()
        };
        Self { agent: agent.map(plain), country, network: Some(network) }
    }
}

object! {
    /// What a session is opened with: who it is, how that was proven, and what it may do.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
    pub struct Opening, ignored {
        /// `sub`.
        pub sub: String,
        /// The OAuth client that alone may refresh it; none: first-party.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub client: Option<String> = None,
        /// The scopes.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub scopes: Vec<String> = Vec::new(),
        /// The audience, some of the policy's; empty: all of it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub audience: Vec<String> = Vec::new(),
        /// When the user proved who it is; none: at opening.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub auth_time: Option<UnixTime> = None,
        /// How (RFC 8176).
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub amr: Vec<String> = Vec::new(),
        /// The class of that proof.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub acr: Option<String> = None,
        /// The key that its tokens are bound to (RFC 7638).
        #[serde(skip_serializing_if = "Option::is_none")]
        pub jkt: Option<String> = None,
        /// Further claims: the text of a JSON object.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub claims: Option<String> = None,
        /// A name for the list of sessions.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub label: Option<String> = None,
        /// Whether it outlives the browser, and a day.
        pub remember: bool = true,
        /// The login that it came of; none: it was opened by an administrator or a ticket.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub login: Option<LoginRow> = None,
    }
}

object! {
    /// What is kept of a login with others.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct LoginRow, ignored {
        /// The provider's id in the policy.
        pub provider: String,
        /// When the provider said who it is.
        pub at: UnixTime,
        /// The provider's own session, hashed with its issuer: the provider can end it. None: it did not name one.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub session: Option<ProviderSession> = None,
    }
}

object! {
    /// A session.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct SessionRow, ignored {
        /// The version of the form.
        pub v: u8,
        /// `sid`.
        pub id: SessionId,
        /// What its refresh tokens carry.
        pub salt: Salt,
        /// What it was opened with, and was narrowed to since.
        pub opening: Opening,
        /// From where.
        pub device: Device = Device::default(),
        /// When it began; step-up does not move it.
        pub created_at: UnixTime,
        /// The end that nothing moves.
        pub absolute_until: UnixTime,
        /// The last refresh, exact to `access_secs`.
        pub last_seen_at: UnixTime,
        /// How long it may be idle, by the policy of the last refresh.
        pub idle_secs: u32,
        /// How often it was refreshed.
        pub generation: u32 = 0,
        /// When this generation was made.
        pub rotated_at: UnixTime,
        /// When the generation before it was made, or last given again.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub replaced_at: Option<UnixTime> = None,
        /// Which secret sealed its refresh token, so that who repeats gets the same bytes.
        pub sealed_by: u8,
        /// Whether this generation was seen in use.
        pub confirmed: bool = false,
        /// How often the last generation came again, counted at most once in 30 s.
        pub repeats: u32 = 0,
        /// When that was last counted.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub repeated_at: Option<UnixTime> = None,
        /// Where this generation was made.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub place: Option<Place> = None,
        /// The browser that logged in, where it came of a login.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub browser: Option<BrowserName> = None,
        /// The longest that an access token of it was given, in seconds.
        pub longest_secs: u32,
        /// Whether its key is that of the first proof, not of its opening: then a token from before it is one of two holders'.
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        pub bound_by_proof: bool = false,
    }
}

object! {
    /// A ticket that waits to be redeemed.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct TicketRow, ignored {
        /// The version of the form.
        pub v: u8,
        /// Its hash.
        pub hash: TicketHash,
        /// The session that it opens.
        pub opening: Opening,
        /// From then on it is worth nothing.
        pub until: UnixTime,
    }
}

object! {
    /// What has ended and is not known yet where revocations are kept: written in the same step, taken out once it is known there.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Notice, ignored {
        /// The version of the form.
        pub v: u8,
        /// The session; none: all of the subject that were issued before `before`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub sid: Option<SessionId> = None,
        /// The subject, where it is about all of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub sub: Option<String> = None,
        /// The cut-off, with the subject.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub before: Option<UnixTime> = None,
        /// Until when it has to be known.
        pub until: UnixTime,
        /// When it was made.
        pub created_at: UnixTime,
    }
}

/// The longest text of a device, in characters.
const MAX_DEVICE_CHARS: usize = 200;

impl Device {
    /// With its texts cut to length: they are the caller's own words.
    #[must_use]
    pub fn cut(self) -> Self {
        let cut = |text: Option<String>| {
            text.map(|text| {
                text.chars().filter(|c| !c.is_control()).take(MAX_DEVICE_CHARS).collect()
            })
        };
        Self { agent: cut(self.agent), country: cut(self.country), network: cut(self.network) }
    }
}

impl SessionRow {
    /// From when on it has ended by itself, by what it was opened with and by the policy of now: the earlier counts.
    #[must_use]
    pub fn ends_at(&self, terms: &super::step::Terms) -> UnixTime {
        let idle = u64::from(self.idle_secs.min(terms.idle_secs));
        let absolute = self.created_at.saturating_add(terms.absolute_secs.into());
        let own = self.absolute_until.min(absolute).min(self.last_seen_at.saturating_add(idle));
        self.recheck_at(terms).map_or(own, |at| own.min(at))
    }

    /// From when on the person has to log in again, since what the provider said is too old; `None`: it came of no login.
    #[must_use]
    pub fn recheck_at(&self, terms: &super::step::Terms) -> Option<UnixTime> {
        let at = self.opening.login.as_ref()?.at;
        Some(at.saturating_add(terms.recheck_secs.into()))
    }

    /// What has to be known once it has ended.
    #[must_use]
    pub fn notice(&self, now: UnixTime) -> Notice {
        let margin = u64::from(self.longest_secs).saturating_add(NOTICE_MARGIN_SECS);
        Notice {
            v: ROW_VERSION,
            sid: Some(self.id),
            sub: None,
            before: None,
            until: now.saturating_add(margin),
            created_at: now,
        }
    }
}
