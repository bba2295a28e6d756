//! Simple objects, read once and without copying.
//!
//! [`parse_object`](super::parse_object) decides what is an object, and makes a tree of it. Most claims need no tree: they
//! have few members, no escapes and few levels, and only some of the members are read. For such a text, an
//! [`Outline`] has the places of the members. It accepts nothing that `parse_object` would refuse, and finds the same
//! values. A text that it does not accept may still be valid, and is left to `parse_object`. Tests and a fuzz target
//! compare the two.

use serde_json::Value;

/// Most tokens have no more claims than this.
const USUAL_MEMBERS: usize = 8;
/// An object with more members is left to the tree, since each name is compared with those before it.
const MAX_MEMBERS: usize = 32;
/// A text with more levels is left to the tree too.
const MAX_DEPTH: usize = 8;
/// A longer number is left to the tree too. With so many digits and no exponent, every number fits into a double.
const MAX_NUMBER_LENGTH: usize = 32;

/// The places of an object's members in its text.
#[derive(Debug, Clone)]
pub(crate) struct Outline {
    members: Vec<Member>,
}

/// The places of a member. Its name has no escapes, so the bytes of the text are the name.
#[derive(Debug, Clone, Copy)]
struct Member {
    name: Span,
    value: Place,
}

/// The place of a value, and its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// The kinds of values that are told apart without a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Number,
    /// A string without escapes. Its span is between the quotation marks.
    String,
    /// A list of strings, or an empty list; see [`strings_of`].
    Strings,
    /// An object, or another list.
    Nested,
}

impl Kind {
    /// The kind of a value.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(values) if values.iter().all(Value::is_string) => Self::Strings,
            Value::Array(_) | Value::Object(_) => Self::Nested,
        }
    }
}

/// A part of the text, which begins and ends between characters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// The text of this part.
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether this part is this text. Most differ in length.
    fn has(self, text: &str, wanted: &str) -> bool {
        self.end.wrapping_sub(self.start) == wanted.len()
            && text.as_bytes().get(self.start..self.end) == Some(wanted.as_bytes())
    }
}

impl Outline {
    /// The outline of a text, if it is a simple object.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut cursor = Cursor { text: text.as_bytes(), at: 0 };
        if cursor.ahead()? != b'{' {
            return None;
        }
        let members = cursor.object(MAX_DEPTH)?;
        // Only white space may follow.
        cursor.ahead().is_none().then_some(Self { members })
    }

    /// The members, in their order. `text` has to be the text of this outline.
    pub(crate) fn members<'t>(
        &'t self,
        text: &'t str,
    ) -> impl Iterator<Item = (&'t str, Place)> + 't {
        self.members.iter().map(|member| (member.name.of(text), member.value))
    }

    /// The value of a member.
    pub(crate) fn get(&self, text: &str, name: &str) -> Option<Place> {
        let is_it = |member: &&Member| member.name.has(text, name);
        self.members.iter().find(is_it).map(|member| member.value)
    }
}

/// The strings of a list of [`Kind::Strings`]. There are no escapes: each quotation mark begins or ends a string.
pub(crate) fn strings_of(list: &str) -> impl Iterator<Item = &str> {
    list.split('"').skip(1).step_by(2)
}

/// Reads from left to right. A method that finds something else than it can read returns `None`, and the reading
/// ends.
struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
}

