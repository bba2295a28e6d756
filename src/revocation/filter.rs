//! A compact filter over revoked keys: "certainly not revoked" or "ask".
//!
//! It is a binary fuse filter with 16-bit fingerprints (Graf and Lemire, "Binary Fuse Filters: Fast and
//! Smaller Than Xor Filters", 2022), built by the crate `xorf`. It never misses what is in it, and takes
//! one in 65,536 of what is not for what is; those are asked about, so nobody is denied by mistake.
//!
//! The keys are spread over *blocks* by their first bits. They are hashes, so blocks fill evenly, and each is built
//! by itself: a million keys cost sixteen short pauses in place of one long one. Sixteen blocks make a *shard*,
//! which is what is stored and fetched.
//!
//! What is read back is checked: no bytes make a look-up reach outside.

use core::fmt;
use std::rc::Rc;

use xorf::BinaryFuse16;

use super::wire::Reader;

/// How full a block is meant to be. At a million keys this gives 16 blocks of about 62,500, each built in
/// some milliseconds.
const BLOCK_ENTRIES: u64 = 65_536;
/// Blocks in a shard, so at most 1,048,576 keys in about 2.5 MB.
pub const BLOCKS_PER_SHARD: usize = 16;
/// Shards in a filter. All of them take 20 MB, and twice that while a new one replaces them; an isolate
/// has 128 MB.
pub const MAX_SHARDS: usize = 8;
/// Keys in a filter: 8,388,608.
pub const MAX_ENTRIES: u64 = 8 * 16 * BLOCK_ENTRIES;
/// Keys in a block. Hashes do not spread so unevenly: the mean is half of it, and at 65,536 keys the
/// deviation 256.
const MAX_BLOCK_ENTRIES: usize = 131_072;

/// The first bytes of a shard, with the version of its form.
const MAGIC: &[u8; 4] = b"EGS1";
/// Segments are that long at most, in powers of two: `xorf` makes none longer.
const MAX_SEGMENT_BITS: u8 = 18;
/// Fingerprints of a block: those of the most keys, with room for how they are laid out (23 % at most
/// for this many keys).
const MAX_BLOCK_FINGERPRINTS: usize = 2 * MAX_BLOCK_ENTRIES;

/// Why a filter could not be built or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterError(&'static str);

impl FilterError {
    pub(crate) const fn new(problem: &'static str) -> Self {
        Self(problem)
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for FilterError {}

/// How keys are spread: a power of two of blocks, sixteen of them (or fewer) to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    block_bits: u8,
}

impl Layout {
    /// The layout for that many keys; for more than [`MAX_ENTRIES`] the largest there is.
    #[must_use]
    pub fn for_entries(entries: u64) -> Self {
        let blocks = entries.div_ceil(BLOCK_ENTRIES).max(1).next_power_of_two();
        let bits = u8::try_from(blocks.trailing_zeros()).unwrap_or(Self::MAX_BITS);
        Self { block_bits: bits.min(Self::MAX_BITS) }
    }

    /// 128 blocks.
    const MAX_BITS: u8 = 7;

    /// Reads [`Layout::bits`].
    #[must_use]
    pub const fn from_bits(block_bits: u8) -> Option<Self> {
        if block_bits <= Self::MAX_BITS { Some(Self { block_bits }) } else { None }
    }

    /// How many leading bits of a key choose its block.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.block_bits
    }

    /// How many blocks there are.
    #[must_use]
    pub const fn blocks(self) -> usize {
        1_usize << self.block_bits
    }

    /// How many shards there are.
    #[must_use]
    pub const fn shards(self) -> usize {
        self.blocks().div_ceil(BLOCKS_PER_SHARD)
    }

    /// How many blocks each shard has.
    #[must_use]
    pub fn blocks_of_shard(self) -> usize {
        self.blocks().min(BLOCKS_PER_SHARD)
    }

    /// The block of a key.
    #[must_use]
    pub fn block_of(self, fingerprint: u64) -> usize {
        let shift = 64_u32.saturating_sub(u32::from(self.block_bits));
        let block = fingerprint.checked_shr(shift).unwrap_or(0);
        usize::try_from(block).unwrap_or(0)
    }

