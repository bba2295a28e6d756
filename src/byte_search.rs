//! Searches for one byte, in texts that are short.
//!
//! Each request has a dozen of them: lines, header names, segments, scopes. What the standard library searches with takes longer to begin than most of
//! these texts take to be read (`docs/gate-profile.md`).

/// The first place of a byte.
#[must_use]
pub fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (groups, rest) = bytes.as_chunks::<8>();
    let mut length = 0_usize;
    for group in groups {
        let marks = zeros_in(u64::from_le_bytes(*group) ^ all(wanted));
        if marks != 0 {
            return Some(length.wrapping_add((marks.trailing_zeros() / 8) as usize));
        }
        length = length.wrapping_add(8);
    }
    let place = rest.iter().position(|byte| *byte == wanted)?;
    Some(length.wrapping_add(place))
}

/// What stands before and behind the first place of an ASCII character, as [`str::split_once`] has it.
#[must_use]
pub fn split_once(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = find(text.as_bytes(), at)?;
    Some((text.get(..place)?, text.get(place.wrapping_add(1)..)?))
}

/// The parts between the places of an ASCII character, as [`str::split`] has them.
pub fn split(text: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest?;
        let Some((part, more)) = split_once(text, at) else { return rest.take() };
        rest = Some(more);
        Some(part)
    })
}

const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Sets the high bit of each byte that is 0. The bits after the first such byte may be wrong, since a subtraction borrows from the next byte.
const fn zeros_in(bytes: u64) -> u64 {
    bytes.wrapping_sub(all(1)) & !bytes & all(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_where_the_standard_library_finds_it() {
        let others = [b'.', b'\0', b'/', b'-', 0x80, 0xae, 0xff];
        for length in 0..20 {
            for other in others {
                for place in 0..=length {
                    for second in [place, length] {
                        let mut bytes = vec![other; length];
                        for at in [place, second] {
                            if let Some(byte) = bytes.get_mut(at) {
                                *byte = b'.';
                            }
                        }
                        let expected = bytes.iter().position(|byte| *byte == b'.');
                        assert_eq!(find(&bytes, b'.'), expected, "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn texts_are_split_as_the_standard_library_splits_them() {
        let texts = [
            "",
            " ",
            "a",
            "a ",
            " a",
            "a  b",
            "longer than eight bytes",
            "\u{fc} \u{20ac} \u{1f600}",
            "       x       y",
        ];
        for text in texts {
            assert_eq!(split_once(text, b' '), text.split_once(' '), "{text:?}");
            let parts: Vec<&str> = split(text, b' ').collect();
            assert_eq!(parts, text.split(' ').collect::<Vec<_>>(), "{text:?}");
        }
    }
}
