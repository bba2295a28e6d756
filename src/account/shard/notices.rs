//! What the owner is told by mail once something has changed that lets somebody in (OWASP ASVS 5, 6.3.7).

use sha2::{Digest as _, Sha256};

use super::{NAME, ShardState};
use crate::{
    account::{
        hash::SALT_BYTES,
        link_step::SealedMail,
        mail::{MailId, MailKind},
        passkey_step::PasskeyStep,
        row::{AccountId, AccountState},
        step::{Change, FactorStep, LoginOutcome, LoginStep, Owner, TypedCode},
    },
    time::UnixMillis,
};

/// Separates these names from every other SHA-256.
const LABEL: &[u8] = b"edgegate-notice-v1\0";

/// What the owner is to be told if the step is taken. A new password by a link has a mail of its own, since it goes where the link went.
pub(super) fn notices_of(step: &LoginStep) -> Vec<(AccountId, MailKind)> {
    let one = |id: &AccountId, kind| vec![(*id, kind)];
    match step {
        LoginStep::ChangePassword(change) => one(&change.id, MailKind::PasswordChanged),
        LoginStep::Change(Change { id, password, drop_factors, .. }) => {
            let password = password.is_some().then_some((*id, MailKind::PasswordChanged));
            let factors = drop_factors.then_some((*id, MailKind::FactorsRemoved));
            password.into_iter().chain(factors).collect()
        }
        LoginStep::Factor(step) => match step {
            FactorStep::Take(login, TypedCode::Recovery(_)) => {
                one(&login.state.id, MailKind::RecoveryCodeUsed)
            }
            FactorStep::Confirm(owner, ..) => one(id_of(owner), MailKind::TotpAdded),
            FactorStep::DropAuthenticator(AccountState { id, .. }) => {
                one(id, MailKind::TotpRemoved)
            }
            FactorStep::NewRecoveryCodes(AccountState { id, .. }, _) => {
                one(id, MailKind::RecoveryCodesMade)
            }
            FactorStep::Show(_) | FactorStep::SetUp(..) | FactorStep::Take(..) => Vec::new(),
        },
        LoginStep::Passkey(id, PasskeyStep::Add { .. }) => one(id, MailKind::PasskeyAdded),
        LoginStep::Passkey(id, PasskeyStep::Remove(..)) => one(id, MailKind::PasskeyRemoved),
        _ => Vec::new(),
    }
}

const fn id_of(owner: &Owner) -> &AccountId {
    match owner {
        Owner::Session(id) => id,
        Owner::Proven(state) => &state.id,
        Owner::Login(login) => &login.state.id,
    }
}

/// Whether a step was taken, for those that are told of.
pub(super) const fn is_taken(outcome: &LoginOutcome) -> bool {
    matches!(
        outcome,
        LoginOutcome::Done
            | LoginOutcome::Right(_)
            | LoginOutcome::Factors(_)
            | LoginOutcome::Shown(_)
    )
}

impl ShardState {
    /// Has a mail to the owner wait, if the address is known. What strangers have others sent takes no room of it: each is of a change, and an
    /// account has few in an hour.
    pub(super) fn tell(
        &mut self,
        (id, kind): (AccountId, MailKind),
        (salt, now): ([u8; SALT_BYTES], UnixMillis),
    ) {
        let Some(key) = self.key_of(&id) else { return };
        let Some(sealed) = self.names.get_mut(&key).and_then(|row| row.notice(now)) else { return };
        self.note(NAME, &key);
        let name = Sha256::new().chain_update(LABEL).chain_update(salt);
        let name = name.chain_update(kind.as_str()).finalize();
        let Some(name) = name.first_chunk() else { return };
        let mail = SealedMail { id: MailId::from_bytes(*name), sealed };
        self.post(&key, (kind, Some(id)), mail, now);
    }

