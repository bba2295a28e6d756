//! Passing an admitted request on. Bodies stream both ways; redirects are the caller's to follow.

use wasm_bindgen::JsCast as _;
use web_sys::{Request, Response};
use worker::{Env, js_sys, wasm_bindgen_futures::JsFuture};

use super::{gate::Gate, headers, host, reply, request::Facts};
use edgegate::{
    error::Error,
    guard::{Decision, Identity},
    http::{
        caching::CacheRule,
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
/// [`Error::Upstream`] if no answer comes, or one whose status HTTP does not know. An answer with an error status is an
/// answer.
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
    let rule = CacheRule::of(&gate.policy, identity, decision.shared_url);
    let to = |base: &str| outgoing(request, facts, identity, decision, gate, base, &rule);
    let answer = match &gate.target {
        Target::Nothing => return demo(identity, decision, &gate.policy),
        Target::Url(base) => fetch(&to(base)?).await?,
        Target::Service => {
            let outgoing = to(&origin_of(&request.url()))?;
            env.service(SERVICE)?.fetch_request(worker::Request::from(outgoing)).await?.into()
        }
    };
    passed_back(answer, decision, gate, &rule)
}

/// The request as the upstream gets it. A preflight has no content that anybody would need (Fetch standard), so none
/// goes along.
fn outgoing(
    request: &Request,
    facts: &Facts<'_>,
    identity: &Identity,
    decision: &Decision,
    gate: &Gate,
    base: &str,
    rule: &CacheRule,
) -> worker::Result<Request> {
    let url = format!("{base}{}", facts.target);
    let with_body = decision.preflight.is_none();
    let outgoing = host::readdress(request, &url, with_body, rule.private)?;
    let own = outgoing.headers();
    headers::strip_inbound(&own, &gate.policy, decision.carrier)?;
    headers::set_forwarded(&own, &facts.as_request())?;
    headers::set_identity(&own, identity)?;
    Ok(outgoing)
}

async fn fetch(request: &Request) -> worker::Result<Response> {
    let global: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    let answer = JsFuture::from(global.fetch_with_request(request)).await?;
    Ok(answer.dyn_into()?)
}

/// The answer as the caller gets it: with the limits, and with what caches have to be told. Without either it goes back
/// exactly as it came, and so does a switch of protocols, which is no answer to store.
fn passed_back(
    answer: Response,
    decision: &Decision,
    gate: &Gate,
    rule: &CacheRule,
) -> worker::Result<Response> {
    match answer.status() {
        101 => return Ok(answer),
        200..=599 => {}
        // RFC 9110 §15 knows no such answer, and the platform can make none. Whether the gate has to change something
        // of it must not decide.
        status => {
            return Err(worker::Error::from(format!("status {status}, expected 200 to 599")));
        }
    }
    let mut fields = limit_fields(&decision.limits, gate.policy.legacy_headers);
    if !rule.is_nothing() {
        let own = host::read_answer(&answer, &gate.caching)?;
        fields.extend(rule.amend(own.split('\n')));
    }
    if fields.is_empty() {
        return Ok(answer);
    }
    host::amend(&answer, fields.iter().map(|(name, value)| (*name, value.as_str())))
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
fn demo(identity: &Identity, decision: &Decision, policy: &Policy) -> worker::Result<Response> {
    let mut fields = identity_fields(identity);
    fields.extend(limit_fields(&decision.limits, policy.legacy_headers));
    if decision.preflight.is_some() {
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
    let target = edgegate::guard::target_of(url);
    url.strip_suffix(&target).unwrap_or(url).to_owned()
}
