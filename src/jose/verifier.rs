//! Several issuers behind one gate: choosing the issuer, trying its keys, checking its rules.
//!
//! ```
//! use edgegate::jose::claims::ClaimRules;
//! use edgegate::jose::dpop::Binding;
//! use edgegate::error::Error;
//! use edgegate::jose::algorithm::Algorithm;
//! use edgegate::jose::jws::{DEFAULT_MAX_TOKEN_LENGTH, HostCheck};
//! use edgegate::jose::keys::{Key, KeySet};
//! use edgegate::time::UnixTime;
//! use edgegate::jose::verifier::{Issuer, KeySource, TokenStep, VerifiedToken, Verifier};
//!
//! # fn host_says(_: &HostCheck<'_>) -> bool { false }
//! fn decide(verifier: &Verifier, token: &str, now: UnixTime) -> Result<VerifiedToken, Error> {
//!     let pending = verifier.begin(token)?; // parsed, issuer chosen, nothing believed
//!     let mut step = pending.verify(None)?;
//!     loop {
//!         match step {
//!             TokenStep::Verified(signed) => return signed.claims(now),
//!             // RSA and ECDSA: `crypto.subtle.verify` answers; an edge awaits it here.
//!             TokenStep::NeedsHost(check) => {
//!                 let holds = host_says(check.task());
//!                 step = check.conclude(holds)?;
//!             }
//!         }
//!     }
//! }
//!
//! // The key and token of RFC 7515 A.1.
//! let key = Key::from_jwk(
//!     r#"{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
//! )?;
//! let issuer = Issuer {
//!     rules: ClaimRules::new("joe"),
//!     algorithms: vec![Algorithm::Hs256],
//!     keys: KeySource::Fixed(KeySet::new(vec![key])?),
//!     binding: Binding::Off,
//! };
//! let verifier = Verifier::new(vec![issuer], DEFAULT_MAX_TOKEN_LENGTH)?;
//! let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
//!
//! let exp = UnixTime::from_secs(1_300_819_380);
//! assert_eq!(decide(&verifier, token, exp.saturating_sub(1))?.issuer(), "joe");
//! assert_eq!(
//!     decide(&verifier, token, exp).unwrap_err(),
//!     Error::TokenExpired { expired_at: exp, now: exp }
//! );
//! # Ok::<(), Error>(())
//! ```

use core::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::jose::claims::{ClaimRules, Claims, Profile, ScopeSource};
use crate::jose::dpop::Binding;
use crate::jose::keys::KeySet;
use crate::jose::scopes::Scopes;
use crate::jose::{
    algorithm::Algorithm,
    discovery::{Discovery, Location},
    jws::{self, Header, LastHeader, UntrustedToken, VerifiedJws},
};
use crate::json::Outline;
use crate::time::UnixTime;

/// Where an issuer's keys come from.
#[derive(Debug)]
pub enum KeySource {
    /// Known from the start.
    Fixed(KeySet),
    /// Published by the issuer; the edge fetches them and hands them in.
    Remote {
        /// Where the JWKS is.
        uri: String,
    },
    /// Published by the issuer, where its own document says; the edge fetches both.
    Discovered(Discovery),
    /// The gate's own key ring ([`crate::jose::verifier`] is handed them as remote ones; a secret may be among them).
    Ring,
}

impl KeySource {
    /// Where the keys are published; `None` for those that are known.
    #[must_use]
    pub const fn location(&self) -> Option<Location<'_>> {
        match self {
            Self::Fixed(_) | Self::Ring => None,
            Self::Remote { uri } => Some(Location::Known(uri.as_str())),
            Self::Discovered(discovery) => Some(Location::Discovered(discovery)),
        }
    }
}

/// One issuer whose tokens are taken.
#[derive(Debug)]
pub struct Issuer {
    /// What its tokens have to say.
    pub rules: ClaimRules,
    /// The algorithms it signs with; others are refused even if a key would serve them.
    pub algorithms: Vec<Algorithm>,
    /// Its keys.
    pub keys: KeySource,
    /// Whether its tokens are bound to a key of the client. The guard checks this, since it sees the proof; the verifier
    /// does not.
    pub binding: Binding,
}

