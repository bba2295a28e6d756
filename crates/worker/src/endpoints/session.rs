//! The endpoints of sessions. What each does is [`Endpoints`]'s to say; here a request is read, and the answer written.

use futures_util::future::LocalBoxFuture;
use web_sys::Response;

use super::admin::{Failure, body_of};
use crate::{
    call::Call, clock, event_log, gate::RequestBackend, host, reply, request::header, session_work,
};
use edgegate::{
    error::Error,
    guard::{
        Carrier, Decision,
        session::endpoints::{Answer, Endpoints},
    },
    http::{
        cors,
        reply::{Fields, Refusal},
    },
    policy::Cors,
    session::{oauth::MAX_FORM_LENGTH, record::Device, step::Which},
};

/// Before the paths of these endpoints in the event log, whatever the prefix.
const LOGGED_BELOW: &str = "/auth";

/// The longest `User-Agent` that is kept for the list of sessions.
const MAX_AGENT_LENGTH: usize = 200;

/// A request for such an endpoint.
pub(crate) struct Question<'a> {
    call: &'a Call<'a>,
    endpoints: &'a Endpoints<'a, RequestBackend<'a>>,
    body: Vec<u8>,
    /// The segment in the place of `{id}`.
    id: &'a str,
}

/// What an endpoint does.
pub(crate) type Handler = for<'a> fn(&'a Question<'a>) -> LocalBoxFuture<'a, Result<Answer, Error>>;

/// How refusals are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As those of every endpoint.
    Own,
    /// As RFC 6749 §5.2 has them.
    OAuth,
}

pub(crate) const TOKEN: &[Handler] = &[|asked| Box::pin(asked.endpoints.token(&asked.body))];
pub(crate) const REVOKE: &[Handler] = &[|asked| Box::pin(asked.endpoints.revoke(&asked.body))];
pub(crate) const INTROSPECT: &[Handler] =
    &[|asked| Box::pin(asked.endpoints.introspect(&asked.body))];
pub(crate) const REFRESH: &[Handler] = &[|asked| Box::pin(asked.endpoints.refresh(&asked.body))];
pub(crate) const START: &[Handler] =
    &[|asked| Box::pin(asked.endpoints.start(&asked.body, asked.device()))];
pub(crate) const LOGOUT: &[Handler] = &[|asked| Box::pin(asked.endpoints.logout(&asked.body))];
pub(crate) const ME: &[Handler] = &[|asked| Box::pin(asked.endpoints.session())];
/// `GET`, `DELETE`.
pub(crate) const MINE: &[Handler] = &[
    |asked| Box::pin(asked.endpoints.sessions()),
    |asked| Box::pin(asked.endpoints.end_mine(Which::All, None)),
];
pub(crate) const OTHERS: &[Handler] =
    &[|asked| Box::pin(asked.endpoints.end_mine(Which::Others, None))];
pub(crate) const ONE: &[Handler] =
    &[|asked| Box::pin(asked.endpoints.end_mine(Which::One, Some(asked.id)))];

/// Which pages of other origins may read the answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// None: it is for servers.
    None,
    /// All: the answer depends on what the request has in it, and on no cookie.
    All,
    /// Those that may act for their visitors (`sessions.origins`).
    OfVisitors,
}

/// An endpoint of sessions.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) form: Form,
    pub(crate) pages: Pages,
}

