//! Passkeys: what an authenticator says when it makes a key, and when it proves that it has it (Web Authentication Level 3,
//! <https://www.w3.org/TR/webauthn-3/>, §7.1 and §7.2).
//!
//! Who made the authenticator is not asked: attestation `none`, and that of a key about itself. The signature is left to the host, as those of
//! tokens are; all else is decided here before.

use der::{Reader as _, SliceReader, asn1::UintRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::cbor::Cbor;
use crate::{
    base64url,
    jose::{algorithm::Algorithm, keys::Key},
    json,
};

/// The bytes of a challenge; the standard asks for 16 at least (§13.4.3).
pub const CHALLENGE_BYTES: usize = 32;

/// The longest `clientDataJSON` that is read.
const MAX_CLIENT_DATA: usize = 8 * 1024;

/// The longest attestation object and the longest authenticator data.
const MAX_ATTESTATION: usize = 16 * 1024;

/// The longest name of a credential (§4).
const MAX_CREDENTIAL_ID: usize = 1023;

/// Flags of the authenticator data (§6.1).
const USER_PRESENT: u8 = 1 << 0;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

/// The algorithms that are asked for, by their numbers of COSE, the preferred one first.
pub const ALGORITHMS: [(i64, Algorithm); 3] =
    [(-8, Algorithm::EdDsa), (-7, Algorithm::Es256), (-257, Algorithm::Rs256)];

/// Whose passkeys they are, and what is asked of them.
#[derive(Debug, Clone, Copy)]
pub struct RelyingParty<'a> {
    /// The domain.
    pub id: &'a str,
    /// The origins of pages that may ask, exactly.
    pub origins: &'a [String],
    /// Whether the authenticator has to have checked who holds it: it is then two factors.
    pub verifies_user: bool,
}

/// A passkey as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// The name that the authenticator gave it, in base64url.
    pub id: String,
    /// The public key, as JWK.
    pub key: Value,
    /// By what it signs.
    algorithm: String,
    /// The last count of the authenticator; 0: it does not count.
    pub sign_count: u32,
    /// Whether it may be copied to other devices of its owner; that never changes.
    pub backup_eligible: bool,
    /// Whether it was.
    pub backed_up: bool,
}

/// What an authenticator says of itself when it proves that it has a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// How often it has signed; 0: it does not count.
    sign_count: u32,
    /// Whether the passkey may be copied to other devices.
    backup_eligible: bool,
    /// Whether it was.
    backed_up: bool,
}

/// A signature that the host has to check.
#[must_use = "nothing is proven before the signature holds"]
#[derive(Debug)]
pub struct SignatureTask {
    /// The key.
    pub key: Key,
    /// By what it signs.
    pub algorithm: Algorithm,
    /// What was signed.
    pub message: Vec<u8>,
    /// The signature as WebCrypto takes it.
    pub signature: Vec<u8>,
}

/// What an authenticator answers when it has made a key.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// `clientDataJSON`
    pub client_data: &'a [u8],
    /// `attestationObject`
    pub attestation: &'a [u8],
}

/// What it answers when it proves that it has one.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// `clientDataJSON`
    pub client_data: &'a [u8],
    /// `authenticatorData`
    pub authenticator_data: &'a [u8],
    /// `signature`
    pub signature: &'a [u8],
}

/// Why an answer is refused. For the log; who logs in learns only that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasskeyFault {
    /// `clientDataJSON` cannot be read, or is of another ceremony.
    ClientData,
    /// It is an answer to another challenge.
    Challenge,
    /// It was asked for by a page of another origin, or within one.
    Origin,
    /// The authenticator's data cannot be read.
    AuthenticatorData,
    /// It is for another domain.
    RelyingParty,
    /// Nobody was there, or the authenticator did not check who.
    User,
    /// The attestation is of a kind that was not asked for.
    Attestation,
    /// The key is of a kind that was not asked for, or weak.
    Key,
    /// The signature has not the form it can have.
    Signature,
    /// The authenticator counts, and has not counted on: there may be two of it.
    SignCount,
    /// What cannot change has changed.
    Backup,
}

