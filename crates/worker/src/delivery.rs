//! How something is handed over to somebody outside, and what became of it.

use core::{future::Future, time::Duration};

use worker::Result;

use super::{deadline, fault::report};
use edgegate::{secret::Secret, watch::state::Delivery};

/// How long handing one over may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of it, by the status of the answer. What was not taken is a line of the log: `said` begins it.
pub(super) async fn delivered(
    handing: impl Future<Output = Result<u16>>,
    said: impl FnOnce() -> String,
) -> Delivery {
    let (delivery, why) = judged(deadline::within(PATIENCE, handing).await);
    if let Some(why) = why {
        report(&format!("{}: {why}", said()));
    }
    delivery
}

/// With why it was not taken. That is not the fault itself, which may name the URL, and that may be a secret.
fn judged(answer: Option<Result<u16>>) -> (Delivery, Option<String>) {
    let status = answer.as_ref().and_then(|answer| answer.as_ref().ok().copied());
    let delivery = Delivery::of(status);
    if delivery == Delivery::Taken {
        return (delivery, None);
    }
    let why = match answer {
        Some(Ok(status)) => format!("status {status}"),
        Some(Err(_)) => "no answer".to_owned(),
        None => "no answer in time".to_owned(),
    };
    (delivery, Some(why))
}

/// The status of the answer, which is not read. A redirect is not followed.
pub(super) async fn post(
    url: &Secret,
    fields: &[(&'static str, String)],
    body: &str,
) -> Result<u16> {
    let url = String::from_utf8_lossy(url.expose_secret());
    let request = request(&url, fields, body)?;
    Ok(worker::Fetch::Request(request).send().await?.status_code())
}

/// A `POST` of JSON. A field of the name `Content-Type` stands in the place of that.
pub(super) fn request(
    url: &str,
    fields: &[(&'static str, String)],
    body: &str,
) -> Result<worker::Request> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_redirect(web_sys::RequestRedirect::Manual);
    init.set_body(&body.into());
    let request = web_sys::Request::new_with_str_and_init(url, &init)?;
    request.headers().set("Content-Type", "application/json")?;
    for (name, value) in fields {
        request.headers().set(name, value)?;
    }
    Ok(worker::Request::from(request))
}
