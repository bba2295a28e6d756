//! Compact JWS (RFC 7515): the strict parser, and verification with a key that fixes the algorithm.
//!
//! [`UntrustedToken::parse`] → [`UntrustedToken::verify`] → [`JwsStep`]. HMAC and Ed25519 are decided here. For
//! RSA and ECDSA the step is a [`HostCheck`]: the key, message and signature to hand to the host's
//! cryptography, and a place to put its verdict. Ed25519 goes the same way where
//! [`UntrustedToken::offering_ed25519`] says so.

use core::fmt;
use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::base64url;
use crate::byte_search;
use crate::error::{Error, TokenPart};
use crate::jose::algorithm::{Algorithm, MAX_KEY_ID_LENGTH};
use crate::jose::keys::{Candidates, Key, KeySet, Material, PublicKey};
use crate::json::{self, JsonFault, Kind, Outline, Place};

/// The longest token that is looked at unless the policy says otherwise, in bytes.
///
/// Servers in front of a service commonly allow 8 KiB for all headers together (nginx, Apache), so a
/// longer token would rarely arrive anyway.
pub const DEFAULT_MAX_TOKEN_LENGTH: usize = 8192;

/// The members of a JOSE header that are used. All others are ignored; those that name or carry a key
/// (`jku`, `jwk`, `x5u`, `x5c`) are never followed.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
    typ: Option<String>,
}

impl Header {
    /// `alg`: what the token says, to compare with what the key permits.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid`, at most [`MAX_KEY_ID_LENGTH`] bytes.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// `typ` as written.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// The header, and the members of it that are not used.
    fn parse(bytes: &[u8]) -> Result<(Self, Map<String, Value>), Error> {
        let mut members =
            json::parse_object(bytes).map_err(|fault| in_part(fault, TokenPart::Header))?;
        let header = Self::of(&mut |name| members.remove(name))?;
        Ok((header, members))
    }

    /// The header alone. Nearly each is an ordinary object, of which no tree is made: the first request of an isolate would wait for the code.
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let text = core::str::from_utf8(bytes).unwrap_or_default();
        let Some(outline) = Outline::of(text) else {
            return Self::parse(bytes).map(|(header, _)| header);
        };
        Self::of(&mut |name| {
            outline.get(text, name).map(|place| match place.kind {
                Kind::String => Value::String(place.span.of(text).to_owned()),
                // Whatever else it is: no string.
                _ => Value::Null,
            })
        })
    }

    /// The header with these members, each of which is asked for once.
    fn of(member: &mut dyn FnMut(&str) -> Option<Value>) -> Result<Self, Error> {
        if member("crit").is_some() || member("b64").is_some() {
            return Err(Error::UnsupportedCritical);
        }
        let mut string = |name: &str, problem: &'static str| match member(name) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(_) => Err(malformed(TokenPart::Header, problem)),
        };
        let algorithm = string("alg", "alg is not a string")?
            .ok_or_else(|| malformed(TokenPart::Header, "alg is missing"))?;
        let key_id = string("kid", "kid is not a string")?;
        let typ = string("typ", "typ is not a string")?;
        if key_id.as_ref().is_some_and(|kid| kid.len() > MAX_KEY_ID_LENGTH) {
            return Err(malformed(TokenPart::Header, "kid is longer than 256 bytes"));
        }
        let algorithm = Algorithm::from_name(&algorithm).ok_or(Error::AlgorithmNotAllowed)?;
        Ok(Self { algorithm, key_id, typ })
    }
}

/// Shows the algorithm only: the rest is text of the token.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The header that was read last, with its text. An issuer's tokens mostly begin with the same one.
#[derive(Default)]
pub struct LastHeader(Option<(String, Header)>);

impl LastHeader {
    fn of(&self, segment: &str) -> Option<Header> {
        self.0.as_ref().filter(|(text, _)| text == segment).map(|(_, header)| header.clone())
    }
}

/// Shows nothing: it is text of a token.
impl fmt::Debug for LastHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastHeader(_)")
    }
}

/// A token that is well formed and nothing more: no word of it is to be believed.
#[derive(Clone)]
pub struct UntrustedToken<'a> {
    header: Header,
    /// The first two segments with the dot between them: what was signed.
    message: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
    offers_ed25519: bool,
}

