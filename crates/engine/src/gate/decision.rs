//! A check of a request, and the decision for the shell.

use std::borrow::Cow;
use std::rc::Rc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::backend::Gate;
use super::lines::{Lines, Texts, unreadable};
use super::task::{HostJobs, Outcome};
use crate::protocol::{ADMITTED, FIELDS, Field};
use edgegate::client_address::ClientAddress;
use edgegate::error::Error;
use edgegate::guard::{Event, Guard, Identity, Request, preflight_of, target_of};
use edgegate::http::caching::CacheRule;
use edgegate::http::cors;
use edgegate::http::reply::{self, Fields, Refusal};
use edgegate::policy::{Destination, Policy};
use edgegate::session::csrf::Provenance;

/// The request as the shell puts it: a line for each [`Field`], then one for each header of the policy's
/// `credential_headers`, in their order. A line is empty where there is nothing.
#[derive(Debug)]
pub(super) struct Asked(Texts);

impl Asked {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let texts = Texts::parse(text)?;
        if texts.len() < FIELDS { Err(unreadable()) } else { Ok(Self(texts)) }
    }

    fn get(&self, field: Field) -> Option<&str> {
        self.0.get(field as usize)
    }

    fn credential_headers(&self) -> Vec<Option<&str>> {
        (FIELDS..self.0.len()).map(|place| self.0.get(place)).collect()
    }

    /// The path that the application routes by, with its query.
    fn target(&self) -> Cow<'_, str> {
        match (self.get(Field::Path), self.get(Field::Url).unwrap_or_default()) {
            (Some(path), _) => Cow::Borrowed(path),
            (None, url) if url.starts_with('/') => Cow::Borrowed(url),
            (None, url) => Cow::Owned(target_of(url)),
        }
    }

    /// The client's address, as far as it is known, and the option with which the shell passed it.
    fn address(&self, policy: &Policy) -> (ClientAddress, &'static str) {
        match self.get(Field::ClientIpHeader) {
            Some(value) => (policy.client_ip_header.read(Some(value)), "client_ip_header"),
            None => (ClientAddress::of_one(self.get(Field::ClientIp)), "clientIp"),
        }
    }
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
    /// Further lines for the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Event<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Verdict<'a> {
    /// The answer to a CORS preflight, or the fixed answer of a route.
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

/// An admission as the shell gets it: lines. `pkg/lib/gate.js` reads them in this order.
struct Admission<'a> {
    identity: &'a Identity,
    route: &'a str,
    headers: Fields,
    caching: Fields,
    /// What the log is told.
    events: Vec<Event<'a>>,
}

impl Admission<'_> {
    fn lines(&self) -> String {
        let mut lines = Lines::new();
        lines.push(ADMITTED);
        lines.push(self.route);
        // JSON, for most policies log refusals alone.
        let events = (!self.events.is_empty()).then(|| serde_json::to_string(&self.events));
        lines.push(&events.and_then(Result::ok).unwrap_or_default());
        lines.pairs(pairs_of(&self.headers));
        lines.pairs(pairs_of(&self.caching));
        let forward = reply::identity_fields(self.identity);
        lines.pairs(pairs_of(&forward).chain(self.identity.told()));
        self.caller(&mut lines);
        lines.into_text()
    }

    /// What is known of the caller, by name. The scopes have spaces between them, which none of them has.
    fn caller(&self, lines: &mut Lines) {
        let identity = self.identity;
        let token = match identity {
            Identity::Token(token) => Some(token),
            Identity::Anonymous | Identity::ApiKey(_) => None,
        };
        let api_key_id = identity.api_key_id().map(ToString::to_string);
        let key_id = api_key_id.as_deref().or_else(|| token?.key_id());
        let scopes = identity.scopes().join(" ");
        let known = [
            ("method", Some(identity.method())),
            ("subject", identity.subject()),
            ("issuer", identity.issuer()),
            ("scopes", Some(scopes.as_str())),
            ("keyId", key_id),
            ("tokenId", token.and_then(|token| token.token_id())),
        ];
        lines.pairs(known.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    }
}

