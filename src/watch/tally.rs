//! What an isolate has counted and not yet handed over.
//!
//! A request only adds to it. Behind some answer, one request at a time takes what has come together and sends it ([`Tally::take`]). What
//! was sent and not acknowledged is sent again as it was, under its number, until it is: so it is added once, whatever got lost on the
//! way. What is counted meanwhile waits for the next number.

use std::collections::BTreeMap;

use super::{
    counts::Counts,
    delta::{
        Acknowledged, Delta, MAX_ADMINISTERED, MAX_CROWDS, MAX_EVENTS, MAX_SIGHTINGS, Sighting,
    },
    event::{EventId, EventV1, Kind as EventKind, VERSION},
    place::Place,
    recent::Recent,
    series::{Account, Kind, Lateness, Series, Shadow},
    stuffing::Crowd,
    travel::{Located, Point},
};
use crate::{bounded::BoundedMap, sorted::SortedList, time::UnixMillis};

/// How long an isolate waits before it hands over, as long as nobody says otherwise.
pub const FLUSH_MILLIS: u64 = 10_000;

/// The least and the most that an isolate lets itself be told: what is left over after an answer lives for 30 seconds at most.
const FLUSH_BOUNDS: (u64, u64) = (1_000, 20_000);

/// How soon the first failure after a quiet time is told.
const QUICK_MILLIS: u64 = 1_000;

/// When a flush that was planned, or is under way, counts as lost with its request: longer than one can live.
const LOST_MILLIS: u64 = 45_000;

/// How long a delta is sent again. The other side remembers an isolate for longer ([`super::state`]), so that it is never added twice.
pub const RESEND_MILLIS: u64 = 600_000;

/// How many callers an isolate knows: each takes about 60 bytes.
const MAX_CALLERS: usize = 10_000;

/// A caller at a network is new again after this time.
const FIRST_SIGHT_MILLIS: u64 = 3_600_000;

/// How often a watched credential is told of.
const SIGHTING_MILLIS: u64 = 30_000;

/// One decision, as it is counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Noted<'a> {
    /// What it counts as.
    pub series: Series<'a>,
    /// Whether a credential was bad: also one that was not looked at, since there were too many before.
    pub is_failure: bool,
    /// How many seconds ago the token expired.
    pub late_secs: Option<u64>,
}

/// Where somebody was admitted.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The network operator, or else the network.
    pub place: Place,
    /// The country, if it is known.
    pub country: Option<&'a str>,
    /// Who it is and where on the earth, if a rule asks.
    pub located: Option<(u64, Point)>,
}

/// A credential at a place. All of it is numbers: texts are made when it is handed over ([`Sighting`]).
#[derive(Debug, Clone, Copy)]
pub struct Sighted {
    /// The number of the credential ([`Pseudonyms::number`](super::pseudonym::Pseudonyms::number)).
    pub who: u64,
    /// The network operator, or else the network.
    pub place: Place,
    /// When.
    pub at: UnixMillis,
    /// Whether it was refused since it is revoked.
    pub revoked: bool,
    /// Who it is and where on the earth, if a rule asks.
    pub located: Option<(u64, Point)>,
}

impl Sighted {
    fn told(&self) -> Sighting {
        let Self { who, place, at, revoked, located } = *self;
        let located = located.map(|(who, point)| Located { who: text_of(who), point });
        Sighting { who: text_of(who), place: place.to_string(), at, revoked, located }
    }
}

/// A number as it is handed over.
fn text_of(number: u64) -> String {
    format!("{number:016x}")
}