    /// The fingerprints of a block: the first, and the last.
    #[must_use]
    pub fn range(self, block: usize) -> (u64, u64) {
        let shift = 64_u32.saturating_sub(u32::from(self.block_bits));
        let first = u64::try_from(block).unwrap_or(0).checked_shl(shift).unwrap_or(0);
        let width = u64::MAX.checked_shr(u32::from(self.block_bits)).unwrap_or(0);
        (first, first | width)
    }
}

/// One block, built.
#[derive(Debug, Clone)]
pub struct Block(Option<BinaryFuse16>);

impl Block {
    /// Builds the block of these fingerprints, in any order, each as often as it likes.
    ///
    /// # Errors
    /// There are more than 131,072 of them, or (which is not known to happen) none of 1,000 seeds gives a filter.
    pub fn build(mut fingerprints: Vec<u64>) -> Result<Self, FilterError> {
        fingerprints.sort_unstable();
        fingerprints.dedup();
        if fingerprints.len() > MAX_BLOCK_ENTRIES {
            return Err(FilterError("too many keys begin alike"));
        }
        if fingerprints.is_empty() {
            return Ok(Self(None));
        }
        BinaryFuse16::try_from(&fingerprints)
            .map(|filter| Self(Some(filter)))
            .map_err(|_| FilterError("no filter could be built"))
    }
}

/// The bytes of a shard: its blocks in their order.
///
/// `EGS1`, the number of blocks (1 byte), for each block its seed (8), the binary logarithm of the
/// length of a segment (1) and the number of segments keys may begin in (4; 0 for an empty block), then for each
/// block its fingerprints (2 each), all little-endian.
#[must_use]
pub fn encode_shard(blocks: &[Block]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(u8::try_from(blocks.len()).unwrap_or(u8::MAX));
    for block in blocks {
        let (seed, length, count) = block.0.as_ref().map_or((0, 1, 0), |filter| {
            let of = &filter.descriptor;
            (of.seed, of.segment_length, of.segment_count_length)
        });
        let bits = length.trailing_zeros();
        bytes.extend(seed.to_le_bytes());
        bytes.push(u8::try_from(bits).unwrap_or(u8::MAX));
        bytes.extend(count.checked_shr(bits).unwrap_or(0).to_le_bytes());
    }
    for filter in blocks.iter().filter_map(|block| block.0.as_ref()) {
        bytes.extend(filter.fingerprints.iter().flat_map(|fingerprint| fingerprint.to_le_bytes()));
    }
    bytes
}

/// Where a block lies in the bytes of its shard.
#[derive(Debug, Clone, Copy)]
struct Placed {
    seed: u64,
    segment_bits: u8,
    /// The number of segments that keys may begin in; 0: the block is empty.
    segments: u32,
    /// Of its first fingerprint.
    offset: usize,
}

/// A shard as it was read, and checked.
#[derive(Clone)]
pub struct Shard {
    bytes: Vec<u8>,
    blocks: Vec<Placed>,
}

/// Its bytes are megabytes.
impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("bytes", &self.bytes.len())
            .field("blocks", &self.blocks.len())
            .finish()
    }
}

impl Shard {
    /// Reads what [`encode_shard`] wrote.
    ///
    /// # Errors
    /// Anything else: another form, another number of blocks, another length than its blocks say.
    pub fn parse(bytes: Vec<u8>, layout: Layout) -> Result<Self, FilterError> {
        let blocks = Self::blocks(&bytes, layout.blocks_of_shard())
            .ok_or(FilterError("shard is not ours, or damaged"))?;
        Ok(Self { bytes, blocks })
    }

    fn blocks(bytes: &[u8], expected: usize) -> Option<Vec<Placed>> {
        let mut reader = Reader(bytes);
        if &reader.array()? != MAGIC || usize::from(reader.u8()?) != expected {
            return None;
        }
        let mut blocks = Vec::with_capacity(expected);
        // A header of a block has 13 bytes.
        let mut offset = expected.checked_mul(13)?.checked_add(5)?;
        for _ in 0..expected {
            let seed = reader.u64()?;
            let segment_bits = reader.u8()?;
            let segments = reader.u32()?;
            if segment_bits > MAX_SEGMENT_BITS {
                return None;
            }
            blocks.push(Placed { seed, segment_bits, segments, offset });
            if segments > 0 {
                // Each key looks into three segments that follow one another.
                let count = usize::try_from(segments).ok()?.checked_add(2)?;
                let count = count.checked_mul(1_usize.checked_shl(segment_bits.into())?)?;
                if count > MAX_BLOCK_FINGERPRINTS {
                    return None;
                }
                offset = offset.checked_add(count.checked_mul(2)?)?;
            }
        }
        (offset == bytes.len()).then_some(blocks)
    }

