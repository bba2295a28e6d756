//! The endpoints of logins. What each does is [`LoginFlow`]'s to say; here a request is read, and the answer written.

use web_sys::Response;

use super::admin::{Failure, body_of};
use crate::{
    call::Call,
    clock,
    gate::RequestBackend,
    grants::revoke_behind,
    host,
    logins::GateLogins,
    reply,
    request::{RequestParts, header},
    session_work,
};
use edgegate::{
    error::Error,
    guard::{
        Decision,
        login::{LoginAnswer, LoginFlow, Next},
        session::endpoints::{Answer, Endpoints},
    },
    http::{
        login_endpoints::{
            self, LoginAsked, LoginEndpoint, Manner, SEE_OTHER, by_own_page, logout_refusal, sent,
        },
        reply::Refusal,
    },
    page::{Page, move_on},
    session::oauth::MAX_FORM_LENGTH,
};

/// Answers a request for such an endpoint: 404 where the policy has no logins.
pub(crate) async fn answer(
    call: &Call<'_>,
    (endpoint, provider): (LoginEndpoint, &str),
    method: Result<(), Error>,
) -> worker::Result<Response> {
    let parts = call.parts();
    call.gate.note_address(&parts);
    let request = parts.as_request();
    let backend = call.gate.backend(call.env, call.context);
    let logins = GateLogins { memory: &call.gate.memory, env: call.env };
    let flow = LoginFlow::new(&call.gate.policy, (&backend, &logins), &request, clock::now());
    let outcome = match flow {
        Ok(flow) => ask(call, (endpoint, provider), &flow, method).await,
        Err(error) => Err(Failure::Refused(error)),
    };
    let (answer, error) = match outcome {
        Ok(mut answer) => {
            let revocations = core::mem::take(&mut answer.revocations);
            revoke_behind((call.gate, call.env, call.context), revocations);
            let error = match &answer.next {
                Next::Stopped(stopped) => Some(stopped.error.clone()),
                _ => None,
            };
            (Some(answer), error)
        }
        Err(Failure::Refused(error)) => (None, Some(error)),
        Err(Failure::Runtime(fault)) => return Err(fault),
    };
    if let Some(error) = &error {
        let refused = Decision::refused(error.clone(), None, &endpoint.logged());
        call.note_refusal(&parts, &refused);
    }
    match (answer, error) {
        // A program is told the code.
        (Some(answer), Some(error)) if !wants_page(call) => {
            let cookies = worked_off(call, &answer);
            let fields = reply::lent(&cookies).collect();
            reply::refusal_with(call.request, &error, None, None, fields)
        }
        (Some(answer), _) => written(call, &answer),
        (None, Some(error)) if endpoint == LoginEndpoint::BackchannelLogout => {
            let Refusal { status, fields, body } = logout_refusal(&error);
            reply::whole(status, &fields, &body)
        }
        (None, error) => reply::refusal(call.request, &error.unwrap_or(Error::NotFound), None),
    }
}

async fn ask(
    call: &Call<'_>,
    (endpoint, provider): (LoginEndpoint, &str),
    flow: &LoginFlow<'_, RequestBackend<'_>, GateLogins<'_>>,
    method: Result<(), Error>,
) -> Result<LoginAnswer, Failure> {
    method?;
    let body = body_of(call.request, MAX_FORM_LENGTH).await?;
    let query = query_of(call);
    let device = || call.device();
    let method = call.lines.method();
    let asked = LoginAsked { method, provider, query, body: &body, device: &device };
    Ok(endpoint.answer(flow, asked).await?)
}

/// The cookies of an answer, and what it leaves to be done.
fn worked_off(call: &Call<'_>, answer: &LoginAnswer) -> edgegate::http::reply::Fields {
    session_work::work_off(call.gate, (call.env, call.context), &answer.note);
    session_work::cookie_fields(&answer.note, call.gate)
}

fn written(call: &Call<'_>, answer: &LoginAnswer) -> worker::Result<Response> {
    let cookies = worked_off(call, answer);
    let Page { status, fields, body } = sent(answer, &call.gate.policy.pages);
    let fields = reply::lent(&fields).chain(reply::lent(&cookies));
    host::respond(status, fields, (!body.is_empty()).then_some(&body))
}

