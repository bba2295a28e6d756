//! How who is logged in sets up factors beside the password, and drops them.
//!
//! Whoever does has logged in a moment ago, and shows the password too: a session that was left open is not enough to shut its owner out, nor to come in
//! by for good. What is changed is bound to the account as it was then: a password that is changed meanwhile opens nothing. All other sessions end with
//! each change (OWASP ASVS 5, 7.4.3): those that are left have been opened by somebody who knows what the account asks for now.

use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    super::{
        AccountAction, Backend,
        session::{
            endpoints::{Answer, may_manage},
            random,
        },
    },
    AccountFlow, Accounts, Faults, Proven, SessionNote, fault, into_validation,
    passkey_forms::listed,
    second_factor::{by_code, short},
    text_of,
};
use crate::{
    account::{
        authenticator::Salt,
        base32,
        recovery::{self, CODES, CodeHash},
        row::{AccountId, AccountState, Factors, account_of_subject},
        second_step::{Awaited, SecondStep},
        step::{FactorStep, LoginOutcome, LoginStep, Owner, ProvePassword, Right},
        totp,
    },
    error::Error,
    jose::verifier::VerifiedToken,
    json::{self, document, object::described},
    policy::{BrowserSessions, SecondFactor},
    session::{csrf, record::Device},
    time::UnixTime,
};

/// How long ago who changes factors may have logged in.
const FRESH_SECS: u32 = 600;

/// The longest name of an account in an authenticator.
const MAX_LABEL_BYTES: usize = 254;

described! {
    /// An authenticator is set up: by who is logged in, or with the `mfa_token` of `MFA_SETUP_REQUIRED`.
    struct SetUpBody as SetUpTotp, refused {
        /// What `MFA_SETUP_REQUIRED` has given.
        mfa_token: Option<String> = None,
        /// What the authenticator calls the account, as its address: at most 254 bytes.
        label: Option<String> = None,
    }
}

described! {
    /// The first code of an authenticator.
    struct ConfirmBody as ConfirmTotp, refused {
        /// What `MFA_SETUP_REQUIRED` has given.
        mfa_token: Option<String> = None,
        /// What the authenticator shows.
        code: Option<String> = None,
        /// The password of the account, if it has one. With `mfa_token` it was shown before.
        password: Option<String> = None,
    }
}

described! {
    /// A factor is dropped, or recovery codes are made anew, by who is logged in.
    struct OnceMoreBody as PasswordOnceMore, refused {
        /// The password of the account, if it has one.
        password: Option<String> = None,
    }
}

#[cfg(feature = "describe")]
pub(super) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<SetUpBody>();
    known.add::<ConfirmBody>();
    known.add::<OnceMoreBody>();
}

#[derive(Serialize)]
struct FactorsBody {
    totp: bool,
    recovery_codes_left: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    passkeys: Option<Vec<Value>>,
}

#[derive(Serialize)]
struct SecretBody<'a> {
    secret: &'a str,
    uri: &'a str,
}

/// No session was opened: who logs in does so once more.
#[derive(Serialize)]
struct PendingBody {
    pending: bool,
}

const PENDING: PendingBody = PendingBody { pending: true };

#[derive(Serialize)]
struct CodesBody<'a> {
    recovery_codes: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<bool>,
}

/// Recovery codes, and what is kept of them.
pub(super) struct NewCodes {
    texts: Vec<Zeroizing<String>>,
    pub(super) hashes: Vec<CodeHash>,
}

