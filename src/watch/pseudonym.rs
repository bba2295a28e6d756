//! Names for callers that tell them apart and say nothing else: what is logged, counted and sent away has these.
//!
//! A pseudonym is a MAC, not a hash: subjects are guessable, and whoever has a hash tries them all. Who holds the secret can find out
//! whose pseudonym it is, by computing it. With another secret all pseudonyms are others.
//!
//! Each request has to know whether its caller was here before. For that, and for what isolates tell the one writer, there are numbers:
//! MACs as well, by SipHash-2-4 (Aumasson, Bernstein, 2012) under a key of their own. One takes a thirtieth of what HMAC with SHA-256
//! takes for such a short text. No event and no report has them.

use core::{fmt, hash::Hasher as _, net::IpAddr};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::place::Place;
use crate::{secret::Secret, session::secrets::hkdf};

/// Separates this key from all others that come of the same secret.
const SALT: &[u8] = b"edgegate-watch-v1";

/// The keys of pseudonyms.
#[derive(Clone)]
pub struct Pseudonyms {
    names: Hmac<Sha256>,
    numbers: [u64; 2],
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(_)")
    }
}

impl Pseudonyms {
    /// The keys of this secret; `None` only if the digest takes no key, which it does.
    #[must_use]
    pub fn new(secret: &Secret) -> Option<Self> {
        let derived = |label| Some(Secret::new(hkdf(secret.expose_secret(), SALT, label)?));
        let of_numbers = derived(b"number")?;
        let (first, rest) = of_numbers.expose_secret().split_first_chunk()?;
        Some(Self {
            names: Hmac::new_from_slice(derived(b"pseudonym")?.expose_secret()).ok()?,
            numbers: [u64::from_le_bytes(*first), u64::from_le_bytes(*rest.first_chunk()?)],
        })
    }

    /// Of a subject: a person of one issuer is another than one of the same name of another.
    #[must_use]
    pub fn subject(&self, issuer: Option<&str>, subject: &str) -> String {
        format!("s{:016x}", self.name("subject", [issuer.unwrap_or_default(), subject]))
    }

    /// Of a credential: by the kind of its name (`sid`, `jti`, `key`), by who gave it, and by that name.
    #[must_use]
    pub fn credential(&self, kind: &str, issuer: Option<&str>, id: &str) -> String {
        format!("c{:016x}", self.name(kind, [issuer.unwrap_or_default(), id]))
    }

    /// 64 bits: among a million callers, two have the same with a chance of 1 in 37 million.
    fn name(&self, label: &str, parts: [&str; 2]) -> u64 {
        let mut mac = self.names.clone();
        for part in [label, parts[0], parts[1]] {
            // Each with its length, so that no two lists of parts are the same bytes.
            mac.update(&length(part).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let tag = mac.finalize().into_bytes();
        tag.first_chunk().copied().map_or(0, u64::from_be_bytes)
    }

    /// A number in place of a name: of a caller (`sid`, `jti`, `key`, `subject`), or of a credential that `failed`. The same everywhere
    /// under the same secret.
    #[must_use]
    pub fn number(&self, label: &str, issuer: Option<&str>, name: &str) -> u64 {
        let issuer = issuer.unwrap_or_default();
        let [first, second] = self.numbers;
        #[expect(
            deprecated,
            reason = "what came in its place takes no key; this is SipHash-2-4 for good"
        )]
        let mut mac = core::hash::SipHasher::new_with_keys(first, second);
        // The lengths of the first two, so that no two lists of parts are the same bytes.
        mac.write(&(length(label).rotate_right(8) ^ length(issuer)).to_be_bytes());
        for part in [label, issuer, name] {
            mac.write(part.as_bytes());
        }
        mac.finish()
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// The network of an address, as it is told.
#[must_use]
pub fn network_of(address: IpAddr) -> String {
    Place::network(address).to_string()
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
    fn numbers_differ_where_a_part_does_and_are_not_those_of_names() {
        let names = key(7);
        let number = names.number("sid", Some("ab"), "c");
        assert_eq!(number, key(7).number("sid", Some("ab"), "c"));
        for other in [
            key(8).number("sid", Some("ab"), "c"),
            names.number("sid", Some("a"), "bc"),
            names.number("sid", None, "abc"),
            names.number("sida", Some("b"), "c"),
            names.number("jti", Some("ab"), "c"),
            names.name("sid", ["ab", "c"]),
        ] {
            assert_ne!(number, other);
        }
    }

    /// Isolates of two versions agree. Computed with Python's hmac, and SipHash-2-4 as its paper has it.
    #[test]
    fn numbers_are_pinned() {
        assert_eq!(key(7).number("sid", Some("https://a.example/"), "1"), 0x2a54_ba23_87de_890a);
        assert_eq!(key(7).number("failed", None, &"x".repeat(400)), 0x8bf1_3a52_217c_415f);
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
