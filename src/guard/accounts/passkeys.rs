//! Passkeys of accounts: who is logged in makes them, and comes in by them later, without a name and without a password. Where the policy wants a
//! second factor of everybody, who has none makes the first one at the login.
//!
//! A login by passkey goes this way, and what costs nothing comes first: who sends it; the form; the challenge, which says itself whether
//! the gate gave it out, to this browser; the guess of the address; the passkey that its account has, or that of nobody; the signature; what
//! the row says to it; the session, and whether the passkey is still there.

use serde_json::{Value, json};

use super::{
    super::{AccountAction, Backend, SessionNote, cookies, session::random},
    AccountFlow, Accounts, Proven, check_standing,
    factors::LoggedIn,
    fault, into_validation,
    passkey_forms::{
        self as forms, AddBody, LogInBody, OptionsBody, Sent, SentProof, at_fault, label,
    },
    second_factor::ACR,
};
use crate::{
    account::{
        challenge::{self, Ceremony},
        passkey::{self, CHALLENGE_BYTES, Passkey, PasskeyFault, SignatureTask},
        passkey_step::PasskeyStep,
        passkeys::{Challenge, OwnPasskey},
        row::{AccountId, Factors, SHARDS, shard_of_account},
        second_step::{First, SecondStep},
        step::{LoginOutcome, LoginStep, Right, Shard, Work},
    },
    error::Error,
    guard::session::endpoints::Answer,
    jose::jws::{JwsStep, UntrustedToken},
    json::document,
    login::binding::Binding,
    policy::{BrowserSessions, PasskeyPolicy},
    session::record::Device,
};

/// By a key that the authenticator has, which has checked who holds it (RFC 8176): that is two factors.
const BY_PASSKEY: Proven =
    Proven { amr: &["pop", "user", "mfa"], acr: Some(ACR), methods: "passkey" };

/// The same after the password.
const BY_PASSWORD_AND_PASSKEY: Proven =
    Proven { amr: &["pwd", "pop", "user", "mfa"], methods: "password passkey", ..BY_PASSKEY };

/// The same after a link, which has no word in RFC 8176.
const BY_LINK_AND_PASSKEY: Proven = Proven { methods: "magic_link passkey", ..BY_PASSKEY };

/// The same after either.
const fn after(first: First) -> Proven {
    match first {
        First::Password => BY_PASSWORD_AND_PASSKEY,
        First::Link => BY_LINK_AND_PASSKEY,
    }
}

