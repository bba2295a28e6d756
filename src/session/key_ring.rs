//! The keys that the gate signs by, and when they change.
//!
//! A key is *next* (published, and signs nothing yet), *active*, or *retired* (still published, until its last token has ended). Which of
//! them signs is decided by time alone: the one that became active last. So any number of isolates agree without asking.
//!
//! A managed ring is a [`RingRecord`] that one object keeps. It asks [`RingRecord::plan`] what is due, has the host make a key and
//! seal it (AES-256-GCM, with [`associated_data`]), and calls [`RingRecord::add`]. Making a key takes time, and another request may have
//! been faster: then `add` says no. A ring that cannot be opened is a fault; it is never made anew, since that would refuse every
//! token there is.

use core::fmt;
use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{metadata::CACHE_SECS, record::NOTICE_MARGIN_SECS};
use crate::{
    base64url,
    error::{Error, StoreError},
    jose::{
        algorithm::Algorithm,
        keys::{Key, KeySet},
        sign::{Signing, SigningKey},
    },
    json::{
        self, document,
        object::{object, words},
    },
    secret::Secret,
    time::UnixTime,
};

/// How long a key is published before it signs: twice as long as verifiers keep the keys, and some.
pub const LEAD_SECS: u64 = 2 * CACHE_SECS as u64 + 300;

/// How long a key signs.
pub const ACTIVE_SECS: u64 = 30 * 86_400;

/// How long an isolate may go on signing by a ring that it has read.
pub const RING_CACHE_SECS: u64 = 300;

/// How often an isolate may ask for the ring again because a token names a key that it does not know.
pub const ASK_AGAIN_SECS: u64 = 10;

/// The most keys in a ring.
const MAX_KEYS: usize = 16;

/// The version of the stored form.
const VERSION: u8 = 1;

object! {
    /// A key of a managed ring, as it is stored.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct StoredKey, ignored {
        /// RFC 7638; of a secret 128 random bits.
        pub kid: String,
        /// The algorithm.
        pub alg: String,
        /// The private JWK, sealed: nonce and AES-256-GCM, base64url.
        pub sealed: String,
        /// Which of the session secrets sealed it.
        pub sealed_by: u8,
        /// When it was made.
        pub published_at: UnixTime,
        /// From then on it signs, until the next one does.
        pub active_from: UnixTime,
    }
}

object! {
    /// A managed ring, as one object keeps it.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct RingRecord, ignored {
        /// The version of the form.
        pub v: u8,
        /// The longest life of a token that was ever signed, in seconds.
        pub longest_secs: u32 = 0,
        /// In the order in which they sign.
        pub keys: Vec<StoredKey>,
    }
}

impl Default for RingRecord {
    fn default() -> Self {
        Self { v: VERSION, longest_secs: 0, keys: Vec::new() }
    }
}

/// What a ring has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RingPlan {
    /// Nothing.
    Keep,
    /// Make a key that signs from then on.
    Create {
        /// When it begins to sign.
        active_from: UnixTime,
    },
    /// Open a key and seal it by the newest secret.
    Reseal {
        /// The key.
        kid: String,
    },
}

