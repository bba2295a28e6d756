//! JavaScript that does several things in one call: see `host.js`.

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::{Request, Response};
use worker::{
    Env,
    js_sys::{Array, JsString, Promise},
    wasm_bindgen_futures::JsFuture,
};

use edgegate::byte_search;

#[wasm_bindgen(module = "/src/host.js")]
#[expect(unsafe_code, reason = "so wasm-bindgen has it; what it calls is JavaScript")]
unsafe extern "C" {
    #[wasm_bindgen(catch, js_name = read)]
    fn js_read(request: &Request, names: &Array, into: &mut [u8]) -> Result<i32, JsValue>;

    #[wasm_bindgen(catch, js_name = origin)]
    fn js_origin(request: &Request, is_told: bool, into: &mut [u8]) -> Result<u32, JsValue>;

    #[wasm_bindgen(catch, js_name = respond)]
    fn js_respond(status: u16, fields: &str, body: Option<&str>) -> Result<Response, JsValue>;

    #[wasm_bindgen(js_name = complete)]
    fn js_complete(answer: &Response, fields: &str);

    #[wasm_bindgen(catch, js_name = outgoing)]
    fn js_outgoing(request: &Request, plan: &str) -> Result<Request, JsValue>;

    #[wasm_bindgen(js_name = passOn)]
    fn js_pass_on(request: &Request, env: &Env, plan: &str, asked: &JsValue) -> Promise;

    #[wasm_bindgen(catch, js_name = tell)]
    fn js_tell(answer: &Response, plan: &str, asked: &JsValue) -> Result<Response, JsValue>;

    #[wasm_bindgen(js_name = hasQueue)]
    fn js_has_queue(env: &Env, name: &str) -> bool;

    #[wasm_bindgen(js_name = sendToQueue)]
    fn js_send_to_queue(env: &Env, name: &str, json: &str) -> Promise;

    #[wasm_bindgen(js_name = asking)]
    fn js_asking(names: &Array, amend: &JsValue, refuse: &JsValue, cookies: &JsValue) -> JsValue;
}

/// The names of headers, kept as strings of JavaScript.
#[derive(Debug, Default)]
pub(super) struct Names(Array);

impl Names {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(JsString::from).collect())
    }
}

/// Whether a producer of a queue is bound by this name.
pub(super) fn has_queue(env: &Env, name: &str) -> bool {
    js_has_queue(env, name)
}

/// Sends JSON to a queue, and waits until it is kept there.
///
/// # Errors
/// The queue has not taken it.
pub(super) async fn send_to_queue(env: &Env, name: &str, json: &str) -> worker::Result<()> {
    JsFuture::from(js_send_to_queue(env, name, json)).await?;
    Ok(())
}

/// A request as `host.js` reads it: method, headers and URL, a line each, and the names of all headers.
pub(super) struct RequestLines {
    text: String,
    /// Where each line ends: method, headers, URL.
    ends: Vec<usize>,
}

impl RequestLines {
    /// Reads method, URL and these headers.
    ///
    /// # Errors
    /// If a line is broken, which would shift the others: the platform lets no such header in.
    pub(super) fn of(request: &Request, names: &Names) -> worker::Result<Self> {
        let text = read(request, &names.0)?;
        let ends = ends_of(&text, names.0.length());
        let ends =
            ends.ok_or_else(|| worker::Error::from("a header of the request has a line break"))?;
        Ok(Self { text, ends })
    }

    fn line(&self, at: usize) -> &str {
        let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let from = before.map_or(0, |end| end.saturating_add(1));
        let end = self.ends.get(at);
        end.and_then(|end| self.text.get(from..*end)).unwrap_or_default()
    }

    /// The names of all headers, in small letters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let from = self.ends.last().map_or(0, |end| end.saturating_add(1));
        let names = self.text.get(from..).unwrap_or_default();
        byte_search::split(names, b'\n').filter(|name| !name.is_empty())
    }

    /// The method.
    pub(super) fn method(&self) -> &str {
        self.line(0)
    }

    /// The URL, as `Request.url` has it.
    pub(super) fn url(&self) -> &str {
        self.line(self.ends.len().saturating_sub(1))
    }

    /// The headers in the order of their names, `None` where one is absent or empty. The iterator does not stop by itself:
    /// take as many as there are names.
    pub(super) fn headers(&self) -> impl Iterator<Item = Option<&str>> {
        // The first line is the method.
        (1..self.ends.len()).map(|at| Some(self.line(at)).filter(|value| !value.is_empty()))
    }
}

