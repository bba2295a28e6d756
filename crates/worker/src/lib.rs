//! The Cloudflare Worker: the only place that knows HTTP statuses, KV, Durable Objects and the clock.
//!
//! `fetch` sends a request to the gate's own endpoints or through the guard to what is behind it.

mod background;
mod body;
mod clock;
mod counters;
mod deadline;
mod endpoints;
mod fault;
mod fetch_jwks;
mod gate;
mod headers;
mod host;
mod isolate;
mod kv;
mod objects;
mod poll_once;
mod proxy;
mod rate_limit_binding;
mod replays;
mod reply;
mod request;
mod revocations;
mod web_crypto;

use serde::Serialize;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::{Request, Response};
use worker::{Context, Env, worker_sys};

use self::{
    endpoints::{admin, health, verify as forward_auth},
    gate::Gate,
    host::{Names, Seen},
    request::Facts,
};
use edgegate::{
    error::Error,
    guard::{Decision, Event, Guard},
    http::reply::limit_fields,
    policy::{Log, Policy},
    time::UnixMillis,
};

/// Where public signing keys are published. The gate signs nothing, so the set is empty.
const JWKS_PATH: &str = "/.well-known/jwks.json";

/// What the platform calls for each request: answers, or promises an answer.
#[wasm_bindgen]
pub fn fetch(request: Request, env: Env, context: worker_sys::Context) -> JsValue {
    poll_once::run(async move {
        let context = Context::new(context);
        answer(&request, &env, &context).await.unwrap_or_else(|fault| {
            worker::console_error!("{fault}");
            failed()
        })
    })
}

/// The answer where the platform refuses what an answer is made of.
fn failed() -> Response {
    let init = web_sys::ResponseInit::new();
    init.set_status(500);
    let text = Some("INTERNAL SERVER ERROR");
    Response::new_with_opt_str_and_init(text, &init).unwrap_or_else(|_| Response::error())
}

async fn answer(request: &Request, env: &Env, context: &Context) -> worker::Result<Response> {
    let gate = isolate::gate(env, context).await;
    let seen = match &gate {
        Ok(gate) => Seen::of(request, &gate.names.own)?,
        Err(_) => Seen::of(request, &Names::default())?,
    };
    let target = edgegate::guard::target_of(seen.url());
    let path = request::path_of(&target);
    let prefix = gate.as_ref().map_or("/auth", |gate| gate.policy.auth_prefix.as_str());
    let endpoint =
        path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    if endpoint == Some("/health") {
        return match seen.method() {
            "GET" | "HEAD" => health::answer(&gate, env).await,
            _ => reply::refusal(request, &Error::MethodNotAllowed { allow: "GET, HEAD" }, None),
        };
    }
    let gate = match &gate {
        Ok(gate) => gate,
        Err(fault) => return reply::refusal(request, fault, None),
    };
    match endpoint {
        Some("/verify") => verify(gate, request, env, context).await,
        Some(rest) => match rest.strip_prefix("/admin") {
            Some(below) if below.is_empty() || below.starts_with('/') => {
                let facts = Facts::of(request, &seen, &target, &gate.policy);
                administrate(gate, request, &facts, env, context, below).await
            }
            _ => reply::refusal(request, &Error::NotFound, None),
        },
        None if path == JWKS_PATH => jwks_document(request, seen.method()),
        None => {
            let facts = Facts::of(request, &seen, &target, &gate.policy);
            pass(gate, request, &facts, env, context).await
        }
    }
}

/// Decides about a request and passes it on.
async fn pass(
    gate: &Gate,
    request: &Request,
    facts: &Facts<'_>,
    env: &Env,
    context: &Context,
) -> worker::Result<Response> {
    let mut decision = decide(gate, facts, env, context, Edge::Proxy).await;
    let forwarded = match &decision.outcome {
        Ok(identity) => proxy::forward(request, facts, identity, &decision, gate, env).await,
        Err(_) if decision.answers_preflight() => return reply::preflight(),
        Err(_) => return refuse(request, &decision, &gate.policy),
    };
    forwarded.or_else(|fault| {
        decision.outcome = Err(fault);
        log(&gate.policy, facts, &decision);
        refuse(request, &decision, &gate.policy)
    })
}

