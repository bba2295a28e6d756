//! The second step of a login: the password or the link was right, and nothing was opened yet.

use super::{
    super::{AccountAction, Backend, session::random},
    AccountFlow, Accounts, Faults, Proven, fault, into_validation,
    passkey_forms::{ProofBody, SentProof},
};
use crate::{
    account::{
        row::{AccountId, Factors, shard_of_account},
        second_step::{Awaited, First, LIFETIME_SECS, SecondStep},
        step::{FactorStep, LoginOutcome, LoginStep, Right, Shard, TypedCode, Work},
    },
    error::{Error, NextStep},
    guard::session::endpoints::Answer,
    json::{document, object::described},
    policy::SecondFactor,
    session::{Opaque, record::Device},
};

/// What routes ask for as `acr_values`, for sessions of two factors.
pub(super) const ACR: &str = "mfa";

/// By a code of the authenticator after the first step (RFC 8176). Links have no word there.
pub(super) const fn by_code(first: First) -> Proven {
    let (amr, methods): (&[&str], &str) = match first {
        First::Password => (&["pwd", "otp", "mfa"], "password totp"),
        First::Link => (&["otp", "mfa"], "magic_link totp"),
    };
    Proven { amr, acr: Some(ACR), methods }
}

/// By a recovery code after the first step; it has no word there either.
const fn by_recovery_code(first: First) -> Proven {
    let (amr, methods): (&[&str], &str) = match first {
        First::Password => (&["pwd", "mfa"], "password recovery_code"),
        First::Link => (&["mfa"], "magic_link recovery_code"),
    };
    Proven { amr, acr: Some(ACR), methods }
}

/// Longer than any code is with blanks and hyphens.
const MAX_CODE_BYTES: usize = 100;

described! {
    /// The second factor of a login. One of `code`, `recovery_code` and `passkey`.
    struct SecondFactorBody as SecondFactor, refused {
        /// What `MFA_REQUIRED` has given.
        mfa_token: Option<String> = None,
        /// What the authenticator shows.
        code: Option<String> = None,
        /// A recovery code.
        recovery_code: Option<String> = None,
        /// What the browser has answered to `POST /passkey/options`.
        passkey: Option<ProofBody> = None,
    }
}

/// What is shown.
enum Shown {
    Code(TypedCode),
    Passkey(SentProof),
}

