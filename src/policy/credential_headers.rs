//! The list `credential_headers`: tokens that come in other headers than `Authorization`.

use super::{
    check::{each, first_repeated},
    document::CredentialHeaderDocument,
    header_names::{HeaderName, Named},
    types::Beside,
};
use crate::{error::Error, jose::verifier::Verifier};

/// A header in which another proxy, such as Cloudflare Access, hands a token on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialHeader {
    /// Its name.
    pub name: HeaderName,
    /// The issuers whose tokens are taken from it; there is at least one.
    pub issuers: Vec<String>,
    /// What it means beside a credential of the caller's own.
    pub beside: Beside,
}

/// More than proxies that anybody has in front of each other, and each is one more header to read.
const MAX_HEADERS: usize = 8;

/// The headers, of a policy whose verifier is this one.
pub(super) fn credential_headers(
    documents: &[CredentialHeaderDocument],
    verifier: Option<&Verifier>,
    named: &mut Named,
) -> Result<Vec<CredentialHeader>, Error> {
    if documents.len() > MAX_HEADERS {
        return Err(Error::config("credential_headers", "expected at most 8"));
    }
    each("credential_headers", documents.iter(), |path, document| {
        credential_header(path, document, verifier, named)
    })
}

#[inline(never)]
fn credential_header(
    path: &str,
    document: &CredentialHeaderDocument,
    verifier: Option<&Verifier>,
    named: &mut Named,
) -> Result<CredentialHeader, Error> {
    let name = named.of_credentials(&format!("{path}.name"), &document.name)?;
    let issuers = issuers(&format!("{path}.issuers"), &document.issuers, verifier)?;
    Ok(CredentialHeader { name, issuers, beside: document.beside })
}

fn issuers(
    path: &str,
    given: &[String],
    verifier: Option<&Verifier>,
) -> Result<Vec<String>, Error> {
    if given.is_empty() {
        return Err(Error::config(path, "expected a non-empty list"));
    }
    if let Some(index) = first_repeated(given.iter().map(String::as_str)) {
        return Err(Error::config(format!("{path}[{index}]"), "this issuer is listed already"));
    }
    each(path, given.iter(), |place, name| {
        let mut known = verifier.iter().flat_map(|verifier| verifier.issuers());
        if known.any(|issuer| issuer.rules.issuer == *name) {
            Ok(name.clone())
        } else {
            Err(Error::config(place, "no issuer has this name"))
        }
    })
}
