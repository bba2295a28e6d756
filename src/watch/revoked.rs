//! Finds credentials that are used after they were revoked.
//!
//! A page that was open while its session ended asks once or twice more and stops. So a refusal is no finding. It is one if the
//! credential comes again more than a minute after the first refusal, or from another place than that after half a minute: a phone may
//! change its network just then.

use std::collections::HashMap;

use crate::time::UnixMillis;

/// How long an honest client may go on: a page that asks every half minute, and the answer that it waits for.
const GRACE_MILLIS: u64 = 60_000;

/// The same from another place. Without it, of hours in which 50 people log out, one in nine had a false alarm (docs/watch.md).
const MOVED_GRACE_MILLIS: u64 = 30_000;

/// How many credentials are known.
const MAX_CREDENTIALS: usize = 10_000;

/// One is forgotten after this time: a day, longer than an access token lives.
const FORGET_MILLIS: u64 = 86_400_000;

#[derive(Debug)]
struct Refused {
    first: UnixMillis,
    place: String,
    is_found: bool,
}

/// What is known of revoked credentials that were refused. It is in memory only: after a restart the grace begins anew.
#[derive(Debug, Default)]
pub struct Revoked {
    refused: HashMap<String, Refused>,
}

impl Revoked {
    /// Takes note of a refusal. Whether it is a finding: the first one of this credential.
    pub fn sight(&mut self, who: &str, place: &str, now: UnixMillis) -> bool {
        let Some(refused) = self.refused.get_mut(who) else {
            if self.refused.len() >= MAX_CREDENTIALS {
                self.refused.retain(|_, one| now.millis_since(one.first) < FORGET_MILLIS);
            }
            if self.refused.len() < MAX_CREDENTIALS {
                let refused = Refused { first: now, place: place.to_owned(), is_found: false };
                self.refused.insert(who.to_owned(), refused);
            }
            return false;
        };
        let grace = if refused.place == place { GRACE_MILLIS } else { MOVED_GRACE_MILLIS };
        let is_found = !refused.is_found && now.millis_since(refused.first) > grace;
        refused.is_found |= is_found;
        is_found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> UnixMillis {
        UnixMillis::from_millis(1_700_000_000_000 + secs * 1000)
    }

    #[test]
    fn a_page_that_asks_a_last_time_is_no_finding() {
        let mut revoked = Revoked::default();
        for secs in [0, 1, 30, 60] {
            assert!(!revoked.sight("c", "AS1", at(secs)), "{secs}");
        }
    }

    #[test]
    fn later_or_from_elsewhere_is_one_and_told_once() {
        let mut revoked = Revoked::default();
        assert!(!revoked.sight("late", "AS1", at(0)));
        assert!(revoked.sight("late", "AS1", at(61)));
        assert!(!revoked.sight("late", "AS2", at(70)));
        assert!(!revoked.sight("elsewhere", "AS1", at(0)));
        assert!(!revoked.sight("elsewhere", "AS2", at(30)), "a phone that changes its network");
        assert!(revoked.sight("elsewhere", "AS2", at(31)));
    }
}
