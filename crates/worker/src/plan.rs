//! What JavaScript does with an admitted request and with its answer (`passOn` in `host.js`), and what it asks here meanwhile.
//!
//! All is decided before the request goes out. JavaScript waits for the answer and sets what the plan says: to wait in
//! Rust takes longer than to decide. Three questions are left for later. What caches are told depends on what the
//! answer itself tells them ([`amend`]); and a fault of the upstream is answered and logged as any refusal ([`refuse`]). And whether
//! an answer comes early enough to set cookies is known when it comes ([`cookies`]).

use wasm_bindgen::{JsValue, closure::Closure};
use web_sys::{Request, Response};
use worker::{Env, js_sys::Promise};

use super::{
    clock, event_log,
    headers::Change,
    host::{self, Names, in_lines, is_one_line, push_line},
    isolate, reply, session_cookies,
};
use edgegate::{
    error::Error,
    guard::{PassedOn, SessionNote, session::CookieChange},
    http::{
        caching::{CACHING_FIELDS, CacheRule},
        reply::Fields,
    },
    session::SessionId,
    time::UnixMillis,
};

/// Where a request goes, and how.
pub(super) struct Way<'a> {
    pub(super) url: &'a str,
    /// The service binding that gets it; `None`: the host of the URL does.
    pub(super) service: Option<&'a str>,
    /// How long the answer may take.
    pub(super) timeout_ms: Option<u32>,
    /// How often it is tried again where there was no connection.
    pub(super) retries: u8,
    /// Whether its content goes along.
    pub(super) with_body: bool,
}

/// What is decided about an admitted request and its answer.
pub(super) struct Prepared<'a> {
    pub(super) way: Way<'a>,
    /// How its headers change.
    pub(super) changes: &'a [Change<'a>],
    /// What is set on the answer.
    pub(super) fields: &'a [(&'a str, &'a str)],
    /// The same where the answer does not have it.
    pub(super) added: &'a Fields,
    pub(super) rule: &'a CacheRule,
    /// For the log, if the upstream fails; and the fields of that refusal.
    pub(super) memo: &'a PassedOn<'a>,
    pub(super) refusal: [&'a Fields; 2],
    /// Cookies for an answer that comes early enough.
    pub(super) session: &'a SessionNote,
}

/// The same, written down for JavaScript.
pub(super) struct Plan(String);

impl Plan {
    /// # Errors
    /// If something has a character that separates parts or lines.
    pub(super) fn new(prepared: &Prepared<'_>) -> worker::Result<Self> {
        let Prepared { way, changes, fields, added, rule, memo, refusal, session } = prepared;
        let mut text = String::with_capacity(USUAL_LENGTH);
        push_way(&mut text, way, rule.private)?;
        text.push('\0');
        for (name, value) in *changes {
            push_line(&mut text, name, value)?;
        }
        text.push('\0');
        for (name, value) in *fields {
            push_line(&mut text, name, value)?;
        }
        text.push('\0');
        push_lines(&mut text, added)?;
        text.push('\0');
        if !rule.is_nothing() {
            push_rule(&mut text, rule);
        }
        text.push('\0');
        if !rule.is_nothing() {
            push_lines(&mut text, &rule.amend([""; CACHING_FIELDS.len()]))?;
        }
        text.push('\0');
        memo.write_to(&mut text);
        text.push('\n');
        for fields in refusal {
            push_lines(&mut text, fields)?;
        }
        text.push('\0');
        if let Some(change) = &session.change {
            text.push_str(&cookie_memo(change)?);
        }
        Ok(Self(text))
    }

    /// The request as an application gets it in place of an upstream.
    ///
    /// # Errors
    /// If the platform refuses the URL or a field.
    pub(super) fn outgoing(&self, request: &Request) -> worker::Result<Request> {
        host::outgoing(request, &self.0)
    }

    /// Passes the request on. JavaScript keeps the promise: an answer as its caller gets it, whatever the upstream does.
    pub(super) fn pass_on(&self, request: &Request, env: &Env) -> Promise {
        ASKED.with(|asked| host::pass_on(request, env, &self.0, asked))
    }

    /// The answer of an application as its caller gets it.
    ///
    /// # Errors
    /// If the platform refuses a field, or the status (it makes answers of 200 to 599 only).
    pub(super) fn tell(&self, answer: &Response) -> worker::Result<Response> {
        ASKED.with(|asked| host::tell(answer, &self.0, asked))
    }
}

/// What most plans have room in.
const USUAL_LENGTH: usize = 1024;

fn push_way(text: &mut String, way: &Way<'_>, private: bool) -> worker::Result<()> {
    let service = way.service.unwrap_or_default();
    if !is_one_line(way.url) || !is_one_line(service) {
        return Err(worker::Error::from("the URL or the service binding has a line break"));
    }
    text.push_str(way.url);
    text.push('\0');
    text.push_str(service);
    text.push('\0');
    if let Some(millis) = way.timeout_ms {
        text.push_str(&millis.to_string());
    }
    text.push('\0');
    if way.retries > 0 {
        text.push_str(&way.retries.to_string());
    }
    text.push('\0');
    if way.with_body {
        text.push_str("body");
    }
    text.push('\0');
    // The platform neither answers such a request from its cache nor keeps the answer there.
    if private {
        text.push_str("no-store");
    }
    Ok(())
}