/// Where the lines of method, so many headers and URL end. `None`: there are more or fewer of them.
fn ends_of(text: &str, headers: u32) -> Option<Vec<usize>> {
    let breaks = usize::try_from(headers).ok()?.checked_add(1)?;
    let mut ends = Vec::with_capacity(breaks.checked_add(1)?);
    let mut from = 0_usize;
    for _ in 0..breaks {
        let end = from.checked_add(byte_search::find(text.as_bytes().get(from..)?, b'\n')?)?;
        ends.push(end);
        from = end.checked_add(1)?;
    }
    // Behind the URL are the names, in lines as well.
    let (url, _) = byte_search::split_once(text.get(from..)?, b'\0')?;
    if byte_search::find(url.as_bytes(), b'\n').is_some() {
        return None;
    }
    ends.push(from.checked_add(url.len())?);
    Some(ends)
}

/// Room for the lines of most requests. Where it is too small, they are written again.
const USUAL_BYTES: usize = 4096;

/// The text that JavaScript writes ([`js_read`]).
fn read(request: &Request, names: &Array) -> worker::Result<String> {
    let mut bytes = vec![0; USUAL_BYTES];
    let mut read = js_read(request, names, &mut bytes)?;
    if read < 0 {
        bytes.resize(usize::try_from(read.unsigned_abs()).unwrap_or_default(), 0);
        read = js_read(request, names, &mut bytes)?;
    }
    bytes.truncate(usize::try_from(read).unwrap_or_default());
    String::from_utf8(bytes).map_err(|fault| worker::Error::from(fault.to_string()))
}

/// Room for where a request comes from. What callers have a say in comes last, and is cut off.
const ORIGIN_BYTES: usize = 1024;

/// What the platform knows of where a request comes from, in lines as `host.js` has them.
pub(super) fn origin(request: &Request, is_told: bool) -> Option<String> {
    let mut bytes = vec![0; ORIGIN_BYTES];
    let written = js_origin(request, is_told, &mut bytes).ok()?;
    bytes.truncate(usize::try_from(written).ok()?);
    String::from_utf8(bytes).ok()
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

/// Gives an answer of the gate's own those of these fields that it does not have; one with an empty value is taken out.
///
/// # Errors
/// If a field has a line break.
pub(super) fn complete<'a>(
    answer: &Response,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> worker::Result<()> {
    js_complete(answer, &in_lines(fields)?);
    Ok(())
}

/// The request as an application gets it in place of an upstream.
///
/// # Errors
/// If the platform refuses the URL or a field.
pub(super) fn outgoing(request: &Request, plan: &str) -> worker::Result<Request> {
    Ok(js_outgoing(request, plan)?)
}

/// Passes the request on. JavaScript keeps the promise: an answer as its caller gets it, whatever the upstream does.
pub(super) fn pass_on(request: &Request, env: &Env, plan: &str, asked: &JsValue) -> Promise {
    js_pass_on(request, env, plan, asked)
}

/// The answer of an application as its caller gets it.
///
/// # Errors
/// If the platform refuses a field, or the status (it makes answers of 200 to 599 only).
pub(super) fn tell(answer: &Response, plan: &str, asked: &JsValue) -> worker::Result<Response> {
    Ok(js_tell(answer, plan, asked)?)
}

/// Fields in lines, a name and its value in turn.
///
/// # Errors
/// If a value would end its line, or the part of a plan that it stands in.
pub(super) fn in_lines<'a>(
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> worker::Result<String> {
    let mut lines = String::new();
    for (name, value) in fields {
        if lines.is_empty() {
            lines.reserve(256);
        }
        push_line(&mut lines, name, value)?;
    }
    Ok(lines)
}

/// Writes one more field behind others.
///
/// # Errors
/// As [`in_lines`].
pub(super) fn push_line(lines: &mut String, name: &str, value: &str) -> worker::Result<()> {
    if !is_one_line(value) {
        return Err(worker::Error::from(format!("{name} has a line break")));
    }
    lines.push_str(name);
    lines.push('\n');
    lines.push_str(value);
    lines.push('\n');
    Ok(())
}

/// Whether a text ends neither its line nor its part of a plan.
pub(super) fn is_one_line(value: &str) -> bool {
    // Hardly any has characters that come so early: one comparison in place of two.
    value.bytes().all(|byte| byte > b'\n')
        || !value.bytes().any(|byte| matches!(byte, b'\n' | b'\0'))
}

/// What a plan asks in Rust once an answer or a fault has come, and the headers by which caches are told something.
pub(super) fn asking(names: &Names, [amend, refuse, cookies]: [JsValue; 3]) -> JsValue {
    js_asking(&names.0, &amend, &refuse, &cookies)
}
