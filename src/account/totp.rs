//! Codes of an authenticator (TOTP, RFC 6238, over HOTP, RFC 4226): six digits, SHA-1, steps of 30 seconds, which is what all authenticators
//! can do.
//!
//! A step counts once (RFC 6238 §5.2): the last one that was used is kept, and only later ones are taken.

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use super::base32;
use crate::{secret::Secret, time::UnixTime};

/// As long as the hash (RFC 4226 §4, R6).
pub const SECRET_BYTES: usize = 20;

/// How long a code is shown.
const STEP_SECS: i64 = 30;

/// How many steps a clock may be wrong, either way.
const SKEW_STEPS: i64 = 1;

const DIGITS: usize = 6;

/// A step of time; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Step(pub i64);

/// The step whose code this is, if it may be used: it is near now, and later than the last one that was used. All steps that are near are
/// computed and compared, whichever fits.
#[must_use]
pub fn check(secret: &Secret, code: &str, last: Option<Step>, now: UnixTime) -> Option<Step> {
    let digits: [u8; DIGITS] = code.as_bytes().try_into().ok()?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let current = now.as_secs().div_euclid(STEP_SECS);
    let mut found = i64::MIN;
    for skew in -SKEW_STEPS..=SKEW_STEPS {
        let step = current.saturating_add(skew);
        let fits = code_of(secret, step)?.ct_eq(&digits);
        found.conditional_assign(&step, fits);
    }
    let found = (found != i64::MIN).then_some(Step(found))?;
    last.is_none_or(|last| found > last).then_some(found)
}

/// What the QR code says, for <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>.
#[must_use]
pub fn uri(secret: &Secret, issuer: &str, account: &str) -> String {
    let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
    let secret = base32::encode(secret.expose_secret());
    format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    )
}

/// RFC 4226 §5.3.
fn code_of(secret: &Secret, step: i64) -> Option<[u8; DIGITS]> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose_secret()).ok()?;
    mac.update(&step.to_be_bytes());
    let tag = mac.finalize().into_bytes();
    let offset = usize::from(tag.last()? & 0x0f);
    let four: [u8; 4] = tag.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
    let number = (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000;
    format!("{number:06}").as_bytes().try_into().ok()
}

/// All but the unreserved characters of RFC 3986 §2.3.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// What an authenticator shows.
#[cfg(test)]
pub(super) fn shown(secret: &Secret, now: UnixTime) -> String {
    let code = code_of(secret, now.as_secs().div_euclid(STEP_SECS)).unwrap();
    String::from_utf8(code.to_vec()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new(b"12345678901234567890".to_vec())
    }

    fn at(secs: i64) -> UnixTime {
        UnixTime::from_secs(secs)
    }

    /// RFC 6238 appendix B, the last six of its eight digits.
    #[test]
    fn as_the_rfc_has_it() {
        let rows = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (secs, code) in rows {
            assert_eq!(check(&secret(), code, None, at(secs)), Some(Step(secs / 30)), "{code}");
        }
    }

    #[test]
    fn a_step_counts_once() {
        let step = check(&secret(), "287082", None, at(59)).unwrap();
        assert_eq!(check(&secret(), "287082", Some(step), at(59)), None);
        assert_eq!(check(&secret(), "287082", Some(Step(step.0 - 1)), at(59)), Some(step));
        // An earlier step is over once a later one was used.
        assert_eq!(check(&secret(), "287082", Some(Step(step.0 + 1)), at(59)), None);
    }

    #[test]
    fn one_step_either_way_and_no_more() {
        for (secs, fits) in
            [(0, true), (29, true), (30, true), (89, true), (90, false), (-1, false)]
        {
            assert_eq!(check(&secret(), "287082", None, at(secs)).is_some(), fits, "{secs}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for code in ["", "28708", "2870822", "28708a", "287 82", "٢٨٧٠٨٢", "287082\n"] {
            assert_eq!(check(&secret(), code, None, at(59)), None, "{code:?}");
        }
        assert_eq!(check(&secret(), "287083", None, at(59)), None);
    }

    #[test]
    fn what_authenticators_read() {
        assert_eq!(
            uri(&secret(), "Acme & Co", "ada@example.com"),
            "otpauth://totp/Acme%20%26%20Co:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20%26%20Co&algorithm=SHA1&digits=6&period=30"
        );
    }
}
