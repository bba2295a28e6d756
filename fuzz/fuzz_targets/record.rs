//! Any bytes as the stored record of an API key.
#![no_main]

use edgegate::api_key::KeyId;
use edgegate::api_key::record::KeyRecord;
use edgegate::time::UnixTime;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        assert!(KeyRecord::parse(KeyId::from_bytes([0; 16]), bytes).is_err());
        return;
    };
    let Some(Ok(id)) = value["id"].as_str().map(str::parse::<KeyId>) else { return };
    let Ok(record) = KeyRecord::parse(id, bytes) else { return };
    let written = serde_json::to_vec(&record).unwrap();
    assert_eq!(KeyRecord::parse(id, &written).as_ref(), Ok(&record), "written and read again");
    let other = KeyId::from_bytes(core::array::from_fn(|index| !id.as_bytes()[index]));
    assert!(KeyRecord::parse(other, bytes).is_err(), "the record of another key");
    if record.check(NOW).is_ok() {
        assert!(!record.disabled && record.revoked_at.is_none());
        assert!(record.expires_at.is_none_or(|expiry| NOW < expiry));
    }
    let _ = record.replacement_expiry(NOW);
    let revoked = record.revoke(NOW);
    assert!(revoked.check(NOW).is_err() && revoked.clone().revoke(NOW) == revoked);
});