/// Reads a new passkey; with a signature to check if the key attests itself.
///
/// # Errors
/// [`PasskeyFault`].
pub fn register(
    party: RelyingParty<'_>,
    challenge: &[u8; CHALLENGE_BYTES],
    made: Made<'_>,
) -> Result<(Passkey, Option<SignatureTask>), PasskeyFault> {
    check_client_data(party, "webauthn.create", challenge, made.client_data)?;
    let object = Some(made.attestation).filter(|bytes| bytes.len() <= MAX_ATTESTATION);
    let object = object.and_then(Cbor::parse).ok_or(PasskeyFault::AuthenticatorData)?;
    let bytes =
        object.named("authData").and_then(Cbor::bytes).ok_or(PasskeyFault::AuthenticatorData)?;
    let data = AuthenticatorData::parse(bytes).ok_or(PasskeyFault::AuthenticatorData)?;
    data.check(party)?;
    let (id, cose) = data.credential.as_ref().ok_or(PasskeyFault::AuthenticatorData)?;
    let (key, algorithm) = key_of(cose).ok_or(PasskeyFault::Key)?;
    let own = self_attestation(&object, algorithm)?;
    let passkey = Passkey {
        id: base64url::encode(id),
        key: key.public().map(|key| key.to_jwk(algorithm)).ok_or(PasskeyFault::Key)?,
        algorithm: algorithm.as_str().to_owned(),
        sign_count: data.sign_count,
        backup_eligible: data.has(BACKUP_ELIGIBLE),
        backed_up: data.has(BACKED_UP),
    };
    let task = own.map(|signature| SignatureTask {
        key,
        algorithm,
        message: signed_by(bytes, made.client_data),
        signature,
    });
    Ok((passkey, task))
}

impl PasskeyFault {
    /// In words, for the log, and for who makes a passkey.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientData => "clientDataJSON cannot be read, or is of another ceremony",
            Self::Challenge => "the challenge was not given out for this, or is too old",
            Self::Origin => "a page of another origin has asked",
            Self::AuthenticatorData => "the data of the authenticator cannot be read",
            Self::RelyingParty => "it is for another domain",
            Self::User => "the authenticator has not checked who holds it",
            Self::Attestation => "the attestation is of a kind that was not asked for",
            Self::Key => "the key is of a kind that was not asked for, or weak",
            Self::Signature => "the signature does not hold",
            Self::SignCount => "the count of the authenticator has not gone on",
            Self::Backup => "whether it may be copied has changed",
        }
    }
}

impl Passkey {
    /// Reads the proof that somebody has this passkey. The signature remains to be checked; then [`Passkey::advance`] says whether it is to be
    /// taken.
    ///
    /// # Errors
    /// [`PasskeyFault`].
    pub fn prove(
        &self,
        party: RelyingParty<'_>,
        challenge: &[u8; CHALLENGE_BYTES],
        proof: Proof<'_>,
    ) -> Result<(SignatureTask, Seen), PasskeyFault> {
        check_client_data(party, "webauthn.get", challenge, proof.client_data)?;
        let bytes = proof.authenticator_data;
        let data = AuthenticatorData::parse(bytes).ok_or(PasskeyFault::AuthenticatorData)?;
        data.check(party)?;
        let key = Key::from_jwk_value(&self.key).map_err(|_| PasskeyFault::Key)?;
        let algorithm = Algorithm::from_name(&self.algorithm).ok_or(PasskeyFault::Key)?;
        let signature = as_web_crypto_has_it(algorithm, proof.signature)?;
        let message = signed_by(bytes, proof.client_data);
        let seen = Seen {
            sign_count: data.sign_count,
            backup_eligible: data.has(BACKUP_ELIGIBLE),
            backed_up: data.has(BACKED_UP),
        };
        Ok((SignatureTask { key, algorithm, message, signature }, seen))
    }

    /// Goes on with what the authenticator said, once its signature was found to hold (§7.2 steps 21 to 24). Whoever keeps the passkey does
    /// that as one step, so that of two proofs with one count the second is refused.
    ///
    /// # Errors
    /// [`PasskeyFault::Backup`], [`PasskeyFault::SignCount`].
    pub const fn advance(&mut self, seen: Seen) -> Result<(), PasskeyFault> {
        if seen.backup_eligible != self.backup_eligible {
            return Err(PasskeyFault::Backup);
        }
        let counts = seen.sign_count != 0 || self.sign_count != 0;
        if counts && seen.sign_count <= self.sign_count {
            return Err(PasskeyFault::SignCount);
        }
        self.sign_count = seen.sign_count;
        self.backed_up = seen.backed_up;
        Ok(())
    }