impl<'a> UntrustedToken<'a> {
    /// Takes a compact JWS apart (RFC 7515 §5.2, RFC 7519 §7.2), in this order: length; three segments, of
    /// which only the payload may be empty; base64url of each in its one spelling; the header a JSON object without repeated names,
    /// `crit` and `b64` absent, `alg` the name of a known algorithm, `kid` and `typ` strings if present.
    ///
    /// `max_length` counts bytes; see [`DEFAULT_MAX_TOKEN_LENGTH`]. Time and memory are linear in the
    /// length. The payload is not looked at yet.
    ///
    /// # Errors
    /// [`Error::TokenTooLong`], [`Error::MalformedToken`], [`Error::DuplicateMember`],
    /// [`Error::UnsupportedCritical`], [`Error::AlgorithmNotAllowed`].
    pub fn parse(token: &'a str, max_length: usize) -> Result<Self, Error> {
        Segments::of(token, max_length)?.read(&mut Header::read)
    }

    /// The same, where the header need not be read again if its text is that of the last one.
    ///
    /// # Errors
    /// As [`UntrustedToken::parse`].
    pub fn parse_after(
        token: &'a str,
        max_length: usize,
        last: &mut LastHeader,
    ) -> Result<Self, Error> {
        let segments = Segments::of(token, max_length)?;
        if let Some(header) = last.of(segments.header) {
            return segments.with_header(header);
        }
        let text = segments.header;
        let parsed = segments.read(&mut Header::read)?;
        last.0 = Some((text.to_owned(), parsed.header.clone()));
        Ok(parsed)
    }

    /// [`UntrustedToken::parse`] with the members of the header that [`Header`] has no use for.
    pub(crate) fn parse_with_members(
        token: &'a str,
        max_length: usize,
    ) -> Result<(Self, Map<String, Value>), Error> {
        let mut unused = Map::new();
        let token = Segments::of(token, max_length)?.read(&mut |bytes| {
            let (header, members) = Header::parse(bytes)?;
            unused = members;
            Ok(header)
        })?;
        Ok((token, unused))
    }

    /// A signature over bytes that are no token, such as that of a passkey: it is verified by the same rules as one of a token. Nothing is
    /// its header and its payload.
    pub(crate) const fn detached(
        algorithm: Algorithm,
        message: &'a [u8],
        signature: Vec<u8>,
    ) -> Self {
        let header = Header { algorithm, key_id: None, typ: None };
        Self { header, message, payload: Vec::new(), signature, offers_ed25519: false }
    }

    /// With Ed25519, asks the host too, whose native code may be faster. It need not take it: there is
    /// [`HostCheck::decide_here`].
    #[must_use]
    pub fn offering_ed25519(self) -> Self {
        Self { offers_ed25519: true, ..self }
    }

    /// The header: good for choosing a key, and for nothing else yet.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// `iss` as the token claims it, only to choose whose keys to try. `None` if there is none.
    ///
    /// # Errors
    /// [`Error::MalformedToken`] if the payload is no JSON object or `iss` is not a string,
    /// [`Error::DuplicateMember`] if `iss` occurs twice.
    pub fn unverified_issuer(&self) -> Result<Option<String>, Error> {
        json::find_string(&self.payload, "iss").map_err(|fault| match fault {
            JsonFault::NotAString => malformed(TokenPart::Payload, "iss is not a string"),
            fault => in_part(fault, TokenPart::Payload),
        })
    }

    /// The payload with its outline, if it is an ordinary object. No more of it is to be believed than of the token.
    pub(crate) fn outlined(&self) -> Option<(&str, Outline)> {
        let text = core::str::from_utf8(&self.payload).ok()?;
        Some((text, Outline::of(text)?))
    }