/// Who is logged in, with an account.
pub(super) struct LoggedIn {
    pub(super) id: AccountId,
    pub(super) token: VerifiedToken,
    pub(super) note: SessionNote,
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// `GET /mfa`: what the account is asked for beside its password.
    ///
    /// # Errors
    /// Those of credentials; [`Error::ClientNotAllowed`] for a client's token, [`Error::NotFound`] for a session that is of no account.
    pub async fn factors(&self) -> Result<Answer, Error> {
        let LoggedIn { id, mut note, .. } = self.logged_in().await?;
        let Factors { totp, recovery_codes_left, .. } =
            self.or_keep(self.factors_of(&id).await, &mut note)?;
        let passkeys = match &self.accounts.passkeys {
            Some(_) => Some(listed(&self.or_keep(self.all_passkeys(&id).await, &mut note)?)),
            None => None,
        };
        Ok(Answer::json(200, &FactorsBody { totp, recovery_codes_left, passkeys }, note))
    }

    /// `POST /mfa/totp`: the secret of an authenticator. It counts once it has shown a code.
    ///
    /// # Errors
    /// As [`AccountFlow::factors`], and [`Error::StepUp`] where the login is too long ago; [`Error::NotFound`] where the policy has none. For who
    /// logs in: [`Error::CrossSite`], [`Error::LoginOver`].
    pub async fn set_up_totp(&self, body: &[u8]) -> Result<Answer, Error> {
        self.may_set_up()?;
        let (token, label) = read_set_up(body)?;
        if let Some(token) = token {
            let login = self.logging_in(&token)?;
            return self.set_up(Owner::Login(login), &label).await;
        }
        let LoggedIn { id, mut note, .. } = self.logged_in_now().await?;
        let answer = self.set_up(Owner::Session(id), &label).await;
        let answer = self.or_keep(answer, &mut note)?;
        Ok(Answer { note, ..answer })
    }

    async fn set_up(&self, owner: Owner, label: &str) -> Result<Answer, Error> {
        let id = id_of(&owner);
        let salt = Salt::from_bytes(random(self.backend.sessions())?);
        match self.factor_step(&id, FactorStep::SetUp(owner, salt)).await? {
            LoginOutcome::Done => {}
            _ => return Err(over(&owner)),
        }
        let secret = self.accounts.secrets.authenticators().secret(&id, &salt);
        let text = Zeroizing::new(base32::encode(secret.expose_secret()));
        let uri = Zeroizing::new(totp::uri(&secret, self.issuer(), label));
        Ok(Answer::json(200, &SecretBody { secret: &text, uri: &uri }, SessionNote::default()))
    }

    /// `POST /mfa/totp/confirm`: the first code, for recovery codes. All other sessions end. Who logs in gets the session too.
    ///
    /// # Errors
    /// As [`AccountFlow::set_up_totp`]; [`Error::WrongCode`], [`Error::WrongPassword`], [`Error::TooManyGuesses`].
    pub async fn confirm_totp(
        &self,
        body: &[u8],
        device: impl FnOnce() -> Device,
    ) -> Result<Answer, Error> {
        self.may_set_up()?;
        let Confirming { mfa_token, code, password } = read_confirm(body)?;
        let Some(token) = mfa_token else {
            let mut who = self.logged_in_now().await?;
            let proven = self.prove_password(&who.id, password).await;
            let state = self.or_keep(proven, &mut who.note)?;
            let LoggedIn { id, token, mut note } = who;
            let codes = self.new_codes()?;
            let step = FactorStep::Confirm(Owner::Proven(state), code, codes.hashes.clone());
            let confirmed = self.guess_code(&id, step).await;
            self.or_keep(confirmed, &mut note)?;
            self.did_add_totp(&id);
            return self.with_codes(&codes, &token, note).await;
        };
        let browser = self.browser()?;
        let login = self.logging_in(&token)?;
        let (id, codes) = (login.state.id, self.new_codes()?);
        let step = FactorStep::Confirm(Owner::Login(login), code, codes.hashes.clone());
        let LoginOutcome::Right(right) = self.guess_code(&id, step).await? else {
            return Err(fault("a code has come to nothing"));
        };
        self.did_add_totp(&id);
        let shown = (by_code(login.first), &codes);
        Ok(self.in_by_first_factor((&login, &right), shown, browser, device()).await)
    }

