//! The way back from a provider. In this order:
//!
//! 1. The parameters: each once, a code or an error.
//! 2. `state`: the outer seal, then the inner one with the cookie of this browser; the provider, and `iss` of the answer.
//! 3. The time of the attempt; how many have failed from this address.
//! 4. Once: the transaction is spent before the code is redeemed.
//! 5. The provider: tokens, the ID token, who it is. Then the lists of the policy, and the session.
//!
//! A browser that has no good attempt is not left there: whoever is logged in goes on, others begin again, once, without a word. Only
//! then there is a page.

use super::{
    LoginAnswer, LoginFlow, Logins, Next,
    answer::{Stop, WayOn},
    begin::Beginning,
    connect::Account,
    person::{LoggedIn, Redemption},
};
use crate::{
    error::Error,
    guard::{Backend, SessionNote, Sessions as _, backend::unavailable},
    jose::dpop::ReplayKey,
    login::{
        authorization::{Answer, Callback, Parameters, Refusal, is_from, with_parameters},
        binding::Binding,
        form_post,
        person::subject,
        return_path::ReturnPath,
        state::{Asked, Attempt, Envelope, MAX_RETRIES, Purpose},
    },
    page::Reason,
    policy::Provider,
    session::{
        ProviderSession,
        cookie::SameSite,
        record::{Device, LoginRow, Opening},
    },
    store::replays::Once,
    time::UnixMillis,
};

