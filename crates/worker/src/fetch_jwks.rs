//! Fetches the keys that issuers publish. [`edgegate::jose::keys::remote`] decides when, and for how long they count.

use wasm_bindgen::JsCast as _;
use web_sys::{Headers, Request, RequestInit, RequestRedirect, Response};
use worker::{js_sys, wasm_bindgen_futures::JsFuture};

use super::{body, deadline, request::header};
use edgegate::{jose::keys::MAX_JWKS_LENGTH, store::published::Fetched};

/// Asks the issuer, with the `ETag` of its last answer.
///
/// # Errors
/// Why there are none, for the event log.
pub(super) async fn fetch(uri: &str, etag: Option<&str>) -> Result<Fetched, String> {
    let answer = deadline::within(deadline::JWKS, ask(uri, etag)).await;
    answer.unwrap_or_else(|| Err("no answer in time".to_owned()))
}

async fn ask(uri: &str, etag: Option<&str>) -> Result<Fetched, String> {
    let runtime = |fault: worker::Error| fault.to_string();
    let response = request(uri, etag).await.map_err(runtime)?;
    let headers = response.headers();
    let cache_control = header(&headers, "Cache-Control");
    match response.status() {
        200 => {}
        status @ (404 | 410) => return Ok(Fetched::Missing { status }),
        304 => return Ok(Fetched::NotModified { cache_control }),
        // A redirect could lead anywhere; the policy names the place.
        status => return Err(format!("status {status}, expected 200")),
    }
    let stream = response.body().ok_or("no body")?;
    let body = body::read_at_most(&stream, MAX_JWKS_LENGTH)
        .await
        .map_err(runtime)?
        .ok_or_else(|| format!("more than {MAX_JWKS_LENGTH} bytes"))?;
    let jwks = String::from_utf8(body).map_err(|_| "not UTF-8")?;
    Ok(Fetched::Keys { jwks, etag: header(&headers, "ETag"), cache_control })
}

async fn request(uri: &str, etag: Option<&str>) -> worker::Result<Response> {
    let headers = Headers::new()?;
    headers.set("Accept", "application/jwk-set+json, application/json")?;
    if let Some(etag) = etag {
        headers.set("If-None-Match", etag)?;
    }
    let init = RequestInit::new();
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    let request = Request::new_with_str_and_init(uri, &init)?;
    let global: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    Ok(JsFuture::from(global.fetch_with_request(&request)).await?.dyn_into()?)
}
