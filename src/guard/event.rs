//! The lines of the event log, for the operator: the detail that callers are not told.

use std::borrow::Cow;

use serde::Serialize;

use super::{AccountEvent, AskedBy, Carrier, Decision, Identity, Request};
use crate::{
    error::{Error, StoreError},
    json::{document, object::object},
    policy::Log,
    store::SnapshotState,
    time::UnixMillis,
    watch::audit::Checkpoint,
};

/// A line of the event log, on every edge. It serialises to one JSON object, whose `event` names the kind.
///
/// It holds no credential, and nothing of one that was not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request may pass.
    Admitted(Decided<'a>),
    /// A request may not pass.
    Refused(Decided<'a>),
    /// The gate itself answered a CORS preflight.
    Answered(Decided<'a>),
    /// An administrator did something, or tried to.
    Administered(Administered<'a>),
    /// Somebody has logged in to an account, or something of it has changed that lets somebody in.
    Account(AccountDone<'a>),
    /// How far the audit is. Whoever keeps it elsewhere sees whether the audit was cut or written anew since.
    Checkpoint(Checkpoint),
    /// Something went wrong beside a decision.
    Fault(Fault),
    /// The policy cannot be used.
    ConfigError(Fault),
}

/// What a line says of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided<'a> {
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

/// What a line says of an admitted request if its upstream fails: the decision is gone by then. It can be written down, and
/// read where the fault is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOn<'a> {
    /// Whether the policy wants a line.
    logged: bool,
    method: Cow<'a, str>,
    route: Cow<'a, str>,
    carrier: Option<Carrier>,
    client: String,
    faults: Vec<String>,
    snapshot: Option<SnapshotState>,
}

object! {
    /// The same, as it is read.
    struct Kept, ignored {
        logged: bool,
        method: String,
        route: String,
        carrier: Option<Carrier> = None,
        client: String,
        faults: Vec<String> = Vec::new(),
        snapshot: Option<SnapshotState> = None,
    }
}

impl PassedOn<'static> {
    /// Reads what was written down.
    ///
    /// # Errors
    /// It is not ours.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        let Kept { logged, method, route, carrier, client, faults, snapshot } =
            document::parse(text.as_bytes())
                .map_err(|_| StoreError::new("a request has another form than expected"))?;
        let (method, route) = (Cow::Owned(method), Cow::Owned(route));
        Ok(Self { logged, method, route, carrier, client, faults, snapshot })
    }
}

impl<'a> PassedOn<'a> {
    /// What is kept of a request and of the decision to admit it.
    #[must_use]
    pub fn new(log: Log, request: &Request<'a>, decision: &'a Decision) -> Self {
        Self {
            logged: log != Log::None,
            method: Cow::Borrowed(request.method),
            route: Cow::Borrowed(&decision.route),
            carrier: decision.carrier,
            client: request.client(),
            faults: decision.faults.iter().map(ToString::to_string).collect(),
            snapshot: decision.snapshot,
        }
    }

    /// Writes it down in one line, which [`Self::from_text`] reads. Each request that is passed on has it, and hardly any needs it: so it is
    /// JSON that is written by hand.
    pub fn write_to(&self, text: &mut String) {
        text.push_str(if self.logged { "{\"logged\":true" } else { "{\"logged\":false" });
        write_text(text, ",\"method\":", &self.method);
        write_text(text, ",\"route\":", &self.route);
        if let Some(carrier) = self.carrier {
            write_text(text, ",\"carrier\":", carrier.word());
        }
        write_text(text, ",\"client\":", &self.client);
        if !self.faults.is_empty() {
            text.push_str(",\"faults\":");
            text.push_str(&serde_json::to_string(&self.faults).unwrap_or_default());
        }
        if let Some(snapshot) = &self.snapshot {
            text.push_str(",\"snapshot\":");
            text.push_str(&serde_json::to_string(snapshot).unwrap_or_default());
        }
        text.push('}');
    }

    /// How the credential came, if there was one.
    #[must_use]
    pub const fn carrier(&self) -> Option<Carrier> {
        self.carrier
    }

    /// The event of the refusal that the request ends with, if the policy wants it logged: the same as [`Event::of`] this fault.
    #[must_use]
    pub fn failed(&self, fault: &Error, at: UnixMillis) -> Option<Event<'_>> {
        self.logged.then(|| {
            Event::Refused(Decided {
                at,
                code: Some(fault.code().as_str()),
                reason: Some(fault.reason()),
                detail: Some(fault.to_string()),
                method: &self.method,
                route: &self.route,
                carrier: self.carrier,
                identity: None,
                issuer: None,
                subject: None,
                key_id: None,
                client: self.client.clone(),
                faults: self.faults.clone(),
                snapshot: self.snapshot,
            })
        })
    }
}

