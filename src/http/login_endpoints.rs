//! The endpoints of logins as both edges have them: paths and methods, what they are asked, and how a browser is told. What each does is
//! [`LoginFlow`]'s to say.

use super::reply::{self, Fields, Refusal};
use crate::{
    error::{Code, Error},
    guard::{
        Backend, Decision, Request,
        login::{
            Arrival, Choice, LoginAnswer, LoginFlow, Logins, Next, Stopped, Wanted, login_url,
        },
    },
    login::{
        authorization::with_parameters,
        return_path::{self, ReturnPath},
    },
    page::{self, Chooser, Failure, Look, NotAllowed, Page, Way},
    policy::Policy,
    session::{
        cookie::SameSite,
        oauth::{Form, MAX_FORM_LENGTH, OAuthError},
        record::Device,
    },
};

/// Before the paths of these endpoints in the event log, whatever the prefix.
const LOGGED_BELOW: &str = "/auth";

/// The parameters of a login, and of the way back from a logout; one of these twice is refused.
const PARAMETERS: [&str; 6] =
    ["return_to", "remember", "other_account", "state", "max_age", "acr_values"];

/// Those of a form that connects an account or takes it away.
const OF_ACCOUNTS: [&str; 2] = ["return_to", "account"];

/// The longest that a page waits before it asks again by itself.
const SOON_SECS: u32 = 2;

/// The status that sends a browser on with `GET` (RFC 9110 §15.4.4).
pub const SEE_OTHER: u16 = 303;

/// An endpoint of logins below the policy's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginEndpoint {
    /// `/login`
    Choose,
    /// `/login/{provider}`
    Begin,
    /// `/callback/{provider}`
    Callback,
    /// `/connect/{provider}`
    Connect,
    /// `/disconnect/{provider}`
    Disconnect,
    /// `/backchannel-logout/{provider}`
    BackchannelLogout,
    /// `/logged-out`
    LoggedOut,
}

/// What an endpoint is asked.
#[expect(missing_debug_implementations, reason = "a body may hold a code")]
#[derive(Clone, Copy)]
pub struct LoginAsked<'a> {
    /// One of the endpoint's methods.
    pub method: &'a str,
    /// The segment in the place of the provider.
    pub provider: &'a str,
    /// The query, without its `?`.
    pub query: &'a str,
    /// The body, of at most [`MAX_FORM_LENGTH`] bytes.
    pub body: &'a [u8],
    /// Says from where a session is opened, where one is.
    pub device: &'a dyn Fn() -> Device,
}

impl LoginEndpoint {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Choose,
        Self::Begin,
        Self::Callback,
        Self::Connect,
        Self::Disconnect,
        Self::BackchannelLogout,
        Self::LoggedOut,
    ];

    /// Its path below the prefix. `{id}` is a provider's.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Choose => "/login",
            Self::Begin => "/login/{id}",
            Self::Callback => "/callback/{id}",
            Self::Connect => "/connect/{id}",
            Self::Disconnect => "/disconnect/{id}",
            Self::BackchannelLogout => "/backchannel-logout/{id}",
            Self::LoggedOut => "/logged-out",
        }
    }

    /// Its methods.
    #[must_use]
    pub const fn methods(self) -> &'static str {
        match self {
            Self::Choose | Self::Begin | Self::LoggedOut => "GET",
            Self::Callback => "GET, POST",
            Self::Connect | Self::Disconnect => "POST",
            Self::BackchannelLogout => "POST",
        }
    }

    /// Its path in the event log.
    #[must_use]
    pub fn logged(self) -> String {
        format!("{LOGGED_BELOW}{}", self.path())
    }

    /// Answers. Each future has memory of its own: the largest would decide about all.
    ///
    /// # Errors
    /// Those of the endpoint.
    pub async fn answer<B: Backend, L: Logins>(
        self,
        flow: &LoginFlow<'_, B, L>,
        asked: LoginAsked<'_>,
    ) -> Result<LoginAnswer, Error> {
        let LoginAsked { method, provider, query, body, device } = asked;
        if self == Self::Callback {
            let text;
            let arrival = if method == "POST" {
                text = core::str::from_utf8(body)
                    .map_err(|_| Error::InvalidRequest("expected a form"))?;
                Arrival::Form(text)
            } else {
                Arrival::Query(query)
            };
            return Box::pin(flow.callback(provider, arrival, device)).await;
        }
        if matches!(self, Self::Connect | Self::Disconnect) {
            let form = Form::parse_for(&OF_ACCOUNTS, body)
                .map_err(|_| Error::InvalidRequest("expected return_to and account once each"))?;
            let (return_to, account) = (form.get("return_to"), form.get("account"));
            return match self {
                Self::Connect => Box::pin(flow.connect(provider, return_to)).await,
                _ => Box::pin(flow.disconnect(provider, (account, return_to))).await,
            };
        }
        if self == Self::BackchannelLogout {
            return Box::pin(flow.end_by_provider(provider, body)).await;
        }
        let parameters = Form::parse_for(&PARAMETERS, query.as_bytes())
            .map_err(|_| Error::InvalidRequest("expected each parameter once"))?;
        let is_true = |name| parameters.get(name) == Some("true");
        let wanted = Wanted {
            return_to: parameters.get("return_to"),
            remember: is_true("remember"),
            other_account: is_true("other_account"),
            max_age_secs: parameters.get("max_age").and_then(|secs| secs.parse().ok()),
            acr_values: parameters.get("acr_values"),
        };
        match self {
            Self::LoggedOut => Ok(Box::pin(flow.logged_out(parameters.get("state"))).await),
            Self::Choose => Box::pin(flow.choose(wanted)).await,
            _ => Box::pin(flow.begin(provider, wanted)).await,
        }
    }
}

