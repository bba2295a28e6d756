//! A policy that may come, judged beside the one in force: behind the answer, and over nothing but what is remembered. It has no say in any
//! answer; what it would have said is counted in the watch.

use core::time::Duration;
use std::rc::Rc;

use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::Request;
use worker::{Context, Delay, Env, js_sys::Math, worker_sys};

use super::{
    background,
    call::{Call, Edge},
    clock, fault,
    gate::Gate,
    host::RequestLines,
    isolate::policy_variable,
    request::RequestParts,
    watch,
};
use edgegate::guard::{
    Decision,
    shadow::{Verdict, judge},
    target_of,
};

/// The variable that holds the policy that may come.
const POLICY_SHADOW: &str = "POLICY_SHADOW";

/// What was decided.
struct Decided {
    method: String,
    route: String,
    verdict: Verdict,
    edge: Edge,
}

/// Has the policy that may come judged behind the answer, if there is one, and this request is one of its sample. `decision` is that of
/// the guard alone.
#[inline]
pub(crate) fn judge_later(call: &Call<'_>, decision: &Decision, edge: Edge) {
    if let Some(percent) = call.gate.policy.watch.as_ref().and_then(|watch| watch.shadow) {
        later(call, decision, (edge, percent));
    }
}

#[inline(never)]
fn later(call: &Call<'_>, decision: &Decision, (edge, percent): (Edge, u32)) {
    if decision.preflight.is_some() || Math::random() * 100.0 >= f64::from(percent) {
        return;
    }
    let decided = Decided {
        method: call.lines.method().to_owned(),
        route: decision.route.clone(),
        verdict: Verdict::of(decision),
        edge,
    };
    let (gate, env) = (Rc::clone(call.gate), call.env.clone());
    // The request itself: a copy by JavaScript's `clone` would have a body of its own, which somebody would have to read.
    let request = <Request as Clone>::clone(call.request);
    let context = same_context(call.context);
    background::run(call.context, async move {
        // The answer goes first.
        Delay::from(Duration::ZERO).await;
        let Some(candidate) = gate.candidate(|| read(&env)) else { return };
        let judged = verdict(&gate, candidate, (&env, &context), (&request, &decided)).await;
        let said = (decided.verdict, judged.unwrap_or(Verdict::NotJudged));
        let request = (decided.method.as_str(), decided.route.as_str());
        watch::note_shadow(&gate, (&env, &context), request, said);
    });
}

/// What goes on behind the answer needs the context too.
fn same_context(context: &Context) -> Context {
    let context: &worker_sys::Context = context.as_ref();
    let value: &JsValue = context.as_ref();
    Context::new(value.clone().unchecked_into())
}

/// Reads it, once for each policy in force. A faulty one is told, and judges nothing.
fn read(env: &Env) -> Option<Gate> {
    let gate =
        policy_variable(env, POLICY_SHADOW).and_then(|text| Gate::new(&text, env, &Rc::default()));
    gate.inspect_err(|fault| fault::report(&format!("{POLICY_SHADOW} is not judged: {fault}"))).ok()
}

async fn verdict(
    real: &Rc<Gate>,
    candidate: &Rc<Gate>,
    (env, context): (&Env, &Context),
    (request, decided): (&Request, &Decided),
) -> Option<Verdict> {
    // What the real decision could not tell, this one cannot either.
    if decided.verdict == Verdict::NotJudged {
        return None;
    }
    let policy = &candidate.policy;
    let names = &candidate.names;
    let of_proxy = decided.edge == Edge::ForwardAuth;
    let lines =
        RequestLines::of(request, if of_proxy { &names.forwarded } else { &names.own }).ok()?;
    let target = target_of(lines.url());
    let parts = match decided.edge {
        Edge::Proxy => RequestParts::of(request, &lines, &target, policy),
        Edge::ForwardAuth => RequestParts::of_forwarded(request, &lines, policy).ok()?,
    };
    let memory = real.memory.guard.beside();
    let backend = candidate.backend_beside((real, &memory), env, context);
    let mut decision = judge(policy, &backend, &parts.as_request(), clock::now()).await;
    if of_proxy {
        decision.refuse_own_answers();
    }
    Some(Verdict::of(&decision))
}