    /// The session of who has just set up a factor while logging in, and the recovery codes that came with it. It counts from now on: whatever comes
    /// of the rest, its owner gets the codes.
    pub(super) async fn in_by_first_factor(
        &self,
        login: (&SecondStep, &Right),
        (proven, codes): (Proven, &NewCodes),
        browser: Option<&BrowserSessions>,
        device: Device,
    ) -> Answer {
        let opened = self.opened_by_first_factor(login, proven, browser, device).await;
        let answer = opened.unwrap_or_else(|error| {
            self.unsaid.replace(Some(error));
            Answer { note: self.take_note(), ..Answer::json(202, &PENDING, SessionNote::default()) }
        });
        Answer { body: beside(&answer.body, codes), ..answer }
    }

    /// Where the sessions from before end behind the answer, none is opened: it would end with them.
    async fn opened_by_first_factor(
        &self,
        (login, right): (&SecondStep, &Right),
        proven: Proven,
        browser: Option<&BrowserSessions>,
        device: Device,
    ) -> Result<Answer, Error> {
        let id = login.state.id;
        // Sessions that were opened before the policy asked for a second factor.
        let subject = format!("{}{id}", crate::account::row::SUBJECT_PREFIX);
        let ended = self.sessions.end_all_surely(&subject).await?;
        if ended.note.end.is_some() {
            return Ok(Answer {
                note: ended.note,
                ..Answer::json(202, &PENDING, SessionNote::default())
            });
        }
        let of_row = (self.shard(&id)?, right);
        self.finish(of_row, (proven, login.remember), browser, device).await
    }

    /// `DELETE /mfa/totp`: the authenticator counts no more. All other sessions end.
    ///
    /// # Errors
    /// As [`AccountFlow::factors`], and [`Error::StepUp`], [`Error::ValidationFailed`], [`Error::WrongPassword`], [`Error::TooManyGuesses`];
    /// [`Error::NotFound`] where there is none.
    pub async fn drop_totp(&self, body: &[u8]) -> Result<Answer, Error> {
        let (LoggedIn { id, token, mut note }, state) = self.owner(body).await?;
        let step = FactorStep::DropAuthenticator(state);
        let done = self.changed_factors(&id, step).await;
        self.or_keep(done, &mut note)?;
        self.did(AccountAction::TotpRemoved, &id);
        self.sessions.end_others(&token, note).await
    }

    /// `POST /mfa/recovery-codes`: ten others. All other sessions end.
    ///
    /// # Errors
    /// As [`AccountFlow::drop_totp`]; [`Error::NotFound`] where there is no second factor.
    pub async fn new_recovery_codes(&self, body: &[u8]) -> Result<Answer, Error> {
        let (LoggedIn { id, token, mut note }, state) = self.owner(body).await?;
        let codes = self.new_codes()?;
        let step = FactorStep::NewRecoveryCodes(state, codes.hashes.clone());
        let done = self.changed_factors(&id, step).await;
        self.or_keep(done, &mut note)?;
        self.did(AccountAction::RecoveryCodesMade, &id);
        self.with_codes(&codes, &token, note).await
    }

    // ---- who ----

    pub(super) async fn logged_in(&self) -> Result<LoggedIn, Error> {
        let mut note = SessionNote::default();
        let token = self.sessions.mine(&mut note).await?;
        let id = may_manage(&token).and_then(|()| {
            account_of_subject(token.subject().unwrap_or_default()).ok_or(Error::NotFound)
        });
        let id = self.or_keep(id, &mut note)?;
        Ok(LoggedIn { id, token, note })
    }

