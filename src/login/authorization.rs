//! The request that sends a browser to a provider (RFC 6749 §4.1.1), and what the provider answers at the callback (§4.1.2, RFC 9207).

use std::borrow::Cow;

use super::{binding::AttemptSecrets, state::MAX_STATE_LENGTH};
use crate::session::oauth::Form;

/// The longest code: those of Microsoft have about 2,000 characters.
const MAX_CODE_LENGTH: usize = 4096;

/// The parameters of a callback that are looked at. Others are ignored (RFC 6749 §4.1.2); one of these twice is refused.
const KNOWN: [&str; 5] = ["code", "state", "iss", "error", "sealed"];

/// What a browser is sent to the provider with.
#[derive(Debug)]
pub struct AuthorizationRequest<'a> {
    /// The provider's authorization endpoint. It may have a query of its own.
    pub endpoint: &'a str,
    /// The client's name at the provider.
    pub client_id: &'a str,
    /// The callback, exactly as it is registered there.
    pub redirect_uri: &'a str,
    /// The scopes, as the provider writes a list of them.
    pub scope: &'a str,
    /// `state`.
    pub state: &'a str,
    /// Of which the challenge and the nonce are.
    pub attempt: &'a AttemptSecrets,
    /// Whether the provider has ID tokens: then a nonce goes along.
    pub has_id_token: bool,
    /// What else the provider or this attempt wants, by name. None of these is a parameter of the caller.
    pub further: &'a [(&'a str, Cow<'a, str>)],
}

impl AuthorizationRequest<'_> {
    /// The URL.
    #[must_use]
    pub fn url(&self) -> String {
        let challenge = self.attempt.challenge();
        let nonce = self.has_id_token.then_some(("nonce", self.attempt.nonce.as_str()));
        let own = [
            ("response_type", "code"),
            ("client_id", self.client_id),
            ("redirect_uri", self.redirect_uri),
            ("scope", self.scope),
            ("state", self.state),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty()).chain(nonce);
        let further = self.further.iter().map(|(name, value)| (*name, value.as_ref()));
        with_parameters(self.endpoint, own.chain(further))
    }
}

/// A URL with further parameters in its query.
pub fn with_parameters<'a>(
    url: &str,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut whole = url.to_owned();
    for (name, value) in parameters {
        whole.push(if whole.contains('?') { '&' } else { '?' });
        whole.push_str(name);
        whole.push('=');
        whole.push_str(&encoded(value));
    }
    whole
}

/// The body of a form (`application/x-www-form-urlencoded`).
pub fn form<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = parameters.into_iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Percent-encoded but for unreserved characters (RFC 3986 §2.3), which is right in queries, in forms, and in `Basic` (RFC 6749 §2.3.1).
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            whole.push(char::from(byte));
        } else {
            whole.push_str(&format!("%{byte:02X}"));
        }
    }
    whole
}

/// What came to the callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback<'a> {
    /// `state`.
    pub state: Cow<'a, str>,
    /// `iss`: who says that it answers (RFC 9207).
    pub issuer: Option<Cow<'a, str>>,
    /// What it says.
    pub answer: Answer<'a>,
}

/// What a provider answers with.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// A code, for which the provider gives tokens, once.
    Code(Cow<'a, str>),
    /// No: a word of RFC 6749 §4.1.2.1 or of OpenID Connect Core 1.0 §3.1.2.6.
    Refused(Refusal),
}

/// Why a provider gave no code. Its own words are not kept: they are not ours to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `access_denied`: the user said no, or may not.
    Denied,
    /// `login_required`, `interaction_required`, `consent_required`, `account_selection_required`: it cannot be done without a page.
    NeedsInteraction,
    /// `temporarily_unavailable`, `server_error`: it may work later.
    Unavailable,
    /// `unmet_authentication_requirements`: the proof that was asked for is out of reach.
    ProofUnmet,
    /// Any other: the client is not configured as the provider wants it.
    Misconfigured,
}

impl Refusal {
    fn of(word: &str) -> Self {
        match word {
            "access_denied" | "user_cancelled_authorize" | "user_cancelled_login" => Self::Denied,
            "login_required"
            | "interaction_required"
            | "consent_required"
            | "account_selection_required" => Self::NeedsInteraction,
            "temporarily_unavailable" | "server_error" => Self::Unavailable,
            "unmet_authentication_requirements" => Self::ProofUnmet,
            _ => Self::Misconfigured,
        }
    }

    /// A word that is read as this.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Denied => "access_denied",
            Self::NeedsInteraction => "interaction_required",
            Self::Unavailable => "temporarily_unavailable",
            Self::ProofUnmet => "unmet_authentication_requirements",
            Self::Misconfigured => "invalid_request",
        }
    }
}

/// Shows the refusal, never the code.
impl core::fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Code(_) => f.write_str("Code(..)"),
            Self::Refused(refusal) => write!(f, "Refused({refusal:?})"),
        }
    }
}

/// The parameters of a callback, in a query or in the body of a form.
#[derive(Debug)]
pub struct Parameters<'a>(Form<'a>);

