//! API keys that are minted and verified without a store.
//!
//! A key is `<prefix>_<environment>_<body><checksum>`, for instance `sk_live_` and 58 more
//! characters:
//!
//! - **prefix**: says what kind of key it is. Lower-case letters and digits in groups joined by single
//!   `_`, beginning with a letter, at most 32 bytes (`sk`, `github_pat`).
//! - **environment**: `[a-z][a-z0-9]{0,15}`, so never with `_`.
//! - **body**: 38 bytes as 52 base62 digits (`0-9A-Za-z`, big-endian, padded with `0`): version `1` (1
//!   byte), signing-key id (1), key id (16, random), expiry in unix minutes (4, big-endian, 0 = none),
//!   tag (16).
//! - **tag**: the first 16 bytes of `HMAC-SHA-256(secret, "edgegate-api-key-v1" ‖ 0x00 ‖ prefix ‖ "_" ‖
//!   environment ‖ 0x00 ‖ the first 22 bytes of the body)`.
//! - **checksum**: CRC-32 (IEEE) of all characters before it, as 6 base62 digits.
//!
//! A key can be read in one way only: the environment and the last part have no `_`, and no configured prefix
//! may begin with another prefix and `_`.

mod base62;
mod crc32;
mod hex;
pub mod record;

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use self::base62::{BODY_BYTES, BODY_DIGITS, CHECKSUM_DIGITS};
use self::crc32::crc32;
use crate::error::Error;
use crate::json::fault::DocumentFault;
use crate::json::readable::{Readable, deserialize};
use crate::secret::Secret;
use crate::time::UnixTime;

/// Longest prefix in bytes. No kind of key needs a longer one, and the gate reads no more of an unknown text.
pub const MAX_PREFIX_BYTES: usize = 32;
/// Longest environment in bytes.
pub const MAX_ENVIRONMENT_BYTES: usize = 16;
/// Shortest signing secret: an HMAC key is at least as long as its hash (RFC 7518 §3.2, RFC 2104 §3).
pub const MIN_SECRET_BYTES: usize = 32;
/// Shortest possible key: one letter each for prefix and environment.
pub const MIN_KEY_BYTES: usize = 4 + BODY_DIGITS + CHECKSUM_DIGITS;
/// Longest possible key.
pub const MAX_KEY_BYTES: usize =
    MAX_PREFIX_BYTES + MAX_ENVIRONMENT_BYTES + 2 + BODY_DIGITS + CHECKSUM_DIGITS;

/// Keeps these tags apart from every other use of the same secret.
const TAG_LABEL: &[u8] = b"edgegate-api-key-v1";
const VERSION: u8 = 1;
/// Bytes of the body that the tag covers.
const SIGNED_BYTES: usize = 22;
/// 128 bits: a forger needs 2^127 tries on average, and RFC 2104 §5 allows half the hash.
const TAG_BYTES: usize = BODY_BYTES - SIGNED_BYTES;
const SECS_PER_MINUTE: i64 = 60;

