//! Who is not counted by a limit: `exempt = { ips = […], subjects = […], api_keys = […] }`.

use core::net::IpAddr;

use super::{
    check::each,
    document::{ExemptDocument, SubjectDocument},
};
use crate::{api_key::KeyId, error::Error};

/// Callers that a limit does not count. Default: none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exempt {
    networks: Vec<Network>,
    /// Issuer and subject.
    subjects: Vec<(String, String)>,
    api_keys: Vec<KeyId>,
}

/// The addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    length: u32,
}

impl Exempt {
    /// Whether any of what is known of a request is on the list. Subjects are those of verified tokens.
    #[must_use]
    pub fn covers(
        &self,
        issuer: Option<&str>,
        subject: Option<&str>,
        api_key: Option<&KeyId>,
        client_ip: Option<IpAddr>,
    ) -> bool {
        client_ip.is_some_and(|ip| self.networks.iter().any(|network| network.contains(ip)))
            || api_key.is_some_and(|id| self.api_keys.contains(id))
            || issuer.zip(subject).is_some_and(|(issuer, subject)| {
                self.subjects.iter().any(|(by, name)| by == issuer && name == subject)
            })
    }
}

impl Network {
    /// `203.0.113.0/24`, `2001:db8::/32`, or an address alone. Bits behind the network are a mistake, not
    /// a part of it.
    fn parse(text: &str) -> Option<Self> {
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

    fn contains(self, ip: IpAddr) -> bool {
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

pub(super) fn exempt(
    path: &str,
    document: &ExemptDocument,
    issuers: &[&str],
) -> Result<Exempt, Error> {
    let networks = each(&format!("{path}.ips"), document.ips.iter(), |place, text| {
        let problem = "expected an address or a network like 203.0.113.0/24 or 2001:db8::/32";
        Network::parse(text).ok_or_else(|| Error::config(place, problem))
    })?;
    let subjects = each(&format!("{path}.subjects"), document.subjects.iter(), |place, named| {
        subject(place, named, issuers)
    })?;
    let api_keys = each(&format!("{path}.api_keys"), document.api_keys.iter(), |place, id| {
        let problem = "expected the id of an API key: 32 lower-case hexadecimal digits";
        id.parse().map_err(|_| Error::config(place, problem))
    })?;
    Ok(Exempt { networks, subjects, api_keys })
}

/// Two issuers may know different people by the same name.
fn subject(
    place: &str,
    named: &SubjectDocument,
    issuers: &[&str],
) -> Result<(String, String), Error> {
    match (named, issuers) {
        (SubjectDocument::Of { issuer, subject }, _) if issuers.contains(&issuer.as_str()) => {
            Ok((issuer.clone(), subject.clone()))
        }
        (SubjectDocument::Of { .. }, _) => {
            Err(Error::config(format!("{place}.issuer"), "no issuer has this name"))
        }
        (SubjectDocument::Name(subject), [issuer]) => Ok(((*issuer).to_owned(), subject.clone())),
        (SubjectDocument::Name(_), []) => Err(Error::config(place, "there are no issuers")),
        (SubjectDocument::Name(_), _) => {
            let problem = "there are several issuers: expected an object with issuer and subject";
            Err(Error::config(place, problem))
        }
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