    /// [`UntrustedToken::unverified_issuer`] for who has the outline.
    pub(crate) fn unverified_issuer_at<'t>(
        &'t self,
        outlined: Option<&(&'t str, Outline)>,
    ) -> Result<Option<Cow<'t, str>>, Error> {
        let Some((text, outline)) = outlined else {
            return self.unverified_issuer().map(|issuer| issuer.map(Cow::Owned));
        };
        match outline.get(text, "iss") {
            None => Ok(None),
            Some(Place { kind: Kind::String, span }) => Ok(Some(Cow::Borrowed(span.of(text)))),
            Some(_) => Err(malformed(TokenPart::Payload, "iss is not a string")),
        }
    }

    /// Verifies with one key. The key says which algorithms it serves; `alg` is only compared with them.
    ///
    /// # Errors
    /// [`Error::AlgorithmNotAllowed`] if the key does not serve `alg`, [`Error::BadSignature`].
    pub fn verify(self, key: &'a Key) -> Result<JwsStep<'a>, Error> {
        let algorithm = self.header.algorithm;
        if !key.permits(algorithm) {
            return Err(Error::AlgorithmNotAllowed);
        }
        self.advance(Candidates::one(key, algorithm))
    }

    /// Verifies with whichever keys of the set the header selects ([`KeySet::select`]), in turn.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], [`Error::AlgorithmNotAllowed`], [`Error::BadSignature`].
    pub fn verify_with_set(self, keys: &'a KeySet) -> Result<JwsStep<'a>, Error> {
        let candidates = keys.select(self.header.key_id(), self.header.algorithm())?;
        self.advance(candidates)
    }

    /// Tries keys until one holds or the host has to be asked.
    fn advance(self, mut candidates: Candidates<'a>) -> Result<JwsStep<'a>, Error> {
        while let Some(key) = candidates.next() {
            let verdict = match key.material() {
                Material::Hmac(mac) => {
                    mac.verify(self.header.algorithm, self.message, &self.signature)
                }
                Material::Public(PublicKey::Ed25519(public)) if !self.offers_ed25519 => {
                    public.verify(self.message, &self.signature)
                }
                Material::Public(public) => {
                    if public.could_have_made(&self.signature) {
                        return Ok(JwsStep::NeedsHost(HostCheck {
                            token: self,
                            key,
                            public,
                            rest: candidates,
                        }));
                    }
                    Err(Error::BadSignature)
                }
            };
            match verdict {
                Ok(()) => return Ok(JwsStep::Verified(self.into_verified(key))),
                Err(Error::BadSignature) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::BadSignature)
    }

    fn into_verified(self, key: &Key) -> VerifiedJws {
        VerifiedJws {
            header: self.header,
            payload: self.payload,
            key_id: key.id().map(str::to_owned),
        }
    }
}

/// The three segments of a token, not decoded.
struct Segments<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// The first two with the dot between them.
    message: &'a str,
}

impl<'a> Segments<'a> {
    fn of(token: &'a str, max_length: usize) -> Result<Self, Error> {
        if token.len() > max_length {
            return Err(Error::TokenTooLong { length: token.len(), limit: max_length });
        }
        let not_three = || {
            malformed(TokenPart::Token, "expected three segments, header and signature not empty")
        };
        let (header, rest) = byte_search::split_once(token, b'.').ok_or_else(not_three)?;
        let (payload, signature) = byte_search::split_once(rest, b'.').ok_or_else(not_three)?;
        let has_more = byte_search::find(signature.as_bytes(), b'.').is_some();
        // Nothing is a payload like another (RFC 7515 §3). It is no claims set: as a JWT it is refused there.
        if header.is_empty() || signature.is_empty() || has_more {
            return Err(not_three());
        }
        let message = token.strip_suffix(signature).and_then(|message| message.strip_suffix('.'));
        Ok(Self { header, payload, signature, message: message.ok_or_else(not_three)? })
    }

    /// The token, once all of it is decoded and its header read.
    fn read(
        self,
        header: &mut dyn FnMut(&[u8]) -> Result<Header, Error>,
    ) -> Result<UntrustedToken<'a>, Error> {
        let bytes = decode(self.header, TokenPart::Header)?;
        let payload = decode(self.payload, TokenPart::Payload)?;
        let signature = decode(self.signature, TokenPart::Signature)?;
        let (header, message) = (header(&bytes)?, self.message.as_bytes());
        Ok(UntrustedToken { header, message, payload, signature, offers_ed25519: false })
    }

    fn with_header(self, header: Header) -> Result<UntrustedToken<'a>, Error> {
        let payload = decode(self.payload, TokenPart::Payload)?;
        let signature = decode(self.signature, TokenPart::Signature)?;
        let message = self.message.as_bytes();
        Ok(UntrustedToken { header, message, payload, signature, offers_ed25519: false })
    }
}

