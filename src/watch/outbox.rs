//! What is to be told to others and was not acknowledged yet: at least once, in its order for each of them, within bounds.
//!
//! An event waits here for each sink apart, so that one that is down keeps nobody else waiting. It is tried again after 10 seconds, then
//! after twice the time each, up to an hour, for a day. What is too old or too many goes, oldest first, and is counted.

use serde::Serialize;

use super::event::EventV1;
use crate::{
    error::StoreError,
    json::{document, object::object},
    session::state::RowChange,
    sorted::SortedList,
    time::UnixMillis,
};

/// How many may wait, for all sinks together: with about a kilobyte each.
const MAX_WAITING: usize = 1_000;

/// How long one may wait.
const MAX_AGE_MILLIS: u64 = 86_400_000;

/// The wait after the first failure; then twice each time, this often.
const RETRY_MILLIS: u64 = 10_000;
const MAX_DOUBLINGS: u32 = 8;
const MAX_RETRY_MILLIS: u64 = 3_600_000;

object! {
    /// An event that waits for a sink.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Waiting, ignored {
        /// The name of the sink.
        pub sink: String,
        /// What it is to be told.
        pub event: EventV1,
        /// When it came here.
        pub since: UnixMillis,
        /// How often it was tried.
        pub tries: u32 = 0,
        /// Before this it is not tried again.
        pub next_at: UnixMillis,
    }
}

/// All that waits, by number.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: SortedList<u64, Waiting>,
    /// How many went untold.
    dropped: u64,
}

impl Outbox {
    /// Has an event wait for a sink.
    pub fn put(&mut self, sink: &str, event: &EventV1, now: UnixMillis, rows: &mut Vec<RowChange>) {
        let first = self.waiting.first().map(|(number, _)| *number);
        if let Some(first) = first.filter(|_| self.waiting.len() >= MAX_WAITING) {
            self.refused(first, rows);
        }
        let number = self.waiting.last().map_or(0, |(last, _)| last.saturating_add(1));
        // Numbers go on from the time, so that one that is told and gone does not come back after a restart.
        let number = number.max(now.as_millis());
        let waiting = Waiting {
            sink: sink.to_owned(),
            event: event.clone(),
            since: now,
            tries: 0,
            next_at: now,
        };
        rows.push(row(number, &waiting));
        self.waiting.insert(number, waiting);
    }

    /// What is to be told now: of each sink the first, so that they come in their order.
    pub fn due(&mut self, now: UnixMillis, rows: &mut Vec<RowChange>) -> Vec<(u64, Waiting)> {
        let is_old = |one: &Waiting| now.millis_since(one.since) >= MAX_AGE_MILLIS;
        let old: Vec<u64> =
            self.waiting.iter().filter(|(_, one)| is_old(one)).map(|(number, _)| *number).collect();
        for number in old {
            self.refused(number, rows);
        }
        self.firsts().into_iter().filter(|(_, one)| one.next_at <= now).cloned().collect()
    }

    /// Of each sink the first. There are few sinks.
    fn firsts(&self) -> Vec<&(u64, Waiting)> {
        let mut firsts: Vec<&(u64, Waiting)> = Vec::new();
        for one in self.waiting.iter() {
            if !firsts.iter().any(|(_, first)| first.sink == one.1.sink) {
                firsts.push(one);
            }
        }
        firsts
    }

    /// The sink has taken it.
    pub fn told(&mut self, number: u64, rows: &mut Vec<RowChange>) {
        if self.waiting.remove(&number).is_some() {
            rows.push(gone(number));
        }
    }

    /// The sink has refused it for good, or is not there any more.
    pub fn refused(&mut self, number: u64, rows: &mut Vec<RowChange>) {
        if self.waiting.remove(&number).is_some() {
            self.dropped = self.dropped.saturating_add(1);
            rows.push(gone(number));
        }
    }

    /// The sink has not taken it: later.
    pub fn failed(&mut self, number: u64, now: UnixMillis, rows: &mut Vec<RowChange>) {
        let Some(one) = self.waiting.get_mut(&number) else { return };
        let wait = RETRY_MILLIS << one.tries.min(MAX_DOUBLINGS);
        one.tries = one.tries.saturating_add(1);
        one.next_at = now.saturating_add(wait.min(MAX_RETRY_MILLIS));
        rows.push(row(number, one));
    }

