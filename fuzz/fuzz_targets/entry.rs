//! Any bytes as the stored entry of a revocation.
#![no_main]

use edgegate::revocation::{DenyKey, Entry, Target};
use edgegate::time::UnixTime;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Some(key) = DenyKey::parse(text)
    {
        assert_eq!(key.to_string(), text, "one spelling of a key");
    }
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let Ok(target) = serde_json::from_value::<Target>(value["target"].clone()) else { return };
    let key = target.deny_key();
    let Ok(entry) = Entry::parse(&key, bytes) else { return };
    let written = serde_json::to_vec(&entry).unwrap();
    assert_eq!(Entry::parse(&key, &written).as_ref(), Ok(&entry), "written and read again");
    assert!(Entry::parse(&DenyKey::of_issuer("\u{1}nobody"), bytes).is_err());
    assert_eq!(entry.deny_key(), key);
    assert!(entry.kv_ttl_secs(NOW).is_none_or(|secs| secs >= 60));
    assert_eq!(entry.clone().merge(Some(&entry), NOW), entry);
    // Whoever is concerned by a later log-in is concerned by an earlier one.
    if entry.applies_to(Some(NOW)) {
        assert!(entry.applies_to(Some(UnixTime::from_secs(0))) && entry.applies_to(None));
    }
});
