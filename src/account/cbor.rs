//! CBOR (RFC 8949) as far as authenticators write it: the canonical form of CTAP2
//! (<https://fidoalliance.org/specs/fido-v2.1-ps-20210615/fido-client-to-authenticator-protocol-v2.1-ps-errata-20220621.html#ctap2-canonical-cbor-encoding-form>).
//!
//! It is read in one way only: each number in its shortest form, each length given, each key of a map once and in order, no tags, no
//! fractions, no `undefined`, at most four levels, and nothing behind the end.

/// The most levels: an attestation has two.
const MAX_DEPTH: usize = 4;

/// A value, as slices of what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cbor<'a> {
    /// A whole number, of major type 0 or 1. What does not fit is refused: no authenticator needs it.
    Integer(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// A list.
    List(Vec<Cbor<'a>>),
    /// A map, in the order of its keys.
    Map(Vec<(Cbor<'a>, Cbor<'a>)>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl<'a> Cbor<'a> {
    /// Reads bytes that are one value and nothing else.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (value, rest) = Self::parse_first(bytes)?;
        rest.is_empty().then_some(value)
    }

    /// Reads the first value, and returns what is behind it.
    #[must_use]
    pub fn parse_first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut rest = bytes;
        let value = read(&mut rest, MAX_DEPTH)?;
        Some((value, rest))
    }

    /// The value of a map for a text.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Self> {
        self.member(&Cbor::Text(name))
    }

    /// The value of a map for a number.
    #[must_use]
    pub fn numbered(&self, number: i64) -> Option<&Self> {
        self.member(&Cbor::Integer(number))
    }

    fn member(&self, wanted: &Cbor<'_>) -> Option<&Self> {
        let Cbor::Map(members) = self else { return None };
        members.iter().find_map(|(key, value)| (key == wanted).then_some(value))
    }

    /// The bytes, if it is bytes.
    #[must_use]
    pub const fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Cbor::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn integer(&self) -> Option<i64> {
        match self {
            Cbor::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub const fn text(&self) -> Option<&'a str> {
        match self {
            Cbor::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn read<'a>(rest: &mut &'a [u8], levels: usize) -> Option<Cbor<'a>> {
    let head = take(rest, 1)?.first().copied()?;
    let (major, short) = (head >> 5, head & 0x1f);
    if major == 7 {
        return match short {
            20 => Some(Cbor::Bool(false)),
            21 => Some(Cbor::Bool(true)),
            22 => Some(Cbor::Null),
            _ => None,
        };
    }
    let argument = argument(rest, short)?;
    match major {
        0 => argument.try_into().ok().map(Cbor::Integer),
        1 => i64::try_from(argument).ok().map(|number| Cbor::Integer(!number)),
        2 => take(rest, argument.try_into().ok()?).map(Cbor::Bytes),
        3 => core::str::from_utf8(take(rest, argument.try_into().ok()?)?).ok().map(Cbor::Text),
        4 => {
            let levels = levels.checked_sub(1)?;
            let mut list = Vec::new();
            for _ in 0..argument {
                list.push(read(rest, levels)?);
            }
            Some(Cbor::List(list))
        }
        5 => map(rest, argument, levels.checked_sub(1)?),
        // Tags.
        _ => None,
    }
}

/// Keys are numbers or texts, each once, in the order of CTAP2: shorter ones first, then by their bytes.
fn map<'a>(rest: &mut &'a [u8], count: u64, levels: usize) -> Option<Cbor<'a>> {
    let mut members: Vec<(Cbor<'a>, Cbor<'a>)> = Vec::new();
    let mut last: Option<&'a [u8]> = None;
    for _ in 0..count {
        let before = *rest;
        let key = read(rest, 0)?;
        let written = before.get(..before.len().checked_sub(rest.len())?)?;
        let is_key = matches!(key, Cbor::Integer(_) | Cbor::Text(_));
        let follows = |last: &[u8]| order(last) < order(written);
        if !is_key || !last.is_none_or(follows) {
            return None;
        }
        last = Some(written);
        members.push((key, read(rest, levels)?));
    }
    Some(Cbor::Map(members))
}

/// Major type, then length, then bytes.
fn order(key: &[u8]) -> (u8, usize, &[u8]) {
    (key.first().map_or(0, |head| head >> 5), key.len(), key)
}

