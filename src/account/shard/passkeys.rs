//! What a writer of rows does with the passkeys of an account.

use super::{NAME, ShardState};
use crate::{
    account::{
        passkey::PasskeyFault,
        passkey_step::PasskeyStep,
        passkeys::{self, NotAdded, OwnPasskey},
        row::AccountId,
        step::{LoginOutcome, Right},
    },
    time::UnixTime,
};

impl ShardState {
    pub(super) fn passkey(
        &mut self,
        id: &AccountId,
        step: PasskeyStep,
        now: UnixTime,
    ) -> LoginOutcome {
        let Some(key) = self.key_of(id) else { return LoginOutcome::Gone };
        let Some(row) = self.names.get_mut(&key) else { return LoginOutcome::Gone };
        let Some(account) = row.account.as_mut() else { return LoginOutcome::Gone };
        let outcome = match step {
            PasskeyStep::List => return LoginOutcome::Passkeys(account.passkeys.clone()),
            PasskeyStep::Find(name) => {
                let found = passkeys::find(&account.passkeys, &name);
                return found.map_or(LoginOutcome::Gone, |one| {
                    LoginOutcome::Passkey(Box::new(one.passkey.clone()))
                });
            }
            PasskeyStep::Add { state, .. } | PasskeyStep::Remove(_, state)
                if !account.is_still(&state) =>
            {
                return LoginOutcome::Wrong;
            }
            // By a password alone nobody adds one to a second factor that is there.
            PasskeyStep::Add { login: Some(login), .. }
                if account.factors().is_second() || account.has_ended(&login.number) =>
            {
                return LoginOutcome::Wrong;
            }
            PasskeyStep::Add { passkey, label, challenge, codes, login, .. } => {
                if !account.challenges.take(challenge, now) {
                    return LoginOutcome::Gone;
                }
                let is_first = !account.factors().is_second();
                let new = OwnPasskey { passkey, label, created_at: now, last_used_at: None };
                match passkeys::add(&mut account.passkeys, new) {
                    Ok(()) => {
                        account.note_factors();
                        if is_first {
                            account.set_recovery(codes);
                        }
                        match login {
                            Some(login) => {
                                account.end_login(login.number, login.until, now);
                                LoginOutcome::Right(Right::of(account))
                            }
                            None => LoginOutcome::Factors(account.factors()),
                        }
                    }
                    Err(NotAdded::Known) => LoginOutcome::Exists,
                    Err(NotAdded::Full) => LoginOutcome::Full,
                }
            }
            PasskeyStep::Use { id, seen, challenge, login } => {
                let waits = login.is_none_or(|login| {
                    account.is_still(&login.state) && !account.has_ended(&login.number)
                });
                if !waits {
                    return LoginOutcome::Gone;
                }
                // Whatever comes of it, nobody shows this one again.
                if !account.challenges.take(challenge, now) {
                    return LoginOutcome::Wrong;
                }
                match passkeys::advance(&mut account.passkeys, (&id, seen), now) {
                    Ok(Some(())) => {
                        if let Some(login) = login {
                            account.end_login(login.number, login.until, now);
                        }
                        LoginOutcome::Right(Right::of(account))
                    }
                    Ok(None) => LoginOutcome::Wrong,
                    Err(PasskeyFault::SignCount) => LoginOutcome::Copied,
                    Err(_) => LoginOutcome::Wrong,
                }
            }
            PasskeyStep::Remove(name, _) => {
                if passkeys::find(&account.passkeys, &name).is_none() {
                    return LoginOutcome::Gone;
                }
                account.passkeys.retain(|one| one.passkey.id != name);
                account.note_factors();
                if !account.factors().is_second() {
                    // They are for the day that a factor is lost.
                    account.set_recovery(Vec::new());
                }
                LoginOutcome::Done
            }
        };
        self.note(NAME, &key);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::{
            passkey::{Passkey, Seen},
            passkeys::{Challenge, ChallengeId},
            recovery::CodeHash,
            row::{Account, NameRow, RowKey, Standing, new_account_id},
            second_step::{Awaited, First, SecondStep},
        },
        session::{Opaque, state::RowChange},
    };

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
    const ADA: RowKey = RowKey::from_bytes([1; 32]);

