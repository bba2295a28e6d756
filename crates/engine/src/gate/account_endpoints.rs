//! The endpoints of accounts, for `gate.handle`. What each does is [`AccountFlow`]'s to say; here a request is read, and
//! the answer written, as `crates/worker/src/endpoints/account.rs` does.

use super::accounts::GateAccounts;
use super::backend::Gate;
use super::endpoint_answer::{Call, Refused, noted, preflight, refusal, written};
use super::own_endpoint::{OwnAnswer, check_method, query_of};
use super::task::HostJobs;
use super::watch_work;
use crate::protocol::Field;
use edgegate::guard::accounts::AccountFlow;
use edgegate::guard::session::endpoints::Answer;
use edgegate::guard::{AskedBy, Decision};
use edgegate::http::account_endpoints::AccountEndpoint;
use edgegate::http::account_pages::{AccountPages, Posted};
use edgegate::http::cors;
use edgegate::http::session_endpoints::{Asked as Question, carrier_of};
use edgegate::page::Page;

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
    let form = match (pages.filter(|pages| pages.is_form(&manner, more.content_type)), &body) {
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
        (Ok(_), Some((_, Ok(posted)))) => ask(&posted.json()).await,
        (Ok(body), None) => match AccountEndpoint::check_content_type(more.content_type) {
            Ok(()) => ask(body).await,
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
    match (outcome, &form) {
        (Ok(answer), Some((pages, Ok(posted)))) => {
            let page = pages.after(endpoint, posted, Ok(&answer));
            with_cookies(page, written(gate, &Answer { cookie: None, ..answer }, Vec::new(), jobs))
        }
        (Ok(answer), _) => written(gate, &answer, fields, jobs),
        (Err(error), _) => {
            let note = flow.take_note();
            let (logged, tried) = (endpoint.logged(), flow.tried());
            let refused = Refused { error: error.clone(), logged, is_oauth: false, tried };
            let told = refusal(gate, (asked, request), refused, (note, fields), jobs);
            match &form {
                Some((pages, Ok(posted))) => {
                    with_cookies(pages.after(endpoint, posted, Err(&error)), told)
                }
                _ => told,
            }
        }
    }
}

/// A page in the place of an answer, with its cookies.
fn with_cookies(page: Page, told: OwnAnswer) -> OwnAnswer {
    let mut shown = OwnAnswer::from(page);
    shown.headers.extend(told.headers.into_iter().filter(|(name, _)| *name == "Set-Cookie"));
    shown
}
