//! The client's address: one reading, for every edge, of what proxies write about it.
//!
//! A header has one address or a list of them, in any spelling that is about: `203.0.113.7`,
//! `203.0.113.7:4711` (Azure Application Gateway), `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`, with a
//! zone (`fe80::1%eth0`), or as `for=` of `Forwarded` (RFC 7239 §4, §6). What cannot be read is no address, and
//! a fault that the operator is told of: a guess would count one caller for another.

mod network;

use core::{cell::Cell, net::IpAddr, num::NonZeroU8};

pub(crate) use self::network::NOT_A_NETWORK;
pub use self::network::Network;
use crate::time::UnixMillis;

/// The header in which a proxy writes the client's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIpHeader {
    /// The name of the header.
    pub name: String,
    /// How many proxies add to the end of the header, each the address that it was asked by.
    ///
    /// With `n` the client's address is the `n`th from the right, which the outermost of these proxies wrote. What
    /// stands left of it is the client's own word. `None`: the first address counts, which holds where a proxy
    /// overwrites the header and those behind it at most add to it.
    pub trusted_hops: Option<NonZeroU8>,
}

/// What is known of the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddress {
    /// The address.
    Known(IpAddr),
    /// Nobody said one.
    Absent,
    /// One was said that cannot be read.
    Unreadable,
}

impl ClientAddress {
    /// The address, if it is known.
    #[must_use]
    pub const fn known(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => Some(address),
            Self::Absent | Self::Unreadable => None,
        }
    }

    /// What the application or the platform says by itself: one address, no list.
    #[must_use]
    pub fn of_one(value: Option<&str>) -> Self {
        Self::of(value, |value| if value.contains(',') { None } else { address(value) })
    }

    fn of(value: Option<&str>, read: impl FnOnce(&str) -> Option<IpAddr>) -> Self {
        match value.filter(|value| !value.is_empty()) {
            None => Self::Absent,
            Some(value) => read(value).map_or(Self::Unreadable, Self::Known),
        }
    }
}

/// An address as it is written. Each request writes it, and all that formatting can do would take ten times as long.
#[must_use]
pub fn text_of(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = [0; 16];
    let mut rest = text.iter_mut();
    let mut length = 0_usize;
    let mut write = |byte: u8| {
        if let Some(place) = rest.next() {
            *place = byte;
            length = length.saturating_add(1);
        }
    };
    let digit = |value: u8| b'0'.saturating_add(value);
    for octet in address.octets() {
        if octet > 99 {
            write(digit(octet / 100));
        }
        if octet > 9 {
            write(digit(octet / 10 % 10));
        }
        write(digit(octet % 10));
        write(b'.');
    }
    // The last dot has nothing behind it.
    let text = text.get(..length.saturating_sub(1)).unwrap_or_default();
    core::str::from_utf8(text).unwrap_or_default().to_owned()
}

impl ClientIpHeader {
    /// Whether the platform writes the header: then what it knows of the connection is of the caller, and not of a proxy in front.
    #[must_use]
    pub fn is_of_the_platform(&self) -> bool {
        self.name.eq_ignore_ascii_case(Self::OF_THE_PLATFORM)
    }

    /// The header that the platform writes.
    pub(crate) const OF_THE_PLATFORM: &str = "CF-Connecting-IP";

    /// The client's address by the value of the header; repeated headers are joined by commas.
    ///
    /// A list of fewer addresses than [`ClientIpHeader::trusted_hops`] is unreadable: the request did not come by
    /// all of these proxies.
    #[must_use]
    pub fn read(&self, value: Option<&str>) -> ClientAddress {
        ClientAddress::of(value, |value| match self.trusted_hops {
            None => address(value.split(',').next()?),
            Some(hops) => from_the_right(value, hops),
        })
    }
}

/// The `hops`th of the list from the right.
///
/// The list is split at every comma, also within quotes: otherwise a quote that the client opens on the left would
/// swallow what proxies add behind it. An address has no comma, so nothing is lost.
fn from_the_right(value: &str, hops: NonZeroU8) -> Option<IpAddr> {
    let mut added = value.rsplit(',').take(usize::from(hops.get()));
    // A comma within quotes would shift the count.
    let is_whole = |element: &str| element.matches('"').count().is_multiple_of(2);
    let last = added.try_fold((0_u8, ""), |(count, _), element| {
        is_whole(element).then_some((count.saturating_add(1), element))
    });
    let (count, element) = last?;
    if count == hops.get() { address(element) } else { None }
}

/// One element of a list: an address, or the `for` of a `forwarded-element` (RFC 7239 §4).
fn address(element: &str) -> Option<IpAddr> {
    let element = element.trim_matches([' ', '\t']);
    if element.contains('=') { node(forwarded_for(element)?) } else { node(element) }
}