impl Cursor<'_> {
    /// Moves the cursor over white space, and returns the byte there; `None` at the end.
    fn ahead(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.skip(1);
        }
    }

    /// Moves the cursor by one. A text is shorter than the largest `usize`, so this does not overflow.
    const fn skip(&mut self, bytes: usize) {
        self.at = self.at.wrapping_add(bytes);
    }

    /// Reads an object. The cursor is at its brace; it may have so many levels.
    fn object(&mut self, levels: usize) -> Option<Vec<Member>> {
        self.skip(1);
        if self.ahead()? == b'}' {
            self.skip(1);
            return Some(Vec::new());
        }
        let mut members: Vec<Member> = Vec::with_capacity(USUAL_MEMBERS);
        let mut marks = 0;
        loop {
            if self.ahead()? != b'"' || members.len() >= MAX_MEMBERS {
                return None;
            }
            let name = self.string()?;
            if self.ahead()? != b':' {
                return None;
            }
            self.skip(1);
            let value = self.value(levels)?;
            let mark = self.mark(name);
            if marks & mark != 0 && members.iter().any(|member| self.are_same(member.name, name)) {
                return None;
            }
            marks |= mark;
            members.push(Member { name, value });
            match self.ahead()? {
                b',' => self.skip(1),
                b'}' => {
                    self.skip(1);
                    return Some(members);
                }
                _ => return None,
            }
        }
    }

    /// Reads a list. The cursor is at its bracket.
    fn list(&mut self, levels: usize) -> Option<Kind> {
        self.skip(1);
        let mut kind = Kind::Strings;
        if self.ahead()? == b']' {
            self.skip(1);
            return Some(kind);
        }
        loop {
            if self.value(levels)?.kind != Kind::String {
                kind = Kind::Nested;
            }
            match self.ahead()? {
                b',' => self.skip(1),
                b']' => {
                    self.skip(1);
                    return Some(kind);
                }
                _ => return None,
            }
        }
    }

    fn value(&mut self, levels: usize) -> Option<Place> {
        let first = self.ahead()?;
        let start = self.at;
        let kind = match first {
            b'"' => {
                let span = self.string()?;
                return Some(Place { kind: Kind::String, span });
            }
            b'{' => {
                self.object(levels.checked_sub(1)?)?;
                Kind::Nested
            }
            b'[' => self.list(levels.checked_sub(1)?)?,
            b't' => self.word(b"true", Kind::Boolean)?,
            b'f' => self.word(b"false", Kind::Boolean)?,
            b'n' => self.word(b"null", Kind::Null)?,
            _ => self.number()?,
        };
        Some(Place { kind, span: Span { start, end: self.at } })
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Option<Kind> {
        self.text.get(self.at..)?.starts_with(word).then(|| {
            self.skip(word.len());
            kind
        })
    }

    /// Reads a number without an exponent. It does not check what comes next: no part of a number may follow a value.
    fn number(&mut self) -> Option<Kind> {
        let start = self.at;
        if self.text.get(self.at) == Some(&b'-') {
            self.skip(1);
        }
        let leading_zero = self.text.get(self.at) == Some(&b'0');
        let digits = self.digits()?;
        if leading_zero && digits > 1 {
            return None;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.skip(1);
            self.digits()?;
        }
        (self.at.wrapping_sub(start) <= MAX_NUMBER_LENGTH).then_some(Kind::Number)
    }

    /// Reads digits, at least one, and returns how many there are.
    fn digits(&mut self) -> Option<usize> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.skip(1);
        }
        let digits = self.at.wrapping_sub(start);
        (digits > 0).then_some(digits)
    }

    /// Reads a string without escapes. The cursor is at its quotation mark.
    fn string(&mut self) -> Option<Span> {
        self.skip(1);
        let start = self.at;
        let length = length_of_string(self.text.get(start..)?)?;
        self.skip(length);
        let end = self.at;
        self.skip(1);
        Some(Span { start, end })
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    fn are_same(&self, one: Span, other: Span) -> bool {
        self.bytes(one) == self.bytes(other)
    }

    /// One of 64 bits, which depends on the name. Names with different bits are different.
    fn mark(&self, name: Span) -> u64 {
        let name = self.bytes(name);
        let ends = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default());
        let sum =
            ends(name.first()).wrapping_mul(7).wrapping_add(ends(name.last()).wrapping_mul(13));
        1_u64.rotate_left(sum.wrapping_add(u32::from(name.len() > 3)))
    }
}

/// How many bytes come before the quotation mark that ends a string; `None` if there is no such mark, or if an escape or
/// a control character comes before it. It reads eight bytes at a time.
fn length_of_string(text: &[u8]) -> Option<usize> {
    let (groups, rest) = text.as_chunks::<8>();
    let mut length = 0_usize;
    for group in groups {
        let stops = stops_in(u64::from_le_bytes(*group));
        if stops != 0 {
            let place = (stops.trailing_zeros() / 8) as usize;
            return (group.get(place) == Some(&b'"')).then_some(length.wrapping_add(place));
        }
        length = length.wrapping_add(8);
    }
    let place = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
    (rest.get(place) == Some(&b'"')).then_some(length.wrapping_add(place))
}

