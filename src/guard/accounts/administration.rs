//! What an administrator does with accounts. The edge has checked who asks.
//!
//! Whatever changes of an account ends all its sessions: none goes on with what it was opened with.

use serde::Serialize;

use super::{
    super::{
        AccountAction, Backend,
        backend::unavailable,
        session::{
            endpoints::{Answer, check_scopes},
            random,
        },
    },
    AccountFlow, Accounts, SessionNote, fault, text_of,
};
use crate::{
    account::{
        name::LoginName,
        row::{AccountId, RowKey, SHARDS, new_account_id, shard_of, shard_of_account},
        step::{Change, Create, LoginOutcome, LoginStep, NewPassword, Shard, ShownAccount},
    },
    error::Error,
    json::{document, fault::DocumentFault, object::described},
};

described! {
    /// An account.
    struct CreateBody as NewAccount, refused {
        /// Its address.
        email: String,
        /// Its password. Either this or `password_hash`.
        password: Option<String> = None,
        /// A hash of its password, of a form of docs/accounts.md, and of a kind in `accounts.imports`.
        password_hash: Option<String> = None,
        /// The scopes of its sessions, beside those of all accounts.
        scopes: Vec<String> = Vec::new(),
        /// Whether the address is known to be its owner's.
        verified: bool = false,
    }
}

described! {
    /// Whose account.
    struct FindBody as FindAccount, refused {
        /// The address.
        email: String,
    }
}

described! {
    /// What changes. All sessions of the account end.
    struct ChangeBody as AccountChange, refused {
        /// Whether nobody may log in to it.
        disabled: Option<bool> = None,
        /// Its new password. Either this or `password_hash`.
        password: Option<String> = None,
        /// A hash of it.
        password_hash: Option<String> = None,
        /// Its new scopes.
        scopes: Option<Vec<String>> = None,
        /// `true`: its authenticator, recovery codes and passkeys are taken out.
        drop_factors: bool = false,
        /// `true`: nobody logs in until its owner has set a new password by a link. Needs `accounts.mail`.
        require_reset: bool = false,
    }
}

described! {
    /// Which of the objects that keep names are made.
    struct PrepareBody as PrepareAccounts, refused {
        /// The first one: `next` of the answer before.
        #[facts(maximum = LAST_SHARD)]
        from: u16 = 0,
    }
}

const LAST_SHARD: u16 = SHARDS - 1;

#[cfg(feature = "describe")]
pub(super) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<CreateBody>();
    known.add::<FindBody>();
    known.add::<ChangeBody>();
    known.add::<PrepareBody>();
}

/// What [`AccountFlow::prepare`] has done.
#[derive(Serialize)]
struct Prepared {
    prepared: u16,
    /// Where to go on; `null`: all are done.
    next: Option<u16>,
    of: u16,
}

