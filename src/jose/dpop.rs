//! Proof of possession (DPoP, RFC 9449): a token that is bound to a key is taken with a fresh proof by that key only.
//!
//! [`UntrustedProof::parse`] → [`UntrustedProof::verify`] → [`SignedProof::check`] → [`VerifiedProof`], whose
//! [`ReplayKey`] a [`ReplayStore`](crate::store::ReplayStore) has to see for the first time. The access token is
//! verified before any of this, so only those who hold a genuine token can make this code work.
//!
//! A proof brings its key along in `jwk`. It is trusted for one reason alone: its thumbprint stands in the access
//! token, under the issuer's signature ([`Confirmation`]).

mod uri;

use core::fmt;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::base64url;
use crate::error::Error;
use crate::jose::claims::{Claims, is_same_type};
use crate::jose::keys::{Key, Material, PublicKey};
use crate::jose::{
    algorithm::Algorithm,
    jws::{self, UntrustedToken},
};
use crate::time::UnixTime;

pub use self::uri::normalize;

/// The longest proof that is looked at, in bytes: as for tokens, what servers take for all headers together.
pub const MAX_PROOF_LENGTH: usize = jws::DEFAULT_MAX_TOKEN_LENGTH;

/// The longest `jti`, in bytes. UUIDs have 36; RFC 9449 §4.2 wants 96 bits of randomness.
pub const MAX_JTI_LENGTH: usize = 256;

/// The longest RSA modulus of a proof's key. The sender of a proof chooses its key, and the host's work for one
/// signature grows with it.
const MAX_RSA_BYTES: usize = 4096 / 8;

/// How old a proof may be by default, in seconds. RFC 9449 §11.1: "on the order of seconds or minutes".
pub const DEFAULT_MAX_AGE_SECS: u64 = 60;

/// The greatest age that can be configured, in seconds. A proof is remembered that long.
pub const MAX_MAX_AGE_SECS: u64 = 3600;

/// How far in the future `iat` may be, in seconds: clocks of clients are set less well than those of issuers
/// (RFC 9449 §11.1 allows for it).
const MAX_AHEAD_SECS: u64 = 30;

/// How long a proof can pass at most by the default rules, in seconds: from the first moment at which it is not from
/// the future to the last at which it is not too old.
pub(crate) const LONGEST_LIFE_SECS: u64 = MAX_AHEAD_SECS + DEFAULT_MAX_AGE_SECS + 1;

/// What proofs have to be like, the same for all requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofRules {
    algorithms: Vec<Algorithm>,
    max_age_secs: u64,
}

impl Default for ProofRules {
    /// Every public-key algorithm, and [`DEFAULT_MAX_AGE_SECS`].
    fn default() -> Self {
        let algorithms = Algorithm::ALL.into_iter().filter(|one| !one.is_symmetric()).collect();
        Self { algorithms, max_age_secs: DEFAULT_MAX_AGE_SECS }
    }
}

impl ProofRules {
    /// Rules with these algorithms and this greatest age.
    ///
    /// # Errors
    /// [`Error::Config`] at `algorithms` for an empty list or HMAC, at `max_age_secs` for one that is not from 1 to
    /// [`MAX_MAX_AGE_SECS`].
    pub fn new(algorithms: Vec<Algorithm>, max_age_secs: u64) -> Result<Self, Error> {
        if algorithms.is_empty() {
            return Err(Error::config("algorithms", "expected a non-empty list"));
        }
        if let Some(hmac) = algorithms.iter().find(|one| one.is_symmetric()) {
            let problem = format!("{hmac} proves nothing, expected public-key algorithms");
            return Err(Error::config("algorithms", problem));
        }
        if !(1..=MAX_MAX_AGE_SECS).contains(&max_age_secs) {
            let problem = format!("expected 1 to {MAX_MAX_AGE_SECS} seconds");
            return Err(Error::config("max_age_secs", problem));
        }
        Ok(Self { algorithms, max_age_secs })
    }

    /// The algorithms that are taken, for `algs` of `WWW-Authenticate` (RFC 9449 §7.1).
    #[must_use]
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }
}

/// The key that an access token is bound to: `cnf.jkt`, an RFC 7638 thumbprint (RFC 9449 §6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation(String);