/// Sets the high bit of each byte that is a quotation mark, a backslash or a control character. The bits after the
/// first such byte may be wrong, since a subtraction borrows from the next byte.
const fn stops_in(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    const fn all(byte: u8) -> u64 {
        ONES.wrapping_mul(byte as u64)
    }
    let control = bytes.wrapping_sub(all(0x20));
    let quote = bytes ^ all(b'"');
    let escape = bytes ^ all(b'\\');
    let marks = (control & !bytes)
        | (quote.wrapping_sub(ONES) & !quote)
        | (escape.wrapping_sub(ONES) & !escape);
    marks & HIGHS
}

#[cfg(test)]
mod tests {
    use super::super::parse_object;
    use super::*;

    /// Whether the text has an outline. If so, it has to be an object, and the outline has to be right.
    #[track_caller]
    fn has_outline(text: &str) -> bool {
        let Some(outline) = Outline::of(text) else { return false };
        let object = parse_object(text.as_bytes()).unwrap();
        assert_eq!(outline.members(text).count(), object.len(), "{text}");
        for (name, Place { kind, span }) in outline.members(text) {
            let value = &object[name];
            assert_eq!(kind, Kind::of(value), "{text}");
            let written = span.of(text);
            match value {
                Value::String(string) => assert_eq!(written, string),
                Value::Array(strings) if kind == Kind::Strings => {
                    assert!(
                        strings_of(written).eq(strings.iter().map(|one| one.as_str().unwrap()))
                    );
                }
                value => assert_eq!(&serde_json::from_str::<Value>(written).unwrap(), value),
            }
        }
        true
    }

    #[test]
    fn ordinary_objects_have_one() {
        for text in [
            "{}",
            " \t\r\n{ \t\r\n} \t\r\n",
            r#"{"":""}"#,
            r#"{"iss":"https://id.example/","aud":["a","b"],"exp":1700000000,"admin":true}"#,
            r#"{ "a" : null , "b" : false , "c" : [ ] , "d" : [ "x" , "y" ] , "e" : { } }"#,
            r#"{"a":0,"b":-0,"c":0.50,"d":-12.25,"e":9007199254740993,"f":18446744073709551616}"#,
            r#"{"realm_access":{"roles":["a","b"]},"b":[1,[null,{"a":{"a":1}}]],"a":{"a":1,"b":2}}"#,
            r#"{"name":"Ren\u{e9}e \u{1f600}","é":"\u{7f}","long":"a string of more than eight bytes, and then some"}"#,
            r#"{"ab":1,"ba":2,"abc":3,"acb":4,"abcd":5,"aBcd":6}"#,
        ] {
            let text = text
                .replace("\\u{e9}", "é")
                .replace("\\u{1f600}", "😀")
                .replace("\\u{7f}", "\u{7f}");
            assert!(has_outline(&text), "{text}");
        }
        assert!(has_outline(&format!(
            "{{\"a\":{}1{}}}",
            "[".repeat(MAX_DEPTH),
            "]".repeat(MAX_DEPTH)
        )));
        let members: Vec<_> = (0..MAX_MEMBERS).map(|name| format!("\"{name}\":{name}")).collect();
        assert!(has_outline(&format!("{{{}}}", members.join(","))));
    }

