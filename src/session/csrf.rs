//! Who sends a request whose cookie decides, or that sets cookies: a page of this origin, or any page.
//!
//! No token and no code in pages: browsers say it (Fetch Metadata; `Origin`, RFC 6454 §7).

use crate::{error::Error, jose::http_host};

/// What a request says of where it comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Provenance<'a> {
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
    /// `Origin`. Two of them arrive joined by a comma.
    pub origin: Option<&'a str>,
    /// Whether it asks for another protocol (`Upgrade`, or `Sec-WebSocket-Version`, which proxies keep): a WebSocket is opened by `GET`,
    /// and browsers let every page open one.
    pub upgrades: bool,
}

/// Refuses unsafe requests that another site has made a browser send. The method is in capitals.
///
/// # Errors
/// [`Error::CrossSite`].
pub fn check(
    method: &str,
    request: &Provenance<'_>,
    own: Option<&str>,
    listed: &[String],
) -> Result<(), Error> {
    let is_safe = matches!(method, "GET" | "HEAD" | "OPTIONS") && !request.upgrades;
    if is_safe { Ok(()) } else { check_always(request, own, listed) }
}

/// The same for requests that set cookies: they are unsafe whatever their method is.
///
/// `Sec-Fetch-Site` decides where it is: `same-origin` and `none` (typed in, a bookmark) pass, of others only what `listed` names.
/// Without it `Origin` has to be the gate's `own` or a listed one.
///
/// # Errors
/// [`Error::CrossSite`].
pub fn check_always(
    request: &Provenance<'_>,
    own: Option<&str>,
    listed: &[String],
) -> Result<(), Error> {
    let refused = |problem| Err(Error::CrossSite { problem });
    let is_listed = |origin: &str| origin != "null" && listed.iter().any(|known| known == origin);
    match (request.fetch_site, request.origin) {
        (Some("same-origin" | "none"), _) => Ok(()),
        (Some(_), Some(origin)) if is_listed(origin) => Ok(()),
        (Some(_), _) => {
            refused("Sec-Fetch-Site names another site, and Origin is not in sessions.origins")
        }
        (None, Some(origin)) if origin != "null" && Some(origin) == own || is_listed(origin) => {
            Ok(())
        }
        (None, Some(_)) => refused("Origin is neither the gate's own nor in sessions.origins"),
        (None, None) => refused("neither Sec-Fetch-Site nor Origin says who sends the request"),
    }
}

/// The gate's own origin: what the policy says. Without it only a loopback host counts, since `Host` is the caller's word.
#[must_use]
pub fn own_origin<'a>(configured: Option<&'a str>, url: Option<&'a str>) -> Option<&'a str> {
    configured.or_else(|| {
        let url = url?;
        let (scheme, rest) = url.split_once("://")?;
        let host = http_host::of(rest)?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let length = scheme.len().checked_add(3)?.checked_add(authority.len())?;
        http_host::is_loopback(host).then(|| url.get(..length)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://api.example.com";

    fn ask(method: &str, fetch_site: Option<&str>, origin: Option<&str>) -> bool {
        let request = Provenance { fetch_site, origin, upgrades: false };
        check(method, &request, Some(OWN), &["https://app.example.com".to_owned()]).is_ok()
    }

    /// Race 33.
    #[test]
    fn the_rule_for_unsafe_requests() {
        let listed = Some("https://app.example.com");
        for (fetch_site, origin, passes) in [
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some("https://evil.example"), true),
            (Some("none"), None, true),
            (Some("same-site"), None, false),
            (Some("same-site"), listed, true),
            (Some("cross-site"), listed, true),
            (Some("cross-site"), Some(OWN), false),
            (Some("cross-site"), Some("null"), false),
            (Some("cross-site"), None, false),
            (Some("same-origin, same-origin"), None, false),
            (Some(""), None, false),
            (None, Some(OWN), true),
            (None, listed, true),
            (None, Some("https://evil.example"), false),
            (None, Some("https://api.example.com.evil.example"), false),
            (None, Some("http://api.example.com"), false),
            (None, Some("null"), false),
            (None, Some("https://api.example.com, https://evil.example"), false),
            (None, None, false),
        ] {
            for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"] {
                assert_eq!(ask(method, fetch_site, origin), passes, "{fetch_site:?} {origin:?}");
            }
            // Race 34: who follows a link from a mail is not thrown out.
            assert!(ask("GET", fetch_site, origin) && ask("HEAD", fetch_site, origin));
        }
    }

    /// Race 33: a sibling subdomain opens a WebSocket with the cookies.
    #[test]
    fn web_sockets_count_as_unsafe() {
        let opens = |fetch_site| {
            let request = Provenance { fetch_site, origin: None, upgrades: true };
            check("GET", &request, Some(OWN), &[]).is_ok()
        };
        assert!(opens(Some("same-origin")));
        assert!(!opens(Some("same-site")) && !opens(None));
    }

    #[test]
    fn null_is_nobodys_origin_even_if_listed() {
        let request = Provenance { origin: Some("null"), ..Provenance::default() };
        assert!(check("POST", &request, Some("null"), &["null".to_owned()]).is_err());
    }

    #[test]
    fn without_a_configured_origin_only_loopback_is_the_gates_own() {
        for (url, own) in [
            ("http://127.0.0.1:8787/v1/posts?a=b", Some("http://127.0.0.1:8787")),
            ("http://localhost/", Some("http://localhost")),
            ("http://[::1]:1/x", Some("http://[::1]:1")),
            ("https://api.example.com/", None),
            ("http://127.0.0.1@evil.example/", None),
            ("http://127.0.0.1.evil.example/", None),
        ] {
            assert_eq!(own_origin(None, Some(url)), own, "{url}");
        }
        assert_eq!(own_origin(Some(OWN), Some("http://localhost/")), Some(OWN));
    }
}