/// What a request says of how it was made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// `Sec-Fetch-Mode`.
    pub fetch_mode: Option<&'a str>,
    /// `Sec-Fetch-Dest`.
    pub fetch_dest: Option<&'a str>,
    /// `Accept`.
    pub accept: Option<&'a str>,
}

impl Manner<'_> {
    /// Whether a person waits for a page, in a window or a frame: then a redirect to a login helps. A script is told where people log in.
    /// Browsers say it (Fetch Metadata); of others, who asks for HTML. What is not `GET` would lose its body.
    ///
    /// Firefox calls a navigation `same-origin` that a service worker has passed on, and no browser calls it a `document` then: `Accept`
    /// tells it from a script's request.
    #[must_use]
    pub fn is_navigation(&self) -> bool {
        let is_safe = matches!(self.method, "GET" | "HEAD");
        let is_page = match (self.fetch_mode, self.fetch_dest) {
            (Some("same-origin"), _) | (None, None) => self.wants_page(),
            (Some(mode), _) => mode == "navigate",
            (None, Some(dest)) => matches!(dest, "document" | "iframe" | "frame"),
        };
        is_safe && is_page
    }

    /// Whether the answer may be a page.
    #[must_use]
    pub fn wants_page(&self) -> bool {
        let accept = self.accept.unwrap_or_default().to_ascii_lowercase();
        accept
            .split(',')
            .any(|range| range.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
    }
}

/// Whether who logs in gets past this refusal: nobody was logged in, or the session of the cookies has ended for good. What would be refused
/// again, such as a subject that is revoked, is refused.
#[must_use]
pub fn login_helps(error: &Error, by_cookie: bool) -> bool {
    match error {
        Error::LoginRequired { .. } => true,
        Error::StepUp { login_url, .. } => by_cookie && login_url.is_some(),
        Error::SessionEnded
        | Error::MalformedRefreshToken
        | Error::RefreshTokenTag
        | Error::RefreshTokenReused
        | Error::TokenExpired { .. }
        // The provider has ended its own session.
        | Error::TokenRevoked { by: "session" } => by_cookie,
        _ => false,
    }
}

