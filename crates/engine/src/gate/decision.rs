//! A check, and its decision as the shell gets it.

use std::rc::Rc;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::backend::Gate;
use super::task::{Desk, Outcome};
use edgegate::client_address::ClientAddress;
use edgegate::error::Error;
use edgegate::guard::{Event, Guard, Identity, Request, preflight_of, target_of};
use edgegate::http::caching::CacheRule;
use edgegate::http::cors;
use edgegate::http::reply::{self, Fields, Refusal};
use edgegate::policy::{Destination, Policy};
use edgegate::session::csrf::Provenance;

/// The request as the shell puts it. Absent headers are absent, or empty.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    method: String,
    /// A URL, or a path with its query: what the caller asked for.
    url: String,
    /// The path that the application routes by, where it has another one than that of the URL.
    path: Option<String>,
    authorization: Option<String>,
    dpop: Option<String>,
    api_key: Option<String>,
    cookie: Option<String>,
    /// The headers of the policy's `credential_headers`, in their order.
    credential_headers: Option<Vec<Option<String>>>,
    accept: Option<String>,
    origin: Option<String>,
    fetch_site: Option<String>,
    upgrade: Option<String>,
    requested_method: Option<String>,
    requested_headers: Option<String>,
    /// The address, as the application or the socket says it.
    client_ip: Option<String>,
    /// In place of it, the value of the header that the policy names.
    client_ip_header: Option<String>,
}

impl Asked {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text)
            .map_err(|_| Error::config("", "a request of another form than expected"))
    }

    /// What is known of the client's address, and which option says it.
    fn address(&self, policy: &Policy) -> (ClientAddress, &'static str) {
        match self.client_ip_header.as_deref() {
            Some(value) => (policy.client_ip_header.read(Some(value)), "client_ip_header"),
            None => (ClientAddress::of_one(self.client_ip.as_deref()), "clientIp"),
        }
    }
}

fn present(header: &Option<String>) -> Option<&str> {
    header.as_deref().filter(|value| !value.is_empty())
}

#[derive(Serialize)]
struct Answer<'a> {
    route: &'a str,
    #[serde(serialize_with = "as_object")]
    headers: Fields,
    #[serde(flatten)]
    outcome: Verdict<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Event<'a>>,
    /// What else the log is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Event<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Verdict<'a> {
    Admitted {
        identity: Caller<'a>,
        forward: Forward<'a>,
        #[serde(serialize_with = "as_object")]
        caching: Fields,
    },
    /// A CORS preflight, or what the route answers without asking anybody.
    Answered {
        status: u16,
        body: &'a str,
    },
    Refused {
        code: &'static str,
        reason: &'static str,
        message: String,
        status: u16,
        body: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Caller<'a> {
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    scopes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<&'a str>,
}

impl<'a> Caller<'a> {
    fn of(identity: &'a Identity) -> Self {
        let token = match identity {
            Identity::Token(token) => Some(token),
            Identity::Anonymous | Identity::ApiKey(_) => None,
        };
        Self {
            method: identity.method(),
            subject: identity.subject(),
            issuer: identity.issuer(),
            scopes: identity.scopes(),
            key_id: identity
                .api_key_id()
                .map(ToString::to_string)
                .or_else(|| token?.key_id().map(str::to_owned)),
            token_id: token.and_then(|token| token.token_id()),
        }
    }
}

/// The identity as the service gets it.
struct Forward<'a> {
    fields: Fields,
    identity: &'a Identity,
}

impl Serialize for Forward<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        serializer.collect_map(own.chain(self.identity.told()))
    }
}

