//! Registrations: made, confirmed by their link, and invited to.

use super::{NAME, ShardState, Terms, shown};
use crate::{
    account::{
        hash::{PasswordHash, SALT_BYTES},
        link_step::{ConfirmRegistration, Invite, Register},
        mail::MailKind,
        one_time::{Beside, Use},
        row::{
            Account, AccountId, Kept, RowKey, Standing,
            pending::{self, Confirming, PasswordOf, Pending},
        },
        step::LoginOutcome,
    },
    time::UnixMillis,
};

impl ShardState {
    /// Has a registration wait for its link, or tells the owner of the address that somebody has tried. Both is the same work.
    pub(super) fn register(
        &mut self,
        register: Register,
        terms: Terms<'_>,
        (salt, now): ([u8; SALT_BYTES], UnixMillis),
    ) -> LoginOutcome {
        let Register { key, id, password, mail, asker } = register;
        let row = match self.row_for_mail(&key, (Use::VerifyEmail, None), terms, now) {
            Ok(row) => row,
            Err(until) => return LoginOutcome::TooMany(until),
        };
        let hash = PasswordHash::new(password.as_bytes(), salt, terms.cost, terms.peppers);
        let Some(hash) = hash else { return LoginOutcome::BadHash };
        let to = match &row.account {
            Some(account) => (MailKind::Exists, account.id),
            None => {
                let pending = Pending {
                    id,
                    password: Kept::Own(hash),
                    token: mail.token,
                    asker,
                    until: pending::until(now.to_unix_time()),
                    address: Some(mail.sealed.clone()),
                };
                row.register(pending, now.to_unix_time());
                (MailKind::Verify, id)
            }
        };
        self.note(NAME, &key);
        self.post(&key, (to.0, Some(to.1)), mail.into(), now);
        LoginOutcome::Done
    }

    /// Makes the account of a registration.
    pub(super) fn confirm_registration(
        &mut self,
        confirm: &ConfirmRegistration,
        terms: Terms<'_>,
        (salt, now): ([u8; SALT_BYTES], UnixMillis),
    ) -> LoginOutcome {
        let ConfirmRegistration { id, token, asker, password, device } = confirm;
        let Some(key) = self.key_of_pending(id) else { return LoginOutcome::Gone };
        let Some(row) = self.names.get_mut(&key) else { return LoginOutcome::Gone };
        let confirming = Confirming { id, token, asker: asker.as_ref() };
        let Some((found, of)) = row.pending(confirming, now.to_unix_time()) else {
            return LoginOutcome::Gone;
        };
        let kept = match (password, of) {
            (Some(password), _) => {
                let password = password.as_bytes();
                let hash = PasswordHash::new(password, salt, terms.cost, terms.peppers);
                let Some(hash) = hash else { return LoginOutcome::BadHash };
                Kept::Own(hash)
            }
            (None, PasswordOf::Registration) => found.password.clone(),
            (None, PasswordOf::Link) => return LoginOutcome::PasswordNeeded,
        };
        row.confirm(*id, kept, now.to_unix_time());
        if let Some(device) = device {
            row.know(device.hash_for(&key));
        }
        self.note(NAME, &key);
        LoginOutcome::Done
    }

    /// An account that waits for its owner, or the same once more. An administrator is bounded by nothing that strangers fill.
    pub(super) fn invite(&mut self, invite: Invite, now: UnixMillis) -> LoginOutcome {
        let Invite { key, id, scopes, mail } = invite;
        let row = self.names.entry(key).or_default();
        if row.account.as_ref().is_some_and(|account| account.standing != Standing::Invited) {
            return LoginOutcome::Exists;
        }
        let new = || Account::new(id, Standing::Invited, Vec::new(), now.to_unix_time());
        let account = row.account.get_or_insert_with(new);
        account.scopes = scopes;
        account.keep_address(&mail.sealed);
        account.send((mail.token, Beside::default()), Use::Invitation, now.to_unix_time());
        let to = account.id;
        let made = shown(Some(row));
        self.note(NAME, &key);
        self.post(&key, (MailKind::Invitation, Some(to)), mail.into(), now);
        made
    }

