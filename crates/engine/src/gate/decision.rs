//! A check of a request, and the decision for the shell.

use std::borrow::Cow;
use std::rc::Rc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::backend::Gate;
use super::grants;
use super::lines::{Lines, Texts, unreadable};
use super::task::{HostJobs, Outcome};
use super::watch_work;
use crate::protocol::{ADMITTED, FIELDS, Field};
use edgegate::client_address::ClientAddress;
use edgegate::error::Error;
use edgegate::guard::session::{CookieChange, rest_of_cookies};
use edgegate::guard::{
    Decision, Event, Guard, Identity, Request, SessionNote, preflight_of, target_of,
};
use edgegate::http::caching::CacheRule;
use edgegate::http::login_endpoints::{Manner, SEE_OTHER, by_own_page, way_to_log_in};
use edgegate::http::reply::{self, Fields, Refusal};
use edgegate::http::{cors, explain};
use edgegate::page::{Page, move_on};
use edgegate::policy::{Destination, Policy};
use edgegate::session::csrf::Provenance;
use edgegate::time::UnixMillis;

/// Stands before the rest of the cookies, so that an empty rest is not an empty line.
const REST: char = '=';

/// The request as the shell puts it: a line for each [`Field`], then one for each header of the policy's
/// `credential_headers`, in their order. A line is empty where there is nothing.
#[derive(Debug)]
pub(super) struct Asked {
    texts: Texts,
    /// How many lines there are behind those.
    more: usize,
}

impl Asked {
    /// How the request was made, as its headers say.
    pub(super) fn manner<'a>(&'a self, method: &'a str) -> Manner<'a> {
        Manner {
            method,
            fetch_mode: self.get(Field::FetchMode),
            fetch_dest: self.get(Field::FetchDest),
            accept: self.get(Field::Accept),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        Self::with_more(text, 0)
    }

    /// The same, with so many lines more.
    pub(super) fn with_more(text: &str, more: usize) -> Result<Self, Error> {
        let texts = Texts::parse(text)?;
        let is_whole = texts.len() >= FIELDS.saturating_add(more);
        if is_whole { Ok(Self { texts, more }) } else { Err(unreadable()) }
    }

    pub(super) fn get(&self, field: Field) -> Option<&str> {
        self.texts.get(field as usize)
    }

    /// One of the lines behind those of a request.
    pub(super) fn more(&self, place: usize) -> Option<&str> {
        self.texts.get(self.end().saturating_add(place))
    }

    fn end(&self) -> usize {
        self.texts.len().saturating_sub(self.more)
    }

    pub(super) fn credential_headers(&self) -> Vec<Option<&str>> {
        (FIELDS..self.end()).map(|place| self.texts.get(place)).collect()
    }

    /// The request as the guard takes it.
    pub(super) fn request<'a>(
        &'a self,
        target: &'a str,
        credential_headers: &'a [Option<&'a str>],
        address: ClientAddress,
    ) -> Request<'a> {
        let method = self.get(Field::Method).unwrap_or_default();
        let origin = self.get(Field::Origin);
        Request {
            method,
            path: target,
            authorization: self.get(Field::Authorization),
            dpop: self.get(Field::Dpop),
            url: self.get(Field::Url),
            api_key: self.get(Field::ApiKey),
            cookie: self.get(Field::Cookie),
            credential_headers,
            client_ip: address.known(),
            preflight: preflight_of(method, origin, self.get(Field::RequestedMethod)),
            provenance: Provenance {
                fetch_site: self.get(Field::FetchSite),
                origin,
                upgrades: self.get(Field::Upgrade).is_some(),
            },
        }
    }

    /// The path that the application routes by. It may be without its query.
    pub(super) fn target(&self) -> Cow<'_, str> {
        self.get(Field::Path).map_or_else(|| self.sent_target(), Cow::Borrowed)
    }

    /// The path that the caller asked for, with its query.
    pub(super) fn sent_target(&self) -> Cow<'_, str> {
        match self.get(Field::Url).unwrap_or_default() {
            url if url.starts_with('/') => Cow::Borrowed(url),
            url => Cow::Owned(target_of(url)),
        }
    }

    /// The client's address, as far as it is known, and the option with which the shell passed it.
    pub(super) fn address(&self, policy: &Policy) -> (ClientAddress, &'static str) {
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
    /// The values of `Set-Cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Cookies>,
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
    cookies: Option<Cookies>,
    /// The `Cookie` header for the application, if it differs from the one that was sent.
    rest_of_cookies: Option<String>,
    /// The token of the caller's account at a provider, in the header that the route gives it.
    field_of_grant: Option<(String, String)>,
}

