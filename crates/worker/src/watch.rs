//! What this isolate has counted, and how it is handed over: behind an answer, never before one.

use core::time::Duration;
use std::rc::Rc;

use web_sys::Request;
use worker::{Context, Delay, Env};

use super::{
    background, clock, fault, gate::Gate, host, objects::watch_stub, request::RequestParts,
};
use edgegate::{
    error::Error,
    guard::{
        AccountEvent, AskedBy, Decision,
        shadow::Verdict,
        watched::{self, Origin},
    },
    watch::{delta::Delta, pseudonym::agent_family, travel::Point},
};

/// The most deltas that one flush sends: the one that was not acknowledged, and the one that came together meanwhile.
const MAX_SENT: usize = 2;

/// Takes note of a decision. `is_direct`: the request comes from the caller itself, not from a proxy that asks. It is asked only where that
/// counts.
#[inline(never)]
pub(crate) fn note(
    gate: &Rc<Gate>,
    (env, context): (&Env, &Context),
    (request, is_direct): (&Request, &dyn Fn() -> bool),
    (parts, decision): (&RequestParts<'_>, &Decision),
) {
    let Some(watch) = &gate.policy.watch else { return };
    let now = clock::now();
    let of_request = (&parts.as_request(), decision);
    let wait = gate.memory.watch.with(|tally| {
        let is_failure = watched::note(tally, watch, of_request, now, |is_told| {
            origin(request, is_direct(), (is_told, watch.locates))
        });
        tally.plan(is_failure, now)
    });
    hand_over(gate, (env, context), wait);
}

/// Takes note of what two policies say of a request, by method and route.
pub(crate) fn note_shadow(
    gate: &Rc<Gate>,
    (env, context): (&Env, &Context),
    request: (&str, &str),
    said: (Verdict, Verdict),
) {
    let now = clock::now();
    let wait = gate.memory.watch.with(|tally| {
        watched::note_shadow(tally, request, said, now);
        tally.plan(false, now)
    });
    hand_over(gate, (env, context), wait);
}

/// Takes note of what an administrator did.
#[inline(never)]
pub(crate) fn note_administration(
    gate: &Rc<Gate>,
    (env, context): (&Env, &Context),
    (parts, actor): (&RequestParts<'_>, &str),
    done: (u16, Option<&Error>),
) {
    if gate.policy.watch.is_none() {
        return;
    }
    let now = clock::now();
    let wait = gate.memory.watch.with(|tally| {
        if tally.has_room_for_administration() {
            let event = watched::administered(tally, (&parts.as_request(), actor), done, now);
            tally.push(event);
        }
        tally.plan(false, now)
    });
    hand_over(gate, (env, context), wait);
}

/// Takes note of what has become of an account.
#[inline(never)]
pub(crate) fn note_account(
    gate: &Rc<Gate>,
    (env, context): (&Env, &Context),
    (request, is_direct): (&Request, bool),
    parts: &RequestParts<'_>,
    (by, done): (AskedBy<'_>, &AccountEvent),
) {
    let Some(watch) = &gate.policy.watch else { return };
    let issuer = gate.policy.sessions.as_ref().map(|own| own.issuer.as_str());
    let now = clock::now();
    let wait = gate.memory.watch.with(|tally| {
        let of_request = (&parts.as_request(), by);
        watched::note_account(tally, (watch, issuer), of_request, done, now, || {
            origin(request, is_direct, (true, false))
        });
        tally.plan(false, now)
    });
    hand_over(gate, (env, context), wait);
}

fn hand_over(gate: &Rc<Gate>, (env, context): (&Env, &Context), wait: Option<u64>) {
    if let Some(wait) = wait {
        let (gate, env) = (Rc::clone(gate), env.clone());
        background::run(context, async move {
            Delay::from(Duration::from_millis(wait)).await;
            flush(&gate, &env).await;
        });
    }
}

/// Hands over what has come together, and waits until it is added.
pub(crate) async fn flush(gate: &Gate, env: &Env) {
    for _ in 0..MAX_SENT {
        let Some(delta) = gate.memory.watch.with(|tally| tally.take(clock::now())) else { return };
        if let Err(fault) = send(gate, env, &delta).await {
            gate.memory.watch.with(|tally| tally.missed(clock::now()));
            fault::report(&format!("watch: counts not handed over, later again: {fault}"));
            return;
        }
    }
}

async fn send(gate: &Gate, env: &Env, delta: &Delta) -> Result<(), edgegate::error::StoreError> {
    let answer = watch_stub::add(env, delta).await?;
    gate.memory.watch.with(|tally| tally.acknowledged(answer, clock::now()));
    Ok(())
}

/// What the platform knows of the caller; what an event alone has, only if one `is_told`, and where on the earth only if a rule asks.
/// Where a proxy asks, it is the proxy that the platform knows.
fn origin(request: &Request, is_direct: bool, (is_told, locates): (bool, bool)) -> Origin {
    if !is_direct && !is_told {
        return Origin::default();
    }
    let known = host::origin(request, is_told).unwrap_or_default();
    let lines: Vec<&str> = known.split('\n').collect();
    // Others, if a value has a line break, which none of the platform has.
    let ([country, asn, latitude, longitude], [colo, agent]) = match *lines.as_slice() {
        [a, b, c, d] => ([a, b, c, d], ["", ""]),
        [a, b, c, d, colo, agent] => ([a, b, c, d], [colo, agent]),
        _ => return Origin::default(),
    };
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let text = |text: &str| is_plain(text).then(|| text.to_owned());
    let seen = Origin {
        colo: Some(colo).filter(|colo| (1..=8).contains(&colo.len())).and_then(text),
        agent: (!agent.is_empty()).then(|| agent_family(agent).to_owned()),
        ..Origin::default()
    };
    if !is_direct {
        return seen;
    }
    Origin {
        country: Some(country).filter(|country| country.len() == 2).and_then(text),
        asn: asn.parse().ok(),
        point: locates.then(|| Point::read(latitude, longitude)).flatten(),
        ..seen
    }
}
