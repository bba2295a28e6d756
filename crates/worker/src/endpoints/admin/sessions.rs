//! `/auth/admin/sessions` and `/auth/admin/subjects`: open, list, end and narrow sessions; refuse a subject, and forget it.

use super::{Admin, Answer};
use crate::{
    endpoints::session::written,
    gate::RequestBackend,
    grants::OwnGrants,
    request::{RequestParts, header},
};
use edgegate::{
    error::Error,
    grant::step::EndGrants,
    guard::session::endpoints::{Answer as Done, Endpoints},
    http::reply::Fields,
    session::{record::Device, step::Which},
};

/// `POST /sessions`. The device is not known: it is the user's, and a back end asks.
pub(crate) async fn open(admin: &Admin<'_>) -> Answer {
    // An answer that is kept for a day would hold tokens.
    if header(&admin.call.request.headers(), "Idempotency-Key").is_some() {
        let problem = "expected no Idempotency-Key: answers with tokens are not kept";
        return Err(Error::InvalidRequest(problem).into());
    }
    let body = admin.body().await?;
    admin.is_about_subject_in(&body);
    with(admin, async |endpoints| endpoints.open(&body, Device::default()).await).await
}

/// `GET /sessions?subject=`.
pub(crate) async fn list(admin: &Admin<'_>) -> Answer {
    let subject = subject(admin)?;
    with(admin, async |endpoints| endpoints.list_of(&subject).await).await
}

/// `DELETE /sessions?subject=`.
pub(crate) async fn end_all(admin: &Admin<'_>) -> Answer {
    let subject = subject(admin)?;
    with(admin, async |endpoints| endpoints.end_all_of(&subject).await).await
}

/// `DELETE /sessions/{id}?subject=`.
pub(crate) async fn end(admin: &Admin<'_>) -> Answer {
    let subject = subject(admin)?;
    with(admin, async |endpoints| endpoints.end_for(&subject, Which::One, admin.id).await).await
}

/// `PATCH /sessions/{id}`.
pub(crate) async fn narrow(admin: &Admin<'_>) -> Answer {
    let body = admin.body().await?;
    with(admin, async |endpoints| endpoints.narrow(admin.id, &body).await).await
}

/// `POST /subjects/disable`.
pub(crate) async fn disable(admin: &Admin<'_>) -> Answer {
    let body = admin.body().await?;
    admin.is_about_subject_in(&body);
    with(admin, async |endpoints| endpoints.disable(&body).await).await
}

/// `POST /subjects/enable`.
pub(crate) async fn enable(admin: &Admin<'_>) -> Answer {
    let body = admin.body().await?;
    admin.is_about_subject_in(&body);
    with(admin, async |endpoints| endpoints.enable(&body).await).await
}

/// `DELETE /subjects?subject=`.
pub(crate) async fn forget(admin: &Admin<'_>) -> Answer {
    let subject = subject(admin)?;
    // Sessions first: without one nobody connects an account. Should the grants fail, the whole can be asked again.
    let answer = with(admin, async |endpoints| endpoints.forget(&subject).await).await?;
    end_grants(admin, &subject).await?;
    Ok(answer)
}

/// Ends the accounts at providers that a subject has connected, where the policy has such.
pub(super) async fn end_grants(admin: &Admin<'_>, subject: &str) -> Result<(), Error> {
    if admin.call.gate.policy.uses_grants() {
        let grants = OwnGrants::of_subject(admin.call.gate, admin.call.env, subject)?;
        grants.end(EndGrants::default(), admin.call.context).await?;
    }
    Ok(())
}

async fn with(
    admin: &Admin<'_>,
    step: impl AsyncFnOnce(&Endpoints<'_, RequestBackend<'_>>) -> Result<Done, Error>,
) -> Answer {
    let call = admin.call;
    let parts: RequestParts<'_> = call.parts();
    let request = parts.as_request();
    let backend = call.gate.backend(call.env, call.context);
    let endpoints = Endpoints::new(&call.gate.policy, &backend, &request, admin.now)?;
    Ok(written(call, &step(&endpoints).await?, &Fields::new())?)
}

fn subject(admin: &Admin<'_>) -> Result<String, Error> {
    let subject = admin.query().subject.filter(|subject| subject.len() <= 255);
    subject.ok_or_else(|| Error::invalid_field("subject", "expected 1 to 255 bytes"))
}
