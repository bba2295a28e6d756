//! Accounts: a password as a way into a session, the same on every edge that has them.
//!
//! An edge gives what [`Accounts`] asks for, reads the request, and writes the [`Answer`]. What a row of a name does is
//! [`crate::account`]'s to say. A login goes this way, and what costs nothing comes first:
//!
//! 1. Who sends it: a browser has to show a page of this site, or one of `sessions.origins`.
//! 2. The form.
//! 3. Names and addresses that this isolate knows to have no guess left.
//! 4. The guess of the address, then the hash of all together, half of which are for browsers that are known.
//! 5. The guess of the name, and the hash.
//! 6. The second factor, if the account has one: until then nothing is opened and no cookie is set.
//! 7. The session; then, whether the account is still as it was.
//!
//! | file | is |
//! |---|---|
//! | `bounds` | who may guess |
//! | `password_list` | a list of passwords that nobody may choose |
//! | `second_factor` | the second step of a login |
//! | `factors` | how who is logged in sets factors up and drops them |
//! | `own_page` | what the page of who is logged in shows |
//! | `administration` | what an administrator does with accounts |
//! | `links` | links by mail, and how many of them |
//! | `magic_link` | a login by such a link, in place of the password |
//! | `registration` | accounts that people make, or are invited to |
//! | `reset` | a new password by such a link |
//! | `passkeys`, `passkey_forms` | passkeys: making them, coming in by them; how browsers write them |

mod administration;
mod bounds;
mod factors;
mod links;
mod magic_link;
mod own_page;
mod passkey_forms;
mod passkeys;
mod password_list;
mod registration;
mod reset;
mod second_factor;

use core::{
    cell::{Cell, RefCell},
    ops::Range,
};

pub use self::{
    bounds::AccountMemory,
    own_page::{Overview, OwnFactors, Standing},
};
use super::{
    AccountAction, AccountEvent, Backend, Request, SessionNote,
    backend::unavailable,
    session::{
        endpoints::{Answer, Endpoints, may_manage},
        random,
    },
};
use crate::{
    account::{
        device::Device as Browser,
        name::LoginName,
        password::{Password, PasswordRules},
        row::{AccountId, AccountState, account_of_subject, shard_of, shard_of_account},
        second_step::First,
        step::{
            AddressReserved, ChangePassword, Guess, LoginOutcome, LoginStep, OfAddress, Right,
            Shard, Work,
        },
    },
    error::{Error, FieldFault, StoreError},
    json::{document, fault::DocumentFault, object::described},
    policy::{AccountPolicy, BrowserSessions, Policy, SessionPolicy},
    secret::Secret,
    session::{
        csrf,
        record::{Device, Opening},
    },
    time::UnixMillis,
};

/// What accounts need of an edge.
#[allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]
pub trait Accounts {
    /// What this isolate remembers of guesses.
    fn memory(&self) -> &AccountMemory;

    /// Takes a step, in the one place where the rows of this shard are.
    ///
    /// # Errors
    /// The store did not answer. The step may have been taken.
    async fn apply(&self, shard: Shard, step: LoginStep) -> Result<LoginOutcome, StoreError>;

    /// The same behind the answer.
    fn apply_later(&self, shard: Shard, step: LoginStep);

    /// Makes the writers of the first of these shards of names, and says how many of the shards have theirs then: one at least, unless there is
    /// none. An edge whose first step in a shard costs what any other does has nothing to make.
    ///
    /// # Errors
    /// The store did not answer. Some may have been made.
    async fn prepare(&self, shards: Range<u16>) -> Result<u16, StoreError> {
        Ok(shards.end.saturating_sub(shards.start))
    }

    /// A text in Unicode's form NFKC, so that each keyboard writes the same password.
    fn normalized(&self, text: String) -> String;

    /// The policy's own list of passwords that nobody may choose, as `account::common_passwords` writes it.
    ///
    /// # Errors
    /// The store did not answer, or has none.
    async fn password_list(&self) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::new("this edge keeps no list of passwords"))
    }

    /// Seals the address of a mail by this key; `beside` is bound to it. An edge that sends no mails has none.
    ///
    /// # Errors
    /// The host fails.
    async fn seal(
        &self,
        key: &Secret,
        plain: &Secret,
        beside: &[u8],
    ) -> Result<String, StoreError> {
        let (_, _, _) = (key, plain, beside);
        Err(StoreError::new("this edge sends no mails"))
    }
}

