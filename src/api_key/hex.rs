//! Lower-case hexadecimal of a fixed size: each value has one spelling.

use core::fmt;

use serde_json::Value;

use crate::json::{fault::DocumentFault, readable::string};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes the bytes, two digits each.
pub(super) fn write(to: &mut impl fmt::Write, bytes: &[u8]) -> fmt::Result {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            to.write_char(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')))?;
        }
    }
    Ok(())
}

/// The same for 16 bytes, without allocation.
pub(super) fn digits(bytes: [u8; 16]) -> [u8; 32] {
    let mut text = [b'0'; 32];
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [byte >> 4, byte & 15]
            .map(|nibble| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    }
    text
}

/// Reads exactly `N` bytes; `None` for another length and anything but `0-9a-f`.
pub(super) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(bytes)
}

/// Reads them from a string of JSON.
pub(super) fn read_value<const N: usize>(value: Value) -> Result<[u8; N], Box<DocumentFault>> {
    read(&string(value)?).ok_or_else(|| {
        let digits = N.saturating_mul(2);
        DocumentFault::of(format!("expected {digits} lower-case hexadecimal digits"))
    })
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_what_it_writes() {
        let mut text = String::new();
        write(&mut text, &[0x00, 0x9f, 0xa0, 0xff]).unwrap();
        assert_eq!(text, "009fa0ff");
        assert_eq!(read(&text), Some([0x00, 0x9f, 0xa0, 0xff]));
        for wrong in ["", "009fa0f", "009fa0ff00", "009FA0FF", "009fa0fg", "009fa0f\u{e9}"] {
            assert_eq!(read::<4>(wrong), None, "{wrong}");
        }
    }
}
