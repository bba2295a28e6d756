//! Finding the one credential of a request.

use std::borrow::Cow;

use base64ct::{Base64, Encoding as _};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Request, cookies};
use crate::{
    error::Error,
    json::object::words,
    policy::{Beside, Policy},
};

/// How a credential came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// `Authorization: Bearer` (RFC 6750 §2.1).
    Bearer,
    /// `Authorization: DPoP` (RFC 9449 §7.1): a token that is bound to a key.
    Dpop,
    /// `Authorization: Basic` with the key as user name and an empty password.
    Basic,
    /// The header of API keys, `X-API-Key` by default.
    ApiKeyHeader,
    /// The cookie that the policy names.
    Cookie,
    /// A header of `credential_headers`, into which another proxy put a token.
    CredentialHeader,
}

impl Carrier {
    /// Its word in events and counts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Dpop => "dpop",
            Self::Basic => "basic",
            Self::ApiKeyHeader => "api_key_header",
            Self::Cookie => "cookie",
            Self::CredentialHeader => "credential_header",
        }
    }
}

words!(Carrier {
    "bearer" => Carrier::Bearer,
    "dpop" => Carrier::Dpop,
    "basic" => Carrier::Basic,
    "api_key_header" => Carrier::ApiKeyHeader,
    "cookie" => Carrier::Cookie,
    "credential_header" => Carrier::CredentialHeader,
});

/// A credential as it was presented.
pub(super) enum Credential<'a> {
    Token(PresentedToken<'a>),
    ApiKey(Cow<'a, str>),
}

/// A token as it was presented.
pub(super) struct PresentedToken<'a> {
    pub(super) text: &'a str,
    /// The issuers whose tokens may come this way; `None`: all of the policy.
    pub(super) issuers: Option<&'a [String]>,
}

impl<'a> Credential<'a> {
    const fn token(text: &'a str) -> Self {
        Self::Token(PresentedToken { text, issuers: None })
    }
}

/// Finds the credential of a request: `Authorization`, the header of API keys, the cookie of the policy, then the headers of
/// other proxies. Without any: `None`.
///
/// A bearer value is an API key only when it begins with a configured prefix and `_`; so is the value
/// of the cookie. An authentication scheme the gate does not know is no credential. A cookie whose name is another spelling of
/// the policy's is none either, but counts as one more beside a credential: a service might take it for the one that was verified.
///
/// # Errors
/// [`Error::MultipleCredentials`] for more than one, wherever they are: guessing which one counts is
/// how two servers come to disagree. [`Error::MalformedApiKey`] for a `Basic` value that holds none.
pub(super) fn find<'a>(
    policy: &'a Policy,
    request: &Request<'a>,
) -> Result<Option<(Credential<'a>, Carrier)>, Error> {
    let mut found = None;
    let mut add = |credential, carrier| match found.replace((credential, carrier)) {
        None => Ok(()),
        Some(_) => Err(Error::MultipleCredentials),
    };
    if let Some(value) = request.authorization
        && let Some((credential, carrier)) = from_authorization(policy, value)?
    {
        add(credential, carrier)?;
    }
    if let Some(value) = lone_value(request.api_key)? {
        add(Credential::ApiKey(Cow::Borrowed(value)), Carrier::ApiKeyHeader)?;
    }
    if let (Some(name), Some(header)) = (policy.cookie.as_deref(), request.cookie) {
        // More than one is suspicious (RFC 6265 §5.4).
        for value in cookies::named(name, header) {
            add(token_or_key(policy, value), Carrier::Cookie)?;
        }
    }
    let of_caller = found.is_some();
    for (header, value) in policy.credential_headers.iter().zip(request.credential_headers) {
        if of_caller && header.beside == Beside::Ignore {
            continue;
        }
        if let Some(text) = lone_value(*value)? {
            let issuers = Some(header.issuers.as_slice());
            // Another proxy's header is never an API key, whatever it looks like.
            let token = Credential::Token(PresentedToken { text, issuers });
            match found.replace((token, Carrier::CredentialHeader)) {
                None => {}
                Some(_) => return Err(Error::MultipleCredentials),
            }
        }
    }
    if let (Some(name), Some(header)) = (policy.cookie.as_deref(), request.cookie)
        && found.is_some()
        && cookies::has_other_spelling(name, header)
    {
        return Err(Error::MultipleCredentials);
    }
    Ok(found)
}