/// The value of the one `for` among `name=value` pairs, without its quotes.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut found = element.split(';').filter_map(|pair| {
        let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    let value = found.next()?;
    if found.next().is_some() {
        return None;
    }
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(value),
    }
}

/// A `node` (RFC 7239 §6): an address, IPv6 in brackets or without, with or without a port.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inner, after) = rest.split_once(']')?;
        let is_end = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        return if is_end { ipv6(inner) } else { None };
    }
    match text.split_once(':') {
        // Two colons are no port: IPv6 without brackets.
        Some((_, after)) if after.contains(':') => ipv6(text),
        Some((before, port)) if is_port(port) => Some(IpAddr::V4(before.parse().ok()?)),
        Some(_) => None,
        None => Some(IpAddr::V4(text.parse().ok()?)),
    }
}

/// IPv6, with or without a zone, which is the proxy's own name for one of its networks (RFC 4007 §11).
fn ipv6(text: &str) -> Option<IpAddr> {
    let (address, zone) =
        text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    let plain = |zone: &str| {
        !zone.is_empty()
            && zone
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    if zone.is_some_and(|zone| !plain(zone)) {
        return None;
    }
    Some(IpAddr::V6(address.parse().ok()?))
}

/// A port, or a word in place of one (`obfport`, RFC 7239 §6).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(word) => {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
        None => {
            (1..=5).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && text.parse::<u16>().is_ok()
        }
    }
}

/// How often the log is told that addresses cannot be read. Whoever can write the header could fill it otherwise.
const TELL_EVERY_MILLIS: u64 = 60 * 1000;

/// Remembers when the operator was told last that an address could not be read.
#[derive(Debug, Default)]
pub struct UnreadableAddresses(Cell<Option<UnixMillis>>);

impl UnreadableAddresses {
    /// What the log is to be told about this address: nothing if it is well, or if something was told within the last
    /// minute. `named` is the field of the policy, or the option, that says where the address is. The text says nothing
    /// of the value, which may be anything.
    pub fn fault(&self, address: ClientAddress, named: &str, now: UnixMillis) -> Option<String> {
        let quiet = self.0.get().is_some_and(|told| now < told.saturating_add(TELL_EVERY_MILLIS));
        if address != ClientAddress::Unreadable || quiet {
            return None;
        }
        self.0.set(Some(now));
        Some(format!(
            "{named}: the client's address cannot be read, the request counts as one without"
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        value: String,
        trusted_hops: Option<NonZeroU8>,
        /// `None`: it cannot be read.
        address: Option<IpAddr>,
    }

    fn vectors() -> Vec<Vector> {
        serde_json::from_str(include_str!("../tests/vectors/client_addresses.json")).unwrap()
    }

    #[test]
    fn every_spelling_of_the_vectors_is_read_as_they_say() {
        for Vector { name, value, trusted_hops, address } in vectors() {
            let header = ClientIpHeader { name: "X-Forwarded-For".to_owned(), trusted_hops };
            let expected = address.map_or(ClientAddress::Unreadable, ClientAddress::Known);
            assert_eq!(header.read(Some(&value)), expected, "{name}: {value}");
        }
    }

    #[test]
    fn an_address_is_written_as_the_standard_library_writes_it() {
        for octet in 0..=255_u8 {
            let address = IpAddr::from([octet, 255, octet, 0]);
            assert_eq!(text_of(address), address.to_string());
        }
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(text_of(address), "2001:db8::1");
    }

    #[test]
    fn an_absent_header_is_no_fault() {
        for trusted_hops in [None, NonZeroU8::new(2)] {
            let header = ClientIpHeader { name: "X-Forwarded-For".to_owned(), trusted_hops };
            assert_eq!(header.read(None), ClientAddress::Absent);
            assert_eq!(header.read(Some("")), ClientAddress::Absent);
        }
    }

    #[test]
    fn one_address_is_no_list() {
        let known = ClientAddress::Known("192.0.2.1".parse().unwrap());
        assert_eq!(ClientAddress::of_one(Some("192.0.2.1:80")), known);
        assert_eq!(ClientAddress::of_one(Some("192.0.2.1, 192.0.2.2")), ClientAddress::Unreadable);
        assert_eq!(ClientAddress::of_one(None), ClientAddress::Absent);
    }

    #[test]
    fn the_log_is_told_once_a_minute() {
        let told = UnreadableAddresses::default();
        let at = UnixMillis::from_millis;
        let unreadable = |now| told.fault(ClientAddress::Unreadable, "client_ip_header", at(now));
        assert_eq!(told.fault(ClientAddress::Absent, "client_ip_header", at(0)), None);
        assert_eq!(
            unreadable(0).as_deref(),
            Some(
                "client_ip_header: the client's address cannot be read, the request counts as one without"
            )
        );
        assert_eq!(unreadable(59_999), None);
        assert!(unreadable(60_000).is_some());
    }
}