    /// The same, a moment ago.
    pub(super) async fn logged_in_now(&self) -> Result<LoggedIn, Error> {
        let mut found = self.logged_in().await?;
        let at = found.token.claims().get("auth_time").and_then(Value::as_i64);
        let is_fresh = at.is_some_and(|at| {
            self.now.to_unix_time() <= UnixTime::from_secs(at).saturating_add(FRESH_SECS.into())
        });
        let verdict = if is_fresh {
            Ok(())
        } else {
            let (max_age_secs, acr_values) = (Some(FRESH_SECS), String::new());
            Err(Error::StepUp { max_age_secs, acr_values, login_url: None })
        };
        self.or_keep(verdict, &mut found.note)?;
        Ok(found)
    }

    /// Who is logged in a moment ago and shows the password, and the account as it was then.
    ///
    /// # Errors
    /// As [`AccountFlow::logged_in_now`] and [`AccountFlow::prove_password`].
    pub(super) async fn owner(&self, body: &[u8]) -> Result<(LoggedIn, AccountState), Error> {
        let mut who = self.logged_in_now().await?;
        let proven = async {
            let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
            let OnceMoreBody { password } = document::parse(body).map_err(into_validation)?;
            self.prove_password(&who.id, password).await
        };
        let proven = proven.await;
        let state = self.or_keep(proven, &mut who.note)?;
        Ok((who, state))
    }

    /// Has who changes a factor show the password, and returns the account as it was then. What they set up outlives the session, and a new password
    /// too: it is the owner's to give. An account without one has nothing to show.
    ///
    /// # Errors
    /// [`Error::ValidationFailed`], [`Error::WrongPassword`], [`Error::TooManyGuesses`], [`Error::SubjectDisabled`]; those of stores.
    pub(super) async fn prove_password(
        &self,
        id: &AccountId,
        password: Option<String>,
    ) -> Result<AccountState, Error> {
        let (id, shard) = (*id, self.shard(id)?);
        let mut faults = Faults::default();
        let Some(given) = password else {
            let step = ProvePassword { id, password: None, device: None };
            return match self.apply(shard, LoginStep::ProvePassword(step)).await? {
                LoginOutcome::Right(right) => Ok(right.state),
                LoginOutcome::PasswordNeeded => {
                    faults.take::<()>("password", None, |_| Ok(()));
                    Err(faults.into_error())
                }
                _ => Err(Error::NotFound),
            };
        };
        let password = faults.take("password", Some(given), |text| self.password(text));
        let password = password.ok_or_else(|| faults.into_error())?;
        let (password, device) = (Some(text_of(&password)), self.known_browser());
        let step = ProvePassword { id, password, device };
        let shown = self.own_password((shard, LoginStep::ProvePassword(step)), None).await?;
        shown.ok_or_else(|| fault("a password has come to nothing"))
    }

    pub(super) fn logging_in(&self, token: &str) -> Result<SecondStep, Error> {
        // Another site's page would choose the authenticator, or the passkey.
        self.browser()?;
        self.waiting(token, Awaited::SetUp)
    }

    fn may_set_up(&self) -> Result<(), Error> {
        match self.accounts.mfa {
            SecondFactor::Off => Err(Error::NotFound),
            SecondFactor::Optional | SecondFactor::Required => Ok(()),
        }
    }

    /// The outcome; what a refusal leaves is for the edge: cookies that were renewed are renewed.
    pub(super) fn or_keep<T>(
        &self,
        outcome: Result<T, Error>,
        note: &mut SessionNote,
    ) -> Result<T, Error> {
        if outcome.is_err() {
            self.left.replace(core::mem::take(note));
        }
        outcome
    }

    // ---- what ----

    /// An authenticator comes with recovery codes.
    fn did_add_totp(&self, id: &AccountId) {
        self.did(AccountAction::TotpAdded, id);
        self.did(AccountAction::RecoveryCodesMade, id);
    }

    pub(super) async fn factors_of(&self, id: &AccountId) -> Result<Factors, Error> {
        match self.factor_step(id, FactorStep::Show(*id)).await? {
            LoginOutcome::Factors(factors) => Ok(factors),
            _ => Err(Error::NotFound),
        }
    }

