//! The event, version 1: the one form in which the gate tells others of something.
//!
//! Nothing in it can be used to call: no token, no key, no cookie, and nothing of a credential that did not verify. Who it was is a
//! pseudonym ([`super::pseudonym`]), where from a network. New fields may come; a reader ignores those that it does not know. A field
//! that is there keeps its meaning as long as `v` is 1.

use serde::Serialize;

use crate::{
    error::StoreError,
    json::{
        document,
        object::{described, words},
    },
    time::UnixMillis,
};

/// The version of the form.
pub const VERSION: u8 = 1;

/// The longest text in a field. Routes and issuers are the operator's; this holds where they are not.
const MAX_TEXT_BYTES: usize = 256;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A request may pass. Of a caller who is there again within the hour, from the same network, there is none: those are counted.
    Admitted,
    /// A request may not pass.
    Refused,
    /// An administrator did something, or tried to.
    Administered,
    /// Somebody has logged in to an account, or something of it has changed that lets somebody in.
    Account,
    /// A rule has begun to fire.
    Firing,
    /// A rule fires no more.
    Resolved,
    /// How far the audit is ([`super::audit`]).
    Checkpoint,
    /// A policy that may come would have said something else.
    Shadowed,
}

words!(Kind {
    "admitted" => Self::Admitted,
    "refused" => Self::Refused,
    "administered" => Self::Administered,
    "account" => Self::Account,
    "firing" => Self::Firing,
    "resolved" => Self::Resolved,
    "checkpoint" => Self::Checkpoint,
    "shadowed" => Self::Shadowed,
});

described! {
    /// Something that the gate tells of. Times are milliseconds since 1970. What does not apply is left out.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct EventV1 as Event, ignored {
        /// The version of this form.
        #[facts(minimum = 1, maximum = 1)]
        pub v: u8,
        /// Each event has another one. Texts in their order are events in their order of time, as far as clocks agree.
        #[facts(pattern = "^[0-9a-f]{36}$")]
        pub id: String,
        /// What happened.
        pub event: Kind,
        /// When, in milliseconds since 1970.
        pub at: UnixMillis,
        /// How many this one stands for.
        #[facts(minimum = 1)]
        pub n: u64,
        /// The stable code of a refusal.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub code: Option<String> = None,
        /// The finer reason of a refusal.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reason: Option<String> = None,
        /// The method of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub method: Option<String> = None,
        /// The path pattern of the route; for administration the path, which names ids and never a key or a token.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub route: Option<String> = None,
        /// How the credential came.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub carrier: Option<String> = None,
        /// The kind of identity: `anonymous`, `jwt` or `api_key`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub identity: Option<String> = None,
        /// The verified issuer.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub issuer: Option<String> = None,
        /// A pseudonym of the verified subject: the same one has the same.
        #[facts(pattern = "^s[0-9a-f]{16}$")]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subject: Option<String> = None,
        /// A pseudonym of the verified credential: of the session, the token or the API key.
        #[facts(pattern = "^c[0-9a-f]{16}$")]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub credential: Option<String> = None,
        /// The network of the caller: /24 of IPv4, /48 of IPv6.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network: Option<String> = None,
        /// The country of the caller, two letters, if the platform knows it.
        #[facts(pattern = "^[A-Z][A-Z0-9]$")]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub country: Option<String> = None,
        /// The number of the caller's network operator, if the platform knows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub asn: Option<u32> = None,
        /// The family of the program that called, as it says.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub agent: Option<String> = None,
        /// Where the gate ran.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub colo: Option<String> = None,
        /// The status of the answer to an administrator.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<u16> = None,
        /// The name of the administrator's secret.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub actor: Option<String> = None,
        /// What was done to an account, or by its owner, such as `logged_in`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub action: Option<String> = None,
        /// By what somebody has logged in to it, in the order in which it was shown, such as `password totp`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub methods: Option<String> = None,
        /// The name of the rule.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rule: Option<String> = None,
        /// What the rule looks at apart, such as a route or a network, if it groups.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub group: Option<String> = None,
        /// What the rule saw: a number, or percent for a ratio.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub value: Option<u64> = None,
        /// What it may be.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub threshold: Option<u64> = None,
        /// What it most likely comes of, if the rule can tell.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cause: Option<String> = None,
        /// What a policy that may come would have said: a code, or `admitted`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub shadow: Option<String> = None,
        /// The number of the last entry of the audit.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub seq: Option<u64> = None,
        /// The hash of that entry.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub hash: Option<String> = None,
        /// The MAC of the checkpoint.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub mac: Option<String> = None,
    }
}

impl EventV1 {
    /// An event that says no more than this.
    #[must_use]
    pub fn new(event: Kind, id: &EventId, at: UnixMillis) -> Self {
        Self {
            v: VERSION,
            id: id.text(at),
            event,
            at,
            n: 1,
            code: None,
            reason: None,
            method: None,
            route: None,
            carrier: None,
            identity: None,
            issuer: None,
            subject: None,
            credential: None,
            network: None,
            country: None,
            asn: None,
            agent: None,
            colo: None,
            status: None,
            actor: None,
            action: None,
            methods: None,
            rule: None,
            group: None,
            value: None,
            threshold: None,
            cause: None,
            shadow: None,
            seq: None,
            hash: None,
            mac: None,
        }
    }

