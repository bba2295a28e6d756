//! The endpoints of accounts, for `gate.handle`. What each does is [`AccountFlow`]'s to say; here a request is read, and
//! the answer written, as `crates/worker/src/endpoints/account.rs` does.

use super::accounts::GateAccounts;
use super::backend::Gate;
use super::endpoint_answer::{Call, Refused, noted, preflight, refusal, written};
use super::own_endpoint::{OwnAnswer, check_method, cookie_fields, query_of};
use super::session_work;
use super::task::HostJobs;
use super::watch_work;
use crate::protocol::Field;
use edgegate::guard::accounts::AccountFlow;
use edgegate::guard::session::endpoints::Answer;
use edgegate::guard::{AskedBy, Decision, SessionNote};
use edgegate::http::account_endpoints::AccountEndpoint;
use edgegate::http::account_pages::{AccountPages, Posted};
use edgegate::http::cors;
use edgegate::http::session_endpoints::{Asked as Question, carrier_of};
use edgegate::page::Page;
use edgegate::session::record::Device;

/// Answers a request for such an endpoint.
pub(super) async fn answered(
    gate: &Gate,
    call: Call<'_>,
    (endpoint, id): (AccountEndpoint, &str),
    jobs: &HostJobs,
) -> OwnAnswer {
    let (asked, request, more) = call;
    let pages = AccountPages::of(&gate.policy);
    if request.method == "GET" {
        let target = asked.sent_target();
        if let Some(page) = pages.and_then(|pages| pages.at(endpoint, query_of(&target))) {
            return page.into();
        }
    }
    let cors = endpoint.cors(&gate.policy);
    if request.preflight.is_some() {
        return preflight(asked, request, cors.as_ref());
    }
    let fields = cors::refusal_fields(cors.as_ref(), asked.get(Field::Origin));
    let (backend, accounts) = (gate.backend(jobs), GateAccounts { gate, jobs });
    let flow = match AccountFlow::new(&gate.policy, (&backend, &accounts), request, jobs.now()) {
        Ok(flow) => flow,
        Err(error) => return OwnAnswer::refused(&error, None, asked),
    };
    let body = check_method(endpoint.methods(), request.method).and_then(|()| more.bounded());
    let manner = asked.manner(request.method);
    let pages = pages.filter(|pages| pages.is_asked(endpoint, &manner, more.content_type));
    let target = asked.sent_target();
    let body = match body {
        // A page says in its query which of its forms is wanted.
        Ok(_) if pages.is_some() && request.method == "GET" => Ok(query_of(&target).as_bytes()),
        body => body,
    };
    let form = match (pages, &body) {
        (Some(pages), Ok(body)) => Some((pages, Posted::parse(body))),
        _ => None,
    };
    if let Some((pages, Ok(posted))) = &form
        && let Some(page) = pages.another(endpoint, posted)
    {
        return page.into();
    }
    let device = || more.device(request);
    let ask = async |body: &[u8]| {
        endpoint.answer(&flow, Question { method: request.method, id, body, device: &device }).await
    };
    let outcome = match (&body, &form) {
        (Err(error), _) | (_, Some((_, Err(error)))) => Err(error.clone()),
        (Ok(_), Some((pages, Ok(posted)))) => {
            let by = (request.method, &device as &dyn Fn() -> Device);
            pages.answer(&flow, (endpoint, id), posted, by).await.map(Told::Page)
        }
        (Ok(body), None) => match AccountEndpoint::check_content_type(more.content_type) {
            Ok(()) => ask(body).await.map(Told::Answer),
            Err(error) => Err(error),
        },
    };
    let by = AskedBy { route: &endpoint.logged(), actor: None };
    watch_work::note_accounts(gate, (request, by), &flow.take_done(), jobs);
    // Whoever asked for a mail is not told why there is none; the log is.
    if let Some(error) = flow.take_unsaid() {
        let carrier = carrier_of(request.authorization);
        let decision = Decision::refused(error, carrier, &endpoint.logged());
        noted(gate, request, &decision, jobs);
    }
    match outcome {
        Ok(Told::Page((page, note))) => {
            session_work::work_off(gate, jobs, &note);
            let mut shown = OwnAnswer::from(page);
            shown.headers.extend(cookie_fields(gate, &note, jobs));
            shown
        }
        Ok(Told::Answer(answer)) => written(gate, &answer, fields, jobs),
        Err(error) => {
            let note = flow.take_note();
            let (logged, tried) = (endpoint.logged(), flow.tried());
            let refused = Refused { error: error.clone(), logged, is_oauth: false, tried };
            let told = refusal(gate, (asked, request), refused, (note, fields), jobs);
            match &form {
                Some((pages, Ok(posted))) => {
                    with_cookies(pages.refusal(endpoint, posted, &error), told)
                }
                _ => told,
            }
        }
    }
}

/// What comes of a request.
enum Told {
    Page((Page, SessionNote)),
    Answer(Answer),
}

/// A page in the place of an answer, with its cookies.
fn with_cookies(page: Page, told: OwnAnswer) -> OwnAnswer {
    let mut shown = OwnAnswer::from(page);
    shown.headers.extend(told.headers.into_iter().filter(|(name, _)| *name == "Set-Cookie"));
    shown
}