#[cfg(feature = "describe")]
pub(super) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<SecondFactorBody>();
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// Refuses to go on by the first step alone where the account, or the policy, wants more.
    pub(super) fn check_second_factor(
        &self,
        right: &Right,
        (first, remember): (First, bool),
    ) -> Result<(), Error> {
        if right.factors.is_second() {
            let next = self.next_step(right, (first, remember), Awaited::Factor)?;
            return Err(Error::SecondFactorRequired { next });
        }
        if self.accounts.mfa == SecondFactor::Required {
            let next = self.next_step(right, (first, remember), Awaited::SetUp)?;
            return Err(Error::SecondFactorMissing { next });
        }
        Ok(())
    }

    fn next_step(
        &self,
        right: &Right,
        (first, remember): (First, bool),
        awaited: Awaited,
    ) -> Result<NextStep, Error> {
        let number = Opaque::from_bytes(random(self.backend.sessions())?);
        let until = self.now.to_unix_time().saturating_add(LIFETIME_SECS.into());
        let waits = SecondStep { state: right.state, number, remember, first, awaited, until };
        let methods = match awaited {
            Awaited::Factor => self.methods(right.factors),
            Awaited::SetUp => {
                let passkey = self.accounts.passkeys.as_ref().map(|_| PASSKEY);
                [TOTP].into_iter().chain(passkey).collect()
            }
        };
        let mfa_token = waits.seal(&self.accounts.secrets);
        Ok(NextStep { mfa_token, methods, expires_in: LIFETIME_SECS })
    }

    fn methods(&self, factors: Factors) -> Vec<&'static str> {
        let mut methods = Vec::new();
        if factors.totp {
            methods.push(TOTP);
        }
        if factors.recovery_codes_left > 0 {
            methods.push("recovery_code");
        }
        if factors.passkeys > 0 && self.accounts.passkeys.is_some() {
            methods.push(PASSKEY);
        }
        methods
    }

    /// `POST /mfa`: the session, as [`AccountFlow::log_in`] would have given it.
    ///
    /// # Errors
    /// [`Error::CrossSite`], [`Error::ValidationFailed`], [`Error::LoginOver`], [`Error::TooManyGuesses`], [`Error::WrongCode`]; those of stores
    /// and keys.
    pub async fn second_factor(
        &self,
        body: &[u8],
        device: impl FnOnce() -> Device,
    ) -> Result<Answer, Error> {
        let browser = self.browser()?;
        let (token, shown) = read(body)?;
        let login = self.waiting(&token, Awaited::Factor)?;
        let code = match shown {
            Shown::Code(code) => code,
            Shown::Passkey(sent) => {
                return self.second_factor_by_passkey(login, &sent, browser, device()).await;
            }
        };
        let is_recovery = matches!(code, TypedCode::Recovery(_));
        let proven = match code {
            TypedCode::Shown(_) => by_code(login.first),
            TypedCode::Recovery(_) => by_recovery_code(login.first),
        };
        let id = login.state.id;
        let outcome = self.guess_code(&id, FactorStep::Take(login, code)).await?;
        let LoginOutcome::Right(right) = outcome else {
            return Err(fault("a code has come to nothing"));
        };
        if is_recovery {
            self.did(AccountAction::RecoveryCodeUsed, &id);
        }
        let shard = self.shard(&id)?;
        self.finish((shard, &right), (proven, login.remember), browser, device()).await
    }

    /// The login that a token stands for. One that is no such token asks nobody.
    pub(super) fn waiting(&self, token: &str, awaited: Awaited) -> Result<SecondStep, Error> {
        let login = SecondStep::open(token, &self.accounts.secrets, self.now.to_unix_time());
        login.filter(|login| login.awaited == awaited).ok_or(Error::LoginOver)
    }

    /// Guesses at a code of an account: a guess of the address too, as at a password. The answer is that of a right one.
    pub(super) async fn guess_code(
        &self,
        id: &AccountId,
        step: FactorStep,
    ) -> Result<LoginOutcome, Error> {
        let key = self.accounts.secrets.key_of_codes(id);
        self.check_remembered(CODE, &key)?;
        let reserved = self.reserve_address(Work::Proof).await?;
        match self.apply(self.shard(id)?, LoginStep::Factor(step)).await? {
            LoginOutcome::Wrong => Err(Error::WrongCode),
            LoginOutcome::TooMany(until) => {
                self.give_back(reserved);
                self.remember(&key, until);
                Err(self.too_many(CODE, until))
            }
            LoginOutcome::TooManyShown(until) => {
                self.give_back(reserved);
                Err(self.too_many(AUTHENTICATOR, until))
            }
            LoginOutcome::Gone => {
                self.give_back(reserved);
                Err(Error::LoginOver)
            }
            right => {
                self.give_back(reserved);
                Ok(right)
            }
        }
    }

    pub(super) fn shard(&self, id: &AccountId) -> Result<Shard, Error> {
        shard_of_account(id).map(Shard::Names).ok_or(Error::NotFound)
    }
}

/// Whose bound it is, as [`Error::TooManyGuesses`] says it.
const CODE: &str = "code";

/// The same of codes of an authenticator in the long run. Nobody remembers it: with a new password it is over.
const AUTHENTICATOR: &str = "authenticator";

const TOTP: &str = "totp";

const PASSKEY: &str = "passkey";

fn read(body: &[u8]) -> Result<(String, Shown), Error> {
    let SecondFactorBody { mfa_token, code, recovery_code, passkey } =
        document::parse(body).map_err(into_validation)?;
    let mut faults = Faults::default();
    let token = faults.take("mfa_token", mfa_token, Ok);
    let shown = match (code, recovery_code, passkey) {
        (None, None, Some(proof)) => Some(Shown::Passkey(proof.read()?)),
        (None, Some(text), None) => faults
            .take("recovery_code", Some(text), short)
            .map(|text| Shown::Code(TypedCode::Recovery(text))),
        (code, None, None) => {
            faults.take("code", code, short).map(|text| Shown::Code(TypedCode::Shown(text)))
        }
        _ => faults.take("code", Some(String::new()), |_| {
            Err("Either this or recovery_code or passkey".to_owned())
        }),
    };
    match (token, shown) {
        (Some(token), Some(shown)) => Ok((token, shown)),
        _ => Err(faults.into_error()),
    }
}

/// A code as somebody types it, without the blanks around and within.
pub(super) fn short(text: String) -> Result<String, String> {
    if text.len() > MAX_CODE_BYTES {
        return Err("Invalid code".to_owned());
    }
    Ok(text.replace(' ', ""))
}
