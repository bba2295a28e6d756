//! `GET /auth/admin/watch?window=15m`: what happened, and what is wrong.

use super::{Admin, Answer, unavailable};
use crate::{objects::watch_stub, reply, watch::flush};
use edgegate::{error::Error, watch::report::window_of};

/// The report of the window. What this isolate has not handed over yet is handed over first.
pub(crate) async fn read(admin: &Admin<'_>) -> Answer {
    let gate = admin.call.gate;
    if gate.policy.watch.is_none() {
        return Err(Error::NotFound.into());
    }
    let window = window_of(admin.query().window.as_deref())?;
    flush(gate, admin.call.env).await;
    let report = watch_stub::report(admin.call.env, window).await.map_err(unavailable("watch"))?;
    let fields = vec![
        ("Content-Type", "application/json".to_owned()),
        ("Cache-Control", "no-store".to_owned()),
    ];
    Ok(reply::whole(200, &fields, &report)?)
}
