//! Any `Cache-Control` of an issuer: keys are believed no shorter and no longer than they may be, and as long as
//! another parser reads there, where the text is one that it knows too (a dictionary of RFC 9651).
#![no_main]

use edgegate::jose::keys::KeySet;
use edgegate::jose::keys::remote::{
    DEFAULT_FRESH_SECS, MAX_FRESH_SECS, MIN_FRESH_SECS, RemoteKeySet,
};
use edgegate::time::UnixMillis;
use libfuzzer_sys::fuzz_target;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

const JWKS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fuzz_target!(|text: &str| {
    let now = UnixMillis::from_millis(1_700_000_000_000);
    let mut set = RemoteKeySet::default();
    set.fetched(KeySet::from_jwks(JWKS).unwrap(), None, Some(text), now);
    let fresh = set.fresh_until().unwrap().millis_since(now);
    assert!((MIN_FRESH_SECS * 1000..=MAX_FRESH_SECS * 1000).contains(&fresh));
    if let Some(expected) = read_by_another(text) {
        assert_eq!(fresh, expected * 1000);
    }
});

/// Seconds; `None` where the two forms differ: a name that occurs twice, and what `Cache-Control` does not have
/// (parameters, lists, booleans that are written out).
fn read_by_another(text: &str) -> Option<u64> {
    let names = ["no-store", "no-cache", "max-age"];
    if text.contains([';', '(', '?']) || names.iter().any(|name| text.matches(name).count() > 1) {
        return None;
    }
    let dictionary = Parser::new(text).parse::<Dictionary>().ok()?;
    let value = |name: &str| match dictionary.get(name) {
        Some(ListEntry::Item(item)) => Some(&item.bare_item),
        _ => None,
    };
    let bare = Some(&BareItem::Boolean(true));
    if value("no-store") == bare || value("no-cache") == bare {
        return Some(MIN_FRESH_SECS);
    }
    let seconds = match value("max-age") {
        None | Some(BareItem::Boolean(_)) => DEFAULT_FRESH_SECS,
        Some(BareItem::Integer(seconds)) => u64::try_from(i64::from(*seconds)).unwrap_or(0),
        Some(BareItem::String(seconds)) => {
            let digits = seconds.as_str();
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { digits.parse().unwrap_or(u64::MAX) } else { 0 }
        }
        Some(_) => 0,
    };
    Some(seconds.clamp(MIN_FRESH_SECS, MAX_FRESH_SECS))
}
