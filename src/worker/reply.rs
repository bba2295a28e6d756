//! Refusals as HTTP: the one place where a code becomes a status, a title, a hint and headers.

use serde::Serialize;
use web_sys::{Headers, Request, Response, ResponseInit};

use super::facts::header;
use crate::{
    error::{Code, Error},
    guard::Carrier,
};

/// Seconds after which asking again makes sense when a store or an issuer did not answer.
const RETRY_UNAVAILABLE_SECS: u32 = 5;

/// What a caller is told: status, title and hint of a code.
struct Wire {
    status: u16,
    title: &'static str,
    hint: &'static str,
}

const fn wire(code: Code) -> Wire {
    let (status, title, hint) = match code {
        Code::MissingCredentials => (
            401,
            "Authentication required",
            "Send a token as 'Authorization: Bearer <token>' or an API key as 'X-API-Key: <key>'",
        ),
        Code::InvalidToken => {
            (401, "Invalid token", "Get a new token from the issuer and send it unchanged")
        }
        Code::TokenExpired => (401, "Token expired", "Get a new token or refresh the session"),
        Code::TokenNotYetValid => {
            (401, "Token not yet valid", "Check the clock of the system that issued the token")
        }
        Code::TokenRevoked => (401, "Token revoked", "Sign in again"),
        Code::InvalidApiKey => {
            (401, "Invalid API key", "Check that the whole key was copied, without spaces")
        }
        Code::ApiKeyExpired => (401, "API key expired", "Create a new API key"),
        Code::ApiKeyRevoked => (401, "API key revoked", "Create a new API key"),
        Code::WrongEnvironment => (
            401,
            "API key belongs to another environment",
            "Use a key that was created for this environment",
        ),
        Code::InsufficientScope => {
            (403, "Insufficient permissions", "Ask for a credential with the scopes of this route")
        }
        Code::RateLimited => {
            (429, "Too many requests", "Wait as many seconds as Retry-After says, then try again")
        }
        Code::InvalidRequest => {
            (400, "Invalid request", "Correct the request; sending it again will not help")
        }
        Code::MultipleCredentials => {
            (400, "More than one credential", "Send exactly one token or API key")
        }
        Code::NotFound => (404, "Not found", "Check the path"),
        Code::MethodNotAllowed => (405, "Method not allowed", "See the Allow header"),
        Code::StoreUnavailable => {
            (503, "Temporarily unavailable", "Try again after as many seconds as Retry-After says")
        }
        Code::KeysUnavailable => (
            503,
            "Keys of the issuer unavailable",
            "Try again after as many seconds as Retry-After says",
        ),
        Code::UpstreamError => (502, "Upstream did not answer", "Try again later"),
        Code::ConfigError => {
            (500, "Gate is not configured", "The operator finds the reason in the log of the gate")
        }
    };
    Wire { status, title, hint }
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    code: &'a str,
    hint: &'a str,
}

/// RFC 9457.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

/// The answer to a refused request, in the form it asks for. `carrier` is how the refused credential came.
pub(super) fn refusal(
    request: &Request,
    error: &Error,
    carrier: Option<Carrier>,
) -> worker::Result<Response> {
    let problem = prefers_problem(header(&request.headers(), "Accept").as_deref());
    let code = error.code();
    let wire = wire(code);
    let hint = hint(error, wire.hint);
    let body = if problem {
        json_line(&Problem {
            kind: format!("urn:edgegate:error:{}", code.as_str().to_lowercase().replace('_', "-")),
            title: wire.title,
            status: wire.status,
            detail: &hint,
            code: code.as_str(),
        })
    } else {
        json_line(&Body { error: wire.title, code: code.as_str(), hint: &hint })
    }?;
    let headers = Headers::new()?;
    headers.set(
        "Content-Type",
        if problem { "application/problem+json" } else { "application/json" },
    )?;
    headers.set("Cache-Control", "no-store")?;
    if let Some(challenge) = challenge(error, wire.status, carrier) {
        headers.set("WWW-Authenticate", &challenge)?;
    }
    match error {
        Error::RateLimited { retry_after_secs, .. } => {
            headers.set("Retry-After", &retry_after_secs.to_string())?;
        }
        Error::StoreUnavailable { .. } | Error::KeysUnavailable { .. } => {
            headers.set("Retry-After", &RETRY_UNAVAILABLE_SECS.to_string())?;
        }
        Error::MethodNotAllowed { allow } => headers.set("Allow", allow)?,
        _ => {}
    }
    response(wire.status, Some(&body), &headers)
}

/// The general hint of the code, or the caller's own mistake where naming it gives nothing away.
fn hint(error: &Error, general: &'static str) -> String {
    match error {
        Error::InvalidRequest(problem) => (*problem).to_owned(),
        Error::InvalidField { .. } => error.to_string(),
        Error::InsufficientScope { required } => format!("{general}: {required}"),
        _ => general.to_owned(),
    }
}

/// `WWW-Authenticate` (RFC 6750 §3). Without a credential it names only the scheme (§3.1).
fn challenge(error: &Error, status: u16, carrier: Option<Carrier>) -> Option<String> {
    if status != 401 && status != 403 {
        return None;
    }
    let realm = "Bearer realm=\"edgegate\"";
    let bearer = carrier == Some(Carrier::Bearer);
    Some(match error {
        Error::InsufficientScope { required } if bearer => {
            // The policy takes only scopes without quote and backslash, so this needs no escaping.
            format!("{realm}, error=\"insufficient_scope\", scope=\"{required}\"")
        }
        Error::MissingCredentials => realm.to_owned(),
        _ if bearer => {
            let title = wire(error.code()).title;
            format!("{realm}, error=\"invalid_token\", error_description=\"{title}\"")
        }
        _ => realm.to_owned(),
    })
}

/// JSON that ends with a line break, as a terminal likes it.
fn json_line<T: Serialize>(value: &T) -> serde_json::Result<String> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    Ok(line)
}

/// A JSON answer of the gate's own endpoints.
pub(super) fn json<T: Serialize>(status: u16, value: &T) -> worker::Result<Response> {
    let headers = Headers::new()?;
    headers.set("Content-Type", "application/json")?;
    headers.set("Cache-Control", "no-store")?;
    response(status, Some(&json_line(value)?), &headers)
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> worker::Result<Response> {
    let headers = Headers::new()?;
    headers.set("Cache-Control", "no-store")?;
    response(status, None, &headers)
}

pub(super) fn response(
    status: u16,
    body: Option<&str>,
    headers: &Headers,
) -> worker::Result<Response> {
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(headers);
    Ok(Response::new_with_opt_str_and_init(body, &init)?)
}

/// Whether the caller asks for `application/problem+json` (RFC 9110 §12.5.1; a weight of 0 refuses it).
fn prefers_problem(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| {
        accept.to_ascii_lowercase().split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            parts.next() == Some("application/problem+json")
                && !parts
                    .any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    })
}