fn pairs_of(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str()))
}

fn as_object<S: Serializer>(fields: &Fields, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for (name, value) in fields {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

/// What the application's answer tells caches, if the application does not say it.
fn caching(rule: CacheRule) -> Fields {
    let control = rule.private.then(|| ("Cache-Control", "private".to_owned()));
    let vary = rule.vary.map(|names| ("Vary", names));
    control.into_iter().chain(vary).collect()
}

pub(super) async fn check(gate: Rc<Gate>, asked: Asked, jobs: Rc<HostJobs>) -> Outcome {
    let policy = &gate.policy;
    let target = asked.target();
    let method = asked.get(Field::Method).unwrap_or_default();
    let origin = asked.get(Field::Origin);
    let (address, named) = asked.address(policy);
    let fault = gate.memory.address_fault(address, named, jobs.now());
    let fault = fault.map(|detail| Event::fault(detail).at(jobs.now()));
    let credential_headers = asked.credential_headers();
    let request = Request {
        method,
        path: &target,
        authorization: asked.get(Field::Authorization),
        dpop: asked.get(Field::Dpop),
        url: asked.get(Field::Url),
        api_key: asked.get(Field::ApiKey),
        cookie: asked.get(Field::Cookie),
        credential_headers: &credential_headers,
        client_ip: address.known(),
        preflight: preflight_of(method, origin, asked.get(Field::RequestedMethod)),
        provenance: Provenance {
            method,
            fetch_site: asked.get(Field::FetchSite),
            origin,
            upgrades: asked.get(Field::Upgrade).is_some(),
        },
    };
    let backend = gate.backend(&jobs);
    let decision = Guard::new(policy, &backend).check(&request, jobs.now()).await;
    let event = Event::of(policy.log, &request, &decision, jobs.now());
    let limits = reply::limit_fields(&decision.limits, policy.legacy_headers);
    let of_cors = decision.cors.as_deref();
    if let Ok(identity) = &decision.outcome {
        gate.note_use(identity, &jobs);
    }
    let fixed = match decision.destination.as_deref() {
        Some(Destination::Answer(answer)) => Some(answer),
        Some(Destination::Upstream(_)) | None => None,
    };
    let (headers, outcome) = match (&decision.outcome, fixed) {
        (Ok(identity), None) => {
            let mut headers = limits;
            headers.extend(cors::answer_fields(of_cors, origin));
            let caching = caching(CacheRule::of(policy, identity, &decision));
            let events = event.into_iter().chain(fault).collect();
            let route = &decision.route;
            let text = Admission { identity, route, headers, caching, events }.lines();
            let claims = match decision.outcome {
                Ok(Identity::Token(token)) => Some(token.into_payload()),
                _ => None,
            };
            return Outcome { text, claims };
        }
        (Ok(_), Some(answer)) => {
            let mut fields = limits;
            fields.extend(cors::refusal_fields(of_cors, origin));
            fields.extend(reply::fixed_fields(answer));
            (fields, Verdict::Answered { status: answer.status, body: &answer.body })
        }
        (Err(_), _) if decision.answers_preflight() => {
            let answered = Verdict::Answered { status: reply::PREFLIGHT_STATUS, body: "" };
            let asked_for = asked.get(Field::RequestedHeaders);
            let mut fields = reply::preflight_fields();
            fields.extend(cors::preflight_fields(of_cors, origin, request.preflight, asked_for));
            (fields, answered)
        }
        (Err(error), _) => {
            let Refusal { status, mut fields, body } =
                Refusal::new(error, decision.carrier, asked.get(Field::Accept))
                    .naming(error, policy.resource_metadata.as_deref());
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
    Outcome { text: serde_json::to_string(&answer).unwrap_or_default(), claims: None }
}
