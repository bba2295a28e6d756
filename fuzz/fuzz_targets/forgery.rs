//! A signed token with edits: it verifies only if they left it as it was signed.
#![no_main]

use edgegate_fuzz::mint::{eddsa, eddsa_key, hs256, hs256_key, verify};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    key_id: Option<&'a str>,
    payload: &'a [u8],
    with_ed25519: bool,
    edits: Vec<Edit<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Edit<'a> {
    Flip(u16, u8),
    Insert(u16, &'a str),
    Remove(u16),
    Append(&'a str),
    SwapHalves(u16),
}

impl Edit<'_> {
    fn apply(&self, mut text: Vec<u8>) -> Vec<u8> {
        let at = |place: &u16, length: usize| usize::from(*place) % length.max(1);
        match self {
            Self::Flip(place, mask) => {
                let place = at(place, text.len());
                if let Some(byte) = text.get_mut(place) {
                    *byte ^= mask;
                }
            }
            Self::Insert(place, new) => {
                let place = at(place, text.len()).min(text.len());
                text.splice(place..place, new.bytes());
            }
            Self::Remove(place) if !text.is_empty() => {
                text.remove(at(place, text.len()));
            }
            Self::Remove(_) => {}
            Self::Append(new) => text.extend(new.bytes()),
            Self::SwapHalves(place) => {
                let place = at(place, text.len()).min(text.len());
                text.rotate_left(place);
            }
        }
        text
    }
}

fuzz_target!(|input: Input<'_>| {
    let mut header = serde_json::json!({"alg": if input.with_ed25519 { "EdDSA" } else { "HS256" }});
    if let Some(kid) = input.key_id {
        header["kid"] = kid.into();
    }
    let header = header.to_string();
    let (token, key) = if input.with_ed25519 {
        (eddsa(&header, input.payload), eddsa_key())
    } else {
        (hs256(&header, input.payload), hs256_key())
    };
    if token.len() > 8192 {
        return;
    }
    let short_kid = input.key_id.is_none_or(|kid| kid.len() <= 256);
    match verify(&token, &key) {
        Ok(jws) => assert_eq!(jws.payload(), input.payload),
        Err(error) => assert!(!short_kid, "{error}"),
    }
    let edited = input.edits.iter().fold(token.clone().into_bytes(), |text, edit| edit.apply(text));
    if let Ok(edited) = String::from_utf8(edited) {
        assert!(edited == token || verify(&edited, &key).is_err());
    }
});