/// Decides about the request that another proxy asks about.
async fn verify(
    gate: &Gate,
    request: &Request,
    env: &Env,
    context: &Context,
) -> worker::Result<Response> {
    let seen = Seen::of(request, &gate.names.forwarded)?;
    let facts = match Facts::of_forwarded(request, &seen, &gate.policy) {
        Ok(facts) => facts,
        Err(error) => return reply::refusal(request, &error, None),
    };
    let decision = decide(gate, &facts, env, context, Edge::ForwardAuth).await;
    match &decision.outcome {
        Ok(identity) => forward_auth::admitted(identity, &decision, &gate.policy),
        Err(_) => refuse(request, &decision, &gate.policy),
    }
}

/// Who carries the traffic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Proxy,
    ForwardAuth,
}

async fn decide(
    gate: &Gate,
    facts: &Facts<'_>,
    env: &Env,
    context: &Context,
    edge: Edge,
) -> Decision {
    gate.note_address(facts);
    let backend = gate.backend(env, context);
    let guard = Guard::new(&gate.policy, &backend);
    let mut decision = guard.check(&facts.as_request(), clock::now()).await;
    if edge == Edge::ForwardAuth {
        decision.refuse_preflight();
    }
    log(&gate.policy, facts, &decision);
    if let Ok(identity) = &decision.outcome {
        gate.note_use(identity, env, context);
    }
    decision
}

async fn administrate(
    gate: &Gate,
    request: &Request,
    facts: &Facts<'_>,
    env: &Env,
    context: &Context,
    below: &str,
) -> worker::Result<Response> {
    gate.note_address(facts);
    let carrier = facts.as_request().authorization.map(|_| edgegate::guard::Carrier::Bearer);
    if let Err(error) = admin::authenticate(gate, &facts.as_request(), clock::now()) {
        let decision = Decision::refused(error, carrier, "/auth/admin");
        log(&gate.policy, facts, &decision);
        return refuse(request, &decision, &gate.policy);
    }
    let answered = admin::answer(gate, env, context, request, below).await;
    let (answer, fault) = match answered {
        Ok(Ok(response)) => (Ok(response), None),
        Ok(Err(error)) => {
            let decision = Decision::refused(error.clone(), carrier, "/auth/admin");
            (refuse(request, &decision, &gate.policy), Some(error))
        }
        Err(fault) => (Err(fault), None),
    };
    // An answer that cannot be made is one of 500.
    let status = answer.as_ref().map_or(500, Response::status);
    log_administration(&gate.policy, facts, status, fault.as_ref());
    answer
}

/// The answer to a refused decision, with the limits it asked.
fn refuse(request: &Request, decision: &Decision, policy: &Policy) -> worker::Result<Response> {
    let Err(error) = &decision.outcome else {
        return reply::refusal(request, &Error::NotFound, None);
    };
    let limits = limit_fields(&decision.limits, policy.legacy_headers);
    reply::refusal_with(request, error, decision.carrier, &limits)
}

fn log(policy: &Policy, facts: &Facts<'_>, decision: &Decision) {
    let request = facts.as_request();
    if let Some(event) = Event::of(policy.log, &request, decision, clock::now()) {
        match serde_json::to_string(&event) {
            Ok(line) => worker::console_log!("{line}"),
            Err(fault) => worker::console_error!("event not written: {fault}"),
        }
    }
}

/// A line of the event log.
#[derive(Serialize)]
struct Administered<'a> {
    event: &'a str,
    at: UnixMillis,
    method: &'a str,
    path: &'a str,
    status: u16,
    /// Of a request that was not done, or not wholly.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    client: String,
}

/// What an administrator did, or tried in vain, whatever else is logged: the path names ids, never a key or a token, and a
/// fault in the middle says what was done before it.
fn log_administration(policy: &Policy, facts: &Facts<'_>, status: u16, fault: Option<&Error>) {
    if policy.log != Log::None {
        let line = Administered {
            event: "administered",
            at: clock::now(),
            method: facts.method,
            path: request::path_of(facts.target),
            status,
            code: fault.map(|error| error.code().as_str()),
            detail: fault.map(ToString::to_string),
            client: facts.as_request().client(),
        };
        worker::console_log!("{}", serde_json::to_string(&line).unwrap_or_default());
    }
}

fn jwks_document(request: &Request, method: &str) -> worker::Result<Response> {
    #[derive(Serialize)]
    struct KeySet {
        keys: [(); 0],
    }
    match method {
        "GET" | "HEAD" => reply::json(200, &KeySet { keys: [] }),
        _ => reply::refusal(request, &Error::MethodNotAllowed { allow: "GET, HEAD" }, None),
    }
}
