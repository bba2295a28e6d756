//! Public keys as PEM (RFC 7468) around DER: SPKI (RFC 5280 §4.1.2.7, RFC 5480, RFC 8410), PKCS#1 (RFC 8017
//! §A.1.1), X.509 certificates (RFC 5280 §4.1). Of a private key the block alone is read: its DER is for the host.

use base64ct::{Base64, Encoding as _};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode as _, Reader as _, SliceReader};
use spki::SubjectPublicKeyInfoRef;

use zeroize::Zeroizing;

use super::{Curve, Material, refused};
use crate::error::Error;
use crate::secret::Secret;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// The first byte of a SEQUENCE in DER (X.690 §8.9).
const SEQUENCE: u8 = 0x30;

/// The longest PEM that is read, in bytes: certificates have one to four thousand.
const MAX_LENGTH: usize = 64 * 1024;

pub(super) fn parse(text: &str) -> Result<Material, Error> {
    let not_pem = || not_pem(text, "-----BEGIN PUBLIC KEY-----");
    let (label, rest) = begin(text)?.ok_or_else(not_pem)?;
    if label.ends_with("PRIVATE KEY") {
        return Err(refused("PEM holds a private key, expected the public key"));
    }
    let der = body(label, rest).ok_or_else(not_pem)?;
    match label {
        "PUBLIC KEY" => SubjectPublicKeyInfoRef::from_der(&der)
            .map_err(|_| refused("PUBLIC KEY is not a SubjectPublicKeyInfo in DER"))
            .and_then(|spki| from_spki(&spki)),
        "RSA PUBLIC KEY" => from_pkcs1(&der),
        "CERTIFICATE" => certificate_key(&der)
            .map_err(|_| refused("CERTIFICATE is not an X.509 certificate in DER"))
            .and_then(|spki| from_spki(&spki)),
        _ => Err(refused("PEM label is not PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")),
    }
}

/// The DER in a block `PRIVATE KEY` (RFC 7468 §10). Blocks `RSA PRIVATE KEY`, `EC PRIVATE KEY` and `ENCRYPTED PRIVATE KEY` are of
/// other forms, which hosts do not import.
pub(crate) fn private(text: &str) -> Result<Secret, Error> {
    let not_pem = || not_pem(text, "-----BEGIN PRIVATE KEY----- (PKCS#8)");
    let (label, rest) =
        begin(text)?.filter(|(label, _)| *label == "PRIVATE KEY").ok_or_else(not_pem)?;
    body(label, rest).map(|mut der| Secret::new(core::mem::take(&mut *der))).ok_or_else(not_pem)
}

fn not_pem(text: &str, expected: &str) -> Error {
    if text.contains("\\n") {
        refused("PEM has its line breaks written as \\n, expected line breaks")
    } else {
        refused(format!("not one PEM block, expected {expected}"))
    }
}

/// The label of the first block, and what follows it; `None` if there is none. Text before it is explanatory (RFC 7468 §5.2), a
/// byte order mark too.
fn begin(text: &str) -> Result<Option<(&str, &str)>, Error> {
    if text.len() > MAX_LENGTH {
        return Err(refused(format!(
            "PEM has {} bytes, expected at most {MAX_LENGTH}",
            text.len()
        )));
    }
    Ok(first_block(text))
}

fn first_block(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let starts_a_line = |at: usize| {
        text.get(..at).is_some_and(|before| before.is_empty() || before.ends_with(['\n', '\r']))
    };
    let (at, _) = text.match_indices("-----BEGIN ").find(|(at, _)| starts_a_line(*at))?;
    let (label, rest) = text.get(at..)?.strip_prefix("-----BEGIN ")?.split_once("-----")?;
    Some((label, rest))
}

/// The bytes up to the end of the block, if nothing comes after it. Lines may be of any length, with blanks at their ends and
/// empty lines between (RFC 7468 §3); headers within, as of RFC 1421, are not base64.
fn body(label: &str, rest: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (body, "") = rest.split_once(&format!("-----END {label}-----"))? else { return None };
    // As long as it can become: a text that grows leaves pieces of a secret behind.
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.chars().filter(|one| !one.is_ascii_whitespace()));
    Base64::decode_vec(&base64).ok().filter(|der| !der.is_empty()).map(Zeroizing::new)
}

