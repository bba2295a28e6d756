//! `/auth/admin/accounts`: make, find, change and delete accounts.

use super::{Admin, Answer, LOGGED_AS, sessions};
use crate::{
    accounts::GateAccounts, endpoints::session::written, gate::RequestBackend,
    request::RequestParts,
};
use edgegate::{
    error::Error,
    guard::{AskedBy, accounts::AccountFlow, session::endpoints::Answer as Done},
    http::reply::Fields,
};

/// `POST /accounts`.
pub(crate) async fn create(admin: &Admin<'_>) -> Answer {
    let body = admin.body().await?;
    with(admin, async |accounts| {
        let made = accounts.create(&body).await?;
        admin.is_about_id_in(&made.body);
        Ok(made)
    })
    .await
}

/// `POST /accounts/invite`.
pub(crate) async fn invite(admin: &Admin<'_>) -> Answer {
    let body = admin.body().await?;
    with(admin, async |accounts| {
        let made = accounts.invite(&body).await?;
        admin.is_about_id_in(&made.body);
        Ok(made)
    })
    .await
}

/// `POST /accounts/prepare`.
pub(crate) async fn prepare(admin: &Admin<'_>) -> Answer {
    let body = admin.body().await?;
    with(admin, async |accounts| accounts.prepare(&body).await).await
}

/// `POST /accounts/find`.
pub(crate) async fn find(admin: &Admin<'_>) -> Answer {
    let body = admin.body().await?;
    with(admin, async |accounts| accounts.find(&body).await).await
}

/// `GET /accounts/{id}`.
pub(crate) async fn show(admin: &Admin<'_>) -> Answer {
    with(admin, async |accounts| accounts.show(admin.id).await).await
}

/// `PATCH /accounts/{id}`.
pub(crate) async fn change(admin: &Admin<'_>) -> Answer {
    let body = admin.body().await?;
    with(admin, async |accounts| accounts.change(admin.id, &body).await).await
}

/// `DELETE /accounts/{id}`.
pub(crate) async fn delete(admin: &Admin<'_>) -> Answer {
    let answer = with(admin, async |accounts| accounts.delete(admin.id).await).await?;
    sessions::end_grants(admin, &format!("account|{}", admin.id)).await?;
    Ok(answer)
}

async fn with(
    admin: &Admin<'_>,
    step: impl AsyncFnOnce(
        &AccountFlow<'_, RequestBackend<'_>, GateAccounts<'_>>,
    ) -> Result<Done, Error>,
) -> Answer {
    let call = admin.call;
    let parts: RequestParts<'_> = call.parts();
    let request = parts.as_request();
    let backend = call.gate.backend(call.env, call.context);
    let edge = GateAccounts::new(call.gate, call.env, call.context)?;
    let flow = AccountFlow::new(&call.gate.policy, (&backend, &edge), &request, admin.now)?;
    let done = step(&flow).await;
    let by = AskedBy { route: LOGGED_AS, actor: Some(admin.actor) };
    call.note_accounts(&parts, by, &flow.take_done());
    Ok(written(call, &done?, &Fields::new())?)
}
