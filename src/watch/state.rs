//! All that watches, as one writer has it: steps `(state, delta, now) → (state, what changed)`. The writer stores the rows in one
//! transaction before it answers.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::{
    audit::Checkpoint,
    delta::{Acknowledged, Delta},
    event::{EventId, EventV1, Kind},
    outbox::{Outbox, Waiting},
    revoked::Revoked,
    rules::{
        Alert, IMPOSSIBLE_TRAVEL, Measure, Rule, SHARED_CREDENTIAL, State, Turn,
        USE_AFTER_REVOCATION,
    },
    series,
    sharing::Sharing,
    stuffing::Stuffing,
    tally::{FLUSH_MILLIS, RESEND_MILLIS},
    travel::Travel,
    windows::Windows,
};
use crate::{
    error::StoreError,
    json::{document, object::object},
    session::state::RowChange,
    sorted::SortedList,
    time::UnixMillis,
    watch::counts::Counts,
};

/// How many isolates are known. A new one beyond them is not heard, and keeps what it has: it is told so, and asks again.
const MAX_ISOLATES: usize = 20_000;

/// How long an isolate is remembered that says nothing: longer than it sends a delta again, by as much as a message may be late.
const FORGET_MILLIS: u64 = RESEND_MILLIS * 2;

/// How often those are looked for.
const FORGET_EVERY_MILLIS: u64 = 60_000;

/// How many samples are kept for whoever looks.
pub const MAX_RECENT: usize = 200;

/// How many events of the administration are kept beside them.
const MAX_ADMINISTERED: usize = 100;

/// How often alerts are looked at while one is not ok.
const LOOK_MILLIS: u64 = 10_000;

/// How often a rule is looked at that can begin to hold though nothing comes.
const CLOCK_MILLIS: u64 = 60_000;

/// How many isolates make their deltas come less often: 200 a second are what one object bears without effort.
const ISOLATES_AT_TEN_SECONDS: usize = 2_000;

object! {
    /// The row of an isolate.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    struct Isolate, ignored {
        seq: u64,
        seen: UnixMillis,
    }
}

object! {
    /// The row of what was lost.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
    pub struct Losses, ignored {
        /// Samples and sightings that were too many, events that no sink has taken.
        pub dropped: u64 = 0,
        /// Decisions of deltas that were given up. They may have been counted all the same.
        pub lost: u64 = 0,
    }
}

/// What is looked at, and who is told.
#[derive(Debug, Clone, Copy)]
pub struct Orders<'o> {
    /// The rules.
    pub rules: &'o [Rule],
    /// The names of the sinks.
    pub sinks: &'o [String],
}

/// All that watches.
#[derive(Debug, Default)]
pub struct WatchState {
    windows: Windows,
    isolates: BTreeMap<String, Isolate>,
    /// When isolates were forgotten last.
    forgot_at: UnixMillis,
    /// Whether none is forgotten now.
    holds_isolates: bool,
    /// By rule and group.
    alerts: SortedList<(String, String), Alert>,
    outbox: Outbox,
    losses: Losses,
    sharing: Sharing,
    revoked: Revoked,
    stuffing: Stuffing,
    travel: Travel,
    /// The last samples and alerts.
    recent: VecDeque<EventV1>,
    /// What administrators did last: no caller can push it out.
    administered: VecDeque<EventV1>,
    /// When something came last.
    heard_at: Option<UnixMillis>,
    events_made: u32,
    /// Alerts of which the audit does not know yet.
    alerted: Vec<EventV1>,
    rows: Vec<RowChange>,
}