    /// Keeps the address of an account, sealed, if none is kept.
    pub(super) fn keep_address(&mut self, state: &AccountState, sealed: String) -> LoginOutcome {
        let Some(key) = self.key_of(&state.id) else { return LoginOutcome::Gone };
        let account = self.names.get_mut(&key).and_then(|row| row.account.as_mut());
        let Some(account) = account.filter(|account| !account.has_address()) else {
            return LoginOutcome::Gone;
        };
        account.keep_address(&sealed);
        self.note(NAME, &key);
        LoginOutcome::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::{
            attempts::DEFAULT_BOUND,
            hash::Cost,
            row::{RowKey, new_account_id},
            secrets::AccountSecrets,
            shard::Terms,
            step::{ChangePassword, Create, NewPassword},
        },
        secret::Secret,
        watch::state::Delivery,
    };

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };
    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
    const ADA: RowKey = RowKey::from_bytes([1; 32]);
    const PASSWORD: &str = "quiet river, late boat";

    #[derive(Default)]
    struct Writer {
        state: ShardState,
        steps: u8,
    }

    impl Writer {
        fn with_ada(address: Option<&str>) -> Self {
            let mut writer = Self::default();
            let create = Create {
                key: ADA,
                id: id(),
                password: NewPassword::Typed(PASSWORD.to_owned()),
                scopes: Vec::new(),
                is_verified: true,
                address: address.map(str::to_owned),
            };
            let made = writer.step(LoginStep::Create(create), NOW);
            assert!(matches!(made, LoginOutcome::Shown(_)));
            writer
        }

        fn step(&mut self, step: LoginStep, now: UnixMillis) -> LoginOutcome {
            let secrets = AccountSecrets::new(vec![(1, Secret::new(vec![1; 32]))]).unwrap();
            let terms = Terms {
                bound: DEFAULT_BOUND,
                cost: CHEAP,
                peppers: secrets.peppers(),
                authenticators: secrets.authenticators(),
                imports: &[],
            };
            self.steps += 1;
            let step = LoginStep::from_text(&step.to_text()).unwrap();
            let at = ([self.steps; SALT_BYTES], now);
            self.state.apply(step, terms, at, &mut |_| Ok(())).unwrap()
        }

        fn change(&mut self, password: &str) -> LoginOutcome {
            let (password, new_password) = (password.to_owned(), PASSWORD.to_owned());
            let change = ChangePassword { id: id(), password, new_password, device: None };
            self.step(LoginStep::ChangePassword(change), NOW)
        }

        /// What waits, and where it goes. It is taken out.
        fn mails(&mut self, now: UnixMillis) -> Vec<(MailKind, String)> {
            let due = self.state.due_mails(now);
            for (name, _) in &due {
                let _ = self.state.sent_mail(name, Delivery::Taken, now);
            }
            due.into_iter().map(|(_, mail)| (mail.kind.unwrap(), mail.sealed)).collect()
        }
    }

    fn id() -> AccountId {
        new_account_id(7, [3; 14])
    }

    #[test]
    fn the_owner_is_told_of_what_was_done_and_of_nothing_that_was_not() {
        let mut writer = Writer::with_ada(Some("sealed"));
        assert_eq!(writer.mails(NOW), []);
        assert_eq!(writer.change("another password"), LoginOutcome::Wrong);
        assert_eq!(writer.mails(NOW), []);
        assert_eq!(writer.change(PASSWORD), LoginOutcome::Done);
        assert_eq!(writer.mails(NOW), [(MailKind::PasswordChanged, "sealed".to_owned())]);
        // An administrator may do two things at once.
        let change = Change {
            id: id(),
            disabled: Some(true),
            password: Some(NewPassword::Typed(PASSWORD.to_owned())),
            scopes: None,
            drop_factors: true,
            require_reset: false,
        };
        assert!(matches!(writer.step(LoginStep::Change(change), NOW), LoginOutcome::Shown(_)));
        let mut kinds: Vec<&str> =
            writer.mails(NOW).iter().map(|(kind, _)| kind.as_str()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["account.factors_removed", "account.password_changed"]);
    }

    #[test]
    fn no_owner_gets_more_than_ten_in_an_hour_and_then_more() {
        let mut writer = Writer::with_ada(Some("sealed"));
        let sent = (0..40)
            .map(|_| {
                assert_eq!(writer.change(PASSWORD), LoginOutcome::Done);
                writer.mails(NOW).len()
            })
            .sum::<usize>();
        assert_eq!(sent, 10);
        let later = NOW.saturating_add(3_600_000);
        writer.state.tell((id(), MailKind::TotpAdded), ([99; SALT_BYTES], later));
        assert_eq!(writer.mails(later).len(), 1);
    }

    #[test]
    fn an_address_is_kept_once_and_only_of_the_account_as_it_is() {
        let mut writer = Writer::with_ada(None);
        assert_eq!(writer.change(PASSWORD), LoginOutcome::Done);
        assert_eq!(writer.mails(NOW), []);
        let row = writer.state.names.get(&ADA).unwrap();
        let state = row.account.as_ref().unwrap().state();
        let keep = |sealed: &str| LoginStep::KeepAddress(state, sealed.to_owned());
        assert_eq!(writer.step(keep("sealed"), NOW), LoginOutcome::Done);
        assert_eq!(writer.step(keep("another"), NOW), LoginOutcome::Gone);
        assert_eq!(writer.change(PASSWORD), LoginOutcome::Done);
        assert_eq!(writer.mails(NOW), [(MailKind::PasswordChanged, "sealed".to_owned())]);
        let gone = AccountState { id: new_account_id(7, [9; 14]), ..state };
        let keep = LoginStep::KeepAddress(gone, "sealed".to_owned());
        assert_eq!(writer.step(keep, NOW), LoginOutcome::Gone);
    }

    #[test]
    fn a_mailbox_that_strangers_have_filled_has_room_for_it() {
        let mut writer = Writer::with_ada(Some("sealed"));
        for number in 0..250_u8 {
            let mail = SealedMail { id: MailId::from_bytes([number; 16]), sealed: String::new() };
            writer.state.post(&ADA, (MailKind::Exists, Some(id())), mail, NOW);
        }
        assert!(!writer.state.mails.has_room());
        assert_eq!(writer.change(PASSWORD), LoginOutcome::Done);
        let mails = writer.mails(NOW);
        assert!(mails.iter().any(|(kind, _)| *kind == MailKind::PasswordChanged));
    }
}
