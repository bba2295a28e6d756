//! The cookie of a browser that somebody has logged in with: it lets the owner in while strangers guess at the same name.
//!
//! ```text
//! __Host-edgegate-d=<base64url(128 random bits ‖ 128 bits of their MAC)>
//! ```
//! The MAC shows without asking anybody that the gate has set it: half of all hashes is for such browsers, and of these each has so many. Whose
//! browser it is, the row of the name says ([`super::row`]), by a hash that differs from name to name.

use hmac::Mac as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    row::{DeviceHash, RowKey},
    secrets::AccountSecrets,
};
use crate::session::Opaque;

/// Browsers take a `__Host-` cookie only with `Secure`, for `/`, and for this host alone, so no sibling domain can plant one.
pub const COOKIE: &str = "__Host-edgegate-d";

/// Only pages that may log people in send it. 400 days: browsers keep no cookie for longer (RFC 6265bis §5.6.1).
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=34560000";

const HALF: usize = 16;

/// A browser that the gate has set its cookie in. One that comes from another part of the gate was looked at there.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device(Opaque<32>);

impl Device {
    /// A new one of random bits.
    #[must_use]
    pub fn new(random: [u8; HALF], secrets: &AccountSecrets) -> Self {
        let mut bytes = [0; 32];
        let tag = tag(&random, secrets);
        bytes.iter_mut().zip(random.iter().chain(&tag)).for_each(|(byte, own)| *byte = *own);
        Self(Opaque::from_bytes(bytes))
    }

    /// Reads the value of the cookie; `None` for anything that the gate has not written.
    #[must_use]
    pub fn parse(value: &str, secrets: &AccountSecrets) -> Option<Self> {
        let read = Opaque::<32>::parse(value)?;
        let ([random, given], []) = read.as_bytes().as_chunks::<HALF>() else { return None };
        bool::from(tag(random, secrets).ct_eq(given)).then_some(Self(read))
    }

    /// The value of `Set-Cookie`.
    #[must_use]
    pub fn set_cookie(&self) -> String {
        format!("{COOKIE}={}; {ATTRIBUTES}", self.0)
    }

    /// By what is counted what it does, at whatever name.
    #[must_use]
    pub fn counted_by(&self) -> DeviceHash {
        let hash = Sha256::new_with_prefix(b"edgegate-login-device-count-v1\0");
        DeviceHash::from_bytes(hash.chain_update(self.0.as_bytes()).finalize().into())
    }

    /// By what the row of a name knows it.
    #[must_use]
    pub fn hash_for(&self, name: &RowKey) -> DeviceHash {
        let mut hash = Sha256::new_with_prefix(b"edgegate-login-device-v1\0");
        hash.update(self.0.as_bytes());
        hash.update(name.as_bytes());
        DeviceHash::from_bytes(hash.finalize().into())
    }
}

/// Shows nothing.
impl core::fmt::Debug for Device {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Device(_)")
    }
}

fn tag(random: &[u8; HALF], secrets: &AccountSecrets) -> [u8; HALF] {
    let mut mac = secrets.devices();
    mac.update(random);
    let mut tag = [0; HALF];
    tag.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(byte, own)| *byte = own);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn secrets(byte: u8) -> AccountSecrets {
        AccountSecrets::new(vec![(1, Secret::new(vec![byte; 32]))]).unwrap()
    }

    #[test]
    fn only_what_the_gate_has_set_is_read() {
        let device = Device::new([7; 16], &secrets(1));
        let cookie = device.set_cookie();
        let value = cookie.split(['=', ';']).nth(1).unwrap();
        assert_eq!(Device::parse(value, &secrets(1)), Some(device));
        assert_eq!(Device::parse(value, &secrets(2)), None);
        for at in 0..value.len() {
            let mut changed = value.to_owned().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(Device::parse(core::str::from_utf8(&changed).unwrap(), &secrets(1)), None);
        }
        assert_eq!(Device::parse("", &secrets(1)), None);
        assert_eq!(format!("{device:?}"), "Device(_)");
    }

    #[test]
    fn rows_of_two_names_do_not_show_that_they_have_one_browser() {
        let device = Device::new([7; 16], &secrets(1));
        let (ada, bob) = (RowKey::from_bytes([1; 32]), RowKey::from_bytes([2; 32]));
        assert_ne!(device.hash_for(&ada), device.hash_for(&bob));
        assert_eq!(device.hash_for(&ada), device.hash_for(&ada));
        assert!(!device.set_cookie().contains(&device.counted_by().to_string()));
    }
}
