//! What a caller's headers may say to the service behind the gate, and what the gate says there in their place.
//!
//! The gate decides by the method, path, host, scheme and address that it saw. A header by which services take others
//! for these, or take somebody for somebody else, would undo the decision. So such headers of callers are removed, in
//! every spelling that a server might hand on as theirs: CGI, and with it PHP, WSGI and Rack, make one name of `X-Auth-Subject`,
//! `X_Auth_Subject` and, some of them, `X-Auth.Subject`.

use core::net::IpAddr;
use std::borrow::Cow;

use super::reply::LentFields;
use crate::client_address::text_of;
use crate::guard::scheme_and_rest;
use crate::policy::{
    ADDRESSES, API_KEY_HEADER, KEPT_FAMILIES, OVERRIDING, Policy, folded, folds_alike,
};

/// Whether a header of a caller is kept from the service.
///
/// What the gate tells the service, callers cannot. Of addresses only the header that the policy trusts stays. `CF-Connecting-IP`
/// is no exception: with another header in the policy, it is the caller's own word where the platform does not set it, and
/// where it does, the address of the proxy in front. A header that holds credentials stays in the spelling in which the gate
/// has looked at it: whether it goes on is decided by what was verified.
#[must_use]
pub fn is_kept_back(name: &str, policy: &Policy) -> bool {
    let folded = &*folded(name);
    if policy.identity_headers.iter().any(|header| header.name.folds_to(folded)) {
        return true;
    }
    let mut credentials = policy.credential_headers.iter().map(|header| &header.name);
    if let Some(own) = credentials
        .find(|own| own.folds_to(folded))
        .or_else(|| Some(&policy.api_key_header).filter(|own| own.folds_to(folded)))
    {
        // In another spelling it is no credential that the gate has looked at.
        return !own.is(name);
    }
    // `X-Forwarded-` has -Host, -Proto, -Prefix, -Uri, and with -User and -Email identities too.
    if KEPT_FAMILIES.iter().any(|family| folded.starts_with(family)) {
        return true;
    }
    let trusted = policy.client_ip_header.name.as_str();
    let is_address = !name.eq_ignore_ascii_case(trusted)
        && (ADDRESSES.contains(&folded) || folds_alike(folded, trusted));
    // A service may still read keys where the gate reads them no longer.
    let is_key = API_KEY_HEADER.eq_ignore_ascii_case(folded);
    is_key || is_address || OVERRIDING.contains(&folded)
}