impl Issuer {
    /// Whether a token could be meant for either: one issuer, and algorithms of one family, whose keys might be the same.
    fn is_ambiguous_beside(&self, other: &Self) -> bool {
        let of_one_family = |algorithm: &Algorithm| {
            other.algorithms.iter().any(|one| one.family() == algorithm.family())
        };
        self.rules.issuers().any(|name| other.rules.is_for(name))
            && (self.algorithms.is_empty() || self.algorithms.iter().any(of_one_family))
    }
}

/// Decides about the tokens of a fixed list of issuers.
#[derive(Debug)]
pub struct Verifier {
    issuers: Vec<Issuer>,
    max_token_length: usize,
}

impl Verifier {
    /// Takes the issuers; `max_token_length` is in bytes ([`jws::DEFAULT_MAX_TOKEN_LENGTH`]).
    ///
    /// # Errors
    /// [`Error::Config`], with the path of the fault: no issuer; an empty `issuer`; one that is repeated, unless the
    /// algorithms of the two are of different families; an empty list of algorithms, HMAC beside others in it, or one that no key serves; HMAC with remote keys (a
    /// published secret is none); rules that contradict their profile ([`ClaimRules::check_profile`]); a length
    /// of 0.
    pub fn new(issuers: Vec<Issuer>, max_token_length: usize) -> Result<Self, Error> {
        if issuers.is_empty() {
            return Err(Error::config("issuers", "expected at least one issuer"));
        }
        if max_token_length == 0 {
            return Err(Error::config("max_token_length", "expected at least 1"));
        }
        for (index, issuer) in issuers.iter().enumerate() {
            let name = &issuer.rules.issuer;
            let path = format!("issuers[{index}].issuer");
            if name.is_empty() {
                return Err(Error::config(&path, "expected a non-empty string"));
            }
            if issuers.iter().take(index).any(|earlier| earlier.is_ambiguous_beside(issuer)) {
                let problem = "the same issuer twice, expected algorithms of different families";
                return Err(Error::config(&path, problem));
            }
            issuer.rules.check_profile().map_err(|error| match error {
                Error::Config { path, problem } => {
                    Error::config(format!("issuers[{index}].{path}"), problem)
                }
                error => error,
            })?;
            check_algorithms(issuer).map_err(|problem| {
                Error::config(format!("issuers[{index}].algorithms"), problem)
            })?;
        }
        Ok(Self { issuers, max_token_length })
    }

    /// The issuers, in the order given.
    #[must_use]
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// The entries of this issuer: one, or several whose algorithms are of different families.
    pub fn issuers_named<'n>(&self, name: &'n str) -> impl Iterator<Item = &Issuer> + use<'_, 'n> {
        self.issuers.iter().filter(move |issuer| issuer.rules.is_for(name))
    }

    /// Parses a token and finds its issuer by the exact `iss`, which is not believed yet. Then `alg` has to
    /// be in that issuer's list; of several entries of one issuer it chooses the one whose list has it.
    ///
    /// # Errors
    /// As [`UntrustedToken::parse`] and [`UntrustedToken::unverified_issuer`]; [`Error::UnknownIssuer`], also
    /// if there is no `iss`; [`Error::AlgorithmNotAllowed`].
    pub fn begin<'a>(&'a self, token: &'a str) -> Result<Pending<'a>, Error> {
        self.begin_after(token, &mut LastHeader::default())
    }

    /// The entry that decides about tokens of this issuer with this `alg`.
    fn entry(&self, name: &str, algorithm: Algorithm) -> Result<&Issuer, Error> {
        let mut entries = self.issuers_named(name).peekable();
        entries.peek().ok_or(Error::UnknownIssuer)?;
        entries
            .find(|issuer| issuer.algorithms.contains(&algorithm))
            .ok_or(Error::AlgorithmNotAllowed)
    }

    /// The same, where the header need not be read again if its text is that of the last one.
    ///
    /// # Errors
    /// As [`Verifier::begin`].
    pub fn begin_after<'a>(
        &'a self,
        token: &'a str,
        last: &mut LastHeader,
    ) -> Result<Pending<'a>, Error> {
        let token = UntrustedToken::parse_after(token, self.max_token_length, last)?;
        let outlined = token.outlined();
        let name = token.unverified_issuer_at(outlined.as_ref())?.ok_or(Error::UnknownIssuer)?;
        let issuer = self.entry(&name, token.header().algorithm())?;
        drop(name);
        let outline = outlined.map(|(_, outline)| outline);
        Ok(Pending { token, outline, issuer })
    }
}