fn decode(segment: &str, part: TokenPart) -> Result<Vec<u8>, Error> {
    base64url::decode_public(segment)
        .ok_or_else(|| malformed(part, "not base64url without padding"))
}

/// Shows lengths only: a token is a credential.
impl fmt::Debug for UntrustedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntrustedToken")
            .field("header", &self.header)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// What verification has come to.
#[derive(Debug)]
#[must_use]
pub enum JwsStep<'a> {
    /// The signature holds.
    Verified(VerifiedJws),
    /// The host has to check a signature; nothing is verified yet.
    NeedsHost(HostCheck<'a>),
}

/// A signature for the host's cryptography (WebCrypto, `node:crypto`) to check.
///
/// Already checked: the key serves the algorithm, the signature has the one length it can have, and, for Ed25519, no
/// point is of small order. Left to the host: that an EC key is a point of its curve, which every `importKey` checks.
#[must_use]
pub struct HostCheck<'a> {
    token: UntrustedToken<'a>,
    key: &'a Key,
    public: &'a PublicKey,
    rest: Candidates<'a>,
}

impl<'a> HostCheck<'a> {
    /// The algorithm to verify with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.token.header.algorithm
    }

    /// The key to verify with; [`PublicKey::to_jwk`] is what `importKey` takes.
    #[must_use]
    pub const fn key(&self) -> &'a PublicKey {
        self.public
    }

    /// The key's RFC 7638 thumbprint: with the algorithm, the name under which to keep an imported key.
    #[must_use]
    pub fn thumbprint(&self) -> &'a str {
        self.key.thumbprint().unwrap_or_default()
    }

    /// The verdict without the host, for one that does not have the algorithm: `Some` for Ed25519, whether the signature
    /// holds. The host's is the same.
    #[must_use]
    pub fn decide_here(&self) -> Option<bool> {
        match self.public {
            PublicKey::Ed25519(key) => Some(key.verify(self.message(), self.signature()).is_ok()),
            PublicKey::Rsa { .. } | PublicKey::Ec { .. } => None,
        }
    }

    /// The bytes that were signed.
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.token.message
    }

    /// The signature as JWS carries it; for ECDSA `r ‖ s` (RFC 7518 §3.4), as WebCrypto takes it.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.token.signature
    }

    /// What is needed once the signature holds, without the borrowed token and keys: to be kept while the host decides.
    #[must_use]
    pub fn suspend(self) -> Suspended {
        Suspended(self.token.into_verified(self.key))
    }

    /// Takes the host's verdict. If the signature does not hold and other keys are candidates, the next
    /// step tries them.
    ///
    /// # Errors
    /// [`Error::BadSignature`] if no candidate is left.
    pub fn conclude(self, holds: bool) -> Result<JwsStep<'a>, Error> {
        if holds {
            Ok(JwsStep::Verified(self.token.into_verified(self.key)))
        } else {
            self.token.advance(self.rest)
        }
    }

    /// Takes note that the host cannot use the key. If other keys are candidates, the next step tries them: one
    /// odd key of a set must not take the others out of use.
    ///
    /// # Errors
    /// `fault` if no candidate is left.
    pub fn pass_over(self, fault: Error) -> Result<JwsStep<'a>, Error> {
        match self.rest.clone().next() {
            Some(_) => self.token.advance(self.rest),
            None => Err(fault),
        }
    }
}

/// A token whose signature the host is checking. Nothing of it is verified yet, or to be seen.
pub struct Suspended(VerifiedJws);

impl Suspended {
    /// The length of the payload.
    #[must_use]
    pub const fn payload_bytes(&self) -> usize {
        self.0.payload.len()
    }

    /// The host says that the signature holds.
    pub(crate) fn holds(self) -> VerifiedJws {
        self.0
    }
}

/// Shows nothing: it is not verified.
impl fmt::Debug for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Suspended(_)")
    }
}

/// Shows which key is asked for, not what is to be verified with it.
impl fmt::Debug for HostCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostCheck").field("token", &self.token).field("key", self.key).finish()
    }
}

