//! API keys for the shell.

use core::cell::RefCell;

use serde::{Deserialize, Serialize};

use super::exchange::{self, Status};
use super::handles::Handles;
use super::key::SecretText;
use super::no_such_handle;
use super::options::parse;
use crate::api_key::{ApiKeys, KeyId, SigningKeys};
use crate::error::Error;
use crate::time::{UnixMillis, UnixTime};

thread_local! {
    pub(super) static ALL: RefCell<Handles<ApiKeys>> = const { RefCell::new(Handles::new()) };
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    environment: String,
    prefixes: Vec<String>,
    signing_keys: Vec<SigningKeyDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SigningKeyDocument {
    id: u8,
    /// The bytes in base64url.
    secret: SecretText,
}

pub(super) fn create(text: &str) -> Result<ApiKeys, Error> {
    let document: Document = parse(text)?;
    let secrets = document
        .signing_keys
        .iter()
        .map(|key| Ok((key.id, key.secret.decode()?)))
        .collect::<Result<_, Error>>()?;
    SigningKeys::new(secrets)
        .and_then(|keys| ApiKeys::new(&document.environment, &document.prefixes, keys))
        .map_err(|error| match error {
            // The core's words are the policy's, where names have underscores.
            Error::Config { path, problem } => {
                Error::Config { path: path.replace("signing_keys", "signingKeys"), problem }
            }
            error => error,
        })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MintRequest {
    prefix: Option<String>,
    id: KeyId,
    expires_at: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Minted<'a> {
    key: &'a str,
    id: KeyId,
    prefix: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixTime>,
}

pub(super) fn mint(handle: usize, request: &str) -> Result<Status, Error> {
    let request: MintRequest = parse(request)?;
    with(handle, |keys| {
        let prefix = request.prefix.as_deref().or_else(|| keys.prefixes().next());
        let expires_at = request.expires_at.map(UnixTime::from_secs);
        let minted =
            keys.mint(prefix.unwrap_or_default(), request.id, expires_at).map_err(in_camel_case)?;
        leave(&Minted {
            key: minted.expose(),
            id: minted.id(),
            prefix: minted.prefix(),
            expires_at: minted.expires_at(),
        })
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified<'a> {
    id: KeyId,
    prefix: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixTime>,
    signing_key_id: u8,
}

pub(super) fn verify(handle: usize, key: &str, now: UnixMillis) -> Result<Status, Error> {
    with(handle, |keys| {
        let verified = keys.verify(key, now.to_unix_time())?;
        leave(&Verified {
            id: verified.id(),
            prefix: verified.prefix(),
            expires_at: verified.expires_at(),
            signing_key_id: verified.signing_key_id(),
        })
    })
}

fn with<T>(handle: usize, step: impl FnOnce(&ApiKeys) -> Result<T, Error>) -> Result<T, Error> {
    ALL.with_borrow_mut(|all| step(all.get_mut(handle).ok_or_else(no_such_handle)?))
}

fn leave<T: Serialize>(answer: &T) -> Result<Status, Error> {
    exchange::leave_text(serde_json::to_vec(answer).unwrap_or_default());
    Ok(Status::Done)
}

fn in_camel_case(error: Error) -> Error {
    match error {
        Error::InvalidField { path, problem } if path == "expires_at" => {
            Error::InvalidField { path: "expiresAt".to_owned(), problem }
        }
        error => error,
    }
}