    /// The passkey that takes the place of one which is not there, so that a made-up name costs the same work. Nobody knows its private key:
    /// the coordinate is a hash.
    #[must_use]
    pub fn of_nobody() -> Self {
        let key = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256",
            "x": "5Us6XRv_m3bJi9UTWIOAfspqd7uH7Uxt2ngV7Jq15Ro",
            "y": "4fIJtR8lpqP3EeFVo2pa3yJD9Aj0YrMC1cyTan3Xlkc",
        });
        Self {
            id: String::new(),
            key,
            algorithm: Algorithm::Es256.as_str().to_owned(),
            sign_count: 0,
            backup_eligible: false,
            backed_up: false,
        }
    }
}

/// The challenge that an answer is to, for whoever keeps none: it says itself whether the gate gave it out. The answer is held against it
/// afterwards. `None`: it has none of this length.
#[must_use]
pub fn challenge_in(client_data: &[u8]) -> Option<[u8; CHALLENGE_BYTES]> {
    let members = client_data_of(client_data)?;
    let text = members.get("challenge").and_then(Value::as_str)?;
    base64url::decode(text)?.try_into().ok()
}

fn client_data_of(bytes: &[u8]) -> Option<Map<String, Value>> {
    let bytes = Some(bytes).filter(|bytes| bytes.len() <= MAX_CLIENT_DATA)?;
    json::parse_object(bytes).ok()
}

/// §7.1 steps 5 to 10, §7.2 steps 10 to 14.
fn check_client_data(
    party: RelyingParty<'_>,
    kind: &str,
    challenge: &[u8],
    client_data: &[u8],
) -> Result<(), PasskeyFault> {
    let members = client_data_of(client_data).ok_or(PasskeyFault::ClientData)?;
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("type") != kind {
        return Err(PasskeyFault::ClientData);
    }
    let given = base64url::decode(text("challenge")).ok_or(PasskeyFault::Challenge)?;
    if !bool::from(given.as_slice().ct_eq(challenge)) {
        return Err(PasskeyFault::Challenge);
    }
    let is_within = !matches!(members.get("crossOrigin"), None | Some(Value::Bool(false)));
    if is_within
        || members.contains_key("topOrigin")
        || !party.origins.iter().any(|own| own == text("origin"))
    {
        return Err(PasskeyFault::Origin);
    }
    Ok(())
}

/// What the authenticator says of itself and of the credential (§6.1).
struct AuthenticatorData<'a> {
    party: &'a [u8],
    flags: u8,
    sign_count: u32,
    /// The name and the public key, where the key is new.
    credential: Option<(&'a [u8], Cbor<'a>)>,
}

impl<'a> AuthenticatorData<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MAX_ATTESTATION {
            return None;
        }
        let (party, rest) = bytes.split_at_checked(32)?;
        let (flags, rest) = rest.split_first()?;
        let (count, mut rest) = rest.split_first_chunk::<4>()?;
        let mut credential = None;
        if flags & HAS_CREDENTIAL != 0 {
            let (_model, behind) = rest.split_at_checked(16)?;
            let (length, behind) = behind.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (id, behind) = behind.split_at_checked(length)?;
            let (key, behind) = Cbor::parse_first(behind)?;
            if !(1..=MAX_CREDENTIAL_ID).contains(&length) {
                return None;
            }
            credential = Some((id, key));
            rest = behind;
        }
        if flags & HAS_EXTENSIONS != 0 {
            let (extensions, behind) = Cbor::parse_first(rest)?;
            if !matches!(extensions, Cbor::Map(_)) {
                return None;
            }
            rest = behind;
        }
        let sign_count = u32::from_be_bytes(*count);
        rest.is_empty().then_some(Self { party, flags: *flags, sign_count, credential })
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// §7.1 steps 14 to 18, §7.2 steps 15 to 18.
    fn check(&self, party: RelyingParty<'_>) -> Result<(), PasskeyFault> {
        let own = Sha256::digest(party.id);
        if !bool::from(self.party.ct_eq(own.as_slice())) {
            return Err(PasskeyFault::RelyingParty);
        }
        if !self.has(USER_PRESENT) || (party.verifies_user && !self.has(USER_VERIFIED)) {
            return Err(PasskeyFault::User);
        }
        if self.has(BACKED_UP) && !self.has(BACKUP_ELIGIBLE) {
            return Err(PasskeyFault::Backup);
        }
        Ok(())
    }
}

