//! Base62 (`0-9A-Za-z`) of numbers of a fixed size. Each number has one spelling; arrays have a fixed length.

/// Bytes of a key's body.
pub(super) const BODY_BYTES: usize = 38;
/// Digits of a key's body: the least `n` with `62^n >= 2^304`.
pub(super) const BODY_DIGITS: usize = 52;
/// Digits of a checksum: the least `n` with `62^n >= 2^32`.
pub(super) const CHECKSUM_DIGITS: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many digits are handled at once: `62^5 < 2^30`, so a limb times that, plus a carry, fits into 64 bits.
const STEP_DIGITS: usize = 5;
const STEP: u64 = 62 * 62 * 62 * 62 * 62;

/// The entry in [`VALUES`] of a character that is not a digit. It is more than any value, so one bit tells them apart.
const NO_DIGIT: u8 = 0x80;
/// The value of each character. Digits are random, so the processor would mispredict a branch on each of them.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0_u8;
    #[expect(clippy::indexing_slicing, reason = "while compiling")]
    while value < 62 {
        values[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// 32 bits each, in 64-bit words, so that nothing is lost in between. 320 bits hold `62^52 < 2^310`.
const LIMBS: usize = 10;
const LIMB_BITS: u32 = 32;
const LIMB_MASK: u64 = 0xFFFF_FFFF;
/// Bytes of the limbs that a body does not use.
const SPARE_BYTES: usize = 2;

/// Writes a body: big-endian, padded with `0` to 52 digits.
pub(super) fn encode_body(bytes: &[u8; BODY_BYTES]) -> [u8; BODY_DIGITS] {
    let mut limbs = [0_u64; LIMBS];
    let padded = core::iter::repeat_n(0, SPARE_BYTES).chain(bytes.iter().copied());
    for (position, byte) in padded.enumerate() {
        if let Some(limb) = limbs.get_mut(position / 4) {
            *limb = (*limb << 8) | u64::from(byte);
        }
    }
    let mut digits = [b'0'; BODY_DIGITS];
    for chunk in digits.rchunks_mut(STEP_DIGITS) {
        let mut rest = 0_u64;
        for limb in &mut limbs {
            let value = (rest << LIMB_BITS) | *limb;
            *limb = value / STEP;
            rest = value % STEP;
        }
        write_digits(chunk, rest);
    }
    digits
}

/// Reads what [`encode_body`] writes; `None` for a character that is not a digit, and for numbers of 2^304
/// and above. So every body has exactly one spelling.
pub(super) fn decode_body(digits: &[u8; BODY_DIGITS]) -> Option<[u8; BODY_BYTES]> {
    // Most significant limb first. The first chunk has two digits, so that the rest are full.
    let mut limbs = [0_u64; LIMBS];
    let mut seen = 0;
    let (first, rest) = digits.split_at(BODY_DIGITS % STEP_DIGITS);
    for (earlier, chunk) in core::iter::once(first).chain(rest.chunks(STEP_DIGITS)).enumerate() {
        let mut carry = number(chunk, &mut seen);
        // `62^5 < 2^32`: each chunk fills at most one limb more.
        for limb in limbs.iter_mut().rev().take(earlier.saturating_add(1)) {
            let value = limb.wrapping_mul(STEP).wrapping_add(carry);
            *limb = value & LIMB_MASK;
            carry = value >> LIMB_BITS;
        }
    }
    if seen & NO_DIGIT != 0 {
        return None;
    }
    let mut all = limbs.iter().flat_map(|limb| limb.to_be_bytes().into_iter().skip(4));
    if all.by_ref().take(SPARE_BYTES).any(|byte| byte != 0) {
        return None;
    }
    let mut bytes = [0; BODY_BYTES];
    for (to, from) in bytes.iter_mut().zip(all) {
        *to = from;
    }
    Some(bytes)
}

/// A checksum as 6 digits, padded with `0`.
pub(super) fn encode_checksum(checksum: u32) -> [u8; CHECKSUM_DIGITS] {
    let mut digits = [b'0'; CHECKSUM_DIGITS];
    write_digits(&mut digits, u64::from(checksum));
    digits
}

/// Reads what [`encode_checksum`] writes. Any other text gives `u64::MAX`, which no checksum equals.
pub(super) fn decode_checksum(digits: [u8; CHECKSUM_DIGITS]) -> u64 {
    let mut seen = 0;
    let value = number(&digits, &mut seen);
    if seen & NO_DIGIT == 0 { value } else { u64::MAX }
}

/// Whether all characters are base62 digits.
pub(super) fn are_digits(characters: &[u8]) -> bool {
    characters.iter().fold(0, |seen, character| seen | value_of(*character)) & NO_DIGIT == 0
}

/// The number that a few digits spell. Their values are added to `seen` bit by bit: in the end it has the bit of
/// [`NO_DIGIT`] if one of the characters was not a digit.
fn number(digits: &[u8], seen: &mut u8) -> u64 {
    digits.iter().fold(0_u64, |number, digit| {
        let value = value_of(*digit);
        *seen |= value;
        number.wrapping_mul(62).wrapping_add(u64::from(value))
    })
}

fn value_of(character: u8) -> u8 {
    VALUES.get(usize::from(character)).copied().unwrap_or(NO_DIGIT)
}

fn write_digits(to: &mut [u8], mut number: u64) {
    for digit in to.iter_mut().rev() {
        let value = usize::try_from(number % 62).unwrap_or(0);
        *digit = ALPHABET.get(value).copied().unwrap_or(b'0');
        number /= 62;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range_have_these_spellings() {
        assert_eq!(encode_body(&[0; 38]), [b'0'; 52]);
        let mut one = [0; 38];
        one[37] = 1;
        let mut spelled = [b'0'; 52];
        spelled[51] = b'1';
        assert_eq!(encode_body(&one), spelled);
        // Computed with Python's integers.
        assert_eq!(
            &encode_body(&[255; 38]),
            b"1GG3XCo8d4OHBvhbFH1AAehp8zhVuNOby9i2P8uqFxWYp65uiJkF"
        );
        assert_eq!(decode_body(&encode_body(&[255; 38])), Some([255; 38]));
    }

    #[test]
    fn numbers_of_two_to_the_304_and_above_are_refused() {
        let mut digits = encode_body(&[255; 38]);
        assert!(decode_body(&digits).is_some());
        // One more than the largest body.
        for digit in digits.iter_mut().rev() {
            let value = value_of(*digit);
            if value < 61 {
                *digit = ALPHABET[usize::from(value) + 1];
                break;
            }
            *digit = b'0';
        }
        assert_eq!(decode_body(&digits), None);
        assert_eq!(decode_body(&[b'z'; 52]), None);
    }

    #[test]
    fn every_other_character_is_refused_at_every_place() {
        for place in 0..BODY_DIGITS {
            for character in 0..=255_u8 {
                let mut digits = [b'0'; BODY_DIGITS];
                digits[place] = character;
                let decoded = decode_body(&digits);
                if character.is_ascii_alphanumeric() {
                    // The highest digits leave the range; below, the spelling is the only one.
                    if let Some(bytes) = decoded {
                        assert_eq!(encode_body(&bytes), digits);
                    }
                } else {
                    assert_eq!(decoded, None);
                }
                assert_eq!(are_digits(&[b'0', character]), character.is_ascii_alphanumeric());
            }
        }
    }

    #[test]
    fn checksums_have_six_digits() {
        assert_eq!(&encode_checksum(0), b"000000");
        assert_eq!(&encode_checksum(61), b"00000z");
        assert_eq!(&encode_checksum(u32::MAX), b"4gfFC3");
        for checksum in [0, 1, 61, 62, 0xcbf4_3926, u32::MAX] {
            assert_eq!(decode_checksum(encode_checksum(checksum)), u64::from(checksum));
        }
        // More than 32 bits, and characters that are not digits.
        for none in [b"4gfFC4", b"zzzzzz", b"00000-", b"\x0000000"] {
            assert!(decode_checksum(*none) > u64::from(u32::MAX));
        }
    }
}
