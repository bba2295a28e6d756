//! `/auth/admin/keys`: mint, list, read, change, rotate, revoke.

use super::{Admin, Answer};
use crate::{kv::Namespace, reply, request::header};
use edgegate::{api_key::KeyId, error::Error, guard::administration::KeyAdministration};

/// `POST /keys`: a new key, or the record of one that another system issued.
pub(crate) async fn mint(admin: &Admin<'_>) -> Answer {
    refuse_idempotency_key(admin)?;
    let body = admin.body().await?;
    let minted = keys(admin).mint(&body, random_id, &admin.revocations).await?;
    admin.is_about(minted.id().to_string());
    Ok(reply::json(201, &minted)?)
}

/// `GET /keys?owner=&cursor=&limit=`.
pub(crate) async fn list(admin: &Admin<'_>) -> Answer {
    let query = admin.query();
    let page = keys(admin).list(query.owner.as_deref(), &query.paging).await?;
    Ok(reply::json(200, &page)?)
}

/// `GET /keys/{id}`.
pub(crate) async fn read(admin: &Admin<'_>) -> Answer {
    Ok(reply::json(200, &keys(admin).read(admin.id).await?)?)
}

/// `PATCH /keys/{id}`.
pub(crate) async fn change(admin: &Admin<'_>) -> Answer {
    let body = admin.body().await?;
    Ok(reply::json(200, &keys(admin).change(admin.id, &body, &admin.revocations).await?)?)
}

/// `POST /keys/{id}/rotate`.
pub(crate) async fn rotate(admin: &Admin<'_>) -> Answer {
    refuse_idempotency_key(admin)?;
    let body = admin.body().await?;
    let rotated = keys(admin).rotate(admin.id, &body, random_id, &admin.revocations).await?;
    admin.is_about(format!("{} {}", admin.id, rotated.id()));
    Ok(reply::json(201, &rotated)?)
}

/// `DELETE /keys/{id}`.
pub(crate) async fn revoke(admin: &Admin<'_>) -> Answer {
    Ok(reply::json(200, &keys(admin).revoke(admin.id, &admin.revocations).await?)?)
}

/// Who sends `Idempotency-Key` relies on getting the same answer again. This one has the new key in it, which is kept nowhere, so
/// there is nothing to give again; and KV has no step in which one of two requests would be the first.
fn refuse_idempotency_key(admin: &Admin<'_>) -> Result<(), Error> {
    if header(&admin.call.request.headers(), "Idempotency-Key").is_none() {
        return Ok(());
    }
    let problem = "expected none: a new key is told once and kept nowhere. Without an answer, list the keys of its owner and \
                   revoke the one that nobody was told";
    Err(Error::invalid_field("Idempotency-Key", problem))
}

fn keys<'a, 'k>(admin: &'a Admin<'k>) -> KeyAdministration<'a, 'k, Namespace<'k>> {
    KeyAdministration::new(&admin.call.gate.policy, &admin.kv, admin.now)
}

fn random_id() -> Result<KeyId, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Error::StoreUnavailable {
        store: "keys",
        problem: "the runtime gives no random bytes".to_owned(),
    })?;
    Ok(KeyId::from_bytes(bytes))
}