    fn state() -> (ShardState, AccountId) {
        let id = new_account_id(7, [5; 14]);
        let account = Account::new(id, Standing::Active, Vec::new(), NOW);
        let mut state = ShardState::default();
        let mut row = NameRow::default();
        row.account = Some(account);
        state.names.insert(ADA, row);
        let phone = add(&mut state, "phone", 1);
        assert!(matches!(state.passkey(&id, phone, NOW), LoginOutcome::Factors(_)));
        (state, id)
    }

    fn challenge(number: u8) -> Challenge {
        Challenge { id: ChallengeId::from_bytes([number; 16]), until: NOW.saturating_add(300) }
    }

    /// By the account as it is.
    fn add(state: &mut ShardState, name: &str, number: u8) -> PasskeyStep {
        let state = account(state).state();
        let mut passkey = Passkey::of_nobody();
        passkey.id = name.to_owned();
        PasskeyStep::Add {
            state,
            passkey,
            label: "Phone".to_owned(),
            challenge: challenge(number),
            codes: Vec::new(),
            login: None,
        }
    }

    /// By a login that waits for it.
    fn set_up(state: &mut ShardState, name: &str, number: u8, login: SecondStep) -> PasskeyStep {
        match add(state, name, number) {
            PasskeyStep::Add { passkey, label, challenge, .. } => PasskeyStep::Add {
                state: login.state,
                passkey,
                label,
                challenge,
                codes: vec![CodeHash::from_bytes([number; 32])],
                login: Some(login),
            },
            step => step,
        }
    }

    fn waits(state: &mut ShardState, number: u8, awaited: Awaited) -> SecondStep {
        SecondStep {
            state: account(state).state(),
            number: Opaque::from_bytes([number; 16]),
            remember: false,
            first: First::Password,
            awaited,
            until: NOW.saturating_add(300),
        }
    }

    fn use_of(name: &str, count: u32, number: u8) -> PasskeyStep {
        let seen = serde_json::json!({
            "sign_count": count, "backup_eligible": false, "backed_up": false,
        });
        let seen: Seen = serde_json::from_value(seen).unwrap();
        PasskeyStep::Use { id: name.to_owned(), seen, challenge: challenge(number), login: None }
    }

    fn remove(state: &mut ShardState, name: &str) -> PasskeyStep {
        PasskeyStep::Remove(name.to_owned(), account(state).state())
    }

    /// The same after the right password.
    fn second(name: &str, number: u8, login: SecondStep) -> PasskeyStep {
        match use_of(name, 0, number) {
            PasskeyStep::Use { id, seen, challenge, .. } => {
                PasskeyStep::Use { id, seen, challenge, login: Some(login) }
            }
            step => step,
        }
    }

    fn account(state: &mut ShardState) -> &mut Account {
        state.names.get_mut(&ADA).unwrap().account.as_mut().unwrap()
    }

    #[test]
    fn a_challenge_is_used_once_whatever_it_was_for() {
        let (mut state, id) = state();
        assert!(matches!(state.passkey(&id, use_of("phone", 0, 2), NOW), LoginOutcome::Right(_)));
        assert_eq!(state.passkey(&id, use_of("phone", 0, 2), NOW), LoginOutcome::Wrong);
        assert_eq!(state.passkey(&id, use_of("phone", 0, 1), NOW), LoginOutcome::Wrong);
        let laptop = add(&mut state, "laptop", 2);
        assert_eq!(state.passkey(&id, laptop, NOW), LoginOutcome::Gone);
        let phone = add(&mut state, "phone", 3);
        assert_eq!(state.passkey(&id, phone, NOW), LoginOutcome::Exists);
    }

