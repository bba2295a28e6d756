//! Where a caller is: a network, or its operator. In the memory of an isolate that is a number; its text is made when it is handed over.

use core::{fmt, net::IpAddr};

/// The first byte of a number says what the rest is.
const OPERATOR: u8 = 1;
const IPV4: u8 = 4;
const IPV6: u8 = 6;

/// A network (/24 of IPv4, /48 of IPv6), or a network operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place(u64);

impl Place {
    /// Of a caller whose address is not known.
    pub const UNKNOWN: Self = Self(0);

    /// The operator of this number.
    #[must_use]
    pub const fn operator(number: u32) -> Self {
        let [a, b, c, d] = number.to_be_bytes();
        Self(u64::from_be_bytes([OPERATOR, a, b, c, d, 0, 0, 0]))
    }

    /// The network of an address. It is what one household or company is likely to have, and not who in it.
    #[must_use]
    pub const fn network(address: IpAddr) -> Self {
        Self(u64::from_be_bytes(match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                [IPV4, a, b, c, 0, 0, 0, 0]
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, ..] = address.octets();
                [IPV6, a, b, c, d, e, f, 0]
            }
        }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_be_bytes() {
            [OPERATOR, a, b, c, d, ..] => write!(f, "AS{}", u32::from_be_bytes([a, b, c, d])),
            [IPV4, a, b, c, ..] => write!(f, "{a}.{b}.{c}.0/24"),
            [IPV6, a, b, c, d, e, g, _] => {
                let [a, b, c] = [[a, b], [c, d], [e, g]].map(u16::from_be_bytes);
                write!(f, "{a:x}:{b:x}:{c:x}::/48")
            }
            _ => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_a_24_or_a_48_and_mapped_ipv4_is_ipv4() {
        for (address, network) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("::1", "0:0:0::/48"),
            ("0.0.0.1", "0.0.0.0/24"),
        ] {
            assert_eq!(Place::network(address.parse().unwrap()).to_string(), network);
        }
    }

    #[test]
    fn places_of_all_kinds_differ() {
        assert_eq!(Place::operator(64_496).to_string(), "AS64496");
        assert_eq!(Place::operator(u32::MAX).to_string(), "AS4294967295");
        assert_eq!(Place::default().to_string(), "unknown");
        let network = |text: &str| Place::network(text.parse().unwrap());
        let mut all = vec![
            Place::UNKNOWN,
            Place::operator(0),
            Place::operator(1),
            network("0.0.0.0"),
            network("::"),
            network("0.0.1.0"),
            network("0:0:1::"),
        ];
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 7);
    }
}
