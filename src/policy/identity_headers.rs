//! The table `identity_headers`: verified claims as headers for the service.

use serde_json::Value;

use super::header_names::{HeaderName, Named};
use crate::{
    error::Error,
    json::{StrictObject, fault::DocumentFault},
};

/// A header that tells the service what a claim says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeader {
    /// Its name.
    pub name: HeaderName,
    /// The name of the claim.
    pub claim: String,
}

/// More than services need, and each is read of every token.
const MAX_HEADERS: usize = 20;
const MAX_CLAIM_LENGTH: usize = 200;

/// The headers, in the order of their names.
pub(super) fn identity_headers(
    document: &StrictObject,
    has_issuers: bool,
    named: &mut Named,
) -> Result<Vec<IdentityHeader>, Error> {
    if document.0.is_empty() { Ok(Vec::new()) } else { of_some(document, has_issuers, named) }
}

#[inline(never)]
fn of_some(
    document: &StrictObject,
    has_issuers: bool,
    named: &mut Named,
) -> Result<Vec<IdentityHeader>, Error> {
    let section = "identity_headers";
    if document.0.len() > MAX_HEADERS {
        return Err(Error::config(section, "expected at most 20"));
    }
    if !has_issuers {
        return Err(Error::config(section, "there are no issuers, and only tokens have claims"));
    }
    let read = |(name, claim): (&String, &Value)| {
        let path = format!("{section}.{name}");
        let name = named.of_identity(&path, name)?;
        let Value::String(claim) = claim else {
            return Err(Error::config(path, DocumentFault::expected("a string", claim).problem));
        };
        if claim.is_empty() || claim.len() > MAX_CLAIM_LENGTH {
            return Err(Error::config(path, "expected the name of a claim, 1 to 200 bytes"));
        }
        Ok(IdentityHeader { name, claim: claim.clone() })
    };
    document.0.iter().map(read).collect()
}
