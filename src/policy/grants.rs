//! The field `grant` of a route: requests are made with the caller's own account at a provider.
//!
//! The route is the list of what may be called: its path, its methods, and the one host of its `upstream`. Nothing else gets the token.

use super::header_names::{HeaderName, folds_alike};

/// By which account a request is made, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteGrant {
    /// The provider's id in `login.providers`.
    pub provider: String,
    /// The header that the service behind the gate gets the token in; `None`: it goes to the provider itself, as
    /// `Authorization: Bearer`.
    pub header: Option<HeaderName>,
    /// Headers of the caller that the provider gets beside those of [`PASSED`].
    pub(super) pass_headers: Vec<String>,
}

/// The header by which a caller with several accounts at a provider names one.
pub const ACCOUNT_HEADER: &str = "X-Grant-Account";

/// The longest name of an account.
pub const MAX_ACCOUNT_LENGTH: usize = 255;

/// Headers of the caller that a provider gets. All others are about the caller and the gate: cookies, credentials, addresses.
const PASSED: [&str; 15] = [
    "accept",
    "accept-language",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "prefer",
    "range",
    "user-agent",
];

/// What an answer of a provider must not tell the caller's browser: it comes under the gate's own name. Empty: it is taken out.
pub const ANSWER_FIELDS: [(&str, &str); 16] = [
    ("Set-Cookie", ""),
    ("Clear-Site-Data", ""),
    ("Strict-Transport-Security", ""),
    ("Service-Worker-Allowed", ""),
    ("Refresh", ""),
    ("Access-Control-Allow-Origin", ""),
    ("Access-Control-Allow-Credentials", ""),
    ("Access-Control-Expose-Headers", ""),
    ("Alt-Svc", ""),
    ("NEL", ""),
    ("Report-To", ""),
    ("Reporting-Endpoints", ""),
    ("Link", ""),
    // A 401 of the provider's is not the gate's own: it asks the browser and its programs for nothing.
    ("WWW-Authenticate", ""),
    // What it sends is data, also where it says that it is a page.
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
    ("X-Content-Type-Options", "nosniff"),
];

impl RouteGrant {
    /// Whether the provider or service gets a header of the caller. `name` is in small letters.
    #[must_use]
    pub fn passes(&self, name: &str) -> bool {
        match &self.header {
            // Servers take other spellings for the same name.
            Some(own) => !folds_alike(name, own.as_str()) && !folds_alike(name, ACCOUNT_HEADER),
            None => PASSED.contains(&name) || self.pass_headers.iter().any(|own| own == name),
        }
    }
}
