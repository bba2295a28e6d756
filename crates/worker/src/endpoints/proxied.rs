//! Every path that is not the gate's own: decide, then pass the request on.

use web_sys::Response;

use super::login;
use crate::{
    answered::Answered,
    call::{Call, Edge},
    event_log,
    proxy::Forwarding,
    reply,
};
use edgegate::{
    error::Error,
    http::login_endpoints::{SEE_OTHER, login_for},
};

/// Sends a person who waits for a page to log in, and back here. A script is refused: it is told where people log in.
fn to_login(call: &Call<'_>, error: &Error) -> worker::Result<Option<Response>> {
    match login_for(error, call.target).filter(|_| login::is_navigation(call)) {
        Some(url) => reply::empty_with(SEE_OTHER, [("Location", url.as_str())]).map(Some),
        None => Ok(None),
    }
}

/// Passes an admitted request on; refuses any other.
pub(crate) async fn answer(call: &Call<'_>) -> worker::Result<Answered> {
    let (parts, policy) = (call.parts(), &call.gate.policy);
    let mut decision = call.decide(&parts, Edge::Proxy).await;
    let identity_token = match call.identity_token(&decision).await {
        Ok(token) => token,
        Err(fault) => {
            decision.outcome = Err(fault);
            event_log::decision(policy, &parts, &decision);
            None
        }
    };
    let forwarded = match &decision.outcome {
        Ok(identity) => {
            let forwarding = Forwarding {
                request: call.request,
                lines: call.lines,
                parts: &parts,
                identity,
                decision: &decision,
                policy,
                gate: call.gate,
                identity_token,
                upstream: call.gate.upstream.as_ref(),
                env: call.env,
                application: call.application,
            };
            forwarding.forward().await
        }
        Err(_) if decision.answers_preflight() => {
            return call.answer_preflight(&parts, &decision).map(Answered::Own);
        }
        Err(error) => {
            return match to_login(call, error)? {
                Some(redirect) => Ok(Answered::Own(redirect)),
                None => call.refuse(&parts, &decision).map(Answered::Own),
            };
        }
    };
    forwarded.or_else(|fault| {
        decision.outcome = Err(fault);
        event_log::decision(policy, &parts, &decision);
        call.refuse(&parts, &decision).map(Answered::Own)
    })
}
