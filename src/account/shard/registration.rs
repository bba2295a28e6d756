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
        let row = match self.row_for_mail(&key, Use::VerifyEmail, terms, now) {
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
                };
                row.register(pending, now.to_unix_time());
                (MailKind::Verify, id)
            }
        };
        self.note(NAME, &key);
        self.post(&key, (to.0, Some(to.1)), mail, now);
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
        account.send((mail.token, Beside::default()), Use::Invitation, now.to_unix_time());
        let to = account.id;
        let made = shown(Some(row));
        self.note(NAME, &key);
        self.post(&key, (MailKind::Invitation, Some(to)), mail, now);
        made
    }

    fn key_of_pending(&self, id: &AccountId) -> Option<RowKey> {
        self.names.iter().find(|(_, row)| row.has_pending(id)).map(|(key, _)| *key)
    }
}
