//! Links by mail: asked for, sent behind the answer, used.

use core::time::Duration;

use super::{MAIL, NAME, ShardState, Terms};
use crate::{
    account::{
        hash::{PasswordHash, SALT_BYTES},
        link_step::{AskLink, LogInByLink, SealedMail, SetByLink},
        mail::{MailId, MailKind},
        mailbox::WaitingMail,
        one_time::{Beside, Use},
        row::{AccountId, DeviceHash, Kept, NameRow, RowKey},
        step::{LoginOutcome, Right},
    },
    time::UnixMillis,
    watch::state::Delivery,
};

/// How long after a fault the writer works again. Rows of which nothing has to be kept are in no hurry.
const AFTER_FAULT: Duration = Duration::from_secs(3_600);

/// The same while somebody waits for a mail: links to a new password are good for 15 minutes.
const AFTER_FAULT_OF_MAILS: Duration = Duration::from_secs(60);

impl ShardState {
    /// How long after a fault the writer works again.
    #[must_use]
    pub fn wait_after_fault(&self, now: UnixMillis) -> Duration {
        if self.mails.is_waiting(now) { AFTER_FAULT_OF_MAILS } else { AFTER_FAULT }
    }

    /// Mails that are to be sent now.
    #[must_use]
    pub fn due_mails(&self, now: UnixMillis) -> Vec<(MailId, WaitingMail)> {
        self.mails.due(now)
    }

    /// So many of them at most, for one of several who may send them: from the first time to the second no other gets them.
    pub fn take_due_mails(
        &mut self,
        most: usize,
        at: (UnixMillis, UnixMillis),
    ) -> Vec<(MailId, WaitingMail)> {
        let due = self.mails.take_due(most, at);
        self.changed.extend(due.iter().map(|(id, _)| format!("{MAIL}{id}")));
        due
    }

    /// When the next mail is due; `None`: none waits.
    #[must_use]
    pub fn mails_wake_at(&self) -> Option<UnixMillis> {
        self.mails.wakes_at()
    }

    /// Whether the step of this time has left a mail.
    #[must_use]
    pub fn has_new_mail(&self, now: UnixMillis) -> bool {
        self.mails.has_due_from(now)
    }

    /// Takes out mails that came too late, without a word of it.
    pub fn forget_late_mails(&mut self, now: UnixMillis) {
        self.mails.forget_late(now);
    }

    /// What a mail is about; `None`: it is to nobody, or is gone.
    #[must_use]
    pub fn kind_of_mail(&self, id: &MailId) -> Option<MailKind> {
        self.mails.get(id)?.kind
    }

    /// Notes what came of sending one. Whether it is given up.
    pub fn sent_mail(&mut self, id: &MailId, delivery: Delivery, now: UnixMillis) -> bool {
        let is_lost = self.mails.sent(id, delivery, now);
        self.changed.insert(format!("{MAIL}{id}"));
        is_lost
    }

