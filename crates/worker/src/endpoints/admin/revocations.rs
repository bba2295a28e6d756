//! `/auth/admin/revocations`: add, list, read, undo.

use std::rc::Rc;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use wasm_bindgen::JsValue;
use web_sys::{Headers, Request, Response, ResponseInit, TransformStream};
use worker::{js_sys, wasm_bindgen_futures::JsFuture};

use super::{Admin, Answer, MAX_BODY, body_of, unavailable};
use crate::{
    background,
    kv::{Kv, Namespace},
    objects::ledger_stub::{Ledger, Retry},
    reply,
    request::header,
    revocations::{Revocations, export_page},
};
use edgegate::{
    base64url,
    error::Error,
    guard::administration::{RevocationAdministration, requested_entry},
    policy::CacheSecs,
    revocation::{
        DenyKey,
        bulk::{Bulk, MAX_BULK_BYTES},
    },
};

/// How many lines a bulk may have where each is a KV key: a request may do 1,000 operations, and each line costs a write,
/// which may have to be repeated.
const MAX_KV_LINES: usize = 400;

/// `POST /revocations`: one as JSON, or many as NDJSON. Revoking again what is revoked never weakens it.
pub(crate) async fn post(admin: &Admin<'_>) -> Answer {
    enabled(admin)?;
    let request = admin.call.request;
    let kind = header(&request.headers(), "Content-Type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let many = kind.eq_ignore_ascii_case("application/x-ndjson");
    let limit = if many { MAX_BULK_BYTES } else { MAX_BODY };
    let body = body_of(request, limit).await?;
    let retry = retry(admin, request, &body)?;
    if many {
        add_many(admin, &body, retry.as_ref()).await
    } else {
        add(admin, &body, retry.as_ref()).await
    }
}

async fn add(admin: &Admin<'_>, body: &[u8], retry: Option<&Retry>) -> Answer {
    let backend = admin.call.gate.backend(admin.call.env, admin.call.context);
    let entry = requested_entry(&admin.call.gate.policy, &backend, body, admin.now).await?;
    let revoke = async |entry| {
        let revoked = admin.revocations.revoke_for(entry, retry, admin.now).await;
        settled(revoked.map_err(unavailable("revocation"))?)
    };
    let revoked = revocations(admin).add_by(entry, revoke).await?;
    admin.is_about(revoked.id());
    Ok(reply::json(201, &revoked)?)
}

/// The outcome of many.
#[derive(Serialize)]
struct Added {
    /// Written, or made stronger.
    revoked: u32,
    /// In force already.
    unchanged: u32,
    /// Over already, so not written.
    expired: usize,
}

/// All lines are read before anything is written. The ledger writes all or nothing, and the next snapshot has them. KV may
/// fail half-way; the same request again does the rest.
async fn add_many(admin: &Admin<'_>, body: &[u8], retry: Option<&Retry>) -> Answer {
    let now = admin.now.to_unix_time();
    let policy = &admin.call.gate.policy;
    let bulk = Bulk::parse(body, |issuer| policy.clock_tolerance_of(issuer), now)?;
    admin.is_about(format!("{} lines", bulk.entries.len()));
    let (revoked, unchanged) = match admin.revocations.ledger() {
        Some(ledger) => {
            let done = ledger.revoke_all(&bulk.entries, retry).await;
            settled(done.map_err(unavailable("revocation"))?.answer())?
        }
        None if bulk.entries.len() > MAX_KV_LINES => {
            let problem = format!(
                "expected at most {MAX_KV_LINES} lines with revocation.mode = entries, which \
                 takes a KV write for each"
            );
            return Err(Error::invalid_field("", &problem).into());
        }
        None => {
            admin.kv.put_all(bulk.entries, admin.now).await.map_err(unavailable("revocation"))?
        }
    };
    Ok(reply::json(201, &Added { revoked, unchanged, expired: bulk.expired })?)
}

/// `Idempotency-Key`: the ledger gives the same answer to the same request again.
fn retry(admin: &Admin<'_>, request: &Request, body: &[u8]) -> Result<Option<Retry>, Error> {
    let Some(key) = header(&request.headers(), "Idempotency-Key") else { return Ok(None) };
    if admin.revocations.ledger().is_none() {
        let problem = "expected with revocation.mode = snapshot or ledger only";
        return Err(Error::invalid_field("Idempotency-Key", problem));
    }
    if key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = "expected 1 to 255 printable ASCII characters without space";
        return Err(Error::invalid_field("Idempotency-Key", problem));
    }
    let digest = |bytes: &[u8]| base64url::encode(&Sha256::digest(bytes));
    Ok(Some(Retry { id: digest(key.as_bytes()), request: digest(body) }))
}