/// Whether these bytes are a public key or certificate in DER.
pub(super) fn is_public_der(bytes: &[u8]) -> bool {
    // All three are a SEQUENCE. The parsers are much code, which no other secret needs.
    bytes.first() == Some(&SEQUENCE)
        && (SubjectPublicKeyInfoRef::from_der(bytes).is_ok()
            || certificate_key(bytes).is_ok()
            || from_pkcs1(bytes).is_ok())
}

/// Whether this text is one, base64 without the armour. What begins with [`SEQUENCE`] is written as `MA` to `MP`.
pub(super) fn is_public_base64(text: &[u8]) -> bool {
    if text.trim_ascii_start().first() != Some(&b'M') {
        return false;
    }
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    core::str::from_utf8(&text)
        .ok()
        .and_then(|text| Base64::decode_vec(text).ok())
        .is_some_and(|bytes| is_public_der(&bytes))
}

fn from_spki(spki: &SubjectPublicKeyInfoRef<'_>) -> Result<Material, Error> {
    let key = spki
        .subject_public_key
        .as_bytes()
        .ok_or_else(|| refused("public key is not a whole number of bytes"))?;
    let parameters: Option<AnyRef<'_>> = spki.algorithm.parameters;
    let algorithm = spki.algorithm.oid;
    if algorithm == RSA {
        if parameters.is_some_and(|parameters| !parameters.is_null()) {
            return Err(refused("RSA public key has parameters, expected none"));
        }
        from_pkcs1(key)
    } else if algorithm == EC {
        let curve = parameters.and_then(|parameters| parameters.decode_as().ok()).and_then(curve);
        let curve = curve
            .ok_or_else(|| refused("EC curve is not supported, expected P-256, P-384 or P-521"))?;
        // SEC 1 §2.3.3: 4, then both coordinates. Compressed points (2, 3) would need curve arithmetic.
        let point = key
            .strip_prefix(&[4])
            .ok_or_else(|| refused("EC public key is not an uncompressed point"))?;
        let (x, y) = point
            .split_at_checked(curve.coordinate_length())
            .ok_or_else(|| refused("EC public key is too short for its curve"))?;
        Material::ec(curve, x, y)
    } else if algorithm == ED25519 {
        if parameters.is_some() {
            return Err(refused("Ed25519 public key has parameters, expected none"));
        }
        Material::ed25519(key)
    } else {
        Err(refused("public key is not RSA, EC or Ed25519"))
    }
}

fn curve(oid: ObjectIdentifier) -> Option<Curve> {
    [(P256, Curve::P256), (P384, Curve::P384), (P521, Curve::P521)]
        .into_iter()
        .find_map(|(known, curve)| (known == oid).then_some(curve))
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`
fn from_pkcs1(der: &[u8]) -> Result<Material, Error> {
    let read = || -> der::Result<(UintRef<'_>, UintRef<'_>)> {
        let mut reader = SliceReader::new(der)?;
        let numbers =
            reader.sequence(|body| Ok::<_, der::Error>((body.decode()?, body.decode()?)))?;
        reader.finish()?;
        Ok(numbers)
    };
    let (n, e) = read().map_err(|_| refused("RSA public key is not an RSAPublicKey in DER"))?;
    Material::rsa(n.as_bytes(), e.as_bytes())
}

/// The public key of a certificate; everything else in it is stepped over.
///
/// ```text
/// Certificate    ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING }
/// TBSCertificate ::= SEQUENCE { version [0] OPTIONAL, serialNumber, signature, issuer, validity,
///                               subject, subjectPublicKeyInfo, … }
/// ```
fn certificate_key(der: &[u8]) -> der::Result<SubjectPublicKeyInfoRef<'_>> {
    const VERSION: u8 = 0xa0;
    let mut reader = SliceReader::new(der)?;
    let key = reader.sequence(|certificate| {
        let key = certificate.sequence(|body| {
            if body.peek_byte() == Some(VERSION) {
                body.tlv_bytes()?;
            }
            for _ in ["serialNumber", "signature", "issuer", "validity", "subject"] {
                body.tlv_bytes()?;
            }
            let key = SubjectPublicKeyInfoRef::decode(body)?;
            body.drain(body.remaining_len())?;
            Ok::<_, der::Error>(key)
        })?;
        certificate.tlv_bytes()?;
        BitStringRef::decode(certificate)?;
        Ok::<_, der::Error>(key)
    })?;
    reader.finish()?;
    Ok(key)
}