/// Whose key it is, in messages about keys.
const PASSKEYS: &str = "passkeys";

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// `GET /mfa/passkeys`: those of who is logged in.
    ///
    /// # Errors
    /// As [`AccountFlow::factors`]; [`Error::NotFound`] where the policy has no passkeys.
    pub async fn passkeys(&self) -> Result<Answer, Error> {
        self.passkey_policy()?;
        let LoggedIn { id, mut note, .. } = self.logged_in().await?;
        let all = self.or_keep(self.all_passkeys(&id).await, &mut note)?;
        Ok(Answer::json(200, &json!({ "passkeys": forms::listed(&all) }), note))
    }

    /// `POST /mfa/passkeys/options`: what a browser needs to have a passkey made.
    ///
    /// # Errors
    /// As [`AccountFlow::passkeys`]; [`Error::StepUp`] for a login that is too long ago, [`Error::ValidationFailed`]. For who logs in:
    /// [`Error::CrossSite`], [`Error::LoginOver`].
    pub async fn passkey_options(&self, body: &[u8]) -> Result<Answer, Error> {
        let policy = self.passkey_policy()?;
        let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
        let OptionsBody { mfa_token, name } = document::parse(body).map_err(into_validation)?;
        let name = label("name", name)?;
        let name = name.as_deref().unwrap_or(&policy.rp_name);
        if let Some(token) = mfa_token {
            return self.options_at_login(policy, &token, name).await;
        }
        let mut who = self.logged_in_now().await?;
        let options = self.or_keep(self.options_for(policy, &who, name).await, &mut who.note)?;
        Ok(Answer::json(200, &options, who.note))
    }

    async fn options_for(
        &self,
        policy: &PasskeyPolicy,
        who: &LoggedIn,
        name: &str,
    ) -> Result<Value, Error> {
        let known = self.all_passkeys(&who.id).await?;
        let challenge = self.new_challenge(of_session(who)?)?;
        Ok(forms::creation_options(policy, (&who.id, name), &challenge, &known))
    }

    /// The same for who logs in and has no second factor yet.
    async fn options_at_login(
        &self,
        policy: &PasskeyPolicy,
        token: &str,
        name: &str,
    ) -> Result<Answer, Error> {
        let login = self.logging_in(token)?;
        let id = login.state.id;
        // Of a login that is over the device would put a passkey that is worth nothing in the place of the one that counts.
        let is_still = LoginStep::Confirm(login.state, None);
        if self.apply(self.shard(&id)?, is_still).await? != LoginOutcome::Done {
            return Err(Error::LoginOver);
        }
        let (of_browser, cookie) = self.bound()?;
        let challenge = self.new_challenge(Ceremony::SetUp(&login.number, of_browser.as_ref()))?;
        let options = forms::creation_options(policy, (&id, name), &challenge, &[]);
        Ok(Answer { cookie, ..Answer::json(200, &options, SessionNote::default()) })
    }

    /// `POST /mfa/passkeys`: a passkey that was made, and recovery codes if it is the first factor beside the password. All other sessions end. Who
    /// logs in gets the session too.
    ///
    /// # Errors
    /// As [`AccountFlow::passkey_options`]; [`Error::WrongPassword`], [`Error::TooManyGuesses`].
    pub async fn add_passkey(
        &self,
        body: &[u8],
        device: impl FnOnce() -> Device,
    ) -> Result<Answer, Error> {
        let policy = self.passkey_policy()?;
        let AddBody { mfa_token, credential, label, password } =
            document::parse(body).map_err(into_validation)?;
        if let Some(token) = mfa_token {
            let browser = self.browser()?;
            let login = self.logging_in(&token)?;
            let new = AddBody::read(credential, label)?;
            return self.set_up_passkey(policy, (login, new), browser, device()).await;
        }
        let mut who = self.logged_in_now().await?;
        let added = async {
            let new = AddBody::read(credential, label)?;
            self.added(policy, &who, (new, password)).await
        };
        let added = added.await;
        let mut shown = self.or_keep(added, &mut who.note)?;
        let ended = self.sessions.end_others(&who.token, who.note).await?;
        let is_pending = ended.status == 202;
        if is_pending && let Value::Object(members) = &mut shown {
            members.insert("pending".to_owned(), true.into());
        }
        let status = if is_pending { 202 } else { 201 };
        Ok(Answer { status, body: shown.to_string(), ..ended })
    }

    async fn added(
        &self,
        policy: &PasskeyPolicy,
        who: &LoggedIn,
        ((sent, label), password): ((Sent, String), Option<String>),
    ) -> Result<Value, Error> {
        let challenge = self.checked(&sent.challenge, of_session(who)?);
        let challenge = challenge.ok_or_else(|| unusable(PasskeyFault::Challenge))?;
        let passkey = self.made(policy, &sent).await?;
        // What costs a hash comes last.
        let state = self.prove_password(&who.id, password).await?;
        let codes = self.new_codes()?;
        let mut shown = json!({ "id": passkey.id, "label": label });
        let codes_kept = codes.hashes.clone();
        let step =
            PasskeyStep::Add { state, passkey, label, challenge, codes: codes_kept, login: None };
        match self.passkey_step(&who.id, step).await? {
            LoginOutcome::Factors(Factors { totp, passkeys, .. }) => {
                self.did(AccountAction::PasskeyAdded, &who.id);
                // It is the first factor beside the password: these are for the day that it is lost.
                if !totp
                    && passkeys == 1
                    && let Value::Object(members) = &mut shown
                {
                    members.insert("recovery_codes".to_owned(), codes.shown().into());
                    self.did(AccountAction::RecoveryCodesMade, &who.id);
                }
                Ok(shown)
            }
            LoginOutcome::Exists => Err(at_fault("credential", "the account has it already")),
            LoginOutcome::Full => {
                Err(at_fault("credential", "the account has as many passkeys as it may have"))
            }
            LoginOutcome::Gone => Err(unusable(PasskeyFault::Challenge)),
            // The password was changed since it was shown.
            LoginOutcome::Wrong => Err(Error::WrongPassword),
            _ => Err(fault("a passkey was not added")),
        }
    }

    /// The first passkey of who logs in, which ends the login. It is no guess at anything, but work of the address.
    async fn set_up_passkey(
        &self,
        policy: &PasskeyPolicy,
        (login, (sent, label)): (SecondStep, (Sent, String)),
        browser: Option<&BrowserSessions>,
        device: Device,
    ) -> Result<Answer, Error> {
        let SecondStep { state, number, .. } = login;
        let of_browser = self.of_browser(browser).map_err(unusable)?;
        let challenge =
            self.checked(&sent.challenge, Ceremony::SetUp(&number, of_browser.as_ref()));
        let challenge = challenge.ok_or_else(|| unusable(PasskeyFault::Challenge))?;
        let codes = self.new_codes()?;
        let reserved = self.reserve_address(Work::Proof).await?;
        let set_up = async {
            let passkey = self.made(policy, &sent).await?;
            let (codes, login) = (codes.hashes.clone(), Some(login));
            let step = PasskeyStep::Add { state, passkey, label, challenge, codes, login };
            match self.passkey_step(&state.id, step).await? {
                LoginOutcome::Right(right) => Ok(right),
                LoginOutcome::Wrong | LoginOutcome::Gone => Err(Error::LoginOver),
                _ => Err(fault("a passkey was not set up")),
            }
        };
        let set_up = set_up.await;
        self.give_back(reserved);
        let right = set_up?;
        self.did(AccountAction::PasskeyAdded, &state.id);
        self.did(AccountAction::RecoveryCodesMade, &state.id);
        let shown = (after(login.first), &codes);
        Ok(self.in_by_first_factor((&login, &right), shown, browser, device).await)
    }

    /// A passkey as its authenticator made it, for a challenge that was checked before.
    async fn made(&self, policy: &PasskeyPolicy, sent: &Sent) -> Result<Passkey, Error> {
        let made = passkey::register(policy.party(), &sent.challenge, sent.made());
        let (passkey, own) = made.map_err(unusable)?;
        if let Some(task) = own
            && !self.holds(task).await?
        {
            return Err(unusable(PasskeyFault::Signature));
        }
        Ok(passkey)
    }

    /// `DELETE /mfa/passkeys/{id}`. All other sessions end.
    ///
    /// # Errors
    /// As [`AccountFlow::drop_totp`]; [`Error::NotFound`] for a passkey that the account does not have.
    pub async fn remove_passkey(&self, name: &str, body: &[u8]) -> Result<Answer, Error> {
        self.passkey_policy()?;
        let (LoggedIn { id, token, mut note }, state) = self.owner(body).await?;
        let removed = self.passkey_step(&id, PasskeyStep::Remove(name.to_owned(), state)).await;
        match self.or_keep(removed, &mut note)? {
            LoginOutcome::Done => {
                self.did(AccountAction::PasskeyRemoved, &id);
                self.sessions.end_others(&token, note).await
            }
            LoginOutcome::Wrong => self.or_keep(Err(Error::WrongPassword), &mut note),
            _ => self.or_keep(Err(Error::NotFound), &mut note),
        }
    }

    /// `POST /passkey/options`: what a browser needs to ask for a passkey of anybody. Nothing is stored for it.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the policy has no passkeys, [`Error::CrossSite`].
    pub fn log_in_options(&self) -> Result<Answer, Error> {
        let policy = self.passkey_policy()?;
        let (of_browser, cookie) = self.bound()?;
        let challenge = self.new_challenge(Ceremony::LogIn(of_browser.as_ref()))?;
        let options = forms::request_options(policy.party(), &challenge);
        Ok(Answer { cookie, ..Answer::json(200, &options, SessionNote::default()) })
    }

    /// `POST /passkey`: cookies for a browser, tokens for whoever is none. A passkey is both factors.
    ///
    /// # Errors
    /// [`Error::CrossSite`], [`Error::ValidationFailed`], [`Error::TooManyGuesses`], [`Error::PasskeyRefused`], [`Error::PasskeyCopied`], and
    /// with a right one [`Error::SubjectDisabled`]; those of stores and keys.
    pub async fn log_in_by_passkey(
        &self,
        body: &[u8],
        device: impl FnOnce() -> Device,
    ) -> Result<Answer, Error> {
        self.passkey_policy()?;
        let browser = self.browser()?;
        let LogInBody { credential, remember } = document::parse(body).map_err(into_validation)?;
        let sent = credential.read()?;
        let right = self.proven(&sent, browser, None).await?;
        check_standing(&right)?;
        let shard = self.shard(&sent.account)?;
        self.finish((shard, &right), (BY_PASSKEY, remember), browser, device()).await
    }

    /// The second step of a login, by a passkey of the account whose password was right.
    ///
    /// # Errors
    /// As [`AccountFlow::log_in_by_passkey`]; [`Error::LoginOver`].
    pub(super) async fn second_factor_by_passkey(
        &self,
        login: SecondStep,
        sent: &SentProof,
        browser: Option<&BrowserSessions>,
        device: Device,
    ) -> Result<Answer, Error> {
        let id = login.state.id;
        if sent.account != id {
            return Err(NO_PASSKEY);
        }
        let right = self.proven(sent, browser, Some(login)).await?;
        let of_row = (self.shard(&id)?, &right);
        self.finish(of_row, (after(login.first), login.remember), browser, device).await
    }

    /// Whose passkey it is, by a proof that holds. A name that nobody has costs the same. A wrong one is a guess of the address.
    async fn proven(
        &self,
        sent: &SentProof,
        browser: Option<&BrowserSessions>,
        login: Option<SecondStep>,
    ) -> Result<Right, Error> {
        let policy = self.passkey_policy()?;
        let of_browser = self.of_browser(browser).map_err(refused)?;
        let challenge = self.checked(&sent.challenge, Ceremony::LogIn(of_browser.as_ref()));
        let challenge = challenge.ok_or_else(|| refused(PasskeyFault::Challenge))?;
        let reserved = self.reserve_address(Work::Proof).await?;
        let find = PasskeyStep::Find(sent.id.clone());
        let found = match self.passkey_step(&sent.account, find).await? {
            LoginOutcome::Passkey(passkey) => Some(*passkey),
            LoginOutcome::Gone => None,
            _ => return Err(fault("a passkey was not looked for")),
        };
        let is_known = found.is_some();
        let passkey = found.unwrap_or_else(Passkey::of_nobody);
        let (task, seen) =
            passkey.prove(policy.party(), &sent.challenge, sent.proof()).map_err(refused)?;
        if !self.holds(task).await? || !is_known {
            return Err(NO_PASSKEY);
        }
        let used = PasskeyStep::Use { id: sent.id.clone(), seen, challenge, login };
        match self.passkey_step(&sent.account, used).await? {
            LoginOutcome::Right(right) => {
                self.give_back(reserved);
                Ok(right)
            }
            LoginOutcome::Copied => Err(Error::PasskeyCopied),
            LoginOutcome::Gone if login.is_some() => Err(Error::LoginOver),
            LoginOutcome::Wrong | LoginOutcome::Gone => Err(NO_PASSKEY),
            _ => Err(fault("a passkey was not used")),
        }
    }

    /// Whether a signature holds: Ed25519 here, all others by the host. A key that the host does not take has signed nothing.
    async fn holds(&self, task: SignatureTask) -> Result<bool, Error> {
        let SignatureTask { key, algorithm, message, signature } = task;
        let signed = UntrustedToken::detached(algorithm, &message, signature);
        match signed.verify(&key) {
            Ok(JwsStep::Verified(_)) => Ok(true),
            Ok(JwsStep::NeedsHost(check)) => {
                match self.backend.signature_holds(PASSKEYS, &check).await {
                    Err(Error::KeysUnavailable { .. }) => Ok(false),
                    verdict => verdict,
                }
            }
            Err(_) => Ok(false),
        }
    }

    // ---- what they share ----

    fn passkey_policy(&self) -> Result<&PasskeyPolicy, Error> {
        self.accounts.passkeys.as_ref().ok_or(Error::NotFound)
    }

    pub(super) async fn all_passkeys(&self, id: &AccountId) -> Result<Vec<OwnPasskey>, Error> {
        match self.passkey_step(id, PasskeyStep::List).await? {
            LoginOutcome::Passkeys(all) => Ok(all),
            LoginOutcome::Gone => Err(Error::NotFound),
            _ => Err(fault("passkeys were not listed")),
        }
    }

    /// Has the writer of the account's rows take a step. One is asked for a made-up account too.
    async fn passkey_step(&self, id: &AccountId, step: PasskeyStep) -> Result<LoginOutcome, Error> {
        let shard = shard_of_account(id).unwrap_or_else(|| {
            let [first, second, ..] = *id.as_bytes();
            u16::from_be_bytes([first, second]) % SHARDS
        });
        self.apply(Shard::Names(shard), LoginStep::Passkey(*id, step)).await
    }

    fn new_challenge(&self, ceremony: Ceremony<'_>) -> Result<[u8; CHALLENGE_BYTES], Error> {
        let random = random(self.backend.sessions())?;
        let now = self.now.to_unix_time();
        Ok(challenge::new(random, ceremony, &self.accounts.secrets, now))
    }

    fn checked(&self, given: &[u8; CHALLENGE_BYTES], ceremony: Ceremony<'_>) -> Option<Challenge> {
        challenge::check(given, ceremony, &self.accounts.secrets, self.now.to_unix_time())
    }

    /// What options are bound to: this browser, and its cookie if that is new; nothing for a program.
    fn bound(&self) -> Result<(Option<[u8; 32]>, Option<String>), Error> {
        if self.browser()?.is_none() {
            return Ok((None, None));
        }
        if let Some(known) = self.binding() {
            return Ok((Some(known.associated_data()), None));
        }
        let new = Binding::from_bytes(random(self.backend.sessions())?);
        Ok((Some(new.associated_data()), Some(new.set_cookie())))
    }

    /// The same once they are answered. A browser without the cookie has asked for none.
    fn of_browser(
        &self,
        browser: Option<&BrowserSessions>,
    ) -> Result<Option<[u8; 32]>, PasskeyFault> {
        let Some(_) = browser else { return Ok(None) };
        let binding = self.binding().ok_or(PasskeyFault::Challenge)?;
        Ok(Some(binding.associated_data()))
    }

    /// The cookie that ties logins to this browser.
    fn binding(&self) -> Option<Binding> {
        self.request.cookie.and_then(cookies::binding)
    }
}

/// Nobody learns whether there is such an account, such a passkey, or another signature.
const NO_PASSKEY: Error = Error::PasskeyRefused {
    problem: "there is no such passkey, its signature does not hold, or the challenge was used",
};

const fn refused(fault: PasskeyFault) -> Error {
    Error::PasskeyRefused { problem: fault.as_str() }
}

/// Why a new passkey is not taken. Only who may make one is told.
fn unusable(fault: PasskeyFault) -> Error {
    at_fault("credential", fault.as_str())
}

/// For whom, and for which session, a passkey is made.
fn of_session(who: &LoggedIn) -> Result<Ceremony<'_>, Error> {
    let session = who.token.claims().session_id().ok_or(Error::NotFound)?;
    Ok(Ceremony::Register(&who.id, session))
}
