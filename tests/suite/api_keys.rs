//! API keys against vectors that were computed elsewhere, and against every change of one character.

use edgegate::api_key::{ApiKeys, ImportedHash, KeyId, SigningKeys};
use edgegate::secret::Secret;
use edgegate::time::UnixTime;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    environment: String,
    prefixes: Vec<String>,
    now: UnixTime,
    signing_keys: Vec<SigningKey>,
    valid: Vec<Valid>,
    invalid: Vec<Invalid>,
    imported: Vec<Imported>,
}

#[derive(Deserialize)]
struct SigningKey {
    id: u8,
    secret_hex: String,
}

#[derive(Deserialize)]
struct Valid {
    name: String,
    key: String,
    id: KeyId,
    prefix: String,
    signing_key_id: u8,
    expires_at: Option<UnixTime>,
}

#[derive(Deserialize)]
struct Invalid {
    name: String,
    key: String,
    reason: String,
}

#[derive(Deserialize)]
struct Imported {
    name: String,
    key: String,
    sha256: ImportedHash,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../vectors/api_keys.json")).unwrap()
}

fn secret(hex: &str) -> Secret {
    let digits: Vec<u8> =
        hex.chars().map(|it| it.to_digit(16).unwrap().try_into().unwrap()).collect();
    Secret::new(digits.chunks(2).map(|pair| (pair[0] << 4) | pair[1]).collect())
}

/// The gate of the vectors, with the signing keys up to `newest`.
fn gate(vectors: &Vectors, newest: u8) -> ApiKeys {
    let signing = vectors
        .signing_keys
        .iter()
        .filter(|key| key.id <= newest)
        .map(|key| (key.id, secret(&key.secret_hex)))
        .collect();
    let signing = SigningKeys::new(signing).unwrap();
    ApiKeys::new(&vectors.environment, &vectors.prefixes, signing).unwrap()
}

#[test]
fn keys_computed_elsewhere_verify_and_are_minted_alike() {
    let vectors = vectors();
    for vector in &vectors.valid {
        let verified = gate(&vectors, u8::MAX).verify(&vector.key, vectors.now).unwrap();
        let facts = (verified.id(), verified.prefix(), verified.signing_key_id());
        assert_eq!(
            facts,
            (vector.id, vector.prefix.as_str(), vector.signing_key_id),
            "{}",
            vector.name
        );
        assert_eq!(verified.expires_at(), vector.expires_at, "{}", vector.name);
        let gate = gate(&vectors, vector.signing_key_id);
        let minted = gate.mint(&vector.prefix, vector.id, vector.expires_at).unwrap();
        assert_eq!(minted.expose(), vector.key, "{}", vector.name);
    }
    assert_eq!(vectors.valid.len(), 4);
}

#[test]
fn wrong_keys_fail_for_the_reason_given() {
    let vectors = vectors();
    let gate = gate(&vectors, u8::MAX);
    for vector in &vectors.invalid {
        let error = gate.verify(&vector.key, vectors.now).unwrap_err();
        assert_eq!(error.reason(), vector.reason, "{}: {error}", vector.name);
    }
    assert_eq!(vectors.invalid.len(), 29);
}

#[test]
fn hashes_of_imported_keys_are_plain_sha_256() {
    for vector in vectors().imported {
        assert!(ImportedHash::of(&vector.key) == vector.sha256, "{}", vector.name);
    }
}

#[test]
fn every_key_with_one_character_changed_is_refused() {
    let vectors = vectors();
    let gate = gate(&vectors, u8::MAX);
    for vector in &vectors.valid {
        for place in 0..vector.key.len() {
            for character in 0..=127_u8 {
                let mut changed = vector.key.clone().into_bytes();
                if changed[place] == character {
                    continue;
                }
                changed[place] = character;
                let changed = String::from_utf8(changed).unwrap();
                let error = gate.verify(&changed, vectors.now).unwrap_err();
                assert!(error.is_failed_authentication(), "{place} {character}: {error}");
            }
        }
    }
}