    #[test]
    fn recovery_codes_come_with_the_first_factor_and_go_with_the_last() {
        let (mut state, id) = state();
        let phone = remove(&mut state, "phone");
        assert_eq!(state.passkey(&id, phone, NOW), LoginOutcome::Done);
        for (name, number, passkeys) in [("laptop", 7, 1), ("tablet", 8, 2)] {
            let mut step = add(&mut state, name, number);
            if let PasskeyStep::Add { codes, .. } = &mut step {
                *codes = vec![CodeHash::from_bytes([number; 32]); usize::from(number)];
            }
            let LoginOutcome::Factors(factors) = state.passkey(&id, step, NOW) else {
                panic!("it is added")
            };
            assert_eq!((factors.passkeys, factors.recovery_codes_left), (passkeys, 7));
        }
        for (name, left) in [("laptop", 7), ("tablet", 0)] {
            let step = remove(&mut state, name);
            assert_eq!(state.passkey(&id, step, NOW), LoginOutcome::Done);
            assert_eq!(account(&mut state).factors().recovery_codes_left, left);
        }
    }

    #[test]
    fn of_two_proofs_with_one_count_the_second_is_a_copy() {
        let (mut state, id) = state();
        assert!(matches!(state.passkey(&id, use_of("phone", 5, 2), NOW), LoginOutcome::Right(_)));
        assert_eq!(state.passkey(&id, use_of("phone", 5, 3), NOW), LoginOutcome::Copied);
        assert_eq!(state.passkey(&id, use_of("phone", 0, 4), NOW), LoginOutcome::Copied);
        assert!(matches!(state.passkey(&id, use_of("phone", 6, 5), NOW), LoginOutcome::Right(_)));
    }

    #[test]
    fn with_another_passkey_or_one_less_the_account_is_another() {
        let (mut state, id) = state();
        let first = account(&mut state).state();
        assert!(matches!(state.passkey(&id, use_of("phone", 0, 2), NOW), LoginOutcome::Right(_)));
        assert!(account(&mut state).is_still(&first));
        let laptop = add(&mut state, "laptop", 3);
        assert!(matches!(state.passkey(&id, laptop, NOW), LoginOutcome::Factors(_)));
        assert!(!account(&mut state).is_still(&first));
        let second = account(&mut state).state();
        let phone = remove(&mut state, "phone");
        assert_eq!(state.passkey(&id, phone, NOW), LoginOutcome::Done);
        let phone = remove(&mut state, "phone");
        assert_eq!(state.passkey(&id, phone, NOW), LoginOutcome::Gone);
        assert!(!account(&mut state).is_still(&second));
        assert_eq!(state.passkey(&id, use_of("phone", 0, 4), NOW), LoginOutcome::Wrong);
        account(&mut state).standing = Standing::Disabled;
        let tablet = add(&mut state, "tablet", 5);
        assert_eq!(state.passkey(&id, tablet, NOW), LoginOutcome::Wrong);
        let LoginOutcome::Right(right) = state.passkey(&id, use_of("laptop", 0, 6), NOW) else {
            panic!("the proof holds")
        };
        assert!(right.disabled);
    }