/// Where a person who waits for a page is sent to log in, and back to `target`. A script is refused: it is told where people log in.
#[must_use]
pub fn way_to_log_in(
    policy: &Policy,
    (request, target): (&Request<'_>, &str),
    (decision, error): (&Decision, &Error),
    is_navigation: impl FnOnce() -> bool,
) -> Option<String> {
    let login_url = match error {
        Error::StepUp { login_url, .. } => login_url.clone(),
        _ => login_url(policy, request),
    };
    let login_url = login_url?;
    let helps = login_helps(error, decision.session.by_cookie) && is_navigation();
    helps.then(|| login_for(&login_url, target))
}

/// Where a browser is sent to log in, and back to what it asked for. What is too long to come back to is left out: it would make the field
/// longer than proxies take.
#[must_use]
pub fn login_for(login_url: &str, target: &str) -> String {
    if target.len() > return_path::MAX_LENGTH {
        return login_url.to_owned();
    }
    with_parameters(login_url, [("return_to", target)])
}

/// Where a page of this site sends a browser before it is told to log in: back to what it asked for. It has followed a link of another site,
/// and keeps `Strict` cookies back then. The page's own navigation brings them, and says that it comes from this site: so this is done once.
///
/// `None`: it has shown what it has, or its target is one that a browser may read as another site's.
#[must_use]
pub fn by_own_page(
    policy: &Policy,
    (target, fetch_site): (&str, Option<&str>),
    error: &Error,
) -> Option<ReturnPath> {
    let keeps_back = policy.browser_sessions()?.same_site == SameSite::Strict
        && fetch_site == Some("cross-site")
        && matches!(error, Error::LoginRequired { .. });
    if keeps_back { ReturnPath::parse(target, &[], &policy.auth_prefix) } else { None }
}

/// `GET /logout` of a page: it asks whether to log out. A form does it, since any site can make a browser send a `GET`.
///
/// `None`: no page waits for the answer, or the policy has no logins.
#[must_use]
pub fn logout_asked(policy: &Policy, manner: &Manner<'_>, query: &str) -> Option<Page> {
    let login = policy.login.as_ref()?;
    if manner.method != "GET" || !manner.is_navigation() {
        return None;
    }
    let parameters = Form::parse_for(&["return_to"], query.as_bytes()).ok();
    let target = parameters.as_ref().and_then(|form| form.get("return_to"));
    let (origins, prefix) = (&login.return_origins, &policy.auth_prefix);
    let return_path = target.and_then(|target| ReturnPath::parse(target, origins, prefix));
    let return_to = return_path.as_ref().map(ReturnPath::as_str);
    let start_page = ReturnPath::start_page();
    let ways = (return_to, Some(start_page.as_str()));
    Some(page::confirm_logout(&policy.pages, &format!("{prefix}/logout"), ways))
}

/// An answer as it is sent, without the cookies of its note. Nobody keeps it, and no site is told the URL, which may hold a code.
#[must_use]
pub fn sent(answer: &LoginAnswer, look: &Look) -> Page {
    let mut page = match &answer.next {
        Next::To(url) => Page { status: SEE_OTHER, fields: redirect(url), body: String::new() },
        Next::MoveOn(url) => page::move_on(look, url),
        Next::Done => {
            let fields = vec![("Cache-Control", "no-store".to_owned())];
            Page { status: 200, fields, body: String::new() }
        }
        Next::Choose { choices, return_to, over_http } => {
            let ways = choices.iter().map(|Choice { title, path }| Way { title, path });
            let ways: Vec<Way<'_>> = ways.collect();
            let return_to = return_to.as_deref();
            let over_http = *over_http;
            page::chooser(look, &Chooser { ways: &ways, return_to, may_remember: true, over_http })
        }
        Next::LoggedOut { log_in } => page::logged_out(look, Some(log_in)),
        Next::Stopped(stopped) => stopped_page(stopped, look),
    };
    let cleared = answer.note.of_another.then(|| ("Clear-Site-Data", "\"cache\"".to_owned()));
    page.fields.extend(cleared);
    page.fields.extend(answer.binding.iter().map(|value| ("Set-Cookie", value.clone())));
    page
}

/// A refusal as a provider reads it that wants a session ended (OpenID Connect Back-Channel Logout 1.0 §2.8): 400 for a token that is not
/// taken. The log has why.
#[must_use]
pub fn logout_refusal(error: &Error) -> Refusal {
    match error.code() {
        Code::NotFound | Code::MethodNotAllowed | Code::UpstreamError => {
            Refusal::new(error, None, None)
        }
        Code::StoreUnavailable | Code::KeysUnavailable | Code::RateLimited | Code::ConfigError => {
            Refusal::oauth(error, false)
        }
        _ => {
            let problem = "expected a logout token of this provider for this client, once";
            Refusal::oauth(&OAuthError::InvalidRequest.because(problem), false)
        }
    }
}

fn stopped_page(stopped: &Stopped, look: &Look) -> Page {
    let Stopped { reason, error, provider, retry, back } = stopped;
    let (provider, retry, back) = (provider.as_deref(), retry.as_deref(), back.as_deref());
    let reference = Some(error.reason());
    if matches!(error, Error::LoginNotAllowed { .. } | Error::SubjectDisabled) {
        let page = NotAllowed { account: None, provider, other_account: retry, back, reference };
        return page::not_allowed(look, &page);
    }
    let failure = Failure { reason: *reason, provider, retry, back, leave: None, reference };
    let mut page = page::failure(look, &failure);
    // One status for a code, whether a person or a program reads it.
    page.status = reply::wire(error.code()).status;
    if let Error::TooManyLogins { retry_after_secs } | Error::RateLimited { retry_after_secs, .. } =
        error
    {
        page.fields.push(("Retry-After", retry_after_secs.to_string()));
        // Other tabs of the same person are logging in: this one goes on by itself.
        if matches!(error, Error::TooManyLogins { .. }) && *retry_after_secs <= SOON_SECS {
            page.fields.push(("Refresh", retry_after_secs.to_string()));
        }
    }
    page
}

pub(super) fn redirect(url: &str) -> Fields {
    let own =
        [("Location", url), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")];
    own.map(|(name, value)| (name, value.to_owned())).to_vec()
}

const _: () = assert!(MAX_FORM_LENGTH >= 16 * 1024, "a code, a state and what else comes along");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{policy::Secrets, secret::Secret};

    #[test]
    fn browsers_say_what_waits_for_the_answer() {
        let html = Some("text/html,application/xhtml+xml,*/*;q=0.8");
        for (method, fetch_mode, fetch_dest, accept, expected) in [
            ("GET", Some("navigate"), Some("document"), html, true),
            ("GET", Some("navigate"), Some("iframe"), html, true),
            ("HEAD", Some("navigate"), None, None, true),
            ("POST", Some("navigate"), Some("document"), html, false),
            ("GET", Some("cors"), Some("empty"), html, false),
            ("GET", Some("navigate"), Some("empty"), html, true),
            ("GET", Some("same-origin"), Some("empty"), html, true),
            ("GET", Some("same-origin"), Some("empty"), Some("*/*"), false),
            ("POST", Some("same-origin"), Some("empty"), html, false),
            ("GET", Some("no-cors"), Some("image"), html, false),
            ("GET", None, Some("document"), None, true),
            ("GET", None, Some("script"), html, false),
            ("GET", None, None, html, true),
            ("GET", None, None, Some("application/json"), false),
            ("GET", None, None, Some("*/*"), false),
            ("GET", None, None, None, false),
        ] {
            let manner = Manner { method, fetch_mode, fetch_dest, accept };
            assert_eq!(manner.is_navigation(), expected, "{manner:?}");
        }
    }

    #[test]
    fn a_browser_comes_back_to_what_it_asked_for() {
        assert_eq!(
            login_for("https://api.test/auth/login", "/a?b=c&d"),
            "https://api.test/auth/login?return_to=%2Fa%3Fb%3Dc%26d"
        );
        let long = format!("/{}", "a".repeat(return_path::MAX_LENGTH));
        assert_eq!(login_for("/auth/login", &long), "/auth/login");
    }

    /// One secret for all names.
    struct Same;

    impl Secrets for Same {
        fn secret(&self, _: &str) -> Option<Secret> {
            Some(Secret::new(vec![7; 32]))
        }
    }

    #[test]
    fn strict_cookies_are_asked_for_before_a_login() {
        let policy = |same_site: &str| {
            let text = format!(
                r#"{{"revocation": {{"mode": "entries"}}, "sessions": {{"issuer": "https://gate.test/", "audience": ["a"], "secret": "S",
                "cookies": true, "same_site": "{same_site}"}}}}"#
            );
            Policy::from_json(&text, &Same).unwrap()
        };
        let (strict, lax) = (policy("Strict"), policy("Lax"));
        let required = Error::LoginRequired { login_url: String::new() };
        let cross = Some("cross-site");
        let first = by_own_page(&strict, ("/a?b=c", cross), &required);
        assert_eq!(first.unwrap().as_str(), "/a?b=c");
        // The page has brought it back, it came by itself, or the browser does not say.
        for site in [Some("same-origin"), Some("same-site"), Some("none"), None] {
            assert_eq!(by_own_page(&strict, ("/a", site), &required), None, "{site:?}");
        }
        assert_eq!(by_own_page(&lax, ("/a", cross), &required), None);
        assert_eq!(by_own_page(&strict, ("/a", cross), &Error::SessionEnded), None);
        // Browsers would read these as another site, or as a way in circles.
        for target in ["//evil.test/a", "/\\evil.test", "/a/..//evil.test", "/auth/login"] {
            assert_eq!(by_own_page(&strict, (target, cross), &required), None, "{target}");
        }
    }

    #[test]
    fn nobody_is_sent_to_log_in_for_what_would_be_refused_again() {
        let required = Error::LoginRequired { login_url: String::new() };
        assert!(login_helps(&required, false));
        assert!(login_helps(&Error::SessionEnded, true));
        assert!(!login_helps(&Error::SessionEnded, false));
        assert!(login_helps(&Error::TokenRevoked { by: "session" }, true));
        for error in [
            Error::RefreshTokenSuperseded,
            Error::SubjectDisabled,
            Error::TokenRevoked { by: "subject" },
            Error::InsufficientScope { required: String::new() },
            Error::BadSignature,
        ] {
            assert!(!login_helps(&error, true), "{error}");
        }
    }
}
