//! Texts as values of headers.

use std::borrow::Cow;

/// Which spaces stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptSpaces {
    /// Those between other characters.
    Within,
    /// None: a space separates such values.
    None,
}

/// A text as a header value that reads back as exactly one text: `%`, controls, non-ASCII, and spaces
/// at either end are percent-encoded, so `a%0a` and `a\n` stay apart.
pub(crate) fn percent_encoded(text: &str, spaces: KeptSpaces) -> Cow<'_, str> {
    // Nearly each text stays as it is, and each request has some.
    let first = if spaces == KeptSpaces::Within { b' ' } else { b'!' };
    let is_plain = text.bytes().all(|byte| (first..=b'~').contains(&byte) && byte != b'%');
    if is_plain && !text.starts_with(' ') && !text.ends_with(' ') {
        return Cow::Borrowed(text);
    }
    let last = text.len().saturating_sub(1);
    let stays = |(index, byte): (usize, u8)| {
        let keeps_space = spaces == KeptSpaces::Within && index != 0 && index != last;
        (byte.is_ascii_graphic() && byte != b'%') || (byte == b' ' && keeps_space)
    };
    let mut encoded = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        if stays((index, byte)) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(encoded)
}
