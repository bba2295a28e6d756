//! A callback that comes as a form of the provider's site (OAuth 2.0 Form Post Response Mode). Browsers send no `Lax` cookie with it.
//! So what it says is sealed into a parameter, and the browser is sent to the same path with it: that is a navigation again.

use super::{
    authorization::{Answer, Callback, form},
    sealed,
    state::MAX_STATE_LENGTH,
};
use crate::time::UnixTime;

/// How long the way back may take. Nobody stops there.
pub const LIFETIME_SECS: u64 = 60;

/// The longest parameter. It stands in a URL, and servers take 8 KiB of one: code and state may have half of that together.
const MAX_LENGTH: usize = 7000;

/// What is sealed: when it came, and the parameters that are looked at, as a query.
#[must_use]
pub fn to_bytes(callback: &Callback<'_>, now: UnixTime) -> Vec<u8> {
    let said = match &callback.answer {
        Answer::Code(code) => ("code", code.as_ref()),
        Answer::Refused(refusal) => ("error", refusal.word()),
    };
    let issuer = callback.issuer.as_deref().map(|issuer| ("iss", issuer));
    let parameters = [("state", callback.state.as_ref()), said].into_iter().chain(issuer);
    [now.as_secs().to_be_bytes().as_slice(), form(parameters).as_bytes()].concat()
}

/// The parameters, unless they came too long ago.
#[must_use]
pub fn from_bytes(bytes: &[u8], now: UnixTime) -> Option<String> {
    let (at, parameters) = bytes.split_first_chunk()?;
    let at = UnixTime::from_secs(i64::from_be_bytes(*at));
    // Another isolate's clock may be ahead.
    let is_alive =
        now < at.saturating_add(LIFETIME_SECS) && at <= now.saturating_add(LIFETIME_SECS);
    is_alive.then(|| String::from_utf8(parameters.to_vec()).ok()).flatten()
}

/// The additional data of the seal: for no other provider's callback.
#[must_use]
pub fn associated_data(provider: &str, key_id: u8) -> Vec<u8> {
    [b"edgegate-login-form-v1\0".as_slice(), &[key_id], provider.as_bytes()].concat()
}

/// The parameter; `None` if what was sealed is too long for a URL.
#[must_use]
pub fn write(key_id: u8, sealed: &str) -> Option<String> {
    Some(sealed::write(key_id, sealed)).filter(|text| text.len() <= MAX_LENGTH)
}

/// The id of the secret, and what was sealed by it.
#[must_use]
pub fn parse(text: &str) -> Option<(u8, &str)> {
    const { assert!(MAX_LENGTH > MAX_STATE_LENGTH, "it holds a state") };
    sealed::parse(text, MAX_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::authorization::{Parameters, Refusal};

    #[test]
    fn it_says_for_a_minute_what_the_form_said() {
        let now = UnixTime::from_secs(1_800_000_000);
        for answer in [Answer::Code("a b&c".into()), Answer::Refused(Refusal::Denied)] {
            let callback =
                Callback { state: "1.x".into(), issuer: Some("https://idp.test".into()), answer };
            let bytes = to_bytes(&callback, now);
            let text = from_bytes(&bytes, now.saturating_add(59)).unwrap();
            let parameters = Parameters::parse(&text).unwrap();
            assert_eq!(parameters.callback(), Ok(callback));
            assert_eq!(from_bytes(&bytes, now.saturating_add(60)), None);
            assert_eq!(from_bytes(&bytes, now.saturating_sub(61)), None);
            assert_eq!(from_bytes(&bytes[..7], now), None);
        }
    }

    #[test]
    fn it_is_for_one_provider() {
        assert_ne!(associated_data("a", 1), associated_data("b", 1));
        assert_ne!(associated_data("a", 1), associated_data("a", 2));
    }

    #[test]
    fn what_is_too_long_for_a_url_is_not_written() {
        assert_eq!(write(1, "Ab").as_deref(), Some("1.Ab"));
        assert_eq!(write(1, &"a".repeat(MAX_LENGTH)), None);
        assert_eq!(parse("1.Ab"), Some((1, "Ab")));
    }
}