/// What came to the callback.
#[expect(missing_debug_implementations, reason = "it holds a code")]
#[derive(Clone, Copy)]
pub enum Arrival<'a> {
    /// A navigation with this query.
    Query(&'a str),
    /// A form of the provider's site (`response_mode=form_post`).
    Form(&'a str),
}

/// The longest subject of a session.
const MAX_SUBJECT_LENGTH: usize = 255;

/// The most that the scopes of a session have together, in bytes: they travel in each token.
const MAX_SCOPES_LENGTH: usize = 1000;

/// An attempt that has been opened, and what came with it.
struct Opened {
    attempt: Attempt,
    binding: Binding,
    key_id: u8,
    retries: u8,
    return_path: ReturnPath,
}

impl<B: Backend, L: Logins> LoginFlow<'_, B, L> {
    /// `GET` or `POST /callback/{provider}`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Config`] without an origin; those of crypto. What stops a login is an answer: a page.
    pub async fn callback(
        &self,
        provider: &str,
        arrival: Arrival<'_>,
        device: impl FnOnce() -> Device,
    ) -> Result<LoginAnswer, Error> {
        let provider = self.login.provider(provider).ok_or(Error::NotFound)?;
        self.origin()?;
        match self.arrived(provider, arrival, device).await {
            Ok(answer) => Ok(answer),
            Err(stop) => {
                let way_on = if provider.connect_only {
                    WayOn::Back(ReturnPath::start_page().as_str().to_owned())
                } else {
                    WayOn::Retry(self.login_path(&provider.id))
                };
                Ok(LoginAnswer::stopped(stop, &provider.title, way_on))
            }
        }
    }

    async fn arrived(
        &self,
        provider: &Provider,
        arrival: Arrival<'_>,
        device: impl FnOnce() -> Device,
    ) -> Result<LoginAnswer, Stop> {
        let unsealed;
        let text = match arrival {
            Arrival::Form(form) => return self.to_navigation(provider, form).await,
            Arrival::Query(query) => match Parameters::parse(query).map_err(unreadable)?.sealed() {
                None => query,
                Some(sealed) => {
                    unsealed = self.unsealed(provider, sealed).await?;
                    &unsealed
                }
            },
        };
        let parameters = Parameters::parse(text).map_err(unreadable)?;
        let callback = parameters.callback().map_err(unreadable)?;
        let (key_id, outer) = Envelope::parse_state(&callback.state)
            .ok_or_else(|| unreadable("state has a form that the gate does not write"))?;
        let beside = Envelope::associated_data(key_id);
        let envelope = self.open(key_id, outer, &beside).await;
        let envelope = envelope.and_then(|bytes| Envelope::from_bytes(bytes.expose_secret()));
        let Some(envelope) = envelope else {
            let problem = "state was not sealed by this gate, or by a secret that is gone";
            let stop = unreadable(problem);
            return self.go_on((provider, None), MAX_RETRIES, stop).await;
        };
        let Envelope { retries, return_path, place, inner } = envelope;
        let return_path = self.return_path(Some(&return_path));
        let Some(binding) = self.binding() else {
            let problem = "the cookie of this browser is not there";
            let stop = Stop::interrupted(Reason::NoCookie, problem);
            return self.go_on((provider, Some(return_path)), retries, stop).await;
        };
        let beside = Attempt::associated_data(&binding, key_id);
        let attempt = self.open_bytes(key_id, &inner, &beside).await;
        let attempt = attempt.and_then(|bytes| Attempt::from_bytes(bytes.expose_secret()));
        let Some(attempt) = attempt else {
            // Whoever began it chose its return path, and is followed at the same address alone: of tabs that a browser without a cookie opens
            // together each is given one, and the last of these stays.
            let is_here = place.is_some() && place == self.place();
            let return_path = Some(return_path).filter(|_| is_here);
            let problem = "another browser began this login";
            return self.go_on((provider, return_path), retries, unreadable(problem)).await;
        };
        if attempt.provider != provider.id {
            return Err(unreadable("the answer of another provider came to this callback"));
        }
        let opened = Opened { attempt, binding, key_id, retries, return_path };
        // Whatever stops it from here on: the button of the page leads to where this login wanted.
        let way_on = self.way_on(provider, retries, &opened.return_path);
        let answer = self.opened(provider, opened, &callback, device).await;
        answer.or_else(|stop| Ok(LoginAnswer::stopped(stop, &provider.title, way_on)))
    }

    /// An attempt of this browser.
    async fn opened(
        &self,
        provider: &Provider,
        opened: Opened,
        callback: &Callback<'_>,
        device: impl FnOnce() -> Device,
    ) -> Result<LoginAnswer, Stop> {
        let known = self.known(provider).await?;
        let issuer = provider.issuer().unwrap_or_default();
        if !issuer.is_empty() && !is_from(callback, issuer, known.sends_iss) {
            return Err(Stop::interrupted(
                Reason::ProviderUnclear,
                "iss of the answer is not the provider's",
            ));
        }
        if !opened.attempt.is_alive(self.now.to_unix_time()) {
            let place = (provider, Some(opened.return_path));
            let stop = Stop::interrupted(Reason::TookTooLong, "it took longer than ten minutes");
            return self.go_on(place, opened.retries, stop).await;
        }
        let code = match &callback.answer {
            Answer::Code(code) => code,
            Answer::Refused(refusal) => return Ok(self.declined(provider, *refusal, &opened)),
        };
        let is_way_in = !provider.connect_only;
        match &opened.attempt.purpose {
            Purpose::LogIn | Purpose::StepUp { .. } if is_way_in => {}
            Purpose::Connect { .. } if self.policy.connects(provider) => {}
            _ => return Err(unreadable("it is not for a login")),
        }
        if let Some(once_more) = self.once_more(&opened.attempt.purpose) {
            return Ok(once_more);
        }
        let mut note = SessionNote::default();
        self.in_session_of(&opened.attempt.purpose, &mut note).await?;
        // One that came again stays counted, since it has asked an object that all share. What is known here asks nobody.
        let login_try = if self.logins.memory().is_spent(opened.attempt.transaction, self.now) {
            None
        } else {
            let counted = self.backend.failures().login(self.request.client_ip, self.now);
            let counted = match counted {
                Ok(counted) => counted,
                Err(error) => return self.go_on_logged_in(None, &opened, error).await,
            };
            self.is_first(&opened.attempt).await?.then_some(counted)
        };
        let Some(login_try) = login_try else {
            let place = (provider, Some(opened.return_path));
            let stop = Stop::interrupted(Reason::UsedUp, "it has come to its end before");
            return self.go_on(place, opened.retries, stop).await;
        };
        let Opened { attempt, binding, key_id, .. } = &opened;
        let secrets = binding.attempt(attempt.transaction, (&self.own.secrets, *key_id));
        let secrets = secrets.ok_or_else(|| unreadable("the secret of this login is gone"))?;
        let redirect_uri = self.redirect_uri(provider)?;
        let redemption = Redemption {
            code,
            redirect_uri: &redirect_uri,
            attempt: &secrets,
            asked: &attempt.asked,
        };
        let (logged_in, tokens) = match self.identify((provider, &known), redemption).await {
            Ok(identified) => identified,
            // Codes live for seconds, and proxies send requests twice.
            Err(error @ Error::LoginInterrupted { .. }) => {
                let place = (provider, Some(opened.return_path));
                return self.go_on(place, opened.retries, error.into()).await;
            }
            Err(error) if is_unmet(&error, &attempt.asked) => {
                return Err(Stop { reason: Reason::ProofUnmet, error });
            }
            Err(error) => return Err(error.into()),
        };
        login_try.give_back(self.now);
        if let Purpose::Connect { owner, .. } = &attempt.purpose {
            let back = (&opened.return_path, note);
            let what = (&logged_in.person, &tokens, attempt.began_at);
            return self.connected(provider, owner, what, back).await;
        }
        let account = Account::of(&logged_in.person);
        let opening = match self.opening(provider, attempt.asked.remember, logged_in) {
            Ok(opening) => opening,
            Err(error @ Error::LoginNotAllowed { .. }) => {
                // The same account would be refused again.
                let retry = self.retry_as_another(provider, &opened.return_path);
                return Ok(LoginAnswer::stopped_at(
                    error,
                    &provider.title,
                    retry.map(WayOn::Retry),
                ));
            }
            Err(error) => return Err(error.into()),
        };
        let sub = opening.sub.clone();
        if self.sessions.is_ended_at_provider(&opening).await? {
            let problem = "the provider has ended this session of its own";
            let stop = Stop::interrupted(Reason::ProviderUnclear, problem);
            let retry = self.retry_as_another(provider, &opened.return_path);
            return Ok(LoginAnswer::stopped_at(stop, &provider.title, retry.map(WayOn::Retry)));
        }
        let note = match &attempt.purpose {
            Purpose::StepUp { owner, session } if opening.sub == *owner => {
                let of_session = (*session, opening);
                self.sessions.step_up_for_browser(of_session, self.browser, device()).await?
            }
            Purpose::StepUp { .. } => {
                let problem = "another account has come back than the one that is logged in";
                let stop = Stop::interrupted(Reason::WrongAccount, problem);
                // There it is asked for again. A login would be one of the other account.
                let back = WayOn::Back(opened.return_path.as_str().to_owned());
                return Ok(LoginAnswer::stopped(stop, &provider.title, back));
            }
            _ => {
                let of_login = (opening, attempt.began_at);
                let note = self.sessions.open_for_browser(of_login, self.browser, device()).await;
                match note {
                    Ok(note) => note,
                    Err(error) => return self.go_on_logged_in(Some(&sub), &opened, error).await,
                }
            }
        };
        self.keep_of_login(provider, &sub, (&account, &tokens, attempt.began_at)).await;
        Ok(LoginAnswer { note, ..self.back(&opened.return_path) })
    }

    /// Whether the transaction comes to its end for the first time. From now on it has.
    async fn is_first(&self, attempt: &Attempt) -> Result<bool, Error> {
        let key = ReplayKey::new(&["login", &attempt.transaction.to_string()]);
        let until = UnixMillis::from_unix_time(attempt.remembered_until());
        let first = self.backend.sessions().first_use(Once::Login, &key, until, self.now).await;
        self.logins.memory().note_spent(attempt.transaction, until, self.now);
        first.map_err(|fault| unavailable("logins", &fault))
    }

    /// What the session is opened with, if the person may come in.
    fn opening(
        &self,
        provider: &Provider,
        remember: bool,
        logged_in: LoggedIn,
    ) -> Result<Opening, Error> {
        let LoggedIn { person, proof, session } = logged_in;
        provider.allow.check(&person).map_err(|list| Error::LoginNotAllowed { list })?;
        let sub = subject(&provider.id, &person);
        if sub.len() > MAX_SUBJECT_LENGTH {
            let problem = format!("a name of more than {MAX_SUBJECT_LENGTH} bytes");
            return Err(Error::Provider { provider: provider.id.clone(), problem });
        }
        let scopes = provider.scopes.scopes(&person);
        let length: usize = scopes.iter().map(|scope| scope.len().saturating_add(1)).sum();
        if length > MAX_SCOPES_LENGTH {
            let problem =
                format!("a person would have more than {MAX_SCOPES_LENGTH} bytes of scopes");
            return Err(Error::config(format!("login.providers.{}.scopes", provider.id), problem));
        }
        let session = session.map(|session| {
            ProviderSession::of(provider.issuer().unwrap_or(&provider.id), &session)
        });
        let login =
            LoginRow { provider: provider.id.clone(), at: self.now.to_unix_time(), session };
        Ok(proof.into_opening(Opening {
            sub,
            scopes,
            remember,
            login: Some(login),
            ..Opening::default()
        }))
    }

    /// Back to where the login began.
    pub(super) fn back(&self, return_path: &ReturnPath) -> LoginAnswer {
        let url = return_path.as_str().to_owned();
        match self.browser.same_site {
            SameSite::Lax => LoginAnswer::to(url),
            // The navigation came from another site, and what follows it still does.
            SameSite::Strict => Next::MoveOn(url).into(),
        }
    }

    /// What becomes of a login that the gate has no room for: whoever has logged in by another tab goes on there. `subject` is who it is, as
    /// far as that is known; others are not taken for that person.
    async fn go_on_logged_in(
        &self,
        subject: Option<&str>,
        opened: &Opened,
        error: Error,
    ) -> Result<LoginAnswer, Stop> {
        let is_bound = matches!(error, Error::TooManyLogins { .. } | Error::RateLimited { .. });
        if !is_bound || opened.attempt.purpose != Purpose::LogIn {
            return Err(error.into());
        }
        let mut note = SessionNote::default();
        let is_logged_in = match self.sessions.mine(&mut note).await {
            Ok(token) => subject.is_none() || token.subject() == subject,
            Err(_) => false,
        };
        if is_logged_in {
            return Ok(LoginAnswer { note, ..self.back(&opened.return_path) });
        }
        Err(error.into())
    }

    /// What becomes of a browser without a good attempt. Without a return path that counts: the start page.
    async fn go_on(
        &self,
        (provider, return_path): (&Provider, Option<ReturnPath>),
        retries: u8,
        stop: Stop,
    ) -> Result<LoginAnswer, Stop> {
        let return_path = return_path.unwrap_or_else(ReturnPath::start_page);
        let mut note = Default::default();
        if self.sessions.is_logged_in(&mut note).await {
            return Ok(LoginAnswer { note, ..self.back(&return_path) });
        }
        let answer = if retries < MAX_RETRIES {
            let beginning = Beginning {
                return_path,
                asked: Asked::default(),
                purpose: Purpose::LogIn,
                retries: retries.saturating_add(1),
                other_account: false,
            };
            self.to_provider(provider, beginning).await?
        } else {
            let way_on = self.way_on(provider, retries, &return_path);
            LoginAnswer::stopped(stop, &provider.title, way_on)
        };
        Ok(LoginAnswer { note, ..answer })
    }

    /// What a provider's error means.
    fn declined(&self, provider: &Provider, refusal: Refusal, opened: &Opened) -> LoginAnswer {
        let declined = || Error::LoginDeclined { refusal: refusal.word() };
        let stop = match refusal {
            Refusal::Denied => declined().into(),
            Refusal::ProofUnmet => Stop { reason: Reason::ProofUnmet, error: declined() },
            Refusal::NeedsInteraction => Stop::interrupted(
                Reason::NotFinished,
                "the provider wants something of the person first",
            ),
            Refusal::Unavailable => Stop::from(Error::Provider {
                provider: provider.id.clone(),
                problem: "says that it cannot log anybody in now".to_owned(),
            }),
            Refusal::Misconfigured => Stop::from(Error::ProviderRefuses {
                provider: provider.id.clone(),
                problem: "it gives no code: redirect URI, scopes or client are not as it has them",
            }),
        };
        let way_on = self.way_on(provider, opened.retries, &opened.return_path);
        LoginAnswer::stopped(stop, &provider.title, way_on)
    }

    /// A form of another site comes without the `Lax` cookie. So it is sealed, and comes back as a navigation.
    async fn to_navigation(&self, provider: &Provider, form: &str) -> Result<LoginAnswer, Stop> {
        let parameters = Parameters::parse(form).map_err(unreadable)?;
        let callback = parameters.callback().map_err(unreadable)?;
        let plain = form_post::to_bytes(&callback, self.now.to_unix_time());
        let beside = |id| form_post::associated_data(&provider.id, id);
        let (id, sealed) = self.seal(plain, beside).await?;
        let sealed = form_post::write(id, &sealed)
            .ok_or_else(|| unreadable("the answer is too long for a URL"))?;
        let path = format!("{}/callback/{}", self.policy.auth_prefix, provider.id);
        Ok(LoginAnswer::to(with_parameters(&path, [("sealed", sealed.as_str())])))
    }

    async fn unsealed(&self, provider: &Provider, sealed: &str) -> Result<String, Stop> {
        let fault = || unreadable("the sealed answer is too old, or was not sealed by this gate");
        let (id, sealed) = form_post::parse(sealed).ok_or_else(fault)?;
        let beside = form_post::associated_data(&provider.id, id);
        let plain = self.open(id, sealed, &beside).await.ok_or_else(fault)?;
        form_post::from_bytes(plain.expose_secret(), self.now.to_unix_time()).ok_or_else(fault)
    }
}

/// Whether a provider has not seen to what it was asked to.
fn is_unmet(error: &Error, asked: &Asked) -> bool {
    match error {
        Error::AuthenticationTooOld { .. } => true,
        Error::MissingClaim { claim } | Error::UnexpectedClaim { claim } => {
            claim == "auth_time" && asked.max_age_secs.is_some()
                || claim == "acr" && !asked.acr_values.is_empty()
        }
        _ => false,
    }
}

const fn unreadable(problem: &'static str) -> Stop {
    Stop::interrupted(Reason::Unreadable, problem)
}