/// A token whose issuer has been chosen and whose signature is still to be checked.
#[derive(Debug)]
#[must_use]
pub struct Pending<'a> {
    token: UntrustedToken<'a>,
    outline: Option<Outline>,
    issuer: &'a Issuer,
}

impl<'a> Pending<'a> {
    /// Whose keys are wanted.
    #[must_use]
    pub const fn issuer(&self) -> &'a Issuer {
        self.issuer
    }

    /// The `kid` that the token names. If a remote set does not have it, fetching the set again may help.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.token.header().key_id()
    }

    /// The `alg` of the token, which is in the issuer's list.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.token.header().algorithm()
    }

    /// As [`UntrustedToken::offering_ed25519`].
    pub fn offering_ed25519(self) -> Self {
        Self { token: self.token.offering_ed25519(), ..self }
    }

    /// Tries the keys: the issuer's own if they are fixed (`keys` is then not looked at), or else `keys`.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] if the issuer's keys are remote and none are given, or if those are
    /// secrets; [`Error::UnknownKey`], [`Error::AlgorithmNotAllowed`], [`Error::BadSignature`].
    pub fn verify(self, keys: Option<&'a KeySet>) -> Result<TokenStep<'a>, Error> {
        let unavailable = |problem: &str| Error::KeysUnavailable {
            issuer: self.issuer.rules.issuer.clone(),
            problem: problem.to_owned(),
        };
        let keys = match (&self.issuer.keys, keys) {
            (KeySource::Fixed(keys), _) => keys,
            (_, None) => return Err(unavailable("not fetched")),
            (KeySource::Ring, Some(keys)) => keys,
            (_, Some(keys)) if keys.is_symmetric() => {
                return Err(unavailable("the published set holds secrets"));
            }
            (_, Some(keys)) => keys,
        };
        let Self { token, outline, issuer } = self;
        token.verify_with_set(keys).map(|step| TokenStep::new(step, outline, issuer))
    }
}

/// What verification has come to.
#[derive(Debug)]
#[must_use]
pub enum TokenStep<'a> {
    /// The signature holds; the claims are still to be checked.
    Verified(Signed<'a>),
    /// The host has to check a signature; nothing is verified yet.
    NeedsHost(HostCheck<'a>),
}

impl<'a> TokenStep<'a> {
    fn new(step: jws::JwsStep<'a>, outline: Option<Outline>, issuer: &'a Issuer) -> Self {
        match step {
            jws::JwsStep::Verified(jws) => Self::Verified(Signed { jws, outline, issuer }),
            jws::JwsStep::NeedsHost(check) => Self::NeedsHost(HostCheck { check, outline, issuer }),
        }
    }
}

/// A signature for the host to check, bound to the issuer whose key it is.
#[derive(Debug)]
#[must_use]
pub struct HostCheck<'a> {
    check: jws::HostCheck<'a>,
    outline: Option<Outline>,
    issuer: &'a Issuer,
}

impl<'a> HostCheck<'a> {
    /// What to check.
    pub const fn task(&self) -> &jws::HostCheck<'a> {
        &self.check
    }

    /// As [`jws::HostCheck::suspend`].
    #[must_use]
    pub fn suspend(self) -> Suspended {
        Suspended { jws: self.check.suspend(), outline: self.outline }
    }

    /// Takes the host's verdict; see [`jws::HostCheck::conclude`].
    ///
    /// # Errors
    /// [`Error::BadSignature`] if it does not hold and no other key is left to try.
    pub fn conclude(self, holds: bool) -> Result<TokenStep<'a>, Error> {
        let Self { check, outline, issuer } = self;
        check.conclude(holds).map(|step| TokenStep::new(step, outline, issuer))
    }

    /// Takes note that the host cannot use the key; see [`jws::HostCheck::pass_over`].
    ///
    /// # Errors
    /// `fault` if no other key is left to try.
    pub fn pass_over(self, fault: Error) -> Result<TokenStep<'a>, Error> {
        let Self { check, outline, issuer } = self;
        check.pass_over(fault).map(|step| TokenStep::new(step, outline, issuer))
    }
}

