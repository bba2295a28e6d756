//! Names for callers that tell them apart and say nothing else: what is logged, counted and sent away has these.
//!
//! A pseudonym is a MAC, not a hash: subjects are guessable, and whoever has a hash tries them all. Who holds the secret can find out
//! whose pseudonym it is, by computing it. With another secret all pseudonyms are others.

use core::{fmt, net::IpAddr};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::{secret::Secret, session::secrets::hkdf};

/// Separates this key from all others that come of the same secret.
const SALT: &[u8] = b"edgegate-watch-v1";

/// The key of pseudonyms.
#[derive(Clone)]
pub struct Pseudonyms(Hmac<Sha256>);

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(_)")
    }
}

impl Pseudonyms {
    /// The key of this secret; `None` only if the digest takes no key, which it does.
    #[must_use]
    pub fn new(secret: &Secret) -> Option<Self> {
        let key = Secret::new(hkdf(secret.expose_secret(), SALT, b"pseudonym")?);
        Hmac::new_from_slice(key.expose_secret()).ok().map(Self)
    }

    /// Of a subject: a person of one issuer is another than one of the same name of another.
    #[must_use]
    pub fn subject(&self, issuer: Option<&str>, subject: &str) -> String {
        format!("s{:016x}", self.number("subject", [issuer.unwrap_or_default(), subject]))
    }

    /// Of a credential: by the kind of its name (`sid`, `jti`, `key`), by who gave it, and by that name.
    #[must_use]
    pub fn credential(&self, kind: &str, issuer: Option<&str>, id: &str) -> String {
        format!("c{:016x}", self.number(kind, [issuer.unwrap_or_default(), id]))
    }

    /// Of a credential that failed: a number, of which no more than six bits are told ([`super::stuffing`]).
    #[must_use]
    pub fn failed(&self, credential: &str) -> u64 {
        self.number("failed", [credential, ""])
    }

    /// Of a caller, by a pseudonym: the same.
    #[must_use]
    pub fn admitted(&self, pseudonym: &str) -> u64 {
        self.number("admitted", [pseudonym, ""])
    }

    /// 64 bits: among a million callers, two have the same with a chance of 1 in 37 million.
    fn number(&self, label: &str, parts: [&str; 2]) -> u64 {
        let mut mac = self.0.clone();
        for part in [label, parts[0], parts[1]] {
            // Each with its length, so that no two lists of parts are the same bytes.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let tag = mac.finalize().into_bytes();
        tag.first_chunk().copied().map_or(0, u64::from_be_bytes)
    }
}

/// The network of an address: /24 of IPv4, /48 of IPv6. It is what one household or company is likely to have, and not who in it.
#[must_use]
pub fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

/// The family of a program, by its `User-Agent`. The first word of the table that is in it counts.
#[must_use]
pub fn agent_family(user_agent: &str) -> &'static str {
    /// What comes later also says what comes before: Edge says Chrome, and Chrome says Safari.
    const FAMILIES: &[(&str, &str)] = &[
        ("bot", "bot"),
        ("spider", "bot"),
        ("curl/", "curl"),
        ("wget/", "wget"),
        ("python", "python"),
        ("go-http-client", "go"),
        ("okhttp", "okhttp"),
        ("dart", "dart"),
        ("java/", "java"),
        ("axios", "node"),
        ("node", "node"),
        ("undici", "node"),
        ("postman", "postman"),
        ("edg/", "edge"),
        ("opr/", "opera"),
        ("firefox/", "firefox"),
        ("chrome/", "chrome"),
        ("cfnetwork", "apple"),
        ("safari/", "safari"),
    ];
    /// No family has its word later than this.
    const LOOKED_AT: usize = 512;
    let text: String = user_agent.chars().take(LOOKED_AT).collect::<String>().to_ascii_lowercase();
    let found = FAMILIES.iter().find(|(word, _)| text.contains(word));
    found.map_or("other", |(_, family)| family)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Pseudonyms {
        Pseudonyms::new(&Secret::new(vec![byte; 32])).unwrap()
    }

    #[test]
    fn the_same_caller_has_the_same_name_and_others_have_others() {
        let names = key(7);
        let alice = names.subject(Some("https://a.example/"), "alice");
        assert_eq!(alice, key(7).subject(Some("https://a.example/"), "alice"));
        assert_eq!(alice.len(), 17);
        for other in [
            key(8).subject(Some("https://a.example/"), "alice"),
            names.subject(Some("https://b.example/"), "alice"),
            names.subject(Some("https://a.example/a"), "lice"),
            names.subject(None, "alice"),
            names.credential("subject", Some("https://a.example/"), "alice"),
        ] {
            assert_ne!(alice, other);
        }
        assert_ne!(names.credential("sid", None, "1"), names.credential("jti", None, "1"));
        assert_eq!(format!("{names:?}"), "Pseudonyms(_)");
    }

    /// Alerts go on over a new version only if names stay. Computed with Python's hmac.
    #[test]
    fn names_are_pinned() {
        assert_eq!(key(7).subject(Some("https://a.example/"), "alice"), "sc5d29a8751cf1180");
        assert_eq!(key(7).credential("sid", None, "1"), "c2c8f307299ed58b0");
    }

    #[test]
    fn a_network_is_a_24_or_a_48_and_mapped_ipv4_is_ipv4() {
        for (address, network) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ] {
            assert_eq!(network_of(address.parse().unwrap()), network);
        }
    }

    #[test]
    fn an_agent_is_its_family() {
        for (agent, family) in [
            ("curl/8.5.0", "curl"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "firefox"),
            (
                "Mozilla/5.0 (Macintosh) AppleWebKit/605 (KHTML, like Gecko) Version/17 Safari/605",
                "safari",
            ),
            (
                "Mozilla/5.0 AppleWebKit/537 (KHTML, like Gecko) Chrome/130 Safari/537 Edg/130",
                "edge",
            ),
            ("python-requests/2.32", "python"),
            ("Googlebot/2.1", "bot"),
            ("", "other"),
        ] {
            assert_eq!(agent_family(agent), family, "{agent}");
        }
        assert_eq!(agent_family(&"x".repeat(100_000)), "other");
    }
}
