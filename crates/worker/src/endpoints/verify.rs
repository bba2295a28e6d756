//! `/auth/verify`: another proxy asks whether it may let a request through. With any method: some proxies ask with the
//! method of the request itself.

use web_sys::Response;

use super::login;
use crate::{
    call::{Call, Edge},
    host::RequestLines,
    reply,
    request::RequestParts,
    session_cookies, session_work, shadow,
};
use edgegate::{
    guard::{Decision, Identity},
    http::{
        forward_auth::{LOGIN_FIELD, login_lets_in},
        reply::{Fields, IDENTITY_FIELDS, identity_fields, limit_fields},
    },
    policy::Policy,
    session::identity_token,
};

/// Decides about the request that is asked about.
pub(crate) async fn answer(call: &Call<'_>) -> worker::Result<Response> {
    let policy = &call.gate.policy;
    let lines = RequestLines::of(call.request, &call.gate.names.forwarded)?;
    let parts = match RequestParts::of_forwarded(call.request, &lines, policy) {
        Ok(parts) => parts,
        Err(error) => return reply::refusal(call.request, &error, None),
    };
    let mut decision = call.decide(&parts, Edge::ForwardAuth).await;
    shadow::judge_later(call, &decision, Edge::ForwardAuth);
    let token = match call.identity_token(&decision).await {
        Ok(token) => token,
        Err(fault) => {
            call.refuse_after_all(&parts, &mut decision, fault);
            None
        }
    };
    call.count(&parts, &decision, Edge::ForwardAuth);
    let cookies = session_work::cookie_fields(&decision.session, call.gate);
    let mut more = session_cookies::numbered(&cookies);
    match &decision.outcome {
        Ok(identity) => {
            more.extend(cookies);
            more.extend(token.map(|token| (identity_token::FIELD, token)));
            admitted(identity, &decision, policy, more)
        }
        Err(error) => {
            let url = login::way_to_log_in(call, &parts, &decision, error);
            match url.filter(|_| login_lets_in(policy)) {
                Some(url) if parts.gives_redirects() => {
                    login::redirect_to_login(call, &url, &decision)
                }
                url => {
                    more.extend(url.map(|url| (LOGIN_FIELD, url)));
                    call.refuse_with(&parts, &decision, more)
                }
            }
        }
    }
}

/// The answer for an admitted request: 200, no body, and the identity for the proxy to pass on.
///
/// A proxy that copies these headers overwrites what the client sent under the same names only for
/// those that are there, so an identity without a subject answers with an empty one.
fn admitted(
    identity: &Identity,
    decision: &Decision,
    policy: &Policy,
    more: Fields,
) -> worker::Result<Response> {
    let mut fields: Fields = IDENTITY_FIELDS.map(|name| (name, String::new())).into();
    fields.extend(more);
    fields.extend(identity_fields(identity));
    fields.extend(limit_fields(&decision.limits, policy.legacy_headers));
    let claims = policy.identity_headers.iter().map(|header| (header.name.as_str(), ""));
    reply::empty_with(200, reply::lent(&fields).chain(claims).chain(identity.told()))
}