impl Confirmation {
    /// What the claims of a verified token say; `None` if it is a bearer token. Other members of `cnf`, such as that of
    /// a client certificate (RFC 8705), are not looked at.
    ///
    /// # Errors
    /// [`Error::WrongClaimType`] if `cnf` is no object or `jkt` no thumbprint: a binding that cannot be read is not
    /// taken for none.
    pub fn from_claims(claims: &Claims) -> Result<Option<Self>, Error> {
        let wrong =
            |claim: &str, expected| Error::WrongClaimType { claim: claim.to_owned(), expected };
        let Some(cnf) = claims.get("cnf") else { return Ok(None) };
        let cnf = cnf.as_object().ok_or_else(|| wrong("cnf", "an object"))?;
        match cnf.get("jkt") {
            None => Ok(None),
            Some(Value::String(jkt)) if is_sha256(jkt) => Ok(Some(Self(jkt.clone()))),
            Some(_) => Err(wrong("cnf.jkt", "a SHA-256 thumbprint in base64url")),
        }
    }

    /// A thumbprint that the caller has taken from verified claims.
    #[must_use]
    pub fn from_thumbprint(jkt: &str) -> Option<Self> {
        is_sha256(jkt).then(|| Self(jkt.to_owned()))
    }

    /// The thumbprint, in base64url.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.0
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 43 && base64url::decode_public(text).is_some()
}

/// Whether the tokens of an issuer are bound to a key of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// Not checked here: another part of the system does it.
    Off,
    /// Those that are bound are taken with a proof only, others as bearer tokens.
    Optional,
    /// Others are refused.
    Required,
}

impl Binding {
    /// The word for it: `off`, `optional` or `required`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::Off),
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

/// What a proof has to be about.
#[derive(Clone, Copy)]
pub struct ProofRequest<'a> {
    /// The method of the request, as in its first line.
    pub method: &'a str,
    /// The URI of the request as the client wrote it: scheme, authority, path. A query is not looked at.
    pub url: &'a str,
    /// The access token that comes with it, which has been verified.
    pub access_token: &'a str,
    /// Values of `nonce` that are taken; empty: `nonce` is not looked at.
    pub nonces: &'a [&'a str],
}

/// Shows no token, nor the query, which may hold anything.
impl fmt::Debug for ProofRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

/// A proof that is well formed, with a key that could be the one; nothing is verified yet.
#[derive(Debug)]
pub struct UntrustedProof<'a> {
    token: UntrustedToken<'a>,
    key: Key,
}

impl<'a> UntrustedProof<'a> {
    /// Takes the value of the `DPoP` header apart (RFC 9449 §4.3), in this order: the one proof, with the strictness of
    /// [`UntrustedToken::parse`]; `typ` is `dpop+jwt`; `alg` is in the list; `jwk` is a public key, with the checks of
    /// [`Key::from_jwk`], and RSA of at most 4096 bits; it is the key that the access token is bound to, and serves
    /// `alg`.
    ///
    /// # Errors
    /// [`Error::InvalidProof`]; [`Error::WrongProofKey`] if the key is another one.
    pub fn parse(
        proof: &'a str,
        rules: &ProofRules,
        confirmation: &Confirmation,
    ) -> Result<Self, Error> {
        Self::parse_of(proof, rules, Some(confirmation))
    }

    /// The same where no token says yet whose key it has to be: at a token endpoint (RFC 9449 §5). What it proves is that its sender
    /// has the key of [`UntrustedProof::thumbprint`].
    ///
    /// # Errors
    /// [`Error::InvalidProof`].
    pub fn parse_of_any_key(proof: &'a str, rules: &ProofRules) -> Result<Self, Error> {
        Self::parse_of(proof, rules, None)
    }

