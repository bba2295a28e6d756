//! What an isolate remembers of logins: what providers say about themselves, and which logins have come to their end.

use core::cell::RefCell;
use std::rc::Rc;

use super::{LoginFlow, Logins};
use crate::{
    bounded::BoundedMap,
    error::Error,
    guard::Backend,
    jose::discovery::DOCUMENT_SECS,
    login::{
        binding::TransactionId,
        exchange::ProviderRequest,
        metadata::Metadata,
        provider::{ClientAuthentication, IssuerSpelling},
        signed_secret::{self, Signer},
    },
    policy::{ClientSecret, Provider, ProviderLocation},
    time::UnixMillis,
};

/// More providers than a policy may have, and as many that one before it had.
const MAX_PROVIDERS: usize = 40;

/// After a failure a provider is not asked again for so long: who begins a login then is told that it does not answer.
const RETRY_MILLIS: u64 = 2000;

/// How many requests at once ask the same provider for its document. Others are told to try again.
const ASKING_AT_ONCE: u32 = 8;

/// A question that takes longer was lost with its request.
const LOST_MILLIS: u64 = 15_000;

/// Logins that an isolate remembers to have come to their end.
const MAX_SPENT: usize = 10_000;

/// What an isolate remembers of logins.
#[derive(Debug)]
pub struct LoginMemory {
    providers: RefCell<BoundedMap<String, Remembered>>,
    /// Who asks again with one of these asks nobody else.
    spent: RefCell<BoundedMap<TransactionId, ()>>,
}

impl Default for LoginMemory {
    fn default() -> Self {
        Self {
            providers: RefCell::new(BoundedMap::new(MAX_PROVIDERS)),
            spent: RefCell::new(BoundedMap::new(MAX_SPENT)),
        }
    }
}

#[derive(Debug, Default)]
struct Remembered {
    read: Option<(Rc<Metadata>, UnixMillis)>,
    failed_at: Option<UnixMillis>,
    asking: u32,
    asked_at: UnixMillis,
}

/// Where a provider is asked, and what it takes.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Where browsers are sent.
    pub(super) authorization: String,
    /// Where codes become tokens.
    pub(super) token: String,
    /// Where it says who has logged in.
    pub(super) userinfo: Option<String>,
    /// Where its own sessions end.
    pub(super) end_session: Option<String>,
    /// Where its keys are; `None`: it has no ID tokens.
    pub(super) jwks_uri: Option<String>,
    /// Where it is told that tokens end.
    pub(super) revocation: Option<String>,
    /// Whether its answers name it (RFC 9207).
    pub(super) sends_iss: bool,
    /// How the gate proves that it is the client.
    pub(super) authentication: ClientAuthentication,
}

/// The providers of a policy, as they are asked.
#[derive(Debug)]
pub struct Providers<'a, L> {
    pub(super) logins: &'a L,
    pub(super) now: UnixMillis,
}

impl<B: Backend, L: Logins> LoginFlow<'_, B, L> {
    pub(super) const fn providers(&self) -> Providers<'_, L> {
        Providers { logins: self.logins, now: self.now }
    }

    pub(super) async fn known(&self, provider: &Provider) -> Result<Known, Error> {
        self.providers().known(provider).await
    }
}

impl<'a, L: Logins> Providers<'a, L> {
    /// Those that are asked in this way.
    pub const fn new(logins: &'a L, now: UnixMillis) -> Self {
        Self { logins, now }
    }

    /// Where a provider is asked: from the policy, from memory, or from the provider's own document.
    ///
    /// # Errors
    /// [`Error::Provider`].
    pub(super) async fn known(&self, provider: &Provider) -> Result<Known, Error> {
        match &provider.location {
            ProviderLocation::Known(endpoints) => Ok(Known {
                authorization: endpoints.authorization.clone(),
                token: endpoints.token.clone(),
                userinfo: endpoints.userinfo.clone(),
                revocation: endpoints.revocation.clone(),
                end_session: None,
                jwks_uri: None,
                sends_iss: false,
                authentication: provider.authentication,
            }),
            ProviderLocation::Discovered { discovery, issuer } => {
                let document = discovery.openid_configuration();
                let metadata = self.metadata(provider, issuer, &document).await?;
                Ok(Known {
                    authorization: metadata.authorization.clone(),
                    token: metadata.token.clone(),
                    userinfo: metadata.userinfo.clone(),
                    revocation: metadata.revocation.clone(),
                    end_session: metadata.end_session.clone(),
                    jwks_uri: Some(metadata.jwks_uri.clone()),
                    sends_iss: metadata.sends_iss,
                    authentication: metadata.authentication(provider.authentication),
                })
            }
        }
    }