#[derive(Serialize)]
struct AccountBody<'a> {
    #[serde(flatten)]
    account: &'a ShownAccount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<bool>,
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// `POST /admin/accounts`.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::StoreUnavailable`].
    pub async fn create(&self, body: &[u8]) -> Result<Answer, Error> {
        let CreateBody { email, password, password_hash, scopes, verified } =
            document::parse(body).map_err(DocumentFault::into_invalid_field)?;
        let name = name(&email)?;
        check_scopes(&scopes)?;
        let password = self.given((password, password_hash), Some(&name)).await?;
        let password = password.ok_or_else(|| {
            Error::invalid_field("password", "expected exactly one of password, password_hash")
        })?;
        let key = self.key(&name)?;
        let shard = shard_of(&key);
        let id = new_account_id(shard, random(self.backend.sessions())?);
        let address = self.address_to_keep(&key, &name).await?;
        let create = Create { key, id, password, scopes, is_verified: verified, address };
        match self.apply(Shard::Names(shard), LoginStep::Create(create)).await? {
            LoginOutcome::Shown(account) => {
                self.did(AccountAction::Created, &account.id);
                Ok(shown(201, &account, true))
            }
            LoginOutcome::Exists => Err(Error::invalid_field("email", "has an account already")),
            LoginOutcome::BadHash => Err(bad_hash()),
            _ => Err(fault("an account was not made")),
        }
    }

    /// `POST /admin/accounts/find`. An address is in no URL: those are in the logs of whoever carries the request.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::NotFound`], [`Error::StoreUnavailable`].
    pub async fn find(&self, body: &[u8]) -> Result<Answer, Error> {
        let FindBody { email } =
            document::parse(body).map_err(DocumentFault::into_invalid_field)?;
        self.find_by(&email).await
    }

    /// The same by the address.
    ///
    /// # Errors
    /// As [`AccountFlow::find`].
    pub async fn find_by(&self, email: &str) -> Result<Answer, Error> {
        let key = self.key(&name(email)?)?;
        let shard = Shard::Names(shard_of(&key));
        self.shown_by(shard, LoginStep::Find(key)).await
    }

    /// `GET /admin/accounts/{id}`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::StoreUnavailable`].
    pub async fn show(&self, id: &str) -> Result<Answer, Error> {
        let (id, shard) = account(id)?;
        self.shown_by(shard, LoginStep::Show(id)).await
    }

    /// `PATCH /admin/accounts/{id}`.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::NotFound`], [`Error::StoreUnavailable`].
    pub async fn change(&self, id: &str, body: &[u8]) -> Result<Answer, Error> {
        let (id, shard) = account(id)?;
        let ChangeBody { disabled, password, password_hash, scopes, drop_factors, require_reset } =
            document::parse(body).map_err(DocumentFault::into_invalid_field)?;
        if let Some(scopes) = &scopes {
            check_scopes(scopes)?;
        }
        let password = self.given((password, password_hash), None).await?;
        let is_nothing = disabled.is_none() && password.is_none() && scopes.is_none();
        if is_nothing && !drop_factors && !require_reset {
            return Err(Error::invalid_field("", "expected something to change"));
        }
        if require_reset && self.accounts.mail.is_none() {
            return Err(refused_reset("needs accounts.mail: a link leads to the new password"));
        }
        if require_reset && (password.is_some() || disabled == Some(true)) {
            return Err(refused_reset("expected neither a password nor disabled = true beside it"));
        }
        let all = [
            (password.is_some(), AccountAction::PasswordSet),
            (scopes.is_some(), AccountAction::ScopesChanged),
            (drop_factors, AccountAction::FactorsRemoved),
            (require_reset, AccountAction::ResetRequired),
            (disabled == Some(true), AccountAction::Disabled),
            (disabled == Some(false), AccountAction::Enabled),
        ];
        let change = Change { id, disabled, password, scopes, drop_factors, require_reset };
        let account = match self.apply(shard, LoginStep::Change(change)).await? {
            LoginOutcome::Shown(account) => account,
            LoginOutcome::Gone => return Err(Error::NotFound),
            LoginOutcome::BadHash => return Err(bad_hash()),
            LoginOutcome::Wrong => {
                return Err(refused_reset("it is disabled, expected disabled = false beside it"));
            }
            _ => return Err(fault("an account was not changed")),
        };
        for (_, action) in all.into_iter().filter(|(is_asked, _)| *is_asked) {
            self.did(action, &id);
        }
        // Sessions after the row: a login that has begun before finds that the row has changed.
        let subject = account.subject.as_str();
        let (known, note) = match disabled {
            Some(true) => (self.sessions.disable_subject(subject).await?, SessionNote::default()),
            _ => {
                let ended = self.sessions.end_all_surely(subject).await?;
                (ended.status == 200, ended.note)
            }
        };
        if disabled == Some(false) {
            self.sessions.enable_subject(subject).await?;
        }
        Ok(Answer { note, ..shown(if known { 200 } else { 202 }, &account, known) })
    }

    /// `DELETE /admin/accounts/{id}`: the account, and all of its subject's sessions. One that is gone already is asked for again as long as its
    /// sessions may be there.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::StoreUnavailable`].
    pub async fn delete(&self, id: &str) -> Result<Answer, Error> {
        let (id, shard) = account(id)?;
        let outcome = self.apply(shard, LoginStep::Delete(id)).await?;
        if outcome == LoginOutcome::Done {
            self.did(AccountAction::Deleted, &id);
        }
        let subject = format!("{}{id}", crate::account::row::SUBJECT_PREFIX);
        let answer = self.sessions.forget(&subject).await?;
        match outcome {
            LoginOutcome::Done => Ok(answer),
            _ => Err(Error::NotFound),
        }
    }

    /// `POST /admin/accounts/prepare`: makes the writers of the next shards of names, as many as one request may. A writer that the first guess
    /// at a name would make says by its time that no name of its shard was ever used, so that there is no account with it. Those of addresses
    /// say nothing of a name.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::StoreUnavailable`].
    pub async fn prepare(&self, body: &[u8]) -> Result<Answer, Error> {
        let PrepareBody { from } =
            document::parse(body).map_err(DocumentFault::into_invalid_field)?;
        if from > LAST_SHARD {
            return Err(Error::invalid_field("from", &format!("expected 0 to {LAST_SHARD}")));
        }
        let prepared = self.edge.prepare(from..SHARDS).await;
        let prepared = prepared.map_err(|fault| unavailable("accounts", &fault))?;
        let next = Some(from.saturating_add(prepared)).filter(|next| *next < SHARDS);
        let body = Prepared { prepared, next, of: SHARDS };
        Ok(Answer::json(200, &body, SessionNote::default()))
    }

    async fn shown_by(&self, shard: Shard, step: LoginStep) -> Result<Answer, Error> {
        match self.apply(shard, step).await? {
            LoginOutcome::Shown(account) => Ok(shown(200, &account, true)),
            _ => Err(Error::NotFound),
        }
    }

    pub(super) fn key(&self, name: &LoginName) -> Result<RowKey, Error> {
        self.accounts.secrets.key_of_name(name).ok_or_else(|| fault("a name has no key"))
    }

    /// The password that a body has, in one of two forms.
    async fn given(
        &self,
        (typed, hashed): (Option<String>, Option<String>),
        name: Option<&LoginName>,
    ) -> Result<Option<NewPassword>, Error> {
        match (typed, hashed) {
            (None, None) => Ok(None),
            (Some(typed), None) => {
                let password = self.new_password(typed, name);
                let password =
                    password.map_err(|problem| Error::invalid_field("password", &problem))?;
                self.check_list("password", &password).await.map_err(one_field)?;
                Ok(Some(NewPassword::Typed(text_of(&password))))
            }
            (None, Some(hashed)) => Ok(Some(NewPassword::Hashed(hashed))),
            (Some(_), Some(_)) => Err(Error::invalid_field(
                "password",
                "expected exactly one of password, password_hash",
            )),
        }
    }
}

pub(super) fn name(email: &str) -> Result<LoginName, Error> {
    let name = LoginName::parse(email);
    name.ok_or_else(|| Error::invalid_field("email", "expected an address like ada@example.com"))
}

fn account(id: &str) -> Result<(AccountId, Shard), Error> {
    let id = AccountId::parse(id).ok_or(Error::NotFound)?;
    Ok((id, shard_of_account(&id).map(Shard::Names).ok_or(Error::NotFound)?))
}

/// As administration says it.
fn one_field(error: Error) -> Error {
    match error {
        Error::ValidationFailed { details } => details
            .first()
            .map_or(Error::NotFound, |fault| Error::invalid_field(&fault.field, &fault.message)),
        other => other,
    }
}

fn refused_reset(problem: &str) -> Error {
    Error::invalid_field("require_reset", problem)
}

fn bad_hash() -> Error {
    let problem =
        "expected a hash of a form of docs/accounts.md, and of a kind in accounts.imports";
    Error::invalid_field("password_hash", problem)
}

pub(super) fn shown(status: u16, account: &ShownAccount, known: bool) -> Answer {
    let body = AccountBody { account, pending: (!known).then_some(true) };
    Answer::json(status, &body, SessionNote::default())
}