    /// One JSON object. Structures of ours can always be written as JSON.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line.
    ///
    /// # Errors
    /// It is none of this version.
    pub fn from_line(line: &str) -> Result<Self, StoreError> {
        let event: Self = document::parse(line.as_bytes())
            .map_err(|_| StoreError::new("an event has another form than expected"))?;
        if event.v == VERSION {
            Ok(event)
        } else {
            Err(StoreError::new("an event is of another version"))
        }
    }
}

/// Text for a field: without characters that steer terminals, and of bounded length.
#[must_use]
pub fn told(text: &str) -> String {
    let mut kept = String::new();
    for char in text.chars() {
        if kept.len().saturating_add(char.len_utf8()) > MAX_TEXT_BYTES {
            break;
        }
        kept.push(if char.is_control() { ' ' } else { char });
    }
    kept
}

/// Which event it is: who tells of it, and the how manieth it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// Who tells of it: a random number of an isolate, or of a process.
    pub teller: u64,
    /// The number of the event there.
    pub number: u32,
}

impl EventId {
    /// Time first, so that texts in their order are in the order of time.
    fn text(self, at: UnixMillis) -> String {
        // 48 bits are enough until the year 10889.
        let millis = at.as_millis() & 0xffff_ffff_ffff;
        format!("{millis:012x}{:016x}{:08x}", self.teller, self.number)
    }
}

/// The schema of events.
#[cfg(feature = "describe")]
#[must_use]
pub fn described() -> crate::json::describe::Definitions {
    crate::json::describe::Definitions::of::<EventV1>()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    /// One that says everything that a refusal can.
    pub(in crate::watch) fn refusal() -> EventV1 {
        EventV1 {
            code: Some("TOKEN_REVOKED".to_owned()),
            reason: Some("token_revoked".to_owned()),
            method: Some("GET".to_owned()),
            route: Some("/v1/*".to_owned()),
            carrier: Some("bearer".to_owned()),
            identity: Some("jwt".to_owned()),
            issuer: Some("https://issuer.example/".to_owned()),
            subject: Some("s0123456789abcdef".to_owned()),
            credential: Some("cfedcba9876543210".to_owned()),
            network: Some("192.0.2.0/24".to_owned()),
            country: Some("DE".to_owned()),
            asn: Some(64_496),
            agent: Some("curl".to_owned()),
            colo: Some("FRA".to_owned()),
            ..EventV1::new(Kind::Refused, &EventId { teller: 0xabc, number: 7 }, NOW)
        }
    }

    /// Others read it: names, their order, and when they are there stay as they are.
    #[test]
    fn the_form_is_pinned() {
        let line = r#"{"v":1,"id":"018bcfe568000000000000000abc00000007","event":"refused","at":1700000000000,"n":1,"code":"TOKEN_REVOKED","reason":"token_revoked","method":"GET","route":"/v1/*","carrier":"bearer","identity":"jwt","issuer":"https://issuer.example/","subject":"s0123456789abcdef","credential":"cfedcba9876543210","network":"192.0.2.0/24","country":"DE","asn":64496,"agent":"curl","colo":"FRA"}"#;
        assert_eq!(refusal().line(), line);
        let alert = EventV1 {
            rule: Some("failures".to_owned()),
            group: Some("/v1/*".to_owned()),
            value: Some(101),
            threshold: Some(100),
            cause: Some("clock_skew".to_owned()),
            status: Some(200),
            actor: Some("ci".to_owned()),
            ..EventV1::new(Kind::Firing, &EventId { teller: 1, number: 2 }, NOW)
        };
        let line = r#"{"v":1,"id":"018bcfe56800000000000000000100000002","event":"firing","at":1700000000000,"n":1,"status":200,"actor":"ci","rule":"failures","group":"/v1/*","value":101,"threshold":100,"cause":"clock_skew"}"#;
        assert_eq!(alert.line(), line);
    }

    #[test]
    fn a_reader_ignores_fields_of_later_and_refuses_other_versions() {
        let event = refusal();
        assert_eq!(EventV1::from_line(&event.line()), Ok(event.clone()));
        let later = event.line().replace("\"n\":1", "\"n\":1,\"later\":{}");
        assert_eq!(EventV1::from_line(&later), Ok(event.clone()));
        let other = event.line().replace("\"v\":1", "\"v\":2");
        let fault = EventV1::from_line(&other).unwrap_err();
        assert_eq!(fault.to_string(), "an event is of another version");
        let none = EventV1::from_line("{}").unwrap_err();
        assert_eq!(none.to_string(), "an event has another form than expected");
    }

    #[test]
    fn ids_are_in_the_order_of_time_and_never_the_same() {
        let id = |millis, teller, number| {
            EventId { teller, number }.text(UnixMillis::from_millis(millis))
        };
        let mut ids = [id(2, 0, 0), id(1, u64::MAX, u32::MAX), id(1, 5, 1), id(1, 5, 2)];
        ids.sort();
        assert_eq!(ids, [id(1, 5, 1), id(1, 5, 2), id(1, u64::MAX, u32::MAX), id(2, 0, 0)]);
        assert!(ids.iter().all(|id| id.len() == 36));
        assert_eq!(id(u64::MAX, 0, 0).len(), 36);
    }

    #[test]
    fn text_steers_nothing_and_has_an_end() {
        assert_eq!(told("a\u{1b}[2Jb\nc"), "a [2Jb c");
        assert_eq!(told(&"\u{e9}".repeat(1_000)).len(), 256);
    }
}