    /// These are valid, but not simple.
    #[test]
    fn other_objects_are_left_to_the_tree() {
        let members: Vec<_> = (0..=MAX_MEMBERS).map(|name| format!("\"{name}\":{name}")).collect();
        let levels = MAX_DEPTH + 1;
        for text in [
            r#"{"a":"\n"}"#,
            r#"{"\u0061":1}"#,
            r#"{"a":["https:\/\/id.example\/"]}"#,
            r#"{"a":1e3}"#,
            r#"{"a":1E-3}"#,
            &format!("{{\"a\":{}}}", "1".repeat(MAX_NUMBER_LENGTH + 1)),
            &format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels)),
            &format!("{{\"a\":{}1{}}}", "{\"a\":".repeat(levels), "}".repeat(levels)),
            &format!("{{{}}}", members.join(",")),
            &format!("{{\"a\":{{{}}}}}", members.join(",")),
        ] {
            assert!(parse_object(text.as_bytes()).is_ok(), "{text}");
            assert!(!has_outline(text), "{text}");
        }
    }

    /// The text is cut and changed at every place, so that everything is missing once.
    #[test]
    fn what_is_no_object_has_none() {
        let whole = r#" {"a" : "b", "c":[1, -2.5 ,{"d":null}],"e":{"f":true},"g":[ "h","i" ]} "#;
        assert!(has_outline(whole));
        let mut part = String::new();
        for character in whole.trim_end().chars() {
            assert!(!has_outline(&part), "{part}");
            part.push(character);
        }
        for (place, _) in whole.char_indices() {
            for other in
                ["\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "a", " ", "\n", "\u{0}"]
            {
                let mut text = whole.to_owned();
                text.replace_range(place..=place, other);
                has_outline(&text);
                text.insert_str(place, other);
                has_outline(&text);
            }
        }
        for text in [
            "",
            " ",
            "null",
            "[]",
            "\"a\"",
            "{}{}",
            "{},",
            "{}x",
            "{}\0",
            "\u{a0}{}",
            "\u{feff}{}",
            "{'a':1}",
            "{a:1}",
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a" 1}"#,
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[,1]}"#,
            r#"{"a":[}"#,
            r#"{"a":01}"#,
            r#"{"a":-01}"#,
            r#"{"a":00}"#,
            r#"{"a":-}"#,
            r#"{"a":.5}"#,
            r#"{"a":1.}"#,
            r#"{"a":+1}"#,
            r#"{"a":1.5.5}"#,
            r#"{"a":1-1}"#,
            r#"{"a":0x1}"#,
            r#"{"a":NaN}"#,
            r#"{"a":tru}"#,
            r#"{"a":truee}"#,
            r#"{"a":True}"#,
            r#"{"a":nul}"#,
            "{\"a\":\"\u{1f}\"}",
            "{\"a\u{0}\":1}",
            "{/**/}",
            "{\"a\":\"twelve bytes\n\"}",
            "{\"a\":1\u{a0}}",
            "{\"a\":1\u{c}}",
        ] {
            assert!(parse_object(text.as_bytes()).is_err(), "{text}");
            assert!(!has_outline(text), "{text}");
        }
    }

    #[test]
    fn a_repeated_name_is_seen_at_any_level_and_any_distance() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"":1,"":1}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":[[{"b":1,"c":2,"b":1}]]}"#,
            r#"{"abcdefghij":1,"k":{},"abcdefghij":1}"#,
        ] {
            assert_eq!(parse_object(text.as_bytes()), Err(super::super::JsonFault::Duplicate));
            assert!(!has_outline(text), "{text}");
        }
        let names: Vec<_> = (0..MAX_MEMBERS).map(|name| format!("\"name {name}\":0")).collect();
        for repeated in 0..MAX_MEMBERS - 1 {
            let mut names = names.clone();
            names[MAX_MEMBERS - 1] = names[repeated].clone();
            assert!(!has_outline(&format!("{{{}}}", names.join(","))), "{repeated}");
        }
    }

    #[test]
    fn every_byte_ends_a_string_or_does_not_at_every_place() {
        for place in 0..20 {
            for byte in 0..0x80_u8 {
                let mut text = [b'x'; 30];
                text[25] = b'"';
                text[place] = byte;
                let expected = match byte {
                    b'"' => Some(place),
                    b'\\' | ..0x20 => None,
                    _ => Some(25),
                };
                assert_eq!(length_of_string(&text), expected, "{byte} at {place}");
            }
        }
        assert_eq!(length_of_string(&[b'x'; 30]), None);
        assert_eq!(length_of_string("éééééééé\"".as_bytes()), Some(16));
    }
}
