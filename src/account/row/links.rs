//! What links do to the row of a name: which are sent, how often, and what a used one changes.

use super::{
    super::{
        asker::AskerHash,
        attempts::Bound,
        one_time::{Beside, TokenHash, Use},
    },
    Account, DeviceHash, NameRow, Standing,
};
use crate::time::{UnixMillis, UnixTime};

/// How many mails of one use a name gets, however many ask for them.
const MAILS: u8 = 3;

/// The same, and in how long: while a link that its owner can use is good. So a name that gets no more has a good link in its mailbox, whoever has
/// asked for it, and strangers keep nobody from one by asking. A link to log in is good for its asker alone: of these there are fewer.
const fn bound_of(r#use: Use) -> Bound {
    let secs = match r#use {
        Use::Reset | Use::VerifyEmail => r#use.lifetime_secs(),
        Use::MagicLink | Use::Invitation => 60 * 60,
    };
    Bound { attempts: MAILS, window_millis: secs.saturating_mul(1000) }
}

/// How many mails of all uses each browser that is known has sent, so that strangers keep it from no link.
const MAILS_OF_DEVICE: Bound = Bound { attempts: MAILS, window_millis: 60 * 60 * 1000 };

/// How many mails tell an owner of changes: more than anybody makes who is up to no harm, and few enough to be read.
pub const NOTICE_BOUND: Bound = Bound { attempts: 10, window_millis: 60 * 60 * 1000 };

