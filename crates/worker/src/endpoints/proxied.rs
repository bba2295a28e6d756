//! Every path that is not the gate's own: decide, then pass the request on.

use edgegate::{cold_path::cold, error::Error, guard::Decision};
use web_sys::Response;

use super::login;
use crate::{
    answered::Answered,
    call::{Call, Edge},
    event_log,
    proxy::Forwarding,
    request::RequestParts,
    shadow,
};

/// Passes an admitted request on; refuses any other.
pub(crate) async fn answer(call: &Call<'_>) -> worker::Result<Answered> {
    let (parts, policy) = (call.parts(), &call.gate.policy);
    let mut decision = call.decide(&parts, Edge::Proxy).await;
    shadow::judge_later(call, &decision, Edge::Proxy);
    let (identity_token, grant_token) = if Call::wants_tokens(&decision) {
        cold(call.tokens(&decision)).await.unwrap_or_else(|fault| {
            call.refuse_after_all(&parts, &mut decision, fault);
            (None, None)
        })
    } else {
        (None, None)
    };
    // What the upstream does not answer was let in all the same.
    call.count(&parts, &decision, Edge::Proxy);
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
                grant_token,
                upstream: call.gate.upstream.as_ref(),
                env: call.env,
                application: call.application,
            };
            forwarding.forward().await
        }
        Err(_) if decision.answers_preflight() => {
            return call.answer_preflight(&parts, &decision).map(Answered::Own);
        }
        Err(error) => return refused(call, &parts, &decision, error).map(Answered::Own),
    };
    forwarded.or_else(|fault| {
        decision.outcome = Err(fault);
        event_log::decision(policy, &parts, &decision);
        call.refuse(&parts, &decision).map(Answered::Own)
    })
}

#[inline(never)]
fn refused(
    call: &Call<'_>,
    parts: &RequestParts<'_>,
    decision: &Decision,
    error: &Error,
) -> worker::Result<Response> {
    match login::way_to_log_in(call, parts, decision, error) {
        Some(url) => login::to_log_in(call, parts, (&url, error), decision),
        None => call.refuse(parts, decision),
    }
}
