//! The words of OAuth's errors (RFC 6749 §5.2), and forms (`application/x-www-form-urlencoded`).

use std::borrow::Cow;

use crate::error::{Code, Error};

/// The longest body of an OAuth endpoint: room for an assertion and a refresh token.
pub const MAX_FORM_LENGTH: usize = 16 * 1024;

/// The parameters that are looked at. Others are ignored (RFC 6749 §3.2); one of these twice is refused.
const KNOWN: [&str; 12] = [
    "grant_type",
    "refresh_token",
    "scope",
    "resource",
    "audience",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "token",
    "token_type_hint",
    "code",
];

/// A word of RFC 6749 §5.2, or of RFC 7009 and RFC 9449.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OAuthError {
    /// `invalid_request`.
    InvalidRequest,
    /// `invalid_client`.
    InvalidClient,
    /// `invalid_grant`.
    InvalidGrant,
    /// `unauthorized_client`.
    UnauthorizedClient,
    /// `unsupported_grant_type`.
    UnsupportedGrantType,
    /// `invalid_scope`.
    InvalidScope,
    /// `invalid_target` (RFC 8707 §2).
    InvalidTarget,
    /// `unsupported_token_type` (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// `invalid_dpop_proof` (RFC 9449 §5).
    InvalidDpopProof,
    /// `temporarily_unavailable`.
    TemporarilyUnavailable,
    /// `server_error`.
    ServerError,
}

impl OAuthError {
    const ALL: [Self; 11] = [
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::InvalidTarget,
        Self::UnsupportedTokenType,
        Self::InvalidDpopProof,
        Self::TemporarilyUnavailable,
        Self::ServerError,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// The status (RFC 6749 §5.2; 503 and 429 where the gate says so).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient => 401,
            Self::TemporarilyUnavailable => 503,
            Self::ServerError => 500,
            _ => 400,
        }
    }

    /// The error that is answered with this word.
    #[must_use]
    pub const fn because(self, problem: &'static str) -> Error {
        Error::OAuth { error: self.as_str(), problem }
    }

    /// The word for an error of the gate, where `/token` and its like meet it.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            Error::OAuth { error, .. } => Self::ALL
                .into_iter()
                .find(|known| known.as_str() == *error)
                .unwrap_or(Self::InvalidRequest),
            Error::InvalidField { .. } | Error::InvalidRequest(_) => Self::InvalidRequest,
            Error::InvalidProof { .. }
            | Error::ProofReplayed
            | Error::ProofRequired
            | Error::WrongProofKey => Self::InvalidDpopProof,
            _ => match error.code() {
                Code::InvalidRefreshToken | Code::NotAllowed => Self::InvalidGrant,
                Code::MissingCredentials | Code::MultipleCredentials | Code::InvalidToken => {
                    Self::InvalidClient
                }
                Code::StoreUnavailable | Code::KeysUnavailable | Code::RateLimited => {
                    Self::TemporarilyUnavailable
                }
                Code::ConfigError => Self::ServerError,
                _ => Self::InvalidRequest,
            },
        }
    }
}

/// A form whose known parameters occur once each.
#[derive(Debug, Default)]
pub struct Form<'a>(Vec<(&'static str, Cow<'a, str>)>);

impl<'a> Form<'a> {
    /// Reads a body. An empty parameter is as good as none (RFC 6749 §3.2).
    ///
    /// # Errors
    /// [`OAuthError::InvalidRequest`]: too long, not UTF-8, a bad percent-encoding, or a known parameter twice.
    pub fn parse(body: &'a [u8]) -> Result<Self, OAuthError> {
        Self::parse_for(&KNOWN, body)
    }

    /// The same for other parameters than those of the OAuth endpoints.
    ///
    /// # Errors
    /// As [`Form::parse`].
    pub fn parse_for(known: &[&'static str], body: &'a [u8]) -> Result<Self, OAuthError> {
        if body.len() > MAX_FORM_LENGTH {
            return Err(OAuthError::InvalidRequest);
        }
        let text = core::str::from_utf8(body).map_err(|_| OAuthError::InvalidRequest)?;
        let mut form = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or(OAuthError::InvalidRequest)?;
            let Some(known) = known.iter().find(|known| **known == name) else { continue };
            let value = decode(value).ok_or(OAuthError::InvalidRequest)?;
            if form.0.iter().any(|(given, _)| given == known) {
                return Err(OAuthError::InvalidRequest);
            }
            form.0.push((known, value));
        }
        form.0.retain(|(_, value)| !value.is_empty());
        Ok(form)
    }

    /// A parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }
}

/// Decodes a name or a value of a form; `None` if it is not well encoded.
#[must_use]
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from((high << 4) | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_strictly() {
        let form =
            Form::parse(b"grant_type=refresh_token&scope=a+b%20c&x=1&x=2&client_id=").unwrap();
        assert_eq!(form.get("grant_type"), Some("refresh_token"));
        assert_eq!(form.get("scope"), Some("a b c"));
        assert_eq!(form.get("client_id"), None);
        for wrong in [
            &b"grant_type=a&grant_type=a"[..],
            b"grant_type=a&grant%5Ftype=b",
            b"scope=%",
            b"scope=%4",
            b"scope=%zz",
            b"scope=%ff",
            b"scope=\xff",
        ] {
            assert_eq!(Form::parse(wrong).unwrap_err(), OAuthError::InvalidRequest);
        }
        assert!(Form::parse(&vec![b'a'; MAX_FORM_LENGTH + 1]).is_err());
    }

    #[test]
    fn errors_have_the_words_of_rfc_6749() {
        for (error, word, status) in [
            (Error::SessionEnded, "invalid_grant", 400),
            (Error::RefreshTokenOfOtherClient, "invalid_grant", 400),
            (Error::AdministratorSecret, "invalid_client", 401),
            (Error::invalid_field("scope", "x"), "invalid_request", 400),
            (
                Error::StoreUnavailable { store: "sessions", problem: String::new() },
                "temporarily_unavailable",
                503,
            ),
            (Error::config("", ""), "server_error", 500),
        ] {
            let known = OAuthError::of(&error);
            assert_eq!((known.as_str(), known.status()), (word, status));
        }
    }
}