fn push_lines(text: &mut String, fields: &Fields) -> worker::Result<()> {
    fields.iter().try_for_each(|(name, value)| push_line(text, name, value))
}

thread_local! {
    /// What `host.js` asks, in this instance of the module.
    static ASKED: JsValue = asked();
}

type Amend = dyn Fn(String, String) -> Result<String, JsValue>;
type Refuse = dyn Fn(Request, String, Option<String>, u32) -> Result<Response, JsValue>;

/// Made once in each instance: a call of these is a call of the instance that they belong to.
fn asked() -> JsValue {
    let of_caches: Closure<Amend> =
        Closure::new(|rule: String, own: String| Ok(amend(&rule, &own)?));
    let of_faults: Closure<Refuse> = Closure::new(|request, memo: String, problem, timeout_ms| {
        Ok(refuse(&request, &memo, problem, timeout_ms)?)
    });
    let of_cookies: Closure<dyn Fn(String) -> String> =
        Closure::new(|given: String| cookies(&given).to_owned());
    let answers =
        [of_caches.into_js_value(), of_faults.into_js_value(), of_cookies.into_js_value()];
    host::asking(&Names::new(CACHING_FIELDS), answers)
}

/// What is kept in the plan for [`cookies`]; empty: no cookies are set.
#[inline(never)]
fn cookie_memo(change: &CookieChange) -> worker::Result<String> {
    match change {
        CookieChange::Set { values, session, until } => {
            let fields = in_lines(reply::lent(&session_cookies::fields(values)))?;
            Ok(format!("{session} {}\n{fields}", until.as_millis()))
        }
        // Whoever is told that a session has ended is not admitted.
        CookieChange::Expire(_) => Ok(String::new()),
    }
}

/// The fields that set cookies on an answer that begins now: none if it is late, or the session has ended meanwhile.
fn cookies(memo: &str) -> &str {
    let (known, fields) = memo.split_once('\n').unwrap_or_default();
    let (session, until) = known.split_once(' ').unwrap_or_default();
    let until = until.parse().map(UnixMillis::from_millis);
    let now = clock::now();
    match (SessionId::parse(session), until) {
        (Some(session), Ok(until)) if now < until && !isolate::has_ended(session, now) => fields,
        _ => "",
    }
}

/// The answer where the upstream failed. It is written to the log. `problem` is why there is no answer; `None`: it did not come
/// in time.
fn refuse(
    request: &Request,
    memo: &str,
    problem: Option<String>,
    timeout_ms: u32,
) -> worker::Result<Response> {
    let fault = match problem {
        Some(problem) => Error::Upstream { problem },
        None => Error::UpstreamTimeout { millis: timeout_ms },
    };
    let (passed_on, fields) = memo.split_once('\n').unwrap_or((memo, ""));
    let passed_on = PassedOn::from_text(passed_on)
        .map_err(|fault| worker::Error::RustError(fault.to_string()))?;
    event_log::failure(&passed_on, &fault, clock::now());
    reply::refusal_with(request, &fault, passed_on.carrier(), None, pairs(fields).collect())
}

/// The fields that change of an answer that says something to caches itself. `own` are its lines, in the order of
/// [`CACHING_FIELDS`].
fn amend(rule: &str, own: &str) -> worker::Result<String> {
    let (private, vary) = rule.split_once('\n').unwrap_or((rule, ""));
    let vary = (!vary.is_empty()).then(|| vary.to_owned());
    let (by_cookie, by_account) = (private == BY_COOKIE, private == BY_ACCOUNT);
    let private = by_cookie || by_account || private == PRIVATE;
    amended(&CacheRule { private, vary, by_cookie, by_account }, own.split('\n'))
}

const PRIVATE: &str = "private";
const BY_COOKIE: &str = "by cookie";
const BY_ACCOUNT: &str = "by account";

fn push_rule(text: &mut String, rule: &CacheRule) {
    let private = match rule {
        CacheRule { by_account: true, .. } => BY_ACCOUNT,
        CacheRule { by_cookie: true, .. } => BY_COOKIE,
        CacheRule { private: true, .. } => PRIVATE,
        _ => "",
    };
    text.push_str(private);
    text.push('\n');
    text.push_str(rule.vary.as_deref().unwrap_or_default());
}

fn amended<'a>(rule: &CacheRule, own: impl IntoIterator<Item = &'a str>) -> worker::Result<String> {
    in_lines(reply::lent(&rule.amend(own)))
}

fn pairs(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut lines = lines.split('\n');
    core::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
}
