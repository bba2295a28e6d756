//! Networks: addresses that a policy or a record names together.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use serde::{Serialize, Serializer};

/// What is said of a text that is none.
pub(crate) const NOT_A_NETWORK: &str =
    "expected an address or a network like 203.0.113.0/24 or 2001:db8::/32";

/// The addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u32,
}

impl Network {
    /// One address, which no caller has.
    pub(crate) const NOBODY: Self = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), length: 32 };

    /// `203.0.113.0/24`, `2001:db8::/32`, or an address alone. Bits behind the network are a mistake, not
    /// a part of it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().ok()?;
        // An IPv4 network has to be written as one: requests from there are seen as IPv4.
        if address.to_canonical() != address {
            return None;
        }
        let all = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => all,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|length| *length <= all)?
            }
            Some(_) => return None,
        };
        let network = Self { address, length };
        (bits(address).checked_shl(length).unwrap_or(0) == 0).then_some(network)
    }

    /// Whether an address is one of them; an IPv4 address in IPv6 clothing counts as what it is.
    #[must_use]
    pub fn contains(self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let differing = bits(ip) ^ bits(self.address);
        ip.is_ipv4() == self.address.is_ipv4() && differing.leading_zeros() >= self.length
    }
}

/// The address from the highest bit on.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = if self.address.is_ipv4() { 32 } else { 128 };
        if self.length == all {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.length)
        }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn networks_hold_what_begins_like_them() {
        assert!(contains("203.0.113.0/24", "203.0.113.0"));
        assert!(contains("203.0.113.0/24", "203.0.113.255"));
        assert!(!contains("203.0.113.0/24", "203.0.112.255"));
        assert!(!contains("203.0.113.0/24", "203.0.114.0"));
        assert!(contains("203.0.113.0/24", "::ffff:203.0.113.7"));
        assert!(contains("192.0.2.128/25", "192.0.2.128"));
        assert!(!contains("192.0.2.128/25", "192.0.2.127"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.6"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::"));
        assert!(contains("::/0", "2001:db8::1") && !contains("::/0", "0.0.0.0"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::"));
        assert!(contains("2001:db8::1", "2001:db8::1") && !contains("2001:db8::1", "2001:db8::2"));
    }

    #[test]
    fn a_network_is_written_as_it_is_read() {
        for text in ["203.0.113.0/24", "2001:db8::/32", "192.0.2.7", "2001:db8::1", "0.0.0.0/0"] {
            assert_eq!(Network::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Network::parse("192.0.2.7/32").unwrap().to_string(), "192.0.2.7");
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in [
            "",
            "/",
            "a",
            "203.0.113.0/",
            "203.0.113.0/33",
            "203.0.113.0/+8",
            "203.0.113.0/-1",
            "203.0.113.7/24",
            "2001:db8::1/32",
            "2001:db8::/129",
            "203.0.113/24",
            "203.0.113.0/24/8",
            "::ffff:203.0.113.0/120",
            " 203.0.113.0/24",
            "203.0.113.0/999999999999",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
