//! The endpoints of logins, for `gate.handle`. What each does is [`LoginFlow`]'s to say; here a request is read, and the answer written, as
//! `crates/worker/src/endpoints/login.rs` does.

use super::backend::{Gate, HostBackend};
use super::decision::Asked;
use super::endpoint_answer::Call;
use super::grants;
use super::logins::GateLogins;
use super::own_endpoint::{OwnAnswer, check_method, cookie_fields, query_of};
use super::session_work;
use super::task::{HostJobs, Job};
use super::watch_work;
use crate::protocol::Field;
use edgegate::error::Error;
use edgegate::guard::login::{LoginAnswer, LoginFlow, Next};
use edgegate::guard::session::endpoints::{Answer, Endpoints};
use edgegate::guard::{Decision, Event, Request};
use edgegate::http::login_endpoints::{
    self, LoginAsked, LoginEndpoint, Manner, logout_refusal, sent,
};
use edgegate::http::reply::Fields;
use edgegate::page::Page;

/// Answers it.
pub(super) async fn answered(
    gate: &Gate,
    call: Call<'_>,
    (endpoint, provider): (LoginEndpoint, &str),
    jobs: &HostJobs,
) -> OwnAnswer {
    let (asked, request, _) = call;
    let (backend, logins) = (gate.backend(jobs), gate.logins(jobs));
    let flow = LoginFlow::new(&gate.policy, (&backend, &logins), request, jobs.now());
    let outcome = match flow {
        Ok(flow) => ask(&flow, call, (endpoint, provider)).await,
        Err(error) => Err(error),
    };
    let (answer, error) = match outcome {
        Ok(mut answer) => {
            grants::revoke_later(gate, jobs, core::mem::take(&mut answer.revocations));
            let error = match &answer.next {
                Next::Stopped(stopped) => Some(stopped.error.clone()),
                _ => None,
            };
            (Some(answer), error)
        }
        Err(error) => (None, Some(error)),
    };
    if let Some(error) = &error {
        let refused = Decision::refused(error.clone(), None, &endpoint.logged());
        if let Some(event) = Event::of(gate.policy.log, request, &refused, jobs.now()) {
            jobs.tell(&Job::Note { event });
        }
        watch_work::note(gate, request, &refused, jobs);
    }
    match (answer, error) {
        // A program is told the code.
        (Some(answer), Some(error)) if !wants_page(asked) => {
            let mut refusal = OwnAnswer::refused(&error, None, asked);
            refusal.headers.extend(worked_off(gate, &answer, jobs));
            refusal
        }
        (Some(answer), _) => written(gate, &answer, jobs),
        (None, Some(error)) if endpoint == LoginEndpoint::BackchannelLogout => {
            logout_refusal(&error).into()
        }
        (None, error) => OwnAnswer::refused(&error.unwrap_or(Error::NotFound), None, asked),
    }
}

async fn ask(
    flow: &LoginFlow<'_, HostBackend<'_>, GateLogins<'_>>,
    (asked, request, more): Call<'_>,
    (endpoint, provider): (LoginEndpoint, &str),
) -> Result<LoginAnswer, Error> {
    let method = request.method;
    check_method(endpoint.methods(), method)?;
    let body = more.bounded()?;
    let target = asked.sent_target();
    let query = query_of(&target);
    let device = || more.device(request);
    endpoint.answer(flow, LoginAsked { method, provider, query, body, device: &device }).await
}

/// The cookies of an answer, and what it leaves to be done.
fn worked_off(gate: &Gate, answer: &LoginAnswer, jobs: &HostJobs) -> Fields {
    session_work::work_off(gate, jobs, &answer.note);
    cookie_fields(gate, &answer.note, jobs)
}

fn written(gate: &Gate, answer: &LoginAnswer, jobs: &HostJobs) -> OwnAnswer {
    let cookies = worked_off(gate, answer, jobs);
    let Page { status, fields: mut headers, body } = sent(answer, &gate.policy.pages);
    headers.extend(cookies);
    OwnAnswer { status, headers, body }
}

/// The page of `GET /logout`, if somebody waits for one.
pub(super) fn logout_asked(gate: &Gate, asked: &Asked, request: &Request<'_>) -> Option<OwnAnswer> {
    let target = asked.sent_target();
    let manner = asked.manner(request.method);
    let page = login_endpoints::logout_asked(&gate.policy, &manner, query_of(&target))?;
    Some(page.into())
}

/// `POST /logout` where the policy has logins: a page's form goes on to the provider, or back.
pub(super) async fn log_out(
    gate: &Gate,
    (backend, endpoints): (&HostBackend<'_>, &Endpoints<'_, HostBackend<'_>>),
    (asked, request, more): Call<'_>,
    jobs: &HostJobs,
) -> Result<Answer, Error> {
    check_method("POST", request.method)?;
    let body = more.bounded()?;
    let logins = gate.logins(jobs);
    let flow = LoginFlow::new(&gate.policy, (backend, &logins), request, jobs.now())?;
    let kind = more.content_type.unwrap_or_default().to_ascii_lowercase();
    let is_form = kind.starts_with("application/x-www-form-urlencoded");
    if is_form && wants_page(asked) {
        Box::pin(flow.log_out_by_form(endpoints, body)).await
    } else {
        Box::pin(flow.log_out(endpoints, body)).await
    }
}

fn wants_page(asked: &Asked) -> bool {
    Manner { accept: asked.get(Field::Accept), ..Manner::default() }.wants_page()
}