fn write_text(text: &mut String, before: &str, value: &str) {
    text.push_str(before);
    let is_plain = |byte: u8| byte >= b' ' && !matches!(byte, b'"' | b'\\');
    if value.bytes().all(is_plain) {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        // A text can always be written as JSON.
        text.push_str(&serde_json::to_string(value).unwrap_or_default());
    }
}

/// What a line says of a request to the administration, once the administrator is known. The path names ids, never a
/// key or a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Administered<'a> {
    /// Milliseconds since the epoch.
    pub at: UnixMillis,
    /// The method of the request.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// The stable code, if the request was not done, or not wholly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The whole sentence. A fault in the middle says what was done before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The client's address as limits count it (IPv6 by its /64).
    pub client: String,
    /// The name of the administrator's secret in the policy.
    pub actor: &'a str,
}

/// What a line says of an account. It names no address: the subject is that of its sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountDone<'a> {
    /// Milliseconds since the epoch.
    pub at: UnixMillis,
    /// What was done, as [`AccountAction::word`](super::AccountAction::word) says it.
    pub action: &'static str,
    /// By what somebody has logged in.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub methods: &'static str,
    /// The method of the request. An application that asks by itself has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'a str>,
    /// The path of the endpoint.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub route: &'a str,
    /// The subject of the account's sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The client's address as limits count it (IPv6 by its /64).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The name of the administrator's secret in the policy, if an administrator did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<&'a str>,
}

/// What a line says of a fault beside a decision: what was to be done is not done, or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Milliseconds since the epoch, where the log does not add them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<UnixMillis>,
    /// The whole sentence.
    pub detail: String,
    /// An issuer's keys are used beyond their time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_keys: Option<bool>,
    /// Whether an older policy stays in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_kept: Option<bool>,
}

impl Fault {
    fn new(detail: String) -> Self {
        Self { at: None, detail, stale_keys: None, policy_kept: None }
    }
}

impl<'a> Event<'a> {
    /// Whether the policy wants a decision logged.
    #[must_use]
    pub fn is_wanted(log: Log, decision: &Decision) -> bool {
        match log {
            Log::None => false,
            Log::All => true,
            Log::Refusals => {
                let refused = decision.outcome.is_err() && !decision.answers_preflight();
                refused || !decision.faults.is_empty()
            }
        }
    }

    /// The event of a decision, if the policy wants it logged.
    #[must_use]
    pub fn of(
        log: Log,
        request: &Request<'a>,
        decision: &'a Decision,
        at: UnixMillis,
    ) -> Option<Self> {
        if !Self::is_wanted(log, decision) {
            return None;
        }
        let identity = decision.outcome.as_ref().ok();
        let answered = decision.answers_preflight();
        let refusal = decision.outcome.as_ref().err().filter(|_| !answered);
        let decided = Decided {
            at,
            code: refusal.map(|error| error.code().as_str()),
            reason: refusal.map(Error::reason),
            detail: refusal.map(ToString::to_string),
            method: request.method,
            route: &decision.route,
            carrier: decision.carrier,
            identity: identity.map(Identity::method),
            issuer: identity.and_then(Identity::issuer),
            subject: identity.and_then(Identity::subject),
            key_id: identity.and_then(|known| known.api_key_id().map(ToString::to_string)),
            client: request.client(),
            faults: decision.faults.iter().map(ToString::to_string).collect(),
            snapshot: decision.snapshot,
        };
        Some(match refusal {
            Some(_) => Self::Refused(decided),
            None if answered => Self::Answered(decided),
            None => Self::Admitted(decided),
        })
    }

