//! JavaScript that does several things in one call: see `host.js`.

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::{AbortSignal, Request, Response};
use worker::js_sys::{Array, JsString};

#[wasm_bindgen(module = "/src/host.js")]
#[expect(unsafe_code, reason = "so wasm-bindgen has it; what it calls is JavaScript")]
unsafe extern "C" {
    #[wasm_bindgen(catch, js_name = read)]
    fn js_read(request: &Request, names: &Array) -> Result<String, JsValue>;

    #[wasm_bindgen(catch, js_name = respond)]
    fn js_respond(status: u16, fields: &str, body: Option<&str>) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch, js_name = readdress)]
    fn js_readdress(
        request: &Request,
        url: &str,
        with_body: bool,
        cache: Option<&str>,
        signal: Option<AbortSignal>,
    ) -> Result<Request, JsValue>;

    #[wasm_bindgen(catch, js_name = readAnswer)]
    fn js_read_answer(answer: &Response, names: &Array) -> Result<String, JsValue>;

    #[wasm_bindgen(catch, js_name = amend)]
    fn js_amend(answer: &Response, fields: &str) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch, js_name = complete)]
    fn js_complete(answer: &Response, fields: &str) -> Result<Response, JsValue>;
}

/// The names of headers, kept as strings of JavaScript.
#[derive(Debug, Default)]
pub(super) struct Names(Array);

impl Names {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(JsString::from).collect())
    }
}

/// A request as `host.js` reads it: method, headers and URL, a line each.
pub(super) struct RequestLines {
    text: String,
}

impl RequestLines {
    /// Reads method, URL and these headers.
    ///
    /// # Errors
    /// If a line is broken, which would shift the others: the platform lets no such header in.
    pub(super) fn of(request: &Request, names: &Names) -> worker::Result<Self> {
        let text = js_read(request, &names.0)?;
        let breaks = text.bytes().filter(|byte| *byte == b'\n').count();
        if u32::try_from(breaks).ok() != names.0.length().checked_add(1) {
            return Err(worker::Error::from("a header of the request has a line break"));
        }
        Ok(Self { text })
    }

    /// The method.
    pub(super) fn method(&self) -> &str {
        self.text.split('\n').next().unwrap_or_default()
    }

    /// The URL, as `Request.url` has it.
    pub(super) fn url(&self) -> &str {
        self.text.rsplit('\n').next().unwrap_or_default()
    }

    /// The headers in the order of their names, `None` where one is absent or empty. The iterator does not stop by itself:
    /// take as many as there are names.
    pub(super) fn headers(&self) -> impl Iterator<Item = Option<&str>> {
        self.text.split('\n').skip(1).map(|value| (!value.is_empty()).then_some(value))
    }
}

/// An answer with these fields; of two with the same name the later one counts.
///
/// # Errors
/// If the platform refuses a field.
pub(super) fn respond<'a>(
    status: u16,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: Option<&str>,
) -> worker::Result<Response> {
    Ok(js_respond(status, &in_lines(fields)?, body)?)
}

/// The request as it goes on to this URL, with headers that can be changed; with its body, or without. `bypass_cache`:
/// the platform neither answers it from its cache nor keeps the answer there. `signal` gives it up.
///
/// # Errors
/// If the platform refuses the URL.
pub(super) fn readdress(
    request: &Request,
    url: &str,
    with_body: bool,
    bypass_cache: bool,
    signal: Option<AbortSignal>,
) -> worker::Result<Request> {
    Ok(js_readdress(request, url, with_body, bypass_cache.then_some("no-store"), signal)?)
}

/// The values of these headers of an answer in lines, empty where one is absent.
pub(super) fn read_answer(answer: &Response, names: &Names) -> worker::Result<String> {
    Ok(js_read_answer(answer, &names.0)?)
}

/// The answer with these fields in place of its own; one with an empty value is taken out.
///
/// # Errors
/// If the platform refuses a field, or the status (it makes answers of 200 to 599 only).
pub(super) fn amend<'a>(
    answer: &Response,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> worker::Result<Response> {
    Ok(js_amend(answer, &in_lines(fields)?)?)
}

/// The answer with those of these fields that it does not have; one with an empty value is taken out.
///
/// # Errors
/// As [`amend`].
pub(super) fn complete<'a>(
    answer: &Response,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> worker::Result<Response> {
    Ok(js_complete(answer, &in_lines(fields)?)?)
}

fn in_lines<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> worker::Result<String> {
    let mut lines = String::with_capacity(256);
    for (name, value) in fields {
        if value.contains('\n') {
            return Err(worker::Error::from(format!("{name} has a line break")));
        }
        lines.extend([name, "\n", value, "\n"]);
    }
    Ok(lines)
}
