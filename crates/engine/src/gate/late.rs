//! What answers leave to be done once they are out.

use core::fmt;
use std::cell::RefCell;

use super::task::{HostJobs, Job};
use edgegate::account::step::{LoginStep, Shard};
use edgegate::guard::grants::Revocation;
use edgegate::session::ObjectName;
use edgegate::session::record::Notice;
use edgegate::session::step::{Confirm, End};
use edgegate::time::UnixMillis;

/// Something to be done once the answer is out.
#[derive(Debug)]
pub(super) enum Late {
    /// A token was seen in use.
    Confirm(ObjectName, Confirm),
    /// A session was ended.
    Deliver(ObjectName, Vec<Notice>),
    /// Sessions are to be ended, until the store answers.
    End(ObjectName, End),
    /// A guess that was right is given back.
    Account(LateStep),
    /// A provider is to be told that a token has ended.
    Revoke(Revocation),
    /// The key ring has to be read anew. The time is when that was decided.
    ReadRing(UnixMillis),
}

/// The most tasks that may wait until answers are out. Others are left to later requests.
const MAX_LATE: usize = 1000;

/// Leaves something to be done once the answer is out.
pub(super) fn do_later(
    late: &RefCell<Vec<Late>>,
    jobs: &HostJobs,
    more: impl IntoIterator<Item = Late>,
) {
    let mut late = late.borrow_mut();
    let before = late.len();
    late.extend(more);
    late.truncate(MAX_LATE);
    if late.len() > before {
        jobs.tell(&Job::WorkOff);
    }
}

/// A step that an answer has left.
pub(super) struct LateStep {
    pub(super) shard: Shard,
    pub(super) step: LoginStep,
}

/// Where it is taken. A step may hold a password.
impl fmt::Debug for LateStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LateStep").field(&self.shard).finish_non_exhaustive()
    }
}