    #[test]
    fn a_password_that_was_shown_and_changed_since_adds_and_removes_nothing() {
        let (mut state, id) = state();
        let (laptop, phone) = (add(&mut state, "laptop", 2), remove(&mut state, "phone"));
        let account = account(&mut state);
        account.password_version = account.password_version.wrapping_add(1);
        for step in [laptop, phone] {
            assert_eq!(state.passkey(&id, step, NOW), LoginOutcome::Wrong);
        }
        let LoginOutcome::Passkeys(all) = state.passkey(&id, PasskeyStep::List, NOW) else {
            panic!("they are listed")
        };
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn a_login_that_waits_for_a_passkey_ends_once() {
        let (mut state, id) = state();
        let mut login = waits(&mut state, 9, Awaited::Factor);
        let right = state.passkey(&id, second("phone", 2, login), NOW);
        assert!(matches!(right, LoginOutcome::Right(_)));
        assert_eq!(state.passkey(&id, second("phone", 3, login), NOW), LoginOutcome::Gone);
        login.number = Opaque::from_bytes([8; 16]);
        let laptop = add(&mut state, "laptop", 4);
        assert!(matches!(state.passkey(&id, laptop, NOW), LoginOutcome::Factors(_)));
        assert_eq!(state.passkey(&id, second("phone", 5, login), NOW), LoginOutcome::Gone);
        login.state = account(&mut state).state();
        let right = state.passkey(&id, second("phone", 5, login), NOW);
        assert!(matches!(right, LoginOutcome::Right(_)));
    }

    #[test]
    fn of_all_logins_that_wait_to_set_one_up_one_does_and_ends() {
        let (mut state, id) = state();
        let phone = remove(&mut state, "phone");
        assert_eq!(state.passkey(&id, phone, NOW), LoginOutcome::Done);
        let [first, second] = [9, 8].map(|number| waits(&mut state, number, Awaited::SetUp));
        // One that was asked for to log in by, or by another, was used for that.
        let used = set_up(&mut state, "laptop", 1, first);
        assert_eq!(state.passkey(&id, used, NOW), LoginOutcome::Gone);
        let laptop = set_up(&mut state, "laptop", 2, first);
        let LoginOutcome::Right(right) = state.passkey(&id, laptop.clone(), NOW) else {
            panic!("it is set up")
        };
        assert_eq!((right.factors.passkeys, right.factors.recovery_codes_left), (1, 1));
        assert_eq!(right.state, account(&mut state).state());
        assert_eq!(state.passkey(&id, laptop, NOW), LoginOutcome::Wrong);
        let late = set_up(&mut state, "tablet", 3, second);
        assert_eq!(state.passkey(&id, late, NOW), LoginOutcome::Wrong);
        // Nor by what the account is like now: it has a second factor, or the login has ended.
        let now = waits(&mut state, 8, Awaited::SetUp);
        let tablet = set_up(&mut state, "tablet", 4, now);
        assert_eq!(state.passkey(&id, tablet, NOW), LoginOutcome::Wrong);
        let laptop = remove(&mut state, "laptop");
        assert_eq!(state.passkey(&id, laptop, NOW), LoginOutcome::Done);
        let ended = waits(&mut state, 9, Awaited::SetUp);
        let tablet = set_up(&mut state, "tablet", 5, ended);
        assert_eq!(state.passkey(&id, tablet, NOW), LoginOutcome::Wrong);
        assert_eq!(account(&mut state).factors().passkeys, 0);
    }

    #[test]
    fn a_login_that_began_before_a_change_sets_up_nothing() {
        let (mut state, id) = state();
        let phone = remove(&mut state, "phone");
        assert_eq!(state.passkey(&id, phone, NOW), LoginOutcome::Done);
        let login = waits(&mut state, 9, Awaited::SetUp);
        let laptop = set_up(&mut state, "laptop", 2, login);
        let account = account(&mut state);
        account.password_version = account.password_version.wrapping_add(1);
        assert_eq!(state.passkey(&id, laptop.clone(), NOW), LoginOutcome::Wrong);
        let account = self::account(&mut state);
        account.password_version = account.password_version.wrapping_sub(1);
        account.standing = Standing::Disabled;
        assert_eq!(state.passkey(&id, laptop.clone(), NOW), LoginOutcome::Wrong);
        self::account(&mut state).standing = Standing::Active;
        assert!(matches!(state.passkey(&id, laptop, NOW), LoginOutcome::Right(_)));
    }

    #[test]
    fn what_is_stored_is_read_and_who_looks_writes_nothing() {
        let (mut state, id) = state();
        let changes = state.take_changes().unwrap();
        let rows = changes
            .iter()
            .map(|RowChange { name, value }| (name.as_str(), value.as_deref().unwrap()));
        let mut read = ShardState::from_rows(rows).unwrap();
        let laptop = add(&mut read, "laptop", 1);
        assert_eq!(read.passkey(&id, laptop, NOW), LoginOutcome::Gone);
        let find = PasskeyStep::Find("phone".to_owned());
        assert!(matches!(read.passkey(&id, find, NOW), LoginOutcome::Passkey(_)));
        let LoginOutcome::Passkeys(all) = read.passkey(&id, PasskeyStep::List, NOW) else {
            panic!("they are listed")
        };
        assert_eq!((all.len(), all[0].label.as_str()), (1, "Phone"));
        let stranger = new_account_id(7, [6; 14]);
        assert_eq!(read.passkey(&stranger, use_of("phone", 0, 9), NOW), LoginOutcome::Gone);
        assert_eq!(read.take_changes().unwrap(), []);
    }
}