impl WatchState {
    /// Reads the rows.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn from_rows<'r>(
        rows: impl IntoIterator<Item = (&'r str, &'r str)>,
    ) -> Result<Self, StoreError> {
        let mut state = Self::default();
        for (name, value) in rows {
            state.read_row(name, value)?;
        }
        Ok(state)
    }

    /// Reads one row.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_row(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        let not_ours =
            |_| StoreError::new("a row of the watch has a form that the gate does not write");
        if self.windows.read_row(name, value)? || self.outbox.read_row(name, value)? {
            return Ok(());
        }
        if name == "losses" {
            self.losses = document::parse(value.as_bytes()).map_err(not_ours)?;
            return Ok(());
        }
        match name.split_once('/') {
            Some(("isolate", id)) => {
                let isolate: Isolate = document::parse(value.as_bytes()).map_err(not_ours)?;
                self.heard_at = self.heard_at.max(Some(isolate.seen));
                self.isolates.insert(id.to_owned(), isolate);
                Ok(())
            }
            Some(("alert", key)) => {
                let (rule, group) = key.split_once('\t').unwrap_or((key, ""));
                let alert = document::parse(value.as_bytes()).map_err(not_ours)?;
                self.alerts.insert((rule.to_owned(), group.to_owned()), alert);
                Ok(())
            }
            _ => Err(StoreError::new("a row of the watch has an unknown name")),
        }
    }

    /// The rows that have to be stored before anything is answered; from now on they count as stored.
    pub fn take_changes(&mut self) -> Vec<RowChange> {
        core::mem::take(&mut self.rows)
    }

    /// Has no isolate forgotten while what waits in a queue is added. It may have waited for longer than an isolate is remembered, and
    /// be there twice.
    pub const fn hold_isolates(&mut self, holds: bool) {
        self.holds_isolates = holds;
    }

    /// Adds what an isolate hands over, once, and looks at the rules.
    ///
    /// # Errors
    /// It cannot be taken now: the isolate keeps it and sends it again.
    pub fn apply(
        &mut self,
        delta: &Delta,
        orders: Orders<'_>,
        now: UnixMillis,
    ) -> Result<Acknowledged, StoreError> {
        let known = self.isolates.get(&delta.isolate).copied();
        if known.is_none() && self.isolates.len() >= MAX_ISOLATES {
            self.forget_isolates(now);
            if self.isolates.len() >= MAX_ISOLATES {
                return Err(StoreError::own_bound("more isolates than the watch knows"));
            }
        }
        if known.is_none_or(|isolate| isolate.seq < delta.seq) {
            let isolate = Isolate { seq: delta.seq, seen: now };
            self.rows.push(RowChange {
                name: format!("isolate/{}", delta.isolate),
                value: serde_json::to_string(&isolate).ok(),
            });
            self.isolates.insert(delta.isolate.clone(), isolate);
            self.add(delta, orders.rules, now);
        }
        self.heard_at = Some(now);
        self.look(orders, now);
        Ok(Acknowledged {
            seq: delta.seq,
            next_millis: self.next_millis(),
            watched: self.sharing.watched(now),
        })
    }

    fn add(&mut self, delta: &Delta, rules: &[Rule], now: UnixMillis) {
        let mut counts = Counts::from(delta.counts.clone());
        let speeds = rules.iter().filter_map(|rule| match rule.measure {
            Measure::Travel(above_kmh) => Some(above_kmh),
            _ => None,
        });
        let above_kmh = speeds.min();
        for sighting in &delta.sightings {
            let (who, place) = (&sighting.who, &sighting.place);
            // A clock that is ahead has no say over what comes later.
            let at = sighting.at.min(now);
            if sighting.revoked && self.revoked.sight(who, place, at) {
                counts.add(&series::Kind::Finding.name(USE_AFTER_REVOCATION), 1);
            }
            if !sighting.revoked && self.sharing.sight(who, place, at) {
                counts.add(&series::Kind::Finding.name(SHARED_CREDENTIAL), 1);
            }
            if let (Some(located), Some(above_kmh)) = (&sighting.located, above_kmh)
                && self.travel.sight(located, place, at, above_kmh)
            {
                counts.add(&series::Kind::Finding.name(IMPOSSIBLE_TRAVEL), 1);
            }
        }
        for (place, crowd) in &delta.crowds {
            if self.stuffing.add(place, *crowd, now) {
                counts.add(&series::Kind::Guessing.name(place), 1);
            }
        }
        self.windows.add(&counts, now, &mut self.rows);
        self.lose(delta.dropped, delta.lost);
        for event in &delta.events {
            self.keep(event.clone());
        }
    }

    fn lose(&mut self, dropped: u64, lost: u64) {
        if dropped == 0 && lost == 0 {
            return;
        }
        self.losses.dropped = self.losses.dropped.saturating_add(dropped);
        self.losses.lost = self.losses.lost.saturating_add(lost);
        self.rows.push(RowChange {
            name: "losses".to_owned(),
            value: serde_json::to_string(&self.losses).ok(),
        });
    }

    fn keep(&mut self, event: EventV1) {
        let (ring, most) = match event.event {
            Kind::Administered => (&mut self.administered, MAX_ADMINISTERED),
            _ => (&mut self.recent, MAX_RECENT),
        };
        if ring.len() >= most {
            ring.pop_front();
        }
        ring.push_back(event);
    }

    /// How long isolates are to wait: the more there are, the longer.
    fn next_millis(&self) -> u64 {
        if self.isolates.len() > ISOLATES_AT_TEN_SECONDS { FLUSH_MILLIS * 2 } else { FLUSH_MILLIS }
    }

    fn forget_isolates(&mut self, now: UnixMillis) {
        if self.holds_isolates {
            return;
        }
        self.forgot_at = now;
        let is_gone = |isolate: &Isolate| now.millis_since(isolate.seen) >= FORGET_MILLIS;
        let gone = self.isolates.iter().filter(|(_, isolate)| is_gone(isolate));
        self.rows
            .extend(gone.map(|(id, _)| RowChange { name: format!("isolate/{id}"), value: None }));
        self.isolates.retain(|_, isolate| !is_gone(isolate));
    }

    /// Looks at the rules; has those told who are to be told.
    pub fn look(&mut self, orders: Orders<'_>, now: UnixMillis) {
        self.windows.advance(now, &mut self.rows);
        if now.millis_since(self.forgot_at) >= FORGET_EVERY_MILLIS {
            self.forget_isolates(now);
        }
        for rule in orders.rules {
            let known = self.alerts.iter().filter(|((name, _), _)| *name == rule.name);
            let known: Vec<String> = known.map(|((_, group), _)| group.clone()).collect();
            for (group, measured) in rule.measure_beside(&self.windows, &known, now) {
                let key = (rule.name.clone(), group);
                let before = self.alerts.get(&key).cloned();
                let (after, turn) = before.clone().unwrap_or_default().step(rule, measured, now);
                if let Some(turn) = turn {
                    self.tell(rule, (&key.1, &after), turn, (orders.sinks, now));
                }
                self.set_alert(rule, key, (before, after), now);
            }
        }
        self.drop_alerts_without_rule(orders.rules);
        self.count_untold();
    }

    fn count_untold(&mut self) {
        let dropped = self.outbox.take_dropped();
        self.lose(dropped, 0);
    }

    fn set_alert(
        &mut self,
        rule: &Rule,
        key: (String, String),
        (before, after): (Option<Alert>, Alert),
        now: UnixMillis,
    ) {
        let name = format!("alert/{}\t{}", key.0, key.1);
        if after.is_over(rule, now) {
            if self.alerts.remove(&key).is_some() {
                self.rows.push(RowChange { name, value: None });
            }
            return;
        }
        // What was measured changes all the time, and is measured again after a restart.
        let is_same = before
            .as_ref()
            .is_some_and(|before| Alert { value: after.value, ..before.clone() } == after);
        if !is_same {
            self.rows.push(RowChange { name, value: serde_json::to_string(&after).ok() });
        }
        self.alerts.insert(key, after);
    }

    fn drop_alerts_without_rule(&mut self, rules: &[Rule]) {
        let is_there = |name: &str| rules.iter().any(|rule| rule.name == name);
        let gone = self.alerts.iter().filter(|((rule, _), _)| !is_there(rule));
        self.rows.extend(gone.map(|((rule, group), _)| RowChange {
            name: format!("alert/{rule}\t{group}"),
            value: None,
        }));
        self.alerts.retain(|(rule, _), _| is_there(rule));
    }

    fn tell(
        &mut self,
        rule: &Rule,
        (group, alert): (&str, &Alert),
        turn: Turn,
        (sinks, now): (&[String], UnixMillis),
    ) {
        let kind = match turn {
            Turn::Firing => Kind::Firing,
            Turn::Resolved => Kind::Resolved,
        };
        let cause = if turn == Turn::Firing { rule.cause(&self.windows, now) } else { None };
        let id = self.next_id();
        let event = EventV1 {
            rule: Some(rule.name.clone()),
            group: (!group.is_empty()).then(|| group.to_owned()),
            value: Some(alert.value),
            threshold: Some(rule.threshold()),
            cause: cause.map(str::to_owned),
            ..EventV1::new(kind, &id, now)
        };
        for sink in sinks {
            self.outbox.put(sink, &event, now, &mut self.rows);
        }
        self.alerted.push(event.clone());
        self.keep(event);
    }

    /// There is one writer: it needs no random number to be told from others.
    fn next_id(&mut self) -> EventId {
        self.events_made = self.events_made.wrapping_add(1);
        EventId { teller: 0, number: self.events_made }
    }

    /// The alerts that have begun or are over since this was asked last.
    pub fn take_alerted(&mut self) -> Vec<EventV1> {
        core::mem::take(&mut self.alerted)
    }

    /// Has these sinks told how far the audit is.
    pub fn tell_checkpoint(&mut self, checkpoint: &Checkpoint, sinks: &[String], now: UnixMillis) {
        let id = self.next_id();
        let event = EventV1 {
            seq: Some(checkpoint.seq),
            hash: Some(checkpoint.hash.clone()),
            mac: Some(checkpoint.mac.clone()),
            // The time is in the MAC.
            ..EventV1::new(Kind::Checkpoint, &id, checkpoint.at)
        };
        for sink in sinks {
            self.outbox.put(sink, &event, now, &mut self.rows);
        }
    }

    /// What is to be sent now, each with its number.
    pub fn due(&mut self, now: UnixMillis) -> Vec<(u64, Waiting)> {
        let due = self.outbox.due(now, &mut self.rows);
        self.count_untold();
        due
    }

    /// What became of something that was sent.
    pub fn delivered(&mut self, number: u64, delivery: Delivery, now: UnixMillis) {
        match delivery {
            Delivery::Taken => self.outbox.told(number, &mut self.rows),
            Delivery::Failed => self.outbox.failed(number, now, &mut self.rows),
            Delivery::Refused => self.outbox.refused(number, &mut self.rows),
        }
        self.count_untold();
    }

    /// When the writer has to look again by itself.
    #[must_use]
    pub fn wakes_at(&self, orders: Orders<'_>, now: UnixMillis) -> Option<UnixMillis> {
        let has_alert = self.alerts.values().any(|alert| alert.state != State::Ok);
        let look = has_alert.then(|| now.saturating_add(LOOK_MILLIS));
        let needs_clock = orders.rules.iter().any(Rule::needs_clock) && self.heard_at.is_some();
        let clock = needs_clock.then(|| now.saturating_add(CLOCK_MILLIS));
        [look, clock, self.outbox.wakes_at()].into_iter().flatten().min()
    }

    /// Counts over time.
    #[must_use]
    pub const fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Alerts by rule and group, those that are ok among them for as long as they are remembered.
    pub fn alerts(&self) -> impl Iterator<Item = (&str, &str, &Alert)> {
        self.alerts.iter().map(|((rule, group), alert)| (rule.as_str(), group.as_str(), alert))
    }

    /// The last samples and alerts, and what administrators did last, oldest first.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &EventV1> {
        let mut events = Vec::new();
        let mut administered = self.administered.iter().peekable();
        for event in &self.recent {
            while let Some(earlier) = administered.next_if(|one| one.at < event.at) {
                events.push(earlier);
            }
            events.push(event);
        }
        events.extend(administered);
        events.into_iter()
    }

    /// What was lost.
    #[must_use]
    pub const fn losses(&self) -> Losses {
        self.losses
    }

    /// How many events wait for a sink.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// When something came last.
    #[must_use]
    pub const fn heard_at(&self) -> Option<UnixMillis> {
        self.heard_at
    }

    /// How many isolates have said something within the time that they are remembered.
    #[must_use]
    pub fn isolates(&self) -> usize {
        self.isolates.len()
    }
}

