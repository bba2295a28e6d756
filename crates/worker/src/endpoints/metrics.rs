//! `GET /auth/metrics`: everything that was counted, as Prometheus reads it. For the secret of metrics, and for administrators who may read.

use web_sys::Response;

use crate::{call::Call, clock, objects::watch_stub, reply, watch::flush};
use edgegate::{
    error::Error,
    guard::{Carrier, Decision, administration::may_read_metrics},
    watch::report::METRICS_TYPE,
};

/// The path in the event log, whatever the prefix.
const LOGGED_AS: &str = "/auth/metrics";

/// Answers a scrape.
pub(crate) async fn answer(call: &Call<'_>) -> worker::Result<Response> {
    let parts = call.parts();
    call.gate.note_address(&parts);
    let policy = &call.gate.policy;
    let failures = call.gate.memory.guard.failures(policy);
    let allowed = may_read_metrics(policy, &failures, &parts.as_request(), clock::now());
    let told = match allowed {
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

async fn read(call: &Call<'_>) -> Result<String, Error> {
    flush(call.gate, call.env).await;
    let metrics = watch_stub::metrics(call.env).await;
    metrics.map_err(|fault| Error::StoreUnavailable { store: "watch", problem: fault.to_string() })
}
