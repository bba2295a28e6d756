//! Any text as an API key: what is accepted is what minting writes, and every edit of it is refused.
#![no_main]

use edgegate::api_key::{ApiKeys, KeyId, SigningKeys};
use edgegate::secret::Secret;
use edgegate::time::UnixTime;
use libfuzzer_sys::fuzz_target;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fuzz_target!(|text: &str| {
    // The first secret of `tests/vectors/api_keys.json`, so that its keys are known here.
    let secret: Vec<u8> = (0..32).collect();
    let signing_keys = SigningKeys::new(vec![(1, Secret::new(secret))]).unwrap();
    let keys = ApiKeys::new("prod", &["sk", "pk", "acme_pat"], signing_keys).unwrap();
    if let Ok(verified) = keys.verify(text, NOW) {
        let minted = keys.mint(verified.prefix(), verified.id(), verified.expires_at()).unwrap();
        assert_eq!(minted.expose(), text, "one spelling of a key");
    }
    let _ = edgegate::api_key::ImportedHash::of(text);
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!(id.to_string(), text);
    }

    let Some((bytes, edit)) = text.as_bytes().split_first_chunk::<24>() else { return };
    let [id @ .., place, mask, minutes_high, minutes_low, _, _, _, _] = *bytes;
    let minutes = u16::from_be_bytes([minutes_high, minutes_low]);
    let expires_at = (minutes > 0).then(|| NOW.saturating_add(u64::from(minutes) * 60));
    let minted = keys.mint("pk", KeyId::from_bytes(id), expires_at).unwrap();
    let verified = keys.verify(minted.expose(), NOW).unwrap();
    assert_eq!((verified.id(), verified.expires_at()), (minted.id(), minted.expires_at()));
    let mut edited = minted.expose().as_bytes().to_vec();
    let place = usize::from(place) % edited.len();
    edited[place] = edit.first().copied().unwrap_or(mask);
    if let Ok(edited) = String::from_utf8(edited) {
        assert!(edited == minted.expose() || keys.verify(&edited, NOW).is_err());
    }
});