/// The accounts of a policy, for one request.
#[derive(Debug)]
pub struct AccountFlow<'a, B, A> {
    policy: &'a Policy,
    own: &'a SessionPolicy,
    accounts: &'a AccountPolicy,
    sessions: Endpoints<'a, B>,
    backend: &'a B,
    edge: &'a A,
    request: &'a Request<'a>,
    now: UnixMillis,
    /// What a refusal leaves to be done.
    left: RefCell<SessionNote>,
    /// Why no mail is sent, which whoever asked for it is not told.
    unsaid: RefCell<Option<Error>>,
    /// What has become of accounts.
    done: RefCell<Vec<AccountEvent>>,
    /// For whom the watch counts a failure.
    tried: Cell<Option<u64>>,
}

described! {
    /// Who logs in.
    struct LogInBody as LogIn, refused {
        /// The address.
        email: Option<String> = None,
        /// The password.
        password: Option<String> = None,
        /// Whether the session outlasts the browser.
        remember: bool = false,
    }
}

described! {
    /// A new password for who is logged in.
    struct PasswordBody as NewPassword, refused {
        /// The one that is to go.
        password: Option<String> = None,
        /// The new one.
        new_password: Option<String> = None,
    }
}

#[cfg(feature = "describe")]
pub(crate) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<LogInBody>();
    known.add::<PasswordBody>();
    second_factor::describe(known);
    factors::describe(known);
    administration::describe(known);
    links::describe(known);
    magic_link::describe(known);
    registration::describe(known);
    reset::describe(known);
    passkey_forms::describe(known);
}

/// How somebody has proven who it is: the words of RFC 8176, and a class that routes can ask for.
#[derive(Debug, Clone, Copy)]
struct Proven {
    amr: &'static [&'static str],
    acr: Option<&'static str>,
    /// The same for events, which have a word for each way.
    methods: &'static str,
}

/// By the password alone.
const BY_PASSWORD: Proven = Proven { amr: &["pwd"], acr: None, methods: "password" };

/// A form that was read.
struct LogIn {
    name: LoginName,
    password: Password,
    remember: bool,
}

impl<'a, B: Backend, A: Accounts> AccountFlow<'a, B, A> {
    /// Those of this policy.
    ///
    /// # Errors
    /// [`Error::NotFound`]: it has none.
    pub fn new(
        policy: &'a Policy,
        (backend, edge): (&'a B, &'a A),
        request: &'a Request<'a>,
        now: UnixMillis,
    ) -> Result<Self, Error> {
        let accounts = policy.accounts.as_ref().ok_or(Error::NotFound)?;
        let own = policy.sessions.as_ref().ok_or(Error::NotFound)?;
        let sessions = Endpoints::new(policy, backend, request, now)?;
        let (left, unsaid, tried) = (RefCell::default(), RefCell::default(), Cell::new(None));
        let done = RefCell::default();
        Ok(Self {
            policy,
            own,
            accounts,
            sessions,
            backend,
            edge,
            request,
            now,
            left,
            unsaid,
            done,
            tried,
        })
    }

    /// Why nothing was done although the answer says so. It is for the log.
    pub fn take_unsaid(&self) -> Option<Error> {
        self.unsaid.take()
    }

    /// What has become of accounts, whatever is answered in the end. It is for the log and the watch.
    pub fn take_done(&self) -> Vec<AccountEvent> {
        self.done.take()
    }

    /// Takes note of what has become of an account.
    fn did(&self, action: AccountAction, account: &AccountId) {
        let event = AccountEvent { action, methods: "", account: Some(*account) };
        self.done.borrow_mut().push(event);
    }

    /// What is left to be done after a refusal: cookies to take out, a session that was ended, events.
    pub fn take_note(&self) -> SessionNote {
        let own = self.left.take();
        if own.by_cookie { own } else { self.sessions.take_note() }
    }

    /// A number for the name that was tried, of its key: for [`Decision::tried`](super::Decision::tried).
    pub const fn tried(&self) -> Option<u64> {
        self.tried.get()
    }