    /// A link for whoever has the name. What is written is the same for every name: a count, and a mail that waits.
    pub(super) fn ask_link(
        &mut self,
        ask: AskLink,
        terms: Terms<'_>,
        now: UnixMillis,
    ) -> LoginOutcome {
        let AskLink { key, r#use, mail, asker, device } = ask;
        let device = device.map(|device| device.hash_for(&key));
        let kind = match r#use {
            Use::Reset => MailKind::Reset,
            Use::MagicLink => MailKind::MagicLink,
            Use::VerifyEmail | Use::Invitation => return LoginOutcome::Gone,
        };
        let row = match self.row_for_mail(&key, (r#use, device.as_ref()), terms, now) {
            Ok(row) => row,
            Err(until) => return LoginOutcome::TooMany(until),
        };
        let account = row.account.as_mut().filter(|account| account.takes_link(r#use));
        let account = account.map(|account| {
            let beside = Beside { sealed: Some(mail.sealed.clone()), asker };
            account.send((mail.token, beside), r#use, now.to_unix_time());
            account.keep_address(&mail.sealed);
            account.id
        });
        self.note(NAME, &key);
        self.post(&key, (kind, account), mail.into(), now);
        LoginOutcome::Done
    }

    /// A new password by a link. All browsers that are known are strangers from now on but the one that has used it, and the owner is told.
    pub(super) fn set_by_link(
        &mut self,
        set: &SetByLink,
        terms: Terms<'_>,
        (salt, now): ([u8; SALT_BYTES], UnixMillis),
    ) -> LoginOutcome {
        let key = self.key_of(&set.id).filter(|key| set.key.is_none_or(|given| given == *key));
        let Some(key) = key else { return LoginOutcome::Gone };
        let Some(row) = self.names.get_mut(&key) else { return LoginOutcome::Gone };
        let Some(account) = row.account.as_mut() else { return LoginOutcome::Gone };
        // The link is used up only where the password is set.
        let mut changed = account.clone();
        let taken = changed.take_link((&set.token, None), set.r#use, now.to_unix_time());
        let Some(beside) = taken else { return LoginOutcome::Gone };
        let password = set.password.as_bytes();
        let hash = PasswordHash::new(password, salt, terms.cost, terms.peppers);
        let Some(hash) = hash else { return LoginOutcome::BadHash };
        changed.set_password(Kept::Own(hash));
        *account = changed;
        if let Some(device) = set.device {
            row.know(device.hash_for(&key));
        }
        self.note(NAME, &key);
        if let (Use::Reset, Some(sealed)) = (set.r#use, beside.sealed) {
            let mail = SealedMail { id: set.told_by, sealed };
            self.post(&key, (MailKind::PasswordChanged, Some(set.id)), mail, now);
        }
        LoginOutcome::Done
    }

    /// A login by a link, in the browser that has asked for it. In another one the link stays good.
    pub(super) fn log_in_by_link(&mut self, by: &LogInByLink, now: UnixMillis) -> LoginOutcome {
        let LogInByLink { id, token, asker } = by;
        let now = now.to_unix_time();
        let Some(key) = self.key_of(id) else { return LoginOutcome::Gone };
        let row = self.names.get_mut(&key);
        let Some(account) = row.and_then(|row| row.account.as_mut()) else {
            return LoginOutcome::Gone;
        };
        if account.take_link((token, Some(asker)), Use::MagicLink, now).is_none() {
            let is_good = account.has_link(token, Use::MagicLink, now);
            return if is_good { LoginOutcome::AnotherBrowser } else { LoginOutcome::Gone };
        }
        let right = Right::of(account);
        self.note(NAME, &key);
        LoginOutcome::Right(right)
    }

    /// The row of a name that is to get a mail, which is counted.
    pub(super) fn row_for_mail(
        &mut self,
        key: &RowKey,
        (r#use, device): (Use, Option<&DeviceHash>),
        terms: Terms<'_>,
        now: UnixMillis,
    ) -> Result<&mut NameRow, UnixMillis> {
        if !self.mails.has_room() {
            return Err(now.saturating_add(terms.bound.window_millis));
        }
        let full = now.saturating_add(terms.bound.window_millis);
        let row = self.row(key, terms.bound, now).ok_or(full)?;
        row.reserve_mail(r#use, device, now)?;
        Ok(row)
    }

    /// Has a mail wait: to an account, or to nobody.
    pub(super) fn post(
        &mut self,
        row: &RowKey,
        (kind, to): (MailKind, Option<AccountId>),
        SealedMail { id, sealed }: SealedMail,
        now: UnixMillis,
    ) {
        let waiting = WaitingMail {
            kind: to.map(|_| kind),
            account: to.unwrap_or(AccountId::from_bytes([0; 16])),
            row: *row,
            sealed,
            until: now.to_unix_time().saturating_add(kind.lifetime_secs()),
            tries: 0,
            next_at: now,
        };
        self.mails.put(id, waiting);
        self.changed.insert(format!("{MAIL}{id}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::{
            asker::AskerHash,
            attempts::{Bound, DEFAULT_BOUND},
            hash::Cost,
            link_step::NewMail,
            one_time::TokenHash,
            row::new_account_id,
            secrets::AccountSecrets,
            shard::tests::wakes_of,
            step::{Create, Guess, LoginStep, NewPassword},
        },
        secret::Secret,
    };

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };
    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
    const ADA: RowKey = RowKey::from_bytes([1; 32]);
    const NOBODY: RowKey = RowKey::from_bytes([2; 32]);

    fn step(state: &mut ShardState, step: LoginStep) -> LoginOutcome {
        let secrets = AccountSecrets::new(vec![(1, Secret::new(vec![1; 32]))]).unwrap();
        let terms = Terms {
            bound: DEFAULT_BOUND,
            cost: CHEAP,
            peppers: secrets.peppers(),
            authenticators: secrets.authenticators(),
            imports: &[],
        };
        let step = LoginStep::from_text(&step.to_text()).unwrap();
        let outcome = state.apply(step, terms, ([9; SALT_BYTES], NOW), &mut |_| Ok(())).unwrap();
        LoginOutcome::from_text(&outcome.to_text()).unwrap()
    }

    fn id() -> AccountId {
        new_account_id(7, [3; 14])
    }

    fn with_ada() -> ShardState {
        let mut state = ShardState::default();
        let password = NewPassword::Typed("quiet river, late boat".to_owned());
        let create = Create {
            key: ADA,
            id: id(),
            password,
            scopes: Vec::new(),
            is_verified: true,
            address: None,
        };
        let made = step(&mut state, LoginStep::Create(create));
        assert!(matches!(made, LoginOutcome::Shown(_)));
        let _ = state.take_changes().unwrap();
        state
    }

    /// The time of a link is counted in whole seconds, that of a mail in milliseconds.
    #[test]
    fn the_writer_wakes_as_often_whether_the_name_has_an_account() {
        let now = NOW.saturating_add(900);
        for window_millis in [60_000, 900_000, 1_000_000, 3_600_000] {
            let bound = Bound { window_millis, ..DEFAULT_BOUND };
            for r#use in [Use::Reset, Use::MagicLink] {
                let of = |mut state: ShardState| {
                    let LoginStep::AskLink(mut asked) = ask(ADA, 1) else { panic!("it asks") };
                    asked.r#use = r#use;
                    asked.asker = (r#use == Use::MagicLink).then(|| AskerHash::from_bytes([1; 32]));
                    let secrets = AccountSecrets::new(vec![(1, Secret::new(vec![1; 32]))]).unwrap();
                    let terms = Terms {
                        bound,
                        cost: CHEAP,
                        peppers: secrets.peppers(),
                        authenticators: secrets.authenticators(),
                        imports: &[],
                    };
                    let at = ([9; SALT_BYTES], now);
                    let step = LoginStep::AskLink(asked);
                    assert_eq!(
                        state.apply(step, terms, at, &mut |_| Ok(())).unwrap(),
                        LoginOutcome::Done
                    );
                    let written = state.take_changes().unwrap().len();
                    (written, wakes_of(&mut state, bound, now))
                };
                let (known, nobody) = (of(with_ada()), of(ShardState::default()));
                assert_eq!(known, nobody, "{window_millis} {use:?}");
                assert!(known.1.len() >= 2, "for the mail, and for what was counted");
            }
        }
    }

    fn ask(key: RowKey, byte: u8) -> LoginStep {
        let mail = NewMail {
            id: MailId::from_bytes([byte; 16]),
            sealed: format!("sealed {byte}"),
            token: TokenHash::from_bytes([byte; 32]),
        };
        LoginStep::AskLink(AskLink { key, r#use: Use::Reset, mail, asker: None, device: None })
    }

    fn set(byte: u8, r#use: Use) -> LoginStep {
        LoginStep::SetByLink(SetByLink {
            id: id(),
            key: None,
            r#use,
            token: TokenHash::from_bytes([byte; 32]),
            password: "seven slow bicycles".to_owned(),
            told_by: MailId::from_bytes([100; 16]),
            device: None,
        })
    }

    #[test]
    fn for_each_name_the_same_is_written_and_whoever_is_nobody_is_told_nothing() {
        let mut state = with_ada();
        let mut written = Vec::new();
        for (key, byte) in [(ADA, 1), (NOBODY, 2)] {
            assert_eq!(step(&mut state, ask(key, byte)), LoginOutcome::Done);
            let names: Vec<String> =
                state.take_changes().unwrap().into_iter().map(|change| change.name).collect();
            written.push(names);
        }
        let [of_ada, of_nobody] = written.try_into().unwrap();
        assert_eq!(
            of_ada,
            [format!("mail/{}", MailId::from_bytes([1; 16])), format!("name/{ADA}")]
        );
        assert_eq!(of_nobody.len(), of_ada.len());
        let due = state.due_mails(NOW);
        let kinds: Vec<Option<MailKind>> = due.iter().map(|(_, mail)| mail.kind).collect();
        assert_eq!(kinds, [Some(MailKind::Reset), None]);
        assert_eq!(state.wakes_at(DEFAULT_BOUND, NOW), Some(NOW));
    }

    #[test]
    fn after_a_fault_mails_wait_a_minute_while_their_links_are_good() {
        let mut state = with_ada();
        let hour = Duration::from_secs(3_600);
        assert_eq!(state.wait_after_fault(NOW), hour);
        step(&mut state, ask(NOBODY, 2));
        assert_eq!(state.wait_after_fault(NOW), hour);
        step(&mut state, ask(ADA, 1));
        assert_eq!(state.wait_after_fault(NOW), Duration::from_secs(60));
        assert_eq!(state.wait_after_fault(NOW.saturating_add(900_000)), hour);
    }

    #[test]
    fn of_a_hundred_who_use_a_link_one_does_and_the_owner_is_told_where_it_went() {
        let mut state = with_ada();
        step(&mut state, ask(ADA, 1));
        assert_eq!(step(&mut state, set(1, Use::Invitation)), LoginOutcome::Gone);
        assert_eq!(step(&mut state, set(2, Use::Reset)), LoginOutcome::Gone);
        let done = (0..100).filter(|_| step(&mut state, set(1, Use::Reset)) == LoginOutcome::Done);
        assert_eq!(done.count(), 1);
        let due = state.due_mails(NOW);
        let told: Vec<(Option<MailKind>, &str)> =
            due.iter().map(|(_, mail)| (mail.kind, mail.sealed.as_str())).collect();
        let (reset, changed) = (Some(MailKind::Reset), Some(MailKind::PasswordChanged));
        assert_eq!(told, [(reset, "sealed 1"), (changed, "sealed 1")]);
    }

    /// Strangers who use up the guesses at a name do not take the way back from its owner.
    #[test]
    fn guesses_at_a_password_do_not_count_as_guesses_at_a_link() {
        let mut state = with_ada();
        for _ in 0..10 {
            let guess = Guess { key: ADA, password: "wrong".to_owned(), device: None };
            let _ = step(&mut state, LoginStep::Guess(guess));
        }
        let right = Guess { key: ADA, password: "quiet river, late boat".to_owned(), device: None };
        let shut_out = step(&mut state, LoginStep::Guess(right));
        assert!(matches!(shut_out, LoginOutcome::TooMany(_)));
        let _ = step(&mut state, ask(ADA, 1));
        let set = step(&mut state, set(1, Use::Reset));
        assert!(!matches!(set, LoginOutcome::Gone | LoginOutcome::TooMany(_)), "{set:?}");
    }

    #[test]
    fn a_link_logs_in_once_and_only_where_it_was_asked_for() {
        let mut state = with_ada();
        let (own, other) = (AskerHash::from_bytes([7; 32]), AskerHash::from_bytes([8; 32]));
        let LoginStep::AskLink(asked) = ask(ADA, 1) else { panic!("it asks") };
        let asked = AskLink { r#use: Use::MagicLink, asker: Some(own), ..asked };
        assert_eq!(step(&mut state, LoginStep::AskLink(asked)), LoginOutcome::Done);
        let by = |state: &mut ShardState, byte, asker| {
            let token = TokenHash::from_bytes([byte; 32]);
            step(state, LoginStep::LogInByLink(LogInByLink { id: id(), token, asker }))
        };
        assert_eq!(by(&mut state, 2, own), LoginOutcome::Gone);
        assert_eq!(step(&mut state, set(1, Use::Reset)), LoginOutcome::Gone);
        assert_eq!(by(&mut state, 1, other), LoginOutcome::AnotherBrowser);
        let come = (0..100).filter(|_| matches!(by(&mut state, 1, own), LoginOutcome::Right(_)));
        assert_eq!(come.count(), 1);
        // That another browser has asked is said of a link that is good.
        assert_eq!(by(&mut state, 1, other), LoginOutcome::Gone);
    }

    #[test]
    fn mails_that_wait_are_stored_and_go_when_they_are_sent() {
        let mut state = with_ada();
        let stored: Vec<(String, String)> = {
            step(&mut state, ask(ADA, 1));
            let changes = state.take_changes().unwrap().into_iter();
            changes.map(|change| (change.name, change.value.unwrap())).collect()
        };
        let lent = stored.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut read = ShardState::from_rows(lent).unwrap();
        assert_eq!(read.due_mails(NOW), state.due_mails(NOW));
        let id = MailId::from_bytes([1; 16]);
        assert!(!read.sent_mail(&id, Delivery::Taken, NOW));
        let gone = read.take_changes().unwrap();
        assert_eq!(gone.len(), 1);
        assert_eq!((gone[0].name.as_str(), &gone[0].value), (format!("mail/{id}").as_str(), &None));
    }

    #[test]
    fn three_mails_an_hour_and_no_more_than_there_is_room_for() {
        let mut state = with_ada();
        let sent =
            (0..50).filter(|byte| step(&mut state, ask(ADA, *byte)) == LoginOutcome::Done).count();
        assert_eq!(sent, 3);
        assert!(matches!(step(&mut state, ask(ADA, 60)), LoginOutcome::TooMany(_)));
        let key = |number: u8| RowKey::from_bytes([number; 32]);
        for number in 10..=250 {
            let _ = step(&mut state, ask(key(number), number));
        }
        assert_eq!(state.due_mails(NOW).len(), 200);
    }
}