/// A JWS whose signature held. Only this module makes one.
///
/// What the payload says is true in so far as the key's owner says so; the claims are yet to be checked
/// ([`crate::jose::claims`]).
pub struct VerifiedJws {
    header: Header,
    payload: Vec<u8>,
    key_id: Option<String>,
}

impl VerifiedJws {
    /// The header, now authentic.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The payload's bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Which key it was: its `kid`, or else its RFC 7638 thumbprint. `None` for a secret without `kid`: the
    /// hash of a secret is no public name for it (RFC 7638 §7).
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Header, payload, key id.
    pub(crate) fn into_parts(self) -> (Header, Vec<u8>, Option<String>) {
        (self.header, self.payload, self.key_id)
    }
}

/// Shows no payload: it is about a person.
impl fmt::Debug for VerifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedJws")
            .field("header", &self.header)
            .field("payload_bytes", &self.payload.len())
            .field("key_id", &self.key_id)
            .finish()
    }
}

/// A JSON fault in a part of a token.
pub(crate) fn in_part(fault: JsonFault, part: TokenPart) -> Error {
    match fault {
        JsonFault::Duplicate => Error::DuplicateMember(part),
        fault => malformed(part, fault.problem()),
    }
}

const fn malformed(part: TokenPart, problem: &'static str) -> Error {
    Error::MalformedToken { part, problem }
}

#[cfg(test)]
mod tests {
    use hmac::Hmac;
    use sha2::{Sha256, Sha384, Sha512};

    use super::*;
    use crate::secret::Secret;

    const SECRET: [u8; 64] = [7; 64];
    const PAYLOAD: &str = r#"{"iss":"me"}"#;

    fn signed<M: hmac::Mac + hmac::digest::KeyInit>(header: &str, payload: &str) -> String {
        let encode = |text: &str| base64url::encode(text.as_bytes());
        let message = format!("{}.{}", encode(header), encode(payload));
        let mut mac = <M as hmac::digest::KeyInit>::new_from_slice(&SECRET).unwrap();
        mac.update(message.as_bytes());
        format!("{message}.{}", base64url::encode(&mac.finalize().into_bytes()))
    }

    fn key(algorithm: Algorithm, kid: Option<&str>) -> Key {
        Key::hmac(Secret::new(SECRET.to_vec()), algorithm, kid.map(str::to_owned)).unwrap()
    }