impl RingRecord {
    /// Reads what is stored.
    ///
    /// # Errors
    /// It is not ours, or of another version. It is not to be made anew.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        let record: Self = document::parse(text.as_bytes())
            .map_err(|_| StoreError::new("the key ring has a form that the gate does not write"))?;
        if record.v != VERSION || record.keys.is_empty() || record.keys.len() > MAX_KEYS {
            return Err(StoreError::new("the key ring has a form that the gate does not write"));
        }
        Ok(record)
    }

    /// What to store.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Texts and numbers.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The key that signs now.
    #[must_use]
    pub fn signing_key(&self, now: UnixTime) -> Option<&StoredKey> {
        active(&self.keys, |key| Some(key.active_from), now)
    }

    /// What is due. The first key of a ring signs at once: nobody has asked for keys before. Another algorithm is a next key too.
    #[must_use]
    pub fn plan(&self, algorithm: Algorithm, newest_secret: u8, now: UnixTime) -> RingPlan {
        let Some(last) = self.keys.last() else { return RingPlan::Create { active_from: now } };
        let due_at = last.active_from.saturating_add(ACTIVE_SECS).saturating_sub(LEAD_SECS);
        // While one waits to become active there is no other.
        if last.active_from <= now && (due_at <= now || last.alg != algorithm.as_str()) {
            return RingPlan::Create { active_from: now.saturating_add(LEAD_SECS) };
        }
        match self.keys.iter().find(|key| key.sealed_by != newest_secret) {
            Some(key) => RingPlan::Reseal { kid: key.kid.clone() },
            None => RingPlan::Keep,
        }
    }

    /// Takes a key in, if it is still due; whether it was. Keys whose last token has ended go.
    pub fn add(&mut self, key: StoredKey, (algorithm, now): (Algorithm, UnixTime)) -> bool {
        let due = self.plan(algorithm, key.sealed_by, now);
        if !matches!(due, RingPlan::Create { .. }) || self.keys.len() >= MAX_KEYS {
            return false;
        }
        self.keys.push(key);
        self.drop_ended(now);
        true
    }

    /// Puts a key in its place that was sealed anew; whether it is there.
    pub fn reseal(&mut self, kid: &str, sealed: &str, sealed_by: u8) -> bool {
        let Some(key) = self.keys.iter_mut().find(|key| key.kid == kid) else { return false };
        sealed.clone_into(&mut key.sealed);
        key.sealed_by = sealed_by;
        true
    }

    /// Notes how long tokens live; whether that was news. It has to be stored before a token is signed that lives longer.
    pub fn note_life(&mut self, access_secs: u32) -> bool {
        let news = self.longest_secs < access_secs;
        self.longest_secs = self.longest_secs.max(access_secs);
        news
    }

    /// Takes out keys whose last token has ended; whether there were any.
    pub fn drop_ended(&mut self, now: UnixTime) -> bool {
        let margin = u64::from(self.longest_secs)
            .saturating_add(NOTICE_MARGIN_SECS)
            .saturating_add(RING_CACHE_SECS);
        // A key ends when the one after it begins to sign. The first begins after none.
        let ends: Vec<UnixTime> = self.keys.iter().skip(1).map(|next| next.active_from).collect();
        let before = self.keys.len();
        let mut ends = ends.into_iter();
        self.keys.retain(|_| ends.next().is_none_or(|end| now < end.saturating_add(margin)));
        self.keys.len() != before
    }
}

/// What is sealed beside a private key, so that none can be put in the place of another.
#[must_use]
pub fn associated_data(kid: &str, sealed_by: u8) -> Vec<u8> {
    format!("edgegate-key-ring-v1\0{sealed_by}\0{kid}").into_bytes()
}

/// The word of a key in a secret with JWKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Next,
    Active,
    Retired,
}

words!(State {
    "next" => State::Next,
    "active" => State::Active,
    "retired" => State::Retired,
});

/// A private key.
pub struct RingKey {
    signer: SigningKey,
    /// What the host signs by; none where the signature is made here.
    private_jwk: Option<Secret>,
    /// None for a secret, which is never published.
    public_jwk: Option<String>,
    kid: String,
    /// `None`: it signs nothing.
    active_from: Option<UnixTime>,
}