/// Answers a request for such an endpoint: 404 where the policy has no sessions.
pub(crate) async fn answer(
    call: &Call<'_>,
    (kind, name, id): (&Kind, &'static str, &str),
    handler: Result<&Handler, Error>,
) -> worker::Result<Response> {
    let parts = call.parts();
    call.gate.note_address(&parts);
    let request = parts.as_request();
    let backend = call.gate.backend(call.env, call.context);
    let endpoints = match Endpoints::new(&call.gate.policy, &backend, &request, clock::now()) {
        Ok(endpoints) => endpoints,
        Err(error) => return reply::refusal(call.request, &error, None),
    };
    let cors = cors_of(call, kind.pages);
    if request.preflight.is_some() {
        return call.answer_preflight_by(&parts, cors.as_ref(), parts.origin());
    }
    let mut fields = cors::refusal_fields(cors.as_ref(), parts.origin());
    let error = match ask(call, &endpoints, id, handler).await {
        Ok(answer) => return written(call, &answer, &fields),
        Err(Failure::Refused(error)) => error,
        Err(Failure::Runtime(fault)) => return Err(fault),
    };
    let note = endpoints.take_note();
    session_work::work_off(call.gate, (call.env, call.context), &note);
    fields.extend(session_work::cookie_fields(&note, call.gate));
    let by_header = request.authorization.is_some();
    let carrier = request.authorization.map(|value| match value.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("dpop ") => Carrier::Dpop,
        _ => Carrier::Bearer,
    });
    let error = match kind.form {
        // Guesses of tokens; those of clients' secrets have been counted.
        Form::Own => call.gate.memory.guard.failures(&call.gate.policy).count(
            error,
            request.client_ip,
            clock::now(),
        ),
        Form::OAuth => error,
    };
    let refused = Decision {
        session: note,
        ..Decision::refused(error.clone(), carrier, &format!("{LOGGED_BELOW}{name}"))
    };
    event_log::decision(&call.gate.policy, &parts, &refused);
    if kind.form == Form::Own {
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

async fn ask<'a>(
    call: &'a Call<'a>,
    endpoints: &'a Endpoints<'a, RequestBackend<'a>>,
    id: &'a str,
    handler: Result<&Handler, Error>,
) -> Result<Answer, Failure> {
    let handler = handler?;
    let body = body_of(call.request, MAX_FORM_LENGTH).await?;
    Ok(handler(&Question { call, endpoints, body, id }).await?)
}

fn cors_of(call: &Call<'_>, pages: Pages) -> Option<Cors> {
    match pages {
        Pages::None => None,
        Pages::All => Some(Cors::any()),
        Pages::OfVisitors => {
            let browser = call.gate.policy.browser_sessions()?;
            Some(Cors::of_visitors(&browser.origins))
        }
    }
}

/// The answer as it is sent, and what it leaves to be done.
pub(crate) fn written(call: &Call<'_>, answer: &Answer, more: &Fields) -> worker::Result<Response> {
    session_work::work_off(call.gate, (call.env, call.context), &answer.note);
    let cookies = session_work::cookie_fields(&answer.note, call.gate);
    let cleared = answer.clears_cache.then_some(("Clear-Site-Data", "\"cache\""));
    let kind = (!answer.body.is_empty()).then_some(("Content-Type", "application/json"));
    let own = [("Cache-Control", "no-store"), ("Pragma", "no-cache")];
    let fields = own.into_iter().chain(kind).chain(cleared);
    let fields = fields.chain(reply::lent(more)).chain(reply::lent(&cookies));
    host::respond(answer.status, fields, (!answer.body.is_empty()).then_some(&answer.body))
}

impl Question<'_> {
    /// From where a session is opened, as its owner is shown.
    fn device(&self) -> Device {
        let request = self.call.request;
        let agent = header(&request.headers(), "User-Agent");
        let plain = |text: String| {
            text.chars().filter(|one| !one.is_control()).take(MAX_AGENT_LENGTH).collect()
        };
        Device {
            agent: agent.map(plain),
            country: country(request),
            network: Some(self.call.parts().as_request().client()),
        }
    }
}

/// The caller's country, as the platform knows it.
fn country(request: &web_sys::Request) -> Option<String> {
    let get = |from: &wasm_bindgen::JsValue, name: &str| {
        worker::js_sys::Reflect::get(from, &name.into()).ok()
    };
    let country = get(&get(request.as_ref(), "cf")?, "country")?.as_string()?;
    (country.len() == 2).then_some(country)
}
