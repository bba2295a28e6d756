//! What happens to the factors of an account beside its password.

use super::{NAME, ShardState, Terms};
use crate::{
    account::{
        recovery::CodeHash,
        row::{Account, Code, CodeFault, NameRow, RowKey},
        second_step::SecondStep,
        step::{FactorStep, LoginOutcome, Owner, Right, TypedCode},
    },
    time::UnixMillis,
};

impl ShardState {
    pub(super) fn factor_step(
        &mut self,
        step: FactorStep,
        terms: Terms<'_>,
        now: UnixMillis,
    ) -> LoginOutcome {
        match step {
            FactorStep::Show(id) => {
                let row = self.key_of(&id).and_then(|key| self.names.get(&key));
                let account = row.and_then(|row| row.account.as_ref());
                account
                    .map_or(LoginOutcome::Gone, |account| LoginOutcome::Factors(account.factors()))
            }
            FactorStep::Take(login, code) => self.take_factor(&login, &code, terms, now),
            FactorStep::SetUp(owner, salt) => self.of_owner(&owner, |account| {
                account.set_up(salt, now.to_unix_time());
                true
            }),
            FactorStep::Confirm(owner, code, hashes) => {
                self.confirm(&owner, &code, hashes, terms, now)
            }
            FactorStep::DropAuthenticator(state) => {
                self.of_owner(&Owner::Proven(state), |account| {
                    let has_one = account.factors().totp;
                    if has_one {
                        account.drop_authenticator();
                    }
                    has_one
                })
            }
            FactorStep::NewRecoveryCodes(state, hashes) => {
                self.of_owner(&Owner::Proven(state), |account| {
                    let is_asked = account.factors().is_second();
                    if is_asked {
                        account.set_recovery(hashes);
                    }
                    is_asked
                })
            }
        }
    }

    /// The second factor of a login. A login that is over is no guess at the code.
    fn take_factor(
        &mut self,
        login: &SecondStep,
        code: &TypedCode,
        terms: Terms<'_>,
        now: UnixMillis,
    ) -> LoginOutcome {
        let Some((key, row)) = self.waiting(login) else { return LoginOutcome::Gone };
        let code = match code {
            TypedCode::Shown(text) => Code::Shown(text),
            TypedCode::Recovery(text) => Code::Recovery(text),
        };
        let taken = row.take_code(code, terms.authenticators, terms.bound, now);
        let outcome = settled(row, taken, login, now);
        self.note(NAME, &key);
        outcome
    }

    /// The first code of an authenticator. Whoever sets it up while logging in is logged in by it.
    fn confirm(
        &mut self,
        owner: &Owner,
        code: &str,
        hashes: Vec<CodeHash>,
        terms: Terms<'_>,
        now: UnixMillis,
    ) -> LoginOutcome {
        let Some((key, row)) = self.owned(owner) else { return not_owned(owner) };
        let at = (terms.bound, now);
        let taken = row.confirm_authenticator(code, hashes, terms.authenticators, at);
        let outcome = match (owner, taken) {
            (Owner::Login(login), taken) => settled(row, taken, login, now),
            (Owner::Session(_) | Owner::Proven(_), Ok(())) => LoginOutcome::Done,
            (Owner::Session(_) | Owner::Proven(_), Err(fault)) => refused(fault),
        };
        self.note(NAME, &key);
        outcome
    }

    /// Changes the account of who asks. [`LoginOutcome::Gone`] also where there was nothing to change.
    fn of_owner(
        &mut self,
        owner: &Owner,
        change: impl FnOnce(&mut Account) -> bool,
    ) -> LoginOutcome {
        let Some((key, row)) = self.owned(owner) else { return not_owned(owner) };
        let done = row.account.as_mut().is_some_and(change);
        self.note(NAME, &key);
        if done { LoginOutcome::Done } else { LoginOutcome::Gone }
    }