impl NameRow {
    /// Counts a mail that somebody asks for. Names that do not exist count too. A browser that somebody has logged in with has mails of its own.
    ///
    /// # Errors
    /// When the next may be sent.
    pub fn reserve_mail(
        &mut self,
        r#use: Use,
        device: Option<&DeviceHash>,
        now: UnixMillis,
    ) -> Result<(), UnixMillis> {
        let version = self.account.as_ref().map(|account| account.password_version);
        if let Some(known) = device.and_then(|hash| self.device(hash, version)) {
            return known.mails.reserve(MAILS_OF_DEVICE, now).map(drop);
        }
        self.mails.entry(r#use).or_default().reserve(bound_of(r#use), now).map(drop)
    }

    /// Where a mail goes that tells the owner of a change, sealed, and counts it; `None`: the address is not kept, or there were too many.
    pub fn notice(&mut self, now: UnixMillis) -> Option<String> {
        let sealed = self.account.as_ref()?.address.clone()?;
        self.notices.reserve(NOTICE_BOUND, now).map(drop).ok()?;
        Some(sealed)
    }

    /// When a link is over next that something is kept of, be it an address.
    #[must_use]
    pub fn next_end_of_links(&self) -> Option<UnixTime> {
        let of_account = self.account.as_ref().and_then(|account| account.tokens.next_end());
        of_account.into_iter().chain(self.pending.iter().map(|one| one.until)).min()
    }

    /// Takes out what is kept of links that are over.
    pub fn forget_links(&mut self, now: UnixTime) {
        if let Some(account) = &mut self.account {
            account.tokens.forget(now);
        }
        self.pending.retain(|one| now < one.until);
    }

    /// Whether no mail is counted.
    pub(in crate::account) fn counts_no_mails(&self) -> bool {
        self.mails.is_empty()
    }

    /// Whether no mail counts any more.
    pub(super) fn has_no_mails(&self, now: UnixMillis) -> bool {
        self.mails.iter().all(|(r#use, mails)| mails.is_over(bound_of(*r#use), now))
    }
}

impl Account {
    /// Whether it gets links of this use.
    ///
    /// A link shows that somebody reads the owner's mail. That is one factor: the second one is asked for after it, as after a password. Where the
    /// address was never shown to be the owner's, nobody logs in by it; nor does it bring a new password where there is a second factor: of what
    /// stays then, nobody knows whose it is.
    #[must_use]
    pub fn takes_link(&self, r#use: Use) -> bool {
        match r#use {
            Use::Reset => {
                // Who is invited comes by the invitation, while it is good.
                matches!(self.standing, Standing::Active | Standing::ResetRequired)
                    && (self.is_verified || !self.factors().is_second())
            }
            Use::MagicLink => self.standing == Standing::Active && self.is_verified,
            Use::Invitation => self.standing == Standing::Invited,
            Use::VerifyEmail => self.standing != Standing::Disabled,
        }
    }

    /// Whether its address is kept.
    #[must_use]
    pub const fn has_address(&self) -> bool {
        self.address.is_some()
    }

    /// Keeps its address, sealed, if none is: all mails of a row go to the same one.
    pub fn keep_address(&mut self, sealed: &str) {
        self.address.get_or_insert_with(|| sealed.to_owned());
    }

    /// Notes that a link goes out.
    pub fn send(&mut self, token: (TokenHash, Beside), r#use: Use, now: UnixTime) {
        self.tokens.add(token, r#use, self.password_version, now);
    }

    /// Whether such a link is out and good, whoever has asked for it.
    #[must_use]
    pub fn has_link(&self, token: &TokenHash, r#use: Use, now: UnixTime) -> bool {
        self.takes_link(r#use)
            && self.tokens.beside(token, r#use, self.password_version, now).is_some()
    }

    /// Uses a link up, and returns what was kept beside its token. One that came by mail shows that the address is its owner's. Whoever made
    /// the account before that may have been somebody else, who waits for the owner to come: of what was set up until then nothing is left.
    #[must_use]
    pub fn take_link(
        &mut self,
        token: (&TokenHash, Option<&AskerHash>),
        r#use: Use,
        now: UnixTime,
    ) -> Option<Beside> {
        if !self.takes_link(r#use) {
            return None;
        }
        let taken = self.tokens.take(token, r#use, self.password_version, now)?;
        if !self.is_verified {
            self.is_verified = true;
            self.password = None;
            self.password_version = self.password_version.wrapping_add(1);
            self.drop_factors();
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::AccountId, *};
    use hmac::{Hmac, Mac as _};

    use crate::account::{
        attempts::DEFAULT_BOUND,
        authenticator::{AuthenticatorKey, Salt},
        totp,
    };

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    fn account(standing: Standing, is_verified: bool) -> Account {
        let id = AccountId::from_bytes([1; 16]);
        let made = Account::new(id, standing, Vec::new(), NOW.to_unix_time());
        Account { is_verified, ..made }
    }

    fn with_second_factor(mut account: Account) -> Account {
        let key = AuthenticatorKey::new(Hmac::new_from_slice(&[1; 32]).unwrap());
        let salt = Salt::from_bytes([8; 16]);
        account.set_up(salt, NOW.to_unix_time());
        let code = totp::shown(&key.secret(&account.id, &salt), NOW.to_unix_time());
        let mut row = NameRow { account: Some(account), ..NameRow::default() };
        let at = (DEFAULT_BOUND, NOW);
        assert_eq!(row.confirm_authenticator(&code, Vec::new(), &key, at), Ok(()));
        row.account.unwrap()
    }

    #[test]
    fn which_links_an_account_gets() {
        let takes = |account: &Account| {
            [Use::Reset, Use::MagicLink, Use::Invitation].map(|r#use| account.takes_link(r#use))
        };
        let active = account(Standing::Active, true);
        assert_eq!(takes(&active), [true, true, false]);
        assert_eq!(takes(&with_second_factor(active.clone())), [true, true, false]);
        let strange = account(Standing::Active, false);
        assert_eq!(takes(&strange), [true, false, false]);
        assert_eq!(takes(&with_second_factor(strange.clone())), [false, false, false]);
        assert_eq!(takes(&account(Standing::Invited, false)), [false, false, true]);
        assert_eq!(takes(&account(Standing::ResetRequired, true)), [true, false, false]);
        assert_eq!(takes(&account(Standing::Disabled, true)), [false, false, false]);
    }

    #[test]
    fn a_reset_leaves_the_second_factor_of_its_owner() {
        let mut account = with_second_factor(account(Standing::Active, true));
        let hash = TokenHash::from_bytes([1; 32]);
        account.send((hash, Beside::default()), Use::Reset, NOW.to_unix_time());
        let taken = account.take_link((&hash, None), Use::Reset, NOW.to_unix_time());
        assert!(taken.is_some());
        assert!(account.factors().is_second());
    }

    #[test]
    fn a_link_of_an_account_that_was_disabled_meanwhile_is_none() {
        let mut account = account(Standing::Active, true);
        let hash = TokenHash::from_bytes([1; 32]);
        account.send((hash, Beside::default()), Use::Reset, NOW.to_unix_time());
        account.standing = Standing::Disabled;
        assert_eq!(account.take_link((&hash, None), Use::Reset, NOW.to_unix_time()), None);
    }

    #[test]
    fn nothing_is_kept_of_a_link_that_is_over() {
        let mut row = NameRow::default();
        let mut ada = account(Standing::Active, true);
        let sealed = Beside { sealed: Some("sealed".to_owned()), asker: None };
        ada.send((TokenHash::from_bytes([1; 32]), sealed), Use::Reset, NOW.to_unix_time());
        row.account = Some(ada);
        let end = row.next_end_of_links().unwrap();
        row.forget_links(NOW.to_unix_time());
        assert_eq!(row.next_end_of_links(), Some(end));
        row.forget_links(end);
        assert_eq!(row.next_end_of_links(), None);
    }

    #[test]
    fn a_name_gets_three_mails_of_a_use_while_its_link_is_good() {
        let mut row = NameRow::default();
        for (r#use, secs) in
            [(Use::Reset, 900), (Use::MagicLink, 3_600), (Use::VerifyEmail, 86_400)]
        {
            let sent = (0..100).filter(|_| row.reserve_mail(r#use, None, NOW).is_ok()).count();
            assert_eq!(sent, 3);
            let until = NOW.saturating_add(secs * 1000);
            assert_eq!(row.reserve_mail(r#use, None, NOW), Err(until));
            let soon = NOW.saturating_add(secs * 1000 - 1);
            assert_eq!(row.reserve_mail(r#use, None, soon), Err(until));
            assert!(!row.forget_counts(DEFAULT_BOUND, soon).codes_and_mails);
        }
        let later = NOW.saturating_add(86_400_000);
        assert!(row.forget_counts(DEFAULT_BOUND, later).codes_and_mails);
        assert_eq!(row, NameRow::default());
        assert!(row.reserve_mail(Use::Reset, None, later).is_ok());
    }

    #[test]
    fn strangers_keep_no_browser_that_is_known_from_a_link() {
        let account_of = account(Standing::Active, true);
        let mut row = NameRow { account: Some(account_of), ..NameRow::default() };
        let (known, stranger) = (DeviceHash::from_bytes([1; 32]), DeviceHash::from_bytes([2; 32]));
        row.know(known);
        let mut sent = |device: Option<&DeviceHash>| {
            (0..100).filter(|_| row.reserve_mail(Use::Reset, device, NOW).is_ok()).count()
        };
        assert_eq!((sent(Some(&stranger)), sent(None)), (3, 0));
        // All uses together, and as many as anybody has.
        assert_eq!(sent(Some(&known)), 3);
        assert!(row.reserve_mail(Use::MagicLink, Some(&known), NOW).is_err());
        // With a new password it is a stranger again.
        let account = row.account.as_mut().unwrap();
        account.password_version = account.password_version.wrapping_add(1);
        let later = NOW.saturating_add(1);
        assert!(row.reserve_mail(Use::Reset, Some(&known), later).is_err());
    }

    /// Three that somebody else asks for leave the owner a link, or have another one sent.
    #[test]
    fn a_name_that_gets_no_more_mails_has_a_link_that_is_good() {
        let (mut row, mut sent) = (NameRow::default(), Vec::new());
        row.account = Some(account(Standing::Active, true));
        for minute in 0..120_u64 {
            let now = NOW.saturating_add(minute * 60_000);
            let hash = TokenHash::from_bytes([u8::try_from(minute).unwrap(); 32]);
            if row.reserve_mail(Use::Reset, None, now).is_ok() {
                let account = row.account.as_mut().unwrap();
                account.send((hash, Beside::default()), Use::Reset, now.to_unix_time());
                sent.push(hash);
            }
            let account = row.account.as_ref().unwrap();
            let good = |hash| account.has_link(hash, Use::Reset, now.to_unix_time());
            assert!(sent.iter().any(good), "{minute}");
        }
    }
}
