//! Registrations that wait for their link to be used. There is no account until then: nobody logs in, and nobody else's registration is in
//! the way.
//!
//! Whoever registers an address that is not theirs waits for its owner to use the link, and would have the password of the owner's account. So
//! the password counts only in the browser that has registered; whoever uses the link elsewhere sets one.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{
    super::{
        asker::AskerHash,
        one_time::{TokenHash, Use},
    },
    Account, AccountId, Kept, NameRow, Standing,
};
use crate::time::UnixTime;

/// How many may wait for one name: as many as it gets mails for while their links are good, so none is in another's way. The oldest would give way.
const MAX_PENDING: usize = 3;

/// A registration that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The name that the account is to have.
    pub id: AccountId,
    /// Its password.
    pub password: Kept,
    /// What is kept of the token of its link.
    pub token: TokenHash,
    /// The browser that has registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<AskerHash>,
    /// Until when the link is good.
    pub until: UnixTime,
    /// The address, sealed ([`super::super::mail`]). Those of before it was kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Who uses the link of a registration.
#[derive(Debug, Clone, Copy)]
pub struct Confirming<'a> {
    /// The name that the link has.
    pub id: &'a AccountId,
    /// The hash of its token.
    pub token: &'a TokenHash,
    /// The browser.
    pub asker: Option<&'a AskerHash>,
}

/// Whether the password of a registration counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordOf {
    /// It does: this browser has registered.
    Registration,
    /// Whoever uses the link sets one.
    Link,
}

impl NameRow {
    /// Has a registration wait for its link.
    pub fn register(&mut self, pending: Pending, now: UnixTime) {
        self.pending.retain(|one| now < one.until);
        if self.pending.len() >= MAX_PENDING {
            self.pending.remove(0);
        }
        self.pending.push(pending);
    }

    /// Whether this name is that of a registration here.
    pub(in crate::account) fn has_pending(&self, id: &AccountId) -> bool {
        self.pending.iter().any(|one| one.id == *id)
    }

    /// The registration that this link is of, and whose password it is; `None`: there is none, or somebody else was sooner.
    #[must_use]
    pub fn pending(
        &self,
        confirming: Confirming<'_>,
        now: UnixTime,
    ) -> Option<(&Pending, PasswordOf)> {
        let Confirming { id, token, asker } = confirming;
        if self.account.is_some() {
            return None;
        }
        let is_it = |one: &&Pending| {
            let fits = bool::from(one.token.as_bytes().ct_eq(token.as_bytes()));
            fits && one.id == *id && now < one.until
        };
        let found = self.pending.iter().find(is_it)?;
        let is_same = found.asker.is_some() && found.asker.as_ref() == asker;
        Some((found, if is_same { PasswordOf::Registration } else { PasswordOf::Link }))
    }

    /// Makes the account of a registration. Those that wait beside it are over.
    pub fn confirm(&mut self, id: AccountId, password: Kept, now: UnixTime) {
        let own = self.pending.iter().find(|one| one.id == id);
        let address = own.and_then(|own| own.address.clone());
        self.pending.clear();
        let mut account = Account::new(id, Standing::Active, Vec::new(), now);
        account.is_verified = true;
        account.set_password(password);
        account.address = address;
        self.account = Some(account);
    }
}

/// How long a registration waits.
pub(in crate::account) fn until(now: UnixTime) -> UnixTime {
    now.saturating_add(Use::VerifyEmail.lifetime_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::hash::{Cost, PasswordHash, Peppers};

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn kept(password: &[u8]) -> Kept {
        let peppers = Peppers::new(vec![(1, crate::secret::Secret::new(vec![1; 32]))]);
        let cost = Cost { memory_kib: 8, passes: 1 };
        Kept::Own(PasswordHash::new(password, [1; 16], cost, &peppers).unwrap())
    }

    fn registered(byte: u8, asker: Option<AskerHash>) -> Pending {
        Pending {
            id: AccountId::from_bytes([byte; 16]),
            password: kept(&[byte; 8]),
            token: TokenHash::from_bytes([byte; 32]),
            asker,
            until: until(NOW),
            address: None,
        }
    }

    fn found(
        row: &NameRow,
        byte: u8,
        asker: Option<&AskerHash>,
        now: UnixTime,
    ) -> Option<PasswordOf> {
        let (id, token) = (AccountId::from_bytes([byte; 16]), TokenHash::from_bytes([byte; 32]));
        let confirming = Confirming { id: &id, token: &token, asker };
        row.pending(confirming, now).map(|(_, of)| of)
    }

    #[test]
    fn the_password_counts_in_the_browser_that_has_registered() {
        let mut row = NameRow::default();
        let (own, other) = (AskerHash::from_bytes([7; 32]), AskerHash::from_bytes([8; 32]));
        row.register(registered(1, Some(own)), NOW);
        row.register(registered(2, None), NOW);
        assert_eq!(found(&row, 1, Some(&own), NOW), Some(PasswordOf::Registration));
        for asker in [None, Some(&other)] {
            assert_eq!(found(&row, 1, asker, NOW), Some(PasswordOf::Link));
            assert_eq!(found(&row, 2, asker, NOW), Some(PasswordOf::Link));
        }
        assert_eq!(found(&row, 3, None, NOW), None);
        assert_eq!(found(&row, 1, Some(&own), until(NOW)), None);
    }

    #[test]
    fn three_wait_for_a_name_and_one_that_is_confirmed_ends_the_others() {
        let mut row = NameRow::default();
        for byte in 1..=4 {
            row.register(registered(byte, None), NOW);
        }
        assert_eq!(found(&row, 1, None, NOW), None, "the oldest gave way");
        let id = AccountId::from_bytes([3; 16]);
        row.confirm(id, kept(b"of the owner"), NOW);
        let account = row.account.as_ref().unwrap();
        assert!(account.is_verified && account.standing == Standing::Active && account.id == id);
        assert_eq!(found(&row, 2, None, NOW), None);
        assert_eq!(found(&row, 3, None, NOW), None);
    }
}