impl<'a> Parameters<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// Why they are not taken, for the event log.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let form = Form::parse_for(&KNOWN, text.as_bytes());
        form.map(Self).map_err(|_| "the callback has a parameter twice, or is not well encoded")
    }

    /// What a form that came across sites was sealed into, so that it comes back as a navigation.
    #[must_use]
    pub fn sealed(&self) -> Option<&str> {
        self.0.get("sealed")
    }

    /// The provider's answer.
    ///
    /// # Errors
    /// Why it is none, for the event log.
    pub fn callback(&self) -> Result<Callback<'_>, &'static str> {
        let state = self.0.get("state").ok_or("the callback has no state")?;
        if state.len() > MAX_STATE_LENGTH {
            return Err("state is too long");
        }
        let answer = match (self.0.get("code"), self.0.get("error")) {
            (Some(code), None) if code.len() <= MAX_CODE_LENGTH && is_visible(code) => {
                Answer::Code(code.into())
            }
            (Some(_), None) => return Err("the code is too long, or has characters that none has"),
            (None, Some(word)) => Answer::Refused(Refusal::of(word)),
            (Some(_), Some(_)) => return Err("the callback has a code and an error"),
            (None, None) => return Err("the callback has neither a code nor an error"),
        };
        let issuer = self.0.get("iss").map(Cow::Borrowed);
        Ok(Callback { state: state.into(), issuer, answer })
    }
}

/// RFC 6749 appendix A.11: visible characters and blanks.
fn is_visible(code: &str) -> bool {
    code.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

/// Whether the answer is the provider's own (RFC 9207 §2.4): `iss` has to be its name, and has to be there if it says that it sends it.
#[must_use]
pub fn is_from(callback: &Callback<'_>, issuer: &str, sends_iss: bool) -> bool {
    match &callback.issuer {
        Some(named) => named == issuer,
        None => !sends_iss,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(text: &str) -> Result<Answer<'static>, &'static str> {
        let parameters = Parameters::parse(text)?;
        parameters.callback().map(|callback| match callback.answer {
            Answer::Code(code) => Answer::Code(Cow::Owned(code.into_owned())),
            Answer::Refused(refusal) => Answer::Refused(refusal),
        })
    }

    #[test]
    fn a_request_has_each_parameter_once_and_encoded() {
        let attempt = AttemptSecrets { verifier: "v".repeat(43), nonce: "n".repeat(43) };
        let request = AuthorizationRequest {
            endpoint: "https://idp.example/authorize?tenant=a",
            client_id: "client id&x",
            redirect_uri: "https://api.example.com/auth/callback/oidc",
            scope: "openid email",
            state: "1.abc",
            attempt: &attempt,
            has_id_token: true,
            further: &[("prompt", "consent".into())],
        };
        let url = request.url();
        assert!(url.starts_with("https://idp.example/authorize?tenant=a&response_type=code&"));
        assert!(url.contains("&client_id=client%20id%26x&"));
        assert!(
            url.contains("&redirect_uri=https%3A%2F%2Fapi.example.com%2Fauth%2Fcallback%2Foidc&")
        );
        assert!(url.contains(&format!(
            "&code_challenge={}&code_challenge_method=S256",
            attempt.challenge()
        )));
        assert!(url.contains(&format!("&nonce={}", "n".repeat(43))));
        assert!(url.ends_with("&prompt=consent"));
        // The verifier stays here.
        assert!(!url.contains(&attempt.verifier));
        let plain = AuthorizationRequest { has_id_token: false, ..request };
        assert!(!plain.url().contains("nonce"));
    }

    #[test]
    fn an_answer_is_a_code_or_an_error() {
        assert_eq!(callback("code=a+b&state=1.x"), Ok(Answer::Code("a b".into())));
        for (word, refusal) in [
            ("access_denied", Refusal::Denied),
            ("login_required", Refusal::NeedsInteraction),
            ("server_error", Refusal::Unavailable),
            ("unmet_authentication_requirements", Refusal::ProofUnmet),
            ("invalid_scope", Refusal::Misconfigured),
            ("<script>", Refusal::Misconfigured),
        ] {
            let text = format!("error={word}&error_description=x&state=1.x");
            assert_eq!(callback(&text), Ok(Answer::Refused(refusal)), "{word}");
        }
    }

    /// mod_auth_openidc 2.4.19 (duplicate parameters), Envoy CVE-2023-27496 (no state), Auth.js GHSA-xmf8.
    #[test]
    fn odd_callbacks_are_refused() {
        let long = format!("code={}&state=1.x", "c".repeat(MAX_CODE_LENGTH + 1));
        for text in [
            "",
            "code=a",
            "code=a&state=",
            "state=1.x",
            "code=&state=1.x",
            "code=a&state=1.x&state=1.x",
            "code=a&code=b&state=1.x",
            "code=a&cod%65=b&state=1.x",
            "code=a&state=1.x&iss=a&iss=b",
            "code=a&error=access_denied&state=1.x",
            "code=a%0d%0a&state=1.x",
            "code=%ff&state=1.x",
            "code=a&state=%",
            long.as_str(),
        ] {
            assert!(callback(text).is_err(), "{text:.40}");
        }
        assert!(callback(&format!("code=a&state={}", "s".repeat(MAX_STATE_LENGTH + 1))).is_err());
        assert!(Parameters::parse(&"a=b&".repeat(10_000)).is_err());
    }

    /// Mix-up (RFC 9207): the answer of another provider.
    #[test]
    fn an_answer_names_its_provider_or_nobody() {
        let issued = |text| {
            let parameters = Parameters::parse(text).unwrap();
            let callback = parameters.callback().unwrap();
            [false, true].map(|sends| is_from(&callback, "https://a.example", sends))
        };
        assert_eq!(issued("code=a&state=x&iss=https%3A%2F%2Fa.example"), [true, true]);
        assert_eq!(issued("code=a&state=x&iss=https%3A%2F%2Fb.example"), [false, false]);
        assert_eq!(issued("code=a&state=x&iss=https%3A%2F%2Fa.example%2F"), [false, false]);
        assert_eq!(issued("code=a&state=x"), [true, false]);
    }

    #[test]
    fn what_is_shown_has_no_code() {
        let shown = format!("{:?}", Answer::Code("secret".into()));
        assert_eq!(shown, "Code(..)");
    }
}