#[test]
fn every_key_with_characters_lost_doubled_or_swapped_is_refused() {
    let vectors = vectors();
    let gate = gate(&vectors, u8::MAX);
    let refused = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        gate.verify(&text, vectors.now).is_err_and(|error| error.is_failed_authentication())
    };
    for vector in &vectors.valid {
        let key = vector.key.as_bytes();
        for (place, byte) in key.iter().enumerate() {
            let mut lost = key.to_vec();
            lost.remove(place);
            assert!(refused(lost), "{place} lost");
            let mut doubled = key.to_vec();
            doubled.insert(place, *byte);
            assert!(refused(doubled), "{place} doubled");
            assert!(refused(key[..place].to_vec()), "cut at {place}");
            let mut swapped = key.to_vec();
            swapped.swap(place, place.saturating_sub(1));
            assert!(swapped == key || refused(swapped), "{place} swapped");
        }
    }
}

/// Changes below the checksum: whoever can compute a CRC gets no further.
#[test]
fn every_body_with_one_digit_changed_is_refused_even_with_its_checksum_put_right() {
    let vectors = vectors();
    let gate = gate(&vectors, u8::MAX);
    for vector in &vectors.valid {
        let (head, _) = vector.key.split_at(vector.key.len().saturating_sub(6));
        let start = head.rfind('_').unwrap().saturating_add(1);
        for place in start..head.len() {
            for digit in (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z') {
                let mut changed = head.as_bytes().to_vec();
                if changed[place] == digit {
                    continue;
                }
                changed[place] = digit;
                let checksum = base62(crc32fast::hash(&changed));
                changed.extend(checksum);
                let error =
                    gate.verify(&String::from_utf8(changed).unwrap(), vectors.now).unwrap_err();
                let reasons = ["malformed_api_key", "unknown_signing_key", "api_key_tag"];
                assert!(reasons.contains(&error.reason()), "{place} {digit}: {error}");
            }
        }
    }
}

fn base62(mut number: u32) -> [u8; 6] {
    let mut digits = [0; 6];
    for digit in digits.iter_mut().rev() {
        *digit = match u8::try_from(number % 62).unwrap() {
            value @ 0..=9 => b'0'.saturating_add(value),
            value @ 10..=35 => b'A'.saturating_add(value).saturating_sub(10),
            value => b'a'.saturating_add(value).saturating_sub(36),
        };
        number /= 62;
    }
    digits
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_minted_verifies_until_it_expires(
            id in any::<[u8; 16]>(),
            prefix in 0_usize..3,
            expiry in proptest::option::of(1_i64..=257_698_037_700),
            now in any::<i64>(),
        ) {
            let vectors = vectors();
            let gate = gate(&vectors, u8::MAX);
            let id = KeyId::from_bytes(id);
            let now = UnixTime::from_secs(now);
            let minted =
                gate.mint(&vectors.prefixes[prefix], id, expiry.map(UnixTime::from_secs)).unwrap();
            prop_assert!(gate.looks_like(minted.expose()));
            match gate.verify(minted.expose(), now) {
                Ok(verified) => {
                    prop_assert_eq!(verified.id(), id);
                    prop_assert!(minted.expires_at().is_none_or(|expiry| now < expiry));
                }
                Err(error) => {
                    prop_assert_eq!(error.reason(), "api_key_expired");
                    prop_assert!(minted.expires_at().is_some_and(|expiry| expiry <= now));
                }
            }
            if let (Some(asked), Some(got)) = (expiry, minted.expires_at()) {
                prop_assert!((0..60).contains(&got.as_secs().saturating_sub(asked)));
            }
        }

        #[test]
        fn no_text_panics_or_passes(text in ".{0,120}", tail in "(sk|pk|acme_pat)_prod_[0-9A-Za-z_]{50,70}") {
            let vectors = vectors();
            let gate = gate(&vectors, u8::MAX);
            prop_assert!(gate.verify(&text, vectors.now).is_err());
            prop_assert!(gate.verify(&tail, vectors.now).is_err());
        }
    }
}
