//! One line for the operator about each decision: the detail that callers are not told.

use serde::Serialize;

use super::{Carrier, Decision, Request};
use crate::{error::Error, policy::Log, store::SnapshotState, time::UnixMillis};

/// A decision as it is logged. It holds no credential, and nothing of one that was not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event<'a> {
    /// `admitted`, `refused`, or `answered`: a CORS preflight, by the gate itself.
    pub event: &'static str,
    /// Milliseconds since the epoch.
    pub at: UnixMillis,
    /// The stable code of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The finer reason of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The whole sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The method of the request.
    pub method: &'a str,
    /// The path pattern of the route.
    pub route: &'a str,
    /// How the credential came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Carrier>,
    /// The kind of identity, for admitted requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<&'static str>,
    /// The verified issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<&'a str>,
    /// The verified subject, or the owner of the API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'a str>,
    /// The identifier of the API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The client's address as limits count it (IPv6 by its /64).
    pub client: String,
    /// Store faults that the policy lets pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// The snapshot of revocations that was looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotState>,
}

impl<'a> Event<'a> {
    /// The event of a decision, if the policy wants it logged.
    #[must_use]
    pub fn of(
        log: Log,
        request: &Request<'a>,
        decision: &'a Decision,
        at: UnixMillis,
    ) -> Option<Self> {
        let wanted = match log {
            Log::None => false,
            Log::All => true,
            Log::Refusals => {
                let refused = decision.outcome.is_err() && !decision.answers_preflight();
                refused || !decision.faults.is_empty()
            }
        };
        if !wanted {
            return None;
        }
        let identity = decision.outcome.as_ref().ok();
        let answered = decision.answers_preflight();
        let refusal = decision.outcome.as_ref().err().filter(|_| !answered);
        let event = match refusal {
            Some(_) => "refused",
            None if answered => "answered",
            None => "admitted",
        };
        Some(Self {
            event,
            at,
            code: refusal.map(|error| error.code().as_str()),
            reason: refusal.map(Error::reason),
            detail: refusal.map(ToString::to_string),
            method: request.method,
            route: &decision.route,
            carrier: decision.carrier,
            identity: identity.map(super::Identity::method),
            issuer: identity.and_then(super::Identity::issuer),
            subject: identity.and_then(super::Identity::subject),
            key_id: identity.and_then(|known| known.api_key_id().map(ToString::to_string)),
            client: request.client(),
            faults: decision.faults.iter().map(ToString::to_string).collect(),
            snapshot: decision.snapshot,
        })
    }
}
