//! What an isolate hands over at once, and what it is answered.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    event::{EventV1, VERSION},
    stuffing::Crowd,
    travel::Located,
};
use crate::{
    error::StoreError,
    json::{document, object::object},
    time::UnixMillis,
};

/// The most events that one delta has: samples. What is beyond is counted all the same.
pub const MAX_EVENTS: usize = 100;

/// The most events of the administration, beside those.
pub const MAX_ADMINISTERED: usize = 20;

/// The most sightings that one delta has.
pub const MAX_SIGHTINGS: usize = 500;

/// The most places of which one delta tells who came from there.
pub const MAX_CROWDS: usize = 512;

object! {
    /// What an isolate has counted since the last one that was acknowledged.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Delta, ignored {
        /// The version of the form.
        pub v: u8,
        /// Which isolate: 16 hexadecimal digits, random.
        pub isolate: String,
        /// 1, 2, 3, … of this isolate. The same again is the same delta.
        pub seq: u64,
        /// Counts by name ([`super::series`]).
        pub counts: BTreeMap<String, u64>,
        /// Samples, and what administrators did.
        pub events: Vec<EventV1> = Vec::new(),
        /// Where credentials were seen.
        pub sightings: Vec<Sighting> = Vec::new(),
        /// Who came from where: by network, and by operator.
        pub crowds: BTreeMap<String, Crowd> = BTreeMap::new(),
        /// How many events and sightings were too many.
        pub dropped: u64 = 0,
        /// How many decisions were in deltas that were given up: nobody knows whether they were added.
        pub lost: u64 = 0,
    }
}

object! {
    /// A credential at a place.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Sighting, ignored {
        /// The pseudonym of the credential.
        pub who: String,
        /// The network operator (`AS64496`), or the network where that is not known.
        pub place: String,
        /// When, by the clock of the isolate.
        pub at: UnixMillis,
        /// Whether it was refused since it is revoked.
        pub revoked: bool = false,
        /// Where on the earth, if a rule asks.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub located: Option<Located> = None,
    }
}

object! {
    /// The answer: this delta, and all before it, are added, once.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
    pub struct Acknowledged, ignored {
        /// The number of the delta.
        pub seq: u64,
        /// How long the isolate is to wait before the next one.
        pub next_millis: u64,
        /// Credentials that were seen at several places: each further sighting is to be told.
        pub watched: Vec<String> = Vec::new(),
    }
}

impl Delta {
    /// As it is sent.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what was sent.
    ///
    /// # Errors
    /// It is not ours, or has more than an isolate may hand over.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        let delta: Self = document::parse(text.as_bytes())
            .map_err(|_| StoreError::new("a delta has another form than expected"))?;
        if delta.v != VERSION || delta.seq == 0 || delta.isolate.len() != 16 {
            return Err(StoreError::new("a delta is of another version"));
        }
        let most = MAX_EVENTS.saturating_add(MAX_ADMINISTERED);
        if delta.events.len() > most
            || delta.sightings.len() > MAX_SIGHTINGS
            || delta.crowds.len() > MAX_CROWDS
        {
            return Err(StoreError::new("a delta has more than fits"));
        }
        Ok(delta)
    }
}

impl Acknowledged {
    /// As it is sent.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what was sent.
    ///
    /// # Errors
    /// It is not ours.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        document::parse(text.as_bytes())
            .map_err(|_| StoreError::new("an acknowledgement has another form than expected"))
    }
}
