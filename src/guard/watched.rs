//! What the watch is told of decisions: each is counted, some are told of.
//!
//! Of an admitted request there is an event once an hour for each caller and network; of refusals there are samples. Who it was is
//! told by pseudonyms, and only of callers who were verified.

use std::borrow::Cow;

use super::{
    AccountEvent, AskedBy, Decision, Identity, Request,
    shadow::{ADMITTED, Verdict},
};
use crate::{
    error::Error,
    policy::{WatchPolicy, is_of_failures},
    revocation::Revocable,
    time::UnixMillis,
    watch::{
        event::{EventV1, Kind, told},
        place::Place,
        pseudonym::{Pseudonyms, network_of},
        series::{Account, Series, Shadow},
        stuffing::Crowd,
        tally::{Caller, Noted, Sighted, Tally},
        travel::Point,
    },
};

/// What the edge knows of where a request comes from. It is asked for only of callers who are new, and of refusals.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Two capital letters.
    pub country: Option<String>,
    /// The number of the network operator.
    pub asn: Option<u32>,
    /// Where on the earth. It is asked for only if [`WatchPolicy::locates`].
    pub point: Option<Point>,
    /// Where the gate runs.
    pub colo: Option<String>,
    /// The family of the program that calls.
    pub agent: Option<String>,
}

impl Origin {
    /// Where somebody is: the network operator, or the network where that is not known.
    fn place(&self, network: Place) -> Place {
        self.asn.map_or(network, Place::operator)
    }
}

/// Takes note of a decision. Whether it is a failed authentication, of which is told sooner.
///
/// `origin` is told whether an event is made of it: else the country and the operator are enough.
pub fn note(
    tally: &mut Tally,
    watch: &WatchPolicy,
    (request, decision): (&Request<'_>, &Decision),
    now: UnixMillis,
    origin: impl FnOnce(bool) -> Origin,
) -> bool {
    // A preflight is nobody's request.
    if decision.preflight.is_some() {
        return false;
    }
    let identity = match &decision.outcome {
        Ok(identity) => Some(identity),
        Err(_) => decision.known.as_deref(),
    };
    let error = decision.outcome.as_ref().err();
    let noted = noted(decision, identity, error);
    tally.count(&noted);
    match error {
        None => {
            if let Some(identity) = identity {
                note_admitted(tally, watch, (request, decision, identity), now, origin);
            }
        }
        Some(error) => {
            if noted.is_failure {
                tally.count_network(&network(request).to_string());
            }
            note_refused(tally, watch, (request, decision, identity, error), now, origin);
        }
    }
    noted.is_failure
}

fn noted<'d>(
    decision: &'d Decision,
    identity: Option<&'d Identity>,
    error: Option<&'d Error>,
) -> Noted<'d> {
    let series = Series {
        code: error.map_or("", |error| error.code().as_str()),
        reason: error.map_or("", Error::reason),
        carrier: decision.carrier.map_or("", super::Carrier::word),
        identity: identity.map_or("", Identity::method),
        issuer: identity.and_then(Identity::issuer).unwrap_or_default(),
        route: &decision.route,
    };
    Noted {
        series,
        is_failure: error.is_some_and(is_failure),
        late_secs: match error {
            Some(Error::TokenExpired { expired_at, now }) => Some(now.secs_since(*expired_at)),
            _ => None,
        },
    }
}

/// Whether a credential was bad. One that is not looked at, since the address had too many bad ones before, counts as well: else who
/// guesses fast would be seen less than who guesses slowly.
fn is_failure(error: &Error) -> bool {
    match error {
        Error::RateLimited { limit, .. } => is_of_failures(limit),
        Error::WrongPassword
        | Error::WrongCode
        | Error::PasskeyRefused { .. }
        | Error::PasskeyCopied
        | Error::TooManyGuesses { .. } => true,
        other => other.is_failed_authentication(),
    }
}

