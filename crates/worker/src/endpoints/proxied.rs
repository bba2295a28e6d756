//! Every path that is not the gate's own: decide, then pass the request on.

use web_sys::Response;

use super::login;
use crate::{
    answered::Answered,
    call::{Call, Edge},
    event_log, host,
    proxy::Forwarding,
    reply,
    request::RequestParts,
    session_work,
};
use edgegate::{
    error::Error,
    guard::{Decision, login::login_url},
    http::login_endpoints::{SEE_OTHER, by_own_page, login_for, login_helps},
    page::{self, Page},
};

/// Sends a person who waits for a page to log in, and back here. A script is refused: it is told where people log in.
#[inline(never)]
fn to_login(
    call: &Call<'_>,
    parts: &RequestParts<'_>,
    decision: &Decision,
    error: &Error,
) -> worker::Result<Option<Response>> {
    let Some(login_url) = login_url(&call.gate.policy, &parts.as_request()) else {
        return Ok(None);
    };
    if !login_helps(error, decision.session.by_cookie) || !login::is_navigation(call) {
        return Ok(None);
    }
    let fetch_site = parts.as_request().provenance.fetch_site;
    if let Some(url) = by_own_page(&call.gate.policy, (call.target, fetch_site), error) {
        let Page { status, fields, body } = page::move_on(&call.gate.policy.pages, url.as_str());
        return host::respond(status, reply::lent(&fields), Some(&body)).map(Some);
    }
    let url = login_for(&login_url, call.target);
    // Cookies of a session that has ended are taken out on the way.
    let cookies = session_work::cookie_fields(&decision.session, call.gate);
    let fields = [("Location", url.as_str())].into_iter().chain(reply::lent(&cookies));
    reply::empty_with(SEE_OTHER, fields).map(Some)
}

/// Passes an admitted request on; refuses any other.
pub(crate) async fn answer(call: &Call<'_>) -> worker::Result<Answered> {
    let (parts, policy) = (call.parts(), &call.gate.policy);
    let mut decision = call.decide(&parts, Edge::Proxy).await;
    let tokens = match call.identity_token(&decision).await {
        Ok(identity_token) => {
            call.grant_token(&decision).await.map(|grant_token| (identity_token, grant_token))
        }
        Err(fault) => Err(fault),
    };
    let (identity_token, grant_token) = tokens.unwrap_or_else(|fault| {
        decision.outcome = Err(fault);
        event_log::decision(policy, &parts, &decision);
        (None, None)
    });
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
        Err(error) => {
            return match to_login(call, &parts, &decision, error)? {
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
