//! URLs that keys may be fetched from, and the hosts that plain http may lead to: those that are not on the public internet.

use core::net::{Ipv4Addr, Ipv6Addr};

/// Whether keys may be fetched from a URL: by https only, but for a loopback address, and with `allow_http` for a host that is not on
/// the public internet. Whoever can change the keys on their way is the issuer. A user, a fragment and a backslash are refused.
pub(crate) fn may_publish_keys(uri: &str, allow_http: bool) -> bool {
    let is_secure = uri.strip_prefix("https://").is_some_and(begins_with_host);
    let is_allowed = uri
        .strip_prefix("http://")
        .and_then(of)
        .is_some_and(|host| is_loopback(host) || allow_http && is_private(host));
    let is_clean = !uri.contains(['#', '\\'])
        && uri.bytes().all(|byte| byte.is_ascii_graphic())
        && !authority_of(uri).contains('@');
    (is_secure || is_allowed) && is_clean
}

/// Whether what follows the scheme of a URL names a host.
pub(crate) fn begins_with_host(rest: &str) -> bool {
    !rest.is_empty() && !rest.starts_with(['/', '?', ':'])
}

/// What stands between the scheme of a URL and its path.
fn authority_of(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

/// The host of a URL after its `http://`, if it has one that can be judged: an address in its usual spelling, or a name. What stands
/// before an `@` is none.
pub(crate) fn of(rest: &str) -> Option<&str> {
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = match authority.find(']') {
        Some(end) => {
            let (host, after) = authority.split_at_checked(end.checked_add(1)?)?;
            (host, after.strip_prefix(':').map_or((!after.is_empty()).then_some("?"), Some))
        }
        None => {
            authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)))
        }
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (port.is_none_or(is_port) && (ip(host).is_some() || is_name(host))).then_some(host)
}

pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || matches!(host, "127.0.0.1" | "[::1]")
}

/// Whether an address or name is not on the public internet: loopback, RFC 1918, unique local addresses (RFC 4193), a name without
/// dots, or one in `.local` (RFC 6762) or `.internal`.
pub(crate) fn is_private(host: &str) -> bool {
    match ip(host) {
        Some(Address::V4(address)) => address.is_loopback() || address.is_private(),
        Some(Address::V6(address)) => address.is_loopback() || address.is_unique_local(),
        None => {
            is_loopback(host)
                || !host.contains('.')
                || host.ends_with(".local")
                || host.ends_with(".internal")
        }
    }
}

enum Address {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

fn ip(host: &str) -> Option<Address> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(Address::V6),
        None => host.parse().ok().map(Address::V4),
    }
}

/// A name each of whose labels begins with a letter: URLs read a last label that is a number, in any base, as an address.
fn is_name(host: &str) -> bool {
    host.split('.').all(|label| {
        label.starts_with(|first: char| first.is_ascii_lowercase())
            && label.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_not_on_the_public_internet() {
        for rest in [
            "keycloak:8080/realms",
            "keycloak",
            "host.docker.internal:80",
            "auth.local/x",
            "10.1.2.3/",
            "172.16.0.1:1",
            "172.31.255.255",
            "192.168.0.9/a@b",
            "127.0.0.1:8787",
            "127.9.9.9",
            "[::1]:80/",
            "[fd00::1]",
            "localhost:3000",
        ] {
            assert!(of(rest).is_some_and(is_private), "{rest}");
        }
    }

    #[test]
    fn all_others_are_and_so_is_what_another_reader_takes_for_them() {
        for rest in [
            "example.com",
            "keys.example.com/a.local",
            "8.8.8.8",
            "172.32.0.1",
            "11.0.0.1",
            "[2001:db8::1]",
            "[::ffff:8.8.8.8]",
            "a.local.example.com",
            "local.",
            "134744072",
            "0x8080808",
            "010.0.0.1",
            "0x0a.0.0.1",
            "keycloak@evil.example",
            "user:1@evil",
            "[::1]@evil",
            "[::1]evil",
            "a:b",
            "a:",
            "",
            ":80",
            "/x",
            "?x",
            "a..local",
            ".local",
            "K\u{eb}y",
            "a%2eb",
            "10.0.0.1.",
        ] {
            assert!(!of(rest).is_some_and(is_private), "{rest}");
        }
    }
}
