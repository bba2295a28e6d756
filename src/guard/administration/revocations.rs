//! Revocations: what a request revokes; list, read, undo.

use serde::Serialize;

use super::{Listing, Paging};
use crate::{
    error::{Error, StoreError},
    guard::{Backend, Guard, Sessions as _, backend::unavailable},
    jose::{
        keys::{Key, KeySet},
        verifier::KeySource,
    },
    policy::Policy,
    revocation::{DenyKey, Entry, NewRevocation, Target},
    store::RevocationStore,
    time::UnixMillis,
};

/// What an administrator sees of a revocation.
#[derive(Debug, Serialize)]
pub struct ShownRevocation {
    id: String,
    #[serde(flatten)]
    entry: Entry,
}

impl ShownRevocation {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The entry, under its id.
    #[must_use]
    pub fn of(entry: Entry) -> Self {
        Self { id: entry.deny_key().to_string(), entry }
    }
}

/// Entries of a listing.
#[derive(Debug, Serialize)]
pub struct ListedRevocations {
    revocations: Vec<ShownRevocation>,
}

/// The entry that a request ([`NewRevocation`]) asks for. A token is verified first. It is not written yet.
///
/// # Errors
/// [`Error::NotFound`] where the policy has no revocation; [`Error::InvalidField`] for a request that is at fault, or names
/// an issuer that the policy does not have; [`Error::KeysUnavailable`] if the token cannot be verified now.
pub async fn requested_entry<B: Backend>(
    policy: &Policy,
    backend: &B,
    request: &[u8],
    now: UnixMillis,
) -> Result<Entry, Error> {
    enabled(policy)?;
    let secs = now.to_unix_time();
    match NewRevocation::parse(request)? {
        NewRevocation::Entry(request) => {
            let Some(issuer) = request.target().issuer() else { return request.entry(secs) };
            let Some(tolerance) = policy.clock_tolerance_of(issuer) else {
                // A typo: the revocation would never match.
                return Err(Error::invalid_field("iss", "is not an issuer of the policy"));
            };
            let kid = match request.target() {
                Target::SigningKey { iss, kid } if !request.is_withdrawn() => {
                    Some(looked_up_kid(policy, backend, iss, kid, now).await?)
                }
                _ => None,
            };
            let request = request.with_clock_tolerance(tolerance);
            let request = match kid {
                Some(kid) => request.with_kid(&kid),
                None => request,
            };
            request.entry(secs)
        }
        NewRevocation::Token(revocation) => {
            let guard = Guard::new(policy, backend);
            let token =
                guard.verify_token(revocation.token(), now).await.map_err(|error| match error {
                    // The request was fine; what it needs to be decided is not there.
                    Error::KeysUnavailable { .. } => error,
                    Error::TokenExpired { .. } => {
                        Error::invalid_field("token", "has expired already")
                    }
                    _ => {
                        Error::invalid_field("token", "is not a valid token of a configured issuer")
                    }
                })?;
            let claims = token.claims();
            revocation.entry(token.issuer(), claims.jwt_id(), claims.expires_at(), secs)
        }
    }
}

/// The name under which tokens of this key are looked up: its `kid`, also where the request has its thumbprint.
///
/// Where the issuer's keys cannot be had now, what the request says is taken as it is: a key has to be shut out also while
/// its issuer is down.
///
/// # Errors
/// [`Error::InvalidField`] if no key of the issuer has that name: no token would ever match.
async fn looked_up_kid<B: Backend>(
    policy: &Policy,
    backend: &B,
    iss: &str,
    kid: &str,
    now: UnixMillis,
) -> Result<String, Error> {
    let mut are_all_secrets = true;
    let mut are_all_known = true;
    for issuer in policy.issuers_named(iss) {
        let named = match (&issuer.keys, issuer.keys.location()) {
            (KeySource::Fixed(keys), _) => {
                are_all_secrets &= keys.is_symmetric();
                name_of(keys, kid)
            }
            (KeySource::Ring, _) => match backend.sessions().verifying_keys(Some(kid), now).await {
                Ok(keys) => {
                    are_all_secrets &= keys.is_symmetric();
                    name_of(&keys, kid)
                }
                Err(_) => {
                    are_all_known = false;
                    None
                }
            },
            (_, None) => None,
            (_, Some(at)) => {
                are_all_secrets = false;
                match backend.remote_keys(&issuer.rules.issuer, at, Some(kid), now).await {
                    Ok(keys) => name_of(&keys, kid),
                    Err(_) => {
                        are_all_known = false;
                        None
                    }
                }
            }
        };
        if let Some(name) = named {
            return Ok(name);
        }
    }
    if are_all_known { Err(no_such_key(are_all_secrets)) } else { Ok(kid.to_owned()) }
}