    /// `POST /login`: cookies for a browser, tokens for whoever is none.
    ///
    /// # Errors
    /// [`Error::CrossSite`], [`Error::ValidationFailed`], [`Error::TooManyGuesses`], [`Error::WrongPassword`], and with the right password
    /// [`Error::SubjectDisabled`], [`Error::ResetRequired`], [`Error::SecondFactorRequired`], [`Error::SecondFactorMissing`]; those of stores and keys.
    pub async fn log_in(
        &self,
        body: &[u8],
        device: impl FnOnce() -> Device,
    ) -> Result<Answer, Error> {
        let browser = self.browser()?;
        let LogIn { name, password, remember } = self.read_log_in(body)?;
        let key = self.accounts.secrets.key_of_name(&name);
        let key = key.ok_or_else(|| fault("a name has no key"))?;
        self.tried.set(key.as_bytes().first_chunk().copied().map(u64::from_be_bytes));
        let known = self.known_browser();
        if known.is_none() {
            self.check_remembered("name", &key)?;
        }
        self.check_hashes()?;
        let reserved = self.reserve_address(Work::Hash).await?;
        if let Err(refusal) = self.take_hash_at(Some(&key)).await {
            // No guess was made.
            self.give_all_back(reserved);
            return Err(refusal);
        }
        let shard = Shard::Names(shard_of(&key));
        let password = text_of(&password);
        let guess = LoginStep::Guess(Guess { key, password, device: known });
        let right = match self.apply(shard, guess).await? {
            LoginOutcome::Right(right) => right,
            LoginOutcome::TooMany(until) => {
                // Nothing was compared. What the address may have compared bounds how often it asks.
                self.give_back(reserved);
                if known.is_none() {
                    self.remember(&key, until);
                }
                return Err(self.too_many("name", until));
            }
            LoginOutcome::Wrong => return Err(Error::WrongPassword),
            _ => return Err(fault("a guess has come to nothing")),
        };
        self.give_back(reserved);
        check_standing(&right)?;
        self.keep_address(shard, &right, &name).await;
        self.check_second_factor(&right, (First::Password, remember))?;
        self.finish((shard, &right), (BY_PASSWORD, remember), browser, device()).await
    }

    /// The session, once all is proven that the account asks for.
    async fn finish(
        &self,
        (shard, right): (Shard, &Right),
        (proven, remember): (Proven, bool),
        browser: Option<&BrowserSessions>,
        device: Device,
    ) -> Result<Answer, Error> {
        let begun = self.sessions.begin(self.opening(right, proven, remember), device).await?;
        let browser_then = self.browser_then(browser)?;
        let confirm = LoginStep::Confirm(right.state, browser_then);
        let confirmed = self.apply(shard, confirm).await;
        if confirmed != Ok(LoginOutcome::Done) {
            // The account was changed or disabled while the session was being opened: that has ended all sessions before.
            self.sessions.take_back(&begun).await?;
            return Err(confirmed.err().unwrap_or(Error::WrongPassword));
        }
        let (action, account) = (AccountAction::LoggedIn, Some(right.state.id));
        let methods = proven.methods;
        self.done.borrow_mut().push(AccountEvent { action, methods, account });
        match browser {
            None => self.sessions.answer_with_tokens(200, &begun).await,
            Some(browser) => {
                let answer = self.sessions.answer_with_cookies(&begun, browser).await?;
                Ok(Answer { cookie: browser_then.map(|own| own.set_cookie()), ..answer })
            }
        }
    }

    /// `POST /password`: a new password for who is logged in, by the old one. All other sessions end.
    ///
    /// # Errors
    /// Those of credentials; [`Error::ClientNotAllowed`] for a client's token, [`Error::NotFound`] for a session that is of no account; then
    /// as [`AccountFlow::log_in`].
    pub async fn change_password(&self, body: &[u8]) -> Result<Answer, Error> {
        let mut note = SessionNote::default();
        let token = self.sessions.mine(&mut note).await?;
        let changed = match may_manage(&token) {
            Ok(()) => self.changed(token.subject().unwrap_or_default(), body).await,
            Err(error) => Err(error),
        };
        if let Err(error) = changed {
            // Cookies that were renewed are renewed.
            self.left.replace(note);
            return Err(error);
        }
        self.sessions.end_others(&token, note).await
    }

