//! Any bytes as the body of an administrator's request: what is accepted can be stored and read again.
#![no_main]

use edgegate::api_key::record::{KeyChange, KeyRecord, NewKey, Rotate};
use edgegate::api_key::{ApiKeys, KeyId, SigningKeys};
use edgegate::error::Error;
use edgegate::revocation::{Entry, NewRevocation};
use edgegate::secret::Secret;
use edgegate::time::UnixTime;
use libfuzzer_sys::fuzz_target;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn stored(record: &KeyRecord) {
    let json = serde_json::to_vec(record).unwrap();
    assert_eq!(KeyRecord::parse(record.id, &json).as_ref(), Ok(record));
}

fn keep<T>(parsed: Result<T, Error>) -> Option<T> {
    match parsed {
        Ok(value) => Some(value),
        Err(Error::InvalidField { path, .. }) => {
            // Only names of fields and places, never data.
            assert!(path.len() <= 200, "{path}");
            None
        }
        Err(other) => panic!("another error than that of a field: {other}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let signing_keys = SigningKeys::new(vec![(1, Secret::new(vec![7; 32]))]).unwrap();
    let keys = ApiKeys::new("test", &["sk"], signing_keys).unwrap();
    if let Some(new) = keep(NewKey::parse(bytes)) {
        let record = match new.imported() {
            Some(_) => new.imported_record(NOW).unwrap(),
            None => {
                let id = KeyId::from_bytes([9; 16]);
                new.clone().record(&keys.mint("sk", id, new.expires_at(NOW)).unwrap(), NOW)
            }
        };
        assert_eq!(record.check(NOW), Ok(()));
        stored(&record);
    }
    let id = KeyId::from_bytes([8; 16]);
    let json = format!(
        r#"{{"v":1,"id":"{id}","name":"n","owner":"o","scopes":[],"created_at":1,"sealed_expires_at":1800000000}}"#
    );
    let record = KeyRecord::parse(id, json.as_bytes()).unwrap();
    if let Some(change) = keep(KeyChange::parse(bytes))
        && let Ok(changed) = change.apply(record.clone(), NOW)
    {
        assert!(changed.expires_at.is_none_or(|at| at <= UnixTime::from_secs(1_800_000_000)));
        stored(&changed);
    }
    if let Some(rotate) = keep(Rotate::parse(bytes)) {
        let minted = keys.mint("sk", KeyId::from_bytes([9; 16]), None).unwrap();
        let rotated = record.rotate(&minted, Vec::new(), rotate, NOW).unwrap();
        stored(&rotated.new);
        stored(&rotated.old);
    }
    if let Some(NewRevocation::Entry(request)) = keep(NewRevocation::parse(bytes))
        && let Ok(entry) = request.entry(NOW)
    {
        let json = serde_json::to_vec(&entry).unwrap();
        assert_eq!(Entry::parse(&entry.deny_key(), &json).as_ref(), Ok(&entry));
        assert!(entry.is_in_force(NOW));
    }
});