fn settled<T>(answer: Option<T>) -> Result<T, Error> {
    let conflict = || Error::invalid_field("Idempotency-Key", "was used for another request");
    answer.ok_or_else(conflict)
}

/// `GET /revocations/export`: all of them, an entry a line, as `POST` takes them back. It is written as it is read; if that
/// fails on the way the answer breaks off, so that half of it is not taken for the whole.
pub(crate) async fn export(admin: &Admin<'_>) -> Answer {
    enabled(admin)?;
    let in_ledger = admin.revocations.ledger().is_some();
    let (env, memory) = (admin.call.env.clone(), Rc::clone(&admin.call.gate.memory));
    let first = export_page(&admin.kv, admin.revocations.ledger(), None)
        .await
        .map_err(unavailable("revocation"))?;
    let stream = TransformStream::new().map_err(worker::Error::from)?;
    let writer = stream.writable().get_writer().map_err(worker::Error::from)?;
    background::run(admin.call.context, async move {
        let none = CacheSecs(0);
        let kv = Kv::new(Namespace::new(&env), &memory.remembered, none, none);
        let ledger = in_ledger.then_some(Ledger { env: &env });
        let mut page = first;
        loop {
            let chunk = js_sys::Uint8Array::from(page.items.as_bytes());
            if JsFuture::from(writer.write_with_chunk(&chunk)).await.is_err() {
                return;
            }
            let Some(cursor) = page.cursor else { break };
            page = match export_page(&kv, ledger, Some(&cursor)).await {
                Ok(page) => page,
                Err(fault) => {
                    let reason = JsValue::from(fault.to_string());
                    drop(JsFuture::from(writer.abort_with_reason(&reason)).await);
                    return;
                }
            };
        }
        drop(JsFuture::from(writer.close()).await);
    });
    Ok(ndjson(&stream).map_err(worker::Error::from)?)
}

fn ndjson(stream: &TransformStream) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("Content-Type", "application/x-ndjson")?;
    headers.set("Cache-Control", "no-store")?;
    let init = ResponseInit::new();
    init.set_headers(&headers);
    Response::new_with_opt_readable_stream_and_init(Some(&stream.readable()), &init)
}

/// `GET /revocations?cursor=&limit=`.
pub(crate) async fn list(admin: &Admin<'_>) -> Answer {
    let paging = admin.query().paging;
    // The ledger goes on behind an entry, and knows it by its id. A cursor that is none is no fault of the ledger.
    let is_foreign = |cursor: &String| DenyKey::parse(cursor).is_none();
    if admin.revocations.ledger().is_some() && paging.cursor.as_ref().is_some_and(is_foreign) {
        return Err(Error::invalid_field("cursor", "expected the cursor of the page before").into());
    }
    Ok(reply::json(200, &revocations(admin).list(&paging).await?)?)
}

/// `GET /revocations/{id}`.
pub(crate) async fn read(admin: &Admin<'_>) -> Answer {
    Ok(reply::json(200, &revocations(admin).read(admin.id).await?)?)
}

/// `DELETE /revocations/{id}`.
pub(crate) async fn undo(admin: &Admin<'_>) -> Answer {
    revocations(admin).undo(admin.id).await?;
    Ok(reply::empty(204)?)
}

fn revocations<'a, 'r>(admin: &'a Admin<'r>) -> RevocationAdministration<'a, Revocations<'r>> {
    RevocationAdministration::new(&admin.call.gate.policy, &admin.revocations)
}

fn enabled(admin: &Admin<'_>) -> Result<(), Error> {
    admin.call.gate.policy.revocation.as_ref().map(|_| ()).ok_or(Error::NotFound)
}