    async fn changed(&self, subject: &str, body: &[u8]) -> Result<(), Error> {
        let id = account_of_subject(subject).ok_or(Error::NotFound)?;
        let shard = shard_of_account(&id).map(Shard::Names).ok_or(Error::NotFound)?;
        let (password, new_password) = self.read_passwords(body)?;
        let device = self.known_browser();
        let step = ChangePassword {
            id,
            password: text_of(&password),
            new_password: text_of(&new_password),
            device,
        };
        let step = LoginStep::ChangePassword(step);
        let _ = self.own_password((shard, step), Some(&new_password)).await?;
        self.did(AccountAction::PasswordChanged, &id);
        Ok(())
    }

    /// A step of who is logged in that has the password of the account: a guess as any other. What the account was like then, if the step says it.
    async fn own_password(
        &self,
        (shard, step): (Shard, LoginStep),
        new_password: Option<&Password>,
    ) -> Result<Option<AccountState>, Error> {
        self.check_hashes()?;
        let reserved = self.reserve_address(Work::Hash).await?;
        let refused = match (self.take_hash_at(None).await, new_password) {
            (Ok(()), Some(new)) => self.check_list("new_password", new).await.err(),
            (taken, _) => taken.err(),
        };
        if let Some(refusal) = refused {
            // No guess was made.
            self.give_all_back(reserved);
            return Err(refusal);
        }
        match self.apply(shard, step).await? {
            LoginOutcome::Done => {
                self.give_back(reserved);
                Ok(None)
            }
            LoginOutcome::Right(right) => {
                check_standing(&right)?;
                self.give_back(reserved);
                Ok(Some(right.state))
            }
            LoginOutcome::Wrong => Err(Error::WrongPassword),
            LoginOutcome::TooMany(until) => {
                self.give_back(reserved);
                Err(self.too_many("name", until))
            }
            LoginOutcome::Gone => Err(Error::NotFound),
            _ => Err(fault("a password has come to nothing")),
        }
    }

