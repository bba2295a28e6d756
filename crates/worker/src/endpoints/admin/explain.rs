//! `/auth/admin/explain`: what the gate would say to a request, and why.

use web_sys::{Headers, Request, RequestInit};

use super::{Admin, Answer};
use crate::{
    endpoints::is_own,
    host::RequestLines,
    reply,
    request::{RequestParts, path_of},
};
use edgegate::{
    error::Error,
    guard::target_of,
    http::explain::{Question, explain},
};

/// `POST /explain`. The request that is asked about is made of the question and never sent: so the platform reads its path and
/// headers as those of any other. Its host and scheme are those of this request.
pub(crate) async fn answer(admin: &Admin<'_>) -> Answer {
    let call = admin.call;
    let policy = &call.gate.policy;
    let question = Question::parse(&admin.body().await?)?;
    let asked = request_of(&question, call.lines.url())?;
    let lines = RequestLines::of(&asked, &call.gate.names.own)?;
    let target = target_of(lines.url());
    if is_own(path_of(&target), &policy.auth_prefix) {
        let problem = "expected one that routes decide about: the gate itself answers this one";
        return Err(Error::invalid_field("path", problem).into());
    }
    let parts = RequestParts::of(&asked, &lines, &target, policy);
    let backend = call.gate.backend(call.env, call.context).only_read();
    let explanation = explain(policy, &backend, &parts.as_request(), admin.now).await;
    Ok(reply::json(200, &explanation)?)
}

/// # Errors
/// [`Error::InvalidField`] for what the platform takes for no header, method or path. Its own words may have the value in them.
fn request_of(question: &Question, asked_at: &str) -> Result<Request, Error> {
    let headers = Headers::new().map_err(|_| Error::invalid_field("headers", "cannot be made"))?;
    for (name, value) in question.headers() {
        let problem = "expected the name of a header, and a value that one may have";
        headers.append(name, value).map_err(|_| Error::invalid_field("headers", problem))?;
    }
    let init = RequestInit::new();
    init.set_method(question.method());
    init.set_headers(&headers);
    let url = format!("{}{}", origin_of(asked_at), question.path());
    Request::new_with_str_and_init(&url, &init)
        .map_err(|_| Error::invalid_field("path", "expected what a request can have"))
}

/// Scheme and host of a URL as the platform writes it.
fn origin_of(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at.saturating_add(3));
    let rest = url.get(authority..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..authority.saturating_add(end)).unwrap_or_default()
}
