//! Verification, and what a verifier keeps between calls.

use core::cell::RefCell;

use super::exchange::{self, Slot, Status};
use super::fields::{Fields, unexpected};
use super::handles::{Handles, no_such_handle};
use super::host::{self, Verdict};
use edgegate::base64url;
use edgegate::error::Error;
use edgegate::jose::claims::Claims;
use edgegate::jose::discovery::{Discovery, Found, Next, Reply, Step};
use edgegate::jose::keys::KeySet;
use edgegate::jose::keys::remote::{Plan, RemoteKeySet};
use edgegate::jose::verifier::{Issuer, KeySource, Signed, Suspended, TokenStep, Verifier};
use edgegate::jose::{
    algorithm::Algorithm,
    jws::{self, LastHeader, UntrustedToken},
};
use edgegate::time::UnixMillis;

thread_local! {
    pub(super) static VERIFIERS: RefCell<Handles<RunningVerifier>> =
        const { RefCell::new(Handles::new()) };
    pub(super) static KEYS: RefCell<Handles<RawKeys>> = const { RefCell::new(Handles::new()) };
}

/// A verifier, and what is known about the published keys of its issuers.
#[derive(Debug)]
pub(super) struct RunningVerifier {
    verifier: Verifier,
    /// One for each issuer. Only issuers that publish their keys use theirs.
    remote: Vec<RemoteKeySet>,
    last_header: LastHeader,
    waiting: Waiting,
}

impl RunningVerifier {
    pub(super) fn new(verifier: Verifier) -> Self {
        let remote = verifier.issuers().iter().map(|_| RemoteKeySet::default()).collect();
        Self { verifier, remote, last_header: LastHeader::default(), waiting: Waiting::default() }
    }

    /// The keys of an issuer, to be changed. Tokens that wait were begun with the old keys, so they are forgotten.
    fn remote(&mut self, issuer: usize) -> Result<(&Issuer, &mut RemoteKeySet), Error> {
        self.waiting.forget_all();
        self.verifier
            .issuers()
            .get(issuer)
            .zip(self.remote.get_mut(issuer))
            .ok_or_else(no_such_handle)
    }
}

/// How many tokens of one verifier may wait for the host. If there are more, the earliest ones are verified again in the
/// end, with the same verdict. So nothing has to be freed if a caller never comes back.
const MAX_WAITING: u32 = 32;
/// A longer payload is verified again too. So at most 256 KiB are kept.
const MAX_WAITING_BYTES: usize = 8 * 1024;

/// Tokens whose signatures the host is checking. The oldest place is used next.
#[derive(Debug, Default)]
struct Waiting {
    /// Counts the tokens. No token has the number 0.
    last_ticket: u32,
    places: Vec<Option<WaitingToken>>,
}

#[derive(Debug)]
struct WaitingToken {
    ticket: u32,
    token: Suspended,
    issuer: usize,
    /// The time when the call began. It decides by this time.
    now: UnixMillis,
    fresh_until: Option<UnixMillis>,
}

impl Waiting {
    /// Keeps a token, and returns its number; 0 if it is not kept.
    fn keep(
        &mut self,
        token: Suspended,
        issuer: usize,
        now: UnixMillis,
        fresh_until: Option<UnixMillis>,
    ) -> u32 {
        if token.payload_bytes() > MAX_WAITING_BYTES {
            return 0;
        }
        let ticket = self.last_ticket.checked_add(1).unwrap_or(1);
        self.last_ticket = ticket;
        let place = place_of(ticket);
        if self.places.len() <= place {
            self.places.resize_with(place.saturating_add(1), || None);
        }
        if let Some(entry) = self.places.get_mut(place) {
            *entry = Some(WaitingToken { ticket, token, issuer, now, fresh_until });
        }
        ticket
    }

    fn take(&mut self, ticket: u32) -> Option<WaitingToken> {
        let entry = self.places.get_mut(place_of(ticket))?;
        entry.take_if(|waiting| waiting.ticket == ticket)
    }

    fn forget_all(&mut self) {
        self.places.clear();
    }
}

const fn place_of(ticket: u32) -> usize {
    (ticket % MAX_WAITING) as usize
}

/// Keys for a JWS that is not a JWT.
#[derive(Debug)]
pub(super) struct RawKeys {
    pub(super) keys: KeySet,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) max_token_length: usize,
}

fn with<T>(
    handle: usize,
    step: impl FnOnce(&mut RunningVerifier) -> Result<T, Error>,
) -> Result<T, Error> {
    VERIFIERS.with_borrow_mut(|all| step(all.get_mut(handle).ok_or_else(no_such_handle)?))
}

