//! Where a browser may be sent after a login or a logout: a path of this origin, or a URL of a host that the policy lists.
//!
//! Browsers read URLs more kindly than most parsers: `\` is `/` to them, tabs and line breaks are left out, `//` begins a host. So a
//! target is read character by character, anything unusual is refused, and what passed is sent exactly as it was checked.

/// The one page below the prefix that a login may lead back to: it sends whoever is not logged in to log in.
pub const ACCOUNT_PAGE: &str = "/account";

/// The longest target: it travels in `state`, through the address bar of the provider.
pub const MAX_LENGTH: usize = 1024;

/// Where a browser is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// The start page, which is always allowed.
    #[must_use]
    pub fn start_page() -> Self {
        Self("/".to_owned())
    }

    /// Reads a target. Allowed are a path of this origin, which begins with one `/`, and a URL of one of these `origins`, each as browsers
    /// write it. Endpoints of the gate below `prefix` are not, but for [`ACCOUNT_PAGE`]: a login that returns to `/auth/login` or `/auth/logout` goes round in circles.
    ///
    /// `None`: refused. Then the start page takes its place, and nobody is told an error.
    #[must_use]
    pub fn parse(target: &str, origins: &[String], prefix: &str) -> Option<Self> {
        let is_plain =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>');
        if target.len() > MAX_LENGTH || !target.bytes().all(is_plain) {
            return None;
        }
        if target.starts_with('/') {
            let is_own = is_path(target) && !is_endpoint(target, prefix);
            return is_own.then(|| Self(target.to_owned()));
        }
        let rest = origins.iter().find_map(|origin| target.strip_prefix(origin.as_str()))?;
        // What follows a host must end it: `https://a.example` is not `https://a.example.evil.test`, nor `https://a.example@evil.test`.
        (rest.is_empty() || is_path(rest)).then(|| Self(target.to_owned()))
    }

    /// As it is sent in `Location`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A path that every reader reads alike: from the root, without empty and dot segments (`//`, `/./`, `/../`), and without percent-encoded
/// slashes, backslashes, dots that stand alone, and controls, since proxies decode them.
fn is_path(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let Some(rest) = path.strip_prefix('/') else { return false };
    let lower = rest.to_ascii_lowercase();
    let is_hidden = ["%2f", "%5c", "%0", "%1", "%7f"].iter().any(|code| lower.contains(code));
    let last = lower.split('/').count().saturating_sub(1);
    let fits = |(place, segment): (usize, &str)| match segment.replace("%2e", ".").as_str() {
        "" => place == last,
        "." | ".." => false,
        _ => true,
    };
    !is_hidden && lower.split('/').enumerate().all(fits)
}

/// Whether a path is one of the gate's own, however its letters are written.
fn is_endpoint(target: &str, prefix: &str) -> bool {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let begins = path.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let after = path.get(prefix.len()..).unwrap_or_default();
    if path.starts_with(prefix) && after == ACCOUNT_PAGE {
        return false;
    }
    !prefix.is_empty() && begins && (after.is_empty() || after.starts_with(['/', '%', ';']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(target: &str) -> bool {
        let origins = ["https://app.example.com".to_owned(), "http://localhost:5173".to_owned()];
        ReturnPath::parse(target, &origins, "/auth").is_some_and(|path| path.as_str() == target)
    }

    #[test]
    fn paths_of_this_origin_and_urls_of_listed_hosts_are_allowed() {
        for target in [
            "/",
            "/v1/posts",
            "/a/b/?q=1&r=//x#frag",
            "/a%20b",
            "/authors",
            "/?next=https://evil.example",
            "/.well-known/x",
            "https://app.example.com",
            "https://app.example.com/a?b=c",
            "http://localhost:5173/",
        ] {
            assert!(allowed(target), "{target}");
        }
    }

    #[test]
    fn of_the_gates_own_paths_the_page_of_an_account_alone_is_allowed() {
        for target in ["/auth/account", "/auth/account?do=passkey", "/auth/account?do=a&id=b-_"] {
            assert!(allowed(target), "{target}");
        }
        for target in [
            "/auth/account/",
            "/auth/account/x",
            "/auth/account%2f",
            "/auth/account;x",
            "/auth/accounts",
            "/AUTH/account",
            "/auth/./account",
            "/auth/account/../logout",
        ] {
            assert!(!allowed(target), "{target}");
        }
    }

    /// oauth2-proxy CVE-2020-4037, Red Hat oauth-proxy CVE-2026-83589, mod_auth_openidc CVE-2022-23527, authorizer CVE-2026-54072.
    #[test]
    fn nothing_that_a_browser_could_take_for_another_host_is() {
        for target in [
            "",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/./evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/%2e/\\evil.example",
            "/%2E%2e//evil.example",
            "/a/../..//evil.example",
            "/%2f/evil.example",
            "/%2Fevil.example",
            "/%5cevil.example",
            "/a//evil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:x",
            "evil.example",
            "http:evil.example",
            "https:/evil.example",
            "https:///evil.example",
            "https://evil.example",
            "https://app.example.com.evil.example",
            "https://app.example.com@evil.example",
            "https://app.example.com:443@evil.example",
            "https://app.example.com:8443/",
            "https://app.example.com?x",
            "https://app.example.com\\.evil.example",
            "https://app.example.com//evil.example",
            "HTTPS://app.example.com/",
            "https://APP.example.com/",
            "javascript:alert(1)",
            "data:text/html,x",
            "?x",
            "#x",
            ".",
            "/ü",
            "/a b",
            "/\u{2215}\u{2215}evil.example",
            "/\u{ff0f}evil.example",
            "/\0",
            "/<script>",
        ] {
            assert!(!allowed(target), "{target:?}");
        }
        assert!(!allowed(&format!("/{}", "a".repeat(MAX_LENGTH))));
        assert!(allowed(&format!("/{}", "a".repeat(MAX_LENGTH - 1))));
    }

    #[test]
    fn a_login_does_not_return_to_the_gates_own_endpoints() {
        for target in ["/auth", "/auth/login", "/AUTH/logout?x", "/auth%2flogin", "/auth;x"] {
            assert!(!allowed(target), "{target}");
        }
    }
}