fn note_admitted(
    tally: &mut Tally,
    watch: &WatchPolicy,
    (request, decision, identity): (&Request<'_>, &Decision, &Identity),
    now: UnixMillis,
    origin: impl FnOnce(bool) -> Origin,
) {
    let names = &watch.pseudonyms;
    let Some(credential) = number_of(names, identity) else { return };
    let network = network(request);
    let Some(first) = tally.first_sight(credential, network, now) else { return };
    let of_subject = |subject| names.number("subject", identity.issuer(), subject);
    let person = identity.subject().map_or(credential, of_subject);
    // Of more callers than there is room for events, where they are is noted all the same.
    let has_room = tally.has_room();
    let origin = origin(has_room);
    meet_at(tally, (&origin, network), Crowd::of_admitted(person));
    let caller = Caller {
        place: origin.place(network),
        country: origin.country.as_deref(),
        located: origin.point.map(|point| (person, point)),
    };
    tally.meet(first, caller, now);
    if has_room {
        let whose = (request, decision, Some(identity));
        let event = of_request(tally, watch, whose, Kind::Admitted, (&origin, now));
        tally.push(event);
    }
}

fn note_refused(
    tally: &mut Tally,
    watch: &WatchPolicy,
    (request, decision, identity, error): (&Request<'_>, &Decision, Option<&Identity>, &Error),
    now: UnixMillis,
    origin: impl FnOnce(bool) -> Origin,
) {
    let is_revoked = matches!(error, Error::TokenRevoked { .. } | Error::ApiKeyRevoked);
    let failed = failed(watch, request, decision, error);
    let has_room = tally.has_room();
    if !has_room && !is_revoked && failed.is_none() {
        return;
    }
    let (origin, network) = (origin(has_room), network(request));
    if let Some(failed) = failed {
        meet_at(tally, (&origin, network), Crowd::of_failed(failed));
    }
    let revoked = identity.filter(|_| is_revoked);
    if let Some(who) = revoked.and_then(|identity| number_of(&watch.pseudonyms, identity)) {
        let place = origin.place(network);
        tally.sight(Sighted { who, place, at: now, revoked: true, located: None });
    }
    if has_room {
        let whose = (request, decision, identity);
        let mut event = of_request(tally, watch, whose, Kind::Refused, (&origin, now));
        event.code = Some(error.code().as_str().to_owned());
        event.reason = Some(error.reason().to_owned());
        tally.push(event);
    }
}

/// A number for the name or the credential that failed, where somebody may have tried it who does not own it. A token whose key nobody
/// knows yet, or that is of another service, is no guess.
fn failed(
    watch: &WatchPolicy,
    request: &Request<'_>,
    decision: &Decision,
    error: &Error,
) -> Option<u64> {
    let presented = || {
        let text = request.api_key.or(request.authorization)?;
        Some(watch.pseudonyms.number("failed", None, text))
    };
    match error {
        Error::WrongPassword => decision.tried,
        // What all have together is used up by others.
        Error::TooManyGuesses { of, .. } if *of != "all" => decision.tried,
        Error::BadSignature | Error::ApiKeyTag | Error::UnknownApiKey => presented(),
        _ => None,
    }
}

/// Counts somebody for the network, and for its operator.
fn meet_at(tally: &mut Tally, (origin, network): (&Origin, Place), one: Crowd) {
    for place in [network, origin.place(Place::UNKNOWN)] {
        if place != Place::UNKNOWN {
            tally.meet_at(place, one);
        }
    }
}

fn of_request(
    tally: &mut Tally,
    watch: &WatchPolicy,
    (request, decision, identity): (&Request<'_>, &Decision, Option<&Identity>),
    kind: Kind,
    (origin, now): (&Origin, UnixMillis),
) -> EventV1 {
    let names = &watch.pseudonyms;
    let issuer = identity.and_then(Identity::issuer);
    let subject = identity.and_then(Identity::subject);
    EventV1 {
        method: Some(told(request.method)),
        route: (!decision.route.is_empty()).then(|| told(&decision.route)),
        carrier: decision.carrier.map(|carrier| carrier.word().to_owned()),
        identity: identity.map(|identity| identity.method().to_owned()),
        issuer: issuer.map(told),
        subject: subject.map(|subject| names.subject(issuer, subject)),
        credential: identity.and_then(|identity| credential(names, identity)),
        network: request.client_ip.map(network_of),
        country: origin.country.clone(),
        asn: origin.asn,
        agent: origin.agent.clone(),
        colo: origin.colo.clone(),
        ..EventV1::new(kind, &tally.next_id(), now)
    }
}

/// Takes note of what two policies say of a request, and has an event made of a difference.
pub fn note_shadow(
    tally: &mut Tally,
    (method, route): (&str, &str),
    (real, candidate): (Verdict, Verdict),
    now: UnixMillis,
) {
    let (Verdict::Judged(from), Verdict::Judged(to)) = (real, candidate) else {
        return tally.count_shadow(&Shadow::NotJudged);
    };
    if from == to {
        return tally.count_shadow(&Shadow::Same);
    }
    tally.count_shadow(&Shadow::Other { from, to, route });
    if tally.has_room() {
        let event = EventV1 {
            method: Some(told(method)),
            route: (!route.is_empty()).then(|| told(route)),
            code: (from != ADMITTED).then(|| from.to_owned()),
            shadow: Some(to.to_owned()),
            ..EventV1::new(Kind::Shadowed, &tally.next_id(), now)
        };
        tally.push(event);
    }
}

/// The event of a request to the administration. `actor` is the name of the secret.
#[must_use]
pub fn administered(
    tally: &mut Tally,
    (request, actor): (&Request<'_>, &str),
    (status, fault): (u16, Option<&Error>),
    now: UnixMillis,
) -> EventV1 {
    EventV1 {
        method: Some(told(request.method)),
        route: Some(told(request.path_alone())),
        network: request.client_ip.map(network_of),
        status: Some(status),
        code: fault.map(|fault| fault.code().as_str().to_owned()),
        actor: Some(told(actor)),
        ..EventV1::new(Kind::Administered, &tally.next_id(), now)
    }
}

/// Takes note of what has become of an account. `issuer` is that of the gate's own sessions: so the account has the name that its requests have.
pub fn note_account(
    tally: &mut Tally,
    (watch, issuer): (&WatchPolicy, Option<&str>),
    (request, AskedBy { route, actor }): (&Request<'_>, AskedBy<'_>),
    done: &AccountEvent,
    now: UnixMillis,
    origin: impl FnOnce() -> Origin,
) {
    let (action, methods) = (done.action.word(), done.methods);
    tally.count_account(&Account { action, methods });
    if !tally.has_room() {
        return;
    }
    let Origin { country, asn, colo, agent, .. } = origin();
    let subject = done.subject();
    let event = EventV1 {
        method: (!route.is_empty()).then(|| told(request.method)),
        route: (!route.is_empty()).then(|| told(route)),
        issuer: issuer.filter(|_| subject.is_some()).map(told),
        subject: subject.map(|subject| watch.pseudonyms.subject(issuer, &subject)),
        network: request.client_ip.map(network_of),
        country,
        asn,
        agent,
        colo,
        actor: actor.map(told),
        action: Some(action.to_owned()),
        methods: (!methods.is_empty()).then(|| methods.to_owned()),
        ..EventV1::new(Kind::Account, &tally.next_id(), now)
    };
    tally.push(event);
}

fn credential(names: &Pseudonyms, identity: &Identity) -> Option<String> {
    let revocable = identity.revocable()?;
    let (kind, id) = name_of(&revocable);
    Some(names.credential(kind, identity.issuer(), &id))
}

/// The same as a number: what an isolate remembers, and what is told of where somebody is.
fn number_of(names: &Pseudonyms, identity: &Identity) -> Option<u64> {
    let revocable = identity.revocable()?;
    let (kind, id) = name_of(&revocable);
    Some(names.number(kind, identity.issuer(), &id))
}

/// By what a credential is known: the session that a token is of, or its `jti`, or whom and when it was issued to.
fn name_of<'r>(revocable: &Revocable<'r>) -> (&'static str, Cow<'r, str>) {
    match revocable {
        Revocable::ApiKey { id } => ("key", id.to_string().into()),
        Revocable::Token { sid: Some(sid), .. } => ("sid", (*sid).into()),
        Revocable::Token { jti: Some(jti), .. } => ("jti", (*jti).into()),
        Revocable::Token { sub, issued_at, .. } => {
            let issued_at = issued_at.map(crate::time::UnixTime::as_secs).unwrap_or_default();
            ("iat", format!("{issued_at} {}", sub.unwrap_or_default()).into())
        }
    }
}

fn network(request: &Request<'_>) -> Place {
    request.client_ip.map_or(Place::UNKNOWN, Place::network)
}
