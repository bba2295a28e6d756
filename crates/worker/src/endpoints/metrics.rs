//! `GET /auth/metrics`: everything that was counted, as Prometheus reads it. For the secret of metrics, and for administrators who may read.

use web_sys::Response;

use super::admin::presented;
use crate::{call::Call, clock, objects::watch_stub, reply, watch::flush};
use edgegate::{
    error::Error,
    guard::{Carrier, Decision},
    policy::Role,
    watch::report::METRICS_TYPE,
};

/// The path in the event log, whatever the prefix.
const LOGGED_AS: &str = "/auth/metrics";

/// Answers a scrape.
pub(crate) async fn answer(call: &Call<'_>) -> worker::Result<Response> {
    let parts = call.parts();
    call.gate.note_address(&parts);
    let told = match authenticate(call) {
        Ok(()) => read(call).await,
        Err(fault) => Err(fault),
    };
    match told {
        Ok(text) => {
            let fields = vec![
                ("Content-Type", METRICS_TYPE.to_owned()),
                ("Cache-Control", "no-store".to_owned()),
            ];
            reply::whole(200, &fields, &text)
        }
        Err(error) => {
            let carrier = parts.as_request().authorization.map(|_| Carrier::Bearer);
            let decision = Decision::refused(error, carrier, LOGGED_AS);
            call.note_refusal(&parts, &decision);
            call.refuse(&parts, &decision)
        }
    }
}

/// # Errors
/// [`Error::NotFound`] where nothing watches, or no secret may read; then as for the administrator's secret.
fn authenticate(call: &Call<'_>) -> Result<(), Error> {
    let policy = &call.gate.policy;
    let watch = policy.watch.as_ref().ok_or(Error::NotFound)?;
    if watch.metrics.is_none() && policy.admin.is_none() {
        return Err(Error::NotFound);
    }
    let parts = call.parts();
    let request = parts.as_request();
    let given = presented(&request)?;
    let failures = call.gate.memory.guard.failures(policy);
    let mut administrator = None;
    failures.secret(request.client_ip, clock::now(), || {
        // All are compared, so that time does not tell which it is like.
        administrator = policy.admin.as_ref().and_then(|admin| admin.holder_of(given.as_bytes()));
        let reads = watch.metrics.as_ref().is_some_and(|secret| secret.matches(given.as_bytes()));
        reads | administrator.is_some()
    })?;
    administrator.map_or(Ok(()), |administrator| administrator.require(Role::Read))
}

async fn read(call: &Call<'_>) -> Result<String, Error> {
    flush(call.gate, call.env).await;
    let metrics = watch_stub::metrics(call.env).await;
    metrics.map_err(|fault| Error::StoreUnavailable { store: "watch", problem: fault.to_string() })
}
