//! Where addresses are read, and how other proxies ask: `client_ip_header`, `trusted_hops`, `forward_auth`.

use core::num::NonZeroU8;

use super::{check::token, document::Document};
use crate::{
    client_address::ClientIpHeader,
    error::Error,
    jose::{
        dpop::{self, Binding},
        verifier::Verifier,
    },
};

/// How other proxies ask about their requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardAuth {
    /// The header that holds the caller's address, since the platform sees only the proxy that asks. Defaults to that
    /// of the policy.
    pub client_ip_header: ClientIpHeader,
    /// Scheme and host by which callers know the API, such as `https://api.example.com`: what a proof of possession has
    /// to be about. `None`: no proof holds, since all that a header says of it may be the caller's own word.
    pub origin: Option<String>,
}

/// The header, as set for the requests that come to the gate itself.
pub(super) fn client_ip_header(document: &Document) -> Result<ClientIpHeader, Error> {
    let named = document.client_ip_header.as_deref();
    let name = token("client_ip_header", named.unwrap_or(ClientIpHeader::OF_THE_PLATFORM))?;
    if named.is_none() && document.trusted_hops.is_some() {
        return Err(Error::config("trusted_hops", "expected client_ip_header beside it"));
    }
    Ok(ClientIpHeader { name, trusted_hops: hops("trusted_hops", document.trusted_hops)? })
}

/// The section, of a policy whose verifier is this one.
pub(super) fn forward_auth(
    document: &Document,
    verifier: Option<&Verifier>,
) -> Result<ForwardAuth, Error> {
    let section = &document.forward_auth;
    let origin = section.origin.as_deref().map(origin).transpose()?;
    if section.is_given() && origin.is_none() {
        no_issuer_wants_proofs(verifier)?;
    }
    let own = client_ip_header(document)?;
    let given = hops("forward_auth.trusted_hops", section.trusted_hops)?;
    let client_ip_header = match section.client_ip_header.as_deref() {
        Some(name) => ClientIpHeader {
            name: token("forward_auth.client_ip_header", name)?,
            trusted_hops: given,
        },
        None if given.is_some() && document.client_ip_header.is_none() => {
            return Err(Error::config(
                "forward_auth.trusted_hops",
                "expected client_ip_header beside it",
            ));
        }
        None => ClientIpHeader { trusted_hops: given.or(own.trusted_hops), ..own },
    };
    Ok(ForwardAuth { client_ip_header, origin })
}

/// A list is never longer than the proxies that a request goes through; 32 is more than anybody has.
fn hops(path: &str, given: Option<u8>) -> Result<Option<NonZeroU8>, Error> {
    match given {
        None => Ok(None),
        Some(count @ 1..=32) => Ok(NonZeroU8::new(count)),
        Some(_) => Err(Error::config(path, "expected 1 to 32")),
    }
}

/// One spelling, as browsers write it: lower case, no path, no port that the scheme has anyway.
#[inline(never)]
fn origin(text: &str) -> Result<String, Error> {
    if dpop::normalize(text) == Some(format!("{text}/")) {
        return Ok(text.to_owned());
    }
    Err(Error::config("forward_auth.origin", "expected an origin like https://api.example.com"))
}