/// The public name of a key, for records, logs and revocations. Nobody gets in with it.
///
/// It is written as 32 lower-case hexadecimal digits, and no other spelling is accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// An id of 16 bytes from a cryptographic random source. Two keys with the same id would share a record.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id as it is written, without allocation.
    #[must_use]
    pub fn to_digits(self) -> [u8; 32] {
        hex::digits(self.0)
    }

    /// Where a store keeps the record: `key/v1/<id>`.
    #[must_use]
    pub fn storage_name(&self) -> String {
        format!("key/v1/{self}")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidField`] with the path `id`.
    fn from_str(text: &str) -> Result<Self, Error> {
        hex::read(text).map(Self).ok_or_else(|| Error::InvalidField {
            path: "id".to_owned(),
            problem: "expected 32 lower-case hexadecimal digits".to_owned(),
        })
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Readable for KeyId {
    fn blank() -> Self {
        Self([0; 16])
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        self.0 = hex::read_value(value)?;
        Ok(())
    }
}

deserialize!(KeyId);

#[cfg(feature = "describe")]
impl crate::json::describe::Describe for KeyId {
    fn schema(_: &mut crate::json::describe::Definitions) -> serde_json::Value {
        serde_json::json!({"type": "string", "pattern": "^[0-9a-f]{32}$"})
    }
}

/// SHA-256 of a key of another system. With it that key is imported.
///
/// A plain, fast hash is safe only for a key that cannot be guessed. Import keys with **at least 128 bits of
/// entropy**, never passwords or words that people have chosen. It is written as 64 lower-case hexadecimal
/// digits, as most systems store it.
#[derive(Clone, Copy)]
pub struct ImportedHash([u8; 32]);

impl ImportedHash {
    /// The hash of all bytes of the key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// A hash that the other system has stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The id of the key's record: the first 16 bytes of the hash, so that the record is found without an index.
    /// [`record::KeyRecord::is_import_of`] then compares the whole hash.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(self.0) {
            *to = from;
        }
        KeyId(id)
    }
}

/// In constant time.
impl PartialEq for ImportedHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ImportedHash {}

impl fmt::Debug for ImportedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportedHash(_)")
    }
}

impl Serialize for ImportedHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(64);
        hex::write(&mut text, &self.0).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl Readable for ImportedHash {
    fn blank() -> Self {
        Self([0; 32])
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        self.0 = hex::read_value(value)?;
        Ok(())
    }
}

deserialize!(ImportedHash);

#[cfg(feature = "describe")]
impl crate::json::describe::Describe for ImportedHash {
    fn schema(_: &mut crate::json::describe::Definitions) -> serde_json::Value {
        serde_json::json!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
    }
}

/// The secrets that sign keys. There may be several, so that they can be rotated: the one with the highest id signs, all verify.
///
/// The HMAC key schedule is computed once, here, and has taken in the label with which all tags begin.
pub struct SigningKeys {
    /// Ascending by id, never empty.
    keys: Vec<(u8, Hmac<Sha256>)>,
    /// The last of `keys`.
    newest: (u8, Hmac<Sha256>),
}

impl SigningKeys {
    /// Takes the secrets, with the ids that stand in the keys.
    ///
    /// # Errors
    /// [`Error::Config`] with a path below `signing_keys`: no secret, an id twice, or a secret of fewer than
    /// [`MIN_SECRET_BYTES`] bytes.
    pub fn new(secrets: Vec<(u8, Secret)>) -> Result<Self, Error> {
        let mut keys: Vec<(u8, Hmac<Sha256>)> = Vec::with_capacity(secrets.len());
        for (position, (id, secret)) in secrets.iter().enumerate() {
            let at = |field: &str| format!("signing_keys[{position}].{field}");
            if keys.iter().any(|(other, _)| other == id) {
                return Err(Error::config(at("id"), format!("id {id} is given twice")));
            }
            secret
                .require_length(MIN_SECRET_BYTES)
                .map_err(|error| Error::config(at("secret"), error.to_string()))?;
            let mut schedule = Hmac::<Sha256>::new_from_slice(secret.expose_secret())
                .map_err(|_| Error::config(at("secret"), "is no HMAC key"))?;
            schedule.update(TAG_LABEL);
            schedule.update(&[0]);
            let place = keys.partition_point(|(other, _)| other < id);
            keys.insert(place, (*id, schedule));
        }
        let Some(newest) = keys.last().cloned() else {
            return Err(Error::config("signing_keys", "expected a non-empty list"));
        };
        Ok(Self { keys, newest })
    }

    /// The id of the key that signs.
    #[must_use]
    pub const fn newest_id(&self) -> u8 {
        self.newest.0
    }

    fn by_id(&self, id: u8) -> Option<&Hmac<Sha256>> {
        self.keys.iter().find(|(other, _)| *other == id).map(|(_, schedule)| schedule)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u8> = self.keys.iter().map(|(id, _)| *id).collect();
        f.debug_struct("SigningKeys").field("ids", &ids).finish_non_exhaustive()
    }
}

/// Mints and verifies the keys of one environment.
#[derive(Debug)]
pub struct ApiKeys {
    environment: String,
    prefixes: Vec<Arc<str>>,
    signing_keys: SigningKeys,
}

impl ApiKeys {
    /// Keys of `environment` that begin with one of `prefixes`.
    ///
    /// # Errors
    /// [`Error::Config`] with the path `environment`, `prefixes` or `prefixes[n]`: a name outside its grammar (see the
    /// [module](self)), no prefix, a prefix twice, or a prefix that begins with another one and `_`.
    pub fn new<P: AsRef<str>>(
        environment: &str,
        prefixes: &[P],
        signing_keys: SigningKeys,
    ) -> Result<Self, Error> {
        if !is_environment(environment) {
            return Err(Error::config(
                "environment",
                "expected 1 to 16 lower-case letters and digits, a letter first",
            ));
        }
        if prefixes.is_empty() {
            return Err(Error::config("prefixes", "expected a non-empty list"));
        }
        let mut known: Vec<Arc<str>> = Vec::with_capacity(prefixes.len());
        for (position, prefix) in prefixes.iter().map(AsRef::as_ref).enumerate() {
            let at = || format!("prefixes[{position}]");
            if !is_prefix(prefix) {
                let problem = "expected 1 to 32 lower-case letters and digits, a letter first, \
                               in groups joined by single underscores";
                return Err(Error::config(at(), problem));
            }
            for other in &known {
                if **other == *prefix {
                    return Err(Error::config(at(), format!("{prefix} is given twice")));
                }
                if begins_with(prefix, other) || begins_with(other, prefix) {
                    let problem = format!("{prefix} and {other} cannot be told apart");
                    return Err(Error::config(at(), problem));
                }
            }
            known.push(prefix.into());
        }
        Ok(Self { environment: environment.to_owned(), prefixes: known, signing_keys })
    }

    /// The environment whose keys are minted and accepted.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// The prefixes, in the order given. A key is minted with the first one if no other is asked for.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(AsRef::as_ref)
    }

    /// Whether the text begins as one of these keys: with a configured prefix and `_`. A JWT never does: its third
    /// character is upper case (`{"` in base64url), and prefixes have lower case only.
    #[must_use]
    pub fn looks_like(&self, text: &str) -> bool {
        self.prefix_of(text).is_some()
    }

    /// Makes a key. `id` must be 16 fresh random bytes.
    ///
    /// The expiry is rounded **up** to a whole minute, so no key ends too early. The record keeps the exact second, and
    /// both are checked. [`MintedKey::expires_at`] is the rounded one.
    ///
    /// # Errors
    /// [`Error::InvalidField`]: `prefix` is not configured, or `expires_at` is not after 1970 or beyond the year 10000.
    pub fn mint(
        &self,
        prefix: &str,
        id: KeyId,
        expires_at: Option<UnixTime>,
    ) -> Result<MintedKey, Error> {
        let Some(prefix) = self.prefixes.iter().find(|known| ***known == *prefix) else {
            let known: Vec<&str> = self.prefixes().collect();
            return Err(Error::InvalidField {
                path: "prefix".to_owned(),
                problem: format!("expected one of {}", known.join(", ")),
            });
        };
        let minutes = expires_at.map_or(Ok(0), to_minutes)?;
        let (signing_key_id, schedule) = &self.signing_keys.newest;
        let signed = Signed { version: VERSION, signing_key_id: *signing_key_id, id, minutes };
        let signed_bytes = signed.to_bytes();
        let tag = tag_input(schedule, prefix, &self.environment, &signed_bytes).finalize();
        let mut body = [0; BODY_BYTES];
        let tag_bytes = tag.into_bytes();
        for (to, from) in body.iter_mut().zip(signed_bytes.iter().chain(&tag_bytes)) {
            *to = *from;
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_BYTES));
        text.push_str(prefix);
        text.push('_');
        text.push_str(&self.environment);
        text.push('_');
        let mut digits = base62::encode_body(&body);
        text.extend(digits.iter().copied().map(char::from));
        let checksum = base62::encode_checksum(crc32(text.as_bytes()));
        text.extend(checksum.iter().copied().map(char::from));
        body.zeroize();
        digits.zeroize();
        Ok(MintedKey { text, id, prefix: Arc::clone(prefix), expires_at: signed.expires_at() })
    }

    /// Decides whether a key is genuine and not expired, without any store.
    ///
    /// It checks in this order: length, prefix, characters and structure, checksum, environment, spelling of the body,
    /// version, signing key, tag (in constant time), expiry. So [`Error::WrongEnvironment`] also means that the key is
    /// not mistyped, and [`Error::ApiKeyExpired`] that it is genuine. A key whose expiry equals `now` is expired.
    ///
    /// # Errors
    /// [`Error::MalformedApiKey`], [`Error::UnknownApiKeyPrefix`], [`Error::ApiKeyChecksum`], [`Error::WrongEnvironment`],
    /// [`Error::UnknownSigningKey`], [`Error::ApiKeyTag`], [`Error::ApiKeyExpired`].
    pub fn verify(&self, key: &str, now: UnixTime) -> Result<VerifiedApiKey, Error> {
        if !(MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&key.len()) {
            return Err(malformed("expected 62 to 108 characters"));
        }
        let prefix = self.prefix_of(key).ok_or(Error::UnknownApiKeyPrefix)?;
        let Parts { environment, body, checked, checksum } = split(key, prefix)?;
        if base62::decode_checksum(*checksum) != u64::from(crc32(checked)) {
            return Err(Error::ApiKeyChecksum);
        }
        if environment != self.environment {
            return Err(Error::WrongEnvironment);
        }
        let body = base62::decode_body(body)
            .ok_or_else(|| malformed("body: expected a number below 2 to the power of 304"))?;
        let (signed_bytes, tag) =
            body.split_first_chunk().ok_or_else(|| malformed("body: expected 38 bytes"))?;
        let signed = Signed::from_bytes(signed_bytes);
        if signed.version != VERSION {
            return Err(malformed("body: expected version 1"));
        }
        let schedule = self
            .signing_keys
            .by_id(signed.signing_key_id)
            .ok_or(Error::UnknownSigningKey { id: signed.signing_key_id })?;
        let tag: &[u8; TAG_BYTES] =
            tag.first_chunk().ok_or_else(|| malformed("body: expected 38 bytes"))?;
        tag_input(schedule, prefix, environment, signed_bytes)
            .verify_truncated_left(tag)
            .map_err(|_| Error::ApiKeyTag)?;
        let expires_at = signed.expires_at();
        if let Some(expired_at) = expires_at.filter(|expiry| *expiry <= now) {
            return Err(Error::ApiKeyExpired { expired_at, now });
        }
        Ok(VerifiedApiKey {
            id: signed.id,
            prefix: Arc::clone(prefix),
            expires_at,
            signing_key_id: signed.signing_key_id,
        })
    }

    fn prefix_of(&self, text: &str) -> Option<&Arc<str>> {
        self.prefixes.iter().find(|prefix| begins_with(text, prefix))
    }
}

