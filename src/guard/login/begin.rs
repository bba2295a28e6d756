//! The way to a provider. Nothing is stored: `state` carries what the way back needs.

use super::{Choice, LoginAnswer, LoginFlow, Logins, Next, answer::WayOn};
use crate::{
    error::Error,
    guard::{Backend, SessionNote, cookies},
    login::{
        authorization::{AuthorizationRequest, with_parameters},
        binding::{Binding, TransactionId},
        provider::{Identity, Offline},
        return_path::ReturnPath,
        state::{Asked, Attempt, Envelope, NO_RETRY, Purpose},
    },
    policy::Provider,
    session::Place,
};

/// What a login is begun with.
#[derive(Debug, Clone)]
pub(super) struct Beginning {
    /// Where it returns to.
    pub(super) return_path: ReturnPath,
    /// What the provider is asked to see to.
    pub(super) asked: Asked,
    /// What it is for.
    pub(super) purpose: Purpose,
    /// How often it was begun already.
    pub(super) retries: u8,
    /// Whether the person comes with another account than the one that the provider knows.
    pub(super) other_account: bool,
}

/// What `GET /login/{provider}` says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Where the login returns to. What is not allowed is the start page.
    pub return_to: Option<&'a str>,
    /// Whether the session outlives the browser.
    pub remember: bool,
    /// Whether the person comes with another account than the one that the provider knows.
    pub other_account: bool,
    /// How long ago the person may have signed in at the provider, in seconds.
    pub max_age_secs: Option<u32>,
    /// The classes of sign-in of which one is wanted, with spaces between.
    pub acr_values: Option<&'a str>,
}

/// The most and the longest classes that are asked for.
const MAX_ACR_VALUES: usize = 10;
const MAX_ACR_LENGTH: usize = 200;

impl Wanted<'_> {
    /// What the provider is asked to see to.
    fn asked(&self) -> Asked {
        let fits = |value: &&str| {
            value.len() <= MAX_ACR_LENGTH && value.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let values = self.acr_values.unwrap_or_default().split(' ').filter(|one| !one.is_empty());
        Asked {
            max_age_secs: self.max_age_secs,
            acr_values: values.filter(fits).take(MAX_ACR_VALUES).map(str::to_owned).collect(),
            remember: self.remember,
        }
    }
}

