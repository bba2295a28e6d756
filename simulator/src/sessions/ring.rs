//! Rotation of the signing keys: verifiers that keep the published keys for as long as they may never meet an unknown key.

use std::collections::BTreeSet;

use edgegate::{
    jose::algorithm::Algorithm,
    session::{
        key_ring::{RING_CACHE_SECS, RingPlan, RingRecord, StoredKey},
        metadata::CACHE_SECS,
    },
    time::UnixTime,
};

use super::Report;
use crate::world::Chance;

const ROTATIONS: u64 = 1_000;
const ACCESS_SECS: u64 = 900;

/// Somebody who keeps the ring, or the published keys, for a while.
#[derive(Default)]
struct Keeper {
    ring: RingRecord,
    fetched_at: u64,
    ahead: i64,
}

impl Keeper {
    fn sees(&mut self, ring: &RingRecord, (now, keeps): (u64, u64)) {
        if self.ring.keys.is_empty() || now - self.fetched_at >= keeps {
            self.ring = ring.clone();
            self.fetched_at = now;
        }
    }

    fn time(&self, now: u64) -> UnixTime {
        UnixTime::from_secs(i64::try_from(now).expect("a date") + self.ahead)
    }
}

/// A thousand rotations.
pub(super) fn report(seed: u64) -> Report {
    let mut chance = Chance::new(seed);
    let mut keeper = || Keeper { ahead: chance.below(121) as i64 - 60, ..Keeper::default() };
    let mut isolates: Vec<Keeper> = (0..10).map(|_| keeper()).collect();
    let mut verifiers: Vec<Keeper> = (0..10).map(|_| keeper()).collect();
    let mut ring = RingRecord::default();
    ring.note_life(ACCESS_SECS as u32);
    let (mut made, mut unknown, mut checked, mut most) = (0, 0_u64, 0_u64, 0);
    let mut signed: Vec<(String, u64)> = Vec::new();
    let mut now = 1_700_000_000_u64;
    let mut kids = BTreeSet::new();
    while made <= ROTATIONS {
        // Mostly short steps, and now and then a whole day.
        now += if chance.happens(20_000) { 86_400 } else { chance.between(20, 400) };
        let time = UnixTime::from_secs(i64::try_from(now).expect("a date"));
        if let RingPlan::Create { active_from } = ring.plan(Algorithm::Es256, 1, time) {
            // A hundred isolates ask at once, and each has a key made.
            for racer in 0..100 {
                let key = StoredKey {
                    kid: format!("{made}-{racer}"),
                    alg: "ES256".to_owned(),
                    sealed: String::new(),
                    sealed_by: 1,
                    published_at: time,
                    active_from,
                };
                let kid = key.kid.clone();
                if ring.add(key, (Algorithm::Es256, time)) {
                    made += 1;
                    kids.insert(kid);
                }
            }
        }
        ring.drop_ended(time);
        most = most.max(ring.keys.len());
        signed.retain(|(_, exp)| now < exp + 60);
        for isolate in &mut isolates {
            isolate.sees(&ring, (now, RING_CACHE_SECS));
            let its_time = isolate.time(now);
            let key = isolate.ring.signing_key(its_time).expect("a ring has a key");
            if chance.happens(300_000) {
                signed.push((key.kid.clone(), now + ACCESS_SECS));
            }
        }
        for verifier in &mut verifiers {
            verifier.sees(&ring, (now, u64::from(CACHE_SECS)));
            for (kid, _) in &signed {
                checked += 1;
                unknown += u64::from(!verifier.ring.keys.iter().any(|key| key.kid == *kid));
            }
        }
    }
    let text = format!(
        "{ROTATIONS} rotations of signing keys, {checked} tokens checked: {unknown} by unknown keys; at most {most} keys published; {} keys for {made} rotations with 100 isolates at once",
        kids.len()
    );
    let fault = (unknown > 0).then(|| {
        format!("sessions: {unknown} tokens were signed by keys that verifiers did not know")
    });
    Report { text, faults: fault.into_iter().collect() }
}