    async fn factor_step(&self, id: &AccountId, step: FactorStep) -> Result<LoginOutcome, Error> {
        self.apply(self.shard(id)?, LoginStep::Factor(step)).await
    }

    async fn changed_factors(&self, id: &AccountId, step: FactorStep) -> Result<(), Error> {
        match self.factor_step(id, step).await? {
            LoginOutcome::Done => Ok(()),
            // It was changed since it was shown.
            LoginOutcome::Wrong => Err(Error::WrongPassword),
            _ => Err(Error::NotFound),
        }
    }

    pub(super) fn new_codes(&self) -> Result<NewCodes, Error> {
        let mut new = NewCodes { texts: Vec::new(), hashes: Vec::new() };
        for _ in 0..CODES {
            let text = recovery::text_of(&random(self.backend.sessions())?);
            let hash = recovery::hash_of(&text);
            new.hashes.push(hash.ok_or_else(|| fault("a new code is none"))?);
            new.texts.push(text);
        }
        Ok(new)
    }

    /// The answer with the codes, once all other sessions have ended.
    async fn with_codes(
        &self,
        codes: &NewCodes,
        token: &VerifiedToken,
        note: SessionNote,
    ) -> Result<Answer, Error> {
        let ended = self.sessions.end_others(token, note).await?;
        let pending = (ended.status == 202).then_some(true);
        let body = CodesBody { recovery_codes: codes.shown(), pending };
        Ok(Answer { body: serde_json::to_string(&body).unwrap_or_default(), ..ended })
    }

    /// What authenticators show as the name of the service.
    fn issuer(&self) -> &str {
        let origin = csrf::own_origin(self.policy.origin.as_deref(), self.request.url);
        let host = origin.and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        host.unwrap_or("edgegate")
    }
}

impl NewCodes {
    pub(super) fn shown(&self) -> Vec<&str> {
        self.texts.iter().map(|text| text.as_str()).collect()
    }
}

const fn id_of(owner: &Owner) -> AccountId {
    match owner {
        Owner::Session(id) => *id,
        Owner::Proven(state) => state.id,
        Owner::Login(login) => login.state.id,
    }
}

/// Why nothing can be set up any more.
const fn over(owner: &Owner) -> Error {
    match owner {
        Owner::Session(_) | Owner::Proven(_) => Error::NotFound,
        Owner::Login(_) => Error::LoginOver,
    }
}

/// An answer of a login with the codes beside.
fn beside(body: &str, codes: &NewCodes) -> String {
    let mut all = json::parse_object(body.as_bytes()).unwrap_or_default();
    all.insert("recovery_codes".to_owned(), codes.shown().into());
    serde_json::to_string(&all).unwrap_or_default()
}

fn read_set_up(body: &[u8]) -> Result<(Option<String>, String), Error> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let SetUpBody { mfa_token, label } = document::parse(body).map_err(into_validation)?;
    let mut faults = Faults::default();
    let label = label.unwrap_or_else(|| "account".to_owned());
    let label = faults.take("label", Some(label), |text| {
        let is_shown = !text.is_empty() && !text.chars().any(|one| one.is_control() || one == ':');
        let fits = is_shown && text.len() <= MAX_LABEL_BYTES;
        if fits { Ok(text) } else { Err("Expected 1 to 254 bytes without a colon".to_owned()) }
    });
    label.map(|label| (mfa_token, label)).ok_or_else(|| faults.into_error())
}

/// A form that was read.
struct Confirming {
    mfa_token: Option<String>,
    code: String,
    password: Option<String>,
}

fn read_confirm(body: &[u8]) -> Result<Confirming, Error> {
    let ConfirmBody { mfa_token, code, password } =
        document::parse(body).map_err(into_validation)?;
    let mut faults = Faults::default();
    let code = faults.take("code", code, short);
    code.map(|code| Confirming { mfa_token, code, password }).ok_or_else(|| faults.into_error())
}