    /// Whether it is a browser that gets cookies. A browser says which page sends the request, and a page of another site has nothing to ask here,
    /// whether the policy has cookies or not: it would use up the guesses and mails of its visitors' address, or log them in as somebody else
    /// and see what they do.
    fn browser(&self) -> Result<Option<&'a BrowserSessions>, Error> {
        let provenance = &self.request.provenance;
        if provenance.fetch_site.is_none() && provenance.origin.is_none() {
            return Ok(None);
        }
        let browser = self.own.browser.as_ref();
        let listed = browser.map_or(&[][..], |browser| &browser.origins);
        let own = csrf::own_origin(self.policy.origin.as_deref(), self.request.url);
        csrf::check_always(provenance, own, listed)?;
        Ok(browser)
    }

    fn opening(&self, right: &Right, proven: Proven, remember: bool) -> Opening {
        let mut all = self.accounts.scopes.clone();
        let own = right.scopes.iter();
        all.extend(own.filter(|scope| !self.accounts.scopes.contains(scope)).cloned());
        Opening {
            sub: format!("{}{}", crate::account::row::SUBJECT_PREFIX, right.state.id),
            scopes: all,
            amr: proven.amr.iter().map(|word| (*word).to_owned()).collect(),
            acr: proven.acr.map(str::to_owned),
            auth_time: Some(self.now.to_unix_time()),
            remember,
            ..Opening::default()
        }
    }

    /// The browser that is known from now on: the one that is, or a new one. What is none has none.
    fn browser_then(&self, browser: Option<&BrowserSessions>) -> Result<Option<Browser>, Error> {
        match (browser, self.known_browser()) {
            (None, _) => Ok(None),
            (Some(_), Some(known)) => Ok(Some(known)),
            (Some(_), None) => {
                let random = random(self.backend.sessions())?;
                Ok(Some(Browser::new(random, &self.accounts.secrets)))
            }
        }
    }

    async fn apply(&self, shard: Shard, step: LoginStep) -> Result<LoginOutcome, Error> {
        let outcome = self.edge.apply(shard, step).await;
        outcome.map_err(|fault| unavailable("accounts", &fault))
    }

    /// Gives a guess back: it was right, or nothing was compared.
    fn give_back(&self, (shard, of, reserved): (Shard, OfAddress, AddressReserved)) {
        self.give_all_back((shard, of, reserved.of_guess()));
    }

    /// The same with the hash: none was computed.
    fn give_all_back(&self, (shard, of, reserved): (Shard, OfAddress, AddressReserved)) {
        self.edge.apply_later(shard, LoginStep::GiveBack(of, reserved));
    }

    // ---- forms ----

    fn read_log_in(&self, body: &[u8]) -> Result<LogIn, Error> {
        let LogInBody { email, password, remember } =
            document::parse(body).map_err(into_validation)?;
        let mut faults = Faults::default();
        let name = faults.take("email", email, |text| {
            LoginName::parse(text.trim()).ok_or_else(|| "Invalid email".to_owned())
        });
        let password = faults.take("password", password, |text| self.password(text));
        match (name, password) {
            (Some(name), Some(password)) => Ok(LogIn { name, password, remember }),
            _ => Err(faults.into_error()),
        }
    }

    fn read_passwords(&self, body: &[u8]) -> Result<(Password, Password), Error> {
        let PasswordBody { password, new_password } =
            document::parse(body).map_err(into_validation)?;
        let mut faults = Faults::default();
        let password = faults.take("password", password, |text| self.password(text));
        let new_password =
            faults.take("new_password", new_password, |text| self.new_password(text, None));
        match (password, new_password) {
            (Some(password), Some(new_password)) => Ok((password, new_password)),
            _ => Err(faults.into_error()),
        }
    }

    /// A password as somebody has it. One that is shorter than any is not asked about.
    fn password(&self, text: String) -> Result<Password, String> {
        let password = self.normal(text)?;
        let least = self.accounts.shortest_password;
        if characters(&password) < least {
            return Err(format!("Password must be at least {least} characters"));
        }
        Ok(password)
    }

    /// One that somebody is to have from now on. The policy's own list is asked later ([`AccountFlow::check_list`]).
    fn new_password(&self, text: String, name: Option<&LoginName>) -> Result<Password, String> {
        let password = self.normal(text)?;
        let words = &self.accounts.password_words;
        let rules = PasswordRules { least: 0, words, common: self.edge.memory().common() };
        match password.weakness(name, rules) {
            Some(weakness) => Err(weakness.message()),
            None => Ok(password),
        }
    }

    fn normal(&self, text: String) -> Result<Password, String> {
        // Before it is brought to its form, which takes time.
        if text.len() > crate::account::password::MAX_BYTES {
            return Err(TOO_LONG.to_owned());
        }
        Password::new(self.edge.normalized(text)).map_err(|_| TOO_LONG.to_owned())
    }
}

const TOO_LONG: &str = "Password must have 1 to 1024 bytes";

fn characters(password: &Password) -> usize {
    core::str::from_utf8(password.expose_secret()).map_or(0, |text| text.chars().count())
}

fn text_of(password: &Password) -> String {
    String::from_utf8_lossy(password.expose_secret()).into_owned()
}

fn fault(problem: &str) -> Error {
    Error::StoreUnavailable { store: "accounts", problem: problem.to_owned() }
}

/// What is wrong with a form, all of it.
#[derive(Default)]
struct Faults(Vec<FieldFault>);

impl Faults {
    /// The field as it has to be; `None`: it is not, and that is noted.
    fn take<T>(
        &mut self,
        field: &str,
        text: Option<String>,
        read: impl FnOnce(String) -> Result<T, String>,
    ) -> Option<T> {
        let read = text.ok_or_else(|| "Required".to_owned()).and_then(read);
        read.map_err(|message| self.0.push(FieldFault { field: field.to_owned(), message })).ok()
    }

    fn into_error(self) -> Error {
        Error::ValidationFailed { details: self.0 }
    }
}

fn into_validation(fault: DocumentFault) -> Error {
    match fault.into_invalid_field() {
        Error::InvalidField { path: field, problem: message } => {
            Error::ValidationFailed { details: vec![FieldFault { field, message }] }
        }
        other => other,
    }
}

/// Whether somebody who has proven that the account is theirs may use it.
///
/// # Errors
/// [`Error::ResetRequired`], [`Error::SubjectDisabled`].
fn check_standing(right: &Right) -> Result<(), Error> {
    match right {
        Right { disabled: false, .. } => Ok(()),
        Right { reset_required: true, .. } => Err(Error::ResetRequired),
        Right { .. } => Err(Error::SubjectDisabled),
    }
}