impl RingKey {
    /// Reads a private JWK: an EC or RSA key, which the host signs by, an Ed25519 key, or a secret of HS256 with a `kid`. Other members than
    /// those of the key are not looked at. `kid` is by default the RFC 7638 thumbprint.
    ///
    /// # Errors
    /// [`Error::RefusedKey`].
    pub fn from_private_jwk(
        text: &Secret,
        algorithm: Algorithm,
        active_from: Option<UnixTime>,
    ) -> Result<Self, Error> {
        let mut jwk = json::parse_object(text.expose_secret())
            .map_err(|fault| refused(format!("JWK: {}", fault.problem())))?;
        for name in ["key_ops", "ext", "use", "state"] {
            jwk.remove(name);
        }
        jwk.insert("alg".to_owned(), algorithm.as_str().into());
        let secret = jwk.remove("k");
        let private: Vec<(&str, Value)> = ["d", "p", "q", "dp", "dq", "qi"]
            .into_iter()
            .filter_map(|name| jwk.remove(name).map(|value| (name, value)))
            .collect();
        if let Some(secret) = secret {
            let bytes = secret.as_str().and_then(base64url::decode);
            let bytes = bytes.ok_or_else(|| refused("JWK: k is not base64url"))?;
            let kid = jwk.get("kid").and_then(Value::as_str);
            let kid =
                kid.ok_or_else(|| refused("JWK: a secret needs a kid, a random one"))?.to_owned();
            let signer = SigningKey::hmac(Secret::new(bytes), algorithm, Some(kid.clone()))?;
            return Ok(Self { signer, private_jwk: None, public_jwk: None, kid, active_from });
        }
        if private.is_empty() {
            return Err(refused("JWK: a public key, expected the private key"));
        }
        let key = Key::from_jwk_value(&Value::Object(jwk.clone()))?;
        let kid = key.id().unwrap_or_default().to_owned();
        jwk.insert("kid".to_owned(), kid.clone().into());
        let key = Key::from_jwk_value(&Value::Object(jwk.clone()))?;
        let public = key.public().ok_or_else(|| refused("JWK: expected a key pair"))?.to_jwk_text();
        let members = public.strip_prefix('{').unwrap_or_default();
        let name = serde_json::to_string(&kid).unwrap_or_default();
        let public_jwk = format!(r#"{{"alg":"{algorithm}","kid":{name},"use":"sig",{members}"#);
        let whole = |mut jwk: Map<String, Value>| {
            jwk.extend(private.into_iter().map(|(name, value)| (name.to_owned(), value)));
            Secret::new(serde_json::to_vec(&jwk).unwrap_or_default())
        };
        let (signer, private_jwk) = if algorithm.needs_host() {
            (SigningKey::host(&key, algorithm)?, Some(whole(jwk)))
        } else {
            let jwk = whole(jwk);
            let text = core::str::from_utf8(jwk.expose_secret()).unwrap_or_default();
            (SigningKey::from_jwk(text)?, None)
        };
        Ok(Self { signer, private_jwk, public_jwk: Some(public_jwk), kid, active_from })
    }

    /// Its name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What signs.
    #[must_use]
    pub const fn signer(&self) -> &SigningKey {
        &self.signer
    }

    /// The private JWK, for the host's `importKey`; `None` where [`RingKey::sign`] needs no host.
    #[must_use]
    pub const fn private_jwk(&self) -> Option<&Secret> {
        self.private_jwk.as_ref()
    }

    /// Signs claims.
    ///
    /// # Errors
    /// As [`SigningKey::sign_jwt`].
    pub fn sign(&self, claims: &str, typ: &str) -> Result<Signing<'_>, Error> {
        self.signer.sign_jwt(claims.as_bytes(), Some(typ))
    }
}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The keys, opened.
#[derive(Debug)]
pub struct KeyRing {
    keys: Vec<RingKey>,
    verifying: Rc<KeySet>,
}

impl KeyRing {
    /// The keys of a managed ring with their private JWKs, each opened by the host.
    ///
    /// # Errors
    /// [`Error::RefusedKey`] for a key that is none, and a ring without keys.
    pub fn from_record(
        record: &RingRecord,
        mut opened: impl FnMut(&StoredKey) -> Result<Secret, Error>,
    ) -> Result<Self, Error> {
        let keys = record.keys.iter().map(|stored| {
            let algorithm = Algorithm::from_name(&stored.alg)
                .ok_or_else(|| refused("the algorithm of a key is unknown"))?;
            let private = with_kid(&opened(stored)?, &stored.kid)?;
            RingKey::from_private_jwk(&private, algorithm, Some(stored.active_from))
        });
        Self::new(keys.collect::<Result<_, _>>()?)
    }

    /// A secret with a JWK set (`sessions.keys`): private keys, each with a `state` of `next`, `active` or `retired`. One alone needs none.
    ///
    /// # Errors
    /// [`Error::RefusedKey`]: not a JWK set, a key that is none, or not exactly one that is active.
    pub fn from_secret(jwks: &Secret, algorithm: Algorithm) -> Result<Self, Error> {
        let set = json::parse_object(jwks.expose_secret())
            .map_err(|fault| refused(format!("JWK set: {}", fault.problem())))?;
        let list = set.get("keys").and_then(Value::as_array);
        let list = list.ok_or_else(|| refused("JWK set: keys is not a list"))?;
        if list.len() > MAX_KEYS {
            return Err(refused(format!("JWK set: expected at most {MAX_KEYS} keys")));
        }
        let mut keys = Vec::with_capacity(list.len());
        for jwk in list {
            let state = match jwk.get("state").and_then(Value::as_str) {
                Some("active") => State::Active,
                Some("next") => State::Next,
                Some("retired") => State::Retired,
                None if list.len() == 1 => State::Active,
                _ => return Err(refused("JWK set: state is not next, active or retired")),
            };
            let named = jwk.get("alg").and_then(Value::as_str).map(Algorithm::from_name);
            let algorithm = match named {
                None => algorithm,
                Some(known) => known.ok_or_else(|| refused("JWK set: alg is unknown"))?,
            };
            let text = Secret::new(serde_json::to_vec(jwk).unwrap_or_default());
            let from = (state == State::Active).then_some(UnixTime::from_secs(i64::MIN));
            keys.push(RingKey::from_private_jwk(&text, algorithm, from)?);
        }
        if keys.iter().filter(|key| key.active_from.is_some()).count() != 1 {
            return Err(refused("JWK set: expected exactly one key that is active"));
        }
        Self::new(keys)
    }