pub(super) fn verify(handle: usize, token: &str, now: UnixMillis) -> Result<Status, Error> {
    with(handle, |running| {
        let issuers = running.verifier.issuers();
        let pending =
            running.verifier.begin_after(token, &mut running.last_header)?.offering_ed25519();
        let issuer = pending.issuer();
        let place = issuers.iter().position(|one| core::ptr::eq(one, issuer)).unwrap_or_default();
        exchange::leave(Slot::Issuer, place);
        let mut fresh_until = None;
        let keys = match (&issuer.keys, running.remote.get_mut(place)) {
            (KeySource::Remote { .. } | KeySource::Discovered(_), Some(remote)) => {
                match remote.plan(pending.key_id(), now) {
                    Plan::Use(keys) => {
                        fresh_until = remote.fresh_until();
                        Some(keys)
                    }
                    Plan::Fetch { etag, instead } => {
                        exchange::leave_text(etag.unwrap_or_default());
                        exchange::leave(Slot::Flag, usize::from(instead.is_some()));
                        return Ok(Status::KeysNeeded);
                    }
                    Plan::Wait => return Ok(Status::KeysUnderWay),
                    Plan::Unavailable => {
                        return Err(unavailable(issuer, "could not be fetched a moment ago"));
                    }
                }
            }
            _ => None,
        };
        let mut step = pending.verify(keys.as_deref())?;
        loop {
            match step {
                TokenStep::Verified(signed) => return accept(signed, now, fresh_until),
                TokenStep::NeedsHost(check) => {
                    step = match host::ask(check.task(), &issuer.rules.issuer) {
                        Ok(Verdict::Pending) => {
                            let token = check.suspend();
                            let ticket = running.waiting.keep(token, place, now, fresh_until);
                            exchange::leave_time(Slot::ValidFrom, i64::from(ticket));
                            return Ok(Status::Pending);
                        }
                        Ok(verdict) => check.conclude(verdict == Verdict::Holds)?,
                        Err(fault) => check.pass_over(fault)?,
                    };
                }
            }
        }
    })
}

/// The scopes of a token that [`verify`] has accepted. The token is not verified again.
pub(super) fn scopes_of(handle: usize, token: &str) -> Result<Status, Error> {
    with(handle, |running| {
        let pending = running.verifier.begin(token)?;
        let rules = &pending.issuer().rules;
        let payload = token.split('.').nth(1).and_then(base64url::decode).unwrap_or_default();
        let scopes = rules.scopes.scopes(&Claims::parse(&payload)?, rules.profile);
        exchange::leave_text(scopes.to_string());
        Ok(Status::Done)
    })
}

/// Goes on with a token that waits, after the host has said that its signature holds.
pub(super) fn resume(handle: usize, ticket: u32) -> Result<Status, Error> {
    with(handle, |running| {
        let waiting = running.waiting.take(ticket);
        let Some((waiting, issuer)) = waiting.and_then(|waiting| {
            let issuer = running.verifier.issuers().get(waiting.issuer)?;
            Some((waiting, issuer))
        }) else {
            return Ok(Status::Gone);
        };
        let WaitingToken { token, issuer: place, now, fresh_until, .. } = waiting;
        exchange::leave(Slot::Issuer, place);
        accept(Signed::resumed(token, issuer), now, fresh_until)
    })
}

/// Checks the claims, and leaves what the shell needs of the token.
fn accept(
    signed: Signed<'_>,
    now: UnixMillis,
    fresh_until: Option<UnixMillis>,
) -> Result<Status, Error> {
    let rules = &signed.issuer().rules;
    let verified = signed.claims(now.to_unix_time())?;
    let mut times = rules.valid_during(verified.claims());
    if let Some(fresh_until) = fresh_until {
        times.end = times.end.min(fresh_until.to_unix_time());
    }
    exchange::leave_time(Slot::ValidFrom, times.start.as_secs());
    exchange::leave_time(Slot::ValidUntil, times.end.as_secs());
    exchange::leave_key_id(verified.key_id());
    exchange::leave_text(verified.payload());
    Ok(Status::Done)
}

/// The answer of an issuer. Without `jwks`: nothing has changed.
struct Answer {
    jwks: Option<String>,
    etag: Option<String>,
    cache_control: Option<String>,
}

pub(super) fn keys_fetched(
    handle: usize,
    issuer: usize,
    answer: &str,
    now: UnixMillis,
) -> Result<Status, Error> {
    with(handle, |running| {
        let (issuer, remote) = running.remote(issuer)?;
        let fetched = read(answer).and_then(|answer| {
            let Answer { jwks, etag, cache_control } = answer;
            match jwks {
                None => remote
                    .not_modified(cache_control.as_deref(), now)
                    .map(|_| ())
                    .ok_or_else(|| "304 without any keys to keep".to_owned()),
                Some(jwks) => {
                    let keys =
                        KeySet::from_published_jwks(&jwks).map_err(|fault| fault.to_string())?;
                    remote.fetched(keys, etag, cache_control.as_deref(), now);
                    Ok(())
                }
            }
        });
        fetched.map(|()| Status::Done).map_err(|problem| {
            remote.failed(now);
            unavailable(issuer, &problem)
        })
    })
}