    fn parse_of(
        proof: &'a str,
        rules: &ProofRules,
        confirmation: Option<&Confirmation>,
    ) -> Result<Self, Error> {
        // Two headers of one name arrive joined by a comma, which no proof has.
        if proof.contains(',') {
            return Err(invalid("more than one DPoP header"));
        }
        let (token, members) = UntrustedToken::parse_with_members(proof, MAX_PROOF_LENGTH)
            .map_err(|fault| match fault {
                Error::AlgorithmNotAllowed => invalid("alg is not allowed"),
                fault => invalid(fault.to_string()),
            })?;
        let header = token.header();
        if !header.typ().is_some_and(|typ| is_same_type(typ, "dpop+jwt")) {
            return Err(invalid("typ is not dpop+jwt"));
        }
        let algorithm = header.algorithm();
        if algorithm.is_symmetric() || !rules.algorithms.contains(&algorithm) {
            return Err(invalid("alg is not allowed"));
        }
        let jwk = members.get("jwk").ok_or_else(|| invalid("jwk is missing"))?;
        let key = Key::from_jwk_value(jwk).map_err(|fault| invalid(fault.to_string()))?;
        if key.is_symmetric() {
            return Err(invalid("jwk is a secret, expected a public key"));
        }
        if matches!(key.material(), Material::Public(PublicKey::Rsa { n, .. }) if n.len() > MAX_RSA_BYTES)
        {
            return Err(invalid("jwk is an RSA key of more than 4096 bits"));
        }
        if confirmation.is_some_and(|own| key.thumbprint() != Some(own.thumbprint())) {
            return Err(Error::WrongProofKey);
        }
        if !key.permits(algorithm) {
            return Err(invalid("jwk does not serve alg"));
        }
        Ok(Self { token, key })
    }

    /// The RFC 7638 thumbprint of the key that it brings along.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        self.key.thumbprint().unwrap_or_default()
    }

    /// Verifies the signature by the key that the proof brings along; for RSA and ECDSA the host has to be asked.
    ///
    /// # Errors
    /// [`Error::InvalidProof`].
    pub fn verify(&self) -> Result<ProofStep<'_>, Error> {
        self.token.clone().verify(&self.key).map(|step| self.step(step)).map_err(bad_signature)
    }

    fn step<'p>(&'p self, step: jws::JwsStep<'p>) -> ProofStep<'p> {
        match step {
            jws::JwsStep::Verified(jws) => ProofStep::Verified(SignedProof { jws, key: &self.key }),
            jws::JwsStep::NeedsHost(check) => {
                ProofStep::NeedsHost(ProofCheck { check, proof: self })
            }
        }
    }
}

/// What verification of a proof has come to.
#[derive(Debug)]
#[must_use]
pub enum ProofStep<'p> {
    /// The signature holds; what it is about is still to be checked.
    Verified(SignedProof<'p>),
    /// The host has to check the signature.
    NeedsHost(ProofCheck<'p>),
}

/// The signature of a proof, for the host to check.
#[derive(Debug)]
#[must_use]
pub struct ProofCheck<'p> {
    check: jws::HostCheck<'p>,
    proof: &'p UntrustedProof<'p>,
}

impl<'p> ProofCheck<'p> {
    /// What to check.
    pub const fn task(&self) -> &jws::HostCheck<'p> {
        &self.check
    }

    /// Takes the host's verdict.
    ///
    /// # Errors
    /// [`Error::InvalidProof`] if it does not hold.
    pub fn conclude(self, holds: bool) -> Result<ProofStep<'p>, Error> {
        self.check.conclude(holds).map(|step| self.proof.step(step)).map_err(bad_signature)
    }
}

/// A proof whose signature holds.
#[derive(Debug)]
#[must_use]
pub struct SignedProof<'p> {
    jws: jws::VerifiedJws,
    key: &'p Key,
}