impl Admission<'_> {
    fn lines(&self) -> String {
        let mut lines = Lines::new();
        lines.push(ADMITTED);
        lines.push(self.route);
        // JSON, for most policies log refusals alone.
        let events = (!self.events.is_empty()).then(|| serde_json::to_string(&self.events));
        lines.push(&events.and_then(Result::ok).unwrap_or_default());
        let cookies = self.cookies.as_ref().map(serde_json::to_string);
        lines.push(&cookies.and_then(Result::ok).unwrap_or_default());
        // An empty line means that the header stays as it is.
        let rest = self.rest_of_cookies.as_deref();
        lines.push(&rest.map(|rest| format!("{REST}{rest}")).unwrap_or_default());
        lines.pairs(pairs_of(&self.headers));
        lines.pairs(pairs_of(&self.caching));
        let forward = reply::identity_fields(self.identity);
        let of_grant = self.field_of_grant.iter().map(|(name, token)| (&**name, &**token));
        lines.pairs(pairs_of(&forward).chain(self.identity.told()).chain(of_grant));
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

/// Cookies that the answer sets.
#[derive(Serialize)]
struct Cookies {
    values: Vec<String>,
    /// In milliseconds: an answer that begins later does not set them. `None`: it always does.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

impl Cookies {
    fn of(gate: &Gate, note: &SessionNote, now: UnixMillis) -> Option<Self> {
        let values = note.set_cookies(&gate.memory.sessions, now).to_vec();
        let until = match &note.change {
            Some(CookieChange::Set { until, .. }) => Some(until.as_millis()),
            Some(CookieChange::Expire(_)) | None => None,
        };
        (!values.is_empty()).then_some(Self { values, until })
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
    let origin = asked.get(Field::Origin);
    let (address, named) = asked.address(policy);
    let fault = gate.memory.address_fault(address, named, jobs.now());
    let fault = fault.map(|detail| Event::fault(detail).at(jobs.now()));
    let credential_headers = asked.credential_headers();
    let request = asked.request(&target, &credential_headers, address);
    let backend = gate.backend(&jobs);
    let mut decision = Guard::new(policy, &backend).check(&request, jobs.now()).await;
    let mut field_of_grant = None;
    if let Some(grant) = grants::of_route(&decision) {
        let account = asked.get(Field::GrantAccount);
        // A future of its own: its size would be that of all checks.
        match Box::pin(grants::field_for(&gate, (&decision, grant), account, &jobs)).await {
            Ok(field) => field_of_grant = field,
            Err(fault) => decision.refuse_after_all(fault),
        }
    }
    super::session_work::work_off(&gate, &jobs, &decision.session);
    if gate.watching.is_some() {
        watch_work::note(&gate, &request, &decision, &jobs);
    }
    let cookies = Cookies::of(&gate, &decision.session, jobs.now());
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
            let rest_of_cookies = request.cookie.and_then(|header| rest_of_cookies(policy, header));
            let admission = Admission {
                identity,
                route,
                headers,
                caching,
                events,
                cookies,
                rest_of_cookies,
                field_of_grant,
            };
            let text = admission.lines();
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
            let login = login_page(policy, &asked, (&request, &decision), error);
            let Refusal { status, mut fields, body } = login.unwrap_or_else(|| {
                Refusal::new(error, decision.carrier, asked.get(Field::Accept))
                    .naming(error, policy.resource_metadata.as_deref())
            });
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
    let answer = Answer { route: &decision.route, headers, outcome, event, cookies, fault };
    Outcome { text: serde_json::to_string(&answer).unwrap_or_default(), claims: None }
}

/// What a person who waits for a page gets in place of a refusal that a login helps against: the way to it.
fn login_page(
    policy: &Policy,
    asked: &Asked,
    (request, decision): (&Request<'_>, &Decision),
    error: &Error,
) -> Option<Refusal> {
    let manner = asked.manner(request.method);
    let target = asked.sent_target();
    let whole = (request, &*target);
    let url = way_to_log_in(policy, whole, (decision, error), || manner.is_navigation())?;
    let fetch_site = request.provenance.fetch_site;
    let Page { status, fields, body } = match by_own_page(policy, (&target, fetch_site), error) {
        Some(own) => move_on(&policy.pages, own.as_str()),
        None => {
            let fields = vec![("Location", url), ("Cache-Control", "no-store".to_owned())];
            Page { status: SEE_OTHER, fields, body: String::new() }
        }
    };
    Some(Refusal { status, fields, body })
}

/// What [`check`] would say, and why. Nothing is counted, noted, renewed or written to the log.
pub(super) async fn explain(gate: Rc<Gate>, asked: Asked, jobs: Rc<HostJobs>) -> Outcome {
    let policy = &gate.policy;
    let target = asked.target();
    let (address, _) = asked.address(policy);
    let credential_headers = asked.credential_headers();
    let request = asked.request(&target, &credential_headers, address);
    let backend = gate.backend(&jobs).only_read();
    let explanation = explain::explain(policy, &backend, &request, jobs.now()).await;
    Outcome { text: serde_json::to_string(&explanation).unwrap_or_default(), claims: None }
}
