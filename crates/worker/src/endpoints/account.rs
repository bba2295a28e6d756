//! The endpoints of accounts. What each does is [`AccountFlow`]'s to say; here a request is read, and the answer written.

use web_sys::Response;

use super::{
    admin::{Failure, body_of},
    session::written,
};
use crate::{accounts::GateAccounts, call::Call, clock, reply, session_work};
use edgegate::{
    error::Error,
    guard::{Decision, accounts::AccountFlow},
    http::{
        account_endpoints::AccountEndpoint,
        cors,
        session_endpoints::{Asked, carrier_of},
    },
    session::oauth::MAX_FORM_LENGTH,
};

/// Answers a request for such an endpoint: 404 where the policy has no accounts.
pub(crate) async fn answer(
    call: &Call<'_>,
    endpoint: AccountEndpoint,
    method: Result<(), Error>,
) -> worker::Result<Response> {
    let (parts, gate) = (call.parts(), call.gate);
    gate.note_address(&parts);
    let request = parts.as_request();
    let backend = gate.backend(call.env, call.context);
    let accounts = GateAccounts { memory: &gate.memory, env: call.env, context: call.context };
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
    let asked = async {
        method?;
        let body = body_of(call.request, MAX_FORM_LENGTH).await?;
        let device = || call.device();
        let asked = Asked { method: call.lines.method(), id: "", body: &body, device: &device };
        Ok(endpoint.answer(&flow, asked).await?)
    };
    let error = match asked.await {
        Ok(answer) => {
            // Whoever asked for a mail is not told why there is none; the log is.
            if let Some(error) = flow.take_unsaid() {
                let carrier = carrier_of(request.authorization);
                call.note_refusal(&parts, &Decision::refused(error, carrier, &endpoint.logged()));
            }
            return written(call, &answer, &fields);
        }
        Err(Failure::Refused(error)) => error,
        Err(Failure::Runtime(fault)) => return Err(fault),
    };
    let note = flow.take_note();
    session_work::work_off(gate, (call.env, call.context), &note);
    fields.extend(session_work::cookie_fields(&note, gate));
    let carrier = carrier_of(request.authorization);
    let failures = gate.memory.guard.failures(&gate.policy);
    let error = failures.count(error, request.client_ip, clock::now());
    let refused =
        Decision { session: note, ..Decision::refused(error.clone(), carrier, &endpoint.logged()) };
    call.note_refusal(&parts, &refused);
    reply::refusal_with(call.request, &error, carrier, None, reply::lent(&fields).collect())
}
