//! The two cookies of a browser's session. Both are set in one answer, so that saving them is one step.

use super::step::Grant;
use crate::error::Error;

/// The access token's. Browsers take a `__Host-` cookie only with `Secure`, for `/`, and for this host alone (RFC 6265bis §4.1.3.2).
pub const ACCESS: &str = "__Host-edgegate-at";

/// The refresh token's.
pub const REFRESH: &str = "__Host-edgegate-rt";

/// The answer says so for cookies that renewal has set, and others look at them for 30 s at most.
pub const RENEWAL_SECS: u64 = 30;

/// Which requests from other sites carry the cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// Navigation does (the default): who follows a link is logged in.
    #[default]
    Lax,
    /// None does.
    Strict,
}

crate::json::object::words!(SameSite {
    "Lax" => SameSite::Lax,
    "Strict" => SameSite::Strict,
});

/// The cookies of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionCookies<'a> {
    /// The access token.
    pub access: Option<&'a str>,
    /// The refresh token.
    pub refresh: Option<&'a str>,
}

impl SessionCookies<'_> {
    /// Whether there is one.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.access.is_some() || self.refresh.is_some()
    }
}

/// The values of `Set-Cookie` for a session's tokens.
///
/// A session that is not to be remembered ends with the browser: its cookies have no `Max-Age`.
///
/// # Errors
/// [`Error::StoreUnavailable`]: a token cannot stand in a cookie. None of the gate's can be so.
pub fn set(
    (access, refresh): (&str, &str),
    grant: &Grant,
    same_site: SameSite,
) -> Result<[String; 2], Error> {
    let remember = grant.opening.remember;
    let max_age = remember.then(|| grant.refresh_expires_in());
    Ok([one(ACCESS, access, same_site, max_age)?, one(REFRESH, refresh, same_site, max_age)?])
}

/// The values of `Set-Cookie` that take both cookies out.
#[must_use]
pub fn expire(same_site: SameSite) -> [String; 2] {
    [ACCESS, REFRESH].map(|name| format!("{name}=; {}; Max-Age=0", attributes(same_site)))
}

fn one(
    name: &str,
    value: &str,
    same_site: SameSite,
    max_age: Option<u64>,
) -> Result<String, Error> {
    // No `;`, no control, no blank (RFC 6265 §4.1.1): a token has only these.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if value.is_empty()
        || value.len() > super::access::MAX_TOKEN_LENGTH
        || !value.bytes().all(plain)
    {
        let problem = "a token cannot stand in a cookie".to_owned();
        return Err(Error::StoreUnavailable { store: "sessions", problem });
    }
    let max_age = max_age.map(|secs| format!("; Max-Age={secs}")).unwrap_or_default();
    Ok(format!("{name}={value}; {}{max_age}", attributes(same_site)))
}

const fn attributes(same_site: SameSite) -> &'static str {
    match same_site {
        SameSite::Lax => "Path=/; Secure; HttpOnly; SameSite=Lax",
        SameSite::Strict => "Path=/; Secure; HttpOnly; SameSite=Strict",
    }
}