/// The value of a header that holds a credential and nothing else; an empty one counts as no header.
///
/// # Errors
/// [`Error::MultipleCredentials`] for two headers of one name: they arrive joined by a comma, which neither a key nor a token
/// contains.
fn lone_value(header: Option<&str>) -> Result<Option<&str>, Error> {
    match header.map(str::trim).filter(|value| !value.is_empty()) {
        Some(value) if value.contains(',') => Err(Error::MultipleCredentials),
        value => Ok(value),
    }
}

fn from_authorization<'a>(
    policy: &Policy,
    value: &'a str,
) -> Result<Option<(Credential<'a>, Carrier)>, Error> {
    let Some((carrier, rest)) = scheme_and_value(value)? else { return Ok(None) };
    let credential = match carrier {
        Carrier::Bearer => token_or_key(policy, rest),
        Carrier::Basic => Credential::ApiKey(Cow::Owned(basic_user_name(rest)?)),
        Carrier::Dpop | Carrier::ApiKeyHeader | Carrier::Cookie | Carrier::CredentialHeader => {
            Credential::token(rest)
        }
    };
    Ok(Some((credential, carrier)))
}

/// The token of `Authorization: Bearer`, for callers that take nothing else. An empty value counts as no header.
///
/// # Errors
/// [`Error::MissingCredentials`] for anything else, [`Error::MultipleCredentials`] for more than one.
pub fn bearer_token(authorization: &str) -> Result<&str, Error> {
    match scheme_and_value(authorization)? {
        Some((Carrier::Bearer, token)) => Ok(token),
        _ => Err(Error::MissingCredentials),
    }
}

/// The schemes of `Authorization` that the gate knows.
const SCHEMES: [(&str, Carrier); 3] =
    [("bearer", Carrier::Bearer), ("dpop", Carrier::Dpop), ("basic", Carrier::Basic)];

fn known_scheme(name: &str) -> Option<Carrier> {
    SCHEMES.iter().find(|(scheme, _)| name.eq_ignore_ascii_case(scheme)).map(|(_, known)| *known)
}

/// What comes by a scheme that the gate knows, as the scheme's carrier and what stands behind it.
fn scheme_and_value(authorization: &str) -> Result<Option<(Carrier, &str)>, Error> {
    let trimmed = authorization.trim();
    let (scheme, rest) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
    let rest = rest.trim();
    let Some(carrier) = known_scheme(scheme).filter(|_| !rest.is_empty()) else {
        return Ok(None);
    };
    refuse_joined_headers(rest)?;
    Ok(Some((carrier, rest)))
}

/// Two `Authorization` headers arrive as `Bearer a, Bearer b`. A lone credential has no comma; one that
/// has, but no second scheme behind it, is simply malformed and fails later.
fn refuse_joined_headers(rest: &str) -> Result<(), Error> {
    let second = rest.split_once(',').and_then(|(_, after)| after.trim().split_once(' '));
    match second {
        Some((scheme, _)) if known_scheme(scheme).is_some() => Err(Error::MultipleCredentials),
        _ => Ok(()),
    }
}

fn token_or_key<'a>(policy: &Policy, value: &'a str) -> Credential<'a> {
    let is_key = policy.api_keys.as_ref().is_some_and(|keys| keys.prefix_of(value).is_some());
    if is_key { Credential::ApiKey(Cow::Borrowed(value)) } else { Credential::token(value) }
}

/// `Basic` carries base64 of `user:password` (RFC 7617 §2); the key is the user, the password is empty.
#[inline(never)]
fn basic_user_name(encoded: &str) -> Result<String, Error> {
    let malformed = || Error::MalformedApiKey {
        problem: "expected base64 of the key, a colon and no password",
    };
    let decoded = Zeroizing::new(Base64::decode_vec(encoded).map_err(|_| malformed())?);
    let text = core::str::from_utf8(&decoded).map_err(|_| malformed())?;
    text.strip_suffix(':').filter(|user| !user.is_empty()).map(str::to_owned).ok_or_else(malformed)
}