    /// The text that proves to the provider who asks.
    pub(super) async fn client_secret(&self, provider: &Provider) -> Result<String, Error> {
        let unusable = |path: &str, problem: String| {
            Error::config(format!("login.providers.{}.{path}", provider.id), problem)
        };
        match &provider.client_secret {
            ClientSecret::Shared(secret) => {
                let text = core::str::from_utf8(secret.expose_secret());
                text.map(str::to_owned)
                    .map_err(|_| unusable("client_secret", "is not UTF-8".to_owned()))
            }
            ClientSecret::Key { team_id, key_id, private_key } => {
                let audience = provider.issuer().unwrap_or_default();
                let client_id = &provider.client_id;
                let signer = Signer { team_id, key_id, client_id, audience };
                let text = signed_secret::unsigned(signer, self.now.to_unix_time());
                let signature = self.logins.sign_es256(private_key, text.as_bytes()).await;
                let signature =
                    signature.map_err(|fault| unusable("private_key", fault.to_string()))?;
                Ok(signed_secret::signed(&text, &signature))
            }
        }
    }

    async fn metadata(
        &self,
        provider: &Provider,
        issuer: &str,
        document: &str,
    ) -> Result<Rc<Metadata>, Error> {
        let memory = self.logins.memory();
        // What may have come over http is not what may not.
        let name = format!("{} {issuer}", provider.allow_http);
        let fault = |problem: String| Error::Provider { provider: provider.id.clone(), problem };
        match memory.plan(&name, self.now) {
            Plan::Use(metadata) => return Ok(metadata),
            Plan::Wait => return Err(fault("did not answer a moment ago".to_owned())),
            Plan::Ask => {}
        }
        let read = self.read(document, issuer, provider).await;
        memory.end(&name, read, self.now).map_err(fault)
    }

    async fn read(
        &self,
        document: &str,
        issuer: &str,
        provider: &Provider,
    ) -> Result<Metadata, String> {
        let answer = self.logins.ask(&ProviderRequest::get(document, None)).await?;
        if answer.status != 200 {
            return Err(format!("its document has the status {}, expected 200", answer.status));
        }
        let spelling = match provider.profile.issuer {
            // The document has one spelling; tokens may have another.
            IssuerSpelling::Also(_) | IssuerSpelling::Exact => IssuerSpelling::Exact,
            IssuerSpelling::Tenant => IssuerSpelling::Tenant,
        };
        Metadata::read(&answer.body, issuer, spelling, provider.allow_http)
    }
}

enum Plan {
    Use(Rc<Metadata>),
    Ask,
    Wait,
}

/// For how long a document counts at most, while there is no newer one.
const MAX_STALE_SECS: u64 = 2 * DOCUMENT_SECS;

impl LoginMemory {
    /// Whether a login is known to have come to its end.
    pub(super) fn is_spent(&self, transaction: TransactionId, now: UnixMillis) -> bool {
        self.spent.borrow().get(&transaction, now).is_some()
    }

    /// Notes that it has.
    pub(super) fn note_spent(
        &self,
        transaction: TransactionId,
        until: UnixMillis,
        now: UnixMillis,
    ) {
        self.spent.borrow_mut().insert(transaction, (), until, now);
    }

    fn plan(&self, name: &str, now: UnixMillis) -> Plan {
        let mut all = self.providers.borrow_mut();
        let believed = |at: UnixMillis, secs: u64| now.millis_since(at) < secs.saturating_mul(1000);
        let Some(known) = all.get_mut(name, now) else {
            let first = Remembered { asking: 1, asked_at: now, ..Remembered::default() };
            all.insert(name.to_owned(), first, now.saturating_add(MAX_STALE_SECS * 1000), now);
            return Plan::Ask;
        };
        if now.millis_since(known.asked_at) >= LOST_MILLIS {
            known.asking = 0;
        }
        let failed = known.failed_at.is_some_and(|at| now.millis_since(at) < RETRY_MILLIS);
        let instead = match &known.read {
            Some((metadata, at)) if believed(*at, DOCUMENT_SECS) => {
                return Plan::Use(Rc::clone(metadata));
            }
            Some((metadata, at)) if believed(*at, MAX_STALE_SECS) => Some(Rc::clone(metadata)),
            _ => None,
        };
        if failed || known.asking >= ASKING_AT_ONCE {
            return instead.map_or(Plan::Wait, Plan::Use);
        }
        known.asking = known.asking.saturating_add(1);
        known.asked_at = now;
        Plan::Ask
    }

    /// Takes in what came of it: the document, or the one there was before.
    fn end(
        &self,
        name: &str,
        read: Result<Metadata, String>,
        now: UnixMillis,
    ) -> Result<Rc<Metadata>, String> {
        let mut all = self.providers.borrow_mut();
        all.prolong(name, now.saturating_add(MAX_STALE_SECS * 1000));
        let Some(known) = all.get_mut(name, now) else { return read.map(Rc::new) };
        known.asking = known.asking.saturating_sub(1);
        match read {
            Ok(metadata) => {
                let metadata = Rc::new(metadata);
                known.read = Some((Rc::clone(&metadata), now));
                known.failed_at = None;
                Ok(metadata)
            }
            Err(problem) => {
                known.failed_at = Some(now);
                known.read.as_ref().map(|(older, _)| Rc::clone(older)).ok_or(problem)
            }
        }
    }
}