    /// The row of whoever may set up a factor. By a password alone that is nobody who has a second factor already.
    fn owned(&mut self, owner: &Owner) -> Option<(RowKey, &mut NameRow)> {
        match owner {
            Owner::Session(id) => {
                let key = self.key_of(id)?;
                let row = self.names.get_mut(&key)?;
                let is_active = row.account.as_ref().is_some_and(Account::is_active);
                is_active.then_some((key, row))
            }
            Owner::Proven(state) => {
                let key = self.key_of(&state.id)?;
                let row = self.names.get_mut(&key)?;
                let is_still = row.account.as_ref().is_some_and(|account| account.is_still(state));
                is_still.then_some((key, row))
            }
            Owner::Login(login) => {
                let (key, row) = self.waiting(login)?;
                let has_second = row.account.as_ref()?.factors().is_second();
                (!has_second).then_some((key, row))
            }
        }
    }

    /// The row of a login that waits, if its account is still as it was and the login has not ended.
    fn waiting(&mut self, login: &SecondStep) -> Option<(RowKey, &mut NameRow)> {
        let key = self.key_of(&login.state.id)?;
        let row = self.names.get_mut(&key)?;
        let account = row.account.as_ref()?;
        let waits = account.is_still(&login.state) && !account.has_ended(&login.number);
        waits.then_some((key, row))
    }
}

/// What is answered to who may not: a password that was shown, and is not that of the account any more, was wrong.
const fn not_owned(owner: &Owner) -> LoginOutcome {
    match owner {
        Owner::Proven(_) => LoginOutcome::Wrong,
        Owner::Session(_) | Owner::Login(_) => LoginOutcome::Gone,
    }
}

/// What a code has come to. With the right one the login has ended.
fn settled(
    row: &mut NameRow,
    taken: Result<(), CodeFault>,
    login: &SecondStep,
    now: UnixMillis,
) -> LoginOutcome {
    match (taken, row.account.as_mut()) {
        (Ok(()), Some(account)) => {
            account.end_login(login.number, login.until, now.to_unix_time());
            LoginOutcome::Right(Right::of(account))
        }
        (Ok(()), None) => LoginOutcome::Gone,
        (Err(fault), _) => refused(fault),
    }
}

