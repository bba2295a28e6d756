//! scrypt (RFC 7914), in memory that is lent. The crate `scrypt` takes memory of its own beside the blocks that argon2 has: of the dearest
//! of both, that is more than an isolate has.

use argon2::Block;
use pbkdf2::pbkdf2_hmac;
use salsa20::{
    SalsaCore,
    cipher::{StreamCipherCore as _, consts::U4},
};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::hash::with_blocks;

/// What a hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// The rows that are kept are two to the power of this.
    pub(super) log_n: u8,
    /// A row has 128 bytes, so many times.
    pub(super) r: u32,
    /// How many lanes there are, one after the other.
    pub(super) p: u32,
}

/// 64 bytes: what Salsa20/8 mixes at once.
type Unit = [u64; 8];

const UNIT_BYTES: usize = 64;

const UNITS_OF_BLOCK: usize = Block::SIZE / UNIT_BYTES;

impl Cost {
    /// Memory, in KiB: 128 · N · r bytes (RFC 7914 §2). `None`: more than can be counted.
    pub(super) fn memory_kib(self) -> Option<u32> {
        let rows = 1_u32.checked_shl(self.log_n.into())?;
        Some(rows.checked_mul(self.r)?.div_ceil(8))
    }
}

/// Computes a hash. `None`: there is no such cost.
pub(super) fn scrypt(password: &[u8], salt: &[u8], cost: Cost, output: &mut [u8]) -> Option<()> {
    let rows = 1_usize.checked_shl(cost.log_n.into())?;
    let row_bytes = usize::try_from(cost.r).ok()?.checked_mul(2 * UNIT_BYTES)?;
    let all_bytes = row_bytes.checked_mul(usize::try_from(cost.p).ok()?)?;
    let blocks = usize::try_from(cost.memory_kib()?).ok()?;
    // N < 2^(128 · r / 8) (RFC 7914 §2).
    if all_bytes == 0 || u32::from(cost.log_n) >= cost.r.saturating_mul(16) {
        return None;
    }
    let mut lanes = Zeroizing::new(vec![0; all_bytes]);
    pbkdf2_hmac::<Sha256>(password, salt, 1, &mut lanes);
    with_blocks(blocks, |memory| {
        lanes.chunks_exact_mut(row_bytes).try_for_each(|lane| mix(lane, memory, rows))
    })??;
    pbkdf2_hmac::<Sha256>(password, &lanes, 1, output);
    Some(())
}

/// scryptROMix (RFC 7914 §5): writes so many rows, each mixed of the one before, and then reads as many, each where the last one says.
fn mix(lane: &mut [u8], memory: &mut [Block], rows: usize) -> Option<()> {
    let mut row = Zeroizing::new(lane.chunks_exact(UNIT_BYTES).map(unit_of).collect::<Vec<_>>());
    let mut mixed = row.clone();
    let mut places = memory.iter_mut().flat_map(|block| block.as_mut().chunks_exact_mut(8));
    for _ in 0..rows {
        for unit in row.iter() {
            places.next()?.copy_from_slice(unit);
        }
        mix_row(&row, &mut mixed)?;
        core::mem::swap(&mut row, &mut mixed);
    }
    // There are two to the power of something.
    let mask = u64::try_from(rows).ok()?.checked_sub(1)?;
    for _ in 0..rows {
        let [number, ..] = row.last()?;
        let at = usize::try_from(number & mask).ok()?.checked_mul(row.len())?;
        let kept = memory.get(at / UNITS_OF_BLOCK..)?.iter();
        // A row may begin within a block: its units before belong to the row before.
        let kept = kept.flat_map(|block| block.as_ref().chunks_exact(8)).skip(at % UNITS_OF_BLOCK);
        for (unit, kept) in row.iter_mut().zip(kept) {
            xor(unit, kept);
        }
        mix_row(&row, &mut mixed)?;
        core::mem::swap(&mut row, &mut mixed);
    }
    for (bytes, word) in lane.chunks_exact_mut(8).zip(row.iter().flatten()) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    Some(())
}

/// scryptBlockMix (RFC 7914 §4): units in even places come first, then the others.
fn mix_row(row: &[Unit], mixed: &mut [Unit]) -> Option<()> {
    let mut last = *row.last()?;
    let (even, odd) = mixed.split_at_mut(row.len() / 2);
    for (pair, (even, odd)) in row.chunks_exact(2).zip(even.iter_mut().zip(odd)) {
        for (unit, place) in pair.iter().zip([even, odd]) {
            xor(&mut last, unit);
            last = salsa20_8(&last);
            *place = last;
        }
    }
    Some(())
}

/// The Salsa20/8 core (RFC 7914 §3).
fn salsa20_8(unit: &Unit) -> Unit {
    let mut state = [0; 16];
    for (pair, word) in state.chunks_exact_mut(2).zip(unit) {
        let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
        pair.copy_from_slice(&[u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]);
    }
    let mut bytes = [0; UNIT_BYTES];
    SalsaCore::<U4>::from_raw_state(state).write_keystream_block((&mut bytes).into());
    unit_of(&bytes)
}

fn unit_of(bytes: &[u8]) -> Unit {
    let mut unit = [0; 8];
    for (word, bytes) in unit.iter_mut().zip(bytes.chunks_exact(8)) {
        if let Ok(bytes) = bytes.try_into() {
            *word = u64::from_le_bytes(bytes);
        }
    }
    unit
}

fn xor(unit: &mut Unit, other: &[u64]) {
    for (word, other) in unit.iter_mut().zip(other) {
        *word ^= other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(password: &[u8], salt: &[u8], (log_n, r, p): (u8, u32, u32)) -> [u8; 64] {
        let mut output = [0; 64];
        scrypt(password, salt, Cost { log_n, r, p }, &mut output).unwrap();
        output
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 7914 §12, but for the last, which takes a gigabyte.
    #[test]
    fn it_is_scrypt() {
        for (password, salt, cost, expected) in [
            (
                "",
                "",
                (4, 1, 1),
                "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
            ),
            (
                "password",
                "NaCl",
                (10, 8, 16),
                "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
            ),
            (
                "pleaseletmein",
                "SodiumChloride",
                (14, 8, 1),
                "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
            ),
        ] {
            assert_eq!(hex(&hash(password.as_bytes(), salt.as_bytes(), cost)), expected);
        }
    }

    /// Rows that end within a block, and blocks that another hash has left.
    #[test]
    fn it_is_what_the_crate_computes_at_any_cost() {
        for r in [1, 2, 3, 5, 7, 8, 9, 13, 16, 31, 32] {
            for (log_n, p) in [(1, 1), (2, 3), (5, 2), (6, 8)] {
                let mut expected = [0; 64];
                let parameters = ::scrypt::Params::new(log_n, r, p, 64).unwrap();
                ::scrypt::scrypt(b"password", b"salt", &parameters, &mut expected).unwrap();
                assert_eq!(hash(b"password", b"salt", (log_n, r, p)), expected, "{log_n} {r} {p}");
            }
        }
    }

    #[test]
    fn what_it_takes_is_known_before() {
        let kib = |log_n, r| Cost { log_n, r, p: 1 }.memory_kib();
        assert_eq!((kib(16, 8), kib(14, 8), kib(1, 1)), (Some(65_536), Some(16_384), Some(1)));
        assert_eq!((kib(32, 1), kib(31, 2)), (None, None));
        for (log_n, r, p) in [(64, 8, 1), (16, 1, 1), (10, 0, 1), (10, 8, 0)] {
            assert_eq!(scrypt(b"", b"", Cost { log_n, r, p }, &mut [0; 32]), None);
        }
    }
}