    /// Whether the key may be in this block of the shard. Were the shard damaged after all, it may.
    fn may_contain(&self, block: usize, fingerprint: u64) -> bool {
        let Some(placed) = self.blocks.get(block) else { return true };
        placed.segments != 0 && self.matches(placed, fingerprint).unwrap_or(true)
    }

    /// The look-up of a binary fuse filter of three segments, as `xorf` does it: the fingerprint is the
    /// exclusive or of three others.
    fn matches(&self, block: &Placed, fingerprint: u64) -> Option<bool> {
        let hash = mix(fingerprint.wrapping_add(block.seed));
        let length = 1_u64.checked_shl(block.segment_bits.into())?;
        let mask = length.wrapping_sub(1);
        let begins = u64::from(block.segments).wrapping_mul(length);
        let first = u128::from(hash).wrapping_mul(begins.into()) >> 64;
        let first = u64::try_from(first).ok()?;
        let second = first.wrapping_add(length);
        let third = second.wrapping_add(length);
        let found = self.at(block, first)?
            ^ self.at(block, second ^ ((hash >> 18) & mask))?
            ^ self.at(block, third ^ (hash & mask))?;
        let [low, high, ..] = (hash ^ (hash >> 32)).to_le_bytes();
        Some(found == u16::from_le_bytes([low, high]))
    }

    fn at(&self, block: &Placed, index: u64) -> Option<u16> {
        let index = usize::try_from(index).ok()?;
        let start = block.offset.wrapping_add(index.wrapping_mul(2));
        self.bytes.get(start..)?.first_chunk().map(|pair| u16::from_le_bytes(*pair))
    }
}

/// The finalizer of `MurmurHash3`, as `xorf` uses it.
const fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// A whole filter: all shards of a layout.
#[derive(Debug, Clone)]
pub struct Filter {
    layout: Layout,
    shards: Vec<Rc<Shard>>,
}

impl Filter {
    /// The filter of these shards.
    ///
    /// # Errors
    /// There are not as many as the layout has.
    pub fn new(layout: Layout, shards: Vec<Rc<Shard>>) -> Result<Self, FilterError> {
        if shards.len() == layout.shards() {
            Ok(Self { layout, shards })
        } else {
            Err(FilterError("a shard is missing"))
        }
    }

    /// Whether the key may be in the filter. `false` is certain; `true` is wrong for one in 65,536 that are not in it.
    #[must_use]
    pub fn may_contain(&self, fingerprint: u64) -> bool {
        let block = self.layout.block_of(fingerprint);
        let shard = block.checked_div(BLOCKS_PER_SHARD).unwrap_or(0);
        let block = block.checked_rem(BLOCKS_PER_SHARD).unwrap_or(0);
        self.shards.get(shard).is_none_or(|shard| shard.may_contain(block, fingerprint))
    }

    /// Bytes of all shards.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.bytes.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use xorf::Filter as _;

    use super::*;

    /// Evenly spread numbers, the same in each run.
    fn numbers(seed: u64) -> impl Iterator<Item = u64> {
        let mut state = seed;
        core::iter::repeat_with(move || xorf::splitmix64(&mut state))
    }

    fn filter(keys: &[u64]) -> Filter {
        let layout = Layout::for_entries(keys.len() as u64);
        let mut blocks = vec![Vec::new(); layout.blocks()];
        for key in keys {
            blocks[layout.block_of(*key)].push(*key);
        }
        let blocks: Vec<Block> =
            blocks.into_iter().map(|keys| Block::build(keys).unwrap()).collect();
        let shards = blocks
            .chunks(BLOCKS_PER_SHARD)
            .map(|blocks| Rc::new(Shard::parse(encode_shard(blocks), layout).unwrap()))
            .collect();
        Filter::new(layout, shards).unwrap()
    }

    #[test]
    fn what_is_in_is_always_found_and_what_is_not_seldom() {
        for count in [0, 1, 2, 3, 4, 5, 7, 10, 100, 1000, 4096, 30_000, 65_536, 65_537, 200_000] {
            let keys: Vec<u64> = numbers(count as u64).take(count).collect();
            let filter = filter(&keys);
            assert!(keys.iter().all(|key| filter.may_contain(*key)), "{count}");
            let others = 1_000_000 - count;
            let found = numbers(99).take(others).filter(|key| filter.may_contain(*key)).count();
            // 15 in the mean. More than 60 has a probability below 10^-17.
            assert!(found < 60, "{found} of {others} beside {count}");
        }
    }