fn as_object<S: Serializer>(fields: &Fields, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for (name, value) in fields {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

/// What the application's answer tells caches, where it does not do so itself.
fn caching(rule: CacheRule) -> Fields {
    let control = rule.private.then(|| ("Cache-Control", "private".to_owned()));
    let vary = rule.vary.map(|names| ("Vary", names));
    control.into_iter().chain(vary).collect()
}

pub(super) async fn check(gate: Rc<Gate>, asked: Asked, desk: Rc<Desk>) -> Outcome {
    let policy = &gate.policy;
    let target = match &asked.path {
        Some(path) => path.clone(),
        None if asked.url.starts_with('/') => asked.url.clone(),
        None => target_of(&asked.url),
    };
    let (address, named) = asked.address(policy);
    let fault = gate.memory.address_fault(address, named, desk.now());
    let fault = fault.map(|detail| Event::fault(detail).at(desk.now()));
    let credential_headers: Vec<_> =
        asked.credential_headers.iter().flatten().map(present).collect();
    let request = Request {
        method: &asked.method,
        path: &target,
        authorization: present(&asked.authorization),
        dpop: present(&asked.dpop),
        url: Some(&asked.url),
        api_key: present(&asked.api_key),
        cookie: present(&asked.cookie),
        credential_headers: &credential_headers,
        client_ip: address.known(),
        preflight: preflight_of(
            &asked.method,
            present(&asked.origin),
            present(&asked.requested_method),
        ),
        provenance: Provenance {
            method: &asked.method,
            fetch_site: present(&asked.fetch_site),
            origin: present(&asked.origin),
            upgrades: present(&asked.upgrade).is_some(),
        },
    };
    let backend = gate.backend(&desk);
    let decision = Guard::new(policy, &backend).check(&request, desk.now()).await;
    let event = Event::of(policy.log, &request, &decision, desk.now());
    let limits = reply::limit_fields(&decision.limits, policy.legacy_headers);
    let (of_cors, origin) = (decision.cors.as_deref(), present(&asked.origin));
    if let Ok(identity) = &decision.outcome {
        gate.note_use(identity, &desk);
    }
    let fixed = match decision.destination.as_deref() {
        Some(Destination::Answer(answer)) => Some(answer),
        Some(Destination::Upstream(_)) | None => None,
    };
    let (headers, outcome) = match (&decision.outcome, fixed) {
        (Ok(_), Some(answer)) => {
            let mut fields = limits;
            fields.extend(cors::refusal_fields(of_cors, origin));
            fields.extend(reply::fixed_fields(answer));
            let body = if request.preflight.is_some() { "" } else { &answer.body };
            let status = if request.preflight.is_some() { 204 } else { answer.status };
            (fields, Verdict::Answered { status, body })
        }
        (Ok(identity), None) => {
            let mut fields = limits;
            fields.extend(cors::answer_fields(of_cors, origin));
            let forward = Forward { fields: reply::identity_fields(identity), identity };
            let caching = caching(CacheRule::of(policy, identity, &decision));
            (fields, Verdict::Admitted { identity: Caller::of(identity), forward, caching })
        }
        (Err(_), _) if decision.answers_preflight() => {
            let answered = Verdict::Answered { status: reply::PREFLIGHT_STATUS, body: "" };
            let (method, asked_for) = (request.preflight, present(&asked.requested_headers));
            let mut fields = reply::preflight_fields();
            fields.extend(cors::preflight_fields(of_cors, origin, method, asked_for));
            (fields, answered)
        }
        (Err(error), _) => {
            let accept = present(&asked.accept);
            let Refusal { status, mut fields, body } =
                Refusal::new(error, decision.carrier, accept);
            fields.extend(limits);
            fields.extend(cors::refusal_fields(of_cors, origin));
            let refused = Verdict::Refused {
                code: error.code().as_str(),
                reason: error.reason(),
                message: error.to_string(),
                status,
                body,
            };
            (fields, refused)
        }
    };
    let answer = Answer { route: &decision.route, headers, outcome, event, fault };
    let claims = match &decision.outcome {
        // An answer has no identity to put them into.
        Ok(Identity::Token(token)) if fixed.is_none() => {
            // It was parsed as UTF-8 before it was verified.
            core::str::from_utf8(token.payload()).ok().map(str::to_owned)
        }
        _ => None,
    };
    Outcome { text: serde_json::to_string(&answer).unwrap_or_default(), claims }
}
