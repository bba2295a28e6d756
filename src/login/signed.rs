//! Tokens of a provider for the tests of rules.

/// A token of a provider, signed and verified by these rules.
pub(super) fn verified(
    rules: crate::jose::claims::ClaimRules,
    typ: Option<&str>,
    claims: &str,
    now: crate::time::UnixTime,
) -> Result<crate::jose::verifier::VerifiedToken, crate::error::Error> {
    use crate::{
        jose::{
            algorithm::Algorithm,
            dpop::Binding,
            jws::DEFAULT_MAX_TOKEN_LENGTH,
            keys::{Key, KeySet},
            sign::{Signing, SigningKey},
            verifier::{Issuer, KeySource, TokenStep, Verifier},
        },
        secret::Secret,
    };
    let secret = || Secret::new(vec![7; 32]);
    let signer = SigningKey::hmac(secret(), Algorithm::Hs256, None)?;
    let token = match signer.sign_jws(claims.as_bytes(), typ) {
        Signing::Done(token) => token,
        Signing::NeedsHost(_) => panic!("HMAC needs no host"),
    };
    let key = Key::hmac(secret(), Algorithm::Hs256, None)?;
    let issuer = Issuer {
        rules,
        algorithms: vec![Algorithm::Hs256],
        keys: KeySource::Fixed(KeySet::new(vec![key])?),
        binding: Binding::Off,
    };
    let verifier = Verifier::new(vec![issuer], DEFAULT_MAX_TOKEN_LENGTH)?;
    match verifier.begin(&token)?.verify(None)? {
        TokenStep::Verified(signed) => signed.claims(now),
        TokenStep::NeedsHost(_) => panic!("HMAC needs no host"),
    }
}
