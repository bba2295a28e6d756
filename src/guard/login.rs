//! Logins with others: to a provider and back, the same on every edge.
//!
//! An edge gives what [`Logins`] asks for, reads the request, and writes the [`LoginAnswer`]. `begin` sends a browser to a provider,
//! `callback` takes it back and opens a session as an administrator would. What each step looks at is a rule of [`crate::login`].
//!
//! | file | is |
//! |---|---|
//! | `begin` | the way to a provider |
//! | `callback` | the way back: what is checked, in which order, and what follows |
//! | `provider` | what a provider says about itself, as an isolate remembers it |
//! | `logout` | what a provider ends, and the way to what ends there |
//! | `person` | a code becomes a person: tokens, ID token, userinfo |
//! | `connect` | accounts that are connected to whoever is logged in |
//! | `refresh` | fresh tokens for a grant, and the end of them |
//! | `answer` | what a browser gets |

mod answer;
mod begin;
mod callback;
mod connect;
mod logout;
mod person;
mod provider;
mod refresh;

pub use self::{
    answer::{Choice, LoginAnswer, Next, Stopped},
    begin::Wanted,
    callback::Arrival,
    provider::{LoginMemory, Providers},
};

use super::{Backend, Request, Sessions as _, backend::unavailable, session::endpoints::Endpoints};
use crate::{
    base64url,
    error::{Error, StoreError},
    grant::step::{GrantOutcome, GrantStep},
    login::exchange::ProviderRequest,
    policy::{BrowserSessions, LoginPolicy, Policy, Provider, SessionPolicy},
    secret::Secret,
    session::{ObjectName, csrf, secrets::Purpose},
    store::key_ring::RingCrypto,
    time::UnixMillis,
};

/// Where people log in; `None`: the policy has no logins.
#[must_use]
pub fn login_url(policy: &Policy, request: &Request<'_>) -> Option<String> {
    let has_pages = policy.accounts.as_ref().is_some_and(|accounts| accounts.pages);
    if policy.login.is_none() && !has_pages {
        return None;
    }
    // Without an origin there is no login either; then the path says it.
    let origin = csrf::own_origin(policy.origin.as_deref(), request.url).unwrap_or_default();
    Some(format!("{origin}{}/login", policy.auth_prefix))
}

/// What logins need of an edge.
#[allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]
pub trait Logins {
    /// AES-256-GCM.
    type Crypto: RingCrypto;

    /// AES-256-GCM.
    fn crypto(&self) -> &Self::Crypto;

    /// What this isolate remembers of providers.
    fn memory(&self) -> &LoginMemory;

    /// The time now, which is later than when the request came: a provider may have been waited for.
    fn now(&self) -> UnixMillis;

    /// Asks a provider. Redirects are not followed. It is given up after
    /// [`ProviderRequest::patience_millis`], and no more than
    /// [`MAX_ANSWER_LENGTH`](crate::login::token_answer::MAX_ANSWER_LENGTH) bytes are read.
    ///
    /// # Errors
    /// Why there is no answer, for the event log.
    async fn ask(&self, request: &ProviderRequest) -> Result<ProviderAnswer, String>;

    /// Takes a step of an owner's grants that asks no provider.
    ///
    /// # Errors
    /// The store did not answer. The step may have been taken.
    async fn of_grants(
        &self,
        owner: &ObjectName,
        step: &GrantStep,
    ) -> Result<GrantOutcome, StoreError>;

    /// Signs by ES256 with this private key, PKCS#8 in DER: `r ‖ s`.
    ///
    /// # Errors
    /// The host does not take the key.
    async fn sign_es256(&self, key: &Secret, message: &[u8]) -> Result<Vec<u8>, StoreError>;
}

/// What a provider answered. It may hold tokens.
#[expect(missing_debug_implementations, reason = "it may hold tokens")]
pub struct ProviderAnswer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// The logins of a policy, for one request.
#[derive(Debug)]
pub struct LoginFlow<'a, B, L> {
    policy: &'a Policy,
    own: &'a SessionPolicy,
    browser: &'a BrowserSessions,
    login: &'a LoginPolicy,
    sessions: Endpoints<'a, B>,
    backend: &'a B,
    logins: &'a L,
    request: &'a Request<'a>,
    now: UnixMillis,
}

impl<'a, B: Backend, L: Logins> LoginFlow<'a, B, L> {
    /// Those of this policy.
    ///
    /// # Errors
    /// [`Error::NotFound`]: it has none.
    pub fn new(
        policy: &'a Policy,
        (backend, logins): (&'a B, &'a L),
        request: &'a Request<'a>,
        now: UnixMillis,
    ) -> Result<Self, Error> {
        let login = policy.login.as_ref().ok_or(Error::NotFound)?;
        let own = policy.sessions.as_ref().ok_or(Error::NotFound)?;
        let browser = own.browser.as_ref().ok_or(Error::NotFound)?;
        let sessions = Endpoints::new(policy, backend, request, now)?;
        Ok(Self { policy, own, browser, login, sessions, backend, logins, request, now })
    }

    /// A provider that people log in with.
    fn way_in(&self, id: &str) -> Result<&'a Provider, Error> {
        let provider = self.login.provider(id).filter(|provider| !provider.connect_only);
        provider.ok_or(Error::NotFound)
    }

    /// The gate's own origin. `Host` is the caller's word, so the policy has to say it wherever the gate is not on loopback.
    fn origin(&self) -> Result<&'a str, Error> {
        let own = csrf::own_origin(self.policy.origin.as_deref(), self.request.url);
        own.ok_or_else(|| {
            let problem =
                "login needs it: expected the gate's own origin, like https://api.example.com";
            Error::config("origin", problem)
        })
    }

    fn redirect_uri(&self, provider: &Provider) -> Result<String, Error> {
        let prefix = &self.policy.auth_prefix;
        Ok(format!("{}{prefix}/callback/{}", self.origin()?, provider.id))
    }

    /// Where a login with this provider begins.
    fn login_path(&self, provider: &str) -> String {
        format!("{}/login/{provider}", self.policy.auth_prefix)
    }

    /// Seals by the newest secret. Returns its id, and the text in base64url.
    async fn seal(
        &self,
        plain: Vec<u8>,
        beside: impl FnOnce(u8) -> Vec<u8>,
    ) -> Result<(u8, String), Error> {
        let id = self.own.secrets.newest_id();
        let key = self.own.secrets.sealing_key(id, Purpose::LoginState);
        let key =
            key.ok_or_else(|| unavailable("sessions", &StoreError::new("there is no secret")))?;
        let sealed = self.logins.crypto().seal(key, &Secret::new(plain), &beside(id)).await;
        sealed.map(|sealed| (id, sealed)).map_err(|fault| unavailable("crypto", &fault))
    }

    /// Opens what was sealed by the secret of this id; `None`: the secret is gone, or it is something else.
    async fn open(&self, id: u8, sealed: &str, beside: &[u8]) -> Option<Secret> {
        let key = self.own.secrets.sealing_key(id, Purpose::LoginState)?;
        self.logins.crypto().open(key, sealed, beside).await.ok()
    }

    /// The same of bytes.
    async fn open_bytes(&self, id: u8, sealed: &[u8], beside: &[u8]) -> Option<Secret> {
        self.open(id, &base64url::encode(sealed), beside).await
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        let drawn = self.backend.sessions().random(&mut bytes);
        drawn.map(|()| bytes).map_err(|fault| unavailable("random", &fault))
    }
}