/// A token whose signature the host is checking: [`jws::Suspended`].
#[derive(Debug)]
pub struct Suspended {
    jws: jws::Suspended,
    outline: Option<Outline>,
}

impl Suspended {
    /// The length of the payload.
    #[must_use]
    pub const fn payload_bytes(&self) -> usize {
        self.jws.payload_bytes()
    }
}

/// A token whose signature held for a key of its issuer.
#[derive(Debug)]
#[must_use]
pub struct Signed<'a> {
    jws: VerifiedJws,
    outline: Option<Outline>,
    issuer: &'a Issuer,
}

impl<'a> Signed<'a> {
    /// A token that was suspended while a key of this issuer was asked about, once the host has said that it holds.
    pub fn resumed(token: Suspended, issuer: &'a Issuer) -> Self {
        Self { jws: token.jws.holds(), outline: token.outline, issuer }
    }

    /// Whose key it was.
    #[must_use]
    pub const fn issuer(&self) -> &'a Issuer {
        self.issuer
    }

    /// The signed bytes.
    #[must_use]
    pub const fn jws(&self) -> &VerifiedJws {
        &self.jws
    }

    /// Parses the claims and checks them against the issuer's rules at the time `now`.
    ///
    /// # Errors
    /// As [`Claims::parse`] and [`ClaimRules::check`].
    pub fn claims(self, now: UnixTime) -> Result<VerifiedToken, Error> {
        let (header, payload, key_id) = self.jws.into_parts();
        let claims = Claims::from_payload(payload, self.outline)?;
        let rules = &self.issuer.rules;
        rules.check(&header, &claims, now)?;
        Ok(VerifiedToken {
            header,
            key_id,
            claims,
            scopes: Arc::clone(&rules.scopes),
            profile: rules.profile,
            binding: self.issuer.binding,
        })
    }
}

/// A token that was signed by a key of its issuer and meets the issuer's rules. Only [`Signed::claims`]
/// makes one.
///
/// It was so at the time it was checked: who keeps one must check the time again
/// ([`ClaimRules::check`]), and whether it was revoked.
#[derive(Clone)]
pub struct VerifiedToken {
    header: Header,
    key_id: Option<String>,
    claims: Claims,
    scopes: Arc<ScopeSource>,
    profile: Profile,
    binding: Binding,
}

impl VerifiedToken {
    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The claims as the issuer wrote them: UTF-8 JSON, an object without repeated names.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.claims.as_text().as_bytes()
    }

    pub(crate) fn into_payload(self) -> String {
        self.claims.into_text()
    }

    /// `iss`, equal to the rule's issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.claims.issuer().unwrap_or_default()
    }

    /// `sub`, if there is one.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims.subject()
    }

    /// Which key signed it; see [`VerifiedJws::key_id`].
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What the token permits ([`ScopeSource::scopes`]); put together on each call.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        self.scopes.scopes(&self.claims, self.profile)
    }

    /// Whether it has to be bound to a key, as the entry of its issuer says by whose keys it was verified.
    #[must_use]
    pub const fn binding(&self) -> Binding {
        self.binding
    }
}

/// Shows no claims: they are about a person.
impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("header", &self.header)
            .field("key_id", &self.key_id)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