/// What the gate tells the service of the request: by which scheme and host it was asked, and by whom. `url` is that of the
/// request.
#[must_use]
pub fn forwarded_fields(url: &str, client_ip: Option<IpAddr>) -> LentFields<'_> {
    let mut fields = Vec::with_capacity(3);
    if let Some((scheme, rest)) = scheme_and_rest(url) {
        let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let host = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
        fields.push(("X-Forwarded-Proto", Cow::Borrowed(scheme)));
        fields.push(("X-Forwarded-Host", Cow::Borrowed(host)));
    }
    if let Some(address) = client_ip {
        fields.push(("X-Forwarded-For", Cow::Owned(text_of(address.to_canonical()))));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{policy::Secrets, secret::Secret};

    struct Named;

    impl Secrets for Named {
        fn secret(&self, _: &str) -> Option<Secret> {
            Some(Secret::new(vec![7; 32]))
        }
    }

    fn kept_back_by(policy: &str, name: &str) -> bool {
        is_kept_back(name, &Policy::from_json(policy, &Named).unwrap())
    }

    #[track_caller]
    fn kept_back(names: &[&str], expected: bool) {
        for name in names {
            let policy = r#"{"client_ip_header": "X-Real-IP"}"#;
            assert_eq!(kept_back_by(policy, name), expected, "{name}");
        }
    }

    #[test]
    fn identity_headers_go_in_every_spelling() {
        kept_back(
            &[
                "X-Auth-Subject",
                "x_auth_subject",
                "X-Auth.Subject",
                "X.Auth.Scopes",
                "X~Auth!Method",
                "x-auth-",
                "X-Auth-Anything",
            ],
            true,
        );
        kept_back(&["X-Authority", "X-Auth", "My-X-Auth-Subject", "Authorization"], false);
    }

    #[test]
    fn headers_that_override_the_request_go_in_every_spelling() {
        for name in OVERRIDING {
            kept_back(&[name, &name.to_uppercase(), &name.replace('-', "_")], true);
            kept_back(&[&name.replace('-', ".")], true);
        }
        kept_back(
            &[
                "X-Forwarded-Host",
                "X-Forwarded-Proto",
                "X_Forwarded_For",
                "X-Forwarded-Prefix",
                "X-Forwarded",
                "X-Forwarded-User",
            ],
            true,
        );
        kept_back(&["Host", "Accept", "X-Request-ID", "Origin", "X-Original-Filename"], false);
    }

    #[test]
    fn of_the_addresses_only_the_trusted_one_stays() {
        kept_back(&["x-real-ip"], false);
        kept_back(&["X_Real_IP", "CF_Connecting_IP", "True-Client-IP", "X-Client-IP"], true);
        kept_back(&["CF-Connecting-IP", "cf-connecting-ip"], true);
        assert!(!kept_back_by("{}", "cf-connecting-ip"));
        assert!(kept_back_by("{}", "X-Real-IP"));
        let policy = r#"{"client_ip_header": "X-Forwarded-For"}"#;
        assert!(kept_back_by(policy, "X-Forwarded-For"), "the gate sets it itself");
        // Whatever it is called: in another spelling it is the caller's own word.
        let policy = r#"{"client_ip_header": "X-Gate-Client"}"#;
        for (name, expected) in [
            ("x-gate-client", false),
            ("X_Gate_Client", true),
            ("X-Gate.Client", true),
            ("X-Gate-Clients", false),
            ("XAGate-Client", false),
        ] {
            assert_eq!(kept_back_by(policy, name), expected, "{name}");
        }
    }

    #[test]
    fn a_key_is_in_one_header() {
        kept_back(&["X-API-Key", "x-api-key"], false);
        kept_back(&["X.API.Key", "X_API_Key"], true);
        let policy = r#"{"api_keys": {"header": "X-Service-Key", "environment": "test", "prefixes": [{"prefix": "sk"}],
                         "signing_keys": [{"id": 1, "secret": "S"}]}}"#;
        for (name, expected) in [
            ("X-Service-Key", false),
            ("x-service-key", false),
            ("X_Service_Key", true),
            ("X.Service.Key", true),
            ("X-API-Key", true),
            ("X_API_Key", true),
        ] {
            assert_eq!(kept_back_by(policy, name), expected, "{name}");
        }
    }

    #[test]
    fn a_header_of_another_proxy_has_one_spelling() {
        let policy = r#"{"issuers": [{"issuer": "i", "audience": ["a"], "secret": "S"}],
                         "credential_headers": [{"name": "Cf-Access-Jwt-Assertion", "issuers": ["i"]},
                                                {"name": "X-Forwarded-Access-Token", "issuers": ["i"]}]}"#;
        for (name, expected) in [
            ("cf-access-jwt-assertion", false),
            ("CF_ACCESS_JWT_ASSERTION", true),
            ("Cf-Access.Jwt-Assertion", true),
            ("X-Forwarded-Access-Token", false),
            ("X_Forwarded_Access_Token", true),
            ("X-Forwarded-User", true),
        ] {
            assert_eq!(kept_back_by(policy, name), expected, "{name}");
        }
    }

    #[test]
    fn the_service_learns_how_the_gate_was_asked() {
        let address = Some("::ffff:192.0.2.7".parse().unwrap());
        assert_eq!(
            forwarded_fields("https://api.example.com:8443/a?b=//c", address),
            [
                ("X-Forwarded-Proto", "https".into()),
                ("X-Forwarded-Host", "api.example.com:8443".into()),
                ("X-Forwarded-For", "192.0.2.7".into()),
            ]
        );
        assert_eq!(forwarded_fields("http://[::1]?a", None).last().unwrap().1, "[::1]");
    }
}
