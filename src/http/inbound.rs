//! What a caller's headers may say to the service behind the gate, and what the gate says there in their place.
//!
//! The gate decides by the method, path, host, scheme and address that it saw. A header by which services take others
//! for these, or take somebody for somebody else, would undo the decision. So such headers of callers are removed, in
//! every spelling that a server might hand on as theirs: CGI, and with it PHP, WSGI and Rack, make one name of `X-Auth-Subject`,
//! `X_Auth_Subject` and, some of them, `X-Auth.Subject`.

use core::net::IpAddr;

use super::reply::Fields;

/// Headers that servers and frameworks let stand for what the request itself says, as [`fold`]ed.
const OVERRIDING: [&str; 17] = [
    "forwarded",
    "x-original-url",
    "x-original-uri",
    "x-original-path",
    "x-original-host",
    "x-original-method",
    "x-original-forwarded-for",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-http-host-override",
    "x-host",
    "x-scheme",
    "x-url-scheme",
    "x-script-name",
    "front-end-https",
];

/// Headers that services take the client's address from, as [`fold`]ed.
const ADDRESSES: [&str; 6] = [
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "client-ip",
    "cf-connecting-ip",
];

/// Whether a header of a caller is kept from the service. `client_ip_header` is the one that the policy trusts: with
/// `CF-Connecting-IP`, which the platform sets, it is the only one of addresses that stays.
#[must_use]
pub fn is_kept_back(name: &str, client_ip_header: &str) -> bool {
    let folded = fold(name);
    // `X-Forwarded-` has -Host, -Proto, -Prefix, -Uri, and with -User and -Email identities too.
    if ["x-auth-", "x-forwarded"].iter().any(|prefix| folded.starts_with(prefix)) {
        return true;
    }
    // A key in another spelling is no credential that the gate has looked at.
    let is_other_key = folded == "x-api-key" && !name.eq_ignore_ascii_case("X-API-Key");
    let is_address = ADDRESSES.contains(&folded.as_str())
        && !name.eq_ignore_ascii_case("CF-Connecting-IP")
        && !name.eq_ignore_ascii_case(client_ip_header);
    is_other_key || is_address || OVERRIDING.contains(&folded.as_str())
}

/// The name as servers that are generous hand it on: all characters but letters and digits are the same (RFC 9110 §5.6.2 allows
/// fifteen such characters, RFC 3875 §4.1.18 makes one of `-`).
fn fold(name: &str) -> String {
    let fold =
        |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' };
    name.bytes().map(fold).map(char::from).collect()
}

/// What the gate tells the service of the request: by which scheme and host it was asked, and by whom. `url` is that of the
/// request.
#[must_use]
pub fn forwarded_fields(url: &str, client_ip: Option<IpAddr>) -> Fields {
    let mut fields = Fields::new();
    if let Some((scheme, rest)) = url.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        fields.push(("X-Forwarded-Proto", scheme.to_owned()));
        fields.push(("X-Forwarded-Host", host.to_owned()));
    }
    if let Some(address) = client_ip.map(|known| known.to_canonical().to_string()) {
        fields.push(("X-Forwarded-For", address));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn kept_back(names: &[&str], expected: bool) {
        for name in names {
            assert_eq!(is_kept_back(name, "X-Real-IP"), expected, "{name}");
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
    fn of_the_addresses_only_the_trusted_ones_stay() {
        kept_back(&["x-real-ip", "CF-Connecting-IP"], false);
        kept_back(&["X_Real_IP", "CF_Connecting_IP", "True-Client-IP", "X-Client-IP"], true);
        assert!(is_kept_back("X-Real-IP", "CF-Connecting-IP"));
        assert!(is_kept_back("X-Forwarded-For", "X-Forwarded-For"), "the gate sets it itself");
    }

    #[test]
    fn a_key_is_in_one_header() {
        kept_back(&["X-API-Key", "x-api-key"], false);
        kept_back(&["X.API.Key", "X_API_Key"], true);
    }

    #[test]
    fn the_service_learns_how_the_gate_was_asked() {
        let address = Some("::ffff:192.0.2.7".parse().unwrap());
        assert_eq!(
            forwarded_fields("https://api.example.com:8443/a?b=//c", address),
            [
                ("X-Forwarded-Proto", "https".to_owned()),
                ("X-Forwarded-Host", "api.example.com:8443".to_owned()),
                ("X-Forwarded-For", "192.0.2.7".to_owned()),
            ]
        );
        assert_eq!(forwarded_fields("http://[::1]?a", None).last().unwrap().1, "[::1]");
    }
}
