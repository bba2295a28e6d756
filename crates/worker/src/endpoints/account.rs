//! The endpoints of accounts. What each does is [`AccountFlow`]'s to say; here a request is read, and the answer written.

use web_sys::Response;

use super::{
    admin::{Failure, body_of},
    login::{by_manner, query_of, shown},
    session::written,
};
use crate::{
    accounts::GateAccounts, call::Call, clock, gate::RequestBackend, host, reply, request::header,
    session_work,
};
use edgegate::{
    error::Error,
    guard::{AskedBy, Decision, SessionNote, accounts::AccountFlow, session::endpoints::Answer},
    http::{
        account_endpoints::AccountEndpoint,
        account_pages::{AccountPages, Posted},
        cors,
        reply::Fields,
        session_endpoints::{Asked, carrier_of},
    },
    page::Page,
    session::{oauth::MAX_FORM_LENGTH, record::Device},
};

type Flow<'a> = AccountFlow<'a, RequestBackend<'a>, GateAccounts<'a>>;

/// Answers a request for such an endpoint: 404 where the policy has no accounts.
pub(crate) async fn answer(
    call: &Call<'_>,
    (endpoint, id): (AccountEndpoint, &str),
    method: Result<(), Error>,
) -> worker::Result<Response> {
    let pages = AccountPages::of(&call.gate.policy);
    if call.lines.method() == "GET"
        && let Some(page) = pages.and_then(|pages| pages.at(endpoint, query_of(call)))
    {
        return shown(&page);
    }
    let (parts, gate) = (call.parts(), call.gate);
    gate.note_address(&parts);
    let request = parts.as_request();
    let backend = gate.backend(call.env, call.context);
    let accounts = match GateAccounts::new(gate, call.env, call.context) {
        Ok(accounts) => accounts,
        Err(error) => return reply::refusal(call.request, &error, None),
    };
    let flow = AccountFlow::new(&gate.policy, (&backend, &accounts), &request, clock::now());
    let flow = match flow {
        Ok(flow) => flow,
        Err(error) => return reply::refusal(call.request, &error, None),
    };
    let cors = endpoint.cors(&gate.policy);
    if request.preflight.is_some() {
        return call.answer_preflight_by(&parts, cors.as_ref(), parts.origin());
    }
    let mut fields = cors::refusal_fields(cors.as_ref(), parts.origin());
    let is_get = call.lines.method() == "GET";
    let kind = header(&call.request.headers(), "Content-Type");
    let is_asked = |pages: &AccountPages<'_>| {
        by_manner(call, call.lines.method(), |manner| {
            pages.is_asked(endpoint, manner, kind.as_deref())
        })
    };
    let pages = pages.filter(is_asked);
    let body = match read(call, method).await {
        Err(Failure::Runtime(fault)) => return Err(fault),
        Err(Failure::Refused(error)) => Err(error),
        // A page says in its query which of its forms is wanted.
        Ok(_) if pages.is_some() && is_get => Ok(query_of(call).as_bytes().to_vec()),
        Ok(body) => Ok(body),
    };
    let form = match (pages, &body) {
        (Some(pages), Ok(body)) => Some((pages, Posted::parse(body))),
        _ => None,
    };
    if let Some((pages, Ok(posted))) = &form
        && let Some(page) = pages.another(endpoint, posted)
    {
        return shown(&page);
    }
    let outcome = match (&body, &form) {
        (Err(error), _) | (_, Some((_, Err(error)))) => Err(error.clone()),
        (Ok(_), Some((pages, Ok(posted)))) => {
            let device = || call.device();
            let by = (call.lines.method(), &device as &dyn Fn() -> Device);
            pages.answer(&flow, (endpoint, id), posted, by).await.map(Told::Page)
        }
        (Ok(body), None) => match AccountEndpoint::check_content_type(kind.as_deref()) {
            Ok(()) => ask(call, &flow, (endpoint, id), body).await.map(Told::Answer),
            Err(error) => Err(error),
        },
    };
    let by = AskedBy { route: &endpoint.logged(), actor: None };
    call.note_accounts(&parts, by, &flow.take_done());
    // Whoever asked for a mail is not told why there is none; the log is.
    if let Some(error) = flow.take_unsaid() {
        let carrier = carrier_of(request.authorization);
        call.note_refusal(&parts, &Decision::refused(error, carrier, &endpoint.logged()));
    }
    let error = match outcome {
        Ok(Told::Page((page, note))) => return page_with_cookies(&page, &worked_off(call, &note)),
        Ok(Told::Answer(answer)) => return written(call, &answer, &fields),
        Err(error) => error,
    };
    let note = flow.take_note();
    let cookies = worked_off(call, &note);
    let carrier = carrier_of(request.authorization);
    let failures = gate.memory.guard.failures(&gate.policy);
    let error = failures.count(error, request.client_ip, clock::now());
    let refused = Decision {
        session: note,
        tried: flow.tried(),
        ..Decision::refused(error.clone(), carrier, &endpoint.logged())
    };
    call.note_refusal(&parts, &refused);
    if let Some((pages, Ok(posted))) = &form {
        return page_with_cookies(&pages.refusal(endpoint, posted, &error), &cookies);
    }
    fields.extend(cookies);
    reply::refusal_with(call.request, &error, carrier, None, reply::lent(&fields).collect())
}

async fn read(call: &Call<'_>, method: Result<(), Error>) -> Result<Vec<u8>, Failure> {
    method?;
    body_of(call.request, MAX_FORM_LENGTH).await
}

async fn ask(
    call: &Call<'_>,
    flow: &Flow<'_>,
    (endpoint, id): (AccountEndpoint, &str),
    body: &[u8],
) -> Result<Answer, Error> {
    let device = || call.device();
    let asked = Asked { method: call.lines.method(), id, body, device: &device };
    endpoint.answer(flow, asked).await
}

/// What comes of a request.
enum Told {
    Page((Page, SessionNote)),
    Answer(Answer),
}

/// The cookies of a note, and what it leaves to be done.
fn worked_off(call: &Call<'_>, note: &SessionNote) -> Fields {
    session_work::work_off(call.gate, (call.env, call.context), note);
    session_work::cookie_fields(note, call.gate)
}

fn page_with_cookies(
    Page { status, fields, body }: &Page,
    cookies: &Fields,
) -> worker::Result<Response> {
    let fields = reply::lent(fields).chain(reply::lent(cookies));
    host::respond(*status, fields, (!body.is_empty()).then_some(body))
}