impl SignedProof<'_> {
    /// Checks what the proof is about (RFC 9449 §4.3), in this order: types; `jti` of 1 to [`MAX_JTI_LENGTH`] bytes;
    /// `htm` is the method; `htu` is the URI, both [normalised](normalize); `ath` is the SHA-256 of the access token;
    /// `nonce` is one of those wanted; `iat` is at most the greatest age ago and at most 30 s ahead. `exp` and `nbf`, which
    /// a proof need not have, hold as in any JWT.
    ///
    /// # Errors
    /// [`Error::InvalidProof`]; [`Error::WrongProofNonce`], which implies that all but the time was right.
    pub fn check(
        &self,
        rules: &ProofRules,
        request: &ProofRequest<'_>,
        now: UnixTime,
    ) -> Result<VerifiedProof, Error> {
        self.check_with(rules, request, Some(request.access_token), now)
    }

    /// The same at a token endpoint, where there is no access token yet: `ath` is not looked at, nor the request's token.
    ///
    /// # Errors
    /// As [`SignedProof::check`].
    pub fn check_without_token(
        &self,
        rules: &ProofRules,
        (method, url): (&str, &str),
        now: UnixTime,
    ) -> Result<VerifiedProof, Error> {
        let request = ProofRequest { method, url, access_token: "", nonces: &[] };
        self.check_with(rules, &request, None, now)
    }

    fn check_with(
        &self,
        rules: &ProofRules,
        request: &ProofRequest<'_>,
        access_token: Option<&str>,
        now: UnixTime,
    ) -> Result<VerifiedProof, Error> {
        let claims =
            Claims::parse(self.jws.payload()).map_err(|fault| invalid(fault.to_string()))?;
        let string = |name: &str| match claims.get(name) {
            Some(Value::String(value)) => Ok(value.as_str()),
            Some(_) => Err(invalid(format!("{name} is not a string"))),
            None => Err(invalid(format!("{name} is missing"))),
        };
        let (jti, htm, htu) = (string("jti")?, string("htm")?, string("htu")?);
        let ath = access_token.map(|_| string("ath")).transpose()?;
        let issued_at = claims.issued_at().ok_or_else(|| invalid("iat is missing"))?;
        if jti.is_empty() || jti.len() > MAX_JTI_LENGTH {
            return Err(invalid("jti has not 1 to 256 bytes"));
        }
        if htm != request.method {
            return Err(invalid("htm is not the method of the request"));
        }
        let url = normalize(request.url)
            .ok_or_else(|| invalid("the URL of the request cannot be compared"))?;
        if normalize(htu).as_ref() != Some(&url) {
            return Err(invalid("htu is not the URL of the request"));
        }
        if ath != access_token.map(access_token_hash).as_deref() {
            return Err(invalid("ath is not the hash of the access token"));
        }
        if !request.nonces.is_empty()
            && !string("nonce").is_ok_and(|own| request.nonces.contains(&own))
        {
            return Err(Error::WrongProofNonce);
        }
        let until = issued_at.saturating_add(rules.max_age_secs).saturating_add(1);
        let ahead = now.saturating_add(MAX_AHEAD_SECS);
        if until <= now || claims.expires_at().is_some_and(|exp| exp <= now) {
            return Err(invalid("proof is too old"));
        }
        if issued_at > ahead || claims.not_before().is_some_and(|nbf| nbf > ahead) {
            return Err(invalid("proof is from the future"));
        }
        let jkt = self.key.thumbprint().unwrap_or_default();
        Ok(VerifiedProof { replay: ReplayKey::new(&[jkt, jti, &url]), until })
    }
}

/// A proof that is right for its request and its access token. Whether it is used for the first time is still to be
/// found out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct VerifiedProof {
    replay: ReplayKey,
    until: UnixTime,
}

impl VerifiedProof {
    /// What must not come a second time.
    pub const fn replay_key(&self) -> &ReplayKey {
        &self.replay
    }

    /// The first second at which the proof is too old anyway: until then it has to be remembered.
    #[must_use]
    pub const fn until(&self) -> UnixTime {
        self.until
    }
}

/// The name of a proof among all proofs: a hash of its key, its `jti` and its URI (RFC 9449 §11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayKey {
    hash: [u8; 32],
    /// Who made the proof, as far as a share of a memory is concerned.
    holder: u64,
}

impl ReplayKey {
    /// The key of these parts: thumbprint, `jti`, normal URI. Each is hashed with its length, so that no two lists
    /// collide.
    #[must_use]
    pub fn new(parts: &[&str]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"edgegate-dpop-v1\0");
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self { hash: hash.finalize().into(), holder: holder(parts.first().copied()) }
    }

    /// A number for the key that made the proof: the same for each of its proofs.
    #[must_use]
    pub const fn holder(&self) -> u64 {
        self.holder
    }

    /// The key under which stores keep it: `dpop/v1/` and the hash in base64url.
    #[must_use]
    pub fn storage_name(&self) -> String {
        format!("dpop/v1/{}", base64url::encode(&self.hash))
    }
}

/// The thumbprint is a hash itself: a part of it tells keys apart well enough to share a memory among them.
fn holder(thumbprint: Option<&str>) -> u64 {
    let bytes = base64url::decode_public(thumbprint.unwrap_or_default()).unwrap_or_default();
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// `ath` of a token: base64url of the SHA-256 of its ASCII text (RFC 9449 §4.2).
#[must_use]
pub fn access_token_hash(token: &str) -> String {
    base64url::encode(&Sha256::digest(token.as_bytes()))
}

fn bad_signature(error: Error) -> Error {
    match error {
        Error::BadSignature => invalid("signature does not verify"),
        error => error,
    }
}

fn invalid(problem: impl Into<String>) -> Error {
    Error::InvalidProof { problem: problem.into() }
}