    #[test]
    fn the_look_up_is_that_of_the_crate_that_builds() {
        for count in [1, 5, 1000, 60_000] {
            let keys: Vec<u64> = numbers(7).take(count).collect();
            let theirs = BinaryFuse16::try_from(&keys).unwrap();
            let ours = filter(&keys);
            for key in numbers(7).take(count + 500_000) {
                assert_eq!(ours.may_contain(key), theirs.contains(&key));
            }
        }
    }

    #[test]
    fn a_million_keys_fit_into_two_and_a_half_megabytes() {
        let keys: Vec<u64> = numbers(1).take(1_000_000).collect();
        let filter = filter(&keys);
        assert_eq!((filter.layout.blocks(), filter.layout.shards()), (16, 1));
        assert!(filter.bytes() <= 2_500_000, "{} bytes", filter.bytes());
        assert!(keys.iter().all(|key| filter.may_contain(*key)));
    }

    #[test]
    fn keys_given_twice_are_as_good_as_once() {
        let keys: Vec<u64> = numbers(3).take(1000).flat_map(|key| [key, key]).collect();
        let shard = encode_shard(&[Block::build(keys.clone()).unwrap()]);
        let shard = Shard::parse(shard, Layout::for_entries(1000)).unwrap();
        assert!(keys.iter().all(|key| shard.may_contain(0, *key)));
    }

    #[test]
    fn a_block_of_too_many_is_refused() {
        let keys = numbers(5).take(MAX_BLOCK_ENTRIES + 1).collect();
        assert_eq!(Block::build(keys).unwrap_err().to_string(), "too many keys begin alike");
        assert!(Block::build(numbers(5).take(MAX_BLOCK_ENTRIES).collect()).is_ok());
    }

    #[test]
    fn layouts_are_these() {
        for (entries, blocks, shards) in [
            (0, 1, 1),
            (65_536, 1, 1),
            (65_537, 2, 1),
            (1_000_000, 16, 1),
            (1_048_577, 32, 2),
            (MAX_ENTRIES, 128, MAX_SHARDS),
            (u64::MAX, 128, MAX_SHARDS),
        ] {
            let layout = Layout::for_entries(entries);
            assert_eq!((layout.blocks(), layout.shards()), (blocks, shards), "{entries}");
            assert_eq!(Layout::from_bits(layout.bits()), Some(layout));
        }
        assert_eq!(Layout::from_bits(8), None);
        for layout in (0..=7).filter_map(Layout::from_bits) {
            let mut next = Some(0);
            for block in 0..layout.blocks() {
                let (first, last) = layout.range(block);
                assert_eq!(Some(first), next);
                assert_eq!((layout.block_of(first), layout.block_of(last)), (block, block));
                next = last.checked_add(1);
            }
            assert_eq!(next, None, "the blocks are all there is");
        }
    }

    #[test]
    fn no_other_bytes_are_a_shard() {
        let layout = Layout::for_entries(200_000);
        let keys: Vec<u64> = numbers(3).take(2000).collect();
        let blocks: Vec<Block> = (0..4).map(|_| Block::build(keys.clone()).unwrap()).collect();
        let bytes = encode_shard(&blocks);
        assert!(Shard::parse(bytes.clone(), layout).is_ok());
        assert!(Shard::parse(bytes.clone(), Layout::for_entries(1)).is_err(), "other blocks");
        for end in [0, 3, 4, 5, 17, 18, 56, 57, 58, bytes.len() - 1] {
            let problem = Shard::parse(bytes[..end].to_vec(), layout).unwrap_err();
            assert_eq!(problem.to_string(), "shard is not ours, or damaged");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Shard::parse(longer, layout).is_err());
        // Whatever stands in the headers: refused, or every look-up stays inside.
        for place in 0..57 {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                let Ok(shard) = Shard::parse(changed, layout) else { continue };
                assert!((5..57).contains(&place));
                for key in numbers(8).take(50) {
                    for (block, placed) in shard.blocks.iter().enumerate() {
                        assert!(placed.segments == 0 || shard.matches(placed, key).is_some());
                        shard.may_contain(block, key);
                    }
                }
            }
        }
    }
}