/// What became of something that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The sink has it.
    Taken,
    /// It may take it later.
    Failed,
    /// It never will.
    Refused,
}

impl Delivery {
    /// By the status of the answer; `None`: none came. What may be better later is tried again (RFC 9110 §15, and as intakes of logs
    /// say: 408, 429, 5xx).
    #[must_use]
    pub const fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..=299) => Self::Taken,
            // A redirect is not followed: what is sent was addressed to one host.
            Some(400..=407 | 409..=428 | 430..=499) => Self::Refused,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::{
        event::VERSION,
        place::Place,
        rules::{Group, MAX_GROUPS, Measure, Select, defaults},
        series::Series,
        tally::{Noted, Sighted, Tally},
    };

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    fn later(millis: u64) -> UnixMillis {
        NOW.saturating_add(millis)
    }

    fn failure() -> Noted<'static> {
        let series = Series {
            code: "INVALID_TOKEN",
            route: "/v1/*",
            carrier: "bearer",
            ..Series::default()
        };
        Noted { series, is_failure: true, late_secs: None }
    }

    fn total(state: &WatchState) -> u64 {
        state.windows().totals().decisions()
    }

    #[derive(Default)]
    struct Store(BTreeMap<String, String>);

    impl Store {
        fn save(&mut self, state: &mut WatchState) {
            for RowChange { name, value } in state.take_changes() {
                match value {
                    Some(value) => self.0.insert(name, value),
                    None => self.0.remove(&name),
                };
            }
        }

        fn load(&self) -> WatchState {
            WatchState::from_rows(
                self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            )
            .unwrap()
        }
    }

    fn sinks() -> Vec<String> {
        vec!["ops".to_owned()]
    }

    #[test]
    fn a_delta_counts_once_however_often_it_comes_and_whatever_restarts_between() {
        let (rules, sinks) = (defaults(), sinks());
        let orders = Orders { rules: &rules, sinks: &sinks };
        let mut tally = Tally::new(7);
        let mut store = Store::default();
        let mut state = WatchState::default();
        for round in 0..5 {
            (0..3).for_each(|_| tally.count(&failure()));
            let delta = tally.take(later(round * 100)).unwrap();
            for _ in 0..3 {
                let answer = state.apply(&delta, orders, later(round * 100 + 1)).unwrap();
                assert_eq!(answer.seq, round + 1);
                store.save(&mut state);
                state = store.load();
            }
            tally.acknowledged(
                state.apply(&delta, orders, later(round * 100 + 2)).unwrap(),
                later(round * 100 + 2),
            );
        }
        assert_eq!(total(&state), 15);
    }

    #[test]
    fn an_isolate_is_remembered_for_longer_than_it_sends_again() {
        let orders = Orders { rules: &[], sinks: &[] };
        let mut state = WatchState::default();
        let mut tally = Tally::new(1);
        tally.count(&failure());
        let delta = tally.take(NOW).unwrap();
        state.apply(&delta, orders, NOW).unwrap();
        state.forget_isolates(later(FORGET_MILLIS - 1));
        // The last moment at which it is sent again.
        assert_eq!(tally.take(later(RESEND_MILLIS - 1)).as_ref(), Some(&delta));
        state.apply(&delta, orders, later(FORGET_MILLIS - 1)).unwrap();
        assert_eq!(total(&state), 1);
    }

    #[test]
    fn isolates_that_say_nothing_are_forgotten_by_the_minute_however_few_there_are() {
        let orders = Orders { rules: &[], sinks: &[] };
        let mut store = Store::default();
        let mut state = WatchState::default();
        // A new isolate each minute for six hours.
        for minute in 0..360 {
            let mut tally = Tally::new(minute + 1);
            tally.count(&failure());
            let at = later(minute * 60_000);
            state.apply(&tally.take(at).unwrap(), orders, at).unwrap();
            store.save(&mut state);
        }
        assert_eq!(state.isolates(), 20);
        assert_eq!(store.0.keys().filter(|name| name.starts_with("isolate/")).count(), 20);
        assert_eq!(total(&state), 360);
    }

    #[test]
    fn a_group_that_fires_is_not_over_for_others_having_more() {
        let rules = [Rule {
            name: "guesses".into(),
            measure: Measure::Count(Select::Failures, 10),
            window_secs: 300,
            group: Group::Network,
            for_secs: 0,
            resolve_secs: 0,
            cool_down_secs: 900,
        }];
        let orders = Orders { rules: &rules, sinks: &[] };
        let mut state = WatchState::default();
        let mut tally = Tally::new(1);
        let guess = |tally: &mut Tally, network: &str, n: usize| {
            (0..n).for_each(|_| tally.count_network(network));
        };
        guess(&mut tally, "192.0.2.0/24", 11);
        state.apply(&tally.take(NOW).unwrap(), orders, NOW).unwrap();
        tally = Tally::new(2);
        for other in 0..100 {
            guess(&mut tally, &format!("10.0.{other}.0/24"), 20);
        }
        state.apply(&tally.take(NOW).unwrap(), orders, later(10_000)).unwrap();
        let first = state.alerts().find(|(_, group, _)| *group == "192.0.2.0/24").unwrap().2;
        assert_eq!((first.state, first.value), (State::Firing, 11));
        // They come later, and no more of them are kept than of any rule.
        state.look(orders, later(20_000));
        assert_eq!(state.alerts().count(), MAX_GROUPS);
        assert!(state.recent().all(|event| event.event == Kind::Firing));
    }

    /// Whoever makes many refusals must not push out what an administrator did.
    #[test]
    fn what_administrators_do_is_kept_apart_from_samples() {
        let orders = Orders { rules: &[], sinks: &[] };
        let mut state = WatchState::default();
        let mut tally = Tally::new(1);
        for round in 0..3 {
            for _ in 0..150 {
                tally.count(&failure());
                if tally.has_room() {
                    let id = tally.next_id();
                    tally.push(EventV1::new(Kind::Refused, &id, later(round * 10_000)));
                }
            }
            if round == 0 {
                assert!(tally.has_room_for_administration());
                let id = tally.next_id();
                tally.push(EventV1::new(Kind::Administered, &id, later(1)));
            }
            let at = later(round * 10_000 + 5);
            let delta = Delta::from_text(&tally.take(at).unwrap().to_text()).unwrap();
            tally.acknowledged(state.apply(&delta, orders, at).unwrap(), at);
        }
        let kept: Vec<Kind> = state.recent().map(|event| event.event).collect();
        assert_eq!(kept.len(), MAX_RECENT + 1);
        assert_eq!(kept.iter().filter(|kind| **kind == Kind::Administered).count(), 1);
        // In the order of time.
        assert_eq!(kept.first(), Some(&Kind::Administered));
    }

    #[test]
    fn isolates_have_an_end_and_one_too_many_keeps_what_it_has() {
        let orders = Orders { rules: &[], sinks: &[] };
        let mut state = WatchState::default();
        let delta = |isolate: usize| Delta {
            v: VERSION,
            isolate: format!("{isolate:016x}"),
            seq: 1,
            counts: BTreeMap::new(),
            events: Vec::new(),
            sightings: Vec::new(),
            crowds: BTreeMap::new(),
            dropped: 0,
            lost: 0,
        };
        for isolate in 0..MAX_ISOLATES {
            state.apply(&delta(isolate), orders, NOW).unwrap();
        }
        let refused = state.apply(&delta(MAX_ISOLATES), orders, NOW).unwrap_err();
        assert_eq!(refused.to_string(), "more isolates than the watch knows");
        assert!(state.apply(&delta(3), orders, NOW).is_ok());
        assert!(state.apply(&delta(MAX_ISOLATES), orders, later(FORGET_MILLIS)).is_ok());
        assert_eq!(state.isolates(), 1);
    }

    #[test]
    fn what_waited_for_long_and_is_there_twice_is_added_once() {
        let orders = Orders { rules: &[], sinks: &[] };
        let mut store = Store::default();
        let mut state = WatchState::default();
        let [mut one, mut other] = [Tally::new(1), Tally::new(2)];
        one.count(&failure());
        other.count(&failure());
        let (first, second) = (one.take(NOW).unwrap(), other.take(NOW).unwrap());
        state.apply(&first, orders, NOW).unwrap();
        state.apply(&second, orders, NOW).unwrap();
        store.save(&mut state);
        let mut state = store.load();
        let at = later(FORGET_MILLIS * 2);
        state.hold_isolates(true);
        for delta in [&first, &second, &first] {
            state.apply(delta, orders, at).unwrap();
        }
        assert_eq!((total(&state), state.isolates()), (2, 2));
        state.hold_isolates(false);
        state.look(orders, at);
        assert_eq!(state.isolates(), 0);
    }

    #[test]
    fn an_alert_goes_out_once_for_each_sink_and_over_restarts() {
        let (rules, sinks) = (defaults(), vec!["a".to_owned(), "b".to_owned()]);
        let orders = Orders { rules: &rules, sinks: &sinks };
        let mut store = Store::default();
        let mut state = WatchState::default();
        let mut tally = Tally::new(1);
        (0..101).for_each(|_| tally.count(&failure()));
        let delta = tally.take(NOW).unwrap();
        state.apply(&delta, orders, NOW).unwrap();
        store.save(&mut state);
        let mut state = store.load();
        let due = state.due(NOW);
        let told: Vec<(&str, Kind, Option<u64>)> = due
            .iter()
            .map(|(_, one)| (one.sink.as_str(), one.event.event, one.event.value))
            .collect();
        assert_eq!(told, [("a", Kind::Firing, Some(101)), ("b", Kind::Firing, Some(101))]);
        let [(a, _), (b, _)] = due.as_slice() else { panic!() };
        state.delivered(*a, Delivery::Taken, NOW);
        state.delivered(*b, Delivery::Failed, NOW);
        store.save(&mut state);
        let mut state = store.load();
        assert!(state.due(later(9_999)).is_empty());
        assert_eq!(state.due(later(10_000)).len(), 1);
        // The object looks by itself until it is over.
        assert_eq!(state.wakes_at(orders, later(10_000)), Some(later(10_000)));
        for secs in (10..=700).step_by(10) {
            state.look(orders, later(secs * 1000));
        }
        let resolved = state.recent().last().unwrap();
        assert_eq!((resolved.event, resolved.rule.as_deref()), (Kind::Resolved, Some("failures")));
        state.delivered(*b, Delivery::Taken, later(700_000));
        assert_eq!(state.due(later(700_000)).len(), 2);
    }

    #[test]
    fn findings_are_counted_and_told() {
        let (rules, sinks) = (defaults(), sinks());
        let orders = Orders { rules: &rules, sinks: &sinks };
        let mut state = WatchState::default();
        let mut tally = Tally::new(1);
        let sight = |operator, at, revoked| {
            let place = Place::operator(operator);
            Sighted { who: 1, place, at, revoked, located: None }
        };
        for turn in 0..8 {
            let at = later(turn * 30_000);
            tally.sight(sight(if turn % 2 == 0 { 1 } else { 2 }, at, false));
            tally.count(&failure());
            let delta = tally.take(at).unwrap();
            let answer = state.apply(&delta, orders, at).unwrap();
            assert_eq!(answer.watched.len(), usize::from(turn > 0));
            tally.acknowledged(answer, at);
        }
        tally.sight(sight(1, later(220_000), true));
        tally.sight(sight(3, later(251_000), true));
        tally.count(&failure());
        state.apply(&tally.take(later(251_000)).unwrap(), orders, later(251_000)).unwrap();
        let mut firing: Vec<&str> =
            state.recent().filter_map(|event| event.rule.as_deref()).collect();
        firing.sort_unstable();
        assert_eq!(firing, ["shared-credential", "use-after-revocation"]);
    }

    #[test]
    fn what_is_lost_is_counted() {
        let orders = Orders { rules: &[], sinks: &[] };
        let mut store = Store::default();
        let mut state = WatchState::default();
        let mut tally = Tally::new(1);
        (0..4).for_each(|_| tally.count(&failure()));
        tally.take(NOW).unwrap();
        (0..150).for_each(|_| {
            tally.count(&failure());
            if tally.has_room() {
                let id = tally.next_id();
                tally.push(EventV1::new(Kind::Refused, &id, NOW));
            }
        });
        let at = later(RESEND_MILLIS);
        state.apply(&tally.take(at).unwrap(), orders, at).unwrap();
        store.save(&mut state);
        assert_eq!(store.load().losses(), Losses { dropped: 50, lost: 4 });
        assert_eq!(total(&store.load()), 150);
    }

    #[test]
    fn an_answer_says_whether_to_try_again() {
        for (status, delivery) in [
            (Some(200), Delivery::Taken),
            (Some(202), Delivery::Taken),
            (Some(400), Delivery::Refused),
            (Some(404), Delivery::Refused),
            (Some(408), Delivery::Failed),
            (Some(429), Delivery::Failed),
            (Some(500), Delivery::Failed),
            (Some(302), Delivery::Failed),
            (None, Delivery::Failed),
        ] {
            assert_eq!(Delivery::of(status), delivery, "{status:?}");
        }
    }
}
