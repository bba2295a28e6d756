//! Mails that wait to be sent: kept in the step that has made their links, and sent behind the answer.
//!
//! A mail to nobody waits as one to somebody does, so that what is written, and when the writer wakes, tells nothing of a name.

use serde::{Deserialize, Serialize};

use super::{
    mail::{MailId, MailKind},
    row::{AccountId, RowKey},
};
use crate::{
    sorted::SortedList,
    time::{UnixMillis, UnixTime},
    watch::state::Delivery,
};

/// How many may wait in one shard. In 4,096 shards that is more than all together may ask for while a link is good.
const MAX_WAITING: usize = 200;

/// The wait after the first failure; then three times as long each.
const RETRY_MILLIS: u64 = 10_000;

/// How often one is tried: over 20 minutes, where its link is good for so long.
const MAX_TRIES: u32 = 6;

/// A mail that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingMail {
    /// What it is about; `None`: there is nobody who gets it.
    pub kind: Option<MailKind>,
    /// Whose it is.
    pub account: AccountId,
    /// The row that its seal is bound to.
    pub row: RowKey,
    /// Where it goes, and the token of its link, sealed.
    pub sealed: String,
    /// After this it is worth nothing.
    pub until: UnixTime,
    /// How often it was tried.
    pub tries: u32,
    /// Before this it is not tried again.
    pub next_at: UnixMillis,
}

impl WaitingMail {
    /// Whether it came too late: its link is over, and the next one is to be asked for.
    #[must_use]
    pub fn is_late(&self, now: UnixMillis) -> bool {
        self.until <= now.to_unix_time()
    }
}

/// All that wait.
#[derive(Debug, Default)]
pub struct Mailbox(SortedList<MailId, WaitingMail>);

impl Mailbox {
    /// Reads one that was stored.
    pub fn read(&mut self, id: MailId, mail: WaitingMail) {
        self.0.insert(id, mail);
    }

    /// One that waits.
    #[must_use]
    pub fn get(&self, id: &MailId) -> Option<&WaitingMail> {
        self.0.get(id)
    }

    /// Whether there is room for one more.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.0.len() < MAX_WAITING
    }

    /// Has one wait.
    pub fn put(&mut self, id: MailId, mail: WaitingMail) {
        self.0.insert(id, mail);
    }

    /// Those that are to be sent now.
    #[must_use]
    pub fn due(&self, now: UnixMillis) -> Vec<(MailId, WaitingMail)> {
        let due = self.0.iter().filter(|(_, mail)| mail.next_at <= now);
        due.cloned().collect()
    }

    /// Those that are to be sent now, so many at most, each for whoever asks first: until then nobody else gets it. If nothing is heard of it,
    /// it is due again.
    pub fn take_due(
        &mut self,
        most: usize,
        (now, until): (UnixMillis, UnixMillis),
    ) -> Vec<(MailId, WaitingMail)> {
        let mut due = self.due(now);
        due.truncate(most);
        for (id, _) in &due {
            if let Some(mail) = self.0.get_mut(id) {
                mail.next_at = until;
            }
        }
        due
    }

    /// Takes out those that came too late.
    pub fn forget_late(&mut self, now: UnixMillis) {
        self.0.retain(|_, mail| !mail.is_late(now));
    }

    /// Whether one waits that is worth something still.
    #[must_use]
    pub fn is_waiting(&self, now: UnixMillis) -> bool {
        self.0.values().any(|mail| mail.kind.is_some() && !mail.is_late(now))
    }

    /// Notes what came of sending one. Whether it is given up.
    pub fn sent(&mut self, id: &MailId, delivery: Delivery, now: UnixMillis) -> bool {
        let Some(mail) = self.0.get_mut(id) else { return false };
        let wait = RETRY_MILLIS.saturating_mul(3_u64.saturating_pow(mail.tries));
        mail.tries = mail.tries.saturating_add(1);
        mail.next_at = now.saturating_add(wait);
        let is_over = mail.tries >= MAX_TRIES || mail.until <= mail.next_at.to_unix_time();
        let is_lost = delivery == Delivery::Refused || (delivery == Delivery::Failed && is_over);
        if is_lost || delivery == Delivery::Taken {
            self.0.remove(id);
        }
        is_lost
    }

    /// When the next is due.
    #[must_use]
    pub fn wakes_at(&self) -> Option<UnixMillis> {
        self.0.values().map(|mail| mail.next_at).min()
    }

    /// Whether one is due from this time on: where it is the time of a step, the step has put one.
    #[must_use]
    pub fn has_due_from(&self, at: UnixMillis) -> bool {
        self.0.values().any(|mail| mail.next_at == at)
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    fn mailbox(secs: u64) -> (Mailbox, MailId) {
        let id = MailId::from_bytes([1; 16]);
        let mut mailbox = Mailbox::default();
        let mail = WaitingMail {
            kind: Some(MailKind::Reset),
            account: AccountId::from_bytes([1; 16]),
            row: RowKey::from_bytes([1; 32]),
            sealed: String::new(),
            until: NOW.to_unix_time().saturating_add(secs),
            tries: 0,
            next_at: NOW,
        };
        mailbox.put(id, mail);
        (mailbox, id)
    }

    #[test]
    fn one_that_fails_is_tried_again_for_as_long_as_its_link_is_good() {
        for (secs, tries) in [(900, 5), (86_400, 6), (30, 2)] {
            let (mut mailbox, id) = mailbox(secs);
            let mut now = NOW;
            let mut tried = 0;
            while let Some(at) = mailbox.wakes_at() {
                now = now.max(at);
                assert_eq!(mailbox.due(now).len(), 1);
                tried += 1;
                assert_eq!(mailbox.sent(&id, Delivery::Failed, now), mailbox.is_empty());
            }
            assert_eq!(tried, tries, "{secs}");
            assert!(now.to_unix_time() < NOW.to_unix_time().saturating_add(secs));
        }
    }

    #[test]
    fn one_is_late_when_its_link_is_over_and_nobody_waits_for_it() {
        let (mailbox, id) = mailbox(900);
        let mail = mailbox.get(&id).unwrap();
        for (secs, is_late) in [(0, false), (899, false), (900, true), (3_600, true)] {
            let now = NOW.saturating_add(secs * 1000);
            assert_eq!((mail.is_late(now), mailbox.is_waiting(now)), (is_late, !is_late), "{secs}");
        }
    }

    #[test]
    fn one_that_somebody_sends_is_not_due_for_others_until_that_has_taken_too_long() {
        let (mut mailbox, id) = mailbox(900);
        let until = NOW.saturating_add(30_000);
        assert!(mailbox.take_due(0, (NOW, until)).is_empty());
        assert_eq!(mailbox.take_due(6, (NOW, until)).len(), 1);
        assert!(mailbox.take_due(6, (NOW.saturating_add(29_999), until)).is_empty());
        assert_eq!(mailbox.take_due(6, (until, until.saturating_add(30_000))).len(), 1);
        assert!(!mailbox.sent(&id, Delivery::Taken, until));
        assert!(mailbox.is_empty());
    }

    #[test]
    fn one_that_is_taken_or_refused_for_good_is_gone() {
        let (mut first, id) = mailbox(900);
        assert!(!first.sent(&id, Delivery::Taken, NOW));
        assert!(first.is_empty());
        assert!(!first.sent(&id, Delivery::Taken, NOW));
        let (mut second, id) = mailbox(900);
        assert!(second.sent(&id, Delivery::Refused, NOW));
        assert!(second.is_empty());
    }
}