    fn parse(token: &str) -> Result<UntrustedToken<'_>, Error> {
        UntrustedToken::parse(token, DEFAULT_MAX_TOKEN_LENGTH)
    }

    #[test]
    fn names_of_algorithms_are_exact() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(algorithm));
            for other in [
                algorithm.as_str().to_ascii_lowercase(),
                format!("{algorithm} "),
                algorithm.as_str().replacen('S', "s", 1),
            ] {
                assert_eq!(Algorithm::from_name(&other), None, "{other}");
            }
        }
        assert_eq!(Algorithm::from_name("Ed25519"), Some(Algorithm::EdDsa));
        for name in ["", "none", "None", "Ed448", "ES256K", "RS1", "HS1", "ed25519", "EDDSA"] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_header_is_read_in_place_as_from_a_tree() {
        let kid = "k".repeat(MAX_KEY_ID_LENGTH);
        let long = format!(r#"{{"alg":"HS256","kid":"{kid}k"}}"#);
        let longest = format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
        for header in [
            r#"{"alg":"HS256","typ":"JWT"}"#,
            r#" { "typ" : "at+jwt" , "kid" : "1" , "alg" : "ES256" , "jwk" : {"kty":"EC"} } "#,
            r#"{"alg":"HS256","kid":""}"#,
            r#"{"\u0061lg":"HS256","k\u0069d":"1"}"#,
            r#"{"alg":"HS\u0032\u0035\u0036"}"#,
            r#"{"alg":"none"}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":null}"#,
            r#"{"alg":"HS256","kid":7}"#,
            r#"{"alg":"HS256","typ":{}}"#,
            r#"{"alg":"HS256","crit":[]}"#,
            r#"{"alg":"HS256","crit":null}"#,
            r#"{"b64":false}"#,
            r#"{"alg":"HS256","alg":"none"}"#,
            r#"{"alg":"HS256","x":1,"x":2}"#,
            r#"{"alg":"HS256","\u0061lg":"none"}"#,
            "{}",
            "[]",
            "",
            r#"{"alg":"HS256"}{}"#,
            &long,
            &longest,
        ] {
            let header = header.as_bytes();
            assert_eq!(Header::read(header), Header::parse(header).map(|(header, _)| header));
        }
        assert_eq!(Header::read(b"\xff"), Header::parse(b"\xff").map(|(header, _)| header));
    }

    #[test]
    fn a_token_has_exactly_two_dots() {
        let token = signed::<Hmac<Sha256>>(r#"{"alg":"HS256"}"#, PAYLOAD);
        let parsed = parse(&token).unwrap();
        assert_eq!(parsed.message, token.rsplit_once('.').unwrap().0.as_bytes());
        for other in [
            token.replacen('.', "", 1),
            token.replace('.', ""),
            format!("{token}."),
            format!(".{token}"),
            token.replacen('.', "..", 1),
            format!("{}.", token.rsplit_once('.').unwrap().0),
            "..".to_owned(),
            ".".to_owned(),
            String::new(),
        ] {
            let error = parse(&other).unwrap_err();
            assert!(
                matches!(error, Error::MalformedToken { part: TokenPart::Token, .. }),
                "{other}"
            );
        }
    }

    #[test]
    fn who_checks_which_algorithm() {
        let names = |pick: fn(Algorithm) -> bool| -> Vec<&str> {
            Algorithm::ALL.into_iter().filter(|one| pick(*one)).map(Algorithm::as_str).collect()
        };
        assert_eq!(names(Algorithm::is_symmetric), ["HS256", "HS384", "HS512"]);
        assert_eq!(names(|one| !one.needs_host()), ["HS256", "HS384", "HS512", "EdDSA"]);
    }

    #[test]
    fn ed25519_is_the_hosts_where_it_is_offered() {
        use ed25519_dalek::{Signer as _, SigningKey};
        let signer = SigningKey::from_bytes(&[7; 32]);
        let x = base64url::encode(signer.verifying_key().as_bytes());
        let key = Key::from_jwk(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#)).unwrap();
        let message = format!("{}.e30", base64url::encode(br#"{"alg":"EdDSA"}"#));
        let genuine = signer.sign(message.as_bytes()).to_bytes();
        let token = |signature: &[u8]| format!("{message}.{}", base64url::encode(signature));
        let good = token(&genuine);
        assert!(matches!(parse(&good).unwrap().verify(&key), Ok(JwsStep::Verified(_))));
        let offered = |text| parse(text).unwrap().offering_ed25519().verify(&key);
        let Ok(JwsStep::NeedsHost(check)) = offered(&good) else { panic!("expected the host") };
        assert_eq!(check.algorithm(), Algorithm::EdDsa);
        assert_eq!(check.decide_here(), Some(true));
        assert_eq!(check.key().to_jwk(Algorithm::EdDsa)["x"].as_str(), Some(x.as_str()));
        assert!(matches!(check.conclude(true), Ok(JwsStep::Verified(_))));
        let mut forged = genuine;
        forged[0] ^= 1;
        let forged = token(&forged);
        let Ok(JwsStep::NeedsHost(check)) = offered(&forged) else { panic!("expected the host") };
        assert_eq!(check.decide_here(), Some(false));
        assert_eq!(check.conclude(false).unwrap_err(), Error::BadSignature);
        // A point of small order: a host might let it pass.
        let mut small = genuine;
        small[..32].fill(0);
        assert_eq!(offered(&token(&small)).unwrap_err(), Error::BadSignature);
    }

    #[test]
    fn a_header_read_before_saves_work_and_changes_nothing() {
        let encode = |text: &str| base64url::encode(text.as_bytes());
        let (hs256, named) = (r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","kid":"k"}"#);
        let mut last = LastHeader::default();
        for (header, payload, signature) in [
            (hs256, "e30", "AA"),
            (hs256, "W10", "AQ"),
            (hs256, "e3", "AA"),
            (hs256, "e30", "AB"),
            (named, "e30", "AA"),
            (r#"{"alg":"none"}"#, "e30", "AA"),
            (r#"{"alg":"none"}"#, "e30", "AA"),
            (named, "", "AA"),
        ] {
            let token = format!("{}.{payload}.{signature}", encode(header));
            let parts = |token: UntrustedToken<'_>| (token.header, token.payload, token.signature);
            assert_eq!(
                UntrustedToken::parse_after(&token, 8192, &mut last).map(parts),
                UntrustedToken::parse(&token, 8192).map(parts),
                "{token}"
            );
        }
        assert!(last.of(&encode(named)).is_some());
        assert!(last.of(&encode(hs256)).is_none());
    }

    #[test]
    fn the_header_is_read() {
        let token = signed::<Hmac<Sha256>>(
            r#"{"typ":"at+jwt","alg":"HS256","kid":"k","x":[1,{"y":2}]}"#,
            PAYLOAD,
        );
        let parsed = parse(&token).unwrap();
        let header = parsed.header();
        assert_eq!(header.algorithm(), Algorithm::Hs256);
        assert_eq!((header.key_id(), header.typ()), (Some("k"), Some("at+jwt")));
        assert_eq!(parsed.unverified_issuer(), Ok(Some("me".to_owned())));
    }

    #[test]
    fn every_hmac_verifies_with_its_own_key_only() {
        let tokens = [
            (Algorithm::Hs256, signed::<Hmac<Sha256>>(r#"{"alg":"HS256"}"#, PAYLOAD)),
            (Algorithm::Hs384, signed::<Hmac<Sha384>>(r#"{"alg":"HS384"}"#, PAYLOAD)),
            (Algorithm::Hs512, signed::<Hmac<Sha512>>(r#"{"alg":"HS512"}"#, PAYLOAD)),
        ];
        for (algorithm, token) in &tokens {
            for key in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
                let key_algorithm = key;
                let key = super::tests::key(key, Some("k"));
                match parse(token).unwrap().verify(&key) {
                    Ok(JwsStep::Verified(jws)) => {
                        assert_eq!(key_algorithm, *algorithm);
                        assert_eq!(jws.payload(), PAYLOAD.as_bytes());
                        assert_eq!(jws.key_id(), Some("k"));
                    }
                    other => {
                        assert_ne!(key_algorithm, *algorithm);
                        assert_eq!(other.unwrap_err(), Error::AlgorithmNotAllowed);
                    }
                }
            }
        }
    }

    #[test]
    fn a_secret_without_kid_has_no_public_name() {
        let token = signed::<Hmac<Sha256>>(r#"{"alg":"HS256","kid":"x"}"#, PAYLOAD);
        let key = key(Algorithm::Hs256, None);
        let JwsStep::Verified(jws) = parse(&token).unwrap().verify(&key).unwrap() else { panic!() };
        assert_eq!(jws.key_id(), None);
    }

    #[test]
    fn keys_of_a_set_are_tried_in_turn() {
        let token = signed::<Hmac<Sha256>>(r#"{"alg":"HS256"}"#, PAYLOAD);
        let other = || Key::hmac(Secret::new(vec![8; 32]), Algorithm::Hs256, None).unwrap();
        let set =
            KeySet::new(vec![other(), other(), key(Algorithm::Hs256, Some("third"))]).unwrap();
        let JwsStep::Verified(jws) = parse(&token).unwrap().verify_with_set(&set).unwrap() else {
            panic!()
        };
        assert_eq!(jws.key_id(), Some("third"));
        let set = KeySet::new(vec![other(), other()]).unwrap();
        assert_eq!(parse(&token).unwrap().verify_with_set(&set).unwrap_err(), Error::BadSignature);
    }

    /// An EC key for the host; these coordinates are of RFC 7515 A.3 and of no consequence.
    fn ec(kid: &str) -> Key {
        Key::from_jwk(&format!(
            r#"{{"kty":"EC","crv":"P-256","kid":"{kid}",
                "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}}"#
        ))
        .unwrap()
    }

    fn es256(header: &str) -> String {
        let encode = |text: &str| base64url::encode(text.as_bytes());
        format!("{}.{}.{}", encode(header), encode(PAYLOAD), base64url::encode(&[1; 64]))
    }

    #[test]
    fn the_host_is_asked_about_each_candidate_until_one_holds() {
        let token = es256(r#"{"alg":"ES256"}"#);
        let set = KeySet::new(vec![ec("one"), ec("two"), ec("three")]).unwrap();
        let mut step = parse(&token).unwrap().verify_with_set(&set).unwrap();
        let mut asked = Vec::new();
        let verified = loop {
            match step {
                JwsStep::Verified(jws) => break jws,
                JwsStep::NeedsHost(check) => {
                    asked.push(check.key.kid().unwrap().to_owned());
                    assert_eq!(check.signature(), [1; 64]);
                    assert_eq!(check.thumbprint().len(), 43);
                    let holds = asked.len() == 2;
                    step = check.conclude(holds).unwrap();
                }
            }
        };
        assert_eq!(asked, ["one", "two"]);
        assert_eq!(verified.key_id(), Some("two"));
    }

    #[test]
    fn when_no_candidate_holds_the_signature_is_bad() {
        let token = es256(r#"{"alg":"ES256"}"#);
        let set = KeySet::new(vec![ec("one"), ec("two")]).unwrap();
        let mut asked = 0;
        let mut step = parse(&token).unwrap().verify_with_set(&set);
        while let Ok(JwsStep::NeedsHost(check)) = step {
            asked += 1;
            step = check.conclude(false);
        }
        assert_eq!((asked, step.unwrap_err()), (2, Error::BadSignature));
    }

    #[test]
    fn a_key_that_the_host_cannot_use_costs_only_that_key() {
        let token = es256(r#"{"alg":"ES256"}"#);
        let set = KeySet::new(vec![ec("odd"), ec("good")]).unwrap();
        let fault = || Error::UnknownKey;
        let ask = || match parse(&token).unwrap().verify_with_set(&set).unwrap() {
            JwsStep::NeedsHost(check) => check,
            JwsStep::Verified(_) => panic!("nobody has checked it"),
        };
        let next = || match ask().pass_over(fault()).unwrap() {
            JwsStep::NeedsHost(check) => check,
            JwsStep::Verified(_) => panic!("nobody has checked it"),
        };
        let JwsStep::Verified(jws) = next().conclude(true).unwrap() else { panic!() };
        assert_eq!(jws.key_id(), Some("good"));
        assert_eq!(next().conclude(false).unwrap_err(), Error::BadSignature);
        assert_eq!(next().pass_over(fault()).unwrap_err(), fault());
    }

    #[test]
    fn a_token_that_names_its_key_asks_about_no_other() {
        let token = es256(r#"{"alg":"ES256","kid":"two"}"#);
        let set = KeySet::new(vec![ec("one"), ec("two")]).unwrap();
        let JwsStep::NeedsHost(check) = parse(&token).unwrap().verify_with_set(&set).unwrap()
        else {
            panic!()
        };
        assert_eq!(check.key.kid(), Some("two"));
        assert_eq!(check.conclude(false).unwrap_err(), Error::BadSignature);
    }

    #[test]
    fn messages_say_what_was_expected() {
        #[track_caller]
        fn refused(header: &str, message: &str) {
            let token = signed::<Hmac<Sha256>>(header, PAYLOAD);
            assert_eq!(parse(&token).unwrap_err().to_string(), message);
        }
        refused("[]", "header: not a JSON object");
        refused("{}", "header: alg is missing");
        refused(r#"{"alg":1}"#, "header: alg is not a string");
        refused(r#"{"alg":"HS256","kid":1}"#, "header: kid is not a string");
        refused(r#"{"alg":"HS256","typ":1}"#, "header: typ is not a string");
        let long = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(257));
        refused(&long, "header: kid is longer than 256 bytes");
        let longest = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(256));
        assert!(parse(&signed::<Hmac<Sha256>>(&longest, PAYLOAD)).is_ok());
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let token = signed::<Hmac<Sha256>>(r#"{"alg":"HS256"}"#, PAYLOAD);
        assert!(UntrustedToken::parse(&token, token.len()).is_ok());
        assert_eq!(
            UntrustedToken::parse(&token, token.len() - 1).unwrap_err(),
            Error::TokenTooLong { length: token.len(), limit: token.len() - 1 }
        );
    }
}