/// The name of the key that is meant by its `kid` or its thumbprint.
fn name_of(keys: &KeySet, kid: &str) -> Option<String> {
    let is_meant = |name: Option<&str>| name == Some(kid);
    let by_kid = keys.keys().iter().find(|key| is_meant(key.id()));
    let key = by_kid.or_else(|| keys.keys().iter().find(|key| is_meant(key.thumbprint())));
    key.and_then(Key::id).map(str::to_owned)
}

fn no_such_key(are_all_secrets: bool) -> Error {
    let problem = if are_all_secrets {
        "no secret of this issuer has it as its kid: revoke the issuer's tokens, and change the secret"
    } else {
        "no key of this issuer has it as its kid or thumbprint; say withdrawn: true too if the key was taken out already"
    };
    Error::invalid_field("kid", problem)
}

/// Administration of revocations by a policy, over a store.
///
/// Each method fails with [`Error::NotFound`] where the policy has no revocation or the entry is unknown, and with
/// [`Error::StoreUnavailable`].
#[derive(Debug)]
pub struct RevocationAdministration<'a, R> {
    policy: &'a Policy,
    revocations: &'a R,
}

impl<'a, R: RevocationStore> RevocationAdministration<'a, R> {
    /// Administration of what is in this store.
    pub const fn new(policy: &'a Policy, revocations: &'a R) -> Self {
        Self { policy, revocations }
    }

    /// Writes the entry of [`requested_entry`]. Revoking again what is revoked never weakens it.
    ///
    /// # Errors
    /// Those of [`RevocationAdministration`].
    pub async fn add(&self, entry: Entry, now: UnixMillis) -> Result<ShownRevocation, Error> {
        let revoke = async |entry| self.revocations.revoke(entry, now).await.map_err(failed);
        self.add_by(entry, revoke).await
    }

    /// [`add`](Self::add), written by the edge: its store may know more than [`RevocationStore::revoke`] does, such as the
    /// answer to a request that is sent again. `revoke` returns the entry in force.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the policy has no revocation; those of `revoke`.
    pub async fn add_by(
        &self,
        entry: Entry,
        revoke: impl AsyncFnOnce(Entry) -> Result<Entry, Error>,
    ) -> Result<ShownRevocation, Error> {
        enabled(self.policy)?;
        revoke(entry).await.map(ShownRevocation::of)
    }

    /// A page of the entries.
    ///
    /// # Errors
    /// Those of [`RevocationAdministration`], and [`Error::InvalidField`] for a page that cannot be.
    pub async fn list(&self, paging: &Paging) -> Result<Listing<ListedRevocations>, Error> {
        enabled(self.policy)?;
        let (cursor, limit) = paging.read()?;
        let page = self.revocations.list(cursor, limit).await.map_err(failed)?;
        let revocations =
            page.items.into_iter().map(|(_, entry)| ShownRevocation::of(entry)).collect();
        Ok(Listing { items: ListedRevocations { revocations }, cursor: page.cursor })
    }

    /// One entry as it is in the store now.
    ///
    /// # Errors
    /// Those of [`RevocationAdministration`].
    pub async fn read(&self, id: &str) -> Result<ShownRevocation, Error> {
        self.found(id).await.map(|(_, entry)| ShownRevocation::of(entry))
    }

    /// Takes an entry back.
    ///
    /// # Errors
    /// Those of [`RevocationAdministration`].
    pub async fn undo(&self, id: &str) -> Result<(), Error> {
        let (key, _) = self.found(id).await?;
        self.revocations.remove(&key).await.map_err(failed)
    }

    async fn found(&self, id: &str) -> Result<(DenyKey, Entry), Error> {
        enabled(self.policy)?;
        let key = DenyKey::parse(id).ok_or(Error::NotFound)?;
        let entry = self.revocations.fresh(&key).await.map_err(failed)?;
        Ok((key, entry.ok_or(Error::NotFound)?))
    }
}

fn enabled(policy: &Policy) -> Result<(), Error> {
    policy.revocation.as_ref().map(|_| ()).ok_or(Error::NotFound)
}

fn failed(fault: StoreError) -> Error {
    unavailable("revocation", &fault)
}