    /// When something is due next.
    #[must_use]
    pub fn wakes_at(&self) -> Option<UnixMillis> {
        self.firsts().into_iter().map(|(_, one)| one.next_at).min()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many went untold since the count was taken last.
    pub fn take_dropped(&mut self) -> u64 {
        core::mem::take(&mut self.dropped)
    }

    /// Reads a row. Whether it was one of these.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_row(&mut self, name: &str, value: &str) -> Result<bool, StoreError> {
        let Some(number) = name.strip_prefix("outbox/") else { return Ok(false) };
        let not_ours =
            || StoreError::new("a row of the outbox has a form that the gate does not write");
        let number = number.parse().map_err(|_| not_ours())?;
        let waiting = document::parse(value.as_bytes()).map_err(|_| not_ours())?;
        self.waiting.insert(number, waiting);
        Ok(true)
    }
}

fn row(number: u64, waiting: &Waiting) -> RowChange {
    RowChange { name: format!("outbox/{number}"), value: serde_json::to_string(waiting).ok() }
}

fn gone(number: u64) -> RowChange {
    RowChange { name: format!("outbox/{number}"), value: None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::watch::event::{EventId, Kind};

    fn at(secs: u64) -> UnixMillis {
        UnixMillis::from_millis(1_700_000_000_000 + secs * 1000)
    }

    fn event(number: u32) -> EventV1 {
        EventV1::new(Kind::Firing, &EventId { teller: 1, number }, at(0))
    }

    fn numbers(due: &[(u64, Waiting)]) -> Vec<(String, u64)> {
        due.iter().map(|(number, one)| (one.sink.clone(), *number)).collect()
    }

    #[test]
    fn each_sink_gets_its_events_in_their_order_until_it_has_taken_them() {
        let mut rows = Vec::new();
        let mut outbox = Outbox::default();
        for number in 0..3 {
            outbox.put("a", &event(number), at(0), &mut rows);
            outbox.put("b", &event(number), at(0), &mut rows);
        }
        let due = outbox.due(at(0), &mut rows);
        let [(_, first), (_, other)] = numbers(&due).try_into().unwrap();
        outbox.failed(first, at(0), &mut rows);
        outbox.told(other, &mut rows);
        // One that is down keeps the other waiting for nothing.
        let due = outbox.due(at(1), &mut rows);
        assert_eq!(numbers(&due).len(), 1);
        assert_eq!(outbox.due(at(10), &mut rows).first().unwrap().0, first);
        assert_eq!(outbox.wakes_at(), Some(at(0)));
        assert_eq!(outbox.len(), 5);
    }

    #[test]
    fn retries_take_longer_each_time_and_end_after_a_day() {
        let mut rows = Vec::new();
        let mut outbox = Outbox::default();
        outbox.put("a", &event(0), at(0), &mut rows);
        let mut tried = Vec::new();
        for secs in 0..100_000 {
            if let Some((number, _)) = outbox.due(at(secs), &mut rows).first() {
                tried.push(secs);
                outbox.failed(*number, at(secs), &mut rows);
            }
        }
        assert_eq!(tried.get(..5).unwrap(), [0, 10, 30, 70, 150]);
        assert!(tried.len() < 50 && *tried.last().unwrap() < 86_400);
        assert_eq!((outbox.len(), outbox.take_dropped(), outbox.take_dropped()), (0, 1, 0));
    }

    #[test]
    fn what_waits_has_an_end_and_survives_a_restart() {
        let mut stored = BTreeMap::new();
        let mut outbox = Outbox::default();
        for number in 0..1_500 {
            let mut rows = Vec::new();
            outbox.put("a", &event(number), at(u64::from(number)), &mut rows);
            for RowChange { name, value } in rows {
                match value {
                    Some(value) => stored.insert(name, value),
                    None => stored.remove(&name),
                };
            }
        }
        assert_eq!((outbox.len(), outbox.take_dropped()), (1_000, 500));
        let mut again = Outbox::default();
        for (name, value) in &stored {
            assert!(again.read_row(name, value).unwrap());
        }
        assert_eq!(again.len(), 1_000);
        assert_eq!(again.due(at(1_500), &mut Vec::new()), outbox.due(at(1_500), &mut Vec::new()));
    }
}