impl<B: Backend, L: Logins> LoginFlow<'_, B, L> {
    /// `GET /login`: straight to the provider if there is one, else the choice.
    ///
    /// # Errors
    /// As [`LoginFlow::begin`].
    pub async fn choose(&self, wanted: Wanted<'_>) -> Result<LoginAnswer, Error> {
        let mut ways = self.login.ways_in();
        if let (Some(only), None) = (ways.next(), ways.next()) {
            return self.begin(&only.id, wanted).await;
        }
        // Who has to prove more does so where the account is.
        if wanted.max_age_secs.is_some() || wanted.acr_values.is_some() {
            let mut note = SessionNote::default();
            let owner = self.logged_in(&mut note).await.map(|(owner, _)| owner).ok();
            let id = owner.as_deref().and_then(|owner| owner.split_once('|')).map(|(id, _)| id);
            if let Some(provider) = id.and_then(|id| self.way_in(id).ok()) {
                return self.begin(&provider.id, wanted).await;
            }
        }
        let return_to = wanted.return_to;
        self.origin()?;
        let choice = |provider: &Provider| Choice {
            title: provider.title.clone(),
            path: self.login_path(&provider.id),
        };
        let choices = self.login.ways_in().map(choice).collect();
        // What is not allowed is left out here already: a page says nothing that strangers have written.
        let return_to = return_to.map(|target| self.return_path(Some(target)).as_str().to_owned());
        let over_http = self.login.ways_in().any(|provider| provider.allow_http);
        Ok(Next::Choose { choices, return_to, over_http }.into())
    }

    /// `GET /login/{provider}`: to the provider. A return path that is not allowed is the start page.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a provider that is none, [`Error::Config`] without an origin; those of crypto. A provider that does not
    /// answer is an answer: a page.
    pub async fn begin(&self, provider: &str, wanted: Wanted<'_>) -> Result<LoginAnswer, Error> {
        let Wanted { return_to, other_account, .. } = wanted;
        let provider = self.way_in(provider)?;
        let asked = self.asked(&wanted);
        let mut note = SessionNote::default();
        let purpose = if asked.max_age_secs.is_some() || !asked.acr_values.is_empty() {
            self.proving_more(provider, &mut note).await
        } else {
            Purpose::LogIn
        };
        let beginning = Beginning {
            return_path: self.return_path(return_to),
            asked,
            purpose,
            retries: 0,
            other_account,
        };
        let answer = self.to_provider(provider, beginning).await?;
        Ok(LoginAnswer { note, ..answer })
    }

    /// What more is proven for: the session of whoever is logged in with this provider goes on; for everybody else it is a login.
    async fn proving_more(&self, provider: &Provider, note: &mut SessionNote) -> Purpose {
        let who = self.logged_in(note).await.ok();
        let is_of = |owner: &str| owner.split_once('|').is_some_and(|(id, _)| id == provider.id);
        match who.filter(|(owner, _)| is_of(owner)) {
            Some((owner, session)) => Purpose::StepUp { owner, session },
            None => Purpose::LogIn,
        }
    }

    /// What the provider is asked to see to, as far as a route wants it: a link of somebody else's must not ask for more.
    fn asked(&self, wanted: &Wanted<'_>) -> Asked {
        let asked = wanted.asked();
        if self.policy.wants_sign_in(asked.max_age_secs, &asked.acr_values) {
            return asked;
        }
        Asked { remember: asked.remember, ..Asked::default() }
    }

    pub(super) fn return_path(&self, target: Option<&str>) -> ReturnPath {
        let (origins, prefix) = (&self.login.return_origins, &self.policy.auth_prefix);
        let read = target.and_then(|target| ReturnPath::parse(target, origins, prefix));
        read.unwrap_or_else(ReturnPath::start_page)
    }

    /// The cookie of this browser; without one that counts, the attempt begins with a new one.
    pub(super) fn binding(&self) -> Option<Binding> {
        cookies::binding(self.request.cookie?)
    }

    /// Where this browser is: its address, hashed; `None`: the edge does not know.
    pub(super) fn place(&self) -> Option<Place> {
        self.request.client_ip?;
        Some(Place::hash("edgegate-login-place-v1", &[&self.request.client()]))
    }

    /// Sends the browser to the provider.
    pub(super) async fn to_provider(
        &self,
        provider: &Provider,
        beginning: Beginning,
    ) -> Result<LoginAnswer, Error> {
        let redirect_uri = self.redirect_uri(provider)?;
        let Beginning { return_path, asked, purpose, retries, other_account } = beginning;
        let known = match self.known(provider).await {
            Ok(known) => known,
            Err(error) => {
                let way_on = self.way_on(provider, retries, &return_path);
                return Ok(LoginAnswer::stopped(error, &provider.title, way_on));
            }
        };
        let present = self.binding();
        let binding = match present {
            Some(binding) => binding,
            None => Binding::from_bytes(self.random()?),
        };
        let attempt = Attempt {
            transaction: TransactionId::from_bytes(self.random()?),
            began_at: self.now.to_unix_time(),
            provider: provider.id.clone(),
            purpose,
            asked,
        };
        let state = self.state(&binding, &attempt, (retries, &return_path)).await?;
        let key_id = self.own.secrets.newest_id();
        let secrets = binding.attempt(attempt.transaction, (&self.own.secrets, key_id));
        let secrets = secrets.ok_or(Error::NotFound)?;
        let max_age = attempt.asked.max_age_secs.map(|secs| ("max_age", secs.to_string().into()));
        let acr_values = (!attempt.asked.acr_values.is_empty())
            .then(|| ("acr_values", attempt.asked.acr_values.join(" ").into()));
        let prompt = provider.profile.other_account.filter(|_| other_account);
        let prompt = prompt.map(|prompt| ("prompt", prompt.into()));
        let by_form = provider.profile.form_post.then(|| ("response_mode", "form_post".into()));
        let is_connected = matches!(attempt.purpose, Purpose::Connect { .. });
        let is_kept = is_connected || self.policy.keeps_tokens_of(&provider.id);
        let (scopes, offline) = offline(provider, is_kept, is_connected);
        let offline = offline.iter().map(|(name, value)| (*name, (*value).into()));
        let further = max_age.into_iter().chain(acr_values).chain(prompt).chain(by_form);
        let further: Vec<_> = further.chain(offline).collect();
        let separator = provider.profile.separator.to_string();
        let request = AuthorizationRequest {
            endpoint: &known.authorization,
            client_id: &provider.client_id,
            redirect_uri: &redirect_uri,
            scope: &scopes.join(&separator),
            state: &state,
            attempt: &secrets,
            has_id_token: provider.profile.identity == Identity::IdToken,
            further: &further,
        };
        let answer = LoginAnswer::to(request.url());
        let binding = present.is_none().then(|| binding.set_cookie());
        Ok(LoginAnswer { binding, ..answer })
    }

    /// Both seals.
    async fn state(
        &self,
        binding: &Binding,
        attempt: &Attempt,
        (retries, return_path): (u8, &ReturnPath),
    ) -> Result<String, Error> {
        let beside = |id| Attempt::associated_data(binding, id);
        let (_, inner) = self.seal(attempt.to_bytes(), beside).await?;
        let envelope = Envelope {
            retries,
            return_path: return_path.as_str().to_owned(),
            place: self.place(),
            inner: crate::base64url::decode(&inner).unwrap_or_default(),
        };
        let (id, outer) = self.seal(envelope.to_bytes(), Envelope::associated_data).await?;
        Ok(Envelope::state(id, &outer))
    }

    /// The same with another account; `None`: the provider has no such way.
    pub(super) fn retry_as_another(
        &self,
        provider: &Provider,
        return_path: &ReturnPath,
    ) -> Option<String> {
        provider.profile.other_account?;
        Some(with_parameters(&self.retry(provider, return_path), [("other_account", "true")]))
    }

    /// Where a page leads to once an attempt has stopped that was begun again so often.
    pub(super) fn way_on(
        &self,
        provider: &Provider,
        retries: u8,
        return_path: &ReturnPath,
    ) -> WayOn {
        if retries == NO_RETRY || provider.connect_only {
            WayOn::Back(return_path.as_str().to_owned())
        } else {
            WayOn::Retry(self.retry(provider, return_path))
        }
    }

    /// Where the button of a page leads to: the same login again.
    pub(super) fn retry(&self, provider: &Provider, return_path: &ReturnPath) -> String {
        let path = self.login_path(&provider.id);
        with_parameters(&path, [("return_to", return_path.as_str())])
    }
}

/// The scopes that are asked for, and what else brings a refresh token where tokens are kept. Consent is asked for again only by whoever
/// connects an account: without it some providers give no refresh token a second time.
fn offline(
    provider: &Provider,
    is_kept: bool,
    is_connected: bool,
) -> (Vec<&str>, &'static [(&'static str, &'static str)]) {
    let mut scopes: Vec<&str> = provider.request_scopes.iter().map(String::as_str).collect();
    match provider.profile.offline {
        Offline::Scope if is_kept && !scopes.contains(&OFFLINE_ACCESS) => {
            scopes.push(OFFLINE_ACCESS);
            (scopes, &[])
        }
        Offline::AccessType if is_connected => {
            (scopes, &[("access_type", "offline"), ("prompt", "consent")])
        }
        Offline::AccessType if is_kept => (scopes, &[("access_type", "offline")]),
        Offline::Nothing | Offline::Scope | Offline::AccessType => (scopes, &[]),
    }
}

/// OpenID Connect Core 1.0 §11.
const OFFLINE_ACCESS: &str = "offline_access";