/// A new key. Only this value has its text: it is shown once and stored nowhere.
pub struct MintedKey {
    text: Zeroizing<String>,
    id: KeyId,
    prefix: Arc<str>,
    expires_at: Option<UnixTime>,
}

impl MintedKey {
    /// The text of the key, for the one answer that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Its prefix.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The expiry inside the key: the one that was asked for, rounded up to a whole minute.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}

impl fmt::Debug for MintedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MintedKey")
            .field("id", &self.id)
            .field("prefix", &self.prefix)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A key that one of our secrets has signed for this environment, and that was not expired when it was verified.
/// Its record says whether it was revoked or changed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedApiKey {
    id: KeyId,
    prefix: Arc<str>,
    expires_at: Option<UnixTime>,
    signing_key_id: u8,
}

impl VerifiedApiKey {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Its prefix, which is one of the configured ones.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The expiry inside the key, on a whole minute.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// The id of the secret that signed it. It shows when an old secret is no longer used.
    #[must_use]
    pub const fn signing_key_id(&self) -> u8 {
        self.signing_key_id
    }
}

/// The part of the body under the tag.
struct Signed {
    version: u8,
    signing_key_id: u8,
    id: KeyId,
    minutes: u32,
}

impl Signed {
    fn to_bytes(&self) -> [u8; SIGNED_BYTES] {
        let mut bytes = [0; SIGNED_BYTES];
        let fields = [self.version, self.signing_key_id]
            .into_iter()
            .chain(self.id.0)
            .chain(self.minutes.to_be_bytes());
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; SIGNED_BYTES]) -> Self {
        let [version, signing_key_id, id @ .., m3, m2, m1, m0] = *bytes;
        Self {
            version,
            signing_key_id,
            id: KeyId(id),
            minutes: u32::from_be_bytes([m3, m2, m1, m0]),
        }
    }

    fn expires_at(&self) -> Option<UnixTime> {
        (self.minutes != 0)
            .then(|| UnixTime::from_secs(i64::from(self.minutes).saturating_mul(SECS_PER_MINUTE)))
    }
}

