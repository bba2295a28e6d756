//! The address that somebody logs in with.
//!
//! Two spellings of one address must not be two accounts, and two addresses that look alike must not be one for the reader and two for the
//! gate. So an address is ASCII, its letters are small, and nothing in it is quoted.

use crate::login::person::is_domain;

/// The longest address that mail can be sent to (RFC 5321 §4.5.3.1.3, without the brackets).
const MAX_LENGTH: usize = 254;

/// The longest part before the `@` (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_LENGTH: usize = 64;

/// An e-mail address, in the one spelling that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoginName(String);

impl LoginName {
    /// Reads an address: words of RFC 5322's `dot-atom`, `@`, a domain of at least two labels. Letters become small on both sides: the
    /// mailboxes that tell `A` from `a` are fewer than the people who write either. A label of another script is taken as `xn--`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let is_atom = |word: &str| !word.is_empty() && word.bytes().all(is_atom_byte);
        let fits = text.len() <= MAX_LENGTH
            && local.len() <= MAX_LOCAL_LENGTH
            && local.split('.').all(is_atom)
            && is_domain(domain);
        fits.then(|| Self(text.to_ascii_lowercase()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`: no password may be it.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }
}

/// `atext` of RFC 5322 §3.2.3.
const fn is_atom_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        let name = LoginName::parse("Ada.Lovelace+x@Example.COM").unwrap();
        assert_eq!(name.as_str(), "ada.lovelace+x@example.com");
        assert_eq!(name.local(), "ada.lovelace+x");
        let longest = format!("{}@{}.example", "a".repeat(64), "b".repeat(63));
        assert!(LoginName::parse(&longest).is_some());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "@",
            "a@",
            "@example.com",
            "a@b@example.com",
            "a@example",
            "a@example..com",
            "a@-example.com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "\"a b\"@example.com",
            "a b@example.com",
            "a@example.com ",
            "a@example.com\n",
            "a,b@example.com",
            "a@[127.0.0.1]",
            "a@ex\u{430}mple.com",
            "\u{430}@example.com",
            "a\u{ff20}example.com",
        ] {
            assert_eq!(LoginName::parse(text), None, "{text:?}");
        }
        assert_eq!(LoginName::parse(&format!("{}@example.com", "a".repeat(65))), None);
        let domain = ["c"; 127].join(".");
        assert_eq!(LoginName::parse(&format!("ab@{domain}")), None);
    }
}
