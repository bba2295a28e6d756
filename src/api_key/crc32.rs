//! CRC-32 (IEEE 802.3): reflected, polynomial `0x04c11db7`.
//!
//! It reads four bytes at a time, with four tables whose look-ups are independent of each other. The tables are computed
//! when they are first needed, which takes microseconds. As data they would add 4 KiB that no compression makes smaller.

use std::sync::OnceLock;

const REFLECTED_POLYNOMIAL: u32 = 0xedb8_8320;

/// The first table: how a byte changes a checksum. Each further one: the same with one more zero byte after it.
type Tables = [[u32; 256]; 4];

static TABLES: OnceLock<Box<Tables>> = OnceLock::new();

/// The checksum.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let [last, third, second, first] = &**TABLES.get_or_init(compute);
    let step = |table: &[u32; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(0);
    let (groups, rest) = bytes.as_chunks::<4>();
    let crc = groups.iter().fold(!0, |crc: u32, group| {
        let [a, b, c, d] = (crc ^ u32::from_le_bytes(*group)).to_le_bytes();
        step(first, a) ^ step(second, b) ^ step(third, c) ^ step(last, d)
    });
    !rest.iter().fold(crc, |crc: u32, byte| {
        let [low, ..] = crc.to_le_bytes();
        step(last, low ^ byte) ^ (crc >> 8)
    })
}

fn compute() -> Box<Tables> {
    let mut tables = Box::new([[0; 256]; 4]);
    for byte in 0..=u8::MAX {
        let mut crc = u32::from(byte);
        for table in tables.iter_mut() {
            for _ in 0..8 {
                crc = if crc & 1 == 1 { REFLECTED_POLYNOMIAL ^ (crc >> 1) } else { crc >> 1 };
            }
            if let Some(entry) = table.get_mut(usize::from(byte)) {
                *entry = crc;
            }
        }
    }
    tables
}

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
