//! Every path that is not the gate's own: decide, then pass the request on.

use crate::{
    answered::Answered,
    call::{Call, Edge},
    event_log,
    proxy::Forwarding,
};

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
        Err(_) => return call.refuse(&parts, &decision).map(Answered::Own),
    };
    forwarded.or_else(|fault| {
        decision.outcome = Err(fault);
        event_log::decision(policy, &parts, &decision);
        call.refuse(&parts, &decision).map(Answered::Own)
    })
}