/// Where a person is sent to log in, if that helps.
#[inline(never)]
pub(crate) fn way_to_log_in(
    call: &Call<'_>,
    parts: &RequestParts<'_>,
    decision: &Decision,
    error: &Error,
) -> Option<String> {
    let request = (&parts.as_request(), parts.target);
    let is_navigation = || is_navigation(call, parts.method);
    login_endpoints::way_to_log_in(&call.gate.policy, request, (decision, error), is_navigation)
}

/// The same for a request of the gate in front of its upstream. Where the browser has kept `Strict` cookies back, a page of this site asks
/// for them first.
pub(crate) fn to_log_in(
    call: &Call<'_>,
    parts: &RequestParts<'_>,
    (url, error): (&str, &Error),
    decision: &Decision,
) -> worker::Result<Response> {
    let fetch_site = parts.as_request().provenance.fetch_site;
    match by_own_page(&call.gate.policy, (call.target, fetch_site), error) {
        Some(own) => shown(&move_on(&call.gate.policy.pages, own.as_str())),
        None => redirect_to_login(call, url, decision),
    }
}

/// Sends a browser there.
pub(crate) fn redirect_to_login(
    call: &Call<'_>,
    url: &str,
    decision: &Decision,
) -> worker::Result<Response> {
    // Cookies of a session that has ended are taken out on the way.
    let cookies = session_work::cookie_fields(&decision.session, call.gate);
    reply::empty_with(SEE_OTHER, [("Location", url)].into_iter().chain(reply::lent(&cookies)))
}

/// How a request of this method was made, as the headers say.
fn is_navigation(call: &Call<'_>, method: &str) -> bool {
    by_manner(call, method, |manner| manner.is_navigation())
}

pub(super) fn by_manner<T>(
    call: &Call<'_>,
    method: &str,
    read: impl FnOnce(&Manner<'_>) -> T,
) -> T {
    let headers = call.request.headers();
    let (mode, dest) = (header(&headers, "Sec-Fetch-Mode"), header(&headers, "Sec-Fetch-Dest"));
    let accept = header(&headers, "Accept");
    read(&Manner {
        method,
        fetch_mode: mode.as_deref(),
        fetch_dest: dest.as_deref(),
        accept: accept.as_deref(),
    })
}

/// The page of `GET /logout`, if somebody waits for one.
pub(super) fn logout_asked(call: &Call<'_>) -> Option<Page> {
    // Other methods need no headers.
    let method = Some(call.lines.method()).filter(|method| *method == "GET")?;
    by_manner(call, method, |manner| {
        login_endpoints::logout_asked(&call.gate.policy, manner, query_of(call))
    })
}

/// A page as it is.
pub(super) fn shown(Page { status, fields, body }: &Page) -> worker::Result<Response> {
    host::respond(*status, reply::lent(fields), Some(body))
}

pub(super) fn query_of<'c>(call: &'c Call<'_>) -> &'c str {
    let query = call.target.split_once('?').map_or("", |(_, query)| query);
    query.split('#').next().unwrap_or_default()
}

/// `POST /logout` where the policy has logins: a page's form goes on to the provider, or back.
pub(super) async fn log_out(
    call: &Call<'_>,
    endpoints: &Endpoints<'_, RequestBackend<'_>>,
    backend: &RequestBackend<'_>,
    body: &[u8],
) -> Result<Answer, Error> {
    let parts = call.parts();
    let request = parts.as_request();
    let logins = GateLogins { memory: &call.gate.memory, env: call.env };
    let flow = LoginFlow::new(&call.gate.policy, (backend, &logins), &request, clock::now())?;
    let kind = header(&call.request.headers(), "Content-Type").unwrap_or_default();
    let is_form = kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded");
    if is_form && wants_page(call) {
        flow.log_out_by_form(endpoints, body).await
    } else {
        flow.log_out(endpoints, body).await
    }
}

fn wants_page(call: &Call<'_>) -> bool {
    let accept = header(&call.request.headers(), "Accept");
    Manner { accept: accept.as_deref(), ..Manner::default() }.wants_page()
}
