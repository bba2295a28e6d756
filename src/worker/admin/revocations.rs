//! `/auth/admin/revocations`: add, list, read, undo.

use serde::Serialize;

use super::{Admin, Answer, Listing, Query, unavailable};
use crate::{
    error::Error,
    guard::Guard,
    revocation::{DenyKey, Entry, NewRevocation, Target},
    store::RevocationStore as _,
    worker::{gate::RequestBackend, reply},
};

/// What an administrator sees of a revocation.
#[derive(Serialize)]
struct Shown {
    id: String,
    #[serde(flatten)]
    entry: Entry,
}

impl Shown {
    fn of(key: &DenyKey, entry: Entry) -> Self {
        Self { id: key.to_string(), entry }
    }
}

/// `POST /revocations`. Revoking again what is revoked never weakens it.
pub(super) async fn add(admin: &Admin<'_>, body: &[u8]) -> Answer {
    enabled(admin)?;
    let now = admin.now.to_unix_time();
    let entry = match NewRevocation::parse(body)? {
        NewRevocation::Entry(request) => {
            check_issuer(admin, request.target())?;
            request.entry(now)?
        }
        NewRevocation::Token(revocation) => {
            let backend = RequestBackend::new(admin.gate, admin.env, admin.context);
            let guard = Guard::new(&admin.gate.policy, &backend);
            let token =
                guard.verify_token(revocation.token(), admin.now).await.map_err(|error| {
                    match error {
                        // The request was fine; what it needs to be decided is not there.
                        Error::KeysUnavailable { .. } => error,
                        Error::TokenExpired { .. } => {
                            Error::invalid_field("token", "has expired already")
                        }
                        _ => Error::invalid_field(
                            "token",
                            "is not a valid token of a configured issuer",
                        ),
                    }
                })?;
            let claims = token.claims();
            revocation.entry(token.issuer(), claims.jwt_id(), claims.expires_at(), now)?
        }
    };
    let key = entry.deny_key();
    let older = admin.kv.entry(&key).await.map_err(unavailable("revocation"))?;
    let entry = entry.merge(older.as_ref(), now);
    admin.kv.put(&key, &entry, admin.now).await.map_err(unavailable("revocation"))?;
    Ok(reply::json(201, &Shown::of(&key, entry))?)
}

/// `GET /revocations?cursor=&limit=`.
pub(super) async fn list(admin: &Admin<'_>, query: &Query) -> Answer {
    #[derive(Serialize)]
    struct Revocations {
        revocations: Vec<Shown>,
    }
    enabled(admin)?;
    let page =
        admin.kv.list(query.cursor()?, query.limit()?).await.map_err(unavailable("revocation"))?;
    let revocations = page.items.into_iter().map(|(key, entry)| Shown::of(&key, entry)).collect();
    Ok(reply::json(200, &Listing { items: Revocations { revocations }, cursor: page.cursor })?)
}

/// `GET /revocations/{id}`.
pub(super) async fn read(admin: &Admin<'_>, id: &str) -> Answer {
    enabled(admin)?;
    let key = DenyKey::parse(id).ok_or(Error::NotFound)?;
    let entry = admin.kv.entry(&key).await.map_err(unavailable("revocation"))?;
    let entry = entry.ok_or(Error::NotFound)?;
    Ok(reply::json(200, &Shown::of(&key, entry))?)
}

/// `DELETE /revocations/{id}`.
pub(super) async fn undo(admin: &Admin<'_>, id: &str) -> Answer {
    enabled(admin)?;
    let key = DenyKey::parse(id).ok_or(Error::NotFound)?;
    let entry = admin.kv.entry(&key).await.map_err(unavailable("revocation"))?;
    entry.ok_or(Error::NotFound)?;
    admin.kv.remove(&key).await.map_err(unavailable("revocation"))?;
    Ok(reply::empty(204)?)
}

fn enabled(admin: &Admin<'_>) -> Result<(), Error> {
    admin.gate.policy.revocation.as_ref().map(|_| ()).ok_or(Error::NotFound)
}

/// An issuer that is not in the policy is a typo: the revocation would never match.
fn check_issuer(admin: &Admin<'_>, target: &Target) -> Result<(), Error> {
    let Some(named) = target.issuer() else { return Ok(()) };
    let known = admin.gate.policy.verifier.as_ref().is_some_and(|verifier| {
        verifier.issuers().iter().any(|issuer| issuer.rules.issuer == named)
    });
    if known { Ok(()) } else { Err(Error::invalid_field("iss", "is not an issuer of the policy")) }
}