/// The key of COSE (RFC 9053), if it is one of [`ALGORITHMS`] and no weak one.
fn key_of(cose: &Cbor<'_>) -> Option<(Key, Algorithm)> {
    let number = |label| cose.numbered(label).and_then(Cbor::integer);
    let bytes = |label| cose.numbered(label).and_then(Cbor::bytes).map(base64url::encode);
    let wanted = number(3)?;
    let algorithm = ALGORITHMS
        .iter()
        .find_map(|(known, algorithm)| (*known == wanted).then_some(*algorithm))?;
    let jwk = match (number(1)?, algorithm) {
        (2, Algorithm::Es256) if number(-1) == Some(1) => {
            json!({ "kty": "EC", "crv": "P-256", "x": bytes(-2)?, "y": bytes(-3)?, "alg": "ES256" })
        }
        (1, Algorithm::EdDsa) if number(-1) == Some(6) => {
            json!({ "kty": "OKP", "crv": "Ed25519", "x": bytes(-2)?, "alg": "EdDSA" })
        }
        (3, Algorithm::Rs256) => {
            json!({ "kty": "RSA", "n": bytes(-1)?, "e": bytes(-2)?, "alg": "RS256" })
        }
        _ => return None,
    };
    Key::from_jwk_value(&jwk).ok().map(|key| (key, algorithm))
}

/// The signature by which a key attests itself (§8.2, without a certificate); `None` for attestation `none` (§8.7). Browsers leave both as they
/// are where none was asked for.
fn self_attestation(
    object: &Cbor<'_>,
    algorithm: Algorithm,
) -> Result<Option<Vec<u8>>, PasskeyFault> {
    let statement = object.named("attStmt").ok_or(PasskeyFault::Attestation)?;
    let Cbor::Map(members) = statement else { return Err(PasskeyFault::Attestation) };
    match object.named("fmt").and_then(Cbor::text) {
        Some("none") if members.is_empty() => Ok(None),
        Some("packed") if members.len() == 2 => {
            let given = statement.named("alg").and_then(Cbor::integer);
            let is_own = given.is_some_and(|given| ALGORITHMS.contains(&(given, algorithm)));
            let signature = statement.named("sig").and_then(Cbor::bytes).filter(|_| is_own);
            as_web_crypto_has_it(algorithm, signature.ok_or(PasskeyFault::Attestation)?).map(Some)
        }
        _ => Err(PasskeyFault::Attestation),
    }
}

/// What is signed: the authenticator's data, and the hash of the browser's.
fn signed_by(authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [authenticator_data, Sha256::digest(client_data).as_slice()].concat()
}

/// WebAuthn writes signatures of ECDSA as ASN.1 (§6.5.5), WebCrypto as two numbers in full length.
fn as_web_crypto_has_it(algorithm: Algorithm, signature: &[u8]) -> Result<Vec<u8>, PasskeyFault> {
    if algorithm != Algorithm::Es256 {
        return Ok(signature.to_vec());
    }
    both_numbers(signature).ok_or(PasskeyFault::Signature)
}

