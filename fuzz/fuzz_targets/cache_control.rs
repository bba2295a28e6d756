//! Any `Cache-Control` of an issuer: keys are believed no shorter and no longer than they may be.
#![no_main]

use edgegate::keys::KeySet;
use edgegate::keys::remote::{MAX_FRESH_SECS, MIN_FRESH_SECS, RemoteKeySet};
use edgegate::time::UnixMillis;
use libfuzzer_sys::fuzz_target;

const JWKS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fuzz_target!(|text: &str| {
    let now = UnixMillis::from_millis(1_700_000_000_000);
    let mut set = RemoteKeySet::default();
    set.fetched(KeySet::from_jwks(JWKS).unwrap(), None, Some(text), now);
    let fresh = set.fresh_until().unwrap().millis_since(now);
    assert!((MIN_FRESH_SECS * 1000..=MAX_FRESH_SECS * 1000).contains(&fresh));
});
