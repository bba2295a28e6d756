//! Passkeys of accounts: whose they are, and which pages may ask for them.

use super::{
    super::{SessionPolicy, document::Document, sessions::own_origin},
    document::PasskeysDocument,
};
use crate::{account::passkey::RelyingParty, error::Error, login::binding};

/// Passkeys as a way into a session.
#[derive(Debug)]
pub struct PasskeyPolicy {
    /// The domain that they are bound to.
    pub rp_id: String,
    /// What authenticators call the service.
    pub rp_name: String,
    /// The pages that may ask: those of the policy's origin, and of `sessions.origins` in this domain.
    origins: Vec<String>,
}

impl PasskeyPolicy {
    /// Whose they are. An authenticator has to check who holds it: so a passkey is two factors.
    #[must_use]
    pub fn party(&self) -> RelyingParty<'_> {
        RelyingParty { id: &self.rp_id, origins: &self.origins, verifies_user: true }
    }
}

const PATH: &str = "accounts.passkeys";

/// The section, of a policy with these sessions.
pub(super) fn passkeys(
    document: &Document,
    section: Option<&PasskeysDocument>,
    sessions: &SessionPolicy,
) -> Result<Option<PasskeyPolicy>, Error> {
    let Some(section) = section else { return Ok(None) };
    if document.cookie.as_deref() == Some(binding::COOKIE) {
        let problem = "is the name of the cookie that ties logins to a browser, expected another";
        return Err(Error::config("cookie", problem));
    }
    let own = own_origin(document.origin.as_deref())?;
    let own =
        own.ok_or_else(|| Error::config(PATH, "needs origin: browsers bind passkeys to it"))?;
    let host = host_of(&own).filter(|host| is_domain(host));
    let host = host.ok_or_else(|| {
        Error::config(PATH, "needs an origin with a name: browsers have no passkeys for addresses")
    })?;
    let rp_id = section.rp_id.as_deref().unwrap_or(host);
    let is_whole = rp_id == host || rp_id.contains('.');
    if !is_whole || !is_domain(rp_id) || !is_within(host, rp_id) {
        let problem = format!("expected {host}, or a domain above it with a dot");
        return Err(Error::config(format!("{PATH}.rp_id"), problem));
    }
    let rp_name = section.rp_name.as_deref().unwrap_or(rp_id);
    if !(1..=64).contains(&rp_name.len()) || rp_name.chars().any(char::is_control) {
        let problem = "expected 1 to 64 bytes without control characters";
        return Err(Error::config(format!("{PATH}.rp_name"), problem));
    }
    let listed = sessions.browser.as_ref().map(|browser| browser.origins.as_slice());
    let listed = listed.unwrap_or_default().iter();
    let listed = listed.filter(|origin| host_of(origin).is_some_and(|host| is_within(host, rp_id)));
    let origins = core::iter::once(own.to_string()).chain(listed.cloned()).collect();
    Ok(Some(PasskeyPolicy { rp_id: rp_id.to_owned(), rp_name: rp_name.to_owned(), origins }))
}

/// The host of an origin as browsers write it.
fn host_of(origin: &str) -> Option<&str> {
    let (_, authority) = origin.split_once("://")?;
    authority.split(':').next()
}

/// Whether it is a name. One whose last label begins with a digit is an address, in one of the spellings that URLs know.
fn is_domain(host: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(fits)
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.split('.').all(is_label) && last.starts_with(|first: char| first.is_ascii_lowercase())
}

/// Whether a host is this domain, or below it.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