fn number_of(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[derive(Debug)]
struct Known {
    place: Place,
    told_at: UnixMillis,
}

#[derive(Debug)]
struct Pending {
    delta: Delta,
    since: UnixMillis,
}

/// The tally of an isolate.
#[derive(Debug)]
pub struct Tally {
    isolate: u64,
    seq: u64,
    /// How many events there were.
    events_made: u32,
    /// Decisions that are not in `counts` yet.
    recent: Recent,
    counts: Counts,
    events: Vec<EventV1>,
    /// What administrators did: no caller can take its place.
    administered: Vec<EventV1>,
    sightings: Vec<Sighted>,
    crowds: SortedList<Place, Crowd>,
    dropped: u64,
    lost: u64,
    pending: Option<Pending>,
    /// By credential and network.
    known: BoundedMap<(u64, Place), Known>,
    watched: Vec<u64>,
    every_millis: u64,
    flushed_at: UnixMillis,
    /// When the flush that is planned begins, or the one under way began.
    planned_for: Option<UnixMillis>,
}

impl Tally {
    /// An empty one. `isolate` is random.
    #[must_use]
    pub fn new(isolate: u64) -> Self {
        Self {
            isolate,
            seq: 0,
            events_made: 0,
            recent: Recent::default(),
            counts: Counts::default(),
            events: Vec::new(),
            administered: Vec::new(),
            sightings: Vec::new(),
            crowds: SortedList::new(),
            dropped: 0,
            lost: 0,
            pending: None,
            known: BoundedMap::new(MAX_CALLERS),
            watched: Vec::new(),
            every_millis: FLUSH_MILLIS,
            flushed_at: UnixMillis::default(),
            planned_for: None,
        }
    }

    /// Counts a decision.
    pub fn count(&mut self, noted: &Noted<'_>) {
        if !self.recent.count(&noted.series) {
            self.counts.add(&noted.series.name(), 1);
        }
        if noted.is_failure {
            self.counts.add(&Kind::Failure.name(noted.series.route), 1);
        }
        if let Some(secs) = noted.late_secs {
            self.counts.add(&Kind::Lateness.name(Lateness::of(secs).word()), 1);
        }
    }

    /// Counts the network of a failure.
    pub fn count_network(&mut self, network: &str) {
        self.counts.add(&Kind::Network.name(network), 1);
    }

    /// Counts what two policies say of a request.
    pub fn count_shadow(&mut self, said: &Shadow<'_>) {
        self.counts.add(&said.name(), 1);
    }

    /// Counts what has become of an account.
    pub fn count_account(&mut self, done: &Account<'_>) {
        self.counts.add(&done.name(), 1);
    }

    /// Counts who came from a place. Of more places than there is room for nothing is known until the next delta.
    pub fn meet_at(&mut self, place: Place, one: Crowd) {
        if self.crowds.len() < MAX_CROWDS || self.crowds.get(&place).is_some() {
            self.crowds.change(place, |crowd| *crowd = crowd.and(one));
        }
    }

    /// Whether a caller is new here within the hour; told at most once. `who` is the number of the credential. Only a caller who is new
    /// has to be looked at.
    ///
    /// If not, and the credential is watched, it is told of now and then.
    pub fn first_sight(&mut self, who: u64, network: Place, now: UnixMillis) -> Option<FirstSight> {
        let key = (who, network);
        let Some(known) = self.known.get_mut(&key, now) else { return Some(FirstSight(key)) };
        let is_due = now.millis_since(known.told_at) >= SIGHTING_MILLIS;
        if is_due && self.watched.contains(&who) {
            known.told_at = now;
            let place = known.place;
            self.sight(Sighted { who, place, at: now, revoked: false, located: None });
        }
        None
    }

    /// Takes note of a caller who is new.
    pub fn meet(&mut self, first: FirstSight, caller: Caller<'_>, now: UnixMillis) {
        let Caller { place, country, located } = caller;
        if let Some(country) = country {
            self.counts.add(&Kind::Country.name(country), 1);
        }
        let (who, _) = first.0;
        self.sight(Sighted { who, place, at: now, revoked: false, located });
        let until = now.saturating_add(FIRST_SIGHT_MILLIS);
        self.known.insert(first.0, Known { place, told_at: now }, until, now);
    }

    /// Takes note of where a credential was seen.
    pub fn sight(&mut self, sighted: Sighted) {
        if self.sightings.len() < MAX_SIGHTINGS {
            self.sightings.push(sighted);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Whether there is room for a further event: else it need not be made, and is counted as dropped.
    pub fn has_room(&mut self) -> bool {
        self.is_kept(self.events.len() < MAX_EVENTS)
    }

    /// The same for what an administrator did.
    pub fn has_room_for_administration(&mut self) -> bool {
        self.is_kept(self.administered.len() < MAX_ADMINISTERED)
    }

    const fn is_kept(&mut self, has_room: bool) -> bool {
        if !has_room {
            self.dropped = self.dropped.saturating_add(1);
        }
        has_room
    }

    /// The id of the next event.
    pub fn next_id(&mut self) -> EventId {
        self.events_made = self.events_made.wrapping_add(1);
        EventId { teller: self.isolate, number: self.events_made }
    }

    /// Adds an event.
    pub fn push(&mut self, event: EventV1) {
        let (events, most) = match event.event {
            EventKind::Administered => (&mut self.administered, MAX_ADMINISTERED),
            _ => (&mut self.events, MAX_EVENTS),
        };
        if events.len() < most {
            events.push(event);
        }
    }

    /// Whether the caller has to hand over what has come together, and after how many milliseconds. `None`: somebody else does, or
    /// there is nothing. After a quiet time a failure is told soon.
    pub fn plan(&mut self, is_failure: bool, now: UnixMillis) -> Option<u64> {
        let is_planned = self.planned_for.is_some_and(|at| now < at.saturating_add(LOST_MILLIS));
        if is_planned || self.is_empty() {
            return None;
        }
        let since = now.millis_since(self.flushed_at);
        let wait = self.every_millis.saturating_sub(since);
        let wait = if is_failure { wait } else { self.every_millis };
        let wait = wait.clamp(QUICK_MILLIS, FLUSH_BOUNDS.1);
        self.planned_for = Some(now.saturating_add(wait));
        Some(wait)
    }

    /// Whether there is nothing to hand over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_none()
            && self.recent.is_empty()
            && self.counts.is_empty()
            && self.events.is_empty()
            && self.administered.is_empty()
    }

    /// What is to be sent: what was sent before and not acknowledged, or else all that has come together.
    pub fn take(&mut self, now: UnixMillis) -> Option<Delta> {
        self.planned_for = Some(now);
        if let Some(pending) = self.pending.take() {
            if now.millis_since(pending.since) < RESEND_MILLIS {
                return Some(self.pending.insert(pending).delta.clone());
            }
            let counts = Counts::from(pending.delta.counts);
            self.lost = self.lost.saturating_add(counts.decisions());
            self.lost = self.lost.saturating_add(pending.delta.lost);
            self.dropped = self.dropped.saturating_add(pending.delta.dropped);
        }
        if self.is_empty() {
            self.planned_for = None;
            return None;
        }
        self.recent.hand_over(&mut self.counts);
        self.seq = self.seq.saturating_add(1);
        let mut events = core::mem::take(&mut self.events);
        events.append(&mut self.administered);
        let delta = Delta {
            v: VERSION,
            isolate: format!("{:016x}", self.isolate),
            seq: self.seq,
            counts: core::mem::take(&mut self.counts).into_inner(),
            events,
            sightings: self.sightings.drain(..).map(|sighted| sighted.told()).collect(),
            crowds: named(core::mem::take(&mut self.crowds)),
            dropped: core::mem::take(&mut self.dropped),
            lost: core::mem::take(&mut self.lost),
        };
        Some(self.pending.insert(Pending { delta, since: now }).delta.clone())
    }

    /// The other side has added what was sent.
    pub fn acknowledged(&mut self, answer: Acknowledged, now: UnixMillis) {
        if self.pending.as_ref().is_some_and(|pending| pending.delta.seq <= answer.seq) {
            self.pending = None;
        }
        self.planned_for = None;
        self.flushed_at = now;
        self.every_millis = answer.next_millis.clamp(FLUSH_BOUNDS.0, FLUSH_BOUNDS.1);
        self.watched = answer.watched.iter().filter_map(|who| number_of(who)).collect();
    }

    /// No answer came. A later request sends it again.
    pub fn missed(&mut self, now: UnixMillis) {
        self.planned_for = None;
        self.flushed_at = now;
    }
}

/// Not collected: a map that is sorts first, by code for its own type.
fn named(crowds: SortedList<Place, Crowd>) -> BTreeMap<String, Crowd> {
    let mut named = BTreeMap::new();
    named.extend(crowds.into_iter().map(|(place, crowd)| (place.to_string(), crowd)));
    named
}

/// A caller who is new here. There is one way to get it: not to be known.
#[derive(Debug)]
#[must_use = "the caller has to be met"]
pub struct FirstSight((u64, Place));

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    fn later(millis: u64) -> UnixMillis {
        NOW.saturating_add(millis)
    }

    fn refused() -> Noted<'static> {
        let series = Series { code: "INVALID_TOKEN", route: "/v1/*", ..Series::default() };
        Noted { series, is_failure: true, late_secs: None }
    }

    fn answer(seq: u64) -> Acknowledged {
        Acknowledged { seq, next_millis: 10_000, watched: Vec::new() }
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_as_it_was() {
        let mut tally = Tally::new(1);
        tally.count(&refused());
        let first = tally.take(NOW).unwrap();
        assert_eq!(first.seq, 1);
        tally.count(&refused());
        tally.missed(later(1));
        assert_eq!(tally.take(later(2)), Some(first.clone()));
        tally.acknowledged(answer(1), later(3));
        let second = tally.take(later(4)).unwrap();
        assert_eq!((second.seq, &second.counts), (2, &first.counts));
        tally.acknowledged(answer(2), later(5));
        assert_eq!(tally.take(later(6)), None);
    }

    #[test]
    fn what_cannot_be_handed_over_for_ten_minutes_is_counted_as_lost() {
        let mut tally = Tally::new(1);
        (0..3).for_each(|_| tally.count(&refused()));
        tally.take(NOW).unwrap();
        tally.count(&refused());
        let next = tally.take(later(RESEND_MILLIS)).unwrap();
        assert_eq!((next.seq, next.lost), (2, 3));
        assert_eq!(Counts::from(next.counts).decisions(), 1);
    }

    #[test]
    fn one_request_at_a_time_hands_over_and_a_lost_one_is_made_up_for() {
        let mut tally = Tally::new(1);
        assert_eq!(tally.plan(true, NOW), None);
        tally.count(&refused());
        // The first failure after a quiet time is told soon, the rest together.
        assert_eq!(tally.plan(true, NOW), Some(QUICK_MILLIS));
        assert_eq!(tally.plan(true, later(500)), None);
        tally.take(later(1_000)).unwrap();
        assert_eq!(tally.plan(true, later(1_001)), None);
        tally.acknowledged(answer(1), later(1_020));
        tally.count(&refused());
        assert_eq!(tally.plan(true, later(2_020)), Some(9_000));
        // Its request was cancelled.
        assert_eq!(tally.plan(true, later(2_020 + 9_000 + LOST_MILLIS)), Some(QUICK_MILLIS));
    }

    #[test]
    fn a_caller_is_told_of_once_an_hour_unless_it_is_watched() {
        let mut tally = Tally::new(1);
        let network = Place::network("192.0.2.1".parse().unwrap());
        let caller = Caller { place: Place::operator(1), country: Some("DE"), located: None };
        let first = tally.first_sight(7, network, NOW).unwrap();
        tally.meet(first, caller, NOW);
        assert!(tally.first_sight(7, network, later(40_000)).is_none());
        assert!(tally.first_sight(8, network, later(40_000)).is_some());
        assert!(tally.first_sight(7, Place::UNKNOWN, later(40_000)).is_some());
        let told = tally.take(later(40_000)).unwrap().sightings;
        let [sighting] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((sighting.who.as_str(), sighting.place.as_str()), ("0000000000000007", "AS1"));
        let watched = vec![sighting.who.clone()];
        let answer = Acknowledged { seq: 1, next_millis: 10_000, watched };
        tally.acknowledged(answer, later(40_001));
        for millis in [50_000, 60_000, 70_000, 81_000] {
            tally.count(&refused());
            assert!(tally.first_sight(7, network, later(millis)).is_none());
        }
        assert_eq!(
            tally.take(later(82_000)).unwrap().sightings,
            [
                Sighting { at: later(50_000), ..sighting.clone() },
                Sighting { at: later(81_000), ..sighting.clone() },
            ]
        );
        assert!(tally.first_sight(7, network, later(FIRST_SIGHT_MILLIS)).is_some());
    }

    #[test]
    fn samples_have_an_end_and_what_is_dropped_is_counted() {
        let mut tally = Tally::new(1);
        for _ in 0..150 {
            tally.count(&refused());
            if tally.has_room() {
                let id = tally.next_id();
                tally.push(EventV1::new(super::super::event::Kind::Refused, &id, NOW));
            }
        }
        for _ in 0..600 {
            let (who, place) = (1, Place::UNKNOWN);
            let sighting = Sighted { who, place, at: NOW, revoked: false, located: None };
            tally.sight(sighting);
        }
        let delta = tally.take(NOW).unwrap();
        assert_eq!((delta.events.len(), delta.sightings.len(), delta.dropped), (100, 500, 150));
        assert_eq!(Delta::from_text(&delta.to_text()), Ok(delta));
    }
}
