//! Where mails wait, as far as this gate has heard.

use std::cell::RefCell;

use super::task::{HostJobs, Job};
use edgegate::account::step::Shard;
use edgegate::time::UnixMillis;

/// The shards in which mails wait, and when the next one of each is due. There are 4,096 shards of names, so it stays small.
#[derive(Debug, Default)]
pub(super) struct MailWaits(RefCell<Vec<(Shard, UnixMillis)>>);

impl MailWaits {
    /// Notes that mails wait, and has the shell come back for them.
    pub(super) fn note(&self, shard: Shard, (at, is_new): (UnixMillis, bool), jobs: &HostJobs) {
        let mut waits = self.0.borrow_mut();
        match waits.iter_mut().find(|(known, _)| *known == shard) {
            Some((_, known)) => *known = at,
            None => waits.push((shard, at)),
        }
        jobs.tell(&Job::HandMails { millis: at.millis_since(jobs.now()), is_new });
    }

    /// The shards in which some are due. Whoever gets them sees to them.
    pub(super) fn take_due(&self, now: UnixMillis) -> Vec<Shard> {
        let mut waits = self.0.borrow_mut();
        let due = waits.iter().filter(|(_, at)| *at <= now).map(|(shard, _)| *shard).collect();
        waits.retain(|(_, at)| now < *at);
        due
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<UnixMillis> {
        self.0.borrow().iter().map(|(_, at)| *at).min()
    }
}
