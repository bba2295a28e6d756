//! What caches are told of an answer, so that nobody is given what was made for another.
//!
//! A shared cache keeps the answer to a request with `Authorization` to itself (RFC 9111 §3.5). Behind the gate, and for
//! other credentials, nothing tells it to: the header is taken off, and an API key or a cookie never meant anything to a
//! cache. So the gate says it in the answer.

use crate::{
    cache_control::says,
    guard::{Decision, Identity},
    policy::{Cache, Cors, Policy},
};

/// The header fields that [`CacheRule::amend`] reads, in this order, and changes. In the npm package `pkg/lib/caching.js` does: the
/// answers of a framework are out of the engine's reach.
pub const CACHING_FIELDS: [&str; 7] = [
    "Cache-Control",
    "Vary",
    "CDN-Cache-Control",
    "Cloudflare-CDN-Cache-Control",
    "Surrogate-Control",
    "Edge-Control",
    "X-Accel-Expires",
];

/// What an answer has to say to caches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRule {
    /// Whether it is not for everybody: it was given to a caller who is known, or who is in a network that the route names.
    pub private: bool,
    /// The request headers on which it depends, where callers with and without a credential share a URL.
    pub vary: Option<String>,
    /// Whether a cookie of the gate's own decided. Then `public` does not count: the service never saw that cookie, and cannot have
    /// meant that everybody may have what was made for its owner.
    pub by_cookie: bool,
    /// Whether it came of an account of the caller's at a provider, which has several under one URL. Then nobody keeps it, whatever the
    /// provider says: it cannot know that its answer goes on under another name.
    pub by_account: bool,
}

impl CacheRule {
    /// What the answer to this caller has to say. Where the route takes anonymous callers beside others, a cache may hold
    /// an answer of the one when the other asks.
    #[must_use]
    pub fn of(policy: &Policy, identity: &Identity, decision: &Decision) -> Self {
        let by_origin = decision.cors.as_deref().is_some_and(Cors::varies);
        let origin = by_origin.then(|| "Origin".to_owned());
        let by_cookie = decision.session.by_cookie;
        if decision.goes_to_a_provider() {
            return Self { private: true, vary: origin, by_cookie, by_account: true };
        }
        if policy.cache == Cache::Upstream && !by_cookie {
            return Self { private: false, vary: origin, by_cookie, by_account: false };
        }
        let credentials = match (decision.shared_url, by_cookie) {
            (true, _) => Some(policy.credential_fields()),
            (false, true) => Some("Cookie".to_owned()),
            (false, false) => None,
        };
        let vary = match (credentials, origin) {
            (Some(credentials), Some(origin)) => Some(joined(&credentials, &origin)),
            (credentials, origin) => credentials.or(origin),
        };
        let is_known = !matches!(identity, Identity::Anonymous);
        Self { private: is_known || decision.for_networks, vary, by_cookie, by_account: false }
    }

    /// Whether answers stay as they are.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        !self.private && self.vary.is_none()
    }

    /// The fields that change, given the answer's own [`CACHING_FIELDS`] (empty where there is none). An empty value
    /// takes a field out.
    ///
    /// The service's own `public`, `private` or `no-store` counts. What else it says, `max-age` or `s-maxage`, it may have said
    /// in the belief that `Authorization` protects the answer. Fields for shared caches alone win over `Cache-Control` (RFC 9213),
    /// so they are taken out unless they say `public`.
    #[must_use]
    pub fn amend<'a>(&self, own: impl IntoIterator<Item = &'a str>) -> Vec<(&'static str, String)> {
        let mut own = CACHING_FIELDS.into_iter().zip(own);
        let (control, vary) = (own.next(), own.next());
        let control = control.map_or("", |(_, value)| value);
        let mut changes = Vec::new();
        let is_meant = |value| !self.by_cookie && !self.by_account && says(value, "public");
        if self.by_account {
            changes.push((CACHING_FIELDS[0], "private, no-store".to_owned()));
            let addressed = own.filter(|(_, value)| !value.is_empty());
            changes.extend(addressed.map(|(name, _)| (name, String::new())));
        } else if self.private && !is_meant(control) {
            if says(control, "public") {
                changes.push((CACHING_FIELDS[0], "private".to_owned()));
            } else if !says(control, "private") && !says(control, "no-store") {
                // In front: behind a quote that is never closed it would be part of a text.
                changes.push((CACHING_FIELDS[0], joined("private", control)));
            }
            let addressed = own.filter(|(_, value)| !value.is_empty() && !is_meant(value));
            changes.extend(addressed.map(|(name, _)| (name, String::new())));
        }
        if let (Some(more), Some((name, given))) = (&self.vary, vary) {
            changes.push((name, joined(given, more)));
        }
        changes
    }
}