/// Where to ask for an issuer's keys, by what the last question has brought; see [`crate::next_place`].
pub(super) fn next_place(
    handle: usize,
    issuer: usize,
    asked: &str,
    now: UnixMillis,
) -> Result<Status, Error> {
    with(handle, |running| {
        let (issuer, remote) = running.remote(issuer)?;
        let KeySource::Discovered(discovery) = &issuer.keys else { return Err(unexpected()) };
        let mut asked = Fields::parse(asked)?;
        match next_of(discovery, &mut asked, now)? {
            Ok(Next::IsOfKeys) => Ok(Status::Done),
            Ok(Next::Ask(step, uri)) => {
                if let Some(began) = asked.count("began")? {
                    remote.goes_on(UnixMillis::from_millis(began), now);
                }
                exchange::leave(Slot::Issuer, step as usize);
                exchange::leave_text(uri);
                Ok(Status::KeysNeeded)
            }
            Err(problem) => {
                remote.failed(now);
                Err(unavailable(issuer, &problem))
            }
        }
    })
}

/// The next question, or why there is none.
fn next_of(
    discovery: &Discovery,
    asked: &mut Fields,
    now: UnixMillis,
) -> Result<Result<Next, String>, Error> {
    let Some(step) = asked.count::<usize>("step")? else {
        let read_at = asked.count("readAt")?.unwrap_or_default();
        let known =
            asked.string("uri")?.map(|uri| Found::new(uri, UnixMillis::from_millis(read_at)));
        let (step, uri) = discovery.first(known.as_ref().and_then(|found| found.uri(now)));
        return Ok(Ok(Next::Ask(step, uri)));
    };
    let steps = [Step::Known, Step::OpenId, Step::OAuth, Step::Named];
    let step = *steps.get(step).ok_or_else(unexpected)?;
    let (text, problem) = (asked.string("text")?, asked.string("problem")?);
    let reply = match (&text, asked.count("status")?, &problem) {
        (Some(text), _, _) => Reply::Text(text),
        (None, Some(status @ (404 | 410)), _) => Reply::Missing(status),
        (None, _, Some(problem)) => Reply::Failed(problem),
        (None, _, None) => Reply::NotModified,
    };
    Ok(discovery.next(step, reply))
}

pub(super) fn keys_failed(
    handle: usize,
    issuer: usize,
    problem: &str,
    now: UnixMillis,
) -> Result<Status, Error> {
    with(handle, |running| {
        let (issuer, remote) = running.remote(issuer)?;
        remote.failed(now);
        Err(unavailable(issuer, problem))
    })
}

pub(super) fn verify_jws(handle: usize, token: &str) -> Result<Status, Error> {
    KEYS.with_borrow_mut(|all| {
        let raw = all.get_mut(handle).ok_or_else(no_such_handle)?;
        let token = UntrustedToken::parse(token, raw.max_token_length)?.offering_ed25519();
        if !raw.algorithms.contains(&token.header().algorithm()) {
            return Err(Error::AlgorithmNotAllowed);
        }
        let mut step = token.verify_with_set(&raw.keys)?;
        loop {
            match step {
                jws::JwsStep::Verified(verified) => {
                    exchange::leave_key_id(verified.key_id());
                    exchange::leave_text(verified.payload());
                    return Ok(Status::Done);
                }
                jws::JwsStep::NeedsHost(check) => {
                    step = match host::ask(&check, "verifyJws") {
                        Ok(Verdict::Pending) => return Ok(Status::Pending),
                        Ok(verdict) => check.conclude(verdict == Verdict::Holds)?,
                        Err(fault) => check.pass_over(fault)?,
                    };
                }
            }
        }
    })
}

fn read(answer: &str) -> Result<Answer, String> {
    let read = || -> Result<Answer, Error> {
        let mut fields = Fields::parse(answer)?;
        Ok(Answer {
            jwks: fields.string("jwks")?,
            etag: fields.string("etag")?,
            cache_control: fields.string("cacheControl")?,
        })
    };
    read().map_err(|_| "answer is not readable".to_owned())
}

fn unavailable(issuer: &Issuer, problem: &str) -> Error {
    Error::KeysUnavailable { issuer: issuer.rules.issuer.clone(), problem: problem.to_owned() }
}