/// The parts of a key. Only its form has been checked.
struct Parts<'a> {
    environment: &'a str,
    body: &'a [u8; BODY_DIGITS],
    /// The characters that the checksum covers.
    checked: &'a [u8],
    checksum: &'a [u8; CHECKSUM_DIGITS],
}

/// Whether `key` begins with `prefix` and `_`.
fn split<'a>(key: &'a str, prefix: &str) -> Result<Parts<'a>, Error> {
    const SHAPE: &str = "expected <prefix>_<environment>_<body><checksum>";
    let (environment, last) = key
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .and_then(|rest| rest.split_once('_'))
        .ok_or_else(|| malformed(SHAPE))?;
    if !is_environment(environment) {
        return Err(malformed("environment: expected 1 to 16 lower-case letters and digits"));
    }
    if last.len() != BODY_DIGITS + CHECKSUM_DIGITS || !base62::are_digits(last.as_bytes()) {
        return Err(malformed("expected 58 letters and digits after the environment"));
    }
    let (checked, checksum) = key.as_bytes().split_last_chunk().ok_or_else(|| malformed(SHAPE))?;
    let (_, body) = checked.split_last_chunk().ok_or_else(|| malformed(SHAPE))?;
    Ok(Parts { environment, body, checked, checksum })
}