    /// The event of a request by an administrator, unless the policy wants nothing logged: whatever else is logged, this is.
    /// `fault` is why it was not done, or not wholly.
    #[must_use]
    pub fn of_administration(
        log: Log,
        (request, actor): (&Request<'a>, &'a str),
        (status, fault): (u16, Option<&Error>),
        at: UnixMillis,
    ) -> Option<Self> {
        if log == Log::None {
            return None;
        }
        Some(Self::Administered(Administered {
            at,
            method: request.method,
            path: request.path_alone(),
            status,
            code: fault.map(|error| error.code().as_str()),
            detail: fault.map(ToString::to_string),
            client: request.client(),
            actor,
        }))
    }

    /// The event of what has become of an account, unless the policy wants nothing logged: whatever else is logged, this is.
    #[must_use]
    pub fn of_account(
        log: Log,
        request: &Request<'a>,
        AskedBy { route, actor }: AskedBy<'a>,
        done: &AccountEvent,
        at: UnixMillis,
    ) -> Option<Self> {
        if log == Log::None {
            return None;
        }
        let is_of_caller = !route.is_empty();
        Some(Self::Account(AccountDone {
            at,
            action: done.action.word(),
            methods: done.methods,
            method: is_of_caller.then_some(request.method),
            route,
            subject: done.subject(),
            client: is_of_caller.then(|| request.client()),
            actor,
        }))
    }

    /// Something went wrong beside a decision.
    #[must_use]
    pub fn fault(detail: impl Into<String>) -> Self {
        Self::Fault(Fault::new(detail.into()))
    }

    /// The keys of an issuer could not be fetched, and older ones are in use.
    #[must_use]
    pub fn stale_keys(fault: &Error) -> Self {
        Self::Fault(Fault { stale_keys: Some(true), ..Fault::new(fault.to_string()) })
    }

    /// A policy was not taken. `kept`: whether an older one stays in force.
    #[must_use]
    pub fn policy_not_taken(fault: &Error, kept: bool) -> Self {
        let said = Fault { policy_kept: Some(kept), ..Fault::new(fault.to_string()) };
        match fault {
            Error::Config { .. } => Self::ConfigError(said),
            _ => Self::Fault(said),
        }
    }

    /// A fault with its time, where the log does not add it. Other events have theirs.
    #[must_use]
    pub fn at(self, now: UnixMillis) -> Self {
        match self {
            Self::Fault(fault) => Self::Fault(Fault { at: Some(now), ..fault }),
            Self::ConfigError(fault) => Self::ConfigError(Fault { at: Some(now), ..fault }),
            other => other,
        }
    }