    fn new(keys: Vec<RingKey>) -> Result<Self, Error> {
        let verifying = keys.iter().map(|key| match &key.public_jwk {
            Some(public) => Key::from_jwk(public),
            None => key.signer.to_verifying_hmac(),
        });
        let verifying = Rc::new(KeySet::new(verifying.collect::<Result<_, _>>()?)?);
        Ok(Self { keys, verifying })
    }

    /// The key that signs now: the one that became active last.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] if none is active yet.
    pub fn signing_key(&self, now: UnixTime) -> Result<&RingKey, Error> {
        active(&self.keys, |key| key.active_from, now).ok_or_else(|| Error::KeysUnavailable {
            issuer: "sessions".to_owned(),
            problem: "no key of the ring is active".to_owned(),
        })
    }

    /// The keys that verify the gate's own tokens.
    #[must_use]
    pub fn verifying(&self) -> Rc<KeySet> {
        Rc::clone(&self.verifying)
    }

    /// The published set (RFC 7517 §5): no secret is in it.
    #[must_use]
    pub fn jwks(&self) -> String {
        let keys: Vec<&str> =
            self.keys.iter().filter_map(|key| key.public_jwk.as_deref()).collect();
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }
}

/// The key that became active last. Where none has yet, a clock is behind: the earliest signs, which verifiers know as well.
fn active<K>(keys: &[K], from: impl Fn(&K) -> Option<UnixTime>, now: UnixTime) -> Option<&K> {
    let ready = || keys.iter().filter(|key| from(key).is_some());
    let active = ready().filter(|key| from(key) <= Some(now)).max_by_key(|key| from(key));
    active.or_else(|| ready().min_by_key(|key| from(key)))
}

/// The private JWK under the name that it has in the ring.
fn with_kid(private: &Secret, kid: &str) -> Result<Secret, Error> {
    let mut jwk = json::parse_object(private.expose_secret())
        .map_err(|fault| refused(format!("JWK: {}", fault.problem())))?;
    jwk.insert("kid".to_owned(), kid.into());
    Ok(Secret::new(serde_json::to_vec(&jwk).unwrap_or_default()))
}