const fn refused(fault: CodeFault) -> LoginOutcome {
    match fault {
        CodeFault::TooMany(until) => LoginOutcome::TooMany(until),
        CodeFault::TooManyShown(until) => LoginOutcome::TooManyShown(until),
        CodeFault::Wrong => LoginOutcome::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::{
            attempts::DEFAULT_BOUND,
            authenticator::Salt,
            hash::Cost,
            recovery,
            row::{AccountId, AccountState, Standing, new_account_id},
            second_step::{Awaited, First, LIFETIME_SECS},
            secrets::AccountSecrets,
            step::{Change, LoginStep},
            totp,
        },
        secret::Secret,
        session::Opaque,
    };

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

    struct Writer {
        state: ShardState,
        secrets: AccountSecrets,
        id: AccountId,
    }

    impl Writer {
        fn new() -> Self {
            let secrets = AccountSecrets::new(vec![(1, Secret::new(vec![1; 32]))]).unwrap();
            let id = new_account_id(7, [5; 14]);
            let account = Account::new(id, Standing::Active, Vec::new(), NOW.to_unix_time());
            let mut row = NameRow::default();
            row.account = Some(account);
            let mut state = ShardState::default();
            state.names.insert(RowKey::from_bytes([1; 32]), row);
            Self { state, secrets, id }
        }

        /// One with an authenticator and a recovery code, which have shown nothing but the first code.
        fn with_factors() -> Self {
            let mut writer = Self::new();
            assert_eq!(writer.set_up(Owner::Session(writer.id), 0), LoginOutcome::Done);
            let owner = Owner::Proven(writer.account());
            let code = writer.shown(0);
            let hashes = vec![recovery::hash_of(&recovery::text_of(&[9; 15])).unwrap()];
            let step = FactorStep::Confirm(owner, code, hashes);
            assert_eq!(writer.factor(step, 0), LoginOutcome::Done);
            writer
        }

        fn step(&mut self, step: LoginStep, secs: u64) -> LoginOutcome {
            let terms = Terms {
                bound: DEFAULT_BOUND,
                cost: CHEAP,
                peppers: self.secrets.peppers(),
                authenticators: self.secrets.authenticators(),
                imports: &[],
            };
            let step = LoginStep::from_text(&step.to_text()).unwrap();
            let at = ([0; 16], NOW.saturating_add(secs * 1000));
            let outcome = self.state.apply(step, terms, at, &mut |_| Ok(())).unwrap();
            LoginOutcome::from_text(&outcome.to_text()).unwrap()
        }

        fn factor(&mut self, step: FactorStep, secs: u64) -> LoginOutcome {
            self.step(LoginStep::Factor(step), secs)
        }

        fn set_up(&mut self, owner: Owner, secs: u64) -> LoginOutcome {
            self.factor(FactorStep::SetUp(owner, Salt::from_bytes([8; 16])), secs)
        }

        /// What the authenticator shows.
        fn shown(&self, secs: u64) -> String {
            let salt = Salt::from_bytes([8; 16]);
            let secret = self.secrets.authenticators().secret(&self.id, &salt);
            totp::shown(&secret, NOW.to_unix_time().saturating_add(secs))
        }

        /// As it is.
        fn account(&self) -> AccountState {
            let row = self.state.names.values().next().unwrap();
            row.account.as_ref().unwrap().state()
        }

        fn login(&self, number: u8, awaited: Awaited) -> SecondStep {
            SecondStep {
                state: self.account(),
                number: Opaque::from_bytes([number; 16]),
                remember: false,
                first: First::Password,
                awaited,
                until: NOW.to_unix_time().saturating_add(LIFETIME_SECS.into()),
            }
        }

        fn take(&mut self, login: SecondStep, code: &str, secs: u64) -> LoginOutcome {
            self.factor(FactorStep::Take(login, TypedCode::Shown(code.to_owned())), secs)
        }

        fn take_recovery(&mut self, login: SecondStep) -> LoginOutcome {
            let code = TypedCode::Recovery(recovery::text_of(&[9; 15]).to_string());
            self.factor(FactorStep::Take(login, code), 30)
        }
    }

    const fn is_right(outcome: &LoginOutcome) -> bool {
        matches!(outcome, LoginOutcome::Right(_))
    }

    #[test]
    fn of_a_hundred_with_one_code_one_logs_in() {
        let mut writer = Writer::with_factors();
        let code = writer.shown(30);
        let mut outcomes = Vec::new();
        for number in 0..100 {
            let login = writer.login(number, Awaited::Factor);
            outcomes.push(writer.take(login, &code, 30));
        }
        assert_eq!(outcomes.iter().filter(|one| is_right(one)).count(), 1);
        assert_eq!(outcomes.iter().filter(|one| **one == LoginOutcome::Wrong).count(), 5);
    }

    #[test]
    fn a_login_ends_once_and_is_no_guess_once_it_has() {
        let mut writer = Writer::with_factors();
        let login = writer.login(1, Awaited::Factor);
        let code = writer.shown(30);
        assert!(is_right(&writer.take(login, &code, 30)));
        for _ in 0..20 {
            let code = writer.shown(60);
            assert_eq!(writer.take(login, &code, 60), LoginOutcome::Gone);
            assert_eq!(writer.take_recovery(login), LoginOutcome::Gone);
        }
        // Another one goes on all the while.
        let other = writer.login(2, Awaited::Factor);
        assert!(is_right(&writer.take_recovery(other)));
        assert_eq!(writer.take_recovery(writer.login(3, Awaited::Factor)), LoginOutcome::Wrong);
    }

    #[test]
    fn five_codes_of_all_kinds_are_compared_whoever_sends_them() {
        let mut writer = Writer::with_factors();
        let mut wrong = 0;
        for number in 0..200 {
            let login = writer.login(number, Awaited::Factor);
            wrong += u32::from(writer.take(login, "000000x", 30) == LoginOutcome::Wrong);
        }
        assert_eq!(wrong, 5);
        let (login, code) = (writer.login(201, Awaited::Factor), writer.shown(30));
        assert!(matches!(writer.take(login, &code, 30), LoginOutcome::TooMany(_)));
        assert!(matches!(writer.take_recovery(login), LoginOutcome::TooMany(_)));
    }

    #[test]
    fn a_login_that_has_begun_before_the_account_changed_comes_to_nothing() {
        type Done = Box<dyn Fn(&mut Writer)>;
        let mut changes: Vec<Done> = vec![
            Box::new(|writer| {
                let _ = writer.factor(FactorStep::DropAuthenticator(writer.account()), 30);
            }),
            Box::new(|writer| {
                let codes = FactorStep::NewRecoveryCodes(writer.account(), Vec::new());
                let _ = writer.factor(codes, 30);
            }),
        ];
        for (disabled, drop_factors) in [(Some(true), false), (None, true)] {
            changes.push(Box::new(move |writer| {
                let (id, password, scopes) = (writer.id, None, None);
                let require_reset = false;
                let change = Change { id, disabled, password, scopes, drop_factors, require_reset };
                let _ = writer.step(LoginStep::Change(change), 30);
            }));
        }
        // Scopes that are taken away are taken away of it, too; and who is enabled again logs in again.
        changes.push(Box::new(|writer| {
            let (id, scopes) = (writer.id, Some(Vec::new()));
            let (password, drop_factors, require_reset) = (None, false, false);
            let change =
                Change { id, disabled: None, password, scopes, drop_factors, require_reset };
            let _ = writer.step(LoginStep::Change(change), 30);
        }));
        changes.push(Box::new(|writer| {
            for disabled in [Some(true), Some(false)] {
                let (id, password, scopes) = (writer.id, None, None);
                let (drop_factors, require_reset) = (false, false);
                let change = Change { id, disabled, password, scopes, drop_factors, require_reset };
                let _ = writer.step(LoginStep::Change(change), 30);
            }
        }));
        for change in changes {
            let mut writer = Writer::with_factors();
            let login = writer.login(1, Awaited::Factor);
            let code = writer.shown(30);
            change(&mut writer);
            assert_eq!(writer.take(login, &code, 30), LoginOutcome::Gone);
            let confirm = LoginStep::Confirm(login.state, None);
            assert_eq!(writer.step(confirm, 30), LoginOutcome::Gone);
        }
    }

    #[test]
    fn a_password_alone_sets_up_a_factor_only_where_there_is_none() {
        let mut writer = Writer::new();
        let login = writer.login(1, Awaited::SetUp);
        assert_eq!(writer.set_up(Owner::Login(login), 0), LoginOutcome::Done);
        let code = writer.shown(0);
        let confirm = |login| FactorStep::Confirm(Owner::Login(login), code.clone(), Vec::new());
        assert!(is_right(&writer.factor(confirm(login), 0)));
        assert_eq!(writer.factor(confirm(login), 0), LoginOutcome::Gone);
        // Nor with what the account is like now.
        let login = writer.login(2, Awaited::SetUp);
        assert_eq!(writer.set_up(Owner::Login(login), 0), LoginOutcome::Gone);
        assert_eq!(writer.factor(confirm(login), 0), LoginOutcome::Gone);
    }

    #[test]
    fn a_password_that_was_shown_and_changed_since_changes_no_factor() {
        let mut writer = Writer::with_factors();
        assert_eq!(writer.set_up(Owner::Session(writer.id), 30), LoginOutcome::Done);
        let (state, code) = (writer.account(), writer.shown(30));
        let row = writer.state.names.values_mut().next().unwrap();
        let account = row.account.as_mut().unwrap();
        account.password_version = account.password_version.wrapping_add(1);
        for step in [
            FactorStep::Confirm(Owner::Proven(state), code, Vec::new()),
            FactorStep::DropAuthenticator(state),
            FactorStep::NewRecoveryCodes(state, Vec::new()),
        ] {
            assert_eq!(writer.factor(step, 30), LoginOutcome::Wrong);
        }
        let LoginOutcome::Factors(left) = writer.factor(FactorStep::Show(writer.id), 30) else {
            panic!("they are shown")
        };
        assert!(left.totp);
        assert_eq!(left.recovery_codes_left, 1);
    }

    #[test]
    fn what_is_not_there_is_not_dropped_and_has_no_codes() {
        let mut writer = Writer::new();
        let state = writer.account();
        assert_eq!(writer.factor(FactorStep::DropAuthenticator(state), 0), LoginOutcome::Gone);
        let codes = FactorStep::NewRecoveryCodes(state, Vec::new());
        assert_eq!(writer.factor(codes, 0), LoginOutcome::Gone);
        let other = new_account_id(7, [6; 14]);
        assert_eq!(writer.factor(FactorStep::Show(other), 0), LoginOutcome::Gone);
        assert_eq!(writer.set_up(Owner::Session(other), 0), LoginOutcome::Gone);
    }
}