    /// The line: one JSON object. Structures of ours can always be written as JSON.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    fn decided() -> Decided<'static> {
        Decided {
            at: NOW,
            code: None,
            reason: None,
            detail: None,
            method: "GET",
            route: "/v1/*",
            carrier: None,
            identity: None,
            issuer: None,
            subject: None,
            key_id: None,
            client: "192.0.2.7".to_owned(),
            faults: Vec::new(),
            snapshot: None,
        }
    }

    #[test]
    fn the_line_of_an_upstream_that_failed_is_that_of_any_refusal() {
        let request = Request {
            client_ip: Some("2001:db8::1".parse().unwrap()),
            ..Request::bare("GET", "/v1/a?b")
        };
        let fault = Error::Upstream { problem: "\"no\"\nconnection".to_owned() };
        let store = Error::StoreUnavailable { store: "counters", problem: "KV".to_owned() };
        let snapshot = Some(SnapshotState { generation: 7, age_secs: 3 });
        let admitted = Decision {
            faults: vec![store.clone()],
            snapshot,
            outcome: Ok(Identity::Anonymous),
            ..Decision::refused(fault.clone(), Some(Carrier::Cookie), "/v1/\u{e9}\"*")
        };
        let refused = Decision {
            faults: vec![store],
            snapshot,
            ..Decision::refused(fault.clone(), Some(Carrier::Cookie), "/v1/\u{e9}\"*")
        };
        for log in [Log::Refusals, Log::All, Log::None] {
            let mut kept = String::new();
            PassedOn::new(log, &request, &admitted).write_to(&mut kept);
            assert!(!kept.contains('\n'));
            let kept = PassedOn::from_text(&kept).unwrap();
            assert_eq!(
                kept.failed(&fault, NOW).map(|event| event.line()),
                Event::of(log, &request, &refused, NOW).map(|event| event.line()),
            );
        }
    }

    /// Logs are read by programs: names, their order, and when they are there stay as they are.
    #[test]
    fn the_schema_of_every_line_is_pinned() {
        let plain = r#""at":1700000000000,"method":"GET","route":"/v1/*","client":"192.0.2.7"}"#;
        let full = Decided {
            code: Some("TOKEN_EXPIRED"),
            reason: Some("token_expired"),
            detail: Some("a sentence".to_owned()),
            carrier: Some(Carrier::ApiKeyHeader),
            identity: Some("jwt"),
            issuer: Some("https://issuer.example/"),
            subject: Some("user-1"),
            key_id: Some("k".to_owned()),
            faults: vec!["another sentence".to_owned()],
            snapshot: Some(SnapshotState { generation: 7, age_secs: 3 }),
            ..decided()
        };
        let full_line = r#"{"event":"refused","at":1700000000000,"code":"TOKEN_EXPIRED","reason":"token_expired","detail":"a sentence","method":"GET","route":"/v1/*","carrier":"api_key_header","identity":"jwt","issuer":"https://issuer.example/","subject":"user-1","key_id":"k","client":"192.0.2.7","faults":["another sentence"],"snapshot":{"generation":7,"age_secs":3}}"#;
        let administered = Administered {
            at: NOW,
            method: "DELETE",
            path: "/auth/admin/keys/k",
            status: 503,
            code: Some("STORE_UNAVAILABLE"),
            detail: Some("a sentence".to_owned()),
            client: "192.0.2.7".to_owned(),
            actor: "ci",
        };
        let done = Administered { status: 200, code: None, detail: None, ..administered.clone() };
        let logged_in = AccountDone {
            at: NOW,
            action: "logged_in",
            methods: "password totp",
            method: Some("POST"),
            route: "/auth/mfa",
            subject: Some("account|1".to_owned()),
            client: Some("192.0.2.7".to_owned()),
            actor: None,
        };
        let by_application = AccountDone {
            action: "deleted",
            methods: "",
            method: None,
            route: "",
            client: None,
            ..logged_in.clone()
        };
        let config = Error::Config { path: "routes".to_owned(), problem: "is empty".to_owned() };
        let store = Error::StoreUnavailable { store: "policy", problem: "KV".to_owned() };
        for (event, line) in [
            (Event::Admitted(decided()), format!(r#"{{"event":"admitted",{plain}"#)),
            (Event::Answered(decided()), format!(r#"{{"event":"answered",{plain}"#)),
            (Event::Refused(full), full_line.to_owned()),
            (Event::Administered(done), r#"{"event":"administered","at":1700000000000,"method":"DELETE","path":"/auth/admin/keys/k","status":200,"client":"192.0.2.7","actor":"ci"}"#.to_owned()),
            (Event::Administered(administered), r#"{"event":"administered","at":1700000000000,"method":"DELETE","path":"/auth/admin/keys/k","status":503,"code":"STORE_UNAVAILABLE","detail":"a sentence","client":"192.0.2.7","actor":"ci"}"#.to_owned()),
            (Event::Account(AccountDone { actor: Some("ci"), ..logged_in }), r#"{"event":"account","at":1700000000000,"action":"logged_in","methods":"password totp","method":"POST","route":"/auth/mfa","subject":"account|1","client":"192.0.2.7","actor":"ci"}"#.to_owned()),
            (Event::Account(by_application), r#"{"event":"account","at":1700000000000,"action":"deleted","subject":"account|1"}"#.to_owned()),
            (Event::Checkpoint(Checkpoint { seq: 7, hash: "h".to_owned(), at: NOW, mac: "m".to_owned() }), r#"{"event":"checkpoint","seq":7,"hash":"h","at":1700000000000,"mac":"m"}"#.to_owned()),
            (Event::fault("a sentence"), r#"{"event":"fault","detail":"a sentence"}"#.to_owned()),
            (Event::fault("a sentence").at(NOW), r#"{"event":"fault","at":1700000000000,"detail":"a sentence"}"#.to_owned()),
            (Event::stale_keys(&store), format!(r#"{{"event":"fault","detail":"{store}","stale_keys":true}}"#)),
            (Event::policy_not_taken(&store, true), format!(r#"{{"event":"fault","detail":"{store}","policy_kept":true}}"#)),
            (Event::policy_not_taken(&config, false), format!(r#"{{"event":"config_error","detail":"{config}","policy_kept":false}}"#)),
        ] {
            assert_eq!(event.line(), line);
        }
    }
}
