//! Any bytes as many revocations in one request.
#![no_main]

use edgegate::revocation::Entry;
use edgegate::revocation::bulk::Bulk;
use edgegate::time::UnixTime;
use libfuzzer_sys::fuzz_target;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fuzz_target!(|bytes: &[u8]| {
    let Ok(bulk) = Bulk::parse(bytes, |issuer| (issuer == "i").then_some(60), NOW) else { return };
    assert!(bulk.entries.len() + bulk.expired > 0);
    // What is taken is exported so that it can be given back.
    for entry in bulk.entries {
        assert!(entry.is_in_force(NOW));
        assert!(entry.target().issuer().is_none_or(|issuer| issuer == "i"));
        let exported = serde_json::to_vec(&entry).unwrap();
        assert_eq!(Entry::restore(&exported, NOW), Ok(entry));
    }
});
