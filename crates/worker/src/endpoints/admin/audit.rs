//! `GET /auth/admin/audit?after=&limit=`: what administration did, as a chain.

use super::{Admin, Answer, unavailable};
use crate::{objects::watch_stub, reply};
use edgegate::{error::Error, guard::administration::MAX_PAGE, policy::Audit};

/// The entries behind the one that the caller has.
pub(crate) async fn list(admin: &Admin<'_>) -> Answer {
    let watch = admin.call.gate.policy.watch.as_ref();
    if watch.is_none_or(|watch| watch.audit == Audit::Off) {
        return Err(Error::NotFound.into());
    }
    let query = admin.query();
    let after = query.after.as_deref().unwrap_or("0").parse::<u64>();
    let after =
        after.map_err(|_| Error::invalid_field("after", "expected the number of an entry"))?;
    let most = u64::try_from(MAX_PAGE).unwrap_or(u64::MAX);
    let limit = query.paging.limit.unwrap_or(most);
    if !(1..=most).contains(&limit) {
        let problem = format!("expected 1 to {MAX_PAGE}");
        return Err(Error::invalid_field("limit", &problem).into());
    }
    let page = watch_stub::audit(admin.call.env, after, limit).await;
    let fields = vec![
        ("Content-Type", "application/json".to_owned()),
        ("Cache-Control", "no-store".to_owned()),
    ];
    Ok(reply::whole(200, &fields, &page.map_err(unavailable("audit"))?)?)
}