/// The number behind a head, which has to be in its shortest form. Lengths without an end are refused.
fn argument(rest: &mut &[u8], short: u8) -> Option<u64> {
    let (bytes, least) = match short {
        0..24 => return Some(u64::from(short)),
        24 => (1, 24),
        25 => (2, 1 << 8),
        26 => (4, 1 << 16),
        27 => (8, 1 << 32),
        _ => return None,
    };
    let number = take(rest, bytes)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
    (number >= least).then_some(number)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = |pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
        hex.as_bytes().chunks(2).map(digits).collect()
    }

    /// RFC 8949 appendix A, as far as the form has it.
    #[test]
    fn as_the_rfc_has_it() {
        let numbers = [
            ("00", 0),
            ("17", 23),
            ("1818", 24),
            ("18ff", 255),
            ("190100", 256),
            ("1903e8", 1000),
            ("1a000f4240", 1_000_000),
            ("1b000000e8d4a51000", 1_000_000_000_000),
            ("20", -1),
            ("3863", -100),
            ("3903e7", -1000),
            ("3b7fffffffffffffff", i64::MIN),
        ];
        for (hex, number) in numbers {
            assert_eq!(Cbor::parse(&bytes(hex)), Some(Cbor::Integer(number)), "{hex}");
        }
        assert_eq!(Cbor::parse(&bytes("4401020304")), Some(Cbor::Bytes(&[1, 2, 3, 4])));
        assert_eq!(Cbor::parse(&bytes("62c3bc")), Some(Cbor::Text("\u{fc}")));
        assert_eq!(Cbor::parse(&bytes("f4")), Some(Cbor::Bool(false)));
        assert_eq!(Cbor::parse(&bytes("f6")), Some(Cbor::Null));
        let map = bytes("a26161016162820203");
        let map = Cbor::parse(&map).unwrap();
        assert_eq!(map.named("a").and_then(Cbor::integer), Some(1));
        assert_eq!(map.named("b"), Some(&Cbor::List(vec![Cbor::Integer(2), Cbor::Integer(3)])));
        assert_eq!(map.named("c"), None);
        // Numbers before texts, and -1 behind 3: by type, then length.
        let key = bytes("a4010203262001615800");
        assert_eq!(Cbor::parse(&key).unwrap().numbered(-1).and_then(Cbor::integer), Some(1));
    }

    #[test]
    fn there_is_one_way_to_write_a_value() {
        for (hex, why) in [
            ("", "nothing"),
            ("1817", "a number that fits into the head"),
            ("190017", "a longer number than needed"),
            ("1a0000ffff", "the same"),
            ("1b00000000ffffffff", "the same"),
            ("1bffffffffffffffff", "a number beyond 63 bits"),
            ("3bffffffffffffffff", "the same below"),
            ("5801ff", "a length that fits into the head"),
            ("5f42010243030405ff", "no length"),
            ("9f01ff", "no length"),
            ("bf6161019fff", "no length"),
            ("c074323031332d30332d32315432303a30343a30305a", "a tag"),
            ("f97c00", "a fraction"),
            ("fb3ff199999999999a", "a fraction"),
            ("f7", "undefined"),
            ("f0", "a simple value"),
            ("f8ff", "a simple value"),
            ("0000", "something behind it"),
            ("4401", "too short"),
            ("62c328", "no UTF-8"),
            ("a2616101616102", "a key twice"),
            ("a2616202616101", "keys out of order"),
            ("a2626161016162", "a longer key first"),
            ("a1f401", "a key that is neither number nor text"),
            ("a1810101", "the same"),
            ("9b0000000100000000", "a list of four thousand million"),
            ("bb0000000100000000", "the same of a map"),
            ("8181818181", "too deep"),
            ("818181818100", "too deep"),
        ] {
            assert_eq!(Cbor::parse(&bytes(hex)), None, "{why}");
        }
        assert!(Cbor::parse(&bytes("8181818100")).is_some());
    }

    #[test]
    fn what_is_behind_the_first_value_is_given_back() {
        let two = bytes("0102");
        assert_eq!(Cbor::parse_first(&two), Some((Cbor::Integer(1), &[2_u8][..])));
    }
}
