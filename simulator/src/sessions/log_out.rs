//! Log-outs, with crashes between the subject's writer and where revocations are kept: none may be lost.

use std::collections::BTreeSet;

use edgegate::{
    session::{
        Salt, SessionId,
        record::{Device, Opening},
        state::{Paces, SubjectState},
        step::{Acknowledge, End, NewSession, Open, Step, Terms, Which},
    },
    time::UnixMillis,
};

use super::Report;
use crate::world::Chance;

const TERMS: Terms =
    Terms { access_secs: 900, idle_secs: 604_800, absolute_secs: 2_592_000, recheck_secs: 86_400 };

/// This many in a million: an isolate or a writer dies at one of the points.
const CRASHES: u64 = 200_000;

/// Simulates this many log-outs. It is a fault if one is lost.
pub(super) fn report(log_outs: u64, seed: u64) -> Report {
    let mut chance = Chance::new(seed);
    let (mut crashes, mut repeated, mut lost) = (0_u64, 0_u64, 0_u64);
    for number in 0..log_outs {
        let mut now = 1_700_000_000_000 + number;
        let mut state = SubjectState::default();
        let mut paces = Paces::default();
        let mut known = BTreeSet::new();
        let ids: Vec<SessionId> = (1..=chance.between(1, 4))
            .map(|session| {
                let id = SessionId::from_bytes([session as u8; 12]);
                let new = NewSession {
                    id,
                    salt: Salt::from_bytes([1; 8]),
                    key_id: 1,
                    device: Device::default(),
                    place: None,
                    browser: None,
                    begun_at: None,
                    terms: TERMS,
                };
                let opening = Opening { sub: "user".to_owned(), ..Opening::default() };
                let step = Step::Open(Open { opening, new });
                state.apply(&step, &mut paces, UnixMillis::from_millis(now));
                id
            })
            .collect();
        let mut stored = state.to_text().expect("rows can be written");
        let mut which = End::of(Which::One, ids[0]);
        if chance.happens(500_000) {
            which = End::all();
        }
        let mut step = Step::End(which.clone());
        let mut acknowledged = false;
        // The alarm comes again and again until nothing waits.
        for attempt in 0..100 {
            now += 1_000;
            state = SubjectState::from_text(&stored).expect("its own rows");
            let outcome = state.apply(&step, &mut paces, UnixMillis::from_millis(now));
            if attempt == 0 && chance.happens(CRASHES) {
                // It dies before anything is stored, so nobody was told that it is done.
                crashes += 1;
                continue;
            }
            stored = state.to_text().expect("rows can be written");
            acknowledged = true;
            step = Step::Sweep;
            if chance.happens(CRASHES) {
                crashes += 1;
                continue;
            }
            known.extend(outcome.notices.iter().filter_map(|notice| notice.sid));
            if chance.happens(CRASHES) {
                crashes += 1;
                repeated += 1;
                continue;
            }
            let acknowledge = Step::Acknowledge(Acknowledge { notices: outcome.notices });
            state.apply(&acknowledge, &mut paces, UnixMillis::from_millis(now));
            stored = state.to_text().expect("rows can be written");
            if state.notices().is_empty() {
                break;
            }
        }
        let wanted: Vec<&SessionId> = if which.which == Which::All {
            ids.iter().collect()
        } else {
            ids.iter().take(1).collect()
        };
        if acknowledged && wanted.iter().any(|id| !known.contains(*id)) {
            lost += 1;
        }
    }
    let text = format!(
        "{log_outs} log-outs, {crashes} crashes between row and revocation, {repeated} written twice: {lost} lost"
    );
    let fault = (lost > 0).then(|| format!("sessions: {lost} log-outs were lost"));
    Report { text, faults: fault.into_iter().collect() }
}