fn both_numbers(signature: &[u8]) -> Option<Vec<u8>> {
    const COORDINATE: usize = 32;
    let read = || -> der::Result<[UintRef<'_>; 2]> {
        let mut reader = SliceReader::new(signature)?;
        let both = reader.sequence(|body| Ok::<_, der::Error>([body.decode()?, body.decode()?]))?;
        reader.finish()?;
        Ok(both)
    };
    let mut both = Vec::with_capacity(COORDINATE.saturating_mul(2));
    for number in read().ok()? {
        let bytes = number.as_bytes();
        both.extend(core::iter::repeat_n(0, COORDINATE.checked_sub(bytes.len())?));
        both.extend(bytes);
    }
    Some(both)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of the standard's test vectors.
    struct Row {
        party: String,
        origins: Vec<String>,
        row: Value,
    }

    impl Row {
        fn all() -> Vec<Self> {
            let vectors: Value =
                serde_json::from_str(include_str!("../../tests/vectors/passkeys.json")).unwrap();
            let text = |name: &str| vectors[name].as_str().unwrap().to_owned();
            let rows = vectors["rows"].as_array().unwrap().iter();
            let row = |row: &Value| Self {
                party: text("party"),
                origins: vec![text("origin")],
                row: row.clone(),
            };
            rows.map(row).collect()
        }

        fn party(&self) -> RelyingParty<'_> {
            RelyingParty { id: &self.party, origins: &self.origins, verifies_user: false }
        }

        fn bytes(&self, ceremony: &str, name: &str) -> Vec<u8> {
            let hex = self.row[ceremony][name].as_str().unwrap();
            let digits =
                |pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
            hex.as_bytes().chunks(2).map(digits).collect()
        }

        fn challenge(&self, ceremony: &str) -> [u8; CHALLENGE_BYTES] {
            self.bytes(ceremony, "challenge").try_into().unwrap()
        }

        fn registered_by(
            &self,
            client_data: &[u8],
            attestation: &[u8],
        ) -> Result<(Passkey, Option<SignatureTask>), PasskeyFault> {
            register(self.party(), &self.challenge("register"), Made { client_data, attestation })
        }

        fn registered(&self) -> (Passkey, Option<SignatureTask>) {
            let (client_data, attestation) =
                (self.bytes("register", "client_data"), self.bytes("register", "attestation"));
            self.registered_by(&client_data, &attestation).unwrap()
        }

        fn proven(
            &self,
            passkey: &Passkey,
            edit: impl Fn(&mut Vec<u8>),
        ) -> Result<(SignatureTask, Passkey), PasskeyFault> {
            let mut next = passkey.clone();
            let mut authenticator_data = self.bytes("prove", "authenticator_data");
            edit(&mut authenticator_data);
            let (client_data, signature) =
                (self.bytes("prove", "client_data"), self.bytes("prove", "signature"));
            let proof = Proof {
                client_data: &client_data,
                authenticator_data: &authenticator_data,
                signature: &signature,
            };
            assert_eq!(challenge_in(proof.client_data), Some(self.challenge("prove")));
            let (task, seen) = passkey.prove(self.party(), &self.challenge("prove"), proof)?;
            next.advance(seen)?;
            Ok((task, next))
        }
    }

    #[cfg(feature = "pure")]
    fn holds(task: &SignatureTask) -> bool {
        let key = task.key.public().unwrap();
        crate::jose::signature::pure::verify(key, task.algorithm, &task.message, &task.signature)
            .unwrap()
    }

    #[test]
    fn as_the_standard_has_it() {
        for row in Row::all() {
            let (passkey, own) = row.registered();
            assert_eq!(own.is_some(), row.row["name"] == "packed-self.ES256");
            let (task, next) = row.proven(&passkey, |_| {}).unwrap();
            assert_eq!(next.id, passkey.id);
            assert_eq!(task.signature.len(), 64);
            #[cfg(feature = "pure")]
            for task in own.iter().chain([&task]) {
                assert!(holds(task));
                let mut message = task.message.clone();
                message[33] ^= 1;
                let key = Key::from_jwk_value(&passkey.key).unwrap();
                assert!(!holds(&SignatureTask {
                    key,
                    message,
                    algorithm: task.algorithm,
                    signature: task.signature.clone()
                }));
            }
        }
    }

    #[test]
    fn each_byte_of_an_attestation_counts() {
        for row in Row::all() {
            let (client_data, attestation) =
                (row.bytes("register", "client_data"), row.bytes("register", "attestation"));
            let (honest, _) = row.registered();
            for at in 0..attestation.len() {
                let mut other = attestation.clone();
                other[at] ^= 0x10;
                // What may differ without being refused is in the passkey, or under the key's own signature, or is the model.
                if let Ok((passkey, own)) = row.registered_by(&client_data, &other) {
                    let place = (at + 164).checked_sub(attestation.len());
                    let is_model_or_flag =
                        place.is_some_and(|place| place == 32 || (37..53).contains(&place));
                    assert!(passkey != honest || own.is_some() || is_model_or_flag, "{at}");
                }
            }
            for length in 0..attestation.len() {
                assert!(row.registered_by(&client_data, &attestation[..length]).is_err());
            }
            assert!(row.registered_by(&client_data, &[&attestation[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn what_the_browser_says_is_held_against_what_was_asked() {
        let row = &Row::all()[0];
        let (text, attestation) =
            (row.bytes("register", "client_data"), row.bytes("register", "attestation"));
        let text = String::from_utf8(text).unwrap();
        let faults = [
            ("webauthn.create", "webauthn.get", PasskeyFault::ClientData),
            ("AMMPt4U", "AMMPt4V", PasskeyFault::Challenge),
            ("\"challenge\":\"", "\"challenge\":\"=", PasskeyFault::Challenge),
            ("https://example.org", "https://example.org.evil.test", PasskeyFault::Origin),
            ("https://example.org", "http://example.org", PasskeyFault::Origin),
            ("\"crossOrigin\":false", "\"crossOrigin\":true", PasskeyFault::Origin),
            ("\"crossOrigin\":false", "\"crossOrigin\":0", PasskeyFault::Origin),
            (
                "\"crossOrigin\":false",
                "\"crossOrigin\":false,\"topOrigin\":\"https://example.org\"",
                PasskeyFault::Origin,
            ),
            ("\"crossOrigin\":false", "\"type\":\"webauthn.create\"", PasskeyFault::ClientData),
            ("{", "", PasskeyFault::ClientData),
        ];
        for (from, to, fault) in faults {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            assert_eq!(
                row.registered_by(other.as_bytes(), &attestation).unwrap_err(),
                fault,
                "{to}"
            );
        }
        let long = text.replacen('}', &format!(",\"x\":\"{}\"}}", "y".repeat(8192)), 1);
        assert_eq!(
            row.registered_by(long.as_bytes(), &attestation).unwrap_err(),
            PasskeyFault::ClientData
        );
        let other = RelyingParty { id: "example.com", ..row.party() };
        let made = Made { client_data: text.as_bytes(), attestation: &attestation };
        assert_eq!(
            register(other, &row.challenge("register"), made).unwrap_err(),
            PasskeyFault::RelyingParty
        );
    }

    #[test]
    fn somebody_was_there_and_was_checked_where_that_is_asked() {
        let row = &Row::all()[0];
        let (passkey, _) = row.registered();
        let without_user = |data: &mut Vec<u8>| data[32] &= !USER_PRESENT;
        assert_eq!(row.proven(&passkey, without_user).unwrap_err(), PasskeyFault::User);
        let party = RelyingParty { verifies_user: true, ..row.party() };
        let (client_data, signature) =
            (row.bytes("prove", "client_data"), row.bytes("prove", "signature"));
        let mut authenticator_data = row.bytes("prove", "authenticator_data");
        for (flag, found) in [(0, Some(PasskeyFault::User)), (USER_VERIFIED, None)] {
            authenticator_data[32] |= flag;
            let proof = Proof {
                client_data: &client_data,
                authenticator_data: &authenticator_data,
                signature: &signature,
            };
            assert_eq!(passkey.prove(party, &row.challenge("prove"), proof).err(), found);
        }
    }

    #[test]
    fn a_count_that_does_not_go_on_is_refused() {
        let row = &Row::all()[0];
        let (passkey, _) = row.registered();
        let counting = |count: u32| {
            move |data: &mut Vec<u8>| data[33..37].copy_from_slice(&count.to_be_bytes())
        };
        let at_seven = Passkey { sign_count: 7, ..passkey.clone() };
        assert_eq!(row.proven(&at_seven, counting(8)).unwrap().1.sign_count, 8);
        for count in [0, 6, 7] {
            assert_eq!(
                row.proven(&at_seven, counting(count)).unwrap_err(),
                PasskeyFault::SignCount
            );
        }
        assert_eq!(row.proven(&passkey, counting(1)).unwrap().1.sign_count, 1);
        assert_eq!(row.proven(&passkey, counting(0)).unwrap().1.sign_count, 0);
    }

    #[test]
    fn what_cannot_change_does_not() {
        let row = &Row::all()[0];
        let (passkey, _) = row.registered();
        let backed_up_only = |data: &mut Vec<u8>| data[32] = USER_PRESENT | BACKED_UP;
        assert_eq!(row.proven(&passkey, backed_up_only).unwrap_err(), PasskeyFault::Backup);
        let other = Passkey { backup_eligible: !passkey.backup_eligible, ..passkey };
        assert_eq!(row.proven(&other, |_| {}).unwrap_err(), PasskeyFault::Backup);
    }

    #[test]
    fn a_signature_has_one_form() {
        let good = [0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02];
        let both = both_numbers(&good).unwrap();
        assert_eq!((both.len(), both[31], both[63]), (64, 1, 2));
        for bad in [
            &good[..7],
            &[&good[..], &[0]].concat(),
            &[0x30, 0x07, 0x02, 0x02, 0x00, 0x01, 0x02, 0x01, 0x02],
            &[0x30, 0x06, 0x02, 0x01, 0x81, 0x02, 0x01, 0x02],
            &[0x30, 0x81, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02],
            &[0x31, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02],
            &[],
        ] {
            assert_eq!(both_numbers(bad), None, "{bad:02x?}");
        }
        let long = [&[0x30, 0x26, 0x02, 0x21, 0x01][..], &[0; 32], &[0x02, 0x01, 0x01]].concat();
        assert_eq!(both_numbers(&long), None);
    }
}