fn refused(problem: impl Into<String>) -> Error {
    Error::RefusedKey { problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(NOW).saturating_add(secs)
    }

    fn key(kid: &str, active_from: UnixTime) -> StoredKey {
        StoredKey {
            kid: kid.to_owned(),
            alg: "ES256".to_owned(),
            sealed: "sealed".to_owned(),
            sealed_by: 1,
            published_at: at(0),
            active_from,
        }
    }

    fn ring() -> RingRecord {
        let mut ring = RingRecord::default();
        ring.note_life(900);
        assert!(ring.add(key("first", at(0)), (Algorithm::Es256, at(0))));
        ring
    }

    #[test]
    fn the_first_key_signs_at_once_and_is_made_once() {
        let empty = RingRecord::default();
        let plan = empty.plan(Algorithm::Es256, 1, at(0));
        assert_eq!(plan, RingPlan::Create { active_from: at(0) });
        let mut ring = ring();
        assert!(!ring.add(key("second", at(0)), (Algorithm::Es256, at(0))), "others were faster");
        assert_eq!(ring.plan(Algorithm::Es256, 1, at(1)), RingPlan::Keep);
        assert_eq!(ring.signing_key(at(0)).unwrap().kid, "first");
        // By a clock that is behind.
        let before = UnixTime::from_secs(NOW - 60);
        assert_eq!(ring.signing_key(before).unwrap().kid, "first");
    }

    #[test]
    fn the_next_key_is_published_long_before_it_signs_and_the_last_stays_until_its_tokens_end() {
        let mut ring = ring();
        let due = ACTIVE_SECS - LEAD_SECS;
        assert_eq!(ring.plan(Algorithm::Es256, 1, at(due - 1)), RingPlan::Keep);
        let from = at(due + LEAD_SECS);
        assert_eq!(ring.plan(Algorithm::Es256, 1, at(due)), RingPlan::Create { active_from: from });
        assert!(LEAD_SECS >= 2 * u64::from(CACHE_SECS));
        assert!(ring.add(key("second", from), (Algorithm::Es256, at(due))));
        assert_eq!(ring.plan(Algorithm::Es256, 1, at(due + 1)), RingPlan::Keep);
        assert_eq!(ring.signing_key(at(ACTIVE_SECS - 1)).unwrap().kid, "first");
        assert_eq!(ring.signing_key(at(ACTIVE_SECS)).unwrap().kid, "second");
        let last = ACTIVE_SECS + 900 + NOTICE_MARGIN_SECS + RING_CACHE_SECS;
        assert!(!ring.drop_ended(at(last - 1)));
        assert!(ring.drop_ended(at(last)));
        assert_eq!(ring.keys.len(), 1);
    }

    #[test]
    fn another_algorithm_is_a_next_key_and_another_secret_seals_anew() {
        let mut ring = ring();
        assert_eq!(
            ring.plan(Algorithm::EdDsa, 1, at(5)),
            RingPlan::Create { active_from: at(5 + LEAD_SECS) }
        );
        let plan = ring.plan(Algorithm::Es256, 2, at(5));
        assert_eq!(plan, RingPlan::Reseal { kid: "first".to_owned() });
        assert!(ring.reseal("first", "anew", 2) && !ring.reseal("other", "anew", 2));
        assert_eq!(ring.plan(Algorithm::Es256, 2, at(5)), RingPlan::Keep);
        assert_ne!(associated_data("first", 1), associated_data("first", 2));
    }

    #[test]
    fn a_ring_that_cannot_be_read_is_a_fault() {
        let text = ring().to_text();
        assert_eq!(
            text,
            r#"{"v":1,"longest_secs":900,"keys":[{"kid":"first","alg":"ES256","sealed":"sealed","sealed_by":1,"published_at":1700000000,"active_from":1700000000}]}"#
        );
        assert_eq!(RingRecord::from_text(&text), Ok(ring()));
        for wrong in ["", "{}", r#"{"v":1,"keys":[]}"#, &text.replace(r#""v":1"#, r#""v":2"#)] {
            assert!(RingRecord::from_text(wrong).is_err(), "{wrong}");
        }
        // One key that cannot be opened is a fault of the ring, not a ring without it.
        let opened =
            KeyRing::from_record(&ring(), |_| Err(Error::config("sessions.secrets", "gone")));
        assert!(opened.is_err());
    }

    /// RSA and EC keys sign at the host, by the private JWK under its name in the ring.
    #[test]
    fn keys_of_the_host_keep_their_private_half_for_it() {
        let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI","ext":true,"key_ops":["sign"]}"#;
        let private = || Ok(Secret::new(jwk.as_bytes().to_vec()));
        let ring = KeyRing::from_record(&ring(), |_| private()).unwrap();
        let key = ring.signing_key(at(1)).unwrap();
        assert_eq!(key.kid(), "first");
        let for_host = key.private_jwk().unwrap().expose_secret();
        let for_host = core::str::from_utf8(for_host).unwrap();
        assert!(for_host.contains(r#""d":"jpsQ"#) && for_host.contains(r#""kid":"first""#));
        assert!(matches!(key.sign(r#"{"iss":"a"}"#, "at+jwt"), Ok(Signing::NeedsHost(_))));
        assert!(!ring.jwks().contains("jpsQ") && !format!("{ring:?}").contains("jpsQ"));
        let refused = KeyRing::from_record(&super::tests::ring(), |_| {
            Ok(Secret::new(
                jwk.replace(r#""d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI","#, "")
                    .into_bytes(),
            ))
        });
        assert_eq!(refused.unwrap_err().to_string(), "JWK: a public key, expected the private key");
    }
}