    fn key_of_pending(&self, id: &AccountId) -> Option<RowKey> {
        self.names.iter().find(|(_, row)| row.has_pending(id)).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::{
            asker::AskerHash,
            attempts::DEFAULT_BOUND,
            hash::Cost,
            link_step::NewMail,
            mail::MailId,
            one_time::TokenHash,
            row::new_account_id,
            secrets::AccountSecrets,
            shard::tests::wakes_of,
            step::{Create, LoginStep, NewPassword},
        },
        secret::Secret,
    };

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };
    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
    const ADA: RowKey = RowKey::from_bytes([1; 32]);
    const HOUR: u64 = 60 * 60 * 1000;

    fn step(state: &mut ShardState, step: LoginStep, millis: u64) -> LoginOutcome {
        let secrets = AccountSecrets::new(vec![(1, Secret::new(vec![1; 32]))]).unwrap();
        let terms = Terms {
            bound: DEFAULT_BOUND,
            cost: CHEAP,
            peppers: secrets.peppers(),
            authenticators: secrets.authenticators(),
            imports: &[],
        };
        let at = ([9; SALT_BYTES], NOW.saturating_add(millis));
        state.apply(step, terms, at, &mut |_| Ok(())).unwrap()
    }

    fn id(byte: u8) -> AccountId {
        new_account_id(7, [byte; 14])
    }

    fn register(byte: u8, asker: Option<AskerHash>) -> LoginStep {
        let mail = NewMail {
            id: MailId::from_bytes([byte; 16]),
            sealed: "sealed".to_owned(),
            token: TokenHash::from_bytes([byte; 32]),
        };
        let password = "quiet river, late boat".to_owned();
        LoginStep::Register(Register { key: ADA, id: id(byte), password, mail, asker })
    }

    /// Strangers register the same address, hour after hour: the link of its owner is good for its day.
    #[test]
    fn later_registrations_of_others_do_not_end_the_owners() {
        let (mut state, own) = (ShardState::default(), AskerHash::from_bytes([7; 32]));
        assert_eq!(step(&mut state, register(1, Some(own)), 0), LoginOutcome::Done);
        let mut sent = 0;
        for hour in 0..23 {
            for one in 0..3 {
                let stranger = register(u8::try_from(10 + 3 * hour + one).unwrap(), None);
                let outcome = step(&mut state, stranger, hour * HOUR + 1);
                sent += u32::from(outcome == LoginOutcome::Done);
            }
        }
        assert_eq!(sent, 2, "three mails in a day, the owner's among them");
        let confirm = LoginStep::ConfirmRegistration(ConfirmRegistration {
            id: id(1),
            token: TokenHash::from_bytes([1; 32]),
            asker: Some(own),
            password: None,
            device: None,
        });
        assert_eq!(step(&mut state, confirm, 23 * HOUR), LoginOutcome::Done);
    }

    #[test]
    fn the_writer_wakes_as_often_whether_the_name_has_an_account() {
        let mut known = ShardState::default();
        let password = NewPassword::Typed("quiet river, late boat".to_owned());
        let (key, scopes, is_verified) = (ADA, Vec::new(), true);
        let create = Create { key, id: id(9), password, scopes, is_verified, address: None };
        assert!(matches!(step(&mut known, LoginStep::Create(create), 0), LoginOutcome::Shown(_)));
        let of = |mut state: ShardState| {
            let _ = state.take_changes().unwrap();
            assert_eq!(step(&mut state, register(1, None), 900), LoginOutcome::Done);
            let written = state.take_changes().unwrap().len();
            (written, wakes_of(&mut state, DEFAULT_BOUND, NOW.saturating_add(900)))
        };
        assert_eq!(of(known), of(ShardState::default()));
    }

    #[test]
    fn a_registration_does_not_outlive_an_account_of_its_name() {
        let mut state = ShardState::default();
        assert_eq!(step(&mut state, register(1, None), 0), LoginOutcome::Done);
        let password = NewPassword::Typed("quiet river, late boat".to_owned());
        let (key, scopes) = (ADA, Vec::new());
        let (is_verified, address) = (true, None);
        let create = Create { key, id: id(9), password, scopes, is_verified, address };
        let made = step(&mut state, LoginStep::Create(create), 0);
        assert!(matches!(made, LoginOutcome::Shown(_)));
        assert_eq!(step(&mut state, LoginStep::Delete(id(9)), 0), LoginOutcome::Done);
        let confirm = LoginStep::ConfirmRegistration(ConfirmRegistration {
            id: id(1),
            token: TokenHash::from_bytes([1; 32]),
            asker: None,
            password: Some("seven slow bicycles".to_owned()),
            device: None,
        });
        assert_eq!(step(&mut state, confirm, 0), LoginOutcome::Gone);
    }

    /// Whose registration gets no mail has one of somebody else's, which is worth as much: the password is set by who uses the link.
    #[test]
    fn an_owner_who_comes_too_late_confirms_by_the_link_of_another() {
        let mut state = ShardState::default();
        for byte in 1..=3 {
            assert_eq!(step(&mut state, register(byte, None), 0), LoginOutcome::Done);
        }
        let late = step(&mut state, register(4, None), HOUR);
        assert!(matches!(late, LoginOutcome::TooMany(_)));
        let confirm = LoginStep::ConfirmRegistration(ConfirmRegistration {
            id: id(3),
            token: TokenHash::from_bytes([3; 32]),
            asker: None,
            password: Some("seven slow bicycles".to_owned()),
            device: None,
        });
        assert_eq!(step(&mut state, confirm, HOUR), LoginOutcome::Done);
    }
}