fn tag_input(
    schedule: &Hmac<Sha256>,
    prefix: &str,
    environment: &str,
    signed: &[u8; SIGNED_BYTES],
) -> Hmac<Sha256> {
    let mut mac = schedule.clone();
    mac.update(prefix.as_bytes());
    mac.update(b"_");
    mac.update(environment.as_bytes());
    mac.update(&[0]);
    mac.update(signed);
    mac
}

/// Rounds up to a whole minute. 0 means "no expiry", so the first minute of 1970 is the earliest.
fn to_minutes(expires_at: UnixTime) -> Result<u32, Error> {
    u64::try_from(expires_at.as_secs())
        .ok()
        .filter(|secs| *secs > 0)
        .and_then(|secs| u32::try_from(secs.div_ceil(60)).ok())
        .ok_or_else(|| Error::InvalidField {
            path: "expires_at".to_owned(),
            problem: "expected a time after 1970 and before the year 10000".to_owned(),
        })
}

fn begins_with(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('_'))
}

fn is_prefix(text: &str) -> bool {
    text.len() <= MAX_PREFIX_BYTES
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('_').all(|group| !group.is_empty() && group.bytes().all(is_name_byte))
}

fn is_environment(text: &str) -> bool {
    text.len() <= MAX_ENVIRONMENT_BYTES
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

const fn malformed(problem: &'static str) -> Error {
    Error::MalformedApiKey { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
    const ID: KeyId = KeyId::from_bytes([7; 16]);

    fn secret(byte: u8) -> Secret {
        Secret::new(vec![byte; 32])
    }

    fn signing(secrets: &[(u8, u8)]) -> SigningKeys {
        SigningKeys::new(secrets.iter().map(|(id, byte)| (*id, secret(*byte))).collect()).unwrap()
    }

    fn keys() -> ApiKeys {
        ApiKeys::new("prod", &["sk", "acme_pat"], signing(&[(1, 1)])).unwrap()
    }

    #[track_caller]
    fn refused<T: fmt::Debug>(result: Result<T, Error>, message: &str) {
        assert_eq!(result.unwrap_err().to_string(), message);
    }

    #[track_caller]
    fn refused_names(environment: &str, prefixes: &[&str], message: &str) {
        refused(ApiKeys::new(environment, prefixes, signing(&[(1, 1)])), message);
    }

    #[test]
    fn a_minted_key_verifies_and_says_what_it_was_minted_with() {
        for prefix in ["sk", "acme_pat"] {
            let minted = keys().mint(prefix, ID, Some(UnixTime::from_secs(1_700_000_100))).unwrap();
            assert!(minted.expose().starts_with(&format!("{prefix}_prod_")));
            assert_eq!(minted.expose().len(), prefix.len() + 64);
            let verified = keys().verify(minted.expose(), NOW).unwrap();
            assert_eq!((verified.id(), verified.prefix()), (ID, prefix));
            assert_eq!(verified.expires_at(), minted.expires_at());
            assert_eq!(verified.signing_key_id(), 1);
        }
    }

    #[test]
    fn expiry_is_rounded_up_to_a_minute_and_is_expired_when_it_comes() {
        for (asked, got) in [(1, 60), (60, 60), (61, 120), (1_700_000_100, 1_700_000_100)] {
            let minted = keys().mint("sk", ID, Some(UnixTime::from_secs(asked))).unwrap();
            assert_eq!(minted.expires_at(), Some(UnixTime::from_secs(got)));
            let at = |secs| keys().verify(minted.expose(), UnixTime::from_secs(secs));
            assert!(at(got - 1).is_ok());
            refused(at(got), &format!("API key expired at {got}, it is {got}"));
        }
        let minted = keys().mint("sk", ID, None).unwrap();
        assert_eq!(minted.expires_at(), None);
        assert!(keys().verify(minted.expose(), UnixTime::from_secs(i64::MAX)).is_ok());
    }

    #[test]
    fn only_an_expiry_that_fits_is_minted() {
        let largest = i64::from(u32::MAX) * 60;
        let at = |secs| keys().mint("sk", ID, Some(UnixTime::from_secs(secs)));
        assert_eq!(at(largest).unwrap().expires_at(), Some(UnixTime::from_secs(largest)));
        for secs in [i64::MIN, -1, 0, largest + 1, i64::MAX] {
            refused(at(secs), "expires_at: expected a time after 1970 and before the year 10000");
        }
        refused(keys().mint("pk", ID, None), "prefix: expected one of sk, acme_pat");
    }

    #[test]
    fn the_highest_id_signs_and_all_verify() {
        let old = ApiKeys::new("prod", &["sk"], signing(&[(1, 1)])).unwrap();
        let both = ApiKeys::new("prod", &["sk"], signing(&[(2, 2), (1, 1)])).unwrap();
        let new = ApiKeys::new("prod", &["sk"], signing(&[(2, 2)])).unwrap();
        let (of_old, of_both) =
            (old.mint("sk", ID, None).unwrap(), both.mint("sk", ID, None).unwrap());
        assert_eq!(both.verify(of_old.expose(), NOW).unwrap().signing_key_id(), 1);
        assert_eq!(both.verify(of_both.expose(), NOW).unwrap().signing_key_id(), 2);
        assert_eq!(new.verify(of_both.expose(), NOW).unwrap().signing_key_id(), 2);
        let message = "API key was signed with signing key 1, which is not configured";
        refused(new.verify(of_old.expose(), NOW), message);
    }

    #[test]
    fn a_key_of_another_environment_says_so_only_if_it_is_not_mistyped() {
        let other = ApiKeys::new("dev", &["sk"], signing(&[(1, 1)])).unwrap();
        let minted = other.mint("sk", ID, None).unwrap();
        refused(keys().verify(minted.expose(), NOW), "API key belongs to another environment");
        let mistyped = minted.expose().replacen("_dev_", "_dew_", 1);
        refused(keys().verify(&mistyped, NOW), "API key checksum does not match");
    }

    #[test]
    fn looks_like_wants_a_configured_prefix_and_an_underscore() {
        for text in ["sk_", "sk_prod_x", "acme_pat_x"] {
            assert!(keys().looks_like(text), "{text}");
        }
        for text in ["", "sk", "skx_", "SK_", "acme_", "eyJhbGciOiJIUzI1NiJ9.e30.sk_", " sk_"] {
            assert!(!keys().looks_like(text), "{text}");
        }
    }

    #[test]
    fn signing_keys_refuse_weak_and_ambiguous_sets() {
        refused(SigningKeys::new(vec![]), "signing_keys: expected a non-empty list");
        refused(
            SigningKeys::new(vec![(1, secret(1)), (1, secret(2))]),
            "signing_keys[1].id: id 1 is given twice",
        );
        refused(
            SigningKeys::new(vec![(1, secret(1)), (2, Secret::new(vec![2; 31]))]),
            "signing_keys[1].secret: secret has 31 bytes, expected at least 32",
        );
        assert_eq!(signing(&[(3, 1), (9, 2), (4, 3)]).newest_id(), 9);
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        let environment =
            "environment: expected 1 to 16 lower-case letters and digits, a letter first";
        for name in ["", "Prod", "1prod", "pro_d", "pro-d", "prodprodprodprodp", "pr\u{f6}d"] {
            refused_names(name, &["sk"], environment);
        }
        refused_names("prod", &[], "prefixes: expected a non-empty list");
        let prefix = "prefixes[0]: expected 1 to 32 lower-case letters and digits, a letter first, in \
                      groups joined by single underscores";
        let long = "a".repeat(33);
        for name in ["", "SK", "1k", "s-k", "_sk", "sk_", "s__k", &long] {
            refused_names("prod", &[name], prefix);
        }
        refused_names("prod", &["sk", "pk", "sk"], "prefixes[2]: sk is given twice");
        refused_names("prod", &["sk", "sk_x"], "prefixes[1]: sk_x and sk cannot be told apart");
        refused_names("prod", &["sk_x", "sk"], "prefixes[1]: sk and sk_x cannot be told apart");
        assert!(ApiKeys::new("prod", &["sk", "skx", "s_k"], signing(&[(1, 1)])).is_ok());
    }

    #[test]
    fn the_longest_and_the_shortest_names_meet_the_bounds() {
        let (prefix, environment) = ("a".repeat(32), "b".repeat(16));
        for (prefix, environment, length) in
            [(prefix.as_str(), environment.as_str(), MAX_KEY_BYTES), ("a", "b", MIN_KEY_BYTES)]
        {
            let keys = ApiKeys::new(environment, &[prefix], signing(&[(1, 1)])).unwrap();
            let minted = keys.mint(prefix, ID, None).unwrap();
            assert_eq!(minted.expose().len(), length);
            assert!(keys.verify(minted.expose(), NOW).is_ok());
        }
    }

    #[test]
    fn key_ids_have_one_spelling() {
        let text = "07".repeat(16);
        assert_eq!(ID.to_string(), text);
        assert_eq!(text.parse::<KeyId>().unwrap(), ID);
        assert_eq!(ID.storage_name(), format!("key/v1/{text}"));
        assert_eq!(serde_json::to_string(&ID).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<KeyId>(&format!("\"{text}\"")).unwrap(), ID);
        for wrong in ["", "07", &"0G".repeat(16), &"0A".repeat(16), &format!("{text}0")] {
            refused(wrong.parse::<KeyId>(), "id: expected 32 lower-case hexadecimal digits");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let minted = keys().mint("sk", ID, None).unwrap();
        let shown = format!("{minted:?} {:?}", keys());
        assert_eq!(
            shown,
            "MintedKey { id: KeyId(07070707070707070707070707070707), prefix: \"sk\", \
             expires_at: None, .. } ApiKeys { environment: \"prod\", prefixes: [\"sk\", \"acme_pat\"], \
             signing_keys: SigningKeys { ids: [1], .. } }"
        );
        assert_eq!(format!("{:?}", ImportedHash::of("key")), "ImportedHash(_)");
    }
}