fn joined(first: &str, second: &str) -> String {
    let between = if first.is_empty() || second.is_empty() { "" } else { ", " };
    [first, between, second].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: CacheRule =
        CacheRule { private: true, vary: None, by_cookie: false, by_account: false };

    /// What becomes of a `Cache-Control`.
    fn control(own: &str) -> String {
        let fields = [own, "", "", "", "", "", ""];
        PRIVATE.amend(fields).pop().map_or_else(|| own.to_owned(), |(_, value)| value)
    }

    #[test]
    fn private_is_added_unless_the_service_decided() {
        for own in [
            "public",
            "private",
            "no-store",
            "PUBLIC, max-age=60",
            "max-age=60,Private",
            "max-age=5 , no-store ",
            "ext=\"a, b\", public",
        ] {
            assert_eq!(control(own), own);
        }
        for (own, expected) in [
            ("", "private"),
            ("max-age=60", "private, max-age=60"),
            ("s-maxage=60", "private, s-maxage=60"),
            ("no-cache", "private, no-cache"),
            ("must-revalidate, immutable", "private, must-revalidate, immutable"),
            // What only looks like it.
            ("private=\"Set-Cookie\"", "private, private=\"Set-Cookie\""),
            ("no-store=\"x\"", "private, no-store=\"x\""),
            ("ext=\"a, public\"", "private, ext=\"a, public\""),
            ("ext=\"a\\\", public", "private, ext=\"a\\\", public"),
            ("max-age=60 public", "private, max-age=60 public"),
            ("publicly", "private, publicly"),
        ] {
            assert_eq!(control(own), expected, "{own}");
        }
    }

    #[test]
    fn what_is_said_to_shared_caches_alone_is_taken_out() {
        let own = ["private", "", "max-age=60", "public, max-age=60", "max-age=9", "", "60"];
        let gone = |names: &[&'static str]| -> Vec<(&'static str, String)> {
            names.iter().map(|name| (*name, String::new())).collect()
        };
        assert_eq!(
            PRIVATE.amend(own),
            gone(&["CDN-Cache-Control", "Surrogate-Control", "X-Accel-Expires"])
        );
        let public = ["public", "", "max-age=60", "", "max-age=9", "max-age=9", "60"];
        assert_eq!(PRIVATE.amend(public), []);
    }

    /// Race 35.
    #[test]
    fn what_a_cookie_of_the_gate_admitted_is_private_whatever_the_service_says() {
        let rule = CacheRule { vary: Some("Cookie".to_owned()), by_cookie: true, ..PRIVATE };
        let own = ["public, s-maxage=60", "Accept", "public, max-age=60", "", "", "", ""];
        assert_eq!(
            rule.amend(own),
            [
                ("Cache-Control", "private".to_owned()),
                ("CDN-Cache-Control", String::new()),
                ("Vary", "Accept, Cookie".to_owned())
            ]
        );
    }

    #[test]
    fn what_an_account_at_a_provider_brought_is_kept_nowhere_whatever_the_provider_says() {
        let rule = CacheRule { vary: Some("Origin".to_owned()), by_account: true, ..PRIVATE };
        let own = ["public, s-maxage=60", "Accept", "public, max-age=60", "", "", "", ""];
        assert_eq!(
            rule.amend(own),
            [
                ("Cache-Control", "private, no-store".to_owned()),
                ("CDN-Cache-Control", String::new()),
                ("Vary", "Accept, Origin".to_owned())
            ]
        );
        assert_eq!(rule.amend([""; 7])[0], ("Cache-Control", "private, no-store".to_owned()));
    }

    /// `pkg/lib/caching.js` is held to the same.
    #[test]
    fn an_answer_is_amended_as_the_vectors_say() {
        #[derive(serde::Deserialize)]
        struct Vector {
            name: String,
            private: bool,
            vary: Option<String>,
            own: std::collections::HashMap<String, String>,
            changes: Vec<(String, String)>,
        }
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../tests/vectors/caching.json")).unwrap();
        for Vector { name, private, vary, own, changes } in vectors {
            let rule = CacheRule { private, vary, ..PRIVATE };
            let own = CACHING_FIELDS.map(|field| own.get(field).map_or("", String::as_str));
            let amended: Vec<(String, String)> = rule
                .amend(own)
                .into_iter()
                .map(|(field, value)| (field.to_owned(), value))
                .collect();
            assert_eq!(amended, changes, "{name}");
        }
    }

    #[test]
    fn vary_is_added_to_what_is_there() {
        let vary = Some("Authorization, X-API-Key".to_owned());
        let told = CacheRule { private: false, vary, ..PRIVATE };
        let vary = |own| told.amend(["max-age=60", own, "", "", "", "", ""]);
        assert_eq!(vary(""), [("Vary", "Authorization, X-API-Key".to_owned())]);
        assert_eq!(vary("Accept"), [("Vary", "Accept, Authorization, X-API-Key".to_owned())]);
        assert_eq!(
            CacheRule { private: false, ..PRIVATE }.amend(["", "", "max-age=1", "", "", "", ""]),
            []
        );
    }
}
