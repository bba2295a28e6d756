//! The endpoints of sessions. What each does is [`Endpoints`]'s to say; here a request is read, and the answer written.

use web_sys::Response;

use super::{
    admin::{Failure, body_of},
    login,
};
use crate::{call::Call, clock, gate::RequestBackend, host, reply, session_work};
use edgegate::{
    error::Error,
    guard::{
        Decision,
        session::endpoints::{Answer, Endpoints},
    },
    http::{
        cors,
        reply::{Fields, Refusal},
        session_endpoints::{Asked, SessionEndpoint, answer_fields, carrier_of},
    },
    session::oauth::MAX_FORM_LENGTH,
};

/// Answers a request for such an endpoint: 404 where the policy has no sessions.
pub(crate) async fn answer(
    call: &Call<'_>,
    (endpoint, id): (SessionEndpoint, &str),
    method: Result<(), Error>,
) -> worker::Result<Response> {
    let parts = call.parts();
    call.gate.note_address(&parts);
    let request = parts.as_request();
    let backend = call.gate.backend(call.env, call.context);
    if let (SessionEndpoint::Logout, Some(page)) = (endpoint, login::logout_asked(call)) {
        return login::shown(&page);
    }
    let endpoints = match Endpoints::new(&call.gate.policy, &backend, &request, clock::now()) {
        Ok(endpoints) => endpoints,
        Err(error) => return reply::refusal(call.request, &error, None),
    };
    let cors = endpoint.cors(&call.gate.policy);
    if request.preflight.is_some() {
        return call.answer_preflight_by(&parts, cors.as_ref(), parts.origin());
    }
    let mut fields = cors::refusal_fields(cors.as_ref(), parts.origin());
    let error = match ask(call, (endpoint, id), (&endpoints, &backend), method).await {
        Ok(answer) => return written(call, &answer, &fields),
        Err(Failure::Refused(error)) => error,
        Err(Failure::Runtime(fault)) => return Err(fault),
    };
    let note = endpoints.take_note();
    session_work::work_off(call.gate, (call.env, call.context), &note);
    fields.extend(session_work::cookie_fields(&note, call.gate));
    let by_header = request.authorization.is_some();
    let carrier = carrier_of(request.authorization);
    let error = if endpoint.is_oauth() {
        error
    } else {
        let failures = call.gate.memory.guard.failures(&call.gate.policy);
        failures.count(error, request.client_ip, clock::now())
    };
    let refused =
        Decision { session: note, ..Decision::refused(error.clone(), carrier, &endpoint.logged()) };
    call.note_refusal(&parts, &refused);
    if !endpoint.is_oauth() {
        return reply::refusal_with(
            call.request,
            &error,
            carrier,
            None,
            reply::lent(&fields).collect(),
        );
    }
    let Refusal { status, fields: own, body } = Refusal::oauth(&error, by_header);
    fields.extend(own);
    reply::whole(status, &fields, &body)
}

async fn ask(
    call: &Call<'_>,
    (endpoint, id): (SessionEndpoint, &str),
    (endpoints, backend): (&Endpoints<'_, RequestBackend<'_>>, &RequestBackend<'_>),
    method: Result<(), Error>,
) -> Result<Answer, Failure> {
    method?;
    let body = body_of(call.request, MAX_FORM_LENGTH).await?;
    if endpoint == SessionEndpoint::Logout && call.gate.policy.login.is_some() {
        return Ok(Box::pin(login::log_out(call, endpoints, backend, &body)).await?);
    }
    let device = || call.device();
    let asked = Asked { method: call.lines.method(), id, body: &body, device: &device };
    Ok(endpoint.answer(endpoints, asked).await?)
}

/// The answer as it is sent, and what it leaves to be done.
pub(crate) fn written(call: &Call<'_>, answer: &Answer, more: &Fields) -> worker::Result<Response> {
    session_work::work_off(call.gate, (call.env, call.context), &answer.note);
    let cookies = session_work::cookie_fields(&answer.note, call.gate);
    let own = answer_fields(answer);
    let fields = reply::lent(&own).chain(reply::lent(more)).chain(reply::lent(&cookies));
    host::respond(answer.status, fields, (!answer.body.is_empty()).then_some(&answer.body))
}
