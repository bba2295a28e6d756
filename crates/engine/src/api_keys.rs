//! API keys for the shell.

use core::cell::RefCell;

use serde::Serialize;

use super::exchange::{self, Slot, Status};
use super::fields::{Fields, unexpected};
use super::handles::{Handles, no_such_handle};
use super::key::SecretText;
use edgegate::api_key::{ApiKeys, KeyId, SigningKeys};
use edgegate::error::Error;
use edgegate::secret::Secret;
use edgegate::time::{UnixMillis, UnixTime};

thread_local! {
    pub(super) static ALL: RefCell<Handles<ApiKeys>> = const { RefCell::new(Handles::new()) };
}

pub(super) fn create(text: &str) -> Result<ApiKeys, Error> {
    let mut fields = Fields::parse(text)?;
    let environment = fields.required("environment")?;
    let prefixes = fields.strings("prefixes")?.ok_or_else(unexpected)?;
    let secrets = fields.objects("signingKeys")?.into_iter().map(signing_key);
    let secrets = secrets.collect::<Result<_, _>>()?;
    fields.end()?;
    SigningKeys::new(secrets).and_then(|keys| ApiKeys::new(&environment, &prefixes, keys)).map_err(
        |error| match error {
            // The library names fields as the policy does, with underscores.
            Error::Config { path, problem } => {
                Error::Config { path: path.replace("signing_keys", "signingKeys"), problem }
            }
            error => error,
        },
    )
}

/// `{id, secret}`: the secret's bytes are in base64url.
fn signing_key(mut fields: Fields) -> Result<(u8, Secret), Error> {
    let secret = SecretText::new(fields.required("secret")?);
    let id = fields.count("id")?.ok_or_else(unexpected)?;
    fields.end()?;
    Ok((id, secret.decode()?))
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
    let mut fields = Fields::parse(request)?;
    let prefix = fields.string("prefix")?;
    let id: KeyId = fields.required("id")?.parse()?;
    let expires_at = fields.number("expiresAt")?.map(UnixTime::from_secs);
    fields.end()?;
    with(handle, |keys| {
        let prefix = prefix.as_deref().or_else(|| keys.prefixes().next());
        let minted =
            keys.mint(prefix.unwrap_or_default(), id, expires_at).map_err(in_camel_case)?;
        let answer = Minted {
            key: minted.expose(),
            id: minted.id(),
            prefix: minted.prefix(),
            expires_at: minted.expires_at(),
        };
        exchange::leave_text(serde_json::to_vec(&answer).unwrap_or_default());
        Ok(Status::Done)
    })
}

/// Leaves the id as text. The slot of the issuer has the index of the prefix. The slots of the times have the signing
/// key's id and the expiry, which is 0 if there is none.
pub(super) fn verify(handle: usize, key: &str, now: UnixMillis) -> Result<Status, Error> {
    with(handle, |keys| {
        let verified = keys.verify(key, now.to_unix_time())?;
        let place = keys.prefixes().position(|prefix| prefix == verified.prefix());
        exchange::leave_text(verified.id().to_digits());
        exchange::leave(Slot::Issuer, place.unwrap_or_default());
        exchange::leave(Slot::ValidFrom, usize::from(verified.signing_key_id()));
        exchange::leave_time(Slot::ValidUntil, verified.expires_at().map_or(0, UnixTime::as_secs));
        Ok(Status::Done)
    })
}

fn with<T>(handle: usize, step: impl FnOnce(&ApiKeys) -> Result<T, Error>) -> Result<T, Error> {
    ALL.with_borrow_mut(|all| step(all.get_mut(handle).ok_or_else(no_such_handle)?))
}

fn in_camel_case(error: Error) -> Error {
    match error {
        Error::InvalidField { path, problem } if path == "expires_at" => {
            Error::InvalidField { path: "expiresAt".to_owned(), problem }
        }
        error => error,
    }
}