/// Without an origin every token of such an issuer would be refused, for a reason that is known already.
#[inline(never)]
fn no_issuer_wants_proofs(verifier: Option<&Verifier>) -> Result<(), Error> {
    let issuers = verifier.iter().flat_map(|known| known.issuers());
    match issuers.enumerate().find(|(_, known)| known.binding == Binding::Required) {
        Some((index, _)) => Err(Error::config(
            "forward_auth.origin",
            format!("expected an origin, for issuers[{index}].dpop is required"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, Secrets};
    use super::*;
    use crate::secret::Secret;

    struct Named;

    impl Secrets for Named {
        fn secret(&self, name: &str) -> Option<Secret> {
            (name == "SECRET").then(|| Secret::new(vec![7; 32]))
        }
    }

    fn read(json: &str) -> Result<Policy, Error> {
        Policy::from_json(json, &Named)
    }

    #[track_caller]
    fn refused(json: &str, message: &str) {
        assert_eq!(read(json).unwrap_err().to_string(), message, "{json}");
    }

    fn header(name: &str, hops: Option<u8>) -> ClientIpHeader {
        ClientIpHeader { name: name.to_owned(), trusted_hops: hops.and_then(NonZeroU8::new) }
    }

    #[test]
    fn hops_count_in_the_header_that_they_stand_beside() {
        for (json, own, of_proxies) in [
            (r"{}", header("CF-Connecting-IP", None), header("CF-Connecting-IP", None)),
            (
                r#"{"client_ip_header": "X-A", "trusted_hops": 2}"#,
                header("X-A", Some(2)),
                header("X-A", Some(2)),
            ),
            (
                r#"{"client_ip_header": "X-A", "trusted_hops": 2, "forward_auth": {"trusted_hops": 3}}"#,
                header("X-A", Some(2)),
                header("X-A", Some(3)),
            ),
            (
                r#"{"client_ip_header": "X-A", "trusted_hops": 2, "forward_auth": {"client_ip_header": "X-B"}}"#,
                header("X-A", Some(2)),
                header("X-B", None),
            ),
            (
                r#"{"forward_auth": {"client_ip_header": "X-B", "trusted_hops": 1}}"#,
                header("CF-Connecting-IP", None),
                header("X-B", Some(1)),
            ),
        ] {
            let policy = read(json).unwrap();
            assert_eq!(policy.client_ip_header, own, "{json}");
            assert_eq!(policy.forward_auth.client_ip_header, of_proxies, "{json}");
        }
    }

    #[test]
    fn hops_that_count_nothing_are_refused() {
        for hops in [0, 33, 255] {
            refused(
                &format!(r#"{{"client_ip_header": "X-A", "trusted_hops": {hops}}}"#),
                "trusted_hops: expected 1 to 32",
            );
            refused(
                &format!(
                    r#"{{"forward_auth": {{"client_ip_header": "X-A", "trusted_hops": {hops}}}}}"#
                ),
                "forward_auth.trusted_hops: expected 1 to 32",
            );
        }
        refused(r#"{"trusted_hops": 1}"#, "trusted_hops: expected client_ip_header beside it");
        refused(
            r#"{"forward_auth": {"trusted_hops": 1}}"#,
            "forward_auth.trusted_hops: expected client_ip_header beside it",
        );
    }

    #[test]
    fn an_origin_has_one_spelling() {
        for origin in ["https://api.example.com", "http://10.0.0.1:8080", "https://[2001:db8::1]"] {
            let policy = read(&format!(r#"{{"forward_auth": {{"origin": "{origin}"}}}}"#)).unwrap();
            assert_eq!(policy.forward_auth.origin.as_deref(), Some(origin));
        }
        for origin in [
            "",
            "api.example.com",
            "https://",
            "https://api.example.com/",
            "https://api.example.com/v1",
            "https://api.example.com?a",
            "https://API.example.com",
            "https://api.example.com:443",
            "https://user@api.example.com",
            "ftp://api.example.com",
            "https://a, https://b",
        ] {
            refused(
                &format!(r#"{{"forward_auth": {{"origin": "{origin}"}}}}"#),
                "forward_auth.origin: expected an origin like https://api.example.com",
            );
        }
    }

    #[test]
    fn forward_auth_for_bound_tokens_needs_an_origin() {
        let policy = |dpop: &str, section: &str| {
            format!(
                r#"{{"issuers": [{{"issuer": "i", "audience": ["a"], "secret": "SECRET", "dpop": "{dpop}"}}],
                     "forward_auth": {{{section}}}}}"#
            )
        };
        let header = r#""client_ip_header": "X-A""#;
        refused(
            &policy("required", header),
            "forward_auth.origin: expected an origin, for issuers[0].dpop is required",
        );
        let both = format!(r#"{header}, "origin": "https://api.example.com""#);
        for json in [policy("required", &both), policy("optional", header), policy("required", "")]
        {
            assert!(read(&json).is_ok(), "{json}");
        }
    }
}