fn check_algorithms(issuer: &Issuer) -> Result<(), String> {
    let algorithms = &issuer.algorithms;
    let symmetric = algorithms.iter().filter(|algorithm| algorithm.is_symmetric()).count();
    if algorithms.is_empty() {
        return Err("expected a non-empty list".to_owned());
    }
    if symmetric != 0 && symmetric != algorithms.len() {
        return Err("HMAC beside public-key algorithms, expected one or the other".to_owned());
    }
    match &issuer.keys {
        KeySource::Remote { .. } | KeySource::Discovered(_) if symmetric != 0 => {
            Err("HMAC with published keys, expected a public-key algorithm".to_owned())
        }
        KeySource::Remote { .. } | KeySource::Discovered(_) | KeySource::Ring => Ok(()),
        KeySource::Fixed(keys) => {
            let served = |algorithm| keys.keys().iter().any(|key| key.permits(algorithm));
            match algorithms.iter().find(|algorithm| !served(**algorithm)) {
                Some(algorithm) => Err(format!("no key serves {algorithm}")),
                None => Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::keys::Key;
    use crate::secret::Secret;

    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"ec",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const NOW: UnixTime = UnixTime::from_secs(1000);

    fn secrets() -> KeySet {
        KeySet::new(vec![Key::hmac(Secret::new(vec![7; 32]), Algorithm::Hs256, None).unwrap()])
            .unwrap()
    }

    fn ec() -> KeySet {
        KeySet::new(vec![Key::from_jwk(EC).unwrap()]).unwrap()
    }

    fn issuer(name: &str, algorithms: &[Algorithm], keys: KeySource) -> Issuer {
        Issuer {
            rules: ClaimRules::new(name),
            algorithms: algorithms.to_vec(),
            keys,
            binding: Binding::Off,
        }
    }

    fn remote() -> KeySource {
        KeySource::Remote { uri: "https://example.com/jwks".into() }
    }

    /// A token that no key has signed but that has the form of one.
    fn es256(header: &str, claims: &str) -> String {
        let encode = |bytes: &[u8]| crate::base64url::encode(bytes);
        format!("{}.{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()), encode(&[1; 64]))
    }

    #[track_caller]
    fn refused(issuers: Vec<Issuer>, message: &str) {
        assert_eq!(Verifier::new(issuers, 8192).unwrap_err().to_string(), message);
    }

    #[test]
    fn contradictions_are_refused_at_the_start() {
        use Algorithm::{EdDsa, Es256, Hs256, Hs512, Ps256, Rs256};

        let fixed = KeySource::Fixed;
        refused(vec![], "issuers: expected at least one issuer");
        refused(
            vec![issuer("", &[Es256], remote())],
            "issuers[0].issuer: expected a non-empty string",
        );
        refused(
            vec![issuer("a", &[Rs256], remote()), issuer("a", &[Ps256], remote())],
            "issuers[1].issuer: the same issuer twice, expected algorithms of different families",
        );
        refused(
            vec![issuer("a", &[], remote())],
            "issuers[0].algorithms: expected a non-empty list",
        );
        refused(
            vec![issuer("a", &[Hs256, Es256], fixed(secrets()))],
            "issuers[0].algorithms: HMAC beside public-key algorithms, expected one or the other",
        );
        refused(
            vec![issuer("a", &[Hs256], remote())],
            "issuers[0].algorithms: HMAC with published keys, expected a public-key algorithm",
        );
        refused(
            vec![issuer("a", &[Hs256, Hs512], fixed(secrets()))],
            "issuers[0].algorithms: no key serves HS512",
        );
        refused(
            vec![issuer("a", &[Es256, EdDsa], fixed(ec()))],
            "issuers[0].algorithms: no key serves EdDSA",
        );
        refused(
            vec![issuer("a", &[Hs256], fixed(ec()))],
            "issuers[0].algorithms: no key serves HS256",
        );
        assert_eq!(
            Verifier::new(vec![issuer("a", &[Es256], remote())], 0).unwrap_err().to_string(),
            "max_token_length: expected at least 1"
        );
    }

    #[test]
    fn the_host_is_asked_and_its_verdict_taken() {
        let issuers = vec![issuer("a", &[Algorithm::Es256], KeySource::Fixed(ec()))];
        let verifier = Verifier::new(issuers, 8192).unwrap();
        let token = es256(r#"{"alg":"ES256"}"#, r#"{"iss":"a","sub":"s","exp":1001,"scope":"x"}"#);
        let ask = || match verifier.begin(&token).unwrap().verify(None).unwrap() {
            TokenStep::NeedsHost(check) => check,
            TokenStep::Verified(_) => panic!("nobody has checked it"),
        };
        assert_eq!(ask().task().algorithm(), Algorithm::Es256);
        assert_eq!(ask().conclude(false).unwrap_err(), Error::BadSignature);
        let TokenStep::Verified(signed) = ask().conclude(true).unwrap() else { panic!() };
        assert_eq!(signed.issuer().rules.issuer, "a");
        let token = signed.claims(NOW).unwrap();
        assert_eq!((token.issuer(), token.subject(), token.key_id()), ("a", Some("s"), Some("ec")));
        assert!(token.scopes().contains("x"));
        assert_eq!(token.header().algorithm(), Algorithm::Es256);
        let TokenStep::Verified(signed) = ask().conclude(true).unwrap() else { panic!() };
        assert_eq!(
            signed.claims(UnixTime::from_secs(1001)).unwrap_err().to_string(),
            "token expired at 1001, it is 1001"
        );
    }

    #[test]
    fn the_list_of_algorithms_narrows_what_the_key_serves() {
        let rsa = format!(
            r#"{{"kty":"RSA","e":"AQAB","n":"{}"}}"#,
            crate::base64url::encode(&[0xff; 256])
        );
        let keys = KeySet::new(vec![Key::from_jwk(&rsa).unwrap()]).unwrap();
        let issuers = vec![issuer("a", &[Algorithm::Rs256], KeySource::Fixed(keys))];
        let verifier = Verifier::new(issuers, 8192).unwrap();
        let token = es256(r#"{"alg":"PS256"}"#, r#"{"iss":"a"}"#);
        assert_eq!(verifier.begin(&token).unwrap_err(), Error::AlgorithmNotAllowed);
        let token = es256(r#"{"alg":"RS256"}"#, r#"{"iss":"a"}"#);
        assert!(verifier.begin(&token).is_ok());
    }

    #[test]
    fn remote_keys_are_handed_in_and_are_never_secrets() {
        let issuers = vec![issuer("a", &[Algorithm::Es256], remote())];
        let verifier = Verifier::new(issuers, 8192).unwrap();
        let token = es256(r#"{"alg":"ES256","kid":"ec"}"#, r#"{"iss":"a"}"#);
        let pending = verifier.begin(&token).unwrap();
        assert_eq!((pending.key_id(), pending.algorithm()), (Some("ec"), Algorithm::Es256));
        assert_eq!(pending.verify(None).unwrap_err().to_string(), "keys of a: not fetched");
        assert_eq!(
            verifier.begin(&token).unwrap().verify(Some(&secrets())).unwrap_err().to_string(),
            "keys of a: the published set holds secrets"
        );
        let keys = ec();
        assert!(matches!(
            verifier.begin(&token).unwrap().verify(Some(&keys)),
            Ok(TokenStep::NeedsHost(_))
        ));
        let other = es256(r#"{"alg":"ES256","kid":"new"}"#, r#"{"iss":"a"}"#);
        assert_eq!(
            verifier.begin(&other).unwrap().verify(Some(&keys)).unwrap_err(),
            Error::UnknownKey
        );
    }

    #[test]
    fn the_scope_claim_of_the_rules_is_used() {
        let mut one = issuer("a", &[Algorithm::Es256], KeySource::Fixed(ec()));
        one.rules.scopes = Arc::new(ScopeSource::in_claim("permissions"));
        let verifier = Verifier::new(vec![one], 8192).unwrap();
        let claims = r#"{"iss":"a","exp":1001,"scope":"x","permissions":["y"]}"#;
        let token = es256(r#"{"alg":"ES256"}"#, claims);
        let TokenStep::NeedsHost(check) = verifier.begin(&token).unwrap().verify(None).unwrap()
        else {
            panic!()
        };
        let TokenStep::Verified(signed) = check.conclude(true).unwrap() else { panic!() };
        let token = signed.claims(NOW).unwrap();
        assert_eq!(token.scopes().to_string(), "y");
        assert_eq!(token.payload(), claims.as_bytes());
    }
}
