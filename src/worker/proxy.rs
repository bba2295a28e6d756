//! Passing an admitted request on. Bodies stream both ways; redirects are the caller's to follow.

use wasm_bindgen::JsCast as _;
use web_sys::{Headers, Request, RequestInit, RequestRedirect, Response, ResponseInit};
use worker::{Env, js_sys, wasm_bindgen_futures::JsFuture};

use super::{facts::Facts, gate::Gate, headers, reply};
use crate::{
    error::Error,
    guard::{
        Decision, Identity,
        reply::{identity_fields, limit_fields},
    },
    policy::Policy,
};

/// The service binding that takes the place of `upstream`.
const SERVICE: &str = "UPSTREAM";

/// Where admitted requests go.
#[derive(Debug)]
pub(super) enum Target {
    /// To this origin, with the path of the request behind it.
    Url(String),
    /// To the Worker that is bound as [`SERVICE`].
    Service,
    /// Nowhere: the gate answers with the identity.
    Nothing,
}

impl Target {
    /// The policy's `upstream`, or else the service binding, or else nothing.
    pub(super) fn of(policy: &Policy, env: &Env) -> Self {
        match &policy.upstream {
            Some(url) => Self::Url(url.clone()),
            None if env.service(SERVICE).is_ok() => Self::Service,
            None => Self::Nothing,
        }
    }
}

/// Passes the request on and the answer back.
///
/// # Errors
/// [`Error::Upstream`] if no answer comes. An answer with an error status is an answer.
pub(super) async fn forward(
    request: &Request,
    facts: &Facts<'_>,
    identity: &Identity,
    decision: &Decision,
    gate: &Gate,
    env: &Env,
) -> Result<Response, Error> {
    send(request, facts, identity, decision, gate, env)
        .await
        .map_err(|fault| Error::Upstream { problem: fault.to_string() })
}

async fn send(
    request: &Request,
    facts: &Facts<'_>,
    identity: &Identity,
    decision: &Decision,
    gate: &Gate,
    env: &Env,
) -> worker::Result<Response> {
    let policy = &gate.policy;
    let answer = match &gate.target {
        Target::Nothing => return demo(facts, identity, decision, policy),
        Target::Url(base) => fetch(&outgoing(request, facts, identity, decision, policy, base)?).await?,
        Target::Service => {
            let base = origin_of(&request.url());
            let outgoing = outgoing(request, facts, identity, decision, policy, &base)?;
            env.service(SERVICE)?.fetch_request(worker::Request::from(outgoing)).await?.into()
        }
    };
    with_limits(answer, decision, policy)
}

/// The request as the upstream gets it.
fn outgoing(
    request: &Request,
    facts: &Facts<'_>,
    identity: &Identity,
    decision: &Decision,
    policy: &Policy,
    base: &str,
) -> worker::Result<Request> {
    let own = Headers::new_with_headers(&request.headers())?;
    headers::strip_inbound(&own, policy, decision.carrier)?;
    headers::set_forwarded(&own, &facts.as_request())?;
    headers::set_identity(&own, identity)?;
    let init = RequestInit::new();
    init.set_method(facts.method);
    init.set_headers(&own);
    init.set_redirect(RequestRedirect::Manual);
    if let Some(body) = request.body() {
        init.set_body(&body);
    }
    Ok(Request::new_with_str_and_init(&format!("{base}{}", facts.target), &init)?)
}

async fn fetch(request: &Request) -> worker::Result<Response> {
    let global: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    let answer = JsFuture::from(global.fetch_with_request(request)).await?;
    Ok(answer.dyn_into()?)
}

/// Adds the limits to an answer. Without limits it goes back exactly as it came, and so does a switch
/// of protocols, which cannot be rebuilt.
fn with_limits(answer: Response, decision: &Decision, policy: &Policy) -> worker::Result<Response> {
    if decision.limits.is_empty() || answer.status() == 101 {
        return Ok(answer);
    }
    let own = Headers::new_with_headers(&answer.headers())?;
    headers::set_limits(&own, &decision.limits, policy.legacy_headers)?;
    let init = ResponseInit::new();
    init.set_status(answer.status());
    init.set_status_text(&answer.status_text());
    init.set_headers(&own);
    Ok(Response::new_with_opt_readable_stream_and_init(answer.body().as_ref(), &init)?)
}

#[derive(serde::Serialize)]
struct DemoAnswer<'a> {
    method: &'a str,
    subject: Option<&'a str>,
    issuer: Option<&'a str>,
    scopes: &'a [String],
    key_id: Option<String>,
}

/// Without anything behind the gate, the answer is who it saw.
fn demo(
    facts: &Facts<'_>,
    identity: &Identity,
    decision: &Decision,
    policy: &Policy,
) -> worker::Result<Response> {
    let mut fields = identity_fields(identity);
    fields.extend(limit_fields(&decision.limits, policy.legacy_headers));
    if facts.as_request().preflight {
        return reply::empty_with(204, &fields);
    }
    let seen = DemoAnswer {
        method: identity.method(),
        subject: identity.subject(),
        issuer: identity.issuer(),
        scopes: identity.scopes(),
        key_id: identity.api_key_id().map(ToString::to_string),
    };
    reply::json_with(200, &seen, &fields)
}

/// Scheme and host of an absolute URL.
fn origin_of(url: &str) -> String {
    let target = crate::guard::target_of(url);
    url.strip_suffix(&target).unwrap_or(url).to_owned()
}
