//! CRC-32 (IEEE 802.3): reflected, polynomial `0x04c11db7`.
//!
//! A key has about a hundred bytes, for which one table of 1 KiB is quick. Crates are made for
//! megabytes: their sixteen tables weigh 16 KiB that no compression makes smaller.

/// The checksum.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        let [low, ..] = crc.to_le_bytes();
        let step = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
        step ^ (crc >> 8)
    })
}

const TABLE: [u32; 256] = {
    const REFLECTED_POLYNOMIAL: u32 = 0xedb8_8320;
    let mut table = [0; 256];
    let mut byte = 0;
    #[expect(clippy::indexing_slicing, reason = "while compiling")]
    while byte < 256_u32 {
        let mut crc = byte;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { REFLECTED_POLYNOMIAL ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_check_values_of_the_algorithm() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(&[0; 32]), 0x190a_55ad);
        assert_eq!(crc32(&[0xff; 32]), 0xff6c_ab0b);
    }

    #[test]
    #[cfg(not(target_arch = "wasm32"))]
    fn agrees_with_another_implementation() {
        for length in 0..200_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(length)).collect();
            assert_eq!(crc32(&bytes), crc32fast::hash(&bytes));
        }
    }
}
