//! Any bytes as what is stored of a snapshot of revocations: shards, heads and the ledger's own numbers. What is taken is
//! written again as it was, and answers every look-up.
#![no_main]

use std::rc::Rc;

use edgegate::revocation::filter::{Filter, Layout, Shard};
use edgegate::revocation::ledger::Ledger;
use edgegate::revocation::snapshot::Head;
use edgegate::time::UnixMillis;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

// The first byte says what the others are.
fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => shard(bytes),
        1 => head(bytes),
        _ => ledger(bytes),
    }
});

/// As a shard of every layout.
fn shard(bytes: &[u8]) {
    for layout in (0..=u8::MAX).filter_map(Layout::from_bits) {
        let Ok(shard) = Shard::parse(bytes.to_vec(), layout) else { continue };
        let shards = vec![Rc::new(shard); layout.shards()];
        let filter = Filter::new(layout, shards).unwrap();
        assert_eq!(filter.bytes(), bytes.len() * layout.shards());
        for step in 0..64_u64 {
            let _ = filter.may_contain(step.wrapping_mul(0x0492_4924_9249_2493));
        }
        let _ = filter.may_contain(u64::MAX);
    }
}

/// With the checksum that belongs to it, which no fuzzer finds by chance, and without.
fn head(content: &[u8]) {
    assert!(Head::parse(content, NOW).is_err());
    let mut bytes = content.to_vec();
    bytes.extend(Sha256::digest(content));
    if let Ok(head) = Head::parse(&bytes, NOW) {
        assert_eq!(head.encode(), bytes);
        assert!(!head.is_newer_than(&head));
        let _ = head.age_secs(NOW);
    }
}

fn ledger(bytes: &[u8]) {
    if let Some(ledger) = Ledger::parse(bytes) {
        assert_eq!(Ledger::parse(&ledger.encode()), Some(ledger));
    }
}
