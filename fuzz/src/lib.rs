//! What the fuzz targets share: the tests' signers and their gate in memory.

use std::sync::LazyLock;

use edgegate::api_key::{ApiKeys, KeyId, SigningKeys};
use edgegate::secret::Secret;

#[path = "../../tests/support/gate.rs"]
pub mod gate;
#[path = "../../tests/support/mint.rs"]
pub mod mint;

/// A token that the gate of the target `credential` admits.
pub static TOKEN: LazyLock<String> = LazyLock::new(|| {
    mint::hs256(r#"{"alg":"HS256"}"#, r#"{"iss":"me","aud":"a","exp":9999999999}"#)
});

/// An API key that it admits.
pub static API_KEY: LazyLock<String> = LazyLock::new(|| {
    let secret = gate::bindings().0["API_KEY_SECRET"].clone();
    let signing_keys = SigningKeys::new(vec![(1, Secret::new(secret))]).unwrap();
    let keys = ApiKeys::new("test", &["sk"], signing_keys).unwrap();
    keys.mint("sk", KeyId::from_bytes([1; 16]), None).unwrap().expose().to_owned()
});
